/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What was refused: told, and counted. */

#include "engine_life.h"

START_TEST(test_denied_and_spoofed)
{
	struct seg_refused refused = {.in = "eth1",
				      .src = addr("10.1.0.7"),
				      .dst = addr("198.51.100.1"),
				      .proto = 6,
				      .sport = 1,
				      .dport = 443,
				      .tcp_flags = 2};
	json_t *out;

	begin();
	for (int i = 0; i < 5; i++)
		seg_engine_refused(w.engine, &refused, w.kernel.now);
	ck_assert_uint_eq(said("denied|from=mn|to=net|dport=443|reason=no-permit"), 1);
	refused.spoofed = true;
	refused.src = addr("10.2.0.5");
	seg_engine_refused(w.engine, &refused, w.kernel.now);
	ck_assert_uint_eq(said("spoofed|src=10.2.0.5"), 1);
	out = call(seg_engine_denials, NULL, NULL);
	ck_assert_int_eq(number(find(out, "denials", "src", "10.1.0.7"), "count"), 5);
	json_decref(out);
	/* The end of a permitted connection that conntrack forgot: no line. */
	forget_alerts();
	refused = (struct seg_refused){.in = "eth3",
				       .src = addr("198.51.100.1"),
				       .dst = addr("10.2.0.5"),
				       .proto = 6,
				       .sport = 443,
				       .dport = 40000,
				       .tcp_flags = 0x11};
	seg_engine_refused(w.engine, &refused, w.kernel.now);
	pass(120);
	ck_assert_uint_eq(said("denied|src=198.51.100.1"), 0);
}
END_TEST

/* Totals are the kernel's: also of an element that ended and was made anew, and of what its tables do not
 * hold. */
START_TEST(test_totals_of_refusals)
{
	struct fake_counted pair = {.set = "denied4", .key = {10, 1, 0, 7, 198, 51, 100, 1}, .packets = 100};
	struct fake_counted ways = {.set = "outgrown", .packets = 7};
	json_t *out;

	strcpy((char *)ways.key, "eth1");
	strcpy((char *)ways.key + 16, "eth3");
	begin();
	w.kernel.counted[0] = pair;
	w.kernel.counteds = 1;
	pass(20);
	w.kernel.counteds = 0;
	pass(20);
	pair.packets = 150;
	w.kernel.counted[0] = pair;
	w.kernel.counted[1] = ways;
	w.kernel.counteds = 2;
	pass(20);
	out = call(seg_engine_denials, NULL, NULL);
	ck_assert_int_eq(number(find(out, "denials", "src", "10.1.0.7"), "count"), 250);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "denials")), 2);
	ck_assert_int_eq(number(json_array_get(json_object_get(out, "denials"), 1), "count"), 7);
	ck_assert_str_eq(json_string_value(
				 json_object_get(json_array_get(json_object_get(out, "denials"), 1), "from")),
			 "mn");
	ck_assert_str_eq(
		json_string_value(json_object_get(json_array_get(json_object_get(out, "denials"), 1), "to")),
		"net");
	ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(out, "denials"), 1), "src")));
	for (size_t i = 0; i < 2; i++) /* nobody was shown them */
		ck_assert(json_is_null(
			json_object_get(json_array_get(json_object_get(out, "denials"), i), "reason")));
	json_decref(out);
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_int_eq(number(out, "denied"), 257);
	json_decref(out);
}
END_TEST

/* What could not even be counted by its interfaces is told as far as it is known. */
START_TEST(test_totals_without_memory)
{
	static const struct {
		const char *set, *interface, *from;
		bool spoofed;
	} rest[] = {{"outgrown-at", "eth1", "mn", false},
		    {"outgrown-spoofed-at", "eth3", "net", true},
		    {"outgrown-rest", "\x02", NULL, false},
		    {"outgrown-spoofed-rest", "\x0a", NULL, true}};
	json_t *out, *list;

	begin();
	for (size_t i = 0; i < 4; i++) {
		struct fake_counted *one = &w.kernel.counted[i];

		*one = (struct fake_counted){.packets = 10 + i};
		snprintf(one->set, sizeof(one->set), "%s", rest[i].set);
		snprintf((char *)one->key, sizeof(one->key), "%s", rest[i].interface);
	}
	w.kernel.counteds = 4;
	out = call(seg_engine_denials, NULL, NULL);
	list = json_object_get(out, "denials");
	ck_assert_uint_eq(json_array_size(list), 4);
	for (size_t i = 0; i < 4; i++) {
		const json_t *row = NULL;

		for (size_t k = 0; k < 4; k++)
			if (number(json_array_get(list, k), "count") == (json_int_t)(10 + i))
				row = json_array_get(list, k);
		ck_assert_ptr_nonnull(row);
		ck_assert_ptr_nonnull(json_object_get(row, "from"));
		if (rest[i].from)
			ck_assert_str_eq(json_string_value(json_object_get(row, "from")), rest[i].from);
		else
			ck_assert(json_is_null(json_object_get(row, "from")));
		ck_assert(json_is_null(json_object_get(row, "to")));
		ck_assert_int_eq(rest[i].spoofed, json_is_string(json_object_get(row, "reason")));
	}
	json_decref(out);
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_int_eq(number(out, "denied"), 46);
	json_decref(out);
}
END_TEST

static void write_interfaces(const char *of_lg)
{
	FILE *file;
	const char *at = strstr(zones, "[eth2]");

	file = fopen(w.policy, "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "%.*s[%s]%s%s%s%s", (int)(at - zones), zones, of_lg, at + strlen("[eth2]"), web, dns, office);
	fclose(file);
	json_decref(call(seg_engine_apply, NULL, NULL));
}

/* An element of the kernel's that a commit of ours has made: it is there, and counts. */
static void count_at(const char *interface, uint64_t packets)
{
	const struct seg_set *set = seg_plan_set(w.kernel.image, "outgrown-at");

	for (size_t i = 0; i < set->elems; i++)
		if (strcmp((const char *)set->elem[i].key, interface) == 0) {
			((struct seg_elem *)&set->elem[i])->packets += packets;
			return;
		}
	ck_abort_msg("no %s", interface);
}

static json_int_t all_denied(void)
{
	json_t *out = call(seg_engine_status, NULL, NULL);
	json_int_t denied;

	json_decref(call(seg_engine_denials, NULL, NULL)); /* reads */
	json_decref(out);
	out = call(seg_engine_status, NULL, NULL);
	denied = number(out, "denied");
	json_decref(out);
	return denied;
}

static void refused_meanwhile(void)
{
	count_at("eth4", 3);
}

/* An interface that leaves the policy takes its counter along, and one that comes back begins at nothing, also
 * where it has more by the next reading than the other had. */
START_TEST(test_totals_of_interfaces_that_leave)
{
	begin();
	write_interfaces("eth2, eth4");
	count_at("eth2", 100);
	count_at("eth4", 5);
	ck_assert_int_eq(all_denied(), 105);
	count_at("eth4", 10); /* nobody has asked since */
	w.kernel.meanwhile = _i ? refused_meanwhile : NULL;
	write_interfaces("eth2");
	w.kernel.meanwhile = NULL;
	ck_assert_int_eq(all_denied(), _i ? 118 : 115);
	write_interfaces("eth2, eth4");
	count_at("eth4", 40);
	count_at("eth2", 1);
	ck_assert_int_eq(all_denied(), _i ? 159 : 156);
}
END_TEST

/* Somebody takes an element away: that which is put in its place begins at nothing, too. */
START_TEST(test_totals_of_interfaces_that_were_taken)
{
	struct seg_set *set;

	begin();
	count_at("eth1", 5);
	ck_assert_int_eq(all_denied(), 5);
	set = (struct seg_set *)seg_plan_set(w.kernel.image, "outgrown-at");
	ck_assert_str_eq((const char *)set->elem[0].key, "eth1");
	set->elem++;
	set->elems--;
	w.kernel.touched = true;
	json_decref(call(seg_engine_apply, NULL, NULL));
	count_at("eth1", 9);
	ck_assert_int_eq(all_denied(), 14);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refusals");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_denied_and_spoofed);
	tcase_add_test(tcase, test_totals_of_refusals);
	tcase_add_test(tcase, test_totals_without_memory);
	tcase_add_loop_test(tcase, test_totals_of_interfaces_that_leave, 0, 2);
	tcase_add_test(tcase, test_totals_of_interfaces_that_were_taken);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
