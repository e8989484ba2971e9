/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_LISTING_H
#define SEGCTL_LISTING_H

/* Answers that are long lists: shown as they come, there may be a million lines. */

#include "table.h"

struct segctl_listing {
	const char *method; /* "Flows" */
	const char *name;   /* of the list in the answer */
	void (*add_columns)(struct segctl_table *table);
	void (*add_row)(struct segctl_table *table, const json_t *line);
};

/* Calls and prints: a table, or with --json one document. Takes parameters over (NULL: none). */
int segctl_list(const struct segctl *ctl, const struct segctl_listing *listing, json_t *parameters);

#endif
