// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/nflog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_log/libnetfilter_log.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kernel/netlink.h"
#include "plan/plan.h"

#define RECEIVE_BUFFER (4u << 20)
#define NLBUFSIZ 32768 /* the kernel's collecting buffer: with its headers it fits one datagram */
#define SNAPLEN 128 /* options of 40 bytes or some extension headers, and ports */
#define ATTRIBUTES 64 /* more than NFULA_MAX of any library this may run with */
#define FLUSH 20      /* in 1/100 s: nothing waits longer in the kernel */

struct seg_nflog {
	struct seg_netlink_listener listener;
	seg_refused_fn fn;
	void *context;
	uint64_t unreadable;
};

/* ---- Opening --------------------------------------------------------------------------- */

static int bind_group(const struct mnl_socket *sock, uint16_t group)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *request = nflog_nlmsg_put_header(buffer, NFULNL_MSG_CONFIG, AF_UNSPEC, group);

	if (nflog_attr_put_cfg_cmd(request, NFULNL_CFG_CMD_BIND) < 0)
		return -EINVAL;
	request->nlmsg_seq = group;
	return seg_netlink_request(sock, request);
}

static int configure_group(const struct mnl_socket *sock, uint16_t group)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *request = nflog_nlmsg_put_header(buffer, NFULNL_MSG_CONFIG, AF_UNSPEC, group);

	if (nflog_attr_put_cfg_mode(request, NFULNL_COPY_PACKET, SNAPLEN) < 0)
		return -EINVAL;
	mnl_attr_put_u32(request, NFULA_CFG_NLBUFSIZ, htonl(NLBUFSIZ));
	mnl_attr_put_u32(request, NFULA_CFG_TIMEOUT, htonl(FLUSH));
	request->nlmsg_seq = group;
	return seg_netlink_request(sock, request);
}

static int bind_groups(const struct mnl_socket *sock, const char **detail)
{
	static const struct {
		uint16_t group;
		const char *taken;
	} groups[] = {
		{SEG_NFLOG_DENIED, "nflog group 5350 (refused packets) has another reader"},
		{SEG_NFLOG_SPOOFED, "nflog group 5351 (spoofed packets) has another reader"},
	};
	int error = 0;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]) && !error; i++) {
		error = bind_group(sock, groups[i].group);
		if (!error)
			error = configure_group(sock, groups[i].group);
		if (error == -EPERM || error == -EBUSY)
			*detail = groups[i].taken;
	}
	return error;
}

int seg_nflog_open(struct seg_nflog **out, seg_refused_fn fn, void *context, const char **detail)
{
	struct seg_nflog *nflog = calloc(1, sizeof(*nflog));
	int error;

	if (!nflog)
		abort();
	*detail = NULL;
	nflog->fn = fn;
	nflog->context = context;
	error = seg_netlink_open(&nflog->listener.sock, NETLINK_NETFILTER, 0, RECEIVE_BUFFER);
	if (!error)
		error = bind_groups(nflog->listener.sock, detail);
	if (error) {
		seg_nflog_close(nflog);
		return error;
	}
	*out = nflog;
	return 0;
}

void seg_nflog_close(struct seg_nflog *nflog)
{
	if (!nflog)
		return;
	if (nflog->listener.sock)
		mnl_socket_close(nflog->listener.sock);
	free(nflog);
}

int seg_nflog_fd(const struct seg_nflog *nflog)
{
	return mnl_socket_get_fd(nflog->listener.sock);
}

uint64_t seg_nflog_unreadable(const struct seg_nflog *nflog)
{
	return nflog->unreadable;
}

/* ---- Reading --------------------------------------------------------------------------- */

/* Asked anew for each packet, as names change; any socket will do, and ours is at hand. */
static void name_of(const struct seg_nflog *nflog, const struct nlattr *index, char name[static IFNAMSIZ])
{
	struct ifreq request = {0};

	if (!index || seg_attr_len(index) < sizeof(uint32_t))
		return;
	request.ifr_ifindex = (int)ntohl(mnl_attr_get_u32(index));
	if (ioctl(mnl_socket_get_fd(nflog->listener.sock), SIOCGIFNAME, &request) == 0)
		memcpy(name, request.ifr_name, IFNAMSIZ);
}

static void read_mac(const struct nlattr *hwaddr, const struct nlattr *hwtype, struct seg_refused *r)
{
	const struct nfulnl_msg_packet_hw *hw;

	if (!hwaddr || seg_attr_len(hwaddr) < sizeof(*hw))
		return;
	if (hwtype && seg_attr_len(hwtype) >= 2 && ntohs(mnl_attr_get_u16(hwtype)) != ARPHRD_ETHER)
		return;
	hw = seg_attr_data(hwaddr);
	if (ntohs(hw->hw_addrlen) != SEG_MAC_LEN)
		return;
	memcpy(r->mac, hw->hw_addr, SEG_MAC_LEN);
	r->has_mac = true;
}

static void read_prefix(const struct nlattr *prefix, struct seg_refused *r)
{
	size_t len;

	if (!prefix)
		return;
	len = strnlen(seg_attr_data(prefix), seg_attr_len(prefix));
	if (len >= sizeof(r->prefix))
		len = sizeof(r->prefix) - 1;
	memcpy(r->prefix, seg_attr_data(prefix), len);
}

static int take_packet(void *context, const struct nlmsghdr *message)
{
	struct nlattr *attr[ATTRIBUTES] = {0};
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	struct seg_refused refused = {0};
	struct seg_nflog *nflog = context;
	const struct nlattr *payload;

	if (message->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
	    mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return 0;
	if (nflog_nlmsg_parse(message, attr) != MNL_CB_OK || !attr[NFULA_PAYLOAD]) {
		nflog->unreadable++;
		return 0;
	}
	payload = attr[NFULA_PAYLOAD];
	if (!seg_packet_parse(seg_attr_data(payload), seg_attr_len(payload), &refused)) {
		nflog->unreadable++;
		return 0;
	}
	refused.spoofed = ntohs(header->res_id) == SEG_NFLOG_SPOOFED;
	name_of(nflog, attr[NFULA_IFINDEX_INDEV], refused.in);
	name_of(nflog, attr[NFULA_IFINDEX_OUTDEV], refused.out);
	read_mac(attr[NFULA_HWADDR], attr[NFULA_HWTYPE], &refused);
	read_prefix(attr[NFULA_PREFIX], &refused);
	nflog->fn(nflog->context, &refused);
	return 0;
}

int seg_nflog_read(struct seg_nflog *nflog)
{
	return seg_netlink_listen(&nflog->listener, take_packet, nflog);
}
