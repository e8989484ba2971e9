/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What a commit took its permit from: the entries of such flows are looked for, removed,
 * counted and told.
 *
 * The kernel drops their packets since the commit: a number that is not in force carries
 * nothing. So there is time: conntrack's table is walked over in slices, one revocation
 * after the other, and whoever asked for the change has his answer when the count stands.
 *
 * In a table of ordinary size the kernel looks for the numbers that died, at a tenth of the
 * cost; but it does not come back before it has seen all of the table. Beyond that size it
 * would hold the loop up, and every entry is looked at here.
 *
 * A number that was given in this life and has carried nothing until it left, by the kernel's counters up to
 * the commit and by all that was heard, has no flow that could be looked for. But whose it was may cover idle
 * flows that still bear a number that died before (lingering.h): those are looked for with it.
 *
 * A flow is counted once: by its number, or unmarked where a packet that came after the
 * commit took the number out of its mark.
 */

#include "lingering.h"

#include <stdlib.h>
#include <string.h>

#include "base/sort.h"

#define FILTERED_MAX 8	      /* passes in which the kernel looks; more: one over everything */
#define FILTERED_TABLE 250000 /* entries that the kernel passes by in less than 80 ms */
#define BATCH 256

/* A number that died, now or before. */
struct dead {
	uint32_t number;
	struct seg_owner owner; /* from whom its flows were taken */
	bool before; /* died before: an idle flow may bear it yet */
};
/* One of whose numbers died, or lets nothing begin any more. */
struct loser {
	struct seg_owner owner;
	bool stays; /* the permit */
};
struct seg_revocation {
	struct seg_engine *engine;
	struct seg_hash dead, loser;
	bool whole;    /* every flow is looked at: isolation, a large table, too many numbers */
	bool closing;  /* numbers that died while their permits stay */
	size_t pass;   /* of the passes: the numbers, then the unmarked */
	size_t cursor; /* of dead, in the passes */
	struct seg_walk *walk;
	struct seg_flow victim[BATCH];
	size_t victims;
	struct seg_hash taken;
	char reason[16];
	time_t now;
	/* Who waits for the answer; done NULL: nobody. */
	void (*done)(void *context, int result, json_t *out);
	void *context;
	json_t *document;
	STAILQ_ENTRY(seg_revocation) entry;
};

static struct seg_owner owner_of(const struct seg_number *number)
{
	return number ? seg_owner_of(number->permit, number->zone) : seg_owner_of(NULL, NULL);
}

/* The numbers that died. */

struct numbers {
	uint32_t *number;
	size_t n;
};

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The numbers in a set of a plan, or in two (NULL: one alone), sorted. */
static struct numbers numbers_in(const struct seg_plan *plan, const char *name, const char *other)
{
	const struct seg_set *const set[] = {seg_plan_set(plan, name),
					     other ? seg_plan_set(plan, other) : NULL};
	struct numbers list = {0};
	size_t room = 1;

	for (int i = 0; i < 2; i++)
		room += set[i] ? set[i]->elems : 0;
	list.number = calloc(room, sizeof(*list.number));
	if (!list.number)
		abort();
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; set[i] && k < set[i]->elems; k++)
			memcpy(&list.number[list.n++], set[i]->elem[k].key, sizeof(*list.number));
	seg_sort(list.number, list.n, sizeof(*list.number), by_number); /* mostly they are in order */
	return list;
}

/* Those of old that new has no more. The caller frees the list. */
static struct numbers numbers_gone(const struct seg_plan *old, const struct seg_plan *new, const char *name,
				   const char *other)
{
	struct numbers before = numbers_in(old, name, other), after = numbers_in(new, name, other);
	size_t gone = 0;

	for (size_t i = 0, k = 0; i < before.n; i++) {
		while (k < after.n && after.number[k] < before.number[i]) /* both are sorted */
			k++;
		if (k == after.n || after.number[k] != before.number[i])
			before.number[gone++] = before.number[i];
	}
	before.n = gone;
	free(after.number);
	return before;
}

/* One that stays and only ends may have counted since it was last read, and so may a set that went as a whole. */
static bool is_unused(const struct seg_engine *engine, const struct seg_plan *old, const struct seg_plan *new,
		      uint32_t number)
{
	return old->generation == new->generation && !seg_plan_number(new, number) &&
	       seg_usage_never_carried(engine, number);
}

static void add_loser(struct seg_revocation *job, const struct seg_owner *owner, bool stays)
{
	bool made;
	struct loser *loser = seg_hash_put(&job->loser, owner, &made);

	loser->stays |= stays;
}

static void add_dead(struct seg_revocation *job, uint32_t number, const struct seg_owner *owner)
{
	bool made;
	struct dead *dead = seg_hash_put(&job->dead, &number, &made);

	dead->owner = *owner;
}

static void find_dead(struct seg_revocation *job, const struct seg_plan *old, const struct seg_plan *new)
{
	struct numbers gone = numbers_gone(old, new, "live", "live-own");

	for (size_t i = 0; i < gone.n; i++) {
		struct seg_owner owner = owner_of(seg_plan_number(old, gone.number[i]));
		bool stays = seg_plan_number(new, gone.number[i]) != NULL;

		add_loser(job, &owner, stays);
		if (is_unused(job->engine, old, new, gone.number[i]))
			continue;
		add_dead(job, gone.number[i], &owner);
		job->closing |= stays;
	}
	free(gone.number);
}

static void add_lingering(void *context, uint32_t number, const struct seg_owner *owner)
{
	struct seg_revocation *job = context;
	const struct loser *loser = seg_hash_find(&job->loser, owner);
	bool made;
	struct dead *dead = seg_hash_put(&job->dead, &number, &made);

	/* Flows of one number may live by several owners: whose each was only the policy that is gone could say. Those
	 * who lose are asked before all others (who come where every flow is looked at), and are named rather. */
	if (made)
		*dead = (struct dead){number, *owner, true};
	else if (dead->before && (loser || !seg_hash_find(&job->loser, &dead->owner)))
		dead->owner = seg_owner_of(NULL, NULL);
	job->closing |= loser && loser->stays;
}

/* A permit that drains lets flows of its number finish. Those of an older one would have to begin anew. */
static void find_lingering(struct seg_revocation *job, const struct seg_plan *old, const struct seg_plan *new)
{
	struct numbers gone;

	if (!job->engine->lingering.n)
		return;
	gone = numbers_gone(old, new, "open", NULL);
	for (size_t i = 0; i < gone.n; i++) {
		struct seg_owner owner = owner_of(seg_plan_number(old, gone.number[i]));

		add_loser(job, &owner, seg_plan_number(new, gone.number[i]) != NULL);
	}
	free(gone.number);
	seg_lingering_take(job->engine, &job->loser, add_lingering, job);
}

/* From whom an unmarked flow was taken: a packet that came after the change has taken the number out of its
 * mark. NULL: it had none of those that died. */
static const struct seg_owner *lost_owner(const struct seg_revocation *job, const struct seg_flow *flow)
{
	const struct seg_rulebook *book = job->engine->running;
	const struct seg_packet packet = seg_watch_packet(flow);
	const struct seg_permit *permit;
	const struct loser *loser;
	struct seg_verdict verdict;
	struct seg_owner owner;

	if (!book || !job->loser.n)
		return NULL;
	verdict = seg_classify_indexed(book->policy, book->index, &job->engine->links.gateway, &packet,
				       job->now);
	permit = seg_watch_is_closed_alone(&verdict) ? verdict.nearest : verdict.by;
	if (!permit && !(verdict.permit && verdict.from))
		return NULL;
	owner = seg_owner_of(permit, verdict.from);
	loser = seg_hash_find(&job->loser, &owner);
	return loser ? &loser->owner : NULL;
}

/* From whom the flow was taken; NULL: that is not known. */
static const struct seg_owner *taken_from(const struct seg_revocation *job, const struct seg_flow *flow)
{
	const struct dead *dead;

	if (!flow->mark)
		return lost_owner(job, flow);
	dead = seg_hash_find(&job->dead, &flow->mark);
	return dead ? &dead->owner : NULL;
}

/* The walk. */

static void remove_victims(struct seg_revocation *job)
{
	size_t gone;

	if (job->victims)
		job->engine->ops->delete (job->engine->kernel, job->victim, job->victims, &gone);
	job->victims = 0;
}

static void add_victim(struct seg_revocation *job, const struct seg_flow *flow, const struct seg_owner *owner)
{
	seg_taken_add(&job->taken, owner);
	job->victim[job->victims++] = *flow;
	if (job->victims == BATCH)
		remove_victims(job);
}

/* Of a flow that had a permit: what no other one covers. */
static bool is_revoked(const struct seg_flow *flow, const struct seg_judged *judged)
{
	return judged->kind == SEG_REVOKED || (!flow->mark && judged->kind == SEG_VIOLATION);
}

static void take(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	struct seg_revocation *job = context;
	struct seg_engine *engine = job->engine;
	const struct seg_owner *from = taken_from(job, flow);
	struct seg_judged judged;
	struct seg_owner owner;

	(void)event;
	/* What never had a permit is the watcher's. Disarmed, everything may go on. */
	if (engine->disarmed)
		return;
	if (!from && !seg_watch_was_given(engine, flow->mark))
		return;
	judged = seg_watch_judge(engine, flow, SEG_FLOW_DUMPED, job->now);
	seg_lingering_note(engine, flow, &judged);
	if (engine->running && !is_revoked(flow, &judged))
		return;
	owner = from ? *from : owner_of(engine->plan ? seg_plan_number(engine->plan, flow->mark) : NULL);
	add_victim(job, flow, &owner);
}

static size_t passes(const struct seg_revocation *job)
{
	return job->whole ? 1 : job->dead.n + job->closing;
}

static void over(void *context, int result, time_t now);

/* Starts the next pass; false: there is none left, or it cannot be. */
static bool walk_on(struct seg_revocation *job)
{
	const struct seg_walker walker = {.take = take, .over = over, .context = job};
	uint32_t value = 0, mask = job->whole ? 0 : UINT32_MAX;

	if (job->pass >= passes(job))
		return false;
	if (!job->whole && job->pass < job->dead.n)
		value = ((const struct dead *)seg_hash_next(&job->dead, &job->cursor))->number;
	job->pass++;
	if (!job->engine->ops->walk(job->engine->kernel, value, mask, &walker, &job->walk))
		return true;
	seg_watch_look_again(job->engine); /* a dump finds what is left */
	return false;
}

/* The end. */

static void job_free(struct seg_revocation *job)
{
	json_decref(job->document);
	seg_hash_fini(&job->taken);
	seg_hash_fini(&job->loser);
	seg_hash_fini(&job->dead);
	free(job);
}

static void finish(struct seg_revocation *job, time_t now)
{
	struct seg_engine *engine = job->engine;
	struct seg_revoked revoked;

	STAILQ_REMOVE(&engine->revocations, job, seg_revocation, entry);
	revoked = seg_taken_tell(engine, &job->taken, job->reason, now);
	if (job->done) {
		json_object_set_new(job->document, "revoked", seg_answer_revoked(&revoked));
		job->done(job->context, 0, json_incref(job->document));
	}
	job_free(job);
}

/* Those that wait behind. */
static void next_job(struct seg_engine *engine, time_t now)
{
	struct seg_revocation *job;

	while ((job = STAILQ_FIRST(&engine->revocations)) && !job->walk) {
		job->now = now;
		if (!walk_on(job))
			finish(job, now);
	}
}

static void over(void *context, int result, time_t now)
{
	struct seg_revocation *job = context;
	struct seg_engine *engine = job->engine;

	job->walk = NULL;
	job->now = now;
	remove_victims(job); /* at once: whoever loses its mark meanwhile must not be met again */
	if (result)
		seg_watch_look_again(engine);
	else if (walk_on(job))
		return;
	finish(job, now);
	next_job(engine, now);
}

/* Somebody's rule may have given flows of those that died the numbers of others: what bears one that is not its own
 * is for a look at all of the table to find. */
static void look_for_the_renumbered(const struct seg_revocation *job)
{
	if (job->loser.n && json_array_size(job->engine->bypass))
		seg_watch_look_again(job->engine);
}

struct seg_revocation *seg_revoke(struct seg_engine *engine, const struct seg_plan *old, bool whole,
				  const char *reason, time_t now)
{
	struct seg_kernel_facts facts = {0};
	struct seg_revocation *job;

	if (!old || engine->options.observe)
		return NULL;
	job = calloc(1, sizeof(*job));
	if (!job)
		abort();
	job->engine = engine;
	job->now = now;
	seg_hash_init(&job->dead, sizeof(uint32_t), sizeof(struct dead));
	seg_hash_init(&job->loser, sizeof(struct seg_owner), sizeof(struct loser));
	seg_taken_init(&job->taken);
	snprintf(job->reason, sizeof(job->reason), "%s", reason);
	find_dead(job, old, engine->plan);
	find_lingering(job, old, engine->plan);
	look_for_the_renumbered(job);
	if (!whole && !job->dead.n) {
		job_free(job);
		return NULL;
	}
	engine->ops->facts(engine->kernel, &facts);
	job->whole = whole || job->dead.n + job->closing > FILTERED_MAX || facts.conntrack > FILTERED_TABLE ||
		     engine->lingering.n > SEG_LINGERING_MAX;
	if (job->whole)
		seg_lingering_take(engine, NULL, add_lingering, job);
	STAILQ_INSERT_TAIL(&engine->revocations, job, entry);
	if (STAILQ_FIRST(&engine->revocations) == job && !walk_on(job)) {
		finish(job, now);
		return NULL;
	}
	return job;
}

int seg_revoke_answer(struct seg_revocation *job, const struct seg_request *request, json_t *document,
		      json_t **out)
{
	const struct seg_revoked none = {0};

	if (job && request->done) {
		job->done = request->done;
		job->context = request->context;
		job->document = document;
		return SEG_LATER;
	}
	json_object_set_new(document, "revoked", seg_answer_revoked(&none));
	*out = document;
	return 0;
}

bool seg_revocation_finds(const struct seg_engine *engine, const struct seg_flow *flow)
{
	const struct seg_revocation *job;

	STAILQ_FOREACH(job, &engine->revocations, entry) {
		if (job->whole ||
		    (flow->mark ? seg_hash_find(&job->dead, &flow->mark) != NULL : job->closing))
			return true;
	}
	return false;
}

void seg_revoke_forget(struct seg_engine *engine, const void *context)
{
	struct seg_revocation *job;

	STAILQ_FOREACH(job, &engine->revocations, entry) {
		if (job->context == context)
			job->done = NULL;
	}
}

void seg_revoke_fini(struct seg_engine *engine)
{
	struct seg_revocation *job;

	while ((job = STAILQ_FIRST(&engine->revocations))) {
		STAILQ_REMOVE_HEAD(&engine->revocations, entry);
		if (job->walk)
			engine->ops->walk_stop(engine->kernel, job->walk);
		job_free(job);
	}
}
