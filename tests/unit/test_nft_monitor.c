/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Who changed the ruleset, and ways round ours, in a network namespace of each test's own. Needs root and
 * nft. */

#include <check.h>
#include <errno.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_connmark.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/sentence.h"
#include "kernel/nft_bypass.h"
#include "kernel/nft_monitor.h"
#include "kernel/nft_wire.h"
#include "commit_plan.h"
#include "sample_plan.h"
#include "runner.h"

static struct seg_nft_monitor *monitor;
static struct seg_nft_transaction seen[16];
static size_t n_seen;
static bool touching; /* somebody is at our table, of whom no more is told yet */

static void note_touched(void *context)
{
	(void)context;
	ck_assert_msg(!touching, "once a transaction");
	touching = true;
}

static char way[256]; /* that the last one adds, as a text */

static void take_way(const json_t *sentence)
{
	char *text = seg_sentence_text(sentence);

	snprintf(way, sizeof(way), "%s", text ? text : "");
	free(text);
}

static void note(void *context, const struct seg_nft_transaction *transaction)
{
	(void)context;
	ck_assert_uint_lt(n_seen, 16);
	ck_assert_int_eq(touching, transaction->ours);
	touching = false;
	seen[n_seen++] = *transaction;
	take_way(transaction->bypass);
}

static void note_owing(void *context)
{
	(void)context;
}

static const struct seg_nft_hearer hearer = {note_touched, note, note_owing, NULL};

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(seg_nft_monitor_open(&monitor, &hearer), 0);
}

static void teardown(void)
{
	seg_nft_monitor_close(monitor);
}

static void nft(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "nft '%s'", command);
	ck_assert_msg(system(line) == 0, "%s", line);
}

static const struct seg_nft_transaction *after(const char *command)
{
	n_seen = 0;
	nft(command);
	ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	ck_assert_uint_eq(n_seen, 1);
	return &seen[0];
}

START_TEST(test_who)
{
	const struct seg_nft_transaction *t = after("add table inet other");
	uint32_t generation = t->generation;

	ck_assert_str_eq(t->process, "nft");
	ck_assert_uint_ne(t->pid, 0);
	ck_assert_uint_ne(t->portid, 0);
	ck_assert(!t->ours && !t->keeper);
	ck_assert_str_eq(t->what, "added table inet other");
	ck_assert_str_eq(way, "");
	ck_assert_uint_eq(after("add chain inet other c")->generation, generation + 1);
}
END_TEST

static const struct {
	const char *command, *what;
	bool ours, keeper;
} changes[] = {
	{"add chain inet segd extra", "added chain extra of table inet segd", true, false},
	{"delete chain inet segd spare", "deleted chain spare of table inet segd", true, false},
	{"add rule inet segd forward accept", "added a rule to chain forward of table inet segd", true, false},
	{"flush chain inet segd forward", "deleted a rule of chain forward of table inet segd", true, false},
	{"add element inet segd open { 7 }", "added elements to set open of table inet segd", true, false},
	{"delete element inet segd open { 1 }", "deleted elements of set open of table inet segd", true,
	 false},
	{"delete set inet segd spare", "deleted set spare of table inet segd", true, false},
	{"delete table inet segd", NULL, true, false},
	{"flush ruleset", NULL, true, true},
	{"add chain inet segd_keeper c", "added chain c of table inet segd_keeper", false, true},
	{"add chain ip segd c", "added chain c of table ip segd", false, false},
	{"add table ip a; add table inet segd; add chain inet segd e; add table ip b",
	 "added chain e of table inet segd", true, false},
};

START_TEST(test_changes)
{
	const struct seg_nft_transaction *t;

	nft("add table inet segd; add chain inet segd forward { type filter hook forward priority 0; }; "
	    "add rule inet segd forward drop; add chain inet segd spare; add set inet segd spare { type "
	    "mark; }; "
	    "add set inet segd open { type mark; }; add element inet segd open { 1 }; "
	    "add table inet segd_keeper; add table ip segd");
	ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	t = after(changes[_i].command);
	if (changes[_i].what)
		ck_assert_str_eq(t->what, changes[_i].what);
	ck_assert(strstr(t->what, "inet segd") || !changes[_i].ours);
	ck_assert_int_eq(t->ours, changes[_i].ours);
	ck_assert_int_eq(t->keeper, changes[_i].keeper);
	ck_assert_str_eq(way, "");
}
END_TEST

/* Rules go with what holds them, too. */
START_TEST(test_rules_that_go)
{
	static const char *const by[] = {"flush chain ip other c", "delete table ip other", "flush ruleset"};

	ck_assert(!after("add table ip other; add chain ip other c; add rule ip other c ct mark set 1")->removes);
	ck_assert(after(by[_i])->removes);
}
END_TEST

/* More than is read at a time: that we are touched is known before the end is. */
START_TEST(test_touched_before_the_end)
{
	nft("add table inet segd; add set inet segd open { type mark; }");
	ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	n_seen = 0;
	ck_assert_int_eq(system("seq -s, 20000 | sed \"s/.*/add element inet segd open { & }/\" | nft -f -"),
			 0);
	ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	ck_assert_uint_eq(n_seen, 0);
	ck_assert(touching);
	for (unsigned i = 0; i < 100 && !n_seen; i++)
		ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	ck_assert_uint_eq(n_seen, 1);
}
END_TEST

static char found[1024];

static void note_bypass(void *context, json_t *finding)
{
	char *text = seg_sentence_text(finding);

	(void)context;
	strncat(found, text, sizeof(found) - strlen(found) - 1);
	free(text);
	json_decref(finding);
	strncat(found, "\n", sizeof(found) - strlen(found) - 1);
}

/* Each way round us is named when it appears, and found again where it stands. */
static const struct {
	const char *command, *bypass;
} ways[] = {
	{"add table inet o; add chain inet o c; add rule inet o c notrack",
	 "a rule in chain c of table inet o takes packets out of connection tracking"},
	{"add table netdev o; add chain netdev o c { type filter hook ingress device lo priority 0; }; "
	 "add rule netdev o c ip saddr 10.0.0.1 fwd to lo",
	 "a rule in chain c of table netdev o forwards packets from where they come in, unjudged"},
	{"add table netdev o; add chain netdev o c { type filter hook ingress device lo priority 0; }; "
	 "add rule netdev o c dup to lo",
	 "a rule in chain c of table netdev o sends copies of packets elsewhere, unjudged"},
	{"add table ip o; add chain ip o c { type nat hook prerouting priority -100; }; "
	 "add rule ip o c ip daddr 10.0.0.1 dnat to 10.0.0.2",
	 "a rule in chain c of table ip o sends flows elsewhere than they were for (dnat)"},
	{"add table inet o; add chain inet o c; add rule inet o c counter ct mark set 1",
	 "a rule in chain c of table inet o sets the conntrack mark, by which open flows are judged"},
	{"add table ip o; add chain ip o c; add rule ip o c ip dscp set cs1 ip daddr set 10.0.0.2",
	 "a rule in chain c of table ip o rewrites addresses or ports of packets, by which they are judged"},
	{"add table ip6 o; add chain ip6 o c; add rule ip6 o c ip6 saddr set 2001:db8::1",
	 "a rule in chain c of table ip6 o rewrites addresses or ports of packets, by which they are judged"},
	{"add table inet o; add chain inet o c; add rule inet o c @nh,64,32 set 0x20010db8",
	 "a rule in chain c of table inet o rewrites addresses or ports of packets, by which they are "
	 "judged"},
	{"add table inet o; add chain inet o c; add rule inet o c tcp dport set 443",
	 "a rule in chain c of table inet o rewrites addresses or ports of packets, by which they are "
	 "judged"},
	{"add table netdev o; add chain netdev o c { type filter hook ingress device lo priority 0; }; "
	 "add rule netdev o c ether saddr set 00:00:5e:00:53:01",
	 "a rule in chain c of table netdev o rewrites addresses or ports of packets, by which they are "
	 "judged"},
	{"add table inet o; add chain inet o c; add rule inet o c ct event set destroy",
	 "a rule in chain c of table inet o chooses the events of flows, so that they can begin unseen"},
};
/* What looks like one and is none. */
static const char *const no_ways[] = {
	"add table inet o; add chain inet o c; add rule inet o c ct mark 1 ip ttl set 3",
	"add table inet o; add chain inet o c; add rule inet o c ip6 hoplimit set 4",
	"add table ip o; add chain ip o c; add rule ip o c ip protocol set 6",
	"add table inet o; add chain inet o c; add rule inet o c ip dscp set cs1 tcp option maxseg size set "
	"1400",
	"add table ip o; add chain ip o c { type nat hook postrouting priority 100; }; add rule ip o c snat "
	"to 10.0.0.2",
};

START_TEST(test_bypass)
{
	after(ways[_i].command);
	ck_assert_str_eq(way, ways[_i].bypass);
	found[0] = '\0';
	ck_assert_int_eq(seg_nft_find_bypass(note_bypass, NULL), 0);
	ck_assert_msg(strncmp(found, ways[_i].bypass, strlen(ways[_i].bypass)) == 0, "%s", found);
}
END_TEST

/* A chain of many such rules is one thing to be told. */
START_TEST(test_bypass_is_found_once)
{
	after("add table inet o; add chain inet o c; add rule inet o c ct mark set 1; add rule inet o c notrack; "
	      "add rule inet o c ct mark set 2");
	found[0] = '\0';
	ck_assert_int_eq(seg_nft_find_bypass(note_bypass, NULL), 0);
	ck_assert_str_eq(found, "a rule in chain c of table inet o sets the conntrack mark, by which open flows "
				"are judged\n"
				"a rule in chain c of table inet o takes packets out of connection tracking\n");
}
END_TEST

START_TEST(test_looks_like_a_bypass)
{
	after(no_ways[_i]);
	ck_assert_str_eq(way, "");
	found[0] = '\0';
	ck_assert_int_eq(seg_nft_find_bypass(note_bypass, NULL), 0);
	ck_assert_str_eq(found, "");
}
END_TEST

/* What iptables makes of its rules: a target with the bytes of its own. By hand, since not every kernel has
 * them. */
static const struct {
	const char *target;
	uint32_t revision;
	union {
		struct xt_ct_target_info_v1 ct;
		struct xt_connmark_tginfo1 connmark1;
		struct xt_connmark_tginfo2 connmark2;
	} info;
	const char *bypass, *chain; /* NULL: PREROUTING */
} targets[] = {
	{"CT", 2, {.ct = {.flags = XT_CT_NOTRACK}}, "takes packets out of connection tracking", NULL},
	{"CT", 2, {.ct = {.zone = 7}}, NULL, NULL},
	{"CT",
	 2,
	 {.ct = {.ct_events = 4}},
	 "chooses the events of flows, so that they can begin unseen",
	 NULL},
	{"CT",
	 1,
	 {.ct = {.exp_events = 1}},
	 "chooses the events of flows, so that they can begin unseen",
	 NULL},
	{"NOTRACK", 0, {.ct = {0}}, "takes packets out of connection tracking", NULL},
	{"NETMAP", 0, {.ct = {0}}, "sends flows elsewhere than they were for (dnat)", NULL},
	{"NETMAP", 0, {.ct = {0}}, NULL, "POSTROUTING"},
	{"NFQUEUE",
	 3,
	 {.ct = {0}},
	 "hands packets to a program, which can rewrite them or let them pass unjudged",
	 NULL},
	{"DNPT",
	 0,
	 {.ct = {0}},
	 "rewrites addresses or ports of packets, by which they are judged",
	 NULL},
	{"SNPT",
	 0,
	 {.ct = {0}},
	 "rewrites addresses or ports of packets, by which they are judged",
	 "POSTROUTING"},
	{"CONNMARK",
	 1,
	 {.connmark1 = {.mode = XT_CONNMARK_SET}},
	 "sets the conntrack mark, by which open flows are judged",
	 NULL},
	{"CONNMARK",
	 2,
	 {.connmark2 = {.mode = XT_CONNMARK_SAVE}},
	 "sets the conntrack mark, by which open flows are judged",
	 NULL},
	{"CONNMARK", 1, {.connmark1 = {.mode = XT_CONNMARK_RESTORE}}, NULL, NULL},
	{"CONNMARK", 2, {.connmark2 = {.mode = XT_CONNMARK_RESTORE}}, NULL, NULL},
	{"DNAT", 2, {.ct = {0}}, "sends flows elsewhere than they were for (dnat)", NULL},
	{"TEE", 1, {.ct = {0}}, "sends copies of packets elsewhere, unjudged", NULL},
	{"LOG", 0, {.ct = {0}}, NULL, NULL},
};

/* Begins a rule of one expression; what it holds is put behind. */
static struct nlmsghdr *rule_of(char *buffer, const char *chain, const char *expr, struct nlattr *open[3])
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(nlh, sizeof(*header));

	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE;
	header->nfgen_family = NFPROTO_IPV4;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, "raw");
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain);
	open[0] = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	open[1] = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, expr);
	open[2] = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	return nlh;
}

static bool is_a_way(struct nlmsghdr *nlh, struct nlattr *open[3])
{
	json_t *sentence;
	bool is_one;

	for (size_t i = 3; i-- > 0;)
		mnl_attr_nest_end(nlh, open[i]);
	sentence = seg_nft_bypass_of(nlh);
	is_one = sentence != NULL;
	take_way(sentence);
	json_decref(sentence);
	return is_one;
}

START_TEST(test_targets_of_iptables)
{
	_Alignas(struct nlmsghdr) char buffer[512];
	struct nlattr *open[3];
	struct nlmsghdr *nlh = rule_of(buffer, targets[_i].chain ? targets[_i].chain : "PREROUTING", "target",
				       open);

	mnl_attr_put_strz(nlh, NFTA_TARGET_NAME, targets[_i].target);
	mnl_attr_put_u32(nlh, NFTA_TARGET_REV, htonl(targets[_i].revision));
	mnl_attr_put(nlh, NFTA_TARGET_INFO, sizeof(targets[_i].info), &targets[_i].info);
	ck_assert_int_eq(is_a_way(nlh, open), targets[_i].bypass != NULL);
	if (targets[_i].bypass)
		ck_assert_ptr_nonnull(strstr(way, targets[_i].bypass));
}
END_TEST

/* By hand: not every kernel has queues. */
START_TEST(test_queue)
{
	_Alignas(struct nlmsghdr) char buffer[512];
	struct nlattr *open[3];
	struct nlmsghdr *nlh = rule_of(buffer, "c", "queue", open);

	ck_assert(is_a_way(nlh, open));
	ck_assert_str_eq(way, "a rule in chain c of table ip raw hands packets to a program, which can rewrite "
			      "them or let them pass unjudged");
}
END_TEST

/* By hand: not every kernel has flowtables. */
START_TEST(test_flowtable)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(nlh, sizeof(*header));
	json_t *sentence;

	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWFLOWTABLE;
	header->nfgen_family = NFPROTO_INET;
	mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_TABLE, "o");
	mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_NAME, "f\n\"t");
	sentence = seg_nft_bypass_of(nlh);
	take_way(sentence);
	json_decref(sentence);
	ck_assert_str_eq(way, "flowtable f\\x0a\\x22t of table inet o can let packets pass unjudged");
	nlh->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELFLOWTABLE;
	ck_assert_ptr_null(seg_nft_bypass_of(nlh));
}
END_TEST

START_TEST(test_no_bypass)
{
	after("add table ip o; add chain ip o c { type filter hook forward priority -300; }; "
	      "add rule ip o c ct mark 1 counter accept; "
	      "add chain ip o s { type nat hook postrouting priority 100; }; add rule ip o s masquerade");
	ck_assert_str_eq(way, "");
	found[0] = '\0';
	ck_assert_int_eq(seg_nft_find_bypass(note_bypass, NULL), 0);
	ck_assert_str_eq(found, "");
}
END_TEST

/* Ours, however large, costs the socket nothing; theirs are told. */
START_TEST(test_hand)
{
	struct sample *plan = sample_new(3);
	struct seg_set *open = sample_find(plan, "open");
	struct seg_elem *elem = SEG_NEW_N(plan->arena, struct seg_elem, 100000);
	struct seg_diags diags;
	struct seg_nft *ours;

	for (uint32_t i = 0; i < 100000; i++)
		elem[i].key = seg_arena_copy(plan->arena, &i, sizeof(i));
	open->elem = elem;
	open->elems = 100000;
	seg_diags_init(&diags);
	ck_assert_int_eq(seg_nft_open(&ours, -1), 0);
	ours->persist = false; /* what is owned nobody else can touch */
	ck_assert_int_eq(seg_nft_attend(ours, monitor), 0);
	ck_assert_int_eq(commit_plan(ours, NULL, &plan->plan, NULL, &diags), 0);
	ck_assert_int_eq(poll(&(struct pollfd){seg_nft_monitor_fd(monitor), POLLIN, 0}, 1, 0), 0);
	ck_assert(!seg_nft_disturbed(ours) && seg_nft_untouched(ours));
	ck_assert_str_eq(after("add table inet other")->what, "added table inet other");
	ck_assert(!seg_nft_disturbed(ours) && seg_nft_untouched(ours));
	ck_assert_str_eq(after("add chain inet segd other")->what, "added chain other of table inet segd");
	ck_assert(seg_nft_disturbed(ours) && !seg_nft_untouched(ours));
	seg_nft_close(ours);
	seg_diags_fini(&diags);
	sample_fini(plan);
}
END_TEST

/* More than the socket holds: it is said, and what comes behind that is heard. */
START_TEST(test_lost)
{
	int ret = 0;

	nft("add table inet o; add set inet o s { type mark; }");
	ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	ck_assert_int_eq(
		system("{ echo 'add element inet o s {'; seq -s, 1 200000; echo '}'; } >/tmp/test_mon.$$; "
		       "nft -f /tmp/test_mon.$$; nft flush set inet o s; nft -f /tmp/test_mon.$$; r=$?; "
		       "rm -f /tmp/test_mon.$$; exit $r"),
		0);
	for (int i = 0; i < 10000 && ret == 0; i++)
		ret = seg_nft_monitor_read(monitor);
	ck_assert_int_eq(ret, -ENOBUFS);
	ck_assert_str_eq(after("add table inet other")->what, "added table inet other");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nft_monitor");
	TCase *tcase = tcase_create("kernel");

	if (!can_have_nft("nft_monitor"))
		return EXIT_SUCCESS;
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_who);
	tcase_add_loop_test(tcase, test_rules_that_go, 0, 3);
	tcase_add_test(tcase, test_touched_before_the_end);
	tcase_add_loop_test(tcase, test_changes, 0, (int)(sizeof(changes) / sizeof(changes[0])));
	tcase_add_loop_test(tcase, test_bypass, 0, (int)(sizeof(ways) / sizeof(ways[0])));
	tcase_add_test(tcase, test_bypass_is_found_once);
	tcase_add_loop_test(tcase, test_looks_like_a_bypass, 0, (int)(sizeof(no_ways) / sizeof(no_ways[0])));
	tcase_add_loop_test(tcase, test_targets_of_iptables, 0, (int)(sizeof(targets) / sizeof(targets[0])));
	tcase_add_test(tcase, test_queue);
	tcase_add_test(tcase, test_flowtable);
	tcase_add_test(tcase, test_no_bypass);
	tcase_add_test(tcase, test_hand);
	tcase_add_test(tcase, test_lost);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
