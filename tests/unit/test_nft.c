/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Plans against the real nf_tables, each test in a network namespace of its own. Needs root and nft. */

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/nft_wire.h"
#include "plan/build.h"
#include "policy/load.h"
#include "commit_plan.h"
#include "sample_plan.h"
#include "runner.h"

static struct seg_nft *nft;
static struct sample *plan;
static struct seg_diags diags;

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	seg_diags_init(&diags);
	ck_assert_int_eq(seg_nft_open(&nft, -1), 0);
	plan = sample_new(3);
	plan->plan.at = 1; /* long ago: timeouts are taken as they are, and what goes by is reckoned with */
}

static void teardown(void)
{
	seg_nft_close(nft);
	sample_fini(plan);
	seg_diags_fini(&diags);
}

static bool run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command) == 0;
}

/* What a command prints; free it. */
static char *output_of(const char *command)
{
	struct seg_strbuf out = {0};
	FILE *pipe = popen(command, "r");
	char chunk[4096];
	size_t got;

	ck_assert_ptr_nonnull(pipe);
	while ((got = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		seg_strbuf_add_n(&out, chunk, got);
	pclose(pipe);
	return seg_strbuf_take(&out);
}

static bool listed(const char *text)
{
	char *listing = output_of("nft list table inet segd");
	bool found = strstr(listing, text) != NULL;

	free(listing);
	return found;
}

static time_t committed;

static void must_commit(const struct seg_plan *old, const struct seg_plan *new)
{
	int ret;

	committed = time(NULL);
	ret = commit_plan(nft, old, new, NULL, &diags);
	ck_assert_msg(ret == 0, "%d: %s", ret, diags.first ? diags.first->message : "nothing said");
	ck_assert_uint_eq(diags.errors, 0);
}

/* The table nft itself would have made of our text, and the one we made: one listing. The expiry of
 * elements and the owner are the only differences. */
START_TEST(test_like_nft)
{
	static const char clean[] =
		"sed -e 's/ expires [0-9a-z]*//' -e '/flags owner/,+1d' -e 's/ # progname.*//'";
	struct seg_strbuf text = {0};
	char file[] = "/tmp/test_nft.XXXXXX";
	int fd = mkstemp(file);
	char *ours, *theirs, command[256];

	ck_assert_int_ge(fd, 0);
	must_commit(NULL, &plan->plan);
	snprintf(command, sizeof(command), "nft list table inet segd | %s", clean);
	ours = output_of(command);
	seg_plan_print(&plan->plan, &text);
	ck_assert_int_eq(write(fd, text.text, text.len), (ssize_t)text.len);
	snprintf(command, sizeof(command), "unshare -n sh -c 'nft -f %s && nft list table inet segd' | %s",
		 file, clean);
	theirs = output_of(command);
	ck_assert_str_eq(ours, theirs);
	ck_assert_msg(run("nft list table inet segd >%s && unshare -n nft -c -f %s", file, file),
		      "nft's listing of our table does not load again");
	unlink(file);
	close(fd);
	free(ours);
	free(theirs);
	seg_strbuf_fini(&text);
}
END_TEST

START_TEST(test_keeper)
{
	must_commit(NULL, &plan->plan);
	ck_assert(run("nft list table inet segd_keeper | grep -q 'ct state invalid'"));
	ck_assert(run("nft flush table inet segd_keeper"));
	must_commit(&plan->plan, &plan->plan);
	ck_assert_msg(run("nft list table inet segd_keeper | grep -q 'ct state invalid'"), "not repaired");
}
END_TEST

/* Where nobody can own a table, the keeper drops what has no number; the kernel of this machine may be another. */
static const char *const keeper_edits[] = {
	"add rule inet segd_keeper forward accept",
	"insert rule inet segd_keeper forward ip saddr 10.9.9.9 accept",
	"flush table inet segd_keeper",
	"delete table inet segd_keeper",
	"add chain inet segd_keeper forward '{ policy accept; }'",
	"add table inet segd_keeper '{ flags dormant; }'",
	"flush chain inet segd_keeper forward; nft delete chain inet segd_keeper forward",
	"add chain inet segd_keeper other '{ type filter hook forward priority -20; }'",
};

/* How many; each says of which table. */
static size_t keeper_findings(void)
{
	struct seg_findings findings = {.arena = seg_arena_new()};
	size_t n;

	ck_assert_int_eq(seg_nft_compare_keeper(nft, &plan->plan, &findings), 0);
	n = findings.n;
	for (size_t i = 0; i < n; i++)
		ck_assert_ptr_nonnull(strstr(findings.finding[i].object, "table inet segd_keeper"));
	seg_arena_free(findings.arena);
	return n;
}

START_TEST(test_lock)
{
	static const char locked[] = "nft list table inet segd_keeper | tr -d '\n\t' | grep -q 'chain forward {"
				     "type filter hook forward priority filter - 9; policy drop;ct mark != 0x00000000 "
				     "accept comment \"what segd lets by has a number\"}}$'";

	nft->persist = false;
	must_commit(NULL, &plan->plan);
	ck_assert(run("%s", locked));
	ck_assert_uint_eq(keeper_findings(), 0);
	ck_assert(run("nft %s", keeper_edits[_i]));
	ck_assert_uint_gt(keeper_findings(), 0);
	must_commit(&plan->plan, &plan->plan);
	ck_assert(run("%s", locked));
	ck_assert_uint_eq(keeper_findings(), 0);
	/* Where nothing is dropped, here neither. */
	((struct seg_chain *)seg_plan_chain(&plan->plan, "forward"))->policy_drop = false;
	ck_assert(run("nft add table ip other"));
	must_commit(&plan->plan, &plan->plan);
	ck_assert(run("nft list table inet segd_keeper | grep -q 'ct state invalid'"));
	ck_assert(!run("nft list table inet segd_keeper | grep -q forward"));
}
END_TEST

/* The number of commits to the whole ruleset so far. */
static uint32_t generation(void)
{
	uint32_t now = 0;

	ck_assert_int_eq(seg_nft_read_generation(nft, &now), 0);
	return now;
}

START_TEST(test_unchanged)
{
	struct sample *same = sample_new(3);
	uint32_t before;

	must_commit(NULL, &plan->plan);
	before = generation();
	must_commit(&plan->plan, &same->plan);
	ck_assert_uint_eq(generation(), before);
	sample_elem(same, sample_find(same, "open"), SAMPLE_KEY("7"), NULL);
	must_commit(&plan->plan, &same->plan);
	ck_assert_msg(generation() == before + 1, "an element alone is one batch");
	ck_assert(listed("elements = { 0x00000007 counter packets 0 bytes 0 }"));
	sample_fini(same);
}
END_TEST

static void read_again(void)
{
	struct seg_plan *image;

	ck_assert_int_eq(seg_nft_read(nft, &image), 0);
	seg_plan_free(image);
}

/* Together with a change, or alone. */
START_TEST(test_forget)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_change change;

	nft->persist = false; /* anybody may add to it */
	must_commit(NULL, &plan->plan);
	change = seg_plan_diff(&plan->plan, &plan->plan, arena);
	ck_assert(run("nft add element inet segd recent4.3 '{ 10.1.0.20 . 10.2.0.20 . udp . 53 : 7 }'"));
	ck_assert(listed("10.1.0.20 . 10.2.0.20 . udp . 53"));
	seg_change_forget(&change);
	ck_assert_int_eq(seg_nft_commit(nft, &change, NULL, &diags), 0);
	ck_assert(!listed("10.1.0.20 . 10.2.0.20 . udp . 53"));
	read_again();
	ck_assert_int_eq(seg_nft_commit(nft, &change, NULL, &diags), 0); /* there was nothing */
	ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	ck_assert(run("nft add table ip other"));
	ck_assert(!seg_nft_untouched(nft) && seg_nft_disturbed(nft));
	ck_assert(run("nft add element inet segd recent4.3 '{ 10.1.0.20 . 10.2.0.20 . udp . 53 : 7 }'"));
	read_again();
	ck_assert_int_eq(seg_nft_forget(nft, &plan->plan), 0);
	ck_assert(!listed("10.1.0.20 . 10.2.0.20 . udp . 53") && !seg_nft_disturbed(nft));
	ck_assert_int_eq(seg_nft_forget(nft, &plan->plan), 0);
	ck_assert(!seg_nft_disturbed(nft));
	ck_assert(listed("add @recent4.3 { ip saddr . ip daddr . meta l4proto . th dport : ct mark }"));
	ck_assert(run("nft delete table inet segd"));
	ck_assert_int_eq(seg_nft_forget(nft, &plan->plan), -ENOENT);
	ck_assert(!listed("table inet segd"));
	seg_arena_free(arena);
}
END_TEST

START_TEST(test_owner)
{
	if (seg_nft_ownership(nft) == SEG_UNOWNED) {
		must_commit(NULL, &plan->plan);
		if (seg_nft_ownership(nft) == SEG_UNOWNED)
			return; /* before Linux 6.9 */
	}
	ck_assert_int_eq(seg_nft_ownership(nft), SEG_OWNED_PERSIST);
	ck_assert(!run("nft delete table inet segd 2>/dev/null"));
	ck_assert(!run("nft add rule inet segd forward accept 2>/dev/null"));
	ck_assert(run("nft flush ruleset"));
	ck_assert_msg(listed("chain forward"), "a foreign flush took it");
	seg_nft_close(nft);
	nft = NULL;
	ck_assert_msg(listed("chain forward"), "it did not outlive its owner");
	ck_assert(run("nft add chain inet segd foreign"));
	ck_assert_int_eq(seg_nft_open(&nft, -1), 0);
	ck_assert_int_eq(seg_nft_ownership(nft), SEG_UNOWNED);
	must_commit(&plan->plan, &plan->plan);
	ck_assert_msg(seg_nft_ownership(nft) == SEG_OWNED_PERSIST, "not adopted");
	ck_assert(!run("nft delete chain inet segd foreign 2>/dev/null"));
}
END_TEST

START_TEST(test_kept_socket)
{
	struct sample *next = sample_new(4);
	int kept;

	must_commit(NULL, &plan->plan);
	kept = dup(seg_nft_fd(nft));
	ck_assert_int_ge(kept, 0);
	if (seg_nft_ownership(nft) == SEG_OWNED_PERSIST) {
		seg_nft_close(nft);
		ck_assert_int_eq(seg_nft_open(&nft, kept), 0);
		ck_assert_int_eq(seg_nft_ownership(nft), SEG_OWNED_PERSIST);
	} else {
		close(kept);
	}
	RULE(next, next->chain[4], DROP);
	must_commit(&plan->plan, &next->plan);
	sample_fini(next);
}
END_TEST

START_TEST(test_not_a_socket)
{
	struct seg_nft *other;

	ck_assert_int_eq(seg_nft_open(&other, 0), -ENOTSOCK);
}
END_TEST

START_TEST(test_second_owner)
{
	struct seg_nft *other;

	must_commit(NULL, &plan->plan);
	ck_assert_int_eq(seg_nft_open(&other, -1), 0);
	if (seg_nft_ownership(nft) == SEG_OWNED_PERSIST) {
		ck_assert_int_eq(commit_plan(other, NULL, &plan->plan, NULL, &diags), -EPERM);
		ck_assert(strstr(diags.first->message, "belongs to another process"));
	}
	seg_nft_close(other);
}
END_TEST

START_TEST(test_elements)
{
	struct sample *next = sample_new(3);
	struct seg_set *ports = sample_find(next, "lg-ports4"), *origin = sample_find(next, "origin4");
	struct seg_elem *counted = (struct seg_elem *)&sample_find(plan, "fast")->elem[0];

	counted->packets = 17;
	counted->bytes = 1700;
	must_commit(NULL, &plan->plan);
	ck_assert(listed("original . \"lg0\" . 0x00000007 counter packets 17 bytes 1700 timeout 1h"));
	((struct seg_elem *)&sample_find(next, "fast")->elem[0])->timeout_ms = 7200000;
	((struct seg_elem *)&ports->elem[0])->mark = 77;
	((struct seg_elem *)&origin->elem[0])->end = sample_key(next, origin, SAMPLE_KEY("10.1.0.127"));
	sample_find(next, "group4")->elems--;
	sample_find(next, "everything6")->elems--;
	must_commit(&plan->plan, &next->plan);
	ck_assert(listed("original . \"lg0\" . 0x00000007 counter packets 17 bytes 1700 timeout 2h"));
	ck_assert(listed("10.2.1.0-10.2.1.199 . 10.4.0.4 . tcp . 400-443 comment \"Z-1\" : 0x0000004d"));
	ck_assert(listed("10.1.0.0/25 : jump refused.3"));
	ck_assert(!listed("255.255.255.255"));
	ck_assert(listed("\tset everything6.3 {\n\t\ttype ipv6_addr\n\t\tflags interval\n\t}"));
	sample_fini(next);
}
END_TEST

START_TEST(test_switch)
{
	struct sample *next = sample_new(4);

	must_commit(NULL, &plan->plan);
	RULE(next, next->chain[4], DROP);
	must_commit(&plan->plan, &next->plan);
	ck_assert(listed("jump judge.4"));
	ck_assert(!listed("refused.3"));
	ck_assert(listed("policy accept;\n\t\tdrop"));
	sample_fini(next);
}
END_TEST

struct heard {
	unsigned elements;
	uint64_t packets, bytes;
	uint64_t of_first; /* packets */
};

static void hear(void *context, const struct seg_set *set, const struct seg_elem *elem)
{
	const struct seg_elem *first = &sample_find(plan, "fast")->elem[0];
	struct heard *heard = context;

	ck_assert_str_eq(set->name, "fast");
	heard->elements++;
	heard->packets += elem->packets;
	heard->bytes += elem->bytes;
	if (seg_elem_same_key(set, elem, first))
		heard->of_first += elem->packets;
}

/* Elements of "fast" with keys of their own, each with a counter of 7, as long as the kernel can tell one. */
static void many_elements(struct sample *s, size_t n)
{
	static char comment[SEG_NFT_COMMENT_MAX + 1];
	struct seg_set *fast = sample_find(s, "fast");
	struct seg_elem *elem = SEG_NEW_N(s->arena, struct seg_elem, n);

	for (size_t i = 0; i < n; i++) {
		uint32_t number = (uint32_t)i + 1;
		uint8_t *key = seg_arena_alloc(s->arena, fast->key_len);

		memcpy(key + 4, "interface-name0", 15);
		memcpy(key + fast->key_len - sizeof(number), &number, sizeof(number));
		elem[i] = (struct seg_elem){
			.key = key, .packets = 7, .comment = comment, .timeout_ms = 3600000};
	}
	memset(comment, 'x', SEG_NFT_COMMENT_MAX);
	fast->elem = elem;
	fast->elems = n;
}

/* What leaves a set that counts is told with what it has counted, also where it comes again under the same
 * key. */
START_TEST(test_what_leaves)
{
	struct sample *next = sample_new(3), *last = sample_new(3);
	struct seg_elem *elem = (struct seg_elem *)sample_find(plan, "fast")->elem;
	struct heard heard = {0};
	const struct seg_nft_left left = {hear, &heard};

	elem[0].packets = 17;
	elem[0].bytes = 1700;
	elem[1].packets = 4;
	must_commit(NULL, &plan->plan);
	elem[0].packets = elem[1].packets = elem[0].bytes = 0; /* the kernel knows */
	((struct seg_elem *)sample_find(next, "fast")->elem)[0].timeout_ms = 7200000;
	sample_find(next, "fast")->elems--;
	sample_find(next, "group4")->elems--; /* counts nothing */
	ck_assert_int_eq(commit_plan(nft, &plan->plan, &next->plan, &left, &diags), 0);
	ck_assert_uint_eq(heard.elements, 2);
	ck_assert_uint_eq(heard.packets, 21);
	ck_assert_uint_eq(heard.bytes, 1700);
	ck_assert_uint_eq(heard.of_first, 17);
	/* A refused commit takes nothing away: the one that has gone already is not there. */
	heard = (struct heard){0};
	sample_find(last, "fast")->elems = 0;
	ck_assert_int_eq(commit_plan(nft, &plan->plan, &last->plan, &left, &diags), -ENOENT);
	ck_assert_uint_eq(heard.elements, 0);
	sample_fini(next);
	sample_fini(last);
}
END_TEST

/* A number ends behind the elements of intervals that come: where it cannot, they are in force all the same, and
 * somebody looks. One that may have ended by itself is tried first, and nothing changes. */
START_TEST(test_numbers_that_cannot_end)
{
	struct sample *stale = sample_new(3), *next = sample_new(3);
	bool may_have_ended = _i;

	must_commit(NULL, &plan->plan);
	sample_elem(stale, sample_find(stale, "fast"), SAMPLE_KEY("0", "lg0", "77"), NULL)->timeout_ms =
		may_have_ended ? 3600000 : 0;
	sample_elem(next, sample_find(next, "lg-ports4"), SAMPLE_KEY("10.2.1.0", "10.4.0.9", "6", "9"),
		    SAMPLE_KEY("10.2.1.3", "10.4.0.9", "6", "9"));
	ck_assert_int_eq(commit_plan(nft, &stale->plan, &next->plan, NULL, &diags), may_have_ended ? -ENOENT : 0);
	ck_assert_int_eq(diags.errors > 0, may_have_ended);
	ck_assert(listed("10.4.0.9") != may_have_ended);
	ck_assert(seg_nft_disturbed(nft) != may_have_ended);
	sample_fini(stale);
	sample_fini(next);
}
END_TEST

/* As many as are told, and one more: none is, and they leave all the same. */
START_TEST(test_many_leave)
{
	struct sample *next = sample_new(3);
	struct heard heard = {0};
	const struct seg_nft_left left = {hear, &heard};
	size_t n = SEG_NFT_LEFT_MAX + (size_t)_i;

	many_elements(plan, n);
	sample_find(next, "fast")->elems = 0;
	must_commit(NULL, &plan->plan);
	ck_assert_int_eq(commit_plan(nft, &plan->plan, &next->plan, &left, &diags), 0);
	ck_assert_uint_eq(heard.elements, _i ? 0 : n);
	ck_assert_uint_eq(heard.packets, _i ? 0 : 7 * n);
	ck_assert(!listed("xxxx"));
	sample_fini(next);
}
END_TEST

/* A receive buffer that is small, as where nobody may have a larger one: what is told must not crowd out the
 * answer. */
START_TEST(test_leave_by_a_small_door)
{
	struct sample *next = sample_new(3);
	struct heard heard = {0};
	const struct seg_nft_left left = {hear, &heard};
	const int size = 65536;

	many_elements(plan, 1000);
	sample_find(next, "fast")->elems = 0;
	must_commit(NULL, &plan->plan);
	ck_assert_int_eq(setsockopt(seg_nft_fd(nft), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	ck_assert_int_eq(commit_plan(nft, &plan->plan, &next->plan, &left, &diags), 0);
	ck_assert_uint_eq(heard.elements, 0);
	sample_find(plan, "fast")->elems = 0;
	many_elements(next, 100);
	must_commit(&plan->plan, &next->plan);
	ck_assert_int_eq(commit_plan(nft, &next->plan, &plan->plan, &left, &diags), 0);
	ck_assert_uint_eq(heard.elements, 100);
	sample_fini(next);
}
END_TEST

/* Other tools commit all the time: that delays nothing, and is no error. */
START_TEST(test_foreign_commits)
{
	struct sample *old = plan;
	pid_t busy = fork();

	ck_assert_int_ge(busy, 0);
	if (busy == 0) {
		execlp("sh", "sh", "-c",
		       "while :; do nft add table ip other; nft delete table ip other; done", NULL);
		_exit(1);
	}
	must_commit(NULL, &plan->plan);
	for (uint32_t i = 4; i < 34; i++) {
		struct sample *next = sample_new(i);

		must_commit(&old->plan, &next->plan);
		if (old != plan)
			sample_fini(old);
		old = next;
	}
	kill(busy, SIGKILL);
	waitpid(busy, NULL, 0);
	ck_assert(listed("jump judge.33"));
	sample_fini(old);
}
END_TEST

/* Woken by somebody between the question and the answer: nothing is left to do, and no transaction is counted. */
START_TEST(test_take_up_what_is_awake)
{
	struct seg_nft_claim claim = {
		.needed = true, .dormant = true, .flags = nft->persist ? NFT_TABLE_F_KEPT : 0};

	read_again();
	must_commit(NULL, &plan->plan);
	read_again();
	ck_assert(run("nft add table ip other"));
	ck_assert(seg_nft_disturbed(nft));
	ck_assert_int_eq(seg_nft_take_up(nft, &claim, &diags), 0);
	ck_assert(seg_nft_disturbed(nft));
}
END_TEST

/* Somebody's commit between what we read and what we commit is noticed, whether ours is taken or refused; our
 * own commits are nobody's. */
START_TEST(test_disturbed)
{
	struct sample *next = sample_new(4), *refused = sample_new(5), *last = sample_new(6);

	sample_elem(refused, sample_find(refused, "lg-ports4"),
		    SAMPLE_KEY("10.2.1.100", "10.4.0.4", "6", "410"),
		    SAMPLE_KEY("10.2.1.250", "10.4.0.4", "6", "65535"));
	nft->persist = false; /* what is owned nobody else can touch */
	read_again();
	must_commit(NULL, &plan->plan);
	ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	read_again();
	ck_assert(run("nft add table ip other"));
	must_commit(&plan->plan, &next->plan);
	ck_assert(!seg_nft_untouched(nft) && seg_nft_disturbed(nft));
	read_again();
	ck_assert(!seg_nft_disturbed(nft));
	ck_assert(!seg_nft_untouched(nft)); /* what is there was read, and not what we left */
	ck_assert_int_lt(commit_plan(nft, &next->plan, &refused->plan, NULL, &diags), 0);
	ck_assert(!seg_nft_disturbed(nft));
	ck_assert(run("nft delete table ip other"));
	ck_assert_int_lt(commit_plan(nft, &next->plan, &refused->plan, NULL, &diags), 0);
	ck_assert(seg_nft_disturbed(nft));
	read_again();
	seg_diags_fini(&diags);
	seg_diags_init(&diags);
	must_commit(&next->plan, &last->plan);
	ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	sample_fini(next);
	sample_fini(refused);
	sample_fini(last);
}
END_TEST

/* Other tables' owners may commit as they like. */
START_TEST(test_owned_stays_untouched)
{
	must_commit(NULL, &plan->plan);
	if (seg_nft_ownership(nft) == SEG_UNOWNED)
		return; /* before Linux 6.9 */
	ck_assert(run("nft add table ip other; nft delete table inet segd_keeper"));
	ck_assert(seg_nft_untouched(nft) && seg_nft_disturbed(nft));
	must_commit(&plan->plan, &plan->plan);
	ck_assert_msg(run("nft list table inet segd_keeper | grep -q 'ct state invalid'"), "the keeper is nobody's");
}
END_TEST

/* The claims that come before the rest, of an orphan and of a table that is gone, the keeper, and what a
 * refused switch takes back, are commits of ours, too. */
START_TEST(test_not_disturbed_by_claims)
{
	struct sample *next = sample_new(4);

	must_commit(NULL, &plan->plan);
	seg_nft_close(nft);
	ck_assert_int_eq(seg_nft_open(&nft, -1), 0);
	read_again();
	must_commit(&plan->plan, &next->plan);
	ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	seg_nft_close(nft);
	ck_assert_int_eq(seg_nft_open(&nft, -1), 0);
	read_again();
	ck_assert(run("nft flush ruleset"));
	read_again();
	must_commit(NULL, &plan->plan);
	ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	sample_fini(next);
}
END_TEST

/* A refusal: the place of the element, nothing changed, nothing left behind. */
START_TEST(test_refused_element)
{
	struct seg_place place = {.start = 42};
	struct sample *next = sample_new(4);
	struct seg_elem *elem = sample_elem(next, sample_find(next, "lg-ports4"),
					    SAMPLE_KEY("10.2.1.100", "10.4.0.4", "6", "410"),
					    SAMPLE_KEY("10.2.1.250", "10.4.0.4", "6", "65535"));

	elem->comment = "Z-9";
	elem->place = &place;
	must_commit(NULL, &plan->plan);
	ck_assert_int_lt(commit_plan(nft, &plan->plan, &next->plan, NULL, &diags), 0);
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert_str_eq(
		diags.first->message,
		"the kernel refused element 10.2.1.100-10.2.1.250 . 10.4.0.4 . tcp . 410-65535 (Z-9) "
		"of set lg-ports4: it overlaps another element of the set");
	ck_assert_uint_eq(diags.first->place.start, 42);
	ck_assert(!listed("refused.4"));
	ck_assert(listed("jump judge.3"));
	sample_fini(next);
}
END_TEST

START_TEST(test_refused_rule)
{
	struct seg_place place = {.start = 8};
	struct seg_rule *rule = RULE(plan, plan->chain[4], CMP(SEG_L_OIFNAME, 16, 'x'), DROP);

	plan->chain[4]->rule = rule - plan->chain[4]->rules + 1;
	rule->place = &place;
	/* A chain that is not in the plan, nor in the kernel. */
	((struct seg_stmt *)rule->stmt)[1] = (struct seg_stmt){
		.kind = SEG_S_ACTION, .action = {SEG_V_JUMP, &(struct seg_chain){.name = "nowhere"}}};
	ck_assert_int_eq(commit_plan(nft, NULL, &plan->plan, NULL, &diags), -ENOENT);
	ck_assert_uint_eq(diags.errors, 1);
	ck_assert(strstr(diags.first->message,
			 "rule 1 of chain input: oifname \"x\" jump nowhere.3: it, or something"));
	ck_assert_uint_eq(diags.first->place.start, 8);
	ck_assert_msg(run("! nft list table inet segd 2>/dev/null"), "half a table stayed");
}
END_TEST

/* -- reading back ------------------------------------------------------ */

static struct seg_plan *must_read(void)
{
	struct seg_plan *image;

	ck_assert_int_eq(seg_nft_read(nft, &image), 0);
	ck_assert_ptr_nonnull(image);
	return image;
}

/* What differs from what is in the kernel, as lines "kind object: detail"; the caller frees. */
static char *compared(const struct seg_plan *want)
{
	struct seg_plan *image = must_read();
	struct seg_findings findings = {.arena = seg_arena_new()};
	struct seg_strbuf text = {0};

	if (want->at) /* what ends has gone on towards it, on a busy machine by some seconds */
		image->at = want->at + (time(NULL) - committed);
	seg_nft_compare(want, image, &findings);
	for (size_t i = 0; i < findings.n; i++)
		seg_strbuf_printf(&text, "%s %s: %s\n", findings.finding[i].kind, findings.finding[i].object,
				  findings.finding[i].detail);
	seg_arena_free(findings.arena);
	seg_plan_free(image);
	return text.text ? seg_strbuf_take(&text) : strdup("");
}

static void ck_compared(const char *expected)
{
	char *text = compared(&plan->plan);

	ck_assert_str_eq(text, expected);
	free(text);
}

/* A table that others may edit, as on an old kernel, or while nobody owns it. */
static void disown(void)
{
	seg_nft_close(nft);
	ck_assert_int_eq(seg_nft_open(&nft, -1), 0);
}

START_TEST(test_read_nothing)
{
	struct seg_plan *image;

	ck_assert_int_eq(seg_nft_read(nft, &image), 0);
	ck_assert_ptr_null(image);
}
END_TEST

START_TEST(test_read_back)
{
	struct seg_plan *image;
	uint32_t before;

	must_commit(NULL, &plan->plan);
	image = must_read();
	ck_assert_uint_eq(image->generation, 3);
	ck_assert(seg_plan_same_structure(image, &plan->plan));
	before = generation();
	must_commit(image, &plan->plan);
	ck_assert_uint_eq(generation(), before);
	ck_compared("");
	seg_plan_free(image);
}
END_TEST

/* Everything a foreign hand may do to the table is named, and the next commit from the image repairs it. */
static const struct {
	const char *command, *finding;
} tampering[] = {
	{"add rule inet segd forward accept",
	 "extra chain forward: rule 4 in the kernel is none of ours: accept\n"},
	{"insert rule inet segd judge.3 ip saddr 10.9.9.9 accept",
	 "extra chain judge: rule 1 in the kernel is none"},
	{"insert rule inet segd maps.3 ip saddr { 10.9.9.9, 10.9.9.10 } accept",
	 "extra chain maps: rule 1 in the kernel is none of ours: comment \"inet segd maps.3"},
	{"flush chain inet segd judge.3",
	 "missing chain judge: rule 1 is not in the kernel: iifname \"lg0\" return\n"},
	{"flush chain inet segd forward", "missing chain forward: rule 1 is not in the kernel: ct state "
					  "established ct direction . iifname . ct mark @fast"},
	{"add chain inet segd input '{ policy drop; }'",
	 "changed chain input: its policy should be accept, is drop\n"},
	{"add chain inet segd other '{ type filter hook prerouting priority 0; }'",
	 "extra chain other: in the kernel"},
	{"add chain inet segd other.2", "extra chain other.2: in the kernel"},
	{"add set inet segd other '{ type inet_service . mark; }'", "extra set other: in the kernel"},
	{"add element inet segd fast '{ original . \"evil0\" . 0x9 comment \"x\" }'",
	 "extra element original . \"evil0\" . 0x00000009 (x) of set fast: in the kernel, not in the "
	 "policy\n"},
	{"delete element inet segd exact-ports4 '{ 10.1.0.20 . 172.30.5.10 . tcp . 443 }'",
	 "missing element 10.1.0.20 . 172.30.5.10 . tcp . 443 (S-1) of set exact-ports4: not in the "
	 "kernel\n"},
	{"delete element inet segd origin4.3 '{ 10.1.0.0/24 }'",
	 "missing element 10.1.0.0/24 of set origin4: not in the kernel\n"},
	{"add element inet segd origin4.3 '{ 0.0.0.0/8 : accept }'",
	 "extra element 0.0.0.0/8 of set origin4: in the kernel"},
	{"add element inet segd origin4.3 '{ 224.0.0.0/3 : accept }'",
	 "extra element 224.0.0.0/3 of set origin4: in the kernel"},
	{"add element inet segd dispatch.3 '{ * : accept }'",
	 "extra element * of set dispatch: in the kernel"},
	{"add element inet segd lg-ports4.3 '{ 10.2.1.0/24 . 10.4.0.7 . udp . 1-9 : 0x9 }'",
	 "extra element 10.2.1.0/24 . 10.4.0.7 . udp . 1-9 of set lg-ports4: in the kernel"},
	{"flush set inet segd group4.3", "missing element 0.0.0.0 of set group4: not in the kernel\n"},
	{"delete element inet segd fast '{ reply . \"mn0.140\" . 0x7 }'; nft add element inet segd fast "
	 "'{ reply . \"mn0.140\" . 0x7 timeout 1m comment \"S-1\" }'",
	 "changed element reply . \"mn0.140\" . 0x00000007 (S-1) of set fast: should be for ever, S-1, is "
	 "for "},
	{"delete element inet segd dispatch.3 '{ ipv4 . original . tcp }'; nft add element inet segd "
	 "dispatch.3 "
	 "'{ ipv4 . original . tcp : accept }'",
	 "changed element ipv4 . original . tcp of set dispatch: should be goto refused.3, is accept\n"},
};

START_TEST(test_tampering)
{
	struct seg_plan *image;
	char *text;

	must_commit(NULL, &plan->plan);
	disown();
	ck_assert(run("nft %s", tampering[_i].command));
	text = compared(&plan->plan);
	ck_assert_msg(strstr(text, tampering[_i].finding) == text, "%s: %s", tampering[_i].command, text);
	free(text);
	image = must_read();
	must_commit(image, &plan->plan);
	seg_plan_free(image);
	ck_compared("");
}
END_TEST

/* What stands in our way and cannot be changed in place: the table is replaced, and is ours again. */
static const char *const obstacles[] = {
	"add table inet segd",
	"add table inet segd '{ flags dormant; }'",
	"add chain inet segd forward '{ type filter hook forward priority 0; }'",
	"add chain inet segd forward '{ type filter hook prerouting priority -10; }'",
	"add chain inet segd input '{ type nat hook input priority 100; }'",
	"add chain inet segd refused.3 '{ type filter hook forward priority -10; }'",
	"add set inet segd fast '{ type mark; }'",
	"add set inet segd fast '{ typeof ct direction . iifname . ct mark; }'",
	"add map inet segd exact-ports4 '{ type ipv4_addr : ipv4_addr; }'",
};

START_TEST(test_obstacles)
{
	struct seg_plan *image;

	ck_assert(run("nft add table inet segd && nft %s", obstacles[_i]));
	image = must_read();
	must_commit(image, &plan->plan);
	seg_plan_free(image);
	ck_compared("");
	if (seg_nft_ownership(nft) != SEG_UNOWNED)
		ck_assert_int_eq(seg_nft_ownership(nft), SEG_OWNED_PERSIST);
}
END_TEST

START_TEST(test_obstacle_in_orphan)
{
	struct seg_plan *image;

	must_commit(NULL, &plan->plan);
	disown();
	ck_assert(run("nft flush chain inet segd input; nft delete chain inet segd input; "
		      "nft add chain inet segd input '{ type filter hook input priority 5; }'"));
	image = must_read();
	must_commit(image, &plan->plan);
	seg_plan_free(image);
	ck_compared("");
}
END_TEST

/* The base chains of the sample, with the rules they begin with. */
static bool is_sealed(void)
{
	return !listed("dormant") &&
	       listed("\t\ttype filter hook forward priority filter - 10; policy drop;\n\t}") &&
	       listed("\t\ttype filter hook input priority filter - 10; policy accept;\n\t}");
}

/* Whatever was done to the table: nothing but its plain beginning is left in force, and the rest comes back. */
static const char *const openings[] = {
	"insert rule inet segd forward accept",
	"add chain inet segd forward '{ policy accept; }'",
	"add chain inet segd judge.4294967295",
	"flush table inet segd",
	"delete table inet segd",
	"flush ruleset",
	"flush chain inet segd forward; nft delete chain inet segd forward; nft add chain inet segd forward",
	"flush chain inet segd forward; nft delete chain inet segd forward; "
	"nft add chain inet segd forward '{ type filter hook forward priority 7; policy accept; }'",
};

START_TEST(test_seal)
{
	struct seg_nft_table table;
	struct seg_plan *image;

	must_commit(NULL, &plan->plan);
	disown();
	seg_plan_free(must_read());
	ck_assert(run("nft %s", openings[_i]));
	ck_assert_int_eq(seg_nft_seal(nft, &plan->plan), 0);
	ck_assert(is_sealed());
	ck_assert_int_eq(seg_nft_read_table(nft, SEG_TABLE, &table), 0);
	ck_assert_int_eq(seg_nft_ownership(nft), table.owner ? SEG_OWNED_PERSIST : SEG_UNOWNED);
	image = must_read();
	ck_assert(!seg_nft_disturbed(nft));
	ck_assert(image->generation == plan->plan.generation || !image->sets);
	must_commit(image, &plan->plan);
	seg_plan_free(image);
	ck_compared("");
}
END_TEST

/* Put to sleep, as one can where nobody keeps the table: all of it stands there, and none of it is in force. */
static const char *const lullabies[] = {
	"add table inet segd '{ flags dormant; }'",
	"add table inet segd '{ flags dormant; }'; nft flush chain inet segd forward; "
	"nft delete chain inet segd forward",
};

START_TEST(test_dormant)
{
	struct seg_plan *image;
	char *text;

	ck_assert(run("nft add table inet segd"));
	image = must_read();
	must_commit(image, &plan->plan);
	seg_plan_free(image);
	ck_assert(run("nft %s", lullabies[_i]));
	text = compared(&plan->plan);
	ck_assert_msg(strstr(text, "changed table inet segd: should be in force, is dormant\n") == text, "%s",
		      text);
	free(text);
	ck_assert_int_eq(seg_nft_seal(nft, &plan->plan), 0);
	ck_assert(is_sealed());
	image = must_read();
	must_commit(image, &plan->plan);
	seg_plan_free(image);
	ck_compared("");
}
END_TEST

/* What another segd owns is its own. */
START_TEST(test_seal_of_another)
{
	struct seg_nft *other;

	must_commit(NULL, &plan->plan);
	if (seg_nft_ownership(nft) == SEG_UNOWNED)
		return;
	ck_assert_int_eq(seg_nft_open(&other, -1), 0);
	ck_assert_int_eq(seg_nft_seal(other, &plan->plan), -EPERM);
	ck_assert(!is_sealed());
	seg_nft_close(other);
}
END_TEST

/* The timeout of each element of a batch, in order, as the kernel would get it; 0: it has none. */
static size_t timeouts_of(const struct seg_nft_batch *batch, uint64_t *ms, size_t room)
{
	const struct nlattr *list, *elem, *attr;
	size_t n = 0;

	for (size_t i = 1; i < batch->origins; i++)
		seg_attr_each(list, (const struct nlmsghdr *)(const void *)(batch->data + batch->origin[i].offset),
			      sizeof(struct nfgenmsg)) {
			if (seg_attr_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
				continue;
			seg_attr_each_nested(elem, list) {
				ck_assert_uint_lt(n, room);
				ms[n] = 0;
				seg_attr_each_nested(attr, elem)
					if (seg_attr_type(attr) == NFTA_SET_ELEM_TIMEOUT)
						ms[n] = be64toh(mnl_attr_get_u64(attr));
				n++;
			}
		}
	return n;
}

#define ENDING 10000 /* elements: several messages */

/* What is sent late ends on time all the same; what should have ended does so at once, and what has no end gets none. */
START_TEST(test_sent_late)
{
	static const uint64_t late[] = {0, 1500, 20, 70000};
	const struct seg_elem **elem = SEG_NEW_N(plan->arena, const struct seg_elem *, ENDING);
	uint64_t *ms = SEG_NEW_N(plan->arena, uint64_t, ENDING);
	struct seg_nft_batch batch;

	for (uint32_t i = 0; i < ENDING; i++) {
		struct seg_elem *one = SEG_NEW(plan->arena, struct seg_elem);

		one->key = seg_arena_copy(plan->arena, &i, sizeof(i));
		one->timeout_ms = i % 3 ? i * 7 : 0;
		elem[i] = one;
	}
	seg_nft_batch_init(&batch, 1, 1);
	seg_nft_put_elems(&batch, sample_find(plan, "open"), elem, ENDING, true);
	ck_assert_uint_gt(batch.origins, 3);
	for (size_t k = 0; k < sizeof(late) / sizeof(late[0]); k++) {
		seg_nft_batch_late(&batch, late[k]);
		ck_assert_uint_eq(timeouts_of(&batch, ms, ENDING), ENDING);
		for (size_t i = 0; i < ENDING; i++) {
			uint64_t want = elem[i]->timeout_ms;

			ck_assert_uint_eq(ms[i], !want ? 0 : want > late[k] ? want - late[k] : 1);
		}
	}
	seg_nft_batch_fini(&batch);
}
END_TEST

static time_t slow; /* 0: time goes as it does; else by ten seconds each time somebody looks how long it is since boot */

int clock_gettime(clockid_t id, struct timespec *now)
{
	if (slow && (id == CLOCK_BOOTTIME || id == CLOCK_REALTIME))
		*now = (struct timespec){.tv_sec = id == CLOCK_BOOTTIME ? slow += 10 : slow};
	else if (syscall(SYS_clock_gettime, id, now) < 0)
		return -1;
	return 0;
}

/* Each part of a commit is dated when it is sent, not when it was written. */
START_TEST(test_parts_are_dated)
{
	struct sample *next = sample_new(4);

	must_commit(NULL, &plan->plan);
	((struct seg_elem *)&sample_find(next, "fast")->elem[0])->timeout_ms = 7200000;
	slow = next->plan.at = 1000;
	must_commit(&plan->plan, &next->plan);
	slow = 0;
	ck_assert(listed("\"lg0\" . 0x00000007 counter packets 0 bytes 0 timeout 1h59m40s"));
	sample_fini(next);
}
END_TEST

/* A plan that took half a minute to come into force. */
START_TEST(test_committed_late)
{
	const struct seg_set *fast;
	struct seg_plan *image;

	plan->plan.at = time(NULL) - 30;
	must_commit(NULL, &plan->plan);
	image = must_read();
	fast = seg_plan_set(image, "fast");
	for (size_t i = 0; i < fast->elems; i++)
		ck_assert_uint_le(fast->elem[i].timeout_ms, 3600000 - 30000);
	seg_plan_free(image);
}
END_TEST

START_TEST(test_many_findings)
{
	char *text;
	size_t lines = 0;

	for (int i = 0; i < 150; i++) {
		char mark[16];

		snprintf(mark, sizeof(mark), "%d", i);
		sample_elem(plan, sample_find(plan, "open"), SAMPLE_KEY(mark), NULL);
	}
	must_commit(NULL, &plan->plan);
	disown();
	ck_assert(run("nft flush set inet segd open"));
	text = compared(&plan->plan);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	ck_assert_uint_eq(lines, 101);
	ck_assert(strstr(text, "changed table inet segd: and 50 more differences\n"));
	free(text);
}
END_TEST

/* A switch that never came to its end: the leftovers go with the next commit. */
START_TEST(test_leftovers)
{
	struct sample *next = sample_new(4);
	struct seg_plan *image;

	must_commit(NULL, &plan->plan);
	disown();
	ck_assert(run("nft add chain inet segd refused.4 '{ drop; }'; nft add map inet segd origin4.4 "
		      "'{ type ipv4_addr : verdict; flags interval; elements = { 10.0.0.0/8 : jump refused.4 "
		      "}; }'"));
	image = must_read();
	ck_assert_uint_eq(image->generation, 3);
	must_commit(image, &plan->plan);
	seg_plan_free(image);
	ck_assert(!listed(".4 {"));
	image = must_read();
	must_commit(image, &next->plan);
	seg_plan_free(image);
	ck_assert(!listed(".3 {"));
	sample_fini(next);
}
END_TEST

static void add_packets(void *context, const struct seg_elem *elem)
{
	*(uint64_t *)context += elem->packets;
}

START_TEST(test_read_elements)
{
	struct seg_set *fast = sample_find(plan, "fast");
	uint64_t packets = 0;

	((struct seg_elem *)fast->elem)[0].packets = 3;
	((struct seg_elem *)fast->elem)[1].packets = 4;
	must_commit(NULL, &plan->plan);
	ck_assert_int_eq(seg_nft_read_elements(nft, fast, add_packets, &packets), 0);
	ck_assert_uint_eq(packets, 7);
	ck_assert_int_eq(seg_nft_read_elements(nft, sample_find(plan, "origin4"), add_packets, &packets), 0);
}
END_TEST

/* Real policies, all the way round. */
static const char *const policies[] = {"conf/policy.yaml", "conf/examples/small-city.yaml",
				       "conf/examples/mid-city.yaml"};

START_TEST(test_policy)
{
	struct seg_build_options options = {.generation = 7, .now = 1795482000};
	struct seg_registry registry;
	struct seg_policy *policy;
	struct seg_plan *built, *image;
	char *text;

	policy = seg_policy_load_file(NULL, policies[_i], &diags);
	ck_assert_msg(policy, "%s: %s", policies[_i], diags.first ? diags.first->message : "?");
	registry = seg_registry_update(NULL, policy, plan->arena);
	built = seg_plan_build(policy, &registry, &options);
	must_commit(NULL, built);
	image = must_read();
	ck_assert(seg_plan_same_structure(image, built));
	seg_plan_free(image);
	text = compared(built);
	ck_assert_str_eq(text, "");
	free(text);
	ck_assert_msg(
		run("nft list table inet segd >/tmp/test_nft.$$ && unshare -n nft -c -f /tmp/test_nft.$$; "
		    "r=$?; rm -f /tmp/test_nft.$$; exit $r"),
		"the listing of %s does not load again", policies[_i]);
	seg_plan_free(built);
	seg_policy_free(policy);
}
END_TEST

START_TEST(test_remove)
{
	must_commit(NULL, &plan->plan);
	ck_assert_int_eq(seg_nft_remove(nft), 0);
	ck_assert(run("test -z \"$(nft list ruleset)\""));
	ck_assert_int_eq(seg_nft_ownership(nft), SEG_UNOWNED);
	ck_assert_int_eq(seg_nft_remove(nft), 0);
	must_commit(NULL, &plan->plan);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nft");
	TCase *tcase = tcase_create("kernel");

	if (!can_have_nft("nft"))
		return EXIT_SUCCESS;
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_like_nft);
	tcase_add_test(tcase, test_keeper);
	tcase_add_loop_test(tcase, test_lock, 0, (int)(sizeof(keeper_edits) / sizeof(keeper_edits[0])));
	tcase_add_test(tcase, test_unchanged);
	tcase_add_test(tcase, test_forget);
	tcase_add_test(tcase, test_owner);
	tcase_add_test(tcase, test_kept_socket);
	tcase_add_test(tcase, test_not_a_socket);
	tcase_add_test(tcase, test_second_owner);
	tcase_add_test(tcase, test_elements);
	tcase_add_test(tcase, test_switch);
	tcase_add_test(tcase, test_what_leaves);
	tcase_add_loop_test(tcase, test_numbers_that_cannot_end, 0, 2);
	tcase_add_loop_test(tcase, test_many_leave, 0, 2);
	tcase_add_test(tcase, test_leave_by_a_small_door);
	tcase_add_test(tcase, test_foreign_commits);
	tcase_add_test(tcase, test_take_up_what_is_awake);
	tcase_add_test(tcase, test_disturbed);
	tcase_add_test(tcase, test_owned_stays_untouched);
	tcase_add_test(tcase, test_not_disturbed_by_claims);
	tcase_add_test(tcase, test_refused_element);
	tcase_add_test(tcase, test_refused_rule);
	tcase_add_test(tcase, test_remove);
	tcase_add_test(tcase, test_read_nothing);
	tcase_add_test(tcase, test_read_back);
	tcase_add_loop_test(tcase, test_tampering, 0, (int)(sizeof(tampering) / sizeof(tampering[0])));
	tcase_add_loop_test(tcase, test_obstacles, 0, (int)(sizeof(obstacles) / sizeof(obstacles[0])));
	tcase_add_test(tcase, test_obstacle_in_orphan);
	tcase_add_loop_test(tcase, test_seal, 0, (int)(sizeof(openings) / sizeof(openings[0])));
	tcase_add_loop_test(tcase, test_dormant, 0, (int)(sizeof(lullabies) / sizeof(lullabies[0])));
	tcase_add_test(tcase, test_seal_of_another);
	tcase_add_test(tcase, test_sent_late);
	tcase_add_test(tcase, test_parts_are_dated);
	tcase_add_test(tcase, test_committed_late);
	tcase_add_test(tcase, test_many_findings);
	tcase_add_test(tcase, test_leftovers);
	tcase_add_test(tcase, test_read_elements);
	tcase_add_loop_test(tcase, test_policy, 0, (int)(sizeof(policies) / sizeof(policies[0])));
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
