/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loop.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <linux/sockios.h>

#include "server/control.h"
#include "engine/engine.h"
#include "kernel/bypass.h"
#include "kernel/links.h"
#include "pace.h"
#include "server/scrape.h"
#include "service.h"
#include "store/store.h"
#include "walks.h"

#define JOURNAL_DIR "/run/systemd/journal/"
#define NFT_NAME "nft" /* of the owning socket in the descriptor store */
#define STEP 2	       /* seconds between two clocks that count as a step */
#define SINK_WAIT 2    /* ms until a slow sink is tried again, at first */
#define SINK_WAIT_MAX 128
#define NFLOG_AGAIN 10000000  /* us until another reader of our groups may have gone */
#define SCRAPE_AGAIN 10000000 /* and another user of the metrics' port */
#define COUNT_US 4000	      /* for counters in one round of the loop */

struct seg_loop {
	const struct seg_settings *settings;
	struct event_base *base;
	struct seg_engine *engine;
	struct seg_store *store;
	struct seg_control *control;
	struct seg_scrape *scrape; /* NULL: no metrics wanted, or not to be had */
	bool scrape_open;
	int64_t scrape_again; /* monotonic, us; 0: it serves, or nobody asked for it */
	struct seg_identity who;

	struct seg_nft *nft;
	struct seg_nft_walk *count; /* NULL: no reading under way */
	struct event *count_event;
	bool nft_kept;
	bool prepared; /* conntrack's settings were looked after */
	struct seg_nft_monitor *monitor;
	struct seg_conntrack *conntrack; /* events and the dump in slices */
	struct seg_conntrack *asker;	 /* blocking dumps and deletes, beside them */
	struct seg_walks *walks;
	struct seg_nflog *nflog;
	int64_t nflog_again; /* as scrape_again */
	struct seg_links *links;
	bool links_changed;
	struct seg_sink *sink[SEG_SINKS];
	size_t sinks;
	struct event *sink_event; /* one of them is slow */
	unsigned sink_wait;	  /* ms */

	struct event *event[12];
	size_t events;
	struct event *dump_event, *nflog_event, *round_event;
	struct seg_pace *flow_pace; /* of conntrack's events */
	time_t wall_ahead;	    /* wall clock less time since boot */
	int64_t second;		    /* when the last one was noticed */
	struct seg_histogram lateness;
};

static time_t wall(void)
{
	return time(NULL);
}

static int64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static time_t since_boot(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

static void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("segd: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

/* The kernel, as the engine asks for it. */

/* Behind the first commit: our rules are what loads conntrack. CAP_NET_ADMIN is enough. */
static void prepare_conntrack(struct seg_loop *loop)
{
	const char *failed[SEG_CONNTRACK_SETTINGS];

	loop->prepared = true;
	for (size_t i = 0, n = seg_conntrack_prepare(failed); i < n; i++)
		log_line("%s cannot be set: counts or events of flows are missing", failed[i]);
}

/* Somebody committed while we did: the table is looked at as a whole. */
static void on_missed(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	seg_engine_transaction(loop->engine, NULL, wall());
}

static int kernel_commit(void *kernel, const struct seg_plan *old, const struct seg_plan *new,
			 struct seg_diags *diags)
{
	struct seg_loop *loop = kernel;
	const struct timeval now = {0};
	int r;

	(void)seg_nft_monitor_pause(loop->monitor, true);
	r = seg_nft_commit(loop->nft, old, new, diags);
	if (seg_nft_monitor_pause(loop->monitor, false) || seg_nft_disturbed(loop->nft))
		event_base_once(loop->base, -1, EV_TIMEOUT, on_missed, loop, &now);

	if (!r && !loop->prepared)
		prepare_conntrack(loop);
	return r;
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

static int kernel_elements(void *kernel, const struct seg_set *set, seg_counter_fn each, void *context)
{
	struct seg_loop *loop = kernel;

	return seg_nft_read_elements(loop->nft, set, each, context);
}

static void take_counted(void *context, const struct seg_elem *elem)
{
	struct seg_loop *loop = context;

	seg_engine_counted(loop->engine, elem, wall());
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
	const int64_t end = monotonic_us() + COUNT_US;
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
		seg_engine_counted_all(loop->engine, r < 0 ? r : 0, wall());
	} while (loop->count && monotonic_us() < end);
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

static void on_round(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	seg_engine_came_round(loop->engine, wall());
}

static void kernel_come_round(void *kernel)
{
	static const struct timeval now = {0};
	struct seg_loop *loop = kernel;

	event_add(loop->round_event, &now);
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

static int kernel_bypass(void *kernel, const char *const *interface, size_t interfaces,
			 void (*each)(void *context, const char *text), void *context)
{
	int r = seg_bypass_find(interface, interfaces, each, context);

	(void)kernel;
	return r ? r : seg_nft_find_bypass(each, context);
}

static const struct seg_kernel_ops kernel_ops = {
	.commit = kernel_commit,
	.untouched = kernel_untouched,
	.read = kernel_read,
	.elements = kernel_elements,
	.count = kernel_count,
	.count_stop = kernel_count_stop,
	.element = kernel_element,
	.remove = kernel_remove,
	.facts = kernel_facts,
	.flows = kernel_flows,
	.walk = kernel_walk,
	.walk_pause = kernel_walk_pause,
	.walk_stop = kernel_walk_stop,
	.come_round = kernel_come_round,
	.dump = kernel_dump,
	.delete = kernel_delete,
	.unmark = kernel_unmark,
	.bypass = kernel_bypass,
};

/* What the engine says. */

/* Soon again where lines wait for a server that reads; the longer, the less it does. */
static void wait_for_sinks(struct seg_loop *loop)
{
	const struct timeval wait = {.tv_usec = (int)loop->sink_wait * 1000};
	bool slow = false;

	for (size_t i = 0; i < loop->sinks; i++)
		slow |= seg_sink_slow(loop->sink[i]);
	if (slow && loop->sink_event && !event_pending(loop->sink_event, EV_TIMEOUT, NULL))
		event_add(loop->sink_event, &wait);
}

static bool flush_sinks(struct seg_loop *loop)
{
	bool moved = false;

	for (size_t i = 0; i < loop->sinks; i++) {
		size_t before = seg_sink_pending(loop->sink[i]);

		if (before)
			seg_sink_flush(loop->sink[i]);
		moved |= seg_sink_pending(loop->sink[i]) < before;
	}
	return moved;
}

static void on_slow_sink(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	loop->sink_wait = flush_sinks(loop) ? SINK_WAIT : loop->sink_wait * 2;
	if (loop->sink_wait > SINK_WAIT_MAX)
		loop->sink_wait = SINK_WAIT_MAX;
	wait_for_sinks(loop);
}

static void take_alert(void *context, const struct seg_alert *alert)
{
	struct seg_loop *loop = context;

	for (size_t i = 0; i < loop->sinks; i++)
		seg_sink_put(loop->sink[i], alert);
	wait_for_sinks(loop);
}

static void take_status(void *context, const char *status)
{
	(void)context;
	seg_service_status(status);
	log_line("%s", status);
}

/* What the kernel says. */

static void take_flow(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	struct seg_loop *loop = context;

	seg_engine_flow(loop->engine, event, flow, wall());
}

static enum seg_pace_found read_conntrack(void *context)
{
	struct seg_loop *loop = context;
	bool lost;
	int read = seg_conntrack_read_events(loop->conntrack, &lost);

	if (lost)
		seg_engine_events_lost(loop->engine, wall());
	if (read > 0)
		seg_engine_settle(loop->engine, wall());
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
	seg_engine_settle(loop->engine, wall());
	if (!r)
		return;
	event_del(loop->dump_event);
	seg_engine_dumped(loop->engine, r < 0 ? r : 0, wall());
}

static void take_refused(void *context, const struct seg_refused *refused)
{
	struct seg_loop *loop = context;

	seg_engine_refused(loop->engine, refused, wall());
}

static void on_nflog(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	seg_nflog_read(loop->nflog); /* lost lines are no lost counts: those are the kernel's */
}

static void take_transaction(void *context, const struct seg_nft_transaction *transaction)
{
	struct seg_loop *loop = context;

	if (transaction->portid != seg_nft_portid(loop->nft))
		seg_engine_transaction(loop->engine, transaction, wall());
}

static void on_monitor(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	if (seg_nft_monitor_read(loop->monitor) == -ENOBUFS)
		seg_engine_transaction(loop->engine, NULL, wall());
}

/* Links. */

static void take_link(void *context, const struct seg_link_change *change)
{
	struct seg_loop *loop = context;

	(void)change;
	loop->links_changed = true;
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
	seg_engine_links(loop->engine, &gateway, name, links, wall());
	free(addr);
	free(name);
	loop->links_changed = false;
}

static void on_links(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	if (seg_links_read(loop->links) == -ENOBUFS)
		seg_links_dump(loop->links);
	if (!seg_links_complete(loop->links) || !loop->links_changed)
		return;
	pass_links_on(loop);
	seg_engine_tick(loop->engine, wall(), false); /* interfaces that come are to work at once */
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
		if (r == -ENOBUFS)
			r = seg_links_dump(loop->links);
	}
	if (r)
		return r;
	pass_links_on(loop);
	return 0;
}

/* Time and signals. */

static void reopen_nflog(struct seg_loop *loop)
{
	const char *detail = NULL;
	int r = seg_nflog_open(&loop->nflog, take_refused, loop, &detail);

	if (r) {
		if (!loop->nflog_again)
			log_line("refused packets are counted but not shown: %s: %s",
				 detail ? detail : "nflog", strerror(-r));
		loop->nflog_again = monotonic_us() + NFLOG_AGAIN;
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
	int64_t now = monotonic_us();
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
	const struct seg_request request = {.now = wall(), .done = take_metrics, .context = loop};
	json_t *out = NULL;
	int r = seg_engine_metrics(loop->engine, &request, &out);

	if (r != SEG_LATER)
		take_metrics(loop, r, out);
}

static void say_no_metrics(const struct seg_loop *loop, int r)
{
	log_line("metrics are not served: %s: %s", loop->settings->metrics.text, strerror(-r));
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
		log_line("metrics are served: %s", loop->settings->metrics.text);
	loop->scrape_again = r ? monotonic_us() + SCRAPE_AGAIN : 0;
}

static void on_second(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;
	time_t now = wall(), ahead = now - since_boot();
	bool stepped = ahead - loop->wall_ahead > STEP || loop->wall_ahead - ahead > STEP;

	(void)fd;
	(void)what;
	loop->wall_ahead = ahead;
	measure_lateness(loop);
	seg_engine_tick(loop->engine, now, stepped);
	if (!loop->nflog && loop->nflog_again <= monotonic_us())
		reopen_nflog(loop);
	if (loop->scrape_again && loop->scrape_again <= monotonic_us())
		open_scrape(loop);
	flush_sinks(loop);
	wait_for_sinks(loop);
	seg_service_alive();
}

static void on_hangup(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	seg_engine_reload(loop->engine, wall());
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
	struct seg_loop *loop = context;

	(void)fd;
	(void)what;
	event_base_loopbreak(loop->base);
}

/* Life. */

/* Where journald itself listens on /dev/log, a line there and an entry with fields would be told twice,
 * and handed on twice to a syslog daemon behind it. */
static bool is_journald(const char *path)
{
	char *real = realpath(path, NULL);
	bool is = real && !strncmp(real, JOURNAL_DIR, strlen(JOURNAL_DIR));

	free(real);
	return is;
}

static void open_sinks(struct seg_loop *loop)
{
	const struct seg_settings *settings = loop->settings;
	struct seg_sink_options journal = settings->syslog_options;
	bool to_syslog = settings->syslog != SEG_OFF, to_journal = settings->journal == SEG_ON;
	struct stat st;

	journal.path = JOURNAL_DIR "socket";
	if (settings->journal == SEG_AUTO && !stat(journal.path, &st)) {
		bool same = to_syslog && is_journald(settings->syslog_options.path);
		bool fields =
			journal.format == SEG_FORMAT_TEXT; /* else the line's own format is what is wanted */

		to_journal = !same || fields;
		to_syslog = to_syslog && !(same && fields);
	}
	if (to_syslog)
		loop->sink[loop->sinks++] = seg_syslog_new(&settings->syslog_options);
	if (to_journal)
		loop->sink[loop->sinks++] = seg_journal_new(&journal);
}

static int open_edges(struct seg_loop *loop, const char **what)
{
	int r, kept = seg_service_kept(NFT_NAME);

	*what = "nf_tables";
	r = seg_nft_open(&loop->nft, kept);
	if (!r)
		r = seg_nft_monitor_open(&loop->monitor, take_transaction, loop);
	if (r)
		return r;
	*what = "conntrack";
	r = seg_conntrack_open(&loop->conntrack, loop->settings->receive_buffer, take_flow, loop);
	if (!r)
		r = seg_conntrack_open(&loop->asker, 0, NULL, NULL);
	if (r)
		return r;
	*what = "rtnetlink";
	return seg_links_open(&loop->links, take_link, loop);
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
	open_sinks(loop);
	make_scrape(loop);
	loop->sink_wait = SINK_WAIT;
	loop->sink_event = evtimer_new(loop->base, on_slow_sink, loop);
	*out = loop;
	return 0;
}

static struct seg_engine *make_engine(struct seg_loop *loop)
{
	struct seg_engine_options options = {
		.policy_file = loop->settings->policy,
		.observe = loop->settings->observe,
		.denied_window = loop->settings->denied_window,
		.alert = take_alert,
		.say = take_status,
		.context = loop,
	};

	return seg_engine_new(&options, &kernel_ops, loop, loop->store);
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
	if (!loop->dump_event || !loop->flow_pace || !loop->round_event)
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
		log_line("the gateway has its rules or is sealed");
	if (r)
		return r;
	add_events(loop);
	reopen_nflog(loop);
	loop->wall_ahead = wall() - since_boot();
	*what = "nf_tables";
	r = seg_engine_start(loop->engine, wall());
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
	loop->second = monotonic_us();
	event_base_dispatch(loop->base);
	seg_service_stopping();
	seg_engine_stop(loop->engine, wall());
	while (flush_sinks(loop))
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
	if (loop->sink_event)
		event_free(loop->sink_event);
	if (loop->nflog_event)
		event_free(loop->nflog_event);
	kernel_count_stop(loop);
	seg_engine_free(loop->engine);
	seg_walks_free(loop->walks);
	seg_store_close(loop->store);
	for (size_t i = 0; i < loop->sinks; i++)
		seg_sink_free(loop->sink[i]);
	seg_links_close(loop->links);
	seg_nflog_close(loop->nflog);
	seg_conntrack_close(loop->asker);
	seg_conntrack_close(loop->conntrack);
	if (loop->monitor)
		seg_nft_monitor_close(loop->monitor);
	if (loop->nft)
		seg_nft_close(loop->nft);
	if (loop->base)
		event_base_free(loop->base);
	free(loop);
}
