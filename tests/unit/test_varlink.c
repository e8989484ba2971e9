/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/idl.h"
#include "control/interface.h"
#include "control/varlink.h"
#include "runner.h"

static int parse_call(const char *json, struct seg_varlink_call *call)
{
	char *text = strdup(json);
	int result = seg_varlink_call_parse(text, strlen(text), call);

	free(text);
	return result;
}

START_TEST(messages_are_cut_at_every_split)
{
	static const char stream[] = "{\"a\":1}\0\0{\"b\":2}"; /* the literal's own NUL ends the last one */

	for (size_t step = 1; step <= sizeof(stream); step++) {
		struct seg_varlink_reader reader = {.max = 16};
		const char *expected[] = {"{\"a\":1}", "", "{\"b\":2}"};
		size_t n = 0, len;
		char *text;

		for (size_t i = 0; i < sizeof(stream); i += step) {
			seg_varlink_reader_add(&reader, stream + i,
					       i + step > sizeof(stream) ? sizeof(stream) - i : step);
			while (seg_varlink_reader_next(&reader, &text, &len) == 1) {
				ck_assert_uint_lt(n, 3);
				ck_assert_str_eq(text, expected[n]);
				ck_assert_uint_eq(len, strlen(expected[n]));
				n++;
			}
		}
		ck_assert_uint_eq(n, 3);
		seg_varlink_reader_fini(&reader);
	}
}
END_TEST

START_TEST(message_of_the_cap_passes_and_one_byte_more_does_not)
{
	struct seg_varlink_reader reader = {.max = 4};
	size_t len;
	char *text;

	seg_varlink_reader_add(&reader, "abcd", 5);
	ck_assert_int_eq(seg_varlink_reader_next(&reader, &text, &len), 1);
	ck_assert_uint_eq(len, 4);
	seg_varlink_reader_add(&reader, "abcd", 4);
	ck_assert_int_eq(seg_varlink_reader_next(&reader, &text, &len), 0);
	seg_varlink_reader_add(&reader, "e", 1); /* no NUL needed to know that it is too long */
	ck_assert_int_eq(seg_varlink_reader_next(&reader, &text, &len), -EMSGSIZE);
	seg_varlink_reader_fini(&reader);
	seg_varlink_reader_add(&reader, "abcde", 6);
	ck_assert_int_eq(seg_varlink_reader_next(&reader, &text, &len), -EMSGSIZE);
	seg_varlink_reader_fini(&reader);
}
END_TEST

START_TEST(reader_keeps_no_more_than_what_is_unread)
{
	struct seg_varlink_reader reader = {.max = 1024};
	size_t len;
	char *text;

	for (int i = 0; i < 100000; i++) {
		seg_varlink_reader_add(&reader, "{}", 3);
		ck_assert_int_eq(seg_varlink_reader_next(&reader, &text, &len), 1);
	}
	ck_assert_uint_le(reader.cap, 512);
	seg_varlink_reader_fini(&reader);
}
END_TEST

START_TEST(call_is_read)
{
	struct seg_varlink_call call;

	ck_assert_int_eq(
		parse_call("{ \"method\" : \"org.segd.Apply\", \"more\":true,"
			   "\"parameters\":{\"confirm_within\":120,\"comment\":\"a_b \\\"c_d\\\": e\"}}",
			   &call),
		0);
	ck_assert_str_eq(call.interface, "org.segd");
	ck_assert_str_eq(call.method, "Apply");
	ck_assert(call.more && !call.oneway && !call.upgrade);
	ck_assert_int_eq(json_integer_value(json_object_get(call.parameters, "confirm-within")), 120);
	ck_assert_str_eq(json_string_value(json_object_get(call.parameters, "comment")), "a_b \"c_d\": e");
	seg_varlink_call_fini(&call);

	ck_assert_int_eq(parse_call("{\"method\":\"a.B\",\"parameters\":null}", &call), 0);
	ck_assert_uint_eq(json_object_size(call.parameters), 0);
	seg_varlink_call_fini(&call);
}
END_TEST

static const char *const not_calls[] = {
	"",
	"{",
	"null",
	"[]",
	"\"method\"",
	"{}",
	"{\"method\":1}",
	"{\"method\":\"\"}",
	"{\"method\":\"Status\"}",
	"{\"method\":\".Status\"}",
	"{\"method\":\"org.segd.\"}",
	"{\"method\":\"a.B\",\"parameters\":[]}",
	"{\"method\":\"a.B\",\"more\":1}",
	"{\"method\":\"a.B\",\"oneway\":\"yes\"}",
	"{\"method\":\"a.B\",\"method\":\"a.C\"}",
	"{\"method\":\"a.B\"} x",
	"{\"method\":\"a.\\u0000B\"}",
	"{\"method\":\"a.B\",\"parameters\":{\"x-y\":1,\"x_y\":2}}",
	"{\"method\":\"a.\xff\"}",
};

START_TEST(anything_else_is_no_call)
{
	struct seg_varlink_call call;

	ck_assert_msg(parse_call(not_calls[_i], &call) == -EBADMSG, "accepted: %s", not_calls[_i]);
}
END_TEST

START_TEST(reply_goes_there_and_back)
{
	struct seg_varlink_reply reply;
	size_t len;
	char *text;

	text = seg_varlink_encode(
		seg_varlink_reply_new(json_pack("{s:{s:s}, s:s}", "a-b", "c-d", "e-f", "g_h", "\\\"i-j\\\":"),
				      true),
		&len);
	ck_assert_str_eq(text, "{\"continues\":true,\"parameters\":"
			       "{\"a_b\":{\"c_d\":\"e-f\"},\"g_h\":\"\\\\\\\"i-j\\\\\\\":\"}}");
	ck_assert_uint_eq(len, strlen(text) + 1);
	ck_assert_int_eq(seg_varlink_reply_parse(text, len - 1, &reply), 0);
	ck_assert(reply.continues && !reply.error);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(reply.parameters, "a-b"), "c-d")),
			 "e-f");
	seg_varlink_reply_fini(&reply);
	free(text);

	text = seg_varlink_encode(seg_varlink_error_new(SEG_ERROR_NOT_ALLOWED, NULL), &len);
	ck_assert_int_eq(seg_varlink_reply_parse(text, len - 1, &reply), 0);
	ck_assert_str_eq(reply.error, "org.segd.NotAllowed");
	seg_varlink_reply_fini(&reply);
	free(text);
}
END_TEST

START_TEST(own_descriptions_parse)
{
	struct seg_idl *segd, *service;
	unsigned line = 0;

	segd = seg_idl_parse(seg_interface_segd, &line);
	ck_assert_msg(segd, "org.segd, line %u", line);
	ck_assert_str_eq(seg_idl_name(segd), SEG_INTERFACE);
	ck_assert(seg_idl_has_method(segd, "Apply") && !seg_idl_has_method(segd, "Refused"));
	ck_assert_str_eq(seg_idl_method(segd, 0), "Status");
	ck_assert_ptr_null(seg_idl_method(segd, 100));
	service = seg_idl_parse(seg_interface_service, &line);
	ck_assert_msg(service, "org.varlink.service, line %u", line);
	ck_assert_str_eq(seg_idl_name(service), SEG_VARLINK_SERVICE);
	seg_idl_free(segd);
	seg_idl_free(service);
}
END_TEST

static const struct {
	const char *text;
	unsigned line;
} broken[] = {
	{"", 1},
	{"interface", 1},
	{"interface a.b\nmethod Lower", 2},
	{"interface a.b\nmethod lower() -> ()", 2},
	{"interface a.b\n\nmethod M() -> (a: Missing)", 3},
	{"interface a.b\nmethod M() -> ()\nmethod M() -> ()", 3},
	{"interface a.b\ntype T (a, b: int)", 2},
	{"interface a.b\ntype T (a: int", 2},
	{"interface a.b\ntype T string", 2},
	{"interface a.b\nmethod M(a, b) -> ()", 2},
	{"interface a.b\nsomething", 2},
	{"interface a.b\ntype T (a: [][][][][][][][][][][][][][][][][][]int)", 2},
};

START_TEST(broken_descriptions_name_their_line)
{
	unsigned line = 0;

	ck_assert_ptr_null(seg_idl_parse(broken[_i].text, &line));
	ck_assert_uint_eq(line, broken[_i].line);
}
END_TEST

static const struct {
	const char *value, *path; /* path NULL: it fits */
} values[] = {
	{"{\"n\":1,\"s\":\"x\",\"list\":[],\"map\":{}}", NULL},
	{"{\"n\":1,\"s\":\"x\",\"list\":[{\"a-b\":true}],\"map\":{\"k\":1.5},\"e\":\"one\",\"o\":{}}", NULL},
	{"{\"n\":1,\"s\":\"x\",\"list\":[],\"map\":{},\"e\":null}", NULL},
	{"{\"s\":\"x\",\"list\":[],\"map\":{}}", "n"},
	{"{\"n\":1.5,\"s\":\"x\",\"list\":[],\"map\":{}}", "n"},
	{"{\"n\":null,\"s\":\"x\",\"list\":[],\"map\":{}}", "n"},
	{"{\"n\":1,\"s\":2,\"list\":[],\"map\":{}}", "s"},
	{"{\"n\":1,\"s\":\"x\",\"list\":{},\"map\":{}}", "list"},
	{"{\"n\":1,\"s\":\"x\",\"list\":[{\"a-b\":true},{\"a-b\":1}],\"map\":{}}", "list[1].a-b"},
	{"{\"n\":1,\"s\":\"x\",\"list\":[{\"a_b\":true}],\"map\":{}}", "list[0].a_b"},
	{"{\"n\":1,\"s\":\"x\",\"list\":[],\"map\":{\"k\":\"v\"}}", "map.k"},
	{"{\"n\":1,\"s\":\"x\",\"list\":[],\"map\":{},\"e\":\"three\"}", "e"},
	{"{\"n\":1,\"s\":\"x\",\"list\":[],\"map\":{},\"o\":[]}", "o"},
	{"{\"n\":1,\"s\":\"x\",\"list\":[],\"map\":{},\"more\":1}", "more"},
	{"[]", ""},
};

START_TEST(values_are_held_against_their_types)
{
	static const char text[] =
		"# A comment\ninterface a.b-c\ntype Item (a_b: bool)\ntype E (one, two)\n"
		"method M() -> (n: int, s: string, list: []Item, map: [string]float, e: ?E, o: ?object)";
	struct seg_idl *idl = seg_idl_parse(text, NULL);
	struct seg_strbuf path = {0};
	json_t *value = json_loads(values[_i].value, 0, NULL);

	ck_assert_ptr_nonnull(idl);
	ck_assert_int_eq(seg_idl_check(idl, SEG_IDL_REPLY, "M", value, &path), !values[_i].path);
	ck_assert_str_eq(seg_strbuf_text(&path), values[_i].path ? values[_i].path : "");
	ck_assert(!seg_idl_check(idl, SEG_IDL_REPLY, "N", value, &path));
	json_decref(value);
	seg_strbuf_fini(&path);
	seg_idl_free(idl);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("varlink");
	TCase *tcase = tcase_create("varlink");

	tcase_add_test(tcase, messages_are_cut_at_every_split);
	tcase_add_test(tcase, message_of_the_cap_passes_and_one_byte_more_does_not);
	tcase_add_test(tcase, reader_keeps_no_more_than_what_is_unread);
	tcase_add_test(tcase, call_is_read);
	tcase_add_loop_test(tcase, anything_else_is_no_call, 0,
			    (int)(sizeof(not_calls) / sizeof(*not_calls)));
	tcase_add_test(tcase, reply_goes_there_and_back);
	tcase_add_test(tcase, own_descriptions_parse);
	tcase_add_loop_test(tcase, broken_descriptions_name_their_line, 0,
			    (int)(sizeof(broken) / sizeof(*broken)));
	tcase_add_loop_test(tcase, values_are_held_against_their_types, 0,
			    (int)(sizeof(values) / sizeof(*values)));
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
