/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_POLICY_H
#define SEG_POLICY_POLICY_H

/*
 * The model: what a policy file says, resolved and immutable.
 *
 * policy/load.c builds it from YAML, everything else only reads it. Names are
 * resolved to pointers and indices, lists to address ranges; each object keeps
 * the place in the file it came from, so that the guard, the compiler and even
 * a refusal by the kernel can point there. One arena, freed by seg_policy_free().
 *
 * Invariants of a policy that loaded without errors (G10 is part of loading):
 * networks of two zones are disjoint; a zone with `any` holds whatever no other
 * zone's networks hold, minus IPv4-mapped IPv6; every address has at most one zone;
 * a host's addresses lie in one zone or all outside any.
 */

#include "base/arena.h"
#include "base/calendar.h"
#include "base/diag.h"
#include "base/map.h"
#include "base/ranges.h"
#include "policy/flaws.h"

enum seg_tier {
	SEG_TIER_MYNUMBER, SEG_TIER_LGWAN, SEG_TIER_INTERNET, SEG_TIER_SANITISER,
	SEG_TIER_MANAGEMENT, SEG_TIER_EXTERNAL, SEG_TIER_SEPARATE,
	SEG_TIER_GATEWAY /* the pseudo-zone "gateway" alone */
};
enum seg_class {
	SEG_CLASS_SPECIFIC, SEG_CLASS_SANITISED, SEG_CLASS_BREAKOUT,
	SEG_CLASS_MAINTENANCE, SEG_CLASS_OPERATIONS, SEG_CLASS_INTERNAL
};
enum seg_method { SEG_METHOD_NONE, SEG_METHOD_MAIL, SEG_METHOD_SCREEN, SEG_METHOD_FILE };
enum seg_assurance { SEG_ASSURANCE_NONE, SEG_ASSURANCE_CLOSED, SEG_ASSURANCE_CERTIFIED };
enum seg_guard { SEG_GUARD_MUNICIPAL, SEG_GUARD_NONE };

/* The English value as in policy.md ("mynumber", "specific", "screen", "certified"). */
const char *seg_tier_name(enum seg_tier tier);
const char *seg_class_name(enum seg_class class);
#define SEG_CLASSES (SEG_CLASS_INTERNAL + 1)
const char *seg_method_name(enum seg_method method);
const char *seg_assurance_name(enum seg_assurance assurance);

/* One entry of a list of addresses, as written. */
struct seg_entry {
	struct seg_range range;
	struct seg_place place;      /* in the policy, or in the file of a file: entry */
};
struct seg_entries {
	const struct seg_entry *entry;
	size_t n;
};

struct seg_interface {
	const char *name;            /* without the '*' */
	bool prefix;                 /* a trailing '*' stood there */
	struct seg_place place;
};

/* How much of conntrack's table a zone may hold, by the flows that it begins. */
#define SEG_LIMIT_SHARE 100          /* percent of the table where the policy says nothing */
struct seg_limit {
	uint32_t flows;              /* 0: by share */
	unsigned share;              /* percent of the table, 1 to 100; where flows is 0 */
	uint32_t rate;               /* new flows a second; 0: as many as come */
};

struct seg_zone {
	unsigned index;              /* into policy->zone; the gateway's is policy->zones */
	const char *id, *title;      /* title: the id where none is given */
	enum seg_tier tier;
	const struct seg_interface *interface;
	size_t interfaces;
	struct seg_entries networks; /* as written, `any` left out */
	bool any;
	struct seg_ranges nets;      /* normalised; for `any` with the rest included */
	bool intra_allow, routed, wan, uplink, public, reject;
	unsigned flaws;              /* SEG_ZONE_*: policy/flaws.h; 0 in all that loaded, like the others */
	struct seg_limit limit;
	struct seg_place place;      /* of the id */
	struct seg_place any_place;
};

struct seg_host {
	const char *id, *title;
	struct seg_entries address;  /* as written */
	struct seg_entries except;
	struct seg_ranges ranges;    /* address less except */
	bool has_mac;
	uint8_t mac[SEG_MAC_LEN];
	enum seg_assurance assurance;
	const char *published;       /* NULL */
	const struct seg_zone *zone; /* where its addresses lie; NULL: in none */
	bool used;                   /* some permit names it */
	unsigned flaws;              /* SEG_HOST_* */
	struct seg_place place, address_place, mac_place;
};

/* One protocol with a range of ports (tcp, udp), of types (icmp, icmpv6), or whole. */
struct seg_service_item {
	bool any;                    /* every protocol */
	uint8_t proto;               /* IPPROTO_* */
	uint16_t lo, hi;             /* ports or types; 0..65535 / 0..255 where whole */
	struct seg_place place;      /* of the item as written at its service or inline */
};
struct seg_service {
	const char *id;
	const struct seg_service_item *item;
	size_t n;
	bool used;
	unsigned flaws;              /* SEG_FLAWED or none */
	struct seg_place place;
};

/* One entry of a permit's `source` or `destination`. */
struct seg_operand {
	const struct seg_host *host; /* or NULL and an inline range: */
	struct seg_range range;
	struct seg_place place;
};
/* One entry of a permit's `service`. */
struct seg_service_ref {
	const struct seg_service *service; /* or NULL and inline: */
	struct seg_service_item item;
	struct seg_place place;
};

/* The addresses that a permit means on one side in one of its zones. */
struct seg_bound {
	struct seg_range range;
	uint8_t mac[SEG_MAC_LEN];
};
struct seg_side {
	const struct seg_zone *zone;
	bool whole;                  /* no list: the whole zone (for the gateway: see policy.md, 3) */
	struct seg_ranges ranges;    /* otherwise: of listed hosts without a mac and inline entries */
	const struct seg_bound *bound; /* source side: addresses valid with this MAC alone */
	size_t n_bound;
	struct seg_place place;      /* of the zone's name in from or to */
};

#define SEG_MEANING_STRLEN 33
struct seg_permit {
	unsigned index;              /* its order in the file */
	char meaning[SEG_MEANING_STRLEN]; /* policy/meaning.h */
	const char *id, *title;
	enum seg_class class;
	enum seg_method method;
	const struct seg_side *from, *to;
	size_t n_from, n_to;
	const struct seg_operand *source, *destination;
	size_t n_source, n_destination; /* 0: left out */
	const struct seg_service_ref *service;
	size_t n_service;
	const struct seg_service_item *item; /* the services flattened */
	size_t n_items;
	struct seg_schedule schedule;
	bool has_valid;
	bool drain;                  /* at-close: drain */
	unsigned flaws;              /* SEG_PERMIT_* */
	const char *owner, *approver, *ticket, *basis, *external_audit; /* NULL where left out */
	seg_date review;             /* 0 where left out */
	struct {
		struct seg_place permit, id, class, from, to, source, destination, service, method, hours, valid,
			valid_from, valid_until, at_close, owner, approver, ticket, basis, review, external_audit;
	} place; /* source == NULL in a place: the key is not there */
};

/* An emergency stage: what is closed while it is in force. */
#define SEG_STAGE_NONE "normal" /* no stage has this id: it means none */
struct seg_stage {
	const char *id, *title;      /* title: the id where none is given */
	const struct seg_permit *const *permit;
	size_t permits;
	unsigned classes;            /* bit mask, 1u << enum seg_class */
	const struct seg_zone *const *zone; /* closed whole: to, from and inside */
	size_t zones;
	struct seg_place place;      /* of the id */
};

struct seg_policy {
	struct seg_arena *arena;
	const char *site;            /* NULL */
	const char *timezone;        /* NULL: the system's */
	enum seg_guard guard;
	struct seg_place guard_place;
	bool has_gateway;            /* the key stands in the file */
	struct seg_entries gateway;  /* single addresses */
	const struct seg_zone *zone;
	size_t zones;
	const struct seg_zone *gateway_zone; /* id "gateway", index == zones */
	const struct seg_host *host;
	size_t hosts;
	const struct seg_service *service;
	size_t services;
	const struct seg_permit *permit;
	size_t permits;
	const struct seg_stage *stage;
	size_t stages;
	struct seg_ranges named;     /* union of all written networks; `any` is the rest */
	bool nets_flawed;            /* which zone holds an address is not sure; false in one that loaded */
	char hash[65];               /* SHA-256, hex, over the text and every file: list it reads */
	/* Everything read, the policy first: what is stored so that an old version means what it meant. */
	const struct seg_source *const *source;
	size_t sources;
	/* private to policy.c and the loader: lookup from address to zone, and by name */
	const struct seg_zone_net *net;
	size_t nets;
	struct seg_map zone_by_id, permit_by_id;
};

void seg_policy_free(struct seg_policy *policy); /* NULL allowed */

/* The zone whose networks hold an address (binary search); NULL. Knows nothing of the
 * gateway's own addresses: classify does. */
const struct seg_zone *seg_policy_zone_of(const struct seg_policy *policy, seg_addr addr);
const struct seg_zone *seg_policy_zone(const struct seg_policy *policy, const char *id); /* NULL; knows "gateway" */
const struct seg_host *seg_policy_host(const struct seg_policy *policy, const char *id); /* NULL */
const struct seg_permit *seg_policy_permit(const struct seg_policy *policy, const char *id); /* NULL */
const struct seg_stage *seg_policy_stage(const struct seg_policy *policy, const char *id); /* NULL */
/* Does the zone own an interface of this name? */
bool seg_zone_has_interface(const struct seg_zone *zone, const char *name);
/* Is this address of a side of the permit (bound ones included)? mac NULL: any will do. The whole
 * gateway takes every address: whether it is the gateway's own is classify's to know. */
bool seg_side_has(const struct seg_side *side, seg_addr addr, const uint8_t *mac);
/* No listed address lies in this zone: here the permit opens nothing. */
bool seg_side_is_empty(const struct seg_side *side);

/* "tcp/443", "udp/3478-3481", "icmp/8", "proto/112", "any". */
#define SEG_SERVICE_STRLEN 24
const char *seg_service_item_format(const struct seg_service_item *item, char buf[static SEG_SERVICE_STRLEN]);
/* The same read; false and code SEG_TYPE or SEG_RANGE with a static English reason otherwise. */
bool seg_service_item_parse(const char *text, size_t len, struct seg_service_item *item,
			    enum seg_diag_code *code, const char **reason);
/* Does the item cover this protocol and port (or ICMP type)? */
bool seg_service_item_has(const struct seg_service_item *item, uint8_t proto, uint16_t port);

#endif
