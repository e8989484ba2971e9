/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "plan/collect.h"

struct seg_boxes *seg_collection_boxes(const struct seg_collection *collection, enum seg_way way,
				       unsigned zone, enum seg_family family, enum seg_kind kind)
{
	size_t at = way == SEG_WAY_OUT ? collection->zones : zone;

	at = at * SEG_WAYS + way;
	at = at * 2 + (family == SEG_IPV6);
	return &collection->boxes[at * SEG_KINDS + kind];
}

struct seg_ranges seg_zone_written(const struct seg_policy *policy, const struct seg_zone *zone,
				   struct seg_arena *arena)
{
	return zone->any ? seg_ranges_intersect(arena, zone->nets, policy->named) : zone->nets;
}

/* What a permit's services come to, kind by kind, without overlaps. */
struct span {
	uint8_t proto_lo, proto_hi;
	uint16_t lo, hi;
};
struct spans {
	struct span *span;
	size_t n, cap;
};
struct services {
	struct spans ports, types4, types6, protos;
};

static int by_port(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->proto_lo != y->proto_lo)
		return x->proto_lo < y->proto_lo ? -1 : 1;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

static void merge_ports(struct spans *ports)
{
	size_t n = 0;

	if (ports->n > 1)
		qsort(ports->span, ports->n, sizeof(*ports->span), by_port);
	for (size_t i = 0; i < ports->n; i++) {
		struct span *last = n > 0 ? &ports->span[n - 1] : NULL, *next = &ports->span[i];

		if (last && last->proto_lo == next->proto_lo && next->lo <= last->hi + 1) {
			if (next->hi > last->hi)
				last->hi = next->hi;
		} else {
			ports->span[n++] = *next;
		}
	}
	ports->n = n;
}

/* A set of numbers below 256 as spans; as_proto: they are protocols, else ICMP types. */
static void add_bits(struct seg_arena *arena, const bool bit[static 256], bool as_proto, struct spans *out)
{
	for (unsigned lo = 0; lo < 256; lo++) {
		unsigned hi = lo;

		if (!bit[lo])
			continue;
		while (hi < 255 && bit[hi + 1])
			hi++;
		if (as_proto)
			SEG_PUSH(arena, out->span, out->n, out->cap) =
			    (struct span){(uint8_t)lo, (uint8_t)hi, 0, 65535};
		else
			SEG_PUSH(arena, out->span, out->n, out->cap) =
			    (struct span){0, 255, (uint16_t)lo, (uint16_t)hi};
		lo = hi;
	}
}

/* Answers carry another type than the question; an open flow is judged by both. Conntrack calls an
 * answer without a question invalid, so that this opens nothing. */
static void add_answers(bool bit[static 256], const uint8_t (*pair)[2], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bit[pair[i][0]])
			bit[pair[i][1]] = true;
}

/* What most permits consist of; false: there are others. */
static bool flatten_ports(const struct seg_permit *permit, struct seg_arena *arena, struct spans *ports)
{
	for (size_t i = 0; i < permit->n_items; i++) {
		const struct seg_service_item *item = &permit->item[i];

		if (item->any || (item->proto != IPPROTO_TCP && item->proto != IPPROTO_UDP))
			return false;
	}
	ports->span = SEG_NEW_N(arena, struct span, permit->n_items);
	for (; ports->n < permit->n_items; ports->n++) {
		const struct seg_service_item *item = &permit->item[ports->n];

		ports->span[ports->n] = (struct span){item->proto, item->proto, item->lo, item->hi};
	}
	merge_ports(ports);
	return true;
}

static void flatten(const struct seg_permit *permit, struct seg_arena *arena, struct services *out)
{
	static const uint8_t answers4[][2] = {{8, 0}, {13, 14}, {15, 16}, {17, 18}};
	static const uint8_t answers6[][2] = {{128, 129}};
	bool types4[256] = {false}, types6[256] = {false}, protos[256] = {false}, any = false;

	for (size_t i = 0; i < permit->n_items; i++) {
		const struct seg_service_item *item = &permit->item[i];

		if (item->any)
			any = true;
		else if (item->proto == IPPROTO_TCP || item->proto == IPPROTO_UDP)
			SEG_PUSH(arena, out->ports.span, out->ports.n, out->ports.cap) =
			    (struct span){item->proto, item->proto, item->lo, item->hi};
		else if (item->proto == IPPROTO_ICMP || item->proto == IPPROTO_ICMPV6)
			for (unsigned type = item->lo; type <= item->hi && type < 256; type++)
				(item->proto == IPPROTO_ICMP ? types4 : types6)[type] = true;
		else
			protos[item->proto] = true;
	}
	if (any) {
		memset(types4, true, sizeof(types4));
		memset(types6, true, sizeof(types6));
		memset(protos, true, sizeof(protos));
		out->ports.n = 0;
		SEG_PUSH(arena, out->ports.span, out->ports.n, out->ports.cap) =
		    (struct span){0, 255, 0, 65535};
	}
	merge_ports(&out->ports);
	add_answers(types4, answers4, sizeof(answers4) / sizeof(*answers4));
	add_answers(types6, answers6, sizeof(answers6) / sizeof(*answers6));
	add_bits(arena, types4, false, &out->types4);
	add_bits(arena, types6, false, &out->types6);
	add_bits(arena, protos, true, &out->protos);
}

/* Boxes of one number in one room: every source with every destination and every service. */
struct sources {
	struct seg_ranges ranges;
	uint32_t number;
};
struct job {
	struct seg_arena *arena;
	struct seg_collection *collection;
	const struct services *services;
	const char *comment;
	const struct seg_place *place;
};

static void put_boxes(const struct job *job, enum seg_way way, unsigned zone, enum seg_kind kind,
		      const struct spans *spans, struct seg_range src, struct seg_range dst, bool whole,
		      uint32_t number)
{
	struct seg_boxes *boxes =
	    seg_collection_boxes(job->collection, way, zone, seg_range_family(src), kind);

	for (size_t i = 0; i < spans->n; i++) {
		const struct span *span = &spans->span[i];

		SEG_PUSH(job->arena, boxes->box, boxes->n, boxes->cap) = (struct seg_box){
		    .src = src,
		    .dst = dst,
		    .whole = whole,
		    .proto_lo = span->proto_lo,
		    .proto_hi = span->proto_hi,
		    .port_lo = span->lo,
		    .port_hi = span->hi,
		    .number = number,
		    .comment = job->comment,
		    .place = job->place,
		};
	}
}

static void put_pair(const struct job *job, enum seg_way way, unsigned zone, struct seg_range src,
		     struct seg_range dst, bool whole, uint32_t number)
{
	bool ipv4 = seg_range_family(src) == SEG_IPV4;

	put_boxes(job, way, zone, SEG_KIND_PORTS, &job->services->ports, src, dst, whole, number);
	put_boxes(job, way, zone, SEG_KIND_TYPES, ipv4 ? &job->services->types4 : &job->services->types6, src,
		  dst, whole, number);
	put_boxes(job, way, zone, SEG_KIND_PROTOS, &job->services->protos, src, dst, whole, number);
}

static struct seg_range everything(enum seg_family family)
{
	return (struct seg_range){seg_addr_first(family), seg_addr_last(family)};
}

/* Destinations of one room: ranges, and the whole that the chain's guard stands for. */
struct destinations {
	struct seg_ranges ranges;
	bool whole;
};

static void cross(const struct job *job, enum seg_way way, unsigned zone, enum seg_family family,
		  const struct sources *src, bool whole_src, const struct destinations *dst)
{
	struct seg_ranges from = seg_ranges_only(src->ranges, family), to;
	size_t sources = whole_src ? 1 : from.n;

	if (!sources)
		return;
	to = seg_ranges_only(dst->ranges, family);
	for (size_t i = 0; i < sources; i++) {
		struct seg_range source = whole_src ? everything(family) : from.range[i];

		for (size_t j = 0; j < to.n; j++)
			put_pair(job, way, zone, source, to.range[j], false, src->number);
		if (dst->whole)
			put_pair(job, way, zone, source, everything(family), way != SEG_WAY_GROUP,
				 src->number);
	}
}

struct permit_numbers {
	uint32_t unbound, bound;
};

/* Bound sources that an unbound entry covers as well need no MAC. */
static struct seg_ranges bound_ranges(const struct seg_side *side, struct seg_arena *arena)
{
	struct seg_range *list;

	if (!side->n_bound)
		return (struct seg_ranges){0};
	list = SEG_NEW_N(arena, struct seg_range, side->n_bound);
	for (size_t i = 0; i < side->n_bound; i++)
		list[i] = side->bound[i].range;
	return seg_ranges_subtract(arena, seg_ranges_from(arena, list, side->n_bound), side->ranges);
}

static void put_room(const struct job *job, enum seg_way way, unsigned zone, const struct seg_side *from,
		     struct permit_numbers numbers, const struct destinations *dst)
{
	static const enum seg_family families[] = {SEG_IPV4, SEG_IPV6};
	struct sources unbound = {from->ranges, numbers.unbound};
	struct sources bound = {bound_ranges(from, job->arena), numbers.bound};

	for (size_t i = 0; i < 2; i++) {
		/* Link-local sources reach the gateway alone, whatever networks their zone has. */
		bool has_family =
		    seg_ranges_only(from->zone->nets, families[i]).n > 0 || way != SEG_WAY_FORWARD;

		if (from->whole && has_family)
			cross(job, way, zone, families[i], &unbound, true, dst);
		if (!from->whole)
			cross(job, way, zone, families[i], &unbound, false, dst);
		if (bound.ranges.n > 0)
			cross(job, way, zone, families[i], &bound, false, dst);
	}
}

static void put_sides(const struct seg_policy *policy, const struct job *job, const struct seg_side *from,
		      const struct seg_side *to, struct permit_numbers numbers)
{
	const struct seg_zone *gateway = policy->gateway_zone;
	struct destinations dst = {to->ranges, to->whole};

	if (to->zone == gateway) {
		put_room(job, SEG_WAY_IN, from->zone->index, from, numbers, &dst);
		return;
	}
	if (to->whole)
		dst = (struct destinations){seg_zone_written(policy, to->zone, job->arena), to->zone->any};
	if (from->zone == gateway) {
		struct destinations group = {to->ranges, to->whole};

		put_room(job, SEG_WAY_OUT, 0, from, numbers, &dst);
		put_room(job, SEG_WAY_GROUP, to->zone->index, from, numbers, &group);
	} else {
		put_room(job, SEG_WAY_FORWARD, from->zone->index, from, numbers, &dst);
	}
}

static void put_intra(const struct seg_policy *policy, struct seg_arena *arena,
		      struct seg_collection *collection, const struct seg_zone *zone, uint32_t number)
{
	const struct seg_service_item any = {.any = true};
	const struct seg_permit permit = {.item = &any, .n_items = 1};
	const struct seg_side side = {.zone = zone, .whole = true};
	struct services services = {0};
	struct job job = {
	    .arena = arena,
	    .collection = collection,
	    .services = &services,
	    .comment = SEG_JOIN(arena, "intra:", zone->id),
	    .place = &zone->place,
	};

	flatten(&permit, arena, &services);
	put_sides(policy, &job, &side, &side, (struct permit_numbers){.unbound = number});
}

static int by_number(const void *a, const void *b)
{
	const struct seg_number *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* The registry's entries stand in the order of seg_registry_update(): permits, then intra zones. */
struct cursor {
	const struct seg_registry *registry;
	size_t at;
	struct seg_number *number;
	size_t numbers;
};

static uint32_t take(struct cursor *cursor, const char *id, unsigned pair, bool bound,
		     const struct seg_permit *permit, const struct seg_zone *zone)
{
	const struct seg_numbering *entry;

	if (cursor->at >= cursor->registry->n)
		return 0;
	entry = &cursor->registry->entry[cursor->at];
	if (strcmp(entry->id, id) != 0 || entry->pair != pair || entry->bound != bound)
		return 0;
	cursor->at++;
	cursor->number[cursor->numbers++] =
	    (struct seg_number){entry->number, permit, zone, pair, bound};
	return entry->number;
}

void seg_collect(const struct seg_policy *policy, const struct seg_registry *registry,
		 struct seg_arena *arena, struct seg_collection *collection)
{
	struct cursor cursor = {.registry = registry};

	cursor.number = SEG_NEW_N(arena, struct seg_number, registry->n + 1);
	collection->zones = policy->zones;
	collection->boxes =
	    SEG_NEW_N(arena, struct seg_boxes, (policy->zones + 1) * SEG_WAYS * 2 * SEG_KINDS);
	for (size_t p = 0; p < policy->permits; p++) {
		const struct seg_permit *permit = &policy->permit[p];
		struct services services = {0};
		struct job job = {arena, collection, &services, permit->id, &permit->place.id};
		unsigned pair = 0;

		if (!flatten_ports(permit, arena, &services.ports))
			flatten(permit, arena, &services);
		for (size_t i = 0; i < permit->n_from; i++)
			for (size_t j = 0; j < permit->n_to; j++, pair++) {
				struct permit_numbers numbers;

				numbers.unbound = take(&cursor, permit->id, pair, false, permit, NULL);
				numbers.bound = take(&cursor, permit->id, pair, true, permit, NULL);
				put_sides(policy, &job, &permit->from[i], &permit->to[j], numbers);
			}
	}
	for (size_t z = 0; z < policy->zones; z++)
		if (policy->zone[z].intra_allow)
			put_intra(policy, arena, collection, &policy->zone[z],
				  take(&cursor, SEG_JOIN(arena, "intra:", policy->zone[z].id),
				       0, false, NULL, &policy->zone[z]));
	/* New ones stand somewhere between the others, which are in order already. */
	seg_sort(cursor.number, cursor.numbers, sizeof(*cursor.number), by_number);
	collection->number = cursor.number;
	collection->numbers = cursor.numbers;
}
