/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/exposition.h"

#include <inttypes.h>
#include <string.h>

void seg_histogram_add(struct seg_histogram *histogram, double value)
{
	size_t i = 0;

	while (i < histogram->bounds && value > histogram->bound[i])
		i++;
	histogram->count[i]++;
	histogram->sum += value;
}

/* What ends a label's value, and a line, must not be data. In a help text a quote is data. */
static void put_escaped(struct seg_strbuf *out, const char *text, const char *special)
{
	for (;; text++) {
		size_t plain = strcspn(text, special);

		seg_strbuf_add_n(out, text, plain);
		text += plain;
		if (!*text)
			return;
		seg_strbuf_addc(out, '\\');
		seg_strbuf_addc(out, *text == '\n' ? 'n' : *text);
	}
}

void seg_exposition_family(struct seg_strbuf *out, enum seg_metric type, const char *name, const char *help)
{
	static const char *const word[] = {
		[SEG_COUNTER] = "counter", [SEG_GAUGE] = "gauge", [SEG_HISTOGRAM] = "histogram"};

	seg_strbuf_printf(out, "# HELP %s ", name);
	put_escaped(out, help, "\\\n");
	seg_strbuf_printf(out, "\n# TYPE %s %s\n", name, word[type]);
}

void seg_exposition_sample(struct seg_strbuf *out, const char *name, const struct seg_label *label,
			   size_t labels, uint64_t value)
{
	seg_strbuf_add(out, name);
	for (size_t i = 0; i < labels; i++) {
		seg_strbuf_printf(out, "%c%s=\"", i ? ',' : '{', label[i].name);
		put_escaped(out, label[i].value ? label[i].value : "", "\\\"\n");
		seg_strbuf_addc(out, '"');
	}
	seg_strbuf_printf(out, "%s %" PRIu64 "\n", labels ? "}" : "", value);
}

void seg_exposition_one(struct seg_strbuf *out, enum seg_metric type, const char *name, const char *help,
			uint64_t value)
{
	seg_exposition_family(out, type, name, help);
	seg_exposition_sample(out, name, SEG_NO_LABELS, value);
}

void seg_exposition_histogram(struct seg_strbuf *out, const char *name, const char *help,
			      const struct seg_histogram *histogram)
{
	uint64_t below = 0;

	seg_exposition_family(out, SEG_HISTOGRAM, name, help);
	for (size_t i = 0; i < histogram->bounds; i++) {
		below += histogram->count[i];
		seg_strbuf_printf(out, "%s_bucket{le=\"%.9g\"} %" PRIu64 "\n", name, histogram->bound[i],
				  below);
	}
	below += histogram->count[histogram->bounds];
	seg_strbuf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.9g\n%s_count %" PRIu64 "\n",
			  name, below, name, histogram->sum, name, below);
}
