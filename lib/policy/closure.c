/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/closure.h"

void seg_closure_init(struct seg_closure *closure, const struct seg_policy *policy, struct seg_arena *arena)
{
	*closure = (struct seg_closure){
		.zone = SEG_NEW_N(arena, uint8_t, policy->zones + 1),
		.permit = SEG_NEW_N(arena, uint8_t, policy->permits + 1),
	};
}

void seg_closure_zone(struct seg_closure *closure, const struct seg_zone *zone, uint8_t why)
{
	if (zone->tier != SEG_TIER_GATEWAY)
		closure->zone[zone->index] |= why;
}

void seg_closure_permit(struct seg_closure *closure, const struct seg_permit *permit, uint8_t why)
{
	closure->permit[permit->index] |= why;
}

void seg_closure_class(struct seg_closure *closure, const struct seg_policy *policy, enum seg_class class,
		       uint8_t why)
{
	for (size_t i = 0; i < policy->permits; i++)
		if (policy->permit[i].class == class)
			seg_closure_permit(closure, &policy->permit[i], why);
}

void seg_closure_hosts(struct seg_closure *closure, struct seg_ranges ranges, struct seg_arena *arena)
{
	closure->isolated = seg_ranges_union(arena, closure->isolated, ranges);
}

/* Who closed every zone of a side; 0: some zone of it is open. */
static uint8_t side_closed(const struct seg_closure *closure, const struct seg_side *side, size_t n)
{
	uint8_t why = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t one = seg_closure_of_zone(closure, side[i].zone);

		if (!one)
			return 0;
		why |= one;
	}
	return why;
}

static bool any_zone(const struct seg_closure *closure, const struct seg_policy *policy)
{
	for (size_t i = 0; i < policy->zones; i++)
		if (closure->zone[i])
			return true;
	return false;
}

void seg_closure_finish(struct seg_closure *closure, const struct seg_policy *policy)
{
	if (!any_zone(closure, policy))
		return;
	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];

		closure->permit[i] |= side_closed(closure, permit->from, permit->n_from) |
				      side_closed(closure, permit->to, permit->n_to);
	}
}

bool seg_closure_has_permit(const struct seg_closure *closure, const struct seg_permit *permit)
{
	return closure && closure->permit && closure->permit[permit->index];
}

uint8_t seg_closure_of_zone(const struct seg_closure *closure, const struct seg_zone *zone)
{
	return closure && closure->zone && zone->tier != SEG_TIER_GATEWAY ? closure->zone[zone->index] : 0;
}

uint8_t seg_closure_of_end(const struct seg_closure *closure, const struct seg_zone *zone, seg_addr addr)
{
	if (!closure || (zone && zone->tier == SEG_TIER_GATEWAY))
		return 0;
	if (closure->isolated.n && seg_ranges_contain(closure->isolated, addr))
		return SEG_CLOSED_ISOLATED;
	return zone ? seg_closure_of_zone(closure, zone) : 0;
}
