/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Metrics, as they are scraped. */

#include "engine_life.h"

static char *metrics(void)
{
	json_t *out = call(seg_engine_metrics, NULL, NULL);
	char *text = strdup(json_string_value(out));

	json_decref(out);
	return text;
}

/* A line of the metrics now. */
static bool has_line(const char *line)
{
	struct seg_strbuf wanted = {0};
	char *text = metrics();
	bool has;

	seg_strbuf_printf(&wanted, "\n%s\n", line);
	has = strstr(text, seg_strbuf_text(&wanted));
	if (!has)
		fprintf(stderr, "%s\nlacks %s\n", text, line);
	seg_strbuf_fini(&wanted);
	free(text);
	return has;
}

static bool has_word(const char *word)
{
	char *text = metrics();
	bool has = strstr(text, word);

	free(text);
	return has;
}

START_TEST(test_metrics_of_state)
{
	begin();
	ck_assert(has_line("segd_state{state=\"enforcing\"} 1"));
	ck_assert(has_line("segd_state{state=\"sealed\"} 0"));
	ck_assert(has_line("segd_policy_applied_timestamp_seconds 1795482000"));
	ck_assert(has_line("process_start_time_seconds 1795482000"));
	ck_assert(has_line("segd_policy_permits 3"));
	ck_assert(!has_word("confirm_deadline"));
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	ck_assert(has_line("segd_policy_confirm_deadline_timestamp_seconds 1795482120"));
	json_decref(call(seg_engine_confirm, NULL, NULL));
	ck_assert(!has_word("confirm_deadline"));
	pass(8 * HOUR); /* no OFFICE any more; disarmed, nothing is owned */
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	ck_assert(has_line("segd_state{state=\"disarmed\"} 1"));
	ck_assert(has_line("segd_table_owned 0"));
}
END_TEST

/* One dump answers many losses: what is not made good is no difference of two counters. */
START_TEST(test_metrics_of_losses)
{
	begin();
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	for (int i = 0; i < 5; i++)
		seg_engine_events_lost(w.engine, w.kernel.now);
	ck_assert(has_line("segd_events_overflows_total 5"));
	ck_assert(has_line("segd_events_resync_pending 1"));
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	pass(2);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert(has_line("segd_events_resyncs_total 2"));
	ck_assert(has_line("segd_events_resync_pending 0"));
}
END_TEST

START_TEST(test_metrics_while_sealed)
{
	unlink(w.policy);
	begin();
	ck_assert(has_line("segd_state{state=\"sealed\"} 1"));
	ck_assert(!has_word("segd_policy_info"));
	ck_assert(!has_word("segd_permit"));
}
END_TEST

START_TEST(test_metrics_of_permits)
{
	static const char ends[] =
		"  - {id: ENDS, title: 'a \"b\" \\ c', class: operations, from: lg, to: mn,"
		" service: [tcp/81], valid: {from: 2026-11-01, until: 2026-11-30}}\n";

	write_policy(web, ends, office);
	begin();
	fake_count(&w.kernel, "admitted", "WEB", 0, 2, 200);
	fake_count(&w.kernel, "slow", "WEB", 0, 3, 300);
	fake_count(&w.kernel, "slow", "WEB", 1, 3, 9000);
	ck_assert(has_line("segd_permit_flows_total{permit=\"WEB\"} 2"));
	ck_assert(has_line("segd_permit_packets_total{permit=\"WEB\",direction=\"original\"} 5"));
	ck_assert(has_line("segd_permit_bytes_total{permit=\"WEB\",direction=\"reply\"} 9000"));
	ck_assert(has_line("segd_permit_last_use_timestamp_seconds{permit=\"WEB\"} 1795482000"));
	ck_assert(!has_word("segd_permit_last_use_timestamp_seconds{permit=\"ENDS\"}"));
	ck_assert(has_line(
		"segd_permit_info{permit=\"ENDS\",class=\"operations\",title=\"a \\\"b\\\" \\\\ c\"} 1"));
	/* The midnight in Tokyo that ends 2026-11-30 */
	ck_assert(has_line("segd_permit_end_timestamp_seconds{permit=\"ENDS\"} 1796050800"));
	ck_assert(has_line("segd_permit_active{permit=\"OFFICE\"} 1"));
	pass(8 * HOUR);
	ck_assert(has_line("segd_permit_active{permit=\"OFFICE\"} 0"));
	/* Taken out and put back: what it counted is its own. */
	write_policy(dns, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert(!has_word("permit=\"WEB\""));
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert(has_line("segd_permit_packets_total{permit=\"WEB\",direction=\"original\"} 5"));
}
END_TEST

START_TEST(test_metrics_of_tampering)
{
	const struct seg_nft_transaction foreign = {.ours = true, .what = "deleted table inet segd"};
	json_t *out;

	begin();
	fake_flush(&w.kernel);
	w.kernel.refuse = EBUSY;
	take_hand(&foreign);
	ck_assert(has_line("segd_table_tampered_total 1"));
	ck_assert(has_line("segd_table_restored_total 0"));
	ck_assert(has_line("segd_table_repair_pending 1"));
	w.kernel.refuse = 0;
	pass(2);
	ck_assert(has_line("segd_table_restored_total 1"));
	ck_assert(has_line("segd_table_repair_pending 0"));
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_int_eq(number(json_object_get(out, "table"), "tampered"), 1);
	ck_assert_int_eq(number(json_object_get(out, "table"), "restored"), 1);
	json_decref(out);
}
END_TEST

/* Refusals keep the zones that they had when they were counted, also where a policy calls them otherwise. */
START_TEST(test_metrics_of_refusals_only_grow)
{
	const struct fake_counted pair = {
		.set = "denied4", .key = {10, 1, 0, 7, 198, 51, 100, 1}, .packets = 100};
	FILE *file;

	begin();
	w.kernel.counted[w.kernel.counteds++] = pair;
	ck_assert(has_line("segd_denied_packets_total{from=\"mn\",to=\"net\"} 100"));
	file = fopen(w.policy, "w");
	fprintf(file, "segd: 1\nguard: none\ntimezone: Asia/Tokyo\nzones:\n"
		      "  tax: {tier: mynumber, interfaces: [eth1], networks: [10.1.0.0/24]}\n"
		      "  net: {tier: internet, interfaces: [eth3], networks: [any]}\npermits: []\n");
	fclose(file);
	json_decref(call(seg_engine_apply, NULL, NULL));
	w.kernel.counted[0].packets += 11;
	ck_assert(has_line("segd_denied_packets_total{from=\"mn\",to=\"net\"} 100"));
	ck_assert(has_line("segd_denied_packets_total{from=\"tax\",to=\"net\"} 11"));
}
END_TEST

/* One spoofed pair by two interfaces: two counters, each read by its own difference. */
START_TEST(test_spoofed_by_two_interfaces)
{
	struct fake_counted by1 = {.set = "spoofed4", .packets = 50}, by3;
	json_t *out;

	memcpy(by1.key + 16, (const uint8_t[]){10, 2, 0, 5, 198, 51, 100, 1}, 8);
	by3 = by1;
	by3.packets = 7;
	strcpy((char *)by1.key, "eth1");
	strcpy((char *)by3.key, "eth3");
	begin();
	w.kernel.counted[w.kernel.counteds++] = by1;
	w.kernel.counted[w.kernel.counteds++] = by3;
	pass(20);
	pass(20);
	w.kernel.counted[1].packets++;
	pass(20);
	ck_assert(has_line("segd_spoofed_packets_total{from=\"mn\",to=\"net\"} 50"));
	ck_assert(has_line("segd_spoofed_packets_total{from=\"net\",to=\"net\"} 8"));
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_int_eq(number(out, "denied"), 58);
	json_decref(out);
	out = call(seg_engine_denials, NULL, NULL);
	ck_assert_int_eq(number(find(out, "denials", "src", "10.2.0.5"), "count"), 58);
	json_decref(out);
}
END_TEST

/* Flows inside zones are counted since the daemon's start, also where the table is older. */
START_TEST(test_filtered_flows)
{
	const uint32_t intra = SEG_NUMBER_INTRA | 1;
	struct fake_counted inside = {.set = "admitted", .packets = 30};
	json_t *out;

	memcpy(inside.key, &intra, sizeof(intra));
	begin();
	w.kernel.counted[w.kernel.counteds++] = inside;
	pass(20);
	die();
	begin();
	w.kernel.counted[0].packets += 4;
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_int_eq(number(json_object_get(out, "events"), "filtered"), 4);
	json_decref(out);
	ck_assert(has_line("segd_events_filtered_flows_total 4"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_metrics_of_state);
	tcase_add_test(tcase, test_metrics_of_losses);
	tcase_add_test(tcase, test_metrics_while_sealed);
	tcase_add_test(tcase, test_metrics_of_permits);
	tcase_add_test(tcase, test_metrics_of_tampering);
	tcase_add_test(tcase, test_metrics_of_refusals_only_grow);
	tcase_add_test(tcase, test_spoofed_by_two_interfaces);
	tcase_add_test(tcase, test_filtered_flows);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
