/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_FLOW_INDEX_H
#define SEG_FLOW_INDEX_H

/*
 * Which permits speak about two zones, in file order: the question every verdict
 * begins with.
 *
 * Without an index the walk goes through the whole policy, good for a single
 * answer. The watcher judges every event and builds an index once a policy. Both
 * walks give the same pairs in the same order.
 *
 * A permit with few pairs of zones stands under each of them; one between many
 * zones is kept once with a table from zone to side, so that the index stays
 * small whatever the lists. It points into the policy, which must outlive it.
 */

#include "policy/policy.h"

struct seg_index;
struct seg_index *seg_index_new(const struct seg_policy *policy);
void seg_index_free(struct seg_index *index); /* NULL allowed */

/* A permit with the sides that it has in two zones. */
struct seg_pair {
	const struct seg_permit *permit;
	const struct seg_side *from, *to;
};

struct seg_pairs {
	/* private to index.c */
	const struct seg_policy *policy;
	const struct seg_index *index;
	const struct seg_zone *from, *to;
	size_t next, end, wide;
};
/* index NULL: without one. */
void seg_pairs_begin(struct seg_pairs *walk, const struct seg_policy *policy, const struct seg_index *index,
		     const struct seg_zone *from, const struct seg_zone *to);
bool seg_pairs_next(struct seg_pairs *walk, struct seg_pair *pair);

/* The side that lies in a zone; NULL. */
const struct seg_side *seg_side_in(const struct seg_side *side, size_t n, const struct seg_zone *zone);

#endif
