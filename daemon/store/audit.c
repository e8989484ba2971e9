/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "audit.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct seg_audit {
	char *path;
	sqlite3 *db; /* NULL: could not be opened, as on a full disk; tried again */
	sqlite3_stmt *put_usage, *put_counter, *drop_counter; /* while a usage transaction is open */
	bool no_counters; /* schema 1, until totals and counters are saved together */
	char problem[160];
};

static const char schema[] =
	"PRAGMA journal_mode=WAL;"
	"PRAGMA synchronous=NORMAL;"
	"PRAGMA cache_size=-256;"
	"CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY, version INTEGER, hash TEXT, at INTEGER NOT NULL,"
	" uid INTEGER NOT NULL, user TEXT, comment TEXT, ticket TEXT, result INTEGER NOT NULL, reason TEXT);"
	"CREATE INDEX IF NOT EXISTS history_hash ON history (hash);"
	"CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL,"
	" fields TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS events_at ON events (at);"
	"CREATE TABLE IF NOT EXISTS totals (day INTEGER PRIMARY KEY, denied INTEGER NOT NULL,"
	" violations INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS usage (permit TEXT PRIMARY KEY, flows INTEGER, packets INTEGER, bytes INTEGER,"
	" reply_packets INTEGER, reply_bytes INTEGER, first INTEGER, last INTEGER) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS counters (key BLOB PRIMARY KEY, packets INTEGER, bytes INTEGER, until INTEGER)"
	" WITHOUT ROWID;";

#define COUNTERS_KNOWN "PRAGMA user_version=2;"

static int audit_failed(struct seg_audit *audit)
{
	if (audit->db) /* else it is known why there is none */
		snprintf(audit->problem, sizeof(audit->problem), "audit.db: %s", sqlite3_errmsg(audit->db));
	return -EIO;
}

static int take_version(void *context, int columns, char **value, char **name)
{
	struct seg_audit *audit = context;

	(void)columns;
	(void)name;
	audit->no_counters = strcmp(value[0], "1") == 0;
	return 0;
}

/* A history that an earlier segd began has no reasons. */
static bool audit_has_reasons(struct seg_audit *audit)
{
	return sqlite3_table_column_metadata(audit->db, NULL, "history", "reason", NULL, NULL, NULL, NULL, NULL) ==
		       SQLITE_OK ||
	       sqlite3_exec(audit->db, "ALTER TABLE history ADD COLUMN reason TEXT", NULL, NULL, NULL) == SQLITE_OK;
}

static bool audit_begin_db(struct seg_audit *audit)
{
	if (sqlite3_open_v2(audit->path, &audit->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(audit->db, 200);
		if (sqlite3_exec(audit->db, "PRAGMA user_version", take_version, audit, NULL) == SQLITE_OK &&
		    sqlite3_exec(audit->db, schema, NULL, NULL, NULL) == SQLITE_OK && audit_has_reasons(audit) &&
		    (audit->no_counters ||
		     sqlite3_exec(audit->db, COUNTERS_KNOWN, NULL, NULL, NULL) == SQLITE_OK)) {
			/* An older segd made none, and the disk may have no room for it: it is slower without. */
			sqlite3_exec(audit->db, "CREATE INDEX IF NOT EXISTS history_version ON history (version)", NULL,
				     NULL, NULL);
			return true;
		}
	}
	audit_failed(audit);
	return false;
}

/* Is it the file that is broken (not the disk that is full, or a lock)? */
static bool audit_is_broken(struct seg_audit *audit)
{
	int code = audit->db ? sqlite3_errcode(audit->db) : SQLITE_CANTOPEN;

	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

static void audit_put_aside(const char *path)
{
	static const char *const suffix[] = {"-wal", "-shm"};
	char from[4096], to[4096];

	snprintf(to, sizeof(to), "%s.broken", path);
	rename(path, to);
	for (size_t i = 0; i < 2; i++) { /* a log of the broken file must not be played into the new one */
		snprintf(from, sizeof(from), "%s%s", path, suffix[i]);
		unlink(from);
	}
}

static void audit_close_db(struct seg_audit *audit)
{
	sqlite3_close(audit->db);
	audit->db = NULL;
}

struct seg_audit *seg_audit_open(const char *path, char **problem)
{
	struct seg_audit *audit = calloc(1, sizeof(*audit));

	if (!audit)
		abort();
	audit->path = strdup(path);
	if (!audit->path)
		abort();
	*problem = NULL;
	if (audit_begin_db(audit))
		return audit;
	*problem = strdup(audit->problem);
	if (audit_is_broken(audit)) {
		audit_close_db(audit);
		audit_put_aside(path);
		if (audit_begin_db(audit))
			return audit;
	}
	audit_close_db(audit);
	return audit;
}

/* A daemon that started while the disk was full has its database when there is room. */
static bool audit_has_db(struct seg_audit *audit)
{
	if (audit->db || audit_begin_db(audit))
		return true;
	audit_close_db(audit);
	return false;
}

static void finalize_usage(struct seg_audit *audit)
{
	sqlite3_finalize(audit->put_usage);
	sqlite3_finalize(audit->put_counter);
	sqlite3_finalize(audit->drop_counter);
	audit->put_usage = audit->put_counter = audit->drop_counter = NULL;
}

void seg_audit_close(struct seg_audit *audit)
{
	if (!audit)
		return;
	finalize_usage(audit);
	sqlite3_close(audit->db);
	free(audit->path);
	free(audit);
}

static int audit_prepare(struct seg_audit *audit, const char *sql, sqlite3_stmt **stmt)
{
	if (!audit_has_db(audit) || sqlite3_prepare_v2(audit->db, sql, -1, stmt, NULL) != SQLITE_OK)
		return audit_failed(audit);
	return 0;
}

static int audit_finish(struct seg_audit *audit, sqlite3_stmt *stmt)
{
	int r = sqlite3_step(stmt) == SQLITE_DONE ? 0 : audit_failed(audit);

	sqlite3_finalize(stmt);
	return r;
}

int seg_audit_add(struct seg_audit *audit, const struct seg_record *record)
{
	sqlite3_stmt *stmt;
	int r = audit_prepare(audit,
			      "INSERT INTO history (version, hash, at, uid, user, comment, ticket, result, reason)"
			      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			      &stmt);

	if (r)
		return r;
	if (record->version)
		sqlite3_bind_int64(stmt, 1, record->version);
	sqlite3_bind_text(stmt, 2, record->hash, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, record->at);
	sqlite3_bind_int64(stmt, 4, record->uid);
	sqlite3_bind_text(stmt, 5, record->user, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 6, record->comment, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 7, record->ticket, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 8, (int)record->result);
	sqlite3_bind_text(stmt, 9, record->reason, -1, SQLITE_STATIC);
	return audit_finish(audit, stmt);
}

int seg_audit_set_result(struct seg_audit *audit, unsigned version, enum seg_result result)
{
	sqlite3_stmt *stmt;
	int r = audit_prepare(audit,
			      "UPDATE history SET result = ?"
			      " WHERE id = (SELECT max(id) FROM history WHERE version = ?)",
			      &stmt);

	if (r)
		return r;
	sqlite3_bind_int(stmt, 1, (int)result);
	sqlite3_bind_int64(stmt, 2, version);
	return audit_finish(audit, stmt);
}

int seg_audit_each(struct seg_audit *audit, void (*each)(void *context, const struct seg_record *record),
		   void *context)
{
	sqlite3_stmt *stmt;
	int step, r = audit_prepare(audit,
				    "SELECT version, hash, at, uid, user, comment, ticket, result, reason,"
				    " EXISTS (SELECT 1 FROM history AS older"
				    " WHERE older.version = history.version AND older.id < history.id)"
				    " FROM history ORDER BY id DESC",
				    &stmt);

	if (r)
		return r;
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct seg_record record = {
			.version = (unsigned)sqlite3_column_int64(stmt, 0),
			.hash = (const char *)sqlite3_column_text(stmt, 1),
			.at = sqlite3_column_int64(stmt, 2),
			.uid = (uid_t)sqlite3_column_int64(stmt, 3),
			.user = (const char *)sqlite3_column_text(stmt, 4),
			.comment = (const char *)sqlite3_column_text(stmt, 5),
			.ticket = (const char *)sqlite3_column_text(stmt, 6),
			.result = (enum seg_result)sqlite3_column_int(stmt, 7),
			.reason = (const char *)sqlite3_column_text(stmt, 8),
			.again = sqlite3_column_int(stmt, 9) != 0,
		};

		each(context, &record);
	}
	r = step == SQLITE_DONE ? 0 : audit_failed(audit);
	sqlite3_finalize(stmt);
	return r;
}

bool seg_audit_fate(struct seg_audit *audit, const char *hash, enum seg_result *result)
{
	sqlite3_stmt *stmt;
	bool found = false;

	if (audit_prepare(audit,
			  "SELECT result FROM history WHERE hash = ? AND version IS NOT NULL ORDER BY id DESC LIMIT 1",
			  &stmt))
		return false;
	sqlite3_bind_text(stmt, 1, hash, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		*result = (enum seg_result)sqlite3_column_int(stmt, 0);
		found = true;
	}
	sqlite3_finalize(stmt);
	return found;
}

/* But for what people did in an emergency: a start may need that (engine/recall.c), and nobody does it so often. */
#define EVENTS_MAX "100000"

int seg_audit_add_event(struct seg_audit *audit, time_t at, const char *event, const char *fields)
{
	sqlite3_stmt *stmt;
	int r = audit_prepare(audit, "INSERT INTO events (at, event, fields) VALUES (?, ?, ?)", &stmt);

	if (r)
		return r;
	sqlite3_bind_int64(stmt, 1, at);
	sqlite3_bind_text(stmt, 2, event, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, fields, -1, SQLITE_STATIC);
	r = audit_finish(audit, stmt);
	if (!r) /* what cannot go now goes with the next: this one is written, and not to be again */
		sqlite3_exec(audit->db,
			     "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - " EVENTS_MAX
			     " AND event NOT IN ('isolated', 'released', 'stage')",
			     NULL, NULL, NULL);
	return r;
}

int seg_audit_each_event(struct seg_audit *audit, time_t from, seg_event_fn each, void *context)
{
	sqlite3_stmt *stmt;
	int step, r = audit_prepare(audit, "SELECT at, event, fields FROM events WHERE at >= ? ORDER BY id DESC",
				    &stmt);

	if (r)
		return r;
	sqlite3_bind_int64(stmt, 1, from);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
		each(context, sqlite3_column_int64(stmt, 0), (const char *)sqlite3_column_text(stmt, 1),
		     (const char *)sqlite3_column_text(stmt, 2));
	r = step == SQLITE_DONE ? 0 : audit_failed(audit);
	sqlite3_finalize(stmt);
	return r;
}

int seg_audit_add_totals(struct seg_audit *audit, seg_date day, uint64_t denied, uint64_t violations)
{
	sqlite3_stmt *stmt;
	int r = audit_prepare(audit,
			      "INSERT INTO totals (day, denied, violations) VALUES (?, ?, ?) ON CONFLICT (day) DO UPDATE"
			      " SET denied = denied + excluded.denied, violations = violations + excluded.violations",
			      &stmt);

	if (r)
		return r;
	sqlite3_bind_int64(stmt, 1, day);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)denied);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)violations);
	return audit_finish(audit, stmt);
}

int seg_audit_sum_totals(struct seg_audit *audit, seg_date from, seg_date until, uint64_t *denied,
			 uint64_t *violations)
{
	sqlite3_stmt *stmt;
	int r = audit_prepare(audit, "SELECT sum(denied), sum(violations) FROM totals WHERE day BETWEEN ? AND ?",
			      &stmt);

	if (r)
		return r;
	sqlite3_bind_int64(stmt, 1, from);
	sqlite3_bind_int64(stmt, 2, until);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		*denied = (uint64_t)sqlite3_column_int64(stmt, 0);
		*violations = (uint64_t)sqlite3_column_int64(stmt, 1);
	} else {
		r = audit_failed(audit);
	}
	sqlite3_finalize(stmt);
	return r;
}

static struct seg_counts audit_counts(sqlite3_stmt *stmt, int column)
{
	return (struct seg_counts){
		.flows = (uint64_t)sqlite3_column_int64(stmt, column),
		.packets = (uint64_t)sqlite3_column_int64(stmt, column + 1),
		.bytes = (uint64_t)sqlite3_column_int64(stmt, column + 2),
		.reply_packets = (uint64_t)sqlite3_column_int64(stmt, column + 3),
		.reply_bytes = (uint64_t)sqlite3_column_int64(stmt, column + 4),
	};
}

int seg_audit_load_usage(struct seg_audit *audit, void (*each)(void *context, const struct seg_usage_row *row),
			 void *context)
{
	sqlite3_stmt *stmt;
	int step, r = audit_prepare(audit,
				    "SELECT permit, flows, packets, bytes, reply_packets, reply_bytes, first, last"
				    " FROM usage",
				    &stmt);

	if (r)
		return r;
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct seg_usage_row row = {
			.permit = (const char *)sqlite3_column_text(stmt, 0),
			.total = audit_counts(stmt, 1),
			.first = sqlite3_column_int64(stmt, 6),
			.last = sqlite3_column_int64(stmt, 7),
		};

		each(context, &row);
	}
	r = step == SQLITE_DONE ? 0 : audit_failed(audit);
	sqlite3_finalize(stmt);
	return r;
}

int seg_audit_load_counters(struct seg_audit *audit,
			    void (*each)(void *context, const struct seg_counter_row *row), void *context)
{
	sqlite3_stmt *stmt;
	int step, r = audit_prepare(audit, "SELECT key, packets, bytes, until FROM counters", &stmt);

	if (r)
		return r;
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct seg_counter_row row = {
			.packets = (uint64_t)sqlite3_column_int64(stmt, 1),
			.bytes = (uint64_t)sqlite3_column_int64(stmt, 2),
			.until = sqlite3_column_int64(stmt, 3),
		};

		if (sqlite3_column_bytes(stmt, 0) != sizeof(row.key))
			continue;
		memcpy(row.key, sqlite3_column_blob(stmt, 0), sizeof(row.key));
		each(context, &row);
	}
	r = step == SQLITE_DONE ? 0 : audit_failed(audit);
	sqlite3_finalize(stmt);
	return r;
}

bool seg_audit_knows_counters(const struct seg_audit *audit)
{
	return !audit->no_counters;
}

int seg_audit_begin(struct seg_audit *audit)
{
	int r;

	if (!audit_has_db(audit) || sqlite3_exec(audit->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return audit_failed(audit);
	r = audit_prepare(audit,
			  "INSERT OR REPLACE INTO usage (permit, flows, packets, bytes, reply_packets, reply_bytes,"
			  " first, last) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			  &audit->put_usage);
	if (!r)
		r = audit_prepare(audit, "INSERT OR REPLACE INTO counters VALUES (?, ?, ?, ?)", &audit->put_counter);
	if (!r)
		r = audit_prepare(audit, "DELETE FROM counters WHERE key = ?", &audit->drop_counter);
	if (r)
		seg_audit_end(audit, false);
	return r;
}

static int audit_once_more(struct seg_audit *audit, sqlite3_stmt *stmt)
{
	int r = sqlite3_step(stmt) == SQLITE_DONE ? 0 : audit_failed(audit);

	sqlite3_reset(stmt);
	return r;
}

static void audit_bind_counts(sqlite3_stmt *stmt, int column, const struct seg_counts *counts)
{
	sqlite3_bind_int64(stmt, column, (sqlite3_int64)counts->flows);
	sqlite3_bind_int64(stmt, column + 1, (sqlite3_int64)counts->packets);
	sqlite3_bind_int64(stmt, column + 2, (sqlite3_int64)counts->bytes);
	sqlite3_bind_int64(stmt, column + 3, (sqlite3_int64)counts->reply_packets);
	sqlite3_bind_int64(stmt, column + 4, (sqlite3_int64)counts->reply_bytes);
}

int seg_audit_put_usage(struct seg_audit *audit, const struct seg_usage_row *row)
{
	sqlite3_stmt *stmt = audit->put_usage;

	if (!stmt)
		return -EIO;
	sqlite3_bind_text(stmt, 1, row->permit, -1, SQLITE_STATIC);
	audit_bind_counts(stmt, 2, &row->total);
	sqlite3_bind_int64(stmt, 7, row->first);
	sqlite3_bind_int64(stmt, 8, row->last);
	return audit_once_more(audit, stmt);
}

int seg_audit_put_counter(struct seg_audit *audit, const struct seg_counter_row *row)
{
	sqlite3_stmt *stmt = audit->put_counter;

	if (!stmt)
		return -EIO;
	sqlite3_bind_blob(stmt, 1, row->key, sizeof(row->key), SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)row->packets);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)row->bytes);
	sqlite3_bind_int64(stmt, 4, row->until);
	return audit_once_more(audit, stmt);
}

int seg_audit_drop_counter(struct seg_audit *audit, const uint64_t key[2])
{
	sqlite3_stmt *stmt = audit->drop_counter;

	if (!stmt)
		return -EIO;
	sqlite3_bind_blob(stmt, 1, key, 2 * sizeof(key[0]), SQLITE_STATIC);
	return audit_once_more(audit, stmt);
}

int seg_audit_end(struct seg_audit *audit, bool keep)
{
	finalize_usage(audit);
	if (!audit->db)
		return -EIO;
	if (keep && sqlite3_exec(audit->db, COUNTERS_KNOWN "COMMIT", NULL, NULL, NULL) == SQLITE_OK) {
		audit->no_counters = false;
		return 0;
	}
	if (keep)
		audit_failed(audit);
	sqlite3_exec(audit->db, "ROLLBACK", NULL, NULL, NULL);
	return -EIO;
}

const char *seg_audit_problem(const struct seg_audit *audit)
{
	return audit->problem;
}
