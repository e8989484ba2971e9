/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_NFT_BYPASS_H
#define SEGD_KERNEL_NFT_BYPASS_H

/*
 * Rules of other tables that packets could go round ours by, or hide from the watcher.
 * An accept elsewhere is none: a later drop wins. These are:
 *
 *   flowtable, flow add   forwarded flows no longer see the forward hook
 *   notrack               packets of no connection: no mark, no event
 *   fwd, dup              sent on, or copied, from where they came in
 *   queue                 a program rewrites them, or ends the hook before ours is asked
 *
 * and what rewrites that by which they are judged: addresses, ports, the conntrack mark, events (ways.h).
 * Private to nft_monitor.c (what a transaction adds) and the search of what is there.
 */

#include <jansson.h>
#include <libmnl/libmnl.h>

#include "base/strbuf.h"

/* A sentence (control/sentence.h) about a NEWRULE or NEWFLOWTABLE message that makes such a way; NULL: it
 * makes none. The caller frees. */
json_t *seg_nft_bypass_of(const struct nlmsghdr *nlh);

/* Text from the kernel with everything but printable ASCII escaped as \xNN. */
void seg_nft_escape(struct seg_strbuf *out, const char *text);
/* "inet", "netdev", ...: nft's word for a family. */
const char *seg_nft_family_name(uint8_t family);

#endif
