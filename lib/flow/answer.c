// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/answer.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/utf8.h"
#include "control/sentence.h"
#include "policy/guard.h"

/* --- Questions --- */

/* The format quotes the word at fault; false, for the caller to return. */
static bool wrong(struct seg_strbuf *problem, const char *text, const char *format)
{
	struct seg_strbuf shown = {0};

	seg_utf8_show(&shown, text, strlen(text));
	seg_strbuf_printf(problem, format, seg_strbuf_text(&shown));
	seg_strbuf_fini(&shown);
	return false;
}

/* Does it mean to be an address? Then its own mistake is named, not a host that is not there. */
static bool looks_like_address(const char *text)
{
	return strchr(text, ':') || (text[0] >= '0' && text[0] <= '9' && strpbrk(text, "./"));
}

static bool is_unknown(const struct seg_policy *policy, const char *text)
{
	seg_addr addr;

	return !looks_like_address(text) && !seg_addr_parse(text, strlen(text), &addr) &&
	       !seg_policy_host(policy, text);
}

const char *seg_answer_unknown(const struct seg_policy *policy, const struct seg_query *query)
{
	if (is_unknown(policy, query->src))
		return query->src;
	return is_unknown(policy, query->dst) ? query->dst : NULL;
}

/* An end of the packet as typed: an address, a host, or a name that somebody else may know. */
struct word {
	const char *text;
	seg_addr addr;
	const struct seg_host *host;
	bool named;
};

static bool read_word(const struct seg_policy *policy, struct word *word, struct seg_strbuf *problem)
{
	if (seg_addr_parse(word->text, strlen(word->text), &word->addr))
		return true;
	word->named = !looks_like_address(word->text);
	word->host = policy ? seg_policy_host(policy, word->text) : NULL;
	return word->host || (word->named && !policy) ||
	       wrong(problem, word->text, _("%s is not an address (10.1.0.20, 2001:db8::7)"));
}

/* The first address written of a family that is not taken out again. */
static bool first_of(const struct seg_host *host, enum seg_family family, seg_addr *addr)
{
	for (size_t i = 0; i < host->address.n; i++) {
		*addr = host->address.entry[i].range.lo;
		if (seg_addr_family(*addr) == family && seg_ranges_contain(host->ranges, *addr))
			return true;
	}
	for (size_t i = 0; i < host->ranges.n; i++) {
		*addr = host->ranges.range[i].lo;
		if (seg_addr_family(*addr) == family)
			return true;
	}
	return false;
}

static bool take_family(struct word *word, enum seg_family family)
{
	if (word->host)
		return first_of(word->host, family, &word->addr);
	return word->named || seg_addr_family(word->addr) == family;
}

static bool ask_ends(const struct seg_policy *policy, const struct seg_query *query, struct seg_asked *asked,
		     struct seg_strbuf *problem)
{
	struct word src = {.text = query->src}, dst = {.text = query->dst};

	if (!read_word(policy, &src, problem) || !read_word(policy, &dst, problem))
		return false;
	if (!(take_family(&src, SEG_IPV4) && take_family(&dst, SEG_IPV4)) &&
	    !(take_family(&src, SEG_IPV6) && take_family(&dst, SEG_IPV6))) {
		seg_strbuf_printf(problem, _("%s and %s are not of one address family"), query->src,
				  query->dst);
		return false;
	}
	asked->packet.src = src.addr;
	asked->packet.dst = dst.addr;
	asked->src = src.host;
	asked->dst = dst.host;
	return true;
}

static bool ask_interface(const char *text, struct seg_strbuf *problem)
{
	bool possible = !text || (*text && strlen(text) < IF_NAMESIZE);

	for (const char *c = text; c && *c; c++)
		possible = possible && *c > ' ' && *c < 0x7f && *c != '/';
	return possible || wrong(problem, text, _("%s is not the name of an interface (eth1.140)"));
}

static bool ask_mac(const char *text, struct seg_asked *asked, struct seg_strbuf *problem)
{
	if (!text && !(asked->src && asked->src->has_mac))
		return true;
	asked->packet.mac = asked->mac;
	if (!text) {
		memcpy(asked->mac, asked->src->mac, SEG_MAC_LEN);
		return true;
	}
	return seg_mac_parse(text, strlen(text), asked->mac) ||
	       wrong(problem, text, _("%s is not a MAC address (00:00:5e:00:53:20)"));
}

static bool ask_time(const struct seg_policy *policy, const char *text, time_t now, time_t *at,
		     struct seg_strbuf *problem)
{
	*at = now;
	return !text || seg_time_parse(text, policy ? policy->timezone : NULL, at) ||
	       wrong(problem, text, _("%s is not a time (2026-11-24T10:00, 2026-11-24T01:00Z)"));
}

static bool ask_proto(const char *text, struct seg_packet *packet, struct seg_strbuf *problem)
{
	return seg_proto_parse(text, &packet->proto, &packet->dport) ||
	       wrong(problem, text, _("%s is not a protocol and port (tcp/443, udp/53, icmp/8, proto/112)"));
}

bool seg_answer_ask(const struct seg_policy *policy, const struct seg_query *query, time_t now,
		    struct seg_asked *asked, struct seg_strbuf *problem)
{
	struct seg_packet *packet = &asked->packet;

	*asked = (struct seg_asked){.packet.in = query->in};
	return ask_interface(query->in, problem) && ask_ends(policy, query, asked, problem) &&
	       ask_proto(query->proto, packet, problem) && ask_mac(query->mac, asked, problem) &&
	       ask_time(policy, query->at, now, &asked->at, problem);
}

/* --- explain --- */

static void set_text(json_t *doc, const char *key, const char *text)
{
	json_object_set_new(doc, key, text ? json_string(text) : json_null());
}

static void set_zone(json_t *doc, const char *key, const char *title_key, const struct seg_zone *zone)
{
	set_text(doc, key, zone ? zone->id : NULL);
	set_text(doc, title_key, zone ? zone->title : NULL);
}

static json_t *failed_parts(const struct seg_verdict *verdict)
{
	json_t *list = json_array();

	for (enum seg_reason reason = SEG_REASON_PERMIT; reason <= SEG_REASON_UNKNOWN_ZONE; reason++)
		if (verdict->failed & (1u << reason))
			json_array_append_new(list, json_string(seg_reason_name(reason)));
	return list;
}

/*
 * "opens": when the nearest permit's own hours and dates open it next; null: never, or they are not what fails.
 * "next": the same where nothing else fails, so that the packet passes then.
 */
static void set_next(json_t *doc, const struct seg_policy *policy, const struct seg_verdict *verdict,
		     time_t at)
{
	const unsigned times = 1u << SEG_REASON_HOURS | 1u << SEG_REASON_DATES;
	const char *opens = NULL;
	char text[SEG_TIME_STRLEN];
	time_t next = 0;

	if (verdict->failed & times)
		next = seg_permit_opens(policy, verdict->nearest, at);
	if (next)
		opens = seg_time_format(next, policy->timezone, text);
	set_text(doc, "opens", opens);
	set_text(doc, "next", verdict->failed & ~times ? NULL : opens);
}

/* The rule of the guard by which the missing permit cannot be had; null: one may be applied for. */
static void set_barred(json_t *doc, const struct seg_policy *policy, const struct seg_verdict *verdict)
{
	bool missing = verdict->reason == SEG_REASON_NO_PERMIT && verdict->from && verdict->to;

	set_text(doc, "barred", missing ? seg_guard_bars(policy, verdict->from, verdict->to) : NULL);
}

json_t *seg_answer_explain(const struct seg_policy *policy, const struct seg_packet *packet,
			   const struct seg_verdict *verdict, time_t at)
{
	const struct seg_permit *permit = verdict->by ? verdict->by : verdict->nearest;
	char src[SEG_ADDR_STRLEN], dst[SEG_ADDR_STRLEN], service[SEG_SERVICE_STRLEN], time[SEG_TIME_STRLEN];
	char mac[SEG_MAC_STRLEN];
	json_t *sentences = seg_verdict_sentences(policy, packet, verdict, at);
	char *detail = seg_sentences_text(sentences);
	bool admitted = verdict->permit && verdict->by;
	json_t *doc = json_object();

	set_text(doc, "verdict", verdict->permit ? "permit" : "deny");
	set_text(doc, "reason", seg_reason_name(verdict->reason));
	/* What is isolated or staged out is denied although a permit covers it: none comes nearer. */
	set_text(doc, "permit", admitted ? permit->id : NULL);
	set_text(doc, "nearest", permit && !admitted ? permit->id : NULL);
	set_zone(doc, "from", "from-title", verdict->from);
	set_zone(doc, "to", "to-title", verdict->to);
	set_text(doc, "detail", detail);
	set_text(doc, "at", seg_time_format(at, policy->timezone, time));
	json_object_set_new(doc, "failed", failed_parts(verdict));
	set_next(doc, policy, verdict, at);
	set_barred(doc, policy, verdict);
	set_text(doc, "title", permit ? permit->title : NULL);
	set_text(doc, "file", permit && permit->place.id.source ? permit->place.id.source->name : NULL);
	json_object_set_new(doc, "line", permit ? json_integer(seg_place_position(&permit->place.id).line) : json_null());
	set_text(doc, "src", seg_addr_format(packet->src, src));
	set_text(doc, "dst", seg_addr_format(packet->dst, dst));
	set_text(doc, "service", seg_proto_format(packet->proto, packet->dport, service));
	set_text(doc, "in", packet->in);
	set_text(doc, "mac", packet->mac ? seg_mac_format(packet->mac, mac) : NULL);
	json_object_set_new(doc, "sentences", sentences);
	free(detail);
	return doc;
}

void seg_answer_add(json_t *doc, json_t *sentence)
{
	json_t *sentences = json_object_get(doc, "sentences");
	char *detail;

	json_array_append_new(sentences, sentence);
	detail = seg_sentences_text(sentences);
	set_text(doc, "detail", detail);
	free(detail);
}

static void put_host(json_t *doc, const char *key, const struct seg_host *host)
{
	bool several = host && (host->ranges.n > 1 || host->ranges.range[0].lo != host->ranges.range[0].hi);

	set_text(doc, key, host ? host->id : NULL);
	if (several)
		seg_answer_add(doc,
			       seg_sentence_new("of the addresses of %s the first is asked about", host->id));
}

void seg_answer_put_hosts(json_t *doc, const struct seg_asked *asked)
{
	put_host(doc, "src-host", asked->src);
	put_host(doc, "dst-host", asked->dst);
}

static bool passes_as_gateway(const struct seg_policy *policy, const struct seg_asked *asked, seg_addr addr)
{
	struct seg_gateway_addr own = {.addr = addr};
	struct seg_gateway gateway = {&own, 1};

	return seg_classify(policy, &gateway, &asked->packet, asked->at).permit;
}

/* Would the answer be another if an end were the gateway? Two ends in one zone that speak through the gateway
 * seldom are what was meant. */
static bool may_be_gateway(const struct seg_policy *policy, const struct seg_asked *asked,
			   const struct seg_verdict *verdict)
{
	const struct seg_zone *gateway = policy->gateway_zone;

	if (verdict->permit || verdict->from == gateway || verdict->to == gateway)
		return false;
	return (!asked->dst && (verdict->reason == SEG_REASON_INTRA ||
				passes_as_gateway(policy, asked, asked->packet.dst))) ||
	       (!asked->src && passes_as_gateway(policy, asked, asked->packet.src));
}

void seg_answer_put_gateway(json_t *doc, const struct seg_policy *policy, const struct seg_asked *asked,
			    const struct seg_verdict *verdict)
{
	bool unknown = may_be_gateway(policy, asked, verdict);

	json_object_set_new(doc, "gateway-unknown", json_boolean(unknown));
	if (unknown)
		seg_answer_add(
			doc, seg_sentence_new("which addresses are the gateway's own is not known here, for "
					      "the policy has no key 'gateway'"));
}

/* --- matrix --- */

static const struct seg_zone *zone_at(const struct seg_policy *policy, size_t index)
{
	return index < policy->zones ? &policy->zone[index] : policy->gateway_zone;
}

static bool next_open_pair(struct seg_pairs *walk, struct seg_pair *pair)
{
	while (seg_pairs_next(walk, pair))
		if (!seg_side_is_empty(pair->from) && !seg_side_is_empty(pair->to))
			return true;
	return false;
}

static void add_cell(json_t *cells, const struct seg_policy *policy, const struct seg_index *index,
		     const struct seg_zone *from, const struct seg_zone *to)
{
	bool intra = from == to && from->intra_allow;
	struct seg_pairs walk;
	struct seg_pair pair;
	json_t *permits;
	bool some;

	seg_pairs_begin(&walk, policy, index, from, to);
	some = next_open_pair(&walk, &pair);
	if (!some && !intra)
		return;
	permits = json_array();
	for (; some; some = next_open_pair(&walk, &pair))
		json_array_append_new(permits, json_string(pair.permit->id));
	json_array_append_new(cells, json_pack("{s:s, s:s, s:o, s:b}", "from", from->id, "to", to->id,
					       "permits", permits, "intra", intra));
}

json_t *seg_answer_matrix(const struct seg_policy *policy)
{
	struct seg_index *index = seg_index_new(policy);
	json_t *zones = json_array(), *cells = json_array();

	for (size_t f = 0; f <= policy->zones; f++) {
		json_array_append_new(zones, json_string(zone_at(policy, f)->id));
		for (size_t t = 0; t <= policy->zones; t++)
			add_cell(cells, policy, index, zone_at(policy, f), zone_at(policy, t));
	}
	seg_index_free(index);
	return json_pack("{s:o, s:o}", "zones", zones, "cells", cells);
}
