/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_PLAN_RULE_H
#define SEG_PLAN_RULE_H

/*
 * Rules and set definitions as values: completion and equality.
 *
 * A load may make sense only for some packets: `ip saddr` for IPv4, `tcp flags` for
 * TCP. nft writes the comparison that makes sure of it in front, unseen; a plan leaves
 * it out as well. A complete rule has these comparisons written out, in nft's own
 * order, so that it stands for exactly one sequence of kernel expressions: what the
 * encoder sends, what the reader finds, and what can be compared. Completing a
 * complete rule changes nothing.
 */

#include "plan/plan.h"

/* The result shares everything it can with the original. */
struct seg_rule seg_rule_complete(const struct seg_rule *rule, struct seg_arena *arena);

/* Of complete rules. Sets and chains are the same when their names are. */
bool seg_rule_equal(const struct seg_rule *a, const struct seg_rule *b);
bool seg_chain_equal(const struct seg_chain *a, const struct seg_chain *b, struct seg_arena *scratch);
bool seg_action_equal(const struct seg_action *a, const struct seg_action *b);
/* Everything but the name and the elements. */
bool seg_set_same_definition(const struct seg_set *a, const struct seg_set *b);

#endif
