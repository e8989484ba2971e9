/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_LANGUAGE_H
#define SEG_BASE_LANGUAGE_H

/*
 * The reader's language, chosen once, by a program's main, before it says anything. People read their own, programs
 * English: segctl without --json speaks it throughout; segd for its help alone, since whatever else it says is a log,
 * or goes to somebody elsewhere.
 */

#include <stdbool.h>

/* By LC_ALL, LC_MESSAGES, LANG and LANGUAGE; where the system lacks the locale, by its name alone. people: else the
 * locale is set, and messages stay English. */
void seg_language_choose(bool people);

#endif
