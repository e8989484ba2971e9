/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_OPTIONS_H
#define SEGCTL_OPTIONS_H

/* The command line of one command: its options, in any order with its operands. */

#include "commands.h"

struct segctl_option {
	const char *name;   /* "confirm-within"; NULL ends the list */
	const char **value; /* takes an argument, and this is where it goes; NULL: a flag */
	bool *flag;
};

/* The number of operands, put into operand[] in order; -1: a mistake, said already (SEGCTL_USAGE). */
int segctl_options(const struct segctl *ctl, const struct command *command, int argc, char **argv,
		   const struct segctl_option *option, const char **operand, int min, int max);
/* For commands that take nothing. */
bool segctl_no_options(const struct segctl *ctl, const struct command *command, int argc, char **argv);

/* "90", "90s", "2m", "4h", "7d", "1h30m": seconds, 1 s to 10 years. */
bool segctl_duration(const char *text, long long *seconds);
/* A whole number in decimal, from min to max. */
bool segctl_number(const char *text, long long min, long long max, long long *number);

#endif
