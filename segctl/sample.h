/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_SAMPLE_H
#define SEGCTL_SAMPLE_H

/*
 * What `segctl top` shows: zone pairs, permits and flows with how much went over them
 * since the sample before. Computed from the answers of Permits and Flows, so that the
 * daemon keeps nothing for a viewer.
 *
 * Pairs and flows are new with each sample. Permits stay known from one to the next: of
 * thousands few are used in two seconds, and only those need to come again.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct segctl_item {
	char *first, *second, *third; /* owned: from, to; permit, title; proto, source, destination */
	char *permit;		      /* flows: the one that admits it */
	long long flows;
	double rate; /* bytes a second, both directions; -1: not known yet */
	long long bytes;
	long long grown; /* permits: bytes since the sample before; -1: seen for the first time */
	bool stays;	 /* permits: has come, or need not */
};
struct segctl_items {
	struct segctl_item *item; /* the busiest first */
	size_t n, cap;
};

struct segctl_sample {
	struct segctl_items pairs, permits, flows;
	size_t known;	/* permits before this sample: so many of them are found by id */
	json_t *before; /* bytes of pairs and flows by key, as of the sample before; NULL at first */
};

/* A sample: begun, then any number of pieces of the answer of Permits, then that of Flows. all: every permit
 * of the policy will come, and what does not is gone; else those that were used since the sample before. */
void segctl_sample_begin(struct segctl_sample *sample, bool all);
void segctl_sample_add_permits(struct segctl_sample *sample, const json_t *permits);
/* `seconds` after the sample before. */
void segctl_sample_end(struct segctl_sample *sample, const json_t *flows, double seconds);
void segctl_sample_fini(struct segctl_sample *sample);
/* The same as a document: {"pairs": [...], "permits": [...], "flows": [...]}, `limit` of each. */
json_t *segctl_sample_json(const struct segctl_sample *sample, size_t limit);

#endif
