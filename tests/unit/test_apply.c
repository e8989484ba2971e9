/* SPDX-License-Identifier: GPL-2.0-or-later */

/* An apply: what it refuses, what it writes, what it leaves alone. */

#include "engine_life.h"

START_TEST(test_unchanged_writes_nothing)
{
	json_t *out;

	begin();
	w.kernel.writes = 0;
	out = call(seg_engine_apply, NULL, NULL);
	ck_assert(json_is_true(json_object_get(out, "unchanged")));
	ck_assert_int_eq(number(out, "version"), 1);
	json_decref(out);
	ck_assert_uint_eq(w.kernel.writes, 0);
}
END_TEST

START_TEST(test_refused_names_everything)
{
	const char *code;

	begin();
	write_policy("  - {id: A, from: x, to: net, service: [tcp/1]}\n",
		     "  - {id: B, from: y, to: net, service: [tcp/1]}\n", "");
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;
	ck_assert_int_lt(seg_engine_apply(w.engine, &request, &out), 0);
	code = json_string_value(json_object_get(out, "code"));
	ck_assert_str_eq(code, "refused");
	ck_assert_uint_ge(json_array_size(json_object_get(out, "errors")), 2);
	json_decref(out);
	ck_assert_uint_eq(said("refused"), 1);
	ck_assert_uint_ne(mark_of("WEB"), 0);
	out = call(seg_engine_history, NULL, NULL);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(find(out, "history", "result", "refused"), "reason")),
				     "policy.yaml:"));
	json_decref(out);
}
END_TEST

START_TEST(test_kernel_refusal_changes_nothing)
{
	const char *code;
	uint32_t mark;

	begin();
	mark = mark_of("WEB");
	write_policy(dns, "  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", "");
	w.kernel.refuse = ENOMEM;
	ck_assert_ptr_null(call(seg_engine_apply, NULL, &code));
	ck_assert_str_eq(code, "kernel");
	w.kernel.refuse = 0;
	w.kernel.writes = 0;
	pass(HOUR);
	ck_assert_uint_eq(mark_of("WEB"), mark); /* the numbers of the running policy came back */
	die();
	write_policy(web, dns, office);
	begin();
	ck_assert_uint_eq(mark_of("WEB"), mark);
	ck_assert_uint_eq(w.kernel.writes, 0);
}
END_TEST

START_TEST(test_own_session_is_kept)
{
	const char *ssh = "  - {id: SSH, class: operations, from: lg, to: gateway, service: [tcp/22]}\n";
	const char *session = "10.2.0.5 50000 10.2.0.1 22", *code;

	write_policy(ssh, web, "");
	begin();
	write_policy(web, "", "");
	ck_assert_ptr_null(call(seg_engine_apply, json_pack("{s:s}", "session", session), &code));
	ck_assert_str_eq(code, "would-cut-session");
	ck_assert_uint_ne(mark_of("SSH"), 0);
	json_decref(call(seg_engine_apply, json_pack("{s:s, s:b}", "session", session, "force", 1), NULL));
	ck_assert_uint_eq(mark_of("SSH"), 0);
}
END_TEST

/* Also on the way back, which asks whom it cuts now, not whom it cut then. */
START_TEST(test_own_session_is_kept_by_a_rollback)
{
	const char *ssh = "  - {id: SSH, class: operations, from: lg, to: gateway, service: [tcp/22]}\n";
	const char *session = "10.2.0.5 50000 10.2.0.1 22", *code;

	write_policy(web, "", "");
	begin();
	write_policy(ssh, web, "");
	json_decref(call(seg_engine_apply, json_pack("{s:s}", "session", session), NULL));
	ck_assert_ptr_null(call(seg_engine_rollback, json_pack("{s:s}", "session", session), &code));
	ck_assert_str_eq(code, "would-cut-session");
	ck_assert_uint_ne(mark_of("SSH"), 0);
	ck_assert_int_eq(version_in_force(), 2);
	json_decref(call(seg_engine_rollback, json_pack("{s:s, s:b}", "session", session, "force", 1), NULL));
	ck_assert_uint_eq(mark_of("SSH"), 0);
	json_decref(call(seg_engine_rollback, json_pack("{s:i, s:s}", "version", 1, "session", session), NULL));
	json_decref(call(seg_engine_rollback, json_pack("{s:i, s:s}", "version", 2, "session", session), NULL));
	ck_assert_uint_ne(mark_of("SSH"), 0);
}
END_TEST

static char *permits_of_ports(unsigned n, unsigned others, unsigned first)
{
	struct seg_strbuf text = {0};

	for (unsigned i = 0; i < n; i++)
		seg_strbuf_printf(&text,
				  "  - {id: P%u, class: internal, from: lg, to: net, service: [tcp/%u]}\n", i,
				  (i < others ? first : 1000) + i);
	return seg_strbuf_take(&text);
}

static void apply_ports(unsigned n, unsigned others, unsigned first)
{
	char *text = permits_of_ports(n, others, first);

	write_policy(text, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	free(text);
}

/* A few elements are taken out of a set of intervals; for many, new sets come in its place. */
START_TEST(test_many_intervals_leave_with_their_set)
{
	unsigned structure;

	begin();
	apply_ports(300, 0, 0);
	structure = w.kernel.image->generation;
	apply_ports(300, 5, 2000);
	ck_assert_uint_eq(w.kernel.image->generation, structure);
	apply_ports(300, 300, 3000);
	ck_assert_uint_gt(w.kernel.image->generation, structure);
	ck_assert_uint_ne(mark_of("P299"), 0);
	/* Also where nearly all go, and none comes. */
	structure = w.kernel.image->generation;
	apply_ports(2, 2, 3000);
	ck_assert_uint_gt(w.kernel.image->generation, structure);
	ck_assert_uint_eq(mark_of("P299"), 0);
}
END_TEST

/* Everything made anew costs more the more it is. */
START_TEST(test_few_intervals_leave_many_one_by_one)
{
	unsigned structure;

	begin();
	apply_ports(1000, 0, 0);
	structure = w.kernel.image->generation;
	apply_ports(1000, 22, 5000);
	ck_assert_uint_eq(w.kernel.image->generation, structure);
}
END_TEST

/* The table of an older segd has no sets of its own for flows with the gateway. */
START_TEST(test_upgrade_of_a_table_without_roads)
{
	struct seg_plan *image;
	char path[128];
	size_t n = 0;

	begin();
	die();
	snprintf(path, sizeof(path), "%s/imprint", w.state);
	ck_assert_int_eq(unlink(path), 0); /* as old a segd leaves none */
	image = w.kernel.image;
	for (size_t i = 0; i < image->sets; i++) {
		const struct seg_set *set = image->set[i];

		if (strcmp(set->name, "fast-own") && strcmp(set->name, "live-own"))
			((const struct seg_set **)image->set)[n++] = set;
	}
	ck_assert_uint_eq(image->sets, n + 2);
	image->sets = n;
	begin();
	ck_assert_ptr_nonnull(seg_plan_set(w.kernel.image, "fast-own"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("apply");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_unchanged_writes_nothing);
	tcase_add_test(tcase, test_refused_names_everything);
	tcase_add_test(tcase, test_kernel_refusal_changes_nothing);
	tcase_add_test(tcase, test_own_session_is_kept);
	tcase_add_test(tcase, test_own_session_is_kept_by_a_rollback);
	tcase_add_test(tcase, test_many_intervals_leave_with_their_set);
	tcase_add_test(tcase, test_few_intervals_leave_many_one_by_one);
	tcase_add_test(tcase, test_upgrade_of_a_table_without_roads);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
