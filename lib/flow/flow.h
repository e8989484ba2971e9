/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_FLOW_FLOW_H
#define SEG_FLOW_FLOW_H

/*
 * A flow as conntrack knows it, reduced to what a verdict and a report need.
 *
 * True endpoints (kernel.md, flows 6): src is the initiator (ORIG source), dst the
 * responder (REPLY source, behind DNAT). Plain value.
 *
 * Ports are those of tcp, udp, sctp, dccp and udplite. For ICMP dport and orig_dport are
 * the type of the first packet, sport is its id, reply_dport the id as the responder sees
 * it. For GRE sport and orig_dport are its keys (only a delete needs them), dport is 0.
 */

#include "base/addr.h"

/* UPDATED: by another process; what packets change is not told. */
enum seg_flow_event { SEG_FLOW_NEW, SEG_FLOW_DESTROY, SEG_FLOW_DUMPED, SEG_FLOW_UPDATED };

struct seg_flow {
	seg_addr src, dst;
	seg_addr orig_dst, reply_dst;  /* ORIG destination and REPLY destination: differ from dst, src under NAT */
	uint8_t proto;
	uint16_t sport, dport;         /* host order; dport: the true one */
	uint16_t orig_dport, reply_dport;
	uint8_t icmp_code;
	uint32_t mark;
	uint32_t id;                   /* CTA_ID: tells apart two entries of one tuple */
	uint16_t ct_zone;              /* conntrack zone, if others use them; only a delete needs it */
	bool ct_zone_orig;             /* it holds for the original direction alone */
	uint32_t status;               /* IPS_* */
	uint8_t tcp_state;             /* TCP_CONNTRACK_*; 0 none */
	uint32_t timeout;              /* seconds */
	uint64_t packets, bytes, reply_packets, reply_bytes; /* 0 without nf_conntrack_acct */
	uint64_t start_ns;             /* 0 without nf_conntrack_timestamp */
};

/* An address of an IPv6 packet, 16 bytes. An IPv4-mapped one there is nobody's (addr.h): it is
 * read as ::, so that it cannot pass for the IPv4 host it names. */
static inline seg_addr seg_flow_addr6(const void *bytes)
{
	seg_addr addr = seg_addr_from_bytes(SEG_IPV6, bytes);

	return seg_addr_family(addr) == SEG_IPV6 ? addr : 0;
}

#endif
