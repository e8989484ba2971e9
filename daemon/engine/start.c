/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Which policy a start puts in force: the file, unless it was rolled back or never confirmed; a version that
 * waits for its confirmation; the last confirmed one; none, sealed.
 */

#include "state.h"

#include <stdlib.h>
#include <string.h>

/* A policy file that was rolled back, or never confirmed, is not what boots. */
static bool may_boot(struct seg_engine *engine, const struct seg_rulebook *book)
{
	enum seg_result fate;

	/* The history may be lost, or not know it yet. */
	if (!strcmp(engine->state.went_back, book->policy->hash))
		return false;
	return !seg_store_fate(engine->store, book->policy->hash, &fate) || fate == SEG_CONFIRMED;
}

static bool has_hash(struct seg_engine *engine, unsigned version, const char *hash)
{
	char stored[65];

	return version && seg_store_version_hash(engine->store, version, stored) && !strcmp(stored, hash);
}

/* A number for the policy file that is about to boot: its old one, or a new one. Without room for it the file
 * is enforced all the same, and gets one later. */
static void number_at_start(struct seg_engine *engine, struct seg_rulebook *book, time_t now)
{
	const char *hash = book->policy->hash;

	if (has_hash(engine, engine->state.confirmed, hash)) {
		book->version = engine->state.confirmed;
		return;
	}
	(void)seg_change_give_version(engine, book, now);
}

static void started_with(struct seg_engine *engine, time_t now)
{
	struct seg_rulebook *book = engine->running;
	struct seg_deed change = {.event = "applied",
				  .severity = SEG_NOTICE,
				  .version = book->version,
				  .hash = book->policy->hash,
				  .comment = SEG_AT_START};

	if (book->version && book->version == engine->state.current)
		return;
	engine->state.since = now;
	if (book->version)
		seg_change_stands(engine, &change, now, now);
	else
		engine->state.current = 0;
}

/* Tries one candidate; true when it is in force. */
static bool start_with(struct seg_engine *engine, struct seg_rulebook *book, time_t now)
{
	struct seg_diags diags;
	char line[512];
	int r;

	seg_diags_init(&diags);
	r = seg_apply_install(engine, book, now, "start", &diags, NULL);
	if (r) {
		seg_rulebook_first_error(&diags, line, sizeof(line));
		seg_engine_say_why(engine,
				   "%s could not be put in force: %s; mend that, and say `segctl apply`",
				   engine->options.policy_file, line);
		seg_change_refuse(engine, &diags, NULL, book->policy->hash, SEG_AT_START, NULL, now);
		seg_rulebook_free(book);
	}
	seg_diags_fini(&diags);
	return !r;
}

/* A file that is not there, or may not be read, has no mistakes to name. */
static void say_why_not(struct seg_engine *engine, const struct seg_diags *failed)
{
	const struct seg_diag *first = failed->first;
	char line[512];

	seg_rulebook_first_error(failed, line, sizeof(line));
	if (!first || first->place.source)
		seg_engine_say_why(
			engine, "%s; `segctl check %s` names all mistakes, `segctl apply` puts it in force",
			line, engine->options.policy_file);
	else if (first->hint)
		seg_engine_say_why(engine, "%s; %s; then `segctl apply` puts it in force", line, first->hint);
	else
		seg_engine_say_why(engine, "%s; mend that, and say `segctl apply`", line);
}

static bool start_from_file(struct seg_engine *engine, time_t now)
{
	struct seg_diags failed;
	struct seg_rulebook *book = seg_rulebook_from_file(engine, &failed);
	unsigned given; /* a number that it did not have; 0 */

	if (!book) {
		say_why_not(engine, &failed);
		seg_change_refuse(engine, &failed, NULL, NULL, SEG_AT_START, NULL, now);
		seg_diags_fini(&failed);
		return false;
	}
	if (!may_boot(engine, book)) {
		seg_change_say_not_to_boot(engine);
		seg_rulebook_free(book);
		return false;
	}
	number_at_start(engine, book, now);
	given = book->version != engine->state.confirmed ? book->version : 0;
	if (!start_with(engine, book, now)) {
		if (given)
			seg_store_drop_version(engine->store, given);
		return false;
	}
	started_with(engine, now);
	return true;
}

static bool start_from_store(struct seg_engine *engine, unsigned version, time_t now)
{
	json_t *said = json_incref(engine->said);
	struct seg_diags failed;
	struct seg_rulebook *book;
	bool done = false;

	if (version) {
		book = seg_rulebook_from_store(engine, version, &failed);
		if (!book)
			seg_diags_fini(&failed);
		else
			done = start_with(engine, book, now);
	}
	if (done && said)
		seg_engine_because(engine, said);
	else
		json_decref(said);
	return done;
}

/* A version that waits for its confirmation: it stays over a restart of the daemon while there is
 * time, never over a reboot. */
static bool start_pending(struct seg_engine *engine, bool found, time_t now)
{
	unsigned from = engine->state.current;

	if (found && now < engine->state.confirm_until)
		return start_from_store(engine, from, now);
	seg_engine_say_why(engine,
			   "version %u was not confirmed, and none before it can come back: "
			   "`segctl apply` puts in force what %s says",
			   from, engine->options.policy_file);
	if (!start_from_store(engine, engine->state.confirmed, now))
		return false;
	(void)seg_change_went_back(engine, from, engine->state.confirmed, NULL,
				   "not confirmed before the restart", now);
	return true;
}

static int start_sealed(struct seg_engine *engine, time_t now)
{
	struct seg_deed change = {.event = "sealed", .severity = SEG_CRIT, .reason = engine->why};
	struct seg_diags diags;
	int r;

	seg_diags_init(&diags);
	r = seg_apply_install(engine, NULL, now, "sealed", &diags, NULL);
	seg_diags_fini(&diags);
	if (!r)
		seg_change_tell(engine, &change, now);
	return r;
}

struct sought {
	unsigned version;
	bool found;
};

static void compare_version(void *context, const struct seg_record *entry)
{
	struct sought *sought = context;

	sought->found |= entry->version == sought->version;
}

/* The record of a change is written when it is in force: of a daemon that died before that the state alone
 * knows. Without one the version could not be told from a file that was edited since, and one that was never
 * confirmed would boot. */
static void record_what_died(struct seg_engine *engine, time_t now)
{
	struct sought sought = {.version = engine->state.current};
	struct seg_deed change = {.version = engine->state.current,
				  .comment = "in force at the start of the daemon, and not recorded"};
	char hash[65];

	if (!sought.version || !seg_store_version_hash(engine->store, sought.version, hash) ||
	    seg_store_each_record(engine->store, compare_version, &sought) || sought.found)
		return;
	change.hash = hash;
	seg_change_record(engine, &change, engine->state.confirm_until ? SEG_PENDING : SEG_CONFIRMED, now);
}

int seg_apply_start(struct seg_engine *engine, bool found, time_t now)
{
	record_what_died(engine, now);
	if (engine->state.confirm_until && start_pending(engine, found, now))
		return 0;
	if (!engine->state.confirm_until && start_from_file(engine, now))
		return 0;
	if (start_from_store(engine, engine->state.confirmed, now)) {
		engine->state.confirm_until = 0;
		started_with(engine, now); /* another than before, where that one was given up */
		seg_change_save(engine, now);
		return 0;
	}
	return start_sealed(engine, now);
}
