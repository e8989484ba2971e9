/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Is what we know of our tables still so?
 *
 * The kernel counts transactions. From a generation that is known, our own commits and those that the monitor
 * heard pass elsewhere lead to where the kernel is now, or else somebody touched our tables, or was not
 * heard: nobody who is missed on the way is made up for. So whoever commits twenty times a second to other
 * tables keeps nobody from reading or changing ours.
 */

#include <errno.h>

#include "kernel/nft_monitor.h"
#include "kernel/nft_wire.h"

/* The kernel leaves out 0. */
static uint32_t advanced(uint32_t generation, uint32_t transactions)
{
	uint32_t sum = generation + transactions;

	return sum < generation ? sum + 1 : sum;
}

void seg_nft_count(struct seg_nft_mark *mark)
{
	if (mark->at)
		mark->at = advanced(mark->at, 1);
}

static uint32_t passed(const struct seg_nft *nft)
{
	return nft->monitor ? seg_nft_monitor_passed(nft->monitor) : 0;
}

/* Its committer is done. */
static int wait_for_generation(struct seg_nft *nft, uint32_t *now)
{
	int ret = seg_nft_read_generation(nft, now);

	return ret < 0 ? ret : seg_nft_wait(nft);
}

/* Up to the kernel's generation, whose committer is done. */
static int hear_with(struct seg_nft *nft, struct seg_nft_monitor *monitor, uint32_t *now)
{
	const bool deaf = seg_nft_monitor_is_deaf(monitor);
	int ret;

	if (deaf && !seg_nft_monitor_hear_all(monitor))
		return -EAGAIN;
	ret = wait_for_generation(nft, now);
	if (ret < 0)
		return ret;
	if (deaf)
		seg_nft_monitor_hears_from(monitor, *now);
	return seg_nft_monitor_hear(monitor, now) ? 0 : -EAGAIN;
}

/* A generation up to which everybody has been heard, and nobody beyond. */
static int hear(struct seg_nft *nft, uint32_t *now)
{
	return nft->monitor ? hear_with(nft, nft->monitor, now) : wait_for_generation(nft, now);
}

int seg_nft_mark(struct seg_nft *nft, struct seg_nft_mark *mark)
{
	int ret = hear(nft, &mark->at);

	if (ret < 0)
		mark->at = 0;
	mark->passed = passed(nft);
	mark->chains = nft->monitor ? seg_nft_monitor_passed_chains(nft->monitor) : 0;
	return ret;
}

bool seg_nft_holds(struct seg_nft *nft, const struct seg_nft_mark *mark)
{
	uint32_t now;

	return mark->at && hear(nft, &now) == 0 && now == advanced(mark->at, passed(nft) - mark->passed);
}

bool seg_nft_keeps_chains(struct seg_nft *nft, const struct seg_nft_mark *mark)
{
	return seg_nft_holds(nft, mark) && nft->monitor &&
	       seg_nft_monitor_passed_chains(nft->monitor) == mark->chains;
}

int seg_nft_attend(struct seg_nft *nft, struct seg_nft_monitor *monitor)
{
	nft->monitor = monitor;
	return seg_nft_monitor_set_hand(monitor, mnl_socket_get_portid(nft->socket));
}

void seg_nft_look_up(struct seg_nft *nft)
{
	if (nft->monitor && nft->ownership != SEG_OWNED_PERSIST)
		seg_nft_monitor_look_up(nft->monitor);
}

bool seg_nft_was_last(struct seg_nft *nft)
{
	uint32_t now;

	if (!nft->left.at || nft->ownership == SEG_OWNED_PERSIST)
		return nft->left.at;
	if (nft->monitor && (seg_nft_monitor_is_deaf(nft->monitor) || !seg_nft_monitor_hear_all(nft->monitor)))
		return false;
	return seg_nft_read_generation(nft, &now) == 0 &&
	       now == advanced(nft->left.at, passed(nft) - nft->left.passed);
}

/* From what we own the kernel keeps all others off, whatever they commit elsewhere. */
bool seg_nft_untouched(struct seg_nft *nft)
{
	return nft->left.at && (nft->ownership == SEG_OWNED_PERSIST || seg_nft_holds(nft, &nft->left));
}

bool seg_nft_disturbed(struct seg_nft *nft)
{
	return nft->incomplete || !seg_nft_holds(nft, &nft->known);
}
