// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/calendar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60
#define DAY 86400
#define DAY_MINUTES 1440

/* The one piece of process state in lib/. */
static struct {
	bool started;
	char *system; /* TZ as the process was given it; NULL: unset */
	char *zone;   /* TZ as it is now */
} tz;

static char *copy_name(const char *name)
{
	char *copy = name ? strdup(name) : NULL;

	if (name && !copy)
		abort();
	return copy;
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void use_zone(const char *zone)
{
	if (!tz.started) {
		tz.system = copy_name(getenv("TZ"));
		tz.zone = copy_name(tz.system);
		tz.started = true;
		tzset();
	}
	if (!zone)
		zone = tz.system;
	if (same_name(zone, tz.zone))
		return;
	if (zone ? setenv("TZ", zone, 1) : unsetenv("TZ"))
		abort();
	tzset();
	free(tz.zone);
	tz.zone = copy_name(zone);
}

/* Seconds east of UTC in the zone in use. Years beyond those of struct tm count as UTC. */
static int offset_at(time_t at)
{
	struct tm tm;

	return localtime_r(&at, &tm) ? (int)tm.tm_gmtoff : 0;
}

bool seg_timezone_known(const char *zone)
{
	const char *folder = getenv("TZDIR");
	char path[512], magic[4] = "";
	FILE *file;
	int len;

	if (!zone || !*zone || *zone == '/' ||
	    strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			 "0123456789_+-/") != strlen(zone))
		return false;
	/* Folders of the installation, not names; "right" would count leap seconds. */
	if (!strncmp(zone, "right/", 6) || !strncmp(zone, "posix/", 6))
		return false;
	len = snprintf(path, sizeof(path), "%s/%s", folder && *folder ? folder : "/usr/share/zoneinfo", zone);
	if (len < 0 || (size_t)len >= sizeof(path))
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	len = (int)fread(magic, 1, sizeof(magic), file);
	fclose(file);
	return len == sizeof(magic) && !memcmp(magic, "TZif", sizeof(magic));
}

static const int16_t month_start[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_end(int64_t year, int month)
{
	return month_start[month] + (month >= 2 && is_leap(year));
}

/* Day number of 1 January; the year 1 begins 719162 days before 1970. */
static int64_t year_start(int64_t year)
{
	int64_t past = year - 1;

	return 365 * past + floor_div(past, 4) - floor_div(past, 100) + floor_div(past, 400) - 719162;
}

static seg_date date_of(int year, int month, int day)
{
	return (seg_date)(year_start(year) + (month > 1 ? month_end(year, month - 1) : 0) + day - 1);
}

static void civil_of(seg_date date, int64_t *year, int *month, int *day)
{
	int left;

	*year = 1970 + floor_div(date, 365);
	while (year_start(*year) > date)
		(*year)--;
	left = (int)(date - year_start(*year));
	for (*month = 1; month_end(*year, *month) <= left; (*month)++)
		;
	*day = left - (*month > 1 ? month_end(*year, *month - 1) : 0) + 1;
}

/* A number of exactly n digits. */
static bool parse_digits(const char *text, int n, int *value)
{
	int i;

	*value = 0;
	for (i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*value = *value * 10 + (text[i] - '0');
	}
	return true;
}

bool seg_date_parse(const char *text, size_t len, seg_date *date)
{
	int year, month, day;

	if (len != 10 || !parse_digits(text, 4, &year) || text[4] != '-' ||
	    !parse_digits(text + 5, 2, &month) || text[7] != '-' || !parse_digits(text + 8, 2, &day))
		return false;
	if (year < 1971 || month < 1 || month > 12 || day < 1)
		return false;
	if (day > month_end(year, month) - (month > 1 ? month_end(year, month - 1) : 0))
		return false;
	*date = date_of(year, month, day);
	return true;
}

const char *seg_date_format(seg_date date, char buf[static 11])
{
	char text[32];
	int64_t year;
	int month, day;

	civil_of(date, &year, &month, &day);
	snprintf(text, sizeof(text), "%04d-%02d-%02d", (int)(year % 10000), month, day);
	memcpy(buf, text, 10);
	buf[10] = '\0';
	return buf;
}

int seg_date_weekday(seg_date date)
{
	return (int)(((int64_t)date % 7 + 7 + 3) % 7); /* 1970-01-01 was a Thursday */
}

int seg_clock_parse(const char *text, size_t len)
{
	int hour, minute;

	if (len != 5 || !parse_digits(text, 2, &hour) || text[2] != ':' ||
	    !parse_digits(text + 3, 2, &minute))
		return -1;
	if (minute > 59 || hour * 60 + minute > DAY_MINUTES)
		return -1;
	return hour * 60 + minute;
}

struct seg_local seg_local_time(time_t at, const char *zone)
{
	struct seg_local local;
	int64_t wall, second;

	use_zone(zone);
	local.offset = offset_at(at);
	wall = at + local.offset;
	local.date = (seg_date)floor_div(wall, DAY);
	second = wall - (int64_t)local.date * DAY;
	local.minute = (int)(second / MINUTE);
	local.second = (int)(second % MINUTE);
	return local;
}

time_t seg_offset_change(time_t after, time_t until, const char *zone)
{
	time_t middle;
	int offset;

	use_zone(zone);
	offset = offset_at(after);
	if (offset_at(until) == offset)
		return 0;
	while (until - after > 1) {
		middle = after + (until - after) / 2;
		if (offset_at(middle) == offset)
			after = middle;
		else
			until = middle;
	}
	return until;
}

/* As seg_time_of, to the second: seconds since 1970-01-01 00:00 on the wall. */
static time_t time_of_wall(int64_t wall, const char *zone)
{
	time_t early = wall - DAY, late = wall + DAY;
	int before, after;

	use_zone(zone);
	before = offset_at(early);
	after = offset_at(late);
	if (offset_at(wall - before) == before)
		return wall - before;
	if (offset_at(wall - after) == after)
		return wall - after;
	return seg_offset_change(early, late, zone);
}

time_t seg_time_of(seg_date date, int minute, const char *zone)
{
	return time_of_wall((int64_t)date * DAY + minute * MINUTE, zone);
}

const char *seg_time_format(time_t at, const char *zone, char buf[static SEG_TIME_STRLEN])
{
	struct seg_local local = seg_local_time(at, zone);
	int east = abs(local.offset) / MINUTE;
	char date[11];

	snprintf(buf, SEG_TIME_STRLEN, "%sT%02d:%02d:%02d%c%02d:%02d", seg_date_format(local.date, date),
		 local.minute / 60, local.minute % 60, local.second, local.offset < 0 ? '-' : '+', east / 60,
		 east % 60);
	return buf;
}

/* "Z" or "+09:00". */
static bool parse_offset(const char *text, int *offset)
{
	int minutes;

	*offset = 0;
	if (!strcmp(text, "Z"))
		return true;
	if ((*text != '+' && *text != '-') || strlen(text) != 6)
		return false;
	minutes = seg_clock_parse(text + 1, 5);
	if (minutes < 0 || minutes >= DAY_MINUTES)
		return false;
	*offset = (*text == '-' ? -minutes : minutes) * MINUTE;
	return true;
}

/* "THH:MM" or "THH:MM:SS", or nothing for midnight; the text behind it, or NULL. */
static const char *parse_time_of_day(const char *text, int *seconds)
{
	int minute, second = 0;

	*seconds = 0;
	if (!*text)
		return text;
	if ((*text != 'T' && *text != ' ') || strlen(text) < 6)
		return NULL;
	minute = seg_clock_parse(text + 1, 5);
	if (minute < 0 || minute == DAY_MINUTES)
		return NULL;
	text += 6;
	if (*text == ':') {
		if (strlen(text) < 3 || !parse_digits(text + 1, 2, &second) || second > 59)
			return NULL;
		text += 3;
	}
	*seconds = minute * MINUTE + second;
	return text;
}

bool seg_time_parse(const char *text, const char *zone, time_t *at)
{
	size_t len = strlen(text);
	int seconds, offset;
	seg_date date;
	int64_t wall;

	if (!seg_date_parse(text, len < 10 ? len : 10, &date))
		return false;
	text = parse_time_of_day(text + 10, &seconds);
	if (!text)
		return false;
	wall = (int64_t)date * DAY + seconds;
	if (*text) {
		if (!parse_offset(text, &offset))
			return false;
		*at = wall - offset;
		return true;
	}
	*at = time_of_wall(wall, zone);
	return true;
}
