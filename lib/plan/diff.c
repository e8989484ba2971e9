/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/diff.h"

#include <string.h>

#include "base/map.h"
#include "plan/rule.h"

#define TIMEOUT_SLACK_MS 1500 /* plans count whole seconds, the kernel does not */

/* -- elements ---------------------------------------------------------- */

/* The old elements by key: open addressing, at most half full. */
struct elem_index {
	const struct seg_set *set;
	const struct seg_elem **slot;
	size_t mask;
};

static const uint8_t *elem_end(const struct seg_elem *elem)
{
	return elem->end ? elem->end : elem->key;
}

static size_t hash_bytes(size_t hash, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i += sizeof(uint32_t)) {
		uint32_t word;

		memcpy(&word, bytes + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return hash;
}

static size_t hash_elem(const struct seg_set *set, const struct seg_elem *elem)
{
	size_t hash = hash_bytes(set->key_len, elem->key, set->key_len);

	return set->interval ? hash_bytes(hash, elem_end(elem), set->key_len) : hash;
}

bool seg_elem_same_key(const struct seg_set *set, const struct seg_elem *a, const struct seg_elem *b)
{
	return a->catchall == b->catchall && memcmp(a->key, b->key, set->key_len) == 0 &&
	       (!set->interval || memcmp(elem_end(a), elem_end(b), set->key_len) == 0);
}

/* Where an element of this key is, or would go. */
static size_t find_slot(const struct elem_index *index, const struct seg_elem *elem)
{
	size_t i = hash_elem(index->set, elem) & index->mask;

	while (index->slot[i] && !seg_elem_same_key(index->set, index->slot[i], elem))
		i = (i + 1) & index->mask;
	return i;
}

static struct elem_index index_elems(const struct seg_set *set, const struct seg_elem *elem, size_t n,
				     struct seg_arena *arena)
{
	struct elem_index index = {.set = set};
	size_t size = 8;

	while (size < 2 * n + 1)
		size *= 2;
	index.slot = SEG_NEW_N(arena, const struct seg_elem *, size);
	index.mask = size - 1;
	for (size_t i = 0; i < n; i++)
		index.slot[find_slot(&index, &elem[i])] = &elem[i];
	return index;
}

/* b's timeout began to run `later_ms` after a's. */
static bool same_end(uint64_t a, uint64_t b, int64_t later_ms)
{
	int64_t apart;

	if (!a || !b)
		return a == b;
	apart = (int64_t)b + later_ms - (int64_t)a;
	return apart <= TIMEOUT_SLACK_MS && apart >= -TIMEOUT_SLACK_MS;
}

static bool same_comment(const struct seg_elem *a, const struct seg_elem *b)
{
	return a->comment && b->comment ? strcmp(a->comment, b->comment) == 0 : a->comment == b->comment;
}

/* Same key, data, comment and (nearly) the same end; counters do not matter. a: of the set that was. */
static bool elem_equal(const struct seg_set *was, const struct seg_set *set, const struct seg_elem *a,
		       const struct seg_elem *b, int64_t later_ms)
{
	if (!seg_elem_same_key(set, a, b) || !same_end(a->timeout_ms, b->timeout_ms, later_ms))
		return false;
	if (!(was->numbered && set->numbered) && !same_comment(a, b))
		return false;
	if (set->data == SEG_DATA_MARK)
		return a->mark == b->mark;
	return set->data != SEG_DATA_VERDICT || seg_action_equal(&a->action, &b->action);
}

/* A changed element is deleted and added: it takes its counters along. */
static const struct seg_elem *with_counters(const struct seg_elem *new, const struct seg_elem *old,
					    struct seg_arena *arena)
{
	struct seg_elem *elem;

	if (old->packets <= new->packets && old->bytes <= new->bytes)
		return new;
	elem = seg_arena_copy(arena, new, sizeof(*new));
	elem->packets = old->packets;
	elem->bytes = old->bytes;
	return elem;
}

/* After a small change nearly all elements stand where they stood, at the beginning or at the end: how many
 * there are the same. */
static size_t count_same(const struct seg_set *old, const struct seg_set *new, int64_t later_ms,
			 size_t *behind)
{
	size_t least = old->elems < new->elems ? old->elems : new->elems, n = 0;
	const struct seg_elem *old_end = old->elem + old->elems, *new_end = new->elem + new->elems;

	while (n < least && elem_equal(old, new, &old->elem[n], &new->elem[n], later_ms))
		n++;
	*behind = 0;
	while (*behind < least - n &&
	       elem_equal(old, new, old_end - *behind - 1, new_end - *behind - 1, later_ms))
		++*behind;
	return n;
}

bool seg_set_diff(const struct seg_set *old, const struct seg_set *new, int64_t later_ms,
		  struct seg_arena *arena, struct seg_set_change *change)
{
	struct elem_index index;
	const struct seg_elem **add = NULL, **del = NULL;
	size_t adds_cap = 0, dels_cap = 0;
	size_t before, behind;
	uint8_t *kept; /* by slot */

	*change = (struct seg_set_change){.set = new};
	if (new->dynamic || (!old->elems && !new->elems))
		return false;
	before = count_same(old, new, later_ms, &behind);
	if (before + behind == old->elems && before + behind == new->elems)
		return false;
	index = index_elems(old, old->elem + before, old->elems - before - behind, arena);
	kept = seg_arena_alloc(arena, index.mask + 1);
	for (size_t i = before; i < new->elems - behind; i++) {
		const struct seg_elem *elem = &new->elem[i];
		size_t at = find_slot(&index, elem);
		const struct seg_elem *was = index.slot[at];

		if (was && elem_equal(old, new, was, elem, later_ms)) {
			kept[at] = 1;
			continue;
		}
		SEG_PUSH(arena, add, change->adds, adds_cap) = was ? with_counters(elem, was, arena) : elem;
	}
	for (size_t i = 0; i <= index.mask; i++)
		if (index.slot[i] && !kept[i])
			SEG_PUSH(arena, del, change->dels, dels_cap) = index.slot[i];
	change->add = add;
	change->del = del;
	return change->adds || change->dels;
}

int64_t seg_plan_later_ms(const struct seg_plan *old, const struct seg_plan *new)
{
	return old->at && new->at ? (int64_t)(new->at - old->at) * 1000 : 0;
}

/* -- objects ----------------------------------------------------------- */

/* The objects of a plan by the name they have in the kernel, filled where one is not found at its place. */
struct object_index {
	const struct seg_plan *plan;
	struct seg_arena *arena;
	bool filled;
	struct seg_map sets, chains;
};

static void fill(struct object_index *index)
{
	const struct seg_plan *plan = index->plan;
	char name[SEG_NAME_MAX];

	for (size_t i = 0; i < plan->sets; i++) {
		seg_set_kernel_name(plan->set[i], plan->generation, name);
		seg_map_add(&index->sets, index->arena, seg_arena_strdup(index->arena, name),
			    (void *)plan->set[i], NULL);
	}
	for (size_t i = 0; i < plan->chains; i++) {
		seg_chain_kernel_name(plan->chain[i], plan->generation, name);
		seg_map_add(&index->chains, index->arena, seg_arena_strdup(index->arena, name),
			    (void *)plan->chain[i], NULL);
	}
	index->filled = true;
}

/* Plans of one structure have their objects in the same order: `at` is where the other stands in its own. */
static const struct seg_set *find_set(struct object_index *index, const struct seg_set *set, size_t at,
				      uint32_t generation)
{
	const struct seg_plan *plan = index->plan;
	char name[SEG_NAME_MAX];

	if (plan->generation == generation && at < plan->sets && plan->set[at]->kept == set->kept &&
	    strcmp(plan->set[at]->name, set->name) == 0)
		return plan->set[at];
	if (!index->filled)
		fill(index);
	return seg_map_get(&index->sets, seg_set_kernel_name(set, generation, name));
}

static const struct seg_chain *find_chain(struct object_index *index, const struct seg_chain *chain,
					  size_t at, uint32_t generation)
{
	const struct seg_plan *plan = index->plan;
	char name[SEG_NAME_MAX];

	if (plan->generation == generation && at < plan->chains && plan->chain[at]->kept == chain->kept &&
	    strcmp(plan->chain[at]->name, chain->name) == 0)
		return plan->chain[at];
	if (!index->filled)
		fill(index);
	return seg_map_get(&index->chains, seg_chain_kernel_name(chain, generation, name));
}

struct differ {
	const struct seg_plan *old, *new;
	struct object_index was, is;
	struct seg_arena *arena;
	struct seg_change change;
};

static void diff_sets(struct differ *d)
{
	const struct seg_set **added = SEG_NEW_N(d->arena, const struct seg_set *, d->new->sets);
	const struct seg_set **gone = SEG_NEW_N(d->arena, const struct seg_set *, d->old->sets);
	struct seg_set_change *changed = SEG_NEW_N(d->arena, struct seg_set_change, d->new->sets);

	for (size_t i = 0; i < d->new->sets; i++) {
		const struct seg_set *set = d->new->set[i];
		const struct seg_set *was = find_set(&d->was, set, i, d->new->generation);

		if (!was)
			added[d->change.new_sets++] = set;
		else if (!seg_set_same_definition(was, set))
			d->change.replace = true;
		else if (seg_set_diff(was, set, seg_plan_later_ms(d->old, d->new), d->arena,
				      &changed[d->change.sets]))
			d->change.sets++;
	}
	for (size_t i = 0; i < d->old->sets; i++)
		if (!find_set(&d->is, d->old->set[i], i, d->old->generation))
			gone[d->change.old_sets++] = d->old->set[i];
	d->change.new_set = added;
	d->change.old_set = gone;
	d->change.set = changed;
}

static bool same_hook(const struct seg_chain *a, const struct seg_chain *b)
{
	return a->hook == b->hook && (a->hook == SEG_HOOK_NONE || a->priority == b->priority);
}

/* A base chain appears together with its rules, in B: with the policy alone it would only drop. */
static void diff_chains(struct differ *d)
{
	const struct seg_chain **added = SEG_NEW_N(d->arena, const struct seg_chain *, d->new->chains);
	const struct seg_chain **gone = SEG_NEW_N(d->arena, const struct seg_chain *, d->old->chains);
	const struct seg_chain **refilled = SEG_NEW_N(d->arena, const struct seg_chain *, d->new->chains);
	bool same_names = d->old->generation == d->new->generation;

	for (size_t i = 0; i < d->new->chains; i++) {
		const struct seg_chain *chain = d->new->chain[i];
		const struct seg_chain *was = find_chain(&d->was, chain, i, d->new->generation);

		if (!was && chain->hook == SEG_HOOK_NONE)
			added[d->change.new_chains++] = chain;
		else if (was && !same_hook(was, chain))
			d->change.replace = true;
		else if (!was || !same_names || !seg_chain_equal(was, chain, d->arena))
			refilled[d->change.bases++] = chain;
	}
	for (size_t i = 0; i < d->old->chains; i++)
		if (!find_chain(&d->is, d->old->chain[i], i, d->old->generation))
			gone[d->change.old_chains++] = d->old->chain[i];
	d->change.new_chain = added;
	d->change.old_chain = gone;
	d->change.base = refilled;
}

struct seg_change seg_plan_diff(const struct seg_plan *old, const struct seg_plan *new,
				struct seg_arena *arena)
{
	const struct seg_plan nothing = {.generation = new->generation};
	struct differ d = {.old = old ? old : &nothing, .new = new, .arena = arena};
	struct seg_change *c = &d.change;

	d.was = (struct object_index){.plan = d.old, .arena = arena};
	d.is = (struct object_index){.plan = new, .arena = arena};
	diff_sets(&d);
	diff_chains(&d);
	if (c->replace) {
		struct seg_change anew = seg_plan_diff(NULL, new, arena);

		anew.from = old;
		anew.replace = true;
		return anew;
	}
	c->from = old;
	c->to = new;
	c->switches = c->new_sets || c->new_chains || c->old_sets || c->old_chains;
	c->empty = !c->switches && !c->sets && !c->bases;
	return *c;
}

bool seg_set_is_taught(const struct seg_set *set)
{
	return set->dynamic && set->data != SEG_DATA_NONE;
}

void seg_change_forget(struct seg_change *change)
{
	const struct seg_plan *from = change->from, *to = change->to;

	if (!from || change->replace || from->generation != to->generation)
		return;
	for (size_t i = 0; i < to->sets; i++)
		change->forgets |= seg_set_is_taught(to->set[i]) && seg_plan_set(from, to->set[i]->name);
	change->empty &= !change->forgets;
}

/* -- structure --------------------------------------------------------- */

bool seg_plan_same_structure(const struct seg_plan *old, const struct seg_plan *new)
{
	struct seg_arena *scratch = seg_arena_new();
	/* By name alone, whatever generation they are of. */
	const struct seg_plan was = {
		.set = old->set, .sets = old->sets, .chain = old->chain, .chains = old->chains};
	struct object_index index = {.plan = &was, .arena = scratch};
	bool same = old->sets == new->sets && old->chains == new->chains;

	for (size_t i = 0; same && i < new->sets; i++) {
		const struct seg_set *set = find_set(&index, new->set[i], i, 0);

		same = set && set->kept == new->set[i]->kept && seg_set_same_definition(set, new->set[i]);
	}
	for (size_t i = 0; same && i < new->chains; i++) {
		const struct seg_chain *chain = find_chain(&index, new->chain[i], i, 0);

		same = chain && seg_chain_equal(chain, new->chain[i], scratch);
	}
	seg_arena_free(scratch);
	return same;
}
