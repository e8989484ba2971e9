/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <stdlib.h>
#include <string.h>

/* An element list is one attribute: 65,535 bytes at most, the largest element apart. */
#define ELEMS_MAX 60000
#define UDATA_SIZE 512

/* -- tables ------------------------------------------------------------ */

void seg_nft_put_table(struct seg_nft_batch *batch, const char *name, uint32_t flags)
{
	struct seg_nft_origin origin = {.about = SEG_ABOUT_TABLE};
	struct nlmsghdr *nlh = seg_nft_batch_open(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, origin);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(flags));
	seg_nft_batch_close(batch, nlh);
}

void seg_nft_put_del_table(struct seg_nft_batch *batch, const char *name)
{
	struct seg_nft_origin origin = {.about = SEG_ABOUT_TABLE};
	struct nlmsghdr *nlh = seg_nft_batch_open(batch, NFT_MSG_DELTABLE, 0, origin);

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
	seg_nft_batch_close(batch, nlh);
}

/* -- sets -------------------------------------------------------------- */

static uint32_t set_flags(const struct seg_set *set)
{
	uint32_t flags = 0;

	if (set->interval)
		flags |= NFT_SET_INTERVAL;
	if (set->interval && set->fields > 1)
		flags |= NFT_SET_CONCAT;
	if (set->data != SEG_DATA_NONE)
		flags |= NFT_SET_MAP;
	if (set->timeout)
		flags |= NFT_SET_TIMEOUT;
	if (set->dynamic)
		flags |= NFT_SET_EVAL;
	return flags;
}

static void set_key(struct nftnl_set *out, const struct seg_set *set)
{
	uint8_t lengths[SEG_KEY_FIELDS];
	uint32_t type = 0;

	for (unsigned i = 0; i < set->fields; i++) {
		type = type << SEG_NFT_TYPE_BITS | seg_nft_type_of(set->field[i]);
		lengths[i] = (uint8_t)seg_field_len(set->field[i]);
	}
	nftnl_set_set_u32(out, NFTNL_SET_KEY_TYPE, type);
	nftnl_set_set_u32(out, NFTNL_SET_KEY_LEN, seg_nft_key_len(set));
	if (set->interval && set->fields > 1)
		nftnl_set_set_data(out, NFTNL_SET_DESC_CONCAT, lengths, set->fields);
}

static void set_data(struct nftnl_set *out, const struct seg_set *set)
{
	if (set->data == SEG_DATA_MARK) {
		nftnl_set_set_u32(out, NFTNL_SET_DATA_TYPE, seg_nft_type_of(SEG_F_MARK));
		nftnl_set_set_u32(out, NFTNL_SET_DATA_LEN, sizeof(uint32_t));
	} else if (set->data == SEG_DATA_VERDICT) {
		nftnl_set_set_u32(out, NFTNL_SET_DATA_TYPE, NFT_DATA_VERDICT);
		nftnl_set_set_u32(out, NFTNL_SET_DATA_LEN, 0);
	}
}

/* What nft wants to remember with a set: in which byte order to show it. */
static void set_userdata(struct nftnl_set *out, const struct seg_set *set)
{
	struct nftnl_udata_buf *udata = seg_nft_must(nftnl_udata_buf_alloc(UDATA_SIZE));
	uint32_t key = set->fields == 1 ? seg_nft_byteorder_of(set->field[0]) : 0;
	uint32_t data = set->data == SEG_DATA_MARK ? seg_nft_byteorder_of(SEG_F_MARK) : 0;

	nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_KEYBYTEORDER, key);
	if (set->data != SEG_DATA_NONE)
		nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_DATABYTEORDER, data);
	nftnl_set_set_data(out, NFTNL_SET_USERDATA, nftnl_udata_buf_data(udata), nftnl_udata_buf_len(udata));
	nftnl_udata_buf_free(udata);
}

void seg_nft_put_set(struct seg_nft_batch *batch, const struct seg_set *set)
{
	struct seg_nft_origin origin = {.about = SEG_ABOUT_SET, .set = set};
	struct nlmsghdr *nlh = seg_nft_batch_open(batch, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL, origin);
	struct nftnl_set *out = seg_nft_must(nftnl_set_alloc());
	char name[SEG_NAME_MAX];

	nftnl_set_set_str(out, NFTNL_SET_TABLE, batch->table);
	nftnl_set_set_str(out, NFTNL_SET_NAME, seg_set_kernel_name(set, batch->generation, name));
	nftnl_set_set_u32(out, NFTNL_SET_FLAGS, set_flags(set));
	/* Only anonymous sets are looked up by it, but the kernel wants one, unique in the batch. */
	nftnl_set_set_u32(out, NFTNL_SET_ID, (uint32_t)batch->origins);
	set_key(out, set);
	set_data(out, set);
	if (set->size)
		nftnl_set_set_u32(out, NFTNL_SET_DESC_SIZE, set->size);
	if (set->timeout_ms)
		nftnl_set_set_u64(out, NFTNL_SET_TIMEOUT, set->timeout_ms);
	if (set->counter)
		nftnl_set_set_data(out, NFTNL_SET_EXPR, seg_nft_must(nftnl_expr_alloc("counter")), 0);
	set_userdata(out, set);
	nftnl_set_nlmsg_build_payload(nlh, out);
	nftnl_set_free(out);
	seg_nft_batch_close(batch, nlh);
}

/* A message that says no more than which set. */
static void put_of_set(struct seg_nft_batch *batch, const struct seg_set *set, uint16_t type, uint16_t table_attr,
		       uint16_t name_attr)
{
	struct seg_nft_origin origin = {.about = SEG_ABOUT_SET, .set = set};
	struct nlmsghdr *nlh = seg_nft_batch_open(batch, type, 0, origin);
	char name[SEG_NAME_MAX];

	mnl_attr_put_strz(nlh, table_attr, batch->table);
	mnl_attr_put_strz(nlh, name_attr, seg_set_kernel_name(set, batch->generation, name));
	seg_nft_batch_close(batch, nlh);
}

void seg_nft_put_del_set(struct seg_nft_batch *batch, const struct seg_set *set)
{
	put_of_set(batch, set, NFT_MSG_DELSET, NFTA_SET_TABLE, NFTA_SET_NAME);
}

/* -- elements ---------------------------------------------------------- */

/*
 * By hand, not through libnftnl: a policy is tens of thousands of elements and little else.
 *
 * An interval of a single field is two elements on the wire, the first address and, flagged as
 * an end, the one behind the last; none where the interval reaches the end of the number line
 * (nft then notes "open" beside the comment).
 */
struct elem_writer {
	struct seg_nft_batch *batch;
	const struct seg_set *set;
	const char *name; /* the set's */
	uint16_t type, flags;
	unsigned key_len;
	struct nlmsghdr *nlh; /* NULL: no message open */
	struct nlattr *list;
};

static void open_message(struct elem_writer *w)
{
	struct seg_nft_origin origin = {.about = SEG_ABOUT_ELEMS, .set = w->set};

	w->nlh = seg_nft_batch_open(w->batch, w->type, w->flags, origin);
	mnl_attr_put_strz(w->nlh, NFTA_SET_ELEM_LIST_TABLE, SEG_TABLE);
	mnl_attr_put_strz(w->nlh, NFTA_SET_ELEM_LIST_SET, w->name);
	w->list = mnl_attr_nest_start(w->nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void close_message(struct elem_writer *w)
{
	if (!w->nlh)
		return;
	mnl_attr_nest_end(w->nlh, w->list);
	seg_nft_batch_close(w->batch, w->nlh);
	w->nlh = NULL;
}

static struct nlattr *open_elem(struct elem_writer *w, const struct seg_elem *elem)
{
	if (w->nlh && w->nlh->nlmsg_len > ELEMS_MAX)
		close_message(w);
	if (!w->nlh)
		open_message(w);
	seg_nft_batch_elem(w->batch, elem);
	return mnl_attr_nest_start(w->nlh, NFTA_LIST_ELEM);
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *value, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(nlh, nest);
}

static void put_verdict(struct nlmsghdr *nlh, const struct seg_action *action, uint32_t generation)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
	char name[SEG_NAME_MAX];

	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl((uint32_t)seg_nft_verdict_of(action->code)));
	if (action->chain)
		mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN,
				  seg_chain_kernel_name(action->chain, generation, name));
	mnl_attr_nest_end(nlh, nest);
}

static void put_elem_data(struct elem_writer *w, const struct seg_elem *elem)
{
	struct nlattr *nest;

	if (w->set->data == SEG_DATA_MARK) {
		put_value(w->nlh, NFTA_SET_ELEM_DATA, &elem->mark, sizeof(elem->mark));
	} else if (w->set->data == SEG_DATA_VERDICT) {
		nest = mnl_attr_nest_start(w->nlh, NFTA_SET_ELEM_DATA);
		put_verdict(w->nlh, &elem->action, w->batch->generation);
		mnl_attr_nest_end(w->nlh, nest);
	}
}

static void put_elem_userdata(struct nlmsghdr *nlh, const char *comment, bool open)
{
	uint8_t data[SEG_NFT_COMMENT_MAX + 16];
	size_t len = 0;

	if (comment) {
		size_t text = strnlen(comment, SEG_NFT_COMMENT_MAX);

		data[len++] = NFTNL_UDATA_SET_ELEM_COMMENT;
		data[len++] = (uint8_t)(text + 1);
		memcpy(data + len, comment, text);
		len += text;
		data[len++] = '\0';
	}
	if (open) {
		const uint32_t flags = NFTNL_SET_ELEM_F_INTERVAL_OPEN;

		data[len++] = NFTNL_UDATA_SET_ELEM_FLAGS;
		data[len++] = sizeof(flags);
		memcpy(data + len, &flags, sizeof(flags));
		len += sizeof(flags);
	}
	if (len)
		mnl_attr_put(nlh, NFTA_SET_ELEM_USERDATA, len, data);
}

/* A set that counts gives every element a counter by itself; this one does not begin at zero. */
static void put_elem_counter(struct nlmsghdr *nlh, const struct seg_elem *elem)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_EXPR), *data;

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "counter");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(elem->bytes));
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(elem->packets));
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, nest);
}

static void put_elem_rest(struct elem_writer *w, const struct seg_elem *elem, bool open)
{
	if (w->type != NFT_MSG_NEWSETELEM)
		return;
	put_elem_data(w, elem);
	if (elem->timeout_ms)
		seg_nft_batch_timeout(w->batch, w->nlh, elem->timeout_ms);
	put_elem_userdata(w->nlh, elem->comment, open);
	if (w->set->counter && (elem->packets || elem->bytes))
		put_elem_counter(w->nlh, elem);
}

/* The key behind this one, big endian; false: there is none. */
static bool successor(const uint8_t *key, unsigned len, uint8_t *next)
{
	memcpy(next, key, len);
	while (len > 0)
		if (++next[--len] != 0)
			return true;
	return false;
}

/* Only ever deleted: somebody else's. */
static void put_catchall(struct elem_writer *w, const struct seg_elem *elem)
{
	struct nlattr *nest = open_elem(w, elem);

	mnl_attr_put_u32(w->nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_CATCHALL));
	mnl_attr_nest_end(w->nlh, nest);
}

static void put_interval(struct elem_writer *w, const struct seg_elem *elem)
{
	uint8_t behind[SEG_KEY_MAX];
	bool open = !successor(elem->end ? elem->end : elem->key, w->key_len, behind);
	struct nlattr *nest = open_elem(w, elem);

	put_value(w->nlh, NFTA_SET_ELEM_KEY, elem->key, w->key_len);
	put_elem_rest(w, elem, open);
	mnl_attr_nest_end(w->nlh, nest);
	if (open)
		return;
	nest = open_elem(w, elem);
	mnl_attr_put_u32(w->nlh, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	put_value(w->nlh, NFTA_SET_ELEM_KEY, behind, w->key_len);
	mnl_attr_nest_end(w->nlh, nest);
}

static void put_elem(struct elem_writer *w, const struct seg_elem *elem)
{
	struct nlattr *nest = open_elem(w, elem);

	put_value(w->nlh, NFTA_SET_ELEM_KEY, elem->key, w->key_len);
	if (w->set->interval)
		put_value(w->nlh, NFTA_SET_ELEM_KEY_END, elem->end ? elem->end : elem->key, w->key_len);
	put_elem_rest(w, elem, false);
	mnl_attr_nest_end(w->nlh, nest);
}

void seg_nft_put_elems(struct seg_nft_batch *batch, const struct seg_set *set,
		       const struct seg_elem *const *elem, size_t n, bool add)
{
	const uint16_t echo = batch->told && set->counter ? NLM_F_ECHO : 0;
	char name[SEG_NAME_MAX];
	struct elem_writer w = {
		.batch = batch,
		.set = set,
		.name = seg_set_kernel_name(set, batch->generation, name),
		.type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
		.flags = add ? NLM_F_CREATE | NLM_F_EXCL : echo,
		.key_len = seg_nft_key_len(set),
	};

	for (size_t i = 0; i < n; i++) {
		if (elem[i]->catchall)
			put_catchall(&w, elem[i]);
		else if (set->interval && set->fields == 1)
			put_interval(&w, elem[i]);
		else
			put_elem(&w, elem[i]);
	}
	close_message(&w);
}

/* -- chains ------------------------------------------------------------ */

static void put_hook(struct nlmsghdr *nlh, unsigned hooknum, int priority, bool drop)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);

	mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(hooknum));
	mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)priority));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(drop ? NF_DROP : NF_ACCEPT));
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
}

/* Without EXCL: a base chain may be there, and then only takes the policy. */
void seg_nft_put_chain(struct seg_nft_batch *batch, const struct seg_chain *chain)
{
	struct seg_nft_origin origin = {.about = SEG_ABOUT_CHAIN, .chain = chain};
	uint16_t flags = chain->hook == SEG_HOOK_NONE ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_CREATE;
	struct nlmsghdr *nlh = seg_nft_batch_open(batch, NFT_MSG_NEWCHAIN, flags, origin);
	char name[SEG_NAME_MAX];

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, batch->table);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, seg_chain_kernel_name(chain, batch->generation, name));
	if (chain->hook != SEG_HOOK_NONE)
		put_hook(nlh, seg_nft_hooknum_of(chain->hook), chain->priority, chain->policy_drop);
	seg_nft_batch_close(batch, nlh);
}

void seg_nft_put_del_chain(struct seg_nft_batch *batch, const struct seg_chain *chain)
{
	struct seg_nft_origin origin = {.about = SEG_ABOUT_CHAIN, .chain = chain};
	struct nlmsghdr *nlh = seg_nft_batch_open(batch, NFT_MSG_DELCHAIN, 0, origin);
	char name[SEG_NAME_MAX];

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, batch->table);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, seg_chain_kernel_name(chain, batch->generation, name));
	seg_nft_batch_close(batch, nlh);
}

void seg_nft_put_flush(struct seg_nft_batch *batch, const struct seg_chain *chain)
{
	struct seg_nft_origin origin = {.about = SEG_ABOUT_CHAIN, .chain = chain};
	struct nlmsghdr *nlh = seg_nft_batch_open(batch, NFT_MSG_DELRULE, 0, origin);
	char name[SEG_NAME_MAX];

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, batch->table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, seg_chain_kernel_name(chain, batch->generation, name));
	seg_nft_batch_close(batch, nlh);
}

/* To empty what is empty is no transaction, and the kernel's generation stays, which ours are counted by
 * (nft_known.c): a base chain that is to be what it is makes it one. */
void seg_nft_put_forget(struct seg_nft_batch *batch, const struct seg_plan *plan)
{
	const struct seg_chain *base = NULL;

	for (size_t i = 0; i < plan->sets; i++)
		if (seg_set_is_taught(plan->set[i]))
			put_of_set(batch, plan->set[i], NFT_MSG_DELSETELEM, NFTA_SET_ELEM_LIST_TABLE,
				   NFTA_SET_ELEM_LIST_SET);
	for (size_t i = 0; i < plan->chains && !base; i++)
		base = plan->chain[i]->hook != SEG_HOOK_NONE ? plan->chain[i] : NULL;
	if (base && !seg_nft_batch_empty(batch))
		seg_nft_put_chain(batch, base);
}
