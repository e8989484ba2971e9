/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_LOOP_H
#define SEGD_LOOP_H

/*
 * The real world: kernel edges, sinks, control socket, metrics, signals and time, all on
 * one libevent base, around an engine that knows none of them. What shares it
 * is in loop_state.h; the server's rooms and the loop's alone know libevent.
 *
 * Every wake-up does a bounded piece of work. The engine is given the time once a
 * second; a clock that was set shows as a jump between the wall clock and the time
 * since boot.
 */

#include "privilege.h"
#include "settings.h"

struct seg_loop;

/* Opens every edge: what needs root is done here. what: on failure, which one, static. */
int seg_loop_new(struct seg_loop **loop, const struct seg_settings *settings, const char **what);
/* Opens the store, starts the engine: when 0 is returned what is in the kernel is right. */
int seg_loop_start(struct seg_loop *loop, const char **what);
/* The control socket, and the metrics' where they are wanted; their files belong to who. */
int seg_loop_listen(struct seg_loop *loop, const struct seg_identity *who);
/* Until SIGTERM or SIGINT. */
void seg_loop_run(struct seg_loop *loop);
void seg_loop_free(struct seg_loop *loop); /* NULL allowed; rules stay */

#endif
