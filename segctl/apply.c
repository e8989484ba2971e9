// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl apply, confirm, rollback: which policy is in force. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "base/utf8.h"
#include "client.h"
#include "control/interface.h"
#include "options.h"
#include "output.h"
#include "session.h"

#define VERSION_MAX 1000000000

static void show_revoked(const json_t *revoked)
{
	long long flows = segctl_number_of(revoked, "flows"), permits = segctl_number_of(revoked, "permits");

	if (flows)
		printf(_("open flows stopped: %lld (permits: %lld)\n"), flows, permits);
}

/* Somebody else's, perhaps, who still counts on going back. */
static void show_replaced(const struct segctl *ctl, const json_t *answer)
{
	const json_t *replaced = json_object_get(answer, "replaced");
	const char *user = segctl_text_of(replaced, "user");
	char uid[32] = "?";

	if (!json_is_object(replaced))
		return;
	if (json_is_integer(json_object_get(replaced, "uid")))
		snprintf(uid, sizeof(uid), "uid %lld", segctl_number_of(replaced, "uid"));
	printf(_("%sversion %lld, applied by %s and to be confirmed until %s, is replaced%s\n"),
	       segctl_tone_begin(ctl, SEGCTL_WARN), segctl_number_of(replaced, "version"), *user ? user : uid,
	       segctl_text_of(replaced, "confirm-until"), segctl_tone_end(ctl, SEGCTL_WARN));
}

static void show_deadline(const struct segctl *ctl, const json_t *answer)
{
	const char *until = segctl_text_of(answer, "confirm-until");
	const char *begin = segctl_tone_begin(ctl, SEGCTL_WARN), *end = segctl_tone_end(ctl, SEGCTL_WARN);
	long long version = segctl_number_of(answer, "back-to");

	if (!*until)
		return;
	if (version)
		printf(_("%sit goes back to version %lld at %s%s unless you say `segctl confirm` before\n"), begin,
		       version, until, end);
	else
		printf(_("%sthere is no version to go back to: from %s on nothing passes between zones%s, "
			 "unless you say `segctl confirm` before\n"),
		       begin, until, end);
}

/* What was asked for and is not done. */
static void warn_of_notes(const json_t *answer)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(answer, "notes"), i, one)
	{
		char *text = segctl_said(answer, json_string_value(one));

		fprintf(stderr, "segctl: %s\n", text);
		free(text);
	}
}

static void show_applied(const struct segctl *ctl, const json_t *answer)
{
	if (!*segctl_text_of(answer, "hash")) { /* the first policy of all went back */
		printf(_("%sno policy is in force: nothing passes between zones%s\n"),
		       segctl_tone_begin(ctl, SEGCTL_BAD), segctl_tone_end(ctl, SEGCTL_BAD));
		return;
	}
	printf(json_is_true(json_object_get(answer, "unchanged"))
		       ? _("%sversion %lld%s (%.12s) was in force already; nothing has changed\n")
		       : _("%sversion %lld%s (%.12s) is in force\n"),
	       segctl_tone_begin(ctl, SEGCTL_GOOD), segctl_number_of(answer, "version"),
	       segctl_tone_end(ctl, SEGCTL_GOOD), segctl_text_of(answer, "hash"));
	show_replaced(ctl, answer);
	show_revoked(json_object_get(answer, "revoked"));
	show_deadline(ctl, answer);
	warn_of_notes(answer);
}

/* The daemon would say the same, later. */
static bool is_remark(const char *text)
{
	return !text || seg_utf8_count(text, strlen(text)) <= SEG_REMARK_MAX;
}

static bool remarks_fit(const struct segctl *ctl, const struct command *command, const char *comment,
			const char *ticket)
{
	if (!is_remark(comment))
		segctl_usage(ctl, command, _("the comment is longer than %d characters"), SEG_REMARK_MAX);
	else if (!is_remark(ticket))
		segctl_usage(ctl, command, _("the ticket is longer than %d characters"), SEG_REMARK_MAX);
	else
		return true;
	return false;
}

static int run_apply(const struct segctl *ctl, int argc, char **argv)
{
	const char *within = NULL, *comment = NULL, *ticket = NULL, *file;
	bool force = false;
	const struct segctl_option options[] = {{"confirm-within", &within, NULL},
						{"comment", &comment, NULL},
						{"ticket", &ticket, NULL},
						{"force", NULL, &force},
						{0}};
	long long seconds;
	json_t *parameters;
	int n = segctl_options(ctl, &command_apply, argc, argv, options, &file, 0, 1);

	if (n < 0)
		return SEGCTL_USAGE;
	if (n > 0) /* check and diff take one, so that many a hand writes it here */
		return segctl_usage(ctl, &command_apply,
				    _("apply takes no file: the one that segd reads (`segctl status` names it) is put "
				      "in force; copy %s there"),
				    file);
	if (within && !segctl_duration(within, &seconds))
		return segctl_usage(ctl, &command_apply, _("'%s' is no duration; write 90s, 2m or 1h30m"),
				    within);
	if (!remarks_fit(ctl, &command_apply, comment, ticket))
		return SEGCTL_USAGE;
	parameters = json_object();
	if (within)
		json_object_set_new(parameters, "confirm-within", json_integer(seconds));
	if (comment)
		json_object_set_new(parameters, "comment", segctl_json_text(comment));
	if (ticket)
		json_object_set_new(parameters, "ticket", segctl_json_text(ticket));
	segctl_session_put(parameters, force);
	return segctl_call_show(ctl, "Apply", parameters, show_applied);
}

const struct command command_apply = {
	.name = "apply",
	.arguments = "[--confirm-within DURATION] [--comment TEXT] [--ticket ID] [--force]",
	.run = run_apply,
	.summary = N_("apply the policy file; with a deadline, go back unless confirmed"),
	.details = N_("  --confirm-within DURATION  go back by itself unless `segctl confirm` comes: 5m\n"
		      "  --comment TEXT             why, for the history; 500 characters at most\n"
		      "  --ticket ID                the request it belongs to, for the history\n"
		      "  --force                    even where it cuts the SSH session you work in\n"
		      "\n"
		      "  segctl check && segctl diff\n"
		      "  segctl apply --confirm-within 5m --ticket 2026-114\n"
		      "  segctl confirm\n"),
};

static void show_confirmed(const struct segctl *ctl, const json_t *answer)
{
	printf(_("%sversion %lld%s (%.12s) is confirmed and stays\n"), segctl_tone_begin(ctl, SEGCTL_GOOD),
	       segctl_number_of(answer, "version"), segctl_tone_end(ctl, SEGCTL_GOOD),
	       segctl_text_of(answer, "hash"));
}

static int run_confirm(const struct segctl *ctl, int argc, char **argv)
{
	if (!segctl_no_options(ctl, &command_confirm, argc, argv))
		return SEGCTL_USAGE;
	return segctl_call_show(ctl, "Confirm", NULL, show_confirmed);
}

const struct command command_confirm = {
	.name = "confirm",
	.arguments = "",
	.run = run_confirm,
	.summary = N_("keep what was applied with a deadline"),
};

static int run_rollback(const struct segctl *ctl, int argc, char **argv)
{
	const char *comment = NULL, *version = NULL;
	bool force = false;
	const struct segctl_option options[] = {{"comment", &comment, NULL}, {"force", NULL, &force}, {0}};
	json_t *parameters;
	long long number;

	if (segctl_options(ctl, &command_rollback, argc, argv, options, &version, 0, 1) < 0)
		return SEGCTL_USAGE;
	if (version && !segctl_number(version, 1, VERSION_MAX, &number))
		return segctl_usage(ctl, &command_rollback,
				    _("'%s' is no version; `segctl history` lists them"), version);
	if (!remarks_fit(ctl, &command_rollback, comment, NULL))
		return SEGCTL_USAGE;
	parameters = json_object();
	if (version)
		json_object_set_new(parameters, "version", json_integer(number));
	if (comment)
		json_object_set_new(parameters, "comment", segctl_json_text(comment));
	segctl_session_put(parameters, force);
	return segctl_call_show(ctl, "Rollback", parameters, show_applied);
}

const struct command command_rollback = {
	.name = "rollback",
	.arguments = "[VERSION] [--comment TEXT] [--force]",
	.run = run_rollback,
	.summary = N_("go back to the version before, or to any other"),
	.details = N_("  VERSION         a version of `segctl history`; by default the one before\n"
		      "  --comment TEXT  why, for the history\n"
		      "  --force         even where it cuts the SSH session you work in\n"),
};
