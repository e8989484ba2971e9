/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"
#include "base/i18n.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MANY_ELEMENTS 4096
/* What an element that is told takes of a receive buffer: 13 and more share 4.3 KiB. */
#define TOLD_SIZE 512

/*
 * One buffer holds everything:
 *
 *   [begin][A: chains, sets, rules | elements][B: switch][numbers that end][C: delete]
 *
 * Interval sets show their new elements only some milliseconds after the transaction that brings them. A
 * number that ends in the same one would leave its open flows in between: it no longer carries them, and the
 * permit that covers them now is not seen yet. So where such elements come, numbers end in a transaction
 * behind theirs.
 *
 * The dry run sends it without an end, but leaves out the elements of new sets, nearly all the work of a
 * large policy: A is one transaction that nothing in use depends on, and so is their dry run as it is. The
 * same goes for many elements of kept sets: B is one transaction, and where it fails, A goes again. Then each
 * part that is not empty is sent by itself, between the begin and an end of its own.
 *
 * A table that must be replaced goes and comes in one batch, A and B together: nobody's rules would be in
 * force between two of them.
 */
struct commit {
	struct seg_nft *nft;
	const struct seg_plan *old, *new;
	struct seg_change change;
	struct seg_nft_claim claim;
	struct seg_nft_batch batch;
	size_t add, elements, replace, bases, numbers, delete, end; /* the first message of each part */
	size_t changed;						    /* elements of kept sets */
	uint64_t beginning; /* of the plan, ms since boot; 0: it is not dated */
	const struct seg_nft_left *left;
	struct seg_arena *arena;
	struct seg_diags *diags;
};

static void put_set_elems(struct commit *c, const struct seg_set *set)
{
	const struct seg_elem **elem;

	if (set->dynamic || !set->elems)
		return;
	elem = SEG_NEW_N(c->arena, const struct seg_elem *, set->elems);
	for (size_t i = 0; i < set->elems; i++)
		elem[i] = &set->elem[i];
	seg_nft_put_elems(&c->batch, set, elem, set->elems, true);
}

/* Rules name chains and sets. Elements come last: binding a rule to a map walks through all it holds. */
static void encode_add(struct commit *c)
{
	const struct seg_change *change = &c->change;

	if (change->replace)
		seg_nft_put_del_table(&c->batch, SEG_TABLE);
	if (change->replace || c->claim.needed)
		seg_nft_put_table(&c->batch, SEG_TABLE, c->claim.flags);
	for (size_t i = 0; i < change->new_chains; i++)
		seg_nft_put_chain(&c->batch, change->new_chain[i]);
	for (size_t i = 0; i < change->new_sets; i++)
		seg_nft_put_set(&c->batch, change->new_set[i]);
	for (size_t i = 0; i < change->new_chains; i++)
		seg_nft_put_rules(&c->batch, change->new_chain[i], c->arena);
	c->elements = c->batch.origins;
	for (size_t i = 0; i < change->new_sets; i++)
		put_set_elems(c, change->new_set[i]);
}

static bool brings_intervals(const struct seg_change *change)
{
	for (size_t i = 0; i < change->sets; i++)
		if (change->set[i].set->interval && change->set[i].adds)
			return true;
	return false;
}

/* Sets of numbers in force: what goes from them ends open flows. */
static bool is_of_numbers(const struct seg_set *set)
{
	return set->kept && set->timeout && !set->dynamic && set->data == SEG_DATA_NONE;
}

static int by_key(const void *a, const void *b, void *set)
{
	const struct seg_elem *const *x = a, *const *y = b;

	return memcmp((*x)->key, (*y)->key, ((const struct seg_set *)set)->key_len);
}

/* Elements that go and do not come again, in front; returns how many. */
static size_t part_ends(struct commit *c, const struct seg_set_change *set, const struct seg_elem **del)
{
	const struct seg_elem **add = SEG_NEW_N(c->arena, const struct seg_elem *, set->adds + 1);
	size_t ends = 0, rest = set->dels;

	for (size_t i = 0; i < set->adds; i++)
		add[i] = set->add[i];
	qsort_r(add, set->adds, sizeof(*add), by_key, (void *)set->set);
	for (size_t i = 0; i < set->dels; i++) {
		const struct seg_elem *elem = set->del[i], *const *again = NULL;

		for (size_t lo = 0, hi = set->adds; lo < hi && !again;) {
			size_t at = lo + (hi - lo) / 2;
			int order = by_key(&elem, &add[at], (void *)set->set);

			if (!order)
				again = &add[at];
			else if (order < 0)
				hi = at;
			else
				lo = at + 1;
		}
		if (again)
			del[--rest] = elem;
		else
			del[ends++] = elem;
	}
	return ends;
}

/* What goes from a set: of numbers the one half or the other, of all else everything, which ends nothing. */
static void put_dels(struct commit *c, const struct seg_set_change *set, bool ends)
{
	const struct seg_elem **del;
	size_t n;

	if (!is_of_numbers(set->set)) {
		if (!ends)
			seg_nft_put_elems(&c->batch, set->set, set->del, set->dels, false);
		return;
	}
	del = SEG_NEW_N(c->arena, const struct seg_elem *, set->dels + 1);
	n = part_ends(c, set, del);
	seg_nft_put_elems(&c->batch, set->set, ends ? del : del + n, ends ? n : set->dels - n, false);
}

static void encode_numbers(struct commit *c)
{
	c->numbers = c->batch.origins;
	for (size_t i = 0; brings_intervals(&c->change) && i < c->change.sets; i++)
		put_dels(c, &c->change.set[i], true);
}

static void encode_switch(struct commit *c)
{
	const struct seg_change *change = &c->change;
	bool ends_later = brings_intervals(change);

	if (change->forgets)
		seg_nft_put_forget(&c->batch, c->new);
	for (size_t i = 0; i < change->sets; i++) {
		const struct seg_set_change *set = &change->set[i];

		if (ends_later)
			put_dels(c, set, false);
		else
			seg_nft_put_elems(&c->batch, set->set, set->del, set->dels, false);
		seg_nft_put_elems(&c->batch, set->set, set->add, set->adds, true);
		c->changed += set->adds + set->dels;
	}
	c->bases = c->batch.origins;
	for (size_t i = 0; i < change->bases; i++) {
		if (change->base[i]->hook != SEG_HOOK_NONE)
			seg_nft_put_chain(&c->batch, change->base[i]);
		seg_nft_put_flush(&c->batch, change->base[i]);
		seg_nft_put_rules(&c->batch, change->base[i], c->arena);
	}
}

/* Rules first, then the maps whose elements name chains, then the chains. */
static void encode_delete(struct seg_nft_batch *batch, uint32_t generation,
			  const struct seg_chain *const *chain, size_t chains,
			  const struct seg_set *const *set, size_t sets)
{
	batch->generation = generation;
	for (size_t i = 0; i < chains; i++)
		seg_nft_put_flush(batch, chain[i]);
	for (size_t i = 0; i < sets; i++)
		seg_nft_put_del_set(batch, set[i]);
	for (size_t i = 0; i < chains; i++)
		seg_nft_put_del_chain(batch, chain[i]);
}

/* Of a clock that nobody sets, and that goes on while the machine sleeps. */
static uint64_t boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A plan counts in whole seconds and takes a while to be made; what ends in the kernel ends on time. A plan
 * whose beginning is not now (a clock that was set, a test's) is taken as it is. */
static uint64_t beginning_of(const struct seg_plan *plan)
{
	struct timespec now;
	int64_t late;

	clock_gettime(CLOCK_REALTIME, &now);
	late = (int64_t)(now.tv_sec - plan->at) * 1000 + now.tv_nsec / 1000000;
	return plan->at && late >= 0 && late < 60000 ? boot_ms() - (uint64_t)late : 0;
}

struct leaving {
	const struct seg_nft_left *left;
	const struct seg_set *set;
};

static void one_left(void *context, const struct seg_elem *elem)
{
	const struct leaving *leaving = context;

	leaving->left->each(leaving->left->context, leaving->set, elem);
}

static void told(void *context, const struct nlmsghdr *nlh)
{
	struct commit *c = context;
	const struct nlattr *attr;
	const char *name = "";

	if ((nlh->nlmsg_type & 0xff) != NFT_MSG_DELSETELEM)
		return;
	seg_attr_each(attr, nlh, sizeof(struct nfgenmsg))
		if (seg_attr_type(attr) == NFTA_SET_ELEM_LIST_SET)
			name = mnl_attr_get_str(attr);
	for (size_t i = 0; i < c->change.sets; i++) {
		struct leaving leaving = {c->left, c->change.set[i].set};

		if (leaving.set->counter && strcmp(leaving.set->name, name) == 0)
			seg_nft_notified_elems(nlh, leaving.set, c->arena, one_left, &leaving);
	}
}

/* Elements that our socket has room for, with the answer behind them, without which a commit would pass for
 * failed. The buffer may be the system's, where nobody may ask for more. */
static size_t room_to_be_told(const struct seg_nft *nft)
{
	socklen_t len = sizeof(int);
	int size = 0;

	if (getsockopt(seg_nft_fd(nft), SOL_SOCKET, SO_RCVBUF, &size, &len) < 0 || size < 0)
		return 0;
	return (size_t)size / TOLD_SIZE;
}

/* The kernel keeps a page for each until it has told all. */
static bool wants_to_be_told(const struct commit *c)
{
	size_t leaving = 0;

	for (size_t i = 0; i < c->change.sets; i++)
		leaving += c->change.set[i].set->counter ? c->change.set[i].dels : 0;
	return c->left && leaving && leaving <= SEG_NFT_LEFT_MAX && leaving <= room_to_be_told(c->nft);
}

static void encode(struct commit *c)
{
	const struct seg_change *change = &c->change;

	seg_nft_batch_init(&c->batch, c->nft->seq + 1, c->new->generation);
	c->batch.told = wants_to_be_told(c) ? told : NULL;
	c->batch.context = c;
	c->beginning = beginning_of(c->new);
	c->add = c->batch.origins;
	encode_add(c);
	c->replace = c->batch.origins;
	encode_switch(c);
	encode_numbers(c);
	c->delete = c->batch.origins;
	if (c->old && !change->replace)
		encode_delete(&c->batch, c->old->generation, change->old_chain, change->old_chains,
			      change->old_set, change->old_sets);
	c->end = c->batch.origins;
	c->nft->seq += (uint32_t)c->end;
}

static int send_spans(struct commit *c, const struct seg_nft_span span[2], bool commit)
{
	if (span[0].first == span[0].end && span[1].first == span[1].end)
		return 0;
	return seg_nft_batch_send(c->nft, &c->batch, span, commit, c->diags);
}

/* Elements that go by themselves may be gone before we take them out, and the kernel refuses to take out what
 * is not there. It knows no other reason not to let numbers go. */
static bool may_have_ended(const struct commit *c)
{
	for (size_t i = 0; i < c->change.sets; i++)
		for (size_t j = 0; j < c->change.set[i].dels; j++)
			if (c->change.set[i].del[j]->timeout_ms)
				return true;
	return false;
}

/* A change that is one transaction is its own dry run, and where nothing of ours is in force, or only what
 * seals, there is nothing that half a change could harm. A refused batch makes the kernel wait until all
 * processors have let go of what it held (10 to 30 ms): no small part of what a removed table takes to come
 * back. */
static bool needs_no_dry_run(const struct commit *c)
{
	const bool adds = c->add < c->replace, switches = c->replace < c->numbers,
		   ends = (c->numbers < c->delete) && may_have_ended(c), deletes = c->delete < c->end;

	return adds + switches + ends + deletes < 2 || c->change.replace || !c->old || !c->old->sets;
}

static int dry_run(struct commit *c)
{
	size_t second = c->changed > MANY_ELEMENTS ? c->bases : c->replace;

	if (needs_no_dry_run(c))
		return 0;
	return send_spans(c, (struct seg_nft_span[2]){{c->add, c->elements}, {second, c->end}}, false);
}

static int send_part(struct commit *c, size_t first, size_t end)
{
	seg_nft_look_up(c->nft);
	seg_nft_batch_late(&c->batch, c->beginning ? boot_ms() - c->beginning : 0);
	return send_spans(c, (struct seg_nft_span[2]){{first, end}, {0, 0}}, true);
}

/* The switch failed: what was added goes again, the table too where it was. Its own failure adds nothing to
 * say. */
static void undo_add(struct commit *c)
{
	const struct seg_change *change = &c->change;
	struct seg_nft_batch batch;

	seg_nft_batch_init(&batch, c->nft->seq + 1, c->new->generation);
	if (c->claim.needed)
		seg_nft_put_del_table(&batch, SEG_TABLE);
	else
		encode_delete(&batch, c->new->generation, change->new_chain, change->new_chains,
			      change->new_set, change->new_sets);
	if (seg_nft_batch_commit(c->nft, &batch, NULL) == 0 && c->claim.needed)
		c->nft->ownership = SEG_UNOWNED;
	seg_nft_batch_fini(&batch);
}

/* The table, as far as it must be there before what goes into it. */
static int claim(struct commit *c)
{
	int ret = seg_nft_claim_table(c->nft, &c->claim, c->diags);
	bool was_there = c->nft->generation > 0;

	if (ret < 0)
		return ret;
	if (c->claim.orphan || c->claim.dormant)
		return seg_nft_take_up(c->nft, &c->claim, c->diags);
	/* Somebody took it away, and everything passes until its rules are back. */
	return c->claim.needed && was_there ? seg_nft_seal_claimed(c->nft, c->new, &c->claim, c->diags) : 0;
}

static int run(struct commit *c)
{
	int ret;

	c->nft->left.at = 0;
	ret = dry_run(c);
	if (ret == 0)
		ret = send_part(c, c->add, c->change.replace ? c->delete : c->replace);
	if (ret < 0)
		return ret;
	if (c->claim.needed)
		seg_nft_claimed(c->nft, &c->claim);
	if (!c->change.replace)
		ret = send_part(c, c->replace, c->numbers);
	if (ret < 0) {
		undo_add(c);
		return ret;
	}
	c->nft->generation = c->new->generation;
	c->diags = NULL;
	/* The new permits are in force. Should a number not end, the table is looked at as a whole, and
	 * mended. */
	if (!c->change.replace && send_part(c, c->numbers, c->delete) < 0)
		c->nft->incomplete = true;
	/* The new rules are in force. What is left of the old goes with the next commit, which finds it. */
	if (send_part(c, c->delete, c->end) == 0 && !c->nft->incomplete)
		c->nft->left = c->nft->known;
	return 0;
}

int seg_nft_commit(struct seg_nft *nft, const struct seg_change *change, const struct seg_nft_left *left,
		   struct seg_diags *diags)
{
	struct seg_arena *arena = seg_arena_new();
	struct commit c = {.nft = nft,
			   .old = change->from,
			   .new = change->to,
			   .change = *change,
			   .left = left,
			   .arena = arena,
			   .diags = diags};
	size_t said = diags->errors;
	int ret;

	nft->incomplete = false;
	ret = nft->known.at ? 0 : seg_nft_mark(nft, &nft->known);
	if (ret == 0)
		ret = claim(&c);
	if (ret == 0)
		ret = seg_nft_holds(nft, &nft->left) ? 0 : seg_nft_keep(nft, change->to, diags);
	if (ret < 0)
		goto out;
	if (c.change.empty && !c.claim.needed)
		goto out;
	encode(&c);
	ret = run(&c);
	seg_nft_batch_fini(&c.batch);
out:
	if (ret < 0 && diags->errors == said)
		seg_error(diags, SEG_KERNEL, (struct seg_place){0}, N_("the rules could not be changed: %s"),
			  strerror(-ret));
	seg_arena_free(arena);
	return ret;
}

int seg_nft_forget(struct seg_nft *nft, const struct seg_plan *plan)
{
	struct seg_nft_batch batch;
	int ret;

	seg_nft_batch_init(&batch, nft->seq + 1, plan->generation);
	seg_nft_put_forget(&batch, plan);
	ret = seg_nft_batch_commit(nft, &batch, NULL);
	seg_nft_batch_fini(&batch);
	return ret;
}
