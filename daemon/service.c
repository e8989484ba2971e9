/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/*
 * sd_notify() waits while the service manager does not read, and a daemon that waits judges no
 * flow. So the datagram (sd_notify(3), "Notes") goes out without waiting, or not at all.
 */
static bool notify(int fd, const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct iovec text = {.iov_base = (void *)(uintptr_t)state, .iov_len = strlen(state)};
	struct msghdr message = {.msg_name = &to, .msg_iov = &text, .msg_iovlen = 1};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	size_t len = path ? strlen(path) : 0;
	ssize_t sent;
	int s;

	if (len < 2 || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return false;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	message.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (fd >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control.space);
	}
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return false;
	sent = sendmsg(s, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(s);
	return sent >= 0;
}

int seg_service_kept(const char *name)
{
	char **names = NULL;
	int found = -1, n = sd_listen_fds_with_names(false, &names);

	for (int i = 0; i < n; i++) {
		if (found < 0 && !strcmp(names[i], name))
			found = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	return found;
}

bool seg_service_keep(int fd, const char *name)
{
	char state[128];

	if (!getenv("NOTIFY_SOCKET") || !getenv("INVOCATION_ID")) /* not under systemd */
		return false;
	/* One under this name is enough: an old one would come back first. */
	snprintf(state, sizeof(state), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	notify(-1, state);
	snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	return notify(fd, state);
}

void seg_service_ready(void)
{
	notify(-1, "READY=1");
}

void seg_service_status(const char *status)
{
	char state[512];

	snprintf(state, sizeof(state), "STATUS=%s", status);
	notify(-1, state);
}

void seg_service_stopping(void)
{
	notify(-1, "STOPPING=1");
}

void seg_service_alive(void)
{
	notify(-1, "WATCHDOG=1");
}
