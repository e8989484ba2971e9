// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netlink.h"

#define REQUEST_MAX 256

/* Of a route: its interface, and who is asked on it. */
struct hop {
	int link;
	seg_addr addr;
};

static unsigned char family_of(seg_addr addr)
{
	return seg_addr_family(addr) == SEG_IPV4 ? AF_INET : AF_INET6;
}

static void put_addr(struct nlmsghdr *request, uint16_t type, seg_addr addr)
{
	unsigned char bytes[16];

	seg_addr_to_bytes(addr, bytes);
	mnl_attr_put(request, type, seg_addr_size(seg_addr_family(addr)), bytes);
}

static void take_gateway(struct hop *hop, unsigned family, const void *bytes, size_t len)
{
	if (family == AF_INET && len == 4)
		hop->addr = seg_addr_from_bytes(SEG_IPV4, bytes);
	else if (family == AF_INET6 && len == 16)
		hop->addr = seg_addr_from_bytes(SEG_IPV6, bytes);
}

static void take_route(void *context, const struct nlmsghdr *message)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	struct hop *hop = context;

	if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(*route))
		return;
	seg_attr_each(attr, message, sizeof(*route))
	{
		size_t len = seg_attr_len(attr);

		if (seg_attr_type(attr) == RTA_OIF && len == sizeof(hop->link))
			memcpy(&hop->link, seg_attr_data(attr), sizeof(hop->link));
		else if (seg_attr_type(attr) == RTA_GATEWAY)
			take_gateway(hop, route->rtm_family, seg_attr_data(attr), len);
		else if (seg_attr_type(attr) == RTA_VIA && len > sizeof(struct rtvia)) {
			const struct rtvia *via = seg_attr_data(attr);

			take_gateway(hop, via->rtvia_family, via->rtvia_addr, len - sizeof(*via));
		}
	}
}

static int ask_route(const struct mnl_socket *sock, struct hop *hop)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_MAX];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtmsg *route;

	request->nlmsg_type = RTM_GETROUTE;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = family_of(hop->addr);
	route->rtm_dst_len = (unsigned char)(8 * seg_addr_size(seg_addr_family(hop->addr)));
	put_addr(request, RTA_DST, hop->addr);
	return seg_netlink_ask(sock, request, take_route, hop);
}

static void take_neighbour(void *context, const struct nlmsghdr *message)
{
	struct seg_neighbour *neighbour = context;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(message) < sizeof(struct ndmsg))
		return;
	seg_attr_each(attr, message, sizeof(struct ndmsg))
	{
		if (seg_attr_type(attr) != NDA_LLADDR || seg_attr_len(attr) != SEG_MAC_LEN)
			continue;
		memcpy(neighbour->mac, seg_attr_data(attr), SEG_MAC_LEN);
		neighbour->has_mac = true;
	}
}

static int ask_neighbour(const struct mnl_socket *sock, const struct hop *hop, struct seg_neighbour *neighbour)
{
	_Alignas(struct nlmsghdr) char buffer[REQUEST_MAX];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ndmsg *asked;

	request->nlmsg_type = RTM_GETNEIGH;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	asked = mnl_nlmsg_put_extra_header(request, sizeof(*asked));
	asked->ndm_family = family_of(hop->addr);
	asked->ndm_ifindex = hop->link;
	put_addr(request, NDA_DST, hop->addr);
	return seg_netlink_ask(sock, request, take_neighbour, neighbour);
}

int seg_neighbour_find(seg_addr addr, int link, struct seg_neighbour *neighbour)
{
	struct hop hop = {.link = link, .addr = addr};
	struct mnl_socket *sock;
	int r;

	*neighbour = (struct seg_neighbour){0};
	r = seg_netlink_open(&sock, NETLINK_ROUTE, 0, 0);
	if (r)
		return r;
	if (!link)
		r = ask_route(sock, &hop);
	if (!r)
		(void)ask_neighbour(sock, &hop, neighbour); /* who is not known has no entry */
	neighbour->link = hop.link;
	mnl_socket_close(sock);
	return r;
}
