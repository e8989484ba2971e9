// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl check: all errors and warnings of a policy, with carets. */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/i18n.h"
#include "offline.h"
#include "output.h"
#include "policy/advice.h"
#include "policy/guard.h"
#include "policy/load.h"
#include "policy/report.h"

static int answer_json(const struct seg_diags *diags)
{
	json_t *document = json_object();

	seg_report_put(diags, document);
	return segctl_json(document, diags->errors ? SEGCTL_NO : SEGCTL_YES);
}

static int answer(const struct segctl *ctl, const struct seg_policy *policy, const struct seg_diags *diags,
		  const char *file)
{
	char zones[SEGCTL_COUNT_STRLEN], permits[SEGCTL_COUNT_STRLEN];
	struct seg_strbuf out = {0};
	int status = diags->errors ? SEGCTL_NO : SEGCTL_YES;

	seg_diags_render(diags, ctl->colour, &out);
	fputs(seg_strbuf_text(&out), stdout);
	seg_strbuf_fini(&out);
	if (diags->errors > SEG_DIAG_MAX)
		printf(ngettext("%zu more error is not shown\n", "%zu more errors are not shown\n",
				diags->errors - SEG_DIAG_MAX),
		       diags->errors - SEG_DIAG_MAX);
	if (diags->errors || diags->warnings) {
		printf(ngettext("%zu error, ", "%zu errors, ", diags->errors), diags->errors);
		printf(ngettext("%zu warning\n", "%zu warnings\n", diags->warnings), diags->warnings);
	}
	if (policy && !diags->errors)
		printf(_("%s: right: %s, %s\n"), file, segctl_zones((long long)policy->zones, zones),
		       segctl_permits((long long)policy->permits, permits));
	return fflush(stdout) == 0 ? status : SEGCTL_REFUSED;
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
	const char *file = argc > first ? argv[first] : SEGCTL_POLICY;
	struct seg_policy *policy;
	struct seg_diags diags;
	int status;

	if (first == 1 && file[0] == '-' && file[1])
		return segctl_usage(ctl, &command_check, _("unknown option %s"), file);
	if (argc > first + 1)
		return segctl_usage(ctl, &command_check, _("unexpected argument '%s'"), argv[first + 1]);
	seg_diags_init(&diags);
	policy = seg_policy_load_stream(file, &diags);
	if (policy) {
		seg_guard_check(policy, &diags);
		seg_advice(policy, time(NULL), &diags);
	}
	seg_diags_sort(&diags);
	if (diags.first && !diags.first->place.source)
		status = offline_unreadable(ctl, diags.first);
	else if (ctl->json)
		status = answer_json(&diags);
	else
		status = answer(ctl, policy, &diags, file);
	seg_policy_free(policy);
	seg_diags_fini(&diags);
	return status;
}

const struct command command_check = {
	.name = "check",
	.arguments = "[FILE]",
	.run = run,
	.summary = N_("all errors and warnings of a policy, with carets; needs no daemon"),
	.details = N_("  FILE      by default /etc/segd/policy.yaml\n"
		      "\n"
		      "Exit status 0: right, perhaps with warnings; 1: there are errors.\n"),
};
