// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_CHUNK ((size_t)4096)
#define GROWTH 8
#define HUGE_FROM ((size_t)256 << 10)
#define HUGE_PAGE ((size_t)2 << 20) /* of x86-64, and of arm64 with 4 KiB pages */

/*
 * Chunks come zeroed, from calloc or from the kernel. A large policy fills megabytes once, and the page
 * faults would cost more than what is written there: large chunks are huge pages, where the kernel has some.
 * One policy follows another: some of these pages wait for the next one: to zero what was used of them
 * costs less than fresh ones.
 */
#define SPARES 24 /* huge pages */

struct chunk {
	struct chunk *next;
	size_t size, used; /* of bytes */
	size_t mapped;	   /* by huge(); 0: from calloc */
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

static struct {
	void *memory;
	size_t used; /* bytes from its start that are not zero */
} spare[SPARES]; /* the allocator's, not a caller's */
static size_t spares;

/* Zeroed memory in huge pages; size is a multiple of theirs. */
static void *huge(size_t size)
{
	unsigned char *memory;
	size_t before;

	if (size == HUGE_PAGE && spares) {
		spares--;
		return memset(spare[spares].memory, 0, spare[spares].used);
	}
	memory = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		abort();
	before = -(uintptr_t)memory & (HUGE_PAGE - 1);
	if (before)
		munmap(memory, before);
	munmap(memory + before + size, HUGE_PAGE - before);
	/* Where there are none, small pages do. */
	(void)madvise(memory + before, size, MADV_HUGEPAGE);
	return memory + before;
}

/* used: bytes from its start; behind them nobody wrote. */
static void huge_free(unsigned char *memory, size_t size, size_t used)
{
	for (; size && spares < SPARES; size -= HUGE_PAGE, memory += HUGE_PAGE) {
		spare[spares].memory = memory;
		spare[spares++].used = used < HUGE_PAGE ? used : HUGE_PAGE;
		used -= used < HUGE_PAGE ? used : HUGE_PAGE;
	}
	if (size)
		munmap(memory, size);
}

/* A chunk with room for that many bytes at least. */
static struct chunk *chunk_new(size_t size)
{
	struct chunk *chunk;
	size_t mapped = 0;

	if (size > SIZE_MAX - sizeof(*chunk) - 2 * HUGE_PAGE)
		abort();
	size += sizeof(*chunk);
	if (size >= HUGE_FROM)
		size = mapped = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	chunk = mapped ? huge(mapped) : zeroed(size);
	chunk->size = size - sizeof(*chunk);
	chunk->mapped = mapped;
	return chunk;
}

static void chunk_free(struct chunk *chunk)
{
	if (chunk->mapped)
		huge_free((unsigned char *)chunk, chunk->mapped, sizeof(*chunk) + chunk->used);
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

	if (arena->next_size < HUGE_FROM)
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

void *seg_arena_alloc(struct seg_arena *arena, size_t size)
{
	const size_t mask = alignof(max_align_t) - 1;
	struct chunk *chunk = arena->chunks;
	void *memory;

	if (size > SIZE_MAX - mask)
		abort();
	/* Even nothing takes a place: pointers from an arena are never NULL and never equal. */
	size = size ? (size + mask) & ~mask : mask + 1;
	arena->taken += size;
	if (!chunk || left(chunk) < size)
		chunk = more(arena, size);
	memory = chunk->bytes + chunk->used;
	chunk->used += size;
	return memory;
}

void *seg_arena_copy(struct seg_arena *arena, const void *bytes, size_t size)
{
	void *copy = seg_arena_alloc(arena, size);

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
	char *copy = seg_arena_alloc(arena, len + 1);

	if (len)
		memcpy(copy, text, len);
	return copy;
}

char *seg_arena_printf(struct seg_arena *arena, const char *format, ...)
{
	va_list args, again;
	char *text;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		abort();
	text = seg_arena_alloc(arena, (size_t)len + 1);
	vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
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
	grown = seg_arena_alloc(arena, bytes);
	if (n)
		memcpy(grown, items, n * item);
	return grown;
}
