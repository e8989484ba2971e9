// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The headers of a refused packet. Everything here is an attacker's: each read is checked
 * against what is there, and the walk over IPv6's extension headers has an end.
 */
#include <netinet/in.h>

#include "flow/flow.h"
#include "kernel/nflog.h"

#define EXTENSIONS_MAX 8

static uint16_t be16_at(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Ports, or the ICMP type; what is cut off stays 0. */
static void read_transport(const uint8_t *bytes, size_t len, struct seg_refused *r)
{
	switch (r->proto) {
	case IPPROTO_TCP:
		if (len >= 14)
			r->tcp_flags = bytes[13];
		/* fallthrough */
	case IPPROTO_UDP:
		if (len < 4)
			return;
		r->sport = be16_at(bytes);
		r->dport = be16_at(bytes + 2);
		return;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (len >= 1)
			r->dport = bytes[0];
		return;
	}
}

static bool parse_ipv4(const uint8_t *bytes, size_t len, struct seg_refused *r)
{
	size_t header = (size_t)(bytes[0] & 0x0f) * 4;

	if (len < 20 || header < 20)
		return false;
	r->src = seg_addr_from_bytes(SEG_IPV4, bytes + 12);
	r->dst = seg_addr_from_bytes(SEG_IPV4, bytes + 16);
	r->proto = bytes[9];
	if (header <= len && (be16_at(bytes + 6) & 0x1fff) == 0)
		read_transport(bytes + header, len - header, r);
	return true;
}

/* The length of an extension header that begins at bytes (8 are there); 0: it is none. *later: a
 * fragment other than the first follows, whose bytes are no header. */
static size_t extension_len(uint8_t kind, const uint8_t *bytes, bool *later)
{
	switch (kind) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return ((size_t)bytes[1] + 1) * 8;
	case IPPROTO_AH:
		return ((size_t)bytes[1] + 2) * 4;
	case IPPROTO_FRAGMENT:
		*later = (be16_at(bytes + 2) & 0xfff8) != 0;
		return 8;
	}
	return 0;
}

static bool parse_ipv6(const uint8_t *bytes, size_t len, struct seg_refused *r)
{
	size_t at = 40;
	bool later = false;

	if (len < 40)
		return false;
	r->src = seg_flow_addr6(bytes + 8);
	r->dst = seg_flow_addr6(bytes + 24);
	r->proto = bytes[6];
	for (int i = 0; i < EXTENSIONS_MAX && len - at >= 8 && !later; i++) {
		size_t size = extension_len(r->proto, bytes + at, &later);

		if (size == 0)
			break;
		r->proto = bytes[at];
		if (size > len - at)
			return true;
		at += size;
	}
	if (!later)
		read_transport(bytes + at, len - at, r);
	return true;
}

bool seg_packet_parse(const uint8_t *bytes, size_t len, struct seg_refused *r)
{
	r->src = r->dst = 0;
	r->proto = 0;
	r->sport = r->dport = 0;
	r->tcp_flags = 0;
	if (len == 0)
		return false;
	switch (bytes[0] >> 4) {
	case 4:
		return parse_ipv4(bytes, len, r);
	case 6:
		return parse_ipv6(bytes, len, r);
	}
	return false;
}
