/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_STORE_FILE_H
#define SEGD_STORE_FILE_H

/*
 * Files of the state directory, by the folder's descriptor and their name in it.
 *
 * What returns 0 is on the disk, but where it says otherwise. Links are not followed. Everything else is a
 * negative errno.
 */

#include <stddef.h>

/* A file that is not there yet, or of nobody's interest; on failure there is none. Its name in the folder is
 * on the disk after seg_folder_sync(). */
int seg_file_write(int dir, const char *name, const char *text, size_t len);
/* Written beside its old self, and renamed: a reader finds the old or the new, never a half. */
int seg_file_replace(int dir, const char *name, const char *text, size_t len);
/* Behind its first `at` bytes, in place of all that follows them; on failure those alone are left. -ESTALE:
 * it has fewer. */
int seg_file_append(int dir, const char *name, size_t at, const char *text, size_t len);
/* The whole file on the heap, NUL-ended. */
int seg_file_read(int dir, const char *name, char **text, size_t *len);
/* As seg_file_write(), and on the disk when it pleases. */
int seg_file_leave(int dir, const char *name, const char *text, size_t len);
int seg_folder_sync(int dir);

#endif
