// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Addresses, MACs and ranges as text: what is understood must mean the same
 * again when it is written out, and the C library must agree. The bytes are also
 * two sets of ranges around the edges of the number line, whose algebra must hold.
 */

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The C library's opinion; what it reads and we refuse on purpose counts as refused. */
static bool library_parse(const char *text, seg_addr *addr)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1) {
		*addr = seg_addr_from_bytes(SEG_IPV4, bytes);
		return true;
	}
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return false;
	*addr = seg_addr_from_bytes(SEG_IPV6, bytes);
	return seg_addr_family(*addr) == SEG_IPV6;
}

static void check_addr(const char *text, size_t len)
{
	char copy[64], shown[SEG_ADDR_STRLEN];
	seg_addr addr, again;
	bool good = seg_addr_parse(text, len, &addr);

	if (len < sizeof(copy) && !memchr(text, '\0', len)) {
		memcpy(copy, text, len);
		copy[len] = '\0';
		must(library_parse(copy, &again) == good);
		must(!good || again == addr);
	}
	if (!good)
		return;
	seg_addr_format(addr, shown);
	must(seg_addr_parse(shown, strlen(shown), &again) && again == addr);
}

static void check_mac(const char *text, size_t len)
{
	uint8_t mac[SEG_MAC_LEN], again[SEG_MAC_LEN];
	char shown[SEG_MAC_STRLEN];

	if (!seg_mac_parse(text, len, mac))
		return;
	seg_mac_format(mac, shown);
	must(seg_mac_parse(shown, strlen(shown), again) && !memcmp(mac, again, sizeof(mac)));
}

static void check_range(const char *text, size_t len, bool host_bits)
{
	struct seg_range range, again;
	char shown[SEG_RANGE_STRLEN];
	const char *reason = NULL;

	if (!seg_range_parse(text, len, host_bits, &range, &reason)) {
		must(reason && *reason);
		return;
	}
	must(range.lo <= range.hi && seg_addr_family(range.lo) == seg_addr_family(range.hi));
	seg_range_format(range, shown);
	must(seg_range_parse(shown, strlen(shown), false, &again, &reason));
	must(again.lo == range.lo && again.hi == range.hi);
}

/* One range from two bytes: which edge it lies at, how far from it, how long it is. */
static struct seg_range small_range(const uint8_t *byte)
{
	const seg_addr edges[] = {
		0, SEG_V4_FIRST - 32, SEG_V4_FIRST, SEG_V4_LAST - 31, SEG_V4_LAST + 1, ~(seg_addr)0 - 31,
		0, SEG_V4_FIRST};
	unsigned away = byte[0] & 31;
	struct seg_range range;

	range.lo = edges[byte[0] >> 5] + away;
	range.hi = range.lo + byte[1] % (32 - away);
	if (byte[1] == 255 && seg_addr_family(range.lo) == SEG_IPV6)
		range.hi = ~(seg_addr)0;
	return range;
}

static struct seg_ranges small_set(struct seg_arena *arena, const uint8_t *data, size_t size)
{
	struct seg_range *list = SEG_NEW_N(arena, struct seg_range, size / 2);
	size_t i;

	for (i = 0; i < size / 2; i++)
		list[i] = small_range(data + 2 * i);
	return seg_ranges_from(arena, list, size / 2);
}

static void check_sets(const uint8_t *data, size_t size)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_ranges a = small_set(arena, data, size / 2);
	struct seg_ranges b = small_set(arena, data + size / 2, size - size / 2);
	struct seg_ranges both = seg_ranges_intersect(arena, a, b), either = seg_ranges_union(arena, a, b);
	struct seg_ranges only_a = seg_ranges_subtract(arena, a, b),
			  only_b = seg_ranges_subtract(arena, b, a);
	struct seg_ranges rest = seg_ranges_subtract(arena, seg_ranges_all(), either);

	must(seg_ranges_equal(seg_ranges_union(arena, only_a, both), a));
	must(seg_ranges_equal(seg_ranges_union(arena, seg_ranges_union(arena, only_a, only_b), both),
			      either));
	must(seg_ranges_equal(seg_ranges_union(arena, either, rest), seg_ranges_all()));
	must(!seg_ranges_overlap(only_a, b) && !seg_ranges_overlap(rest, either));
	must(seg_ranges_overlap(a, b) == (both.n > 0));
	must(seg_ranges_subset(a, b) == (only_a.n == 0));
	must(seg_ranges_only(a, SEG_IPV4).n + seg_ranges_only(a, SEG_IPV6).n == a.n);
	seg_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	check_addr(text, size);
	check_mac(text, size);
	check_range(text, size, true);
	check_range(text, size, false);
	check_sets(data, size);
	return 0;
}
