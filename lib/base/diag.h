/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_DIAG_H
#define SEG_BASE_DIAG_H

/*
 * What a person must read about a file: errors and warnings with places.
 *
 * lib/ never prints: it adds to a list, and segctl or the daemon renders it.
 * A place is a piece of one line of one source, as bytes: a large policy has a million
 * of them, and few are ever shown. Who shows one asks for its position: lines and columns
 * count from 1, columns in characters, end_column is the column behind the last.
 * Sources are kept with the list, so that a caret can be drawn later without
 * reading the file again. At most SEG_DIAG_MAX errors and SEG_DIAG_MAX_WARNINGS
 * warnings are kept, the rest counted.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/strbuf.h"

#define SEG_DIAG_MAX 20
#define SEG_DIAG_MAX_WARNINGS 500

struct seg_source {
	const char *name; /* as the user wrote it */
	const char *text; /* whole content, NUL-ended */
	size_t len;
	/* private to diag.c: start offsets of the lines; which source of its list it is */
	const size_t *line;
	unsigned order;
	size_t lines;
};

struct seg_place {
	const struct seg_source *source; /* NULL: no place in a file */
	uint32_t start, end;		 /* offsets into its text; the end is the byte behind the last */
};

struct seg_position {
	unsigned line, column, end_column; /* all 0 where there is no place */
};

enum seg_diag_code {
	SEG_SYNTAX, SEG_UNKNOWN_KEY, SEG_MISSING, SEG_DUPLICATE, SEG_TYPE, SEG_RANGE, SEG_UNKNOWN_NAME,
	SEG_G1, SEG_G2, SEG_G3, SEG_G4, SEG_G5, SEG_G6, SEG_G7, SEG_G8, SEG_G9, SEG_G10,
	SEG_UNSUPPORTED, /* the kernel or this version cannot enforce it */
	SEG_KERNEL,      /* the kernel refused the object built from this place */
	SEG_SHADOWED, SEG_UNUSED, SEG_ENDS_SOON, SEG_REVIEW_DUE /* warnings */
};

struct seg_diag_related {
	struct seg_place place;
	const char *message;
	struct seg_diag_related *next;
};

struct seg_diag {
	enum seg_diag_code code;
	bool warning;
	struct seg_place place;
	const char *message; /* one sentence, translated, names the permit, host or zone */
	const char *hint;    /* what would be right or allowed instead; NULL */
	struct seg_diag_related *related;
	struct seg_diag *next;
};

struct seg_diags {
	struct seg_arena *arena;
	struct seg_diag *first, **tail;
	size_t errors, warnings; /* all that occurred, also beyond the limits */
	unsigned sources;
};

void seg_diags_init(struct seg_diags *diags); /* owns its arena */
void seg_diags_fini(struct seg_diags *diags);

/* Copies name and text into the diags' arena. */
const struct seg_source *seg_source_new(struct seg_diags *diags, const char *name, const char *text, size_t len);
/* Any offsets: what lies beyond the text, or beyond the line of the first byte, is no part of the place. */
struct seg_place seg_source_place(const struct seg_source *source, size_t start, size_t end);
/* From a line and a column, which others count. */
struct seg_place seg_source_position(const struct seg_source *source, unsigned line, unsigned column);
struct seg_position seg_place_position(const struct seg_place *place);

/* Both return NULL past the limit; every function here accepts a NULL diag. */
struct seg_diag *seg_error(struct seg_diags *diags, enum seg_diag_code code, struct seg_place place,
			   const char *format, ...) __attribute__((format(printf, 4, 5)));
struct seg_diag *seg_warning(struct seg_diags *diags, enum seg_diag_code code, struct seg_place place,
			     const char *format, ...) __attribute__((format(printf, 4, 5)));
void seg_diag_hint(struct seg_diags *diags, struct seg_diag *diag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void seg_diag_relate(struct seg_diags *diags, struct seg_diag *diag, struct seg_place place,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "unknown-key", "G2", ...: stable, used in JSON. */
const char *seg_diag_code_name(enum seg_diag_code code);

/* Errors before warnings, each by source (in the order they were made), line and column. */
void seg_diags_sort(struct seg_diags *diags);

/*
 * For people: "file:line:column: error[code]: message", the source line, a caret under
 * the text, each related place the same way. Control characters of the source
 * are shown as \xNN; wide (East Asian) characters count two cells for the caret.
 */
void seg_diags_render(const struct seg_diags *diags, bool colour, struct seg_strbuf *out);

/* The nearest of n names within a third of its length, for "did you mean"; NULL. */
const char *seg_nearest(const char *word, const char *const *names, size_t n);

#endif
