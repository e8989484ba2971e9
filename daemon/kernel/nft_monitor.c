/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_monitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/i18n.h"
#include "kernel/nft_bypass.h"
#include "kernel/nft_wire.h"

#define RECEIVE_BUFFER (8 << 20)
#define ROUNDS 64	/* of reading and telling, in one go */
#define HEARD_MAX 65536 /* of reading alone: many times what the buffer holds */

struct heard {
	struct seg_nft_transaction transaction;
	bool touch_told; /* that it touches us */
	bool chains;	 /* come or go */
};

struct seg_nft_monitor {
	struct seg_netlink_listener listener;
	struct seg_nft_hearer hearer;
	/* The transaction whose messages are coming in: its generation ends it. */
	struct heard open;
	bool names_ours;     /* open's `what` tells of something of ours */
	struct heard *heard; /* ended, and not told yet */
	size_t n, cap;
	bool lost; /* and not told yet */
	bool deaf;
	uint32_t passed, passed_chains;
	uint32_t heard_to; /* this generation: the next ones count */
};

int seg_nft_monitor_open(struct seg_nft_monitor **out, const struct seg_nft_hearer *hearer)
{
	struct seg_nft_monitor *monitor = seg_nft_must(calloc(1, sizeof(*monitor)));
	int ret = seg_netlink_open(&monitor->listener.sock, NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1),
				   RECEIVE_BUFFER);

	if (ret < 0) {
		free(monitor);
		return ret;
	}
	monitor->hearer = *hearer;
	monitor->deaf = true; /* to what began before */
	*out = monitor;
	return 0;
}

void seg_nft_monitor_close(struct seg_nft_monitor *monitor)
{
	if (!monitor)
		return;
	mnl_socket_close(monitor->listener.sock);
	for (size_t i = 0; i < monitor->n; i++)
		json_decref(monitor->heard[i].transaction.bypass);
	json_decref(monitor->open.transaction.bypass);
	free(monitor->heard);
	free(monitor);
}

int seg_nft_monitor_fd(const struct seg_nft_monitor *monitor)
{
	return mnl_socket_get_fd(monitor->listener.sock);
}

/* A datagram holds messages of one transaction. A filter loads numbers as the network writes them, and netlink's are
 * the host's. */
int seg_nft_monitor_set_hand(struct seg_nft_monitor *monitor, uint32_t portid)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(portid), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};

	if (setsockopt(seg_nft_monitor_fd(monitor), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0)
		return -errno;
	return 0;
}

uint32_t seg_nft_monitor_passed(const struct seg_nft_monitor *monitor)
{
	return monitor->passed;
}

uint32_t seg_nft_monitor_passed_chains(const struct seg_nft_monitor *monitor)
{
	return monitor->passed_chains;
}

bool seg_nft_monitor_is_deaf(const struct seg_nft_monitor *monitor)
{
	return monitor->deaf || monitor->listener.lost;
}

void seg_nft_monitor_hears_from(struct seg_nft_monitor *monitor, uint32_t generation)
{
	monitor->deaf = monitor->listener.lost;
	monitor->heard_to = generation;
}

/* -- what a message says ----------------------------------------------- */

/* The objects that are announced: where their message keeps the name of what they belong to. */
static const struct kind {
	uint8_t new, del;
	const char *added, *deleted; /* by its own name, where it has one, and by family and name of the table */
	uint16_t name;               /* 0: the table's own */
} kinds[] = {
	{NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE, N_("added table %s %s"), N_("deleted table %s %s"), 0},
	{NFT_MSG_NEWCHAIN, NFT_MSG_DELCHAIN, N_("added chain %s of table %s %s"),
	 N_("deleted chain %s of table %s %s"), NFTA_CHAIN_NAME},
	{NFT_MSG_NEWRULE, NFT_MSG_DELRULE, N_("added a rule to chain %s of table %s %s"),
	 N_("deleted a rule of chain %s of table %s %s"), NFTA_RULE_CHAIN},
	{NFT_MSG_NEWSET, NFT_MSG_DELSET, N_("added set %s of table %s %s"),
	 N_("deleted set %s of table %s %s"), NFTA_SET_NAME},
	{NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM, N_("added elements to set %s of table %s %s"),
	 N_("deleted elements of set %s of table %s %s"), NFTA_SET_ELEM_LIST_SET},
	{NFT_MSG_NEWOBJ, NFT_MSG_DELOBJ, N_("added object %s of table %s %s"),
	 N_("deleted object %s of table %s %s"), NFTA_OBJ_NAME},
	{NFT_MSG_NEWFLOWTABLE, NFT_MSG_DELFLOWTABLE, N_("added flowtable %s of table %s %s"),
	 N_("deleted flowtable %s of table %s %s"), NFTA_FLOWTABLE_NAME},
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
	const char *format = (nlh->nlmsg_type & 0xff) == kind->del ? kind->deleted : kind->added;
	const char *family = seg_nft_family_name(header->nfgen_family);
	struct seg_strbuf name = {0}, table = {0};

	seg_nft_escape(&table, string_at(nlh, NFTA_ANY_TABLE));
	if (kind->name) {
		seg_nft_escape(&name, string_at(nlh, kind->name));
		seg_strbuf_printf(out, format, seg_strbuf_text(&name), family, seg_strbuf_text(&table));
	} else {
		seg_strbuf_printf(out, format, family, seg_strbuf_text(&table));
	}
	seg_strbuf_fini(&name);
	seg_strbuf_fini(&table);
}

static void copy_text(char *to, size_t size, const struct seg_strbuf *text)
{
	snprintf(to, size, "%s", seg_strbuf_text(text));
}

/* The first change is told, but rather the first that touches us. */
static void tell(struct seg_nft_monitor *monitor, const struct nlmsghdr *nlh, const struct kind *kind,
		 bool touches_us)
{
	struct seg_nft_transaction *open = &monitor->open.transaction;
	struct seg_strbuf text = {0};

	if (open->what[0] && (monitor->names_ours || !touches_us))
		return;
	print_what(nlh, kind, &text);
	copy_text(open->what, sizeof(open->what), &text);
	monitor->names_ours = touches_us;
	seg_strbuf_fini(&text);
}

static void note_object(struct seg_nft_monitor *monitor, const struct nlmsghdr *nlh, const struct kind *kind)
{
	struct seg_nft_transaction *open = &monitor->open.transaction;
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);
	const char *table = string_at(nlh, NFTA_ANY_TABLE);
	uint8_t type = (uint8_t)(nlh->nlmsg_type & 0xff);
	bool inet = header->nfgen_family == NFPROTO_INET;
	bool ours = inet && strcmp(table, SEG_TABLE) == 0,
	     keeper = inet && strcmp(table, SEG_KEEPER_TABLE) == 0;

	open->ours |= ours;
	open->keeper |= keeper;
	monitor->open.chains |= type == NFT_MSG_NEWCHAIN || type == NFT_MSG_DELCHAIN;
	open->removes |= type == NFT_MSG_DELRULE || type == NFT_MSG_DELFLOWTABLE;
	tell(monitor, nlh, kind, ours || keeper);
	if (!open->bypass)
		open->bypass = seg_nft_bypass_of(nlh);
}

static void note_process(struct seg_nft_transaction *open, const char *name)
{
	struct seg_strbuf text = {0};

	seg_nft_escape(&text, name);
	copy_text(open->process, sizeof(open->process), &text);
	seg_strbuf_fini(&text);
}

static void note_generation(struct seg_nft_transaction *open, const struct nlmsghdr *nlh)
{
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

static void begin(struct seg_nft_monitor *monitor, uint32_t portid)
{
	json_decref(monitor->open.transaction.bypass);
	monitor->open = (struct heard){.transaction.portid = portid};
	monitor->names_ours = false;
}

/* Generations go round. */
static bool is_behind(uint32_t generation, uint32_t other)
{
	return (int32_t)(generation - other) > 0;
}

static bool has_passed(const struct seg_nft_monitor *monitor, const struct seg_nft_transaction *closed)
{
	return !monitor->deaf && !monitor->listener.lost &&
	       is_behind(closed->generation, monitor->heard_to) && !closed->ours && !closed->keeper;
}

static void keep(struct seg_nft_monitor *monitor, struct heard heard)
{
	if (monitor->n == monitor->cap) {
		monitor->cap = monitor->cap ? monitor->cap * 2 : 16;
		monitor->heard =
			seg_nft_must(reallocarray(monitor->heard, monitor->cap, sizeof(*monitor->heard)));
	}
	monitor->heard[monitor->n++] = heard;
}

static void close_transaction(struct seg_nft_monitor *monitor, const struct nlmsghdr *nlh)
{
	struct seg_nft_transaction *open = &monitor->open.transaction;

	note_generation(open, nlh);
	if (has_passed(monitor, open)) {
		monitor->passed++;
		monitor->passed_chains += monitor->open.chains;
	}
	if (is_behind(open->generation, monitor->heard_to))
		monitor->heard_to = open->generation;
	keep(monitor, monitor->open);
	open->bypass = NULL;
	begin(monitor, 0);
}

static bool owes_touch(const struct heard *heard)
{
	return heard->transaction.ours && !heard->touch_told;
}

/* Ends the reading where there is something to be told. */
static int read_message(void *context, const struct nlmsghdr *nlh)
{
	uint8_t type = (uint8_t)(nlh->nlmsg_type & 0xff);
	struct seg_nft_monitor *monitor = context;

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return 0;
	/* What a packet makes the kernel tell at once, a quota that is used up, is part of no transaction. */
	if (nlh->nlmsg_pid == 0)
		return 0;
	/* What came before was of a transaction whose end was lost. */
	if (monitor->open.transaction.portid != nlh->nlmsg_pid)
		begin(monitor, nlh->nlmsg_pid);
	if (type == NFT_MSG_NEWGEN) {
		close_transaction(monitor, nlh);
		return 1;
	}
	if (kind_of(type))
		note_object(monitor, nlh, kind_of(type));
	return owes_touch(&monitor->open);
}

static int listen_once(struct seg_nft_monitor *monitor)
{
	int ret = seg_netlink_listen(&monitor->listener, read_message, monitor);

	if (ret == -ENOBUFS) {
		begin(monitor, 0);
		monitor->deaf = monitor->lost = true;
	}
	return ret;
}

bool seg_nft_monitor_owes(const struct seg_nft_monitor *monitor)
{
	return monitor->n || monitor->lost || owes_touch(&monitor->open);
}

static void say_owing(const struct seg_nft_monitor *monitor)
{
	if (seg_nft_monitor_owes(monitor))
		monitor->hearer.owing(monitor->hearer.context);
}

/* False: it would go on without an end. */
static bool read_up_to(struct seg_nft_monitor *monitor, const uint32_t *generation)
{
	for (int i = 0; i < HEARD_MAX; i++) {
		if (generation && !is_behind(*generation, monitor->heard_to))
			return true;
		if (!seg_netlink_is_readable(monitor->listener.sock) || listen_once(monitor) < 0)
			return true;
	}
	return false;
}

bool seg_nft_monitor_hear_all(struct seg_nft_monitor *monitor)
{
	bool all = read_up_to(monitor, NULL);

	say_owing(monitor);
	return all;
}

bool seg_nft_monitor_hear(struct seg_nft_monitor *monitor, uint32_t *generation)
{
	bool all = read_up_to(monitor, generation);

	if (all && is_behind(*generation, monitor->heard_to))
		monitor->heard_to = *generation;
	*generation = monitor->heard_to;
	say_owing(monitor);
	return all;
}

static bool take_touch(struct heard *heard)
{
	bool owes = owes_touch(heard);

	heard->touch_told |= owes;
	return owes;
}

/* Whoever is called closes behind all of them: one by one, they would keep him as long as they come. */
void seg_nft_monitor_look_up(struct seg_nft_monitor *monitor)
{
	bool touched;

	(void)read_up_to(monitor, NULL);
	touched = take_touch(&monitor->open);
	for (size_t i = 0; i < monitor->n; i++)
		touched |= take_touch(&monitor->heard[i]);
	if (touched)
		monitor->hearer.touched(monitor->hearer.context);
	say_owing(monitor);
}

/* Whoever is told may ask us to hear more, which is owing then: or who goes on committing would never let us end. */
static void tell_heard(struct seg_nft_monitor *monitor)
{
	size_t n = 0;
	bool ours = false; /* what is done about it takes long: one of them in one go */

	while (n < monitor->n && n < ROUNDS && !ours) {
		struct heard heard;

		if (take_touch(&monitor->heard[n])) /* who is told may look up, and is not called once more */
			monitor->hearer.touched(monitor->hearer.context);
		heard = monitor->heard[n++];
		monitor->hearer.told(monitor->hearer.context, &heard.transaction);
		json_decref(heard.transaction.bypass);
		ours = heard.transaction.ours || heard.transaction.keeper;
	}
	monitor->n -= n;
	for (size_t i = 0; i < monitor->n; i++)
		monitor->heard[i] = monitor->heard[i + n];
	if (take_touch(&monitor->open))
		monitor->hearer.touched(monitor->hearer.context);
}

int seg_nft_monitor_read(struct seg_nft_monitor *monitor)
{
	int ret = 1;

	if (monitor->n) {
		tell_heard(monitor);
		ret = 0;
	}
	for (int i = 0; i < ROUNDS && ret > 0 && !monitor->n; i++) {
		ret = listen_once(monitor);
		tell_heard(monitor);
	}
	ret = monitor->lost ? -ENOBUFS : ret < 0 ? ret : 0;
	monitor->lost = false;
	say_owing(monitor);
	return ret;
}
