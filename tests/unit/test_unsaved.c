/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What the state directory does not take: told, tried again, never in the way. */

#include <signal.h>
#include <sys/resource.h>

#include "engine/state.h"
#include "engine_life.h"

/* What is written meanwhile finds the disk full; check writes files, too, so that nothing is checked in
 * between. */
static struct rlimit room;

static void fill_disk(void)
{
	const struct rlimit none = {0, RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &room);
	setrlimit(RLIMIT_FSIZE, &none);
}

static void empty_disk(void)
{
	setrlimit(RLIMIT_FSIZE, &room);
}

/* A start that gives no number needs no disk to write to: what was appended stands there in another order. */
START_TEST(test_starts_on_a_full_disk)
{
	uint32_t mark;

	begin();
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", dns,
		     office);
	json_decref(call(seg_engine_apply, NULL, NULL));
	mark = mark_of("WEB");
	die();
	fake_flush(&w.kernel); /* a reboot */
	fill_disk();
	begin();
	empty_disk();
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert_uint_eq(mark_of("WEB"), mark);
}
END_TEST

/* How many things status says are not stored, each in words that can be translated. */
static size_t unsaved(void)
{
	json_t *out = call(seg_engine_status, NULL, NULL), *list = json_object_get(out, "unsaved");
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n; i++)
		ck_assert(can_be_translated(out, json_string_value(json_array_get(list, i))));
	json_decref(out);
	return n;
}

static bool history_has(json_int_t version, const char *result)
{
	json_t *out = call(seg_engine_history, NULL, NULL), *list = json_object_get(out, "history");
	bool found = false;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		found |= number(one, "version") == version &&
			 !strcmp(json_string_value(json_object_get(one, "result")), result);
	}
	json_decref(out);
	return found;
}

/* The number is the same, the policy another. */
static const char earlier_office[] =
	"  - {id: OFFICE, class: operations, from: lg, to: mn, service: [tcp/80],"
	" hours: [mon-fri 07:00-09:00]}\n";

/* A file that needs no new number comes into force, though the disk has no room for it. */
static void start_unstored(void)
{
	begin();
	die();
	fake_flush(&w.kernel);
	write_policy(web, dns, earlier_office);
	forget_alerts();
	fill_disk();
	begin();
	for (int i = 0; i < 90; i++)
		pass(1);
	empty_disk();
	ck_assert_uint_eq(mark_of("OFFICE"), 0);
	ck_assert_int_eq(version_in_force(), 0);
}

START_TEST(test_unstored_is_said)
{
	start_unstored();
	ck_assert_uint_eq(unsaved(), 2);
	ck_assert_uint_eq(said("store-failed|versions"), 1);
	ck_assert_uint_le(said("store-failed|audit.db"), 2); /* that it could not be opened; or written */
	pass(1);
	ck_assert_uint_eq(unsaved(), 0);
}
END_TEST

/* As soon as there is room it has a version, a place in the history, and boots: by itself, by an apply, at
 * the end. */
START_TEST(test_unstored_is_stored_later)
{
	json_t *out;

	start_unstored();
	if (_i == 0) {
		pass(1);
	} else if (_i == 1) {
		out = call(seg_engine_apply, json_pack("{s:s}", "comment", "mine"), NULL);
		ck_assert_int_eq(number(out, "version"), 2);
		json_decref(out);
		ck_assert_uint_eq(said("applied|policy=2|comment=mine"), 1);
		pass(1);
	} else {
		seg_engine_stop(w.engine, w.kernel.now);
	}
	ck_assert_int_eq(version_in_force(), 2);
	ck_assert(history_has(2, "confirmed"));
	ck_assert_uint_eq(said("applied|policy=2"), 1);
	die();
	fake_flush(&w.kernel);
	unlink(w.policy);
	begin();
	ck_assert_int_eq(version_in_force(), 2);
	ck_assert_uint_eq(mark_of("OFFICE"), 0);
	out = call(seg_engine_rollback, NULL, NULL);
	ck_assert_int_eq(number(out, "version"), 1);
	json_decref(out);
}
END_TEST

/* That something else could be stored does not store it. */
START_TEST(test_unstored_alone)
{
	char path[128];
	FILE *file;

	begin();
	die();
	write_policy(web, dns, earlier_office);
	snprintf(path, sizeof(path), "%s/versions/.new", w.state);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fclose(file);
	begin();
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 NULL));
	pass(1);
	ck_assert_uint_eq(unsaved(), 1);
	unlink(path);
	pass(1);
	ck_assert_uint_eq(unsaved(), 0);
	ck_assert_int_eq(version_in_force(), 2);
}
END_TEST

START_TEST(test_apply_of_unstored_without_room)
{
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;
	int r;

	start_unstored();
	fill_disk();
	r = seg_engine_apply(w.engine, &request, &out);
	empty_disk();
	ck_assert_int_lt(r, 0);
	ck_assert_str_eq(json_string_value(json_object_get(out, "code")), "store");
	json_decref(out);
}
END_TEST

/* What never had a version goes back to the last confirmed one, and stays away. */
START_TEST(test_rollback_of_unstored)
{
	start_unstored();
	json_decref(call(seg_engine_rollback, NULL, NULL));
	ck_assert_int_eq(version_in_force(), 1);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
	ck_assert(status_says(" was rolled back or never confirmed"));
	die();
	begin();
	ck_assert_int_eq(version_in_force(), 1);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
}
END_TEST

/* Deeds are in the history and the evidence, though the disk was full when they were done. */
START_TEST(test_history_of_a_full_disk)
{
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;
	const char *code;

	begin();
	write_policy("nonsense\n", "", "");
	fill_disk();
	seg_engine_apply(w.engine, &request, &out);
	json_decref(out);
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 &code));
	pass(1);
	empty_disk();
	ck_assert_uint_eq(unsaved(), 2);
	pass(1);
	ck_assert_uint_eq(unsaved(), 0);
	ck_assert(history_has(0, "refused"));
	out = call(seg_engine_history, NULL, NULL);
	ck_assert_ptr_nonnull(find(out, "actions", "event", "isolated"));
	json_decref(out);
}
END_TEST

/* What is over the bound and cannot be deleted yet makes nothing twice of what came. */
START_TEST(test_evidence_that_makes_no_room)
{
	json_t *out, *one;
	size_t n = 0, i;

	begin();
	rewrite_audit("INSERT INTO events VALUES (300000, 1, 'stopped', '{}');"
		      "CREATE TRIGGER full DELETE ON events BEGIN SELECT RAISE(FAIL, 'full'); END;");
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 NULL));
	pass(3);
	pass(3);
	out = call(seg_engine_history, NULL, NULL);
	json_array_foreach(json_object_get(out, "actions"), i, one)
	{
		n += strcmp(json_string_value(json_object_get(one, "event")), "isolated") == 0;
	}
	ck_assert_uint_eq(n, 1);
	json_decref(out);
}
END_TEST

/* What others do makes no room at the cost of what people did in an emergency, which a start may need. */
START_TEST(test_evidence_of_emergencies_stays)
{
	static const struct seg_nft_transaction foreign = {.ours = true, .what = "added chain x of table inet segd"};
	json_t *out;

	begin();
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 NULL));
	pass(61);
	rewrite_audit("INSERT INTO events VALUES (300000, 1, 'stopped', '{}');");
	seg_engine_transaction(w.engine, &foreign, w.kernel.now);
	pass(61);
	out = call(seg_engine_history, NULL, NULL);
	ck_assert_ptr_nonnull(find(out, "actions", "event", "isolated"));
	json_decref(out);
}
END_TEST

/* A start that could not read the totals adds to them as soon as it can, and counts nothing twice. */
START_TEST(test_usage_behind_a_full_disk)
{
	begin();
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	pass(120); /* saved */
	seg_engine_stop(w.engine, w.kernel.now);
	die();
	if (_i)
		fake_flush(&w.kernel); /* a reboot */
	fill_disk();
	begin();
	empty_disk();
	fake_count(&w.kernel, "slow", "WEB", 0, 5, 200);
	pass(61);
	pass(61);
	ck_assert_int_eq(used("WEB", "packets"), 15);
	die();
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 15);
}
END_TEST

/* More than can be remembered happens while the disk is full: what became of a policy is kept before events. */
START_TEST(test_history_goes_last)
{
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;

	begin();
	write_policy("nonsense\n", "", "");
	fill_disk();
	seg_engine_apply(w.engine, &request, &out);
	for (int i = 0; i < 300; i++) {
		struct seg_alert alert;

		seg_alert_init(&alert, "expired", SEG_NOTICE, w.kernel.now + i);
		seg_evidence_take(w.engine, &alert);
		seg_alert_fini(&alert);
	}
	empty_disk();
	json_decref(out);
	pass(1);
	ck_assert(history_has(0, "refused"));
}
END_TEST

/* Said while the disk was full, it is kept as soon as there is room: in a second, or at the end. */
START_TEST(test_isolation_on_a_full_disk)
{
	const char *code;
	json_t *out;

	begin();
	fill_disk();
	out = call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
		   &code);
	empty_disk();
	ck_assert_ptr_null(out);
	ck_assert_str_eq(code, "store"); /* it may not outlive us, and whoever asked is told so */
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
	if (_i)
		pass(1);
	else
		seg_engine_stop(w.engine, w.kernel.now);
	die();
	begin();
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
}
END_TEST

/* Whatever is done and not stored, who asked for it hears of that. */
START_TEST(test_done_and_not_stored)
{
	const char *code;
	char path[128];

	snprintf(path, sizeof(path), "%s/.state.json.new", w.state);
	write_policy(web, dns, one_stage);
	begin();
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 NULL));
	write_policy(web, dns, office);
	json_decref(call(seg_engine_apply, NULL, NULL));
	write_policy(web, dns, one_stage);
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_int_eq(mkdir(path, 0700), 0); /* a folder, which cannot be written as a file */
	ck_assert_ptr_null(
		call(seg_engine_stage, json_pack("{s:s, s:s}", "stage", "alone", "reason", "x"), &code));
	ck_assert_str_eq(code, "store");
	ck_assert_ptr_null(call(seg_engine_release, json_pack("{s:s}", "target", "clerk"), &code));
	ck_assert_str_eq(code, "store");
	ck_assert_ptr_null(call(seg_engine_rollback, NULL, &code));
	ck_assert_str_eq(code, "store");
	ck_assert_uint_ne(mark_of("OFFICE"), 0); /* all of it is in force */
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "udp/53"), "permit");
	ck_assert_int_eq(rmdir(path), 0);
	pass(1);
	die();
	begin();
	ck_assert_uint_ne(mark_of("OFFICE"), 0); /* and stored once it could be */
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "udp/53"), "permit");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unsaved");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_starts_on_a_full_disk);
	tcase_add_test(tcase, test_unstored_is_said);
	tcase_add_loop_test(tcase, test_unstored_is_stored_later, 0, 3);
	tcase_add_test(tcase, test_unstored_alone);
	tcase_add_test(tcase, test_apply_of_unstored_without_room);
	tcase_add_test(tcase, test_rollback_of_unstored);
	tcase_add_test(tcase, test_history_of_a_full_disk);
	tcase_add_test(tcase, test_evidence_that_makes_no_room);
	tcase_add_test(tcase, test_evidence_of_emergencies_stays);
	tcase_add_loop_test(tcase, test_usage_behind_a_full_disk, 0, 2);
	tcase_add_test(tcase, test_history_goes_last);
	tcase_add_loop_test(tcase, test_isolation_on_a_full_disk, 0, 2);
	tcase_add_test(tcase, test_done_and_not_stored);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
