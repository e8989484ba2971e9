/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The answer of `permits`: those of the policy in force at the question, each as it is when
 * its turn comes. One that a policy took away meanwhile is left out.
 */

#include "listing.h"

#include <errno.h>
#include <stdlib.h>

#define DAY 86400LL
#define DAYS_MAX 36500

struct permits {
	struct seg_engine *engine;
	struct seg_listing *listing;
	struct seg_arena *names;
	const char **id;
	size_t ids, at;
};

static void permits_free(void *context)
{
	struct permits *permits = context;

	seg_arena_free(permits->names);
	free(permits);
}

static bool is_held(const struct seg_engine *engine, const struct seg_permit *permit)
{
	for (size_t i = 0; i < permit->n_from; i++)
		if (seg_limits_holds(engine, permit->from[i].zone))
			return true;
	return false;
}

static json_t *next(void *context)
{
	struct permits *permits = context;
	struct seg_engine *engine = permits->engine;

	while (engine->running && permits->at < permits->ids) {
		const struct seg_permit *permit =
			seg_policy_permit(engine->running->policy, permits->id[permits->at++]);
		json_t *line;

		if (!permit)
			continue;
		line = seg_json_permit(engine, permit, seg_listing_request(permits->listing)->now);
		json_object_set_new(line, "held", json_boolean(is_held(engine, permit)));
		return line;
	}
	return NULL;
}

static const struct seg_lister lister = {.name = "permits", .next = next, .free = permits_free};

/* By their last use; 0: whenever that was. */
struct wanted {
	json_int_t unused; /* days */
	json_int_t within; /* seconds */
};

static int read_wanted(const struct seg_request *request, struct wanted *wanted, json_t **out)
{
	*wanted = (struct wanted){
		.unused = json_integer_value(json_object_get(request->params, "unused")),
		.within = json_integer_value(json_object_get(request->params, "used-within")),
	};
	if (wanted->unused < 0 || wanted->unused > DAYS_MAX)
		return seg_answer_error(out, -EINVAL, "invalid-parameter", "unused is a number of days");
	if (wanted->within < 0 || wanted->within > DAYS_MAX * DAY)
		return seg_answer_error(out, -EINVAL, "invalid-parameter",
					"used_within is a number of seconds");
	return 0;
}

static bool is_wanted(const struct wanted *wanted, time_t last, time_t now)
{
	if (wanted->unused && last >= now - wanted->unused * DAY)
		return false;
	return !wanted->within || (last && last >= now - wanted->within);
}

static void keep_ids(struct permits *permits, const struct seg_policy *policy, const struct wanted *wanted,
		     time_t now)
{
	permits->id = SEG_NEW_N(permits->names, const char *, policy->permits + 1);
	for (size_t i = 0; i < policy->permits; i++) {
		const char *id = policy->permit[i].id;

		if (is_wanted(wanted, seg_usage_of(permits->engine, id).last, now))
			permits->id[permits->ids++] = seg_arena_strdup(permits->names, id);
	}
}

static int tell(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct permits *permits;
	struct wanted wanted;
	int r;

	if (!engine->running)
		return seg_answer_no_policy(engine, out);
	r = read_wanted(request, &wanted, out);
	if (r)
		return r;
	permits = calloc(1, sizeof(*permits));
	if (!permits)
		abort();
	seg_usage_settle(engine);
	permits->engine = engine;
	permits->names = seg_arena_new();
	keep_ids(permits, engine->running->policy, &wanted, request->now);
	permits->listing = seg_listing_new(engine, request, &lister, permits);
	return SEG_LATER;
}

int seg_engine_permits(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	return seg_readings_answer(engine, request, SEG_READ_USAGE, tell, out);
}
