// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/aggregate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define NAME_LEN 32 /* a zone id has 31 characters at most */

/* How much of the key holds: what a kind leaves open is counted. */
enum kind { EXACT, SCAN, SWEEP, PAIR };

/* A set of numbers below all-ones, which marks an empty slot: destinations (all-ones is no
 * destination: a reserved group), or services as protocol and port. */
struct breadth {
	seg_addr *slot;
	size_t n, cap;
};
#define EMPTY (~(seg_addr)0)

struct entry {
	enum kind kind;
	struct seg_denial d;
	char from[NAME_LEN], to[NAME_LEN];
	struct breadth dsts, services; /* folded kinds, while the window is open */
	bool described;		       /* folded kinds: proto and dport are set */
	uint64_t pending;	       /* counted since the last line */
	time_t start;		       /* of the window */
	bool open;		       /* in the list of windows, else in that of idle keys */
	LIST_ENTRY(entry) hash;
	TAILQ_ENTRY(entry) recent;
	TAILQ_ENTRY(entry) window;  /* by start; or idle, by when it became so */
	TAILQ_ENTRY(entry) sibling; /* of one source, most recent first */
	struct source *source;	    /* NULL: PAIR */
	struct zones *zones;	    /* NULL: PAIR */
};
TAILQ_HEAD(entries, entry);
LIST_HEAD(bucket, entry);

/* What one source does between two zones for one reason. Exists while it has entries. */
struct source {
	struct entries entries;
	uint64_t hash;
	LIST_ENTRY(source) link;
};
LIST_HEAD(source_bucket, source);

/* What goes on between two zones for one reason. Exists while it has entries. */
struct zones {
	struct seg_denial d; /* names, reason */
	char from[NAME_LEN], to[NAME_LEN];
	size_t entries, open; /* in all; in the list of windows */
	uint64_t hash;
	LIST_ENTRY(zones) link;
};
LIST_HEAD(zones_bucket, zones);

struct seg_aggregate {
	time_t length, now;
	size_t max, n;
	size_t slots; /* in all breadth sets */
	struct entries recent, windows, idle;
	size_t buckets; /* a power of two */
	struct bucket *bucket;
	struct source_bucket *sources;
	struct zones_bucket *zones;
	seg_denial_fn line;
	void *context;
};

static void *must_calloc(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	if (!memory)
		abort();
	return memory;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
	return hash ^ (hash >> 29);
}

static uint64_t mix_addr(uint64_t hash, seg_addr addr)
{
	return mix(mix(hash, (uint64_t)(addr >> 64)), (uint64_t)addr);
}

static uint64_t mix_name(uint64_t hash, const char *name)
{
	if (!name)
		return mix(hash, 1);
	for (; *name; name++)
		hash = mix(hash, (unsigned char)*name);
	return hash;
}

/* ---- Breadth --------------------------------------------------------------------------- */

static void breadth_fini(struct seg_aggregate *a, struct breadth *b)
{
	a->slots -= b->cap;
	free(b->slot);
	*b = (struct breadth){0};
}

static seg_addr *breadth_slot(struct breadth *b, seg_addr value)
{
	size_t at = (size_t)mix_addr(0, value);

	while (b->slot[at & (b->cap - 1)] != EMPTY && b->slot[at & (b->cap - 1)] != value)
		at++;
	return &b->slot[at & (b->cap - 1)];
}

static bool breadth_grow(struct seg_aggregate *a, struct breadth *b)
{
	struct breadth bigger = {.n = b->n, .cap = b->cap ? 2 * b->cap : 32};

	if (b->cap && a->slots - b->cap + bigger.cap > SEG_BREADTH_TOTAL)
		return false;
	bigger.slot = must_calloc(bigger.cap, sizeof(*bigger.slot));
	memset(bigger.slot, 0xff, bigger.cap * sizeof(*bigger.slot));
	for (size_t i = 0; i < b->cap; i++) {
		if (b->slot[i] != EMPTY)
			*breadth_slot(&bigger, b->slot[i]) = b->slot[i];
	}
	breadth_fini(a, b);
	a->slots += bigger.cap;
	*b = bigger;
	return true;
}

static void breadth_add(struct seg_aggregate *a, struct breadth *b, seg_addr value)
{
	seg_addr *slot;

	if (value == EMPTY || (2 * (b->n + 1) > b->cap && b->n == SEG_BREADTH_MAX))
		return;
	if (2 * (b->n + 1) > b->cap && !breadth_grow(a, b))
		return;
	slot = breadth_slot(b, value);
	if (*slot != EMPTY || b->n == SEG_BREADTH_MAX)
		return;
	*slot = value;
	b->n++;
}

static void breadth_merge(struct seg_aggregate *a, struct breadth *into, const struct breadth *from)
{
	for (size_t i = 0; i < from->cap; i++) {
		if (from->slot[i] != EMPTY)
			breadth_add(a, into, from->slot[i]);
	}
}

/* ---- Keys ------------------------------------------------------------------------------ */

static bool same_name(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_pair(const struct seg_denial *a, const struct seg_denial *b)
{
	return a->reason == b->reason && same_name(a->from, b->from) && same_name(a->to, b->to);
}

static bool same_key(enum kind kind, const struct seg_denial *a, const struct seg_denial *b)
{
	if (!same_pair(a, b))
		return false;
	switch (kind) {
	case EXACT:
		return a->src == b->src && a->dst == b->dst && a->proto == b->proto && a->dport == b->dport;
	case SCAN:
		return a->src == b->src && a->dst == b->dst;
	case SWEEP:
		return a->src == b->src;
	case PAIR:
		break;
	}
	return true;
}

static uint64_t key_hash(enum kind kind, const struct seg_denial *d)
{
	uint64_t hash = mix_name(mix_name(mix(kind, (uint64_t)d->reason), d->from), d->to);

	if (kind != PAIR)
		hash = mix_addr(hash, d->src);
	if (kind == EXACT || kind == SCAN)
		hash = mix_addr(hash, d->dst);
	if (kind == EXACT)
		hash = mix(hash, (uint64_t)d->proto << 16 | d->dport);
	return hash;
}

static struct entry *find(const struct seg_aggregate *a, enum kind kind, const struct seg_denial *d)
{
	struct entry *e;

	LIST_FOREACH(e, &a->bucket[key_hash(kind, d) & (a->buckets - 1)], hash) {
		if (e->kind == kind && same_key(kind, &e->d, d))
			return e;
	}
	return NULL;
}

static struct source *source_get(struct seg_aggregate *a, const struct seg_denial *d)
{
	uint64_t hash = key_hash(SWEEP, d);
	struct source_bucket *bucket = &a->sources[hash & (a->buckets - 1)];
	struct source *source;

	LIST_FOREACH(source, bucket, link) {
		if (source->hash == hash && same_key(SWEEP, &TAILQ_FIRST(&source->entries)->d, d))
			return source;
	}
	source = must_calloc(1, sizeof(*source));
	TAILQ_INIT(&source->entries);
	source->hash = hash;
	LIST_INSERT_HEAD(bucket, source, link);
	return source;
}

/* ---- Entries --------------------------------------------------------------------------- */

static const char *copy_name(char copy[static NAME_LEN], const char *name)
{
	if (!name)
		return NULL;
	strncpy(copy, name, NAME_LEN - 1);
	return copy;
}

static struct zones *zones_find(const struct seg_aggregate *a, const struct seg_denial *d)
{
	uint64_t hash = key_hash(PAIR, d);
	struct zones *zones;

	LIST_FOREACH(zones, &a->zones[hash & (a->buckets - 1)], link) {
		if (zones->hash == hash && same_pair(&zones->d, d))
			return zones;
	}
	return NULL;
}

static struct zones *zones_get(struct seg_aggregate *a, const struct seg_denial *d)
{
	struct zones *zones = zones_find(a, d);

	if (zones)
		return zones;
	zones = must_calloc(1, sizeof(*zones));
	zones->d.from = copy_name(zones->from, d->from);
	zones->d.to = copy_name(zones->to, d->to);
	zones->d.reason = d->reason;
	zones->hash = key_hash(PAIR, d);
	LIST_INSERT_HEAD(&a->zones[zones->hash & (a->buckets - 1)], zones, link);
	return zones;
}

static void zones_put(struct zones *zones)
{
	if (--zones->entries > 0)
		return;
	LIST_REMOVE(zones, link);
	free(zones);
}

static void set_open(struct entry *e, bool open)
{
	if (e->zones && open != e->open)
		e->zones->open += open ? 1 : (size_t)-1;
	e->open = open;
}

/* A new key, idle and with nothing counted. */
static struct entry *entry_new(struct seg_aggregate *a, enum kind kind, const struct seg_denial *d)
{
	struct entry *e = must_calloc(1, sizeof(*e));

	e->kind = kind;
	e->d.from = copy_name(e->from, d->from);
	e->d.to = copy_name(e->to, d->to);
	e->d.reason = d->reason;
	if (kind == PAIR) {
		e->d.any_src = e->d.any_dst = e->d.any_dport = e->d.any_proto = true;
	} else {
		e->d.src = d->src;
		e->d.dst = kind == SWEEP ? 0 : d->dst;
		e->d.any_dst = kind == SWEEP;
		e->source = source_get(a, d);
		TAILQ_INSERT_HEAD(&e->source->entries, e, sibling);
		e->zones = zones_get(a, d);
		e->zones->entries++;
	}
	if (kind == EXACT) {
		e->d.proto = d->proto;
		e->d.dport = d->dport;
		e->d.dsts = e->d.dports = 1;
	}
	LIST_INSERT_HEAD(&a->bucket[key_hash(kind, d) & (a->buckets - 1)], e, hash);
	TAILQ_INSERT_HEAD(&a->recent, e, recent);
	TAILQ_INSERT_TAIL(&a->idle, e, window);
	a->n++;
	return e;
}

static void entry_free(struct seg_aggregate *a, struct entry *e)
{
	LIST_REMOVE(e, hash);
	TAILQ_REMOVE(&a->recent, e, recent);
	TAILQ_REMOVE(e->open ? &a->windows : &a->idle, e, window);
	set_open(e, false);
	if (e->zones)
		zones_put(e->zones);
	if (e->source) {
		TAILQ_REMOVE(&e->source->entries, e, sibling);
		if (TAILQ_EMPTY(&e->source->entries)) {
			LIST_REMOVE(e->source, link);
			free(e->source);
		}
	}
	breadth_fini(a, &e->dsts);
	breadth_fini(a, &e->services);
	a->n--;
	free(e);
}

static void to_front(struct seg_aggregate *a, struct entry *e)
{
	TAILQ_REMOVE(&a->recent, e, recent);
	TAILQ_INSERT_HEAD(&a->recent, e, recent);
	if (e->source) {
		TAILQ_REMOVE(&e->source->entries, e, sibling);
		TAILQ_INSERT_HEAD(&e->source->entries, e, sibling);
	}
}

static void emit(struct seg_aggregate *a, struct entry *e)
{
	uint64_t since = e->pending;

	e->pending = 0;
	a->line(a->context, &e->d, since);
}

static void window_open(struct seg_aggregate *a, struct entry *e)
{
	TAILQ_REMOVE(e->open ? &a->windows : &a->idle, e, window);
	TAILQ_INSERT_TAIL(&a->windows, e, window);
	set_open(e, true);
	e->start = a->now;
}

/* The episode is over: its breadth stays as numbers, the next one counts anew. */
static void window_close(struct seg_aggregate *a, struct entry *e)
{
	TAILQ_REMOVE(&a->windows, e, window);
	TAILQ_INSERT_TAIL(&a->idle, e, window);
	set_open(e, false);
	breadth_fini(a, &e->dsts);
	breadth_fini(a, &e->services);
}

/* ---- Folding --------------------------------------------------------------------------- */

static bool is_folded(const struct entry *e)
{
	return e->kind == SCAN || e->kind == SWEEP;
}

/* Brings what the fold says of its open parts in line with what it has swallowed. */
static void fold_describe(struct entry *fold, uint8_t proto, uint16_t dport)
{
	if (!fold->described) {
		fold->described = true;
		fold->d.proto = proto;
		fold->d.dport = dport;
	}
	if (fold->d.proto != proto) {
		fold->d.any_proto = true;
		fold->d.any_dport = true;
	}
	if (fold->d.dport != dport)
		fold->d.any_dport = true;
	if (fold->d.any_proto)
		fold->d.proto = 0;
	if (fold->d.any_dport)
		fold->d.dport = 0;
}

static void fold_touch(struct seg_aggregate *a, struct entry *fold, const struct seg_denial *one)
{
	if (!one->any_dport)
		breadth_add(a, &fold->services, (seg_addr)one->proto << 16 | one->dport);
	breadth_add(a, &fold->dsts, one->dst);
	fold->d.any_dport = fold->d.any_dport || one->any_dport;
	fold->d.any_proto = fold->d.any_proto || one->any_proto;
	fold_describe(fold, one->proto, one->dport);
	fold->d.dsts = (unsigned)fold->dsts.n;
	fold->d.dports = (unsigned)fold->services.n;
}

/* Takes one entry into the fold, and its place among the windows where the fold has none yet. */
static void fold_swallow(struct seg_aggregate *a, struct entry *fold, struct entry *e)
{
	breadth_merge(a, &fold->services, &e->services);
	fold_touch(a, fold, &e->d);
	fold->d.count += e->d.count;
	fold->pending += e->pending;
	if (!fold->d.first || e->d.first < fold->d.first)
		fold->d.first = e->d.first;
	if (e->d.last > fold->d.last)
		fold->d.last = e->d.last;
	if (e->open && (!fold->open || e->start < fold->start)) {
		TAILQ_REMOVE(fold->open ? &a->windows : &a->idle, fold, window);
		TAILQ_INSERT_BEFORE(e, fold, window);
		set_open(fold, true);
		fold->start = e->start;
	}
	entry_free(a, e);
}

/* Folds the source's keys of the current window, all of them (SWEEP) or those of one destination. */
static void fold(struct seg_aggregate *a, enum kind kind, const struct seg_denial *key)
{
	struct entry *into = find(a, kind, key), *e, *next;

	if (!into)
		into = entry_new(a, kind, key);
	if (!into->open) {
		into->d.dsts = into->d.dports = 0;
		into->d.any_proto = into->d.any_dport = into->described = false;
	}
	for (e = TAILQ_FIRST(&into->source->entries); e; e = next) {
		next = TAILQ_NEXT(e, sibling);
		if (e != into && e->d.last + a->length <= a->now)
			break;
		if (e != into && (kind == SWEEP || e->d.dst == key->dst))
			fold_swallow(a, into, e);
	}
	to_front(a, into);
}

/* Has the source, with this key just touched, become a scan or a sweep? Then the key is gone. Walks only
 * keys of the current window, of which there are at most SEG_BREADTH squared: more would be folded. */
static bool fold_if_broad(struct seg_aggregate *a, const struct entry *touched)
{
	const struct seg_denial key = touched->d;
	seg_addr dst[SEG_BREADTH];
	size_t dsts = 0, services = 0;
	const struct entry *e;

	TAILQ_FOREACH(e, &touched->source->entries, sibling) {
		size_t i = 0;

		if (e->d.last + a->length <= a->now)
			break;
		services += e->d.dst == key.dst;
		while (i < dsts && dst[i] != e->d.dst)
			i++;
		if (i < dsts)
			continue;
		if (dsts == SEG_BREADTH) {
			fold(a, SWEEP, &key);
			return true;
		}
		dst[dsts++] = e->d.dst;
	}
	if (services <= SEG_BREADTH)
		return false;
	fold(a, SCAN, &key);
	return true;
}

/* ---- The door -------------------------------------------------------------------------- */

struct seg_aggregate *seg_aggregate_new(unsigned window_s, size_t max, seg_denial_fn line, void *context)
{
	struct seg_aggregate *a = must_calloc(1, sizeof(*a));

	a->length = window_s ? window_s : 1;
	a->max = max;
	a->line = line;
	a->context = context;
	for (a->buckets = 64; a->buckets < max && a->buckets < 1u << 16;)
		a->buckets *= 2;
	a->bucket = must_calloc(a->buckets, sizeof(*a->bucket));
	a->sources = must_calloc(a->buckets, sizeof(*a->sources));
	a->zones = must_calloc(a->buckets, sizeof(*a->zones));
	TAILQ_INIT(&a->recent);
	TAILQ_INIT(&a->windows);
	TAILQ_INIT(&a->idle);
	return a;
}

void seg_aggregate_free(struct seg_aggregate *a)
{
	struct entry *e;

	if (!a)
		return;
	while ((e = TAILQ_FIRST(&a->recent)))
		entry_free(a, e);
	free(a->bucket);
	free(a->sources);
	free(a->zones);
	free(a);
}

/* The key this packet belongs to as things stand; NULL where there is no room for one more in a window. */
static struct entry *entry_for(struct seg_aggregate *a, const struct seg_denial *one)
{
	static const enum kind folded[] = {SWEEP, SCAN};
	const struct zones *zones;
	struct entry *e;

	for (size_t i = 0; i < 2; i++) {
		e = find(a, folded[i], one);
		if (e && e->open)
			return e;
	}
	e = find(a, EXACT, one);
	if (e && e->open)
		return e;
	zones = zones_find(a, one);
	if (zones && zones->open >= SEG_PAIR_KEYS)
		return NULL;
	if (e)
		return e;
	while (a->n >= a->max && !TAILQ_EMPTY(&a->idle))
		entry_free(a, TAILQ_FIRST(&a->idle));
	return a->n < a->max ? entry_new(a, EXACT, one) : NULL;
}

void seg_aggregate_add(struct seg_aggregate *a, const struct seg_denial *one, time_t now)
{
	uint64_t count = one->count ? one->count : 1;
	struct entry *e;

	seg_aggregate_tick(a, now);
	e = entry_for(a, one);
	if (!e)
		e = find(a, PAIR, one);
	if (!e)
		e = entry_new(a, PAIR, one);
	if (is_folded(e))
		fold_touch(a, e, one);
	e->d.count += count;
	e->pending += count;
	if (!e->d.first)
		e->d.first = now;
	e->d.last = now;
	to_front(a, e);
	if (e->open)
		return;
	window_open(a, e);
	/* What a fold has swallowed is told by the fold, when its window is over. */
	if (e->kind != EXACT || !fold_if_broad(a, e))
		emit(a, e);
}

time_t seg_aggregate_tick(struct seg_aggregate *a, time_t now)
{
	bool back = now < a->now;
	struct entry *e, *last = TAILQ_LAST(&a->windows, entries);

	a->now = now;
	while ((e = TAILQ_FIRST(&a->windows)) && (back || e->start + a->length <= now)) {
		if (e->pending) {
			window_open(a, e);
			emit(a, e);
		} else {
			window_close(a, e);
		}
		if (e == last)
			break;
	}
	e = TAILQ_FIRST(&a->windows);
	return e ? e->start + a->length : 0;
}

void seg_aggregate_each(const struct seg_aggregate *a, seg_denial_fn each, void *context)
{
	struct entry *e;

	TAILQ_FOREACH(e, &a->recent, recent)
		each(context, &e->d, e->pending);
}
