/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pace.h"

#include <stdlib.h>

struct seg_pace {
	struct event *readable, *later;
	seg_pace_fn read;
	void *context;
	bool asleep; /* on the socket */
};

static void look(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval hold = {.tv_usec = SEG_PACE_MS * 1000}, at_once = {0};
	struct seg_pace *pace = context;
	enum seg_pace_found found = pace->read(pace->context);

	(void)fd;
	(void)what;
	if (found == SEG_PACE_NOTHING) {
		if (!pace->asleep)
			event_add(pace->readable, NULL);
		pace->asleep = true;
		return;
	}
	if (pace->asleep)
		event_del(pace->readable);
	pace->asleep = false;
	event_add(pace->later, found == SEG_PACE_MORE ? &at_once : &hold);
}

struct seg_pace *seg_pace_new(struct event_base *base, evutil_socket_t fd, seg_pace_fn read, void *context)
{
	struct seg_pace *pace = calloc(1, sizeof(*pace));

	if (!pace)
		return NULL;
	pace->read = read;
	pace->context = context;
	pace->asleep = true;
	pace->readable = event_new(base, fd, EV_READ | EV_PERSIST, look, pace);
	pace->later = evtimer_new(base, look, pace);
	if (!pace->readable || !pace->later || event_add(pace->readable, NULL)) {
		seg_pace_free(pace);
		return NULL;
	}
	return pace;
}

void seg_pace_free(struct seg_pace *pace)
{
	if (!pace)
		return;
	if (pace->readable)
		event_free(pace->readable);
	if (pace->later)
		event_free(pace->later);
	free(pace);
}
