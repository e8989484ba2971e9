// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/load.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/i18n.h"

#define CHUNK (64u << 10)

/* All of a file that is open, NUL-ended; NULL and *error otherwise. expected: its size, as far as one can
 * know. */
static char *read_all(int fd, size_t expected, size_t *len, const char **error)
{
	/* One byte more, to find the end without growing. */
	size_t n = 0, cap = expected > 0 && expected <= SEG_POLICY_MAX_BYTES ? expected + 1 : CHUNK;
	char *text = malloc(cap + 1);

	while (text) {
		ssize_t got = read(fd, text + n, cap - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			*error = strerror(errno);
			break;
		}
		if (got == 0) {
			text[n] = '\0';
			*len = n;
			return text;
		}
		n += (size_t)got;
		if (n > SEG_POLICY_MAX_BYTES) {
			*error = N_("the file is larger than 64 MiB");
			break;
		}
		if (n == cap) {
			char *more = realloc(text, 2 * cap + 1);

			if (!more)
				abort();
			text = more;
			cap *= 2;
		}
	}
	if (!text)
		abort();
	free(text);
	return NULL;
}

static char *read_path(const char *path, bool regular, size_t *len, const char **error)
{
	/* Not to hang on a pipe or a device. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK : 0));
	char *text = NULL;
	struct stat st;

	if (fd < 0) {
		*error = strerror(errno);
		return NULL;
	}
	if (fstat(fd, &st) != 0)
		*error = strerror(errno);
	else if (S_ISDIR(st.st_mode) || (regular && !S_ISREG(st.st_mode)))
		*error = N_("this is not a file");
	else
		text = read_all(fd, (size_t)st.st_size, len, error);
	close(fd);
	return text;
}

/* Whose files these are: a daemon must be let to read them, a person may ask as somebody else. */
struct folder {
	const char *policy; /* the path of its file */
	bool daemon;
};

/* Where a list is that the policy names; on the heap. */
static char *list_path(const struct folder *folder, const char *path)
{
	const char *slash = strrchr(folder->policy, '/');
	char *full = NULL;

	if (path[0] == '/' || !slash)
		slash = folder->policy;
	else
		slash++;
	if (asprintf(&full, "%.*s%s", (int)(slash - folder->policy), folder->policy, path) < 0)
		abort();
	return full;
}

static char *read_list(void *context, const char *path, size_t *len, const char **error)
{
	char *full = list_path(context, path), *text = read_path(full, true, len, error);

	free(full);
	return text;
}

/* What lets the daemon's user read a file, or enter the folder that bars it. On the heap. */
static char *let_daemon_read(const char *path, const char *user)
{
	const struct group *group = getgrgid(getegid());
	const char *own = group ? group->gr_name : user;
	struct stat st;
	char *text;
	int n;

	if (stat(path, &st) == 0)
		n = asprintf(&text, _("the user %s may not read it: `chgrp %s %s; chmod 640 %s` lets it"), user, own, path,
			     path);
	else
		n = asprintf(&text, _("the user %s may not enter a folder above it: `namei -l %s` shows which"),
			     user, path);
	if (n < 0)
		abort();
	return text;
}

/* Where a file may not be read: by whom, and what helps. On the heap; NULL: that is not what is wrong. */
static char *advise(const struct folder *folder, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const struct passwd *entry;
	char user[64], *text;

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || errno != EACCES)
		return NULL;
	entry = getpwuid(geteuid());
	if (entry)
		snprintf(user, sizeof(user), "%s", entry->pw_name);
	else
		snprintf(user, sizeof(user), "%u", (unsigned)geteuid());
	if (folder->daemon)
		return let_daemon_read(path, user);
	if (asprintf(&text, _("the user %s may not read it; root may, by sudo"), user) < 0)
		abort();
	return text;
}

static char *advise_list(void *context, const char *path)
{
	char *full = list_path(context, path), *text = advise(context, full);

	free(full);
	return text;
}

static void say_unreadable(const struct folder *folder, const char *error, struct seg_diags *diags)
{
	char *advice = advise(folder, folder->policy);
	struct seg_diag *diag;

	diag = seg_error(diags, SEG_SYNTAX, (struct seg_place){0}, _("%s cannot be read: %s"), folder->policy,
			 _(error));
	if (advice)
		seg_diag_hint(diags, diag, "%s", advice);
	free(advice);
}

static struct seg_policy *load(const struct seg_policy *before, struct folder *folder, const char *name,
			       char *text, size_t len, const char *error, struct seg_diags *diags)
{
	struct seg_reader reader = {.read = read_list, .advise = advise_list, .context = folder};
	struct seg_policy *policy;

	if (!text) {
		say_unreadable(folder, error, diags);
		return NULL;
	}
	policy = seg_policy_reload(before, name, text, len, &reader, diags);
	free(text);
	return policy;
}

struct seg_policy *seg_policy_load_file(const struct seg_policy *before, const char *path,
					struct seg_diags *diags)
{
	struct folder folder = {.policy = path, .daemon = true};
	const char *error = NULL;
	size_t len = 0;
	char *text = read_path(path, true, &len, &error);

	return load(before, &folder, path, text, len, error, diags);
}

struct seg_policy *seg_policy_load_stream(const char *path, struct seg_diags *diags)
{
	struct folder folder = {.policy = path, .daemon = false};
	bool standard_input = strcmp(path, "-") == 0;
	const char *error = NULL;
	size_t len = 0;
	char *text = standard_input ? read_all(STDIN_FILENO, 0, &len, &error)
				    : read_path(path, false, &len, &error);

	return load(NULL, &folder, standard_input ? "<stdin>" : path, text, len, error, diags);
}
