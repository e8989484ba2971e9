// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl verify: the proof from the live kernel. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "client.h"
#include "options.h"
#include "table.h"

static void add_checked(struct seg_strbuf *line, const json_t *checked, const char *key, const char *format)
{
	if (!json_is_integer(json_object_get(checked, key)))
		return;
	seg_strbuf_add(line, line->len ? _(", ") : "");
	seg_strbuf_printf(line, format, segctl_number_of(checked, key));
}

static void show_checked(const json_t *checked)
{
	unsigned long sets = (unsigned long)segctl_number_of(checked, "sets"),
		      elements = (unsigned long)segctl_number_of(checked, "elements"),
		      chains = (unsigned long)segctl_number_of(checked, "chains"),
		      rules = (unsigned long)segctl_number_of(checked, "rules");
	struct seg_strbuf line = {0};

	add_checked(&line, checked, "sets", ngettext("%lld set", "%lld sets", sets));
	add_checked(&line, checked, "elements", ngettext("%lld element", "%lld elements", elements));
	add_checked(&line, checked, "chains", ngettext("%lld chain", "%lld chains", chains));
	add_checked(&line, checked, "rules", ngettext("%lld rule", "%lld rules", rules));
	if (line.len)
		printf(_("checked: %s\n"), seg_strbuf_text(&line));
	seg_strbuf_fini(&line);
}

/* Rules that are right prove nothing while packets can go round them. */
static bool has_bypass(const json_t *answer)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(answer, "findings"), i, one)
	{
		if (!strcmp(segctl_text_of(one, "kind"), "bypass"))
			return true;
	}
	return false;
}

static const char *verdict(bool equal, bool bypass, bool observing)
{
	if (!equal)
		return _("The kernel does not hold what the policy says.");
	if (bypass)
		return _("The kernel holds what the policy says, but packets can go round it.");
	if (observing)
		return _(
			"The kernel holds what the policy says, but segd only observes: nothing is dropped.");
	return _("What the kernel lets pass is what the policy permits.");
}

static void show(const struct segctl *ctl, const json_t *answer, bool equal)
{
	static const struct segctl_column columns[] = {
		{.heading = N_("FINDING")},
		{.heading = N_("OBJECT")},
		{.heading = N_("DETAIL")},
	};
	const json_t *findings = json_object_get(answer, "findings"), *one;
	bool bypass = has_bypass(answer), observing = json_is_true(json_object_get(answer, "observing"));
	enum segctl_tone tone = !equal || bypass ? SEGCTL_BAD : observing ? SEGCTL_WARN : SEGCTL_GOOD;
	struct segctl_table table;
	char *detail;
	size_t i;

	printf("%s%s%s\n", segctl_tone_begin(ctl, tone), verdict(equal, bypass, observing),
	       segctl_tone_end(ctl, tone));
	json_array_foreach(json_object_get(answer, "notes"), i, one)
	{
		detail = segctl_said(answer, json_string_value(one));
		printf("%s%s%s\n", segctl_tone_begin(ctl, SEGCTL_WARN), detail,
		       segctl_tone_end(ctl, SEGCTL_WARN));
		free(detail);
	}
	show_checked(json_object_get(answer, "checked"));
	segctl_table_init(&table, ctl, columns, sizeof(columns) / sizeof(*columns));
	json_array_foreach(findings, i, one)
	{
		segctl_table_add_tone(&table, segctl_word(segctl_text_of(one, "kind")), SEGCTL_BAD);
		segctl_table_add_text(&table, one, "object");
		detail = segctl_said(answer, segctl_text_of(one, "detail"));
		segctl_table_add(&table, detail);
		free(detail);
	}
	if (segctl_table_rows(&table))
		segctl_table_print(&table);
	segctl_table_fini(&table);
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	json_t *answer = NULL;
	bool equal;
	int status;

	if (!segctl_no_options(ctl, &command_verify, argc, argv))
		return SEGCTL_USAGE;
	status = segctl_call(ctl, "Verify", NULL, &answer);
	if (status)
		return status;
	equal = json_is_true(json_object_get(answer, "equal"));
	status = equal && !has_bypass(answer) ? SEGCTL_YES : SEGCTL_NO;
	if (ctl->json)
		return segctl_json(answer, status);
	show(ctl, answer, equal);
	json_decref(answer);
	return fflush(stdout) ? SEGCTL_REFUSED : status;
}

const struct command command_verify = {
	.name = "verify",
	.arguments = "",
	.run = run,
	.summary = N_("prove from the kernel that exactly what is permitted can pass"),
};
