/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lingering.h"

#include <stdlib.h>

struct lingering {
	struct {
		uint32_t number;
		struct seg_owner owner; /* who covers flows of it */
	} key;
};

void seg_lingering_init(struct seg_engine *engine)
{
	seg_hash_init(&engine->lingering, sizeof(((struct lingering *)NULL)->key), sizeof(struct lingering));
}

void seg_lingering_fini(struct seg_engine *engine)
{
	seg_hash_fini(&engine->lingering);
}

void seg_lingering_note(struct seg_engine *engine, const struct seg_flow *flow,
			const struct seg_judged *judged)
{
	struct lingering lingering = {.key.number = flow->mark};
	bool made;

	if (!judged->lingers)
		return;
	lingering.key.owner = seg_owner_of(judged->verdict.by, judged->verdict.from);
	seg_hash_put(&engine->lingering, &lingering.key, &made);
}

void seg_lingering_take(struct seg_engine *engine, const struct seg_hash *owners, seg_lingering_fn each,
			void *context)
{
	struct lingering *taken = calloc(engine->lingering.n + 1, sizeof(*taken)), *one;
	size_t cursor = 0, n = 0;

	if (!taken)
		abort();
	while ((one = seg_hash_next(&engine->lingering, &cursor)))
		if (!owners || seg_hash_find(owners, &one->key.owner))
			taken[n++] = *one;
	for (size_t i = 0; i < n; i++) { /* removing moves records */
		seg_hash_remove(&engine->lingering, seg_hash_find(&engine->lingering, &taken[i].key));
		each(context, taken[i].key.number, &taken[i].key.owner);
	}
	free(taken);
}
