/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "walks.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

struct seg_walk {
	struct seg_walks *walks;
	struct seg_conntrack *conntrack;
	struct event *event; /* its turn: the kernel has a piece for it */
	struct seg_walker walker;
	bool paused, serving, stopped;
	TAILQ_ENTRY(seg_walk) entry;
};

struct seg_walks {
	struct event_base *base;
	TAILQ_HEAD(queue, seg_walk) queue; /* who waits longest first */
	struct seg_walk *turn;		   /* NULL: nobody's */
};

struct seg_walks *seg_walks_new(struct event_base *base)
{
	struct seg_walks *walks = calloc(1, sizeof(*walks));

	if (!walks)
		abort();
	walks->base = base;
	TAILQ_INIT(&walks->queue);
	return walks;
}

void seg_walks_free(struct seg_walks *walks)
{
	free(walks);
}

static void walk_free(struct seg_walk *walk)
{
	TAILQ_REMOVE(&walk->walks->queue, walk, entry);
	if (walk->event)
		event_free(walk->event);
	seg_conntrack_close(walk->conntrack);
	free(walk);
}

/* The kernel has the next piece ready unless it is short of memory: then the others go first. */
static void give_turn(struct seg_walks *walks)
{
	const struct timeval patience = {.tv_usec = 50000};
	struct seg_walk *walk;

	if (walks->turn)
		return;
	TAILQ_FOREACH(walk, &walks->queue, entry) {
		if (walk->paused)
			continue;
		TAILQ_REMOVE(&walks->queue, walk, entry);
		TAILQ_INSERT_TAIL(&walks->queue, walk, entry);
		walks->turn = walk;
		event_add(walk->event, &patience);
		return;
	}
}

static void take(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	struct seg_walk *walk = context;

	if (!walk->stopped)
		walk->walker.take(walk->walker.context, event, flow);
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
	struct seg_walk *walk = context;
	struct seg_walks *walks = walk->walks;
	struct seg_walker walker = walk->walker;
	int r = 0;

	(void)fd;
	walk->serving = true;
	if (!(what & EV_TIMEOUT))
		r = seg_conntrack_dump_read(walk->conntrack, take, walk);
	walk->serving = false;
	walks->turn = NULL;
	if (walk->stopped) {
		walk_free(walk);
	} else if (r) {
		walk_free(walk);
		walker.over(walker.context, r < 0 ? r : 0, time(NULL));
	}
	give_turn(walks);
}

int seg_walk_start(struct seg_walks *walks, uint32_t value, uint32_t mask, const struct seg_walker *walker,
		   struct seg_walk **out)
{
	struct seg_walk *walk = calloc(1, sizeof(*walk));
	int r;

	if (!walk)
		abort();
	walk->walks = walks;
	walk->walker = *walker;
	TAILQ_INSERT_TAIL(&walks->queue, walk, entry);
	r = seg_conntrack_open(&walk->conntrack, 0, NULL, NULL);
	if (!r)
		r = seg_conntrack_dump_start(walk->conntrack, value, mask);
	if (!r) {
		walk->event = event_new(walks->base, seg_conntrack_dump_fd(walk->conntrack), EV_READ, on_turn,
					walk);
		r = walk->event ? 0 : -ENOMEM;
	}
	if (r) {
		walk_free(walk);
		return r;
	}
	*out = walk;
	give_turn(walks);
	return 0;
}

void seg_walk_pause(struct seg_walk *walk, bool pause)
{
	struct seg_walks *walks = walk->walks;

	walk->paused = pause;
	if (pause && walks->turn == walk && !walk->serving) {
		event_del(walk->event);
		walks->turn = NULL;
	}
	give_turn(walks);
}

void seg_walk_stop(struct seg_walk *walk)
{
	struct seg_walks *walks = walk->walks;

	if (walk->serving) { /* from within what it gives: freed when it is back */
		walk->stopped = true;
		return;
	}
	if (walks->turn == walk)
		walks->turn = NULL;
	walk_free(walk);
	give_turn(walks);
}
