/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "listing.h"

#include <stdlib.h>

#define PIECE 256 /* lines: some 60 KiB of text */

struct seg_listing {
	struct seg_engine *engine;
	struct seg_request request; /* without its parameters, which live for the call alone */
	const struct seg_lister *lister;
	void *context;
	json_t *list;
	bool paused;
	TAILQ_ENTRY(seg_listing) entry;
};

static bool is_ready(const struct seg_listing *listing)
{
	return listing->lister->next && !listing->paused;
}

static struct seg_listing *first_ready(const struct seg_engine *engine)
{
	struct seg_listing *listing;

	TAILQ_FOREACH(listing, &engine->listings, entry) {
		if (is_ready(listing))
			return listing;
	}
	return NULL;
}

struct seg_listing *seg_listing_new(struct seg_engine *engine, const struct seg_request *request,
				    const struct seg_lister *lister, void *context)
{
	struct seg_listing *listing = calloc(1, sizeof(*listing));

	if (!listing)
		abort();
	listing->engine = engine;
	listing->request = *request;
	listing->request.params = NULL;
	listing->lister = lister;
	listing->context = context;
	listing->list = json_array();
	TAILQ_INSERT_TAIL(&engine->listings, listing, entry);
	if (lister->next)
		engine->ops->come_round(engine->kernel);
	return listing;
}

static void listing_free(struct seg_listing *listing)
{
	TAILQ_REMOVE(&listing->engine->listings, listing, entry);
	listing->lister->free(listing->context);
	json_decref(listing->list);
	free(listing);
}

const struct seg_request *seg_listing_request(const struct seg_listing *listing)
{
	return &listing->request;
}

static void hand_on(struct seg_listing *listing)
{
	json_t *piece = json_pack("{s:o}", listing->lister->name, listing->list);

	listing->list = json_array();
	listing->paused = !listing->request.piece(listing->request.context, piece);
	if (listing->paused && listing->lister->pause)
		listing->lister->pause(listing->context, true);
}

bool seg_listing_add(struct seg_listing *listing, json_t *line)
{
	json_array_append_new(listing->list, line);
	if (!listing->request.piece)
		return json_array_size(listing->list) <= SEG_LIST_AT_ONCE;
	if (json_array_size(listing->list) == PIECE)
		hand_on(listing);
	return true;
}

void seg_listing_end(struct seg_listing *listing, int result, json_t *out)
{
	struct seg_request request = listing->request;

	if (!out)
		out = json_pack("{s:O}", listing->lister->name, listing->list);
	listing_free(listing);
	request.done(request.context, result, out);
}

static void make_piece(struct seg_listing *listing)
{
	for (size_t n = 0; n < PIECE; n++) {
		json_t *line = listing->lister->next(listing->context);

		if (!line) {
			seg_listing_end(listing, 0, NULL);
			return;
		}
		seg_listing_add(listing, line);
	}
}

void seg_engine_came_round(struct seg_engine *engine, time_t now)
{
	struct seg_listing *listing = first_ready(engine);

	if (!listing)
		return;
	TAILQ_REMOVE(&engine->listings, listing, entry);
	TAILQ_INSERT_TAIL(&engine->listings, listing, entry);
	listing->request.now = now;
	make_piece(listing);
	if (first_ready(engine))
		engine->ops->come_round(engine->kernel);
}

static struct seg_listing *find(struct seg_engine *engine, const void *context)
{
	struct seg_listing *listing;

	TAILQ_FOREACH(listing, &engine->listings, entry) {
		if (listing->request.context == context)
			return listing;
	}
	return NULL;
}

void seg_engine_resume(struct seg_engine *engine, const void *context, time_t now)
{
	struct seg_listing *listing = find(engine, context);

	if (!listing || !listing->paused)
		return;
	listing->paused = false;
	listing->request.now = now;
	if (listing->lister->next)
		engine->ops->come_round(engine->kernel);
	else
		listing->lister->pause(listing->context, false);
}

void seg_engine_forget(struct seg_engine *engine, const void *context)
{
	struct seg_listing *listing = find(engine, context);

	seg_revoke_forget(engine, context);
	seg_readings_forget(engine, context);
	seg_diff_forget(engine, context);
	if (listing)
		listing_free(listing);
}

void seg_listing_policy_ends(struct seg_engine *engine)
{
	struct seg_listing *listing, *next;

	for (listing = TAILQ_FIRST(&engine->listings); listing; listing = next) {
		next = TAILQ_NEXT(listing, entry);
		if (listing->lister->policy_ends)
			listing->lister->policy_ends(listing->context);
	}
}

void seg_listing_init(struct seg_engine *engine)
{
	TAILQ_INIT(&engine->listings);
}

void seg_listing_fini(struct seg_engine *engine)
{
	while (!TAILQ_EMPTY(&engine->listings))
		listing_free(TAILQ_FIRST(&engine->listings));
}
