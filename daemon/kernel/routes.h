/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_ROUTES_H
#define SEGD_KERNEL_ROUTES_H

/*
 * Routes that pass packets on by themselves, so that no hook of netfilter sees them: segment routing that
 * takes packets out of others (seg6local; its End.DX2 sends what it finds straight to an interface), and BPF
 * programs. The kernel cannot be asked for these alone: ten thousand routes of either family take 11 ms, the
 * Internet's half a second. So what was found last is told again until a hundred times as long as the reading
 * took has passed.
 *
 * And interfaces that take packets by labels (MPLS), which are routed apart from addresses.
 */

#include <jansson.h>
#include <stddef.h>

struct seg_routes;
/* 0 or -errno. */
int seg_routes_open(struct seg_routes **routes);
void seg_routes_close(struct seg_routes *routes); /* NULL allowed */

typedef void (*seg_routes_fn)(void *context, json_t *sentence); /* takes it over */
/* interface: existing interfaces of zones. 0, or -errno: it could not be found out. */
int seg_routes_find_bypass(struct seg_routes *routes, const char *const *interface, size_t n,
			   seg_routes_fn each, void *context);

#endif
