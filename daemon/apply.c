/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The policy road: load -> guard -> numbers saved -> plan -> commit -> flows that
 * lost their permit removed -> stored -> told.
 *
 * Order is what makes it safe to die anywhere. The version and the numbers are on
 * disk before the commit; a pending deadline too, so that a daemon that dies right
 * behind the commit still goes back. What boots changes only with a confirmation.
 */

#include "state.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "plan/build.h"
#include "policy/guard.h"
#include "policy/load.h"

/* Rule books. */

/* Takes the diags over, together with the policy whose places point into them. */
static struct seg_rulebook *rulebook_new(struct seg_policy *policy, struct seg_diags *diags)
{
	struct seg_rulebook *book = calloc(1, sizeof(*book));

	if (!book)
		abort();
	book->diags = *diags;
	book->policy = policy;
	book->index = seg_index_new(policy);
	book->window = calloc(policy->permits + 1, sizeof(*book->window));
	book->touched = calloc(policy->permits + 1, sizeof(*book->touched));
	if (!book->window || !book->touched)
		abort();
	return book;
}

void seg_rulebook_free(struct seg_rulebook *book)
{
	if (!book)
		return;
	seg_index_free(book->index);
	seg_policy_free(book->policy);
	seg_diags_fini(&book->diags);
	free(book->window);
	free(book->touched);
	free(book);
}

/* NULL: *failed holds why (the caller frees it in any case where NULL is returned). */
static struct seg_rulebook *rulebook_judge(struct seg_policy *policy, struct seg_diags *diags,
					   struct seg_diags *failed)
{
	if (policy)
		seg_guard_check(policy, diags);
	if (policy && !diags->errors)
		return rulebook_new(policy, diags);
	seg_policy_free(policy);
	*failed = *diags;
	return NULL;
}

struct seg_rulebook *seg_rulebook_from_file(struct seg_engine *engine, struct seg_diags *failed)
{
	struct seg_diags diags;
	struct seg_policy *policy;

	seg_diags_init(&diags);
	policy = seg_policy_load_file(engine->options.policy_file, &diags);
	return rulebook_judge(policy, &diags, failed);
}

struct seg_rulebook *seg_rulebook_from_text(const char *name, const char *text, size_t len,
					    const struct seg_reader *reader, struct seg_diags *failed)
{
	struct seg_diags diags;
	struct seg_policy *policy;

	seg_diags_init(&diags);
	policy = seg_policy_load(name, text, len, reader, &diags);
	return rulebook_judge(policy, &diags, failed);
}

struct seg_rulebook *seg_rulebook_from_store(struct seg_engine *engine, unsigned version,
					     struct seg_diags *failed)
{
	struct seg_policy *policy;
	struct seg_rulebook *book;
	struct seg_diags diags;

	seg_diags_init(&diags);
	policy = seg_store_get_version(engine->store, version, &diags);
	if (!policy && !diags.errors)
		seg_error(&diags, SEG_MISSING, (struct seg_place){0},
			  "version %u is not in the state directory", version);
	book = rulebook_judge(policy, &diags, failed);
	if (book)
		book->version = version;
	return book;
}

/* The first line a person needs of a list of diagnostics, for STATUS= and alerts. */
static void first_error(const struct seg_diags *diags, char *line, size_t size)
{
	for (const struct seg_diag *diag = diags->first; diag; diag = diag->next) {
		if (diag->warning)
			continue;
		if (diag->place.source)
			snprintf(line, size, "%s:%u:%u: %s", diag->place.source->name, diag->place.line,
				 diag->place.column, diag->message);
		else
			snprintf(line, size, "%s", diag->message);
		return;
	}
	snprintf(line, size, "the kernel refused it");
}

/* Numbers. */

static bool registry_equal(const struct seg_registry *a, const struct seg_registry *b)
{
	if (a->n != b->n || a->next != b->next)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->entry[i].number != b->entry[i].number || a->entry[i].bound != b->entry[i].bound ||
		    strcmp(a->entry[i].id, b->entry[i].id) || strcmp(a->entry[i].digest, b->entry[i].digest))
			return false;
	return true;
}

/* A copy that points at nothing of a policy. */
static struct seg_registry registry_copy(const struct seg_registry *from, struct seg_arena *arena)
{
	struct seg_numbering *entry = SEG_NEW_N(arena, struct seg_numbering, from->n + 1);

	for (size_t i = 0; i < from->n; i++) {
		entry[i] = from->entry[i];
		entry[i].id = seg_arena_strdup(arena, from->entry[i].id);
	}
	return (struct seg_registry){entry, from->n, from->next};
}

/* Takes a registry over as the one in use. */
static void use_registry(struct seg_engine *engine, const struct seg_registry *registry)
{
	struct seg_arena *arena = seg_arena_new();

	engine->registry = registry_copy(registry, arena);
	seg_arena_free(engine->numbers);
	engine->numbers = arena;
}

/* Numbers for a policy, on disk before they are used. */
static int assign_numbers(struct seg_engine *engine, const struct seg_policy *policy)
{
	struct seg_arena *scratch = seg_arena_new();
	struct seg_registry updated = seg_registry_update(&engine->registry, policy, scratch);
	int r = 0;

	if (!registry_equal(&updated, &engine->registry))
		r = seg_store_save_registry(engine->store, &updated);
	if (!r)
		use_registry(engine, &updated);
	seg_arena_free(scratch);
	return r;
}

/* The policy that the numbers were for did not come into force: those of the running one come back,
 * and none that was given is given again. */
static void return_numbers(struct seg_engine *engine, struct seg_registry *before)
{
	before->next = engine->registry.next;
	if (registry_equal(before, &engine->registry))
		return;
	use_registry(engine, before);
	seg_store_save_registry(engine->store, before);
}

/* Plans and the kernel. */

static struct seg_plan *build(struct seg_engine *engine, const struct seg_rulebook *book, uint32_t generation,
			      time_t now)
{
	struct seg_build_options options = {
		.generation = generation,
		.observe = engine->options.observe,
		.now = now,
		.interface = engine->links.interface,
		.interfaces = engine->links.interfaces,
		.isolated = engine->isolated,
	};

	if (!book)
		return seg_plan_sealed(generation, engine->options.observe);
	return seg_plan_build(book->policy, &engine->registry, &options);
}

struct seg_plan *seg_apply_plan(struct seg_engine *engine, time_t now)
{
	return build(engine, engine->running, engine->plan ? engine->plan->generation : 1, now);
}

/* A plan that fits into what is in the kernel where that is possible, so that only elements move. */
static struct seg_plan *build_beside(struct seg_engine *engine, const struct seg_rulebook *book,
				     const struct seg_plan *image, time_t now)
{
	uint32_t generation = image ? image->generation : 1;
	struct seg_plan *plan = build(engine, book, generation, now);

	if (!image || seg_plan_same_structure(image, plan))
		return plan;
	seg_plan_free(plan);
	return build(engine, book, generation + 1, now);
}

static int read_image(struct seg_engine *engine, time_t now, struct seg_plan **image)
{
	int r = engine->ops->read(engine->kernel, image);

	if (!r && *image && (engine->running || engine->usage.adopted))
		seg_usage_account(engine, *image, now);
	return r;
}

/* Does the kernel hold the last plan as it was made? Not where somebody has touched it or a timeout has
 * ended an element since (clocks may err by a little). */
static bool holds_plan(struct seg_engine *engine, time_t now)
{
	time_t first_end = engine->plan ? seg_plan_first_end(engine->plan) : 0;

	return engine->plan && engine->running && !engine->usage.adopted && now >= engine->plan->at &&
	       (!first_end || now + 2 < first_end) && engine->ops->untouched(engine->kernel);
}

static int commit_beside(struct seg_engine *engine, const struct seg_rulebook *book,
			 const struct seg_plan *there, time_t now, struct seg_diags *diags,
			 struct seg_plan **plan)
{
	int r;

	*plan = build_beside(engine, book, there, now);
	r = engine->ops->commit(engine->kernel, there, *plan, diags);
	if (r) {
		seg_plan_free(*plan);
		*plan = NULL;
	}
	return r;
}

/* Brings the kernel to book; *old is what was planned before (the caller frees it). What leaves takes its
 * counters with it, so they are read before. */
static int commit(struct seg_engine *engine, const struct seg_rulebook *book, time_t now,
		  struct seg_diags *diags, struct seg_plan **old)
{
	struct seg_plan *image = NULL, *plan = NULL;
	int r = -ENOENT;

	if (holds_plan(engine, now)) {
		struct seg_diags
			unsaid; /* a clock that was set may have misled us: the kernel is read then */

		seg_usage_read(engine, now);
		seg_diags_init(&unsaid);
		r = commit_beside(engine, book, engine->plan, now, &unsaid, &plan);
		seg_diags_fini(&unsaid);
	}
	if (r) {
		r = read_image(engine, now, &image);
		if (!r)
			r = commit_beside(engine, book, image, now, diags, &plan);
		seg_plan_free(image);
	}
	if (r)
		return r;
	*old = engine->plan;
	engine->plan = plan;
	engine->disarmed = false;
	return 0;
}

/* The kernel holds book now. */
static void put_in_place(struct seg_engine *engine, struct seg_rulebook *book, struct seg_plan *old,
			 time_t now, const char *reason, struct seg_revoked *revoked)
{
	struct seg_rulebook *before = engine->running;

	seg_usage_settle(engine);
	engine->running = book;
	if (book) {
		free(engine->why);
		engine->why = NULL;
		seg_windows_begin(engine, now);
	}
	if (old)
		seg_watch_revoke(engine, old, false, reason, now, revoked);
	seg_plan_free(old);
	seg_rulebook_free(before);
}

int seg_apply_install(struct seg_engine *engine, struct seg_rulebook *book, time_t now, const char *reason,
		      struct seg_diags *diags, struct seg_revoked *revoked)
{
	struct seg_arena *kept = seg_arena_new();
	struct seg_registry before = registry_copy(&engine->registry, kept);
	struct seg_revoked counted = {0};
	struct seg_plan *old = NULL;
	int r = book ? assign_numbers(engine, book->policy) : 0;

	if (!r) {
		seg_emergency_resolve(engine, book ? book->policy : NULL);
		r = commit(engine, book, now, diags, &old);
		if (r && book)
			return_numbers(engine, &before);
	}
	if (r)
		seg_emergency_resolve(engine, engine->running ? engine->running->policy : NULL);
	else
		put_in_place(engine, book, old, now, reason, &counted);
	seg_arena_free(kept);
	if (revoked)
		*revoked = counted;
	return r;
}

int seg_apply_refresh(struct seg_engine *engine, time_t now, const char *reason, struct seg_revoked *revoked)
{
	struct seg_revoked counted = {0};
	struct seg_plan *old = NULL;
	struct seg_diags diags;
	int r;

	seg_diags_init(&diags);
	r = commit(engine, engine->running, now, &diags, &old);
	seg_diags_fini(&diags);
	if (r)
		return r;
	if (old)
		seg_watch_revoke(engine, old, !strcmp(reason, "isolated"), reason, now, &counted);
	seg_plan_free(old);
	if (revoked)
		*revoked = counted;
	return 0;
}

/* Telling. */

static const char *user_name(uid_t uid)
{
	const struct passwd *entry = getpwuid(uid);

	return entry ? entry->pw_name : NULL;
}

struct change {
	const char *event;
	enum seg_severity severity;
	unsigned version;
	const char *hash;
	const struct seg_request *request; /* NULL: the daemon itself */
	const char *comment, *ticket, *reason;
};

static void tell(struct seg_engine *engine, const struct change *change, time_t now)
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
	seg_alert_text(&alert, "reason", change->reason);
	seg_say_send(engine, &alert);
}

static void record(struct seg_engine *engine, const struct change *change, enum seg_result result, time_t now)
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
	};

	seg_store_add_record(engine->store, &entry);
	seg_say_store(engine, now);
}

static void refuse(struct seg_engine *engine, const struct seg_diags *diags,
		   const struct seg_request *request, const char *hash, const char *comment,
		   const char *ticket, time_t now)
{
	char line[512];
	struct change change = {.event = "refused",
				.severity = SEG_WARNING,
				.hash = hash,
				.request = request,
				.comment = comment,
				.ticket = ticket,
				.reason = line};

	first_error(diags, line, sizeof(line));
	tell(engine, &change, now);
	record(engine, &change, SEG_REFUSED, now);
}

static int save_state(struct seg_engine *engine, time_t now)
{
	int r = seg_store_save_state(engine->store, &engine->state);

	if (r)
		seg_say_store(engine, now);
	return r;
}

/* Going back. */

static void went_back(struct seg_engine *engine, unsigned from, unsigned version,
		      const struct seg_request *request, const char *why, time_t now)
{
	struct change change = {.event = "rolled-back",
				.severity = SEG_WARNING,
				.version = version,
				.hash = engine->running ? engine->running->policy->hash : NULL,
				.request = request,
				.comment = why};

	engine->state.current = engine->state.confirmed = version;
	engine->state.confirm_until = 0;
	engine->state.since = now;
	save_state(engine, now);
	if (from && from != version)
		seg_store_set_result(engine->store, from, SEG_ROLLED_BACK);
	if (version)
		record(engine, &change, SEG_CONFIRMED, now);
	tell(engine, &change, now);
	seg_say_status(engine);
}

int seg_apply_go_back(struct seg_engine *engine, unsigned version, const struct seg_request *request,
		      const char *why, time_t now, struct seg_revoked *revoked, char **problem)
{
	unsigned from = engine->state.current;
	struct seg_rulebook *book = NULL;
	struct seg_diags diags;
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
	} else {
		seg_engine_sealed_because(engine, "no confirmed policy to go back to");
	}
	if (!r)
		r = seg_apply_install(engine, book, now, "rollback", &diags, revoked);
	if (r) {
		struct seg_strbuf text = {0};

		seg_diags_render(&diags, false, &text);
		*problem = seg_strbuf_take(&text);
		refuse(engine, &diags, request, NULL, why, NULL, now);
		seg_rulebook_free(book);
	} else {
		went_back(engine, from, version, request, why, now);
	}
	seg_diags_fini(&diags);
	return r;
}

/* Start. */

/* A policy file that was rolled back, or never confirmed, is not what boots. */
static bool may_boot(struct seg_engine *engine, const struct seg_rulebook *book)
{
	enum seg_result fate;

	return !seg_store_fate(engine->store, book->policy->hash, &fate) || fate == SEG_CONFIRMED;
}

static bool has_hash(struct seg_engine *engine, unsigned version, const char *hash)
{
	char stored[65];

	return version && seg_store_version_hash(engine->store, version, stored) && !strcmp(stored, hash);
}

/* A number for the policy file that is about to boot: its old one, or a new one. */
static void number_at_start(struct seg_engine *engine, struct seg_rulebook *book, time_t now)
{
	const char *hash = book->policy->hash;

	if (has_hash(engine, engine->state.confirmed, hash)) {
		book->version = engine->state.confirmed;
		return;
	}
	if (seg_store_put_version(engine->store, book->policy, now, &book->version))
		seg_say_store(engine, now); /* enforced all the same; version 0 says it is not stored */
}

static void started_with(struct seg_engine *engine, time_t now)
{
	struct seg_rulebook *book = engine->running;
	struct change change = {.event = "applied",
				.severity = SEG_NOTICE,
				.version = book->version,
				.hash = book->policy->hash,
				.comment = "start of the daemon"};

	if (!book->version || book->version == engine->state.current)
		return;
	engine->state.current = engine->state.confirmed = book->version;
	engine->state.since = now;
	save_state(engine, now);
	record(engine, &change, SEG_CONFIRMED, now);
	tell(engine, &change, now);
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
		first_error(&diags, line, sizeof(line));
		seg_engine_sealed_because(engine, "%s: %s", engine->options.policy_file, line);
		refuse(engine, &diags, NULL, book->policy->hash, "start of the daemon", NULL, now);
		seg_rulebook_free(book);
	}
	seg_diags_fini(&diags);
	return !r;
}

static bool start_from_file(struct seg_engine *engine, time_t now)
{
	struct seg_diags failed;
	struct seg_rulebook *book = seg_rulebook_from_file(engine, &failed);
	char line[512];

	if (!book) {
		first_error(&failed, line, sizeof(line));
		seg_engine_sealed_because(engine, "%s", line);
		refuse(engine, &failed, NULL, NULL, "start of the daemon", NULL, now);
		seg_diags_fini(&failed);
		return false;
	}
	if (!may_boot(engine, book)) {
		seg_engine_sealed_because(engine, "%s was rolled back or never confirmed: apply it again",
					  engine->options.policy_file);
		seg_rulebook_free(book);
		return false;
	}
	number_at_start(engine, book, now);
	if (!start_with(engine, book, now))
		return false;
	started_with(engine, now);
	return true;
}

static bool start_from_store(struct seg_engine *engine, unsigned version, time_t now)
{
	char *why = engine->why ? strdup(engine->why) : NULL;
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
	if (done && why)
		seg_engine_sealed_because(engine, "%s", why);
	free(why);
	return done;
}

/* A version that waits for its confirmation: it stays over a restart of the daemon while there is
 * time, never over a reboot. */
static bool start_pending(struct seg_engine *engine, bool found, time_t now)
{
	unsigned from = engine->state.current;

	if (found && now < engine->state.confirm_until)
		return start_from_store(engine, from, now);
	seg_engine_sealed_because(engine, "version %u was not confirmed", from);
	if (!start_from_store(engine, engine->state.confirmed, now))
		return false;
	went_back(engine, from, engine->state.confirmed, NULL, "not confirmed before the restart", now);
	return true;
}

static int start_sealed(struct seg_engine *engine, time_t now)
{
	struct change change = {.event = "sealed", .severity = SEG_CRIT, .reason = engine->why};
	struct seg_diags diags;
	int r;

	seg_diags_init(&diags);
	r = seg_apply_install(engine, NULL, now, "sealed", &diags, NULL);
	seg_diags_fini(&diags);
	if (!r)
		tell(engine, &change, now);
	return r;
}

int seg_apply_start(struct seg_engine *engine, bool found, time_t now)
{
	if (engine->state.confirm_until && start_pending(engine, found, now))
		return 0;
	if (!engine->state.confirm_until && start_from_file(engine, now))
		return 0;
	if (start_from_store(engine, engine->state.confirmed, now)) {
		if (engine->state.confirm_until)
			engine->state.confirm_until = 0;
		engine->state.current = engine->state.confirmed;
		save_state(engine, now);
		return 0;
	}
	return start_sealed(engine, now);
}

/* apply, confirm, rollback. */

struct wish {
	const char *comment, *ticket, *session;
	json_int_t within;
	bool force;
};

static int read_wish(const struct seg_request *request, struct wish *wish, json_t **out)
{
	const json_t *params = request->params;
	const json_t *within = json_object_get(params, "confirm-within");

	*wish = (struct wish){
		.comment = json_string_value(json_object_get(params, "comment")),
		.ticket = json_string_value(json_object_get(params, "ticket")),
		.session = json_string_value(json_object_get(params, "session")),
		.within = json_integer_value(within),
		.force = json_is_true(json_object_get(params, "force")),
	};
	if (within && !json_is_null(within) &&
	    (!json_is_integer(within) || wish->within < 1 || wish->within > 604800))
		return seg_answer_error(out, -EINVAL, "invalid-parameter",
					"confirm-within is a number of seconds from 1 to 604800 (a week)");
	return 0;
}

static json_t *applied_document(struct seg_engine *engine, bool unchanged, const struct seg_revoked *revoked)
{
	json_t *document = json_object();

	json_object_set_new(document, "version",
			    engine->state.current ? json_integer(engine->state.current) : json_null());
	json_object_set_new(document, "hash",
			    engine->running ? json_string(engine->running->policy->hash) : json_null());
	json_object_set_new(document, "unchanged", json_boolean(unchanged));
	json_object_set_new(document, "revoked", seg_answer_revoked(revoked));
	json_object_set_new(document, "confirm-until", seg_json_time(engine, engine->state.confirm_until));
	return document;
}

/* Would the new policy cut the caller's own SSH session? session: "client port server port". */
static bool cuts_session(struct seg_engine *engine, const struct seg_rulebook *book, const char *session,
			 time_t now)
{
	struct seg_packet packet = {.proto = 6, .dport = 22};
	char client[SEG_ADDR_STRLEN + 1], server[SEG_ADDR_STRLEN + 1];
	unsigned sport, dport;

	if (!session || sscanf(session, "%46s %u %46s %u", client, &sport, server, &dport) != 4 ||
	    !seg_addr_parse(client, strlen(client), &packet.src) ||
	    !seg_addr_parse(server, strlen(server), &packet.dst) || sport > 65535 || dport > 65535)
		return false;
	if (seg_engine_is_gateway(engine, packet.src)) /* from the gateway to itself: not judged */
		return false;
	packet.sport = (uint16_t)sport;
	packet.dport = (uint16_t)dport;
	packet.no_mac = true;
	return !seg_classify_indexed(book->policy, book->index, &engine->links.gateway, &packet, now).permit;
}

/* Commits a candidate that was stored; on failure the state is what it was. */
static int apply_candidate(struct seg_engine *engine, struct seg_rulebook *book, const struct wish *wish,
			   const struct seg_request *request, struct seg_diags *diags,
			   struct seg_revoked *revoked)
{
	struct seg_state before = engine->state;
	time_t now = request->now;
	int r = 0;

	if (wish->within) { /* on disk first: should we die behind the commit, we go back */
		engine->state.current = book->version;
		engine->state.confirm_until = now + wish->within;
		r = save_state(engine, now);
	}
	if (!r)
		r = seg_apply_install(engine, book, now, "apply", diags, revoked);
	if (r) {
		engine->state = before;
		if (wish->within)
			save_state(engine, now);
		return r;
	}
	if (before.confirm_until && before.current) /* the version that waited is over */
		seg_store_set_result(engine->store, before.current, SEG_ROLLED_BACK);
	engine->state.current = book->version;
	engine->state.since = now;
	if (!wish->within) {
		engine->state.confirmed = book->version;
		engine->state.confirm_until = 0;
	}
	save_state(engine, now);
	return 0;
}

static int apply_book(struct seg_engine *engine, struct seg_rulebook *book, const struct wish *wish,
		      const struct seg_request *request, json_t **out)
{
	struct seg_revoked revoked = {0};
	struct seg_diags diags;
	time_t now = request->now;
	int r = seg_store_put_version(engine->store, book->policy, now, &book->version);

	if (r) {
		char *problem = seg_store_take_problem(engine->store);

		seg_answer_error(out, r, "store", "nothing was changed: the new version cannot be stored: %s",
				 problem ? problem : strerror(-r));
		free(problem);
		seg_rulebook_free(book);
		return r;
	}
	seg_diags_init(&diags);
	struct change change = {.event = "applied",
				.severity = SEG_NOTICE,
				.version = book->version,
				.hash = book->policy->hash,
				.request = request,
				.comment = wish->comment,
				.ticket = wish->ticket};
	r = apply_candidate(engine, book, wish, request, &diags, &revoked);
	if (r) {
		refuse(engine, &diags, request, book->policy->hash, wish->comment, wish->ticket, now);
		if (diags.errors)
			seg_answer_refused(out, &diags);
		else
			seg_answer_error(out, r, "kernel", "nothing was changed: %s", strerror(-r));
		seg_store_drop_version(engine->store, book->version);
		seg_rulebook_free(book);
	} else {
		record(engine, &change, wish->within ? SEG_PENDING : SEG_CONFIRMED, now);
		tell(engine, &change, now);
		seg_say_status(engine);
		*out = applied_document(engine, false, &revoked);
	}
	seg_diags_fini(&diags);
	return r;
}

/* The policy that is in force already: repaired where somebody changed the kernel, armed again after disarm. */
static int apply_again(struct seg_engine *engine, const struct wish *wish, const struct seg_request *request,
		       json_t **out)
{
	struct change change = {.event = "applied",
				.severity = SEG_NOTICE,
				.version = engine->running->version,
				.hash = engine->running->policy->hash,
				.request = request,
				.comment = wish->comment,
				.ticket = wish->ticket};
	bool disarmed = engine->disarmed;
	struct seg_revoked revoked = {0};
	int r = seg_apply_refresh(engine, request->now, "apply", &revoked);

	if (r)
		return seg_answer_error(out, r, "kernel", "the kernel refused: %s", strerror(-r));
	if (disarmed) {
		engine->next_window = request->now;
		tell(engine, &change, request->now);
		seg_say_status(engine);
		seg_watch_look_again(engine); /* what began while nothing was separated */
	}
	*out = applied_document(engine, !disarmed, &revoked);
	return 0;
}

int seg_engine_apply(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct seg_rulebook *book;
	struct seg_diags failed;
	struct wish wish;
	int r = read_wish(request, &wish, out);

	if (r)
		return r;
	book = seg_rulebook_from_file(engine, &failed);
	if (!book) {
		r = seg_answer_refused(out, &failed);
		refuse(engine, &failed, request, NULL, wish.comment, wish.ticket, request->now);
		seg_diags_fini(&failed);
		return r;
	}
	if (engine->running && !strcmp(engine->running->policy->hash, book->policy->hash)) {
		seg_rulebook_free(book);
		return apply_again(engine, &wish, request, out);
	}
	if (!wish.force && cuts_session(engine, book, wish.session, request->now)) {
		seg_rulebook_free(book);
		return seg_answer_error(
			out, -EPERM, "would-cut-session",
			"this policy would cut your own SSH session (%s); permit it, or say --force",
			wish.session);
	}
	return apply_book(engine, book, &wish, request, out);
}

void seg_apply_reload(struct seg_engine *engine, time_t now)
{
	struct seg_request request = {.now = now};
	json_t *out = NULL;

	seg_engine_apply(engine, &request, &out); /* what came of it was told: applied, refused */
	json_decref(out);
}

int seg_engine_confirm(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct seg_revoked none = {0};
	struct seg_state before = engine->state;
	struct change change = {.event = "confirmed",
				.severity = SEG_NOTICE,
				.version = engine->state.current,
				.hash = engine->running ? engine->running->policy->hash : NULL,
				.request = request};
	int r;

	if (!engine->state.confirm_until)
		return seg_answer_error(out, -ENOENT, "nothing-pending",
					"no policy waits for a confirmation");
	engine->state.confirmed = engine->state.current;
	engine->state.confirm_until = 0;
	r = save_state(engine, request->now);
	if (r) {
		engine->state = before;
		return seg_answer_error(out, r, "store",
					"not confirmed: the state directory cannot be written: %s",
					strerror(-r));
	}
	engine->next_rollback = 0;
	seg_store_set_result(engine->store, engine->state.current, SEG_CONFIRMED);
	seg_say_store(engine, request->now);
	tell(engine, &change, request->now);
	*out = applied_document(engine, true, &none);
	return 0;
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

/* Without a version: what was confirmed before. */
static unsigned rollback_target(struct seg_engine *engine, const struct seg_request *request)
{
	json_int_t version = json_integer_value(json_object_get(request->params, "version"));
	struct earlier_version search = {.current = engine->state.current};

	if (version > 0 && version < UINT32_MAX)
		return (unsigned)version;
	if (engine->state.confirm_until)
		return engine->state.confirmed;
	seg_store_each_record(engine->store, find_earlier, &search);
	return search.found;
}

int seg_engine_rollback(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	unsigned version = rollback_target(engine, request);
	const char *comment = json_string_value(json_object_get(request->params, "comment"));
	struct seg_revoked revoked = {0};
	char *problem = NULL, hash[65];
	int r;

	if (!version && !engine->state.confirm_until)
		return seg_answer_error(out, -ENOENT, "not-found",
					"there is no earlier version to go back to");
	if (version && !seg_store_version_hash(engine->store, version, hash)) {
		free(seg_store_take_problem(engine->store));
		return seg_answer_error(out, -ENOENT, "not-found",
					"version %u is not in the state directory; segctl history lists them",
					version);
	}
	r = seg_apply_go_back(engine, version, request, comment ? comment : "rollback", request->now,
			      &revoked, &problem);
	if (r)
		seg_answer_error(out, r, "refused", "version %u cannot come back: %s", version,
				 problem ? problem : strerror(-r));
	else
		*out = applied_document(engine, false, &revoked);
	free(problem);
	return r;
}

int seg_engine_disarm(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct change change = {.event = "disarmed", .severity = SEG_CRIT, .request = request};
	int r;

	if (!json_is_true(json_object_get(request->params, "yes")))
		return seg_answer_error(out, -EINVAL, "confirmation-missing",
					"disarm takes every rule out and opens the gateway; say --yes");
	seg_usage_read(engine, request->now);
	r = engine->ops->remove(engine->kernel);
	if (r)
		return seg_answer_error(out, r, "kernel", "the rules cannot be taken out: %s", strerror(-r));
	engine->disarmed = true;
	engine->next_repair = engine->next_refresh = engine->next_window = 0;
	seg_plan_free(engine->plan);
	engine->plan = NULL;
	tell(engine, &change, request->now);
	seg_say_status(engine);
	*out = json_pack("{s:s}", "state", seg_engine_state(engine));
	return 0;
}
