/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>

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

int seg_nft_ask(struct seg_nft *nft, struct seg_nft_question *question, seg_netlink_fn each, void *context)
{
	question->nlh->nlmsg_seq = ++nft->seq;
	return seg_netlink_ask(nft->dump, question->nlh, each, context);
}

static void take_generation(void *context, const struct nlmsghdr *nlh)
{
	uint32_t *generation = context;
	const struct nlattr *attr;

	seg_attr_each(attr, nlh, sizeof(struct nfgenmsg))
		if (seg_attr_type(attr) == NFTA_GEN_ID && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			*generation = ntohl(mnl_attr_get_u32(attr));
}

int seg_nft_read_generation(struct seg_nft *nft, uint32_t *generation)
{
	struct seg_nft_question question;

	*generation = 0;
	seg_nft_question_init(&question, NFT_MSG_GETGEN, false);
	return seg_nft_ask(nft, &question, take_generation, generation);
}

static void take_table(void *context, const struct nlmsghdr *nlh)
{
	struct seg_nft_table *table = context;
	const struct nlattr *attr;

	table->exists = true;
	seg_attr_each(attr, nlh, sizeof(struct nfgenmsg)) {
		if (seg_attr_type(attr) == NFTA_TABLE_FLAGS && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			table->flags = ntohl(mnl_attr_get_u32(attr));
		else if (seg_attr_type(attr) == NFTA_TABLE_OWNER &&
			 mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			table->owner = ntohl(mnl_attr_get_u32(attr));
	}
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
