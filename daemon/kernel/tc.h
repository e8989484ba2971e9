/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_TC_H
#define SEGD_KERNEL_TC_H

/*
 * Traffic control: filters that can take packets elsewhere, which is a matter of their actions. One that drops or polices
 * does not. Nor does one without an action where it says which turn a packet has to be sent; at a hook (clsact, ingress),
 * where there are no turns, it is told of.
 */

#include <jansson.h>
#include <libmnl/libmnl.h>

#include "kernel/passage.h"

/* The sentence (control/sentence.h) about a filter on this interface, as RTM_NEWTFILTER tells of it; NULL: it takes
 * nothing elsewhere, or the message is another one. */
json_t *seg_tc_way_of(const struct nlmsghdr *message, const char *interface);
/* Every such sentence, once, of the links that are passed. sock: to ask with. 0 or -errno. */
typedef void (*seg_tc_fn)(void *context, json_t *finding); /* takes it over */
int seg_tc_find(const struct mnl_socket *sock, const struct seg_link *link, size_t n, const enum seg_passage *passage,
		seg_tc_fn each, void *context);

#endif
