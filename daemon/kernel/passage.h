/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_PASSAGE_H
#define SEGD_KERNEL_PASSAGE_H

/*
 * Which devices the zones' packets pass: the zones' interfaces, and whatever those stand on, down to the last (the
 * parent of a VLAN, the ports of a bridge or bond). What takes a packet away there takes it away from the rules.
 */

#include <stddef.h>

#include "kernel/links.h"

enum seg_passage { SEG_PASSAGE_NONE, SEG_PASSAGE_BELOW, SEG_PASSAGE_ZONE };
/* By place in link; the caller frees. is_zone: whether the interface of that name is a zone's. */
typedef bool (*seg_passage_fn)(const void *context, const char *interface);
enum seg_passage *seg_passages(const struct seg_link *link, size_t n, seg_passage_fn is_zone, const void *context);

#endif
