/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_YAML_H
#define SEG_POLICY_YAML_H

/*
 * YAML text -> a tree of nodes with places; private to the loader.
 *
 * Built from libfyaml's events rather than its documents: nothing is resolved,
 * an anchor or alias never expands, and the cost is linear. What a policy may
 * not contain (anchors, aliases, tags, merge keys, further documents, keys that
 * are not text) is reported here as `syntax`, each once; such a node becomes
 * YAML_BROKEN where nothing is left to read, so that nobody complains again.
 * Duplicate keys stay: who reads the mapping knows what it is called.
 *
 * Nodes live in the arena given, places point into the source.
 */

#include <stdint.h>
#include "base/diag.h"

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING, YAML_BROKEN, YAML_KNOWN };

struct yaml_node { /* small: a policy has a million of them */
	union {
		const char *text;        /* scalars: NUL-ended, without NUL inside */
		struct yaml_node *first; /* items of a sequence, values of a mapping */
	};
	struct yaml_node *key;   /* value in a mapping: its key, a scalar */
	struct yaml_node *next;
	struct seg_place place;
	union {
		uint32_t len;    /* of a scalar's text */
		uint32_t n;      /* items of a sequence, values of a mapping; YAML_KNOWN: which */
	};
	uint8_t kind;            /* enum yaml_kind */
	bool quoted;
};

/*
 * Two readers do it: one of our own for plain lines (yaml_plain.h), and libfyaml's events for whatever that
 * one does not know, and for all mistakes.
 */

/*
 * Items of one list at the top of the file that the caller has read before: where such a one is met, a
 * node without content stands for it (YAML_KNOWN). The caller vouches for it that whole lines, from the item's hyphen to
 * the next, mean the same as when they were read, and that the file keeps the bound on its entries.
 */
struct yaml_known_item {
	size_t start, end;       /* lines: of the hyphen, of what follows */
	struct seg_place place;  /* the node's */
	uint32_t which;
};
struct yaml_known {
	const char *key; /* of the list */
	const struct yaml_known_item *item; /* in the order of the text */
	size_t n;
};
#define YAML_KNOWN_MAX (8u << 20) /* bytes: what is right in a shorter text has no more entries than are allowed, each
				   * of a character at least, and what ends it */

/* The root, an empty mapping for an empty file; NULL after an error that left nothing to read. known: may be NULL. */
struct yaml_node *yaml_parse(const struct seg_source *source, const struct yaml_known *known,
			     struct seg_arena *arena, struct seg_diags *diags);

/* The same with libfyaml alone, for tests that hold the two against each other. */
struct yaml_node *yaml_parse_libfyaml(const struct seg_source *source, struct seg_arena *arena,
				      struct seg_diags *diags);

/* Points at the first character of a place that an eye takes for one of YAML's marks; false: there is none. */
bool yaml_relate_wide(struct seg_diags *diags, struct seg_diag *found, const struct seg_place *place);

/* A plain empty value: "key:" with nothing behind it. */
bool yaml_is_empty(const struct yaml_node *node);

#endif
