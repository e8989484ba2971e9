/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_SINKS_SINK_H
#define SEGD_SINKS_SINK_H

/*
 * Where alerts go: syslog (RFC 3164 over /dev/log, as libc does it, but never
 * blocking) and the journal with SEGD_* fields. A sink that is away or slow keeps
 * its lines in a bounded queue (the oldest are dropped last: beyond the bound new
 * ones are counted), sends each once and in order when it is back, and finds a
 * socket that was replaced by a new one. What a server's socket has accepted is
 * delivered; whether the server writes it down is the server's.
 *
 * A line says when the event was, not when it could be sent.
 */

#include <sys/types.h>
#include "flow/alert.h"

enum seg_sink_format { SEG_FORMAT_TEXT, SEG_FORMAT_CEE, SEG_FORMAT_CEF };

struct seg_sink_options {
	const char *path;            /* "/dev/log" or the journal's socket; copied */
	int facility;                /* LOG_AUTHPRIV */
	enum seg_sink_format format; /* of syslog; the journal's MESSAGE is text always */
	size_t queue;                /* lines kept while away */
};
struct seg_sink;
struct seg_sink *seg_syslog_new(const struct seg_sink_options *options);
struct seg_sink *seg_journal_new(const struct seg_sink_options *options);
void seg_sink_free(struct seg_sink *sink); /* NULL allowed; what is queued is lost: flush first */
/* Never blocks, never fails: sends now or queues. */
void seg_sink_put(struct seg_sink *sink, const struct seg_alert *alert);
/* Tries to send what is queued, a thousand lines at most; the loop calls it every second while pending. */
void seg_sink_flush(struct seg_sink *sink);
size_t seg_sink_pending(const struct seg_sink *sink);
/* Lines wait and the server is there: it reads, slower than we write, and will have room in a moment. A
 * socket takes ten datagrams, so ten lines a second would be all. */
bool seg_sink_slow(const struct seg_sink *sink);
/* Counted since it was made. */
struct seg_sink_stats {
	const char *name;  /* "syslog" or "journal" */
	uint64_t sent;     /* lines that the server's socket took */
	uint64_t dropped;  /* that found the queue full, or that no datagram can hold */
	size_t pending;    /* in the queue now */
};
struct seg_sink_stats seg_sink_stats(const struct seg_sink *sink);

#endif
