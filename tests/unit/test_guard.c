// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>

#include "fixture.h"
#include "policy/guard.h"
#include "runner.h"

/*
 * One policy that obeys every rule, and copies with one thing changed: on this
 * side of each rule's edge it is accepted, on that side refused, with the rule's
 * number and at the offending value.
 */
static const char good[] =
	"segd: 1\n"
	"timezone: Asia/Tokyo\n"
	"zones:\n"
	"  mn:    {tier: mynumber, interfaces: [mn0], networks: [10.1.0.0/16, \"2001:db8:1::/48\"]}\n"
	"  mn-rt: {tier: mynumber, interfaces: [mn1], networks: [10.11.0.0/16], link: routed}\n"
	"  mn-out: {tier: mynumber, interfaces: [mn2], networks: [10.12.0.0/16], link: routed, wan: true}\n"
	"  lg:    {tier: lgwan, interfaces: [lg0], networks: [10.2.0.0/16, \"2001:db8:2::/48\"]}\n"
	"  wan:   {tier: lgwan, interfaces: [wan0], networks: [172.16.0.0/12], link: routed, wan: true}\n"
	"  inet:  {tier: internet, interfaces: [out0], networks: [any], link: routed}\n"
	"  cloud: {tier: internet, interfaces: [brk0], networks: [100.0.0.0/8, \"3fff::/20\"], link: routed, uplink: true}\n"
	"  clean: {tier: sanitiser, interfaces: [cln0], networks: [10.4.0.0/16]}\n"
	"  ops:   {tier: management, interfaces: [ops0], networks: [10.9.0.0/16]}\n"
	"  vendor: {tier: external, interfaces: [ven0], networks: [10.8.0.0/16], link: routed}\n"
	"  school: {tier: separate, interfaces: [sch0], networks: [10.5.0.0/16]}\n"
	"  wifi:  {tier: separate, interfaces: [wifi0], networks: [10.3.0.0/16], public: true}\n"
	"hosts:\n"
	"  batch: {address: 10.1.0.20, mac: \"00:00:5e:00:53:20\"}\n"
	"  asp:   {address: 172.30.5.10, assurance: certified}\n"
	"  patch: {address: 10.8.0.10, assurance: closed}\n"
	"  jump:  {address: 10.9.0.30, mac: \"00:00:5e:00:53:30\"}\n"
	"  saas:  {address: 100.64.0.0/26}\n"
	"  office: {address: [100.16.0.0/12, \"3fff:1::/32\"], published: 提供者公表 2026-10-30}\n"
	"services:\n"
	"  https: [tcp/443]\n"
	"  many:  [tcp/5000-5015, udp/5000-5015]\n"
	"permits:\n"
	"  - {id: S-1, class: specific, from: mn, to: wan, source: [batch], destination: [asp], service: [https, many],\n"
	"     valid: {from: 2026-04-01, until: 2027-04-01}, review: 2027-04-01,\n"
	"     owner: 税務課, approver: CISO, ticket: T-1, basis: GL3}\n"
	"  - {id: S-2, class: specific, from: [lg], to: [mn], source: [10.2.0.0/24], destination: [10.1.1.0/24], service: [tcp/22],\n"
	"     valid: {from: 2026-04-01, until: 2026-05-01}, review: 2026-04-30,\n"
	"     owner: 市民課, approver: CISO, ticket: T-2, basis: GL3}\n"
	"  - {id: S-3, class: specific, from: mn, to: ops, destination: [10.9.0.40], service: [tcp/6514],\n"
	"     valid: {from: 2026-04-01, until: 2026-05-01}, review: 2026-04-30,\n"
	"     owner: 市民課, approver: CISO, ticket: T-3, basis: GL3}\n"
	"  - {id: S-4, class: specific, from: vendor, to: mn, source: [patch], destination: [10.1.2.0/24], service: [tcp/8530],\n"
	"     valid: {from: 2026-04-01, until: 2026-05-01}, review: 2026-04-30,\n"
	"     owner: 市民課, approver: CISO, ticket: T-4, basis: GL3}\n"
	"  - {id: M-1, class: maintenance, from: ops, to: mn, source: [jump], destination: [batch], service: [tcp/22],\n"
	"     hours: [sat 22:00-05:00], valid: {from: 2026-11-01, until: 2026-11-14}, review: 2026-11-14,\n"
	"     owner: 情報係, approver: CISO, ticket: T-5, basis: 契約}\n"
	"  - {id: M-2, class: maintenance, from: vendor, to: ops, service: [tcp/3389],\n"
	"     hours: [mon 09:00-12:00], valid: {from: 2026-11-02, until: 2026-11-03}, review: 2026-11-03,\n"
	"     owner: 情報係, approver: CISO, ticket: T-6, basis: 契約}\n"
	"  - {id: Z-1, class: sanitised, method: screen, from: lg, to: inet, service: [https]}\n"
	"  - {id: Z-2, class: sanitised, method: mail, from: inet, to: clean, service: [tcp/25]}\n"
	"  - {id: B-1, class: breakout, from: lg, to: cloud, destination: [saas, office, 100.64.1.0/26, \"3fff::/64\"], service: [https],\n"
	"     valid: {from: 2026-04-01, until: 2027-03-31}, review: 2027-02-15, external-audit: 2026-02 実施,\n"
	"     owner: 情報係, approver: CISO, ticket: T-7, basis: GL4}\n"
	"  - {id: I-1, class: internal, from: wifi, to: inet, service: [any]}\n"
	"  - {id: O-1, class: operations, from: [mn, lg, wifi], to: gateway, service: [udp/123]}\n"
	"  - {id: O-2, class: internal, from: school, to: ops, service: [any]}\n"
	"  - {id: O-3, class: internal, from: mn, to: mn-rt, service: [any]}\n";

#define OK SEG_SYNTAX /* no guard error has this code */

static const struct change {
	const char *old, *new;
	enum seg_diag_code code; /* OK: accepted */
	const char *at;          /* the text the error points at; NULL: not looked at */
} changes[] = {
	{"segd: 1\n", "segd: 1\nsite: 市\n", OK, NULL},
	/* G1 */
	{"id: I-1, class: internal, from: wifi, to: inet", "id: I-1, class: internal, from: wifi, to: [inet, school]", OK, NULL},
	{"id: I-1, class: internal, from: wifi, to: inet", "id: I-1, class: internal, from: school, to: inet", OK, NULL},
	{"id: I-1, class: internal, from: wifi, to: inet", "id: I-1, class: internal, from: mn-rt, to: inet", SEG_G1, "inet"},
	{"id: Z-2, class: sanitised, method: mail, from: inet, to: clean", "id: Z-2, class: sanitised, method: mail, from: inet, to: [clean, mn]", SEG_G1, "mn"},
	{"from: lg, to: cloud", "from: [lg, mn], to: cloud", SEG_G1, "cloud"},
	{"from: mn, to: wan,", "from: mn, to: [wan, cloud],", SEG_G1, "cloud"},
	/* G2: class */
	{"id: S-2, class: specific", "id: S-2, class: internal", SEG_G2, "internal"},
	{"id: S-2, class: specific", "id: S-2, class: operations", SEG_G2, "operations"},
	{"id: M-1, class: maintenance, from: ops, to: mn", "id: M-1, class: maintenance, from: clean, to: mn", SEG_G2, "maintenance"},
	{"id: M-1, class: maintenance, from: ops, to: mn, source: [jump], destination: [batch]",
	 "id: M-1, class: maintenance, from: mn, to: ops, source: [batch], destination: [jump]", OK, NULL},
	{"from: mn, to: mn-rt", "from: mn, to: [mn-rt, mn]", OK, NULL},
	{"from: mn, to: mn-rt", "from: mn, to: [mn-rt, school]", SEG_G2, NULL},
	/* G2: destination */
	{"destination: [10.1.1.0/24]", "destination: [10.1.0.0/23]", SEG_G2, "10.1.0.0/23"},
	{"destination: [10.1.1.0/24]", "destination: [10.1.1.0/25, 10.1.4.0/24]", OK, NULL},
	{"destination: [10.1.1.0/24]", "destination: [10.1.1.0-10.1.1.255]", OK, NULL},
	{"destination: [10.1.1.0/24]", "destination: [10.1.1.5-10.1.2.4]", OK, NULL},
	{"destination: [10.1.1.0/24]", "destination: [10.1.1.5-10.1.2.5]", SEG_G2, "10.1.1.5-10.1.2.5"},
	{"destination: [10.1.1.0/24]", "destination: [\"2001:db8:1::/64\"]", OK, NULL},
	{"destination: [10.1.1.0/24]", "destination: [\"2001:db8:1::/63\"]", SEG_G2, NULL},
	{"from: [lg], to: [mn], source: [10.2.0.0/24], destination: [10.1.1.0/24]", "from: [lg], to: [mn], source: [10.2.0.0/24]", SEG_G2, NULL},
	/* G2: source */
	{"source: [10.2.0.0/24]", "source: [10.2.0.0/23]", SEG_G2, "10.2.0.0/23"},
	{"source: [10.2.0.0/24], ", "", SEG_G2, NULL},
	{"from: mn, to: ops, destination: [10.9.0.40]", "from: mn, to: ops, source: [10.1.0.0/16], destination: [10.9.0.40]", OK, NULL},
	{"from: mn, to: ops, destination: [10.9.0.40]", "from: mn, to: [ops, school], destination: [10.9.0.40]", SEG_G2, NULL},
	{"source: [jump], destination: [batch]", "destination: [batch]", SEG_G2, NULL},
	/* G2: service */
	{"many:  [tcp/5000-5015", "many:  [tcp/5000-5016", SEG_G2, "many"},
	{"udp/5000-5015]", "udp/5000-5016]", SEG_G2, "many"},
	{"service: [tcp/22],\n     valid: {from: 2026-04", "service: [tcp/1-16],\n     valid: {from: 2026-04", OK, NULL},
	{"service: [tcp/22],\n     valid: {from: 2026-04", "service: [tcp/1-17],\n     valid: {from: 2026-04", SEG_G2, "tcp/1-17"},
	{"service: [tcp/22],\n     valid: {from: 2026-04", "service: [icmp/8],\n     valid: {from: 2026-04", SEG_G2, "icmp/8"},
	{"service: [tcp/22],\n     valid: {from: 2026-04", "service: [any],\n     valid: {from: 2026-04", SEG_G2, "any"},
	{"service: [tcp/22],\n     valid: {from: 2026-04", "service: [proto/6],\n     valid: {from: 2026-04", SEG_G2, "proto/6"},
	{"service: [tcp/22],\n     valid: {from: 2026-04", "service: [proto/47],\n     valid: {from: 2026-04", SEG_G2, "proto/47"},
	/* G3 */
	{"method: screen, from: lg, to: inet", "method: file, from: lg, to: inet", SEG_G3, "file"},
	{"method: screen, from: lg, to: inet", "method: mail, from: lg, to: inet", SEG_G3, "mail"},
	{"method: screen, from: lg, to: inet", "method: screen, from: inet, to: lg", OK, NULL},
	{"class: sanitised, method: screen, from: lg", "class: internal, from: lg", SEG_G3, "internal"},
	{"class: sanitised, method: screen, from: lg", "class: operations, from: lg", SEG_G3, "operations"},
	{"class: sanitised, method: screen, from: lg", "class: sanitised, from: lg", SEG_G3, "sanitised"},
	{"class: sanitised, method: mail, from: inet", "class: sanitised, from: inet", SEG_G3, "sanitised"},
	{"class: sanitised, method: mail, from: inet", "class: internal, from: inet", OK, NULL},
	/* G4 */
	{", assurance: certified", "", SEG_G4, "asp"},
	{", assurance: closed", "", SEG_G4, "patch"},
	{", assurance: closed", ", assurance: certified", OK, NULL},
	{"destination: [asp]", "destination: [172.30.5.10]", SEG_G4, "172.30.5.10"},
	{"source: [patch]", "source: [10.8.0.0/24]", SEG_G4, "10.8.0.0/24"},
	{"from: mn, to: mn-rt,", "from: mn, to: mn-out, ", SEG_G4, "mn-out"},
	{"from: mn, to: mn-rt,", "from: mn-out, to: mn-out, ", OK, NULL},
	/* G5 */
	{"until: 2027-04-01}", "until: 2027-04-02}", SEG_G5, "2027-04-02"},
	{"valid: {from: 2026-04-01, until: 2027-04-01}", "valid: {from: 2028-01-01, until: 2028-12-31}", OK, NULL},
	{"valid: {from: 2026-04-01, until: 2027-04-01}", "valid: {from: 2027-12-31, until: 2028-12-31}", SEG_G5, "2028-12-31"},
	{"valid: {from: 2026-04-01, until: 2027-03-31}, ", "", SEG_G5, "B-1"},
	{"review: 2027-04-01", "review: 2027-04-02", SEG_G5, "2027-04-02"},
	{"review: 2026-11-14,", "", SEG_G5, "M-1"},
	{"approver: CISO, ticket: T-1", "ticket: T-1", SEG_G5, "S-1"},
	{"ticket: T-5, ", "", SEG_G5, "M-1"},
	{"owner: 税務課, ", "", SEG_G5, "S-1"},
	{", basis: GL4", "", SEG_G5, "B-1"},
	/* G6 */
	{"until: 2026-11-14}", "until: 2026-11-15}", SEG_G6, "2026-11-15"},
	{"{from: 2026-11-01, until: 2026-11-14}, review: 2026-11-14", "{from: 2026-11-01, until: 2027-11-14}, review: 2026-11-14", SEG_G6, "2027-11-14"},
	{"hours: [sat 22:00-05:00], ", "", SEG_G6, "M-1"},
	{"id: M-2, class: maintenance, from: vendor, to: ops", "id: M-2, class: maintenance, from: vendor, to: lg", SEG_G6, "lg"},
	{"id: M-2, class: maintenance, from: vendor, to: ops", "id: M-2, class: maintenance, from: vendor, to: [ops, gateway]", SEG_G6, "gateway"},
	{"id: M-2, class: maintenance, from: vendor, to: ops", "id: M-2, class: maintenance, from: ops, to: lg", OK, NULL},
	/* G7 */
	{"from: lg, to: cloud, destination: [saas, office, 100.64.1.0/26, \"3fff::/64\"]",
	 "from: lg, to: [cloud, inet], destination: [saas]", SEG_G7, "inet"},
	{"100.64.1.0/26", "100.64.1.0/25", SEG_G7, "100.64.1.0/25"},
	{"100.64.1.0/26", "100.64.1.1-100.64.1.64", OK, NULL},
	{"100.64.1.0/26", "100.64.1.1-100.64.1.65", SEG_G7, "100.64.1.1-100.64.1.65"},
	{"\"3fff::/64\"", "\"3fff::/63\"", SEG_G7, NULL},
	{"100.64.0.0/26}", "100.64.0.0/25}", SEG_G7, "saas"},
	{"100.64.0.0/26}", "100.64.0.0/25, published: 提供者公表 2026-10-30}", OK, NULL},
	{"100.16.0.0/12", "100.16.0.0/11", SEG_G7, "office"},
	{"\"3fff:1::/32\"", "\"3fff:2::/31\"", SEG_G7, "office"},
	{", published: 提供者公表 2026-10-30", "", SEG_G7, "office"},
	{"external-audit: 2026-02 実施,", "", SEG_G7, "B-1"},
	{"to: cloud, destination: [saas, office, 100.64.1.0/26, \"3fff::/64\"]", "to: cloud", SEG_G7, NULL},
	/* G8 */
	{"from: school, to: ops", "from: school, to: wifi", OK, NULL},
	{"from: school, to: ops", "from: lg, to: wifi", SEG_G8, "wifi"},
	{"from: school, to: ops", "from: [school, wifi], to: [lg]", SEG_G8, "wifi"},
	/* G9 */
	{", mac: \"00:00:5e:00:53:20\"", "", SEG_G9, "batch"},
	{"source: [batch]", "source: [10.1.0.20]", SEG_G9, "10.1.0.20"},
	{"source: [batch]", "source: [10.1.0.20/31]", OK, NULL},
	{"address: 10.1.0.20, mac: \"00:00:5e:00:53:20\"", "address: 10.1.0.20/31", OK, NULL},
	{"address: 10.1.0.20, mac: \"00:00:5e:00:53:20\"", "address: 10.1.0.20/31, except: 10.1.0.21", SEG_G9, "batch"},
	{", mac: \"00:00:5e:00:53:30\"", "", OK, NULL},
	{"id: S-1, class: specific, from: mn, to: wan, source: [batch]", "id: S-1, class: specific, from: mn-rt, to: wan, source: [10.11.0.1]", OK, NULL},
	{"assurance: certified}", "assurance: certified, mac: \"00:00:5e:00:53:40\"}", SEG_G9, "\"00:00:5e:00:53:40\""},
};

static const char *bare(const char *text)
{
	return text[0] == '"' ? text + 1 : text;
}

START_TEST(test_edge)
{
	const struct change *change = &changes[_i];
	char *text = fixture_replace(good, change->old, change->new);
	struct fixture fixture;
	struct seg_strbuf out = {0};

	fixture_init(&fixture, text);
	seg_guard_check(fixture.policy, &fixture.diags);
	seg_diags_render(&fixture.diags, false, &out);
	ck_assert_msg((fixture.diags.errors > 0) == (change->code != OK), "%s -> %s:\n%s", change->old, change->new,
		      seg_strbuf_text(&out));
	for (const struct seg_diag *diag = fixture.diags.first; diag; diag = diag->next) {
		char *at = fixture_text_at(diag->place);

		ck_assert_msg(diag->code == change->code, "%s -> %s:\n%s", change->old, change->new, out.text);
		ck_assert_msg(diag->hint != NULL, "no hint:\n%s", out.text);
		if (change->at)
			ck_assert_msg(strncmp(bare(at), bare(change->at), strcspn(bare(change->at), "\"")) == 0,
				      "points at \"%s\", not \"%s\":\n%s", at, change->at, out.text);
		free(at);
	}
	seg_strbuf_fini(&out);
	fixture_fini(&fixture);
	free(text);
}
END_TEST

/* guard: none leaves only what loading judges. */
START_TEST(test_none)
{
	char *text = fixture_replace(good, "segd: 1\n", "segd: 1\nguard: none\n");
	char *bad = fixture_replace(text, ", assurance: certified", "");
	struct fixture fixture;

	fixture_init(&fixture, bad);
	seg_guard_check(fixture.policy, &fixture.diags);
	ck_assert_uint_eq(fixture.diags.errors, 0);
	fixture_fini(&fixture);
	free(bad);
	free(text);
}
END_TEST

static bool is_of_guard(const struct seg_diag *diag)
{
	return diag->code >= SEG_G1 && diag->code <= SEG_G9;
}

/* Of a policy that does not load; false: it does. */
static bool fails(const char *text, struct seg_diags *diags)
{
	struct seg_policy *policy;

	seg_diags_init(diags);
	policy = seg_policy_load("policy.yaml", text, strlen(text), NULL, diags);
	seg_policy_free(policy);
	if (policy)
		seg_diags_fini(diags);
	return !policy;
}

/* One byte of a right policy is changed in every place: where that is an error of another kind, it is the
 * only mistake there is, and whatever the guard said would be a consequence. */
START_TEST(test_no_follow_on)
{
	static const char others[] = "x9:-/, "; /* not '#', which takes several keys away at once */
	char *text = strdup(good);
	size_t failed = 0;

	for (size_t at = 0; good[at]; at++) {
		for (const char *other = others; *other; other++) {
			struct seg_strbuf out = {0};
			struct seg_diags diags;

			text[at] = *other;
			if (!fails(text, &diags))
				continue;
			failed++;
			seg_diags_render(&diags, false, &out);
			for (const struct seg_diag *diag = diags.first; diag; diag = diag->next)
				ck_assert_msg(!is_of_guard(diag), "byte %zu is '%c':\n%s", at, text[at],
					      out.text);
			seg_strbuf_fini(&out);
			seg_diags_fini(&diags);
		}
		text[at] = good[at];
	}
	ck_assert_uint_gt(failed, 1000);
	free(text);
}
END_TEST

/* A mistake somewhere, and a rule broken elsewhere: both are told in one run. */
START_TEST(test_beside_other_errors)
{
	static const struct {
		const char *old, *new; /* the other mistake */
	} mistakes[] = {
		{"https: [tcp/443]", "https: [tcp/443x]"},
		{"00:00:5e:00:53:30", "00:00:5e:00:53"},
		{"networks: [10.5.0.0/16]", "networks: [10.5.0.0/33]"},
		{"networks: [10.5.0.0/16]", "networks: [10.3.0.0/16]"},
		{"tier: external", "tier: extern"},
		{"destination: [batch], service: [tcp/22]", "destination: [bacth], service: [tcp/22]"},
		{"  - {id: S-3,", "  - {idd: S-3,"},
		{"method: mail", "method: post"},
	};
	char *bad = fixture_replace(good, "{id: Z-1, class: sanitised, method: screen,",
				    "{id: Z-1, class: internal,");

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char *text = fixture_replace(bad, mistakes[i].old, mistakes[i].new);
		size_t of_guard = 0, others = 0;
		struct seg_strbuf out = {0};
		struct seg_diags diags;

		ck_assert(fails(text, &diags));
		seg_diags_render(&diags, false, &out);
		for (const struct seg_diag *diag = diags.first; diag; diag = diag->next) {
			ck_assert_msg(!is_of_guard(diag) || diag->code == SEG_G3, "%s:\n%s", mistakes[i].new,
				      out.text);
			of_guard += is_of_guard(diag);
			others += !is_of_guard(diag);
		}
		ck_assert_msg(of_guard == 1 && others > 0, "%s:\n%s", mistakes[i].new, out.text);
		seg_strbuf_fini(&out);
		seg_diags_fini(&diags);
		free(text);
	}
	free(bad);
}
END_TEST

/* What a rule is about may not be there at all: then it points at the permit. */
START_TEST(test_places)
{
	char *text =
		fixture_replace(good,
				"{id: B-1, class: breakout, from: lg, to: cloud, destination: [saas, office, "
				"100.64.1.0/26, \"3fff::/64\"],",
				"{class: breakout, from: lg,");
	struct seg_diags diags;
	size_t of_guard = 0;

	ck_assert(fails(text, &diags));
	for (const struct seg_diag *diag = diags.first; diag; diag = diag->next) {
		ck_assert_ptr_nonnull(diag->place.source);
		of_guard += is_of_guard(diag);
	}
	ck_assert_uint_eq(of_guard, 1); /* no destination */
	seg_diags_fini(&diags);
	free(text);
}
END_TEST

/* No rule book was read: none is applied. */
START_TEST(test_unknown_rule_book)
{
	char *unread = fixture_replace(good, "segd: 1\n", "segd: 1\nguard: nome\n");
	char *text = fixture_replace(unread, "assurance: certified", "assurance: closed, zzz: 1");
	char *bad = fixture_replace(text, "method: screen, ", "");
	struct seg_diags diags;

	ck_assert(fails(bad, &diags));
	for (const struct seg_diag *diag = diags.first; diag; diag = diag->next)
		ck_assert(!is_of_guard(diag));
	seg_diags_fini(&diags);
	free(bad);
	free(text);
	free(unread);
}
END_TEST

static const struct seg_zone *zone(const struct seg_policy *policy, const char *id)
{
	for (size_t i = 0; i < policy->zones; i++)
		if (!strcmp(policy->zone[i].id, id))
			return &policy->zone[i];
	ck_abort_msg("no zone %s", id);
}

/* What no permit may open, whichever side begins; `guard: none` bars nothing. */
START_TEST(test_bars)
{
	static const char text[] =
		"segd: 1\n"
		"zones:\n"
		"  mn: {tier: mynumber, interfaces: [a0], networks: [10.1.0.0/24]}\n"
		"  lg: {tier: lgwan, interfaces: [b0], networks: [10.2.0.0/24]}\n"
		"  net: {tier: internet, interfaces: [c0], networks: [10.3.0.0/24]}\n"
		"  wifi: {tier: separate, public: true, interfaces: [d0], networks: [10.4.0.0/24]}\n"
		"permits: []\n";
	static const struct {
		const char *a, *b, *rule;
	} pairs[] = {{"mn", "net", "G1"}, {"net", "mn", "G1"},	{"mn", "wifi", "G8"}, {"wifi", "lg", "G8"},
		     {"mn", "lg", NULL},  {"lg", "net", NULL}, {"wifi", "net", NULL}, {"mn", "mn", NULL}};
	struct fixture fixture;

	fixture_init(&fixture, text);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		ck_assert_pstr_eq(seg_guard_bars(fixture.policy, zone(fixture.policy, pairs[i].a),
						 zone(fixture.policy, pairs[i].b)),
				  pairs[i].rule);
	fixture.policy->guard = SEG_GUARD_NONE;
	ck_assert_ptr_null(
		seg_guard_bars(fixture.policy, zone(fixture.policy, "mn"), zone(fixture.policy, "net")));
	fixture_fini(&fixture);
}
END_TEST

/* A host that lacks something is shown beside the permit that needs it. */
START_TEST(test_related)
{
	char *text = fixture_replace(good, ", assurance: certified", "");
	struct fixture fixture;
	char *at;

	fixture_init(&fixture, text);
	seg_guard_check(fixture.policy, &fixture.diags);
	ck_assert_uint_eq(fixture.diags.errors, 1);
	ck_assert_ptr_nonnull(fixture.diags.first->related);
	at = fixture_text_at(fixture.diags.first->related->place);
	ck_assert_str_eq(at, "asp");
	free(at);
	fixture_fini(&fixture);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard");
	TCase *edges = tcase_create("edges");

	tcase_add_loop_test(edges, test_edge, 0, (int)(sizeof(changes) / sizeof(changes[0])));
	tcase_add_test(edges, test_none);
	tcase_add_test(edges, test_bars);
	tcase_add_test(edges, test_related);
	tcase_add_test(edges, test_no_follow_on);
	tcase_add_test(edges, test_beside_other_errors);
	tcase_add_test(edges, test_places);
	tcase_add_test(edges, test_unknown_rule_book);
	suite_add_tcase(suite, edges);
	return run_suite(suite);
}
