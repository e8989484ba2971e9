/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "base/utf8.h"
#include "table.h"

#define GAP 2 /* blanks between columns */

struct segctl_table_cell {
	char *text;
	size_t width;
	enum segctl_tone tone;
};

void segctl_table_add_tone(struct segctl_table *table, const char *text, enum segctl_tone tone)
{
	struct seg_strbuf shown = {0};
	size_t width = seg_utf8_show(&shown, text, strlen(text));

	if (table->cells == table->cap) {
		table->cap = table->cap ? 2 * table->cap : 64;
		table->cell = realloc(table->cell, table->cap * sizeof(*table->cell));
		if (!table->cell)
			abort();
	}
	seg_strbuf_add(&shown, "");
	table->cell[table->cells++] = (struct segctl_table_cell){seg_strbuf_take(&shown), width, tone};
}

void segctl_table_init(struct segctl_table *table, const struct segctl *ctl, unsigned columns,
		       const char *const *heading)
{
	*table = (struct segctl_table){.ctl = ctl, .columns = columns};
	for (unsigned i = 0; i < columns; i++) {
		const char *text = _(heading[i]);

		table->right[i] = *text == '>';
		segctl_table_add_tone(table, text + table->right[i], SEGCTL_HEAD);
	}
}

void segctl_table_init_headless(struct segctl_table *table, const struct segctl *ctl, unsigned columns)
{
	*table = (struct segctl_table){.ctl = ctl, .columns = columns, .headless = true};
}

void segctl_table_fini(struct segctl_table *table)
{
	for (size_t i = 0; i < table->cells; i++)
		free(table->cell[i].text);
	free(table->cell);
}

void segctl_table_add(struct segctl_table *table, const char *text)
{
	segctl_table_add_tone(table, text, SEGCTL_PLAIN);
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

void segctl_table_add_strbuf(struct segctl_table *table, struct seg_strbuf *buf)
{
	const char *text = seg_strbuf_text(buf);

	segctl_table_add(table, *text ? text : "-");
	seg_strbuf_reset(buf);
}

size_t segctl_table_rows(const struct segctl_table *table)
{
	return table->cells / table->columns - (table->headless ? 0 : 1);
}

static void print_aligned(const struct segctl_table *table, const struct segctl_table_cell *row)
{
	for (unsigned i = 0; i < table->columns; i++) {
		int blanks = (int)(table->width[i] - row[i].width);
		bool last = i + 1 == table->columns;

		printf("%*s%s%s%s%*s", table->right[i] ? blanks : 0, "",
		       segctl_tone_begin(table->ctl, row[i].tone), row[i].text,
		       segctl_tone_end(table->ctl, row[i].tone),
		       last ? 0 : GAP + (table->right[i] ? 0 : blanks), "");
	}
	putchar('\n');
}

static void print_plain(const struct segctl_table *table, const struct segctl_table_cell *row)
{
	for (unsigned i = 0; i < table->columns; i++)
		printf("%s%s", i ? "\t" : "", row[i].text);
	putchar('\n');
}

void segctl_table_print(struct segctl_table *table)
{
	for (size_t i = 0; i < table->cells; i++) {
		if (table->cell[i].width > table->width[i % table->columns])
			table->width[i % table->columns] = table->cell[i].width;
	}
	for (size_t i = 0; i + table->columns <= table->cells; i += table->columns) {
		if (segctl_terminal())
			print_aligned(table, &table->cell[i]);
		else
			print_plain(table, &table->cell[i]);
	}
	for (size_t i = 0; i < table->cells; i++)
		free(table->cell[i].text);
	table->cells = 0;
	table->headless = true; /* they are out */
}
