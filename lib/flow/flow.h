/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_FLOW_FLOW_H
#define SEG_FLOW_FLOW_H

/*
 * A flow as conntrack knows it, reduced to what a verdict and a report need.
 *
 * True endpoints (kernel.md, flows 6): src is the initiator (ORIG source), dst the
 * responder (REPLY source, behind DNAT). Plain value.
 */

#include "base/addr.h"

enum seg_flow_event { SEG_FLOW_NEW, SEG_FLOW_DESTROY, SEG_FLOW_DUMPED };

struct seg_flow {
	seg_addr src, dst;
	seg_addr orig_dst, reply_dst;  /* ORIG destination and REPLY destination: differ from dst, src under NAT */
	uint8_t proto;
	uint16_t sport, dport;         /* host order; dport: true one; ICMP: dport is the type, sport the id */
	uint16_t orig_dport, reply_dport;
	uint8_t icmp_code;
	uint32_t mark;
	uint32_t id;                   /* CTA_ID: tells apart two entries of one tuple */
	uint32_t status;               /* IPS_* */
	uint8_t tcp_state;             /* TCP_CONNTRACK_*; 0 none */
	uint32_t timeout;              /* seconds */
	uint64_t packets, bytes, reply_packets, reply_bytes; /* 0 without nf_conntrack_acct */
	uint64_t start_ns;             /* 0 without nf_conntrack_timestamp */
};

#endif
