/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_SHADOW_H
#define SEG_POLICY_SHADOW_H

/*
 * Does one permit allow everything that another allows? Judged by what passes:
 * zones, addresses with their MACs, services and times, not by how it is written.
 * Never says yes wrongly; where only several permits together cover another one,
 * it says no.
 */

#include "policy/policy.h"

bool seg_permit_covers(const struct seg_permit *outer, const struct seg_permit *inner);

/* For each permit, by index, another one that covers it; NULL: none. Of two that allow the same,
 * the later is the covered one. Near to linear in the number of permits. */
const struct seg_permit **seg_shadows_find(const struct seg_policy *policy, struct seg_arena *arena);

#endif
