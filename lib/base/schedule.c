// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/calendar.h"

#include <string.h>

#define MINUTE 60
#define DAY 86400
#define DAY_MINUTES 1440
#define WEEK_MINUTES (7 * DAY_MINUTES)
#define NEVER INT64_MAX

/*
 * No two offsets of a zone are further apart than a day and some hours, and
 * since 1970 no zone has changed its offset twice within six days: SLACK covers
 * the first and stays well below the second.
 */
#define SLACK (2 * DAY)

static bool in_hours(const struct seg_schedule *s, int weekday, int minute)
{
	const struct seg_hours *h;
	size_t i;

	for (i = 0; i < s->n_hours; i++) {
		h = &s->hours[i];
		if (h->end > h->start) {
			if (seg_hours_begin_on(h, weekday) && minute >= h->start && minute < h->end)
				return true;
		} else if ((seg_hours_begin_on(h, weekday) && minute >= h->start) ||
			   (seg_hours_begin_on(h, weekday + 6) && minute < h->end)) {
			return true;
		}
	}
	return s->n_hours == 0;
}

static enum seg_schedule_state local_state(const struct seg_schedule *s, struct seg_local local)
{
	if (s->from && local.date < s->from)
		return SEG_NOT_YET;
	if (s->until && local.date > s->until)
		return SEG_EXPIRED;
	return in_hours(s, seg_date_weekday(local.date), local.minute) ? SEG_OPEN : SEG_CLOSED_HOURS;
}

enum seg_schedule_state seg_schedule_state(const struct seg_schedule *s, time_t at, const char *zone)
{
	if (s->n_hours == 0 && !s->from && !s->until) /* most: the local time is not asked for */
		return SEG_OPEN;
	return local_state(s, seg_local_time(at, zone));
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
			if (!seg_hours_begin_on(h, day))
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

/* Seconds on a steady clock until the hours next open or close. */
static int64_t hours_wait(const struct seg_schedule *s, struct seg_local local)
{
	int now = seg_date_weekday(local.date) * DAY_MINUTES + local.minute;
	uint8_t week[WEEK_MINUTES];
	const uint8_t *next;

	if (!s->n_hours)
		return NEVER;
	fill_week(s, week);
	next = memchr(week + now, !week[now], (size_t)(WEEK_MINUTES - now));
	if (next)
		return (next - week - now) * MINUTE - local.second;
	next = memchr(week, !week[now], (size_t)now);
	return next ? (next - week - now + WEEK_MINUTES) * MINUTE - local.second : NEVER;
}

/* Seconds until the date begins. */
static int64_t date_wait(seg_date date, struct seg_local local)
{
	return ((int64_t)date - local.date) * DAY - local.minute * MINUTE - local.second;
}

/* Seconds until the state differs, on a clock that is never put forward or back. */
static int64_t steady_wait(const struct seg_schedule *s, struct seg_local local)
{
	int64_t end, wait;

	switch (local_state(s, local)) {
	case SEG_NOT_YET:
		return date_wait(s->from, local);
	case SEG_EXPIRED:
		return NEVER;
	default:
		end = s->until ? date_wait(s->until + 1, local) : NEVER;
		wait = hours_wait(s, local);
		return wait < end ? wait : end;
	}
}

/*
 * While the offset stays the same, the local clock is steady and the change is
 * where it says. Where the offset changes, the state is judged anew: a clock put
 * forward may jump over a window, one put back may open it twice. Changes of the
 * offset matter only within SLACK of either end of a stretch of one state: in
 * between, no clock is put so far as to leave the stretch.
 */
time_t seg_schedule_next(const struct seg_schedule *s, time_t at, const char *zone)
{
	enum seg_schedule_state state = seg_schedule_state(s, at, zone);
	time_t change, reach, shift;
	int64_t wait;

	for (;;) {
		wait = steady_wait(s, seg_local_time(at, zone));
		reach = at + (wait < SLACK ? wait : SLACK);
		shift = seg_offset_change(at, reach, zone);
		if (shift) {
			if (seg_schedule_state(s, shift, zone) != state)
				return shift;
			at = shift;
			continue;
		}
		if (wait <= SLACK)
			return reach;
		if (wait == NEVER)
			return 0;
		change = at + wait;
		at = change - reach > SLACK ? change - SLACK : reach;
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

static bool same_hours(const struct seg_schedule *a, const struct seg_schedule *b)
{
	for (size_t i = 0; a->n_hours == b->n_hours && i < a->n_hours; i++)
		if (a->hours[i].days != b->hours[i].days || a->hours[i].start != b->hours[i].start ||
		    a->hours[i].end != b->hours[i].end)
			return false;
	return a->n_hours == b->n_hours;
}

/* Written alike and within the dates: most permits that are ever compared. Spares painting the weeks. */
static bool plainly_within(const struct seg_schedule *inner, const struct seg_schedule *outer)
{
	return (!outer->n_hours || same_hours(inner, outer)) &&
	       (!outer->from || (inner->from && inner->from >= outer->from)) &&
	       (!outer->until || (inner->until && inner->until <= outer->until));
}

bool seg_schedule_subset(const struct seg_schedule *inner, const struct seg_schedule *outer)
{
	uint8_t week_in[WEEK_MINUTES], week_out[WEEK_MINUTES];
	seg_date first, last;
	int day, days;

	if (plainly_within(inner, outer))
		return true;
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
