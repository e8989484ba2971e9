/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <string.h>

#include "plan/writer.h"

/* The public struct comes first, so that a pointer to it is a pointer to the draft. */
struct set_draft {
	struct seg_set out;
	struct seg_elem *elem;
	size_t n, cap;
	uint8_t *keys; /* room for the keys of elements that are expected, */
	size_t room;   /* of so many */
};
struct rule_draft {
	struct seg_rule out;
	struct seg_stmt *stmt;
	size_t n, cap;
};
struct chain_draft {
	struct seg_chain out;
	struct rule_draft **rule;
	size_t n, cap;
};

struct seg_writer {
	struct seg_arena *arena;
	struct seg_plan *plan;
	struct set_draft **set;
	size_t sets, sets_cap;
	struct chain_draft **chain;
	size_t chains, chains_cap;
};

struct seg_writer *seg_writer_new(uint32_t generation)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_writer *writer = SEG_NEW(arena, struct seg_writer);

	writer->arena = arena;
	writer->plan = SEG_NEW(arena, struct seg_plan);
	writer->plan->arena = arena;
	writer->plan->generation = generation;
	return writer;
}

struct seg_arena *seg_writer_arena(struct seg_writer *writer)
{
	return writer->arena;
}

static void finish_chain(struct seg_writer *writer, struct chain_draft *chain)
{
	struct seg_rule *rules = SEG_NEW_N(writer->arena, struct seg_rule, chain->n);

	for (size_t i = 0; i < chain->n; i++) {
		rules[i] = chain->rule[i]->out;
		rules[i].stmt = chain->rule[i]->stmt;
		rules[i].stmts = chain->rule[i]->n;
	}
	chain->out.rule = rules;
	chain->out.rules = chain->n;
}

struct seg_plan *seg_writer_finish(struct seg_writer *writer)
{
	struct seg_plan *plan = writer->plan;

	for (size_t i = 0; i < writer->sets; i++) {
		writer->set[i]->out.elem = writer->set[i]->elem;
		writer->set[i]->out.elems = writer->set[i]->n;
	}
	for (size_t i = 0; i < writer->chains; i++)
		finish_chain(writer, writer->chain[i]);
	plan->set = (const struct seg_set *const *)writer->set;
	plan->sets = writer->sets;
	plan->chain = (const struct seg_chain *const *)writer->chain;
	plan->chains = writer->chains;
	return plan;
}

void seg_writer_numbered(struct seg_writer *writer)
{
	for (size_t i = 0; i < writer->sets; i++)
		writer->set[i]->out.numbered = true;
}

struct seg_set *seg_writer_set(struct seg_writer *writer, const char *name, const int *fields)
{
	struct set_draft *draft = SEG_NEW(writer->arena, struct set_draft);
	struct seg_set *set = &draft->out;

	set->name = seg_arena_strdup(writer->arena, name);
	for (; *fields >= 0; fields++) {
		enum seg_field field = (enum seg_field) * fields;

		set->field[set->fields++] = field;
		set->key_len += (seg_field_len(field) + 3u) & ~3u;
	}
	SEG_PUSH(writer->arena, writer->set, writer->sets, writer->sets_cap) = draft;
	return set;
}

static void key_put(struct seg_key *key, const void *bytes, unsigned len)
{
	unsigned padded = (len + 3u) & ~3u;

	memset(key->bytes + key->len, 0, padded);
	memcpy(key->bytes + key->len, bytes, len);
	key->len += padded;
}

void seg_key_addr(struct seg_key *key, seg_addr addr)
{
	uint8_t bytes[16];

	seg_addr_to_bytes(addr, bytes);
	key_put(key, bytes, (unsigned)seg_addr_size(seg_addr_family(addr)));
}

void seg_key_u8(struct seg_key *key, uint8_t value)
{
	key_put(key, &value, 1);
}

void seg_key_be16(struct seg_key *key, uint16_t value)
{
	uint16_t be = htons(value);

	key_put(key, &be, 2);
}

void seg_key_u32(struct seg_key *key, uint32_t host_order)
{
	key_put(key, &host_order, 4);
}

void seg_key_mac(struct seg_key *key, const uint8_t mac[static SEG_MAC_LEN])
{
	key_put(key, mac, SEG_MAC_LEN);
}

void seg_key_ifname(struct seg_key *key, const char *name)
{
	char padded[16] = {0};

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	key_put(key, padded, sizeof(padded));
}

void seg_key_part(struct seg_key *key, const struct seg_key *part)
{
	key_put(key, part->bytes, part->len);
}

void seg_writer_expect(struct seg_writer *writer, struct seg_set *set, size_t n)
{
	struct set_draft *draft = (struct set_draft *)set;

	if (draft->n || !n)
		return;
	draft->elem = SEG_ROOM(writer->arena, struct seg_elem, n);
	draft->keys = seg_arena_room(writer->arena, n * set->key_len);
	draft->cap = draft->room = n;
}

static const uint8_t *keep_key(struct seg_writer *writer, struct set_draft *draft, const struct seg_key *key)
{
	uint8_t *kept;

	if (!draft->room || key->len != draft->out.key_len)
		return seg_arena_copy(writer->arena, key->bytes, key->len);
	kept = draft->keys;
	draft->keys += key->len;
	draft->room--;
	return memcpy(kept, key->bytes, key->len);
}

struct seg_elem *seg_writer_elem(struct seg_writer *writer, struct seg_set *set, const struct seg_key *key,
				 const struct seg_key *end)
{
	struct set_draft *draft = (struct set_draft *)set;
	struct seg_elem *elem = &SEG_PUSH(writer->arena, draft->elem, draft->n, draft->cap);

	*elem = (struct seg_elem){.key = keep_key(writer, draft, key)};
	if (end && memcmp(end->bytes, key->bytes, key->len) != 0)
		elem->end = seg_arena_copy(writer->arena, end->bytes, end->len);
	return elem;
}

struct seg_chain *seg_writer_chain(struct seg_writer *writer, const char *name)
{
	struct chain_draft *draft = SEG_NEW(writer->arena, struct chain_draft);

	draft->out.name = seg_arena_strdup(writer->arena, name);
	SEG_PUSH(writer->arena, writer->chain, writer->chains, writer->chains_cap) = draft;
	return &draft->out;
}

struct seg_rule *seg_writer_rule(struct seg_writer *writer, struct seg_chain *chain)
{
	struct chain_draft *draft = (struct chain_draft *)chain;
	struct rule_draft *rule = SEG_NEW(writer->arena, struct rule_draft);

	SEG_PUSH(writer->arena, draft->rule, draft->n, draft->cap) = rule;
	return &rule->out;
}

static struct seg_stmt *add(struct seg_writer *w, struct seg_rule *rule, enum seg_stmt_kind kind)
{
	struct rule_draft *draft = (struct rule_draft *)rule;
	struct seg_stmt *stmt;

	if (!draft->cap) { /* most rules have two or three */
		draft->cap = 2;
		draft->stmt = SEG_NEW_N(w->arena, struct seg_stmt, draft->cap);
	}
	stmt = &SEG_PUSH(w->arena, draft->stmt, draft->n, draft->cap);

	*stmt = (struct seg_stmt){.kind = kind};
	return stmt;
}

static struct seg_stmt *add_loads(struct seg_writer *w, struct seg_rule *rule, enum seg_stmt_kind kind,
				  struct seg_loads loads, const struct seg_set *set)
{
	struct seg_stmt *stmt = add(w, rule, kind);

	memcpy(stmt->load, loads.load, sizeof(stmt->load));
	stmt->loads = loads.n;
	stmt->set = set;
	return stmt;
}

void seg_rule_cmp_mask(struct seg_writer *w, struct seg_rule *rule, enum seg_load load, const void *value,
		       const void *mask, unsigned len, bool invert)
{
	struct seg_stmt *stmt = add(w, rule, SEG_S_CMP);

	stmt->load[0] = load;
	stmt->loads = 1;
	stmt->invert = invert;
	memcpy(stmt->value, value, len);
	stmt->len = len;
	if (mask) {
		memcpy(stmt->mask, mask, len);
		stmt->mask_len = len;
	}
}

void seg_rule_cmp_u8(struct seg_writer *w, struct seg_rule *rule, enum seg_load load, uint8_t value)
{
	seg_rule_cmp_mask(w, rule, load, &value, NULL, 1, false);
}

void seg_rule_cmp_ifname(struct seg_writer *w, struct seg_rule *rule, enum seg_load load, const char *name,
			 bool prefix)
{
	char padded[16] = {0};
	size_t len = strnlen(name, sizeof(padded) - 1);

	memcpy(padded, name, len);
	seg_rule_cmp_mask(w, rule, load, padded, NULL, prefix ? (unsigned)len : sizeof(padded), false);
}

void seg_rule_state(struct seg_writer *w, struct seg_rule *rule, uint32_t states)
{
	const uint32_t none = 0;
	bool one = (states & (states - 1)) == 0;

	/* A packet has exactly one state: a single one is compared as a whole, which spares the kernel a mask. */
	if (one)
		seg_rule_cmp_mask(w, rule, SEG_L_CT_STATE, &states, NULL, sizeof(states), false);
	else
		seg_rule_cmp_mask(w, rule, SEG_L_CT_STATE, &none, &states, sizeof(states), true);
}

void seg_rule_not_state(struct seg_writer *w, struct seg_rule *rule, uint32_t state)
{
	seg_rule_cmp_mask(w, rule, SEG_L_CT_STATE, &state, NULL, sizeof(state), true);
}

void seg_rule_confirmed(struct seg_writer *w, struct seg_rule *rule)
{
	const uint32_t none = 0, confirmed = 1u << 3; /* IPS_CONFIRMED */

	seg_rule_cmp_mask(w, rule, SEG_L_CT_STATUS, &none, &confirmed, sizeof(confirmed), true);
}

void seg_rule_lookup(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads,
		     const struct seg_set *set, bool invert)
{
	add_loads(w, rule, SEG_S_LOOKUP, loads, set)->invert = invert;
}

void seg_rule_map_mark(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads,
		       const struct seg_set *map)
{
	add_loads(w, rule, SEG_S_MAP_MARK, loads, map);
}

void seg_rule_vmap(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads,
		   const struct seg_set *map)
{
	add_loads(w, rule, SEG_S_VMAP, loads, map);
}

void seg_rule_set_mark(struct seg_writer *w, struct seg_rule *rule, uint32_t mark)
{
	add(w, rule, SEG_S_SET_MARK)->number = mark;
}

void seg_rule_set_events(struct seg_writer *w, struct seg_rule *rule, uint32_t mask)
{
	add(w, rule, SEG_S_SET_EVENTS)->number = mask;
}

void seg_rule_counter(struct seg_writer *w, struct seg_rule *rule)
{
	add(w, rule, SEG_S_COUNTER);
}

void seg_rule_add_counted(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads,
			  const struct seg_set *set)
{
	/* update, not add: an element that is still hit does not expire with its count. */
	add_loads(w, rule, SEG_S_ADD, loads, set)->update = true;
}

void seg_rule_add_mark(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads, const struct seg_set *map)
{
	add_loads(w, rule, SEG_S_ADD_MARK, loads, map);
}

void seg_rule_update_limited(struct seg_writer *w, struct seg_rule *rule, struct seg_loads loads,
			     const struct seg_set *set, uint32_t rate, uint32_t burst)
{
	struct seg_stmt *stmt = add_loads(w, rule, SEG_S_ADD, loads, set);

	stmt->update = true;
	stmt->rate = rate;
	stmt->burst = burst;
}

void seg_rule_limit(struct seg_writer *w, struct seg_rule *rule, uint32_t rate, uint32_t burst)
{
	struct seg_stmt *stmt = add(w, rule, SEG_S_LIMIT);

	stmt->rate = rate;
	stmt->burst = burst;
}

void seg_rule_log(struct seg_writer *w, struct seg_rule *rule, uint32_t group, const char *prefix)
{
	struct seg_stmt *stmt = add(w, rule, SEG_S_LOG);

	stmt->number = group;
	stmt->prefix = seg_arena_strdup(w->arena, prefix);
	stmt->threshold = 16;
	stmt->snaplen = 128;
}

void seg_rule_reject(struct seg_writer *w, struct seg_rule *rule, bool tcp_reset)
{
	add(w, rule, SEG_S_REJECT)->reset = tcp_reset;
}

void seg_rule_verdict(struct seg_writer *w, struct seg_rule *rule, enum seg_verdict_code code,
		      const struct seg_chain *chain)
{
	add(w, rule, SEG_S_ACTION)->action = (struct seg_action){code, chain};
}
