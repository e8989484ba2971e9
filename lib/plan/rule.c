/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/rule.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <string.h>

/* What the statements so far have made sure of. */
struct context {
	struct seg_arena *arena;
	struct seg_stmt *stmt;
	size_t n, cap;
	bool ether;
	enum seg_family family; /* 0: not known */
	int proto;		/* -1: not known */
};

static void learn(struct context *c, const struct seg_stmt *stmt)
{
	if (stmt->kind != SEG_S_CMP || stmt->invert || stmt->mask_len)
		return;
	if (stmt->load[0] == SEG_L_NFPROTO) {
		c->family = stmt->value[0] == NFPROTO_IPV4 ? SEG_IPV4 : SEG_IPV6;
	} else if (stmt->load[0] == SEG_L_ETHER_TYPE) {
		uint16_t type;

		memcpy(&type, stmt->value, sizeof(type));
		c->family = ntohs(type) == ETHERTYPE_IP ? SEG_IPV4 : SEG_IPV6;
	} else if (stmt->load[0] == SEG_L_IIFTYPE) {
		c->ether = true;
	} else if (stmt->load[0] == SEG_L_L4PROTO) {
		c->proto = stmt->value[0];
	}
}

static void append(struct context *c, const struct seg_stmt *stmt)
{
	SEG_PUSH(c->arena, c->stmt, c->n, c->cap) = *stmt;
	learn(c, stmt);
}

static void append_cmp(struct context *c, enum seg_load load, const void *value, unsigned len)
{
	struct seg_stmt stmt = {.kind = SEG_S_CMP, .load = {load}, .loads = 1, .len = len};

	memcpy(stmt.value, value, len);
	append(c, &stmt);
}

static void need_ether(struct context *c)
{
	const uint16_t type = ARPHRD_ETHER;

	if (!c->ether)
		append_cmp(c, SEG_L_IIFTYPE, &type, sizeof(type));
}

/* A rule that looks at the link layer tells the family by the frame's type, as nft does. */
static void need_family(struct context *c, enum seg_family family)
{
	const uint8_t nfproto = family == SEG_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	const uint16_t type = htons(family == SEG_IPV4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);

	if (c->family == family)
		return;
	if (c->ether)
		append_cmp(c, SEG_L_ETHER_TYPE, &type, sizeof(type));
	else
		append_cmp(c, SEG_L_NFPROTO, &nfproto, sizeof(nfproto));
}

static void need_proto(struct context *c, uint8_t proto)
{
	if (c->proto != proto)
		append_cmp(c, SEG_L_L4PROTO, &proto, sizeof(proto));
}

static void need_icmp(struct context *c, enum seg_family family, uint8_t proto)
{
	if (c->proto == proto)
		return;
	need_family(c, family);
	need_proto(c, proto);
}

static void need(struct context *c, enum seg_load load)
{
	switch (load) {
	case SEG_L_IP_SADDR:
	case SEG_L_IP_DADDR:
	case SEG_L_IP_TTL:
		need_family(c, SEG_IPV4);
		break;
	case SEG_L_IP6_SADDR:
	case SEG_L_IP6_DADDR:
	case SEG_L_IP6_HOPLIMIT:
		need_family(c, SEG_IPV6);
		break;
	case SEG_L_ICMP_TYPE:
		need_icmp(c, SEG_IPV4, IPPROTO_ICMP);
		break;
	case SEG_L_ICMPV6_TYPE:
		need_icmp(c, SEG_IPV6, IPPROTO_ICMPV6);
		break;
	case SEG_L_TCP_FLAGS:
		need_proto(c, IPPROTO_TCP);
		break;
	case SEG_L_ETHER_SADDR:
		need_ether(c);
		break;
	default:
		break;
	}
}

/* A reset is for TCP: nft says so at the head of the rule, so that a limit counts only what it answers. */
static bool needs_tcp_first(const struct seg_rule *rule)
{
	bool reset = false;

	for (size_t i = 0; i < rule->stmts; i++) {
		const struct seg_stmt *stmt = &rule->stmt[i];

		if (stmt->kind == SEG_S_CMP &&
		    (stmt->load[0] == SEG_L_L4PROTO || stmt->load[0] == SEG_L_TCP_FLAGS))
			return false;
		reset |= stmt->kind == SEG_S_REJECT && stmt->reset;
	}
	return reset;
}

struct seg_rule seg_rule_complete(const struct seg_rule *rule, struct seg_arena *arena)
{
	struct context c = {.arena = arena, .proto = -1};
	struct seg_rule complete = *rule;

	if (needs_tcp_first(rule))
		need_proto(&c, IPPROTO_TCP);
	for (size_t i = 0; i < rule->stmts; i++) {
		const struct seg_stmt *stmt = &rule->stmt[i];

		for (unsigned j = 0; j < stmt->loads; j++)
			need(&c, stmt->load[j]);
		append(&c, stmt);
	}
	complete.stmt = c.stmt;
	complete.stmts = c.n;
	return complete;
}

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool seg_action_equal(const struct seg_action *a, const struct seg_action *b)
{
	return a->code == b->code &&
	       text_equal(a->chain ? a->chain->name : NULL, b->chain ? b->chain->name : NULL);
}

static bool loads_equal(const struct seg_stmt *a, const struct seg_stmt *b)
{
	return a->loads == b->loads && memcmp(a->load, b->load, a->loads * sizeof(a->load[0])) == 0;
}

static bool cmp_equal(const struct seg_stmt *a, const struct seg_stmt *b)
{
	return a->invert == b->invert && a->len == b->len && a->mask_len == b->mask_len &&
	       memcmp(a->value, b->value, a->len) == 0 && memcmp(a->mask, b->mask, a->mask_len) == 0;
}

static bool stmt_equal(const struct seg_stmt *a, const struct seg_stmt *b)
{
	if (a->kind != b->kind || !loads_equal(a, b))
		return false;
	if (a->set != b->set && (!a->set || !b->set || strcmp(a->set->name, b->set->name) != 0))
		return false;
	switch (a->kind) {
	case SEG_S_CMP:
		return cmp_equal(a, b);
	case SEG_S_LOOKUP:
		return a->invert == b->invert;
	case SEG_S_SET_MARK:
	case SEG_S_SET_EVENTS:
		return a->number == b->number;
	case SEG_S_ADD:
		return a->update == b->update && a->rate == b->rate && (!a->rate || a->burst == b->burst);
	case SEG_S_LIMIT:
		return a->rate == b->rate && a->burst == b->burst;
	case SEG_S_LOG:
		return a->number == b->number && a->threshold == b->threshold && a->snaplen == b->snaplen &&
		       text_equal(a->prefix, b->prefix);
	case SEG_S_REJECT:
		return a->reset == b->reset;
	case SEG_S_ACTION:
		return seg_action_equal(&a->action, &b->action);
	case SEG_S_MAP_MARK:
	case SEG_S_ADD_MARK:
	case SEG_S_VMAP:
	case SEG_S_COUNTER:
		return true;
	}
	return false;
}

bool seg_rule_equal(const struct seg_rule *a, const struct seg_rule *b)
{
	if (a->stmts != b->stmts || !text_equal(a->comment, b->comment))
		return false;
	for (size_t i = 0; i < a->stmts; i++)
		if (!stmt_equal(&a->stmt[i], &b->stmt[i]))
			return false;
	return true;
}

bool seg_chain_equal(const struct seg_chain *a, const struct seg_chain *b, struct seg_arena *scratch)
{
	if (strcmp(a->name, b->name) != 0 || a->kept != b->kept || a->hook != b->hook || a->rules != b->rules)
		return false;
	if (a->hook != SEG_HOOK_NONE && (a->priority != b->priority || a->policy_drop != b->policy_drop))
		return false;
	for (size_t i = 0; i < a->rules; i++) {
		struct seg_rule x, y;

		if (seg_rule_equal(&a->rule[i], &b->rule[i]))
			continue;
		x = seg_rule_complete(&a->rule[i], scratch);
		y = seg_rule_complete(&b->rule[i], scratch);
		if (!seg_rule_equal(&x, &y))
			return false;
	}
	return true;
}

bool seg_set_same_definition(const struct seg_set *a, const struct seg_set *b)
{
	return a->fields == b->fields && memcmp(a->field, b->field, a->fields * sizeof(a->field[0])) == 0 &&
	       a->key_len == b->key_len && a->data == b->data && a->interval == b->interval &&
	       a->timeout == b->timeout && a->dynamic == b->dynamic && a->counter == b->counter &&
	       a->size == b->size && a->timeout_ms == b->timeout_ms;
}
