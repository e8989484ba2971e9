// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/alert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/utf8.h"

void seg_alert_init(struct seg_alert *alert, const char *event, enum seg_severity severity, time_t at)
{
	*alert = (struct seg_alert){.event = event, .severity = severity, .at = at};
}

void seg_alert_fini(struct seg_alert *alert)
{
	for (size_t i = 0; i < alert->fields; i++)
		free(alert->field[i].value);
	alert->fields = 0;
}

static struct seg_alert_field *field_of(struct seg_alert *alert, const char *key)
{
	for (size_t i = 0; i < alert->fields; i++) {
		if (strcmp(alert->field[i].key, key) == 0)
			return &alert->field[i];
	}
	if (alert->fields == SEG_ALERT_FIELDS)
		return NULL;
	alert->field[alert->fields] = (struct seg_alert_field){.key = key};
	return &alert->field[alert->fields++];
}

static void put(struct seg_alert *alert, const char *key, const char *value, bool number)
{
	struct seg_strbuf copy = {0};
	struct seg_alert_field *field = field_of(alert, key);

	if (!field)
		return;
	seg_strbuf_add(&copy, value);
	free(field->value);
	field->value = seg_strbuf_take(&copy);
	field->number = number;
}

void seg_alert_text(struct seg_alert *alert, const char *key, const char *value)
{
	if (value)
		put(alert, key, value, false);
}

void seg_alert_number(struct seg_alert *alert, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put(alert, key, text, true);
}

void seg_alert_addr(struct seg_alert *alert, const char *key, seg_addr addr)
{
	char text[SEG_ADDR_STRLEN];

	put(alert, key, seg_addr_format(addr, text), false);
}

const char *seg_alert_get(const struct seg_alert *alert, const char *key)
{
	for (size_t i = 0; i < alert->fields; i++) {
		if (strcmp(alert->field[i].key, key) == 0)
			return alert->field[i].value;
	}
	return NULL;
}

/*
 * Appends value with a backslash before each character of `special`, and what must not go out as it
 * is written as \xNN with `backslash` for its backslash (two where the form around it unescapes one).
 */
static void escape(const char *value, const char *special, const char *backslash, struct seg_strbuf *out)
{
	const char *end = value + strlen(value);

	while (value < end) {
		uint32_t code = 0;
		size_t len = seg_utf8_decode(value, (size_t)(end - value), &code);

		if (len == 0 || seg_utf8_is_control(code)) {
			for (size_t i = 0; i < (len ? len : 1); i++)
				seg_strbuf_printf(out, "%sx%02x", backslash, (unsigned char)value[i]);
			value += len ? len : 1;
			continue;
		}
		if (len == 1 && strchr(special, *value))
			seg_strbuf_addc(out, '\\');
		seg_strbuf_add_n(out, value, len);
		value += len;
	}
}

static bool bare(const char *value)
{
	if (*value == '\0')
		return false;
	for (; *value; value++) {
		if (*value <= ' ' || *value > '~' || strchr("\"'=\\", *value))
			return false;
	}
	return true;
}

void seg_alert_format_field(const char *key, const char *value, struct seg_strbuf *out)
{
	seg_strbuf_printf(out, " %s=", key);
	if (bare(value)) {
		seg_strbuf_add(out, value);
		return;
	}
	seg_strbuf_addc(out, '"');
	escape(value, "\"\\", "\\", out);
	seg_strbuf_addc(out, '"');
}

void seg_alert_format(const struct seg_alert *alert, struct seg_strbuf *out)
{
	seg_strbuf_add(out, alert->event);
	for (size_t i = 0; i < alert->fields; i++)
		seg_alert_format_field(alert->field[i].key, alert->field[i].value, out);
}

void seg_alert_format_json(const struct seg_alert *alert, const char *zone, struct seg_strbuf *out)
{
	char at[SEG_TIME_STRLEN];

	seg_strbuf_printf(out, "{\"event\":\"%s\",\"at\":\"%s\"", alert->event,
			  seg_time_format(alert->at, zone, at));
	for (size_t i = 0; i < alert->fields; i++) {
		const struct seg_alert_field *field = &alert->field[i];

		seg_strbuf_printf(out, ",\"%s\":", field->key);
		if (field->number) {
			seg_strbuf_add(out, field->value);
			continue;
		}
		seg_strbuf_addc(out, '"');
		escape(field->value, "\"\\", "\\\\", out);
		seg_strbuf_addc(out, '"');
	}
	seg_strbuf_addc(out, '}');
}

/* ArcSight's dictionary. Keys that it lacks go by "segd" and their own name; where `label` is
 * given, the key is one of CEF's custom fields and says what it holds. */
static const struct {
	const char *key, *cef, *label;
} cef_key[] = {
	{"src", "src", NULL},
	{"dst", "dst", NULL},
	{"sport", "spt", NULL},
	{"dport", "dpt", NULL},
	{"proto", "proto", NULL},
	{"action", "act", NULL},
	{"count", "cnt", NULL},
	{"reason", "reason", NULL},
	{"mac", "smac", NULL},
	{"in", "deviceInboundInterface", NULL},
	{"out", "deviceOutboundInterface", NULL},
	{"uid", "suid", NULL},
	{"user", "suser", NULL},
	{"pid", "spid", NULL},
	{"process", "sproc", NULL},
	{"detail", "msg", NULL},
	{"from", "cs1", "from"},
	{"to", "cs2", "to"},
	{"permit", "cs3", "permit"},
	{"site", "cs4", "site"},
	{"policy", "cs5", "policy"},
};

/* CEF 0's src and dst are IPv4; IPv6 has custom fields of its own. */
static const struct {
	const char *key, *cef, *label;
} cef_ipv6[] = {
	{"src", "c6a2", "Source IPv6 Address"},
	{"dst", "c6a3", "Destination IPv6 Address"},
};

static void cef_own_key(const char *key, struct seg_strbuf *out)
{
	bool upper = true;

	seg_strbuf_add(out, "segd");
	for (; *key; key++) {
		char c = *key;

		if (c == '-' || c == '_') {
			upper = true;
			continue;
		}
		if (upper && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		seg_strbuf_addc(out, c);
		upper = false;
	}
}

static void cef_field(const struct seg_alert_field *field, struct seg_strbuf *out)
{
	const char *cef = NULL, *label = NULL;

	for (size_t i = 0; i < sizeof(cef_key) / sizeof(cef_key[0]); i++) {
		if (strcmp(field->key, cef_key[i].key) == 0) {
			cef = cef_key[i].cef;
			label = cef_key[i].label;
		}
	}
	for (size_t i = 0; i < sizeof(cef_ipv6) / sizeof(cef_ipv6[0]); i++) {
		if (strcmp(field->key, cef_ipv6[i].key) == 0 && strchr(field->value, ':')) {
			cef = cef_ipv6[i].cef;
			label = cef_ipv6[i].label;
		}
	}
	seg_strbuf_addc(out, ' ');
	if (label)
		seg_strbuf_printf(out, "%sLabel=%s ", cef, label);
	if (cef)
		seg_strbuf_add(out, cef);
	else
		cef_own_key(field->key, out);
	seg_strbuf_addc(out, '=');
	escape(field->value, "=\\", "\\\\", out);
}

static const char *cef_name(const char *event)
{
	static const struct {
		const char *event, *name;
	} known[] = {
		{"violation", "Flow that no permit explains"},
		{"violation-ended", "Flow that no permit explained ended"},
		{"denied", "Packets refused"},
		{"spoofed", "Packets with a spoofed source refused"},
		{"revoked", "Open flows stopped"},
		{"tampered", "Firewall rules changed by someone else"},
		{"restored", "Firewall rules restored"},
		{"bypass", "Way round the firewall"},
		{"applied", "Policy applied"},
		{"confirmed", "Policy confirmed"},
		{"rolled-back", "Policy rolled back"},
		{"refused", "Policy refused"},
		{"expiring", "Permit ends soon"},
		{"expired", "Permit expired"},
		{"events-lost", "Kernel events lost"},
		{"state-lost", "State of the gateway lost"},
		{"resynced", "Connection table read again"},
		{"conntrack-pressure", "Connection table nearly full"},
		{"isolated", "Host or zone isolated"},
		{"released", "Host or zone released"},
		{"stage", "Emergency stage switched"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(event, known[i].event) == 0)
			return known[i].name;
	}
	return event;
}

static int cef_severity(enum seg_severity severity)
{
	switch (severity) {
	case SEG_CRIT:
		return 9;
	case SEG_WARNING:
		return 6;
	case SEG_NOTICE:
		return 3;
	case SEG_INFO:
		break;
	}
	return 1;
}

void seg_alert_format_cef(const struct seg_alert *alert, struct seg_strbuf *out)
{
	seg_strbuf_printf(out, "CEF:0|segd|segd|%s|%s|%s|%d|rt=%lld000", SEG_VERSION, alert->event,
			  cef_name(alert->event), cef_severity(alert->severity), (long long)alert->at);
	for (size_t i = 0; i < alert->fields; i++)
		cef_field(&alert->field[i], out);
}
