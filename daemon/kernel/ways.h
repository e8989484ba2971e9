/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_WAYS_H
#define SEGD_KERNEL_WAYS_H

/*
 * Ways round ours that somebody else's rule can make, and what is said about each: the same of a rule in
 * nf_tables (nft_bypass.h) and in the tables before it (xtables.h).
 */

#include <stddef.h>
#include <stdint.h>

enum seg_way {
	SEG_NO_WAY,
	SEG_WAY_FLOWTABLE,
	SEG_WAY_NOTRACK,
	SEG_WAY_FORWARDS,
	SEG_WAY_COPIES,
	SEG_WAY_SENDS_ELSEWHERE,
	SEG_WAY_SETS_MARK,
	SEG_WAY_REWRITES,
	SEG_WAY_SILENCES,
	SEG_WAY_QUEUES,
};

/* A sentence's format (control/sentence.h), for the rule's chain and its table's family and name. NULL: no
 * way. */
const char *seg_way_format(enum seg_way way);

/* A target of iptables, as a rule of either kind has it. info: as the kernel gave it, len bytes. */
struct seg_target {
	const char *name, *chain;
	const void *info;
	size_t len;
	uint8_t revision;
};
enum seg_way seg_way_of_target(const struct seg_target *target);

#endif
