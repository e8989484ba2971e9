/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_NFLOG_H
#define SEGD_KERNEL_NFLOG_H

/*
 * Refused packets from nflog: headers are attacker's input, parsed with bounds.
 */

#include "flow/classify.h"
#include <net/if.h>

struct seg_refused {
	char in[IFNAMSIZ], out[IFNAMSIZ]; /* "" unknown */
	bool has_mac;
	uint8_t mac[SEG_MAC_LEN];
	seg_addr src, dst;
	uint8_t proto;
	uint16_t sport, dport;           /* as in struct seg_packet */
	uint8_t tcp_flags;
	bool spoofed;                    /* came by the group for spoofed packets */
	char prefix[32];                 /* of the rule that logged it */
};
typedef void (*seg_refused_fn)(void *context, const struct seg_refused *refused);

struct seg_nflog;
/* Binds both groups of plan.h. -EPERM/-EBUSY: another reader has one (said by name in *detail, static). */
int seg_nflog_open(struct seg_nflog **nflog, seg_refused_fn fn, void *context, const char **detail);
void seg_nflog_close(struct seg_nflog *nflog);
int seg_nflog_fd(const struct seg_nflog *nflog);
int seg_nflog_read(struct seg_nflog *nflog); /* bounded; -ENOBUFS: log messages lost (totals are the counters') */
/* Exposed for the fuzzer: an IP packet's headers; false: not readable. */
bool seg_packet_parse(const uint8_t *bytes, size_t len, struct seg_refused *refused);

#endif
