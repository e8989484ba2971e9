// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/advice.h"

#include "base/i18n.h"
#include "policy/shadow.h"

#define SOON_DAYS 30

static void advise_shadowed(const struct seg_policy *policy, struct seg_diags *diags)
{
	struct seg_arena *arena = seg_arena_new();
	const struct seg_permit **shadow = seg_shadows_find(policy, arena);

	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];
		struct seg_diag *diag;

		if (!shadow[i])
			continue;
		diag = seg_warning(diags, SEG_SHADOWED, permit->place.id,
				   _("everything that %s permits is permitted by %s already"), permit->id,
				   shadow[i]->id);
		seg_diag_relate(diags, diag, shadow[i]->place.id, _("%s covers it"), shadow[i]->id);
		seg_diag_hint(diags, diag, _("take %s out, or narrow %s"), permit->id, shadow[i]->id);
	}
	seg_arena_free(arena);
}

static void advise_unused(const struct seg_policy *policy, struct seg_diags *diags)
{
	for (size_t i = 0; i < policy->hosts; i++)
		if (!policy->host[i].used)
			seg_warning(diags, SEG_UNUSED, policy->host[i].place, _("no permit names host %s"),
				    policy->host[i].id);
	for (size_t i = 0; i < policy->services; i++)
		if (!policy->service[i].used)
			seg_warning(diags, SEG_UNUSED, policy->service[i].place,
				    _("no permit names service %s"), policy->service[i].id);
}

/* Does a list entry count in none of the permit's zones? */
static bool opens_nothing(const struct seg_side *side, size_t n, const struct seg_operand *operand)
{
	const struct seg_ranges range = {&operand->range, 1};

	for (size_t i = 0; i < n; i++) {
		const struct seg_zone *zone = side[i].zone;

		if (zone->tier == SEG_TIER_GATEWAY ||
		    (operand->host ? operand->host->zone == zone : seg_ranges_overlap(range, zone->nets)))
			return false;
	}
	return true;
}

static void advise_outside(const struct seg_permit *permit, const struct seg_side *side, size_t n,
			   const struct seg_operand *operand, size_t n_operands, const char *key,
			   struct seg_diags *diags)
{
	char text[SEG_RANGE_STRLEN];

	for (size_t i = 0; i < n_operands; i++) {
		struct seg_diag *diag;

		if (!opens_nothing(side, n, &operand[i]))
			continue;
		diag = seg_warning(diags, SEG_UNUSED, operand[i].place,
				   _("%s of %s opens nothing: it lies in none of the zones of `%s`"),
				   operand[i].host ? operand[i].host->id
						   : seg_range_format(operand[i].range, text),
				   permit->id, key);
		if (operand[i].host)
			seg_diag_relate(diags, diag, operand[i].host->place, _("host %s"),
					operand[i].host->id);
	}
}

static void advise_end(const struct seg_permit *permit, seg_date today, struct seg_diags *diags)
{
	struct seg_place place =
	    permit->place.valid_until.source ? permit->place.valid_until : permit->place.valid;
	int left = permit->schedule.until - today;
	char until[11];

	if (!permit->schedule.until || left > SOON_DAYS)
		return;
	seg_date_format(permit->schedule.until, until);
	if (left < 0)
		seg_diag_hint(
		    diags, seg_warning(diags, SEG_ENDS_SOON, place, _("%s ended on %s"), permit->id, until),
		    _("take it out, or have it approved anew"));
	else if (left == 0)
		seg_warning(diags, SEG_ENDS_SOON, place, _("%s ends today, %s is its last day"), permit->id, until);
	else
		seg_warning(
		    diags, SEG_ENDS_SOON, place,
		    ngettext("%s ends on %s, in %d day", "%s ends on %s, in %d days", (unsigned long)left),
		    permit->id, until, left);
}

static void advise_review(const struct seg_permit *permit, seg_date today, struct seg_diags *diags)
{
	char review[11];

	if (permit->review && permit->review < today)
		seg_warning(diags, SEG_REVIEW_DUE, permit->place.review, _("the review of %s was due on %s"),
			    permit->id, seg_date_format(permit->review, review));
}

void seg_advice(const struct seg_policy *policy, time_t now, struct seg_diags *diags)
{
	seg_date today = seg_local_time(now, policy->timezone).date;

	advise_shadowed(policy, diags);
	advise_unused(policy, diags);
	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];

		advise_outside(permit, permit->from, permit->n_from, permit->source, permit->n_source, "from",
			       diags);
		advise_outside(permit, permit->to, permit->n_to, permit->destination, permit->n_destination,
			       "to", diags);
		advise_end(permit, today, diags);
		advise_review(permit, today, diags);
	}
}
