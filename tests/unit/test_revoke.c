/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Flows that lose their permit. */

#include "engine_life.h"
#include "engine/lingering.h"

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

/* WEB for fewer and fewer, the flow of begin_idle() always among them. */
static const char web_narrowed[] =
	"  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/443], source: [clerk]}\n";
static const char web_narrowest[] = "  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/443],"
				    " source: [clerk], destination: [198.51.100.1]}\n";

static const char all[] = "  - {id: ALL, class: operations, from: lg, to: net, service: [tcp/1-1000]}\n";

static struct seg_flow begin_idle(void)
{
	struct seg_flow idle;

	begin();
	idle = flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB");
	event_of(idle);
	return idle;
}

/* How many flows the apply revokes. */
static json_int_t revoked_by(const char *permits)
{
	json_int_t flows;
	json_t *out;

	write_policy(permits, dns, office);
	out = call(seg_engine_apply, NULL, NULL);
	flows = number(json_object_get(out, "revoked"), "flows");
	json_decref(out);
	return flows;
}

/* While somebody's rule may renumber flows, a number that went is looked for in those of others, too: by a look at all. */
START_TEST(test_the_renumbered_are_looked_for)
{
	unsigned dumps;

	w.kernel.bypass = _i ? "eth1" : NULL;
	begin();
	json_decref(call(seg_engine_status, NULL, NULL));
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	dumps = w.kernel.dumps;
	ck_assert_int_eq(revoked_by(""), 0);
	ck_assert_uint_eq(w.kernel.dumps, dumps + (_i ? 1 : 0));
}
END_TEST

/* Of what stays on a link conntrack does not show the interface: its number is what it lives by, until it has died and
 * no interface would bring it another one. */
START_TEST(test_link_traffic_is_revoked)
{
	static const char in[] = "  - {id: IN, class: operations, from: lg, to: gateway, service: [tcp/22, udp/5353]}\n",
			  narrowed[] = "  - {id: IN, class: operations, from: lg, to: gateway, service: [udp/5353]}\n",
			  by_day[] = "  - {id: OUT, class: operations, from: gateway, to: lg, service: [udp/5353]}\n";

	write_policy(in, by_day, "");
	begin();
	event_of(flow("fe80::20", "fe80::1", 6, 22, "IN"));
	event_of(flow("10.2.0.5", "224.0.0.251", 17, 5353, "IN"));
	event_of(flow("10.2.0.1", "224.0.0.251", 17, 5353, "OUT"));
	event_of(flow("fe80::21", "fe80::1", 6, 22, NULL)); /* nobody knows */
	ck_assert_int_eq(revoked_by(narrowed), 2);
	ck_assert_uint_eq(said("revoked|permit=IN|count=1"), 1); /* one lives by what is left of it */
	ck_assert_uint_eq(said("revoked|permit=OUT|count=1"), 1);
	ck_assert_uint_eq(w.kernel.flows, 2);
	ck_assert_int_eq(revoked_by(web), 1);
	ck_assert_uint_eq(said("revoked|permit=IN|count=1"), 2);
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(said("violation"), 0);
}
END_TEST

/* With a zone that is isolated, too. */
START_TEST(test_link_traffic_of_an_isolated_zone)
{
	static const char in[] = "  - {id: IN, class: operations, from: [lg, mn], to: gateway, service: [tcp/22]}\n";
	struct seg_flow of_lg, of_mn;
	json_t *out;

	write_policy(in, "", "");
	begin();
	of_mn = flow("fe80::20", "fe80::1", 6, 22, "IN");
	of_lg = flow("fe80::21", "fe80::1", 6, 22, "IN");
	of_lg.mark = of_mn.mark - 1; /* each pair of zones has its number */
	event_of(of_mn);
	event_of(of_lg);
	out = call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "mn", "reason", "x"), NULL);
	ck_assert_int_eq(number(json_object_get(out, "revoked"), "flows"), 1);
	json_decref(out);
	ck_assert_uint_eq(w.kernel.flows, 1);
}
END_TEST

static void ck_gone(const char *permit)
{
	char words[64];

	snprintf(words, sizeof(words), "revoked|permit=%s|count=1", permit);
	ck_assert_uint_eq(said(words), 1);
	ck_assert_uint_eq(said("revoked"), 1);
	ck_assert_uint_eq(said("violation"), 0);
	ck_assert_uint_eq(w.kernel.flows, 0);
}

/* The number in its mark died when the permit was narrowed, and no packet has brought it another. */
START_TEST(test_idle_flow_of_a_narrowed_permit)
{
	begin_idle();
	ck_assert_int_eq(revoked_by(web_narrowed), 0);
	ck_assert_int_eq(revoked_by(""), 1);
	ck_gone("WEB");
}
END_TEST

START_TEST(test_idle_flow_of_a_permit_narrowed_twice)
{
	begin_idle();
	ck_assert_int_eq(revoked_by(web_narrowed), 0);
	ck_assert_int_eq(revoked_by(web_narrowest), 0);
	ck_assert_int_eq(revoked_by(""), 1);
	ck_gone("WEB");
}
END_TEST

/* Whoever covers it meanwhile is who it is taken from. */
START_TEST(test_idle_flow_of_another_permit)
{
	begin_idle();
	ck_assert_int_eq(revoked_by(all), 0);
	ck_assert_int_eq(revoked_by(""), 1);
	ck_gone("ALL");
}
END_TEST

/* Idle flows of one number live on by WEB and by ALL. */
static void share_idle(void)
{
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/1-1000]}\n", dns, office);
	begin_idle();
	event_of(flow("10.2.0.6", "198.51.100.1", 6, 80, "WEB"));
	ck_assert_int_eq(revoked_by("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/443]}\n"
				    "  - {id: ALL, class: operations, from: lg, to: net, service: [tcp/80]}\n"),
			 0);
}

/* One number's flows live on by two permits. When both go nobody knows any more which had which, and none is named. */
START_TEST(test_idle_flows_of_two_permits)
{
	share_idle();
	ck_assert_int_eq(revoked_by(""), 2);
	ck_assert_uint_eq(said("revoked|count=2"), 1);
	ck_assert_uint_eq(said("revoked|permit="), 0);
}
END_TEST

/* One of them that goes is named. */
START_TEST(test_idle_flows_of_one_of_two_permits)
{
	share_idle();
	ck_assert_int_eq(revoked_by("  - {id: ALL, class: operations, from: lg, to: net, service: [tcp/80]}\n"), 1);
	ck_assert_int_eq(revoked_by(""), 1);
	ck_assert_uint_eq(said("revoked|permit=WEB|count=1"), 1);
	ck_assert_uint_eq(said("revoked|permit=ALL|count=1"), 1);
}
END_TEST

/* Isolation looks at every flow, and knows whose it was. */
START_TEST(test_idle_flow_of_who_is_isolated)
{
	json_t *out;

	begin_idle();
	ck_assert_int_eq(revoked_by(web_narrowed), 0);
	out = call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "10.2.0.5", "reason", "drill"),
		   NULL);
	ck_assert_int_eq(number(json_object_get(out, "revoked"), "flows"), 1);
	json_decref(out);
	ck_gone("WEB");
}
END_TEST

/* Its number will come into force again, and until then it is another permit's flow. */
START_TEST(test_idle_flow_of_what_is_staged)
{
	struct seg_flow idle;
	json_t *out;

	write_policy(web, all, one_stage);
	idle = begin_idle();
	switch_to("alone");
	ck_assert_uint_eq(w.kernel.flows, 1);
	out = call(seg_engine_flows, NULL, NULL);
	ck_assert_ptr_nonnull(find(out, "flows", "permit", "ALL"));
	json_decref(out);
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &idle, w.kernel.now); /* which changes nothing about it */
	seg_engine_settle(w.engine, w.kernel.now);
	write_policy(web, one_stage, "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_gone("ALL");
}
END_TEST

START_TEST(test_idle_flow_of_what_comes_to_be_staged)
{
	write_policy(web, one_stage, "");
	begin_idle();
	write_policy(web_narrowed, one_stage, "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	switch_to("alone");
	ck_gone("WEB");
}
END_TEST

static const char office_narrowed[] =
	"  - {id: OFFICE, class: operations, from: lg, to: mn, service: [tcp/80],"
	" source: [clerk], hours: [mon-fri 08:00-17:00]%s}\n";

/* Seven hours until the window ends. */
static void close_office(const char *at_close)
{
	char before[256], after[256];
	struct seg_flow idle;

	snprintf(after, sizeof(after), office_narrowed, at_close);
	snprintf(before, sizeof(before),
		 "  - {id: OFFICE, class: operations, from: lg, to: mn, service: [tcp/1-100],"
		 " hours: [mon-fri 08:00-17:00]%s}\n",
		 at_close);
	write_policy(before, "", "");
	begin();
	idle = flow("10.2.0.5", "10.1.0.5", 6, 80, "OFFICE");
	event_of(idle);
	write_policy(after, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(w.kernel.flows, 1);
	pass(7 * HOUR);
	ck_gone("OFFICE");
}

START_TEST(test_idle_flow_at_the_end_of_a_window)
{
	close_office("");
}
END_TEST

/* Open flows of the number in force may finish; a dead one's next packet would have to begin anew. */
START_TEST(test_idle_flow_where_others_drain)
{
	close_office(", at-close: drain");
}
END_TEST

/* Nobody goes on looking for flows that have ended. */
START_TEST(test_idle_flow_that_ends)
{
	struct late late = {.room = 1};
	begin_idle();
	ck_assert_int_eq(revoked_by(web_narrowed), 0);
	w.kernel.flows = 0;
	ck_assert_int_eq(drop_web(&late), SEG_LATER);
	fake_run(&w.kernel);
	ck_assert_int_eq(number(json_object_get(late.out, "revoked"), "flows"), 0);
	json_decref(late.out);
	bring_web_back();
	late = (struct late){.room = 1};
	ck_assert_int_eq(drop_web(&late), 0);
}
END_TEST

/* Who looks at every flow finds it out for all. */
START_TEST(test_idle_flow_that_ended_before_an_isolation)
{
	const char *const target = "10.2.0.9";
	struct late late = {.room = 1};

	begin_idle();
	ck_assert_int_eq(revoked_by(web_narrowed), 0);
	w.kernel.flows = 0;
	json_decref(
		call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", target, "reason", "drill"), NULL));
	json_decref(
		call(seg_engine_release, json_pack("{s:s, s:s}", "target", target, "reason", "over"), NULL));
	ck_assert_int_eq(drop_web(&late), 0);
}
END_TEST

/* Nor does anybody look where what is changed is none of theirs. */
START_TEST(test_idle_flow_of_others)
{
	const struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;

	begin_idle();
	ck_assert_int_eq(revoked_by(web_narrowed), 0);
	write_policy(web_narrowed, office, "");
	ck_assert_int_eq(seg_engine_apply(w.engine, &request, &out), 0);
	json_decref(out);
	ck_assert_int_eq(revoked_by(""), 1);
	ck_gone("WEB");
}
END_TEST

/* Too many to be looked for one by one, and most without a flow: the next that looks for anything looks at all. */
START_TEST(test_idle_flows_beyond_the_bound)
{
	const struct seg_judged judged = {.lingers = true};
	struct seg_flow idle = begin_idle();

	for (uint32_t i = 0; i < SEG_LINGERING_MAX; i++) {
		idle.mark = 1000 + i;
		seg_lingering_note(w.engine, &idle, &judged);
	}
	ck_assert_int_eq(revoked_by(web_narrowed), 0);
	ck_assert_uint_eq(w.engine->lingering.n, SEG_LINGERING_MAX + 1);
	event_of(flow("10.2.0.5", "198.51.100.1", 17, 53, "DNS"));
	write_policy(web_narrowed, office, "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(said("revoked|permit=DNS|count=1"), 1);
	ck_assert_uint_eq(w.engine->lingering.n, 1);
	ck_assert_int_eq(revoked_by(""), 1);
	ck_assert_uint_eq(said("revoked|permit=WEB|count=1"), 1);
}
END_TEST

/* Both changes are made before anybody has looked: it is counted once. */
START_TEST(test_idle_flow_under_two_revocations)
{
	struct late first = {.room = 1}, second = {.room = 1};
	const struct seg_request request = {.now = w.kernel.now, .done = take_late, .context = &first};
	json_t *out = NULL;

	begin_idle();
	write_policy(web_narrowed, dns, office);
	ck_assert_int_eq(seg_engine_apply(w.engine, &request, &out), SEG_LATER);
	ck_assert_int_eq(drop_web(&second), 0); /* the first finds it */
	fake_run(&w.kernel);
	ck_assert(first.over);
	ck_assert_int_eq(number(json_object_get(first.out, "revoked"), "flows"), 1);
	json_decref(first.out);
	ck_gone("WEB");
}
END_TEST

/* The policy was changed while nobody lived: the first dump finds what had a permit, and the life before wrote down
 * whose it was. */
START_TEST(test_stopped_by_a_start)
{
	struct seg_flow cut, stays;
	char registry[200];

	begin();
	cut = flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB");
	stays = flow("10.2.0.5", "198.51.100.1", 17, 53, "DNS");
	event_of(cut);
	event_of(stays);
	die();
	write_policy(dns, office, "");
	snprintf(registry, sizeof(registry), "%s/registry", w.state);
	if (_i)
		ck_assert_int_eq(unlink(registry), 0);
	begin();
	for (int again = 0; again < 2; again++) {
		seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &cut, w.kernel.now);
		seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &stays, w.kernel.now);
		seg_engine_dumped(w.engine, 0, w.kernel.now);
	}
	ck_assert_uint_eq(said(_i ? "revoked|count=1|reason=start" : "revoked|permit=WEB|count=1|reason=start"), 1);
	ck_assert_uint_eq(said("revoked"), 1);
	ck_assert_uint_eq(said("violation"), 0);
	ck_assert_uint_eq(w.kernel.flows, 1);
}
END_TEST

/* A life that begins looks at every flow once. */
START_TEST(test_idle_flow_over_a_restart)
{
	const struct seg_flow idle = begin_idle();

	ck_assert_int_eq(revoked_by(web_narrowed), 0);
	die();
	begin();
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &idle, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_int_eq(revoked_by(""), 1);
	ck_gone("WEB");
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
	tcase_add_loop_test(tcase, test_the_renumbered_are_looked_for, 0, 2);
	tcase_add_test(tcase, test_link_traffic_is_revoked);
	tcase_add_test(tcase, test_link_traffic_of_an_isolated_zone);
	tcase_add_test(tcase, test_disarmed_under_a_revocation);
	tcase_add_test(tcase, test_revocations_wait_for_each_other);
	tcase_add_test(tcase, test_nothing_to_look_for);
	tcase_add_test(tcase, test_idle_flow_of_a_narrowed_permit);
	tcase_add_test(tcase, test_idle_flow_of_a_permit_narrowed_twice);
	tcase_add_test(tcase, test_idle_flow_of_another_permit);
	tcase_add_test(tcase, test_idle_flows_of_two_permits);
	tcase_add_test(tcase, test_idle_flows_of_one_of_two_permits);
	tcase_add_test(tcase, test_idle_flow_of_who_is_isolated);
	tcase_add_test(tcase, test_idle_flow_of_what_is_staged);
	tcase_add_test(tcase, test_idle_flow_of_what_comes_to_be_staged);
	tcase_add_test(tcase, test_idle_flow_at_the_end_of_a_window);
	tcase_add_test(tcase, test_idle_flow_where_others_drain);
	tcase_add_test(tcase, test_idle_flow_that_ends);
	tcase_add_test(tcase, test_idle_flow_that_ended_before_an_isolation);
	tcase_add_test(tcase, test_idle_flow_of_others);
	tcase_add_test(tcase, test_idle_flows_beyond_the_bound);
	tcase_add_test(tcase, test_idle_flow_under_two_revocations);
	tcase_add_test(tcase, test_idle_flow_over_a_restart);
	tcase_add_loop_test(tcase, test_stopped_by_a_start, 0, 2);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
