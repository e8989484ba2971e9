/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_RANGES_H
#define SEG_BASE_RANGES_H

/*
 * Sets of addresses as sorted lists of disjoint ranges.
 *
 * A value of type seg_ranges is immutable and normal: sorted (IPv4 first, then
 * IPv6), no two ranges overlap or touch, no range spans both families: the whole
 * of IPv6 is two ranges, below and above IPv4's place on the number line.
 * Operations return new values in the arena given, or one of their arguments;
 * equal sets have equal representations.
 *
 * ranges.c: sets. range.c: one range, and its text.
 */

#include "base/addr.h"
#include "base/arena.h"

struct seg_range {
	seg_addr lo, hi; /* both included, one family */
};

struct seg_ranges {
	const struct seg_range *range;
	size_t n;
};

/* Normalises any list (unsorted, overlapping). A range of IPv6 holds nothing of IPv4, even where
 * it spans its place, such as ::/0. */
struct seg_ranges seg_ranges_from(struct seg_arena *arena, const struct seg_range *list, size_t n);
struct seg_ranges seg_ranges_all(void);                       /* both families, whole */
struct seg_ranges seg_ranges_family(enum seg_family family);  /* one family, whole */

struct seg_ranges seg_ranges_union(struct seg_arena *arena, struct seg_ranges a, struct seg_ranges b);
struct seg_ranges seg_ranges_intersect(struct seg_arena *arena, struct seg_ranges a, struct seg_ranges b);
struct seg_ranges seg_ranges_subtract(struct seg_arena *arena, struct seg_ranges a, struct seg_ranges b);

bool seg_ranges_contain(struct seg_ranges set, seg_addr addr); /* binary search */
bool seg_ranges_overlap(struct seg_ranges a, struct seg_ranges b);
bool seg_ranges_subset(struct seg_ranges inner, struct seg_ranges outer);
bool seg_ranges_equal(struct seg_ranges a, struct seg_ranges b);

/* The part of a set in one family, as a view into it (no copy). */
struct seg_ranges seg_ranges_only(struct seg_ranges set, enum seg_family family);

bool seg_range_overlap(struct seg_range a, struct seg_range b);
enum seg_family seg_range_family(struct seg_range range);
/* Prefix length where the range is exactly one prefix (32 or 128: one address), else -1. */
int seg_range_prefix(struct seg_range range);
/* Prefix, range or single address, the shortest true text: "10.0.0.0/24", "10.0.0.1-10.0.0.7". */
#define SEG_RANGE_STRLEN (2 * SEG_ADDR_STRLEN)
const char *seg_range_format(struct seg_range range, char buf[static SEG_RANGE_STRLEN]);
/* "10.0.0.0/24", "10.0.0.1", "10.0.0.1-10.0.0.7", "2001:db8::/32". False and a static reason
 * in English (a gettext message id) otherwise. Host bits set in a prefix ("10.0.0.1/24") are masked
 * away where host_bits is true (hosts), an error where false. */
bool seg_range_parse(const char *text, size_t len, bool host_bits, struct seg_range *range, const char **reason);

#endif
