// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The journal's native protocol: lines KEY=value in one datagram. libsystemd's own sender
 * blocks while journald is stopped, so it is not used. Values have their control characters
 * escaped, newlines with them, which spares the protocol's binary form.
 */
#include "sinks/render.h"

#include <string.h>

#include "base/calendar.h"
#include "base/utf8.h"

static void put_field(struct seg_strbuf *out, const char *key, const char *value)
{
	seg_strbuf_add(out, "SEGD_");
	for (; *key; key++) {
		char c = *key;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		seg_strbuf_addc(out, c == '-' ? '_' : c);
	}
	seg_strbuf_addc(out, '=');
	seg_utf8_show(out, value, strlen(value));
	seg_strbuf_addc(out, '\n');
}

static void render(const struct seg_sink *sink, const struct seg_alert *alert, struct seg_strbuf *out)
{
	char at[SEG_TIME_STRLEN];

	seg_strbuf_add(out, "MESSAGE=");
	seg_alert_format(alert, out);
	seg_strbuf_printf(out, "\nPRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=segd\nSYSLOG_PID=%d\n",
			  (int)alert->severity, sink->facility >> 3, (int)sink->pid);
	put_field(out, "event", alert->event);
	put_field(out, "at", seg_time_format(alert->at, NULL, at));
	for (size_t i = 0; i < alert->fields; i++)
		put_field(out, alert->field[i].key, alert->field[i].value);
}

struct seg_sink *seg_journal_new(const struct seg_sink_options *options)
{
	return seg_sink_new("journal", options, render);
}
