/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "pace.h"
#include "runner.h"

/* A reader of a socket pair: takes at most `bound` messages a read. */
struct reader {
	struct event_base *base;
	struct seg_pace *pace;
	int fd[2];
	int bound, reads, messages, empty_reads;
};

static enum seg_pace_found take(void *context)
{
	struct reader *reader = context;
	char byte;
	int n = 0;

	while (n < reader->bound && recv(reader->fd[0], &byte, 1, MSG_DONTWAIT) == 1)
		n++;
	reader->reads++;
	reader->messages += n;
	reader->empty_reads += n == 0;
	if (n == 0)
		return SEG_PACE_NOTHING;
	return n < reader->bound ? SEG_PACE_SOME : SEG_PACE_MORE;
}

static void setup(struct reader *reader, int bound)
{
	*reader = (struct reader){.base = event_base_new(), .bound = bound};
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, reader->fd), 0);
	reader->pace = seg_pace_new(reader->base, reader->fd[0], take, reader);
	ck_assert_ptr_nonnull(reader->pace);
}

static void teardown(struct reader *reader)
{
	seg_pace_free(reader->pace);
	event_base_free(reader->base);
	close(reader->fd[0]);
	close(reader->fd[1]);
}

static void put(struct reader *reader, int n)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(send(reader->fd[1], "x", 1, 0), 1);
}

static void until_asleep(struct reader *reader)
{
	int before = reader->empty_reads;

	while (reader->empty_reads == before)
		ck_assert_int_eq(event_base_loop(reader->base, EVLOOP_ONCE), 0);
}

START_TEST(the_first_message_is_read_by_being_woken)
{
	struct reader reader;

	setup(&reader, 100);
	put(&reader, 1);
	ck_assert_int_eq(event_base_loop(reader.base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(reader.messages, 1);
	ck_assert_int_eq(reader.reads, 1);
	teardown(&reader);
}
END_TEST

START_TEST(what_follows_wakes_nobody_and_is_read_together)
{
	struct reader reader;

	setup(&reader, 100);
	put(&reader, 1);
	ck_assert_int_eq(event_base_loop(reader.base, EVLOOP_ONCE), 0);
	put(&reader, 7);
	/* Only the clock is waited for: the socket alone, which is readable, makes nothing active. */
	ck_assert_int_eq(event_base_get_num_events(reader.base, EVENT_BASE_COUNT_ADDED), 1);
	until_asleep(&reader);
	ck_assert_int_eq(reader.messages, 8);
	ck_assert_int_eq(reader.reads, 3); /* woken, the seven together, nothing left */
	teardown(&reader);
}
END_TEST

START_TEST(after_quiet_it_is_woken_again)
{
	struct reader reader;

	setup(&reader, 100);
	for (int round = 1; round <= 3; round++) {
		put(&reader, 2);
		until_asleep(&reader);
		ck_assert_int_eq(reader.messages, 2 * round);
	}
	ck_assert_int_eq(event_base_loop(reader.base, EVLOOP_NONBLOCK), 0);
	ck_assert_int_eq(reader.empty_reads, 3); /* asleep means asleep */
	teardown(&reader);
}
END_TEST

START_TEST(a_bounded_read_goes_on_and_lets_others_in_between)
{
	struct reader reader;

	setup(&reader, 3);
	put(&reader, 8);
	ck_assert_int_eq(event_base_loop(reader.base, EVLOOP_ONCE), 0);
	ck_assert_int_eq(reader.messages, 3); /* the loop comes round after each bound */
	until_asleep(&reader);
	ck_assert_int_eq(reader.messages, 8);
	teardown(&reader);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pace");
	TCase *tc = tcase_create("pace");

	tcase_add_test(tc, the_first_message_is_read_by_being_woken);
	tcase_add_test(tc, what_follows_wakes_nobody_and_is_read_together);
	tcase_add_test(tc, after_quiet_it_is_woken_again);
	tcase_add_test(tc, a_bounded_read_goes_on_and_lets_others_in_between);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
