/* SPDX-License-Identifier: GPL-2.0-or-later */

/* segd.yaml and the command line. */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "settings.h"
#include "runner.h"

static struct seg_settings settings;
static struct seg_diags diags;

static void setup(void)
{
	seg_settings_init(&settings);
	seg_diags_init(&diags);
}

static void teardown(void)
{
	seg_diags_fini(&diags);
	seg_settings_fini(&settings);
}

static void read_text(const char *text)
{
	seg_settings_read(&settings, "segd.yaml", text, strlen(text), &diags);
}

START_TEST(test_defaults)
{
	read_text("");
	ck_assert_uint_eq(diags.errors, 0);
	ck_assert_str_eq(settings.state_dir, "/var/lib/segd");
	ck_assert_str_eq(settings.socket, "/run/segd/control.sock");
	ck_assert_str_eq(settings.user, "segd");
	ck_assert_int_eq(settings.syslog_options.facility, LOG_AUTHPRIV);
	ck_assert_uint_eq(settings.denied_window, 60);
	ck_assert_ptr_null(settings.metrics.text);
}
END_TEST

START_TEST(test_all_keys)
{
	read_text("policy: /a\nstate-dir: /b\nsocket: /c\nuser: d\ngroup: e\nobserve: true\njournal: false\n"
		  "denied-window: 5m\nreceive-buffer: 4M\n"
		  "syslog: {path: /f, facility: local3, format: cee, queue: 500}\n");
	ck_assert_uint_eq(diags.errors, 0);
	ck_assert_str_eq(settings.policy, "/a");
	ck_assert_str_eq(settings.state_dir, "/b");
	ck_assert_str_eq(settings.socket, "/c");
	ck_assert_str_eq(settings.user, "d");
	ck_assert_str_eq(settings.group, "e");
	ck_assert(settings.observe);
	ck_assert_int_eq(settings.journal, SEG_OFF);
	ck_assert_uint_eq(settings.denied_window, 300);
	ck_assert_uint_eq(settings.receive_buffer, 4u << 20);
	ck_assert_str_eq(settings.syslog_options.path, "/f");
	ck_assert_int_eq(settings.syslog_options.facility, LOG_LOCAL3);
	ck_assert_int_eq(settings.syslog_options.format, SEG_FORMAT_CEE);
	ck_assert_uint_eq(settings.syslog_options.queue, 500);
}
END_TEST

START_TEST(test_syslog_off)
{
	read_text("syslog: false\njournal: true\n");
	ck_assert_uint_eq(diags.errors, 0);
	ck_assert_int_eq(settings.syslog, SEG_OFF);
	ck_assert_int_eq(settings.journal, SEG_ON);
}
END_TEST

static const char *const wrong[] = {
	"polisy: /a\n", "observe: yes please\n", "denied-window: -1\n", "denied-window: 5y\n", "denied-window: 0\n",
	"denied-window: 18446744073709551615h\n", "receive-buffer: 2G\n", "syslog: {facility: kern}\n",
	"syslog: {facilty: auth}\n", "policy: [a]\n", "policy:\n", "- list\n", "journal: maybe\n",
};

START_TEST(test_wrong)
{
	read_text(wrong[_i]);
	ck_assert_msg(diags.errors == 1, "%s: %zu errors", wrong[_i], diags.errors);
}
END_TEST

START_TEST(test_metrics)
{
	read_text("metrics: false\n");
	ck_assert_ptr_null(settings.metrics.text);
	read_text("metrics: unix:/run/segd/metrics.sock\n");
	ck_assert_str_eq(settings.metrics.path, "/run/segd/metrics.sock");
	ck_assert_str_eq(settings.metrics.text, "unix:/run/segd/metrics.sock");
	read_text("metrics: 127.0.0.1:9530\n");
	ck_assert_ptr_null(settings.metrics.path);
	ck_assert(settings.metrics.addr == seg_addr_v4(0x7f000001));
	ck_assert_uint_eq(settings.metrics.port, 9530);
	read_text("metrics: \"[::1]:65535\"\n");
	ck_assert(settings.metrics.addr == 1);
	ck_assert_uint_eq(settings.metrics.port, 65535);
	ck_assert_uint_eq(diags.errors, 0);
}
END_TEST

/* Whatever is not this machine alone is refused, and the message says so. */
static const char *const beyond[] = {"0.0.0.0:9530", "10.1.0.1:9530", "128.0.0.1:1", "'[::]:9530'", "'[2001:db8::1]:9530'",
				     "'[fe80::1]:9530'"};
static const char *const no_place[] = {"true",	      "9530",	      "localhost:9530",	  "127.0.0.1",	      "'127.0.0.1:'",
				       "127.0.0.1:0", "127.0.0.1:+1", "127.0.0.1:65536", "127.0.0.1:9530x", "::1:9530",
				       "'[::1]'",     "'[::1]9530'",  "'[127.0.0.1]:1'",  "'[::1:9530'",     "'[]:1'",
				       "':1'",	      "'unix:'",	      "unix:/",		  "unix:run/x.sock", "[a]",
				       "'[::ffff:127.0.0.1]:1'", "''"};

static void refuse_metrics(const char *value, const char *message)
{
	struct seg_strbuf out = {0};
	char text[64];

	snprintf(text, sizeof(text), "metrics: %s\n", value);
	read_text(text);
	ck_assert_msg(diags.errors == 1, "%s: %zu errors", value, diags.errors);
	ck_assert_ptr_null(settings.metrics.text);
	seg_diags_render(&diags, false, &out);
	ck_assert_msg(strstr(seg_strbuf_text(&out), message), "%s", seg_strbuf_text(&out));
	ck_assert_ptr_nonnull(strstr(seg_strbuf_text(&out), "unix:/run/segd/metrics.sock"));
	seg_strbuf_fini(&out);
}

START_TEST(test_metrics_beyond_this_machine)
{
	refuse_metrics(beyond[_i], "served on a loopback address alone");
}
END_TEST

START_TEST(test_metrics_nowhere)
{
	refuse_metrics(no_place[_i], "metrics is false, a UNIX socket or an address with a port");
}
END_TEST

START_TEST(test_nearest_key)
{
	struct seg_strbuf out = {0};

	read_text("syslog: {facilty: auth}\n");
	seg_diags_render(&diags, false, &out);
	ck_assert_ptr_nonnull(strstr(seg_strbuf_text(&out), "segd.yaml:1:10"));
	ck_assert_ptr_nonnull(strstr(seg_strbuf_text(&out), "did you mean facility"));
	seg_strbuf_fini(&out);
}
END_TEST

START_TEST(test_command_line_wins)
{
	char path[] = "/tmp/segd-settings-XXXXXX";
	char *argv[] = {(char *)"segd", (char *)"--config", path, (char *)"--state-dir", (char *)"/flag", NULL};
	int fd = mkstemp(path);
	static const char text[] = "state-dir: /file\nsocket: /file.sock\n";

	ck_assert_int_eq(write(fd, text, sizeof(text) - 1), (int)sizeof(text) - 1);
	close(fd);
	ck_assert_int_eq(seg_settings_load(&settings, 5, argv), 0);
	unlink(path);
	ck_assert_str_eq(settings.state_dir, "/flag");
	ck_assert_str_eq(settings.socket, "/file.sock");
}
END_TEST

START_TEST(test_named_file_must_exist)
{
	char *argv[] = {(char *)"segd", (char *)"--config", (char *)"/nonexistent/segd.yaml", NULL};
	char *extra[] = {(char *)"segd", (char *)"--config", (char *)"/dev/null", (char *)"extra", NULL};

	ck_assert_int_eq(seg_settings_load(&settings, 3, argv), -EBADMSG);
	ck_assert_int_eq(seg_settings_load(&settings, 4, extra), -EINVAL);
}
END_TEST

/* What stands in it is the default, also what stands in a comment as "#key: value". */
START_TEST(test_the_file_we_ship)
{
	FILE *file = fopen("conf/segd.yaml", "r");
	char text[8192], *line, *rest = text;
	struct seg_strbuf live = {0};
	struct seg_settings plain;
	unsigned examples = 0;
	size_t n;

	ck_assert_ptr_nonnull(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		bool example = line[0] == '#' && line[1] && (line[1] != ' ' || line[2] == ' ');

		examples += example;
		seg_strbuf_printf(&live, "%s\n", example ? line + 1 : line);
	}
	ck_assert_uint_gt(examples, 2);
	seg_settings_init(&plain);
	read_text(seg_strbuf_text(&live));
	ck_assert_uint_eq(diags.errors, 0);
	ck_assert_str_eq(settings.policy, plain.policy);
	ck_assert_str_eq(settings.state_dir, plain.state_dir);
	ck_assert_str_eq(settings.socket, plain.socket);
	ck_assert_str_eq(settings.user, plain.user);
	ck_assert_int_eq(settings.observe, plain.observe);
	ck_assert_str_eq(settings.syslog_options.path, plain.syslog_options.path);
	ck_assert_int_eq(settings.syslog_options.facility, plain.syslog_options.facility);
	ck_assert_int_eq(settings.syslog_options.format, plain.syslog_options.format);
	ck_assert_uint_eq(settings.syslog_options.queue, plain.syslog_options.queue);
	ck_assert_int_eq(settings.journal, plain.journal);
	ck_assert_uint_eq(settings.denied_window, plain.denied_window);
	ck_assert_uint_eq(settings.receive_buffer, plain.receive_buffer);
	ck_assert_ptr_null(settings.metrics.text);
	seg_settings_fini(&plain);
	seg_strbuf_fini(&live);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settings");
	TCase *tcase = tcase_create("settings");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_defaults);
	tcase_add_test(tcase, test_all_keys);
	tcase_add_test(tcase, test_syslog_off);
	tcase_add_loop_test(tcase, test_wrong, 0, sizeof(wrong) / sizeof(*wrong));
	tcase_add_test(tcase, test_metrics);
	tcase_add_loop_test(tcase, test_metrics_beyond_this_machine, 0, sizeof(beyond) / sizeof(*beyond));
	tcase_add_loop_test(tcase, test_metrics_nowhere, 0, sizeof(no_place) / sizeof(*no_place));
	tcase_add_test(tcase, test_nearest_key);
	tcase_add_test(tcase, test_command_line_wins);
	tcase_add_test(tcase, test_named_file_must_exist);
	tcase_add_test(tcase, test_the_file_we_ship);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
