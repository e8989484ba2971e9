/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "taken.h"

#include <stdio.h>
#include <string.h>

struct taken {
	struct seg_owner owner;
	size_t flows;
};

struct seg_owner seg_owner_named(const char *permit)
{
	struct seg_owner owner;

	memset(&owner, 0, sizeof(owner));
	if (permit)
		strncpy(owner.id, permit, sizeof(owner.id) - 1);
	return owner;
}

struct seg_owner seg_owner_of(const struct seg_permit *permit, const struct seg_zone *zone)
{
	struct seg_owner owner = seg_owner_named(permit ? permit->id : NULL);

	if (!permit && zone)
		snprintf(owner.id, sizeof(owner.id), "/%s", zone->id);
	return owner;
}

void seg_taken_init(struct seg_hash *taken)
{
	seg_hash_init(taken, sizeof(struct seg_owner), sizeof(struct taken));
}

void seg_taken_add(struct seg_hash *taken, const struct seg_owner *owner)
{
	bool made;
	struct taken *one = seg_hash_put(taken, owner, &made);

	one->flows++;
}

static void tell(struct seg_engine *engine, const struct taken *taken, const char *reason, time_t now)
{
	const char *id = taken->owner.id;
	struct seg_alert alert;

	seg_say_begin(engine, &alert, "revoked", SEG_NOTICE, now);
	seg_alert_text(&alert, "permit", id[0] && id[0] != '/' ? id : NULL);
	seg_alert_number(&alert, "count", taken->flows);
	seg_alert_text(&alert, "reason", reason);
	seg_say_send(engine, &alert);
}

struct seg_revoked seg_taken_tell(struct seg_engine *engine, const struct seg_hash *taken, const char *reason,
				  time_t now)
{
	struct seg_revoked revoked = {.permits = taken->n};
	const struct taken *one;
	size_t cursor = 0;

	while (taken->n && (one = seg_hash_next(taken, &cursor))) {
		revoked.flows += one->flows;
		tell(engine, one, reason, now);
	}
	return revoked;
}
