/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <libnftnl/expr.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/rule.h"

#define UDATA_SIZE 512

struct rule_writer {
	struct nftnl_rule *rule;
	uint32_t generation;
};

static struct nftnl_expr *add_expr(struct rule_writer *w, const char *name)
{
	struct nftnl_expr *expr = seg_nft_must(nftnl_expr_alloc(name));

	nftnl_rule_add_expr(w->rule, expr);
	return expr;
}

static void load_payload(struct rule_writer *w, uint32_t base, uint32_t offset, uint32_t len, uint32_t reg)
{
	struct nftnl_expr *expr = add_expr(w, "payload");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

static void load_meta(struct rule_writer *w, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *expr = add_expr(w, "meta");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, reg);
}

static void load_ct(struct rule_writer *w, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *expr = add_expr(w, "ct");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, reg);
}

static void load_fib(struct rule_writer *w, uint32_t flags, uint32_t reg)
{
	struct nftnl_expr *expr = add_expr(w, "fib");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_FLAGS, flags);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_DREG, reg);
}

static void load(struct rule_writer *w, enum seg_load what, uint32_t reg)
{
	const struct seg_nft_source *source = seg_nft_source_of(what);

	switch (source->from) {
	case SEG_FROM_PAYLOAD:
		load_payload(w, source->key, source->offset, seg_field_len(seg_load_field(what)), reg);
		break;
	case SEG_FROM_META:
		load_meta(w, source->key, reg);
		break;
	case SEG_FROM_CT:
		load_ct(w, source->key, reg);
		break;
	case SEG_FROM_FIB:
		load_fib(w, source->key, reg);
		break;
	}
}

/* Returns the word behind them. */
static unsigned load_all(struct rule_writer *w, const struct seg_stmt *stmt)
{
	unsigned word = 0;

	for (unsigned i = 0; i < stmt->loads; i++) {
		load(w, stmt->load[i], seg_nft_register_at(word));
		word += seg_field_padded(seg_load_field(stmt->load[i])) / 4;
	}
	return word;
}

static void put_cmp(struct rule_writer *w, const struct seg_stmt *stmt)
{
	const uint8_t zero[sizeof(stmt->mask)] = {0};
	struct nftnl_expr *expr;

	load_all(w, stmt);
	if (stmt->mask_len) {
		expr = add_expr(w, "bitwise");
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
		nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, stmt->mask_len);
		nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, stmt->mask, stmt->mask_len);
		nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, zero, stmt->mask_len);
	}
	expr = add_expr(w, "cmp");
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, stmt->invert ? NFT_CMP_NEQ : NFT_CMP_EQ);
	nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, stmt->value, stmt->len);
}

static struct nftnl_expr *put_lookup(struct rule_writer *w, const struct seg_stmt *stmt)
{
	struct nftnl_expr *expr;
	char name[SEG_NAME_MAX];

	load_all(w, stmt);
	expr = add_expr(w, "lookup");
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, seg_set_kernel_name(stmt->set, w->generation, name));
	if (stmt->invert)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	return expr;
}

static void put_ct_set(struct rule_writer *w, uint32_t key)
{
	struct nftnl_expr *expr = add_expr(w, "ct");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

static void put_ct_set_number(struct rule_writer *w, uint32_t key, uint32_t number)
{
	struct nftnl_expr *expr = add_expr(w, "immediate");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(expr, NFTNL_EXPR_IMM_DATA, &number, sizeof(number));
	put_ct_set(w, key);
}

static void set_limit(struct nftnl_expr *expr, const struct seg_stmt *stmt)
{
	nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_RATE, stmt->rate);
	nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_UNIT, 1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_BURST, stmt->burst);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_FLAGS, 0);
}

static struct nftnl_expr *put_dynset(struct rule_writer *w, const struct seg_stmt *stmt)
{
	struct nftnl_expr *expr = add_expr(w, "dynset");
	char name[SEG_NAME_MAX];

	nftnl_expr_set_u32(expr, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_DYNSET_OP,
			   stmt->update ? NFT_DYNSET_OP_UPDATE : NFT_DYNSET_OP_ADD);
	nftnl_expr_set_str(expr, NFTNL_EXPR_DYNSET_SET_NAME,
			   seg_set_kernel_name(stmt->set, w->generation, name));
	return expr;
}

static void put_add(struct rule_writer *w, const struct seg_stmt *stmt)
{
	struct nftnl_expr *each = seg_nft_must(nftnl_expr_alloc(stmt->rate ? "limit" : "counter"));

	load_all(w, stmt);
	if (stmt->rate)
		set_limit(each, stmt);
	nftnl_expr_set(put_dynset(w, stmt), NFTNL_EXPR_DYNSET_EXPR, each, 0);
}

static void put_add_mark(struct rule_writer *w, const struct seg_stmt *stmt)
{
	const uint32_t mark = seg_nft_register_at(load_all(w, stmt));

	load(w, SEG_L_CT_MARK, mark);
	nftnl_expr_set_u32(put_dynset(w, stmt), NFTNL_EXPR_DYNSET_SREG_DATA, mark);
}

static void put_log(struct rule_writer *w, const struct seg_stmt *stmt)
{
	struct nftnl_expr *expr = add_expr(w, "log");

	nftnl_expr_set_u16(expr, NFTNL_EXPR_LOG_GROUP, (uint16_t)stmt->number);
	if (stmt->prefix)
		nftnl_expr_set_str(expr, NFTNL_EXPR_LOG_PREFIX, stmt->prefix);
	if (stmt->snaplen)
		nftnl_expr_set_u32(expr, NFTNL_EXPR_LOG_SNAPLEN, stmt->snaplen);
	if (stmt->threshold)
		nftnl_expr_set_u16(expr, NFTNL_EXPR_LOG_QTHRESHOLD, (uint16_t)stmt->threshold);
}

static void put_reject(struct rule_writer *w, const struct seg_stmt *stmt)
{
	struct nftnl_expr *expr = add_expr(w, "reject");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_REJECT_TYPE,
			   stmt->reset ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH);
	nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, stmt->reset ? 0 : NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
}

static void put_action(struct rule_writer *w, const struct seg_action *action)
{
	struct nftnl_expr *expr = add_expr(w, "immediate");
	char name[SEG_NAME_MAX];

	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t)seg_nft_verdict_of(action->code));
	if (action->chain)
		nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN,
				   seg_chain_kernel_name(action->chain, w->generation, name));
}

static void put_stmt(struct rule_writer *w, const struct seg_stmt *stmt)
{
	switch (stmt->kind) {
	case SEG_S_CMP:
		put_cmp(w, stmt);
		break;
	case SEG_S_LOOKUP:
		put_lookup(w, stmt);
		break;
	case SEG_S_MAP_MARK:
		nftnl_expr_set_u32(put_lookup(w, stmt), NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1);
		put_ct_set(w, NFT_CT_MARK);
		break;
	case SEG_S_VMAP:
		nftnl_expr_set_u32(put_lookup(w, stmt), NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
		break;
	case SEG_S_SET_MARK:
		put_ct_set_number(w, NFT_CT_MARK, stmt->number);
		break;
	case SEG_S_SET_EVENTS:
		put_ct_set_number(w, NFT_CT_EVENTMASK, stmt->number);
		break;
	case SEG_S_COUNTER:
		add_expr(w, "counter");
		break;
	case SEG_S_ADD:
		put_add(w, stmt);
		break;
	case SEG_S_ADD_MARK:
		put_add_mark(w, stmt);
		break;
	case SEG_S_LIMIT:
		set_limit(add_expr(w, "limit"), stmt);
		break;
	case SEG_S_LOG:
		put_log(w, stmt);
		break;
	case SEG_S_REJECT:
		put_reject(w, stmt);
		break;
	case SEG_S_ACTION:
		put_action(w, &stmt->action);
		break;
	}
}

static void set_comment(struct nftnl_rule *rule, const char *comment)
{
	struct nftnl_udata_buf *udata = seg_nft_must(nftnl_udata_buf_alloc(UDATA_SIZE));
	char text[SEG_NFT_COMMENT_MAX + 1];

	snprintf(text, sizeof(text), "%s", comment);
	nftnl_udata_put_strz(udata, NFTNL_UDATA_RULE_COMMENT, text);
	nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(udata),
			    nftnl_udata_buf_len(udata));
	nftnl_udata_buf_free(udata);
}

void seg_nft_put_rules(struct seg_nft_batch *batch, const struct seg_chain *chain, struct seg_arena *scratch)
{
	char name[SEG_NAME_MAX];

	seg_chain_kernel_name(chain, batch->generation, name);
	for (size_t i = 0; i < chain->rules; i++) {
		struct seg_rule rule = seg_rule_complete(&chain->rule[i], scratch);
		struct seg_nft_origin origin = {.about = SEG_ABOUT_RULE, .chain = chain, .rule = i};
		struct nlmsghdr *nlh =
			seg_nft_batch_open(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, origin);
		struct rule_writer w = {seg_nft_must(nftnl_rule_alloc()), batch->generation};

		nftnl_rule_set_str(w.rule, NFTNL_RULE_TABLE, batch->table);
		nftnl_rule_set_str(w.rule, NFTNL_RULE_CHAIN, name);
		for (size_t j = 0; j < rule.stmts; j++)
			put_stmt(&w, &rule.stmt[j]);
		if (rule.comment)
			set_comment(w.rule, rule.comment);
		nftnl_rule_nlmsg_build_payload(nlh, w.rule);
		nftnl_rule_free(w.rule);
		seg_nft_batch_close(batch, nlh);
	}
}
