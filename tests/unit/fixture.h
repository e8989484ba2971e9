/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_TEST_FIXTURE_H
#define SEG_TEST_FIXTURE_H

/*
 * Policies for tests, from text. A fixture owns the diagnostics and the policy.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/load.h"

struct fixture {
	struct seg_diags diags;
	struct seg_policy *policy;
};

/* reader: for the lists that the text names. */
static inline void fixture_init_reader(struct fixture *fixture, const char *text, const struct seg_reader *reader)
{
	seg_diags_init(&fixture->diags);
	fixture->policy = seg_policy_load("policy.yaml", text, strlen(text), reader, &fixture->diags);
	if (!fixture->policy) {
		struct seg_strbuf out = {0};

		seg_diags_render(&fixture->diags, false, &out);
		ck_abort_msg("the policy of this test does not load:\n%s", out.text);
	}
}

static inline void fixture_init(struct fixture *fixture, const char *text)
{
	fixture_init_reader(fixture, text, NULL);
}

static inline void fixture_fini(struct fixture *fixture)
{
	seg_policy_free(fixture->policy);
	seg_diags_fini(&fixture->diags);
}

/* A copy of text in which `old`, found once, is replaced. The caller frees. */
static inline char *fixture_replace(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);
	struct seg_strbuf out = {0};

	ck_assert_msg(at != NULL, "\"%s\" is not in the text", old);
	ck_assert_msg(strstr(at + 1, old) == NULL, "\"%s\" is in the text more than once", old);
	seg_strbuf_add_n(&out, text, (size_t)(at - text));
	seg_strbuf_add(&out, new);
	seg_strbuf_add(&out, at + strlen(old));
	return seg_strbuf_take(&out);
}

/* The text that a place covers. The caller frees. */
static inline char *fixture_text_at(struct seg_place place)
{
	const struct seg_position at = seg_place_position(&place);
	const char *line = place.source ? place.source->text : "";
	struct seg_strbuf out = {0};
	unsigned column = 1;

	for (unsigned n = 1; n < at.line && line; n++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	/* Columns count characters: the bytes that begin one. */
	for (; line && *line && *line != '\n'; line++) {
		if (column >= at.column && column < at.end_column)
			seg_strbuf_addc(&out, *line);
		if (((unsigned char)line[1] & 0xc0) != 0x80)
			column++;
	}
	return seg_strbuf_take(&out);
}

#endif
