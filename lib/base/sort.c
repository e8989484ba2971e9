// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

#define MOVES 4 /* for each item, on the average, that cost no more than a sort of all */

void seg_sort(void *items, size_t n, size_t size, int (*order)(const void *a, const void *b))
{
	unsigned char *item = items, moving[SEG_SORT_SIZE];
	size_t moves = 0;

	if (size > sizeof(moving))
		abort();
	for (size_t i = 1; i < n && moves <= MOVES * n; i++) {
		size_t to = i;

		while (to > 0 && order(item + (to - 1) * size, item + i * size) > 0)
			to--;
		if (to == i)
			continue;
		memcpy(moving, item + i * size, size);
		memmove(item + (to + 1) * size, item + to * size, (i - to) * size);
		memcpy(item + to * size, moving, size);
		moves += i - to;
	}
	if (moves > MOVES * n)
		qsort(items, n, size, order);
}
