/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_CONTROL_SENTENCE_H
#define SEG_CONTROL_SENTENCE_H

/*
 * A sentence for people on its way from the daemon, which speaks English, to a
 * reader who may not: {"format", "values": [...]}, all of them texts. (No bare arrays: a list
 * of them would be one that systemd's varlinkctl cannot describe.) The format is as
 * in the sources, for a translation is found by it; the reader's program looks
 * it up and fills the values in. It knows printf's %s, %d and %u with l, ll and z,
 * and on the reader's side %1$s; a format with anything else stays English.
 * Nothing of it reaches printf there: what comes over the wire is data.
 */

#include <jansson.h>
#include <stdarg.h>

json_t *seg_sentence_new(const char *format, ...) __attribute__((format(printf, 1, 2)));
json_t *seg_sentence_vnew(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* In the reader's language; NULL where this is no sentence. The caller frees. */
char *seg_sentence_text(const json_t *sentence);
/* Several of them in one line. */
char *seg_sentences_text(const json_t *sentences);
/* The one of them that reads thus in English; NULL where none does. */
const json_t *seg_sentences_find(const json_t *sentences, const char *english);

#endif
