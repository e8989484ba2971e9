/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_ENGINE_H
#define SEGD_ENGINE_H

/*
 * The state machine: which policy is in force, which one would come back, what
 * the kernel holds, who is isolated, what was seen. Takes events and the time,
 * acts through a table of kernel operations and a store, returns facts.
 *
 * Knows no libevent, no clock, no file descriptor and no environment: the time is
 * an argument, the kernel is struct seg_kernel_ops (tests put a simulated kernel
 * and clock there), alerts and streams leave through callbacks. daemon/loop.c
 * connects it to the real world.
 *
 * Invariants:
 *  - `running` is what the kernel holds: it changes only after a commit succeeded.
 *  - What boots is the last confirmed version; an unconfirmed one never is.
 *  - The numbering of permits is on disk before a plan that uses it is committed.
 *
 * Owned here: engine.c (life, ticks, alerts), start.c, recall.c (a start whose state is lost), apply.c (policy road), rulebook.c,
 * numbers.c, change.c (apply, rollback, disarm), pending.c (confirm), revoke.c (what a commit closed),
 * lingering.c (idle flows whose number died before), windows.c (hours and dates), watch.c (flow road),
 * resync.c (conntrack's table read again), limits.c (each zone's part of it), readings.c (the kernel's
 * counters, in slices), refusals.c, usage.c (of permits), emergency.c (isolation, stages), session.c (the caller's
 * own), evidence.c
 * (report), answers.c (what segctl asks), listing.c (long answers in pieces: flows.c, denials.c, permits.c),
 * busiest.c, diff.c, metrics.c (what Prometheus asks).
 */

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/exposition.h"
#include "flow/alert.h"
#include "kernel/conntrack.h"
#include "kernel/neighbour.h"
#include "kernel/nflog.h"
#include "kernel/nft.h"
#include "kernel/nft_monitor.h"
#include "policy/load.h"
#include "sinks/sink.h"

struct seg_engine;
struct seg_store;

/* What status and metrics show of the edges. */
#define SEG_SINKS 2
#define SEG_WHEREABOUTS_STRLEN 128
struct seg_kernel_facts {
	enum seg_ownership ownership;
	bool descriptor_kept;         /* the owning socket lies in the service manager's store */
	bool has_queue;
	uint64_t queue;               /* bytes of events not read yet */
	unsigned conntrack, conntrack_max; /* 0: unknown */
	uint64_t events_unreadable;   /* conntrack's messages that no flow could be made of */
	uint64_t refused_unreadable;  /* nflog's packets without a readable header */
	struct seg_sink_stats sink[SEG_SINKS];
	size_t sinks;
	unsigned clients, watchers;   /* of the control socket, now */
	uint64_t clients_refused, clients_dropped; /* beyond the bound; silent or not reading */
	struct seg_histogram lateness; /* seconds, of each second's wake-up */
	/* Which kernel, and whose network: a table that is not there is one that was there before a reboot. "": unknown. */
	char whereabouts[SEG_WHEREABOUTS_STRLEN];
	int64_t uptime_ms; /* a clock that nobody sets: the kernel's timeouts run by it */
};

/* A walk over conntrack's table in slices of some milliseconds, between which the loop does its other work.
 * An entry that stands all the while is given once. The callbacks may stop their walk. */
struct seg_walk;
struct seg_walker {
	seg_flow_fn take;
	void (*over)(void *context, int result,
		     time_t now); /* 0, or -errno: not complete. It is gone already */
	void *context;
};

/* The kernel as the engine sees it; `kernel` is handed through. Results as in daemon/kernel. */
struct seg_kernel_ops {
	int (*commit)(void *kernel, const struct seg_change *change, const struct seg_nft_left *left,
		      struct seg_diags *diags);
	/* Calls seg_engine_touched() where somebody is at the rules: between two steps of work that takes long. */
	void (*look_up)(void *kernel);
	/* Somebody has been at the rules, and no commit came behind that: nothing crosses until the next one. */
	int (*seal)(void *kernel, const struct seg_plan *plan);
	/* Empties the maps that packets fill. Others are heard meanwhile. */
	int (*forget)(void *kernel, const struct seg_plan *plan);
	/* True: what the last commit left is what stands (elements end by themselves all the same). */
	bool (*untouched)(void *kernel);
	int (*read)(void *kernel, struct seg_plan **image);
	/* How the keeper table differs from what it should be beside this plan. */
	int (*keeper)(void *kernel, const struct seg_plan *plan, struct seg_findings *findings);
	int (*elements)(void *kernel, const struct seg_set *set, seg_counter_fn each, void *context);
	/* Begins to read a set's counters in slices: elements come by seg_engine_counted(), the end by
	 * seg_engine_counted_all(). One at a time; count_stop: neither comes any more. */
	int (*count)(void *kernel, const struct seg_set *set);
	void (*count_stop)(void *kernel);
	/* The one of this key alone, where it is there. */
	int (*element)(void *kernel, const struct seg_set *set, const uint8_t *key, seg_counter_fn each,
		       void *context);
	int (*remove)(void *kernel);
	void (*facts)(void *kernel, struct seg_kernel_facts *facts);
	bool (*forwards)(void *kernel, enum seg_family family); /* true also where that is not known */
	/* All entries with (mark & mask) == value now, blocking: for the start. */
	int (*flows)(void *kernel, uint32_t value, uint32_t mask, seg_flow_fn fn, void *context);
	/* Walks over the same; never over before it returns. */
	int (*walk)(void *kernel, uint32_t value, uint32_t mask, const struct seg_walker *walker,
		    struct seg_walk **walk);
	void (*walk_pause)(void *kernel, struct seg_walk *walk, bool pause);
	void (*walk_stop)(void *kernel, struct seg_walk *walk); /* before it is over */
	/* Calls seg_engine_came_round() once, when the loop has looked at everything else. */
	void (*come_round)(void *kernel);
	/* Starts a dump in slices: entries come by seg_engine_flow(), the end by seg_engine_dumped(). */
	int (*dump)(void *kernel);
	int (*delete)(void *kernel, const struct seg_flow *flow, size_t n, size_t *gone);
	/* Takes their number away: the next packet is judged by addresses and ports, and gives the right one. */
	int (*unmark)(void *kernel, const struct seg_flow *flow, size_t n);
	/* Where an address is. interface: "" where that is not known, and then is told ("" still: unknown). */
	int (*neighbour)(void *kernel, seg_addr addr, char interface[IFNAMSIZ], struct seg_neighbour *neighbour);
	/* What stands that packets could go round us by: a sentence (control/sentence.h) each, taken over.
	 * all: also what takes longer, which are other tables, of which we hear, iptables-legacy's, and routes. */
	int (*bypass)(void *kernel, const char *const *interface, size_t interfaces, bool all,
		      void (*each)(void *context, json_t *sentence), void *context);
};

struct seg_engine_options {
	const char *policy_file;
	bool observe;
	unsigned denied_window;       /* seconds */
	/* Every alert, for the sinks. */
	void (*alert)(void *context, const struct seg_alert *alert);
	/* STATUS= for the service manager: one line. */
	void (*say)(void *context, const char *status);
	void *context;
};

struct seg_engine *seg_engine_new(const struct seg_engine_options *options, const struct seg_kernel_ops *ops,
				  void *kernel, struct seg_store *store);
void seg_engine_free(struct seg_engine *engine); /* rules stay */

/* Gateway's own addresses and the interfaces that exist: before start and at every change. */
void seg_engine_links(struct seg_engine *engine, const struct seg_gateway *gateway,
		      const char *const *interface, size_t interfaces, time_t now);

/* seal -> load -> commit. 0 also when the gateway stays sealed (status says why); -errno only
 * where the kernel took nothing at all. Adopts a right table without writing. */
int seg_engine_start(struct seg_engine *engine, time_t now);
/* Where a start is not possible: an empty kernel is sealed all the same, so that a gateway that boots like
 * this forwards nothing. Rules that are there stay. */
int seg_engine_seal(struct seg_engine *engine);
/* Work that is due; returns when to call next (at most an hour ahead). step: seconds that the clock was set forward
 * by, or back (negative); 0: it was not. */
time_t seg_engine_tick(struct seg_engine *engine, time_t now, time_t step);
/* Stop: usage and history are saved, `stopped` is said; rules stay. */
void seg_engine_stop(struct seg_engine *engine, time_t now);
/* SIGHUP. */
void seg_engine_reload(struct seg_engine *engine, time_t now);
/* What `segctl status` calls the state: "enforcing", "observing", "sealed", "disarmed". */
const char *seg_engine_state(const struct seg_engine *engine);

/* Flow road, as the edges see it. */
void seg_engine_flow(struct seg_engine *engine, enum seg_flow_event event, const struct seg_flow *flow,
		     time_t now);
void seg_engine_events_lost(struct seg_engine *engine, time_t now); /* ENOBUFS: a dump is started */
void seg_engine_dumped(struct seg_engine *engine, int result, time_t now); /* the dump is complete */
/* What count() reads; the end: 0 or -errno. */
void seg_engine_counted(struct seg_engine *engine, const struct seg_elem *elem, time_t now);
void seg_engine_counted_all(struct seg_engine *engine, int result, time_t now);
void seg_engine_refused(struct seg_engine *engine, const struct seg_refused *refused, time_t now);
/* After a batch of the above was delivered: acts on what it held (cuts flows). */
void seg_engine_settle(struct seg_engine *engine, time_t now);
/* Somebody else is at our rules: before it is known who, and all that was done. The transaction follows. */
void seg_engine_touched(struct seg_engine *engine);
/* A transaction that was not ours; NULL: notifications were lost, verify everything. */
void seg_engine_transaction(struct seg_engine *engine, const struct seg_nft_transaction *transaction,
			    time_t now);

/* Something beside our rules has changed, and the next tick looks, or the first after a rest (below). way: a way round by which it has, a sentence, taken
 * over, which may be gone by then; NULL: none that is known. */
void seg_engine_around(struct seg_engine *engine, json_t *way, time_t now);
/* us until a tick looks at what has changed like this, or of the interfaces; 0: the next; -1: nothing has. */
int64_t seg_engine_glance_in(const struct seg_engine *engine);
/* Is the interface of that name a zone's? */
bool seg_engine_has_interface(const struct seg_engine *engine, const char *interface);

/*
 * What segctl asks. One function a method, facts in exactly the keys of cli.md.
 *
 * Returns 0 and *out = the document; or a negative errno and *out = {"code", "message"} (the
 * caller makes {"error": ...} of it). SEG_LATER: the answer comes through request->done, once;
 * a client that goes away before that is taken back with seg_engine_forget(). A long answer goes to
 * request->piece before that, where the caller takes pieces.
 * The caller of a method frees *out.
 *
 * The code is what segctl's exit status goes by; the errno may be the kernel's or the disk's:
 * 1  not-found, nothing-pending; refused (the policy has errors: "errors" and "warnings" as of
 *    `check` stand beside the message)
 * 2  invalid-parameter, confirmation-missing
 * 4  would-cut-session
 * 5  kernel, store, no-policy, too-many
 */
#define SEG_LATER 1
struct seg_request {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	const json_t *params;   /* an object, or NULL */
	time_t now;
	/* A part of an answer, of which done gets the rest; takes it over. False: no more until
	 * seg_engine_resume(). NULL: the caller wants one answer. */
	bool (*piece)(void *context, json_t *out);
	void (*done)(void *context, int result, json_t *out); /* takes out over */
	void *context;
};
typedef int (*seg_command_fn)(struct seg_engine *engine, const struct seg_request *request, json_t **out);

/* No parameters unless named; durations in seconds, times and addresses as text. */
int seg_engine_status(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {unused: days, used-within: seconds}. In pieces where the caller takes them */
int seg_engine_permits(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {zone, busiest: n}: only so many, with {"pairs": [{from, to, flows, bytes}]} beside them. In pieces
 * where the caller takes them; else 10,000 flows at most */
int seg_engine_flows(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* In pieces, or up to 10,000 lines, as flows */
int seg_engine_denials(struct seg_engine *engine, const struct seg_request *request, json_t **out);
int seg_engine_violations(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {src, dst, proto, in, mac, at}: texts as typed, proto as "tcp/443" */
int seg_engine_explain(struct seg_engine *engine, const struct seg_request *request, json_t **out);
int seg_engine_matrix(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {name, text, files: [{path, text}]}: another policy's text and lists (an array, since on the wire no
 * key may be made of data); left out: the policy file again */
int seg_engine_diff(struct seg_engine *engine, const struct seg_request *request, json_t **out);
int seg_engine_verify(struct seg_engine *engine, const struct seg_request *request, json_t **out);
int seg_engine_history(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {from, until}: dates, both included; left out: the fiscal year (from 1 April) up to today */
int seg_engine_report(struct seg_engine *engine, const struct seg_request *request, json_t **out);
int seg_engine_isolated(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* A string, the one that is no method: everything that counts, in Prometheus's text format */
int seg_engine_metrics(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {"stages": [{stage, title, active, closes: {permits, classes, zones}, since, reason, uid}]} */
int seg_engine_stages(struct seg_engine *engine, const struct seg_request *request, json_t **out);

/* {confirm-within: seconds, comment, ticket, force, session: "SSH_CONNECTION's four words"} */
int seg_engine_apply(struct seg_engine *engine, const struct seg_request *request, json_t **out);
int seg_engine_confirm(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {version, comment} */
int seg_engine_rollback(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {target, for: seconds, reason, force, session} */
int seg_engine_isolate(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {target} */
int seg_engine_release(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {stage, reason}; stage null or "normal": back to none */
int seg_engine_stage(struct seg_engine *engine, const struct seg_request *request, json_t **out);
/* {yes: true} */
int seg_engine_disarm(struct seg_engine *engine, const struct seg_request *request, json_t **out);

/* All of the above by the name of segctl's command ("status", "apply", ...; "stages" for stage --list). */
struct seg_command {
	const char *name;
	bool changes;           /* not for readers: the caller must be allowed to change state */
	seg_command_fn call;
};
extern const struct seg_command seg_commands[];
extern const size_t seg_commands_count;

/* One piece of one of the answers that are made piece by piece. */
void seg_engine_came_round(struct seg_engine *engine, time_t now);
/* The client of a request whose pieces were too many for it takes more. */
void seg_engine_resume(struct seg_engine *engine, const void *context, time_t now);
/* The client of a request that was answered SEG_LATER is gone: done is not called any more. */
void seg_engine_forget(struct seg_engine *engine, const void *context);

/*
 * Streams (segctl watch): every alert, and what no alert says: each permitted crossing as it
 * begins and ends. event is an object with "event" and "at"; borrowed, only for the call.
 * The callback must not block nor call back into the engine, except to unsubscribe itself.
 */
enum seg_stream {
	SEG_STREAM_VIOLATIONS = 1 << 0, /* violation, violation-ended */
	SEG_STREAM_DENIALS = 1 << 1,    /* denied, spoofed */
	SEG_STREAM_FLOWS = 1 << 2,      /* flow-begun, flow-ended: the keys of `flows` */
	SEG_STREAM_OTHER = 1 << 3       /* every other alert */
};
typedef void (*seg_watch_fn)(void *context, enum seg_stream stream, const json_t *event);
struct seg_subscription;
struct seg_subscription *seg_engine_subscribe(struct seg_engine *engine, unsigned streams, seg_watch_fn fn,
					      void *context);
void seg_engine_unsubscribe(struct seg_engine *engine, struct seg_subscription *subscription);

#endif
