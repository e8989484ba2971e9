/* SPDX-License-Identifier: GPL-2.0-or-later */

/* state.json and its copy: one of them gone, and both. */

#include "engine_life.h"

static const char stages[] = "stages: {web: {closes: {permits: [WEB]}}}\n";

static const char *const both[] = {"state.json", "state.json.copy"};

static void lose(const char *name, bool torn)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", w.state, name);
	ck_assert_int_eq(torn ? truncate(path, 20) : unlink(path), 0);
}

static void lose_both(bool torn)
{
	die();
	lose(both[0], torn);
	lose(both[1], torn);
	forget_alerts();
}

/* Sentences in a list of status, each in words that can be translated. */
static size_t in_status(const char *key)
{
	json_t *out = call(seg_engine_status, NULL, NULL), *list = json_object_get(out, key);
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n; i++)
		ck_assert(can_be_translated(out, json_string_value(json_array_get(list, i))));
	json_decref(out);
	return n;
}

static void isolate(const char *target, int seconds)
{
	json_decref(call(seg_engine_isolate,
			 json_pack("{s:s, s:s, s:i}", "target", target, "reason", target, "for", seconds), NULL));
}

static bool is_isolated(const char *target)
{
	json_t *out = call(seg_engine_isolated, NULL, NULL);
	bool found = find(out, "isolated", "target", target) != NULL;

	json_decref(out);
	return found;
}

START_TEST(test_first_start_loses_nothing)
{
	begin();
	ck_assert_uint_eq(said("state-lost") + said("store-failed"), 0);
	ck_assert_uint_eq(in_status("lost"), 0);
	die();
	begin();
	ck_assert_uint_eq(said("state-lost") + said("store-failed"), 0);
}
END_TEST

/* It ended before anything but an empty state was kept: still the first. */
START_TEST(test_first_start_that_ends_early)
{
	write_text("none");
	begin();
	die();
	write_policy(web, dns, "");
	begin();
	ck_assert_uint_eq(said("state-lost") + said("store-failed"), 0);
	ck_assert_int_eq(version_in_force(), 1);
}
END_TEST

START_TEST(test_one_file_is_enough)
{
	begin();
	isolate("clerk", 0);
	for (int i = 0; i < 4; i++) {
		die();
		lose(both[i % 2], i / 2);
		forget_alerts();
		begin();
		ck_assert(is_isolated("clerk"));
		ck_assert_uint_eq(said("state-lost"), 0);
		ck_assert_uint_eq(said("store-failed|state.json"), i == 1 ? 0 : 1); /* an older segd made no copy */
		ck_assert_uint_eq(in_status("lost") + in_status("unsaved"), 0);
	}
}
END_TEST

/* What the history tells comes back; and it is said until somebody has looked. */
START_TEST(test_emergency_comes_back_from_the_history)
{
	const json_t *one;
	json_t *out;

	write_policy(web, dns, stages);
	begin();
	isolate("mn", 0);
	isolate("clerk", 2 * HOUR);
	isolate("10.2.0.7", HOUR);
	isolate("10.2.0.8", 0);
	json_decref(call(seg_engine_release, json_pack("{s:s}", "target", "10.2.0.8"), NULL));
	json_decref(call(seg_engine_stage, json_pack("{s:s, s:s}", "stage", "web", "reason", "drill"), NULL));
	pass(60);
	isolate("mn", 3 * HOUR); /* changed: it has been isolated all along */
	pass(HOUR);
	lose_both(_i);
	begin();
	ck_assert_uint_eq(said("state-lost|version=1|isolated=2|stage=web"), 1);
	for (size_t i = 0; i < 2; i++) {
		char path[192];

		snprintf(path, sizeof(path), "%s/%s.lost", w.state, both[i]);
		ck_assert_int_eq(access(path, F_OK) == 0, _i); /* what was there is not written over */
	}
	ck_assert(is_isolated("mn") && is_isolated("clerk"));
	ck_assert(!is_isolated("10.2.0.7") && !is_isolated("10.2.0.8"));
	ck_assert_str_eq(explained("10.2.0.5", "10.9.0.1", "udp/53"), "isolated");
	ck_assert_str_eq(explained("10.2.0.6", "10.9.0.1", "tcp/443"), "stage");
	out = call(seg_engine_isolated, NULL, NULL);
	one = find(out, "isolated", "target", "mn");
	ck_assert_str_eq(json_string_value(json_object_get(one, "since")), "2026-11-24T10:00:00+09:00");
	ck_assert_str_eq(json_string_value(json_object_get(one, "until")), "2026-11-24T13:01:00+09:00");
	ck_assert_str_eq(json_string_value(json_object_get(one, "reason")), "mn");
	ck_assert_int_eq(number(one, "uid"), 1000);
	json_decref(out);
	ck_assert_uint_eq(in_status("lost"), 1);
	die();
	forget_alerts();
	begin(); /* the next one reads what this one kept */
	ck_assert(is_isolated("clerk"));
	ck_assert_uint_eq(said("state-lost"), 0);
	ck_assert_uint_eq(in_status("lost"), 1);
	seg_engine_reload(w.engine, w.kernel.now); /* nobody that looks */
	ck_assert_uint_eq(in_status("lost"), 1);
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(in_status("lost"), 0);
}
END_TEST

/* The name means another machine by now. */
START_TEST(test_addresses_come_back_from_the_history)
{
	begin();
	isolate("clerk", 0);
	pass(60);
	lose_both(false);
	write_text("segd: 1\nguard: none\nzones:\n"
		   "  lg: {tier: lgwan, interfaces: [eth2], networks: [10.2.0.0/24]}\n"
		   "  net: {tier: internet, interfaces: [eth3], networks: [any]}\n"
		   "hosts: {clerk: {address: 10.2.0.77}}\n"
		   "permits:\n  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/443]}\n");
	begin();
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
	ck_assert_str_eq(explained("10.2.0.77", "198.51.100.1", "tcp/443"), "isolated");
	ck_assert_str_eq(explained("10.2.0.6", "198.51.100.1", "tcp/443"), "permit");
}
END_TEST

/* Of a file that went back the last confirmed version is in force, as ever. */
START_TEST(test_confirmed_version_comes_back_from_the_history)
{
	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 60), NULL));
	if (_i)
		pass(61);
	lose_both(false);
	if (_i == 2)
		fake_flush(&w.kernel);
	begin();
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert_int_eq(version_in_force(), 1);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
	ck_assert_uint_eq(said("state-lost|version=1"), 1);
}
END_TEST

/* No history either: a file that may boot does, and it is said what nobody knows. */
START_TEST(test_nothing_is_left)
{
	begin();
	isolate("clerk", 0);
	lose_both(false);
	lose("audit.db", false);
	begin();
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert_uint_eq(said("state-lost|version=0|isolated=0"), 1);
	ck_assert_uint_eq(in_status("lost"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recall");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_first_start_loses_nothing);
	tcase_add_test(tcase, test_first_start_that_ends_early);
	tcase_add_test(tcase, test_one_file_is_enough);
	tcase_add_loop_test(tcase, test_emergency_comes_back_from_the_history, 0, 2);
	tcase_add_test(tcase, test_addresses_come_back_from_the_history);
	tcase_add_loop_test(tcase, test_confirmed_version_comes_back_from_the_history, 0, 3);
	tcase_add_test(tcase, test_nothing_is_left);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
