// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl apply, confirm, rollback: which policy is in force. */
#include "commands.h"

#include <stdio.h>
#include "base/i18n.h"
#include "client.h"
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

static void show_applied(const struct segctl *ctl, const json_t *answer)
{
	const char *until = segctl_text_of(answer, "confirm-until");

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
	show_revoked(json_object_get(answer, "revoked"));
	if (*until)
		printf(_("%sit goes back at %s%s unless you say `segctl confirm` before\n"),
		       segctl_tone_begin(ctl, SEGCTL_WARN), until, segctl_tone_end(ctl, SEGCTL_WARN));
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
		      "  --comment TEXT             why, for the history\n"
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
