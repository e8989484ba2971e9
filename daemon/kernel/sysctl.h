/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_SYSCTL_H
#define SEGD_KERNEL_SYSCTL_H

/*
 * Numbers under /proc/sys, of the network namespace the process runs in.
 */

/* name: "net/netfilter/nf_conntrack_max". 0 or -errno (-ENOENT: no such setting, or its module is not loaded). */
int seg_sysctl_read(const char *name, long *value);
/* Writes only where the value differs. */
int seg_sysctl_write(const char *name, long value);

#endif
