/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_CONTROL_H
#define SEGD_CONTROL_H

/*
 * The control socket: bytes, clients and their limits. What a call means is
 * daemon/server/dispatch.h's.
 *
 * Any local program that the socket's mode lets in is a possible attacker, so: every
 * client has bounded memory in both directions, silent ones and such as do not
 * read are dropped, no client takes more than a few calls a wake-up, nothing here
 * blocks, and the last places are kept for those who may change something: a crowd of
 * readers cannot keep root from isolating a host.
 *
 * Who calls is what the kernel says (SO_PEERCRED) at the moment of the connection.
 */

#include <event2/event.h>
#include <sys/types.h>
#include "dispatch.h"

struct seg_control_options {
	const char *path;     /* made here, mode 0660; a stale one is replaced */
	int fd;		      /* or a listening socket handed over (socket activation); -1 */
	uid_t owner;	      /* of the socket file; (uid_t)-1: as it comes */
	gid_t group;	      /* who may ask; (gid_t)-1: as it comes */
	unsigned clients;     /* 0: 64. At least 16 */
	unsigned idle, stall; /* seconds without a call, without reading; 0: 60, 10 */
};

struct seg_control;
/* -EADDRINUSE: a living daemon answers there. The backend outlives the socket.  */
int seg_control_new(struct seg_control **control, struct event_base *base,
		    const struct seg_control_options *options, const struct seg_backend *backend);
/* Ends all clients; removes the socket file where it was made here. */
void seg_control_free(struct seg_control *control); /* NULL allowed */

/* Counted since the start. */
struct seg_control_stats {
	unsigned clients, watchers; /* now */
	uint64_t refused;	    /* connections beyond the bound */
	uint64_t dropped;	    /* silent, not reading, or not speaking Varlink */
};
struct seg_control_stats seg_control_stats(const struct seg_control *control);

#endif
