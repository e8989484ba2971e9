/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_TAKEN_H
#define SEGD_TAKEN_H

/*
 * Whose a flow is, and how many were taken from whom: counted by owner, told as `revoked`.
 */

#include "state.h"

/* Whose a number is: the permit's id, or the zone's behind a '/', which no id has. */
struct seg_owner {
	char id[64];
};
struct seg_owner seg_owner_of(const struct seg_permit *permit, const struct seg_zone *zone);
struct seg_owner seg_owner_named(const char *permit); /* NULL: nobody knows whose it is, or it is a zone's own */

/* Counted in a hash of the caller's, who ends it with seg_hash_fini(). */
void seg_taken_init(struct seg_hash *taken);
void seg_taken_add(struct seg_hash *taken, const struct seg_owner *owner);
/* An alert for each owner; what all of them come to. */
struct seg_revoked seg_taken_tell(struct seg_engine *engine, const struct seg_hash *taken, const char *reason,
				  time_t now);

#endif
