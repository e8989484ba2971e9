// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/yaml_plain.h"

#include <string.h>

#define KEY_MAX 1000 /* bytes; YAML ends simple keys at 1024 characters */
#define END (-1)     /* the column behind the last token */

/* Every function leaves the reader where it gave up when it returns false. Columns are bytes: what goes
 * before the first token of a line is blanks. */
struct reader {
	struct yaml_tree *tree;
	const char *text; /* NUL-ended, which no text contains */
	size_t at, line;  /* the line's beginning */
	long column;	  /* of the token that is next, where it begins a line; or END */
	size_t known;	  /* of the known items, those that may still come */
};

enum { NOT_FIRST = 1, ENDS_BLOCK = 2, ENDS_FLOW = 4, INDICATOR = 8 };

static const unsigned char class_of[256] = {
	['\0'] = NOT_FIRST | ENDS_BLOCK | ENDS_FLOW,
	['\n'] = NOT_FIRST | ENDS_BLOCK | ENDS_FLOW,
	[':'] = NOT_FIRST | ENDS_BLOCK | ENDS_FLOW,
	['#'] = NOT_FIRST | ENDS_BLOCK | ENDS_FLOW,
	[','] = NOT_FIRST | ENDS_FLOW | INDICATOR,
	['['] = NOT_FIRST | ENDS_FLOW | INDICATOR,
	[']'] = NOT_FIRST | ENDS_FLOW | INDICATOR,
	['{'] = NOT_FIRST | ENDS_FLOW | INDICATOR,
	['}'] = NOT_FIRST | ENDS_FLOW | INDICATOR,
	[' '] = NOT_FIRST,
	['-'] = NOT_FIRST,
	['?'] = NOT_FIRST,
	['&'] = NOT_FIRST,
	['*'] = NOT_FIRST,
	['!'] = NOT_FIRST,
	['|'] = NOT_FIRST,
	['>'] = NOT_FIRST,
	['\''] = NOT_FIRST,
	['"'] = NOT_FIRST,
	['%'] = NOT_FIRST,
	['@'] = NOT_FIRST,
	['`'] = NOT_FIRST,
};

static bool is(char c, unsigned classes)
{
	return class_of[(unsigned char)c] & classes;
}

static bool ends_line(char c)
{
	return c == '\n' || c == '\0';
}

/* The character behind a colon that makes it end a key. */
static bool ends_key(char c)
{
	return c == ' ' || ends_line(c);
}

static void skip_blanks(struct reader *r)
{
	while (r->text[r->at] == ' ')
		r->at++;
}

/* A comment begins behind a blank or at the beginning of a line. */
static bool is_comment(const struct reader *r)
{
	return r->text[r->at] == '#' && (r->at == r->line || r->text[r->at - 1] == ' ');
}

static void skip_comment(struct reader *r)
{
	while (!ends_line(r->text[r->at]))
		r->at++;
}

/* From the beginning of a line to the next token. */
static void find_token(struct reader *r)
{
	for (;;) {
		r->line = r->at;
		skip_blanks(r);
		if (is_comment(r))
			skip_comment(r);
		if (r->text[r->at] != '\n')
			break;
		r->at++;
	}
	r->column = r->text[r->at] ? (long)(r->at - r->line) : END;
}

/* Nothing but a comment may stand on the rest of a line; goes to the next token. */
static bool end_line(struct reader *r)
{
	skip_blanks(r);
	if (is_comment(r))
		skip_comment(r);
	if (!ends_line(r->text[r->at]))
		return false;
	if (r->text[r->at] == '\n')
		r->at++;
	find_token(r);
	return true;
}

/* Goes to the next token inside brackets, which stands further in than the block around them. */
static bool find_flow_token(struct reader *r, long indent)
{
	size_t line = r->line;

	for (;;) {
		skip_blanks(r);
		if (is_comment(r))
			skip_comment(r);
		if (r->text[r->at] != '\n')
			break;
		r->line = ++r->at;
	}
	return r->text[r->at] && (r->line == line || (long)(r->at - r->line) > indent);
}

static struct yaml_node *scalar(struct reader *r)
{
	return r->tree->nodes + 1 < YAML_NODES_MAX ? yaml_tree_node(r->tree, YAML_SCALAR) : NULL;
}

static bool add(struct reader *r, size_t from, size_t to, bool quoted)
{
	struct yaml_node *node = scalar(r);

	if (!node)
		return false;
	yaml_tree_borrow(r->tree, node, from, to, quoted);
	yaml_tree_add(r->tree, node);
	return true;
}

static bool open_collection(struct reader *r, enum yaml_kind kind, size_t at)
{
	if (r->tree->depth == YAML_DEPTH_MAX || r->tree->nodes + 1 >= YAML_NODES_MAX)
		return false;
	yaml_tree_open(r->tree, kind, at);
	return true;
}

/* Over a scalar without quotation marks, to what ends it; *to: without the blanks before that. */
static bool scan_plain(struct reader *r, unsigned ends, size_t *to)
{
	const char *text = r->text;
	size_t at = r->at;

	/* "..." may end the document. */
	if (is(text[at], NOT_FIRST) || strncmp(text + at, "...", 3) == 0)
		return false;
	for (;; at++) {
		while (!is(text[at], ends))
			at++;
		if (text[at] == ':' && !ends_key(text[at + 1])) {
			if (ends == ENDS_FLOW && is(text[at + 1], INDICATOR))
				return false;
		} else if (text[at] != '#' || text[at - 1] == ' ') {
			break;
		}
	}
	r->at = *to = at;
	while (text[*to - 1] == ' ')
		(*to)--;
	return true;
}

static bool read_plain(struct reader *r, unsigned ends)
{
	size_t from = r->at, to;

	return scan_plain(r, ends, &to) && r->text[r->at] != ':' && add(r, from, to, false);
}

static bool read_quoted(struct reader *r)
{
	char mark = r->text[r->at];
	size_t from = ++r->at;

	while (r->text[r->at] != mark) {
		if (ends_line(r->text[r->at]) || r->text[r->at] == '\\')
			return false;
		r->at++;
	}
	if (r->text[r->at + 1] == mark)
		return false;
	return add(r, from, r->at++, true);
}

/* A key and its colon. */
static bool read_key(struct reader *r, unsigned ends)
{
	size_t from = r->at, to;

	if (!scan_plain(r, ends, &to) || r->text[to] != ':' || to - from > KEY_MAX ||
	    (to - from == 2 && r->text[from] == '<'))
		return false;
	r->at++;
	return add(r, from, to, false);
}

static bool read_flow(struct reader *r, long indent);

static bool read_flow_entry(struct reader *r, bool keyed, long indent)
{
	if (keyed && (!read_key(r, ENDS_FLOW) || !find_flow_token(r, indent)))
		return false;
	switch (r->text[r->at]) {
	case '[':
	case '{':
		return read_flow(r, indent);
	case '"':
	case '\'':
		return read_quoted(r);
	default:
		return read_plain(r, ENDS_FLOW);
	}
}

/* A collection in brackets. indent: of the block around it. */
static bool read_flow(struct reader *r, long indent)
{
	bool keyed = r->text[r->at] == '{';
	char end = keyed ? '}' : ']';

	if (!open_collection(r, keyed ? YAML_MAPPING : YAML_SEQUENCE, r->at++) || !find_flow_token(r, indent))
		return false;
	while (r->text[r->at] != end) {
		if (!read_flow_entry(r, keyed, indent) || !find_flow_token(r, indent))
			return false;
		if (r->text[r->at] == end)
			break;
		/* A comma behind the last entry is left to libfyaml. */
		if (r->text[r->at++] != ',' || !find_flow_token(r, indent) || r->text[r->at] == end)
			return false;
	}
	yaml_tree_close(r->tree, ++r->at);
	return true;
}

/* What begins on the line of its key or hyphen and is no block collection. */
static bool read_inline(struct reader *r, long indent)
{
	bool read;

	switch (r->text[r->at]) {
	case '[':
	case '{':
		read = read_flow(r, indent);
		break;
	case '"':
	case '\'':
		read = read_quoted(r);
		break;
	default:
		read = read_plain(r, ENDS_BLOCK);
	}
	return read && end_line(r);
}

static bool is_hyphen(const struct reader *r)
{
	return r->text[r->at] == '-' && r->text[r->at + 1] == ' ';
}

static bool read_mapping(struct reader *r, long indent);

static bool read_item(struct reader *r, long indent)
{
	size_t from = ++r->at, to;

	skip_blanks(r);
	from = r->at;
	if (!is(r->text[from], NOT_FIRST)) {
		if (!scan_plain(r, ENDS_BLOCK, &to))
			return false;
		r->at = from;
		if (r->text[to] == ':')
			return read_mapping(r, (long)(from - r->line));
	}
	return read_inline(r, indent);
}

/* Is the sequence that was opened last the one that known items belong to? */
static bool is_known_list(const struct yaml_tree *tree)
{
	const struct yaml_node *key = tree->depth == 2 ? tree->level[1].node->key : NULL;

	return tree->known && key && strcmp(key->text, tree->known->key) == 0;
}

/* Over an item that begins on this line, if it is known. */
static bool skip_known(struct reader *r)
{
	const struct yaml_known *known = r->tree->known;
	const struct yaml_known_item *item;
	struct yaml_node *node;

	while (r->known < known->n && known->item[r->known].start < r->line)
		r->known++;
	if (r->known == known->n || known->item[r->known].start != r->line)
		return false;
	item = &known->item[r->known];
	node = yaml_tree_node(r->tree, YAML_KNOWN);
	node->n = item->which;
	node->place = item->place;
	yaml_tree_add(r->tree, node);
	r->at = item->end;
	find_token(r);
	return true;
}

static bool read_sequence(struct reader *r, long indent)
{
	bool known;

	if (!open_collection(r, YAML_SEQUENCE, YAML_NOWHERE))
		return false;
	known = is_known_list(r->tree);
	do {
		if (!(known && skip_known(r)) && !read_item(r, indent))
			return false;
	} while (r->column == indent && is_hyphen(r));
	yaml_tree_close(r->tree, YAML_NOWHERE);
	return r->column <= indent;
}

static bool read_vacant(struct reader *r)
{
	struct yaml_node *node = scalar(r);

	if (!node)
		return false;
	yaml_tree_vacant(r->tree, node);
	yaml_tree_add(r->tree, node);
	return true;
}

/* Behind the colon of a key at the column indent. */
static bool read_value(struct reader *r, long indent)
{
	skip_blanks(r);
	if (!ends_line(r->text[r->at]) && !is_comment(r))
		return read_inline(r, indent);
	if (!end_line(r))
		return false;
	if (r->column >= indent && is_hyphen(r))
		return read_sequence(r, r->column);
	return r->column > indent ? read_mapping(r, r->column) : read_vacant(r);
}

static bool read_mapping(struct reader *r, long indent)
{
	if (!open_collection(r, YAML_MAPPING, YAML_NOWHERE))
		return false;
	do {
		if (!read_key(r, ENDS_BLOCK) || !read_value(r, indent))
			return false;
	} while (r->column == indent);
	yaml_tree_close(r->tree, YAML_NOWHERE);
	/* Further in: a scalar that goes on, or a mistake. */
	return r->column < indent;
}

bool yaml_plain_read(struct yaml_tree *tree)
{
	struct reader r = {.tree = tree, .text = tree->source->text, .at = tree->source->line[0]};

	find_token(&r);
	return r.column == 0 && read_mapping(&r, 0) && r.column == END;
}
