// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl isolate, release, isolated: hosts and zones cut off in an emergency. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/utf8.h"
#include "client.h"
#include "options.h"
#include "session.h"
#include "table.h"

#define SHOWN 4 /* addresses of one isolation */

/* A zone may have very many. */
static void add_addresses(struct segctl_table *table, const json_t *addresses)
{
	const size_t n = json_array_size(addresses), shown = n > SHOWN ? SHOWN : n;
	struct seg_strbuf text = {0};

	for (size_t i = 0; i < shown; i++)
		seg_strbuf_printf(&text, "%s%s", i ? ", " : "", json_string_value(json_array_get(addresses, i)));
	if (n > shown)
		seg_strbuf_printf(&text, ", +%zu", n - shown);
	segctl_table_add(table, seg_strbuf_text(&text));
	seg_strbuf_fini(&text);
}

static void add_row(struct segctl_table *table, const json_t *one)
{
	segctl_table_add_tone(table, segctl_text_of(one, "target"), SEGCTL_BAD);
	segctl_table_add_time(table, one, "since");
	segctl_table_add_time(table, one, "until");
	segctl_table_add_number(table, one, "uid");
	segctl_table_add_text(table, one, "reason");
	add_addresses(table, json_object_get(one, "addresses"));
}

static void show(const struct segctl *ctl, const json_t *answer)
{
	static const struct segctl_column columns[] = {
		{.heading = N_("ISOLATED")},
		{.heading = N_("SINCE")},
		{.heading = N_("UNTIL")},
		{.heading = N_(">UID"), .spared = 1},
		{.heading = N_("REASON"), .least = 24},
		{.heading = N_("ADDRESSES"), .least = 15},
	};
	struct segctl_table table;

	segctl_table_init(&table, ctl, columns, sizeof(columns) / sizeof(*columns));
	segctl_table_show(&table, json_object_get(answer, "isolated"), add_row, _("nobody is isolated"));
	segctl_print_stopped(answer);
}

static const json_t *isolation_of(const json_t *answer, const char *target)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(answer, "isolated"), i, one)
	{
		if (!strcmp(segctl_text_of(one, "target"), target))
			return one;
	}
	return NULL;
}

/* It was isolated already: what that was, and what has become of it. */
static void show_change(const struct segctl *ctl, const json_t *answer, const json_t *before)
{
	const char *target = segctl_text_of(before, "target"), *was = segctl_text_of(before, "until");
	const char *until = segctl_text_of(isolation_of(answer, target), "until");
	bool shortened = json_is_true(json_object_get(answer, "shortened"));
	const char *begin = segctl_tone_begin(ctl, SEGCTL_WARN), *end = segctl_tone_end(ctl, SEGCTL_WARN);
	struct seg_strbuf name = {0}, reason = {0};

	seg_utf8_show(&name, target, strlen(target));
	seg_utf8_show(&reason, segctl_text_of(before, "reason"), strlen(segctl_text_of(before, "reason")));
	if (*was)
		printf(_("%s was isolated already, until %s; the reason was: %s\n"), seg_strbuf_text(&name),
		       was, seg_strbuf_text(&reason));
	else
		printf(_("%s was isolated already, until released; the reason was: %s\n"),
		       seg_strbuf_text(&name), seg_strbuf_text(&reason));
	if (shortened)
		printf(_("%sthe isolation is SHORTENED: it ends %s now%s\n"), begin, until, end);
	else if (*until)
		printf(_("it ends %s now\n"), until);
	else
		printf("%s\n", _("it lasts until released now"));
	seg_strbuf_fini(&name);
	seg_strbuf_fini(&reason);
}

static void show_isolate(const struct segctl *ctl, const json_t *answer)
{
	const json_t *before = json_object_get(answer, "before");

	if (json_is_object(before))
		show_change(ctl, answer, before);
	show(ctl, answer);
	segctl_say_unenforced(answer);
	if (json_is_true(json_object_get(answer, "outside")))
		fprintf(stderr, "segctl: %s\n",
			_("no zone of the policy has this address: is it the one that was meant?"));
}

static int run_isolate(const struct segctl *ctl, int argc, char **argv)
{
	const char *duration = NULL, *reason = NULL, *target;
	bool force = false;
	const struct segctl_option options[] = {
		{"for", &duration, NULL}, {"reason", &reason, NULL}, {"force", NULL, &force}, {0}};
	long long seconds;
	json_t *parameters;

	if (segctl_options(ctl, &command_isolate, argc, argv, options, &target, 1, 1) < 0)
		return SEGCTL_USAGE;
	if (!reason || !*reason)
		return segctl_usage(ctl, &command_isolate,
				    _("--reason is missing: it goes into the audit trail"));
	if (duration && !segctl_duration(duration, &seconds))
		return segctl_usage(ctl, &command_isolate, _("'%s' is no duration; write 90s, 2m or 1h30m"),
				    duration);
	parameters = json_pack("{s:o, s:o}", "target", segctl_json_text(target), "reason",
			       segctl_json_text(reason));
	if (duration)
		json_object_set_new(parameters, "for", json_integer(seconds));
	segctl_session_put(parameters, force);
	return segctl_call_show(ctl, "Isolate", parameters, show_isolate);
}

const struct command command_isolate = {
	.name = "isolate",
	.arguments = "HOST|ZONE [--for DURATION] --reason TEXT [--force]",
	.run = run_isolate,
	.summary = N_("cut a host or a zone off at once"),
	.details = N_("  HOST, ZONE      the id of a host or a zone of the policy, or an address\n"
		      "  --for DURATION  so long (30m, 2h, 1d); else until `segctl release`\n"
		      "  --reason TEXT   goes into the audit trail\n"
		      "  --force         even where it cuts the SSH session you work in\n"
		      "\n"
		      "Of what is isolated already, end and reason are replaced, and both are told.\n"
		      "\n"
		      "  segctl isolate 10.2.1.9 --for 2h --reason 'malware suspected'\n"),
};

static int run_release(const struct segctl *ctl, int argc, char **argv)
{
	const struct segctl_option options[] = {{0}};
	const char *target;

	if (segctl_options(ctl, &command_release, argc, argv, options, &target, 1, 1) < 0)
		return SEGCTL_USAGE;
	return segctl_call_show(ctl, "Release", json_pack("{s:o}", "target", segctl_json_text(target)), show);
}

const struct command command_release = {
	.name = "release",
	.arguments = "HOST|ZONE",
	.run = run_release,
	.summary = N_("end an isolation"),
};

static int run_isolated(const struct segctl *ctl, int argc, char **argv)
{
	if (!segctl_no_options(ctl, &command_isolated, argc, argv))
		return SEGCTL_USAGE;
	return segctl_call_show(ctl, "Isolated", NULL, show);
}

const struct command command_isolated = {
	.name = "isolated",
	.arguments = "",
	.run = run_isolated,
	.summary = N_("who is cut off, since when and why"),
};
