/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_FAKE_KERNEL_H
#define TEST_FAKE_KERNEL_H

/*
 * A kernel for the engine: one table that is what was committed last, elements
 * whose timeouts run by a simulated clock, a table of flows. It checks what the
 * real one would: that `old` of a commit is what it holds.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/sentence.h"
#include "engine/engine.h"

#define FAKE_FLOWS 12000
#define FAKE_COUNTED 10016
#define FAKE_WALKS 8
#define FAKE_SLICE 64

struct seg_walk {
	struct seg_walker walker;
	uint32_t value, mask;
	size_t at; /* the next flow */
	bool running, paused;
};

/* What packets counted in an element, which they may have made: of "admitted" (the number), "slow" (direction and
 * number), "denied4", "outgrown"... */
struct fake_counted {
	char set[32];
	uint8_t key[32];
	uint64_t packets, bytes;
	uint64_t left_ms; /* until it ends unless a packet comes; 0: it may end at any moment */
};

struct fake_kernel {
	struct fake_counted counted[FAKE_COUNTED];
	size_t counteds;
	struct seg_plan *image;	   /* NULL: no table */
	time_t now;		   /* the wall clock */
	time_t mono, committed_at; /* timeouts run by this one */
	unsigned boots;		   /* machine restarts so far */
	bool guarded;		   /* the table's socket outlives the daemon */
	unsigned seals, commits, writes;  /* writes: commits that changed something */
	unsigned forgets;	   /* packets' maps made empty */
	unsigned sweeps;	   /* sets read whole for their counters */
	int refuse;		   /* the next commits fail with this errno */
	int refuse_one;		   /* the next alone */
	unsigned unreadable;	   /* so many readings of the table are yet to fail */
	bool touched;		   /* somebody committed since our last commit */
	bool unread;		   /* and since it was read */
	unsigned hand_at;	   /* somebody does so when it is looked up for this many times more; 0: nobody */
	bool keeperless;	   /* and took the keeper out */
	void (*meanwhile)(void);   /* what happens when a commit has begun; NULL */
	bool mute;		   /* does not tell what leaves */
	struct seg_flow flow[FAKE_FLOWS];
	size_t flows, deleted;
	bool ipv4_stays, ipv6_stays; /* forwarding is off */
	unsigned entries, most; /* what facts say of conntrack's table; most 0: flows of FAKE_FLOWS */
	bool boundless;		/* nf_conntrack_max is 0 */
	unsigned dumps;
	struct seg_walk walk[FAKE_WALKS];
	bool coming_round;
	const char *bypass; /* an interface with a program of somebody's; NULL */
	int bypass_fails;   /* the search for one breaks off with this */
	unsigned looks, glances; /* for all of them; for what is cheap */
	useconds_t looking;	 /* each takes so long */
	struct seg_neighbour neighbour; /* of whoever is asked for */
	const char *neighbour_on;       /* and its interface; NULL: unknown */
	/* A reading in slices. */
	struct seg_engine *engine; /* whose readings they are */
	char counting[32];	   /* the set; "": none under way */
	size_t shown;		   /* elements of it */
	int count_fails;	   /* this many readings yet to come break off behind their first piece */
	unsigned readings;	   /* of the set denied4, that came to their end */
};
#define FAKE_PIECE 2 /* elements a slice, */
#define FAKE_PIECES 32 /* but a set in no more than so many */

static const struct seg_set *fake_set(const struct seg_plan *plan, const struct seg_set *set)
{
	return set ? seg_plan_set(plan, set->name) : NULL;
}

static struct seg_action fake_action(const struct seg_plan *plan, struct seg_action action)
{
	if (action.chain)
		action.chain = seg_plan_chain(plan, action.chain->name);
	return action;
}

static struct seg_set *fake_copy_set(struct seg_arena *arena, const struct seg_set *from, time_t age)
{
	struct seg_set *set = seg_arena_copy(arena, from, sizeof(*from));
	struct seg_elem *elem = SEG_NEW_N(arena, struct seg_elem, from->elems + 1);
	size_t n = 0;

	set->name = seg_arena_strdup(arena, from->name);
	set->numbered = false; /* what is read may be anybody's */
	for (size_t i = 0; i < from->elems && !from->dynamic; i++) {
		if (from->elem[i].timeout_ms && from->elem[i].timeout_ms <= (uint64_t)age * 1000)
			continue; /* its time is up */
		elem[n] = from->elem[i];
		elem[n].key = seg_arena_copy(arena, from->elem[i].key, from->key_len);
		if (elem[n].end)
			elem[n].end = seg_arena_copy(arena, from->elem[i].end, from->key_len);
		elem[n].comment = seg_arena_strdup(arena, from->elem[i].comment);
		elem[n].place = NULL;
		if (elem[n].timeout_ms)
			elem[n].timeout_ms -= (uint64_t)age * 1000;
		n++;
	}
	set->elem = elem;
	set->elems = n;
	return set;
}

static void fake_copy_rules(struct seg_plan *plan, struct seg_chain *chain)
{
	struct seg_rule *rule = SEG_NEW_N(plan->arena, struct seg_rule, chain->rules + 1);

	for (size_t i = 0; i < chain->rules; i++) {
		struct seg_stmt *stmt;

		rule[i] = chain->rule[i];
		rule[i].place = NULL;
		rule[i].comment = seg_arena_strdup(plan->arena, rule[i].comment);
		stmt = seg_arena_copy(plan->arena, rule[i].stmt, rule[i].stmts * sizeof(*stmt));
		for (size_t j = 0; j < rule[i].stmts; j++) {
			stmt[j].set = fake_set(plan, stmt[j].set);
			stmt[j].action = fake_action(plan, stmt[j].action);
			stmt[j].prefix = seg_arena_strdup(plan->arena, stmt[j].prefix);
		}
		rule[i].stmt = stmt;
	}
	chain->rule = rule;
}

/* A copy that shares nothing, as it looks `age` seconds later. */
static struct seg_plan *fake_copy(const struct seg_plan *from, time_t age)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_plan *plan = SEG_NEW(arena, struct seg_plan);
	struct seg_set **set = SEG_NEW_N(arena, struct seg_set *, from->sets + 1);
	struct seg_chain **chain = SEG_NEW_N(arena, struct seg_chain *, from->chains + 1);

	plan->arena = arena;
	plan->generation = from->generation;
	plan->dormant = from->dormant;
	for (size_t i = 0; i < from->sets; i++)
		set[i] = fake_copy_set(arena, from->set[i], age);
	for (size_t i = 0; i < from->chains; i++) {
		chain[i] = seg_arena_copy(arena, from->chain[i], sizeof(**chain));
		chain[i]->name = seg_arena_strdup(arena, from->chain[i]->name);
	}
	plan->set = (const struct seg_set *const *)set;
	plan->sets = from->sets;
	plan->chain = (const struct seg_chain *const *)chain;
	plan->chains = from->chains;
	for (size_t i = 0; i < plan->chains; i++)
		fake_copy_rules(plan, chain[i]);
	for (size_t i = 0; i < plan->sets; i++)
		for (size_t j = 0; j < set[i]->elems; j++) {
			struct seg_elem *elem = (struct seg_elem *)&set[i]->elem[j];

			elem->action = fake_action(plan, elem->action);
		}
	return plan;
}

static inline void fake_flush(struct fake_kernel *fake)
{
	seg_plan_free(fake->image);
	fake->image = NULL;
	fake->counteds = 0;
}

/* A foreign hand empties a chain. */
static inline void fake_flush_chain(struct fake_kernel *fake, const char *name)
{
	((struct seg_chain *)seg_plan_chain(fake->image, name))->rules = 0;
	fake->touched = true;
}

/* Elements that go, also those that come again under the same key. */
static void fake_tell_left(const struct fake_kernel *fake, const struct seg_change *change,
			   const struct seg_nft_left *left)
{
	for (size_t i = 0; left && i < change->sets; i++) {
		const struct seg_set_change *set = &change->set[i];
		const struct seg_set *was = set->set->counter ? seg_plan_set(fake->image, set->set->name) : NULL;

		for (size_t j = 0; was && j < set->dels; j++)
			for (size_t k = 0; k < was->elems; k++)
				if (!memcmp(set->del[j]->key, was->elem[k].key, was->key_len))
					left->each(left->context, set->set, &was->elem[k]);
	}
}

/* Elements that stay keep their counters. */
static void fake_keep_counters(struct seg_plan *image, const struct seg_plan *before)
{
	for (size_t i = 0; before && i < image->sets; i++) {
		const struct seg_set *was = seg_plan_set(before, image->set[i]->name);

		for (size_t j = 0; was && j < image->set[i]->elems; j++)
			for (size_t k = 0; k < was->elems; k++) {
				struct seg_elem *elem = (struct seg_elem *)&image->set[i]->elem[j];

				if (memcmp(elem->key, was->elem[k].key, was->key_len))
					continue;
				elem->packets = was->elem[k].packets;
				elem->bytes = was->elem[k].bytes;
			}
	}
}

/* And those that the change brings begin at what it says. */
static void fake_begin_counters(struct seg_plan *image, const struct seg_change *change)
{
	for (size_t i = 0; i < change->sets; i++) {
		const struct seg_set *set = seg_plan_set(image, change->set[i].set->name);

		for (size_t j = 0; j < change->set[i].adds; j++)
			for (size_t k = 0; k < set->elems; k++) {
				struct seg_elem *elem = (struct seg_elem *)&set->elem[k];

				if (memcmp(elem->key, change->set[i].add[j]->key, set->key_len))
					continue;
				elem->packets = change->set[i].add[j]->packets;
				elem->bytes = change->set[i].add[j]->bytes;
			}
	}
}

static void fake_write(struct fake_kernel *fake, const struct seg_plan *new, const struct seg_change *change)
{
	struct seg_plan *image = fake_copy(new, 0);

	fake->writes++;
	fake_keep_counters(image, fake->image);
	fake_begin_counters(image, change);
	seg_plan_free(fake->image);
	fake->image = image;
	fake->committed_at = fake->mono;
}

static int fake_commit(void *kernel, const struct seg_change *change, const struct seg_nft_left *left,
		       struct seg_diags *diags)
{
	struct fake_kernel *fake = kernel;

	(void)diags;
	if (fake->meanwhile)
		fake->meanwhile();
	if (fake->refuse_one) {
		const int r = -fake->refuse_one;

		fake->refuse_one = 0;
		return r;
	}
	if ((change->from != NULL) != (fake->image != NULL) || fake->refuse)
		return fake->refuse ? -fake->refuse : -ENOENT;
	fake->commits++;
	fake->keeperless &= !fake->touched;
	fake->touched = fake->unread;
	fake->forgets += change->forgets;
	if (change->switches || change->replace || change->sets || change->bases || !change->from) {
		fake_tell_left(fake, change, fake->mute ? NULL : left);
		fake_write(fake, change->to, change);
	}
	fake->image->dormant = false;
	return 0;
}

static void fake_look_up(void *kernel)
{
	struct fake_kernel *fake = kernel;

	if (!fake->hand_at || --fake->hand_at)
		return;
	fake->touched = fake->unread = true;
	seg_engine_touched(fake->engine);
}

static int fake_seal(void *kernel, const struct seg_plan *plan)
{
	struct fake_kernel *fake = kernel;

	if (fake->image && !fake->touched)
		return 0;
	fake->seals++;
	if (!fake->image) {
		fake->image = fake_copy(plan, 0);
		fake->image->generation = 0;
		fake->image->sets = 0;
	}
	for (size_t i = 0; i < fake->image->chains; i++)
		if (fake->image->chain[i]->hook != SEG_HOOK_NONE)
			fake_flush_chain(fake, fake->image->chain[i]->name);
	return 0;
}

static int fake_forget(void *kernel, const struct seg_plan *plan)
{
	struct fake_kernel *fake = kernel;

	if (!fake->image || fake->image->generation != plan->generation)
		return -ENOENT;
	if (fake->refuse)
		return -fake->refuse;
	fake->forgets++;
	return 0;
}

static bool fake_untouched(void *kernel)
{
	const struct fake_kernel *fake = kernel;

	return fake->image && !fake->touched;
}

static int fake_read(void *kernel, struct seg_plan **image)
{
	struct fake_kernel *fake = kernel;

	*image = NULL;
	if (fake->unreadable) {
		fake->unreadable--;
		return -EINTR;
	}
	*image = fake->image ? fake_copy(fake->image, fake->mono - fake->committed_at) : NULL;
	fake->unread = false;
	return 0;
}

static int fake_keeper(void *kernel, const struct seg_plan *plan, struct seg_findings *findings)
{
	static const struct seg_finding gone = {"missing", "table inet " SEG_KEEPER_TABLE, "not in the kernel"};
	const struct fake_kernel *fake = kernel;
	size_t cap = findings->n;

	(void)plan;
	if (fake->keeperless)
		SEG_PUSH(findings->arena, findings->finding, findings->n, cap) = gone;
	return 0;
}

static const struct fake_counted *fake_counts(const struct fake_kernel *fake, const struct seg_set *set,
					      const uint8_t *key)
{
	for (size_t i = 0; i < fake->counteds; i++)
		if (strcmp(fake->counted[i].set, set->name) == 0 &&
		    memcmp(fake->counted[i].key, key, set->key_len) == 0)
			return &fake->counted[i];
	return NULL;
}

/* The elements of a set from number `from`, `n` at most: how many there were. They are what commits have put into it,
 * or what packets have: no set has both. */
static size_t fake_show(struct fake_kernel *fake, const char *name, size_t from, size_t n,
			seg_counter_fn each, void *context)
{
	const struct seg_set *held = seg_plan_set(fake->image, name);
	size_t at = 0, given = 0;

	for (size_t i = 0; i < held->elems && given < n; i++) {
		struct seg_elem elem = held->elem[i];
		const struct fake_counted *one = fake_counts(fake, held, elem.key);

		if (one) {
			elem.packets = one->packets;
			elem.bytes = one->bytes;
		}
		if (at++ >= from && ++given)
			each(context, &elem);
	}
	for (size_t i = 0; i < fake->counteds && !held->elems && given < n; i++) {
		const struct fake_counted *one = &fake->counted[i];

		if (strcmp(one->set, name) == 0 && at++ >= from && ++given)
			each(context, &(struct seg_elem){.key = one->key,
							 .packets = one->packets,
							 .bytes = one->bytes,
							 .timeout_ms = one->left_ms ? one->left_ms : 1});
	}
	return given;
}

static int fake_each(struct fake_kernel *fake, const struct seg_set *set, seg_counter_fn each, void *context)
{
	if (!fake->image || !seg_plan_set(fake->image, set->name))
		return -ENOENT;
	fake_show(fake, set->name, 0, SIZE_MAX, each, context);
	return 0;
}

static int fake_elements(void *kernel, const struct seg_set *set, seg_counter_fn each, void *context)
{
	((struct fake_kernel *)kernel)->sweeps++;
	return fake_each(kernel, set, each, context);
}

struct fake_sought {
	const uint8_t *key;
	unsigned len;
	seg_counter_fn each;
	void *context;
};

static void fake_match(void *context, const struct seg_elem *elem)
{
	const struct fake_sought *sought = context;

	if (memcmp(elem->key, sought->key, sought->len) == 0)
		sought->each(sought->context, elem);
}

static int fake_element(void *kernel, const struct seg_set *set, const uint8_t *key, seg_counter_fn each,
			void *context)
{
	struct fake_sought sought = {key, set->key_len, each, context};

	return fake_each(kernel, set, fake_match, &sought);
}

static int fake_count_begin(void *kernel, const struct seg_set *set)
{
	struct fake_kernel *fake = kernel;

	if (fake->counting[0])
		abort(); /* one at a time */
	strncpy(fake->counting, set->name, sizeof(fake->counting) - 1);
	fake->shown = 0;
	return 0;
}

static void fake_count_stop(void *kernel)
{
	((struct fake_kernel *)kernel)->counting[0] = '\0';
}

static void fake_counted_one(void *context, const struct seg_elem *elem)
{
	struct fake_kernel *fake = context;

	seg_engine_counted(fake->engine, elem, fake->now);
}

static bool fake_breaks_off(struct fake_kernel *fake)
{
	bool breaks = fake->count_fails && fake->shown;

	fake->count_fails -= breaks;
	return breaks;
}

/* One slice of the reading under way; false: there is none. */
static inline bool fake_slice(struct fake_kernel *fake)
{
	bool there = fake->image && seg_plan_set(fake->image, fake->counting);
	size_t n = 0;
	int r;

	if (!fake->counting[0])
		return false;
	r = !there ? -ENOENT : fake_breaks_off(fake) ? -EINTR : 0;
	if (!r)
		n = fake_show(fake, fake->counting, fake->shown, FAKE_PIECE + fake->counteds / FAKE_PIECES,
			      fake_counted_one, fake);
	fake->shown += n;
	if (n)
		return true;
	fake->readings += !r && strcmp(fake->counting, "denied4") == 0;
	fake->counting[0] = '\0';
	seg_engine_counted_all(fake->engine, r, fake->now);
	return true;
}

static inline void fake_slices(struct fake_kernel *fake)
{
	while (fake_slice(fake))
		;
}

static int fake_remove(void *kernel)
{
	fake_flush(kernel);
	return 0;
}

static bool fake_forwards(void *kernel, enum seg_family family)
{
	struct fake_kernel *fake = kernel;

	return family == SEG_IPV4 ? !fake->ipv4_stays : !fake->ipv6_stays;
}

static void fake_facts(void *kernel, struct seg_kernel_facts *facts)
{
	const struct fake_kernel *fake = kernel;

	*facts = (struct seg_kernel_facts){.ownership = SEG_OWNED_PERSIST,
					   .descriptor_kept = fake->guarded,
					   .has_queue = true,
					   .conntrack = fake->most ? fake->entries : (unsigned)fake->flows,
					   .conntrack_max = fake->boundless ? 0
							    : fake->most    ? fake->most
									    : FAKE_FLOWS,
					   .uptime_ms = 1000 * (int64_t)fake->mono};
	snprintf(facts->whereabouts, sizeof(facts->whereabouts), "boot-%u", fake->boots);
}

static int fake_flows(void *kernel, uint32_t value, uint32_t mask, seg_flow_fn fn, void *context)
{
	struct fake_kernel *fake = kernel;

	for (size_t i = 0; i < fake->flows; i++)
		if ((fake->flow[i].mark & mask) == value)
			fn(context, SEG_FLOW_DUMPED, &fake->flow[i]);
	return 0;
}

static int fake_walk(void *kernel, uint32_t value, uint32_t mask, const struct seg_walker *walker,
		     struct seg_walk **walk)
{
	struct fake_kernel *fake = kernel;

	for (size_t i = 0; i < FAKE_WALKS; i++) {
		if (fake->walk[i].running)
			continue;
		fake->walk[i] =
			(struct seg_walk){.walker = *walker, .value = value, .mask = mask, .running = true};
		*walk = &fake->walk[i];
		return 0;
	}
	return -EMFILE;
}

static void fake_walk_pause(void *kernel, struct seg_walk *walk, bool pause)
{
	(void)kernel;
	walk->paused = pause;
}

static void fake_come_round(void *kernel)
{
	((struct fake_kernel *)kernel)->coming_round = true;
}

/* False: nobody waits for it. */
static inline bool fake_round(struct fake_kernel *fake)
{
	bool comes = fake->coming_round;

	fake->coming_round = false;
	if (comes)
		seg_engine_came_round(fake->engine, fake->now);
	return comes;
}

static void fake_walk_stop(void *kernel, struct seg_walk *walk)
{
	(void)kernel;
	walk->running = false;
}

/* One slice of a walk; false: it has none to give. */
static inline bool fake_walk_on(struct fake_kernel *fake, struct seg_walk *walk)
{
	if (!walk->running || walk->paused)
		return false;
	for (size_t n = 0; n < FAKE_SLICE && walk->at < fake->flows && walk->running; n++) {
		const struct seg_flow flow = fake->flow[walk->at++];

		if ((flow.mark & walk->mask) == walk->value)
			walk->walker.take(walk->walker.context, SEG_FLOW_DUMPED, &flow);
	}
	if (walk->running && walk->at >= fake->flows) {
		walk->running = false;
		walk->walker.over(walk->walker.context, 0, fake->now);
	}
	return true;
}

/* The loop comes round until all walks are over or pause, and nothing is read. */
static inline void fake_run(struct fake_kernel *fake)
{
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < FAKE_WALKS; i++)
			more |= fake_walk_on(fake, &fake->walk[i]);
		more |= fake_slice(fake);
		more |= fake_round(fake);
	}
}

static int fake_dump(void *kernel)
{
	((struct fake_kernel *)kernel)->dumps++;
	return 0;
}

static inline bool fake_is_among(const struct seg_flow *flow, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (flow[i].id == id)
			return true;
	return false;
}

static int fake_delete(void *kernel, const struct seg_flow *flow, size_t n, size_t *gone)
{
	struct fake_kernel *fake = kernel;
	size_t kept = 0;

	for (size_t i = 0; i < fake->flows; i++) {
		if (!fake_is_among(flow, n, fake->flow[i].id)) {
			if (kept++ != i)
				fake->flow[kept - 1] = fake->flow[i];
			continue;
		}
		for (size_t k = 0; k < FAKE_WALKS; k++) /* they miss nothing by it */
			fake->walk[k].at -= fake->walk[k].at > kept;
	}
	*gone = fake->flows - kept;
	fake->deleted += *gone;
	fake->flows = kept;
	return 0;
}

static int fake_unmark(void *kernel, const struct seg_flow *flow, size_t n)
{
	struct fake_kernel *fake = kernel;

	for (size_t i = 0; i < fake->flows; i++)
		if (fake_is_among(flow, n, fake->flow[i].id))
			fake->flow[i].mark = 0;
	return 0;
}

static int fake_bypass(void *kernel, const char *const *interface, size_t interfaces, bool all,
		       void (*each)(void *context, json_t *sentence), void *context)
{
	struct fake_kernel *fake = kernel;

	(void)interface;
	(void)interfaces;
	fake->looks += all;
	fake->glances += !all;
	usleep(fake->looking);
	if (fake->bypass && !fake->bypass_fails)
		each(context, seg_sentence_new("an XDP program on %s", fake->bypass));
	return fake->bypass_fails;
}

static int fake_neighbour(void *kernel, seg_addr addr, char interface[IFNAMSIZ], struct seg_neighbour *neighbour)
{
	const struct fake_kernel *fake = kernel;

	(void)addr;
	*neighbour = fake->neighbour;
	if (!interface[0] && fake->neighbour_on)
		snprintf(interface, IFNAMSIZ, "%s", fake->neighbour_on);
	return 0;
}

static const struct seg_kernel_ops fake_ops = {
	.commit = fake_commit,
	.seal = fake_seal,
	.forget = fake_forget,
	.look_up = fake_look_up,
	.untouched = fake_untouched,
	.read = fake_read,
	.keeper = fake_keeper,
	.elements = fake_elements,
	.count = fake_count_begin,
	.count_stop = fake_count_stop,
	.element = fake_element,
	.remove = fake_remove,
	.facts = fake_facts,
	.forwards = fake_forwards,
	.flows = fake_flows,
	.walk = fake_walk,
	.walk_pause = fake_walk_pause,
	.walk_stop = fake_walk_stop,
	.come_round = fake_come_round,
	.dump = fake_dump,
	.delete = fake_delete,
	.unmark = fake_unmark,
	.neighbour = fake_neighbour,
	.bypass = fake_bypass,
};

/* The number of a permit, by the comment that its element bears. */
static inline uint32_t fake_number(const struct fake_kernel *fake, const char *permit)
{
	const struct seg_set *const set[] = {seg_plan_set(fake->image, "live"), seg_plan_set(fake->image, "live-own")};
	uint32_t number;

	for (int k = 0; k < 2; k++)
		for (size_t i = 0; set[k] && i < set[k]->elems; i++)
			if (set[k]->elem[i].comment && strcmp(set[k]->elem[i].comment, permit) == 0) {
				memcpy(&number, set[k]->elem[i].key, sizeof(number));
				return number;
			}
	return 0;
}

/* Packets that the kernel counts for a permit in one of the sets that packets fill. */
static inline void fake_count(struct fake_kernel *fake, const char *set, const char *permit,
			      uint8_t direction, uint64_t packets, uint64_t bytes)
{
	struct fake_counted one = {.packets = packets, .bytes = bytes};
	uint32_t number = fake_number(fake, permit);
	bool directed = strcmp(set, "slow") == 0;

	strncpy(one.set, set, sizeof(one.set) - 1);
	one.key[0] = directed ? direction : 0;
	memcpy(one.key + (directed ? 4 : 0), &number, sizeof(number));
	for (size_t i = 0; i < fake->counteds; i++)
		if (strcmp(fake->counted[i].set, set) == 0 && memcmp(fake->counted[i].key, one.key, 8) == 0) {
			fake->counted[i].packets += packets;
			fake->counted[i].bytes += bytes;
			return;
		}
	if (fake->counteds < sizeof(fake->counted) / sizeof(*fake->counted))
		fake->counted[fake->counteds++] = one;
}

#endif
