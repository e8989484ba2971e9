/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Flows that no permit explains. */

#include "engine_life.h"

START_TEST(test_violation_once)
{
	struct seg_flow breach, back;
	json_t *out;

	begin();
	breach = flow("10.1.0.7", "198.51.100.1", 6, 443, NULL);
	event_of(breach);
	ck_assert_uint_eq(
		said("violation |from=mn|to=net|src=10.1.0.7|dst=198.51.100.1|dport=443|action=cut"), 1);
	ck_assert_uint_eq(w.kernel.flows, 0);
	/* Picked up again from the other end: cut, not told again. */
	back = flow("198.51.100.1", "10.1.0.7", 6, 40000, NULL);
	back.sport = 443;
	back.tcp_state = TCP_CONNTRACK_ESTABLISHED;
	event_of(back);
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &breach, w.kernel.now);
	ck_assert_uint_eq(said("violation "), 1);
	ck_assert_uint_eq(w.kernel.flows, 0);
	breach.packets = 3;
	breach.bytes = 180;
	seg_engine_flow(w.engine, SEG_FLOW_DESTROY, &breach, w.kernel.now);
	ck_assert_uint_eq(said("violation-ended|packets=3|bytes=180"), 1);
	out = call(seg_engine_violations, NULL, NULL);
	ck_assert_int_eq(number(find(out, "violations", "src", "10.1.0.7"), "count"), 1);
	ck_assert_int_eq(number(find(out, "violations", "src", "10.1.0.7"), "bytes"), 180);
	json_decref(out);
}
END_TEST

START_TEST(test_unheard_violation_ends_too)
{
	struct seg_flow breach;

	begin();
	breach = flow("10.1.0.7", "198.51.100.1", 17, 53, NULL);
	w.kernel.flow[w.kernel.flows++] = breach;
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &breach, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_uint_eq(w.kernel.flows, 0);
	pass(3);
	ck_assert_uint_eq(said("violation-ended"), 1);
}
END_TEST

START_TEST(test_legitimate_is_none)
{
	struct seg_flow reply;

	begin();
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, NULL));  /* by the policy, if not by mark */
	event_of(flow("10.2.0.5", "224.0.0.251", 17, 5353, NULL)); /* of the interface */
	event_of(flow("10.1.0.1", "10.2.0.1", 6, 80, NULL));	   /* the gateway to itself */
	event_of(flow("127.0.0.1", "127.0.0.1", 6, 80, NULL));
	ck_assert_uint_eq(w.kernel.flows, 5);
	/* A server's segment that conntrack took for a beginning. */
	reply = flow("198.51.100.1", "10.2.0.5", 6, 40000, NULL);
	reply.sport = 443;
	reply.tcp_state = TCP_CONNTRACK_ESTABLISHED;
	event_of(reply);
	ck_assert_uint_eq(said("violation"), 0);
	ck_assert_uint_eq(w.kernel.flows, 5);
}
END_TEST

START_TEST(test_mark_that_lies)
{
	begin();
	event_of(flow("10.1.0.7", "198.51.100.1", 6, 443, "WEB")); /* WEB is for lg */
	ck_assert_uint_eq(said("violation |permit=WEB"), 1);
	ck_assert_uint_eq(w.kernel.flows, 0);
}
END_TEST

/* Nothing is cut, and the event of its end is lost: a dump that does not show it any more says so. */
START_TEST(test_observed_violation_ends_unseen)
{
	struct seg_flow breach;
	json_t *out;

	w.observe = true;
	begin();
	breach = flow("10.1.0.7", "198.51.100.1", 6, 443, NULL);
	seg_engine_flow(w.engine, SEG_FLOW_NEW, &breach, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now); /* it may have begun behind where that dump was */
	pass(5);
	ck_assert_uint_eq(said("violation "), 1);
	ck_assert_uint_eq(said("violation-ended"), 0);
	out = call(seg_engine_verify, NULL, NULL);
	ck_assert(json_is_true(json_object_get(out, "observing")));
	json_decref(out);
	seg_engine_events_lost(w.engine, w.kernel.now);
	breach.packets = 7;
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &breach, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	pass(5);
	ck_assert_uint_eq(said("violation-ended"), 0);
	seg_engine_events_lost(w.engine, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	pass(5);
	ck_assert_uint_eq(said("violation-ended|packets=7"), 1);
	ck_assert_uint_eq(said("violation "), 1);
}
END_TEST

/* A number that is another permit's is taken from the flow; one of a permit with the gateway is not, whose
 * addresses the kernel knows better. Only the permit that covers the flow was used. */
START_TEST(test_numbers_that_are_anothers)
{
	const char *ssh = "  - {id: SSH, class: operations, from: lg, to: gateway, service: [tcp/22]}\n";
	json_t *out;

	write_policy(web, dns, ssh);
	begin();
	event_of(flow("10.2.0.5", "198.51.100.7", 6, 443, "DNS"));
	ck_assert_uint_eq(w.kernel.flow[0].mark, 0);
	out = call(seg_engine_permits, NULL, NULL);
	ck_assert(json_is_string(json_object_get(find(out, "permits", "id", "WEB"), "last")));
	ck_assert(json_is_null(json_object_get(find(out, "permits", "id", "DNS"), "last")));
	json_decref(out);
	event_of(flow("10.2.0.5", "198.51.100.7", 6, 443, "SSH"));
	ck_assert_uint_eq(w.kernel.flow[1].mark, mark_of("SSH"));
	event_of(flow("10.2.0.5", "198.51.100.7", 6, 443, "WEB"));
	ck_assert_uint_eq(w.kernel.flow[2].mark, mark_of("WEB"));
	ck_assert_uint_eq(said("violation"), 0);
}
END_TEST

/* What another hand made of an open flow: a right number stands, and nothing is said of it; one of another
 * permit goes, and what nothing covers is cut. */
START_TEST(test_updates_by_others)
{
	struct seg_flow *entry = &w.kernel.flow[0];
	struct seg_flow breach;
	json_t *out;

	begin();
	w.kernel.flow[w.kernel.flows++] = flow("10.2.0.5", "198.51.100.7", 6, 443, "WEB");
	seg_engine_flow(w.engine, SEG_FLOW_UPDATED, entry, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(entry->mark, mark_of("WEB"));
	out = call(seg_engine_permits, NULL, NULL);
	ck_assert(json_is_null(json_object_get(find(out, "permits", "id", "WEB"), "last")));
	json_decref(out);
	entry->mark = mark_of("DNS");
	seg_engine_flow(w.engine, SEG_FLOW_UPDATED, entry, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(entry->mark, 0);
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(said("violation"), 0);
	breach = flow("10.1.0.7", "198.51.100.1", 17, 53, "DNS");
	w.kernel.flow[w.kernel.flows++] = breach;
	seg_engine_flow(w.engine, SEG_FLOW_UPDATED, &breach, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(said("violation |src=10.1.0.7|action=cut"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watch");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_violation_once);
	tcase_add_test(tcase, test_unheard_violation_ends_too);
	tcase_add_test(tcase, test_legitimate_is_none);
	tcase_add_test(tcase, test_mark_that_lies);
	tcase_add_test(tcase, test_observed_violation_ends_unseen);
	tcase_add_test(tcase, test_numbers_that_are_anothers);
	tcase_add_test(tcase, test_updates_by_others);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
