/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The state directory: what is written comes back, what is torn does no harm. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/load.h"
#include "store/store.h"
#include "runner.h"

static char dir[64];
static struct seg_store *store;

static const char policy_text[] =
	"segd: 1\nsite: town\nguard: none\nzones:\n"
	"  lg: {tier: lgwan, interfaces: [eth2], networks: [\"file:lists/lg.txt\"]}\n"
	"  net: {tier: internet, interfaces: [eth3], networks: [any]}\n"
	"permits:\n  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/443]}\n";

static char *read_list(void *context, const char *path, size_t *len, const char **error)
{
	(void)error;
	ck_assert_str_eq(path, "lists/lg.txt");
	*len = strlen(context);
	return strdup(context);
}

static struct seg_policy *load(const char *list, struct seg_diags *diags)
{
	struct seg_reader reader = {.read = read_list, .context = (void *)list};

	seg_diags_init(diags);
	return seg_policy_load("policy.yaml", policy_text, sizeof(policy_text) - 1, &reader, diags);
}

static void open_store(void)
{
	ck_assert_int_eq(seg_store_open(&store, dir), 0);
}

static void again(void)
{
	seg_store_close(store);
	open_store();
}

static void path_of(const char *name, char path[static 128])
{
	snprintf(path, 128, "%s/%s", dir, name);
}

static void tear(const char *name, off_t len)
{
	char path[128];

	path_of(name, path);
	ck_assert_int_eq(truncate(path, len), 0);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/segd-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	open_store();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static void teardown(void)
{
	seg_store_close(store);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static unsigned put(const char *list)
{
	struct seg_diags diags;
	struct seg_policy *policy = load(list, &diags);
	unsigned version = 0;

	ck_assert_ptr_nonnull(policy);
	ck_assert_int_eq(seg_store_put_version(store, policy, 1000, &version), 0);
	seg_policy_free(policy);
	seg_diags_fini(&diags);
	return version;
}

START_TEST(test_one_daemon)
{
	struct seg_store *second = NULL;

	ck_assert_int_eq(seg_store_open(&second, dir), -EBUSY);
	ck_assert_int_eq(seg_store_open(&second, "/nonexistent/segd"), -ENOENT);
}
END_TEST

START_TEST(test_version_means_what_it_meant)
{
	struct seg_diags diags, loaded;
	struct seg_policy *policy = load("10.2.0.0/24\n", &diags), *back;
	unsigned version = 0;
	char hash[65];

	ck_assert_int_eq(seg_store_put_version(store, policy, 1000, &version), 0);
	ck_assert_uint_eq(version, 1);
	ck_assert_uint_eq(put("10.3.0.0/24\n"), 2);
	again();
	seg_diags_init(&loaded);
	back = seg_store_get_version(store, 1, &loaded);
	ck_assert_ptr_nonnull(back);
	ck_assert_str_eq(back->hash, policy->hash);
	ck_assert(seg_ranges_equal(back->zone[0].nets, policy->zone[0].nets));
	ck_assert(seg_store_version_hash(store, 2, hash));
	ck_assert_str_ne(hash, policy->hash);
	seg_policy_free(back);
	seg_diags_fini(&loaded);
	seg_policy_free(policy);
	seg_diags_fini(&diags);
}
END_TEST

START_TEST(test_missing_and_torn_versions)
{
	struct seg_diags diags;
	char hash[65];

	seg_diags_init(&diags);
	ck_assert_ptr_null(seg_store_get_version(store, 7, &diags));
	put("10.2.0.0/24\n");
	tear("versions/1/meta.json", 5);
	ck_assert_ptr_null(seg_store_get_version(store, 1, &diags));
	ck_assert(!seg_store_version_hash(store, 1, hash));
	ck_assert_uint_eq(put("10.2.0.0/24\n"), 2);
	seg_store_drop_version(store, 2);
	ck_assert(!seg_store_version_hash(store, 2, hash));
	seg_diags_fini(&diags);
}
END_TEST

START_TEST(test_crash_leaves_no_half_version)
{
	char path[128];
	struct seg_diags diags;
	struct seg_policy *policy;

	path_of("versions/.new", path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	path_of("versions/.new/policy.yaml", path);
	fclose(fopen(path, "w"));
	again();
	ck_assert_uint_eq(put("10.2.0.0/24\n"), 1);
	seg_diags_init(&diags);
	policy = seg_store_get_version(store, 1, &diags);
	ck_assert_ptr_nonnull(policy);
	seg_policy_free(policy);
	seg_diags_fini(&diags);
}
END_TEST

static struct seg_isolation cut_off = {.target = "clerk", .since = 5, .until = 6, .uid = 7, .reason = "検査中"};
static const struct seg_state some_state = {.current = 3,
					    .confirmed = 2,
					    .since = 100,
					    .confirm_until = 200,
					    .stage = {.id = "two", .reason = "fire", .since = 5, .uid = 7},
					    .told = 20000,
					    .lost = 300,
					    .isolation = &cut_off,
					    .isolations = 1};

static void check_some_state(int r)
{
	struct seg_state back;

	ck_assert_int_eq(seg_store_load_state(store, &back), r);
	ck_assert_uint_eq(back.current, 3);
	ck_assert_uint_eq(back.confirmed, 2);
	ck_assert_int_eq(back.confirm_until, 200);
	ck_assert_str_eq(back.stage.id, "two");
	ck_assert_int_eq(back.told, 20000);
	ck_assert_int_eq(back.lost, 300);
	ck_assert_uint_eq(back.isolations, 1);
	ck_assert_str_eq(back.isolation[0].reason, "検査中");
	ck_assert_int_eq(back.isolation[0].until, 6);
	ck_assert_uint_eq(back.isolation[0].uid, 7);
	seg_state_fini(&back);
}

static bool problem_says(const char *words)
{
	char *problem = seg_store_take_problem(store);
	bool says = problem && strstr(problem, words);

	free(problem);
	ck_assert_ptr_null(seg_store_take_problem(store));
	return says;
}

START_TEST(test_state)
{
	struct seg_state back;

	ck_assert_int_eq(seg_store_load_state(store, &back), 1);
	ck_assert_uint_eq(back.current, 0);
	ck_assert_ptr_null(seg_store_take_problem(store)); /* the first one */
	ck_assert_int_eq(seg_store_save_state(store, &some_state), 0);
	again();
	check_some_state(0);
	ck_assert_ptr_null(seg_store_take_problem(store));
}
END_TEST

static void damage(const char *name, int how)
{
	char path[128];
	FILE *file;

	path_of(name, path);
	if (how == 0) {
		tear(name, 10);
	} else if (how == 1) {
		tear(name, 0);
	} else if (how == 2) {
		ck_assert_int_eq(unlink(path), 0);
	} else { /* whole, and not what stood there */
		file = fopen(path, "w");
		fputs(how == 3 ? "{}" : "[1]", file);
		fclose(file);
	}
}

/* Either of the two does, whatever became of the other. */
START_TEST(test_one_state_is_enough)
{
	ck_assert_int_eq(seg_store_save_state(store, &some_state), 0);
	damage("state.json", _i);
	again();
	check_some_state(1);
	ck_assert(problem_says("its copy was read"));
	ck_assert_int_eq(seg_store_save_state(store, &some_state), 0);
	check_some_state(0);
	damage("state.json.copy", _i);
	check_some_state(1);
	if (_i == 2)
		ck_assert_ptr_null(seg_store_take_problem(store)); /* an older segd made none */
	else
		ck_assert(problem_says("state.json.copy"));
}
END_TEST

START_TEST(test_no_state_is_a_loss)
{
	struct seg_state back;

	put("10.2.0.0/24\n");
	ck_assert_int_eq(seg_store_save_state(store, &some_state), 0);
	damage("state.json", _i);
	damage("state.json.copy", _i);
	again();
	ck_assert_int_lt(seg_store_load_state(store, &back), 0);
	ck_assert_uint_eq(back.confirmed, 0);
	ck_assert_uint_eq(back.isolations, 0);
	ck_assert(problem_says("state.json"));
}
END_TEST

/* It ends between the two: what was saved last is there, and what was before. */
START_TEST(test_state_without_room_for_its_copy)
{
	struct seg_state newer = some_state;
	char path[128];

	newer.current = newer.confirmed = 9;
	ck_assert_int_eq(seg_store_save_state(store, &newer), 0);
	path_of(".state.json.copy.new", path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(seg_store_save_state(store, &some_state), 0); /* one of the two does */
	ck_assert(problem_says("state.json.copy"));
	check_some_state(1); /* the copy is behind */
	ck_assert_ptr_null(seg_store_take_problem(store));
	damage("state.json", 0);
	ck_assert_int_eq(seg_store_load_state(store, &newer), 1);
	ck_assert_uint_eq(newer.confirmed, 9);
	seg_state_fini(&newer);
	free(seg_store_take_problem(store));
}
END_TEST

START_TEST(test_registry)
{
	struct seg_numbering entry[] = {{.id = "WEB", .number = 4, .digest = "0123456789abcdef0123456789abcdef"},
					{.id = "intra:lg", .number = 0x40000005, .bound = true, .digest = "ff"}};
	struct seg_registry registry = {entry, 2, 6}, back;
	struct seg_arena *arena = seg_arena_new();

	ck_assert_int_eq(seg_store_load_registry(store, arena, &back), 0);
	ck_assert_uint_eq(back.next, 1);
	ck_assert_int_eq(seg_store_save_registry(store, &back, &registry), 0);
	ck_assert_int_eq(seg_store_load_registry(store, arena, &back), 0);
	ck_assert_uint_eq(back.next, 6);
	ck_assert_uint_eq(back.n, 2);
	ck_assert_str_eq(back.entry[0].digest, entry[0].digest);
	ck_assert_str_eq(back.entry[1].id, "intra:lg");
	ck_assert_uint_eq(back.entry[1].number, 0x40000005);
	ck_assert(back.entry[1].bound && !back.entry[0].bound);
	tear("registry", 20);
	ck_assert_int_lt(seg_store_load_registry(store, arena, &back), 0);
	ck_assert_uint_eq(back.n, 0);
	seg_arena_free(arena);
}
END_TEST

static struct seg_record seen[8];
static char seen_user[8][16], seen_reason[8][64];
static size_t records;
static void take_record(void *context, const struct seg_record *record)
{
	(void)context;
	ck_assert_uint_lt(records, 8);
	snprintf(seen_user[records], sizeof(seen_user[0]), "%s", record->user ? record->user : "-");
	snprintf(seen_reason[records], sizeof(seen_reason[0]), "%s", record->reason ? record->reason : "-");
	seen[records++] = *record;
}

START_TEST(test_history)
{
	struct seg_record first = {.version = 1, .hash = "aa", .at = 10, .uid = 0, .user = "root", .result = SEG_CONFIRMED};
	struct seg_record second = {.version = 2, .hash = "bb", .at = 20, .uid = 1000, .result = SEG_PENDING};
	struct seg_record third = {.at = 30, .result = SEG_REFUSED, .reason = "policy.yaml:3: no such zone"};
	enum seg_result fate;

	ck_assert_int_eq(seg_store_add_record(store, &first), 0);
	ck_assert_int_eq(seg_store_add_record(store, &second), 0);
	ck_assert_int_eq(seg_store_add_record(store, &third), 0);
	ck_assert_int_eq(seg_store_set_result(store, 2, SEG_ROLLED_BACK), 0);
	again();
	records = 0;
	ck_assert_int_eq(seg_store_each_record(store, take_record, NULL), 0);
	ck_assert_uint_eq(records, 3);
	ck_assert_int_eq(seen[0].result, SEG_REFUSED);
	ck_assert_uint_eq(seen[0].version, 0);
	ck_assert_int_eq(seen[1].result, SEG_ROLLED_BACK);
	ck_assert_str_eq(seen_user[2], "root");
	ck_assert_str_eq(seen_reason[0], "policy.yaml:3: no such zone");
	ck_assert_str_eq(seen_reason[2], "-");
	ck_assert(seg_store_fate(store, "bb", &fate) && fate == SEG_ROLLED_BACK);
	ck_assert(seg_store_fate(store, "aa", &fate) && fate == SEG_CONFIRMED);
	ck_assert(!seg_store_fate(store, "cc", &fate));
}
END_TEST

/* A history that an earlier segd began. */
START_TEST(test_history_without_reasons)
{
	struct seg_record record = {.at = 30, .result = SEG_REFUSED, .reason = "too late"};
	char path[128];
	sqlite3 *db;

	ck_assert_int_eq(seg_store_add_record(store, &record), 0);
	seg_store_close(store);
	path_of("audit.db", path);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "ALTER TABLE history DROP COLUMN reason", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	open_store();
	ck_assert_int_eq(seg_store_add_record(store, &record), 0);
	records = 0;
	ck_assert_int_eq(seg_store_each_record(store, take_record, NULL), 0);
	ck_assert_uint_eq(records, 2);
	ck_assert_str_eq(seen_reason[0], "too late");
	ck_assert_str_eq(seen_reason[1], "-");
}
END_TEST

static struct seg_usage_row usage;
static void take_usage(void *context, const struct seg_usage_row *row)
{
	(void)context;
	usage = *row;
	ck_assert_str_eq(row->permit, "WEB");
}

static struct seg_counter_row counter;
static void take_counter(void *context, const struct seg_counter_row *row)
{
	size_t *shown = context;

	counter = *row;
	(*shown)++;
}

START_TEST(test_usage)
{
	struct seg_usage_row row = {.permit = "WEB", .total = {1, 2, 3, 4, 5}, .first = 11, .last = 12};

	ck_assert_int_eq(seg_store_begin_usage(store), 0);
	ck_assert_int_eq(seg_store_put_usage(store, &row), 0);
	ck_assert_int_eq(seg_store_end_usage(store, true), 0);
	again();
	ck_assert_int_eq(seg_store_load_usage(store, take_usage, NULL), 0);
	ck_assert_uint_eq(usage.total.reply_bytes, 5);
	ck_assert_int_eq(usage.last, 12);
}
END_TEST

START_TEST(test_counters)
{
	const struct seg_counter_row one = {{1, UINT64_MAX}, 7, 8, LONG_MAX}, other = {{1, 2}, 5, 6, 9};
	size_t shown = 0;

	ck_assert_int_eq(seg_store_put_counter(store, &one), -EIO); /* no transaction */
	ck_assert_int_eq(seg_store_begin_usage(store), 0);
	ck_assert_int_eq(seg_store_put_counter(store, &other), 0);
	ck_assert_int_eq(seg_store_put_counter(store, &one), 0);
	ck_assert_int_eq(seg_store_put_counter(store, &one), 0);
	ck_assert_int_eq(seg_store_drop_counter(store, other.key), 0);
	ck_assert_int_eq(seg_store_drop_counter(store, other.key), 0);
	ck_assert_int_eq(seg_store_end_usage(store, true), 0);
	again();
	ck_assert_int_eq(seg_store_load_counters(store, take_counter, &shown), 0);
	ck_assert_uint_eq(shown, 1);
	ck_assert_mem_eq(&counter, &one, sizeof(one));
}
END_TEST

/* A save is whole or it is not: nothing of one that was given up, and none while somebody writes to the file; who
 * saves learns that at the beginning, not once a row. */
START_TEST(test_saves_are_whole)
{
	const struct seg_counter_row one = {{1, 2}, 7, 8, 9};
	char path[128];
	sqlite3 *somebody;
	size_t shown = 0;

	ck_assert_int_eq(seg_store_begin_usage(store), 0);
	ck_assert_int_eq(seg_store_put_counter(store, &one), 0);
	ck_assert_int_eq(seg_store_end_usage(store, false), -EIO);
	snprintf(path, sizeof(path), "%s/audit.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &somebody), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(somebody, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_lt(seg_store_begin_usage(store), 0);
	ck_assert_int_eq(seg_store_put_counter(store, &one), -EIO);
	sqlite3_close(somebody);
	ck_assert_int_eq(seg_store_load_counters(store, take_counter, &shown), 0);
	ck_assert_uint_eq(shown, 0);
	ck_assert_int_eq(seg_store_begin_usage(store), 0);
	ck_assert_int_eq(seg_store_end_usage(store, true), 0);
}
END_TEST

/* A file of an older segd bears its number until counters are in it, or a crash would pass for known
 * counters. */
START_TEST(test_counters_of_an_older_file)
{
	char path[128];
	sqlite3 *older;

	ck_assert(seg_store_knows_counters(store));
	snprintf(path, sizeof(path), "%s/audit.db", dir);
	ck_assert_int_eq(sqlite3_open(path, &older), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(older, "PRAGMA user_version=1", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(older);
	again();
	ck_assert_int_eq(seg_store_begin_usage(store), 0);
	ck_assert_int_eq(seg_store_end_usage(store, false), -EIO);
	again();
	ck_assert(!seg_store_knows_counters(store));
	ck_assert_int_eq(seg_store_begin_usage(store), 0);
	ck_assert_int_eq(seg_store_end_usage(store, true), 0);
	ck_assert(seg_store_knows_counters(store));
	again();
	ck_assert(seg_store_knows_counters(store));
}
END_TEST

START_TEST(test_broken_audit_is_put_aside)
{
	struct seg_record record = {.version = 1, .result = SEG_CONFIRMED};
	char path[128];
	FILE *file;
	char *problem;

	seg_store_close(store);
	path_of("audit.db", path);
	file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is no database", file);
	fclose(file);
	open_store();
	problem = seg_store_take_problem(store);
	ck_assert_ptr_nonnull(problem);
	free(problem);
	ck_assert_int_eq(seg_store_add_record(store, &record), 0);
	path_of("audit.db.broken", path);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_unwritable_keeps_the_old)
{
	struct seg_state state = {.current = 1, .confirmed = 1}, back;
	char path[128];

	ck_assert_int_eq(seg_store_save_state(store, &state), 0);
	/* A folder where the new file is to be written: as good as a disk that is full. */
	path_of(".state.json.new", path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	state.confirmed = 2;
	ck_assert_int_lt(seg_store_save_state(store, &state), 0);
	ck_assert_int_eq(seg_store_load_state(store, &back), 0);
	ck_assert_uint_eq(back.confirmed, 1);
	seg_state_fini(&back);
	free(seg_store_take_problem(store));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tcase = tcase_create("store");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_one_daemon);
	tcase_add_test(tcase, test_version_means_what_it_meant);
	tcase_add_test(tcase, test_missing_and_torn_versions);
	tcase_add_test(tcase, test_crash_leaves_no_half_version);
	tcase_add_test(tcase, test_state);
	tcase_add_loop_test(tcase, test_one_state_is_enough, 0, 5);
	tcase_add_loop_test(tcase, test_no_state_is_a_loss, 0, 5);
	tcase_add_test(tcase, test_state_without_room_for_its_copy);
	tcase_add_test(tcase, test_registry);
	tcase_add_test(tcase, test_history);
	tcase_add_test(tcase, test_history_without_reasons);
	tcase_add_test(tcase, test_usage);
	tcase_add_test(tcase, test_counters);
	tcase_add_test(tcase, test_saves_are_whole);
	tcase_add_test(tcase, test_counters_of_an_older_file);
	tcase_add_test(tcase, test_broken_audit_is_put_aside);
	tcase_add_test(tcase, test_unwritable_keeps_the_old);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
