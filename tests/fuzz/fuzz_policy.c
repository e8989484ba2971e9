/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A policy file that anybody may have written: loaded, judged and rendered. Lists
 * are read from what follows a line "%%%" in the input, whatever their name.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "policy/advice.h"
#include "policy/guard.h"
#include "policy/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct lists {
	const char *text;
	size_t len;
};

static char *read_list(void *context, const char *path, size_t *len, const char **error)
{
	const struct lists *lists = context;
	char *copy;

	if (!lists->text || path[0] == '/') {
		*error = "no such list";
		return NULL;
	}
	copy = malloc(lists->len + 1);
	if (!copy)
		abort();
	memcpy(copy, lists->text, lists->len);
	copy[lists->len] = '\0';
	*len = lists->len;
	return copy;
}

static void check_place(const struct seg_place *place)
{
	const struct seg_position at = seg_place_position(place);

	if (!place->source)
		return;
	if (place->end > place->source->len || at.line < 1 || at.line > place->source->lines || at.column < 1 ||
	    at.end_column <= at.column)
		abort();
}

/* What the headers promise of a policy that loaded. */
static void check_policy(const struct seg_policy *policy)
{
	for (size_t z = 0; z < policy->zones; z++) {
		const struct seg_zone *zone = &policy->zone[z];

		if (seg_policy_zone(policy, zone->id) != zone || !zone->interfaces)
			abort();
		for (size_t i = 0; i < zone->nets.n; i++)
			if (seg_policy_zone_of(policy, zone->nets.range[i].lo) != zone ||
			    seg_policy_zone_of(policy, zone->nets.range[i].hi) != zone)
				abort();
	}
	for (size_t h = 0; h < policy->hosts; h++) {
		const struct seg_host *host = &policy->host[h];

		if (!host->ranges.n || (host->zone && !seg_ranges_subset(host->ranges, host->zone->nets)))
			abort();
	}
	for (size_t p = 0; p < policy->permits; p++) {
		const struct seg_permit *permit = &policy->permit[p];

		if (seg_policy_permit(policy, permit->id) != permit || !permit->n_from || !permit->n_to ||
		    !permit->n_items)
			abort();
		if (permit->from[0].whole != !permit->n_source ||
		    permit->to[0].whole != !permit->n_destination)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *cut = size ? memmem(text, size, "\n%%%\n", 5) : NULL;
	struct lists lists = {0};
	struct seg_reader reader = {.read = read_list, .context = &lists};
	struct seg_strbuf out = {0};
	struct seg_policy *policy;
	struct seg_diags diags;
	size_t len = cut ? (size_t)(cut - text) + 1 : size;

	if (cut)
		lists = (struct lists){.text = cut + 5, .len = size - len - 4};
	seg_diags_init(&diags);
	policy = seg_policy_load("fuzz.yaml", text, len, &reader, &diags);
	if (!policy != (diags.errors > 0))
		abort();
	if (policy) {
		check_policy(policy);
		seg_guard_check(policy, &diags);
		seg_advice(policy, 1795392000, &diags);
	}
	seg_diags_sort(&diags);
	for (const struct seg_diag *d = diags.first; d; d = d->next) {
		if (!d->place.source)
			abort();
		check_place(&d->place);
		for (const struct seg_diag_related *r = d->related; r; r = r->next)
			check_place(&r->place);
	}
	seg_diags_render(&diags, true, &out);
	seg_strbuf_fini(&out);
	seg_policy_free(policy);
	seg_diags_fini(&diags);
	return 0;
}
