/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_PLAN_DIFF_H
#define SEG_PLAN_DIFF_H

/*
 * What leads from the objects in the kernel to those of a new plan, in the three
 * steps that lose and leak no packet (HACKING.md): add new objects beside the old;
 * switch (kept sets element by element, base chains' rules); delete the old.
 *
 * Two plans of the same structure have the same generation and need only the
 * switch, in one batch. An equal plan gives an empty change. Objects are matched by
 * their names in the kernel, so that leftovers of other generations in an image are
 * deleted too; a chain whose rules somebody else changed is refilled.
 *
 * What cannot be changed in place (a set of another definition, a base chain on another
 * hook stands under a name of ours: somebody else's, or another version's of segd) can
 * only be replaced together with the whole table, in one batch, which a packet may notice.
 */

#include "plan/plan.h"

struct seg_set_change {
	const struct seg_set *set;          /* of the new plan */
	const struct seg_elem *const *add, *const *del;
	size_t adds, dels;
};

struct seg_change {
	const struct seg_plan *from, *to;    /* from NULL: an empty kernel */
	bool empty;
	bool switches;                       /* A or C is not empty */
	bool replace;                        /* delete the table; the rest is as from an empty kernel */
	/* A */ const struct seg_set *const *new_set;   size_t new_sets;
	/* A */ const struct seg_chain *const *new_chain; size_t new_chains; /* no base chains */
	/* B */ bool forgets;                /* what packets have put into maps goes; see below */
	/* B */ const struct seg_set_change *set;       size_t sets;
	/* B */ const struct seg_chain *const *base;    size_t bases;  /* make where missing, flush, these rules */
	/* C */ const struct seg_chain *const *old_chain; size_t old_chains;
	/* C */ const struct seg_set *const *old_set;   size_t old_sets;
};

/* Would the new plan fit into the old one's structure (same chains, rules, sets; only elements differ)? */
bool seg_plan_same_structure(const struct seg_plan *old, const struct seg_plan *new);
/* old NULL: an empty kernel. Lives in arena, borrows both plans. Elements that end more than a second and a half apart differ. */
struct seg_change seg_plan_diff(const struct seg_plan *old, const struct seg_plan *new, struct seg_arena *arena);

/* A map that packets fill (plan/recent.c). */
bool seg_set_is_taught(const struct seg_set *set);
/* What packets have put into maps decides about others, and no plan says what it should be: where somebody else may have
 * been at the table it goes with the change, which is not empty then. Of maps that stay, others are new or go. */
void seg_change_forget(struct seg_change *change);

/* How much later the timeouts of one plan began to run than those of another. */
int64_t seg_plan_later_ms(const struct seg_plan *old, const struct seg_plan *new);
/* One set's elements; false: none to change. An element that only changed keeps its counters. */
bool seg_set_diff(const struct seg_set *old, const struct seg_set *new, int64_t later_ms,
		  struct seg_arena *arena, struct seg_set_change *change);
bool seg_elem_same_key(const struct seg_set *set, const struct seg_elem *a, const struct seg_elem *b);

#endif
