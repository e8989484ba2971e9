/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include "base/i18n.h"
#include "options.h"

#define OPTIONS_MAX 16
#define DURATION_MAX (10LL * 366 * 86400)

int segctl_options(const struct segctl *ctl, const struct command *command, int argc, char **argv,
		   const struct segctl_option *option, const char **operand, int min, int max)
{
	struct option list[OPTIONS_MAX + 1] = {0};
	int found, n;

	for (n = 0; option[n].name && n < OPTIONS_MAX; n++)
		list[n] = (struct option){option[n].name, option[n].value ? required_argument : no_argument,
					  NULL, n};
	opterr = 0;
	while ((found = getopt_long(argc, argv, ":", list, NULL)) != -1) {
		if (found == ':')
			segctl_usage(ctl, command, _("%s needs an argument"), argv[optind - 1]);
		else if (found == '?')
			segctl_usage(ctl, command, _("unknown option %s"), argv[optind - 1]);
		if (found == ':' || found == '?')
			return -1;
		if (option[found].value)
			*option[found].value = optarg;
		else
			*option[found].flag = true;
	}
	n = argc - optind;
	if (n > max)
		segctl_usage(ctl, command, _("%s is one argument too many"), argv[optind + max]);
	else if (n < min)
		segctl_usage(ctl, command, _("an argument is missing"));
	if (n > max || n < min)
		return -1;
	for (int i = 0; i < n; i++)
		operand[i] = argv[optind + i];
	return n;
}

bool segctl_no_options(const struct segctl *ctl, const struct command *command, int argc, char **argv)
{
	const struct segctl_option none[] = {{0}};

	return segctl_options(ctl, command, argc, argv, none, NULL, 0, 0) >= 0;
}

static long long unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	default:
		return 0;
	}
}

bool segctl_duration(const char *text, long long *seconds)
{
	long long sum = 0, last = DURATION_MAX + 1;

	if (segctl_number(text, 1, DURATION_MAX, seconds))
		return true;
	while (*text) {
		long long unit, value = 0;

		if (!isdigit((unsigned char)*text))
			return false;
		for (; isdigit((unsigned char)*text); text++) {
			value = value * 10 + (*text - '0');
			if (value > DURATION_MAX)
				return false;
		}
		unit = unit_seconds(*text);
		if (!unit || unit >= last || value * unit > DURATION_MAX - sum)
			return false;
		sum += value * unit;
		last = unit;
		text++;
	}
	*seconds = sum;
	return sum > 0;
}

bool segctl_number(const char *text, long long min, long long max, long long *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtoll(text, &end, 10);
	return !errno && !*end && *number >= min && *number <= max;
}
