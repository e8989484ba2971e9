// SPDX-License-Identifier: GPL-2.0-or-later
#include "incidents.h"

#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"

static const char *const events[] = {
	N_("isolated"), N_("released"), N_("stage"),   N_("tampered"),	  N_("restored"), N_("state-lost"),
	N_("bypass"),	N_("started"),	N_("stopped"), N_("events-lost"), N_("expired"),
};

static const char *event_word(const char *event)
{
	/* Not the states that they lead to. */
	if (!strcmp(event, "sealed"))
		return C_("event", "sealed");
	if (!strcmp(event, "disarmed"))
		return C_("event", "disarmed");
	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
		if (!strcmp(events[i], event))
			return _(events[i]);
	return event;
}

/* Who or what it was about. */
static void add_subject(struct segctl_table *table, const json_t *one)
{
	static const char *const key[] = {"target", "stage", "permit", "process", "state"};

	for (size_t i = 0; i < sizeof(key) / sizeof(*key); i++) {
		const char *subject = segctl_text_of(one, key[i]);

		if (*subject) {
			segctl_table_add(table, strcmp(key[i], "state") ? subject : segctl_word(subject));
			return;
		}
	}
	segctl_table_add(table, "-");
}

/* What people say to an emergency action stays as it is; the daemon's own words do not. */
static void add_words(struct seg_strbuf *text, const json_t *one)
{
	static const char *const by_people[] = {"isolated", "released", "stage"};
	const char *reason = segctl_text_of(one, "reason");
	bool own = *reason;
	char *said;

	for (size_t i = 0; i < sizeof(by_people) / sizeof(*by_people); i++)
		own = own && strcmp(segctl_text_of(one, "event"), by_people[i]);
	said = own ? segctl_said(one, reason) : NULL;
	seg_strbuf_add(text, said ? said : *reason ? segctl_remark(reason) : "-");
	free(said);
}

/* An isolation that was there already: what its end and reason were. */
static void add_reason(struct segctl_table *table, const json_t *one)
{
	const char *reason = segctl_text_of(one, "reason"), *before = segctl_text_of(one, "before-reason"),
		   *until = segctl_text_of(one, "before-until");
	bool shortened = !strcmp(segctl_text_of(one, "action"), "shortened");
	struct seg_strbuf text = {0};

	if (!*before)
		add_words(&text, one);
	else if (shortened && *until)
		seg_strbuf_printf(&text, _("%s (shortened: was until %s, %s)"), reason, until, before);
	else if (shortened)
		seg_strbuf_printf(&text, _("%s (shortened: was until released, %s)"), reason, before);
	else if (*until)
		seg_strbuf_printf(&text, _("%s (was until %s, %s)"), reason, until, before);
	else
		seg_strbuf_printf(&text, _("%s (was until released, %s)"), reason, before);
	segctl_table_add_strbuf(table, &text);
	seg_strbuf_fini(&text);
}

static void add_row(struct segctl_table *table, const json_t *one)
{
	segctl_table_add_time(table, one, "at");
	segctl_table_add(table, event_word(segctl_text_of(one, "event")));
	add_subject(table, one);
	segctl_table_add_number(table, one, "uid");
	add_reason(table, one);
}

void segctl_incidents(const struct segctl *ctl, const json_t *list, bool whole)
{
	static const struct segctl_column columns[] = {
		{.heading = N_("AT")},
		{.heading = N_("EVENT")},
		{.heading = N_("WHAT"), .least = 16},
		{.heading = N_(">UID"), .spared = 1},
		{.heading = N_("REASON"), .least = 24},
	};
	struct segctl_table table;

	segctl_table_init(&table, ctl, columns, sizeof(columns) / sizeof(*columns));
	table.whole = whole;
	segctl_table_show(&table, list, add_row, NULL);
}
