// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/conntrack.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/netlink.h"
#include "kernel/sysctl.h"

#define BATCH 64	/* datagrams a system call */
#define EVENT_SIZE 2048 /* with names, labels and security context an event has some 700 bytes */
#define DUMP_SIZE 32768	    /* the kernel's own limit for a piece of a dump */
#define SLICE_NS 8000000    /* of a dump; one piece of it more at most */
#define CHANGES 256	    /* in one system call; their answers must fit the receive buffer */
#define CHANGE_SIZE 256
#define REQUEST_BUFFER (1u << 20)

struct seg_conntrack {
	struct mnl_socket *events, *dump, *request;
	seg_flow_fn fn;
	void *context;
	uint64_t unreadable;
	uint32_t hand; /* the socket whose changes are not told */
	bool lost;     /* events, and that is not yet told */
	bool dumping;
	int dump_error;
	uint32_t dump_seq, seq;
	struct mmsghdr datagram[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_nl from[BATCH];
	_Alignas(struct nlmsghdr) char event[BATCH][EVENT_SIZE];
	_Alignas(struct nlmsghdr) char buffer[DUMP_SIZE];
	_Alignas(struct nlmsghdr) char changes[CHANGES * CHANGE_SIZE];
};

/* ---- Decoding: a walk by hand, at half the cost of nfct_nlmsg_parse() ----------------------- */

struct tuple {
	seg_addr src, dst;
	bool has_src, has_dst, has_proto, has_zone;
	uint8_t proto, icmp_type, icmp_code;
	uint16_t sport, dport, icmp_id, zone;
};

static bool holds(const struct nlattr *attr, size_t len)
{
	return seg_attr_len(attr) >= len;
}

static uint8_t read_u8(const struct nlattr *attr)
{
	return holds(attr, 1) ? *(const uint8_t *)seg_attr_data(attr) : 0;
}

static uint16_t read_be16(const struct nlattr *attr)
{
	return holds(attr, 2) ? ntohs(*(const uint16_t *)seg_attr_data(attr)) : 0;
}

static uint32_t read_be32(const struct nlattr *attr)
{
	return holds(attr, 4) ? ntohl(*(const uint32_t *)seg_attr_data(attr)) : 0;
}

static uint64_t read_be64(const struct nlattr *attr)
{
	uint64_t value = 0; /* attributes are aligned to 4 only */

	if (holds(attr, 8))
		memcpy(&value, seg_attr_data(attr), sizeof(value));
	return be64toh(value);
}

static void read_ip(const struct nlattr *nest, struct tuple *t)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, nest) {
		const void *bytes = seg_attr_data(attr);
		uint16_t type = seg_attr_type(attr);

		if ((type == CTA_IP_V4_SRC || type == CTA_IP_V4_DST) && holds(attr, 4)) {
			*(type == CTA_IP_V4_SRC ? &t->src : &t->dst) = seg_addr_from_bytes(SEG_IPV4, bytes);
			*(type == CTA_IP_V4_SRC ? &t->has_src : &t->has_dst) = true;
		} else if ((type == CTA_IP_V6_SRC || type == CTA_IP_V6_DST) && holds(attr, 16)) {
			*(type == CTA_IP_V6_SRC ? &t->src : &t->dst) = seg_flow_addr6(bytes);
			*(type == CTA_IP_V6_SRC ? &t->has_src : &t->has_dst) = true;
		}
	}
}

static void read_proto(const struct nlattr *nest, struct tuple *t)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, nest) {
		switch (seg_attr_type(attr)) {
		case CTA_PROTO_NUM:
			t->proto = read_u8(attr);
			t->has_proto = true;
			break;
		case CTA_PROTO_SRC_PORT:
			t->sport = read_be16(attr);
			break;
		case CTA_PROTO_DST_PORT:
			t->dport = read_be16(attr);
			break;
		case CTA_PROTO_ICMP_ID:
		case CTA_PROTO_ICMPV6_ID:
			t->icmp_id = read_be16(attr);
			break;
		case CTA_PROTO_ICMP_TYPE:
		case CTA_PROTO_ICMPV6_TYPE:
			t->icmp_type = read_u8(attr);
			break;
		case CTA_PROTO_ICMP_CODE:
		case CTA_PROTO_ICMPV6_CODE:
			t->icmp_code = read_u8(attr);
			break;
		}
	}
}

static void read_tuple(const struct nlattr *nest, struct tuple *t)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, nest) {
		switch (seg_attr_type(attr)) {
		case CTA_TUPLE_IP:
			read_ip(attr, t);
			break;
		case CTA_TUPLE_PROTO:
			read_proto(attr, t);
			break;
		case CTA_TUPLE_ZONE:
			t->zone = read_be16(attr);
			t->has_zone = true;
			break;
		}
	}
}

static void read_counters(const struct nlattr *nest, uint64_t *packets, uint64_t *bytes)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, nest) {
		if (seg_attr_type(attr) == CTA_COUNTERS_PACKETS)
			*packets = read_be64(attr);
		else if (seg_attr_type(attr) == CTA_COUNTERS_BYTES)
			*bytes = read_be64(attr);
	}
}

static uint8_t read_tcp_state(const struct nlattr *nest)
{
	const struct nlattr *attr, *info;

	seg_attr_each_nested(attr, nest) {
		if (seg_attr_type(attr) != CTA_PROTOINFO_TCP)
			continue;
		seg_attr_each_nested(info, attr) {
			if (seg_attr_type(info) == CTA_PROTOINFO_TCP_STATE)
				return read_u8(info);
		}
	}
	return 0;
}

static uint64_t read_start(const struct nlattr *nest)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, nest) {
		if (seg_attr_type(attr) == CTA_TIMESTAMP_START)
			return read_be64(attr);
	}
	return 0;
}

static void read_entry(const struct nlmsghdr *message, struct seg_flow *flow, struct tuple *orig,
		       struct tuple *reply)
{
	const struct nlattr *attr;

	seg_attr_each(attr, message, sizeof(struct nfgenmsg)) {
		switch (seg_attr_type(attr)) {
		case CTA_TUPLE_ORIG:
			read_tuple(attr, orig);
			break;
		case CTA_TUPLE_REPLY:
			read_tuple(attr, reply);
			break;
		case CTA_STATUS:
			flow->status = read_be32(attr);
			break;
		case CTA_PROTOINFO:
			flow->tcp_state = read_tcp_state(attr);
			break;
		case CTA_TIMEOUT:
			flow->timeout = read_be32(attr);
			break;
		case CTA_MARK:
			flow->mark = read_be32(attr);
			break;
		case CTA_COUNTERS_ORIG:
			read_counters(attr, &flow->packets, &flow->bytes);
			break;
		case CTA_COUNTERS_REPLY:
			read_counters(attr, &flow->reply_packets, &flow->reply_bytes);
			break;
		case CTA_ID:
			flow->id = read_be32(attr);
			break;
		case CTA_ZONE:
			flow->ct_zone = read_be16(attr);
			break;
		case CTA_TIMESTAMP:
			flow->start_ns = read_start(attr);
			break;
		}
	}
}

static void set_endpoints(struct seg_flow *flow, const struct tuple *orig, const struct tuple *reply)
{
	flow->src = orig->src;
	flow->dst = reply->src;
	flow->orig_dst = orig->dst;
	flow->reply_dst = reply->dst;
	flow->proto = orig->proto;
	flow->sport = orig->sport;
	flow->orig_dport = orig->dport;
	flow->reply_dport = reply->dport;
	if (orig->has_zone) {
		flow->ct_zone = orig->zone;
		flow->ct_zone_orig = true;
	}
	switch (orig->proto) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		flow->sport = orig->icmp_id;
		flow->dport = flow->orig_dport = orig->icmp_type;
		flow->reply_dport = reply->icmp_id;
		flow->icmp_code = orig->icmp_code;
		break;
	case IPPROTO_GRE:
		flow->dport = 0;
		break;
	default:
		flow->dport = reply->sport;
	}
}

static int event_kind(const struct nlmsghdr *message, enum seg_flow_event *event)
{
	switch (NFNL_MSG_TYPE(message->nlmsg_type)) {
	case IPCTNL_MSG_CT_DELETE:
		*event = SEG_FLOW_DESTROY;
		return 0;
	case IPCTNL_MSG_CT_NEW:
		*event = message->nlmsg_flags & NLM_F_MULTI    ? SEG_FLOW_DUMPED
			 : message->nlmsg_flags & NLM_F_CREATE ? SEG_FLOW_NEW
							       : SEG_FLOW_UPDATED;
		return 0;
	}
	return -ENOMSG;
}

int seg_conntrack_decode(const void *bytes, size_t len, enum seg_flow_event *event, struct seg_flow *flow)
{
	const struct nlmsghdr *message = bytes;
	struct tuple orig = {0}, reply = {0};
	int error;

	if (len > INT32_MAX || !seg_netlink_ok(message, (int)len) ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return -EBADMSG;
	if (NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_CTNETLINK)
		return -ENOMSG;
	error = event_kind(message, event);
	if (error)
		return error;
	*flow = (struct seg_flow){0};
	read_entry(message, flow, &orig, &reply);
	if (!orig.has_src || !orig.has_dst || !orig.has_proto || !reply.has_src || !reply.has_dst)
		return -EBADMSG;
	set_endpoints(flow, &orig, &reply);
	return 0;
}

/* ---- Settings -------------------------------------------------------------------------- */

size_t seg_conntrack_prepare(const char *failed[static SEG_CONNTRACK_SETTINGS])
{
	static const char *const name[SEG_CONNTRACK_SETTINGS] = {
		"net/netfilter/nf_conntrack_events",
		"net/netfilter/nf_conntrack_acct",
		"net/netfilter/nf_conntrack_timestamp",
	};
	size_t n = 0;

	for (size_t i = 0; i < SEG_CONNTRACK_SETTINGS; i++) {
		if (seg_sysctl_write(name[i], 1))
			failed[n++] = name[i];
	}
	return n;
}

int seg_conntrack_fill(unsigned *count, unsigned *max)
{
	long n, limit;
	int error = seg_sysctl_read("net/netfilter/nf_conntrack_count", &n);

	if (!error)
		error = seg_sysctl_read("net/netfilter/nf_conntrack_max", &limit);
	if (error)
		return error;
	*count = (unsigned)n;
	*max = (unsigned)limit;
	return 0;
}

/* ---- Opening --------------------------------------------------------------------------- */

static void prepare_datagrams(struct seg_conntrack *ct)
{
	for (size_t i = 0; i < BATCH; i++) {
		ct->iov[i] = (struct iovec){.iov_base = ct->event[i], .iov_len = EVENT_SIZE};
		ct->datagram[i].msg_hdr = (struct msghdr){.msg_name = &ct->from[i],
							  .msg_namelen = sizeof(ct->from[i]),
							  .msg_iov = &ct->iov[i],
							  .msg_iovlen = 1};
	}
}

int seg_conntrack_open(struct seg_conntrack **out, size_t receive_buffer, seg_flow_fn fn, void *context)
{
	static const uint32_t groups = 1u << (NFNLGRP_CONNTRACK_NEW - 1) |
				       1u << (NFNLGRP_CONNTRACK_UPDATE - 1) |
				       1u << (NFNLGRP_CONNTRACK_DESTROY - 1);
	struct seg_conntrack *ct = calloc(1, sizeof(*ct));
	int on = 1, error;

	if (!ct)
		abort();
	ct->fn = fn;
	ct->context = context;
	prepare_datagrams(ct);
	/* The two that answer come first: events queue from the moment their socket is bound. */
	error = seg_netlink_open(&ct->request, NETLINK_NETFILTER, 0, REQUEST_BUFFER);
	if (!error)
		error = seg_netlink_open(&ct->dump, NETLINK_NETFILTER, 0, 0);
	if (!error && fn)
		error = seg_netlink_open(&ct->events, NETLINK_NETFILTER, groups, receive_buffer);
	if (!error &&
	    (mnl_socket_setsockopt(ct->request, NETLINK_CAP_ACK, &on, sizeof(on)) < 0 ||
	     (fn && mnl_socket_setsockopt(ct->events, NETLINK_BROADCAST_ERROR, &on, sizeof(on)) < 0)))
		error = -errno;
	if (error) {
		seg_conntrack_close(ct);
		return error;
	}
	seg_conntrack_set_hand(ct, ct);
	*out = ct;
	return 0;
}

void seg_conntrack_close(struct seg_conntrack *ct)
{
	if (!ct)
		return;
	if (ct->events)
		mnl_socket_close(ct->events);
	if (ct->dump)
		mnl_socket_close(ct->dump);
	if (ct->request)
		mnl_socket_close(ct->request);
	free(ct);
}

void seg_conntrack_set_hand(struct seg_conntrack *ct, const struct seg_conntrack *hand)
{
	ct->hand = mnl_socket_get_portid(hand->request);
}

/* ---- Events ---------------------------------------------------------------------------- */

int seg_conntrack_event_fd(const struct seg_conntrack *ct)
{
	return mnl_socket_get_fd(ct->events);
}

uint64_t seg_conntrack_unreadable(const struct seg_conntrack *ct)
{
	return ct->unreadable;
}

/* A change that packets made, or we ourselves. */
static bool is_own_change(const struct seg_conntrack *ct, const struct nlmsghdr *message)
{
	enum seg_flow_event event;

	return !event_kind(message, &event) && event == SEG_FLOW_UPDATED &&
	       (!message->nlmsg_pid || message->nlmsg_pid == ct->hand);
}

/* One datagram of events. False: it was cut off, so something is missing. */
static bool take_events(struct seg_conntrack *ct, size_t i)
{
	const struct nlmsghdr *message;
	int left;

	if (ct->from[i].nl_pid != 0) /* not from the kernel */
		return true;
	if (ct->datagram[i].msg_hdr.msg_flags & MSG_TRUNC)
		return false;
	seg_message_each(message, left, ct->event[i], ct->datagram[i].msg_len) {
		enum seg_flow_event event;
		struct seg_flow flow;
		int error;

		if (is_own_change(ct, message))
			continue;
		error = seg_conntrack_decode(message, (size_t)left, &event, &flow);
		if (error)
			ct->unreadable += error == -EBADMSG;
		else
			ct->fn(ct->context, event, &flow);
	}
	return true;
}

/* A loss is told when all is read that was queued before it: until then the kernel queues nothing, and a dump would
 * miss what begins behind it. */
int seg_conntrack_read_events(struct seg_conntrack *ct, bool *lost)
{
	int read = 0;

	*lost = false;
	while (read < SEG_CONNTRACK_EVENTS_A_READ) {
		int n = recvmmsg(mnl_socket_get_fd(ct->events), ct->datagram, BATCH, MSG_DONTWAIT, NULL);

		if (n < 0 && errno == ENOBUFS) {
			ct->lost = true;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		for (int i = 0; i < n; i++)
			ct->lost = !take_events(ct, (size_t)i) || ct->lost;
		read += n > 0 ? n : 0;
		if (n < BATCH) {
			*lost = ct->lost;
			ct->lost = false;
			break;
		}
	}
	return read;
}

/* ---- Dumps ----------------------------------------------------------------------------- */

static struct nlmsghdr *put_header(void *buffer, uint16_t type, uint16_t flags, uint8_t family, uint32_t seq)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	message->nlmsg_seq = seq;
	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	return message;
}

int seg_conntrack_dump_start(struct seg_conntrack *ct, uint32_t value, uint32_t mask)
{
	_Alignas(struct nlmsghdr) char buffer[128];
	struct nlmsghdr *request;

	if (ct->dumping)
		return -EBUSY;
	ct->dump_seq = ++ct->seq;
	request = put_header(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC, ct->dump_seq);
	if (mask) {
		mnl_attr_put_u32(request, CTA_MARK, htonl(value));
		mnl_attr_put_u32(request, CTA_MARK_MASK, htonl(mask));
	}
	if (mnl_socket_sendto(ct->dump, request, request->nlmsg_len) < 0)
		return -errno;
	ct->dumping = true;
	ct->dump_error = 0;
	return 0;
}

int seg_conntrack_dump_fd(const struct seg_conntrack *ct)
{
	return mnl_socket_get_fd(ct->dump);
}

/* Gives one piece of the dump to fn; false: the dump is over. */
static bool take_dump(struct seg_conntrack *ct, ssize_t len, seg_flow_fn fn, void *context)
{
	const struct nlmsghdr *message;
	int left;

	seg_message_each(message, left, ct->buffer, len) {
		enum seg_flow_event event;
		struct seg_flow flow;
		int error;

		if (message->nlmsg_seq != ct->dump_seq)
			continue;
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			ct->dump_error = -EINTR;
		if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
			error = seg_netlink_error(message);
			ct->dump_error = error ? error : ct->dump_error;
			return false;
		}
		error = seg_conntrack_decode(message, (size_t)left, &event, &flow);
		if (error)
			ct->unreadable += error == -EBADMSG;
		else
			fn(context, event, &flow);
	}
	return true;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int seg_conntrack_dump_read(struct seg_conntrack *ct, seg_flow_fn fn, void *context)
{
	int64_t end = now_ns() + SLICE_NS;

	while (ct->dumping && now_ns() < end) {
		ssize_t len = seg_netlink_receive(ct->dump, ct->buffer, sizeof(ct->buffer));

		if (len == -EAGAIN)
			return 0;
		if (len == -ENOBUFS || len == -EMSGSIZE) {
			ct->dump_error = (int)len; /* a piece is missing; the end still comes */
			continue;
		}
		if (len < 0) {
			ct->dumping = false;
			return (int)len;
		}
		if (!take_dump(ct, len, fn, context)) {
			ct->dumping = false;
			return ct->dump_error ? ct->dump_error : 1;
		}
	}
	return 0;
}

/* ---- Deletes --------------------------------------------------------------------------- */

static void put_ip(struct nlmsghdr *message, const struct seg_flow *flow, bool ipv4)
{
	struct nlattr *nest = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	uint8_t bytes[16];

	seg_addr_to_bytes(flow->src, bytes);
	mnl_attr_put(message, ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, ipv4 ? 4 : 16, bytes);
	seg_addr_to_bytes(flow->orig_dst, bytes);
	mnl_attr_put(message, ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, ipv4 ? 4 : 16, bytes);
	mnl_attr_nest_end(message, nest);
}

static void put_proto(struct nlmsghdr *message, const struct seg_flow *flow)
{
	struct nlattr *nest = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
	bool v4 = flow->proto == IPPROTO_ICMP;

	mnl_attr_put_u8(message, CTA_PROTO_NUM, flow->proto);
	if (v4 || flow->proto == IPPROTO_ICMPV6) {
		mnl_attr_put_u16(message, v4 ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID, htons(flow->sport));
		mnl_attr_put_u8(message, v4 ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE,
				(uint8_t)flow->orig_dport);
		mnl_attr_put_u8(message, v4 ? CTA_PROTO_ICMP_CODE : CTA_PROTO_ICMPV6_CODE, flow->icmp_code);
	} else {
		mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(flow->sport));
		mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(flow->orig_dport));
	}
	mnl_attr_nest_end(message, nest);
}

/* Appends a delete of exactly this entry, or (IPCTNL_MSG_CT_NEW) that it has no mark; the kernel looks at the
 * id only of a delete. Without the id a new entry of the same tuple, by now a
 * permitted one, could be hit. Built by hand: nfct_nlmsg_build() knows no id and leaves the tuple of an
 * unusual protocol out, and a delete without a tuple empties the whole table. */
static size_t put_change(char *buffer, uint16_t type, const struct seg_flow *flow, uint32_t seq)
{
	bool ipv4 = seg_addr_family(flow->src) == SEG_IPV4;
	struct nlmsghdr *message =
		put_header(buffer, type, NLM_F_ACK, ipv4 ? AF_INET : AF_INET6, seq);
	struct nlattr *tuple = mnl_attr_nest_start(message, CTA_TUPLE_ORIG);

	put_ip(message, flow, ipv4);
	put_proto(message, flow);
	if (flow->ct_zone_orig)
		mnl_attr_put_u16(message, CTA_TUPLE_ZONE, htons(flow->ct_zone));
	mnl_attr_nest_end(message, tuple);
	if (flow->ct_zone && !flow->ct_zone_orig)
		mnl_attr_put_u16(message, CTA_ZONE, htons(flow->ct_zone));
	mnl_attr_put_u32(message, CTA_ID, htonl(flow->id));
	if (type == IPCTNL_MSG_CT_NEW)
		mnl_attr_put_u32(message, CTA_MARK, 0);
	return message->nlmsg_len;
}

struct answers {
	size_t n, done;
	int error; /* the first that is not "no such entry" */
};

static void take_answers(const struct seg_conntrack *ct, ssize_t len, uint32_t first, struct answers *answers)
{
	const struct nlmsghdr *message;
	int left;

	seg_message_each(message, left, ct->buffer, len) {
		int error;

		if (message->nlmsg_type != NLMSG_ERROR || message->nlmsg_seq - first >= CHANGES)
			continue;
		error = seg_netlink_error(message);
		answers->n++;
		answers->done += error == 0;
		if (error && error != -ENOENT && !answers->error)
			answers->error = error;
	}
}

/* At most CHANGES in one send; the kernel has answered all of them when the send returns. */
static int change_some(struct seg_conntrack *ct, uint16_t type, const struct seg_flow *flow, size_t n, size_t *done)
{
	struct answers answers = {0};
	uint32_t first = ct->seq + 1;
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += put_change(ct->changes + len, type, &flow[i], ++ct->seq);
	if (mnl_socket_sendto(ct->request, ct->changes, len) < 0)
		return -errno;
	while (answers.n < n) {
		ssize_t got = seg_netlink_receive(ct->request, ct->buffer, sizeof(ct->buffer));

		if (got < 0)
			return got == -EAGAIN ? -EIO : (int)got;
		take_answers(ct, got, first, &answers);
	}
	*done += answers.done;
	return answers.error;
}

static int change(struct seg_conntrack *ct, uint16_t type, const struct seg_flow *flow, size_t n, size_t *done)
{
	int error = 0;

	*done = 0;
	for (size_t at = 0; at < n; at += CHANGES) {
		int failed = change_some(ct, type, flow + at, n - at < CHANGES ? n - at : CHANGES, done);

		error = error ? error : failed;
	}
	return error;
}

int seg_conntrack_delete(struct seg_conntrack *ct, const struct seg_flow *flow, size_t n, size_t *gone)
{
	return change(ct, IPCTNL_MSG_CT_DELETE, flow, n, gone);
}

int seg_conntrack_unmark(struct seg_conntrack *ct, const struct seg_flow *flow, size_t n)
{
	size_t done;

	return change(ct, IPCTNL_MSG_CT_NEW, flow, n, &done);
}
