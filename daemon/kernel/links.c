// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/links.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/netlink.h"

#define RECEIVE_BUFFER (1u << 20)
#define TRIES 3 /* a dump that changes under our eyes is asked for again */

/* What the dump under way is asking for. */
enum phase { NONE, LINKS, ADDRS };

struct seg_links {
	struct seg_netlink_listener listener;
	seg_link_fn fn;
	seg_links_tc_fn tc; /* NULL: nobody hears of that */
	void *context;
	struct seg_link *link;
	size_t links, links_cap;
	struct seg_own_addr *addr;
	size_t addrs, addrs_cap;
	enum phase phase;
	bool complete;
	bool again; /* the dump under way is not the truth: ask once more behind it */
	unsigned tries;
	uint32_t seq, dump;
};

/* ---- The mirror ------------------------------------------------------------------------ */

/* Room for one more; the new item is zeroed. Out of memory aborts, as everywhere. */
static void *grow(void *items, size_t n, size_t *cap, size_t item)
{
	if (n == *cap) {
		*cap = *cap ? 2 * *cap : 16;
		items = reallocarray(items, *cap, item);
		if (!items)
			abort();
	}
	memset((char *)items + n * item, 0, item);
	return items;
}

const struct seg_link *seg_link_of(const struct seg_link *link, size_t n, int index)
{
	for (size_t i = 0; i < n; i++) {
		if (link[i].index == index)
			return &link[i];
	}
	return NULL;
}

static struct seg_link *link_of(const struct seg_links *l, int index)
{
	return (struct seg_link *)seg_link_of(l->link, l->links, index);
}

static void tell_link(struct seg_links *l, enum seg_link_event event, const struct seg_link *link,
		      const char *old_name)
{
	const struct seg_link_change change = {.event = event, .link = link, .old_name = old_name};

	l->fn(l->context, &change);
}

static void tell_addr(struct seg_links *l, enum seg_link_event event, const struct seg_own_addr *own)
{
	const struct seg_link_change change = {.event = event, .link = link_of(l, own->link), .addr = own};

	l->fn(l->context, &change);
}

static void addr_remove(struct seg_links *l, size_t at)
{
	const struct seg_own_addr gone = l->addr[at];

	memmove(&l->addr[at], &l->addr[at + 1], (--l->addrs - at) * sizeof(*l->addr));
	tell_addr(l, SEG_LINK_ADDR_GONE, &gone);
}

static void link_remove(struct seg_links *l, size_t at)
{
	const struct seg_link gone = l->link[at];

	for (size_t i = l->addrs; i-- > 0;) {
		if (l->addr[i].link == gone.index)
			addr_remove(l, i);
	}
	memmove(&l->link[at], &l->link[at + 1], (--l->links - at) * sizeof(*l->link));
	tell_link(l, SEG_LINK_GONE, &gone, NULL);
}

static void link_renamed(struct seg_links *l, struct seg_link *link, const struct seg_link *now)
{
	char old[IFNAMSIZ];

	memcpy(old, link->name, sizeof(old));
	memcpy(link->name, now->name, sizeof(old));
	for (size_t i = 0; i < l->addrs; i++) {
		if (l->addr[i].link == link->index)
			memcpy(l->addr[i].name, now->name, sizeof(old));
	}
	tell_link(l, SEG_LINK_RENAMED, link, old);
}

static void link_set(struct seg_links *l, const struct seg_link *now)
{
	struct seg_link *link = link_of(l, now->index);
	bool changed;

	if (!link) {
		l->link = grow(l->link, l->links, &l->links_cap, sizeof(*l->link));
		link = &l->link[l->links++];
		*link = *now;
		for (size_t i = 0; i < l->addrs; i++) {
			if (l->addr[i].link == now->index)
				memcpy(l->addr[i].name, now->name, IFNAMSIZ);
		}
		tell_link(l, SEG_LINK_NEW, link, NULL);
		return;
	}
	if (strcmp(link->name, now->name) != 0)
		link_renamed(l, link, now);
	changed = link->up != now->up || link->master != now->master || link->xdp != now->xdp;
	*link = *now;
	if (changed)
		tell_link(l, SEG_LINK_CHANGED, link, NULL);
}

static void addr_set(struct seg_links *l, const struct seg_own_addr *now, bool gone)
{
	const struct seg_link *link = link_of(l, now->link);
	struct seg_own_addr *own;

	for (size_t i = 0; i < l->addrs; i++) {
		if (l->addr[i].addr != now->addr || l->addr[i].link != now->link)
			continue;
		if (gone)
			addr_remove(l, i);
		else
			l->addr[i].seen = now->seen;
		return;
	}
	if (gone)
		return;
	l->addr = grow(l->addr, l->addrs, &l->addrs_cap, sizeof(*l->addr));
	own = &l->addr[l->addrs++];
	*own = *now;
	if (link)
		memcpy(own->name, link->name, IFNAMSIZ);
	tell_addr(l, SEG_LINK_ADDR_NEW, own);
}

/* After a dump: what it did not name has gone while nobody was told. */
static void sweep(struct seg_links *l)
{
	for (size_t i = l->addrs; i-- > 0;) {
		if (l->addr[i].seen != l->dump)
			addr_remove(l, i);
	}
	/* Removing a link takes addresses along, never other links. */
	for (size_t i = l->links; i-- > 0;) {
		if (l->link[i].seen != l->dump)
			link_remove(l, i);
	}
}

/* ---- Messages -------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const struct nlattr *attr)
{
	size_t len = strnlen(seg_attr_data(attr), seg_attr_len(attr));

	if (len >= size)
		len = size - 1;
	memcpy(to, seg_attr_data(attr), len);
	memset(to + len, 0, size - len);
}

static bool xdp_attached(const struct nlattr *xdp)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, xdp) {
		if (seg_attr_type(attr) == IFLA_XDP_ATTACHED && seg_attr_len(attr) >= 1)
			return mnl_attr_get_u8(attr) != XDP_ATTACHED_NONE;
	}
	return false;
}

static void read_kind(const struct nlattr *info, struct seg_link *link)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, info) {
		if (seg_attr_type(attr) == IFLA_INFO_KIND)
			copy_text(link->kind, sizeof(link->kind), attr);
	}
}

/* What IFLA_LINK is to others: the far end of a veth, or what a tunnel's packets go out by. */
static bool is_stacked(const struct seg_link *link)
{
	static const char *const kind[] = {"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec", "dsa", "ipoib"};

	for (size_t i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
		if (strcmp(link->kind, kind[i]) == 0)
			return true;
	}
	return false;
}

static void read_link(struct seg_links *l, const struct nlmsghdr *message)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	struct seg_link link = {.seen = l->dump};
	const struct nlattr *attr;
	bool elsewhere = false;

	/* The bridge speaks of its ports in the same group: a port that leaves it is no link that goes. */
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) || header->ifi_family != AF_UNSPEC)
		return;
	link.index = header->ifi_index;
	link.up = header->ifi_flags & IFF_UP;
	link.loopback = header->ifi_flags & IFF_LOOPBACK;
	link.ethernet = header->ifi_type == ARPHRD_ETHER;
	seg_attr_each(attr, message, sizeof(*header)) {
		switch (seg_attr_type(attr)) {
		case IFLA_IFNAME:
			copy_text(link.name, sizeof(link.name), attr);
			break;
		case IFLA_MASTER:
			if (seg_attr_len(attr) >= sizeof(uint32_t))
				link.master = (int)mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK:
			if (seg_attr_len(attr) >= sizeof(uint32_t))
				link.lower = (int)mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK_NETNSID: /* the index is another namespace's */
			elsewhere = true;
			break;
		case IFLA_XDP:
			link.xdp = xdp_attached(attr);
			break;
		case IFLA_LINKINFO:
			read_kind(attr, &link);
			break;
		}
	}
	if (elsewhere || !is_stacked(&link))
		link.lower = 0;
	if (message->nlmsg_type == RTM_NEWLINK) {
		if (link.name[0])
			link_set(l, &link);
		return;
	}
	for (size_t i = l->links; i-- > 0;) {
		if (l->link[i].index == link.index)
			link_remove(l, i);
	}
}

static void read_addr(struct seg_links *l, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr, *local = NULL, *address = NULL;
	struct seg_own_addr own = {.seen = l->dump};
	enum seg_family family;
	uint32_t flags;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return;
	if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)
		return;
	family = header->ifa_family == AF_INET ? SEG_IPV4 : SEG_IPV6;
	flags = header->ifa_flags;
	seg_attr_each(attr, message, sizeof(*header)) {
		switch (seg_attr_type(attr)) {
		case IFA_LOCAL:
			local = attr;
			break;
		case IFA_ADDRESS:
			address = attr;
			break;
		case IFA_FLAGS:
			if (seg_attr_len(attr) >= sizeof(flags))
				flags = mnl_attr_get_u32(attr);
			break;
		}
	}
	if (!local) /* IFA_ADDRESS is the peer's where there is a peer */
		local = address;
	if (!local || seg_attr_len(local) < seg_addr_size(family))
		return;
	own.addr = seg_addr_from_bytes(family, seg_attr_data(local));
	own.prefix = header->ifa_prefixlen;
	own.link = (int)header->ifa_index;
	addr_set(l, &own, message->nlmsg_type == RTM_DELADDR || (flags & IFA_F_DADFAILED));
}

/* ---- Dumps ----------------------------------------------------------------------------- */

static int ask(struct seg_links *l, enum phase phase)
{
	_Alignas(struct nlmsghdr) char buffer[128];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

	request->nlmsg_type = phase == LINKS ? RTM_GETLINK : RTM_GETADDR;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = ++l->seq;
	if (phase == LINKS) {
		mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
		mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	} else {
		mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
	}
	if (mnl_socket_sendto(l->listener.sock, request, request->nlmsg_len) < 0)
		return -errno;
	l->phase = phase;
	return 0;
}

static int try(struct seg_links *l)
{
	l->again = false;
	l->tries++;
	l->dump++;
	return ask(l, LINKS);
}

int seg_links_dump(struct seg_links *l)
{
	l->complete = false;
	if (l->phase != NONE) {
		l->again = true;
		return 0;
	}
	l->tries = 0;
	return try(l);
}

static int answered(struct seg_links *l, const struct nlmsghdr *message)
{
	enum phase phase = l->phase;
	int error = seg_netlink_error(message);

	l->phase = NONE;
	if (error)
		return error;
	if (l->again)
		return l->tries < TRIES ? try(l) : -EINTR;
	if (phase == LINKS)
		return ask(l, ADDRS);
	sweep(l);
	l->complete = true;
	return 0;
}

static int take(void *context, const struct nlmsghdr *message)
{
	struct seg_links *l = context;

	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		l->again = true;
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		read_link(l, message);
		return 0;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		read_addr(l, message);
		return 0;
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
		if (l->tc)
			l->tc(l->context, message);
		return 0;
	case NLMSG_DONE:
	case NLMSG_ERROR:
		return l->phase != NONE && message->nlmsg_seq == l->seq ? answered(l, message) : 0;
	}
	return 0;
}

/* ---- The door -------------------------------------------------------------------------- */

int seg_links_open(struct seg_links **links, seg_link_fn fn, void *context)
{
	static const uint32_t groups =
		1u << (RTNLGRP_LINK - 1) | 1u << (RTNLGRP_IPV4_IFADDR - 1) | 1u << (RTNLGRP_IPV6_IFADDR - 1);
	struct seg_links *l = calloc(1, sizeof(*l));
	int error;

	if (!l)
		abort();
	l->fn = fn;
	l->context = context;
	error = seg_netlink_open(&l->listener.sock, NETLINK_ROUTE, groups, RECEIVE_BUFFER);
	if (error) {
		free(l);
		return error;
	}
	*links = l;
	return 0;
}

int seg_links_hear_tc(struct seg_links *l, seg_links_tc_fn fn)
{
	int group = RTNLGRP_TC;

	if (mnl_socket_setsockopt(l->listener.sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	l->tc = fn;
	return 0;
}

void seg_links_close(struct seg_links *l)
{
	if (!l)
		return;
	mnl_socket_close(l->listener.sock);
	free(l->link);
	free(l->addr);
	free(l);
}

int seg_links_fd(const struct seg_links *l)
{
	return mnl_socket_get_fd(l->listener.sock);
}

int seg_links_read(struct seg_links *l)
{
	return seg_netlink_listen(&l->listener, take, l);
}

bool seg_links_complete(const struct seg_links *l)
{
	return l->complete;
}

const struct seg_link *seg_links_list(const struct seg_links *l, size_t *n)
{
	*n = l->links;
	return l->link;
}

const struct seg_own_addr *seg_links_addrs(const struct seg_links *l, size_t *n)
{
	*n = l->addrs;
	return l->addr;
}
