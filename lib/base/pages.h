/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_PAGES_H
#define SEG_BASE_PAGES_H

/*
 * Memory in huge pages, for arena.c.
 *
 * A large policy fills megabytes once, and the faults of small pages would cost more than what is written
 * there. Where the kernel has no huge pages, small ones do. One policy follows another: some of what is
 * put back waits for the next one, as it was left: who takes it zeroes what must be zero, piece by piece, just
 * before it is written. This is the allocator's, like malloc's, and of the one thread that there is.
 */

#include <stddef.h>

#define SEG_PAGE ((size_t)2 << 20) /* of x86-64, and of arm64 with small pages of 4 KiB */

/* size: a multiple of SEG_PAGE. Never NULL: no memory aborts. dirty: bytes from the start that are not zero. */
void *seg_pages_get(size_t size, size_t *dirty);
/* dirty: all that somebody wrote, now or before. */
void seg_pages_put(void *memory, size_t size, size_t dirty);

#endif
