// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <stdlib.h>

#include "control/sentence.h"
#include "runner.h"

static void ck_text(json_t *sentence, const char *expected)
{
	char *text = seg_sentence_text(sentence);

	if (expected)
		ck_assert_str_eq(text, expected);
	else
		ck_assert_ptr_null(text);
	free(text);
	json_decref(sentence);
}

/* What comes over the wire, as JSON; the words for it are the program's own. */
static void ck_wire(const char *wire, const char *expected)
{
	json_t *sentence = json_loads(wire, JSON_DECODE_ANY, NULL);

	ck_assert_msg(sentence != NULL, "%s", wire);
	ck_text(sentence, expected);
}

START_TEST(test_values)
{
	ck_text(seg_sentence_new("plain"), "plain");
	ck_text(seg_sentence_new("%s permits %s", "SC-13", "tcp/443"), "SC-13 permits tcp/443");
	ck_text(seg_sentence_new("%d %u %zu %ld %lu", -1, 4000000000u, (size_t)7, -5l, 6ul),
		"-1 4000000000 7 -5 6");
	ck_text(seg_sentence_new("%lld of %llu (%d %%)", -9000000000ll, 18000000000000000000ull, 5),
		"-9000000000 of 18000000000000000000 (5 %)");
	ck_text(seg_sentence_new("100 %%"), "100 %");
	ck_text(seg_sentence_new("a value is no format: %s", "%s%n%1$s"), "a value is no format: %s%n%1$s");
	ck_text(seg_sentence_new("%s", "\xff"), "\\xff");
	ck_text(seg_sentence_new("%d of 0x%02x", 1, 0x1b), "1 of 0x1b");
	ck_text(seg_sentence_new("%s: %.3s", "cut", "abcdef"), "cut: abc");
}
END_TEST

START_TEST(test_other_order)
{
	ck_wire("{\"format\": \"%2$s of %1$s\", \"values\": [\"a\", \"b\"]}", "b of a");
	ck_wire("{\"format\": \"%2$.3s\", \"values\": [\"a\", \"b\"]}",
		"b3s"); /* no such format here: shown, not obeyed */
}
END_TEST

/* Another version, or a hand that is not the daemon's. */
START_TEST(test_strange)
{
	ck_wire("[]", NULL);
	ck_wire("{}", NULL);
	ck_wire("\"text\"", NULL);
	ck_wire("{\"format\": 7, \"values\": []}", NULL);
	ck_wire("{\"format\": \"\", \"values\": []}", "");
	ck_wire("{\"format\": \"%s and %s\", \"values\": [\"one\"]}", "one and ?");
	ck_wire("{\"format\": \"%s\", \"values\": [7]}", "?");
	ck_wire("{\"format\": \"%9$s\", \"values\": []}", "?");
	ck_wire("{\"format\": \"%99999999999999999999$s\", \"values\": [\"a\"]}", "?");
	ck_wire("{\"format\": \"%0$s\", \"values\": [\"a\"]}", "a");
	ck_wire("{\"format\": \"%\", \"values\": [\"a\"]}", "");
	ck_wire("{\"format\": \"%1$\", \"values\": [\"a\"]}", "");
	ck_wire("{\"format\": \"%ll\", \"values\": [\"a\"]}", "a");
	ck_wire("{\"format\": \"%n\", \"values\": [\"a\"]}", "a");
}
END_TEST

START_TEST(test_several)
{
	json_t *list = json_pack("[{s:s, s:[s]}, {s:s}, {}]", "format", "port %s", "values", "444", "format",
				 "outside the hours");
	char *text = seg_sentences_text(list);

	ck_assert_str_eq(text, "port 444; outside the hours; ?");
	free(text);
	json_array_clear(list);
	text = seg_sentences_text(list);
	ck_assert_str_eq(text, "");
	free(text);
	json_decref(list);
}
END_TEST

START_TEST(test_found_by_its_english)
{
	json_t *list = json_pack("[{s:s}, {}, {s:s, s:[s]}]", "format", "plain", "format", "port %s",
				 "values", "444");
	char *text = seg_sentence_text(seg_sentences_find(list, "port 444"));

	ck_assert_str_eq(text, "port 444");
	free(text);
	ck_assert_ptr_null(seg_sentences_find(list, "port 445"));
	ck_assert_ptr_null(seg_sentences_find(NULL, "plain"));
	json_decref(list);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sentence");
	TCase *all = tcase_create("sentence");

	suite_add_tcase(suite, all);
	tcase_add_test(all, test_values);
	tcase_add_test(all, test_other_order);
	tcase_add_test(all, test_strange);
	tcase_add_test(all, test_several);
	tcase_add_test(all, test_found_by_its_english);
	return run_suite(suite);
}
