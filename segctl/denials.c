// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl denials, violations: what was refused, and what no permit explains. */
#include "commands.h"

#include <stdio.h>
#include "base/i18n.h"
#include "client.h"
#include "listing.h"
#include "options.h"

static void add_common(struct segctl_table *table, const json_t *one)
{
	struct seg_strbuf buf = {0};

	segctl_table_add_text(table, one, "from");
	segctl_table_add_text(table, one, "to");
	segctl_table_add_text(table, one, "proto");
	segctl_endpoint_of(one, "src", "", &buf);
	segctl_table_add_strbuf(table, &buf);
	segctl_endpoint_of(one, "dst", "dport", &buf);
	segctl_table_add_strbuf(table, &buf);
	segctl_table_add_word(table, one, "reason");
	segctl_table_add_number(table, one, "count");
	segctl_table_add_text(table, one, "first");
	segctl_table_add_text(table, one, "last");
	seg_strbuf_fini(&buf);
}

static const char *const denial_headings[] = {N_("FROM"),   N_("TO"),	       N_("PROTO"),
					      N_("SOURCE"), N_("DESTINATION"), N_("REASON"),
					      N_(">COUNT"), N_("FIRST"),       N_("LAST")};

static const struct segctl_listing denials = {
	.method = "Denials",
	.name = "denials",
	.heading = denial_headings,
	.columns = sizeof(denial_headings) / sizeof(*denial_headings),
	.add_row = add_common,
};

static void show_violations(const struct segctl *ctl, const json_t *answer)
{
	static const char *const headings[] = {N_("FROM"),	  N_("TO"),	N_("PROTO"),  N_("SOURCE"),
					       N_("DESTINATION"), N_("REASON"), N_(">COUNT"), N_("FIRST"),
					       N_("LAST"),	  N_("PERMIT"), N_(">BYTES"), N_("ACTION")};
	struct segctl_table table;
	const json_t *one;
	size_t i;

	segctl_table_init(&table, ctl, sizeof(headings) / sizeof(*headings), headings);
	json_array_foreach(json_object_get(answer, "violations"), i, one)
	{
		add_common(&table, one);
		segctl_table_add_text(&table, one, "permit");
		segctl_table_add_size(&table, one, "bytes");
		segctl_table_add_word(&table, one, "action");
	}
	if (segctl_table_rows(&table) || !segctl_terminal())
		segctl_table_print(&table);
	else
		puts(_("no violation is known"));
	segctl_table_fini(&table);
}

static int run_denials(const struct segctl *ctl, int argc, char **argv)
{
	if (!segctl_no_options(ctl, &command_denials, argc, argv))
		return SEGCTL_USAGE;
	return segctl_list(ctl, &denials, NULL);
}

const struct command command_denials = {
	.name = "denials",
	.arguments = "",
	.run = run_denials,
	.summary = N_("what was refused, by source, destination and service"),
};

static int run_violations(const struct segctl *ctl, int argc, char **argv)
{
	if (!segctl_no_options(ctl, &command_violations, argc, argv))
		return SEGCTL_USAGE;
	return segctl_call_show(ctl, "Violations", NULL, show_violations);
}

const struct command command_violations = {
	.name = "violations",
	.arguments = "",
	.run = run_violations,
	.summary = N_("flows that no permit explains"),
};
