/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Hours and dates. The kernel closes by itself, through timeouts of elements; what
 * is left to do is to open again, to remove the entries of flows that ended, and to
 * tell. All of it follows from one look at the clock, so a clock that was set or a
 * daemon that was away needs no other code.
 */

#include "state.h"

static enum seg_schedule_state state_of(const struct seg_engine *engine, const struct seg_permit *permit, time_t now)
{
	return seg_schedule_state(&permit->schedule, now, engine->running->policy->timezone);
}

static bool has_schedule(const struct seg_permit *permit)
{
	return permit->schedule.n_hours || permit->schedule.from || permit->schedule.until;
}

/* The nearest instant at which some permit changes, or the next local midnight for `expiring`. */
static time_t next_look(const struct seg_engine *engine, time_t now)
{
	const struct seg_policy *policy = engine->running->policy;
	struct seg_local local = seg_local_time(now, policy->timezone);
	time_t next = seg_time_of(local.date + 1, 0, policy->timezone);

	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];
		time_t at = has_schedule(permit) ? seg_schedule_next(&permit->schedule, now, policy->timezone) : 0;

		if (at && at < next)
			next = at;
	}
	return next;
}

void seg_windows_begin(struct seg_engine *engine, time_t now)
{
	const struct seg_policy *policy = engine->running->policy;

	for (size_t i = 0; i < policy->permits; i++)
		engine->running->window[i] = state_of(engine, &policy->permit[i], now);
	engine->next_window = next_look(engine, now);
	seg_windows_tell(engine, now);
}

static void say_end(struct seg_engine *engine, const struct seg_permit *permit, const char *event, time_t now)
{
	char date[11];
	struct seg_alert alert;

	seg_say_begin(engine, &alert, event, SEG_NOTICE, now);
	seg_alert_text(&alert, "permit", permit->id);
	seg_alert_text(&alert, "until", seg_date_format(permit->schedule.until, date));
	seg_say_send(engine, &alert);
}

void seg_windows_tell(struct seg_engine *engine, time_t now)
{
	const struct seg_policy *policy = engine->running->policy;
	seg_date today = seg_local_time(now, policy->timezone).date;

	if (engine->state.told == today)
		return;
	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];
		seg_date left = permit->schedule.until - today;

		if (permit->schedule.until && (left == 30 || left == 7 || left == 1))
			say_end(engine, permit, "expiring", now);
	}
	engine->state.told = today;
	(void)seg_change_save(engine, now);
}

bool seg_windows_note(struct seg_engine *engine, time_t now)
{
	const struct seg_policy *policy = engine->running ? engine->running->policy : NULL;
	bool changed = false;

	for (size_t i = 0; policy && i < policy->permits; i++) {
		enum seg_schedule_state state = state_of(engine, &policy->permit[i], now);

		if (state == engine->running->window[i])
			continue;
		engine->running->window[i] = state;
		changed = true;
		if (state == SEG_EXPIRED)
			say_end(engine, &policy->permit[i], "expired", now);
	}
	return changed;
}

void seg_windows_look(struct seg_engine *engine, time_t now)
{
	bool changed;

	if (!engine->running || engine->disarmed)
		return;
	changed = seg_windows_note(engine, now);
	engine->next_window = next_look(engine, now);
	seg_windows_tell(engine, now);
	/* Also where nothing changed: after a step of the clock every timeout is wrong. */
	if (seg_apply_refresh(engine, now, changed ? "window" : "clock", NULL))
		engine->next_window = now + 1;
}
