// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/bpf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int seg_bpf_programs(int interface, enum seg_bpf_hook hook)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr)); /* whole: the kernel refuses what it does not know and is not 0 */
	attr.query.target_fd = (uint32_t)interface; /* newer headers' target_ifindex, in the same place */
	attr.query.attach_type = hook;
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) < 0)
		return -errno;
	return (int)attr.query.prog_cnt;
}
