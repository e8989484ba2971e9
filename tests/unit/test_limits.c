/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a zone may hold of conntrack's table: the engine against a simulated kernel and clock. */

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include "engine_world.h"

#define TABLE 1000	   /* entries of conntrack's table */
#define WINDOW 60

/* a: 100 flows; the others: what the table has room for. inn has traffic of its own, too. */
static const char head[] = "segd: 1\nsite: town\ntimezone: Asia/Tokyo\nguard: none\nzones:\n";
static const char zone_a[] =
	"  a: {tier: lgwan, interfaces: [a0], networks: [10.1.0.0/24], limit: {flows: 100}}\n";
static const char zone_a_wider[] =
	"  a: {tier: lgwan, interfaces: [a0], networks: [10.1.0.0/24], limit: {flows: 200}}\n";
static const char zone_a_moved[] =
	"  a: {tier: lgwan, interfaces: [a0], networks: [10.7.0.0/24], limit: {flows: 100}}\n";
static const char zone_a_and_new[] =
	"  a: {tier: lgwan, interfaces: [a0], networks: [10.1.0.0/24], limit: {flows: 100}}\n"
	"  new: {tier: lgwan, interfaces: [n0], networks: [10.6.0.0/24]}\n";
static const char zone_a_inside[] =
	"  a: {tier: lgwan, interfaces: [a0], networks: [10.1.0.0/24], intra: allow, limit: {flows: 100}}\n";
static const char others[] =
	"  b: {tier: lgwan, interfaces: [b0], networks: [10.2.0.0/24]}\n"
	"  c: {tier: lgwan, interfaces: [c0], networks: [10.3.0.0/24]}\n"
	"  d: {tier: lgwan, interfaces: [d0], networks: [10.4.0.0/24], limit: {flows: 100%}}\n"
	"  inn: {tier: lgwan, interfaces: [i0], networks: [10.5.0.0/24], intra: allow}\n"
	"  out: {tier: internet, interfaces: [o0], networks: [any]}\n"
	"permits:\n"
	"  - {id: A, class: internal, from: a, to: out, service: [udp/53, udp/547]}\n"
	"  - {id: H, class: internal, from: a, to: inn, service: [udp/53], hours: [mon-fri 08:00-11:00]}\n"
	"  - {id: B, class: internal, from: b, to: out, service: [udp/53]}\n"
	"  - {id: C, class: internal, from: c, to: out, service: [udp/53]}\n"
	"  - {id: D, class: internal, from: d, to: out, service: [udp/53]}\n"
	"  - {id: I, class: internal, from: inn, to: out, service: [udp/53]}\n"
	"  - {id: G, class: internal, from: gateway, to: out, service: [udp/53]}\n";

static uint32_t id; /* of the last flow */

/* Lines of pressure about a zone with this action. */
static unsigned told(const char *zone, const char *action)
{
	char from[64], how[64];
	unsigned n = 0;

	snprintf(from, sizeof(from), " from=%s ", zone);
	snprintf(how, sizeof(how), " action=%s ", action);
	for (size_t i = 0; i < w.alerts; i++)
		n += !strncmp(w.alert[i], "conntrack-pressure ", 19) && strstr(w.alert[i], from) &&
		     strstr(w.alert[i], how);
	return n;
}

static void write_policy(const char *a, const char *more)
{
	FILE *file = fopen(w.policy, "w");

	ck_assert_ptr_nonnull(file);
	fprintf(file, "%s%s%s%s", head, a, others, more);
	fclose(file);
}

static void start_uncounted(bool observe)
{
	const struct seg_engine_options options = {
		.policy_file = w.policy, .denied_window = WINDOW, .alert = take_alert, .observe = observe};
	static const char *const interface[] = {"a0", "b0", "c0", "d0", "i0", "o0"};
	const struct seg_gateway_addr own = {addr("10.1.0.1"), "a0"};
	const struct seg_gateway gateway = {&own, 1};

	ck_assert_int_eq(seg_store_open(&w.store, w.state), 0);
	w.engine = seg_engine_new(&options, &fake_ops, &w.kernel, w.store);
	w.kernel.engine = w.engine;
	seg_engine_links(w.engine, &gateway, interface, 6, w.kernel.now);
	ck_assert_int_eq(seg_engine_start(w.engine, w.kernel.now), 0);
}

static void start(bool observe)
{
	start_uncounted(observe);
	seg_engine_dumped(w.engine, 0, w.kernel.now); /* an empty table */
}

static void setup(void)
{
	make_world();
	id = 0;
	w.kernel.most = TABLE;
	write_policy(zone_a, "");
	start(false);
}

static void pass(time_t seconds)
{
	for (time_t i = 0; i < seconds; i++) {
		w.kernel.now++;
		w.kernel.mono++;
		seg_engine_tick(w.engine, w.kernel.now, 0);
	}
}

/* Numbers with this comment in a set of the kernel's. */
static size_t elements(const char *set, const char *comment)
{
	const struct seg_set *found;
	struct seg_plan *image;
	size_t n = 0;

	fake_read(&w.kernel, &image); /* as it is by now: elements end by themselves */
	found = seg_plan_set(image, set);
	for (size_t i = 0; i < found->elems; i++)
		n += !strcmp(found->elem[i].comment, comment);
	seg_plan_free(image);
	return n;
}

static bool is_held(const char *zone)
{
	return elements("held", zone) > 0;
}

static struct seg_flow flow(const char *src, const char *permit)
{
	return (struct seg_flow){.src = addr(src),
				 .dst = addr("192.0.2.7"),
				 .orig_dst = addr("192.0.2.7"),
				 .reply_dst = addr(src),
				 .proto = IPPROTO_UDP,
				 .sport = (uint16_t)(1024 + id),
				 .dport = 53,
				 .orig_dport = 53,
				 .id = ++id,
				 .status = IPS_CONFIRMED,
				 .mark = fake_number(&w.kernel, permit)};
}

static void events(enum seg_flow_event event, const char *src, const char *permit, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct seg_flow one = flow(src, permit);

		if (event == SEG_FLOW_NEW)
			w.kernel.entries++;
		else if (event == SEG_FLOW_DESTROY)
			w.kernel.entries--;
		seg_engine_flow(w.engine, event, &one, w.kernel.now);
		seg_engine_settle(w.engine, w.kernel.now);
	}
}

static void begin_flows(const char *src, const char *permit, unsigned n)
{
	events(SEG_FLOW_NEW, src, permit, n);
}

static void end_flows(const char *src, const char *permit, unsigned n)
{
	events(SEG_FLOW_DESTROY, src, permit, n);
}

static void take_answer(void *context, int result, json_t *out)
{
	ck_assert_int_eq(result, 0);
	*(json_t **)context = out;
}

static json_t *call(seg_command_fn command, json_t *params)
{
	json_t *out = NULL;
	struct seg_request request = {
		.params = params, .now = w.kernel.now, .done = take_answer, .context = &out};
	int r = command(w.engine, &request, &out);

	json_decref(params);
	if (r == SEG_LATER)
		fake_run(&w.kernel);
	else
		ck_assert_int_eq(r, 0);
	ck_assert_ptr_nonnull(out);
	return out;
}

/* What the answer's list says of the object whose key is this; borrowed. */
static const json_t *entry(const json_t *answer, const char *list, const char *key, const char *value)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(answer, list), i, one)
	{
		if (!strcmp(json_string_value(json_object_get(one, key)), value))
			return one;
	}
	ck_abort_msg("no %s in %s", value, list);
	return NULL;
}

static json_int_t counted(const char *zone)
{
	json_t *status = call(seg_engine_status, NULL);
	json_int_t flows =
		json_integer_value(json_object_get(entry(status, "limits", "zone", zone), "flows"));

	json_decref(status);
	return flows;
}

/* Holding. */

START_TEST(test_held_at_the_limit)
{
	begin_flows("10.1.0.20", "A", 99);
	events(SEG_FLOW_UPDATED, "10.1.0.20", "A", 9); /* neither begun nor ended */
	pass(2);
	ck_assert(!is_held("a"));
	ck_assert_int_eq(counted("a"), 99);
	begin_flows("10.1.0.20", "A", 1);
	ck_assert(is_held("a"));
	ck_assert_uint_eq(elements("held", "a"), 2); /* every permit of the zone */
	ck_assert_uint_eq(elements("open", "A"),
			  1); /* open flows that another permit covers are asked there */
	ck_assert_uint_eq(elements("live", "A"), 1);
	ck_assert(!is_held("b"));
	ck_assert_uint_eq(told("a", "held"), 1);
}
END_TEST

START_TEST(test_nine_tenths_of_the_table_by_default)
{
	begin_flows("10.5.0.20", "I", 888); /* 8 * (1000 - 888) = 896 */
	pass(2);
	ck_assert(!is_held("inn"));
	begin_flows("10.5.0.20", "I", 1);
	pass(1);
	ck_assert(is_held("inn"));
	ck_assert_uint_eq(elements("held", "inn"), 2); /* what it does inside, too */
	end_flows("10.5.0.20", "I", 32);	       /* 6 * (1000 - 857) = 858 */
	pass(20);
	ck_assert(!is_held("inn"));
}
END_TEST

START_TEST(test_let_go_at_three_quarters)
{
	begin_flows("10.1.0.20", "A", 100);
	end_flows("10.1.0.20", "A", 30);
	pass(5);
	ck_assert(is_held("a")); /* each change is a commit: not at once */
	pass(5);
	ck_assert(!is_held("a"));
	begin_flows("10.1.0.20", "A", 30);
	ck_assert(is_held("a"));
	end_flows("10.1.0.20", "A", 24);
	pass(20);
	ck_assert(is_held("a")); /* 76 */
	end_flows("10.1.0.20", "A", 1);
	pass(1);
	ck_assert(!is_held("a"));
}
END_TEST

/* In and out for an hour: two lines, and no more commits than one in some seconds. */
START_TEST(test_two_lines_however_often)
{
	unsigned commits = w.kernel.commits;

	for (int i = 0; i < 120; i++) {
		begin_flows("10.1.0.20", "A", 40 + (i == 0) * 60);
		pass(15);
		end_flows("10.1.0.20", "A", 40);
		pass(15);
	}
	ck_assert_uint_eq(told("a", "held"), 1);
	ck_assert_uint_eq(told("a", "released"), 0);
	pass(WINDOW);
	ck_assert_uint_eq(told("a", "released"), 1);
	ck_assert_ptr_nonnull(strstr(w.alert[w.alerts - 1], " times=120"));
	ck_assert_uint_le(w.kernel.commits - commits, 241);
	begin_flows("10.1.0.20", "A", 40);
	ck_assert_uint_eq(told("a", "held"), 2); /* another time */
}
END_TEST

/* Nobody has reached its own limit, and together they would fill the table: the large ones give way. */
START_TEST(test_room_left_for_the_small)
{
	begin_flows("10.2.0.20", "B", 450);
	begin_flows("10.3.0.20", "C", 420);
	begin_flows("10.4.0.20", "D", 14);
	pass(1);
	ck_assert(!is_held("b"));
	begin_flows("10.3.0.20", "C", 60); /* 944 entries: room for 56, and 448 is too much */
	pass(1);
	ck_assert(is_held("b"));
	ck_assert(is_held("c"));
	ck_assert(!is_held("d"));
	w.kernel.entries = TABLE; /* somebody else's, too */
	pass(1);
	ck_assert(!is_held("d")); /* 14 of 1000 */
	ck_assert(!is_held("a"));
}
END_TEST

START_TEST(test_the_kernel_refuses_once)
{
	w.kernel.refuse = EAGAIN;
	begin_flows("10.1.0.20", "A", 100);
	ck_assert(!is_held("a"));
	w.kernel.refuse = 0;
	pass(1);
	ck_assert(is_held("a"));
}
END_TEST

/* Counting. */

START_TEST(test_a_link_address_counts_for_its_zone)
{
	begin_flows("fe80::1", "A", 100);
	ck_assert(is_held("a"));
}
END_TEST

START_TEST(test_the_gateway_is_not_limited)
{
	begin_flows("10.1.0.1", "G", 150);
	begin_flows("10.1.0.1", "none", 150); /* without a number: by its address */
	pass(2);
	ck_assert_int_eq(counted("a"), 0);
	ck_assert(!is_held("a"));
}
END_TEST

static void dump(const char *src, const char *permit, unsigned n)
{
	events(SEG_FLOW_DUMPED, src, permit, n);
}

/* An event that came twice keeps a zone held until the table is read: which happens by itself. */
START_TEST(test_held_zones_are_counted_anew)
{
	unsigned dumps = w.kernel.dumps;

	begin_flows("10.1.0.20", "A", 100);
	w.kernel.entries = 20;
	pass(10);
	ck_assert_uint_eq(w.kernel.dumps, dumps + 1);
	dump("10.1.0.20", "A", 20);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_int_eq(counted("a"), 20);
	pass(1);
	ck_assert(!is_held("a"));
}
END_TEST

START_TEST(test_a_dump_that_fails_counts_nothing)
{
	begin_flows("10.1.0.20", "A", 50);
	seg_engine_events_lost(w.engine, w.kernel.now);
	dump("10.1.0.20", "A", 20);
	seg_engine_dumped(w.engine, -EINTR, w.kernel.now);
	ck_assert_int_eq(counted("a"), 50);
}
END_TEST

/* What begins while a dump runs is in it, or not: half is taken. */
START_TEST(test_events_while_a_dump_runs)
{
	begin_flows("10.1.0.20", "A", 40);
	seg_engine_events_lost(w.engine, w.kernel.now);
	dump("10.1.0.20", "A", 40);
	begin_flows("10.1.0.20", "A", 20);
	ck_assert_int_eq(counted("a"), 60);
	dump("10.1.0.20", "A", 10);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_int_eq(counted("a"), 60);
}
END_TEST

/* A dump that saw only a part of a zone's flows as this zone's is not the last word. */
START_TEST(test_a_policy_that_comes_while_a_dump_runs)
{
	unsigned dumps;

	seg_engine_events_lost(w.engine, w.kernel.now);
	dumps = w.kernel.dumps;
	dump("10.6.0.20", "none", 8);
	write_policy(zone_a_and_new, "");
	json_decref(call(seg_engine_apply, NULL));
	dump("10.6.0.20", "none", 2);
	w.kernel.entries = 10;
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_int_eq(counted("new"), 2);
	pass(10);
	ck_assert_uint_eq(w.kernel.dumps, dumps + 1);
	dump("10.6.0.20", "none", 10);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_int_eq(counted("new"), 10);
}
END_TEST

/* A table of a million entries is not read for each permit that changes. */
START_TEST(test_a_policy_of_the_same_zones)
{
	unsigned dumps = w.kernel.dumps;

	begin_flows("10.1.0.20", "A", 10);
	w.kernel.entries = 10;
	write_policy(zone_a, "  - {id: N, class: internal, from: a, to: b, service: [tcp/80]}\n");
	json_decref(call(seg_engine_apply, NULL));
	pass(100);
	ck_assert_uint_eq(w.kernel.dumps, dumps);
	ck_assert_int_eq(counted("a"), 10);
}
END_TEST

/* The same zones, and a network has moved from one to the other with its flows. */
START_TEST(test_a_policy_that_moves_a_network)
{
	unsigned dumps = w.kernel.dumps;

	pass(20);
	write_policy(zone_a_moved, "");
	json_decref(call(seg_engine_apply, NULL));
	pass(1);
	ck_assert_uint_eq(w.kernel.dumps, dumps + 1);
}
END_TEST

/* Inside a zone no events are sent: the fill of the table tells that somebody has to be counted. */
START_TEST(test_a_flood_without_events)
{
	unsigned dumps = w.kernel.dumps;

	pass(2);
	w.kernel.entries = TABLE / 8;
	pass(2);
	ck_assert_uint_eq(w.kernel.dumps, dumps);
	w.kernel.entries = TABLE * 9 / 10;
	pass(1);
	ck_assert_uint_eq(w.kernel.dumps, dumps + 1);
	dump("10.5.0.20", "intra:inn", TABLE * 9 / 10);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert(is_held("inn"));
	w.kernel.entries = 0; /* and ends without events */
	pass(3);
	ck_assert_uint_eq(w.kernel.dumps, dumps + 2);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	pass(10);
	ck_assert(!is_held("inn"));
}
END_TEST

/* Whoever has begun it. */
START_TEST(test_counts_that_are_far_from_the_total)
{
	unsigned dumps = w.kernel.dumps;

	pass(2);
	w.kernel.entries = TABLE / 8 + 1;
	pass(1);
	ck_assert_uint_eq(w.kernel.dumps, dumps + 1);
}
END_TEST

/* A limit that is small beside the table is kept to all the same. */
START_TEST(test_a_small_limit_without_events)
{
	unsigned dumps;

	write_policy(zone_a_inside, "");
	json_decref(call(seg_engine_apply, NULL));
	w.kernel.most = 100 * TABLE;
	pass(2);
	dumps = w.kernel.dumps;
	w.kernel.entries = 99;
	pass(2);
	ck_assert_uint_eq(w.kernel.dumps, dumps);
	w.kernel.entries = 100;
	pass(1);
	ck_assert_uint_eq(w.kernel.dumps, dumps + 1);
	dump("10.1.0.20", "intra:a", 100);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert(is_held("a"));
}
END_TEST

/* Entries that are nobody's stay apart for ever: no reason to read the table again and again. */
START_TEST(test_entries_of_nobody)
{
	unsigned dumps = w.kernel.dumps;

	pass(2);
	w.kernel.entries = TABLE / 2;
	pass(1);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	pass(120);
	ck_assert_uint_eq(w.kernel.dumps, dumps + 1);
}
END_TEST

START_TEST(test_makes_room)
{
	struct seg_flow one;

	begin_flows("10.1.0.20", "A", 100);
	pass(1);
	w.kernel.entries = TABLE * 95 / 100;
	pass(1);
	for (unsigned i = 0; i < 80; i++) { /* half of them answered, and some of another zone */
		one = flow(i < 60 ? "10.1.0.20" : "10.2.0.20", i < 60 ? "A" : "B");
		one.status |= i % 2 ? IPS_SEEN_REPLY : 0;
		w.kernel.flow[w.kernel.flows++] = one;
		seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &one, w.kernel.now);
	}
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(w.kernel.deleted, 30);
	for (size_t i = 0; i < w.kernel.flows; i++)
		ck_assert(w.kernel.flow[i].status & IPS_SEEN_REPLY ||
			  w.kernel.flow[i].src == addr("10.2.0.20"));
	one = flow("10.1.0.20", "A"); /* in use: syslog has no answers */
	one.packets = 1000;
	w.kernel.flow[w.kernel.flows++] = one;
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &one, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(w.kernel.deleted, 30);
	w.kernel.flows--;
	for (unsigned i = 0; i < 40; i++) { /* no more than it takes to have room */
		one = flow("10.1.0.20", "A");
		w.kernel.flow[w.kernel.flows++] = one;
		seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &one, w.kernel.now);
	}
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(w.kernel.deleted, 50);
}
END_TEST

/* What no permit explains is told, also where it would have had to make room. */
START_TEST(test_violations_make_room_and_are_told)
{
	struct seg_flow one;
	size_t before;

	begin_flows("10.1.0.20", "A", 100);
	pass(1);
	w.kernel.entries = TABLE * 95 / 100;
	pass(1);
	before = w.alerts;
	one = flow("10.1.0.20", "none");
	one.dport = one.orig_dport = 666;
	w.kernel.flow[w.kernel.flows++] = one;
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &one, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(w.kernel.deleted, 1);
	ck_assert_uint_eq(w.alerts, before + 1);
	ck_assert_ptr_nonnull(strstr(w.alert[before], "violation "));
}
END_TEST

/* Of another dump, when there is room again, nothing is removed. */
START_TEST(test_makes_room_no_longer_than_needed)
{
	struct seg_flow one;

	begin_flows("10.1.0.20", "A", 100);
	pass(1);
	w.kernel.entries = TABLE * 95 / 100;
	pass(1);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	w.kernel.entries = 100;
	seg_engine_events_lost(w.engine, w.kernel.now);
	one = flow("10.1.0.20", "A");
	w.kernel.flow[w.kernel.flows++] = one;
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &one, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(w.kernel.deleted, 0);
}
END_TEST

/* nf_conntrack_max 0: a number is kept to, a share is of nothing. */
START_TEST(test_a_table_without_bound)
{
	w.kernel.boundless = true;
	begin_flows("10.5.0.20", "I", 5 * TABLE);
	begin_flows("10.1.0.20", "A", 99);
	pass(20);
	ck_assert(!is_held("inn"));
	ck_assert(!is_held("a"));
	begin_flows("10.1.0.20", "A", 1);
	pass(1);
	ck_assert(is_held("a"));
}
END_TEST

/* With everything else. */

START_TEST(test_observes_and_holds_nobody)
{
	unsigned commits;

	die();
	fake_flush(&w.kernel);
	start(true);
	commits = w.kernel.commits;
	begin_flows("10.1.0.20", "A", 150);
	pass(30);
	ck_assert_uint_eq(w.kernel.commits, commits);
	ck_assert(!is_held("a"));
	ck_assert_uint_eq(told("a", "observed"), 1);
	ck_assert_uint_eq(told("a", "held"), 0);
}
END_TEST

START_TEST(test_an_apply_changes_nothing_about_it)
{
	begin_flows("10.1.0.20", "A", 100);
	write_policy(zone_a, "  - {id: N, class: internal, from: a, to: b, service: [tcp/80]}\n");
	json_decref(call(seg_engine_apply, NULL));
	ck_assert_uint_eq(elements("held", "a"), 3);
	ck_assert_int_eq(counted("a"), 100);
	write_policy(zone_a_wider, "");
	json_decref(call(seg_engine_apply, NULL));
	pass(10);
	ck_assert(!is_held("a")); /* 100 of 200 */
}
END_TEST

START_TEST(test_a_restart_finds_who_is_held)
{
	unsigned writes;

	begin_flows("10.1.0.20", "A", 100);
	die();
	writes = w.kernel.writes;
	start(false); /* the dump finds an empty table */
	ck_assert_uint_eq(w.kernel.writes, writes);
	ck_assert(is_held("a"));
	pass(10);
	ck_assert(!is_held("a"));
	pass(WINDOW);
	ck_assert_uint_eq(told("a", "held"), 1);
	ck_assert_uint_eq(told("a", "released"), 1);
}
END_TEST

/* What holds a zone when the daemon comes back may still be there: it is counted before the zone is let go.
 */
START_TEST(test_a_restart_lets_nobody_go_uncounted)
{
	begin_flows("10.1.0.20", "A", 100);
	die();
	start_uncounted(false);
	pass(30);
	ck_assert(is_held("a"));
	dump("10.1.0.20", "A", 100);
	seg_engine_dumped(w.engine, -EINTR, w.kernel.now);
	pass(30);
	ck_assert(is_held("a"));
	dump("10.1.0.20", "A", 70);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert(!is_held("a"));
}
END_TEST

/* From enforcing to observing: what held a zone goes. */
START_TEST(test_a_restart_that_observes)
{
	begin_flows("10.1.0.20", "A", 100);
	die();
	start(true);
	ck_assert(!is_held("a"));
}
END_TEST

START_TEST(test_a_window_closes_meanwhile)
{
	begin_flows("10.1.0.20", "A", 100);
	ck_assert_uint_eq(elements("open", "H"), 1);
	w.kernel.now += 3600;
	w.kernel.mono += 3600;
	pass(1);
	ck_assert_uint_eq(elements("open", "H"), 0);
	ck_assert_uint_eq(elements("held", "a"), 2);
	w.kernel.now += 22 * 3600;
	w.kernel.mono += 22 * 3600;
	pass(1);
	ck_assert_uint_eq(elements("open", "H"), 1);
	ck_assert(is_held("a"));
}
END_TEST

START_TEST(test_what_a_window_revokes_is_the_windows)
{
	struct seg_flow inner = flow("10.1.0.20", "H");

	inner.dst = inner.orig_dst = addr("10.5.0.20");
	w.kernel.flow[w.kernel.flows++] = inner;
	w.kernel.now += 3600;
	w.kernel.mono += 3600;
	begin_flows("10.1.0.20", "A", 100);
	ck_assert(is_held("a"));
	fake_run(&w.kernel);
	ck_assert_uint_eq(w.kernel.flows, 0);
	ck_assert_ptr_nonnull(strstr(w.alert[w.alerts - 1], "revoked "));
	ck_assert_ptr_nonnull(strstr(w.alert[w.alerts - 1], " reason=window"));
}
END_TEST

START_TEST(test_isolated_meanwhile)
{
	json_t *verify;

	begin_flows("10.1.0.20", "A", 100);
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "a", "reason", "worm")));
	ck_assert_uint_eq(elements("live", "A"), 0);
	end_flows("10.1.0.20", "A", 100); /* cut */
	pass(10);
	ck_assert(!is_held("a"));
	json_decref(call(seg_engine_release, json_pack("{s:s}", "target", "a")));
	ck_assert_uint_eq(elements("open", "A"), 1);
	verify = call(seg_engine_verify, NULL);
	ck_assert(json_is_true(json_object_get(verify, "equal")));
	json_decref(verify);
}
END_TEST

START_TEST(test_the_clock_is_set_back)
{
	begin_flows("10.1.0.20", "A", 100);
	end_flows("10.1.0.20", "A", 50);
	w.kernel.now -= 7200;
	seg_engine_tick(w.engine, w.kernel.now, -7200);
	pass(1);
	ck_assert(!is_held("a"));
	pass(WINDOW + 1);
	ck_assert_uint_eq(told("a", "released"), 1);
}
END_TEST

START_TEST(test_disarmed)
{
	json_t *status;

	begin_flows("10.1.0.20", "A", 100);
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1)));
	pass(30);
	ck_assert_ptr_null(w.kernel.image);
	status = call(seg_engine_status, NULL);
	ck_assert(json_is_false(json_object_get(entry(status, "limits", "zone", "a"), "held")));
	json_decref(status);
	json_decref(call(seg_engine_apply, NULL)); /* armed again: counted before anybody is held */
	ck_assert(!is_held("a"));
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert(!is_held("a"));
	pass(WINDOW);
	ck_assert_uint_eq(told("a", "released"), 1);
}
END_TEST

/* What is said. */

static json_t *explain(void)
{
	return call(seg_engine_explain,
		    json_pack("{s:s, s:s, s:s}", "src", "10.1.0.20", "dst", "192.0.2.7", "proto", "udp/53"));
}

START_TEST(test_answers)
{
	json_t *doc;

	doc = explain();
	ck_assert(json_is_false(json_object_get(doc, "held")));
	json_decref(doc);
	begin_flows("10.1.0.20", "A", 100);
	doc = explain();
	ck_assert_str_eq(json_string_value(json_object_get(doc, "verdict")), "permit");
	ck_assert_str_eq(json_string_value(json_object_get(doc, "reason")), "permit");
	ck_assert(json_is_true(json_object_get(doc, "held")));
	ck_assert_ptr_nonnull(
		strstr(json_string_value(json_object_get(doc, "detail")), "zone a has reached its limit"));
	json_decref(doc);
	doc = call(seg_engine_permits, NULL);
	ck_assert(json_is_true(json_object_get(entry(doc, "permits", "id", "A"), "held")));
	ck_assert_str_eq(json_string_value(json_object_get(entry(doc, "permits", "id", "A"), "state")),
			 "active");
	ck_assert(json_is_false(json_object_get(entry(doc, "permits", "id", "B"), "held")));
	json_decref(doc);
	doc = call(seg_engine_status, NULL);
	ck_assert(json_is_true(json_object_get(entry(doc, "limits", "zone", "a"), "held")));
	ck_assert_int_eq(json_integer_value(json_object_get(entry(doc, "limits", "zone", "a"), "limit")),
			 100);
	ck_assert_int_eq(json_integer_value(json_object_get(entry(doc, "limits", "zone", "inn"), "limit")),
			 TABLE);
	json_decref(doc);
	doc = call(seg_engine_verify, NULL);
	ck_assert(json_is_true(json_object_get(doc, "equal")));
	ck_assert_uint_eq(json_array_size(json_object_get(doc, "findings")), 0);
	json_decref(doc);
}
END_TEST

static unsigned denied(const char *reason)
{
	unsigned n = 0;

	for (size_t i = 0; i < w.alerts; i++)
		n += !strncmp(w.alert[i], "denied ", 7) && strstr(w.alert[i], reason);
	return n;
}

/* Whether the metrics have this sample. */
static bool shows(const char *sample)
{
	json_t *text = call(seg_engine_metrics, NULL);
	bool found = strstr(json_string_value(text), sample) != NULL;

	json_decref(text);
	return found;
}

START_TEST(test_metrics)
{
	begin_flows("10.1.0.20", "A", 7);
	pass(1);
	ck_assert(shows("\nsegd_zone_flows{zone=\"a\"} 7\n"));
	ck_assert(shows("\nsegd_zone_flows_limit{zone=\"a\"} 100\n"));
	ck_assert(shows("\nsegd_zone_held{zone=\"a\"} 0\n"));
	begin_flows("10.1.0.20", "A", 93);
	ck_assert(shows("\nsegd_zone_held{zone=\"a\"} 1\n"));
	ck_assert(shows("\nsegd_zone_held{zone=\"b\"} 0\n"));
	w.kernel.boundless = true;
	pass(1);
	ck_assert(!shows("\nsegd_zone_flows_limit{zone=\"b\"}"));
}
END_TEST

START_TEST(test_why_it_was_refused)
{
	struct seg_refused refused = {.in = "a0",
				      .out = "o0",
				      .src = addr("10.1.0.20"),
				      .dst = addr("192.0.2.7"),
				      .proto = IPPROTO_UDP,
				      .sport = 4000,
				      .dport = 53};

	seg_engine_refused(w.engine, &refused, w.kernel.now);
	ck_assert_uint_eq(denied("reason="), 0); /* permitted, and let go meanwhile: a straggler */
	begin_flows("10.1.0.20", "A", 100);
	seg_engine_refused(w.engine, &refused, w.kernel.now);
	ck_assert_uint_eq(denied("reason=limit"), 1);
	refused.dport = 54;
	seg_engine_refused(w.engine, &refused, w.kernel.now);
	ck_assert_uint_eq(denied("reason=port"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits");
	TCase *tcase = tcase_create("zones");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_held_at_the_limit);
	tcase_add_test(tcase, test_nine_tenths_of_the_table_by_default);
	tcase_add_test(tcase, test_let_go_at_three_quarters);
	tcase_add_test(tcase, test_two_lines_however_often);
	tcase_add_test(tcase, test_room_left_for_the_small);
	tcase_add_test(tcase, test_the_kernel_refuses_once);
	tcase_add_test(tcase, test_a_link_address_counts_for_its_zone);
	tcase_add_test(tcase, test_the_gateway_is_not_limited);
	tcase_add_test(tcase, test_held_zones_are_counted_anew);
	tcase_add_test(tcase, test_a_dump_that_fails_counts_nothing);
	tcase_add_test(tcase, test_events_while_a_dump_runs);
	tcase_add_test(tcase, test_a_policy_that_comes_while_a_dump_runs);
	tcase_add_test(tcase, test_a_policy_of_the_same_zones);
	tcase_add_test(tcase, test_a_policy_that_moves_a_network);
	tcase_add_test(tcase, test_a_flood_without_events);
	tcase_add_test(tcase, test_counts_that_are_far_from_the_total);
	tcase_add_test(tcase, test_a_small_limit_without_events);
	tcase_add_test(tcase, test_entries_of_nobody);
	tcase_add_test(tcase, test_makes_room);
	tcase_add_test(tcase, test_violations_make_room_and_are_told);
	tcase_add_test(tcase, test_makes_room_no_longer_than_needed);
	tcase_add_test(tcase, test_a_table_without_bound);
	tcase_add_test(tcase, test_observes_and_holds_nobody);
	tcase_add_test(tcase, test_an_apply_changes_nothing_about_it);
	tcase_add_test(tcase, test_a_restart_finds_who_is_held);
	tcase_add_test(tcase, test_a_restart_lets_nobody_go_uncounted);
	tcase_add_test(tcase, test_a_restart_that_observes);
	tcase_add_test(tcase, test_a_window_closes_meanwhile);
	tcase_add_test(tcase, test_what_a_window_revokes_is_the_windows);
	tcase_add_test(tcase, test_isolated_meanwhile);
	tcase_add_test(tcase, test_the_clock_is_set_back);
	tcase_add_test(tcase, test_disarmed);
	tcase_add_test(tcase, test_answers);
	tcase_add_test(tcase, test_metrics);
	tcase_add_test(tcase, test_why_it_was_refused);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
