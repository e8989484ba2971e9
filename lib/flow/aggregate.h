/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_FLOW_AGGREGATE_H
#define SEG_FLOW_AGGREGATE_H

/*
 * Refused packets become few lines: the first of a kind at once, then one line a
 * window with the count; a scan or a sweep is one line with its breadth.
 *
 * Keys are (reason, from, to, src, dst, proto, dport). When one source touches more
 * than SEG_BREADTH services of one destination (scan) or destinations (sweep) within
 * a window, its keys are folded into one whose open part is counted, not listed.
 * Bounded: at most `max` keys; beyond it the oldest idle ones go, and what cannot be
 * kept is counted for its zone pair. Pure: time is an argument, lines leave through a callback.
 */

#include "flow/alert.h"

#define SEG_BREADTH 10

struct seg_denial {
	const char *from, *to;          /* zone ids, copied; NULL: unknown */
	seg_addr src, dst;
	bool any_dst, any_dport;        /* folded: a sweep, a scan */
	unsigned dsts, dports;          /* breadth, exact up to 65536 */
	uint8_t proto;
	uint16_t dport;
	enum seg_reason reason;
	uint64_t count;                 /* log lines seen; the kernel's counters are the totals */
	time_t first, last;
};
typedef void (*seg_denial_fn)(void *context, const struct seg_denial *denial, uint64_t since_last_line);

struct seg_aggregate;
struct seg_aggregate *seg_aggregate_new(unsigned window_s, size_t max, seg_denial_fn line, void *context);
void seg_aggregate_free(struct seg_aggregate *aggregate);
void seg_aggregate_add(struct seg_aggregate *aggregate, const struct seg_denial *one, time_t now);
/* Emits lines whose window is over; returns when to call next (0: nothing pending). */
time_t seg_aggregate_tick(struct seg_aggregate *aggregate, time_t now);
/* Walks all kept keys, most recent first. */
void seg_aggregate_each(const struct seg_aggregate *aggregate, seg_denial_fn each, void *context);

#endif
