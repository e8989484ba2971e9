// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl flows: live flows that cross zones. */
#include "commands.h"

#include "base/i18n.h"
#include "listing.h"
#include "options.h"

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

static const char *const headings[] = {N_("FROM"),	  N_("TO"),	N_("PROTO"),  N_("SOURCE"),
				       N_("DESTINATION"), N_("PERMIT"), N_(">BYTES"), N_(">REPLY"),
				       N_("STATE"),	  N_("SINCE")};

static const struct segctl_listing listing = {
	.method = "Flows",
	.name = "flows",
	.heading = headings,
	.columns = sizeof(headings) / sizeof(*headings),
	.add_row = add_row,
};

static int run(const struct segctl *ctl, int argc, char **argv)
{
	const char *zone = NULL;
	const struct segctl_option options[] = {{"zone", &zone, NULL}, {0}};
	json_t *parameters;

	if (segctl_options(ctl, &command_flows, argc, argv, options, NULL, 0, 0) < 0)
		return SEGCTL_USAGE;
	parameters = json_object();
	if (zone)
		json_object_set_new(parameters, "zone", segctl_json_text(zone));
	return segctl_list(ctl, &listing, parameters);
}

const struct command command_flows = {
	.name = "flows",
	.arguments = "[--zone ZONE]",
	.run = run,
	.summary = N_("live flows that cross zones"),
	.details = N_("  --zone ZONE  only those from or to this zone\n"),
};
