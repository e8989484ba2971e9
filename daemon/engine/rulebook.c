/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A policy read, judged by the guard, and kept with what is made from it: from the file, from a text, from
 * the state directory.
 */

#include "state.h"

#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "policy/guard.h"
#include "policy/load.h"

/* Takes the diags over, together with the policy whose places point into them. */
static struct seg_rulebook *rulebook_new(struct seg_policy *policy, struct seg_diags *diags)
{
	struct seg_rulebook *book = calloc(1, sizeof(*book));

	if (!book)
		abort();
	book->diags = *diags;
	book->policy = policy;
	book->index = seg_index_new(policy);
	book->window = calloc(policy->permits + 1, sizeof(*book->window));
	book->touched = calloc(policy->permits + 1, sizeof(*book->touched));
	if (!book->window || !book->touched)
		abort();
	return book;
}

void seg_rulebook_free(struct seg_rulebook *book)
{
	if (!book)
		return;
	seg_index_free(book->index);
	seg_policy_free(book->policy);
	seg_diags_fini(&book->diags);
	free(book->window);
	free(book->touched);
	free(book);
}

/* NULL: *failed holds why (the caller frees it in any case where NULL is returned). */
static struct seg_rulebook *rulebook_judge(struct seg_policy *policy, struct seg_diags *diags,
					   struct seg_diags *failed)
{
	if (policy)
		seg_guard_check(policy, diags);
	if (policy && !diags->errors)
		return rulebook_new(policy, diags);
	seg_policy_free(policy);
	*failed = *diags;
	return NULL;
}

struct seg_rulebook *seg_rulebook_from_file(struct seg_engine *engine, struct seg_diags *failed)
{
	const struct seg_policy *before = engine->running ? engine->running->policy : NULL;
	struct seg_diags diags;
	struct seg_policy *policy;

	seg_diags_init(&diags);
	policy = seg_policy_load_file(before, engine->options.policy_file, &diags);
	return rulebook_judge(policy, &diags, failed);
}

struct seg_rulebook *seg_rulebook_from_text(const char *name, const char *text, size_t len,
					    const struct seg_reader *reader, struct seg_diags *failed)
{
	struct seg_diags diags;
	struct seg_policy *policy;

	seg_diags_init(&diags);
	policy = seg_policy_load(name, text, len, reader, &diags);
	return rulebook_judge(policy, &diags, failed);
}

struct seg_rulebook *seg_rulebook_from_store(struct seg_engine *engine, unsigned version,
					     struct seg_diags *failed)
{
	struct seg_policy *policy;
	struct seg_rulebook *book;
	struct seg_diags diags;

	seg_diags_init(&diags);
	policy = seg_store_get_version(engine->store, version, &diags);
	if (!policy && !diags.errors)
		seg_error(&diags, SEG_MISSING, (struct seg_place){0},
			  N_("version %u is not in the state directory"), version);
	book = rulebook_judge(policy, &diags, failed);
	if (book)
		book->version = version;
	return book;
}

/* The first line a person needs of a list of diagnostics, for STATUS= and alerts. */
void seg_rulebook_first_error(const struct seg_diags *diags, char *line, size_t size)
{
	for (const struct seg_diag *diag = diags->first; diag; diag = diag->next) {
		const struct seg_position at = seg_place_position(&diag->place);

		if (diag->warning)
			continue;
		if (diag->place.source)
			snprintf(line, size, "%s:%u:%u: %s", diag->place.source->name, at.line, at.column,
				 diag->message);
		else
			snprintf(line, size, "%s", diag->message);
		return;
	}
	snprintf(line, size, N_("the kernel refused it"));
}
