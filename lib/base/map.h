/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_MAP_H
#define SEG_BASE_MAP_H

/*
 * Names to pointers: a hash table in an arena.
 *
 * Keys are not copied and must live as long as the map. Nothing is ever taken
 * out. A zeroed struct is an empty map.
 */

#include <stdbool.h>
#include "base/arena.h"

struct seg_map_slot;
struct seg_map {
	struct seg_map_slot *slot;
	size_t n, cap;
};

/* The value already there under this name and false, or true after putting a new one in.
 * found may be NULL. */
bool seg_map_add(struct seg_map *map, struct seg_arena *arena, const char *name, void *value, void **found);
void *seg_map_get(const struct seg_map *map, const char *name); /* NULL */

#endif
