// SPDX-License-Identifier: GPL-2.0-or-later
#include "english.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/strbuf.h"

#define VALUES 12
#define DEPTH 4		/* sentences within sentences */
#define OWN_WORDS_MIN 7 /* bytes of its own by which a message is known */

/* A text held against a message: its values, pieces of the text, as many as printf takes arguments. */
struct match {
	struct {
		const char *text;
		size_t len;
	} value[VALUES];
	size_t values;
	size_t own; /* bytes that are the message's */
};

static char *translated(const char *text, size_t len, unsigned depth);

/* --- Messages with values --- */

/* Behind a percent sign: steps over one conversion. Returns its letter; *star: the precision is an argument. */
static char step_over(const char **at, bool *star)
{
	*star = false;
	for (; **at && !isalpha((unsigned char)**at) && **at != '%'; ++*at)
		*star |= **at == '*';
	while (**at == 'l' || **at == 'z')
		++*at;
	return **at ? *(*at)++ : '\0';
}

static bool is_number(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)text[i]) && !(i == 0 && len > 1 && text[i] == '-'))
			return false;
	return len > 0;
}

static const char *find(const char *text, size_t len, const char *what, size_t n)
{
	return n ? memmem(text, len, what, n) : text;
}

/* What the message says between two values, without its doubled percent signs; *format: the conversion behind. */
static void take_words(const char **format, struct seg_strbuf *words)
{
	seg_strbuf_reset(words);
	seg_strbuf_add(words, "");
	while (**format && !(**format == '%' && (*format)[1] != '%')) {
		seg_strbuf_addc(words, **format);
		*format += **format == '%' ? 2 : 1;
	}
}

static bool put_value(struct match *match, const char *text, size_t len, char letter, bool star)
{
	if (match->values + 2 > VALUES || (letter != 's' && !is_number(text, len)))
		return false;
	if (star) /* the length, which translations name by its place */
		match->values++;
	match->value[match->values].text = text;
	match->value[match->values++].len = len;
	return true;
}

static bool matches(const char *format, const char *text, size_t len, struct match *match)
{
	const char *at = text, *end = text + len;
	struct seg_strbuf words = {0};
	bool good;

	*match = (struct match){0};
	take_words(&format, &words);
	good = words.len <= len && memcmp(text, words.text, words.len) == 0;
	at += good ? words.len : 0;
	match->own = words.len;
	while (good && *format) {
		const char *next;
		char letter;
		bool star;

		format++;
		letter = step_over(&format, &star);
		take_words(&format, &words);
		match->own += words.len;
		if (*format)
			next = words.len ? find(at, (size_t)(end - at), words.text, words.len) : NULL;
		else /* the last words end the text */
			next = words.len <= (size_t)(end - at) &&
					       memcmp(end - words.len, seg_strbuf_text(&words), words.len) == 0
				       ? end - words.len
				       : NULL;
		good = next && put_value(match, at, (size_t)(next - at), letter, star);
		at = good ? next + words.len : at;
	}
	good = good && at == end;
	seg_strbuf_fini(&words);
	return good;
}

/* "2$" of %2$s, as in control/sentence.c. */
static size_t place_of(const char *at)
{
	size_t place = 0, digits = strspn(at, "0123456789");

	for (size_t i = 0; i < digits && digits < 3; i++)
		place = place * 10 + (size_t)(at[i] - '0');
	return at[digits] == '$' ? place : 0;
}

static char *fill(const char *format, const struct match *match, unsigned depth)
{
	struct seg_strbuf out = {0}, words = {0};
	size_t next = 0;

	take_words(&format, &words);
	seg_strbuf_add(&out, seg_strbuf_text(&words));
	while (*format) {
		size_t place = place_of(++format);
		char *value;
		bool star;

		step_over(&format, &star);
		next += star && !place;
		place = place ? place - 1 : next++;
		if (place < match->values && match->value[place].text) {
			value = translated(match->value[place].text, match->value[place].len, depth + 1);
			if (value)
				seg_strbuf_add(&out, value);
			else
				seg_strbuf_add_n(&out, match->value[place].text, match->value[place].len);
			free(value);
		}
		take_words(&format, &words);
		seg_strbuf_add(&out, seg_strbuf_text(&words));
	}
	seg_strbuf_fini(&words);
	return seg_strbuf_take(&out);
}

static char *translated_with_values(const char *text, size_t len, unsigned depth)
{
	struct match match, best = {0};
	const char *message = NULL;

	for (size_t i = 0; segctl_messages[i]; i++) {
		if (!matches(segctl_messages[i], text, len, &match) || match.own < OWN_WORDS_MIN ||
		    match.own <= best.own)
			continue;
		best = match;
		message = segctl_messages[i];
	}
	if (!message || _(message) == message)
		return NULL;
	return fill(_(message), &best, depth);
}

/* --- Texts --- */

/* "policy.yaml:3:5: " before a mistake. */
static size_t place_before(const char *text, size_t len)
{
	for (size_t i = 1; i + 5 < len && text[i] != ' '; i++) {
		size_t at = i;

		for (int number = 0; number < 2 && text[at] == ':'; number++) {
			size_t digits = 0;

			for (at++; at < len && isdigit((unsigned char)text[at]); at++)
				digits++;
			if (!digits)
				at = len - 1;
		}
		if (at + 1 < len && at > i && text[at] == ':' && text[at + 1] == ' ')
			return at + 2;
	}
	return 0;
}

/* A word alone may be a name. The system's own messages are in libc's catalogue. */
static char *translated(const char *text, size_t len, unsigned depth)
{
	char *copy, *own, *result = NULL;
	const char *whole;
	size_t before;

	if (depth > DEPTH || !memchr(text, ' ', len))
		return NULL;
	copy = strndup(text, len);
	if (!copy)
		abort();
	whole = _(copy);
	whole = whole == copy ? dgettext("libc", copy) : whole;
	before = place_before(copy, len);
	if (whole != copy) {
		result = strdup(whole);
	} else if (before) {
		own = translated(copy + before, len - before, depth + 1);
		if (own && asprintf(&result, "%.*s%s", (int)before, copy, own) < 0)
			abort();
		free(own);
	} else {
		result = translated_with_values(copy, len, depth);
	}
	free(copy);
	return result;
}

bool segctl_is_english(void)
{
	const char *word = "error";

	return !strcmp(_(word), word);
}

char *segctl_from_english(const char *text)
{
	return segctl_is_english() ? NULL : translated(text, strlen(text), 0);
}

void segctl_values_from_english(json_t *sentence)
{
	json_t *values = json_object_get(sentence, "values");

	for (size_t i = 0; i < json_array_size(values); i++) {
		const char *value = json_string_value(json_array_get(values, i));
		char *own = value ? segctl_from_english(value) : NULL;

		if (own)
			json_array_set_new(values, i, json_string(own));
		free(own);
	}
}

/* --- Mistakes --- */

/* The label of a line of seg_diags_render(), and its translation; the words are catalogued in lib/base/diag.c. */
static const char *const labels[] = {"error", "warning", "hint", "note"};

/* Where a label stands: behind the place, at the beginning, or behind "= "; NULL. Its message is at *message. */
static const char *label_in(const char *line, const char *label, const char **message)
{
	size_t len = strlen(label);

	for (const char *at = strstr(line, label); at; at = strstr(at + 1, label)) {
		const char *behind = at + len;
		bool begins = at == line || (at - line >= 2 && at[-1] == ' ' && (at[-2] == ':' || at[-2] == '='));

		if (*behind == '[')
			behind = strchrnul(behind, ']') + 1;
		if (begins && behind[-1] && strncmp(behind, ": ", 2) == 0) {
			*message = behind + 2;
			return at;
		}
	}
	return NULL;
}

static void add_line(struct seg_strbuf *out, const char *line)
{
	bool source = strchr(line, '|') && strspn(line, " 0123456789") == (size_t)(strchr(line, '|') - line);
	const char *message, *at;

	for (size_t i = 0; !source && i < sizeof(labels) / sizeof(*labels); i++) {
		char *own;

		at = label_in(line, labels[i], &message);
		if (!at)
			continue;
		own = segctl_from_english(message);
		seg_strbuf_add_n(out, line, (size_t)(at - line));
		seg_strbuf_add(out, _(labels[i]));
		at += strlen(labels[i]);
		seg_strbuf_add_n(out, at, (size_t)(message - at));
		seg_strbuf_add(out, own ? own : message);
		free(own);
		return;
	}
	seg_strbuf_add(out, line);
}

char *segctl_mistakes_from_english(const char *text)
{
	struct seg_strbuf out = {0};

	seg_strbuf_add(&out, "");
	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);

		if (!line)
			abort();
		add_line(&out, line);
		free(line);
		text += len;
		if (*text)
			seg_strbuf_addc(&out, *text++);
	}
	return seg_strbuf_take(&out);
}
