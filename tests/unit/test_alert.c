// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "flow/alert.h"
#include "runner.h"

#define AT 1763946000 /* 2025-11-24T10:00:00+09:00 */

static char *text_of(const struct seg_alert *alert)
{
	struct seg_strbuf out = {0};

	seg_alert_format(alert, &out);
	return seg_strbuf_take(&out);
}

static json_t *json_of(const struct seg_alert *alert)
{
	struct seg_strbuf out = {0};
	json_error_t error;
	json_t *json;

	seg_alert_format_json(alert, "Asia/Tokyo", &out);
	ck_assert_ptr_null(strchr(seg_strbuf_text(&out), '\n'));
	json = json_loads(seg_strbuf_text(&out), JSON_REJECT_DUPLICATES, &error);
	ck_assert_msg(json != NULL, "%s: %s", error.text, seg_strbuf_text(&out));
	seg_strbuf_fini(&out);
	return json;
}

static void expect_cef(const struct seg_alert *alert, const char *expected)
{
	struct seg_strbuf out = {0};

	seg_alert_format_cef(alert, &out);
	ck_assert_str_eq(seg_strbuf_text(&out), expected);
	seg_strbuf_fini(&out);
}

START_TEST(one_line_in_order)
{
	struct seg_alert alert;
	char *text;

	seg_alert_init(&alert, "violation", SEG_CRIT, AT);
	seg_alert_text(&alert, "site", "青葉川市");
	seg_alert_text(&alert, "from", "mn-link");
	seg_alert_text(&alert, "permit", NULL);
	seg_alert_addr(&alert, "src", seg_addr_v4(0x0a280a0a));
	seg_alert_number(&alert, "dport", 443);
	seg_alert_text(&alert, "comment", "two words");
	text = text_of(&alert);
	ck_assert_str_eq(
		text,
		"violation site=\"青葉川市\" from=mn-link src=10.40.10.10 dport=443 comment=\"two words\"");
	free(text);
	ck_assert_str_eq(seg_alert_get(&alert, "from"), "mn-link");
	ck_assert_ptr_null(seg_alert_get(&alert, "permit"));
	seg_alert_fini(&alert);
}
END_TEST

START_TEST(a_key_twice_takes_the_later)
{
	struct seg_alert alert;
	char *text;

	seg_alert_init(&alert, "denied", SEG_NOTICE, AT);
	seg_alert_text(&alert, "count", "many");
	seg_alert_number(&alert, "count", 7);
	text = text_of(&alert);
	ck_assert_str_eq(text, "denied count=7");
	free(text);
	seg_alert_fini(&alert);
}
END_TEST

START_TEST(more_fields_than_room)
{
	static const char *const key[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
					  "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z"};
	struct seg_alert alert;

	seg_alert_init(&alert, "denied", SEG_NOTICE, AT);
	for (size_t i = 0; i < 26; i++)
		seg_alert_number(&alert, key[i], i);
	ck_assert_uint_eq(alert.fields, SEG_ALERT_FIELDS);
	ck_assert_str_eq(seg_alert_get(&alert, "x"), "23");
	ck_assert_ptr_null(seg_alert_get(&alert, "y"));
	seg_alert_number(&alert, "a", 99);
	ck_assert_str_eq(seg_alert_get(&alert, "a"), "99");
	seg_alert_fini(&alert);
}
END_TEST

static const struct {
	const char *value, *text, *json;
} hostile[] = {
	{"plain", "plain", "plain"},
	{"", "\"\"", ""},
	{"a b", "\"a b\"", "a b"},
	{"a=b", "\"a=b\"", "a=b"},
	{"it's", "\"it's\"", "it's"},
	{"say \"x\"", "\"say \\\"x\\\"\"", "say \"x\""},
	{"back\\slash", "\"back\\\\slash\"", "back\\slash"},
	{"x\nviolation from=a", "\"x\\x0aviolation from=a\"", "x\\x0aviolation from=a"},
	{"\x1b[2J", "\"\\x1b[2J\"", "\\x1b[2J"},
	{"\x7f", "\"\\x7f\"", "\\x7f"},
	{"\xc2\x9b", "\"\\xc2\\x9b\"", "\\xc2\\x9b"},				/* CSI as one character */
	{"\xe2\x80\xaelive", "\"\\xe2\\x80\\xaelive\"", "\\xe2\\x80\\xaelive"}, /* right to left */
	{"\xff\xfe", "\"\\xff\\xfe\"", "\\xff\\xfe"},				/* never UTF-8 */
	{"\xc0\xaf", "\"\\xc0\\xaf\"", "\\xc0\\xaf"},				/* overlong */
	{"\xe6\xbc", "\"\\xe6\\xbc\"", "\\xe6\\xbc"},				/* cut off */
	{"税務課", "\"税務課\"", "税務課"},
};

START_TEST(hostile_values)
{
	struct seg_alert alert;
	char *text, expected[128];
	json_t *json;

	seg_alert_init(&alert, "denied", SEG_NOTICE, AT);
	seg_alert_text(&alert, "detail", hostile[_i].value);
	text = text_of(&alert);
	snprintf(expected, sizeof(expected), "denied detail=%s", hostile[_i].text);
	ck_assert_str_eq(text, expected);
	free(text);
	json = json_of(&alert);
	ck_assert_str_eq(json_string_value(json_object_get(json, "detail")), hostile[_i].json);
	json_decref(json);
	seg_alert_fini(&alert);
}
END_TEST

START_TEST(json_form)
{
	struct seg_alert alert;
	json_t *json;

	seg_alert_init(&alert, "violation-ended", SEG_NOTICE, AT);
	seg_alert_number(&alert, "bytes", UINT64_C(9007199254740993));
	seg_alert_text(&alert, "version", "12");
	json = json_of(&alert);
	ck_assert_str_eq(json_string_value(json_object_get(json, "event")), "violation-ended");
	ck_assert_str_eq(json_string_value(json_object_get(json, "at")), "2025-11-24T10:00:00+09:00");
	ck_assert_int_eq(json_integer_value(json_object_get(json, "bytes")), 9007199254740993);
	ck_assert(json_is_string(json_object_get(json, "version")));
	json_decref(json);
	seg_alert_fini(&alert);
}
END_TEST

START_TEST(cef_form)
{
	struct seg_alert alert;

	seg_alert_init(&alert, "violation", SEG_CRIT, AT);
	seg_alert_text(&alert, "from", "mn");
	seg_alert_addr(&alert, "src", seg_addr_v4(0x0a000001));
	seg_alert_number(&alert, "sport", 50000);
	seg_alert_text(&alert, "confirm-until", "a=b|c\\d\ne");
	expect_cef(&alert,
		   "CEF:0|segd|segd|" SEG_VERSION "|violation|Flow that no permit explains|9|rt=1763946000000"
		   " cs1Label=from cs1=mn src=10.0.0.1 spt=50000 segdConfirmUntil=a\\=b|c\\\\d\\\\x0ae");
	seg_alert_fini(&alert);
}
END_TEST

START_TEST(cef_has_other_keys_for_ipv6)
{
	static const uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	struct seg_alert alert;

	seg_alert_init(&alert, "started", SEG_NOTICE, AT);
	seg_alert_addr(&alert, "dst", seg_addr_from_bytes(SEG_IPV6, address));
	expect_cef(&alert, "CEF:0|segd|segd|" SEG_VERSION "|started|started|3|rt=1763946000000"
			   " c6a3Label=Destination IPv6 Address c6a3=2001:db8::1");
	seg_alert_fini(&alert);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alert");
	TCase *tcase = tcase_create("alert");

	tcase_add_test(tcase, one_line_in_order);
	tcase_add_test(tcase, a_key_twice_takes_the_later);
	tcase_add_test(tcase, more_fields_than_room);
	tcase_add_loop_test(tcase, hostile_values, 0, sizeof(hostile) / sizeof(hostile[0]));
	tcase_add_test(tcase, json_form);
	tcase_add_test(tcase, cef_form);
	tcase_add_test(tcase, cef_has_other_keys_for_ipv6);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
