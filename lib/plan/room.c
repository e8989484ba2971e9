/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "plan/room.h"

/* More parts at once would make a division's own interval map the slow one. */
#define MAX_PARTS 64

static bool is_exact(const struct seg_box *box)
{
	return !box->whole && box->src.lo == box->src.hi && box->dst.lo == box->dst.hi &&
	       box->proto_lo == box->proto_hi && box->port_lo == box->port_hi;
}

static bool overlap(const struct seg_box *a, const struct seg_box *b)
{
	return a->proto_lo <= b->proto_hi && b->proto_lo <= a->proto_hi && a->port_lo <= b->port_hi &&
	       b->port_lo <= a->port_hi && seg_range_overlap(a->src, b->src) &&
	       seg_range_overlap(a->dst, b->dst);
}

static int by_position(const void *a, const void *b)
{
	const struct seg_box *x = a, *y = b;

	if (x->layer != y->layer)
		return x->layer < y->layer ? -1 : 1;
	if (x->whole != y->whole)
		return x->whole ? 1 : -1;
	if (x->src.lo != y->src.lo)
		return x->src.lo < y->src.lo ? -1 : 1;
	if (x->dst.lo != y->dst.lo)
		return x->dst.lo < y->dst.lo ? -1 : 1;
	if (x->proto_lo != y->proto_lo)
		return x->proto_lo < y->proto_lo ? -1 : 1;
	return (x->port_lo > y->port_lo) - (x->port_lo < y->port_lo);
}

/* Exact boxes by key, earlier in the file first, to find those that name the same tuple. */
struct exact_ref {
	const struct seg_box *box;
	size_t order;
};

static int by_tuple(const void *a, const void *b)
{
	const struct exact_ref *x = a, *y = b;
	const struct seg_box *p = x->box, *q = y->box;

	if (p->src.lo != q->src.lo)
		return p->src.lo < q->src.lo ? -1 : 1;
	if (p->dst.lo != q->dst.lo)
		return p->dst.lo < q->dst.lo ? -1 : 1;
	if (p->proto_lo != q->proto_lo)
		return p->proto_lo < q->proto_lo ? -1 : 1;
	if (p->port_lo != q->port_lo)
		return p->port_lo < q->port_lo ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static bool same_tuple(const struct seg_box *a, const struct seg_box *b)
{
	return a->src.lo == b->src.lo && a->dst.lo == b->dst.lo && a->proto_lo == b->proto_lo &&
	       a->port_lo == b->port_lo;
}

/* Marks which boxes may stay exact as far as other exact boxes are concerned: the first of each tuple. */
static bool *first_of_tuple(struct seg_arena *arena, const struct seg_box *box, size_t n)
{
	bool *first = SEG_NEW_N(arena, bool, n + 1);
	struct exact_ref *ref = SEG_NEW_N(arena, struct exact_ref, n + 1);
	size_t refs = 0;

	for (size_t i = 0; i < n; i++)
		if (is_exact(&box[i]))
			ref[refs++] = (struct exact_ref){&box[i], i};
	qsort(ref, refs, sizeof(*ref), by_tuple);
	for (size_t i = 0; i < refs; i++)
		first[ref[i].order] = i == 0 || !same_tuple(ref[i - 1].box, ref[i].box);
	return first;
}

static struct seg_room *leaf(struct seg_arena *arena, struct seg_box *box, size_t n, bool allow_exact,
			     struct seg_boxes *exact)
{
	struct seg_room *room = SEG_NEW(arena, struct seg_room);
	bool *first = allow_exact ? first_of_tuple(arena, box, n) : SEG_NEW_N(arena, bool, n + 1);
	struct seg_box *kept = SEG_NEW_N(arena, struct seg_box, n + 1);
	size_t boxes = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned layer = 0;

		for (size_t j = 0; j < boxes; j++)
			if (kept[j].layer > layer && overlap(&kept[j], &box[i]))
				layer = kept[j].layer;
		if (layer == 0 && first[i]) {
			box[i].layer = 0;
			SEG_PUSH(arena, exact->box, exact->n, exact->cap) = box[i];
			continue;
		}
		kept[boxes] = box[i];
		kept[boxes++].layer = layer + 1;
	}
	qsort(kept, boxes, sizeof(*kept), by_position);
	room->box = kept;
	room->boxes = boxes;
	return room;
}

static struct seg_range *side(struct seg_box *box, enum seg_axis axis)
{
	return axis == SEG_AXIS_SRC ? &box->src : &box->dst;
}

static int by_addr(const void *a, const void *b)
{
	const seg_addr *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Dividing points along an axis: starts of parts that hold about equally many box starts. */
static size_t choose_cuts(struct seg_arena *arena, struct seg_box *box, size_t n, enum seg_axis axis,
			  size_t limit, struct seg_range **cuts)
{
	seg_addr *start = SEG_NEW_N(arena, seg_addr, n);
	size_t starts = 0, wanted, parts = 0;
	enum seg_family family = seg_range_family(box[0].src);
	seg_addr last = 0;

	for (size_t i = 0; i < n; i++)
		if (!is_exact(&box[i]))
			start[starts++] = side(&box[i], axis)->lo;
	qsort(start, starts, sizeof(*start), by_addr);
	wanted = starts / (limit / 2 + 1) + 1;
	if (wanted > MAX_PARTS)
		wanted = MAX_PARTS;
	*cuts = SEG_NEW_N(arena, struct seg_range, wanted);
	for (size_t i = 0; i < wanted; i++) {
		seg_addr lo = i == 0 ? seg_addr_first(family) : start[i * starts / wanted];

		if (parts > 0 && lo <= last)
			continue;
		if (parts > 0)
			(*cuts)[parts - 1].hi = lo - 1;
		(*cuts)[parts++] = (struct seg_range){lo, seg_addr_last(family)};
		last = lo;
	}
	return parts;
}

/* The boxes inside one part, cut to it; how many of them are not exact. */
static struct seg_boxes inside(struct seg_arena *arena, struct seg_box *box, size_t n, enum seg_axis axis,
			       struct seg_range cut, size_t *ranges)
{
	struct seg_boxes in = {0};

	*ranges = 0;
	for (size_t i = 0; i < n; i++) {
		struct seg_box piece = box[i];
		struct seg_range *range = side(&piece, axis);

		if (!seg_range_overlap(*range, cut))
			continue;
		/* A whole destination has no key of its own to cut. */
		if (!(axis == SEG_AXIS_DST && piece.whole)) {
			if (range->lo < cut.lo)
				range->lo = cut.lo;
			if (range->hi > cut.hi)
				range->hi = cut.hi;
		}
		*ranges += !is_exact(&box[i]);
		SEG_PUSH(arena, in.box, in.n, in.cap) = piece;
	}
	return in;
}

static size_t count_ranges(const struct seg_box *box, size_t n)
{
	size_t ranges = 0;

	for (size_t i = 0; i < n; i++)
		ranges += !is_exact(&box[i]);
	return ranges;
}

struct division {
	struct seg_range *cut;
	struct seg_boxes *part;
	size_t parts, largest, total;
};

static struct division divide(struct seg_arena *arena, struct seg_box *box, size_t n, enum seg_axis axis,
			      size_t limit)
{
	struct division d = {0};

	d.parts = choose_cuts(arena, box, n, axis, limit, &d.cut);
	d.part = SEG_NEW_N(arena, struct seg_boxes, d.parts);
	for (size_t i = 0; i < d.parts; i++) {
		size_t ranges;

		d.part[i] = inside(arena, box, n, axis, d.cut[i], &ranges);
		d.total += ranges;
		if (ranges > d.largest)
			d.largest = ranges;
	}
	return d;
}

static struct seg_room *arrange(struct seg_arena *arena, struct seg_box *box, size_t n, size_t limit,
				bool allow_exact, struct seg_boxes *exact, unsigned depth)
{
	size_t ranges = count_ranges(box, n);
	struct division dst, src, *best;
	struct seg_room *room, **part;

	if (ranges <= limit || depth == 4)
		return leaf(arena, box, n, allow_exact, exact);
	dst = divide(arena, box, n, SEG_AXIS_DST, limit);
	src = divide(arena, box, n, SEG_AXIS_SRC, limit);
	best = src.largest < dst.largest ? &src : &dst;
	/* Where everything overlaps everything, dividing only multiplies it. */
	if (best->largest > ranges / 4 * 3 || best->total > ranges * 3)
		return leaf(arena, box, n, allow_exact, exact);
	room = SEG_NEW(arena, struct seg_room);
	part = SEG_NEW_N(arena, struct seg_room *, best->parts);
	for (size_t i = 0; i < best->parts; i++)
		part[i] = arrange(arena, best->part[i].box, best->part[i].n, limit, allow_exact, exact,
				  depth + 1);
	room->axis = best == &src ? SEG_AXIS_SRC : SEG_AXIS_DST;
	room->cut = best->cut;
	room->part = part;
	room->parts = best->parts;
	return room;
}

struct seg_room *seg_room_arrange(struct seg_arena *arena, const struct seg_boxes *boxes, size_t limit,
				  bool allow_exact, struct seg_boxes *exact)
{
	return arrange(arena, boxes->box, boxes->n, limit, allow_exact, exact, 0);
}
