// SPDX-License-Identifier: GPL-2.0-or-later
/* Filters of traffic control, as the kernel tells of them: which of them take packets elsewhere. */
#include <check.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "control/sentence.h"
#include "kernel/tc.h"
#include "runner.h"

#define QUEUES(means) "tc filters (" means ") in the queues of eth1 can redirect or rewrite packets unjudged"
#define HOOK(kind, side) "tc filters (" kind ") on the " side " of eth1 can redirect packets unjudged"
#define AT_INGRESS TC_H_MAKE(TC_H_CLSACT, (uint32_t)TC_H_MIN_INGRESS)
#define AN_EMPTY_ONE 0
#define AT_EGRESS TC_H_MAKE(TC_H_CLSACT, (uint32_t)TC_H_MIN_EGRESS)

static const struct {
	uint32_t parent;
	const char *kind;
	uint16_t actions;
	const char *action[2];
	const char *way; /* NULL: none */
} filters[] = {
	{AT_INGRESS, "u32", TCA_U32_ACT, {NULL}, HOOK("u32", "ingress")},
	{0x10000, "u32", TCA_U32_ACT, {NULL}, NULL},
	{0x10000, "fw", TCA_FW_ACT, {NULL}, NULL},
	{0x10001, "u32", TCA_U32_ACT, {"mirred"}, QUEUES("u32 mirred")},
	{0x10001, "u32", TCA_U32_ACT, {"skbedit", "mirred"}, QUEUES("u32 mirred")},
	{0x10000, "u32", TCA_U32_ACT, {"police", "gact"}, NULL},
	{0, "flower", TCA_FLOWER_ACT, {"pedit", "csum"}, QUEUES("flower pedit")},
	{0, "flower", TCA_FLOWER_ACT, {"ctinfo", "connmark"}, NULL},
	{0x10000, "matchall", TCA_MATCHALL_ACT, {"nat"}, QUEUES("matchall nat")},
	{0x10000, "basic", TCA_BASIC_ACT, {"vlan"}, QUEUES("basic vlan")},
	{0x10000, "bpf", TCA_BPF_ACT, {NULL}, QUEUES("bpf")}, /* a program does what it likes */
	{0x10000, "new", 1, {NULL}, QUEUES("new")},
	{AT_INGRESS, "u32", TCA_U32_ACT, {"mirred"}, HOOK("u32", "ingress")},
	{TC_H_MAJ(TC_H_CLSACT), "u32", TCA_U32_ACT, {"mirred"}, HOOK("u32", "ingress")}, /* of an ingress qdisc */
	{AT_INGRESS, "matchall", TCA_MATCHALL_ACT, {"police"}, NULL},
	{AT_INGRESS, "u32", TCA_U32_POLICE, {"rate"}, NULL}, /* as it was given before there were actions */
	{AT_INGRESS, "flower", TCA_FLOWER_ACT, {"gact", "mirred"}, HOOK("flower", "ingress")},
	{AT_EGRESS, "bpf", TCA_BPF_ACT, {"gact"}, HOOK("bpf", "egress")},
	{AT_EGRESS, "bpf", TCA_BPF_ACT, {NULL}, HOOK("bpf", "egress")},
};

static void put_actions(struct nlmsghdr *message, int i)
{
	struct nlattr *actions = mnl_attr_nest_start(message, filters[i].actions);

	for (uint16_t j = 0; j < 2 && filters[i].action[j]; j++) {
		struct nlattr *one = mnl_attr_nest_start(message, (uint16_t)(j + 1));

		mnl_attr_put_strz(message, TCA_ACT_KIND, filters[i].action[j]);
		mnl_attr_nest_end(message, one);
	}
	mnl_attr_nest_end(message, actions);
}

static struct nlmsghdr *filter(void *buffer, int i)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nlattr *options;
	struct tcmsg *tc;

	message->nlmsg_type = RTM_NEWTFILTER;
	tc = mnl_nlmsg_put_extra_header(message, sizeof(*tc));
	tc->tcm_parent = filters[i].parent;
	tc->tcm_handle = 0x80000800;
	mnl_attr_put_strz(message, TCA_KIND, filters[i].kind);
	options = mnl_attr_nest_start(message, TCA_OPTIONS);
	if (filters[i].action[0])
		put_actions(message, i);
	mnl_attr_nest_end(message, options);
	return message;
}

START_TEST(what_a_filter_can_do)
{
	_Alignas(struct nlmsghdr) char buffer[1024];
	json_t *way = seg_tc_way_of(filter(buffer, _i), "eth1");
	char *text = seg_sentence_text(way);

	ck_assert_pstr_eq(text, filters[_i].way);
	free(text);
	json_decref(way);
}
END_TEST

START_TEST(what_only_holds_filters_is_none)
{
	static const uint32_t handle[] = {0, 0x80000000};
	_Alignas(struct nlmsghdr) char buffer[1024];

	for (size_t i = 0; i < 2; i++) {
		struct nlmsghdr *message = filter(buffer, AN_EMPTY_ONE);
		struct tcmsg *tc = mnl_nlmsg_get_payload(message);
		json_t *way = seg_tc_way_of(message, "eth1");

		ck_assert_ptr_nonnull(way);
		json_decref(way);
		tc->tcm_handle = handle[i];
		ck_assert_ptr_null(seg_tc_way_of(message, "eth1"));
	}
}
END_TEST

/* Nothing is read beyond its end, and what is no filter says nothing. */
START_TEST(what_is_cut_off_says_nothing)
{
	_Alignas(struct nlmsghdr) char buffer[1024];
	struct nlmsghdr *message = filter(buffer, 3);
	const uint32_t len = message->nlmsg_len;

	for (uint32_t cut = NLMSG_HDRLEN; cut <= len; cut++) {
		struct nlmsghdr *copy = malloc(cut);

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, buffer, cut);
		copy->nlmsg_len = cut;
		json_decref(seg_tc_way_of(copy, "eth1"));
		free(copy);
	}
	message->nlmsg_type = RTM_DELTFILTER;
	ck_assert_ptr_null(seg_tc_way_of(message, "eth1"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tc");
	TCase *tcase = tcase_create("tc");

	tcase_add_loop_test(tcase, what_a_filter_can_do, 0, (int)(sizeof(filters) / sizeof(filters[0])));
	tcase_add_test(tcase, what_only_holds_filters_is_none);
	tcase_add_test(tcase, what_is_cut_off_says_nothing);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
