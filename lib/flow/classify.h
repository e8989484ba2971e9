/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_FLOW_CLASSIFY_H
#define SEG_FLOW_CLASSIFY_H

/*
 * The verdict on one packet that begins a flow: the product's second pure
 * function. explain, the conntrack watcher and the denial reports all ask here,
 * and plan_build() must agree with it on every packet (tests/unit and tests/net
 * prove it on random policies).
 *
 * Precedence: permits in file order; the first that covers the packet and is in
 * force wins. A verdict never depends on anything but its arguments.
 */

#include "flow/index.h"
#include "policy/closure.h"

/* The gateway's own addresses, each on the interfaces of a zone. */
struct seg_gateway_addr {
	seg_addr addr;
	const char *interface;       /* NULL offline: the interface of the zone that holds it */
};
struct seg_gateway {
	const struct seg_gateway_addr *addr;
	size_t n;
};
/* From the policy's own `gateway` key. */
struct seg_gateway seg_gateway_from_policy(const struct seg_policy *policy, struct seg_arena *arena);

/* No packet has it: of icmp all types are asked about, and only a service that has all of them is right. */
#define SEG_NO_TYPE 256

struct seg_packet {
	const char *in;              /* ingress interface; NULL: that of the source's zone, or output */
	const char *out;             /* egress interface of a packet the gateway sends to a group; NULL */
	const uint8_t *mac;          /* source MAC; NULL: unknown */
	seg_addr src, dst;           /* true endpoints: initiator and responder */
	uint8_t proto;               /* IPPROTO_* */
	uint16_t sport, dport;       /* host order; dport is the type for icmp and icmpv6; 0 elsewhere, and where a
				      * question names no port; SEG_NO_TYPE: one that names no type */
	bool no_mac;                 /* do not judge MACs (conntrack cannot know them) */
};

enum seg_reason {
	SEG_REASON_PERMIT, SEG_REASON_INTRA, SEG_REASON_GATEWAY_ESSENTIAL, SEG_REASON_NO_PERMIT,
	SEG_REASON_SPOOFED, SEG_REASON_ADDRESS, SEG_REASON_PORT, SEG_REASON_PROTOCOL, SEG_REASON_MAC,
	SEG_REASON_HOURS, SEG_REASON_DATES, SEG_REASON_DIRECTION, SEG_REASON_ISOLATED,
	SEG_REASON_STAGE, SEG_REASON_UNKNOWN_ZONE,
	SEG_REASON_LIMIT /* of a refused packet alone: permitted, but its zone has reached its limit; no verdict */
};
const char *seg_reason_name(enum seg_reason reason); /* "gateway-essential": stable, used in JSON */

struct seg_verdict {
	bool permit;                 /* may it begin? */
	enum seg_reason reason;
	const struct seg_permit *by;      /* the permit that admits it; NULL */
	const struct seg_permit *nearest; /* denied: the permit that fails in the fewest parts, time the least of them; NULL */
	unsigned failed;             /* denied by nearest: bit mask of SEG_REASON_ADDRESS..DATES and STAGE, 1u << reason */
	const struct seg_zone *from, *to; /* NULL: in no zone */
	const struct seg_zone *claimed;   /* spoofed: the zone whose address it bears; NULL: none */
	unsigned isolated;           /* SEG_REASON_ISOLATED: bit mask of SEG_ISOLATED_* */
};

/* Which end is isolated: by itself, or its whole zone. */
#define SEG_ISOLATED_SRC 1u
#define SEG_ISOLATED_FROM 2u
#define SEG_ISOLATED_DST 4u
#define SEG_ISOLATED_TO 8u

struct seg_verdict seg_classify(const struct seg_policy *policy, const struct seg_gateway *gateway,
				const struct seg_packet *packet, time_t at);

/* The same verdict through an index of the policy, for whoever judges many. */
struct seg_verdict seg_classify_indexed(const struct seg_policy *policy, const struct seg_index *index,
					const struct seg_gateway *gateway, const struct seg_packet *packet,
					time_t at);

/* The same while something is closed beyond the policy's words (closure NULL: nothing is). */
struct seg_verdict seg_classify_closed(const struct seg_policy *policy, const struct seg_index *index,
				       const struct seg_gateway *gateway, const struct seg_closure *closure,
				       const struct seg_packet *packet, time_t at);

/* One sentence for people: what passes or which part failed and what the permit allows instead:
 * "port 444, SC-13 permits tcp/443"; "outside hours, opens 2026-11-24T08:00:00+09:00";
 * "expired 2026-08-31". Translated. The caller frees. */
char *seg_verdict_detail(const struct seg_policy *policy, const struct seg_packet *packet,
			 const struct seg_verdict *verdict, time_t at);

/* The first instant after `at` at which a permit that is not in force is again; 0: never. */
time_t seg_permit_opens(const struct seg_policy *policy, const struct seg_permit *permit, time_t at);

/* "tcp/443", "icmp/8", "proto/112", "47", "tcp" (port 0): protocol and port of a packet, as in cli.md. Formatted,
 * port 0 of tcp and udp is none. Without its type icmp has SEG_NO_TYPE. */
bool seg_proto_parse(const char *text, uint8_t *proto, uint16_t *port);
const char *seg_proto_format(uint8_t proto, uint16_t port, char buf[static SEG_SERVICE_STRLEN]);
/* The protocol alone, as alerts and lists name it: "tcp", "icmpv6", "112". */
const char *seg_proto_name(uint8_t proto, char buf[static SEG_SERVICE_STRLEN]);

#endif
