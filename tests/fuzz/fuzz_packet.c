// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What anybody can send through the gateway: the first bytes of a refused packet.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/nflog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *packet = malloc(size ? size : 1); /* ends where the packet ends */
	struct seg_refused r;
	bool ports;

	memcpy(packet, data, size);
	memset(&r, 0xaa, sizeof(r)); /* whatever is not set would show */
	if (seg_packet_parse(packet, size, &r)) {
		enum seg_family family = packet[0] >> 4 == 4 ? SEG_IPV4 : SEG_IPV6;

		ports = r.proto == IPPROTO_TCP || r.proto == IPPROTO_UDP;
		if (seg_addr_family(r.src) != family || seg_addr_family(r.dst) != family)
			abort();
		if (r.sport && !ports)
			abort();
		if (r.dport && !ports && r.proto != IPPROTO_ICMP && r.proto != IPPROTO_ICMPV6)
			abort();
		if (r.tcp_flags && r.proto != IPPROTO_TCP)
			abort();
	}
	free(packet);
	return 0;
}
