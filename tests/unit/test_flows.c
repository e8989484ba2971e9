/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Flows, as they are asked for. */

#include "engine_life.h"

START_TEST(test_the_busiest_flows)
{
	static const uint64_t bytes[] = {30, 70, 10, 90, 50, 20, 80};
	static const long long wanted[] = {90, 80, 70};
	json_t *out, *flows, *pairs;

	begin();
	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++) {
		struct seg_flow one = flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB");

		one.sport = (uint16_t)(40000 + i);
		one.packets = one.reply_packets = 1;
		one.bytes = bytes[i] - 1;
		one.reply_bytes = 1;
		event_of(one);
	}
	out = call(seg_engine_flows, json_pack("{s:i}", "busiest", 3), NULL);
	flows = json_object_get(out, "flows");
	pairs = json_object_get(out, "pairs");
	ck_assert_uint_eq(json_array_size(flows), 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(number(json_array_get(flows, i), "bytes") + 1, wanted[i]);
	ck_assert_uint_eq(json_array_size(pairs), 1);
	ck_assert_int_eq(number(json_array_get(pairs, 0), "flows"), 7);
	ck_assert_int_eq(number(json_array_get(pairs, 0), "bytes"), 350);
	json_decref(out);
}
END_TEST

static int ask_flows(struct late *late, json_t *params)
{
	return ask_pieces(late, seg_engine_flows, params);
}

START_TEST(test_flows_come_in_pieces)
{
	struct late late = {.room = 100};

	begin();
	crowd(1000);
	ck_assert_int_eq(ask_flows(&late, NULL), SEG_LATER);
	ck_assert_uint_eq(late.pieces, 0); /* nothing before the loop comes round */
	fake_run(&w.kernel);
	ck_assert(late.over && late.result == 0);
	ck_assert_uint_eq(late.pieces, 3);
	ck_assert_uint_eq(late.lines + json_array_size(json_object_get(late.out, "flows")), 1000);
	json_decref(late.out);
}
END_TEST

START_TEST(test_who_does_not_read_pauses_his_own_walk)
{
	struct late slow = {.room = 1}, quick = {.room = 1000};

	begin();
	crowd(1000);
	ck_assert_int_eq(ask_flows(&slow, NULL), SEG_LATER);
	ck_assert_int_eq(ask_flows(&quick, NULL), SEG_LATER);
	fake_run(&w.kernel);
	ck_assert(!slow.over && slow.pieces == 1);
	ck_assert(quick.over);
	json_decref(quick.out);
	for (size_t pieces = 1; !slow.over; pieces++) {
		ck_assert_uint_eq(slow.pieces, pieces);
		seg_engine_resume(w.engine, &slow, w.kernel.now);
		fake_run(&w.kernel);
	}
	ck_assert_uint_eq(slow.lines + json_array_size(json_object_get(slow.out, "flows")), 1000);
	json_decref(slow.out);
}
END_TEST

START_TEST(test_who_goes_away_ends_his_walk)
{
	struct late gone = {.room = 1}, idle = {.room = 1};

	begin();
	crowd(1000);
	ck_assert_int_eq(ask_flows(&gone, NULL), SEG_LATER);
	fake_run(&w.kernel);
	seg_engine_forget(w.engine, &gone);
	seg_engine_forget(w.engine, &gone);
	seg_engine_resume(w.engine, &gone, w.kernel.now);
	fake_run(&w.kernel);
	ck_assert(!gone.over && gone.pieces == 1);
	for (size_t i = 0; i < FAKE_WALKS; i++)
		ck_assert(!w.kernel.walk[i].running);
	ck_assert_int_eq(ask_flows(&idle, NULL), SEG_LATER); /* the engine ends while it is asked */
}
END_TEST

START_TEST(test_one_answer_is_bounded)
{
	const char *code;
	json_t *out;

	begin();
	crowd(10000);
	out = call(seg_engine_flows, NULL, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "flows")), 10000);
	json_decref(out);
	crowd(1);
	ck_assert_ptr_null(call(seg_engine_flows, NULL, &code));
	ck_assert_str_eq(code, "too-many");
	out = call(seg_engine_flows, json_pack("{s:s}", "zone", "mn"), NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "flows")), 0);
	json_decref(out);
}
END_TEST

START_TEST(test_diff_of_very_many_flows)
{
	struct late late = {.room = 1};
	const struct seg_request request = {.now = w.kernel.now, .done = take_late, .context = &late};
	json_t *out = NULL;

	begin();
	crowd(10500);
	write_policy(dns, office, "");
	out = call(seg_engine_diff, NULL, NULL);
	ck_assert_int_eq(number(out, "cut"), 10500);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "flows")), 10000);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "closes")), 1);
	json_decref(out);
	ck_assert_int_eq(seg_engine_diff(w.engine, &request, &out), SEG_LATER);
	ck_assert(fake_walk_on(&w.kernel, &w.kernel.walk[0]));
	json_decref(
		call(seg_engine_apply, NULL, NULL)); /* ends the walk too: against what is in force by then */
	ck_assert(late.over && late.result == 0);
	ck_assert_uint_eq(json_array_size(json_object_get(late.out, "closes")), 0);
	json_decref(late.out);
	late = (struct late){.room = 1};
	ck_assert_int_eq(seg_engine_diff(w.engine, &request, &out), SEG_LATER);
	seg_engine_forget(w.engine, &late);
	fake_run(&w.kernel);
	ck_assert(!late.over);
	ck_assert_int_eq(seg_engine_diff(w.engine, &request, &out),
			 SEG_LATER); /* the engine ends while it is asked */
}
END_TEST

START_TEST(test_the_policy_changes_under_a_walk)
{
	struct late all = {.room = 1}, busiest = {.room = 1};

	begin();
	crowd(1000);
	ck_assert_int_eq(ask_flows(&all, NULL), SEG_LATER);
	ck_assert_int_eq(ask_flows(&busiest, json_pack("{s:i}", "busiest", 5)), SEG_LATER);
	ck_assert(fake_walk_on(&w.kernel, &w.kernel.walk[1]));
	ck_assert(fake_walk_on(&w.kernel, &w.kernel.walk[1]));
	write_policy(web, dns, "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	fake_run(&w.kernel);
	ck_assert(busiest.over && busiest.result == 0);
	ck_assert_int_eq(number(json_array_get(json_object_get(busiest.out, "pairs"), 0), "flows"), 1000);
	ck_assert_int_eq(number(json_array_get(json_object_get(busiest.out, "flows"), 0), "bytes"), 999);
	json_decref(busiest.out);
	while (!all.over) {
		seg_engine_resume(w.engine, &all, w.kernel.now);
		fake_run(&w.kernel);
	}
	ck_assert_uint_eq(all.lines + json_array_size(json_object_get(all.out, "flows")), 1000);
	json_decref(all.out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flows");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_the_busiest_flows);
	tcase_add_test(tcase, test_flows_come_in_pieces);
	tcase_add_test(tcase, test_who_does_not_read_pauses_his_own_walk);
	tcase_add_test(tcase, test_who_goes_away_ends_his_walk);
	tcase_add_test(tcase, test_one_answer_is_bounded);
	tcase_add_test(tcase, test_diff_of_very_many_flows);
	tcase_add_test(tcase, test_the_policy_changes_under_a_walk);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
