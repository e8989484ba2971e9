/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_CALENDAR_H
#define SEG_BASE_CALENDAR_H

/*
 * Dates, hours of the week and time zones.
 *
 * Times are seconds since the epoch (UTC). A time zone is a tz database name;
 * conversions go through glibc, the one piece of process state (TZ) that lib/
 * touches, and only in calendar.c. Not safe for threads; segd has one.
 *
 * calendar.c: dates, zones, instants. hours.c: hours of the week as text.
 * schedule.c: when a permit may be used.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* A civil date as days since 1970-01-01; 0 means "no date" in a policy. */
typedef int32_t seg_date;

bool seg_date_parse(const char *text, size_t len, seg_date *date); /* YYYY-MM-DD, a real day, 1971-9999 */
const char *seg_date_format(seg_date date, char buf[static 11]);
int seg_date_weekday(seg_date date); /* 0 = Monday ... 6 = Sunday */

/* "HH:MM" as a minute of the day, 24:00 included; -1: not a time of day. */
int seg_clock_parse(const char *text, size_t len);

/* Hours of the week: [start, end) in minutes of the day on each day of the mask.
 * end <= start: over midnight, the window belongs to the day it starts. */
struct seg_hours {
	uint8_t days;     /* bit 0 = Monday ... bit 6 = Sunday */
	uint16_t start;   /* 0 .. 1439 */
	uint16_t end;     /* 1 .. 1440; 1440 = 24:00 */
};
/* "mon-fri 08:00-20:00", "sat 22:00-05:00", "mon,wed 9:00-17:00" is refused (two digits),
 * "daily 00:00-24:00", "sat-mon ..." wraps. False and a static English reason otherwise. */
bool seg_hours_parse(const char *text, size_t len, struct seg_hours *hours, const char **reason);
#define SEG_HOURS_STRLEN 48
/* Begins on that weekday? Days behind Sunday are those of the next week. */
static inline bool seg_hours_begin_on(const struct seg_hours *hours, int weekday)
{
	return hours->days >> (weekday % 7) & 1;
}
const char *seg_hours_format(const struct seg_hours *hours, char buf[static SEG_HOURS_STRLEN]);

/* True where the tz database has the name (no "..", no absolute path); TZDIR is respected. */
bool seg_timezone_known(const char *zone);

struct seg_local {
	seg_date date;
	int minute;      /* of the day */
	int second;
	int offset;      /* seconds east of UTC */
};
/* zone NULL: the system's. */
struct seg_local seg_local_time(time_t at, const char *zone);
/* A local wall-clock time as UTC; in a gap the instant the gap ends, in a fold the first. */
time_t seg_time_of(seg_date date, int minute, const char *zone);

/* The first instant in (after, until], a few days at most, whose offset is another than at `after`;
 * 0 where there is none. */
time_t seg_offset_change(time_t after, time_t until, const char *zone);

/* ISO 8601 with offset in the zone: "2026-11-24T10:00:00+09:00". */
#define SEG_TIME_STRLEN 32
const char *seg_time_format(time_t at, const char *zone, char buf[static SEG_TIME_STRLEN]);
/* "2026-11-24T10:00", "...:59", with optional "Z" or "+09:00"; a space serves for "T"; a date
 * alone is its midnight; without an offset the time is local to zone. */
bool seg_time_parse(const char *text, const char *zone, time_t *at);

/* When a permit may be used. */
struct seg_schedule {
	const struct seg_hours *hours; /* none: around the clock */
	size_t n_hours;
	seg_date from, until;          /* both days included; 0 = open */
};
enum seg_schedule_state { SEG_OPEN, SEG_CLOSED_HOURS, SEG_EXPIRED, SEG_NOT_YET };
enum seg_schedule_state seg_schedule_state(const struct seg_schedule *s, time_t at, const char *zone);
/* The first instant after `at` at which the state differs, exact to the minute through
 * daylight-saving changes; 0 where it never will again. */
time_t seg_schedule_next(const struct seg_schedule *s, time_t at, const char *zone);
/* The same state at every instant, however the hours are written. */
bool seg_schedule_equal(const struct seg_schedule *a, const struct seg_schedule *b);
/* Every instant open in inner is open in outer, judged by meaning (weekly minutes and days). */
bool seg_schedule_subset(const struct seg_schedule *inner, const struct seg_schedule *outer);

#endif
