// SPDX-License-Identifier: GPL-2.0-or-later
#include "session.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "output.h"

#define VARIABLE "SSH_CONNECTION="
#define GENERATIONS 32

static size_t read_proc(int pid, const char *file, char *buf, size_t size)
{
	char path[64];
	size_t len = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (len < size && (n = read(fd, buf + len, size - len)) > 0)
		len += (size_t)n;
	close(fd);
	return len;
}

static int parent_of(int pid)
{
	char stat[512];
	size_t len = read_proc(pid, "stat", stat, sizeof(stat) - 1);
	const char *name_end;
	int parent;

	stat[len] = '\0';
	name_end = strrchr(stat, ')'); /* a name may hold anything, brackets too */
	return name_end && sscanf(name_end, ") %*c %d", &parent) == 1 ? parent : 0;
}

static bool find_in(int pid, char *session)
{
	static char environment[256 << 10];
	size_t len = read_proc(pid, "environ", environment, sizeof(environment) - 1);

	environment[len] = '\0';
	for (size_t i = 0; i < len; i += strlen(environment + i) + 1) {
		if (strncmp(environment + i, VARIABLE, strlen(VARIABLE)) || !environment[i + strlen(VARIABLE)])
			continue; /* one that is empty tells of none */
		snprintf(session, SEGCTL_SESSION_STRLEN, "%s", environment + i + strlen(VARIABLE));
		return true;
	}
	return false;
}

bool segctl_session(char session[static SEGCTL_SESSION_STRLEN])
{
	const char *own = getenv("SSH_CONNECTION");
	int pid = getppid();

	if (own && *own) {
		snprintf(session, SEGCTL_SESSION_STRLEN, "%s", own);
		return true;
	}
	for (int i = 0; pid > 1 && i < GENERATIONS; i++, pid = parent_of(pid)) {
		if (find_in(pid, session))
			return true;
	}
	return false;
}

void segctl_session_put(json_t *parameters, bool force)
{
	char session[SEGCTL_SESSION_STRLEN];

	if (force)
		json_object_set_new(parameters, "force", json_true());
	if (segctl_session(session))
		json_object_set_new(parameters, "session", segctl_json_text(session));
}
