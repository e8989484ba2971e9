/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>

#include "plan/diff.h"
#include "plan/rule.h"
#include "sample_plan.h"
#include "runner.h"

static struct sample *old, *new;
static struct seg_arena *arena;

static void setup(void)
{
	old = sample_new(3);
	new = sample_new(3);
	arena = seg_arena_new();
}

static void teardown(void)
{
	sample_fini(old);
	sample_fini(new);
	seg_arena_free(arena);
}

static struct seg_change diff(void)
{
	return seg_plan_diff(&old->plan, &new->plan, arena);
}

static struct seg_elem *elem(struct sample *s, const char *set, size_t i)
{
	return (struct seg_elem *)&sample_find(s, set)->elem[i];
}

START_TEST(test_equal)
{
	ck_assert(diff().empty);
	ck_assert(seg_plan_same_structure(&old->plan, &new->plan));
	elem(old, "fast", 1)->packets = 17;
	elem(new, "fast", 0)->timeout_ms -= 900;
	ck_assert_msg(diff().empty, "counters and a second of timeout are no difference");
}
END_TEST

START_TEST(test_from_nothing)
{
	struct seg_change c = seg_plan_diff(NULL, &new->plan, arena);

	ck_assert(!c.empty && c.switches);
	ck_assert_uint_eq(c.new_sets, new->plan.sets);
	ck_assert_uint_eq(c.new_chains, new->plan.chains - 2);
	ck_assert_msg(c.bases == 2, "base chains come with their rules, in the switch");
	ck_assert(c.old_sets == 0 && c.old_chains == 0 && c.sets == 0);
}
END_TEST

START_TEST(test_element)
{
	struct seg_elem *added;
	struct seg_change c;

	added = sample_elem(new, sample_find(new, "exact-ports4"),
			    SAMPLE_KEY("10.1.0.21", "10.2.0.1", "6", "22"), NULL);
	elem(old, "fast", 1)->packets = 17;
	elem(old, "fast", 1)->bytes = 1700;
	elem(new, "fast", 1)->timeout_ms = 60000;
	sample_find(new, "bound4")->elems = 0;
	c = diff();
	ck_assert(!c.empty && !c.switches && c.bases == 0);
	ck_assert_uint_eq(c.sets, 3);
	ck_assert_str_eq(c.set[0].set->name, "fast");
	ck_assert(c.set[0].adds == 1 && c.set[0].dels == 1);
	ck_assert_msg(c.set[0].add[0]->packets == 17 && c.set[0].add[0]->bytes == 1700,
		      "an element with a new timeout keeps its counters");
	ck_assert_uint_eq(c.set[0].add[0]->timeout_ms, 60000);
	ck_assert(c.set[1].adds == 0 && c.set[1].dels == 1);
	ck_assert(c.set[2].adds == 1 && c.set[2].dels == 0);
	ck_assert_ptr_eq(c.set[2].add[0], added);
	ck_assert(seg_plan_same_structure(&old->plan, &new->plan));
}
END_TEST

/* Every part of an element counts, its end and its target too. */
START_TEST(test_element_parts)
{
	struct seg_set *ports = sample_find(new, "lg-ports4");

	elem(new, "lg-ports4", 0)->mark++;
	ck_assert_uint_eq(diff().sets, 1);
	elem(new, "lg-ports4", 0)->mark--;
	elem(new, "lg-ports4", 0)->comment = "Z-2";
	ck_assert_uint_eq(diff().sets, 1);
	elem(new, "lg-ports4", 0)->comment = "Z-1";
	ck_assert(diff().empty);
	elem(new, "lg-ports4", 0)->end =
		sample_key(new, ports, SAMPLE_KEY("10.2.1.199", "10.4.0.4", "6", "444"));
	ck_assert_uint_eq(diff().sets, 1);
	elem(new, "lg-ports4", 0)->end = elem(old, "lg-ports4", 0)->end;
	elem(new, "origin4", 0)->action.code = SEG_V_GOTO;
	ck_assert_uint_eq(diff().sets, 1);
	elem(new, "origin4", 0)->action = (struct seg_action){SEG_V_JUMP, new->chain[1]};
	ck_assert_uint_eq(diff().sets, 1);
}
END_TEST

START_TEST(test_single_as_interval)
{
	/* NULL and an end equal to the key mean the same. */
	elem(new, "origin4", 2)->end = elem(new, "origin4", 2)->key;
	ck_assert(diff().empty);
}
END_TEST

START_TEST(test_switch)
{
	struct seg_change c;

	new->plan.generation = 4;
	RULE(new, new->chain[0], DROP);
	ck_assert(!seg_plan_same_structure(&old->plan, &new->plan));
	c = diff();
	ck_assert(c.switches && !c.empty);
	ck_assert_uint_eq(c.new_sets, 6);
	ck_assert_uint_eq(c.old_sets, 6);
	ck_assert_uint_eq(c.new_chains, 3);
	ck_assert_uint_eq(c.old_chains, 3);
	ck_assert_msg(c.bases == 2, "base chains are refilled: their targets have new names");
	ck_assert_msg(c.sets == 0, "kept sets did not change");
}
END_TEST

START_TEST(test_generation_is_no_structure)
{
	new->plan.generation = 4;
	ck_assert(seg_plan_same_structure(&old->plan, &new->plan));
}
END_TEST

/* Somebody else's rule in one of our chains, our rule gone: the chain is refilled in place. */
START_TEST(test_foreign_rule)
{
	struct seg_change c;

	RULE(old, old->chain[1], ACCEPT);
	c = diff();
	ck_assert(!c.switches && c.bases == 1 && c.sets == 0);
	ck_assert_str_eq(c.base[0]->name, "judge");
}
END_TEST

START_TEST(test_leftovers)
{
	struct seg_change c;
	struct seg_set *set =
		sample_set(old, "origin4.2", true, SEG_DATA_NONE, SAMPLE_FIELDS(SEG_F_IPV4_ADDR));

	sample_chain(old, "maps.2")->kept = true;
	c = diff();
	ck_assert(!c.empty && c.old_sets == 1 && c.old_chains == 1 && c.bases == 0);
	ck_assert_ptr_eq(c.old_set[0], set);
}
END_TEST

START_TEST(test_policy_of_base)
{
	struct seg_change c;

	new->chain[3]->policy_drop = false;
	c = diff();
	ck_assert(!c.switches && c.bases == 1);
	ck_assert_str_eq(c.base[0]->name, "forward");
	ck_assert(!seg_plan_same_structure(&old->plan, &new->plan));
}
END_TEST

START_TEST(test_definition)
{
	sample_find(new, "fast")->counter = false;
	ck_assert(!seg_plan_same_structure(&old->plan, &new->plan));
	ck_assert(diff().replace);
	ck_assert_uint_eq(diff().new_sets, new->plan.sets);
	ck_assert_uint_eq(diff().old_sets, 0);
}
END_TEST

START_TEST(test_hook)
{
	old->chain[3]->priority = 0;
	ck_assert(diff().replace && diff().bases == 2);
	old->chain[3]->priority = new->chain[3]->priority;
	old->chain[0]->hook = SEG_HOOK_INPUT;
	ck_assert(diff().replace);
	old->chain[0]->hook = SEG_HOOK_NONE;
	ck_assert(!diff().replace && diff().empty);
}
END_TEST

/* What an interrupted switch left under the names that the next one takes. */
START_TEST(test_leftovers_in_the_way)
{
	struct seg_change c;

	new->plan.generation = 4;
	sample_chain(old, "judge.4")->kept = true;
	sample_set(old, "everything6.4", true, SEG_DATA_NONE, SAMPLE_FIELDS(SEG_F_IPV6_ADDR))->interval =
		true;
	c = diff();
	ck_assert(!c.replace && c.new_chains == 2 && c.new_sets == 5);
	ck_assert_msg(c.bases == 3, "the chain is filled anew");
	ck_assert_msg(c.sets == 1 && c.set[0].adds == 1, "the set gets its element");
}
END_TEST

START_TEST(test_dynamic)
{
	sample_elem(old, sample_find(old, "denied4"), SAMPLE_KEY("10.0.0.1", "10.0.0.2"), NULL);
	ck_assert_msg(diff().empty, "what packets put into a set is not the plan's");
}
END_TEST

/* Maps alone: what packets put into sets decides about nobody. */
START_TEST(test_forget)
{
	struct seg_change c = diff();

	for (size_t i = 0; i < new->plan.sets; i++)
		ck_assert_int_eq(seg_set_is_taught(new->plan.set[i]), !strcmp(new->plan.set[i]->name, "recent4"));
	seg_change_forget(&c);
	ck_assert(!c.empty && !c.switches && c.forgets);
	c = seg_plan_diff(NULL, &new->plan, arena);
	seg_change_forget(&c);
	ck_assert(!c.forgets);
	new->plan.generation = 4;
	c = diff();
	seg_change_forget(&c);
	ck_assert_msg(!c.forgets, "the old map goes, the new one is empty");
}
END_TEST

/* Many elements, each changed set found, and none twice. */
START_TEST(test_many)
{
	struct seg_set *a = sample_find(old, "open"), *b = sample_find(new, "open");
	struct seg_elem *x = SEG_NEW_N(arena, struct seg_elem, 5000),
			*y = SEG_NEW_N(arena, struct seg_elem, 5000);
	struct seg_change c;

	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t moved = i + 1000;

		x[i].key = seg_arena_copy(arena, &i, sizeof(i));
		y[4999 - i].key = seg_arena_copy(arena, &moved, sizeof(moved));
	}
	a->elem = x;
	b->elem = y;
	a->elems = b->elems = 5000;
	c = diff();
	ck_assert_uint_eq(c.sets, 1);
	ck_assert_uint_eq(c.set[0].adds, 1000);
	ck_assert_uint_eq(c.set[0].dels, 1000);
	for (size_t i = 0; i < 1000; i++) {
		uint32_t key;

		memcpy(&key, c.set[0].del[i]->key, sizeof(key));
		ck_assert_uint_lt(key, 1000);
		memcpy(&key, c.set[0].add[i]->key, sizeof(key));
		ck_assert_uint_ge(key, 5000);
	}
}
END_TEST

/* Elements that letters name, in this order. */
static void spell(struct seg_set *set, const char *letters)
{
	struct seg_elem *elem = SEG_NEW_N(arena, struct seg_elem, strlen(letters));

	for (size_t i = 0; letters[i]; i++) {
		uint32_t key = (uint32_t)letters[i];

		elem[i].key = seg_arena_copy(arena, &key, sizeof(key));
	}
	set->elem = elem;
	set->elems = strlen(letters);
}

static void assert_letters(const struct seg_elem *const *elem, size_t n, const char *expected)
{
	ck_assert_uint_eq(n, strlen(expected));
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(strchr(expected, elem[i]->key[0]) != NULL, "not %c", elem[i]->key[0]);
}

/* What two lists have in common at their ends is set aside: no element counts for both. */
START_TEST(test_common_ends)
{
	static const char *const list[][4] = {
		/* old, new, added, deleted */
		{"", "abc", "abc", ""},	     {"abc", "", "", "abc"},	   {"abc", "abc", "", ""},
		{"abc", "abxc", "x", ""},    {"abxc", "abc", "", "x"},	   {"abc", "xabc", "x", ""},
		{"abc", "abcx", "x", ""},    {"abcd", "axcd", "x", "b"},   {"abcd", "dcba", "", ""},
		{"abcd", "bcd", "", "a"},    {"abcd", "abc", "", "d"},	   {"a", "b", "b", "a"},
		{"abcde", "axcye", "xy", "bd"}, {"abcd", "acbd", "", ""},
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		struct seg_set_change change;
		struct seg_set *a = sample_find(old, "open"), *b = sample_find(new, "open");

		spell(a, list[i][0]);
		spell(b, list[i][1]);
		ck_assert_int_eq(seg_set_diff(a, b, 0, arena, &change), *list[i][2] || *list[i][3]);
		assert_letters(change.add, change.adds, list[i][2]);
		assert_letters(change.del, change.dels, list[i][3]);
	}
}
END_TEST

static unsigned deps(struct sample *s, size_t chain, size_t rule)
{
	struct seg_rule full = seg_rule_complete(&s->chain[chain]->rule[rule], arena);
	struct seg_rule again = seg_rule_complete(&full, arena);

	ck_assert_msg(seg_rule_equal(&full, &again), "completing a complete rule changed it");
	return (unsigned)(full.stmts - s->chain[chain]->rule[rule].stmts);
}

START_TEST(test_complete)
{
	ck_assert_msg(deps(new, 0, 0) == 1, "ip saddr: nfproto");
	ck_assert_msg(deps(new, 0, 2) == 1, "tcp reset: l4proto");
	ck_assert_msg(deps(new, 0, 3) == 0, "icmpx: nothing");
	ck_assert_msg(deps(new, 1, 4) == 0, "nfproto is there already");
	ck_assert_msg(deps(new, 2, 0) == 0, "dispatch: nothing");
	ck_assert_msg(deps(new, 2, 8) == 2, "icmpv6: nfproto, l4proto, and hoplimit needs no more");
	ck_assert_msg(deps(new, 2, 9) == 2, "ether . ip: iiftype and the frame's type");
	ck_assert_msg(deps(new, 2, 10) == 2, "ip daddr, icmp: nfproto, l4proto");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan_diff");
	TCase *tcase = tcase_create("diff");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_equal);
	tcase_add_test(tcase, test_from_nothing);
	tcase_add_test(tcase, test_element);
	tcase_add_test(tcase, test_element_parts);
	tcase_add_test(tcase, test_single_as_interval);
	tcase_add_test(tcase, test_switch);
	tcase_add_test(tcase, test_generation_is_no_structure);
	tcase_add_test(tcase, test_foreign_rule);
	tcase_add_test(tcase, test_leftovers);
	tcase_add_test(tcase, test_policy_of_base);
	tcase_add_test(tcase, test_definition);
	tcase_add_test(tcase, test_hook);
	tcase_add_test(tcase, test_leftovers_in_the_way);
	tcase_add_test(tcase, test_dynamic);
	tcase_add_test(tcase, test_forget);
	tcase_add_test(tcase, test_many);
	tcase_add_test(tcase, test_common_ends);
	tcase_add_test(tcase, test_complete);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
