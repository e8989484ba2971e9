// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/load.h"

#include <errno.h>
#include <fcntl.h>
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

/* context: the path of the policy file. */
static char *read_list(void *context, const char *path, size_t *len, const char **error)
{
	const char *policy = context, *slash = strrchr(policy, '/');
	char *full = NULL, *text;

	if (path[0] == '/' || !slash)
		return read_path(path, true, len, error);
	if (asprintf(&full, "%.*s/%s", (int)(slash - policy), policy, path) < 0)
		abort();
	text = read_path(full, true, len, error);
	free(full);
	return text;
}

static struct seg_policy *load(const struct seg_policy *before, const char *path, const char *name,
			       char *text, size_t len, const char *error, struct seg_diags *diags)
{
	struct seg_reader reader = {.read = read_list, .context = (void *)path};
	struct seg_policy *policy;

	if (!text) {
		seg_error(diags, SEG_SYNTAX, (struct seg_place){0}, _("%s cannot be read: %s"), path,
			  _(error));
		return NULL;
	}
	policy = seg_policy_reload(before, name, text, len, &reader, diags);
	free(text);
	return policy;
}

struct seg_policy *seg_policy_load_file(const struct seg_policy *before, const char *path,
					struct seg_diags *diags)
{
	const char *error = NULL;
	size_t len = 0;
	char *text = read_path(path, true, &len, &error);

	return load(before, path, path, text, len, error, diags);
}

struct seg_policy *seg_policy_load_stream(const char *path, struct seg_diags *diags)
{
	bool standard_input = strcmp(path, "-") == 0;
	const char *error = NULL;
	size_t len = 0;
	char *text = standard_input ? read_all(STDIN_FILENO, 0, &len, &error)
				    : read_path(path, false, &len, &error);

	return load(NULL, path, standard_input ? "<stdin>" : path, text, len, error, diags);
}
