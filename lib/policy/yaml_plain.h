/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_YAML_PLAIN_H
#define SEG_POLICY_YAML_PLAIN_H

/*
 * The plain lines that most policies consist of, read without libfyaml: at a tenth of its cost, which is
 * most of what loading costs. Private to yaml*.c.
 *
 * Block mappings and sequences with simple keys, flow collections, scalars in one line, quoted ones without
 * escapes, comments. At whatever else, and at every doubt, it gives up and says nothing: libfyaml reads
 * the text then, and is the one who finds mistakes. What is read here gives the same tree as there, down to
 * the places: tests/unit/test_yaml.c and tests/fuzz/fuzz_yaml.c hold the two against each other.
 */

#include "policy/yaml_tree.h"

/* Neither a tab, nor another kind of line break, nor a mark without width. */
static inline bool yaml_plain_allows(uint32_t code)
{
	return code != '\t' && code != '\r' && code != 0x2028 && code != 0x2029 && code != 0xfeff &&
	       code != 0xfffe && code != 0xffff;
}

/* False: given up, and the tree is of no use. The text has characters that are allowed alone, and no NUL. */
bool yaml_plain_read(struct yaml_tree *tree);

#endif
