/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_BYPASS_H
#define SEGD_KERNEL_BYPASS_H

/*
 * What could let packets go round the table, or hide flows from the watcher, outside
 * nf_tables: XDP, tcx and netkit programs and tc filters where the zones' packets pass (passage.h), bridged ports,
 * packets that name their own route, conntrack settings. What other tables do is nft_monitor.h's.
 *
 * States facts, one sentence each (control/sentence.h), always the same for the same fact, so
 * that the caller can tell new ones. That forwarding is off is not one: nothing passes then.
 */

#include <jansson.h>
#include <stddef.h>

#include "kernel/passage.h"

typedef void (*seg_bypass_fn)(void *context, json_t *finding); /* takes it over */
/* interface: existing interfaces of zones. 0, or -errno: it could not be found out. */
int seg_bypass_find(const char *const *interface, size_t n, seg_bypass_fn each, void *context);
/* The same of what traffic control tells (links.h), which may be gone by the time that one looks; NULL: nothing. */
json_t *seg_bypass_heard(const struct seg_links *links, const struct nlmsghdr *message, seg_passage_fn is_zone,
			 const void *context);

#endif
