/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>

#include <linux/netfilter/nf_conntrack_common.h>

#include "plan/build.h"
#include "plan/writer.h"

#define BEHIND_OURS (-9)

static struct seg_chain *kept_chain(struct seg_writer *w, const char *name)
{
	struct seg_chain *chain = seg_writer_chain(w, name);

	chain->kept = true;
	return chain;
}

/* One rule that names the conntrack state: who uses conntrack keeps it running, also in a chain that no packet goes
 * through. */
static void write_conntrack(struct seg_writer *w)
{
	const uint32_t zero = 0, invalid = NF_CT_STATE_INVALID_BIT;
	struct seg_rule *rule = seg_writer_rule(w, kept_chain(w, "conntrack"));

	rule->comment = "keeps connection tracking on";
	seg_rule_cmp_mask(w, rule, SEG_L_CT_STATE, &zero, &invalid, sizeof(zero), true);
}

static void write_lock(struct seg_writer *w)
{
	const uint32_t none = 0;
	struct seg_chain *forward = kept_chain(w, "forward");
	struct seg_rule *rule = seg_writer_rule(w, forward);

	forward->hook = SEG_HOOK_FORWARD;
	forward->priority = BEHIND_OURS;
	forward->policy_drop = true;
	rule->comment = "what segd lets by has a number";
	seg_rule_cmp_mask(w, rule, SEG_L_CT_MARK, &none, NULL, sizeof(none), true);
	seg_rule_verdict(w, rule, SEG_V_ACCEPT, NULL);
}

struct seg_plan *seg_plan_keeper(bool lock)
{
	struct seg_writer *w = seg_writer_new(0);

	write_conntrack(w);
	if (lock)
		write_lock(w);
	return seg_writer_finish(w);
}
