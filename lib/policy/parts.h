/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_PARTS_H
#define SEG_POLICY_PARTS_H

/*
 * What policy.c and the loader share and nobody else sees: the lookups inside a
 * policy, which the loader fills as its last act.
 */

#include "policy/policy.h"

/* From zone->nets of all zones: what seg_policy_zone_of() searches. */
void seg_policy_index_networks(struct seg_policy *policy);

#endif
