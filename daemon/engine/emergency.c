/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What an operator does in an emergency: cut off a host or a zone at once, or switch
 * to a stage of the emergency plan. Both survive applies and restarts until they are
 * ended; they are kept by name and resolved against each policy, and a policy that
 * knows a name otherwise, or does not know it any more, opens nothing by that: whom
 * an isolation has cut off stays so until it is ended.
 */

#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/sentence.h"
#include "flow/answer.h"

#define SAID_MAX 32 /* addresses of a host that an alert has room for */

static const struct seg_policy *policy_of(const struct seg_engine *engine)
{
	return engine->running ? engine->running->policy : NULL;
}

/* What a target means: a zone (*zone), or addresses. */
static bool understand(const struct seg_policy *policy, const char *target, struct seg_arena *arena,
		       const struct seg_zone **zone, struct seg_ranges *ranges)
{
	const struct seg_host *host = policy ? seg_policy_host(policy, target) : NULL;
	struct seg_range range;
	const char *reason;

	*zone = policy ? seg_policy_zone(policy, target) : NULL;
	if (*zone && *zone != policy->gateway_zone) {
		*ranges = (*zone)->nets;
		return true;
	}
	*zone = NULL;
	if (host) {
		*ranges = host->ranges;
		return true;
	}
	if (!seg_range_parse(target, strlen(target), true, &range, &reason))
		return false;
	*ranges = seg_ranges_from(arena, &range, 1);
	return true;
}

/* Who is cut off: a zone as the policy has it (*zone), else NULL; and addresses: what the target means, and what it has
 * meant since it was isolated. */
static struct seg_ranges cut_off(const struct seg_isolation *one, const struct seg_policy *policy,
				 struct seg_arena *arena, const struct seg_zone **zone)
{
	const struct seg_ranges ever = seg_ranges_from(arena, one->range, one->ranges);
	struct seg_ranges now = {NULL, 0};

	understand(policy, one->target, arena, zone, &now);
	return seg_ranges_union(arena, ever, now);
}

/* No host's: groups, and what belongs to an interface. Not to be told from all that a zone `any` takes. */
static struct seg_ranges links(struct seg_arena *arena)
{
	static const char *const text[] = {"0.0.0.0", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255",
					   "::/127",  "fe80::/10",   "ff00::/8"};
	struct seg_range range[sizeof(text) / sizeof(*text)];
	const char *reason;

	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		if (!seg_range_parse(text[i], strlen(text[i]), false, &range[i], &reason))
			abort();
	return seg_ranges_from(arena, range, sizeof(text) / sizeof(*text));
}

static void close_isolation(const struct seg_isolation *one, const struct seg_policy *policy,
			    struct seg_arena *arena, struct seg_closure *closure)
{
	const struct seg_zone *zone;
	struct seg_ranges ranges = cut_off(one, policy, arena, &zone);

	if (zone) {
		seg_closure_zone(closure, zone, SEG_CLOSED_ISOLATED);
		ranges = seg_ranges_subtract(arena, ranges, zone->nets);
	}
	ranges = seg_ranges_subtract(arena, ranges, links(arena));
	if (ranges.n)
		seg_closure_hosts(closure, ranges, arena);
}

static void close_permit(struct seg_closure *closure, const struct seg_policy *policy, const char *name)
{
	const struct seg_permit *permit = seg_policy_permit(policy, name);

	if (permit)
		seg_closure_permit(closure, permit, SEG_CLOSED_STAGE);
}

static void close_class(struct seg_closure *closure, const struct seg_policy *policy, const char *name)
{
	for (enum seg_class class = 0; class < SEG_CLASSES; class ++)
		if (!strcmp(seg_class_name(class), name))
			seg_closure_class(closure, policy, class, SEG_CLOSED_STAGE);
}

static void close_zone(struct seg_closure *closure, const struct seg_policy *policy, const char *name)
{
	const struct seg_zone *zone = seg_policy_zone(policy, name);

	if (zone)
		seg_closure_zone(closure, zone, SEG_CLOSED_STAGE);
}

static void close_stage(const json_t *closes, const struct seg_policy *policy, struct seg_closure *closure)
{
	static const struct {
		const char *key;
		void (*close)(struct seg_closure *closure, const struct seg_policy *policy, const char *name);
	} kind[] = {{"permits", close_permit}, {"classes", close_class}, {"zones", close_zone}};

	for (size_t k = 0; k < sizeof(kind) / sizeof(*kind); k++) {
		size_t i;
		json_t *name;

		json_array_foreach(json_object_get(closes, kind[k].key), i, name)
		{
			if (json_is_string(name))
				kind[k].close(closure, policy, json_string_value(name));
		}
	}
}

/* What a stage closes, by names that outlive the policy. */
static json_t *closes_of(const struct seg_stage *stage)
{
	json_t *permits = json_array(), *classes = json_array(), *zones = json_array();

	for (size_t i = 0; i < stage->permits; i++)
		json_array_append_new(permits, json_string(stage->permit[i]->id));
	for (enum seg_class class = 0; class < SEG_CLASSES; class ++)
		if (stage->classes & 1u << class)
			json_array_append_new(classes, json_string(seg_class_name(class)));
	for (size_t i = 0; i < stage->zones; i++)
		json_array_append_new(zones, json_string(stage->zone[i]->id));
	return json_pack("{s:o, s:o, s:o}", "permits", permits, "classes", classes, "zones", zones);
}

void seg_emergency_close(const struct seg_engine *engine, const struct seg_policy *policy,
			 struct seg_arena *arena, struct seg_closure *closure)
{
	const struct seg_staged *staged = &engine->state.stage;
	const struct seg_stage *stage = staged->id[0] ? seg_policy_stage(policy, staged->id) : NULL;
	json_t *closes = stage ? closes_of(stage) : json_incref(staged->closes);

	seg_closure_init(closure, policy, arena);
	for (size_t i = 0; i < engine->state.isolations; i++)
		close_isolation(&engine->state.isolation[i], policy, arena, closure);
	if (staged->id[0])
		close_stage(closes, policy, closure);
	seg_closure_finish(closure, policy);
	json_decref(closes);
}

/* The addresses behind the name, in case a later policy does not know them. */
static void remember(struct seg_isolation *one, const struct seg_policy *policy, struct seg_arena *arena)
{
	const struct seg_zone *zone;
	const struct seg_ranges ranges = cut_off(one, policy, arena, &zone);
	struct seg_range *range = calloc(ranges.n + 1, sizeof(*range));

	if (!range)
		abort();
	if (ranges.n)
		memcpy(range, ranges.range, ranges.n * sizeof(*range));
	free(one->range);
	one->range = range;
	one->ranges = ranges.n;
}

void seg_emergency_remember(struct seg_engine *engine)
{
	struct seg_arena *arena = seg_arena_new();

	for (size_t i = 0; i < engine->state.isolations; i++)
		remember(&engine->state.isolation[i], policy_of(engine), arena);
	seg_arena_free(arena);
}

void seg_emergency_resolve(struct seg_engine *engine, const struct seg_policy *policy)
{
	struct seg_staged *staged = &engine->state.stage;
	const struct seg_stage *stage = policy && staged->id[0] ? seg_policy_stage(policy, staged->id) : NULL;
	struct seg_arena *arena = seg_arena_new();
	struct seg_closure closure = {0};

	if (stage) {
		json_decref(staged->closes);
		staged->closes = closes_of(stage);
	}
	if (policy)
		seg_emergency_close(engine, policy, arena, &closure);
	engine->closure = closure;
	seg_arena_free(engine->closure_arena);
	engine->closure_arena = arena;
}

bool seg_engine_is_isolated(const struct seg_engine *engine, seg_addr addr)
{
	return engine->closure.isolated.n && !seg_engine_is_gateway(engine, addr) &&
	       seg_ranges_contain(engine->closure.isolated, addr);
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

/* What it remembers goes to whoever has a copy of it. */
static void take_out(struct seg_engine *engine, struct seg_isolation *one)
{
	struct seg_state *state = &engine->state;
	size_t i = (size_t)(one - state->isolation);

	memmove(one, one + 1, (state->isolations - i - 1) * sizeof(*one));
	state->isolations--;
}

/* The rules first, then the disk: a full disk must not keep a host connected. unsaved: what it says. */
static int put_in_force(struct seg_engine *engine, const char *reason, time_t now,
			struct seg_revocation **revoked, int *unsaved)
{
	int r = 0;

	seg_emergency_resolve(engine, policy_of(engine));
	if (!engine->disarmed)
		r = seg_apply_refresh(engine, now, reason, revoked);
	if (!r)
		seg_emergency_remember(engine);
	*unsaved = r ? 0 : seg_change_save(engine, now);
	return r;
}

static void add_until(const struct seg_engine *engine, struct seg_alert *alert, const char *key, time_t until)
{
	char text[SEG_TIME_STRLEN];

	if (until)
		seg_alert_text(alert, key, seg_time_format(until, seg_engine_zone_name(engine), text));
}

static bool is_shortened(const struct seg_isolation *before, const struct seg_isolation *one)
{
	return before->target[0] && one->until && (!before->until || one->until < before->until);
}

/* As the history keeps them, "10.2.0.5 10.2.0.16/28": a later policy may mean others by the name. A zone's are known
 * by the policies that there have been. */
static void add_addresses(const struct seg_engine *engine, struct seg_alert *alert, const struct seg_isolation *one)
{
	struct seg_arena *arena = seg_arena_new();
	const struct seg_zone *zone;
	const struct seg_ranges ranges = cut_off(one, policy_of(engine), arena, &zone);
	struct seg_strbuf list = {0};
	char text[SEG_RANGE_STRLEN];

	for (size_t i = 0; !zone && i < ranges.n && i < SAID_MAX; i++)
		seg_strbuf_printf(&list, "%s%s", i ? " " : "", seg_range_format(ranges.range[i], text));
	if (list.len)
		seg_alert_text(alert, "addresses", seg_strbuf_text(&list));
	seg_strbuf_fini(&list);
	seg_arena_free(arena);
}

/* before: without a target where it was not isolated. */
static void say_isolated(struct seg_engine *engine, const struct seg_isolation *before,
			 const struct seg_isolation *one, time_t now)
{
	struct seg_alert alert;

	seg_say_begin(engine, &alert, "isolated", SEG_WARNING, now);
	seg_alert_text(&alert, "target", one->target);
	add_addresses(engine, &alert, one);
	seg_alert_number(&alert, "uid", one->uid);
	seg_alert_text(&alert, "reason", one->reason);
	add_until(engine, &alert, "until", one->until);
	if (before->target[0]) {
		seg_alert_text(&alert, "action", is_shortened(before, one) ? "shortened" : "changed");
		add_until(engine, &alert, "before-until", before->until);
		seg_alert_text(&alert, "before-reason", before->reason);
	}
	seg_say_send(engine, &alert);
}

static void say_released(struct seg_engine *engine, const struct seg_isolation *one, uid_t uid,
			 const char *reason, time_t now)
{
	struct seg_alert alert;

	seg_say_begin(engine, &alert, "released", SEG_WARNING, now);
	seg_alert_text(&alert, "target", one->target);
	seg_alert_number(&alert, "uid", uid);
	seg_alert_text(&alert, "reason", reason);
	seg_say_send(engine, &alert);
}

static json_t *addresses_json(const struct seg_engine *engine, const struct seg_isolation *one)
{
	struct seg_arena *arena = seg_arena_new();
	const struct seg_zone *zone;
	const struct seg_ranges ranges = cut_off(one, policy_of(engine), arena, &zone);
	json_t *list = json_array();
	char text[SEG_RANGE_STRLEN];

	for (size_t i = 0; i < ranges.n; i++)
		json_array_append_new(list, json_string(seg_range_format(ranges.range[i], text)));
	seg_arena_free(arena);
	return list;
}

static json_t *isolation_json(struct seg_engine *engine, const struct seg_isolation *one)
{
	return json_pack("{s:s, s:o, s:o, s:s, s:I}", "target", one->target, "since",
			 seg_json_time(engine, one->since), "until", seg_json_time(engine, one->until),
			 "reason", one->reason, "uid", (json_int_t)one->uid);
}

json_t *seg_json_isolated(struct seg_engine *engine)
{
	json_t *list = json_array();

	for (size_t i = 0; i < engine->state.isolations; i++)
		json_array_append_new(list, isolation_json(engine, &engine->state.isolation[i]));
	return list;
}

/* With their addresses, of which a zone may have very many. */
static json_t *listed(struct seg_engine *engine)
{
	json_t *list = seg_json_isolated(engine);

	for (size_t i = 0; i < engine->state.isolations; i++)
		json_object_set_new(json_array_get(list, i), "addresses",
				    addresses_json(engine, &engine->state.isolation[i]));
	return list;
}

/* Is it this one by which an end of the packet is cut off? */
static bool denies(const struct seg_engine *engine, const struct seg_isolation *one, struct seg_arena *arena,
		   const struct seg_packet *packet, const struct seg_verdict *verdict)
{
	const struct seg_zone *zone;
	const struct seg_ranges ranges = cut_off(one, policy_of(engine), arena, &zone);

	if (zone &&
	    ((verdict->isolated & SEG_ISOLATED_FROM && zone == verdict->from) ||
	     (verdict->isolated & SEG_ISOLATED_TO && zone == verdict->to)))
		return true;
	return (verdict->isolated & (SEG_ISOLATED_FROM | SEG_ISOLATED_SRC) &&
		seg_ranges_contain(ranges, packet->src)) ||
	       (verdict->isolated & (SEG_ISOLATED_TO | SEG_ISOLATED_DST) &&
		seg_ranges_contain(ranges, packet->dst));
}

static void explain_isolation(struct seg_engine *engine, const struct seg_isolation *one, json_t *answer)
{
	char until[SEG_TIME_STRLEN];

	if (one->until)
		seg_answer_add(
			answer,
			seg_sentence_new("%s is isolated until %s, for this reason: %s", one->target,
					 seg_time_format(one->until, seg_engine_zone_name(engine), until),
					 one->reason));
	else
		seg_answer_add(answer,
			       seg_sentence_new("%s is isolated until it is released, for this reason: %s",
						one->target, one->reason));
}

static void explain_stage(struct seg_engine *engine, json_t *answer)
{
	const struct seg_staged *staged = &engine->state.stage;
	char since[SEG_TIME_STRLEN];

	seg_answer_add(answer,
		       seg_sentence_new("the stage is %s, since %s", staged->id,
					seg_time_format(staged->since, seg_engine_zone_name(engine), since)));
}

void seg_emergency_explain(struct seg_engine *engine, const struct seg_packet *packet,
			   const struct seg_verdict *verdict, json_t *answer)
{
	bool staged = engine->state.stage.id[0] && !verdict->permit &&
		      (verdict->reason == SEG_REASON_STAGE || verdict->failed & 1u << SEG_REASON_STAGE);
	struct seg_arena *arena = seg_arena_new();
	json_t *list = json_array();

	for (size_t i = 0; verdict->isolated && i < engine->state.isolations; i++) {
		const struct seg_isolation *one = &engine->state.isolation[i];

		if (!denies(engine, one, arena, packet, verdict))
			continue;
		json_array_append_new(list, isolation_json(engine, one));
		explain_isolation(engine, one, answer);
	}
	if (staged)
		explain_stage(engine, answer);
	json_object_set_new(answer, "isolated", list);
	json_object_set_new(answer, "stage", staged ? json_string(engine->state.stage.id) : json_null());
	seg_arena_free(arena);
}

int seg_engine_isolated(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	(void)request;
	*out = json_pack("{s:o}", "isolated", listed(engine));
	return 0;
}

/* No zone of the policy has any of it: a typing error, perhaps. */
static bool lies_in_no_zone(const struct seg_engine *engine, const struct seg_isolation *one)
{
	const struct seg_policy *policy = policy_of(engine);
	struct seg_arena *arena = seg_arena_new();
	const struct seg_zone *zone;
	const struct seg_ranges ranges = cut_off(one, policy, arena, &zone);
	bool lies = policy && !zone;

	for (size_t i = 0; lies && i < policy->zones; i++)
		lies = !seg_ranges_overlap(policy->zone[i].nets, ranges);
	seg_arena_free(arena);
	return lies;
}

/* Names that an operator may have meant, in haste; NULL. */
static const char *nearest_target(const struct seg_policy *policy, const char *word)
{
	struct seg_arena *arena = seg_arena_new();
	const char **name = SEG_NEW_N(arena, const char *, policy->zones + policy->hosts), *nearest;
	size_t n = 0;

	for (size_t i = 0; i < policy->zones; i++)
		name[n++] = policy->zone[i].id;
	for (size_t i = 0; i < policy->hosts; i++)
		name[n++] = policy->host[i].id;
	nearest = seg_nearest(word, name, n);
	seg_arena_free(arena);
	return nearest;
}

static const char *nearest_stage(const struct seg_policy *policy, const char *word)
{
	struct seg_arena *arena = seg_arena_new();
	const char **name = SEG_NEW_N(arena, const char *, policy->stages), *nearest;

	for (size_t i = 0; i < policy->stages; i++)
		name[i] = policy->stage[i].id;
	nearest = seg_nearest(word, name, policy->stages);
	seg_arena_free(arena);
	return nearest;
}

static const char *nearest_isolated(const struct seg_engine *engine, const char *word)
{
	struct seg_arena *arena = seg_arena_new();
	const char **name = SEG_NEW_N(arena, const char *, engine->state.isolations), *nearest;

	for (size_t i = 0; i < engine->state.isolations; i++)
		name[i] = engine->state.isolation[i].target;
	nearest = seg_nearest(word, name, engine->state.isolations);
	seg_arena_free(arena);
	return nearest;
}

static int unknown_target(const struct seg_engine *engine, const char *target, json_t **out)
{
	const char *nearest = policy_of(engine) ? nearest_target(policy_of(engine), target) : NULL;

	if (nearest)
		return seg_answer_error(out, -ENOENT, "not-found",
					"%s is no zone, no host of the policy and no address; did you mean %s?",
					target, nearest);
	return seg_answer_error(out, -ENOENT, "not-found", "%s is no zone, no host of the policy and no address",
				target);
}

static int unknown_stage(const struct seg_engine *engine, const char *stage, json_t **out)
{
	const char *nearest = policy_of(engine) ? nearest_stage(policy_of(engine), stage) : NULL;

	if (nearest)
		return seg_answer_error(out, -ENOENT, "not-found",
					"the policy declares no stage %s; did you mean %s?", stage, nearest);
	return seg_answer_error(out, -ENOENT, "not-found",
				"the policy declares no stage %s; segctl stage --list shows them", stage);
}

static int not_isolated(const struct seg_engine *engine, const char *target, json_t **out)
{
	const char *nearest = nearest_isolated(engine, target);

	if (nearest)
		return seg_answer_error(out, -ENOENT, "not-found",
					"%s is not isolated under this name; did you mean %s?", target, nearest);
	return seg_answer_error(out, -ENOENT, "not-found",
				"%s is not isolated under this name; `segctl isolated` lists who is", target);
}

#define FOR_MAX (100LL * 366 * 86400)

static int isolate_refusal(struct seg_engine *engine, const char *target, const char *reason,
			   json_int_t seconds, json_t **out)
{
	const struct seg_zone *zone;
	struct seg_arena *arena;
	struct seg_ranges ranges;
	bool known, own, link;

	if (!target || !*target || strlen(target) >= SEG_TARGET_MAX)
		return seg_answer_error(out, -EINVAL, "invalid-parameter", "say which host or zone");
	if (!reason || !*reason)
		return seg_answer_error(out, -EINVAL, "invalid-parameter", "say why: --reason TEXT");
	if (strlen(reason) >= sizeof(((struct seg_isolation *)0)->reason))
		return seg_answer_error(out, -EINVAL, "invalid-parameter",
					"the reason is longer than 255 bytes");
	if (seconds < 0 || seconds > FOR_MAX)
		return seg_answer_error(out, -EINVAL, "invalid-parameter",
					"--for is a time from now on, of a hundred years at most");
	arena = seg_arena_new();
	known = understand(policy_of(engine), target, arena, &zone, &ranges);
	link = known && !zone && seg_ranges_subset(ranges, links(arena));
	own = known && !zone && ranges.n == 1 && ranges.range[0].lo == ranges.range[0].hi &&
	      seg_engine_is_gateway(engine, ranges.range[0].lo);
	seg_arena_free(arena);
	if (!known)
		return unknown_target(engine, target, out);
	if (link)
		return seg_answer_error(out, -EINVAL, "invalid-parameter",
					"%s belongs to an interface and is no host's; isolate the zone, or the host by "
					"its other addresses",
					target);
	if (own)
		return seg_answer_error(
			out, -EINVAL, "invalid-parameter",
			"%s is the gateway itself; isolate the zones or hosts that shall not reach it",
			target);
	return 0;
}

int seg_engine_isolate(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	const char *target = json_string_value(json_object_get(request->params, "target"));
	const char *reason = json_string_value(json_object_get(request->params, "reason"));
	json_int_t seconds = json_integer_value(json_object_get(request->params, "for"));
	enum seg_session_fate fate;
	struct seg_session session;
	bool shortened;
	json_t *was;
	struct seg_revocation *revoked = NULL;
	struct seg_isolation *one, before = {0};
	int unsaved = 0, r = isolate_refusal(engine, target, reason, seconds, out);

	if (r)
		return r;
	seg_session_to_spare(engine, request, &session);
	one = find(engine, target);
	if (one)
		before = *one;
	one = add(engine, target);
	one->since = before.target[0] ? before.since : request->now; /* cut off it has been all along */
	one->until = seconds ? request->now + seconds : 0;
	one->uid = request->uid;
	snprintf(one->reason, sizeof(one->reason), "%s", reason);
	fate = seg_session_fate(engine, &session, engine->running, request->now);
	r = fate ? -EPERM : put_in_force(engine, "isolated", request->now, &revoked, &unsaved);
	one = find(engine, target);
	if (r) {
		if (before.target[0])
			*one = before;
		else
			take_out(engine, one);
		seg_emergency_resolve(engine, policy_of(engine));
		if (fate > SEG_SESSION_CUT)
			return seg_session_answer_unknown(&session, fate, out);
		if (fate)
			return seg_answer_error(
				out, r, "would-cut-session",
				"this would cut your own SSH session (%s), and %s is not isolated; "
				"if it shall be, say --force",
				session.text, target);
		return seg_answer_error(out, r, "kernel", "%s is not isolated: %s", target, strerror(-r));
	}
	say_isolated(engine, &before, one, request->now);
	if (unsaved)
		return seg_change_answer_unsaved(engine, unsaved, out);
	shortened = is_shortened(&before, one);
	was = before.target[0] ? isolation_json(engine, &before) : json_null();
	return seg_revoke_answer(revoked, request,
				 json_pack("{s:o, s:s, s:o, s:b, s:b, s:n}", "isolated", listed(engine), "state",
					   seg_engine_state(engine), "before", was, "shortened", shortened, "outside", lies_in_no_zone(engine, one),
					   "revoked"),
				 out);
}

static int release(struct seg_engine *engine, struct seg_isolation *one, uid_t uid, const char *why,
		   time_t now, int *unsaved)
{
	struct seg_isolation gone = *one;
	int r;

	take_out(engine, one);
	r = put_in_force(engine, "released", now, NULL, unsaved);
	if (r) {
		*add(engine, gone.target) = gone;
		seg_emergency_resolve(engine, policy_of(engine));
		return r;
	}
	say_released(engine, &gone, uid, why, now);
	free(gone.range);
	return 0;
}

int seg_engine_release(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	const char *target = json_string_value(json_object_get(request->params, "target"));
	struct seg_isolation *one = target ? find(engine, target) : NULL;
	int r, unsaved;

	if (!one)
		return not_isolated(engine, target ? target : "nothing", out);
	r = release(engine, one, request->uid, "released", request->now, &unsaved);
	if (r)
		return seg_answer_error(out, r, "kernel", "%s is not released: %s", target, strerror(-r));
	if (unsaved)
		return seg_change_answer_unsaved(engine, unsaved, out);
	return seg_engine_isolated(engine, request, out);
}

static bool is_over(const struct seg_isolation *one, time_t now)
{
	return one->until && one->until <= now;
}

void seg_emergency_begin(struct seg_engine *engine, time_t now)
{
	const size_t before = engine->state.isolations;

	for (size_t i = 0; i < engine->state.isolations;) {
		struct seg_isolation gone = engine->state.isolation[i];

		if (!is_over(&gone, now)) {
			i++;
			continue;
		}
		take_out(engine, &engine->state.isolation[i]);
		say_released(engine, &gone, gone.uid, "over", now);
		free(gone.range);
	}
	if (engine->state.isolations < before)
		(void)seg_change_save(engine, now);
}

time_t seg_emergency_tick(struct seg_engine *engine, time_t now)
{
	time_t next = 0;
	int unsaved; /* told already, and tried again */

	for (size_t i = 0; i < engine->state.isolations;) {
		struct seg_isolation *one = &engine->state.isolation[i];

		if (is_over(one, now)) {
			if (!release(engine, one, one->uid, "over", now, &unsaved))
				continue;
			return now + 1; /* the kernel refused: tried again */
		}
		if (one->until && (!next || one->until < next))
			next = one->until;
		i++;
	}
	return next;
}

/* Stages. */

static json_t *stage_json(struct seg_engine *engine, const char *id, const char *title, json_t *closes)
{
	const struct seg_staged *staged = &engine->state.stage;
	bool active = !strcmp(staged->id, id);

	return json_pack("{s:s, s:o, s:b, s:o, s:o, s:o, s:o}", "stage", id, "title", seg_json_text(title),
			 "active", active, "closes", closes, "since",
			 active ? seg_json_time(engine, staged->since) : json_null(), "reason",
			 seg_json_text(active && staged->reason[0] ? staged->reason : NULL), "uid",
			 active ? json_integer((json_int_t)staged->uid) : json_null());
}

static json_t *stages_json(struct seg_engine *engine)
{
	const struct seg_policy *policy = policy_of(engine);
	const struct seg_staged *staged = &engine->state.stage;
	json_t *list = json_array();

	for (size_t i = 0; policy && i < policy->stages; i++)
		json_array_append_new(list, stage_json(engine, policy->stage[i].id, policy->stage[i].title,
						       closes_of(&policy->stage[i])));
	if (staged->id[0] && !(policy && seg_policy_stage(policy, staged->id)))
		json_array_append_new(list,
				      stage_json(engine, staged->id, NULL, json_deep_copy(staged->closes)));
	return list;
}

int seg_engine_stages(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	(void)request;
	*out = json_pack("{s:o}", "stages", stages_json(engine));
	return 0;
}

static int stage_refusal(struct seg_engine *engine, const char *stage, const char *reason, json_t **out)
{
	if (reason && strlen(reason) >= sizeof(engine->state.stage.reason))
		return seg_answer_error(out, -EINVAL, "invalid-parameter",
					"the reason is longer than 255 bytes");
	if (!stage)
		return engine->state.stage.id[0]
			       ? 0
			       : seg_answer_error(out, -ENOENT, "not-found", "no stage is in force");
	if (!policy_of(engine) || !seg_policy_stage(policy_of(engine), stage))
		return unknown_stage(engine, stage, out);
	return 0;
}

static void say_stage(struct seg_engine *engine, const struct seg_request *request, const char *before,
		      const char *reason)
{
	const struct seg_staged *staged = &engine->state.stage;
	struct seg_alert alert;

	seg_say_begin(engine, &alert, "stage", SEG_WARNING, request->now);
	seg_alert_text(&alert, "stage", staged->id[0] ? staged->id : SEG_STAGE_NONE);
	seg_alert_text(&alert, "before", before[0] ? before : SEG_STAGE_NONE);
	seg_alert_number(&alert, "uid", request->uid);
	seg_alert_text(&alert, "reason", reason);
	seg_say_send(engine, &alert);
}

/* stage NULL: none. One that is in force already began when it began, whoever says it once more. */
static struct seg_staged staged_next(const struct seg_staged *before, const struct seg_request *request,
				     const char *stage, const char *reason)
{
	const bool again = stage && !strcmp(before->id, stage);
	struct seg_staged next = {.id = ""};

	if (!stage)
		return next;
	next.since = again ? before->since : request->now;
	next.uid = again ? before->uid : request->uid;
	snprintf(next.id, sizeof(next.id), "%s", stage);
	snprintf(next.reason, sizeof(next.reason), "%s", reason ? reason : again ? before->reason : "");
	return next;
}

int seg_engine_stage(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	const char *stage = json_string_value(json_object_get(request->params, "stage"));
	const char *reason = json_string_value(json_object_get(request->params, "reason"));
	enum seg_session_fate fate;
	struct seg_session session;
	struct seg_staged before = engine->state.stage;
	struct seg_revocation *revoked = NULL;
	int r, unsaved;

	if (stage && !strcmp(stage, SEG_STAGE_NONE))
		stage = NULL;
	r = stage_refusal(engine, stage, reason, out);
	if (r)
		return r;
	seg_session_to_spare(engine, request, &session);
	engine->state.stage = staged_next(&before, request, stage, reason);
	fate = seg_session_fate(engine, &session, engine->running, request->now);
	r = fate ? -EPERM : put_in_force(engine, "stage", request->now, &revoked, &unsaved);
	if (r) {
		json_decref(engine->state.stage.closes);
		engine->state.stage = before;
		seg_emergency_resolve(engine, policy_of(engine));
		if (fate > SEG_SESSION_CUT)
			return seg_session_answer_unknown(&session, fate, out);
		if (fate)
			return seg_answer_error(
				out, r, "would-cut-session",
				"this would cut your own SSH session (%s), and the stage is not switched to "
				"%s; if it shall be, say --force",
				session.text, stage ? stage : SEG_STAGE_NONE);
		return seg_answer_error(out, r, "kernel", "the stage is not switched: %s", strerror(-r));
	}
	json_decref(before.closes);
	say_stage(engine, request, before.id, reason);
	seg_say_status(engine);
	if (unsaved)
		return seg_change_answer_unsaved(engine, unsaved, out);
	return seg_revoke_answer(revoked, request,
				 json_pack("{s:o, s:s, s:n}", "stages", stages_json(engine), "state",
					   seg_engine_state(engine), "revoked"),
				 out);
}
