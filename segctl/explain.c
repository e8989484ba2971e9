// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl explain: would this packet pass, by which permit; if not, what fails and what to do. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "base/utf8.h"
#include "client.h"
#include "control/sentence.h"
#include "flow/answer.h"
#include "offline.h"
#include "options.h"
#include "output.h"

/* --- For people --- */

static bool is_permit(const json_t *doc)
{
	return strcmp(segctl_text_of(doc, "verdict"), "permit") == 0;
}

/* Does this part of the nearest permit fail as well? */
static bool fails(const json_t *doc, const char *part)
{
	const json_t *list = json_object_get(doc, "failed");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), part) == 0)
			return true;
	return false;
}

/* A port or a type that was not named, or is not the right one. */
static const char *port_step(const json_t *doc)
{
	const char *service = segctl_text_of(doc, "service");
	bool types = strncmp(service, "icmp", strlen("icmp")) == 0;

	if (strchr(service, '/'))
		return types ? _("check the type that is sent, or have the permit's service extended")
			     : _("check the port the application uses, or have the permit's service extended");
	return types ? _("ask again with the type: icmp/8, icmpv6/128")
		     : _("ask again with the port: tcp/443, udp/53");
}

/* What a person does next, by reason. */
static const char *next_step(const json_t *doc, const char *reason)
{
	static const struct {
		const char *reason, *step;
	} steps[] = {
		{"no-permit",
		 N_("a permit between these zones has to be applied for; without one nothing passes")},
		{"spoofed",
		 N_("check the cabling and VLAN, or the zone's interfaces and networks in the policy")},
		{"address", N_("check the address, or have the permit's source or destination extended")},
		{"protocol",
		 N_("check the protocol the application uses, or have the permit's service extended")},
		{"mac", N_("check the machine's network card, or correct the host's mac in the policy")},
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

	if (json_is_true(json_object_get(doc, "gateway-unknown")))
		return _("if the source or the destination is the gateway, name its addresses under the key "
			 "'gateway' of the policy and ask again");
	if (strcmp(reason, "mac") == 0 && json_is_null(json_object_get(doc, "mac")))
		return _("ask again with --mac and the address of the machine's network card");
	if (strcmp(reason, "port") == 0)
		return port_step(doc);
	if (strcmp(reason, "unknown-zone") == 0 && *segctl_text_of(doc, "from")) /* then it is the other end */
		return _("check the destination, or add its network to a zone");
	if (strcmp(reason, "dates") == 0 && *segctl_text_of(doc, "opens")) /* it comes into force by itself */
		return _("wait for the permit's first day, or have it begin earlier: valid");
	if (strcmp(reason, "hours") == 0 && !*segctl_text_of(doc, "opens")) /* no window is left to wait for */
		return _("no window comes before the permit ends: have its hours changed or it renewed");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
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
	if (!text || !*text)
		return;
	print_label(label);
	print_safe(text);
	putchar('\n');
}

/* A name with its title, where it has one. */
static void print_named(const char *label, const char *id, const char *title)
{
	if (!*id)
		return;
	print_label(label);
	print_safe(id);
	if (*title && strcmp(title, id) != 0) {
		fputs("  ", stdout);
		print_safe(title);
	}
	putchar('\n');
}

static void print_permit(const json_t *doc)
{
	const char *by = segctl_text_of(doc, "permit"), *file = segctl_text_of(doc, "file");

	print_named(*by ? _("permit") : _("nearest"), *by ? by : segctl_text_of(doc, "nearest"),
		    segctl_text_of(doc, "title"));
	if (!*file)
		return;
	print_label("");
	print_safe(file);
	printf(":%lld\n", segctl_number_of(doc, "line"));
}

/* An address, behind the name that was asked by. */
static void print_end(const json_t *doc, const char *host_key, const char *key)
{
	const char *host = segctl_text_of(doc, host_key);

	if (*host) {
		print_safe(host);
		printf(" (%s)", segctl_text_of(doc, key));
	} else {
		fputs(segctl_text_of(doc, key), stdout);
	}
}

static void print_verdict(const struct segctl *ctl, const json_t *doc)
{
	bool permit = is_permit(doc);
	bool held = permit && json_is_true(json_object_get(doc, "held"));
	bool stays = permit && json_is_true(json_object_get(doc, "forwarding-off"));
	bool passes = !permit && segctl_lets_all_pass(doc);
	enum segctl_tone tone = held || stays || passes ? SEGCTL_WARN : permit ? SEGCTL_GOOD : SEGCTL_BAD;
	/* TRANSLATORS: the verdict; held: a permit is there, but its zone begins nothing for the moment */
	const char *word = held	    ? _("PERMIT, BUT HELD")
			   : stays  ? _("PERMIT, BUT NOT FORWARDED")
			   : permit ? _("PERMIT")
			   : passes ? _("DENY, BUT NOTHING IS DROPPED NOW")
				    : _("DENY");

	printf("%s%s%s", segctl_tone_begin(ctl, tone), word, segctl_tone_end(ctl, tone));
	printf("  %s  ", segctl_text_of(doc, "service"));
	print_end(doc, "src-host", "src");
	fputs(" -> ", stdout);
	print_end(doc, "dst-host", "dst");
	printf("  %s\n", segctl_text_of(doc, "at"));
}

/* The daemon's words are English; its sentences are said in the reader's language. */
static void print_detail(const json_t *doc)
{
	const json_t *sentences = json_object_get(doc, "sentences");
	char *text = sentences ? seg_sentences_text(sentences) : NULL;

	print_line(_("because"), text ? text : segctl_text_of(doc, "detail"));
	free(text);
}

/* Nobody shall apply for what cannot be had. */
static void print_barred(const char *rule)
{
	struct seg_strbuf text = {0};

	seg_strbuf_printf(&text, _("nothing can be applied for: the guideline keeps these zones apart (%s)"),
			  rule);
	print_line(_("next"), seg_strbuf_text(&text));
	seg_strbuf_fini(&text);
}

static void print_next(const json_t *doc)
{
	const char *reason = segctl_text_of(doc, "reason");

	print_line(_("next"), next_step(doc, reason));
	if (fails(doc, "stage") && strcmp(reason, "stage") != 0) /* it would be in the way all the same */
		print_line("", next_step(doc, "stage"));
}

static void print_answer(const struct segctl *ctl, const json_t *doc)
{
	print_verdict(ctl, doc);
	print_detail(doc);
	print_named(_("from"), segctl_text_of(doc, "from"), segctl_text_of(doc, "from-title"));
	print_named(_("to"), segctl_text_of(doc, "to"), segctl_text_of(doc, "to-title"));
	print_permit(doc);
	if (json_is_true(json_object_get(doc, "held")))
		print_line(_("next"),
			   _("segctl status shows what the zone holds; it is let go when it holds less"));
	else if (json_is_true(json_object_get(doc, "forwarding-off")))
		print_line(_("next"), _("turn forwarding on, with sysctl and in a file of /etc/sysctl.d"));
	if (*segctl_text_of(doc, "barred"))
		print_barred(segctl_text_of(doc, "barred"));
	else if (!is_permit(doc))
		print_next(doc);
}

static int show(const struct segctl *ctl, json_t *doc)
{
	int status = is_permit(doc) ? SEGCTL_YES : SEGCTL_NO;

	if (ctl->json) {
		json_object_del(doc, "sentences");
		return segctl_json(doc, status);
	}
	print_answer(ctl, doc);
	json_decref(doc);
	return fflush(stdout) == 0 ? status : SEGCTL_REFUSED;
}

/* --- Without the daemon --- */

static int say_unknown(const struct segctl *ctl, const struct seg_policy *policy, const char *word)
{
	struct seg_strbuf shown = {0};
	int status;

	seg_utf8_show(&shown, word, strlen(word));
	if (seg_policy_zone(policy, word))
		status = segctl_fail(ctl, SEGCTL_NO, "not-found",
				     _("%s is a zone; a packet goes from one address or host to another"),
				     seg_strbuf_text(&shown));
	else
		status =
			segctl_fail(ctl, SEGCTL_NO, "not-found",
				    _("%s is no address and no host of the policy"), seg_strbuf_text(&shown));
	seg_strbuf_fini(&shown);
	return status;
}

static int explain_offline(const struct segctl *ctl, const char *file, const struct seg_query *query)
{
	struct seg_strbuf problem = {0};
	const char *unknown;
	json_t *doc;
	struct seg_verdict verdict;
	struct seg_asked asked;
	struct offline offline;
	int status = offline_open(ctl, file, &offline);

	if (status != SEGCTL_YES)
		goto out;
	unknown = seg_answer_unknown(offline.policy, query);
	if (unknown) {
		status = say_unknown(ctl, offline.policy, unknown);
		goto out;
	}
	if (!seg_answer_ask(offline.policy, query, time(NULL), &asked, &problem)) {
		status = segctl_usage(ctl, &command_explain, "%s", seg_strbuf_text(&problem));
		goto out;
	}
	verdict = seg_classify(offline.policy, &offline.gateway, &asked.packet, asked.at);
	doc = seg_answer_explain(offline.policy, &asked.packet, &verdict, asked.at);
	seg_answer_put_hosts(doc, &asked);
	if (!offline.policy->has_gateway)
		seg_answer_put_gateway(doc, offline.policy, &asked, &verdict);
	status = show(ctl, doc);
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
	struct seg_strbuf problem = {0};
	struct seg_asked asked;
	json_t *parameters, *doc = NULL;
	int status;

	/* The daemon has the policy; a slip in a word shows without. */
	if (!seg_answer_ask(NULL, query, time(NULL), &asked, &problem)) {
		status = segctl_usage(ctl, &command_explain, "%s", seg_strbuf_text(&problem));
		seg_strbuf_fini(&problem);
		return status;
	}
	parameters = json_object();
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
	const char *file = NULL, *operand[3];
	struct seg_query query = {0};
	const struct segctl_option options[] = {{"policy", &file, NULL},
						{"in", &query.in, NULL},
						{"mac", &query.mac, NULL},
						{"at", &query.at, NULL},
						{0}};

	if (segctl_options(ctl, &command_explain, argc, argv, options, operand, 3, 3) < 0)
		return SEGCTL_USAGE;
	query.src = operand[0];
	query.dst = operand[1];
	query.proto = operand[2];
	return file ? explain_offline(ctl, file, &query) : explain_daemon(ctl, &query);
}

const struct command command_explain = {
	.name = "explain",
	.arguments = "[--policy FILE] [--in IFACE] [--mac MAC] [--at TIME] SRC DST PROTO[/PORT]",
	.alone = "explain --policy FILE SRC DST PROTO[/PORT]",
	.run = run,
	.summary = N_("would this packet pass; if not, what the nearest permit lacks"),
	.details = N_("  SRC, DST       addresses, or hosts of the policy: their first address\n"
		      "  --policy FILE  ask this file, not the daemon\n"
		      "  --in IFACE     it comes in here; else by the interface of its source's zone\n"
		      "  --mac MAC      from this card; by default that of a host that SRC names\n"
		      "  --at TIME      then, not now: 2026-11-24T10:00 (the policy's time zone)\n"
		      "\n"
		      "  segctl explain --policy policy.yaml 10.2.1.9 10.4.0.4 tcp/443\n"
		      "  segctl explain 10.2.1.9 10.4.0.4 icmp/8\n"
		      "  segctl explain chukan-if asp-eltax tcp/443\n"
		      "\n"
		      "Exit status 0: it would pass; 1: it would not.\n"),
};
