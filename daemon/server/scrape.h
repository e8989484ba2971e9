/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_SCRAPE_H
#define SEGD_SCRAPE_H

/*
 * Metrics over HTTP, for a Prometheus or an agent on this machine: GET /metrics, on a
 * UNIX socket or a loopback port. What they say is the caller's (daemon/engine/metrics.c).
 *
 * Whoever reaches the socket is a possible attacker: requests are bounded in size and
 * have no body, a connection serves one of them and ends within seconds whatever its
 * client does, a bounded number is open at once while the rest wait in the kernel, and
 * what was rendered serves everybody for a second.
 *
 * A socket that cannot be had is a line in the log, never a reason not to separate
 * networks: what listens is tried again.
 */

#include <event2/event.h>

#include "base/strbuf.h"
#include "privilege.h"
#include "settings.h"

/* The text is wanted: seg_scrape_answer() follows, once, from within or later. */
typedef void (*seg_scrape_fn)(void *context);

struct seg_scrape;
/* Makes the socket of a port, and takes the port if it is free: before the filter on system calls, which
 * lets no such socket be made. A UNIX socket is made by listening. 0 or -errno. at must outlive it. */
int seg_scrape_new(struct seg_scrape **scrape, struct event_base *base, const struct seg_metrics_at *at,
		   seg_scrape_fn ask, void *context);
/* Begins to serve; a UNIX socket belongs to who, and those who may ask on the control socket may ask here.
 * -errno: not now; may be called again. */
int seg_scrape_listen(struct seg_scrape *scrape, const struct seg_identity *who);
/* text is borrowed. Whoever asked since it was wanted gets it, and for a second whoever else asks. */
void seg_scrape_answer(struct seg_scrape *scrape, const char *text, size_t len);
void seg_scrape_free(struct seg_scrape *scrape); /* NULL allowed; ends all clients */

#endif
