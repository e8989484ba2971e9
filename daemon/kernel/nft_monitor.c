/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_monitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/nft_bypass.h"
#include "kernel/nft_wire.h"

#define RECEIVE_BUFFER (8 << 20)

struct seg_nft_monitor {
	struct seg_netlink_listener listener;
	seg_nft_touched_fn touched;
	seg_nft_monitor_fn fn;
	void *context;
	/* The transaction whose messages are coming in: its generation ends it. */
	struct seg_nft_transaction open;
	bool told_ours; /* open.what tells of something of ours */
};

int seg_nft_monitor_open(struct seg_nft_monitor **out, seg_nft_touched_fn touched, seg_nft_monitor_fn fn,
			 void *context)
{
	struct seg_nft_monitor *monitor = seg_nft_must(calloc(1, sizeof(*monitor)));
	int ret = seg_netlink_open(&monitor->listener.sock, NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1),
				   RECEIVE_BUFFER);

	if (ret < 0) {
		free(monitor);
		return ret;
	}
	monitor->touched = touched;
	monitor->fn = fn;
	monitor->context = context;
	*out = monitor;
	return 0;
}

void seg_nft_monitor_close(struct seg_nft_monitor *monitor)
{
	if (!monitor)
		return;
	mnl_socket_close(monitor->listener.sock);
	json_decref(monitor->open.bypass);
	free(monitor);
}

int seg_nft_monitor_fd(const struct seg_nft_monitor *monitor)
{
	return mnl_socket_get_fd(monitor->listener.sock);
}

int seg_nft_monitor_pause(struct seg_nft_monitor *monitor, bool pause)
{
	const int group = NFNLGRP_NFTABLES;

	if (setsockopt(seg_nft_monitor_fd(monitor), SOL_NETLINK,
		       pause ? NETLINK_DROP_MEMBERSHIP : NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

/* -- what a message says ----------------------------------------------- */

/* The objects that are announced: where their message keeps the name of what they belong to. */
static const struct kind {
	uint8_t new, del;
	const char *added, *deleted;
	uint16_t name; /* 0: the table's own */
} kinds[] = {
	{NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, "added", "deleted", 0},
	{NFT_MSG_NEWCHAIN, NFT_MSG_DELCHAIN, "added chain", "deleted chain", NFTA_CHAIN_NAME},
	{NFT_MSG_NEWRULE, NFT_MSG_DELRULE, "added a rule to chain", "deleted a rule of chain",
	 NFTA_RULE_CHAIN},
	{NFT_MSG_NEWSET, NFT_MSG_DELSET, "added set", "deleted set", NFTA_SET_NAME},
	{NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM, "added elements to set", "deleted elements of set",
	 NFTA_SET_ELEM_LIST_SET},
	{NFT_MSG_NEWOBJ, NFT_MSG_DELOBJ, "added object", "deleted object", NFTA_OBJ_NAME},
	{NFT_MSG_NEWFLOWTABLE, NFT_MSG_DELFLOWTABLE, "added flowtable", "deleted flowtable",
	 NFTA_FLOWTABLE_NAME},
};
#define NFTA_ANY_TABLE 1 /* in all of them */

static const struct kind *kind_of(uint8_t type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].new == type || kinds[i].del == type)
			return &kinds[i];
	return NULL;
}

static const char *string_at(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr;

	seg_attr_each(attr, nlh, sizeof(struct nfgenmsg))
		if (seg_attr_type(attr) == type && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			return mnl_attr_get_str(attr);
	return "";
}

/* "deleted chain forward of table inet segd" */
static void print_what(const struct nlmsghdr *nlh, const struct kind *kind, struct seg_strbuf *out)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);
	bool deleted = (nlh->nlmsg_type & 0xff) == kind->del;

	seg_strbuf_printf(out, "%s ", deleted ? kind->deleted : kind->added);
	if (kind->name) {
		seg_nft_escape(out, string_at(nlh, kind->name));
		seg_strbuf_add(out, " of ");
	}
	seg_strbuf_printf(out, "table %s ", seg_nft_family_name(header->nfgen_family));
	seg_nft_escape(out, string_at(nlh, NFTA_ANY_TABLE));
}

static void copy_text(char *to, size_t size, const struct seg_strbuf *text)
{
	snprintf(to, size, "%s", seg_strbuf_text(text));
}

/* The first change is told, but rather the first that touches us. */
static void tell(struct seg_nft_monitor *monitor, const struct nlmsghdr *nlh, const struct kind *kind,
		 bool touches_us)
{
	struct seg_strbuf text = {0};

	if (monitor->open.what[0] && (monitor->told_ours || !touches_us))
		return;
	print_what(nlh, kind, &text);
	copy_text(monitor->open.what, sizeof(monitor->open.what), &text);
	monitor->told_ours = touches_us;
	seg_strbuf_fini(&text);
}

static void note_object(struct seg_nft_monitor *monitor, const struct nlmsghdr *nlh, const struct kind *kind)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);
	const char *table = string_at(nlh, NFTA_ANY_TABLE);
	uint8_t type = (uint8_t)(nlh->nlmsg_type & 0xff);
	bool inet = header->nfgen_family == NFPROTO_INET;
	bool ours = inet && strcmp(table, SEG_TABLE) == 0,
	     keeper = inet && strcmp(table, SEG_KEEPER_TABLE) == 0;

	if (ours && !monitor->open.ours)
		monitor->touched(monitor->context, nlh->nlmsg_pid);
	monitor->open.ours |= ours;
	monitor->open.keeper |= keeper;
	monitor->open.removes |= type == NFT_MSG_DELRULE || type == NFT_MSG_DELFLOWTABLE;
	tell(monitor, nlh, kind, ours || keeper);
	if (!monitor->open.bypass)
		monitor->open.bypass = seg_nft_bypass_of(nlh);
}

static void note_process(struct seg_nft_transaction *open, const char *name)
{
	struct seg_strbuf text = {0};

	seg_nft_escape(&text, name);
	copy_text(open->process, sizeof(open->process), &text);
	seg_strbuf_fini(&text);
}

static void note_generation(struct seg_nft_monitor *monitor, const struct nlmsghdr *nlh)
{
	struct seg_nft_transaction *open = &monitor->open;
	const struct nlattr *attr;

	seg_attr_each(attr, nlh, sizeof(struct nfgenmsg)) {
		if (seg_attr_type(attr) == NFTA_GEN_ID && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			open->generation = ntohl(mnl_attr_get_u32(attr));
		else if (seg_attr_type(attr) == NFTA_GEN_PROC_PID &&
			 mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
			open->pid = ntohl(mnl_attr_get_u32(attr));
		else if (seg_attr_type(attr) == NFTA_GEN_PROC_NAME &&
			 mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			note_process(open, mnl_attr_get_str(attr));
	}
}

static void forget(struct seg_nft_monitor *monitor)
{
	json_decref(monitor->open.bypass);
	monitor->open = (struct seg_nft_transaction){0};
	monitor->told_ours = false;
}

static int read_message(void *context, const struct nlmsghdr *nlh)
{
	uint8_t type = (uint8_t)(nlh->nlmsg_type & 0xff);
	struct seg_nft_monitor *monitor = context;
	struct seg_nft_transaction closed;

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return 0;
	/* What came before was of a transaction whose end was lost. */
	if (monitor->open.portid != nlh->nlmsg_pid)
		forget(monitor);
	monitor->open.portid = nlh->nlmsg_pid;
	if (type != NFT_MSG_NEWGEN) {
		if (kind_of(type))
			note_object(monitor, nlh, kind_of(type));
		return 0;
	}
	note_generation(monitor, nlh);
	closed = monitor->open;
	monitor->open.bypass = NULL;
	forget(monitor);
	monitor->fn(monitor->context, &closed);
	json_decref(closed.bypass);
	return 0;
}

int seg_nft_monitor_read(struct seg_nft_monitor *monitor)
{
	int ret = seg_netlink_listen(&monitor->listener, read_message, monitor);

	if (ret == -ENOBUFS)
		forget(monitor);
	return ret;
}
