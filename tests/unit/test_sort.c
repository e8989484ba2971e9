// SPDX-License-Identifier: GPL-2.0-or-later
/* What is few, nearly in order or in no order at all comes out as qsort() has it. */
#include <string.h>

#include "base/sort.h"
#include "runner.h"

#define MOST 3000

struct item {
	unsigned key;
	unsigned char rest[SEG_SORT_SIZE - sizeof(unsigned)];
};

static int by_key(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static struct item sorted[MOST], expected[MOST];

static void check_sort(size_t n)
{
	for (size_t i = 0; i < n; i++)
		memset(sorted[i].rest, (int)sorted[i].key, sizeof(sorted[i].rest));
	memcpy(expected, sorted, n * sizeof(*sorted));
	qsort(expected, n, sizeof(*expected), by_key);
	seg_sort(sorted, n, sizeof(*sorted), by_key);
	ck_assert_mem_eq(sorted, expected, n * sizeof(*sorted));
}

static void in_order(size_t n)
{
	for (size_t i = 0; i < n; i++)
		sorted[i].key = (unsigned)i * 2;
}

START_TEST(few)
{
	check_sort(0);
	for (size_t n = 1; n < 40; n++) {
		for (size_t i = 0; i < n; i++)
			sorted[i].key = (unsigned)(i * 7919 % 41);
		check_sort(n);
	}
}
END_TEST

START_TEST(nearly_in_order)
{
	in_order(MOST);
	check_sort(MOST);
	sorted[MOST / 2].key = 2 * MOST + 1; /* the newest, in the middle */
	check_sort(MOST);
	in_order(MOST);
	sorted[MOST - 1].key = 1;
	check_sort(MOST);
}
END_TEST

START_TEST(in_no_order)
{
	for (size_t i = 0; i < MOST; i++)
		sorted[i].key = (unsigned)(MOST - i);
	check_sort(MOST);
	for (size_t i = 0; i < MOST; i++)
		sorted[i].key = (unsigned)(i * 7919 % 3001);
	check_sort(MOST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sort");
	TCase *tcase = tcase_create("sort");

	tcase_add_test(tcase, few);
	tcase_add_test(tcase, nearly_in_order);
	tcase_add_test(tcase, in_no_order);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
