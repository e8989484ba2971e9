// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl check: all errors and warnings of a policy, with carets. */
#include "commands.h"

#include <stdio.h>
#include <time.h>
#include "base/i18n.h"
#include "policy/advice.h"
#include "policy/guard.h"
#include "policy/load.h"

static json_t *place_json(const struct seg_place *place)
{
	json_t *json = json_object();

	json_object_set_new(json, "file", segctl_json_text(place->source->name));
	json_object_set_new(json, "line", json_integer(place->line));
	json_object_set_new(json, "column", json_integer(place->column));
	json_object_set_new(json, "end-column", json_integer(place->end_column));
	return json;
}

static json_t *diag_json(const struct seg_diag *diag)
{
	json_t *json = place_json(&diag->place), *related = json_array();

	json_object_set_new(json, "code", json_string(seg_diag_code_name(diag->code)));
	json_object_set_new(json, "message", segctl_json_text(diag->message));
	json_object_set_new(json, "hint", diag->hint ? segctl_json_text(diag->hint) : json_null());
	for (const struct seg_diag_related *r = diag->related; r; r = r->next) {
		json_t *one = place_json(&r->place);

		json_object_set_new(one, "message", segctl_json_text(r->message));
		json_array_append_new(related, one);
	}
	json_object_set_new(json, "related", related);
	return json;
}

static int answer_json(const struct seg_diags *diags)
{
	json_t *errors = json_array(), *warnings = json_array();

	for (const struct seg_diag *d = diags->first; d; d = d->next)
		json_array_append_new(d->warning ? warnings : errors, diag_json(d));
	return segctl_json(json_pack("{s:o, s:o}", "errors", errors, "warnings", warnings),
			   diags->errors ? SEGCTL_NO : SEGCTL_YES);
}

static int answer(const struct segctl *ctl, const struct seg_policy *policy, const struct seg_diags *diags,
		  const char *file)
{
	struct seg_strbuf out = {0};
	int status = diags->errors ? SEGCTL_NO : SEGCTL_YES;

	seg_diags_render(diags, ctl->colour, &out);
	fputs(seg_strbuf_text(&out), stdout);
	seg_strbuf_fini(&out);
	if (diags->errors > SEG_DIAG_MAX)
		printf(_("%zu more errors are not shown\n"), diags->errors - SEG_DIAG_MAX);
	if (diags->errors || diags->warnings) {
		printf(ngettext("%zu error, ", "%zu errors, ", diags->errors), diags->errors);
		printf(ngettext("%zu warning\n", "%zu warnings\n", diags->warnings), diags->warnings);
	}
	if (policy && !diags->errors)
		printf(_("%s: right: %zu zones, %zu permits\n"), file, policy->zones, policy->permits);
	return fflush(stdout) == 0 ? status : SEGCTL_REFUSED;
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	const char *file = argc > 1 ? argv[1] : SEGCTL_POLICY;
	struct seg_policy *policy;
	struct seg_diags diags;
	int status;

	if (argc > 2 || (argc > 1 && argv[1][0] == '-' && argv[1][1]))
		return segctl_usage(ctl, &command_check, _("unexpected argument '%s'"),
				    argv[argc > 2 ? 2 : 1]);
	seg_diags_init(&diags);
	policy = seg_policy_load_file(file, &diags);
	if (policy) {
		seg_guard_check(policy, &diags);
		seg_advice(policy, time(NULL), &diags);
	}
	seg_diags_sort(&diags);
	if (diags.first && !diags.first->place.source)
		status = segctl_fail(ctl, SEGCTL_REFUSED, "system", "%s", diags.first->message);
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
};
