/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The answer of `flows`: conntrack's table, judged while it is walked over in slices.
 *
 * What stands is told as it is when the walk comes by: a policy that changes meanwhile
 * holds for the rest.
 */

#include "busiest.h"
#include "listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct flows {
	struct seg_engine *engine;
	struct seg_listing *listing;
	struct seg_walk *walk;	     /* NULL: over */
	char zone[33];		     /* "": all */
	struct seg_busiest *busiest; /* instead of the list */
	size_t limit;		     /* of busiest */
};

static void flows_free(void *context)
{
	struct flows *flows = context;

	if (flows->walk)
		flows->engine->ops->walk_stop(flows->engine->kernel, flows->walk);
	if (flows->busiest)
		seg_busiest_free(flows->busiest);
	free(flows);
}

static void pause_walk(void *context, bool pause)
{
	const struct flows *flows = context;

	flows->engine->ops->walk_pause(flows->engine->kernel, flows->walk, pause);
}

static void refuse_crowd(struct flows *flows)
{
	json_t *out = NULL;
	int r = seg_answer_error(
		&out, -E2BIG, "too-many",
		"there are more than %d flows; ask for them in pieces (with more), by zone or for "
		"the busiest",
		SEG_LIST_AT_ONCE);

	seg_listing_end(flows->listing, r, out);
}

static void end_unread(struct flows *flows, int result)
{
	json_t *out = NULL;

	seg_answer_error(&out, result, "kernel", "conntrack's table cannot be read: %s", strerror(-result));
	seg_listing_end(flows->listing, result, out);
}

static bool is_zone(const struct seg_zone *zone, const char *id)
{
	return zone && !strcmp(zone->id, id);
}

static void take(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	struct flows *flows = context;
	struct seg_engine *engine = flows->engine;
	time_t now = seg_listing_request(flows->listing)->now;
	struct seg_judged judged = seg_watch_judge(engine, flow, SEG_FLOW_DUMPED, now);

	(void)event;
	if (judged.kind == SEG_NOT_JUDGED || judged.verdict.from == judged.verdict.to)
		return;
	if (flows->zone[0] && !is_zone(judged.verdict.from, flows->zone) &&
	    !is_zone(judged.verdict.to, flows->zone))
		return;
	if (flows->busiest)
		seg_busiest_add(flows->busiest, flow, &judged);
	else if (!seg_listing_add(flows->listing, seg_json_flow(engine, flow, &judged, now)))
		refuse_crowd(flows);
}

static void over(void *context, int result, time_t now)
{
	struct flows *flows = context;
	json_t *out = NULL;

	(void)now;
	flows->walk = NULL;
	if (result) {
		end_unread(flows, result);
		return;
	}
	if (flows->busiest)
		out = seg_busiest_json(flows->busiest, flows->engine,
				       seg_listing_request(flows->listing)->now);
	seg_listing_end(flows->listing, 0, out);
}

static int walk(struct flows *flows)
{
	const struct seg_walker walker = {.take = take, .over = over, .context = flows};

	return flows->engine->ops->walk(flows->engine->kernel, 0, 0, &walker, &flows->walk);
}

/* What busiest keeps points into the policy: it begins anew. */
static void begin_anew(void *context)
{
	struct flows *flows = context;
	int r;

	if (!flows->busiest)
		return;
	flows->engine->ops->walk_stop(flows->engine->kernel, flows->walk);
	flows->walk = NULL;
	seg_busiest_free(flows->busiest);
	flows->busiest = seg_busiest_new(flows->limit);
	r = walk(flows);
	if (r)
		end_unread(flows, r);
}

static const struct seg_lister lister = {
	.name = "flows",
	.pause = pause_walk,
	.policy_ends = begin_anew,
	.free = flows_free,
};

static int start(struct seg_engine *engine, const struct seg_request *request, const char *zone,
		 size_t busiest, json_t **out)
{
	struct flows *flows = calloc(1, sizeof(*flows));
	int r;

	if (!flows)
		abort();
	flows->engine = engine;
	flows->limit = busiest;
	if (zone)
		strncpy(flows->zone, zone, sizeof(flows->zone) - 1);
	r = walk(flows);
	if (r) {
		flows_free(flows);
		return seg_answer_error(out, r, "kernel", "conntrack's table cannot be read: %s",
					strerror(-r));
	}
	if (busiest)
		flows->busiest = seg_busiest_new(busiest);
	flows->listing = seg_listing_new(engine, request, &lister, flows);
	return SEG_LATER;
}

int seg_engine_flows(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	json_int_t busiest = json_integer_value(json_object_get(request->params, "busiest"));
	const char *zone = json_string_value(json_object_get(request->params, "zone"));

	if (!engine->running)
		return seg_answer_no_policy(engine, out);
	if (zone && !seg_policy_zone(engine->running->policy, zone))
		return seg_answer_error(out, -ENOENT, "not-found", "the policy has no zone %s", zone);
	if (busiest < 0 || busiest > SEG_BUSIEST_MAX)
		return seg_answer_error(out, -EINVAL, "invalid-parameter", "busiest is a number up to %d",
					SEG_BUSIEST_MAX);
	return start(engine, request, zone, (size_t)busiest, out);
}
