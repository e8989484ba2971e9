/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A version that waits for its confirmation: how it is told of, how it is confirmed, and what became of one
 * that was not, for who comes too late.
 */

#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Without what was revoked, which takes a while. */
json_t *seg_change_document(struct seg_engine *engine, bool unchanged)
{
	json_t *document = json_object();

	json_object_set_new(document, "version",
			    engine->state.current ? json_integer(engine->state.current) : json_null());
	json_object_set_new(document, "hash",
			    engine->running ? json_string(engine->running->policy->hash) : json_null());
	json_object_set_new(document, "unchanged", json_boolean(unchanged));
	json_object_set_new(document, "revoked", json_null());
	json_object_set_new(document, "confirm-until", seg_json_time(engine, engine->state.confirm_until));
	json_object_set_new(document, "back-to", seg_pending_back_to(engine));
	json_object_set_new(document, "replaced", json_null());
	json_object_set_new(document, "notes", json_array());
	json_object_set_new(document, "sentences", json_array());
	return document;
}

json_t *seg_pending_back_to(const struct seg_engine *engine)
{
	const struct seg_state *state = &engine->state;

	return state->confirm_until && state->confirmed ? json_integer(state->confirmed) : json_null();
}

/* Who put the version in force that waits. */
struct applied {
	const struct seg_engine *engine;
	json_t *out;
};

static void find_applied(void *context, const struct seg_record *entry)
{
	struct applied *applied = context;

	if (entry->version != applied->engine->state.current || applied->out)
		return;
	applied->out = json_pack("{s:o, s:I, s:o}", "at", seg_json_time(applied->engine, entry->at), "uid",
				 (json_int_t)entry->uid, "user", seg_json_text(entry->user));
}

json_t *seg_pending_json(struct seg_engine *engine)
{
	struct applied applied = {.engine = engine};

	if (!engine->state.confirm_until)
		return json_null();
	if (seg_store_each_record(engine->store, find_applied, &applied) ||
	    !applied.out) /* it waits all the same */
		applied.out = json_pack("{s:n, s:n, s:n}", "at", "uid", "user");
	json_object_set_new(applied.out, "version", json_integer(engine->state.current));
	json_object_set_new(applied.out, "confirm-until", seg_json_time(engine, engine->state.confirm_until));
	return applied.out;
}

void seg_pending_disarmed(struct seg_engine *engine, time_t now)
{
	const unsigned version = engine->state.current;

	engine->state.confirm_until = 0;
	engine->next_rollback = 0;
	seg_store_version_hash(engine->store, version, engine->state.went_back);
	seg_change_save(engine, now);
	seg_evidence_result(engine, version, SEG_DISARMED);
}

/* What was done last, and before that; of what was refused nobody waits for anything. */
struct done {
	unsigned version;
	enum seg_result result;
	time_t at;
	bool by_itself;
	char who[64];
};
struct latest {
	struct done done[2];
	size_t n;
};

static void take_latest(void *context, const struct seg_record *entry)
{
	struct latest *latest = context;
	struct done *done = &latest->done[latest->n];

	if (entry->result == SEG_REFUSED || latest->n == 2)
		return;
	latest->n++;
	*done = (struct done){.version = entry->version,
			      .result = entry->result,
			      .at = entry->at,
			      .by_itself = entry->user && !strcmp(entry->user, "segd")};
	if (entry->user)
		snprintf(done->who, sizeof(done->who), "%s", entry->user);
	else
		snprintf(done->who, sizeof(done->who), "uid %u", (unsigned)entry->uid);
}

static int nothing_pending(struct seg_engine *engine, json_t **out)
{
	struct latest latest = {.n = 0};
	const struct done *last = &latest.done[0], *before = &latest.done[1];
	char at[SEG_TIME_STRLEN], since[SEG_TIME_STRLEN];

	if (!seg_change_lacks_version(engine))
		seg_store_each_record(engine->store, take_latest, &latest);
	seg_time_format(last->at, seg_engine_zone_name(engine), at);
	seg_time_format(engine->state.since, seg_engine_zone_name(engine), since);
	if (latest.n && last->result == SEG_DISARMED)
		return seg_answer_error(
			out, -ENOENT, "nothing-pending",
			"version %u was not confirmed before the rules were taken out, and waits "
			"no more: `segctl apply` puts in force what %s says",
			last->version, engine->options.policy_file);
	if (latest.n && !engine->running && last->result == SEG_ROLLED_BACK)
		return seg_answer_error(out, -ENOENT, "nothing-pending",
					"version %u was not confirmed in time: the gateway is sealed since "
					"%s; apply it again",
					last->version, since);
	if (latest.n == 2 && engine->running && before->result == SEG_REPLACED)
		return seg_answer_error(out, -ENOENT, "nothing-pending",
					"version %u was replaced by version %u before it was confirmed "
					"(%s, %s): no policy waits for a confirmation",
					before->version, last->version, last->who, at);
	if (latest.n == 2 && engine->running && last->by_itself && last->result == SEG_CONFIRMED &&
	    before->result == SEG_ROLLED_BACK)
		return seg_answer_error(
			out, -ENOENT, "nothing-pending",
			"version %u was not confirmed in time: version %u came back at %s; apply it again",
			before->version, engine->state.current, since);
	return seg_answer_error(out, -ENOENT, "nothing-pending", "no policy waits for a confirmation");
}

int seg_engine_confirm(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct seg_state before = engine->state;
	struct seg_deed change = {.event = "confirmed",
				  .severity = SEG_NOTICE,
				  .version = engine->state.current,
				  .hash = engine->running ? engine->running->policy->hash : NULL,
				  .request = request};
	int r;

	if (!engine->state.confirm_until)
		return nothing_pending(engine, out);
	seg_change_note_confirmed(engine, engine->running);
	engine->state.confirm_until = 0;
	r = seg_change_save(engine, request->now);
	if (r) {
		engine->state = before;
		return seg_answer_error(out, r, "store",
					"not confirmed: the state directory cannot be written: %s",
					strerror(-r));
	}
	engine->next_rollback = 0;
	seg_evidence_result(engine, engine->state.current, SEG_CONFIRMED);
	seg_say_store(engine, request->now);
	seg_change_tell(engine, &change, request->now);
	return seg_revoke_answer(NULL, request, seg_change_document(engine, true), out);
}
