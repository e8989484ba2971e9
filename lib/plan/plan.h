/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_PLAN_PLAN_H
#define SEG_PLAN_PLAN_H

/*
 * The kernel objects that make a policy true, as pure data: the table
 * "inet segd" with its sets, maps, chains and rules.
 *
 * plan/build.c makes it from a policy; plan/diff.c says what leads from one to
 * another; daemon/kernel/ encodes it for nf_tables and reads it back; plan/print.c
 * writes it as nft text (golden tests, segctl). Immutable once built; one arena.
 *
 * Kept objects live as long as the table and change element by element: base
 * chains, the hash sets. The others belong to a generation: their name in the
 * kernel is "name.GENERATION", and a change of structure makes new ones beside
 * the old and then switches over (HACKING.md, "Changing rules under traffic").
 *
 * Keys are bytes in the kernel's layout for concatenations: each field in network
 * byte order (mark and ct_dir: host order, as nf_tables keeps them; ifname: 16
 * bytes, NUL padded), padded to a multiple of 4 bytes.
 */

#include "policy/policy.h"

enum seg_field {
	SEG_F_IPV4_ADDR,    /* ip saddr / ip daddr, 4 bytes */
	SEG_F_IPV6_ADDR,    /* 16 */
	SEG_F_INET_PROTO,   /* meta l4proto, 1 */
	SEG_F_INET_SERVICE, /* th sport / dport, 2 */
	SEG_F_ICMP_TYPE,    /* 1 */
	SEG_F_ICMPV6_TYPE,  /* 1 */
	SEG_F_ETHER_ADDR,   /* 6 */
	SEG_F_IFNAME,	    /* 16 */
	SEG_F_MARK,	    /* ct mark, 4, host order */
	SEG_F_CT_DIR,	    /* 1: 0 original, 1 reply */
	SEG_F_NFPROTO,	    /* 1 */
	SEG_F_FIB_TYPE,	    /* fib ... type, 4, host order: RTN_* */
	/* Compared, never a key of a set: */
	SEG_F_CT_STATE,	  /* 4, host order, bit mask */
	SEG_F_CT_STATUS,  /* 4, host order, bit mask */
	SEG_F_TCP_FLAGS,  /* 1, bit mask */
	SEG_F_INTEGER,	  /* 1 */
	SEG_F_LENGTH,	  /* 4, host order */
	SEG_F_IFACE_TYPE, /* 2, host order: ARPHRD_* */
	SEG_F_ETHER_TYPE  /* 2: ETH_P_* */
};
#define SEG_KEY_FIELDS 5
#define SEG_KEY_MAX 64

/* What a rule loads from the packet: the right-hand sides nft would write. */
enum seg_load {
	SEG_L_IP_SADDR,
	SEG_L_IP_DADDR,
	SEG_L_IP6_SADDR,
	SEG_L_IP6_DADDR,
	SEG_L_L4PROTO,
	SEG_L_TH_SPORT,
	SEG_L_TH_DPORT,
	SEG_L_ICMP_TYPE,
	SEG_L_ICMPV6_TYPE,
	SEG_L_ETHER_SADDR,
	SEG_L_IIFNAME,
	SEG_L_OIFNAME,
	SEG_L_CT_MARK,
	SEG_L_CT_DIRECTION,
	SEG_L_NFPROTO,
	SEG_L_FIB_SADDR_TYPE,	  /* fib saddr type */
	SEG_L_FIB_DADDR_TYPE,	  /* fib daddr type */
	SEG_L_FIB_DADDR_IIF_TYPE, /* fib daddr . iif type */
	SEG_L_CT_STATE,		  /* 4, host order, bit mask */
	SEG_L_CT_STATUS,	  /* 4, host order, bit mask: IPS_* */
	SEG_L_TCP_FLAGS,	  /* 1 */
	SEG_L_IP_TTL,
	SEG_L_IP6_HOPLIMIT, /* 1 */
	SEG_L_LENGTH,	    /* meta length, 4 */
	SEG_L_OIFTYPE,	    /* 2, host order: ARPHRD_*; none before the way out is known */
	/* Only as what other loads depend on (plan/rule.h): */
	SEG_L_IIFTYPE,	 /* 2, host order */
	SEG_L_ETHER_TYPE /* 2 */
};

enum seg_verdict_code { SEG_V_ACCEPT, SEG_V_DROP, SEG_V_RETURN, SEG_V_JUMP, SEG_V_GOTO };
struct seg_action {
	enum seg_verdict_code code;
	const struct seg_chain *chain; /* jump, goto */
};

struct seg_elem {
	const uint8_t *key;      /* set->key_len bytes */
	const uint8_t *end;      /* interval sets: the last key included; NULL: equal to key */
	uint32_t mark;           /* maps to mark: the number */
	bool catchall;           /* only in an image: somebody's "*", which no plan has; key is zero */
	struct seg_action action; /* maps to verdict */
	const char *comment;     /* the permit's id; NULL. No quote or control character, < 128 bytes */
	uint64_t timeout_ms;     /* 0: for ever */
	uint64_t packets, bytes; /* as read from the kernel; initial values otherwise */
	const struct seg_place *place; /* for the kernel's complaints; NULL */
};

enum seg_set_data { SEG_DATA_NONE, SEG_DATA_MARK, SEG_DATA_VERDICT };

struct seg_set {
	const char *name;
	bool kept;
	enum seg_field field[SEG_KEY_FIELDS];
	unsigned fields;
	unsigned key_len;        /* sum of padded fields */
	enum seg_set_data data;
	bool interval;           /* one field: interval tree; several: concatenated intervals */
	bool timeout;
	bool dynamic;            /* filled by packets: elements are not the plan's and never compared */
	bool counter;            /* every element carries a counter */
	bool numbered;           /* made from numbers, that each stand for one id: comments need no comparing */
	uint32_t size;           /* 0: no bound */
	uint64_t timeout_ms;     /* default for elements added by packets */
	const struct seg_elem *elem;
	size_t elems;
};

/* One statement of a rule. */
enum seg_stmt_kind {
	SEG_S_CMP,        /* load[0] ==/!= value (len bytes; ifname prefix: len < 16), after & mask where mask_len */
	SEG_S_LOOKUP,     /* load[] in (or not in: invert) set */
	SEG_S_MAP_MARK,   /* ct mark set load[] map @set */
	SEG_S_VMAP,       /* load[] vmap @set */
	SEG_S_SET_MARK,   /* ct mark set number */
	SEG_S_SET_EVENTS, /* ct event set mask */
	SEG_S_COUNTER,    /* anonymous counter */
	SEG_S_ADD,        /* add @set { load[] counter } or with rate: { load[] limit rate R/second burst B packets } */
	SEG_S_ADD_MARK,   /* add @map { load[] : ct mark } */
	SEG_S_LIMIT,      /* limit rate R/second burst B packets */
	SEG_S_LOG,        /* log group G prefix "..." queue-threshold Q snaplen S */
	SEG_S_REJECT,     /* tcp reset where tcp, else icmpx admin-prohibited */
	SEG_S_ACTION
};
struct seg_stmt {
	enum seg_stmt_kind kind;
	enum seg_load load[SEG_KEY_FIELDS];
	unsigned loads;
	bool invert;              /* CMP, LOOKUP: not */
	uint8_t value[16], mask[16];
	unsigned len, mask_len;
	const struct seg_set *set;
	uint32_t number;          /* SET_MARK, SET_EVENTS, LOG: group */
	uint32_t rate, burst;     /* LIMIT, ADD */
	uint32_t threshold, snaplen; /* LOG */
	bool reset;               /* REJECT: tcp reset */
	bool update;              /* ADD: refresh the element's timeout (nft "update") */
	const char *prefix;       /* LOG */
	struct seg_action action; /* ACTION */
};
struct seg_rule {
	const struct seg_stmt *stmt;
	size_t stmts;
	const char *comment;      /* NULL */
	const struct seg_place *place;
};

enum seg_hook { SEG_HOOK_NONE, SEG_HOOK_INPUT, SEG_HOOK_FORWARD, SEG_HOOK_OUTPUT, SEG_HOOK_PREROUTING };
struct seg_chain {
	const char *name;
	bool kept;                /* base chains */
	enum seg_hook hook;
	int priority;
	bool policy_drop;         /* base chains: what an empty chain means */
	const struct seg_rule *rule;
	size_t rules;
};

/*
 * The number a permit (or a part of it, or a zone's intra) is known by in the conntrack mark. Each pair of
 * zones of a permit has its own: a packet of an open flow is known by number and interface, and a zone that
 * the permit names as well must not speak for another.
 */
#define SEG_NUMBER_INTRA 0x40000000u /* set: traffic inside one zone, sends no events */
struct seg_number {
	uint32_t number;
	const struct seg_permit *permit; /* NULL: intra of zone */
	const struct seg_zone *zone;
	unsigned pair;                   /* which of a permit's pairs of zones: from * n_to + to */
	bool bound;                      /* the part whose sources are matched with their MAC */
};

struct seg_plan {
	struct seg_arena *arena;
	uint32_t generation;
	time_t at;                            /* when its elements' timeouts began to run; 0: just now */
	time_t first_end;                     /* when the first of them ends by its timeout; 0: none does */
	const struct seg_set *const *set;     /* in the order of creation; names unique */
	size_t sets;
	const struct seg_chain *const *chain; /* in an order in which targets precede their users */
	size_t chains;
	const struct seg_number *number;      /* sorted by number */
	size_t numbers;
	bool dormant;                         /* as read: somebody has put the table to sleep, none of it is in force */
};

#define SEG_TABLE "segd"
#define SEG_KEEPER_TABLE "segd_keeper"
#define SEG_NFLOG_DENIED 5350  /* groups, plus an offset of none: one daemon a namespace */
#define SEG_NFLOG_SPOOFED 5351

void seg_plan_free(struct seg_plan *plan); /* NULL allowed */
const struct seg_set *seg_plan_set(const struct seg_plan *plan, const char *name);       /* NULL */
const struct seg_chain *seg_plan_chain(const struct seg_plan *plan, const char *name);   /* NULL */
const struct seg_number *seg_plan_number(const struct seg_plan *plan, uint32_t number);  /* NULL */
/* The pair of zones that a permit's number stands for. */
const struct seg_side *seg_number_from(const struct seg_number *number);
const struct seg_side *seg_number_to(const struct seg_number *number);

/* Field and load properties shared by the printer, the encoder and the reader. */
unsigned seg_field_len(enum seg_field field);    /* bytes, unpadded */
unsigned seg_field_padded(enum seg_field field); /* what it takes in a concatenated key */
const char *seg_field_name(enum seg_field field); /* nft's type name: "ipv4_addr" */
enum seg_field seg_load_field(enum seg_load load);
const char *seg_load_text(enum seg_load load); /* "ip saddr", "meta l4proto", "th dport" */

/* The names in the kernel: "name", or "name.GENERATION" where it is not kept. Return buf. */
#define SEG_NAME_MAX 256 /* NFT_NAME_MAXLEN */
const char *seg_set_kernel_name(const struct seg_set *set, uint32_t generation, char buf[static SEG_NAME_MAX]);
const char *seg_chain_kernel_name(const struct seg_chain *chain, uint32_t generation,
				  char buf[static SEG_NAME_MAX]);

/* nft text of the whole table, readable by `nft -c -f`. */
void seg_plan_print(const struct seg_plan *plan, struct seg_strbuf *out);
/* One rule, or one element's key: "10.2.1.0/25 . 10.4.0.4 . tcp . 400-443". */
void seg_rule_print(const struct seg_rule *rule, uint32_t generation, struct seg_strbuf *out);
void seg_elem_print_key(const struct seg_set *set, const struct seg_elem *elem, struct seg_strbuf *out);
/* What a map gives for it: "0x00000009", "jump at-mn.3"; nothing for sets. */
void seg_elem_print_data(const struct seg_set *set, const struct seg_elem *elem, uint32_t generation,
			 struct seg_strbuf *out);

#endif
