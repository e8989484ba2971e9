/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <string.h>

#include "plan/ruleset.h"

static void write_at(struct build *b, const struct seg_zone *zone)
{
	struct seg_chain *at = chain(b, "at-", zone->id);
	struct seg_set *names = NULL;
	size_t exact = 0;

	for (size_t i = 0; i < zone->interfaces; i++)
		exact += !zone->interface[i].prefix;
	/* A comparison each for a few names, a hash for many. */
	if (exact > 4) {
		struct seg_rule *r = rule(b, at);

		names = seg_writer_set(b->w, SEG_JOIN(b->arena, "at-", zone->id),
				       SEG_FIELDS(SEG_F_IFNAME));
		seg_rule_lookup(b->w, r, SEG_LOADS(SEG_L_IIFNAME), names, false);
		seg_rule_verdict(b->w, r, SEG_V_RETURN, NULL);
	}
	for (size_t i = 0; i < zone->interfaces; i++) {
		const struct seg_interface *interface = &zone->interface[i];

		if (names && !interface->prefix) {
			struct seg_key key = {.len = 0};

			seg_key_ifname(&key, interface->name);
			seg_writer_elem(b->w, names, &key, NULL);
		} else {
			struct seg_rule *r = rule(b, at);

			/* A bare "*" is every interface. */
			if (*interface->name || !interface->prefix)
				seg_rule_cmp_ifname(b->w, r, SEG_L_IIFNAME, interface->name,
						    interface->prefix);
			seg_rule_verdict(b->w, r, SEG_V_RETURN, NULL);
		}
	}
	go(b, rule(b, at), b->spoofed);
	b->at[zone->index] = at;
}

const struct seg_zone *seg_ruleset_any_zone(const struct seg_policy *policy)
{
	for (size_t i = 0; i < policy->zones; i++)
		if (policy->zone[i].any)
			return &policy->zone[i];
	return NULL;
}

/* Addresses that no packet between hosts may bear, as far as no zone has claimed them. */
static struct seg_ranges never_sources(struct build *b)
{
	static const char *const prefix[] = {"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255",
					     "::/127",	  "fe80::/10",	 "ff00::/8"};
	struct seg_range list[sizeof(prefix) / sizeof(*prefix) + 1];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(prefix) / sizeof(*prefix); i++) {
		const char *reason;

		if (seg_range_parse(prefix[i], strlen(prefix[i]), false, &list[n], &reason))
			n++;
	}
	return seg_ranges_subtract(b->arena, seg_ranges_from(b->arena, list, n), b->policy->named);
}

static void write_origin(struct build *b, const struct family *f, struct family_parts *p)
{
	struct seg_set *map = seg_writer_set(b->w, SEG_JOIN(b->arena, "origin", f->suffix),
					     SEG_FIELDS((int)f->addr_field));
	const struct seg_zone *rest = seg_ruleset_any_zone(b->policy);

	map->interval = true;
	map->data = SEG_DATA_VERDICT;
	for (size_t i = 0; i < b->policy->zones; i++)
		seg_ruleset_intervals(b, map, seg_zone_written(b->policy, &b->policy->zone[i], b->arena),
				      f->family, (struct seg_action){SEG_V_GOTO, b->at[i]});
	seg_ruleset_intervals(b, map, never_sources(b), f->family,
			      (struct seg_action){SEG_V_GOTO, b->spoofed});
	p->origin = chain(b, "origin", f->suffix);
	/* Who is found does not come back here, but to where the origin was asked. */
	seg_rule_vmap(b->w, rule(b, p->origin), SEG_LOADS(f->saddr), map);
	go(b, rule(b, p->origin), rest ? b->at[rest->index] : b->spoofed);
}

void seg_ruleset_no_syn(struct build *b, struct seg_rule *r)
{
	const uint8_t flags = 0x17, syn = 0x02; /* fin, syn, rst, ack */

	seg_rule_cmp_u8(b->w, r, SEG_L_L4PROTO, IPPROTO_TCP);
	seg_rule_cmp_mask(b->w, r, SEG_L_TCP_FLAGS, &syn, &flags, 1, true);
}

/* What a packet that no open flow carries must be. */
static void write_begin(struct build *b, const struct family *f, struct family_parts *p)
{
	struct seg_rule *r;

	p->begin = chain(b, "begin", f->suffix);
	/* A TCP connection begins with a SYN: nothing is picked up in the middle. */
	r = rule(b, p->begin);
	seg_rule_state(b->w, r, STATE_NEW | STATE_RELATED);
	seg_ruleset_no_syn(b, r);
	go(b, r, p->refuse);
	/* An expected flow inherits its master's mark; it is judged by itself. */
	r = rule(b, p->begin);
	seg_rule_state(b->w, r, STATE_NEW | STATE_RELATED);
	seg_rule_set_mark(b->w, r, 0);
}

/*
 * Only for addresses that say which zone they are in. Those of a link are the same on every link, and so are
 * their flows: a number alone would carry one link's packets for another's. The fast road, which knows the
 * interface, carries them, or they are asked anew.
 */
static void write_settle(struct build *b, const struct family *f, struct family_parts *p)
{
	static const char *const name[ROADS] = {"settle", "settle-own"};

	for (int road = 0; road < ROADS; road++) {
		struct seg_chain *settle = chain(b, name[road], f->suffix);
		struct seg_rule *r = rule(b, settle);

		seg_rule_confirmed(b->w, r);
		jump(b, r, p->carried[road]);
		go(b, rule(b, settle), p->begin);
		p->settle[road] = settle;
	}
}

void seg_ruleset_origins(struct build *b)
{
	for (size_t i = 0; i < b->policy->zones; i++)
		write_at(b, &b->policy->zone[i]);
	for (int i = 0; i < 2; i++) {
		write_origin(b, &seg_families[i], &b->family[i]);
		write_begin(b, &seg_families[i], &b->family[i]);
		write_settle(b, &seg_families[i], &b->family[i]);
	}
}
