/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_FLOW_AGGREGATE_H
#define SEG_FLOW_AGGREGATE_H

/*
 * Refused packets become few lines: the first of a kind at once, then one line a
 * window with the count; a scan or a sweep is one line with its breadth.
 *
 * Keys are (reason, from, to, src, dst, proto, dport). When one source touches more
 * than SEG_BREADTH services of one destination (scan) or destinations (sweep) within
 * a window, its keys are folded into one whose open part is counted, not listed; its
 * first line comes when the window of the oldest of them is over. A key that nobody
 * touched for a whole window is idle: its next packet is a first one again.
 *
 * Bounded: at most `max` keys; beyond it the oldest idle ones go. Where none is idle, or a
 * pair of zones has SEG_PAIR_KEYS in a window (a host may have as many addresses as it
 * likes), the packet is counted for its reason and zone pair alone (any_src). Breadth is exact up
 * to 65536 a key, and as far as SEG_BREADTH_TOTAL reaches for all keys together.
 *
 * Pure: time is an argument, lines leave through a callback, which must not call back.
 */

#include "flow/alert.h"

#define SEG_BREADTH 10
#define SEG_PAIR_KEYS 256
#define SEG_BREADTH_MAX 65536
#define SEG_BREADTH_TOTAL (1u << 19)

struct seg_denial {
	const char *from, *to;          /* zone ids, copied; NULL: unknown */
	seg_addr src, dst;
	bool any_src;                   /* more sources than can be kept: counted for the zone pair */
	bool any_dst, any_dport;        /* folded: a sweep, a scan */
	bool any_proto;                 /* folded over several protocols; any_dport is set too */
	unsigned dsts, dports;          /* breadth: destinations, and services (protocol and port) */
	uint8_t proto;
	uint16_t dport;
	enum seg_reason reason;
	uint64_t count;                 /* log lines seen; the kernel's counters are the totals */
	time_t first, last;
};
typedef void (*seg_denial_fn)(void *context, const struct seg_denial *denial, uint64_t since_last_line);

struct seg_aggregate;
struct seg_aggregate *seg_aggregate_new(unsigned window_s, size_t max, seg_denial_fn line, void *context);
void seg_aggregate_free(struct seg_aggregate *aggregate); /* NULL allowed */
/* Of `one`: the key, and count (0 is 1); breadth and times are not read. */
void seg_aggregate_add(struct seg_aggregate *aggregate, const struct seg_denial *one, time_t now);
/* Emits lines whose window is over; returns when to call next (0: nothing pending). A clock
 * that steps back closes all windows at once. */
time_t seg_aggregate_tick(struct seg_aggregate *aggregate, time_t now);
/* Walks all kept keys, most recent first; since_last_line: what no line has told yet. */
void seg_aggregate_each(const struct seg_aggregate *aggregate, seg_denial_fn each, void *context);

#endif
