/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "plan/ruleset.h"

static const char *const kind_name[SEG_KINDS] = {"ports", "types", "protos"};

/* How a room is asked: what the key is made of in each direction, what `whole` means. */
struct asking {
	const struct family *f;
	struct family_parts *p;
	enum seg_kind kind;
	enum seg_way way;
	struct seg_chain *chain[2]; /* by direction; NULL: not asked */
};

static struct seg_loads room_loads(const struct asking *a, uint8_t direction, bool whole)
{
	enum seg_load src = direction == ORIGINAL ? a->f->saddr : a->f->daddr;
	enum seg_load dst = direction == ORIGINAL ? a->f->daddr : a->f->saddr;
	enum seg_load port = direction == ORIGINAL ? SEG_L_TH_DPORT : SEG_L_TH_SPORT;
	struct seg_loads loads = {.n = 0};

	loads.load[loads.n++] = src;
	if (!whole)
		loads.load[loads.n++] = dst;
	loads.load[loads.n++] = a->kind == SEG_KIND_TYPES ? a->f->type : SEG_L_L4PROTO;
	if (a->kind == SEG_KIND_PORTS)
		loads.load[loads.n++] = port;
	return loads;
}

static void box_key(const struct asking *a, const struct seg_box *box, bool end, struct seg_key *key)
{
	key->len = 0;
	seg_key_addr(key, end ? box->src.hi : box->src.lo);
	if (!box->whole)
		seg_key_addr(key, end ? box->dst.hi : box->dst.lo);
	if (a->kind == SEG_KIND_TYPES) {
		seg_key_u8(key, (uint8_t)(end ? box->port_hi : box->port_lo));
		return;
	}
	seg_key_u8(key, end ? box->proto_hi : box->proto_lo);
	if (a->kind == SEG_KIND_PORTS)
		seg_key_be16(key, end ? box->port_hi : box->port_lo);
}

static struct seg_set *layer_map(struct build *b, const struct asking *a, const struct seg_box *box, size_t n)
{
	const char *name = seg_arena_printf(b->arena, "%s.layer%u%s", a->chain[ORIGINAL]->name, box->layer,
					    box->whole ? ".whole" : "");
	struct seg_loads loads = room_loads(a, ORIGINAL, box->whole);
	int fields[SEG_KEY_FIELDS + 1];
	struct seg_set *map;

	for (unsigned i = 0; i < loads.n; i++)
		fields[i] = (int)seg_load_field(loads.load[i]);
	fields[loads.n] = -1;
	map = seg_writer_set(b->w, name, fields);
	map->interval = true;
	map->data = SEG_DATA_MARK;
	seg_writer_expect(b->w, map, n);
	for (size_t i = 0; i < n; i++) {
		struct seg_key key, end;
		struct seg_elem *elem;

		box_key(a, &box[i], false, &key);
		box_key(a, &box[i], true, &end);
		elem = seg_writer_elem(b->w, map, &key, &end);
		elem->mark = box[i].number;
		elem->comment = box[i].comment;
		elem->place = box[i].place;
	}
	return map;
}

/*
 * `whole` destinations: in forward and output what no zone has written down (the zone `any`), in
 * input what belongs to the interface the packet came in by. A reply cannot show the latter; it waits for
 * the next packet of the initiator.
 */
static bool asks_whole(const struct asking *a, uint8_t direction)
{
	return a->way != SEG_WAY_IN || direction == ORIGINAL;
}

static void guard_whole(struct build *b, const struct asking *a, uint8_t direction, struct seg_rule *r)
{
	enum seg_load responder = direction == ORIGINAL ? a->f->daddr : a->f->saddr;

	if (a->way == SEG_WAY_IN)
		seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_FIB_DADDR_IIF_TYPE), b->near, false);
	else
		seg_rule_lookup(b->w, r, SEG_LOADS(responder), a->p->named, true);
}

static void ask_map(struct build *b, const struct asking *a, uint8_t direction, const struct seg_set *map,
		    bool whole)
{
	const struct seg_chain *cross = a->kind == SEG_KIND_PORTS ? a->p->crossing_ports : a->p->crossing;
	struct seg_chain *in = a->chain[direction];
	struct seg_rule *r = rule(b, in);

	if (whole)
		guard_whole(b, a, direction, r);
	seg_rule_map_mark(b->w, r, room_loads(a, direction, whole), map);
	jump(b, r, a->way == SEG_WAY_FORWARD ? cross : a->p->in_force);
}

static void write_leaf(struct build *b, const struct asking *a, const struct seg_room *room)
{
	size_t i = 0;

	while (i < room->boxes) {
		const struct seg_box *box = &room->box[i];
		const struct seg_set *map;
		size_t n = 1;

		while (i + n < room->boxes && room->box[i + n].layer == box->layer &&
		       room->box[i + n].whole == box->whole)
			n++;
		map = layer_map(b, a, box, n);
		for (uint8_t direction = ORIGINAL; direction <= REPLY; direction++)
			if (a->chain[direction] && (!box->whole || asks_whole(a, direction)))
				ask_map(b, a, direction, map, box->whole);
		i += n;
	}
}

static void write_room(struct build *b, const struct asking *a, const struct seg_room *room);

static void write_parts(struct build *b, const struct asking *a, const struct seg_room *room)
{
	struct seg_set *division[2] = {NULL, NULL};

	for (uint8_t direction = ORIGINAL; direction <= REPLY; direction++) {
		bool by_saddr = (room->axis == SEG_AXIS_SRC) == (direction == ORIGINAL);
		struct seg_set *map;

		if (!a->chain[direction])
			continue;
		map = seg_writer_set(b->w, SEG_JOIN(b->arena, a->chain[direction]->name, ".parts"),
				     SEG_FIELDS((int)a->f->addr_field));
		map->interval = true;
		map->data = SEG_DATA_VERDICT;
		seg_rule_vmap(b->w, rule(b, a->chain[direction]),
			      SEG_LOADS(by_saddr ? a->f->saddr : a->f->daddr), map);
		division[direction] = map;
	}
	for (size_t i = 0; i < room->parts; i++) {
		struct asking part = *a;

		for (uint8_t direction = ORIGINAL; direction <= REPLY; direction++) {
			if (!a->chain[direction])
				continue;
			part.chain[direction] = seg_writer_chain(
			    b->w, seg_arena_printf(b->arena, "%s.part%zu", a->chain[direction]->name, i + 1));
			seg_ruleset_interval(b, division[direction], room->cut[i],
					     (struct seg_action){SEG_V_JUMP, part.chain[direction]});
		}
		write_room(b, &part, room->part[i]);
	}
}

static void write_room(struct build *b, const struct asking *a, const struct seg_room *room)
{
	if (room->axis == SEG_AXIS_NONE)
		write_leaf(b, a, room);
	else
		write_parts(b, a, room);
}

static const char *const way_name[SEG_WAYS][2] = {
    [SEG_WAY_FORWARD] = {"from-", "back-"},
    [SEG_WAY_IN] = {"in-", "in-back-"},
    [SEG_WAY_OUT] = {"out-", "out-back-"},
    [SEG_WAY_GROUP] = {"group-", NULL},
};

static void add_exact(struct build *b, const struct asking *a, const struct seg_boxes *exact)
{
	for (size_t i = 0; i < exact->n; i++) {
		struct seg_key key;
		struct seg_elem *elem;

		box_key(a, &exact->box[i], false, &key);
		elem = seg_writer_elem(b->w, a->p->exact, &key, NULL);
		elem->mark = exact->box[i].number;
		elem->comment = exact->box[i].comment;
		elem->place = exact->box[i].place;
	}
}

/* Writes the chains that ask one room, in each direction; false where the room is empty. */
static bool open_room(struct build *b, struct asking *a, const struct seg_zone *zone)
{
	struct seg_boxes *boxes =
	    seg_collection_boxes(&b->collection, a->way, zone->index, a->f->family, a->kind);
	struct seg_boxes exact = {0};
	struct seg_room *room;

	a->chain[ORIGINAL] = a->chain[REPLY] = NULL;
	if (boxes->n == 0)
		return false;
	room = seg_room_arrange(b->arena, boxes,
				b->options->room_limit ? b->options->room_limit : SEG_ROOM_LIMIT,
				a->way == SEG_WAY_FORWARD && a->kind == SEG_KIND_PORTS, &exact);
	add_exact(b, a, &exact);
	if (room->axis == SEG_AXIS_NONE && room->boxes == 0)
		return false;
	for (uint8_t direction = ORIGINAL; direction <= REPLY; direction++)
		if (way_name[a->way][direction])
			a->chain[direction] = seg_writer_chain(
			    b->w, SEG_JOIN(b->arena, way_name[a->way][direction], zone->id, "-",
					   kind_name[a->kind], a->f->suffix));
	write_room(b, a, room);
	return true;
}

/* The open rooms of one way, family and kind: by zone and direction; NULL where there is none. */
struct hall {
	struct asking a;
	struct seg_chain **room[2];
	size_t open;
};

static struct hall open_hall(struct build *b, enum seg_way way, int fi, enum seg_kind kind)
{
	struct hall hall = {.a = {.f = &seg_families[fi], .p = &b->family[fi], .kind = kind, .way = way}};
	size_t zones = b->policy->zones;

	hall.room[ORIGINAL] = SEG_NEW_N(b->arena, struct seg_chain *, zones + 1);
	hall.room[REPLY] = SEG_NEW_N(b->arena, struct seg_chain *, zones + 1);
	for (size_t z = 0; z < zones; z++) {
		if (!open_room(b, &hall.a, &b->policy->zone[z]))
			continue;
		hall.room[ORIGINAL][z] = hall.a.chain[ORIGINAL];
		hall.room[REPLY][z] = hall.a.chain[REPLY];
		hall.open++;
	}
	return hall;
}

static struct seg_chain *hall_chain(struct build *b, const struct hall *hall, const char *name)
{
	return seg_writer_chain(
	    b->w, SEG_JOIN(b->arena, name, "-", kind_name[hall->a.kind], hall->a.f->suffix));
}

/* Into the room of the initiator's zone, by the initiator's address. */
static void enter_by_address(struct build *b, struct hall *hall, uint8_t direction, struct seg_chain *in)
{
	enum seg_load initiator = direction == ORIGINAL ? hall->a.f->saddr : hall->a.f->daddr;
	const struct seg_zone *rest = seg_ruleset_any_zone(b->policy);
	struct seg_set *map;
	struct seg_rule *r;

	if (hall->open == 0)
		return;
	map = seg_writer_set(b->w, in->name, SEG_FIELDS((int)hall->a.f->addr_field));
	map->interval = true;
	map->data = SEG_DATA_VERDICT;
	for (size_t z = 0; z < b->policy->zones; z++)
		if (hall->room[direction][z])
			seg_ruleset_intervals(
			    b, map, seg_zone_written(b->policy, &b->policy->zone[z], b->arena),
			    hall->a.f->family, (struct seg_action){SEG_V_JUMP, hall->room[direction][z]});
	seg_rule_vmap(b->w, rule(b, in), SEG_LOADS(initiator), map);
	if (rest && hall->room[direction][rest->index]) {
		r = rule(b, in);
		seg_rule_lookup(b->w, r, SEG_LOADS(initiator), hall->a.p->named, true);
		jump(b, r, hall->room[direction][rest->index]);
	}
}

struct named_room {
	const char *name;
	const struct seg_chain *room;
};

static int by_name(const void *a, const void *b)
{
	const struct named_room *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The rooms of the zones that own an interface of a full name, by these names. */
static struct named_room *named_rooms(struct build *b, const struct hall *hall, size_t *n)
{
	struct named_room *named = NULL;
	size_t cap = 0;

	*n = 0;
	for (size_t z = 0; z < b->policy->zones; z++) {
		const struct seg_zone *zone = &b->policy->zone[z];

		for (size_t i = 0; hall->room[ORIGINAL][z] && i < zone->interfaces; i++)
			if (!zone->interface[i].prefix)
				SEG_PUSH(b->arena, named, *n, cap) =
					(struct named_room){zone->interface[i].name, hall->room[ORIGINAL][z]};
	}
	if (*n > 0)
		qsort(named, *n, sizeof(*named), by_name);
	return named;
}

/* Where several zones share an interface, their rooms are asked one after another. */
static const struct seg_chain *shared_room(struct build *b, const struct named_room *named, size_t n,
					   const char *name)
{
	struct seg_chain *all = seg_writer_chain(b->w, name);

	for (size_t i = 0; i < n; i++)
		jump(b, rule(b, all), named[i].room);
	return all;
}

static void enter_by_name(struct build *b, const struct hall *hall, enum seg_load load, struct seg_chain *in)
{
	size_t n, shared = 0;
	struct named_room *named = named_rooms(b, hall, &n);
	struct seg_set *map = seg_writer_set(b->w, in->name, SEG_FIELDS(SEG_F_IFNAME));

	map->data = SEG_DATA_VERDICT;
	for (size_t i = 0, same; i < n; i += same) {
		const struct seg_chain *target = named[i].room;
		struct seg_key key = {.len = 0};

		for (same = 1; i + same < n && strcmp(named[i].name, named[i + same].name) == 0; same++)
			;
		if (same > 1)
			target = shared_room(b, &named[i], same,
					     seg_arena_printf(b->arena, "%s.shared%zu", in->name, ++shared));
		seg_key_ifname(&key, named[i].name);
		seg_writer_elem(b->w, map, &key, NULL)->action = (struct seg_action){SEG_V_JUMP, target};
	}
	seg_rule_vmap(b->w, rule(b, in), SEG_LOADS(load), map);
}

static void enter_by_wildcard(struct build *b, const struct hall *hall, enum seg_load load,
			      struct seg_chain *in)
{
	for (size_t z = 0; z < b->policy->zones; z++) {
		const struct seg_zone *zone = &b->policy->zone[z];

		for (size_t i = 0; hall->room[ORIGINAL][z] && i < zone->interfaces; i++) {
			struct seg_rule *r;

			if (!zone->interface[i].prefix)
				continue;
			r = rule(b, in);
			if (*zone->interface[i].name)
				seg_rule_cmp_ifname(b->w, r, load, zone->interface[i].name, true);
			jump(b, r, hall->room[ORIGINAL][z]);
		}
	}
}

/* Into the rooms of the zones that own an interface: names through a hash, wildcards one by one. */
static void enter_by_interface(struct build *b, const struct hall *hall, enum seg_load load,
			       struct seg_chain *in)
{
	if (hall->open == 0)
		return;
	enter_by_name(b, hall, load, in);
	enter_by_wildcard(b, hall, load, in);
}

static void forward_hall(struct build *b, int fi, enum seg_kind kind, struct kinds *out)
{
	static const char *const name[2] = {"forward", "forward-back"};
	struct hall hall = open_hall(b, SEG_WAY_FORWARD, fi, kind);

	for (uint8_t direction = ORIGINAL; direction <= REPLY; direction++) {
		struct seg_chain *in;

		out->chain[direction][kind] = hall.a.p->refuse;
		if (kind != SEG_KIND_PORTS && hall.open == 0)
			continue;
		in = hall_chain(b, &hall, name[direction]);
		hall.a.chain[direction] = in;
		if (kind == SEG_KIND_PORTS)
			ask_map(b, &hall.a, direction, hall.a.p->exact, false);
		enter_by_address(b, &hall, direction, in);
		go(b, rule(b, in), hall.a.p->refuse);
		out->chain[direction][kind] = in;
	}
}

/* To the gateway: asked in input, its replies in output; by interface for those without an address yet. */
static void input_hall(struct build *b, int fi, enum seg_kind kind, struct kinds *input, struct kinds *output,
		       struct kinds *link)
{
	struct hall hall = open_hall(b, SEG_WAY_IN, fi, kind);
	const struct family_parts *p = hall.a.p;
	struct seg_chain *in, *back, *near;

	input->chain[ORIGINAL][kind] = link->chain[ORIGINAL][kind] = p->nobody;
	output->chain[REPLY][kind] = link->chain[REPLY][kind] = p->refuse;
	if (hall.open == 0)
		return;
	in = hall_chain(b, &hall, "input");
	enter_by_address(b, &hall, ORIGINAL, in);
	go(b, rule(b, in), p->nobody);
	near = hall_chain(b, &hall, "input-link");
	enter_by_interface(b, &hall, SEG_L_IIFNAME, near);
	go(b, rule(b, near), p->nobody);
	back = hall_chain(b, &hall, "input-back");
	enter_by_address(b, &hall, REPLY, back);
	go(b, rule(b, back), p->refuse);
	input->chain[ORIGINAL][kind] = in;
	link->chain[ORIGINAL][kind] = near;
	output->chain[REPLY][kind] = back;
}

/* From the gateway: one room for addresses, one a zone for groups and link-local addresses. */
static void output_hall(struct build *b, int fi, enum seg_kind kind, struct kinds *output,
			struct kinds *input, struct kinds *group)
{
	struct hall hall = open_hall(b, SEG_WAY_GROUP, fi, kind);
	struct asking a = {.f = &seg_families[fi], .p = &b->family[fi], .kind = kind, .way = SEG_WAY_OUT};

	output->chain[ORIGINAL][kind] = input->chain[REPLY][kind] = group->chain[REPLY][kind] = a.p->refuse;
	group->chain[ORIGINAL][kind] = b->unwanted;
	if (open_room(b, &a, b->policy->gateway_zone)) {
		struct seg_chain *const room[2] = {a.chain[ORIGINAL], a.chain[REPLY]};

		for (int direction = ORIGINAL; direction <= REPLY; direction++)
			go(b, rule(b, room[direction]), a.p->refuse);
		output->chain[ORIGINAL][kind] = room[ORIGINAL];
		input->chain[REPLY][kind] = room[REPLY];
	}
	if (hall.open > 0) {
		struct seg_chain *near = hall_chain(b, &hall, "output-group");

		enter_by_interface(b, &hall, SEG_L_OIFNAME, near);
		go(b, rule(b, near), b->unwanted);
		group->chain[ORIGINAL][kind] = near;
	}
}

void seg_ruleset_questions(struct build *b, int family, struct questions *q)
{
	for (enum seg_kind kind = 0; kind < SEG_KINDS; kind++) {
		forward_hall(b, family, kind, &q->forward);
		input_hall(b, family, kind, &q->input, &q->output, &q->input_link);
		output_hall(b, family, kind, &q->output, &q->input, &q->output_group);
	}
}
