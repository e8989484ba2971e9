/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_STORE_H
#define SEGD_STORE_H

/*
 * The state directory: what must be known after the daemon, or the machine, died.
 *
 *	versions/N/	one policy as it was: policy.yaml, its lists, meta.json
 *	state.json	which version is in force, which one boots, the confirm deadline, who is isolated
 *	state.json.copy	the same again: one of the two is always whole (state_file.h)
 *	registry	the numbers of the permits (lib/plan/build.h)
 *	imprint		what the kernel's table looks like, as long as it does
 *	audit.db	SQLite: history of changes, use of permits
 *
 * All but the last two decide what the gateway does. Each is written beside its old self,
 * flushed to the disk and renamed (a small change of the registry is written behind the
 * rest: registry.h): a reader finds the old or the new, never a half, and a full disk
 * leaves the old. audit.db is evidence: where it is broken it is put aside under another
 * name and begun anew, and enforcement does not wait for it.
 *
 * Functions return 0 or a negative errno; what went wrong last, in words, is in
 * seg_store_problem(). One process at a time holds the directory (a lock).
 */

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "plan/build.h"
#include "policy/policy.h"

struct seg_store;

/* -EBUSY: another daemon holds the directory. The folder must exist. */
int seg_store_open(struct seg_store **store, const char *dir);
void seg_store_close(struct seg_store *store);
/* The last failure as a sentence; NULL when everything went well since the last call. That evidence cannot be
 * written is one once, until it can again: */
char *seg_store_take_problem(struct seg_store *store);
/* why it could not when that was tried last; NULL: it could. */
const char *seg_store_evidence_problem(const struct seg_store *store);

/* What decides a start. */
#define SEG_TARGET_MAX 64
struct seg_isolation {
	char target[SEG_TARGET_MAX]; /* as the operator said it: zone, host or address */
	time_t since, until;         /* until 0: until released */
	uid_t uid;
	char reason[256];
	struct seg_range *range;     /* what it has meant since: a later policy may mean others, or nobody */
	size_t ranges;
};
/* The stage in force. */
struct seg_staged {
	char id[SEG_TARGET_MAX];     /* "": none */
	time_t since;
	uid_t uid;
	char reason[256];            /* "": none given */
	json_t *closes;              /* {permits, classes, zones}, by name, as last declared; NULL: nothing */
};
struct seg_state {
	unsigned current;            /* in force; 0: none */
	unsigned confirmed;          /* what boots; 0: none */
	time_t since;                /* current was put in force */
	time_t confirm_until;        /* 0: nothing pending */
	char went_back[65];          /* hash of the policy that went back last, and was not confirmed since; "": none */
	struct seg_staged stage;
	seg_date told;               /* `expiring` alerts are out up to this day */
	time_t lost;                 /* when what stood here could not be read, and nobody applied since; 0 */
	struct seg_isolation *isolation;
	size_t isolations;
};
/* 1: it is to be saved, as one of its two files could not be read (that is a problem, but where an older segd left one
 * alone), or it is the first: all zero. -errno: it is lost, and all zero. */
int seg_store_load_state(struct seg_store *store, struct seg_state *state);
int seg_store_save_state(struct seg_store *store, const struct seg_state *state);
/* Its two files under other names, for somebody to look at; where there are none, nothing. */
void seg_store_put_state_aside(struct seg_store *store);
void seg_state_fini(struct seg_state *state);

/* Policies, whole, by number from 1. */
int seg_store_put_version(struct seg_store *store, const struct seg_policy *policy, time_t at,
			  unsigned *version);
/* Takes a version that never came into force out again. */
void seg_store_drop_version(struct seg_store *store, unsigned version);
/* NULL and errors in diags (which must outlive the policy), or NULL and none: not there. */
struct seg_policy *seg_store_get_version(struct seg_store *store, unsigned version, struct seg_diags *diags);
/* Reads a stored version's hash; false: not there. */
bool seg_store_version_hash(struct seg_store *store, unsigned version, char hash[static 65]);

/* The registry lives in the arena; was: what was loaded or saved last. */
int seg_store_load_registry(struct seg_store *store, struct seg_arena *arena, struct seg_registry *registry);
int seg_store_save_registry(struct seg_store *store, const struct seg_registry *was,
			    const struct seg_registry *registry);

/* What the kernel's table looks like, for the next life (plan/imprint.h). It does not wait for the disk: of what the
 * machine's end leaves of it nobody asks. */
void seg_store_keep_imprint(struct seg_store *store, const char *text, size_t len);
int seg_store_forget_imprint(struct seg_store *store);
char *seg_store_load_imprint(struct seg_store *store); /* on the heap; NULL: none */

/* History. The numbers stand in its file. */
enum seg_result {
	SEG_CONFIRMED,
	SEG_PENDING,
	SEG_ROLLED_BACK,
	SEG_REFUSED,
	SEG_REPLACED, /* another came before it was confirmed */
	SEG_DISARMED, /* the rules were taken out before that */
};
struct seg_record {
	unsigned version;            /* 0: refused before it had one */
	const char *hash;            /* NULL: could not be read */
	time_t at;
	uid_t uid;
	const char *user, *comment, *ticket; /* NULL */
	enum seg_result result;
	const char *reason;          /* of a refusal; NULL */
	bool again;                  /* read alone: an older record has the version, too */
};
/* cli.md's word for it, and one that says more exactly what became of it. */
const char *seg_record_result(const struct seg_record *record);
const char *seg_record_outcome(const struct seg_record *record);
int seg_store_add_record(struct seg_store *store, const struct seg_record *record);
/* Of the last time that it came into force. */
int seg_store_set_result(struct seg_store *store, unsigned version, enum seg_result result);
/* Newest first. */
int seg_store_each_record(struct seg_store *store, void (*each)(void *context, const struct seg_record *record),
			  void *context);
/* What became of the newest version with this hash; false: never seen. */
bool seg_store_fate(struct seg_store *store, const char *hash, enum seg_result *result);

/* Events worth keeping, with their fields as JSON; newest first. The oldest beyond a bound go. */
int seg_store_add_event(struct seg_store *store, time_t at, const char *event, const char *fields);
typedef void (*seg_event_fn)(void *context, time_t at, const char *event, const char *fields);
int seg_store_each_event(struct seg_store *store, time_t from, seg_event_fn each, void *context);

/* What was refused, and passed without a permit, by day; both days included. */
int seg_store_add_totals(struct seg_store *store, seg_date day, uint64_t denied, uint64_t violations);
int seg_store_sum_totals(struct seg_store *store, seg_date from, seg_date until, uint64_t *denied,
			 uint64_t *violations);

/* Use of permits, and what each of the kernel's counters stood at when the totals were taken. */
struct seg_counts {
	uint64_t flows, packets, bytes, reply_packets, reply_bytes;
};
struct seg_usage_row {
	const char *permit;
	struct seg_counts total;
	time_t first, last;          /* 0: never used */
};
struct seg_counter_row {
	uint64_t key[2];
	uint64_t packets, bytes;
	int64_t until; /* it cannot have ended before */
};
int seg_store_load_usage(struct seg_store *store, void (*each)(void *context, const struct seg_usage_row *row),
			 void *context);
int seg_store_load_counters(struct seg_store *store,
			    void (*each)(void *context, const struct seg_counter_row *row), void *context);
/* False: totals that an older segd left, which kept no counters. What they stood at is in the totals. True from the
 * first transaction of usage that is kept. */
bool seg_store_knows_counters(const struct seg_store *store);
/* One transaction; keep: false undoes it, with -EIO. */
int seg_store_begin_usage(struct seg_store *store);
int seg_store_put_usage(struct seg_store *store, const struct seg_usage_row *row);
int seg_store_put_counter(struct seg_store *store, const struct seg_counter_row *row);
int seg_store_drop_counter(struct seg_store *store, const uint64_t key[2]);
int seg_store_end_usage(struct seg_store *store, bool keep);

#endif
