/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_PLAN_DIFF_H
#define SEG_PLAN_DIFF_H

/*
 * What leads from the objects in the kernel to those of a new plan, in the three
 * steps that lose and leak no packet (HACKING.md): add new objects beside the old;
 * switch (kept sets element by element, base chains' rules); delete the old.
 *
 * Two plans of the same structure have the same generation and need only the
 * switch, in one batch. An equal plan gives an empty change.
 */

#include "plan/plan.h"

struct seg_set_change {
	const struct seg_set *set;          /* of the new plan */
	const struct seg_elem *const *add, *const *del;
	size_t adds, dels;
};

struct seg_change {
	bool empty;
	bool switches;                       /* generations differ: A and C are not empty */
	/* A */ const struct seg_set *const *new_set;   size_t new_sets;
	/* A */ const struct seg_chain *const *new_chain; size_t new_chains;
	/* B */ const struct seg_set_change *set;       size_t sets;
	/* B */ const struct seg_chain *const *base;    size_t bases;  /* flush, then these rules */
	/* C */ const struct seg_chain *const *old_chain; size_t old_chains;
	/* C */ const struct seg_set *const *old_set;   size_t old_sets;
};

/* Would the new plan fit into the old one's structure (same chains, rules, sets; only elements differ)? */
bool seg_plan_same_structure(const struct seg_plan *old, const struct seg_plan *new);
/* old NULL: an empty kernel. Lives in arena. Element timeouts differ when more than a second apart. */
struct seg_change seg_plan_diff(const struct seg_plan *old, const struct seg_plan *new, struct seg_arena *arena);

#endif
