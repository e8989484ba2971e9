/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_STORE_REGISTRY_H
#define SEGD_STORE_REGISTRY_H

/*
 * The numbers of the permits (plan/build.h) in a file, a line each:
 *
 *	next 17 2				first number never used; lines that follow
 *	4 0 0123456789abcdef0123456789abcdef WEB	number, pair of zones * 2 + bound, digest, id
 *	16 0 89abcdef0123456789abcdef01234567 DNS
 *
 * An apply changes a few of ten thousand. They are written behind the rest:
 *
 *	change
 *	gone 0 WEB				pair of zones * 2 + bound, id
 *	17 0 fedcba9876543210fedcba9876543210 WEB
 *	next 18
 *
 * A change that the file ends in the middle of was never answered for: nobody has used its numbers, and it
 *counts as not there. Once the changes are as long as the rest, all is written anew beside the old file, and
 *renamed.
 */

#include "plan/build.h"

struct seg_registry_file {
	int dir;    /* its folder's descriptor, the caller's */
	size_t len; /* bytes of it that hold; 0: none, or not known */
	size_t all; /* those that were written in one piece */
};

/* 0 and {next: 1} where there is none. -EBADMSG: it is damaged. The registry lives in the arena. */
int seg_registry_file_load(struct seg_registry_file *file, struct seg_arena *arena,
			   struct seg_registry *registry);
/* was: what was loaded or saved last, in any order. On the disk when 0 comes back; on failure it holds what
 * it held. */
int seg_registry_file_save(struct seg_registry_file *file, const struct seg_registry *was,
			   const struct seg_registry *registry);

#endif
