/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_ENGLISH_H
#define SEGCTL_ENGLISH_H

/*
 * The daemon's English for a reader of another language, where the format that made it is not known any
 * more: what stands in the audit trail, mistakes in a file that cannot be read from here, a sentence
 * within a sentence (control/sentence.h has the way for what comes with its format). The catalogue's
 * messages are held against the text; the one that has most of its words is translated, and its values
 * likewise. What people wrote themselves is not to be given here: it would be translated, too, where it
 * reads like a message.
 */

#include <stdbool.h>

#include <jansson.h>

/* Messages with values, in English; ends with NULL. Made from the sources by the Makefile. */
extern const char *const segctl_messages[];

/* The daemon's own words do for this reader. */
bool segctl_is_english(void);
/* In the reader's language; NULL where that is English, or no message reads thus. The caller frees. */
char *segctl_from_english(const char *text);
/* The same for the values of a sentence, in place. */
void segctl_values_from_english(json_t *sentence);
/* A policy's mistakes as the daemon shows them, line by line. The caller frees. */
char *segctl_mistakes_from_english(const char *text);

#endif
