// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl flows: live flows that cross zones, shown as they come: there may be a million. */
#include "commands.h"

#include "base/i18n.h"
#include "client.h"
#include "options.h"
#include "table.h"

struct showing {
	struct segctl *ctl;
	struct segctl_table table;
	bool any; /* of the list was printed */
};

static void add_row(struct segctl_table *table, const json_t *one)
{
	struct seg_strbuf buf = {0};

	segctl_table_add_text(table, one, "from");
	segctl_table_add_text(table, one, "to");
	segctl_table_add_text(table, one, "proto");
	segctl_endpoint_of(one, "src", "sport", &buf);
	segctl_table_add_strbuf(table, &buf);
	segctl_endpoint_of(one, "dst", "dport", &buf);
	segctl_table_add_strbuf(table, &buf);
	segctl_table_add_text(table, one, "permit");
	segctl_table_add_size(table, one, "bytes");
	segctl_table_add_size(table, one, "reply-bytes");
	segctl_table_add_text(table, one, "state");
	segctl_table_add_text(table, one, "since");
	seg_strbuf_fini(&buf);
}

/* One document whatever its length: its list is written as it comes. */
static void print_json(struct showing *showing, const json_t *one)
{
	fputs(showing->any ? "," : "{\"flows\":[", stdout);
	json_dumpf(one, stdout, JSON_PRESERVE_ORDER | JSON_COMPACT);
	showing->any = showing->ctl->open = true;
}

static bool show_piece(void *context, const json_t *piece)
{
	struct showing *showing = context;
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(piece, "flows"), i, one)
	{
		if (showing->ctl->json)
			print_json(showing, one);
		else
			add_row(&showing->table, one);
	}
	if (!showing->ctl->json)
		segctl_table_print(&showing->table);
	return !fflush(stdout);
}

static int show(struct segctl *ctl, json_t *parameters)
{
	static const char *const headings[] = {N_("FROM"),	  N_("TO"),	N_("PROTO"),  N_("SOURCE"),
					       N_("DESTINATION"), N_("PERMIT"), N_(">BYTES"), N_(">REPLY"),
					       N_("STATE"),	  N_("SINCE")};
	struct showing showing = {.ctl = ctl};
	int status;

	segctl_table_init(&showing.table, ctl, sizeof(headings) / sizeof(*headings), headings);
	status = segctl_stream(ctl, "Flows", parameters, show_piece, &showing);
	if (!status && ctl->json)
		puts(showing.any ? "]}" : "{\"flows\":[]}");
	segctl_table_fini(&showing.table);
	return fflush(stdout) || ferror(stdout) ? SEGCTL_REFUSED : status;
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	const char *zone = NULL;
	const struct segctl_option options[] = {{"zone", &zone, NULL}, {0}};
	struct segctl own = *ctl;
	json_t *parameters;

	if (segctl_options(ctl, &command_flows, argc, argv, options, NULL, 0, 0) < 0)
		return SEGCTL_USAGE;
	parameters = json_object();
	if (zone)
		json_object_set_new(parameters, "zone", segctl_json_text(zone));
	return show(&own, parameters);
}

const struct command command_flows = {
	.name = "flows",
	.arguments = "[--zone ZONE]",
	.run = run,
	.summary = N_("live flows that cross zones"),
	.details = N_("  --zone ZONE  only those from or to this zone\n"),
};
