/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Metrics over HTTP without the daemon: what is rendered when, and that whoever comes and goes leaves nothing
 * behind (this suite also runs under sanitizers). Behaviour on the wire is tests/net/test_metrics.py's. */

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/scrape.h"
#include "runner.h"

#define PATIENCE 20000 /* ms */

static struct event_base *base;
static struct seg_scrape *scrape;
static struct seg_metrics_at at;
static char path[64];
static unsigned rendered;
static bool late; /* the text comes when the test gives it */

static void give(void)
{
	struct seg_strbuf text = {0};

	rendered++;
	for (int i = 0; i < 30000; i++) /* more than a socket's buffer holds */
		seg_strbuf_add(&text, "segd_something_total 1\n");
	seg_scrape_answer(scrape, seg_strbuf_text(&text), text.len);
	seg_strbuf_fini(&text);
}

static unsigned wanted;

static void want(void *context)
{
	(void)context;
	wanted++;
	if (!late)
		give();
}

static void setup(void)
{
	const struct seg_identity who = {.uid = geteuid(), .gid = getegid(), .asking = getegid()};

	snprintf(path, sizeof(path), "/tmp/segd-scrape-%d.sock", (int)getpid());
	signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	at = (struct seg_metrics_at){.text = path, .path = path};
	rendered = wanted = 0;
	late = false;
	base = event_base_new();
	ck_assert_int_eq(seg_scrape_new(&scrape, base, &at, want, NULL), 0);
	ck_assert_int_eq(seg_scrape_listen(scrape, &who), 0);
}

static void teardown(void)
{
	seg_scrape_free(scrape);
	event_base_free(base);
	ck_assert_int_eq(access(path, F_OK), -1);
}

static int ask(const char *request)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(to.sun_path, path);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	if (*request)
		ck_assert_int_gt(send(fd, request, strlen(request), 0), 0);
	return fd;
}

static void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Bytes until the end of the connection; the first of them in head. */
static size_t read_all(int fd, char head[static 256])
{
	size_t all = 0;
	char piece[65536];

	head[0] = '\0';
	for (int waited = 0; waited < PATIENCE;) {
		ssize_t n;

		turn();
		n = recv(fd, piece, sizeof(piece) - 1, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n < 0) {
			waited += poll(NULL, 0, 1) == 0;
			continue;
		}
		if (!all)
			snprintf(head, 256, "%.*s", (int)(n < 255 ? n : 255), piece);
		all += (size_t)n;
	}
	close(fd);
	return all;
}

START_TEST(test_answers)
{
	char head[256];
	size_t n = read_all(ask("GET /metrics HTTP/1.1\r\n\r\n"), head);

	ck_assert_msg(!strncmp(head, "HTTP/1.1 200 OK\r\n", 17), "%s", head);
	ck_assert_uint_gt(n, 30000 * strlen("segd_something_total 1\n"));
	ck_assert_uint_lt(read_all(ask("GET / HTTP/1.1\r\n\r\n"), head), 300);
	ck_assert_msg(!strncmp(head, "HTTP/1.1 404 ", 13), "%s", head);
}
END_TEST

/* However many ask in one second: the engine is asked once. More than there are places wait and are served.
 */
START_TEST(test_rendered_once_a_second)
{
	char head[256];
	int fd[40];

	for (size_t i = 0; i < 10; i++)
		fd[i] = ask("GET /metrics HTTP/1.1\r\n\r\n");
	for (int i = 0; i < 50; i++)
		turn();
	ck_assert_uint_eq(rendered, 1);
	for (size_t i = 10; i < 40; i++)
		fd[i] = ask("HEAD /metrics HTTP/1.1\r\n\r\n");
	for (size_t i = 0; i < 40; i++) {
		read_all(fd[i], head);
		ck_assert_msg(!strncmp(head, "HTTP/1.1 200 OK\r\n", 17), "%zu: %s", i, head);
	}
}
END_TEST

START_TEST(test_who_goes_in_the_middle)
{
	static const char *const request[] = {"",
					      "G",
					      "GET /metrics HTTP/1.1\r\n",
					      "GET /metrics HTTP/1.1\r\n\r\n",
					      "POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
					      "\r\n\r\n"};
	char head[256];
	int fd[60];

	for (size_t i = 0; i < 60; i++) {
		fd[i] = ask(request[i % 6]);
		turn();
	}
	for (size_t i = 0; i < 60; i++) {
		close(fd[i]);
		turn();
	}
	read_all(ask("HEAD /metrics HTTP/1.1\r\n\r\n"), head);
	ck_assert_msg(!strncmp(head, "HTTP/1.1 200 OK\r\n", 17), "%s", head);
}
END_TEST

/* The text takes its time: everybody who asked meanwhile gets the same one, but who has gone. */
START_TEST(test_text_comes_late)
{
	char head[256];
	int fd[8];

	late = true;
	for (size_t i = 0; i < 8; i++)
		fd[i] = ask(i % 2 ? "GET /metrics HTTP/1.1\r\n\r\n" : "HEAD /metrics HTTP/1.1\r\n\r\n");
	for (int i = 0; i < 50; i++)
		turn();
	ck_assert_uint_eq(wanted, 1);
	for (size_t i = 0; i < 4; i++)
		close(fd[i]);
	for (int i = 0; i < 50; i++)
		turn();
	ck_assert_int_eq(recv(fd[5], head, sizeof(head), 0), -1);
	give();
	for (size_t i = 4; i < 8; i++) {
		read_all(fd[i], head);
		ck_assert_msg(!strncmp(head, "HTTP/1.1 200 OK\r\n", 17), "%zu: %s", i, head);
	}
	ck_assert_uint_eq(wanted, 1);
}
END_TEST

/* Ended while it is awaited, by one who is there and one who has gone. */
START_TEST(test_end_before_the_text)
{
	int fd[2];

	late = true;
	for (size_t i = 0; i < 2; i++)
		fd[i] = ask("GET /metrics HTTP/1.1\r\n\r\n");
	for (int i = 0; i < 50; i++)
		turn();
	close(fd[0]);
	for (int i = 0; i < 50; i++)
		turn();
	ck_assert_uint_eq(wanted, 1);
	close(fd[1]);
}
END_TEST

/* Ended while clients are in every state. */
START_TEST(test_end_with_clients)
{
	int fd[4];

	fd[0] = ask("");
	fd[1] = ask("GET /metr");
	fd[2] = ask("GET /metrics HTTP/1.1\r\n\r\n");
	fd[3] = ask("PUT /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nx");
	for (int i = 0; i < 20; i++)
		turn();
	for (size_t i = 0; i < 4; i++)
		close(fd[i]);
}
END_TEST

/* A port: taken at once, so that a second one cannot have it. */
START_TEST(test_port)
{
	const struct seg_identity who = {0};
	struct seg_metrics_at port = {.text = "127.0.0.1:0", .addr = seg_addr_v4(0x7f000001)};
	struct seg_scrape *one = NULL, *two = NULL;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, len), 0); /* which port is free? */
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	port.port = ntohs(in.sin_port);
	ck_assert_int_eq(seg_scrape_new(&one, base, &port, want, NULL), 0);
	ck_assert_int_eq(seg_scrape_listen(one, &who), 0);
	ck_assert_int_eq(seg_scrape_new(&two, base, &port, want, NULL), 0);
	ck_assert_int_eq(seg_scrape_listen(two, &who), -EADDRINUSE);
	seg_scrape_free(one);
	ck_assert_int_eq(seg_scrape_listen(two, &who), 0);
	seg_scrape_free(two);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scrape");
	TCase *tcase = tcase_create("scrape");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_answers);
	tcase_add_test(tcase, test_rendered_once_a_second);
	tcase_add_test(tcase, test_who_goes_in_the_middle);
	tcase_add_test(tcase, test_text_comes_late);
	tcase_add_test(tcase, test_end_before_the_text);
	tcase_add_test(tcase, test_end_with_clients);
	tcase_add_test(tcase, test_port);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
