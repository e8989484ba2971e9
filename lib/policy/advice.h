/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_ADVICE_H
#define SEG_POLICY_ADVICE_H

/* Warnings of policy.md: shadowed permits, unused hosts and services, permits that end within
 * 30 days of `now`, reviews past due. Never errors. */

#include "policy/policy.h"

void seg_advice(const struct seg_policy *policy, time_t now, struct seg_diags *diags);

#endif
