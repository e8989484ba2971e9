/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_NEIGHBOUR_H
#define SEGD_KERNEL_NEIGHBOUR_H

/*
 * Where an address is, as far as the kernel knows it now: by which interface its packets leave, and so
 * mostly come, and which MAC they bear. Behind a router that is the router's, as in the packets themselves.
 *
 * Two short requests to rtnetlink on a socket of their own, which blocks nobody: the kernel answers both from
 * memory, and looks for no neighbour that it does not know. No privilege is needed.
 */

#include <stdbool.h>
#include "base/addr.h"

struct seg_neighbour {
	int link;                 /* index of the interface; 0: unknown */
	bool has_mac;             /* else the kernel does not know it, or the interface has none */
	uint8_t mac[SEG_MAC_LEN];
};
/* link: the interface where that is known, which a link-local address needs; 0: that of the route to it.
 * 0, or -errno: nothing is known. */
int seg_neighbour_find(seg_addr addr, int link, struct seg_neighbour *neighbour);

#endif
