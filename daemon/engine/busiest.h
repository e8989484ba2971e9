/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_BUSIEST_H
#define SEGD_BUSIEST_H

/*
 * Many flows, few lines: the ones with the most bytes, and the sums of each pair of
 * zones. For whoever looks every two seconds (segctl top): the cost is a walk over
 * conntrack's table, not a document of all of it.
 */

#include "state.h"

#define SEG_BUSIEST_MAX 1000

struct seg_busiest;
struct seg_busiest *seg_busiest_new(size_t limit); /* 1 to SEG_BUSIEST_MAX */
void seg_busiest_free(struct seg_busiest *busiest);
void seg_busiest_add(struct seg_busiest *busiest, const struct seg_flow *flow,
		     const struct seg_judged *judged);
/* {"flows": [...], "pairs": [{from, to, flows, bytes}]}, the most bytes first. */
json_t *seg_busiest_json(struct seg_busiest *busiest, struct seg_engine *engine, time_t now);

#endif
