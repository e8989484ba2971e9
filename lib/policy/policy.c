// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/policy.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "policy/parts.h"

struct seg_zone_net {
	struct seg_range range;
	const struct seg_zone *zone;
};

const char *seg_tier_name(enum seg_tier tier)
{
	static const char *const name[] = {
		[SEG_TIER_MYNUMBER] = N_("mynumber"),	  [SEG_TIER_LGWAN] = N_("lgwan"),
		[SEG_TIER_INTERNET] = N_("internet"),	  [SEG_TIER_SANITISER] = N_("sanitiser"),
		[SEG_TIER_MANAGEMENT] = N_("management"), [SEG_TIER_EXTERNAL] = N_("external"),
		[SEG_TIER_SEPARATE] = N_("separate"),	  [SEG_TIER_GATEWAY] = "gateway",
	};

	return name[tier];
}

const char *seg_class_name(enum seg_class class)
{
	static const char *const name[] = {
		[SEG_CLASS_SPECIFIC] = N_("specific"),	   [SEG_CLASS_SANITISED] = N_("sanitised"),
		[SEG_CLASS_BREAKOUT] = N_("breakout"),	   [SEG_CLASS_MAINTENANCE] = N_("maintenance"),
		[SEG_CLASS_OPERATIONS] = N_("operations"), [SEG_CLASS_INTERNAL] = N_("internal"),
	};

	return name[class];
}

const char *seg_method_name(enum seg_method method)
{
	static const char *const name[] = {
		[SEG_METHOD_NONE] = "none",
		[SEG_METHOD_MAIL] = "mail",
		[SEG_METHOD_SCREEN] = "screen",
		[SEG_METHOD_FILE] = "file",
	};

	return name[method];
}

const char *seg_assurance_name(enum seg_assurance assurance)
{
	static const char *const name[] = {
		[SEG_ASSURANCE_NONE] = "none",
		[SEG_ASSURANCE_CLOSED] = "closed",
		[SEG_ASSURANCE_CERTIFIED] = "certified",
	};

	return name[assurance];
}

void seg_policy_free(struct seg_policy *policy)
{
	/* The policy itself lies in its arena. */
	if (policy)
		seg_arena_free(policy->arena);
}

static int compare_net(const void *a, const void *b)
{
	const struct seg_zone_net *x = a, *y = b;

	return x->range.lo < y->range.lo ? -1 : x->range.lo > y->range.lo;
}

void seg_policy_index_networks(struct seg_policy *policy)
{
	struct seg_zone_net *net;
	size_t n = 0;

	for (size_t z = 0; z < policy->zones; z++)
		n += policy->zone[z].nets.n;
	net = SEG_NEW_N(policy->arena, struct seg_zone_net, n);
	policy->nets = n;
	policy->net = net;
	for (size_t z = 0; z < policy->zones; z++) {
		const struct seg_zone *zone = &policy->zone[z];

		for (size_t i = 0; i < zone->nets.n; i++)
			*net++ = (struct seg_zone_net){.range = zone->nets.range[i], .zone = zone};
	}
	qsort(net - n, n, sizeof(*net), compare_net);
}

const struct seg_zone *seg_policy_zone_of(const struct seg_policy *policy, seg_addr addr)
{
	size_t lo = 0, hi = policy->nets;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;
		const struct seg_zone_net *net = &policy->net[middle];

		if (addr < net->range.lo)
			hi = middle;
		else if (addr > net->range.hi)
			lo = middle + 1;
		else
			return net->zone;
	}
	return NULL;
}

const struct seg_zone *seg_policy_zone(const struct seg_policy *policy, const char *id)
{
	return seg_map_get(&policy->zone_by_id, id);
}

const struct seg_host *seg_policy_host(const struct seg_policy *policy, const char *id)
{
	for (size_t i = 0; i < policy->hosts; i++)
		if (strcmp(policy->host[i].id, id) == 0)
			return &policy->host[i];
	return NULL;
}

const struct seg_permit *seg_policy_permit(const struct seg_policy *policy, const char *id)
{
	return seg_map_get(&policy->permit_by_id, id);
}

const struct seg_stage *seg_policy_stage(const struct seg_policy *policy, const char *id)
{
	for (size_t i = 0; i < policy->stages; i++)
		if (strcmp(policy->stage[i].id, id) == 0)
			return &policy->stage[i];
	return NULL;
}

bool seg_zone_has_interface(const struct seg_zone *zone, const char *name)
{
	for (size_t i = 0; i < zone->interfaces; i++) {
		const struct seg_interface *interface = &zone->interface[i];

		if (interface->prefix ? strncmp(name, interface->name, strlen(interface->name)) == 0
				      : strcmp(name, interface->name) == 0)
			return true;
	}
	return false;
}

bool seg_side_is_empty(const struct seg_side *side)
{
	return !side->whole && side->ranges.n == 0 && side->n_bound == 0;
}

bool seg_side_has(const struct seg_side *side, seg_addr addr, const uint8_t *mac)
{
	if (side->whole)
		return side->zone->tier == SEG_TIER_GATEWAY || seg_ranges_contain(side->zone->nets, addr);
	if (seg_ranges_contain(side->ranges, addr))
		return true;
	for (size_t i = 0; i < side->n_bound; i++) {
		const struct seg_bound *bound = &side->bound[i];

		if (addr >= bound->range.lo && addr <= bound->range.hi &&
		    (!mac || memcmp(mac, bound->mac, SEG_MAC_LEN) == 0))
			return true;
	}
	return false;
}

/* The last value an item of this protocol may name: a port or a type; UINT16_MAX where it has neither. */
static uint16_t last_value(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 ? UINT8_MAX : UINT16_MAX;
}

static bool has_values(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_ICMP ||
	       proto == IPPROTO_ICMPV6;
}

static const char *proto_word(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	default:
		return "icmpv6";
	}
}

const char *seg_service_item_format(const struct seg_service_item *item, char buf[static SEG_SERVICE_STRLEN])
{
	if (item->any)
		snprintf(buf, SEG_SERVICE_STRLEN, "any");
	else if (!has_values(item->proto))
		snprintf(buf, SEG_SERVICE_STRLEN, "proto/%u", item->proto);
	else if (item->lo == item->hi)
		snprintf(buf, SEG_SERVICE_STRLEN, "%s/%u", proto_word(item->proto), item->lo);
	else
		snprintf(buf, SEG_SERVICE_STRLEN, "%s/%u-%u", proto_word(item->proto), item->lo, item->hi);
	return buf;
}

/* Decimal digits without leading zeros; beyond six digits the value is UINT32_MAX. */
static bool parse_number(const char *text, size_t len, uint32_t *number)
{
	if (len == 0 || (len > 1 && text[0] == '0'))
		return false;
	*number = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*number = i < 6 ? *number * 10 + (uint32_t)(text[i] - '0') : UINT32_MAX;
	}
	return true;
}

static bool parse_protocol(const char *text, size_t len, uint8_t *proto)
{
	static const uint8_t known[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};

	for (size_t i = 0; i < sizeof(known); i++) {
		if (strlen(proto_word(known[i])) == len && memcmp(proto_word(known[i]), text, len) == 0) {
			*proto = known[i];
			return true;
		}
	}
	return false;
}

static bool fail(enum seg_diag_code *code, enum seg_diag_code is, const char **reason, const char *because)
{
	*code = is;
	*reason = because;
	return false;
}

/* A value or a range of values behind the slash. */
static bool parse_values(const char *text, size_t len, uint32_t *lo, uint32_t *hi)
{
	const char *dash = memchr(text, '-', len);
	size_t first = dash ? (size_t)(dash - text) : len;

	if (!parse_number(text, first, lo))
		return false;
	*hi = *lo;
	return !dash || parse_number(dash + 1, len - first - 1, hi);
}

bool seg_service_item_parse(const char *text, size_t len, struct seg_service_item *item,
			    enum seg_diag_code *code, const char **reason)
{
	const char *slash = memchr(text, '/', len);
	size_t word = slash ? (size_t)(slash - text) : len;
	bool whole = word == 5 && memcmp(text, "proto", 5) == 0;
	uint32_t lo, hi;

	*item = (struct seg_service_item){.hi = UINT16_MAX};
	if (len == 3 && memcmp(text, "any", 3) == 0) {
		item->any = true;
		return true;
	}
	if (!slash)
		return fail(code, SEG_TYPE, reason,
			    N_("a service is written like tcp/443, udp/5000-5010, icmp/8 or proto/112"));
	if (!whole && !parse_protocol(text, word, &item->proto))
		return fail(code, SEG_TYPE, reason,
			    N_("the protocol must be tcp, udp, icmp, icmpv6 or proto"));
	if (!parse_values(slash + 1, len - word - 1, &lo, &hi))
		return fail(code, SEG_TYPE, reason,
			    N_("behind the slash stands a number or a range such as 5000-5010"));
	if (whole) {
		if (lo != hi || memchr(slash, '-', len - word))
			return fail(code, SEG_TYPE, reason,
				    N_("proto takes one protocol number, not a range"));
		if (lo > UINT8_MAX)
			return fail(code, SEG_RANGE, reason, N_("protocol numbers end at 255"));
		item->proto = (uint8_t)lo;
		item->hi = last_value(item->proto);
		return true;
	}
	if (hi > last_value(item->proto) || lo > last_value(item->proto))
		return fail(code, SEG_RANGE, reason,
			    last_value(item->proto) == UINT8_MAX ? N_("ICMP types end at 255")
								 : N_("ports end at 65535"));
	if (lo > hi)
		return fail(code, SEG_RANGE, reason, N_("the range ends before it begins"));
	item->lo = (uint16_t)lo;
	item->hi = (uint16_t)hi;
	return true;
}

bool seg_service_item_has(const struct seg_service_item *item, uint8_t proto, uint16_t port)
{
	if (item->any)
		return true;
	return item->proto == proto && port >= item->lo && port <= item->hi;
}
