// SPDX-License-Identifier: GPL-2.0-or-later
/* segctl watch: events as they happen, a line each. */
#include "commands.h"

#include <stdio.h>
#include <string.h>
#include "base/i18n.h"
#include "client.h"
#include "flow/alert.h"
#include "options.h"
#include "output.h"

static enum segctl_tone tone_of(const char *event)
{
	static const struct {
		const char *event;
		enum segctl_tone tone;
	} tones[] = {
		{"violation", SEGCTL_BAD},  {"tampered", SEGCTL_BAD},	{"bypass", SEGCTL_BAD},
		{"sealed", SEGCTL_BAD},	    {"denied", SEGCTL_WARN},	{"spoofed", SEGCTL_WARN},
		{"refused", SEGCTL_WARN},   {"isolated", SEGCTL_WARN},	{"applied", SEGCTL_GOOD},
		{"confirmed", SEGCTL_GOOD}, {"flow-begun", SEGCTL_DIM}, {"flow-ended", SEGCTL_DIM},
	};

	for (size_t i = 0; i < sizeof(tones) / sizeof(*tones); i++) {
		if (!strcmp(tones[i].event, event))
			return tones[i].tone;
	}
	return SEGCTL_PLAIN;
}

/* As in the line that goes to syslog: nothing in a value looks like the end of it. */
static void add_field(struct seg_strbuf *line, const char *key, const json_t *value)
{
	if (json_is_string(value)) {
		seg_alert_format_field(key, json_string_value(value), line);
	} else if (json_is_integer(value)) {
		seg_strbuf_printf(line, " %s=%lld", key, (long long)json_integer_value(value));
	} else if (json_is_boolean(value)) {
		seg_strbuf_printf(line, " %s=%s", key, json_is_true(value) ? "true" : "false");
	}
}

static bool show_event(void *context, const json_t *event)
{
	const struct segctl *ctl = context;
	const char *name = segctl_text_of(event, "event"), *key;
	enum segctl_tone tone = tone_of(name);
	struct seg_strbuf line = {0};
	json_t *value;
	bool good;

	if (ctl->json)
		return segctl_line(event);
	seg_strbuf_printf(&line, "%s %s%s%s", segctl_text_of(event, "at"), segctl_tone_begin(ctl, tone), name,
			  segctl_tone_end(ctl, tone));
	json_object_foreach((json_t *)event, key, value)
	{
		if (strcmp(key, "event") && strcmp(key, "at") && strcmp(key, "site"))
			add_field(&line, key, value);
	}
	puts(seg_strbuf_text(&line));
	good = !fflush(stdout);
	seg_strbuf_fini(&line);
	return good;
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	bool violations = false, denials = false, flows = false;
	const struct segctl_option options[] = {
		{"violations", NULL, &violations}, {"denials", NULL, &denials}, {"flows", NULL, &flows}, {0}};

	if (segctl_options(ctl, &command_watch, argc, argv, options, NULL, 0, 0) < 0)
		return SEGCTL_USAGE;
	return segctl_stream(
		ctl, "Watch",
		json_pack("{s:b, s:b, s:b}", "violations", violations, "denials", denials, "flows", flows),
		show_event, (void *)ctl);
}

const struct command command_watch = {
	.name = "watch",
	.arguments = "[--violations] [--denials] [--flows]",
	.run = run,
	.summary = N_("events as they happen"),
	.details = N_("  --violations, --denials, --flows  only these; several may be given\n"
		      "\n"
		      "Until Ctrl-C.\n"),
};
