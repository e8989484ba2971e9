/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_SORT_H
#define SEG_BASE_SORT_H

/*
 * qsort() for what is few, or nearly in order already: inserted one by one while little has to move.
 */

#include <stddef.h>

#define SEG_SORT_SIZE 64 /* bytes that an item may have */

/* order: never 0 for two items, or equal ones come in any order. */
void seg_sort(void *items, size_t n, size_t size, int (*order)(const void *a, const void *b));

#endif
