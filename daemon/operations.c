/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel, as the engine asks for it. */
#include "loop_state.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>

#include "kernel/bypass.h"
#include "kernel/links.h"
#include "kernel/neighbour.h"
#include "kernel/sysctl.h"

#define COUNT_US 4000 /* for counters in one round of the loop */

/* Behind the first commit: our rules are what loads conntrack. CAP_NET_ADMIN is enough. */
static void prepare_conntrack(struct seg_loop *loop)
{
	const char *failed[SEG_CONNTRACK_SETTINGS];

	loop->prepared = true;
	for (size_t i = 0, n = seg_conntrack_prepare(failed); i < n; i++)
		seg_log_line("%s cannot be set: counts or events of flows are missing", failed[i]);
}

/* Somebody committed while we did, or tried to. Who was heard is told by name, and what he did is mended; if the table
 * is not as we know it behind that, it is looked at as a whole. */
static void on_missed(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	seg_loop_read_monitor(loop);
	if (seg_nft_disturbed(loop->nft))
		seg_engine_transaction(loop->engine, NULL, seg_wall());
}

static int kernel_commit(void *kernel, const struct seg_change *change, const struct seg_nft_left *left,
			 struct seg_diags *diags)
{
	struct seg_loop *loop = kernel;
	int r;

	r = seg_nft_commit(loop->nft, change, left, diags);
	if (seg_nft_disturbed(loop->nft))
		event_base_once(loop->base, -1, EV_TIMEOUT, on_missed, loop, &seg_next_round);
	if (!r && !loop->prepared)
		prepare_conntrack(loop);
	return r;
}

static void kernel_look_up(void *kernel)
{
	struct seg_loop *loop = kernel;

	seg_nft_look_up(loop->nft);
}

static int kernel_seal(void *kernel, const struct seg_plan *plan)
{
	struct seg_loop *loop = kernel;

	return seg_nft_seal(loop->nft, plan);
}

static int kernel_forget(void *kernel, const struct seg_plan *plan)
{
	struct seg_loop *loop = kernel;

	return seg_nft_forget(loop->nft, plan);
}

static bool kernel_untouched(void *kernel)
{
	struct seg_loop *loop = kernel;

	return seg_nft_untouched(loop->nft);
}

static int kernel_read(void *kernel, struct seg_plan **image)
{
	struct seg_loop *loop = kernel;

	return seg_nft_read(loop->nft, image);
}

static int kernel_keeper(void *kernel, const struct seg_plan *plan, struct seg_findings *findings)
{
	struct seg_loop *loop = kernel;

	return seg_nft_compare_keeper(loop->nft, plan, findings);
}

static int kernel_elements(void *kernel, const struct seg_set *set, seg_counter_fn each, void *context)
{
	struct seg_loop *loop = kernel;

	return seg_nft_read_elements(loop->nft, set, each, context);
}

static void take_counted(void *context, const struct seg_elem *elem)
{
	struct seg_loop *loop = context;

	seg_engine_counted(loop->engine, elem, seg_wall());
}

static void kernel_count_stop(void *kernel)
{
	struct seg_loop *loop = kernel;

	if (loop->count_event)
		event_free(loop->count_event);
	seg_nft_walk_close(loop->count);
	loop->count_event = NULL;
	loop->count = NULL;
}

/*
 * For each time that the loop comes round one slice of a long set, or as many short sets as take no longer:
 * beside a walk over conntrack's table a question that wants six of them would wait for a slice of it before
 * each.
 */
static void on_count(evutil_socket_t fd, short what, void *context)
{
	const int64_t end = seg_monotonic_us() + COUNT_US;
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	do {
		int r = seg_nft_walk_read(loop->count, take_counted, loop);

		if (r == -EAGAIN)
			return;
		if (!r)
			continue;
		kernel_count_stop(loop);
		seg_engine_counted_all(loop->engine, r < 0 ? r : 0, seg_wall());
	} while (loop->count && seg_monotonic_us() < end);
}

static int kernel_count(void *kernel, const struct seg_set *set)
{
	struct seg_loop *loop = kernel;
	int r = seg_nft_walk_start(loop->nft, set, &loop->count);

	if (r)
		return r;
	loop->count_event =
		event_new(loop->base, seg_nft_walk_fd(loop->count), EV_READ | EV_PERSIST, on_count, loop);
	if (loop->count_event && !event_add(loop->count_event, NULL))
		return 0;
	kernel_count_stop(loop);
	return -ENOMEM;
}

static int kernel_element(void *kernel, const struct seg_set *set, const uint8_t *key, seg_counter_fn each,
			  void *context)
{
	struct seg_loop *loop = kernel;

	return seg_nft_read_element(loop->nft, set, key, each, context);
}

static int kernel_remove(void *kernel)
{
	struct seg_loop *loop = kernel;

	return seg_nft_remove(loop->nft);
}

static void client_facts(const struct seg_control *control, struct seg_kernel_facts *facts)
{
	struct seg_control_stats stats;

	if (!control) /* starting */
		return;
	stats = seg_control_stats(control);
	facts->clients = stats.clients;
	facts->watchers = stats.watchers;
	facts->clients_refused = stats.refused;
	facts->clients_dropped = stats.dropped;
}

static bool kernel_forwards(void *kernel, enum seg_family family)
{
	long value;

	(void)kernel;
	return seg_sysctl_read(family == SEG_IPV4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding",
			       &value) ||
	       value;
}

static void kernel_facts(void *kernel, struct seg_kernel_facts *facts)
{
	struct seg_loop *loop = kernel;
	int queue = 0;

	facts->ownership = seg_nft_ownership(loop->nft);
	facts->descriptor_kept = loop->nft_kept;
	facts->has_queue = !ioctl(seg_conntrack_event_fd(loop->conntrack), SIOCINQ, &queue);
	facts->queue = queue > 0 ? (uint64_t)queue : 0;
	if (seg_conntrack_fill(&facts->conntrack, &facts->conntrack_max))
		facts->conntrack_max = 0;
	facts->events_unreadable =
		seg_conntrack_unreadable(loop->conntrack) + seg_conntrack_unreadable(loop->asker);
	facts->refused_unreadable = loop->nflog ? seg_nflog_unreadable(loop->nflog) : 0;
	for (size_t i = 0; i < loop->sinks; i++)
		facts->sink[i] = seg_sink_stats(loop->sink[i]);
	facts->sinks = loop->sinks;
	facts->lateness = loop->lateness;
	memcpy(facts->whereabouts, loop->whereabouts, sizeof(facts->whereabouts));
	facts->uptime_ms = seg_monotonic_us() / 1000;
	client_facts(loop->control, facts);
}

static int kernel_flows(void *kernel, uint32_t value, uint32_t mask, seg_flow_fn fn, void *context)
{
	struct seg_loop *loop = kernel;
	struct pollfd fd = {.events = POLLIN};
	int r = seg_conntrack_dump_start(loop->asker, value, mask);

	if (r)
		return r;
	fd.fd = seg_conntrack_dump_fd(loop->asker);
	while (!(r = seg_conntrack_dump_read(loop->asker, fn, context)))
		if (poll(&fd, 1, 1000) < 0 && errno != EINTR)
			return -errno;
	return r < 0 ? r : 0;
}

static int kernel_walk(void *kernel, uint32_t value, uint32_t mask, const struct seg_walker *walker,
		       struct seg_walk **walk)
{
	struct seg_loop *loop = kernel;

	return seg_walk_start(loop->walks, value, mask, walker, walk);
}

static void kernel_walk_pause(void *kernel, struct seg_walk *walk, bool pause)
{
	(void)kernel;
	seg_walk_pause(walk, pause);
}

static void kernel_walk_stop(void *kernel, struct seg_walk *walk)
{
	(void)kernel;
	seg_walk_stop(walk);
}

static void kernel_come_round(void *kernel)
{
	struct seg_loop *loop = kernel;

	event_add(loop->round_event, &seg_next_round);
}

static int kernel_dump(void *kernel)
{
	struct seg_loop *loop = kernel;
	int r = seg_conntrack_dump_start(loop->conntrack, 0, 0);

	if (!r)
		event_add(loop->dump_event, NULL);
	return r;
}

static int kernel_delete(void *kernel, const struct seg_flow *flow, size_t n, size_t *gone)
{
	struct seg_loop *loop = kernel;

	return seg_conntrack_delete(loop->asker, flow, n, gone);
}

static int kernel_unmark(void *kernel, const struct seg_flow *flow, size_t n)
{
	struct seg_loop *loop = kernel;

	return seg_conntrack_unmark(loop->asker, flow, n);
}

static int kernel_neighbour(void *kernel, seg_addr addr, char interface[IFNAMSIZ], struct seg_neighbour *neighbour)
{
	struct seg_loop *loop = kernel;
	size_t n;
	const struct seg_link *link = seg_links_list(loop->links, &n), *hop;
	int r, index = 0;

	for (size_t i = 0; i < n; i++)
		if (!strcmp(link[i].name, interface))
			index = link[i].index;
	r = seg_neighbour_find(addr, index, neighbour);
	hop = r || index ? NULL : seg_link_of(link, n, neighbour->link);
	if (hop)
		snprintf(interface, IFNAMSIZ, "%s", hop->name);
	return r;
}

static int kernel_bypass(void *kernel, const char *const *interface, size_t interfaces, bool all,
			 void (*each)(void *context, json_t *sentence), void *context)
{
	const struct seg_loop *loop = kernel;
	const int failed[] = {
		seg_bypass_find(interface, interfaces, each, context),
		all ? seg_nft_find_bypass(each, context) : 0,
		all ? seg_xtables_find_bypass(loop->xtables, each, context) : 0,
		all ? seg_routes_find_bypass(loop->routes, interface, interfaces, each, context) : 0,
	};

	for (size_t i = 0; i < sizeof(failed) / sizeof(failed[0]); i++)
		if (failed[i])
			return failed[i];
	return 0;
}

const struct seg_kernel_ops seg_loop_operations = {
	.commit = kernel_commit,
	.look_up = kernel_look_up,
	.seal = kernel_seal,
	.forget = kernel_forget,
	.untouched = kernel_untouched,
	.read = kernel_read,
	.keeper = kernel_keeper,
	.elements = kernel_elements,
	.count = kernel_count,
	.count_stop = kernel_count_stop,
	.element = kernel_element,
	.remove = kernel_remove,
	.facts = kernel_facts,
	.forwards = kernel_forwards,
	.flows = kernel_flows,
	.walk = kernel_walk,
	.walk_pause = kernel_walk_pause,
	.walk_stop = kernel_walk_stop,
	.come_round = kernel_come_round,
	.dump = kernel_dump,
	.delete = kernel_delete,
	.unmark = kernel_unmark,
	.neighbour = kernel_neighbour,
	.bypass = kernel_bypass,
};
