/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_UTF8_H
#define SEG_BASE_UTF8_H

/*
 * Just enough of UTF-8 to count columns and to show foreign text safely.
 *
 * Independent of the locale: a policy is UTF-8 wherever it is read.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/strbuf.h"

/* Length in bytes of the character at text (len > 0) and its code point; 0 where
 * the bytes are not UTF-8 (overlong forms and surrogates are not). */
size_t seg_utf8_decode(const char *text, size_t len, uint32_t *code);
/* Characters in text; a byte that belongs to none counts as one. */
size_t seg_utf8_count(const char *text, size_t len);
/* Terminal cells of a printable character: 0 (combining), 1 or 2 (East Asian wide). */
unsigned seg_utf8_cells(uint32_t code);
/* Would a terminal obey this character instead of showing it? Includes those that
 * reverse the direction of text: they make a line read as what it is not. */
bool seg_utf8_is_control(uint32_t code);

/* Appends text with what an input method left in full width as ASCII: letters, digits, marks and blanks,
 * dashes of every length as '-'. Was there any? */
bool seg_utf8_narrow(struct seg_strbuf *out, const char *text, size_t len);

/* Appends text with control characters and broken bytes as \xNN. Returns the cells. */
size_t seg_utf8_show(struct seg_strbuf *out, const char *text, size_t len);
/* Appends as much of a text that can be shown as so many cells hold; where that is not all, it ends in "…".
 * Returns the cells: one less where half of a wide character would be left. */
size_t seg_utf8_cut(struct seg_strbuf *out, const char *text, size_t cells);

#endif
