// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/language.h"

#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"

/* What LC_ALL, LC_MESSAGES and LANG ask for, in the order in which they count. */
static const char *wanted_locale(void)
{
	static const char *const variable[] = {"LC_ALL", "LC_MESSAGES", "LANG"};

	for (size_t i = 0; i < sizeof(variable) / sizeof(*variable); i++) {
		const char *value = getenv(variable[i]);

		if (value && *value)
			return value;
	}
	return "C";
}

/* Where the translations are: as told, beside a program that is not installed yet, or installed. */
static const char *locale_folder(char *beside, size_t size)
{
	static const char name[] = "/locale";
	const char *told = secure_getenv("TEXTDOMAINDIR");
	ssize_t len = readlink("/proc/self/exe", beside, size - sizeof(name));
	char *slash = NULL;
	struct stat found;

	if (told)
		return told;
	if (len > 0) {
		beside[len] = '\0';
		slash = strrchr(beside, '/');
	}
	if (!slash)
		return SEG_LOCALEDIR;
	memcpy(slash, name, sizeof(name));
	return stat(beside, &found) == 0 && S_ISDIR(found.st_mode) ? beside : SEG_LOCALEDIR;
}

/* A server seldom has the locale of those who log in to it; their words need no more of it than its name. */
void seg_language_choose(bool people)
{
	const char *languages = getenv("LANGUAGE");
	char beside[PATH_MAX];

	if (!setlocale(LC_ALL, "") && setlocale(LC_ALL, "C.UTF-8"))
		setenv("LANGUAGE", wanted_locale(),
		       !languages || !*languages); /* empty: none wished, as to libc */
	if (!people) {
		setlocale(LC_MESSAGES, "C"); /* the system's own messages too */
		return;
	}
	bindtextdomain("segd", locale_folder(beside, sizeof(beside)));
	bind_textdomain_codeset("segd", "UTF-8");
	textdomain("segd");
}
