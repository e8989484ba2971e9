/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What an operator does in an emergency: cut off a host or a zone at once. Survives
 * applies and restarts until it is released or over; targets are kept by name and
 * resolved against each policy.
 */

#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A zone's id, a host's id, an address or a prefix. */
static bool resolve(const struct seg_policy *policy, const char *target, struct seg_arena *arena,
		    struct seg_ranges *ranges)
{
	const struct seg_zone *zone = policy ? seg_policy_zone(policy, target) : NULL;
	struct seg_range range;
	const char *reason;

	if (zone && zone != policy->gateway_zone) {
		*ranges = zone->nets;
		return true;
	}
	for (size_t i = 0; policy && i < policy->hosts; i++) {
		if (!strcmp(policy->host[i].id, target)) {
			*ranges = policy->host[i].ranges;
			return true;
		}
	}
	if (!seg_range_parse(target, strlen(target), true, &range, &reason))
		return false;
	*ranges = seg_ranges_from(arena, &range, 1);
	return true;
}

void seg_emergency_resolve(struct seg_engine *engine, const struct seg_policy *policy)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_ranges all = {0}, one;

	for (size_t i = 0; i < engine->state.isolations; i++)
		if (resolve(policy, engine->state.isolation[i].target, arena, &one))
			all = seg_ranges_union(arena, all, one);
	/* Into the new arena: ranges may still be those of the policy that is about to go. */
	engine->isolated = (struct seg_ranges){
		all.n ? seg_arena_copy(arena, all.range, all.n * sizeof(*all.range)) : NULL, all.n};
	seg_arena_free(engine->isolated_arena);
	engine->isolated_arena = arena;
}

bool seg_engine_is_isolated(const struct seg_engine *engine, seg_addr addr)
{
	return engine->isolated.n && seg_ranges_contain(engine->isolated, addr);
}

static struct seg_isolation *find(struct seg_engine *engine, const char *target)
{
	for (size_t i = 0; i < engine->state.isolations; i++)
		if (!strcmp(engine->state.isolation[i].target, target))
			return &engine->state.isolation[i];
	return NULL;
}

static struct seg_isolation *add(struct seg_engine *engine, const char *target)
{
	struct seg_state *state = &engine->state;
	struct seg_isolation *one = find(engine, target);

	if (one)
		return one;
	state->isolation = reallocarray(state->isolation, state->isolations + 1, sizeof(*state->isolation));
	if (!state->isolation)
		abort();
	one = &state->isolation[state->isolations++];
	memset(one, 0, sizeof(*one));
	snprintf(one->target, sizeof(one->target), "%s", target);
	return one;
}

static void take_out(struct seg_engine *engine, struct seg_isolation *one)
{
	struct seg_state *state = &engine->state;
	size_t i = (size_t)(one - state->isolation);

	memmove(one, one + 1, (state->isolations - i - 1) * sizeof(*one));
	state->isolations--;
}

static const struct seg_policy *policy_of(const struct seg_engine *engine)
{
	return engine->running ? engine->running->policy : NULL;
}

/* The rules first, then the disk: a full disk must not keep a host connected. */
static int put_in_force(struct seg_engine *engine, const char *reason, time_t now, struct seg_revoked *revoked)
{
	int r = 0;

	seg_emergency_resolve(engine, policy_of(engine));
	if (!engine->disarmed)
		r = seg_apply_refresh(engine, now, reason, revoked);
	if (!r && seg_store_save_state(engine->store, &engine->state))
		seg_say_store(engine, now);
	return r;
}

static void say(struct seg_engine *engine, const char *event, const struct seg_isolation *one, uid_t uid,
		const char *reason, time_t now)
{
	struct seg_alert alert;

	seg_say_begin(engine, &alert, event, SEG_WARNING, now);
	seg_alert_text(&alert, "target", one->target);
	seg_alert_number(&alert, "uid", uid);
	seg_alert_text(&alert, "reason", reason);
	seg_say_send(engine, &alert);
}

static json_t *isolation_json(struct seg_engine *engine, const struct seg_isolation *one)
{
	return json_pack("{s:s, s:o, s:o, s:s, s:I}", "target", one->target, "since",
			 seg_json_time(engine, one->since), "until", seg_json_time(engine, one->until), "reason",
			 one->reason, "uid", (json_int_t)one->uid);
}

json_t *seg_json_isolated(struct seg_engine *engine)
{
	json_t *list = json_array();

	for (size_t i = 0; i < engine->state.isolations; i++)
		json_array_append_new(list, isolation_json(engine, &engine->state.isolation[i]));
	return list;
}

int seg_engine_isolated(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	(void)request;
	*out = json_pack("{s:o}", "isolated", seg_json_isolated(engine));
	return 0;
}

static int isolate_refusal(struct seg_engine *engine, const char *target, const char *reason, json_int_t seconds,
			   json_t **out)
{
	struct seg_arena *arena;
	struct seg_ranges ranges;
	bool known;

	if (!target || !*target || strlen(target) >= SEG_TARGET_MAX)
		return seg_answer_error(out, -EINVAL, "invalid-parameter", "say which host or zone");
	if (!reason || !*reason)
		return seg_answer_error(out, -EINVAL, "invalid-parameter", "say why: --reason TEXT");
	if (strlen(reason) >= sizeof(((struct seg_isolation *)0)->reason))
		return seg_answer_error(out, -EINVAL, "invalid-parameter", "the reason is longer than 255 bytes");
	if (seconds < 0)
		return seg_answer_error(out, -EINVAL, "invalid-parameter", "--for is a time from now on");
	arena = seg_arena_new();
	known = resolve(policy_of(engine), target, arena, &ranges);
	seg_arena_free(arena);
	if (!known)
		return seg_answer_error(out, -ENOENT, "not-found",
					"%s is no zone, no host of the policy and no address", target);
	return 0;
}

int seg_engine_isolate(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	const char *target = json_string_value(json_object_get(request->params, "target"));
	const char *reason = json_string_value(json_object_get(request->params, "reason"));
	json_int_t seconds = json_integer_value(json_object_get(request->params, "for"));
	struct seg_revoked revoked = {0};
	struct seg_isolation *one;
	int r = isolate_refusal(engine, target, reason, seconds, out);

	if (r)
		return r;
	one = add(engine, target);
	one->since = request->now;
	one->until = seconds ? request->now + seconds : 0;
	one->uid = request->uid;
	snprintf(one->reason, sizeof(one->reason), "%s", reason);
	r = put_in_force(engine, "isolated", request->now, &revoked);
	if (r) {
		take_out(engine, find(engine, target));
		seg_emergency_resolve(engine, policy_of(engine));
		return seg_answer_error(out, r, "kernel", "%s is not isolated: %s", target, strerror(-r));
	}
	one = find(engine, target);
	say(engine, "isolated", one, request->uid, one->reason, request->now);
	*out = json_pack("{s:o, s:o}", "isolated", seg_json_isolated(engine), "revoked",
			 seg_answer_revoked(&revoked));
	return 0;
}

static int release(struct seg_engine *engine, struct seg_isolation *one, uid_t uid, const char *why, time_t now)
{
	struct seg_isolation gone = *one;
	int r;

	take_out(engine, one);
	r = put_in_force(engine, "released", now, NULL);
	if (r) {
		*add(engine, gone.target) = gone;
		seg_emergency_resolve(engine, policy_of(engine));
		return r;
	}
	say(engine, "released", &gone, uid, why, now);
	return 0;
}

int seg_engine_release(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	const char *target = json_string_value(json_object_get(request->params, "target"));
	struct seg_isolation *one = target ? find(engine, target) : NULL;
	int r;

	if (!one)
		return seg_answer_error(out, -ENOENT, "not-found", "%s is not isolated", target ? target : "nothing");
	r = release(engine, one, request->uid, "released", request->now);
	if (r)
		return seg_answer_error(out, r, "kernel", "%s is not released: %s", target, strerror(-r));
	return seg_engine_isolated(engine, request, out);
}

time_t seg_emergency_tick(struct seg_engine *engine, time_t now)
{
	time_t next = 0;

	for (size_t i = 0; i < engine->state.isolations;) {
		struct seg_isolation *one = &engine->state.isolation[i];

		if (one->until && one->until <= now) {
			if (!release(engine, one, one->uid, "over", now))
				continue;
			return now + 1; /* the kernel refused: tried again */
		}
		if (one->until && (!next || one->until < next))
			next = one->until;
		i++;
	}
	return next;
}

/* Stages: none is declared by a policy yet. */

int seg_engine_stages(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	(void)engine;
	(void)request;
	*out = json_pack("{s:[]}", "stages");
	return 0;
}

int seg_engine_stage(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	const char *stage = json_string_value(json_object_get(request->params, "stage"));

	(void)engine;
	return seg_answer_error(out, -ENOENT, "not-found", "the policy declares no stage %s", stage ? stage : "at all");
}
