/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_CONNTRACK_H
#define SEGD_KERNEL_CONNTRACK_H

/*
 * The thin edge to conntrack: events (NEW, DESTROY), dumps, deletes, each on its
 * own socket. Decodes into struct seg_flow, decides nothing.
 *
 * Events: NETLINK_BROADCAST_ERROR so that the kernel delivers again what did not
 * fit, SO_RCVBUFFORCE, bounded work per read. ENOBUFS is returned, never hidden. A
 * DESTROY of a flow whose NEW never came, and a NEW that comes twice, are possible.
 *
 * Flows given to callbacks live for the call.
 */

#include "flow/flow.h"

typedef void (*seg_flow_fn)(void *context, enum seg_flow_event event, const struct seg_flow *flow);

/* Sets the settings without which events or counters are missing (events, accounting, timestamps).
 * Returns how many could not be set, their names in failed[]. */
#define SEG_CONNTRACK_SETTINGS 3
size_t seg_conntrack_prepare(const char *failed[static SEG_CONNTRACK_SETTINGS]);

struct seg_conntrack;
/* fn NULL: hears no events, serves dumps and deletes alone. */
int seg_conntrack_open(struct seg_conntrack **ct, size_t receive_buffer, seg_flow_fn fn, void *context);
/* Who changes entries for us, at first ct itself: that is not told, as little as what packets change. */
void seg_conntrack_set_hand(struct seg_conntrack *ct, const struct seg_conntrack *hand);
void seg_conntrack_close(struct seg_conntrack *ct); /* NULL allowed */

int seg_conntrack_event_fd(const struct seg_conntrack *ct);
/* How many events one read takes at the most: work per wake-up is bounded. */
#define SEG_CONNTRACK_EVENTS_A_READ 4096
/* What is there, without waiting: how many messages were read (the bound: there may be more), or -errno. *lost:
 * events were lost, and all that came before has been given to fn: what comes now is heard (start a dump). */
int seg_conntrack_read_events(struct seg_conntrack *ct, bool *lost);
/* Messages so far, of events and dumps, that no flow could be made of. */
uint64_t seg_conntrack_unreadable(const struct seg_conntrack *ct);

/* A dump of both families, read in slices of some 10 ms, judging included: start, then read whenever the fd
 * is readable until it returns 1 (complete) or -errno (over, and not complete: start again). One at a time
 * (-EBUSY). mask != 0: only entries with (mark & mask) == value. */
int seg_conntrack_dump_start(struct seg_conntrack *ct, uint32_t value, uint32_t mask);
int seg_conntrack_dump_fd(const struct seg_conntrack *ct);
int seg_conntrack_dump_read(struct seg_conntrack *ct, seg_flow_fn fn, void *context);

/* Deletes entries (by tuple and id), batched and acknowledged; *gone counts those that existed. An entry
 * that is no longer there, or is another one with the same tuple by now, is no error. */
int seg_conntrack_delete(struct seg_conntrack *ct, const struct seg_flow *flow, size_t n, size_t *gone);
/* Takes the mark of entries away. One that has gone, or come anew with the same tuple, is no error. */
int seg_conntrack_unmark(struct seg_conntrack *ct, const struct seg_flow *flow, size_t n);
/* Entries in the table and its limit. */
int seg_conntrack_fill(unsigned *count, unsigned *max);
/* Decodes one ctnetlink message, aligned to 4 (exposed for the fuzzer). 0, -ENOMSG (not about an
 * entry's life) or -EBADMSG. */
int seg_conntrack_decode(const void *message, size_t len, enum seg_flow_event *event, struct seg_flow *flow);

#endif
