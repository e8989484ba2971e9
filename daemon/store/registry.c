/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "file.h"

#define NAME "registry"
#define CHANGE "change"
#define SLACK 4096 /* bytes of changes that are never too many */

/* Reading. */

/* A line "gone ..." is an entry without a number. */
static bool read_line(struct seg_arena *arena, char *line, struct seg_numbering *entry)
{
	char *id = strrchr(line, ' ');
	int gone = 0, given = 0; /* characters read */
	unsigned part;

	*entry = (struct seg_numbering){.number = 0};
	if (!id || strlen(id + 1) > 255 || !id[1])
		return false;
	*id++ = '\0';
	sscanf(line, "gone %u%n", &part, &gone);
	if (!gone)
		sscanf(line, "%u %u %32s%n", &entry->number, &part, entry->digest, &given);
	if (line[gone + given] || !(gone || (given && entry->number)))
		return false;
	entry->pair = part / 2;
	entry->bound = part % 2;
	entry->id = seg_arena_strdup(arena, id);
	return true;
}

/* lines: how many follow; 0: it does not say. */
static bool read_next(const char *line, uint32_t *next, size_t *lines)
{
	int read = 0;

	*lines = 0;
	if (sscanf(line, "next %u%n %zu%n", next, &read, lines, &read) < 1)
		return false;
	return !line[read];
}

struct reading {
	struct seg_arena *arena;
	char *at, *end;		     /* of the text: what is not read yet */
	struct seg_numbering *entry; /* those of changes behind the others */
	size_t n, cap;
	uint32_t next;
};

/* The next whole line, without its end; NULL: there is none. One with a hole in it says nothing. */
static char *take_line(struct reading *reading)
{
	char *line = reading->at, *end = memchr(line, '\n', (size_t)(reading->end - line));

	if (!end)
		return NULL;
	*end = '\0';
	reading->at = end + 1;
	return line + strlen(line) == end ? line : end;
}

static bool take_entry(struct reading *reading, char *line)
{
	return read_line(reading->arena, line,
			 &SEG_PUSH(reading->arena, reading->entry, reading->n, reading->cap));
}

/* A change begins here, or what is left of one: cut off, or never come to the disk. */
static bool is_change(const char *line)
{
	return !strncmp(CHANGE, line, strlen(line));
}

/* Up to the first change. */
static bool read_all(struct reading *reading)
{
	char *line = take_line(reading), *at;
	size_t lines;

	if (!line || !read_next(line, &reading->next, &lines))
		return false;
	for (at = reading->at; (line = take_line(reading)); at = reading->at) {
		if (is_change(line)) {
			reading->at[-1] = '\n';
			reading->at = at;
			break;
		}
		if (!take_entry(reading, line))
			return false;
	}
	return (line || is_change(at)) && (!lines || reading->n == lines);
}

static bool read_lines_of_change(struct reading *reading, uint32_t *next)
{
	char *line = take_line(reading);
	size_t lines;

	if (!line || strcmp(line, CHANGE) != 0)
		return false;
	while ((line = take_line(reading)) && !read_next(line, next, &lines))
		if (!take_entry(reading, line))
			return false;
	return line != NULL;
}

/* False, and nothing taken: it is not whole. */
static bool read_change(struct reading *reading)
{
	size_t before = reading->n;
	char *at = reading->at;
	uint32_t next;

	if (read_lines_of_change(reading, &next)) {
		reading->next = next;
		return true;
	}
	reading->n = before;
	reading->at = at;
	return false;
}

/* Where the last change begins, or what is left of it. */
static const char *last_change(const char *text, const char *end)
{
	static const char head[] = "\n" CHANGE "\n";
	const char *last = text;

	for (const char *at = text; (at = memmem(at, (size_t)(end - at), head, sizeof(head) - 1)); at++)
		last = at + 1;
	return last;
}

/* By name, the later one behind. */
static int by_name(const void *a, const void *b)
{
	const struct seg_numbering *x = *(const struct seg_numbering *const *)a,
				   *y = *(const struct seg_numbering *const *)b;
	int order = strcmp(x->id, y->id);

	if (!order)
		order = (x->pair > y->pair) - (x->pair < y->pair);
	if (!order)
		order = (int)x->bound - (int)y->bound;
	return order ? order : (x > y) - (x < y);
}

static bool same_name(const struct seg_numbering *a, const struct seg_numbering *b)
{
	return a->pair == b->pair && a->bound == b->bound && !strcmp(a->id, b->id);
}

/* Of each name the last, unless it says that it is gone. */
static void settle(struct reading *reading)
{
	struct seg_numbering **sorted = SEG_NEW_N(reading->arena, struct seg_numbering *, reading->n + 1);
	size_t n = 0;

	for (size_t i = 0; i < reading->n; i++)
		sorted[i] = &reading->entry[i];
	qsort(sorted, reading->n, sizeof(*sorted), by_name);
	for (size_t i = 1; i < reading->n; i++)
		if (same_name(sorted[i - 1], sorted[i]))
			sorted[i - 1]->number = 0;
	for (size_t i = 0; i < reading->n; i++)
		if (reading->entry[i].number)
			reading->entry[n++] = reading->entry[i];
	reading->n = n;
}

/* Only the last change may not be whole. */
static int read_text(struct reading *reading, char *text, size_t len, size_t *all)
{
	const char *last = last_change(text, text + len);
	size_t whole;

	reading->at = text;
	reading->end = text + len;
	if (!read_all(reading))
		return -EBADMSG;
	*all = (size_t)(reading->at - text);
	whole = reading->n;
	while (reading->at < reading->end && read_change(reading))
		;
	if (reading->at < last)
		return -EBADMSG;
	if (reading->n > whole)
		settle(reading);
	return 0;
}

int seg_registry_file_load(struct seg_registry_file *file, struct seg_arena *arena,
			   struct seg_registry *registry)
{
	struct reading reading = {.arena = arena};
	char *text;
	size_t len;
	int r = seg_file_read(file->dir, NAME, &text, &len);

	*registry = (struct seg_registry){.next = 1};
	file->len = file->all = 0;
	if (r)
		return r == -ENOENT ? 0 : r;
	r = read_text(&reading, text, len, &file->all);
	if (!r) {
		file->len = (size_t)(reading.at - text);
		*registry = (struct seg_registry){reading.entry, reading.n, reading.next};
	}
	free(text);
	return r;
}

/* Writing. */

static void add_part(struct seg_strbuf *buf, const struct seg_numbering *entry)
{
	seg_strbuf_addu(buf, entry->pair * 2 + entry->bound);
	seg_strbuf_addc(buf, ' ');
}

static void add_entry(struct seg_strbuf *buf, const struct seg_numbering *entry)
{
	seg_strbuf_addu(buf, entry->number);
	seg_strbuf_addc(buf, ' ');
	add_part(buf, entry);
	seg_strbuf_add(buf, entry->digest);
	seg_strbuf_addc(buf, ' ');
	seg_strbuf_add(buf, entry->id);
	seg_strbuf_addc(buf, '\n');
}

static void add_gone(struct seg_strbuf *buf, const struct seg_numbering *entry)
{
	seg_strbuf_add(buf, "gone ");
	add_part(buf, entry);
	seg_strbuf_add(buf, entry->id);
	seg_strbuf_addc(buf, '\n');
}

static int write_all(struct seg_registry_file *file, const struct seg_registry *registry)
{
	struct seg_strbuf buf = {0};
	int r;

	seg_strbuf_printf(&buf, "next %u %zu\n", registry->next, registry->n);
	for (size_t i = 0; i < registry->n; i++)
		add_entry(&buf, &registry->entry[i]);
	r = seg_file_replace(file->dir, NAME, seg_strbuf_text(&buf), buf.len);
	file->len = file->all = r ? 0 : buf.len;
	seg_strbuf_fini(&buf);
	return r;
}

/* What lies between what both begin with and what both end with. A number stands for one meaning for ever. */
static void add_change(struct seg_strbuf *buf, const struct seg_registry *was,
		       const struct seg_registry *registry)
{
	size_t shorter = was->n < registry->n ? was->n : registry->n, begin = 0, end = 0;

	while (begin < shorter && was->entry[begin].number == registry->entry[begin].number)
		begin++;
	while (end < shorter - begin &&
	       was->entry[was->n - 1 - end].number == registry->entry[registry->n - 1 - end].number)
		end++;
	seg_strbuf_add(buf, CHANGE "\n");
	for (size_t i = begin; i < was->n - end; i++)
		add_gone(buf, &was->entry[i]);
	for (size_t i = begin; i < registry->n - end; i++)
		add_entry(buf, &registry->entry[i]);
	seg_strbuf_printf(buf, "next %u\n", registry->next);
}

int seg_registry_file_save(struct seg_registry_file *file, const struct seg_registry *was,
			   const struct seg_registry *registry)
{
	struct seg_strbuf buf = {0};
	int r = -ENOENT;

	if (file->len) {
		add_change(&buf, was, registry);
		if (file->len - file->all + buf.len <= file->all + SLACK)
			r = seg_file_append(file->dir, NAME, file->len, seg_strbuf_text(&buf), buf.len);
		if (!r)
			file->len += buf.len;
		seg_strbuf_fini(&buf);
	}
	return r ? write_all(file, registry) : 0;
}
