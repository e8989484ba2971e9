// SPDX-License-Identifier: GPL-2.0-or-later
#include "sample.h"

#include <stdlib.h>
#include <string.h>
#include "base/strbuf.h"
#include "output.h"

static void item_fini(struct segctl_item *item)
{
	free(item->first);
	free(item->second);
	free(item->third);
	free(item->permit);
}

static void items_fini(struct segctl_items *items)
{
	for (size_t i = 0; i < items->n; i++)
		item_fini(&items->item[i]);
	free(items->item);
	*items = (struct segctl_items){0};
}

void segctl_sample_fini(struct segctl_sample *sample)
{
	items_fini(&sample->pairs);
	items_fini(&sample->permits);
	items_fini(&sample->flows);
	json_decref(sample->before);
	sample->before = NULL;
}

static char *copy(const char *text)
{
	char *result = strdup(*text ? text : "-");

	if (!result)
		abort();
	return result;
}

static struct segctl_item *add(struct segctl_items *items)
{
	if (items->n == items->cap) {
		items->cap = items->cap ? 2 * items->cap : 64;
		items->item = realloc(items->item, items->cap * sizeof(*items->item));
		if (!items->item)
			abort();
	}
	items->item[items->n] = (struct segctl_item){.rate = -1};
	return &items->item[items->n++];
}

static int by_rate(const void *a, const void *b)
{
	const struct segctl_item *one = a, *other = b;

	if (one->rate > other->rate || one->rate < other->rate)
		return one->rate > other->rate ? -1 : 1;
	if (one->bytes != other->bytes)
		return one->bytes > other->bytes ? -1 : 1;
	return strcmp(one->first, other->first);
}

static int by_name(const void *a, const void *b)
{
	const struct segctl_item *one = a, *other = b;

	return strcmp(one->first, other->first);
}

static void sort(struct segctl_items *items, int (*compare)(const void *a, const void *b))
{
	if (items->n)
		qsort(items->item, items->n, sizeof(*items->item), compare);
}

/* Notes the bytes under the key for the next time. What was not there before is new as a whole;
 * less than before is another flow of the same tuple. */
static double rate_since(const struct segctl_sample *sample, json_t *now, const char *key, long long bytes,
			 double seconds)
{
	long long before = json_integer_value(json_object_get(sample->before, key));

	json_object_set_new(now, key, json_integer(bytes));
	if (!sample->before || seconds <= 0)
		return -1;
	return (double)(bytes >= before ? bytes - before : bytes) / seconds;
}

static long long both_ways(const json_t *object)
{
	return segctl_number_of(object, "bytes") + segctl_number_of(object, "reply-bytes");
}

void segctl_sample_begin(struct segctl_sample *sample, bool all)
{
	sort(&sample->permits, by_name);
	sample->known = sample->permits.n;
	for (size_t i = 0; i < sample->known; i++) {
		sample->permits.item[i].grown = 0;
		sample->permits.item[i].stays = !all;
	}
}

static struct segctl_item *permit_of(struct segctl_sample *sample, const char *id)
{
	const struct segctl_item key = {.first = (char *)id};
	struct segctl_item *item = NULL;

	if (sample->known)
		item = bsearch(&key, sample->permits.item, sample->known, sizeof(key), by_name);
	if (item)
		return item;
	item = add(&sample->permits);
	item->first = copy(id);
	item->grown = -1;
	return item;
}

void segctl_sample_add_permits(struct segctl_sample *sample, const json_t *permits)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(permits, "permits"), i, one)
	{
		struct segctl_item *item = permit_of(sample, segctl_text_of(one, "id"));
		long long bytes = both_ways(one);

		free(item->second);
		item->second = copy(segctl_text_of(one, "title"));
		item->flows = segctl_number_of(one, "flows");
		if (item->grown >= 0 && bytes > item->bytes)
			item->grown = bytes - item->bytes;
		item->bytes = bytes;
		item->stays = true;
	}
}

static void take_permits(struct segctl_items *permits, double seconds)
{
	size_t n = 0;

	for (size_t i = 0; i < permits->n; i++) {
		struct segctl_item *item = &permits->item[i];

		item->rate = item->grown < 0 || seconds <= 0 ? -1 : (double)item->grown / seconds;
		if (item->stays)
			permits->item[n++] = *item;
		else
			item_fini(item);
	}
	permits->n = n;
}

static const char *pair_name(const json_t *object, struct seg_strbuf *name)
{
	seg_strbuf_reset(name);
	seg_strbuf_printf(name, "pair %s %s", segctl_text_of(object, "from"), segctl_text_of(object, "to"));
	return seg_strbuf_text(name);
}

/* A pair's sum shrinks when flows end: then it says nothing about the rate, unlike the flows that are
 * listed. `index` maps names to places, plus one. */
static void take_pairs(struct segctl_sample *sample, const json_t *list, json_t *index, json_t *now,
		       double seconds)
{
	struct seg_strbuf name = {0};
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		struct segctl_item *item = add(&sample->pairs);
		long long bytes = segctl_number_of(one, "bytes");
		const char *key = pair_name(one, &name);
		bool shrunk = bytes < json_integer_value(json_object_get(sample->before, key));

		item->first = copy(segctl_text_of(one, "from"));
		item->second = copy(segctl_text_of(one, "to"));
		item->flows = segctl_number_of(one, "flows");
		item->bytes = bytes;
		item->rate = rate_since(sample, now, key, bytes, seconds);
		if (shrunk)
			item->rate = 0;
		json_object_set_new(index, key, json_integer((json_int_t)sample->pairs.n));
	}
	seg_strbuf_fini(&name);
}

static char *endpoint(const json_t *flow, const char *addr, const char *port)
{
	struct seg_strbuf buf = {0};

	segctl_endpoint_of(flow, addr, port, &buf);
	return seg_strbuf_take(&buf);
}

static void take_flows(struct segctl_sample *sample, const json_t *list, json_t *now, double seconds)
{
	struct seg_strbuf key = {0};
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		struct segctl_item *item = add(&sample->flows);

		item->first = copy(segctl_text_of(one, "proto"));
		item->second = endpoint(one, "src", "sport");
		item->third = endpoint(one, "dst", "dport");
		item->permit = copy(segctl_text_of(one, "permit"));
		item->flows = 1;
		item->bytes = both_ways(one);
		seg_strbuf_reset(&key);
		seg_strbuf_printf(&key, "%s %s %s", item->first, item->second, item->third);
		item->rate = rate_since(sample, now, seg_strbuf_text(&key), item->bytes, seconds);
	}
	seg_strbuf_fini(&key);
}

/* A pair is at least as busy as those of its flows that are listed. */
static void raise_pairs(struct segctl_sample *sample, const json_t *flows, const json_t *index)
{
	double *sum = calloc(sample->pairs.n + 1, sizeof(*sum));
	struct seg_strbuf name = {0};
	const json_t *one;
	size_t i;

	if (!sum)
		abort();
	json_array_foreach(flows, i, one)
	{
		json_int_t place = json_integer_value(json_object_get(index, pair_name(one, &name)));

		if (place && sample->flows.item[i].rate > 0)
			sum[place - 1] += sample->flows.item[i].rate;
	}
	for (i = 0; i < sample->pairs.n; i++) {
		if (sum[i] > sample->pairs.item[i].rate)
			sample->pairs.item[i].rate = sum[i];
	}
	seg_strbuf_fini(&name);
	free(sum);
}

void segctl_sample_end(struct segctl_sample *sample, const json_t *flows, double seconds)
{
	json_t *now = json_object(), *index = json_object(), *list = json_object_get(flows, "flows");

	items_fini(&sample->pairs);
	items_fini(&sample->flows);
	take_permits(&sample->permits, seconds);
	take_pairs(sample, json_object_get(flows, "pairs"), index, now, seconds);
	take_flows(sample, list, now, seconds);
	raise_pairs(sample, list, index);
	json_decref(index);
	json_decref(sample->before);
	sample->before = now;
	sort(&sample->pairs, by_rate);
	sort(&sample->permits, by_rate);
	sort(&sample->flows, by_rate);
}

static json_t *list_json(const struct segctl_items *items, const char *first, const char *second,
			 const char *third, size_t limit)
{
	json_t *list = json_array();

	for (size_t i = 0; i < items->n && i < limit; i++) {
		const struct segctl_item *item = &items->item[i];
		json_t *one = json_pack("{s:s, s:s}", first, item->first, second, item->second);

		if (third)
			json_object_set_new(one, third, json_string(item->third));
		if (item->permit)
			json_object_set_new(one, "permit", json_string(item->permit));
		json_object_set_new(one, "flows", json_integer(item->flows));
		json_object_set_new(one, "bytes", json_integer(item->bytes));
		json_object_set_new(one, "bytes-per-second",
				    item->rate < 0 ? json_null() : json_real(item->rate));
		json_array_append_new(list, one);
	}
	return list;
}

json_t *segctl_sample_json(const struct segctl_sample *sample, size_t limit)
{
	return json_pack("{s:o, s:o, s:o}", "pairs", list_json(&sample->pairs, "from", "to", NULL, limit),
			 "permits", list_json(&sample->permits, "id", "title", NULL, limit), "flows",
			 list_json(&sample->flows, "proto", "src", "dst", limit));
}
