/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The answer of `diff`: what another policy would open and close, and which of the live
 * flows it would cut: for these conntrack's table is walked over in slices. The flows are
 * counted all and listed up to a bound.
 */

#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flow/compare.h"

#define LISTED 10000 /* flows */

struct diff_text {
	const json_t *files;
};

static char *diff_read(void *context, const char *path, size_t *len, const char **error)
{
	const struct diff_text *given = context;
	size_t i;
	json_t *file;

	json_array_foreach(given->files, i, file)
	{
		const char *name = json_string_value(json_object_get(file, "path"));
		const json_t *text = json_object_get(file, "text");

		if (!name || strcmp(name, path) || !json_is_string(text))
			continue;
		*len = json_string_length(text);
		char *copy = malloc(*len + 1);
		if (!copy)
			abort();
		memcpy(copy, json_string_value(text), *len + 1);
		return copy;
	}
	*error = strerror(ENOENT);
	return NULL;
}

/* The other policy of a diff: the text given, or the policy file. */
static struct seg_rulebook *diff_candidate(struct seg_engine *engine, const struct seg_request *request,
					   struct seg_diags *failed)
{
	const json_t *text = json_object_get(request->params, "text");
	struct diff_text given = {json_object_get(request->params, "files")};
	struct seg_reader reader = {.read = diff_read, .context = &given};
	const char *name = json_string_value(json_object_get(request->params, "name"));

	if (!json_is_string(text))
		return seg_rulebook_from_file(engine, failed);
	return seg_rulebook_from_text(name ? name : "policy.yaml", json_string_value(text),
				      json_string_length(text), &reader, failed);
}

struct seg_difference {
	struct seg_engine *engine;
	struct seg_request request; /* without its parameters, which live for the call alone */
	struct seg_walk *walk;
	struct seg_rulebook *next;
	struct seg_arena *arena;    /* of closure */
	struct seg_closure closure; /* under it */
	json_t *list;
	json_int_t cut;
	LIST_ENTRY(seg_difference) entry;
};

static void difference_free(struct seg_difference *difference)
{
	LIST_REMOVE(difference, entry);
	json_decref(difference->list);
	seg_arena_free(difference->arena);
	seg_rulebook_free(difference->next);
	free(difference);
}

/* Flows that a permit admits now and none would. */
static void take(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	struct seg_difference *difference = context;
	const struct seg_rulebook *next = difference->next;
	struct seg_engine *engine = difference->engine;
	time_t now = difference->request.now;
	struct seg_judged judged = seg_watch_judge(engine, flow, SEG_FLOW_DUMPED, now);
	const struct seg_packet packet = seg_watch_packet(flow);

	(void)event;
	if (judged.kind != SEG_LEGITIMATE ||
	    seg_classify_closed(next->policy, next->index, &engine->links.gateway, &difference->closure,
				&packet, now)
		    .permit)
		return;
	if (difference->cut++ < LISTED)
		json_array_append_new(difference->list, seg_json_flow(engine, flow, &judged, now));
}

static void over(void *context, int result, time_t now)
{
	struct seg_difference *difference = context;
	struct seg_engine *engine = difference->engine;
	struct seg_request request = difference->request;
	json_t *out = NULL;

	(void)now;
	if (result) {
		seg_answer_error(&out, result, "kernel", "conntrack's table cannot be read: %s",
				 strerror(-result));
	} else if (!engine->running) { /* not any more */
		result = seg_answer_no_policy(engine, &out);
	} else {
		out = seg_compare(engine->running->policy, difference->next->policy, request.now);
		json_object_set(out, "flows", difference->list);
		json_object_set_new(out, "cut", json_integer(difference->cut));
	}
	difference_free(difference);
	request.done(request.context, result, out);
}

static int walk(struct seg_engine *engine, const struct seg_request *request, struct seg_rulebook *next,
		json_t **out)
{
	struct seg_difference *difference = calloc(1, sizeof(*difference));
	const struct seg_walker walker = {.take = take, .over = over, .context = difference};
	int r;

	if (!difference)
		abort();
	difference->engine = engine;
	difference->request = *request;
	difference->request.params = NULL;
	difference->next = next;
	difference->list = json_array();
	difference->arena = seg_arena_new();
	seg_emergency_close(engine, next->policy, difference->arena, &difference->closure);
	LIST_INSERT_HEAD(&engine->differences, difference, entry);
	r = engine->ops->walk(engine->kernel, 0, 0, &walker, &difference->walk);
	if (!r)
		return SEG_LATER;
	difference_free(difference);
	return seg_answer_error(out, r, "kernel", "conntrack's table cannot be read: %s", strerror(-r));
}

int seg_engine_diff(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct seg_rulebook *next;
	struct seg_diags failed;
	int r;

	if (!engine->running)
		return seg_answer_no_policy(engine, out);
	next = diff_candidate(engine, request, &failed);
	if (next)
		return walk(engine, request, next, out);
	r = seg_answer_refused(out, &failed);
	seg_diags_fini(&failed);
	return r;
}

void seg_diff_forget(struct seg_engine *engine, const void *context)
{
	struct seg_difference *difference;

	LIST_FOREACH(difference, &engine->differences, entry) {
		if (difference->request.context != context)
			continue;
		engine->ops->walk_stop(engine->kernel, difference->walk);
		difference_free(difference);
		return;
	}
}

void seg_diff_fini(struct seg_engine *engine)
{
	while (!LIST_EMPTY(&engine->differences))
		seg_diff_forget(engine, LIST_FIRST(&engine->differences)->request.context);
}
