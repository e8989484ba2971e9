// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Feeds every file of the folders given on the command line to a fuzz target, so
 * that what a search once found stays found with any compiler. A folder without
 * files is a mistake, not a success.
 */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *path)
{
	fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
	exit(EXIT_FAILURE);
}

/* A block of exactly the file's size: a sanitizer sees each byte read behind it. */
static uint8_t *read_whole(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	uint8_t *data;
	long end;

	if (!file || fseek(file, 0, SEEK_END) || (end = ftell(file)) < 0)
		fail(path);
	rewind(file);
	*size = (size_t)end;
	data = malloc(*size ? *size : 1);
	if (!data || fread(data, 1, *size, file) != *size)
		fail(path);
	fclose(file);
	return data;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int replay_folder(const char *folder)
{
	struct dirent **entries;
	char path[4096];
	uint8_t *data;
	size_t size;
	int n = scandir(folder, &entries, visible, alphasort), i;

	if (n < 0)
		fail(folder);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		data = read_whole(path, &size);
		LLVMFuzzerTestOneInput(data, size);
		free(data);
		free(entries[i]);
	}
	free(entries);
	printf("%s: %d inputs replayed\n", folder, n);
	return n;
}

int main(int argc, char **argv)
{
	int i, empty = argc < 2;

	for (i = 1; i < argc; i++)
		empty |= replay_folder(argv[i]) == 0;
	return empty ? EXIT_FAILURE : EXIT_SUCCESS;
}
