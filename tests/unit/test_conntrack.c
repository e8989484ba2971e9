// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages built here, read by decode and, as a second opinion, by libnetfilter_conntrack;
 * then real flows over the loopback of a network namespace of this program's own.
 */
#include <arpa/inet.h>
#include <check.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/conntrack.h"
#include "kernel/sysctl.h"
#include "runner.h"

/* ---- Synthetic messages ---------------------------------------------------------------- */

struct message {
	_Alignas(struct nlmsghdr) char bytes[1024];
	struct nlmsghdr *header;
};

static void begin(struct message *m, int type, int flags, uint8_t family)
{
	struct nfgenmsg *header;

	memset(m->bytes, 0, sizeof(m->bytes));
	m->header = mnl_nlmsg_put_header(m->bytes);
	m->header->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	m->header->nlmsg_flags = (uint16_t)flags;
	header = mnl_nlmsg_put_extra_header(m->header, sizeof(*header));
	header->nfgen_family = family;
}

static void put_addresses(struct message *m, const char *src, const char *dst)
{
	struct nlattr *nest = mnl_attr_nest_start(m->header, CTA_TUPLE_IP);
	bool ipv4 = !strchr(src, ':');
	uint8_t bytes[16];

	ck_assert_int_eq(inet_pton(ipv4 ? AF_INET : AF_INET6, src, bytes), 1);
	mnl_attr_put(m->header, ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, ipv4 ? 4 : 16, bytes);
	ck_assert_int_eq(inet_pton(ipv4 ? AF_INET : AF_INET6, dst, bytes), 1);
	mnl_attr_put(m->header, ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, ipv4 ? 4 : 16, bytes);
	mnl_attr_nest_end(m->header, nest);
}

static void put_tuple(struct message *m, uint16_t which, const char *src, const char *dst, uint8_t proto,
		      uint16_t sport, uint16_t dport)
{
	struct nlattr *tuple = mnl_attr_nest_start(m->header, which), *nest;

	put_addresses(m, src, dst);
	nest = mnl_attr_nest_start(m->header, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(m->header, CTA_PROTO_NUM, proto);
	if (proto == IPPROTO_ICMP) {
		mnl_attr_put_u16(m->header, CTA_PROTO_ICMP_ID, htons(sport));
		mnl_attr_put_u8(m->header, CTA_PROTO_ICMP_TYPE, (uint8_t)(dport >> 8));
		mnl_attr_put_u8(m->header, CTA_PROTO_ICMP_CODE, (uint8_t)dport);
	} else {
		mnl_attr_put_u16(m->header, CTA_PROTO_SRC_PORT, htons(sport));
		mnl_attr_put_u16(m->header, CTA_PROTO_DST_PORT, htons(dport));
	}
	mnl_attr_nest_end(m->header, nest);
	mnl_attr_nest_end(m->header, tuple);
}

static void put_counters(struct message *m, uint16_t which, uint64_t packets, uint64_t bytes)
{
	struct nlattr *nest = mnl_attr_nest_start(m->header, which);

	mnl_attr_put_u64(m->header, CTA_COUNTERS_PACKETS, htobe64(packets));
	mnl_attr_put_u64(m->header, CTA_COUNTERS_BYTES, htobe64(bytes));
	mnl_attr_nest_end(m->header, nest);
}

/* A TCP flow through DNAT: 10.0.0.1:40000 -> 192.0.2.9:80, really to 10.9.9.9:8080. */
static void put_nat_flow(struct message *m)
{
	struct nlattr *info, *tcp, *time;

	put_tuple(m, CTA_TUPLE_ORIG, "10.0.0.1", "192.0.2.9", IPPROTO_TCP, 40000, 80);
	put_tuple(m, CTA_TUPLE_REPLY, "10.9.9.9", "172.16.0.1", IPPROTO_TCP, 8080, 61000);
	mnl_attr_put_u32(m->header, CTA_STATUS, htonl(0x18e));
	info = mnl_attr_nest_start(m->header, CTA_PROTOINFO);
	tcp = mnl_attr_nest_start(m->header, CTA_PROTOINFO_TCP);
	mnl_attr_put_u8(m->header, CTA_PROTOINFO_TCP_STATE, 3);
	mnl_attr_nest_end(m->header, tcp);
	mnl_attr_nest_end(m->header, info);
	mnl_attr_put_u32(m->header, CTA_TIMEOUT, htonl(431999));
	mnl_attr_put_u32(m->header, CTA_MARK, htonl(0x1234));
	mnl_attr_put_u32(m->header, CTA_ID, htonl(0xcafe0001));
	mnl_attr_put_u16(m->header, CTA_ZONE, htons(7));
	put_counters(m, CTA_COUNTERS_ORIG, 12, UINT64_C(5000000000));
	put_counters(m, CTA_COUNTERS_REPLY, 9, 900);
	time = mnl_attr_nest_start(m->header, CTA_TIMESTAMP);
	mnl_attr_put_u64(m->header, CTA_TIMESTAMP_START, htobe64(UINT64_C(1763946000123456789)));
	mnl_attr_nest_end(m->header, time);
}

static int decode(const struct message *m, enum seg_flow_event *event, struct seg_flow *flow)
{
	return seg_conntrack_decode(m->bytes, m->header->nlmsg_len, event, flow);
}

static seg_addr addr(const char *text)
{
	seg_addr value;

	ck_assert(seg_addr_parse(text, strlen(text), &value));
	return value;
}

START_TEST(true_endpoints_and_every_field)
{
	enum seg_flow_event event;
	struct seg_flow flow;
	struct message m;

	begin(&m, IPCTNL_MSG_CT_DELETE, 0, AF_INET);
	put_nat_flow(&m);
	ck_assert_int_eq(decode(&m, &event, &flow), 0);
	ck_assert_int_eq(event, SEG_FLOW_DESTROY);
	ck_assert(flow.src == addr("10.0.0.1") && flow.dst == addr("10.9.9.9"));
	ck_assert(flow.orig_dst == addr("192.0.2.9") && flow.reply_dst == addr("172.16.0.1"));
	ck_assert_uint_eq(flow.proto, IPPROTO_TCP);
	ck_assert_uint_eq(flow.sport, 40000);
	ck_assert_uint_eq(flow.dport, 8080);
	ck_assert_uint_eq(flow.orig_dport, 80);
	ck_assert_uint_eq(flow.reply_dport, 61000);
	ck_assert_uint_eq(flow.status, 0x18e);
	ck_assert_uint_eq(flow.tcp_state, 3);
	ck_assert_uint_eq(flow.timeout, 431999);
	ck_assert_uint_eq(flow.mark, 0x1234);
	ck_assert_uint_eq(flow.id, 0xcafe0001);
	ck_assert_uint_eq(flow.ct_zone, 7);
	ck_assert(!flow.ct_zone_orig);
	ck_assert_uint_eq(flow.packets, 12);
	ck_assert_uint_eq(flow.bytes, UINT64_C(5000000000));
	ck_assert_uint_eq(flow.reply_packets, 9);
	ck_assert_uint_eq(flow.reply_bytes, 900);
	ck_assert_uint_eq(flow.start_ns, UINT64_C(1763946000123456789));
}
END_TEST

START_TEST(the_library_reads_the_same)
{
	struct nf_conntrack *entry = nfct_new();
	enum seg_flow_event event;
	struct seg_flow flow;
	struct message m;

	begin(&m, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL, AF_INET);
	put_nat_flow(&m);
	ck_assert_int_eq(decode(&m, &event, &flow), 0);
	ck_assert_int_eq(event, SEG_FLOW_NEW);
	ck_assert_int_eq(nfct_nlmsg_parse(m.header, entry), 0);
	ck_assert_uint_eq(ntohs(nfct_get_attr_u16(entry, ATTR_REPL_PORT_SRC)), flow.dport);
	ck_assert_uint_eq(ntohs(nfct_get_attr_u16(entry, ATTR_ORIG_PORT_SRC)), flow.sport);
	ck_assert_uint_eq(nfct_get_attr_u32(entry, ATTR_MARK), flow.mark);
	ck_assert_uint_eq(nfct_get_attr_u32(entry, ATTR_ID), flow.id);
	ck_assert_uint_eq(nfct_get_attr_u32(entry, ATTR_TIMEOUT), flow.timeout);
	ck_assert_uint_eq(nfct_get_attr_u8(entry, ATTR_TCP_STATE), flow.tcp_state);
	ck_assert_uint_eq(nfct_get_attr_u64(entry, ATTR_ORIG_COUNTER_BYTES), flow.bytes);
	ck_assert(seg_addr_from_bytes(SEG_IPV4, nfct_get_attr(entry, ATTR_REPL_IPV4_SRC)) == flow.dst);
	nfct_destroy(entry);
}
END_TEST

START_TEST(icmp_has_types_for_ports)
{
	enum seg_flow_event event;
	struct seg_flow flow;
	struct message m;

	begin(&m, IPCTNL_MSG_CT_NEW, NLM_F_MULTI, AF_INET);
	put_tuple(&m, CTA_TUPLE_ORIG, "10.0.0.1", "10.0.0.2", IPPROTO_ICMP, 4711, 8 << 8 | 1);
	put_tuple(&m, CTA_TUPLE_REPLY, "10.0.0.2", "10.0.0.1", IPPROTO_ICMP, 4712, 0);
	ck_assert_int_eq(decode(&m, &event, &flow), 0);
	ck_assert_int_eq(event, SEG_FLOW_DUMPED);
	ck_assert_uint_eq(flow.dport, 8);
	ck_assert_uint_eq(flow.orig_dport, 8);
	ck_assert_uint_eq(flow.icmp_code, 1);
	ck_assert_uint_eq(flow.sport, 4711);
	ck_assert_uint_eq(flow.reply_dport, 4712);
	ck_assert_uint_eq(flow.mark, 0);
}
END_TEST

START_TEST(an_ipv4_mapped_address_is_nobody)
{
	enum seg_flow_event event;
	struct seg_flow flow;
	struct message m;

	begin(&m, IPCTNL_MSG_CT_NEW, 0, AF_INET6);
	put_tuple(&m, CTA_TUPLE_ORIG, "2001:db8::1", "::ffff:10.0.0.2", IPPROTO_UDP, 1, 2);
	put_tuple(&m, CTA_TUPLE_REPLY, "::ffff:10.0.0.2", "2001:db8::1", IPPROTO_UDP, 2, 1);
	ck_assert_int_eq(decode(&m, &event, &flow), 0);
	ck_assert(flow.src == addr("2001:db8::1"));
	ck_assert(flow.dst == addr("::"));
}
END_TEST

START_TEST(what_is_no_flow)
{
	enum seg_flow_event event;
	struct seg_flow flow;
	struct message m;

	begin(&m, IPCTNL_MSG_CT_NEW, 0, AF_INET);
	put_tuple(&m, CTA_TUPLE_ORIG, "10.0.0.1", "10.0.0.2", IPPROTO_UDP, 1, 2);
	ck_assert_int_eq(decode(&m, &event, &flow), -EBADMSG); /* no reply tuple */
	begin(&m, IPCTNL_MSG_CT_GET_STATS, 0, AF_INET);
	ck_assert_int_eq(decode(&m, &event, &flow), -ENOMSG);
	begin(&m, IPCTNL_MSG_CT_NEW, 0, AF_INET);
	m.header->nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8);
	ck_assert_int_eq(decode(&m, &event, &flow), -ENOMSG);
	m.header->nlmsg_len = NLMSG_HDRLEN;
	ck_assert_int_eq(decode(&m, &event, &flow), -EBADMSG);
	ck_assert_int_eq(seg_conntrack_decode(m.bytes, 3, &event, &flow), -EBADMSG);
}
END_TEST

/* Every truncation, in memory that ends where the message ends (the sanitizers watch). */
START_TEST(cut_off_anywhere)
{
	enum seg_flow_event event;
	struct seg_flow flow;
	struct message m;

	begin(&m, IPCTNL_MSG_CT_NEW, 0, AF_INET);
	put_nat_flow(&m);
	for (uint32_t len = 0; len < m.header->nlmsg_len; len++) {
		char *copy = malloc(len ? len : 1);

		memcpy(copy, m.bytes, len);
		if (len >= sizeof(struct nlmsghdr))
			((struct nlmsghdr *)(void *)copy)->nlmsg_len = len;
		/* Up to the end of the reply tuple there is no flow; behind it only details are missing. */
		if (len < 124)
			ck_assert_int_lt(seg_conntrack_decode(copy, len, &event, &flow), 0);
		else
			seg_conntrack_decode(copy, len, &event, &flow);
		free(copy);
	}
}
END_TEST

/* ---- Real flows ------------------------------------------------------------------------ */

struct seen {
	struct seg_flow flow[4096];
	enum seg_flow_event event[4096];
	size_t n, all;
};
static struct seen seen;

static void see(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	struct seen *s = context;

	s->all++;
	if (s->n == sizeof(s->flow) / sizeof(s->flow[0]))
		return;
	s->event[s->n] = event;
	s->flow[s->n++] = *flow;
}

static const struct seg_flow *seen_port(enum seg_flow_event event, uint16_t dport)
{
	for (size_t i = 0; i < seen.n; i++) {
		if (seen.event[i] == event && seen.flow[i].dport == dport)
			return &seen.flow[i];
	}
	return NULL;
}

/* An own namespace with loopback up and conntrack hooked in. */
static void enter_namespace(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(system("ip link set lo up"), 0);
	ck_assert_int_eq(system("nft 'table inet keeper { chain c { type filter hook output priority 0; "
				"ct state new counter; }; chain i { type filter hook input priority 0; "
				"ct state new counter; }; }'"),
			 0);
}

static int udp_socket(int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void send_udp(int fd, uint16_t port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	/* Port unreachable of the one before is no concern. */
	while (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		ck_assert_int_eq(errno, ECONNREFUSED);
}

static int drain_events(struct seg_conntrack *ct)
{
	struct pollfd wait = {.fd = seg_conntrack_event_fd(ct), .events = POLLIN};
	int times = 0;
	bool lost;

	while (poll(&wait, 1, 100) > 0) {
		ck_assert_int_ge(seg_conntrack_read_events(ct, &lost), 0);
		times += lost;
	}
	return times;
}

static void dump_all(struct seg_conntrack *ct, uint32_t value, uint32_t mask)
{
	struct pollfd wait = {.fd = seg_conntrack_dump_fd(ct), .events = POLLIN};
	int done;

	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(seg_conntrack_dump_start(ct, value, mask), 0);
	ck_assert_int_eq(seg_conntrack_dump_start(ct, 0, 0), -EBUSY);
	while ((done = seg_conntrack_dump_read(ct, see, &seen)) == 0)
		ck_assert_int_gt(poll(&wait, 1, 2000), 0);
	ck_assert_int_eq(done, 1);
}

static struct seg_conntrack *open_prepared(size_t buffer)
{
	const char *failed[SEG_CONNTRACK_SETTINGS];
	struct seg_conntrack *ct;

	enter_namespace();
	ck_assert_uint_eq(seg_conntrack_prepare(failed), 0);
	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(seg_conntrack_open(&ct, buffer, see, &seen), 0);
	return ct;
}

START_TEST(a_real_flow_begins_is_dumped_and_deleted)
{
	struct seg_conntrack *ct = open_prepared(1 << 20);
	const struct seg_flow *flow;
	struct seg_flow kept[2];
	unsigned count, max;
	size_t gone;
	long value;
	int fd = udp_socket(AF_INET);

	ck_assert_int_eq(seg_sysctl_read("net/netfilter/nf_conntrack_acct", &value), 0);
	ck_assert_int_eq(value, 1);
	send_udp(fd, 5353);
	drain_events(ct);
	flow = seen_port(SEG_FLOW_NEW, 5353);
	ck_assert_ptr_nonnull(flow);
	ck_assert(flow->src == addr("127.0.0.1") && flow->dst == addr("127.0.0.1"));
	ck_assert_uint_eq(flow->proto, IPPROTO_UDP);
	ck_assert_uint_gt(flow->timeout, 0);

	dump_all(ct, 0, 0);
	flow = seen_port(SEG_FLOW_DUMPED, 5353);
	ck_assert_ptr_nonnull(flow);
	ck_assert_uint_ge(flow->packets, 1);
	ck_assert_uint_gt(flow->start_ns, 0);
	ck_assert_int_eq(seg_conntrack_fill(&count, &max), 0);
	ck_assert_uint_ge(count, 1);
	ck_assert_uint_gt(max, count);

	/* Another entry of the same tuple is not ours to delete. */
	kept[0] = kept[1] = *flow;
	kept[0].id ^= 1;
	ck_assert_int_eq(seg_conntrack_delete(ct, &kept[0], 1, &gone), 0);
	ck_assert_uint_eq(gone, 0);
	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(seg_conntrack_delete(ct, kept, 2, &gone), 0);
	ck_assert_uint_eq(gone, 1);
	drain_events(ct);
	flow = seen_port(SEG_FLOW_DESTROY, 5353);
	ck_assert_ptr_nonnull(flow);
	ck_assert_uint_eq(flow->id, kept[1].id);
	ck_assert_uint_ge(flow->packets, 1);
	close(fd);
	seg_conntrack_close(ct);
}
END_TEST

/* Packets change entries at every turn, and we do: what is told is what somebody else has changed. */
START_TEST(changes_by_others_are_told)
{
	struct seg_conntrack *ct = open_prepared(1 << 20), *other;
	const struct seg_flow *flow;
	struct seg_flow kept;
	int fd = udp_socket(AF_INET), echo = udp_socket(AF_INET);
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons(5353), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	char byte;

	ck_assert_int_eq(seg_conntrack_open(&other, 0, NULL, NULL), 0);
	ck_assert_int_eq(bind(echo, (struct sockaddr *)&at, sizeof(at)), 0);
	send_udp(fd, 5353);
	ck_assert_int_eq(recvfrom(echo, &byte, 1, 0, (struct sockaddr *)&at, &len), 1);
	ck_assert_int_eq(sendto(echo, "y", 1, 0, (struct sockaddr *)&at, len), 1); /* seen both ways */
	drain_events(ct);
	ck_assert_ptr_nonnull(seen_port(SEG_FLOW_NEW, 5353));
	ck_assert_ptr_null(seen_port(SEG_FLOW_UPDATED, 5353));
	kept = *seen_port(SEG_FLOW_NEW, 5353);
	ck_assert_int_eq(seg_conntrack_unmark(ct, &kept, 1), 0);
	drain_events(ct);
	ck_assert_ptr_null(seen_port(SEG_FLOW_UPDATED, 5353));
	ck_assert_int_eq(seg_conntrack_unmark(other, &kept, 1), 0);
	drain_events(ct);
	flow = seen_port(SEG_FLOW_UPDATED, 5353);
	ck_assert_ptr_nonnull(flow);
	ck_assert_uint_eq(flow->id, kept.id);
	memset(&seen, 0, sizeof(seen));
	seg_conntrack_set_hand(ct, other);
	ck_assert_int_eq(seg_conntrack_unmark(other, &kept, 1), 0);
	drain_events(ct);
	ck_assert_uint_eq(seen.all, 0);
	close(fd);
	close(echo);
	seg_conntrack_close(other);
	seg_conntrack_close(ct);
}
END_TEST

START_TEST(other_protocols_are_deleted_too)
{
	struct seg_conntrack *ct = open_prepared(1 << 20);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 112);
	bool vrrp = false, ping4 = false, ping6 = false;
	size_t gone;

	ck_assert_int_ge(raw, 0);
	ck_assert_int_eq(sendto(raw, "xxxxxxxx", 8, 0, (struct sockaddr *)&to, sizeof(to)), 8);
	ck_assert_int_eq(system("ping -q -c1 127.0.0.1 >/dev/null && ping -q -c1 ::1 >/dev/null"), 0);
	dump_all(ct, 0, 0);
	ck_assert_uint_ge(seen.n, 3);
	for (size_t i = 0; i < seen.n; i++) {
		vrrp = vrrp || (seen.flow[i].proto == 112 && seen.flow[i].dport == 0);
		ping4 = ping4 || (seen.flow[i].proto == IPPROTO_ICMP && seen.flow[i].dport == 8);
		ping6 = ping6 || (seen.flow[i].proto == IPPROTO_ICMPV6 && seen.flow[i].dport == 128);
	}
	ck_assert(vrrp && ping4 && ping6);
	ck_assert_int_eq(seg_conntrack_delete(ct, seen.flow, seen.n, &gone), 0);
	ck_assert_uint_eq(gone, seen.n);
	dump_all(ct, 0, 0);
	ck_assert_uint_eq(seen.n, 0);
	close(raw);
	seg_conntrack_close(ct);
}
END_TEST

START_TEST(dumps_by_mark_and_deletes_in_batches)
{
	struct seg_conntrack *ct = open_prepared(4 << 20);
	int fd = udp_socket(AF_INET);
	size_t gone;

	ck_assert_int_eq(system("nft 'table ip m { chain o { type filter hook output priority -10; "
				"udp dport < 1100 ct mark set 7; }; }'"),
			 0);
	for (uint16_t port = 1000; port < 2000; port++)
		send_udp(fd, port);
	dump_all(ct, 7, UINT32_MAX);
	ck_assert_uint_eq(seen.n, 100);
	ck_assert_uint_eq(seen.flow[0].mark, 7);
	dump_all(ct, 0, UINT32_MAX);
	ck_assert_uint_eq(seen.n, 900);
	ck_assert_int_eq(seg_conntrack_delete(ct, seen.flow, seen.n, &gone), 0);
	ck_assert_uint_eq(gone, 900);
	ck_assert_int_eq(seg_conntrack_delete(ct, seen.flow, seen.n, &gone), 0);
	ck_assert_uint_eq(gone, 0);
	dump_all(ct, 0, 0);
	ck_assert_uint_eq(seen.n, 100);
	close(fd);
	seg_conntrack_close(ct);
}
END_TEST

/* A receive buffer far too small: losses are told, and the kernel delivers again. */
START_TEST(losses_are_told_and_delivered_again)
{
	struct seg_conntrack *ct = open_prepared(4096);
	int fd = udp_socket(AF_INET);
	bool told[1000] = {false};
	size_t missing = 0;
	bool lost;

	for (uint16_t port = 2000; port < 3000; port++)
		send_udp(fd, port);
	ck_assert_int_gt(drain_events(ct), 0);
	ck_assert_uint_lt(seen.all, 1000);
	for (uint16_t port = 2000; port < 3000; port++) {
		send_udp(fd, port); /* each flow's next packet brings the event that was lost */
		ck_assert_int_ge(seg_conntrack_read_events(ct, &lost), 0);
	}
	drain_events(ct);
	for (size_t i = 0; i < seen.n; i++) {
		if (seen.event[i] == SEG_FLOW_NEW && seen.flow[i].dport >= 2000 && seen.flow[i].dport < 3000)
			told[seen.flow[i].dport - 2000] = true;
	}
	for (size_t i = 0; i < 1000; i++)
		missing += !told[i];
	ck_assert_uint_eq(missing, 0);
	close(fd);
	seg_conntrack_close(ct);
}
END_TEST

/* More than one read takes: what begins behind that which tells of the loss is heard. */
START_TEST(a_loss_is_told_when_hearing_goes_on)
{
	struct seg_conntrack *ct = open_prepared(8 << 20);
	int fd = udp_socket(AF_INET);
	bool lost = false;

	for (unsigned port = 1000; port < 41000; port++)
		send_udp(fd, (uint16_t)port);
	for (int i = 0; i < 1000 && !lost; i++)
		ck_assert_int_ge(seg_conntrack_read_events(ct, &lost), 0);
	ck_assert(lost);
	memset(&seen, 0, sizeof(seen));
	send_udp(fd, 999);
	ck_assert_int_ge(seg_conntrack_read_events(ct, &lost), 0);
	ck_assert(!lost && seen_port(SEG_FLOW_NEW, 999));
	close(fd);
	seg_conntrack_close(ct);
}
END_TEST

/* Each enters a namespace of its own, in the process that check forks for it. */
static TCase *real_flows(void)
{
	TCase *real = tcase_create("kernel");

	tcase_add_test(real, a_real_flow_begins_is_dumped_and_deleted);
	tcase_add_test(real, changes_by_others_are_told);
	tcase_add_test(real, other_protocols_are_deleted_too);
	tcase_add_test(real, dumps_by_mark_and_deletes_in_batches);
	tcase_add_test(real, losses_are_told_and_delivered_again);
	tcase_add_test(real, a_loss_is_told_when_hearing_goes_on);
	tcase_set_timeout(real, 30);
	return real;
}

int main(void)
{
	Suite *suite = suite_create("conntrack");
	TCase *decoding = tcase_create("decode");

	tcase_add_test(decoding, true_endpoints_and_every_field);
	tcase_add_test(decoding, the_library_reads_the_same);
	tcase_add_test(decoding, icmp_has_types_for_ports);
	tcase_add_test(decoding, an_ipv4_mapped_address_is_nobody);
	tcase_add_test(decoding, what_is_no_flow);
	tcase_add_test(decoding, cut_off_anywhere);
	suite_add_tcase(suite, decoding);
	if (geteuid() == 0)
		suite_add_tcase(suite, real_flows());
	else
		puts("conntrack: not root, real flows are skipped");
	return run_suite(suite);
}
