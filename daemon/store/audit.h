/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_AUDIT_H
#define SEGD_AUDIT_H

/*
 * audit.db: SQLite behind the history and usage functions of store.h. Evidence,
 * not truth: a broken file is renamed to audit.db.broken and begun anew.
 */

#include "store.h"

struct seg_audit;
/* Never NULL: while no database can be had every call returns -EIO. *problem on the heap, or NULL. */
struct seg_audit *seg_audit_open(const char *path, char **problem);
void seg_audit_close(struct seg_audit *audit);

int seg_audit_add(struct seg_audit *audit, const struct seg_record *record);
int seg_audit_set_result(struct seg_audit *audit, unsigned version, enum seg_result result);
int seg_audit_each(struct seg_audit *audit, void (*each)(void *context, const struct seg_record *record),
		   void *context);
bool seg_audit_fate(struct seg_audit *audit, const char *hash, enum seg_result *result);

int seg_audit_add_event(struct seg_audit *audit, time_t at, const char *event, const char *fields);
int seg_audit_each_event(struct seg_audit *audit, time_t from, seg_event_fn each, void *context);
int seg_audit_add_totals(struct seg_audit *audit, seg_date day, uint64_t denied, uint64_t violations);
int seg_audit_sum_totals(struct seg_audit *audit, seg_date from, seg_date until, uint64_t *denied,
			 uint64_t *violations);

int seg_audit_load_usage(struct seg_audit *audit, void (*each)(void *context, const struct seg_usage_row *row),
			 void *context);
int seg_audit_load_counters(struct seg_audit *audit,
			    void (*each)(void *context, const struct seg_counter_row *row), void *context);
bool seg_audit_knows_counters(const struct seg_audit *audit);
int seg_audit_begin(struct seg_audit *audit);
int seg_audit_put_usage(struct seg_audit *audit, const struct seg_usage_row *row);
int seg_audit_put_counter(struct seg_audit *audit, const struct seg_counter_row *row);
int seg_audit_drop_counter(struct seg_audit *audit, const uint64_t key[2]);
int seg_audit_end(struct seg_audit *audit, bool keep);
/* SQLite's words for the last failure. */
const char *seg_audit_problem(const struct seg_audit *audit);

#endif
