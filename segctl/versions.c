// SPDX-License-Identifier: GPL-2.0-or-later
#include "versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"

static const struct {
	const char *name, *text;
	enum segctl_tone tone;
} outcomes[] = {
	{"confirmed", N_("confirmed"), SEGCTL_GOOD},	    {"pending", N_("pending"), SEGCTL_WARN},
	{"rolled-back", N_("was rolled back"), SEGCTL_DIM}, {"refused", N_("refused"), SEGCTL_BAD},
	{"brought-back", N_("brought back"), SEGCTL_GOOD},
	{"replaced", N_("replaced unconfirmed"), SEGCTL_DIM},
	{"disarmed", N_("disarmed unconfirmed"), SEGCTL_DIM},
};

static void add_outcome(struct segctl_table *table, const json_t *one)
{
	const char *outcome = segctl_text_of(one, "outcome");

	if (!*outcome) /* of a segd that is older */
		outcome = segctl_text_of(one, "result");
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
		if (!strcmp(outcomes[i].name, outcome)) {
			segctl_table_add_tone(table, _(outcomes[i].text), outcomes[i].tone);
			return;
		}
	}
	segctl_table_add(table, outcome);
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
	add_outcome(table, one);
	segctl_table_add_text(table, one, "ticket");
	add_comment(table, one);
	seg_strbuf_fini(&buf);
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
	struct segctl_table table;

	segctl_table_init(&table, ctl, columns, sizeof(columns) / sizeof(*columns));
	table.whole = whole;
	segctl_table_show(&table, list, add_row, NULL);
}
