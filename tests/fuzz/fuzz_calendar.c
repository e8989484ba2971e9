// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Dates, hours and times as text mean the same again when written out. The bytes
 * are also a schedule, an instant and a zone: the next change of state is one,
 * and the state is the same until then.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const zones[] = {"Asia/Tokyo",	   "Europe/Berlin",    "America/New_York",
				    "Australia/Lord_Howe", "Pacific/Apia",     "UTC",
				    "America/Goose_Bay",   "Africa/Casablanca"};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_date(const char *text, size_t len)
{
	seg_date date, again;
	char shown[11];

	if (!seg_date_parse(text, len, &date))
		return;
	seg_date_format(date, shown);
	must(len == 10 && !memcmp(text, shown, 10));
	must(seg_date_parse(shown, 10, &again) && again == date);
}

static void check_hours(const char *text, size_t len)
{
	struct seg_hours hours, again;
	char shown[SEG_HOURS_STRLEN];
	const char *reason = NULL;

	if (!seg_hours_parse(text, len, &hours, &reason)) {
		must(reason && *reason);
		return;
	}
	must(hours.days && hours.days < 0x80 && hours.start < 1440 && hours.end >= 1 && hours.end <= 1440);
	seg_hours_format(&hours, shown);
	must(seg_hours_parse(shown, strlen(shown), &again, &reason));
	must(again.days == hours.days && again.start == hours.start && again.end == hours.end);
}

static void check_time(const char *text, size_t len, const char *zone)
{
	char *copy = strndup(text, len), shown[SEG_TIME_STRLEN];
	time_t at, again;

	if (seg_time_parse(copy, zone, &at)) {
		seg_time_format(at, zone, shown);
		/* Near the year's limits another zone may lie beyond what can be read. */
		if (strncmp(shown, "1970", 4) > 0 && strlen(shown) == 25 && strncmp(shown, "9999", 4) < 0)
			must(seg_time_parse(shown, zone, &again) && again - at <= 0 && at - again < 60);
	}
	free(copy);
}

static unsigned take(const uint8_t **data, size_t *size, size_t bytes)
{
	unsigned value = 0;

	for (; bytes && *size; bytes--, (*size)--)
		value = value << 8 | *(*data)++;
	return value;
}

/* None, or a date some days or months from `near`. */
static seg_date take_date(const uint8_t **data, size_t *size, time_t near)
{
	bool given = take(data, size, 1) % 2;
	seg_date date = (seg_date)(near / 86400 - 40 + take(data, size, 1));

	return given ? date : 0;
}

static void check_schedule(const uint8_t *data, size_t size)
{
	const char *zone = zones[take(&data, &size, 1) % 8];
	time_t at = 365 * 86400 + (time_t)take(&data, &size, 4), next, step;
	struct seg_hours hours[4];
	struct seg_schedule s = {.hours = hours};
	enum seg_schedule_state state;
	int i;

	s.from = take_date(&data, &size, at);
	s.until = take_date(&data, &size, at);
	for (; size >= 5 && s.n_hours < 4; s.n_hours++) {
		hours[s.n_hours].days = (uint8_t)(take(&data, &size, 1) & 0x7f);
		hours[s.n_hours].start = (uint16_t)(take(&data, &size, 2) % 1440);
		hours[s.n_hours].end = (uint16_t)(take(&data, &size, 2) % 1440 + 1);
	}
	must(seg_schedule_equal(&s, &s) && seg_schedule_subset(&s, &s));
	state = seg_schedule_state(&s, at, zone);
	next = seg_schedule_next(&s, at, zone);
	must(next == 0 || next > at);
	must(!next || seg_schedule_state(&s, next, zone) != state);
	must(!next || seg_schedule_state(&s, next - 1, zone) == state);
	step = next ? (next - at + 62) / 63 : 8171;
	for (i = 0; i < 63 && (!next || at + i * step < next); i++)
		must(seg_schedule_state(&s, at + i * step, zone) == state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	check_date(text, size);
	check_hours(text, size);
	check_time(text, size, zones[size % 8]);
	check_schedule(data, size);
	return 0;
}
