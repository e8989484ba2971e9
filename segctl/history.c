// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl history: who changed what, when and why. */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include "base/i18n.h"
#include "client.h"
#include "incidents.h"
#include "options.h"
#include "table.h"

static const struct {
	const char *name, *text;
	enum segctl_tone tone;
} results[] = {
	{"confirmed", N_("confirmed"), SEGCTL_GOOD},
	{"pending", N_("pending"), SEGCTL_WARN},
	{"rolled-back", N_("rolled back"), SEGCTL_DIM},
	{"refused", N_("refused"), SEGCTL_BAD},
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

static void show(const struct segctl *ctl, const json_t *answer)
{
	static const char *const headings[] = {N_(">VERSION"), N_("HASH"),   N_("AT"),	   N_("BY"),
					       N_("RESULT"),   N_("TICKET"), N_("COMMENT")};
	struct segctl_table table;
	struct seg_strbuf buf = {0};
	const json_t *one;
	size_t i;

	segctl_table_init(&table, ctl, sizeof(headings) / sizeof(*headings), headings);
	json_array_foreach(json_object_get(answer, "history"), i, one)
	{
		segctl_table_add_number(&table, one, "version");
		seg_strbuf_printf(&buf, "%.12s", segctl_text_of(one, "hash"));
		segctl_table_add_strbuf(&table, &buf);
		segctl_table_add_text(&table, one, "at");
		if (*segctl_text_of(one, "user"))
			segctl_table_add_text(&table, one, "user");
		else
			segctl_table_add_number(&table, one, "uid");
		add_result(&table, segctl_text_of(one, "result"));
		segctl_table_add_text(&table, one, "ticket");
		segctl_table_add_text(&table, one, "comment");
	}
	segctl_table_print(&table);
	segctl_table_fini(&table);
	seg_strbuf_fini(&buf);
	if (json_array_size(json_object_get(answer, "actions"))) {
		printf("\n%s\n", _("Emergency actions"));
		segctl_incidents(ctl, answer, "actions");
	}
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	if (!segctl_no_options(ctl, &command_history, argc, argv))
		return SEGCTL_USAGE;
	return segctl_call_show(ctl, "History", NULL, show);
}

const struct command command_history = {
	.name = "history",
	.arguments = "",
	.run = run,
	.summary = N_("who changed what, when and why"),
};
