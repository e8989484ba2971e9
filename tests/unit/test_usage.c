/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What permits count, over applies, crashes and restarts. */

#include "engine_life.h"

START_TEST(test_usage_follows_the_id)
{
	begin();
	fake_count(&w.kernel, "admitted", "WEB", 0, 2, 120);
	fake_count(&w.kernel, "slow", "WEB", 0, 8, 880);
	fake_count(&w.kernel, "slow", "WEB", 1, 20, 5000);
	ck_assert_int_eq(used("WEB", "flows"), 2);
	ck_assert_int_eq(used("WEB", "packets"), 10); /* with the first of each flow */
	ck_assert_int_eq(used("WEB", "bytes"), 1000);
	ck_assert_int_eq(used("WEB", "reply-bytes"), 5000);
	ck_assert_int_eq(used("WEB", "packets"), 10); /* asking does not count */
	/* A changed meaning makes new elements; the totals go on. */
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	fake_count(&w.kernel, "slow", "WEB", 0, 1, 40);
	ck_assert_int_eq(used("WEB", "packets"), 11);
	/* Over an orderly restart, a crash and a reboot. */
	seg_engine_stop(w.engine, w.kernel.now);
	die();
	fake_count(&w.kernel, "slow", "WEB", 0, 5, 200);
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 16);
	pass(120); /* saved */
	die();
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 16);
	die();
	fake_flush(&w.kernel);
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 16);
	fake_count(&w.kernel, "slow", "WEB", 0, 4, 160);
	ck_assert_int_eq(used("WEB", "packets"), 20);
	ck_assert_int_eq(used("WEB", "reply-bytes"), 5000);
}
END_TEST

/* Packets of open flows, which are counted at the number's own element. */
static void count_fast(const char *permit, uint64_t packets)
{
	const struct seg_set *fast = seg_plan_set(w.kernel.image, "fast");
	uint32_t number = mark_of(permit);

	for (size_t i = 0; i < fast->elems; i++) {
		struct seg_elem *elem = (struct seg_elem *)&fast->elem[i];

		if (elem->key[0] == 0 &&
		    memcmp(elem->key + fast->key_len - sizeof(number), &number, sizeof(number)) == 0)
			elem->packets += packets;
	}
}

/* What a commit takes away and another brings back counts from nothing, however much it counts until it is
 * seen. */
START_TEST(test_usage_of_what_comes_back)
{
	begin();
	count_fast("WEB", 100);
	ck_assert_int_eq(used("WEB", "packets"), 100);
	json_decref(
		call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "lg", "reason", "a test"), NULL));
	ck_assert_uint_eq(mark_of("WEB"), 0);
	json_decref(call(seg_engine_release, json_pack("{s:s}", "target", "lg"), NULL));
	count_fast("WEB", 150);
	ck_assert_int_eq(used("WEB", "packets"), 250);
	pass(60);
	die();
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 250);
}
END_TEST

/* Somebody has committed, so that the kernel is read: an element that only gets another end goes on counting,
 * and the next life from there. */
START_TEST(test_usage_of_what_gets_another_end)
{
	begin();
	count_fast("OFFICE", 100);
	pass(120);
	ck_assert_int_eq(used("OFFICE", "packets"), 100);
	w.kernel.touched = true;
	write_policy(web, dns,
		     "  - {id: OFFICE, class: operations, from: lg, to: mn, service: [tcp/80],"
		     " hours: [mon-fri 08:00-18:00]}\n");
	json_decref(call(seg_engine_apply, NULL, NULL));
	die();
	begin();
	ck_assert_int_eq(used("OFFICE", "packets"), 100);
}
END_TEST

/* What leaves with a small change takes its counters along: they are read before, and nothing else is. */
START_TEST(test_usage_of_what_leaves)
{
	const char *code;
	unsigned sweeps;

	begin();
	count_fast("WEB", 100);
	ck_assert_int_eq(used("WEB", "packets"), 100);
	count_fast("WEB", 7);
	fake_count(&w.kernel, "slow", "WEB", 0, 1, 40);
	fake_count(&w.kernel, "admitted", "WEB", 0, 2, 120);
	sweeps = w.kernel.sweeps;
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", dns,
		     office);
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(w.kernel.sweeps, sweeps);
	ck_assert_int_eq(used("WEB", "packets"), 110);
	ck_assert_int_eq(used("WEB", "flows"), 2);
	count_fast("WEB", 5);
	ck_assert_int_eq(used("WEB", "packets"), 115);
	/* A commit that fails has taken nothing away, and nothing counts twice. */
	count_fast("WEB", 1);
	w.kernel.refuse = EINVAL;
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/9443]}\n", dns,
		     office);
	ck_assert_ptr_null(call(seg_engine_apply, NULL, &code));
	ck_assert_str_eq(code, "kernel");
	w.kernel.refuse = 0;
	count_fast("WEB", 1);
	ck_assert_int_eq(used("WEB", "packets"), 117);
}
END_TEST

static void packets_meanwhile(void)
{
	count_fast("WEB", 3);
	fake_count(&w.kernel, "slow", "WEB", 0, 1, 40);
	fake_count(&w.kernel, "admitted", "WEB", 0, 1, 40);
}

static void change_web(const char *rest)
{
	struct seg_strbuf line = {0};

	seg_strbuf_printf(&line, "  - {id: WEB, class: operations, from: lg, to: net, %s}\n", rest);
	write_policy(seg_strbuf_text(&line), dns, office);
	seg_strbuf_fini(&line);
	json_decref(call(seg_engine_apply, NULL, NULL));
}

/* Packets come between the reading and the commit: they are in what the kernel tells of elements that left,
 * and in what packets made, which stays. */
START_TEST(test_usage_until_the_commit)
{
	begin();
	count_fast("WEB", 100);
	w.kernel.meanwhile = packets_meanwhile;
	change_web("service: [tcp/8443]");
	ck_assert_int_eq(used("WEB", "packets"), 105);
	ck_assert_int_eq(used("WEB", "flows"), 1);
	/* Another end: the elements come again under their keys. Read from the plan, or from the kernel. */
	for (unsigned i = 1; i <= 4; i++) {
		w.kernel.touched = i > 2;
		change_web(i % 2 ? "service: [tcp/8443], valid: {from: 2026-01-01, until: 2091-12-31}"
				 : "service: [tcp/8443]");
		ck_assert_int_eq(used("WEB", "packets"), 105 + 5 * i);
	}
	/* Of a commit that fails nothing has left. */
	w.kernel.refuse = EINVAL;
	write_policy("", dns, office);
	json_decref(call(seg_engine_apply, NULL, &(const char *){NULL}));
	w.kernel.refuse = 0;
	ck_assert_int_eq(used("WEB", "packets"), 135); /* tried twice */
	/* A kernel that tells nothing. */
	w.kernel.mute = true;
	change_web("service: [tcp/9443]");
	ck_assert_int_eq(used("WEB", "packets"), 137);
	w.kernel.meanwhile = NULL;
	count_fast("WEB", 10);
	ck_assert_int_eq(used("WEB", "packets"), 147);
}
END_TEST

static int take_number(void *context, int columns, char **value, char **name)
{
	(void)columns;
	(void)name;
	*(int *)context = atoi(value[0]);
	return 0;
}

static int counters_kept(const char *where)
{
	char path[256], sql[256];
	int n = -1;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/audit.db", w.state);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM counters WHERE %s", where);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, take_number, &n, NULL), SQLITE_OK);
	sqlite3_close(db);
	return n;
}

/* An earlier life took an element away and died before it said so: nothing will ever show it. */
START_TEST(test_usage_of_what_left_unseen)
{
	static const char unseen[] = "packets = 77";

	begin();
	count_fast("WEB", 100);
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	ck_assert_int_eq(used("WEB", "packets"), 110);
	pass(60);
	die();
	rewrite_audit("INSERT INTO counters VALUES (zeroblob(16), 77, 7700, 9223372036854775807);");
	ck_assert_int_eq(counters_kept("1"), 3);
	begin();
	count_fast("WEB", 5);
	ck_assert_int_eq(used("WEB", "packets"), 115);
	pass(60);
	die();
	ck_assert_int_eq(counters_kept(unseen), 0);
	ck_assert_int_eq(counters_kept("1"), 2);
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 115);
}
END_TEST

/* The policy was changed while nobody was there: what the old number counted is still the permit's. */
START_TEST(test_usage_of_a_number_replaced_meanwhile)
{
	begin();
	count_fast("WEB", 100);
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	die();
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", dns,
		     office);
	w.kernel.meanwhile = packets_meanwhile;
	begin();
	w.kernel.meanwhile = NULL;
	ck_assert_int_eq(used("WEB", "packets"), 113); /* and 2 that were slow, and as late as the commit */
	count_fast("WEB", 5);
	ck_assert_int_eq(used("WEB", "packets"), 118);
}
END_TEST

/* An older segd kept totals alone: what the counters of its table stand at is in them already, and is only
 * noted, once. A state directory that is new knows nothing of a table that is in place. */
START_TEST(test_usage_of_an_older_life)
{
	begin();
	count_fast("WEB", 100);
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	ck_assert_int_eq(used("WEB", "packets"), 110);
	seg_engine_stop(w.engine, w.kernel.now);
	die();
	rewrite_audit("DELETE FROM counters; PRAGMA user_version=1;"
		      "CREATE TRIGGER full INSERT ON counters BEGIN SELECT RAISE(FAIL, 'full'); END;");
	begin(); /* what it noted cannot be saved */
	ck_assert_int_eq(used("WEB", "packets"), 110);
	die();
	rewrite_audit("DROP TRIGGER full; DROP TABLE counters;");
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 110);
	count_fast("WEB", 5);
	ck_assert_int_eq(used("WEB", "packets"), 115);
	die();
	count_fast("WEB", 7);
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 122);
	die();
	rewrite_audit("DROP TABLE counters; DROP TABLE usage; PRAGMA user_version=0;");
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 122);
	/* The table went, too: the new one's counters are in no total. */
	seg_engine_stop(w.engine, w.kernel.now);
	die();
	rewrite_audit("DROP TABLE counters; PRAGMA user_version=1;");
	fake_flush(&w.kernel);
	begin();
	count_fast("WEB", 4);
	ck_assert_int_eq(used("WEB", "packets"), 126);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("usage");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_usage_follows_the_id);
	tcase_add_test(tcase, test_usage_of_what_comes_back);
	tcase_add_test(tcase, test_usage_of_what_gets_another_end);
	tcase_add_test(tcase, test_usage_of_what_leaves);
	tcase_add_test(tcase, test_usage_until_the_commit);
	tcase_add_test(tcase, test_usage_of_what_left_unseen);
	tcase_add_test(tcase, test_usage_of_a_number_replaced_meanwhile);
	tcase_add_test(tcase, test_usage_of_an_older_life);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
