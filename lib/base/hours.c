// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/calendar.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/i18n.h"

#define DAY_MINUTES 1440

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

static const char *parse_times(const char *text, size_t len, struct seg_hours *hours)
{
	int start, end;

	if (len != 11 || text[5] != '-')
		return N_("the times must be written as two times with two digits each, such as 08:00-20:00");
	start = seg_clock_parse(text, 5);
	end = seg_clock_parse(text + 6, 5);
	if (start < 0 || end < 0)
		return N_("a time of day is written with two digits each, from 00:00 to 24:00");
	if (start == DAY_MINUTES)
		return N_("24:00 can only be an end; a window that begins at midnight begins at 00:00 of the "
			  "day");
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

/* Runs of days, a run over the week's end in one piece: "sat-mon,wed". */
static void format_days(const struct seg_hours *hours, char *out)
{
	const char *comma = "";
	int first, i, run;

	for (first = 0;
	     first < 7 && (!seg_hours_begin_on(hours, first) || seg_hours_begin_on(hours, first + 6));
	     first++)
		;
	for (i = 0; i < 7; i += run + 1) {
		for (run = 0; run < 7 && seg_hours_begin_on(hours, first + i + run); run++)
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
		format_days(hours, days);
	snprintf(buf, SEG_HOURS_STRLEN, "%s %02u:%02u-%02u:%02u", days, hours->start / 60u,
		 hours->start % 60u, hours->end / 60u, hours->end % 60u);
	return buf;
}
