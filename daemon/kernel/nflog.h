/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_NFLOG_H
#define SEGD_KERNEL_NFLOG_H

/*
 * Refused packets from nflog: headers are attacker's input, parsed with bounds.
 *
 * One socket reads both groups of plan.h. How many packets the kernel collects
 * before it wakes us is the rule's to say (its queue threshold); here is only the
 * time after which it wakes us anyway. Totals are not counted here: the kernel
 * limits what it logs, its counters know all.
 */

#include "flow/classify.h"
#include <net/if.h>

struct seg_refused {
	char in[IFNAMSIZ], out[IFNAMSIZ]; /* "" unknown */
	bool has_mac;
	uint8_t mac[SEG_MAC_LEN];        /* Ethernet alone */
	seg_addr src, dst;
	uint8_t proto;                   /* behind IPv6's extension headers, as far as could be read */
	uint16_t sport, dport;           /* as in struct seg_packet; 0 in later fragments */
	uint8_t tcp_flags;
	bool spoofed;                    /* came by the group for spoofed packets */
	char prefix[32];                 /* of the rule that logged it */
};
typedef void (*seg_refused_fn)(void *context, const struct seg_refused *refused);

struct seg_nflog;
/* Binds both groups of plan.h. -EPERM/-EBUSY: another reader has one (said by name in *detail, static). */
int seg_nflog_open(struct seg_nflog **nflog, seg_refused_fn fn, void *context, const char **detail);
void seg_nflog_close(struct seg_nflog *nflog); /* NULL allowed */
int seg_nflog_fd(const struct seg_nflog *nflog);
int seg_nflog_read(struct seg_nflog *nflog); /* bounded; -ENOBUFS: log messages lost (totals are the counters') */
/* Packets that held no readable IP header. */
uint64_t seg_nflog_unreadable(const struct seg_nflog *nflog);
/* Exposed for the fuzzer: an IP packet's headers into the fields from src to tcp_flags; false: not readable. */
bool seg_packet_parse(const uint8_t *bytes, size_t len, struct seg_refused *refused);

#endif
