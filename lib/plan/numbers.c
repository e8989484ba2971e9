/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "plan/ruleset.h"

struct in_force {
	const char *comment;
	const struct seg_place *place;
	uint64_t timeout_ms;	  /* until it closes; 0: no end in sight */
	uint64_t flow_timeout_ms; /* the same for open flows: 0 where they may drain */
	bool admits, carries;	  /* new flows; open ones */
};

static const struct seg_side *from_side(const struct seg_number *number)
{
	return &number->permit->from[number->pair / number->permit->n_to];
}

static const struct seg_side *to_side(const struct seg_number *number)
{
	return &number->permit->to[number->pair % number->permit->n_to];
}

const struct seg_zone *seg_ruleset_begins(const struct seg_number *number)
{
	return number->permit ? from_side(number)->zone : number->zone;
}

/* Closed by an emergency, beyond single addresses. */
static bool is_closed(const struct build *b, const struct seg_number *number)
{
	const struct seg_closure *closure = b->options->closure;

	if (!number->permit)
		return seg_closure_of_zone(closure, number->zone);
	return seg_closure_has_permit(closure, number->permit) ||
	       seg_closure_of_zone(closure, from_side(number)->zone) ||
	       seg_closure_of_zone(closure, to_side(number)->zone);
}

static struct in_force judge_number(struct build *b, const struct seg_number *number)
{
	const struct seg_permit *permit = number->permit;
	struct in_force f = {.admits = true, .carries = true};
	time_t now = b->options->now, next;

	if (!permit) {
		f.comment = SEG_JOIN(b->arena, "intra:", number->zone->id);
		f.place = &number->zone->place;
		return f;
	}
	f.comment = permit->id;
	f.place = &permit->place.id;
	if (permit->schedule.n_hours == 0 && !permit->schedule.from && !permit->schedule.until)
		return f;
	f.admits = seg_schedule_state(&permit->schedule, now, b->policy->timezone) == SEG_OPEN;
	f.carries = f.admits || permit->drain;
	next = f.admits ? seg_schedule_next(&permit->schedule, now, b->policy->timezone) : 0;
	if (next > now) {
		f.timeout_ms = (uint64_t)(next - now) * 1000;
		f.flow_timeout_ms = permit->drain ? 0 : f.timeout_ms;
		if (!b->first_end || next < b->first_end)
			b->first_end = next;
	}
	return f;
}

static void describe(struct seg_elem *elem, const struct in_force *f, uint64_t timeout_ms)
{
	elem->comment = f->comment;
	elem->place = f->place;
	elem->timeout_ms = timeout_ms;
}

static enum road road_of(const struct build *b, const struct seg_number *number)
{
	const struct seg_zone *gateway = b->policy->gateway_zone;

	return number->permit && (from_side(number)->zone == gateway || to_side(number)->zone == gateway)
		       ? OWN
		       : THROUGH;
}

static void fast_elem(struct build *b, const struct in_force *f, uint8_t direction, const char *interface,
		      const struct seg_number *number)
{
	struct seg_key key = {.len = 0};

	seg_key_u8(&key, direction);
	seg_key_ifname(&key, interface);
	seg_key_u32(&key, number->number);
	describe(seg_writer_elem(b->w, b->fast[road_of(b, number)], &key, NULL), f, f->flow_timeout_ms);
}

/* Interface names of a zone, each once. */
struct names {
	const char **name;
	size_t n, cap;
};

static void add_name(struct build *b, struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->name[i], name) == 0)
			return;
	SEG_PUSH(b->arena, names->name, names->n, names->cap) = name;
}

static void add_zone_names(struct build *b, struct names *names, const struct seg_zone *zone)
{
	for (size_t i = 0; i < zone->interfaces; i++) {
		const struct seg_interface *interface = &zone->interface[i];

		if (!interface->prefix) {
			add_name(b, names, interface->name);
			continue;
		}
		for (size_t j = 0; j < b->options->interfaces; j++)
			if (strncmp(b->options->interface[j], interface->name, strlen(interface->name)) == 0)
				add_name(b, names, b->options->interface[j]);
	}
}

/*
 * The zone over whose interfaces a flow's packets may come (or, to and from the gateway, that they cross on the
 * other side): in the original direction the initiator's, in the reply direction the responder's.
 */
static const struct seg_zone *flow_zone(const struct build *b, const struct seg_number *number, uint8_t direction)
{
	const struct seg_zone *gateway = b->policy->gateway_zone, *from, *to, *near;

	if (!number->permit)
		return number->zone;
	from = from_side(number)->zone;
	to = to_side(number)->zone;
	near = direction == ORIGINAL ? from : to;
	return near != gateway ? near : near == from ? to : from;
}

static void hold_number(struct build *b, const struct seg_number *number)
{
	const struct seg_zone *zone = seg_ruleset_begins(number);
	struct seg_key key = {.len = 0};

	if (!b->options->held || zone == b->policy->gateway_zone || !b->options->held[zone->index])
		return;
	seg_key_u32(&key, number->number);
	seg_writer_elem(b->w, b->held, &key, NULL)->comment = zone->id;
}

/* names: by zone. */
static void write_number(struct build *b, const struct seg_number *number, const struct names *names)
{
	struct seg_key live = {.len = 0};
	struct in_force f;

	if (is_closed(b, number))
		return;
	f = judge_number(b, number);
	if (f.admits) {
		struct seg_key key = {.len = 0};

		seg_key_u32(&key, number->number);
		describe(seg_writer_elem(b->w, b->open, &key, NULL), &f, f.timeout_ms);
	}
	if (!f.carries)
		return;
	seg_key_u32(&live, number->number);
	describe(seg_writer_elem(b->w, b->live[road_of(b, number)], &live, NULL), &f, f.flow_timeout_ms);
	for (uint8_t direction = ORIGINAL; direction <= REPLY; direction++) {
		const struct names *near = &names[flow_zone(b, number, direction)->index];

		/* The mark cannot vouch for a MAC: such packets are judged one by one. */
		if (number->bound && direction == ORIGINAL)
			continue;
		for (size_t i = 0; i < near->n; i++)
			fast_elem(b, &f, direction, near->name[i], number);
	}
}

static void bound_elems(struct build *b, const struct seg_permit *permit, const struct seg_bound *bound,
			uint32_t number)
{
	struct family_parts *p = &b->family[seg_range_family(bound->range) == SEG_IPV6];

	for (seg_addr addr = bound->range.lo;; addr++) {
		struct seg_key key = {.len = 0};
		struct seg_elem *elem;

		seg_key_mac(&key, bound->mac);
		seg_key_addr(&key, addr);
		seg_key_u32(&key, number);
		elem = seg_writer_elem(b->w, p->bound, &key, NULL);
		elem->comment = permit->id;
		elem->place = &permit->place.id;
		if (addr == bound->range.hi)
			break;
	}
}

void seg_ruleset_numbers(struct build *b)
{
	struct names *names = SEG_NEW_N(b->arena, struct names, b->policy->zones + 1);

	for (size_t i = 0; i < b->policy->zones; i++)
		add_zone_names(b, &names[i], &b->policy->zone[i]);
	seg_writer_expect(b->w, b->open, b->collection.numbers);
	seg_writer_expect(b->w, b->live[THROUGH], b->collection.numbers);
	seg_writer_expect(b->w, b->fast[THROUGH], 2 * b->collection.numbers);
	for (size_t i = 0; i < b->collection.numbers; i++) {
		const struct seg_number *number = &b->collection.number[i];
		struct seg_key key = {.len = 0};

		write_number(b, number, names);
		hold_number(b, number);
		if (!number->bound)
			continue;
		b->any_bound = true;
		seg_key_u32(&key, number->number);
		seg_writer_elem(b->w, b->macs, &key, NULL)->comment = number->permit->id;
		for (size_t j = 0; j < from_side(number)->n_bound; j++)
			bound_elems(b, number->permit, &from_side(number)->bound[j], number->number);
	}
}
