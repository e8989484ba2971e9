// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl denials, violations: what was refused, and what no permit explains. */
#include "commands.h"

#include "base/i18n.h"
#include "client.h"
#include "ends.h"
#include "listing.h"
#include "options.h"

static void add_columns(struct segctl_table *table)
{
	static const struct segctl_column columns[] = {
		{.heading = N_("REASON"), .spared = 1},
		{.heading = N_(">COUNT")},
		{.heading = N_("FIRST"), .spared = 3},
		{.heading = N_("LAST"), .spared = 2},
	};

	segctl_ends_columns(table);
	segctl_table_add_columns(table, columns, sizeof(columns) / sizeof(*columns));
}

static void add_row(struct segctl_table *table, const json_t *one)
{
	segctl_ends_add(table, one, "");
	segctl_table_add_word(table, one, "reason");
	segctl_table_add_number(table, one, "count");
	segctl_table_add_time(table, one, "first");
	segctl_table_add_time(table, one, "last");
}

static const struct segctl_listing denials = {
	.method = "Denials",
	.name = "denials",
	.add_columns = add_columns,
	.add_row = add_row,
};

static void add_violation(struct segctl_table *table, const json_t *one)
{
	add_row(table, one);
	segctl_table_add_text(table, one, "permit");
	segctl_table_add_size(table, one, "bytes");
	segctl_table_add_word(table, one, "action");
}

static void show_violations(const struct segctl *ctl, const json_t *answer)
{
	static const struct segctl_column more[] = {
		{.heading = N_("PERMIT"), .spared = 5},
		{.heading = N_(">BYTES"), .spared = 4},
		{.heading = N_("ACTION")},
	};
	struct segctl_table table;

	segctl_table_init(&table, ctl, NULL, 0);
	add_columns(&table);
	segctl_table_add_columns(&table, more, sizeof(more) / sizeof(*more));
	segctl_table_show(&table, json_object_get(answer, "violations"), add_violation,
			  _("no violation is known"));
}

static int run_denials(const struct segctl *ctl, int argc, char **argv)
{
	if (!segctl_no_options(ctl, &command_denials, argc, argv))
		return SEGCTL_USAGE;
	return segctl_list(ctl, &denials, NULL);
}

const struct command command_denials = {
	.name = "denials",
	.arguments = "",
	.run = run_denials,
	.summary = N_("what was refused, by source, destination and service"),
};

static int run_violations(const struct segctl *ctl, int argc, char **argv)
{
	if (!segctl_no_options(ctl, &command_violations, argc, argv))
		return SEGCTL_USAGE;
	return segctl_call_show(ctl, "Violations", NULL, show_violations);
}

const struct command command_violations = {
	.name = "violations",
	.arguments = "",
	.run = run_violations,
	.summary = N_("flows that no permit explains"),
};
