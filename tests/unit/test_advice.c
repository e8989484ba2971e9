// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>

#include "fixture.h"
#include "policy/advice.h"
#include "policy/shadow.h"
#include "runner.h"

/* One permit P-1 that is wide in every respect, and P-2 written in many ways: covered or not. */
static const char head[] =
	"segd: 1\n"
	"guard: none\n"
	"timezone: Asia/Tokyo\n"
	"zones:\n"
	"  a: {tier: separate, interfaces: [e0], networks: [10.1.0.0/16]}\n"
	"  b: {tier: separate, interfaces: [e1], networks: [10.2.0.0/16]}\n"
	"  c: {tier: separate, interfaces: [e2], networks: [10.3.0.0/16]}\n"
	"hosts:\n"
	"  bound: {address: 10.1.0.20, mac: \"00:00:5e:00:53:20\"}\n"
	"  other: {address: 10.1.0.20, mac: \"00:00:5e:00:53:21\"}\n"
	"  outer: {address: 10.1.0.0/24}\n"
	"permits:\n";

#define P1 "  - {id: P-1, class: internal, from: [a, c], to: b, source: [outer, bound], destination: [10.2.0.0/24, 10.2.1.0-10.2.1.9], service: [tcp/1-100, tcp/101-200, udp/53], hours: [mon-fri 08:00-20:00], valid: {from: 2026-04-01, until: 2027-03-31}}\n"
#define DAY "hours: [mon-fri 08:00-20:00], valid: {from: 2026-04-01, until: 2027-03-31}"

static const struct pair_case {
	const char *first, *second;
	const char *covered; /* the id that is covered, or NULL */
} pairs[] = {
	{P1, "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.7], destination: [10.2.1.9], service: [tcp/90-110], " DAY "}\n", "P-2"},
	{"  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.7], destination: [10.2.1.9], service: [tcp/90-110], " DAY "}\n", P1, "P-2"},
	{P1, "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.7], destination: [10.2.1.10], service: [tcp/90-110], " DAY "}\n", NULL},
	{P1, "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.1.7], destination: [10.2.1.9], service: [tcp/90-110], " DAY "}\n", NULL},
	{P1, "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.7], destination: [10.2.1.9], service: [tcp/90-201], " DAY "}\n", NULL},
	{P1, "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.7], destination: [10.2.1.9], service: [udp/54], " DAY "}\n", NULL},
	{P1, "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.7], destination: [10.2.1.9], service: [any], " DAY "}\n", NULL},
	{P1, "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.7], destination: [10.2.1.9], service: [udp/53], valid: {from: 2026-04-01, until: 2027-03-31}}\n", NULL},
	{P1, "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.7], destination: [10.2.1.9], service: [udp/53], hours: [tue 09:00-10:00]}\n", NULL},
	{P1, "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.7], destination: [10.2.1.9], service: [udp/53], hours: [tue 09:00-10:00], valid: {from: 2026-05-01, until: 2026-05-02}}\n", "P-2"},
	{P1, "  - {id: P-2, class: internal, from: a, to: [b, c], source: [10.1.0.7], destination: [10.2.1.9, 10.3.0.1], service: [udp/53], " DAY "}\n", NULL},
	{P1, "  - {id: P-2, class: internal, from: a, to: [b, c], source: [10.1.0.7], destination: [10.2.1.9], service: [udp/53], " DAY "}\n", "P-2"},
	{P1, "  - {id: P-2, class: internal, from: a, to: b, destination: [10.2.1.9], service: [udp/53], " DAY "}\n", NULL},
	{"  - {id: P-1, class: internal, from: a, to: b, service: [any]}\n", "  - {id: P-2, class: internal, from: a, to: b, source: [bound], destination: [10.2.1.9], service: [udp/53], hours: [tue 09:00-10:00]}\n", "P-2"},
	/* MACs: the same one, another one, any. */
	{"  - {id: P-1, class: internal, from: a, to: b, source: [bound], service: [any]}\n", "  - {id: P-2, class: internal, from: a, to: b, source: [bound], service: [udp/53]}\n", "P-2"},
	{"  - {id: P-1, class: internal, from: a, to: b, source: [other], service: [any]}\n", "  - {id: P-2, class: internal, from: a, to: b, source: [bound], service: [udp/53]}\n", NULL},
	{"  - {id: P-1, class: internal, from: a, to: b, source: [bound], service: [any]}\n", "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.20], service: [udp/53]}\n", NULL},
	{"  - {id: P-1, class: internal, from: a, to: b, source: [10.1.0.20], service: [any]}\n", "  - {id: P-2, class: internal, from: a, to: b, source: [bound], service: [udp/53]}\n", "P-2"},
	/* Of two that allow the same, the later. */
	{"  - {id: P-1, class: internal, from: a, to: b, source: [10.1.0.0/24], service: [tcp/1-9]}\n", "  - {id: P-2, class: internal, from: a, to: b, source: [10.1.0.0/25, 10.1.0.128/25], service: [tcp/1-4, tcp/5-9]}\n", "P-2"},
	/* The whole gateway is the address on the own side alone. */
	{"  - {id: P-1, class: internal, from: a, to: gateway, service: [tcp/22]}\n", "  - {id: P-2, class: internal, from: a, to: gateway, destination: [10.2.0.1], service: [tcp/22]}\n", NULL},
	{"  - {id: P-1, class: internal, from: a, to: gateway, destination: [10.2.0.1], service: [tcp/22]}\n", "  - {id: P-2, class: internal, from: a, to: gateway, service: [tcp/22]}\n", NULL},
	{"  - {id: P-1, class: internal, from: [a, b], to: gateway, service: [tcp/22]}\n", "  - {id: P-2, class: internal, from: a, to: gateway, service: [tcp/22]}\n", "P-2"},
};

static size_t count(const struct seg_diags *diags, enum seg_diag_code code)
{
	size_t n = 0;

	for (const struct seg_diag *diag = diags->first; diag; diag = diag->next)
		n += diag->code == code;
	return n;
}

START_TEST(test_shadow)
{
	const struct pair_case *c = &pairs[_i];
	struct seg_arena *arena = seg_arena_new();
	const struct seg_permit **shadow;
	struct seg_strbuf text = {0};
	struct fixture fixture;

	seg_strbuf_printf(&text, "%s%s%s", head, c->first, c->second);
	fixture_init(&fixture, text.text);
	shadow = seg_shadows_find(fixture.policy, arena);
	for (size_t i = 0; i < 2; i++) {
		const struct seg_permit *permit = &fixture.policy->permit[i];
		bool expected = c->covered && strcmp(permit->id, c->covered) == 0;

		ck_assert_msg((shadow[i] != NULL) == expected, "%s%s%s is%s covered", c->first, c->second, permit->id,
			      shadow[i] ? "" : " not");
	}
	fixture_fini(&fixture);
	seg_strbuf_fini(&text);
	seg_arena_free(arena);
}
END_TEST

/* The index finds what comparing every two finds. */
START_TEST(test_shadows_random)
{
	struct seg_arena *arena = seg_arena_new();
	const struct seg_permit **shadow;
	struct seg_strbuf text = {0};
	unsigned seed = (unsigned)_i + 1;
	struct fixture fixture;
	size_t found = 0;

	seg_strbuf_add(&text, head);
	for (int i = 0; i < 120; i++) {
		static const char *const zones[] = {"a", "b", "c", "[a, b]", "[a, b, c]"};
		unsigned from = (unsigned)rand_r(&seed), to = (unsigned)rand_r(&seed);

		seg_strbuf_printf(&text, "  - {id: R-%d, class: internal, from: %s, to: %s", i,
				  zones[from % 5], zones[to % 5]);
		if (from & 64)
			seg_strbuf_printf(&text, ", source: [10.%u.0.0/%u, 10.1.0.%u]", 1 + from / 128 % 3, 23 + from / 512 % 10,
					  from / 4096 % 4);
		if (to & 64)
			seg_strbuf_printf(&text, ", destination: [10.%u.0.0/%u]", 1 + to / 128 % 3, 23 + to / 512 % 10);
		seg_strbuf_printf(&text, ", service: [tcp/%u-%u]}\n", 1 + from / 8192 % 4, 4 + to / 8192 % 4);
	}
	fixture_init(&fixture, text.text);
	shadow = seg_shadows_find(fixture.policy, arena);
	for (size_t i = 0; i < fixture.policy->permits; i++) {
		const struct seg_permit *inner = &fixture.policy->permit[i], *first = NULL;

		for (size_t k = 0; k < fixture.policy->permits && !first; k++) {
			const struct seg_permit *outer = &fixture.policy->permit[k];

			if (k != i && seg_permit_covers(outer, inner) && (k < i || !seg_permit_covers(inner, outer)))
				first = outer;
		}
		/* A permit that opens nothing is covered by all, and said to be by none. */
		if (shadow[i])
			ck_assert_ptr_eq(shadow[i], first);
		found += shadow[i] != NULL;
	}
	ck_assert_uint_gt(found, 10);
	fixture_fini(&fixture);
	seg_strbuf_fini(&text);
	seg_arena_free(arena);
}
END_TEST

static const char dated[] =
	"segd: 1\n"
	"guard: none\n"
	"timezone: Asia/Tokyo\n"
	"zones:\n"
	"  a: {tier: separate, interfaces: [e0], networks: [10.1.0.0/16]}\n"
	"  b: {tier: separate, interfaces: [e1], networks: [10.2.0.0/16]}\n"
	"hosts:\n"
	"  used:   {address: 10.1.0.1}\n"
	"  unused: {address: 10.1.0.2}\n"
	"services:\n"
	"  ssh: [tcp/22]\n"
	"  old: [tcp/23]\n"
	"permits:\n"
	"  - {id: E-1, class: internal, from: a, to: b, source: [used], service: [ssh], valid: {until: 2026-12-31}, review: 2026-12-31}\n";

static time_t on(const char *text)
{
	time_t at;

	ck_assert(seg_time_parse(text, "Asia/Tokyo", &at));
	return at;
}

static void ck_dates(const char *now, size_t ends, size_t reviews)
{
	struct fixture fixture;

	fixture_init(&fixture, dated);
	seg_advice(fixture.policy, on(now), &fixture.diags);
	ck_assert_uint_eq(fixture.diags.errors, 0);
	ck_assert_uint_eq(count(&fixture.diags, SEG_ENDS_SOON), ends);
	ck_assert_uint_eq(count(&fixture.diags, SEG_REVIEW_DUE), reviews);
	fixture_fini(&fixture);
}

static void ck_end(const char *now, const char *message)
{
	struct fixture fixture;
	bool said = false;

	fixture_init(&fixture, dated);
	seg_advice(fixture.policy, on(now), &fixture.diags);
	for (const struct seg_diag *diag = fixture.diags.first; diag; diag = diag->next)
		said |= strcmp(diag->message, message) == 0;
	ck_assert_msg(said, "%s", message);
	fixture_fini(&fixture);
}

START_TEST(test_dates)
{
	ck_end("2026-12-29T00:00", "E-1 ends on 2026-12-31, in 2 days");
	ck_end("2026-12-31T23:59:59", "E-1 ends today, 2026-12-31 is its last day");
	ck_dates("2026-11-30T23:59:59", 0, 0);
	ck_dates("2026-12-01T00:00", 1, 0);
	ck_dates("2026-12-31T23:59:59", 1, 0);
	ck_dates("2027-01-01T00:00", 1, 1);
}
END_TEST

START_TEST(test_unused)
{
	struct fixture fixture;
	size_t seen = 0;

	fixture_init(&fixture, dated);
	seg_advice(fixture.policy, on("2026-06-01"), &fixture.diags);
	for (const struct seg_diag *diag = fixture.diags.first; diag; diag = diag->next) {
		char *at = fixture_text_at(diag->place);

		ck_assert(diag->warning && diag->code == SEG_UNUSED);
		ck_assert_str_eq(at, seen++ ? "old" : "unused");
		free(at);
	}
	ck_assert_uint_eq(seen, 2);
	fixture_fini(&fixture);
}
END_TEST

/* A listed address that lies in none of the permit's zones opens nothing. */
START_TEST(test_outside)
{
	char *text = fixture_replace(dated, "to: b, source: [used]", "to: b, source: [used], destination: [10.2.0.9, 10.1.0.9]");
	struct fixture fixture;
	size_t seen = 0;

	fixture_init(&fixture, text);
	seg_advice(fixture.policy, on("2026-06-01"), &fixture.diags);
	for (const struct seg_diag *diag = fixture.diags.first; diag; diag = diag->next) {
		char *at = fixture_text_at(diag->place);

		seen += strcmp(at, "10.1.0.9") == 0;
		ck_assert_str_ne(at, "10.2.0.9");
		free(at);
	}
	ck_assert_uint_eq(seen, 1);
	fixture_fini(&fixture);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("advice");
	TCase *advice = tcase_create("advice");

	tcase_add_loop_test(advice, test_shadow, 0, (int)(sizeof(pairs) / sizeof(pairs[0])));
	tcase_add_loop_test(advice, test_shadows_random, 0, 8);
	tcase_add_test(advice, test_dates);
	tcase_add_test(advice, test_unused);
	tcase_add_test(advice, test_outside);
	suite_add_tcase(suite, advice);
	return run_suite(suite);
}
