/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_TEST_SAME_TREE_H
#define SEG_TEST_SAME_TREE_H

/*
 * A text read by libfyaml alone, and as policies are read: plain lines without it. The two may not
 * differ in a node, a place or a diagnostic.
 */

#include <string.h>
#include "policy/yaml.h"

static inline bool same_place(const struct seg_place *a, const struct seg_place *b)
{
	return !a->source == !b->source && a->start == b->start && a->end == b->end;
}

static inline bool same_tree(const struct yaml_node *a, const struct yaml_node *b)
{
	if (!a || !b)
		return a == b;
	if (a->kind != b->kind || a->quoted != b->quoted || a->n != b->n || a->len != b->len ||
	    !same_place(&a->place, &b->place) || !same_tree(a->key, b->key))
		return false;
	if (a->kind == YAML_SCALAR)
		return memcmp(a->text, b->text, a->len + 1) == 0;
	if (a->kind == YAML_BROKEN)
		return true;
	for (a = a->first, b = b->first; a && b; a = a->next, b = b->next)
		if (!same_tree(a, b))
			return false;
	return a == b;
}

static inline bool same_reading(const char *text, size_t len)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_strbuf said[2] = {{0}, {0}};
	const struct yaml_node *root[2];
	struct seg_diags diags[2];
	bool same;

	for (int i = 0; i < 2; i++) {
		const struct seg_source *source;

		seg_diags_init(&diags[i]);
		source = seg_source_new(&diags[i], "text.yaml", text, len);
		root[i] = i ? yaml_parse(source, NULL, arena, &diags[i])
			    : yaml_parse_libfyaml(source, arena, &diags[i]);
		seg_diags_render(&diags[i], false, &said[i]);
	}
	same = same_tree(root[0], root[1]) &&
	       strcmp(seg_strbuf_text(&said[0]), seg_strbuf_text(&said[1])) == 0;
	for (int i = 0; i < 2; i++) {
		seg_strbuf_fini(&said[i]);
		seg_diags_fini(&diags[i]);
	}
	seg_arena_free(arena);
	return same;
}

#endif
