// SPDX-License-Identifier: GPL-2.0-or-later
/* What the loader makes of a policy. What it says about wrong ones is in tests/golden/check. */
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "policy/load.h"
#include "runner.h"

static const char town[] =
	"segd: 1\n"
	"site: 雪代村\n"
	"timezone: Asia/Tokyo\n"
	"gateway: [10.1.0.1, \"2001:db8:2::1\"]\n"
	"zones:\n"
	"  mn:  {title: 個人番号, tier: マイナンバー利用事務系, interfaces: [mn0], networks: [10.1.0.0/24]}\n"
	"  lg:  {tier: lgwan, interfaces: [lg0, \"vlan*\"], networks: [10.2.0.0/22, \"2001:db8:2::/64\"],\n"
	"        intra: allow, wan: true, refuse: reject}\n"
	"  out: {tier: internet, interfaces: out0, networks: [192.0.2.0/25, any], link: routed, uplink: "
	"true,\n"
	"        public: true}\n"
	"hosts:\n"
	"  batch:  {address: 10.1.0.20, mac: \"00-00-5E-00-53-20\", title: 連携}\n"
	"  staff:  {address: [10.2.1.0/24, 10.2.2.0-10.2.2.63], except: [10.2.1.200/29]}\n"
	"  cloud:  {address: 192.0.2.7, assurance: certified, published: 公表}\n"
	"  group:  {address: 224.0.0.18}\n"
	"services:\n"
	"  https: tcp/443\n"
	"  rdp:   [tcp/3389, udp/3389]\n"
	"permits:\n"
	"  - {id: S-1, title: 申告, class: 特定通信, from: mn, to: lg, source: [batch, 10.1.0.30],\n"
	"     destination: [staff], service: [https, rdp, icmp/8], hours: [mon-fri 08:00-20:00],\n"
	"     valid: {from: 2026-04-01, until: 2027-03-31}, at-close: drain, owner: 税務課, approver: CISO,\n"
	"     ticket: 例外-7, basis: 条例, review: 2027-02-15, external-audit: 2026-02 実施}\n"
	"  - {id: Z-1, class: sanitised, method: 画面転送, from: [lg, mn], to: out, source: [staff, "
	"10.0.0.0/8],\n"
	"     service: any}\n"
	"  - {id: V-1, class: operations, from: gateway, to: [lg, gateway], destination: group,\n"
	"     service: proto/112}\n"
	"  - {id: D-1, class: operations, from: lg, to: gateway, source: [0.0.0.0, \"fe80::/10\", "
	"192.0.2.1],\n"
	"     destination: 10.2.0.1, service: [udp/67]}\n";

static struct fixture fixture;

static void setup(void)
{
	fixture_init(&fixture, town);
}

static void teardown(void)
{
	fixture_fini(&fixture);
}

static seg_addr addr(const char *text)
{
	seg_addr value = 0;

	ck_assert(seg_addr_parse(text, strlen(text), &value));
	return value;
}

static void assert_ranges(struct seg_ranges ranges, const char *expected)
{
	struct seg_strbuf out = {0};
	char buf[SEG_RANGE_STRLEN];

	for (size_t i = 0; i < ranges.n; i++)
		seg_strbuf_printf(&out, "%s%s", i ? " " : "", seg_range_format(ranges.range[i], buf));
	ck_assert_str_eq(seg_strbuf_text(&out), expected);
	seg_strbuf_fini(&out);
}

static void assert_covers(struct seg_place place, const char *expected)
{
	char *text = fixture_text_at(place);

	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(top)
{
	const struct seg_policy *p = fixture.policy;

	ck_assert_str_eq(p->site, "雪代村");
	ck_assert_str_eq(p->timezone, "Asia/Tokyo");
	ck_assert_int_eq(p->guard, SEG_GUARD_MUNICIPAL);
	ck_assert(p->has_gateway);
	ck_assert_uint_eq(p->gateway.n, 2);
	ck_assert_uint_eq(p->zones, 3);
	ck_assert_uint_eq(p->hosts, 4);
	ck_assert_uint_eq(p->services, 2);
	ck_assert_uint_eq(p->permits, 4);
}
END_TEST

START_TEST(zones)
{
	const struct seg_zone *mn = seg_policy_zone(fixture.policy, "mn");
	const struct seg_zone *lg = seg_policy_zone(fixture.policy, "lg");
	const struct seg_zone *out = seg_policy_zone(fixture.policy, "out");

	ck_assert_str_eq(mn->title, "個人番号");
	ck_assert_int_eq(mn->tier, SEG_TIER_MYNUMBER);
	ck_assert(!mn->intra_allow && !mn->routed && !mn->wan && !mn->uplink && !mn->public && !mn->reject);
	assert_covers(mn->place, "mn");
	ck_assert_str_eq(lg->title, "lg");
	ck_assert(lg->intra_allow && lg->wan && lg->reject && !lg->routed);
	ck_assert_uint_eq(lg->interfaces, 2);
	ck_assert_str_eq(lg->interface[1].name, "vlan");
	ck_assert(lg->interface[1].prefix && !lg->interface[0].prefix);
	ck_assert(out->routed && out->uplink && out->public && out->any);
	ck_assert_uint_eq(out->networks.n, 1);
	assert_covers(out->any_place, "any");
	assert_covers(lg->networks.entry[1].place, "\"2001:db8:2::/64\"");
	ck_assert_uint_eq(out->index, 2);
	ck_assert_ptr_eq(seg_policy_zone(fixture.policy, "gateway"), fixture.policy->gateway_zone);
	ck_assert_uint_eq(fixture.policy->gateway_zone->index, 3);
	ck_assert_ptr_null(seg_policy_zone(fixture.policy, "nowhere"));
}
END_TEST

START_TEST(every_address_has_its_zone)
{
	static const struct {
		const char *address, *zone;
	} cases[] = {
		{"10.1.0.0", "mn"},
		{"10.1.0.255", "mn"},
		{"10.1.1.0", "out"},
		{"10.2.3.255", "lg"},
		{"2001:db8:2::9", "lg"},
		{"192.0.2.1", "out"},
		{"2001:db8:3::1", "out"},
		{"0.0.0.0", "out"},
		{"255.255.255.255", "out"},
		{"::", "out"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "out"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_str_eq(seg_policy_zone_of(fixture.policy, addr(cases[i].address))->id,
				 cases[i].zone);
	assert_ranges(fixture.policy->named, "10.1.0.0/24 10.2.0.0/22 192.0.2.0/25 2001:db8:2::/64");
}
END_TEST

START_TEST(hosts)
{
	const struct seg_host *host = fixture.policy->host;
	static const uint8_t mac[] = {0, 0, 0x5e, 0, 0x53, 0x20};

	ck_assert_str_eq(host[0].id, "batch");
	ck_assert_str_eq(host[0].title, "連携");
	ck_assert(host[0].has_mac);
	ck_assert_mem_eq(host[0].mac, mac, 6);
	ck_assert_str_eq(host[0].zone->id, "mn");
	assert_covers(host[0].address_place, "10.1.0.20");
	assert_ranges(host[1].ranges, "10.2.1.0-10.2.1.199 10.2.1.208-10.2.2.63");
	ck_assert_uint_eq(host[1].address.n, 2);
	ck_assert_uint_eq(host[1].except.n, 1);
	ck_assert_int_eq(host[2].assurance, SEG_ASSURANCE_CERTIFIED);
	ck_assert_str_eq(host[2].published, "公表");
	ck_assert(host[0].used && host[1].used && !host[2].used && host[3].used);
	/* A group is of no zone, even where one has `any`. */
	ck_assert_ptr_null(host[3].zone);
}
END_TEST

START_TEST(permit_keys)
{
	const struct seg_permit *s = seg_policy_permit(fixture.policy, "S-1");
	const struct seg_permit *z = seg_policy_permit(fixture.policy, "Z-1");
	seg_date date;

	ck_assert_str_eq(s->title, "申告");
	ck_assert_int_eq(s->class, SEG_CLASS_SPECIFIC);
	ck_assert_int_eq(s->method, SEG_METHOD_NONE);
	ck_assert(s->drain && s->has_valid);
	ck_assert_str_eq(s->owner, "税務課");
	ck_assert_str_eq(s->approver, "CISO");
	ck_assert_str_eq(s->ticket, "例外-7");
	ck_assert_str_eq(s->basis, "条例");
	ck_assert_str_eq(s->external_audit, "2026-02 実施");
	ck_assert(seg_date_parse("2027-02-15", 10, &date));
	ck_assert_int_eq(s->review, date);
	ck_assert(seg_date_parse("2027-03-31", 10, &date));
	ck_assert_int_eq(s->schedule.until, date);
	ck_assert_uint_eq(s->schedule.n_hours, 1);
	ck_assert_uint_eq(s->schedule.hours[0].start, 480);
	ck_assert_uint_eq(s->n_items, 4);
	ck_assert_uint_eq(s->item[2].proto, IPPROTO_UDP);
	assert_covers(s->item[1].place, "tcp/3389");
	assert_covers(s->service[1].place, "rdp");
	assert_covers(s->place.id, "S-1");
	assert_covers(s->place.valid_until, "2027-03-31");
	assert_covers(s->place.destination, "[staff]");
	ck_assert_ptr_null(s->place.method.source);
	ck_assert_str_eq(z->title, "Z-1");
	ck_assert_int_eq(z->method, SEG_METHOD_SCREEN);
	ck_assert(!z->drain && !z->has_valid && !z->schedule.n_hours && !z->owner && !z->review);
	ck_assert(z->n_items == 1 && z->item[0].any);
	ck_assert_uint_eq(z->index, 1);
}
END_TEST

/* One end of a span alone is a span: a date left unread would leave a permit open for ever. */
START_TEST(half_a_span)
{
	char *until = fixture_replace(town, "from: 2026-04-01, until", "until");
	char *from = fixture_replace(town, ", until: 2027-03-31", "");
	struct fixture half;
	seg_date date;

	fixture_init(&half, until);
	ck_assert(seg_date_parse("2027-03-31", 10, &date));
	ck_assert_int_eq(half.policy->permit[0].schedule.from, 0);
	ck_assert_int_eq(half.policy->permit[0].schedule.until, date);
	fixture_fini(&half);
	fixture_init(&half, from);
	ck_assert(seg_date_parse("2026-04-01", 10, &date));
	ck_assert_int_eq(half.policy->permit[0].schedule.from, date);
	ck_assert_int_eq(half.policy->permit[0].schedule.until, 0);
	fixture_fini(&half);
	free(until);
	free(from);
}
END_TEST

START_TEST(mac_binds_the_source)
{
	const struct seg_permit *s = seg_policy_permit(fixture.policy, "S-1");

	ck_assert(!s->from[0].whole);
	assert_ranges(s->from[0].ranges, "10.1.0.30");
	ck_assert_uint_eq(s->from[0].n_bound, 1);
	ck_assert(s->from[0].bound[0].range.lo == addr("10.1.0.20"));
	assert_ranges(s->to[0].ranges, "10.2.1.0-10.2.1.199 10.2.1.208-10.2.2.63");
	ck_assert_uint_eq(s->to[0].n_bound, 0);
}
END_TEST

START_TEST(each_zone_takes_its_own)
{
	const struct seg_permit *z = seg_policy_permit(fixture.policy, "Z-1");

	/* The host counts in lg alone; of 10.0.0.0/8 each zone has its part. */
	ck_assert_uint_eq(z->n_from, 2);
	assert_ranges(z->from[0].ranges, "10.2.0.0/22");
	assert_ranges(z->from[1].ranges, "10.1.0.0/24");
	ck_assert(z->to[0].whole);
	ck_assert_uint_eq(z->n_destination, 0);
	assert_covers(z->from[1].place, "mn");
}
END_TEST

START_TEST(opposite_the_gateway)
{
	const struct seg_permit *v = seg_policy_permit(fixture.policy, "V-1");
	const struct seg_permit *d = seg_policy_permit(fixture.policy, "D-1");

	ck_assert_int_eq(v->from[0].zone->tier, SEG_TIER_GATEWAY);
	ck_assert(v->from[0].whole);
	/* A group belongs to the interface it is seen on: to every zone. */
	assert_ranges(v->to[0].ranges, "224.0.0.18");
	assert_ranges(v->to[1].ranges, "224.0.0.18");
	/* Unspecified and link-local sources too; 192.0.2.1 is another zone's. */
	assert_ranges(d->from[0].ranges, "0.0.0.0 fe80::/10");
	assert_ranges(d->to[0].ranges, "10.2.0.1");
}
END_TEST

START_TEST(whole_ipv6_is_not_ipv4)
{
	struct fixture six;

	fixture_init(&six, "segd: 1\nguard: none\nzones:\n"
			   "  a: {tier: lgwan, interfaces: [a], networks: [\"::/0\"]}\n"
			   "  b: {tier: lgwan, interfaces: [b], networks: [0.0.0.0/0]}\n");
	ck_assert_str_eq(seg_policy_zone_of(six.policy, addr("192.0.2.1"))->id, "b");
	ck_assert_str_eq(seg_policy_zone_of(six.policy, addr("::1"))->id, "a");
	ck_assert_str_eq(seg_policy_zone_of(six.policy, addr("2001:db8::1"))->id, "a");
	fixture_fini(&six);
}
END_TEST

/* --- lists --- */

struct shelf {
	const char *text;
	int reads;
};

static char *read_shelf(void *context, const char *path, size_t *len, const char **error)
{
	struct shelf *shelf = context;

	shelf->reads++;
	if (strcmp(path, "l.txt") != 0) {
		*error = "not there";
		return NULL;
	}
	*len = strlen(shelf->text);
	return strdup(shelf->text);
}

static const char with_list[] = "segd: 1\nguard: none\nzones:\n"
				"  a: {tier: lgwan, interfaces: [a], networks: [\"file:l.txt\"]}\n"
				"hosts:\n  h: {address: \"file:l.txt\"}\n";

static struct seg_policy *load_shelf(const char *text, struct shelf *shelf, struct seg_diags *diags)
{
	struct seg_reader reader = {.read = read_shelf, .context = shelf};

	return seg_policy_load("policy.yaml", text, strlen(text), &reader, diags);
}

START_TEST(lists_are_read_once)
{
	struct shelf shelf = {
		.text = "\xef\xbb\xbf# head\r\n10.1.0.0/24\r\n\r\n\t10.2.0.5 # x\n10.3.0.1-10.3.0.9"};
	struct seg_position at;
	struct seg_diags diags;
	struct seg_policy *policy;

	seg_diags_init(&diags);
	policy = load_shelf(with_list, &shelf, &diags);
	ck_assert_ptr_nonnull(policy);
	ck_assert_int_eq(shelf.reads, 1);
	assert_ranges(policy->host[0].ranges, "10.1.0.0/24 10.2.0.5 10.3.0.1-10.3.0.9");
	ck_assert_uint_eq(policy->sources, 2);
	ck_assert_str_eq(policy->source[1]->name, "l.txt");
	at = seg_place_position(&policy->host[0].address.entry[1].place);
	ck_assert_uint_eq(at.line, 4);
	ck_assert_uint_eq(at.column, 2);
	seg_policy_free(policy);
	seg_diags_fini(&diags);
}
END_TEST

START_TEST(the_hash_knows_the_lists)
{
	const char *texts[] = {"10.1.0.0/24\n", "10.1.0.0/25\n", "10.1.0.0/24\n"};
	char hash[3][65];

	for (int i = 0; i < 3; i++) {
		struct shelf shelf = {.text = texts[i]};
		struct seg_diags diags;
		struct seg_policy *policy;

		seg_diags_init(&diags);
		policy = load_shelf(with_list, &shelf, &diags);
		ck_assert_ptr_nonnull(policy);
		memcpy(hash[i], policy->hash, 65);
		seg_policy_free(policy);
		seg_diags_fini(&diags);
	}
	ck_assert_str_ne(hash[0], hash[1]);
	ck_assert_str_eq(hash[0], hash[2]);
}
END_TEST

START_TEST(the_hash_of_one_file_is_its_own)
{
	struct fixture small;

	fixture_init(&small, "segd: 1\nzones: {a: {tier: lgwan, interfaces: a, networks: any}}\n");
	ck_assert_str_eq(small.policy->hash,
			 "f6a79b902fe9999b2da7c6b46df9f1f090f920a5c8ab392805aa5b5e38a50d0e");
	fixture_fini(&small);
}
END_TEST

/* --- many at once --- */

/* Without the guard's: the town breaks its rules, which is for test_guard.c. */
static size_t count_errors(const char *text)
{
	struct seg_diags diags;
	size_t errors = 0;

	seg_diags_init(&diags);
	ck_assert_ptr_null(seg_policy_load("policy.yaml", text, strlen(text), NULL, &diags));
	for (const struct seg_diag *diag = diags.first; diag; diag = diag->next)
		errors += diag->code < SEG_G1 || diag->code > SEG_G9;
	seg_diags_fini(&diags);
	return errors;
}

START_TEST(all_mistakes_in_one_run)
{
	char *one = fixture_replace(town, "icmp/8", "icmp/300"),
	     *two = fixture_replace(one, "to: out", "to: uot");
	char *three = fixture_replace(two, "mac: \"00-00-5E", "mac: \"00-00-GE");
	char *four = fixture_replace(three, "refuse: reject", "refuse: never");

	ck_assert_uint_eq(count_errors(one), 1);
	ck_assert_uint_eq(count_errors(two), 2);
	ck_assert_uint_eq(count_errors(three), 3);
	ck_assert_uint_eq(count_errors(four), 4);
	free(one);
	free(two);
	free(three);
	free(four);
}
END_TEST

START_TEST(a_broken_zone_is_one_mistake)
{
	char *text = fixture_replace(town, "[10.1.0.0/24]", "[10.1.0.0/240]");

	/* Not its host, nor the permits that name the zone or the host. */
	ck_assert_uint_eq(count_errors(text), 1);
	free(text);
}
END_TEST

START_TEST(earlier_diagnostics_do_not_matter)
{
	struct seg_diags diags;
	struct seg_policy *policy;

	seg_diags_init(&diags);
	seg_error(&diags, SEG_TYPE, (struct seg_place){0}, "of another file");
	policy = seg_policy_load("policy.yaml", town, strlen(town), NULL, &diags);
	ck_assert_ptr_nonnull(policy);
	seg_policy_free(policy);
	seg_diags_fini(&diags);
}
END_TEST

START_TEST(odd_texts)
{
	static const char *const odd[] = {"",
					  "\n",
					  "# only this\n",
					  "x",
					  "[]",
					  "- a\n",
					  "{}",
					  "---\n...\n",
					  "null",
					  "segd: 1\nzones:\n",
					  "\xef\xbb\xbf",
					  "%YAML 1.2\n---\nsegd: 1\n",
					  "? \n",
					  "segd: 1\n\0zones",
					  ": :\n",
					  "zones: {a}\n",
					  "permits: [[]]\n"};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		ck_assert_uint_gt(count_errors(odd[i]), 0);
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
	struct seg_diags diags;

	seg_diags_init(&diags);
	ck_assert_ptr_null(seg_policy_load_file(NULL, "/nonexistent/policy.yaml", &diags));
	ck_assert_ptr_null(seg_policy_load_file(NULL, "/", &diags));
	ck_assert_uint_eq(diags.errors, 2);
	ck_assert_ptr_null(diags.first->place.source);
	seg_diags_fini(&diags);
}
END_TEST

/* Who may not read it, and what lets him: of a list as of the policy, of the daemon as of a person. */
START_TEST(files_that_may_not_be_read)
{
	char dir[] = "/tmp/seg-load-XXXXXX", policy[64], list[64], text[1024];
	struct seg_diags diags;
	FILE *file;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	snprintf(policy, sizeof(policy), "%s/policy.yaml", dir);
	snprintf(list, sizeof(list), "%s/list.txt", dir);
	file = fopen(policy, "w");
	fputs("segd: 1\nguard: none\nzones: {a: {tier: lgwan, interfaces: [e], networks: ['file:list.txt']}}\n"
	      "permits: []\n",
	      file);
	fclose(file);
	file = fopen(list, "w");
	fclose(file);
	ck_assert_int_eq(chmod(policy, 0644), 0);
	ck_assert_int_eq(chmod(list, 0), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);

	seg_diags_init(&diags);
	ck_assert_ptr_null(seg_policy_load_file(NULL, policy, &diags));
	snprintf(text, sizeof(text), "'%s' && chmod 640 '%s'` lets it", list, list);
	ck_assert_ptr_nonnull(strstr(diags.first->hint, text));
	ck_assert_ptr_nonnull(strstr(diags.first->hint, "may not read it: `chgrp "));
	seg_diags_fini(&diags);

	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(policy, 0), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	seg_diags_init(&diags);
	ck_assert_ptr_null(seg_policy_load_file(NULL, policy, &diags));
	ck_assert_ptr_null(diags.first->place.source);
	ck_assert_int_eq(diags.first->code, SEG_SYNTAX);
	snprintf(text, sizeof(text), "'%s' && chmod 640 '%s'` lets it", policy, policy);
	ck_assert_ptr_nonnull(strstr(diags.first->hint, text));
	seg_diags_fini(&diags);
	seg_diags_init(&diags);
	ck_assert_ptr_null(seg_policy_load_stream(policy, &diags));
	ck_assert_ptr_nonnull(strstr(diags.first->hint, "root may, by sudo")); /* it is not his to chgrp */
	seg_diags_fini(&diags);

	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(dir, 0600), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	seg_diags_init(&diags);
	ck_assert_ptr_null(seg_policy_load_file(NULL, policy, &diags));
	ck_assert_ptr_nonnull(strstr(diags.first->hint, "may not enter a folder above it"));
	seg_diags_fini(&diags);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	chmod(dir, 0700);
	unlink(policy);
	unlink(list);
	rmdir(dir);
}
END_TEST

/* A pipe that nobody writes to would hold the reader up for ever. */
START_TEST(a_pipe_is_for_those_who_can_wait)
{
	char path[] = "/tmp/seg-load-XXXXXX";
	struct seg_policy *policy;
	struct seg_diags diags;
	int writer;

	seg_diags_init(&diags);
	ck_assert_int_ge(close(mkstemp(path)), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_ptr_null(seg_policy_load_file(NULL, path, &diags));
	ck_assert_uint_eq(diags.errors, 1);
	writer = open(path, O_RDWR);
	ck_assert_int_eq(write(writer, town, sizeof(town) - 1), sizeof(town) - 1);
	ck_assert_ptr_null(seg_policy_load_file(NULL, path, &diags));
	if (fork() == 0) {
		struct timespec moment = {.tv_nsec = 20000000};

		nanosleep(&moment, NULL); /* the other end waits for what is written late */
		_exit(0);
	}
	close(writer); /* the child is the last that has it open */
	policy = seg_policy_load_stream(path, &diags);
	unlink(path);
	ck_assert_ptr_nonnull(policy);
	seg_policy_free(policy);
	seg_diags_fini(&diags);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("load");
	TCase *model = tcase_create("model"), *other = tcase_create("other");

	tcase_add_checked_fixture(model, setup, teardown);
	tcase_add_test(model, top);
	tcase_add_test(model, zones);
	tcase_add_test(model, every_address_has_its_zone);
	tcase_add_test(model, hosts);
	tcase_add_test(model, permit_keys);
	tcase_add_test(other, half_a_span);
	tcase_add_test(model, mac_binds_the_source);
	tcase_add_test(model, each_zone_takes_its_own);
	tcase_add_test(model, opposite_the_gateway);
	tcase_add_test(other, whole_ipv6_is_not_ipv4);
	tcase_add_test(other, lists_are_read_once);
	tcase_add_test(other, the_hash_knows_the_lists);
	tcase_add_test(other, the_hash_of_one_file_is_its_own);
	tcase_add_test(other, all_mistakes_in_one_run);
	tcase_add_test(other, a_broken_zone_is_one_mistake);
	tcase_add_test(other, earlier_diagnostics_do_not_matter);
	tcase_add_test(other, odd_texts);
	tcase_add_test(other, files_that_cannot_be_read);
	tcase_add_test(other, files_that_may_not_be_read);
	tcase_add_test(other, a_pipe_is_for_those_who_can_wait);
	suite_add_tcase(suite, model);
	suite_add_tcase(suite, other);
	return run_suite(suite);
}
