/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The file of the numbers: changes stand behind the rest, and one that is torn counts as not there. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner.h"
#include "store/file.h"
#include "store/registry.h"

#define MOST 64

static char folder[64];
static int dir;
static struct seg_registry_file file;
static struct seg_arena *arena;

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/segd-registry-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY);
	file = (struct seg_registry_file){.dir = dir};
	arena = seg_arena_new();
}

static void teardown(void)
{
	seg_arena_free(arena);
	unlinkat(dir, "registry", 0);
	close(dir);
	rmdir(folder);
}

/* "A1 B2 c3": entries by id and number, those in small letters bound; next: behind the highest. */
static struct seg_registry made(const char *text)
{
	struct seg_numbering *entry = SEG_NEW_N(arena, struct seg_numbering, MOST);
	struct seg_registry registry = {.entry = entry, .next = 1};
	char id[2];
	int read;

	for (; sscanf(text, " %1s%u%n", id, &entry[registry.n].number, &read) == 2; text += read) {
		struct seg_numbering *one = &entry[registry.n++];

		one->id = seg_arena_strdup(arena, id);
		one->bound = id[0] >= 'a';
		one->pair = (unsigned)id[0] % 3;
		snprintf(one->digest, sizeof(one->digest), "%032x", one->number);
		if (one->number >= registry.next)
			registry.next = one->number + 1;
	}
	return registry;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct seg_numbering *)a)->id, ((const struct seg_numbering *)b)->id);
}

static void ck_same(struct seg_registry a, const struct seg_registry *expected)
{
	struct seg_numbering *x = seg_arena_copy(arena, a.entry, a.n * sizeof(*x)),
			     *y = seg_arena_copy(arena, expected->entry, expected->n * sizeof(*y));

	ck_assert_uint_eq(a.n, expected->n);
	ck_assert_uint_eq(a.next, expected->next);
	qsort(x, a.n, sizeof(*x), by_id);
	qsort(y, a.n, sizeof(*y), by_id);
	for (size_t i = 0; i < a.n; i++) {
		ck_assert_str_eq(x[i].id, y[i].id);
		ck_assert_str_eq(x[i].digest, y[i].digest);
		ck_assert_uint_eq(x[i].number, y[i].number);
		ck_assert_uint_eq(x[i].pair, y[i].pair);
		ck_assert_int_eq(x[i].bound, y[i].bound);
	}
}

/* What another life would read. */
static void ck_holds(const struct seg_registry *expected)
{
	struct seg_registry_file other = {.dir = dir};
	struct seg_registry back;

	ck_assert_int_eq(seg_registry_file_load(&other, arena, &back), 0);
	ck_same(back, expected);
}

static void save(const struct seg_registry *was, const struct seg_registry *now)
{
	ck_assert_int_eq(seg_registry_file_save(&file, was, now), 0);
}

static void cut_off(size_t len)
{
	int fd = openat(dir, "registry", O_WRONLY);

	ck_assert_int_eq(ftruncate(fd, (off_t)len), 0);
	close(fd);
}

/* n bytes at a place. */
static void overwrite(size_t at, const char *bytes, size_t n)
{
	int fd = openat(dir, "registry", O_WRONLY);

	ck_assert_int_eq(pwrite(fd, bytes, n, (off_t)at), (ssize_t)n);
	close(fd);
}

static char read_byte(size_t at)
{
	int fd = openat(dir, "registry", O_RDONLY);
	char byte;

	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
	close(fd);
	return byte;
}

static ino_t inode(void)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dir, "registry", &st, 0), 0);
	return st.st_ino;
}

START_TEST(nothing_is_there)
{
	struct seg_registry back;

	ck_assert_int_eq(seg_registry_file_load(&file, arena, &back), 0);
	ck_assert_uint_eq(back.n, 0);
	ck_assert_uint_eq(back.next, 1);
}
END_TEST

static const char *const lives[] = {
	"A1 B2 c3 D4", "A1 B5 c3 D4",	 "A1 c3 D4", "A1 c3 B6 D4", "E7 A1 c3 B6 D4", "E7 A1 B6 D4 c8",
	"D4 B6 A1 E7", "D4 B6 A1 E7 c9", "",	     "A10",	    "A10 B11 C12"};
#define LIVES (sizeof(lives) / sizeof(lives[0]))

/* In one life and, where each begins with what the one before left, in many. */
START_TEST(changes_come_back)
{
	struct seg_registry was = made(lives[0]), now;
	uint32_t next = was.next;
	ino_t first;

	save(&was, &was);
	first = inode();
	for (size_t i = 1; i < LIVES; i++, was = now) {
		now = made(lives[i]);
		next = now.next = now.next > next ? now.next : next;
		if (_i) {
			file = (struct seg_registry_file){.dir = dir};
			ck_assert_int_eq(seg_registry_file_load(&file, arena, &was), 0);
		}
		save(&was, &now);
		ck_holds(&now);
	}
	ck_assert_uint_eq(inode(), first); /* nothing was written anew */
}
END_TEST

/* Wherever it ends: the change is there as a whole, or not at all, and the next one takes its place. */
START_TEST(torn_changes)
{
	struct seg_registry before = made("A1 B2 c3"), then = made("A1 B4 c3"), now = made("A1 c3 D5");
	size_t whole, len, cut = 0;

	do {
		struct seg_registry_file torn = {.dir = dir};
		struct seg_registry back;

		file.len = 0;
		save(&before, &before);
		save(&before, &then);
		whole = file.len;
		save(&then, &now);
		len = file.len;
		cut_off(whole + cut);
		ck_holds(whole + cut < len ? &then : &now);
		ck_assert_int_eq(seg_registry_file_load(&torn, arena, &back), 0);
		ck_assert_uint_eq(torn.len, whole + cut < len ? whole : len);
		ck_assert_int_eq(seg_registry_file_save(&torn, &back, &now), 0);
		ck_holds(&now);
	} while (whole + cut++ < len);
}
END_TEST

/* Some of its bytes never came to the disk. */
START_TEST(holes)
{
	struct seg_registry before = made("A1 B2 c3"), now = made("A1 B4 c3");
	static const char zero[512];

	for (size_t from = 0; from < 20; from += 5)
		for (size_t n = 1; n < 40; n += 3) {
			file.len = 0;
			save(&before, &before);
			save(&before, &now);
			if (file.all + from + n > file.len)
				n = file.len - file.all - from;
			overwrite(file.all + from, zero, n);
			ck_holds(&before);
		}
}
END_TEST

/* Only what came last can be a change that nobody was answered for. */
START_TEST(damage)
{
	struct seg_registry a = made("A1 B2 c3"), b = made("A1 B4 c3"), c = made("A1 B5 c3"), back;
	struct seg_registry_file other = {.dir = dir};
	size_t second;

	save(&a, &a);
	save(&a, &b);
	second = file.len;
	save(&b, &c);
	for (size_t at = 0; at < second - 1; at++) { /* its end is the other's beginning */
		char was = read_byte(at);

		if (was != '\n' && was != ' ')
			continue;
		overwrite(at, "#", 1);
		ck_assert_msg(seg_registry_file_load(&other, arena, &back) == -EBADMSG, "byte %zu", at);
		ck_assert_uint_eq(back.n, 0);
		overwrite(at, &was, 1);
	}
	overwrite(20, "\0", 1);
	ck_assert_int_eq(seg_registry_file_load(&other, arena, &back), -EBADMSG);
	overwrite(20, "1", 1);
	overwrite(file.all, "C", 1);
	ck_assert_int_eq(seg_registry_file_load(&other, arena, &back), -EBADMSG);
	ck_assert_uint_eq(back.next, 1);
}
END_TEST

/* The disk is full in the middle of a change. */
START_TEST(no_room)
{
	struct seg_registry before = made("A1 B2 c3"), now = made("A1 B2 c3 D4 E5");
	struct rlimit was, most;
	int r;

	save(&before, &before);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	most = (struct rlimit){.rlim_cur = file.len + 10, .rlim_max = was.rlim_max};
	setrlimit(RLIMIT_FSIZE, &most);
	r = seg_registry_file_save(&file, &before, &now);
	setrlimit(RLIMIT_FSIZE, &was); /* check writes files, too */
	ck_assert_int_eq(r, -EFBIG);
	ck_holds(&before);
	save(&before, &now);
	ck_holds(&now);
}
END_TEST

/* Who took the file away, or put something else there, is not written behind. */
START_TEST(another_file)
{
	struct seg_registry before = made("A1 B2 c3"), now = made("A1 B4 c3");

	save(&before, &before);
	if (_i == 0)
		unlinkat(dir, "registry", 0);
	else if (_i == 1)
		cut_off(12);
	else if (_i == 2)
		ck_assert_int_eq(unlinkat(dir, "registry", 0) || mkfifoat(dir, "registry", 0600), 0);
	save(&before, &now);
	ck_holds(&now);
}
END_TEST

/* A file of changes alone would grow for ever. */
START_TEST(stays_small)
{
	struct seg_registry was = made("A1 B2 c3 D4"), now;
	unsigned anew = 0;
	ino_t last;

	save(&was, &was);
	last = inode();
	for (unsigned i = 0; i < 150; i++, was = now) {
		char text[64];

		snprintf(text, sizeof(text), "A1 B%u c3 D4", 10 + i);
		now = made(text);
		save(&was, &now);
		anew += inode() != last;
		last = inode();
		ck_assert_uint_le(file.len, 3 * 4096);
	}
	ck_holds(&was);
	ck_assert_uint_gt(anew, 0);
	ck_assert_uint_lt(anew, 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry");
	TCase *tcase = tcase_create("registry");

	tcase_set_timeout(tcase, 60); /* a disk may be slow */
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, nothing_is_there);
	tcase_add_loop_test(tcase, changes_come_back, 0, 2);
	tcase_add_test(tcase, torn_changes);
	tcase_add_test(tcase, holes);
	tcase_add_test(tcase, damage);
	tcase_add_test(tcase, no_room);
	tcase_add_loop_test(tcase, another_file, 0, 3);
	tcase_add_test(tcase, stays_small);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
