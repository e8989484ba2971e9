/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_BPF_H
#define SEGD_KERNEL_BPF_H

/*
 * The thin edge to bpf(2), which alone tells of programs that sit on an interface beside its qdiscs: netlink shows
 * neither those of tcx (6.6) nor those of netkit (6.7). CAP_NET_ADMIN is enough.
 */

/* enum bpf_attach_type of linux/bpf.h, 6.7: Debian 12's headers (6.1) have none of them. */
enum seg_bpf_hook {
	SEG_BPF_TCX_INGRESS = 46,
	SEG_BPF_TCX_EGRESS = 47,
	SEG_BPF_NETKIT_PRIMARY = 54,
	SEG_BPF_NETKIT_PEER = 55
};
/* How many programs there are, or -errno: -EINVAL or -ENOSYS where this kernel knows no such hook, -EPERM where it
 * does not tell, -ENODEV, -ENXIO, -EACCES where the interface has none. */
int seg_bpf_programs(int interface, enum seg_bpf_hook hook);

#endif
