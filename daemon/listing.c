/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The answer of `flows`: conntrack's table, judged while it is walked over in slices, and
 * handed on in pieces as far as the caller takes them. A caller that does not read pauses
 * its own walk; one that goes away ends it. So a million flows cost the daemon a piece of
 * memory, and nobody waits for them but who asked.
 *
 * What stands is told as it is when the walk comes by: a policy that changes meanwhile
 * holds for the rest.
 */

#include "busiest.h"
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 256     /* flows: some 60 KiB of text */
#define AT_ONCE 10000 /* flows that a caller gets who wants one answer */

struct seg_listing {
	struct seg_engine *engine;
	struct seg_request request; /* without its parameters, which live for the call alone */
	struct seg_walk *walk;
	char zone[33]; /* "": all */
	json_t *list;
	struct seg_busiest *busiest; /* instead of the list */
	size_t limit;		     /* of busiest */
	LIST_ENTRY(seg_listing) entry;
};

static void listing_free(struct seg_listing *listing)
{
	LIST_REMOVE(listing, entry);
	json_decref(listing->list);
	if (listing->busiest)
		seg_busiest_free(listing->busiest);
	free(listing);
}

static void finish(struct seg_listing *listing, int result, json_t *out)
{
	struct seg_request request = listing->request;

	listing_free(listing);
	request.done(request.context, result, out);
}

static void hand_on(struct seg_listing *listing)
{
	json_t *piece = json_pack("{s:o}", "flows", listing->list);

	listing->list = json_array();
	if (!listing->request.piece(listing->request.context, piece))
		listing->engine->ops->walk_pause(listing->engine->kernel, listing->walk, true);
}

static void refuse_crowd(struct seg_listing *listing)
{
	json_t *out = NULL;
	int r = seg_answer_error(
		&out, -E2BIG, "too-many",
		"there are more than %d flows; ask for them in pieces (with more), by zone or for "
		"the busiest",
		AT_ONCE);

	listing->engine->ops->walk_stop(listing->engine->kernel, listing->walk);
	finish(listing, r, out);
}

static bool is_zone(const struct seg_zone *zone, const char *id)
{
	return zone && !strcmp(zone->id, id);
}

static void take(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	struct seg_listing *listing = context;
	struct seg_engine *engine = listing->engine;
	struct seg_judged judged = seg_watch_judge(engine, flow, SEG_FLOW_DUMPED, listing->request.now);

	(void)event;
	if (judged.kind == SEG_NOT_JUDGED || judged.verdict.from == judged.verdict.to)
		return;
	if (listing->zone[0] && !is_zone(judged.verdict.from, listing->zone) &&
	    !is_zone(judged.verdict.to, listing->zone))
		return;
	if (listing->busiest) {
		seg_busiest_add(listing->busiest, flow, &judged);
		return;
	}
	json_array_append_new(listing->list, seg_json_flow(engine, flow, &judged, listing->request.now));
	if (listing->request.piece && json_array_size(listing->list) == PIECE)
		hand_on(listing);
	else if (json_array_size(listing->list) > AT_ONCE)
		refuse_crowd(listing);
}

static void over(void *context, int result, time_t now)
{
	struct seg_listing *listing = context;
	json_t *out = NULL;

	(void)now;

	if (result)
		seg_answer_error(&out, result, "kernel", "conntrack's table cannot be read: %s",
				 strerror(-result));
	else if (listing->busiest)
		out = seg_busiest_json(listing->busiest, listing->engine, listing->request.now);
	else
		out = json_pack("{s:O}", "flows", listing->list);
	finish(listing, result, out);
}

static int walk(struct seg_listing *listing)
{
	const struct seg_walker walker = {.take = take, .over = over, .context = listing};

	return listing->engine->ops->walk(listing->engine->kernel, 0, 0, &walker, &listing->walk);
}

static int listing_start(struct seg_engine *engine, const struct seg_request *request, const char *zone,
			 size_t busiest, json_t **out)
{
	struct seg_listing *listing = calloc(1, sizeof(*listing));
	int r;

	if (!listing)
		abort();
	listing->engine = engine;
	listing->request = *request;
	listing->request.params = NULL;
	listing->list = json_array();
	listing->limit = busiest;
	if (zone)
		strncpy(listing->zone, zone, sizeof(listing->zone) - 1);
	if (busiest)
		listing->busiest = seg_busiest_new(busiest);
	LIST_INSERT_HEAD(&engine->listings, listing, entry);
	r = walk(listing);
	if (!r)
		return SEG_LATER;
	listing_free(listing);
	return seg_answer_error(out, r, "kernel", "conntrack's table cannot be read: %s", strerror(-r));
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
	return listing_start(engine, request, zone, (size_t)busiest, out);
}

static struct seg_listing *find(struct seg_engine *engine, const void *context)
{
	struct seg_listing *listing;

	LIST_FOREACH(listing, &engine->listings, entry) {
		if (listing->request.context == context)
			return listing;
	}
	return NULL;
}

void seg_engine_resume(struct seg_engine *engine, const void *context, time_t now)
{
	struct seg_listing *listing = find(engine, context);

	if (!listing)
		return;
	listing->request.now = now;
	engine->ops->walk_pause(engine->kernel, listing->walk, false);
}

void seg_engine_forget(struct seg_engine *engine, const void *context)
{
	struct seg_listing *listing = find(engine, context);

	seg_revoke_forget(engine, context);
	seg_readings_forget(engine, context);
	seg_diff_forget(engine, context);
	if (!listing)
		return;
	engine->ops->walk_stop(engine->kernel, listing->walk);
	listing_free(listing);
}

/* What busiest keeps points into the policy: it begins anew. */
void seg_listing_policy_ends(struct seg_engine *engine)
{
	struct seg_listing *listing, *next;

	for (listing = LIST_FIRST(&engine->listings); listing; listing = next) {
		json_t *out = NULL;
		int r;

		next = LIST_NEXT(listing, entry);
		if (!listing->busiest)
			continue;
		engine->ops->walk_stop(engine->kernel, listing->walk);
		seg_busiest_free(listing->busiest);
		listing->busiest = seg_busiest_new(listing->limit);
		r = walk(listing);
		if (!r)
			continue;
		seg_answer_error(&out, r, "kernel", "conntrack's table cannot be read: %s", strerror(-r));
		finish(listing, r, out);
	}
}

void seg_listing_fini(struct seg_engine *engine)
{
	while (!LIST_EMPTY(&engine->listings))
		seg_engine_forget(engine, LIST_FIRST(&engine->listings)->request.context);
}
