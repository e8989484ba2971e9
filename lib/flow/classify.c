// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/classify.h"

#include <netinet/in.h>
#include <string.h>

/*
 * One end of a packet. Mostly a zone. What stays on a link (groups that the
 * gateway sends to, link-local and unspecified sources) belongs to every zone of
 * an interface; interface NULL then: not known, any zone may be meant.
 */
struct end {
	const struct seg_zone *zone;
	bool link;
	const char *interface;
};

/* A packet placed between its ends: what the permits are asked. */
struct question {
	const struct seg_policy *policy;
	const struct seg_index *index;
	const struct seg_gateway *gateway;
	const struct seg_closure *closure;
	const struct seg_packet *packet;
	time_t at;
	struct end from, to;
};

#define BIT(reason) (1u << (reason))

static const char *const reason_names[] = {
    [SEG_REASON_PERMIT] = "permit",
    [SEG_REASON_INTRA] = "intra",
    [SEG_REASON_GATEWAY_ESSENTIAL] = "gateway-essential",
    [SEG_REASON_NO_PERMIT] = "no-permit",
    [SEG_REASON_SPOOFED] = "spoofed",
    [SEG_REASON_ADDRESS] = "address",
    [SEG_REASON_PORT] = "port",
    [SEG_REASON_PROTOCOL] = "protocol",
    [SEG_REASON_MAC] = "mac",
    [SEG_REASON_HOURS] = "hours",
    [SEG_REASON_DATES] = "dates",
    [SEG_REASON_DIRECTION] = "direction",
    [SEG_REASON_ISOLATED] = "isolated",
    [SEG_REASON_STAGE] = "stage",
    [SEG_REASON_UNKNOWN_ZONE] = "unknown-zone",
    [SEG_REASON_LIMIT] = "limit",
};

const char *seg_reason_name(enum seg_reason reason)
{
	return reason_names[reason];
}

struct seg_gateway seg_gateway_from_policy(const struct seg_policy *policy, struct seg_arena *arena)
{
	struct seg_gateway_addr *addr = SEG_NEW_N(arena, struct seg_gateway_addr, policy->gateway.n + 1);

	for (size_t i = 0; i < policy->gateway.n; i++)
		addr[i].addr = policy->gateway.entry[i].range.lo;
	return (struct seg_gateway){.addr = addr, .n = policy->gateway.n};
}

/* --- Where the packet comes from and goes to --- */

static bool stays_on_link(seg_addr addr)
{
	return seg_addr_is_link_local(addr) || seg_addr_is_unspecified(addr);
}

/* A link-local address is the gateway's on its own interface alone. */
static bool is_gateway_addr(const struct seg_gateway *gateway, seg_addr addr, const char *in)
{
	bool link_local = seg_addr_is_link_local(addr);

	for (size_t i = 0; i < gateway->n; i++) {
		const char *own = gateway->addr[i].interface;

		if (gateway->addr[i].addr == addr && !(link_local && own && in && strcmp(own, in) != 0))
			return true;
	}
	return false;
}

static bool knows_link_local(const struct seg_gateway *gateway)
{
	for (size_t i = 0; i < gateway->n; i++)
		if (seg_addr_is_link_local(gateway->addr[i].addr))
			return true;
	return false;
}

/* How many zones own an interface, and the one where it is one. */
static size_t owners(const struct seg_policy *policy, const char *interface, const struct seg_zone **only)
{
	size_t n = 0;

	*only = NULL;
	for (size_t i = 0; i < policy->zones; i++)
		if (seg_zone_has_interface(&policy->zone[i], interface))
			*only = n++ ? NULL : &policy->zone[i];
	return n;
}

static const struct seg_zone *zone_of(const struct seg_policy *policy, seg_addr addr)
{
	if (seg_addr_is_group(addr) || stays_on_link(addr) || seg_addr_is_loopback(addr))
		return NULL;
	return seg_policy_zone_of(policy, addr);
}

static bool deny(struct seg_verdict *verdict, enum seg_reason reason)
{
	verdict->permit = false;
	verdict->reason = reason;
	return false;
}

/* False: the verdict is there already. */
static bool find_arriving(struct question *q, struct seg_verdict *verdict)
{
	const struct seg_packet *packet = q->packet;
	const struct seg_zone *owner = zone_of(q->policy, packet->src);

	if (owner && seg_zone_has_interface(owner, packet->in)) {
		if (is_gateway_addr(q->gateway, packet->src, packet->in)) {
			verdict->from = owner;
			verdict->claimed = q->policy->gateway_zone;
			return deny(verdict, SEG_REASON_SPOOFED);
		}
		verdict->from = q->from.zone = owner;
		return true;
	}
	if (owners(q->policy, packet->in, &verdict->from) == 0)
		return deny(verdict, SEG_REASON_UNKNOWN_ZONE);
	if (is_gateway_addr(q->gateway, packet->src, packet->in))
		owner = q->policy->gateway_zone;
	else if (stays_on_link(packet->src)) {
		q->from = (struct end){.link = true, .interface = packet->in};
		return true;
	}
	verdict->claimed = owner;
	return deny(verdict, SEG_REASON_SPOOFED);
}

static bool find_source(struct question *q, struct seg_verdict *verdict)
{
	const struct seg_packet *packet = q->packet;

	if (packet->in)
		return find_arriving(q, verdict);
	if (is_gateway_addr(q->gateway, packet->src, NULL) || seg_addr_is_loopback(packet->src) ||
	    (packet->out && stays_on_link(packet->src)))
		q->from.zone = q->policy->gateway_zone;
	else
		q->from.zone = zone_of(q->policy, packet->src);
	verdict->from = q->from.zone;
	return verdict->from || deny(verdict, SEG_REASON_UNKNOWN_ZONE);
}

/* Link-local destinations of what arrives: the gateway's, where its own are not known. */
static bool is_to_gateway(const struct question *q)
{
	seg_addr dst = q->packet->dst;

	if (seg_addr_is_group(dst) || is_gateway_addr(q->gateway, dst, q->packet->in))
		return true;
	return seg_addr_is_link_local(dst) && !knows_link_local(q->gateway);
}

static bool find_destination(struct question *q, struct seg_verdict *verdict)
{
	const struct seg_packet *packet = q->packet;
	const struct seg_zone *gateway_zone = q->policy->gateway_zone;

	if (seg_addr_family(packet->src) != seg_addr_family(packet->dst))
		return deny(verdict, SEG_REASON_UNKNOWN_ZONE);
	if (q->from.zone != gateway_zone) {
		q->to.zone = is_to_gateway(q) ? gateway_zone : zone_of(q->policy, packet->dst);
		if (q->from.link && q->to.zone != gateway_zone)
			return deny(verdict, SEG_REASON_SPOOFED);
	} else if (is_gateway_addr(q->gateway, packet->dst, NULL) || seg_addr_is_loopback(packet->dst)) {
		q->to.zone = gateway_zone;
	} else if (seg_addr_is_group(packet->dst) || seg_addr_is_link_local(packet->dst)) {
		q->to = (struct end){.link = true, .interface = packet->out};
		if (packet->out && owners(q->policy, packet->out, &verdict->to) == 0)
			return deny(verdict, SEG_REASON_UNKNOWN_ZONE);
		return true;
	} else {
		q->to.zone = zone_of(q->policy, packet->dst);
	}
	verdict->to = q->to.zone;
	return verdict->to || deny(verdict, SEG_REASON_UNKNOWN_ZONE);
}

/* --- One permit --- */

/* `to: gateway` without a destination: the address on the packet's own ingress interface, and groups. */
static bool is_own_address(const struct question *q, const struct seg_zone *from)
{
	const struct seg_packet *packet = q->packet;

	if (seg_addr_is_group(packet->dst) || seg_addr_is_link_local(packet->dst))
		return true;
	for (size_t i = 0; i < q->gateway->n; i++) {
		const struct seg_gateway_addr *own = &q->gateway->addr[i];

		if (own->addr != packet->dst)
			continue;
		if (!own->interface) {
			if (seg_policy_zone_of(q->policy, own->addr) == from)
				return true;
		} else if (packet->in ? strcmp(packet->in, own->interface) == 0
				      : seg_zone_has_interface(from, own->interface)) {
			return true;
		}
	}
	return false;
}

static bool source_fits(const struct question *q, const struct seg_pair *pair)
{
	if (pair->from->whole)
		return true;
	return !q->from.link && seg_side_has(pair->from, q->packet->src, NULL);
}

static bool destination_fits(const struct question *q, const struct seg_pair *pair)
{
	if (!pair->to->whole)
		return seg_side_has(pair->to, q->packet->dst, NULL);
	return pair->to->zone != q->policy->gateway_zone || is_own_address(q, pair->from->zone);
}

static bool mac_fits(const struct question *q, const struct seg_side *side)
{
	if (q->packet->no_mac || side->whole || side->n_bound == 0 ||
	    seg_ranges_contain(side->ranges, q->packet->src))
		return true;
	return q->packet->mac && seg_side_has(side, q->packet->src, q->packet->mac);
}

static bool serves(const struct seg_service_item *item, const struct seg_packet *packet)
{
	bool icmp = packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6;

	if (icmp && packet->dport == SEG_NO_TYPE)
		return seg_service_item_has(item, packet->proto, 0) &&
		       seg_service_item_has(item, packet->proto, SEG_NO_TYPE - 1);
	return seg_service_item_has(item, packet->proto, packet->dport);
}

/* 0, PROTOCOL or PORT. */
static unsigned service_failure(const struct seg_permit *permit, const struct seg_packet *packet)
{
	bool protocol = false;

	for (size_t i = 0; i < permit->n_items; i++) {
		if (serves(&permit->item[i], packet))
			return 0;
		protocol |= permit->item[i].proto == packet->proto;
	}
	return protocol ? BIT(SEG_REASON_PORT) : BIT(SEG_REASON_PROTOCOL);
}

static unsigned failures_but_time(const struct question *q, const struct seg_pair *pair)
{
	unsigned failed = service_failure(pair->permit, q->packet);

	if (!source_fits(q, pair))
		return failed | BIT(SEG_REASON_ADDRESS); /* whose MAC would it be? */
	if (!destination_fits(q, pair))
		failed |= BIT(SEG_REASON_ADDRESS);
	if (!mac_fits(q, pair->from)) /* else a permit to another host would seem nearer than the right one */
		failed |= BIT(SEG_REASON_MAC);
	return failed;
}

/* Dates, hours, and what an emergency stopped. */
static unsigned time_failure(const struct question *q, const struct seg_permit *permit)
{
	unsigned stopped = seg_closure_has_permit(q->closure, permit) ? BIT(SEG_REASON_STAGE) : 0;

	switch (seg_schedule_state(&permit->schedule, q->at, q->policy->timezone)) {
	case SEG_OPEN:
		return stopped;
	case SEG_CLOSED_HOURS:
		return stopped | BIT(SEG_REASON_HOURS);
	case SEG_EXPIRED:
	case SEG_NOT_YET:
		break;
	}
	return stopped | BIT(SEG_REASON_DATES);
}

/* --- All permits --- */

static unsigned count(unsigned failed)
{
	return (unsigned)__builtin_popcount(failed);
}

/*
 * How far a permit is from admitting the packet: by the parts that fail; of as many, those are nearer that fail
 * in time, for such a permit is about this packet, and another about another host or service; and nearest is what
 * only an emergency stopped.
 */
static unsigned distance(unsigned failed)
{
	const unsigned times = BIT(SEG_REASON_DATES) | BIT(SEG_REASON_HOURS) | BIT(SEG_REASON_STAGE);

	return count(failed) * 16 + count(failed & ~times) * 2 + (failed != BIT(SEG_REASON_STAGE));
}

/* True: the pair admits the packet. Otherwise the nearest one is remembered; of equals the first. */
static bool try_pair(const struct question *q, const struct seg_pair *pair, struct seg_verdict *verdict)
{
	unsigned failed = failures_but_time(q, pair);

	if (verdict->nearest && distance(failed) >= distance(verdict->failed))
		return false; /* what fails in time as well only brings it further away */
	failed |= time_failure(q, pair->permit);
	if (failed && verdict->nearest && distance(failed) >= distance(verdict->failed))
		return false;
	verdict->failed = failed;
	if (failed) {
		verdict->nearest = pair->permit;
		return false;
	}
	verdict->permit = true;
	verdict->by = pair->permit;
	verdict->from = pair->from->zone;
	verdict->to = pair->to->zone;
	verdict->nearest = NULL;
	return true;
}

static bool end_has(const struct question *q, const struct end *end, const struct seg_zone *zone)
{
	const struct seg_policy *policy = q->policy;
	const struct seg_closure *closure = q->closure;

	if (!end->link)
		return zone == end->zone;
	if (zone == policy->gateway_zone || seg_closure_of_zone(closure, zone))
		return false;
	return !end->interface || seg_zone_has_interface(zone, end->interface);
}

static bool try_links(const struct question *q, struct seg_verdict *verdict)
{
	const struct seg_policy *policy = q->policy;

	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];

		for (size_t f = 0; f < permit->n_from; f++) {
			if (!end_has(q, &q->from, permit->from[f].zone))
				continue;
			for (size_t t = 0; t < permit->n_to; t++) {
				struct seg_pair pair = {permit, &permit->from[f], &permit->to[t]};

				if (end_has(q, &q->to, pair.to->zone) && try_pair(q, &pair, verdict))
					return true;
			}
		}
	}
	return false;
}

static bool try_permits(const struct question *q, struct seg_verdict *verdict)
{
	struct seg_pairs walk;
	struct seg_pair pair;

	if (q->from.link || q->to.link)
		return try_links(q, verdict);
	seg_pairs_begin(&walk, q->policy, q->index, q->from.zone, q->to.zone);
	while (seg_pairs_next(&walk, &pair))
		if (try_pair(q, &pair, verdict))
			return true;
	return false;
}

/* --- The opposite way --- */

static const struct seg_permit *find_reversed(const struct question *q, uint16_t dport)
{
	struct seg_packet back = {.src = q->packet->dst,
				  .dst = q->packet->src,
				  .proto = q->packet->proto,
				  .dport = dport,
				  .no_mac = true};
	struct question reversed = *q;
	struct seg_pairs walk;
	struct seg_pair pair;

	reversed.packet = &back;
	reversed.from = q->to;
	reversed.to = q->from;
	seg_pairs_begin(&walk, q->policy, q->index, reversed.from.zone, reversed.to.zone);
	while (seg_pairs_next(&walk, &pair))
		if (failures_but_time(&reversed, &pair) == 0)
			return pair.permit;
	return NULL;
}

/* The permit that would admit the packet's opposite: to the same port, or, as a reply, from it. */
static const struct seg_permit *find_opposite(const struct question *q)
{
	const struct seg_packet *packet = q->packet;
	const struct seg_permit *permit;

	if (q->from.link || q->to.link || seg_addr_is_group(packet->dst))
		return NULL;
	permit = find_reversed(q, packet->dport);
	if (!permit && packet->sport && (packet->proto == IPPROTO_TCP || packet->proto == IPPROTO_UDP))
		permit = find_reversed(q, packet->sport);
	return permit;
}

/* --- The verdict --- */

/* Neighbour discovery and MLD, where the gateway takes part itself. */
static bool is_essential(const struct question *q)
{
	const struct seg_zone *gateway_zone = q->policy->gateway_zone;
	const struct seg_packet *packet = q->packet;

	if (q->from.zone != gateway_zone && q->to.zone != gateway_zone)
		return false;
	if (q->from.zone == q->to.zone)
		return true; /* loopback is not judged */
	if (packet->proto != IPPROTO_ICMPV6 || seg_addr_family(packet->dst) != SEG_IPV6)
		return false;
	switch (packet->dport) {
	case 130: /* MLD: query, report, done, version 2 report */
	case 131:
	case 132:
	case 143:
	case 133: /* ND: router and neighbour, solicitation and advertisement */
	case 134:
	case 135:
	case 136:
		return true;
	default:
		return false;
	}
}

static enum seg_reason first_failed(unsigned failed)
{
	static const enum seg_reason order[] = {SEG_REASON_ADDRESS, SEG_REASON_PROTOCOL, SEG_REASON_PORT,
						SEG_REASON_MAC,	    SEG_REASON_DATES,	 SEG_REASON_HOURS,
						SEG_REASON_STAGE};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (failed & BIT(order[i]))
			return order[i];
	return SEG_REASON_NO_PERMIT;
}

static void explain_denial(const struct question *q, struct seg_verdict *verdict)
{
	verdict->reason = first_failed(verdict->failed);
	if (!q->from.link && !q->to.link && q->from.zone == q->to.zone) {
		verdict->reason = SEG_REASON_INTRA;
		verdict->permit = q->from.zone->intra_allow;
		if (verdict->permit) {
			verdict->nearest = NULL;
			verdict->failed = 0;
		}
	} else if (!verdict->nearest) {
		verdict->nearest = find_opposite(q);
		if (verdict->nearest)
			verdict->reason = SEG_REASON_DIRECTION;
	}
}

/* Who closed one end; 0: nobody. What stays on a link is closed with all zones of its interface. */
static uint8_t end_closed(const struct question *q, const struct end *end, seg_addr addr)
{
	uint8_t why = 0;

	if (!end->link || !q->closure)
		return end->link ? 0 : seg_closure_of_end(q->closure, end->zone, addr);
	for (size_t i = 0; end->interface && i < q->policy->zones; i++) {
		const struct seg_zone *zone = &q->policy->zone[i];
		uint8_t one = seg_closure_of_zone(q->closure, zone);

		if (!seg_zone_has_interface(zone, end->interface))
			continue;
		if (!one)
			return 0;
		why |= one;
	}
	return why;
}

static bool is_isolated(const struct question *q, const struct end *end, seg_addr addr)
{
	return q->closure && !end->link && end->zone != q->policy->gateway_zone &&
	       seg_ranges_contain(q->closure->isolated, addr);
}

/* Of one end, SEG_ISOLATED_SRC or SEG_ISOLATED_FROM: itself or its zone; 0: neither. */
static unsigned isolation_of(const struct question *q, const struct end *end, seg_addr addr)
{
	if (end->link)
		return end_closed(q, end, addr) & SEG_CLOSED_ISOLATED ? SEG_ISOLATED_FROM : 0;
	if (seg_closure_of_zone(q->closure, end->zone) & SEG_CLOSED_ISOLATED)
		return SEG_ISOLATED_FROM;
	return is_isolated(q, end, addr) ? SEG_ISOLATED_SRC : 0;
}

/* True: an emergency decides, whatever the permits say. */
static bool is_closed(const struct question *q, struct seg_verdict *verdict)
{
	const struct seg_packet *packet = q->packet;
	uint8_t why = end_closed(q, &q->from, packet->src) | end_closed(q, &q->to, packet->dst);

	if (why)
		deny(verdict, why & SEG_CLOSED_ISOLATED ? SEG_REASON_ISOLATED : SEG_REASON_STAGE);
	if (why & SEG_CLOSED_ISOLATED)
		verdict->isolated = isolation_of(q, &q->from, packet->src) |
				    isolation_of(q, &q->to, packet->dst) * SEG_ISOLATED_DST;
	return why;
}

struct seg_verdict seg_classify_closed(const struct seg_policy *policy, const struct seg_index *index,
				       const struct seg_gateway *gateway, const struct seg_closure *closure,
				       const struct seg_packet *packet, time_t at)
{
	struct question q = {.policy = policy,
			     .index = index,
			     .gateway = gateway,
			     .closure = closure,
			     .packet = packet,
			     .at = at};
	struct seg_verdict verdict = {0};

	if (!find_source(&q, &verdict)) {
		/* Reports want to know whom a forged packet was for. */
		verdict.to = is_to_gateway(&q) ? policy->gateway_zone : zone_of(policy, packet->dst);
		return verdict;
	}
	if (!find_destination(&q, &verdict))
		return verdict;
	if (is_essential(&q) && !is_isolated(&q, &q.from, packet->src) && !is_isolated(&q, &q.to, packet->dst)) {
		verdict.permit = true;
		verdict.reason = SEG_REASON_GATEWAY_ESSENTIAL;
	} else if (is_closed(&q, &verdict)) {
		return verdict;
	} else if (try_permits(&q, &verdict)) {
		verdict.reason = SEG_REASON_PERMIT;
	} else {
		explain_denial(&q, &verdict);
	}
	return verdict;
}

struct seg_verdict seg_classify_indexed(const struct seg_policy *policy, const struct seg_index *index,
					const struct seg_gateway *gateway, const struct seg_packet *packet,
					time_t at)
{
	return seg_classify_closed(policy, index, gateway, NULL, packet, at);
}

struct seg_verdict seg_classify(const struct seg_policy *policy, const struct seg_gateway *gateway,
				const struct seg_packet *packet, time_t at)
{
	return seg_classify_indexed(policy, NULL, gateway, packet, at);
}
