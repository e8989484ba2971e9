/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_STRBUF_H
#define SEG_BASE_STRBUF_H

/*
 * A growing string on the heap. text is always NUL-ended after the first
 * append; a zeroed struct is an empty buffer. Out of memory aborts (see arena.h).
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct seg_strbuf {
	char *text;
	size_t len, cap;
};

void seg_strbuf_fini(struct seg_strbuf *buf);
void seg_strbuf_reset(struct seg_strbuf *buf); /* empty, keeps its memory */
void seg_strbuf_add(struct seg_strbuf *buf, const char *text);
void seg_strbuf_add_n(struct seg_strbuf *buf, const char *text, size_t len);
void seg_strbuf_addc(struct seg_strbuf *buf, char c);
void seg_strbuf_addu(struct seg_strbuf *buf, uint64_t number); /* in decimal */
void seg_strbuf_printf(struct seg_strbuf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
const char *seg_strbuf_text(const struct seg_strbuf *buf); /* "" when empty */
/* Hands the text to the caller, who frees it; the buffer is empty afterwards. */
char *seg_strbuf_take(struct seg_strbuf *buf);

#endif
