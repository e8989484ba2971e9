/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "plan/ruleset.h"

const uint8_t seg_neighbour_types[4] = {ND_ROUTER_SOLICIT, ND_ROUTER_ADVERT, ND_NEIGHBOR_SOLICIT,
					ND_NEIGHBOR_ADVERT};

#define COUNTED_SOURCES 65536 /* bound of the tables that refused packets fill */
#define COUNTED_IDLE_MS (3600u * 1000)
#define LIMIT_IDLE_MS (60u * 1000)
#define REMEMBERED 16384 /* pairs of hosts, with a port; what comes later goes the long way */
#define REMEMBERED_MS (60u * 1000)

static struct seg_set *kept_set(struct build *b, const char *name, const char *suffix, const int *fields)
{
	struct seg_set *set = seg_writer_set(b->w, SEG_JOIN(b->arena, name, suffix), fields);

	set->kept = true;
	return set;
}

void seg_ruleset_interval(struct build *b, struct seg_set *set, struct seg_range range,
			  struct seg_action action)
{
	struct seg_key key = {.len = 0}, end = {.len = 0};

	seg_key_addr(&key, range.lo);
	seg_key_addr(&end, range.hi);
	seg_writer_elem(b->w, set, &key, &end)->action = action;
}

void seg_ruleset_intervals(struct build *b, struct seg_set *set, struct seg_ranges ranges,
			   enum seg_family family, struct seg_action action)
{
	ranges = seg_ranges_only(ranges, family);
	for (size_t i = 0; i < ranges.n; i++)
		seg_ruleset_interval(b, set, ranges.range[i], action);
}

static struct seg_set *addr_set(struct build *b, const struct family *f, const char *name,
				struct seg_ranges ranges)
{
	struct seg_set *set = seg_writer_set(b->w, SEG_JOIN(b->arena, name, f->suffix),
					     SEG_FIELDS((int)f->addr_field));

	set->interval = true;
	seg_ruleset_intervals(b, set, ranges, f->family, (struct seg_action){0});
	return set;
}

struct seg_set *seg_ruleset_u8_set(struct build *b, const char *name, enum seg_field field,
				   const uint8_t *values, size_t n)
{
	struct seg_set *set = seg_writer_set(b->w, name, SEG_FIELDS((int)field));

	for (size_t i = 0; i < n; i++) {
		struct seg_key key = {.len = 0};

		seg_key_u8(&key, values[i]);
		seg_writer_elem(b->w, set, &key, NULL);
	}
	return set;
}

static struct seg_set *fib_set(struct build *b, const char *name, const uint32_t *types, size_t n)
{
	struct seg_set *set = seg_writer_set(b->w, name, SEG_FIELDS(SEG_F_FIB_TYPE));

	for (size_t i = 0; i < n; i++) {
		struct seg_key key = {.len = 0};

		seg_key_u32(&key, types[i]);
		seg_writer_elem(b->w, set, &key, NULL);
	}
	return set;
}

static struct seg_set *counted_set(struct build *b, const char *name, const char *suffix, const int *fields,
				   uint64_t idle_ms)
{
	struct seg_set *set = kept_set(b, name, suffix, fields);

	set->dynamic = true;
	set->timeout = true;
	set->timeout_ms = idle_ms;
	set->size = COUNTED_SOURCES;
	return set;
}

/* Not kept: a change of structure forgets. */
static struct seg_set *recent_map(struct build *b, const struct family *f)
{
	const int addr = (int)f->addr_field;
	struct seg_set *map = seg_writer_set(b->w, SEG_JOIN(b->arena, "recent", f->suffix),
					     SEG_FIELDS(addr, addr, SEG_F_INET_PROTO, SEG_F_INET_SERVICE));

	map->data = SEG_DATA_MARK;
	map->dynamic = true;
	map->timeout = true;
	map->timeout_ms = REMEMBERED_MS;
	map->size = REMEMBERED;
	return map;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The interfaces of all zones. */
struct all_names {
	const char **name;
	size_t n, cap;
};

static void add_name(struct build *b, void *context, const char *name)
{
	struct all_names *all = context;

	SEG_PUSH(b->arena, all->name, all->n, all->cap) = name;
}

static struct all_names all_names(struct build *b)
{
	struct all_names all = {0};

	for (size_t i = 0; i < b->policy->zones; i++)
		seg_ruleset_names(b, &b->policy->zone[i], add_name, &all);
	if (all.n > 0)
		qsort(all.name, all.n, sizeof(*all.name), by_name);
	return all;
}

/*
 * A packet that makes an element needs memory for its counter, of which the kernel keeps little at hand: a flood
 * takes it within a millisecond. These elements are made by us, so that nothing goes uncounted: for the interfaces
 * of zones, and for what comes by another, or by none.
 */
static struct seg_set *counted_rest(struct build *b, const char *name)
{
	const uint8_t family[] = {seg_families[0].nfproto, seg_families[1].nfproto};
	struct seg_set *set = seg_ruleset_u8_set(b, name, SEG_F_NFPROTO, family, sizeof(family));

	set->kept = true;
	set->counter = true;
	return set;
}

static struct seg_set *counted_at(struct build *b, const char *name, const struct all_names *all)
{
	struct seg_set *set = kept_set(b, name, "", SEG_FIELDS(SEG_F_IFNAME));

	set->counter = true;
	for (size_t i = 0; i < all->n; i++) {
		struct seg_key key = {.len = 0};

		if (i > 0 && strcmp(all->name[i], all->name[i - 1]) == 0)
			continue;
		seg_key_ifname(&key, all->name[i]);
		seg_writer_elem(b->w, set, &key, NULL);
	}
	return set;
}

static struct seg_ranges rejecting(struct build *b)
{
	struct seg_ranges all = {0};

	for (size_t i = 0; i < b->policy->zones; i++)
		if (b->policy->zone[i].reject)
			all = seg_ranges_union(b->arena, all,
					       seg_zone_written(b->policy, &b->policy->zone[i], b->arena));
	return all;
}

static struct seg_set *number_set(struct build *b, const char *name, const int *fields)
{
	struct seg_set *set = kept_set(b, name, "", fields);

	set->timeout = true;
	return set;
}

static struct seg_set *fast_set(struct build *b, const char *name)
{
	struct seg_set *set = number_set(b, name, SEG_FIELDS(SEG_F_CT_DIR, SEG_F_IFNAME, SEG_F_MARK));

	set->counter = true;
	return set;
}

void seg_ruleset_sets(struct build *b)
{
	static const uint32_t own[] = {RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST};
	/* Of an anycast address (a router has one in each network of IPv6) the kernel does not look at the interface. */
	static const uint32_t near[] = {RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST};
	static const uint32_t group[] = {RTN_BROADCAST, RTN_MULTICAST};
	const struct seg_closure *closure = b->options->closure;
	const struct all_names all = all_names(b);
	static const uint8_t listener[] = {MLD_LISTENER_QUERY, MLD_LISTENER_REPORT, MLD_LISTENER_REDUCTION,
					   143};

	b->fast[THROUGH] = fast_set(b, "fast");
	b->fast[OWN] = fast_set(b, "fast-own");
	b->live[THROUGH] = number_set(b, "live", SEG_FIELDS(SEG_F_MARK));
	b->live[OWN] = number_set(b, "live-own", SEG_FIELDS(SEG_F_MARK));
	b->open = number_set(b, "open", SEG_FIELDS(SEG_F_MARK));
	b->begins = number_set(b, "begins", SEG_FIELDS(SEG_F_IFNAME, SEG_F_MARK));
	b->held = kept_set(b, "held", "", SEG_FIELDS(SEG_F_MARK));
	/* Counted as they come, because few numbers have any at a time: flows admitted, with their first packets,
	 * and others that did not take the fast road. */
	b->admitted = counted_set(b, "admitted", "", SEG_FIELDS(SEG_F_MARK), COUNTED_IDLE_MS);
	b->slow = counted_set(b, "slow", "", SEG_FIELDS(SEG_F_CT_DIR, SEG_F_MARK), COUNTED_IDLE_MS);
	b->macs = kept_set(b, "macs", "", SEG_FIELDS(SEG_F_MARK));
	b->own = fib_set(b, "own", own, sizeof(own) / sizeof(*own));
	b->near = fib_set(b, "near", near, sizeof(near) / sizeof(*near));
	b->group = fib_set(b, "groups", group, sizeof(group) / sizeof(*group));
	b->neighbour = seg_ruleset_u8_set(b, "neighbour", SEG_F_ICMPV6_TYPE, seg_neighbour_types,
					  sizeof(seg_neighbour_types));
	b->listener = seg_ruleset_u8_set(b, "listener", SEG_F_ICMPV6_TYPE, listener, sizeof(listener));
	for (int i = 0; i < OUTGROWN; i++) {
		static const char *const name[OUTGROWN] = {"outgrown", "outgrown-spoofed"};
		struct outgrown *out = &b->outgrown[i];

		out->ways = counted_set(b, name[i], "", SEG_FIELDS(SEG_F_IFNAME, SEG_F_IFNAME), COUNTED_IDLE_MS);
		out->at = counted_at(b, SEG_JOIN(b->arena, name[i], "-at"), &all);
		out->rest = counted_rest(b, SEG_JOIN(b->arena, name[i], "-rest"));
	}
	b->limit_at = counted_set(b, "limit-at", "", SEG_FIELDS(SEG_F_IFNAME), LIMIT_IDLE_MS);
	b->spoof_limit = counted_set(b, "spoof-limit", "", SEG_FIELDS(SEG_F_IFNAME), LIMIT_IDLE_MS);
	for (int i = 0; i < 2; i++) {
		const struct family *f = &seg_families[i];
		struct family_parts *p = &b->family[i];
		int addr = (int)f->addr_field;

		p->named = addr_set(b, f, "named", b->policy->named);
		p->reject = addr_set(b, f, "reject", rejecting(b));
		p->exact = kept_set(b, "exact", f->suffix,
				    SEG_FIELDS(addr, addr, SEG_F_INET_PROTO, SEG_F_INET_SERVICE));
		p->exact->data = SEG_DATA_MARK;
		p->recent = f->family == SEG_IPV4 ? recent_map(b, f) : NULL;
		p->bound = kept_set(b, "bound", f->suffix, SEG_FIELDS(SEG_F_ETHER_ADDR, addr, SEG_F_MARK));
		p->denied = counted_set(b, "denied", f->suffix, SEG_FIELDS(addr, addr), COUNTED_IDLE_MS);
		p->spoofed = counted_set(b, "spoofed", f->suffix, SEG_FIELDS(SEG_F_IFNAME, addr, addr),
					 COUNTED_IDLE_MS);
		p->limit = counted_set(b, "limit", f->suffix, SEG_FIELDS(addr), LIMIT_IDLE_MS);
		if (closure && seg_ranges_only(closure->isolated, f->family).n > 0)
			p->isolated = addr_set(b, f, "isolated", closure->isolated);
	}
}
