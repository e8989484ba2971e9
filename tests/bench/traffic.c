/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load of the packet path benchmarks: one process that serves, one that asks.
 *
 *   traffic serve PORT                     accepts; a first byte 'r' = answer and close, others = sink
 *   traffic bulk ADDRESS PORT SECONDS      one stream; prints Mbit/s
 *   traffic request ADDRESS PORT SECONDS   connections one after another, each with a question and an answer;
 *                                          prints connections/s
 *   traffic connect ADDRESS PORT SECONDS   the same with nothing in them, and reset
 *   traffic spray ADDRESS FLOWS RATE       one datagram each to ADDRESS, ADDRESS + 1, ... and to their ports
 * from 1 to PORTS, so many a second; prints the rate that was reached
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void sink(int epoll, int fd)
{
	static const char answer[200] = "a";
	static char buffer[1 << 18];
	ssize_t got = read(fd, buffer, sizeof(buffer));

	if (got > 0 && (buffer[0] != 'r' || write(fd, answer, sizeof(answer)) < 0))
		return;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	close(fd);
}

static _Noreturn void serve(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct epoll_event event = {.events = EPOLLIN};
	int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 1024) < 0)
		die("listen");
	event.data.fd = listener;
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		struct epoll_event ready[64];
		int n = epoll_wait(epoll, ready, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd;

			if (ready[i].data.fd != listener) {
				sink(epoll, ready[i].data.fd);
				continue;
			}
			while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				event.data.fd = fd;
				epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
			}
		}
	}
}

static int connected(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		die("connect");
	return fd;
}

/* Small segments: the packet path is what is measured, not the copying. */
static void bulk(const struct sockaddr_in *to, double seconds)
{
	static char buffer[1 << 16];
	int mss = 536, fd = socket(AF_INET, SOCK_STREAM, 0);
	double start, bytes = 0;

	setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof(mss));
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		die("connect");
	memset(buffer, 'b', sizeof(buffer));
	start = now();
	while (now() - start < seconds) {
		ssize_t put = write(fd, buffer, sizeof(buffer));

		if (put < 0)
			die("write");
		bytes += (double)put;
	}
	printf("%.0f\n", bytes * 8 / 1e6 / (now() - start));
	close(fd);
}

#define PORTS 60000
#define AT_ONCE 32

/* Nobody need answer: each datagram is a flow of its own. */
static void spray(const struct sockaddr_in *first, long flows, double rate)
{
	struct sockaddr_in to[AT_ONCE];
	struct mmsghdr message[AT_ONCE];
	struct iovec byte = {.iov_base = (char[]){'x'}, .iov_len = 1};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	double start = now();
	long sent = 0;

	while (sent < flows) {
		unsigned n = 0;

		for (long i = sent; n < AT_ONCE && i < flows; n++, i++) {
			to[n] = *first;
			to[n].sin_addr.s_addr = htonl(ntohl(first->sin_addr.s_addr) + (uint32_t)(i / PORTS));
			to[n].sin_port = htons((uint16_t)(1 + i % PORTS));
			message[n].msg_hdr = (struct msghdr){.msg_name = &to[n],
							     .msg_namelen = sizeof(to[n]),
							     .msg_iov = &byte,
							     .msg_iovlen = 1};
		}
		if (sendmmsg(fd, message, n, 0) != (int)n)
			die("sendmmsg");
		sent += n;
		while ((double)sent > (now() - start) * rate)
			usleep(200);
	}
	printf("%.0f\n", (double)sent / (now() - start));
	close(fd);
}

static void ask(int fd)
{
	char buffer[256] = "request";
	ssize_t got;

	if (write(fd, buffer, 100) != 100)
		die("write");
	while ((got = read(fd, buffer, sizeof(buffer))) > 0) /* until the server closes */
		;
	if (got < 0)
		die("read");
}

static void connect_often(const struct sockaddr_in *to, double seconds, bool request)
{
	const struct linger reset = {.l_onoff = 1};
	double start = now(), done = 0;

	while (now() - start < seconds) {
		int fd = connected(to);

		if (request)
			ask(fd);
		else /* frees the port at once: thousands a second would run out of them */
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		done++;
	}
	printf("%.0f\n", done / (now() - start));
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve((uint16_t)atoi(argv[2]));
	if (argc == 5 && strcmp(argv[1], "spray") == 0 && inet_pton(AF_INET, argv[2], &to.sin_addr) == 1) {
		spray(&to, atol(argv[3]), atof(argv[4]));
		return 0;
	}
	if (argc != 5 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: traffic serve PORT | bulk|request|connect ADDRESS PORT SECONDS | "
				"spray ADDRESS FLOWS RATE\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	if (strcmp(argv[1], "bulk") == 0)
		bulk(&to, atof(argv[4]));
	else
		connect_often(&to, atof(argv[4]), strcmp(argv[1], "request") == 0);
	return 0;
}
