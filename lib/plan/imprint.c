/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/imprint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "plan/rule.h"

#define NAMED 8 /* objects that a sentence names */

/* Hashes. Nobody gains by a collision who could not write the hash, too. */

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 32;
}

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t word;

	hash = mix(hash, len);
	while (len) {
		const size_t n = len < sizeof(word) ? len : sizeof(word);

		word = 0;
		memcpy(&word, at, n);
		hash = mix(hash, word);
		at += n;
		len -= n;
	}
	return hash;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
	return text ? mix_bytes(hash, text, strlen(text)) : mix(hash, UINT64_MAX);
}

/* Of what seg_set_diff() compares, without the end. */
static uint64_t hash_elem(const struct seg_set *set, const struct seg_elem *elem, uint32_t generation)
{
	uint64_t hash = mix_bytes(elem->catchall, elem->key, set->key_len);
	struct seg_strbuf text = {0};

	if (set->interval)
		hash = mix_bytes(hash, elem->end ? elem->end : elem->key, set->key_len);
	if (set->data == SEG_DATA_MARK)
		hash = mix(hash, elem->mark);
	if (set->data == SEG_DATA_VERDICT) {
		seg_elem_print_data(set, elem, generation, &text);
		hash = mix_text(hash, seg_strbuf_text(&text));
		seg_strbuf_fini(&text);
	}
	return mix_text(hash, elem->comment);
}

static int by_hash(const void *a, const void *b)
{
	const struct seg_imprint_ending *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* As seg_set_same_definition(). */
static uint64_t hash_definition(const struct seg_set *set)
{
	uint64_t hash = mix(set->fields, set->key_len);

	for (unsigned i = 0; i < set->fields; i++)
		hash = mix(hash, set->field[i]);
	hash = mix(hash, set->data);
	hash = mix(hash, (uint64_t)set->interval | (uint64_t)set->timeout << 1 | (uint64_t)set->dynamic << 2 |
				 (uint64_t)set->counter << 3);
	return mix(mix(hash, set->size), set->timeout_ms);
}

/* In whatever order they come, and one that a plan says twice the kernel has once. */
static struct seg_imprint_object imprint_set(const struct seg_set *set, uint32_t generation, int64_t since,
					     struct seg_arena *arena)
{
	const size_t elems = set->dynamic ? 0 : set->elems;
	uint64_t *lasting = SEG_NEW_N(arena, uint64_t, elems + 1);
	struct seg_imprint_ending *ending = SEG_NEW_N(arena, struct seg_imprint_ending, elems + 1);
	struct seg_imprint_object object = {.hash = hash_definition(set), .ending = ending};
	char name[SEG_NAME_MAX];
	size_t n = 0;

	for (size_t i = 0; i < elems; i++) {
		const struct seg_elem *elem = &set->elem[i];
		const uint64_t hash = hash_elem(set, elem, generation);

		if (elem->timeout_ms)
			ending[object.endings++] =
				(struct seg_imprint_ending){hash, since + (int64_t)elem->timeout_ms};
		else
			lasting[n++] = hash;
	}
	qsort(ending, object.endings, sizeof(*ending), by_hash);
	qsort(lasting, n, sizeof(*lasting), by_value);
	for (size_t i = 0; i < n; i++)
		if (!i || lasting[i] != lasting[i - 1])
			object.hash = mix(object.hash, lasting[i]);
	object.name = SEG_JOIN(arena, "set ", seg_set_kernel_name(set, generation, name));
	return object;
}

static struct seg_imprint_object imprint_chain(const struct seg_chain *chain, uint32_t generation,
					       struct seg_arena *arena)
{
	struct seg_imprint_object object = {.hash = mix(chain->hook, chain->rules)};
	struct seg_strbuf text = {0};
	char name[SEG_NAME_MAX];

	if (chain->hook != SEG_HOOK_NONE)
		object.hash = mix(mix(object.hash, (uint64_t)chain->priority), chain->policy_drop);
	for (size_t i = 0; i < chain->rules; i++) {
		const struct seg_rule rule = seg_rule_complete(&chain->rule[i], arena);

		seg_strbuf_reset(&text);
		seg_rule_print(&rule, generation, &text);
		object.hash = mix_text(object.hash, seg_strbuf_text(&text));
	}
	seg_strbuf_fini(&text);
	object.name = SEG_JOIN(arena, "chain ", seg_chain_kernel_name(chain, generation, name));
	return object;
}

static int by_name(const void *a, const void *b)
{
	const struct seg_imprint_object *x = a, *y = b;

	return strcmp(x->name, y->name);
}

struct seg_imprint seg_imprint_of(const struct seg_plan *plan, int64_t since, struct seg_arena *arena)
{
	struct seg_imprint_object *object =
		SEG_NEW_N(arena, struct seg_imprint_object, plan->sets + plan->chains + 1);
	size_t n = 0;

	for (size_t i = 0; i < plan->sets; i++)
		object[n++] = imprint_set(plan->set[i], plan->generation, since, arena);
	for (size_t i = 0; i < plan->chains; i++)
		object[n++] = imprint_chain(plan->chain[i], plan->generation, arena);
	object[n++] = (struct seg_imprint_object){.name = "table inet " SEG_TABLE, .hash = plan->dormant};
	qsort(object, n, sizeof(*object), by_name);
	return (struct seg_imprint){object, n};
}

/* Comparing. */

/* Each that was there is, with its end, or is over; and no other. */
static bool same_endings(const struct seg_imprint_object *was, const struct seg_imprint_object *is,
			 int64_t now, int64_t slack)
{
	size_t at = 0;

	for (size_t i = 0; i < was->endings; i++) {
		const struct seg_imprint_ending *one = &was->ending[i];
		const bool there = at < is->endings && is->ending[at].hash == one->hash;

		if (there && llabs(is->ending[at].end - one->end) <= slack)
			at++;
		else if (there || one->end > now + slack)
			return false;
	}
	return at == is->endings;
}

struct tally {
	struct seg_strbuf *out;
	size_t named, beyond;
};

static void tell(struct tally *tally, const struct seg_imprint_object *object, const char *what)
{
	if (tally->named >= NAMED) {
		tally->beyond++;
		return;
	}
	seg_strbuf_printf(tally->out, "%s%s %s", tally->named++ ? ", " : "", object->name, what);
}

/* Those of a generation, or those that live as long as the table. */
static void compare_half(const struct seg_imprint *was, const struct seg_imprint *is, bool generation,
			 int64_t now, int64_t slack, struct tally *tally)
{
	size_t i = 0, j = 0;

	while (i < was->objects || j < is->objects) {
		const struct seg_imprint_object *a = i < was->objects ? &was->object[i] : NULL;
		const struct seg_imprint_object *b = j < is->objects ? &is->object[j] : NULL;
		const int order = !a ? 1 : !b ? -1 : by_name(a, b);

		i += order <= 0;
		j += order >= 0;
		if (!strchr(order > 0 ? b->name : a->name, '.') == generation)
			continue;
		if (order < 0)
			tell(tally, a, "removed");
		else if (order > 0)
			tell(tally, b, "added");
		else if (a->hash != b->hash || !same_endings(a, b, now, slack))
			tell(tally, a, "changed");
	}
}

void seg_imprint_compare(const struct seg_imprint *was, const struct seg_imprint *is, int64_t now,
			 int64_t slack, struct seg_strbuf *out)
{
	struct tally tally = {.out = out};

	/* Where packets come in stands first: a flush changes hundreds. */
	compare_half(was, is, false, now, slack, &tally);
	compare_half(was, is, true, now, slack, &tally);
	if (tally.beyond)
		seg_strbuf_printf(out, ", and %zu more", tally.beyond);
}

/* As text. */

#define LAST "end"

void seg_imprint_write(const struct seg_imprint *imprint, const char *seen, struct seg_strbuf *out)
{
	seg_strbuf_printf(out, "%s\n", seen);
	for (size_t i = 0; i < imprint->objects; i++) {
		const struct seg_imprint_object *object = &imprint->object[i];

		seg_strbuf_printf(out, "%016" PRIx64 " %zu %s\n", object->hash, object->endings,
				  object->name);
		for (size_t j = 0; j < object->endings; j++)
			seg_strbuf_printf(out, "%016" PRIx64 " %" PRId64 "\n", object->ending[j].hash,
					  object->ending[j].end);
	}
	seg_strbuf_add(out, LAST "\n");
}

/* "HASH NUMBER", and what stands behind it; NULL: it is none. */
static const char *read_line(const char *line, uint64_t *hash, int64_t *number)
{
	char *end;

	*hash = strtoull(line, &end, 16);
	if (end == line || *end != ' ')
		return NULL;
	line = end + 1;
	*number = strtoll(line, &end, 10);
	return end == line ? NULL : end;
}

static bool read_endings(char **rest, struct seg_imprint_object *object, size_t n, struct seg_arena *arena)
{
	struct seg_imprint_ending *ending = NULL;
	size_t cap = 0;

	while (object->endings < n) {
		const char *line = strsep(rest, "\n");
		struct seg_imprint_ending one;

		if (!line || !read_line(line, &one.hash, &one.end))
			return false;
		SEG_PUSH(arena, ending, object->endings, cap) = one;
	}
	object->ending = ending;
	return true;
}

bool seg_imprint_read(char *text, const char *seen, struct seg_arena *arena, struct seg_imprint *imprint)
{
	struct seg_imprint_object *object = NULL;
	char *rest = text, *line = strsep(&rest, "\n");
	size_t n = 0, cap = 0;

	if (!line || strcmp(line, seen) != 0)
		return false;
	while ((line = strsep(&rest, "\n")) && strcmp(line, LAST) != 0) {
		struct seg_imprint_object one = {0};
		int64_t endings;
		const char *name = read_line(line, &one.hash, &endings);

		if (!name || *name != ' ' || endings < 0)
			return false;
		one.name = name + 1;
		if (!read_endings(&rest, &one, (size_t)endings, arena))
			return false;
		SEG_PUSH(arena, object, n, cap) = one;
	}
	*imprint = (struct seg_imprint){object, n};
	return line != NULL;
}
