/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The short way. Most connections begin as another one did a moment ago: from the same host to the same server
 * and port. A map that packets fill remembers by which number the first of them was admitted; the next finds it
 * there, and is spared the search through zones and rooms, which is long because it is cold.
 *
 * What is remembered is a number, and no verdict. A number's permit never changes its meaning, so that it stays
 * true that it covers these addresses and this port, as it stays true for the flow that is open. Whether it is
 * in force is asked for each flow, together with the interface (set "begins"), its MAC, and whether its zone may
 * begin anything: by what the policy says at that moment. A number that has gone is a way that is not taken. What
 * no number can know is which addresses have become the gateway's since, or a broadcast: the kernel is asked.
 *
 * Only for TCP and UDP, whose key is complete by its ports, through the gateway, and what is judged as it
 * crosses, not before it is routed. For IPv4: nft of Debian 12 dies of the wider key.
 */
#include <linux/rtnetlink.h>

#include "plan/ruleset.h"

static struct seg_loads key(const struct family *f)
{
	return SEG_LOADS(f->saddr, f->daddr, SEG_L_L4PROTO, SEG_L_TH_DPORT);
}

struct seg_chain *seg_ruleset_remember(struct build *b, const struct family *f, const struct family_parts *p)
{
	struct seg_chain *remember = chain(b, "remember", f->suffix);
	struct seg_rule *r = rule(b, remember);

	/* An open flow, of which this may be an answer. */
	seg_rule_confirmed(b->w, r);
	go(b, r, b->carry);
	/* Where there is no room it goes on without. */
	seg_rule_add_mark(b->w, rule(b, remember), key(f), p->recent);
	go(b, rule(b, remember), b->admit_new);
	return remember;
}

struct seg_chain *seg_ruleset_recall(struct build *b, const struct family *f, const struct family_parts *p,
				     struct seg_chain *ask)
{
	static const enum seg_load end[] = {SEG_L_FIB_SADDR_TYPE, SEG_L_FIB_DADDR_TYPE};
	const uint32_t host = RTN_UNICAST;
	struct seg_chain *recall;
	struct seg_rule *r;

	if (!p->recent)
		return ask;
	recall = chain(b, "recall", f->suffix);
	r = rule(b, recall);
	seg_rule_not_state(b->w, r, STATE_NEW);
	go(b, r, ask);
	/* Datagrams before the first answer: they are known by their flow. */
	r = rule(b, recall);
	seg_rule_confirmed(b->w, r);
	go(b, r, ask);
	r = rule(b, recall);
	seg_ruleset_no_syn(b, r);
	go(b, r, ask);
	for (size_t i = 0; i < sizeof(end) / sizeof(*end); i++) {
		r = rule(b, recall);
		seg_rule_cmp_mask(b->w, r, end[i], &host, NULL, sizeof(host), true);
		go(b, r, ask);
	}
	r = rule(b, recall);
	seg_rule_map_mark(b->w, r, key(f), p->recent);
	jump(b, r, p->recalled);
	go(b, rule(b, recall), ask);
	return recall;
}
