/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A start: from nothing, beside a table that stands, with a file that is no good. */

#include "engine_life.h"

START_TEST(test_seals_then_loads)
{
	begin();
	ck_assert_uint_eq(w.kernel.writes, 2); /* sealed, then the policy */
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert_uint_eq(said("started|state=enforcing"), 1);
	ck_assert_uint_eq(said("applied|policy=1"), 1);
	ck_assert_uint_eq(w.kernel.dumps, 1);
}
END_TEST

START_TEST(test_stays_sealed_and_says_why)
{
	write_policy("  - {id: BAD, class: operations, from: nowhere, to: net, service: [tcp/443]}\n", "",
		     "");
	begin();
	ck_assert_str_eq(seg_engine_state(w.engine), "sealed");
	ck_assert_uint_eq(said("sealed"), 2); /* the alert, and `started` with the state */
	ck_assert_msg(strstr(w.status, "nowhere"), "%s", w.status);
	ck_assert_uint_eq(w.kernel.writes, 1);
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
}
END_TEST

START_TEST(test_bad_file_falls_back)
{
	begin();
	die();
	write_policy("  - {id: BAD}\n", "", "");
	forget_alerts();
	begin();
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert_uint_eq(said("refused"), 1);
	ck_assert_uint_ne(mark_of("WEB"), 0);
	ck_assert_ptr_nonnull(strstr(w.status, "version 1"));
}
END_TEST

/* It has no mistakes that anybody could name. */
START_TEST(test_no_file)
{
	ck_assert_int_eq(unlink(w.policy), 0);
	begin();
	ck_assert_str_eq(seg_engine_state(w.engine), "sealed");
	ck_assert(status_says("No such file or directory; mend that, and say `segctl apply`"));
}
END_TEST

/* A file that the kernel refuses at every start leaves no version behind; the next one that it takes is the next. */
START_TEST(test_refused_files_leave_no_versions)
{
	begin();
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", dns, "");
	for (int i = 0; i < 3; i++) {
		die();
		w.kernel.refuse_one = EINVAL;
		begin();
		ck_assert_int_eq(version_in_force(), 1);
		ck_assert(status_says("could not be put in force"));
	}
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_int_eq(version_in_force(), 2);
}
END_TEST

START_TEST(test_adopts_without_writing)
{
	uint32_t mark;

	begin();
	mark = mark_of("WEB");
	die();
	w.kernel.writes = 0;
	elapse(300);
	begin();
	ck_assert_uint_eq(w.kernel.writes, 0);
	ck_assert_uint_eq(mark_of("WEB"), mark);
	ck_assert_uint_eq(said("applied"), 1); /* the first time */
}
END_TEST

START_TEST(test_lost_state_gives_no_number_twice)
{
	char path[128];
	uint32_t mark;

	begin();
	mark = mark_of("OFFICE");
	die();
	snprintf(path, sizeof(path), "%s/registry", w.state);
	ck_assert_int_eq(truncate(path, 20), 0); /* torn */
	begin();
	ck_assert_uint_eq(said("store-failed|registry"), 1);
	ck_assert_uint_gt(mark_of("WEB"), mark);
}
END_TEST

/* Somebody else's mark on an open flow, or that of a permit long gone, must not come to mean a permit. */
START_TEST(test_first_numbers_keep_off_marks)
{
	w.kernel.flow[0] = (struct seg_flow){.id = 1, .mark = 2};
	w.kernel.flow[1] = (struct seg_flow){.id = 2, .mark = 0x40000007};
	w.kernel.flow[2] = (struct seg_flow){.id = 3, .mark = 0xfffffffe};
	w.kernel.flows = 3;
	begin();
	ck_assert_uint_eq(mark_of("WEB"), 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("start");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_seals_then_loads);
	tcase_add_test(tcase, test_stays_sealed_and_says_why);
	tcase_add_test(tcase, test_bad_file_falls_back);
	tcase_add_test(tcase, test_no_file);
	tcase_add_test(tcase, test_refused_files_leave_no_versions);
	tcase_add_test(tcase, test_adopts_without_writing);
	tcase_add_test(tcase, test_lost_state_gives_no_number_twice);
	tcase_add_test(tcase, test_first_numbers_keep_off_marks);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
