/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/plan.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>

#include "base/ranges.h"

/* Where the text goes, and what its names end with. */
struct printer {
	struct seg_strbuf *out;
	uint32_t generation;
};

/* -- values ------------------------------------------------------------ */

static uint32_t read_u32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static uint16_t read_u16(const uint8_t *bytes)
{
	uint16_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	default:
		return NULL;
	}
}

static const char *const fib_types[] = {"unspec",    "unicast",	  "local",	 "broadcast", "anycast",
					"multicast", "blackhole", "unreachable", "prohibit"};
static const char *const tcp_flags[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"};
static const char *const event_names[] = {"new",       "related", "destroy", "reply", "assured",
					  "protoinfo", "helper",  "mark",    "seqadj"};
/* By bit, as the kernel numbers them (NF_CT_STATE_BIT). */
static const char *const state_names[] = {"invalid", "established", "related", "new"};
/* IPS_*, linux/netfilter/nf_conntrack_common.h. */
static const char *const status_names[] = {"expected", "seen-reply", "assured", "confirmed", "snat", "dnat"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void print_bits(struct seg_strbuf *out, uint32_t bits, const char *const *name, size_t names,
		       const char *separator)
{
	const char *between = "";

	if (!bits || bits >> names) {
		seg_strbuf_printf(out, "0x%x", bits);
		return;
	}
	for (size_t i = 0; i < names; i++) {
		if (!(bits & 1u << i))
			continue;
		seg_strbuf_printf(out, "%s%s", between, name[i]);
		between = separator;
	}
}

static void print_addr(struct seg_strbuf *out, enum seg_family family, const uint8_t *bytes)
{
	char text[SEG_ADDR_STRLEN];

	seg_strbuf_add(out, seg_addr_format(seg_addr_from_bytes(family, bytes), text));
}

static void print_mac(struct seg_strbuf *out, const uint8_t *bytes)
{
	char text[SEG_MAC_STRLEN];

	seg_strbuf_add(out, seg_mac_format(bytes, text));
}

static void print_named(struct seg_strbuf *out, const char *name, uint32_t value)
{
	if (name)
		seg_strbuf_add(out, name);
	else
		seg_strbuf_printf(out, "%" PRIu32, value);
}

static void print_nfproto(struct seg_strbuf *out, uint8_t value)
{
	print_named(out, value == NFPROTO_IPV4 ? "ipv4" : value == NFPROTO_IPV6 ? "ipv6" : NULL, value);
}

static void print_ether_type(struct seg_strbuf *out, uint16_t value)
{
	print_named(out, value == ETHERTYPE_IP ? "ip" : value == ETHERTYPE_IPV6 ? "ip6" : NULL, value);
}

static void print_fib_type(struct seg_strbuf *out, uint32_t value)
{
	print_named(out, value < COUNT(fib_types) ? fib_types[value] : NULL, value);
}

/* Fields whose values nft knows by names: those that print_value() hands on. */
static void print_word(struct seg_strbuf *out, enum seg_field field, const uint8_t *bytes)
{
	switch (field) {
	case SEG_F_INET_PROTO:
		print_named(out, proto_name(bytes[0]), bytes[0]);
		break;
	case SEG_F_CT_DIR:
		seg_strbuf_add(out, bytes[0] ? "reply" : "original");
		break;
	case SEG_F_NFPROTO:
		print_nfproto(out, bytes[0]);
		break;
	case SEG_F_FIB_TYPE:
		print_fib_type(out, read_u32(bytes));
		break;
	case SEG_F_CT_STATE:
		print_bits(out, read_u32(bytes), state_names, COUNT(state_names), ",");
		break;
	case SEG_F_CT_STATUS:
		print_bits(out, read_u32(bytes), status_names, COUNT(status_names), ",");
		break;
	case SEG_F_TCP_FLAGS:
		print_bits(out, bytes[0], tcp_flags, COUNT(tcp_flags), "|");
		break;
	case SEG_F_IFACE_TYPE:
		print_named(out, read_u16(bytes) == ARPHRD_ETHER ? "ether" : NULL, read_u16(bytes));
		break;
	case SEG_F_ETHER_TYPE:
		print_ether_type(out, ntohs(read_u16(bytes)));
		break;
	default:
		break;
	}
}

static void print_value(struct seg_strbuf *out, enum seg_field field, const uint8_t *bytes)
{
	switch (field) {
	case SEG_F_IPV4_ADDR:
		print_addr(out, SEG_IPV4, bytes);
		break;
	case SEG_F_IPV6_ADDR:
		print_addr(out, SEG_IPV6, bytes);
		break;
	case SEG_F_ETHER_ADDR:
		print_mac(out, bytes);
		break;
	case SEG_F_INET_SERVICE:
		seg_strbuf_printf(out, "%u", ntohs(read_u16(bytes)));
		break;
	case SEG_F_ICMP_TYPE:
	case SEG_F_ICMPV6_TYPE:
	case SEG_F_INTEGER:
		seg_strbuf_printf(out, "%u", bytes[0]);
		break;
	case SEG_F_LENGTH:
		seg_strbuf_printf(out, "%" PRIu32, read_u32(bytes));
		break;
	case SEG_F_IFNAME:
		seg_strbuf_printf(out, "\"%.16s\"", (const char *)bytes);
		break;
	case SEG_F_MARK:
		seg_strbuf_printf(out, "0x%08" PRIx32, read_u32(bytes));
		break;
	case SEG_F_INET_PROTO:
	case SEG_F_CT_DIR:
	case SEG_F_NFPROTO:
	case SEG_F_FIB_TYPE:
	case SEG_F_CT_STATE:
	case SEG_F_CT_STATUS:
	case SEG_F_TCP_FLAGS:
	case SEG_F_IFACE_TYPE:
	case SEG_F_ETHER_TYPE:
		print_word(out, field, bytes);
		break;
	}
}

/* Only in numbers: names have no ranges. */
static void print_number(struct seg_strbuf *out, enum seg_field field, const uint8_t *bytes)
{
	if (seg_field_len(field) == 1)
		seg_strbuf_printf(out, "%u", bytes[0]);
	else
		print_value(out, field, bytes);
}

static void print_span(struct seg_strbuf *out, enum seg_field field, const uint8_t *lo, const uint8_t *hi)
{
	if (memcmp(lo, hi, seg_field_len(field)) == 0) {
		print_value(out, field, lo);
	} else if (field == SEG_F_IPV4_ADDR || field == SEG_F_IPV6_ADDR) {
		enum seg_family family = field == SEG_F_IPV4_ADDR ? SEG_IPV4 : SEG_IPV6;
		struct seg_range range = {seg_addr_from_bytes(family, lo), seg_addr_from_bytes(family, hi)};
		char text[SEG_RANGE_STRLEN];

		seg_strbuf_add(out, seg_range_format(range, text));
	} else {
		print_number(out, field, lo);
		seg_strbuf_addc(out, '-');
		print_number(out, field, hi);
	}
}

/* nft's way: 1d2h3m4s5ms. */
static void print_time(struct seg_strbuf *out, uint64_t ms)
{
	static const struct {
		uint64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

	for (size_t i = 0; i < COUNT(units); i++) {
		if (ms >= units[i].ms)
			seg_strbuf_printf(out, "%" PRIu64 "%s", ms / units[i].ms, units[i].unit);
		ms %= units[i].ms;
	}
}

static void print_set_name(struct printer *p, const struct seg_set *set)
{
	char name[SEG_NAME_MAX];

	seg_strbuf_add(p->out, seg_set_kernel_name(set, p->generation, name));
}

static void print_action(struct printer *p, const struct seg_action *action)
{
	static const char *const names[] = {
		[SEG_V_ACCEPT] = "accept", [SEG_V_DROP] = "drop", [SEG_V_RETURN] = "return",
		[SEG_V_JUMP] = "jump",	   [SEG_V_GOTO] = "goto",
	};
	char name[SEG_NAME_MAX];

	seg_strbuf_add(p->out, names[action->code]);
	if (action->chain)
		seg_strbuf_printf(p->out, " %s", seg_chain_kernel_name(action->chain, p->generation, name));
}

/* -- sets -------------------------------------------------------------- */

void seg_elem_print_key(const struct seg_set *set, const struct seg_elem *elem, struct seg_strbuf *out)
{
	const uint8_t *lo = elem->key, *hi = elem->end ? elem->end : elem->key;

	if (elem->catchall) {
		seg_strbuf_addc(out, '*');
		return;
	}
	for (unsigned i = 0; i < set->fields; i++) {
		if (i > 0)
			seg_strbuf_add(out, " . ");
		print_span(out, set->field[i], lo, hi);
		lo += seg_field_padded(set->field[i]);
		hi += seg_field_padded(set->field[i]);
	}
}

void seg_elem_print_data(const struct seg_set *set, const struct seg_elem *elem, uint32_t generation,
			 struct seg_strbuf *out)
{
	struct printer p = {out, generation};

	if (set->data == SEG_DATA_MARK)
		seg_strbuf_printf(out, "0x%08" PRIx32, elem->mark);
	else if (set->data == SEG_DATA_VERDICT)
		print_action(&p, &elem->action);
}

static void print_elem(struct printer *p, const struct seg_set *set, const struct seg_elem *elem)
{
	seg_elem_print_key(set, elem, p->out);
	if (set->counter)
		seg_strbuf_printf(p->out, " counter packets %" PRIu64 " bytes %" PRIu64, elem->packets,
				  elem->bytes);
	if (elem->timeout_ms) {
		seg_strbuf_add(p->out, " timeout ");
		print_time(p->out, elem->timeout_ms);
	}
	if (elem->comment)
		seg_strbuf_printf(p->out, " comment \"%s\"", elem->comment);
	if (set->data != SEG_DATA_NONE) {
		seg_strbuf_add(p->out, " : ");
		seg_elem_print_data(set, elem, p->generation, p->out);
	}
}

static void print_set_type(struct seg_strbuf *out, const struct seg_set *set)
{
	seg_strbuf_add(out, "\t\ttype ");
	for (unsigned i = 0; i < set->fields; i++)
		seg_strbuf_printf(out, "%s%s", i ? " . " : "", seg_field_name(set->field[i]));
	if (set->data == SEG_DATA_MARK)
		seg_strbuf_add(out, " : mark");
	else if (set->data == SEG_DATA_VERDICT)
		seg_strbuf_add(out, " : verdict");
	seg_strbuf_addc(out, '\n');
}

static void print_set_flags(struct seg_strbuf *out, const struct seg_set *set)
{
	const struct {
		bool on;
		const char *name;
	} flags[] = {{set->interval, "interval"}, {set->dynamic, "dynamic"}, {set->timeout, "timeout"}};
	const char *before = "\t\tflags ";

	for (size_t i = 0; i < COUNT(flags); i++) {
		if (!flags[i].on)
			continue;
		seg_strbuf_printf(out, "%s%s", before, flags[i].name);
		before = ",";
	}
	if (before[0] == ',')
		seg_strbuf_addc(out, '\n');
}

static void print_set(struct printer *p, const struct seg_set *set)
{
	seg_strbuf_add(p->out, set->data == SEG_DATA_NONE ? "\tset " : "\tmap ");
	print_set_name(p, set);
	seg_strbuf_add(p->out, " {\n");
	print_set_type(p->out, set);
	if (set->size)
		seg_strbuf_printf(p->out, "\t\tsize %" PRIu32 "\n", set->size);
	print_set_flags(p->out, set);
	if (set->counter)
		seg_strbuf_add(p->out, "\t\tcounter\n");
	if (set->timeout_ms) {
		seg_strbuf_add(p->out, "\t\ttimeout ");
		print_time(p->out, set->timeout_ms);
		seg_strbuf_addc(p->out, '\n');
	}
	for (size_t i = 0; !set->dynamic && i < set->elems; i++) {
		seg_strbuf_add(p->out, i ? ",\n\t\t\t     " : "\t\telements = { ");
		print_elem(p, set, &set->elem[i]);
	}
	if (!set->dynamic && set->elems)
		seg_strbuf_add(p->out, " }\n");
	seg_strbuf_add(p->out, "\t}\n");
}

/* -- rules ------------------------------------------------------------- */

static void print_loads(struct seg_strbuf *out, const struct seg_stmt *stmt)
{
	for (unsigned i = 0; i < stmt->loads; i++)
		seg_strbuf_printf(out, "%s%s", i ? " . " : "", seg_load_text(stmt->load[i]));
}

static bool all_zero(const uint8_t *bytes, unsigned len)
{
	while (len > 0)
		if (bytes[--len])
			return false;
	return true;
}

/* The prefix length of an address mask; -1 where it is none. */
static int mask_prefix(const struct seg_stmt *stmt)
{
	int bits = 0;
	uint8_t rest[sizeof(stmt->mask)];

	memcpy(rest, stmt->mask, sizeof(rest));
	while (bits < (int)stmt->mask_len * 8 && stmt->mask[bits / 8] & 0x80 >> bits % 8) {
		rest[bits / 8] = (uint8_t)(rest[bits / 8] & ~(0x80 >> bits % 8));
		bits++;
	}
	return all_zero(rest, stmt->mask_len) ? bits : -1;
}

static void print_masked(struct seg_strbuf *out, const struct seg_stmt *stmt, enum seg_field field)
{
	bool addr = field == SEG_F_IPV4_ADDR || field == SEG_F_IPV6_ADDR;

	if ((field == SEG_F_CT_STATE || field == SEG_F_CT_STATUS) && stmt->invert && all_zero(stmt->value, stmt->len)) {
		seg_strbuf_addc(out, ' ');
		print_value(out, field, stmt->mask);
		return;
	}
	if (addr && mask_prefix(stmt) >= 0) {
		seg_strbuf_add(out, stmt->invert ? " != " : " ");
		print_value(out, field, stmt->value);
		seg_strbuf_printf(out, "/%d", mask_prefix(stmt));
		return;
	}
	seg_strbuf_add(out, field == SEG_F_TCP_FLAGS ? " & (" : " & ");
	print_value(out, field, stmt->mask);
	seg_strbuf_add(out, field == SEG_F_TCP_FLAGS ? ")" : "");
	seg_strbuf_add(out, stmt->invert ? " != " : " == ");
	print_value(out, field, stmt->value);
}

static void print_cmp(struct seg_strbuf *out, const struct seg_stmt *stmt)
{
	enum seg_field field = seg_load_field(stmt->load[0]);

	print_loads(out, stmt);
	if (stmt->mask_len) {
		print_masked(out, stmt, field);
		return;
	}
	/* Without an operator nft would test bits. */
	if (field == SEG_F_TCP_FLAGS || field == SEG_F_CT_STATE || field == SEG_F_CT_STATUS)
		seg_strbuf_add(out, stmt->invert ? " != " : " == ");
	else
		seg_strbuf_add(out, stmt->invert ? " != " : " ");
	if (field == SEG_F_IFNAME && stmt->len < seg_field_len(field))
		seg_strbuf_printf(out, "\"%.*s*\"", (int)stmt->len, (const char *)stmt->value);
	else
		print_value(out, field, stmt->value);
}

static void print_limit(struct seg_strbuf *out, const struct seg_stmt *stmt)
{
	seg_strbuf_printf(out, "limit rate %" PRIu32 "/second burst %" PRIu32 " packets", stmt->rate,
			  stmt->burst);
}

static void print_add(struct printer *p, const struct seg_stmt *stmt)
{
	seg_strbuf_add(p->out, stmt->update ? "update @" : "add @");
	print_set_name(p, stmt->set);
	seg_strbuf_add(p->out, " { ");
	print_loads(p->out, stmt);
	if (stmt->kind == SEG_S_ADD_MARK)
		seg_strbuf_add(p->out, " : ct mark");
	else
		seg_strbuf_add(p->out, stmt->rate ? " " : " counter");
	if (stmt->rate)
		print_limit(p->out, stmt);
	seg_strbuf_add(p->out, " }");
}

static void print_log(struct seg_strbuf *out, const struct seg_stmt *stmt)
{
	seg_strbuf_add(out, "log");
	if (stmt->prefix)
		seg_strbuf_printf(out, " prefix \"%s\"", stmt->prefix);
	seg_strbuf_printf(out, " group %" PRIu32, stmt->number);
	if (stmt->snaplen)
		seg_strbuf_printf(out, " snaplen %" PRIu32, stmt->snaplen);
	if (stmt->threshold)
		seg_strbuf_printf(out, " queue-threshold %" PRIu32, stmt->threshold);
}

static void print_set_use(struct printer *p, const struct seg_stmt *stmt, const char *before)
{
	print_loads(p->out, stmt);
	seg_strbuf_add(p->out, before);
	print_set_name(p, stmt->set);
}

static void print_stmt(struct printer *p, const struct seg_stmt *stmt)
{
	switch (stmt->kind) {
	case SEG_S_CMP:
		print_cmp(p->out, stmt);
		break;
	case SEG_S_LOOKUP:
		print_set_use(p, stmt, stmt->invert ? " != @" : " @");
		break;
	case SEG_S_MAP_MARK:
		seg_strbuf_add(p->out, "ct mark set ");
		print_set_use(p, stmt, " map @");
		break;
	case SEG_S_VMAP:
		print_set_use(p, stmt, " vmap @");
		break;
	case SEG_S_SET_MARK:
		seg_strbuf_printf(p->out, "ct mark set 0x%08" PRIx32, stmt->number);
		break;
	case SEG_S_SET_EVENTS:
		seg_strbuf_add(p->out, "ct event set ");
		print_bits(p->out, stmt->number, event_names, COUNT(event_names), ",");
		break;
	case SEG_S_COUNTER:
		seg_strbuf_add(p->out, "counter");
		break;
	case SEG_S_ADD:
	case SEG_S_ADD_MARK:
		print_add(p, stmt);
		break;
	case SEG_S_LIMIT:
		print_limit(p->out, stmt);
		break;
	case SEG_S_LOG:
		print_log(p->out, stmt);
		break;
	case SEG_S_REJECT:
		seg_strbuf_add(p->out,
			       stmt->reset ? "reject with tcp reset" : "reject with icmpx admin-prohibited");
		break;
	case SEG_S_ACTION:
		print_action(p, &stmt->action);
		break;
	}
}

void seg_rule_print(const struct seg_rule *rule, uint32_t generation, struct seg_strbuf *out)
{
	struct printer p = {out, generation};

	for (size_t i = 0; i < rule->stmts; i++) {
		if (i > 0)
			seg_strbuf_addc(out, ' ');
		print_stmt(&p, &rule->stmt[i]);
	}
	if (rule->comment)
		seg_strbuf_printf(out, "%scomment \"%s\"", rule->stmts ? " " : "", rule->comment);
}

static void print_chain(struct printer *p, const struct seg_chain *chain)
{
	static const char *const hooks[] = {[SEG_HOOK_INPUT] = "input",
					    [SEG_HOOK_FORWARD] = "forward",
					    [SEG_HOOK_OUTPUT] = "output",
					    [SEG_HOOK_PREROUTING] = "prerouting"};
	char name[SEG_NAME_MAX];

	seg_strbuf_printf(p->out, "\tchain %s {\n", seg_chain_kernel_name(chain, p->generation, name));
	if (chain->hook != SEG_HOOK_NONE)
		seg_strbuf_printf(p->out, "\t\ttype filter hook %s priority %d; policy %s;\n",
				  hooks[chain->hook], chain->priority,
				  chain->policy_drop ? "drop" : "accept");
	for (size_t i = 0; i < chain->rules; i++) {
		seg_strbuf_add(p->out, "\t\t");
		seg_rule_print(&chain->rule[i], p->generation, p->out);
		seg_strbuf_addc(p->out, '\n');
	}
	seg_strbuf_add(p->out, "\t}\n");
}

void seg_plan_print(const struct seg_plan *plan, struct seg_strbuf *out)
{
	struct printer p = {out, plan->generation};
	const char *between = "";

	seg_strbuf_add(out, "table inet " SEG_TABLE " {\n");
	for (size_t i = 0; i < plan->sets; i++, between = "\n") {
		seg_strbuf_add(out, between);
		print_set(&p, plan->set[i]);
	}
	for (size_t i = 0; i < plan->chains; i++, between = "\n") {
		seg_strbuf_add(out, between);
		print_chain(&p, plan->chain[i]);
	}
	seg_strbuf_add(out, "}\n");
}
