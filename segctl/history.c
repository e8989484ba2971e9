// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl history: who changed what, when and why. */
#include "commands.h"

#include <stdio.h>
#include "base/i18n.h"
#include "client.h"
#include "incidents.h"
#include "options.h"
#include "versions.h"

static void show(const struct segctl *ctl, const json_t *answer)
{
	const json_t *actions = json_object_get(answer, "actions");

	segctl_versions(ctl, json_object_get(answer, "history"), false);
	if (json_array_size(actions)) {
		printf("\n%s\n", _("Emergency actions"));
		segctl_incidents(ctl, actions, false);
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
