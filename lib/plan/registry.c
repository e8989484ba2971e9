/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "plan/build.h"

/*
 * The digest tells whether a permit still means the same packets. FNV-1a over 128 bits: it meets
 * no adversary (who writes the policy needs no collision), only accidents.
 */
struct digest {
	unsigned __int128 state;
};

static void digest_init(struct digest *d)
{
	d->state = ((unsigned __int128)0x6c62272e07bb0142u << 64) | 0x62b821756295c58du;
}

static void digest_add(struct digest *d, const void *bytes, size_t len)
{
	const unsigned __int128 prime = ((unsigned __int128)1 << 88) | 0x13b;
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < len; i++)
		d->state = (d->state ^ byte[i]) * prime;
}

static void digest_text(struct digest *d, const char *text)
{
	digest_add(d, text, strlen(text) + 1);
}

static void digest_ranges(struct digest *d, struct seg_ranges set)
{
	digest_add(d, &set.n, sizeof(set.n));
	for (size_t i = 0; i < set.n; i++) {
		digest_add(d, &set.range[i].lo, sizeof(seg_addr));
		digest_add(d, &set.range[i].hi, sizeof(seg_addr));
	}
}

static void digest_zone(struct digest *d, const struct seg_zone *zone)
{
	digest_text(d, zone->id);
	for (size_t i = 0; i < zone->interfaces; i++) {
		digest_text(d, zone->interface[i].name);
		digest_add(d, &zone->interface[i].prefix, 1);
	}
	digest_ranges(d, zone->nets);
}

static void digest_side(struct digest *d, const struct seg_side *side)
{
	digest_text(d, side->zone->id);
	digest_add(d, &side->whole, 1);
	if (side->whole)
		digest_zone(d, side->zone);
	digest_ranges(d, side->ranges);
	for (size_t i = 0; i < side->n_bound; i++) {
		digest_add(d, &side->bound[i].range.lo, sizeof(seg_addr));
		digest_add(d, &side->bound[i].range.hi, sizeof(seg_addr));
		digest_add(d, side->bound[i].mac, SEG_MAC_LEN);
	}
}

static void digest_hex(const struct digest *d, char hex[static 33])
{
	unsigned __int128 left = d->state;

	for (int i = 32; i-- > 0; left >>= 4)
		hex[i] = "0123456789abcdef"[(unsigned)left & 15];
	hex[32] = '\0';
}

static void permit_digest(const struct seg_permit *permit, char hex[static 33])
{
	struct digest d;

	digest_init(&d);
	for (size_t i = 0; i < permit->n_from; i++)
		digest_side(&d, &permit->from[i]);
	digest_text(&d, ">");
	for (size_t i = 0; i < permit->n_to; i++)
		digest_side(&d, &permit->to[i]);
	for (size_t i = 0; i < permit->n_items; i++) {
		const struct seg_service_item *item = &permit->item[i];
		uint32_t packed[3] = {item->any ? 256u : item->proto, item->lo, item->hi};

		digest_add(&d, packed, sizeof(packed));
	}
	digest_hex(&d, hex);
}

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
	if (known && strcmp(known->digest, digest) == 0)
		wanted.number = known->number;
	else
		wanted.number = draft->next++ | flags;
	SEG_PUSH(draft->arena, draft->entry, draft->n, draft->cap) = wanted;
}

static void assign_permit(struct draft *draft, const struct seg_permit *permit)
{
	unsigned pair = 0;
	char hex[33];

	permit_digest(permit, hex);
	for (size_t i = 0; i < permit->n_from; i++) {
		const struct seg_side *from = &permit->from[i];

		for (size_t j = 0; j < permit->n_to; j++, pair++) {
			if (from->whole || from->ranges.n > 0)
				assign(draft, permit->id, pair, false, hex, 0);
			if (from->n_bound > 0)
				assign(draft, permit->id, pair, true, hex, 0);
		}
	}
}

struct seg_registry seg_registry_update(const struct seg_registry *old, const struct seg_policy *policy,
					struct seg_arena *arena)
{
	struct draft draft = {.arena = arena, .old = old, .next = old && old->next > 1 ? old->next : 1};
	char hex[33];

	for (size_t i = 0; i < policy->permits; i++)
		assign_permit(&draft, &policy->permit[i]);
	for (size_t i = 0; i < policy->zones; i++) {
		const struct seg_zone *zone = &policy->zone[i];
		struct digest d;

		if (!zone->intra_allow)
			continue;
		digest_init(&d);
		digest_zone(&d, zone);
		digest_hex(&d, hex);
		assign(&draft, seg_arena_printf(arena, "intra:%s", zone->id), 0, false, hex, SEG_NUMBER_INTRA);
	}
	return (struct seg_registry){.entry = draft.entry, .n = draft.n, .next = draft.next};
}
