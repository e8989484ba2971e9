/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "listing.h"

#include <stdio.h>
#include "client.h"

struct showing {
	struct segctl ctl;
	const struct segctl_listing *listing;
	struct segctl_table table;
	bool any; /* of the list was printed */
};

/* One document whatever its length: its list is written as it comes. */
static void print_json(struct showing *showing, const json_t *line)
{
	if (showing->any)
		putchar(',');
	else
		printf("{\"%s\":[", showing->listing->name);
	json_dumpf(line, stdout, JSON_PRESERVE_ORDER | JSON_COMPACT);
	showing->any = showing->ctl.open = true;
}

static bool show_piece(void *context, const json_t *piece)
{
	struct showing *showing = context;
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(piece, showing->listing->name), i, line)
	{
		if (showing->ctl.json)
			print_json(showing, line);
		else
			showing->listing->add_row(&showing->table, line);
	}
	if (!showing->ctl.json)
		segctl_table_print(&showing->table);
	return !fflush(stdout);
}

int segctl_list(const struct segctl *ctl, const struct segctl_listing *listing, json_t *parameters)
{
	struct showing showing = {.ctl = *ctl, .listing = listing};
	int status;

	segctl_table_init(&showing.table, &showing.ctl, NULL, 0);
	listing->add_columns(&showing.table);
	status = segctl_stream(&showing.ctl, listing->method, parameters, show_piece, &showing);
	if (!status && ctl->json && showing.any)
		puts("]}");
	else if (!status && ctl->json)
		printf("{\"%s\":[]}\n", listing->name);
	segctl_table_fini(&showing.table);
	return fflush(stdout) || ferror(stdout) ? SEGCTL_REFUSED : status;
}
