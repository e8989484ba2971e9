/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_SAMPLE_H
#define SEGCTL_SAMPLE_H

/*
 * What `segctl top` shows: zone pairs, permits and flows with how much went over them
 * since the sample before. Computed from the answers of Permits and Flows, so that the
 * daemon keeps nothing for a viewer.
 */

#include <jansson.h>
#include <stddef.h>

struct segctl_item {
	char *first, *second, *third; /* owned: from, to; permit, title; proto, source, destination */
	char *permit;		      /* flows: the one that admits it */
	long long flows;
	double rate; /* bytes a second, both directions; -1: not known yet */
	long long bytes;
};
struct segctl_items {
	struct segctl_item *item; /* the busiest first */
	size_t n, cap;
};

struct segctl_sample {
	struct segctl_items pairs, permits, flows;
	json_t *before; /* bytes by key, as of the sample before; NULL at first */
};

/* Replaces the lists by what the answers of Permits and Flows say, `seconds` after the last ones. */
void segctl_sample_take(struct segctl_sample *sample, const json_t *permits, const json_t *flows,
			double seconds);
void segctl_sample_fini(struct segctl_sample *sample);
/* The same as a document: {"pairs": [...], "permits": [...], "flows": [...]}, `limit` of each. */
json_t *segctl_sample_json(const struct segctl_sample *sample, size_t limit);

#endif
