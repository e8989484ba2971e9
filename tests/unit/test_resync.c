/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Conntrack's table read again behind lost events. */

#include "engine_life.h"

START_TEST(test_lost_events_are_read_again)
{
	begin();
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	seg_engine_events_lost(w.engine, w.kernel.now);
	ck_assert_uint_eq(w.kernel.dumps, 2);
	ck_assert_uint_eq(said("events-lost"), 1);
	seg_engine_dumped(w.engine, -EINTR, w.kernel.now);
	ck_assert_uint_eq(said("resynced"), 0);
	pass(1);
	ck_assert_uint_eq(w.kernel.dumps, 3);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_uint_eq(said("resynced"), 1);
}
END_TEST

START_TEST(test_losses_without_end)
{
	unsigned dumps;

	begin();
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	dumps = w.kernel.dumps;
	for (int second = 0; second < 30; second++) {
		for (int i = 0; i < 50; i++) {
			seg_engine_events_lost(w.engine, w.kernel.now);
			if (i == 25)
				seg_engine_dumped(w.engine, 0, w.kernel.now);
		}
		pass(1);
	}
	ck_assert_uint_ge(w.kernel.dumps - dumps, 15);
	ck_assert_uint_le(w.kernel.dumps - dumps, 31);
	ck_assert_uint_ge(said("events-lost"), 3);
	ck_assert_uint_le(said("events-lost"), 5);
	ck_assert_uint_eq(said("resynced"), 0);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	pass(2);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_uint_eq(said("resynced"), 1);
	forget_alerts();
	pass(60);
	ck_assert_uint_eq(said("events-lost"), 0);
	seg_engine_events_lost(w.engine, w.kernel.now);
	ck_assert_uint_eq(said("events-lost"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resync");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_lost_events_are_read_again);
	tcase_add_test(tcase, test_losses_without_end);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
