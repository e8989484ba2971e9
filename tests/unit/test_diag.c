// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "runner.h"

static struct seg_diags diags;

static void setup(void)
{
	seg_diags_init(&diags);
}

static void teardown(void)
{
	seg_diags_fini(&diags);
}

static const struct seg_source *source_of(const char *text)
{
	return seg_source_new(&diags, "p.yaml", text, strlen(text));
}

static void assert_rendered(const char *expected)
{
	struct seg_strbuf out = {0};

	seg_diags_render(&diags, false, &out);
	ck_assert_str_eq(seg_strbuf_text(&out), expected);
	seg_strbuf_fini(&out);
}

static void assert_place(struct seg_place place, unsigned line, unsigned column, unsigned end_column)
{
	const struct seg_position at = seg_place_position(&place);

	ck_assert_uint_eq(at.line, line);
	ck_assert_uint_eq(at.column, column);
	ck_assert_uint_eq(at.end_column, end_column);
}

START_TEST(places_count_characters)
{
	const struct seg_source *source = source_of("a: 1\nsite: 雪代村 x\n\nlast");

	assert_place(seg_source_place(source, 0, 1), 1, 1, 2);
	assert_place(seg_source_place(source, 11, 20), 2, 7, 10);
	assert_place(seg_source_place(source, 21, 22), 2, 11, 12);
	assert_place(seg_source_place(source, 23, 23), 3, 1, 2);
	assert_place(seg_source_place(source, 24, 28), 4, 1, 5);
}
END_TEST

START_TEST(places_stay_in_the_text)
{
	const struct seg_source *source = source_of("ab\r\ncd");
	const struct seg_source *empty = source_of("");

	/* Cut at the end of the line, whatever it ends with. */
	assert_place(seg_source_place(source, 1, 6), 1, 2, 3);
	assert_place(seg_source_place(source, 99, 200), 2, 3, 4);
	assert_place(seg_source_place(empty, 0, 0), 1, 1, 2);
}
END_TEST

START_TEST(byte_order_mark_is_no_column)
{
	const struct seg_source *source = source_of("\xef\xbb\xbfsegd: 2\n");

	assert_place(seg_source_place(source, 9, 10), 1, 7, 8);
	seg_error(&diags, SEG_RANGE, seg_source_place(source, 9, 10), "version");
	assert_rendered("p.yaml:1:7: error[range]: version\n"
			"     1 | segd: 2\n"
			"       |       ^\n");
}
END_TEST

START_TEST(carets_stand_under_wide_characters)
{
	const struct seg_source *source = source_of("site: 雪代村 # がx\n");

	seg_error(&diags, SEG_TYPE, seg_source_place(source, 6, 12), "wide");
	seg_error(&diags, SEG_TYPE, seg_source_place(source, 21, 22), "behind");
	assert_rendered("p.yaml:1:7: error[type]: wide\n"
			"     1 | site: 雪代村 # がx\n"
			"       |       ^^^^\n"
			"p.yaml:1:14: error[type]: behind\n"
			"     1 | site: 雪代村 # がx\n"
			"       |                  ^\n");
}
END_TEST

START_TEST(combining_marks_take_no_cell)
{
	/* か and U+3099: one cell pair */
	const struct seg_source *source = source_of("\xe3\x81\x8b\xe3\x82\x99 x\n");

	seg_error(&diags, SEG_TYPE, seg_source_place(source, 7, 8), "x");
	assert_rendered("p.yaml:1:4: error[type]: x\n"
			"     1 | \xe3\x81\x8b\xe3\x82\x99 x\n"
			"       |    ^\n");
}
END_TEST

START_TEST(nothing_steers_the_terminal)
{
	const struct seg_source *source = source_of("a: \033[31m \xff\t\xe2\x80\xae x\n");

	seg_error(&diags, SEG_SYNTAX, seg_source_place(source, 3, 4), "bad '%s'", "\033]0;\xc3\x28\n");
	assert_rendered("p.yaml:1:4: error[syntax]: bad '\\x1b]0;\\xc3(\\x0a'\n"
			"     1 | a: \\x1b[31m \\xff \\xe2\\x80\\xae x\n"
			"       |    ^^^^\n");
}
END_TEST

START_TEST(long_lines_show_the_place)
{
	char line[2000];
	const struct seg_source *source;
	struct seg_strbuf out = {0};

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	memcpy(line + 1000, "HERE", 4);
	source = source_of(line);
	seg_error(&diags, SEG_TYPE, seg_source_place(source, 1000, 1004), "far");
	seg_diags_render(&diags, false, &out);
	ck_assert_ptr_nonnull(strstr(seg_strbuf_text(&out), "xHEREx"));
	ck_assert_uint_lt(strlen(seg_strbuf_text(&out)), 300);
	seg_strbuf_fini(&out);
}
END_TEST

START_TEST(long_lines_of_escapes_show_the_place)
{
	char line[600];
	struct seg_strbuf out = {0};

	memset(line, '\001', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	seg_error(&diags, SEG_TYPE, seg_source_place(source_of(line), 400, 402), "far");
	seg_diags_render(&diags, false, &out);
	ck_assert_ptr_nonnull(strstr(seg_strbuf_text(&out), "| ...\\x01\\x01"));
	ck_assert_ptr_nonnull(strstr(seg_strbuf_text(&out), "|    ^^^^^^^^\n"));
	seg_strbuf_fini(&out);
}
END_TEST

START_TEST(related_places_and_hints)
{
	const struct seg_source *source = source_of("one\ntwo\n");
	struct seg_diag *diag;

	diag = seg_warning(&diags, SEG_SHADOWED, seg_source_place(source, 4, 7), "second");
	seg_diag_relate(&diags, diag, seg_source_place(source, 0, 3), "first %s", "here");
	seg_diag_hint(&diags, diag, "take %s out", "one");
	assert_rendered("p.yaml:2:1: warning[shadowed]: second\n"
			"     2 | two\n"
			"       | ^^^\n"
			"       = hint: take one out\n"
			"p.yaml:1:1: note: first here\n"
			"     1 | one\n"
			"       | ^^^\n");
}
END_TEST

START_TEST(errors_without_a_place)
{
	seg_error(&diags, SEG_SYNTAX, (struct seg_place){0}, "cannot be read");
	assert_rendered("error[syntax]: cannot be read\n");
}
END_TEST

START_TEST(twenty_are_kept_all_are_counted)
{
	struct seg_place none = {0};
	size_t kept = 0;

	for (int i = 0; i < 25; i++) {
		struct seg_diag *diag = seg_error(&diags, SEG_TYPE, none, "%d", i);

		ck_assert((diag != NULL) == (i < SEG_DIAG_MAX));
		seg_diag_hint(&diags, diag, "hint");
		seg_diag_relate(&diags, diag, none, "related");
	}
	seg_warning(&diags, SEG_UNUSED, none, "still taken");
	for (const struct seg_diag *d = diags.first; d; d = d->next)
		kept++;
	ck_assert_uint_eq(kept, SEG_DIAG_MAX + 1);
	ck_assert_uint_eq(diags.errors, 25);
	ck_assert_uint_eq(diags.warnings, 1);
}
END_TEST

START_TEST(sorted_by_kind_source_and_place)
{
	const struct seg_source *one = source_of("a\nb\nc d"), *two = source_of("a\nb");
	char order[8] = "";

	seg_warning(&diags, SEG_UNUSED, seg_source_place(one, 0, 1), "w");
	seg_error(&diags, SEG_TYPE, seg_source_place(two, 0, 1), "5");
	seg_error(&diags, SEG_TYPE, (struct seg_place){0}, "6");
	seg_error(&diags, SEG_TYPE, seg_source_place(one, 6, 7), "4");
	seg_error(&diags, SEG_TYPE, seg_source_place(one, 4, 5), "2");
	seg_error(&diags, SEG_TYPE, seg_source_place(one, 4, 5), "3");
	seg_error(&diags, SEG_TYPE, seg_source_place(one, 2, 3), "1");
	seg_diags_sort(&diags);
	for (const struct seg_diag *d = diags.first; d; d = d->next)
		strcat(order, d->message);
	ck_assert_str_eq(order, "123456w");
	/* What comes later goes to the end. */
	seg_error(&diags, SEG_TYPE, seg_source_place(one, 0, 1), "x");
	ck_assert_str_eq(diags.first->message, "1");
}
END_TEST

START_TEST(nearest_names)
{
	static const char *const names[] = {"from", "to", "source", "destination", "service", "hours"};
	const size_t n = sizeof(names) / sizeof(names[0]);

	ck_assert_str_eq(seg_nearest("hour", names, n), "hours");
	ck_assert_str_eq(seg_nearest("form", names, n), "from");
	ck_assert_str_eq(seg_nearest("sorce", names, n), "source");
	ck_assert_str_eq(seg_nearest("destinaton", names, n), "destination");
	ck_assert_str_eq(seg_nearest("services", names, n), "service");
	ck_assert_ptr_null(seg_nearest("colour", names, n));
	ck_assert_ptr_null(seg_nearest("", names, n));
	ck_assert_ptr_null(seg_nearest("x", names, n));
	ck_assert_ptr_null(seg_nearest("from", names, 0));
}
END_TEST

START_TEST(nearest_prefers_the_closest)
{
	static const char *const names[] = {"host-10", "host-1", "host-12"};
	char word[200];

	ck_assert_str_eq(seg_nearest("host-2", names, 3), "host-1");
	ck_assert_str_eq(seg_nearest("hots-12", names, 3), "host-12");
	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	ck_assert_ptr_null(seg_nearest(word, names, 3));
}
END_TEST

START_TEST(codes_have_names)
{
	for (int code = SEG_SYNTAX; code <= SEG_REVIEW_DUE; code++)
		ck_assert_ptr_nonnull(seg_diag_code_name((enum seg_diag_code)code));
	ck_assert_str_eq(seg_diag_code_name(SEG_UNKNOWN_KEY), "unknown-key");
	ck_assert_str_eq(seg_diag_code_name(SEG_G10), "G10");
	ck_assert_str_eq(seg_diag_code_name(SEG_REVIEW_DUE), "review-due");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diag");
	TCase *tcase = tcase_create("diag");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, places_count_characters);
	tcase_add_test(tcase, places_stay_in_the_text);
	tcase_add_test(tcase, byte_order_mark_is_no_column);
	tcase_add_test(tcase, carets_stand_under_wide_characters);
	tcase_add_test(tcase, combining_marks_take_no_cell);
	tcase_add_test(tcase, nothing_steers_the_terminal);
	tcase_add_test(tcase, long_lines_show_the_place);
	tcase_add_test(tcase, long_lines_of_escapes_show_the_place);
	tcase_add_test(tcase, related_places_and_hints);
	tcase_add_test(tcase, errors_without_a_place);
	tcase_add_test(tcase, twenty_are_kept_all_are_counted);
	tcase_add_test(tcase, sorted_by_kind_source_and_place);
	tcase_add_test(tcase, nearest_names);
	tcase_add_test(tcase, nearest_prefers_the_closest);
	tcase_add_test(tcase, codes_have_names);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
