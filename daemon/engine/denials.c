/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The answer of `denials`: what was refused up to the question, told line by line. There may
 * be 65,536 pairs and more, and what is counted meanwhile must not change what is told: the
 * lines are kept as they were, and become text a piece at a time.
 *
 * A pair's zones are named by the policy in force when its turn comes.
 */

#include "listing.h"

#include <errno.h>
#include <stdlib.h>

struct denials {
	struct seg_engine *engine;
	struct seg_refusal *line;
	size_t lines, cap, at;
	struct seg_arena *names; /* zones of lines */
};

static void denials_free(void *context)
{
	struct denials *denials = context;

	seg_arena_free(denials->names);
	free(denials->line);
	free(denials);
}

static void keep(void *context, const struct seg_refusal *line)
{
	struct denials *denials = context;
	struct seg_refusal *kept;

	if (denials->lines == denials->cap) {
		denials->cap = denials->cap ? 2 * denials->cap : 64;
		denials->line = realloc(denials->line, denials->cap * sizeof(*denials->line));
		if (!denials->line)
			abort();
	}
	kept = &denials->line[denials->lines++];
	*kept = *line;
	kept->from = seg_arena_strdup(denials->names, line->from);
	kept->to = seg_arena_strdup(denials->names, line->to);
}

static json_t *side(const struct denials *denials, const struct seg_refusal *line, seg_addr addr,
		    const char *zone)
{
	if (line->scope == SEG_REFUSED_PAIR)
		return seg_json_zone(seg_refusals_zone(denials->engine, addr));
	return seg_json_text(zone);
}

/* Of packets that were counted and not shown, nobody knows which part of a permit failed. */
static const char *reason(const struct seg_refusal *line)
{
	bool known = line->scope == SEG_REFUSED_KIND || line->reason == SEG_REASON_SPOOFED;

	return known ? seg_reason_name(line->reason) : NULL;
}

static json_t *next(void *context)
{
	struct denials *denials = context;
	const struct seg_refusal *line = &denials->line[denials->at];
	char proto[SEG_SERVICE_STRLEN];
	bool kind, addrs;

	if (denials->at == denials->lines)
		return NULL;
	denials->at++;
	kind = line->scope == SEG_REFUSED_KIND;
	addrs = line->scope != SEG_REFUSED_ZONES;
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "from",
			 side(denials, line, line->src, line->from), "to",
			 side(denials, line, line->dst, line->to), "proto",
			 seg_json_text(kind ? seg_proto_name(line->proto, proto) : NULL), "src",
			 addrs ? seg_json_addr(line->src) : json_null(), "dst",
			 addrs ? seg_json_addr(line->dst) : json_null(), "dport",
			 kind && !line->any_dport ? json_integer(line->dport) : json_null(), "reason",
			 seg_json_text(reason(line)), "count", (json_int_t)line->count, "first",
			 seg_json_time(denials->engine, line->first), "last",
			 seg_json_time(denials->engine, line->last));
}

static const struct seg_lister lister = {.name = "denials", .next = next, .free = denials_free};

static int tell(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct denials *denials = calloc(1, sizeof(*denials));

	if (!denials)
		abort();
	denials->engine = engine;
	denials->names = seg_arena_new();
	seg_refusals_each(engine, keep, denials);
	if (!request->piece && denials->lines > SEG_LIST_AT_ONCE) {
		denials_free(denials);
		return seg_answer_error(out, -E2BIG, "too-many",
					"there are more than %d lines; ask for them in pieces (with more)",
					SEG_LIST_AT_ONCE);
	}
	seg_listing_new(engine, request, &lister, denials);
	return SEG_LATER;
}

int seg_engine_denials(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	return seg_readings_answer(engine, request, SEG_READ_REFUSALS, tell, out);
}
