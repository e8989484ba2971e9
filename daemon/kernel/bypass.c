// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/bypass.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/strbuf.h"
#include "control/sentence.h"
#include "kernel/bpf.h"
#include "kernel/links.h"
#include "kernel/netlink.h"
#include "kernel/passage.h"
#include "kernel/sysctl.h"
#include "kernel/tc.h"

#define DUMP_TIMEOUT_MS 2000

struct search {
	const char *const *interface;
	size_t interfaces;
	seg_bypass_fn each;
	void *context;
	const struct seg_link *link;
	size_t links;
	enum seg_passage *passage; /* of each link */
};

static bool is_looked_for(const void *context, const char *interface)
{
	const struct search *s = context;

	for (size_t i = 0; i < s->interfaces; i++) {
		if (strcmp(s->interface[i], interface) == 0)
			return true;
	}
	return false;
}

/* A zone's interface itself. */
static bool ours(const struct search *s, size_t i)
{
	return s->passage[i] == SEG_PASSAGE_ZONE;
}

/* That, or what it stands on. */
static bool passed(const struct search *s, size_t i)
{
	return s->passage[i] != SEG_PASSAGE_NONE;
}

/* ---- Programs -------------------------------------------------------------------------- */

static void xdp(struct search *s)
{
	for (size_t i = 0; i < s->links; i++) {
		if (!s->link[i].xdp || !passed(s, i))
			continue;
		s->each(s->context, seg_sentence_new("an XDP program on %s can pass packets on unjudged",
						     s->link[i].name));
	}
}

static void tcx(struct search *s)
{
	static const struct {
		enum seg_bpf_hook hook;
		const char *side;
	} hook[] = {{SEG_BPF_TCX_INGRESS, "ingress"}, {SEG_BPF_TCX_EGRESS, "egress"}};

	for (size_t i = 0; i < s->links; i++) {
		for (size_t j = 0; passed(s, i) && j < sizeof(hook) / sizeof(hook[0]); j++) {
			if (seg_bpf_programs(s->link[i].index, hook[j].hook) <= 0)
				continue;
			s->each(s->context,
				seg_sentence_new("a tcx program on the %s of %s can redirect packets unjudged",
						 hook[j].side, s->link[i].name));
		}
	}
}

/* Both ends' programs hang on the primary one. */
static void netkit(struct search *s)
{
	for (size_t i = 0; i < s->links; i++) {
		if (strcmp(s->link[i].kind, "netkit") != 0 || !passed(s, i))
			continue;
		if (seg_bpf_programs(s->link[i].index, SEG_BPF_NETKIT_PRIMARY) > 0 ||
		    seg_bpf_programs(s->link[i].index, SEG_BPF_NETKIT_PEER) > 0)
			s->each(s->context, seg_sentence_new("a netkit program on %s can redirect packets unjudged",
							     s->link[i].name));
	}
}

/* ---- Bridges --------------------------------------------------------------------------- */

static bool on(const char *setting)
{
	long value;

	return seg_sysctl_read(setting, &value) == 0 && value != 0;
}

static void bridge(struct search *s, const struct seg_link *bridge_link, const char *off)
{
	struct seg_strbuf ports = {0};
	size_t n = 0;

	for (size_t i = 0; i < s->links; i++) {
		if (s->link[i].master != bridge_link->index || !ours(s, i))
			continue;
		seg_strbuf_printf(&ports, "%s%s", n++ ? ", " : "", s->link[i].name);
	}
	if (n > 1)
		s->each(s->context, seg_sentence_new("%s are ports of the bridge %s and %s is off: "
						     "frames between them go unjudged",
						     seg_strbuf_text(&ports), bridge_link->name, off));
	seg_strbuf_fini(&ports);
}

static void bridges(struct search *s)
{
	const char *off = NULL;

	if (!on("net/bridge/bridge-nf-call-iptables"))
		off = "bridge-nf-call-iptables";
	else if (!on("net/bridge/bridge-nf-call-ip6tables"))
		off = "bridge-nf-call-ip6tables";
	for (size_t i = 0; off && i < s->links; i++) {
		if (strcmp(s->link[i].kind, "bridge") == 0)
			bridge(s, &s->link[i], off);
	}
}

/* ---- Routes that the packet itself names ---------------------------------------------- */

static bool on_interface(const char *family, const char *interface, const char *setting)
{
	char name[96];

	snprintf(name, sizeof(name), "net/%s/conf/%s/%s", family, interface, setting);
	return on(name);
}

/* A packet to the gateway that says where it goes on to: it is judged as one to the gateway. Both the setting for
 * all interfaces and the one's own must be on, as the kernel reads them; most often the first of them is not. */
static void source_routes(struct search *s)
{
	static const struct {
		const char *family, *setting;
	} wanted[] = {
		{"ipv4", "accept_source_route"},
		{"ipv6", "seg6_enabled"},
		{"ipv6", "rpl_seg_enabled"},
	};

	for (size_t j = 0; j < sizeof(wanted) / sizeof(wanted[0]); j++) {
		bool any = on_interface(wanted[j].family, "all", wanted[j].setting);

		for (size_t i = 0; any && i < s->links; i++) {
			if (!ours(s, i) ||
			    !on_interface(wanted[j].family, s->link[i].name, wanted[j].setting))
				continue;
			s->each(s->context,
				seg_sentence_new("%s of %s is on: "
						 "packets to the gateway can name another way to go on",
						 wanted[j].setting, s->link[i].name));
		}
	}
}

/* ---- Conntrack ------------------------------------------------------------------------- */

static void conntrack_settings(struct search *s)
{
	static const struct {
		const char *name, *format;
	} wanted[] = {
		{"nf_conntrack_events", N_("%s is %ld, not 1: flows can begin unseen")},
		{"nf_conntrack_acct", N_("%s is %ld, not 1: flows are not counted")},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		char name[64] = "net/netfilter/";
		long value;

		strcat(name, wanted[i].name);
		if (seg_sysctl_read(name, &value) || value == 1)
			continue;
		s->each(s->context, seg_sentence_new(wanted[i].format, wanted[i].name, value));
	}
}

/* ---- The door -------------------------------------------------------------------------- */

static void ignore(void *context, const struct seg_link_change *change)
{
	(void)context;
	(void)change;
}

static int read_links(struct seg_links *links)
{
	struct pollfd wait = {.fd = seg_links_fd(links), .events = POLLIN};
	int error = seg_links_dump(links);

	while (!error && !seg_links_complete(links)) {
		if (poll(&wait, 1, DUMP_TIMEOUT_MS) == 0)
			return -ETIMEDOUT;
		error = seg_links_read(links);
		if (error == -ENOBUFS)
			error = seg_links_dump(links);
	}
	return error;
}

int seg_bypass_find(const char *const *interface, size_t n, seg_bypass_fn each, void *context)
{
	struct search s = {.interface = interface, .interfaces = n, .each = each, .context = context};
	struct seg_links *links = NULL;
	struct mnl_socket *sock;
	int error = seg_links_open(&links, ignore, NULL);

	if (!error)
		error = read_links(links);
	if (!error)
		error = seg_netlink_open(&sock, NETLINK_ROUTE, 0, 0);
	if (error)
		goto out;
	s.link = seg_links_list(links, &s.links);
	s.passage = seg_passages(s.link, s.links, is_looked_for, &s);
	xdp(&s);
	tcx(&s);
	netkit(&s);
	error = seg_tc_find(sock, s.link, s.links, s.passage, each, context);
	bridges(&s);
	source_routes(&s);
	conntrack_settings(&s);
	free(s.passage);
	mnl_socket_close(sock);
out:
	seg_links_close(links);
	return error;
}

static bool is_passed(const struct seg_link *link, size_t n, const struct seg_link *one, seg_passage_fn is_zone,
		      const void *context)
{
	enum seg_passage *passage = seg_passages(link, n, is_zone, context);
	bool passed = passage[one - link] != SEG_PASSAGE_NONE;

	free(passage);
	return passed;
}

/* Where packets pass is the dearest to find out, and most filters do nothing. */
json_t *seg_bypass_heard(const struct seg_links *links, const struct nlmsghdr *message,
			 seg_passage_fn is_zone, const void *context)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	size_t n;
	const struct seg_link *link = seg_links_list(links, &n), *one;
	json_t *way;

	if (message->nlmsg_type != RTM_NEWTFILTER || mnl_nlmsg_get_payload_len(message) < sizeof(*tc))
		return NULL;
	one = seg_link_of(link, n, tc->tcm_ifindex);
	way = one ? seg_tc_way_of(message, one->name) : NULL;
	if (!way || is_passed(link, n, one, is_zone, context))
		return way;
	json_decref(way);
	return NULL;
}
