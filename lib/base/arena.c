// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/pages.h"

#define FIRST_CHUNK ((size_t)4096)
#define GROWTH 8
#define LARGE ((size_t)256 << 10) /* and more comes in huge pages */

struct chunk {
	struct chunk *next;
	size_t size, used; /* of bytes */
	size_t dirty;	   /* of bytes, those from the start that are not zero by themselves */
	size_t pages;	   /* bytes of them that it is; 0: it is from calloc */
	alignas(max_align_t) unsigned char bytes[];
};

struct seg_arena {
	struct chunk *chunks; /* the first one is the one being filled */
	size_t next_size;     /* of the next chunk; grows, so that few chunks serve a large policy */
	size_t taken;
};

static void *zeroed(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		abort();
	return memory;
}

/* A chunk with room for that many bytes at least. */
static struct chunk *chunk_new(size_t size)
{
	size_t pages = 0, dirty = 0;
	struct chunk *chunk;

	if (size > SIZE_MAX - sizeof(*chunk) - 2 * SEG_PAGE)
		abort();
	size += sizeof(*chunk);
	if (size >= LARGE)
		size = pages = (size + SEG_PAGE - 1) & ~(SEG_PAGE - 1);
	chunk = pages ? seg_pages_get(pages, &dirty) : zeroed(size);
	*chunk = (struct chunk){.size = size - sizeof(*chunk),
				.dirty = dirty > sizeof(*chunk) ? dirty - sizeof(*chunk) : 0,
				.pages = pages};
	return chunk;
}

static void chunk_free(struct chunk *chunk)
{
	size_t dirty = chunk->used > chunk->dirty ? chunk->used : chunk->dirty;

	if (chunk->pages)
		seg_pages_put(chunk, chunk->pages, sizeof(*chunk) + dirty);
	else
		free(chunk);
}

static size_t left(const struct chunk *chunk)
{
	return chunk->size - chunk->used;
}

struct seg_arena *seg_arena_new(void)
{
	struct seg_arena *arena = zeroed(sizeof(*arena));

	arena->next_size = FIRST_CHUNK;
	return arena;
}

void seg_arena_free(struct seg_arena *arena)
{
	struct chunk *chunk, *next;

	if (!arena)
		return;
	for (chunk = arena->chunks; chunk; chunk = next) {
		next = chunk->next;
		chunk_free(chunk);
	}
	free(arena);
}

/* A chunk with room for size bytes. What is left of the fuller one of it and of the first is given up. */
static struct chunk *more(struct seg_arena *arena, size_t size)
{
	struct chunk *first = arena->chunks,
		     *chunk = chunk_new(size > arena->next_size ? size : arena->next_size);

	if (arena->next_size < LARGE)
		arena->next_size *= GROWTH;
	if (first && left(first) > left(chunk) - size) {
		chunk->next = first->next;
		first->next = chunk;
	} else {
		chunk->next = first;
		arena->chunks = chunk;
	}
	return chunk;
}

/* Its first bytes are as they come: the caller writes them. The rest is zero. */
static void *take(struct seg_arena *arena, size_t size, size_t written)
{
	const size_t mask = alignof(max_align_t) - 1;
	struct chunk *chunk = arena->chunks;
	size_t dirty;
	void *memory;

	if (size > SIZE_MAX - mask)
		abort();
	/* Even nothing takes a place: pointers from an arena are never NULL and never equal. */
	size = size ? (size + mask) & ~mask : mask + 1;
	arena->taken += size;
	if (!chunk || left(chunk) < size)
		chunk = more(arena, size);
	memory = chunk->bytes + chunk->used;
	dirty = chunk->dirty > chunk->used ? chunk->dirty - chunk->used : 0;
	if (dirty > size)
		dirty = size;
	if (dirty > written)
		memset((unsigned char *)memory + written, 0, dirty - written);
	chunk->used += size;
	return memory;
}

void *seg_arena_alloc(struct seg_arena *arena, size_t size)
{
	return take(arena, size, 0);
}

void *seg_arena_room(struct seg_arena *arena, size_t size)
{
	return take(arena, size, size);
}

void *seg_arena_copy(struct seg_arena *arena, const void *bytes, size_t size)
{
	void *copy = take(arena, size, size);

	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

char *seg_arena_strdup(struct seg_arena *arena, const char *text)
{
	return text ? seg_arena_copy(arena, text, strlen(text) + 1) : NULL;
}

char *seg_arena_strndup(struct seg_arena *arena, const char *text, size_t len)
{
	char *copy = take(arena, len + 1, len);

	if (len)
		memcpy(copy, text, len);
	return copy;
}

char *seg_arena_printf(struct seg_arena *arena, const char *format, ...)
{
	struct chunk *chunk = arena->chunks;
	size_t room = chunk ? left(chunk) : 0, wrote;
	char *end = chunk ? (char *)chunk->bytes + chunk->used : NULL, *text;
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(end, room, format, args); /* it may fit into what is left */
	va_end(args);
	if (len < 0)
		abort();
	wrote = (size_t)len < room ? (size_t)len + 1 : room;
	if (chunk && chunk->dirty < chunk->used + wrote)
		chunk->dirty = chunk->used + wrote;
	text = take(arena, (size_t)len + 1, (size_t)len + 1);
	if (text != end)
		vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text;
}

char *seg_arena_join(struct seg_arena *arena, const char *const *part)
{
	size_t len = 0;
	char *text, *end;

	for (const char *const *p = part; *p; p++)
		len += strlen(*p);
	text = end = take(arena, len + 1, len);
	for (; *part; part++)
		end = stpcpy(end, *part);
	return text;
}

size_t seg_arena_size(const struct seg_arena *arena)
{
	return arena->taken;
}

void *seg_arena_grow(struct seg_arena *arena, void *items, size_t n, size_t *cap, size_t item)
{
	size_t bytes;
	void *grown;

	if (n < *cap)
		return items;
	*cap = n ? n * 2 : 8;
	if (__builtin_mul_overflow(*cap, item, &bytes))
		abort();
	grown = take(arena, bytes, n * item);
	if (n)
		memcpy(grown, items, n * item);
	return grown;
}
