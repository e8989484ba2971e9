/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_COMMANDS_H
#define SEGCTL_COMMANDS_H

/*
 * The commands of segctl: one file each, one line each in the table of main.c.
 *
 * main.c takes the options that every command has (--json, --socket, --help)
 * out of the arguments, chooses the locale and calls run() with what is left;
 * argv[0] is the command's name, so that getopt_long() works as in a main().
 * run() returns the exit status.
 */

#include <stdbool.h>
#include <jansson.h>

/* cli.md */
enum segctl_exit {
	SEGCTL_YES = 0, /* done, or yes */
	SEGCTL_NO = 1,	/* the answer is no */
	SEGCTL_USAGE = 2,
	SEGCTL_NO_DAEMON = 3, /* it cannot be reached */
	SEGCTL_DENIED = 4,    /* not allowed */
	SEGCTL_REFUSED = 5    /* by the kernel or the system */
};

struct segctl {
	bool json;
	bool colour;	    /* standard output is a terminal and takes colour */
	const char *socket; /* of the daemon */
	const char *alone;  /* how this command does without the daemon; NULL */
	bool open;	    /* with --json: a list is half written, a failure ends it */
};

struct command {
	const char *name;
	const char *arguments; /* "[FILE]", for the usage */
	int (*run)(const struct segctl *ctl, int argc, char **argv);
	const char *summary; /* N_() */
	const char *alone;   /* "explain --policy FILE ...", how it does without the daemon; or NULL */
	const char *details; /* N_(), or NULL: its options, an example; lines of 80 columns */
};

extern const struct command command_check, command_explain, command_matrix, command_diff, command_apply,
	command_confirm, command_rollback, command_status, command_permits, command_flows, command_denials,
	command_violations, command_watch, command_isolate, command_release, command_isolated, command_stage,
	command_verify, command_history, command_report, command_disarm, command_top;

#define SEGCTL_POLICY SEG_SYSCONFDIR "/segd/policy.yaml"

/* Says what went wrong, for people on standard error or as {"error": {code, message}} on standard
 * output, and returns status. */
int segctl_fail(const struct segctl *ctl, enum segctl_exit status, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The same for wrong arguments, with the command's usage. */
int segctl_usage(const struct segctl *ctl, const struct command *command, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints {"error": ...} and takes what it says; behind an open list, the rest of that document. */
void segctl_json_error(const struct segctl *ctl, json_t *error);
/* Prints a document and takes it; returns status, or SEGCTL_REFUSED where it could not be written. */
int segctl_json(json_t *document, int status);
/* A text that may not be UTF-8 (an argument, a file name) as JSON. */
json_t *segctl_json_text(const char *text);

#endif
