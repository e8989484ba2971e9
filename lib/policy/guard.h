/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_GUARD_H
#define SEG_POLICY_GUARD_H

/*
 * The rule book "municipal": G1-G9 of policy.md over a loaded policy (G10 belongs
 * to loading, because nothing can be judged while an address has two zones).
 * One function a rule; each error points at the offending value, says the rule's
 * number and reason in one sentence, and hints what would be allowed.
 */

#include "policy/policy.h"

/* Adds errors to diags; does nothing for guard: none. The loader asks it about a policy that has errors, too:
 * what is flawed (policy/flaws.h) breaks no rule. */
void seg_guard_check(const struct seg_policy *policy, struct seg_diags *diags);

/* The rule, "G1" or "G8", by which no permit at all may stand between two zones; NULL: some may. */
const char *seg_guard_bars(const struct seg_policy *policy, const struct seg_zone *a,
			   const struct seg_zone *b);

#endif
