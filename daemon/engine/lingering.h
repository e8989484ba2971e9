/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_LINGERING_H
#define SEGD_LINGERING_H

/*
 * Dead numbers of flows that live on. A commit took the number out of force, and another one covers the
 * flow: its next packet brings it, but a flow that stays idle keeps the mark that it has. What it lives by
 * now is whoever covers it, so that what takes from him must look for the dead number, too.
 *
 * Whoever judges flows notes them: a revocation, of the numbers it looks for, and a dump, of all; so a life
 * that begins knows them from its first dump on. A revocation takes out what it looks for, and what it finds
 * no flow of any more is thereby forgotten.
 */

#include "taken.h"

#define SEG_LINGERING_MAX 4096 /* more are looked through at the next occasion: some have no flow */

void seg_lingering_init(struct seg_engine *engine);
void seg_lingering_fini(struct seg_engine *engine);
/* A flow was judged: its number lingers where that says so. */
void seg_lingering_note(struct seg_engine *engine, const struct seg_flow *flow,
			const struct seg_judged *judged);
/* Takes out what lives by an owner of these (a hash that has struct seg_owner as its key); NULL: all. */
typedef void (*seg_lingering_fn)(void *context, uint32_t number, const struct seg_owner *owner);
void seg_lingering_take(struct seg_engine *engine, const struct seg_hash *owners, seg_lingering_fn each,
			void *context);

#endif
