// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl explain: would this packet pass, by which permit; if not, what fails and what to do. */
#include "commands.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "base/utf8.h"
#include "client.h"
#include "flow/answer.h"
#include "offline.h"

/* --- For people --- */

static const char *text_of(const json_t *doc, const char *key)
{
	return json_string_value(json_object_get(doc, key));
}

static bool is_permit(const json_t *doc)
{
	const char *verdict = text_of(doc, "verdict");

	return verdict && strcmp(verdict, "permit") == 0;
}

/* What a person does next, by reason. */
static const char *next_step(const char *reason)
{
	static const struct {
		const char *reason, *step;
	} steps[] = {
	    {"no-permit",
	     N_("a permit between these zones has to be applied for; without one nothing passes")},
	    {"spoofed",
	     N_("check the cabling and VLAN, or the zone's interfaces and networks in the policy")},
	    {"address", N_("check the address, or have the permit's source or destination extended")},
	    {"port", N_("check the port the application uses, or have the permit's service extended")},
	    {"protocol",
	     N_("check the protocol the application uses, or have the permit's service extended")},
	    {"mac", N_("check the machine's network card, or correct the host's mac in the policy (--mac "
		       "asks with one)")},
	    {"hours", N_("wait for the window, or have the permit's hours changed")},
	    {"dates", N_("have the permit renewed: valid and review")},
	    {"direction", N_("let the other side begin, or apply for a permit of this direction")},
	    {"intra",
	     N_("a permit that names the zone in from and to opens it, or intra: allow at the zone")},
	    {"unknown-zone",
	     N_("add the interface or the network to a zone, or name the interface with --in")},
	    {"isolated", N_("segctl isolated shows why; segctl release ends it")},
	    {"stage", N_("segctl stage --list shows the stage in force")},
	};

	for (size_t i = 0; reason && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strcmp(steps[i].reason, reason) == 0)
			return _(steps[i].step);
	return NULL;
}

/* Labels of this width, in cells of the terminal. */
#define LABEL 10

static void print_label(const char *label)
{
	struct seg_strbuf out = {0};
	size_t cells = seg_utf8_show(&out, label, strlen(label));

	printf("  %s%*s", seg_strbuf_text(&out), cells < LABEL ? (int)(LABEL - cells) : 1, "");
	seg_strbuf_fini(&out);
}

/* A text from the policy or the daemon, without what a terminal would obey. */
static void print_safe(const char *text)
{
	struct seg_strbuf out = {0};

	seg_utf8_show(&out, text, strlen(text));
	fputs(seg_strbuf_text(&out), stdout);
	seg_strbuf_fini(&out);
}

static void print_line(const char *label, const char *text)
{
	if (!text)
		return;
	print_label(label);
	print_safe(text);
	putchar('\n');
}

/* A name with its title, where it has one. */
static void print_named(const char *label, const char *id, const char *title)
{
	if (!id)
		return;
	print_label(label);
	print_safe(id);
	if (title && strcmp(title, id) != 0) {
		fputs("  ", stdout);
		print_safe(title);
	}
	putchar('\n');
}

static void print_permit(const json_t *doc)
{
	const char *by = text_of(doc, "permit"), *file = text_of(doc, "file");

	print_named(by ? _("permit") : _("nearest"), by ? by : text_of(doc, "nearest"),
		    text_of(doc, "title"));
	if (!file)
		return;
	print_label("");
	print_safe(file);
	printf(":%lld\n", (long long)json_integer_value(json_object_get(doc, "line")));
}

static void print_verdict(const struct segctl *ctl, const json_t *doc)
{
	bool permit = is_permit(doc);
	const char *colour = permit ? "\033[1;32m" : "\033[1;31m";

	printf("%s%s%s", ctl->colour ? colour : "", permit ? _("PERMIT") : _("DENY"),
	       ctl->colour ? "\033[0m" : "");
	printf("  %s  %s -> %s  %s\n", text_of(doc, "service"), text_of(doc, "src"), text_of(doc, "dst"),
	       text_of(doc, "at"));
}

static void print_answer(const struct segctl *ctl, const json_t *doc)
{
	print_verdict(ctl, doc);
	print_line(_("because"), text_of(doc, "detail"));
	print_named(_("from"), text_of(doc, "from"), text_of(doc, "from-title"));
	print_named(_("to"), text_of(doc, "to"), text_of(doc, "to-title"));
	print_permit(doc);
	if (!is_permit(doc))
		print_line(_("next"), next_step(text_of(doc, "reason")));
}

static int show(const struct segctl *ctl, json_t *doc)
{
	int status = is_permit(doc) ? SEGCTL_YES : SEGCTL_NO;

	if (ctl->json)
		return segctl_json(doc, status);
	print_answer(ctl, doc);
	json_decref(doc);
	return fflush(stdout) == 0 ? status : SEGCTL_REFUSED;
}

/* --- Without the daemon --- */

static int explain_offline(const struct segctl *ctl, const char *file, const struct seg_query *query)
{
	struct seg_strbuf problem = {0};
	struct seg_verdict verdict;
	struct seg_asked asked;
	struct offline offline;
	int status = offline_open(ctl, file, &offline);

	if (status != SEGCTL_YES)
		goto out;
	if (!seg_answer_ask(offline.policy, query, time(NULL), &asked, &problem)) {
		status = segctl_usage(ctl, &command_explain, "%s", seg_strbuf_text(&problem));
		goto out;
	}
	verdict = seg_classify(offline.policy, &offline.gateway, &asked.packet, asked.at);
	status = show(ctl, seg_answer_explain(offline.policy, &asked.packet, &verdict, asked.at));
out:
	seg_strbuf_fini(&problem);
	offline_close(&offline);
	return status;
}

/* --- With it --- */

static void set_word(json_t *parameters, const char *key, const char *word)
{
	if (word)
		json_object_set_new(parameters, key, segctl_json_text(word));
}

static int explain_daemon(const struct segctl *ctl, const struct seg_query *query)
{
	json_t *parameters = json_object(), *doc = NULL;
	int status;

	set_word(parameters, "src", query->src);
	set_word(parameters, "dst", query->dst);
	set_word(parameters, "proto", query->proto);
	set_word(parameters, "in", query->in);
	set_word(parameters, "mac", query->mac);
	set_word(parameters, "at", query->at);
	status = segctl_call(ctl, "Explain", parameters, &doc);
	return status == SEGCTL_YES ? show(ctl, doc) : status;
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"policy", required_argument, NULL, 'p'},
						{"in", required_argument, NULL, 'i'},
						{"mac", required_argument, NULL, 'm'},
						{"at", required_argument, NULL, 'a'},
						{0}};
	struct seg_query query = {0};
	const char *file = NULL;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			file = optarg;
		else if (option == 'i')
			query.in = optarg;
		else if (option == 'm')
			query.mac = optarg;
		else if (option == 'a')
			query.at = optarg;
		else
			return segctl_usage(ctl, &command_explain, _("unexpected argument '%s'"),
					    argv[optind - 1]);
	}
	if (argc - optind != 3)
		return segctl_usage(ctl, &command_explain, _("source, destination and protocol are needed"));
	query.src = argv[optind];
	query.dst = argv[optind + 1];
	query.proto = argv[optind + 2];
	return file ? explain_offline(ctl, file, &query) : explain_daemon(ctl, &query);
}

const struct command command_explain = {
    .name = "explain",
    .arguments = "[--policy FILE] [--in IFACE] [--mac MAC] [--at TIME] SRC DST PROTO[/PORT]",
    .run = run,
    .summary = N_("would this packet pass, and if not, which part of the nearest permit fails"),
};
