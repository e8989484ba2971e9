/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loop_state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/bypass.h"
#include "kernel/sysctl.h"
#include "service.h"

#define NFT_NAME "nft"	      /* of the owning socket in the descriptor store */
#define STEP 1000	      /* ms between two clocks that count as a step: less than verify lets pass */
#define NFLOG_AGAIN 10000000  /* us until another reader of our groups may have gone */
#define SCRAPE_AGAIN 10000000 /* and another user of the metrics' port */

void seg_log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("segd: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

static void take_status(void *context, const char *status)
{
	(void)context;
	seg_service_status(status);
	seg_log_line("%s", status);
}

/* What the kernel says. */

static void take_flow(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	struct seg_loop *loop = context;

	seg_engine_flow(loop->engine, event, flow, seg_wall());
}

static enum seg_pace_found read_conntrack(void *context)
{
	struct seg_loop *loop = context;
	bool lost;
	int read = seg_conntrack_read_events(loop->conntrack, &lost);

	if (lost)
		seg_engine_events_lost(loop->engine, seg_wall());
	if (read > 0)
		seg_engine_settle(loop->engine, seg_wall());
	if (read <= 0)
		return SEG_PACE_NOTHING;
	return read < SEG_CONNTRACK_EVENTS_A_READ ? SEG_PACE_SOME : SEG_PACE_MORE;
}

static void on_dump(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;
	int r = seg_conntrack_dump_read(loop->conntrack, take_flow, loop);

	(void)fd;
	(void)what;
	seg_engine_settle(loop->engine, seg_wall());
	if (!r)
		return;
	event_del(loop->dump_event);
	seg_engine_dumped(loop->engine, r < 0 ? r : 0, seg_wall());
}

static void take_refused(void *context, const struct seg_refused *refused)
{
	struct seg_loop *loop = context;

	seg_engine_refused(loop->engine, refused, seg_wall());
}

static void on_nflog(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	seg_nflog_read(loop->nflog); /* lost lines are no lost counts: those are the kernel's */
}

static void take_touched(void *context)
{
	struct seg_loop *loop = context;

	seg_engine_touched(loop->engine);
}

static void take_transaction(void *context, const struct seg_nft_transaction *transaction)
{
	struct seg_loop *loop = context;

	seg_engine_transaction(loop->engine, transaction, seg_wall());
}

void seg_loop_read_monitor(struct seg_loop *loop)
{
	if (seg_nft_monitor_read(loop->monitor) == -ENOBUFS)
		seg_engine_transaction(loop->engine, NULL, seg_wall());
}

static void on_monitor(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	seg_loop_read_monitor(context);
}

static void take_owing(void *context)
{
	struct seg_loop *loop = context;

	event_add(loop->owing_event, &seg_next_round);
}

/* What it put off until now. */
static void on_round(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	seg_engine_came_round(loop->engine, seg_wall());
}

/* Links. */

static void take_link(void *context, const struct seg_link_change *change)
{
	struct seg_loop *loop = context;

	(void)change;
	loop->links_changed = true;
}

static bool is_zones(const void *engine, const char *interface)
{
	return seg_engine_has_interface(engine, interface);
}

static void take_tc(void *context, const struct nlmsghdr *message)
{
	struct seg_loop *loop = context;

	loop->tc_changed = true;
	seg_engine_around(loop->engine, seg_bypass_heard(loop->links, message, is_zones, loop->engine), seg_wall());
}

static void pass_links_on(struct seg_loop *loop)
{
	size_t links, addrs;
	const struct seg_link *link = seg_links_list(loop->links, &links);
	const struct seg_own_addr *own = seg_links_addrs(loop->links, &addrs);
	struct seg_gateway_addr *addr = calloc(addrs + 1, sizeof(*addr));
	const char **name = calloc(links + 1, sizeof(*name));
	struct seg_gateway gateway = {addr, addrs};

	if (!addr || !name)
		abort();
	for (size_t i = 0; i < addrs; i++)
		addr[i] = (struct seg_gateway_addr){own[i].addr, own[i].name};
	for (size_t i = 0; i < links; i++)
		name[i] = link[i].name;
	seg_engine_links(loop->engine, &gateway, name, links, seg_wall());
	free(addr);
	free(name);
	loop->links_changed = false;
}

static void tick(struct seg_loop *loop)
{
	struct timeval wait = {0};
	int64_t us;

	seg_engine_tick(loop->engine, seg_wall(), 0);
	us = seg_engine_glance_in(loop->engine);
	wait.tv_sec = (time_t)(us / 1000000);
	wait.tv_usec = (suseconds_t)(us % 1000000);
	if (us >= 0 && !event_pending(loop->glance_event, EV_TIMEOUT, NULL))
		event_add(loop->glance_event, &wait);
}

static void on_glance(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	tick(context);
}

static void on_links(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;
	int r = seg_links_read(loop->links);

	(void)fd;
	(void)what;
	if (r == -ENOBUFS || r == -EINTR) {
		seg_links_dump(loop->links);
		loop->links_changed = true; /* or something of traffic control, of which that tells nothing */
	}
	if (!seg_links_complete(loop->links) || (!loop->links_changed && !loop->tc_changed))
		return;
	if (loop->links_changed)
		pass_links_on(loop);
	loop->tc_changed = false;
	tick(loop); /* interfaces that come are to work at once */
}

/* Before the engine starts it must know who the gateway is. */
static int wait_for_links(struct seg_loop *loop)
{
	struct pollfd fd = {.fd = seg_links_fd(loop->links), .events = POLLIN};
	int r = seg_links_dump(loop->links);

	for (int tries = 0; !r && !seg_links_complete(loop->links) && tries < 1000; tries++) {
		if (poll(&fd, 1, 1000) <= 0)
			return -ETIMEDOUT;
		r = seg_links_read(loop->links);
		if (r == -ENOBUFS || r == -EINTR)
			r = seg_links_dump(loop->links);
	}
	if (r)
		return r;
	pass_links_on(loop);
	return seg_links_hear_tc(loop->links, take_tc);
}

/* Time and signals. */

static void reopen_nflog(struct seg_loop *loop)
{
	const char *detail = NULL;
	int r = seg_nflog_open(&loop->nflog, take_refused, loop, &detail);

	if (r) {
		if (!loop->nflog_again)
			seg_log_line("refused packets are counted but not shown: %s: %s",
				     detail ? detail : "nflog", strerror(-r));
		loop->nflog_again = seg_monotonic_us() + NFLOG_AGAIN;
		return;
	}
	loop->nflog_again = 0;
	loop->nflog_event =
		event_new(loop->base, seg_nflog_fd(loop->nflog), EV_READ | EV_PERSIST, on_nflog, loop);
	event_add(loop->nflog_event, NULL);
}

/* A second that came late: something held the loop up. */
static void measure_lateness(struct seg_loop *loop)
{
	int64_t now = seg_monotonic_us();
	double late = (double)(now - loop->second) / 1e6 - 1;

	loop->second = now;
	seg_histogram_add(&loop->lateness, late > 0 ? late : 0);
}

/* Metrics. */

static void take_metrics(void *context, int result, json_t *out)
{
	struct seg_loop *loop = context;

	(void)result; /* there is no refusal */
	seg_scrape_answer(loop->scrape, json_string_value(out), json_string_length(out));
	json_decref(out);
}

static void ask_metrics(void *context)
{
	struct seg_loop *loop = context;
	const struct seg_request request = {.now = seg_wall(), .done = take_metrics, .context = loop};
	json_t *out = NULL;
	int r = seg_engine_metrics(loop->engine, &request, &out);

	if (r != SEG_LATER)
		take_metrics(loop, r, out);
}

static void say_no_metrics(const struct seg_loop *loop, int r)
{
	seg_log_line("metrics are not served: %s: %s", loop->settings->metrics.text, strerror(-r));
}

static void make_scrape(struct seg_loop *loop)
{
	int r = loop->settings->metrics.text ? seg_scrape_new(&loop->scrape, loop->base,
							      &loop->settings->metrics, ask_metrics, loop)
					     : 0;

	if (r)
		say_no_metrics(loop, r);
}

static void open_scrape(struct seg_loop *loop)
{
	int r;

	if (!loop->scrape || loop->scrape_open)
		return;
	r = seg_scrape_listen(loop->scrape, &loop->who);
	loop->scrape_open = !r;
	if (r && !loop->scrape_again)
		say_no_metrics(loop, r);
	else if (!r && loop->scrape_again)
		seg_log_line("metrics are served: %s", loop->settings->metrics.text);
	loop->scrape_again = r ? seg_monotonic_us() + SCRAPE_AGAIN : 0;
}

static void on_second(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;
	int64_t ahead = seg_wall_ahead_ms();
	int64_t moved = ahead - loop->wall_ahead_ms;
	bool stepped = moved > STEP || moved < -STEP;
	time_t now = seg_wall();

	(void)fd;
	(void)what;
	if (stepped) /* only then: small ones add up */
		loop->wall_ahead_ms = ahead;
	measure_lateness(loop);
	seg_engine_tick(loop->engine, now, stepped ? (time_t)((moved + (moved < 0 ? -500 : 500)) / 1000) : 0);
	if (!loop->nflog && loop->nflog_again <= seg_monotonic_us())
		reopen_nflog(loop);
	if (loop->scrape_again && loop->scrape_again <= seg_monotonic_us())
		open_scrape(loop);
	seg_alerts_flush(loop);
	seg_alerts_wait(loop);
	seg_service_alive();
}

static void on_hangup(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	seg_engine_reload(loop->engine, seg_wall());
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	event_base_loopbreak(loop->base);
}

/* Life. */

/* A boot and a network namespace, which has no number that stays its own before 5.14. */
static void note_whereabouts(struct seg_loop *loop)
{
	socklen_t len = sizeof(uint64_t);
	uint64_t network;
	char boot[64];

	if (!seg_sysctl_read_text("kernel/random/boot_id", boot, sizeof(boot)) &&
	    !getsockopt(seg_nft_fd(loop->nft), SOL_SOCKET, SO_NETNS_COOKIE, &network, &len))
		snprintf(loop->whereabouts, sizeof(loop->whereabouts), "%s %llu", boot,
			 (unsigned long long)network);
}

static int open_edges(struct seg_loop *loop, const char **what)
{
	const struct seg_nft_hearer hearer = {take_touched, take_transaction, take_owing, loop};
	int r, kept = seg_service_kept(NFT_NAME);

	*what = "nf_tables";
	loop->owing_event = evtimer_new(loop->base, on_monitor, loop);
	if (!loop->owing_event)
		return -ENOMEM;
	r = seg_nft_open(&loop->nft, kept);
	if (!r)
		r = seg_nft_monitor_open(&loop->monitor, &hearer);
	if (!r)
		r = seg_nft_attend(loop->nft, loop->monitor);
	if (r)
		return r;
	note_whereabouts(loop);
	*what = "conntrack";
	r = seg_conntrack_open(&loop->conntrack, loop->settings->receive_buffer, take_flow, loop);
	if (!r)
		r = seg_conntrack_open(&loop->asker, 0, NULL, NULL);
	if (r)
		return r;
	seg_conntrack_set_hand(loop->conntrack, loop->asker);
	*what = "rtnetlink";
	r = seg_links_open(&loop->links, take_link, loop);
	if (!r)
		r = seg_routes_open(&loop->routes);
	if (r)
		return r;
	*what = "iptables";
	return seg_xtables_open(&loop->xtables);
}

int seg_loop_new(struct seg_loop **out, const struct seg_settings *settings, const char **what)
{
	struct seg_loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		abort();
	loop->settings = settings;
	loop->lateness = (struct seg_histogram){.bound = {0.01, 0.05, 0.1, 0.5, 1, 5}, .bounds = 6};
	loop->base = event_base_new();
	*what = "libevent";
	r = loop->base ? open_edges(loop, what) : -ENOMEM;
	loop->walks = seg_walks_new(loop->base);
	if (r) {
		seg_loop_free(loop);
		return r;
	}
	seg_alerts_open(loop);
	make_scrape(loop);
	*out = loop;
	return 0;
}

static struct seg_engine *make_engine(struct seg_loop *loop)
{
	struct seg_engine_options options = {
		.policy_file = loop->settings->policy,
		.observe = loop->settings->observe,
		.denied_window = loop->settings->denied_window,
		.alert = seg_alerts_take,
		.say = take_status,
		.context = loop,
	};

	return seg_engine_new(&options, &seg_loop_operations, loop, loop->store);
}

static void add_event(struct seg_loop *loop, evutil_socket_t fd, short what, event_callback_fn fn)
{
	struct event *event = event_new(loop->base, fd, (short)(what | EV_PERSIST), fn, loop);
	const struct timeval second = {.tv_sec = 1};

	if (!event || event_add(event, what == EV_TIMEOUT ? &second : NULL))
		abort();
	loop->event[loop->events++] = event;
}

static void add_events(struct seg_loop *loop)
{
	add_event(loop, SIGHUP, EV_SIGNAL, on_hangup);
	add_event(loop, SIGTERM, EV_SIGNAL, on_stop);
	add_event(loop, SIGINT, EV_SIGNAL, on_stop);
	add_event(loop, -1, EV_TIMEOUT, on_second);
	add_event(loop, seg_nft_monitor_fd(loop->monitor), EV_READ, on_monitor);
	add_event(loop, seg_links_fd(loop->links), EV_READ, on_links);
	loop->dump_event = event_new(loop->base, seg_conntrack_dump_fd(loop->conntrack), EV_READ | EV_PERSIST,
				     on_dump, loop);
	loop->flow_pace =
		seg_pace_new(loop->base, seg_conntrack_event_fd(loop->conntrack), read_conntrack, loop);
	loop->round_event = evtimer_new(loop->base, on_round, loop);
	loop->glance_event = evtimer_new(loop->base, on_glance, loop);
	if (!loop->dump_event || !loop->flow_pace || !loop->round_event || !loop->glance_event)
		abort();
}

/* What the engine needs before it can start. */
static int prepare_start(struct seg_loop *loop, const char **what)
{
	int r;

	*what = loop->settings->state_dir;
	r = seg_store_open(&loop->store, loop->settings->state_dir);
	loop->engine = make_engine(loop);
	if (r)
		return r;
	*what = "rtnetlink";
	return wait_for_links(loop);
}

int seg_loop_start(struct seg_loop *loop, const char **what)
{
	int r = prepare_start(loop, what);

	if (r && r != -EBUSY &&
	    !seg_engine_seal(loop->engine)) /* -EBUSY: another segd, whose gateway it is */
		seg_log_line("the gateway has its rules or is sealed");
	if (r)
		return r;
	add_events(loop);
	reopen_nflog(loop);
	loop->wall_ahead_ms = seg_wall_ahead_ms();
	*what = "nf_tables";
	r = seg_engine_start(loop->engine, seg_wall());
	if (r)
		return r;
	loop->nft_kept = seg_service_keep(seg_nft_fd(loop->nft), NFT_NAME);
	return 0;
}

int seg_loop_listen(struct seg_loop *loop, const struct seg_identity *who)
{
	const struct seg_control_options options = {
		.path = loop->settings->socket,
		.fd = seg_service_kept("control"),
		.owner = who->uid,
		.group = who->asking,
	};
	const struct seg_backend backend = {
		.engine = loop->engine,
		.command = seg_commands,
		.commands = seg_commands_count,
		.subscribe = seg_engine_subscribe,
		.unsubscribe = seg_engine_unsubscribe,
		.resume = seg_engine_resume,
		.forget = seg_engine_forget,
	};
	int r;

	r = seg_control_new(&loop->control, loop->base, &options, &backend);

	if (r)
		return r;
	loop->who = *who;
	open_scrape(loop);
	return 0;
}

void seg_loop_run(struct seg_loop *loop)
{
	loop->second = seg_monotonic_us();
	event_base_dispatch(loop->base);
	seg_service_stopping();
	seg_engine_stop(loop->engine, seg_wall());
	while (seg_alerts_flush(loop))
		;
}

void seg_loop_free(struct seg_loop *loop)
{
	if (!loop)
		return;
	seg_control_free(loop->control);
	seg_scrape_free(loop->scrape);
	for (size_t i = 0; i < loop->events; i++)
		event_free(loop->event[i]);
	seg_pace_free(loop->flow_pace);
	if (loop->dump_event)
		event_free(loop->dump_event);
	if (loop->round_event)
		event_free(loop->round_event);
	if (loop->glance_event)
		event_free(loop->glance_event);
	if (loop->nflog_event)
		event_free(loop->nflog_event);
	seg_loop_operations.count_stop(loop);
	seg_engine_free(loop->engine);
	seg_walks_free(loop->walks);
	seg_store_close(loop->store);
	seg_alerts_close(loop);
	seg_xtables_close(loop->xtables);
	seg_routes_close(loop->routes);
	seg_links_close(loop->links);
	seg_nflog_close(loop->nflog);
	seg_conntrack_close(loop->asker);
	seg_conntrack_close(loop->conntrack);
	if (loop->owing_event)
		event_free(loop->owing_event);
	if (loop->monitor)
		seg_nft_monitor_close(loop->monitor);
	if (loop->nft)
		seg_nft_close(loop->nft);
	if (loop->base)
		event_base_free(loop->base);
	free(loop);
}
