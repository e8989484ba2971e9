// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/ranges.h"

#include <stdlib.h>
#include <string.h>

#define ADDR_MAX (~(seg_addr)0)

/*
 * IPv4 lies inside the number line of IPv6 and cuts it in two, so a normal set
 * knows three blocks: IPv4, IPv6 below it, IPv6 above it. No range crosses a block.
 */
static const struct seg_range blocks[] = {
	{SEG_V4_FIRST, SEG_V4_LAST}, {0, SEG_V4_FIRST - 1}, {SEG_V4_LAST + 1, ADDR_MAX}};

/* Place of an address in the order of a normal set: IPv4 first, then IPv6. */
static seg_addr rank(seg_addr addr)
{
	if (addr < SEG_V4_FIRST)
		return addr + ((seg_addr)1 << 32);
	return addr <= SEG_V4_LAST ? addr - SEG_V4_FIRST : addr;
}

/* Written twice by every operation: first to count, then into the memory counted. */
struct output {
	struct seg_range *range; /* NULL while counting */
	size_t n;
	struct seg_range open; /* while joining: the range that may still grow */
	bool is_open;
};

static void emit(struct output *out, seg_addr lo, seg_addr hi)
{
	if (out->range)
		out->range[out->n] = (struct seg_range){lo, hi};
	out->n++;
}

static void close_open(struct output *out)
{
	if (out->is_open)
		emit(out, out->open.lo, out->open.hi);
	out->is_open = false;
}

static bool same_block(seg_addr a, seg_addr b)
{
	return seg_addr_family(a) == seg_addr_family(b) && (a < SEG_V4_FIRST) == (b < SEG_V4_FIRST);
}

/* Joins a range to the open one, or closes that and opens another. In order of lo. */
static void join(struct output *out, struct seg_range range)
{
	if (out->is_open && same_block(out->open.hi, range.lo) &&
	    (range.lo <= out->open.hi || range.lo - 1 == out->open.hi)) {
		if (range.hi > out->open.hi)
			out->open.hi = range.hi;
		return;
	}
	close_open(out);
	out->open = range;
	out->is_open = true;
}

static int compare_ranges(const void *left, const void *right)
{
	const struct seg_range *a = left, *b = right;
	seg_addr rank_a = rank(a->lo), rank_b = rank(b->lo);

	return (rank_a > rank_b) - (rank_a < rank_b);
}

/* The part of range inside the block; false where there is none. */
static bool clip(struct seg_range range, struct seg_range block, struct seg_range *part)
{
	part->lo = range.lo > block.lo ? range.lo : block.lo;
	part->hi = range.hi < block.hi ? range.hi : block.hi;
	return part->lo <= part->hi;
}

/* Cuts a range at the blocks; what one of IPv6 spans of IPv4 is not in it. */
static size_t split(struct seg_range range, struct seg_range parts[static 3])
{
	bool v6 = seg_addr_family(range.lo) == SEG_IPV6;
	size_t n = 0;

	if (clip(range, blocks[0], &parts[n]) && !v6)
		n++;
	if (clip(range, blocks[1], &parts[n]))
		n++;
	if (clip(range, blocks[2], &parts[n]))
		n++;
	return n;
}

static size_t join_all(const struct seg_range *sorted, size_t n, struct seg_range *to)
{
	struct output out = {.range = to};
	size_t i;

	for (i = 0; i < n; i++)
		join(&out, sorted[i]);
	close_open(&out);
	return out.n;
}

static struct seg_range *room(struct seg_arena *arena, size_t n)
{
	return n ? SEG_NEW_N(arena, struct seg_range, n) : NULL;
}

struct seg_ranges seg_ranges_from(struct seg_arena *arena, const struct seg_range *list, size_t n)
{
	struct seg_range parts[3], *sorted;
	size_t i, k, n_parts = 0;

	for (i = 0; i < n; i++)
		n_parts += split(list[i], parts);
	sorted = room(arena, n_parts);
	n_parts = 0;
	for (i = 0; i < n; i++) {
		k = split(list[i], parts);
		if (k)
			memcpy(sorted + n_parts, parts, k * sizeof(*parts));
		n_parts += k;
	}
	if (n_parts > 1)
		qsort(sorted, n_parts, sizeof(*sorted), compare_ranges);
	/* Joining never writes ahead of where it reads. */
	n_parts = join_all(sorted, n_parts, sorted);
	return (struct seg_ranges){sorted, n_parts};
}

struct seg_ranges seg_ranges_all(void)
{
	return (struct seg_ranges){blocks, 3};
}

struct seg_ranges seg_ranges_family(enum seg_family family)
{
	return family == SEG_IPV4 ? (struct seg_ranges){blocks, 1} : (struct seg_ranges){blocks + 1, 2};
}

static size_t unite(struct seg_ranges a, struct seg_ranges b, struct seg_range *to)
{
	struct output out = {.range = to};
	size_t i = 0, j = 0;

	while (i < a.n || j < b.n) {
		if (j == b.n || (i < a.n && compare_ranges(&a.range[i], &b.range[j]) <= 0))
			join(&out, a.range[i++]);
		else
			join(&out, b.range[j++]);
	}
	close_open(&out);
	return out.n;
}

struct seg_ranges seg_ranges_union(struct seg_arena *arena, struct seg_ranges a, struct seg_ranges b)
{
	struct seg_range *range;
	size_t n;

	if (!a.n || !b.n)
		return a.n ? a : b;
	n = unite(a, b, NULL);
	range = room(arena, n);
	return (struct seg_ranges){range, unite(a, b, range)};
}

/* Index of the first range that ends at or behind addr. */
static size_t find(struct seg_ranges set, seg_addr addr)
{
	size_t low = 0, high = set.n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (rank(set.range[middle].hi) < rank(addr))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Both searches for a start keep a small set against a large one cheap. */
static size_t intersect(struct seg_ranges a, struct seg_ranges b, struct seg_range *to)
{
	struct output out = {.range = to};
	struct seg_range part;
	size_t i, j;

	if (!a.n || !b.n)
		return 0;
	i = find(a, b.range[0].lo);
	j = find(b, a.range[0].lo);
	while (i < a.n && j < b.n) {
		if (clip(a.range[i], b.range[j], &part))
			emit(&out, part.lo, part.hi);
		if (rank(a.range[i].hi) < rank(b.range[j].hi))
			i++;
		else
			j++;
	}
	return out.n;
}

struct seg_ranges seg_ranges_intersect(struct seg_arena *arena, struct seg_ranges a, struct seg_ranges b)
{
	size_t n = intersect(a, b, NULL);
	struct seg_range *range = room(arena, n);

	return (struct seg_ranges){range, n ? intersect(a, b, range) : 0};
}

/* What of one range the set b, from its j-th on, leaves. Moves j to where the next range begins. */
static void subtract_one(struct output *out, struct seg_range range, struct seg_ranges b, size_t *j)
{
	seg_addr lo = range.lo;

	while (*j < b.n && rank(b.range[*j].hi) < rank(lo))
		(*j)++;
	for (; *j < b.n && rank(b.range[*j].lo) <= rank(range.hi); (*j)++) {
		if (b.range[*j].lo > lo)
			emit(out, lo, b.range[*j].lo - 1);
		if (b.range[*j].hi >= range.hi)
			return;
		lo = b.range[*j].hi + 1;
	}
	emit(out, lo, range.hi);
}

static size_t subtract(struct seg_ranges a, struct seg_ranges b, struct seg_range *to)
{
	struct output out = {.range = to};
	size_t i, j;

	j = a.n ? find(b, a.range[0].lo) : 0;
	for (i = 0; i < a.n; i++)
		subtract_one(&out, a.range[i], b, &j);
	return out.n;
}

struct seg_ranges seg_ranges_subtract(struct seg_arena *arena, struct seg_ranges a, struct seg_ranges b)
{
	struct seg_range *range;
	size_t n;

	if (!seg_ranges_overlap(a, b))
		return a;
	n = subtract(a, b, NULL);
	range = room(arena, n);
	return (struct seg_ranges){range, n ? subtract(a, b, range) : 0};
}

bool seg_ranges_contain(struct seg_ranges set, seg_addr addr)
{
	size_t i = find(set, addr);

	return i < set.n && rank(set.range[i].lo) <= rank(addr);
}

bool seg_ranges_overlap(struct seg_ranges a, struct seg_ranges b)
{
	struct seg_ranges few = a.n < b.n ? a : b, many = a.n < b.n ? b : a;
	size_t i, j;

	for (i = 0; i < few.n; i++) {
		j = find(many, few.range[i].lo);
		if (j < many.n && rank(many.range[j].lo) <= rank(few.range[i].hi))
			return true;
	}
	return false;
}

/* In a normal set, a range lies inside one range or not at all. */
bool seg_ranges_subset(struct seg_ranges inner, struct seg_ranges outer)
{
	size_t i, j;

	for (i = 0; i < inner.n; i++) {
		j = find(outer, inner.range[i].lo);
		if (j == outer.n || rank(outer.range[j].lo) > rank(inner.range[i].lo) ||
		    rank(outer.range[j].hi) < rank(inner.range[i].hi))
			return false;
	}
	return true;
}

bool seg_ranges_equal(struct seg_ranges a, struct seg_ranges b)
{
	return a.n == b.n && (!a.n || !memcmp(a.range, b.range, a.n * sizeof(*a.range)));
}

struct seg_ranges seg_ranges_only(struct seg_ranges set, enum seg_family family)
{
	size_t first_v6 = find(set, 0);

	if (family == SEG_IPV4)
		return (struct seg_ranges){set.range, first_v6};
	return (struct seg_ranges){first_v6 < set.n ? set.range + first_v6 : NULL, set.n - first_v6};
}
