/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <libnftnl/expr.h>
#include <libnftnl/udata.h>
#include <string.h>

/*
 * The encoder's way back: expressions are followed one by one, loads wait until an expression uses
 * them, and whatever the encoder would not have written ends it.
 */
struct decoder {
	const struct seg_nft_names *names;
	struct seg_arena *arena;
	struct seg_stmt *stmt;
	size_t n, cap;
	enum seg_load load[SEG_KEY_FIELDS]; /* waiting, in consecutive registers */
	unsigned loads, words;
	struct seg_stmt mask;	    /* a bitwise that waits for its cmp; mask_len 0: none */
	uint32_t number;	    /* an immediate that waits for its ct */
	bool has_number, map_waits; /* map_waits: the last statement is a lookup into register 1 */
	int proto;
};

static uint32_t u32(const struct nftnl_expr *expr, uint16_t attr)
{
	return nftnl_expr_is_set(expr, attr) ? nftnl_expr_get_u32(expr, attr) : 0;
}

static struct seg_stmt *add(struct decoder *d, enum seg_stmt_kind kind)
{
	struct seg_stmt *stmt = &SEG_PUSH(d->arena, d->stmt, d->n, d->cap);

	*stmt = (struct seg_stmt){.kind = kind};
	return stmt;
}

/* Nothing waits to be used. */
static bool idle(const struct decoder *d)
{
	return !d->loads && !d->mask.mask_len && !d->has_number && !d->map_waits;
}

static void take_loads(struct decoder *d, struct seg_stmt *stmt)
{
	memcpy(stmt->load, d->load, sizeof(d->load));
	stmt->loads = d->loads;
	d->loads = d->words = 0;
}

static bool take_load(struct decoder *d, const struct seg_nft_source *source, unsigned len, uint32_t reg)
{
	int load = seg_nft_load_of(source, len);

	if (load < 0 || d->loads == SEG_KEY_FIELDS || reg != seg_nft_register_at(d->words))
		return false;
	if (d->mask.mask_len || d->has_number || d->map_waits)
		return false;
	if (load == SEG_L_ICMP_TYPE && d->proto == IPPROTO_ICMPV6)
		load = SEG_L_ICMPV6_TYPE;
	d->load[d->loads++] = (enum seg_load)load;
	d->words += seg_field_padded(seg_load_field((enum seg_load)load)) / 4;
	return true;
}

static bool decode_payload(struct decoder *d, const struct nftnl_expr *expr)
{
	struct seg_nft_source source = {
		.from = SEG_FROM_PAYLOAD,
		.key = u32(expr, NFTNL_EXPR_PAYLOAD_BASE),
		.offset = u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET),
	};

	return !nftnl_expr_is_set(expr, NFTNL_EXPR_PAYLOAD_SREG) &&
	       take_load(d, &source, u32(expr, NFTNL_EXPR_PAYLOAD_LEN), u32(expr, NFTNL_EXPR_PAYLOAD_DREG));
}

static bool decode_meta(struct decoder *d, const struct nftnl_expr *expr)
{
	struct seg_nft_source source = {.from = SEG_FROM_META, .key = u32(expr, NFTNL_EXPR_META_KEY)};

	return !nftnl_expr_is_set(expr, NFTNL_EXPR_META_SREG) &&
	       take_load(d, &source, 0, u32(expr, NFTNL_EXPR_META_DREG));
}

static bool decode_fib(struct decoder *d, const struct nftnl_expr *expr)
{
	struct seg_nft_source source = {.from = SEG_FROM_FIB, .key = u32(expr, NFTNL_EXPR_FIB_FLAGS)};

	return u32(expr, NFTNL_EXPR_FIB_RESULT) == NFT_FIB_RESULT_ADDRTYPE &&
	       take_load(d, &source, 0, u32(expr, NFTNL_EXPR_FIB_DREG));
}

static bool decode_ct_set(struct decoder *d, const struct nftnl_expr *expr)
{
	uint32_t key = u32(expr, NFTNL_EXPR_CT_KEY);
	struct seg_stmt *stmt;

	if (u32(expr, NFTNL_EXPR_CT_SREG) != NFT_REG_1 || (key != NFT_CT_MARK && key != NFT_CT_EVENTMASK))
		return false;
	if (d->map_waits) {
		d->stmt[d->n - 1].kind = SEG_S_MAP_MARK;
		d->map_waits = false;
		return key == NFT_CT_MARK;
	}
	if (!d->has_number)
		return false;
	stmt = add(d, key == NFT_CT_MARK ? SEG_S_SET_MARK : SEG_S_SET_EVENTS);
	stmt->number = d->number;
	d->has_number = false;
	return true;
}

static bool decode_ct(struct decoder *d, const struct nftnl_expr *expr)
{
	struct seg_nft_source source = {.from = SEG_FROM_CT, .key = u32(expr, NFTNL_EXPR_CT_KEY)};

	if (nftnl_expr_is_set(expr, NFTNL_EXPR_CT_SREG))
		return decode_ct_set(d, expr);
	return !nftnl_expr_is_set(expr, NFTNL_EXPR_CT_DIR) &&
	       take_load(d, &source, 0, u32(expr, NFTNL_EXPR_CT_DREG));
}

static bool copy_data(const struct nftnl_expr *expr, uint16_t attr, uint8_t to[static 16], unsigned *len)
{
	const void *data = nftnl_expr_get(expr, attr, len);

	if (!data || *len > 16)
		return false;
	memcpy(to, data, *len);
	return true;
}

static bool decode_bitwise(struct decoder *d, const struct nftnl_expr *expr)
{
	static const uint8_t zero[16];
	uint8_t xor [16];
	unsigned len;

	if (d->loads != 1 || d->mask.mask_len || u32(expr, NFTNL_EXPR_BITWISE_OP) != NFT_BITWISE_BOOL ||
	    u32(expr, NFTNL_EXPR_BITWISE_SREG) != NFT_REG_1 ||
	    u32(expr, NFTNL_EXPR_BITWISE_DREG) != NFT_REG_1)
		return false;
	return copy_data(expr, NFTNL_EXPR_BITWISE_MASK, d->mask.mask, &d->mask.mask_len) &&
	       copy_data(expr, NFTNL_EXPR_BITWISE_XOR, xor, &len) && memcmp(xor, zero, len) == 0;
}

static bool decode_cmp(struct decoder *d, const struct nftnl_expr *expr)
{
	uint32_t op = u32(expr, NFTNL_EXPR_CMP_OP);
	struct seg_stmt *stmt;

	if (d->loads != 1 || d->has_number || d->map_waits || u32(expr, NFTNL_EXPR_CMP_SREG) != NFT_REG_1 ||
	    (op != NFT_CMP_EQ && op != NFT_CMP_NEQ))
		return false;
	stmt = add(d, SEG_S_CMP);
	memcpy(stmt->mask, d->mask.mask, sizeof(stmt->mask));
	stmt->mask_len = d->mask.mask_len;
	d->mask.mask_len = 0;
	take_loads(d, stmt);
	stmt->invert = op == NFT_CMP_NEQ;
	if (!copy_data(expr, NFTNL_EXPR_CMP_DATA, stmt->value, &stmt->len))
		return false;
	if (stmt->load[0] == SEG_L_L4PROTO && !stmt->invert && !stmt->mask_len)
		d->proto = stmt->value[0];
	return true;
}

static bool decode_lookup(struct decoder *d, const struct nftnl_expr *expr)
{
	const struct seg_set *set =
		seg_nft_names_set(d->names, nftnl_expr_get_str(expr, NFTNL_EXPR_LOOKUP_SET));
	struct seg_stmt *stmt;

	if (!set || !d->loads || d->mask.mask_len || u32(expr, NFTNL_EXPR_LOOKUP_SREG) != NFT_REG_1)
		return false;
	stmt = add(d, SEG_S_LOOKUP);
	stmt->set = set;
	take_loads(d, stmt);
	stmt->invert = u32(expr, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV;
	if (!nftnl_expr_is_set(expr, NFTNL_EXPR_LOOKUP_DREG))
		return true;
	if (u32(expr, NFTNL_EXPR_LOOKUP_DREG) == NFT_REG_VERDICT)
		stmt->kind = SEG_S_VMAP;
	else
		d->map_waits = u32(expr, NFTNL_EXPR_LOOKUP_DREG) == NFT_REG_1;
	return !stmt->invert && (stmt->kind == SEG_S_VMAP || d->map_waits);
}

static bool decode_limit_of(struct seg_stmt *stmt, const struct nftnl_expr *expr)
{
	stmt->rate = (uint32_t)nftnl_expr_get_u64(expr, NFTNL_EXPR_LIMIT_RATE);
	stmt->burst = u32(expr, NFTNL_EXPR_LIMIT_BURST);
	return nftnl_expr_get_u64(expr, NFTNL_EXPR_LIMIT_UNIT) == 1 &&
	       u32(expr, NFTNL_EXPR_LIMIT_TYPE) == NFT_LIMIT_PKTS && u32(expr, NFTNL_EXPR_LIMIT_FLAGS) == 0;
}

static bool decode_limit(struct decoder *d, const struct nftnl_expr *expr)
{
	return idle(d) && decode_limit_of(add(d, SEG_S_LIMIT), expr);
}

static bool decode_counter(struct decoder *d, const struct nftnl_expr *expr)
{
	(void)expr;
	if (!idle(d))
		return false;
	add(d, SEG_S_COUNTER);
	return true;
}

static bool is_named(const struct nftnl_expr *expr, const char *name)
{
	return strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), name) == 0;
}

/* The last load is the data, in the register behind the key's. */
static bool decode_add_mark(struct seg_stmt *stmt, const struct nftnl_expr *expr)
{
	unsigned word = 0;

	stmt->kind = SEG_S_ADD_MARK;
	stmt->loads--;
	for (unsigned i = 0; i < stmt->loads; i++)
		word += seg_field_padded(seg_load_field(stmt->load[i])) / 4;
	return stmt->loads && stmt->load[stmt->loads] == SEG_L_CT_MARK && stmt->set->data == SEG_DATA_MARK &&
	       u32(expr, NFTNL_EXPR_DYNSET_SREG_DATA) == seg_nft_register_at(word) &&
	       u32(expr, NFTNL_EXPR_DYNSET_OP) == NFT_DYNSET_OP_ADD &&
	       !nftnl_expr_is_set(expr, NFTNL_EXPR_DYNSET_EXPR) &&
	       !nftnl_expr_is_set(expr, NFTNL_EXPR_DYNSET_EXPRESSIONS);
}

static bool decode_dynset(struct decoder *d, const struct nftnl_expr *expr)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_DYNSET_SET_NAME);
	const struct seg_set *set = seg_nft_names_set(d->names, name);
	const struct nftnl_expr *each;
	struct seg_stmt *stmt;
	uint32_t len;

	if (!set || !d->loads || d->mask.mask_len || u32(expr, NFTNL_EXPR_DYNSET_SREG_KEY) != NFT_REG_1 ||
	    (nftnl_expr_is_set(expr, NFTNL_EXPR_DYNSET_TIMEOUT) &&
	     nftnl_expr_get_u64(expr, NFTNL_EXPR_DYNSET_TIMEOUT)))
		return false;
	stmt = add(d, SEG_S_ADD);
	stmt->set = set;
	take_loads(d, stmt);
	if (nftnl_expr_is_set(expr, NFTNL_EXPR_DYNSET_SREG_DATA))
		return decode_add_mark(stmt, expr);
	if (!nftnl_expr_is_set(expr, NFTNL_EXPR_DYNSET_EXPR))
		return false;
	stmt->update = u32(expr, NFTNL_EXPR_DYNSET_OP) == NFT_DYNSET_OP_UPDATE;
	each = nftnl_expr_get(expr, NFTNL_EXPR_DYNSET_EXPR, &len);
	if (is_named(each, "limit"))
		return decode_limit_of(stmt, each);
	return is_named(each, "counter") && u32(expr, NFTNL_EXPR_DYNSET_OP) != NFT_DYNSET_OP_DELETE;
}

static bool decode_log(struct decoder *d, const struct nftnl_expr *expr)
{
	struct seg_stmt *stmt;

	if (!idle(d) || !nftnl_expr_is_set(expr, NFTNL_EXPR_LOG_GROUP))
		return false;
	stmt = add(d, SEG_S_LOG);
	stmt->number = nftnl_expr_get_u16(expr, NFTNL_EXPR_LOG_GROUP);
	stmt->snaplen = u32(expr, NFTNL_EXPR_LOG_SNAPLEN);
	if (nftnl_expr_is_set(expr, NFTNL_EXPR_LOG_QTHRESHOLD))
		stmt->threshold = nftnl_expr_get_u16(expr, NFTNL_EXPR_LOG_QTHRESHOLD);
	if (nftnl_expr_is_set(expr, NFTNL_EXPR_LOG_PREFIX))
		stmt->prefix = seg_arena_strdup(d->arena, nftnl_expr_get_str(expr, NFTNL_EXPR_LOG_PREFIX));
	return true;
}

static bool decode_reject(struct decoder *d, const struct nftnl_expr *expr)
{
	uint32_t type = u32(expr, NFTNL_EXPR_REJECT_TYPE);

	if (!idle(d))
		return false;
	add(d, SEG_S_REJECT)->reset = type == NFT_REJECT_TCP_RST;
	return type == NFT_REJECT_TCP_RST ||
	       (type == NFT_REJECT_ICMPX_UNREACH &&
		nftnl_expr_get_u8(expr, NFTNL_EXPR_REJECT_CODE) == NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
}

static bool decode_immediate(struct decoder *d, const struct nftnl_expr *expr)
{
	const char *chain = NULL;
	const void *data;
	uint32_t len;

	if (!idle(d))
		return false;
	if (u32(expr, NFTNL_EXPR_IMM_DREG) == NFT_REG_VERDICT) {
		if (nftnl_expr_is_set(expr, NFTNL_EXPR_IMM_CHAIN))
			chain = nftnl_expr_get_str(expr, NFTNL_EXPR_IMM_CHAIN);
		return seg_nft_decode_action((int)u32(expr, NFTNL_EXPR_IMM_VERDICT), chain, d->names,
					     &add(d, SEG_S_ACTION)->action);
	}
	data = nftnl_expr_get(expr, NFTNL_EXPR_IMM_DATA, &len);
	if (u32(expr, NFTNL_EXPR_IMM_DREG) != NFT_REG_1 || !data || len != sizeof(d->number))
		return false;
	memcpy(&d->number, data, len);
	d->has_number = true;
	return true;
}

bool seg_nft_decode_action(int verdict, const char *chain, const struct seg_nft_names *names,
			   struct seg_action *action)
{
	int code = seg_nft_code_of(verdict);

	if (code < 0)
		return false;
	action->code = (enum seg_verdict_code)code;
	action->chain = chain ? seg_nft_names_chain(names, chain) : NULL;
	return (code == SEG_V_JUMP || code == SEG_V_GOTO) == (action->chain != NULL);
}

static int decode_expr(struct nftnl_expr *expr, void *context)
{
	static const struct {
		const char *name;
		bool (*decode)(struct decoder *d, const struct nftnl_expr *expr);
	} known[] = {
		{"payload", decode_payload}, {"meta", decode_meta},
		{"ct", decode_ct},	     {"fib", decode_fib},
		{"cmp", decode_cmp},	     {"bitwise", decode_bitwise},
		{"lookup", decode_lookup},   {"immediate", decode_immediate},
		{"counter", decode_counter}, {"limit", decode_limit},
		{"dynset", decode_dynset},   {"log", decode_log},
		{"reject", decode_reject},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (is_named(expr, known[i].name))
			return known[i].decode(context, expr) ? 0 : -1;
	return -1;
}

const char *seg_nft_decode_comment(const void *data, size_t len, struct seg_arena *arena)
{
	const uint8_t *at = data, *end = at + len;

	/* type, length, value: type 0 is the comment of rules and of elements alike */
	while (end - at >= 2 && end - at - 2 >= at[1]) {
		if (at[0] == NFTNL_UDATA_RULE_COMMENT)
			return seg_arena_strndup(arena, (const char *)at + 2,
						 strnlen((const char *)at + 2, at[1]));
		at += 2 + at[1];
	}
	return NULL;
}

/* What the kernel says of a rule that is none of ours, on one line. */
static const char *foreign_text(const struct nftnl_rule *from, struct seg_arena *arena)
{
	char text[1024] = "";

	nftnl_rule_snprintf(text, sizeof(text), from, NFTNL_OUTPUT_DEFAULT, 0);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == '"')
			*c = ' ';
	return seg_arena_strdup(arena, text);
}

struct seg_rule seg_nft_decode_rule(const struct nftnl_rule *from, const struct seg_nft_names *names,
				    struct seg_arena *arena)
{
	struct decoder d = {.names = names, .arena = arena, .proto = -1};
	struct seg_rule rule = {0};
	const void *userdata;
	uint32_t len = 0;

	if (nftnl_expr_foreach((struct nftnl_rule *)from, decode_expr, &d) < 0 || !idle(&d)) {
		rule.comment = foreign_text(from, arena);
		return rule;
	}
	rule.stmt = d.stmt;
	rule.stmts = d.n;
	userdata = nftnl_rule_get_data(from, NFTNL_RULE_USERDATA, &len);
	if (userdata)
		rule.comment = seg_nft_decode_comment(userdata, len, arena);
	return rule;
}
