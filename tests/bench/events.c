// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an event of conntrack costs: decoding it, beside libnetfilter_conntrack's own parser, and
 * draining real ones from a full socket; and what dumping the table costs. As root: makes a
 * network namespace of its own.
 *
 *     events [FLOWS]      default 50000
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kernel/conntrack.h"
#include "kernel/netlink.h"

#define DECODES 1000000

struct cost {
	double wall, user, system;
};

static struct cost now(void)
{
	struct rusage usage;
	struct timespec wall;

	getrusage(RUSAGE_SELF, &usage);
	clock_gettime(CLOCK_MONOTONIC, &wall);
	return (struct cost){
		.wall = (double)wall.tv_sec * 1e6 + (double)wall.tv_nsec / 1e3,
		.user = (double)usage.ru_utime.tv_sec * 1e6 + (double)usage.ru_utime.tv_usec,
		.system = (double)usage.ru_stime.tv_sec * 1e6 + (double)usage.ru_stime.tv_usec,
	};
}

static void report(const char *what, struct cost before, double n)
{
	struct cost after = now();

	printf("%-42s %6.3f us each (user %.3f, system %.3f)\n", what, (after.wall - before.wall) / n,
	       (after.user - before.user) / n, (after.system - before.system) / n);
}

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void make_flows(unsigned n)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	/* Another source for every 60000 destination ports; the answers (unreachable) are no concern. */
	for (unsigned i = 0; i < n;) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			die("socket");
		for (unsigned port = 1; port <= 60000 && i < n; port++, i++) {
			to.sin_port = htons((uint16_t)port);
			while (sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to)) < 0) {
				if (errno != ECONNREFUSED)
					die("sendto");
			}
		}
		close(fd);
	}
}

static void count(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	size_t *n = context;

	(void)flow;
	*n += event == SEG_FLOW_NEW;
}

static void drain(struct seg_conntrack *ct, unsigned flows, size_t *events)
{
	struct cost before;
	bool lost = false, some;

	make_flows(flows);
	before = now();
	for (size_t last = *events + 1; last != *events;) {
		last = *events;
		seg_conntrack_read_events(ct, &some);
		lost = lost || some;
	}
	report("drained from a full socket", before, (double)*events);
	printf("%zu of %u events read, %s\n", *events, flows, lost ? "some lost" : "none lost");
}

static void ignore(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	size_t *n = context;

	(void)event;
	(void)flow;
	++*n;
}

/* The whole table in slices, between which the daemon's loop does other things. */
static void dump(struct seg_conntrack *ct)
{
	struct pollfd wait = {.fd = seg_conntrack_dump_fd(ct), .events = POLLIN};
	struct cost before = now();
	double longest = 0;
	size_t entries = 0;
	int done = seg_conntrack_dump_start(ct, 0, 0);

	while (!done && poll(&wait, 1, 1000) > 0) {
		double slice = now().wall;

		done = seg_conntrack_dump_read(ct, ignore, &entries);
		slice = now().wall - slice;
		longest = slice > longest ? slice : longest;
	}
	report("dumped", before, (double)entries);
	printf("%zu entries dumped, longest slice %.1f ms%s\n", entries, longest / 1e3,
	       done == 1 ? "" : ", not complete");
}

/* One real event, kept as it came. */
static ssize_t capture(char *buffer, size_t size)
{
	struct mnl_socket *sock;
	ssize_t len;
	int error = seg_netlink_open(&sock, NETLINK_NETFILTER, NF_NETLINK_CONNTRACK_NEW, 0);

	if (error) {
		errno = -error;
		die("netlink");
	}
	make_flows(1);
	len = seg_netlink_receive(sock, buffer, size);
	mnl_socket_close(sock);
	return len;
}

static void decode(void)
{
	_Alignas(struct nlmsghdr) char buffer[4096];
	ssize_t len = capture(buffer, sizeof(buffer));
	struct nf_conntrack *entry = nfct_new();
	enum seg_flow_event event;
	struct seg_flow flow;
	struct cost before;

	if (len < 0 || !entry)
		die("no event");
	before = now();
	for (int i = 0; i < DECODES; i++) {
		if (seg_conntrack_decode(buffer, (size_t)len, &event, &flow))
			die("decode");
	}
	report("decoded by hand", before, DECODES);
	before = now();
	for (int i = 0; i < DECODES; i++) {
		if (nfct_nlmsg_parse((const struct nlmsghdr *)(const void *)buffer, entry))
			die("nfct_nlmsg_parse");
	}
	report("decoded by nfct_nlmsg_parse", before, DECODES);
	nfct_destroy(entry);
}

int main(int argc, char **argv)
{
	unsigned flows = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 50000;
	const char *failed[SEG_CONNTRACK_SETTINGS];
	struct seg_conntrack *ct;
	size_t events = 0;
	int error;

	if (unshare(CLONE_NEWNET) < 0)
		die("unshare");
	if (system("ip link set lo up && nft 'table inet k { chain c { type filter hook output priority 0;"
		   " ct state new; }; chain i { type filter hook input priority 0; ct state new; }; }'") !=
		    0 ||
	    seg_conntrack_prepare(failed) > 0)
		die("namespace");
	decode();
	error = seg_conntrack_open(&ct, 64u << 20, count, &events);
	if (error) {
		errno = -error;
		die("conntrack");
	}
	drain(ct, flows, &events);
	dump(ct);
	seg_conntrack_close(ct);
	return EXIT_SUCCESS;
}
