// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/ranges.h"
#include "runner.h"

/*
 * The reference is a bitmap over a universe of a few hundred addresses that lie
 * around every edge of the number line: the ends, and both sides of IPv4's place.
 */
#define EDGE 48
#define UNIVERSE (6 * EDGE)

static seg_addr universe(int i)
{
	const seg_addr starts[] = {
		SEG_V4_FIRST,	     SEG_V4_LAST - EDGE + 1, 0,
		SEG_V4_FIRST - EDGE, SEG_V4_LAST + 1,	     ~(seg_addr)0 - EDGE + 1,
	};

	return starts[i / EDGE] + (unsigned)i % EDGE;
}

static struct seg_arena *arena;
static unsigned seed;

static void setup(void)
{
	arena = seg_arena_new();
	seed = 20261123;
}

static void teardown(void)
{
	seg_arena_free(arena);
}

static int below(int n)
{
	return (int)((unsigned)rand_r(&seed) % (unsigned)n);
}

static void ck_normal(struct seg_ranges set)
{
	struct seg_range a, b;
	size_t i;

	for (i = 0; i < set.n; i++) {
		a = set.range[i];
		ck_assert(a.lo <= a.hi && seg_addr_family(a.lo) == seg_addr_family(a.hi) &&
			  (a.lo < SEG_V4_FIRST) == (a.hi < SEG_V4_FIRST));
		if (i == 0)
			continue;
		b = set.range[i - 1];
		if (seg_range_family(a) == seg_range_family(b))
			ck_assert(b.hi < a.lo && a.lo - b.hi > 1);
		else
			ck_assert(seg_range_family(b) == SEG_IPV4);
	}
}

/* A random set, and which addresses of the universe it must hold. */
static struct seg_ranges random_set(bool *in)
{
	struct seg_range list[24];
	int n = below(24), i, k, lo, hi, t;

	memset(in, 0, UNIVERSE * sizeof(*in));
	for (i = 0; i < n; i++) {
		lo = below(UNIVERSE);
		hi = below(8) ? lo + below(6) : below(UNIVERSE);
		if (hi >= UNIVERSE)
			hi = lo;
		if (universe(lo) > universe(hi))
			t = lo, lo = hi, hi = t;
		if (seg_addr_family(universe(lo)) != seg_addr_family(universe(hi)))
			hi = lo;
		list[i] = (struct seg_range){universe(lo), universe(hi)};
		for (k = 0; k < UNIVERSE; k++)
			in[k] |= universe(k) >= list[i].lo && universe(k) <= list[i].hi &&
				 seg_addr_family(universe(k)) == seg_addr_family(list[i].lo);
	}
	return seg_ranges_from(arena, list, (size_t)n);
}

static void ck_members(struct seg_ranges set, const bool *in)
{
	int k;

	ck_normal(set);
	for (k = 0; k < UNIVERSE; k++)
		if (seg_ranges_contain(set, universe(k)) != in[k])
			ck_abort_msg("address %d of the universe", k);
}

START_TEST(operations_agree_with_bitmaps)
{
	bool a[UNIVERSE], b[UNIVERSE], both[UNIVERSE], either[UNIVERSE], only_a[UNIVERSE];
	struct seg_ranges x, y, cut, sum, rest;
	int round, k;
	bool overlap;

	for (round = 0; round < 1000; round++) {
		x = random_set(a);
		y = random_set(b);
		overlap = false;
		for (k = 0; k < UNIVERSE; k++) {
			both[k] = a[k] && b[k];
			either[k] = a[k] || b[k];
			only_a[k] = a[k] && !b[k];
			overlap |= both[k];
		}
		cut = seg_ranges_intersect(arena, x, y);
		sum = seg_ranges_union(arena, x, y);
		rest = seg_ranges_subtract(arena, x, y);
		ck_members(x, a);
		ck_members(cut, both);
		ck_members(sum, either);
		ck_members(rest, only_a);
		/* Overlaps and inclusion by the sets' own algebra, which reaches beyond the universe. */
		ck_assert(seg_ranges_overlap(x, y) == (cut.n > 0));
		ck_assert(!overlap || cut.n > 0);
		ck_assert(seg_ranges_subset(x, y) == (rest.n == 0));
		ck_assert(seg_ranges_subset(cut, x) && seg_ranges_subset(x, sum));
		ck_assert(seg_ranges_equal(seg_ranges_union(arena, cut, rest), x));
		ck_assert(!seg_ranges_overlap(rest, y));
		ck_assert(seg_ranges_equal(seg_ranges_union(arena, y, x), sum));
		ck_assert(seg_ranges_equal(seg_ranges_intersect(arena, y, x), cut));
	}
}
END_TEST

START_TEST(only_one_family)
{
	bool in[UNIVERSE];
	struct seg_ranges set, v4, v6;
	int round;

	for (round = 0; round < 500; round++) {
		set = random_set(in);
		v4 = seg_ranges_only(set, SEG_IPV4);
		v6 = seg_ranges_only(set, SEG_IPV6);
		ck_assert_uint_eq(v4.n + v6.n, set.n);
		ck_assert(
			seg_ranges_equal(v4, seg_ranges_intersect(arena, set, seg_ranges_family(SEG_IPV4))));
		ck_assert(
			seg_ranges_equal(v6, seg_ranges_intersect(arena, set, seg_ranges_family(SEG_IPV6))));
	}
}
END_TEST

START_TEST(whole_and_empty)
{
	struct seg_ranges none = {0}, all = seg_ranges_all();
	struct seg_ranges v4 = seg_ranges_family(SEG_IPV4), v6 = seg_ranges_family(SEG_IPV6);

	ck_normal(all);
	ck_assert(seg_ranges_equal(seg_ranges_union(arena, v4, v6), all));
	ck_assert(!seg_ranges_overlap(v4, v6));
	ck_assert_uint_eq(seg_ranges_subtract(arena, all, all).n, 0);
	ck_assert(seg_ranges_equal(seg_ranges_subtract(arena, all, v4), v6));
	ck_assert(seg_ranges_equal(seg_ranges_subtract(arena, all, v6), v4));
	ck_assert(seg_ranges_equal(seg_ranges_subtract(arena, all, none), all));
	ck_assert(seg_ranges_equal(seg_ranges_union(arena, none, all), all));
	ck_assert(seg_ranges_equal(seg_ranges_intersect(arena, none, all), none));
	ck_assert(seg_ranges_subset(none, none) && seg_ranges_subset(none, all));
	ck_assert(!seg_ranges_subset(all, none));
	ck_assert(!seg_ranges_contain(none, 0));
	ck_assert_uint_eq(seg_ranges_from(arena, NULL, 0).n, 0);
}
END_TEST

static struct seg_range parsed(const char *text)
{
	struct seg_range range;
	const char *reason;

	ck_assert_msg(seg_range_parse(text, strlen(text), true, &range, &reason), "%s: %s", text, reason);
	return range;
}

START_TEST(ipv6_never_holds_ipv4)
{
	struct seg_range any = parsed("::/0"), low = parsed("::/80");
	struct seg_ranges set = seg_ranges_from(arena, &any, 1);

	ck_assert(seg_ranges_equal(set, seg_ranges_family(SEG_IPV6)));
	ck_assert(!seg_ranges_contain(set, seg_addr_v4(0x0a000001)));
	ck_assert(!seg_range_overlap(any, parsed("0.0.0.0/0")));
	set = seg_ranges_from(arena, &low, 1);
	ck_assert_uint_eq(set.n, 1);
	ck_assert(set.range[0].hi == SEG_V4_FIRST - 1);
}
END_TEST

START_TEST(neighbours_join)
{
	const struct seg_range list[] = {parsed("10.0.1.0/24"),	    parsed("10.0.0.0/24"),
					 parsed("10.0.3.7"),	    parsed("10.0.0.128/25"),
					 parsed("255.255.255.255"), parsed("::")};
	struct seg_ranges set = seg_ranges_from(arena, list, 6);
	char buf[SEG_RANGE_STRLEN];

	ck_assert_uint_eq(set.n, 4);
	ck_assert_str_eq(seg_range_format(set.range[0], buf), "10.0.0.0/23");
	ck_assert_str_eq(seg_range_format(set.range[1], buf), "10.0.3.7");
	ck_assert_str_eq(seg_range_format(set.range[2], buf), "255.255.255.255");
	ck_assert_str_eq(seg_range_format(set.range[3], buf), "::");
}
END_TEST

/* As written, as shown, prefix length. */
static const struct {
	const char *text, *shown;
	int prefix;
} good[] = {
	{"10.0.0.0/24", "10.0.0.0/24", 24},
	{"10.0.0.1", "10.0.0.1", 32},
	{"10.0.0.1/32", "10.0.0.1", 32},
	{"10.0.0.9/24", "10.0.0.0/24", 24},
	{"0.0.0.0/0", "0.0.0.0/0", 0},
	{"10.0.0.1-10.0.0.7", "10.0.0.1-10.0.0.7", -1},
	{"10.0.0.0-10.0.0.255", "10.0.0.0/24", 24},
	{"10.0.0.5-10.0.0.5", "10.0.0.5", 32},
	{"0.0.0.0-255.255.255.255", "0.0.0.0/0", 0},
	{"2001:DB8::/32", "2001:db8::/32", 32},
	{"2001:db8::1", "2001:db8::1", 128},
	{"2001:db8::1-2001:db8::ffff", "2001:db8::1-2001:db8::ffff", -1},
	{"::/0", "::/0", 0},
	{"fe80::/10", "fe80::/10", 10},
};

START_TEST(parse_and_format)
{
	char buf[SEG_RANGE_STRLEN];
	struct seg_range range = parsed(good[_i].text);

	ck_assert_str_eq(seg_range_format(range, buf), good[_i].shown);
	ck_assert_int_eq(seg_range_prefix(range), good[_i].prefix);
}
END_TEST

/* Refused, and a word of the reason. */
static const struct {
	const char *text, *word;
} bad[] = {
	{"", "missing"},
	{"10.0.0", "neither"},
	{"10.0.0.0/33", "0 to 32"},
	{"10.0.0.0/", "0 to 32"},
	{"10.0.0.0/024", "0 to 32"},
	{"10.0.0.0/+8", "0 to 32"},
	{"10.0.0.0/8/8", "0 to 32"},
	{"2001:db8::/129", "0 to 128"},
	{"2001:db8::/1280", "0 to 128"},
	{"10.0.0.1/24", "longer prefix"},
	{"2001:db8::1/64", "longer prefix"},
	{"10.0.0.7-10.0.0.1", "before it begins"},
	{"10.0.0.7-2001:db8::", "same address family"},
	{"10.0.0.0/24-10.0.1.0/24", "mixed"},
	{"10.0.0.1 - 10.0.0.7", "blank"},
	{"-10.0.0.1", "missing"},
	{"10.0.0.1-", "missing"},
	{"10.0.0.010", "leading zeros"},
	{"fe80::1%eth0", "zone index"},
	{"::ffff:10.0.0.1", "plain IPv4"},
	{"::FFFF:a00:1/128", "plain IPv4"},
	{"www.example.jp", "neither"},
};

START_TEST(refuse_with_reason)
{
	struct seg_range range;
	const char *reason = NULL, *text = bad[_i].text;

	ck_assert_msg(!seg_range_parse(text, strlen(text), false, &range, &reason), "%s", text);
	ck_assert_msg(strstr(reason, bad[_i].word) != NULL, "%s: %s", text, reason);
}
END_TEST

/* As many ranges as a large provider publishes; must not take quadratic time. */
START_TEST(hundred_thousand_ranges)
{
	enum { N = 100000 };
	struct seg_range *list = SEG_NEW_N(arena, struct seg_range, N);
	struct seg_ranges set, odd;
	seg_addr lo;
	size_t i;

	for (i = 0; i < N; i++) {
		lo = seg_addr_v4((uint32_t)((i * 7919 % N) * 16));
		list[i] = (struct seg_range){lo, lo + 7};
	}
	set = seg_ranges_from(arena, list, N);
	ck_assert_uint_eq(set.n, N);
	odd = seg_ranges_subtract(arena, seg_ranges_family(SEG_IPV4), set);
	ck_assert_uint_eq(odd.n, N);
	ck_assert_uint_eq(seg_ranges_union(arena, odd, set).n, 1);
	ck_assert_uint_eq(seg_ranges_intersect(arena, odd, set).n, 0);
	ck_assert(seg_ranges_subset(set, seg_ranges_all()));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ranges");
	TCase *tcase = tcase_create("ranges");

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, operations_agree_with_bitmaps);
	tcase_add_test(tcase, only_one_family);
	tcase_add_test(tcase, whole_and_empty);
	tcase_add_test(tcase, ipv6_never_holds_ipv4);
	tcase_add_test(tcase, neighbours_join);
	tcase_add_loop_test(tcase, parse_and_format, 0, sizeof(good) / sizeof(*good));
	tcase_add_loop_test(tcase, refuse_with_reason, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_test(tcase, hundred_thousand_ranges);
	return run_suite(suite);
}
