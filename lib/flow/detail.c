// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/classify.h"

#include <netinet/in.h>
#include <string.h>

#include "base/i18n.h"
#include "base/strbuf.h"

/*
 * A verdict as a sentence. The parts that failed are found again from the
 * arguments, so that the verdict itself stays small: the watcher makes thousands
 * a second and words almost none of them.
 */

/* Ranges, services or hours named before "and N more". */
#define SHOWN 4

static void add_more(struct seg_strbuf *out, size_t n)
{
	if (n > SHOWN)
		seg_strbuf_printf(out, ngettext(" and %zu more", " and %zu more", n - SHOWN), n - SHOWN);
}

static const char *ranges_of(const struct seg_side *side, struct seg_strbuf *list)
{
	char text[SEG_RANGE_STRLEN];
	size_t n = side->ranges.n + side->n_bound;

	if (n == 0)
		return _("nothing in this zone");
	for (size_t i = 0; i < n && i < SHOWN; i++) {
		struct seg_range range =
			i < side->ranges.n ? side->ranges.range[i] : side->bound[i - side->ranges.n].range;

		seg_strbuf_printf(list, "%s%s", i ? ", " : "", seg_range_format(range, text));
	}
	add_more(list, n);
	return seg_strbuf_text(list);
}

static const char *services_of(const struct seg_permit *permit, struct seg_strbuf *list)
{
	char text[SEG_SERVICE_STRLEN];

	for (size_t i = 0; i < permit->n_items && i < SHOWN; i++)
		seg_strbuf_printf(list, "%s%s", i ? ", " : "",
				  seg_service_item_format(&permit->item[i], text));
	add_more(list, permit->n_items);
	return seg_strbuf_text(list);
}

static const char *hours_of(const struct seg_schedule *schedule, struct seg_strbuf *list)
{
	char text[SEG_HOURS_STRLEN];

	for (size_t i = 0; i < schedule->n_hours && i < SHOWN; i++)
		seg_strbuf_printf(list, "%s%s", i ? ", " : "", seg_hours_format(&schedule->hours[i], text));
	add_more(list, schedule->n_hours);
	return seg_strbuf_text(list);
}

/* --- One failed part each --- */

static void add_source(struct seg_strbuf *out, const struct seg_packet *packet, const struct seg_pair *pair)
{
	struct seg_strbuf list = {0};
	char src[SEG_ADDR_STRLEN];

	/* TRANSLATORS: an address, a permit's id, a list of ranges */
	seg_strbuf_printf(out, _("source %s, %s permits %s"), seg_addr_format(packet->src, src),
			  pair->permit->id, ranges_of(pair->from, &list));
	seg_strbuf_fini(&list);
}

static void add_destination(struct seg_strbuf *out, const struct seg_packet *packet,
			    const struct seg_pair *pair)
{
	struct seg_strbuf list = {0};
	char dst[SEG_ADDR_STRLEN];

	seg_addr_format(packet->dst, dst);
	if (pair->to->whole)
		seg_strbuf_printf(out,
				  _("destination %s is not the gateway's address on the side of zone %s, "
				    "the only one that %s means"),
				  dst, pair->from->zone->id, pair->permit->id);
	else
		/* TRANSLATORS: an address, a permit's id, a list of ranges */
		seg_strbuf_printf(out, _("destination %s, %s permits %s"), dst, pair->permit->id,
				  ranges_of(pair->to, &list));
	seg_strbuf_fini(&list);
}

/* TRANSLATORS: stands between two sentences, each of which says what failed */
static const char between[] = N_("; ");

static void add_address(struct seg_strbuf *out, const struct seg_packet *packet, const struct seg_pair *pair)
{
	bool source = pair->from->whole || seg_side_has(pair->from, packet->src, NULL);
	bool destination = pair->to->whole || seg_side_has(pair->to, packet->dst, NULL);

	if (!source)
		add_source(out, packet, pair);
	if (!source && !destination)
		seg_strbuf_add(out, _(between));
	if (source || !destination)
		add_destination(out, packet, pair);
}

static void add_protocol(struct seg_strbuf *out, const struct seg_packet *packet,
			 const struct seg_permit *permit)
{
	struct seg_strbuf list = {0};
	char text[SEG_SERVICE_STRLEN];

	/* TRANSLATORS: a protocol with its port, a permit's id, a list of services */
	seg_strbuf_printf(out, _("protocol %s, %s permits %s"),
			  seg_proto_format(packet->proto, packet->dport, text), permit->id,
			  services_of(permit, &list));
	seg_strbuf_fini(&list);
}

static void add_port(struct seg_strbuf *out, const struct seg_packet *packet, const struct seg_permit *permit)
{
	bool types = packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6;
	struct seg_strbuf list = {0};

	/* TRANSLATORS: a number, a permit's id, a list of services */
	seg_strbuf_printf(out, types ? _("type %u, %s permits %s") : _("port %u, %s permits %s"),
			  (unsigned)packet->dport, permit->id, services_of(permit, &list));
	seg_strbuf_fini(&list);
}

static void add_mac(struct seg_strbuf *out, const struct seg_packet *packet, const struct seg_pair *pair)
{
	char src[SEG_ADDR_STRLEN], seen[SEG_MAC_STRLEN], bound[SEG_MAC_STRLEN];
	const struct seg_bound *right = NULL;

	for (size_t i = 0; i < pair->from->n_bound && !right; i++)
		if (pair->from->bound[i].range.lo <= packet->src &&
		    packet->src <= pair->from->bound[i].range.hi)
			right = &pair->from->bound[i];
	if (!right)
		return;
	seg_addr_format(packet->src, src);
	seg_mac_format(right->mac, bound);
	if (packet->mac)
		seg_strbuf_printf(out, _("MAC %s, %s permits %s with %s alone"),
				  seg_mac_format(packet->mac, seen), pair->permit->id, src, bound);
	else
		seg_strbuf_printf(out, _("MAC not known, %s permits %s with %s alone"), pair->permit->id, src,
				  bound);
}

time_t seg_permit_opens(const struct seg_policy *policy, const struct seg_permit *permit, time_t at)
{
	/* Not yet, closed, open: two changes at most, and a state that ended is never left. */
	for (int changes = 0; changes < 3; changes++) {
		at = seg_schedule_next(&permit->schedule, at, policy->timezone);
		if (at == 0 || seg_schedule_state(&permit->schedule, at, policy->timezone) == SEG_OPEN)
			return at;
	}
	return 0;
}

static void add_dates(struct seg_strbuf *out, const struct seg_policy *policy,
		      const struct seg_permit *permit, time_t at)
{
	const struct seg_schedule *schedule = &permit->schedule;
	time_t next = seg_permit_opens(policy, permit, at);
	char date[11], opens[SEG_TIME_STRLEN];

	if (seg_schedule_state(schedule, at, policy->timezone) == SEG_EXPIRED)
		seg_strbuf_printf(out, _("%s expired %s"), permit->id,
				  seg_date_format(schedule->until, date));
	else if (next)
		seg_strbuf_printf(out, _("%s begins %s, opens %s"), permit->id,
				  seg_date_format(schedule->from, date),
				  seg_time_format(next, policy->timezone, opens));
	else
		seg_strbuf_printf(out, _("%s begins %s, does not open again"), permit->id,
				  seg_date_format(schedule->from, date));
}

static void add_closed(struct seg_strbuf *out, const struct seg_policy *policy,
		       const struct seg_permit *permit, time_t at)
{
	time_t next = seg_permit_opens(policy, permit, at);
	struct seg_strbuf list = {0};
	char opens[SEG_TIME_STRLEN];

	hours_of(&permit->schedule, &list);
	if (next)
		/* TRANSLATORS: a permit's id, its hours, a time */
		seg_strbuf_printf(out, _("outside the hours of %s, %s, opens %s"), permit->id,
				  seg_strbuf_text(&list), seg_time_format(next, policy->timezone, opens));
	else
		seg_strbuf_printf(out, _("outside the hours of %s, %s, does not open again"), permit->id,
				  seg_strbuf_text(&list));
	seg_strbuf_fini(&list);
}

/* --- Sentences --- */

static void add_failures(struct seg_strbuf *out, const struct seg_policy *policy,
			 const struct seg_packet *packet, const struct seg_verdict *verdict, time_t at)
{
	static const enum seg_reason order[] = {SEG_REASON_ADDRESS, SEG_REASON_PROTOCOL, SEG_REASON_PORT,
						SEG_REASON_MAC,	    SEG_REASON_DATES,	 SEG_REASON_HOURS};
	const struct seg_permit *permit = verdict->nearest;
	struct seg_pair pair = {permit, NULL, NULL};

	/* A group sent to no zone in particular: the permit's first will do. */
	pair.from = verdict->from ? seg_side_in(permit->from, permit->n_from, verdict->from) : NULL;
	pair.to = verdict->to ? seg_side_in(permit->to, permit->n_to, verdict->to) : NULL;
	pair.from = pair.from ? pair.from : permit->from;
	pair.to = pair.to ? pair.to : permit->to;
	for (size_t i = 0, n = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!(verdict->failed & (1u << order[i])))
			continue;
		if (n++)
			seg_strbuf_add(out, _(between));
		if (order[i] == SEG_REASON_ADDRESS)
			add_address(out, packet, &pair);
		else if (order[i] == SEG_REASON_PROTOCOL)
			add_protocol(out, packet, permit);
		else if (order[i] == SEG_REASON_PORT)
			add_port(out, packet, permit);
		else if (order[i] == SEG_REASON_MAC)
			add_mac(out, packet, &pair);
		else if (order[i] == SEG_REASON_DATES)
			add_dates(out, policy, permit, at);
		else
			add_closed(out, policy, permit, at);
	}
}

static void add_permit(struct seg_strbuf *out, const struct seg_policy *policy,
		       const struct seg_packet *packet, const struct seg_verdict *verdict, time_t at)
{
	const struct seg_permit *permit = verdict->by;
	time_t next = seg_schedule_next(&permit->schedule, at, policy->timezone);
	const char *from = verdict->from->id, *to = verdict->to->id;
	char service[SEG_SERVICE_STRLEN], until[SEG_TIME_STRLEN];

	seg_proto_format(packet->proto, packet->dport, service);
	if (next)
		seg_strbuf_printf(out, _("%s permits %s from %s to %s until %s"), permit->id, service, from,
				  to, seg_time_format(next, policy->timezone, until));
	else
		seg_strbuf_printf(out, _("%s permits %s from %s to %s"), permit->id, service, from, to);
}

static void add_intra(struct seg_strbuf *out, const struct seg_policy *policy,
		      const struct seg_packet *packet, const struct seg_verdict *verdict, time_t at)
{
	const char *zone = verdict->from->id;

	if (verdict->permit) {
		seg_strbuf_printf(out, _("both ends are in zone %s, where intra is allow"), zone);
	} else if (!verdict->nearest) {
		seg_strbuf_printf(
			out, _("both ends are in zone %s, where intra is deny and no permit opens anything"),
			zone);
	} else {
		seg_strbuf_printf(out, _("both ends are in zone %s, where intra is deny; "), zone);
		add_failures(out, policy, packet, verdict, at);
	}
}

static void add_spoofed(struct seg_strbuf *out, const struct seg_packet *packet,
			const struct seg_verdict *verdict)
{
	char src[SEG_ADDR_STRLEN];

	seg_addr_format(packet->src, src);
	if (!packet->in || seg_addr_is_link_local(packet->src) || seg_addr_is_unspecified(packet->src))
		seg_strbuf_printf(out, _("%s stays on its link and may reach the gateway alone"), src);
	else if (verdict->claimed && verdict->claimed->tier == SEG_TIER_GATEWAY)
		seg_strbuf_printf(out, _("%s is the gateway's own address, but the packet came in by %s"),
				  src, packet->in);
	else if (verdict->claimed)
		seg_strbuf_printf(out, _("%s belongs to zone %s, but the packet came in by %s"), src,
				  verdict->claimed->id, packet->in);
	else
		seg_strbuf_printf(out, _("%s belongs to no zone, but the packet came in by %s"), src,
				  packet->in);
}

static void add_unknown(struct seg_strbuf *out, const struct seg_policy *policy,
			const struct seg_packet *packet, const struct seg_verdict *verdict)
{
	char text[SEG_ADDR_STRLEN];
	const char *interface = verdict->from == policy->gateway_zone ? packet->out : packet->in;

	if (seg_addr_family(packet->src) != seg_addr_family(packet->dst))
		seg_strbuf_add(out, _("source and destination are not of one address family"));
	else if (verdict->from && !(interface && verdict->from == policy->gateway_zone))
		seg_strbuf_printf(out, _("destination %s is in no zone"), seg_addr_format(packet->dst, text));
	else if (interface)
		seg_strbuf_printf(out, _("interface %s belongs to no zone"), interface);
	else if (seg_addr_is_link_local(packet->src) || seg_addr_is_unspecified(packet->src))
		seg_strbuf_printf(out, _("source %s is in the zone of its interface, which is not known"),
				  seg_addr_format(packet->src, text));
	else
		seg_strbuf_printf(out, _("source %s is in no zone"), seg_addr_format(packet->src, text));
}

static const char *zone_name(const struct seg_zone *zone)
{
	return zone ? zone->id : "?";
}

char *seg_verdict_detail(const struct seg_policy *policy, const struct seg_packet *packet,
			 const struct seg_verdict *verdict, time_t at)
{
	struct seg_strbuf out = {0};

	switch (verdict->reason) {
	case SEG_REASON_PERMIT:
		add_permit(&out, policy, packet, verdict, at);
		break;
	case SEG_REASON_INTRA:
		add_intra(&out, policy, packet, verdict, at);
		break;
	case SEG_REASON_GATEWAY_ESSENTIAL:
		seg_strbuf_add(&out, _("what keeps the gateway itself on the network needs no permit"));
		break;
	case SEG_REASON_NO_PERMIT:
		seg_strbuf_printf(&out, _("no permit opens anything from %s to %s"), zone_name(verdict->from),
				  zone_name(verdict->to));
		break;
	case SEG_REASON_SPOOFED:
		add_spoofed(&out, packet, verdict);
		break;
	case SEG_REASON_DIRECTION:
		seg_strbuf_printf(&out, _("the other side has to begin: %s permits from %s to %s alone"),
				  verdict->nearest->id, zone_name(verdict->to), zone_name(verdict->from));
		break;
	case SEG_REASON_UNKNOWN_ZONE:
		add_unknown(&out, policy, packet, verdict);
		break;
	case SEG_REASON_ISOLATED:
		seg_strbuf_add(&out, _("one of the ends is isolated"));
		break;
	case SEG_REASON_STAGE:
		seg_strbuf_add(&out, _("closed by the emergency stage in force"));
		break;
	case SEG_REASON_ADDRESS:
	case SEG_REASON_PORT:
	case SEG_REASON_PROTOCOL:
	case SEG_REASON_MAC:
	case SEG_REASON_HOURS:
	case SEG_REASON_DATES:
		add_failures(&out, policy, packet, verdict, at);
		break;
	}
	return seg_strbuf_take(&out);
}
