// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/meaning.h"
#include "policy/unchanged.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/i18n.h"

enum {
	KEY_ID,
	KEY_TITLE,
	KEY_CLASS,
	KEY_FROM,
	KEY_TO,
	KEY_SOURCE,
	KEY_DESTINATION,
	KEY_SERVICE,
	KEY_METHOD,
	KEY_HOURS,
	KEY_VALID,
	KEY_AT_CLOSE,
	KEY_OWNER,
	KEY_APPROVER,
	KEY_TICKET,
	KEY_BASIS,
	KEY_REVIEW,
	KEY_EXTERNAL_AUDIT,
	PERMIT_KEYS
};
static const char *const permit_key[PERMIT_KEYS] = {
	[KEY_ID] = "id",
	[KEY_TITLE] = "title",
	[KEY_CLASS] = "class",
	[KEY_FROM] = "from",
	[KEY_TO] = "to",
	[KEY_SOURCE] = "source",
	[KEY_DESTINATION] = "destination",
	[KEY_SERVICE] = "service",
	[KEY_METHOD] = "method",
	[KEY_HOURS] = "hours",
	[KEY_VALID] = "valid",
	[KEY_AT_CLOSE] = "at-close",
	[KEY_OWNER] = "owner",
	[KEY_APPROVER] = "approver",
	[KEY_TICKET] = "ticket",
	[KEY_BASIS] = "basis",
	[KEY_REVIEW] = "review",
	[KEY_EXTERNAL_AUDIT] = "external-audit",
};

static const struct word class_word[] = {
	{"specific", SEG_CLASS_SPECIFIC},
	{"sanitised", SEG_CLASS_SANITISED},
	{"breakout", SEG_CLASS_BREAKOUT},
	{"maintenance", SEG_CLASS_MAINTENANCE},
	{"operations", SEG_CLASS_OPERATIONS},
	{"internal", SEG_CLASS_INTERNAL},
	{"特定通信", SEG_CLASS_SPECIFIC},
	{"無害化通信", SEG_CLASS_SANITISED},
	{"ローカルブレイクアウト", SEG_CLASS_BREAKOUT},
	{"保守", SEG_CLASS_MAINTENANCE},
	{"監視", SEG_CLASS_OPERATIONS},
	{"内部", SEG_CLASS_INTERNAL},
};
static const struct word method_word[] = {
	{"mail", SEG_METHOD_MAIL},	 {"screen", SEG_METHOD_SCREEN},
	{"file", SEG_METHOD_FILE},	 {"メール無害化", SEG_METHOD_MAIL},
	{"画面転送", SEG_METHOD_SCREEN}, {"ファイル無害化", SEG_METHOD_FILE},
};
static const struct word close_word[] = {{"cut", false}, {"drain", true}};

/* One side of a permit while it is read: from and source, or to and destination. */
struct half {
	struct seg_side *side;
	size_t n;
	struct seg_operand *operand;
	size_t n_operand;
	bool listed;  /* the key of the operands is there */
	bool gateway; /* the gateway is among the zones */
};

static void hint_zones(struct loader *ld, struct seg_diag *diag, const char *word)
{
	const struct seg_policy *policy = ld->policy;
	const char **names = SEG_NEW_N(ld->scratch, const char *, policy->zones + 1);
	size_t n = 0;

	for (size_t z = 0; z <= policy->zones; z++)
		if (seg_policy_zone(policy, policy->zone[z].id) == &policy->zone[z])
			names[n++] = policy->zone[z].id;
	hint_names(ld, diag, word, names, n);
	/* Not a slip of a name: the zone itself is missing, and its networks lie in none, or in `any`. */
	if (!seg_nearest(word, names, n))
		ld->policy->nets_flawed = true;
}

const struct seg_zone *read_zone_name(struct loader *ld, const struct field *field,
				      const struct yaml_node *node)
{
	const struct seg_zone *zone = seg_policy_zone(ld->policy, node->text);

	if (!zone && ld->zones_known)
		hint_zones(ld,
			   seg_error(ld->diags, SEG_UNKNOWN_NAME, node->place,
				     _("%s: no zone '%s' is declared ('%s')"), subject_text(ld, field->of),
				     node->text, field->key),
			   node->text);
	return zone;
}

static void read_sides(struct loader *ld, const struct field *field, struct half *half)
{
	const struct yaml_node **items;
	size_t n = read_list(ld, field, &items, NULL);

	half->side = SEG_NEW_N(ld->arena, struct seg_side, n);
	for (size_t i = 0; i < n; i++) {
		const struct seg_zone *zone = read_zone_name(ld, field, items[i]);

		if (!zone)
			continue;
		half->side[half->n++] = (struct seg_side){.zone = zone, .place = items[i]->place};
		half->gateway = half->gateway || zone == ld->policy->gateway_zone;
	}
}

static void hint_hosts(struct loader *ld, struct seg_diag *diag, const char *word)
{
	const struct seg_policy *policy = ld->policy;
	const char **names;
	size_t n = 0;

	if (!diag)
		return;
	if (seg_policy_zone(policy, word)) {
		seg_diag_hint(ld->diags, diag, _("this is a zone: zones stand in 'from' and 'to'"));
		return;
	}
	names = SEG_NEW_N(ld->scratch, const char *, policy->hosts);
	for (size_t h = 0; h < policy->hosts; h++)
		if (seg_map_get(&ld->host_by_id, policy->host[h].id) == &policy->host[h])
			names[n++] = policy->host[h].id;
	hint_names(ld, diag, word, names, n);
}

/* Does it mean to be an address? Then its own mistake is named, not a host that is not there. */
static bool looks_like_address(const char *text)
{
	return strchr(text, ':') || (text[0] >= '0' && text[0] <= '9' && strpbrk(text, "./"));
}

static bool read_operand(struct loader *ld, const struct field *field, const struct yaml_node *node,
			 struct seg_operand *operand)
{
	struct seg_host *host = seg_map_get(&ld->host_by_id, node->text);
	const char *reason;

	*operand = (struct seg_operand){.host = host, .place = node->place};
	if (host) {
		host->used = true;
		return true;
	}
	if (seg_range_parse(node->text, node->len, true, &operand->range, &reason))
		return true;
	if (strncmp(node->text, "file:", 5) == 0)
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_TYPE, node->place, _("%s: '%s' takes no lists"),
					subject_text(ld, field->of), field->key),
			      _("declare a host with address: [\"%s\"] and name it here"), node->text);
	else if (strcmp(node->text, "any") == 0)
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_TYPE, node->place, _("%s: 'any' is no address ('%s')"),
					subject_text(ld, field->of), field->key),
			      _("leave '%s' out: then the whole zone is meant"), field->key);
	else if (looks_like_address(node->text))
		read_range(ld, field->of, field->key, &node->place, node->text, node->len, true,
			   &operand->range);
	else if (ld->hosts_known)
		hint_hosts(ld,
			   seg_error(ld->diags, SEG_UNKNOWN_NAME, node->place,
				     _("%s: no host '%s' is declared ('%s')"), subject_text(ld, field->of),
				     node->text, field->key),
			   node->text);
	return false;
}

static void read_operands(struct loader *ld, const struct field *field, struct half *half)
{
	const struct yaml_node **items;
	size_t n;

	half->listed = field->value;
	if (!half->listed)
		return;
	n = read_list(ld, field, &items, NULL);
	half->operand = SEG_NEW_N(ld->arena, struct seg_operand, n);
	for (size_t i = 0; i < n; i++) {
		if (read_operand(ld, field, items[i], &half->operand[half->n_operand]))
			half->n_operand++;
	}
}

/* Addresses of one side in one zone, as they are gathered. */
struct gather {
	struct seg_range *range;
	size_t n, cap;
	struct seg_bound *bound;
	size_t n_bound, bound_cap;
};

static void add_host(struct loader *ld, struct gather *g, const struct seg_host *host, bool source)
{
	for (size_t i = 0; i < host->ranges.n; i++) {
		if (source && host->has_mac) {
			struct seg_bound *bound = &SEG_PUSH(ld->arena, g->bound, g->n_bound, g->bound_cap);

			bound->range = host->ranges.range[i];
			memcpy(bound->mac, host->mac, SEG_MAC_LEN);
		} else {
			SEG_PUSH(ld->scratch, g->range, g->n, g->cap) = host->ranges.range[i];
		}
	}
}

/* Of an inline entry what lies in the zone. */
static void add_range(struct loader *ld, struct gather *g, struct seg_range range,
		      const struct seg_zone *zone)
{
	struct seg_ranges all = seg_ranges_from(ld->scratch, &range, 1);

	if (!seg_ranges_subset(all, zone->nets))
		all = seg_ranges_intersect(ld->scratch, all, zone->nets);
	for (size_t i = 0; i < all.n; i++)
		SEG_PUSH(ld->scratch, g->range, g->n, g->cap) = all.range[i];
}

/*
 * A listed host counts in its own zone alone; one that lies in none of the
 * permit's zones opens nothing, which is advice.c's to say.
 *
 * The gateway's side takes every entry: which of them are its own addresses, the
 * kernel knows and not the policy. Opposite the gateway, addresses that belong to
 * interfaces count in every zone (a group it sends to, a link-local source).
 */
static void fill_side(struct loader *ld, const struct half *half, struct seg_side *side, bool source,
		      bool gateway_opposite)
{
	bool gateway = side->zone == ld->policy->gateway_zone;
	struct gather g = {0};

	side->whole = !half->listed;
	for (size_t i = 0; i < half->n_operand; i++) {
		const struct seg_operand *operand = &half->operand[i];
		const struct seg_host *host = operand->host;
		bool local = host ? !host->zone : is_of_interface(operand->range);

		if (host && (gateway || host->zone == side->zone || (local && gateway_opposite)))
			add_host(ld, &g, host, source);
		else if (!host && (gateway || (local && gateway_opposite)))
			SEG_PUSH(ld->scratch, g.range, g.n, g.cap) = operand->range;
		else if (!host && !local)
			add_range(ld, &g, operand->range, side->zone);
	}
	side->ranges = seg_ranges_from(ld->arena, g.range, g.n);
	side->bound = g.bound;
	side->n_bound = g.n_bound;
}

static void finish_sides(struct loader *ld, const struct subject *of, struct half *from, struct half *to)
{
	if (from->n == 1 && to->n == 1 && from->gateway && to->gateway)
		seg_error(ld->diags, SEG_RANGE, to->side[0].place,
			  _("%s: from the gateway to itself: such packets are not judged"),
			  subject_text(ld, of));
	if (!ld->zones_whole)
		return;
	for (size_t i = 0; i < from->n; i++)
		fill_side(ld, from, &from->side[i], true, to->gateway);
	for (size_t i = 0; i < to->n; i++)
		fill_side(ld, to, &to->side[i], false, from->gateway);
}

static void hint_services(struct loader *ld, struct seg_diag *diag, const char *word)
{
	const struct seg_policy *policy = ld->policy;
	const char **names = SEG_NEW_N(ld->scratch, const char *, policy->services + 1);

	if (hint_narrow(ld, diag, word, strlen(word)))
		return;
	if (hint_number(ld, diag, word))
		return;
	if (!policy->services) {
		seg_diag_hint(ld->diags, diag,
			      _("declare it under 'services', or write it out, such as tcp/443"));
		return;
	}
	for (size_t s = 0; s < policy->services; s++)
		names[s] = policy->service[s].id;
	names[policy->services] = "any";
	hint_names(ld, diag, word, names, policy->services + 1);
}

static bool read_service_ref(struct loader *ld, const struct field *field, const struct yaml_node *node,
			     struct seg_service_ref *ref)
{
	struct seg_service *service = seg_map_get(&ld->service_by_id, node->text);

	*ref = (struct seg_service_ref){.service = service, .place = node->place};
	if (service) {
		service->used = true;
		return true;
	}
	if (strchr(node->text, '/') || strcmp(node->text, "any") == 0)
		return read_item(ld, field->of, node, &ref->item);
	if (ld->services_known)
		hint_services(ld,
			      seg_error(ld->diags, SEG_UNKNOWN_NAME, node->place,
					_("%s: no service '%s' is declared"), subject_text(ld, field->of),
					node->text),
			      node->text);
	return false;
}

static void flatten_services(struct loader *ld, struct seg_permit *permit)
{
	const struct seg_service_ref *ref = permit->service;
	struct seg_service_item *item;
	size_t n = 0;

	for (size_t i = 0; i < permit->n_service; i++)
		n += ref[i].service ? ref[i].service->n : 1;
	item = SEG_NEW_N(ld->arena, struct seg_service_item, n);
	permit->item = item;
	permit->n_items = n;
	for (size_t i = 0; i < permit->n_service; i++) {
		if (!ref[i].service) {
			*item++ = ref[i].item;
			continue;
		}
		for (size_t k = 0; k < ref[i].service->n; k++)
			*item++ = ref[i].service->item[k];
	}
}

static void read_services(struct loader *ld, const struct field *field, struct seg_permit *permit)
{
	const struct yaml_node **items;
	struct seg_service_ref *ref;
	size_t n = read_list(ld, field, &items, NULL), taken = 0;

	ref = SEG_NEW_N(ld->arena, struct seg_service_ref, n);
	for (size_t i = 0; i < n; i++)
		if (read_service_ref(ld, field, items[i], &ref[taken]))
			taken++;
	permit->service = ref;
	permit->n_service = taken;
	flatten_services(ld, permit);
}

/* Days, and times written HH:MM-HH:MM: the form is right, so a value is out of bounds. */
static bool is_shaped_hours(const struct yaml_node *node)
{
	const char *blank = strrchr(node->text, ' ');
	unsigned digit[8];
	int end = 0;

	return blank &&
	       sscanf(blank, " %1u%1u:%1u%1u-%1u%1u:%1u%1u%n", &digit[0], &digit[1], &digit[2], &digit[3],
		      &digit[4], &digit[5], &digit[6], &digit[7], &end) == 8 &&
	       blank[end] == '\0';
}

/* Hours with one digit, as a clock shows them, with two. */
static const char *padded_hours(struct loader *ld, const char *text)
{
	char *padded = seg_arena_alloc(ld->scratch, 2 * strlen(text) + 1), *out = padded;

	for (const char *c = text; *c; c++) {
		if (c > text && isdigit((unsigned char)*c) && c[1] == ':' && !isdigit((unsigned char)c[-1]))
			*out++ = '0';
		*out++ = *c;
	}
	*out = '\0';
	return padded;
}

/* A hint is written as it says: one that is wrong again is worse than an example. */
static void hint_hours(struct loader *ld, struct seg_diag *diag, const struct yaml_node *node)
{
	const char *narrow = narrowed(ld, node->text, node->len), *reason,
		   *padded = padded_hours(ld, narrow ? narrow : node->text);
	struct seg_hours hours;

	if (!seg_hours_parse(padded, strlen(padded), &hours, &reason))
		padded = narrow;
	if (!padded)
		seg_diag_hint(ld->diags, diag, _("such as %s"), "mon-fri 08:00-20:00, sat 22:00-05:00");
	else if (narrow)
		seg_diag_hint(ld->diags, diag, _("write '%s', in half-width characters"), padded);
	else
		seg_diag_hint(ld->diags, diag, _("did you mean '%s'?"), padded);
}

static void read_hours(struct loader *ld, const struct field *field, struct seg_schedule *schedule)
{
	const struct yaml_node **items;
	struct seg_hours *hours;
	size_t n = read_list(ld, field, &items, NULL), taken = 0;

	hours = SEG_NEW_N(ld->arena, struct seg_hours, n);
	for (size_t i = 0; i < n; i++) {
		const char *reason = NULL;
		struct seg_diag *diag;

		if (seg_hours_parse(items[i]->text, items[i]->len, &hours[taken], &reason)) {
			taken++;
			continue;
		}
		diag = seg_error(ld->diags, is_shaped_hours(items[i]) ? SEG_RANGE : SEG_TYPE, items[i]->place,
				 _("%s: '%s' in 'hours': %s"), subject_text(ld, field->of), items[i]->text,
				 _(reason));
		if (diag)
			hint_hours(ld, diag, items[i]);
	}
	schedule->hours = hours;
	schedule->n_hours = taken;
}

static void read_valid(struct loader *ld, const struct field *valid, struct seg_permit *permit)
{
	static const char *const names[] = {"from", "until"};
	struct seg_schedule *schedule = &permit->schedule;
	struct subject of = {
		.format = N_("permit '%s', valid"), .id = permit->id, .place = field_place(valid)};
	struct field field[2];
	bool begins, ends;

	if (!valid->value)
		return;
	permit->has_valid = true;
	if (valid->value->kind == YAML_SCALAR) {
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_TYPE, of.place,
					_("%s must be written as keys with values"), subject_text(ld, &of)),
			      _("valid: {from: 2026-04-01, until: 2027-03-31}, both days included"));
		return;
	}
	if (!read_keys(ld, &of, valid->value, names, 2, field))
		return;
	permit->place.valid_from = field_place(&field[0]);
	permit->place.valid_until = field_place(&field[1]);
	if (!valid->value->n)
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_MISSING, of.place,
					_("%s: neither 'from' nor 'until' is given"), subject_text(ld, &of)),
			      _("valid: {from: 2026-04-01, until: 2027-03-31}, both days included"));
	begins = read_date(ld, &field[0], &schedule->from);
	ends = read_date(ld, &field[1], &schedule->until);
	if (begins && ends && schedule->from > schedule->until)
		seg_diag_relate(ld->diags,
				seg_error(ld->diags, SEG_RANGE, permit->place.valid_until,
					  _("%s: it ends before it begins"), subject_text(ld, &of)),
				permit->place.valid_from, _("begins here"));
}

bool read_class(struct loader *ld, const struct field *field, enum seg_class *class)
{
	int value;

	if (!read_word(ld, field, WORDS(class_word), &value))
		return false;
	*class = (enum seg_class)value;
	return true;
}

static void read_method(struct loader *ld, const struct field *field, bool classed, struct seg_permit *permit)
{
	int method = SEG_METHOD_NONE;

	if (!read_word(ld, field, WORDS(method_word), &method))
		return;
	permit->method = (enum seg_method)method;
	if (classed && permit->class != SEG_CLASS_SANITISED) {
		permit->flaws |= SEG_PERMIT_CLASS; /* one of the two is wrong */
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_RANGE, field->value->place,
					_("%s: 'method' belongs to class sanitised alone, this permit is %s"),
					subject_text(ld, field->of), _(seg_class_name(permit->class))),
			      _("take the method out, or set class: sanitised"));
	}
}

static void keep_places(struct seg_permit *permit, const struct field *field)
{
	permit->place.id = field_place(&field[KEY_ID]);
	permit->place.class = field_place(&field[KEY_CLASS]);
	permit->place.from = field_place(&field[KEY_FROM]);
	permit->place.to = field_place(&field[KEY_TO]);
	permit->place.source = field_place(&field[KEY_SOURCE]);
	permit->place.destination = field_place(&field[KEY_DESTINATION]);
	permit->place.service = field_place(&field[KEY_SERVICE]);
	permit->place.method = field_place(&field[KEY_METHOD]);
	permit->place.hours = field_place(&field[KEY_HOURS]);
	permit->place.valid = field_place(&field[KEY_VALID]);
	permit->place.at_close = field_place(&field[KEY_AT_CLOSE]);
	permit->place.owner = field_place(&field[KEY_OWNER]);
	permit->place.approver = field_place(&field[KEY_APPROVER]);
	permit->place.ticket = field_place(&field[KEY_TICKET]);
	permit->place.basis = field_place(&field[KEY_BASIS]);
	permit->place.review = field_place(&field[KEY_REVIEW]);
	permit->place.external_audit = field_place(&field[KEY_EXTERNAL_AUDIT]);
}

static void read_meaning(struct loader *ld, const struct subject *of, const struct field *field,
			 struct seg_permit *permit)
{
	struct half from = {0}, to = {0};

	read_sides(ld, &field[KEY_FROM], &from);
	read_sides(ld, &field[KEY_TO], &to);
	ld->noted = ld->diags->errors;
	read_operands(ld, &field[KEY_SOURCE], &from);
	note_flaw(ld, &field[KEY_SOURCE], SEG_PERMIT_SOURCE, &permit->flaws);
	read_operands(ld, &field[KEY_DESTINATION], &to);
	note_flaw(ld, &field[KEY_DESTINATION], SEG_PERMIT_DESTINATION, &permit->flaws);
	if (!ld->hosts_known)
		permit->flaws |= SEG_PERMIT_SOURCE | SEG_PERMIT_DESTINATION;
	finish_sides(ld, of, &from, &to);
	permit->from = from.side;
	permit->n_from = from.n;
	permit->to = to.side;
	permit->n_to = to.n;
	permit->source = from.operand;
	permit->n_source = from.n_operand;
	permit->destination = to.operand;
	permit->n_destination = to.n_operand;
	read_services(ld, &field[KEY_SERVICE], permit);
}

static void read_paper(struct loader *ld, const struct field *field, struct seg_permit *permit)
{
	const struct {
		const char **text;
		unsigned key, flaw;
	} paper[] = {
		{&permit->owner, KEY_OWNER, SEG_PERMIT_OWNER},
		{&permit->approver, KEY_APPROVER, SEG_PERMIT_APPROVER},
		{&permit->ticket, KEY_TICKET, SEG_PERMIT_TICKET},
		{&permit->basis, KEY_BASIS, SEG_PERMIT_BASIS},
		{&permit->external_audit, KEY_EXTERNAL_AUDIT, SEG_PERMIT_AUDIT},
	};

	ld->noted = ld->diags->errors;
	for (size_t i = 0; i < sizeof(paper) / sizeof(*paper); i++) {
		read_text(ld, &field[paper[i].key], paper[i].text);
		note_flaw(ld, &field[paper[i].key], paper[i].flaw, &permit->flaws);
	}
	read_date(ld, &field[KEY_REVIEW], &permit->review);
	note_flaw(ld, &field[KEY_REVIEW], SEG_PERMIT_REVIEW, &permit->flaws);
}

/* What messages call the permit: its id, or its number where it has none. */
static void name_permit(struct loader *ld, const struct yaml_node *node, struct subject *of,
			struct seg_permit *permit)
{
	*of = (struct subject){.format = N_("permit number %s"), .place = node->place};
	for (const struct yaml_node *value = node->kind == YAML_MAPPING ? node->first : NULL; value;
	     value = value->next)
		if (strcmp(value->key->text, "id") == 0 && value->kind == YAML_SCALAR && value->len)
			*of = (struct subject){
				.format = N_("permit '%s'"), .id = value->text, .place = value->place};
	if (!of->id)
		of->id = seg_arena_printf(ld->scratch, "%u", permit->index + 1);
	permit->id = permit->title = seg_arena_strdup(ld->arena, of->id);
}

static void take_id(struct loader *ld, struct seg_permit *permit)
{
	void *first = NULL;

	if (seg_map_add(&ld->policy->permit_by_id, ld->arena, permit->id, permit, &first))
		return;
	seg_diag_relate(ld->diags,
			seg_error(ld->diags, SEG_DUPLICATE, permit->place.id,
				  _("permit '%s': this id is taken already"), permit->id),
			((const struct seg_permit *)first)->place.id, _("first here"));
}

static void read_id(struct loader *ld, const struct field *field, struct seg_permit *permit)
{
	require(ld, field, N_("id: a stable name such as SC-13: counters and history follow it"));
	if (field->value && check_id(ld, field->of, field->value))
		take_id(ld, permit);
}

static void take_over(struct loader *ld, const struct yaml_node *node, unsigned index,
		      struct seg_permit *permit)
{
	unchanged_copy(ld, node, index, permit);
	take_id(ld, permit);
	flatten_services(ld, permit);
}

static void load_permit(struct loader *ld, const struct yaml_node *node, struct seg_permit *permit)
{
	struct field field[PERMIT_KEYS];
	int drain = false;
	struct subject of;
	bool classed;

	permit->flaws = SEG_FLAWED;
	permit->place.permit = node->place;
	name_permit(ld, node, &of, permit);
	if (!read_keys(ld, &of, node, permit_key, PERMIT_KEYS, field))
		return;
	keep_places(permit, field);
	read_id(ld, &field[KEY_ID], permit);
	permit->flaws = 0;
	read_text(ld, &field[KEY_TITLE], &permit->title);
	ld->noted = ld->diags->errors;
	require(ld, &field[KEY_CLASS],
		N_("specific, sanitised, breakout, maintenance, operations or internal"));
	classed = read_class(ld, &field[KEY_CLASS], &permit->class);
	note_flaw(ld, &field[KEY_CLASS], SEG_PERMIT_CLASS, &permit->flaws);
	read_method(ld, &field[KEY_METHOD], classed, permit);
	note_flaw(ld, &field[KEY_METHOD], SEG_PERMIT_METHOD, &permit->flaws);
	require(ld, &field[KEY_FROM], N_("from: the zone, or a list of zones, where connections begin"));
	require(ld, &field[KEY_TO], N_("to: the zone, or a list of zones, where connections go"));
	require(ld, &field[KEY_SERVICE],
		N_("service: [tcp/443], ids of services, or any, which must be written out"));
	read_meaning(ld, &of, field, permit);
	ld->noted = ld->diags->errors;
	read_hours(ld, &field[KEY_HOURS], &permit->schedule);
	note_flaw(ld, &field[KEY_HOURS], SEG_PERMIT_HOURS, &permit->flaws);
	read_valid(ld, &field[KEY_VALID], permit);
	note_flaw(ld, &field[KEY_VALID], SEG_PERMIT_VALID, &permit->flaws);
	read_word(ld, &field[KEY_AT_CLOSE], WORDS(close_word), &drain);
	permit->drain = drain;
	read_paper(ld, field, permit);
	seg_permit_meaning(permit, permit->meaning);
}

void load_permits(struct loader *ld, const struct field *field)
{
	const struct yaml_node *list = field->value;
	struct seg_permit *permit;
	bool same;

	if (!list || list->kind == YAML_BROKEN || yaml_is_empty(list))
		return;
	if (list->kind != YAML_SEQUENCE) {
		seg_diag_hint(
			ld->diags,
			seg_error(ld->diags, SEG_TYPE, list->place, _("the policy: 'permits' takes a list")),
			_("begin each permit with '  - id: ...'"));
		return;
	}
	same = ld->unchanged->known.n && unchanged_surroundings(ld);
	permit = SEG_ROOM(ld->arena, struct seg_permit, list->n);
	ld->policy->permit = permit;
	for (const struct yaml_node *node = list->first; node && !ld->outdated; node = node->next, permit++) {
		unsigned index = (unsigned)ld->policy->permits++;

		if (node->kind == YAML_KNOWN && same) {
			take_over(ld, node, index, permit);
			continue;
		}
		*permit = (struct seg_permit){.index = index};
		if (node->kind == YAML_KNOWN)
			ld->outdated = true;
		else
			load_permit(ld, node, permit);
	}
}
