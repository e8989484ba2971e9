/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * conntrack's table is every zone's: what one zone has begun may not leave the others
 * without room. A zone that reaches its limit is held: its numbers go into the set
 * "held", by which the kernel refuses what begins; its open flows go on. It is let go
 * when it holds three quarters or less.
 *
 * A zone may have as many flows as the policy says, and never more than ROOM times what
 * the table has left: the dynamic threshold of shared buffers in switches. One busy
 * zone comes to nine tenths of the table, several give way together, the largest first,
 * before it is full. Where the table is far from full, that is no limit at all.
 *
 * Flows are counted by the zone that began them, from the events that come anyway. These
 * counts err: an event is lost, or comes twice, and traffic inside a zone sends none. So
 * every dump counts anew, and one is started where the counts and the kernel's own total
 * move apart, and now and then while a zone is held. What begins or ends while a
 * dump runs is in it or not, by chance: half of it is taken.
 *
 * Not `ct count` of nf_tables: it walks a list as long as the count for each new flow.
 * What a policy wants for each second (`new`) is the kernel's own (plan/ends.c).
 */

#include "state.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 8
#define LITTLE 64	 /* less than this part of the table is never too much */
#define LOOK_EVERY 1024	 /* events between two looks at the table's fill within a second */
#define HELD_AT_LEAST 10 /* seconds: each change is a commit */
#define COUNT_EVERY 10	 /* seconds between two dumps of our own, and ten times as long as one took */
#define COUNT_SOON 1	 /* the same, and three times, where room is in danger */
#define APART 8		 /* counts and total may differ by this part of the table */
#define FULL 95		 /* percent: entries of held zones without an answer make room */
#define FULL_NO_MORE 90
#define ONE_WAY 8 /* packets by which a flow without an answer is one in use: syslog, not a flood */

struct seg_holding {
	char zone[32];
	uint64_t flows;	  /* that it began and that stand, as far as is known */
	uint64_t limit;	  /* as last looked at; 0: none */
	uint64_t back;	  /* a held zone is let go when it has no more */
	uint64_t counted; /* by the dump that runs */
	int64_t moved;	  /* begun less ended meanwhile */
	bool held;
	time_t since;	/* held; not held any more */
	unsigned times; /* held since it was told last; 0: nothing is told that is not taken back */
};

static bool is_over(time_t from, time_t seconds, time_t now)
{
	return now < from || now - from >= seconds; /* a clock that was set back ends every wait */
}

/* What is known of the zone that began a flow: by the flow's number, whose address may be a link's. NULL: it
 * was the gateway, or nobody's. */
static struct seg_holding *holding_of(struct seg_engine *engine, const struct seg_flow *flow)
{
	const struct seg_number *number =
		flow->mark && engine->plan ? seg_plan_number(engine->plan, flow->mark) : NULL;
	const struct seg_zone *zone = NULL;

	if (number)
		zone = number->permit ? seg_number_from(number)->zone : number->zone;
	else if (!seg_engine_is_gateway(engine, flow->src))
		zone = seg_policy_zone_of(engine->running->policy, flow->src);
	return zone && zone->index < engine->limits.zones ? &engine->limits.zone[zone->index] : NULL;
}

/* Counting. */

static bool takes_room(struct seg_limits *limits, const struct seg_holding *holding,
		       const struct seg_flow *flow)
{
	if (!limits->evict || !holding->held || flow->status & IPS_SEEN_REPLY || flow->packets >= ONE_WAY)
		return false;
	limits->evict--;
	return true;
}

bool seg_limits_flow(struct seg_engine *engine, enum seg_flow_event event, const struct seg_flow *flow)
{
	struct seg_limits *limits = &engine->limits;
	struct seg_holding *holding = engine->running ? holding_of(engine, flow) : NULL;

	if (event == SEG_FLOW_DUMPED) {
		if (holding && limits->counting)
			holding->counted++;
		return holding && limits->counting && takes_room(limits, holding, flow);
	}
	if (event == SEG_FLOW_UPDATED)
		return false;
	limits->heard++;
	if (!holding)
		return false;
	if (event == SEG_FLOW_NEW) {
		holding->flows++;
		holding->moved++;
		limits->due |= !holding->held && holding->limit && holding->flows >= holding->limit;
	} else {
		holding->flows -= holding->flows > 0;
		holding->moved--;
	}
	return false;
}

void seg_limits_count_begins(struct seg_engine *engine)
{
	struct seg_limits *limits = &engine->limits;

	limits->counting = true;
	limits->wanted = engine->disarmed; /* what begins behind it, nobody counts */
	limits->count_took = 0;
	for (size_t i = 0; i < limits->zones; i++) {
		limits->zone[i].counted = 0;
		limits->zone[i].moved = 0;
	}
}

static uint64_t sum(const struct seg_limits *limits)
{
	uint64_t flows = 0;

	for (size_t i = 0; i < limits->zones; i++)
		flows += limits->zone[i].flows;
	return flows;
}

void seg_limits_count_ends(struct seg_engine *engine, bool complete, time_t now)
{
	struct seg_limits *limits = &engine->limits;
	struct seg_kernel_facts facts = {0};

	if (!limits->counting)
		return;
	limits->counting = false;
	limits->counted_at = now;
	limits->wanted |= !complete || limits->evicting; /* what was removed is in it, too */
	limits->evicting = false;
	limits->evict = 0;
	if (!complete)
		return;
	for (size_t i = 0; i < limits->zones; i++) {
		int64_t flows = (int64_t)limits->zone[i].counted + limits->zone[i].moved / 2;

		limits->zone[i].flows = flows > 0 ? (uint64_t)flows : 0;
	}
	engine->ops->facts(engine->kernel, &facts);
	limits->others = (int64_t)facts.conntrack - (int64_t)sum(limits);
	limits->known = true;
	limits->due = true;
}

static bool is_any_held(const struct seg_limits *limits)
{
	for (size_t i = 0; i < limits->zones; i++)
		if (limits->zone[i].held)
			return true;
	return false;
}

static uint64_t percent_of(const struct seg_kernel_facts *facts)
{
	return facts->conntrack_max ? (uint64_t)facts->conntrack * 100 / facts->conntrack_max : 0;
}

/* By how much the kernel's total has moved away from what is counted. */
static int64_t apart(const struct seg_limits *limits, const struct seg_kernel_facts *facts)
{
	return (int64_t)facts->conntrack - (int64_t)sum(limits) - limits->others;
}

/* Might traffic inside a zone, which sends no events, have brought it to its limit? */
static bool is_inside_suspect(const struct seg_engine *engine, int64_t unheard)
{
	const struct seg_limits *limits = &engine->limits;

	for (size_t i = 0; unheard > 0 && i < limits->zones; i++)
		if (engine->running->policy->zone[i].intra_allow && !limits->zone[i].held &&
		    limits->zone[i].limit &&
		    limits->zone[i].flows + (uint64_t)unheard >= limits->zone[i].limit)
			return true;
	return false;
}

/* Are the counts worth a dump? In a hurry where a flood may be one that sends no events, and where room has
 * to be made. */
static void count_where_needed(struct seg_engine *engine, const struct seg_kernel_facts *facts, time_t now)
{
	struct seg_limits *limits = &engine->limits;
	uint64_t percent = percent_of(facts);
	int64_t unheard = apart(limits, facts);
	int64_t most = facts->conntrack_max ? (int64_t)facts->conntrack_max / APART : INT64_MAX;
	bool held = is_any_held(limits), full = held && percent >= FULL && !engine->options.observe;
	bool soon = full || unheard > most || -unheard > most || is_inside_suspect(engine, unheard);
	time_t pause = soon ? COUNT_SOON + 3 * limits->count_took : COUNT_EVERY + 10 * limits->count_took;

	if (limits->counting || !(soon || held || limits->wanted) || !is_over(limits->counted_at, pause, now))
		return;
	limits->evicting = full;
	limits->evict = full ? facts->conntrack - (uint64_t)facts->conntrack_max * FULL_NO_MORE / 100 : 0;
	seg_watch_look_again(engine);
}

/* Holding. */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How many flows the zone may have now, and when it has gone well back below. */
static void set_limit(struct seg_holding *holding, const struct seg_limit *own,
		      const struct seg_kernel_facts *facts)
{
	uint64_t max = facts->conntrack_max, left = facts->conntrack < max ? max - facts->conntrack : 0;
	uint64_t room = ROOM * left > max / LITTLE ? ROOM * left : max / LITTLE;
	uint64_t wanted = own->flows ? own->flows : (max * own->share + 99) / 100, back;

	if (!max) /* the table has no bound, or none that is known */
		room = UINT64_MAX;
	holding->limit = least(wanted, room);
	/* The whole table is no limit of its own, to go back from. */
	back = own->flows || own->share < 100 ? holding->limit : room;
	holding->back = back - (back + 3) / 4;
}

static bool is_too_much(const struct seg_holding *holding)
{
	if (!holding->limit)
		return false;
	return holding->held ? holding->flows > holding->back : holding->flows >= holding->limit;
}

static void say(struct seg_engine *engine, const struct seg_holding *holding, const char *action,
		const struct seg_kernel_facts *facts, time_t now)
{
	struct seg_alert alert;

	seg_say_begin(engine, &alert, "conntrack-pressure", SEG_WARNING, now);
	seg_alert_text(&alert, "from", holding->zone);
	seg_alert_text(&alert, "action", action);
	seg_alert_number(&alert, "flows", holding->flows);
	seg_alert_number(&alert, "limit", holding->limit);
	seg_alert_number(&alert, "times", holding->times);
	seg_alert_number(&alert, "percent", percent_of(facts));
	seg_alert_number(&alert, "count", facts->conntrack);
	seg_alert_number(&alert, "max", facts->conntrack_max);
	seg_say_send(engine, &alert);
}

/* Told at the first time, and once more when it has not been held for a whole window: a zone that is held
 * again and again is two lines, the second with how often. */
static void tell(struct seg_engine *engine, struct seg_holding *holding, bool begins,
		 const struct seg_kernel_facts *facts, time_t now)
{
	time_t window = engine->options.denied_window ? (time_t)engine->options.denied_window : 60;

	if (begins && holding->times++ == 0)
		say(engine, holding, engine->options.observe ? "observed" : "held", facts, now);
	if (holding->held || !holding->times || !is_over(holding->since, window, now))
		return;
	say(engine, holding, "released", facts, now);
	holding->times = 0;
}

/* True: the kernel has to be told. */
static bool look_at(struct seg_engine *engine, struct seg_holding *holding, const struct seg_limit *own,
		    const struct seg_kernel_facts *facts, time_t now)
{
	bool held, was = holding->held;

	set_limit(holding, own, facts);
	held = is_too_much(holding);
	if (was && !held && (!engine->limits.known || !is_over(holding->since, HELD_AT_LEAST, now)))
		held = true;
	if (held != was) {
		holding->held = held;
		holding->since = now;
	}
	tell(engine, holding, held && !was, facts, now);
	return held != was;
}

static void look(struct seg_engine *engine, time_t now)
{
	struct seg_limits *limits = &engine->limits;
	struct seg_kernel_facts facts = {0};
	bool changed = limits->unwritten;

	limits->heard = 0;
	limits->due = false;
	if (!engine->running || engine->disarmed)
		return;
	engine->ops->facts(engine->kernel, &facts);
	for (size_t i = 0; i < limits->zones; i++)
		changed |= look_at(engine, &limits->zone[i], &engine->running->policy->zone[i].limit, &facts,
				   now);
	/* To be held stops no open flow: what it revokes, a window did that ended in this second. */
	if (changed && !engine->options.observe)
		limits->unwritten = seg_apply_refresh(engine, now, "window", NULL) != 0;
	count_where_needed(engine, &facts, now);
}

void seg_limits_settle(struct seg_engine *engine, time_t now)
{
	if (engine->limits.due || engine->limits.heard >= LOOK_EVERY)
		look(engine, now);
}

time_t seg_limits_tick(struct seg_engine *engine, time_t now)
{
	struct seg_limits *limits = &engine->limits;
	bool busy = limits->wanted || limits->unwritten;

	limits->count_took += limits->counting; /* ticks come every second */
	look(engine, now);
	for (size_t i = 0; i < limits->zones; i++)
		busy |= limits->zone[i].held || limits->zone[i].times;
	return busy ? now + 1 : 0;
}

/* Zones come and go. */

/* likely: its index, if it stands where it stood. */
static const struct seg_holding *find(const struct seg_limits *limits, const char *zone, size_t likely)
{
	if (likely < limits->zones && !strcmp(limits->zone[likely].zone, zone))
		return &limits->zone[likely];
	for (size_t i = 0; i < limits->zones; i++)
		if (!strcmp(limits->zone[i].zone, zone))
			return &limits->zone[i];
	return NULL;
}

static struct seg_holding *make_holdings(size_t n)
{
	struct seg_holding *holding = calloc(n + 1, sizeof(*holding));

	if (!holding)
		abort();
	return holding;
}

static bool same_zones(const struct seg_policy *a, const struct seg_policy *b)
{
	if (a->zones != b->zones)
		return false;
	for (size_t i = 0; i < a->zones; i++)
		if (strcmp(a->zone[i].id, b->zone[i].id) ||
		    a->zone[i].intra_allow != b->zone[i].intra_allow ||
		    !seg_ranges_equal(a->zone[i].nets, b->zone[i].nets))
			return false;
	return true;
}

void seg_limits_begin(struct seg_engine *engine, const struct seg_policy *old)
{
	const struct seg_policy *policy = engine->running->policy;
	struct seg_holding *holding = make_holdings(policy->zones);

	for (size_t i = 0; i < policy->zones; i++) {
		const struct seg_holding *before = find(&engine->limits, policy->zone[i].id, i);

		if (before)
			holding[i] = *before;
		snprintf(holding[i].zone, sizeof(holding[i].zone), "%s", policy->zone[i].id);
	}
	/* Networks may have moved from one zone to another. */
	engine->limits.wanted |= !old || !same_zones(old, policy);
	free(engine->limits.zone);
	engine->limits.zone = holding;
	engine->limits.zones = policy->zones;
}

void seg_limits_adopt(struct seg_engine *engine, const struct seg_plan *image)
{
	const struct seg_set *held = seg_plan_set(image, "held");
	struct seg_limits *limits = &engine->limits;

	if (!held)
		return;
	limits->zone = make_holdings(held->elems);
	for (size_t i = 0; i < held->elems; i++) {
		const char *zone = held->elem[i].comment;
		struct seg_holding *one = &limits->zone[limits->zones];

		if (!zone || find(limits, zone, 0))
			continue;
		snprintf(one->zone, sizeof(one->zone), "%s", zone);
		one->held = true;
		one->since = engine->started;
		one->times = 1;
		limits->zones++;
	}
}

void seg_limits_let_go(struct seg_engine *engine, time_t now)
{
	for (size_t i = 0; i < engine->limits.zones; i++) {
		struct seg_holding *holding = &engine->limits.zone[i];

		if (holding->held)
			holding->since = now;
		holding->held = false;
	}
	engine->limits.wanted = true; /* what begins from now on, nobody counts */
}

void seg_limits_fini(struct seg_limits *limits)
{
	free(limits->zone);
}

/* Answers. */

bool *seg_limits_held(const struct seg_engine *engine, const struct seg_policy *policy)
{
	bool *held = calloc(policy->zones + 1, sizeof(*held));

	if (!held)
		abort();
	for (size_t i = 0; i < policy->zones && !engine->options.observe; i++) {
		const struct seg_holding *holding = find(&engine->limits, policy->zone[i].id, i);

		held[i] = holding && holding->held;
	}
	return held;
}

bool seg_limits_holds(const struct seg_engine *engine, const struct seg_zone *zone)
{
	return zone && zone->index < engine->limits.zones && engine->limits.zone[zone->index].held &&
	       !engine->options.observe;
}

struct seg_held seg_limits_of(const struct seg_engine *engine, const struct seg_zone *zone)
{
	const struct seg_holding *holding = &engine->limits.zone[zone->index];

	return (struct seg_held){.flows = holding->flows,
				 .limit = holding->limit,
				 .held = seg_limits_holds(engine, zone),
				 .since = holding->since};
}

json_t *seg_json_limits(const struct seg_engine *engine)
{
	json_t *list = json_array();

	for (size_t i = 0; engine->running && i < engine->running->policy->zones; i++) {
		const struct seg_zone *zone = &engine->running->policy->zone[i];
		struct seg_held one = seg_limits_of(engine, zone);
		uint32_t rate = zone->limit.rate;

		json_array_append_new(
			list, json_pack("{s:s, s:I, s:o, s:o, s:b, s:o}", "zone", zone->id, "flows",
					(json_int_t)one.flows, "limit",
					one.limit ? json_integer((json_int_t)one.limit) : json_null(), "new",
					rate ? json_integer(rate) : json_null(), "held", one.held, "since",
					one.held ? seg_json_time(engine, one.since) : json_null()));
	}
	return list;
}
