/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_LOAD_H
#define SEG_POLICY_LOAD_H

/*
 * policy.yaml -> libfyaml nodes (with line and column) -> struct seg_policy.
 *
 * Collects every diagnostic of a run. The model is returned only when there was
 * no error; diags holds the sources and the places a policy refers to, and must
 * outlive it. No clock: warnings that need today's date are policy/advice.h's.
 *
 * Reading files is the one thing done through a callback, so that a stored
 * version (whose lists come from the store) and a fuzzer (no files) load the same way.
 */

#include "policy/policy.h"

struct seg_reader {
	/* Text of a file named in the policy (relative names are relative to the policy's folder),
	 * on the heap, NUL-ended; NULL and *error (a static or strerror text) on failure. */
	char *(*read)(void *context, const char *path, size_t *len, const char **error);
	/* What a person does about a file that was not read, on the heap; NULL: nothing special. May be NULL. */
	char *(*advise)(void *context, const char *path);
	void *context;
};

#define SEG_POLICY_MAX_BYTES (64u << 20)

/* name: as shown in diagnostics. */
struct seg_policy *seg_policy_load(const char *name, const char *text, size_t len,
				   const struct seg_reader *reader, struct seg_diags *diags);
/*
 * The same policy, at less cost where the text is mostly that of an earlier one: permits whose text has not
 * changed are copied from there (policy/unchanged.h). before: with its sources; NULL: none. diags:
 * begun, and still empty.
 */
struct seg_policy *seg_policy_reload(const struct seg_policy *before, const char *name, const char *text,
				     size_t len, const struct seg_reader *reader, struct seg_diags *diags);
/* For the daemon. Reads the file and its lists from disk: regular files alone, so that no pipe without a writer holds a
 * daemon up. before and diags: as above. */
struct seg_policy *seg_policy_load_file(const struct seg_policy *before, const char *path,
					struct seg_diags *diags);
/* The same for a person who can wait: a pipe or a terminal will do for the policy, "-" is standard input. */
struct seg_policy *seg_policy_load_stream(const char *path, struct seg_diags *diags);

#endif
