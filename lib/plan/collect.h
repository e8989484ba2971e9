/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_PLAN_COLLECT_H
#define SEG_PLAN_COLLECT_H

/*
 * Permits taken apart into boxes, sorted by where the kernel will ask for them.
 *
 * A packet is asked about in one of four ways. FORWARD: between two zones, in the room of its
 * source zone. IN: to the gateway, in the room of its source zone. OUT: from the gateway to an
 * address. GROUP: from the gateway to a group or a link-local address, in the room of the zone
 * whose interface it leaves by.
 *
 * Layer 4 falls into three kinds, because only tcp and udp have ports and only ICMP has
 * types; each kind is complete in itself, so that file order decides inside it.
 */

#include "plan/build.h"
#include "plan/room.h"

enum seg_way { SEG_WAY_FORWARD, SEG_WAY_IN, SEG_WAY_OUT, SEG_WAY_GROUP, SEG_WAYS };
enum seg_kind { SEG_KIND_PORTS, SEG_KIND_TYPES, SEG_KIND_PROTOS, SEG_KINDS };

struct seg_collection {
	size_t zones;
	struct seg_boxes *boxes; /* private: use seg_collection_boxes() */
	const struct seg_number *number; /* sorted by number */
	size_t numbers;
};

/* OUT has one room, the gateway's: zone is ignored there. */
struct seg_boxes *seg_collection_boxes(const struct seg_collection *collection, enum seg_way way, unsigned zone,
				       enum seg_family family, enum seg_kind kind);

void seg_collect(const struct seg_policy *policy, const struct seg_registry *registry, struct seg_arena *arena,
		 struct seg_collection *collection);

/* The networks a zone has written down, without the rest that `any` means. */
struct seg_ranges seg_zone_written(const struct seg_policy *policy, const struct seg_zone *zone,
				   struct seg_arena *arena);

#endif
