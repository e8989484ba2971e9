/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_SYSCTL_H
#define SEGD_KERNEL_SYSCTL_H

/*
 * Settings under /proc/sys, of the network namespace the process runs in.
 */

#include <stddef.h>

/* A number. name: "net/netfilter/nf_conntrack_max". 0 or -errno (-ENOENT: no such setting, or its module is not loaded). */
int seg_sysctl_read(const char *name, long *value);
/* A text: its first line. */
int seg_sysctl_read_text(const char *name, char *text, size_t size);
/* Writes only where the value differs. */
int seg_sysctl_write(const char *name, long value);

#endif
