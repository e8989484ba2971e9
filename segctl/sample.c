// SPDX-License-Identifier: GPL-2.0-or-later
#include "sample.h"

#include <stdlib.h>
#include <string.h>
#include "base/strbuf.h"
#include "output.h"

static void items_fini(struct segctl_items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		free(items->item[i].first);
		free(items->item[i].second);
		free(items->item[i].third);
		free(items->item[i].permit);
	}
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

static void sort(struct segctl_items *items)
{
	if (items->n)
		qsort(items->item, items->n, sizeof(*items->item), by_rate);
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

static void take_permits(struct segctl_sample *sample, const json_t *list, json_t *now, double seconds)
{
	struct seg_strbuf key = {0};
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		struct segctl_item *item = add(&sample->permits);

		item->first = copy(segctl_text_of(one, "id"));
		item->second = copy(segctl_text_of(one, "title"));
		item->flows = segctl_number_of(one, "flows");
		item->bytes = both_ways(one);
		seg_strbuf_reset(&key);
		seg_strbuf_printf(&key, "permit %s", item->first);
		item->rate = rate_since(sample, now, seg_strbuf_text(&key), item->bytes, seconds);
	}
	seg_strbuf_fini(&key);
}

/* The pair's item; `index` maps its name to its place, plus one. */
static struct segctl_item *pair_of(struct segctl_sample *sample, json_t *index, const json_t *flow,
				   struct seg_strbuf *name)
{
	struct segctl_item *item;
	json_int_t place;

	seg_strbuf_reset(name);
	seg_strbuf_printf(name, "%s %s", segctl_text_of(flow, "from"), segctl_text_of(flow, "to"));
	place = json_integer_value(json_object_get(index, seg_strbuf_text(name)));
	if (place)
		return &sample->pairs.item[place - 1];
	item = add(&sample->pairs);
	item->first = copy(segctl_text_of(flow, "from"));
	item->second = copy(segctl_text_of(flow, "to"));
	json_object_set_new(index, seg_strbuf_text(name), json_integer((json_int_t)sample->pairs.n));
	return item;
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
	json_t *index = json_object();
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		struct segctl_item *item = add(&sample->flows), *pair;

		item->first = copy(segctl_text_of(one, "proto"));
		item->second = endpoint(one, "src", "sport");
		item->third = endpoint(one, "dst", "dport");
		item->permit = copy(segctl_text_of(one, "permit"));
		item->flows = 1;
		item->bytes = both_ways(one);
		seg_strbuf_reset(&key);
		seg_strbuf_printf(&key, "%s %s %s", item->first, item->second, item->third);
		item->rate = rate_since(sample, now, seg_strbuf_text(&key), item->bytes, seconds);
		pair = pair_of(sample, index, one, &key);
		pair->flows++;
		pair->bytes += item->bytes;
		if (item->rate >= 0)
			pair->rate = (pair->rate < 0 ? 0 : pair->rate) + item->rate;
	}
	json_decref(index);
	seg_strbuf_fini(&key);
}

void segctl_sample_take(struct segctl_sample *sample, const json_t *permits, const json_t *flows,
			double seconds)
{
	json_t *now = json_object();

	items_fini(&sample->pairs);
	items_fini(&sample->permits);
	items_fini(&sample->flows);
	take_permits(sample, json_object_get(permits, "permits"), now, seconds);
	take_flows(sample, json_object_get(flows, "flows"), now, seconds);
	json_decref(sample->before);
	sample->before = now;
	sort(&sample->pairs);
	sort(&sample->permits);
	sort(&sample->flows);
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
