/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_WALKS_H
#define SEGD_WALKS_H

/*
 * Walks over conntrack's table for whoever asks (answers, revocations), beside everything else
 * the loop does. Each has a socket of its own, where the kernel keeps its place: a walk that
 * pauses costs that, and no work.
 *
 * However many there are, the loop serves one slice of one of them a round, in turn: many
 * askers wait longer, they do not hold up events, rules or other calls.
 */

#include <event2/event.h>
#include "engine/engine.h"

struct seg_walks;
struct seg_walks *seg_walks_new(struct event_base *base);
void seg_walks_free(struct seg_walks *walks); /* NULL allowed; none may be under way */

/* As the operations of struct seg_kernel_ops. */
int seg_walk_start(struct seg_walks *walks, uint32_t value, uint32_t mask, const struct seg_walker *walker,
		   struct seg_walk **walk);
void seg_walk_pause(struct seg_walk *walk, bool pause);
void seg_walk_stop(struct seg_walk *walk);

#endif
