/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_PACE_H
#define SEGD_PACE_H

/*
 * Reads a socket that the kernel may write to a hundred thousand times a second:
 * the first message after a quiet time at once, what follows in batches.
 *
 * A reader that sleeps on such a socket is woken for each message, and the wake-up
 * costs the sender (here: the forwarding of a packet) more than the message itself.
 * So after a read that found something nobody sleeps on the socket for SEG_PACE_MS;
 * then it is read again, and slept on only once nothing is there.
 */

#include <event2/event.h>
#include <stdbool.h>

/* What a message may wait at the most, milliseconds (libevent's clock rounds up by one). */
#define SEG_PACE_MS 1

enum seg_pace_found {
	SEG_PACE_NOTHING, /* sleep on the socket */
	SEG_PACE_SOME,	  /* read all there was */
	SEG_PACE_MORE	  /* stopped at the bound of one read */
};
typedef enum seg_pace_found (*seg_pace_fn)(void *context);

struct seg_pace;
/* fd is borrowed, non-blocking reads are read's affair. NULL: out of memory. */
struct seg_pace *seg_pace_new(struct event_base *base, evutil_socket_t fd, seg_pace_fn read, void *context);
void seg_pace_free(struct seg_pace *pace); /* NULL allowed; not from within read */

#endif
