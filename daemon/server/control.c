/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>
#include "control.h"
#include "control/interface.h"
#include "socket_file.h"

#define MESSAGE_MAX (4u << 20) /* one call: a policy's text and lists fit */
#define READ_CHUNK (64u << 10) /* what is taken from the kernel ahead of need */
#define CALLS_A_WAKEUP 8
#define UNREAD_MAX (4u << 20)  /* answers waiting before the next call; events before a watcher goes */
#define UNREAD_PIECES (256u << 10) /* of an answer in pieces before it pauses */
#define UNREAD_ALL (64u << 20) /* of all clients together before readers are told to wait */
#define RESERVED 8	       /* places for those who may change something */
#define READS_S 3600	       /* for whoever reads an answer in pieces: a person, page by page */
#define RETRY_S 1	       /* until accepting again when there is no descriptor left */

struct client {
	struct seg_session session;
	struct seg_control *control;
	struct bufferevent *bev;
	struct event *timer; /* idle; made active at once to end the client safely */
	struct seg_varlink_reader reader;
	bool eof, ending;
	LIST_ENTRY(client) entry;
};

struct seg_control {
	struct event_base *base;
	struct seg_dispatch *dispatch;
	struct evconnlistener *listener;
	struct event *retry;
	unsigned max;
	struct timeval idle, stall;
	LIST_HEAD(, client) clients;
	struct seg_control_stats stats;
	struct seg_socket_file file; /* zero: handed over, not ours to remove */
};

static struct client *client_of(struct seg_session *session)
{
	return (struct client *)((char *)session - offsetof(struct client, session));
}

static size_t unread(const struct client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->bev));
}

static void client_free(struct client *client)
{
	seg_session_end(&client->session);
	LIST_REMOVE(client, entry);
	client->control->stats.clients--;
	event_free(client->timer);
	bufferevent_free(client->bev);
	seg_varlink_reader_fini(&client->reader);
	free(client);
}

/* Ends a client from anywhere, also from within its own callbacks and the engine's: it is
 * silent at once, and freed when the loop comes round. */
static void client_end(struct client *client)
{
	if (client->ending)
		return;
	client->ending = true;
	seg_session_end(&client->session);
	bufferevent_disable(client->bev, EV_READ | EV_WRITE);
	event_active(client->timer, EV_TIMEOUT, 0);
}

static void client_drop(struct client *client)
{
	if (!client->ending)
		client->control->stats.dropped++;
	client_end(client);
}

/* The idle clock runs while a call is ours to expect. */
static void client_rearm(struct client *client)
{
	if (client->ending)
		return;
	if (client->session.waiting || client->session.subscription)
		event_del(client->timer);
	else
		event_add(client->timer, &client->control->idle);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct client *client = context;

	(void)fd;
	(void)what;
	if (!client->ending && unread(client)) {
		client_rearm(client); /* still reading a long answer; if not, the stall clock ends it */
		return;
	}
	if (!client->ending)
		client->control->stats.dropped++;
	client_free(client);
}

static void free_text(const void *data, size_t len, void *context)
{
	(void)data;
	(void)len;
	free(context);
}

/* What a watcher may leave unread: all of them together stay within the bound. */
static size_t watcher_share(const struct seg_control *control)
{
	size_t share = UNREAD_ALL / control->stats.clients;

	return share < UNREAD_MAX ? share : UNREAD_MAX;
}

static void client_send(struct seg_session *session, json_t *message)
{
	struct client *client = client_of(session);
	size_t len;
	char *text;

	if (client->ending) {
		json_decref(message);
		return;
	}
	text = seg_varlink_encode(message, &len);
	if (evbuffer_add_reference(bufferevent_get_output(client->bev), text, len, free_text, text))
		abort();
	if (session->subscription && unread(client) > watcher_share(client->control))
		client_drop(client);
}

static bool client_full(const struct seg_session *session)
{
	return unread((const struct client *)((const char *)session - offsetof(struct client, session))) >
	       UNREAD_PIECES;
}

static bool too_much_unread(const struct seg_control *control)
{
	const struct client *client;
	size_t all = 0;

	LIST_FOREACH(client, &control->clients, entry)
		all += unread(client);
	return all > UNREAD_ALL;
}

static json_t *busy_error(const char *message)
{
	return seg_varlink_error_new(SEG_ERROR_BUSY,
				     json_pack("{s:s, s:s}", "code", "busy", "message", message));
}

static void take_call(struct client *client, char *text, size_t len)
{
	struct seg_varlink_call call;

	if (seg_varlink_call_parse(text, len, &call)) {
		client_drop(client);
		return;
	}
	if (!seg_session_may_change(client->session.uid) && too_much_unread(client->control)) {
		if (!call.oneway)
			client_send(&client->session, busy_error("other clients do not read their answers"));
	} else {
		const struct timeval reads = {.tv_sec = READS_S};

		seg_dispatch_call(client->control->dispatch, &client->session, &call);
		bufferevent_set_timeouts(client->bev, NULL,
					 client->session.waiting && call.more ? &reads
									      : &client->control->stall);
	}
	seg_varlink_call_fini(&call);
	client_rearm(client);
}

/* The next message, from what was read before or else from the socket's buffer. */
static int next_message(struct client *client, char **text, size_t *len)
{
	struct evbuffer *input = bufferevent_get_input(client->bev);

	for (;;) {
		int result = seg_varlink_reader_next(&client->reader, text, len);
		size_t held = evbuffer_get_length(input);

		if (result || !held)
			return result;
		seg_varlink_reader_add(&client->reader, evbuffer_pullup(input, -1), held);
		evbuffer_drain(input, held);
	}
}

static bool takes_calls(const struct client *client)
{
	return !client->ending && !client->session.waiting && !client->session.subscription &&
	       unread(client) <= UNREAD_MAX;
}

static void client_work(struct client *client)
{
	for (int n = 0; takes_calls(client); n++) {
		char *text;
		size_t len;
		int result;

		if (n == CALLS_A_WAKEUP) {
			bufferevent_trigger(client->bev, EV_READ,
					    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
			return;
		}
		result = next_message(client, &text, &len);
		if (result < 0)
			client_drop(client);
		if (result <= 0)
			break;
		take_call(client, text, len);
	}
	if (client->eof && !client->session.waiting && !unread(client))
		client_end(client);
}

static void on_read(struct bufferevent *bev, void *context)
{
	(void)bev;
	client_work(context);
}

/* All that was to be sent is sent. */
static void on_written(struct bufferevent *bev, void *context)
{
	struct client *client = context;

	(void)bev;
	seg_session_drained(&client->session);
	client_work(client);
}

/* Not only its half of the connection is closed: nobody is there to take an answer. */
static bool has_gone(const struct client *client)
{
	struct pollfd fd = {.fd = bufferevent_getfd(client->bev)};

	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP);
}

static void on_event(struct bufferevent *bev, short what, void *context)
{
	struct client *client = context;

	(void)bev;
	if ((what & BEV_EVENT_EOF) && !client->session.subscription &&
	    !(client->session.waiting && has_gone(client))) {
		client->eof = true; /* it may only have closed its own half: answer what it asked */
		client_work(client);
	} else if (what & BEV_EVENT_TIMEOUT) {
		client_drop(client);
	} else {
		client_end(client);
	}
}

static void on_answered(struct seg_session *session)
{
	struct client *client = client_of(session);

	client_rearm(client);
	if (!client->ending)
		bufferevent_trigger(client->bev, EV_READ,
				    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

/* Says why, if the socket takes it at once, and hangs up. */
static void refuse_client(struct seg_control *control, int fd)
{
	size_t len;
	char *text = seg_varlink_encode(busy_error("too many clients"), &len);

	control->stats.refused++;
	if (send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0; /* it will see the end of the connection instead */
	free(text);
	close(fd);
}

static void client_new(struct seg_control *control, int fd, const struct ucred *peer)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		abort();
	client->control = control;
	client->session = (struct seg_session){.uid = peer->uid,
					       .gid = peer->gid,
					       .pid = peer->pid,
					       .send = client_send,
					       .full = client_full,
					       .answered = on_answered};
	client->reader.max = MESSAGE_MAX;
	client->bev = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
	client->timer = evtimer_new(control->base, on_timer, client);
	if (!client->bev || !client->timer)
		abort();
	LIST_INSERT_HEAD(&control->clients, client, entry);
	control->stats.clients++;
	bufferevent_setcb(client->bev, on_read, on_written, on_event, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, READ_CHUNK);
	bufferevent_set_timeouts(client->bev, NULL, &control->stall);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
	client_rearm(client);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr, int addrlen,
		      void *context)
{
	struct seg_control *control = context;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	unsigned places;

	(void)listener;
	(void)addr;
	(void)addrlen;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)) {
		close(fd);
		return;
	}
	places = seg_session_may_change(peer.uid) ? control->max : control->max - RESERVED;
	if (control->stats.clients >= places)
		refuse_client(control, fd);
	else
		client_new(control, fd, &peer);
}

/* No descriptor left, most likely: a listener that stays ready would spin the loop. */
static void on_accept_error(struct evconnlistener *listener, void *context)
{
	struct seg_control *control = context;
	const struct timeval later = {.tv_sec = RETRY_S};

	evconnlistener_disable(listener);
	event_add(control->retry, &later);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	struct seg_control *control = context;

	(void)fd;
	(void)what;
	evconnlistener_enable(control->listener);
}

int seg_control_new(struct seg_control **result, struct event_base *base,
		    const struct seg_control_options *options, const struct seg_backend *backend)
{
	struct seg_control *control = calloc(1, sizeof(*control));
	int fd;

	if (!control)
		abort();
	fd = options->fd;
	if (fd < 0)
		fd = seg_socket_file_listen(&control->file, options->path, options->owner, options->group);
	if (fd < 0) {
		free(control);
		return fd;
	}
	control->base = base;
	control->dispatch = seg_dispatch_new(backend);
	control->max = options->clients ? options->clients : 64;
	if (control->max < 2 * RESERVED)
		control->max = 2 * RESERVED;
	control->idle.tv_sec = options->idle ? (time_t)options->idle : 60;
	control->stall.tv_sec = options->stall ? (time_t)options->stall : 10;
	LIST_INIT(&control->clients);
	evutil_make_socket_nonblocking(fd);
	control->listener = evconnlistener_new(base, on_accept, control,
					       LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	control->retry = evtimer_new(base, on_retry, control);
	if (!control->listener || !control->retry)
		abort();
	evconnlistener_set_error_cb(control->listener, on_accept_error);
	*result = control;
	return 0;
}

void seg_control_free(struct seg_control *control)
{
	if (!control)
		return;
	while (!LIST_EMPTY(&control->clients))
		client_free(LIST_FIRST(&control->clients));
	seg_socket_file_remove(&control->file);
	event_free(control->retry);
	evconnlistener_free(control->listener);
	seg_dispatch_free(control->dispatch);
	free(control);
}

struct seg_control_stats seg_control_stats(const struct seg_control *control)
{
	struct seg_control_stats stats = control->stats;
	const struct client *client;

	LIST_FOREACH(client, &control->clients, entry)
		stats.watchers += client->session.subscription != NULL;
	return stats;
}
