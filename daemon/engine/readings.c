/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 5 /* of one set, before what is known has to do */

struct seg_wish {
	unsigned sets; /* still to be read */
	uint64_t number;
	seg_command_fn tell;	    /* NULL: for nobody */
	struct seg_request request; /* holds its parameters */
	STAILQ_ENTRY(seg_wish) entry;
};

const char *const seg_counted_name[SEG_COUNTED] = {
	[SEG_ADMITTED] = "admitted",
	[SEG_SLOW] = "slow",
	[SEG_FAST] = "fast",
	[SEG_FAST_OWN] = "fast-own",
	[SEG_DENIED4] = "denied4",
	[SEG_DENIED6] = "denied6",
	[SEG_SPOOFED4] = "spoofed4",
	[SEG_SPOOFED6] = "spoofed6",
	[SEG_OUTGROWN] = "outgrown",
	[SEG_OUTGROWN_SPOOFED] = "outgrown-spoofed",
	[SEG_OUTGROWN_AT] = "outgrown-at",
	[SEG_OUTGROWN_SPOOFED_AT] = "outgrown-spoofed-at",
	[SEG_OUTGROWN_REST] = "outgrown-rest",
	[SEG_OUTGROWN_SPOOFED_REST] = "outgrown-spoofed-rest",
};

enum seg_counted seg_counted_of(const struct seg_set *set)
{
	enum seg_counted i = 0;

	while (i < SEG_COUNTED && strcmp(seg_counted_name[i], set->name) != 0)
		i++;
	return i;
}

static unsigned bit(enum seg_counted set)
{
	return 1u << set;
}

/* Counters. */

static time_t earliest_end(const struct seg_elem *elem, time_t now)
{
	if (!elem->timeout_ms) /* it goes with a commit of ours alone */
		return LONG_MAX;
	return now + (time_t)(elem->timeout_ms / 1000);
}

struct seg_growth seg_counter_take(const struct seg_engine *engine, enum seg_counted set,
				   struct seg_counter *counter, const struct seg_elem *elem, time_t now)
{
	uint64_t reading = engine->readings.number[set] + 1;
	bool absent = counter->reading + 1 < reading && now >= counter->until;
	bool anew = absent || elem->packets < counter->packets || elem->bytes < counter->bytes;
	struct seg_growth more = {elem->packets - (anew ? 0 : counter->packets),
				  elem->bytes - (anew ? 0 : counter->bytes)};

	*counter = (struct seg_counter){elem->packets, elem->bytes, reading, earliest_end(elem, now)};
	return more;
}

void seg_counter_place(const struct seg_engine *engine, enum seg_counted set, struct seg_counter *counter,
		       const struct seg_elem *elem, time_t now)
{
	*counter = (struct seg_counter){elem->packets, elem->bytes, engine->readings.number[set],
					earliest_end(elem, now)};
}

bool seg_counter_stands(const struct seg_engine *engine, enum seg_counted set,
			const struct seg_counter *counter, time_t now)
{
	return counter->reading >= engine->readings.number[set] || now < counter->until;
}

/* One set. */

static void take(struct seg_engine *engine, enum seg_counted set, const struct seg_set *of,
		 const struct seg_elem *elem, time_t now)
{
	if (bit(set) & SEG_READ_USAGE)
		seg_usage_take(engine, set, of, elem, now);
	else
		seg_refusals_take(engine, set, elem, now);
}

/* It was shown to its end. */
static void complete(struct seg_engine *engine, enum seg_counted set, time_t now)
{
	engine->readings.number[set]++;
	if (bit(set) & SEG_READ_USAGE)
		seg_usage_forget_gone(engine, now);
	else
		seg_refusals_forget_gone(engine, now);
}

/* Those that are there to be read. What an earlier life left is accounted first (usage.c). */
static unsigned sets_there(const struct seg_engine *engine)
{
	unsigned sets = 0;

	for (enum seg_counted i = 0; engine->plan && i < SEG_COUNTED; i++)
		if (seg_plan_set(engine->plan, seg_counted_name[i]))
			sets |= bit(i);
	return engine->running && !engine->usage.adopted ? sets : sets & ~SEG_READ_USAGE;
}

/* At one stroke. */

struct stroke {
	struct seg_engine *engine;
	enum seg_counted set;
	const struct seg_set *of;
	time_t now;
};

static void take_at_once(void *context, const struct seg_elem *elem)
{
	const struct stroke *stroke = context;

	take(stroke->engine, stroke->set, stroke->of, elem, stroke->now);
}

void seg_readings_now(struct seg_engine *engine, const struct seg_plan *plan, unsigned sets, time_t now)
{
	seg_readings_stop(engine);
	for (enum seg_counted i = 0; i < SEG_COUNTED; i++) {
		const struct seg_set *set = sets & bit(i) ? seg_plan_set(plan, seg_counted_name[i]) : NULL;
		struct stroke stroke = {engine, i, set, now};

		if (set && !engine->ops->elements(engine->kernel, set, take_at_once, &stroke))
			complete(engine, i, now);
	}
}

void seg_readings_one(struct seg_engine *engine, enum seg_counted set, const uint8_t *key, time_t now)
{
	struct stroke stroke = {engine, set, seg_plan_set(engine->plan, seg_counted_name[set]), now};

	if (stroke.of)
		engine->ops->element(engine->kernel, stroke.of, key, take_at_once, &stroke);
}

/* Wishes. */

void seg_readings_init(struct seg_readings *readings)
{
	STAILQ_INIT(&readings->wishes);
}

static void wish_free(struct seg_engine *engine, struct seg_wish *wish)
{
	STAILQ_REMOVE(&engine->readings.wishes, wish, seg_wish, entry);
	json_decref((json_t *)wish->request.params);
	free(wish);
}

void seg_readings_fini(struct seg_engine *engine)
{
	while (!STAILQ_EMPTY(&engine->readings.wishes))
		wish_free(engine, STAILQ_FIRST(&engine->readings.wishes));
}

void seg_readings_forget(struct seg_engine *engine, const void *context)
{
	struct seg_wish *wish, *next;

	for (wish = STAILQ_FIRST(&engine->readings.wishes); wish; wish = next) {
		next = STAILQ_NEXT(wish, entry);
		if (wish->tell && wish->request.context == context)
			wish_free(engine, wish);
	}
}

static void add_wish(struct seg_engine *engine, unsigned sets, const struct seg_request *request,
		     seg_command_fn tell)
{
	struct seg_wish *wish = calloc(1, sizeof(*wish));

	if (!wish)
		abort();
	wish->sets = sets;
	wish->number = ++engine->readings.wished;
	wish->tell = tell;
	if (request) {
		wish->request = *request;
		json_incref((json_t *)request->params);
	}
	STAILQ_INSERT_TAIL(&engine->readings.wishes, wish, entry);
	seg_readings_go_on(engine);
}

int seg_readings_answer(struct seg_engine *engine, const struct seg_request *request, unsigned sets,
			seg_command_fn tell, json_t **out)
{
	sets &= sets_there(engine);
	if (!sets || !request->done)
		return tell(engine, request, out);
	add_wish(engine, sets, request, tell);
	return SEG_LATER;
}

void seg_readings_refresh(struct seg_engine *engine)
{
	const struct seg_wish *wish;
	unsigned sets = sets_there(engine);

	STAILQ_FOREACH(wish, &engine->readings.wishes, entry) {
		if (!wish->tell) /* the last is not granted yet */
			return;
	}
	if (sets)
		add_wish(engine, sets, NULL, NULL);
}

/* The first of those whose sets were all read; NULL. */
static struct seg_wish *granted(struct seg_engine *engine)
{
	unsigned there = sets_there(engine);
	struct seg_wish *wish;

	STAILQ_FOREACH(wish, &engine->readings.wishes, entry) {
		if (!(wish->sets & there))
			return wish;
	}
	return NULL;
}

/* Whoever is answered may ask again at once, and others may go away meanwhile. */
static void grant(struct seg_engine *engine, time_t now)
{
	struct seg_wish *wish;

	while ((wish = granted(engine))) {
		struct seg_request request = wish->request;
		json_t *out = NULL;
		int r;

		request.now = now;
		if (!wish->tell) {
			wish_free(engine, wish);
			continue;
		}
		r = wish->tell(engine, &request, &out);
		wish_free(engine, wish);
		if (r != SEG_LATER)
			request.done(request.context, r, out);
	}
}

/* The walk. */

void seg_readings_stop(struct seg_engine *engine)
{
	if (engine->readings.walking)
		engine->ops->count_stop(engine->kernel);
	engine->readings.walking = false;
}

/* One that failed again; else in a ring, so that none is read for ever while others wait. */
static enum seg_counted next_set(const struct seg_readings *readings, unsigned sets)
{
	enum seg_counted set = readings->set;

	if (!readings->failures)
		set = (set + 1) % SEG_COUNTED;
	while (!(sets & bit(set)))
		set = (set + 1) % SEG_COUNTED;
	return set;
}

void seg_readings_go_on(struct seg_engine *engine)
{
	struct seg_readings *readings = &engine->readings;
	const struct seg_wish *wish;
	unsigned sets = 0;

	if (readings->walking || readings->later)
		return;
	STAILQ_FOREACH(wish, &readings->wishes, entry)
		sets |= wish->sets;
	sets &= sets_there(engine);
	if (!sets)
		return;
	readings->set = next_set(readings, sets);
	readings->served = readings->wished;
	readings->of = seg_plan_set(engine->plan, seg_counted_name[readings->set]);
	readings->walking = !engine->ops->count(engine->kernel, readings->of);
	readings->later = !readings->walking;
}

void seg_engine_counted(struct seg_engine *engine, const struct seg_elem *elem, time_t now)
{
	take(engine, engine->readings.set, engine->readings.of, elem, now);
}

static void strike_off(struct seg_readings *readings)
{
	struct seg_wish *wish;

	readings->failures = 0;
	STAILQ_FOREACH(wish, &readings->wishes, entry) {
		if (wish->number <= readings->served)
			wish->sets &= ~bit(readings->set);
	}
}

/* The walk, or the attempt to begin one, has ended. */
static void ended(struct seg_engine *engine, int result, time_t now)
{
	struct seg_readings *readings = &engine->readings;

	readings->walking = false;
	if (!result)
		complete(engine, readings->set, now);
	if (!result || ++readings->failures >= TRIES)
		strike_off(readings);
	grant(engine, now);
	seg_readings_go_on(engine);
}

void seg_engine_counted_all(struct seg_engine *engine, int result, time_t now)
{
	ended(engine, result, now);
}

/* Also what waits for sets that have gone for good meanwhile is answered here. */
void seg_readings_tick(struct seg_engine *engine, time_t now)
{
	bool failed = engine->readings.later;

	engine->readings.later = false;
	if (failed) {
		ended(engine, -EAGAIN, now);
		return;
	}
	grant(engine, now);
	seg_readings_go_on(engine);
}
