/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_XTABLES_H
#define SEGD_KERNEL_XTABLES_H

/*
 * The tables that iptables had before nf_tables, of which iptables-legacy still makes some. No notification
 * tells of them and no nft shows them: they are read, and their rules told from each other by their targets
 * (ways.h). A table that is merely there, or filters, is nothing to be told.
 *
 * To ask the kernel for a table's rules makes the table, so only those that are there are asked for. Their
 * names are root's to read. Whoever is not root asks for those whose module is loaded, which is what whoever
 * has such a table needs, and may so make an empty one; a kernel that has them built in tells him of none.
 *
 * The sockets that ask are made before the filter of system calls forbids their family. They are bound to lo,
 * which only CAP_NET_RAW undoes: nothing leaves by them.
 */

#include <jansson.h>
#include <stddef.h>
#include <linux/netfilter_ipv4/ip_tables.h>

struct seg_xtables;
/* 0 or -errno. */
int seg_xtables_open(struct seg_xtables **xtables);
void seg_xtables_close(struct seg_xtables *xtables); /* NULL allowed */

typedef void (*seg_xtables_fn)(void *context, json_t *sentence); /* takes it over */
/* Each way that a rule makes, once a chain. 0, or -errno: it could not be found out. */
int seg_xtables_find_bypass(const struct seg_xtables *xtables, seg_xtables_fn each, void *context);

/* For the search and its tests: what the rules of one table do. family: AF_INET or AF_INET6. info: its name
 * and where its chains begin; rules: info->size bytes, as the kernel gave them. -EBADMSG: they are none. */
int seg_xtables_read_rules(int family, const struct ipt_getinfo *info, const void *rules, seg_xtables_fn each,
			   void *context);

#endif
