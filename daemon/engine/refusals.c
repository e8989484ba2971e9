/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Refused packets: what nflog shows of them becomes few lines (lib/flow/aggregate.h),
 * what the kernel counted becomes the totals.
 *
 * nflog is limited for each source in the kernel, so lines tell kinds, not numbers.
 * Numbers come from the sets denied4, denied6, spoofed4 and spoofed6, one counter for
 * each source and destination, read by difference before an element can expire. These sets
 * are bounded; what a flood has beyond them is counted by interfaces (outgrown,
 * outgrown-spoofed; where the kernel has no memory at hand for an element of these, as far
 * as that is known: -at, -rest) and listed by zones alone. So are pairs that the kernel has
 * forgotten, where too many are remembered here.
 *
 * Beside all that stand totals by zones, as the zones were when a packet was counted: they
 * only grow, whatever policy comes next.
 */

#include "state.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 4096	/* kinds of refusals listed */
#define PAIRS_MAX 65536 /* sources and destinations remembered beside those the kernel holds */

struct pair_key {
	seg_addr src, dst;
	uint64_t spoofed, zero;
};
struct pair {
	struct pair_key key;
	struct seg_counter counter;
	uint64_t total;
	uint64_t listed;         /* scratch of an answer: what the lines of this pair count */
	time_t first, last;
};
struct ways {
	struct {
		uint8_t bytes[2 * IFNAMSIZ]; /* of the element's key */
		uint64_t set;
	} key;
	struct seg_counter counter;
};
/* A spoofed pair has an element for each interface it comes by. */
struct arrival {
	struct {
		char in[IFNAMSIZ];
		seg_addr src, dst;
	} key;
	struct seg_counter counter;
};
struct zones_key {
	char from[32], to[32]; /* "": not known */
	uint64_t spoofed;
};
struct rest {
	struct zones_key key;
	uint64_t total;
	time_t first, last;
};
struct zones {
	struct zones_key key;
	uint64_t total;
};

static struct pair_key pair_key(seg_addr src, seg_addr dst, bool spoofed)
{
	struct pair_key key;

	memset(&key, 0, sizeof(key));
	key.src = src;
	key.dst = dst;
	key.spoofed = spoofed;
	return key;
}

static struct zones_key zones_key(const struct seg_zone *from, const struct seg_zone *to, bool spoofed)
{
	struct zones_key key = {.spoofed = spoofed};

	if (from)
		memcpy(key.from, from->id, strnlen(from->id, sizeof(key.from) - 1));
	if (to)
		memcpy(key.to, to->id, strnlen(to->id, sizeof(key.to) - 1));
	return key;
}

static void say_line(void *context, const struct seg_denial *denial, uint64_t since_last_line);

void seg_refusals_init(struct seg_engine *engine)
{
	unsigned window = engine->options.denied_window ? engine->options.denied_window : 60;

	engine->refusals.aggregate = seg_aggregate_new(window, KEYS_MAX, say_line, engine);
	seg_hash_init(&engine->refusals.pair, sizeof(struct pair_key), sizeof(struct pair));
	seg_hash_init(&engine->refusals.ways, sizeof(((struct ways *)0)->key), sizeof(struct ways));
	seg_hash_init(&engine->refusals.arrival, sizeof(((struct arrival *)0)->key), sizeof(struct arrival));
	seg_hash_init(&engine->refusals.rest, sizeof(struct zones_key), sizeof(struct rest));
	seg_hash_init(&engine->refusals.zones, sizeof(struct zones_key), sizeof(struct zones));
}

void seg_refusals_fini(struct seg_refusals *refusals)
{
	seg_aggregate_free(refusals->aggregate);
	seg_hash_fini(&refusals->pair);
	seg_hash_fini(&refusals->ways);
	seg_hash_fini(&refusals->arrival);
	seg_hash_fini(&refusals->rest);
	seg_hash_fini(&refusals->zones);
}

/* Lines. */

static bool is_spoofed(const struct seg_denial *denial)
{
	return denial->reason == SEG_REASON_SPOOFED;
}

/* Nothing of who and what where a pair of zones has more than is told one by one. */
static void add_what(struct seg_alert *alert, const struct seg_denial *denial)
{
	bool ports = denial->proto == IPPROTO_TCP || denial->proto == IPPROTO_UDP;
	char service[SEG_SERVICE_STRLEN];

	if (denial->any_src)
		return;
	seg_alert_addr(alert, "src", denial->src);
	if (denial->any_dst)
		seg_alert_number(alert, "dsts", denial->dsts);
	else
		seg_alert_addr(alert, "dst", denial->dst);
	if (!denial->any_proto)
		seg_alert_text(alert, "proto", seg_proto_name(denial->proto, service));
	if (denial->any_dport)
		seg_alert_number(alert, "dports", denial->dports);
	else if (ports || denial->proto == IPPROTO_ICMP || denial->proto == IPPROTO_ICMPV6)
		seg_alert_number(alert, "dport", denial->dport);
}

static void say_line(void *context, const struct seg_denial *denial, uint64_t since_last_line)
{
	struct seg_engine *engine = context;
	bool spoofed = is_spoofed(denial);
	struct seg_alert alert;

	seg_say_begin(engine, &alert, spoofed ? "spoofed" : "denied", spoofed ? SEG_WARNING : SEG_NOTICE,
		      denial->last);
	seg_alert_text(&alert, "from", denial->from);
	seg_alert_text(&alert, "to", denial->to);
	add_what(&alert, denial);
	seg_alert_text(&alert, "action", engine->options.observe ? "observed" : "dropped");
	seg_alert_number(&alert, "count", since_last_line);
	seg_alert_text(&alert, "reason", seg_reason_name(denial->reason));
	seg_say_send(engine, &alert);
}

static struct seg_verdict judge(const struct seg_engine *engine, const struct seg_packet *packet, time_t now)
{
	const struct seg_rulebook *book = engine->running;

	return seg_classify_closed(book->policy, book->index, &engine->links.gateway, &engine->closure, packet, now);
}

#define TCP_SYN 0x02
#define TCP_ACK 0x10

/* A segment of a TCP flow that conntrack does not know any more, in either direction of a permit. */
static bool is_stray(struct seg_engine *engine, const struct seg_refused *refused, const struct seg_packet *packet,
		     time_t now)
{
	struct seg_packet back = {.src = packet->dst, .dst = packet->src, .proto = packet->proto,
				  .sport = packet->dport, .dport = packet->sport, .no_mac = true};

	if (refused->proto != IPPROTO_TCP || (refused->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return false;
	return judge(engine, packet, now).permit || judge(engine, &back, now).permit;
}

static bool is_limited(const struct seg_engine *engine, const struct seg_zone *zone)
{
	return seg_limits_holds(engine, zone) || (zone && zone->limit.rate);
}

static void name_denial(struct seg_engine *engine, const struct seg_refused *refused, struct seg_denial *denial,
			time_t now)
{
	struct seg_verdict verdict;
	struct seg_packet packet = {
		.in = refused->in[0] ? refused->in : NULL,
		.out = !refused->in[0] && refused->out[0] ? refused->out : NULL,
		.mac = refused->has_mac ? refused->mac : NULL,
		.no_mac = !refused->has_mac,
		.src = refused->src,
		.dst = refused->dst,
		.proto = refused->proto,
		.sport = refused->sport,
		.dport = refused->dport,
	};

	verdict = judge(engine, &packet, now);
	denial->from = verdict.from ? verdict.from->id : NULL;
	denial->to = verdict.to ? verdict.to->id : NULL;
	denial->reason = refused->spoofed ? SEG_REASON_SPOOFED : verdict.reason;
	if (seg_engine_is_isolated(engine, refused->src) || seg_engine_is_isolated(engine, refused->dst))
		denial->reason = SEG_REASON_ISOLATED;
	else if (!refused->spoofed && is_stray(engine, refused, &packet, now))
		denial->reason = SEG_REASON_PERMIT;
	else if (!refused->spoofed && verdict.permit && is_limited(engine, verdict.from))
		denial->reason = SEG_REASON_LIMIT;
}

void seg_engine_refused(struct seg_engine *engine, const struct seg_refused *refused, time_t now)
{
	struct seg_denial denial = {
		.src = refused->src,
		.dst = refused->dst,
		.proto = refused->proto,
		.dport = refused->dport,
		.reason = refused->spoofed ? SEG_REASON_SPOOFED : SEG_REASON_NO_PERMIT,
		.count = 1,
		.first = now,
		.last = now,
	};

	if (engine->running)
		name_denial(engine, refused, &denial, now);
	if (denial.reason == SEG_REASON_PERMIT) /* a stray: in the totals, not worth a line */
		return;
	seg_aggregate_add(engine->refusals.aggregate, &denial, now);
}

/* Totals. */

struct totals {
	struct seg_engine *engine;
	enum seg_counted set;
	time_t now;
	unsigned addr_len;
	bool spoofed;
};

static seg_addr key_addr(const uint8_t *bytes, unsigned len)
{
	return seg_addr_from_bytes(len == 4 ? SEG_IPV4 : SEG_IPV6, bytes);
}

static uint64_t grown(struct totals *totals, struct seg_counter *counter, const struct seg_elem *elem)
{
	struct seg_growth more = seg_counter_take(totals->engine, totals->set, counter, elem, totals->now);

	totals->engine->refusals.total += more.packets;
	return more.packets;
}

/* The zone of an interface: the gateway's where there is none, NULL where several share it. */
static const struct seg_zone *zone_at(const struct seg_engine *engine, const uint8_t name[static IFNAMSIZ])
{
	char interface[IFNAMSIZ] = "";
	const struct seg_policy *policy = engine->running ? engine->running->policy : NULL;
	const struct seg_zone *found = NULL;

	memcpy(interface, name, sizeof(interface) - 1);
	if (policy && !*interface)
		return policy->gateway_zone;
	for (size_t i = 0; policy && i < policy->zones; i++) {
		if (!seg_zone_has_interface(&policy->zone[i], interface))
			continue;
		if (found)
			return NULL;
		found = &policy->zone[i];
	}
	return found;
}

const struct seg_zone *seg_refusals_zone(const struct seg_engine *engine, seg_addr addr)
{
	if (!engine->running)
		return NULL;
	return seg_engine_is_gateway(engine, addr) ? engine->running->policy->gateway_zone
						   : seg_policy_zone_of(engine->running->policy, addr);
}

static void count_zones(struct totals *totals, const struct seg_zone *from, const struct seg_zone *to, uint64_t more)
{
	struct zones_key key = zones_key(from, to, totals->spoofed);
	bool made;
	struct zones *zones = seg_hash_put(&totals->engine->refusals.zones, &key, &made);

	zones->total += more;
}

static void count_pair(struct totals *totals, struct pair *pair, bool made, uint64_t more)
{
	if (made)
		pair->first = totals->now;
	if (!more)
		return;
	pair->total += more;
	pair->last = totals->now;
}

static void take_denied(struct totals *totals, const struct seg_elem *elem)
{
	struct seg_engine *engine = totals->engine;
	seg_addr src = key_addr(elem->key, totals->addr_len);
	seg_addr dst = key_addr(elem->key + totals->addr_len, totals->addr_len);
	struct pair_key key = pair_key(src, dst, false);
	bool made;
	struct pair *pair = seg_hash_put(&engine->refusals.pair, &key, &made);
	uint64_t more = grown(totals, &pair->counter, elem);

	count_pair(totals, pair, made, more);
	if (more)
		count_zones(totals, seg_refusals_zone(engine, src), seg_refusals_zone(engine, dst), more);
}

/* A spoofed packet comes from where it came in, whatever address it bears. */
static void take_spoofed(struct totals *totals, const struct seg_elem *elem)
{
	struct seg_engine *engine = totals->engine;
	const uint8_t *addr = elem->key + IFNAMSIZ;
	struct arrival by, *arrival;
	struct pair_key key;
	struct pair *pair;
	uint64_t more;
	bool made;

	memset(&by, 0, sizeof(by));
	memcpy(by.key.in, elem->key, IFNAMSIZ - 1);
	by.key.src = key_addr(addr, totals->addr_len);
	by.key.dst = key_addr(addr + totals->addr_len, totals->addr_len);
	arrival = seg_hash_put(&engine->refusals.arrival, &by.key, &made);
	more = grown(totals, &arrival->counter, elem);
	key = pair_key(by.key.src, by.key.dst, true);
	pair = seg_hash_put(&engine->refusals.pair, &key, &made);
	if (made || pair->counter.until < arrival->counter.until) /* it stands as long as any of them */
		pair->counter.until = arrival->counter.until;
	pair->counter.reading = arrival->counter.reading;
	count_pair(totals, pair, made, more);
	if (more)
		count_zones(totals, zone_at(engine, elem->key), seg_refusals_zone(engine, by.key.dst), more);
}

static void add_rest(struct seg_engine *engine, const struct seg_zone *from, const struct seg_zone *to,
		     bool spoofed, uint64_t total, time_t first, time_t last)
{
	struct zones_key key = zones_key(from, to, spoofed);
	bool made;
	struct rest *rest = seg_hash_put(&engine->refusals.rest, &key, &made);

	if (made || first < rest->first)
		rest->first = first;
	if (last > rest->last)
		rest->last = last;
	rest->total += total;
}

/* How many interfaces the set's keys tell, that where it came by first. */
static unsigned names_of(enum seg_counted set)
{
	if (set == SEG_OUTGROWN || set == SEG_OUTGROWN_SPOOFED)
		return 2;
	return set == SEG_OUTGROWN_AT || set == SEG_OUTGROWN_SPOOFED_AT;
}

static struct ways ways_key(enum seg_counted set, const struct seg_elem *elem)
{
	struct ways key = {.key.set = set};
	unsigned names = names_of(set);

	memcpy(key.key.bytes, elem->key, names ? names * IFNAMSIZ : 1);
	return key;
}

static void take_ways(struct totals *totals, const struct seg_elem *elem)
{
	struct ways key = ways_key(totals->set, elem), *ways;
	unsigned names = names_of(totals->set);
	const struct seg_zone *from = NULL, *to = NULL;
	uint64_t more;
	bool made;

	ways = seg_hash_put(&totals->engine->refusals.ways, &key.key, &made);
	more = grown(totals, &ways->counter, elem);
	if (!more)
		return;
	if (names > 0)
		from = zone_at(totals->engine, elem->key);
	if (names > 1)
		to = zone_at(totals->engine, elem->key + IFNAMSIZ);
	add_rest(totals->engine, from, to, totals->spoofed, more, totals->now, totals->now);
	count_zones(totals, from, to, more);
}

void seg_refusals_take(struct seg_engine *engine, enum seg_counted set, const struct seg_elem *elem,
		       time_t now)
{
	bool v4 = set == SEG_DENIED4 || set == SEG_SPOOFED4;
	struct totals totals = {.engine = engine, .set = set, .now = now, .addr_len = v4 ? 4 : 16};

	switch (set) {
	case SEG_DENIED4:
	case SEG_DENIED6:
		take_denied(&totals, elem);
		break;
	case SEG_SPOOFED4:
	case SEG_SPOOFED6:
		totals.spoofed = true;
		take_spoofed(&totals, elem);
		break;
	default:
		totals.spoofed = set == SEG_OUTGROWN_SPOOFED || set == SEG_OUTGROWN_SPOOFED_AT ||
				 set == SEG_OUTGROWN_SPOOFED_REST;
		take_ways(&totals, elem);
		break;
	}
}

static bool pair_stands(const struct seg_engine *engine, const struct pair *pair, time_t now)
{
	bool v4 = seg_addr_family(pair->key.src) == SEG_IPV4;
	enum seg_counted denied = v4 ? SEG_DENIED4 : SEG_DENIED6, spoofed = v4 ? SEG_SPOOFED4 : SEG_SPOOFED6;

	return seg_counter_stands(engine, pair->key.spoofed ? spoofed : denied, &pair->counter, now);
}

static bool arrival_stands(const struct seg_engine *engine, const struct arrival *arrival, time_t now)
{
	bool v4 = seg_addr_family(arrival->key.src) == SEG_IPV4;

	return seg_counter_stands(engine, v4 ? SEG_SPOOFED4 : SEG_SPOOFED6, &arrival->counter, now);
}

/* Where too many pairs are remembered: those that the kernel has forgotten become part of the rest. */
static void forget_gone_pairs(struct seg_engine *engine, time_t now)
{
	struct seg_refusals *refusals = &engine->refusals;
	struct seg_hash standing;
	struct pair *pair;
	size_t cursor = 0;
	bool made;

	if (refusals->pair.n <= PAIRS_MAX)
		return;
	seg_hash_init(&standing, sizeof(struct pair_key), sizeof(struct pair));
	while ((pair = seg_hash_next(&refusals->pair, &cursor))) {
		if (pair_stands(engine, pair, now))
			*(struct pair *)seg_hash_put(&standing, &pair->key, &made) = *pair;
		else
			add_rest(engine, seg_refusals_zone(engine, pair->key.src), seg_refusals_zone(engine, pair->key.dst),
				 pair->key.spoofed, pair->total, pair->first, pair->last);
	}
	seg_hash_fini(&refusals->pair);
	refusals->pair = standing;
}

/* Elements that the kernel has forgotten: what they counted stands in their pairs. */
static void forget_gone_arrivals(struct seg_engine *engine, time_t now)
{
	struct seg_refusals *refusals = &engine->refusals;
	struct seg_hash standing;
	struct arrival *arrival;
	size_t cursor = 0;
	bool made;

	if (refusals->arrival.n <= PAIRS_MAX)
		return;
	seg_hash_init(&standing, sizeof(arrival->key), sizeof(*arrival));
	while ((arrival = seg_hash_next(&refusals->arrival, &cursor)))
		if (arrival_stands(engine, arrival, now))
			*(struct arrival *)seg_hash_put(&standing, &arrival->key, &made) = *arrival;
	seg_hash_fini(&refusals->arrival);
	refusals->arrival = standing;
}

void seg_refusals_forget_gone(struct seg_engine *engine, time_t now)
{
	forget_gone_pairs(engine, now);
	forget_gone_arrivals(engine, now);
}

void seg_refusals_forget_table(struct seg_engine *engine)
{
	struct arrival *arrival;
	struct pair *pair;
	struct ways *ways;
	size_t cursor = 0;

	while ((pair = seg_hash_next(&engine->refusals.pair, &cursor)))
		pair->counter = (struct seg_counter){0};
	cursor = 0;
	while ((arrival = seg_hash_next(&engine->refusals.arrival, &cursor)))
		arrival->counter = (struct seg_counter){0};
	cursor = 0;
	while ((ways = seg_hash_next(&engine->refusals.ways, &cursor)))
		ways->counter = (struct seg_counter){0};
}

/*
 * Of the sets whose elements come and go with commits of ours: what an element counts leaves with it, and one that
 * comes back counts from where it was made.
 */

/* SEG_COUNTED: it is none of those. */
static enum seg_counted made_by_us(const struct seg_set *of)
{
	enum seg_counted set = seg_counted_of(of);

	return set >= SEG_OUTGROWN_AT ? set : SEG_COUNTED;
}

void seg_refusals_read_leaving(struct seg_engine *engine, const struct seg_change *change, time_t now)
{
	for (size_t i = 0; engine->plan && i < change->sets; i++) {
		enum seg_counted set = made_by_us(change->set[i].set);

		if (set != SEG_COUNTED && change->set[i].dels)
			seg_readings_now(engine, engine->plan, 1u << set, now);
	}
}

void seg_refusals_left(struct seg_engine *engine, const struct seg_set *of, const struct seg_elem *elem, time_t now)
{
	enum seg_counted set = made_by_us(of);

	if (engine->plan && set != SEG_COUNTED)
		seg_refusals_take(engine, set, elem, now);
}

static void place(struct seg_engine *engine, enum seg_counted set, const struct seg_elem *elem, time_t now)
{
	struct ways key = ways_key(set, elem);
	bool made;
	struct ways *ways = seg_hash_put(&engine->refusals.ways, &key.key, &made);

	seg_counter_place(engine, set, &ways->counter, elem, now);
}

void seg_refusals_committed(struct seg_engine *engine, const struct seg_change *change, time_t now)
{
	for (size_t i = 0; i < change->sets; i++) {
		const struct seg_set_change *of = &change->set[i];
		enum seg_counted set = made_by_us(of->set);

		for (size_t k = 0; set != SEG_COUNTED && k < of->adds; k++)
			place(engine, set, of->add[k], now);
	}
	for (size_t i = 0; i < change->new_sets; i++) {
		const struct seg_set *of = change->new_set[i];
		enum seg_counted set = made_by_us(of);

		for (size_t k = 0; set != SEG_COUNTED && k < of->elems; k++)
			place(engine, set, &of->elem[k], now);
	}
}

void seg_refusals_read(struct seg_engine *engine, time_t now)
{
	if (engine->plan)
		seg_readings_now(engine, engine->plan, SEG_READ_REFUSALS, now);
}

void seg_refusals_by_zones(const struct seg_refusals *refusals, seg_zones_fn each, void *context)
{
	const struct zones *zones;
	size_t cursor = 0;

	while ((zones = seg_hash_next(&refusals->zones, &cursor)))
		each(context, zones->key.from, zones->key.to, zones->key.spoofed, zones->total);
}

/* What `denials` tells. */

struct telling {
	struct seg_engine *engine;
	seg_refusal_fn each;
	void *context;
};

static void add_listed(void *context, const struct seg_denial *denial, uint64_t since_last_line)
{
	const struct telling *telling = context;
	struct pair_key key = pair_key(denial->src, denial->dst, is_spoofed(denial));
	struct pair *pair = seg_hash_find(&telling->engine->refusals.pair, &key);

	(void)since_last_line;
	if (pair && !denial->any_dst)
		pair->listed += denial->count;
}

/* A kind that is the only one of its pair bears the kernel's total; more kinds share it as seen. */
static uint64_t true_count(struct seg_engine *engine, const struct seg_denial *denial)
{
	struct pair_key key = pair_key(denial->src, denial->dst, is_spoofed(denial));
	struct pair *pair = seg_hash_find(&engine->refusals.pair, &key);
	uint64_t count = denial->count;

	if (pair && pair->listed == denial->count && pair->total > count) {
		count = pair->total;
		pair->listed = pair->total;
	}
	return count;
}

static void tell_denial(void *context, const struct seg_denial *denial, uint64_t since_last_line)
{
	const struct telling *telling = context;
	const struct seg_refusal line = {
		.scope = SEG_REFUSED_KIND,
		.from = denial->from,
		.to = denial->to,
		.src = denial->src,
		.dst = denial->dst,
		.proto = denial->proto,
		.any_dport = denial->any_dport,
		.dport = denial->dport,
		.reason = denial->reason,
		.count = true_count(telling->engine, denial),
		.first = denial->first,
		.last = denial->last,
	};

	(void)since_last_line;
	if (!denial->any_dst) /* a sweep is one line to a reader of alerts; its pairs are counted each */
		telling->each(telling->context, &line);
}

static enum seg_reason reason_of(uint64_t spoofed)
{
	return spoofed ? SEG_REASON_SPOOFED : SEG_REASON_NO_PERMIT;
}

/* What the kernel counted and no line stands for: under its source and destination alone, or its zones. */
static void tell_rest(const struct telling *telling)
{
	const struct seg_refusals *refusals = &telling->engine->refusals;
	const struct pair *pair;
	const struct rest *rest;
	size_t cursor = 0;

	while ((pair = seg_hash_next(&refusals->pair, &cursor)))
		if (pair->total > pair->listed)
			telling->each(telling->context,
				      &(struct seg_refusal){.scope = SEG_REFUSED_PAIR,
							    .src = pair->key.src,
							    .dst = pair->key.dst,
							    .reason = reason_of(pair->key.spoofed),
							    .count = pair->total - pair->listed,
							    .first = pair->first,
							    .last = pair->last});
	cursor = 0;
	while ((rest = seg_hash_next(&refusals->rest, &cursor)))
		telling->each(telling->context,
			      &(struct seg_refusal){.scope = SEG_REFUSED_ZONES,
						    .from = *rest->key.from ? rest->key.from : NULL,
						    .to = *rest->key.to ? rest->key.to : NULL,
						    .reason = reason_of(rest->key.spoofed),
						    .count = rest->total,
						    .first = rest->first,
						    .last = rest->last});
}

void seg_refusals_each(struct seg_engine *engine, seg_refusal_fn each, void *context)
{
	struct telling telling = {engine, each, context};
	struct pair *pair;
	size_t cursor = 0;

	while ((pair = seg_hash_next(&engine->refusals.pair, &cursor)))
		pair->listed = 0;
	seg_aggregate_each(engine->refusals.aggregate, add_listed, &telling);
	seg_aggregate_each(engine->refusals.aggregate, tell_denial, &telling);
	tell_rest(&telling);
}
