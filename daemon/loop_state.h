/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_LOOP_STATE_H
#define SEGD_LOOP_STATE_H

/*
 * What the loop consists of, for the files that share it: loop.c (who wakes it, and its life),
 * operations.c (what the engine has done to the kernel), alerts.c (where its alerts go).
 */

#include <event2/event.h>
#include <time.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "kernel/links.h"
#include "kernel/routes.h"
#include "kernel/xtables.h"
#include "loop.h"
#include "pace.h"
#include "server/control.h"
#include "server/scrape.h"
#include "store/store.h"
#include "walks.h"

struct seg_loop {
	const struct seg_settings *settings;
	struct event_base *base;
	struct seg_engine *engine;
	struct seg_store *store;
	struct seg_control *control;
	struct seg_scrape *scrape; /* NULL: no metrics wanted, or not to be had */
	bool scrape_open;
	int64_t scrape_again; /* monotonic, us; 0: it serves, or nobody asked for it */
	struct seg_identity who;

	struct seg_nft *nft;
	struct seg_nft_walk *count; /* NULL: no reading under way */
	struct event *count_event;
	bool nft_kept;
	char whereabouts[SEG_WHEREABOUTS_STRLEN];
	bool prepared; /* conntrack's settings were looked after */
	struct seg_nft_monitor *monitor;
	struct event *owing_event; /* the monitor wants to be read, whether readable or not */
	struct seg_conntrack *conntrack; /* events and the dump in slices */
	struct seg_conntrack *asker;	 /* blocking dumps and deletes, beside them */
	struct seg_walks *walks;
	struct seg_nflog *nflog;
	int64_t nflog_again; /* as scrape_again */
	struct seg_links *links;
	bool links_changed;
	bool tc_changed; /* something was heard of traffic control */
	struct event *glance_event; /* the engine wants to look at what was heard, and rests until then */
	struct seg_routes *routes;
	struct seg_xtables *xtables;
	struct seg_sink *sink[SEG_SINKS];
	size_t sinks;
	struct event *sink_event; /* one of them is slow */
	unsigned sink_wait;	  /* ms */

	struct event *event[12];
	size_t events;
	struct event *dump_event, *nflog_event, *round_event;
	struct seg_pace *flow_pace; /* of conntrack's events */
	int64_t wall_ahead_ms;	    /* wall clock less time since boot, as of the last step */
	int64_t second;		    /* when the last one was noticed */
	struct seg_histogram lateness;
};

/* loop.c */
void seg_loop_read_monitor(struct seg_loop *loop); /* tells the engine who has been heard */

/* operations.c */
extern const struct seg_kernel_ops seg_loop_operations; /* on a struct seg_loop */

/* alerts.c */
void seg_alerts_open(struct seg_loop *loop);
void seg_alerts_take(void *loop, const struct seg_alert *alert);
bool seg_alerts_flush(struct seg_loop *loop); /* true: a line got through */
void seg_alerts_wait(struct seg_loop *loop);  /* for sinks that are slow */
void seg_alerts_close(struct seg_loop *loop);

static inline time_t seg_wall(void)
{
	return time(NULL);
}

static inline int64_t seg_wall_ahead_ms(void)
{
	struct timespec wall, boot;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (int64_t)(wall.tv_sec - boot.tv_sec) * 1000 + (wall.tv_nsec - boot.tv_nsec) / 1000000;
}

/* A line for the journal, or for the terminal. */
void seg_log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Of no time at all libevent makes an event that is active at once: one that does so again and again would have the
 * loop to itself. */
static const struct timeval seg_next_round = {.tv_usec = 1};

#endif
