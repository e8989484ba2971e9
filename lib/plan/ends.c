/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>

#include "plan/ruleset.h"

/* Counts the packet of an open flow for its number and lets it by. */
static void write_carry(struct build *b)
{
	b->carry = chain(b, "carry", "");
	seg_rule_add_counted(b->w, rule(b, b->carry), SEG_LOADS(SEG_L_CT_DIRECTION, SEG_L_CT_MARK), b->slow);
	let_pass(b, rule(b, b->carry));
}

/* Goes back as often as the zone may begin a flow, and refuses the others. */
static struct seg_chain *write_rate(struct build *b, const struct seg_zone *zone)
{
	struct seg_chain *c = chain(b, "rate-", zone->id);
	struct seg_rule *r = rule(b, c);

	seg_rule_limit(b->w, r, zone->limit.rate, zone->limit.rate);
	seg_rule_verdict(b->w, r, SEG_V_RETURN, NULL);
	go(b, rule(b, c), b->refuse);
	return c;
}

/* The numbers of zones whose new flows are limited in rate, each to its zone's chain; NULL: there are none. */
static struct seg_set *write_rates(struct build *b)
{
	const struct seg_chain **rate = SEG_NEW_N(b->arena, const struct seg_chain *, b->policy->zones + 1);
	struct seg_set *rates = NULL;

	for (size_t i = 0; i < b->collection.numbers; i++) {
		const struct seg_number *number = &b->collection.number[i];
		const struct seg_zone *zone = seg_ruleset_begins(number);
		struct seg_key key = {.len = 0};

		if (!zone->limit.rate)
			continue;
		if (!rates) {
			rates = seg_writer_set(b->w, "rates", SEG_FIELDS(SEG_F_MARK));
			rates->data = SEG_DATA_VERDICT;
		}
		if (!rate[zone->index])
			rate[zone->index] = write_rate(b, zone);
		seg_key_u32(&key, number->number);
		seg_writer_elem(b->w, rates, &key, NULL)->action =
			(struct seg_action){SEG_V_JUMP, rate[zone->index]};
	}
	return rates;
}

static void write_admit_new(struct build *b)
{
	const struct seg_set *rates = write_rates(b);
	const uint32_t intra = SEG_NUMBER_INTRA, none = 0;
	struct seg_rule *r;

	b->admit_new = chain(b, "admit-new", "");
	/* Of a zone that has reached its limit. */
	r = rule(b, b->admit_new);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_MARK), b->held, false);
	go(b, r, b->refuse);
	if (rates)
		seg_rule_vmap(b->w, rule(b, b->admit_new), SEG_LOADS(SEG_L_CT_MARK), rates);
	/* Its beginning and its end; inside a zone: nothing worth telling. */
	seg_rule_set_events(b->w, rule(b, b->admit_new), EVENTS);
	r = rule(b, b->admit_new);
	seg_rule_cmp_mask(b->w, r, SEG_L_CT_MARK, &none, &intra, sizeof(none), true);
	seg_rule_set_events(b->w, r, EVENTS_BY_HAND);
	seg_rule_add_counted(b->w, rule(b, b->admit_new), SEG_LOADS(SEG_L_CT_MARK), b->admitted);
	let_pass(b, rule(b, b->admit_new));
}

static void write_admit(struct build *b)
{
	struct seg_rule *r;

	write_admit_new(b);
	b->admit = chain(b, "admit", "");
	/* An open flow that another permit covers now. */
	r = rule(b, b->admit);
	seg_rule_confirmed(b->w, r);
	go(b, r, b->carry);
	go(b, rule(b, b->admit), b->admit_new);
}

/* In forward: a packet that is judged early (build.c) has its number now, and no more: it is counted, if it
 * gets that far, as it crosses. */
static struct seg_chain *write_cross(struct build *b, const char *name, const char *suffix,
				     const struct seg_chain *then)
{
	const uint16_t no_type = UINT16_MAX;
	struct seg_chain *cross = chain(b, name, suffix);
	struct seg_rule *r = rule(b, cross);

	/* Where there is no way out yet, the comparison ends the rule. */
	seg_rule_cmp_mask(b->w, r, SEG_L_OIFTYPE, &no_type, NULL, sizeof(no_type), true);
	go(b, r, then);
	let_pass(b, rule(b, cross));
	return cross;
}

/* A number that only drains must not stay in the mark of a flow that it was given just now: it would let the
 * next packet by. One that is closed stays: by it the flows that it cut are found and told. One that was
 * remembered, and does not hold any more, never was this flow's. */
static void forget_number(struct build *b, struct seg_chain *in, enum road road, const struct seg_set *not_in)
{
	struct seg_rule *r = rule(b, in);

	if (not_in == b->open)
		seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_MARK), b->live[road], false);
	seg_rule_set_mark(b->w, r, 0);
}

/* A number that is bound to a MAC is not given to a flow by an answer, which does not show whose the flow is:
 * by it, one that another card has opened would be carried on. It waits for what the initiator says next. */
static void give_by_initiator(struct build *b, struct seg_chain *in)
{
	struct seg_rule *r = rule(b, in);

	seg_rule_cmp_u8(b->w, r, SEG_L_CT_DIRECTION, REPLY);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_MARK), b->macs, false);
	seg_rule_set_mark(b->w, r, 0);
}

/* Where the number in the mark is in a set, there it goes, by way of its MAC where it is bound to one;
 * otherwise back. The MAC must be seen to be right: a frame that has none finds no element. */
static struct seg_chain *ask_number(struct build *b, const struct family *f, struct family_parts *p,
				    const char *name, enum road road, const struct seg_set *set,
				    const struct seg_chain *then)
{
	struct seg_chain *ask = chain(b, name, f->suffix);
	const struct seg_loads key =
		set == b->begins ? SEG_LOADS(SEG_L_IIFNAME, SEG_L_CT_MARK) : SEG_LOADS(SEG_L_CT_MARK);
	const bool just_given = set == b->open || set == b->begins;
	struct seg_rule *r;

	if (b->any_bound) {
		struct seg_chain *with_mac = chain(b, SEG_JOIN(b->arena, name, "-mac"), f->suffix);

		r = rule(b, with_mac);
		seg_rule_lookup(b->w, r, key, set, false);
		seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_ETHER_SADDR, f->saddr, SEG_L_CT_MARK), p->bound,
				false);
		go(b, r, then);
		if (just_given)
			forget_number(b, with_mac, road, set);
		r = rule(b, ask);
		seg_rule_cmp_u8(b->w, r, SEG_L_CT_DIRECTION, ORIGINAL);
		seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_MARK), b->macs, false);
		go(b, r, with_mac);
		if (set == b->open)
			give_by_initiator(b, ask);
	}
	r = rule(b, ask);
	seg_rule_lookup(b->w, r, key, set, false);
	go(b, r, then);
	if (just_given)
		forget_number(b, ask, road, set);
	return ask;
}

/* By who and whom; where that table is full, or cannot grow this moment, by where it comes and goes. Reported as far
 * as the limit goes. */
static void count_refused(struct build *b, struct seg_chain *in, struct seg_loads pair, const struct seg_set *pairs,
			  const struct outgrown *outgrown, const struct seg_chain *report)
{
	struct seg_rule *r = rule(b, in);

	seg_rule_add_counted(b->w, r, pair, pairs);
	go(b, r, report);
	r = rule(b, in);
	seg_rule_add_counted(b->w, r, SEG_LOADS(SEG_L_IIFNAME, SEG_L_OIFNAME), outgrown->ways);
	go(b, r, report);
	r = rule(b, in);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_IIFNAME), outgrown->at, false);
	go(b, r, report);
	seg_rule_lookup(b->w, rule(b, in), SEG_LOADS(SEG_L_NFPROTO), outgrown->rest, false);
	go(b, rule(b, in), report);
}

static void write_refuse(struct build *b, const struct family *f, struct family_parts *p)
{
	struct seg_chain *report = chain(b, "report", f->suffix);
	struct seg_rule *r = rule(b, report);

	seg_rule_update_limited(b->w, r, SEG_LOADS(f->saddr), p->limit, 10, 20);
	seg_rule_log(b->w, r, SEG_NFLOG_DENIED, "denied");
	/* Who has no room among the sources is not kept silent by those who took it, unless they come the same way. */
	r = rule(b, report);
	seg_rule_lookup(b->w, r, SEG_LOADS(f->saddr), p->limit, true);
	seg_rule_update_limited(b->w, r, SEG_LOADS(SEG_L_IIFNAME), b->limit_at, 10, 20);
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
	/* Where nothing is dropped there are answers to what was let go on: it alone would have been refused. */
	if (b->options->observe) {
		r = rule(b, p->refuse);
		seg_rule_cmp_u8(b->w, r, SEG_L_CT_DIRECTION, REPLY);
		let_pass(b, r);
	}
	count_refused(b, p->refuse, SEG_LOADS(f->saddr, f->daddr), p->denied, &b->outgrown[DENIED], report);

	/* Broadcasts and groups that nobody at the gateway wants are counted, not reported. */
	p->nobody = chain(b, "nobody", f->suffix);
	r = rule(b, p->nobody);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_FIB_DADDR_TYPE), b->group, false);
	go(b, r, b->unwanted);
	go(b, rule(b, p->nobody), p->refuse);

	report = chain(b, "report-spoof", f->suffix);
	r = rule(b, report);
	seg_rule_update_limited(b->w, r, SEG_LOADS(SEG_L_IIFNAME), b->spoof_limit, 20, 40);
	seg_rule_log(b->w, r, SEG_NFLOG_SPOOFED, "spoofed");
	refuse(b, rule(b, report));
	p->spoof = chain(b, "spoof", f->suffix);
	count_refused(b, p->spoof, SEG_LOADS(SEG_L_IIFNAME, f->saddr, f->daddr), p->spoofed, &b->outgrown[SPOOFED],
		      report);
}

/*
 * ICMP errors belong to the flow they speak about, and come in where its packets do: nobody beside the way
 * has a say, or anything to tell. Where the mark cannot vouch for a MAC, it is looked at.
 */
static void write_errors(struct build *b, const struct family *f, struct family_parts *p)
{
	static const char *const name[ROADS] = {"errors", "errors-own"};

	for (int road = 0; road < ROADS; road++) {
		struct seg_chain *errors = chain(b, name[road], f->suffix);
		struct seg_rule *r = rule(b, errors);

		seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_DIRECTION, SEG_L_IIFNAME, SEG_L_CT_MARK),
				b->fast[road], false);
		let_pass(b, r);
		if (b->any_bound) {
			r = rule(b, errors);
			seg_rule_cmp_u8(b->w, r, SEG_L_CT_DIRECTION, ORIGINAL);
			seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_MARK), b->macs, false);
			jump(b, r, p->carried[road]);
		}
		go(b, rule(b, errors), p->refuse);
		p->errors[road] = errors;
	}
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
	const struct seg_chain *cross;

	write_carry(b);
	counted_end(b, &b->invalid, "invalid");
	counted_end(b, &b->unwanted, "unwanted");
	for (int i = 0; i < 2; i++)
		write_refuse(b, &seg_families[i], &b->family[i]);
	b->refuse = chain(b, "refuse", "");
	by_family(b, b->refuse, b->family[0].refuse, b->family[1].refuse);
	b->spoofed = chain(b, "spoofed", "");
	by_family(b, b->spoofed, b->family[0].spoof, b->family[1].spoof);
	write_admit(b);
	cross = write_cross(b, "cross", "", b->admit);
	for (int i = 0; i < 2; i++) {
		const struct family *f = &seg_families[i];
		struct family_parts *p = &b->family[i];

		p->in_force = ask_number(b, f, p, "in-force", OWN, b->open, b->admit);
		p->crossing = p->crossing_ports = ask_number(b, f, p, "crossing", THROUGH, b->open, cross);
		if (p->recent) {
			const struct seg_chain *remember = seg_ruleset_remember(b, f, p),
					       *cross_ports = write_cross(b, "cross-ports", f->suffix, remember);

			p->crossing_ports = ask_number(b, f, p, "crossing-ports", THROUGH, b->open, cross_ports);
			p->recalled = ask_number(b, f, p, "recalled", THROUGH, b->begins, b->admit_new);
		}
		p->carried[THROUGH] = ask_number(b, f, p, "carried", THROUGH, b->live[THROUGH], b->carry);
		p->carried[OWN] = ask_number(b, f, p, "carried-own", OWN, b->live[OWN], b->carry);
		write_errors(b, f, p);
	}
}
