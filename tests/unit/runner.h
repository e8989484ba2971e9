/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_RUNNER_H
#define TESTS_RUNNER_H

/*
 * The end of every check program: main() makes its suite, adds the tests to it and returns what the run of
 * them is worth. tests/run counts the lines that check prints ("100%: Checks: 12, Failures: 0, Errors: 0").
 */

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The exit status; CK_VERBOSITY is honoured. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* For suites that are nothing without nf_tables in a namespace of their own: false, and said so. */
static inline bool can_have_nft(const char *suite)
{
	if (geteuid() == 0 && system("unshare -n nft list ruleset") == 0)
		return true;
	printf("%s: skipped: needs root, nft and network namespaces\n", suite);
	return false;
}

#endif
