// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/index.h"

#include "base/sort.h"

/* Pairs of zones up to which a permit is listed under each of them. */
#define WIDE 64

struct narrow {
	unsigned to;
	struct seg_pair pair;
};
struct wide {
	const struct seg_permit *permit;
	const uint32_t *from, *to; /* by zone: 1 + the side's place in the permit; 0: none */
};
struct seg_index {
	struct seg_arena *arena;
	const struct narrow *narrow; /* by from, then sorted by to and file order */
	const size_t *first;	     /* by from: where its narrow ones begin; one more at the end */
	const struct wide *wide;     /* in file order */
	size_t wides;
};

const struct seg_side *seg_side_in(const struct seg_side *side, size_t n, const struct seg_zone *zone)
{
	for (size_t i = 0; i < n; i++)
		if (side[i].zone == zone)
			return &side[i];
	return NULL;
}

static bool is_wide(const struct seg_permit *permit)
{
	return permit->n_from * permit->n_to > WIDE;
}

static int by_zone_then_order(const void *left, const void *right)
{
	const struct narrow *a = left, *b = right;

	if (a->to != b->to)
		return a->to < b->to ? -1 : 1;
	return a->pair.permit->index < b->pair.permit->index ? -1 : 1;
}

static const uint32_t *sides_by_zone(struct seg_arena *arena, const struct seg_side *side, size_t n,
				     size_t zones)
{
	uint32_t *table = SEG_NEW_N(arena, uint32_t, zones);

	for (size_t i = n; i-- > 0;)
		table[side[i].zone->index] = (uint32_t)(i + 1);
	return table;
}

static void index_wide(struct seg_index *index, const struct seg_policy *policy, size_t zones)
{
	struct wide *wide = SEG_NEW_N(index->arena, struct wide, index->wides);
	size_t n = 0;

	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];

		if (!is_wide(permit))
			continue;
		wide[n++] = (struct wide){
		    .permit = permit,
		    .from = sides_by_zone(index->arena, permit->from, permit->n_from, zones),
		    .to = sides_by_zone(index->arena, permit->to, permit->n_to, zones),
		};
	}
	index->wide = wide;
}

/* Where each zone's begin, by the zones that they are from; returns how many there are. */
static size_t count_narrow(const struct seg_policy *policy, size_t *first, size_t zones)
{
	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];

		for (size_t f = 0; !is_wide(permit) && f < permit->n_from; f++)
			first[permit->from[f].zone->index + 1] += permit->n_to;
	}
	for (size_t i = 1; i <= zones; i++)
		first[i] += first[i - 1];
	return first[zones];
}

static void index_narrow(struct seg_index *index, const struct seg_policy *policy, size_t zones)
{
	size_t *first = SEG_NEW_N(index->arena, size_t, zones + 1);
	struct narrow *narrow = SEG_NEW_N(index->arena, struct narrow, count_narrow(policy, first, zones) + 1);
	size_t *next = seg_arena_copy(index->arena, first, zones * sizeof(*first));

	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];

		for (size_t f = 0; !is_wide(permit) && f < permit->n_from; f++)
			for (size_t t = 0; t < permit->n_to; t++)
				narrow[next[permit->from[f].zone->index]++] = (struct narrow){
				    .to = permit->to[t].zone->index,
				    .pair = {permit, &permit->from[f], &permit->to[t]},
				};
	}
	for (size_t z = 0; z < zones; z++)
		seg_sort(narrow + first[z], first[z + 1] - first[z], sizeof(*narrow), by_zone_then_order);
	index->narrow = narrow;
	index->first = first;
}

struct seg_index *seg_index_new(const struct seg_policy *policy)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_index *index = SEG_NEW(arena, struct seg_index);
	size_t zones = policy->zones + 1; /* and the gateway's */

	index->arena = arena;
	for (size_t i = 0; i < policy->permits; i++)
		index->wides += is_wide(&policy->permit[i]);
	index_wide(index, policy, zones);
	index_narrow(index, policy, zones);
	return index;
}

void seg_index_free(struct seg_index *index)
{
	if (index)
		seg_arena_free(index->arena);
}

/* The first narrow one in [low, high) whose `to` is not less. */
static size_t lower_bound(const struct narrow *narrow, size_t low, size_t high, unsigned to)
{
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (narrow[middle].to < to)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void seg_pairs_begin(struct seg_pairs *walk, const struct seg_policy *policy, const struct seg_index *index,
		     const struct seg_zone *from, const struct seg_zone *to)
{
	*walk = (struct seg_pairs){
	    .policy = policy, .index = index, .from = from, .to = to, .end = policy->permits};
	if (!index)
		return;

	size_t end = index->first[from->index + 1];

	walk->next = lower_bound(index->narrow, index->first[from->index], end, to->index);
	walk->end = lower_bound(index->narrow, walk->next, end, to->index + 1);
}

static bool next_in_policy(struct seg_pairs *walk, struct seg_pair *pair)
{
	while (walk->next < walk->end) {
		const struct seg_permit *permit = &walk->policy->permit[walk->next++];
		const struct seg_side *from = seg_side_in(permit->from, permit->n_from, walk->from);
		const struct seg_side *to = from ? seg_side_in(permit->to, permit->n_to, walk->to) : NULL;

		if (to) {
			*pair = (struct seg_pair){permit, from, to};
			return true;
		}
	}
	return false;
}

/* Moves on to the next wide permit between the two zones; false: no more. */
static bool find_wide(struct seg_pairs *walk)
{
	for (; walk->wide < walk->index->wides; walk->wide++) {
		const struct wide *wide = &walk->index->wide[walk->wide];

		if (wide->from[walk->from->index] && wide->to[walk->to->index])
			return true;
	}
	return false;
}

bool seg_pairs_next(struct seg_pairs *walk, struct seg_pair *pair)
{
	if (!walk->index)
		return next_in_policy(walk, pair);

	const struct narrow *narrow = walk->next < walk->end ? &walk->index->narrow[walk->next] : NULL;

	if (find_wide(walk)) {
		const struct wide *wide = &walk->index->wide[walk->wide];

		if (!narrow || wide->permit->index < narrow->pair.permit->index) {
			walk->wide++;
			*pair = (struct seg_pair){wide->permit,
						  &wide->permit->from[wide->from[walk->from->index] - 1],
						  &wide->permit->to[wide->to[walk->to->index] - 1]};
			return true;
		}
	}
	if (!narrow)
		return false;
	walk->next++;
	*pair = narrow->pair;
	return true;
}
