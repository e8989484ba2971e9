// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int open_setting(const char *name, int flags)
{
	char path[128];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "/proc/sys/%s", name) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int seg_sysctl_read(const char *name, long *value)
{
	char text[32], *end;
	ssize_t len;
	int fd = open_setting(name, O_RDONLY);

	if (fd < 0)
		return fd;
	len = read(fd, text, sizeof(text) - 1);
	if (len < 0)
		len = -errno;
	close(fd);
	if (len < 0)
		return (int)len;
	text[len] = '\0';
	*value = strtol(text, &end, 10);
	return end == text ? -EINVAL : 0;
}

int seg_sysctl_write(const char *name, long value)
{
	long now;
	int fd, error = seg_sysctl_read(name, &now);

	if (error || now == value)
		return error;
	fd = open_setting(name, O_WRONLY);
	if (fd < 0)
		return fd;
	if (dprintf(fd, "%ld\n", value) < 0)
		error = -errno;
	close(fd);
	return error;
}
