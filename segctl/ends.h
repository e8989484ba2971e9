/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_ENDS_H
#define SEGCTL_ENDS_H

/* What flows, denials and violations begin with: who speaks to whom. */

#include "table.h"

void segctl_ends_columns(struct segctl_table *table);
/* source_port: where the source has one, "sport"; else "". */
void segctl_ends_add(struct segctl_table *table, const json_t *one, const char *source_port);

#endif
