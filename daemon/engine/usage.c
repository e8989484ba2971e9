/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Use of permits: totals that follow the permit's id over applies, restarts and
 * reboots, made from counters that live and die with elements of the kernel's sets.
 *
 * Totals grow element by element (readings.h). They are kept in the state directory
 * together with what each element was last seen at, so that a daemon that finds its
 * table still there goes on where the earlier life ended, whichever elements have come and
 * gone meanwhile. Both are saved as they stand in memory, so that they fit each other also in
 * the middle of a reading. A commit takes counters away: they are saved before it, or a daemon
 * that dies soon after would leave nothing of what went with them.
 */

#include "state.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "plan/diff.h"

#define ID_MAX 128
#define LEAVING_MAX 64 /* elements read one by one; more are read together with all */

struct id_key {
	char id[ID_MAX];
};
struct use {
	struct id_key key;
	struct seg_counts total;
	time_t first, last;
	bool dirty; /* since the last save */
};
struct element_key {
	uint64_t hash[2];
};
enum kind { FLOWS, ORIGINAL, REPLY };
struct element_seen {
	struct element_key key;
	struct seg_counter counter;
	uint32_t number;
	enum kind kind;
	enum seg_counted set;
	bool dirty, stored; /* since the last save; in the state directory */
};
/* One that is gone, and still in the state directory. */
struct gone {
	struct element_key key;
};

struct carried {
	uint32_t number;
};

static struct id_key id_key(const char *id)
{
	struct id_key key;

	memset(&key, 0, sizeof(key));
	memcpy(key.id, id, strnlen(id, sizeof(key.id) - 1));
	return key;
}

static struct use *use_of(struct seg_usage *usage, const char *id)
{
	struct id_key key = id_key(id);
	bool made;

	return seg_hash_put(&usage->permit, &key, &made);
}

static void add_counts(struct seg_counts *to, const struct seg_counts *more)
{
	to->flows += more->flows;
	to->packets += more->packets;
	to->bytes += more->bytes;
	to->reply_packets += more->reply_packets;
	to->reply_bytes += more->reply_bytes;
}

struct loading {
	struct seg_usage *usage;
	bool any;
};

static void load_row(void *context, const struct seg_usage_row *row)
{
	struct loading *loading = context;
	struct use *use;

	if (!row->permit)
		return;
	loading->any = true;
	use = use_of(loading->usage, row->permit);
	add_counts(&use->total, &row->total);
	if (row->first && (!use->first || row->first < use->first))
		use->first = row->first;
	if (row->last > use->last)
		use->last = row->last;
}

/* Those of earlier lives, beside what this one has counted; never twice, also where they break off. */
static void load_totals(struct seg_engine *engine)
{
	struct loading loading = {&engine->usage, false};

	engine->usage.unread = seg_store_load_usage(engine->store, load_row, &loading) && !loading.any;
}

/* Whose it is, and of which set, is known when it is shown. */
static void load_counter(void *context, const struct seg_counter_row *row)
{
	struct seg_engine *engine = context;
	struct element_key key = {{row->key[0], row->key[1]}};
	bool made;
	struct element_seen *seen = seg_hash_put(&engine->usage.element, &key, &made);

	seen->counter.packets = row->packets;
	seen->counter.bytes = row->bytes;
	seen->counter.until = row->until;
	seen->stored = true;
}

void seg_usage_init(struct seg_engine *engine)
{
	seg_hash_init(&engine->usage.permit, sizeof(struct id_key), sizeof(struct use));
	seg_hash_init(&engine->usage.element, sizeof(struct element_key), sizeof(struct element_seen));
	seg_hash_init(&engine->usage.gone, sizeof(struct element_key), sizeof(struct gone));
	seg_hash_init(&engine->usage.carried, sizeof(uint32_t), sizeof(struct carried));
	engine->usage.arena = seg_arena_new();
	engine->usage.earlier = seg_numbers_copy(&engine->registry, engine->usage.arena);
	load_totals(engine);
	seg_store_load_counters(engine->store, load_counter, engine);
	engine->usage.counted = engine->usage.unread || !seg_store_knows_counters(engine->store);
}

/* At the start the disk may have been too full for the database to be opened. */
static bool totals_are_loaded(struct seg_engine *engine)
{
	if (engine->usage.unread)
		load_totals(engine);
	return !engine->usage.unread;
}

void seg_usage_fini(struct seg_usage *usage)
{
	seg_hash_fini(&usage->permit);
	seg_hash_fini(&usage->element);
	seg_hash_fini(&usage->gone);
	seg_hash_fini(&usage->carried);
	seg_arena_free(usage->arena);
}

static struct element_key element_key(const struct seg_set *set, const struct seg_elem *elem)
{
	struct element_key key = {{0xcbf29ce484222325u, 0x84222325cbf29ce4u}};

	for (const char *c = set->name; *c; c++)
		key.hash[0] = (key.hash[0] ^ (uint8_t)*c) * 0x100000001b3u;
	key.hash[1] ^= key.hash[0];
	for (unsigned i = 0; i < set->key_len; i++) {
		key.hash[0] = (key.hash[0] ^ elem->key[i]) * 0x100000001b3u;
		key.hash[1] = (key.hash[1] + elem->key[i]) * 0x9e3779b97f4a7c15u;
	}
	return key;
}

static void add(struct seg_counts *counts, enum kind kind, uint64_t packets, uint64_t bytes)
{
	switch (kind) {
	case FLOWS: /* counted by their first packets */
		counts->flows += packets;
		/* fallthrough */
	case ORIGINAL:
		counts->packets += packets;
		counts->bytes += bytes;
		break;
	case REPLY:
		counts->reply_packets += packets;
		counts->reply_bytes += bytes;
		break;
	}
}

static void used_now(struct use *use, time_t now)
{
	if (!use->first)
		use->first = now;
	use->last = now;
	use->dirty = true;
}

static struct element_seen *element_seen(struct seg_usage *usage, enum seg_counted which,
					 const struct seg_set *set, const struct seg_elem *elem)
{
	struct element_key key = element_key(set, elem);
	bool made;
	struct element_seen *seen = seg_hash_put(&usage->element, &key, &made);

	seen->set = which;
	seen->kind = which == SEG_ADMITTED ? FLOWS : elem->key[0] ? REPLY : ORIGINAL;
	memcpy(&seen->number, elem->key + set->key_len - sizeof(seen->number), sizeof(seen->number));
	return seen;
}

const char *seg_usage_earlier_permit(const struct seg_engine *engine, uint32_t number)
{
	return number & SEG_NUMBER_INTRA ? NULL : seg_numbers_id(&engine->usage.earlier, number);
}

/* Whose number it is: as the plan in force has it, before the first plan as an earlier life wrote it down.
 * NULL: nobody's, or traffic inside a zone. */
static const char *permit_of(const struct seg_engine *engine, uint32_t number)
{
	const struct seg_number *known = engine->plan ? seg_plan_number(engine->plan, number) : NULL;

	if (!engine->plan)
		return seg_usage_earlier_permit(engine, number);
	return known && known->permit && !(number & SEG_NUMBER_INTRA) ? known->permit->id : NULL;
}

static bool is_of_this_life(const struct seg_engine *engine, uint32_t number)
{
	return number >= engine->usage.earlier.next && number < engine->registry.next;
}

void seg_usage_carries(struct seg_engine *engine, uint32_t number)
{
	bool made;

	if (is_of_this_life(engine, number))
		seg_hash_put(&engine->usage.carried, &number, &made);
}

bool seg_usage_never_carried(const struct seg_engine *engine, uint32_t number)
{
	return is_of_this_life(engine, number) && !seg_hash_find(&engine->usage.carried, &number);
}

void seg_usage_take(struct seg_engine *engine, enum seg_counted which, const struct seg_set *set,
		    const struct seg_elem *elem, time_t now)
{
	struct seg_usage *usage = &engine->usage;
	struct element_seen *seen = element_seen(usage, which, set, elem);
	struct seg_growth more = seg_counter_take(engine, which, &seen->counter, elem, now);
	const char *id;
	struct use *use;

	if (!more.packets)
		return;
	seg_usage_carries(engine, seen->number);
	seen->dirty = usage->dirty = true;
	if ((seen->number & SEG_NUMBER_INTRA) && seen->kind == FLOWS && !usage->adopted)
		usage->silent += more.packets;
	id = permit_of(engine, seen->number);
	if (!id || (usage->adopted && usage->counted))
		return;
	use = use_of(usage, id);
	add(&use->total, seen->kind, more.packets, more.bytes);
	used_now(use, now);
}

static void forget(struct seg_usage *usage, const struct element_seen *seen)
{
	bool made;

	if (!seen->stored)
		return;
	seg_hash_put(&usage->gone, &seen->key, &made);
	usage->dirty = true;
}

static void keep_standing(struct seg_engine *engine, time_t now)
{
	struct seg_usage *usage = &engine->usage;
	const struct element_seen *seen;
	struct seg_hash standing;
	size_t cursor = 0;
	bool made;

	seg_hash_init(&standing, sizeof(struct element_key), sizeof(struct element_seen));
	while ((seen = seg_hash_next(&usage->element, &cursor)))
		if (seg_counter_stands(engine, seen->set, &seen->counter, now))
			*(struct element_seen *)seg_hash_put(&standing, &seen->key, &made) = *seen;
		else
			forget(usage, seen);
	seg_hash_fini(&usage->element);
	usage->element = standing;
}

/* Now and then, when half of what is remembered is not there any more. */
void seg_usage_forget_gone(struct seg_engine *engine, time_t now)
{
	struct seg_usage *usage = &engine->usage;
	const struct element_seen *seen;
	size_t cursor = 0, gone = 0;

	if (usage->adopted) /* those of the sets that come later have not been shown */
		return;
	while ((seen = seg_hash_next(&usage->element, &cursor)))
		gone += !seg_counter_stands(engine, seen->set, &seen->counter, now);
	if (gone && gone * 2 >= usage->element.n)
		keep_standing(engine, now);
}

void seg_usage_forget_table(struct seg_engine *engine)
{
	const struct element_seen *seen;
	size_t cursor = 0;

	while ((seen = seg_hash_next(&engine->usage.element, &cursor)))
		forget(&engine->usage, seen);
	seg_hash_fini(&engine->usage.element);
	seg_hash_init(&engine->usage.element, sizeof(struct element_key), sizeof(struct element_seen));
}

/* What a commit changes in the sets whose elements it makes itself. */
struct seg_usage_change {
	struct seg_engine *engine;
	struct seg_arena *arena;
	const struct seg_plan *from, *to;
	time_t now;
	struct seg_set_change set[SEG_FAST_OWN + 1]; /* empty: of those that packets fill, and of missing ones */
};

static bool made_by_us(enum seg_counted set)
{
	return set == SEG_FAST || set == SEG_FAST_OWN;
}

struct seg_usage_change *seg_usage_follow(struct seg_engine *engine, const struct seg_change *change, time_t now)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_usage_change *used = SEG_NEW(arena, struct seg_usage_change);

	*used = (struct seg_usage_change){
		.engine = engine, .arena = arena, .from = change->from, .to = change->to, .now = now};
	for (size_t i = 0; i < change->sets; i++) {
		enum seg_counted set = seg_counted_of(change->set[i].set);

		if (made_by_us(set))
			used->set[set] = change->set[i];
	}
	return used;
}

void seg_usage_change_free(struct seg_usage_change *change)
{
	if (change)
		seg_arena_free(change->arena);
}

void seg_usage_left(const struct seg_usage_change *change, const struct seg_set *set, const struct seg_elem *elem)
{
	enum seg_counted which = seg_counted_of(set);

	if (made_by_us(which))
		seg_usage_take(change->engine, which, set, elem, change->now);
}

/* Without an end of its own an element goes with a commit alone: one that an earlier life took away, and died
 * before that was saved, is shown by no set, and no time of it is ever over. */
static void forget_left_unseen(struct seg_engine *engine, const struct seg_plan *image, time_t now)
{
	struct element_seen *seen;
	struct seg_hash there;
	size_t cursor = 0;
	bool made;

	seg_hash_init(&there, sizeof(struct element_key), sizeof(struct gone));
	for (enum seg_counted i = SEG_FAST; i <= SEG_FAST_OWN; i++) {
		const struct seg_set *set = seg_plan_set(image, seg_counted_name[i]);

		for (size_t k = 0; set && k < set->elems; k++) {
			struct element_key key = element_key(set, &set->elem[k]);

			seg_hash_put(&there, &key, &made);
		}
	}
	while ((seen = seg_hash_next(&engine->usage.element, &cursor)))
		if (seen->counter.until == LONG_MAX && !seg_hash_find(&there, &seen->key))
			seen->counter.until = now;
	seg_hash_fini(&there);
	keep_standing(engine, now);
}

void seg_usage_account(struct seg_engine *engine, const struct seg_plan *image, time_t now)
{
	bool first = engine->usage.adopted;

	seg_readings_now(engine, image, SEG_READ_USAGE, now);
	engine->usage.adopted = false;
	if (first)
		forget_left_unseen(engine, image, now);
}

void seg_usage_read(struct seg_engine *engine, time_t now)
{
	if (!engine->plan || !engine->running || engine->usage.adopted)
		return;
	seg_usage_settle(engine);
	seg_readings_now(engine, engine->plan, SEG_READ_USAGE, now);
}

/* Which elements of the plan in force the next one leaves out, by set and key. */
struct leaving {
	enum seg_counted set[LEAVING_MAX];
	const uint8_t *key[LEAVING_MAX];
	size_t n;
	bool many; /* more than that */
};

static void leave(struct leaving *leaving, enum seg_counted set, const uint8_t *key)
{
	leaving->many = leaving->many || leaving->n == LEAVING_MAX;
	if (leaving->many)
		return;
	leaving->set[leaving->n] = set;
	leaving->key[leaving->n++] = key;
}

/* What packets have made stays in the kernel, but nobody will know whose it was. */
static void leave_number(struct leaving *leaving, const struct seg_plan *plan, uint32_t number,
			 struct seg_arena *arena)
{
	for (enum seg_counted i = SEG_ADMITTED; i <= SEG_SLOW; i++) {
		const struct seg_set *set = seg_plan_set(plan, seg_counted_name[i]);

		for (uint8_t direction = 0; set && direction <= (i == SEG_SLOW); direction++) {
			uint8_t *key = seg_arena_alloc(arena, set->key_len);

			key[0] = direction;
			memcpy(key + set->key_len - sizeof(number), &number, sizeof(number));
			leave(leaving, i, key);
		}
	}
}

static void leave_numbers(const struct seg_usage_change *change, struct leaving *leaving)
{
	const struct seg_plan *plan = change->engine->plan, *to = change->to;

	for (size_t i = 0, k = 0; i < plan->numbers && !leaving->many; i++) {
		uint32_t number = plan->number[i].number;

		while (k < to->numbers && to->number[k].number < number) /* both are sorted */
			k++;
		if (k == to->numbers || to->number[k].number != number)
			leave_number(leaving, plan, number, change->arena);
	}
}

static void read_one_by_one(const struct seg_usage_change *change, const struct leaving *leaving)
{
	for (size_t i = 0; i < leaving->n; i++)
		seg_readings_one(change->engine, leaving->set[i], leaving->key[i], change->now);
}

void seg_usage_read_leaving(const struct seg_usage_change *change)
{
	struct leaving leaving = {.many = change->to->generation != change->from->generation};

	for (enum seg_counted set = SEG_FAST; set <= SEG_FAST_OWN; set++)
		for (size_t k = 0; k < change->set[set].dels && !leaving.many; k++)
			leave(&leaving, set, change->set[set].del[k]->key);
	leave_numbers(change, &leaving);
	if (leaving.many)
		seg_usage_read(change->engine, change->now);
	else
		read_one_by_one(change, &leaving);
}

struct sweep {
	const struct seg_usage_change *change;
	enum seg_counted set;
	const struct seg_set *of;
};

static void take_what_stays(void *context, const struct seg_elem *elem)
{
	const struct sweep *sweep = context;
	const struct seg_usage_change *change = sweep->change;
	uint32_t number;

	memcpy(&number, elem->key + sweep->of->key_len - sizeof(number), sizeof(number));
	if (!seg_plan_number(change->to, number))
		seg_usage_take(change->engine, sweep->set, sweep->of, elem, change->now);
}

/* What packets have made of the numbers that left has counted until the commit: once more, while it is known
 * whose it was. Of the other numbers some are new, and not known yet. */
static void read_what_stays(const struct seg_usage_change *change)
{
	struct seg_engine *engine = change->engine;
	struct leaving leaving = {0};

	if (engine->plan)
		leave_numbers(change, &leaving);
	if (!leaving.many)
		read_one_by_one(change, &leaving);
	for (enum seg_counted i = SEG_ADMITTED; leaving.many && i <= SEG_SLOW; i++) {
		struct sweep sweep = {change, i, seg_plan_set(engine->plan, seg_counted_name[i])};

		if (sweep.of)
			engine->ops->elements(engine->kernel, sweep.of, take_what_stays, &sweep);
	}
}

static void set_committed(enum seg_counted set, const struct seg_usage_change *of)
{
	struct seg_engine *engine = of->engine;
	const struct seg_set_change *change = &of->set[set];
	const struct seg_set *was = seg_plan_set(of->from, seg_counted_name[set]),
			     *is = seg_plan_set(of->to, seg_counted_name[set]);
	struct seg_usage *usage = &engine->usage;

	for (size_t i = 0; i < change->dels; i++) {
		struct element_key key = element_key(was, change->del[i]);
		struct element_seen *seen = seg_hash_find(&usage->element, &key);

		if (!seen)
			continue;
		forget(usage, seen);
		seg_hash_remove(&usage->element, seen);
	}
	for (size_t i = 0; i < change->adds; i++) {
		struct element_seen *seen = element_seen(usage, set, is, change->add[i]);

		seg_counter_place(engine, set, &seen->counter, change->add[i], of->to->at);
		/* One that was only changed goes on counting, and its row has just been given up. */
		seen->dirty = seen->stored || seen->counter.packets || seen->counter.bytes;
		usage->dirty |= seen->dirty;
	}
}

void seg_usage_committed(const struct seg_usage_change *change)
{
	read_what_stays(change);
	for (enum seg_counted set = SEG_FAST; set <= SEG_FAST_OWN; set++)
		set_committed(set, change);
}

void seg_usage_settle(struct seg_engine *engine)
{
	struct seg_rulebook *book = engine->running;

	for (size_t i = 0; book && i < book->policy->permits; i++) {
		if (!book->touched[i])
			continue;
		used_now(use_of(&engine->usage, book->policy->permit[i].id), book->touched[i]);
		book->touched[i] = 0;
		engine->usage.dirty = true;
	}
}

/* Elements that have counted, and those that have gone; true: all are in the transaction. */
static bool put_counters(struct seg_engine *engine)
{
	struct seg_usage *usage = &engine->usage;
	const struct element_seen *seen;
	const struct gone *gone;
	size_t cursor = 0;
	bool done = true;

	while (done && (gone = seg_hash_next(&usage->gone, &cursor)))
		done = !seg_store_drop_counter(engine->store, gone->key.hash);
	cursor = 0;
	while (done && (seen = seg_hash_next(&usage->element, &cursor))) {
		const struct seg_counter *counter = &seen->counter;
		struct seg_counter_row row = {{seen->key.hash[0], seen->key.hash[1]},
					      counter->packets,
					      counter->bytes,
					      counter->until};

		done = !seen->dirty || !seg_store_put_counter(engine->store, &row);
	}
	return done;
}

static bool put_uses(struct seg_engine *engine)
{
	const struct use *use;
	size_t cursor = 0;
	bool done = true;

	while (done && (use = seg_hash_next(&engine->usage.permit, &cursor))) {
		struct seg_usage_row row = {use->key.id, use->total, use->first, use->last};

		done = !use->dirty || !seg_store_put_usage(engine->store, &row);
	}
	return done;
}

/* All of it is in the state directory. */
static void saved(struct seg_usage *usage)
{
	struct element_seen *seen;
	struct use *use;
	size_t cursor = 0;

	while ((use = seg_hash_next(&usage->permit, &cursor)))
		use->dirty = false;
	cursor = 0;
	while ((seen = seg_hash_next(&usage->element, &cursor))) {
		seen->stored |= seen->dirty;
		seen->dirty = false;
	}
	seg_hash_fini(&usage->gone);
	seg_hash_init(&usage->gone, sizeof(struct element_key), sizeof(struct gone));
	usage->dirty = false;
}

void seg_usage_save(struct seg_engine *engine)
{
	bool done;

	seg_usage_settle(engine);
	if (!engine->usage.dirty || !totals_are_loaded(engine) || seg_store_begin_usage(engine->store))
		return;
	/* All or nothing: they fit each other. The first failure is the last: each may have waited for a lock. */
	done = put_counters(engine) && put_uses(engine);
	if (!seg_store_end_usage(engine->store, done))
		saved(&engine->usage);
}

struct seg_usage_row seg_usage_of(const struct seg_engine *engine, const char *permit)
{
	struct id_key key = id_key(permit);
	const struct use *use = seg_hash_find(&engine->usage.permit, &key);

	if (!use)
		return (struct seg_usage_row){.permit = permit};
	return (struct seg_usage_row){permit, use->total, use->first, use->last};
}
