// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "base/utf8.h"

void seg_diags_init(struct seg_diags *diags)
{
	*diags = (struct seg_diags){.arena = seg_arena_new()};
	diags->tail = &diags->first;
}

void seg_diags_fini(struct seg_diags *diags)
{
	seg_arena_free(diags->arena);
	*diags = (struct seg_diags){0};
}

static const char *next_break(const char *at, const char *end)
{
	return at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
}

const struct seg_source *seg_source_new(struct seg_diags *diags, const char *name, const char *text,
					size_t len)
{
	struct seg_source *source = SEG_NEW(diags->arena, struct seg_source);
	const char *end = text + len, *at;
	size_t *line, n = 0;

	source->name = seg_arena_strdup(diags->arena, name);
	source->text = seg_arena_strndup(diags->arena, text, len);
	source->len = len;
	source->order = diags->sources++;
	source->lines = 1;
	for (at = text; (at = next_break(at, end)) != NULL; at++)
		source->lines++;
	line = SEG_NEW_N(diags->arena, size_t, source->lines);
	/* A byte order mark is no part of the first line: it would shift its columns. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		line[0] = 3;
	for (at = text; (at = next_break(at, end)) != NULL; at++)
		line[++n] = (size_t)(at - text) + 1;
	source->line = line;
	return source;
}

/* Where a line's text ends, without its line break. */
static size_t line_end(const struct seg_source *source, size_t line)
{
	size_t end = line + 1 < source->lines ? source->line[line + 1] - 1 : source->len;

	return end > source->line[line] && source->text[end - 1] == '\r' ? end - 1 : end;
}

/* Which line a place is on, and the bytes of it that are its. */
struct span {
	size_t line, begin, start, end;
};

static struct span span_of(const struct seg_place *place)
{
	const struct seg_source *source = place->source;
	struct span span = {.start = place->start, .end = place->end};
	size_t hi = source->lines, stop;

	while (hi - span.line > 1) {
		size_t middle = span.line + (hi - span.line) / 2;

		if (source->line[middle] <= span.start)
			span.line = middle;
		else
			hi = middle;
	}
	span.begin = source->line[span.line];
	if (span.start < span.begin)
		span.start = span.begin;
	stop = line_end(source, span.line);
	if (span.end > stop)
		span.end = stop;
	if (span.end < span.start)
		span.end = span.start;
	return span;
}

struct seg_place seg_source_place(const struct seg_source *source, size_t start, size_t end)
{
	if (start > source->len)
		start = source->len;
	if (end > source->len)
		end = source->len;
	return (struct seg_place){.source = source, .start = (uint32_t)start, .end = (uint32_t)end};
}

/* Byte offset of a column (from 1) in a line of text. */
static size_t offset_of(const char *line, size_t len, unsigned column)
{
	size_t at = 0;

	while (--column > 0 && at < len) {
		uint32_t code;
		size_t size = seg_utf8_decode(line + at, len - at, &code);

		at += size ? size : 1;
	}
	return at;
}

struct seg_place seg_source_position(const struct seg_source *source, unsigned line, unsigned column)
{
	size_t begin = source->line[line - 1], len = line_end(source, line - 1) - begin;
	size_t start = begin + offset_of(source->text + begin, len, column);

	return seg_source_place(source, start, start + 1);
}

struct seg_position seg_place_position(const struct seg_place *place)
{
	struct seg_position position = {0};
	const char *text;
	struct span span;

	if (!place->source)
		return position;
	span = span_of(place);
	text = place->source->text;
	position.line = (unsigned)span.line + 1;
	position.column = (unsigned)seg_utf8_count(text + span.begin, span.start - span.begin) + 1;
	position.end_column = position.column + (unsigned)seg_utf8_count(text + span.start, span.end - span.start);
	/* A caret needs something to stand under, even behind the end of a line. */
	if (position.end_column == position.column)
		position.end_column++;
	return position;
}

/* Messages quote the file: nothing in them may steer a terminal or break JSON. */
static const char *format_text(struct seg_arena *arena, const char *format, va_list args)
{
	struct seg_strbuf safe = {0};
	char *raw = NULL;
	const char *text = "";
	int len = vasprintf(&raw, format, args);

	if (len >= 0) {
		seg_utf8_show(&safe, raw, (size_t)len);
		text = seg_arena_strdup(arena, seg_strbuf_text(&safe));
		free(raw);
	}
	seg_strbuf_fini(&safe);
	return text;
}

static struct seg_diag *add(struct seg_diags *diags, enum seg_diag_code code, bool warning,
			    struct seg_place place, const char *format, va_list args)
{
	size_t *count = warning ? &diags->warnings : &diags->errors;
	struct seg_diag *diag;

	if (++*count > (warning ? SEG_DIAG_MAX_WARNINGS : SEG_DIAG_MAX))
		return NULL;
	diag = SEG_NEW(diags->arena, struct seg_diag);
	diag->code = code;
	diag->warning = warning;
	diag->place = place;
	diag->message = format_text(diags->arena, format, args);
	*diags->tail = diag;
	diags->tail = &diag->next;
	return diag;
}

struct seg_diag *seg_error(struct seg_diags *diags, enum seg_diag_code code, struct seg_place place,
			   const char *format, ...)
{
	struct seg_diag *diag;
	va_list args;

	va_start(args, format);
	diag = add(diags, code, false, place, format, args);
	va_end(args);
	return diag;
}

struct seg_diag *seg_warning(struct seg_diags *diags, enum seg_diag_code code, struct seg_place place,
			     const char *format, ...)
{
	struct seg_diag *diag;
	va_list args;

	va_start(args, format);
	diag = add(diags, code, true, place, format, args);
	va_end(args);
	return diag;
}

void seg_diag_hint(struct seg_diags *diags, struct seg_diag *diag, const char *format, ...)
{
	va_list args;

	if (!diag)
		return;
	va_start(args, format);
	diag->hint = format_text(diags->arena, format, args);
	va_end(args);
}

void seg_diag_relate(struct seg_diags *diags, struct seg_diag *diag, struct seg_place place,
		     const char *format, ...)
{
	struct seg_diag_related *related, **tail;
	va_list args;

	if (!diag)
		return;
	related = SEG_NEW(diags->arena, struct seg_diag_related);
	related->place = place;
	va_start(args, format);
	related->message = format_text(diags->arena, format, args);
	va_end(args);
	for (tail = &diag->related; *tail; tail = &(*tail)->next)
		;
	*tail = related;
}

const char *seg_diag_code_name(enum seg_diag_code code)
{
	static const char *const name[] = {
		[SEG_SYNTAX] = "syntax",
		[SEG_UNKNOWN_KEY] = "unknown-key",
		[SEG_MISSING] = "missing",
		[SEG_DUPLICATE] = "duplicate",
		[SEG_TYPE] = "type",
		[SEG_RANGE] = "range",
		[SEG_UNKNOWN_NAME] = "unknown-name",
		[SEG_G1] = "G1",
		[SEG_G2] = "G2",
		[SEG_G3] = "G3",
		[SEG_G4] = "G4",
		[SEG_G5] = "G5",
		[SEG_G6] = "G6",
		[SEG_G7] = "G7",
		[SEG_G8] = "G8",
		[SEG_G9] = "G9",
		[SEG_G10] = "G10",
		[SEG_UNSUPPORTED] = "unsupported",
		[SEG_KERNEL] = "kernel",
		[SEG_SHADOWED] = "shadowed",
		[SEG_UNUSED] = "unused",
		[SEG_ENDS_SOON] = "ends-soon",
		[SEG_REVIEW_DUE] = "review-due",
	};

	return name[code];
}

static bool precedes(const struct seg_diag *a, const struct seg_diag *b)
{
	if (a->warning != b->warning)
		return b->warning;
	if (a->place.source != b->place.source)
		return a->place.source &&
		       (!b->place.source || a->place.source->order < b->place.source->order);
	return a->place.start < b->place.start;
}

void seg_diags_sort(struct seg_diags *diags)
{
	struct seg_diag *rest = diags->first, *next;

	/* By insertion: their number is bounded. */
	diags->first = NULL;
	diags->tail = &diags->first;
	for (; rest; rest = next) {
		struct seg_diag **at = &diags->first;

		next = rest->next;
		while (*at && !precedes(rest, *at))
			at = &(*at)->next;
		rest->next = *at;
		*at = rest;
		if (!rest->next)
			diags->tail = &rest->next;
	}
}

#define WIDE_LINE 110 /* cells of a source line that are shown at most */
#define CONTEXT 30    /* of them before the caret in a longer line */

/* Tabs would move the caret: one cell each. */
static size_t show_source(struct seg_strbuf *out, const char *text, size_t len)
{
	size_t cells = 0, at = 0;

	while (at < len) {
		const char *tab = memchr(text + at, '\t', len - at);
		size_t end = tab ? (size_t)(tab - text) : len;

		cells += seg_utf8_show(out, text + at, end - at);
		at = end;
		if (tab) {
			seg_strbuf_addc(out, ' ');
			cells++;
			at++;
		}
	}
	return cells;
}

/* Bytes of text from `at` that fill no more than so many cells. */
static size_t fitting(const char *text, size_t len, size_t cells)
{
	size_t at = 0;

	while (at < len) {
		uint32_t code = 0;
		size_t size = seg_utf8_decode(text + at, len - at, &code);
		size_t width = size && !seg_utf8_is_control(code) ? seg_utf8_cells(code) : 4;

		if (width > cells)
			break;
		cells -= width;
		at += size ? size : 1;
	}
	return at;
}

struct colours {
	const char *bold, *error, *warning, *note, *mark, *off;
};

/* The source line, shortened around the place where it is long, and carets below. */
static void render_line(struct seg_strbuf *out, const struct seg_source *source, struct seg_position at,
			const struct colours *c)
{
	const char *line = source->text + source->line[at.line - 1];
	size_t len = line_end(source, at.line - 1) - source->line[at.line - 1];
	size_t start = offset_of(line, len, at.column), end = offset_of(line, len, at.end_column);
	size_t from = 0, until = fitting(line, len, WIDE_LINE), before, carets;

	if (until < len && end > fitting(line, len, WIDE_LINE - CONTEXT)) {
		from = offset_of(line, len, at.column > CONTEXT ? at.column - CONTEXT : 1);
		until = from + fitting(line + from, len - from, WIDE_LINE);
		/* Escapes take four cells each: then there is no room for context. */
		if (until < end && until < start + CONTEXT) {
			from = start;
			until = from + fitting(line + from, len - from, WIDE_LINE);
		}
	}
	if (end > until)
		end = until;
	seg_strbuf_printf(out, "%6u | %s", at.line, from ? "..." : "");
	before = (from ? 3 : 0) + show_source(out, line + from, start - from);
	seg_strbuf_add(out, c->mark);
	carets = show_source(out, line + start, end - start);
	seg_strbuf_add(out, c->off);
	show_source(out, line + end, until - end);
	seg_strbuf_printf(out, "%s\n       | %*s%s", until < len ? "..." : "", (int)before, "", c->mark);
	do
		seg_strbuf_addc(out, '^');
	while (carets-- > 1);
	seg_strbuf_printf(out, "%s\n", c->off);
}

static void render_one(struct seg_strbuf *out, const struct seg_place *place, const char *colour,
		       const char *kind, const char *message, const struct colours *c)
{
	const struct seg_position at = seg_place_position(place);

	if (place->source) {
		seg_strbuf_add(out, c->bold);
		seg_utf8_show(out, place->source->name, strlen(place->source->name));
		seg_strbuf_printf(out, ":%u:%u: %s", at.line, at.column, c->off);
	}
	seg_strbuf_printf(out, "%s%s: %s", colour, kind, c->off);
	seg_strbuf_printf(out, "%s\n", message);
	if (place->source)
		render_line(out, place->source, at, c);
}

void seg_diags_render(const struct seg_diags *diags, bool colour, struct seg_strbuf *out)
{
	static const struct colours plain = {"", "", "", "", "", ""};
	static const struct colours vivid = {"\033[1m",	   "\033[1;31m", "\033[1;35m",
					     "\033[1;36m", "\033[1;32m", "\033[0m"};
	const struct colours *c = colour ? &vivid : &plain;

	for (const struct seg_diag *d = diags->first; d; d = d->next) {
		const char *kind = d->warning ? _("warning") : _("error");
		struct seg_strbuf label = {0};

		seg_strbuf_printf(&label, "%s[%s]", kind, seg_diag_code_name(d->code));
		render_one(out, &d->place, d->warning ? c->warning : c->error, seg_strbuf_text(&label),
			   d->message, c);
		seg_strbuf_fini(&label);
		if (d->hint)
			seg_strbuf_printf(out, "       = %s%s:%s %s\n", c->note, _("hint"), c->off, d->hint);
		for (const struct seg_diag_related *r = d->related; r; r = r->next)
			render_one(out, &r->place, c->note, _("note"), r->message, c);
	}
}

#define NEAREST_MAX 64

/* Edits from a to b: insert, delete, replace, swap two neighbours; more than most counts as most + 1. */
static size_t distance(const char *a, size_t n, const char *b, size_t m, size_t most)
{
	size_t row[3][NEAREST_MAX + 1];

	for (size_t j = 0; j <= m; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *now = row[i % 3], *last = row[(i + 2) % 3], *older = row[(i + 1) % 3], least = i;

		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t d = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < d)
				d = last[j] + 1;
			if (now[j - 1] + 1 < d)
				d = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    older[j - 2] + 1 < d)
				d = older[j - 2] + 1;
			now[j] = d;
			if (d < least)
				least = d;
		}
		if (least > most)
			return most + 1;
	}
	return row[n % 3][m];
}

const char *seg_nearest(const char *word, const char *const *names, size_t n)
{
	size_t len = strlen(word), best;
	const char *nearest = NULL;

	if (len == 0 || len > NEAREST_MAX)
		return NULL;
	best = (len < 3 ? 1 : len / 3) + 1;
	for (size_t i = 0; i < n && best > 1; i++) {
		size_t size = strlen(names[i]), gap = size > len ? size - len : len - size, d;

		if (size > NEAREST_MAX || gap >= best || size < 2)
			continue;
		d = distance(word, len, names[i], size, best - 1);
		if (d < best) {
			best = d;
			nearest = names[i];
		}
	}
	return nearest;
}
