// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parser of refused packets on packets built here; then real packets, logged by real
 * rules in a network namespace of this program's own.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/nflog.h"
#include "runner.h"

/* ---- Packets built by hand ------------------------------------------------------------- */

struct bytes {
	uint8_t at[512];
	size_t len;
};

static void put(struct bytes *b, const void *bytes, size_t len)
{
	ck_assert_uint_le(b->len + len, sizeof(b->at));
	memcpy(b->at + b->len, bytes, len);
	b->len += len;
}

static void put_ipv4(struct bytes *b, uint8_t words, uint16_t fragment, uint8_t proto)
{
	uint8_t header[60] = {
		(uint8_t)(0x40 | words), [8] = 64, [9] = proto, [12] = 10, 0, 0, 1, 10, 0, 0, 2};

	header[6] = (uint8_t)(fragment >> 8);
	header[7] = (uint8_t)fragment;
	put(b, header, words * 4u);
}

static void put_ipv6(struct bytes *b, uint8_t next)
{
	uint8_t header[40] = {0x60,	[6] = next,  [7] = 64, [8] = 0x20, 0x01, 0x0d,	  0xb8,
			      [23] = 1, [24] = 0x20, 0x01,     0x0d,	   0xb8, [39] = 2};

	put(b, header, sizeof(header));
}

static void put_extension(struct bytes *b, uint8_t next, uint8_t units)
{
	uint8_t header[8 * 256] = {next, units};

	put(b, header, 8u * (units + 1u));
}

static const uint8_t tcp[20] = {0x30, 0x39, 0x01, 0xbb, [12] = 0x50, [13] = 0x02};

/* In memory that ends where the packet ends: the sanitizers watch every read. */
static bool parse(const struct bytes *b, size_t len, struct seg_refused *r)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool readable;

	memcpy(copy, b->at, len);
	memset(r, 0xaa, sizeof(*r));
	readable = seg_packet_parse(copy, len, r);
	free(copy);
	return readable;
}

static seg_addr addr(const char *text)
{
	seg_addr value;

	ck_assert(seg_addr_parse(text, strlen(text), &value));
	return value;
}

static void expect_tcp(const struct bytes *b)
{
	struct seg_refused r;

	ck_assert(parse(b, b->len, &r));
	ck_assert_uint_eq(r.proto, IPPROTO_TCP);
	ck_assert_uint_eq(r.sport, 12345);
	ck_assert_uint_eq(r.dport, 443);
	ck_assert_uint_eq(r.tcp_flags, 2);
}

START_TEST(ipv4_with_and_without_options)
{
	struct bytes b = {0};
	struct seg_refused r;

	put_ipv4(&b, _i ? 15 : 5, 0, IPPROTO_TCP);
	put(&b, tcp, sizeof(tcp));
	expect_tcp(&b);
	ck_assert(parse(&b, b.len, &r));
	ck_assert(r.src == addr("10.0.0.1") && r.dst == addr("10.0.0.2"));
}
END_TEST

START_TEST(ipv4_fragments)
{
	struct bytes first = {0}, later = {0};
	struct seg_refused r;

	put_ipv4(&first, 5, 0x2000, IPPROTO_TCP);
	put(&first, tcp, sizeof(tcp));
	expect_tcp(&first);
	put_ipv4(&later, 5, 0x2001, IPPROTO_TCP);
	put(&later, tcp, sizeof(tcp));
	ck_assert(parse(&later, later.len, &r));
	ck_assert_uint_eq(r.proto, IPPROTO_TCP);
	ck_assert_uint_eq(r.dport, 0); /* these bytes are data, not ports */
	ck_assert_uint_eq(r.tcp_flags, 0);
}
END_TEST

START_TEST(icmp_type_is_the_port)
{
	static const uint8_t echo[8] = {8, 0, 1, 2, 3, 4, 5, 6}, neighbour[8] = {135, 0};
	struct bytes v4 = {0}, v6 = {0};
	struct seg_refused r;

	put_ipv4(&v4, 5, 0, IPPROTO_ICMP);
	put(&v4, echo, sizeof(echo));
	ck_assert(parse(&v4, v4.len, &r));
	ck_assert_uint_eq(r.dport, 8);
	ck_assert_uint_eq(r.sport, 0);
	put_ipv6(&v6, IPPROTO_ICMPV6);
	put(&v6, neighbour, sizeof(neighbour));
	ck_assert(parse(&v6, v6.len, &r));
	ck_assert_uint_eq(r.dport, 135);
}
END_TEST

START_TEST(other_protocols_have_no_ports)
{
	struct bytes b = {0};
	struct seg_refused r;

	put_ipv4(&b, 5, 0, 112);
	put(&b, tcp, sizeof(tcp));
	ck_assert(parse(&b, b.len, &r));
	ck_assert_uint_eq(r.proto, 112);
	ck_assert_uint_eq(r.sport, 0);
	ck_assert_uint_eq(r.dport, 0);
}
END_TEST

START_TEST(ipv6_extension_headers)
{
	static const uint8_t first_fragment[8] = {IPPROTO_AH, 0, 0, 1, 9, 9, 9, 9};
	static const uint8_t ah[24] = {IPPROTO_TCP, 4};
	struct bytes b = {0};
	struct seg_refused r;

	put_ipv6(&b, IPPROTO_HOPOPTS);
	put_extension(&b, IPPROTO_ROUTING, 0);
	put_extension(&b, IPPROTO_DSTOPTS, 2);
	put_extension(&b, IPPROTO_FRAGMENT, 1);
	put(&b, first_fragment, sizeof(first_fragment));
	put(&b, ah, sizeof(ah));
	put(&b, tcp, sizeof(tcp));
	expect_tcp(&b);
	ck_assert(parse(&b, b.len, &r));
	ck_assert(r.src == addr("2001:db8::1") && r.dst == addr("2001:db8::2"));
}
END_TEST

START_TEST(ipv6_later_fragment)
{
	static const uint8_t fragment[8] = {IPPROTO_TCP, 0, 0, 9, 1, 2, 3, 4};
	struct bytes b = {0};
	struct seg_refused r;

	put_ipv6(&b, IPPROTO_FRAGMENT);
	put(&b, fragment, sizeof(fragment));
	put(&b, tcp, sizeof(tcp));
	ck_assert(parse(&b, b.len, &r));
	ck_assert_uint_eq(r.proto, IPPROTO_TCP);
	ck_assert_uint_eq(r.dport, 0);
}
END_TEST

START_TEST(the_walk_over_extension_headers_ends)
{
	struct bytes b = {0};
	struct seg_refused r;

	put_ipv6(&b, IPPROTO_DSTOPTS);
	for (int i = 0; i < 20; i++)
		put_extension(&b, IPPROTO_DSTOPTS, 0);
	put(&b, tcp, sizeof(tcp));
	ck_assert(parse(&b, b.len, &r));
	ck_assert_uint_eq(r.proto, IPPROTO_DSTOPTS);
	ck_assert_uint_eq(r.dport, 0);
}
END_TEST

START_TEST(an_extension_header_longer_than_the_packet)
{
	struct bytes b = {0};
	struct seg_refused r;
	const uint8_t header[8] = {IPPROTO_TCP, 255};

	put_ipv6(&b, IPPROTO_HOPOPTS);
	put(&b, header, sizeof(header));
	put(&b, tcp, sizeof(tcp));
	ck_assert(parse(&b, b.len, &r));
	ck_assert_uint_eq(r.proto, IPPROTO_TCP);
	ck_assert_uint_eq(r.dport, 0);
}
END_TEST

START_TEST(an_ipv4_mapped_source_cannot_pass_for_ipv4)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 0, 0, 5};
	struct bytes b = {0};
	struct seg_refused r;

	put_ipv6(&b, IPPROTO_TCP);
	memcpy(b.at + 8, mapped, sizeof(mapped));
	put(&b, tcp, sizeof(tcp));
	ck_assert(parse(&b, b.len, &r));
	ck_assert(r.src == addr("::"));
}
END_TEST

START_TEST(what_is_no_packet)
{
	static const uint8_t first[] = {0x00, 0x44, 0x50, 0x70, 0xff};
	struct bytes b = {0};
	struct seg_refused r;

	put_ipv4(&b, 5, 0, IPPROTO_TCP);
	put(&b, tcp, sizeof(tcp));
	for (size_t i = 0; i < sizeof(first); i++) {
		b.at[0] = first[i];
		ck_assert(!parse(&b, b.len, &r));
	}
	ck_assert(!parse(&b, 0, &r));
}
END_TEST

START_TEST(cut_off_anywhere)
{
	struct bytes v4 = {0}, v6 = {0};
	struct seg_refused r;

	put_ipv4(&v4, 6, 0, IPPROTO_TCP);
	put(&v4, tcp, sizeof(tcp));
	put_ipv6(&v6, IPPROTO_HOPOPTS);
	put_extension(&v6, IPPROTO_TCP, 0);
	put(&v6, tcp, sizeof(tcp));
	for (size_t len = 0; len < v4.len; len++) {
		ck_assert_int_eq(parse(&v4, len, &r), len >= 20);
		if (len >= 20)
			ck_assert_uint_eq(r.dport, len >= 28 ? 443 : 0);
	}
	for (size_t len = 0; len < v6.len; len++) {
		ck_assert_int_eq(parse(&v6, len, &r), len >= 40);
		if (len >= 40)
			ck_assert_uint_eq(r.dport, len >= 52 ? 443 : 0);
	}
}
END_TEST

/* ---- Real packets ---------------------------------------------------------------------- */

static struct seg_refused seen[256];
static size_t n_seen;

static void see(void *context, const struct seg_refused *refused)
{
	ck_assert_ptr_eq(context, seen);
	if (n_seen < sizeof(seen) / sizeof(seen[0]))
		seen[n_seen++] = *refused;
}

static void must(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void enter_namespace(void)
{
	n_seen = 0;
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	must("ip link set lo up");
}

static void read_for(struct seg_nflog *nflog, int ms)
{
	struct pollfd wait = {.fd = seg_nflog_fd(nflog), .events = POLLIN};

	while (poll(&wait, 1, ms) > 0)
		ck_assert_int_eq(seg_nflog_read(nflog), 0);
}

START_TEST(both_groups_on_one_socket)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct seg_nflog *nflog;
	const char *detail;
	int fd;

	enter_namespace();
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must("nft 'table inet t { chain i { type filter hook input priority 0;"
	     " udp dport 1000 log group 5350 prefix \"denied\" queue-threshold 64 drop;"
	     " udp dport 1001 log group 5351 prefix \"spoofed\" drop; }; }'");
	ck_assert_int_eq(seg_nflog_open(&nflog, see, seen, &detail), 0);
	for (uint16_t i = 0; i < 10; i++) {
		to.sin_port = htons((uint16_t)(1000 + i % 2));
		ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	}
	read_for(nflog, 1000);
	ck_assert_uint_eq(n_seen, 10); /* the threshold of 64 was never reached: the time was */
	for (size_t i = 0; i < n_seen; i++) {
		ck_assert_int_eq(seen[i].spoofed, seen[i].dport == 1001);
		ck_assert_str_eq(seen[i].prefix, seen[i].spoofed ? "spoofed" : "denied");
		ck_assert_str_eq(seen[i].in, "lo");
		ck_assert_str_eq(seen[i].out, "");
		ck_assert(!seen[i].has_mac);
		ck_assert_uint_eq(seen[i].proto, IPPROTO_UDP);
		ck_assert(seen[i].src == addr("127.0.0.1"));
	}
	ck_assert_uint_eq(seg_nflog_unreadable(nflog), 0);
	seg_nflog_close(nflog);
	close(fd);
}
END_TEST

START_TEST(a_second_reader_is_told_which_group)
{
	struct seg_nflog *first, *second;
	const char *detail;
	int error;

	enter_namespace();
	ck_assert_int_eq(seg_nflog_open(&first, see, seen, &detail), 0);
	error = seg_nflog_open(&second, see, seen, &detail);
	ck_assert(error == -EPERM || error == -EBUSY);
	ck_assert_ptr_nonnull(strstr(detail, "5350"));
	seg_nflog_close(first);
	ck_assert_int_eq(seg_nflog_open(&second, see, seen, &detail), 0);
	seg_nflog_close(second);
}
END_TEST

START_TEST(forwarded_frames_have_both_interfaces_and_a_mac)
{
	struct seg_nflog *nflog;
	const char *detail;
	static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x41};

	enter_namespace();
	must("ip link add gw0 type veth peer name h0; ip link add gw1 type veth peer name h1;"
	     "unshare -n sleep 20 & other=$!; sleep 0.3;"
	     "ip link set h0 netns $other; N=\"nsenter -n -t $other\";"
	     "$N ip link set h0 address 02:00:00:00:00:41; $N ip addr add 10.1.0.2/24 dev h0; $N ip link set "
	     "h0 up;"
	     "ip addr add 10.1.0.1/24 dev gw0; ip addr add 10.2.0.1/24 dev gw1; ip link set gw0 up; ip link "
	     "set gw1 up;"
	     "ip link set h1 up; ip neigh add 10.2.0.2 dev gw1 lladdr 02:00:00:00:00:99;"
	     "echo 1 >/proc/sys/net/ipv4/ip_forward; $N ip route add default via 10.1.0.1;"
	     "nft 'table inet t { chain f { type filter hook forward priority 0; log group 5350 drop; }; }';"
	     "(sleep 0.5; $N ping -q -c2 -i0.2 -W1 10.2.0.2 >/dev/null; kill $other) >/dev/null 2>&1 &");
	ck_assert_int_eq(seg_nflog_open(&nflog, see, seen, &detail), 0);
	read_for(nflog, 2500);
	ck_assert_uint_eq(n_seen, 2);
	ck_assert_str_eq(seen[0].in, "gw0");
	ck_assert_str_eq(seen[0].out, "gw1");
	ck_assert(seen[0].has_mac);
	ck_assert_mem_eq(seen[0].mac, mac, 6);
	ck_assert(seen[0].src == addr("10.1.0.2") && seen[0].dst == addr("10.2.0.2"));
	ck_assert_uint_eq(seen[0].dport, 8);
	seg_nflog_close(nflog);
}
END_TEST

/* Each enters a namespace of its own, in the process that check forks for it. */
static TCase *real_packets(void)
{
	TCase *real = tcase_create("kernel");

	tcase_add_test(real, both_groups_on_one_socket);
	tcase_add_test(real, a_second_reader_is_told_which_group);
	tcase_add_test(real, forwarded_frames_have_both_interfaces_and_a_mac);
	tcase_set_timeout(real, 30);
	return real;
}

int main(void)
{
	Suite *suite = suite_create("packet");
	TCase *parsing = tcase_create("parse");

	tcase_add_loop_test(parsing, ipv4_with_and_without_options, 0, 2);
	tcase_add_test(parsing, ipv4_fragments);
	tcase_add_test(parsing, icmp_type_is_the_port);
	tcase_add_test(parsing, other_protocols_have_no_ports);
	tcase_add_test(parsing, ipv6_extension_headers);
	tcase_add_test(parsing, ipv6_later_fragment);
	tcase_add_test(parsing, the_walk_over_extension_headers_ends);
	tcase_add_test(parsing, an_extension_header_longer_than_the_packet);
	tcase_add_test(parsing, an_ipv4_mapped_source_cannot_pass_for_ipv4);
	tcase_add_test(parsing, what_is_no_packet);
	tcase_add_test(parsing, cut_off_anywhere);
	suite_add_tcase(suite, parsing);
	if (geteuid() == 0)
		suite_add_tcase(suite, real_packets());
	else
		puts("packet: not root, real packets are skipped");
	return run_suite(suite);
}
