// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Links, addresses and ways round, as a real kernel tells of them in a network namespace of
 * this program's own. As root only: there is nothing here that can be tried without one.
 */
#include <check.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "control/sentence.h"
#include "kernel/bypass.h"
#include "kernel/links.h"
#include "kernel/netlink.h"
#include "kernel/sysctl.h"
#include "runner.h"

static struct seg_strbuf told; /* one word a change */

static void tell(void *context, const struct seg_link_change *change)
{
	static const char *const name[] = {"new", "changed", "renamed", "gone", "addr", "addr-gone"};
	char text[SEG_ADDR_STRLEN];

	(void)context;
	seg_strbuf_printf(&told, "%s%s:%s", told.len ? " " : "", name[change->event],
			  change->link ? change->link->name : "?");
	if (change->old_name)
		seg_strbuf_printf(&told, "<%s", change->old_name);
	if (change->addr)
		seg_strbuf_printf(&told, "=%s/%u@%s", seg_addr_format(change->addr->addr, text),
				  change->addr->prefix, change->addr->name);
	if (change->event == SEG_LINK_CHANGED)
		seg_strbuf_printf(&told, "%s%s", change->link->up ? "+up" : "-up",
				  change->link->master ? "+master" : "");
}

static void must(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void enter_namespace(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	/* No addresses that come by themselves. */
	must("echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode");
}

static void read_all(struct seg_links *links)
{
	struct pollfd wait = {.fd = seg_links_fd(links), .events = POLLIN};

	while (poll(&wait, 1, 100) > 0)
		ck_assert_int_eq(seg_links_read(links), 0);
}

static struct seg_links *open_dumped(void)
{
	struct seg_links *links;

	ck_assert_int_eq(seg_links_open(&links, tell, NULL), 0);
	ck_assert_int_eq(seg_links_dump(links), 0);
	ck_assert(!seg_links_complete(links));
	read_all(links);
	ck_assert(seg_links_complete(links));
	return links;
}

static void expect(struct seg_links *links, const char *expected)
{
	read_all(links);
	ck_assert_str_eq(seg_strbuf_text(&told), expected);
	seg_strbuf_reset(&told);
}

START_TEST(a_link_comes_changes_its_name_and_goes)
{
	struct seg_links *links;
	size_t n;

	enter_namespace();
	links = open_dumped();
	expect(links, "new:lo");
	must("ip link add va type veth peer name vb");
	expect(links, "new:vb new:va");
	must("ip link set va name mn0");
	expect(links, "renamed:mn0<va");
	must("ip link add name br type bridge && ip link set mn0 master br");
	expect(links, "new:br changed:mn0-up+master");
	must("ip link set mn0 nomaster"); /* the bridge's farewell to its port is no end of the link */
	expect(links, "changed:mn0-up");
	seg_links_list(links, &n);
	ck_assert_uint_eq(n, 4);
	must("ip link del mn0");
	expect(links, "gone:mn0 gone:vb");
	seg_links_close(links);
	seg_strbuf_fini(&told);
}
END_TEST

START_TEST(addresses_of_both_families_follow_their_link)
{
	const struct seg_own_addr *own;
	struct seg_links *links;
	size_t n;

	enter_namespace();
	must("ip link add name va type bridge && ip addr add 10.0.0.1/24 dev va");
	must("ip addr add 2001:db8::1/64 dev va nodad");
	links = open_dumped();
	expect(links, "new:lo new:va addr:va=10.0.0.1/24@va addr:va=2001:db8::1/64@va");
	must("ip addr add 10.0.0.2/24 dev va && ip link set va name vb && ip addr del 10.0.0.2/24 dev vb");
	expect(links, "addr:va=10.0.0.2/24@va renamed:vb<va addr-gone:vb=10.0.0.2/24@vb");
	own = seg_links_addrs(links, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(own[0].name, "vb");
	must("ip addr add 192.0.2.1 peer 192.0.2.2 dev vb"); /* ours is the near end */
	expect(links, "addr:vb=192.0.2.1/32@vb");
	must("ip link del vb");
	read_all(links);
	ck_assert_ptr_nonnull(strstr(seg_strbuf_text(&told), "gone:vb"));
	seg_links_addrs(links, &n);
	ck_assert_uint_eq(n, 0);
	seg_links_close(links);
	seg_strbuf_fini(&told);
}
END_TEST

START_TEST(after_a_loss_a_dump_tells_what_has_gone)
{
	struct seg_links *links;
	int size = 0, error = 0;

	enter_namespace();
	must("ip link add name va type bridge && ip addr add 10.0.0.1/24 dev va");
	must("ip link add name vb type bridge");
	links = open_dumped();
	seg_strbuf_reset(&told);
	ck_assert_int_eq(setsockopt(seg_links_fd(links), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	must("for i in 1 2 3 4 5 6 7 8; do ip link set vb mtu 140$i; done");
	must("ip link del va; ip link add name vc type bridge");
	for (int i = 0; i < 20 && error != -ENOBUFS; i++)
		error = seg_links_read(links);
	ck_assert_int_eq(error, -ENOBUFS);
	ck_assert_str_eq(seg_strbuf_text(&told), "");
	must("ip link add name vd type bridge");
	expect(links, "new:vd"); /* what comes behind it is heard without a dump */
	ck_assert_int_eq(seg_links_dump(links), 0);
	expect(links, "new:vc addr-gone:va=10.0.0.1/24@va gone:va");
	ck_assert(seg_links_complete(links));
	seg_links_close(links);
	seg_strbuf_fini(&told);
}
END_TEST

static void tell_tc(void *context, const struct nlmsghdr *message)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);

	(void)context;
	seg_strbuf_printf(&told, "%stc-%s@%d", told.len ? " " : "",
			  message->nlmsg_type == RTM_NEWQDISC ? "new" : "gone", tc->tcm_ifindex);
}

START_TEST(traffic_control_is_heard_in_order)
{
	struct seg_links *links;

	enter_namespace();
	links = open_dumped();
	expect(links, "new:lo");
	must("ip link add name va index 7 type bridge && tc qdisc add dev va root tbf rate 1mbit burst 9k latency 1s");
	expect(links, "new:va");
	ck_assert_int_eq(seg_links_hear_tc(links, tell_tc), 0);
	must("tc qdisc del dev va root");
	must("ip link set va name vb && tc qdisc add dev vb root tbf rate 1mbit burst 9k latency 1s && ip link del vb");
	expect(links, "tc-gone@7 renamed:vb<va tc-new@7 gone:vb");
	seg_links_close(links);
	seg_strbuf_fini(&told);
}
END_TEST

static unsigned stirred;

/* Whenever something of the dump is seen there is something new, until it is given up. */
static void stir(void *context, const struct seg_link_change *change)
{
	struct seg_links *const *links = context;

	(void)change;
	if (stirred == 20)
		return;
	must(stirred++ % 2 ? "ip link set va down" : "ip link set va up");
	ck_assert_int_eq(seg_links_dump(*links), 0); /* as after a loss */
}

/* Whoever waits for one, in the only thread, would wait for as long as it goes on. */
START_TEST(a_dump_that_changes_on_and_on_is_given_up)
{
	struct seg_links *links;
	struct pollfd wait;
	int r = 0;

	enter_namespace();
	must("ip link add name va type bridge");
	ck_assert_int_eq(seg_links_open(&links, stir, &links), 0);
	ck_assert_int_eq(seg_links_dump(links), 0);
	wait = (struct pollfd){.fd = seg_links_fd(links), .events = POLLIN};
	while (!r && poll(&wait, 1, 100) > 0)
		r = seg_links_read(links);
	ck_assert_int_eq(r, -EINTR);
	ck_assert(!seg_links_complete(links));
	stirred = 20;
	ck_assert_int_eq(seg_links_dump(links), 0);
	read_all(links);
	ck_assert(seg_links_complete(links));
	seg_links_close(links);
}
END_TEST

/* ---- Ways round ------------------------------------------------------------------------ */

static void find(void *context, json_t *finding)
{
	char *text = seg_sentence_text(finding);

	(void)context;
	seg_strbuf_printf(&told, "%s\n", text);
	free(text);
	json_decref(finding);
}

static void expect_findings(const char *expected)
{
	static const char *const interface[] = {"va", "vb", "vc", "not-there"};

	seg_strbuf_reset(&told);
	ck_assert_int_eq(seg_bypass_find(interface, 4, find, NULL), 0);
	ck_assert_str_eq(seg_strbuf_text(&told), expected);
}

/* Nothing to say about conntrack, so that the rest can be looked at. */
static void quiet_conntrack(void)
{
	ck_assert_int_eq(seg_sysctl_write("net/netfilter/nf_conntrack_events", 1), 0);
	ck_assert_int_eq(seg_sysctl_write("net/netfilter/nf_conntrack_acct", 1), 0);
}

START_TEST(settings_of_conntrack)
{
	enter_namespace();
	must("nft 'table inet k { chain c { type filter hook forward priority 0; ct state new; }; }'");
	ck_assert_int_eq(seg_sysctl_write("net/netfilter/nf_conntrack_events", 2), 0);
	ck_assert_int_eq(seg_sysctl_write("net/netfilter/nf_conntrack_acct", 0), 0);
	expect_findings("nf_conntrack_events is 2, not 1: flows can begin unseen\n"
			"nf_conntrack_acct is 0, not 1: flows are not counted\n");
	quiet_conntrack();
	expect_findings("");
	ck_assert_int_eq(seg_sysctl_write("net/netfilter/no_such_thing", 1), -ENOENT);
	seg_strbuf_fini(&told);
}
END_TEST

START_TEST(packets_that_name_their_route)
{
	enter_namespace();
	quiet_conntrack();
	must("ip link add va type veth peer name vx");
	/* Interfaces accept source routes from the start: what counts is that all may. */
	ck_assert_int_eq(seg_sysctl_write("net/ipv4/conf/va/accept_source_route", 1), 0);
	expect_findings("");
	ck_assert_int_eq(seg_sysctl_write("net/ipv4/conf/all/accept_source_route", 1), 0);
	expect_findings(
		"accept_source_route of va is on: packets to the gateway can name another way to go on\n");
	ck_assert_int_eq(seg_sysctl_write("net/ipv4/conf/va/accept_source_route", 0), 0);
	expect_findings("");
	if (seg_sysctl_write("net/ipv6/conf/all/seg6_enabled", 1) == 0) {
		ck_assert_int_eq(seg_sysctl_write("net/ipv6/conf/va/seg6_enabled", 1), 0);
		expect_findings(
			"seg6_enabled of va is on: packets to the gateway can name another way to go on\n");
	}
	seg_strbuf_fini(&told);
}
END_TEST

START_TEST(bridged_ports)
{
	bool module;
	long value;

	enter_namespace();
	module = seg_sysctl_read("net/bridge/bridge-nf-call-iptables", &value) == 0;
	quiet_conntrack();
	must("ip link add name br type bridge");
	must("for i in va vb vx; do ip link add $i type veth peer name p$i; ip link set $i master br; done;"
	     "ip link set vb nomaster");
	if (module)
		ck_assert_int_eq(seg_sysctl_write("net/bridge/bridge-nf-call-iptables", 0), 0);
	expect_findings(""); /* one port of ours beside a foreign one */
	must("ip link set vb master br");
	expect_findings("va, vb are ports of the bridge br and bridge-nf-call-iptables is off:"
			" frames between them go unjudged\n");
	/* The ports of a zone's own bridge are all that zone's. */
	must("ip link set va nomaster && ip link add name vc type bridge");
	must("ip link set pva master vc && ip link set pvx master vc");
	expect_findings("");
	must("ip link set va master br");
	if (module) {
		ck_assert_int_eq(seg_sysctl_write("net/bridge/bridge-nf-call-iptables", 1), 0);
		expect_findings("");
	}
	seg_strbuf_fini(&told);
}
END_TEST

/* The smallest program: passes every frame. -1: this kernel or container loads none. */
static int load_xdp(void)
{
	static const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insn_cnt = 2,
		.insns = (uint64_t)(uintptr_t)pass,
		.license = (uint64_t)(uintptr_t) "GPL",
	};

	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
}

static void attach_xdp(const char *interface, int program)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *link;
	struct mnl_socket *sock;
	struct nlattr *nest;

	request->nlmsg_type = RTM_SETLINK;
	link = mnl_nlmsg_put_extra_header(request, sizeof(*link));
	link->ifi_index = (int)if_nametoindex(interface);
	nest = mnl_attr_nest_start(request, IFLA_XDP);
	mnl_attr_put_u32(request, IFLA_XDP_FD, (uint32_t)program);
	mnl_attr_put_u32(request, IFLA_XDP_FLAGS, XDP_FLAGS_SKB_MODE);
	mnl_attr_nest_end(request, nest);
	ck_assert_int_eq(seg_netlink_open(&sock, NETLINK_ROUTE, 0, 0), 0);
	ck_assert_int_eq(seg_netlink_request(sock, request), 0);
	mnl_socket_close(sock);
}

START_TEST(an_xdp_program)
{
	int program;

	enter_namespace();
	quiet_conntrack();
	program = load_xdp();
	if (program < 0) {
		puts("links: no XDP program can be loaded here, skipped");
		return;
	}
	must("ip link add va type veth peer name vx");
	attach_xdp("vx", program);
	expect_findings(""); /* not a zone's interface */
	attach_xdp("va", program);
	expect_findings("an XDP program on va can pass packets on unjudged\n");
	attach_xdp("va", -1);
	expect_findings("");
	close(program);
	seg_strbuf_fini(&told);
}
END_TEST

START_TEST(a_tc_hook_is_a_way_round_by_what_its_filters_do)
{
	enter_namespace();
	quiet_conntrack();
	must("ip link add name va type bridge && ip link add name vx type bridge");
	if (system("tc qdisc add dev va clsact 2>/dev/null && tc qdisc add dev vx clsact") != 0)
		return;
	expect_findings("");
	must("for i in va vx; do tc filter add dev $i ingress u32 match u32 0 0 action mirred egress redirect dev vx; done");
	expect_findings("tc filters (u32) on the ingress of va can redirect packets unjudged\n");
	must("tc filter del dev va ingress");
	/* Which classifiers and actions there are depends on the kernel. */
	if (system("tc filter add dev va ingress matchall action police rate 1mbit burst 10k drop 2>/dev/null") == 0)
		expect_findings("");
	seg_strbuf_fini(&told);
}
END_TEST

static bool is_va(const void *asked, const char *interface)
{
	++*(unsigned *)(uintptr_t)asked;
	return strcmp(interface, "va") == 0;
}

/* Where packets pass is asked only where it matters. */
START_TEST(a_filter_is_heard_where_packets_pass)
{
	static const struct {
		const char *kind, *way;
		int index;
		bool asked;
	} heard[] = {
		{"u32", NULL, 7, false},
		{"bpf", "tc filters (bpf) in the queues of va can redirect or rewrite packets unjudged", 7, true},
		{"bpf", NULL, 1, true},
		{"bpf", NULL, 99, false},
	};
	struct seg_links *links;

	enter_namespace();
	must("ip link add name va index 7 type bridge");
	links = open_dumped();
	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
		_Alignas(struct nlmsghdr) char buffer[256];
		struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
		struct tcmsg *tc = mnl_nlmsg_put_extra_header(message, sizeof(*tc));
		unsigned asked = 0;
		char *text;
		json_t *way;

		message->nlmsg_type = RTM_NEWTFILTER;
		tc->tcm_ifindex = heard[i].index;
		tc->tcm_parent = 0x10000;
		tc->tcm_handle = 0x80000800;
		mnl_attr_put_strz(message, TCA_KIND, heard[i].kind);
		way = seg_bypass_heard(links, message, is_va, &asked);
		text = way ? seg_sentence_text(way) : NULL;
		ck_assert_pstr_eq(text, heard[i].way);
		ck_assert_uint_eq(asked > 0, heard[i].asked);
		free(text);
		json_decref(way);
	}
	seg_links_close(links);
	seg_strbuf_fini(&told);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("links");
	TCase *links = tcase_create("links"), *bypass = tcase_create("bypass");

	if (geteuid() != 0) {
		puts("links: not root, skipped");
		return EXIT_SUCCESS;
	}
	tcase_add_test(links, a_link_comes_changes_its_name_and_goes);
	tcase_add_test(links, addresses_of_both_families_follow_their_link);
	tcase_add_test(links, after_a_loss_a_dump_tells_what_has_gone);
	tcase_add_test(links, traffic_control_is_heard_in_order);
	tcase_add_test(links, a_dump_that_changes_on_and_on_is_given_up);
	tcase_set_timeout(links, 30);
	suite_add_tcase(suite, links);
	tcase_add_test(bypass, settings_of_conntrack);
	tcase_add_test(bypass, packets_that_name_their_route);
	tcase_add_test(bypass, bridged_ports);
	tcase_add_test(bypass, an_xdp_program);
	tcase_add_test(bypass, a_tc_hook_is_a_way_round_by_what_its_filters_do);
	tcase_add_test(bypass, a_filter_is_heard_where_packets_pass);
	tcase_set_timeout(bypass, 30);
	suite_add_tcase(suite, bypass);
	return run_suite(suite);
}
