/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Questions about a policy: as typed, from what follows a line "@@@" in the
 * input, and, so that they hit something, from the edges of the policy's own
 * permits. A verdict is explained, is the same through the index, and admits by
 * a permit that covers the packet; a policy compared with itself differs in nothing.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "flow/answer.h"
#include "flow/compare.h"
#include "policy/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1795489200 /* 2026-11-24T12:00+09:00 */
#define EDGES 64       /* permits whose edges are tried */

struct asker {
	const struct seg_policy *policy;
	const struct seg_index *index;
	struct seg_gateway gateway;
};

static bool covers(const struct seg_permit *permit, const struct seg_packet *packet)
{
	for (size_t i = 0; i < permit->n_items; i++)
		if (seg_service_item_has(&permit->item[i], packet->proto, packet->dport))
			return true;
	return false;
}

static void ask(const struct asker *asker, const struct seg_packet *packet, time_t at)
{
	struct seg_verdict plain = seg_classify(asker->policy, &asker->gateway, packet, at);
	struct seg_verdict indexed =
		seg_classify_indexed(asker->policy, asker->index, &asker->gateway, packet, at);
	json_t *doc = seg_answer_explain(asker->policy, packet, &plain, at);

	if (plain.permit != indexed.permit || plain.reason != indexed.reason || plain.by != indexed.by ||
	    plain.nearest != indexed.nearest || plain.failed != indexed.failed)
		abort();
	if (plain.reason == SEG_REASON_PERMIT &&
	    (!plain.by || !covers(plain.by, packet) ||
	     seg_schedule_state(&plain.by->schedule, at, asker->policy->timezone) != SEG_OPEN))
		abort();
	if (!json_string_length(json_object_get(doc, "detail")))
		abort();
	json_decref(doc);
}

static seg_addr edge_of(const struct seg_side *side, unsigned which)
{
	struct seg_ranges ranges = side->whole ? side->zone->nets : side->ranges;
	const struct seg_range *range;

	if (!ranges.n)
		return side->n_bound ? side->bound[0].range.lo : seg_addr_v4(0x0a000001);
	range = &ranges.range[which % ranges.n];
	return which & 1 ? range->hi + (which >> 1 & 1) : range->lo - (which >> 1 & 1);
}

static void ask_edges(const struct asker *asker)
{
	for (size_t p = 0; p < asker->policy->permits && p < EDGES; p++) {
		const struct seg_permit *permit = &asker->policy->permit[p];
		const struct seg_service_item *item = &permit->item[0];

		for (unsigned which = 0; which < 16; which++) {
			struct seg_packet packet = {
				.src = edge_of(&permit->from[which % permit->n_from], which),
				.dst = edge_of(&permit->to[which % permit->n_to], which >> 2),
				.proto = item->proto,
				.dport = which & 8 ? item->lo : (uint16_t)(item->hi + 1),
				.mac = permit->from[0].n_bound ? permit->from[0].bound[0].mac : NULL,
			};

			ask(asker, &packet, NOW);
		}
	}
}

/* The answer as somebody gets it who has no daemon: by name, and without the gateway's addresses. */
static void explain(const struct asker *asker, const struct seg_asked *asked)
{
	const struct seg_gateway none = {0};
	struct seg_verdict verdict = seg_classify(asker->policy, &none, &asked->packet, asked->at);
	json_t *doc = seg_answer_explain(asker->policy, &asked->packet, &verdict, asked->at);

	seg_answer_put_hosts(doc, asked);
	seg_answer_put_gateway(doc, asker->policy, asked, &verdict);
	if (!json_is_string(json_object_get(doc, "detail")))
		abort();
	json_decref(doc);
}

static void ask_typed(const struct asker *asker, char *line)
{
	const char *word[6] = {"", "", "", "", "", ""};
	struct seg_strbuf problem = {0};
	struct seg_asked asked;
	struct seg_query query;
	char *rest = NULL;

	for (size_t i = 0; i < 6; i++) {
		char *next = strtok_r(i ? NULL : line, " \n", &rest);

		if (next)
			word[i] = strcmp(next, "-") ? next : NULL;
	}
	query = (struct seg_query){word[0],
				   word[1],
				   word[2],
				   word[3] ? word[3] : "",
				   word[4] ? word[4] : "",
				   word[5] ? word[5] : ""};
	if (seg_answer_ask(asker->policy, &query, NOW, &asked, &problem)) {
		ask(asker, &asked.packet, asked.at);
		explain(asker, &asked);
	} else if (!problem.len) {
		abort();
	}
	seg_strbuf_fini(&problem);
}

static void ask_everything(const struct seg_policy *policy, char *line)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_index *index = seg_index_new(policy);
	struct asker asker = {policy, index, seg_gateway_from_policy(policy, arena)};
	json_t *doc;

	ask_edges(&asker);
	ask_typed(&asker, line);
	json_decref(seg_answer_matrix(policy));
	doc = seg_compare(policy, policy, NOW);
	if (!seg_compare_is_equal(doc))
		abort();
	json_decref(doc);
	seg_index_free(index);
	seg_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *cut = size ? memmem(text, size, "\n@@@\n", 5) : NULL;
	size_t len = cut ? (size_t)(cut - text) + 1 : size;
	char *line = cut ? strndup(cut + 5, size - len - 4) : strdup("");
	struct seg_policy *policy;
	struct seg_diags diags;

	if (!line)
		abort();
	seg_diags_init(&diags);
	policy = seg_policy_load("fuzz.yaml", text, len, NULL, &diags);
	if (policy)
		ask_everything(policy, line);
	seg_policy_free(policy);
	seg_diags_fini(&diags);
	free(line);
	return 0;
}
