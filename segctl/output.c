/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "base/calendar.h"
#include "base/i18n.h"
#include "control/sentence.h"
#include "english.h"
#include "output.h"

#define HALF_A_YEAR (183LL * 86400)

bool segctl_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

size_t segctl_terminal_columns(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

bool segctl_line(const json_t *document)
{
	json_dumpf(document, stdout, JSON_COMPACT);
	putchar('\n');
	return !fflush(stdout);
}

const char *segctl_tone_begin(const struct segctl *ctl, enum segctl_tone tone)
{
	static const char *const code[] = {"", "\033[32m", "\033[33m", "\033[1;31m", "\033[2m", "\033[1m"};

	return ctl->colour ? code[tone] : "";
}

const char *segctl_tone_end(const struct segctl *ctl, enum segctl_tone tone)
{
	return ctl->colour && tone != SEGCTL_PLAIN ? "\033[0m" : "";
}

const char *segctl_text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

long long segctl_number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void segctl_list_of(const json_t *object, const char *key, struct seg_strbuf *out)
{
	const json_t *member = json_object_get(object, key), *item;
	size_t i;

	if (json_is_string(member))
		seg_strbuf_add(out, json_string_value(member));
	json_array_foreach(member, i, item)
		seg_strbuf_printf(out, "%s%s", i ? "," : "", json_string_value(item));
}

const char *segctl_zones(long long n, char buf[static SEGCTL_COUNT_STRLEN])
{
	snprintf(buf, SEGCTL_COUNT_STRLEN, ngettext("%lld zone", "%lld zones", (unsigned long)n), n);
	return buf;
}

const char *segctl_permits(long long n, char buf[static SEGCTL_COUNT_STRLEN])
{
	snprintf(buf, SEGCTL_COUNT_STRLEN, ngettext("%lld permit", "%lld permits", (unsigned long)n), n);
	return buf;
}

/* The word as translators have it; what is not among these stays as it is. */
static const char *in_words(const char *const *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(words[i], word))
			return _(words[i]);
	}
	return word;
}

/* cli.md's */
static const char *const contract_words[] = {
	/* states */
	N_("enforcing"),
	N_("observing"),
	N_("sealed"),
	N_("disarmed"),
	/* reasons */
	N_("no-permit"),
	N_("spoofed"),
	N_("address"),
	N_("port"),
	N_("protocol"),
	N_("mac"),
	N_("hours"),
	N_("dates"),
	N_("direction"),
	N_("isolated"),
	N_("stage"),
	N_("intra"),
	N_("unknown-zone"),
	N_("limit"),
	/* actions */
	N_("cut"),
	N_("observed"),
	N_("held"),
	N_("released"),
	/* findings */
	N_("missing"),
	N_("extra"),
	N_("changed"),
	N_("bypass"),
	N_("unowned"),
	N_("gateway-address"),
	/* permits */
	N_("active"),
	N_("closed"),
	N_("expired"),
	N_("not-yet"),
	N_("stopped"),
	/* classes of permits; lib/ has their names for translators */
	"specific",
	"sanitised",
	"breakout",
	"maintenance",
	"operations",
	"internal",
};

const char *segctl_word(const char *word)
{
	return in_words(contract_words, sizeof(contract_words) / sizeof(*contract_words), word);
}

const char *segctl_remark(const char *remark)
{
	static const char *const remarks[] = {
		N_("start of the daemon"),
		N_("not confirmed in time"),
		N_("not confirmed before the restart"),
		N_("in force at the start of the daemon, and not recorded"),
		N_("rollback"),
		N_("released"),
		N_("over"), /* TRANSLATORS: why an isolation ended: its time is over */
	};

	return in_words(remarks, sizeof(remarks) / sizeof(*remarks), remark);
}

char *segctl_said(const json_t *answer, const char *text)
{
	const json_t *found = seg_sentences_find(json_object_get(answer, "sentences"), text);
	json_t *sentence = json_deep_copy(found);
	char *said;

	segctl_values_from_english(sentence);
	said = sentence ? seg_sentence_text(sentence) : segctl_from_english(text);
	if (!said)
		said = strdup(text);
	if (!said)
		abort();
	json_decref(sentence);
	return said;
}

const char *segctl_size(long long bytes, char buf[static SEGCTL_SIZE_STRLEN])
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t i = 0;

	if (!segctl_terminal()) {
		snprintf(buf, SEGCTL_SIZE_STRLEN, "%lld", bytes);
		return buf;
	}
	for (; value >= 1024 && i + 1 < sizeof(unit) / sizeof(*unit); i++)
		value /= 1024;
	snprintf(buf, SEGCTL_SIZE_STRLEN, i ? "%.1f %s" : "%.0f %s", value, unit[i]);
	return buf;
}

const char *segctl_time_brief(const char *text, char buf[static SEGCTL_BRIEF_STRLEN])
{
	size_t second = strlen("2026-11-24T20:00"), offset = strlen("2026-11-24T20:00:05");
	char here[SEG_TIME_STRLEN];
	time_t at;

	if (strlen(text) <= offset || !seg_time_parse(text, NULL, &at))
		return text;
	if (llabs((long long)(at - time(NULL))) > HALF_A_YEAR)
		snprintf(buf, SEGCTL_BRIEF_STRLEN, "%.10s", text);
	else
		snprintf(buf, SEGCTL_BRIEF_STRLEN, "%.5s %.5s%.8s", text + 5, text + second - 5,
			 strcmp(seg_time_format(at, NULL, here), text) ? text + offset : "");
	return buf;
}

bool segctl_lets_all_pass(const json_t *answer)
{
	const char *state = segctl_text_of(answer, "state");

	return !strcmp(state, "observing") || !strcmp(state, "disarmed");
}

void segctl_say_unenforced(const json_t *answer)
{
	bool disarmed = !strcmp(segctl_text_of(answer, "state"), "disarmed");

	if (!segctl_lets_all_pass(answer))
		return;
	fprintf(stderr, "segctl: %s\n",
		disarmed ? _("the rules are out: this is noted, but NOTHING IS CUT OFF; `segctl apply` puts them back")
			 : _("segd only observes: this is noted, but NOTHING IS CUT OFF; take `observe` out of "
			     "segd.yaml and restart segd"));
}

void segctl_print_stopped(const json_t *answer)
{
	long long flows = segctl_number_of(json_object_get(answer, "revoked"), "flows");

	if (flows)
		printf(_("open flows stopped: %lld\n"), flows);
}

void segctl_endpoint_of(const json_t *object, const char *addr, const char *port, struct seg_strbuf *out)
{
	const char *text = json_string_value(json_object_get(object, addr));
	const json_t *number = json_object_get(object, port);

	if (!text)
		text = "*";
	if (!json_is_integer(number))
		seg_strbuf_add(out, text);
	else
		seg_strbuf_printf(out, strchr(text, ':') ? "[%s]:%lld" : "%s:%lld", text,
				  (long long)json_integer_value(number));
}
