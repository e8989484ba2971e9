/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <linux/netfilter/nf_conntrack_common.h>

#include "plan/ruleset.h"

#define EVENT_NEW (1u << IPCT_NEW)
#define EVENT_RELATED (1u << IPCT_RELATED)
#define EVENT_DESTROY (1u << IPCT_DESTROY)

static void write_admit(struct build *b)
{
	const uint32_t intra = SEG_NUMBER_INTRA, none = 0;
	struct seg_rule *r;

	b->admit = chain(b, "admit", "");
	/* Inside a zone: nothing worth telling. Everything else: its beginning and its end. */
	r = rule(b, b->admit);
	seg_rule_cmp_mask(b->w, r, SEG_L_CT_MARK, &none, &intra, sizeof(none), true);
	seg_rule_set_events(b->w, r, 0);
	r = rule(b, b->admit);
	seg_rule_cmp_mask(b->w, r, SEG_L_CT_MARK, &none, &intra, sizeof(none), false);
	seg_rule_set_events(b->w, r, EVENT_NEW | EVENT_RELATED | EVENT_DESTROY);
	/* Counts the first packet where the following ones are counted. */
	r = rule(b, b->admit);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_DIRECTION, SEG_L_CT_MARK), b->live, false);
	let_pass(b, r);
	let_pass(b, rule(b, b->admit));
}

/* Is the number in the mark in force? Falls through where not. */
static void ask_number(struct build *b, struct seg_chain *in)
{
	struct seg_rule *r = rule(b, in);

	seg_rule_state(b->w, r, STATE_ESTABLISHED);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_DIRECTION, SEG_L_CT_MARK), b->live, false);
	let_pass(b, r);
	r = rule(b, in);
	seg_rule_state(b->w, r, STATE_NEW | STATE_RELATED);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_MARK), b->open, false);
	go(b, r, b->admit);
}

static void write_in_force(struct build *b, const struct family *f, struct family_parts *p)
{
	struct seg_chain *right_mac, *with_mac;
	struct seg_rule *r;

	p->in_force = chain(b, "in-force", f->suffix);
	if (b->any_bound) {
		/* The MAC must be seen to be right: a frame that has none finds no element. */
		right_mac = chain(b, "right-mac", f->suffix);
		ask_number(b, right_mac);
		with_mac = chain(b, "with-mac", f->suffix);
		r = rule(b, with_mac);
		seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_ETHER_SADDR, f->saddr, SEG_L_CT_MARK), p->bound,
				false);
		go(b, r, right_mac);
		r = rule(b, p->in_force);
		seg_rule_cmp_u8(b->w, r, SEG_L_CT_DIRECTION, ORIGINAL);
		seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_MARK), b->macs, false);
		go(b, r, with_mac);
	}
	ask_number(b, p->in_force);
}

static void write_refuse(struct build *b, const struct family *f, struct family_parts *p)
{
	struct seg_chain *report = chain(b, "report", f->suffix);
	struct seg_rule *r = rule(b, report);
	struct seg_loads pair = SEG_LOADS(f->saddr, f->daddr);

	seg_rule_update_limited(b->w, r, SEG_LOADS(f->saddr), p->limit, 10, 20);
	seg_rule_log(b->w, r, SEG_NFLOG_DENIED, "denied");
	r = rule(b, report);
	seg_rule_lookup(b->w, r, SEG_LOADS(f->saddr), p->reject, false);
	seg_rule_cmp_u8(b->w, r, SEG_L_L4PROTO, IPPROTO_TCP);
	seg_rule_limit(b->w, r, 100, 100);
	if (!b->options->observe)
		seg_rule_reject(b->w, r, true);
	r = rule(b, report);
	seg_rule_lookup(b->w, r, SEG_LOADS(f->saddr), p->reject, false);
	seg_rule_limit(b->w, r, 100, 100);
	if (!b->options->observe)
		seg_rule_reject(b->w, r, false);
	refuse(b, rule(b, report));

	p->refuse = chain(b, "refuse", f->suffix);
	r = rule(b, p->refuse);
	seg_rule_add_counted(b->w, r, pair, p->denied);
	go(b, r, report);
	/* The table of pairs is full: still counted, still reported as far as the limit goes. */
	r = rule(b, p->refuse);
	r->comment = "beyond the table";
	seg_rule_counter(b->w, r);
	go(b, r, report);

	/* Broadcasts and groups that nobody at the gateway wants are counted, not reported. */
	p->nobody = chain(b, "nobody", f->suffix);
	r = rule(b, p->nobody);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_FIB_DADDR_TYPE), b->group, false);
	go(b, r, b->unwanted);
	go(b, rule(b, p->nobody), p->refuse);

	p->spoof = chain(b, "spoof", f->suffix);
	r = rule(b, p->spoof);
	seg_rule_add_counted(b->w, r, SEG_LOADS(SEG_L_IIFNAME, f->saddr, f->daddr), p->spoofed);
	r = rule(b, p->spoof);
	seg_rule_update_limited(b->w, r, SEG_LOADS(SEG_L_IIFNAME), b->spoof_limit, 20, 40);
	seg_rule_log(b->w, r, SEG_NFLOG_SPOOFED, "spoofed");
	refuse(b, rule(b, p->spoof));
}

/* By family, for chains that serve both. */
static void by_family(struct build *b, struct seg_chain *from, const struct seg_chain *ipv4,
		      const struct seg_chain *ipv6)
{
	const struct seg_chain *target[2] = {ipv4, ipv6};

	for (int i = 0; i < 2; i++) {
		struct seg_rule *r = rule(b, from);

		seg_rule_cmp_u8(b->w, r, SEG_L_NFPROTO, seg_families[i].nfproto);
		go(b, r, target[i]);
	}
	refuse(b, rule(b, from));
}

static void counted_end(struct build *b, struct seg_chain **out, const char *name)
{
	struct seg_rule *r;

	*out = chain(b, name, "");
	r = rule(b, *out);
	seg_rule_counter(b->w, r);
	refuse(b, r);
}

void seg_ruleset_ends(struct build *b)
{
	struct seg_rule *r;

	write_admit(b);
	counted_end(b, &b->invalid, "invalid");
	counted_end(b, &b->unwanted, "unwanted");
	for (int i = 0; i < 2; i++) {
		write_in_force(b, &seg_families[i], &b->family[i]);
		write_refuse(b, &seg_families[i], &b->family[i]);
	}
	b->refuse = chain(b, "refuse", "");
	by_family(b, b->refuse, b->family[0].refuse, b->family[1].refuse);
	b->spoofed = chain(b, "spoofed", "");
	by_family(b, b->spoofed, b->family[0].spoof, b->family[1].spoof);
	/* ICMP errors belong to the flow they speak about. */
	b->errors = chain(b, "errors", "");
	r = rule(b, b->errors);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_DIRECTION, SEG_L_CT_MARK), b->live, false);
	let_pass(b, r);
	go(b, rule(b, b->errors), b->refuse);
}
