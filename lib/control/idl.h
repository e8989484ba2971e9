/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_CONTROL_IDL_H
#define SEG_CONTROL_IDL_H

/*
 * Varlink interface descriptions, read and held against JSON.
 *
 * The description that introspection shows is the one that parameters are checked
 * by, before a method sees them, and that the tests hold replies against. So it
 * cannot drift from what is true. Field names are kept with hyphens, as in the JSON
 * on this side of lib/control/varlink.h.
 *
 * Immutable after parsing, in one arena that it owns.
 */

#include <jansson.h>
#include <stdbool.h>
#include "base/strbuf.h"

struct seg_idl;
/* NULL where the text is no interface description; *line (may be NULL) is then the line at fault. */
struct seg_idl *seg_idl_parse(const char *text, unsigned *line);
void seg_idl_free(struct seg_idl *idl);
const char *seg_idl_name(const struct seg_idl *idl); /* "org.segd" */
bool seg_idl_has_method(const struct seg_idl *idl, const char *method);
/* The name of the i-th method in the order of the text; NULL behind the last. */
const char *seg_idl_method(const struct seg_idl *idl, size_t i);

enum seg_idl_side { SEG_IDL_PARAMETERS, SEG_IDL_REPLY, SEG_IDL_ERROR };
/* Does a value have the type that the description promises? Where not, the path of the first
 * member at fault ("policy.version", "permits[3].id") goes to `path`. Members that the description
 * does not list are faults, too. `name` is a method's, or an error's for SEG_IDL_ERROR. */
bool seg_idl_check(const struct seg_idl *idl, enum seg_idl_side side, const char *name, const json_t *value,
		   struct seg_strbuf *path);

#endif
