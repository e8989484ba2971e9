/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Use of permits: totals that follow the permit's id over applies, restarts and
 * reboots, made from counters that live and die with elements of the kernel's sets.
 *
 * Each reading adds what an element counted since the last one; an element that
 * counts less than before was made anew. Totals are kept in the state directory
 * together with what the kernel's counters stood at, so that a daemon that finds its
 * table still there adds only the difference.
 */

#include "state.h"

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
	struct seg_counts standing;  /* of the kernel's counters, summed */
	struct seg_counts accounted; /* the same at the time of the last save, before this life */
	time_t first, last;
};
struct element_key {
	uint64_t hash[2];
};
struct element_seen {
	struct element_key key;
	uint64_t packets, bytes, reading;
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

static void load_row(void *context, const struct seg_usage_row *row)
{
	struct seg_engine *engine = context;
	struct use *use;

	if (!row->permit)
		return;
	use = use_of(&engine->usage, row->permit);
	use->total = row->total;
	use->accounted = row->accounted;
	use->first = row->first;
	use->last = row->last;
}

void seg_usage_init(struct seg_engine *engine)
{
	seg_hash_init(&engine->usage.permit, sizeof(struct id_key), sizeof(struct use));
	seg_hash_init(&engine->usage.element, sizeof(struct element_key), sizeof(struct element_seen));
	seg_store_load_usage(engine->store, load_row, engine);
}

void seg_usage_fini(struct seg_usage *usage)
{
	seg_hash_fini(&usage->permit);
	seg_hash_fini(&usage->element);
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

enum kind { FLOWS, ORIGINAL, REPLY };

static void add(struct seg_counts *counts, enum kind kind, uint64_t packets, uint64_t bytes)
{
	switch (kind) {
	case FLOWS:
		counts->flows += packets;
		break;
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
}

/* How much an element has counted since the last reading. One that was not there then is new, also where
 * it counts more than an earlier one of its key. */
static struct seg_counts grown(struct seg_usage *usage, const struct seg_set *set,
			       const struct seg_elem *elem)
{
	struct element_key key = element_key(set, elem);
	struct seg_counts more;
	struct element_seen *seen;
	bool made;

	seen = seg_hash_put(&usage->element, &key, &made);
	if (elem->packets < seen->packets || elem->bytes < seen->bytes || seen->reading + 1 < usage->reading)
		seen->packets = seen->bytes = 0;
	more = (struct seg_counts){.packets = elem->packets - seen->packets,
				   .bytes = elem->bytes - seen->bytes};
	seen->reading = usage->reading;
	seen->packets = elem->packets;
	seen->bytes = elem->bytes;
	return more;
}

/* The three sets that count: flows by number, packets by direction and number. */
static const struct counting {
	const char *set;
	bool directed;
} counting[] = {{"admitted", false}, {"slow", true}, {"fast", true}};
#define COUNTING (sizeof(counting) / sizeof(*counting))

struct reading {
	struct seg_engine *engine;
	const struct seg_set *set;
	time_t now;
	bool directed;
	bool whole; /* every element is read, and what they stand at summed anew */
};

/* Whose number it is: as the plan in force has it, before the first plan as an earlier life wrote it down.
 * NULL: nobody's, or traffic inside a zone. */
static const char *permit_of(const struct seg_engine *engine, uint32_t number)
{
	const struct seg_number *known = engine->plan ? seg_plan_number(engine->plan, number) : NULL;

	if (number & SEG_NUMBER_INTRA)
		return NULL;
	if (engine->plan)
		return known && known->permit ? known->permit->id : NULL;
	for (size_t i = 0; i < engine->registry.n; i++)
		if (engine->registry.entry[i].number == number)
			return engine->registry.entry[i].id;
	return NULL;
}

static void account_element(void *context, const struct seg_elem *elem)
{
	struct reading *reading = context;
	struct seg_usage *usage = &reading->engine->usage;
	enum kind kind = !reading->directed ? FLOWS : elem->key[0] ? REPLY : ORIGINAL;
	struct seg_counts more = grown(usage, reading->set, elem);
	const char *id;
	struct use *use;
	uint32_t number;

	memcpy(&number, elem->key + reading->set->key_len - sizeof(number), sizeof(number));
	if ((number & SEG_NUMBER_INTRA) && kind == FLOWS && !usage->adopted)
		usage->silent += more.packets;
	id = permit_of(reading->engine, number);
	if (!id)
		return;
	use = use_of(usage, id);
	if (reading->whole)
		add(&use->standing, kind, elem->packets, elem->bytes);
	if (usage->adopted || !more.packets)
		return;
	add(&use->total, kind, more.packets, more.bytes);
	used_now(use, reading->now);
	usage->dirty = true;
}

static uint64_t since(uint64_t standing, uint64_t accounted)
{
	return standing >= accounted ? standing - accounted : standing;
}

/* First reading of a table that an earlier life left: what it counted while nobody looked. */
static void adopt(struct use *use, time_t now)
{
	struct seg_counts more = {
		.flows = since(use->standing.flows, use->accounted.flows),
		.packets = since(use->standing.packets, use->accounted.packets),
		.bytes = since(use->standing.bytes, use->accounted.bytes),
		.reply_packets = since(use->standing.reply_packets, use->accounted.reply_packets),
		.reply_bytes = since(use->standing.reply_bytes, use->accounted.reply_bytes),
	};

	add(&use->total, FLOWS, more.flows, 0);
	add(&use->total, ORIGINAL, more.packets, more.bytes);
	add(&use->total, REPLY, more.reply_packets, more.reply_bytes);
	if (more.flows || more.packets || more.reply_packets)
		used_now(use, now);
}

/* Now and then, when half of what is remembered is not there any more. */
static void forget_gone_elements(struct seg_usage *usage)
{
	struct seg_hash standing;
	struct element_seen *seen;
	size_t cursor = 0, stale = 0;
	bool made;

	while ((seen = seg_hash_next(&usage->element, &cursor)))
		stale += seen->reading != usage->reading;
	if (!stale || stale * 2 < usage->element.n)
		return;
	seg_hash_init(&standing, sizeof(struct element_key), sizeof(struct element_seen));
	cursor = 0;
	while ((seen = seg_hash_next(&usage->element, &cursor)))
		if (seen->reading == usage->reading)
			*(struct element_seen *)seg_hash_put(&standing, &seen->key, &made) = *seen;
	seg_hash_fini(&usage->element);
	usage->element = standing;
}

static void read_counters(struct seg_engine *engine, const struct seg_plan *plan, time_t now)
{
	struct reading reading = {.engine = engine, .now = now, .whole = true};
	struct use *use;
	size_t cursor = 0;

	while ((use = seg_hash_next(&engine->usage.permit, &cursor)))
		memset(&use->standing, 0, sizeof(use->standing));
	engine->usage.reading++;
	for (size_t i = 0; i < COUNTING; i++) {
		reading.set = seg_plan_set(plan, counting[i].set);
		reading.directed = counting[i].directed;
		if (reading.set)
			engine->ops->elements(engine->kernel, reading.set, account_element, &reading);
	}
	forget_gone_elements(&engine->usage);
}

void seg_usage_account(struct seg_engine *engine, const struct seg_plan *image, time_t now)
{
	struct seg_usage *usage = &engine->usage;
	struct use *use;
	size_t cursor = 0;

	read_counters(engine, image, now);
	if (!usage->adopted)
		return;
	while ((use = seg_hash_next(&usage->permit, &cursor)))
		adopt(use, now);
	usage->adopted = false;
	usage->dirty = true;
}

void seg_usage_read(struct seg_engine *engine, time_t now)
{
	if (!engine->plan || !engine->running || engine->usage.adopted)
		return;
	seg_usage_settle(engine);
	read_counters(engine, engine->plan, now);
}

/* Which elements of the plan in force the next one leaves out, by set and key. */
struct leaving {
	const struct seg_set *set[LEAVING_MAX];
	const uint8_t *key[LEAVING_MAX];
	size_t n;
	bool many; /* more than that */
};

static void leave(struct leaving *leaving, const struct seg_set *set, const uint8_t *key)
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
	for (size_t i = 0; i < COUNTING; i++) {
		const struct seg_set *set = seg_plan_set(plan, counting[i].set);

		if (!set || !set->dynamic)
			continue;
		for (uint8_t direction = 0; direction <= counting[i].directed; direction++) {
			uint8_t *key = seg_arena_alloc(arena, set->key_len);

			key[0] = direction;
			memcpy(key + set->key_len - sizeof(number), &number, sizeof(number));
			leave(leaving, set, key);
		}
	}
}

static void find_leaving(const struct seg_plan *plan, const struct seg_plan *next, struct seg_arena *arena,
			 struct leaving *leaving)
{
	for (size_t i = 0; i < COUNTING; i++) {
		const struct seg_set *set = seg_plan_set(plan, counting[i].set);
		const struct seg_set *then = seg_plan_set(next, counting[i].set);
		struct seg_set_change change = {0};

		if (set && then)
			seg_set_diff(set, then, seg_plan_later_ms(plan, next), arena, &change);
		for (size_t k = 0; k < change.dels && !leaving->many; k++)
			leave(leaving, set, change.del[k]->key);
	}
	for (size_t i = 0; i < plan->numbers && !leaving->many; i++)
		if (!seg_plan_number(next, plan->number[i].number))
			leave_number(leaving, plan, plan->number[i].number, arena);
}

void seg_usage_read_leaving(struct seg_engine *engine, const struct seg_plan *next, time_t now)
{
	struct reading reading = {.engine = engine, .now = now};
	struct leaving leaving = {.many = next->generation != engine->plan->generation};
	struct seg_arena *arena = seg_arena_new();

	if (!leaving.many)
		find_leaving(engine->plan, next, arena, &leaving);
	if (leaving.many) {
		seg_usage_read(engine, now);
		leaving.n = 0;
	}
	for (size_t i = 0; i < leaving.n; i++) {
		reading.set = leaving.set[i];
		reading.directed = reading.set->fields > 1;
		engine->ops->element(engine->kernel, reading.set, leaving.key[i], account_element, &reading);
	}
	seg_arena_free(arena);
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

void seg_usage_save(struct seg_engine *engine, time_t now)
{
	struct use *use;
	size_t cursor = 0;
	bool failed;

	(void)now;
	seg_usage_settle(engine);
	if (!engine->usage.dirty || seg_store_begin_usage(engine->store))
		return;
	failed = false;
	while ((use = seg_hash_next(&engine->usage.permit, &cursor))) {
		struct seg_usage_row row = {use->key.id, use->total, use->standing, use->first, use->last};

		failed |= seg_store_put_usage(engine->store, &row) != 0;
	}
	if (!seg_store_end_usage(engine->store) && !failed)
		engine->usage.dirty = false;
}

struct seg_usage_row seg_usage_of(const struct seg_engine *engine, const char *permit)
{
	struct id_key key = id_key(permit);
	const struct use *use = seg_hash_find(&engine->usage.permit, &key);

	if (!use)
		return (struct seg_usage_row){.permit = permit};
	return (struct seg_usage_row){permit, use->total, use->standing, use->first, use->last};
}
