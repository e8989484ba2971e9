// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/yaml.h"

#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "base/utf8.h"

#define DEPTH_MAX 12	     /* a policy needs five */
#define NODES_MAX (4u << 20) /* ten times the largest policy we were asked for */

struct builder {
	const struct seg_source *source;
	size_t skip; /* bytes before the text given to libfyaml */
	struct seg_arena *arena;
	struct seg_diags *diags;
	char *copy; /* of the source's text: the texts of most scalars */
	struct yaml_node *root;
	size_t nodes;
	/* A cursor for places: events come in the order of the text, and a line may be long. */
	size_t offset;
	unsigned line, column;
	bool stop;
	struct level {
		struct yaml_node *node, **tail;
		struct yaml_node *key; /* mapping: read, its value not yet */
		bool skip_value;       /* mapping: the key was refused */
	} level[DEPTH_MAX];
	unsigned depth;
};

bool yaml_is_empty(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && node->len == 0 && !node->quoted;
}

/* Moves the cursor to an offset: mostly forwards, and rarely far. */
static void seek(struct builder *b, size_t offset)
{
	const struct seg_source *source = b->source;
	size_t from = b->offset;

	if (offset < source->line[b->line - 1]) {
		b->line = seg_source_place(source, offset, offset).line;
		from = source->len + 1;
	}
	while (b->line < source->lines && offset >= source->line[b->line]) {
		b->line++;
		from = source->len + 1;
	}
	if (from > offset) {
		from = source->line[b->line - 1];
		b->column = 1;
	}
	if (offset > from)
		b->column += (unsigned)seg_utf8_count(source->text + from, offset - from);
	b->offset = offset;
}

static struct seg_place place_of(struct builder *b, size_t start, size_t end)
{
	const struct seg_source *source = b->source;
	struct seg_place place = {.source = source};
	size_t stop;

	if (start > source->len)
		start = source->len;
	seek(b, start);
	place.line = b->line;
	place.column = b->column;
	stop = place.line < source->lines ? source->line[place.line] - 1 : source->len;
	if (end > stop)
		end = stop;
	place.end_column = place.column + 1;
	if (end > start + 1)
		place.end_column = place.column + (unsigned)seg_utf8_count(source->text + start, end - start);
	return place;
}

static struct seg_place token_place(struct builder *b, struct fy_token *token)
{
	const struct fy_mark *start = token ? fy_token_start_mark(token) : NULL;
	const struct fy_mark *end = token ? fy_token_end_mark(token) : NULL;

	if (!start || !end)
		return place_of(b, b->offset, b->offset);
	return place_of(b, start->input_pos + b->skip, end->input_pos + b->skip);
}

static struct yaml_node *node_new(struct builder *b, enum yaml_kind kind)
{
	struct yaml_node *node = SEG_NEW(b->arena, struct yaml_node);

	node->kind = (uint8_t)kind;
	if (++b->nodes == NODES_MAX) {
		seg_error(b->diags, SEG_SYNTAX, place_of(b, b->offset, b->offset),
			  _("the file has too many entries"));
		b->stop = true;
	}
	return node;
}

/* Hangs a finished or opened node where it belongs: root, item, key or value. */
static void attach(struct builder *b, struct yaml_node *node)
{
	struct level *level = b->depth ? &b->level[b->depth - 1] : NULL;

	if (!level) {
		b->root = node;
		return;
	}
	if (level->node->kind == YAML_MAPPING) {
		node->key = level->key;
		level->key = NULL;
		if (level->skip_value) {
			level->skip_value = false;
			return;
		}
	}
	*level->tail = node;
	level->tail = &node->next;
	level->node->n++;
}

static bool expects_key(const struct builder *b)
{
	const struct level *level = b->depth ? &b->level[b->depth - 1] : NULL;

	return level && level->node->kind == YAML_MAPPING && !level->key && !level->skip_value;
}

static void refuse_properties(struct builder *b, struct fy_token *anchor, struct fy_token *tag)
{
	if (anchor)
		seg_diag_hint(b->diags,
			      seg_error(b->diags, SEG_SYNTAX, token_place(b, anchor),
					_("anchors (&) are not allowed in a policy")),
			      _("write the value out; quote it where it begins with &"));
	if (tag)
		seg_diag_hint(b->diags,
			      seg_error(b->diags, SEG_SYNTAX, token_place(b, tag),
					_("tags (!) are not allowed in a policy")),
			      _("leave the tag out; quote the value where it begins with !"));
}

static void take_key(struct builder *b, struct yaml_node *node)
{
	struct level *level = &b->level[b->depth - 1];

	if (!node->quoted && strcmp(node->text, "<<") == 0) {
		seg_diag_hint(b->diags,
			      seg_error(b->diags, SEG_SYNTAX, node->place,
					_("merge keys (<<) are not allowed in a policy")),
			      _("write the keys out"));
		level->skip_value = true;
		return;
	}
	level->key = node;
	/* A block mapping has no bracket to point at: its first key stands for it. */
	if (!level->node->place.source)
		level->node->place = node->place;
}

/* Is the text of a scalar simply what stands in the file? */
static bool is_verbatim(enum fy_scalar_style style, const char *text, size_t len)
{
	if (memchr(text, '\n', len) || memchr(text, '\r', len))
		return false;
	if (style == FYSS_DOUBLE_QUOTED)
		return !memchr(text, '\\', len);
	if (style == FYSS_SINGLE_QUOTED)
		return !memchr(text, '\'', len);
	return style == FYSS_PLAIN;
}

/* A line break inside quotes: blanks around it go, one break is a blank, each further one stays. */
static size_t fold(const char *raw, size_t len, size_t at, char *text, size_t *n)
{
	size_t breaks = 0;

	while (*n && strchr(" \t", text[*n - 1]))
		(*n)--;
	for (; at < len && strchr(" \t\r\n", raw[at]); at++)
		breaks += raw[at] == '\n' || (raw[at] == '\r' && (at + 1 == len || raw[at + 1] != '\n'));
	if (breaks == 1)
		text[(*n)++] = ' ';
	for (; breaks > 1; breaks--)
		text[(*n)++] = '\n';
	return at;
}

/* Single quotes are undone here: libfyaml 0.7.12 leaks memory over a text with many of them doubled. */
static void take_single_quoted(struct builder *b, struct yaml_node *node, const char *raw, size_t len)
{
	char *text = seg_arena_alloc(b->arena, len + 1);
	size_t n = 0, at = 0;

	while (at < len) {
		if (raw[at] == '\n' || raw[at] == '\r') {
			at = fold(raw, len, at, text, &n);
			continue;
		}
		text[n++] = raw[at];
		at += raw[at] == '\'' && at + 1 < len ? 2 : 1;
	}
	node->text = text;
	node->len = (uint32_t)n;
}

/* A verbatim scalar borrows its text from the copy of the source: what follows it there is a
 * delimiter and gives way to its NUL. */
static void take_text(struct builder *b, struct yaml_node *node, struct fy_token *token, size_t from,
		      size_t to, enum fy_scalar_style style)
{
	const char *text;
	size_t len = 0;

	if (is_verbatim(style, b->source->text + from, to - from)) {
		b->copy[to] = '\0';
		node->text = b->copy + from;
		node->len = (uint32_t)(to - from);
		return;
	}
	if (style == FYSS_SINGLE_QUOTED) {
		take_single_quoted(b, node, b->source->text + from, to - from);
		return;
	}
	text = fy_token_get_text(token, &len);
	node->text = seg_arena_strndup(b->arena, text ? text : "", text ? len : 0);
	node->len = text ? (uint32_t)len : 0;
}

static void on_scalar(struct builder *b, struct fy_event *event)
{
	struct fy_token *token = event->scalar.value;
	const struct fy_mark *start = token ? fy_token_start_mark(token) : NULL;
	const struct fy_mark *end = token ? fy_token_end_mark(token) : NULL;
	struct yaml_node *node = node_new(b, YAML_SCALAR);
	struct level *level = b->depth ? &b->level[b->depth - 1] : NULL;

	node->text = "";
	if (start && end) {
		enum fy_scalar_style style = fy_token_scalar_style(token);
		/* libfyaml's marks leave the quotation marks out. */
		size_t quote = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
		size_t from = start->input_pos + b->skip, to = end->input_pos + b->skip;

		node->quoted = style != FYSS_PLAIN;
		take_text(b, node, token, from, to, style);
		node->place = place_of(b, from >= quote ? from - quote : from, to + quote);
	} else {
		node->place = level && level->key ? level->key->place : place_of(b, b->offset, b->offset);
	}
	refuse_properties(b, event->scalar.anchor, event->scalar.tag);
	if (memchr(node->text, '\0', node->len)) {
		seg_error(b->diags, SEG_SYNTAX, node->place, _("a text may not contain the character NUL"));
		node->kind = YAML_BROKEN;
	}
	if (level && level->node->kind == YAML_SEQUENCE && !level->node->place.source)
		level->node->place = node->place;
	if (expects_key(b) && node->kind == YAML_SCALAR)
		take_key(b, node);
	else if (expects_key(b))
		level->skip_value = true;
	else
		attach(b, node);
}

static void on_alias(struct builder *b, struct fy_event *event)
{
	struct yaml_node *node = node_new(b, YAML_BROKEN);

	node->place = token_place(b, event->alias.anchor);
	seg_diag_hint(
		b->diags,
		seg_error(b->diags, SEG_SYNTAX, node->place, _("aliases (*) are not allowed in a policy")),
		_("write the value out; quote it where it begins with *"));
	if (expects_key(b))
		b->level[b->depth - 1].skip_value = true;
	else
		attach(b, node);
}

static void open_collection(struct builder *b, enum yaml_kind kind, struct fy_token *start)
{
	struct yaml_node *node = node_new(b, kind);
	const struct fy_mark *mark = start ? fy_token_start_mark(start) : NULL;
	bool as_key = expects_key(b);

	if (mark && mark->input_pos + b->skip < b->source->len &&
	    strchr("[{", b->source->text[mark->input_pos + b->skip]))
		node->place = place_of(b, mark->input_pos + b->skip, mark->input_pos + b->skip + 1);
	if (b->depth == DEPTH_MAX) {
		seg_error(b->diags, SEG_SYNTAX, place_of(b, b->offset, b->offset),
			  _("nested too deeply: a policy has no more than %d levels"), DEPTH_MAX);
		b->stop = true;
		return;
	}
	if (as_key) {
		seg_error(b->diags, SEG_SYNTAX,
			  node->place.source ? node->place : place_of(b, b->offset, b->offset),
			  _("a key must be a plain text, not a list or a mapping"));
		b->level[b->depth - 1].skip_value = true;
	} else {
		attach(b, node);
	}
	b->level[b->depth++] = (struct level){.node = node, .tail = &node->first};
}

static void close_collection(struct builder *b, struct fy_token *end)
{
	struct yaml_node *node = b->level[--b->depth].node;
	const struct fy_mark *mark = end ? fy_token_end_mark(end) : NULL;
	struct level *parent = b->depth ? &b->level[b->depth - 1] : NULL;

	/* A flow collection on one line is marked whole. */
	if (node->place.source && mark) {
		struct seg_place last = place_of(b, mark->input_pos + b->skip, mark->input_pos + b->skip);
		size_t at = mark->input_pos + b->skip;

		if (last.line == node->place.line && at > 0 && strchr("]}", b->source->text[at - 1]) &&
		    last.column > node->place.column)
			node->place.end_column = last.column;
	}
	if (!node->place.source)
		node->place = node->first ? node->first->place : place_of(b, b->offset, b->offset);
	if (parent && parent->node->kind == YAML_SEQUENCE && !parent->node->place.source)
		parent->node->place = node->place;
}

static void on_event(struct builder *b, struct fy_event *event)
{
	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (!b->root)
			break;
		seg_diag_hint(b->diags,
			      seg_error(b->diags, SEG_SYNTAX,
					token_place(b, event->document_start.document_start),
					_("a second document begins here: a policy is one document")),
			      _("take the line '---' out"));
		b->stop = true;
		break;
	case FYET_SCALAR:
		on_scalar(b, event);
		break;
	case FYET_ALIAS:
		on_alias(b, event);
		break;
	case FYET_SEQUENCE_START:
		refuse_properties(b, event->sequence_start.anchor, event->sequence_start.tag);
		open_collection(b, YAML_SEQUENCE, event->sequence_start.sequence_start);
		break;
	case FYET_MAPPING_START:
		refuse_properties(b, event->mapping_start.anchor, event->mapping_start.tag);
		open_collection(b, YAML_MAPPING, event->mapping_start.mapping_start);
		break;
	case FYET_SEQUENCE_END:
		close_collection(b, event->sequence_end.sequence_end);
		break;
	case FYET_MAPPING_END:
		close_collection(b, event->mapping_end.mapping_end);
		break;
	default:
		break;
	}
}

/* Bytes that YAML, or a terminal, would stumble over. */
static bool check_characters(const struct seg_source *source, size_t skip, struct seg_diags *diags)
{
	for (size_t at = skip; at < source->len;) {
		uint32_t code = (unsigned char)source->text[at];
		size_t size = code < 0x80 ? 1 : seg_utf8_decode(source->text + at, source->len - at, &code);
		bool space = size && (code == '\t' || code == '\n' || code == '\r');

		if (!size) {
			seg_diag_hint(diags,
				      seg_error(diags, SEG_SYNTAX, seg_source_place(source, at, at + 1),
						_("this byte (0x%02x) is not UTF-8"),
						(unsigned char)source->text[at]),
				      _("save the file as UTF-8, not as Shift_JIS, EUC-JP or UTF-16"));
			return false;
		}
		if (!space && (code < 0x20 || (code >= 0x7f && code < 0xa0))) {
			seg_error(diags, SEG_SYNTAX, seg_source_place(source, at, at + size),
				  _("the control character 0x%02x is not allowed here"), code);
			return false;
		}
		at += size;
	}
	return true;
}

/* libfyaml's words for the mistakes people make, so that they can be translated. */
static const char *const known_message[] = {
	N_("could not find expected ':'"),
	N_("missing comma in flow mapping"),
	N_("missing comma in flow sequence"),
	N_("did not find expected '-' indicator"),
	N_("did not find expected key"),
	N_("did not find expected node content"),
	N_("mismatched flow mapping end"),
	N_("mismatched flow sequence end"),
	N_("invalid nested block mapping on the same line"),
	N_("invalid block mapping key on same line as previous key"),
	N_("invalid indentation in mapping"),
	N_("wrongly indented flow mapping"),
	N_("wrongly indented flow sequence"),
	N_("wrongly indented double-quoted scalar"),
	N_("wrongly indented single-quoted scalar"),
	N_("invalid multiline plain key"),
	N_("flow mapping with invalid extra closing brace"),
	N_("flow sequence with invalid extra closing bracket"),
	N_("double-quoted scalar without closing quote"),
	N_("single-quoted scalar without closing quote"),
	N_("flow sequence without a closing bracket"),
	N_("flow mapping without a closing bracket"),
	N_("block sequence entries not allowed in this context"),
	N_("invalid value after mapping"),
	N_("plain scalar cannot start with '@'"),
	N_("plain scalar cannot start with '`'"),
	N_("plain scalar cannot start with '%'"),
	N_("tab character may not be used as indentation"),
	N_("invalid scalar at the end of block sequence"),
	N_("invalid tab used as indentation"),
};

static const char *message_of(const char *message)
{
	for (size_t i = 0; i < sizeof(known_message) / sizeof(known_message[0]); i++)
		if (strcmp(known_message[i], message) == 0)
			return _(known_message[i]);
	return message;
}

static void hint_syntax(struct builder *b, struct seg_diag *found, const char *message)
{
	/* What is never closed is noticed only lines later. */
	if (strncmp(message, "wrongly indented", 16) == 0)
		seg_diag_hint(b->diags, found,
			      _("a bracket or a quotation mark in the lines above may still be open"));
	else if (strcmp(message, "invalid multiline plain key") == 0 ||
		 strcmp(message, "could not find expected ':'") == 0)
		seg_diag_hint(b->diags, found, _("a blank stands behind the colon of a key: 'key: value'"));
	else if (strcmp(message, "invalid scalar at the end of block sequence") == 0)
		seg_diag_hint(b->diags, found,
			      _("a blank stands behind the hyphen of an entry: '- id: SC-13'"));
}

/*
 * What an input method leaves behind where YAML wants its own: marks in full width, and blanks
 * that are none where the line begins or a mark went before.
 */
static bool is_wide_mark(uint32_t code, char before)
{
	static const uint32_t marks[] = {0xff1a, 0xff0c, 0xff3b, 0xff3d, 0xff5b, 0xff5d, 0xff03, 0xff0d};

	if (code == 0x3000 || code == 0xa0)
		return strchr("\n ,:-[{", before);
	if (code == 0x30fc) /* the sign of a long vowel, which looks like a hyphen */
		return strchr("\n ", before);
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (marks[i] == code)
			return true;
	return false;
}

/* Points at the first such character of a line: an eye sees no difference. */
static bool relate_wide(struct builder *b, struct seg_diag *found, unsigned line)
{
	const struct seg_source *source = b->source;
	size_t end = line < source->lines ? source->line[line] : source->len;
	char before = '\n';

	for (size_t at = source->line[line - 1], size; at < end; at += size) {
		uint32_t code = 0;

		size = seg_utf8_decode(source->text + at, end - at, &code);
		if (!size)
			return false;
		if (is_wide_mark(code, before)) {
			seg_diag_relate(b->diags, found, seg_source_place(source, at, at + size),
					_("a full-width character or a blank of another kind: YAML takes it "
					  "for a letter"));
			return true;
		}
		before = source->text[at];
	}
	return false;
}

static void report(struct builder *b, struct fy_diag *diag)
{
	void *iterator = NULL;
	const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iterator);
	struct seg_place place = place_of(b, b->source->len, b->source->len);
	struct seg_diag *found;

	if (error && error->line > 0 && (size_t)error->line <= b->source->lines) {
		place.line = (unsigned)error->line;
		place.column = error->column > 0 ? (unsigned)error->column : 1;
		place.end_column = place.column + 1;
	}
	found = seg_error(b->diags, SEG_SYNTAX, place, _("not readable as YAML: %s"),
			  error && error->msg ? message_of(error->msg) : _("the file ends too early"));
	if (!error || !error->msg)
		return;
	hint_syntax(b, found, error->msg);
	if (!relate_wide(b, found, place.line) && place.line > 1)
		relate_wide(b, found, place.line - 1);
}

static struct fy_diag *quiet_diag(void)
{
	struct fy_diag_cfg config;
	struct fy_diag *diag;

	fy_diag_cfg_default(&config);
	config.fp = NULL;
	config.colorize = false;
	diag = fy_diag_create(&config);
	if (diag)
		fy_diag_set_collect_errors(diag, true);
	return diag;
}

struct yaml_node *yaml_parse(const struct seg_source *source, struct seg_arena *arena,
			     struct seg_diags *diags)
{
	struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DISABLE_ACCELERATORS};
	struct builder b = {.source = source, .arena = arena, .diags = diags, .line = 1, .column = 1};
	struct fy_diag *diag = NULL;
	struct fy_parser *parser;
	struct fy_event *event;

	b.skip = source->line[0];
	b.offset = b.skip;
	if (!check_characters(source, b.skip, diags))
		return NULL;
	b.copy = seg_arena_copy(arena, source->text, source->len + 1);
	diag = quiet_diag();
	config.diag = diag;
	parser = diag ? fy_parser_create(&config) : NULL;
	/* As in the arena: no memory, no half-read policy. */
	if (!parser || fy_parser_set_string(parser, source->text + b.skip, source->len - b.skip) != 0)
		abort();
	while (!b.stop && (event = fy_parser_parse(parser)) != NULL) {
		on_event(&b, event);
		fy_parser_event_free(parser, event);
	}
	if (!b.stop && fy_parser_get_stream_error(parser)) {
		report(&b, diag);
		b.stop = true;
	}
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	if (b.stop)
		return NULL;
	if (!b.root || yaml_is_empty(b.root)) {
		b.root = node_new(&b, YAML_MAPPING);
		b.root->place = seg_source_place(source, b.skip, b.skip);
	}
	return b.root;
}
