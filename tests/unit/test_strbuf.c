// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "runner.h"

START_TEST(empty)
{
	struct seg_strbuf buf = {0};
	char *text;

	ck_assert_str_eq(seg_strbuf_text(&buf), "");
	seg_strbuf_reset(&buf);
	text = seg_strbuf_take(&buf);
	ck_assert_str_eq(text, "");
	free(text);
	seg_strbuf_fini(&buf);
}
END_TEST

START_TEST(appends)
{
	struct seg_strbuf buf = {0};

	seg_strbuf_add(&buf, "10.0.0");
	seg_strbuf_addc(&buf, '.');
	seg_strbuf_add_n(&buf, "0xyz", 1);
	seg_strbuf_printf(&buf, "/%d", 24);
	seg_strbuf_add(&buf, "");
	seg_strbuf_add_n(&buf, NULL, 0);
	ck_assert_str_eq(seg_strbuf_text(&buf), "10.0.0.0/24");
	ck_assert_uint_eq(buf.len, 11);
	seg_strbuf_fini(&buf);
	ck_assert_ptr_null(buf.text);
	ck_assert_uint_eq(buf.len, 0);
}
END_TEST

START_TEST(grows_and_keeps_what_it_holds)
{
	struct seg_strbuf buf = {0};
	char expected[16];
	int i;

	for (i = 0; i < 20000; i++)
		seg_strbuf_printf(&buf, "%05d ", i);
	ck_assert_uint_eq(buf.len, 120000);
	ck_assert_uint_eq(strlen(buf.text), 120000);
	for (i = 0; i < 20000; i++) {
		snprintf(expected, sizeof(expected), "%05d ", i);
		ck_assert_mem_eq(buf.text + 6 * i, expected, 6);
	}
	seg_strbuf_printf(&buf, "%*s", 500000, "x");
	ck_assert_uint_eq(strlen(buf.text), 620000);
	seg_strbuf_fini(&buf);
}
END_TEST

START_TEST(reset_keeps_memory)
{
	struct seg_strbuf buf = {0};
	size_t cap;

	seg_strbuf_printf(&buf, "%*s", 1000, "x");
	cap = buf.cap;
	seg_strbuf_reset(&buf);
	ck_assert_str_eq(seg_strbuf_text(&buf), "");
	ck_assert_uint_eq(buf.cap, cap);
	seg_strbuf_add(&buf, "again");
	ck_assert_str_eq(seg_strbuf_text(&buf), "again");
	seg_strbuf_fini(&buf);
}
END_TEST

START_TEST(take_hands_over)
{
	struct seg_strbuf buf = {0};
	char *text;

	seg_strbuf_add(&buf, "mine");
	text = seg_strbuf_take(&buf);
	ck_assert_str_eq(text, "mine");
	ck_assert_str_eq(seg_strbuf_text(&buf), "");
	seg_strbuf_add(&buf, "new");
	ck_assert_str_eq(text, "mine");
	free(text);
	seg_strbuf_fini(&buf);
}
END_TEST

START_TEST(more_than_there_is_aborts)
{
	struct seg_strbuf buf = {0};

	seg_strbuf_add(&buf, "x");
	seg_strbuf_add_n(&buf, "x", SIZE_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("strbuf");
	TCase *tcase = tcase_create("strbuf");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, empty);
	tcase_add_test(tcase, appends);
	tcase_add_test(tcase, grows_and_keeps_what_it_holds);
	tcase_add_test(tcase, reset_keeps_memory);
	tcase_add_test(tcase, take_hands_over);
	tcase_add_test_raise_signal(tcase, more_than_there_is_aborts, SIGABRT);
	return run_suite(suite);
}
