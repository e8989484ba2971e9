/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Changes of the policy by people: apply, rollback, disarm; told, recorded, refused. What waits to be
 * confirmed: pending.c.
 */

#include "state.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "control/interface.h"
#include "control/sentence.h"

/* Telling. */

static const char *user_name(uid_t uid)
{
	const struct passwd *entry = getpwuid(uid);

	return entry ? entry->pw_name : NULL;
}

void seg_change_tell(struct seg_engine *engine, const struct seg_deed *change, time_t now)
{
	struct seg_alert alert;

	seg_alert_init(&alert, change->event, change->severity, now);
	seg_alert_text(&alert, "site", engine->running ? engine->running->policy->site : NULL);
	if (change->version)
		seg_alert_number(&alert, "policy", change->version);
	seg_alert_text(&alert, "hash", change->hash);
	seg_alert_number(&alert, "uid", change->request ? change->request->uid : 0);
	seg_alert_text(&alert, "comment", change->comment);
	seg_alert_text(&alert, "ticket", change->ticket);
	if (change->replaced)
		seg_alert_number(&alert, "replaced", change->replaced);
	seg_alert_text(&alert, "reason", change->reason);
	seg_say_send(engine, &alert);
}

void seg_change_record(struct seg_engine *engine, const struct seg_deed *change, enum seg_result result,
		       time_t now)
{
	uid_t uid = change->request ? change->request->uid : 0;
	struct seg_record entry = {
		.version = change->version,
		.hash = change->hash,
		.at = now,
		.uid = uid,
		.user = change->request ? user_name(uid) : "segd",
		.comment = change->comment,
		.ticket = change->ticket,
		.result = result,
		.reason = result == SEG_REFUSED ? change->reason : NULL,
	};

	seg_evidence_record(engine, &entry);
	seg_say_store(engine, now);
}

static void refuse_for(struct seg_engine *engine, const char *reason, const struct seg_request *request,
		       const char *hash, const char *comment, const char *ticket, time_t now)
{
	struct seg_deed change = {.event = "refused",
				  .severity = SEG_WARNING,
				  .hash = hash,
				  .request = request,
				  .comment = comment,
				  .ticket = ticket,
				  .reason = reason};

	seg_change_tell(engine, &change, now);
	seg_change_record(engine, &change, SEG_REFUSED, now);
}

void seg_change_refuse(struct seg_engine *engine, const struct seg_diags *diags,
		       const struct seg_request *request, const char *hash, const char *comment,
		       const char *ticket, time_t now)
{
	char line[512];

	seg_rulebook_first_error(diags, line, sizeof(line));
	refuse_for(engine, line, request, hash, comment, ticket, now);
}

/* Saving. */

void seg_change_note_confirmed(struct seg_engine *engine, const struct seg_rulebook *book)
{
	engine->state.confirmed = engine->state.current;
	if (book && !strcmp(engine->state.went_back, book->policy->hash))
		engine->state.went_back[0] = '\0';
}

bool seg_change_lacks_version(const struct seg_engine *engine)
{
	return engine->running && !engine->running->version;
}

/* r of a write that the next start needs. */
static int note_saved(struct seg_engine *engine, int r, time_t now)
{
	char *problem = r ? seg_store_take_problem(engine->store) : NULL;

	if (r && !engine->unsaved)
		seg_say_store_failed(engine, problem, now);
	if (r || !seg_change_lacks_version(engine)) {
		free(engine->unsaved);
		engine->unsaved = problem;
	}
	return r;
}

int seg_change_save(struct seg_engine *engine, time_t now)
{
	return note_saved(engine, seg_store_save_state(engine->store, &engine->state), now);
}

int seg_change_give_version(struct seg_engine *engine, struct seg_rulebook *book, time_t now)
{
	return note_saved(engine, seg_store_put_version(engine->store, book->policy, now, &book->version),
			  now);
}

void seg_change_stands(struct seg_engine *engine, const struct seg_deed *deed, time_t at, time_t now)
{
	engine->state.current = deed->version;
	seg_change_note_confirmed(engine, engine->running);
	seg_change_save(engine, now);
	seg_change_record(engine, deed, SEG_CONFIRMED, at);
	seg_change_tell(engine, deed, now);
}

/* What is in force without a version gets one, on behalf of whoever put it there. */
static int give_it_one(struct seg_engine *engine, struct seg_deed *deed, time_t at, time_t now)
{
	int r = seg_change_give_version(engine, engine->running, now);

	if (r)
		return r;
	deed->version = engine->running->version;
	seg_change_stands(engine, deed, at, now);
	seg_say_status(engine);
	return 0;
}

int seg_change_answer_unsaved(const struct seg_engine *engine, int r, json_t **out)
{
	return seg_answer_error(out, r, "store",
				"it is done, but cannot be stored (%s), and a restart of segd would undo it: "
				"see that the state directory has room and can be written; "
				"it is stored within a second then",
				engine->unsaved);
}

void seg_change_save_again(struct seg_engine *engine, time_t now)
{
	if (!engine->unsaved)
		return;
	if (seg_change_lacks_version(engine)) {
		struct seg_deed deed = {.event = "applied",
					.severity = SEG_NOTICE,
					.hash = engine->running->policy->hash,
					.comment = SEG_AT_START};

		give_it_one(engine, &deed, engine->state.since, now);
	} else {
		seg_change_save(engine, now);
	}
}

/* Going back. */

/* Does the file say what is in force? */
static bool file_is_in_force(struct seg_engine *engine)
{
	struct seg_diags failed;
	struct seg_rulebook *book = seg_rulebook_from_file(engine, &failed);
	bool same = book && !strcmp(book->policy->hash, engine->running->policy->hash);

	if (!book)
		seg_diags_fini(&failed);
	seg_rulebook_free(book);
	return same;
}

void seg_change_say_not_to_boot(struct seg_engine *engine)
{
	seg_engine_say_why(engine, "%s was rolled back or never confirmed: `segctl apply` puts it in force",
			   engine->options.policy_file);
}

/* Why what the file says is not in force: what went, what came, and what would put it there. from 0: it had
 * no version; version 0: none came. */
static void say_what_came_back(struct seg_engine *engine, unsigned from, unsigned version, bool by_hand)
{
	const char *file = engine->options.policy_file;

	if (!version)
		seg_engine_say_why(engine,
				   "version %u was not confirmed, and there was none before it: "
				   "`segctl apply` puts in force what %s says",
				   from, file);
	else if (from == version || file_is_in_force(engine))
		seg_engine_because(engine, NULL);
	else if (!from)
		seg_change_say_not_to_boot(engine);
	else if (by_hand)
		seg_engine_say_why(engine,
				   "version %u was rolled back and version %u is in force: "
				   "what %s says is not until `segctl apply`",
				   from, version, file);
	else
		seg_engine_say_why(engine,
				   "version %u was not confirmed in time and version %u is in force again: "
				   "what %s says is not until `segctl apply`",
				   from, version, file);
}

int seg_change_went_back(struct seg_engine *engine, unsigned from, unsigned version,
			 const struct seg_request *request, const char *why, time_t now)
{
	struct seg_deed change = {.event = "rolled-back",
				  .severity = SEG_WARNING,
				  .version = version,
				  .hash = engine->running ? engine->running->policy->hash : NULL,
				  .request = request,
				  .comment = why};
	int r;

	if (from && from != version)
		seg_store_version_hash(engine->store, from, engine->state.went_back);
	engine->state.current = version;
	seg_change_note_confirmed(engine, engine->running);
	engine->state.confirm_until = 0;
	engine->state.since = now;
	r = seg_change_save(engine, now);
	if (from && from != version)
		seg_evidence_result(engine, from, SEG_ROLLED_BACK);
	if (version)
		seg_change_record(engine, &change, SEG_CONFIRMED, now);
	say_what_came_back(engine, from, version, request != NULL);
	seg_change_tell(engine, &change, now);
	seg_say_status(engine);
	return r;
}

int seg_apply_go_back(struct seg_engine *engine, unsigned version, const struct seg_request *request,
		      const char *why, time_t now, struct seg_gone_back *gone)
{
	unsigned from = engine->state.current;
	struct seg_rulebook *book = NULL;
	struct seg_diags diags;
	char unstored[65] = ""; /* the hash of what leaves without ever having had a version */
	int r = 0;

	seg_diags_init(&diags);
	if (version) {
		struct seg_diags failed;

		book = seg_rulebook_from_store(engine, version, &failed);
		if (!book) {
			seg_diags_fini(&diags);
			diags = failed;
			r = -ENOENT;
		}
	}
	if (seg_change_lacks_version(engine))
		snprintf(unstored, sizeof(unstored), "%s", engine->running->policy->hash);
	if (!r)
		r = seg_apply_install(engine, book, now, "rollback", &diags, &gone->revoked);
	if (r) {
		struct seg_strbuf text = {0};

		seg_diags_render(&diags, false, &text);
		gone->problem = seg_strbuf_take(&text);
		seg_change_refuse(engine, &diags, request, NULL, why, NULL, now);
		seg_rulebook_free(book);
	} else {
		if (unstored[0])
			snprintf(engine->state.went_back, sizeof(engine->state.went_back), "%s", unstored);
		gone->unsaved = seg_change_went_back(engine, from, version, request, why, now);
	}
	seg_diags_fini(&diags);
	return r;
}

/* apply, confirm, rollback. */

struct wish {
	const char *comment, *ticket;
	json_int_t within;
	bool file; /* what the policy file says is to be in force, not a version of the history */
};

/* What people write beside a change goes out in one line of syslog. */
static bool is_remark(const char *text)
{
	return !text || seg_utf8_count(text, strlen(text)) <= SEG_REMARK_MAX;
}

static int remarks_refusal(const struct wish *wish, json_t **out)
{
	if (!is_remark(wish->comment))
		return seg_answer_error(out, -EINVAL, "invalid-parameter",
					"the comment is longer than %d characters", SEG_REMARK_MAX);
	if (!is_remark(wish->ticket))
		return seg_answer_error(out, -EINVAL, "invalid-parameter",
					"the ticket is longer than %d characters", SEG_REMARK_MAX);
	return 0;
}

static int read_wish(const struct seg_request *request, struct wish *wish, json_t **out)
{
	const json_t *params = request->params;
	const json_t *within = json_object_get(params, "confirm-within");

	*wish = (struct wish){
		.comment = json_string_value(json_object_get(params, "comment")),
		.ticket = json_string_value(json_object_get(params, "ticket")),
		.within = json_integer_value(within),
		.file = true,
	};
	if (within && !json_is_null(within) &&
	    (!json_is_integer(within) || wish->within < 1 || wish->within > 604800))
		return seg_answer_error(out, -EINVAL, "invalid-parameter",
					"confirm-within is a number of seconds from 1 to 604800 (a week)");
	return remarks_refusal(wish, out);
}

/* A refusal like any other: it is in the history, too. */
static void refuse_to_cut(struct seg_engine *engine, const struct seg_request *request, const char *hash,
			  const struct wish *wish)
{
	refuse_for(engine, "it would cut the SSH session of whoever asked", request, hash, wish->comment,
		   wish->ticket, request->now);
}

/* Commits a candidate that was stored; on failure the state is what it was. */
static int apply_candidate(struct seg_engine *engine, struct seg_rulebook *book, const struct wish *wish,
			   const struct seg_request *request, struct seg_diags *diags,
			   struct seg_revocation **revoked)
{
	struct seg_state before = engine->state;
	time_t now = request->now;
	int r = 0;

	if (wish->within) { /* on disk first: should we die behind the commit, we go back */
		engine->state.current = book->version;
		engine->state.confirm_until = now + wish->within;
		r = seg_change_save(engine, now);
		if (r)
			seg_error(diags, SEG_KERNEL, (struct seg_place){0},
				  "the deadline cannot be stored: %s", strerror(-r));
	}
	if (!r)
		r = seg_apply_install(engine, book, now, "apply", diags, revoked);
	if (r) {
		engine->state = before;
		if (wish->within)
			seg_change_save(engine, now);
		return r;
	}
	if (before.confirm_until && before.current) /* the version that waited is over */
		seg_evidence_result(engine, before.current, SEG_REPLACED);
	engine->state.current = book->version;
	engine->state.since = now;
	if (!wish->within) {
		seg_change_note_confirmed(engine, book);
		engine->state.confirm_until = 0;
	}
	seg_change_save(engine, now);
	return 0;
}

static int apply_book(struct seg_engine *engine, struct seg_rulebook *book, const struct wish *wish,
		      const struct seg_request *request, json_t **out)
{
	struct seg_revocation *revoked = NULL;
	struct seg_diags diags;
	time_t now = request->now;
	int r = seg_store_put_version(engine->store, book->policy, now, &book->version);

	if (r) {
		char *problem = seg_store_take_problem(engine->store);

		seg_answer_error(out, r, "store",
				 "nothing was changed: the new version cannot be stored (%s): "
				 "see that the state directory has room and can be written, and apply again",
				 problem ? problem : strerror(-r));
		free(problem);
		seg_rulebook_free(book);
		return r;
	}
	seg_diags_init(&diags);
	struct seg_deed change = {.event = "applied",
				  .severity = SEG_NOTICE,
				  .version = book->version,
				  .hash = book->policy->hash,
				  .request = request,
				  .comment = wish->comment,
				  .ticket = wish->ticket,
				  .replaced = engine->state.confirm_until ? engine->state.current : 0};
	json_t *replaced = seg_pending_json(engine), *document;
	r = apply_candidate(engine, book, wish, request, &diags, &revoked);
	if (r) {
		seg_change_refuse(engine, &diags, request, book->policy->hash, wish->comment, wish->ticket,
				  now);
		if (diags.errors) {
			seg_answer_refused(out, &diags);
			json_object_set_new(*out, "code", json_string("kernel")); /* who refuses it */
		} else {
			seg_answer_error(out, r, "kernel", "nothing was changed: %s", strerror(-r));
		}
		seg_store_drop_version(engine->store, book->version);
		seg_rulebook_free(book);
	} else {
		seg_change_record(engine, &change, wish->within ? SEG_PENDING : SEG_CONFIRMED, now);
		seg_change_tell(engine, &change, now);
		seg_say_status(engine);
		document = seg_change_document(engine, false);
		json_object_set(document, "replaced", replaced);
		r = seg_revoke_answer(revoked, request, document, out);
	}
	json_decref(replaced);
	seg_diags_fini(&diags);
	return r;
}

/* What was asked for and is not done, where the policy was in force before. */
static void note_what_is_left_out(const struct seg_engine *engine, const struct wish *wish, bool recorded,
				  json_t *document)
{
	if (wish->within && engine->state.confirm_until)
		seg_answer_note(document,
				seg_sentence_new(
					"nothing has changed: the deadline stays the one that runs already"));
	else if (wish->within)
		seg_answer_note(
			document,
			seg_sentence_new("no deadline runs: version %u is confirmed already, and is what "
					 "a deadline would go back to",
					 engine->state.current));
	if (!recorded && wish->comment)
		seg_answer_note(document,
				seg_sentence_new("nothing has changed: the comment is not recorded"));
	if (!recorded && wish->ticket)
		seg_answer_note(document,
				seg_sentence_new("nothing has changed: the ticket is not recorded"));
}

/* The policy that is in force already: repaired where somebody changed the kernel, armed again after disarm.
 * Its deadline, if one runs, is not touched; and none begins, for behind a disarm the way back would be an
 * open gateway.
 */
static int keep_in_force(struct seg_engine *engine, const struct wish *wish,
			 const struct seg_request *request, json_t **out)
{
	struct seg_deed change = {.event = "applied",
				  .severity = SEG_NOTICE,
				  .version = engine->running->version,
				  .hash = engine->running->policy->hash,
				  .request = request,
				  .comment = wish->comment,
				  .ticket = wish->ticket};
	const bool disarmed = engine->disarmed, unstored = seg_change_lacks_version(engine);
	struct seg_revocation *revoked = NULL;
	json_t *document;
	int r = seg_apply_refresh(engine, request->now, "apply", &revoked);

	if (r)
		return seg_answer_error(out, r, "kernel", "the kernel refused: %s", strerror(-r));
	if (wish->file)
		seg_engine_because(engine, NULL);
	seg_say_status(engine);
	if (disarmed) {
		engine->next_window = request->now;
		seg_watch_look_again(engine); /* what began while nothing was separated */
	}
	if (unstored) {
		r = give_it_one(engine, &change, request->now, request->now);
	} else if (disarmed) {
		seg_change_record(engine, &change, SEG_CONFIRMED, request->now);
		seg_change_tell(engine, &change, request->now);
	}
	if (r)
		return seg_answer_error(out, r, "store",
					"the policy is in force, but it cannot be stored (%s): "
					"see that the state directory has room and can be written; "
					"it is stored within a second then",
					engine->unsaved);
	document = seg_change_document(engine, !disarmed);
	note_what_is_left_out(engine, wish, disarmed || unstored, document);
	return seg_revoke_answer(revoked, request, document, out);
}

/* Its waiting ended with a disarm: it has to be applied, as if it were another. */
static bool was_given_up(const struct seg_engine *engine)
{
	return engine->disarmed && !seg_change_lacks_version(engine) &&
	       engine->running->version != engine->state.confirmed;
}

static int apply_file(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct seg_rulebook *book;
	enum seg_session_fate fate;
	struct seg_session session;
	struct seg_diags failed;
	struct wish wish;
	bool same;
	int r = read_wish(request, &wish, out);

	if (r)
		return r;
	book = seg_rulebook_from_file(engine, &failed);
	if (!book) {
		r = seg_answer_refused(out, &failed);
		seg_change_refuse(engine, &failed, request, NULL, wish.comment, wish.ticket, request->now);
		seg_diags_fini(&failed);
		return r;
	}
	same = engine->running && !strcmp(engine->running->policy->hash, book->policy->hash);
	seg_session_read(engine, request, &session);
	fate = same && !engine->disarmed ? SEG_SESSION_GOES_ON
					 : seg_session_fate(engine, &session, book, request->now);
	if (fate) {
		refuse_to_cut(engine, request, book->policy->hash, &wish);
		seg_rulebook_free(book);
		if (fate > SEG_SESSION_CUT)
			return seg_session_answer_unknown(&session, fate, out);
		return seg_answer_error(
			out, -EPERM, "would-cut-session",
			"this policy would cut your own SSH session (%s); permit it, or say --force",
			session.text);
	}
	if (!same || was_given_up(engine))
		return apply_book(engine, book, &wish, request, out);
	seg_rulebook_free(book);
	return keep_in_force(engine, &wish, request, out);
}

int seg_engine_apply(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	int r = apply_file(engine, request, out);

	if (r >= 0)
		seg_recall_settled(engine, request->now);
	return r;
}

void seg_apply_reload(struct seg_engine *engine, time_t now)
{
	struct seg_request request = {.now = now};
	json_t *out = NULL;

	apply_file(engine, &request, &out); /* what came of it was told: applied, refused */
	json_decref(out);
}

struct earlier_version {
	unsigned current, found;
};

static void find_earlier(void *context, const struct seg_record *entry)
{
	struct earlier_version *search = context;

	if (entry->result == SEG_CONFIRMED && entry->version && entry->version < search->current &&
	    entry->version > search->found)
		search->found = entry->version;
}

/* What was confirmed before; 0: none. -errno where the history, which knows, cannot be read. */
static int version_before(struct seg_engine *engine, json_int_t *version)
{
	struct earlier_version search = {.current = engine->state.current};
	int r;

	*version = engine->state.confirmed;
	if (engine->state.confirm_until || seg_change_lacks_version(engine))
		return 0;
	r = seg_store_each_record(engine->store, find_earlier, &search);
	*version = search.found;
	return r;
}

static bool is_stored(struct seg_engine *engine, json_int_t version)
{
	char hash[65];

	if (version < 1 || version > UINT32_MAX)
		return false;
	if (seg_store_version_hash(engine->store, (unsigned)version, hash))
		return true;
	free(seg_store_take_problem(engine->store));
	return false;
}

/* What becomes of the caller's session with this version; of one that is to be spared: without any version all is cut. */
static enum seg_session_fate fate_with(struct seg_engine *engine, unsigned version, const struct seg_request *request,
				       struct seg_session *session)
{
	enum seg_session_fate fate;
	struct seg_rulebook *book;
	struct seg_diags failed;

	if (engine->disarmed) /* nothing cuts it now */
		seg_session_read(engine, request, session);
	else
		seg_session_to_spare(engine, request, session);
	if (!session->text || !version)
		return session->text ? SEG_SESSION_CUT : SEG_SESSION_GOES_ON;
	book = seg_rulebook_from_store(engine, version, &failed);
	if (!book) { /* who tries to go back says why */
		seg_diags_fini(&failed);
		return SEG_SESSION_GOES_ON;
	}
	fate = seg_session_fate(engine, session, book, request->now);
	seg_rulebook_free(book);
	return fate;
}

int seg_engine_rollback(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	const json_t *asked = json_object_get(request->params, "version");
	const bool named = json_is_integer(asked);
	json_int_t wanted = json_integer_value(asked);
	const struct wish wish = {
		.comment = json_string_value(json_object_get(request->params, "comment")),
	};
	struct seg_gone_back gone = {0};
	enum seg_session_fate fate;
	struct seg_session session;
	char hash[65] = "";
	unsigned version;
	bool here; /* it is in force already */
	int r = remarks_refusal(&wish, out);

	if (r)
		return r;
	r = named ? 0 : version_before(engine, &wanted);
	if (r)
		return seg_answer_history_unreadable(engine, r, out);
	version = (unsigned)wanted;
	if (!named && !wanted && !engine->state.confirm_until)
		return seg_answer_error(out, -ENOENT, "not-found",
					"there is no earlier version to go back to");
	if ((named || wanted) && !is_stored(engine, wanted))
		return seg_answer_error(
			out, -ENOENT, "not-found",
			"version %lld is not in the state directory; `segctl history` lists them",
			(long long)wanted);
	here = version && engine->running && engine->running->version == version && !was_given_up(engine);
	fate = here && !engine->disarmed ? SEG_SESSION_GOES_ON : fate_with(engine, version, request, &session);
	if (fate) {
		if (version)
			seg_store_version_hash(engine->store, version, hash);
		refuse_to_cut(engine, request, hash[0] ? hash : NULL, &wish);
		if (fate > SEG_SESSION_CUT)
			return seg_session_answer_unknown(&session, fate, out);
		return seg_answer_error(
			out, -EPERM, "would-cut-session",
			"version %u would cut your own SSH session (%s), and is not brought back; "
			"if it shall be, say --force",
			version, session.text);
	}
	if (here)
		return keep_in_force(engine, &wish, request, out);
	r = seg_apply_go_back(engine, version, request, wish.comment ? wish.comment : "rollback",
			      request->now, &gone);
	if (r)
		seg_answer_error(out, r, "refused", "version %u cannot come back: %s", version,
				 gone.problem ? gone.problem : strerror(-r));
	else if (gone.unsaved)
		r = seg_change_answer_unsaved(engine, gone.unsaved, out);
	else
		r = seg_revoke_answer(gone.revoked, request, seg_change_document(engine, false), out);
	free(gone.problem);
	return r;
}

int seg_engine_disarm(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct seg_deed change = {.event = "disarmed", .severity = SEG_CRIT, .request = request};
	unsigned given_up = 0;
	int r;

	if (!json_is_true(json_object_get(request->params, "yes")))
		return seg_answer_error(out, -EINVAL, "confirmation-missing",
					"disarm takes every rule out and opens the gateway; say --yes");
	seg_usage_read(engine, request->now);
	seg_readings_stop(engine);
	seg_hands_forget(engine);
	r = engine->ops->remove(engine->kernel);
	if (r)
		return seg_answer_error(out, r, "kernel", "the rules cannot be taken out: %s", strerror(-r));
	engine->disarmed = true;
	if (engine->state.confirm_until) {
		given_up = engine->state.current;
		seg_pending_disarmed(engine, request->now);
	}
	engine->next_repair = engine->next_look = engine->next_refresh = engine->next_window = 0;
	seg_plan_free(engine->plan);
	engine->plan = NULL;
	seg_limits_let_go(engine, request->now);
	seg_change_tell(engine, &change, request->now);
	seg_say_status(engine);
	*out = json_pack("{s:s, s:o}", "state", seg_engine_state(engine), "given-up",
			 given_up ? json_integer(given_up) : json_null());
	return 0;
}
