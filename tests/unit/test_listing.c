/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Long answers in pieces. */

#include "engine_life.h"

/* The reading is over, and nothing of the answer is made. */
static void read_all(void)
{
	while (!w.kernel.coming_round)
		ck_assert(fake_slice(&w.kernel));
}

static void finish_reading_to(struct late *late)
{
	while (!late->over) {
		seg_engine_resume(w.engine, late, w.kernel.now);
		ck_assert(fake_round(&w.kernel));
	}
	take_lines(late, late->out);
	json_decref(late->out);
}

/* A piece of one answer each time the loop comes round, in turn; what is counted meanwhile is not told. */
START_TEST(test_denials_come_in_pieces)
{
	struct late first = {.room = 1000}, second = {.room = 1000};

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(1000, 10);
	ck_assert_int_eq(ask_pieces(&first, seg_engine_denials, NULL), SEG_LATER);
	ck_assert_int_eq(ask_pieces(&second, seg_engine_denials, NULL), SEG_LATER);
	fake_slices(&w.kernel);
	for (size_t turn = 0; turn < 6; turn++) {
		ck_assert_uint_eq(first.pieces, (turn + 1) / 2);
		ck_assert_uint_eq(second.pieces, turn / 2);
		ck_assert(fake_round(&w.kernel));
	}
	w.kernel.counted[999].packets += 5;
	json_decref(call(seg_engine_status, NULL, NULL));
	ck_assert(first.over && second.over && !first.result && !second.result);
	take_lines(&first, first.out);
	take_lines(&second, second.out);
	ck_assert_uint_eq(first.lines, 1000);
	ck_assert_uint_eq(first.count, 10000);
	ck_assert_uint_eq(second.lines, 1000);
	ck_assert_uint_eq(second.count, 10000);
	ck_assert(!fake_round(&w.kernel));
	json_decref(first.out);
	json_decref(second.out);
}
END_TEST

/* Whoever does not read has his pieces wait, and no turns. */
START_TEST(test_denials_for_who_does_not_read)
{
	struct late slow = {.room = 1}, gone = {.room = 1}, idle = {.room = 1}, waits = {.room = 1};

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(1000, 10);
	ck_assert_int_eq(ask_pieces(&slow, seg_engine_denials, NULL), SEG_LATER);
	ck_assert_int_eq(ask_pieces(&gone, seg_engine_denials, NULL), SEG_LATER);
	fake_run(&w.kernel);
	ck_assert_uint_eq(slow.pieces, 1);
	ck_assert_uint_eq(gone.pieces, 1);
	ck_assert(!w.kernel.coming_round);
	seg_engine_resume(w.engine, &gone, w.kernel.now);
	seg_engine_forget(w.engine, &gone); /* its turn is due */
	fake_run(&w.kernel);
	seg_engine_resume(w.engine, &gone, w.kernel.now);
	ck_assert(!w.kernel.coming_round && !gone.over && gone.pieces == 1);
	finish_reading_to(&slow);
	ck_assert_uint_eq(slow.count, 10000);
	ck_assert_int_eq(ask_pieces(&waits, seg_engine_denials, NULL), SEG_LATER);
	seg_engine_forget(w.engine, &waits); /* before anything is read */
	fake_run(&w.kernel);
	ck_assert_uint_eq(waits.pieces, 0);
	ck_assert_int_eq(ask_pieces(&idle, seg_engine_denials, NULL), SEG_LATER);
	fake_run(&w.kernel); /* and the engine ends */
}
END_TEST

/* Another policy, then none, while an answer is given: its lines and sums stay what they were. */
START_TEST(test_the_policy_changes_under_denials)
{
	struct late late = {.room = 1};

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(1000, 10);
	ck_assert_int_eq(ask_pieces(&late, seg_engine_denials, NULL), SEG_LATER);
	read_all();
	ck_assert(fake_round(&w.kernel));
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	seg_engine_resume(w.engine, &late, w.kernel.now);
	ck_assert(fake_round(&w.kernel));
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	ck_assert_uint_eq(late.pieces, 2);
	finish_reading_to(&late);
	ck_assert_uint_eq(late.lines, 1000);
	ck_assert_uint_eq(late.count, 10000);
}
END_TEST

/* Permits are told as they are when their turn comes, also by another policy; never twice. */
START_TEST(test_permits_come_when_the_loop_comes_round)
{
	struct late late = {.room = 1}, gone = {.room = 1}, none = {.room = 1};

	begin();
	ck_assert_int_eq(ask_pieces(&late, seg_engine_permits, NULL), SEG_LATER);
	ck_assert_int_eq(ask_pieces(&gone, seg_engine_permits, NULL), SEG_LATER);
	read_all();
	ck_assert(!late.over);
	seg_engine_forget(w.engine, &gone);
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert(late.over && !late.result && !gone.over);
	ck_assert_uint_eq(json_array_size(json_object_get(late.out, "permits")), 1);
	ck_assert_ptr_nonnull(find(late.out, "permits", "id", "WEB"));
	json_decref(late.out);
	ck_assert_int_eq(ask_pieces(&none, seg_engine_permits, NULL), SEG_LATER);
	read_all();
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	ck_assert(none.over && !none.result);
	json_decref(none.out);
}
END_TEST

/* The ids of those that are told, in the policy's order. */
static void check_permits(json_t *params, const char *wanted)
{
	json_t *out = call(seg_engine_permits, params, NULL), *list = json_object_get(out, "permits"), *one;
	char ids[64] = "";
	size_t i;

	json_array_foreach(list, i, one)
	{
		strcat(ids, json_string_value(json_object_get(one, "id")));
		strcat(ids, " ");
	}
	ck_assert_str_eq(ids, wanted);
	json_decref(out);
}

START_TEST(test_permits_by_their_use)
{
	const char *code;

	begin();
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	check_permits(json_pack("{s:i}", "used-within", 1), "WEB ");
	w.kernel.now += 100;
	fake_count(&w.kernel, "slow", "DNS", 0, 10, 1000);
	check_permits(json_pack("{s:i}", "used-within", 99), "DNS ");
	check_permits(json_pack("{s:i}", "used-within", 100), "WEB DNS ");
	check_permits(json_pack("{s:i}", "used-within", INT_MAX), "WEB DNS ");
	check_permits(json_pack("{s:n}", "used-within"), "WEB DNS OFFICE ");
	w.kernel.now += 86400;
	check_permits(json_pack("{s:i}", "unused", 1), "WEB OFFICE ");
	check_permits(json_pack("{s:i, s:i}", "unused", 1, "used-within", 90000), "WEB ");
	ck_assert_ptr_null(call(seg_engine_permits, json_pack("{s:i}", "used-within", -1), &code));
	ck_assert_str_eq(code, "invalid-parameter");
}
END_TEST

START_TEST(test_denials_at_once_are_bounded)
{
	struct late late;
	const char *code;

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(10000, 1);
	ask(&late, seg_engine_denials, NULL);
	read_all();
	ck_assert(fake_round(&w.kernel));
	ck_assert(!late.over); /* one answer, but not at one stroke */
	fake_run(&w.kernel);
	ck_assert(late.over && !late.result);
	ck_assert_uint_eq(json_array_size(json_object_get(late.out, "denials")), 10000);
	json_decref(late.out);
	w.kernel.counted[w.kernel.counteds] = w.kernel.counted[0];
	w.kernel.counted[w.kernel.counteds++].key[3] = 8;
	ck_assert_ptr_null(call(seg_engine_denials, NULL, &code));
	ck_assert_str_eq(code, "too-many");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listing");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_denials_come_in_pieces);
	tcase_add_test(tcase, test_denials_for_who_does_not_read);
	tcase_add_test(tcase, test_the_policy_changes_under_denials);
	tcase_add_test(tcase, test_permits_come_when_the_loop_comes_round);
	tcase_add_test(tcase, test_permits_by_their_use);
	tcase_add_test(tcase, test_denials_at_once_are_bounded);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
