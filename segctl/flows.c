// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl flows: live flows that cross zones. */
#include "commands.h"

#include "base/i18n.h"
#include "ends.h"
#include "listing.h"
#include "options.h"

static void add_columns(struct segctl_table *table)
{
	static const struct segctl_column columns[] = {
		{.heading = N_("PERMIT")},
		{.heading = N_(">BYTES"), .spared = 2},
		{.heading = N_(">REPLY"), .spared = 3},
		{.heading = N_("STATE"), .spared = 4},
		{.heading = N_("SINCE"), .spared = 1},
	};

	segctl_ends_columns(table);
	segctl_table_add_columns(table, columns, sizeof(columns) / sizeof(*columns));
}

static void add_row(struct segctl_table *table, const json_t *one)
{
	segctl_ends_add(table, one, "sport");
	segctl_table_add_text(table, one, "permit");
	segctl_table_add_size(table, one, "bytes");
	segctl_table_add_size(table, one, "reply-bytes");
	segctl_table_add_text(table, one, "state");
	segctl_table_add_time(table, one, "since");
}

static const struct segctl_listing listing = {
	.method = "Flows",
	.name = "flows",
	.add_columns = add_columns,
	.add_row = add_row,
};

static int run(const struct segctl *ctl, int argc, char **argv)
{
	const char *zone = NULL;
	const struct segctl_option options[] = {{"zone", &zone, NULL}, {0}};
	json_t *parameters;

	if (segctl_options(ctl, &command_flows, argc, argv, options, NULL, 0, 0) < 0)
		return SEGCTL_USAGE;
	parameters = json_object();
	if (zone)
		json_object_set_new(parameters, "zone", segctl_json_text(zone));
	return segctl_list(ctl, &listing, parameters);
}

const struct command command_flows = {
	.name = "flows",
	.arguments = "[--zone ZONE]",
	.run = run,
	.summary = N_("live flows that cross zones"),
	.details = N_("  --zone ZONE  only those from or to this zone\n"),
};
