/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What Prometheus asks: everything that status, permits and denials count, as families of
 * samples. Figures are the same as segctl's, read from the kernel since they were asked for.
 *
 * Labels are zones, permits, stages and sinks, never addresses: as many as the policy
 * names. A time that there is not is no sample.
 */

#include "state.h"

#include <stdio.h>
#include <string.h>

struct writing {
	struct seg_engine *engine;
	struct seg_strbuf *out;
	time_t now;
	struct seg_kernel_facts facts;
};

static void counter(struct writing *w, const char *name, const char *help, uint64_t value)
{
	seg_exposition_one(w->out, SEG_COUNTER, name, help, value);
}

static void gauge(struct writing *w, const char *name, const char *help, uint64_t value)
{
	seg_exposition_one(w->out, SEG_GAUGE, name, help, value);
}

/* A time; none where it is 0. */
static void gauge_time(struct writing *w, const char *name, const char *help, time_t at)
{
	if (at > 0)
		gauge(w, name, help, (uint64_t)at);
}

/* The daemon and its policy. */

static void put_state(struct writing *w)
{
	static const char *const state[] = {"enforcing", "observing", "sealed", "disarmed"};

	seg_exposition_family(w->out, SEG_GAUGE, "segd_build_info", "Version of the daemon, always 1");
	seg_exposition_sample(w->out, "segd_build_info", SEG_LABELS({"version", SEG_VERSION}), 1);
	gauge_time(w, "process_start_time_seconds", "When the daemon started", w->engine->started);
	seg_exposition_family(w->out, SEG_GAUGE, "segd_state", "1 at the state that the gateway is in");
	for (size_t i = 0; i < sizeof(state) / sizeof(*state); i++)
		seg_exposition_sample(w->out, "segd_state", SEG_LABELS({"state", state[i]}),
				      !strcmp(state[i], seg_engine_state(w->engine)));
}

static void put_stages(struct writing *w, const struct seg_policy *policy)
{
	const char *name = "segd_emergency_stage_active";

	if (!policy->stages)
		return;
	seg_exposition_family(w->out, SEG_GAUGE, name, "1 at the emergency stage that is in force");
	for (size_t i = 0; i < policy->stages; i++)
		seg_exposition_sample(w->out, name, SEG_LABELS({"stage", policy->stage[i].id}),
				      !strcmp(policy->stage[i].id, w->engine->state.stage.id));
}

static void put_policy(struct writing *w)
{
	const struct seg_rulebook *book = w->engine->running;
	const struct seg_state *state = &w->engine->state;
	char version[16];

	gauge(w, "segd_isolations", "Hosts and zones that are isolated now", state->isolations);
	if (!book)
		return;
	snprintf(version, sizeof(version), "%u", book->version);
	seg_exposition_family(w->out, SEG_GAUGE, "segd_policy_info", "The policy in force, always 1");
	seg_exposition_sample(
		w->out, "segd_policy_info",
		SEG_LABELS({"version", version}, {"hash", book->policy->hash}, {"site", book->policy->site}),
		1);
	gauge_time(w, "segd_policy_applied_timestamp_seconds", "When the policy came into force",
		   state->since);
	gauge_time(w, "segd_policy_confirm_deadline_timestamp_seconds",
		   "When the policy goes back unless it is confirmed; absent where nothing waits",
		   state->confirm_until);
	gauge(w, "segd_policy_zones", "Zones of the policy", book->policy->zones);
	gauge(w, "segd_policy_permits", "Permits of the policy", book->policy->permits);
	put_stages(w, book->policy);
}

/* The table and the kernel. */

static void put_table(struct writing *w)
{
	bool armed = !w->engine->disarmed;

	gauge(w, "segd_table_owned", "1 where nobody else can change the rules",
	      armed && w->facts.ownership != SEG_UNOWNED);
	gauge(w, "segd_table_persistent", "1 where the owned rules stay when the daemon dies",
	      armed && w->facts.ownership == SEG_OWNED_PERSIST);
	counter(w, "segd_table_tampered_total", "Times that somebody else changed the rules",
		w->engine->tampered);
	counter(w, "segd_table_restored_total", "Times that the rules were put back", w->engine->restored);
	gauge(w, "segd_table_repair_pending", "1 while changed rules could not be put back yet",
	      armed && w->engine->next_repair);
	gauge(w, "segd_bypasses", "Things that packets could go round the rules by, as last looked at",
	      json_array_size(w->engine->bypass));
}

static void put_events(struct writing *w)
{
	const struct seg_watch *watch = &w->engine->watch;

	counter(w, "segd_events_received_total", "Conntrack events received", watch->received);
	counter(w, "segd_events_filtered_flows_total",
		"Flows begun inside zones, of which the kernel was told to send no events",
		w->engine->usage.silent);
	counter(w, "segd_events_unreadable_total", "Conntrack messages that no flow could be made of",
		w->facts.events_unreadable);
	counter(w, "segd_events_overflows_total",
		"Times that the kernel could not deliver events; how many, it does not say", watch->lost);
	counter(w, "segd_events_resyncs_total", "Times that the whole table was read for it", watch->resyncs);
	gauge(w, "segd_events_resync_pending", "1 while some losses are not made good", watch->owed);
	if (w->facts.has_queue)
		gauge(w, "segd_events_queue_bytes", "Events not read yet", w->facts.queue);
	if (!w->facts.conntrack_max)
		return;
	gauge(w, "segd_conntrack_entries", "Entries of conntrack's table", w->facts.conntrack);
	gauge(w, "segd_conntrack_entries_limit", "How many conntrack's table can hold",
	      w->facts.conntrack_max);
}

/* Zones: a family at a time over all of them. */

static uint64_t zone_flows(const struct seg_held *zone)
{
	return zone->flows;
}

static uint64_t zone_limit(const struct seg_held *zone)
{
	return zone->limit;
}

static uint64_t zone_held(const struct seg_held *zone)
{
	return zone->held;
}

static void put_zones_of(struct writing *w, const char *name, const char *help,
			 uint64_t (*value)(const struct seg_held *zone), bool zero)
{
	const struct seg_policy *policy = w->engine->running->policy;

	seg_exposition_family(w->out, SEG_GAUGE, name, help);
	for (size_t i = 0; i < policy->zones; i++) {
		struct seg_held zone = seg_limits_of(w->engine, &policy->zone[i]);

		if (value(&zone) || zero)
			seg_exposition_sample(w->out, name, SEG_LABELS({"zone", policy->zone[i].id}),
					      value(&zone));
	}
}

static void put_limits(struct writing *w)
{
	if (!w->engine->running)
		return;
	put_zones_of(w, "segd_zone_flows", "Entries of conntrack's table that the zone has begun", zone_flows,
		     true);
	put_zones_of(w, "segd_zone_flows_limit", "How many it may have now; absent where there is no limit",
		     zone_limit, false);
	put_zones_of(w, "segd_zone_held", "1 while the zone is at its limit and begins nothing new",
		     zone_held, true);
}

/* What was refused, and what passed unpermitted. */

struct by_zones {
	struct seg_strbuf *out;
	const char *name;
	bool spoofed;
};

static void put_zones(void *context, const char *from, const char *to, bool spoofed, uint64_t total)
{
	const struct by_zones *by = context;

	if (spoofed == by->spoofed)
		seg_exposition_sample(by->out, by->name, SEG_LABELS({"from", from}, {"to", to}), total);
}

static void put_refusals(struct writing *w)
{
	const struct seg_refusals *refusals = &w->engine->refusals;
	struct by_zones denied = {w->out, "segd_denied_packets_total", false};
	struct by_zones spoofed = {w->out, "segd_spoofed_packets_total", true};

	seg_exposition_family(w->out, SEG_COUNTER, denied.name, "Packets that no permit allows, by zones");
	seg_refusals_by_zones(refusals, put_zones, &denied);
	seg_exposition_family(w->out, SEG_COUNTER, spoofed.name,
			      "Packets whose address and interface disagree, by the zone they came from");
	seg_refusals_by_zones(refusals, put_zones, &spoofed);
	counter(w, "segd_denied_unreadable_total", "Refused packets shown without a readable header",
		w->facts.refused_unreadable);
	counter(w, "segd_violations_total", "Flows that no permit explains", w->engine->watch.violations);
	gauge(w, "segd_violations_open", "Of these, not ended yet", w->engine->watch.live.n);
}

/* Permits: a family at a time over all of them. */

typedef uint64_t (*permit_fn)(const struct writing *w, const struct seg_permit *permit,
			      const struct seg_usage_row *use);

static uint64_t permit_flows(const struct writing *w, const struct seg_permit *permit,
			     const struct seg_usage_row *use)
{
	(void)w;
	(void)permit;
	return use->total.flows;
}

static uint64_t permit_last(const struct writing *w, const struct seg_permit *permit,
			    const struct seg_usage_row *use)
{
	(void)w;
	(void)permit;
	return use->last > 0 ? (uint64_t)use->last : 0;
}

static uint64_t permit_end(const struct writing *w, const struct seg_permit *permit,
			   const struct seg_usage_row *use)
{
	const char *zone = w->engine->running->policy->timezone;

	(void)use;
	return permit->schedule.until ? (uint64_t)seg_time_of(permit->schedule.until + 1, 0, zone) : 0;
}

static uint64_t permit_active(const struct writing *w, const struct seg_permit *permit,
			      const struct seg_usage_row *use)
{
	(void)use;
	return !strcmp(seg_permit_state(w->engine, permit, w->now), "active");
}

static void put_permits_of(struct writing *w, enum seg_metric type, const char *name, const char *help,
			   permit_fn value, bool zero)
{
	const struct seg_policy *policy = w->engine->running->policy;

	seg_exposition_family(w->out, type, name, help);
	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];
		struct seg_usage_row use = seg_usage_of(w->engine, permit->id);
		uint64_t number = value(w, permit, &use);

		if (number || zero)
			seg_exposition_sample(w->out, name, SEG_LABELS({"permit", permit->id}), number);
	}
}

static void put_directions(struct writing *w, const char *name, const char *help, bool bytes)
{
	const struct seg_policy *policy = w->engine->running->policy;

	seg_exposition_family(w->out, SEG_COUNTER, name, help);
	for (size_t i = 0; i < policy->permits; i++) {
		const char *id = policy->permit[i].id;
		struct seg_counts total = seg_usage_of(w->engine, id).total;

		seg_exposition_sample(w->out, name, SEG_LABELS({"permit", id}, {"direction", "original"}),
				      bytes ? total.bytes : total.packets);
		seg_exposition_sample(w->out, name, SEG_LABELS({"permit", id}, {"direction", "reply"}),
				      bytes ? total.reply_bytes : total.reply_packets);
	}
}

static void put_permits(struct writing *w)
{
	const struct seg_policy *policy = w->engine->running ? w->engine->running->policy : NULL;

	if (!policy)
		return;
	seg_exposition_family(w->out, SEG_GAUGE, "segd_permit_info", "What a permit is, always 1");
	for (size_t i = 0; i < policy->permits; i++)
		seg_exposition_sample(w->out, "segd_permit_info",
				      SEG_LABELS({"permit", policy->permit[i].id},
						 {"class", seg_class_name(policy->permit[i].class)},
						 {"title", policy->permit[i].title}),
				      1);
	put_permits_of(w, SEG_GAUGE, "segd_permit_active", "1 while flows may begin by the permit",
		       permit_active, true);
	put_permits_of(w, SEG_COUNTER, "segd_permit_flows_total", "Flows that the permit admitted",
		       permit_flows, true);
	put_directions(w, "segd_permit_packets_total", "Packets of flows that the permit admitted", false);
	put_directions(w, "segd_permit_bytes_total", "Bytes of flows that the permit admitted", true);
	put_permits_of(w, SEG_GAUGE, "segd_permit_last_use_timestamp_seconds",
		       "When the permit was last used; absent where it never was", permit_last, false);
	put_permits_of(w, SEG_GAUGE, "segd_permit_end_timestamp_seconds",
		       "When the permit ends by its dates; absent where it has no last day", permit_end,
		       false);
}

/* The daemon's own health. */

static void put_sinks(struct writing *w)
{
	const struct seg_kernel_facts *facts = &w->facts;

	seg_exposition_family(w->out, SEG_COUNTER, "segd_sink_lines_total", "Lines of alerts delivered");
	for (size_t i = 0; i < facts->sinks; i++)
		seg_exposition_sample(w->out, "segd_sink_lines_total",
				      SEG_LABELS({"sink", facts->sink[i].name}), facts->sink[i].sent);
	seg_exposition_family(w->out, SEG_COUNTER, "segd_sink_dropped_lines_total",
			      "Lines of alerts lost: the queue was full");
	for (size_t i = 0; i < facts->sinks; i++)
		seg_exposition_sample(w->out, "segd_sink_dropped_lines_total",
				      SEG_LABELS({"sink", facts->sink[i].name}), facts->sink[i].dropped);
	seg_exposition_family(w->out, SEG_GAUGE, "segd_sink_pending_lines",
			      "Lines of alerts that wait for a sink to come back");
	for (size_t i = 0; i < facts->sinks; i++)
		seg_exposition_sample(w->out, "segd_sink_pending_lines",
				      SEG_LABELS({"sink", facts->sink[i].name}), facts->sink[i].pending);
}

static void put_daemon(struct writing *w)
{
	put_sinks(w);
	gauge(w, "segd_control_clients", "Clients of the control socket now", w->facts.clients);
	gauge(w, "segd_control_watchers", "Of these, watching the stream of events", w->facts.watchers);
	counter(w, "segd_control_refused_clients_total", "Clients refused as too many",
		w->facts.clients_refused);
	counter(w, "segd_control_dropped_clients_total",
		"Clients dropped: silent, not reading, not speaking Varlink", w->facts.clients_dropped);
	seg_exposition_histogram(w->out, "segd_loop_lateness_seconds",
				 "How late the daemon came to its work of each second", &w->facts.lateness);
}

static int tell_metrics(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct seg_strbuf text = {0};
	struct writing w = {.engine = engine, .out = &text, .now = request->now};

	engine->ops->facts(engine->kernel, &w.facts);
	seg_usage_settle(engine);
	put_state(&w);
	put_policy(&w);
	put_table(&w);
	put_events(&w);
	put_limits(&w);
	put_refusals(&w);
	put_permits(&w);
	put_daemon(&w);
	*out = json_string_nocheck(seg_strbuf_text(&text));
	seg_strbuf_fini(&text);
	return 0;
}

int seg_engine_metrics(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	return seg_readings_answer(engine, request, SEG_READ_ALL, tell_metrics, out);
}
