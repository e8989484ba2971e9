// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <signal.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "runner.h"

static struct seg_arena *arena;

static void setup(void)
{
	arena = seg_arena_new();
}

static void teardown(void)
{
	seg_arena_free(arena);
}

static bool all_are(const unsigned char *bytes, size_t size, unsigned char value)
{
	while (size && bytes[size - 1] == value)
		size--;
	return size == 0;
}

/* Sizes around the chunks' ends and far beyond; each piece is filled, so that overlaps would show. */
START_TEST(pieces_are_zeroed_aligned_and_apart)
{
	enum { N = 4000 };
	static unsigned char *piece[N];
	static size_t size[N];
	unsigned seed = 1;
	size_t i, sum = 0;

	for (i = 0; i < N; i++) {
		size[i] = (size_t)rand_r(&seed) % (i % 1000 == 999 ? 5000000 : i % 100 == 0 ? 300000 : 200);
		piece[i] = seg_arena_alloc(arena, size[i]);
		ck_assert_ptr_nonnull(piece[i]);
		ck_assert_uint_eq((uintptr_t)piece[i] % alignof(max_align_t), 0);
		ck_assert(all_are(piece[i], size[i], 0));
		if (size[i])
			memset(piece[i], (int)(i % 255 + 1), size[i]);
		sum += size[i];
	}
	for (i = 0; i < N; i++)
		ck_assert(all_are(piece[i], size[i], (unsigned char)(i % 255 + 1)));
	ck_assert_uint_ge(seg_arena_size(arena), sum);
	ck_assert_uint_le(seg_arena_size(arena), sum + N * alignof(max_align_t));
}
END_TEST

/* Pages that an arena filled come back zeroed, whole and in parts, and never to two at a time. */
START_TEST(pages_are_used_again)
{
	enum { N = 12 };
	struct seg_arena *each[N];
	unsigned char *piece[N];
	size_t size[N];

	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = 0; i < N; i++) {
			size[i] = ((i * 7 + round * 5) % 9 + 1) * 1000000;
			each[i] = seg_arena_new();
			piece[i] = seg_arena_alloc(each[i], size[i]);
			ck_assert(all_are(piece[i], size[i], 0));
			memset(piece[i], (int)i + 1, size[i]);
		}
		for (size_t i = 0; i < N; i++) {
			ck_assert(all_are(piece[i], size[i], (unsigned char)(i + 1)));
			seg_arena_free(each[i]);
		}
	}
}
END_TEST

/* What is copied or formatted is not zeroed before; what lies beside it is, wherever the pages were. */
START_TEST(pages_are_zeroed_piece_by_piece)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	unsigned seed = 3;

	for (unsigned round = 0; round < 6; round++) {
		struct seg_arena *one = seg_arena_new();
		char *vector = NULL;
		size_t n = 0, cap = 0;

		memset(seg_arena_alloc(one, 1000000), 0xee, 1000000);
		for (unsigned i = 0; i < 20000; i++) {
			size_t len = (size_t)rand_r(&seed) % sizeof(letters), size = (size_t)rand_r(&seed) % 300;
			char *text = i % 2 ? seg_arena_printf(one, "%.*s", (int)len, letters)
					   : seg_arena_strndup(one, letters, len);
			unsigned char *piece = seg_arena_alloc(one, size);

			ck_assert(strlen(text) == (len < 26 ? len : 26) && !strncmp(text, letters, strlen(text)));
			ck_assert(all_are(piece, size, 0));
			memset(piece, 0xee, size);
			SEG_PUSH(one, vector, n, cap) = 'x';
			ck_assert(all_are((unsigned char *)vector + n, cap - n, 0));
		}
		seg_arena_free(one);
	}
}
END_TEST

START_TEST(nothing_has_a_place_of_its_own)
{
	void *a = seg_arena_alloc(arena, 0), *b = seg_arena_alloc(arena, 0);

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_ne(a, b);
	ck_assert_ptr_nonnull(seg_arena_copy(arena, NULL, 0));
}
END_TEST

START_TEST(copies)
{
	char source[] = "青葉川市";
	char *copy = seg_arena_strdup(arena, source), *part = seg_arena_strndup(arena, source, 3);
	int *numbers = seg_arena_copy(arena, (const int[]){1, 2, 3}, 3 * sizeof(int));

	source[0] = 'x';
	ck_assert_str_eq(copy, "青葉川市");
	ck_assert_str_eq(part, "青");
	ck_assert_str_eq(seg_arena_strndup(arena, "", 0), "");
	ck_assert_ptr_null(seg_arena_strdup(arena, NULL));
	ck_assert_int_eq(numbers[2], 3);
}
END_TEST

START_TEST(formatted)
{
	char *text = seg_arena_printf(arena, "%s/%d", "10.0.0.0", 24);
	char *wide = seg_arena_printf(arena, "%*s", 100000, "x");

	ck_assert_str_eq(text, "10.0.0.0/24");
	ck_assert_uint_eq(strlen(wide), 100000);
	ck_assert_str_eq(seg_arena_printf(arena, "%s", ""), "");
}
END_TEST

START_TEST(vectors_grow)
{
	size_t n = 0, cap = 0, i;
	int *v = NULL;

	for (i = 0; i < 10000; i++)
		SEG_PUSH(arena, v, n, cap) = (int)i;
	ck_assert_uint_eq(n, 10000);
	ck_assert_uint_ge(cap, n);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(v[i], (int)i);
	/* Doubling: all outgrown copies together are no larger than the vector. */
	ck_assert_uint_le(seg_arena_size(arena), 2 * cap * sizeof(*v));
}
END_TEST

START_TEST(more_than_there_is_aborts)
{
	seg_arena_alloc(arena, SIZE_MAX);
}
END_TEST

START_TEST(vector_overflow_aborts)
{
	size_t cap = SIZE_MAX / 4;

	seg_arena_grow(arena, NULL, cap, &cap, 16);
}
END_TEST

START_TEST(no_arena_is_freed)
{
	seg_arena_free(NULL);
	ck_assert_uint_eq(seg_arena_size(arena), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arena");
	TCase *tcase = tcase_create("arena");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, pieces_are_zeroed_aligned_and_apart);
	tcase_add_test(tcase, pages_are_used_again);
	tcase_add_test(tcase, pages_are_zeroed_piece_by_piece);
	tcase_add_test(tcase, nothing_has_a_place_of_its_own);
	tcase_add_test(tcase, copies);
	tcase_add_test(tcase, formatted);
	tcase_add_test(tcase, vectors_grow);
	tcase_add_test_raise_signal(tcase, more_than_there_is_aborts, SIGABRT);
	tcase_add_test_raise_signal(tcase, vector_overflow_aborts, SIGABRT);
	tcase_add_test(tcase, no_arena_is_freed);
	return run_suite(suite);
}
