/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Policies that wait to be confirmed, and what comes back instead. */

#include "engine_life.h"

static void apply_pending(void)
{
	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	ck_assert_uint_eq(mark_of("DNS"), 0);
	forget_alerts();
}

START_TEST(test_goes_back_by_itself)
{
	json_t *out;

	apply_pending();
	pass(119);
	ck_assert_uint_eq(mark_of("DNS"), 0);
	pass(1);
	ck_assert_uint_ne(mark_of("DNS"), 0);
	ck_assert_uint_eq(said("rolled-back"), 1);
	out = call(seg_engine_history, NULL, NULL);
	ck_assert_int_eq(number(find(out, "history", "result", "rolled-back"), "version"), 2);
	json_decref(out);
	pass(HOUR);
	ck_assert_uint_eq(said("rolled-back"), 1);
}
END_TEST

/* A deadline is one of time, not of the clock, and outlives a daemon that has the new one. */
START_TEST(test_goes_back_in_time_whatever_the_clock_says)
{
	static const time_t step[] = {-HOUR, HOUR, -30 * HOUR};

	apply_pending();
	pass(60);
	set_clock(step[_i]);
	die();
	begin();
	pass(58);
	ck_assert_uint_eq(mark_of("DNS"), 0);
	pass(3);
	ck_assert_uint_ne(mark_of("DNS"), 0);
}
END_TEST

/* What was never confirmed does not boot, though the history be lost; what was confirmed later does. */
START_TEST(test_went_back_and_history_lost)
{
	apply_pending();
	pass(121);
	if (_i)
		json_decref(call(seg_engine_apply, NULL, NULL));
	die();
	rewrite_audit("DELETE FROM history;");
	begin();
	ck_assert_int_eq(mark_of("DNS") == 0, _i);
	ck_assert(status_says(_i ? NULL : " was rolled back or never confirmed"));
}
END_TEST

/* Nor what was rolled back while the history could not be written. */
START_TEST(test_rolled_back_and_not_written)
{
	sqlite3 *lock;

	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	lock = open_audit("BEGIN IMMEDIATE");
	json_decref(call(seg_engine_rollback, NULL, NULL));
	die();
	sqlite3_close(lock);
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
}
END_TEST

/* Who confirms too late is told what became of it. */
START_TEST(test_confirmed_too_late)
{
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;

	apply_pending();
	pass(121);
	if (_i) { /* what was refused since, or a new life, changes nothing of it */
		write_policy("nonsense\n", "", "");
		seg_engine_apply(w.engine, &request, &out);
		json_decref(out);
		die();
		begin();
	}
	ck_assert_int_lt(seg_engine_confirm(w.engine, &request, &out), 0);
	ck_assert_str_eq(json_string_value(json_object_get(out, "code")), "nothing-pending");
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(out, "message")),
				     "version 2 was not confirmed in time: version 1 came back at "));
	json_decref(out);
	if (_i)
		return;
	json_decref(call(seg_engine_rollback, json_pack("{s:i}", "version", 1), NULL));
	ck_assert_int_lt(seg_engine_confirm(w.engine, &request, &out), 0);
	ck_assert_str_eq(json_string_value(json_object_get(out, "message")),
			 "no policy waits for a confirmation");
	json_decref(out);
}
END_TEST

/* What the file says is not what is in force: until it is applied, or what is in force is written there
 * again. */
START_TEST(test_file_of_what_was_rolled_back)
{
	apply_pending();
	ck_assert(status_says(NULL));
	pass(121);
	ck_assert(status_says("version 2 was not confirmed in time and version 1 is in force again: what "));
	if (_i)
		write_policy(web, dns, office);
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert(status_says(NULL));
}
END_TEST

/* So is the file that was not confirmed before a restart, unless it says what came back. */
START_TEST(test_not_confirmed_before_the_restart)
{
	apply_pending();
	die();
	fake_flush(&w.kernel); /* a reboot */
	if (_i)
		write_policy(web, dns, office);
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
	ck_assert(status_says(
		_i ? NULL : "version 2 was not confirmed in time and version 1 is in force again: what "));
	ck_assert(_i || status_says("segctl apply"));
}
END_TEST

/* Of a version that came back and was left again, the first time stays what it was. */
/* That nobody knows of an earlier version is not that there is none. */
START_TEST(test_rollback_without_a_history)
{
	const char *code;

	begin();
	write_policy("", "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	rewrite_audit("DROP TABLE history;");
	ck_assert_ptr_null(call(seg_engine_rollback, NULL, &code));
	ck_assert_str_eq(code, "store");
	json_decref(call(seg_engine_rollback, json_pack("{s:i}", "version", 1), NULL));
}
END_TEST

START_TEST(test_history_of_rollbacks)
{
	static const struct {
		json_int_t version;
		const char *result;
	} wanted[] = {{2, "confirmed"}, {1, "rolled-back"}, {2, "rolled-back"}, {1, "confirmed"}};
	json_t *out;

	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	json_decref(call(seg_engine_rollback, NULL, NULL));
	json_decref(call(seg_engine_rollback, json_pack("{s:i}", "version", 2), NULL));
	out = call(seg_engine_history, NULL, NULL);
	for (size_t i = 0; i < 4; i++) {
		const json_t *one = json_array_get(json_object_get(out, "history"), i);

		ck_assert_int_eq(number(one, "version"), wanted[i].version);
		ck_assert_str_eq(json_string_value(json_object_get(one, "result")), wanted[i].result);
	}
	json_decref(out);
	json_decref(call(seg_engine_rollback, NULL, NULL));
	ck_assert_int_eq(version_in_force(), 1);
}
END_TEST

START_TEST(test_rolled_back_by_hand)
{
	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	json_decref(call(seg_engine_rollback, NULL, NULL));
	ck_assert(status_says("version 2 was rolled back and version 1 is in force: what "));
}
END_TEST

/* A reason that is none any more is not said of what stays in force. */
START_TEST(test_nothing_to_go_back_to)
{
	unlink(w.policy);
	begin();
	ck_assert(status_says("mend that, and say `segctl apply`"));
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	w.kernel.refuse = ENOMEM;
	pass(121);
	ck_assert(status_says(NULL));
	w.kernel.refuse = 0;
	pass(5);
	ck_assert_str_eq(seg_engine_state(w.engine), "sealed");
	ck_assert(status_says("version 1 was not confirmed, and there was none before it: `segctl apply`"));
}
END_TEST

/* Where it was written back before, there is nothing to say. */
START_TEST(test_file_of_what_came_back)
{
	apply_pending();
	write_policy(web, dns, office);
	pass(121);
	ck_assert(status_says(NULL));
}
END_TEST

/* The first policy of all has nothing to come back. */
START_TEST(test_first_confirmed_too_late)
{
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;

	unlink(w.policy);
	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	pass(121);
	ck_assert_int_lt(seg_engine_confirm(w.engine, &request, &out), 0);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(out, "message")),
				     "version 1 was not confirmed in time: the gateway is sealed since "));
	json_decref(out);
}
END_TEST

START_TEST(test_confirmed_stays)
{
	const char *code;

	apply_pending();
	json_decref(call(seg_engine_confirm, NULL, NULL));
	pass(HOUR);
	ck_assert_uint_eq(mark_of("DNS"), 0);
	ck_assert_ptr_null(call(seg_engine_confirm, NULL, &code));
	ck_assert_str_eq(code, "nothing-pending");
	die();
	begin();
	ck_assert_uint_eq(mark_of("DNS"), 0);
}
END_TEST

START_TEST(test_deadline_survives_a_restart)
{
	apply_pending();
	die();
	elapse(60);
	begin();
	ck_assert_uint_eq(mark_of("DNS"), 0); /* still pending */
	pass(60);
	ck_assert_uint_ne(mark_of("DNS"), 0);
}
END_TEST

START_TEST(test_deadline_passes_while_dead)
{
	apply_pending();
	die();
	elapse(300);
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
	ck_assert_uint_eq(said("rolled-back"), 1);
}
END_TEST

START_TEST(test_unconfirmed_never_boots)
{
	json_t *out;

	apply_pending();
	die();
	fake_flush(&w.kernel); /* a reboot, within the deadline */
	elapse(10);
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
	/* The file still holds what was not confirmed: nor does it boot the next time. */
	die();
	fake_flush(&w.kernel);
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
	ck_assert_ptr_nonnull(strstr(w.status, "never confirmed"));
	/* status says so, in words that can be translated. */
	out = call(seg_engine_status, NULL, NULL);
	ck_assert(can_be_translated(out, json_string_value(json_object_get(out, "reason"))));
	json_decref(out);
	/* Until somebody applies it. */
	json_decref(call(seg_engine_apply, NULL, NULL));
	die();
	begin();
	ck_assert_uint_eq(mark_of("DNS"), 0);
}
END_TEST

static void copy_state(const char *from, const char *to)
{
	char command[sizeof(w.dir) * 4];

	snprintf(command, sizeof(command), "cd %s && rm -rf %s && cp -a %s %s", w.dir, to, from, to);
	ck_assert_int_eq(system(command), 0);
}

static void keep_state(void)
{
	copy_state("state", "kept");
}

/* Killed behind the commit, before the change was recorded: not even then, nor after it went back. */
START_TEST(test_unconfirmed_and_unrecorded_never_boots)
{
	json_t *out;

	begin();
	write_policy(web, "", "");
	w.kernel.meanwhile = keep_state;
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	w.kernel.meanwhile = NULL;
	die();
	copy_state("kept", "state");
	begin();
	ck_assert_uint_eq(mark_of("DNS"), 0); /* still pending */
	pass(120);
	ck_assert_uint_ne(mark_of("DNS"), 0);
	die();
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
	ck_assert_ptr_nonnull(strstr(w.status, "never confirmed"));
	out = call(seg_engine_history, NULL, NULL);
	ck_assert_int_eq(number(find(out, "history", "result", "rolled-back"), "version"), 2);
	json_decref(out);
}
END_TEST

START_TEST(test_rollback_by_number)
{
	/* What is no number of a version is not taken for the one before. */
	static const json_int_t none[] = {99, 0, -1, 1 + ((json_int_t)1 << 32), INT64_MAX};
	const char *code;
	json_t *out;

	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	write_policy(dns, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	out = call(seg_engine_rollback, json_pack("{s:i}", "version", 1), NULL);
	ck_assert_int_eq(number(out, "version"), 1);
	json_decref(out);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		ck_assert_ptr_null(call(seg_engine_rollback, json_pack("{s:I}", "version", none[i]), &code));
		ck_assert_str_eq(code, "not-found");
	}
}
END_TEST

START_TEST(test_rollback_to_the_one_before)
{
	json_t *out;

	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	out = call(seg_engine_rollback, NULL, NULL);
	ck_assert_int_eq(number(out, "version"), 1);
	json_decref(out);
	ck_assert_uint_ne(mark_of("DNS"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("change");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_goes_back_by_itself);
	tcase_add_loop_test(tcase, test_goes_back_in_time_whatever_the_clock_says, 0, 3);
	tcase_add_loop_test(tcase, test_went_back_and_history_lost, 0, 2);
	tcase_add_test(tcase, test_rolled_back_and_not_written);
	tcase_add_loop_test(tcase, test_confirmed_too_late, 0, 2);
	tcase_add_loop_test(tcase, test_file_of_what_was_rolled_back, 0, 2);
	tcase_add_loop_test(tcase, test_not_confirmed_before_the_restart, 0, 2);
	tcase_add_test(tcase, test_rollback_without_a_history);
	tcase_add_test(tcase, test_history_of_rollbacks);
	tcase_add_test(tcase, test_rolled_back_by_hand);
	tcase_add_test(tcase, test_nothing_to_go_back_to);
	tcase_add_test(tcase, test_file_of_what_came_back);
	tcase_add_test(tcase, test_first_confirmed_too_late);
	tcase_add_test(tcase, test_confirmed_stays);
	tcase_add_test(tcase, test_deadline_survives_a_restart);
	tcase_add_test(tcase, test_deadline_passes_while_dead);
	tcase_add_test(tcase, test_unconfirmed_never_boots);
	tcase_add_test(tcase, test_unconfirmed_and_unrecorded_never_boots);
	tcase_add_test(tcase, test_rollback_by_number);
	tcase_add_test(tcase, test_rollback_to_the_one_before);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
