// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/guard.h"
#include "policy/unchanged.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "base/sha256.h"

enum {
	TOP_SEGD,
	TOP_SITE,
	TOP_TIMEZONE,
	TOP_GUARD,
	TOP_GATEWAY,
	TOP_ZONES,
	TOP_HOSTS,
	TOP_SERVICES,
	TOP_PERMITS,
	TOP_STAGES,
	TOP_KEYS
};
static const char *const top_key[TOP_KEYS] = {
	[TOP_SEGD] = "segd",   [TOP_SITE] = "site",	    [TOP_TIMEZONE] = "timezone",
	[TOP_GUARD] = "guard", [TOP_GATEWAY] = "gateway",   [TOP_ZONES] = "zones",
	[TOP_HOSTS] = "hosts", [TOP_SERVICES] = "services", [TOP_PERMITS] = "permits",
	[TOP_STAGES] = "stages",
};

enum { HOST_ADDRESS, HOST_EXCEPT, HOST_MAC, HOST_ASSURANCE, HOST_PUBLISHED, HOST_TITLE, HOST_KEYS };
static const char *const host_key[HOST_KEYS] = {
	[HOST_ADDRESS] = "address",	[HOST_EXCEPT] = "except",	[HOST_MAC] = "mac",
	[HOST_ASSURANCE] = "assurance", [HOST_PUBLISHED] = "published", [HOST_TITLE] = "title",
};

static void read_version(struct loader *ld, const struct field *field)
{
	const struct yaml_node *node = field->value;

	require(ld, field, N_("segd: 1, the version of the format, stands at the top of the file"));
	if (!node || node->kind == YAML_BROKEN || (node->kind == YAML_SCALAR && strcmp(node->text, "1") == 0))
		return;
	if (node->kind == YAML_SCALAR && node->len && strspn(node->text, "0123456789") == node->len)
		seg_diag_hint(
			ld->diags,
			seg_error(ld->diags, SEG_RANGE, node->place,
				  _("the policy: this program reads version 1 of the format, not version %s"),
				  node->text),
			_("write segd: 1, or use a newer segd"));
	else
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_TYPE, node->place,
					_("the policy: 'segd' takes the number of the format's version")),
			      _("write segd: 1"));
}

static void read_timezone(struct loader *ld, const struct field *field)
{
	const char *zone = NULL;

	if (!read_text(ld, field, &zone))
		return;
	if (seg_timezone_known(zone))
		ld->policy->timezone = zone;
	else
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_UNKNOWN_NAME, field->value->place,
					_("the policy: this system knows no time zone '%s'"), zone),
			      _("such as %s; `timedatectl list-timezones` lists them"), "Asia/Tokyo");
}

static void read_guard(struct loader *ld, const struct field *field)
{
	static const struct word words[] = {{"municipal", SEG_GUARD_MUNICIPAL}, {"none", SEG_GUARD_NONE}};
	int guard = SEG_GUARD_MUNICIPAL;

	read_word(ld, field, WORDS(words), &guard);
	ld->policy->guard = (enum seg_guard)guard;
	ld->policy->guard_place = field_place(field);
}

const struct yaml_node *declarations(struct loader *ld, const struct field *field)
{
	const struct yaml_node *node = field->value;

	if (!node || node->kind == YAML_BROKEN || yaml_is_empty(node))
		return NULL;
	if (node->kind == YAML_MAPPING)
		return node->first;
	seg_diag_hint(ld->diags,
		      seg_error(ld->diags, SEG_TYPE, node->place,
				_("the policy: '%s' takes declarations, each under its id"), field->key),
		      _("such as '  an-id: ...' on a line of its own"));
	return NULL;
}

static bool read_mac(struct loader *ld, const struct field *field, struct seg_host *host)
{
	struct seg_diag *diag = NULL;
	const char *text;

	host->mac_place = field_place(field);
	if (!read_text(ld, field, &text))
		return false;
	host->has_mac = seg_mac_parse(text, strlen(text), host->mac);
	if (host->has_mac && !(host->mac[0] & 1))
		return true;
	if (host->has_mac)
		seg_error(ld->diags, SEG_RANGE, host->mac_place,
			  _("host '%s': %s is a group's address, not a card's"), host->id, text);
	else
		diag = seg_error(ld->diags, SEG_TYPE, host->mac_place,
				 _("host '%s': '%s' is not a MAC address"), host->id, text);
	if (diag && !hint_narrow(ld, diag, text, strlen(text)))
		seg_diag_hint(ld->diags, diag, _("such as %s"), "\"00:00:5e:00:53:41\"");
	return false;
}

static bool fits_mac(struct seg_ranges ranges)
{
	seg_addr n = 0;

	for (size_t i = 0; i < ranges.n; i++) {
		if (ranges.range[i].hi - ranges.range[i].lo >= MAC_ADDRESSES)
			return false;
		n += ranges.range[i].hi - ranges.range[i].lo + 1;
	}
	return n <= MAC_ADDRESSES;
}

static void resolve_host(struct loader *ld, struct seg_host *host)
{
	struct seg_ranges address = entries_ranges(ld, &host->address);

	host->ranges = seg_ranges_subtract(ld->arena, address, entries_ranges(ld, &host->except));
	if (!host->ranges.n) {
		seg_error(ld->diags, SEG_RANGE, host->except.entry[0].place,
			  _("host '%s': 'except' takes out every address"), host->id);
		return;
	}
	if (host->has_mac && !fits_mac(host->ranges))
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_RANGE, host->address_place,
					_("host '%s': a host with a mac has at most %d addresses"), host->id,
					MAC_ADDRESSES),
			      _("one mac is one machine: name its addresses, or leave the mac out"));
	place_host(ld, host);
}

/* A permit names hosts and addresses in one list: no id may read as something else there. */
static void check_host_id(struct loader *ld, const struct subject *of, const struct yaml_node *key)
{
	struct seg_range range;
	const char *reason;

	if (!check_id(ld, of, key))
		return;
	if (seg_range_parse(key->text, key->len, true, &range, &reason))
		seg_error(ld->diags, SEG_TYPE, key->place,
			  _("%s: an id that reads as an address would hide that address"),
			  subject_text(ld, of));
	else if (strcmp(key->text, "any") == 0 || strncmp(key->text, "file:", 5) == 0)
		seg_error(ld->diags, SEG_TYPE, key->place,
			  _("%s: 'any' and 'file:' mean something of their own in a list of addresses"),
			  subject_text(ld, of));
}

static void load_host(struct loader *ld, const struct yaml_node *node, struct seg_host *host)
{
	static const struct word assurances[] = {{"closed", SEG_ASSURANCE_CLOSED},
						 {"certified", SEG_ASSURANCE_CERTIFIED}};
	struct subject of = {.format = N_("host '%s'"), .id = node->key->text, .place = node->key->place};
	int assurance = SEG_ASSURANCE_NONE;
	struct field field[HOST_KEYS];
	struct list address, except;
	bool whole;

	*host = (struct seg_host){.flaws = SEG_FLAWED, .place = node->key->place};
	host->id = host->title = seg_arena_strndup(ld->arena, node->key->text, node->key->len);
	check_host_id(ld, &of, node->key);
	if (!read_keys(ld, &of, node, host_key, HOST_KEYS, field))
		return;
	host->flaws = 0;
	read_text(ld, &field[HOST_TITLE], &host->title);
	ld->noted = ld->diags->errors;
	read_text(ld, &field[HOST_PUBLISHED], &host->published);
	note_flaw(ld, &field[HOST_PUBLISHED], SEG_HOST_PUBLISHED, &host->flaws);
	read_word(ld, &field[HOST_ASSURANCE], WORDS(assurances), &assurance);
	host->assurance = (enum seg_assurance)assurance;
	note_flaw(ld, &field[HOST_ASSURANCE], SEG_HOST_ASSURANCE, &host->flaws);
	read_mac(ld, &field[HOST_MAC], host);
	note_flaw(ld, &field[HOST_MAC], SEG_HOST_MAC, &host->flaws);
	require(ld, &field[HOST_ADDRESS],
		N_("address: 10.1.0.5, or a list of addresses, prefixes and ranges"));
	host->address_place = field_place(&field[HOST_ADDRESS]);
	whole = read_addresses(ld, &field[HOST_ADDRESS], LIST_HOST, &address);
	if (field[HOST_EXCEPT].value)
		whole = read_addresses(ld, &field[HOST_EXCEPT], LIST_HOST, &except) && whole;
	else
		except = (struct list){0};
	host->address = address.entries;
	host->except = except.entries;
	if (whole)
		resolve_host(ld, host);
	note_flaw(ld, &field[HOST_ADDRESS], SEG_HOST_ADDRESS, &host->flaws);
	note_flaw(ld, &field[HOST_EXCEPT], SEG_HOST_ADDRESS, &host->flaws);
}

static void load_hosts(struct loader *ld, const struct field *field)
{
	const struct yaml_node *node = declarations(ld, field);
	struct seg_host *host = SEG_NEW_N(ld->arena, struct seg_host, node ? field->value->n : 0);

	ld->policy->host = host;
	for (; node; node = node->next, host++) {
		void *first = NULL;

		load_host(ld, node, host);
		if (!seg_map_add(&ld->host_by_id, ld->scratch, host->id, host, &first)) {
			((struct seg_host *)first)->flaws = SEG_FLAWED;
			seg_diag_relate(ld->diags,
					seg_error(ld->diags, SEG_DUPLICATE, host->place,
						  _("host '%s' is declared a second time"), host->id),
					((const struct seg_host *)first)->place, _("first here"));
		}
		ld->policy->hosts++;
	}
}

static bool is_item(const char *text)
{
	struct seg_service_item item;
	enum seg_diag_code code;
	const char *reason;

	return seg_service_item_parse(text, strlen(text), &item, &code, &reason);
}

/* "TCP/22", "tcp:22", "22/tcp" and "22", as other equipment and its lists write it. */
static void hint_item(struct loader *ld, struct seg_diag *diag, const char *text, size_t len)
{
	char *plain, *turned, *slash;

	if (!diag || hint_narrow(ld, diag, text, len))
		return;
	if (hint_number(ld, diag, text))
		return;
	plain = seg_arena_strndup(ld->scratch, text, len);
	for (char *c = plain; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	slash = plain + strcspn(plain, "/: ");
	if (!*slash)
		return;
	*slash = '/';
	turned = seg_arena_alloc(ld->scratch, len + 1);
	snprintf(turned, len + 1, "%s/%.*s", slash + 1, (int)(slash - plain), plain);
	if (is_item(plain))
		seg_diag_hint(ld->diags, diag, _("did you mean '%s'?"), plain);
	else if (is_item(turned))
		seg_diag_hint(ld->diags, diag, _("did you mean '%s'?"), turned);
}

bool read_item(struct loader *ld, const struct subject *of, const struct yaml_node *node,
	       struct seg_service_item *item)
{
	enum seg_diag_code code;
	const char *reason;

	if (!seg_service_item_parse(node->text, node->len, item, &code, &reason)) {
		hint_item(ld,
			  seg_error(ld->diags, code, node->place, _("%s: '%s' is no service: %s"),
				    subject_text(ld, of), node->text, _(reason)),
			  node->text, node->len);
		return false;
	}
	item->place = node->place;
	return true;
}

static void load_service(struct loader *ld, const struct yaml_node *node, struct seg_service *service)
{
	struct subject of = {.format = N_("service '%s'"), .id = node->key->text, .place = node->key->place};
	struct field field = {.of = &of, .key = node->key->text, .value = node};
	const struct yaml_node **items;
	struct seg_service_item *item;
	bool whole;
	size_t n;

	*service = (struct seg_service){.place = node->key->place};
	service->id = seg_arena_strndup(ld->arena, node->key->text, node->key->len);
	if (check_id(ld, &of, node->key) && (strchr(service->id, '/') || strcmp(service->id, "any") == 0))
		seg_error(ld->diags, SEG_TYPE, service->place,
			  _("service '%s': an id has no '/' and is not 'any', which mean something of their "
			    "own"),
			  service->id);
	n = read_list(ld, &field, &items, &whole);
	item = SEG_NEW_N(ld->arena, struct seg_service_item, n);
	for (size_t i = 0; i < n; i++) {
		if (!read_item(ld, &of, items[i], &item[i])) {
			whole = false;
		} else if (item[i].any) {
			seg_diag_hint(ld->diags,
				      seg_error(ld->diags, SEG_TYPE, items[i]->place,
						_("service '%s': 'any' cannot hide behind a name"),
						service->id),
				      _("write service: [any] in the permit itself"));
			whole = false;
		}
	}
	if (whole) {
		service->item = item;
		service->n = n;
	}
}

static void load_services(struct loader *ld, const struct field *field)
{
	const struct yaml_node *node = declarations(ld, field);
	struct seg_service *service = SEG_NEW_N(ld->arena, struct seg_service, node ? field->value->n : 0);

	ld->policy->service = service;
	for (; node; node = node->next, service++) {
		void *first = NULL;

		load_service(ld, node, service);
		if (!seg_map_add(&ld->service_by_id, ld->scratch, service->id, service, &first)) {
			((struct seg_service *)first)->flaws = SEG_FLAWED;
			seg_diag_relate(ld->diags,
					seg_error(ld->diags, SEG_DUPLICATE, service->place,
						  _("service '%s' is declared a second time"), service->id),
					((const struct seg_service *)first)->place, _("first here"));
		}
		ld->policy->services++;
	}
}

static void read_gateway(struct loader *ld, const struct field *field)
{
	struct list list;

	if (!field->value)
		return;
	ld->policy->has_gateway = true;
	if (read_addresses(ld, field, LIST_GATEWAY, &list))
		ld->policy->gateway = list.entries;
}

/* Could the declarations be read, or are there none? */
static bool is_readable(const struct field *field)
{
	return field->value ? field->value->kind == YAML_MAPPING || yaml_is_empty(field->value)
			    : !field->misspelt;
}

static void load_top(struct loader *ld, const struct yaml_node *root)
{
	struct subject of = {.format = N_("the policy%s"), .id = "", .place = root->place};
	struct field field[TOP_KEYS];
	unsigned unsure = 0;

	if (!read_keys(ld, &of, root, top_key, TOP_KEYS, field))
		return;
	ld->noted = ld->diags->errors;
	read_version(ld, &field[TOP_SEGD]);
	note_flaw(ld, &field[TOP_SEGD], 1, &unsure);
	read_guard(ld, &field[TOP_GUARD]);
	note_flaw(ld, &field[TOP_GUARD], 1, &unsure);
	ld->guard_known = !unsure;
	read_text(ld, &field[TOP_SITE], &ld->policy->site);
	read_timezone(ld, &field[TOP_TIMEZONE]);
	read_gateway(ld, &field[TOP_GATEWAY]);
	require(ld, &field[TOP_ZONES],
		N_("zones: declares at least one zone, with tier, interfaces and networks"));
	if (field[TOP_ZONES].value && !declarations(ld, &field[TOP_ZONES]) &&
	    (yaml_is_empty(field[TOP_ZONES].value) || field[TOP_ZONES].value->kind == YAML_MAPPING))
		seg_error(ld->diags, SEG_MISSING, field[TOP_ZONES].value->place,
			  _("the policy declares no zone"));
	ld->hosts_known = is_readable(&field[TOP_HOSTS]);
	ld->services_known = is_readable(&field[TOP_SERVICES]);
	load_zones(ld, &field[TOP_ZONES]);
	load_hosts(ld, &field[TOP_HOSTS]);
	load_services(ld, &field[TOP_SERVICES]);
	load_permits(ld, &field[TOP_PERMITS]);
	if (ld->outdated)
		return;
	ld->permits_known = !field[TOP_PERMITS].misspelt &&
			    (!field[TOP_PERMITS].value || field[TOP_PERMITS].value->kind == YAML_SEQUENCE);
	load_stages(ld, &field[TOP_STAGES]);
}

/* Without lists the hash is that of the file, as sha256sum prints it; each list follows behind
 * its name, so that no text can pass for another division of the same bytes. */
static void compute_hash(struct seg_policy *policy)
{
	struct seg_sha256 sha;

	seg_sha256_init(&sha);
	for (size_t i = 0; i < policy->sources; i++) {
		const struct seg_source *source = policy->source[i];

		if (i > 0) {
			seg_sha256_add(&sha, "", 1);
			seg_sha256_add(&sha, source->name, strlen(source->name) + 1);
		}
		seg_sha256_add(&sha, source->text, source->len);
	}
	seg_sha256_hex(&sha, policy->hash);
}

/* Whoever is shown errors shall not have to mend them before the guard tells its own. */
static void judge_what_is_right(const struct loader *ld)
{
	if (ld->guard_known)
		seg_guard_check(ld->policy, ld->diags);
}

/* NULL after an error, or where nothing can be taken over from before; before: may be NULL. */
static struct seg_policy *load_after(const struct seg_policy *before, const char *name, const char *text,
				     size_t len, const struct seg_reader *reader, struct seg_diags *diags)
{
	struct unchanged unchanged;
	struct loader ld = {.arena = seg_arena_new(),
			    .scratch = seg_arena_new(),
			    .diags = diags,
			    .reader = reader,
			    .unchanged = &unchanged};
	size_t errors = diags->errors;
	const struct yaml_node *root;

	ld.policy = SEG_NEW(ld.arena, struct seg_policy);
	ld.policy->arena = ld.arena;
	SEG_PUSH(ld.arena, ld.source, ld.sources, ld.source_cap) = seg_source_new(diags, name, text, len);
	unchanged_find(&unchanged, before, ld.source[0], ld.scratch);
	root = yaml_parse(ld.source[0], &unchanged.known, ld.scratch, diags);
	if (root)
		load_top(&ld, root);
	ld.policy->source = ld.source;
	ld.policy->sources = ld.sources;
	seg_arena_free(ld.scratch);
	if (diags->errors > errors || ld.outdated) {
		if (!before)
			judge_what_is_right(&ld);
		seg_policy_free(ld.policy);
		return NULL;
	}
	compute_hash(ld.policy);
	return ld.policy;
}

struct seg_policy *seg_policy_load(const char *name, const char *text, size_t len,
				   const struct seg_reader *reader, struct seg_diags *diags)
{
	return load_after(NULL, name, text, len, reader, diags);
}

struct seg_policy *seg_policy_reload(const struct seg_policy *before, const char *name, const char *text,
				     size_t len, const struct seg_reader *reader, struct seg_diags *diags)
{
	struct seg_policy *policy = before ? load_after(before, name, text, len, reader, diags) : NULL;

	if (policy)
		return policy;
	/* What is wrong is said by a reading of the whole. */
	seg_diags_fini(diags);
	seg_diags_init(diags);
	return load_after(NULL, name, text, len, reader, diags);
}
