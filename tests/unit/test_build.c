/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What test_agree cannot see: numbers, who is in force and for how long, what a change touches. */
#include <check.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"
#include "plan/build.h"
#include "plan/diff.h"
#include "policy/load.h"
#include "runner.h"

#define HEAD                                                                                       \
	"segd: 1\nguard: none\ntimezone: Asia/Tokyo\n"                                              \
	"zones:\n"                                                                                  \
	"  a: {tier: separate, interfaces: [a0], networks: [10.1.0.0/24]}\n"                        \
	"  b: {tier: separate, interfaces: [\"b*\"], networks: [10.2.0.0/24], intra: allow}\n"      \
	"hosts:\n"                                                                                  \
	"  pc: {address: 10.1.0.20, mac: \"00:00:5e:00:53:20\"}\n"                                  \
	"permits:\n"
#define P1 "  - {id: P1, class: internal, from: a, to: b, source: [10.1.0.5], service: [tcp/443]}\n"
#define P2 "  - {id: P2, class: internal, from: a, to: b, service: [udp/53], hours: [mon-fri 08:00-20:00]}\n"
#define P3 "  - {id: P3, class: internal, from: a, to: b, source: [pc], service: [tcp/22]}\n"
#define DRAIN                                                                                      \
	"  - {id: P4, class: internal, from: a, to: b, service: [udp/53], hours: [mon-fri 08:00-20:00], " \
	"at-close: drain}\n"

/* 2026-11-24 is a Tuesday. */
#define TUESDAY_10 1795482000 /* 10:00 in Tokyo */
#define HOUR 3600

struct built {
	struct seg_diags diags;
	struct seg_policy *policy;
	struct seg_registry registry;
	struct seg_plan *plan;
};
static struct seg_arena *arena;

static struct built build(const char *yaml, const struct seg_registry *old, time_t now, const char *interface)
{
	struct built b = {0};
	struct seg_build_options options = {
		.generation = 1, .now = now, .interface = &interface, .interfaces = interface ? 1 : 0};

	seg_diags_init(&b.diags);
	b.policy = seg_policy_load("test.yaml", yaml, strlen(yaml), NULL, &b.diags);
	ck_assert_ptr_nonnull(b.policy);
	b.registry = seg_registry_update(old, b.policy, arena);
	b.plan = seg_plan_build(b.policy, &b.registry, &options);
	return b;
}

static void drop(struct built *b)
{
	seg_plan_free(b->plan);
	seg_policy_free(b->policy);
	seg_diags_fini(&b->diags);
}

static uint32_t number_of(const struct built *b, const char *id)
{
	for (size_t i = 0; i < b->registry.n; i++)
		if (strcmp(b->registry.entry[i].id, id) == 0)
			return b->registry.entry[i].number;
	ck_abort_msg("no number for %s", id);
	return 0;
}

/* The elements of a set that bear a permit's id: how many, and the timeout of the last. */
static size_t count(const struct built *b, const char *set, const char *id, uint64_t *timeout_ms)
{
	const struct seg_set *s = seg_plan_set(b->plan, set);
	size_t n = 0;

	ck_assert_ptr_nonnull(s);
	for (size_t i = 0; i < s->elems; i++)
		if (s->elem[i].comment && strcmp(s->elem[i].comment, id) == 0) {
			n++;
			if (timeout_ms)
				*timeout_ms = s->elem[i].timeout_ms;
		}
	return n;
}

static void setup(void)
{
	arena = seg_arena_new();
}

static void teardown(void)
{
	seg_arena_free(arena);
}

START_TEST(a_number_stays_while_the_meaning_does)
{
	struct built one = build(HEAD P1 P2, NULL, TUESDAY_10, NULL);
	struct built same = build(
		HEAD P2 "  - {id: P1, title: renamed, owner: x, class: internal, from: a, to: b, "
			"source: [10.1.0.5/32], service: [tcp/443], hours: [daily 09:00-17:00]}\n",
		&one.registry, TUESDAY_10, NULL);
	struct built narrowed = build(HEAD "  - {id: P1, class: internal, from: a, to: b, source: [10.1.0.5], "
					   "service: [tcp/444]}\n" P2,
				      &one.registry, TUESDAY_10, NULL);

	ck_assert_uint_eq(number_of(&same, "P1"), number_of(&one, "P1"));
	ck_assert_uint_eq(number_of(&same, "P2"), number_of(&one, "P2"));
	ck_assert_uint_ne(number_of(&narrowed, "P1"), number_of(&one, "P1"));
	ck_assert_uint_eq(number_of(&narrowed, "P2"), number_of(&one, "P2"));
	ck_assert_uint_ge(number_of(&narrowed, "P1"), one.registry.next);
	drop(&one);
	drop(&same);
	drop(&narrowed);
}
END_TEST

START_TEST(a_number_is_never_used_again)
{
	struct built one = build(HEAD P1 P2, NULL, TUESDAY_10, NULL);
	struct built without = build(HEAD P2, &one.registry, TUESDAY_10, NULL);
	struct built back = build(HEAD P1 P2, &without.registry, TUESDAY_10, NULL);

	ck_assert_uint_ne(number_of(&back, "P1"), number_of(&one, "P1"));
	drop(&one);
	drop(&without);
	drop(&back);
}
END_TEST

START_TEST(a_window_ends_in_the_kernel_too)
{
	struct built open = build(HEAD P1 P2, NULL, TUESDAY_10, "b0");
	struct built closed = build(HEAD P1 P2, NULL, TUESDAY_10 + 10 * HOUR, "b0");
	uint64_t timeout = 0;

	ck_assert_uint_eq(count(&open, "open", "P2", &timeout), 1);
	ck_assert_uint_eq(timeout, 10 * HOUR * 1000ull);
	ck_assert_uint_eq(count(&open, "live", "P2", &timeout), 1);
	ck_assert_uint_eq(timeout, 10 * HOUR * 1000ull);
	ck_assert_uint_eq(count(&open, "fast", "P2", &timeout), 2);
	ck_assert_uint_eq(timeout, 10 * HOUR * 1000ull);
	ck_assert_uint_eq(count(&open, "open", "P1", &timeout), 1);
	ck_assert_uint_eq(timeout, 0);
	ck_assert_uint_eq(count(&closed, "open", "P2", NULL), 0);
	ck_assert_uint_eq(count(&closed, "live", "P2", NULL), 0);
	ck_assert_uint_eq(count(&closed, "fast", "P2", NULL), 0);
	drop(&open);
	drop(&closed);
}
END_TEST

START_TEST(a_draining_permit_admits_nothing_new)
{
	struct built open = build(HEAD DRAIN, NULL, TUESDAY_10, "b0");
	struct built closed = build(HEAD DRAIN, NULL, TUESDAY_10 + 10 * HOUR, "b0");
	uint64_t timeout = 1;

	ck_assert_uint_eq(count(&open, "open", "P4", &timeout), 1);
	ck_assert_uint_eq(timeout, 10 * HOUR * 1000ull);
	ck_assert_uint_eq(count(&open, "live", "P4", &timeout), 1);
	ck_assert_uint_eq(timeout, 0);
	ck_assert_uint_eq(count(&closed, "open", "P4", NULL), 0);
	ck_assert_uint_eq(count(&closed, "live", "P4", NULL), 1);
	drop(&open);
	drop(&closed);
}
END_TEST

/* A permit that drains lets its own open flows by after hours. One that was open under another permit, or before
 * there were rules, does not become its own by being asked for it. */
START_TEST(what_drains_takes_no_open_flow_in)
{
	struct built closed = build(HEAD DRAIN, NULL, TUESDAY_10 + 10 * HOUR, "b0");
	struct eval_packet packet = {.hook = SEG_HOOK_FORWARD,
				     .iif = "a0",
				     .oif = "b0",
				     .proto = IPPROTO_UDP,
				     .sport = 5000,
				     .dport = 53,
				     .fib_daddr = RTN_UNICAST,
				     .ct_state = 1u << 1,   /* established */
				     .ct_status = 1u << 3}; /* confirmed */

	ck_assert(seg_addr_parse("10.1.0.9", 8, &packet.src));
	ck_assert(seg_addr_parse("10.2.0.9", 8, &packet.dst));
	for (int turn = 0; turn < 3; turn++)
		ck_assert_msg(!eval_plan(closed.plan, &packet), "packet %d passed", turn + 1);
	packet.ct_mark = number_of(&closed, "P4");
	ck_assert(eval_plan(closed.plan, &packet));
	drop(&closed);
}
END_TEST

START_TEST(a_mac_is_asked_of_every_packet)
{
	struct built b = build(HEAD P3, NULL, TUESDAY_10, "b0");

	ck_assert_uint_eq(count(&b, "bound4", "P3", NULL), 1);
	ck_assert_uint_eq(count(&b, "macs", "P3", NULL), 1);
	/* The fast road carries the replies alone. */
	ck_assert_uint_eq(count(&b, "fast", "P3", NULL), 1);
	ck_assert_uint_eq(seg_plan_set(b.plan, "fast")->elem[0].key[0], 1);
	drop(&b);
}
END_TEST

START_TEST(traffic_inside_a_zone_has_a_number_of_its_own_kind)
{
	struct built b = build(HEAD P1, NULL, TUESDAY_10, "b0");

	ck_assert_uint_eq(count(&b, "open", "intra:b", NULL), 1);
	ck_assert_uint_ne(number_of(&b, "intra:b") & SEG_NUMBER_INTRA, 0);
	ck_assert_uint_eq(number_of(&b, "P1") & SEG_NUMBER_INTRA, 0);
	drop(&b);
}
END_TEST

START_TEST(a_window_touches_four_sets_alone)
{
	struct built open = build(HEAD P1 P2, NULL, TUESDAY_10, "b0");
	struct built closed = build(HEAD P1 P2, NULL, TUESDAY_10 + 10 * HOUR, "b0");
	struct seg_change change;

	ck_assert(seg_plan_same_structure(open.plan, closed.plan));
	change = seg_plan_diff(open.plan, closed.plan, arena);
	ck_assert(!change.empty && !change.switches);
	ck_assert_uint_eq(change.sets, 4);
	ck_assert_uint_eq(change.bases, 0);
	for (size_t i = 0; i < change.sets; i++)
		ck_assert_uint_eq(change.set[i].adds, 0);
	change = seg_plan_diff(open.plan, open.plan, arena);
	ck_assert(change.empty);
	drop(&open);
	drop(&closed);
}
END_TEST

START_TEST(a_new_interface_of_a_wildcard_joins_the_fast_road)
{
	struct built none = build(HEAD P1, NULL, TUESDAY_10, NULL);
	struct built with = build(HEAD P1, NULL, TUESDAY_10, "b7");
	struct built other = build(HEAD P1, NULL, TUESDAY_10, "c7");

	ck_assert_uint_eq(count(&none, "fast", "P1", NULL), 1);
	ck_assert_uint_eq(count(&with, "fast", "P1", NULL), 2);
	ck_assert_uint_eq(count(&other, "fast", "P1", NULL), 1);
	ck_assert(seg_plan_same_structure(none.plan, with.plan));
	drop(&none);
	drop(&with);
	drop(&other);
}
END_TEST

static bool forwards(const struct built *b, const char *dst, uint32_t type)
{
	struct eval_packet p = {.hook = SEG_HOOK_FORWARD,
				.iif = "a0",
				.oif = "c0",
				.proto = 17,
				.dport = 53,
				.fib_daddr = type,
				.fib_daddr_iif = RTN_UNICAST,
				.ct_state = 8};

	ck_assert(seg_addr_parse("10.1.0.5", 8, &p.src) && seg_addr_parse(dst, strlen(dst), &p.dst));
	return eval_plan(b->plan, &p);
}

/* Before it is routed: to whom no link is narrow enough, and whose time to live ends nowhere, nothing is
 * asked. */
START_TEST(what_meets_an_error_is_judged_before_it)
{
	struct eval_memory memory = {.n = 0};
	struct built b = build(HEAD P1, NULL, TUESDAY_10, NULL);
	struct eval_packet p = {.hook = SEG_HOOK_PREROUTING,
				.iif = "a0",
				.oif = "",
				.proto = 6,
				.tcp_flags = 2,
				.dport = 443,
				.hop_limit = 64,
				.length = 511,
				.fib_daddr = RTN_UNICAST,
				.ct_state = 8,
				.memory = &memory};

	ck_assert(seg_addr_parse("10.1.0.5", 8, &p.src) && seg_addr_parse("10.2.0.5", 8, &p.dst));
	ck_assert(eval_plan(b.plan, &p) && p.ct_mark == 0);
	p.length = 512;
	ck_assert(eval_plan(b.plan, &p) && p.ct_mark != 0);
	ck_assert_msg(p.counted == 0 && memory.n == 0, "it is, as it crosses");
	p.dport = 444;
	ck_assert(!eval_plan(b.plan, &p));
	p.length = 60;
	ck_assert(eval_plan(b.plan, &p));
	p.hop_limit = 1;
	ck_assert(!eval_plan(b.plan, &p));
	p.fib_daddr = RTN_LOCAL;
	ck_assert(eval_plan(b.plan, &p)); /* input will ask */
	drop(&b);
}
END_TEST

START_TEST(a_group_is_never_routed)
{
	struct built b = build("segd: 1\nguard: none\nzones:\n"
			       "  a: {tier: separate, interfaces: [a0], networks: [10.1.0.0/24]}\n"
			       "  c: {tier: separate, interfaces: [c0], networks: [any]}\n"
			       "permits:\n  - {id: P, class: internal, from: a, to: c, service: [any]}\n",
			       NULL, TUESDAY_10, NULL);

	ck_assert(forwards(&b, "198.51.100.1", RTN_UNICAST));
	ck_assert(!forwards(&b, "224.0.1.1", RTN_UNICAST));
	ck_assert(!forwards(&b, "239.255.255.250", RTN_MULTICAST));
	ck_assert(!forwards(&b, "198.51.100.255", RTN_BROADCAST));
	ck_assert(!forwards(&b, "198.51.100.1", RTN_LOCAL));
	drop(&b);
}
END_TEST

/* The same policy while these zones (by index) are held. */
static struct seg_plan *plan_held(const struct built *b, const bool *held)
{
	const struct seg_build_options options = {.generation = 1, .now = TUESDAY_10, .held = held};

	return seg_plan_build(b->policy, &b->registry, &options);
}

/* Their key would not be complete: what type of ICMP it was, or which call of a tunnel. */
START_TEST(ports_alone_are_remembered)
{
	struct built b = build("segd: 1\nguard: none\nzones:\n"
			       "  a: {tier: separate, interfaces: [a0], networks: [10.1.0.0/24]}\n"
			       "  c: {tier: separate, interfaces: [c0], networks: [10.2.0.0/24]}\n"
			       "permits:\n  - {id: P, class: internal, from: a, to: c, service: [any]}\n",
			       NULL, TUESDAY_10, NULL);
	static const uint8_t protos[] = {IPPROTO_ICMP, IPPROTO_GRE, IPPROTO_SCTP, IPPROTO_UDP, IPPROTO_TCP};
	struct eval_memory memory = {.n = 0};

	for (size_t i = 0; i < sizeof(protos); i++) {
		struct eval_packet p = {.hook = SEG_HOOK_FORWARD, .iif = "a0", .oif = "c0", .proto = protos[i],
					.icmp_type = 8, .tcp_flags = 2, .dport = 443, .fib_daddr = RTN_UNICAST,
					.fib_daddr_iif = RTN_UNICAST, .ct_state = 8, .memory = &memory};

		ck_assert(seg_addr_parse("10.1.0.5", 8, &p.src) && seg_addr_parse("10.2.0.5", 8, &p.dst));
		ck_assert(eval_plan(b.plan, &p));
		ck_assert_uint_eq(memory.n, i < 3 ? 0 : i - 2);
	}
	drop(&b);
}
END_TEST

/* What is remembered is a number, and what it may do now is asked of all that keep it from it. */
START_TEST(what_is_remembered_is_asked_again)
{
	struct built b = build(HEAD P1, NULL, TUESDAY_10, NULL);
	struct built closed = build(HEAD, NULL, TUESDAY_10, NULL);
	struct seg_plan *held = plan_held(&b, (const bool[]){true, true});
	struct eval_memory memory = {.n = 0};
	struct eval_packet p = {.hook = SEG_HOOK_FORWARD, .iif = "a0", .oif = "b0", .proto = IPPROTO_TCP,
				.tcp_flags = 2, .dport = 443, .fib_daddr = RTN_UNICAST,
				.fib_daddr_iif = RTN_UNICAST, .ct_state = 8, .memory = &memory};
	uint32_t number = number_of(&b, "P1");

	ck_assert(seg_addr_parse("10.1.0.5", 8, &p.src) && seg_addr_parse("10.2.0.5", 8, &p.dst));
	ck_assert(eval_plan(b.plan, &p) && p.ct_mark == number && memory.n == 1 && memory.recalled == 0);
	p.ct_mark = 77; /* somebody's */
	ck_assert(eval_plan(b.plan, &p) && p.ct_mark == number && memory.recalled == 1);
	ck_assert(!eval_plan(held, &p));
	ck_assert(!eval_plan(closed.plan, &p));
	p.tcp_flags = 0x10;
	ck_assert_msg(!eval_plan(b.plan, &p), "picked up in the middle");
	p.tcp_flags = 2;
	p.iif = "b0";
	ck_assert_msg(!eval_plan(b.plan, &p), "not where its source is");
	ck_assert_uint_eq(memory.n, 1);
	drop(&b);
	drop(&closed);
	seg_plan_free(held);
}
END_TEST

static bool passes(const struct seg_plan *plan, const char *src, const char *dst, uint32_t status)
{
	struct eval_packet p = {.hook = SEG_HOOK_FORWARD, .iif = strncmp(src, "10.1.", 5) ? "b0" : "a0",
				.oif = "b0", .proto = IPPROTO_UDP, .dport = 53, .fib_daddr = RTN_UNICAST,
				.fib_daddr_iif = RTN_UNICAST, .ct_state = 8, .ct_status = status};

	ck_assert(seg_addr_parse(src, strlen(src), &p.src) && seg_addr_parse(dst, strlen(dst), &p.dst));
	return eval_plan(plan, &p);
}

START_TEST(a_held_zone_begins_nothing_new)
{
	struct built b = build(HEAD P1 P2, NULL, TUESDAY_10, NULL);
	struct seg_plan *a = plan_held(&b, (const bool[]){true, false}), *both = plan_held(&b, (const bool[]){true, true});
	struct seg_change change = seg_plan_diff(b.plan, a, arena);

	ck_assert(passes(b.plan, "10.1.0.5", "10.2.0.5", 0));
	ck_assert(!passes(a, "10.1.0.5", "10.2.0.5", 0));
	ck_assert(passes(a, "10.1.0.5", "10.2.0.5", IPS_CONFIRMED)); /* open, and taken over by this permit */
	ck_assert(passes(a, "10.2.0.5", "10.2.0.6", 0));
	ck_assert(!passes(both, "10.2.0.5", "10.2.0.6", 0));
	ck_assert_uint_eq(seg_plan_set(a, "held")->elems, 2);
	ck_assert_str_eq(seg_plan_set(a, "held")->elem[0].comment, "a");
	/* Elements of one set, in one batch. */
	ck_assert(!change.switches && !change.bases);
	ck_assert_uint_eq(change.sets, 1);
	ck_assert_uint_eq(change.set[0].adds, 2);
	ck_assert_str_eq(change.set[0].set->name, "held");
	seg_plan_free(a);
	seg_plan_free(both);
	drop(&b);
}
END_TEST

#define RATE_HEAD                                                                                  \
	"segd: 1\nguard: none\nzones:\n"                                                           \
	"  a: {tier: separate, interfaces: [a0], networks: [10.1.0.0/24], limit: {new: %s}}\n"       \
	"  b: {tier: separate, interfaces: [b0], networks: [10.2.0.0/24]}\n"                         \
	"permits:\n"                                                                                \
	"  - {id: P1, class: internal, from: [a, b], to: gateway, service: [tcp/22]}\n"             \
	"  - {id: P2, class: internal, from: a, to: b, service: [udp/53]}\n"                        \
	"  - {id: P3, class: internal, from: gateway, to: a, service: [udp/53]}\n"

START_TEST(a_rate_is_asked_of_its_own_zone)
{
	char fast[1024], slow[1024];
	struct built f, s;
	const struct seg_set *rates;
	const struct seg_chain *rate;

	snprintf(fast, sizeof(fast), RATE_HEAD, "2000/s");
	snprintf(slow, sizeof(slow), RATE_HEAD, "1/s");
	f = build(fast, NULL, TUESDAY_10, NULL);
	s = build(slow, NULL, TUESDAY_10, NULL);
	rates = seg_plan_set(f.plan, "rates");
	rate = seg_plan_chain(f.plan, "rate-a");
	ck_assert_ptr_nonnull(rates);
	ck_assert_uint_eq(rates->elems, 2); /* a to the gateway, a to b */
	for (size_t i = 0; i < rates->elems; i++)
		ck_assert_ptr_eq(rates->elem[i].action.chain, rate);
	ck_assert_uint_eq(rate->rule[0].stmt[0].rate, 2000);
	ck_assert_ptr_null(seg_plan_chain(f.plan, "rate-b"));
	ck_assert(passes(f.plan, "10.1.0.5", "10.2.0.5", 0)); /* within it */
	ck_assert(!seg_plan_same_structure(f.plan, s.plan));
	ck_assert_uint_eq(number_of(&f, "P2"), number_of(&s, "P2"));
	drop(&f);
	drop(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("build");
	TCase *tc = tcase_create("build");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_number_stays_while_the_meaning_does);
	tcase_add_test(tc, a_number_is_never_used_again);
	tcase_add_test(tc, a_window_ends_in_the_kernel_too);
	tcase_add_test(tc, a_draining_permit_admits_nothing_new);
	tcase_add_test(tc, what_drains_takes_no_open_flow_in);
	tcase_add_test(tc, a_mac_is_asked_of_every_packet);
	tcase_add_test(tc, traffic_inside_a_zone_has_a_number_of_its_own_kind);
	tcase_add_test(tc, a_window_touches_four_sets_alone);
	tcase_add_test(tc, a_new_interface_of_a_wildcard_joins_the_fast_road);
	tcase_add_test(tc, what_meets_an_error_is_judged_before_it);
	tcase_add_test(tc, a_group_is_never_routed);
	tcase_add_test(tc, ports_alone_are_remembered);
	tcase_add_test(tc, what_is_remembered_is_asked_again);
	tcase_add_test(tc, a_held_zone_begins_nothing_new);
	tcase_add_test(tc, a_rate_is_asked_of_its_own_zone);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
