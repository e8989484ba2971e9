// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/passage.h"

#include <stdlib.h>

static bool is_below(const struct seg_link *link, const struct seg_link *above)
{
	return link->index == above->lower || (link->master && link->master == above->index);
}

/* True: one that was not known to be passed. */
static bool mark_below(const struct seg_link *link, size_t n, size_t above, enum seg_passage *passage)
{
	bool more = false;

	for (size_t i = 0; i < n; i++) {
		if (passage[i] != SEG_PASSAGE_NONE || !is_below(&link[i], &link[above]))
			continue;
		passage[i] = SEG_PASSAGE_BELOW;
		more = true;
	}
	return more;
}

enum seg_passage *seg_passages(const struct seg_link *link, size_t n, seg_passage_fn is_zone, const void *context)
{
	enum seg_passage *passage = calloc(n + 1, sizeof(*passage));
	bool more = true;

	if (!passage)
		abort();
	for (size_t i = 0; i < n; i++)
		passage[i] = is_zone(context, link[i].name) ? SEG_PASSAGE_ZONE : SEG_PASSAGE_NONE;
	while (more) { /* once a storey */
		more = false;
		for (size_t i = 0; i < n; i++)
			more |= passage[i] != SEG_PASSAGE_NONE && mark_below(link, n, i, passage);
	}
	return passage;
}
