// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int seg_sysctl_read_text(const char *name, char *text, size_t size)
{
	ssize_t len;
	int fd = open_setting(name, O_RDONLY);

	if (fd < 0)
		return fd;
	len = read(fd, text, size - 1);
	if (len < 0)
		len = -errno;
	close(fd);
	if (len < 0)
		return (int)len;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int seg_sysctl_read(const char *name, long *value)
{
	char text[32], *end;
	int error = seg_sysctl_read_text(name, text, sizeof(text));

	if (error)
		return error;
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
