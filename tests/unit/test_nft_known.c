/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Whether what is known of the table still holds, where nobody owns it and others commit, in a network
 * namespace of each test's own. Needs root and nft. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/nft_monitor.h"
#include "kernel/nft_wire.h"
#include "commit_plan.h"
#include "sample_plan.h"
#include "runner.h"

#define MANY 100000 /* elements, which take a while to be read */

static struct seg_nft_monitor *monitor;
static struct seg_nft *nft;
static struct seg_diags diags;
static struct sample *plan;
static size_t touches, told, owing;
static struct seg_nft_transaction last;

static void note_touched(void *context)
{
	(void)context;
	touches++;
}

static void note(void *context, const struct seg_nft_transaction *transaction)
{
	(void)context;
	told++;
	last = *transaction;
}

static void run(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void must_commit(const struct seg_plan *old, const struct seg_plan *new)
{
	ck_assert_int_eq(commit_plan(nft, old, new, NULL, &diags), 0);
}

static void note_owing(void *context)
{
	(void)context;
	owing++;
}

/* As one who looks at our table for whatever he is told, and finds that somebody has committed meanwhile. */
static void note_and_look(void *context, const struct seg_nft_transaction *transaction)
{
	(void)context;
	(void)transaction;
	told++;
	run("nft 'add table ip busy; delete table ip busy'");
	ck_assert(!seg_nft_disturbed(nft));
}

static const struct seg_nft_hearer hearer = {note_touched, note, note_owing, NULL};

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(seg_nft_monitor_open(&monitor, &hearer), 0);
	ck_assert_int_eq(seg_nft_open(&nft, -1), 0);
	ck_assert_int_eq(seg_nft_attend(nft, monitor), 0);
	nft->persist = false; /* what is owned nobody else can touch */
	seg_diags_init(&diags);
	plan = sample_new(3);
	must_commit(NULL, &plan->plan);
}

static void teardown(void)
{
	sample_fini(plan);
	seg_diags_fini(&diags);
	seg_nft_close(nft);
	seg_nft_monitor_close(monitor);
}

static int read_again(struct seg_plan **image)
{
	struct seg_plan *read;
	int ret = seg_nft_read(nft, &read);

	if (image)
		*image = read;
	else
		seg_plan_free(read);
	return ret;
}

static void gets_many(struct sample *sample)
{
	struct seg_elem *elem = SEG_NEW_N(sample->arena, struct seg_elem, MANY);
	struct seg_set *open = sample_find(sample, "open");

	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t key = htonl(i); /* elements are in the order of their bytes */

		elem[i].key = seg_arena_copy(sample->arena, &key, sizeof(key));
	}
	open->elem = elem;
	open->elems = MANY;
}

/* What others do elsewhere, before, between and behind our own commits, is no touch. */
START_TEST(test_passing)
{
	struct sample *next = sample_new(4);

	ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	run("nft add table ip a");
	ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	run("nft add table ip b; nft add table inet segdx");
	must_commit(&plan->plan, &next->plan);
	run("nft add table ip c; nft add table ip segd; nft delete table ip a");
	ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	ck_assert_int_eq(read_again(NULL), 0);
	run("nft add table ip a");
	ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	sample_fini(next);
}
END_TEST

static const char *const touch[] = {
	"nft add chain inet segd extra",
	"nft 'add table ip a; add element inet segd open { 999 }; add table ip b'",
	"nft add chain inet segd_keeper extra",
	"nft flush ruleset",
};

/* A touch stays one, whatever passes behind it. */
START_TEST(test_touching)
{
	run("nft add table ip before");
	run(touch[_i]);
	run("nft add table ip behind");
	ck_assert(!seg_nft_untouched(nft) && seg_nft_disturbed(nft));
	run("nft add table ip later");
	ck_assert(!seg_nft_untouched(nft) && seg_nft_disturbed(nft));
	ck_assert_int_eq(read_again(NULL), 0);
	ck_assert(!seg_nft_untouched(nft)); /* what is there was read, and not what we left */
	run("nft add table ip at_last");
	ck_assert(!seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
}
END_TEST

static uint32_t generation(void)
{
	uint32_t now;

	ck_assert_int_eq(seg_nft_read_generation(nft, &now), 0);
	return now;
}

/* Nothing is sealed that a commit of ours has put right since, whoever else passes, nor is anybody waited for. */
START_TEST(test_seal_behind_a_commit)
{
	struct seg_plan *image;
	uint32_t before;

	run(touch[_i]);
	run("nft add table ip elsewhere");
	before = generation();
	ck_assert_int_eq(seg_nft_seal(nft, &plan->plan), 0);
	ck_assert_uint_ne(generation(), before);
	ck_assert_int_eq(read_again(&image), 0);
	must_commit(image, &plan->plan);
	seg_plan_free(image);
	run("nft add table ip later");
	before = generation();
	ck_assert_int_eq(seg_nft_seal(nft, &plan->plan), 0);
	ck_assert_uint_eq(generation(), before);
}
END_TEST

/* What is committed to a table that was read before it was sealed is not all it needs. */
START_TEST(test_sealed_behind_a_reading)
{
	struct seg_plan *image;

	run(touch[1]);
	ck_assert_int_eq(read_again(&image), 0);
	ck_assert_int_eq(seg_nft_seal(nft, &plan->plan), 0);
	must_commit(image, &plan->plan);
	ck_assert(!seg_nft_untouched(nft) && seg_nft_disturbed(nft));
	seg_plan_free(image);
	ck_assert_int_eq(read_again(&image), 0);
	ck_assert_uint_lt(seg_plan_chain(image, "forward")->rules, seg_plan_chain(&plan->plan, "forward")->rules);
	must_commit(image, &plan->plan);
	ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	seg_plan_free(image);
}
END_TEST

/* Between two things that take long: called out once, and told later. */
START_TEST(test_looked_up)
{
	seg_nft_look_up(nft);
	run("nft add table ip a");
	seg_nft_look_up(nft);
	ck_assert_uint_eq(touches, 0);
	run("nft add chain inet segd extra; nft delete chain inet segd extra");
	seg_nft_look_up(nft);
	ck_assert_uint_eq(touches, 1);
	seg_nft_look_up(nft);
	ck_assert_uint_eq(touches, 1);
	ck_assert_uint_eq(told, 0);
	while (seg_nft_monitor_owes(monitor))
		ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	ck_assert_uint_eq(told, 3);
	ck_assert_uint_eq(touches, 1);
}
END_TEST

/* Another hearer in the place of the usual one. */
static struct seg_nft_monitor *attend_with(const struct seg_nft_hearer *instead)
{
	struct seg_nft_monitor *other;

	ck_assert_int_eq(seg_nft_monitor_open(&other, instead), 0);
	ck_assert_int_eq(seg_nft_attend(nft, other), 0);
	ck_assert_int_eq(read_again(NULL), 0);
	return other;
}

static void attend_again(struct seg_nft_monitor *other)
{
	ck_assert_int_eq(seg_nft_attend(nft, monitor), 0);
	seg_nft_monitor_close(other);
}

/* As one who mends what he is told of, which takes long. */
static void note_and_look_up(void *context, const struct seg_nft_transaction *transaction)
{
	note(context, transaction);
	seg_nft_look_up(nft);
}

/* What is being told now was called out already. */
START_TEST(test_looked_up_while_told)
{
	const struct seg_nft_hearer mender = {note_touched, note_and_look_up, note_owing, NULL};
	struct seg_nft_monitor *other = attend_with(&mender);

	run("nft add chain inet segd extra");
	ck_assert(seg_nft_disturbed(nft));
	while (seg_nft_monitor_owes(other))
		ck_assert_int_eq(seg_nft_monitor_read(other), 0);
	ck_assert_uint_eq(told, 1);
	ck_assert_uint_eq(touches, 1);
	attend_again(other);
}
END_TEST

/* Whoever goes on committing keeps no reader for ever. */
START_TEST(test_telling_ends)
{
	const struct seg_nft_hearer busy = {note_touched, note_and_look, note_owing, NULL};
	struct seg_nft_monitor *other = attend_with(&busy);

	run("nft add table ip a; nft add table ip b; nft add table ip c");
	ck_assert(!seg_nft_disturbed(nft));
	ck_assert_int_eq(seg_nft_monitor_read(other), 0);
	ck_assert_uint_ge(told, 3);
	ck_assert(seg_nft_monitor_owes(other));
	attend_again(other);
}
END_TEST

/* What was heard while something else was asked is told behind it, once, and the touch first. */
START_TEST(test_told_later)
{
	ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	run("nft add table ip a; nft add chain inet segd extra");
	ck_assert(!seg_nft_untouched(nft));
	ck_assert_uint_eq(told, 0);
	ck_assert_uint_eq(touches, 0);
	ck_assert_uint_ne(owing, 0);
	ck_assert(seg_nft_monitor_owes(monitor));
	ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	ck_assert_uint_eq(told, 2);
	ck_assert_uint_eq(touches, 1);
	ck_assert_str_eq(last.what, "added chain extra of table inet segd");
	ck_assert(last.ours && !seg_nft_monitor_owes(monitor));
	ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	ck_assert_uint_eq(told, 2);
}
END_TEST

static void listen_to_others(bool listening)
{
	const int group = NFNLGRP_NFTABLES;

	ck_assert_int_eq(setsockopt(seg_nft_monitor_fd(monitor), SOL_NETLINK,
				    listening ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
				    sizeof(group)),
			 0);
}

/* Nobody can say of who was not heard that he passed. */
START_TEST(test_not_heard)
{
	listen_to_others(false);
	run("nft add table ip a");
	listen_to_others(true);
	ck_assert(!seg_nft_untouched(nft) && seg_nft_disturbed(nft));
	ck_assert_int_eq(read_again(NULL), 0);
	run("nft add table ip b");
	ck_assert(!seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
}
END_TEST

/* Who was committing could not be waited for: the generation alone is no state that is known. */
START_TEST(test_not_waited_for)
{
	struct seg_nft_mark mark = {0};
	int fd = seg_nft_fd(nft), kept = dup(fd), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(kept, 0);
	ck_assert_int_eq(dup2(null, fd), fd);
	ck_assert_int_eq(seg_nft_mark(nft, &mark), -ENOTSOCK);
	ck_assert_uint_eq(mark.at, 0);
	ck_assert_int_eq(dup2(kept, fd), fd);
	ck_assert_int_eq(seg_nft_mark(nft, &mark), 0);
	ck_assert(seg_nft_holds(nft, &mark));
	close(kept);
	close(null);
}
END_TEST

/* What a monitor hears first may be the end of a transaction whose beginning it missed. */
START_TEST(test_not_heard_whole)
{
	struct seg_nft_monitor *late;

	ck_assert_int_eq(seg_nft_monitor_open(&late, &hearer), 0);
	run("nft add table ip a");
	ck_assert_int_eq(seg_nft_monitor_read(late), 0);
	ck_assert_uint_eq(seg_nft_monitor_passed(late), 0);
	seg_nft_monitor_close(late);
}
END_TEST

/* More than the socket holds: nothing is known until all is read anew, and from there on it is. */
START_TEST(test_lost)
{
	run("nft add table ip a; nft add set ip a s { type mark\\; }; "
	    "{ echo 'add element ip a s {'; seq -s, 1 200000; echo '}'; } >/tmp/test_known.$$; "
	    "nft -f /tmp/test_known.$$; nft flush set ip a s; nft -f /tmp/test_known.$$; r=$?; "
	    "rm -f /tmp/test_known.$$; exit $r");
	ck_assert(!seg_nft_untouched(nft) && seg_nft_disturbed(nft));
	ck_assert(seg_nft_monitor_owes(monitor));
	ck_assert_int_eq(read_again(NULL), 0);
	run("nft add table ip b");
	ck_assert(!seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
	must_commit(&plan->plan, &plan->plan);
	ck_assert_int_eq(seg_nft_monitor_read(monitor), -ENOBUFS);
	ck_assert(!seg_nft_disturbed(nft));
}
END_TEST

/* Commits to a table of its own, some hundred times a second, until it is killed: more than some thousand
 * while a table is read are more than the monitor's socket holds. */
static pid_t begin_flood(void)
{
	pid_t pid = fork();
	struct seg_nft *other;

	if (pid)
		return pid;
	ck_assert_int_eq(seg_nft_open(&other, -1), 0);
	for (;;) {
		struct seg_nft_batch batch;

		seg_nft_batch_init(&batch, other->seq + 1, 0);
		seg_nft_put_table(&batch, "other", 0);
		seg_nft_put_del_table(&batch, "other");
		seg_nft_put_table(&batch, "other", 0);
		if (seg_nft_batch_commit(other, &batch, NULL))
			_exit(1);
		seg_nft_batch_fini(&batch);
		usleep(1000);
	}
}

static void end_flood(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status), "the flood ended by itself");
}

/* Beside who hardly rests a large table is read, as it is, and changed, and known. */
START_TEST(test_beside_a_flood)
{
	struct sample *large = sample_new(4), *next = sample_new(4);
	uint32_t before, after;
	pid_t flood;

	gets_many(large);
	gets_many(next);
	sample_find(next, "open")->elems--;
	must_commit(&plan->plan, &large->plan);
	flood = begin_flood();
	for (int i = 0; i < 5; i++) {
		struct seg_findings findings = {.arena = seg_arena_new()};
		struct seg_plan *image;

		ck_assert_int_eq(seg_nft_read_generation(nft, &before), 0);
		ck_assert_int_eq(read_again(&image), 0);
		ck_assert_int_eq(seg_nft_read_generation(nft, &after), 0);
		ck_assert_uint_ne(before, after);
		seg_nft_compare(i % 2 ? &next->plan : &large->plan, image, &findings);
		for (size_t j = 0; j < findings.n; j++)
			ck_assert_ptr_null(strstr(findings.finding[j].object, " of set open"));
		ck_assert(!seg_nft_disturbed(nft));
		must_commit(image, i % 2 ? &large->plan : &next->plan);
		ck_assert(seg_nft_untouched(nft) && !seg_nft_disturbed(nft));
		seg_plan_free(image);
		seg_arena_free(findings.arena);
		while (seg_nft_monitor_owes(monitor))
			ck_assert_int_eq(seg_nft_monitor_read(monitor), 0);
	}
	end_flood(flood);
	ck_assert_uint_gt(told, 100);
	sample_fini(next);
	sample_fini(large);
}
END_TEST

/* The kernel is still making room for what has just been committed. */
START_TEST(test_behind_a_large_commit)
{
	struct sample *large = sample_new(4);

	gets_many(large);
	must_commit(&plan->plan, &large->plan);
	for (int i = 0; i < 3; i++) {
		struct seg_plan *image;

		ck_assert_int_eq(read_again(&image), 0);
		ck_assert_uint_eq(seg_plan_set(image, "open")->elems, MANY);
		for (size_t j = 0; j < MANY; j++) /* in their order */
			ck_assert_mem_eq(seg_plan_set(image, "open")->elem[j].key,
					 sample_find(large, "open")->elem[j].key, sizeof(uint32_t));
		seg_plan_free(image);
	}
	sample_fini(large);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nft_known");
	TCase *tcase = tcase_create("kernel");

	if (!can_have_nft("nft_known"))
		return EXIT_SUCCESS;
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_passing);
	tcase_add_loop_test(tcase, test_touching, 0, (int)(sizeof(touch) / sizeof(touch[0])));
	tcase_add_loop_test(tcase, test_seal_behind_a_commit, 0, (int)(sizeof(touch) / sizeof(touch[0])));
	tcase_add_test(tcase, test_sealed_behind_a_reading);
	tcase_add_test(tcase, test_looked_up);
	tcase_add_test(tcase, test_looked_up_while_told);
	tcase_add_test(tcase, test_telling_ends);
	tcase_add_test(tcase, test_told_later);
	tcase_add_test(tcase, test_not_heard);
	tcase_add_test(tcase, test_not_heard_whole);
	tcase_add_test(tcase, test_not_waited_for);
	tcase_add_test(tcase, test_lost);
	tcase_add_test(tcase, test_behind_a_large_commit);
	tcase_add_test(tcase, test_beside_a_flood);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
