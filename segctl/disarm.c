// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl disarm: the only way the rules go. */
#include "commands.h"

#include <stdio.h>
#include "base/i18n.h"
#include "client.h"
#include "options.h"
#include "output.h"

static void show(const struct segctl *ctl, const json_t *answer)
{
	long long version = segctl_number_of(answer, "given-up");

	printf("%s%s%s\n", segctl_tone_begin(ctl, SEGCTL_BAD),
	       _("The rules are out: nothing is separated. `segctl apply` puts them back, and so does segd "
		 "when it starts again."),
	       segctl_tone_end(ctl, SEGCTL_BAD));
	if (version)
		printf(_("%sversion %lld was not confirmed: its deadline is over, and it does not come back "
			 "by itself%s\n"),
		       segctl_tone_begin(ctl, SEGCTL_WARN), version, segctl_tone_end(ctl, SEGCTL_WARN));
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	bool yes = false;
	const struct segctl_option options[] = {{"yes", NULL, &yes}, {0}};

	if (segctl_options(ctl, &command_disarm, argc, argv, options, NULL, 0, 0) < 0)
		return SEGCTL_USAGE;
	if (!yes)
		return segctl_usage(ctl, &command_disarm,
				    _("this takes all rules out, and every zone can reach every other; "
				      "say --yes if that is what you want"));
	return segctl_call_show(ctl, "Disarm", json_pack("{s:b}", "yes", 1), show);
}

const struct command command_disarm = {
	.name = "disarm",
	.arguments = "--yes",
	.run = run,
	.summary = N_("take the rules out: nothing is separated any more"),
};
