// SPDX-License-Identifier: GPL-2.0-or-later
/* Permits are taken over from an earlier policy where their text is the same, and nobody can tell. */
#include <check.h>

#include "policy/unchanged.h"
#include "fixture.h"
#include "runner.h"
#include "same_policy.h"

static const char town[] =
	"segd: 1\n"
	"guard: none\n"
	"zones:\n"
	"  mn: {tier: mynumber, interfaces: [mn0], networks: [10.1.0.0/16, 2001:db8:1::/64]}\n"
	"  lg: {tier: lgwan, interfaces: [lg0], networks: [10.2.0.0/16]}\n"
	"  out: {tier: internet, interfaces: [wan0], networks: [any]}\n"
	"hosts:\n"
	"  db: {address: 10.1.0.5, mac: \"00:00:5e:00:53:41\"}\n"
	"  web: {address: [10.2.0.10-10.2.0.12]}\n"
	"  list: {address: [\"file:list.txt\"]}\n"
	"services:\n"
	"  https: [tcp/443, tcp/8443]\n"
	"permits:\n"
	"  # the first\n"
	"  - {id: A, class: specific, from: mn, to: lg, source: [db], destination: [web], service: [https]}\n"
	"  - id: B\n"
	"    title: two lines\n"
	"    class: internal\n"
	"    from: [mn, lg]\n"
	"    to: out\n"
	"    service: [tcp/80, \"udp/53\"]\n"
	"    hours: [\"mon-fri 08:00-20:00\"]\n"
	"    valid: {from: 2026-04-01, until: 2027-03-31}\n"
	"\n"
	"  - {id: C, class: internal, from: lg, to: mn, source: [10.2.0.0/24], destination: [db], service: "
	"[tcp/22]}\n"
	"  - {id: D, class: operations, from: gateway, to: lg, service: [https], owner: x, review: "
	"2027-01-01}\n"
	"  - {id: E, class: internal, from: out, to: lg, source: [list], service: [icmp/8], at-close: "
	"drain}\n"
	"  # timezone: UTC\n"
	"stages:\n"
	"  s1: {closes: {permits: [B, D]}}\n";

static const char *list_text = "192.0.2.1\n";

static char *read_file(void *context, const char *path, size_t *len, const char **error)
{
	(void)context;
	(void)path;
	(void)error;
	*len = strlen(list_text);
	return strdup(list_text);
}
static const struct seg_reader reader = {.read = read_file};

static struct fixture load(const char *text)
{
	struct fixture fixture;

	fixture_init_reader(&fixture, text, &reader);
	return fixture;
}

/* The ids of those that need not be read after an edit. */
static void check_known(const char *old, const char *new, const char *ids)
{
	struct fixture before = load(town);
	struct seg_arena *arena = seg_arena_new();
	char *text = fixture_replace(town, old, new), known[64] = "";
	struct unchanged unchanged;
	struct seg_diags diags;

	seg_diags_init(&diags);
	unchanged_find(&unchanged, before.policy, seg_source_new(&diags, "policy.yaml", text, strlen(text)),
		       arena);
	for (size_t i = 0; i < unchanged.known.n; i++)
		strcat(known, before.policy->permit[unchanged.known.item[i].which].id);
	ck_assert_msg(strcmp(known, ids) == 0, "'%s' for '%s': %s, not %s", new, old, known, ids);
	ck_assert(same_when_reloaded(before.policy, text, strlen(text), &reader));
	free(text);
	seg_diags_fini(&diags);
	seg_arena_free(arena);
	fixture_fini(&before);
}

START_TEST(those_beside_the_edit_are_known)
{
	check_known("tcp/22", "tcp/23", "ABDE");
	check_known("tcp/22", "tcp/2222, udp/7", "ABDE");
	check_known("two lines", "三行", "ACDE");
	check_known("destination: [web]", "destination: [10.2.0.11]", "BCDE");
	check_known("  - id: B\n",
		    "  - {id: F, class: internal, from: mn, to: lg, service: [any]}\n  - id: B\n", "ABCDE");
	check_known("icmp/8", "icmp/0", "ABCD");
	check_known("at-close: drain}\n", "at-close: drain}\n  # the end\n", "ABCD");
	check_known("udp/53\"]\n", "udp/53\"]\n    owner: y\n", "ACDE");
	check_known("segd: 1\n", "segd: 1\n", "ABCDE");
}
END_TEST

START_TEST(an_edit_elsewhere_leaves_none)
{
	check_known("10.2.0.0/16", "10.2.0.0/17", "");
	check_known("# the first", "# a first", "");
	check_known("stages:", "stages: # none", "");
	check_known("closes: {permits: [B, D]}", "closes: {permits: [B]}", "");
	/* What stands in the list's place may be something else. */
	check_known("stages:", "timezone: Asia/Tokyo\nstages:", "");
	check_known("  - {id: D,", "site: x\n  - {id: D,", "");
	check_known("  # timezone: UTC\n", "  \ntimezone: UTC\n", "");
}
END_TEST

/* An item before an edit may go on behind it. */
START_TEST(what_goes_on_is_read)
{
	check_known("service: [https]}\n", "service: [https]}\n    # of A\n", "BCDE");
	check_known("service: [https]}\n", "service: [https]}\n    title: x\n", "BCDE");
	check_known("2027-03-31}\n\n", "2027-03-31}\n    basis: law\n", "ACDE");
}
END_TEST

START_TEST(a_list_that_changed_is_read)
{
	struct fixture before = load(town);
	char *text = fixture_replace(town, "tcp/22", "tcp/23");

	list_text = "192.0.2.1\n198.51.100.7\n";
	ck_assert(same_when_reloaded(before.policy, text, strlen(text), &reader));
	list_text = "192.0.2.1\n";
	free(text);
	fixture_fini(&before);
}
END_TEST

/* Ten thousand permits with their papers: 4 MB. */
START_TEST(permits_of_a_large_policy_are_known)
{
	struct seg_strbuf text = {0};
	struct fixture before;
	struct seg_arena *arena = seg_arena_new();
	struct unchanged unchanged;

	seg_strbuf_add_n(&text, town, (size_t)(strstr(town, "stages:\n") - town));
	for (unsigned i = 0; i < 10000; i++)
		seg_strbuf_printf(&text,
				  "  - {id: P%u, class: internal, from: mn, to: lg, service: [tcp/22], "
				  "owner: '%0150u', basis: '%0150u'}\n",
				  i, i, i);
	before = load(seg_strbuf_text(&text));
	unchanged_find(&unchanged, before.policy, before.policy->source[0], arena);
	ck_assert_uint_eq(unchanged.known.n, 10005);
	fixture_fini(&before);
	seg_arena_free(arena);
	seg_strbuf_fini(&text);
}
END_TEST

/* A piece of the text replaced by another piece of it, or by characters that mean something. */
static char *edited(const char *text, size_t reach)
{
	static const char *const odd[] = {"\n",	 "  ",	     "- ", "#",	       "{",	  "}",
					  "\"",	 "permits:", ": ", "zones:\n", "\n- a\n", "\n  - id: Q\n",
					  "|\n", "x",	     "mn", "\n    ",   "8",	  "stages:\n"};
	size_t len = strlen(text), from = (size_t)random() % len, cut = (size_t)random() % reach;
	size_t take = (size_t)random() % len, size = (size_t)random() % reach;
	struct seg_strbuf out = {0};

	if (cut > len - from)
		cut = len - from;
	if (size > len - take)
		size = len - take;
	seg_strbuf_add_n(&out, text, from);
	if (random() % 2)
		seg_strbuf_add_n(&out, text + take, size);
	else
		seg_strbuf_add(&out, odd[(size_t)random() % (sizeof(odd) / sizeof(*odd))]);
	seg_strbuf_add(&out, text + from + cut);
	return seg_strbuf_take(&out);
}

/* Each edit on the text before it where that one loaded, through the policy that was reloaded for it. */
START_TEST(any_edit_reads_the_same)
{
	struct fixture now = load(town);
	char *text = strdup(town);

	srandom(7);
	for (int i = 0; i < 10000; i++) {
		char *next = edited(text, i % 3 ? 8 : 120);
		struct fixture after;

		ck_assert(same_when_reloaded(now.policy, next, strlen(next), &reader));
		seg_diags_init(&after.diags);
		after.policy = seg_policy_reload(now.policy, "policy.yaml", next, strlen(next), &reader,
						 &after.diags);
		if (!after.policy || !after.policy->permits || i % 200 == 0) {
			fixture_fini(&after);
			free(next);
			continue;
		}
		fixture_fini(&now);
		free(text);
		now = after;
		text = next;
		if (i % 50 == 0) { /* not to wander off */
			fixture_fini(&now);
			free(text);
			now = load(town);
			text = strdup(town);
		}
	}
	fixture_fini(&now);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unchanged");
	TCase *tcase = tcase_create("unchanged");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, those_beside_the_edit_are_known);
	tcase_add_test(tcase, an_edit_elsewhere_leaves_none);
	tcase_add_test(tcase, what_goes_on_is_read);
	tcase_add_test(tcase, a_list_that_changed_is_read);
	tcase_add_test(tcase, permits_of_a_large_policy_are_known);
	tcase_add_test(tcase, any_edit_reads_the_same);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
