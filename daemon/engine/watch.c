/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The flow road: conntrack's entries, judged one by one by the same classify that
 * answers segctl explain.
 *
 * The mark only shortens the way: a flow whose number names a permit that really
 * covers it needs no search. What no permit explains is a violation: told once as it
 * is seen, its entry deleted (not with --observe), told once more as it ends. A flow
 * that had a permit and lost it is no violation but revoked: the kernel drops its
 * packets already, its entry is removed.
 *
 * Conntrack knows neither interfaces nor MACs, and not which way a flow in mid-air
 * began. Where it cannot know, the number in the mark is believed, and a flow whose
 * opposite is permitted and that was picked up in mid-stream is not called a violation.
 * Of link-local and group traffic it is the number alone that can have died.
 */

#include "lingering.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define VIOLATIONS_MAX 65536 /* remembered at once; beyond it still cut and told */
#define LISTED_MAX 4096
#define CUT_BATCH 256
#define UNHEARD_AFTER 2      /* seconds: entries born unheard send no DESTROY */

/* A tuple without holes. */
struct tuple {
	seg_addr src, dst;
	uint16_t sport, dport;
	uint32_t proto;
	uint64_t zero;
};
struct live_violation {
	struct tuple key;
	struct seg_flow flow;
	char from[33], to[33], permit[64];
	time_t since, cut; /* cut or found gone; 0: stands (observe) */
	uint64_t seen;	   /* by which dump, or since which one */
	struct tuple list_key;
};
struct listed_violation {
	struct tuple key;       /* sport 0 */
	char from[33], to[33], permit[64];
	enum seg_reason reason;
	uint64_t count, packets, bytes;
	time_t first, last;
};

static struct tuple tuple_of(const struct seg_flow *flow)
{
	struct tuple tuple;

	memset(&tuple, 0, sizeof(tuple));
	tuple.src = flow->src;
	tuple.dst = flow->dst;
	tuple.sport = flow->sport;
	tuple.dport = flow->dport;
	tuple.proto = flow->proto;
	return tuple;
}

static struct tuple reversed(const struct tuple *tuple)
{
	struct tuple back = *tuple;

	back.src = tuple->dst;
	back.dst = tuple->src;
	back.sport = tuple->dport;
	back.dport = tuple->sport;
	return back;
}

void seg_watch_init(struct seg_watch *watch)
{
	seg_hash_init(&watch->live, sizeof(struct tuple), sizeof(struct live_violation));
	seg_hash_init(&watch->kept, sizeof(struct tuple), sizeof(struct listed_violation));
	seg_taken_init(&watch->stopped);
}

void seg_watch_fini(struct seg_watch *watch)
{
	seg_hash_fini(&watch->live);
	seg_hash_fini(&watch->kept);
	seg_hash_fini(&watch->stopped);
	free(watch->cut);
	watch->cut = NULL;
}

/* Judging. */

/* Traffic that belongs to an interface: conntrack does not know which, the rules do. */
static bool is_link_traffic(const struct seg_flow *flow)
{
	return seg_addr_is_group(flow->dst) || seg_addr_is_link_local(flow->src) ||
	       seg_addr_is_link_local(flow->dst) || seg_addr_is_unspecified(flow->src) ||
	       seg_addr_is_unspecified(flow->dst) || seg_addr_is_loopback(flow->src) || seg_addr_is_loopback(flow->dst);
}

static const struct seg_zone *zone_of(const struct seg_engine *engine, seg_addr addr)
{
	const struct seg_policy *policy = engine->running->policy;

	return seg_engine_is_gateway(engine, addr) ? policy->gateway_zone : seg_policy_zone_of(policy, addr);
}

static bool is_side(const struct seg_side *side, const struct seg_zone *zone, seg_addr addr)
{
	return side->zone == zone && seg_side_has(side, addr, NULL);
}

static bool covers_service(const struct seg_permit *permit, const struct seg_flow *flow)
{
	for (size_t i = 0; i < permit->n_items; i++)
		if (seg_service_item_has(&permit->item[i], flow->proto, flow->dport))
			return true;
	return false;
}

/* Does the permit's pair of zones that the mark names really cover the flow? Whether it is open is asked
 * elsewhere. */
static bool number_covers(const struct seg_engine *engine, const struct seg_number *number,
			  const struct seg_flow *flow, struct seg_verdict *verdict)
{
	const struct seg_permit *permit = number->permit;
	const struct seg_zone *from = zone_of(engine, flow->src), *to = zone_of(engine, flow->dst);

	*verdict = (struct seg_verdict){.permit = true, .reason = SEG_REASON_PERMIT, .by = permit,
					.from = from, .to = to};
	return is_side(seg_number_from(number), from, flow->src) && is_side(seg_number_to(number), to, flow->dst) &&
	       covers_service(permit, flow);
}

static bool is_open(const struct seg_engine *engine, const struct seg_permit *permit)
{
	return engine->running->window[permit->index] == SEG_OPEN;
}

struct seg_packet seg_watch_packet(const struct seg_flow *flow)
{
	return (struct seg_packet){.src = flow->src,
				   .dst = flow->dst,
				   .proto = flow->proto,
				   .sport = flow->sport,
				   .dport = flow->dport,
				   .no_mac = true};
}

static struct seg_verdict classify(const struct seg_engine *engine, const struct seg_flow *flow, bool backwards,
				   time_t now)
{
	const struct seg_rulebook *book = engine->running;
	struct seg_packet packet = seg_watch_packet(flow);

	if (backwards) {
		packet.src = flow->dst;
		packet.dst = flow->src;
		packet.sport = flow->dport;
		packet.dport = flow->sport;
	}
	return seg_classify_closed(book->policy, book->index, &engine->links.gateway, &engine->closure, &packet, now);
}

/* What the number in the mark says about a flow; SEG_REVOKED: it covers it and is not in force,
 * SEG_VIOLATION: it does not cover it. */
static struct seg_judged judge_number(struct seg_engine *engine, const struct seg_flow *flow)
{
	const struct seg_number *number = flow->mark && engine->plan ? seg_plan_number(engine->plan, flow->mark)
								     : NULL;
	struct seg_judged judged = {.kind = SEG_VIOLATION};

	if (!number)
		return judged;
	if (!number->permit) {
		const struct seg_zone *from = zone_of(engine, flow->src), *to = zone_of(engine, flow->dst);

		judged.verdict = (struct seg_verdict){.permit = true, .reason = SEG_REASON_INTRA, .from = from,
						      .to = to};
		if (from == to && from == number->zone && !seg_closure_of_zone(&engine->closure, from))
			judged.kind = SEG_LEGITIMATE;
		return judged;
	}
	judged.permit = number->permit;
	if (number_covers(engine, number, flow, &judged.verdict)) {
		bool in_force = !seg_closure_has_permit(&engine->closure, number->permit) &&
				(is_open(engine, number->permit) || number->permit->drain);

		judged.verdict.by = number->permit;
		judged.kind = in_force ? SEG_LEGITIMATE : SEG_REVOKED;
	}
	return judged;
}

bool seg_watch_was_given(const struct seg_engine *engine, uint32_t mark)
{
	uint32_t number = mark & ~SEG_NUMBER_INTRA;

	return number && number < engine->registry.next;
}

/* The gateway's addresses come and go, and the kernel knows of it first. */
static bool has_gateway(const struct seg_engine *engine, const struct seg_permit *permit)
{
	const struct seg_zone *gateway = engine->running->policy->gateway_zone;

	return seg_side_in(permit->from, permit->n_from, gateway) || seg_side_in(permit->to, permit->n_to, gateway);
}

/* A number that is in force and never stood for the flow: an expected one has it from its master, an injected
 * one from somewhere. But an address of the gateway that goes leaves flows behind. */
static bool is_lie(const struct seg_engine *engine, enum seg_flow_event event,
		   const struct seg_judged *by_number)
{
	const struct seg_permit *permit = by_number->permit;

	if (!permit || by_number->kind == SEG_REVOKED || !is_open(engine, permit))
		return false;
	return event == SEG_FLOW_NEW || !has_gateway(engine, permit);
}

/* A number that is in force, or will be one day, and stands for other flows: not one that has died, which the
 * next packet replaces. An entry has it from somebody else, as from a peer whose numbers are others. */
static bool is_another_ones(const struct seg_engine *engine, uint32_t mark)
{
	const struct seg_number *number = engine->plan ? seg_plan_number(engine->plan, mark) : NULL;

	if (!mark)
		return false;
	if (!number)
		return !seg_watch_was_given(engine, mark);
	return !number->permit || !has_gateway(engine, number->permit);
}

/* A TCP flow that conntrack picked up in the middle, and whose opposite is permitted: a reply. */
static bool is_reply(struct seg_engine *engine, const struct seg_flow *flow, enum seg_flow_event event, time_t now)
{
	return event == SEG_FLOW_NEW && flow->proto == IPPROTO_TCP && flow->tcp_state != TCP_CONNTRACK_SYN_SENT &&
	       classify(engine, flow, true, now).permit;
}

/* Covered by a permit that is not in force now. */
bool seg_watch_is_closed_alone(const struct seg_verdict *verdict)
{
	const unsigned closed = 1u << SEG_REASON_HOURS | 1u << SEG_REASON_DATES | 1u << SEG_REASON_STAGE;

	return verdict->failed && !(verdict->failed & ~closed);
}

/* An old entry whose permit closed while nobody looked: its next packet has cleared the mark. */
static bool is_left_over(const struct seg_engine *engine, const struct seg_flow *flow, enum seg_flow_event event,
			 const struct seg_verdict *verdict)
{
	return event == SEG_FLOW_DUMPED && !flow->mark && !engine->options.observe &&
	       seg_watch_is_closed_alone(verdict);
}

/* Of a number, whatever flow it is in. */
static bool is_in_force(const struct seg_engine *engine, const struct seg_number *number)
{
	const struct seg_permit *permit = number->permit;

	if (!permit)
		return !seg_closure_of_zone(&engine->closure, number->zone);
	return !seg_closure_has_permit(&engine->closure, permit) && (is_open(engine, permit) || permit->drain) &&
	       !seg_closure_of_zone(&engine->closure, seg_number_from(number)->zone) &&
	       !seg_closure_of_zone(&engine->closure, seg_number_to(number)->zone);
}

/* The zone of the link that a number's flows belong to; NULL: the number is known no more. */
static const struct seg_zone *link_zone(const struct seg_number *number)
{
	const struct seg_zone *from;

	if (!number || !number->permit)
		return number ? number->zone : NULL;
	from = seg_number_from(number)->zone;
	return from->tier == SEG_TIER_GATEWAY ? seg_number_to(number)->zone : from;
}

/* By one interface: coming in, or sent by the gateway, which may have no address yet. */
static bool is_permitted_by(const struct seg_engine *engine, const struct seg_rulebook *book,
			    const struct seg_closure *closure, const struct seg_flow *flow, const char *interface,
			    time_t now, struct seg_verdict *verdict)
{
	const bool own = seg_engine_is_gateway(engine, flow->src);
	struct seg_packet in = seg_watch_packet(flow), out = in;

	in.in = out.out = interface;
	*verdict = (struct seg_verdict){.permit = false};
	if (!own)
		*verdict = seg_classify_closed(book->policy, book->index, &engine->links.gateway, closure, &in, now);
	if (!verdict->permit && (own || seg_addr_is_unspecified(flow->src)))
		*verdict = seg_classify_closed(book->policy, book->index, &engine->links.gateway, closure, &out, now);
	return verdict->permit;
}

/* By an interface of the zone's; NULL: by whichever of the gateway's. */
static bool is_permitted_on_a_link(const struct seg_engine *engine, const struct seg_rulebook *book,
				   const struct seg_closure *closure, const struct seg_flow *flow,
				   const struct seg_zone *zone, time_t now, struct seg_verdict *verdict)
{
	for (size_t i = 0; i < engine->links.interfaces; i++) {
		const char *interface = engine->links.interface[i];

		if ((!zone || seg_zone_has_interface(zone, interface)) &&
		    is_permitted_by(engine, book, closure, flow, interface, now, verdict))
			return true;
	}
	return false;
}

/* Its interface, and with that its zones, the number alone shows: judged is whether that has died. */
static struct seg_judged judge_link_traffic(const struct seg_engine *engine, const struct seg_flow *flow, time_t now)
{
	const struct seg_number *number = engine->plan ? seg_plan_number(engine->plan, flow->mark) : NULL;
	const bool isolated = seg_engine_is_isolated(engine, flow->src) || seg_engine_is_isolated(engine, flow->dst);
	struct seg_judged judged = {.kind = SEG_NOT_JUDGED};

	if (engine->options.observe || !seg_watch_was_given(engine, flow->mark) ||
	    (!isolated && number && is_in_force(engine, number)))
		return judged;
	judged.lingers = !isolated && is_permitted_on_a_link(engine, engine->running, &engine->closure, flow,
							     link_zone(number), now, &judged.verdict);
	if (!judged.lingers)
		judged.kind = SEG_REVOKED;
	return judged;
}

/* A permit carries it now. */
static bool is_carried(struct seg_engine *engine, const struct seg_flow *flow, const struct seg_judged *judged)
{
	return judged->kind == SEG_LEGITIMATE || (judged->kind == SEG_NOT_JUDGED && is_link_traffic(flow) &&
						   seg_watch_was_given(engine, flow->mark));
}

bool seg_watch_would_stop(struct seg_engine *engine, const struct seg_flow *flow, const struct seg_judged *judged,
			  const struct seg_rulebook *next, const struct seg_closure *closure, time_t now)
{
	const struct seg_packet packet = seg_watch_packet(flow);
	struct seg_verdict verdict;

	if (!is_carried(engine, flow, judged))
		return false;
	if (is_link_traffic(flow))
		return !is_permitted_on_a_link(engine, next, closure, flow, NULL, now, &verdict);
	return !seg_classify_closed(next->policy, next->index, &engine->links.gateway, closure, &packet, now).permit;
}

struct seg_judged seg_watch_judge(struct seg_engine *engine, const struct seg_flow *flow, enum seg_flow_event event,
				  time_t now)
{
	struct seg_judged judged = {.kind = SEG_NOT_JUDGED};
	struct seg_verdict verdict;
	uint8_t closed;
	bool lie, given, its_own;

	if (!engine->running || (seg_engine_is_gateway(engine, flow->src) && seg_engine_is_gateway(engine, flow->dst)))
		return judged;
	if (is_link_traffic(flow))
		return judge_link_traffic(engine, flow, now);
	closed = seg_closure_of_end(&engine->closure, zone_of(engine, flow->src), flow->src) |
		 seg_closure_of_end(&engine->closure, zone_of(engine, flow->dst), flow->dst);
	if (closed) {
		judged = judge_number(engine, flow);
		judged.kind = SEG_REVOKED;
		judged.verdict.permit = false;
		judged.verdict.reason = closed & SEG_CLOSED_ISOLATED ? SEG_REASON_ISOLATED : SEG_REASON_STAGE;
		return judged;
	}
	judged = judge_number(engine, flow);
	if (judged.kind == SEG_LEGITIMATE)
		return judged;
	lie = is_lie(engine, event, &judged);
	its_own = judged.kind == SEG_REVOKED; /* the number, whose permit is closed for now */
	given = seg_watch_was_given(engine, flow->mark) && !engine->options.observe;
	verdict = classify(engine, flow, false, now);
	if (verdict.permit)
		judged.permit = verdict.by;
	judged.verdict = verdict;
	judged.misnumbered = verdict.permit && !its_own && is_another_ones(engine, flow->mark);
	judged.lingers = verdict.permit && given && !judged.misnumbered;
	if (verdict.permit)
		judged.kind = SEG_LEGITIMATE;
	else if (given)
		judged.kind = lie ? SEG_VIOLATION : SEG_REVOKED;
	else if (is_reply(engine, flow, event, now) || is_left_over(engine, flow, event, &verdict))
		judged.kind = SEG_REVOKED;
	else
		judged.kind = SEG_VIOLATION;
	return judged;
}

/* Cutting. */

static void cut_now(struct seg_engine *engine)
{
	struct seg_watch *watch = &engine->watch;
	size_t gone;

	if (watch->cuts)
		engine->ops->delete(engine->kernel, watch->cut, watch->cuts, &gone);
	watch->cuts = 0;
}

static void cut(struct seg_engine *engine, const struct seg_flow *flow)
{
	struct seg_watch *watch = &engine->watch;

	if (!watch->cut) {
		watch->cut = calloc(CUT_BATCH, sizeof(*watch->cut));
		if (!watch->cut)
			abort();
		watch->cuts_cap = CUT_BATCH;
	}
	watch->cut[watch->cuts++] = *flow;
	if (watch->cuts == watch->cuts_cap)
		cut_now(engine);
}

/* What revokes another permit would else decide over it, and what revokes its own not. */
static void unmark_now(struct seg_engine *engine)
{
	struct seg_watch *watch = &engine->watch;

	if (watch->misnumbereds)
		engine->ops->unmark(engine->kernel, watch->misnumbered, watch->misnumbereds);
	watch->misnumbereds = 0;
}

static void unmark(struct seg_engine *engine, const struct seg_flow *flow)
{
	struct seg_watch *watch = &engine->watch;

	watch->misnumbered[watch->misnumbereds++] = *flow;
	if (watch->misnumbereds == SEG_MISNUMBERED)
		unmark_now(engine);
}

void seg_engine_settle(struct seg_engine *engine, time_t now)
{
	cut_now(engine);
	unmark_now(engine);
	seg_limits_settle(engine, now);
}

/* Telling. */

static const char *action(const struct seg_engine *engine)
{
	return engine->options.observe ? "observed" : "cut";
}

static void say_violation(struct seg_engine *engine, const struct live_violation *violation, enum seg_reason reason,
			  bool ended, time_t now)
{
	const struct seg_flow *flow = &violation->flow;
	char service[SEG_SERVICE_STRLEN];
	struct seg_alert alert;

	seg_say_begin(engine, &alert, ended ? "violation-ended" : "violation", ended ? SEG_NOTICE : SEG_CRIT, now);
	seg_alert_text(&alert, "from", violation->from[0] ? violation->from : NULL);
	seg_alert_text(&alert, "to", violation->to[0] ? violation->to : NULL);
	seg_alert_addr(&alert, "src", flow->src);
	seg_alert_addr(&alert, "dst", flow->dst);
	seg_alert_text(&alert, "proto", seg_proto_name(flow->proto, service));
	seg_alert_number(&alert, "sport", flow->sport);
	seg_alert_number(&alert, "dport", flow->dport);
	seg_alert_text(&alert, "permit", violation->permit[0] ? violation->permit : NULL);
	seg_alert_text(&alert, "action", action(engine));
	if (ended) {
		seg_alert_number(&alert, "packets", flow->packets + flow->reply_packets);
		seg_alert_number(&alert, "bytes", flow->bytes + flow->reply_bytes);
	} else {
		seg_alert_text(&alert, "reason", seg_reason_name(reason));
	}
	seg_say_send(engine, &alert);
}

/* The list is bounded: the entry that was seen longest ago makes room. */
static void drop_oldest_listed(struct seg_watch *watch)
{
	struct listed_violation *one, *oldest = NULL;
	size_t cursor = 0;

	while ((one = seg_hash_next(&watch->kept, &cursor)))
		if (!oldest || one->last < oldest->last)
			oldest = one;
	if (oldest)
		seg_hash_remove(&watch->kept, oldest);
}

static void list_violation(struct seg_watch *watch, const struct live_violation *violation, enum seg_reason reason,
			   time_t now)
{
	struct listed_violation *listed;
	bool made;

	if (watch->kept.n >= LISTED_MAX && !seg_hash_find(&watch->kept, &violation->list_key))
		drop_oldest_listed(watch);
	listed = seg_hash_put(&watch->kept, &violation->list_key, &made);
	if (made)
		listed->first = now;
	memcpy(listed->from, violation->from, sizeof(listed->from));
	memcpy(listed->to, violation->to, sizeof(listed->to));
	memcpy(listed->permit, violation->permit, sizeof(listed->permit));
	listed->reason = reason;
	listed->count++;
	listed->last = now;
}

static void violation_begins(struct seg_engine *engine, const struct seg_flow *flow, const struct seg_judged *judged,
			     time_t now)
{
	struct seg_watch *watch = &engine->watch;
	struct tuple key = tuple_of(flow), back = reversed(&key);
	const struct seg_verdict *verdict = &judged->verdict;
	struct live_violation *live, fresh;
	bool made = true;

	live = seg_hash_find(&watch->live, &back);
	if (live) { /* the same flow, picked up from its other end */
		live->seen = watch->dumps;
		if (!engine->options.observe)
			cut(engine, flow);
		return;
	}
	live = seg_hash_find(&watch->live, &key);
	if (!live && watch->live.n < VIOLATIONS_MAX)
		live = seg_hash_put(&watch->live, &key, &made);
	else if (live)
		made = false;
	else
		live = &fresh;
	live->seen = watch->dumps;
	if (!made) {
		live->flow = *flow;
		if (engine->options.observe)
			live->cut = 0;
		else
			cut(engine, flow);
		return;
	}
	if (live == &fresh) {
		memset(&fresh, 0, sizeof(fresh));
		fresh.key = key;
	}
	live->flow = *flow;
	live->since = now;
	live->cut = engine->options.observe ? 0 : now;
	live->list_key = key;
	live->list_key.sport = 0;
	snprintf(live->from, sizeof(live->from), "%s", verdict->from ? verdict->from->id : "");
	snprintf(live->to, sizeof(live->to), "%s", verdict->to ? verdict->to->id : "");
	snprintf(live->permit, sizeof(live->permit), "%s", judged->permit ? judged->permit->id : "");
	watch->violations++;
	list_violation(watch, live, verdict->reason, now);
	say_violation(engine, live, verdict->reason, false, now);
	if (!engine->options.observe)
		cut(engine, flow);
}

static void violation_ends(struct seg_engine *engine, struct live_violation *live, time_t now)
{
	struct listed_violation *listed = seg_hash_find(&engine->watch.kept, &live->list_key);

	if (listed) {
		listed->packets += live->flow.packets + live->flow.reply_packets;
		listed->bytes += live->flow.bytes + live->flow.reply_bytes;
		listed->last = now;
	}
	say_violation(engine, live, SEG_REASON_NO_PERMIT, true, now);
	seg_hash_remove(&engine->watch.live, live);
}

/* Events. */

static void publish_flow(struct seg_engine *engine, const char *name, const struct seg_flow *flow,
			 const struct seg_judged *judged, time_t now)
{
	json_t *event = seg_json_flow(engine, flow, judged, now);

	json_object_set_new(event, "event", json_string(name));
	json_object_set_new(event, "at", seg_json_time(engine, now));
	seg_engine_publish(engine, SEG_STREAM_FLOWS, event);
	json_decref(event);
}

static void flow_ended(struct seg_engine *engine, const struct seg_flow *flow, time_t now)
{
	struct tuple key = tuple_of(flow);
	struct live_violation *live = seg_hash_find(&engine->watch.live, &key);

	if (live) {
		if (flow->packets || flow->reply_packets)
			live->flow = *flow;
		violation_ends(engine, live, now);
		return;
	}
	if (seg_engine_watched(engine, SEG_STREAM_FLOWS)) {
		struct seg_judged judged = seg_watch_judge(engine, flow, SEG_FLOW_DESTROY, now);

		if (judged.kind == SEG_LEGITIMATE)
			publish_flow(engine, "flow-ended", flow, &judged, now);
	}
}

/* By a start, from whom the life before knew its number. */
static void note_stopped(struct seg_engine *engine, const struct seg_flow *flow)
{
	const struct seg_owner owner = seg_owner_named(seg_usage_earlier_permit(engine, flow->mark));

	seg_taken_add(&engine->watch.stopped, &owner);
}

void seg_engine_flow(struct seg_engine *engine, enum seg_flow_event event, const struct seg_flow *flow, time_t now)
{
	struct seg_judged judged;
	bool makes_room;

	if (event != SEG_FLOW_DUMPED)
		engine->watch.received++;
	seg_usage_carries(engine, flow->mark);
	if (engine->disarmed)
		return;
	makes_room = seg_limits_flow(engine, event, flow);
	if (event == SEG_FLOW_DESTROY) {
		flow_ended(engine, flow, now);
		return;
	}
	/* What another hand made of a flow that was open is judged as a dump would find it. */
	judged = seg_watch_judge(engine, flow, event == SEG_FLOW_UPDATED ? SEG_FLOW_DUMPED : event, now);
	if (makes_room && (judged.kind == SEG_LEGITIMATE || judged.kind == SEG_NOT_JUDGED))
		cut(engine, flow); /* the others go anyway, and are told */
	switch (judged.kind) {
	case SEG_LEGITIMATE:
		seg_lingering_note(engine, flow, &judged);
		if (judged.misnumbered)
			unmark(engine, flow);
		if (event != SEG_FLOW_NEW)
			break;
		if (judged.permit)
			engine->running->touched[judged.permit->index] = now;
		if (seg_engine_watched(engine, SEG_STREAM_FLOWS))
			publish_flow(engine, "flow-begun", flow, &judged, now);
		break;
	case SEG_VIOLATION:
		violation_begins(engine, flow, &judged, now);
		break;
	case SEG_REVOKED:
		if (!engine->options.observe && !seg_revocation_finds(engine, flow)) {
			cut(engine, flow);
			if (event == SEG_FLOW_DUMPED && !engine->watch.all_read)
				note_stopped(engine, flow);
		}
		break;
	case SEG_NOT_JUDGED:
		seg_lingering_note(engine, flow, &judged);
		break;
	}
}

/* Violations that were cut and whose end nobody will tell; true: some are still waited for. */
static bool end_unheard(struct seg_engine *engine, time_t now)
{
	struct seg_hash *live = &engine->watch.live;
	struct tuple *due = live->n ? calloc(live->n, sizeof(*due)) : NULL;
	struct live_violation *one;
	size_t cursor = 0, n = 0;
	bool waiting = false;

	if (live->n && !due)
		abort();
	while (live->n && (one = seg_hash_next(live, &cursor))) {
		if (one->cut && (one->cut + UNHEARD_AFTER <= now || one->cut > now))
			due[n++] = one->key;
		else
			waiting |= one->cut != 0;
	}
	for (size_t i = 0; i < n; i++) /* removing moves records: found anew by key */
		violation_ends(engine, seg_hash_find(live, &due[i]), now);
	free(due);
	return waiting;
}

/* A dump has not shown them any more. Their DESTROY may still be in the queue, with their last packets. */
void seg_watch_end_unseen(struct seg_engine *engine, time_t now)
{
	struct live_violation *one;
	size_t cursor = 0;

	while (engine->watch.live.n && (one = seg_hash_next(&engine->watch.live, &cursor)))
		if (!one->cut && one->seen < engine->watch.dumps)
			one->cut = now;
}

time_t seg_watch_tick(struct seg_engine *engine, time_t now)
{
	time_t next;

	cut_now(engine);
	unmark_now(engine);
	next = seg_resync_tick(engine, now);
	return end_unheard(engine, now) ? now + 1 : next;
}

/* Answers. */

static json_t *violation_json(const struct seg_engine *engine, const struct listed_violation *one)
{
	char service[SEG_SERVICE_STRLEN];

	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:i, s:s, s:o, s:I, s:o, s:o, s:I, s:I, s:s}", "from",
			 seg_json_text(one->from[0] ? one->from : NULL), "to",
			 seg_json_text(one->to[0] ? one->to : NULL), "proto",
			 seg_proto_name((uint8_t)one->key.proto, service), "src", seg_json_addr(one->key.src),
			 "dst", seg_json_addr(one->key.dst), "dport", (int)one->key.dport, "reason",
			 seg_reason_name(one->reason), "permit", seg_json_text(one->permit[0] ? one->permit : NULL),
			 "count", (json_int_t)one->count, "first", seg_json_time(engine, one->first), "last",
			 seg_json_time(engine, one->last), "packets", (json_int_t)one->packets, "bytes",
			 (json_int_t)one->bytes, "action", action(engine));
}

int seg_engine_violations(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	json_t *list = json_array();
	struct listed_violation *one;
	size_t cursor = 0;

	(void)request;
	while ((one = seg_hash_next(&engine->watch.kept, &cursor)))
		json_array_append_new(list, violation_json(engine, one));
	*out = json_pack("{s:o}", "violations", list);
	return 0;
}
