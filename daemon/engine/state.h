/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_STATE_H
#define SEGD_STATE_H

/*
 * The inside of the engine: what its files share and nobody else sees.
 */

#include "engine.h"
#include "flow/aggregate.h"
#include "hash.h"
#include "readings.h"
#include "store/store.h"

#include <sys/queue.h>

/* A policy with all that was made from it. Its diags hold the sources that places point into. */
struct seg_rulebook {
	struct seg_diags diags;
	struct seg_policy *policy;
	struct seg_index *index;
	unsigned version;		 /* 0: not stored */
	enum seg_schedule_state *window; /* of each permit, as last looked at */
	time_t *touched;		 /* when a flow of each permit last began; usage.c takes it over */
};

struct seg_own {
	struct seg_arena *arena;
	struct seg_gateway gateway; /* sorted by address */
	const char *const *interface;
	size_t interfaces;
};

/* usage.c */
struct seg_usage {
	struct seg_hash permit;	 /* struct use, by a hash of the id */
	struct seg_hash element; /* struct element_seen */
	struct seg_hash gone;	 /* struct gone */
	struct seg_hash carried; /* struct carried: numbers given in this life that carried anything */
	struct seg_registry earlier; /* as an earlier life left it: whose the numbers of its table are */
	struct seg_arena *arena;     /* of earlier */
	uint64_t silent;	 /* flows begun inside zones: the kernel is told to send no events of them */
	bool adopted;		 /* what an earlier life left has not been read yet */
	bool counted;		 /* and is in the totals already */
	bool dirty;		 /* something to save */
	bool unread;		 /* the totals of earlier lives could not be read yet: not saved over */
};

/* watch.c */
#define SEG_MISNUMBERED 64
struct seg_watch {
	struct seg_hash live; /* violations that stand: struct live_violation, by tuple */
	struct seg_hash kept; /* what `violations` lists, aggregated */
	struct seg_flow *cut; /* to be deleted when the batch is over */
	size_t cuts, cuts_cap;
	struct seg_flow misnumbered[SEG_MISNUMBERED]; /* to be unmarked then */
	size_t misnumbereds;
	uint64_t received, lost, resyncs, violations;
	/* resync.c */
	uint64_t dumps; /* begun */
	bool all_read;	/* by one of them, in this life */
	struct seg_hash stopped; /* taken.h: flows that it found of before, and that the policy of the start does not cover */
	bool dumping, dump_again;
	bool owed, lost_meanwhile; /* losses that no dump has answered; some since this one began */
	time_t next_dump;	   /* 0: none to come */
	uint64_t lost_told;
	time_t told;
};

/* limits.c */
struct seg_limits {
	struct seg_holding *zone;        /* what each holds of conntrack's table, as the policy's zones */
	size_t zones;
	unsigned heard;                  /* events since the last look */
	bool due;                        /* one of them reached a limit */
	bool unwritten;                  /* the kernel does not know yet who is held */
	bool known;			 /* a dump has counted all: until then nobody is let go */
	bool counting, wanted, evicting; /* a dump runs; another is needed; it makes room, too */
	uint64_t evict;                  /* entries that it may still remove */
	time_t counted_at, count_took;
	int64_t others;                  /* entries of nobody's, as last counted */
};

/* refusals.c */
struct seg_refusals {
	struct seg_aggregate *aggregate;
	struct seg_hash pair; /* kernel's totals by source and destination */
	struct seg_hash arrival; /* elements of spoofed pairs, by the interface they came by */
	struct seg_hash ways; /* by interfaces, of what outgrew the kernel's tables */
	struct seg_hash rest; /* totals by zones alone: of both, and of pairs long gone */
	struct seg_hash zones; /* totals of everything, by the zones as they were when it was counted */
	uint64_t total;
};

/* evidence.c */
struct seg_evidence {
	json_t *pending;		 /* what is not written yet, the oldest first; NULL: nothing */
	uint64_t denied, violations;     /* as far as the days' totals have them */
};

struct seg_engine {
	struct seg_engine_options options;
	const struct seg_kernel_ops *ops;
	void *kernel;
	struct seg_store *store;

	time_t started;
	bool disarmed;
	char *why;		      /* sealed, or not the file's policy: the reason, one line */
	json_t *said;		      /* the same as a sentence (control/sentence.h) */
	struct seg_rulebook *running; /* NULL: sealed */
	struct seg_plan *plan;	      /* what the kernel holds; NULL: disarmed, or nothing yet */
	bool stepped;		      /* the clock was set since plan->at: its timeouts end at another time */
	struct seg_arena *numbers;    /* of registry */
	struct seg_registry registry;
	struct seg_state state;
	char *unsaved; /* why what is in force could not be written down, tried again; NULL: it is */
	struct seg_own links;
	struct seg_arena *closure_arena;
	struct seg_closure closure;      /* what is isolated and staged out, resolved against running */

	json_t *bypass; /* what could go round us, as last looked at: sentences */
	int unlooked;	/* -errno: they could not all be looked for then */
	json_t *told;	/* of those that were told a moment ago, when: object of numbers by text (hands.c) */
	json_t *glimpsed; /* of those, what the last glance saw (hands.c); what was heard since is among them */
	time_t next_glance;
	bool glance_wanted;   /* before that; not before: */
	int64_t glance_again; /* monotonic, us */
	time_t next_window, next_usage, next_save, next_repair, next_look, next_mended, next_refresh, next_rollback;
	bool pressed[2]; /* conntrack-pressure said at 80, 95 % */
	uint64_t tampered, restored; /* how often each was said */
	bool imprint_owed;	     /* what was committed is not written down yet (hands.c) */
	bool imprint_stale;	     /* and what was before could not be forgotten: tried again */
	struct seg_usage usage;
	struct seg_watch watch;
	struct seg_limits limits;
	struct seg_refusals refusals;
	struct seg_readings readings;
	struct seg_evidence evidence;
	struct seg_subscription *subscriptions;
	TAILQ_HEAD(, seg_listing) listings; /* answers under way; whose turn was longest ago first */
	LIST_HEAD(, seg_difference) differences;
	STAILQ_HEAD(, seg_revocation) revocations; /* the first is under way */
	struct seg_hash lingering; /* lingering.h: dead numbers of flows that live on */
};

#define SEG_USAGE_EVERY 10 /* seconds between two looks at the counters */
#define SEG_SAVE_EVERY 60  /* and between two writes of them */

/* engine.c: alerts. Begins one with the common fields; send hands it out and frees it. */
void seg_say_begin(struct seg_engine *engine, struct seg_alert *alert, const char *event,
		   enum seg_severity severity, time_t now);
void seg_say_send(struct seg_engine *engine, struct seg_alert *alert);
/* STATUS= of the service manager. */
void seg_say_status(struct seg_engine *engine);
/* Passes the store's last complaint on, if there is one. */
void seg_say_store(struct seg_engine *engine, time_t now);
void seg_say_store_failed(struct seg_engine *engine, const char *problem, time_t now);
bool seg_engine_watched(const struct seg_engine *engine, enum seg_stream stream);
void seg_engine_publish(struct seg_engine *engine, enum seg_stream stream, const json_t *event);
const char *seg_engine_zone_name(const struct seg_engine *engine); /* the policy's timezone, or NULL */
/* Why what is in force is not what the file says, in status until a policy is applied: a sentence, taken; NULL ends
 * it. */
void seg_engine_because(struct seg_engine *engine, json_t *said);
void seg_engine_say_why(struct seg_engine *engine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* hands.c */
/* Looks for what packets could go round us by; alerts what is new. */
void seg_engine_look_for_bypass(struct seg_engine *engine, time_t now);
json_t *seg_hands_unlooked(const struct seg_engine *engine); /* for status and verify: that it failed, one sentence */
void seg_hands_glance(struct seg_engine *engine, time_t now);
void seg_hands_tick(struct seg_engine *engine, time_t now); /* repairs, and looks, that are due */
/* What the table looks like is written down behind each commit, for the next life, and forgotten before it. */
void seg_hands_keep(struct seg_engine *engine, time_t now); /* where it is owed */
void seg_hands_forget(struct seg_engine *engine);
/* Somebody was at our rules since we left them, as the image says (NULL: the table is gone). */
bool seg_hands_were_at(const struct seg_engine *engine, struct seg_plan *image, time_t now);
/* An apply has put that right by the way: it is told, unless whoever did it is told of meanwhile. */
void seg_hands_mended(struct seg_engine *engine, time_t now);
/* The table has an owner whether we live or not: nobody else can be at it. */
bool seg_hands_guarded(const struct seg_engine *engine);
/* What somebody did to the table (NULL: it is not there) since an earlier life wrote it down: a sentence on the heap.
 * NULL: nothing, or nothing that is sure. */
char *seg_hands_found(const struct seg_engine *engine, const struct seg_plan *image);
void seg_hands_say_found(struct seg_engine *engine, const char *found, time_t now);

/* rulebook.c, apply.c: the policy road. */
struct seg_revoked {
	size_t flows, permits;
};
struct seg_rulebook *seg_rulebook_from_file(struct seg_engine *engine, struct seg_diags *failed);
struct seg_rulebook *seg_rulebook_from_store(struct seg_engine *engine, unsigned version,
					     struct seg_diags *failed);
struct seg_rulebook *seg_rulebook_from_text(const char *name, const char *text, size_t len,
					    const struct seg_reader *reader, struct seg_diags *failed);
/* The first line a person needs of a list of diagnostics, for STATUS= and alerts. */
void seg_rulebook_first_error(const struct seg_diags *diags, char *line, size_t size);
void seg_rulebook_free(struct seg_rulebook *book); /* NULL allowed */
/* Makes the kernel hold what book says now; NULL seals. Takes book over on success, where the old one
 * ends and its flows are revoked (*revoked: under way, good until the loop comes round; NULL allowed). On
 * failure nothing has changed. */
int seg_apply_install(struct seg_engine *engine, struct seg_rulebook *book, time_t now, const char *reason,
		      struct seg_diags *diags, struct seg_revocation **revoked);
/* The same policy again, for the time (windows), the links, or because somebody changed the kernel. */
int seg_apply_refresh(struct seg_engine *engine, time_t now, const char *reason,
		      struct seg_revocation **revoked);
/* What should be in the kernel now. */
struct seg_plan *seg_apply_plan(struct seg_engine *engine, time_t now);
/* Back to a stored version (0: sealed). */
struct seg_gone_back {
	struct seg_revocation *revoked; /* NULL: nothing */
	int unsaved;			/* -errno: done, and not stored */
	char *problem;			/* of one that failed, on the heap */
};
int seg_apply_go_back(struct seg_engine *engine, unsigned version, const struct seg_request *request,
		      const char *why, time_t now, struct seg_gone_back *gone);
/* start.c. At the start: with the table found in the kernel, or without. */
int seg_apply_start(struct seg_engine *engine, bool found, time_t now);
void seg_apply_reload(struct seg_engine *engine, time_t now);

/* numbers.c */
struct seg_numbers {
	struct seg_registry registry;
	struct seg_arena *arena; /* of the registry; NULL: nothing is kept */
};
/* Numbers for a policy, on disk when 0 comes back. before: those of the policy in force, whose arena the caller
 * frees, or gives back: */
int seg_numbers_assign(struct seg_engine *engine, const struct seg_policy *policy, struct seg_numbers *before);
/* The policy that the numbers were for did not come into force: the ones before are those in use again, and none
 * that was given is given again. */
void seg_numbers_return(struct seg_engine *engine, struct seg_numbers *before);
/* One that lives as long as the arena, in the order of its numbers; and whose a number is there, NULL: nobody's. */
struct seg_registry seg_numbers_copy(const struct seg_registry *from, struct seg_arena *arena);
const char *seg_numbers_id(const struct seg_registry *copy, uint32_t number);

/* change.c: what was done to the policy, told and recorded. */
struct seg_deed {
	const char *event;
	enum seg_severity severity;
	unsigned version;
	const char *hash;
	const struct seg_request *request; /* NULL: the daemon itself */
	const char *comment, *ticket, *reason;
	unsigned replaced; /* the version that waited, and is over with it; 0: none did */
};
#define SEG_AT_START "start of the daemon" /* the comment of the daemon's own deeds there */

void seg_change_tell(struct seg_engine *engine, const struct seg_deed *deed, time_t now);
void seg_change_record(struct seg_engine *engine, const struct seg_deed *deed, enum seg_result result,
		       time_t now);
void seg_change_refuse(struct seg_engine *engine, const struct seg_diags *diags,
		       const struct seg_request *request, const char *hash, const char *comment,
		       const char *ticket, time_t now);
/* What decides the next start, written down. What cannot be is told once, stands in status, is tried again: */
int seg_change_save(struct seg_engine *engine, time_t now); /* the state */
int seg_change_give_version(struct seg_engine *engine, struct seg_rulebook *book, time_t now);
void seg_change_save_again(struct seg_engine *engine, time_t now);
/* The error that answers a command which is done, and could not be stored (r). */
int seg_change_answer_unsaved(const struct seg_engine *engine, int r, json_t **out);
/* What booted, or stands already, is confirmed as the version that it has. */
void seg_change_stands(struct seg_engine *engine, const struct seg_deed *deed, time_t at, time_t now);
/* The version in force is the one that boots, whatever became of it before. */
void seg_change_note_confirmed(struct seg_engine *engine, const struct seg_rulebook *book);
/* In force from the file of a start that found no room for it in the state directory. */
bool seg_change_lacks_version(const struct seg_engine *engine);
void seg_change_say_not_to_boot(struct seg_engine *engine); /* why, of the policy file */
/* 0, or why it is not stored. */
int seg_change_went_back(struct seg_engine *engine, unsigned from, unsigned version,
			 const struct seg_request *request, const char *why, time_t now);

/* pending.c: the version that waits for its confirmation. */
/* The answer of apply, confirm and rollback, without what was revoked, which takes a while. */
json_t *seg_change_document(struct seg_engine *engine, bool unchanged);
/* The version that its deadline brings back, or null. */
json_t *seg_pending_back_to(const struct seg_engine *engine);
/* It, who applied it and until when it has time; null where none waits. */
json_t *seg_pending_json(struct seg_engine *engine);
/* The rules were taken out, and no deadline is to bring any back: it is over, and does not boot. */
void seg_pending_disarmed(struct seg_engine *engine, time_t now);

/* windows.c */
void seg_windows_begin(struct seg_engine *engine, time_t now); /* a new policy is in force */
void seg_windows_look(struct seg_engine *engine, time_t now);  /* who opened, who ended */
void seg_windows_tell(struct seg_engine *engine, time_t now);  /* `expiring` */
/* Which permits are open now, by which flows are judged; tells who expired. True: something changed. */
bool seg_windows_note(struct seg_engine *engine, time_t now);

/* watch.c: the flow road. */
enum seg_judgement { SEG_LEGITIMATE, SEG_NOT_JUDGED, SEG_REVOKED, SEG_VIOLATION };
struct seg_judged {
	enum seg_judgement kind;
	struct seg_verdict verdict;
	const struct seg_permit *permit; /* the one it goes by, or lost; NULL */
	bool misnumbered; /* legitimate, by another permit than the one whose number it has */
	bool lingers;	  /* the same of a number that it was given, and that has died: its next packet brings another */
};
struct seg_judged seg_watch_judge(struct seg_engine *engine, const struct seg_flow *flow,
				  enum seg_flow_event event, time_t now);
void seg_watch_init(struct seg_watch *watch);
void seg_watch_fini(struct seg_watch *watch);
void seg_watch_end_unseen(struct seg_engine *engine, time_t now);
/* resync.c: starts a dump of all flows, or another one behind the one that runs. */
void seg_watch_look_again(struct seg_engine *engine);
time_t seg_resync_tick(struct seg_engine *engine, time_t now);
time_t seg_watch_tick(struct seg_engine *engine, time_t now);
bool seg_engine_is_gateway(const struct seg_engine *engine, seg_addr addr);

/* The packet that began it, as far as conntrack knows that. */
struct seg_packet seg_watch_packet(const struct seg_flow *flow);
/* A flow that is carried now would not be under another policy. */
bool seg_watch_would_stop(struct seg_engine *engine, const struct seg_flow *flow, const struct seg_judged *judged,
			  const struct seg_rulebook *next, const struct seg_closure *closure, time_t now);
bool seg_watch_was_given(const struct seg_engine *engine, uint32_t mark); /* a number, once */
bool seg_watch_is_closed_alone(
	const struct seg_verdict *verdict); /* covered by a permit that is not in force now */

/* revoke.c. Begins to remove the entries of flows whose numbers were alive in old and are not any more,
 * unless another permit covers them. whole: looks at every flow (isolation). NULL: there is nothing to do. */
struct seg_revocation;
struct seg_revocation *seg_revoke(struct seg_engine *engine, const struct seg_plan *old, bool whole,
				  const char *reason, time_t now); /* old NULL: nothing */
/* Answers with document and "revoked" in it: SEG_LATER where job counts first. NULL: nothing was revoked. */
int seg_revoke_answer(struct seg_revocation *job, const struct seg_request *request, json_t *document,
		      json_t **out);
/* Will the flow be found, counted and removed by a revocation under way? */
bool seg_revocation_finds(const struct seg_engine *engine, const struct seg_flow *flow);
void seg_revoke_forget(struct seg_engine *engine, const void *context);
void seg_revoke_fini(struct seg_engine *engine);

/* diff.c */
void seg_diff_forget(struct seg_engine *engine, const void *context);
void seg_diff_fini(struct seg_engine *engine);

/* listing.c */
void seg_listing_init(struct seg_engine *engine);
void seg_listing_policy_ends(struct seg_engine *engine); /* before the running policy is freed */
void seg_listing_fini(struct seg_engine *engine);

/* limits.c: what each zone may hold of conntrack's table. */
void seg_limits_fini(struct seg_limits *limits);
void seg_limits_adopt(struct seg_engine *engine, const struct seg_plan *image); /* who is held, of an earlier life */
/* A new policy is in force. old: the one before; NULL. */
void seg_limits_begin(struct seg_engine *engine, const struct seg_policy *old);
void seg_limits_let_go(struct seg_engine *engine, time_t now);			/* everybody: disarmed */
/* Every event and every entry of a dump. True: the entry has to make room. */
bool seg_limits_flow(struct seg_engine *engine, enum seg_flow_event event, const struct seg_flow *flow);
void seg_limits_count_begins(struct seg_engine *engine); /* a dump of everything */
void seg_limits_count_ends(struct seg_engine *engine, bool complete, time_t now);
void seg_limits_settle(struct seg_engine *engine, time_t now); /* behind a batch of events */
time_t seg_limits_tick(struct seg_engine *engine, time_t now); /* when next; 0: no hurry */
/* By zone of the policy: it begins nothing new. The caller frees. */
bool *seg_limits_held(const struct seg_engine *engine, const struct seg_policy *policy);
/* Is it refused what it begins now? Of the running policy; NULL allowed. */
bool seg_limits_holds(const struct seg_engine *engine, const struct seg_zone *zone);
/* What a zone of the running policy has begun of conntrack's table. */
struct seg_held {
	uint64_t flows, limit; /* limit 0: none */
	bool held;
	time_t since; /* held */
};
struct seg_held seg_limits_of(const struct seg_engine *engine, const struct seg_zone *zone);
json_t *seg_json_limits(const struct seg_engine *engine);

/* refusals.c */
void seg_refusals_init(struct seg_engine *engine);
void seg_refusals_fini(struct seg_refusals *refusals);
/* The kernel's totals, at one stroke: at the start and the end. */
void seg_refusals_read(struct seg_engine *engine, time_t now);
/* An element of a reading; at its end; and where the table is not there any more. */
void seg_refusals_take(struct seg_engine *engine, enum seg_counted set, const struct seg_elem *elem,
		       time_t now);
void seg_refusals_forget_gone(struct seg_engine *engine, time_t now);
void seg_refusals_forget_table(struct seg_engine *engine);
/* Before a commit; of each element that it took away; behind it. As of usage. */
void seg_refusals_read_leaving(struct seg_engine *engine, const struct seg_change *change, time_t now);
void seg_refusals_left(struct seg_engine *engine, const struct seg_set *of, const struct seg_elem *elem, time_t now);
void seg_refusals_committed(struct seg_engine *engine, const struct seg_change *change, time_t now);
/* Packets by zones, "" where one is not known: never fewer than before, and together refusals.total. */
typedef void (*seg_zones_fn)(void *context, const char *from, const char *to, bool spoofed, uint64_t total);
void seg_refusals_by_zones(const struct seg_refusals *refusals, seg_zones_fn each, void *context);
/* What `denials` tells, as of now: lines by kind, then what no line stands for. */
enum seg_refused_scope {
	SEG_REFUSED_KIND,  /* all of it */
	SEG_REFUSED_PAIR,  /* addresses alone; its zones are whoever has them */
	SEG_REFUSED_ZONES, /* zones alone */
};
struct seg_refusal {
	seg_addr src, dst;
	const char *from, *to; /* zones, NULL: not known. Good for the call alone */
	uint64_t count;
	time_t first, last;
	enum seg_refused_scope scope;
	enum seg_reason reason;
	uint16_t dport;
	uint8_t proto;
	bool any_dport;
};
typedef void (*seg_refusal_fn)(void *context, const struct seg_refusal *line);
void seg_refusals_each(struct seg_engine *engine, seg_refusal_fn each, void *context);
/* Who has an address: the gateway, a zone of the running policy or nobody known (NULL). */
const struct seg_zone *seg_refusals_zone(const struct seg_engine *engine, seg_addr addr);

/* usage.c */
void seg_usage_init(struct seg_engine *engine);
void seg_usage_fini(struct seg_usage *usage);
/* Takes the counters of an image into the totals of the permits of plan. */
void seg_usage_account(struct seg_engine *engine, const struct seg_plan *image, time_t now);
void seg_usage_read(struct seg_engine *engine, time_t now); /* the counters, at one stroke */
/* As of refusals. */
/* Whose number it was in the life before; NULL: nobody knows, or traffic inside a zone. Of usage's arena. */
const char *seg_usage_earlier_permit(const struct seg_engine *engine, uint32_t number);
/* A flow goes by this number. Of one that was given in this life it is then known whether it ever carried anything. */
void seg_usage_carries(struct seg_engine *engine, uint32_t number);
bool seg_usage_never_carried(const struct seg_engine *engine, uint32_t number);
void seg_usage_take(struct seg_engine *engine, enum seg_counted which, const struct seg_set *set,
		    const struct seg_elem *elem, time_t now);
void seg_usage_forget_gone(struct seg_engine *engine, time_t now);
void seg_usage_forget_table(struct seg_engine *engine);
/* From one plan to another: what is read before, in and behind the commit. Borrows the change. */
struct seg_usage_change;
struct seg_usage_change *seg_usage_follow(struct seg_engine *engine, const struct seg_change *change, time_t now);
void seg_usage_change_free(struct seg_usage_change *change); /* NULL allowed */
/* Before another takes the place of the plan in force: what leaves with it takes its counters along. Who dies
 * in the commit, or is not told what left, has counted until here. */
void seg_usage_read_leaving(const struct seg_usage_change *change);
/* In the commit: an element as it left (seg_nft_left). */
void seg_usage_left(const struct seg_usage_change *change, const struct seg_set *set, const struct seg_elem *elem);
/* Behind the commit, before the new plan is the engine's: what it made anew counts from where it was made. */
void seg_usage_committed(const struct seg_usage_change *change);
void seg_usage_save(struct seg_engine *engine);
/* Takes the touched of the running rule book into the totals. */
void seg_usage_settle(struct seg_engine *engine);
struct seg_usage_row seg_usage_of(const struct seg_engine *engine, const char *permit);

/* evidence.c */
void seg_evidence_take(struct seg_engine *engine, const struct seg_alert *alert);
/* The history, to the disk at once where that is possible. */
void seg_evidence_record(struct seg_engine *engine, const struct seg_record *record);
void seg_evidence_result(struct seg_engine *engine, unsigned version, enum seg_result result);
void seg_evidence_save(struct seg_engine *engine); /* what was taken, to the disk, or as much as it takes */
void seg_evidence_begin(struct seg_engine *engine);             /* totals count from here */
void seg_evidence_count(struct seg_engine *engine, time_t now); /* into the totals of the day */
json_t *seg_evidence_actions(struct seg_engine *engine, time_t now);

/* emergency.c */
void seg_emergency_resolve(struct seg_engine *engine, const struct seg_policy *policy);
/* The policy that is in force now: whom it means by what is isolated stays cut off, whatever a later one means. */
void seg_emergency_remember(struct seg_engine *engine);
/* The same against another policy, for questions about it. */
void seg_emergency_close(const struct seg_engine *engine, const struct seg_policy *policy, struct seg_arena *arena,
			 struct seg_closure *closure);
json_t *seg_json_isolated(struct seg_engine *engine);
/* Puts into the answer of explain which isolation or which stage denies, and until when. */
void seg_emergency_explain(struct seg_engine *engine, const struct seg_packet *packet,
			   const struct seg_verdict *verdict, json_t *answer);
void seg_emergency_begin(struct seg_engine *engine, time_t now); /* what ended meanwhile does not begin again */
time_t seg_emergency_tick(struct seg_engine *engine, time_t now);
bool seg_engine_is_isolated(const struct seg_engine *engine, seg_addr addr); /* a host; the gateway never */

/* recall.c */
void seg_recall_state(struct seg_engine *engine, time_t now);   /* instead of one that cannot be loaded */
void seg_recall_settled(struct seg_engine *engine, time_t now); /* somebody has looked at what came of that */
json_t *seg_recall_sentences(const struct seg_engine *engine);  /* for status: until then, one */

/* session.c */
enum seg_session_fate {
	SEG_SESSION_GOES_ON,
	SEG_SESSION_CUT,
	/* It cannot be told. Its MAC would decide, which nobody knows: */
	SEG_SESSION_MAC_UNKNOWN,
	SEG_SESSION_UNREADABLE
};
/* Points into itself: not to be copied. */
struct seg_session {
	const char *text;	     /* SSH_CONNECTION, "client port server port", the caller's; NULL: none to be spared */
	bool readable;
	struct seg_packet packet;    /* as it would begin now */
	char interface[IFNAMSIZ];    /* it comes by; "": unknown */
	struct seg_neighbour neighbour;
};
/* The session that the caller works in; none where it may be cut (force). */
void seg_session_read(struct seg_engine *engine, const struct seg_request *request, struct seg_session *session);
/* The same; none, too, where it cannot be told whether what is in force lets it by, or that cuts it already: in an
 * emergency nobody is kept waiting for that. */
void seg_session_to_spare(struct seg_engine *engine, const struct seg_request *request, struct seg_session *session);
/* Under a policy, NULL: none, together with what is isolated and staged. */
enum seg_session_fate seg_session_fate(struct seg_engine *engine, const struct seg_session *session,
				       const struct seg_rulebook *book, time_t now);
/* Why nothing is done where its fate cannot be told: the two last ones. */
int seg_session_answer_unknown(const struct seg_session *session, enum seg_session_fate fate, json_t **out);

/* answers.c */
json_t *seg_json_time(const struct seg_engine *engine, time_t at); /* null where 0 */
json_t *seg_json_addr(seg_addr addr);
json_t *seg_json_text(const char *text); /* null where NULL */
json_t *seg_json_zone(const struct seg_zone *zone);
const char *seg_permit_state(const struct seg_engine *engine, const struct seg_permit *permit, time_t now);
json_t *seg_json_permit(struct seg_engine *engine, const struct seg_permit *permit, time_t now);
json_t *seg_json_record(const struct seg_engine *engine, const struct seg_record *record);
json_t *seg_json_flow(struct seg_engine *engine, const struct seg_flow *flow, const struct seg_judged *judged,
		      time_t now);
int seg_answer_error(json_t **out, int result, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Puts what there is to say beside the facts into its `notes` and, for other languages, its `sentences`. */
void seg_answer_note(json_t *document, json_t *sentence);
int seg_answer_no_policy(struct seg_engine *engine, json_t **out);
/* r of seg_store_each_record(), which is returned. */
int seg_answer_history_unreadable(struct seg_engine *engine, int r, json_t **out);
/* "refused" with the diagnostics as text and as of `check`. */
int seg_answer_refused(json_t **out, const struct seg_diags *diags);
json_t *seg_answer_revoked(const struct seg_revoked *revoked);

#endif
