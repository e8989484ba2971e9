/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_STORE_STATE_FILE_H
#define SEGD_STORE_STATE_FILE_H

/*
 * What decides a start, and nothing else says: so it is kept twice.
 *
 * state.json is written first, and its copy behind that, each as a whole (file.h). At any moment one of them is
 * whole and as it was saved last, or was before a save that did not come to its end. A disk or a hand that takes
 * one of them takes nothing from what is known.
 *
 * Functions return 0 or a negative errno.
 */

#include "store.h"

#define SEG_STATE_FILE "state.json"
#define SEG_STATE_COPY "state.json.copy"

/* original, copy: 0, or why that one could not be read (of the copy also -ESTALE: it is whole, and older). -ENOENT:
 * neither is there; another: neither can be read, and the state is all zero. */
int seg_state_file_load(int dir, struct seg_state *state, int *original, int *copy);
/* copy: 0, or why that alone could not be written. */
int seg_state_file_save(int dir, const struct seg_state *state, int *copy);
/* What cannot be read may be whole, and only somebody else's: under another name, not written over. */
void seg_state_file_put_aside(int dir);

#endif
