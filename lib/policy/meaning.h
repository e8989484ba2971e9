/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_MEANING_H
#define SEG_POLICY_MEANING_H

/*
 * Which packets a permit is about, as a digest: anything that moves a packet (zones, addresses, services,
 * MACs), not its hours, owner or title. A permit of another meaning takes another number (plan/build.h);
 * digests are kept over restarts, so that what goes into them must stay as it is.
 */

#include "policy/policy.h"

void seg_permit_meaning(const struct seg_permit *permit, char hex[static SEG_MEANING_STRLEN]);
/* Of traffic inside the zone. */
void seg_zone_meaning(const struct seg_zone *zone, char hex[static SEG_MEANING_STRLEN]);

#endif
