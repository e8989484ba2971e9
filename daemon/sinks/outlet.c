// SPDX-License-Identifier: GPL-2.0-or-later
#include "sinks/outlet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DATAGRAM_MAX 65536 /* an alert has some hundred bytes */
#define FLUSH_MAX 1000	   /* some milliseconds */

struct seg_datagram {
	STAILQ_ENTRY(seg_datagram) next;
	size_t len;
	char bytes[];
};

enum outcome { SENT, LATER, NEVER };

void seg_outlet_init(struct seg_outlet *o, const char *path, size_t max)
{
	*o = (struct seg_outlet){.fd = -1, .max = max, .path = strdup(path)};
	if (!o->path)
		abort();
	STAILQ_INIT(&o->queue);
}

static void disconnect(struct seg_outlet *o)
{
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

static void drop_first(struct seg_outlet *o)
{
	struct seg_datagram *first = STAILQ_FIRST(&o->queue);

	STAILQ_REMOVE_HEAD(&o->queue, next);
	o->queued--;
	free(first);
}

void seg_outlet_fini(struct seg_outlet *o)
{
	while (o->queued)
		drop_first(o);
	disconnect(o);
	free(o->path);
}

/* Is the file the one we are connected to? Inode numbers come back, so the time counts as well. */
static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Connects, or keeps a connection to the socket that stands at the path now: who replaced the socket
 * does not listen to the old one any more, and the old one would swallow what it gets. */
static bool connected(struct seg_outlet *o)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct stat now;

	if (stat(o->path, &now) < 0) {
		disconnect(o);
		return false;
	}
	if (o->fd >= 0 && same_file(&now, &o->server))
		return true;
	disconnect(o);
	if (strlen(o->path) >= sizeof(to.sun_path))
		return false;
	strcpy(to.sun_path, o->path);
	o->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (o->fd < 0)
		return false;
	if (connect(o->fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		disconnect(o);
		return false;
	}
	o->server = now;
	return true;
}

static enum outcome try_send(struct seg_outlet *o, const void *bytes, size_t len)
{
	/* A dead server is noticed by the first send; a new one may already be there for the second. */
	for (int i = 0; i < 2 && connected(o); i++) {
		ssize_t sent;

		do
			sent = send(o->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		while (sent < 0 && errno == EINTR);
		if (sent >= 0)
			return SENT;
		if (errno == EMSGSIZE)
			return NEVER;
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
			return LATER;
		disconnect(o);
	}
	return LATER;
}

static void count(struct seg_outlet *o, enum outcome outcome)
{
	o->sent += outcome == SENT;
	o->dropped += outcome == NEVER;
}

static void keep(struct seg_outlet *o, const void *bytes, size_t len)
{
	struct seg_datagram *datagram;

	if (o->queued >= o->max) {
		o->dropped++;
		return;
	}
	datagram = malloc(sizeof(*datagram) + len);
	if (!datagram)
		abort();
	datagram->len = len;
	memcpy(datagram->bytes, bytes, len);
	STAILQ_INSERT_TAIL(&o->queue, datagram, next);
	o->queued++;
}

void seg_outlet_flush(struct seg_outlet *o)
{
	for (int i = 0; o->queued && i < FLUSH_MAX; i++) {
		const struct seg_datagram *first = STAILQ_FIRST(&o->queue);
		enum outcome outcome = try_send(o, first->bytes, first->len);

		if (outcome == LATER)
			return;
		count(o, outcome);
		drop_first(o);
	}
}

bool seg_outlet_slow(const struct seg_outlet *o)
{
	return o->queued && o->fd >= 0;
}

void seg_outlet_put(struct seg_outlet *o, const void *bytes, size_t len)
{
	enum outcome outcome = LATER;

	if (len > DATAGRAM_MAX) {
		o->dropped++;
		return;
	}
	seg_outlet_flush(o);
	if (!o->queued)
		outcome = try_send(o, bytes, len);
	if (outcome == LATER)
		keep(o, bytes, len);
	count(o, outcome);
}
