// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/lwtunnel.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "control/sentence.h"
#include "kernel/netlink.h"
#include "kernel/sysctl.h"

#define TRIES 3	 /* a dump that changes under our eyes is asked for again */
#define REST 100 /* times as long as a reading took */

struct seg_routes {
	struct mnl_socket *sock;
	json_t *found; /* when last read */
	int64_t again; /* monotonic, us: when to read next */
	uint32_t seq;
};

static uint32_t number(const struct nlattr *attr)
{
	return attr && mnl_attr_validate(attr, MNL_TYPE_U32) == 0 ? mnl_attr_get_u32(attr) : 0;
}

static uint16_t encapsulation(const struct nlattr *attr)
{
	return attr && mnl_attr_validate(attr, MNL_TYPE_U16) == 0 ? mnl_attr_get_u16(attr)
								  : LWTUNNEL_ENCAP_NONE;
}

static void note(json_t *found, json_t *sentence)
{
	size_t i;
	json_t *one;

	json_array_foreach(found, i, one)
	{
		if (json_equal(one, sentence)) {
			json_decref(sentence);
			return;
		}
	}
	json_array_append_new(found, sentence);
}

/* -- routes ------------------------------------------------------------ */

static uint16_t encapsulation_of_hop(const struct rtnexthop *hop)
{
	const char *end = (const char *)hop + hop->rtnh_len;
	const struct nlattr *attr;

	for (attr = (const void *)(hop + 1); seg_attr_ok(attr, end); attr = seg_attr_next(attr))
		if (seg_attr_type(attr) == RTA_ENCAP_TYPE)
			return encapsulation(attr);
	return LWTUNNEL_ENCAP_NONE;
}

static bool passes_on(uint16_t encap)
{
	return encap == LWTUNNEL_ENCAP_SEG6_LOCAL || encap == LWTUNNEL_ENCAP_BPF;
}

/* Of several hops, the first that passes packets on. */
static uint16_t encapsulation_of_hops(const struct nlattr *hops)
{
	const char *at = seg_attr_data(hops);
	size_t left = seg_attr_len(hops);

	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const void *)at;
		const size_t whole = MNL_ALIGN(hop->rtnh_len);
		uint16_t encap;

		if (hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > left)
			break;
		encap = encapsulation_of_hop(hop);
		if (passes_on(encap))
			return encap;
		if (whole >= left)
			break;
		at += whole;
		left -= whole;
	}
	return LWTUNNEL_ENCAP_NONE;
}

struct route {
	const struct nlattr *destination;
	uint32_t table;
	uint16_t encap;
};

static json_t *sentence_about_route(const struct rtmsg *head, const struct route *route)
{
	char address[INET6_ADDRSTRLEN] = "", destination[INET6_ADDRSTRLEN + 5];
	const size_t size = head->rtm_family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
	unsigned char bytes[sizeof(struct in6_addr)] = {0};

	if (route->destination && seg_attr_len(route->destination) == size)
		memcpy(bytes, seg_attr_data(route->destination), size);
	inet_ntop(head->rtm_family, bytes, address, sizeof(address));
	snprintf(destination, sizeof(destination), "%s/%u", address, head->rtm_dst_len);
	if (route->encap == LWTUNNEL_ENCAP_BPF)
		return seg_sentence_new(
			"the route to %s in table %u runs a BPF program, which can pass packets on "
			"unjudged",
			destination, route->table);
	return seg_sentence_new(
		"the route to %s in table %u takes packets out of others (seg6local), which can go on "
		"unjudged",
		destination, route->table);
}

static void take_route(void *context, const struct nlmsghdr *message)
{
	const struct rtmsg *head = mnl_nlmsg_get_payload(message);
	struct route route = {0};
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(*head) ||
	    (head->rtm_family != AF_INET && head->rtm_family != AF_INET6))
		return;
	route.table = head->rtm_table;
	seg_attr_each(attr, message, sizeof(*head)) {
		switch (seg_attr_type(attr)) {
		case RTA_DST:
			route.destination = attr;
			break;
		case RTA_TABLE:
			route.table = number(attr);
			break;
		case RTA_ENCAP_TYPE:
			route.encap = encapsulation(attr);
			break;
		case RTA_MULTIPATH:
			route.encap = encapsulation_of_hops(attr);
			break;
		case RTA_NH_ID: /* told of the hop itself */
			return;
		default:
			break;
		}
	}
	if (passes_on(route.encap))
		note(context, sentence_about_route(head, &route));
}

/* What several routes may share. */
static void take_hop(void *context, const struct nlmsghdr *message)
{
	const struct nlattr *attr;
	uint32_t id = 0;
	uint16_t encap = LWTUNNEL_ENCAP_NONE;

	if (message->nlmsg_type != RTM_NEWNEXTHOP ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(struct nhmsg))
		return;
	seg_attr_each(attr, message, sizeof(struct nhmsg)) {
		if (seg_attr_type(attr) == NHA_ID)
			id = number(attr);
		if (seg_attr_type(attr) == NHA_ENCAP_TYPE)
			encap = encapsulation(attr);
	}
	if (encap == LWTUNNEL_ENCAP_BPF)
		note(context,
		     seg_sentence_new("nexthop %u runs a BPF program, which can pass packets on unjudged",
				      id));
	if (encap == LWTUNNEL_ENCAP_SEG6_LOCAL)
		note(context,
		     seg_sentence_new("nexthop %u takes packets out of others (seg6local), which can go on "
				      "unjudged",
				      id));
}

/* -- reading ----------------------------------------------------------- */

/* Both heads begin with the family. */
static int dump(struct seg_routes *routes, uint16_t type, uint8_t family, size_t head, seg_netlink_fn take,
		json_t *found)
{
	int r = -EINTR;

	for (unsigned i = 0; i < TRIES && r == -EINTR; i++) {
		_Alignas(struct nlmsghdr) char buffer[64];
		struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

		request->nlmsg_type = type;
		request->nlmsg_seq = ++routes->seq;
		*(uint8_t *)mnl_nlmsg_put_extra_header(request, head) = family;
		r = seg_netlink_dump(routes->sock, request, take, found);
	}
	return r;
}

static int read_all(struct seg_routes *routes, json_t *found)
{
	int r = dump(routes, RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), take_route, found);

	if (!r)
		r = dump(routes, RTM_GETROUTE, AF_INET, sizeof(struct rtmsg), take_route, found);
	if (!r)
		r = dump(routes, RTM_GETNEXTHOP, AF_UNSPEC, sizeof(struct nhmsg), take_hop, found);
	return r;
}

/* What was found stays as it was where a reading broke off, but for what it added. */
static int look_again(struct seg_routes *routes)
{
	const int64_t began = seg_monotonic_us();
	json_t *found = json_array(), *one;
	int r = read_all(routes, found);
	int64_t ended = seg_monotonic_us();
	size_t i;

	if (r) {
		json_array_foreach(routes->found, i, one) note(found, json_incref(one));
	}
	json_decref(routes->found);
	routes->found = found;
	routes->again = ended + (ended - began) * REST;
	return r;
}

static void labels(const char *const *interface, size_t n, seg_routes_fn each, void *context)
{
	long value;

	if (seg_sysctl_read("net/mpls/platform_labels", &value) || !value)
		return;
	for (size_t i = 0; i < n; i++) {
		char name[64];

		snprintf(name, sizeof(name), "net/mpls/conf/%s/input", interface[i]);
		if (seg_sysctl_read(name, &value) == 0 && value)
			each(context, seg_sentence_new("%s takes packets with labels (MPLS), which go on "
						       "unjudged",
						       interface[i]));
	}
}

int seg_routes_find_bypass(struct seg_routes *routes, const char *const *interface, size_t n,
			   seg_routes_fn each, void *context)
{
	int r = seg_monotonic_us() < routes->again ? 0 : look_again(routes);
	size_t i;
	json_t *one;

	json_array_foreach(routes->found, i, one) each(context, json_incref(one));
	labels(interface, n, each, context);
	return r;
}

int seg_routes_open(struct seg_routes **out)
{
	struct seg_routes *routes = calloc(1, sizeof(*routes));
	int r;

	if (!routes)
		abort();
	r = seg_netlink_open(&routes->sock, NETLINK_ROUTE, 0, 0);
	if (r) {
		free(routes);
		return r;
	}
	routes->found = json_array();
	*out = routes;
	return 0;
}

void seg_routes_close(struct seg_routes *routes)
{
	if (!routes)
		return;
	mnl_socket_close(routes->sock);
	json_decref(routes->found);
	free(routes);
}
