/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_TEST_SAME_POLICY_H
#define SEG_TEST_SAME_POLICY_H

/*
 * A text read as a whole, and read where an earlier policy is known: neither the policies nor what is said
 * about a mistake may differ. A policy is compared by all that it holds, written out as lines.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/load.h"

static inline void tell_place(struct seg_strbuf *out, const struct seg_place *place)
{
	const struct seg_position at = seg_place_position(place);

	seg_strbuf_printf(out, " @%s:%u:%u-%u", place->source ? place->source->name : "", at.line, at.column,
			  at.end_column);
}

static inline void tell_ranges(struct seg_strbuf *out, struct seg_ranges ranges)
{
	char text[SEG_RANGE_STRLEN];

	for (size_t i = 0; i < ranges.n; i++)
		seg_strbuf_printf(out, " %s", seg_range_format(ranges.range[i], text));
}

static inline void tell_mac(struct seg_strbuf *out, const uint8_t mac[static SEG_MAC_LEN])
{
	for (size_t i = 0; i < SEG_MAC_LEN; i++)
		seg_strbuf_printf(out, "%c%02x", i ? ':' : ' ', mac[i]);
}

static inline void tell_side(struct seg_strbuf *out, const struct seg_policy *policy, const char *name,
			     const struct seg_side *side)
{
	char text[SEG_RANGE_STRLEN];

	seg_strbuf_printf(out, "  %s %td %s%s:", name, side->zone - policy->zone, side->zone->id,
			  side->whole ? " whole" : "");
	tell_ranges(out, side->ranges);
	for (size_t i = 0; i < side->n_bound; i++) {
		seg_strbuf_printf(out, " %s with", seg_range_format(side->bound[i].range, text));
		tell_mac(out, side->bound[i].mac);
	}
	tell_place(out, &side->place);
	seg_strbuf_add(out, "\n");
}

static inline void tell_operands(struct seg_strbuf *out, const struct seg_policy *policy,
				 const struct seg_operand *operand, size_t n)
{
	char text[SEG_RANGE_STRLEN];

	for (size_t i = 0; i < n; i++) {
		if (operand[i].host)
			seg_strbuf_printf(out, "  host %td %s", operand[i].host - policy->host,
					  operand[i].host->id);
		else
			seg_strbuf_printf(out, "  range %s", seg_range_format(operand[i].range, text));
		tell_place(out, &operand[i].place);
		seg_strbuf_add(out, "\n");
	}
}

static inline void tell_services(struct seg_strbuf *out, const struct seg_policy *policy,
				 const struct seg_permit *permit)
{
	char text[SEG_SERVICE_STRLEN];

	for (size_t i = 0; i < permit->n_service; i++) {
		const struct seg_service_ref *ref = &permit->service[i];

		if (ref->service)
			seg_strbuf_printf(out, "  service %td", ref->service - policy->service);
		else
			seg_strbuf_printf(out, "  inline %s", seg_service_item_format(&ref->item, text));
		tell_place(out, &ref->place);
		seg_strbuf_add(out, "\n");
	}
	for (size_t i = 0; i < permit->n_items; i++) {
		seg_strbuf_printf(out, "  item %s", seg_service_item_format(&permit->item[i], text));
		tell_place(out, &permit->item[i].place);
		seg_strbuf_add(out, "\n");
	}
}

static inline void tell_permit(struct seg_strbuf *out, const struct seg_policy *policy,
			       const struct seg_permit *permit)
{
	const char *const text[] = {permit->id,	      permit->meaning, permit->title, permit->owner,
				    permit->approver, permit->ticket,  permit->basis, permit->external_audit};
	const struct seg_place *place = (const struct seg_place *)&permit->place;

	seg_strbuf_printf(out, "permit %u class %d method %d drain %d valid %d review %ld %ld-%ld",
			  permit->index, permit->class, permit->method, permit->drain, permit->has_valid,
			  (long)permit->review, (long)permit->schedule.from, (long)permit->schedule.until);
	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		seg_strbuf_printf(out, " [%s]", text[i] ? text[i] : "-");
	for (size_t i = 0; i < sizeof(permit->place) / sizeof(*place); i++)
		tell_place(out, &place[i]);
	for (size_t i = 0; i < permit->schedule.n_hours; i++) {
		char hours[SEG_HOURS_STRLEN];

		seg_strbuf_printf(out, " %s", seg_hours_format(&permit->schedule.hours[i], hours));
	}
	seg_strbuf_add(out, "\n");
	for (size_t i = 0; i < permit->n_from; i++)
		tell_side(out, policy, "from", &permit->from[i]);
	for (size_t i = 0; i < permit->n_to; i++)
		tell_side(out, policy, "to", &permit->to[i]);
	tell_operands(out, policy, permit->source, permit->n_source);
	tell_operands(out, policy, permit->destination, permit->n_destination);
	tell_services(out, policy, permit);
}

static inline void tell_entries(struct seg_strbuf *out, const struct seg_entries *entries)
{
	char text[SEG_RANGE_STRLEN];

	for (size_t i = 0; i < entries->n; i++) {
		seg_strbuf_printf(out, " %s", seg_range_format(entries->entry[i].range, text));
		tell_place(out, &entries->entry[i].place);
	}
}

static inline void tell_zone(struct seg_strbuf *out, const struct seg_zone *zone)
{
	seg_strbuf_printf(out, "zone %u %s [%s] tier %d%s%s%s%s%s%s%s limit %u %u %u:", zone->index, zone->id,
			  zone->title, zone->tier, zone->any ? " any" : "", zone->intra_allow ? " intra" : "",
			  zone->routed ? " routed" : "", zone->wan ? " wan" : "",
			  zone->uplink ? " uplink" : "", zone->public ? " public" : "",
			  zone->reject ? " reject" : "", zone->limit.flows, zone->limit.share,
			  zone->limit.rate);
	for (size_t i = 0; i < zone->interfaces; i++) {
		seg_strbuf_printf(out, " %s%s", zone->interface[i].name,
				  zone->interface[i].prefix ? "*" : "");
		tell_place(out, &zone->interface[i].place);
	}
	tell_ranges(out, zone->nets);
	tell_entries(out, &zone->networks);
	tell_place(out, &zone->place);
	tell_place(out, &zone->any_place);
	seg_strbuf_add(out, "\n");
}

static inline void tell_host(struct seg_strbuf *out, const struct seg_host *host)
{
	seg_strbuf_printf(out, "host %s [%s] used %d assurance %d [%s] in %s:", host->id, host->title,
			  host->used, host->assurance, host->published ? host->published : "-",
			  host->zone ? host->zone->id : "-");
	tell_ranges(out, host->ranges);
	tell_entries(out, &host->address);
	tell_entries(out, &host->except);
	if (host->has_mac)
		tell_mac(out, host->mac);
	tell_place(out, &host->place);
	tell_place(out, &host->address_place);
	tell_place(out, &host->mac_place);
	seg_strbuf_add(out, "\n");
}

static inline void tell_service(struct seg_strbuf *out, const struct seg_service *service)
{
	char text[SEG_SERVICE_STRLEN];

	seg_strbuf_printf(out, "service %s used %d:", service->id, service->used);
	for (size_t i = 0; i < service->n; i++) {
		seg_strbuf_printf(out, " %s", seg_service_item_format(&service->item[i], text));
		tell_place(out, &service->item[i].place);
	}
	tell_place(out, &service->place);
	seg_strbuf_add(out, "\n");
}

static inline void tell_stage(struct seg_strbuf *out, const struct seg_stage *stage)
{
	seg_strbuf_printf(out, "stage %s [%s] closes classes %x, permits", stage->id, stage->title,
			  stage->classes);
	for (size_t i = 0; i < stage->permits; i++)
		seg_strbuf_printf(out, " %u", stage->permit[i]->index);
	for (size_t i = 0; i < stage->zones; i++)
		seg_strbuf_printf(out, " zone %u", stage->zone[i]->index);
	tell_place(out, &stage->place);
	seg_strbuf_add(out, "\n");
}

static inline void tell_top(struct seg_strbuf *out, const struct seg_policy *policy)
{
	seg_strbuf_printf(out, "%s %s %s guard %d gateway %d", policy->hash,
			  policy->site ? policy->site : "-", policy->timezone ? policy->timezone : "-",
			  policy->guard, policy->has_gateway);
	tell_place(out, &policy->guard_place);
	tell_entries(out, &policy->gateway);
	seg_strbuf_add(out, "\nnamed");
	tell_ranges(out, policy->named);
	for (size_t i = 0; i < policy->sources; i++)
		seg_strbuf_printf(out, "\nsource %s %zu", policy->source[i]->name, policy->source[i]->len);
	seg_strbuf_add(out, "\n");
}

static inline void tell_policy(struct seg_strbuf *out, const struct seg_policy *policy)
{
	if (!policy) {
		seg_strbuf_add(out, "none\n");
		return;
	}
	tell_top(out, policy);
	for (size_t i = 0; i <= policy->zones; i++) /* the gateway's behind the others */
		tell_zone(out, &policy->zone[i]);
	for (size_t i = 0; i < policy->hosts; i++)
		tell_host(out, &policy->host[i]);
	for (size_t i = 0; i < policy->services; i++)
		tell_service(out, &policy->service[i]);
	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];

		tell_permit(out, policy, permit);
		if (seg_policy_permit(policy, permit->id) != permit)
			seg_strbuf_add(out, "  not found by its id\n");
	}
	for (size_t i = 0; i < policy->stages; i++)
		tell_stage(out, &policy->stage[i]);
}

/* Prints both where they differ. */
static inline bool same_when_reloaded(const struct seg_policy *before, const char *text, size_t len,
				      const struct seg_reader *reader)
{
	struct seg_strbuf out[2] = {{0}, {0}};
	bool same;

	for (int i = 0; i < 2; i++) {
		struct seg_policy *policy;
		struct seg_diags diags;

		seg_diags_init(&diags);
		policy = i ? seg_policy_reload(before, "policy.yaml", text, len, reader, &diags)
			   : seg_policy_load("policy.yaml", text, len, reader, &diags);
		tell_policy(&out[i], policy);
		seg_diags_sort(&diags);
		seg_diags_render(&diags, false, &out[i]);
		seg_policy_free(policy);
		seg_diags_fini(&diags);
	}
	same = strcmp(seg_strbuf_text(&out[0]), seg_strbuf_text(&out[1])) == 0;
	if (!same)
		fprintf(stderr, "the text:\n%.*s\nread as a whole:\n%s\nreloaded:\n%s\n", (int)len, text,
			seg_strbuf_text(&out[0]), seg_strbuf_text(&out[1]));
	seg_strbuf_fini(&out[0]);
	seg_strbuf_fini(&out[1]);
	return same;
}

#endif
