/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "busiest.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t bytes;
	struct seg_flow flow;
	struct seg_judged judged;
};
struct pair_key {
	const struct seg_zone *from, *to;
};
struct pair {
	struct pair_key key;
	uint64_t flows, bytes;
};
struct seg_busiest {
	struct entry *heap; /* the least busy of those kept at the top */
	size_t n, limit;
	struct seg_hash pair;
};

struct seg_busiest *seg_busiest_new(size_t limit)
{
	struct seg_busiest *busiest = calloc(1, sizeof(*busiest));

	if (!busiest)
		abort();
	busiest->heap = calloc(limit, sizeof(*busiest->heap));
	if (!busiest->heap)
		abort();
	busiest->limit = limit;
	seg_hash_init(&busiest->pair, sizeof(struct pair_key), sizeof(struct pair));
	return busiest;
}

void seg_busiest_free(struct seg_busiest *busiest)
{
	seg_hash_fini(&busiest->pair);
	free(busiest->heap);
	free(busiest);
}

static void swap(struct entry *a, struct entry *b)
{
	struct entry held = *a;

	*a = *b;
	*b = held;
}

static void sift_down(struct entry *heap, size_t n)
{
	for (size_t at = 0, least; (least = 2 * at + 1) < n; at = least) {
		if (least + 1 < n && heap[least + 1].bytes < heap[least].bytes)
			least++;
		if (heap[at].bytes <= heap[least].bytes)
			return;
		swap(&heap[at], &heap[least]);
	}
}

static void sift_up(struct entry *heap, size_t at)
{
	for (; at && heap[at].bytes < heap[(at - 1) / 2].bytes; at = (at - 1) / 2)
		swap(&heap[at], &heap[(at - 1) / 2]);
}

void seg_busiest_add(struct seg_busiest *busiest, const struct seg_flow *flow,
		     const struct seg_judged *judged)
{
	const struct pair_key key = {judged->verdict.from, judged->verdict.to};
	const struct entry entry = {flow->bytes + flow->reply_bytes, *flow, *judged};
	bool made;
	struct pair *pair = seg_hash_put(&busiest->pair, &key, &made);

	pair->flows++;
	pair->bytes += entry.bytes;
	if (busiest->n < busiest->limit) {
		busiest->heap[busiest->n] = entry;
		sift_up(busiest->heap, busiest->n++);
	} else if (entry.bytes > busiest->heap[0].bytes) {
		busiest->heap[0] = entry;
		sift_down(busiest->heap, busiest->n);
	}
}

/* Takes the heap apart from its least end: the list is filled from behind. */
static json_t *flows_json(struct seg_busiest *busiest, struct seg_engine *engine, time_t now)
{
	json_t *list = json_array();

	while (busiest->n) {
		const struct entry *least = &busiest->heap[0];

		json_array_insert_new(list, 0, seg_json_flow(engine, &least->flow, &least->judged, now));
		busiest->heap[0] = busiest->heap[--busiest->n];
		sift_down(busiest->heap, busiest->n);
	}
	return list;
}

static int by_bytes(const void *a, const void *b)
{
	const struct pair *one = *(const struct pair *const *)a, *other = *(const struct pair *const *)b;

	return (one->bytes < other->bytes) - (one->bytes > other->bytes);
}

static json_t *pairs_json(const struct seg_busiest *busiest)
{
	const struct pair **sorted = calloc(busiest->pair.n + 1, sizeof(struct pair *)), *pair;
	json_t *list = json_array();
	size_t cursor = 0, n = 0;

	if (!sorted)
		abort();
	while ((pair = seg_hash_next(&busiest->pair, &cursor)))
		sorted[n++] = pair;
	qsort(sorted, n, sizeof(*sorted), by_bytes);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:o, s:o, s:I, s:I}", "from", seg_json_zone(sorted[i]->key.from),
					"to", seg_json_zone(sorted[i]->key.to), "flows",
					(json_int_t)sorted[i]->flows, "bytes", (json_int_t)sorted[i]->bytes));
	free(sorted);
	return list;
}

json_t *seg_busiest_json(struct seg_busiest *busiest, struct seg_engine *engine, time_t now)
{
	return json_pack("{s:o, s:o}", "flows", flows_json(busiest, engine, now), "pairs",
			 pairs_json(busiest));
}
