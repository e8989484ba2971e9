// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/calendar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/i18n.h"

#define MINUTE 60
#define DAY 86400
#define DAY_MINUTES 1440
#define WEEK_MINUTES (7 * DAY_MINUTES)
#define NEVER INT64_MAX

/*
 * Wall-clock time is counted as seconds since 1970-01-01 00:00 on the wall, so
 * that wall = UTC + offset. No two offsets of a zone are further apart than a
 * day and some hours, and since 1970 no zone has changed its offset twice
 * within a few days: SLACK covers the first and stays below the second.
 */
#define SLACK (2 * DAY)

/* ---- the time zone, the one piece of process state in lib/ ---- */

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

/* The first instant in (after, until], at most two slacks long, with another offset than at
 * `after`; 0 where there is none. */
static time_t offset_change(time_t after, time_t until)
{
	int offset = offset_at(after);
	time_t middle;

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

/* ---- dates ---- */

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

/* ---- hours of the week ---- */

static const char day_names[7][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static int parse_day(const char *text, const char *end)
{
	int day;

	for (day = 0; end - text >= 3 && day < 7; day++)
		if (!strncasecmp(text, day_names[day], 3))
			return day;
	return -1;
}

/* "mon", "mon-fri", "fri-mon"; the text behind it, or NULL. */
static const char *parse_day_range(const char *text, const char *end, uint8_t *days)
{
	int first = parse_day(text, end), last = first, day;

	if (first < 0)
		return NULL;
	text += 3;
	if (text < end && *text == '-') {
		last = parse_day(text + 1, end);
		if (last < 0)
			return NULL;
		text += 4;
	}
	for (day = first; day != last; day = (day + 1) % 7)
		*days |= (uint8_t)(1u << day);
	*days |= (uint8_t)(1u << last);
	return text;
}

static bool parse_days(const char *text, const char *end, uint8_t *days)
{
	*days = 0;
	if (end - text == 5 && !strncasecmp(text, "daily", 5)) {
		*days = 0x7f;
		return true;
	}
	for (;;) {
		text = parse_day_range(text, end, days);
		if (!text)
			return false;
		if (text == end)
			return true;
		if (*text++ != ',')
			return false;
	}
}

/* "HH:MM" as a minute of the day, 24:00 included; -1 otherwise. */
static int parse_clock(const char *text)
{
	int hour, minute;

	if (!parse_digits(text, 2, &hour) || text[2] != ':' || !parse_digits(text + 3, 2, &minute))
		return -1;
	if (minute > 59 || hour * 60 + minute > DAY_MINUTES)
		return -1;
	return hour * 60 + minute;
}

static const char *parse_times(const char *text, size_t len, struct seg_hours *hours)
{
	int start, end;

	if (len != 11 || text[5] != '-')
		return N_("the times must be written as two times with two digits each, such as 08:00-20:00");
	start = parse_clock(text);
	end = parse_clock(text + 6);
	if (start < 0 || end < 0)
		return N_("a time of day is written with two digits each, from 00:00 to 24:00");
	if (start == DAY_MINUTES)
		return N_(
		    "24:00 can only be an end; a window that begins at midnight begins at 00:00 of the day");
	if (start == end)
		return N_("the window begins and ends at the same minute; the whole day is 00:00-24:00");
	hours->start = (uint16_t)start;
	hours->end = (uint16_t)(end ? end : DAY_MINUTES);
	return NULL;
}

bool seg_hours_parse(const char *text, size_t len, struct seg_hours *hours, const char **reason)
{
	const char *end = text + len, *blank = len ? memchr(text, ' ', len) : NULL;
	struct seg_hours parsed = {0};

	*reason = N_("hours are days and times, such as \"mon-fri 08:00-20:00\" or \"daily 22:00-05:00\"");
	if (!blank)
		return false;
	if (!parse_days(text, blank, &parsed.days)) {
		*reason = N_("the days must be daily, or of mon, tue, wed, thu, fri, sat, sun, such as "
			     "\"mon-fri\" or \"mon,wed,fri\"");
		return false;
	}
	while (blank < end && *blank == ' ')
		blank++;
	*reason = parse_times(blank, (size_t)(end - blank), &parsed);
	if (*reason)
		return false;
	*hours = parsed;
	return true;
}

static bool has_day(uint8_t days, int day)
{
	return days >> (day % 7) & 1;
}

/* Runs of days, a run over the week's end in one piece: "sat-mon,wed". */
static void format_days(uint8_t days, char *out)
{
	const char *comma = "";
	int first, i, run;

	for (first = 0; first < 7 && (!has_day(days, first) || has_day(days, first + 6)); first++)
		;
	for (i = 0; i < 7; i += run + 1) {
		for (run = 0; run < 7 && has_day(days, first + i + run); run++)
			;
		if (!run)
			continue;
		out += sprintf(out, "%s%s", comma, day_names[(first + i) % 7]);
		if (run > 1)
			out += sprintf(out, "-%s", day_names[(first + i + run - 1) % 7]);
		comma = ",";
	}
}

const char *seg_hours_format(const struct seg_hours *hours, char buf[static SEG_HOURS_STRLEN])
{
	char days[32] = "daily";

	if ((hours->days & 0x7f) != 0x7f)
		format_days(hours->days, days);
	snprintf(buf, SEG_HOURS_STRLEN, "%s %02u:%02u-%02u:%02u", days, hours->start / 60u,
		 hours->start % 60u, hours->end / 60u, hours->end % 60u);
	return buf;
}

/* ---- instants ---- */

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

/* In the zone in use; see seg_time_of. */
static time_t time_of_wall(int64_t wall)
{
	time_t early = wall - DAY, late = wall + DAY;
	int before = offset_at(early), after = offset_at(late);

	if (offset_at(wall - before) == before)
		return wall - before;
	if (offset_at(wall - after) == after)
		return wall - after;
	return offset_change(early, late);
}

time_t seg_time_of(seg_date date, int minute, const char *zone)
{
	use_zone(zone);
	return time_of_wall((int64_t)date * DAY + minute * MINUTE);
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
	minutes = parse_clock(text + 1);
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
	minute = parse_clock(text + 1);
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
	use_zone(zone);
	*at = time_of_wall(wall);
	return true;
}

/* ---- schedules ---- */

static bool in_hours(const struct seg_schedule *s, int weekday, int minute)
{
	const struct seg_hours *h;
	size_t i;

	for (i = 0; i < s->n_hours; i++) {
		h = &s->hours[i];
		if (h->end > h->start) {
			if (has_day(h->days, weekday) && minute >= h->start && minute < h->end)
				return true;
		} else if ((has_day(h->days, weekday) && minute >= h->start) ||
			   (has_day(h->days, weekday + 6) && minute < h->end)) {
			return true;
		}
	}
	return s->n_hours == 0;
}

static enum seg_schedule_state wall_state(const struct seg_schedule *s, int64_t wall)
{
	seg_date date = (seg_date)floor_div(wall, DAY);

	if (s->from && date < s->from)
		return SEG_NOT_YET;
	if (s->until && date > s->until)
		return SEG_EXPIRED;
	if (!in_hours(s, seg_date_weekday(date), (int)((wall - (int64_t)date * DAY) / MINUTE)))
		return SEG_CLOSED_HOURS;
	return SEG_OPEN;
}

enum seg_schedule_state seg_schedule_state(const struct seg_schedule *s, time_t at, const char *zone)
{
	use_zone(zone);
	return wall_state(s, at + offset_at(at));
}

/* One byte a minute of the week, from Monday 00:00: 1 where the hours are open. */
static void fill_week(const struct seg_schedule *s, uint8_t week[static WEEK_MINUTES])
{
	const struct seg_hours *h;
	size_t i;
	int day, start, end;

	memset(week, s->n_hours == 0, WEEK_MINUTES);
	for (i = 0; i < s->n_hours; i++) {
		h = &s->hours[i];
		for (day = 0; day < 7; day++) {
			if (!has_day(h->days, day))
				continue;
			start = day * DAY_MINUTES + h->start;
			end = day * DAY_MINUTES + h->end + (h->end > h->start ? 0 : DAY_MINUTES);
			if (end > WEEK_MINUTES) {
				memset(week, 1, (size_t)(end - WEEK_MINUTES));
				end = WEEK_MINUTES;
			}
			memset(week + start, 1, (size_t)(end - start));
		}
	}
}

/* The next minute on the wall at which the hours open or close. */
static int64_t hours_change(const struct seg_schedule *s, int64_t wall)
{
	int64_t minute = floor_div(wall, MINUTE), day = floor_div(wall, DAY);
	uint8_t week[WEEK_MINUTES];
	const uint8_t *next;
	int now;

	if (!s->n_hours)
		return NEVER;
	fill_week(s, week);
	now = seg_date_weekday((seg_date)day) * DAY_MINUTES + (int)(minute - day * DAY_MINUTES);
	next = memchr(week + now, !week[now], (size_t)(WEEK_MINUTES - now));
	if (next)
		return (minute + (next - week) - now) * MINUTE;
	next = memchr(week, !week[now], (size_t)now);
	return next ? (minute + (next - week) - now + WEEK_MINUTES) * MINUTE : NEVER;
}

/* The next time on a wall clock that is never changed at which the state differs. */
static int64_t wall_change(const struct seg_schedule *s, int64_t wall)
{
	int64_t end = s->until ? ((int64_t)s->until + 1) * DAY : NEVER, change;

	switch (wall_state(s, wall)) {
	case SEG_NOT_YET:
		return (int64_t)s->from * DAY;
	case SEG_EXPIRED:
		return NEVER;
	default:
		change = hours_change(s, wall);
		return change < end ? change : end;
	}
}

/*
 * While the offset stays the same, the wall runs like UTC and the change is
 * where the wall says. Where the offset changes, the state is judged anew: a
 * clock put forward may jump over a window, one put back may open it twice.
 * Changes of the offset matter only within SLACK of either end of a stretch
 * without change: in between, no clock is put so far as to leave the stretch.
 */
time_t seg_schedule_next(const struct seg_schedule *s, time_t at, const char *zone)
{
	enum seg_schedule_state state = seg_schedule_state(s, at, zone);
	time_t shift, reach;
	int64_t change;
	int offset;

	for (;;) {
		offset = offset_at(at);
		change = wall_change(s, at + offset);
		if (change != NEVER)
			change -= offset;
		reach = change > at + SLACK ? at + SLACK : change;
		shift = offset_change(at, reach);
		if (shift) {
			if (wall_state(s, shift + offset_at(shift)) != state)
				return shift;
			at = shift;
		} else if (reach == change) {
			return change;
		} else if (change == NEVER) {
			return 0;
		} else {
			at = change - reach > SLACK ? change - SLACK : reach;
		}
	}
}

bool seg_schedule_equal(const struct seg_schedule *a, const struct seg_schedule *b)
{
	uint8_t week_a[WEEK_MINUTES], week_b[WEEK_MINUTES];

	if (a->from != b->from || a->until != b->until)
		return false;
	if (!a->n_hours && !b->n_hours)
		return true;
	fill_week(a, week_a);
	fill_week(b, week_b);
	return !memcmp(week_a, week_b, WEEK_MINUTES);
}

static bool open_on(const uint8_t week[static WEEK_MINUTES], seg_date date)
{
	return memchr(week + seg_date_weekday(date) * DAY_MINUTES, 1, DAY_MINUTES) != NULL;
}

static bool day_within(const uint8_t inner[static WEEK_MINUTES], const uint8_t outer[static WEEK_MINUTES],
		       int day)
{
	int minute;

	for (minute = day * DAY_MINUTES; minute < (day + 1) * DAY_MINUTES; minute++)
		if (inner[minute] && !outer[minute])
			return false;
	return true;
}

/* First and last day on which anything is open, 0 where there is no first or last. False: never open. */
static bool open_days(const struct seg_schedule *s, const uint8_t week[static WEEK_MINUTES], seg_date *first,
		      seg_date *last)
{
	*first = s->from;
	*last = s->until;
	if (!memchr(week, 1, WEEK_MINUTES))
		return false;
	while (*first && !open_on(week, *first))
		(*first)++;
	while (*last && !open_on(week, *last))
		(*last)--;
	return !*first || !*last || *first <= *last;
}

bool seg_schedule_subset(const struct seg_schedule *inner, const struct seg_schedule *outer)
{
	uint8_t week_in[WEEK_MINUTES], week_out[WEEK_MINUTES];
	seg_date first, last;
	int day, days;

	fill_week(inner, week_in);
	if (!open_days(inner, week_in, &first, &last))
		return true;
	if ((outer->from && (!first || first < outer->from)) ||
	    (outer->until && (!last || last > outer->until)))
		return false;
	if (!outer->n_hours)
		return true;
	fill_week(outer, week_out);
	days = first && last && last - first < 6 ? last - first + 1 : 7;
	for (day = 0; day < days; day++)
		if (!day_within(week_in, week_out, seg_date_weekday(first + day)))
			return false;
	return true;
}
