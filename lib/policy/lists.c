// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"

#define FILE_WORD "file:"
#define LISTS_MAX 1000

/* A list in a file, read once however often it is named. */
struct list_file {
	struct seg_entries entries;
	bool broken;
};

struct growing {
	struct seg_entry *entry;
	struct seg_place *written;
	size_t n, entry_cap, written_cap;
};

/* Both halves of what was written can be read: then it is the value that is wrong. */
static bool is_readable(const char *text, size_t len)
{
	const char *cut = memchr(text, '/', len);
	size_t first;
	seg_addr addr;

	if (!cut)
		cut = memchr(text, '-', len);
	if (!cut)
		return false;
	first = (size_t)(cut - text);
	if (!seg_addr_parse(text, first, &addr))
		return false;
	if (*cut == '-')
		return seg_addr_parse(cut + 1, len - first - 1, &addr);
	return len > first + 1 && strspn(cut + 1, "0123456789") >= len - first - 1;
}

/* 10.1.0.0/255.255.255.0: the network of an address with its mask. */
static bool parse_masked(const char *text, size_t len, struct seg_range *range)
{
	const char *slash = memchr(text, '/', len), *reason;
	seg_addr mask;
	uint32_t bits;
	char prefix[64];
	int n;

	if (!slash || !memchr(slash, '.', (size_t)(text + len - slash)) ||
	    !seg_addr_parse(slash + 1, (size_t)(text + len - slash) - 1, &mask))
		return false;
	bits = (uint32_t)mask;
	if (~bits & (~bits + 1))
		return false;
	n = snprintf(prefix, sizeof(prefix), "%.*s/%d", (int)(slash - text), text, __builtin_popcount(bits));
	return n < (int)sizeof(prefix) && seg_range_parse(prefix, (size_t)n, true, range, &reason);
}

/* The network that was probably meant where host bits are set, or a mask is written. */
static void hint_network(struct loader *ld, struct seg_diag *diag, const char *text, size_t len)
{
	char buf[SEG_RANGE_STRLEN];
	struct seg_range range;
	const char *reason;

	if (hint_narrow(ld, diag, text, len))
		return;
	if (diag && (seg_range_parse(text, len, true, &range, &reason) || parse_masked(text, len, &range)))
		seg_diag_hint(ld->diags, diag, _("did you mean '%s'?"), seg_range_format(range, buf));
	else
		seg_diag_hint(ld->diags, diag, _("such as %s"), "10.1.0.0/24, 10.1.0.5, 10.1.0.5-10.1.0.9");
}

bool read_range(struct loader *ld, const struct subject *of, const char *key, const struct seg_place *place,
		const char *text, size_t len, bool host_bits, struct seg_range *range)
{
	const char *reason = NULL;
	struct seg_diag *diag;

	if (seg_range_parse(text, len, host_bits, range, &reason))
		return true;
	diag = seg_error(ld->diags, is_readable(text, len) ? SEG_RANGE : SEG_TYPE, *place,
			 _("%s: '%.*s' in '%s': %s"), subject_text(ld, of), (int)(len < 100 ? len : 100),
			 text, key, _(reason));
	hint_network(ld, diag, text, len);
	return false;
}

static void push(struct loader *ld, struct growing *list, struct seg_range range, struct seg_place place,
		 struct seg_place written)
{
	size_t n = list->n;

	SEG_PUSH(ld->scratch, list->written, n, list->written_cap) = written;
	SEG_PUSH(ld->arena, list->entry, list->n, list->entry_cap) =
		(struct seg_entry){.range = range, .place = place};
}

/* Lines of a list: an entry each, '#' begins a comment. */
static void read_lines(struct loader *ld, const struct subject *of, const struct seg_source *source,
		       struct list_file *file)
{
	struct growing list = {0};

	for (size_t i = 0; i < source->lines; i++) {
		const char *line = source->text + source->line[i];
		size_t len = strcspn(line, "#\n"), blank = strspn(line, " \t");
		size_t start = source->line[i] + blank;
		struct seg_place place;
		struct seg_range range;

		while (len > blank && strchr(" \t\r", line[len - 1]))
			len--;
		if (blank >= len)
			continue;
		len -= blank;
		place = seg_source_place(source, start, start + len);
		if (read_range(ld, of, source->name, &place, source->text + start, len, true, &range))
			push(ld, &list, range, place, place);
		else
			file->broken = true;
	}
	file->entries = (struct seg_entries){.entry = list.entry, .n = list.n};
}

static char *read_source(struct loader *ld, const char *path, size_t *len, const char **error)
{
	char *text = NULL;

	*error = N_("lists cannot be read here");
	if (ld->reader && ld->reader->read)
		text = ld->reader->read(ld->reader->context, path, len, error);
	if (text && (*len > SEG_POLICY_MAX_BYTES || memchr(text, '\0', *len))) {
		*error = N_("this is not a list of addresses");
		free(text);
		text = NULL;
	}
	return text;
}

static void say_unread(struct loader *ld, const struct field *field, const struct yaml_node *node,
		       const char *path, const char *error)
{
	struct seg_diag *diag = seg_error(ld->diags, SEG_UNKNOWN_NAME, node->place,
					  _("%s: the list '%s' cannot be read: %s"),
					  subject_text(ld, field->of), path, _(error));
	char *advice = ld->reader && ld->reader->advise ? ld->reader->advise(ld->reader->context, path) : NULL;

	seg_diag_hint(ld->diags, diag, "%s",
		      advice ? advice : _("a path is relative to the folder of the policy file"));
	free(advice);
}

static struct list_file *open_list(struct loader *ld, const struct field *field, const struct yaml_node *node,
				   const char *path)
{
	struct list_file *file = seg_map_get(&ld->list_by_path, path);
	const struct seg_source *source;
	const char *error = NULL;
	size_t len = 0;
	char *text;

	if (file)
		return file;
	file = SEG_NEW(ld->scratch, struct list_file);
	seg_map_add(&ld->list_by_path, ld->scratch, path, file, NULL);
	file->broken = true;
	if (!*path || ld->list_by_path.n > LISTS_MAX) {
		seg_error(ld->diags, *path ? SEG_RANGE : SEG_TYPE, node->place,
			  *path ? _("%s: too many lists") : _("%s: 'file:' names no file"),
			  subject_text(ld, field->of));
		return file;
	}
	text = read_source(ld, path, &len, &error);
	if (!text) {
		say_unread(ld, field, node, path, error);
		return file;
	}
	source = seg_source_new(ld->diags, path, text, len);
	free(text);
	SEG_PUSH(ld->arena, ld->source, ld->sources, ld->source_cap) = source;
	file->broken = false;
	read_lines(ld, field->of, source, file);
	return file;
}

static bool add_file(struct loader *ld, const struct field *field, const struct yaml_node *node,
		     struct growing *list)
{
	const struct list_file *file = open_list(ld, field, node, node->text + strlen(FILE_WORD));

	if (file->broken)
		return false;
	if (!file->entries.n) {
		seg_error(ld->diags, SEG_RANGE, node->place, _("%s: the list '%s' has no entry"),
			  subject_text(ld, field->of), node->text + strlen(FILE_WORD));
		return false;
	}
	for (size_t i = 0; i < file->entries.n; i++)
		push(ld, list, file->entries.entry[i].range, file->entries.entry[i].place, node->place);
	return true;
}

static bool add_entry(struct loader *ld, const struct field *field, const struct yaml_node *node,
		      enum list_use use, struct growing *list)
{
	struct seg_range range;

	if (use != LIST_GATEWAY && strncmp(node->text, FILE_WORD, strlen(FILE_WORD)) == 0)
		return add_file(ld, field, node, list);
	if (!read_range(ld, field->of, field->key, &node->place, node->text, node->len, use == LIST_HOST,
			&range))
		return false;
	if (use == LIST_GATEWAY && range.lo != range.hi) {
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_TYPE, node->place,
					_("%s: '%s' in 'gateway' is not a single address"),
					subject_text(ld, field->of), node->text),
			      _("list the gateway's own addresses one by one"));
		return false;
	}
	push(ld, list, range, node->place, node->place);
	return true;
}

bool read_addresses(struct loader *ld, const struct field *field, enum list_use use, struct list *list)
{
	const struct yaml_node **items;
	struct growing growing = {0};
	bool whole;
	size_t n = read_list(ld, field, &items, &whole);

	*list = (struct list){0};
	for (size_t i = 0; i < n; i++) {
		if (use == LIST_NETWORKS && strcmp(items[i]->text, "any") == 0) {
			list->any = true;
			list->any_place = items[i]->place;
		} else if (!add_entry(ld, field, items[i], use, &growing)) {
			whole = false;
		}
	}
	if (!whole) {
		list->any = false;
		return false;
	}
	list->entries = (struct seg_entries){.entry = growing.entry, .n = growing.n};
	list->written = growing.written;
	return true;
}

struct seg_ranges entries_ranges(struct loader *ld, const struct seg_entries *entries)
{
	struct seg_range *range = SEG_NEW_N(ld->scratch, struct seg_range, entries->n);

	for (size_t i = 0; i < entries->n; i++)
		range[i] = entries->entry[i].range;
	return seg_ranges_from(ld->arena, range, entries->n);
}
