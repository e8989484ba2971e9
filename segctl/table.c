/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "base/utf8.h"
#include "table.h"

struct segctl_table_cell {
	char *text, *brief; /* brief: where there is no room for text; NULL: the same */
	size_t width, brief_width;
	enum segctl_tone tone;
};

/* --- What a table is made of --- */

void segctl_table_init(struct segctl_table *table, const struct segctl *ctl,
		       const struct segctl_column *column, size_t columns)
{
	*table = (struct segctl_table){.ctl = ctl, .terminal = segctl_terminal()};
	segctl_table_add_columns(table, column, columns);
}

void segctl_table_init_headless(struct segctl_table *table, const struct segctl *ctl)
{
	segctl_table_init(table, ctl, NULL, 0);
	table->columns = 2;
	table->headed = table->whole = true;
}

static const char *heading(const struct segctl_table *table, unsigned column)
{
	return _(table->column[column].heading) + table->right[column];
}

static size_t cells_of(const char *text)
{
	struct seg_strbuf shown = {0};
	size_t cells = seg_utf8_show(&shown, text, strlen(text));

	seg_strbuf_fini(&shown);
	return cells;
}

void segctl_table_add_columns(struct segctl_table *table, const struct segctl_column *column, size_t columns)
{
	for (size_t i = 0; i < columns; i++) {
		unsigned at = table->columns++;

		table->column[at] = column[i];
		table->right[at] = *_(column[i].heading) == '>';
		table->width[at] = table->brief[at] = cells_of(heading(table, at));
	}
}

static void forget_rows(struct segctl_table *table)
{
	for (size_t i = 0; i < table->cells; i++) {
		free(table->cell[i].text);
		free(table->cell[i].brief);
	}
	table->cells = 0;
}

void segctl_table_fini(struct segctl_table *table)
{
	forget_rows(table);
	free(table->cell);
}

static char *shown_text(const char *text, size_t *cells)
{
	struct seg_strbuf shown = {0};

	*cells = seg_utf8_show(&shown, text, strlen(text));
	seg_strbuf_add(&shown, "");
	return seg_strbuf_take(&shown);
}

static void add_cell(struct segctl_table *table, const char *text, const char *brief, enum segctl_tone tone)
{
	struct segctl_table_cell *cell;

	if (table->cells == table->cap) {
		table->cap = table->cap ? 2 * table->cap : 64;
		table->cell = realloc(table->cell, table->cap * sizeof(*table->cell));
		if (!table->cell)
			abort();
	}
	cell = &table->cell[table->cells++];
	*cell = (struct segctl_table_cell){.tone = tone};
	cell->text = shown_text(text, &cell->width);
	cell->brief_width = cell->width;
	if (brief)
		cell->brief = shown_text(brief, &cell->brief_width);
}

void segctl_table_add(struct segctl_table *table, const char *text)
{
	add_cell(table, text, NULL, SEGCTL_PLAIN);
}

void segctl_table_add_tone(struct segctl_table *table, const char *text, enum segctl_tone tone)
{
	add_cell(table, text, NULL, tone);
}

void segctl_table_add_text(struct segctl_table *table, const json_t *object, const char *key)
{
	const char *text = segctl_text_of(object, key);

	segctl_table_add(table, *text ? text : "-");
}

void segctl_table_add_word(struct segctl_table *table, const json_t *object, const char *key)
{
	const char *word = segctl_text_of(object, key);

	segctl_table_add(table, *word ? segctl_word(word) : "-");
}

void segctl_table_add_number(struct segctl_table *table, const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);
	char text[32] = "-";

	if (json_is_integer(member))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(member));
	segctl_table_add(table, text);
}

void segctl_table_add_size(struct segctl_table *table, const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);
	char text[SEGCTL_SIZE_STRLEN];

	segctl_table_add(table,
			 json_is_integer(member) ? segctl_size(json_integer_value(member), text) : "-");
}

void segctl_table_add_time(struct segctl_table *table, const json_t *object, const char *key)
{
	const char *text = segctl_text_of(object, key);
	char brief[SEGCTL_BRIEF_STRLEN];

	if (*text && table->terminal)
		add_cell(table, text, segctl_time_brief(text, brief), SEGCTL_PLAIN);
	else
		segctl_table_add_text(table, object, key);
}

void segctl_table_add_strbuf(struct segctl_table *table, struct seg_strbuf *buf)
{
	const char *text = seg_strbuf_text(buf);

	segctl_table_add(table, *text ? text : "-");
	seg_strbuf_reset(buf);
}

size_t segctl_table_rows(const struct segctl_table *table)
{
	return table->cells / table->columns;
}

/* --- What a terminal has room for --- */

static int gap(const struct segctl_table *table)
{
	return table->narrow ? 1 : 2;
}

/* Cells that a column must have. */
static size_t needed(const struct segctl_table *table, unsigned column)
{
	size_t least = table->column[column].least;

	if (!table->narrow)
		return table->width[column];
	return least && least < table->brief[column] ? least : table->brief[column];
}

static size_t needed_by_line(const struct segctl_table *table)
{
	size_t cells = 0;

	for (unsigned i = 0; i < table->columns; i++) {
		if (!table->left_out[i])
			cells += needed(table, i) + (cells ? (size_t)gap(table) : 0);
	}
	return cells;
}

/* The column that can best be spared goes; false: all that are left must stay. */
static bool leave_one_out(struct segctl_table *table)
{
	unsigned best = 0, spared = 0;

	for (unsigned i = 0; i < table->columns; i++) {
		if (!table->left_out[i] && table->column[i].spared > spared) {
			spared = table->column[i].spared;
			best = i;
		}
	}
	if (!spared)
		return false;
	table->left_out[best] = true;
	table->headed = false; /* with the headings of those that are left */
	return true;
}

/* The room that is left goes cell by cell to the narrowest of those that are cut. */
static void share_out(struct segctl_table *table, size_t room)
{
	for (size_t used = needed_by_line(table); used < room; used++) {
		size_t *narrowest = NULL;

		for (unsigned i = 0; i < table->columns; i++) {
			if (!table->left_out[i] && table->shown[i] < table->brief[i] &&
			    (!narrowest || table->shown[i] < *narrowest))
				narrowest = &table->shown[i];
		}
		if (!narrowest)
			return;
		++*narrowest;
	}
}

static void lay_out(struct segctl_table *table)
{
	size_t room = segctl_terminal_columns() - 1; /* some terminals draw "…" in two cells */

	for (size_t i = 0; i < table->cells; i++) {
		size_t *width = &table->width[i % table->columns], *brief = &table->brief[i % table->columns];

		*width = table->cell[i].width > *width ? table->cell[i].width : *width;
		*brief = table->cell[i].brief_width > *brief ? table->cell[i].brief_width : *brief;
	}
	if (!table->whole && needed_by_line(table) > room)
		table->narrow = true;
	while (table->narrow && needed_by_line(table) > room && leave_one_out(table))
		;
	for (unsigned i = 0; i < table->columns; i++)
		table->shown[i] = needed(table, i);
	if (table->narrow)
		share_out(table, room);
}

/* --- On its way --- */

/* row NULL: of the headings. */
static const char *text_of(const struct segctl_table *table, const struct segctl_table_cell *row,
			   unsigned column)
{
	if (!row)
		return heading(table, column);
	return table->narrow && row[column].brief ? row[column].brief : row[column].text;
}

static void print_plain(const struct segctl_table *table, const struct segctl_table_cell *row)
{
	for (unsigned i = 0; i < table->columns; i++)
		printf("%s%s", i ? "\t" : "", text_of(table, row, i));
	putchar('\n');
}

static void print_aligned(const struct segctl_table *table, const struct segctl_table_cell *row)
{
	struct seg_strbuf text = {0};
	unsigned last = table->columns - 1;

	while (table->left_out[last])
		last--;
	for (unsigned i = 0; i <= last; i++) {
		enum segctl_tone tone = row ? row[i].tone : SEGCTL_HEAD;
		size_t cells = table->shown[i];
		bool right = table->right[i];
		int blanks;

		if (table->left_out[i])
			continue;
		seg_strbuf_reset(&text);
		blanks = (int)(cells - seg_utf8_cut(&text, text_of(table, row, i), cells));
		printf("%*s%s%s%s%*s", right ? blanks : 0, "", segctl_tone_begin(table->ctl, tone),
		       seg_strbuf_text(&text), segctl_tone_end(table->ctl, tone),
		       i == last ? 0 : gap(table) + (right ? 0 : blanks), "");
	}
	putchar('\n');
	seg_strbuf_fini(&text);
}

void segctl_table_print(struct segctl_table *table)
{
	void (*print)(const struct segctl_table *table, const struct segctl_table_cell *row) =
		table->terminal ? print_aligned : print_plain;

	if (table->terminal)
		lay_out(table);
	if (!table->headed)
		print(table, NULL);
	table->headed = true;
	for (size_t i = 0; i + table->columns <= table->cells; i += table->columns)
		print(table, &table->cell[i]);
	forget_rows(table);
}

void segctl_table_show(struct segctl_table *table, const json_t *list,
		       void (*add_row)(struct segctl_table *table, const json_t *line), const char *none)
{
	const json_t *line;
	size_t i;

	json_array_foreach(list, i, line) add_row(table, line);
	if (none && table->terminal && !table->cells)
		puts(none);
	else
		segctl_table_print(table);
	segctl_table_fini(table);
}
