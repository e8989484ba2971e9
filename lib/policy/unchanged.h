/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_UNCHANGED_H
#define SEG_POLICY_UNCHANGED_H

/*
 * Permits whose text has not changed since an earlier policy: found without reading them, and taken
 * over. Private to lib/policy/.
 *
 * An edit leaves what stands before it and behind it as it was. Where it lies inside the list of permits,
 * everything that a permit may refer to is the same as before; the rest of the file is read anew all the
 * same, so that only permits come from the old policy, as copies with their places moved. What cannot be
 * taken over is read: an edit outside the list, a list of addresses whose file has changed. Nothing that is
 * reported comes from here: where there is a mistake, the whole file is read again (load.c).
 */

#include "policy/loader.h"

struct unchanged {
	const struct seg_policy *before;
	struct yaml_known known; /* none: everything is read */
};

/* before: may be NULL. Lives in arena; source: the new text. */
void unchanged_find(struct unchanged *unchanged, const struct seg_policy *before,
		    const struct seg_source *source, struct seg_arena *arena);
/* Has all that was read so far, lists of addresses above all, the same text as then? */
bool unchanged_surroundings(const struct loader *ld);
/* Which: as the node says; index: the new permit's own. */
void unchanged_copy(struct loader *ld, const struct yaml_node *node, unsigned index,
		    struct seg_permit *permit);

#endif
