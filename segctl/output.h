/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_OUTPUT_H
#define SEGCTL_OUTPUT_H

/* What leaves segctl: documents, failures, and the few ways a person is shown a value. */

#include <jansson.h>
#include "base/strbuf.h"
#include "commands.h"

/* Is stdout one? Then tables are aligned and sizes rounded. */
bool segctl_terminal(void);
/* How wide it is; 80 where it does not say. */
size_t segctl_terminal_columns(void);
/* One line of a stream, on its way at once; false where nobody takes it. */
bool segctl_line(const json_t *document);

/* Colours by meaning; "" where the terminal has none. */
enum segctl_tone { SEGCTL_PLAIN, SEGCTL_GOOD, SEGCTL_WARN, SEGCTL_BAD, SEGCTL_DIM, SEGCTL_HEAD };
const char *segctl_tone_begin(const struct segctl *ctl, enum segctl_tone tone);
const char *segctl_tone_end(const struct segctl *ctl, enum segctl_tone tone);

/* Members of an answer as text: "" for what is not there or null. Numbers in buf. */
const char *segctl_text_of(const json_t *object, const char *key);
long long segctl_number_of(const json_t *object, const char *key); /* 0 for null */
/* "mn-link" or "mn-link,lg-wan" of a string or a list of them. */
void segctl_list_of(const json_t *object, const char *key, struct seg_strbuf *out);
/* "1 zone", "3 zones", for a sentence that has more than one number; and of permits. */
#define SEGCTL_COUNT_STRLEN 64
const char *segctl_zones(long long n, char buf[static SEGCTL_COUNT_STRLEN]);
const char *segctl_permits(long long n, char buf[static SEGCTL_COUNT_STRLEN]);
/* A word of the contract ("no-permit", "cut") as a person reads it; what is none stays as it is. */
const char *segctl_word(const char *word);
/* What the daemon itself writes into the history where people say why, likewise. */
const char *segctl_remark(const char *remark);
/* A text of an answer in the reader's language, by the answer's sentences or as it can be told. The caller frees. */
char *segctl_said(const json_t *answer, const char *text);
/* "12.3 MiB" for a terminal, "12897484" elsewhere. */
#define SEGCTL_SIZE_STRLEN 32
const char *segctl_size(long long bytes, char buf[static SEGCTL_SIZE_STRLEN]);
/* "2026-11-24T20:00:05+09:00" as briefly as it says the same to a reader of today: "11-24 20:00", with the
 * offset where the reader's is another; half a year away "2027-03-31". What is no time stays as it is. */
#define SEGCTL_BRIEF_STRLEN 32
const char *segctl_time_brief(const char *time, char buf[static SEGCTL_BRIEF_STRLEN]);
/* Under the answer's `state` no rule stops anything: it is observing, or disarmed. */
bool segctl_lets_all_pass(const json_t *answer);
/* Where that is so: what was cut off, or closed, is not. */
void segctl_say_unenforced(const json_t *answer); /* to stderr */
/* How many open flows a change stopped, where it stopped any. */
void segctl_print_stopped(const json_t *answer);
/* "172.31.20.20:443", "[2001:db8::1]:443"; "10.0.0.1" without a port; "*" where null. */
void segctl_endpoint_of(const json_t *object, const char *addr, const char *port, struct seg_strbuf *out);

#endif
