/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Streams, status, reports. */

#include "engine_life.h"

START_TEST(test_report)
{
	const char *code;
	json_t *out;

	write_policy(web, dns, one_stage);
	begin();
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	event_of(flow("10.1.0.7", "198.51.100.1", 6, 443, NULL)); /* a violation */
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 NULL));
	switch_to("alone");
	fake_flush(&w.kernel);
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	out = call(seg_engine_report, NULL, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "from")), "2026-04-01");
	ck_assert_str_eq(json_string_value(json_object_get(out, "until")), "2026-11-24");
	ck_assert_int_eq(number(out, "violations"), 1);
	ck_assert_ptr_nonnull(find(out, "actions", "event", "isolated"));
	ck_assert_ptr_nonnull(find(out, "actions", "stage", "alone"));
	ck_assert_ptr_nonnull(find(out, "incidents", "event", "tampered"));
	ck_assert_uint_eq(json_array_size(json_object_get(out, "policies")), 1);
	ck_assert(json_is_false(json_object_get(find(out, "permits", "id", "WEB"), "unused")));
	ck_assert(json_is_true(json_object_get(find(out, "permits", "id", "DNS"), "unused")));
	json_decref(out);
	die();
	begin();
	out = call(seg_engine_report, json_pack("{s:s}", "until", "2027-03-31"), NULL);
	ck_assert_int_eq(number(out, "violations"), 1);
	ck_assert_ptr_nonnull(find(out, "actions", "target", "clerk"));
	json_decref(out);
	/* What was before the period is no part of it, but the policy that was in force then. */
	out = call(seg_engine_report, json_pack("{s:s, s:s}", "from", "2026-11-25", "until", "2027-03-31"),
		   NULL);
	ck_assert_int_eq(number(out, "violations"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "actions")), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "policies")), 1);
	json_decref(out);
	ck_assert_ptr_null(call(seg_engine_report, json_pack("{s:s}", "from", "last year"), &code));
	ck_assert_str_eq(code, "invalid-parameter");
	ck_assert_ptr_null(call(seg_engine_report,
				json_pack("{s:s, s:s}", "from", "2026-05-01", "until", "2026-04-01"), &code));
}
END_TEST

static bool unused_until(const char *until)
{
	json_t *out = call(seg_engine_report, json_pack("{s:s}", "until", until), NULL);
	bool unused = json_is_true(json_object_get(find(out, "permits", "id", "WEB"), "unused"));

	json_decref(out);
	return unused;
}

/* What is used behind the period is no use in it. */
START_TEST(test_report_of_a_past_period)
{
	begin();
	pass(48 * HOUR);
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	ck_assert(unused_until("2026-11-25"));
	ck_assert(!unused_until("2026-11-26"));
	ck_assert(!unused_until("2026-11-27"));
}
END_TEST

/* A slip of the year is not answered with another period without a word. */
START_TEST(test_report_of_the_future)
{
	static const struct {
		const char *until;
		size_t notes;
	} period[] = {{"2026-11-24", 0}, {"2026-03-31", 0}, {"2027-03-31", 1}, {"2030-01-01", 2}};
	const json_t *list;
	json_t *out;

	begin();
	out = call(seg_engine_report, json_pack("{s:s}", "until", period[_i].until), NULL);
	list = json_object_get(out, "notes");
	ck_assert_uint_eq(json_array_size(list), period[_i].notes);
	for (size_t i = 0; i < period[_i].notes; i++)
		ck_assert(can_be_translated(out, json_string_value(json_array_get(list, i))));
	json_decref(out);
}
END_TEST

/* Today is the last day by default: who names the first alone may not know. */
START_TEST(test_report_that_begins_behind_its_end)
{
	struct seg_request request = {.params = json_pack("{s:s}", "from", "2026-12-01"), .now = w.kernel.now};
	json_t *out = NULL;

	begin();
	ck_assert_int_eq(seg_engine_report(w.engine, &request, &out), -EINVAL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "message")),
			 "the period would begin on 2026-12-01, after its end: its last day, left out, is today, 2026-11-24");
	json_decref(out);
	json_decref((json_t *)request.params);
}
END_TEST

/* Which one, and what is wrong with it. */
START_TEST(test_report_of_no_day)
{
	struct seg_request request = {.params = json_pack("{s:s}", "until", "2026-11-31"), .now = w.kernel.now};
	json_t *out = NULL;

	begin();
	ck_assert_int_eq(seg_engine_report(w.engine, &request, &out), -EINVAL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "message")),
			 "until: '2026-11-31' is no day of the calendar; write one such as 2027-03-31");
	json_decref(out);
	json_decref((json_t *)request.params);
}
END_TEST

static size_t notes(const char *list)
{
	json_t *out = call(!strcmp(list, "notes") ? seg_engine_verify : seg_engine_status, NULL, NULL);
	size_t n = json_array_size(json_object_get(out, list));

	ck_assert(strcmp(list, "notes") || json_is_true(json_object_get(out, "equal")));
	json_decref(out);
	return n;
}

/* Forwarding is worth a word where the policy permits what would be forwarded, in that family. */
START_TEST(test_forwarding_off)
{
	static const char own[] =
		"  - {id: OWN, class: operations, from: lg, to: gateway, service: [tcp/22]}\n";

	begin();
	w.kernel.ipv4_stays = w.kernel.ipv6_stays = true;
	ck_assert_uint_eq(notes("forwarding"), 1); /* no zone but net has an address of IPv6 */
	ck_assert_uint_eq(notes("notes"), 1);
	w.kernel.ipv4_stays = false;
	ck_assert_uint_eq(notes("forwarding"), 0);
	w.kernel.ipv4_stays = true;
	write_policy(own, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(notes("forwarding"), 0);
}
END_TEST

/* A zone whose interface has another name here: not an error, but nothing of it works. */
START_TEST(test_absent)
{
	static const char *const renamed[] = {"lo", "eth1", "eth2", "eth33"};
	const struct seg_gateway gateway = {NULL, 0};

	begin();
	ck_assert_uint_eq(notes("absent"), 0);
	seg_engine_links(w.engine, &gateway, renamed, 4, w.kernel.now);
	ck_assert_uint_eq(notes("absent"), 1);
}
END_TEST

static unsigned heard[16];
static void hear(void *context, enum seg_stream stream, const json_t *event)
{
	(void)context;
	ck_assert_ptr_nonnull(json_object_get(event, "event"));
	ck_assert_ptr_nonnull(json_object_get(event, "at"));
	heard[stream]++;
}

START_TEST(test_streams)
{
	struct seg_subscription *subscription;

	begin();
	memset(heard, 0, sizeof(heard));
	subscription = seg_engine_subscribe(w.engine, SEG_STREAM_VIOLATIONS | SEG_STREAM_FLOWS, hear, NULL);
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	event_of(flow("10.1.0.7", "198.51.100.1", 6, 443, NULL));
	ck_assert_uint_eq(heard[SEG_STREAM_FLOWS], 1);
	ck_assert_uint_eq(heard[SEG_STREAM_VIOLATIONS], 1);
	ck_assert_uint_eq(heard[SEG_STREAM_OTHER], 0);
	seg_engine_unsubscribe(w.engine, subscription);
	event_of(flow("10.1.0.8", "198.51.100.1", 6, 443, NULL));
	ck_assert_uint_eq(heard[SEG_STREAM_VIOLATIONS], 1);
}
END_TEST

START_TEST(test_status_and_verify)
{
	json_t *out;

	begin();
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "state")), "enforcing");
	ck_assert_int_eq(number(json_object_get(out, "policy"), "permits"), 3);
	ck_assert(json_is_true(json_object_get(json_object_get(out, "table"), "persist")));
	json_decref(out);
	elapse(300);
	out = call(seg_engine_verify, NULL, NULL);
	ck_assert(json_is_true(json_object_get(out, "equal")));
	json_decref(out);
	fake_flush(&w.kernel);
	out = call(seg_engine_verify, NULL, NULL);
	ck_assert(json_is_false(json_object_get(out, "equal")));
	json_decref(out);
	w.kernel.bypass = "eth1";
	forget_alerts();
	for (int i = 0; i < 3; i++) {
		out = call(seg_engine_status, NULL, NULL);
		ck_assert_uint_eq(json_array_size(json_object_get(out, "bypass")), 1);
		ck_assert(can_be_translated(out, "an XDP program on eth1"));
		json_decref(out);
	}
	out = call(seg_engine_verify, NULL, NULL);
	ck_assert_ptr_nonnull(find(out, "findings", "detail", "an XDP program on eth1"));
	ck_assert(can_be_translated(out, "an XDP program on eth1"));
	json_decref(out);
	ck_assert_uint_eq(said("bypass|reason=\"an XDP program on eth1\""), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("answers");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_report);
	tcase_add_test(tcase, test_report_of_a_past_period);
	tcase_add_loop_test(tcase, test_report_of_the_future, 0, 4);
	tcase_add_test(tcase, test_report_that_begins_behind_its_end);
	tcase_add_test(tcase, test_report_of_no_day);
	tcase_add_test(tcase, test_forwarding_off);
	tcase_add_test(tcase, test_absent);
	tcase_add_test(tcase, test_streams);
	tcase_add_test(tcase, test_status_and_verify);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
