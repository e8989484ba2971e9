// SPDX-License-Identifier: GPL-2.0-or-later
#include "sinks/render.h"

#include "base/calendar.h"

/* RFC 3164 as libc writes it to /dev/log: local time, no host name. */
static void put_header(const struct seg_sink *sink, const struct seg_alert *alert, struct seg_strbuf *out)
{
	static const char *const month[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct seg_local local = seg_local_time(alert->at, NULL);
	char date[11]; /* YYYY-MM-DD */

	seg_date_format(local.date, date);
	seg_strbuf_printf(out, "<%d>%s %c%c %02d:%02d:%02d segd[%d]: ", sink->facility | (int)alert->severity,
			  month[(date[5] - '0') * 10 + date[6] - '0' - 1], date[8] == '0' ? ' ' : date[8],
			  date[9], local.minute / 60, local.minute % 60, local.second, (int)sink->pid);
}

static void render(const struct seg_sink *sink, const struct seg_alert *alert, struct seg_strbuf *out)
{
	put_header(sink, alert, out);
	switch (sink->format) {
	case SEG_FORMAT_TEXT:
		seg_alert_format(alert, out);
		break;
	case SEG_FORMAT_CEE:
		seg_strbuf_add(out, "@cee: ");
		seg_alert_format_json(alert, NULL, out);
		break;
	case SEG_FORMAT_CEF:
		seg_alert_format_cef(alert, out);
		break;
	}
}

struct seg_sink *seg_syslog_new(const struct seg_sink_options *options)
{
	return seg_sink_new("syslog", options, render);
}
