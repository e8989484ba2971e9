/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_ARENA_H
#define SEG_BASE_ARENA_H

/*
 * Memory that lives and dies together: a policy, a plan.
 *
 * Everything taken from an arena is zeroed (but for SEG_ROOM), aligned for any type, and
 * freed by seg_arena_free() alone. Running out of memory aborts the process: the rules
 * stay in the kernel, systemd starts the daemon again, and no caller has a
 * half-built policy to handle.
 */

#include <stdarg.h>
#include <stddef.h>

struct seg_arena;

struct seg_arena *seg_arena_new(void);
void seg_arena_free(struct seg_arena *arena); /* NULL allowed */

void *seg_arena_alloc(struct seg_arena *arena, size_t size);
void *seg_arena_room(struct seg_arena *arena, size_t size);
void *seg_arena_copy(struct seg_arena *arena, const void *bytes, size_t size);
char *seg_arena_strdup(struct seg_arena *arena, const char *text); /* NULL stays NULL */
char *seg_arena_strndup(struct seg_arena *arena, const char *text, size_t len);
char *seg_arena_printf(struct seg_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same for texts that only follow one another: SEG_JOIN(arena, "from-", id). parts end with NULL. */
char *seg_arena_join(struct seg_arena *arena, const char *const *parts);
#define SEG_JOIN(arena, ...) seg_arena_join((arena), (const char *const[]){__VA_ARGS__, NULL})
/* Bytes taken so far, for the memory figures in the benchmarks. */
size_t seg_arena_size(const struct seg_arena *arena);

#define SEG_NEW(arena, type) ((type *)seg_arena_alloc((arena), sizeof(type)))
#define SEG_NEW_N(arena, type, n) ((type *)seg_arena_alloc((arena), sizeof(type) * (n)))
/* As it comes: for what is assigned whole, item by item, and counts in megabytes. */
#define SEG_ROOM(arena, type, n) ((type *)seg_arena_room((arena), sizeof(type) * (n)))

/*
 * Make room for one more in an arena vector:
 *   struct x *v; size_t n, cap;   SEG_PUSH(arena, v, n, cap) = value;
 * Outgrown copies stay in the arena until it is freed.
 */
void *seg_arena_grow(struct seg_arena *arena, void *items, size_t n, size_t *cap, size_t item);
#define SEG_PUSH(arena, v, n, cap)                                                                 \
	(*((v) = seg_arena_grow((arena), (v), (n), &(cap), sizeof(*(v))), &(v)[(n)++]))

#endif
