/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Policies changed under traffic: a gateway between two hosts, a permitted and a refused
 * UDP stream, and switches all the while. Not one packet may be lost or leak. Each host is
 * a process in a network namespace of its own, which goes when the process does.
 */

#include <arpa/inet.h>
#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/nft.h"
#include "commit_plan.h"
#include "sample_plan.h"
#include "runner.h"

#define PERMITTED 5000
#define REFUSED 6000
#define SWITCHES 40
#define INTERVALS 500

/* Shared with the hosts. */
static struct counts {
	volatile unsigned long sent[2], received[2]; /* permitted, refused */
	volatile bool stop;
} * counts;

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, text, &sin.sin_addr);
	return sin;
}

static void send_both(void)
{
	struct sockaddr_in to[2] = {address("10.0.2.2", PERMITTED), address("10.0.2.2", REFUSED)};
	const struct timespec between = {.tv_nsec = 20000};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char payload[64] = {0};

	while (!counts->stop) {
		for (int i = 0; i < 2; i++)
			if (sendto(fd, payload, sizeof(payload), 0, (void *)&to[i], sizeof(to[i])) > 0)
				counts->sent[i]++;
		nanosleep(&between, NULL);
	}
	for (;;)
		pause();
}

static int listen_at(uint16_t port)
{
	struct sockaddr_in at = address("0.0.0.0", port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 16 << 20;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return bind(fd, (void *)&at, sizeof(at)) == 0 ? fd : -1;
}

static void receive_both(void)
{
	int fd[2] = {listen_at(PERMITTED), listen_at(REFUSED)};
	char payload[64];

	for (;;)
		for (int i = 0; i < 2; i++)
			while (recv(fd[i], payload, sizeof(payload), MSG_DONTWAIT) > 0)
				counts->received[i]++;
}

/* A host: its namespace is ready when it has said so; it goes to work when it is told. */
struct host {
	pid_t pid;
	int go;
};

static struct host start(void (*work)(void))
{
	struct host host;
	int ready[2], go[2];
	char byte = 0;

	ck_assert(pipe(ready) == 0 && pipe(go) == 0);
	host.pid = fork();
	ck_assert_int_ge(host.pid, 0);
	if (host.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		work();
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	host.go = go[1];
	return host;
}

static void wire(const struct host *host, int net)
{
	run("ip link add g%d type veth peer name h0 netns %d", net, host->pid);
	run("ip addr add 10.0.%d.1/24 dev g%d && ip link set g%d up", net, net, net);
	run("nsenter -t %d -n sh -c 'ip addr add 10.0.%d.2/24 dev h0 && ip link set h0 up && "
	    "ip route add default via 10.0.%d.1'",
	    host->pid, net, net);
}

static void go(const struct host *host)
{
	ck_assert_int_eq(write(host->go, "", 1), 1);
}

/* Many intervals that no packet is in, and the one that permits the stream. */
static void fill(struct sample *s, struct seg_set *set)
{
	struct seg_elem *elem = SEG_NEW_N(s->arena, struct seg_elem, INTERVALS);

	for (uint32_t i = 0; i < INTERVALS; i++) {
		char from[16], to[16];

		snprintf(from, sizeof(from), "%u.0.%u.0", i ? 11 : 10, i ? i % 250 : 1);
		snprintf(to, sizeof(to), "%u.0.%u.%u", i ? 11 : 10, i ? i % 250 : 1, i ? 5 : 255);
		elem[i].key =
			sample_key(s, set, SAMPLE_KEY(from, "10.0.2.2", "17", i < 250 ? "5000" : "5001"));
		elem[i].end = sample_key(s, set, SAMPLE_KEY(to, "10.0.2.2", "17", i < 250 ? "5000" : "5001"));
		elem[i].mark = i + 1;
	}
	set->elem = elem;
	set->elems = INTERVALS;
}

static struct sample *policy(uint32_t generation)
{
	struct seg_arena *arena = seg_arena_new();
	struct sample *s = SEG_NEW(arena, struct sample);
	struct seg_set *permits, *origin;
	struct seg_chain *judge, *entry, *forward;

	s->arena = s->plan.arena = arena;
	s->plan.generation = generation;
	s->plan.set = (const struct seg_set *const *)s->set;
	s->plan.chain = (const struct seg_chain *const *)s->chain;
	permits = sample_set(
		s, "permits", false, SEG_DATA_MARK,
		SAMPLE_FIELDS(SEG_F_IPV4_ADDR, SEG_F_IPV4_ADDR, SEG_F_INET_PROTO, SEG_F_INET_SERVICE));
	permits->interval = true;
	fill(s, permits);
	judge = sample_chain(s, "judge");
	RULE(s, judge, MARK(permits, SEG_L_IP_SADDR, SEG_L_IP_DADDR, SEG_L_L4PROTO, SEG_L_TH_DPORT), ACCEPT);
	RULE(s, judge, DROP);
	origin = sample_set(s, "origin", false, SEG_DATA_VERDICT, SAMPLE_FIELDS(SEG_F_IPV4_ADDR));
	origin->interval = true;
	sample_elem(s, origin, SAMPLE_KEY("10.0.1.0"), SAMPLE_KEY("10.0.1.255"))->action =
		(struct seg_action){SEG_V_GOTO, judge};
	entry = sample_chain(s, "entry");
	RULE(s, entry, VMAP(origin, SEG_L_IP_SADDR));
	RULE(s, entry, DROP);
	forward = sample_base(s, "forward", SEG_HOOK_FORWARD);
	RULE(s, forward, GOTO(entry));
	return s;
}

static void settle(void)
{
	const struct timespec wait = {.tv_nsec = 300000000};

	nanosleep(&wait, NULL);
}

START_TEST(test_nothing_lost_nothing_leaked)
{
	struct sample *old = policy(1);
	struct seg_diags diags;
	struct seg_nft *nft;
	struct host sender, receiver;

	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(counts, MAP_FAILED);
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	sender = start(send_both);
	receiver = start(receive_both);
	wire(&sender, 1);
	wire(&receiver, 2);
	run("sysctl -qw net.ipv4.ip_forward=1");
	seg_diags_init(&diags);
	ck_assert_int_eq(seg_nft_open(&nft, -1), 0);
	ck_assert_int_eq(commit_plan(nft, NULL, &old->plan, NULL, &diags), 0);
	go(&receiver);
	settle();
	go(&sender);
	settle();
	for (uint32_t i = 0; i < SWITCHES; i++) {
		struct sample *new = policy(2 + i);

		ck_assert_int_eq(commit_plan(nft, &old->plan, &new->plan, NULL, &diags), 0);
		sample_fini(old);
		old = new;
	}
	counts->stop = true;
	settle();
	kill(sender.pid, SIGKILL);
	kill(receiver.pid, SIGKILL);
	waitpid(sender.pid, NULL, 0);
	waitpid(receiver.pid, NULL, 0);
	ck_assert_uint_gt(counts->sent[0], 1000);
	ck_assert_msg(counts->received[0] == counts->sent[0], "%lu of %lu lost",
		      counts->sent[0] - counts->received[0], counts->sent[0]);
	ck_assert_msg(counts->received[1] == 0, "%lu of %lu leaked", counts->received[1], counts->sent[1]);
	seg_nft_close(nft);
	seg_diags_fini(&diags);
	sample_fini(old);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nft_switch");
	TCase *tcase = tcase_create("traffic");

	if (!can_have_nft("nft_switch"))
		return EXIT_SUCCESS;
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_nothing_lost_nothing_leaked);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
