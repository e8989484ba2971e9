/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Conntrack's table read again: at the start, when the rules were away, and when the
 * kernel had no room for events. What a dump shows is judged like an event; what it no
 * longer shows has ended.
 *
 * Losses can go on for as long as somebody floods: then one dump follows another, with
 * a rest between them, and the lines about it are one in a while.
 */

#include "taken.h"

#define REST 1	      /* seconds between two dumps that losses ask for */
#define TOLD_EVERY 10 /* seconds between two lines of events-lost */

static void begin(struct seg_engine *engine)
{
	struct seg_watch *watch = &engine->watch;

	watch->dumps++;
	watch->lost_meanwhile = false;
	watch->dumping = !engine->ops->dump(engine->kernel);
	watch->next_dump = watch->dumping ? 0 : 1; /* long ago: with the next tick */
	if (watch->dumping)
		seg_limits_count_begins(engine);
}

void seg_watch_look_again(struct seg_engine *engine)
{
	struct seg_watch *watch = &engine->watch;

	if (watch->dumping)
		watch->dump_again = true;
	else
		begin(engine);
}

static void tell_lost(struct seg_engine *engine, time_t now)
{
	struct seg_watch *watch = &engine->watch;
	struct seg_alert alert;

	if (watch->lost == watch->lost_told || (now < watch->told + TOLD_EVERY && now >= watch->told))
		return;
	watch->told = now;
	watch->lost_told = watch->lost;
	seg_say_begin(engine, &alert, "events-lost", SEG_WARNING, now);
	seg_alert_number(&alert, "count", watch->lost);
	seg_say_send(engine, &alert);
}

void seg_engine_events_lost(struct seg_engine *engine, time_t now)
{
	struct seg_watch *watch = &engine->watch;

	watch->lost++;
	watch->owed = true;
	tell_lost(engine, now);
	if (watch->dumping)
		watch->lost_meanwhile = true;
	else if (!watch->next_dump)
		begin(engine);
}

/* What the policy of the start does not cover. */
static void tell_stopped(struct seg_engine *engine, time_t now)
{
	struct seg_watch *watch = &engine->watch;

	if (!watch->all_read)
		seg_taken_tell(engine, &watch->stopped, "start", now);
	watch->all_read = true;
}

/* The table was read to its end. */
static void settle(struct seg_engine *engine, time_t now)
{
	struct seg_watch *watch = &engine->watch;
	struct seg_alert alert;

	tell_stopped(engine, now);
	seg_watch_end_unseen(engine, now);
	if (!watch->owed)
		return;
	watch->resyncs++;
	if (watch->lost_meanwhile) {
		watch->next_dump = now + REST;
		return;
	}
	watch->owed = false;
	watch->lost_told = watch->lost;
	seg_say_begin(engine, &alert, "resynced", SEG_NOTICE, now);
	seg_say_send(engine, &alert);
}

void seg_engine_dumped(struct seg_engine *engine, int result, time_t now)
{
	struct seg_watch *watch = &engine->watch;

	seg_engine_settle(engine, now);
	watch->dumping = false;
	if (result < 0) /* interrupted: what it did not show is looked at again */
		watch->next_dump = now + 1;
	else
		settle(engine, now);
	seg_limits_count_ends(engine, result >= 0, now);
	seg_limits_settle(engine, now); /* may ask for another */
	if (watch->dump_again) {
		watch->dump_again = false;
		seg_watch_look_again(engine);
	}
}

time_t seg_resync_tick(struct seg_engine *engine, time_t now)
{
	struct seg_watch *watch = &engine->watch;

	tell_lost(engine, now);
	if (watch->next_dump && watch->next_dump <= now)
		begin(engine);
	return watch->next_dump ? now + 1 : 0;
}
