/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_FLOW_COMPARE_H
#define SEG_FLOW_COMPARE_H

/*
 * What one policy lets pass and the other does not: `diff`, computed from what
 * the policies mean. Each is taken as boxes between two zones, of sources,
 * destinations, services, hours and days; what remains of the new ones without
 * the old ones opens, and the other way round closes. So neither the order nor
 * the names of hosts nor the way a prefix is written make a difference.
 *
 * Never says too little: where MACs or time zones differ in a way that boxes do
 * not express, more is named than really changes.
 */

#include <jansson.h>

#include "policy/policy.h"

/* {"opens", "closes", "changed"} in the keys of cli.md. A permit whose days alone change, and not
 * today's, is `changed`. The caller owns the document. */
json_t *seg_compare(const struct seg_policy *old, const struct seg_policy *new, time_t now);
/* Nothing opens, closes or changed? */
bool seg_compare_is_equal(const json_t *document);

#endif
