// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/answer.h"

#include <netinet/in.h>
#include <string.h>

#include "base/i18n.h"
#include "base/strbuf.h"
#include "control/sentence.h"

/*
 * A verdict as sentences. The parts that failed are found again from the
 * arguments, so that the verdict itself stays small: the watcher makes thousands
 * a second and words almost none of them.
 */

static void say(json_t *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(json_t *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	json_array_append_new(out, seg_sentence_vnew(format, args));
	va_end(args);
}

/* Ranges, services or hours named before the number of all. */
#define SHOWN 4

static void add_more(struct seg_strbuf *list, size_t n)
{
	if (n > SHOWN)
		seg_strbuf_printf(list, ", ... (%zu)", n);
}

static bool permits_none(const struct seg_side *side)
{
	return side->ranges.n + side->n_bound == 0;
}

static const char *ranges_of(const struct seg_side *side, struct seg_strbuf *list)
{
	char text[SEG_RANGE_STRLEN];
	size_t n = side->ranges.n + side->n_bound;

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

static void add_source(json_t *out, const struct seg_packet *packet, const struct seg_pair *pair)
{
	struct seg_strbuf list = {0};
	char src[SEG_ADDR_STRLEN];

	seg_addr_format(packet->src, src);
	if (permits_none(pair->from))
		say(out, N_("source %s, %s permits nothing in this zone"), src, pair->permit->id);
	else
		/* TRANSLATORS: an address, a permit's id, a list of ranges */
		say(out, N_("source %s, %s permits %s"), src, pair->permit->id, ranges_of(pair->from, &list));
	seg_strbuf_fini(&list);
}

static void add_destination(json_t *out, const struct seg_packet *packet, const struct seg_pair *pair)
{
	struct seg_strbuf list = {0};
	char dst[SEG_ADDR_STRLEN];

	seg_addr_format(packet->dst, dst);
	if (pair->to->whole)
		say(out,
		    N_("destination %s is not the gateway's address on the side of zone %s, "
		       "the only one that %s means"),
		    dst, pair->from->zone->id, pair->permit->id);
	else if (permits_none(pair->to))
		say(out, N_("destination %s, %s permits nothing in this zone"), dst, pair->permit->id);
	else
		/* TRANSLATORS: an address, a permit's id, a list of ranges */
		say(out, N_("destination %s, %s permits %s"), dst, pair->permit->id,
		    ranges_of(pair->to, &list));
	seg_strbuf_fini(&list);
}

static void add_address(json_t *out, const struct seg_packet *packet, const struct seg_pair *pair)
{
	bool source = pair->from->whole || seg_side_has(pair->from, packet->src, NULL);
	bool destination = pair->to->whole || seg_side_has(pair->to, packet->dst, NULL);

	if (!source)
		add_source(out, packet, pair);
	if (source || !destination)
		add_destination(out, packet, pair);
}

static void add_protocol(json_t *out, const struct seg_packet *packet, const struct seg_permit *permit)
{
	struct seg_strbuf list = {0};
	char text[SEG_SERVICE_STRLEN];

	/* TRANSLATORS: a protocol with its port, a permit's id, a list of services */
	say(out, N_("protocol %s, %s permits %s"), seg_proto_format(packet->proto, packet->dport, text),
	    permit->id, services_of(permit, &list));
	seg_strbuf_fini(&list);
}

static void add_port(json_t *out, const struct seg_packet *packet, const struct seg_permit *permit)
{
	bool types = packet->proto == IPPROTO_ICMP || packet->proto == IPPROTO_ICMPV6;
	const char *ping = packet->proto == IPPROTO_ICMP ? "icmp/8" : "icmpv6/128";
	struct seg_strbuf list = {0};

	services_of(permit, &list);
	if (types && packet->dport == SEG_NO_TYPE) /* `segctl explain A B icmp` */
		/* TRANSLATORS: a type, a permit's id, a list of services */
		say(out, N_("no type is given (ping is %s), %s permits %s"), ping, permit->id,
		    seg_strbuf_text(&list));
	else if (types)
		/* TRANSLATORS: a number, a permit's id, a list of services */
		say(out, N_("type %u, %s permits %s"), (unsigned)packet->dport, permit->id,
		    seg_strbuf_text(&list));
	else if (packet->dport)
		say(out, N_("port %u, %s permits %s"), (unsigned)packet->dport, permit->id,
		    seg_strbuf_text(&list));
	else /* `segctl explain A B tcp` */
		say(out, N_("no port is given, %s permits %s"), permit->id, seg_strbuf_text(&list));
	seg_strbuf_fini(&list);
}

static void add_mac(json_t *out, const struct seg_packet *packet, const struct seg_pair *pair)
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
		say(out, N_("MAC %s, %s permits %s with %s alone"), seg_mac_format(packet->mac, seen),
		    pair->permit->id, src, bound);
	else
		say(out, N_("MAC not known, %s permits %s with %s alone"), pair->permit->id, src, bound);
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

static void add_dates(json_t *out, const struct seg_policy *policy, const struct seg_permit *permit,
		      time_t at)
{
	const struct seg_schedule *schedule = &permit->schedule;
	time_t next = seg_permit_opens(policy, permit, at);
	char date[11], opens[SEG_TIME_STRLEN];

	if (seg_schedule_state(schedule, at, policy->timezone) == SEG_EXPIRED)
		say(out, N_("%s expired %s"), permit->id, seg_date_format(schedule->until, date));
	else if (next)
		say(out, N_("%s begins %s, opens %s"), permit->id, seg_date_format(schedule->from, date),
		    seg_time_format(next, policy->timezone, opens));
	else
		say(out, N_("%s begins %s, does not open again"), permit->id,
		    seg_date_format(schedule->from, date));
}

static void add_closed(json_t *out, const struct seg_policy *policy, const struct seg_permit *permit,
		       time_t at)
{
	time_t next = seg_permit_opens(policy, permit, at);
	struct seg_strbuf list = {0};
	char opens[SEG_TIME_STRLEN];

	hours_of(&permit->schedule, &list);
	if (next)
		/* TRANSLATORS: a permit's id, its hours, a time */
		say(out, N_("outside the hours of %s, %s, opens %s"), permit->id, seg_strbuf_text(&list),
		    seg_time_format(next, policy->timezone, opens));
	else
		say(out, N_("outside the hours of %s, %s, does not open again"), permit->id,
		    seg_strbuf_text(&list));
	seg_strbuf_fini(&list);
}

/* --- Sentences --- */

static void add_failures(json_t *out, const struct seg_policy *policy, const struct seg_packet *packet,
			 const struct seg_verdict *verdict, time_t at)
{
	static const enum seg_reason order[] = {SEG_REASON_ADDRESS, SEG_REASON_PROTOCOL, SEG_REASON_PORT,
						SEG_REASON_MAC,	    SEG_REASON_DATES,	 SEG_REASON_HOURS,
						SEG_REASON_STAGE};
	const struct seg_permit *permit = verdict->nearest;
	struct seg_pair pair = {permit, NULL, NULL};

	/* A group sent to no zone in particular: the permit's first will do. */
	pair.from = verdict->from ? seg_side_in(permit->from, permit->n_from, verdict->from) : NULL;
	pair.to = verdict->to ? seg_side_in(permit->to, permit->n_to, verdict->to) : NULL;
	pair.from = pair.from ? pair.from : permit->from;
	pair.to = pair.to ? pair.to : permit->to;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!(verdict->failed & (1u << order[i])))
			continue;
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
		else if (order[i] == SEG_REASON_STAGE)
			say(out, N_("the emergency stage in force closes %s"), permit->id);
		else
			add_closed(out, policy, permit, at);
	}
}

static void add_permit(json_t *out, const struct seg_policy *policy, const struct seg_packet *packet,
		       const struct seg_verdict *verdict, time_t at)
{
	const struct seg_permit *permit = verdict->by;
	time_t next = seg_schedule_next(&permit->schedule, at, policy->timezone);
	const char *from = verdict->from->id, *to = verdict->to->id;
	char service[SEG_SERVICE_STRLEN], until[SEG_TIME_STRLEN];

	seg_proto_format(packet->proto, packet->dport, service);
	if (next)
		say(out, N_("%s permits %s from %s to %s until %s"), permit->id, service, from, to,
		    seg_time_format(next, policy->timezone, until));
	else
		say(out, N_("%s permits %s from %s to %s"), permit->id, service, from, to);
}

static void add_intra(json_t *out, const struct seg_policy *policy, const struct seg_packet *packet,
		      const struct seg_verdict *verdict, time_t at)
{
	const char *zone = verdict->from->id;

	if (verdict->permit) {
		say(out, N_("both ends are in zone %s, where intra is allow"), zone);
	} else if (!verdict->nearest) {
		say(out, N_("both ends are in zone %s, where intra is deny and no permit opens anything"),
		    zone);
	} else {
		say(out, N_("both ends are in zone %s, where intra is deny"), zone);
		add_failures(out, policy, packet, verdict, at);
	}
}

static void add_spoofed(json_t *out, const struct seg_packet *packet, const struct seg_verdict *verdict)
{
	char src[SEG_ADDR_STRLEN];

	seg_addr_format(packet->src, src);
	if (!packet->in || seg_addr_is_link_local(packet->src) || seg_addr_is_unspecified(packet->src))
		say(out, N_("%s stays on its link and may reach the gateway alone"), src);
	else if (verdict->claimed && verdict->claimed->tier == SEG_TIER_GATEWAY)
		say(out, N_("%s is the gateway's own address, but the packet came in by %s"), src,
		    packet->in);
	else if (verdict->claimed)
		say(out, N_("%s belongs to zone %s, but the packet came in by %s"), src, verdict->claimed->id,
		    packet->in);
	else
		say(out, N_("%s belongs to no zone, but the packet came in by %s"), src, packet->in);
}

static void add_unknown(json_t *out, const struct seg_policy *policy, const struct seg_packet *packet,
			const struct seg_verdict *verdict)
{
	char text[SEG_ADDR_STRLEN];
	const char *interface = verdict->from == policy->gateway_zone ? packet->out : packet->in;

	if (seg_addr_family(packet->src) != seg_addr_family(packet->dst))
		say(out, N_("source and destination are not of one address family"));
	else if (verdict->from && !(interface && verdict->from == policy->gateway_zone))
		say(out, N_("destination %s is in no zone"), seg_addr_format(packet->dst, text));
	else if (interface)
		say(out, N_("interface %s belongs to no zone"), interface);
	else if (seg_addr_is_link_local(packet->src) || seg_addr_is_unspecified(packet->src))
		say(out, N_("source %s is in the zone of its interface, which is not known"),
		    seg_addr_format(packet->src, text));
	else
		say(out, N_("source %s is in no zone"), seg_addr_format(packet->src, text));
}

static const char *zone_name(const struct seg_zone *zone)
{
	return zone ? zone->id : "?";
}

static void add_isolated(json_t *out, const struct seg_packet *packet, const struct seg_verdict *verdict)
{
	char text[SEG_ADDR_STRLEN];

	if (verdict->isolated & SEG_ISOLATED_FROM && verdict->from)
		say(out, N_("zone %s is isolated"), verdict->from->id);
	else if (verdict->isolated & (SEG_ISOLATED_FROM | SEG_ISOLATED_SRC))
		say(out, N_("%s is isolated"), seg_addr_format(packet->src, text));
	if (verdict->isolated & SEG_ISOLATED_TO && verdict->to)
		say(out, N_("zone %s is isolated"), verdict->to->id);
	else if (verdict->isolated & (SEG_ISOLATED_TO | SEG_ISOLATED_DST))
		say(out, N_("%s is isolated"), seg_addr_format(packet->dst, text));
}

json_t *seg_verdict_sentences(const struct seg_policy *policy, const struct seg_packet *packet,
			      const struct seg_verdict *verdict, time_t at)
{
	json_t *out = json_array();

	switch (verdict->reason) {
	case SEG_REASON_PERMIT:
		add_permit(out, policy, packet, verdict, at);
		break;
	case SEG_REASON_INTRA:
		add_intra(out, policy, packet, verdict, at);
		break;
	case SEG_REASON_GATEWAY_ESSENTIAL:
		say(out, N_("what keeps the gateway itself on the network needs no permit"));
		break;
	case SEG_REASON_NO_PERMIT:
		say(out, N_("no permit opens anything from %s to %s"), zone_name(verdict->from),
		    zone_name(verdict->to));
		break;
	case SEG_REASON_SPOOFED:
		add_spoofed(out, packet, verdict);
		break;
	case SEG_REASON_DIRECTION:
		say(out, N_("the other side has to begin: %s permits from %s to %s alone"),
		    verdict->nearest->id, zone_name(verdict->to), zone_name(verdict->from));
		break;
	case SEG_REASON_UNKNOWN_ZONE:
		add_unknown(out, policy, packet, verdict);
		break;
	case SEG_REASON_ISOLATED:
		add_isolated(out, packet, verdict);
		break;
	case SEG_REASON_STAGE:
		say(out, N_("closed by the emergency stage in force"));
		break;
	case SEG_REASON_LIMIT: /* says why a packet was refused; no verdict has it */
		break;
	case SEG_REASON_ADDRESS:
	case SEG_REASON_PORT:
	case SEG_REASON_PROTOCOL:
	case SEG_REASON_MAC:
	case SEG_REASON_HOURS:
	case SEG_REASON_DATES:
		add_failures(out, policy, packet, verdict, at);
		break;
	}
	return out;
}

char *seg_verdict_detail(const struct seg_policy *policy, const struct seg_packet *packet,
			 const struct seg_verdict *verdict, time_t at)
{
	json_t *sentences = seg_verdict_sentences(policy, packet, verdict, at);
	char *text = seg_sentences_text(sentences);

	json_decref(sentences);
	return text;
}
