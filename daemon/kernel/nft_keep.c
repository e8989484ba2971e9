/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <errno.h>

#include "plan/build.h"

/* Where nobody owns a table, and where anything is dropped at all. */
static bool wants_lock(const struct seg_nft *nft, const struct seg_plan *plan)
{
	const struct seg_chain *forward = seg_plan_chain(plan, "forward");

	return !nft->persist && forward && forward->policy_drop;
}

static int compare(struct seg_nft *nft, const struct seg_plan *keeper, struct seg_findings *findings)
{
	struct seg_plan *there;
	int ret = seg_nft_read_table_image(nft, SEG_KEEPER_TABLE, &there);

	if (ret == 0)
		seg_nft_compare_table(SEG_KEEPER_TABLE, keeper, there, findings);
	seg_plan_free(there);
	return ret;
}

static bool keeps(struct seg_nft *nft, const struct seg_plan *keeper, struct seg_arena *scratch)
{
	struct seg_findings findings = {.arena = scratch};

	return compare(nft, keeper, &findings) == 0 && !findings.n;
}

static int commit(struct seg_nft *nft, struct seg_nft_batch *batch, struct seg_diags *diags)
{
	int ret = seg_nft_batch_commit(nft, batch, diags);

	seg_nft_batch_fini(batch);
	return ret;
}

static void begin(struct seg_nft *nft, struct seg_nft_batch *batch)
{
	seg_nft_batch_init(batch, nft->seq + 1, 0);
	batch->table = SEG_KEEPER_TABLE;
}

/* Packets meet a base chain as soon as it is made, and its rules with the commit alone: it drops in a second one. */
static int make(struct seg_nft *nft, const struct seg_plan *keeper, struct seg_arena *scratch,
		struct seg_diags *diags)
{
	struct seg_nft_batch batch;
	int ret;

	begin(nft, &batch);
	/* Whatever stands there under its name goes. */
	seg_nft_put_table(&batch, SEG_KEEPER_TABLE, 0);
	seg_nft_put_del_table(&batch, SEG_KEEPER_TABLE);
	seg_nft_put_table(&batch, SEG_KEEPER_TABLE, 0);
	for (size_t i = 0; i < keeper->chains; i++) {
		struct seg_chain *open = seg_arena_copy(scratch, keeper->chain[i], sizeof(*open));

		open->policy_drop = false;
		seg_nft_put_chain(&batch, open);
		seg_nft_put_rules(&batch, open, scratch);
	}
	ret = commit(nft, &batch, diags);
	if (ret < 0)
		return ret;
	begin(nft, &batch);
	for (size_t i = 0; i < keeper->chains; i++)
		if (keeper->chain[i]->policy_drop)
			seg_nft_put_chain(&batch, keeper->chain[i]);
	return commit(nft, &batch, diags);
}

int seg_nft_keep(struct seg_nft *nft, const struct seg_plan *plan, struct seg_diags *diags)
{
	struct seg_plan *keeper = seg_plan_keeper(wants_lock(nft, plan));
	int ret = keeps(nft, keeper, keeper->arena) ? 0 : make(nft, keeper, keeper->arena, diags);

	seg_plan_free(keeper);
	return ret;
}

int seg_nft_compare_keeper(struct seg_nft *nft, const struct seg_plan *plan, struct seg_findings *findings)
{
	struct seg_plan *keeper = seg_plan_keeper(wants_lock(nft, plan));
	int ret = compare(nft, keeper, findings);

	seg_plan_free(keeper);
	return ret;
}
