/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_YAML_TREE_H
#define SEG_POLICY_YAML_TREE_H

/*
 * Nodes from what a reader finds in the text, in the order of the text; private to yaml*.c.
 *
 * Two readers feed it: libfyaml's events (yaml.c), and the plain lines that most policies consist
 * of (yaml_plain.c). Whatever decides about a tree, places above all, is here, so that both give the same.
 * Offsets are bytes into the source.
 */

#include "policy/yaml.h"

#define YAML_DEPTH_MAX 12	  /* a policy needs five */
#define YAML_NODES_MAX (4u << 20) /* ten times the largest policy we were asked for */
#define YAML_NOWHERE SIZE_MAX	  /* an offset where there is none: a block collection has no brackets */

struct yaml_tree {
	const struct seg_source *source;
	struct seg_arena *arena;
	struct seg_diags *diags;
	char *copy; /* of the source's text: the texts of most scalars */
	struct yaml_node *root;
	size_t nodes;
	const struct yaml_known *known; /* NULL */
	size_t offset; /* where the last place began, or a bracket was closed */
	bool stop; /* what was reported leaves nothing to read */
	struct yaml_level {
		struct yaml_node *node, **tail;
		struct yaml_node *key; /* mapping: read, its value not yet */
		bool skip_value;       /* mapping: the key was refused */
		bool flow;	       /* in brackets */
	} level[YAML_DEPTH_MAX];
	unsigned depth;
};

void yaml_tree_init(struct yaml_tree *tree, const struct seg_source *source, char *copy,
		    struct seg_arena *arena, struct seg_diags *diags);

struct seg_place yaml_tree_place(struct yaml_tree *tree, size_t start, size_t end);
/* Where the cursor is: for what has no place of its own. */
struct seg_place yaml_tree_here(struct yaml_tree *tree);

struct yaml_node *yaml_tree_node(struct yaml_tree *tree, enum yaml_kind kind);
/* Gives a scalar the text that stands in the source, quotation marks left out, and its place. It is
 * borrowed from the copy: what follows it there is a delimiter and gives way to its NUL. */
void yaml_tree_borrow(struct yaml_tree *tree, struct yaml_node *node, size_t from, size_t to, bool quoted);
/* A scalar of which nothing stands in the text, as behind "key:". */
void yaml_tree_vacant(struct yaml_tree *tree, struct yaml_node *node);
/* Hangs a finished scalar, or a known item, where it belongs: root, item, key or value. */
void yaml_tree_add(struct yaml_tree *tree, struct yaml_node *node);

/* A sequence or mapping begins; at: of its bracket. */
void yaml_tree_open(struct yaml_tree *tree, enum yaml_kind kind, size_t at);
/* It ends; end: behind its bracket. */
void yaml_tree_close(struct yaml_tree *tree, size_t end);

#endif
