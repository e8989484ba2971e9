/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Which number each permit goes by. On disk before a plan that uses it is committed; never given twice.
 */

#include "state.h"

#include "plan/build.h"

/* A number stands for one id, one pair of its zones and one meaning for ever. */
static bool registry_equal(const struct seg_registry *a, const struct seg_registry *b)
{
	if (a->n != b->n || a->next != b->next)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->entry[i].number != b->entry[i].number)
			return false;
	return true;
}

/* A copy that points at nothing of a policy. */
struct seg_registry seg_numbers_copy(const struct seg_registry *from, struct seg_arena *arena)
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

	engine->registry = seg_numbers_copy(registry, arena);
	seg_arena_free(engine->numbers);
	engine->numbers = arena;
}

/* Numbers for a policy, on disk before they are used. */
int seg_numbers_assign(struct seg_engine *engine, const struct seg_policy *policy)
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
void seg_numbers_return(struct seg_engine *engine, struct seg_registry *before)
{
	before->next = engine->registry.next;
	if (registry_equal(before, &engine->registry))
		return;
	use_registry(engine, before);
	seg_store_save_registry(engine->store, before);
}
