/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_TABLE_H
#define SEGCTL_TABLE_H

/*
 * Rows and columns. On a terminal columns are aligned by the cells their characters
 * take (East Asian wide ones take two); elsewhere fields are separated by one tab, so
 * that cut and awk need no guesses. Control characters in cells are shown as \xNN.
 *
 * Lines that a terminal would wrap cannot be read down the columns. Where it is too narrow, times are
 * shortened and columns stand closer; then texts that may be cut are, with "…"; then columns are
 * left out that may be. A pipe and --json have everything.
 */

#include "output.h"

#define SEGCTL_TABLE_COLUMNS 16

struct segctl_column {
	const char *heading;  /* N_(); '>' before it: aligned to the right */
	unsigned char least;  /* cells to which its texts may be cut; 0: never */
	unsigned char spared; /* left out where there is no room, the highest first; 0: never */
};

struct segctl_table {
	const struct segctl *ctl;
	bool terminal; /* else tabs */
	struct segctl_column column[SEGCTL_TABLE_COLUMNS];
	bool right[SEGCTL_TABLE_COLUMNS];
	unsigned columns;
	struct segctl_table_cell *cell; /* row by row */
	size_t cells, cap;
	bool whole;  /* nothing is shortened or left out: evidence */
	bool headed; /* the headings are out, or there are none */
	/* On a terminal, by what came so far: */
	size_t width[SEGCTL_TABLE_COLUMNS]; /* of the texts */
	size_t brief[SEGCTL_TABLE_COLUMNS]; /* the same with short times */
	bool narrow;			    /* it does not fit as it is */
	bool left_out[SEGCTL_TABLE_COLUMNS];
	size_t shown[SEGCTL_TABLE_COLUMNS]; /* cells that a column gets */
};

void segctl_table_init(struct segctl_table *table, const struct segctl *ctl,
		       const struct segctl_column *column, size_t columns);
/* Names and values. */
void segctl_table_init_headless(struct segctl_table *table, const struct segctl *ctl);
/* More columns, to the right of those there are; before the first row. */
void segctl_table_add_columns(struct segctl_table *table, const struct segctl_column *column, size_t columns);
void segctl_table_fini(struct segctl_table *table);

/* A row is its cells from left to right. */
void segctl_table_add(struct segctl_table *table, const char *text);
void segctl_table_add_tone(struct segctl_table *table, const char *text, enum segctl_tone tone);
void segctl_table_add_number(struct segctl_table *table, const json_t *object, const char *key);
void segctl_table_add_text(struct segctl_table *table, const json_t *object, const char *key);
void segctl_table_add_word(struct segctl_table *table, const json_t *object, const char *key);
void segctl_table_add_size(struct segctl_table *table, const json_t *object, const char *key);
void segctl_table_add_time(struct segctl_table *table, const json_t *object, const char *key);
void segctl_table_add_strbuf(struct segctl_table *table, struct seg_strbuf *buf); /* empties it */
size_t segctl_table_rows(const struct segctl_table *table);			  /* not printed yet */
/* Prints the rows and forgets them. A table that comes in pieces is printed more than once, aligned by what
 * came so far. */
void segctl_table_print(struct segctl_table *table);
/* Adds a row for each of a list, prints and ends the table. An empty list is told a terminal as `none`; NULL:
 * by the headings alone, as everywhere else. */
void segctl_table_show(struct segctl_table *table, const json_t *list,
		       void (*add_row)(struct segctl_table *table, const json_t *line), const char *none);

#endif
