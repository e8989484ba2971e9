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
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "plan/build.h"
#include "plan/diff.h"

#define LONG 20000u /* removals, times the elements they are made among, that are never too many */

static struct seg_plan *build(struct seg_engine *engine, const struct seg_rulebook *book, uint32_t generation,
			      time_t now)
{
	struct seg_plan *plan;
	bool *held;
	struct seg_build_options options = {
		.generation = generation,
		.observe = engine->options.observe,
		.now = now,
		.interface = engine->links.interface,
		.interfaces = engine->links.interfaces,
		.closure = &engine->closure,
	};

	if (!book)
		return seg_plan_sealed(generation, engine->options.observe);
	options.held = held = seg_limits_held(engine, book->policy);
	plan = seg_plan_build(book->policy, &engine->registry, &options);
	free(held);
	return plan;
}

struct seg_plan *seg_apply_plan(struct seg_engine *engine, time_t now)
{
	return build(engine, engine->running, engine->plan ? engine->plan->generation : 1, now);
}

/* Does the kernel hold the rule book in force under its own generation? Where it differs from the plan,
 * somebody has been at it, and only those chains and elements are put right. */
static bool mends(const struct seg_engine *engine, const struct seg_plan *image, const struct seg_plan *plan)
{
	return engine->plan && engine->plan->generation == image->generation &&
	       seg_plan_same_structure(engine->plan, plan);
}

static bool fits(const struct seg_change *change)
{
	return !change->switches && !change->bases && !change->replace;
}

/* Each element that goes from a set of concatenated intervals costs what the set holds until the last has
 * gone (nft_pipapo_remove(), about a microsecond for each of those): past some, new sets are sooner there.
 * They come with all others, at some microseconds for each of their elements. */
static bool takes_long(const struct seg_change *change)
{
	size_t steps = 0, anew = LONG;

	for (size_t i = 0; i < change->sets; i++) {
		const struct seg_set_change *set = &change->set[i];

		if (set->set->interval && set->set->fields > 1)
			steps += set->dels * (set->set->elems + set->dels);
	}
	for (size_t i = 0; i < change->to->sets; i++)
		anew += change->to->set[i]->elems;
	return steps > anew;
}

/* The way to a plan that fits into what is in the kernel where that is possible, so that only elements move. */
static struct seg_plan *build_beside(struct seg_engine *engine, const struct seg_rulebook *book,
				     const struct seg_plan *image, time_t now, struct seg_arena *arena,
				     struct seg_change *change)
{
	const bool bare = !image || !image->generation; /* nothing of any policy stands there */
	struct seg_plan *plan = build(engine, book, bare ? 1 : image->generation, now);

	engine->ops->look_up(engine->kernel);
	*change = seg_plan_diff(image, plan, arena);
	if (bare || (!takes_long(change) && (fits(change) || mends(engine, image, plan))))
		return plan;
	seg_plan_free(plan);
	plan = build(engine, book, image->generation % UINT32_MAX + 1, now);
	engine->ops->look_up(engine->kernel);
	*change = seg_plan_diff(image, plan, arena);
	return plan;
}

static int read_image(struct seg_engine *engine, time_t now, struct seg_plan **image)
{
	int r = engine->ops->read(engine->kernel, image);

	if (!r && *image && (engine->running || engine->usage.adopted))
		seg_usage_account(engine, *image, now);
	return r;
}

/* Does the kernel hold the last plan as it was made? Not where somebody has touched it or a timeout has
 * ended an element since (clocks may err by a little), nor where a clock that was set moved those ends: the
 * kernel's timeouts run on, and by the new clock the old plan would seem to hold what is needed. */
static bool holds_plan(struct seg_engine *engine, time_t now)
{
	time_t first_end = engine->plan ? engine->plan->first_end : 0;

	return engine->plan && engine->running && !engine->usage.adopted && !engine->stepped &&
	       now >= engine->plan->at && (!first_end || now + 2 < first_end) && engine->ops->untouched(engine->kernel);
}

static bool has_counters(const struct seg_plan *plan)
{
	return plan && seg_plan_set(plan, "fast");
}

/* What the commit made anew counts from where it was made. */
static void account_commit(struct seg_engine *engine, const struct seg_change *change,
			   const struct seg_usage_change *used, time_t now)
{
	if (used && !change->replace && has_counters(change->from) && has_counters(change->to)) {
		seg_usage_committed(used);
		seg_refusals_committed(engine, change, now);
		return;
	}
	seg_usage_forget_table(engine);
	seg_refusals_forget_table(engine);
}

struct leaving {
	struct seg_engine *engine;
	struct seg_usage_change *used;
	time_t now;
};

static void left_by(void *context, const struct seg_set *set, const struct seg_elem *elem)
{
	const struct leaving *leaving = context;

	seg_usage_left(leaving->used, set, elem);
	seg_refusals_left(leaving->engine, set, elem, leaving->now);
}

static int commit_change(struct seg_engine *engine, const struct seg_change *change, time_t now,
			 struct seg_diags *diags)
{
	struct seg_usage_change *used = change->from ? seg_usage_follow(engine, change, now) : NULL;
	struct leaving leaving = {engine, used, now};
	struct seg_nft_left left = {left_by, &leaving};
	int r;

	if (used && change->from == engine->plan)
		seg_usage_read_leaving(used);
	seg_refusals_read_leaving(engine, change, now);
	seg_usage_save(engine);
	r = engine->ops->commit(engine->kernel, change, used ? &left : NULL, diags);
	if (!r)
		account_commit(engine, change, used, now);
	seg_usage_change_free(used);
	return r;
}

/* there: the plan in force, or else an image of what is in the kernel. */
static int commit_beside(struct seg_engine *engine, const struct seg_rulebook *book,
			 const struct seg_plan *there, time_t now, struct seg_diags *diags,
			 struct seg_plan **plan)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_change change;
	int r;

	*plan = build_beside(engine, book, there, now, arena, &change);
	/* A life that begins does not know what the one before has given which number, either. */
	if (there != engine->plan && (!engine->running || !seg_hands_guarded(engine)))
		seg_change_forget(&change);
	r = commit_change(engine, &change, now, diags);
	if (r) {
		seg_plan_free(*plan);
		*plan = NULL;
	}
	seg_arena_free(arena);
	return r;
}

/* Brings the kernel to book; *old is what was planned before (the caller frees it). What leaves takes its
 * counters with it, so they are read before. */
static int bring(struct seg_engine *engine, const struct seg_rulebook *book, time_t now,
		 struct seg_diags *diags, struct seg_plan **old)
{
	struct seg_plan *image = NULL, *plan = NULL;
	bool found_changed = false;
	int r = -ENOENT;

	engine->ops->look_up(engine->kernel);
	if (holds_plan(engine, now)) {
		struct seg_diags
			unsaid; /* a clock that was set may have misled us: the kernel is read then */

		seg_diags_init(&unsaid);
		r = commit_beside(engine, book, engine->plan, now, &unsaid, &plan);
		seg_diags_fini(&unsaid);
	}
	if (r) {
		r = read_image(engine, now, &image);
		found_changed = !r && seg_hands_were_at(engine, image, now);
		if (!r)
			r = commit_beside(engine, book, image, now, diags, &plan);
		seg_plan_free(image);
	}
	if (r)
		return r;
	if (found_changed)
		seg_hands_mended(engine, now);
	*old = engine->plan;
	engine->plan = plan;
	engine->stepped = false;
	engine->disarmed = false;
	seg_usage_save(engine);
	return 0;
}

static int commit(struct seg_engine *engine, const struct seg_rulebook *book, time_t now,
		  struct seg_diags *diags, struct seg_plan **old)
{
	int r;

	seg_readings_stop(engine);
	seg_hands_forget(engine);
	r = bring(engine, book, now, diags, old);
	engine->imprint_owed = !r; /* a commit that failed may have left something behind */
	seg_readings_go_on(engine);
	return r;
}

/* The kernel holds book now. */
static void put_in_place(struct seg_engine *engine, struct seg_rulebook *book, struct seg_plan *old,
			 time_t now, const char *reason, struct seg_revocation **revoked)
{
	struct seg_rulebook *before = engine->running;

	seg_usage_settle(engine);
	engine->running = book;
	seg_emergency_remember(engine);
	if (book) {
		seg_engine_because(engine, NULL);
		seg_windows_begin(engine, now);
		seg_limits_begin(engine, before ? before->policy : NULL);
	}
	*revoked = seg_revoke(engine, old, engine->closure.isolated.n > 0, reason, now);
	seg_plan_free(old);
	seg_listing_policy_ends(engine);
	seg_rulebook_free(before);
}

int seg_apply_install(struct seg_engine *engine, struct seg_rulebook *book, time_t now, const char *reason,
		      struct seg_diags *diags, struct seg_revocation **revoked)
{
	struct seg_numbers before = {.arena = NULL};
	struct seg_revocation *counted = NULL;
	struct seg_plan *old = NULL;
	int r = book ? seg_numbers_assign(engine, book->policy, &before) : 0;

	if (r)
		seg_error(diags, SEG_KERNEL, (struct seg_place){0},
			  N_("the numbers of its permits cannot be stored: %s"), strerror(-r));
	if (!r) {
		seg_emergency_resolve(engine, book ? book->policy : NULL);
		r = commit(engine, book, now, diags, &old);
		if (r && book)
			seg_numbers_return(engine, &before);
	}
	if (r)
		seg_emergency_resolve(engine, engine->running ? engine->running->policy : NULL);
	else
		put_in_place(engine, book, old, now, reason, &counted);
	seg_arena_free(before.arena);
	if (revoked)
		*revoked = counted;
	return r;
}

int seg_apply_refresh(struct seg_engine *engine, time_t now, const char *reason,
		      struct seg_revocation **revoked)
{
	bool hosts = !strcmp(reason, "isolated") && engine->closure.isolated.n > 0;
	struct seg_revocation *counted;
	struct seg_plan *old = NULL;
	struct seg_diags diags;
	int r;

	seg_diags_init(&diags);
	r = commit(engine, engine->running, now, &diags, &old);
	seg_diags_fini(&diags);
	if (r)
		return r;
	seg_windows_note(engine, now); /* what the plan has closed is what flows are judged by */
	counted = seg_revoke(engine, old, hosts, reason, now);
	seg_plan_free(old);
	if (revoked)
		*revoked = counted;
	return 0;
}
