// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <stdio.h>

#include "fixture.h"
#include "flow/classify.h"
#include "flow/compare.h"
#include "runner.h"

/* A policy and one change to it: what opens, what closes, what moves no packet. */
static const char base[] =
	"segd: 1\n"
	"guard: none\n"
	"timezone: Asia/Tokyo\n"
	"zones:\n"
	"  a: {tier: separate, interfaces: [e0], networks: [10.1.0.0/24]}\n"
	"  b: {tier: separate, interfaces: [e1], networks: [10.2.0.0/24], intra: allow}\n"
	"  rest: {tier: separate, interfaces: [e2], networks: [any]}\n"
	"hosts:\n"
	"  one: {address: 10.1.0.1}\n"
	"  mac: {address: 10.1.0.9, mac: \"00:00:5e:00:53:09\"}\n"
	"permits:\n"
	"  - {id: P, class: internal, from: a, to: b, source: [one], destination: [10.2.0.0/28], service: [tcp/80-89, udp/53], hours: [mon-fri 08:00-20:00], owner: x}\n"
	"  - {id: Q, class: internal, from: a, to: b, source: [mac], service: [tcp/22], valid: {from: 2026-04-01, until: 2027-03-31}}\n"
	"  - {id: R, class: internal, from: b, to: rest, service: [any]}\n"
	"  - {id: S, class: internal, from: [a, b], to: gateway, service: [udp/123]}\n"
	"  - {id: T, class: internal, from: a, to: rest, service: [tcp/443], hours: [sun 22:00-05:00]}\n";

#define NONE "[]"

static const struct change {
	const char *old, *new;
	const char *opens, *closes, *changed; /* as "from to src dst service when permits" */
} changes[] = {
	{"  - {id: R, class: internal, from: b, to: rest, service: [any]}\n  - {id: S, class: internal, from: [a, b], to: gateway, service: [udp/123]}\n",
	 "  - {id: S, class: internal, from: [b, a], to: gateway, service: [udp/123]}\n  - {id: R, class: internal, from: b, to: rest, service: [any]}\n", NONE, NONE, NONE},
	{"destination: [10.2.0.0/28]", "destination: [10.2.0.8/29, 10.2.0.0-10.2.0.7]", NONE, NONE, NONE},
	{"source: [one]", "source: [10.1.0.1]", NONE, NONE, NONE},
	{"tcp/80-89, udp/53", "udp/53, tcp/85-89, tcp/80-84", NONE, NONE, NONE},
	{"mon-fri 08:00-20:00", "mon-fri 08:00-12:00, mon-fri 12:00-20:00", NONE, NONE, NONE},
	{"owner: x", "owner: y", NONE, NONE, "[P owner: x -> y]"},
	{"destination: [10.2.0.0/28]", "destination: [10.2.0.0/27]",
	 "[a b 10.1.0.1 10.2.0.16/28 tcp/80-89, udp/53 mon-fri 08:00-20:00 P]", NONE, NONE},
	{"destination: [10.2.0.0/28]", "destination: [10.2.0.4/30]", NONE,
	 "[a b 10.1.0.1 10.2.0.0/30, 10.2.0.8/29 tcp/80-89, udp/53 mon-fri 08:00-20:00 P]", NONE},
	{"tcp/80-89", "tcp/81-90", "[a b 10.1.0.1 10.2.0.0/28 tcp/90 mon-fri 08:00-20:00 P]",
	 "[a b 10.1.0.1 10.2.0.0/28 tcp/80 mon-fri 08:00-20:00 P]", NONE},
	{"mon-fri 08:00-20:00", "mon-sat 08:00-21:00",
	 "[a b 10.1.0.1 10.2.0.0/28 tcp/80-89, udp/53 mon-fri 20:00-21:00, sat 08:00-21:00 P]", NONE, NONE},
	{"sun 22:00-05:00", "sun 21:00-05:00", "[a rest 10.1.0.0/24 any tcp/443 sun 21:00-22:00 T]", NONE, NONE},
	{"sun 22:00-05:00", "sun 22:00-24:00", NONE, "[a rest 10.1.0.0/24 any tcp/443 mon 00:00-05:00 T]", NONE},
	{", hours: [sun 22:00-05:00]", "", "[a rest 10.1.0.0/24 any tcp/443 *]", NONE, NONE},
	/* Days: those of another day than today are a change of the paper. */
	{"until: 2027-03-31", "until: 2028-03-31", NONE, NONE, "[Q valid: 2026-04-01..2027-03-31 -> 2026-04-01..2028-03-31]"},
	{"until: 2027-03-31", "until: 2026-11-23", NONE, "[a b 10.1.0.9 (00:00:5e:00:53:09) 10.2.0.0/24 tcp/22 2026-11-24..2027-03-31 Q]",
	 "[Q valid: 2026-04-01..2027-03-31 -> 2026-04-01..2026-11-23]"},
	/* MACs. */
	{", mac: \"00:00:5e:00:53:09\"", "", "[a b 10.1.0.9 10.2.0.0/24 tcp/22 2026-04-01..2027-03-31 Q]", NONE, NONE},
	{"\"00:00:5e:00:53:09\"", "\"00:00:5e:00:53:0a\"", "[a b 10.1.0.9 (00:00:5e:00:53:0a) 10.2.0.0/24 tcp/22 2026-04-01..2027-03-31 Q]",
	 "[a b 10.1.0.9 (00:00:5e:00:53:09) 10.2.0.0/24 tcp/22 2026-04-01..2027-03-31 Q]", NONE},
	/* Permits that come and go, with and without moving a packet. */
	{"  - {id: R, class", "  - {id: R2, class", NONE, NONE, "[R2 added][R removed]"},
	{"  - {id: S, class: internal, from: [a, b], to: gateway, service: [udp/123]}\n", "", NONE,
	 "[a gateway 10.1.0.0/24 gateway udp/123 S][b gateway 10.2.0.0/24 gateway udp/123 S]", NONE},
	{"to: rest, service: [any]", "to: rest, service: [tcp/443]", NONE, "[b rest 10.2.0.0/24 any any but tcp/443 R]", NONE},
	{"to: rest, service: [any]", "to: rest, destination: [192.0.2.7], service: [any]", NONE, "[b rest 10.2.0.0/24 any but 192.0.2.7 any R]", NONE},
	/* Zones. */
	{"intra: allow", "intra: deny", NONE, "[b b 10.2.0.0/24 10.2.0.0/24 any -]", NONE},
	{"interfaces: [e1]", "interfaces: [e1, \"x*\"]", NONE, NONE, "[b interfaces: e1 -> e1, x*]"},
	{"intra: allow", "intra: allow, limit: {flows: 20%, new: 9/s}", NONE, NONE, "[b limit: - -> flows 20%, new 9/s]"},
	{"intra: allow", "intra: allow, limit: {flows: 100%}", NONE, NONE, NONE},
	{"intra: allow", "intra: allow, limit: {flows: 500}", NONE, NONE, "[b limit: - -> flows 500]"},
	{"intra: allow", "intra: allow, link: routed, wan: true", NONE, NONE, "[b link: direct -> routed][b wan: false -> true]"},
	{"intra: allow", "intra: allow, uplink: true, public: true", NONE, NONE,
	 "[b uplink: false -> true][b public: false -> true]"},
	/* The gateway's own address on the side is not a list of addresses. */
	{"to: gateway, service", "to: gateway, destination: [10.1.0.254], service",
	 "[a gateway 10.1.0.0/24 10.1.0.254 udp/123 S][b gateway 10.2.0.0/24 10.1.0.254 udp/123 S]",
	 "[a gateway 10.1.0.0/24 gateway udp/123 S][b gateway 10.2.0.0/24 gateway udp/123 S]", NONE},
	{"timezone: Asia/Tokyo", "timezone: Asia/Seoul", "*", "*", NONE},
};

static void add_value(struct seg_strbuf *out, const json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));

	if (text)
		seg_strbuf_printf(out, "%s%s", out->len && out->text[out->len - 1] != '[' ? " " : "", text);
}

static char *words(const json_t *list)
{
	static const char *const keys[] = {"from", "to", "src", "dst", "service", "when", "permit", "zone", "what"};
	struct seg_strbuf out = {0};

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i), *permits = json_object_get(entry, "permits");

		seg_strbuf_addc(&out, '[');
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			add_value(&out, entry, keys[k]);
		if (permits)
			seg_strbuf_printf(&out, " %s", json_array_size(permits) ? json_string_value(json_array_get(permits, 0)) : "-");
		seg_strbuf_addc(&out, ']');
	}
	if (!out.len)
		seg_strbuf_add(&out, NONE);
	return seg_strbuf_take(&out);
}

/* '*' stands for the rest. */
static bool is_like(const char *text, const char *pattern)
{
	const char *star = strchr(pattern, '*');

	if (!star || (star[1] != '\0' && star[1] != ']'))
		return strcmp(text, pattern) == 0;
	return strncmp(text, pattern, (size_t)(star - pattern)) == 0;
}

static time_t noon(void)
{
	time_t at;

	ck_assert(seg_time_parse("2026-11-24T12:00", "Asia/Tokyo", &at));
	return at;
}

static void ck_list(const struct change *change, const json_t *doc, const char *key, const char *expected)
{
	char *text = words(json_object_get(doc, key));

	ck_assert_msg(is_like(text, expected) && (strcmp(expected, "*") != 0 || strcmp(text, NONE) != 0),
		      "%s -> %s\n%s: %s\nnot %s", change->old, change->new, key, text, expected);
	free(text);
}

START_TEST(test_change)
{
	const struct change *change = &changes[_i];
	char *text = fixture_replace(base, change->old, change->new);
	struct fixture before, after;
	json_t *doc;

	fixture_init(&before, base);
	fixture_init(&after, text);
	doc = seg_compare(before.policy, after.policy, noon());
	ck_list(change, doc, "opens", change->opens);
	ck_list(change, doc, "closes", change->closes);
	ck_list(change, doc, "changed", change->changed);
	json_decref(doc);
	fixture_fini(&after);
	fixture_fini(&before);
	free(text);
}
END_TEST

/* --- Random policies: what no list names, no packet notices --- */

static unsigned below(unsigned *seed, unsigned n)
{
	return (unsigned)rand_r(seed) % n;
}

static char *random_policy(unsigned *seed)
{
	struct seg_strbuf out = {0};

	seg_strbuf_printf(&out,
			  "segd: 1\nguard: none\nzones:\n"
			  "  a: {tier: separate, interfaces: [e0], networks: [10.1.0.0/24], intra: %s}\n"
			  "  b: {tier: separate, interfaces: [e1], networks: [10.2.0.0/24]}\n"
			  "permits:\n",
			  below(seed, 2) ? "allow" : "deny");
	for (unsigned i = 0; i < 6; i++)
		seg_strbuf_printf(&out,
				  "  - {id: P%u, class: internal, from: [%s], to: [%s], source: [10.1.0.%u-10.1.0.%u, 10.2.0.%u], "
				  "destination: [10.%u.0.%u/31], service: [tcp/%u-%u]}\n",
				  i, below(seed, 2) ? "a" : "a, b", below(seed, 2) ? "b" : "a, b", below(seed, 4), 4 + below(seed, 4),
				  below(seed, 8), 1 + below(seed, 2), 2 * below(seed, 4), 1 + below(seed, 4), 4 + below(seed, 4));
	return seg_strbuf_take(&out);
}

/* Every packet of the small world: how many pass in `of` alone. */
static unsigned count_only(const struct seg_policy *of, const struct seg_policy *less)
{
	const struct seg_gateway gateway = {0};
	unsigned n = 0;

	for (unsigned i = 0; i < 16 * 16 * 8; i++) {
		struct seg_packet packet = {
			.src = seg_addr_v4(0x0a010000 + (i & 7) + (i & 8 ? 0x10000 : 0)),
			.dst = seg_addr_v4(0x0a010000 + (i >> 4 & 7) + (i >> 4 & 8 ? 0x10000 : 0)),
			.proto = 6,
			.dport = (uint16_t)(1 + (i >> 8)),
		};

		n += seg_classify(of, &gateway, &packet, noon()).permit && !seg_classify(less, &gateway, &packet, noon()).permit;
	}
	return n;
}

START_TEST(test_agrees_with_classify)
{
	unsigned seed = (unsigned)_i + 7;
	char *text[2] = {random_policy(&seed), random_policy(&seed)};
	struct fixture a, b;
	json_t *doc;

	fixture_init(&a, text[0]);
	fixture_init(&b, text[1]);
	doc = seg_compare(a.policy, b.policy, noon());
	ck_assert_int_eq(count_only(b.policy, a.policy) > 0, json_array_size(json_object_get(doc, "opens")) > 0);
	ck_assert_int_eq(count_only(a.policy, b.policy) > 0, json_array_size(json_object_get(doc, "closes")) > 0);
	json_decref(doc);
	doc = seg_compare(a.policy, a.policy, noon());
	ck_assert(seg_compare_is_equal(doc));
	json_decref(doc);
	fixture_fini(&b);
	fixture_fini(&a);
	free(text[0]);
	free(text[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compare");
	TCase *compare = tcase_create("compare");

	tcase_add_loop_test(compare, test_change, 0, (int)(sizeof(changes) / sizeof(changes[0])));
	tcase_add_loop_test(compare, test_agrees_with_classify, 0, 40);
	suite_add_tcase(suite, compare);
	return run_suite(suite);
}
