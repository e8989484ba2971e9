// SPDX-License-Identifier: GPL-2.0-or-later
#include "versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"

/* Confirmed, and not the first time: a rollback brought it back. No word of an answer. */
#define AGAIN "brought-back"

static const struct {
	const char *name, *text;
	enum segctl_tone tone;
} results[] = {
	{"confirmed", N_("confirmed"), SEGCTL_GOOD},	    {"pending", N_("pending"), SEGCTL_WARN},
	{"rolled-back", N_("was rolled back"), SEGCTL_DIM}, {"refused", N_("refused"), SEGCTL_BAD},
	{AGAIN, N_("brought back"), SEGCTL_GOOD},
};

static void add_result(struct segctl_table *table, const char *result)
{
	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		if (!strcmp(results[i].name, result)) {
			segctl_table_add_tone(table, _(results[i].text), results[i].tone);
			return;
		}
	}
	segctl_table_add(table, result);
}

/* What the person said, and why it was refused. */
static void add_comment(struct segctl_table *table, const json_t *one)
{
	const char *comment = segctl_text_of(one, "comment"), *reason = segctl_text_of(one, "reason");
	char *said = segctl_said(one, reason);
	struct seg_strbuf buf = {0};

	seg_strbuf_add(&buf, *comment ? segctl_remark(comment) : "");
	if (*reason)
		seg_strbuf_printf(&buf, "%s%s", *comment ? ": " : "", said);
	free(said);
	segctl_table_add_strbuf(table, &buf);
	seg_strbuf_fini(&buf);
}

static void add_row(struct segctl_table *table, const json_t *one)
{
	const char *hash = segctl_text_of(one, "hash");
	struct seg_strbuf buf = {0};

	segctl_table_add_number(table, one, "version");
	seg_strbuf_printf(&buf, "%.*s", table->whole ? (int)strlen(hash) : 12, hash);
	segctl_table_add_strbuf(table, &buf);
	segctl_table_add_time(table, one, "at");
	if (*segctl_text_of(one, "user"))
		segctl_table_add_text(table, one, "user");
	else
		segctl_table_add_number(table, one, "uid");
	add_result(table, segctl_text_of(one, "result"));
	segctl_table_add_text(table, one, "ticket");
	add_comment(table, one);
	seg_strbuf_fini(&buf);
}

/* Each apply makes a new version: one that is in the list twice has come back. The newest are first. */
static json_t *with_rollbacks(const json_t *list)
{
	json_t *shown = json_deep_copy(list), *seen = json_object();

	for (size_t i = json_array_size(shown); i > 0; i--) {
		json_t *one = json_array_get(shown, i - 1);
		char version[24];

		snprintf(version, sizeof(version), "%lld", segctl_number_of(one, "version"));
		if (json_object_get(seen, version) && !strcmp(segctl_text_of(one, "result"), "confirmed"))
			json_object_set_new(one, "result", json_string(AGAIN));
		if (segctl_number_of(one, "version"))
			json_object_set_new(seen, version, json_true());
	}
	json_decref(seen);
	return shown;
}

void segctl_versions(const struct segctl *ctl, const json_t *list, bool whole)
{
	static const struct segctl_column columns[] = {
		{.heading = N_(">VERSION")},
		{.heading = N_("HASH"), .spared = 1},
		{.heading = N_("AT")},
		{.heading = N_("BY"), .least = 8},
		{.heading = N_("RESULT")},
		{.heading = N_("TICKET"), .least = 10},
		{.heading = N_("COMMENT"), .least = 24},
	};
	json_t *shown = with_rollbacks(list);
	struct segctl_table table;

	segctl_table_init(&table, ctl, columns, sizeof(columns) / sizeof(*columns));
	table.whole = whole;
	segctl_table_show(&table, shown, add_row, NULL);
	json_decref(shown);
}
