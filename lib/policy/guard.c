// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/guard.h"

#include <netinet/in.h>
#include <stdio.h>

#include "base/i18n.h"

#define SPECIFIC_DAYS 366
#define MAINTENANCE_DAYS 14
#define SPECIFIC_PORTS 16
/* Entries of one host that are shown as too wide; the rest is as wrong. */
#define ENTRIES_SHOWN 3

/* The widest entry that a rule lets pass, as lengths of prefixes. */
struct width {
	int v4, v6;
};
static const struct width specific_width = {24, 64};
static const struct width breakout_width = {26, 64};
static const struct width published_width = {12, 32};

struct guard {
	const struct seg_policy *policy;
	struct seg_diags *diags;
	/* By host: counted less one, the widest entry of each family. A list is read once, however
	 * many permits name it. */
	const struct extent *extent;
};
struct extent {
	seg_addr v4, v6;
};

/* --- Zones --- */

typedef bool (*zone_test)(const struct seg_zone *zone);

/* No test holds for a zone whose tier could not be read: there is none that it could be accused of. */
static bool has_tier(const struct seg_zone *zone, enum seg_tier tier)
{
	return zone->tier == tier && !(zone->flaws & SEG_ZONE_TIER);
}

static bool is_mynumber(const struct seg_zone *zone)
{
	return has_tier(zone, SEG_TIER_MYNUMBER);
}

static bool is_lgwan(const struct seg_zone *zone)
{
	return has_tier(zone, SEG_TIER_LGWAN);
}

static bool is_internet(const struct seg_zone *zone)
{
	return has_tier(zone, SEG_TIER_INTERNET);
}

static bool is_management(const struct seg_zone *zone)
{
	return has_tier(zone, SEG_TIER_MANAGEMENT);
}

static bool is_external(const struct seg_zone *zone)
{
	return has_tier(zone, SEG_TIER_EXTERNAL);
}

/* Another tier than mynumber; tier internet is G1's, and the gateway has none. */
static bool is_other(const struct seg_zone *zone)
{
	return !is_mynumber(zone) && !is_internet(zone) && zone->tier != SEG_TIER_GATEWAY &&
	       !(zone->flaws & SEG_ZONE_TIER);
}

static bool is_other_unmanaged(const struct seg_zone *zone)
{
	return is_other(zone) && !is_management(zone);
}

static bool is_outside(const struct seg_zone *zone)
{
	return is_external(zone) || (zone->wan && !is_internet(zone) && !(zone->flaws & SEG_ZONE_TIER));
}

static bool is_public(const struct seg_zone *zone)
{
	return zone->public && !(zone->flaws & SEG_ZONE_PUBLIC);
}

static bool is_inner(const struct seg_zone *zone)
{
	return is_mynumber(zone) || is_lgwan(zone);
}

static const struct seg_side *first_side(const struct seg_side *side, size_t n, zone_test test)
{
	for (size_t i = 0; i < n; i++)
		if (test(side[i].zone))
			return &side[i];
	return NULL;
}

static const struct seg_side *first_from(const struct seg_permit *permit, zone_test test)
{
	return first_side(permit->from, permit->n_from, test);
}

static const struct seg_side *first_to(const struct seg_permit *permit, zone_test test)
{
	return first_side(permit->to, permit->n_to, test);
}

static bool opens(const struct seg_permit *permit, zone_test from, zone_test to)
{
	return first_from(permit, from) && first_to(permit, to);
}

static bool opens_between(const struct seg_permit *permit, zone_test one, zone_test other)
{
	return opens(permit, one, other) || opens(permit, other, one);
}

/* Points at each of the sides as well. */
static void relate_sides(struct guard *guard, struct seg_diag *diag, const struct seg_side *side, size_t n,
			 zone_test test)
{
	for (size_t i = 0, shown = 0; i < n && shown < ENTRIES_SHOWN; i++) {
		if (!test(side[i].zone))
			continue;
		shown++;
		seg_diag_relate(guard->diags, diag, side[i].place, _("zone %s, tier %s"), side[i].zone->id,
				_(seg_tier_name(side[i].zone->tier)));
	}
}

/* --- Widths --- */

static seg_addr size_less_one(struct seg_range range)
{
	return range.hi - range.lo;
}

static bool is_wider(struct seg_range range, struct width width)
{
	if (seg_range_family(range) == SEG_IPV4)
		return size_less_one(range) >> (32 - width.v4) != 0;
	return size_less_one(range) >> (128 - width.v6) != 0;
}

static bool host_is_wider(const struct guard *guard, const struct seg_host *host, struct width width)
{
	const struct extent *extent = &guard->extent[host - guard->policy->host];

	return extent->v4 >> (32 - width.v4) != 0 || extent->v6 >> (128 - width.v6) != 0;
}

static void measure_hosts(struct guard *guard, struct seg_arena *arena)
{
	struct extent *extents = SEG_NEW_N(arena, struct extent, guard->policy->hosts + 1);

	for (size_t h = 0; h < guard->policy->hosts; h++) {
		const struct seg_entries *address = &guard->policy->host[h].address;

		for (size_t i = 0; i < address->n; i++) {
			struct seg_range range = address->entry[i].range;
			seg_addr *widest =
			    seg_range_family(range) == SEG_IPV4 ? &extents[h].v4 : &extents[h].v6;

			if (size_less_one(range) > *widest)
				*widest = size_less_one(range);
		}
	}
	guard->extent = extents;
}

/* "10.0.0.0/23", "10.0.0.0-10.0.1.0 (257 addresses)" */
#define WIDTH_STRLEN (SEG_RANGE_STRLEN + 32)
static const char *format_width(struct seg_range range, char buf[static WIDTH_STRLEN])
{
	char text[SEG_RANGE_STRLEN];

	seg_range_format(range, text);
	if (seg_range_prefix(range) >= 0 || size_less_one(range) >= UINT32_MAX)
		snprintf(buf, WIDTH_STRLEN, "%s", text);
	else
		snprintf(buf, WIDTH_STRLEN, _("%s (%lu addresses)"), text,
			 (unsigned long)size_less_one(range) + 1);
	return buf;
}

static int limit_of(struct seg_range range, struct width width)
{
	return seg_range_family(range) == SEG_IPV4 ? width.v4 : width.v6;
}

/* The reference in the permit is the offending value, the host's entries the reason. */
static struct seg_diag *wide_host(struct guard *guard, enum seg_diag_code code,
				  const struct seg_permit *permit, const struct seg_operand *operand,
				  struct width width)
{
	const struct seg_host *host = operand->host;
	struct seg_diag *diag = NULL;
	char text[WIDTH_STRLEN];
	size_t shown = 0;

	for (size_t i = 0; i < host->address.n && shown < ENTRIES_SHOWN; i++) {
		const struct seg_entry *entry = &host->address.entry[i];

		if (!is_wider(entry->range, width))
			continue;
		format_width(entry->range, text);
		if (shown++ == 0)
			diag = seg_error(guard->diags, code, operand->place,
					 _("%s names host %s, whose %s is wider than /%d"), permit->id,
					 host->id, text, limit_of(entry->range, width));
		seg_diag_relate(guard->diags, diag, entry->place, _("%s of host %s"), text, host->id);
	}
	return diag;
}

static struct seg_diag *wide_inline(struct guard *guard, enum seg_diag_code code,
				    const struct seg_permit *permit, const struct seg_operand *operand,
				    struct width width)
{
	char text[WIDTH_STRLEN];

	return seg_error(guard->diags, code, operand->place, _("%s names %s, which is wider than /%d"),
			 permit->id, format_width(operand->range, text), limit_of(operand->range, width));
}

static bool operand_is_wider(const struct guard *guard, const struct seg_operand *operand, struct width width)
{
	if (!operand->host)
		return is_wider(operand->range, width);
	return !(operand->host->flaws & SEG_HOST_ADDRESS) && host_is_wider(guard, operand->host, width);
}

/* NULL: not too wide (or past the limit of errors). */
static struct seg_diag *check_width(struct guard *guard, enum seg_diag_code code,
				    const struct seg_permit *permit, const struct seg_operand *operand,
				    struct width width)
{
	if (!operand_is_wider(guard, operand, width))
		return NULL;
	return operand->host ? wide_host(guard, code, permit, operand, width)
			     : wide_inline(guard, code, permit, operand, width);
}

/* --- G1: mynumber and internet never meet --- */

static void refuse_meeting(struct guard *guard, const struct seg_permit *permit, zone_test from, zone_test to)
{
	if (!first_from(permit, from))
		return;
	for (size_t i = 0; i < permit->n_to; i++) {
		const struct seg_side *side = &permit->to[i];
		struct seg_diag *diag;

		if (!to(side->zone))
			continue;
		diag =
		    seg_error(guard->diags, SEG_G1, side->place,
			      _("%s opens %s to %s: tiers mynumber and internet never meet, under any class"),
			      permit->id, first_from(permit, from)->zone->id, side->zone->id);
		relate_sides(guard, diag, permit->from, permit->n_from, from);
		seg_diag_hint(guard->diags, diag,
			      _("a permit joins tier mynumber with any tier but internet; take one of the "
				"two zones out"));
	}
}

static void check_g1(struct guard *guard, const struct seg_permit *permit)
{
	refuse_meeting(guard, permit, is_mynumber, is_internet);
	refuse_meeting(guard, permit, is_internet, is_mynumber);
}

/* --- G2: what leaves or enters mynumber is specific --- */

static void check_g2_class(struct guard *guard, const struct seg_permit *permit)
{
	zone_test wrong = permit->class == SEG_CLASS_MAINTENANCE ? is_other_unmanaged : is_other;
	bool outward = opens(permit, is_mynumber, wrong);
	const struct seg_side *far = outward ? first_to(permit, wrong) : first_from(permit, wrong);
	struct seg_diag *diag;

	if (permit->class == SEG_CLASS_SPECIFIC || permit->flaws & SEG_PERMIT_CLASS ||
	    !opens_between(permit, is_mynumber, wrong))
		return;
	diag = seg_error(guard->diags, SEG_G2, permit->place.class,
			 _("%s is of class %s between tiers mynumber and %s"), permit->id,
			 _(seg_class_name(permit->class)), _(seg_tier_name(far->zone->tier)));
	seg_diag_relate(guard->diags, diag, far->place, _("zone %s, tier %s"), far->zone->id,
			_(seg_tier_name(far->zone->tier)));
	seg_diag_hint(guard->diags, diag, _("class specific, or maintenance to or from tier management"));
}

static void check_g2_hosts(struct guard *guard, const struct seg_permit *permit,
			   const struct seg_operand *operand, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct seg_diag *diag = check_width(guard, SEG_G2, permit, &operand[i], specific_width);

		if (diag)
			seg_diag_hint(guard->diags, diag, _("hosts no wider than /%d (IPv6 /%d) each"),
				      specific_width.v4, specific_width.v6);
	}
}

/* Is the list of hosts left out, rather than full of what could not be read? */
static bool names_none(const struct seg_permit *permit, size_t n, enum seg_permit_flaw list)
{
	return n == 0 && !(permit->flaws & list);
}

static void g2_unnamed(struct guard *guard, const struct seg_permit *permit, struct seg_place place,
		       const char *key)
{
	struct seg_diag *diag =
	    seg_error(guard->diags, SEG_G2, place,
		      _("%s crosses the border of tier mynumber and names no %s"), permit->id, key);

	seg_diag_hint(guard->diags, diag, _("%s: the hosts, none wider than /%d (IPv6 /%d)"), key,
		      specific_width.v4, specific_width.v6);
}

static bool is_narrow_service(const struct seg_service_item *item)
{
	if (item->any || (item->proto != IPPROTO_TCP && item->proto != IPPROTO_UDP))
		return false;
	return item->hi - item->lo < SPECIFIC_PORTS;
}

static void check_g2_service(struct guard *guard, const struct seg_permit *permit,
			     const struct seg_service_ref *ref, const struct seg_service_item *item)
{
	char text[SEG_SERVICE_STRLEN];
	struct seg_diag *diag;

	if (is_narrow_service(item))
		return;
	seg_service_item_format(item, text);
	if (!item->any && (item->proto == IPPROTO_TCP || item->proto == IPPROTO_UDP))
		diag = seg_error(guard->diags, SEG_G2, ref->place,
				 _("%s crosses the border of tier mynumber by %s, which is %d ports"),
				 permit->id, text, item->hi - item->lo + 1);
	else
		diag =
		    seg_error(guard->diags, SEG_G2, ref->place,
			      _("%s crosses the border of tier mynumber by %s, which is neither tcp nor udp"),
			      permit->id, text);
	if (ref->service)
		seg_diag_relate(guard->diags, diag, item->place, _("%s of service %s"), text,
				ref->service->id);
	seg_diag_hint(guard->diags, diag, _("tcp or udp, %d ports at most in one entry"), SPECIFIC_PORTS);
}

static void check_g2_services(struct guard *guard, const struct seg_permit *permit)
{
	for (size_t i = 0; i < permit->n_service; i++) {
		const struct seg_service_ref *ref = &permit->service[i];

		if (!ref->service)
			check_g2_service(guard, permit, ref, &ref->item);
		for (size_t k = 0; ref->service && !ref->service->flaws && k < ref->service->n; k++)
			check_g2_service(guard, permit, ref, &ref->service->item[k]);
	}
}

static void check_g2(struct guard *guard, const struct seg_permit *permit)
{
	if (!opens_between(permit, is_mynumber, is_other))
		return;
	check_g2_class(guard, permit);
	if (names_none(permit, permit->n_destination, SEG_PERMIT_DESTINATION))
		g2_unnamed(guard, permit, permit->place.to, "destination");
	check_g2_hosts(guard, permit, permit->destination, permit->n_destination);
	check_g2_services(guard, permit);
	/* Only what ends in tier management may come from anywhere in its zone. */
	if (!opens(permit, is_mynumber, is_other_unmanaged) && !opens(permit, is_other, is_mynumber))
		return;
	if (names_none(permit, permit->n_source, SEG_PERMIT_SOURCE))
		g2_unnamed(guard, permit, permit->place.from, "source");
	check_g2_hosts(guard, permit, permit->source, permit->n_source);
}

/* --- G3: lgwan and internet, sanitised or breakout --- */

static void check_g3_crossing(struct guard *guard, const struct seg_permit *permit)
{
	struct seg_diag *diag;

	if (permit->class == SEG_CLASS_BREAKOUT)
		return;
	if (permit->class != SEG_CLASS_SANITISED)
		diag = seg_error(guard->diags, SEG_G3, permit->place.class,
				 _("%s is of class %s between tiers lgwan and internet"), permit->id,
				 _(seg_class_name(permit->class)));
	else if (permit->method != SEG_METHOD_SCREEN && !(permit->flaws & SEG_PERMIT_METHOD))
		diag = seg_error(guard->diags, SEG_G3, permit->place.method,
				 _("%s passes by method %s straight between tiers lgwan and internet"),
				 permit->id, seg_method_name(permit->method));
	else
		return;
	relate_sides(guard, diag, permit->from, permit->n_from, is_lgwan);
	relate_sides(guard, diag, permit->from, permit->n_from, is_internet);
	relate_sides(guard, diag, permit->to, permit->n_to, is_lgwan);
	relate_sides(guard, diag, permit->to, permit->n_to, is_internet);
	seg_diag_hint(
	    guard->diags, diag,
	    _("class sanitised with method screen, or breakout; mail and files cross through a zone of tier "
	      "sanitiser"));
}

static void check_g3(struct guard *guard, const struct seg_permit *permit)
{
	if (permit->flaws & SEG_PERMIT_CLASS)
		return;
	if (permit->class == SEG_CLASS_SANITISED && permit->method == SEG_METHOD_NONE &&
	    !(permit->flaws & SEG_PERMIT_METHOD)) {
		struct seg_diag *diag =
		    seg_error(guard->diags, SEG_G3, permit->place.class,
			      _("%s is of class sanitised and has no method"), permit->id);

		seg_diag_hint(guard->diags, diag, _("method: mail, screen or file"));
	} else if (opens_between(permit, is_lgwan, is_internet)) {
		check_g3_crossing(guard, permit);
	}
}

/* --- G4: the far side of mynumber is named and vouched for --- */

static const struct seg_side *other_mynumber(const struct seg_side *side, size_t n,
					     const struct seg_zone *far)
{
	for (size_t i = 0; i < n; i++)
		if (is_mynumber(side[i].zone) && side[i].zone != far)
			return &side[i];
	return NULL;
}

static bool is_vouched_for(const struct seg_host *host)
{
	return host->assurance != SEG_ASSURANCE_NONE || host->flaws & SEG_HOST_ASSURANCE;
}

static bool inline_lies_in(const struct seg_operand *operand, const struct seg_zone *zone)
{
	return seg_ranges_overlap((struct seg_ranges){&operand->range, 1}, zone->nets);
}

static void check_g4_operand(struct guard *guard, const struct seg_permit *permit, const struct seg_zone *far,
			     const struct seg_operand *operand)
{
	const struct seg_host *host = operand->host;
	char text[SEG_RANGE_STRLEN];
	struct seg_diag *diag;

	if (host ? host->zone != far || is_vouched_for(host) : !inline_lies_in(operand, far))
		return;
	if (host) {
		diag =
		    seg_error(guard->diags, SEG_G4, operand->place,
			      _("%s joins tier mynumber with host %s of zone %s, which carries no assurance"),
			      permit->id, host->id, far->id);
		seg_diag_relate(guard->diags, diag, host->place, _("host %s"), host->id);
	} else {
		diag = seg_error(
		    guard->diags, SEG_G4, operand->place,
		    _("%s joins tier mynumber with %s of zone %s, which is not a host with an assurance"),
		    permit->id, seg_range_format(operand->range, text), far->id);
	}
	seg_diag_hint(
	    guard->diags, diag,
	    _("a host with assurance: closed (cannot reach the Internet) or certified (a public system whose "
	      "safety is assured)"));
}

/* One side of a permit whose other side has tier mynumber. */
static void check_g4_far(struct guard *guard, const struct seg_permit *permit, const struct seg_side *far,
			 const struct seg_operand *operand, size_t n, enum seg_permit_flaw list)
{
	if (names_none(permit, n, list)) {
		struct seg_diag *diag = seg_error(guard->diags, SEG_G4, far->place,
						  _("%s joins tier mynumber with the whole of zone %s"),
						  permit->id, far->zone->id);

		seg_diag_hint(guard->diags, diag,
			      _("name the hosts of %s, each with assurance: closed or certified"),
			      far->zone->id);
	}
	for (size_t i = 0; i < n && !guard->policy->nets_flawed; i++)
		check_g4_operand(guard, permit, far->zone, &operand[i]);
}

static void check_g4(struct guard *guard, const struct seg_permit *permit)
{
	for (size_t i = 0; i < permit->n_to; i++)
		if (is_outside(permit->to[i].zone) &&
		    other_mynumber(permit->from, permit->n_from, permit->to[i].zone))
			check_g4_far(guard, permit, &permit->to[i], permit->destination,
				     permit->n_destination, SEG_PERMIT_DESTINATION);
	for (size_t i = 0; i < permit->n_from; i++)
		if (is_outside(permit->from[i].zone) &&
		    other_mynumber(permit->to, permit->n_to, permit->from[i].zone))
			check_g4_far(guard, permit, &permit->from[i], permit->source, permit->n_source,
				     SEG_PERMIT_SOURCE);
}

/* --- G5: exceptions carry their papers --- */

static bool has_class(const struct seg_permit *permit, enum seg_class class)
{
	return permit->class == class && !(permit->flaws & SEG_PERMIT_CLASS);
}

static bool is_exception(const struct seg_permit *permit)
{
	return has_class(permit, SEG_CLASS_SPECIFIC) || has_class(permit, SEG_CLASS_BREAKOUT) ||
	       has_class(permit, SEG_CLASS_MAINTENANCE);
}

/* Both ends counted; 0: open at an end. */
static int days(const struct seg_permit *permit)
{
	if (!permit->schedule.from || !permit->schedule.until)
		return 0;
	return permit->schedule.until - permit->schedule.from + 1;
}

static struct seg_place place_or(struct seg_place place, struct seg_place other)
{
	return place.source ? place : other;
}

/* Where nothing of the key that a rule is about is there. */
static struct seg_place place_of(const struct seg_permit *permit)
{
	return place_or(permit->place.id, permit->place.permit);
}

/* An error about a key that is not there: at the permit's name, its class being the reason. */
static struct seg_diag *lacking(struct guard *guard, enum seg_diag_code code, const struct seg_permit *permit,
				const char *keys)
{
	struct seg_diag *diag =
		seg_error(guard->diags, code, place_of(permit), _("%s is of class %s and lacks %s"),
			  permit->id, _(seg_class_name(permit->class)), keys);

	seg_diag_relate(guard->diags, diag, permit->place.class, _("class %s"),
			_(seg_class_name(permit->class)));
	return diag;
}

static void add_key(struct seg_strbuf *keys, bool there, const char *key)
{
	if (!there)
		seg_strbuf_printf(keys, "%s%s", keys->len ? ", " : "", key);
}

static bool has_text(const char *text)
{
	return text && *text;
}

static void check_g5_keys(struct guard *guard, const struct seg_permit *permit)
{
	struct seg_strbuf keys = {0};

	add_key(&keys, has_text(permit->owner) || permit->flaws & SEG_PERMIT_OWNER, "owner");
	add_key(&keys, has_text(permit->approver) || permit->flaws & SEG_PERMIT_APPROVER, "approver");
	add_key(&keys, has_text(permit->ticket) || permit->flaws & SEG_PERMIT_TICKET, "ticket");
	add_key(&keys, has_text(permit->basis) || permit->flaws & SEG_PERMIT_BASIS, "basis");
	add_key(&keys, permit->has_valid || permit->flaws & SEG_PERMIT_VALID, "valid");
	add_key(&keys, permit->review != 0 || permit->flaws & SEG_PERMIT_REVIEW, "review");
	if (keys.len)
		seg_diag_hint(guard->diags, lacking(guard, SEG_G5, permit, keys.text),
			      _("classes specific, breakout and maintenance carry owner, approver, ticket, "
				"basis, valid "
				"and review"));
	seg_strbuf_fini(&keys);
}

static void check_g5_span(struct guard *guard, const struct seg_permit *permit)
{
	struct seg_diag *diag;

	if (days(permit) == 0)
		diag = seg_error(guard->diags, SEG_G5, permit->place.valid,
				 _("%s is of class %s and its valid is open at one end"), permit->id,
				 _(seg_class_name(permit->class)));
	else if (days(permit) > SPECIFIC_DAYS && permit->class != SEG_CLASS_MAINTENANCE)
		diag =
		    seg_error(guard->diags, SEG_G5, place_or(permit->place.valid_until, permit->place.valid),
			      _("%s is valid for %d days, both ends counted"), permit->id, days(permit));
	else
		return;
	seg_diag_hint(guard->diags, diag, _("valid: {from, until}, %d days at most"),
		      permit->class == SEG_CLASS_MAINTENANCE ? MAINTENANCE_DAYS : SPECIFIC_DAYS);
}

static void check_g5_review(struct guard *guard, const struct seg_permit *permit)
{
	char review[11], until[11];
	struct seg_diag *diag;

	if (!permit->review || !permit->schedule.until || permit->review <= permit->schedule.until)
		return;
	seg_date_format(permit->review, review);
	seg_date_format(permit->schedule.until, until);
	diag = seg_error(guard->diags, SEG_G5, permit->place.review,
			 _("%s is reviewed on %s, after its end on %s"), permit->id, review, until);
	seg_diag_relate(guard->diags, diag, place_or(permit->place.valid_until, permit->place.valid),
			_("ends %s"), until);
	seg_diag_hint(guard->diags, diag, _("review: %s or earlier"), until);
}

static void check_g5(struct guard *guard, const struct seg_permit *permit)
{
	if (!is_exception(permit))
		return;
	check_g5_keys(guard, permit);
	if (permit->has_valid && !(permit->flaws & SEG_PERMIT_VALID))
		check_g5_span(guard, permit);
	if (!(permit->flaws & (SEG_PERMIT_VALID | SEG_PERMIT_REVIEW)))
		check_g5_review(guard, permit);
}

/* --- G6: maintenance --- */

static void check_g6_end(struct guard *guard, const struct seg_permit *permit)
{
	const struct seg_side *outside = first_from(permit, is_external);

	for (size_t i = 0; outside && i < permit->n_to; i++) {
		const struct seg_side *side = &permit->to[i];
		struct seg_diag *diag;

		if (is_management(side->zone) || side->zone->flaws & SEG_ZONE_TIER)
			continue;
		diag =
		    seg_error(guard->diags, SEG_G6, side->place,
			      _("%s leads maintenance from %s, tier external, into %s, tier %s"), permit->id,
			      outside->zone->id, side->zone->id, _(seg_tier_name(side->zone->tier)));
		relate_sides(guard, diag, permit->from, permit->n_from, is_external);
		seg_diag_hint(
		    guard->diags, diag,
		    _("to a zone of tier management alone, and from there on by a permit of its own"));
	}
}

static void check_g6(struct guard *guard, const struct seg_permit *permit)
{
	struct seg_diag *diag;

	if (!has_class(permit, SEG_CLASS_MAINTENANCE))
		return;
	check_g6_end(guard, permit);
	if (permit->schedule.n_hours == 0 && !(permit->flaws & SEG_PERMIT_HOURS))
		seg_diag_hint(guard->diags, lacking(guard, SEG_G6, permit, "hours"),
			      _("hours: for example [sat 22:00-05:00]"));
	if (days(permit) <= MAINTENANCE_DAYS || permit->flaws & SEG_PERMIT_VALID)
		return;
	diag = seg_error(guard->diags, SEG_G6, place_or(permit->place.valid_until, permit->place.valid),
			 _("%s is maintenance and valid for %d days, both ends counted"), permit->id,
			 days(permit));
	seg_diag_hint(guard->diags, diag, _("%d days at most"), MAINTENANCE_DAYS);
}

/* --- G7: breakout --- */

static void check_g7_zone(struct guard *guard, const struct seg_permit *permit, const struct seg_side *side)
{
	struct seg_diag *diag;

	if (side->zone->uplink || side->zone->flaws & SEG_ZONE_UPLINK)
		return;
	diag = seg_error(guard->diags, SEG_G7, side->place, _("%s breaks out to zone %s, which is no uplink"),
			 permit->id, side->zone->id);
	seg_diag_relate(guard->diags, diag, side->zone->place, _("zone %s"), side->zone->id);
	seg_diag_hint(guard->diags, diag, _("a zone with uplink: true"));
}

static void check_g7_host(struct guard *guard, const struct seg_permit *permit,
			  const struct seg_operand *operand)
{
	bool published = operand->host &&
			 (has_text(operand->host->published) || operand->host->flaws & SEG_HOST_PUBLISHED);
	struct width width = published ? published_width : breakout_width;
	struct seg_diag *diag = check_width(guard, SEG_G7, permit, operand, width);

	if (!diag)
		return;
	if (published) {
		seg_diag_hint(guard->diags, diag,
			      _("entries no wider than /%d (IPv6 /%d), also where published"),
			      published_width.v4, published_width.v6);
		return;
	}
	if (operand->host)
		seg_diag_relate(guard->diags, diag, operand->host->place,
				_("host %s does not say by whom and when its addresses were published"),
				operand->host->id);
	seg_diag_hint(guard->diags, diag,
		      _("entries no wider than /%d (IPv6 /%d), or /%d (/%d) of a host that says published"),
		      breakout_width.v4, breakout_width.v6, published_width.v4, published_width.v6);
}

static void check_g7(struct guard *guard, const struct seg_permit *permit)
{
	if (!has_class(permit, SEG_CLASS_BREAKOUT))
		return;
	for (size_t i = 0; i < permit->n_to; i++)
		check_g7_zone(guard, permit, &permit->to[i]);
	for (size_t i = 0; i < permit->n_destination; i++)
		check_g7_host(guard, permit, &permit->destination[i]);
	if (names_none(permit, permit->n_destination, SEG_PERMIT_DESTINATION)) {
		struct seg_diag *diag =
			seg_error(guard->diags, SEG_G7, place_or(permit->place.to, place_of(permit)),
				  _("%s is breakout and names no destination"), permit->id);

		seg_diag_hint(guard->diags, diag,
			      _("name the hosts of the service, none wider than /%d (IPv6 /%d)"),
			      breakout_width.v4, breakout_width.v6);
	}
	if (!has_text(permit->external_audit) && !(permit->flaws & SEG_PERMIT_AUDIT))
		seg_diag_hint(guard->diags, lacking(guard, SEG_G7, permit, "external-audit"),
			      _("external-audit: when and how the yearly audit was made"));
}

/* --- G8: nothing between mynumber or lgwan and the public --- */

static void refuse_public(struct guard *guard, const struct seg_permit *permit, const struct seg_side *public,
			  const struct seg_side *inner)
{
	struct seg_diag *diag = seg_error(
	    guard->diags, SEG_G8, public->place, _("%s joins %s, tier %s, with %s, a zone of the public"),
	    permit->id, inner->zone->id, _(seg_tier_name(inner->zone->tier)), public->zone->id);

	seg_diag_relate(guard->diags, diag, inner->place, _("zone %s, tier %s"), inner->zone->id,
			_(seg_tier_name(inner->zone->tier)));
	seg_diag_hint(guard->diags, diag,
		      _("a zone with public: true reaches neither tier mynumber nor lgwan"));
}

static void check_g8(struct guard *guard, const struct seg_permit *permit)
{
	const struct seg_side *inner_from = first_from(permit, is_inner),
			      *inner_to = first_to(permit, is_inner);

	for (size_t i = 0; inner_from && i < permit->n_to; i++)
		if (is_public(permit->to[i].zone))
			refuse_public(guard, permit, &permit->to[i], inner_from);
	for (size_t i = 0; inner_to && i < permit->n_from; i++)
		if (is_public(permit->from[i].zone))
			refuse_public(guard, permit, &permit->from[i], inner_to);
}

/* --- G9: MACs --- */

static bool is_single(struct seg_ranges ranges)
{
	return ranges.n == 1 && ranges.range[0].lo == ranges.range[0].hi;
}

/* The zone of a source that is one address; NULL: it is not, or in none of the permit's zones. */
static const struct seg_zone *single_zone(const struct guard *guard, const struct seg_permit *permit,
					  const struct seg_operand *operand)
{
	struct seg_ranges ranges =
	    operand->host ? operand->host->ranges : (struct seg_ranges){&operand->range, 1};
	const struct seg_zone *zone =
	    is_single(ranges) ? seg_policy_zone_of(guard->policy, ranges.range[0].lo) : NULL;

	for (size_t i = 0; zone && i < permit->n_from; i++)
		if (permit->from[i].zone == zone)
			return zone;
	return NULL;
}

static void check_g9_source(struct guard *guard, const struct seg_permit *permit,
			    const struct seg_operand *operand)
{
	const struct seg_zone *zone = single_zone(guard, permit, operand);
	const struct seg_host *host = operand->host;
	char text[SEG_RANGE_STRLEN];
	struct seg_diag *diag;

	if (!zone || !is_mynumber(zone) || zone->routed || zone->flaws & SEG_ZONE_LINK ||
	    (host && (host->has_mac || host->flaws & (SEG_HOST_MAC | SEG_HOST_ADDRESS))))
		return;
	if (host) {
		diag = seg_error(guard->diags, SEG_G9, operand->place,
				 _("%s has host %s of zone %s as its source, which has no mac"), permit->id,
				 host->id, zone->id);
		seg_diag_relate(guard->diags, diag, host->place, _("host %s"), host->id);
		seg_diag_hint(guard->diags, diag, _("mac: \"...\" at host %s"), host->id);
	} else {
		diag = seg_error(guard->diags, SEG_G9, operand->place,
				 _("%s has %s of zone %s as its source, which has no mac"), permit->id,
				 seg_range_format(operand->range, text), zone->id);
		seg_diag_hint(guard->diags, diag, _("name a host with this address and its mac"));
	}
}

static void check_g9(struct guard *guard, const struct seg_permit *permit)
{
	if (!has_class(permit, SEG_CLASS_SPECIFIC) || guard->policy->nets_flawed)
		return;
	for (size_t i = 0; i < permit->n_source; i++)
		check_g9_source(guard, permit, &permit->source[i]);
}

static void check_g9_routed(struct guard *guard, const struct seg_host *host)
{
	struct seg_diag *diag;

	if (!host->has_mac || !host->zone || !host->zone->routed || host->zone->flaws & SEG_ZONE_LINK ||
	    guard->policy->nets_flawed)
		return;
	diag =
	    seg_error(guard->diags, SEG_G9, host->mac_place,
		      _("host %s has a mac, but its zone %s lies behind a router"), host->id, host->zone->id);
	seg_diag_relate(guard->diags, diag, host->zone->place, _("zone %s, link: routed"), host->zone->id);
	seg_diag_hint(
	    guard->diags, diag,
	    _("no mac here: behind a router every packet bears the router's; or link: direct at the zone"));
}

void seg_guard_check(const struct seg_policy *policy, struct seg_diags *diags)
{
	static void (*const rule[])(struct guard *, const struct seg_permit *) = {
	    check_g1, check_g2, check_g3, check_g4, check_g5, check_g6, check_g7, check_g8, check_g9,
	};
	struct guard guard = {.policy = policy, .diags = diags};
	struct seg_arena *arena;

	if (policy->guard == SEG_GUARD_NONE)
		return;
	arena = seg_arena_new();
	measure_hosts(&guard, arena);
	for (size_t i = 0; i < policy->hosts; i++)
		check_g9_routed(&guard, &policy->host[i]);
	for (size_t i = 0; i < policy->permits; i++)
		for (size_t r = 0; r < sizeof(rule) / sizeof(rule[0]); r++)
			rule[r](&guard, &policy->permit[i]);
	seg_arena_free(arena);
}

const char *seg_guard_bars(const struct seg_policy *policy, const struct seg_zone *a, const struct seg_zone *b)
{
	if (policy->guard == SEG_GUARD_NONE)
		return NULL;
	if ((is_mynumber(a) && is_internet(b)) || (is_internet(a) && is_mynumber(b)))
		return "G1";
	return (is_inner(a) && is_public(b)) || (is_public(a) && is_inner(b)) ? "G8" : NULL;
}
