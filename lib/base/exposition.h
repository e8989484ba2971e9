/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_EXPOSITION_H
#define SEG_BASE_EXPOSITION_H

/*
 * The text that Prometheus reads ("text/plain; version=0.0.4"): families of samples.
 *
 * A family is begun once, and all its samples follow before the next one begins. Names
 * are the caller's to choose right: [a-z_][a-z0-9_]*, counters end in _total, units are
 * seconds and bytes. Values of labels may be any text: what would end them is escaped.
 * Whole numbers are written whole, also beyond 2^53.
 */

#include <stdint.h>

#include "base/strbuf.h"

enum seg_metric { SEG_COUNTER, SEG_GAUGE, SEG_HISTOGRAM };

struct seg_label {
	const char *name, *value; /* value NULL: as "", which is no label to Prometheus */
};
#define SEG_LABELS(...)                          \
	(const struct seg_label[]){__VA_ARGS__}, \
		sizeof((const struct seg_label[]){__VA_ARGS__}) / sizeof(struct seg_label)
#define SEG_NO_LABELS NULL, 0

/* Values by upper bound, as many as fell at or below it and above the one before; a zeroed one with its
 * bounds (ascending) is empty. */
#define SEG_HISTOGRAM_BOUNDS 8
struct seg_histogram {
	double bound[SEG_HISTOGRAM_BOUNDS];
	size_t bounds;
	uint64_t count[SEG_HISTOGRAM_BOUNDS + 1]; /* the last: above all bounds */
	double sum;
};
void seg_histogram_add(struct seg_histogram *histogram, double value);

void seg_exposition_family(struct seg_strbuf *out, enum seg_metric type, const char *name, const char *help);
void seg_exposition_sample(struct seg_strbuf *out, const char *name, const struct seg_label *label,
			   size_t labels, uint64_t value);
/* A family of one sample without labels. */
void seg_exposition_one(struct seg_strbuf *out, enum seg_metric type, const char *name, const char *help,
			uint64_t value);
/* A family of one histogram without labels. */
void seg_exposition_histogram(struct seg_strbuf *out, const char *name, const char *help,
			      const struct seg_histogram *histogram);

#endif
