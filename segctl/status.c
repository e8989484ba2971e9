// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl status: what is in force, and whether anything endangers it. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "client.h"
#include "options.h"
#include "table.h"

#define STATUS_LISTED 10 /* permits that end soon, before "and more" */

static const struct {
	const char *name, *text;
	enum segctl_tone tone;
} states[] = {
	{"enforcing", N_("enforcing"), SEGCTL_GOOD},
	{"observing", N_("observing: nothing is dropped"), SEGCTL_WARN},
	{"sealed", N_("sealed: nothing passes between zones"), SEGCTL_BAD},
	{"disarmed", N_("disarmed: nothing is separated"), SEGCTL_BAD},
};

static void row(struct segctl_table *table, const char *name, const char *text, enum segctl_tone tone)
{
	segctl_table_add_tone(table, name, SEGCTL_DIM);
	segctl_table_add_tone(table, text, tone);
}

/* A text of the daemon's, in the reader's language. */
static void row_said(struct segctl_table *table, const char *name, const json_t *answer, const char *text,
		     enum segctl_tone tone)
{
	char *said = segctl_said(answer, text);

	row(table, name, said, tone);
	free(said);
}

/* Takes the text out of buf. */
static void row_buf(struct segctl_table *table, const char *name, struct seg_strbuf *buf,
		    enum segctl_tone tone)
{
	row(table, name, seg_strbuf_text(buf), tone);
	seg_strbuf_reset(buf);
}

static void show_state(struct segctl_table *table, const json_t *answer)
{
	const char *state = segctl_text_of(answer, "state");

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (!strcmp(states[i].name, state))
			row(table, _("state"), _(states[i].text), states[i].tone);
	}
	if (*segctl_text_of(answer, "reason"))
		row_said(table, _("because"), answer, segctl_text_of(answer, "reason"), SEGCTL_WARN);
	if (*segctl_text_of(answer, "site"))
		row(table, _("site"), segctl_text_of(answer, "site"), SEGCTL_PLAIN);
}

static void show_policy(struct segctl_table *table, const json_t *policy, struct seg_strbuf *buf)
{
	bool stored = json_is_integer(json_object_get(policy, "version"));
	char zones[SEGCTL_COUNT_STRLEN], permits[SEGCTL_COUNT_STRLEN];

	if (!*segctl_text_of(policy, "hash")) {
		row(table, _("policy"), _("none in force"), SEGCTL_BAD);
		return;
	}
	segctl_zones(segctl_number_of(policy, "zones"), zones);
	segctl_permits(segctl_number_of(policy, "permits"), permits);
	if (stored)
		seg_strbuf_printf(buf, _("version %lld (%.12s), %s, %s, since %s"),
				  segctl_number_of(policy, "version"), segctl_text_of(policy, "hash"), zones,
				  permits, segctl_text_of(policy, "since"));
	else /* in force from the file at a start, while the state directory was full or away */
		seg_strbuf_printf(
			buf, _("without a version, for it could not be stored (%.12s), %s, %s, since %s"),
			segctl_text_of(policy, "hash"), zones, permits, segctl_text_of(policy, "since"));
	row_buf(table, _("policy"), buf, stored ? SEGCTL_PLAIN : SEGCTL_WARN);
	row(table, _("file"), segctl_text_of(policy, "file"), SEGCTL_PLAIN);
	if (*segctl_text_of(policy, "confirm-until")) {
		if (segctl_number_of(policy, "back-to"))
			seg_strbuf_printf(
				buf, _("goes back to version %lld at %s unless `segctl confirm` comes"),
				segctl_number_of(policy, "back-to"), segctl_text_of(policy, "confirm-until"));
		else
			seg_strbuf_printf(buf, _("goes out of force at %s unless `segctl confirm` comes"),
					  segctl_text_of(policy, "confirm-until"));
		row_buf(table, _("unconfirmed"), buf, SEGCTL_WARN);
	}
	if (*segctl_text_of(policy, "stage"))
		row(table, _("stage"), segctl_text_of(policy, "stage"), SEGCTL_WARN);
}

static void show_table(struct segctl_table *table, const json_t *answer)
{
	const json_t *kernel = json_object_get(answer, "table");
	bool owner = json_is_true(json_object_get(kernel, "owner"));
	bool persist = json_is_true(json_object_get(kernel, "persist"));

	if (!strcmp(segctl_text_of(answer, "state"), "disarmed"))
		row(table, _("table"), _("none in the kernel; `segctl apply` puts it back"), SEGCTL_BAD);
	else if (owner && persist)
		row(table, _("table"), _("owned: nobody else can change it, and it stays when segd ends"),
		    SEGCTL_GOOD);
	else if (owner)
		row(table, _("table"), _("owned: nobody else can change it"), SEGCTL_GOOD);
	else
		row(table, _("table"),
		    _("not owned on this kernel: changes by others are undone and reported"), SEGCTL_WARN);
}

/* What is worth a line only where there is something of it. */
static void row_count(struct segctl_table *table, const char *name, const char *format, long long count,
		      enum segctl_tone tone)
{
	struct seg_strbuf buf = {0};

	if (!count)
		return;
	seg_strbuf_printf(&buf, format, count);
	row_buf(table, name, &buf, tone);
	seg_strbuf_fini(&buf);
}

static void show_tampering(struct segctl_table *table, const json_t *kernel, struct seg_strbuf *buf)
{
	long long tampered = segctl_number_of(kernel, "tampered");

	if (!tampered)
		return;
	seg_strbuf_printf(buf,
			  ngettext("changed by others %lld time, put back: %lld",
				   "changed by others %lld times, put back: %lld", (unsigned long)tampered),
			  tampered, segctl_number_of(kernel, "restored"));
	row_buf(table, _("tampered"), buf, SEGCTL_BAD);
}

static void show_watch(struct segctl_table *table, const json_t *answer, struct seg_strbuf *buf)
{
	const json_t *events = json_object_get(answer, "events"),
		     *fill = json_object_get(answer, "conntrack");
	long long count = segctl_number_of(fill, "count"), max = segctl_number_of(fill, "max");
	long long resyncs = segctl_number_of(events, "resyncs"),
		  filtered = segctl_number_of(events, "filtered");

	seg_strbuf_printf(buf,
			  ngettext("%lld received, %lld lost, %lld resync",
				   "%lld received, %lld lost, %lld resyncs", (unsigned long)resyncs),
			  segctl_number_of(events, "received"), segctl_number_of(events, "lost"), resyncs);
	row_buf(table, _("events"), buf, segctl_number_of(events, "lost") ? SEGCTL_WARN : SEGCTL_PLAIN);
	row_count(table, "",
		  ngettext("%lld flow inside zones, filtered in the kernel",
			   "%lld flows inside zones, filtered in the kernel", (unsigned long)filtered),
		  filtered, SEGCTL_PLAIN);
	row_count(table, "", _("%lld could not be read"), segctl_number_of(events, "unreadable"), SEGCTL_WARN);
	seg_strbuf_printf(buf, _("%lld of %lld entries (%lld %%)"), count, max, max ? count * 100 / max : 0);
	row_buf(table, _("conntrack"), buf, max && count * 100 / max >= 80 ? SEGCTL_BAD : SEGCTL_PLAIN);
	seg_strbuf_printf(buf, "%lld", segctl_number_of(answer, "denied"));
	row_buf(table, _("denied"), buf, SEGCTL_PLAIN);
	row_count(table, "", _("%lld could not be read"), segctl_number_of(answer, "denied-unreadable"), SEGCTL_WARN);
	seg_strbuf_printf(buf, "%lld", segctl_number_of(answer, "violations"));
	row_buf(table, _("violations"), buf,
		segctl_number_of(answer, "violations") ? SEGCTL_BAD : SEGCTL_PLAIN);
}

/* Alerts that are not where they should be, and clients that were sent away. */
static void show_delivery(struct segctl_table *table, const json_t *answer, struct seg_strbuf *buf)
{
	const json_t *clients = json_object_get(answer, "clients"), *one;
	size_t i;

	json_array_foreach(json_object_get(answer, "sinks"), i, one)
	{
		long long dropped = segctl_number_of(one, "dropped"), pending = segctl_number_of(one, "pending");

		if (!dropped && !pending)
			continue;
		seg_strbuf_printf(buf,
				  ngettext("%s: %lld line waits, %lld dropped",
					   "%s: %lld lines wait, %lld dropped", (unsigned long)pending),
				  segctl_text_of(one, "sink"), pending, dropped);
		row_buf(table, _("alerts"), buf, dropped ? SEGCTL_BAD : SEGCTL_WARN);
	}
	if (!segctl_number_of(clients, "refused") && !segctl_number_of(clients, "dropped"))
		return;
	seg_strbuf_printf(buf, _("%lld refused as too many, %lld dropped as silent or not reading"),
			  segctl_number_of(clients, "refused"), segctl_number_of(clients, "dropped"));
	row_buf(table, _("clients"), buf, SEGCTL_WARN);
}

static void show_lists(struct segctl_table *table, const json_t *answer, struct seg_strbuf *buf)
{
	const json_t *ending = json_object_get(answer, "ending"), *one;
	size_t i;

	json_array_foreach(json_object_get(answer, "bypass"), i, one)
		row_said(table, _("bypass"), answer, json_string_value(one), SEGCTL_BAD);
	json_array_foreach(json_object_get(answer, "unlooked"), i, one)
		row_said(table, _("unlooked"), answer, json_string_value(one), SEGCTL_WARN);
	json_array_foreach(json_object_get(answer, "unsaved"), i, one)
		row_said(table, _("unsaved"), answer, json_string_value(one), SEGCTL_BAD);
	json_array_foreach(json_object_get(answer, "lost"), i, one)
		row_said(table, _("lost"), answer, json_string_value(one), SEGCTL_BAD);
	json_array_foreach(json_object_get(answer, "forwarding"), i, one)
		row_said(table, _("forwarding"), answer, json_string_value(one), SEGCTL_BAD);
	json_array_foreach(json_object_get(answer, "absent"), i, one)
		row_said(table, _("absent"), answer, json_string_value(one), SEGCTL_WARN);
	json_array_foreach(json_object_get(answer, "gateway"), i, one)
		row_said(table, _("gateway"), answer, json_string_value(one), SEGCTL_WARN);
	json_array_foreach(json_object_get(answer, "isolated"), i, one)
	{
		const char *until = segctl_text_of(one, "until");

		seg_strbuf_printf(buf, "%s  ", segctl_text_of(one, "target"));
		if (*until)
			seg_strbuf_printf(buf, _("until %s"), until);
		else
			seg_strbuf_add(buf, _("until released"));
		seg_strbuf_printf(buf, "  %s", segctl_text_of(one, "reason"));
		row_buf(table, _("isolated"), buf, SEGCTL_WARN);
	}
	json_array_foreach(json_object_get(answer, "limits"), i, one)
	{
		if (!json_is_true(json_object_get(one, "held")))
			continue;
		seg_strbuf_printf(buf,
				  ngettext("%s: %lld flow of at most %lld; nothing new since %s",
					   "%s: %lld flows of at most %lld; nothing new since %s",
					   (unsigned long)segctl_number_of(one, "flows")),
				  segctl_text_of(one, "zone"), segctl_number_of(one, "flows"),
				  segctl_number_of(one, "limit"), segctl_text_of(one, "since"));
		row_buf(table, _("held"), buf, SEGCTL_WARN);
	}
	json_array_foreach(ending, i, one)
	{
		if (i == STATUS_LISTED)
			break;
		seg_strbuf_printf(buf, "%s  %s", segctl_text_of(one, "permit"), segctl_text_of(one, "until"));
		row_buf(table, _("ends soon"), buf, SEGCTL_WARN);
	}
	if (json_array_size(ending) > STATUS_LISTED) {
		seg_strbuf_printf(buf, _("and %zu more; `segctl permits` lists them"),
				  json_array_size(ending) - STATUS_LISTED);
		row_buf(table, "", buf, SEGCTL_PLAIN);
	}
}

static void show(const struct segctl *ctl, const json_t *answer)
{
	struct segctl_table table;
	struct seg_strbuf buf = {0};

	segctl_table_init_headless(&table, ctl);
	show_state(&table, answer);
	show_policy(&table, json_object_get(answer, "policy"), &buf);
	show_table(&table, answer);
	show_tampering(&table, json_object_get(answer, "table"), &buf);
	show_watch(&table, answer, &buf);
	show_delivery(&table, answer, &buf);
	show_lists(&table, answer, &buf);
	seg_strbuf_printf(&buf, _("segd %s, started %s"), segctl_text_of(answer, "version"),
			  segctl_text_of(answer, "started"));
	row_buf(&table, _("daemon"), &buf, SEGCTL_PLAIN);
	segctl_table_print(&table);
	segctl_table_fini(&table);
	seg_strbuf_fini(&buf);
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	if (!segctl_no_options(ctl, &command_status, argc, argv))
		return SEGCTL_USAGE;
	return segctl_call_show(ctl, "Status", NULL, show);
}

const struct command command_status = {
	.name = "status",
	.arguments = "",
	.run = run,
	.summary = N_("what is in force, and whether anything endangers it"),
};
