// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "runner.h"

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static seg_date date(const char *text)
{
	seg_date value;

	ck_assert_msg(seg_date_parse(text, strlen(text), &value), "%s", text);
	return value;
}

static struct seg_hours hours(const char *text)
{
	struct seg_hours value;
	const char *reason;

	ck_assert_msg(seg_hours_parse(text, strlen(text), &value, &reason), "%s: %s", text, reason);
	return value;
}

static time_t instant(const char *text, const char *zone)
{
	time_t at;

	ck_assert_msg(seg_time_parse(text, zone, &at), "%s", text);
	return at;
}

static void ck_time(time_t at, const char *zone, const char *expected)
{
	char buf[SEG_TIME_STRLEN];

	ck_assert_str_eq(seg_time_format(at, zone, buf), expected);
}

/* ---- dates ---- */

START_TEST(dates_follow_the_c_library)
{
	seg_date day, back;
	char buf[11], expected[11];
	struct tm tm;
	time_t at;

	for (day = date("1971-01-01"); day <= date("2420-01-01"); day++) {
		at = (time_t)day * DAY;
		gmtime_r(&at, &tm);
		strftime(expected, sizeof(expected), "%Y-%m-%d", &tm);
		if (strcmp(seg_date_format(day, buf), expected) != 0 ||
		    seg_date_weekday(day) != (tm.tm_wday + 6) % 7 || !seg_date_parse(buf, 10, &back) ||
		    back != day)
			ck_abort_msg("%s", expected);
	}
}
END_TEST

START_TEST(dates_at_the_limits)
{
	char buf[11];

	ck_assert_int_eq(date("1971-01-01"), 365);
	ck_assert_str_eq(seg_date_format(date("9999-12-31"), buf), "9999-12-31");
	ck_assert_str_eq(seg_date_format(-1, buf), "1969-12-31");
	ck_assert_int_eq(seg_date_weekday(-1), 2);
	ck_assert_int_eq(date("2027-04-01") - date("2026-04-01") + 1, 366);
}
END_TEST

static const char *const no_dates[] = {
	"",	      "2026-02-29", "2100-02-29", "2026-13-01", "2026-00-10", "2026-01-00",  "2026-04-31",
	"1970-01-01", "2026-1-01",  "20260101",	  "2026/01/01", "2026-01-1x", "2026-01-011", " 2026-01-1",
};

START_TEST(no_date)
{
	seg_date value;

	ck_assert_msg(!seg_date_parse(no_dates[_i], strlen(no_dates[_i]), &value), "%s", no_dates[_i]);
}
END_TEST

/* ---- hours ---- */

static const struct {
	const char *text, *shown;
	uint8_t days;
	int start, end;
} good_hours[] = {
	{"mon-fri 08:00-20:00", "mon-fri 08:00-20:00", 0x1f, 480, 1200},
	{"sat 22:00-05:00", "sat 22:00-05:00", 0x20, 1320, 300},
	{"daily 00:00-24:00", "daily 00:00-24:00", 0x7f, 0, 1440},
	{"mon-sun 00:00-24:00", "daily 00:00-24:00", 0x7f, 0, 1440},
	{"mon,wed,fri 08:00-12:00", "mon,wed,fri 08:00-12:00", 0x15, 480, 720},
	{"fri-mon 18:00-19:30", "fri-mon 18:00-19:30", 0x71, 1080, 1170},
	{"sun-sat 01:00-02:00", "daily 01:00-02:00", 0x7f, 60, 120},
	{"mon-tue,thu-fri,sun 09:00-10:00", "thu-fri,sun-tue 09:00-10:00", 0x5b, 540, 600},
	{"sun,mon 09:00-10:00", "sun-mon 09:00-10:00", 0x41, 540, 600},
	{"wed-wed 09:00-10:00", "wed 09:00-10:00", 0x04, 540, 600},
	{"daily 22:00-00:00", "daily 22:00-24:00", 0x7f, 1320, 1440},
	{"Mon-Fri  08:00-20:00", "mon-fri 08:00-20:00", 0x1f, 480, 1200},
};

static void ck_same_hours(struct seg_hours a, struct seg_hours b)
{
	ck_assert_uint_eq(a.days, b.days);
	ck_assert_uint_eq(a.start, b.start);
	ck_assert_uint_eq(a.end, b.end);
}

START_TEST(hours_parse)
{
	struct seg_hours h = hours(good_hours[_i].text);
	char buf[SEG_HOURS_STRLEN];

	ck_assert_uint_eq(h.days, good_hours[_i].days);
	ck_assert_int_eq(h.start, good_hours[_i].start);
	ck_assert_int_eq(h.end, good_hours[_i].end);
	ck_assert_str_eq(seg_hours_format(&h, buf), good_hours[_i].shown);
	ck_same_hours(hours(buf), h);
}
END_TEST

START_TEST(hours_format_every_set_of_days)
{
	struct seg_hours h = {.start = 60, .end = 120};
	char buf[SEG_HOURS_STRLEN];
	uint8_t days;

	for (days = 1; days < 0x80; days++) {
		h.days = days;
		ck_same_hours(hours(seg_hours_format(&h, buf)), h);
	}
}
END_TEST

static const struct {
	const char *text, *word;
} bad_hours[] = {
	{"", "days and times"},
	{"08:00-20:00", "days and times"},
	{"mon-fri", "days and times"},
	{"mon,wed 9:00-17:00", "two digits"},
	{"mon 08:00", "two digits"},
	{"mon 08:00-20:00 ", "two digits"},
	{"mon 08.00-20.00", "00:00 to 24:00"},
	{"mon 08:60-20:00", "00:00 to 24:00"},
	{"mon 08:00-24:01", "00:00 to 24:00"},
	{"mon 24:00-05:00", "only be an end"},
	{"mon 08:00-08:00", "same minute"},
	{"mon 00:00-00:00", "same minute"},
	{"mond 08:00-20:00", "the days"},
	{"mon- 08:00-20:00", "the days"},
	{"mon, 08:00-20:00", "the days"},
	{"mon-wed-fri 08:00-20:00", "the days"},
	{"daily,mon 08:00-20:00", "the days"},
	{" mon 08:00-20:00", "the days"},
	{"月-金 08:00-20:00", "the days"},
};

START_TEST(hours_refused)
{
	const char *text = bad_hours[_i].text, *reason = NULL;
	struct seg_hours h;

	ck_assert_msg(!seg_hours_parse(text, strlen(text), &h, &reason), "%s", text);
	ck_assert_msg(strstr(reason, bad_hours[_i].word) != NULL, "%s: %s", text, reason);
}
END_TEST

/* ---- zones and instants ---- */

START_TEST(zones_known)
{
	ck_assert(seg_timezone_known("Asia/Tokyo"));
	ck_assert(seg_timezone_known("UTC"));
	ck_assert(seg_timezone_known("Etc/GMT+9"));
	ck_assert(seg_timezone_known("America/Argentina/Buenos_Aires"));
	ck_assert(!seg_timezone_known(""));
	ck_assert(!seg_timezone_known("Asia"));
	ck_assert(!seg_timezone_known("Asia/Tokio"));
	ck_assert(!seg_timezone_known("asia/tokyo"));
	ck_assert(!seg_timezone_known("/usr/share/zoneinfo/Asia/Tokyo"));
	ck_assert(!seg_timezone_known("Europe/../Asia/Tokyo"));
	ck_assert(!seg_timezone_known(":Asia/Tokyo"));
	ck_assert(!seg_timezone_known("JST-9"));
	ck_assert(!seg_timezone_known("zone.tab"));
	ck_assert(!seg_timezone_known("leapseconds"));
	ck_assert(!seg_timezone_known("right/Asia/Tokyo"));
	setenv("TZDIR", "/nonexistent", 1);
	ck_assert(!seg_timezone_known("Asia/Tokyo"));
}
END_TEST

static const struct {
	const char *text, *zone, *shown;
} good_times[] = {
	{"2026-11-24T10:00", "Asia/Tokyo", "2026-11-24T10:00:00+09:00"},
	{"2026-11-24 10:00:59", "Asia/Tokyo", "2026-11-24T10:00:59+09:00"},
	{"2026-11-24", "Asia/Tokyo", "2026-11-24T00:00:00+09:00"},
	{"2026-11-24T01:00Z", "Asia/Tokyo", "2026-11-24T10:00:00+09:00"},
	{"2026-11-24T10:00:00+09:00", "UTC", "2026-11-24T01:00:00+00:00"},
	{"2026-12-31T23:59:59-03:30", "America/St_Johns", "2026-12-31T23:59:59-03:30"},
	{"2024-02-29T12:00", "Europe/Berlin", "2024-02-29T12:00:00+01:00"},
	/* Gaps: the instant they end. */
	{"2026-03-29T02:30", "Europe/Berlin", "2026-03-29T03:00:00+02:00"},
	{"2026-03-08T02:00:01", "America/New_York", "2026-03-08T03:00:00-04:00"},
	{"2026-10-04T02:15", "Australia/Lord_Howe", "2026-10-04T02:30:00+11:00"},
	{"2011-12-30T12:00", "Pacific/Apia", "2011-12-31T00:00:00+14:00"},
	{"2011-12-30", "Pacific/Apia", "2011-12-31T00:00:00+14:00"},
	{"2018-11-04", "America/Sao_Paulo", "2018-11-04T01:00:00-02:00"},
	/* Folds: the first. */
	{"2026-10-25T02:30", "Europe/Berlin", "2026-10-25T02:30:00+02:00"},
	{"2026-10-25T03:00", "Europe/Berlin", "2026-10-25T03:00:00+01:00"},
	{"2026-11-01T01:59:59", "America/New_York", "2026-11-01T01:59:59-04:00"},
	{"2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-05T01:45:00+11:00"},
};

START_TEST(times)
{
	ck_time(instant(good_times[_i].text, good_times[_i].zone), good_times[_i].zone, good_times[_i].shown);
}
END_TEST

static const char *const no_times[] = {
	"",
	"now",
	"2026-11-24T",
	"2026-11-24T1:00",
	"2026-11-24T24:00",
	"2026-11-24T10:60",
	"2026-11-24T10:00:60",
	"2026-11-24T10:00:5",
	"2026-11-24T10:00+0900",
	"2026-11-24T10:00+9:00",
	"2026-11-24T10:00 Z",
	"2026-11-24Z",
	"2026-02-30T10:00",
	"2026-11-24T10:00:00.5",
	"2026-11-24T10:00ZZ",
	"2026-11-24X10:00",
	"2026-11-24T10:00+24:00",
};

START_TEST(no_time)
{
	time_t at;

	ck_assert_msg(!seg_time_parse(no_times[_i], "Asia/Tokyo", &at), "%s", no_times[_i]);
}
END_TEST

START_TEST(zone_null_is_the_one_at_the_start)
{
	setenv("TZ", "Asia/Kolkata", 1);
	ck_time(0, NULL, "1970-01-01T05:30:00+05:30");
	ck_time(0, "America/New_York", "1969-12-31T19:00:00-05:00");
	ck_time(0, NULL, "1970-01-01T05:30:00+05:30");
	ck_time(0, "UTC", "1970-01-01T00:00:00+00:00");
	ck_assert_int_eq(seg_local_time(90, NULL).minute, 331);
	ck_assert_int_eq(seg_local_time(90, NULL).second, 30);
	ck_assert_int_eq(seg_local_time(90, NULL).offset, 19800);
}
END_TEST

START_TEST(time_of_inverts_local_time)
{
	static const char *const zones[] = {"Asia/Tokyo", "Europe/Berlin", "Australia/Lord_Howe",
					    "Pacific/Apia"};
	struct seg_local local, before;
	time_t at, back;
	size_t z;

	for (z = 0; z < COUNT(zones); z++) {
		for (at = instant("2011-01-01", zones[z]); at < instant("2012-06-01", zones[z]);
		     at += 15 * MINUTE) {
			local = seg_local_time(at, zones[z]);
			back = seg_time_of(local.date, local.minute, zones[z]);
			before = seg_local_time(back, zones[z]);
			/* The same wall clock, and the first instant that shows it. */
			if (before.date != local.date || before.minute != local.minute || back > at ||
			    (back < at && before.offset <= local.offset))
				ck_abort_msg("%s at %lld", zones[z], (long long)at);
		}
	}
}
END_TEST

/* ---- schedules: the state ---- */

static const struct {
	const char *hours, *from, *until, *zone, *at;
	enum seg_schedule_state state;
} states[] = {
	{"mon-fri 08:00-20:00", NULL, NULL, "Asia/Tokyo", "2026-11-24T08:00", SEG_OPEN},
	{"mon-fri 08:00-20:00", NULL, NULL, "Asia/Tokyo", "2026-11-24T07:59:59", SEG_CLOSED_HOURS},
	{"mon-fri 08:00-20:00", NULL, NULL, "Asia/Tokyo", "2026-11-24T20:00", SEG_CLOSED_HOURS},
	{"mon-fri 08:00-20:00", NULL, NULL, "Asia/Tokyo", "2026-11-28T12:00", SEG_CLOSED_HOURS},
	/* Over midnight: belongs to the day it starts. */
	{"sat 22:00-05:00", NULL, NULL, "Asia/Tokyo", "2026-11-28T23:00", SEG_OPEN},
	{"sat 22:00-05:00", NULL, NULL, "Asia/Tokyo", "2026-11-29T04:59:59", SEG_OPEN},
	{"sat 22:00-05:00", NULL, NULL, "Asia/Tokyo", "2026-11-29T05:00", SEG_CLOSED_HOURS},
	{"sat 22:00-05:00", NULL, NULL, "Asia/Tokyo", "2026-11-28T04:00", SEG_CLOSED_HOURS},
	{"sun 22:00-05:00", NULL, NULL, "Asia/Tokyo", "2026-11-30T01:00", SEG_OPEN},
	/* Both days included, strictly: the window begun on the last day ends at midnight. */
	{NULL, "2026-04-01", "2027-03-31", "Asia/Tokyo", "2026-03-31T23:59:59", SEG_NOT_YET},
	{NULL, "2026-04-01", "2027-03-31", "Asia/Tokyo", "2026-04-01T00:00", SEG_OPEN},
	{NULL, "2026-04-01", "2027-03-31", "Asia/Tokyo", "2027-03-31T23:59:59", SEG_OPEN},
	{NULL, "2026-04-01", "2027-03-31", "Asia/Tokyo", "2027-04-01T00:00", SEG_EXPIRED},
	{"daily 22:00-05:00", "2026-11-20", "2026-11-24", "Asia/Tokyo", "2026-11-24T23:59:59", SEG_OPEN},
	{"daily 22:00-05:00", "2026-11-20", "2026-11-24", "Asia/Tokyo", "2026-11-25T00:00", SEG_EXPIRED},
	{"daily 22:00-05:00", "2026-11-20", "2026-11-24", "Asia/Tokyo", "2026-11-20T01:00", SEG_OPEN},
	/* Dates come before hours. */
	{"sat 22:00-05:00", "2026-12-01", NULL, "Asia/Tokyo", "2026-11-24T12:00", SEG_NOT_YET},
	{"sat 22:00-05:00", NULL, "2026-11-01", "Asia/Tokyo", "2026-11-24T12:00", SEG_EXPIRED},
	/* The date is the local one. */
	{NULL, "2026-11-25", NULL, "Asia/Tokyo", "2026-11-24T15:00Z", SEG_OPEN},
	{NULL, "2026-11-25", NULL, "America/New_York", "2026-11-25T04:59:59Z", SEG_NOT_YET},
};

START_TEST(schedule_state)
{
	struct seg_schedule s = {0};
	struct seg_hours h;

	if (states[_i].hours) {
		h = hours(states[_i].hours);
		s.hours = &h;
		s.n_hours = 1;
	}
	s.from = states[_i].from ? date(states[_i].from) : 0;
	s.until = states[_i].until ? date(states[_i].until) : 0;
	ck_assert_int_eq(seg_schedule_state(&s, instant(states[_i].at, states[_i].zone), states[_i].zone),
			 states[_i].state);
}
END_TEST

/* ---- schedules: the next change ---- */

static const struct {
	const char *hours, *from, *until, *zone, *at, *next;
} changes[] = {
	{"mon-fri 08:00-20:00", NULL, NULL, "Asia/Tokyo", "2026-11-24T10:00", "2026-11-24T20:00:00+09:00"},
	{"mon-fri 08:00-20:00", NULL, NULL, "Asia/Tokyo", "2026-11-24T20:00", "2026-11-25T08:00:00+09:00"},
	{"mon-fri 08:00-20:00", NULL, NULL, "Asia/Tokyo", "2026-11-27T20:00", "2026-11-30T08:00:00+09:00"},
	{"mon-fri 08:00-20:00", NULL, NULL, "Asia/Tokyo", "2026-11-24T19:59:59", "2026-11-24T20:00:00+09:00"},
	{"sun 22:00-05:00", NULL, NULL, "Asia/Tokyo", "2026-11-29T22:30", "2026-11-30T05:00:00+09:00"},
	{"daily 22:00-05:00", NULL, "2026-12-31", "Asia/Tokyo", "2026-12-31T23:00",
	 "2027-01-01T00:00:00+09:00"},
	{NULL, NULL, "2028-02-29", "Asia/Tokyo", "2026-11-24T10:00", "2028-03-01T00:00:00+09:00"},
	{NULL, "2036-02-29", NULL, "Europe/Berlin", "2026-11-24T10:00", "2036-02-29T00:00:00+01:00"},
	{NULL, NULL, "2026-07-01", "Europe/Berlin", "2026-01-01T10:00", "2026-07-02T00:00:00+02:00"},
	{NULL, NULL, NULL, "Europe/Berlin", "2026-01-01T10:00", NULL},
	{"daily 00:00-24:00", NULL, NULL, "Europe/Berlin", "2026-01-01T10:00", NULL},
	{"daily 00:00-24:00", NULL, "2026-01-31", "Europe/Berlin", "2026-01-01T10:00",
	 "2026-02-01T00:00:00+01:00"},
	{NULL, NULL, "2026-01-31", "Europe/Berlin", "2026-03-01T10:00", NULL},
	/* A window inside a gap never opens that day; one that spans it opens or closes with it. */
	{"sun 02:10-02:50", NULL, NULL, "Europe/Berlin", "2026-03-28T10:00", "2026-04-05T02:10:00+02:00"},
	{"sun 02:30-04:00", NULL, NULL, "Europe/Berlin", "2026-03-28T10:00", "2026-03-29T03:00:00+02:00"},
	{"sun 01:00-02:30", NULL, NULL, "Europe/Berlin", "2026-03-29T01:30", "2026-03-29T03:00:00+02:00"},
	/* A window inside a fold opens twice. */
	{"sun 02:10-02:50", NULL, NULL, "Europe/Berlin", "2026-10-25T02:20+02:00",
	 "2026-10-25T02:50:00+02:00"},
	{"sun 02:10-02:50", NULL, NULL, "Europe/Berlin", "2026-10-25T02:55+02:00",
	 "2026-10-25T02:10:00+01:00"},
	{"sun 02:00-03:00", NULL, NULL, "Europe/Berlin", "2026-10-25T02:20+02:00",
	 "2026-10-25T03:00:00+01:00"},
	/* The clock put back takes the end of a window back with it. */
	{"sun 01:00-01:45", NULL, NULL, "Australia/Lord_Howe", "2026-04-05T01:50+11:00",
	 "2026-04-05T01:30:00+10:30"},
	/* A day that does not exist. */
	{NULL, "2011-12-30", NULL, "Pacific/Apia", "2011-12-29T12:00", "2011-12-31T00:00:00+14:00"},
	{NULL, NULL, "2011-12-29", "Pacific/Apia", "2011-12-29T12:00", "2011-12-31T00:00:00+14:00"},
	{"fri 08:00-17:00", NULL, NULL, "Pacific/Apia", "2011-12-29T12:00", "2012-01-06T08:00:00+14:00"},
	/* Expired, and open again for the hour that the clock is put back over midnight. */
	{NULL, NULL, "2010-11-06", "America/Goose_Bay", "2010-11-07T00:00", "2010-11-06T23:01:00-04:00"},
	{NULL, NULL, "2010-11-06", "America/Goose_Bay", "2010-11-06T23:30-04:00",
	 "2010-11-07T00:00:00-04:00"},
};

START_TEST(schedule_next)
{
	struct seg_schedule s = {0};
	struct seg_hours h;
	time_t next;

	if (changes[_i].hours) {
		h = hours(changes[_i].hours);
		s.hours = &h;
		s.n_hours = 1;
	}
	s.from = changes[_i].from ? date(changes[_i].from) : 0;
	s.until = changes[_i].until ? date(changes[_i].until) : 0;
	next = seg_schedule_next(&s, instant(changes[_i].at, changes[_i].zone), changes[_i].zone);
	if (changes[_i].next)
		ck_time(next, changes[_i].zone, changes[_i].next);
	else
		ck_assert_int_eq(next, 0);
}
END_TEST

/* Where clocks change, a while before it; the brute force walks minute by minute over it. */
static const struct {
	const char *zone, *start;
} walks[] = {
	{"Asia/Tokyo", "2026-12-28"},	       {"Europe/Berlin", "2026-03-26"},
	{"Europe/Berlin", "2026-10-22"},       {"America/New_York", "2026-03-05"},
	{"America/New_York", "2026-10-29"},    {"Australia/Lord_Howe", "2026-10-01"},
	{"Australia/Lord_Howe", "2026-04-02"}, {"Pacific/Apia", "2011-12-27"},
	{"America/Goose_Bay", "2010-11-04"},   {"America/Goose_Bay", "2010-03-11"},
	{"America/Sao_Paulo", "2018-11-01"},   {"America/Sao_Paulo", "2018-02-14"},
	{"Africa/Casablanca", "2026-02-12"},   {"Asia/Tokyo", "2028-02-26"},
};

static unsigned seed;

static int below(int n)
{
	return (int)((unsigned)rand_r(&seed) % (unsigned)n);
}

static struct seg_schedule random_schedule(struct seg_hours list[static 3], seg_date near)
{
	struct seg_schedule s = {.hours = list, .n_hours = (size_t)below(4)};
	size_t i;

	for (i = 0; i < s.n_hours; i++) {
		list[i].days = (uint8_t)(1 + below(0x7f));
		list[i].start = (uint16_t)(below(2) ? below(1440) : below(288) * 5);
		do
			list[i].end = (uint16_t)(below(3) ? 1 + below(1440)
							  : 1 + (list[i].start + below(90)) % 1440);
		while (list[i].end == list[i].start);
	}
	if (!below(3))
		s.from = near + below(6);
	if (!below(3))
		s.until = near + below(8);
	return s;
}

START_TEST(next_is_what_brute_force_finds)
{
	enum { MINUTES = 8 * 24 * 60, ROUNDS = 10 };
	static enum seg_schedule_state state[MINUTES];
	const char *zone = walks[_i].zone;
	time_t start = instant(walks[_i].start, zone), next, found;
	struct seg_hours list[3];
	struct seg_schedule s;
	int round, i, k;

	seed = 20261123u + (unsigned)_i;
	for (round = 0; round < ROUNDS; round++) {
		s = random_schedule(list, date(walks[_i].start));
		for (i = 0; i < MINUTES; i++)
			state[i] = seg_schedule_state(&s, start + i * MINUTE, zone);
		for (i = 0, k = 0; i < MINUTES; i = k) {
			for (k = i; k < MINUTES && state[k] == state[i]; k++)
				;
			found = start + k * MINUTE;
			/* From the first and the last second of the state, and one between. */
			next = seg_schedule_next(&s, start + i * MINUTE, zone);
			ck_assert_int_eq(seg_schedule_next(&s, found - 1, zone), next);
			ck_assert_int_eq(
				seg_schedule_next(&s, start + i * MINUTE + below((k - i) * MINUTE), zone),
				next);
			if (k < MINUTES)
				ck_assert_int_eq(next, found);
			else
				ck_assert(next == 0 || next >= found);
		}
	}
}
END_TEST

/* From far away: over years the change is the one a walk by hours from there meets. */
START_TEST(next_over_years)
{
	static const char *const zones[] = {"Asia/Tokyo", "Europe/Berlin", "Australia/Lord_Howe",
					    "Africa/Casablanca"};
	struct seg_schedule s = {0};
	time_t at, next;
	int round;

	seed = 7;
	for (round = 0; round < 2000; round++) {
		const char *zone = zones[below(COUNT(zones))];

		at = instant("2020-01-01", zone) + below(365 * DAY);
		s.until = date("2021-06-01") + below(3000);
		s.from = below(2) ? s.until - below(100) : 0;
		next = seg_schedule_next(&s, at, zone);
		ck_assert_int_eq(next, seg_time_of(s.from ? s.from : s.until + 1, 0, zone));
	}
}
END_TEST

START_TEST(three_thousand_permits_are_quick)
{
	struct seg_hours list[3] = {hours("mon-fri 08:00-20:00"), hours("sat 22:00-05:00"),
				    hours("sun 10:00-11:00")};
	struct seg_schedule s = {.hours = list, .n_hours = 3, .until = date("2030-03-31")};
	time_t at = instant("2026-11-27T21:00", "Europe/Berlin"), sum = 0;
	clock_t begin = clock();
	int i;

	for (i = 0; i < 3000; i++)
		sum += seg_schedule_next(&s, at + i, "Europe/Berlin") > at;
	ck_assert_int_eq(sum, 3000);
	/* 100 ms asked for; sanitizers and busy machines take their share. */
	ck_assert_int_lt((int)((clock() - begin) * 1000 / CLOCKS_PER_SEC), 1000);
}
END_TEST

/* ---- schedules: inclusion ---- */

static const struct {
	const char *inner, *inner_from, *inner_until, *outer, *outer_from, *outer_until;
	bool subset;
} inclusions[] = {
	{"mon-fri 08:00-20:00", NULL, NULL, NULL, NULL, NULL, true},
	{NULL, NULL, NULL, "mon-fri 08:00-20:00", NULL, NULL, false},
	{NULL, NULL, NULL, "daily 00:00-24:00", NULL, NULL, true},
	{"mon 08:00-12:00", NULL, NULL, "mon-fri 08:00-20:00", NULL, NULL, true},
	{"mon 07:59-12:00", NULL, NULL, "mon-fri 08:00-20:00", NULL, NULL, false},
	{"tue 00:00-05:00", NULL, NULL, "mon 22:00-05:00", NULL, NULL, true},
	{"mon 00:00-05:00", NULL, NULL, "sun 22:00-05:00", NULL, NULL, true},
	{NULL, "2026-04-01", "2026-05-01", NULL, "2026-04-01", "2026-05-01", true},
	{NULL, "2026-04-01", "2026-05-02", NULL, "2026-04-01", "2026-05-01", false},
	{NULL, "2026-03-31", "2026-05-01", NULL, "2026-04-01", "2026-05-01", false},
	{NULL, NULL, "2026-05-01", NULL, "2026-04-01", NULL, false},
	{NULL, "2026-04-01", NULL, NULL, NULL, "2026-05-01", false},
	{NULL, "2026-04-01", NULL, NULL, "2026-04-01", NULL, true},
	/* Tuesday to Thursday need only the hours of those days. */
	{NULL, "2026-11-24", "2026-11-26", "tue-thu 00:00-24:00", NULL, NULL, true},
	{NULL, "2026-11-24", "2026-11-27", "tue-thu 00:00-24:00", NULL, NULL, false},
	/* The weekend beyond the outer dates is closed anyway. */
	{"mon-fri 08:00-20:00", "2026-11-21", "2026-11-29", NULL, "2026-11-23", "2026-11-27", true},
	{"mon-fri 08:00-20:00", "2026-11-21", "2026-11-30", NULL, "2026-11-23", "2026-11-27", false},
	{"sat 08:00-20:00", "2026-11-23", "2026-11-27", "mon 08:00-09:00", "2020-01-01", "2020-01-01", true},
};

START_TEST(schedule_subset)
{
	struct seg_schedule inner = {0}, outer = {0};
	struct seg_hours in, out;

	if (inclusions[_i].inner) {
		in = hours(inclusions[_i].inner);
		inner.hours = &in;
		inner.n_hours = 1;
	}
	if (inclusions[_i].outer) {
		out = hours(inclusions[_i].outer);
		outer.hours = &out;
		outer.n_hours = 1;
	}
	inner.from = inclusions[_i].inner_from ? date(inclusions[_i].inner_from) : 0;
	inner.until = inclusions[_i].inner_until ? date(inclusions[_i].inner_until) : 0;
	outer.from = inclusions[_i].outer_from ? date(inclusions[_i].outer_from) : 0;
	outer.until = inclusions[_i].outer_until ? date(inclusions[_i].outer_until) : 0;
	ck_assert_int_eq(seg_schedule_subset(&inner, &outer), inclusions[_i].subset);
}
END_TEST

START_TEST(subset_is_what_brute_force_finds)
{
	static const char zone[] = "UTC";
	seg_date near = date("2026-11-20");
	struct seg_hours list_a[3], list_b[3];
	struct seg_schedule a, b;
	int round, yes = 0;
	bool subset;
	time_t at;

	seed = 99;
	for (round = 0; round < 60; round++) {
		a = random_schedule(list_a, near);
		b = random_schedule(list_b, near);
		if (round % 2)
			b.n_hours = 0;
		subset = true;
		for (at = (time_t)(near - 8) * DAY; subset && at < (time_t)(near + 22) * DAY; at += MINUTE)
			subset = seg_schedule_state(&a, at, zone) != SEG_OPEN ||
				 seg_schedule_state(&b, at, zone) == SEG_OPEN;
		ck_assert_int_eq(seg_schedule_subset(&a, &b), subset);
		ck_assert(seg_schedule_subset(&a, &a));
		yes += subset;
	}
	ck_assert_int_gt(yes, 5);
}
END_TEST

START_TEST(schedule_equal)
{
	struct seg_hours one[] = {hours("mon-fri 08:00-20:00")};
	struct seg_hours two[] = {hours("wed-fri 08:00-20:00"), hours("mon,tue 08:00-20:00")};
	struct seg_hours day[] = {hours("daily 00:00-24:00")};
	struct seg_schedule a = {.hours = one, .n_hours = 1}, b = {.hours = two, .n_hours = 2}, open = {0};
	struct seg_schedule whole = {.hours = day, .n_hours = 1};

	ck_assert(seg_schedule_equal(&a, &b));
	ck_assert(seg_schedule_equal(&open, &whole));
	ck_assert(!seg_schedule_equal(&a, &open));
	b.until = date("2026-04-01");
	ck_assert(!seg_schedule_equal(&a, &b));
	a.until = b.until;
	ck_assert(seg_schedule_equal(&a, &b));
	a.from = date("2026-03-01");
	ck_assert(!seg_schedule_equal(&a, &b));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("calendar");
	TCase *tcase = tcase_create("calendar");

	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, dates_follow_the_c_library);
	tcase_add_test(tcase, dates_at_the_limits);
	tcase_add_loop_test(tcase, no_date, 0, COUNT(no_dates));
	tcase_add_loop_test(tcase, hours_parse, 0, COUNT(good_hours));
	tcase_add_test(tcase, hours_format_every_set_of_days);
	tcase_add_loop_test(tcase, hours_refused, 0, COUNT(bad_hours));
	tcase_add_test(tcase, zones_known);
	tcase_add_loop_test(tcase, times, 0, COUNT(good_times));
	tcase_add_loop_test(tcase, no_time, 0, COUNT(no_times));
	tcase_add_test(tcase, zone_null_is_the_one_at_the_start);
	tcase_add_test(tcase, time_of_inverts_local_time);
	tcase_add_loop_test(tcase, schedule_state, 0, COUNT(states));
	tcase_add_loop_test(tcase, schedule_next, 0, COUNT(changes));
	tcase_add_loop_test(tcase, next_is_what_brute_force_finds, 0, COUNT(walks));
	tcase_add_test(tcase, next_over_years);
	tcase_add_test(tcase, three_thousand_permits_are_quick);
	tcase_add_loop_test(tcase, schedule_subset, 0, COUNT(inclusions));
	tcase_add_test(tcase, subset_is_what_brute_force_finds);
	tcase_add_test(tcase, schedule_equal);
	return run_suite(suite);
}
