/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_SINKS_RENDER_H
#define SEGD_SINKS_RENDER_H

/*
 * Inside of sinks/: a sink is an outlet and a way to write an alert as one datagram.
 */

#include "sinks/outlet.h"
#include "sinks/sink.h"

struct seg_sink {
	const char *name; /* static */
	struct seg_outlet outlet;
	void (*render)(const struct seg_sink *sink, const struct seg_alert *alert, struct seg_strbuf *out);
	int facility;
	enum seg_sink_format format;
	pid_t pid;
};

struct seg_sink *seg_sink_new(const char *name, const struct seg_sink_options *options,
			      void (*render)(const struct seg_sink *, const struct seg_alert *,
					     struct seg_strbuf *));

#endif
