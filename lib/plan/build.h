/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_PLAN_BUILD_H
#define SEG_PLAN_BUILD_H

/*
 * policy -> plan. Pure: the same arguments give the same bytes.
 */

#include "plan/plan.h"
#include "policy/closure.h"

/* Which number each permit (each pair of its zones) goes by: a permit whose meaning (anything that moves a packet: zones,
 * addresses, services, MACs; not its hours, owner or title) is unchanged keeps it, any other takes
 * a new one. Numbers are never used again. */
struct seg_numbering {
	const char *id;       /* permit id, or "intra:ZONE" */
	unsigned pair;        /* of zones: from * n_to + to */
	bool bound;
	uint32_t number;
	char digest[SEG_MEANING_STRLEN]; /* of the meaning, hex (policy/meaning.h) */
};
struct seg_registry {
	const struct seg_numbering *entry;
	size_t n;
	uint32_t next;        /* first number never used; starts at 1 */
};
struct seg_registry seg_registry_update(const struct seg_registry *old, const struct seg_policy *policy,
					struct seg_arena *arena);

struct seg_build_options {
	uint32_t generation;
	bool observe;         /* count, mark and report, drop nothing */
	time_t now;           /* windows: who is in force, for how long */
	/* Existing interfaces, so that wildcard zones have their flows on the fast road too. */
	const char *const *interface;
	size_t interfaces;
	size_t room_limit;    /* boxes that one interval set may hold; 0: SEG_ROOM_LIMIT (tests set it low) */
	/* What is isolated and what a stage closes; NULL: nothing. */
	const struct seg_closure *closure;
	/* By zone: its open flows go on, and it begins nothing new (it has reached its limit); NULL: no zone. */
	const bool *held;
};

struct seg_plan *seg_plan_build(const struct seg_policy *policy, const struct seg_registry *registry,
				const struct seg_build_options *options);
/*
 * The table beside ours, SEG_KEEPER_TABLE. A flush of ours would leave nobody who uses conntrack, which then stops
 * looking: one rule goes on naming it. lock: and behind our forward chain all that has no number is dropped, so that
 * who puts a rule before ours, or takes the table away, opens nothing: not for where nothing is dropped.
 */
struct seg_plan *seg_plan_keeper(bool lock);
/* The plan before any policy: everything between zones, to and from the gateway is denied. */
struct seg_plan *seg_plan_sealed(uint32_t generation, bool observe);

#endif
