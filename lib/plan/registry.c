/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "plan/build.h"
#include "policy/meaning.h"

static int by_name(const void *a, const void *b)
{
	const struct seg_numbering *x = a, *y = b;
	int order = strcmp(x->id, y->id);

	if (order == 0)
		order = (x->pair > y->pair) - (x->pair < y->pair);
	return order ? order : (int)x->bound - (int)y->bound;
}

static int by_name_of(const void *a, const void *b)
{
	return by_name(*(const struct seg_numbering *const *)a, *(const struct seg_numbering *const *)b);
}

struct draft {
	struct seg_arena *arena;
	const struct seg_registry *old;
	const struct seg_numbering **sorted; /* the old by name; NULL until somebody is not where expected */
	size_t expected;		     /* the old one behind the last that was found: mostly the next */
	struct seg_numbering *entry;
	size_t n, cap;
	uint32_t next;
};

static const struct seg_numbering *look_up(struct draft *draft, const struct seg_numbering *wanted)
{
	const struct seg_numbering **found;

	if (!draft->sorted) {
		draft->sorted = SEG_NEW_N(draft->arena, const struct seg_numbering *, draft->old->n);
		for (size_t i = 0; i < draft->old->n; i++)
			draft->sorted[i] = &draft->old->entry[i];
		qsort(draft->sorted, draft->old->n, sizeof(*draft->sorted), by_name_of);
	}
	found = bsearch(&wanted, draft->sorted, draft->old->n, sizeof(*draft->sorted), by_name_of);
	return found ? *found : NULL;
}

static const struct seg_numbering *known_as(struct draft *draft, const struct seg_numbering *wanted)
{
	const struct seg_numbering *known;

	if (!draft->old || !draft->old->n)
		return NULL;
	known = &draft->old->entry[draft->expected];
	if (draft->expected == draft->old->n || by_name(known, wanted) != 0)
		known = look_up(draft, wanted);
	if (known)
		draft->expected = (size_t)(known - draft->old->entry) + 1;
	return known;
}

static void assign(struct draft *draft, const char *id, unsigned pair, bool bound, const char *digest,
		   uint32_t flags)
{
	struct seg_numbering wanted = {
	    .id = seg_arena_strdup(draft->arena, id), .pair = pair, .bound = bound};
	const struct seg_numbering *known = known_as(draft, &wanted);

	memcpy(wanted.digest, digest, sizeof(wanted.digest));
	if (known && memcmp(known->digest, digest, sizeof(known->digest)) == 0)
		wanted.number = known->number;
	else
		wanted.number = draft->next++ | flags;
	SEG_PUSH(draft->arena, draft->entry, draft->n, draft->cap) = wanted;
}

static void assign_permit(struct draft *draft, const struct seg_permit *permit)
{
	unsigned pair = 0;

	for (size_t i = 0; i < permit->n_from; i++) {
		const struct seg_side *from = &permit->from[i];

		for (size_t j = 0; j < permit->n_to; j++, pair++) {
			if (from->whole || from->ranges.n > 0)
				assign(draft, permit->id, pair, false, permit->meaning, 0);
			if (from->n_bound > 0)
				assign(draft, permit->id, pair, true, permit->meaning, 0);
		}
	}
}

struct seg_registry seg_registry_update(const struct seg_registry *old, const struct seg_policy *policy,
					struct seg_arena *arena)
{
	struct draft draft = {.arena = arena, .old = old, .next = old && old->next > 1 ? old->next : 1};
	char hex[SEG_MEANING_STRLEN];

	for (size_t i = 0; i < policy->permits; i++)
		assign_permit(&draft, &policy->permit[i]);
	for (size_t i = 0; i < policy->zones; i++) {
		const struct seg_zone *zone = &policy->zone[i];

		if (!zone->intra_allow)
			continue;
		seg_zone_meaning(zone, hex);
		assign(&draft, SEG_JOIN(arena, "intra:", zone->id), 0, false, hex, SEG_NUMBER_INTRA);
	}
	return (struct seg_registry){.entry = draft.entry, .n = draft.n, .next = draft.next};
}
