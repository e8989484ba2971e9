// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * segctl matrix: zones by zones, what may begin where. A terminal gets a table,
 * split into blocks of columns where it is too narrow; a pipe gets a line a cell.
 */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "client.h"
#include "flow/answer.h"
#include "offline.h"
#include "options.h"
#include "output.h"

struct table {
	size_t zones;
	const char **id;
	const json_t **cell; /* zones x zones; NULL: nothing may begin there */
	int label;	     /* width of a row's head */
	bool numbered;	     /* zones are columns by number, as the rows' heads say */
};

static size_t index_of(const json_t *places, const json_t *cell, const char *key)
{
	return (size_t)json_integer_value(
		json_object_get(places, json_string_value(json_object_get(cell, key))));
}

static void table_init(struct table *table, const json_t *doc)
{
	json_t *zones = json_object_get(doc, "zones"), *cells = json_object_get(doc, "cells"), *item;
	json_t *places = json_object();
	size_t i;

	*table = (struct table){.zones = json_array_size(zones)};
	table->id = calloc(table->zones + 1, sizeof(*table->id));
	table->cell = calloc(table->zones * table->zones + 1, sizeof(*table->cell));
	if (!table->id || !table->cell)
		abort();
	json_array_foreach(zones, i, item)
	{
		table->id[i] = json_string_value(item);
		json_object_set_new(places, table->id[i], json_integer((json_int_t)i));
	}
	json_array_foreach(cells, i, item)
		table->cell[index_of(places, item, "from") * table->zones + index_of(places, item, "to")] =
		item;
	json_decref(places);
}

static void table_fini(struct table *table)
{
	free(table->id);
	free(table->cell);
}

#define CELL_STRLEN 24
static const char *cell_text(const struct table *table, size_t from, size_t to, char buf[static CELL_STRLEN])
{
	const json_t *cell = table->cell[from * table->zones + to];

	if (!cell)
		return "-";
	if (json_is_true(json_object_get(cell, "intra")))
		return "intra";
	snprintf(buf, CELL_STRLEN, "%zu", json_array_size(json_object_get(cell, "permits")));
	return buf;
}

static const char *head_text(const struct table *table, size_t zone, char buf[static CELL_STRLEN])
{
	if (!table->numbered)
		return table->id[zone];
	snprintf(buf, CELL_STRLEN, "%zu", zone + 1);
	return buf;
}

static int column_width(const struct table *table, size_t to)
{
	char buf[CELL_STRLEN];
	size_t width = strlen(head_text(table, to, buf));

	for (size_t from = 0; from < table->zones; from++) {
		size_t len = strlen(cell_text(table, from, to, buf));

		width = len > width ? len : width;
	}
	return (int)width;
}

/* A row's head: the zone's number where the columns are known by it, and its name. */
static void print_label(const struct table *table, size_t zone)
{
	char buf[CELL_STRLEN];

	if (table->numbered)
		printf("%3s ", head_text(table, zone, buf));
	printf("%-*s", table->label, table->id[zone]);
}

static void print_block(const struct table *table, size_t first, size_t end)
{
	char buf[CELL_STRLEN];

	printf("%*s", table->label + (table->numbered ? 4 : 0), "");
	for (size_t to = first; to < end; to++)
		printf("  %*s", column_width(table, to), head_text(table, to, buf));
	putchar('\n');
	for (size_t from = 0; from < table->zones; from++) {
		print_label(table, from);
		for (size_t to = first; to < end; to++)
			printf("  %*s", column_width(table, to), cell_text(table, from, to, buf));
		putchar('\n');
	}
}

/* The column behind the last one that still fits; at least one does. */
static size_t block_end(const struct table *table, size_t first, int columns)
{
	int width = table->label + (table->numbered ? 4 : 0);
	size_t to = first;

	do
		width += 2 + column_width(table, to);
	while (width <= columns && ++to < table->zones);
	return to > first ? to : first + 1;
}

static void print_table(const json_t *doc)
{
	int columns = (int)segctl_terminal_columns();
	struct table table;
	size_t end;

	table_init(&table, doc);
	for (size_t i = 0; i < table.zones; i++)
		if ((int)strlen(table.id[i]) > table.label)
			table.label = (int)strlen(table.id[i]);
	table.numbered = block_end(&table, 0, columns) < table.zones;
	for (size_t first = 0; first < table.zones; first = end) {
		end = block_end(&table, first, columns);
		if (first)
			putchar('\n');
		print_block(&table, first, end);
	}
	puts(_("Rows begin, columns answer: the number of permits; intra: free among themselves; -: "
	       "nothing."));
	table_fini(&table);
}

static void print_list(const json_t *doc)
{
	json_t *cells = json_object_get(doc, "cells"), *cell, *permit;
	size_t i, k;

	json_array_foreach(cells, i, cell)
	{
		printf("%s\t%s\t", json_string_value(json_object_get(cell, "from")),
		       json_string_value(json_object_get(cell, "to")));
		if (json_is_true(json_object_get(cell, "intra")))
			fputs(json_array_size(json_object_get(cell, "permits")) ? "intra " : "intra", stdout);
		json_array_foreach(json_object_get(cell, "permits"), k, permit)
			printf("%s%s", k ? " " : "", json_string_value(permit));
		putchar('\n');
	}
}

static int show(const struct segctl *ctl, json_t *doc)
{
	if (ctl->json)
		return segctl_json(doc, SEGCTL_YES);
	if (segctl_terminal())
		print_table(doc);
	else
		print_list(doc);
	json_decref(doc);
	return fflush(stdout) == 0 ? SEGCTL_YES : SEGCTL_REFUSED;
}

static int matrix_daemon(const struct segctl *ctl)
{
	json_t *doc = NULL;
	int status = segctl_call(ctl, "Matrix", NULL, &doc);

	return status == SEGCTL_YES ? show(ctl, doc) : status;
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	const char *file = NULL;
	const struct segctl_option options[] = {{"policy", &file, NULL}, {0}};
	struct offline offline;
	int status;

	if (segctl_options(ctl, &command_matrix, argc, argv, options, NULL, 0, 0) < 0)
		return SEGCTL_USAGE;
	if (!file)
		return matrix_daemon(ctl);
	status = offline_open(ctl, file, &offline);
	if (status == SEGCTL_YES)
		status = show(ctl, seg_answer_matrix(offline.policy));
	offline_close(&offline);
	return status;
}

const struct command command_matrix = {
	.name = "matrix",
	.arguments = "[--policy FILE]",
	.alone = "matrix --policy FILE",
	.run = run,
	.summary = N_("zones by zones: what may begin where"),
};
