/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where alerts go: the sinks that are wanted, and one that is slow. */
#include "loop_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define JOURNAL_DIR "/run/systemd/journal/"
#define SINK_WAIT 2 /* ms until a slow sink is tried again, at first */
#define SINK_WAIT_MAX 128

/* Soon again where lines wait for a server that reads; the longer, the less it does. */
void seg_alerts_wait(struct seg_loop *loop)
{
	const struct timeval wait = {.tv_usec = (int)loop->sink_wait * 1000};
	bool slow = false;

	for (size_t i = 0; i < loop->sinks; i++)
		slow |= seg_sink_slow(loop->sink[i]);
	if (slow && loop->sink_event && !event_pending(loop->sink_event, EV_TIMEOUT, NULL))
		event_add(loop->sink_event, &wait);
}

bool seg_alerts_flush(struct seg_loop *loop)
{
	bool moved = false;

	for (size_t i = 0; i < loop->sinks; i++) {
		size_t before = seg_sink_pending(loop->sink[i]);

		if (before)
			seg_sink_flush(loop->sink[i]);
		moved |= seg_sink_pending(loop->sink[i]) < before;
	}
	return moved;
}

static void on_slow_sink(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	loop->sink_wait = seg_alerts_flush(loop) ? SINK_WAIT : loop->sink_wait * 2;
	if (loop->sink_wait > SINK_WAIT_MAX)
		loop->sink_wait = SINK_WAIT_MAX;
	seg_alerts_wait(loop);
}

void seg_alerts_take(void *context, const struct seg_alert *alert)
{
	struct seg_loop *loop = context;

	for (size_t i = 0; i < loop->sinks; i++)
		seg_sink_put(loop->sink[i], alert);
	seg_alerts_wait(loop);
}

/* Where journald itself listens on /dev/log, a line there and an entry with fields would be told twice,
 * and handed on twice to a syslog daemon behind it. */
static bool is_journald(const char *path)
{
	char *real = realpath(path, NULL);
	bool is = real && !strncmp(real, JOURNAL_DIR, strlen(JOURNAL_DIR));

	free(real);
	return is;
}

void seg_alerts_open(struct seg_loop *loop)
{
	const struct seg_settings *settings = loop->settings;
	struct seg_sink_options journal = settings->syslog_options;
	bool to_syslog = settings->syslog != SEG_OFF, to_journal = settings->journal == SEG_ON;
	struct stat st;

	journal.path = JOURNAL_DIR "socket";
	if (settings->journal == SEG_AUTO && !stat(journal.path, &st)) {
		bool same = to_syslog && is_journald(settings->syslog_options.path);
		bool fields =
			journal.format == SEG_FORMAT_TEXT; /* else the line's own format is what is wanted */

		to_journal = !same || fields;
		to_syslog = to_syslog && !(same && fields);
	}
	if (to_syslog)
		loop->sink[loop->sinks++] = seg_syslog_new(&settings->syslog_options);
	if (to_journal)
		loop->sink[loop->sinks++] = seg_journal_new(&journal);
	loop->sink_wait = SINK_WAIT;
	loop->sink_event = evtimer_new(loop->base, on_slow_sink, loop);
}

void seg_alerts_close(struct seg_loop *loop)
{
	if (loop->sink_event)
		event_free(loop->sink_event);
	for (size_t i = 0; i < loop->sinks; i++)
		seg_sink_free(loop->sink[i]);
}
