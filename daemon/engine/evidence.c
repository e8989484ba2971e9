/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What an audit asks for beyond the history of policies: emergency actions, tampering,
 * what came and went, and how much was refused, by day. Alerts of these kinds are
 * kept as they are said, and written behind the work that said them: the disk is
 * never in the way of a repair, and what a full one does not take is written once
 * it does. Evidence is bounded; the oldest makes room.
 */

#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/sentence.h"

#define PENDING_MAX 256 /* not yet written */

static const char *const kept_events[] = {
	"isolated", "released", "stage",   "disarmed", "tampered",    "restored",
	"bypass",   "sealed",	"started", "stopped",  "events-lost", "expired",
	"state-lost",
};
/* Of these, what somebody did. */
#define ACTIONS 4

static bool is_among(const char *event, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(kept_events[i], event))
			return true;
	return false;
}

/* Of what cannot be written the oldest event goes; only then what became of a policy. */
static size_t least_needed(const json_t *pending)
{
	size_t i;
	const json_t *one;

	json_array_foreach(pending, i, one)
	{
		if (json_object_get(one, "event"))
			return i;
	}
	return 0;
}

static void add_pending(struct seg_engine *engine, json_t *one)
{
	struct seg_evidence *evidence = &engine->evidence;

	if (!evidence->pending)
		evidence->pending = json_array();
	if (json_array_size(evidence->pending) >= PENDING_MAX && !seg_store_evidence_problem(engine->store))
		seg_evidence_save(engine);
	if (json_array_size(evidence->pending) >= PENDING_MAX)
		json_array_remove(evidence->pending, least_needed(evidence->pending));
	json_array_append_new(evidence->pending, one);
}

void seg_evidence_take(struct seg_engine *engine, const struct seg_alert *alert)
{
	json_t *fields;

	if (!is_among(alert->event, sizeof(kept_events) / sizeof(*kept_events)))
		return;
	fields = json_object();
	for (size_t i = 0; i < alert->fields; i++)
		json_object_set_new(fields, alert->field[i].key, json_string(alert->field[i].value));
	add_pending(engine, json_pack("{s:I, s:s, s:o}", "at", (json_int_t)alert->at, "event", alert->event,
				      "fields", fields));
}

void seg_evidence_record(struct seg_engine *engine, const struct seg_record *record)
{
	json_t *user = record->user ? json_string(record->user) : NULL; /* none where it is not UTF-8 */

	add_pending(engine,
		    json_pack("{s:I, s:s?, s:I, s:I, s:o?, s:s?, s:s?, s:i, s:s?}", "recorded",
			      (json_int_t)record->version, "hash", record->hash, "at", (json_int_t)record->at,
			      "uid", (json_int_t)record->uid, "user", user, "comment", record->comment,
			      "ticket", record->ticket, "result", (int)record->result, "reason", record->reason));
	seg_evidence_save(engine);
}

void seg_evidence_result(struct seg_engine *engine, unsigned version, enum seg_result result)
{
	add_pending(engine, json_pack("{s:I, s:i}", "version", (json_int_t)version, "result", (int)result));
	seg_evidence_save(engine);
}

static int write_event(struct seg_store *store, const json_t *event)
{
	char *fields = json_dumps(json_object_get(event, "fields"), JSON_COMPACT);
	int r = fields ? seg_store_add_event(store, json_integer_value(json_object_get(event, "at")),
					     json_string_value(json_object_get(event, "event")), fields)
		       : 0;

	free(fields);
	return r;
}

static int write_record(struct seg_store *store, const json_t *one)
{
	const struct seg_record record = {
		.version = (unsigned)json_integer_value(json_object_get(one, "recorded")),
		.hash = json_string_value(json_object_get(one, "hash")),
		.at = json_integer_value(json_object_get(one, "at")),
		.uid = (uid_t)json_integer_value(json_object_get(one, "uid")),
		.user = json_string_value(json_object_get(one, "user")),
		.comment = json_string_value(json_object_get(one, "comment")),
		.ticket = json_string_value(json_object_get(one, "ticket")),
		.result = (enum seg_result)json_integer_value(json_object_get(one, "result")),
		.reason = json_string_value(json_object_get(one, "reason")),
	};

	return seg_store_add_record(store, &record);
}

static int write_pending(struct seg_store *store, const json_t *one)
{
	if (json_object_get(one, "event"))
		return write_event(store, one);
	if (json_object_get(one, "recorded"))
		return write_record(store, one);
	return seg_store_set_result(store, (unsigned)json_integer_value(json_object_get(one, "version")),
				    (enum seg_result)json_integer_value(json_object_get(one, "result")));
}

void seg_evidence_save(struct seg_engine *engine)
{
	json_t *pending = engine->evidence.pending;

	while (json_array_size(pending) && !write_pending(engine->store, json_array_get(pending, 0)))
		json_array_remove(pending, 0);
}

/* What the kernel's counters already held when we came was somebody's day before. */
void seg_evidence_begin(struct seg_engine *engine)
{
	engine->evidence.denied = engine->refusals.total;
	engine->evidence.violations = engine->watch.violations;
}

void seg_evidence_count(struct seg_engine *engine, time_t now)
{
	struct seg_evidence *evidence = &engine->evidence;
	uint64_t denied = engine->refusals.total - evidence->denied;
	uint64_t violations = engine->watch.violations - evidence->violations;

	if (!denied && !violations)
		return;
	if (seg_store_add_totals(engine->store, seg_local_time(now, seg_engine_zone_name(engine)).date,
				 denied, violations))
		return; /* counted with the next */
	evidence->denied = engine->refusals.total;
	evidence->violations = engine->watch.violations;
}

/* Answers. */

struct listing {
	struct seg_engine *engine;
	json_t *actions, *incidents; /* NULL: not asked for */
	time_t until;
};

static json_t *number_of(const json_t *fields, const char *key)
{
	const char *text = json_string_value(json_object_get(fields, key));

	return text ? json_integer((json_int_t)strtoull(text, NULL, 10)) : json_null();
}

static json_t *text_of(const json_t *fields, const char *key)
{
	return seg_json_text(json_string_value(json_object_get(fields, key)));
}

static void list_event(void *context, time_t at, const char *event, const char *text)
{
	struct listing *listing = context;
	json_t *list = is_among(event, ACTIONS) ? listing->actions : listing->incidents;
	json_t *fields;

	if (!list || at >= listing->until)
		return;
	fields = json_loads(text, 0, NULL);
	json_array_append_new(
		list,
		json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			  "at", seg_json_time(listing->engine, at), "event", event, "target",
			  text_of(fields, "target"), "stage", text_of(fields, "stage"), "before",
			  text_of(fields, "before"), "permit", text_of(fields, "permit"), "reason",
			  text_of(fields, "reason"), "state", text_of(fields, "state"), "uid",
			  number_of(fields, "uid"), "process", text_of(fields, "process"), "pid",
			  number_of(fields, "pid"), "count", number_of(fields, "count"), "until",
			  text_of(fields, "until"), "action", text_of(fields, "action"), "before-until",
			  text_of(fields, "before-until"), "before-reason",
			  text_of(fields, "before-reason")));
	json_decref(fields);
}

/* Newest first, like the history. */
json_t *seg_evidence_actions(struct seg_engine *engine, time_t now)
{
	struct listing listing = {.engine = engine, .actions = json_array(), .until = now + 1};

	seg_evidence_save(engine);
	seg_store_each_event(engine->store, 0, list_event, &listing);
	seg_say_store(engine, now);
	return listing.actions;
}

struct period {
	seg_date from, until; /* both included */
	seg_date today;
	time_t begins, ends;
	const char *zone;
};

/* 1 April of the fiscal year that a day lies in. */
static seg_date fiscal_year(seg_date day)
{
	char text[11];

	do { /* backwards, a year at most */
		seg_date_format(day, text);
		day--;
	} while (strcmp(text + 5, "04-01") != 0);
	return day + 1;
}

/* Left out, the date stays as it is. */
static int read_date(const struct seg_request *request, const char *key, seg_date *date, json_t **out)
{
	const json_t *value = json_object_get(request->params, key);
	const char *text = json_string_value(value);

	if (!value || json_is_null(value) ||
	    (text && seg_date_parse(text, json_string_length(value), date)))
		return 0;
	return seg_answer_error(out, -EINVAL, "invalid-parameter",
				"%s: '%s' is no day of the calendar; write one such as 2027-03-31", key,
				text ? text : "");
}

static bool is_left_out(const struct seg_request *request, const char *key)
{
	const json_t *value = json_object_get(request->params, key);

	return !value || json_is_null(value);
}

static int no_period(const struct seg_request *request, const struct period *period, json_t **out)
{
	char from[11], until[11];

	seg_date_format(period->from, from);
	seg_date_format(period->until, until);
	if (is_left_out(request, "until"))
		return seg_answer_error(
			out, -EINVAL, "invalid-parameter",
			"the period would begin on %s, after its end: its last day, left out, is today, %s",
			from, until);
	return seg_answer_error(out, -EINVAL, "invalid-parameter",
				"the period would end on %s, before it begins on %s", until, from);
}

static int read_period(struct seg_engine *engine, const struct seg_request *request, struct period *period,
		       json_t **out)
{
	int r;

	period->zone = seg_engine_zone_name(engine);
	period->until = period->today = seg_local_time(request->now, period->zone).date;
	r = read_date(request, "until", &period->until, out);
	if (r)
		return r;
	period->from = fiscal_year(period->until);
	r = read_date(request, "from", &period->from, out);
	if (r)
		return r;
	if (period->from > period->until)
		return no_period(request, period, out);
	period->begins = seg_time_of(period->from, 0, period->zone);
	period->ends = seg_time_of(period->until + 1, 0, period->zone);
	return 0;
}

static json_t *date_or_null(seg_date date)
{
	char text[11];

	return date ? json_string(seg_date_format(date, text)) : json_null();
}

static json_t *permit_evidence(struct seg_engine *engine, const struct seg_permit *permit,
			       const struct period *period, time_t now)
{
	json_t *one = seg_json_permit(engine, permit, now);
	const struct seg_usage_row use = seg_usage_of(engine, permit->id);

	json_object_set_new(one, "method",
			    permit->method ? json_string(seg_method_name(permit->method)) : json_null());
	json_object_set_new(one, "owner", seg_json_text(permit->owner));
	json_object_set_new(one, "approver", seg_json_text(permit->approver));
	json_object_set_new(one, "ticket", seg_json_text(permit->ticket));
	json_object_set_new(one, "basis", seg_json_text(permit->basis));
	json_object_set_new(one, "valid-from", date_or_null(permit->schedule.from));
	json_object_set_new(one, "valid-until", date_or_null(permit->schedule.until));
	json_object_set_new(one, "review", date_or_null(permit->review));
	json_object_set_new(one, "review-due",
			    json_boolean(permit->review && permit->review <= period->until));
	json_object_set_new(one, "external-audit", seg_json_text(permit->external_audit));
	/* What was used before the period, and behind it, may have been used in between. */
	json_object_set_new(one, "unused",
			    json_boolean(use.last < period->begins || use.first >= period->ends));
	return one;
}

static json_t *permits_evidence(struct seg_engine *engine, const struct period *period, time_t now)
{
	const struct seg_policy *policy = engine->running ? engine->running->policy : NULL;
	json_t *list = json_array();

	seg_usage_settle(engine);
	for (size_t i = 0; policy && i < policy->permits; i++)
		json_array_append_new(list, permit_evidence(engine, &policy->permit[i], period, now));
	return list;
}

/* Changes of the period, and what was in force when it began. */
struct policies {
	struct seg_engine *engine;
	json_t *list;
	const struct period *period;
	bool complete;
};

static void list_policy(void *context, const struct seg_record *record)
{
	struct policies *policies = context;
	bool before = record->at < policies->period->begins;

	if (policies->complete || record->at >= policies->period->ends)
		return;
	if (before && record->result != SEG_CONFIRMED)
		return;
	json_array_append_new(policies->list, seg_json_record(policies->engine, record));
	policies->complete = before;
}

/* A period that is not over, as by a slip of the year. */
static void note_future(const struct seg_request *request, const struct period *period, json_t *document)
{
	char text[11], today[11];

	if (period->until <= period->today)
		return;
	seg_answer_note(document, seg_sentence_new("the period ends on %s, and today is %s: it is not over",
						   seg_date_format(period->until, text),
						   seg_date_format(period->today, today)));
	if (is_left_out(request, "from") && period->from > period->today)
		seg_answer_note(
			document,
			seg_sentence_new("it begins on %s, with the fiscal year of its last day, since "
					 "its first day was left out",
					 seg_date_format(period->from, text)));
}

static int tell_report(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct listing events = {.engine = engine};
	struct policies policies = {.engine = engine};
	uint64_t denied = 0, violations = 0;
	struct period period;
	int r = read_period(engine, request, &period, out);

	if (r)
		return r;
	seg_evidence_save(engine);
	seg_evidence_count(engine, request->now);
	policies.list = json_array();
	policies.period = &period;
	events.actions = json_array();
	events.incidents = json_array();
	events.until = period.ends;
	r = seg_store_each_record(engine->store, list_policy, &policies);
	if (!r)
		r = seg_store_each_event(engine->store, period.begins, list_event, &events);
	if (!r)
		r = seg_store_sum_totals(engine->store, period.from, period.until, &denied, &violations);
	if (r) {
		char *problem = seg_store_take_problem(engine->store);

		json_decref(policies.list);
		json_decref(events.actions);
		json_decref(events.incidents);
		seg_answer_error(out, r, "store", "the evidence cannot be read: %s",
				 problem ? problem : strerror(-r));
		free(problem);
		return r;
	}
	*out = json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:[], s:[]}", "site",
			 seg_json_text(engine->running ? engine->running->policy->site : NULL), "from",
			 date_or_null(period.from), "until", date_or_null(period.until), "made",
			 seg_json_time(engine, request->now), "denied", (json_int_t)denied, "violations",
			 (json_int_t)violations, "policies", policies.list, "permits",
			 permits_evidence(engine, &period, request->now), "actions", events.actions,
			 "incidents", events.incidents, "notes", "sentences");
	note_future(request, &period, *out);
	return 0;
}

int seg_engine_report(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	return seg_readings_answer(engine, request, SEG_READ_ALL, tell_report, out);
}
