/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The text format of Prometheus, to the letter; a parser of its own reads the whole in tests/net. */

#include <check.h>
#include <stdlib.h>

#include "base/exposition.h"
#include "runner.h"

static struct seg_strbuf out;

static void teardown(void)
{
	seg_strbuf_fini(&out);
	out = (struct seg_strbuf){0};
}

static void wrote(const char *text)
{
	ck_assert_str_eq(seg_strbuf_text(&out), text);
}

START_TEST(test_one)
{
	seg_exposition_one(&out, SEG_COUNTER, "segd_x_total", "What it is", UINT64_MAX);
	wrote("# HELP segd_x_total What it is\n# TYPE segd_x_total counter\nsegd_x_total "
	      "18446744073709551615\n");
}
END_TEST

START_TEST(test_labels)
{
	seg_exposition_family(&out, SEG_GAUGE, "segd_y", "y");
	seg_exposition_sample(&out, "segd_y", SEG_LABELS({"from", "a"}, {"to", NULL}), 1);
	seg_exposition_sample(&out, "segd_y", SEG_LABELS({"from", "税務課"}), 0);
	wrote("# HELP segd_y y\n# TYPE segd_y gauge\nsegd_y{from=\"a\",to=\"\"} 1\nsegd_y{from=\"税務課\"} "
	      "0\n");
}
END_TEST

/* A title of the policy cannot end its label, its line, or begin another sample. */
START_TEST(test_escaping)
{
	seg_exposition_sample(&out, "x", SEG_LABELS({"t", "a\"} 1\nsegd_state 0\n\\"}, {"u", "\\\\n"}), 7);
	wrote("x{t=\"a\\\"} 1\\nsegd_state 0\\n\\\\\",u=\"\\\\\\\\n\"} 7\n");
	seg_strbuf_reset(&out);
	seg_exposition_family(&out, SEG_GAUGE, "x", "a \"b\"\n\\");
	wrote("# HELP x a \"b\"\\n\\\\\n# TYPE x gauge\n");
}
END_TEST

START_TEST(test_histogram)
{
	struct seg_histogram late = {.bound = {0.01, 0.5, 1}, .bounds = 3};

	for (int i = 0; i < 3; i++)
		seg_histogram_add(&late, 0);
	seg_histogram_add(&late, 0.5); /* at a bound is below it */
	seg_histogram_add(&late, 0.75);
	seg_histogram_add(&late, 30);
	seg_exposition_histogram(&out, "late_seconds", "h", &late);
	wrote("# HELP late_seconds h\n# TYPE late_seconds histogram\n"
	      "late_seconds_bucket{le=\"0.01\"} 3\nlate_seconds_bucket{le=\"0.5\"} 4\n"
	      "late_seconds_bucket{le=\"1\"} 5\nlate_seconds_bucket{le=\"+Inf\"} 6\n"
	      "late_seconds_sum 31.25\nlate_seconds_count 6\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exposition");
	TCase *tcase = tcase_create("text");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, test_one);
	tcase_add_test(tcase, test_labels);
	tcase_add_test(tcase, test_escaping);
	tcase_add_test(tcase, test_histogram);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
