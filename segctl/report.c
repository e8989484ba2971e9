// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl report: evidence for a period, as a self-inspection or an audit asks for it. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "client.h"
#include "incidents.h"
#include "options.h"
#include "policy/policy.h"
#include "versions.h"

static void heading(const struct segctl *ctl, const char *text)
{
	printf("\n%s%s%s\n", segctl_tone_begin(ctl, SEGCTL_HEAD), text, segctl_tone_end(ctl, SEGCTL_HEAD));
}

static void add_marks(struct segctl_table *table, const json_t *permit)
{
	bool unused = json_is_true(json_object_get(permit, "unused"));
	bool due = json_is_true(json_object_get(permit, "review-due"));
	struct seg_strbuf marks = {0};

	if (unused)
		seg_strbuf_add(&marks, _("unused"));
	if (due)
		seg_strbuf_printf(&marks, "%s%s", marks.len ? ", " : "", _("review due"));
	segctl_table_add_tone(table, marks.len ? seg_strbuf_text(&marks) : "-",
			      marks.len ? SEGCTL_WARN : SEGCTL_PLAIN);
	seg_strbuf_fini(&marks);
}

static void add_permit(struct segctl_table *table, const json_t *permit)
{
	struct seg_strbuf buf = {0};

	segctl_table_add_text(table, permit, "id");
	segctl_table_add_text(table, permit, "title");
	segctl_list_of(permit, "from", &buf);
	seg_strbuf_add(&buf, " > ");
	segctl_list_of(permit, "to", &buf);
	segctl_table_add_strbuf(table, &buf);
	segctl_table_add_word(table, permit, "state");
	segctl_table_add_text(table, permit, "owner");
	segctl_table_add_text(table, permit, "approver");
	segctl_table_add_text(table, permit, "ticket");
	segctl_table_add_text(table, permit, "basis");
	segctl_table_add_text(table, permit, "valid-until");
	segctl_table_add_text(table, permit, "review");
	segctl_table_add_number(table, permit, "packets");
	segctl_table_add_text(table, permit, "last");
	add_marks(table, permit);
	seg_strbuf_fini(&buf);
}

static void show_class(const struct segctl *ctl, const json_t *answer, const char *class)
{
	static const struct segctl_column columns[] = {
		{.heading = N_("PERMIT")}, {.heading = N_("TITLE")},	{.heading = N_("ZONES")},
		{.heading = N_("STATE")},  {.heading = N_("OWNER")},	{.heading = N_("APPROVER")},
		{.heading = N_("TICKET")}, {.heading = N_("BASIS")},	{.heading = N_("VALID UNTIL")},
		{.heading = N_("REVIEW")}, {.heading = N_(">PACKETS")}, {.heading = N_("LAST USE")},
		{.heading = N_("NOTE")},
	};
	struct segctl_table table;
	const json_t *permit;
	size_t i;

	segctl_table_init(&table, ctl, columns, sizeof(columns) / sizeof(*columns));
	table.whole = true;
	json_array_foreach(json_object_get(answer, "permits"), i, permit)
	{
		if (!strcmp(segctl_text_of(permit, "class"), class))
			add_permit(&table, permit);
	}
	if (segctl_table_rows(&table)) {
		printf("\n");
		printf(_("Permits of class %s: %zu"), _(class), segctl_table_rows(&table));
		printf("\n");
		segctl_table_print(&table);
	}
	segctl_table_fini(&table);
}

static size_t count_marked(const json_t *answer, const char *mark)
{
	const json_t *permit;
	size_t i, n = 0;

	json_array_foreach(json_object_get(answer, "permits"), i, permit)
	{
		n += json_is_true(json_object_get(permit, mark));
	}
	return n;
}

static void show_incidents(const struct segctl *ctl, const json_t *list, const char *title)
{
	heading(ctl, title);
	if (json_array_size(list))
		segctl_incidents(ctl, list, true);
	else
		puts(_("none"));
}

static void show_headline(const struct segctl *ctl, const json_t *answer)
{
	const char *site = segctl_text_of(answer, "site"), *from = segctl_text_of(answer, "from");
	const char *until = segctl_text_of(answer, "until"), *made = segctl_text_of(answer, "made");
	const json_t *note;
	size_t i;

	if (*site)
		printf(_("%s: evidence from %s to %s, made %s"), site, from, until, made);
	else /* sealed, or of a policy that does not name it */
		printf(_("evidence from %s to %s, made %s"), from, until, made);
	printf("\n");
	json_array_foreach(json_object_get(answer, "notes"), i, note)
	{
		char *text = segctl_said(answer, json_string_value(note));

		printf("%s%s%s\n", segctl_tone_begin(ctl, SEGCTL_WARN), text,
		       segctl_tone_end(ctl, SEGCTL_WARN));
		free(text);
	}
}

static void show(const struct segctl *ctl, const json_t *answer)
{
	char permits[SEGCTL_COUNT_STRLEN];

	show_headline(ctl, answer);
	heading(ctl, _("Policies in force and changes"));
	segctl_versions(ctl, json_object_get(answer, "policies"), true);
	heading(ctl, _("Permits now in force"));
	printf(_("%s, %zu of them unused in the period, %zu with a review due"),
	       segctl_permits((long long)json_array_size(json_object_get(answer, "permits")), permits),
	       count_marked(answer, "unused"), count_marked(answer, "review-due"));
	printf("\n");
	for (enum seg_class class = 0; class < SEG_CLASSES; class ++)
		show_class(ctl, answer, seg_class_name(class));
	heading(ctl, _("Refused and passed without a permit"));
	printf(_("packets denied: %lld, violations: %lld"), segctl_number_of(answer, "denied"),
	       segctl_number_of(answer, "violations"));
	printf("\n");
	show_incidents(ctl, json_object_get(answer, "actions"), _("Emergency actions"));
	show_incidents(ctl, json_object_get(answer, "incidents"),
		       _("Tampering, ways round and life of the daemon"));
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	const char *from = NULL, *until = NULL;
	const struct segctl_option options[] = {{"from", &from, NULL}, {"until", &until, NULL}, {0}};
	json_t *parameters;

	if (segctl_options(ctl, &command_report, argc, argv, options, NULL, 0, 0) < 0)
		return SEGCTL_USAGE;
	parameters = json_object();
	if (from)
		json_object_set_new(parameters, "from", segctl_json_text(from));
	if (until)
		json_object_set_new(parameters, "until", segctl_json_text(until));
	return segctl_call_show(ctl, "Report", parameters, show);
}

const struct command command_report = {
	.name = "report",
	.arguments = "[--from DATE] [--until DATE]",
	.run = run,
	.summary = N_("evidence for a period: policies, permits, emergencies, tampering"),
	.details = N_("  --from DATE   the first day; left out: 1 April of the last day's fiscal year\n"
		      "  --until DATE  the last day; left out: today\n"),
};
