// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/meaning.h"

#include <string.h>

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

static void digest_hex(const struct digest *d, char hex[static SEG_MEANING_STRLEN])
{
	unsigned __int128 left = d->state;

	for (int i = 32; i-- > 0; left >>= 4)
		hex[i] = "0123456789abcdef"[(unsigned)left & 15];
	hex[32] = '\0';
}

void seg_permit_meaning(const struct seg_permit *permit, char hex[static SEG_MEANING_STRLEN])
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

void seg_zone_meaning(const struct seg_zone *zone, char hex[static SEG_MEANING_STRLEN])
{
	struct digest d;

	digest_init(&d);
	digest_zone(&d, zone);
	digest_hex(&d, hex);
}
