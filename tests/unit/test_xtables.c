/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Rules of iptables-legacy, in a network namespace of each test's own. Needs root and iptables. */

#include <check.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "control/sentence.h"
#include "kernel/xtables.h"
#include "runner.h"

static struct seg_xtables *xtables;
static struct seg_strbuf found;

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(seg_xtables_open(&xtables), 0);
}

static void teardown(void)
{
	seg_xtables_close(xtables);
	seg_strbuf_fini(&found);
}

static void note(void *context, json_t *sentence)
{
	char *text = seg_sentence_text(sentence);

	(void)context;
	ck_assert_ptr_nonnull(text);
	seg_strbuf_printf(&found, "%s\n", text);
	free(text);
	json_decref(sentence);
}

static const char *find(void)
{
	seg_strbuf_reset(&found);
	ck_assert_int_eq(seg_xtables_find_bypass(xtables, note, NULL), 0);
	return seg_strbuf_text(&found);
}

/* Not every kernel has every target: false where the rule cannot be made. */
static bool can(const char *command)
{
	return system(command) == 0;
}

#define V4 "iptables-legacy "
#define V6 "ip6tables-legacy "
static const struct {
	const char *command, *found;
} ways[] = {
	{V4 "-t nat -A PREROUTING -d 203.0.113.9 -p udp -j DNAT --to-destination 10.2.0.20",
	 "a rule in chain PREROUTING of table ip nat (iptables-legacy) sends flows elsewhere than they were "
	 "for "
	 "(dnat)\n"},
	{V4 "-t nat -A OUTPUT -d 203.0.113.0/24 -j NETMAP --to 10.2.0.0/24",
	 "a rule in chain OUTPUT of table ip nat (iptables-legacy) sends flows elsewhere than they were for "
	 "(dnat)\n"},
	{V4 "-t mangle -A FORWARD -p udp -m multiport --dports 1,2 -j CONNMARK --set-mark 7",
	 "a rule in chain FORWARD of table ip mangle (iptables-legacy) sets the conntrack mark, by which "
	 "open "
	 "flows are judged\n"},
	{V4 "-t raw -A PREROUTING -s 10.1.0.20 -j CT --notrack",
	 "a rule in chain PREROUTING of table ip raw (iptables-legacy) takes packets out of connection "
	 "tracking\n"},
	{V6 "-t raw -A OUTPUT -j CT --ctevents destroy",
	 "a rule in chain OUTPUT of table ip6 raw (ip6tables-legacy) chooses the events of flows, so that "
	 "they "
	 "can begin unseen\n"},
	{V6 "-t mangle -A PREROUTING -j TEE --gateway 2001:db8::1",
	 "a rule in chain PREROUTING of table ip6 mangle (ip6tables-legacy) sends copies of packets "
	 "elsewhere, "
	 "unjudged\n"},
	{V4 "-N hands && " V4 "-A hands -p tcp -j LOG && " V4 "-A hands -j NFQUEUE && " V4
	    "-A FORWARD -j hands",
	 "a rule in chain hands of table ip filter (iptables-legacy) hands packets to a program, which can "
	 "rewrite them or let them pass unjudged\n"},
	{V6 "-t mangle -A POSTROUTING -s 2001:db8:1::/64 -j SNPT --src-pfx 2001:db8:1::/64 "
	    "--dst-pfx 2001:db8:77::/64",
	 "a rule in chain POSTROUTING of table ip6 mangle (ip6tables-legacy) rewrites addresses or ports of "
	 "packets, by which they are judged\n"},
};

START_TEST(test_ways)
{
	ck_assert_str_eq(find(), "");
	if (!can(ways[_i].command))
		return;
	ck_assert_str_eq(find(), ways[_i].found);
}
END_TEST

/* Once a chain, whatever else stands there, and gone with the rule. */
START_TEST(test_among_others)
{
	ck_assert(can(V4 "-t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 8080"));
	ck_assert(can(V4 "-t nat -N docker"));
	ck_assert(can(V4 "-t nat -A PREROUTING -j docker"));
	for (int i = 0; i < 3; i++)
		ck_assert(
			can(V4 "-t nat -A docker -p tcp -d 203.0.113.9 -j DNAT --to-destination 10.2.0.20"));
	ck_assert(can(V4 "-t nat -A OUTPUT -p tcp -d 203.0.113.9 -j DNAT --to-destination 10.2.0.20"));
	ck_assert_str_eq(
		find(),
		"a rule in chain OUTPUT of table ip nat (iptables-legacy) sends flows elsewhere than they "
		"were for (dnat)\n"
		"a rule in chain docker of table ip nat (iptables-legacy) sends flows elsewhere than they "
		"were for (dnat)\n");
	ck_assert(can(V4 "-t nat -F"));
	ck_assert_str_eq(find(), "");
}
END_TEST

/* What filters, logs, limits or hides is no way round; nor is a table that somebody looked at. */
static const char *const no_ways[] = {
	V4 "-L >/dev/null && " V4 "-t nat -L >/dev/null && " V6 "-L >/dev/null",
	V4 "-P FORWARD DROP && " V4 "-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT",
	V4 "-A FORWARD -j LOG --log-prefix x && " V4 "-A FORWARD -p tcp -j REJECT --reject-with tcp-reset",
	V4 "-N f2b-sshd && " V4 "-A f2b-sshd -s 203.0.113.9 -j REJECT && " V4 "-A f2b-sshd -j RETURN && " V4
	   "-I INPUT -p tcp --dport 22 -j f2b-sshd",
	V4 "-t nat -A POSTROUTING -o out0 -j MASQUERADE && " V4
	   "-t nat -A POSTROUTING -j SNAT --to-source 10.0.0.1",
	V4 "-t nat -A POSTROUTING -s 10.1.0.0/24 -j NETMAP --to 10.9.0.0/24",
	V4 "-t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080",
	V4 "-t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
	V4 "-t mangle -A PREROUTING -j MARK --set-mark 1 && " V4
	   "-t mangle -A PREROUTING -j CONNMARK --restore-mark",
	V4 "-t raw -A PREROUTING -j CT --zone 7",
};

START_TEST(test_looks_like_a_way)
{
	if (can(no_ways[_i]))
		ck_assert_str_eq(find(), "");
}
END_TEST

/* The service has CAP_NET_ADMIN and is not root: names are hidden from it. */
static void become_the_service(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = 1U << CAP_NET_ADMIN, .permitted = 1U << CAP_NET_ADMIN}};

	ck_assert_int_eq(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(setresgid(65534, 65534, 65534), 0);
	ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
	ck_assert_int_eq((int)syscall(SYS_capset, &head, data), 0);
	ck_assert_int_ne(access("/proc/net/ip_tables_names", R_OK), 0);
}

START_TEST(test_of_the_service)
{
	const bool module = can(ways[0].command) && access("/sys/module/iptable_nat", F_OK) == 0;

	become_the_service();
	ck_assert_str_eq(find(), module ? ways[0].found : "");
}
END_TEST

/* Whoever sends to a neighbour asks for its address first. */
static bool sends(int fd)
{
	const struct sockaddr_in far = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(0xcb007109)}};

	ck_assert_int_ne(connect(fd, (const struct sockaddr *)&far, sizeof(far)), 0);
	return can("ip neigh show to 203.0.113.9 | grep -q .");
}

/* The sockets stay behind the filter that forbids to make such ones: nothing leaves by them. */
START_TEST(test_sockets_send_nothing)
{
	const int none = 0;
	int fd = -1;

	ck_assert(can("ip link set lo up && ip link add v0 type veth peer name v1 && ip addr add 203.0.113.1/24 "
		      "dev v0 && ip link set v0 up && ip link set v1 up"));
	for (int i = 3; i < 64 && fd < 0; i++) {
		int domain = 0;
		socklen_t len = sizeof(domain);

		if (!getsockopt(i, SOL_SOCKET, SO_DOMAIN, &domain, &len) && domain == AF_INET)
			fd = i;
	}
	ck_assert_int_ge(fd, 0);
	become_the_service();
	ck_assert(!sends(fd));
	ck_assert_int_ne(setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &none, sizeof(none)), 0);
	ck_assert(sends(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)));
}
END_TEST

/* It makes no table where there is none. */
START_TEST(test_leaves_no_table_behind)
{
	FILE *names;
	char name[32];

	ck_assert_str_eq(find(), "");
	names = fopen("/proc/net/ip_tables_names", "re");
	ck_assert(!names || !fgets(name, sizeof(name), names));
	if (names)
		fclose(names);
}
END_TEST

/* -- rules that nobody made ------------------------------------------------ */

static _Alignas(struct ipt_entry) char rules[1024];
static struct ipt_getinfo info = {.name = "nat", .valid_hooks = 1};

struct rule {
	_Alignas(struct ipt_entry) char head[sizeof(struct ipt_entry)];
	struct xt_error_target target; /* room for any kind */
};

static struct ipt_entry *head_of(struct rule *rule)
{
	return (void *)rule->head;
}

static struct rule *put(const char *target, const char *data)
{
	struct rule *rule = (void *)(rules + info.size);

	head_of(rule)->target_offset = offsetof(struct rule, target);
	head_of(rule)->next_offset = sizeof(*rule);
	rule->target.target.u.user.target_size = sizeof(rule->target);
	strcpy(rule->target.target.u.user.name, target);
	strcpy(rule->target.errorname, data);
	info.size += (unsigned)sizeof(*rule);
	return rule;
}

static int read_rules(void)
{
	char *copy = malloc(info.size); /* to the byte, for the sanitizer */
	int r;

	memcpy(copy, rules, info.size);
	seg_strbuf_reset(&found);
	r = seg_xtables_read_rules(AF_INET, &info, copy, note, NULL);
	free(copy);
	return r;
}

START_TEST(test_broken_rules)
{
	struct rule *name, *last;
	struct rule good, good_name;

	put("DNAT", "");
	name = put("ERROR", "a\nb");
	last = put("TEE", "");
	good = *last;
	good_name = *name;
	ck_assert_int_eq(read_rules(), 0);
	ck_assert_ptr_nonnull(strstr(seg_strbuf_text(&found), "chain a\\x0ab of table ip nat"));
	ck_assert_ptr_nonnull(strstr(seg_strbuf_text(&found), "chain PREROUTING of table ip nat"));
	for (unsigned size = 1; size < info.size; size++) {
		const unsigned whole = info.size;

		info.size = size;
		ck_assert_int_eq(read_rules(), size % sizeof(good) ? -EBADMSG : 0);
		info.size = whole;
	}
	for (unsigned value = 0; value <= UINT16_MAX; value++) {
		head_of(last)->next_offset = (uint16_t)value;
		ck_assert_int_eq(read_rules(), value == sizeof(good) ? 0 : -EBADMSG);
	}
	*last = good;
	for (unsigned value = 0; value <= UINT16_MAX; value++) {
		head_of(last)->target_offset = (uint16_t)value;
		read_rules();
	}
	*last = good;
	for (unsigned value = 0; value <= UINT16_MAX; value++) {
		last->target.target.u.user.target_size = (uint16_t)value;
		read_rules();
	}
	*last = good;
	memset(last->target.target.u.user.name, 'x', sizeof(last->target.target.u.user.name));
	ck_assert_int_eq(read_rules(), -EBADMSG);
	*last = good;
	memset(name->target.errorname, 'x', sizeof(*name) - offsetof(struct rule, target.errorname));
	ck_assert_int_eq(read_rules(), -EBADMSG);
	*name = good_name;
	name->target.target.u.user.target_size = sizeof(struct xt_entry_target);
	ck_assert_int_eq(read_rules(), -EBADMSG);
	*name = good_name;
	memset(info.name, 'x', sizeof(info.name));
	ck_assert_int_eq(read_rules(), -EBADMSG);
	seg_strbuf_fini(&found);
}
END_TEST

/* A kernel or a Debian may have them no more. */
static bool can_have_tables(void)
{
	if (geteuid() == 0 && system("unshare -n iptables-legacy -S >/dev/null 2>&1") == 0)
		return true;
	printf("xtables: tests on the kernel are skipped: they need root, iptables-legacy and network "
	       "namespaces\n");
	return false;
}

int main(void)
{
	Suite *suite = suite_create("xtables");
	TCase *kernel = tcase_create("kernel"), *broken = tcase_create("broken");

	tcase_add_checked_fixture(kernel, setup, teardown);
	tcase_add_loop_test(kernel, test_ways, 0, sizeof(ways) / sizeof(*ways));
	tcase_add_loop_test(kernel, test_looks_like_a_way, 0, sizeof(no_ways) / sizeof(*no_ways));
	tcase_add_test(kernel, test_among_others);
	tcase_add_test(kernel, test_of_the_service);
	tcase_add_test(kernel, test_sockets_send_nothing);
	tcase_add_test(kernel, test_leaves_no_table_behind);
	if (can_have_tables())
		suite_add_tcase(suite, kernel);
	tcase_add_test(broken, test_broken_rules);
	suite_add_tcase(suite, broken);
	return run_suite(suite);
}
