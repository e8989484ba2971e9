/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset, from top to bottom.
 *
 * Each base chain first lets packets of admitted flows by (set "fast", or "fast-own" where one end is the
 * gateway: direction, interface, mark) and sends the rest through the same steps: is the source where it says (origin), what is already
 * settled (open flows, errors about them), may it begin (rooms, layer by layer), and otherwise refuse. What was
 * admitted a moment ago goes a shorter way (recent.c).
 *
 * A room only puts a permit's number into the mark; whether it is in force is asked in two
 * places: chain in-force for flows that begin (or change their permit), chain carried for open ones. Closing a permit is
 * therefore taking its number out of four hash sets.
 */
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "plan/ruleset.h"

#define PRIORITY (-10) /* before other tables' filters: what they see has passed us */
#define EARLY (-90)    /* behind others' translation of destinations */
#define SHORT 512u     /* no link is narrower, so that no packet below it meets one; a power of two */

const struct family seg_families[2] = {
    {SEG_IPV4, "4", NFPROTO_IPV4, IPPROTO_ICMP, SEG_L_IP_SADDR, SEG_L_IP_DADDR, SEG_L_ICMP_TYPE,
     SEG_F_IPV4_ADDR, SEG_F_ICMP_TYPE},
    {SEG_IPV6, "6", NFPROTO_IPV6, IPPROTO_ICMPV6, SEG_L_IP6_SADDR, SEG_L_IP6_DADDR, SEG_L_ICMPV6_TYPE,
     SEG_F_IPV6_ADDR, SEG_F_ICMPV6_TYPE},
};
static void go_kind(struct build *b, struct seg_chain *in, uint8_t direction, uint8_t proto,
		    const struct seg_chain *target)
{
	struct seg_rule *r = rule(b, in);

	seg_rule_cmp_u8(b->w, r, SEG_L_CT_DIRECTION, direction);
	seg_rule_cmp_u8(b->w, r, SEG_L_L4PROTO, proto);
	go(b, r, target);
}

/* The last rules of a family's chain: to each kind its own. So few comparisons cost less than a hash that is cold. */
static void by_kind(struct build *b, const struct family *f, struct seg_chain *in, const struct kinds *kinds)
{
	for (uint8_t direction = ORIGINAL; direction <= REPLY; direction++) {
		const struct seg_chain *const *chain = kinds->chain[direction];
		struct seg_rule *r;

		go_kind(b, in, direction, IPPROTO_TCP, chain[SEG_KIND_PORTS]);
		go_kind(b, in, direction, IPPROTO_UDP, chain[SEG_KIND_PORTS]);
		go_kind(b, in, direction, f->icmp, chain[SEG_KIND_TYPES]);
		r = rule(b, in);
		seg_rule_cmp_u8(b->w, r, SEG_L_CT_DIRECTION, direction);
		go(b, r, chain[SEG_KIND_PROTOS]);
	}
	go(b, rule(b, in), b->family[f->family == SEG_IPV6].refuse);
}

/* Neighbour discovery must not have been forwarded: hop limit 255 (RFC 4861, 6.1 and 7.1). */
static void accept_neighbours(struct build *b, struct seg_chain *in)
{
	struct seg_rule *r = rule(b, in);

	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_ICMPV6_TYPE), b->neighbour, false);
	seg_rule_cmp_u8(b->w, r, SEG_L_IP6_HOPLIMIT, 255);
	let_pass(b, r);
}

static void accept_listeners(struct build *b, struct seg_chain *in)
{
	struct seg_rule *r = rule(b, in);

	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_ICMPV6_TYPE), b->listener, false);
	seg_rule_cmp_u8(b->w, r, SEG_L_IP6_HOPLIMIT, 1);
	let_pass(b, r);
}

static void match_prefix(struct build *b, struct seg_rule *r, enum seg_load load, const char *prefix)
{
	struct seg_range range;
	const char *reason;
	uint8_t value[16], last[16], mask[16];
	unsigned len;

	seg_range_parse(prefix, strlen(prefix), false, &range, &reason);
	len = (unsigned)seg_addr_size(seg_range_family(range));
	seg_addr_to_bytes(range.lo, value);
	seg_addr_to_bytes(range.hi, last);
	for (unsigned i = 0; i < len; i++)
		mask[i] = (uint8_t) ~(value[i] ^ last[i]);
	seg_rule_cmp_mask(b->w, r, load, value, range.lo == range.hi ? NULL : mask, len, false);
}

static void go_prefix(struct build *b, struct seg_chain *in, enum seg_load load, const char *prefix,
		      const struct seg_chain *target)
{
	struct seg_rule *r = rule(b, in);

	match_prefix(b, r, load, prefix);
	go(b, r, target);
}

static void judge_errors(struct build *b, int fi, enum road road, struct seg_chain *in)
{
	struct seg_rule *r = rule(b, in);

	seg_rule_state(b->w, r, STATE_RELATED);
	seg_rule_cmp_u8(b->w, r, SEG_L_L4PROTO, seg_families[fi].icmp);
	go(b, r, b->family[fi].errors[road]);
}

/* The gateway's own addresses do not come in from outside; the kernel knows that of IPv4 alone. */
static void refuse_mirrors(struct build *b, struct seg_chain *in)
{
	const uint32_t local = RTN_LOCAL;
	struct seg_rule *r = rule(b, in);

	seg_rule_cmp_mask(b->w, r, SEG_L_FIB_SADDR_TYPE, &local, NULL, sizeof(local), false);
	go(b, r, b->spoofed);
}

/*
 * What is the gateway's own, or a broadcast of its links, is not routed. The kernel sees to that, but for two
 * of its settings: bc_forwarding, and accept_source_route, where the address in the packet is not the one
 * that it goes to.
 */
static void refuse_own(struct build *b, int fi, struct seg_chain *in)
{
	struct seg_rule *r = rule(b, in);

	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_FIB_DADDR_TYPE), b->own, false);
	go(b, r, b->family[fi].nobody);
}

/* All that forward asks, with no regard to what was answered before. */
static struct seg_chain *write_forward(struct build *b, int fi, const struct kinds *kinds)
{
	const struct family *f = &seg_families[fi];
	struct seg_chain *c = chain(b, "forward", f->suffix);

	/* Groups belong to an interface: none of it is routed, whatever a multicast router would do. */
	go_prefix(b, c, f->daddr, f->family == SEG_IPV4 ? "224.0.0.0/4" : "ff00::/8", b->unwanted);
	jump(b, rule(b, c), b->family[fi].origin);
	refuse_mirrors(b, c);
	refuse_own(b, fi, c);
	judge_errors(b, fi, THROUGH, c);
	jump(b, rule(b, c), b->family[fi].settle[THROUGH]);
	by_kind(b, f, c, kinds);
	return c;
}

static struct seg_chain *write_input(struct build *b, int fi, const struct kinds *kinds,
				     const struct kinds *link)
{
	const struct family *f = &seg_families[fi];
	struct seg_chain *c = chain(b, "input", f->suffix), *near = chain(b, "input-link", f->suffix);

	if (f->family == SEG_IPV6) {
		go_prefix(b, c, f->saddr, "fe80::/10", near);
		go_prefix(b, c, f->saddr, "::", near);
		accept_neighbours(b, near);
		accept_listeners(b, near);
	} else {
		go_prefix(b, c, f->saddr, "0.0.0.0", near);
	}
	refuse_mirrors(b, near);
	judge_errors(b, fi, OWN, near);
	jump(b, rule(b, near), b->family[fi].begin);
	by_kind(b, f, near, link);
	jump(b, rule(b, c), b->family[fi].origin);
	if (f->family == SEG_IPV6)
		accept_neighbours(b, c);
	refuse_mirrors(b, c);
	judge_errors(b, fi, OWN, c);
	jump(b, rule(b, c), b->family[fi].settle[OWN]);
	by_kind(b, f, c, kinds);
	return c;
}

/* What the kernel answers for us to hosts of `refuse: reject` zones. */
static void accept_rejections(struct build *b, int fi, struct seg_chain *in)
{
	const uint8_t rst = 0x04;
	struct seg_rule *r;

	r = rule(b, in);
	seg_rule_state(b->w, r, STATE_RELATED);
	seg_rule_cmp_u8(b->w, r, SEG_L_L4PROTO, seg_families[fi].icmp);
	seg_rule_lookup(b->w, r, SEG_LOADS(seg_families[fi].daddr), b->family[fi].reject, false);
	let_pass(b, r);
	r = rule(b, in);
	seg_rule_state(b->w, r, STATE_RELATED);
	seg_rule_cmp_u8(b->w, r, SEG_L_L4PROTO, IPPROTO_TCP);
	seg_rule_cmp_mask(b->w, r, SEG_L_TCP_FLAGS, &rst, &rst, 1, false);
	seg_rule_lookup(b->w, r, SEG_LOADS(seg_families[fi].daddr), b->family[fi].reject, false);
	let_pass(b, r);
}

/* Errors that the gateway itself tells the ends of a flow about. */
static void accept_own_errors(struct build *b, int fi, struct seg_chain *in)
{
	const uint32_t none = 0;
	struct seg_rule *r;

	for (int road = 0; road < ROADS; road++) {
		r = rule(b, in);
		seg_rule_state(b->w, r, STATE_RELATED);
		seg_rule_cmp_u8(b->w, r, SEG_L_L4PROTO, seg_families[fi].icmp);
		seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_MARK), b->live[road], false);
		go(b, r, b->carry);
	}
	if (!b->options->observe)
		return;
	/* Nothing was judged early: the flow's first packet met the error, and would either have got its
	 * number before or not have come that far. */
	r = rule(b, in);
	seg_rule_state(b->w, r, STATE_RELATED);
	seg_rule_cmp_u8(b->w, r, SEG_L_L4PROTO, seg_families[fi].icmp);
	seg_rule_cmp_mask(b->w, r, SEG_L_CT_MARK, &none, NULL, sizeof(none), false);
	let_pass(b, r);
}

static struct seg_chain *write_output(struct build *b, int fi, const struct kinds *kinds,
				      const struct kinds *group)
{
	const struct family *f = &seg_families[fi];
	struct seg_chain *c = chain(b, "output", f->suffix), *near = chain(b, "output-group", f->suffix);
	struct seg_rule *r;

	jump(b, rule(b, near), b->family[fi].begin);
	by_kind(b, f, near, group);
	accept_rejections(b, fi, c);
	if (f->family == SEG_IPV6) {
		accept_neighbours(b, c);
		accept_listeners(b, c);
	}
	accept_own_errors(b, fi, c);
	if (f->family == SEG_IPV6) {
		go_prefix(b, c, f->daddr, "ff00::/8", near);
		go_prefix(b, c, f->daddr, "fe80::/10", near);
	} else {
		r = rule(b, c);
		seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_FIB_DADDR_TYPE), b->group, false);
		go(b, r, near);
	}
	jump(b, rule(b, c), b->family[fi].settle[OWN]);
	by_kind(b, f, c, kinds);
	return c;
}

static struct seg_chain *base_chain(struct seg_writer *w, const char *name, enum seg_hook hook, bool observe)
{
	struct seg_chain *base = seg_writer_chain(w, name);

	base->kept = true;
	base->hook = hook;
	base->priority = PRIORITY;
	base->policy_drop = !observe;
	return base;
}

/* By the address of the far end: the gateway's own may lie in a prefix that is isolated. */
static void refuse_isolated(struct build *b, enum seg_hook hook, struct seg_chain *base)
{
	static const enum seg_hook other_hook[2] = {SEG_HOOK_OUTPUT, SEG_HOOK_INPUT};

	for (int i = 0; i < 2; i++) {
		const enum seg_load side[2] = {seg_families[i].saddr, seg_families[i].daddr};

		for (int s = 0; b->family[i].isolated && s < 2; s++) {
			struct seg_rule *r;

			if (hook == other_hook[s])
				continue;
			r = rule(b, base);
			seg_rule_lookup(b->w, r, SEG_LOADS(side[s]), b->family[i].isolated, false);
			go(b, r, b->refuse);
		}
	}
}

static void go_by_family(struct build *b, struct seg_chain *in, struct seg_chain *const target[2])
{
	for (int i = 0; i < 2; i++) {
		struct seg_rule *r = rule(b, in);

		seg_rule_cmp_u8(b->w, r, SEG_L_NFPROTO, seg_families[i].nfproto);
		go(b, r, target[i]);
	}
}

/* Loopback is not judged. What a rule of somebody's sends elsewhere before it comes here has `lo` as its interface
 * still, and is none: an address that is routed away. */
static void accept_loopback(struct build *b, enum seg_hook hook, struct seg_chain *base)
{
	const uint32_t elsewhere = RTN_UNICAST;
	struct seg_rule *r;

	if (hook == SEG_HOOK_FORWARD)
		return;
	r = rule(b, base);
	seg_rule_cmp_ifname(b->w, r, hook == SEG_HOOK_OUTPUT ? SEG_L_OIFNAME : SEG_L_IIFNAME, "lo", false);
	if (hook == SEG_HOOK_OUTPUT) {
		seg_rule_cmp_mask(b->w, r, SEG_L_FIB_DADDR_TYPE, &elsewhere, NULL, sizeof(elsewhere), true);
		seg_rule_set_events(b->w, r, EVENTS); /* a flow that nobody chooses events for sends all there are */
	}
	let_pass(b, r);
}

static void write_base(struct build *b, enum seg_hook hook, struct seg_chain *const target[2])
{
	static const char *const name[] = {NULL, "input", "forward", "output"};
	struct seg_chain *base = base_chain(b->w, name[hook], hook, b->options->observe);
	enum seg_load interface = hook == SEG_HOOK_OUTPUT ? SEG_L_OIFNAME : SEG_L_IIFNAME;
	struct seg_rule *r;

	accept_loopback(b, hook, base);
	refuse_isolated(b, hook, base);
	r = rule(b, base);
	seg_rule_state(b->w, r, STATE_ESTABLISHED);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_CT_DIRECTION, interface, SEG_L_CT_MARK),
			b->fast[hook == SEG_HOOK_FORWARD ? THROUGH : OWN], false);
	let_pass(b, r);
	r = rule(b, base);
	seg_rule_state(b->w, r, STATE_INVALID);
	go(b, r, b->invalid);
	go_by_family(b, base, target);
}

/*
 * A packet that is too big for the line it would leave by, or whose time to live ends here, is answered with
 * an error before forward sees it. Were it the first of its flow, the flow would have no number yet, and the
 * error could not be known for one about a permitted flow: path MTU discovery would find a black hole. Such
 * packets are judged before they are routed, by what forward would ask them. Not where nothing is dropped:
 * forward would refuse them once more, and count one packet for two.
 */
static void write_early(struct build *b, struct seg_chain *const forward[2])
{
	static const enum seg_load time_to_live[2] = {SEG_L_IP_TTL, SEG_L_IP6_HOPLIMIT};
	const uint32_t zero = 0, not_short = ~(SHORT - 1);
	const uint8_t more_than_one = 0xfe;
	struct seg_chain *base = base_chain(b->w, "prerouting", SEG_HOOK_PREROUTING, true);
	struct seg_chain *early, *first;
	struct seg_rule *r;

	base->priority = EARLY;
	if (b->options->observe)
		return;
	early = chain(b, "early", "");
	first = chain(b, "first", "");
	/* All others pass by the end of the chain, which costs each of them less than an accept would. */
	r = rule(b, base);
	seg_rule_state(b->w, r, STATE_NEW);
	go(b, r, first);
	r = rule(b, first);
	seg_rule_cmp_mask(b->w, r, SEG_L_LENGTH, &zero, &not_short, sizeof(zero), true);
	go(b, r, early);
	for (int i = 0; i < 2; i++) {
		r = rule(b, first);
		seg_rule_cmp_mask(b->w, r, time_to_live[i], &zero, &more_than_one, 1, false);
		go(b, r, early);
	}
	/* To the gateway or a group: nothing that is forwarded. */
	r = rule(b, early);
	seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_FIB_DADDR_TYPE), b->own, false);
	let_pass(b, r);
	refuse_isolated(b, SEG_HOOK_FORWARD, early);
	go_by_family(b, early, forward);
}

struct seg_plan *seg_plan_build(const struct seg_policy *policy, const struct seg_registry *registry,
				const struct seg_build_options *options)
{
	struct build b = {.policy = policy, .options = options, .w = seg_writer_new(options->generation)};
	struct seg_chain *forward[2], *recall[2], *input[2], *output[2];
	struct seg_plan *plan;

	b.arena = seg_writer_arena(b.w);
	b.at = SEG_NEW_N(b.arena, struct seg_chain *, policy->zones + 1);
	seg_collect(policy, registry, b.arena, &b.collection);
	seg_ruleset_sets(&b);
	seg_ruleset_numbers(&b);
	seg_ruleset_ends(&b);
	seg_ruleset_origins(&b);
	for (int i = 0; i < 2; i++) {
		struct questions q = {0};

		seg_ruleset_questions(&b, i, &q);
		forward[i] = write_forward(&b, i, &q.forward);
		recall[i] = seg_ruleset_recall(&b, &seg_families[i], &b.family[i], forward[i]);
		input[i] = write_input(&b, i, &q.input, &q.input_link);
		output[i] = write_output(&b, i, &q.output, &q.output_group);
	}
	write_base(&b, SEG_HOOK_INPUT, input);
	write_base(&b, SEG_HOOK_FORWARD, recall);
	write_base(&b, SEG_HOOK_OUTPUT, output);
	write_early(&b, forward);
	seg_writer_numbered(b.w);
	plan = seg_writer_finish(b.w);
	plan->at = options->now;
	plan->first_end = b.first_end;
	plan->number = b.collection.number;
	plan->numbers = b.collection.numbers;
	return plan;
}

struct seg_plan *seg_plan_sealed(uint32_t generation, bool observe)
{
	static const char *const name[] = {"input", "forward", "output"};
	static const enum seg_hook hook[] = {SEG_HOOK_INPUT, SEG_HOOK_FORWARD, SEG_HOOK_OUTPUT};
	const struct seg_build_options options = {.observe = observe};
	struct build b = {.options = &options, .w = seg_writer_new(generation)};

	b.arena = seg_writer_arena(b.w);
	b.neighbour = seg_ruleset_u8_set(&b, "neighbour", SEG_F_ICMPV6_TYPE, seg_neighbour_types,
					 sizeof(seg_neighbour_types));
	for (int i = 0; i < 3; i++) {
		struct seg_chain *base = base_chain(b.w, name[i], hook[i], observe);
		struct seg_rule *r;

		accept_loopback(&b, hook[i], base);
		if (hook[i] != SEG_HOOK_FORWARD)
			accept_neighbours(&b, base);
		r = rule(&b, base);
		r->comment = "sealed: no policy is in force";
		seg_rule_counter(b.w, r);
		refuse(&b, r);
	}
	base_chain(b.w, "prerouting", SEG_HOOK_PREROUTING, true)->priority = EARLY;
	return seg_writer_finish(b.w);
}
