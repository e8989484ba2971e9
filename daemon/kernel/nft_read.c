/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

/*
 * Names are taken as they are first, since nothing tells a plan's generation but the names that the
 * base chains jump to. When everything is read, "name.GENERATION" becomes "name"; what belongs to
 * another generation keeps its whole name as a kept object, which no plan has.
 */
struct image_rule {
	struct seg_chain *chain;
	struct nftnl_rule *rule;
};

#define CHAIN_TRIES 50

struct image {
	struct seg_nft *nft;
	const char *table;
	struct seg_arena *arena;
	struct seg_nft_names names;
	struct seg_chain **chain;
	size_t chains, chains_cap;
	struct seg_set **set;
	size_t sets, sets_cap;
	struct image_rule *rule; /* heap */
	size_t rules, rules_cap;
	bool torn; /* the parts do not fit: read again */
};

static uint32_t get_be32(const struct nlattr *attr)
{
	return seg_attr_len(attr) == sizeof(uint32_t) ? ntohl(mnl_attr_get_u32(attr)) : 0;
}

static bool of_table(const struct image *image, const struct nlmsghdr *nlh, uint16_t table_attr)
{
	const struct nlattr *attr;

	seg_attr_each(attr, nlh, sizeof(struct nfgenmsg))
		if (seg_attr_type(attr) == table_attr)
			return strcmp(mnl_attr_get_str(attr), image->table) == 0;
	return false;
}

/* -- chains ------------------------------------------------------------ */

static void read_hook(const struct nlattr *nest, struct seg_chain *chain)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, nest) {
		if (seg_attr_type(attr) == NFTA_HOOK_HOOKNUM)
			chain->hook = seg_nft_hook_of(get_be32(attr));
		else if (seg_attr_type(attr) == NFTA_HOOK_PRIORITY)
			chain->priority = (int)get_be32(attr);
	}
}

static void take_chain(void *context, const struct nlmsghdr *nlh)
{
	struct image *image = context;
	struct seg_chain *chain;
	const struct nlattr *attr;
	bool filter = true;

	/* The kernel gives the chains of all tables. */
	if (!of_table(image, nlh, NFTA_CHAIN_TABLE))
		return;
	chain = SEG_NEW(image->arena, struct seg_chain);
	seg_attr_each(attr, nlh, sizeof(struct nfgenmsg)) {
		if (seg_attr_type(attr) == NFTA_CHAIN_NAME)
			chain->name = seg_arena_strdup(image->arena, mnl_attr_get_str(attr));
		else if (seg_attr_type(attr) == NFTA_CHAIN_HOOK)
			read_hook(attr, chain);
		else if (seg_attr_type(attr) == NFTA_CHAIN_POLICY)
			chain->policy_drop = get_be32(attr) == NF_DROP;
		else if (seg_attr_type(attr) == NFTA_CHAIN_TYPE)
			filter = strcmp(mnl_attr_get_str(attr), "filter") == 0;
	}
	/* None of ours; a name that we need cannot be had from it. */
	if (!filter)
		chain->hook = SEG_HOOK_NONE;
	if (!chain->name)
		return;
	SEG_PUSH(image->arena, image->chain, image->chains, image->chains_cap) = chain;
	seg_map_add(&image->names.chains, image->arena, chain->name, chain, NULL);
}

/* -- sets -------------------------------------------------------------- */

#define FOREIGN_TYPE UINT32_MAX /* the data's type comes behind the key's */

/* False: holds a type that no set of ours has. */
static bool read_fields(struct seg_set *set, uint32_t type)
{
	unsigned types[SEG_KEY_FIELDS], n = 0;

	for (; type && n < SEG_KEY_FIELDS; type >>= SEG_NFT_TYPE_BITS)
		types[n++] = type & ((1u << SEG_NFT_TYPE_BITS) - 1);
	if (type || !n)
		return false;
	while (n > 0) {
		int field = seg_nft_field_of(types[--n]);

		if (field < 0)
			return false;
		set->field[set->fields++] = (enum seg_field)field;
		set->key_len += seg_field_padded((enum seg_field)field);
	}
	return true;
}

static void read_set_flags(struct seg_set *set, uint32_t flags)
{
	set->interval = flags & NFT_SET_INTERVAL;
	set->timeout = flags & NFT_SET_TIMEOUT;
	set->dynamic = flags & NFT_SET_EVAL;
}

/* What the kernel goes by: the types are nft's alone. */
struct shape {
	uint32_t flags, type, key_len;
	uint32_t len[SEG_KEY_FIELDS + 1]; /* of the fields of a concatenation of intervals */
	unsigned lens;
};

static void read_concat(struct shape *shape, const struct nlattr *nest)
{
	const struct nlattr *field, *attr;

	seg_attr_each_nested(field, nest)
		seg_attr_each_nested(attr, field)
			if (seg_attr_type(attr) == NFTA_SET_FIELD_LEN && shape->lens <= SEG_KEY_FIELDS)
				shape->len[shape->lens++] = get_be32(attr);
}

static void read_set_desc(struct seg_set *set, struct shape *shape, const struct nlattr *nest)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, nest) {
		if (seg_attr_type(attr) == NFTA_SET_DESC_SIZE)
			set->size = get_be32(attr);
		else if (seg_attr_type(attr) == NFTA_SET_DESC_CONCAT)
			read_concat(shape, attr);
	}
}

/* Of all elements that come: ours count, and any other may end the rule that finds one. */
static void read_set_expr(struct seg_set *set, struct shape *shape, const struct nlattr *expr)
{
	const struct nlattr *attr;

	set->counter = true;
	seg_attr_each_nested(attr, expr)
		if (seg_attr_type(attr) == NFTA_EXPR_NAME && strcmp(mnl_attr_get_str(attr), "counter"))
			shape->type = FOREIGN_TYPE;
}

static bool is_ours(const struct seg_set *set, const struct shape *shape)
{
	const bool concat = set->interval && set->fields > 1;

	if (shape->key_len != seg_nft_key_len(set) || shape->lens != (concat ? set->fields : 0))
		return false;
	for (unsigned i = 0; i < shape->lens; i++)
		if (shape->len[i] != seg_field_len(set->field[i]))
			return false;
	return true;
}

static void read_set_attr(struct image *image, struct seg_set *set, const struct nlattr *attr,
			  struct shape *shape)
{
	switch (seg_attr_type(attr)) {
	case NFTA_SET_NAME:
		set->name = seg_arena_strdup(image->arena, mnl_attr_get_str(attr));
		break;
	case NFTA_SET_FLAGS:
		shape->flags = get_be32(attr);
		break;
	case NFTA_SET_KEY_TYPE:
		shape->type = get_be32(attr);
		break;
	case NFTA_SET_KEY_LEN:
		shape->key_len = get_be32(attr);
		break;
	case NFTA_SET_DATA_TYPE:
		set->data = get_be32(attr) == NFT_DATA_VERDICT ? SEG_DATA_VERDICT : SEG_DATA_MARK;
		if (set->data == SEG_DATA_MARK && get_be32(attr) != seg_nft_type_of(SEG_F_MARK))
			shape->type = FOREIGN_TYPE;
		break;
	case NFTA_SET_DESC:
		read_set_desc(set, shape, attr);
		break;
	case NFTA_SET_TIMEOUT:
		set->timeout_ms = be64toh(mnl_attr_get_u64(attr));
		break;
	case NFTA_SET_EXPR:
		read_set_expr(set, shape, attr);
		break;
	case NFTA_SET_EXPRESSIONS: /* more than one */
		shape->type = FOREIGN_TYPE;
		break;
	default:
		break;
	}
}

static void take_set(void *context, const struct nlmsghdr *nlh)
{
	struct image *image = context;
	struct seg_set *set;
	const struct nlattr *attr;
	struct shape shape = {0};

	if (!of_table(image, nlh, NFTA_SET_TABLE))
		return;
	set = SEG_NEW(image->arena, struct seg_set);
	seg_attr_each(attr, nlh, sizeof(struct nfgenmsg))
		read_set_attr(image, set, attr, &shape);
	/* An anonymous set is part of its rule, which is none of ours then. */
	if (!set->name || (shape.flags & NFT_SET_ANONYMOUS))
		return;
	read_set_flags(set, shape.flags);
	if (!read_fields(set, shape.type) || !is_ours(set, &shape))
		set->fields = 0;
	SEG_PUSH(image->arena, image->set, image->sets, image->sets_cap) = set;
	seg_map_add(&image->names.sets, image->arena, set->name, set, NULL);
}

/* -- rules ------------------------------------------------------------- */

static void keep_rule(struct image *image, struct nftnl_rule *rule, struct seg_chain *chain)
{
	if (image->rules == image->rules_cap) {
		image->rules_cap = image->rules_cap ? image->rules_cap * 2 : 64;
		image->rule = seg_nft_must(reallocarray(image->rule, image->rules_cap, sizeof(*image->rule)));
	}
	image->rule[image->rules++] = (struct image_rule){chain, rule};
	chain->rules++;
}

static void take_rule(void *context, const struct nlmsghdr *nlh)
{
	struct image *image = context;
	struct nftnl_rule *rule;
	struct seg_chain *chain = NULL;

	if (!of_table(image, nlh, NFTA_RULE_TABLE))
		return;
	rule = seg_nft_must(nftnl_rule_alloc());
	if (nftnl_rule_nlmsg_parse(nlh, rule) == 0)
		chain = (struct seg_chain *)seg_nft_names_chain(&image->names,
								nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
	if (chain) {
		keep_rule(image, rule, chain);
		return;
	}
	/* In a chain younger than the dump of the chains. */
	image->torn = true;
	nftnl_rule_free(rule);
}

/* The kernel gives a chain's rules in their order. */
static void decode_rules(struct image *image)
{
	for (size_t i = 0; i < image->chains; i++) {
		image->chain[i]->rule = SEG_NEW_N(image->arena, struct seg_rule, image->chain[i]->rules);
		image->chain[i]->rules = 0;
	}
	for (size_t i = 0; i < image->rules; i++) {
		struct seg_chain *chain = image->rule[i].chain;

		((struct seg_rule *)chain->rule)[chain->rules++] =
			seg_nft_decode_rule(image->rule[i].rule, &image->names, image->arena);
	}
}

/* -- names ------------------------------------------------------------- */

/* The number behind the last dot; 0: there is none. */
static uint32_t suffix_of(const char *name)
{
	const char *dot = strrchr(name, '.');
	uint64_t number = 0;

	if (!dot || !dot[1])
		return 0;
	for (const char *c = dot + 1; *c; c++) {
		if (!isdigit((unsigned char)*c) || number > UINT32_MAX)
			return 0;
		number = number * 10 + (uint64_t)(*c - '0');
	}
	return number <= UINT32_MAX ? (uint32_t)number : 0;
}

static uint32_t target_of(const struct seg_rule *rule)
{
	for (size_t i = 0; i < rule->stmts; i++)
		if (rule->stmt[i].kind == SEG_S_ACTION && rule->stmt[i].action.chain)
			return suffix_of(rule->stmt[i].action.chain->name);
	return 0;
}

/* Where the base chains lead; where nothing leads anywhere (they have been sealed), the one that was in force
 * when we last knew, or else the youngest there is. Names are anybody's to give. */
static uint32_t find_generation(const struct image *image)
{
	const uint32_t known = image->nft->generation;
	uint32_t youngest = 0;

	for (size_t i = 0; i < image->chains; i++) {
		const struct seg_chain *chain = image->chain[i];

		for (size_t j = 0; chain->hook != SEG_HOOK_NONE && j < chain->rules; j++)
			if (target_of(&chain->rule[j]))
				return target_of(&chain->rule[j]);
	}
	for (size_t i = 0; i < image->chains; i++) {
		if (known && suffix_of(image->chain[i]->name) == known)
			return known;
		if (suffix_of(image->chain[i]->name) > youngest)
			youngest = suffix_of(image->chain[i]->name);
	}
	for (size_t i = 0; i < image->sets; i++)
		if (suffix_of(image->set[i]->name) > youngest)
			youngest = suffix_of(image->set[i]->name);
	return youngest;
}

static const char *plan_name(struct image *image, const char *name, uint32_t generation, bool *kept)
{
	*kept = !generation || suffix_of(name) != generation;
	if (*kept)
		return name;
	return seg_arena_strndup(image->arena, name, (size_t)(strrchr(name, '.') - name));
}

static struct seg_plan *make_plan(struct image *image)
{
	struct seg_plan *plan = SEG_NEW(image->arena, struct seg_plan);

	plan->arena = image->arena;
	plan->generation = find_generation(image);
	for (size_t i = 0; i < image->chains; i++)
		image->chain[i]->name =
			plan_name(image, image->chain[i]->name, plan->generation, &image->chain[i]->kept);
	for (size_t i = 0; i < image->sets; i++)
		image->set[i]->name =
			plan_name(image, image->set[i]->name, plan->generation, &image->set[i]->kept);
	plan->chain = (const struct seg_chain *const *)image->chain;
	plan->chains = image->chains;
	plan->set = (const struct seg_set *const *)image->set;
	plan->sets = image->sets;
	return plan;
}

/* -- the whole --------------------------------------------------------- */

static int dump(struct image *image, uint16_t type, uint16_t table_attr, seg_netlink_fn take)
{
	struct seg_nft_question question;

	seg_nft_question_init(&question, type, true);
	mnl_attr_put_strz(question.nlh, table_attr, image->table);
	return seg_nft_ask(image->nft, &question, take, image);
}

/* The kernel counts its place among the chains of all tables: one of another table that goes hides one of
 * ours. */
static int dump_chains(struct image *image)
{
	struct seg_nft_mark mark;
	int ret = -EINTR;

	for (unsigned i = 0; i < CHAIN_TRIES && ret == -EINTR; i++) {
		image->names.chains = (struct seg_map){0};
		image->chains = 0;
		ret = seg_nft_mark(image->nft, &mark);
		if (ret == 0)
			ret = dump(image, NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE, take_chain);
		if (ret == -EINTR && seg_nft_keeps_chains(image->nft, &mark))
			ret = 0;
	}
	return ret;
}

/* Whether what changed meanwhile was ours is asked when all is read. */
static int unless_elsewhere(int ret)
{
	return ret == -EINTR ? 0 : ret;
}

static int dump_all_elems(struct image *image)
{
	int ret = 0;

	for (size_t i = 0; i < image->sets && ret == 0; i++) {
		struct seg_set *set = image->set[i];
		struct seg_elem *elem;

		if (set->dynamic || !set->fields)
			continue;
		ret = unless_elsewhere(seg_nft_dump_elems(image->nft, set, set->name, &image->names,
							  image->arena, &elem, &set->elems));
		if (ret == 0)
			set->elem = elem;
	}
	return ret;
}

static int dump_all(struct image *image)
{
	int ret = dump_chains(image);

	if (ret == 0)
		ret = unless_elsewhere(dump(image, NFT_MSG_GETSET, NFTA_SET_TABLE, take_set));
	if (ret == 0)
		ret = unless_elsewhere(dump(image, NFT_MSG_GETRULE, NFTA_RULE_TABLE, take_rule));
	if (ret == 0)
		ret = dump_all_elems(image);
	/* A set or the table went away while it was read. */
	if (ret == -ENOENT || (ret == 0 && image->torn))
		ret = -EINTR;
	return ret;
}

static int read_image(struct seg_nft *nft, const char *table, const struct seg_nft_mark *mark,
		      struct seg_plan **plan)
{
	struct image image = {.nft = nft, .table = table, .arena = seg_arena_new()};
	int ret = dump_all(&image);

	if (ret == 0)
		ret = seg_nft_holds(nft, mark) ? 0 : -EINTR;
	if (ret == 0)
		decode_rules(&image);
	for (size_t i = 0; i < image.rules; i++)
		nftnl_rule_free(image.rule[i].rule);
	free(image.rule);
	if (ret == 0)
		*plan = make_plan(&image);
	else
		seg_arena_free(image.arena);
	return ret;
}

/* mark: the state that all of the image is of. */
static int read_table(struct seg_nft *nft, const char *name, struct seg_plan **image,
		      struct seg_nft_mark *mark)
{
	struct seg_nft_table table;
	int ret = -EINTR;

	*image = NULL;
	for (unsigned i = 0; i < SEG_NFT_RETRIES && ret == -EINTR; i++) {
		ret = seg_nft_mark(nft, mark);
		if (ret == 0)
			ret = seg_nft_read_table(nft, name, &table);
		if (ret < 0 || !table.exists)
			return ret;
		ret = read_image(nft, name, mark, image);
	}
	if (ret == 0)
		(*image)->dormant = table.flags & NFT_TABLE_F_DORMANT;
	return ret;
}

int seg_nft_read_table_image(struct seg_nft *nft, const char *name, struct seg_plan **image)
{
	struct seg_nft_mark mark;

	return read_table(nft, name, image, &mark);
}

int seg_nft_read(struct seg_nft *nft, struct seg_plan **image)
{
	struct seg_nft_mark mark;
	int ret = read_table(nft, SEG_TABLE, image, &mark);

	if (ret == 0)
		nft->known = mark;
	if (*image)
		nft->generation = (*image)->generation;
	return ret;
}
