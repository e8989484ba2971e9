// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/yaml_tree.h"

#include <string.h>
#include "base/i18n.h"

void yaml_tree_init(struct yaml_tree *tree, const struct seg_source *source, char *copy,
		    struct seg_arena *arena, struct seg_diags *diags)
{
	*tree = (struct yaml_tree){.source = source,
				   .arena = arena,
				   .diags = diags,
				   .copy = copy,
				   .offset = source->line[0]};
}

struct seg_place yaml_tree_place(struct yaml_tree *tree, size_t start, size_t end)
{
	tree->offset = start;
	return seg_source_place(tree->source, start, end);
}

struct seg_place yaml_tree_here(struct yaml_tree *tree)
{
	return yaml_tree_place(tree, tree->offset, tree->offset);
}

struct yaml_node *yaml_tree_node(struct yaml_tree *tree, enum yaml_kind kind)
{
	struct yaml_node *node = SEG_NEW(tree->arena, struct yaml_node);

	node->kind = (uint8_t)kind;
	if (++tree->nodes == YAML_NODES_MAX) {
		seg_error(tree->diags, SEG_SYNTAX, yaml_tree_here(tree), _("the file has too many entries"));
		tree->stop = true;
	}
	return node;
}

static struct yaml_level *top(struct yaml_tree *tree)
{
	return tree->depth ? &tree->level[tree->depth - 1] : NULL;
}

/* Hangs a finished or opened node where it belongs: root, item or value. */
static void attach(struct yaml_tree *tree, struct yaml_node *node)
{
	struct yaml_level *level = top(tree);

	if (!level) {
		tree->root = node;
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

static bool expects_key(const struct yaml_level *level)
{
	return level && level->node->kind == YAML_MAPPING && !level->key && !level->skip_value;
}

static void take_key(struct yaml_tree *tree, struct yaml_node *node)
{
	struct yaml_level *level = top(tree);

	if (!node->quoted && strcmp(node->text, "<<") == 0) {
		seg_diag_hint(tree->diags,
			      seg_error(tree->diags, SEG_SYNTAX, node->place,
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

void yaml_tree_borrow(struct yaml_tree *tree, struct yaml_node *node, size_t from, size_t to, bool quoted)
{
	tree->copy[to] = '\0';
	node->text = tree->copy + from;
	node->len = (uint32_t)(to - from);
	node->quoted = quoted;
	node->place = yaml_tree_place(tree, from - quoted, to + quoted);
}

void yaml_tree_vacant(struct yaml_tree *tree, struct yaml_node *node)
{
	const struct yaml_level *level = top(tree);

	node->text = "";
	node->place = level && level->key ? level->key->place : yaml_tree_here(tree);
}

void yaml_tree_add(struct yaml_tree *tree, struct yaml_node *node)
{
	struct yaml_level *level = top(tree);

	if (level && level->node->kind == YAML_SEQUENCE && !level->node->place.source)
		level->node->place = node->place;
	if (!expects_key(level))
		attach(tree, node);
	else if (node->kind == YAML_SCALAR)
		take_key(tree, node);
	else
		level->skip_value = true;
}

void yaml_tree_open(struct yaml_tree *tree, enum yaml_kind kind, size_t at)
{
	struct yaml_node *node = yaml_tree_node(tree, kind);
	struct yaml_level *level = top(tree);

	if (at != YAML_NOWHERE)
		node->place = yaml_tree_place(tree, at, at + 1);
	if (tree->depth == YAML_DEPTH_MAX) {
		seg_error(tree->diags, SEG_SYNTAX, yaml_tree_here(tree),
			  _("nested too deeply: a policy has no more than %d levels"), YAML_DEPTH_MAX);
		tree->stop = true;
		return;
	}
	if (expects_key(level)) {
		seg_error(tree->diags, SEG_SYNTAX, at != YAML_NOWHERE ? node->place : yaml_tree_here(tree),
			  _("a key must be a plain text, not a list or a mapping"));
		level->skip_value = true;
	} else {
		attach(tree, node);
	}
	tree->level[tree->depth++] =
		(struct yaml_level){.node = node, .tail = &node->first, .flow = at != YAML_NOWHERE};
}

void yaml_tree_close(struct yaml_tree *tree, size_t end)
{
	const struct yaml_level *level = &tree->level[--tree->depth], *parent = top(tree);
	struct yaml_node *node = level->node;

	/* A flow collection on one line is marked whole. */
	if (level->flow && end != YAML_NOWHERE) {
		const char *start = tree->source->text + node->place.start;

		tree->offset = end;
		if (end > node->place.end && !memchr(start, '\n', end - node->place.start))
			node->place.end = (uint32_t)end;
	}
	if (!node->place.source)
		node->place = node->first ? node->first->place : yaml_tree_here(tree);
	if (parent && parent->node->kind == YAML_SEQUENCE && !parent->node->place.source)
		parent->node->place = node->place;
}
