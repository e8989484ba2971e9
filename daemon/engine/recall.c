/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A start that finds neither state.json nor its copy, though there was one: what they said is taken from the audit
 * trail, which is written for people, a moment later, and not for ever. So it may lack the last of it. Nobody is let
 * out without a word: that is said as loudly as can be, and in status until somebody has looked, and applied.
 */

#include "state.h"

#include <stdlib.h>
#include <string.h>

#include "control/sentence.h"

struct recalled {
	struct seg_state *state;
	bool version;  /* the newest that came into force was there */
	bool stage;
	json_t *target; /* index of its isolation, by name; -1: it was released behind that */
};

/* Newest first. A deadline is over: when it would have been is not known. */
static void recall_version(void *context, const struct seg_record *record)
{
	struct recalled *recalled = context;
	struct seg_state *state = recalled->state;

	if (!record->version || record->result == SEG_REFUSED)
		return;
	if (record->result == SEG_CONFIRMED && !state->confirmed)
		state->confirmed = record->version;
	if (recalled->version)
		return;
	recalled->version = true;
	state->since = record->at;
	if (record->result == SEG_CONFIRMED || record->result == SEG_PENDING)
		state->current = record->version;
	state->confirm_until = record->result == SEG_PENDING ? record->at : 0;
}

static void copy_field(const json_t *fields, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(fields, key));

	snprintf(to, size, "%s", text ? text : "");
}

static uid_t uid_in(const json_t *fields)
{
	const char *text = json_string_value(json_object_get(fields, "uid"));

	return text ? (uid_t)strtoul(text, NULL, 10) : 0;
}

/* Until released, where its end cannot be read. */
static time_t end_in(const json_t *fields)
{
	const char *text = json_string_value(json_object_get(fields, "until"));
	time_t until;

	return text && seg_time_parse(text, NULL, &until) ? until : 0;
}

/* Whom it meant then, too. */
static void recall_addresses(struct seg_isolation *one, const json_t *fields)
{
	const char *text = json_string_value(json_object_get(fields, "addresses")), *reason;
	char *words = strdup(text ? text : ""), *rest = words, *word;

	if (!words)
		abort();
	one->range = calloc(strlen(words) / 2 + 1, sizeof(*one->range)); /* a word has two characters and more */
	if (!one->range)
		abort();
	while ((word = strsep(&rest, " ")))
		if (seg_range_parse(word, strlen(word), true, &one->range[one->ranges], &reason))
			one->ranges++;
	free(words);
}

static void recall_isolated(struct recalled *recalled, time_t at, const json_t *fields)
{
	const char *target = json_string_value(json_object_get(fields, "target"));
	const json_t *known = json_object_get(recalled->target, target);
	struct seg_state *state = recalled->state;
	struct seg_isolation *one;

	if (known) {
		if (json_integer_value(known) >= 0)
			state->isolation[json_integer_value(known)].since = at; /* it was changed since */
		return;
	}
	json_object_set_new(recalled->target, target, json_integer((json_int_t)state->isolations));
	state->isolation = reallocarray(state->isolation, state->isolations + 1, sizeof(*state->isolation));
	if (!state->isolation)
		abort();
	one = &state->isolation[state->isolations++];
	*one = (struct seg_isolation){.since = at, .until = end_in(fields), .uid = uid_in(fields)};
	copy_field(fields, "target", one->target, sizeof(one->target));
	copy_field(fields, "reason", one->reason, sizeof(one->reason));
	recall_addresses(one, fields);
}

static void recall_released(struct recalled *recalled, const json_t *fields)
{
	const char *target = json_string_value(json_object_get(fields, "target"));

	json_object_set_new(recalled->target, target, json_integer(-1)); /* what is older counts no more */
}

static void recall_stage(struct recalled *recalled, time_t at, const json_t *fields)
{
	struct seg_staged *stage = &recalled->state->stage;

	if (recalled->stage)
		return;
	recalled->stage = true;
	copy_field(fields, "stage", stage->id, sizeof(stage->id));
	if (!strcmp(stage->id, SEG_STAGE_NONE)) {
		stage->id[0] = '\0';
		return;
	}
	copy_field(fields, "reason", stage->reason, sizeof(stage->reason));
	stage->since = at;
	stage->uid = uid_in(fields);
}

static void recall_event(void *context, time_t at, const char *event, const char *text)
{
	struct recalled *recalled = context;
	json_t *fields = json_loads(text, 0, NULL);
	bool has_target = json_is_string(json_object_get(fields, "target"));

	if (has_target && !strcmp(event, "isolated"))
		recall_isolated(recalled, at, fields);
	else if (has_target && !strcmp(event, "released"))
		recall_released(recalled, fields);
	else if (!strcmp(event, "stage"))
		recall_stage(recalled, at, fields);
	json_decref(fields);
}

static void say_lost(struct seg_engine *engine, const char *problem, time_t now)
{
	const struct seg_state *state = &engine->state;
	struct seg_alert alert;

	seg_say_begin(engine, &alert, "state-lost", SEG_CRIT, now);
	seg_alert_text(&alert, "reason", problem);
	seg_alert_number(&alert, "version", state->confirmed);
	seg_alert_number(&alert, "isolated", state->isolations);
	if (state->stage.id[0])
		seg_alert_text(&alert, "stage", state->stage.id);
	seg_say_send(engine, &alert);
}

void seg_recall_state(struct seg_engine *engine, time_t now)
{
	char *problem = seg_store_take_problem(engine->store);
	struct recalled recalled = {.state = &engine->state, .target = json_object()};

	(void)seg_store_each_record(engine->store, recall_version, &recalled);
	(void)seg_store_each_event(engine->store, 0, recall_event, &recalled);
	json_decref(recalled.target);
	engine->state.lost = now;
	say_lost(engine, problem, now);
	free(problem);
	seg_say_store(engine, now);
	seg_store_put_state_aside(engine->store);
	seg_change_save(engine, now);
}

void seg_recall_settled(struct seg_engine *engine, time_t now)
{
	if (!engine->state.lost)
		return;
	engine->state.lost = 0;
	seg_change_save(engine, now);
}

json_t *seg_recall_sentences(const struct seg_engine *engine)
{
	json_t *list = json_array();
	char text[SEG_TIME_STRLEN];

	if (engine->state.lost)
		json_array_append_new(
			list,
			seg_sentence_new("which version boots, who is isolated and which stage is in force could "
					 "not be read in the state directory at the start of %s, and come from the "
					 "history, as far as that knew: look at `segctl isolated` and `segctl stage "
					 "--list`, say again what is missing, and then `segctl apply`",
					 seg_time_format(engine->state.lost, seg_engine_zone_name(engine), text)));
	return list;
}
