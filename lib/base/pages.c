// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc says it */
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#endif

#define KEPT_MAX (24 * SEG_PAGE) /* bytes that wait */

struct run {
	unsigned char *memory;
	size_t size;
	size_t dirty; /* bytes from its start that are not zero */
};

static struct run waiting[KEPT_MAX / SEG_PAGE];
static size_t runs, kept;

static void wait(struct run run)
{
	waiting[runs++] = run;
	kept += run.size;
}

static struct run take(size_t i)
{
	struct run run = waiting[i];

	waiting[i] = waiting[--runs];
	kept -= run.size;
	return run;
}

/* The smallest that is large enough; what is left of it goes on waiting. NULL: there is none. */
static void *reuse(size_t size, size_t *dirty)
{
	size_t best = runs;
	struct run run;

	for (size_t i = 0; i < runs; i++)
		if (waiting[i].size >= size && (best == runs || waiting[i].size < waiting[best].size))
			best = i;
	if (best == runs)
		return NULL;
	run = take(best);
	if (run.size > size)
		wait((struct run){run.memory + size, run.size - size, run.dirty > size ? run.dirty - size : 0});
	ASAN_UNPOISON_MEMORY_REGION(run.memory, size);
	*dirty = run.dirty < size ? run.dirty : size;
	return run.memory;
}

void *seg_pages_get(size_t size, size_t *dirty)
{
	unsigned char *memory = reuse(size, dirty);
	size_t before;

	if (memory)
		return memory;
	memory = mmap(NULL, size + SEG_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		abort();
	before = -(uintptr_t)memory & (SEG_PAGE - 1);
	if (before)
		munmap(memory, before);
	munmap(memory + before + size, SEG_PAGE - before);
	(void)madvise(memory + before, size, MADV_HUGEPAGE);
	*dirty = 0;
	return memory + before;
}

void seg_pages_put(void *memory, size_t size, size_t dirty)
{
	if (kept + size > KEPT_MAX) {
		munmap(memory, size);
		return;
	}
	ASAN_POISON_MEMORY_REGION(memory, size); /* who uses it after it was freed is still found */
	wait((struct run){memory, size, dirty});
}
