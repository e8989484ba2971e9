// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A datagram of ctnetlink messages, as the event socket reads it.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/conntrack.h"
#include "kernel/netlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *datagram = malloc(size ? size : 1); /* aligned, and ends where the datagram ends */
	const struct nlmsghdr *message;
	int left;

	memcpy(datagram, data, size);
	seg_message_each(message, left, datagram, size) {
		enum seg_flow_event event = SEG_FLOW_NEW;
		struct seg_flow flow;

		if (seg_conntrack_decode(message, (size_t)left, &event, &flow))
			continue;
		if (event > SEG_FLOW_UPDATED || seg_addr_family(flow.src) == 0)
			abort();
	}
	free(datagram);
	return 0;
}
