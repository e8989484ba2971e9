/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A policy edited anywhere: read where the policy before is known, it is what a reading of the whole gives.
 *
 * Input: the text before the edit, a line "%%%", and the edit: where it begins, how much goes (each two
 * bytes, little endian), and what comes instead.
 */

#include <stdint.h>
#include <stdlib.h>
#include "../unit/same_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct edit {
	size_t from, cut, len;
	const char *text;
};

static struct edit read_edit(const uint8_t *data, size_t size, size_t len)
{
	struct edit edit = {.from = (data[0] | (size_t)data[1] << 8) % (len + 1),
			    .cut = data[2] | (size_t)data[3] << 8,
			    .text = (const char *)data + 4,
			    .len = size - 4};

	if (edit.cut > len - edit.from)
		edit.cut = len - edit.from;
	return edit;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *mark = size ? memmem(data, size, "\n%%%\n", 5) : NULL;
	size_t len = mark ? (size_t)(mark - data) + 1 : 0, rest = size - len;
	const char *text = (const char *)data;
	struct seg_strbuf after = {0};
	struct seg_policy *before;
	struct seg_diags diags;
	struct edit edit;

	if (!mark || rest < 8)
		return 0;
	edit = read_edit(mark + 5, rest - 4, len);
	seg_strbuf_add_n(&after, text, edit.from);
	seg_strbuf_add_n(&after, edit.text, edit.len);
	seg_strbuf_add_n(&after, text + edit.from + edit.cut, len - edit.from - edit.cut);
	seg_diags_init(&diags);
	before = seg_policy_load("policy.yaml", text, len, NULL, &diags);
	if (!same_when_reloaded(before, seg_strbuf_text(&after), after.len, NULL))
		abort();
	seg_policy_free(before);
	seg_diags_fini(&diags);
	seg_strbuf_fini(&after);
	return 0;
}
