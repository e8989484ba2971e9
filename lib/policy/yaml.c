// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/yaml.h"

#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"
#include "base/utf8.h"
#include "policy/yaml_plain.h"
#include "policy/yaml_tree.h"

bool yaml_is_empty(const struct yaml_node *node)
{
	return node->kind == YAML_SCALAR && node->len == 0 && !node->quoted;
}

/* Of libfyaml's marks, which know nothing of a byte order mark before the text they were given. */
static size_t offset_of(const struct yaml_tree *tree, const struct fy_mark *mark)
{
	return mark->input_pos + tree->source->line[0];
}

static struct seg_place token_place(struct yaml_tree *tree, struct fy_token *token)
{
	const struct fy_mark *start = token ? fy_token_start_mark(token) : NULL;
	const struct fy_mark *end = token ? fy_token_end_mark(token) : NULL;

	if (!start || !end)
		return yaml_tree_here(tree);
	return yaml_tree_place(tree, offset_of(tree, start), offset_of(tree, end));
}

static void refuse_properties(struct yaml_tree *tree, struct fy_token *anchor, struct fy_token *tag)
{
	if (anchor)
		seg_diag_hint(tree->diags,
			      seg_error(tree->diags, SEG_SYNTAX, token_place(tree, anchor),
					_("anchors (&) are not allowed in a policy")),
			      _("write the value out; quote it where it begins with &"));
	if (tag)
		seg_diag_hint(tree->diags,
			      seg_error(tree->diags, SEG_SYNTAX, token_place(tree, tag),
					_("tags (!) are not allowed in a policy")),
			      _("leave the tag out; quote the value where it begins with !"));
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
static void take_single_quoted(struct yaml_tree *tree, struct yaml_node *node, const char *raw, size_t len)
{
	char *text = seg_arena_alloc(tree->arena, len + 1);
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

static void take_text(struct yaml_tree *tree, struct yaml_node *node, struct fy_token *token, size_t from,
		      size_t to)
{
	enum fy_scalar_style style = fy_token_scalar_style(token);
	/* libfyaml's marks leave the quotation marks out. */
	bool quotes = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
	const char *raw = tree->source->text + from, *text;
	size_t len = 0;

	if (is_verbatim(style, raw, to - from)) {
		yaml_tree_borrow(tree, node, from, to, quotes);
		return;
	}
	if (style == FYSS_SINGLE_QUOTED) {
		take_single_quoted(tree, node, raw, to - from);
	} else {
		text = fy_token_get_text(token, &len);
		node->text = seg_arena_strndup(tree->arena, text ? text : "", text ? len : 0);
		node->len = text ? (uint32_t)len : 0;
	}
	node->quoted = style != FYSS_PLAIN;
	node->place = yaml_tree_place(tree, quotes && from ? from - 1 : from, to + quotes);
}

static void on_scalar(struct yaml_tree *tree, struct fy_event *event)
{
	struct fy_token *token = event->scalar.value;
	const struct fy_mark *start = token ? fy_token_start_mark(token) : NULL;
	const struct fy_mark *end = token ? fy_token_end_mark(token) : NULL;
	struct yaml_node *node = yaml_tree_node(tree, YAML_SCALAR);

	if (start && end)
		take_text(tree, node, token, offset_of(tree, start), offset_of(tree, end));
	else
		yaml_tree_vacant(tree, node);
	refuse_properties(tree, event->scalar.anchor, event->scalar.tag);
	if (memchr(node->text, '\0', node->len)) {
		seg_error(tree->diags, SEG_SYNTAX, node->place,
			  _("a text may not contain the character NUL"));
		node->kind = YAML_BROKEN;
	}
	yaml_tree_add(tree, node);
}

static void on_alias(struct yaml_tree *tree, struct fy_event *event)
{
	struct yaml_node *node = yaml_tree_node(tree, YAML_BROKEN);

	node->place = token_place(tree, event->alias.anchor);
	seg_diag_hint(
		tree->diags,
		seg_error(tree->diags, SEG_SYNTAX, node->place, _("aliases (*) are not allowed in a policy")),
		_("write the value out; quote it where it begins with *"));
	yaml_tree_add(tree, node);
}

/* Where the bracket of a flow collection stands. */
static size_t bracket(const struct yaml_tree *tree, struct fy_token *token)
{
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
	size_t at = mark ? offset_of(tree, mark) : tree->source->len;

	return at < tree->source->len && strchr("[{", tree->source->text[at]) ? at : YAML_NOWHERE;
}

static size_t end_of(const struct yaml_tree *tree, struct fy_token *token)
{
	const struct fy_mark *mark = token ? fy_token_end_mark(token) : NULL;

	return mark ? offset_of(tree, mark) : YAML_NOWHERE;
}

static void on_document(struct yaml_tree *tree, struct fy_event *event)
{
	if (!tree->root)
		return;
	seg_diag_hint(tree->diags,
		      seg_error(tree->diags, SEG_SYNTAX,
				token_place(tree, event->document_start.document_start),
				_("a second document begins here: a policy is one document")),
		      _("take the line '---' out"));
	tree->stop = true;
}

static void on_event(struct yaml_tree *tree, struct fy_event *event)
{
	switch (event->type) {
	case FYET_DOCUMENT_START:
		on_document(tree, event);
		break;
	case FYET_SCALAR:
		on_scalar(tree, event);
		break;
	case FYET_ALIAS:
		on_alias(tree, event);
		break;
	case FYET_SEQUENCE_START:
		refuse_properties(tree, event->sequence_start.anchor, event->sequence_start.tag);
		yaml_tree_open(tree, YAML_SEQUENCE, bracket(tree, event->sequence_start.sequence_start));
		break;
	case FYET_MAPPING_START:
		refuse_properties(tree, event->mapping_start.anchor, event->mapping_start.tag);
		yaml_tree_open(tree, YAML_MAPPING, bracket(tree, event->mapping_start.mapping_start));
		break;
	case FYET_SEQUENCE_END:
		yaml_tree_close(tree, end_of(tree, event->sequence_end.sequence_end));
		break;
	case FYET_MAPPING_END:
		yaml_tree_close(tree, end_of(tree, event->mapping_end.mapping_end));
		break;
	default:
		break;
	}
}

/* Printable ASCII from text on, by eights. */
static size_t printable_run(const char *text, size_t len)
{
	const uint64_t ones = 0x0101010101010101;
	size_t n = 0;
	uint64_t eight;

	for (; len - n >= sizeof(eight); n += sizeof(eight)) {
		memcpy(&eight, text + n, sizeof(eight));
		/* No byte has its high bit, is below 0x20 or is 0x7f. */
		if ((eight | (eight - ones * 0x20) | (eight + ones)) & ones * 0x80)
			break;
	}
	return n;
}

/* Bytes that YAML, or a terminal, would stumble over. plain: set to false where only libfyaml will do. */
static bool check_characters(const struct seg_source *source, bool *plain, struct seg_diags *diags)
{
	for (size_t at = source->line[0], size; at < source->len; at += size) {
		uint32_t code = (unsigned char)source->text[at];
		bool space;

		size = 1;
		if (code >= 0x20 && code < 0x7f) {
			size += printable_run(source->text + at + 1, source->len - at - 1);
			continue;
		}
		if (code >= 0x80)
			size = seg_utf8_decode(source->text + at, source->len - at, &code);
		if (!size) {
			seg_diag_hint(diags,
				      seg_error(diags, SEG_SYNTAX, seg_source_place(source, at, at + 1),
						_("this byte (0x%02x) is not UTF-8"),
						(unsigned char)source->text[at]),
				      _("save the file as UTF-8, not as Shift_JIS, EUC-JP or UTF-16"));
			return false;
		}
		space = code == '\t' || code == '\n' || code == '\r';
		if (!space && (code < 0x20 || (code >= 0x7f && code < 0xa0))) {
			seg_error(diags, SEG_SYNTAX, seg_source_place(source, at, at + size),
				  _("the control character 0x%02x is not allowed here"), code);
			return false;
		}
		*plain = *plain && yaml_plain_allows(code);
	}
	return true;
}

/* Could a key begin here: on a line, or behind an indicator? A line may begin wherever libfyaml thinks so,
 * whose idea of it depends on the version of YAML. */
static bool may_begin_key(const struct seg_source *source, size_t at)
{
	const char *text = source->text;
	size_t start = source->line[0], before = at;

	while (before > start && strchr(" \t", text[before - 1]))
		before--;
	return before == start || strchr("\r\n", text[before - 1]) ||
	       (before < at && strchr("-?:", text[before - 1])) ||
	       (before - start >= 3 && (memcmp(text + before - 3, "\xe2\x80\xa8", 3) == 0 ||
					memcmp(text + before - 3, "\xe2\x80\xa9", 3) == 0));
}

/* libfyaml 0.7.12 frees a key behind '?' twice where a tab follows its colon: beside tabs, which nobody
 * writes with such keys, it does not get to see one. */
static bool refuse_explicit_keys(const struct seg_source *source, struct seg_diags *diags)
{
	const char *text = source->text + source->line[0], *end = source->text + source->len;

	if (!memchr(text, '\t', (size_t)(end - text)))
		return true;
	for (; (text = memchr(text, '?', (size_t)(end - text))) != NULL; text++) {
		size_t at = (size_t)(text - source->text);

		if (!strchr(" \t\r\n", text[1]) || !may_begin_key(source, at))
			continue;
		seg_diag_hint(diags,
			      seg_error(diags, SEG_SYNTAX, seg_source_place(source, at, at + 1),
					_("keys behind a question mark (?) are not allowed in a policy")),
			      _("write 'key: value'; quote a text that begins with ?"));
		return false;
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
	N_("invalid alias detected"),
};

static const char *message_of(const char *message)
{
	for (size_t i = 0; i < sizeof(known_message) / sizeof(known_message[0]); i++)
		if (strcmp(known_message[i], message) == 0)
			return _(known_message[i]);
	return message;
}

/* wide: a character in full width is at fault, and told. */
static void hint_syntax(struct yaml_tree *tree, struct seg_diag *found, const char *message, bool wide)
{
	/* What is never closed is noticed only lines later. */
	if (strncmp(message, "wrongly indented", 16) == 0)
		seg_diag_hint(tree->diags, found,
			      _("a bracket or a quotation mark in the lines above may still be open"));
	else if (strcmp(message, "invalid multiline plain key") == 0 ||
		 strcmp(message, "could not find expected ':'") == 0)
		seg_diag_hint(tree->diags, found,
			      _("a blank stands behind the colon of a key: 'key: value'"));
	else if (strcmp(message, "invalid scalar at the end of block sequence") == 0)
		seg_diag_hint(tree->diags, found,
			      _("a blank stands behind the hyphen of an entry: '- id: SC-13'"));
	else if (strcmp(message, "invalid alias detected") == 0)
		seg_diag_hint(
			tree->diags, found,
			_("'*' alone stands for nothing: leave 'source' or 'destination' out where a whole "
			  "zone is meant"));
	else if (strcmp(message, "tab character may not be used as indentation") == 0)
		seg_diag_hint(tree->diags, found, _("begin the line with blanks, not with the tab key"));
	else if (strncmp(message, "missing comma in flow", 21) == 0)
		seg_diag_hint(tree->diags, found,
			      _("a half-width ',' belongs between two entries; put a text that holds ': ' in "
				"quotation marks"));
	else if (!wide && (strcmp(message, "did not find expected '-' indicator") == 0 ||
			   strcmp(message, "did not find expected key") == 0 ||
			   strcmp(message, "invalid indentation in mapping") == 0))
		seg_diag_hint(tree->diags, found,
			      _("begin this line in the same column as the keys it belongs to"));
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

/* The comma of Japanese belongs into a title, but not where a key follows. */
static bool is_wide_comma(uint32_t code, const char *behind, const char *end)
{
	const char *key;

	if (code != 0x3001)
		return false;
	while (behind < end && *behind == ' ')
		behind++;
	for (key = behind; behind < end && ((*behind >= 'a' && *behind <= 'z') || *behind == '-');)
		behind++;
	return behind > key && behind < end && *behind == ':';
}

bool yaml_relate_wide(struct seg_diags *diags, struct seg_diag *found, const struct seg_place *place)
{
	const struct seg_source *source = place->source;
	char before = place->start ? source->text[place->start - 1] : '\n';

	for (size_t at = place->start, size; at < place->end; at += size) {
		uint32_t code = 0;

		size = seg_utf8_decode(source->text + at, place->end - at, &code);
		if (!size)
			return false;
		if (is_wide_mark(code, before) ||
		    is_wide_comma(code, source->text + at + size, source->text + place->end)) {
			seg_diag_relate(diags, found, seg_source_place(source, at, at + size),
					_("a full-width character or a blank of another kind: YAML takes it "
					  "for a letter"));
			return true;
		}
		before = source->text[at];
	}
	return false;
}

static bool relate_wide(struct yaml_tree *tree, struct seg_diag *found, unsigned line)
{
	const struct seg_source *source = tree->source;
	const struct seg_place place = seg_source_place(
		source, source->line[line - 1], line < source->lines ? source->line[line] : source->len);

	return yaml_relate_wide(tree->diags, found, &place);
}

static void report(struct yaml_tree *tree, struct fy_diag *diag)
{
	void *iterator = NULL;
	const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iterator);
	struct seg_place place = yaml_tree_place(tree, tree->source->len, tree->source->len);
	struct seg_diag *found;
	unsigned line;
	bool wide;

	if (error && error->line > 0 && (size_t)error->line <= tree->source->lines)
		place = seg_source_position(tree->source, (unsigned)error->line,
					    error->column > 0 ? (unsigned)error->column : 1);
	found = seg_error(tree->diags, SEG_SYNTAX, place, _("not readable as YAML: %s"),
			  error && error->msg ? message_of(error->msg) : _("the file ends too early"));
	if (!error || !error->msg)
		return;
	line = seg_place_position(&place).line;
	wide = relate_wide(tree, found, line) || (line > 1 && relate_wide(tree, found, line - 1));
	hint_syntax(tree, found, error->msg, wide);
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

/* Reads everything; false where nothing is left to read. */
static bool read_events(struct yaml_tree *tree)
{
	struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DISABLE_ACCELERATORS};
	const struct seg_source *source = tree->source;
	struct fy_diag *diag = quiet_diag();
	size_t skip = source->line[0];
	struct fy_parser *parser;
	struct fy_event *event;

	config.diag = diag;
	parser = diag ? fy_parser_create(&config) : NULL;
	/* As in the arena: no memory, no half-read policy. */
	if (!parser || fy_parser_set_string(parser, source->text + skip, source->len - skip) != 0)
		abort();
	while (!tree->stop && (event = fy_parser_parse(parser)) != NULL) {
		on_event(tree, event);
		fy_parser_event_free(parser, event);
	}
	if (!tree->stop && fy_parser_get_stream_error(parser)) {
		report(tree, diag);
		tree->stop = true;
	}
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	return !tree->stop;
}

static void begin(struct yaml_tree *tree, const struct seg_source *source, struct seg_arena *arena,
		  struct seg_diags *diags)
{
	yaml_tree_init(tree, source, seg_arena_copy(arena, source->text, source->len + 1), arena, diags);
}

static struct yaml_node *read_with_libfyaml(const struct seg_source *source, struct seg_arena *arena,
					    struct seg_diags *diags)
{
	struct yaml_tree tree;

	begin(&tree, source, arena, diags);
	if (!read_events(&tree))
		return NULL;
	if (!tree.root || yaml_is_empty(tree.root)) {
		tree.root = yaml_tree_node(&tree, YAML_MAPPING);
		tree.root->place = seg_source_place(source, source->line[0], source->line[0]);
	}
	return tree.root;
}

struct yaml_node *yaml_parse_libfyaml(const struct seg_source *source, struct seg_arena *arena,
				      struct seg_diags *diags)
{
	bool plain = true;

	if (!check_characters(source, &plain, diags) || !refuse_explicit_keys(source, diags))
		return NULL;
	return read_with_libfyaml(source, arena, diags);
}

struct yaml_node *yaml_parse(const struct seg_source *source, const struct yaml_known *known,
			     struct seg_arena *arena, struct seg_diags *diags)
{
	struct yaml_tree tree;
	bool plain = true;

	if (!check_characters(source, &plain, diags))
		return NULL;
	if (plain) {
		begin(&tree, source, arena, diags);
		tree.known = known;
		if (yaml_plain_read(&tree))
			return tree.root;
	}
	if (!refuse_explicit_keys(source, diags))
		return NULL;
	return read_with_libfyaml(source, arena, diags);
}
