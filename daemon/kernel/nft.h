/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_NFT_H
#define SEGD_KERNEL_NFT_H

/*
 * The thin edge to nf_tables: brings the table "inet segd" from one plan to
 * another, reads it back, and owns it where the kernel can (OWNER and PERSIST,
 * 6.9). No decision is taken here.
 *
 * One netlink socket for all commits, because ownership belongs to the socket;
 * it may come from systemd's descriptor store and be put there. Dumps use a
 * socket of their own.
 *
 * Every function returns 0 or a negative errno. A refusal by the kernel is also
 * put into diags (code SEG_KERNEL), at the place of the permit whose rule or
 * element the kernel named (extended ACK offset), with what the kernel said.
 */

#include "plan/diff.h"

struct seg_nft;

/* Who hears of what a commit takes away from sets that count: each element, with its counter as it stood when packets
 * no longer found it. Within the commit, and only of one that succeeds. */
struct seg_nft_left {
	void (*each)(void *context, const struct seg_set *set, const struct seg_elem *elem);
	void *context;
};

enum seg_ownership { SEG_UNOWNED, SEG_OWNED, SEG_OWNED_PERSIST };

/* fd: a socket kept from an earlier life, or -1. Probes what the kernel offers. */
int seg_nft_open(struct seg_nft **nft, int fd);
void seg_nft_close(struct seg_nft *nft); /* rules stay (a table owned without persist is never made) */
int seg_nft_fd(const struct seg_nft *nft);             /* for the descriptor store */
/* Who hears what others commit, so that what they do elsewhere is no reason to read our table. The monitor outlives
 * nft, and does not hear its hand from now on. 0 or -errno. */
struct seg_nft_monitor;
int seg_nft_attend(struct seg_nft *nft, struct seg_nft_monitor *monitor);
/* Calls out who is at our table, where somebody can be, before or within work that takes long. */
void seg_nft_look_up(struct seg_nft *nft);
enum seg_ownership seg_nft_ownership(const struct seg_nft *nft);

/* Goes from one plan to another: dry run first (where there is more than one batch, and something
 * in force), then the batches of plan/diff.h. With owner and persist
 * available the table is created or adopted (flags 6). Also keeps the keeper table. A table that was there and
 * is gone (somebody's flush) is sealed first of all: nothing crosses until its rules are back.
 * On failure before the switch nothing else has changed; leftovers of A are removed again.
 * left: NULL, nobody. Of more than SEG_NFT_LEFT_MAX elements (fewer where the receive buffer is small), or of a set
 * or table that goes as a whole, nothing is heard. */
#define SEG_NFT_LEFT_MAX 8192
int seg_nft_commit(struct seg_nft *nft, const struct seg_change *change, const struct seg_nft_left *left,
		   struct seg_diags *diags);

/* A foreign hand has been at the table: its base chains as they are in plan, up to the first rule that asks a set or
 * another chain (loopback passes), and nothing behind. Until the next commit, which finds out what was done and takes a
 * large policy a second, nothing crosses, whatever was put in front of our rules or into our sets. The table is made
 * where it has gone, and replaced where it holds what no base chain can stand beside. 0 also where nothing needs to be
 * done: nobody can be at it, or a commit of ours came behind them. */
int seg_nft_seal(struct seg_nft *nft, const struct seg_plan *plan);

/* What packets have put into the maps of plan goes, and what somebody else may have put beside it; nothing else changes.
 * Fails where the table is not as in plan. */
int seg_nft_forget(struct seg_nft *nft, const struct seg_plan *plan);

/* True where nobody can have touched our table since our last commit, by owning it or because all that was committed
 * since was heard, and went elsewhere: what ours made is what stands, but for elements whose timeout is over. */
bool seg_nft_untouched(struct seg_nft *nft);
/* Behind a commit, also one that failed: true where somebody else may have been at our tables since the table was read
 * that it began from, or since the commit before. The monitor may have missed it, and ours knew nothing of it. */
bool seg_nft_disturbed(struct seg_nft *nft);

/* What is in the kernel, as a plan: sets with their elements (dynamic ones without), chains with
 * rules. It is whole, whatever others commit meanwhile elsewhere (-EINTR: to our tables, or nobody heard it).
 * *image NULL and 0 where the table is not there. Rules that hold expressions segd never writes become a rule
 * with no statement and the kernel's text as comment, so that they differ from any of ours. */
int seg_nft_read(struct seg_nft *nft, struct seg_plan **image);
/* The differences between what should be and what is, as sentences: kinds as in cli.md (verify). */
struct seg_finding {
	const char *kind;   /* "missing", "extra", "changed" */
	const char *object; /* "set fast", "chain forward", "element 10.1.0.20 . ... (SC-13)" */
	const char *detail;
};
struct seg_findings {
	struct seg_finding *finding;
	size_t n;
	struct seg_arena *arena;
};
/* Adds to findings (its arena is the caller's), at most 100 and then how many more. have NULL: nothing is there. */
void seg_nft_compare(const struct seg_plan *want, const struct seg_plan *have, struct seg_findings *findings);
/* The same of the keeper table, as it should be beside plan. */
int seg_nft_compare_keeper(struct seg_nft *nft, const struct seg_plan *plan, struct seg_findings *findings);

/* Counters of one set's elements, as they are now. */
typedef void (*seg_counter_fn)(void *context, const struct seg_elem *elem);
int seg_nft_read_elements(struct seg_nft *nft, const struct seg_set *set, seg_counter_fn each, void *context);
/* Of the one with this key, not an interval; 0 also where there is none. */
int seg_nft_read_element(struct seg_nft *nft, const struct seg_set *set, const uint8_t *key, seg_counter_fn each,
			 void *context);

/*
 * The same in slices, for sets that are large: the kernel begins a dump anew for each piece, so that the
 * whole takes it a time that grows with the square of the elements. A slice is one piece (32 KiB, some 300
 * elements, 4 ms where 65,536 stand before it), on a socket that is the walk's alone.
 *
 * Packets go on counting, and make elements and end them meanwhile: an element may then be shown twice, or
 * not at all. The set is one without intervals; it need not outlive the call.
 */
struct seg_nft_walk;
int seg_nft_walk_start(const struct seg_nft *nft, const struct seg_set *set, struct seg_nft_walk **walk);
int seg_nft_walk_fd(const struct seg_nft_walk *walk); /* readable: the next slice is there */
/* One slice. 1: it was the last; 0: more to come; -EAGAIN: not there yet; -EINTR: it was the last, but somebody
 * changed the ruleset meanwhile; another -errno: it ends here. */
int seg_nft_walk_read(struct seg_nft_walk *walk, seg_counter_fn each, void *context);
void seg_nft_walk_close(struct seg_nft_walk *walk); /* NULL allowed; at any time but from within each */

/* Takes table and keeper out (segctl disarm). */
int seg_nft_remove(struct seg_nft *nft);

#endif
