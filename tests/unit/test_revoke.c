/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Flows that lose their permit. */

#include "engine_life.h"

START_TEST(test_apply_revokes)
{
	struct seg_flow cut, stays;
	json_t *out;

	begin();
	cut = flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB");
	stays = flow("10.2.0.5", "198.51.100.1", 17, 53, "DNS");
	event_of(cut);
	event_of(stays);
	write_policy(dns, "", "");
	out = call(seg_engine_apply, json_pack("{s:s}", "comment", "less"), NULL);
	ck_assert_int_eq(number(json_object_get(out, "revoked"), "flows"), 1);
	ck_assert_int_eq(number(json_object_get(out, "revoked"), "permits"), 1);
	json_decref(out);
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(w.kernel.flow[0].id, stays.id);
	ck_assert_uint_eq(said("revoked|permit=WEB|count=1"), 1);
	ck_assert_uint_eq(said("applied|uid=1000|comment=less"), 1);
	ck_assert_uint_eq(said("violation"), 0);
}
END_TEST

START_TEST(test_revoked_by_permit_not_by_number)
{
	static const char both[] =
		"  - {id: BOTH, class: operations, from: [mn, lg], to: net, service: [tcp/443]}\n";
	struct seg_flow one, two;
	json_t *out;

	write_policy(both, dns, "");
	begin();
	two = flow("10.2.0.5", "198.51.100.1", 6, 443, "BOTH");
	one = flow("10.1.0.5", "198.51.100.1", 6, 443, "BOTH");
	one.mark = two.mark - 1; /* each pair of zones has its number */
	event_of(two);
	event_of(one);
	write_policy(dns, "", "");
	out = call(seg_engine_apply, NULL, NULL);
	ck_assert_int_eq(number(json_object_get(out, "revoked"), "flows"), 2);
	ck_assert_int_eq(number(json_object_get(out, "revoked"), "permits"), 1);
	json_decref(out);
	ck_assert_uint_eq(said("revoked|permit=BOTH|count=2"), 1);
}
END_TEST

START_TEST(test_covered_flow_lives_on)
{
	begin();
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	write_policy("  - {id: ALL, class: operations, from: lg, to: net, service: [tcp/1-1000]}\n", "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(said("revoked"), 0);
}
END_TEST

/* The flows that an apply was about to remove may go on, too. */
START_TEST(test_disarmed_under_a_revocation)
{
	struct late late = {.room = 1};
	const struct seg_request request = {.now = w.kernel.now, .done = take_late, .context = &late};
	json_t *out = NULL;

	begin();
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	write_policy(dns, office, "");
	ck_assert_int_eq(seg_engine_apply(w.engine, &request, &out), SEG_LATER);
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	fake_run(&w.kernel);
	ck_assert(late.over && late.result == 0);
	ck_assert_int_eq(number(json_object_get(late.out, "revoked"), "flows"), 0);
	ck_assert_uint_eq(w.kernel.flows, 1);
	json_decref(late.out);
}
END_TEST

/* Very many flows lose their permit: counted once each, whatever finds them, one revocation behind the other.
 */
START_TEST(test_revocations_wait_for_each_other)
{
	struct late first = {.room = 1}, second = {.room = 1}, gone = {.room = 1};
	const struct seg_request request[] = {{.now = w.kernel.now, .done = take_late, .context = &first},
					      {.now = w.kernel.now, .done = take_late, .context = &second},
					      {.now = w.kernel.now, .done = take_late, .context = &gone}};
	struct seg_flow other;
	json_t *out = NULL;

	begin();
	crowd(1000);
	other = flow("10.2.0.5", "198.51.100.1", 17, 53, "DNS");
	event_of(other);
	write_policy(dns, office, "");
	ck_assert_int_eq(seg_engine_apply(w.engine, &request[0], &out), SEG_LATER);
	ck_assert_uint_eq(said("applied|policy=2"), 1); /* the change is told at once */
	ck_assert_uint_eq(said("revoked"), 0);
	write_policy(office, "", "");
	ck_assert_int_eq(seg_engine_apply(w.engine, &request[1], &out), SEG_LATER);
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &w.kernel.flow[500], w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert(fake_walk_on(&w.kernel, &w.kernel.walk[0]));
	ck_assert(!w.kernel.walk[1].running);
	fake_run(&w.kernel);
	ck_assert(first.over && second.over);
	ck_assert_int_eq(number(json_object_get(first.out, "revoked"), "flows"), 1000);
	ck_assert_int_eq(number(json_object_get(first.out, "revoked"), "permits"), 1);
	ck_assert_int_eq(number(first.out, "version"), 2);
	ck_assert_int_eq(number(json_object_get(second.out, "revoked"), "flows"), 1);
	ck_assert_uint_eq(said("revoked|permit=WEB|count=1000|reason=apply"), 1);
	ck_assert_uint_eq(said("revoked|permit=DNS|count=1|reason=apply"), 1);
	ck_assert_uint_eq(w.kernel.flows, 0);
	json_decref(first.out);
	json_decref(second.out);

	write_policy(web, dns, office);
	json_decref(call(seg_engine_apply, NULL, NULL));
	crowd(300);
	write_policy(dns, office, "");
	ck_assert_int_eq(seg_engine_apply(w.engine, &request[2], &out), SEG_LATER);
	seg_engine_forget(w.engine, &gone); /* what was begun is done all the same */
	fake_run(&w.kernel);
	ck_assert(!gone.over);
	ck_assert_uint_eq(said("revoked|permit=WEB|count=300|reason=apply"), 1);
	write_policy(office, "", "");
	crowd(10);
	event_of(flow("10.2.0.5", "198.51.100.1", 17, 53, "DNS"));
	ck_assert_int_eq(seg_engine_apply(w.engine, &request[2], &out), SEG_LATER); /* and the engine ends */
}
END_TEST

static int drop_web(struct late *late)
{
	const struct seg_request request = {.now = w.kernel.now, .done = take_late, .context = late};
	json_t *out = NULL;
	int r;

	write_policy(dns, office, "");
	r = seg_engine_apply(w.engine, &request, &out);
	json_decref(out);
	return r;
}

static void bring_web_back(void)
{
	write_policy(web, dns, office);
	json_decref(call(seg_engine_apply, NULL, NULL));
}

/* Nobody looks for flows of what never carried any: known of numbers of this life, by events and by the kernel's
 * counters. */
START_TEST(test_nothing_to_look_for)
{
	struct late late = {.room = 1};
	uint32_t mark;

	begin();
	ck_assert_int_eq(drop_web(&late), 0);
	bring_web_back();
	w.kernel.flow[w.kernel.flows++] = flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"); /* unheard */
	mark = mark_of("WEB");
	w.kernel.counted[0] = (struct fake_counted){.set = "admitted", .packets = 1, .left_ms = HOUR * 1000};
	memcpy(w.kernel.counted[0].key, &mark, sizeof(mark));
	w.kernel.counteds = 1;
	ck_assert_int_eq(drop_web(&late), SEG_LATER);
	fake_run(&w.kernel);
	ck_assert_uint_eq(said("revoked|permit=WEB|count=1"), 1);
	json_decref(late.out);
	bring_web_back();
	die();
	begin();
	late = (struct late){.room = 1};
	ck_assert_int_eq(drop_web(&late), SEG_LATER); /* an earlier life may have seen something */
	fake_run(&w.kernel);
	json_decref(late.out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("revoke");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_apply_revokes);
	tcase_add_test(tcase, test_revoked_by_permit_not_by_number);
	tcase_add_test(tcase, test_covered_flow_lives_on);
	tcase_add_test(tcase, test_disarmed_under_a_revocation);
	tcase_add_test(tcase, test_revocations_wait_for_each_other);
	tcase_add_test(tcase, test_nothing_to_look_for);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
