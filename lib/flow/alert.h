/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_FLOW_ALERT_H
#define SEG_FLOW_ALERT_H

/*
 * An alert: an event name and fields, as segd-alerts(7) lists them; and its
 * one-line forms. No text from packets or files goes out unescaped: values with
 * anything but printable ASCII without blanks, quotes, backslashes or '=' are
 * quoted, UTF-8 stays. What could end a line, move a terminal's cursor or turn
 * the direction of writing (control characters, bidirectional marks, bytes that
 * are not UTF-8) becomes \xNN, byte by byte, in every form.
 *
 * Event names and keys are static strings of the program; values are copied and
 * owned by the alert.
 */

#include "base/strbuf.h"
#include "flow/classify.h"

enum seg_severity { SEG_CRIT = 2, SEG_WARNING = 4, SEG_NOTICE = 5, SEG_INFO = 6 }; /* syslog's */

#define SEG_ALERT_FIELDS 24
struct seg_alert_field {
	const char *key;         /* static: "from", "src", "confirm-until" */
	char *value;             /* owned */
	bool number;             /* shown bare in JSON */
};
struct seg_alert {
	const char *event;       /* static: "violation" */
	enum seg_severity severity;
	time_t at;
	struct seg_alert_field field[SEG_ALERT_FIELDS];
	size_t fields;
};

void seg_alert_init(struct seg_alert *alert, const char *event, enum seg_severity severity, time_t at);
void seg_alert_fini(struct seg_alert *alert);
/* A key given twice takes the later value; beyond SEG_ALERT_FIELDS keys are left out. */
void seg_alert_text(struct seg_alert *alert, const char *key, const char *value); /* NULL value: left out */
void seg_alert_number(struct seg_alert *alert, const char *key, uint64_t value);
void seg_alert_addr(struct seg_alert *alert, const char *key, seg_addr addr);
const char *seg_alert_get(const struct seg_alert *alert, const char *key); /* NULL */

void seg_alert_format(const struct seg_alert *alert, struct seg_strbuf *out);      /* violation site="..." from=mn ... */
/* " key=value", one of its fields: also for who got the alert as a document. */
void seg_alert_format_field(const char *key, const char *value, struct seg_strbuf *out);
/* {"event":..,"at":..,...}; at in the time zone (NULL: the system's). */
void seg_alert_format_json(const struct seg_alert *alert, const char *zone, struct seg_strbuf *out);
/* CEF:0|segd|segd|VERSION|event|name|severity|extension, with the standard keys where CEF has one. */
void seg_alert_format_cef(const struct seg_alert *alert, struct seg_strbuf *out);

#endif
