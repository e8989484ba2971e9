/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "file.h"
#include "policy/load.h"
#include "registry.h"
#include "state_file.h"

struct seg_store {
	int dir, versions;
	struct seg_registry_file registry;
	struct seg_audit *audit;
	char *problem;
	char *unwritten; /* why audit.db took nothing when it was written last; NULL: it did */
};

/* What went wrong, in words. */

static int store_fail(struct seg_store *store, int r, const char *what)
{
	char *text;

	if (asprintf(&text, "%s: %s", what, strerror(-r)) < 0)
		abort();
	free(store->problem);
	store->problem = text;
	return r;
}

char *seg_store_take_problem(struct seg_store *store)
{
	char *problem = store->problem;

	store->problem = NULL;
	return problem;
}

const char *seg_store_evidence_problem(const struct seg_store *store)
{
	return store->unwritten;
}

/* Life. */

static int store_open_dirs(struct seg_store *store, const char *dir)
{
	store->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dir < 0)
		return -errno;
	if (flock(store->dir, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (mkdirat(store->dir, "versions", 0750) && errno != EEXIST)
		return -errno;
	store->versions = openat(store->dir, "versions", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return store->versions < 0 ? -errno : 0;
}

int seg_store_open(struct seg_store **out, const char *dir)
{
	struct seg_store *store = calloc(1, sizeof(*store));
	char *path;
	int r;

	if (!store)
		abort();
	store->dir = store->versions = -1;
	r = store_open_dirs(store, dir);
	if (r) {
		seg_store_close(store);
		return r;
	}
	store->registry.dir = store->dir;
	if (asprintf(&path, "%s/audit.db", dir) < 0)
		abort();
	store->audit = seg_audit_open(path, &store->problem);
	free(path);
	*out = store;
	return 0;
}

void seg_store_close(struct seg_store *store)
{
	if (!store)
		return;
	seg_audit_close(store->audit);
	if (store->versions >= 0)
		close(store->versions);
	if (store->dir >= 0)
		close(store->dir);
	free(store->problem);
	free(store->unwritten);
	free(store);
}

/* imprint */

#define IMPRINT "imprint"

void seg_store_keep_imprint(struct seg_store *store, const char *text, size_t len)
{
	(void)seg_file_leave(store->dir, IMPRINT, text, len); /* a full disk says so elsewhere */
}

int seg_store_forget_imprint(struct seg_store *store)
{
	return unlinkat(store->dir, IMPRINT, 0) && errno != ENOENT ? -errno : 0;
}

char *seg_store_load_imprint(struct seg_store *store)
{
	char *text;
	size_t len;

	return seg_file_read(store->dir, IMPRINT, &text, &len) ? NULL : text;
}

/* versions/N/ */

static unsigned store_last_version(struct seg_store *store)
{
	int fd = openat(store->versions, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	unsigned long last = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(dir))) {
		char *end;
		unsigned long number = strtoul(entry->d_name, &end, 10);

		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && !*end && number > last &&
		    number < UINT32_MAX)
			last = number;
	}
	closedir(dir);
	return (unsigned)last;
}

static void remove_folder(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	unlinkat(parent, name, AT_REMOVEDIR);
}

static void source_file_name(size_t i, char name[static 32])
{
	if (i)
		snprintf(name, 32, "list-%zu", i);
	else
		snprintf(name, 32, "policy.yaml");
}

static int version_write(int dir, const struct seg_policy *policy, time_t at)
{
	json_t *files = json_array(), *meta;
	char name[32], *text;
	int r = 0;

	for (size_t i = 0; i < policy->sources && !r; i++) {
		source_file_name(i, name);
		r = seg_file_write(dir, name, policy->source[i]->text, policy->source[i]->len);
		json_array_append_new(files, json_string(policy->source[i]->name));
	}
	meta = json_pack("{s:s, s:I, s:o}", "hash", policy->hash, "at", (json_int_t)at, "files", files);
	text = json_dumps(meta, JSON_INDENT(1));
	json_decref(meta);
	if (!r)
		r = text ? seg_file_write(dir, "meta.json", text, strlen(text)) : -EILSEQ;
	free(text);
	return r ? r : seg_folder_sync(dir);
}

int seg_store_put_version(struct seg_store *store, const struct seg_policy *policy, time_t at, unsigned *version)
{
	unsigned number = store_last_version(store) + 1;
	char name[16];
	int r, dir = -1;

	remove_folder(store->versions, ".new"); /* left by a crash */
	if (mkdirat(store->versions, ".new", 0750))
		return store_fail(store, -errno, "versions");
	dir = openat(store->versions, ".new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? -errno : version_write(dir, policy, at);
	if (dir >= 0)
		close(dir);
	snprintf(name, sizeof(name), "%u", number);
	if (!r && renameat(store->versions, ".new", store->versions, name))
		r = -errno;
	if (!r)
		r = seg_folder_sync(store->versions);
	if (r) {
		remove_folder(store->versions, ".new");
		return store_fail(store, r, "versions");
	}
	*version = number;
	return 0;
}

void seg_store_drop_version(struct seg_store *store, unsigned version)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", version);
	remove_folder(store->versions, name);
}

static int version_open(struct seg_store *store, unsigned version, json_t **meta)
{
	char name[16], *text;
	size_t len;
	int r, dir;

	snprintf(name, sizeof(name), "%u", version);
	dir = openat(store->versions, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return -errno;
	r = seg_file_read(dir, "meta.json", &text, &len);
	if (!r) {
		*meta = json_loadb(text, len, 0, NULL);
		free(text);
		if (*meta)
			return dir;
		r = -EBADMSG;
	}
	close(dir);
	return r;
}

struct version_reader {
	int dir;
	const json_t *files;
};

static char *version_read_list(void *context, const char *path, size_t *len, const char **error)
{
	struct version_reader *reader = context;
	size_t i;
	json_t *stored;

	json_array_foreach(reader->files, i, stored)
	{
		const char *name = json_string_value(stored);
		char file[32], *text;

		if (!i || !name || strcmp(name, path))
			continue;
		source_file_name(i, file);
		int r = seg_file_read(reader->dir, file, &text, len);
		if (!r)
			return text;
		*error = strerror(-r);
		return NULL;
	}
	*error = strerror(ENOENT);
	return NULL;
}

struct seg_policy *seg_store_get_version(struct seg_store *store, unsigned version, struct seg_diags *diags)
{
	struct seg_policy *policy = NULL;
	json_t *meta = NULL;
	char *text;
	size_t len;
	int r, dir = version_open(store, version, &meta);

	if (dir < 0) {
		store_fail(store, dir, "versions");
		return NULL;
	}
	r = seg_file_read(dir, "policy.yaml", &text, &len);
	if (r) {
		store_fail(store, r, "versions");
	} else {
		const json_t *files = json_object_get(meta, "files");
		const char *name = json_string_value(json_array_get(files, 0));
		struct version_reader context = {dir, files};
		struct seg_reader reader = {.read = version_read_list, .context = &context};

		policy = seg_policy_load(name ? name : "policy.yaml", text, len, &reader, diags);
		free(text);
	}
	json_decref(meta);
	close(dir);
	return policy;
}

bool seg_store_version_hash(struct seg_store *store, unsigned version, char hash[static 65])
{
	json_t *meta = NULL;
	int dir = version_open(store, version, &meta);
	const char *text;

	if (dir < 0)
		return false;
	close(dir);
	text = json_string_value(json_object_get(meta, "hash"));
	snprintf(hash, 65, "%s", text ? text : "");
	json_decref(meta);
	return hash[0];
}

/* state: state_file.c, with its complaints passed on. */

static void store_say(struct seg_store *store, const char *file, int r, const char *rest)
{
	char *text;

	if (asprintf(&text, "%s: %s%s", file, strerror(-r), rest) < 0)
		abort();
	free(store->problem);
	store->problem = text;
}

int seg_store_load_state(struct seg_store *store, struct seg_state *state)
{
	int original, copy;
	int r = seg_state_file_load(store->dir, state, &original, &copy);

	if (r == -ENOENT && !store_last_version(store))
		return 1; /* nothing was ever kept here */
	if (r)
		return store_fail(store, r == -ENOENT ? original : r, SEG_STATE_FILE);
	if (original)
		store_say(store, SEG_STATE_FILE, original, "; its copy was read instead");
	else if (copy && copy != -ENOENT && copy != -ESTALE) /* none, or older: an older segd knows of none */
		store_say(store, SEG_STATE_COPY, copy, "; it is written anew");
	return original || copy ? 1 : 0;
}

int seg_store_save_state(struct seg_store *store, const struct seg_state *state)
{
	int copy, r = seg_state_file_save(store->dir, state, &copy);

	if (copy)
		store_say(store, SEG_STATE_COPY, copy, "; it is written with the next change");
	return r ? store_fail(store, r, SEG_STATE_FILE) : 0;
}

void seg_store_put_state_aside(struct seg_store *store)
{
	seg_state_file_put_aside(store->dir);
}

/* registry: registry.c, with its complaints passed on. */

int seg_store_load_registry(struct seg_store *store, struct seg_arena *arena, struct seg_registry *registry)
{
	int r = seg_registry_file_load(&store->registry, arena, registry);

	return r ? store_fail(store, r, "registry") : 0;
}

int seg_store_save_registry(struct seg_store *store, const struct seg_registry *was,
			    const struct seg_registry *registry)
{
	int r = seg_registry_file_save(&store->registry, was, registry);

	return r ? store_fail(store, r, "registry") : 0;
}

/* Evidence: audit.c, with its complaints passed on. */

const char *seg_record_result(const struct seg_record *record)
{
	static const char *const name[] = {"confirmed", "pending",     "rolled-back",
					   "refused",	"rolled-back", "rolled-back"};

	return record->result <= SEG_DISARMED ? name[record->result] : "unknown";
}

const char *seg_record_outcome(const struct seg_record *record)
{
	if (record->result == SEG_REPLACED)
		return "replaced";
	if (record->result == SEG_DISARMED)
		return "disarmed";
	if (record->result == SEG_CONFIRMED && record->again) /* each apply makes a new version */
		return "brought-back";
	return seg_record_result(record);
}

static int store_evidence(struct seg_store *store, int r)
{
	if (r && !store->problem) {
		store->problem = strdup(seg_audit_problem(store->audit));
		if (!store->problem)
			abort();
	}
	return r;
}

/* A full disk fails every write until there is room: said once. */
static int store_written(struct seg_store *store, int r)
{
	if (r && store->unwritten)
		return r;
	free(store->unwritten);
	store->unwritten = r ? strdup(seg_audit_problem(store->audit)) : NULL;
	if (r && !store->unwritten)
		abort();
	return store_evidence(store, r);
}

/* Of several writes that end together the last says that they stand. */
static int store_begun(struct seg_store *store, int r)
{
	return r ? store_written(store, r) : 0;
}

int seg_store_add_record(struct seg_store *store, const struct seg_record *record)
{
	return store_written(store, seg_audit_add(store->audit, record));
}

int seg_store_set_result(struct seg_store *store, unsigned version, enum seg_result result)
{
	return store_written(store, seg_audit_set_result(store->audit, version, result));
}

int seg_store_each_record(struct seg_store *store, void (*each)(void *context, const struct seg_record *record),
			  void *context)
{
	return store_evidence(store, seg_audit_each(store->audit, each, context));
}

bool seg_store_fate(struct seg_store *store, const char *hash, enum seg_result *result)
{
	return seg_audit_fate(store->audit, hash, result);
}

int seg_store_load_usage(struct seg_store *store, void (*each)(void *context, const struct seg_usage_row *row),
			 void *context)
{
	return store_evidence(store, seg_audit_load_usage(store->audit, each, context));
}

int seg_store_load_counters(struct seg_store *store,
			    void (*each)(void *context, const struct seg_counter_row *row), void *context)
{
	return store_evidence(store, seg_audit_load_counters(store->audit, each, context));
}

bool seg_store_knows_counters(const struct seg_store *store)
{
	return seg_audit_knows_counters(store->audit);
}

int seg_store_begin_usage(struct seg_store *store)
{
	return store_begun(store, seg_audit_begin(store->audit));
}

int seg_store_put_usage(struct seg_store *store, const struct seg_usage_row *row)
{
	return store_begun(store, seg_audit_put_usage(store->audit, row));
}

int seg_store_put_counter(struct seg_store *store, const struct seg_counter_row *row)
{
	return store_begun(store, seg_audit_put_counter(store->audit, row));
}

int seg_store_drop_counter(struct seg_store *store, const uint64_t key[2])
{
	return store_begun(store, seg_audit_drop_counter(store->audit, key));
}

int seg_store_end_usage(struct seg_store *store, bool keep)
{
	return store_written(store, seg_audit_end(store->audit, keep));
}

int seg_store_add_event(struct seg_store *store, time_t at, const char *event, const char *fields)
{
	return store_written(store, seg_audit_add_event(store->audit, at, event, fields));
}

int seg_store_each_event(struct seg_store *store, time_t from, seg_event_fn each, void *context)
{
	return store_evidence(store, seg_audit_each_event(store->audit, from, each, context));
}

int seg_store_add_totals(struct seg_store *store, seg_date day, uint64_t denied, uint64_t violations)
{
	return store_written(store, seg_audit_add_totals(store->audit, day, denied, violations));
}

int seg_store_sum_totals(struct seg_store *store, seg_date from, seg_date until, uint64_t *denied,
			 uint64_t *violations)
{
	return store_evidence(store, seg_audit_sum_totals(store->audit, from, until, denied, violations));
}
