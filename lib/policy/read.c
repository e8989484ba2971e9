// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/loader.h"

#include <stdio.h>
#include <string.h>
#include "base/i18n.h"
#include "base/utf8.h"

const char *subject_text(struct loader *ld, const struct subject *subject)
{
	struct seg_strbuf buf = {0};
	const char *text;

	/* The formats are N_() constants with one %s each. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	seg_strbuf_printf(&buf, _(subject->format), subject->id);
#pragma GCC diagnostic pop
	text = seg_arena_strdup(ld->scratch, seg_strbuf_text(&buf));
	seg_strbuf_fini(&buf);
	return text;
}

struct seg_place field_place(const struct field *field)
{
	return field->value ? field->value->place : (struct seg_place){0};
}

#define NAMES_SHOWN 14 /* the words for a tier, in both languages */
#define FEW 16 /* items that are faster compared than hashed */

const char *narrowed(struct loader *ld, const char *text, size_t len)
{
	struct seg_strbuf narrow = {0};
	const char *word = NULL;

	if (seg_utf8_narrow(&narrow, text, len)) {
		const char *first = seg_strbuf_text(&narrow);
		size_t n;

		first += strspn(first, " ");
		n = strlen(first);
		while (n && first[n - 1] == ' ')
			n--;
		word = seg_arena_strndup(ld->scratch, first, n);
	}
	seg_strbuf_fini(&narrow);
	return word;
}

bool hint_narrow(struct loader *ld, struct seg_diag *diag, const char *text, size_t len)
{
	const char *narrow = diag ? narrowed(ld, text, len) : NULL;

	if (narrow)
		seg_diag_hint(ld->diags, diag, _("write '%s', in half-width characters"), narrow);
	return narrow;
}

bool hint_number(struct loader *ld, struct seg_diag *diag, const char *word)
{
	bool number = *word && strspn(word, "0123456789-") == strlen(word);

	if (number)
		seg_diag_hint(ld->diags, diag, _("write tcp/%s or udp/%s"), word, word);
	return number;
}

/* Hints at the nearest name and returns it; NULL where none is near. */
static const char *hint_nearest(struct loader *ld, struct seg_diag *diag, const char *word,
				const char *const *names, size_t n)
{
	const char *narrow = narrowed(ld, word, strlen(word));
	const char *nearest = seg_nearest(narrow ? narrow : word, names, n);

	if (nearest && narrow)
		seg_diag_hint(ld->diags, diag, _("write '%s', in half-width characters"), nearest);
	else if (nearest)
		seg_diag_hint(ld->diags, diag, _("did you mean '%s'?"), nearest);
	return nearest;
}

/* What an input method writes for the marks of YAML is a letter to it, and became part of the word. */
static bool hint_wide_mark(struct loader *ld, struct seg_diag *diag, const char *word)
{
	static const char blank[] = "\u3000", hash[] = "\uff03", comma[] = "\u3001", wide_comma[] = "\uff0c";

	if (strncmp(word, blank, strlen(blank)) == 0)
		seg_diag_hint(ld->diags, diag, _("it begins with a full-width blank; indent with half-width ones"));
	else if (strstr(word, hash))
		seg_diag_hint(ld->diags, diag, _("a comment begins with a half-width '#'"));
	else if (strstr(word, comma) || strstr(word, wide_comma))
		seg_diag_hint(ld->diags, diag, _("a half-width ',' belongs between two entries"));
	else
		return false;
	return true;
}

void hint_names(struct loader *ld, struct seg_diag *diag, const char *word, const char *const *names,
		size_t n)
{
	struct seg_strbuf all = {0};

	if (!diag || hint_nearest(ld, diag, word, names, n) || hint_wide_mark(ld, diag, word) || !n ||
	    n > NAMES_SHOWN)
		return;
	for (size_t i = 0; i < n; i++)
		seg_strbuf_printf(&all, "%s%s", i ? ", " : "", names[i]);
	seg_diag_hint(ld->diags, diag, _("known here: %s"), seg_strbuf_text(&all));
	seg_strbuf_fini(&all);
}

static size_t key_index(const char *key, const char *const *names, size_t n)
{
	size_t i = 0;

	while (i < n && (names[i][0] != key[0] || strcmp(names[i], key) != 0))
		i++;
	return i;
}

/* "tier: lgwan" with a blank that is none: the key and its value in one. */
static bool has_swallowed_value(const struct yaml_node *key, const char *const *names, size_t n, size_t *which)
{
	size_t len = strcspn(key->text, ":");

	for (*which = 0; key->text[len] && *which < n; ++*which)
		if (strncmp(names[*which], key->text, len) == 0 && !names[*which][len])
			return true;
	return false;
}

/* Does the key come near one that is known? */
static bool refuse_key(struct loader *ld, const struct subject *of, const struct yaml_node *key,
		       const char *const *names, size_t n, struct field *fields)
{
	struct seg_diag *diag = seg_error(ld->diags, SEG_UNKNOWN_KEY, key->place, _("%s: unknown key '%s'"),
					  subject_text(ld, of), key->text);
	const char *nearest = hint_nearest(ld, diag, key->text, names, n);
	struct seg_strbuf all = {0};
	size_t which;

	if (nearest) {
		fields[key_index(nearest, names, n)].misspelt = true;
		return true;
	}
	if (hint_wide_mark(ld, diag, key->text))
		return false;
	if (yaml_relate_wide(ld->diags, diag, &key->place)) {
		bool known = has_swallowed_value(key, names, n, &which);

		if (known)
			fields[which].misspelt = true;
		return known;
	}
	for (size_t i = 0; i < n; i++)
		seg_strbuf_printf(&all, "%s%s", i ? ", " : "", names[i]);
	seg_diag_hint(ld->diags, diag, _("keys here: %s"), seg_strbuf_text(&all));
	seg_strbuf_fini(&all);
	return false;
}

bool read_keys(struct loader *ld, const struct subject *of, const struct yaml_node *mapping,
	       const char *const *names, size_t n, struct field *fields)
{
	bool strange = false;

	for (size_t i = 0; i < n; i++)
		fields[i] = (struct field){.of = of, .key = names[i]};
	if (mapping->kind == YAML_BROKEN)
		return false;
	if (mapping->kind != YAML_MAPPING) {
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_TYPE, mapping->place,
					_("%s must be written as keys with values"), subject_text(ld, of)),
			      _("such as {%s: ...}"), names[0]);
		return false;
	}
	for (const struct yaml_node *value = mapping->first; value; value = value->next) {
		size_t i = key_index(value->key->text, names, n);

		if (i == n) {
			strange = !refuse_key(ld, of, value->key, names, n, fields) || strange;
		} else if (fields[i].value) {
			fields[i].doubtful = true;
			seg_diag_relate(ld->diags,
					seg_error(ld->diags, SEG_DUPLICATE, value->key->place,
						  _("%s: the key '%s' stands here a second time"),
						  subject_text(ld, of), names[i]),
					fields[i].value->key->place, _("first here"));
		} else {
			fields[i].value = value;
		}
	}
	/* What comes near a key that is there, too, was meant to be another. */
	for (size_t i = 0; i < n; i++)
		strange = strange || (fields[i].misspelt && fields[i].value);
	for (size_t i = 0; strange && i < n; i++)
		fields[i].doubtful = fields[i].doubtful || !fields[i].value;
	return true;
}

static bool has_broken(const struct yaml_node *node)
{
	bool broken = node->kind == YAML_BROKEN;

	if (node->kind == YAML_SEQUENCE || node->kind == YAML_MAPPING)
		for (const struct yaml_node *one = node->first; one && !broken; one = one->next)
			broken = has_broken(one);
	return broken;
}

void note_flaw(struct loader *ld, const struct field *field, unsigned bits, unsigned *flaws)
{
	/* What is broken was said before anything was read. */
	if (ld->diags->errors > ld->noted || field->misspelt || field->doubtful ||
	    (ld->noted && field->value && has_broken(field->value)))
		*flaws |= bits;
	ld->noted = ld->diags->errors;
}

void require(struct loader *ld, const struct field *field, const char *hint)
{
	struct seg_diag *diag;

	if (field->value || field->misspelt)
		return;
	diag = seg_error(ld->diags, SEG_MISSING, field->of->place, _("%s: the key '%s' is missing"),
			 subject_text(ld, field->of), field->key);
	if (hint)
		seg_diag_hint(ld->diags, diag, "%s", _(hint));
}

/* The scalar of a field, or NULL after a report. */
static const struct yaml_node *scalar_of(struct loader *ld, const struct field *field, const char *hint)
{
	const struct yaml_node *node = field->value;
	struct seg_diag *diag;

	if (!node || node->kind == YAML_BROKEN)
		return NULL;
	if (node->kind == YAML_SCALAR && node->len)
		return node;
	if (node->kind == YAML_SCALAR)
		diag = seg_error(ld->diags, SEG_TYPE, node->place, _("%s: '%s' has no value"),
				 subject_text(ld, field->of), field->key);
	else
		diag = seg_error(ld->diags, SEG_TYPE, node->place,
				 _("%s: '%s' takes one value, not a list or keys"),
				 subject_text(ld, field->of), field->key);
	seg_diag_hint(ld->diags, diag, "%s", _(hint));
	return NULL;
}

bool read_text(struct loader *ld, const struct field *field, const char **text)
{
	const struct yaml_node *node = scalar_of(ld, field, N_("write a text, or leave the key out"));

	if (!node)
		return false;
	for (size_t at = 0, size; at < node->len; at += size) {
		uint32_t code = 0;

		size = seg_utf8_decode(node->text + at, node->len - at, &code);
		if (size && !seg_utf8_is_control(code))
			continue;
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_TYPE, node->place,
					_("%s: '%s' contains a line break or a control character"),
					subject_text(ld, field->of), field->key),
			      _("write it on one line"));
		return false;
	}
	if (seg_utf8_count(node->text, node->len) > TITLE_MAX) {
		seg_error(ld->diags, SEG_RANGE, node->place, _("%s: '%s' is longer than %d characters"),
			  subject_text(ld, field->of), field->key, TITLE_MAX);
		return false;
	}
	*text = seg_arena_strndup(ld->arena, node->text, node->len);
	return true;
}

bool read_bool(struct loader *ld, const struct field *field, bool *value)
{
	static const struct word words[] = {{"false", false}, {"true", true}};
	int number;

	if (!read_word(ld, field, words, 2, &number))
		return false;
	*value = number;
	return true;
}

bool read_word(struct loader *ld, const struct field *field, const struct word *words, size_t n, int *value)
{
	const struct yaml_node *node = scalar_of(ld, field, N_("write one word"));
	const char **names;

	if (!node)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i].text, node->text) == 0) {
			*value = words[i].value;
			return true;
		}
	}
	names = SEG_NEW_N(ld->scratch, const char *, n);
	for (size_t i = 0; i < n; i++)
		names[i] = words[i].text;
	hint_names(ld,
		   seg_error(ld->diags, SEG_TYPE, node->place, _("%s: '%s' is no value of '%s'"),
			     subject_text(ld, field->of), node->text, field->key),
		   node->text, names, n);
	return false;
}

/* 2026/4/1 or 2026.04.01, also in full width: the day that was meant. False: none can be read out of it, or
 * only the width is wrong. */
static bool date_meant(struct loader *ld, const struct yaml_node *node, char date[static 11])
{
	const char *narrow = narrowed(ld, node->text, node->len), *text = narrow ? narrow : node->text;
	unsigned year, month, day;
	char first, second;
	seg_date meant;

	if (strspn(text, "0123456789/.-") != strlen(text) ||
	    sscanf(text, "%4u%c%2u%c%2u", &year, &first, &month, &second, &day) != 5 || first != second ||
	    strlen(text) > 10)
		return false;
	snprintf(date, 11, "%04u-%02u-%02u", year % 10000, month % 100, day % 100);
	return seg_date_parse(date, 10, &meant) && strcmp(text, date) != 0;
}

bool read_date(struct loader *ld, const struct field *field, seg_date *date)
{
	const struct yaml_node *node = scalar_of(ld, field, N_("write a date such as 2027-03-31"));
	struct seg_diag *diag;
	char meant[11];
	bool shaped;

	if (!node)
		return false;
	if (seg_date_parse(node->text, node->len, date))
		return true;
	shaped = node->len == 10 && strspn(node->text, "0123456789-") == 10 && node->text[4] == '-' &&
		 node->text[7] == '-';
	diag = shaped ? seg_error(ld->diags, SEG_RANGE, node->place, _("%s: there is no day %s"),
				  subject_text(ld, field->of), node->text)
		      : seg_error(ld->diags, SEG_TYPE, node->place, _("%s: '%s' of '%s' is not a date"),
				  subject_text(ld, field->of), node->text, field->key);
	if (diag && date_meant(ld, node, meant))
		seg_diag_hint(ld->diags, diag, _("did you mean '%s'?"), meant);
	else if (!hint_narrow(ld, diag, node->text, node->len))
		seg_diag_hint(ld->diags, diag, _("write a date such as 2027-03-31"));
	return false;
}

/* An item of the same text among those taken: few are looked through, many are looked up. */
static const struct yaml_node *twin_of(struct loader *ld, const struct yaml_node *item,
				       const struct yaml_node *const *taken, size_t n, struct seg_map *seen)
{
	void *first = NULL;

	if (seen) {
		seg_map_add(seen, ld->scratch, item->text, (void *)item, &first);
		return first;
	}
	for (size_t i = 0; i < n; i++)
		if (strcmp(taken[i]->text, item->text) == 0)
			return taken[i];
	return NULL;
}

static bool is_single(struct loader *ld, const struct field *field, const struct yaml_node *item)
{
	if (item->kind == YAML_SCALAR && item->len)
		return true;
	if (item->kind != YAML_BROKEN)
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_TYPE, item->place,
					_("%s: an entry of '%s' is not a single value"),
					subject_text(ld, field->of), field->key),
			      _("write %s: [one, another]"), field->key);
	return false;
}

static bool take_item(struct loader *ld, const struct field *field, const struct yaml_node *item,
		      const struct yaml_node *const *taken, size_t n, struct seg_map *seen)
{
	const struct yaml_node *twin;

	if (!is_single(ld, field, item))
		return false;
	twin = twin_of(ld, item, taken, n, seen);
	if (twin)
		seg_diag_relate(ld->diags,
				seg_error(ld->diags, SEG_DUPLICATE, item->place,
					  _("%s: '%s' stands twice in '%s'"), subject_text(ld, field->of),
					  item->text, field->key),
				twin->place, _("first here"));
	return !twin;
}

/* The list of a field; NULL where a single value or nothing usable stands there. */
static const struct yaml_node *sequence_of(struct loader *ld, const struct field *field)
{
	const struct yaml_node *node = field->value;

	if (node->kind == YAML_SEQUENCE && node->n)
		return node;
	seg_diag_hint(ld->diags,
		      seg_error(ld->diags, node->kind == YAML_SEQUENCE ? SEG_RANGE : SEG_TYPE, node->place,
				node->kind == YAML_MAPPING ? _("%s: '%s' takes a list, not keys")
							   : _("%s: '%s' has no entry"),
				subject_text(ld, field->of), field->key),
		      _("write %s: [one, another]"), field->key);
	return NULL;
}

size_t read_list(struct loader *ld, const struct field *field, const struct yaml_node ***items, bool *whole)
{
	const struct yaml_node *node = field->value;
	bool is_whole = node && node->kind != YAML_BROKEN;
	struct seg_map seen = {0};
	size_t n = 0;

	*items = NULL;
	if (is_whole && node->kind == YAML_SCALAR && node->len) {
		*items = SEG_NEW(ld->scratch, const struct yaml_node *);
		(*items)[n++] = node;
	} else if (is_whole) {
		node = sequence_of(ld, field);
		is_whole = node;
		if (node)
			*items = SEG_NEW_N(ld->scratch, const struct yaml_node *, node->n);
		for (const struct yaml_node *item = node ? node->first : NULL; item; item = item->next) {
			if (take_item(ld, field, item, *items, n, node->n > FEW ? &seen : NULL))
				(*items)[n++] = item;
			else
				is_whole = false;
		}
	}
	if (whole)
		*whole = is_whole;
	return n;
}

bool check_id(struct loader *ld, const struct subject *of, const struct yaml_node *node)
{
	if (node->kind == YAML_BROKEN)
		return false;
	if (node->kind != YAML_SCALAR || !node->len) {
		seg_error(ld->diags, SEG_TYPE, node->place, _("%s: an id is a single word"),
			  subject_text(ld, of));
		return false;
	}
	for (size_t at = 0, size; at < node->len; at += size) {
		uint32_t code = 0;

		size = seg_utf8_decode(node->text + at, node->len - at, &code);
		/* What log lines, nft comments and shells would trip over. */
		if (size && !seg_utf8_is_control(code) && code != 0x3000 && code != 0xa0 &&
		    !(code < 0x80 && strchr(" \"'\\`", (int)code)))
			continue;
		seg_diag_hint(
			ld->diags,
			seg_error(ld->diags, SEG_TYPE, node->place,
				  _("%s: an id has no blanks, quotes, backslashes or control characters"),
				  subject_text(ld, of)),
			_("such as %s"), "SC-13");
		return false;
	}
	if (node->len > ID_MAX) {
		seg_error(ld->diags, SEG_RANGE, node->place, _("%s: the id is longer than %d bytes"),
			  subject_text(ld, of), ID_MAX);
		return false;
	}
	return true;
}
