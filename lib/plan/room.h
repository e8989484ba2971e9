/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_PLAN_ROOM_H
#define SEG_PLAN_ROOM_H

/*
 * What one zone may begin, arranged so that the kernel can look it up.
 *
 * A permit becomes boxes: source range x destination range x protocols x ports,
 * each with the permit's number. Boxes of different permits may overlap, and
 * interval sets cannot hold overlapping elements; file order decides which permit
 * wins, as in classify. So boxes are put on layers: no two of one layer overlap, and a box
 * lies above every earlier one that it overlaps. The kernel asks layer by layer.
 *
 * A box of four single values is `exact` when nothing earlier overlaps it: it needs no
 * layer and can live in a hash set that is asked before them.
 *
 * Interval sets slow down as they grow (kernel.md, "Sets"), so a room with more
 * than SEG_ROOM_LIMIT boxes is divided at destinations or sources into parts;
 * boxes that lie across a division are cut in two.
 */

#include "plan/plan.h"

#define SEG_ROOM_LIMIT 500

struct seg_box {
	struct seg_range src, dst;
	bool whole;              /* the destination is what the chain's guard says; dst is everything */
	uint8_t proto_lo, proto_hi;
	uint16_t port_lo, port_hi;
	uint32_t number;
	const char *comment;
	const struct seg_place *place;
	unsigned layer;          /* set by seg_room_arrange(): 0 = exact, 1... */
};

struct seg_boxes {
	struct seg_box *box;
	size_t n, cap;
};

enum seg_axis { SEG_AXIS_NONE, SEG_AXIS_SRC, SEG_AXIS_DST };

struct seg_room {
	enum seg_axis axis;      /* divided along; NONE: a leaf */
	const struct seg_range *cut;
	struct seg_room *const *part;
	size_t parts;
	const struct seg_box *box; /* leaf: sorted by layer, then whole last, then key */
	size_t boxes;
};

/* Takes boxes in file order; boxes of one number must not overlap each other. allow_exact: layer 0
 * may be used. limit: boxes that one part may hold. Exact boxes appear in `exact`, not in the room; a room may be left empty. */
struct seg_room *seg_room_arrange(struct seg_arena *arena, const struct seg_boxes *boxes, size_t limit,
				  bool allow_exact, struct seg_boxes *exact);

#endif
