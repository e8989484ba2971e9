/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_LINKS_H
#define SEGD_KERNEL_LINKS_H

/*
 * The thin edge to rtnetlink: which interfaces there are and which addresses the
 * gateway itself has on them, now and as they change.
 *
 * It keeps a mirror of what the kernel says, so that it can report a rename and,
 * after a new dump, what has gone meanwhile. Changes are told through the callback,
 * once each; the mirror has already changed when it is called. Pointers are valid
 * until the next seg_links_read(). An address that failed duplicate
 * detection is not the gateway's.
 *
 * One socket for dumps and notifications. Usage: open, dump, read until
 * seg_links_complete(); then read whenever the fd is readable, and dump again after
 * -ENOBUFS.
 */

#include <libmnl/libmnl.h>
#include <net/if.h>

#include "base/addr.h"

struct seg_link {
	int index;
	char name[IFNAMSIZ];
	bool up;                  /* administratively, IFF_UP */
	bool loopback;
	bool ethernet;            /* ARPHRD_ETHER: has MACs */
	bool xdp;                 /* an XDP program sits on it */
	int master;               /* index of the bridge or bond it is a port of; 0 none */
	int lower;                /* index of the device whose frames it sees (a VLAN's parent); 0 none here */
	char kind[16];            /* "vlan", "bridge"; "" for plain devices */
	uint32_t seen;            /* private: the dump that last named it */
};
struct seg_own_addr {
	seg_addr addr;
	unsigned prefix;          /* length, in the family's own bits */
	int link;                 /* index */
	char name[IFNAMSIZ];      /* of the link; "" while the link is unknown */
	uint32_t seen;            /* private */
};

enum seg_link_event {
	SEG_LINK_NEW,
	SEG_LINK_CHANGED,         /* up, master or XDP program */
	SEG_LINK_RENAMED,         /* old_name is set */
	SEG_LINK_GONE,
	SEG_LINK_ADDR_NEW,
	SEG_LINK_ADDR_GONE
};
struct seg_link_change {
	enum seg_link_event event;
	const struct seg_link *link;      /* NULL: an address of a link that is not known (any more) */
	const char *old_name;
	const struct seg_own_addr *addr;  /* ADDR events */
};
typedef void (*seg_link_fn)(void *context, const struct seg_link_change *change);

/* What else the same socket hears, in order with the links: of traffic control, as it came. */
typedef void (*seg_links_tc_fn)(void *context, const struct nlmsghdr *message);

struct seg_links;
int seg_links_open(struct seg_links **links, seg_link_fn fn, void *context);
void seg_links_close(struct seg_links *links); /* NULL allowed */
int seg_links_fd(const struct seg_links *links);
/* From now on; context as of seg_links_open(). What is lost of it no dump brings back. 0 or -errno. */
int seg_links_hear_tc(struct seg_links *links, seg_links_tc_fn fn);
/* Asks for everything anew; what is not in the answer has gone. The answer comes through read. */
int seg_links_dump(struct seg_links *links);
/* When readable: bounded work. 0; -ENOBUFS: notifications were lost (dump again); -EINTR: what is there changed under
 * one dump after the other (the same); or -errno. */
int seg_links_read(struct seg_links *links);
/* True between the end of one dump and the beginning of the next. */
bool seg_links_complete(const struct seg_links *links);

const struct seg_link *seg_links_list(const struct seg_links *links, size_t *n);
/* One of a list; NULL: it has none of that index. */
const struct seg_link *seg_link_of(const struct seg_link *link, size_t n, int index);
const struct seg_own_addr *seg_links_addrs(const struct seg_links *links, size_t *n);

#endif
