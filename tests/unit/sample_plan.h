/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_TESTS_SAMPLE_PLAN_H
#define SEG_TESTS_SAMPLE_PLAN_H

/*
 * A plan by hand that uses every kind of set and statement, for the tests of what
 * prints, compares, encodes and reads plans. Build and change it through the
 * functions here: each test gets its own copy.
 */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"

struct sample {
	struct seg_plan plan;
	struct seg_arena *arena;
	struct seg_set *set[32];
	struct seg_chain *chain[32];
};

static inline struct seg_set *sample_set(struct sample *s, const char *name, bool kept,
					 enum seg_set_data data, unsigned fields, const enum seg_field *field)
{
	struct seg_set *set = SEG_NEW(s->arena, struct seg_set);

	*set = (struct seg_set){.name = name, .kept = kept, .data = data, .fields = fields};
	for (unsigned i = 0; i < fields; i++) {
		set->field[i] = field[i];
		set->key_len += seg_field_padded(field[i]);
	}
	s->set[s->plan.sets++] = set;
	return set;
}

#define SAMPLE_FIELDS(...)                                                                   \
	sizeof((enum seg_field[]){__VA_ARGS__}) / sizeof(enum seg_field), (enum seg_field[]) \
	{                                                                                    \
		__VA_ARGS__                                                                  \
	}

/* A key from text, field by field: "10.0.0.1", "tcp", "443", "lg0", "00:00:5e:00:53:01", "7". */
static inline const uint8_t *sample_key(struct sample *s, const struct seg_set *set, const char *const *text)
{
	uint8_t *key = seg_arena_alloc(s->arena, set->key_len), *at = key;

	for (unsigned i = 0; i < set->fields; i++) {
		uint32_t number = (uint32_t)strtoul(text[i], NULL, 0);
		uint16_t port = htons((uint16_t)number);
		seg_addr addr;

		switch (set->field[i]) {
		case SEG_F_IPV4_ADDR:
		case SEG_F_IPV6_ADDR:
			if (seg_addr_parse(text[i], strlen(text[i]), &addr))
				seg_addr_to_bytes(addr, at);
			break;
		case SEG_F_INET_SERVICE:
			memcpy(at, &port, sizeof(port));
			break;
		case SEG_F_ETHER_ADDR:
			seg_mac_parse(text[i], strlen(text[i]), at);
			break;
		case SEG_F_IFNAME:
			memcpy(at, text[i], strlen(text[i]));
			break;
		case SEG_F_MARK:
		case SEG_F_FIB_TYPE:
			memcpy(at, &number, sizeof(number));
			break;
		default:
			*at = (uint8_t)number;
			break;
		}
		at += seg_field_padded(set->field[i]);
	}
	return key;
}
#define SAMPLE_KEY(...) ((const char *const[]){__VA_ARGS__})

static inline struct seg_elem *sample_elem(struct sample *s, struct seg_set *set, const char *const *key,
					   const char *const *end)
{
	struct seg_elem *elems = SEG_NEW_N(s->arena, struct seg_elem, set->elems + 1);

	if (set->elems)
		memcpy(elems, set->elem, set->elems * sizeof(*elems));
	elems[set->elems].key = sample_key(s, set, key);
	if (end)
		elems[set->elems].end = sample_key(s, set, end);
	set->elem = elems;
	return &elems[set->elems++];
}

static inline struct seg_chain *sample_chain(struct sample *s, const char *name)
{
	struct seg_chain *chain = SEG_NEW(s->arena, struct seg_chain);

	chain->name = name;
	s->chain[s->plan.chains++] = chain;
	return chain;
}

static inline struct seg_chain *sample_base(struct sample *s, const char *name, enum seg_hook hook)
{
	struct seg_chain *chain = sample_chain(s, name);

	chain->kept = true;
	chain->hook = hook;
	chain->priority = -10;
	chain->policy_drop = true;
	return chain;
}

static inline struct seg_rule *sample_rule(struct sample *s, struct seg_chain *chain, size_t stmts,
					   const struct seg_stmt *stmt)
{
	struct seg_rule *rules = SEG_NEW_N(s->arena, struct seg_rule, chain->rules + 1);

	if (chain->rules)
		memcpy(rules, chain->rule, chain->rules * sizeof(*rules));
	rules[chain->rules].stmt = seg_arena_copy(s->arena, stmt, stmts * sizeof(*stmt));
	rules[chain->rules].stmts = stmts;
	chain->rule = rules;
	return &rules[chain->rules++];
}
#define RULE(s, chain, ...)                                                                       \
	sample_rule(s, chain, sizeof((struct seg_stmt[]){__VA_ARGS__}) / sizeof(struct seg_stmt), \
		    (struct seg_stmt[]){__VA_ARGS__})

#define LOADS(...) \
	.load = {__VA_ARGS__}, .loads = sizeof((enum seg_load[]){__VA_ARGS__}) / sizeof(enum seg_load)
#define CMP(l, size, ...)                                                                           \
	{                                                                                           \
		.kind = SEG_S_CMP, .load = {l}, .loads = 1, .len = (size), .value = { __VA_ARGS__ } \
	}
#define NOT(l, size, ...)                                                                             \
	{                                                                                             \
		.kind = SEG_S_CMP, .load = {l}, .loads = 1, .len = (size), .invert = true, .value = { \
			__VA_ARGS__                                                                   \
		}                                                                                     \
	}
#define STATE(bits)                                                                                \
	{                                                                                          \
		.kind = SEG_S_CMP, .load = {SEG_L_CT_STATE}, .loads = 1, .len = 4, .invert = true, \
		.mask_len = 4, .mask = {                                                           \
			bits                                                                       \
		}                                                                                  \
	}
#define LOOKUP(s, ...)                                               \
	{                                                            \
		.kind = SEG_S_LOOKUP, .set = (s), LOADS(__VA_ARGS__) \
	}
#define VMAP(s, ...)                                               \
	{                                                          \
		.kind = SEG_S_VMAP, .set = (s), LOADS(__VA_ARGS__) \
	}
#define MARK(s, ...)                                                   \
	{                                                              \
		.kind = SEG_S_MAP_MARK, .set = (s), LOADS(__VA_ARGS__) \
	}
#define ADD(s, ...)                                               \
	{                                                         \
		.kind = SEG_S_ADD, .set = (s), LOADS(__VA_ARGS__) \
	}
#define UPDATE(s, ...)                                                                                    \
	{                                                                                                 \
		.kind = SEG_S_ADD, .set = (s), .update = true, .rate = 10, .burst = 5, LOADS(__VA_ARGS__) \
	}
#define ACCEPT                                                         \
	{                                                              \
		.kind = SEG_S_ACTION, .action = { SEG_V_ACCEPT, NULL } \
	}
#define DROP                                                         \
	{                                                            \
		.kind = SEG_S_ACTION, .action = { SEG_V_DROP, NULL } \
	}
#define RETURN                                                         \
	{                                                              \
		.kind = SEG_S_ACTION, .action = { SEG_V_RETURN, NULL } \
	}
#define GOTO(c)                                                   \
	{                                                         \
		.kind = SEG_S_ACTION, .action = { SEG_V_GOTO, c } \
	}
#define JUMP(c)                                                   \
	{                                                         \
		.kind = SEG_S_ACTION, .action = { SEG_V_JUMP, c } \
	}

static inline void sample_rules_refused(struct sample *s, struct seg_chain *refused, struct seg_set *denied,
					struct seg_set *logged)
{
	RULE(s, refused, ADD(denied, SEG_L_IP_SADDR, SEG_L_IP_DADDR));
	RULE(s, refused, UPDATE(logged, SEG_L_IP_SADDR),
	     {.kind = SEG_S_LOG, .number = 5350, .prefix = "segd denied", .threshold = 16, .snaplen = 128});
	RULE(s, refused, {.kind = SEG_S_LIMIT, .rate = 10, .burst = 7},
	     {.kind = SEG_S_REJECT, .reset = true});
	RULE(s, refused, {.kind = SEG_S_LIMIT, .rate = 10, .burst = 7}, {.kind = SEG_S_REJECT});
	RULE(s, refused, {.kind = SEG_S_COUNTER}, DROP)->comment = "the rest";
}

static inline void sample_rules_judge(struct sample *s, struct seg_chain *judge, struct seg_chain *refused)
{
	const struct seg_stmt not_syn = {.kind = SEG_S_CMP,
					 .load = {SEG_L_TCP_FLAGS},
					 .loads = 1,
					 .len = 1,
					 .mask_len = 1,
					 .value = {2},
					 .mask = {0x17},
					 .invert = true};
	const struct seg_stmt link_local = {.kind = SEG_S_CMP,
					    .load = {SEG_L_IP6_SADDR},
					    .loads = 1,
					    .len = 16,
					    .mask_len = 16,
					    .value = {0xfe, 0x80},
					    .mask = {0xff, 0xc0}};
	const struct seg_stmt intra = {.kind = SEG_S_CMP,
				       .load = {SEG_L_CT_MARK},
				       .loads = 1,
				       .len = 4,
				       .mask_len = 4,
				       .value = {0, 0, 0, 0x40},
				       .mask = {0, 0, 0, 0x40}};

	RULE(s, judge, CMP(SEG_L_IIFNAME, 16, 'l', 'g', '0'), RETURN);
	RULE(s, judge, CMP(SEG_L_OIFNAME, 4, 'w', 'i', 'f', 'i'), RETURN);
	RULE(s, judge, NOT(SEG_L_IIFNAME, 16, 'm', 'n', '0'), GOTO(refused));
	RULE(s, judge, STATE(8), not_syn, GOTO(refused));
	RULE(s, judge, CMP(SEG_L_NFPROTO, 1, 10), link_local, DROP);
	RULE(s, judge, intra, {.kind = SEG_S_SET_EVENTS});
	RULE(s, judge, STATE(6), CMP(SEG_L_CT_DIRECTION, 1, 1), ACCEPT);
	RULE(s, judge, STATE(8), {.kind = SEG_S_SET_EVENTS, .number = 0x105});
	RULE(s, judge, {.kind = SEG_S_SET_MARK, .number = 0x40000001}, JUMP(refused));
}

static inline void sample_sets(struct sample *s, struct seg_chain *target)
{
	static const char *const world = "0.0.0.0";
	struct seg_set *set;
	struct seg_elem *elem;

	set = sample_set(s, "fast", true, SEG_DATA_NONE,
			 SAMPLE_FIELDS(SEG_F_CT_DIR, SEG_F_IFNAME, SEG_F_MARK));
	set->timeout = set->counter = true;
	elem = sample_elem(s, set, SAMPLE_KEY("0", "lg0", "7"), NULL);
	elem->comment = "S-1";
	elem->timeout_ms = 3600000;
	sample_elem(s, set, SAMPLE_KEY("1", "mn0.140", "7"), NULL)->comment = "S-1";
	set = sample_set(s, "open", true, SEG_DATA_NONE, SAMPLE_FIELDS(SEG_F_MARK));
	set->timeout = set->counter = true;
	set = sample_set(s, "own-types", true, SEG_DATA_NONE, SAMPLE_FIELDS(SEG_F_FIB_TYPE));
	sample_elem(s, set, SAMPLE_KEY("2"), NULL);
	sample_elem(s, set, SAMPLE_KEY("5"), NULL);
	set = sample_set(s, "nd", true, SEG_DATA_NONE, SAMPLE_FIELDS(SEG_F_ICMPV6_TYPE));
	sample_elem(s, set, SAMPLE_KEY("135"), NULL);
	set = sample_set(s, "bound4", true, SEG_DATA_NONE,
			 SAMPLE_FIELDS(SEG_F_ETHER_ADDR, SEG_F_IPV4_ADDR, SEG_F_MARK));
	set->timeout = true;
	sample_elem(s, set, SAMPLE_KEY("00:00:5e:00:53:01", "10.1.0.20", "7"), NULL)->comment = "S-1";
	set = sample_set(
		s, "exact-ports4", true, SEG_DATA_MARK,
		SAMPLE_FIELDS(SEG_F_IPV4_ADDR, SEG_F_IPV4_ADDR, SEG_F_INET_PROTO, SEG_F_INET_SERVICE));
	elem = sample_elem(s, set, SAMPLE_KEY("10.1.0.20", "172.30.5.10", "6", "443"), NULL);
	elem->comment = "S-1";
	elem->mark = 7;
	set = sample_set(
		s, "exact-ports6", true, SEG_DATA_MARK,
		SAMPLE_FIELDS(SEG_F_IPV6_ADDR, SEG_F_IPV6_ADDR, SEG_F_INET_PROTO, SEG_F_INET_SERVICE));
	elem = sample_elem(s, set, SAMPLE_KEY("2001:db8::1", "2001:db8:1::1", "17", "53"), NULL);
	elem->mark = 8;
	set = sample_set(
		s, "lg-ports4", false, SEG_DATA_MARK,
		SAMPLE_FIELDS(SEG_F_IPV4_ADDR, SEG_F_IPV4_ADDR, SEG_F_INET_PROTO, SEG_F_INET_SERVICE));
	set->interval = true;
	elem = sample_elem(s, set, SAMPLE_KEY("10.2.1.0", "10.4.0.4", "6", "400"),
			   SAMPLE_KEY("10.2.1.199", "10.4.0.4", "6", "443"));
	elem->comment = "Z-1";
	elem->mark = 9;
	elem = sample_elem(s, set, SAMPLE_KEY(world, "10.4.0.5", "0", "0"),
			   SAMPLE_KEY("255.255.255.255", "10.4.0.5", "255", "65535"));
	elem->mark = 10;
	elem = sample_elem(s, set, SAMPLE_KEY("10.9.0.1", "10.4.0.6", "17", "53"), NULL);
	elem->mark = 11;
	set = sample_set(s, "origin4", false, SEG_DATA_VERDICT, SAMPLE_FIELDS(SEG_F_IPV4_ADDR));
	set->interval = true;
	sample_elem(s, set, SAMPLE_KEY("10.1.0.0"), SAMPLE_KEY("10.1.0.255"))->action =
		(struct seg_action){SEG_V_JUMP, target};
	elem = sample_elem(s, set, SAMPLE_KEY("10.1.1.0"), SAMPLE_KEY("10.1.1.9"));
	elem->action = (struct seg_action){SEG_V_GOTO, target};
	elem->comment = "next to it";
	sample_elem(s, set, SAMPLE_KEY("192.0.2.1"), NULL)->action = (struct seg_action){SEG_V_DROP, NULL};
	set = sample_set(s, "everything6", false, SEG_DATA_NONE, SAMPLE_FIELDS(SEG_F_IPV6_ADDR));
	set->interval = true;
	sample_elem(s, set, SAMPLE_KEY("::"), SAMPLE_KEY("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
	set = sample_set(s, "group4", false, SEG_DATA_NONE, SAMPLE_FIELDS(SEG_F_IPV4_ADDR));
	set->interval = true;
	sample_elem(s, set, SAMPLE_KEY(world), NULL);
	sample_elem(s, set, SAMPLE_KEY("224.0.0.0"), SAMPLE_KEY("239.255.255.255"));
	sample_elem(s, set, SAMPLE_KEY("255.255.255.255"), NULL);
	set = sample_set(s, "dispatch", false, SEG_DATA_VERDICT,
			 SAMPLE_FIELDS(SEG_F_NFPROTO, SEG_F_CT_DIR, SEG_F_INET_PROTO));
	sample_elem(s, set, SAMPLE_KEY("2", "0", "6"), NULL)->action =
		(struct seg_action){SEG_V_GOTO, target};
	set = sample_set(s, "denied4", true, SEG_DATA_NONE, SAMPLE_FIELDS(SEG_F_IPV4_ADDR, SEG_F_IPV4_ADDR));
	set->dynamic = set->timeout = true;
	set->size = 65536;
	set->timeout_ms = 3600000;
	set = sample_set(s, "logged4", true, SEG_DATA_NONE, SAMPLE_FIELDS(SEG_F_IPV4_ADDR));
	set->dynamic = set->timeout = true;
	set->size = 4096;
	set->timeout_ms = 60000;
	set = sample_set(
		s, "recent4", false, SEG_DATA_MARK,
		SAMPLE_FIELDS(SEG_F_IPV4_ADDR, SEG_F_IPV4_ADDR, SEG_F_INET_PROTO, SEG_F_INET_SERVICE));
	set->dynamic = set->timeout = true;
	set->size = 4096;
	set->timeout_ms = 60000;
}

static inline struct seg_set *sample_find(struct sample *s, const char *name)
{
	return (struct seg_set *)seg_plan_set(&s->plan, name);
}

static inline void sample_rules_maps(struct sample *s, struct seg_chain *maps)
{
	struct seg_set *ports = sample_find(s, "exact-ports4");

	RULE(s, maps, VMAP(sample_find(s, "dispatch"), SEG_L_NFPROTO, SEG_L_CT_DIRECTION, SEG_L_L4PROTO));
	RULE(s, maps, VMAP(sample_find(s, "origin4"), SEG_L_IP_SADDR));
	RULE(s, maps, MARK(ports, SEG_L_IP_SADDR, SEG_L_IP_DADDR, SEG_L_L4PROTO, SEG_L_TH_DPORT));
	RULE(s, maps, MARK(ports, SEG_L_IP_DADDR, SEG_L_IP_SADDR, SEG_L_L4PROTO, SEG_L_TH_SPORT));
	RULE(s, maps,
	     MARK(sample_find(s, "lg-ports4"), SEG_L_IP_SADDR, SEG_L_IP_DADDR, SEG_L_L4PROTO,
		  SEG_L_TH_DPORT));
	RULE(s, maps,
	     MARK(sample_find(s, "exact-ports6"), SEG_L_IP6_SADDR, SEG_L_IP6_DADDR, SEG_L_L4PROTO,
		  SEG_L_TH_DPORT));
	RULE(s, maps, LOOKUP(sample_find(s, "own-types"), SEG_L_FIB_DADDR_IIF_TYPE), ACCEPT);
	RULE(s, maps, CMP(SEG_L_FIB_DADDR_TYPE, 4, 2), DROP);
	RULE(s, maps, LOOKUP(sample_find(s, "nd"), SEG_L_ICMPV6_TYPE), CMP(SEG_L_IP6_HOPLIMIT, 1, 255),
	     ACCEPT);
	RULE(s, maps, LOOKUP(sample_find(s, "bound4"), SEG_L_ETHER_SADDR, SEG_L_IP_SADDR, SEG_L_CT_MARK),
	     ACCEPT);
	RULE(s, maps,
	     {.kind = SEG_S_LOOKUP, .invert = true, .set = sample_find(s, "group4"), LOADS(SEG_L_IP_DADDR)},
	     CMP(SEG_L_ICMP_TYPE, 1, 8), ACCEPT);
	RULE(s, maps, LOOKUP(sample_find(s, "everything6"), SEG_L_IP6_DADDR), DROP)->comment = "no IPv6";
	RULE(s, maps, CMP(SEG_L_FIB_SADDR_TYPE, 4, 2), DROP);
	RULE(s, maps,
	     {.kind = SEG_S_ADD_MARK,
	      .set = sample_find(s, "recent4"),
	      LOADS(SEG_L_IP_SADDR, SEG_L_IP_DADDR, SEG_L_L4PROTO, SEG_L_TH_DPORT)});
}

/* Free with sample_fini(). */
static inline struct sample *sample_new(uint32_t generation)
{
	struct seg_arena *arena = seg_arena_new();
	struct sample *s = SEG_NEW(arena, struct sample);
	struct seg_chain *refused, *judge, *maps, *forward, *input;

	s->arena = s->plan.arena = arena;
	s->plan.generation = generation;
	s->plan.set = (const struct seg_set *const *)s->set;
	s->plan.chain = (const struct seg_chain *const *)s->chain;
	refused = sample_chain(s, "refused");
	sample_sets(s, refused);
	judge = sample_chain(s, "judge");
	maps = sample_chain(s, "maps");
	sample_rules_refused(s, refused, sample_find(s, "denied4"), sample_find(s, "logged4"));
	sample_rules_judge(s, judge, refused);
	sample_rules_maps(s, maps);
	forward = sample_base(s, "forward", SEG_HOOK_FORWARD);
	RULE(s, forward, STATE(2),
	     LOOKUP(sample_find(s, "fast"), SEG_L_CT_DIRECTION, SEG_L_IIFNAME, SEG_L_CT_MARK), ACCEPT);
	RULE(s, forward, JUMP(judge));
	RULE(s, forward, GOTO(maps));
	input = sample_base(s, "input", SEG_HOOK_INPUT);
	input->policy_drop = false;
	return s;
}

static inline void sample_fini(struct sample *s)
{
	seg_arena_free(s->arena);
}

#endif
