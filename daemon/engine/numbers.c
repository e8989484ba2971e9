/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Which number each permit goes by. On disk before a plan that uses it is committed; never given twice.
 */

#include "state.h"

#include <stdlib.h>

#include "base/sort.h"
#include "plan/build.h"

/* Of a registry and the one that was made from it. Where none was given and none went, all are the same: in whatever
 * order the file has them, nothing is to be written, and a start needs no room on the disk. */
static bool came_or_went(const struct seg_registry *before, const struct seg_registry *after)
{
	return before->n != after->n || before->next != after->next;
}

static int by_number(const void *a, const void *b)
{
	const struct seg_numbering *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

struct seg_registry seg_numbers_copy(const struct seg_registry *from, struct seg_arena *arena)
{
	struct seg_numbering *entry = seg_arena_copy(arena, from->entry, from->n * sizeof(*entry));

	for (size_t i = 0; i < from->n; i++)
		entry[i].id = seg_arena_strdup(arena, from->entry[i].id);
	seg_sort(entry, from->n, sizeof(*entry), by_number);
	return (struct seg_registry){entry, from->n, from->next};
}

const char *seg_numbers_id(const struct seg_registry *copy, uint32_t number)
{
	const struct seg_numbering wanted = {.number = number}, *found;

	found = copy->n ? bsearch(&wanted, copy->entry, copy->n, sizeof(wanted), by_number) : NULL;
	return found ? found->id : NULL;
}

static void use(struct seg_engine *engine, struct seg_numbers numbers)
{
	engine->registry = numbers.registry;
	engine->numbers = numbers.arena;
}

int seg_numbers_assign(struct seg_engine *engine, const struct seg_policy *policy, struct seg_numbers *before)
{
	struct seg_numbers updated = {.arena = seg_arena_new()};
	int r = 0;

	updated.registry = seg_registry_update(&engine->registry, policy, updated.arena);
	if (came_or_went(&engine->registry, &updated.registry))
		r = seg_store_save_registry(engine->store, &engine->registry, &updated.registry);
	if (r) {
		seg_arena_free(updated.arena);
		return r;
	}
	*before = (struct seg_numbers){engine->registry, engine->numbers};
	use(engine, updated);
	return 0;
}

void seg_numbers_return(struct seg_engine *engine, struct seg_numbers *before)
{
	bool saved = came_or_went(&before->registry, &engine->registry);

	before->registry.next = engine->registry.next;
	if (saved)
		seg_store_save_registry(engine->store, &engine->registry, &before->registry);
	seg_arena_free(engine->numbers);
	use(engine, *before);
	before->arena = NULL;
}
