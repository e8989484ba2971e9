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

const struct seg_side *seg_number_from(const struct seg_number *number)
{
	return &number->permit->from[number->pair / number->permit->n_to];
}

const struct seg_side *seg_number_to(const struct seg_number *number)
{
	return &number->permit->to[number->pair % number->permit->n_to];
}

const struct seg_zone *seg_ruleset_begins(const struct seg_number *number)
{
	return number->permit ? seg_number_from(number)->zone : number->zone;
}

/* Between whom a number's flows are. */
struct ends {
	const struct seg_zone *from, *to;
	enum road road;
};

static struct ends ends_of(const struct build *b, const struct seg_number *number)
{
	const struct seg_zone *gateway = b->policy->gateway_zone;
	struct ends ends = {number->zone, number->zone, THROUGH};

	if (number->permit) {
		ends.from = seg_number_from(number)->zone;
		ends.to = seg_number_to(number)->zone;
	}
	if (ends.from == gateway || ends.to == gateway)
		ends.road = OWN;
	return ends;
}

/* Closed by an emergency, beyond single addresses. */
static bool is_closed(const struct build *b, const struct seg_number *number, const struct ends *ends)
{
	const struct seg_closure *closure = b->options->closure;

	return (number->permit && seg_closure_has_permit(closure, number->permit)) ||
	       seg_closure_of_zone(closure, ends->from) || seg_closure_of_zone(closure, ends->to);
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

/* The interfaces of a zone, each once, as parts of keys: there are as many of those as numbers, and more. */
struct names {
	struct seg_key *name;
	size_t n, cap;
};

static void add_name(struct build *b, void *context, const char *name)
{
	struct names *names = context;
	struct seg_key part = {.len = 0};

	seg_key_ifname(&part, name);
	for (size_t i = 0; i < names->n; i++)
		if (memcmp(names->name[i].bytes, part.bytes, part.len) == 0)
			return;
	SEG_PUSH(b->arena, names->name, names->n, names->cap) = part;
}

void seg_ruleset_names(struct build *b, const struct seg_zone *zone, seg_name_fn each, void *context)
{
	for (size_t i = 0; i < zone->interfaces; i++) {
		const struct seg_interface *interface = &zone->interface[i];

		if (!interface->prefix) {
			each(b, context, interface->name);
			continue;
		}
		for (size_t j = 0; j < b->options->interfaces; j++)
			if (strncmp(b->options->interface[j], interface->name, strlen(interface->name)) == 0)
				each(b, context, b->options->interface[j]);
	}
}

/*
 * Packets of open flows are known by the interface they come by (or, to and from the gateway, the one they cross on
 * the other side): in the original direction the initiator's, in the reply direction the responder's.
 */
static void fast_elems(struct build *b, const struct in_force *f, const struct seg_number *number,
		       const struct ends *ends, uint8_t direction, const struct names *names)
{
	const struct seg_zone *gateway = b->policy->gateway_zone,
			      *near = direction == ORIGINAL ? ends->from : ends->to,
			      *far = direction == ORIGINAL ? ends->to : ends->from;
	const struct names *of = &names[(near != gateway ? near : far)->index];

	for (size_t i = 0; i < of->n; i++) {
		struct seg_key key = {.len = 0};

		seg_key_u8(&key, direction);
		seg_key_part(&key, &of->name[i]);
		seg_key_u32(&key, number->number);
		describe(seg_writer_elem(b->w, b->fast[ends->road], &key, NULL), f, f->flow_timeout_ms);
	}
}

/* What may begin, in general, and by which interfaces it does so where it goes through the gateway. */
static void open_elems(struct build *b, const struct in_force *f, const struct seg_number *number,
		       const struct ends *ends, const struct names *names)
{
	const struct names *of = &names[ends->from->index];
	struct seg_key open = {.len = 0};

	seg_key_u32(&open, number->number);
	describe(seg_writer_elem(b->w, b->open, &open, NULL), f, f->timeout_ms);
	for (size_t i = 0; ends->road == THROUGH && i < of->n; i++) {
		struct seg_key key = {.len = 0};

		seg_key_part(&key, &of->name[i]);
		seg_key_u32(&key, number->number);
		describe(seg_writer_elem(b->w, b->begins, &key, NULL), f, f->timeout_ms);
	}
}

static void hold_number(struct build *b, const struct seg_number *number, const struct seg_zone *zone)
{
	struct seg_key key = {.len = 0};

	if (!b->options->held || zone == b->policy->gateway_zone || !b->options->held[zone->index])
		return;
	seg_key_u32(&key, number->number);
	seg_writer_elem(b->w, b->held, &key, NULL)->comment = zone->id;
}

/* names: by zone. */
static void write_number(struct build *b, const struct seg_number *number, const struct ends *ends,
			 const struct names *names)
{
	struct seg_key live = {.len = 0};
	struct in_force f;

	if (is_closed(b, number, ends))
		return;
	f = judge_number(b, number);
	if (f.admits)
		open_elems(b, &f, number, ends, names);
	if (!f.carries)
		return;
	seg_key_u32(&live, number->number);
	describe(seg_writer_elem(b->w, b->live[ends->road], &live, NULL), &f, f.flow_timeout_ms);
	/* The mark cannot vouch for a MAC: such packets are judged one by one. */
	if (!number->bound)
		fast_elems(b, &f, number, ends, ORIGINAL, names);
	fast_elems(b, &f, number, ends, REPLY, names);
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
		seg_ruleset_names(b, &b->policy->zone[i], add_name, &names[i]);
	seg_writer_expect(b->w, b->open, b->collection.numbers);
	seg_writer_expect(b->w, b->begins, b->collection.numbers);
	seg_writer_expect(b->w, b->live[THROUGH], b->collection.numbers);
	seg_writer_expect(b->w, b->fast[THROUGH], 2 * b->collection.numbers);
	for (size_t i = 0; i < b->collection.numbers; i++) {
		const struct seg_number *number = &b->collection.number[i];
		const struct ends ends = ends_of(b, number);
		struct seg_key key = {.len = 0};

		write_number(b, number, &ends, names);
		hold_number(b, number, ends.from);
		if (!number->bound)
			continue;
		b->any_bound = true;
		seg_key_u32(&key, number->number);
		seg_writer_elem(b->w, b->macs, &key, NULL)->comment = number->permit->id;
		for (size_t j = 0; j < seg_number_from(number)->n_bound; j++)
			bound_elems(b, number->permit, &seg_number_from(number)->bound[j], number->number);
	}
}
