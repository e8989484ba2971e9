/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_PLAN_IMPRINT_H
#define SEG_PLAN_IMPRINT_H

/*
 * What a table looks like, in few bytes: a hash of each chain and set, and what ends by itself with its end.
 *
 * Left behind with a table, it tells a later life whether somebody has been at it, though the policy, the
 * interfaces or what segd would plan today are others by then. Says nothing about what packets make (dynamic
 * sets), nor counters.
 *
 * Times are milliseconds of a clock that nobody sets, and that the kernel's timeouts run by.
 */

#include "plan/plan.h"

struct seg_imprint_ending {
	uint64_t hash; /* of an element, without its end */
	int64_t end;
};
struct seg_imprint_object {
	const char *name; /* as in the kernel: "set fast", "chain at-lg.3" */
	uint64_t hash;
	const struct seg_imprint_ending *ending; /* by hash; those of the same hash by their end */
	size_t endings;
};
struct seg_imprint {
	const struct seg_imprint_object *object; /* by name */
	size_t objects;
};

/* since: when the plan's timeouts began to run; of an image: when it was read. Lives in the arena. */
struct seg_imprint seg_imprint_of(const struct seg_plan *plan, int64_t since, struct seg_arena *arena);

/* What is not as it was, and no time has done, as in "chain forward changed, set mine added"; nothing: the
 * same. The table was read at `now`, or up to `slack` before or after it. */
void seg_imprint_compare(const struct seg_imprint *was, const struct seg_imprint *is, int64_t now,
			 int64_t slack, struct seg_strbuf *out);

/* As lines, under a first one of the caller's that says where, and by whose eyes, it was seen. */
void seg_imprint_write(const struct seg_imprint *imprint, const char *seen, struct seg_strbuf *out);
/* False: seen elsewhere, or not whole. Borrows the text, and writes into it. */
bool seg_imprint_read(char *text, const char *seen, struct seg_arena *arena, struct seg_imprint *imprint);

#endif
