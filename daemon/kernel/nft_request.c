/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_SIZE 65536 /* the kernel fills at most 32 KiB */

void seg_nft_question_init(struct seg_nft_question *question, uint16_t type, bool dump)
{
	struct nfgenmsg *header;

	question->nlh = mnl_nlmsg_put_header(question->bytes);
	question->nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	question->nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (dump ? NLM_F_DUMP : NLM_F_ACK));
	header = mnl_nlmsg_put_extra_header(question->nlh, sizeof(*header));
	header->nfgen_family = NFPROTO_INET;
	header->version = NFNETLINK_V0;
	header->res_id = 0;
}

/* What is known after an answer has been read in part. */
struct hearing {
	seg_nft_answer_fn each;
	void *context;
	uint32_t seq;
	bool done, interrupted;
	int error;
};

static void hear(struct hearing *h, const struct nlmsghdr *nlh)
{
	/* The rest of an answer that was given up. */
	if (nlh->nlmsg_seq != h->seq)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		h->interrupted = true;
	if (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR) {
		int error = 0;

		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
			memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
		h->done = true;
		if (!h->error)
			h->error = error;
		return;
	}
	if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && !h->error && h->each)
		h->error = h->each(nlh, h->context);
}

int seg_nft_ask(struct seg_nft *nft, struct seg_nft_question *question, seg_nft_answer_fn each, void *context)
{
	struct hearing h = {.each = each, .context = context, .seq = ++nft->seq};
	uint8_t *buffer = seg_nft_must(malloc(ANSWER_SIZE));

	question->nlh->nlmsg_seq = h.seq;
	if (mnl_socket_sendto(nft->dump, question->nlh, question->nlh->nlmsg_len) < 0) {
		h.error = -errno;
		h.done = true;
	}
	while (!h.done) {
		ssize_t got = recv(mnl_socket_get_fd(nft->dump), buffer, ANSWER_SIZE, 0);
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)buffer;
		int left = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			h.error = -errno;
			break;
		}
		for (; mnl_nlmsg_ok(nlh, left) && !h.done; nlh = mnl_nlmsg_next(nlh, &left))
			hear(&h, nlh);
	}
	free(buffer);
	if (!h.error && h.interrupted)
		return -EINTR;
	return h.error;
}

static int take_generation(const struct nlmsghdr *nlh, void *context)
{
	uint32_t *generation = context;
	const struct nlattr *attr;

	SEG_ATTR_EACH(attr, nlh, sizeof(struct nfgenmsg))
	if (mnl_attr_get_type(attr) == NFTA_GEN_ID && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		*generation = ntohl(mnl_attr_get_u32(attr));
	return 0;
}

int seg_nft_read_generation(struct seg_nft *nft, uint32_t *generation)
{
	struct seg_nft_question question;

	*generation = 0;
	seg_nft_question_init(&question, NFT_MSG_GETGEN, false);
	return seg_nft_ask(nft, &question, take_generation, generation);
}

static int take_table(const struct nlmsghdr *nlh, void *context)
{
	struct seg_nft_table *table = context;
	const struct nlattr *attr;

	table->exists = true;
	SEG_ATTR_EACH(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_TABLE_FLAGS && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			table->flags = ntohl(mnl_attr_get_u32(attr));
		else if (mnl_attr_get_type(attr) == NFTA_TABLE_OWNER &&
			 mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			table->owner = ntohl(mnl_attr_get_u32(attr));
	}
	return 0;
}

int seg_nft_read_table(struct seg_nft *nft, const char *name, struct seg_nft_table *table)
{
	struct seg_nft_question question;
	int ret;

	*table = (struct seg_nft_table){0};
	seg_nft_question_init(&question, NFT_MSG_GETTABLE, false);
	mnl_attr_put_strz(question.nlh, NFTA_TABLE_NAME, name);
	ret = seg_nft_ask(nft, &question, take_table, table);
	return ret == -ENOENT ? 0 : ret;
}
