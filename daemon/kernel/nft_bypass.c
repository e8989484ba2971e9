/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_bypass.h"

#include <ctype.h>
#include <errno.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "base/i18n.h"
#include "control/sentence.h"
#include "kernel/nft_monitor.h"
#include "kernel/nft_wire.h"
#include "kernel/ways.h"

void seg_nft_escape(struct seg_strbuf *out, const char *text)
{
	for (; *text; text++) {
		if (isprint((unsigned char)*text) && *text != '\\' && *text != '"')
			seg_strbuf_addc(out, *text);
		else
			seg_strbuf_printf(out, "\\x%02x", (unsigned char)*text);
	}
}

const char *seg_nft_family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_BRIDGE:
		return "bridge";
	case NFPROTO_NETDEV:
		return "netdev";
	default:
		return "unknown";
	}
}

static const char *expr_name(const struct nlattr *expr)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, expr)
		if (seg_attr_type(attr) == NFTA_EXPR_NAME &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			return mnl_attr_get_str(attr);
	return "";
}

static const struct nlattr *expr_attr(const struct nlattr *expr, uint16_t type)
{
	const struct nlattr *data, *attr;

	seg_attr_each_nested(data, expr)
		if (seg_attr_type(data) == NFTA_EXPR_DATA)
			seg_attr_each_nested(attr, data)
				if (seg_attr_type(attr) == type)
					return attr;
	return NULL;
}

/* A number among an expression's attributes; -1: there is none. */
static int64_t expr_number(const struct nlattr *expr, uint16_t type)
{
	const struct nlattr *attr = expr_attr(expr, type);

	return attr && mnl_attr_validate(attr, MNL_TYPE_U32) == 0 ? (int64_t)ntohl(mnl_attr_get_u32(attr))
								  : -1;
}

/* A rewritten time to live, protocol or DSCP sends nothing elsewhere; addresses, ports and MACs do. */
static enum seg_way way_of_payload(const struct nlattr *expr)
{
	const int64_t base = expr_number(expr, NFTA_PAYLOAD_BASE),
		      at = expr_number(expr, NFTA_PAYLOAD_OFFSET),
		      end = at + expr_number(expr, NFTA_PAYLOAD_LEN);

	if (expr_number(expr, NFTA_PAYLOAD_SREG) < 0)
		return SEG_NO_WAY;
	if (base == NFT_PAYLOAD_NETWORK_HEADER) /* IPv6's addresses begin at 8, where IPv4 has what is harmless to 10 */
		return at < 40 && end > 10 ? SEG_WAY_REWRITES : SEG_NO_WAY;
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER)
		return at < 4 ? SEG_WAY_REWRITES : SEG_NO_WAY;
	return base == NFT_PAYLOAD_LL_HEADER && at < 12 ? SEG_WAY_REWRITES : SEG_NO_WAY;
}

static enum seg_way way_of_ct(const struct nlattr *expr)
{
	const int64_t key = expr_number(expr, NFTA_CT_KEY);

	if (expr_number(expr, NFTA_CT_SREG) < 0)
		return SEG_NO_WAY;
	return key == NFT_CT_MARK ? SEG_WAY_SETS_MARK : key == NFT_CT_EVENTMASK ? SEG_WAY_SILENCES : SEG_NO_WAY;
}

/* A target of iptables, whose rules are nf_tables' on today's systems. */
static enum seg_way way_of_target(const struct nlattr *expr, const char *chain)
{
	const struct nlattr *name = expr_attr(expr, NFTA_TARGET_NAME),
			    *info = expr_attr(expr, NFTA_TARGET_INFO);

	if (!name || !info || mnl_attr_validate(name, MNL_TYPE_NUL_STRING) != 0)
		return SEG_NO_WAY;
	return seg_way_of_target(&(const struct seg_target){
		.name = mnl_attr_get_str(name),
		.revision = (uint8_t)expr_number(expr, NFTA_TARGET_REV),
		.info = mnl_attr_get_payload(info),
		.len = mnl_attr_get_payload_len(info),
		.chain = chain,
	});
}

static enum seg_way way_of_nat(const struct nlattr *expr)
{
	return expr_number(expr, NFTA_NAT_TYPE) == NFT_NAT_DNAT ? SEG_WAY_SENDS_ELSEWHERE : SEG_NO_WAY;
}

static enum seg_way way_of_expr(const struct nlattr *expr, const char *chain)
{
	static const struct {
		const char *name;
		enum seg_way always;
		enum seg_way (*in_some_forms)(const struct nlattr *expr);
	} known[] = {
		{"flow_offload", SEG_WAY_FLOWTABLE, NULL},
		{"notrack", SEG_WAY_NOTRACK, NULL},
		{"fwd", SEG_WAY_FORWARDS, NULL},
		{"dup", SEG_WAY_COPIES, NULL},
		{"nat", SEG_NO_WAY, way_of_nat},
		{"ct", SEG_NO_WAY, way_of_ct},
		{"payload", SEG_NO_WAY, way_of_payload},
		{"queue", SEG_WAY_QUEUES, NULL},
	};

	if (strcmp(expr_name(expr), "target") == 0)
		return way_of_target(expr, chain);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(expr_name(expr), known[i].name) == 0)
			return known[i].in_some_forms ? known[i].in_some_forms(expr) : known[i].always;
	return SEG_NO_WAY;
}

/* Both messages have the table's name as attribute 1 and the chain's or flowtable's as 2. */
static const struct nlattr *attr_of(const struct nlmsghdr *nlh, uint16_t type)
{
	const struct nlattr *attr;

	seg_attr_each(attr, nlh, sizeof(struct nfgenmsg))
		if (seg_attr_type(attr) == type)
			return attr;
	return NULL;
}

static void print_name(const struct nlmsghdr *nlh, uint16_t type, struct seg_strbuf *out)
{
	const struct nlattr *attr = attr_of(nlh, type);

	if (attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
		seg_nft_escape(out, mnl_attr_get_str(attr));
}

/* What the first such expression of a rule does, as a format; NULL. */
static const char *way_of(const struct nlmsghdr *nlh)
{
	const struct nlattr *exprs = attr_of(nlh, NFTA_RULE_EXPRESSIONS), *expr;
	enum seg_way way = SEG_NO_WAY;
	struct seg_strbuf chain = {0};

	if (!exprs)
		return NULL;
	print_name(nlh, NFTA_RULE_CHAIN, &chain);
	seg_attr_each_nested(expr, exprs)
		if (way == SEG_NO_WAY)
			way = way_of_expr(expr, seg_strbuf_text(&chain));
	seg_strbuf_fini(&chain);
	return seg_way_format(way);
}

/* Our own rules set marks, and are compared as a whole. */
static bool is_ours(const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *table = attr_of(nlh, NFTA_RULE_TABLE);

	return header->nfgen_family == NFPROTO_INET && table &&
	       mnl_attr_validate(table, MNL_TYPE_NUL_STRING) == 0 &&
	       strcmp(mnl_attr_get_str(table), SEG_TABLE) == 0;
}

static json_t *sentence_about(const char *format, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);
	struct seg_strbuf chain = {0}, table = {0};
	json_t *sentence;

	print_name(nlh, NFTA_RULE_CHAIN, &chain);
	print_name(nlh, NFTA_RULE_TABLE, &table);
	sentence = seg_sentence_new(format, seg_strbuf_text(&chain),
				    seg_nft_family_name(header->nfgen_family), seg_strbuf_text(&table));
	seg_strbuf_fini(&chain);
	seg_strbuf_fini(&table);
	return sentence;
}

json_t *seg_nft_bypass_of(const struct nlmsghdr *nlh)
{
	const char *way;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return NULL;
	switch (nlh->nlmsg_type & 0xff) {
	case NFT_MSG_NEWFLOWTABLE:
		return sentence_about(N_("flowtable %s of table %s %s can let packets pass unjudged"), nlh);
	case NFT_MSG_NEWRULE:
		way = is_ours(nlh) ? NULL : way_of(nlh);
		return way ? sentence_about(way, nlh) : NULL;
	default:
		return NULL;
	}
}

/* -- what is there ----------------------------------------------------- */

struct search {
	seg_nft_bypass_fn each;
	void *context;
	json_t *said;
};

/* A chain may have many such rules, and the dump may begin anew. */
static void take(void *context, const struct nlmsghdr *nlh)
{
	struct search *search = context;
	json_t *sentence = seg_nft_bypass_of(nlh), *one;
	size_t i;

	if (!sentence)
		return;
	json_array_foreach(search->said, i, one)
	{
		if (json_equal(one, sentence)) {
			json_decref(sentence);
			return;
		}
	}
	json_array_append(search->said, sentence);
	search->each(search->context, sentence);
}

static int search_all(const struct mnl_socket *sock, uint16_t type, struct search *search)
{
	struct seg_nft_question question;
	struct nfgenmsg *header;
	int ret = -EINTR;

	for (unsigned i = 0; i < SEG_NFT_RETRIES && ret == -EINTR; i++) {
		seg_nft_question_init(&question, type, true);
		header = mnl_nlmsg_get_payload(question.nlh);
		header->nfgen_family = NFPROTO_UNSPEC;
		question.nlh->nlmsg_seq = i + 1;
		ret = seg_netlink_ask(sock, question.nlh, take, search);
	}
	return ret;
}

int seg_nft_find_bypass(seg_nft_bypass_fn each, void *context)
{
	struct search search = {each, context, NULL};
	struct mnl_socket *sock;
	int ret = seg_netlink_open(&sock, NETLINK_NETFILTER, 0, 0);

	if (ret < 0)
		return ret;
	search.said = json_array();
	ret = search_all(sock, NFT_MSG_GETFLOWTABLE, &search);
	if (ret == 0)
		ret = search_all(sock, NFT_MSG_GETRULE, &search);
	mnl_socket_close(sock);
	json_decref(search.said);
	return ret;
}
