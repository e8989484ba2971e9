// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/loader.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "base/utf8.h"

#define ZONE_ID_MAX 31

enum {
	ZONE_TITLE,
	ZONE_TIER,
	ZONE_INTERFACES,
	ZONE_NETWORKS,
	ZONE_INTRA,
	ZONE_LINK,
	ZONE_WAN,
	ZONE_UPLINK,
	ZONE_PUBLIC,
	ZONE_REFUSE,
	ZONE_LIMIT,
	ZONE_KEYS
};
static const char *const zone_key[ZONE_KEYS] = {
	[ZONE_TITLE] = "title",	      [ZONE_TIER] = "tier",	[ZONE_INTERFACES] = "interfaces",
	[ZONE_NETWORKS] = "networks", [ZONE_INTRA] = "intra",	[ZONE_LINK] = "link",
	[ZONE_WAN] = "wan",	      [ZONE_UPLINK] = "uplink", [ZONE_PUBLIC] = "public",
	[ZONE_REFUSE] = "refuse",     [ZONE_LIMIT] = "limit",
};

static const struct word tier_word[] = {
	{"mynumber", SEG_TIER_MYNUMBER},     {"lgwan", SEG_TIER_LGWAN},
	{"internet", SEG_TIER_INTERNET},     {"sanitiser", SEG_TIER_SANITISER},
	{"management", SEG_TIER_MANAGEMENT}, {"external", SEG_TIER_EXTERNAL},
	{"separate", SEG_TIER_SEPARATE},     {"マイナンバー利用事務系", SEG_TIER_MYNUMBER},
	{"LGWAN接続系", SEG_TIER_LGWAN},     {"インターネット接続系", SEG_TIER_INTERNET},
	{"無害化", SEG_TIER_SANITISER},	     {"運用管理", SEG_TIER_MANAGEMENT},
	{"外部", SEG_TIER_EXTERNAL},	     {"別系統", SEG_TIER_SEPARATE},
};

static bool check_zone_id(struct loader *ld, const struct subject *of, const struct yaml_node *key)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	struct seg_diag *diag;

	if (strcmp(key->text, "gateway") == 0) {
		seg_diag_hint(
			ld->diags,
			seg_error(ld->diags, SEG_TYPE, key->place,
				  _("zone 'gateway': this id is the gateway itself and cannot be declared")),
			_("choose another id; the gateway's addresses stand under the key 'gateway' at the "
			  "top"));
		return false;
	}
	if (key->len && strchr(letters, key->text[0]) &&
	    strspn(key->text, "abcdefghijklmnopqrstuvwxyz0123456789-") == key->len) {
		if (key->len <= ZONE_ID_MAX)
			return true;
		seg_error(ld->diags, SEG_RANGE, key->place, _("%s: the id is longer than %d characters"),
			  subject_text(ld, of), ZONE_ID_MAX);
		return false;
	}
	diag = seg_error(
		ld->diags, SEG_TYPE, key->place,
		_("%s: a zone's id is lower-case letters, digits and hyphens, and begins with a letter"),
		subject_text(ld, of));
	seg_diag_hint(ld->diags, diag, _("such as %s"), "mn-link");
	return false;
}

/* The kernel would accept such a name; no interface has it. */
static bool has_full_width(const char *text, size_t len)
{
	struct seg_strbuf narrow = {0};
	bool has = seg_utf8_narrow(&narrow, text, len);

	seg_strbuf_fini(&narrow);
	return has;
}

/* A name the kernel accepts for an interface, or the beginning of one and '*'. */
static bool read_interface(struct loader *ld, const struct field *field, const struct yaml_node *node,
			   struct seg_interface *interface)
{
	size_t len = node->len;
	const char *reason = NULL;

	*interface = (struct seg_interface){.place = node->place};
	if (len > 1 && node->text[len - 1] == '*') {
		interface->prefix = true;
		len--;
	}
	if (strcmp(node->text, "*") == 0)
		reason = N_("'*' alone would take every interface; write the beginning of the names");
	else if (memchr(node->text, '*', len))
		reason = N_("'*' may only stand at the end");
	else if (len >= IFNAMSIZ)
		reason = N_("interface names end at 15 characters");
	else if (strcspn(node->text, " \t\n\r/\"'\\:") < len || strcmp(node->text, ".") == 0 ||
		 strcmp(node->text, "..") == 0)
		reason = N_("the kernel knows no interface of such a name");
	else if (has_full_width(node->text, len))
		reason = N_("the name has full-width characters");
	if (reason) {
		hint_narrow(ld,
			    seg_error(ld->diags, len >= IFNAMSIZ ? SEG_RANGE : SEG_TYPE, node->place,
				      _("%s: interface '%s': %s"), subject_text(ld, field->of), node->text,
				      _(reason)),
			    node->text, node->len);
		return false;
	}
	interface->name = seg_arena_strndup(ld->arena, node->text, len);
	return true;
}

static void read_interfaces(struct loader *ld, const struct field *field, struct seg_zone *zone)
{
	const struct yaml_node **items;
	size_t n = read_list(ld, field, &items, NULL), taken = 0;
	struct seg_interface *interface = SEG_NEW_N(ld->arena, struct seg_interface, n);

	for (size_t i = 0; i < n; i++)
		taken += read_interface(ld, field, items[i], &interface[taken]);
	zone->interface = interface;
	zone->interfaces = taken;
}

static bool read_choice(struct loader *ld, const struct field *field, const char *no, const char *yes)
{
	const struct word words[] = {{no, false}, {yes, true}};
	int value = false;

	read_word(ld, field, WORDS(words), &value);
	return value;
}

static void load_zone(struct loader *ld, const struct yaml_node *node, struct seg_zone *zone,
		      struct list *networks)
{
	struct subject of = {.format = N_("zone '%s'"), .id = node->key->text, .place = node->key->place};
	struct field field[ZONE_KEYS];
	int tier = SEG_TIER_SEPARATE;

	*zone = (struct seg_zone){.index = zone->index, .flaws = SEG_FLAWED, .place = node->key->place};
	zone->id = seg_arena_strndup(ld->arena, node->key->text, node->key->len);
	zone->title = zone->id;
	*networks = (struct list){0};
	check_zone_id(ld, &of, node->key);
	if (!read_keys(ld, &of, node, zone_key, ZONE_KEYS, field)) {
		ld->zones_whole = false;
		return;
	}
	zone->flaws = 0;
	ld->noted = ld->diags->errors;
	require(ld, &field[ZONE_TIER],
		N_("mynumber, lgwan, internet, sanitiser, management, external or separate"));
	read_word(ld, &field[ZONE_TIER], WORDS(tier_word), &tier);
	zone->tier = (enum seg_tier)tier;
	note_flaw(ld, &field[ZONE_TIER], SEG_ZONE_TIER, &zone->flaws);
	require(ld, &field[ZONE_INTERFACES], N_("interfaces: [eth1], exact names or a trailing *"));
	require(ld, &field[ZONE_NETWORKS],
		N_("networks: [10.1.0.0/24], or [any] for what no other zone claims"));
	read_text(ld, &field[ZONE_TITLE], &zone->title);
	read_interfaces(ld, &field[ZONE_INTERFACES], zone);
	if (!read_addresses(ld, &field[ZONE_NETWORKS], LIST_NETWORKS, networks))
		ld->zones_whole = false;
	zone->intra_allow = read_choice(ld, &field[ZONE_INTRA], "deny", "allow");
	zone->reject = read_choice(ld, &field[ZONE_REFUSE], "drop", "reject");
	ld->noted = ld->diags->errors;
	zone->routed = read_choice(ld, &field[ZONE_LINK], "direct", "routed");
	note_flaw(ld, &field[ZONE_LINK], SEG_ZONE_LINK, &zone->flaws);
	read_bool(ld, &field[ZONE_WAN], &zone->wan);
	note_flaw(ld, &field[ZONE_WAN], SEG_ZONE_WAN, &zone->flaws);
	read_bool(ld, &field[ZONE_UPLINK], &zone->uplink);
	note_flaw(ld, &field[ZONE_UPLINK], SEG_ZONE_UPLINK, &zone->flaws);
	read_bool(ld, &field[ZONE_PUBLIC], &zone->public);
	note_flaw(ld, &field[ZONE_PUBLIC], SEG_ZONE_PUBLIC, &zone->flaws);
	read_limit(ld, &field[ZONE_LIMIT], zone);
}

/* A piece of a written network on the number line. */
struct piece {
	struct seg_range range;
	const struct seg_zone *zone;
	const struct seg_place *place, *written;
	size_t order; /* in the file */
};

static int compare_piece(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->range.lo != y->range.lo)
		return x->range.lo < y->range.lo ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static bool same_place(const struct seg_place *a, const struct seg_place *b)
{
	return a->source == b->source && a->start == b->start;
}

/* G10, once for each entry as written in the policy: a list may hold thousands of lines. */
static void report_overlap(struct loader *ld, const struct piece *a, const struct piece *b,
			   struct seg_map *told)
{
	const struct piece *later = a->order > b->order ? a : b, *earlier = later == a ? b : a;
	struct seg_range common = {a->range.lo > b->range.lo ? a->range.lo : b->range.lo,
				   a->range.hi < b->range.hi ? a->range.hi : b->range.hi};
	bool one_line = same_place(later->place, earlier->place);
	char buf[SEG_RANGE_STRLEN];
	struct seg_diag *diag;
	const char *key;

	ld->zones_whole = false;
	key = seg_arena_printf(ld->scratch, "%u", later->written->start);
	if (!seg_map_add(told, ld->scratch, key, (void *)later, NULL))
		return;
	diag = seg_error(
		ld->diags, SEG_G10, one_line ? *later->written : *later->place,
		_("zone '%s': %s belongs to zone '%s' already; networks of two zones may not overlap"),
		later->zone->id, seg_range_format(common, buf), earlier->zone->id);
	seg_diag_hint(ld->diags, diag, _("take it out of one of the two; every address has one zone"));
	seg_diag_relate(ld->diags, diag, one_line ? *earlier->written : *earlier->place,
			_("of zone '%s' here"), earlier->zone->id);
}

/* In the order of their beginnings, a piece overlaps an earlier one of another zone exactly if it
 * overlaps the one of them that reaches furthest: of the furthest two zones, one is another. */
static void find_overlaps(struct loader *ld, const struct piece *piece, size_t n)
{
	const struct piece *far = NULL, *second = NULL;
	struct seg_map told = {0};

	for (size_t i = 0; i < n; i++) {
		const struct piece *other = far && far->zone != piece[i].zone ? far : second;

		if (other && other->range.hi >= piece[i].range.lo)
			report_overlap(ld, &piece[i], other, &told);
		if (!far || piece[i].range.hi > far->range.hi) {
			if (far && far->zone != piece[i].zone)
				second = far;
			far = &piece[i];
		} else if (far->zone != piece[i].zone && (!second || piece[i].range.hi > second->range.hi)) {
			second = &piece[i];
		}
	}
}

static void check_overlaps(struct loader *ld, const struct list *networks)
{
	struct piece *piece = NULL;
	size_t n = 0, cap = 0, order = 0;

	for (size_t z = 0; z < ld->policy->zones; z++) {
		for (size_t i = 0; i < networks[z].entries.n; i++, order++) {
			const struct seg_entry *entry = &networks[z].entries.entry[i];
			struct seg_ranges parts = seg_ranges_from(ld->scratch, &entry->range, 1);

			for (size_t k = 0; k < parts.n; k++)
				SEG_PUSH(ld->scratch, piece, n, cap) =
					(struct piece){.range = parts.range[k],
						       .zone = &ld->policy->zone[z],
						       .place = &entry->place,
						       .written = &networks[z].written[i],
						       .order = order};
		}
	}
	if (n)
		qsort(piece, n, sizeof(*piece), compare_piece);
	find_overlaps(ld, piece, n);
}

/* At most one zone takes the rest. */
static void check_any(struct loader *ld)
{
	const struct seg_zone *first = NULL;

	for (size_t z = 0; z < ld->policy->zones; z++) {
		const struct seg_zone *zone = &ld->policy->zone[z];

		if (!zone->any)
			continue;
		ld->zones_whole = ld->zones_whole && !first;
		if (first)
			seg_diag_relate(ld->diags,
					seg_error(ld->diags, SEG_G10, zone->any_place,
						  _("zone '%s': zone '%s' is 'any' already; only one zone "
						    "can take the rest"),
						  zone->id, first->id),
					first->any_place, _("of zone '%s' here"), first->id);
		else
			first = zone;
	}
}

static void resolve_networks(struct loader *ld, struct seg_zone *zone, const struct list *networks)
{
	struct seg_policy *policy = ld->policy;
	struct seg_range *all;
	size_t n = 0;

	for (size_t z = 0; z < policy->zones; z++) {
		zone[z].nets = entries_ranges(ld, &networks[z].entries);
		n += zone[z].nets.n;
	}
	all = SEG_NEW_N(ld->scratch, struct seg_range, n);
	n = 0;
	for (size_t z = 0; z < policy->zones; z++) {
		if (zone[z].nets.n)
			memcpy(all + n, zone[z].nets.range, zone[z].nets.n * sizeof(*all));
		n += zone[z].nets.n;
	}
	policy->named = seg_ranges_from(ld->arena, all, n);
	for (size_t z = 0; z < policy->zones; z++)
		if (zone[z].any)
			zone[z].nets = seg_ranges_union(
				ld->arena, zone[z].nets,
				seg_ranges_subtract(ld->arena, seg_ranges_all(), policy->named));
	seg_policy_index_networks(policy);
}

static void add_gateway(struct loader *ld, struct seg_zone *gateway)
{
	struct seg_policy *policy = ld->policy;

	*gateway = (struct seg_zone){.index = (unsigned)policy->zones,
				     .id = "gateway",
				     .title = "gateway",
				     .tier = SEG_TIER_GATEWAY};
	policy->gateway_zone = gateway;
	seg_map_add(&policy->zone_by_id, ld->arena, gateway->id, gateway, NULL);
}

void load_zones(struct loader *ld, const struct field *field)
{
	const struct yaml_node *map = field->value;
	struct seg_policy *policy = ld->policy;
	size_t n = map && map->kind == YAML_MAPPING ? map->n : 0;
	struct seg_zone *zone = SEG_NEW_N(ld->arena, struct seg_zone, n + 1);
	struct list *networks = SEG_NEW_N(ld->scratch, struct list, n + 1);

	ld->zones_whole = ld->zones_known = n > 0;
	policy->zone = zone;
	policy->zones = n;
	add_gateway(ld, &zone[n]);
	for (const struct yaml_node *node = n ? map->first : NULL; node;
	     node = node->next, zone++, networks++) {
		void *first = NULL;

		zone->index = (unsigned)(zone - policy->zone);
		load_zone(ld, node, zone, networks);
		if (!seg_map_add(&policy->zone_by_id, ld->arena, zone->id, zone, &first) &&
		    first != policy->gateway_zone) {
			*networks = (struct list){0};
			policy->nets_flawed = true;
			((struct seg_zone *)first)->flaws = SEG_FLAWED;
			seg_diag_relate(ld->diags,
					seg_error(ld->diags, SEG_DUPLICATE, zone->place,
						  _("zone '%s' is declared a second time"), zone->id),
					((const struct seg_zone *)first)->place, _("first here"));
		}
		zone->networks = networks->entries;
		zone->any = networks->any;
		zone->any_place = networks->any_place;
	}
	check_overlaps(ld, networks - n);
	check_any(ld);
	resolve_networks(ld, zone - n, networks - n);
	policy->nets_flawed = policy->nets_flawed || !ld->zones_whole;
}

bool is_of_interface(struct seg_range range)
{
	return (seg_addr_is_group(range.lo) && seg_addr_is_group(range.hi)) ||
	       (seg_addr_is_link_local(range.lo) && seg_addr_is_link_local(range.hi)) ||
	       (seg_addr_is_unspecified(range.lo) && range.lo == range.hi);
}

static const struct seg_entry *entry_with(const struct seg_entries *entries, seg_addr addr)
{
	for (size_t i = 0; i < entries->n; i++)
		if (addr >= entries->entry[i].range.lo && addr <= entries->entry[i].range.hi)
			return &entries->entry[i];
	return &entries->entry[0];
}

/* addr: of the host and outside of zone, where it is meant to be; zone NULL: and in no zone itself. */
static void report_outside(struct loader *ld, const struct seg_host *host, const struct seg_zone *zone,
			   seg_addr addr)
{
	const struct seg_zone *other = seg_policy_zone_of(ld->policy, addr);
	const struct seg_entry *entry = entry_with(&host->address, addr);
	char buf[SEG_ADDR_STRLEN];
	struct seg_diag *diag;

	seg_addr_format(addr, buf);
	if (zone && other) {
		diag = seg_error(ld->diags, SEG_G10, entry->place,
				 _("host '%s': %s lies in zone '%s', other addresses of it in zone '%s'"),
				 host->id, buf, other->id, zone->id);
		seg_diag_hint(ld->diags, diag, _("declare a host for each zone"));
		seg_diag_relate(ld->diags, diag, other->place, _("zone '%s'"), other->id);
	} else {
		diag = seg_error(ld->diags, SEG_G10, entry->place, _("host '%s': %s lies in no zone"),
				 host->id, buf);
		seg_diag_hint(ld->diags, diag, _("correct the address, or add its network to a zone"));
	}
	if (zone)
		seg_diag_relate(ld->diags, diag, zone->place, _("zone '%s'"), zone->id);
}

/* The address that tells the zone a host is meant to be in: the first one written. */
static seg_addr leading_address(const struct seg_host *host)
{
	seg_addr first = host->address.entry[0].range.lo;

	return seg_ranges_contain(host->ranges, first) ? first : host->ranges.range[0].lo;
}

void place_host(struct loader *ld, struct seg_host *host)
{
	const struct seg_zone *zone;
	seg_addr leading;
	bool local = host->ranges.n > 0;

	for (size_t i = 0; i < host->ranges.n; i++)
		local = local && is_of_interface(host->ranges.range[i]);
	if (!host->ranges.n || local || !ld->zones_whole)
		return;
	leading = leading_address(host);
	zone = seg_policy_zone_of(ld->policy, leading);
	if (zone && seg_ranges_subset(host->ranges, zone->nets)) {
		host->zone = zone;
		return;
	}
	if (zone)
		leading = seg_ranges_subtract(ld->scratch, host->ranges, zone->nets).range[0].lo;
	report_outside(ld, host, zone, leading);
	/* Said once: no permit is blamed for it. */
	host->ranges.n = 0;
}
