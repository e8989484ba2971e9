/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_ENGINE_WORLD_H
#define TEST_ENGINE_WORLD_H

/*
 * Where an engine lives in tests of it: a simulated kernel and clock (fake_kernel.h), a state directory of
 * its own, and what its alerts say. Which town it is, and how it begins there, is the test's: engine_life.h
 * has one.
 *
 * make_world() makes one that has not begun, die() ends an engine as a crash would, teardown() all of it.
 */

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_kernel.h"
#include "store/store.h"
#include "runner.h"

/* 2026-11-24T10:00:00+09:00, a Tuesday */
#define MORNING 1795482000
#define HOUR 3600

#define ALERTS 256
static struct world {
	char dir[64], policy[96], state[96];
	struct fake_kernel kernel;
	struct seg_store *store;
	struct seg_engine *engine;
	char *alert[ALERTS];
	size_t alerts;
	char status[512];
	bool observe;
} w;

static inline void take_alert(void *context, const struct seg_alert *alert)
{
	struct seg_strbuf text = {0};

	(void)context;
	seg_alert_format(alert, &text);
	ck_assert_uint_lt(w.alerts, ALERTS);
	w.alert[w.alerts++] = seg_strbuf_take(&text);
}

static inline void take_status(void *context, const char *status)
{
	(void)context;
	snprintf(w.status, sizeof(w.status), "%s", status);
}

/* How many alerts hold all of the words, separated by '|'. */
static inline unsigned said(const char *words)
{
	unsigned n = 0;

	for (size_t i = 0; i < w.alerts; i++) {
		char *copy = strdup(words), *rest = copy, *word;
		bool all = true;

		while ((word = strsep(&rest, "|")))
			all = all && strstr(w.alert[i], word);
		n += all;
		free(copy);
	}
	return n;
}

static inline void forget_alerts(void)
{
	for (size_t i = 0; i < w.alerts; i++)
		free(w.alert[i]);
	w.alerts = 0;
}

static inline void make_world(void)
{
	memset(&w, 0, sizeof(w));
	snprintf(w.dir, sizeof(w.dir), "/tmp/segd-engine-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w.dir));
	snprintf(w.policy, sizeof(w.policy), "%s/policy.yaml", w.dir);
	snprintf(w.state, sizeof(w.state), "%s/state", w.dir);
	ck_assert_int_eq(mkdir(w.state, 0700), 0);
	w.kernel.now = MORNING;
}

/* As a crash: nothing is said or saved. */
static inline void die(void)
{
	seg_engine_free(w.engine);
	fake_count_stop(&w.kernel);
	seg_store_close(w.store);
	w.engine = NULL;
	w.store = NULL;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static inline void teardown(void)
{
	die();
	fake_flush(&w.kernel);
	forget_alerts();
	nftw(w.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline seg_addr addr(const char *text)
{
	seg_addr out;

	ck_assert(seg_addr_parse(text, strlen(text), &out));
	return out;
}

#endif
