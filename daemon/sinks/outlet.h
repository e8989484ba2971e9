/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_SINKS_OUTLET_H
#define SEGD_SINKS_OUTLET_H

/*
 * A way out by datagrams to a UNIX socket that may be absent, full, dead or replaced
 * at any time: sends in order, each datagram once, never blocks, keeps a bounded
 * number for later. Knows nothing of what is in them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

struct seg_datagram;
struct seg_outlet {
	char *path;
	int fd;                      /* -1: not connected */
	struct stat server;          /* the file that fd is connected to */
	STAILQ_HEAD(, seg_datagram) queue;
	size_t queued, max;
	uint64_t sent, dropped;
};

void seg_outlet_init(struct seg_outlet *outlet, const char *path, size_t max);
void seg_outlet_fini(struct seg_outlet *outlet);
void seg_outlet_put(struct seg_outlet *outlet, const void *bytes, size_t len);
void seg_outlet_flush(struct seg_outlet *outlet);
/* What waits, waits for a server that is there and has no room: it may have some in a moment. */
bool seg_outlet_slow(const struct seg_outlet *outlet);

#endif
