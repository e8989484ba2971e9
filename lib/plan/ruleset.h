/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_PLAN_RULESET_H
#define SEG_PLAN_RULESET_H

/*
 * Private to lib/plan: what the files that write one ruleset share.
 *
 * build.c    the hooks, and the order in which everything is written
 * sets.c     the sets that chains refer to
 * numbers.c  which numbers are in force, where and for how long; which have to wait
 * ends.c     what becomes of a packet: admitted, refused, counted, reported
 * origin.c   is the source where it says; what is settled before any permit is asked
 * recent.c   the short way for what has been admitted a moment ago
 * ask.c      the permits: rooms and the way into them
 */

#include <linux/netfilter/nf_conntrack_common.h>

#include "plan/collect.h"
#include "plan/writer.h"

#define ORIGINAL 0 /* conntrack directions */
#define REPLY 1

/* Bits of `ct state` (kernel: NF_CT_STATE_BIT). */
#define STATE_INVALID (1u << 0)
#define STATE_ESTABLISHED (1u << 1)
#define STATE_RELATED (1u << 2)
#define STATE_NEW (1u << 3)

/* Bits of `ct event set`. What is changed by ctnetlink raises nearly all of them: one that packets never
 * raise is enough to hear of other hands, and of nothing else. */
#define EVENTS_BY_HAND (1u << IPCT_SEQADJ)
#define EVENTS (1u << IPCT_NEW | 1u << IPCT_RELATED | 1u << IPCT_DESTROY | EVENTS_BY_HAND)

/* What differs between the families. */
struct family {
	enum seg_family family;
	const char *suffix;
	uint8_t nfproto, icmp;
	enum seg_load saddr, daddr, type;
	enum seg_field addr_field, type_field;
};
extern const struct family seg_families[2]; /* IPv4, IPv6 */

/*
 * Flows through the gateway, and those whose one end it is. Neither road knows the other's numbers: an address
 * that the gateway gains or loses, or a packet that names its own way, would lead an open flow on to where
 * nobody judged it.
 */
enum road { THROUGH, OWN, ROADS };

/* The chains and sets of one family that others refer to. */
struct family_parts {
	struct seg_set *named, *exact, *bound, *denied, *spoofed, *limit, *reject;
	struct seg_set *isolated; /* NULL: no address is isolated */
	struct seg_set *recent;	  /* NULL: nothing is remembered */
	struct seg_chain *origin, *in_force, *begin, *refuse, *spoof, *nobody;
	struct seg_chain *crossing, *crossing_ports, *recalled;
	struct seg_chain *carried[ROADS], *settle[ROADS], *errors[ROADS];
};

/* Where refused packets are counted that the bounded table of pairs has no room for. */
struct outgrown {
	struct seg_set *ways;	   /* by the interfaces they come and go by; elements are made by packets */
	struct seg_set *at, *rest; /* where that fails: by the one they come by; and of no zone's interface */
};
enum { DENIED, SPOOFED, OUTGROWN };

struct build {
	const struct seg_policy *policy;
	const struct seg_build_options *options;
	struct seg_writer *w;
	struct seg_arena *arena;
	struct seg_collection collection;
	struct seg_set *fast[ROADS], *live[ROADS];
	struct seg_set *open, *admitted, *slow, *macs, *own, *near, *group, *neighbour, *listener, *limit_at, *spoof_limit;
	struct seg_set *begins; /* what begins through the gateway, by interface and number */
	struct seg_set *held;	/* numbers of zones that begin nothing new */
	struct outgrown outgrown[OUTGROWN];
	struct seg_chain *admit, *admit_new, *carry, *invalid, *unwanted, *refuse, *spoofed;
	struct seg_chain **at; /* by zone */
	struct family_parts family[2];
	bool any_bound;
	time_t first_end; /* of the permits in force; 0: none ends */
};

static inline struct seg_rule *rule(struct build *b, struct seg_chain *chain)
{
	return seg_writer_rule(b->w, chain);
}

static inline void go(struct build *b, struct seg_rule *r, const struct seg_chain *chain)
{
	seg_rule_verdict(b->w, r, SEG_V_GOTO, chain);
}

static inline void jump(struct build *b, struct seg_rule *r, const struct seg_chain *chain)
{
	seg_rule_verdict(b->w, r, SEG_V_JUMP, chain);
}

static inline void let_pass(struct build *b, struct seg_rule *r)
{
	seg_rule_verdict(b->w, r, SEG_V_ACCEPT, NULL);
}

/* The end of every refusal. */
static inline void refuse(struct build *b, struct seg_rule *r)
{
	seg_rule_verdict(b->w, r, b->options->observe ? SEG_V_ACCEPT : SEG_V_DROP, NULL);
}

static inline struct seg_chain *chain(struct build *b, const char *format, const char *suffix)
{
	return seg_writer_chain(b->w, SEG_JOIN(b->arena, format, suffix));
}

/* sets.c */
void seg_ruleset_sets(struct build *b);
void seg_ruleset_interval(struct build *b, struct seg_set *set, struct seg_range range,
			  struct seg_action action);
void seg_ruleset_intervals(struct build *b, struct seg_set *set, struct seg_ranges ranges,
			   enum seg_family family, struct seg_action action);
struct seg_set *seg_ruleset_u8_set(struct build *b, const char *name, enum seg_field field,
				   const uint8_t *values, size_t n);
extern const uint8_t seg_neighbour_types[4]; /* ICMPv6 types of neighbour discovery */

/* numbers.c */
void seg_ruleset_numbers(struct build *b);
const struct seg_zone *seg_ruleset_begins(const struct seg_number *number); /* the zone that begins its flows */
/* The zone's interfaces by their full names: those of a prefix, as far as they are there. */
typedef void (*seg_name_fn)(struct build *b, void *context, const char *name);
void seg_ruleset_names(struct build *b, const struct seg_zone *zone, seg_name_fn each, void *context);

/* ends.c */
void seg_ruleset_ends(struct build *b);

/* recent.c */
/* To admit, by way of what is remembered. */
struct seg_chain *seg_ruleset_remember(struct build *b, const struct family *f, const struct family_parts *p);
/* What forward asks first; whom nothing is remembered of goes on to ask. */
struct seg_chain *seg_ruleset_recall(struct build *b, const struct family *f, const struct family_parts *p,
				     struct seg_chain *ask);

/* origin.c */
void seg_ruleset_origins(struct build *b);
void seg_ruleset_no_syn(struct build *b, struct seg_rule *r); /* TCP, and not how a connection begins */
const struct seg_zone *seg_ruleset_any_zone(const struct seg_policy *policy); /* NULL */

/* ask.c */
/* What each kind of packet is asked, by direction: chains that always end in a verdict. */
struct kinds {
	const struct seg_chain *chain[2][SEG_KINDS];
};
struct questions {
	struct kinds forward, input, output;
	struct kinds input_link;   /* from addresses that belong to the interface */
	struct kinds output_group; /* to groups and link-local addresses */
};
void seg_ruleset_questions(struct build *b, int family, struct questions *questions);

#endif
