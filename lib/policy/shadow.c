// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/shadow.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* --- One permit and another --- */

static bool covers_bound(const struct seg_side *outer, const struct seg_bound *bound)
{
	if (outer->whole || seg_ranges_subset((struct seg_ranges){&bound->range, 1}, outer->ranges))
		return true;
	for (size_t i = 0; i < outer->n_bound; i++)
		if (memcmp(outer->bound[i].mac, bound->mac, SEG_MAC_LEN) == 0 &&
		    outer->bound[i].range.lo <= bound->range.lo &&
		    bound->range.hi <= outer->bound[i].range.hi)
			return true;
	return false;
}

static bool covers_source(const struct seg_side *outer, const struct seg_side *inner)
{
	if (outer->whole)
		return true;
	if (inner->whole || !seg_ranges_subset(inner->ranges, outer->ranges))
		return false;
	for (size_t i = 0; i < inner->n_bound; i++)
		if (!covers_bound(outer, &inner->bound[i]))
			return false;
	return true;
}

static bool covers_destination(const struct seg_side *outer, const struct seg_side *inner)
{
	if (inner->whole || outer->whole) /* the whole gateway is less than a list of its addresses may be */
		return outer->whole && (inner->whole || outer->zone->tier != SEG_TIER_GATEWAY);
	return seg_ranges_subset(inner->ranges, outer->ranges);
}

static const struct seg_side *side_in(const struct seg_side *side, size_t n, const struct seg_zone *zone)
{
	for (size_t i = 0; i < n; i++)
		if (side[i].zone == zone)
			return &side[i];
	return NULL;
}

typedef bool (*side_cover)(const struct seg_side *outer, const struct seg_side *inner);

static bool covers_sides(const struct seg_side *outer, size_t n_outer, const struct seg_side *inner,
			 size_t n_inner, side_cover covers)
{
	for (size_t i = 0; i < n_inner; i++) {
		const struct seg_side *same = side_in(outer, n_outer, inner[i].zone);

		if (!seg_side_is_empty(&inner[i]) && (!same || !covers(same, &inner[i])))
			return false;
	}
	return true;
}

static bool covers_item(const struct seg_permit *outer, const struct seg_service_item *item)
{
	unsigned next = item->lo;
	bool grown = true;

	for (size_t i = 0; i < outer->n_items; i++)
		if (outer->item[i].any)
			return true;
	while (!item->any && grown) {
		grown = false;
		for (size_t i = 0; i < outer->n_items; i++) {
			const struct seg_service_item *part = &outer->item[i];

			if (part->proto != item->proto || part->lo > next || part->hi < next)
				continue;
			if (part->hi >= item->hi)
				return true;
			next = part->hi + 1u;
			grown = true;
		}
	}
	return false;
}

bool seg_permit_covers(const struct seg_permit *outer, const struct seg_permit *inner)
{
	for (size_t i = 0; i < inner->n_items; i++)
		if (!covers_item(outer, &inner->item[i]))
			return false;
	return covers_sides(outer->from, outer->n_from, inner->from, inner->n_from, covers_source) &&
	       covers_sides(outer->to, outer->n_to, inner->to, inner->n_to, covers_destination) &&
	       seg_schedule_subset(&inner->schedule, &outer->schedule);
}

/* --- All permits --- */

/*
 * Whoever covers a permit has its pair of zones, and a hull of addresses and
 * services around its own. Permits of a pair are sorted by the axis that tells
 * them apart best, so that only those around a point are compared at all.
 */
enum axis { SOURCE, DESTINATION, SERVICE, AXES };
struct hull {
	seg_addr lo, hi;
};
struct card {
	const struct seg_permit *permit;
	unsigned from, to;
	struct hull hull[AXES];
	seg_addr top; /* the highest hi of this one and those before it in the group, on the group's axis */
};
struct group {
	unsigned from, to;
	size_t first, n;
	enum axis axis;
};
struct shelf {
	const struct seg_policy *policy;
	struct card *card; /* by group */
	size_t cards;
	struct group *group; /* sorted by from, to */
	size_t groups;
	const struct seg_permit **wide; /* between too many zones to stand under each pair */
	size_t wides;
};

#define WIDE 64

static bool is_wide(const struct seg_permit *permit)
{
	return permit->n_from * permit->n_to > WIDE;
}

static void widen(struct hull *hull, seg_addr lo, seg_addr hi)
{
	if (lo < hull->lo)
		hull->lo = lo;
	if (hi > hull->hi)
		hull->hi = hi;
}

static struct hull hull_of_side(const struct seg_side *side)
{
	struct hull hull = {~(seg_addr)0, 0};

	if (side->whole)
		return (struct hull){0, ~(seg_addr)0};
	if (side->ranges.n)
		widen(&hull, side->ranges.range[0].lo, side->ranges.range[side->ranges.n - 1].hi);
	for (size_t i = 0; i < side->n_bound; i++)
		widen(&hull, side->bound[i].range.lo, side->bound[i].range.hi);
	return hull;
}

static struct hull hull_of_services(const struct seg_permit *permit)
{
	struct hull hull = {~(seg_addr)0, 0};

	for (size_t i = 0; i < permit->n_items; i++) {
		const struct seg_service_item *item = &permit->item[i];

		if (item->any)
			return (struct hull){0, ~(seg_addr)0};
		widen(&hull, (seg_addr)item->proto << 16 | item->lo, (seg_addr)item->proto << 16 | item->hi);
	}
	return hull;
}

static struct card make_card(const struct seg_permit *permit, const struct seg_side *from,
			     const struct seg_side *to)
{
	return (struct card){
	    .permit = permit,
	    .from = from->zone->index,
	    .to = to->zone->index,
	    .hull = {hull_of_side(from), hull_of_side(to), hull_of_services(permit)},
	};
}

static int compare_zones(unsigned from_a, unsigned to_a, unsigned from_b, unsigned to_b)
{
	if (from_a != from_b)
		return from_a < from_b ? -1 : 1;
	return to_a < to_b ? -1 : to_a > to_b;
}

static int by_zones(const void *left, const void *right)
{
	const struct card *a = left, *b = right;

	return compare_zones(a->from, a->to, b->from, b->to);
}

static int by_axis(const struct card *a, const struct card *b, enum axis axis)
{
	if (a->hull[axis].lo != b->hull[axis].lo)
		return a->hull[axis].lo < b->hull[axis].lo ? -1 : 1;
	return a->permit->index < b->permit->index ? -1 : 1;
}

static int by_source(const void *left, const void *right)
{
	return by_axis(left, right, SOURCE);
}

static int by_destination(const void *left, const void *right)
{
	return by_axis(left, right, DESTINATION);
}

static int by_service(const void *left, const void *right)
{
	return by_axis(left, right, SERVICE);
}

/* Sorts a group's cards along each axis in turn and keeps the one with the most distinct values. */
static void sort_group(struct card *card, struct group *group)
{
	static int (*const compare[AXES])(const void *, const void *) = {by_source, by_destination,
									 by_service};
	size_t best = 0;

	for (enum axis axis = SOURCE; axis < AXES; axis++) {
		size_t distinct = 1;

		qsort(card, group->n, sizeof(*card), compare[axis]);
		for (size_t i = 1; i < group->n; i++)
			distinct += card[i].hull[axis].lo != card[i - 1].hull[axis].lo;
		if (distinct > best) {
			best = distinct;
			group->axis = axis;
		}
	}
	qsort(card, group->n, sizeof(*card), compare[group->axis]);
	for (size_t i = 0; i < group->n; i++) {
		card[i].top = card[i].hull[group->axis].hi;
		if (i && card[i - 1].top > card[i].top)
			card[i].top = card[i - 1].top;
	}
}

static void make_groups(struct shelf *shelf, struct seg_arena *arena)
{
	shelf->group = SEG_NEW_N(arena, struct group, shelf->cards + 1);
	qsort(shelf->card, shelf->cards, sizeof(*shelf->card), by_zones);
	for (size_t i = 0; i < shelf->cards; i++) {
		if (i == 0 || by_zones(&shelf->card[i - 1], &shelf->card[i]) != 0)
			shelf->group[shelf->groups++] =
			    (struct group){.from = shelf->card[i].from, .to = shelf->card[i].to, .first = i};
		shelf->group[shelf->groups - 1].n++;
	}
	for (size_t i = 0; i < shelf->groups; i++)
		sort_group(&shelf->card[shelf->group[i].first], &shelf->group[i]);
}

static void fill_shelf(struct shelf *shelf, struct seg_arena *arena)
{
	const struct seg_policy *policy = shelf->policy;
	size_t n = 0;

	for (size_t i = 0; i < policy->permits; i++)
		n += is_wide(&policy->permit[i]) ? 0 : policy->permit[i].n_from * policy->permit[i].n_to;
	shelf->card = SEG_NEW_N(arena, struct card, n + 1);
	shelf->wide = SEG_NEW_N(arena, const struct seg_permit *, policy->permits + 1);
	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];

		if (is_wide(permit)) {
			shelf->wide[shelf->wides++] = permit;
			continue;
		}
		for (size_t f = 0; f < permit->n_from; f++)
			for (size_t t = 0; t < permit->n_to; t++)
				shelf->card[shelf->cards++] =
				    make_card(permit, &permit->from[f], &permit->to[t]);
	}
	make_groups(shelf, arena);
}

static const struct group *find_group(const struct shelf *shelf, unsigned from, unsigned to)
{
	size_t low = 0, high = shelf->groups;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct group *group = &shelf->group[middle];
		int order = compare_zones(group->from, group->to, from, to);

		if (order == 0)
			return group;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool around(const struct card *outer, const struct card *inner)
{
	for (enum axis axis = SOURCE; axis < AXES; axis++)
		if (outer->hull[axis].lo > inner->hull[axis].lo ||
		    outer->hull[axis].hi < inner->hull[axis].hi)
			return false;
	return true;
}

static bool shadows(const struct seg_permit *outer, const struct seg_permit *inner)
{
	if (outer == inner || !seg_permit_covers(outer, inner))
		return false;
	return outer->index < inner->index || !seg_permit_covers(inner, outer);
}

static const struct seg_permit *earlier(const struct seg_permit *a, const struct seg_permit *b)
{
	return a && a->index < b->index ? a : b;
}

static const struct seg_permit *shadow_in_group(const struct shelf *shelf, const struct card *inner)
{
	const struct group *group = find_group(shelf, inner->from, inner->to);
	const struct seg_permit *found = NULL;
	size_t low = 0, high = group ? group->n : 0;
	const struct card *card;

	if (!group)
		return NULL;
	card = &shelf->card[group->first];
	while (low < high) { /* behind the last one that begins no later */
		size_t middle = low + (high - low) / 2;

		if (card[middle].hull[group->axis].lo <= inner->hull[group->axis].lo)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i-- > 0 && card[i].top >= inner->hull[group->axis].hi;)
		if (around(&card[i], inner) && shadows(card[i].permit, inner->permit))
			found = earlier(found, card[i].permit);
	return found;
}

/* A pair of zones between which the permit opens something. */
static bool find_open_pair(const struct seg_permit *permit, struct card *card)
{
	for (size_t f = 0; f < permit->n_from; f++)
		for (size_t t = 0; t < permit->n_to; t++)
			if (!seg_side_is_empty(&permit->from[f]) && !seg_side_is_empty(&permit->to[t])) {
				*card = make_card(permit, &permit->from[f], &permit->to[t]);
				return true;
			}
	return false;
}

const struct seg_permit **seg_shadows_find(const struct seg_policy *policy, struct seg_arena *arena)
{
	const struct seg_permit **found = SEG_NEW_N(arena, const struct seg_permit *, policy->permits + 1);
	struct shelf shelf = {.policy = policy};
	struct card card;

	fill_shelf(&shelf, arena);
	for (size_t i = 0; i < policy->permits; i++) {
		if (!find_open_pair(&policy->permit[i], &card))
			continue;
		found[i] = shadow_in_group(&shelf, &card);
		for (size_t w = 0; w < shelf.wides; w++)
			if (shadows(shelf.wide[w], &policy->permit[i]))
				found[i] = earlier(found[i], shelf.wide[w]);
	}
	return found;
}
