/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/load.h"

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_file(int dir, const char *name, const char *text, size_t len, bool sync)
{
	int r = 0, fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0)
		return -errno;
	r = write_all(fd, text, len);
	if (!r && sync && fsync(fd))
		r = -errno;
	if (close(fd) && !r)
		r = -errno;
	if (r)
		unlinkat(dir, name, 0);
	return r;
}

int seg_file_write(int dir, const char *name, const char *text, size_t len)
{
	return write_file(dir, name, text, len, true);
}

int seg_file_leave(int dir, const char *name, const char *text, size_t len)
{
	return write_file(dir, name, text, len, false);
}

int seg_folder_sync(int dir)
{
	return fsync(dir) ? -errno : 0;
}

int seg_file_replace(int dir, const char *name, const char *text, size_t len)
{
	char temp[64];
	int r;

	snprintf(temp, sizeof(temp), ".%s.new", name);
	r = seg_file_write(dir, temp, text, len);
	if (!r && renameat(dir, temp, dir, name))
		r = -errno;
	return r ? r : seg_folder_sync(dir);
}

int seg_file_append(int dir, const char *name, size_t at, const char *text, size_t len)
{
	int r = 0, fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		r = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size < (off_t)at)
		r = -ESTALE;
	else if ((st.st_size > (off_t)at && ftruncate(fd, (off_t)at)) || lseek(fd, (off_t)at, SEEK_SET) < 0)
		r = -errno;
	if (!r) {
		r = write_all(fd, text, len);
		if (!r && fsync(fd))
			r = -errno;
		if (r && ftruncate(fd, (off_t)at))
			r = -EIO;
	}
	close(fd);
	return r;
}

int seg_file_read(int dir, const char *name, char **text, size_t *len)
{
	struct stat st;
	int r = 0, fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	*text = NULL;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		r = -errno;
		goto out;
	}
	if (st.st_size < 0 || st.st_size > SEG_POLICY_MAX_BYTES) {
		r = -EFBIG;
		goto out;
	}
	*text = malloc((size_t)st.st_size + 1);
	if (!*text)
		abort();
	*len = 0;
	while (*len < (size_t)st.st_size) {
		ssize_t n = read(fd, *text + *len, (size_t)st.st_size - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n < 0 ? -errno : -EIO;
			free(*text);
			*text = NULL;
			goto out;
		}
		*len += (size_t)n;
	}
	(*text)[*len] = '\0';
out:
	close(fd);
	return r;
}
