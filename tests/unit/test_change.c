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
	write_policy(office, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
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
		const char *outcome;
	} wanted[] = {{2, "confirmed", "brought-back"},
		      {1, "rolled-back", "rolled-back"},
		      {2, "rolled-back", "rolled-back"},
		      {1, "confirmed", "confirmed"}};
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
		ck_assert_str_eq(json_string_value(json_object_get(one, "outcome")), wanted[i].outcome);
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

static void disarm(void)
{
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	ck_assert_str_eq(seg_engine_state(w.engine), "disarmed");
}

/* Among the notes, and such that it can be translated. */
static bool notes(const json_t *answer, const char *text)
{
	const json_t *list = json_object_get(answer, "notes"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (strstr(json_string_value(one), text))
			return can_be_translated(answer, json_string_value(one));
	}
	return false;
}

/* The newest row of the history; the caller frees *out. */
static const json_t *newest(json_t **out)
{
	*out = call(seg_engine_history, NULL, NULL);
	return json_array_get(json_object_get(*out, "history"), 0);
}

static size_t rows(void)
{
	json_t *out = call(seg_engine_history, NULL, NULL);
	size_t n = json_array_size(json_object_get(out, "history"));

	json_decref(out);
	return n;
}

static bool last_is(json_int_t version, const char *outcome)
{
	json_t *out;
	const json_t *one = newest(&out);
	bool is = number(one, "version") == version &&
		  !strcmp(json_string_value(json_object_get(one, "outcome")), outcome);

	json_decref(out);
	return is;
}

static bool confirm_says(const char *text)
{
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;
	bool says;

	ck_assert_int_lt(seg_engine_confirm(w.engine, &request, &out), 0);
	ck_assert_str_eq(json_string_value(json_object_get(out, "code")), "nothing-pending");
	says = strstr(json_string_value(json_object_get(out, "message")), text) != NULL;
	json_decref(out);
	return says;
}

/* No deadline takes the rules out again: nothing is behind it but an open gateway. */
START_TEST(test_deadline_behind_a_disarm)
{
	json_t *out;

	begin();
	disarm();
	out = call(seg_engine_apply, json_pack("{s:i, s:s}", "confirm-within", 3, "comment", "repaired"), NULL);
	ck_assert(json_is_false(json_object_get(out, "unchanged")));
	ck_assert(json_is_null(json_object_get(out, "confirm-until")));
	ck_assert(notes(out, "no deadline runs: version 1 is confirmed already"));
	ck_assert_uint_eq(json_array_size(json_object_get(out, "notes")), 1);
	json_decref(out);
	pass(60);
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert(last_is(1, "brought-back"));
	/* Another policy than before has one to go back to. */
	disarm();
	write_policy(web, "", "");
	out = call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 3), NULL);
	ck_assert_int_eq(number(out, "back-to"), 1);
	json_decref(out);
	pass(60);
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert_uint_ne(mark_of("DNS"), 0);
}
END_TEST

/* What was asked for beside a policy that is in force already is not dropped without a word. */
START_TEST(test_notes_of_an_unchanged_policy)
{
	json_t *asked = json_pack("{s:i, s:s, s:s}", "confirm-within", 300, "comment", "c", "ticket", "t");
	json_t *out;

	begin();
	out = call(seg_engine_apply, json_incref(asked), NULL);
	ck_assert(json_is_true(json_object_get(out, "unchanged")));
	ck_assert(notes(out, "no deadline runs: version 1 is"));
	ck_assert(notes(out, "the comment is not recorded") && notes(out, "the ticket is not recorded"));
	json_decref(out);
	out = call(seg_engine_apply, NULL, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "notes")), 0);
	json_decref(out);
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	out = call(seg_engine_apply, asked, NULL);
	ck_assert(notes(out, "the deadline stays the one that runs already"));
	ck_assert(notes(out, "the comment is not recorded") && notes(out, "the ticket is not recorded"));
	json_decref(out);
	pass(121);
	ck_assert_int_eq(version_in_force(), 1);
}
END_TEST

/* Nobody who opens the gateway wants a deadline to close it; what it was for never boots. */
START_TEST(test_disarm_ends_the_waiting)
{
	json_t *out;

	apply_pending();
	out = call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL);
	ck_assert_int_eq(number(out, "given-up"), 2);
	json_decref(out);
	pass(HOUR);
	ck_assert_str_eq(seg_engine_state(w.engine), "disarmed");
	ck_assert_uint_eq(said("rolled-back"), 0);
	ck_assert(last_is(2, "disarmed"));
	ck_assert(confirm_says("version 2 was not confirmed before the rules were taken out"));
	if (_i == 0) {
		die();
		begin();
		ck_assert_uint_ne(mark_of("DNS"), 0);
		ck_assert(last_is(1, "brought-back"));
		out = call(seg_engine_status, NULL, NULL);
		ck_assert_str_eq(json_string_value(json_object_get(json_object_get(out, "policy"), "since")),
				 "2026-11-24T11:00:00+09:00");
		json_decref(out);
		return;
	}
	out = call(seg_engine_apply, _i == 1 ? json_pack("{s:i}", "confirm-within", 60) : NULL, NULL);
	ck_assert_int_eq(number(out, "version"), 3);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "notes")), 0);
	json_decref(out);
	ck_assert_uint_eq(mark_of("DNS"), 0);
	pass(61);
	ck_assert_int_eq(mark_of("DNS") != 0, _i == 1);
}
END_TEST

/* Whoever takes another's safety net away is told, and so is the other. */
START_TEST(test_replaced_before_it_was_confirmed)
{
	const json_t *one;
	json_t *out;

	apply_pending();
	write_policy(office, "", "");
	out = call(seg_engine_apply, NULL, NULL);
	one = json_object_get(out, "replaced");
	ck_assert_int_eq(number(one, "version"), 2);
	ck_assert_int_eq(number(one, "uid"), 1000);
	ck_assert_str_eq(json_string_value(json_object_get(one, "confirm-until")), "2026-11-24T10:02:00+09:00");
	json_decref(out);
	ck_assert_uint_eq(said("applied|replaced=2"), 1);
	out = call(seg_engine_history, NULL, NULL);
	one = find(out, "history", "outcome", "replaced");
	ck_assert_int_eq(number(one, "version"), 2);
	ck_assert_str_eq(json_string_value(json_object_get(one, "result")), "rolled-back");
	json_decref(out);
	ck_assert(confirm_says("version 2 was replaced by version 3 before it was confirmed ("));
	write_policy(web, dns, "");
	out = call(seg_engine_apply, NULL, NULL);
	ck_assert(json_is_null(json_object_get(out, "replaced")));
	json_decref(out);
	ck_assert(confirm_says("no policy waits"));
}
END_TEST

START_TEST(test_what_a_deadline_brings_back)
{
	json_t *out;

	unlink(w.policy);
	begin();
	write_policy(web, "", "");
	out = call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL);
	ck_assert(json_is_null(json_object_get(out, "back-to")));
	json_decref(out);
	json_decref(call(seg_engine_confirm, NULL, NULL));
	write_policy(dns, "", "");
	out = call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL);
	ck_assert_int_eq(number(out, "back-to"), 1);
	json_decref(out);
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_int_eq(number(json_object_get(out, "policy"), "back-to"), 1);
	json_decref(out);
}
END_TEST

/* To what is in force already nobody goes back: nothing is done, recorded or confirmed. */
START_TEST(test_rollback_to_what_is_in_force)
{
	const bool pending = _i == 1;
	json_t *out;
	size_t n;

	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, pending ? json_pack("{s:i}", "confirm-within", 120) : NULL, NULL));
	n = rows();
	out = call(seg_engine_rollback, json_pack("{s:i, s:s}", "version", 2, "comment", "sure"), NULL);
	ck_assert(json_is_true(json_object_get(out, "unchanged")));
	ck_assert(notes(out, "the comment is not recorded"));
	ck_assert_int_eq(json_is_string(json_object_get(out, "confirm-until")), pending);
	json_decref(out);
	ck_assert_uint_eq(rows(), n);
	ck_assert(last_is(2, pending ? "pending" : "confirmed"));
	pass(121);
	ck_assert_int_eq(version_in_force(), pending ? 1 : 2);
}
END_TEST

/* Behind a disarm it is put in force again. */
START_TEST(test_rollback_behind_a_disarm)
{
	json_t *out;

	begin();
	disarm();
	out = call(seg_engine_rollback, json_pack("{s:i, s:s}", "version", 1, "comment", "over"), NULL);
	ck_assert(json_is_false(json_object_get(out, "unchanged")));
	ck_assert_uint_eq(json_array_size(json_object_get(out, "notes")), 0);
	json_decref(out);
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert(last_is(1, "brought-back"));
}
END_TEST

/* A line of syslog has to hold it. Characters count, not their bytes. */
START_TEST(test_remarks_have_an_end)
{
	static const char *const key[] = {"comment", "ticket"};
	char text[501 * 3 + 1] = "";
	const char *code;

	for (size_t i = 0; i < 500; i++)
		strcat(text, "変");
	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:s}", key[_i], text), NULL));
	strcat(text, "更");
	write_policy(dns, "", "");
	ck_assert_ptr_null(call(seg_engine_apply, json_pack("{s:s}", key[_i], text), &code));
	ck_assert_str_eq(code, "invalid-parameter");
	ck_assert_int_eq(version_in_force(), 2);
	if (_i)
		return;
	ck_assert_ptr_null(call(seg_engine_rollback, json_pack("{s:s}", key[_i], text), &code));
	ck_assert_str_eq(code, "invalid-parameter");
	ck_assert_int_eq(version_in_force(), 2);
}
END_TEST

/* A refusal to cut the own session is one like any other. Rules that come back behind a disarm may cut it, too. */
START_TEST(test_session_that_would_be_cut)
{
	static const struct {
		seg_command_fn command;
		bool disarmed;
	} way[] = {{seg_engine_apply, false}, {seg_engine_apply, true}, {seg_engine_rollback, true}};
	json_t *asked = json_pack("{s:s, s:s, s:i}", "session", "10.2.0.5 50000 10.2.0.1 22", "comment", "why",
				  "version", 1);
	const json_t *one;
	const char *code;
	json_t *out;

	begin();
	if (way[_i].disarmed)
		disarm();
	else
		write_policy(web, "", "");
	ck_assert_ptr_null(call(way[_i].command, json_copy(asked), &code));
	ck_assert_str_eq(code, "would-cut-session");
	ck_assert_uint_eq(said("refused|comment=why|SSH session"), 1);
	one = newest(&out);
	ck_assert_str_eq(json_string_value(json_object_get(one, "result")), "refused");
	ck_assert_str_eq(json_string_value(json_object_get(one, "comment")), "why");
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(one, "reason")), "SSH session"));
	ck_assert(json_is_string(json_object_get(one, "hash")) && json_is_null(json_object_get(one, "version")));
	json_decref(out);
	json_object_set_new(asked, "force", json_true());
	json_decref(call(way[_i].command, asked, NULL));
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
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
	tcase_add_test(tcase, test_deadline_behind_a_disarm);
	tcase_add_test(tcase, test_notes_of_an_unchanged_policy);
	tcase_add_loop_test(tcase, test_disarm_ends_the_waiting, 0, 3);
	tcase_add_test(tcase, test_replaced_before_it_was_confirmed);
	tcase_add_test(tcase, test_what_a_deadline_brings_back);
	tcase_add_loop_test(tcase, test_rollback_to_what_is_in_force, 0, 2);
	tcase_add_test(tcase, test_rollback_behind_a_disarm);
	tcase_add_loop_test(tcase, test_remarks_have_an_end, 0, 2);
	tcase_add_loop_test(tcase, test_session_that_would_be_cut, 0, 3);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
