// SPDX-License-Identifier: GPL-2.0-or-later
#include "ends.h"

#include "base/i18n.h"

void segctl_ends_columns(struct segctl_table *table)
{
	static const struct segctl_column columns[] = {
		{.heading = N_("FROM"), .least = 6},  {.heading = N_("TO"), .least = 6},
		{.heading = N_("PROTO"), .least = 6}, {.heading = N_("SOURCE")},
		{.heading = N_("DESTINATION")},
	};

	segctl_table_add_columns(table, columns, sizeof(columns) / sizeof(*columns));
}

void segctl_ends_add(struct segctl_table *table, const json_t *one, const char *source_port)
{
	struct seg_strbuf buf = {0};

	segctl_table_add_text(table, one, "from");
	segctl_table_add_text(table, one, "to");
	segctl_table_add_text(table, one, "proto");
	segctl_endpoint_of(one, "src", source_port, &buf);
	segctl_table_add_strbuf(table, &buf);
	segctl_endpoint_of(one, "dst", "dport", &buf);
	segctl_table_add_strbuf(table, &buf);
	seg_strbuf_fini(&buf);
}
