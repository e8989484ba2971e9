/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_TABLE_H
#define SEGCTL_TABLE_H

/*
 * Rows and columns. On a terminal columns are aligned by the cells their characters
 * take (East Asian wide ones take two); elsewhere fields are separated by one tab, so
 * that cut and awk need no guesses. Control characters in cells are shown as \xNN.
 */

#include "output.h"

#define SEGCTL_TABLE_COLUMNS 16

struct segctl_table {
	const struct segctl *ctl;
	unsigned columns;
	bool right[SEGCTL_TABLE_COLUMNS];
	struct segctl_table_cell *cell; /* row by row, the headings first */
	size_t cells, cap;
	bool headless; /* names and values, no headings */
	size_t width[SEGCTL_TABLE_COLUMNS]; /* of what was printed */
};

/* A heading that begins with '>' is that of a column aligned to the right. */
void segctl_table_init(struct segctl_table *table, const struct segctl *ctl, unsigned columns,
		       const char *const *heading);
void segctl_table_init_headless(struct segctl_table *table, const struct segctl *ctl, unsigned columns);
void segctl_table_fini(struct segctl_table *table);
void segctl_table_add(struct segctl_table *table, const char *text);
void segctl_table_add_tone(struct segctl_table *table, const char *text, enum segctl_tone tone);
void segctl_table_add_number(struct segctl_table *table, const json_t *object, const char *key);
void segctl_table_add_text(struct segctl_table *table, const json_t *object, const char *key);
void segctl_table_add_word(struct segctl_table *table, const json_t *object, const char *key);
void segctl_table_add_size(struct segctl_table *table, const json_t *object, const char *key);
void segctl_table_add_strbuf(struct segctl_table *table, struct seg_strbuf *buf); /* empties it */
size_t segctl_table_rows(const struct segctl_table *table);			  /* without the headings */
/* Prints the rows and forgets them. A table that comes in pieces is printed more than once, aligned by what
 * came so far. */
void segctl_table_print(struct segctl_table *table);

#endif
