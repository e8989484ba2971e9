/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_READINGS_H
#define SEGD_READINGS_H

/*
 * The kernel's counters, read in slices: a large set takes the kernel long to show, and
 * the loop must not wait for it. One set is read at a time, whichever somebody wishes for;
 * between two slices the loop does everything else.
 *
 * Invariants:
 *  - A wish is granted when each of its sets was read to the end by a reading that began
 *    after the wish. So an answer holds whatever was counted before the question, and one
 *    reading serves everybody who asked before it began.
 *  - Totals grow by what an element shows beyond what it showed last, and both are noted
 *    in one step (seg_counter_take). A reading that stops anywhere, or shows an element
 *    twice, or comes once more, counts nothing twice and loses nothing.
 *  - That an element is gone is concluded from two things together: a reading of its set
 *    that came to its end did not show it, and its time was over (packets refresh it). The
 *    kernel passes an element over where another one ends while it is shown piece by
 *    piece; who is only passed over has time left and is still who it was.
 *  - No slice from before a commit, or from before a reading at one stroke, is taken
 *    behind it: both stop the walk, which begins anew.
 *  - A reading that fails is done again, a few times; then who waits is answered with
 *    what is known. Nobody waits for a table that is not there.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include "engine.h"

/* The sets whose elements count. */
enum seg_counted {
	SEG_ADMITTED, /* usage.c */
	SEG_SLOW,
	SEG_FAST,
	SEG_FAST_OWN,
	SEG_DENIED4, /* refusals.c */
	SEG_DENIED6,
	SEG_SPOOFED4,
	SEG_SPOOFED6,
	SEG_OUTGROWN,
	SEG_OUTGROWN_SPOOFED,
	SEG_OUTGROWN_AT,
	SEG_OUTGROWN_SPOOFED_AT,
	SEG_OUTGROWN_REST,
	SEG_OUTGROWN_SPOOFED_REST,
	SEG_COUNTED /* how many */
};
extern const char *const seg_counted_name[SEG_COUNTED];
enum seg_counted seg_counted_of(const struct seg_set *set); /* SEG_COUNTED: none of them */
#define SEG_READ_USAGE 0x00fu /* bits (1 << enum seg_counted) */
#define SEG_READ_REFUSALS 0x3ff0u
#define SEG_READ_ALL (SEG_READ_USAGE | SEG_READ_REFUSALS)

/* An element, as last read. Zeroed: never seen. */
struct seg_counter {
	uint64_t packets, bytes;
	uint64_t reading; /* of its set, that showed it */
	time_t until;	  /* it cannot have ended before */
};
struct seg_growth {
	uint64_t packets, bytes;
};

struct seg_wish;
struct seg_readings {
	STAILQ_HEAD(, seg_wish) wishes;
	uint64_t wished; /* so far: numbers them */
	uint64_t served; /* wishes up to this number came before the walk under way */
	bool walking;
	enum seg_counted set;	      /* of the walk under way */
	const struct seg_set *of;     /* the same, of the plan */
	unsigned failures;	      /* in a row */
	bool later;		      /* the last could not begin: with the next tick */
	uint64_t number[SEG_COUNTED]; /* readings of each set that came to their end */
};

/* What an element shown by the reading under way has counted since it was last seen; one that was made anew
 * counts from nothing. */
struct seg_growth seg_counter_take(const struct seg_engine *engine, enum seg_counted set,
				   struct seg_counter *counter, const struct seg_elem *elem, time_t now);
/* An element that a commit of ours makes now. */
void seg_counter_place(const struct seg_engine *engine, enum seg_counted set, struct seg_counter *counter,
		       const struct seg_elem *elem, time_t now);
/* Was it shown by the last reading, or passed over? False: it is gone. */
bool seg_counter_stands(const struct seg_engine *engine, enum seg_counted set,
			const struct seg_counter *counter, time_t now);

/* Answers with what tell says once the sets (SEG_READ_*) were read: SEG_LATER, or at once where there are
 * none to read. tell is given the request as of then, and may answer SEG_LATER itself. */
int seg_readings_answer(struct seg_engine *engine, const struct seg_request *request, unsigned sets,
			seg_command_fn tell, json_t **out);
/* The same for nobody: totals that are saved and told now and then. */
void seg_readings_refresh(struct seg_engine *engine);
/* At one stroke, however long it takes: where the elements are about to go. Tried a few times. */
void seg_readings_now(struct seg_engine *engine, const struct seg_plan *plan, unsigned sets, time_t now);
/* One element of the plan in force, while no walk is under way. */
void seg_readings_one(struct seg_engine *engine, enum seg_counted set, const uint8_t *key, time_t now);

/* Around a commit. */
void seg_readings_stop(struct seg_engine *engine);
void seg_readings_go_on(struct seg_engine *engine);
/* Wishes whose client is gone. */
void seg_readings_forget(struct seg_engine *engine, const void *context);
void seg_readings_init(struct seg_readings *readings);
void seg_readings_tick(struct seg_engine *engine, time_t now);
void seg_readings_fini(struct seg_engine *engine); /* nobody is answered */

#endif
