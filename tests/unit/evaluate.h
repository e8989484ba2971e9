/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_TESTS_EVALUATE_H
#define SEG_TESTS_EVALUATE_H

/*
 * A plan walked as the kernel would walk it, for one packet: what nf_tables does
 * with the statements that segd writes, and nothing else. Lets a property test ask
 * thousands of packets of a plan without a kernel; tests/net asks the real one.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <linux/rtnetlink.h>

#include "plan/plan.h"

/* What packets have put into a plan's maps. */
struct eval_memory {
	struct {
		char map[16];
		uint8_t key[SEG_KEY_MAX];
		struct seg_elem elem;
	} entry[512];
	size_t n; /* what has no room is not remembered */
	unsigned recalled;
};

struct eval_packet {
	enum seg_hook hook;
	const char *iif, *oif;
	const uint8_t *mac; /* NULL: not an Ethernet frame */
	seg_addr src, dst;
	uint8_t proto;
	uint16_t sport, dport;
	uint8_t icmp_type, tcp_flags, hop_limit;
	uint32_t fib_saddr, fib_daddr, fib_daddr_iif; /* RTN_* */
	uint32_t ct_state, ct_status;
	uint8_t ct_direction;
	uint32_t length;
	uint32_t ct_mark; /* in and out */
	bool no_memory;   /* for elements that packets make */
	struct eval_memory *memory; /* NULL: nothing is remembered */
	unsigned counted; /* out: elements that counted it */
};

enum eval_verdict { EVAL_CONTINUE, EVAL_ACCEPT, EVAL_DROP, EVAL_RETURN };

/* The value of one load, padded to registers; its unpadded length, 0 where the packet has none. */
static unsigned eval_load(const struct eval_packet *p, enum seg_load load, uint8_t *out)
{
	bool ipv4 = seg_addr_family(p->src) == SEG_IPV4;
	uint16_t be;
	unsigned len = seg_field_len(seg_load_field(load));

	memset(out, 0, 16);
	switch (load) {
	case SEG_L_IP_SADDR:
	case SEG_L_IP6_SADDR:
	case SEG_L_IP_DADDR:
	case SEG_L_IP6_DADDR:
		if (ipv4 != (load == SEG_L_IP_SADDR || load == SEG_L_IP_DADDR))
			return 0;
		seg_addr_to_bytes(load == SEG_L_IP_SADDR || load == SEG_L_IP6_SADDR ? p->src : p->dst, out);
		return len;
	case SEG_L_L4PROTO:
		out[0] = p->proto;
		return len;
	case SEG_L_TH_SPORT:
	case SEG_L_TH_DPORT:
		be = htons(load == SEG_L_TH_SPORT ? p->sport : p->dport);
		memcpy(out, &be, 2);
		return len;
	case SEG_L_ICMP_TYPE:
	case SEG_L_ICMPV6_TYPE:
		if (p->proto != (load == SEG_L_ICMP_TYPE ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			return 0;
		out[0] = p->icmp_type;
		return len;
	case SEG_L_ETHER_SADDR:
		if (!p->mac)
			return 0;
		memcpy(out, p->mac, SEG_MAC_LEN);
		return len;
	case SEG_L_IIFNAME:
		memcpy(out, p->iif, strlen(p->iif));
		return len;
	case SEG_L_OIFNAME:
		memcpy(out, p->oif, strlen(p->oif));
		return len;
	case SEG_L_CT_MARK:
		memcpy(out, &p->ct_mark, 4);
		return len;
	case SEG_L_CT_DIRECTION:
		out[0] = p->ct_direction;
		return len;
	case SEG_L_NFPROTO:
		out[0] = ipv4 ? 2 : 10;
		return len;
	case SEG_L_FIB_SADDR_TYPE:
		memcpy(out, &p->fib_saddr, 4);
		return len;
	case SEG_L_FIB_DADDR_TYPE:
		memcpy(out, &p->fib_daddr, 4);
		return len;
	case SEG_L_FIB_DADDR_IIF_TYPE:
		memcpy(out, &p->fib_daddr_iif, 4);
		return len;
	case SEG_L_CT_STATUS:
		memcpy(out, &p->ct_status, 4);
		return len;
	case SEG_L_CT_STATE:
		memcpy(out, &p->ct_state, 4);
		return len;
	case SEG_L_TCP_FLAGS:
		out[0] = p->tcp_flags;
		return p->proto == IPPROTO_TCP ? len : 0;
	case SEG_L_IP_TTL:
		out[0] = p->hop_limit;
		return ipv4 ? len : 0;
	case SEG_L_LENGTH:
		memcpy(out, &p->length, 4);
		return len;
	case SEG_L_OIFTYPE:
		out[0] = 1; /* ARPHRD_ETHER */
		return *p->oif ? len : 0;
	case SEG_L_IP6_HOPLIMIT:
		out[0] = p->hop_limit;
		return ipv4 ? 0 : len;
	case SEG_L_IIFTYPE:
	case SEG_L_ETHER_TYPE:
		break; /* the encoder's own: no plan has them */
	}
	abort();
}

/* False: the packet lacks something of it. */
static bool eval_key(const struct eval_packet *p, const struct seg_stmt *stmt, uint8_t key[SEG_KEY_MAX])
{
	unsigned at = 0;

	for (unsigned i = 0; i < stmt->loads; i++) {
		unsigned len = eval_load(p, stmt->load[i], key + at);

		if (len == 0)
			return false;
		at += (len + 3u) & ~3u;
	}
	if (at != stmt->set->key_len)
		abort();
	return true;
}

static const struct seg_elem *eval_recall(const struct eval_packet *p, const struct seg_set *map, const uint8_t *key)
{
	for (size_t i = 0; p->memory && i < p->memory->n; i++)
		if (!strcmp(p->memory->entry[i].map, map->name) && !memcmp(p->memory->entry[i].key, key, map->key_len)) {
			p->memory->recalled++;
			return &p->memory->entry[i].elem;
		}
	return NULL;
}

static void eval_remember(const struct eval_packet *p, const struct seg_set *map, const uint8_t *key)
{
	struct eval_memory *memory = p->memory;

	if (!memory || memory->n == sizeof(memory->entry) / sizeof(*memory->entry) || eval_recall(p, map, key))
		return;
	snprintf(memory->entry[memory->n].map, sizeof(memory->entry->map), "%s", map->name);
	memcpy(memory->entry[memory->n].key, key, map->key_len);
	memory->entry[memory->n++].elem = (struct seg_elem){.mark = p->ct_mark};
}

static const struct seg_elem *eval_find(const struct eval_packet *p, const struct seg_stmt *stmt, bool *broke)
{
	const struct seg_set *set = stmt->set;
	uint8_t key[SEG_KEY_MAX];
	unsigned at;

	*broke = !eval_key(p, stmt, key);
	if (*broke)
		return NULL;
	if (set->dynamic && set->data != SEG_DATA_NONE)
		return eval_recall(p, set, key);
	for (size_t e = 0; e < set->elems; e++) {
		const struct seg_elem *elem = &set->elem[e];
		const uint8_t *end = elem->end ? elem->end : elem->key;
		bool in = true;

		at = 0;
		for (unsigned f = 0; f < set->fields && in; f++) {
			unsigned len = (seg_field_len(set->field[f]) + 3u) & ~3u;

			in = memcmp(elem->key + at, key + at, len) <= 0 &&
			     memcmp(key + at, end + at, len) <= 0;
			at += len;
		}
		if (in)
			return elem;
	}
	return NULL;
}

static enum eval_verdict eval_chain(struct eval_packet *p, const struct seg_chain *chain);

static enum eval_verdict eval_action(struct eval_packet *p, const struct seg_action *action)
{
	enum eval_verdict verdict;

	switch (action->code) {
	case SEG_V_ACCEPT:
		return EVAL_ACCEPT;
	case SEG_V_DROP:
		return EVAL_DROP;
	case SEG_V_RETURN:
		return EVAL_RETURN;
	case SEG_V_JUMP:
		verdict = eval_chain(p, action->chain);
		return verdict == EVAL_RETURN ? EVAL_CONTINUE : verdict;
	case SEG_V_GOTO:
		verdict = eval_chain(p, action->chain);
		return verdict == EVAL_CONTINUE ? EVAL_RETURN : verdict;
	}
	abort();
}

/* One statement: false where the rule ends without a verdict (NFT_BREAK). */
static bool eval_stmt(struct eval_packet *p, const struct seg_stmt *s, enum eval_verdict *verdict)
{
	const struct seg_elem *elem;
	uint8_t value[SEG_KEY_MAX];
	bool broke, equal = true;

	switch (s->kind) {
	case SEG_S_CMP:
		if (eval_load(p, s->load[0], value) == 0)
			return false;
		for (unsigned i = 0; i < s->len; i++)
			equal &= (uint8_t)(s->mask_len ? value[i] & s->mask[i] : value[i]) == s->value[i];
		return equal != s->invert;
	case SEG_S_LOOKUP:
		elem = eval_find(p, s, &broke);
		p->counted += elem && s->set->counter;
		return !broke && (elem != NULL) != s->invert;
	case SEG_S_MAP_MARK:
		elem = eval_find(p, s, &broke);
		if (!elem)
			return false;
		p->ct_mark = elem->mark;
		return true;
	case SEG_S_VMAP:
		elem = eval_find(p, s, &broke);
		if (!elem)
			return false;
		*verdict = eval_action(p, &elem->action);
		return true;
	case SEG_S_SET_MARK:
		p->ct_mark = s->number;
		return true;
	case SEG_S_ACTION:
		*verdict = eval_action(p, &s->action);
		return true;
	case SEG_S_REJECT:
		*verdict = EVAL_DROP;
		return true;
	case SEG_S_ADD:
		if (p->no_memory)
			return false;
		p->counted += !s->rate;
		return true;
	case SEG_S_ADD_MARK:
		if (p->no_memory || !eval_key(p, s, value))
			return false;
		eval_remember(p, s->set, value);
		return true;
	case SEG_S_COUNTER:
		p->counted++;
		return true;
	case SEG_S_SET_EVENTS:
	case SEG_S_LIMIT:
	case SEG_S_LOG:
		return true;
	}
	abort();
}

static enum eval_verdict eval_chain(struct eval_packet *p, const struct seg_chain *chain)
{
	for (size_t r = 0; r < chain->rules; r++) {
		const struct seg_rule *rule = &chain->rule[r];
		enum eval_verdict verdict = EVAL_CONTINUE;

		for (size_t s = 0; s < rule->stmts; s++)
			if (!eval_stmt(p, &rule->stmt[s], &verdict) || verdict != EVAL_CONTINUE)
				break;
		if (verdict != EVAL_CONTINUE)
			return verdict;
	}
	return EVAL_CONTINUE;
}

/* True: the packet passes. Leaves the mark it got in the packet. */
static bool eval_plan(const struct seg_plan *plan, struct eval_packet *packet)
{
	static const char *const base[] = {NULL, "input", "forward", "output", "prerouting"};
	const struct seg_chain *chain = seg_plan_chain(plan, base[packet->hook]);
	enum eval_verdict verdict = eval_chain(packet, chain);

	if (verdict == EVAL_CONTINUE || verdict == EVAL_RETURN)
		return !chain->policy_drop;
	return verdict == EVAL_ACCEPT;
}

#endif
