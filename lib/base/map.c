// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/map.h"

#include <stdint.h>
#include <string.h>

struct seg_map_slot {
	const char *name; /* NULL: free */
	uint32_t hash;
	void *value;
};

/* FNV-1a: names come from the administrator's own file, so flooding is no concern. */
static uint32_t hash_of(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash;
}

static struct seg_map_slot *slot_of(struct seg_map_slot *slot, size_t cap, const char *name, uint32_t hash)
{
	size_t i = hash & (cap - 1);

	while (slot[i].name && (slot[i].hash != hash || strcmp(slot[i].name, name) != 0))
		i = (i + 1) & (cap - 1);
	return &slot[i];
}

static void grow(struct seg_map *map, struct seg_arena *arena)
{
	size_t cap = map->cap ? map->cap * 2 : 16;
	struct seg_map_slot *slot = SEG_NEW_N(arena, struct seg_map_slot, cap);

	for (size_t i = 0; i < map->cap; i++)
		if (map->slot[i].name)
			*slot_of(slot, cap, map->slot[i].name, map->slot[i].hash) = map->slot[i];
	map->slot = slot;
	map->cap = cap;
}

bool seg_map_add(struct seg_map *map, struct seg_arena *arena, const char *name, void *value, void **found)
{
	uint32_t hash = hash_of(name);
	struct seg_map_slot *slot;

	if (map->n * 4 >= map->cap * 3)
		grow(map, arena);
	slot = slot_of(map->slot, map->cap, name, hash);
	if (slot->name) {
		if (found)
			*found = slot->value;
		return false;
	}
	*slot = (struct seg_map_slot){.name = name, .hash = hash, .value = value};
	map->n++;
	return true;
}

void *seg_map_get(const struct seg_map *map, const char *name)
{
	return map->cap ? slot_of(map->slot, map->cap, name, hash_of(name))->value : NULL;
}
