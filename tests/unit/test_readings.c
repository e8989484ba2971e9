/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Counters read in slices, and who waits for them. */

#include "engine_life.h"

/* The slices up to the middle of a set: its first piece was shown. */
static void read_into(const char *set)
{
	while (strcmp(w.kernel.counting, set) != 0 || !w.kernel.shown)
		ck_assert(fake_slice(&w.kernel));
}

/* Who asks has what was counted before, whoever else's reading was under way; one reading serves all. */
START_TEST(test_two_ask_at_once)
{
	struct late first, second, third;
	unsigned before;

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(4, 10);
	before = w.kernel.readings;
	ask(&first, seg_engine_status, NULL);
	read_into("denied4");
	w.kernel.counted[0].packets++; /* shown already */
	ask(&second, seg_engine_status, NULL);
	ask(&third, seg_engine_status, NULL);
	ck_assert(!first.over);
	while (!first.over)
		ck_assert(fake_slice(&w.kernel));
	ck_assert_int_eq(denied(&first), 40);
	ck_assert(!second.over);
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&second), 41);
	ck_assert_int_eq(denied(&third), 41);
	ck_assert_uint_eq(w.kernel.readings, before + 2);
}
END_TEST

/* Asked for permits alone, nobody waits for the refusals. */
START_TEST(test_reads_what_is_wanted)
{
	unsigned before;

	begin();
	fake_slices(&w.kernel);
	before = w.kernel.readings;
	json_decref(call(seg_engine_permits, NULL, NULL));
	ck_assert_uint_eq(w.kernel.readings, before);
	json_decref(call(seg_engine_denials, NULL, NULL));
	ck_assert_uint_eq(w.kernel.readings, before + 1);
}
END_TEST

START_TEST(test_client_gone_while_it_is_read)
{
	struct late gone, stays;

	begin();
	refuse_pairs(4, 10);
	ask(&gone, seg_engine_status, NULL);
	read_into("denied4");
	ask(&stays, seg_engine_status, NULL);
	seg_engine_forget(w.engine, &gone);
	fake_slices(&w.kernel);
	ck_assert(!gone.over);
	ck_assert_int_eq(denied(&stays), 40);
	ask(&gone, seg_engine_status, NULL);
	read_into("denied4");
	die(); /* and with the daemon */
	ck_assert(!gone.over);
	begin();
}
END_TEST

/* A reading that breaks off is done again; what it showed is not counted again. */
START_TEST(test_reading_breaks_off)
{
	struct late answer;

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(4, 10);
	ask(&answer, seg_engine_status, NULL);
	read_into("denied4");
	w.kernel.count_fails = 3;
	w.kernel.counted[3].packets++;
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 41);
	ck_assert_int_eq(w.kernel.count_fails, 0);
	/* For ever: what is known is the answer, and it comes. */
	w.kernel.count_fails = 1000;
	w.kernel.counted[0].packets++;
	ask(&answer, seg_engine_status, NULL);
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 42);
	ck_assert_int_gt(w.kernel.count_fails, 0);
}
END_TEST

/* An apply in the middle reads what it takes away at one stroke; the reading goes on behind it. */
START_TEST(test_apply_while_it_is_read)
{
	struct late answer;

	begin();
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	fake_count(&w.kernel, "slow", "WEB", 1, 20, 2000);
	fake_count(&w.kernel, "slow", "DNS", 0, 30, 3000);
	refuse_pairs(4, 10);
	ask(&answer, seg_engine_status, NULL);
	read_into("slow");
	w.kernel.counted[0].packets++;
	w.kernel.counted[2].packets++;
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_int_eq(denied(&answer), 40);
	ck_assert_int_eq(used("WEB", "packets"), 11);
	ck_assert_int_eq(used("WEB", "reply-packets"), 20);
	write_policy(web, dns, "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_int_eq(used("DNS", "packets"), 31);
	/* Sealed and disarmed there is less to read, or nothing: whoever waits is answered. */
	ask(&answer, seg_engine_status, NULL);
	read_into("denied4");
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	seg_engine_tick(w.engine, w.kernel.now, 0);
	ck_assert_int_eq(denied(&answer), 40);
}
END_TEST

/* Passed over while another element ended, one is still who it was. One whose time is over is another. */
START_TEST(test_elements_end_while_they_are_read)
{
	struct fake_counted passed_over;
	struct late answer;

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(4, 10);
	json_decref(call(seg_engine_status, NULL, NULL));
	ask(&answer, seg_engine_status, NULL);
	read_into("denied4");
	/* The first one ends: the third takes its place, where the reading has been. */
	passed_over = w.kernel.counted[2];
	memmove(&w.kernel.counted[0], &w.kernel.counted[1], 3 * sizeof(w.kernel.counted[0]));
	w.kernel.counteds = 3;
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 40);
	w.kernel.counted[1].packets += 5;
	ask(&answer, seg_engine_status, NULL);
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 45);
	/* Gone for an hour, and made anew. */
	w.kernel.counteds = 0;
	pass(30 * 60);
	pass(HOUR);
	passed_over.packets = 60;
	w.kernel.counted[w.kernel.counteds++] = passed_over;
	ask(&answer, seg_engine_status, NULL);
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 105);
}
END_TEST

/* Rules that somebody flushed take the counters with them: what comes up again counts from nothing. */
START_TEST(test_flushed_while_it_is_read)
{
	const struct seg_nft_transaction foreign = {.ours = true, .what = "deleted table inet segd"};
	struct late answer;

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(4, 10);
	json_decref(call(seg_engine_status, NULL, NULL));
	ask(&answer, seg_engine_status, NULL);
	read_into("denied4");
	fake_flush(&w.kernel);
	take_hand(&foreign);
	refuse_pairs(4, 12);
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 88);
}
END_TEST

/* What is kept of the kernel's counters fits the totals also where a reading is under way: a crash then
 * counts nothing twice. */
START_TEST(test_saved_while_it_is_read)
{
	struct late answer;

	begin();
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	fake_count(&w.kernel, "slow", "WEB", 1, 20, 2000);
	fake_count(&w.kernel, "slow", "DNS", 0, 30, 3000);
	pass(60);
	w.kernel.counted[0].packets += 5;
	w.kernel.counted[2].packets += 5;
	ask(&answer, seg_engine_permits, NULL);
	read_into("slow"); /* WEB's, and not DNS' */
	elapse(60);
	seg_engine_tick(w.engine, w.kernel.now, 0); /* saved */
	w.kernel.counted[0].packets += 1;
	die();
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 16);
	ck_assert_int_eq(used("WEB", "reply-packets"), 20);
	ck_assert_int_eq(used("DNS", "packets"), 35);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("readings");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_two_ask_at_once);
	tcase_add_test(tcase, test_reads_what_is_wanted);
	tcase_add_test(tcase, test_client_gone_while_it_is_read);
	tcase_add_test(tcase, test_reading_breaks_off);
	tcase_add_test(tcase, test_apply_while_it_is_read);
	tcase_add_test(tcase, test_elements_end_while_they_are_read);
	tcase_add_test(tcase, test_flushed_while_it_is_read);
	tcase_add_test(tcase, test_saved_while_it_is_read);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
