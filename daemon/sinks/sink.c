// SPDX-License-Identifier: GPL-2.0-or-later
#include "sinks/render.h"

#include <stdlib.h>
#include <unistd.h>

struct seg_sink *seg_sink_new(const char *name, const struct seg_sink_options *options,
			      void (*render)(const struct seg_sink *, const struct seg_alert *,
					     struct seg_strbuf *))
{
	struct seg_sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		abort();
	seg_outlet_init(&sink->outlet, options->path, options->queue);
	sink->name = name;
	sink->render = render;
	sink->facility = options->facility;
	sink->format = options->format;
	sink->pid = getpid();
	return sink;
}

void seg_sink_free(struct seg_sink *sink)
{
	if (!sink)
		return;
	seg_outlet_fini(&sink->outlet);
	free(sink);
}

void seg_sink_put(struct seg_sink *sink, const struct seg_alert *alert)
{
	struct seg_strbuf out = {0};

	sink->render(sink, alert, &out);
	seg_outlet_put(&sink->outlet, seg_strbuf_text(&out), out.len);
	seg_strbuf_fini(&out);
}

void seg_sink_flush(struct seg_sink *sink)
{
	seg_outlet_flush(&sink->outlet);
}

bool seg_sink_slow(const struct seg_sink *sink)
{
	return seg_outlet_slow(&sink->outlet);
}

size_t seg_sink_pending(const struct seg_sink *sink)
{
	return sink->outlet.queued;
}

struct seg_sink_stats seg_sink_stats(const struct seg_sink *sink)
{
	return (struct seg_sink_stats){sink->name, sink->outlet.sent, sink->outlet.dropped, sink->outlet.queued};
}
