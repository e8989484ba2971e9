/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_PLAN_WRITER_H
#define SEG_PLAN_WRITER_H

/*
 * A pen for plans: makes sets, chains and rules one statement at a time, so that
 * build.c reads like the ruleset it writes.
 *
 * A writer owns nothing but vectors in the plan's arena; seg_writer_finish() turns
 * them into the immutable plan. Sets and chains are known by the order they were
 * made in, and a rule's target must have been made before the rule is written.
 */

#include "plan/plan.h"

struct seg_writer;

struct seg_writer *seg_writer_new(uint32_t generation);
struct seg_arena *seg_writer_arena(struct seg_writer *writer);
struct seg_plan *seg_writer_finish(struct seg_writer *writer);
/* Whatever wears a comment has a number in its key or its data. */
void seg_writer_numbered(struct seg_writer *writer);

/* Sets and maps. The name is copied; fields end with the first -1. */
struct seg_set *seg_writer_set(struct seg_writer *writer, const char *name, const int *fields);
#define SEG_FIELDS(...) ((const int[]){__VA_ARGS__, -1})

/* A key being put together in the kernel's layout. */
struct seg_key {
	uint8_t bytes[SEG_KEY_MAX];
	unsigned len;
};
void seg_key_addr(struct seg_key *key, seg_addr addr);
void seg_key_u8(struct seg_key *key, uint8_t value);
void seg_key_be16(struct seg_key *key, uint16_t value);
void seg_key_u32(struct seg_key *key, uint32_t host_order);
void seg_key_mac(struct seg_key *key, const uint8_t mac[static SEG_MAC_LEN]);
void seg_key_ifname(struct seg_key *key, const char *name);
void seg_key_part(struct seg_key *key, const struct seg_key *part); /* fields put together before */

/* So many elements, about, are going to be added to a set that is empty: they are not moved again and again. */
void seg_writer_expect(struct seg_writer *writer, struct seg_set *set, size_t n);
/* Adds an element; end NULL for a single key. The caller fills in mark, action, comment... */
struct seg_elem *seg_writer_elem(struct seg_writer *writer, struct seg_set *set, const struct seg_key *key,
				 const struct seg_key *end);

/* Chains and rules. */
struct seg_chain *seg_writer_chain(struct seg_writer *writer, const char *name);
struct seg_rule *seg_writer_rule(struct seg_writer *writer, struct seg_chain *chain);

/* Statements, in the order in which the kernel evaluates them. */
struct seg_loads {
	enum seg_load load[SEG_KEY_FIELDS];
	unsigned n;
};
#define SEG_LOADS(...)                                                                             \
	((struct seg_loads){{__VA_ARGS__}, sizeof((enum seg_load[]){__VA_ARGS__}) / sizeof(enum seg_load)})

void seg_rule_cmp_u8(struct seg_writer *w, struct seg_rule *rule, enum seg_load load, uint8_t value);
void seg_rule_cmp_mask(struct seg_writer *w, struct seg_rule *rule, enum seg_load load, const void *value,
		       const void *mask, unsigned len, bool invert);
void seg_rule_cmp_ifname(struct seg_writer *w, struct seg_rule *rule, enum seg_load load, const char *name,
			 bool prefix);
void seg_rule_state(struct seg_writer *w, struct seg_rule *rule, uint32_t states); /* any of these bits */
void seg_rule_not_state(struct seg_writer *w, struct seg_rule *rule, uint32_t state);	   /* a single bit */
void seg_rule_confirmed(struct seg_writer *w, struct seg_rule *rule); /* of a flow that has begun already */
void seg_rule_lookup(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads,
		     const struct seg_set *set, bool invert);
void seg_rule_map_mark(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads,
		       const struct seg_set *map);
void seg_rule_vmap(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads, const struct seg_set *map);
void seg_rule_set_mark(struct seg_writer *w, struct seg_rule *rule, uint32_t mark);
void seg_rule_set_events(struct seg_writer *w, struct seg_rule *rule, uint32_t mask);
void seg_rule_counter(struct seg_writer *w, struct seg_rule *rule);
void seg_rule_add_counted(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads,
			  const struct seg_set *set);
/* One that is there already stays as it is. */
void seg_rule_add_mark(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads, const struct seg_set *map);
void seg_rule_update_limited(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads,
			     const struct seg_set *set, uint32_t rate, uint32_t burst);
void seg_rule_limit(struct seg_writer *w, struct seg_rule *rule, uint32_t rate, uint32_t burst);
void seg_rule_log(struct seg_writer *w, struct seg_rule *rule, uint32_t group, const char *prefix);
void seg_rule_reject(struct seg_writer *w, struct seg_rule *rule, bool tcp_reset);
void seg_rule_verdict(struct seg_writer *w, struct seg_rule *rule, enum seg_verdict_code code,
		      const struct seg_chain *chain);

#endif
