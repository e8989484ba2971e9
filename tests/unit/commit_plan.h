/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_TEST_COMMIT_PLAN_H
#define SEG_TEST_COMMIT_PLAN_H

/*
 * From one plan to another in the kernel, as the engine does it.
 */

#include "kernel/nft.h"
#include "plan/diff.h"

static inline int commit_plan(struct seg_nft *nft, const struct seg_plan *old, const struct seg_plan *new,
			      const struct seg_nft_left *left, struct seg_diags *diags)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_change change = seg_plan_diff(old, new, arena);
	int ret = seg_nft_commit(nft, &change, left, diags);

	seg_arena_free(arena);
	return ret;
}

#endif
