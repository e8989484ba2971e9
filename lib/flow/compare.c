// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/compare.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "flow/index.h"

/* Numbers of every kind fit the number line of addresses, so that one algebra serves all. */
enum dim { SOURCE, DESTINATION, SERVICE, WEEK, DATES, DIMS };

#define DAY 1440
#define LAST_MINUTE (7 * DAY - 1)
#define LAST_DATE INT32_MAX
/* Pieces of one permit beyond which no more is taken away: more is named than opens. */
#define PIECES 4096
/* Protocols beyond which a set of services is told by what it lacks: half of all. */
#define SPELT_OUT 128

struct box {
	struct seg_ranges dim[DIMS];
	bool own;   /* to the gateway's address on the packet's own side; no list holds it */
	bool bound; /* with this MAC alone */
	uint8_t mac[SEG_MAC_LEN];
	bool redated; /* left over by a change of the permit's days, none of which is today */
};

struct comparison {
	const struct seg_policy *of, *less; /* what `of` lets pass and `less` does not */
	const struct seg_index *less_index;
	bool same_clock; /* both judge time in one time zone */
	seg_date today;
	struct seg_arena *arena; /* of one permit between two zones */
	struct box *piece;
	size_t pieces, cap;
	json_t *list, *known; /* the answer; its entries by their text */
};

/* --- Boxes --- */

static struct seg_ranges one_range(struct seg_arena *arena, seg_addr lo, seg_addr hi)
{
	struct seg_range range = {lo, hi};

	return seg_ranges_from(arena, &range, 1);
}

static struct seg_range service_range(unsigned proto, unsigned lo, unsigned hi)
{
	return (struct seg_range){(seg_addr)proto << 16 | lo, (seg_addr)proto << 16 | hi};
}

static struct seg_ranges every_service(struct seg_arena *arena)
{
	struct seg_range range[256];

	for (unsigned proto = 0; proto < 256; proto++)
		range[proto] = service_range(
			proto, 0, proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 ? UINT8_MAX : UINT16_MAX);
	return seg_ranges_from(arena, range, 256);
}

static struct seg_ranges services_of(struct seg_arena *arena, const struct seg_permit *permit)
{
	struct seg_range *range = SEG_NEW_N(arena, struct seg_range, permit->n_items + 1);

	for (size_t i = 0; i < permit->n_items; i++) {
		const struct seg_service_item *item = &permit->item[i];

		if (item->any)
			return every_service(arena);
		range[i] = service_range(item->proto, item->lo, item->hi);
	}
	return seg_ranges_from(arena, range, permit->n_items);
}

static struct seg_ranges whole_week(struct seg_arena *arena)
{
	return one_range(arena, 0, LAST_MINUTE);
}

/* A window belongs to the day it starts: its end may lie in the next, and behind Sunday in Monday. */
static struct seg_ranges week_of(struct seg_arena *arena, const struct seg_schedule *schedule)
{
	struct seg_range *range = SEG_NEW_N(arena, struct seg_range, schedule->n_hours * 14 + 1);
	size_t n = 0;

	if (schedule->n_hours == 0)
		return whole_week(arena);
	for (size_t i = 0; i < schedule->n_hours; i++) {
		const struct seg_hours *hours = &schedule->hours[i];

		for (int day = 0; day < 7; day++) {
			int start = day * DAY + hours->start;
			int end = day * DAY + hours->end + (hours->end <= hours->start ? DAY : 0) - 1;

			if (!(hours->days >> day & 1))
				continue;
			range[n++] = (struct seg_range){(seg_addr)start,
							(seg_addr)(end < LAST_MINUTE ? end : LAST_MINUTE)};
			if (end > LAST_MINUTE)
				range[n++] = (struct seg_range){0, (seg_addr)(end - LAST_MINUTE - 1)};
		}
	}
	return seg_ranges_from(arena, range, n);
}

static struct seg_ranges dates_of(struct seg_arena *arena, const struct seg_schedule *schedule)
{
	return one_range(arena, (seg_addr)schedule->from,
			 (seg_addr)(schedule->until ? schedule->until : LAST_DATE));
}

static struct seg_ranges addresses_of(const struct seg_side *side)
{
	if (!side->whole)
		return side->ranges;
	return side->zone->tier == SEG_TIER_GATEWAY ? seg_ranges_all() : side->zone->nets;
}

typedef void (*box_fn)(struct comparison *c, const struct box *box, bool same_permit);

/* The boxes of a permit between two zones: one without, and one for each address with a MAC. */
static void each_box(struct comparison *c, const struct seg_pair *pair, box_fn fn, bool same_permit)
{
	const struct seg_schedule *schedule = &pair->permit->schedule;
	struct box box = {
		.dim = {addresses_of(pair->from), addresses_of(pair->to), services_of(c->arena, pair->permit),
			week_of(c->arena, schedule), dates_of(c->arena, schedule)},
		.own = pair->to->whole && pair->to->zone->tier == SEG_TIER_GATEWAY,
	};

	if (box.dim[DESTINATION].n == 0)
		return;
	if (box.dim[SOURCE].n)
		fn(c, &box, same_permit);
	for (size_t i = 0; i < pair->from->n_bound; i++) {
		box.dim[SOURCE] = (struct seg_ranges){&pair->from->bound[i].range, 1};
		box.bound = true;
		memcpy(box.mac, pair->from->bound[i].mac, SEG_MAC_LEN);
		fn(c, &box, same_permit);
	}
}

/* What `intra: allow` opens. */
static struct box intra_box(struct seg_arena *arena, const struct seg_zone *zone)
{
	return (struct box){
		.dim = {zone->nets, zone->nets, every_service(arena), whole_week(arena),
			one_range(arena, 0, LAST_DATE)},
	};
}

/* --- Taking away --- */

static void add_piece(struct comparison *c, const struct box *box, bool same_permit)
{
	(void)same_permit;
	SEG_PUSH(c->arena, c->piece, c->pieces, c->cap) = *box;
}

static bool is_timed(const struct box *box)
{
	return box->dim[WEEK].range[0].lo != 0 || box->dim[WEEK].range[0].hi != LAST_MINUTE ||
	       box->dim[DATES].range[0].lo != 0 || box->dim[DATES].range[0].hi != LAST_DATE;
}

/* May the two be compared at all? */
static bool is_comparable(const struct comparison *c, const struct box *piece, const struct box *less)
{
	if (piece->own != less->own || (!c->same_clock && is_timed(less)))
		return false;
	return !less->bound || (piece->bound && memcmp(piece->mac, less->mac, SEG_MAC_LEN) == 0);
}

/* What is left of one piece, split along one dimension after the other. */
static void split_piece(struct comparison *c, const struct box *piece, const struct box *less,
			bool same_permit)
{
	struct seg_ranges common[DIMS];
	struct box rest = *piece;

	for (enum dim d = SOURCE; d < DIMS; d++)
		if (!seg_ranges_overlap(piece->dim[d], less->dim[d])) {
			add_piece(c, piece, false);
			return;
		}
	for (enum dim d = SOURCE; d < DIMS; d++) {
		rest.dim[d] = seg_ranges_subtract(c->arena, piece->dim[d], less->dim[d]);
		if (d == DATES && same_permit)
			rest.redated = !seg_ranges_contain(rest.dim[d], (seg_addr)c->today);
		if (rest.dim[d].n)
			add_piece(c, &rest, false);
		common[d] = seg_ranges_intersect(c->arena, piece->dim[d], less->dim[d]);
		rest.dim[d] = common[d];
	}
}

static void take_away(struct comparison *c, const struct box *less, bool same_permit)
{
	struct box *before = c->piece;
	size_t n = c->pieces;

	if (n > PIECES)
		return;
	c->piece = NULL;
	c->pieces = c->cap = 0;
	for (size_t i = 0; i < n; i++) {
		if (is_comparable(c, &before[i], less))
			split_piece(c, &before[i], less, same_permit);
		else
			add_piece(c, &before[i], false);
	}
}

/* Takes away what the other policy permits between the same zones; first the permit of the same
 * name, which is all in most cases. */
static void take_away_policy(struct comparison *c, const struct seg_permit *permit,
			     const struct seg_zone *from, const struct seg_zone *to)
{
	const struct seg_permit *same = permit ? seg_policy_permit(c->less, permit->id) : NULL;
	struct seg_pairs walk;
	struct seg_pair pair = {same, NULL, NULL};

	if (!from || !to)
		return;
	if (from == to && from->intra_allow) {
		struct box box = intra_box(c->arena, from);

		take_away(c, &box, false);
	}
	if (same) {
		pair.from = seg_side_in(same->from, same->n_from, from);
		pair.to = seg_side_in(same->to, same->n_to, to);
		if (pair.from && pair.to)
			each_box(c, &pair, take_away, true);
	}
	seg_pairs_begin(&walk, c->less, c->less_index, from, to);
	while (c->pieces && seg_pairs_next(&walk, &pair))
		if (pair.permit != same)
			each_box(c, &pair, take_away, false);
}

/* --- Words --- */

static void add_ranges(struct seg_strbuf *out, struct seg_ranges ranges)
{
	char text[SEG_RANGE_STRLEN];

	for (size_t i = 0; i < ranges.n; i++)
		seg_strbuf_printf(out, "%s%s", i ? ", " : "", seg_range_format(ranges.range[i], text));
}

/* What is spelt out shorter by what it lacks. */
static bool is_shorter(struct seg_ranges without, struct seg_ranges set)
{
	return without.n < set.n;
}

/* A zone that has `any` is not spelt out. */
static void add_side(struct comparison *c, struct seg_strbuf *out, struct seg_ranges ranges,
		     const struct seg_zone *zone)
{
	struct seg_ranges without;

	if (zone->tier == SEG_TIER_GATEWAY && seg_ranges_equal(ranges, seg_ranges_all())) {
		seg_strbuf_add(out, "gateway");
		return;
	}
	without = seg_ranges_subtract(c->arena, zone->nets, ranges);
	if (!zone->any || (without.n && !is_shorter(without, ranges))) {
		add_ranges(out, ranges);
		return;
	}
	seg_strbuf_add(out, without.n ? "any but " : "any");
	add_ranges(out, without);
}

/* A range may span protocols: whole ones in between. */
static void add_service_range(struct seg_strbuf *out, struct seg_range range, bool first)
{
	char text[SEG_SERVICE_STRLEN];

	for (seg_addr lo = range.lo; lo <= range.hi; lo = ((lo >> 16) + 1) << 16) {
		seg_addr end = lo | UINT16_MAX, hi = range.hi < end ? range.hi : end;
		struct seg_service_item item = {
			.proto = (uint8_t)(lo >> 16), .lo = (uint16_t)lo, .hi = (uint16_t)hi};

		seg_strbuf_printf(out, "%s%s", first ? "" : ", ", seg_service_item_format(&item, text));
		first = false;
	}
}

/* Protocols that are named where a set is spelt out. */
static size_t named_protocols(struct seg_ranges services)
{
	size_t n = 0;

	for (size_t i = 0; i < services.n; i++)
		n += (size_t)((services.range[i].hi >> 16) - (services.range[i].lo >> 16)) + 1;
	return n;
}

static void add_services(struct seg_strbuf *out, struct seg_arena *arena, struct seg_ranges services)
{
	if (named_protocols(services) > SPELT_OUT) {
		services = seg_ranges_subtract(arena, every_service(arena), services);
		seg_strbuf_add(out, services.n ? "any but " : "any");
	}
	for (size_t i = 0; i < services.n; i++)
		add_service_range(out, services.range[i], i == 0);
}

/* Windows of the week back into hours, those of one time of day together. */
static void add_week(struct seg_strbuf *out, struct seg_arena *arena, struct seg_ranges week)
{
	struct seg_hours *hours = SEG_NEW_N(arena, struct seg_hours, week.n * 8 + 1);
	char text[SEG_HOURS_STRLEN];
	size_t n = 0, i;
	bool wraps = week.n > 1 && week.range[0].lo == 0 && week.range[week.n - 1].hi == LAST_MINUTE;

	for (size_t w = wraps ? 1 : 0; w < week.n; w++) {
		int start = (int)week.range[w].lo, end = (int)week.range[w].hi + 1;

		if (wraps && w == week.n - 1)
			end += (int)week.range[0].hi + 1;
		while (start < end) {
			/* A window of a day at most is one piece, a longer one is cut at midnight. */
			int stop = end - start <= DAY ? end : (start / DAY + 1) * DAY;
			struct seg_hours one = {.days = (uint8_t)(1u << (start / DAY % 7)),
						.start = (uint16_t)(start % DAY),
						.end = (uint16_t)((stop - 1) % DAY + 1)};

			for (i = 0; i < n && (hours[i].start != one.start || hours[i].end != one.end); i++)
				;
			hours[i].start = one.start;
			hours[i].end = one.end;
			hours[i].days |= one.days;
			n += i == n;
			start = stop;
		}
	}
	for (i = 0; i < n; i++)
		seg_strbuf_printf(out, "%s%s", out->len ? ", " : "", seg_hours_format(&hours[i], text));
}

static void add_dates(struct seg_strbuf *out, struct seg_ranges dates)
{
	char text[11];

	for (size_t i = 0; i < dates.n; i++) {
		seg_strbuf_add(out, out->len ? ", " : "");
		if (dates.range[i].lo)
			seg_strbuf_add(out, seg_date_format((seg_date)dates.range[i].lo, text));
		seg_strbuf_add(out, "..");
		if (dates.range[i].hi != LAST_DATE)
			seg_strbuf_add(out, seg_date_format((seg_date)dates.range[i].hi, text));
	}
}

static json_t *text_json(struct seg_strbuf *text)
{
	json_t *json = text->len ? json_string(text->text) : json_null();

	seg_strbuf_fini(text);
	return json;
}

static json_t *source_json(struct comparison *c, const struct box *box, const struct seg_zone *zone)
{
	struct seg_strbuf text = {0};
	char mac[SEG_MAC_STRLEN];

	add_side(c, &text, box->dim[SOURCE], zone);
	if (box->bound)
		seg_strbuf_printf(&text, " (%s)", seg_mac_format(box->mac, mac));
	return text_json(&text);
}

static json_t *destination_json(struct comparison *c, const struct box *box, const struct seg_zone *zone)
{
	struct seg_strbuf text = {0};

	add_side(c, &text, box->dim[DESTINATION], zone);
	return text_json(&text);
}

static json_t *service_json(struct comparison *c, const struct box *box)
{
	struct seg_strbuf text = {0};

	add_services(&text, c->arena, box->dim[SERVICE]);
	return text_json(&text);
}

static json_t *when_json(struct comparison *c, const struct box *box)
{
	struct seg_strbuf text = {0};

	if (!seg_ranges_equal(box->dim[WEEK], whole_week(c->arena)))
		add_week(&text, c->arena, box->dim[WEEK]);
	if (box->dim[DATES].range[0].lo != 0 || box->dim[DATES].range[0].hi != LAST_DATE)
		add_dates(&text, box->dim[DATES]);
	return text_json(&text);
}

/* Permits that differ in nothing but their names share an entry. */
static void add_entry(struct comparison *c, const struct seg_zone *from, const struct seg_zone *to,
		      const struct box *box, const struct seg_permit *permit)
{
	json_t *entry = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "from", from->id, "to", to->id, "src",
				  source_json(c, box, from), "dst", destination_json(c, box, to), "service",
				  service_json(c, box), "when", when_json(c, box));
	char *key = json_dumps(entry, JSON_COMPACT);
	json_t *there = json_object_get(c->known, key);

	if (there) {
		json_decref(entry);
		entry = there;
	} else {
		json_object_set_new(entry, "permits", json_array());
		json_object_set(c->known, key, entry);
		json_array_append_new(c->list, entry);
	}
	if (permit)
		json_array_append_new(json_object_get(entry, "permits"), json_string(permit->id));
	free(key);
}

/* --- Both ways --- */

static void fresh_arena(struct comparison *c)
{
	seg_arena_free(c->arena);
	c->arena = seg_arena_new();
	c->piece = NULL;
	c->pieces = c->cap = 0;
}

static void finish_pair(struct comparison *c, const struct seg_permit *permit, const struct seg_zone *from,
			const struct seg_zone *to)
{
	take_away_policy(c, permit, seg_policy_zone(c->less, from->id), seg_policy_zone(c->less, to->id));
	for (size_t i = 0; i < c->pieces; i++)
		if (!c->piece[i].redated)
			add_entry(c, from, to, &c->piece[i], permit);
}

static json_t *passes_only_in(const struct seg_policy *of, const struct seg_policy *less, time_t now)
{
	struct comparison c = {.of = of, .less = less, .list = json_array(), .known = json_object()};
	struct seg_index *index = seg_index_new(less);
	const char *of_clock = of->timezone ? of->timezone : "",
		   *less_clock = less->timezone ? less->timezone : "";

	c.less_index = index;
	c.same_clock = strcmp(of_clock, less_clock) == 0;
	c.today = seg_local_time(now, of->timezone).date;
	for (size_t z = 0; z < of->zones; z++) {
		const struct seg_zone *zone = &of->zone[z];
		struct box box;

		if (!zone->intra_allow)
			continue;
		fresh_arena(&c);
		box = intra_box(c.arena, zone);
		add_piece(&c, &box, false);
		finish_pair(&c, NULL, zone, zone);
	}
	for (size_t i = 0; i < of->permits; i++) {
		const struct seg_permit *permit = &of->permit[i];

		for (size_t f = 0; f < permit->n_from; f++)
			for (size_t t = 0; t < permit->n_to; t++) {
				struct seg_pair pair = {permit, &permit->from[f], &permit->to[t]};

				fresh_arena(&c);
				each_box(&c, &pair, add_piece, false);
				finish_pair(&c, permit, pair.from->zone, pair.to->zone);
			}
	}
	seg_arena_free(c.arena);
	seg_index_free(index);
	json_decref(c.known);
	return c.list;
}

/* --- What moves no packet --- */

static void add_changed(json_t *list, const char *kind, const char *id, const char *key, const char *before,
			const char *after)
{
	struct seg_strbuf what = {0};

	if (strcmp(before ? before : "", after ? after : "") == 0)
		return;
	seg_strbuf_printf(&what, "%s: %s -> %s", key, before && *before ? before : "-",
			  after && *after ? after : "-");
	json_array_append_new(list, json_pack("{s:s, s:s}", kind, id, "what", what.text));
	seg_strbuf_fini(&what);
}

static const char *format_valid(const struct seg_permit *permit, struct seg_strbuf *out)
{
	const struct seg_schedule *schedule = &permit->schedule;
	struct seg_range range = {(seg_addr)schedule->from,
				  (seg_addr)(schedule->until ? schedule->until : LAST_DATE)};

	seg_strbuf_reset(out);
	if (schedule->from || schedule->until)
		add_dates(out, (struct seg_ranges){&range, 1});
	return seg_strbuf_text(out);
}

static void compare_permit(json_t *list, const struct seg_permit *a, const struct seg_permit *b)
{
	struct seg_strbuf before = {0}, after = {0};
	char review[2][11] = {"", ""};
	const char *id = b->id;

	if (a->review)
		seg_date_format(a->review, review[0]);
	if (b->review)
		seg_date_format(b->review, review[1]);
	add_changed(list, "permit", id, "title", a->title, b->title);
	add_changed(list, "permit", id, "class", seg_class_name(a->class), seg_class_name(b->class));
	add_changed(list, "permit", id, "method", seg_method_name(a->method), seg_method_name(b->method));
	add_changed(list, "permit", id, "valid", format_valid(a, &before), format_valid(b, &after));
	add_changed(list, "permit", id, "at-close", a->drain ? "drain" : "cut", b->drain ? "drain" : "cut");
	add_changed(list, "permit", id, "owner", a->owner, b->owner);
	add_changed(list, "permit", id, "approver", a->approver, b->approver);
	add_changed(list, "permit", id, "ticket", a->ticket, b->ticket);
	add_changed(list, "permit", id, "basis", a->basis, b->basis);
	add_changed(list, "permit", id, "review", review[0], review[1]);
	add_changed(list, "permit", id, "external-audit", a->external_audit, b->external_audit);
	seg_strbuf_fini(&before);
	seg_strbuf_fini(&after);
}

static const char *format_interfaces(const struct seg_zone *zone, struct seg_strbuf *out)
{
	seg_strbuf_reset(out);
	for (size_t i = 0; i < zone->interfaces; i++)
		seg_strbuf_printf(out, "%s%s%s", i ? ", " : "", zone->interface[i].name,
				  zone->interface[i].prefix ? "*" : "");
	return seg_strbuf_text(out);
}

/* As the policy says it; "" where it sets none. */
static const char *format_limit(const struct seg_limit *limit, struct seg_strbuf *out)
{
	seg_strbuf_reset(out);
	if (limit->flows)
		seg_strbuf_printf(out, "flows %u", limit->flows);
	else if (limit->share != SEG_LIMIT_SHARE)
		seg_strbuf_printf(out, "flows %u%%", limit->share);
	if (limit->rate)
		seg_strbuf_printf(out, "%snew %u/s", out->len ? ", " : "", limit->rate);
	return seg_strbuf_text(out);
}

static void add_flag(json_t *list, const char *id, const char *key, bool before, bool after)
{
	add_changed(list, "zone", id, key, before ? "true" : "false", after ? "true" : "false");
}

static void compare_zone(json_t *list, const struct seg_zone *a, const struct seg_zone *b)
{
	struct seg_strbuf before = {0}, after = {0};

	add_changed(list, "zone", b->id, "title", a->title, b->title);
	add_changed(list, "zone", b->id, "tier", seg_tier_name(a->tier), seg_tier_name(b->tier));
	add_changed(list, "zone", b->id, "interfaces", format_interfaces(a, &before),
		    format_interfaces(b, &after));
	add_changed(list, "zone", b->id, "link", a->routed ? "routed" : "direct", b->routed ? "routed" : "direct");
	add_flag(list, b->id, "wan", a->wan, b->wan);
	add_flag(list, b->id, "uplink", a->uplink, b->uplink);
	add_flag(list, b->id, "public", a->public, b->public);
	add_changed(list, "zone", b->id, "refuse", a->reject ? "reject" : "drop",
		    b->reject ? "reject" : "drop");
	add_changed(list, "zone", b->id, "limit", format_limit(&a->limit, &before),
		    format_limit(&b->limit, &after));
	seg_strbuf_fini(&before);
	seg_strbuf_fini(&after);
}

/* The ids of the permits that entries name, as keys. */
static json_t *named_permits(const json_t *entries)
{
	json_t *ids = json_object(), *permits;
	const json_t *entry;
	size_t i, k;

	json_array_foreach((json_t *)entries, i, entry)
	{
		permits = json_object_get(entry, "permits");
		for (k = 0; k < json_array_size(permits); k++)
			json_object_set_new(ids, json_string_value(json_array_get(permits, k)), json_true());
	}
	return ids;
}

/* A permit that came or went without moving a packet: others let the same pass. */
static void list_lone(json_t *list, const struct seg_policy *of, const struct seg_policy *other,
		      const json_t *entries, const char *what)
{
	json_t *moving = named_permits(entries);

	for (size_t i = 0; i < of->permits; i++) {
		const char *id = of->permit[i].id;

		if (!seg_policy_permit(other, id) && !json_object_get(moving, id))
			json_array_append_new(list, json_pack("{s:s, s:s}", "permit", id, "what", what));
	}
	json_decref(moving);
}

static json_t *changed(const struct seg_policy *old, const struct seg_policy *new, const json_t *opens,
		       const json_t *closes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < new->zones; i++) {
		const struct seg_zone *before = seg_policy_zone(old, new->zone[i].id);

		if (before)
			compare_zone(list, before, &new->zone[i]);
	}
	for (size_t i = 0; i < new->permits; i++) {
		const struct seg_permit *before = seg_policy_permit(old, new->permit[i].id);

		if (before)
			compare_permit(list, before, &new->permit[i]);
	}
	list_lone(list, new, old, opens, "added");
	list_lone(list, old, new, closes, "removed");
	return list;
}

json_t *seg_compare(const struct seg_policy *old, const struct seg_policy *new, time_t now)
{
	json_t *opens = passes_only_in(new, old, now), *closes = passes_only_in(old, new, now);

	return json_pack("{s:o, s:o, s:o}", "opens", opens, "closes", closes, "changed",
			 changed(old, new, opens, closes));
}

bool seg_compare_is_equal(const json_t *document)
{
	return json_array_size(json_object_get(document, "opens")) == 0 &&
	       json_array_size(json_object_get(document, "closes")) == 0 &&
	       json_array_size(json_object_get(document, "changed")) == 0;
}
