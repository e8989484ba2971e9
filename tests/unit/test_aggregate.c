// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "flow/aggregate.h"
#include "runner.h"

#define WINDOW 60
#define START 1000000

/* What left through the callback. Names are not compared later than the call. */
struct line {
	struct seg_denial d;
	uint64_t since;
};
static struct line line[70000];
static size_t lines;

static void keep(void *context, const struct seg_denial *d, uint64_t since)
{
	ck_assert_ptr_eq(context, &lines);
	ck_assert_uint_lt(lines, sizeof(line) / sizeof(line[0]));
	line[lines++] = (struct line){*d, since};
}

static struct seg_aggregate *start(size_t max)
{
	lines = 0;
	return seg_aggregate_new(WINDOW, max, keep, &lines);
}

static struct seg_denial denial(uint32_t src, uint32_t dst, uint16_t dport)
{
	return (struct seg_denial){
		.from = "mn",
		.to = "inet",
		.src = seg_addr_v4(src),
		.dst = seg_addr_v4(dst),
		.proto = 6,
		.dport = dport,
		.reason = SEG_REASON_NO_PERMIT,
	};
}

static void add(struct seg_aggregate *a, uint32_t src, uint32_t dst, uint16_t dport, time_t now)
{
	struct seg_denial one = denial(src, dst, dport);

	seg_aggregate_add(a, &one, now);
}

START_TEST(first_at_once_then_one_a_window)
{
	struct seg_aggregate *a = start(100);

	for (int i = 0; i < 50; i++)
		add(a, 1, 2, 443, START + i);
	ck_assert_uint_eq(lines, 1);
	ck_assert_uint_eq(line[0].since, 1);
	ck_assert_str_eq(line[0].d.from, "mn");
	ck_assert_uint_eq(line[0].d.dport, 443);

	ck_assert_int_eq(seg_aggregate_tick(a, START + WINDOW - 1), START + WINDOW);
	ck_assert_uint_eq(lines, 1);
	ck_assert_int_eq(seg_aggregate_tick(a, START + WINDOW), START + 2 * WINDOW);
	ck_assert_uint_eq(lines, 2);
	ck_assert_uint_eq(line[1].since, 49);
	ck_assert_uint_eq(line[1].d.count, 50);
	ck_assert_int_eq(line[1].d.first, START);
	ck_assert_int_eq(line[1].d.last, START + 49);

	/* A silent window says nothing and ends the episode: then a packet is a first one again. */
	ck_assert_int_eq(seg_aggregate_tick(a, START + 2 * WINDOW), 0);
	ck_assert_uint_eq(lines, 2);
	add(a, 1, 2, 443, START + 2 * WINDOW + 5);
	ck_assert_uint_eq(lines, 3);
	ck_assert_uint_eq(line[2].since, 1);
	ck_assert_uint_eq(line[2].d.count, 51);
	seg_aggregate_free(a);
}
END_TEST

START_TEST(a_late_tick_loses_nothing)
{
	struct seg_aggregate *a = start(100);

	add(a, 1, 2, 443, START);
	add(a, 1, 2, 443, START + 1);
	add(a, 1, 2, 443, START + 10 * WINDOW); /* no tick in between: the window's line comes first */
	ck_assert_uint_eq(lines, 2);
	ck_assert_uint_eq(line[1].since, 1);
	seg_aggregate_tick(a, START + 11 * WINDOW);
	ck_assert_uint_eq(lines, 3);
	ck_assert_uint_eq(line[2].since, 1);
	seg_aggregate_free(a);
}
END_TEST

START_TEST(each_part_of_the_key_makes_its_own_line)
{
	struct seg_aggregate *a = start(100);
	struct seg_denial one = denial(1, 2, 443);

	seg_aggregate_add(a, &one, START);
	one.proto = 17;
	seg_aggregate_add(a, &one, START);
	one.reason = SEG_REASON_PORT;
	seg_aggregate_add(a, &one, START);
	one.to = NULL;
	seg_aggregate_add(a, &one, START);
	one.from = "lg";
	seg_aggregate_add(a, &one, START);
	one.src = seg_addr_v4(9);
	seg_aggregate_add(a, &one, START);
	one.dst = seg_addr_v4(9);
	seg_aggregate_add(a, &one, START);
	ck_assert_uint_eq(lines, 7);
	ck_assert_ptr_null(line[3].d.to);
	seg_aggregate_add(a, &one, START);
	ck_assert_uint_eq(lines, 7);
	seg_aggregate_free(a);
}
END_TEST

START_TEST(ten_services_are_no_scan_eleven_are)
{
	struct seg_aggregate *a = start(100);

	for (uint16_t port = 1; port <= 10; port++)
		add(a, 1, 2, port, START + port);
	ck_assert_uint_eq(lines, 10);
	seg_aggregate_tick(a, START + 59);
	add(a, 1, 2, 11, START + 60); /* the first of the ten was touched 59 s ago */
	ck_assert_uint_eq(lines, 10);
	seg_aggregate_tick(a, START + 61);
	ck_assert_uint_eq(lines, 11);
	ck_assert(line[10].d.any_dport);
	ck_assert(!line[10].d.any_dst);
	ck_assert(!line[10].d.any_proto);
	ck_assert_uint_eq(line[10].d.proto, 6);
	ck_assert_uint_eq(line[10].d.dports, 11);
	ck_assert_uint_eq(line[10].d.dsts, 1);
	ck_assert_uint_eq(line[10].d.count, 11);
	ck_assert_uint_eq(line[10].since, 1);
	ck_assert_int_eq(line[10].d.first, START + 1);
	seg_aggregate_free(a);
}
END_TEST

START_TEST(slow_steps_are_no_scan)
{
	struct seg_aggregate *a = start(1000);

	for (uint16_t port = 1; port <= 200; port++)
		add(a, 1, 2, port, START + 6 * port); /* ten in any window */
	ck_assert_uint_eq(lines, 200);
	for (size_t i = 0; i < lines; i++)
		ck_assert(!line[i].d.any_dport);
	seg_aggregate_free(a);
}
END_TEST

START_TEST(a_scan_of_all_ports_is_one_line_with_its_breadth)
{
	struct seg_aggregate *a = start(100);

	for (unsigned port = 0; port <= 65535; port++)
		add(a, 1, 2, (uint16_t)port, START + port / 2000);
	for (unsigned port = 0; port <= 65535; port++)
		add(a, 1, 2, (uint16_t)port, START + 33);
	ck_assert_uint_eq(lines, 10);
	seg_aggregate_tick(a, START + WINDOW);
	ck_assert_uint_eq(lines, 11);
	ck_assert_uint_eq(line[10].d.dports, 65536);
	ck_assert_uint_eq(line[10].d.count, 2 * 65536);
	ck_assert_uint_eq(line[10].since, 2 * 65536 - 10);
	/* The episode ends; the next scan counts its own breadth. */
	ck_assert_int_eq(seg_aggregate_tick(a, START + 2 * WINDOW), 0);
	for (uint16_t port = 1; port <= 20; port++)
		add(a, 1, 2, port, START + 5 * WINDOW);
	ck_assert_uint_eq(lines, 21);
	seg_aggregate_tick(a, START + 6 * WINDOW);
	ck_assert_uint_eq(lines, 22);
	ck_assert_uint_eq(line[21].d.dports, 20);
	ck_assert_uint_eq(line[21].since, 10);
	seg_aggregate_free(a);
}
END_TEST

START_TEST(a_sweep_keeps_the_service_that_all_have)
{
	struct seg_aggregate *a = start(100);

	for (uint32_t dst = 1; dst <= 254; dst++)
		add(a, 1, 0x0a000000 + dst, 445, START);
	ck_assert_uint_eq(lines, 10);
	seg_aggregate_tick(a, START + WINDOW);
	ck_assert_uint_eq(lines, 11);
	ck_assert(line[10].d.any_dst);
	ck_assert(!line[10].d.any_dport);
	ck_assert_uint_eq(line[10].d.dport, 445);
	ck_assert_uint_eq(line[10].d.dsts, 254);
	ck_assert_uint_eq(line[10].d.dports, 1);
	seg_aggregate_free(a);
}
END_TEST

START_TEST(a_sweep_swallows_scans_and_protocols)
{
	struct seg_aggregate *a = start(1000);
	struct seg_denial ping = denial(1, 0, 8);

	for (uint32_t dst = 1; dst <= 20; dst++) {
		for (uint16_t port = 1; port <= 30; port++)
			add(a, 1, dst, port, START);
	}
	ping.proto = 1;
	ping.dst = seg_addr_v4(5);
	seg_aggregate_add(a, &ping, START);
	seg_aggregate_tick(a, START + WINDOW);
	ck_assert(line[lines - 1].d.any_dst);
	ck_assert(line[lines - 1].d.any_dport);
	ck_assert(line[lines - 1].d.any_proto);
	ck_assert_uint_eq(line[lines - 1].d.dsts, 20);
	ck_assert_uint_eq(line[lines - 1].d.dports, 31);
	ck_assert_uint_eq(line[lines - 1].d.count, 601);
	/* Ten lines for each of the first ten hosts and the first of the eleventh, then the fold. */
	ck_assert_uint_eq(lines, 101);
	seg_aggregate_free(a);
}
END_TEST

START_TEST(counts_add_up_whatever_comes)
{
	struct seg_aggregate *a = start(64);
	uint64_t told = 0, added = 0;
	unsigned seed = 42;
	time_t now = START;

	for (int i = 0; i < 60000; i++) {
		uint32_t src = (uint32_t)rand_r(&seed) % 40;
		uint32_t dst = (uint32_t)rand_r(&seed) % (src < 20 ? 3 : 30);
		uint16_t port = (uint16_t)(rand_r(&seed) % (src % 2 ? 3 : 40));

		now += rand_r(&seed) % 100 == 0 ? rand_r(&seed) % 200 : 0;
		now -= rand_r(&seed) % 1000 == 0 ? 100 : 0; /* clocks do */
		add(a, src, dst, port, now);
		added++;
		lines = lines > 60000 ? 60000 : lines;
	}
	seg_aggregate_tick(a, now + WINDOW);
	ck_assert_uint_lt(lines, 60000);
	for (size_t i = 0; i < lines; i++)
		told += line[i].since;
	ck_assert_uint_eq(told, added);
	ck_assert_int_eq(seg_aggregate_tick(a, now + 2 * WINDOW), 0);
	seg_aggregate_free(a);
}
END_TEST

static void count_keys(void *context, const struct seg_denial *d, uint64_t since)
{
	size_t *n = context;

	(void)d;
	(void)since;
	++*n;
}

START_TEST(bounded_and_the_rest_counted_for_the_pair)
{
	struct seg_aggregate *a = start(50);
	size_t keys = 0;

	for (uint32_t src = 1; src <= 1000; src++)
		add(a, src, 2, 443, START);
	ck_assert_uint_eq(lines, 51);
	ck_assert(line[50].d.any_src);
	ck_assert_str_eq(line[50].d.to, "inet");
	seg_aggregate_tick(a, START + WINDOW);
	ck_assert_uint_eq(lines, 52);
	ck_assert_uint_eq(line[51].since, 949);
	ck_assert_uint_eq(line[51].d.count, 950);
	seg_aggregate_each(a, count_keys, &keys);
	ck_assert_uint_eq(keys, 51);
	/* Idle now, so the oldest make room. */
	seg_aggregate_tick(a, START + 2 * WINDOW);
	add(a, 2000, 2, 443, START + 2 * WINDOW);
	ck_assert(!line[52].d.any_src);
	ck_assert(line[52].d.src == seg_addr_v4(2000));
	keys = 0;
	seg_aggregate_each(a, count_keys, &keys);
	ck_assert_uint_eq(keys, 50);
	seg_aggregate_free(a);
}
END_TEST

/* A host may have as many addresses as it likes. What it does is bounded, and leaves others their lines. */
START_TEST(a_pair_of_zones_has_its_share)
{
	struct seg_aggregate *a = start(4096);
	struct seg_denial other = denial(7, 2, 443);

	other.from = "lg";
	for (uint32_t src = 1; src <= 5000; src++)
		add(a, src, 2, 443, START);
	ck_assert_uint_eq(lines, SEG_PAIR_KEYS + 1);
	ck_assert(!line[SEG_PAIR_KEYS - 1].d.any_src);
	ck_assert(line[SEG_PAIR_KEYS].d.any_src);
	seg_aggregate_add(a, &other, START);
	ck_assert_uint_eq(lines, SEG_PAIR_KEYS + 2);
	ck_assert(!line[lines - 1].d.any_src);
	ck_assert_str_eq(line[lines - 1].d.from, "lg");
	other = denial(7, 2, 443);
	other.reason = SEG_REASON_SPOOFED;
	seg_aggregate_add(a, &other, START);
	ck_assert(!line[lines - 1].d.any_src);
	/* The window is over, then the keys are idle: the same number once more, known or not. */
	lines = 0;
	seg_aggregate_tick(a, START + WINDOW);
	ck_assert_uint_eq(lines, 1);
	ck_assert_uint_eq(line[0].since, 5000 - SEG_PAIR_KEYS - 1);
	for (int round = 1; round <= 20; round++) {
		time_t now = START + 4 * round * WINDOW;

		seg_aggregate_tick(a, now - 2 * WINDOW);
		seg_aggregate_tick(a, now);
		lines = 0;
		for (uint32_t src = 5000; src > 0; src--)
			add(a, round % 2 ? src : 5001 - src, 2, 443, now);
		ck_assert_uint_eq(lines, SEG_PAIR_KEYS + 1);
	}
	/* What is folded makes room. */
	seg_aggregate_tick(a, START + 90 * WINDOW);
	for (uint16_t port = 1; port <= 5000; port++)
		add(a, 6000, 2, port, START + 90 * WINDOW);
	add(a, 6001, 2, 1, START + 90 * WINDOW);
	ck_assert(!line[lines - 1].d.any_src);
	ck_assert(line[lines - 1].d.src == seg_addr_v4(6001));
	seg_aggregate_free(a);
}
END_TEST

static void expect_order(void *context, const struct seg_denial *d, uint64_t since)
{
	uint32_t *expected = context;

	ck_assert(d->src == seg_addr_v4(*expected));
	ck_assert_uint_eq(since, *expected == 3 ? 1 : 0);
	--*expected;
}

START_TEST(walks_from_the_most_recent)
{
	struct seg_aggregate *a = start(50);
	uint32_t expected = 3;

	add(a, 3, 2, 443, START);
	add(a, 1, 2, 443, START + 1);
	add(a, 2, 2, 443, START + 2);
	add(a, 3, 2, 443, START + 3);
	seg_aggregate_each(a, expect_order, &expected);
	ck_assert_uint_eq(expected, 0);
	seg_aggregate_free(a);
}
END_TEST

START_TEST(a_clock_that_steps_back_closes_the_windows)
{
	struct seg_aggregate *a = start(50);

	add(a, 1, 2, 443, START);
	add(a, 1, 2, 443, START);
	add(a, 3, 2, 443, START);
	ck_assert_int_eq(seg_aggregate_tick(a, START - 86400), START - 86400 + WINDOW);
	ck_assert_uint_eq(lines, 3);
	ck_assert_uint_eq(line[2].since, 1);
	seg_aggregate_free(a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aggregate");
	TCase *tcase = tcase_create("aggregate");

	tcase_add_test(tcase, first_at_once_then_one_a_window);
	tcase_add_test(tcase, a_late_tick_loses_nothing);
	tcase_add_test(tcase, each_part_of_the_key_makes_its_own_line);
	tcase_add_test(tcase, ten_services_are_no_scan_eleven_are);
	tcase_add_test(tcase, slow_steps_are_no_scan);
	tcase_add_test(tcase, a_scan_of_all_ports_is_one_line_with_its_breadth);
	tcase_add_test(tcase, a_sweep_keeps_the_service_that_all_have);
	tcase_add_test(tcase, a_sweep_swallows_scans_and_protocols);
	tcase_add_test(tcase, counts_add_up_whatever_comes);
	tcase_add_test(tcase, bounded_and_the_rest_counted_for_the_pair);
	tcase_add_test(tcase, a_pair_of_zones_has_its_share);
	tcase_add_test(tcase, walks_from_the_most_recent);
	tcase_add_test(tcase, a_clock_that_steps_back_closes_the_windows);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
