// SPDX-License-Identifier: GPL-2.0-or-later
#include "commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/diag.h"
#include "base/i18n.h"
#include "base/language.h"
#include "base/utf8.h"

#define DEFAULT_SOCKET "/run/segd/control.sock"

static const struct command *const commands[] = {
    &command_check,
    &command_explain,
    &command_matrix,
    &command_diff,
    &command_apply,
    &command_confirm,
    &command_rollback,
    &command_status,
    &command_permits,
    &command_flows,
    &command_denials,
    &command_violations,
    &command_watch,
    &command_isolate,
    &command_release,
    &command_isolated,
    &command_stage,
    &command_verify,
    &command_history,
    &command_report,
    &command_disarm,
    &command_top,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Output that nobody received is no answer (a full disk, a closed pipe). */
static int flushed(int status)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? status : SEGCTL_REFUSED;
}

json_t *segctl_json_text(const char *text)
{
	struct seg_strbuf safe = {0};
	json_t *json = json_string(text);

	if (!json) {
		seg_utf8_show(&safe, text, strlen(text));
		json = json_string(seg_strbuf_text(&safe));
		seg_strbuf_fini(&safe);
	}
	return json;
}

int segctl_json(json_t *document, int status)
{
	json_dumpf(document, stdout, JSON_PRESERVE_ORDER | JSON_COMPACT);
	putchar('\n');
	json_decref(document);
	return flushed(status);
}

void segctl_json_error(const struct segctl *ctl, json_t *error)
{
	fputs(ctl->open ? "],\"error\":" : "{\"error\":", stdout);
	json_dumpf(error, stdout, JSON_PRESERVE_ORDER | JSON_COMPACT);
	puts("}");
	fflush(stdout);
	json_decref(error);
}

static void complain(const struct segctl *ctl, const char *code, const char *format, va_list args)
{
	struct seg_strbuf safe = {0};
	char *message = NULL;

	if (vasprintf(&message, format, args) < 0)
		abort();
	if (ctl->json) {
		segctl_json_error(
			ctl, json_pack("{s:s, s:o}", "code", code, "message", segctl_json_text(message)));
	} else {
		seg_utf8_show(&safe, message, strlen(message));
		fprintf(stderr, "segctl: %s\n", seg_strbuf_text(&safe));
		seg_strbuf_fini(&safe);
	}
	free(message);
}

int segctl_fail(const struct segctl *ctl, enum segctl_exit status, const char *code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(ctl, code, format, args);
	va_end(args);
	return (int)status;
}

static void print_usage(FILE *out, const struct command *command)
{
	fprintf(out, _("usage: segctl %s"), command->name);
	fprintf(out, "%s%s\n", *command->arguments ? " " : "", command->arguments);
}

int segctl_usage(const struct segctl *ctl, const struct command *command, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(ctl, "usage", format, args);
	va_end(args);
	if (!ctl->json && command)
		print_usage(stderr, command);
	return SEGCTL_USAGE;
}

static void print_help(void)
{
	printf(_("usage: segctl [--json] [--socket PATH] COMMAND [ARGUMENTS]\n\n"));
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-11s %s\n", commands[i]->name, _(commands[i]->summary));
	printf(_("\n`segctl COMMAND --help` shows a command's arguments; segctl(1) explains them.\n"));
}

static void print_command_help(const struct command *command)
{
	print_usage(stdout, command);
	printf("\n%s\n", _(command->summary));
	if (command->details)
		printf("\n%s", _(command->details));
}

/* What the options that every command has said, and the arguments that are left. */
struct request {
	struct segctl ctl;
	bool help, version, no_socket;
	int argc;
	char **argv;
};

static void take_options(struct request *request, int argc, char **argv)
{
	bool options = true;

	for (int i = 1; i < argc; i++) {
		if (options && strcmp(argv[i], "--json") == 0)
			request->ctl.json = true;
		else if (options && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0))
			request->help = true;
		else if (options && strcmp(argv[i], "--version") == 0)
			request->version = true;
		else if (options && strncmp(argv[i], "--socket=", 9) == 0)
			request->ctl.socket = argv[i] + 9;
		else if (options && strcmp(argv[i], "--socket") == 0 && i + 1 < argc)
			request->ctl.socket = argv[++i];
		else if (options && strcmp(argv[i], "--socket") == 0)
			request->no_socket = true;
		else
			request->argv[request->argc++] = argv[i];
		options = options && strcmp(argv[i], "--") != 0;
	}
}

static int unknown_command(const struct segctl *ctl, const char *word)
{
	const char *name[COMMANDS], *nearest;

	for (size_t i = 0; i < COMMANDS; i++)
		name[i] = commands[i]->name;
	nearest = seg_nearest(word, name, COMMANDS);
	if (nearest)
		return segctl_usage(ctl, NULL, _("unknown command '%s'; did you mean '%s'?"), word, nearest);
	return segctl_usage(ctl, NULL, _("unknown command '%s'; `segctl --help` lists them"), word);
}

static int dispatch(struct request *request)
{
	const struct command *command = NULL;
	const char *word;

	if (request->argc && strcmp(request->argv[0], "help") == 0) {
		request->help = true;
		request->argv++;
		request->argc--;
	}
	if (request->help && request->argc && strcmp(request->argv[0], "help") == 0)
		request->argc = 0; /* of help all there is */
	word = request->argc ? request->argv[0] : NULL;
	for (size_t i = 0; word && i < COMMANDS; i++)
		if (strcmp(commands[i]->name, word) == 0)
			command = commands[i];
	if (request->version) {
		printf("segctl %s\n", SEG_VERSION);
	} else if (request->help && command) {
		print_command_help(command);
	} else if (request->help && !word) {
		print_help();
	} else if (request->no_socket) {
		return segctl_usage(&request->ctl, command, _("--socket needs a path"));
	} else if (command) {
		request->ctl.alone = command->alone;
		return command->run(&request->ctl, request->argc, request->argv);
	} else if (word) {
		return unknown_command(&request->ctl, word);
	} else {
		return segctl_usage(&request->ctl, NULL,
				    _("a command is missing; `segctl --help` lists them"));
	}
	return flushed(SEGCTL_YES);
}

int main(int argc, char **argv)
{
	const char *no_color = getenv("NO_COLOR");
	struct request request = {.ctl.socket = DEFAULT_SOCKET};
	char **arguments;
	int status;

	arguments = request.argv = calloc((size_t)argc + 1, sizeof(*request.argv));
	if (!arguments)
		abort();
	take_options(&request, argc, argv);
	request.ctl.colour = isatty(STDOUT_FILENO) && !(no_color && *no_color);
	seg_language_choose(!request.ctl.json);
	status = dispatch(&request);
	free(arguments);
	return status;
}
