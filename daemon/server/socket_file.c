/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "socket_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket file that nobody listens on is left over from a daemon that died. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat there;
	int fd, result = 0;

	if (lstat(address->sun_path, &there))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(there.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) || errno == EAGAIN)
		result = -EADDRINUSE;
	else if (errno != ECONNREFUSED || unlink(address->sun_path))
		result = -errno;
	close(fd);
	return result;
}

/* Only where it is not so already: whoever is that user may lack the right to call chown at all. */
static int give_socket(const char *path, uid_t owner, gid_t group)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if ((owner == (uid_t)-1 || owner == st.st_uid) && (group == (gid_t)-1 || group == st.st_gid))
		return 0;
	return chown(path, owner, group) ? -errno : 0;
}

static int bind_socket(int fd, const struct sockaddr_un *address, uid_t owner, gid_t group)
{
	mode_t mask = umask(0177);
	int result = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	umask(mask);
	if (result)
		return result;
	result = give_socket(address->sun_path, owner, group);
	if (!result && (chmod(address->sun_path, 0660) || listen(fd, SOMAXCONN)))
		result = -errno;
	if (result)
		unlink(address->sun_path);
	return result;
}

int seg_socket_file_listen(struct seg_socket_file *file, const char *path, uid_t owner, gid_t group)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, result;

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	result = remove_stale(&address);
	if (result)
		return result;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	result = bind_socket(fd, &address, owner, group);
	if (result) {
		close(fd);
		return result;
	}
	file->path = strdup(path);
	if (!file->path)
		abort();
	if (lstat(path, &file->made))
		file->made = (struct stat){0};
	return fd;
}

void seg_socket_file_remove(struct seg_socket_file *file)
{
	struct stat there;

	if (file->path && !lstat(file->path, &there) && there.st_ino == file->made.st_ino &&
	    there.st_dev == file->made.st_dev)
		unlink(file->path);
	free(file->path);
	file->path = NULL;
}
