/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <errno.h>

/* The first rules of a base chain that need no set and no chain. */
static size_t plain_rules(const struct seg_chain *chain)
{
	for (size_t i = 0; i < chain->rules; i++)
		for (size_t j = 0; j < chain->rule[i].stmts; j++)
			if (chain->rule[i].stmt[j].set || chain->rule[i].stmt[j].action.chain)
				return i;
	return chain->rules;
}

static void put_beginning(struct seg_nft_batch *batch, const struct seg_chain *base,
			  struct seg_arena *scratch)
{
	struct seg_chain *beginning = seg_arena_copy(scratch, base, sizeof(*base));

	beginning->rules = plain_rules(base);
	seg_nft_put_chain(batch, beginning);
	seg_nft_put_flush(batch, beginning);
	seg_nft_put_rules(batch, beginning, scratch);
}

/* anew: in the place of what stands there under our name. */
static int seal(struct seg_nft *nft, const struct seg_plan *plan, struct seg_nft_claim *claim, bool anew,
		struct seg_diags *diags)
{
	struct seg_arena *scratch = seg_arena_new();
	struct seg_nft_span all[2] = {{1, 1}, {0, 0}};
	struct seg_nft_batch batch;
	int ret;

	seg_nft_batch_init(&batch, nft->seq + 1, plan->generation);
	if (anew)
		seg_nft_put_del_table(&batch, SEG_TABLE);
	if (anew || claim->needed)
		seg_nft_put_table(&batch, SEG_TABLE, claim->flags);
	for (size_t i = 0; i < plan->chains; i++)
		if (plan->chain[i]->hook != SEG_HOOK_NONE)
			put_beginning(&batch, plan->chain[i], scratch);
	nft->seq += (uint32_t)batch.origins;
	all[0].end = batch.origins;
	ret = seg_nft_batch_send(nft, &batch, all, true, diags);
	if (ret == 0 && (anew || claim->needed)) {
		seg_nft_claimed(nft, claim);
		claim->needed = false;
	}
	seg_nft_batch_fini(&batch);
	seg_arena_free(scratch);
	return ret;
}

int seg_nft_seal_claimed(struct seg_nft *nft, const struct seg_plan *plan, struct seg_nft_claim *claim,
			 struct seg_diags *diags)
{
	return seal(nft, plan, claim, false, diags);
}

/* Once the other hand's process lets go of its socket, the kernel (6.1) keeps all batches waiting until what
 * it deleted is freed, for up to an RCU grace period a set of intervals: what is asked first makes it
 * likelier that we come behind that. Where no table has an owner, to make one that may be there already is
 * right in both cases. */
static int seal_blindly(struct seg_nft *nft, const struct seg_plan *plan, struct seg_diags *diags)
{
	struct seg_nft_claim claim = {.needed = true};

	return nft->persist ? -EOPNOTSUPP : seal(nft, plan, &claim, false, diags);
}

static int look_and_seal(struct seg_nft *nft, const struct seg_plan *plan, struct seg_diags *diags)
{
	struct seg_nft_claim claim = {.needed = false};
	int ret = seg_nft_claim_table(nft, &claim, diags);

	if (ret == 0 && claim.dormant)
		ret = seg_nft_take_up(nft, &claim, diags);
	if (ret < 0)
		return ret;
	claim.needed &= !claim.orphan;
	ret = seal(nft, plan, &claim, false, diags);
	if (ret < 0) /* a chain of ours may be on another hook now, or on none */
		ret = seal(nft, plan, &claim, true, diags);
	return ret;
}

int seg_nft_seal(struct seg_nft *nft, const struct seg_plan *plan)
{
	const struct seg_nft_mark known = nft->known;
	struct seg_diags unsaid;
	int ret;

	if (seg_nft_was_last(nft))
		return 0;
	seg_diags_init(&unsaid);
	ret = seal_blindly(nft, plan, &unsaid);
	if (ret < 0)
		ret = look_and_seal(nft, plan, &unsaid);
	nft->known = known; /* of a table that was read before it was sealed, nothing is known any more */
	seg_diags_fini(&unsaid);
	return ret;
}
