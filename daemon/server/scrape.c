/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scrape.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socket_file.h"

#define CLIENTS_MAX 16
#define HEADERS_MAX 8192 /* bytes of a request */
#define UNREAD_MAX 16384 /* of what it may send beyond, until it is let go */
#define SILENCE_S 5	 /* without a byte in or out */
#define SWEEP_MS 250
#define SWEEPS_MAX 40 /* 10 s: a client's whole life */
#define FRESH_S 1
#define RETRY_S 1 /* until accepting again when there is no descriptor left */
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Its answer is being made. The client may have gone: evhttp knows, and sends nothing then. */
struct asked {
	struct evhttp_request *request;
	STAILQ_ENTRY(asked) entry;
};

/* evhttp counts no connections and gives a slow one all the time it wants. So each connection's bufferevent
 * is held here as well, and looked at a few times a second: let go by evhttp, or too old. */
struct client {
	struct bufferevent *bev;
	unsigned sweeps;
	LIST_ENTRY(client) entry;
};

struct seg_scrape {
	struct event_base *base;
	const struct seg_metrics_at *at;
	seg_scrape_fn ask;
	void *context;

	int fd; /* of a port, not served yet; -1 */
	bool bound;
	struct seg_socket_file file;
	struct evhttp *http;
	struct evconnlistener *listener; /* evhttp's */
	struct event *sweep, *retry, *stale;
	LIST_HEAD(, client) clients;
	unsigned n;
	STAILQ_HEAD(, asked) asked; /* wait for the text */
	struct seg_strbuf text;
	bool fresh; /* text is less than a second old */
};

/* Clients. */

static bool let_go(const struct client *client)
{
	bufferevent_data_cb read, write;
	bufferevent_event_cb event;

	bufferevent_getcb(client->bev, &read, &write, &event, NULL);
	return !read && !write && !event;
}

static void client_free(struct seg_scrape *scrape, struct client *client)
{
	LIST_REMOVE(client, entry);
	scrape->n--;
	bufferevent_decref(client->bev);
	free(client);
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval soon = {.tv_usec = SWEEP_MS * 1000};
	struct seg_scrape *scrape = context;
	struct client *client, *next;

	(void)fd;
	(void)what;
	for (client = LIST_FIRST(&scrape->clients); client; client = next) {
		next = LIST_NEXT(client, entry);
		if (!let_go(client) && ++client->sweeps >= SWEEPS_MAX)
			bufferevent_trigger_event(client->bev, BEV_EVENT_TIMEOUT, 0);
		if (let_go(client))
			client_free(scrape, client);
	}
	if (scrape->n < CLIENTS_MAX && !evtimer_pending(scrape->retry, NULL))
		evconnlistener_enable(scrape->listener);
	if (scrape->n)
		evtimer_add(scrape->sweep, &soon);
}

static struct bufferevent *make_client(struct event_base *base, void *context)
{
	static const struct timeval soon = {.tv_usec = SWEEP_MS * 1000};
	struct seg_scrape *scrape = context;
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		abort();
	client->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!client->bev)
		abort();
	bufferevent_incref(client->bev);
	bufferevent_setwatermark(client->bev, EV_READ, 0, UNREAD_MAX);
	LIST_INSERT_HEAD(&scrape->clients, client, entry);
	if (!scrape->n++)
		evtimer_add(scrape->sweep, &soon);
	if (scrape->n >= CLIENTS_MAX)
		evconnlistener_disable(scrape->listener);
	return client->bev;
}

/* No descriptor left, most likely: a listener that stays ready would spin the loop. */
static void on_accept_error(struct evconnlistener *listener, void *context)
{
	static const struct timeval later = {.tv_sec = RETRY_S};
	struct seg_scrape *scrape = context;

	evconnlistener_disable(listener);
	evtimer_add(scrape->retry, &later);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	struct seg_scrape *scrape = context;

	(void)fd;
	(void)what;
	if (scrape->n < CLIENTS_MAX)
		evconnlistener_enable(scrape->listener);
}

/* Answers. */

static void on_stale(evutil_socket_t fd, short what, void *context)
{
	struct seg_scrape *scrape = context;

	(void)fd;
	(void)what;
	scrape->fresh = false;
}

static void answer(struct evhttp_request *request, int code, const char *reason, const char *type,
		   const struct seg_strbuf *text)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();
	char len[24];

	if (!body)
		abort();
	snprintf(len, sizeof(len), "%zu", text->len);
	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Content-Length", len);
	evhttp_add_header(headers, "Connection", "close");
	if (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD)
		evbuffer_add(body, seg_strbuf_text(text), text->len);
	evhttp_send_reply(request, code, reason, body);
	evbuffer_free(body);
}

static void refuse(struct evhttp_request *request, int code, const char *reason)
{
	struct seg_strbuf text = {0};

	seg_strbuf_printf(&text, "%s\n", reason);
	answer(request, code, reason, "text/plain; charset=utf-8", &text);
	seg_strbuf_fini(&text);
}

static void answer_text(struct seg_scrape *scrape, struct evhttp_request *request)
{
	answer(request, HTTP_OK, "OK", CONTENT_TYPE, &scrape->text);
}

/* The first one asks for the text, those who come meanwhile wait for the same. */
static void wait_for_text(struct seg_scrape *scrape, struct evhttp_request *request)
{
	bool first = STAILQ_EMPTY(&scrape->asked);
	struct asked *asked = calloc(1, sizeof(*asked));

	if (!asked)
		abort();
	asked->request = request;
	STAILQ_INSERT_TAIL(&scrape->asked, asked, entry);
	if (first)
		scrape->ask(scrape->context);
}

static struct evhttp_request *next_asked(struct seg_scrape *scrape)
{
	struct asked *asked = STAILQ_FIRST(&scrape->asked);
	struct evhttp_request *request = asked ? asked->request : NULL;

	if (asked)
		STAILQ_REMOVE_HEAD(&scrape->asked, entry);
	free(asked);
	return request;
}

void seg_scrape_answer(struct seg_scrape *scrape, const char *text, size_t len)
{
	static const struct timeval later = {.tv_sec = FRESH_S};
	struct evhttp_request *request;

	seg_strbuf_reset(&scrape->text);
	seg_strbuf_add_n(&scrape->text, text, len);
	scrape->fresh = true;
	evtimer_add(scrape->stale, &later);
	while ((request = next_asked(scrape)))
		answer_text(scrape, request);
}

static void on_request(struct evhttp_request *request, void *context)
{
	enum evhttp_cmd_type command = evhttp_request_get_command(request);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	struct seg_scrape *scrape = context;

	if (!path || strcmp(path, "/metrics")) {
		refuse(request, HTTP_NOTFOUND, "Not Found");
	} else if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD) {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
		refuse(request, HTTP_BADMETHOD, "Method Not Allowed");
	} else if (scrape->fresh) {
		answer_text(scrape, request);
	} else {
		wait_for_text(scrape, request);
	}
}

/* Life. */

static int make_port(struct seg_scrape *scrape)
{
	int one = 1;

	scrape->fd = socket(seg_addr_family(scrape->at->addr) == SEG_IPV4 ? AF_INET : AF_INET6,
			    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (scrape->fd < 0)
		return -errno;
	return setsockopt(scrape->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ? -errno : 0;
}

static int take_port(struct seg_scrape *scrape)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(scrape->at->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(scrape->at->port)};
	bool is_v4 = seg_addr_family(scrape->at->addr) == SEG_IPV4;

	seg_addr_to_bytes(scrape->at->addr, is_v4 ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr);
	if (!scrape->bound && bind(scrape->fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
				   is_v4 ? sizeof(v4) : sizeof(v6)))
		return -errno;
	scrape->bound = true;
	return 0;
}

int seg_scrape_new(struct seg_scrape **result, struct event_base *base, const struct seg_metrics_at *at,
		   seg_scrape_fn ask, void *context)
{
	struct seg_scrape *scrape = calloc(1, sizeof(*scrape));
	int r = 0;

	if (!scrape)
		abort();
	*scrape = (struct seg_scrape){.base = base, .at = at, .ask = ask, .context = context, .fd = -1};
	LIST_INIT(&scrape->clients);
	STAILQ_INIT(&scrape->asked);
	if (!at->path)
		r = make_port(scrape);
	if (r) {
		seg_scrape_free(scrape);
		return r;
	}
	if (!at->path)
		take_port(scrape); /* who may do it now may perhaps not do it later; said when it listens */
	*result = scrape;
	return 0;
}

static int listening_fd(struct seg_scrape *scrape, const struct seg_identity *who)
{
	int r;

	if (scrape->at->path)
		return seg_socket_file_listen(&scrape->file, scrape->at->path, who->uid, who->asking);
	r = take_port(scrape);
	if (!r && listen(scrape->fd, SOMAXCONN))
		r = -errno;
	return r ? r : scrape->fd;
}

static void serve(struct seg_scrape *scrape, int fd)
{
	scrape->listener = evconnlistener_new(scrape->base, NULL, NULL,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	scrape->sweep = evtimer_new(scrape->base, on_sweep, scrape);
	scrape->retry = evtimer_new(scrape->base, on_retry, scrape);
	scrape->stale = evtimer_new(scrape->base, on_stale, scrape);
	scrape->http = evhttp_new(scrape->base);
	if (!scrape->listener || !scrape->sweep || !scrape->retry || !scrape->stale || !scrape->http ||
	    !evhttp_bind_listener(scrape->http, scrape->listener))
		abort();
	evconnlistener_set_error_cb(scrape->listener, on_accept_error);
	evhttp_set_bevcb(scrape->http, make_client, scrape);
	evhttp_set_timeout(scrape->http, SILENCE_S);
	evhttp_set_max_headers_size(scrape->http, HEADERS_MAX);
	evhttp_set_max_body_size(scrape->http, 0);
	evhttp_set_allowed_methods(scrape->http, UINT16_MAX); /* what is not allowed is said to be so */
	evhttp_set_gencb(scrape->http, on_request, scrape);
}

int seg_scrape_listen(struct seg_scrape *scrape, const struct seg_identity *who)
{
	int fd = listening_fd(scrape, who);

	if (fd < 0)
		return fd;
	scrape->fd = -1;
	serve(scrape, fd);
	return 0;
}

void seg_scrape_free(struct seg_scrape *scrape)
{
	struct evhttp_request *request;

	if (!scrape)
		return;
	while ((request = next_asked(scrape)))
		refuse(request, HTTP_SERVUNAVAIL, "Service Unavailable");
	if (scrape->http)
		evhttp_free(scrape->http); /* and the listener */
	while (!LIST_EMPTY(&scrape->clients))
		client_free(scrape, LIST_FIRST(&scrape->clients));
	seg_socket_file_remove(&scrape->file);
	if (scrape->sweep)
		event_free(scrape->sweep);
	if (scrape->retry)
		event_free(scrape->retry);
	if (scrape->stale)
		event_free(scrape->stale);
	if (scrape->fd >= 0)
		close(scrape->fd);
	seg_strbuf_fini(&scrape->text);
	free(scrape);
}
