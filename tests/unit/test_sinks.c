// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sinks against servers that are slow, absent, dead or replaced: every line arrives once
 * and in order. The servers are datagram sockets of this process, in a directory of its own.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "sinks/sink.h"
#include "runner.h"

#define AT 1765238405 /* 2025-12-09T09:00:05+09:00 */

static char directory[] = "/tmp/segd-sinks-XXXXXX";
static char path[64];

static void make_directory(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/log", directory);
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
}

static void remove_directory(void)
{
	unlink(path);
	rmdir(directory);
}

static int serve(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(at.sun_path, path);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static struct seg_sink *sink_with(size_t queue)
{
	const struct seg_sink_options options = {.path = path, .facility = LOG_AUTHPRIV, .queue = queue};

	return seg_syslog_new(&options);
}

static void put(struct seg_sink *sink, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		struct seg_alert alert;

		seg_alert_init(&alert, "denied", SEG_NOTICE, AT);
		seg_alert_number(&alert, "count", i);
		seg_sink_put(sink, &alert);
		seg_alert_fini(&alert);
	}
}

/* Reads what is there and expects exactly the lines [*next, ...) in order. */
static void take(int server, unsigned *next)
{
	char line[512], expected[32];
	ssize_t len;

	while ((len = recv(server, line, sizeof(line) - 1, 0)) >= 0) {
		line[len] = '\0';
		snprintf(expected, sizeof(expected), "denied count=%u", (*next)++);
		ck_assert_ptr_nonnull(strstr(line, "]: "));
		ck_assert_str_eq(strstr(line, "]: ") + 3, expected);
	}
}

START_TEST(each_line_once_and_in_order)
{
	int server = serve();
	struct seg_sink *sink = sink_with(10);
	unsigned next = 0;

	for (unsigned i = 0; i < 100; i++) {
		put(sink, i, i + 1);
		take(server, &next);
		ck_assert_uint_eq(next, i + 1);
	}
	ck_assert_uint_eq(seg_sink_pending(sink), 0);
	seg_sink_free(sink);
	close(server);
}
END_TEST

START_TEST(an_absent_server)
{
	struct seg_sink *sink = sink_with(100);
	unsigned next = 0;
	int server;

	put(sink, 0, 5);
	ck_assert_uint_eq(seg_sink_pending(sink), 5);
	seg_sink_flush(sink);
	ck_assert_uint_eq(seg_sink_pending(sink), 5);
	server = serve();
	seg_sink_flush(sink);
	ck_assert_uint_eq(seg_sink_pending(sink), 0);
	take(server, &next);
	ck_assert_uint_eq(next, 5);
	seg_sink_free(sink);
	close(server);
}
END_TEST

START_TEST(a_slow_server_blocks_nobody)
{
	int server = serve();
	struct seg_sink *sink = sink_with(2000);
	struct timespec before, after;
	unsigned next = 0;

	clock_gettime(CLOCK_MONOTONIC, &before);
	put(sink, 0, 1000);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_int_le(after.tv_sec - before.tv_sec, 1);
	ck_assert_uint_gt(seg_sink_pending(sink), 0);
	while (seg_sink_pending(sink)) {
		take(server, &next);
		seg_sink_flush(sink);
	}
	put(sink, 1000, 1001);
	take(server, &next);
	ck_assert_uint_eq(next, 1001);
	ck_assert_uint_eq(seg_sink_stats(sink).dropped, 0);
	seg_sink_free(sink);
	close(server);
}
END_TEST

START_TEST(beyond_the_bound_the_newest_are_dropped_and_counted)
{
	struct seg_sink *sink = sink_with(5);
	unsigned next = 0;
	int server;

	put(sink, 0, 12);
	ck_assert_uint_eq(seg_sink_pending(sink), 5);
	ck_assert_uint_eq(seg_sink_stats(sink).dropped, 7);
	ck_assert_uint_eq(seg_sink_stats(sink).pending, 5);
	ck_assert_uint_eq(seg_sink_stats(sink).sent, 0);
	server = serve();
	put(sink, 5, 6); /* behind those that wait */
	take(server, &next);
	ck_assert_uint_eq(next, 6);
	ck_assert_uint_eq(seg_sink_stats(sink).sent, 6);
	ck_assert_str_eq(seg_sink_stats(sink).name, "syslog");
	seg_sink_free(sink);
	close(server);
}
END_TEST

START_TEST(a_server_that_dies_and_comes_back)
{
	int server = serve();
	struct seg_sink *sink = sink_with(100);
	unsigned next = 0;

	put(sink, 0, 3);
	take(server, &next);
	close(server); /* its file stays, as after a kill -9 */
	put(sink, 3, 6);
	ck_assert_uint_eq(seg_sink_pending(sink), 3);
	unlink(path);
	server = serve();
	seg_sink_flush(sink);
	put(sink, 6, 8);
	take(server, &next);
	ck_assert_uint_eq(next, 8);
	ck_assert_uint_eq(seg_sink_pending(sink), 0);
	seg_sink_free(sink);
	close(server);
}
END_TEST

START_TEST(a_socket_replaced_while_the_old_one_is_open)
{
	int old = serve(), server;
	struct seg_sink *sink = sink_with(100);
	unsigned next = 0;

	put(sink, 0, 2);
	take(old, &next);
	unlink(path);
	put(sink, 2, 4); /* nobody at the path: kept, not given to the old one */
	ck_assert_uint_eq(seg_sink_pending(sink), 2);
	server = serve();
	put(sink, 4, 5);
	take(server, &next);
	ck_assert_uint_eq(next, 5);
	ck_assert_int_lt(recv(old, path, 0, 0), 0);
	seg_sink_free(sink);
	close(server);
	close(old);
}
END_TEST

START_TEST(what_no_datagram_holds_stops_nobody)
{
	int server = serve();
	struct seg_sink *sink = sink_with(100);
	char *huge = malloc(300001);
	struct seg_alert alert;
	unsigned next = 0;

	memset(huge, 'x', 300000);
	huge[300000] = '\0';
	seg_alert_init(&alert, "denied", SEG_NOTICE, AT);
	seg_alert_text(&alert, "detail", huge);
	seg_sink_put(sink, &alert);
	seg_alert_fini(&alert);
	put(sink, 0, 1);
	take(server, &next);
	ck_assert_uint_eq(next, 1);
	ck_assert_uint_eq(seg_sink_stats(sink).dropped, 1);
	free(huge);
	seg_sink_free(sink);
	close(server);
}
END_TEST

static void expect(struct seg_sink *sink, int server, const char *expected)
{
	struct seg_alert alert;
	char line[1024];
	ssize_t len;

	seg_alert_init(&alert, "violation", SEG_CRIT, AT);
	seg_alert_text(&alert, "site", "村\nPRIORITY=7");
	seg_alert_number(&alert, "confirm-until", 5);
	seg_sink_put(sink, &alert);
	seg_alert_fini(&alert);
	len = recv(server, line, sizeof(line) - 1, 0);
	ck_assert_int_gt(len, 0);
	line[len] = '\0';
	ck_assert_str_eq(line, expected);
	seg_sink_free(sink);
	close(server);
}

START_TEST(syslog_forms)
{
	static const char *const form[] = {
		"violation site=\"村\\x0aPRIORITY=7\" confirm-until=5",
		"@cee: {\"event\":\"violation\",\"at\":\"2025-12-09T09:00:05+09:00\","
		"\"site\":\"村\\\\x0aPRIORITY=7\",\"confirm-until\":5}",
		"CEF:0|segd|segd|" SEG_VERSION "|violation|Flow that no permit explains|9|rt=1765238405000"
		" cs4Label=site cs4=村\\\\x0aPRIORITY\\=7 segdConfirmUntil=5",
	};
	const struct seg_sink_options options = {
		.path = path, .facility = LOG_LOCAL3, .format = (enum seg_sink_format)_i, .queue = 5};
	char expected[512];
	int server = serve();

	snprintf(expected, sizeof(expected), "<154>Dec  9 09:00:05 segd[%d]: %s", (int)getpid(), form[_i]);
	expect(seg_syslog_new(&options), server, expected);
}
END_TEST

START_TEST(journal_fields)
{
	const struct seg_sink_options options = {.path = path, .facility = LOG_AUTHPRIV, .queue = 5};
	char expected[512];
	int server = serve();

	snprintf(expected, sizeof(expected),
		 "MESSAGE=violation site=\"村\\x0aPRIORITY=7\" confirm-until=5\n"
		 "PRIORITY=2\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=segd\nSYSLOG_PID=%d\n"
		 "SEGD_EVENT=violation\nSEGD_AT=2025-12-09T09:00:05+09:00\n"
		 "SEGD_SITE=村\\x0aPRIORITY=7\nSEGD_CONFIRM_UNTIL=5\n",
		 (int)getpid());
	expect(seg_journal_new(&options), server, expected);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sinks");
	TCase *tcase = tcase_create("sinks");

	tcase_add_checked_fixture(tcase, make_directory, remove_directory);
	tcase_add_test(tcase, each_line_once_and_in_order);
	tcase_add_test(tcase, an_absent_server);
	tcase_add_test(tcase, a_slow_server_blocks_nobody);
	tcase_add_test(tcase, beyond_the_bound_the_newest_are_dropped_and_counted);
	tcase_add_test(tcase, a_server_that_dies_and_comes_back);
	tcase_add_test(tcase, a_socket_replaced_while_the_old_one_is_open);
	tcase_add_test(tcase, what_no_datagram_holds_stops_nobody);
	tcase_add_loop_test(tcase, syslog_forms, 0, 3);
	tcase_add_test(tcase, journal_fields);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
