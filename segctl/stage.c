// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl stage: the emergency stages a policy declares. */
#include "commands.h"

#include "base/i18n.h"
#include "client.h"
#include "options.h"
#include "session.h"
#include "table.h"

/* "zones: internet, vendor; classes: breakout" */
static void add_closes(struct seg_strbuf *out, const json_t *closes)
{
	static const char *const kind[] = {N_("zones"), N_("classes"), N_("permits")};

	for (size_t k = 0; k < sizeof(kind) / sizeof(*kind); k++) {
		const json_t *name;
		size_t i;

		json_array_foreach(json_object_get(closes, kind[k]), i, name)
		{
			if (i)
				seg_strbuf_add(out, ", ");
			else
				seg_strbuf_printf(out, "%s%s: ", out->len ? "; " : "", _(kind[k]));
			seg_strbuf_add(out, segctl_word(json_string_value(name)));
		}
	}
}

static void add_row(struct segctl_table *table, const json_t *one)
{
	struct seg_strbuf closes = {0};

	segctl_table_add_text(table, one, "stage");
	if (json_is_true(json_object_get(one, "active")))
		segctl_table_add_tone(table, C_("stage", "active"), SEGCTL_WARN);
	else
		segctl_table_add(table, "-");
	segctl_table_add_time(table, one, "since");
	add_closes(&closes, json_object_get(one, "closes"));
	segctl_table_add(table, seg_strbuf_text(&closes));
	segctl_table_add_text(table, one, "title");
	seg_strbuf_fini(&closes);
}

static void show(const struct segctl *ctl, const json_t *answer)
{
	static const struct segctl_column columns[] = {
		{.heading = N_("STAGE")},
		{.heading = N_("NOW")},
		{.heading = N_("SINCE"), .spared = 1},
		{.heading = N_("CLOSES"), .least = 24},
		{.heading = N_("TITLE"), .least = 12},
	};
	struct segctl_table table;

	segctl_table_init(&table, ctl, columns, sizeof(columns) / sizeof(*columns));
	segctl_table_show(&table, json_object_get(answer, "stages"), add_row,
			  _("the policy declares no stages"));
	segctl_print_stopped(answer);
	segctl_say_unenforced(answer);
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	bool list = false, off = false, force = false;
	const char *stage = NULL, *reason = NULL;
	const struct segctl_option options[] = {{"list", NULL, &list},
						{"off", NULL, &off},
						{"reason", &reason, NULL},
						{"force", NULL, &force},
						{0}};
	json_t *parameters;

	if (segctl_options(ctl, &command_stage, argc, argv, options, &stage, 0, 1) < 0)
		return SEGCTL_USAGE;
	if (list + off + (stage != NULL) != 1)
		return segctl_usage(ctl, &command_stage,
				    _("name a stage, or say --off to go back, or --list"));
	if (list)
		return segctl_call_show(ctl, "Stages", NULL, show);
	parameters = json_pack("{s:o}", "stage", stage ? segctl_json_text(stage) : json_null());
	if (reason)
		json_object_set_new(parameters, "reason", segctl_json_text(reason));
	segctl_session_put(parameters, force);
	return segctl_call_show(ctl, "Stage", parameters, show);
}

const struct command command_stage = {
	.name = "stage",
	.arguments = "NAME|--off [--reason TEXT] [--force] | --list",
	.run = run,
	.summary = N_("switch to an emergency stage of the policy, and back"),
	.details = N_("  NAME           switch to this stage\n"
		      "  --off          back to the whole policy\n"
		      "  --reason TEXT  goes into the audit trail\n"
		      "  --force        even where it cuts the SSH session you work in\n"
		      "  --list         the stages that the policy declares, and which is in force\n"),
};
