/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_SOCKET_FILE_H
#define SEGD_SOCKET_FILE_H

/*
 * A UNIX stream socket that listens at a path: made so that nobody connects before
 * its owner, group and mode (0660) are right, put in the place of one that a dead
 * daemon left, and removed only as long as it is the one made here.
 */

#include <sys/stat.h>
#include <sys/types.h>

struct seg_socket_file {
	char *path; /* NULL: nothing was made */
	struct stat made;
};

/* The listening descriptor, not blocking, the caller's; or -errno: -EADDRINUSE where a living daemon
 * answers, -EEXIST where something else than a socket lies. owner, group: (uid_t)-1, (gid_t)-1: as it
 * comes. */
int seg_socket_file_listen(struct seg_socket_file *file, const char *path, uid_t owner, gid_t group);
/* Of a zeroed one too. */
void seg_socket_file_remove(struct seg_socket_file *file);

#endif
