/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_CLOSURE_H
#define SEG_POLICY_CLOSURE_H

/*
 * What emergencies close beyond the policy's own words: hosts and zones that an
 * operator has isolated, and what the stage in force closes. Resolved against one
 * policy, whose indices it uses; an argument of both pure functions, the plan and
 * classify, which must agree about it.
 *
 * Filled with seg_closure_zone() and its siblings, then finished once; only read
 * afterwards. Everything lives in the arena given.
 *
 * A closed zone has nothing to it, from it and inside it, and a closed permit opens
 * nothing: in the kernel their numbers are not in force, a few elements less. The
 * addresses of isolated hosts are refused before all else.
 */

#include "policy/policy.h"

/* Who closed it: bits. */
#define SEG_CLOSED_ISOLATED 1u
#define SEG_CLOSED_STAGE 2u

struct seg_closure {
	struct seg_ranges isolated;  /* hosts */
	uint8_t *zone;               /* by index: SEG_CLOSED_*; NULL: nothing is closed */
	uint8_t *permit;             /* by index: it opens nothing, also for its zones */
};

void seg_closure_init(struct seg_closure *closure, const struct seg_policy *policy, struct seg_arena *arena);
void seg_closure_zone(struct seg_closure *closure, const struct seg_zone *zone, uint8_t why);
void seg_closure_permit(struct seg_closure *closure, const struct seg_permit *permit, uint8_t why);
void seg_closure_class(struct seg_closure *closure, const struct seg_policy *policy, enum seg_class class,
		       uint8_t why);
void seg_closure_hosts(struct seg_closure *closure, struct seg_ranges ranges, struct seg_arena *arena);
void seg_closure_finish(struct seg_closure *closure, const struct seg_policy *policy);

/* closure may be NULL in all of these. */
bool seg_closure_has_permit(const struct seg_closure *closure, const struct seg_permit *permit);
uint8_t seg_closure_of_zone(const struct seg_closure *closure, const struct seg_zone *zone);
/* One end of a packet: an address in a zone (NULL: in none). The gateway itself is never closed. */
uint8_t seg_closure_of_end(const struct seg_closure *closure, const struct seg_zone *zone, seg_addr addr);

#endif
