/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <stdarg.h>
#include <string.h>

#include "base/i18n.h"
#include "plan/rule.h"

#define FINDINGS_MAX 100

struct comparison {
	const char *table;
	const struct seg_plan *want, *have;
	struct seg_findings *findings;
	struct seg_arena *arena;
	size_t cap;
	size_t beyond; /* found, but not told */
};

static void find(struct comparison *c, const char *kind, const char *object, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void find(struct comparison *c, const char *kind, const char *object, const char *format, ...)
{
	struct seg_finding *finding;
	char detail[1024];
	va_list args;

	if (c->findings->n >= FINDINGS_MAX) {
		c->beyond++;
		return;
	}
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	finding = &SEG_PUSH(c->arena, c->findings->finding, c->findings->n, c->cap);
	finding->kind = kind;
	finding->object = seg_arena_strdup(c->arena, object);
	finding->detail = seg_arena_strdup(c->arena, detail);
}

/* -- elements ---------------------------------------------------------- */

static const char *elem_object(struct comparison *c, const struct seg_set *set, const struct seg_elem *elem)
{
	struct seg_strbuf text = {0};
	const char *object;

	seg_strbuf_add(&text, "element ");
	seg_elem_print_key(set, elem, &text);
	if (elem->comment)
		seg_strbuf_printf(&text, " (%s)", elem->comment);
	seg_strbuf_printf(&text, " of set %s", set->name);
	object = seg_arena_strdup(c->arena, seg_strbuf_text(&text));
	seg_strbuf_fini(&text);
	return object;
}

/* "0x00000007, for 3600 s, S-1" */
static const char *elem_content(struct comparison *c, const struct seg_set *set, const struct seg_elem *elem,
				uint32_t generation)
{
	struct seg_strbuf text = {0};
	const char *content;

	seg_elem_print_data(set, elem, generation, &text);
	if (set->timeout)
		seg_strbuf_add(&text, text.len ? ", " : "");
	if (set->timeout && elem->timeout_ms)
		seg_strbuf_printf(&text, "for %llu s", (unsigned long long)(elem->timeout_ms / 1000));
	else if (set->timeout)
		seg_strbuf_add(&text, "for ever");
	if (elem->comment)
		seg_strbuf_printf(&text, "%s%s", text.len ? ", " : "", elem->comment);
	content = seg_arena_strdup(c->arena, text.len ? text.text : "without a comment");
	seg_strbuf_fini(&text);
	return content;
}

static const struct seg_elem *same_key_among(const struct seg_set *set, const struct seg_elem *elem,
					     const struct seg_elem *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seg_elem_same_key(set, list[i], elem))
			return list[i];
	return NULL;
}

static void compare_elems(struct comparison *c, const struct seg_set *want, const struct seg_set *have)
{
	struct seg_set_change change;

	if (!seg_set_diff(have, want, seg_plan_later_ms(c->have, c->want), c->arena, &change))
		return;
	for (size_t i = 0; i < change.adds; i++) {
		const struct seg_elem *elem = change.add[i];
		const struct seg_elem *was = NULL;

		if (c->findings->n >= FINDINGS_MAX) {
			c->beyond += change.adds - i + change.dels;
			return;
		}
		was = same_key_among(want, elem, change.del, change.dels);
		if (was)
			find(c, "changed", elem_object(c, want, elem), "should be %s, is %s",
			     elem_content(c, want, elem, c->want->generation),
			     elem_content(c, want, was, c->have->generation));
		else
			find(c, "missing", elem_object(c, want, elem), N_("not in the kernel"));
	}
	for (size_t i = 0; i < change.dels; i++) {
		if (c->findings->n >= FINDINGS_MAX) {
			c->beyond += change.dels - i;
			return;
		}
		if (!same_key_among(want, change.del[i], change.add, change.adds))
			find(c, "extra", elem_object(c, want, change.del[i]),
			     N_("in the kernel, not in the policy"));
	}
}

/* -- sets and chains --------------------------------------------------- */

static const char *table_object(const struct comparison *c)
{
	return seg_arena_printf(c->arena, "table inet %s", c->table);
}

static const char *object_of(const struct comparison *c, const char *what, const char *name)
{
	if (strcmp(c->table, SEG_TABLE))
		return seg_arena_printf(c->arena, "%s %s of %s", what, name, table_object(c));
	return seg_arena_printf(c->arena, "%s %s", what, name);
}

static void compare_sets(struct comparison *c)
{
	struct seg_map want = {0}, have = {0};

	for (size_t i = 0; i < c->have->sets; i++)
		seg_map_add(&have, c->arena, c->have->set[i]->name, (void *)c->have->set[i], NULL);
	for (size_t i = 0; i < c->want->sets; i++) {
		const struct seg_set *set = c->want->set[i], *is = seg_map_get(&have, set->name);

		seg_map_add(&want, c->arena, set->name, (void *)set, NULL);
		if (!is)
			find(c, "missing", object_of(c, "set", set->name), N_("not in the kernel"));
		else if (!seg_set_same_definition(set, is))
			find(c, "changed", object_of(c, "set", set->name), N_("its type or flags are not ours"));
		else
			compare_elems(c, set, is);
	}
	for (size_t i = 0; i < c->have->sets; i++)
		if (!seg_map_get(&want, c->have->set[i]->name))
			find(c, "extra", object_of(c, "set", c->have->set[i]->name),
			     N_("in the kernel, not in the policy"));
}

static const char *rule_text(struct comparison *c, const struct seg_rule *rule, uint32_t generation)
{
	struct seg_strbuf text = {0};
	const char *copy;

	seg_rule_print(rule, generation, &text);
	copy = seg_arena_strdup(c->arena, seg_strbuf_text(&text));
	seg_strbuf_fini(&text);
	return copy;
}

/* Complete rules, to compare many times. */
static const struct seg_rule *complete(struct comparison *c, const struct seg_chain *chain)
{
	struct seg_rule *rules = SEG_NEW_N(c->arena, struct seg_rule, chain->rules);

	for (size_t i = 0; i < chain->rules; i++)
		rules[i] = seg_rule_complete(&chain->rule[i], c->arena);
	return rules;
}

static bool among(const struct seg_rule *rule, const struct seg_rule *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seg_rule_equal(rule, &list[i]))
			return true;
	return false;
}

/* What differs lies between a common beginning and a common end. */
static void compare_rules(struct comparison *c, const struct seg_chain *want, const struct seg_chain *have)
{
	const struct seg_rule *w = complete(c, want), *h = complete(c, have);
	const char *object = object_of(c, "chain", want->name);
	size_t start = 0, wn = want->rules, hn = have->rules, before = c->findings->n;

	while (start < wn && start < hn && seg_rule_equal(&w[start], &h[start]))
		start++;
	while (wn > start && hn > start && seg_rule_equal(&w[wn - 1], &h[hn - 1])) {
		wn--;
		hn--;
	}
	for (size_t i = start; i < wn; i++)
		if (!among(&w[i], h + start, hn - start))
			find(c, "missing", object, "rule %zu is not in the kernel: %s", i + 1,
			     rule_text(c, &want->rule[i], c->want->generation));
	for (size_t i = start; i < hn; i++)
		if (!among(&h[i], w + start, wn - start))
			find(c, "extra", object, "rule %zu in the kernel is none of ours: %s", i + 1,
			     rule_text(c, &have->rule[i], c->have->generation));
	if (c->findings->n == before && (start < wn || start < hn))
		find(c, "changed", object, N_("its rules stand in another order or number"));
}

static void compare_chain(struct comparison *c, const struct seg_chain *want, const struct seg_chain *have)
{
	if (want->hook != have->hook || (want->hook != SEG_HOOK_NONE && want->priority != have->priority))
		find(c, "changed", object_of(c, "chain", want->name), N_("it hangs on another hook or priority"));
	else if (want->hook != SEG_HOOK_NONE && want->policy_drop != have->policy_drop)
		find(c, "changed", object_of(c, "chain", want->name), "its policy should be %s, is %s",
		     want->policy_drop ? "drop" : "accept", have->policy_drop ? "drop" : "accept");
	compare_rules(c, want, have);
}

static void compare_chains(struct comparison *c)
{
	struct seg_map want = {0}, have = {0};

	for (size_t i = 0; i < c->have->chains; i++)
		seg_map_add(&have, c->arena, c->have->chain[i]->name, (void *)c->have->chain[i], NULL);
	for (size_t i = 0; i < c->want->chains; i++) {
		const struct seg_chain *chain = c->want->chain[i], *is = seg_map_get(&have, chain->name);

		seg_map_add(&want, c->arena, chain->name, (void *)chain, NULL);
		if (is)
			compare_chain(c, chain, is);
		else
			find(c, "missing", object_of(c, "chain", chain->name), N_("not in the kernel"));
	}
	for (size_t i = 0; i < c->have->chains; i++)
		if (!seg_map_get(&want, c->have->chain[i]->name))
			find(c, "extra", object_of(c, "chain", c->have->chain[i]->name),
			     N_("in the kernel, not in the policy"));
}

void seg_nft_compare_table(const char *table, const struct seg_plan *want, const struct seg_plan *have,
			   struct seg_findings *findings)
{
	struct comparison c = {
		.table = table, .want = want, .have = have, .findings = findings, .arena = findings->arena};

	c.cap = findings->n; /* what is there was not made by us to grow */
	if (!have) {
		find(&c, "missing", table_object(&c), N_("not in the kernel"));
		return;
	}
	if (have->dormant)
		find(&c, "changed", table_object(&c), N_("should be in force, is dormant"));
	compare_chains(&c);
	compare_sets(&c);
	if (c.beyond)
		SEG_PUSH(c.arena, findings->finding, findings->n, c.cap) =
			(struct seg_finding){"changed", table_object(&c),
					     seg_arena_printf(c.arena, "and %zu more differences", c.beyond)};
}

void seg_nft_compare(const struct seg_plan *want, const struct seg_plan *have, struct seg_findings *findings)
{
	seg_nft_compare_table(SEG_TABLE, want, have, findings);
}
