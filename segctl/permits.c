// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl permits: every permit with its state and its use. */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include "base/i18n.h"
#include "listing.h"
#include "options.h"

#define UNUSED_MAX 36500 /* days */

static const struct {
	const char *name, *text;
	enum segctl_tone tone;
} states[] = {
	{"active", N_("active"), SEGCTL_GOOD},	 {"closed", N_("closed"), SEGCTL_DIM},
	{"expired", N_("expired"), SEGCTL_WARN}, {"not-yet", N_("not yet"), SEGCTL_DIM},
	{"stopped", N_("stopped"), SEGCTL_BAD},	 {"held", N_("held"), SEGCTL_WARN},
};

static void add_state(struct segctl_table *table, const char *state)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (!strcmp(states[i].name, state)) {
			segctl_table_add_tone(table, _(states[i].text), states[i].tone);
			return;
		}
	}
	segctl_table_add(table, state);
}

/* Of a permit that is open while its zone has to wait, that is what a reader needs to know. */
static const char *state_of(const json_t *permit)
{
	const char *state = segctl_text_of(permit, "state");

	return json_is_true(json_object_get(permit, "held")) && !strcmp(state, "active") ? "held" : state;
}

static void add_row(struct segctl_table *table, const json_t *one)
{
	struct seg_strbuf buf = {0};

	segctl_table_add_text(table, one, "id");
	add_state(table, state_of(one));
	segctl_list_of(one, "from", &buf);
	segctl_table_add_strbuf(table, &buf);
	segctl_list_of(one, "to", &buf);
	segctl_table_add_strbuf(table, &buf);
	segctl_table_add_number(table, one, "flows");
	segctl_table_add_number(table, one, "packets");
	segctl_table_add_size(table, one, "bytes");
	segctl_table_add_time(table, one, "last");
	segctl_table_add_time(table, one, "next-change");
	segctl_table_add_text(table, one, "title");
	seg_strbuf_fini(&buf);
}

static void add_columns(struct segctl_table *table)
{
	static const struct segctl_column columns[] = {
		{.heading = N_("PERMIT")},
		{.heading = N_("STATE")},
		{.heading = N_("FROM"), .least = 8},
		{.heading = N_("TO"), .least = 8},
		{.heading = N_(">FLOWS"), .spared = 3},
		{.heading = N_(">PACKETS"), .spared = 4},
		{.heading = N_(">BYTES"), .spared = 2},
		{.heading = N_("LAST USE")},
		{.heading = N_("CHANGES"), .spared = 1},
		{.heading = N_("TITLE"), .least = 12},
	};

	segctl_table_add_columns(table, columns, sizeof(columns) / sizeof(*columns));
}

static const struct segctl_listing listing = {
	.method = "Permits",
	.name = "permits",
	.add_columns = add_columns,
	.add_row = add_row,
};

static int run(const struct segctl *ctl, int argc, char **argv)
{
	const char *unused = NULL;
	const struct segctl_option options[] = {{"unused", &unused, NULL}, {0}};
	json_t *parameters;
	long long days;

	if (segctl_options(ctl, &command_permits, argc, argv, options, NULL, 0, 0) < 0)
		return SEGCTL_USAGE;
	if (unused && !segctl_number(unused, 0, UNUSED_MAX, &days))
		return segctl_usage(ctl, &command_permits, _("'%s' is no number of days"), unused);
	parameters = json_object();
	if (unused)
		json_object_set_new(parameters, "unused", json_integer(days));
	return segctl_list(ctl, &listing, parameters);
}

const struct command command_permits = {
	.name = "permits",
	.arguments = "[--unused DAYS]",
	.run = run,
	.summary = N_("every permit: state, use, end"),
	.details = N_("  --unused DAYS  only those that nothing has used for so many days\n"),
};
