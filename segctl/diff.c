// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl diff: what another policy would open and close. */
#include "commands.h"

#include <stdio.h>
#include <time.h>

#include "base/i18n.h"
#include "client.h"
#include "flow/compare.h"
#include "offline.h"
#include "options.h"
#include "output.h"

/* --- For people --- */

static void show_entries(const struct segctl *ctl, const json_t *list, char sign, enum segctl_tone tone)
{
	const json_t *entry;
	size_t i;

	json_array_foreach((json_t *)list, i, entry)
	{
		const char *when = segctl_text_of(entry, "when");
		struct seg_strbuf permits = {0};

		segctl_list_of(entry, "permits", &permits);
		printf("%s%c %s -> %s%s  %s -> %s  %s%s%s  (%s)\n", segctl_tone_begin(ctl, tone), sign,
		       segctl_text_of(entry, "from"), segctl_text_of(entry, "to"), segctl_tone_end(ctl, tone),
		       segctl_text_of(entry, "src"), segctl_text_of(entry, "dst"),
		       segctl_text_of(entry, "service"), *when ? "  " : "", when,
		       permits.len ? permits.text : "intra");
		seg_strbuf_fini(&permits);
	}
}

static void show_changed(const json_t *list)
{
	const json_t *entry;
	size_t i;

	json_array_foreach((json_t *)list, i, entry)
	{
		const char *permit = segctl_text_of(entry, "permit");

		printf("~ %s  %s\n", *permit ? permit : segctl_text_of(entry, "zone"),
		       segctl_text_of(entry, "what"));
	}
}

/* The daemon lists only so many of very many. */
static void show_flows(const struct segctl *ctl, const json_t *list, const json_t *cut)
{
	size_t listed = json_array_size(list),
	       n = json_is_integer(cut) ? (size_t)json_integer_value(cut) : listed;
	const json_t *flow;
	size_t i;

	if (n)
		printf(ngettext("%zu live flow would be cut:\n", "%zu live flows would be cut:\n", n), n);
	json_array_foreach((json_t *)list, i, flow)
	{
		struct seg_strbuf src = {0}, dst = {0};

		segctl_endpoint_of(flow, "src", "sport", &src);
		segctl_endpoint_of(flow, "dst", "dport", &dst);
		printf("%s!%s %s -> %s  %s -> %s  %s  (%s)\n", segctl_tone_begin(ctl, SEGCTL_BAD),
		       segctl_tone_end(ctl, SEGCTL_BAD), segctl_text_of(flow, "from"),
		       segctl_text_of(flow, "to"), seg_strbuf_text(&src), seg_strbuf_text(&dst),
		       segctl_text_of(flow, "proto"), segctl_text_of(flow, "permit"));
		seg_strbuf_fini(&src);
		seg_strbuf_fini(&dst);
	}
	if (n > listed)
		printf(_("and %zu more\n"), n - listed);
}

static int show(const struct segctl *ctl, json_t *doc)
{
	int status = seg_compare_is_equal(doc) ? SEGCTL_YES : SEGCTL_NO;

	if (ctl->json)
		return segctl_json(doc, status);
	show_entries(ctl, json_object_get(doc, "opens"), '+', SEGCTL_GOOD);
	show_entries(ctl, json_object_get(doc, "closes"), '-', SEGCTL_BAD);
	show_changed(json_object_get(doc, "changed"));
	show_flows(ctl, json_object_get(doc, "flows"), json_object_get(doc, "cut"));
	if (status == SEGCTL_YES && segctl_terminal())
		puts(_("No difference: both let the same packets pass."));
	json_decref(doc);
	return fflush(stdout) == 0 ? status : SEGCTL_REFUSED;
}

/* --- Two files --- */

static int diff_files(const struct segctl *ctl, const char *old_file, const char *new_file)
{
	struct offline old, new;
	int status = offline_open(ctl, old_file, &old);

	if (status == SEGCTL_YES) {
		status = offline_open(ctl, new_file, &new);
		if (status == SEGCTL_YES)
			status = show(ctl, seg_compare(old.policy, new.policy, time(NULL)));
		offline_close(&new);
	}
	offline_close(&old);
	return status;
}

/* --- A file and the policy in force --- */

/* The text and its lists go along: the daemon may not be able to read the caller's files. */
static json_t *parameters_of(const struct seg_policy *policy)
{
	const struct seg_source *main_source = policy->source[0];
	json_t *files = json_array();

	for (size_t i = 1; i < policy->sources; i++)
		json_array_append_new(files, json_pack("{s:o, s:s#}", "path",
						       segctl_json_text(policy->source[i]->name), "text",
						       policy->source[i]->text, policy->source[i]->len));
	return json_pack("{s:o, s:s#, s:o}", "name", segctl_json_text(main_source->name), "text",
			 main_source->text, main_source->len, "files", files);
}

static int ask_daemon(const struct segctl *ctl, json_t *parameters)
{
	json_t *doc = NULL;
	int status = segctl_call(ctl, "Diff", parameters, &doc);

	return status == SEGCTL_YES ? show(ctl, doc) : status;
}

static int diff_daemon(const struct segctl *ctl, const char *file)
{
	struct offline offline;
	int status;

	if (!file)
		return ask_daemon(ctl, NULL);
	status = offline_open(ctl, file, &offline);
	if (status == SEGCTL_YES)
		status = ask_daemon(ctl, parameters_of(offline.policy));
	offline_close(&offline);
	return status;
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	static const struct segctl_option none[] = {{0}};
	const char *file[2] = {NULL, NULL};
	int n = segctl_options(ctl, &command_diff, argc, argv, none, file, 0, 2);

	if (n < 0)
		return SEGCTL_USAGE;
	return n == 2 ? diff_files(ctl, file[0], file[1]) : diff_daemon(ctl, file[0]);
}

const struct command command_diff = {
	.name = "diff",
	.arguments = "[FILE] | OLD NEW",
	.alone = "diff OLD NEW",
	.run = run,
	.summary = N_("what applying FILE would open and close; with OLD NEW offline"),
	.details = N_("  FILE      against what is in force; by default the daemon's policy file\n"
		      "  OLD NEW   two files, without the daemon\n"
		      "\n"
		      "+ opens, - closes, ! a live flow that would be cut.\n"
		      "Exit status 0: no difference; 1: there is one.\n"),
};
