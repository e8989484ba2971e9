// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl stage: the emergency stages a policy declares. */
#include "commands.h"

#include <stdio.h>
#include "base/i18n.h"
#include "client.h"
#include "options.h"
#include "table.h"

static void show(const struct segctl *ctl, const json_t *answer)
{
	static const char *const headings[] = {N_("STAGE"), N_("NOW"), N_("TITLE")};
	struct segctl_table table;
	const json_t *one;
	size_t i;

	segctl_table_init(&table, ctl, sizeof(headings) / sizeof(*headings), headings);
	json_array_foreach(json_object_get(answer, "stages"), i, one)
	{
		segctl_table_add_text(&table, one, "stage");
		if (json_is_true(json_object_get(one, "active")))
			segctl_table_add_tone(&table, _("active"), SEGCTL_WARN);
		else
			segctl_table_add(&table, "-");
		segctl_table_add_text(&table, one, "title");
	}
	if (segctl_table_rows(&table) || !segctl_terminal())
		segctl_table_print(&table);
	else
		puts(_("the policy declares no stages"));
	segctl_table_fini(&table);
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	bool list = false, off = false;
	const struct segctl_option options[] = {{"list", NULL, &list}, {"off", NULL, &off}, {0}};
	const char *stage = NULL;

	if (segctl_options(ctl, &command_stage, argc, argv, options, &stage, 0, 1) < 0)
		return SEGCTL_USAGE;
	if (list + off + (stage != NULL) != 1)
		return segctl_usage(ctl, &command_stage, _("name a stage, or say --list or --off"));
	if (list)
		return segctl_call_show(ctl, "Stages", NULL, show);
	return segctl_call_show(ctl, "Stage",
				json_pack("{s:o}", "stage", stage ? segctl_json_text(stage) : json_null()),
				show);
}

const struct command command_stage = {
	.name = "stage",
	.arguments = "NAME | --off | --list",
	.run = run,
	.summary = N_("switch to an emergency stage of the policy, and back"),
};
