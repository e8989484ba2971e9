/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_CLOCK_H
#define SEG_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds of a clock that nobody sets. */
static inline int64_t seg_monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

#endif
