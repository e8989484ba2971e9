// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/tc.h"

#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/sentence.h"
#include "kernel/netlink.h"

#define TRIES 3 /* a dump that changes under our eyes is asked for again */

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(word, list[i]) == 0)
			return true;
	}
	return false;
}

#define IS_ONE_OF(word, list) is_one_of((word), (list), sizeof(list) / sizeof((list)[0]))

static const struct nlattr *attr_of(const struct nlmsghdr *message, uint16_t type)
{
	const struct nlattr *attr;

	seg_attr_each(attr, message, sizeof(struct tcmsg)) {
		if (seg_attr_type(attr) == type)
			return attr;
	}
	return NULL;
}

static const struct nlattr *nested_of(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, nest) {
		if (seg_attr_type(attr) == type)
			return attr;
	}
	return NULL;
}

static const char *text_of(const struct nlattr *attr)
{
	return attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0 ? mnl_attr_get_str(attr) : NULL;
}

/* ---- Filters --------------------------------------------------------------------------- */

/* Actions after which a packet is dropped, or goes on as what it was, to where it was going. */
static bool is_harmless(const char *action)
{
	static const char *const harmless[] = {"gact", "police", "skbedit", "connmark", "ctinfo",
					       "csum", "sample", "simple",  "gate"};

	return IS_ONE_OF(action, harmless);
}

/* The first action that can take a packet elsewhere; NULL: none. */
static const char *harm_of(const struct nlattr *actions)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, actions) {
		const char *kind = text_of(nested_of(attr, TCA_ACT_KIND));

		if (kind && !is_harmless(kind))
			return kind;
	}
	return NULL;
}

/* The attributes that hold a classifier's actions, and its policer where it was given as one before there were actions.
 * 6.2 was the last kernel to have tcindex and rsvp, and its linux/pkt_cls.h their numbers. */
static const struct classifier {
	const char *kind;
	uint16_t actions, policer;
} known[] = {
	{"u32", TCA_U32_ACT, TCA_U32_POLICE},
	{"flower", TCA_FLOWER_ACT, 0},
	{"fw", TCA_FW_ACT, TCA_FW_POLICE},
	{"basic", TCA_BASIC_ACT, TCA_BASIC_POLICE},
	{"flow", TCA_FLOW_ACT, TCA_FLOW_POLICE},
	{"cgroup", TCA_CGROUP_ACT, TCA_CGROUP_POLICE},
	{"matchall", TCA_MATCHALL_ACT, 0},
	{"route", TCA_ROUTE4_ACT, TCA_ROUTE4_POLICE},
	{"tcindex", 7, 6},
	{"rsvp", 6, 5},
	{"rsvp6", 6, 5},
};

/* NULL: it is not known what this one does, or, as a program of cls_bpf, it can do by itself what an action could. */
static const struct classifier *classifier_of(const char *kind)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(kind, known[i].kind) == 0)
			return &known[i];
	}
	return NULL;
}

/* A list of filters, or u32's table of them, is shown beside what is in it. */
static bool is_filter(const struct tcmsg *tc, const char *kind)
{
	return tc->tcm_handle && (strcmp(kind, "u32") != 0 || TC_U32_NODE(tc->tcm_handle));
}

/* At a hook nobody puts a filter without an action but to have its program run. */
static json_t *way_at_hook(const struct tcmsg *tc, const char *kind, bool acts, const char *harm, const char *interface)
{
	if (acts && !harm)
		return NULL;
	return seg_sentence_new("tc filters (%s) on the %s of %s can redirect packets unjudged", kind,
				TC_H_MIN(tc->tcm_parent) == TC_H_MIN_EGRESS ? "egress" : "ingress", interface);
}

static json_t *way_in_queues(const char *kind, const char *harm, const char *interface)
{
	char means[64];

	if (!harm && classifier_of(kind))
		return NULL;
	snprintf(means, sizeof(means), "%s%s%s", kind, harm ? " " : "", harm ? harm : "");
	return seg_sentence_new("tc filters (%s) in the queues of %s can redirect or rewrite packets unjudged",
				means, interface);
}

json_t *seg_tc_way_of(const struct nlmsghdr *message, const char *interface)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	const struct nlattr *options, *actions = NULL, *policer = NULL;
	const struct classifier *classifier;
	const char *kind, *harm;

	if (message->nlmsg_type != RTM_NEWTFILTER || mnl_nlmsg_get_payload_len(message) < sizeof(*tc))
		return NULL;
	kind = text_of(attr_of(message, TCA_KIND));
	if (!kind || !is_filter(tc, kind))
		return NULL;
	options = attr_of(message, TCA_OPTIONS);
	classifier = classifier_of(kind);
	if (options && classifier) {
		actions = nested_of(options, classifier->actions);
		policer = classifier->policer ? nested_of(options, classifier->policer) : NULL;
	}
	harm = actions ? harm_of(actions) : NULL;
	if (TC_H_MAJ(tc->tcm_parent) == TC_H_MAJ(TC_H_CLSACT))
		return way_at_hook(tc, kind, actions || policer, harm, interface);
	return way_in_queues(kind, harm, interface);
}

/* ---- Where there may be some ----------------------------------------------------------- */

struct place {
	const struct seg_link *link;
	uint32_t parent; /* as of RTM_GETTFILTER; 0: the root qdisc, whatever its number */
	bool classes;	 /* each of its classes is a place, too */
};
struct search {
	const struct mnl_socket *sock;
	const struct seg_link *link;
	size_t links;
	const enum seg_passage *passage;
	struct place *place;
	size_t places, cap;
	const struct place *at; /* where is looked now */
	json_t *found;
};

static void add_place(struct search *s, const struct seg_link *link, uint32_t parent, bool classes)
{
	if (s->places == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->place = reallocarray(s->place, s->cap, sizeof(*s->place));
		if (!s->place)
			abort();
	}
	s->place[s->places++] = (struct place){link, parent, classes};
}

static const struct seg_link *passed_link(const struct search *s, int index)
{
	const struct seg_link *link = seg_link_of(s->link, s->links, index);

	return link && s->passage[link - s->link] != SEG_PASSAGE_NONE ? link : NULL;
}

/* A qdisc that the kernel made by itself has no number, and filters only where it is the root. */
static void add_queues(struct search *s, const struct seg_link *link, const struct tcmsg *tc, const char *kind)
{
	static const char *const without[] = {"noqueue", "mq"}; /* what most interfaces have */
	static const char *const by_class[] = {"htb", "hfsc", "cbq", "atm"}; /* of others they are the qdisc's */

	if (!IS_ONE_OF(kind, without) && (tc->tcm_handle || tc->tcm_parent == TC_H_ROOT))
		add_place(s, link, tc->tcm_handle, IS_ONE_OF(kind, by_class));
}

static void take_qdisc(void *context, const struct nlmsghdr *message)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	struct search *s = context;
	const struct seg_link *link;
	const char *kind;
	bool clsact;

	if (message->nlmsg_type != RTM_NEWQDISC || mnl_nlmsg_get_payload_len(message) < sizeof(*tc))
		return;
	link = passed_link(s, tc->tcm_ifindex);
	kind = text_of(attr_of(message, TCA_KIND));
	if (!link || !kind)
		return;
	clsact = strcmp(kind, "clsact") == 0;
	if (clsact || strcmp(kind, "ingress") == 0)
		add_place(s, link, TC_H_MAKE(TC_H_CLSACT, (uint32_t)TC_H_MIN_INGRESS), false);
	else
		add_queues(s, link, tc, kind);
	if (clsact)
		add_place(s, link, TC_H_MAKE(TC_H_CLSACT, (uint32_t)TC_H_MIN_EGRESS), false);
}

static void take_class(void *context, const struct nlmsghdr *message)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	struct search *s = context;
	const struct seg_link *link;

	if (message->nlmsg_type != RTM_NEWTCLASS || mnl_nlmsg_get_payload_len(message) < sizeof(*tc))
		return;
	link = passed_link(s, tc->tcm_ifindex);
	if (link)
		add_place(s, link, tc->tcm_handle, false);
}

static void take_filter(void *context, const struct nlmsghdr *message)
{
	struct search *s = context;
	json_t *one, *way = seg_tc_way_of(message, s->at->link->name);
	size_t i;

	json_array_foreach(s->found, i, one)
	{
		if (!way || json_equal(one, way)) {
			json_decref(way);
			return;
		}
	}
	if (way)
		json_array_append_new(s->found, way);
}

static int ask(const struct search *s, uint16_t type, int index, uint32_t parent, seg_netlink_fn each,
	       void *context)
{
	_Alignas(struct nlmsghdr) char buffer[128];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct tcmsg *tc;

	request->nlmsg_type = type;
	request->nlmsg_seq = type;
	tc = mnl_nlmsg_put_extra_header(request, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = index;
	tc->tcm_parent = parent;
	return seg_netlink_dump(s->sock, request, each, context);
}

/* What is found twice by that is kept once. */
static int ask_again(struct search *s, uint16_t type, int index, uint32_t parent, seg_netlink_fn each)
{
	int error = -EINTR;

	for (int i = 0; i < TRIES && error == -EINTR; i++)
		error = ask(s, type, index, parent, each, s);
	/* The interface, its qdisc or the class went away meanwhile. */
	return error == -ENODEV || error == -EINVAL || error == -ENOENT ? 0 : error;
}

int seg_tc_find(const struct mnl_socket *sock, const struct seg_link *link, size_t n, const enum seg_passage *passage,
		seg_tc_fn each, void *context)
{
	struct search s = {.sock = sock, .link = link, .links = n, .passage = passage, .found = json_array()};
	int error = ask_again(&s, RTM_GETQDISC, 0, 0, take_qdisc);
	json_t *one;
	size_t i;

	for (i = 0; !error && i < s.places; i++) {
		if (s.place[i].classes)
			error = ask_again(&s, RTM_GETTCLASS, s.place[i].link->index, s.place[i].parent, take_class);
	}
	for (i = 0; !error && i < s.places; i++) {
		s.at = &s.place[i];
		error = ask_again(&s, RTM_GETTFILTER, s.at->link->index, s.at->parent, take_filter);
	}
	json_array_foreach(s.found, i, one)
	{
		each(context, json_incref(one));
	}
	json_decref(s.found);
	free(s.place);
	return error;
}
