/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_LISTING_H
#define SEGD_LISTING_H

/*
 * Answers that are long lists: made a slice at a time and handed on in pieces as far as the
 * caller takes them. A caller that does not read pauses his own list; one that goes away
 * ends it. So a list of any length costs the daemon a piece of memory beside what it is made
 * of, and nobody waits for it but who asked.
 *
 * Lines come by themselves, from a walk over conntrack's table (flows.c), or are asked
 * for (denials.c, permits.c): then one piece of one list is made each time the loop comes round, in
 * turn. Many askers wait longer, they do not hold up events, rules or other calls.
 */

#include "state.h"

#define SEG_LIST_AT_ONCE 10000 /* lines that a caller gets who wants one answer */

struct seg_listing;
struct seg_lister {
	const char *name;			  /* of the list in the answer */
	json_t *(*next)(void *context);		  /* a line; NULL: that was the last. NULL: they come */
	void (*pause)(void *context, bool pause); /* those that come; else NULL */
	void (*policy_ends)(void *context);	  /* NULL: it holds nothing of the policy */
	void (*free)(void *context);		  /* also before the end */
};

/* Takes context over; the answer is SEG_LATER. */
struct seg_listing *seg_listing_new(struct seg_engine *engine, const struct seg_request *request,
				    const struct seg_lister *lister, void *context);
/* The request, as of when it was last taken up; without its parameters. */
const struct seg_request *seg_listing_request(const struct seg_listing *listing);
/* A line that comes; takes it over. False: more than the caller may have at once. */
bool seg_listing_add(struct seg_listing *listing, json_t *line);
/* Ends it: with out (taken over), or NULL: with what is left of the list. */
void seg_listing_end(struct seg_listing *listing, int result, json_t *out);

#endif
