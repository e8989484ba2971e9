// SPDX-License-Identifier: GPL-2.0-or-later
/* Plain lines are read without libfyaml, to the same tree; whatever else is left to it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/yaml_plain.h"
#include "same_tree.h"
#include "runner.h"

static const char town[] = "# 町\n"
			   "segd: 1\n"
			   "site: 雪代村 # 北\n"
			   "gateway: [10.1.0.1, \"2001:db8:2::1\",\n"
			   "          10.1.0.2]   # both\n"
			   "zones:\n"
			   "  mn:\n"
			   "    title: 個人番号 利用\n"
			   "    interfaces:\n"
			   "    - mn0\n"
			   "    - 'mn1.*'\n"
			   "    wan:\n"
			   "    networks: [10.1.0.0/24, 2001:db8::/64]\n"
			   "\n"
			   "  lg: {tier: lgwan, interfaces: lg0, networks: [],\n"
			   "    # of the prefecture\n"
			   "    intra: allow}\n"
			   "permits:\n"
			   "  - {id: a, from: mn, to: lg, valid: {from: 2026-04-01, until: 2027-03-31}}\n"
			   "  - id: SC-13\n"
			   "    title: a#b c:d \"e\"   \n"
			   "    hours:\n"
			   "      - mon-fri 08:00-20:00\n"
			   "      - \"sat 22:00-05:00\"\n"
			   "    source: [ host , {a: b} ]\n"
			   "  - word\n";

static bool is_plain(const char *text)
{
	struct seg_arena *arena = seg_arena_new();
	const struct seg_source *source;
	struct yaml_tree tree;
	struct seg_diags diags;
	bool plain;

	seg_diags_init(&diags);
	source = seg_source_new(&diags, "text.yaml", text, strlen(text));
	yaml_tree_init(&tree, source, seg_arena_copy(arena, source->text, source->len + 1), arena, &diags);
	plain = yaml_plain_read(&tree);
	ck_assert_uint_eq(diags.errors, 0);
	seg_diags_fini(&diags);
	seg_arena_free(arena);
	return plain;
}

START_TEST(plain_lines_need_no_libfyaml)
{
	ck_assert(is_plain(town));
	ck_assert(is_plain("a: 1"));
	ck_assert(is_plain("\xef\xbb\xbf"
			   "a: 1\n"));
	ck_assert(same_reading(town, strlen(town)));
}
END_TEST

/* What libfyaml alone knows, and mistakes: none is taken for something else. */
static const char *const special[] = {
	"",
	"# nothing\n",
	"a\n",
	"- a\n",
	"[a, b]\n",
	" a: 1\n",
	"---\na: 1\n",
	"a: 1\n...\n",
	"a: 1\n--- \nb: 2\n",
	"s:\n... - {a: b}: c\n",
	"a: one\n  two\n",
	"a:\n  one\n  two\n",
	"a: [one\n  two]\n",
	"a: \"one\n  two\"\n",
	"a: 'it''s'\n",
	"a: \"\\u65e5\"\n",
	"a: |\n  text\n",
	"a: >-\n  text\n",
	"a: &x 1\nb: *x\n",
	"a: !!str 1\n",
	"<<: {a: b}\n",
	"? a\n: b\n",
	"? a:\t- b\n", /* libfyaml 0.7.12 would crash */
	"a: 1\r- ?\n b:\t- c\n",
	"d: : ? ? : : ?a:\t ? b:",
	"\"a\": 1\n",
	"a : 1\n",
	"a: b: c\n",
	"a: {b: c, d}\n",
	"a: {b: , c: d}\n",
	"a: {b: }\n",
	"a: [b: c]\n",
	"a: [b, ]\n",
	"a: [b,, c]\n",
	"a: [2001:db8::, b]\n",
	"a: [::1]\n",
	"a: -1\n",
	"a: [b]c\n",
	"a: \"b\"c\n",
	"a: \"b\"#c\n",
	"a: [b]#c\n",
	"a: [b,#c\n d]\n",
	"a: {b: c\n}\n",
	"a: {b: c,\nd: e}\n",
	"a: [b\n",
	"a: \"b\n",
	"a: ]\n",
	"a:\tb\n",
	"a: b\t# c\n",
	"a: b\r\nc: d\r\n",
	"a: b\xe2\x80\xa8"
	"c: d\n",
	"a: b\n\xef\xbb\xbf"
	"c: d\n",
	"a:\n   b: 1\n  c: 2\n",
	"a:\n- b\n c: 2\n",
	"a:\n  - b\n  c: 2\n",
	"a:\n - - b\n",
	"a:\n -\n  b: c\n",
	"a:\n - b: c\n   d: e\n  f: g\n",
	"a:\n - b\n   c\n",
	"a: @b\n",
	"a: b\na: c\n",
	"a: %b\n",
	"a: [a, [b, [c, [d, [e, [f, [g, [h, [i, [j, [k, [l, [m]]]]]]]]]]]]]\n",
};

START_TEST(special_is_left_to_libfyaml)
{
	ck_assert_msg(same_reading(special[_i], strlen(special[_i])), "%s", special[_i]);
}
END_TEST

/* Bytes at which YAML changes its mind. */
static const char *const bit[] = {
	" ",  "  ", "\n", "\n  ", "\n    ",  ":",     ": ",  "- ", "#",	     " #",    ",",
	"[",  "]",  "{",  "}",	  "\"",	     "'",     "?",   "&",  "*",	     "!",     "|",
	"%",  "@",  "\t", "\r\n", "\n---\n", "\n...", "<<:", "…",  "\\",     "::",    "-",
	"a:", ">",  "`",  "\n- ", "\n\n",    "\n#",   "、",  "　", "[a, b]", "{a: b}"};

/* Puts a bit in, takes a few bytes out, or moves a piece. */
static void edit(char *text, size_t room)
{
	size_t len = strlen(text), at = (size_t)rand() % (len + 1), n = (size_t)rand() % 12;
	const char *put = bit[(size_t)rand() % (sizeof(bit) / sizeof(*bit))];
	char piece[16] = "";

	if (n > len - at)
		n = len - at;
	if (rand() % 3 == 0) {
		memcpy(piece, text + at, n);
		piece[n] = '\0';
		put = piece;
	}
	if (rand() % 3 == 0) {
		memmove(text + at, text + at + n, len - at - n + 1);
		len -= n;
		at = (size_t)rand() % (len + 1);
	}
	if (len + strlen(put) + 1 < room) {
		memmove(text + at + strlen(put), text + at, len - at + 1);
		memcpy(text + at, put, strlen(put));
	}
}

START_TEST(edited_texts_read_the_same)
{
	char text[4096];

	srand(20261125);
	for (int round = 0; round < 8000; round++) {
		strcpy(text, town);
		for (int edits = rand() % 3; edits >= 0; edits--)
			edit(text, sizeof(text));
		ck_assert_msg(same_reading(text, strlen(text)), "%s", text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("yaml");
	TCase *tcase = tcase_create("readers");

	tcase_add_test(tcase, plain_lines_need_no_libfyaml);
	tcase_add_loop_test(tcase, special_is_left_to_libfyaml, 0, sizeof(special) / sizeof(*special));
	tcase_add_test(tcase, edited_texts_read_the_same);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
