/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Hours and dates, and clocks that are set. */

#include "engine_life.h"

START_TEST(test_window_closes_and_opens)
{
	begin();
	event_of(flow("10.2.0.5", "10.1.0.7", 6, 80, "OFFICE"));
	pass(7 * HOUR - 1);
	ck_assert_uint_eq(w.kernel.flows, 1);
	pass(1); /* 17:00 */
	ck_assert_uint_eq(w.kernel.flows, 0);
	ck_assert_uint_eq(said("revoked|permit=OFFICE|reason=window"), 1);
	ck_assert_uint_eq(mark_of("OFFICE"), 0);
	pass(15 * HOUR); /* 08:00 the next day */
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
}
END_TEST

/* The kernel's elements end by themselves, and their counters with them. */
START_TEST(test_counters_are_read_before_the_end)
{
	unsigned readings;

	begin();
	pass(7 * HOUR - 5);
	pass(3);
	readings = w.kernel.readings;
	pass(1); /* 16:59:59 */
	ck_assert_uint_eq(w.kernel.readings, readings + 1);
}
END_TEST

START_TEST(test_clock_set_back)
{
	const struct seg_set *set;

	begin();
	set_clock(-30 * HOUR); /* Monday 04:00: closed */
	ck_assert_uint_eq(mark_of("OFFICE"), 0);
	set_clock(5 * HOUR);
	set = seg_plan_set(w.kernel.image, "open");
	for (size_t i = 0; i < set->elems; i++)
		if (!strcmp(set->elem[i].comment, "OFFICE"))
			ck_assert_uint_eq(set->elem[i].timeout_ms, 8u * HOUR * 1000);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
}
END_TEST

/* The kernel's timeouts do not know of it: they must be made anew, or the permit outlives its window by the
 * step where the daemon is dead by then. */
START_TEST(test_clock_set_forward)
{
	const struct seg_set *set;

	begin();
	set_clock(2 * HOUR); /* Tuesday 12:00, and no time has passed */
	set = seg_plan_set(w.kernel.image, "open");
	for (size_t i = 0; i < set->elems; i++)
		if (!strcmp(set->elem[i].comment, "OFFICE"))
			ck_assert_uint_eq(set->elem[i].timeout_ms, 5u * HOUR * 1000);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("windows");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_window_closes_and_opens);
	tcase_add_test(tcase, test_counters_are_read_before_the_end);
	tcase_add_test(tcase, test_clock_set_back);
	tcase_add_test(tcase, test_clock_set_forward);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
