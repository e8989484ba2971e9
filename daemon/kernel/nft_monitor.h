/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_NFT_MONITOR_H
#define SEGD_KERNEL_NFT_MONITOR_H

/*
 * Who changed the ruleset: NFNLGRP_NFTABLES notifications, one call per committed
 * transaction, with the process that committed it as far as the kernel tells.
 *
 * Who it was is told at the end of a transaction. That it is at table inet segd is called
 * out with the first message that says so: what is told is in force already, and the kernel
 * holds its commit lock until it has told all. Who asks for the lock meanwhile has it next,
 * mostly before the other hand's process ends, which holds it for long (nft_seal.c).
 *
 * It can also be asked to hear first and tell later: whether somebody has been at our table is then known without
 * reading it (nft_known.c).
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct seg_nft_transaction {
	uint32_t generation;
	uint32_t portid;        /* of the socket that committed it */
	uint32_t pid;           /* of the process; 0 unknown */
	char process[16];       /* comm: it can lie */
	bool ours;              /* touches table inet segd */
	bool keeper;            /* touches the keeper table */
	bool removes;           /* takes rules away: a way round us may be among them, the kernel does not say */
	char what[128];         /* "deleted chain forward of table inet segd", first change named, escaped */
	json_t *bypass; /* a way round us that it adds (flowtable, notrack, netdev fwd): a sentence, or NULL
			 */
};
/* The transaction is good for the call alone. */
typedef void (*seg_nft_monitor_fn)(void *context, const struct seg_nft_transaction *transaction);
/* Once a transaction whose `ours` will be true, before it is told, or once for several that were looked up. */
typedef void (*seg_nft_touched_fn)(void *context);

struct seg_nft_monitor;
/* Something is owing: seg_nft_monitor_read() wants to be called soon, though nothing need be readable. */
typedef void (*seg_nft_owing_fn)(void *context);

struct seg_nft_hearer {
	seg_nft_touched_fn touched;
	seg_nft_monitor_fn told;
	seg_nft_owing_fn owing;
	void *context;
};
int seg_nft_monitor_open(struct seg_nft_monitor **monitor, const struct seg_nft_hearer *hearer);
void seg_nft_monitor_close(struct seg_nft_monitor *monitor);
int seg_nft_monitor_fd(const struct seg_nft_monitor *monitor);
/* Whose commits are not heard, however large: the portid of our own socket. 0 or -errno. */
int seg_nft_monitor_set_hand(struct seg_nft_monitor *monitor, uint32_t portid);
/* Call when readable or owing: bounded work. 0, -ENOBUFS when notifications were lost (verify everything), or -errno. */
int seg_nft_monitor_read(struct seg_nft_monitor *monitor);

/* Reads all that is there and tells nobody: that is owing then. False: others commit faster than it reads. */
bool seg_nft_monitor_hear_all(struct seg_nft_monitor *monitor);
/* The same, as far as the transaction of this generation, or of a later one, which it then says; all that is there,
 * where that one was the hand's. */
bool seg_nft_monitor_hear(struct seg_nft_monitor *monitor, uint32_t *generation);
/* Calls out who is at our table, and tells no more: for who is busy and cannot read. */
void seg_nft_monitor_look_up(struct seg_nft_monitor *monitor);
bool seg_nft_monitor_owes(const struct seg_nft_monitor *monitor);
/* How many others have committed without touching our tables, of those that were heard from their first message to
 * their last. It wraps. */
uint32_t seg_nft_monitor_passed(const struct seg_nft_monitor *monitor);
/* Of them, those by which chains came or went. */
uint32_t seg_nft_monitor_passed_chains(const struct seg_nft_monitor *monitor);
/* Something was missed, and nobody counts as having passed. It ends once all there is has been heard, from the
 * generation on behind the one whose committer was waited for then. */
bool seg_nft_monitor_is_deaf(const struct seg_nft_monitor *monitor);
void seg_nft_monitor_hears_from(struct seg_nft_monitor *monitor, uint32_t generation);

/* The ways round us that the rules of all tables hold now, a sentence each, always the same for the same fact. */
typedef void (*seg_nft_bypass_fn)(void *context, json_t *finding); /* takes it over */
int seg_nft_find_bypass(seg_nft_bypass_fn each, void *context);

#endif
