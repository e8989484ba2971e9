// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/sentence.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/strbuf.h"
#include "base/utf8.h"

/* A value may quote a file or a packet: what is not UTF-8 is shown, not passed on. */
static json_t *text_json(const char *text)
{
	struct seg_strbuf shown = {0};
	json_t *json = json_string(text);

	if (!json) {
		seg_utf8_show(&shown, text, strlen(text));
		json = json_string(seg_strbuf_text(&shown));
		seg_strbuf_fini(&shown);
	}
	return json;
}

/* Of %lld behind its percent sign: its letter, and how many l, or z, stand before. */
static char conversion(const char **at, unsigned *longs, bool *size)
{
	*longs = 0;
	*size = false;
	for (;; ++*at) {
		if (**at == 'l')
			++*longs;
		else if (**at == 'z')
			*size = true;
		else
			break;
	}
	return **at ? *(*at)++ : '\0';
}

/* The next value as a text; false: a conversion that is not one of ours. */
static bool add_value(json_t *values, const char **at, va_list *args)
{
	char letter, number[32];
	unsigned longs;
	bool size;

	letter = conversion(at, &longs, &size);
	if (letter == '%')
		return true;
	if (letter == 's') {
		json_array_append_new(values, text_json(va_arg(*args, const char *)));
		return true;
	}
	if (letter != 'd' && letter != 'u')
		return false;
	if (size)
		snprintf(number, sizeof(number), "%zu", va_arg(*args, size_t));
	else if (longs == 2)
		snprintf(number, sizeof(number), letter == 'd' ? "%lld" : "%llu", va_arg(*args, long long));
	else if (longs == 1)
		snprintf(number, sizeof(number), letter == 'd' ? "%ld" : "%lu", va_arg(*args, long));
	else
		snprintf(number, sizeof(number), letter == 'd' ? "%d" : "%u", va_arg(*args, int));
	json_array_append_new(values, json_string(number));
	return true;
}

/* A sentence that stays as it is in every language. */
static json_t *finished(const char *format, va_list args)
{
	json_t *sentence;
	char *text;

	if (vasprintf(&text, format, args) < 0)
		abort();
	sentence = json_pack("{s:s, s:[o]}", "format", "%s", "values", text_json(text));
	free(text);
	return sentence;
}

json_t *seg_sentence_vnew(const char *format, va_list args)
{
	json_t *values = json_array();
	bool known = true;
	va_list rest;

	va_copy(rest, args);
	for (const char *at = format; known && (at = strchr(at, '%'));) {
		at++;
		known = add_value(values, &at, &rest);
	}
	va_end(rest);
	if (known)
		return json_pack("{s:s, s:o}", "format", format, "values", values);
	json_decref(values);
	return finished(format, args);
}

json_t *seg_sentence_new(const char *format, ...)
{
	json_t *sentence;
	va_list args;

	va_start(args, format);
	sentence = seg_sentence_vnew(format, args);
	va_end(args);
	return sentence;
}

/* "2$" of %2$s: 2; 0 and nothing taken where the next value is meant. */
static size_t position(const char **at)
{
	const char *end = *at;
	size_t value = 0;

	for (; isdigit((unsigned char)*end); end++)
		value = value < 1000 ? value * 10 + (size_t)(*end - '0') : value;
	if (end == *at || *end != '$')
		return 0;
	*at = end + 1;
	return value;
}

static char *fill(const char *format, const json_t *sentence)
{
	const json_t *values = json_object_get(sentence, "values");
	struct seg_strbuf out = {0};
	size_t next = 1;

	seg_strbuf_add(&out, "");
	for (const char *at = format; *at;) {
		size_t plain = strcspn(at, "%"), which;
		const char *value;
		unsigned longs;
		bool size;

		seg_strbuf_add_n(&out, at, plain);
		at += plain;
		if (!*at)
			break;
		at++;
		which = position(&at);
		if (!*at)
			break;
		if (conversion(&at, &longs, &size) == '%') {
			seg_strbuf_addc(&out, '%');
			continue;
		}
		value = json_string_value(json_array_get(values, (which ? which : next++) - 1));
		seg_strbuf_add(&out, value ? value : "?");
	}
	return seg_strbuf_take(&out);
}

char *seg_sentence_text(const json_t *sentence)
{
	const char *format = json_string_value(json_object_get(sentence, "format"));

	if (!format)
		return NULL;
	return fill(*format ? _(format) : "", sentence);
}

const json_t *seg_sentences_find(const json_t *sentences, const char *english)
{
	const json_t *sentence;
	size_t i;

	json_array_foreach((json_t *)sentences, i, sentence)
	{
		const char *format = json_string_value(json_object_get(sentence, "format"));
		char *text = format ? fill(format, sentence) : NULL;
		bool found = text && !strcmp(text, english);

		free(text);
		if (found)
			return sentence;
	}
	return NULL;
}

char *seg_sentences_text(const json_t *sentences)
{
	struct seg_strbuf out = {0};
	const json_t *sentence;
	size_t i;

	seg_strbuf_add(&out, "");
	json_array_foreach((json_t *)sentences, i, sentence)
	{
		char *text = seg_sentence_text(sentence);

		/* TRANSLATORS: stands between two sentences, each of which says what failed */
		seg_strbuf_add(&out, i ? _("; ") : "");
		seg_strbuf_add(&out, text ? text : "?");
		free(text);
	}
	return seg_strbuf_take(&out);
}
