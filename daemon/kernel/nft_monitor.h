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
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct seg_nft_transaction {
	uint32_t generation;
	uint32_t portid;        /* compare with seg_nft_portid() */
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
/* Once a transaction whose `ours` will be true, before it is told. */
typedef void (*seg_nft_touched_fn)(void *context, uint32_t portid);

struct seg_nft_monitor;
int seg_nft_monitor_open(struct seg_nft_monitor **monitor, seg_nft_touched_fn touched, seg_nft_monitor_fn fn,
			 void *context);
void seg_nft_monitor_close(struct seg_nft_monitor *monitor);
int seg_nft_monitor_fd(const struct seg_nft_monitor *monitor);
/* While paused, nothing is told: the kernel then does not even write down the messages of a large commit
 * (a fifth of its time). What others commit meanwhile shows in seg_nft_disturbed(). 0 or -errno. */
int seg_nft_monitor_pause(struct seg_nft_monitor *monitor, bool pause);
/* Call when readable: bounded work. 0, -ENOBUFS when notifications were lost (verify everything), or -errno. */
int seg_nft_monitor_read(struct seg_nft_monitor *monitor);


/* The ways round us that the rules of all tables hold now, a sentence each, always the same for the same fact. */
typedef void (*seg_nft_bypass_fn)(void *context, json_t *finding); /* takes it over */
int seg_nft_find_bypass(seg_nft_bypass_fn each, void *context);

#endif
