/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_DISPATCH_H
#define SEGD_DISPATCH_H

/*
 * What a call on the control socket means: introspection, the engine's commands, the
 * stream of events. Knows no socket: messages leave through the session.
 *
 * Parameters are held against the interface description before the engine sees them.
 * Commands that change something are refused to anybody but root and the daemon's
 * own user before their parameters are even looked at.
 */

#include "control/varlink.h"
#include "engine/engine.h"

/* What stands behind the interface; tests put an engine of their own there. */
struct seg_backend {
	struct seg_engine *engine;
	const struct seg_command *command;
	size_t commands;
	struct seg_subscription *(*subscribe)(struct seg_engine *engine, unsigned streams, seg_watch_fn fn,
					      void *context);
	void (*unsubscribe)(struct seg_engine *engine, struct seg_subscription *subscription);
	void (*resume)(struct seg_engine *engine, const void *context, time_t now);
	void (*forget)(struct seg_engine *engine, const void *context);
};

struct seg_dispatch;
struct seg_dispatch *seg_dispatch_new(const struct seg_backend *backend);
void seg_dispatch_free(struct seg_dispatch *dispatch);

/* One client as the methods see it. Embedded in whatever carries its bytes. */
struct seg_session {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	void (*send)(struct seg_session *session, json_t *message); /* takes the message over; never fails */
	/* Enough was sent; seg_session_drained() says when there is room again. */
	bool (*full)(const struct seg_session *session);
	void (*answered)(struct seg_session *session); /* a late answer is out: next call, please */
	/* Private to dispatch.c, zero at first. */
	struct seg_dispatch *dispatch;
	struct seg_subscription *subscription; /* a stream runs: no further call is taken */
	bool waiting;			       /* the answer comes later: no further call yet */
	bool oneway;			       /* of the call being answered */
};

/* May this caller change something? */
bool seg_session_may_change(uid_t uid);
void seg_dispatch_call(struct seg_dispatch *dispatch, struct seg_session *session,
		       const struct seg_varlink_call *call);
/* All that was sent is read: an answer in pieces goes on. */
void seg_session_drained(struct seg_session *session);
/* The client is gone: nothing is sent any more. */
void seg_session_end(struct seg_session *session);

#endif
