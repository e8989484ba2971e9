/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Foreign hands in our table, while segd runs and while it does not: closed, named, mended. */

#include <sched.h>
#include <sys/mount.h>

#include "engine/state.h"
#include "engine_life.h"

START_TEST(test_tampered_and_restored)
{
	const struct seg_nft_transaction foreign = {
		.pid = 4711, .process = "nft", .ours = true, .what = "deleted table inet segd"};

	begin();
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	fake_flush(&w.kernel);
	take_hand(&foreign);
	ck_assert_uint_eq(said("tampered|process=nft|pid=4711"), 1);
	ck_assert_uint_eq(said("restored"), 1);
	ck_assert_uint_ne(mark_of("WEB"), 0);
	ck_assert_uint_eq(w.kernel.dumps, 2); /* what began meanwhile */
}
END_TEST

/* Before anything that takes time: while the rules cannot be put right, too, nothing crosses. */
START_TEST(test_sealed_before_mended)
{
	const struct seg_nft_transaction foreign = {
		.ours = true, .what = "added a rule to chain forward of table inet segd"};

	begin();
	w.kernel.touched = true;
	w.kernel.refuse = EBUSY;
	seg_engine_touched(w.engine); /* nobody knows yet who it is */
	ck_assert_uint_eq(w.kernel.seals, 1);
	ck_assert_uint_eq(said("tampered"), 0);
	seg_engine_transaction(w.engine, &foreign, w.kernel.now);
	ck_assert_uint_eq(w.kernel.seals, 1);
	ck_assert_uint_eq(seg_plan_chain(w.kernel.image, "forward")->rules, 0);
	ck_assert_uint_eq(said("tampered"), 1);
	w.kernel.refuse = 0;
	pass(2);
	ck_assert_uint_gt(seg_plan_chain(w.kernel.image, "forward")->rules, 0);
	/* What is told late has been put right already. */
	take_hand(&foreign);
	ck_assert_uint_eq(said("tampered"), 2);
	ck_assert_uint_eq(w.kernel.seals, 1);
}
END_TEST

/* A large policy takes a while to be planned. */
START_TEST(test_sealed_within_an_apply)
{
	begin();
	write_policy(office, "", "");
	w.kernel.hand_at = (unsigned)_i;
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(w.kernel.hand_at, 0);
	ck_assert_uint_eq(w.kernel.seals, 1);
}
END_TEST

/* So does it at a start, which has no plan yet. Who did it is told once he is known. */
START_TEST(test_sealed_within_a_start)
{
	const struct seg_nft_transaction foreign = {
		.pid = 4711, .process = "nft", .ours = true, .what = "added a rule to chain forward of table inet segd"};

	begin();
	die();
	w.kernel.hand_at = (unsigned)_i;
	begin();
	ck_assert_uint_eq(w.kernel.hand_at, 0);
	ck_assert_uint_eq(w.kernel.seals, 1);
	ck_assert_uint_eq(said("tampered"), 0);
	seg_engine_transaction(w.engine, &foreign, w.kernel.now);
	ck_assert_uint_eq(said("tampered"), 1);
	ck_assert_uint_gt(seg_plan_chain(w.kernel.image, "forward")->rules, 1);
}
END_TEST

/* What was put among what packets have put there is seen in no image: all of it goes, with the repair and at a start. */
START_TEST(test_what_packets_taught_is_forgotten)
{
	const struct seg_nft_transaction foreign = {.ours = true, .what = "added elements to set recent4.1 of table inet segd"};
	unsigned writes;

	begin();
	ck_assert_uint_eq(w.kernel.forgets, 0);
	writes = w.kernel.writes;
	w.kernel.touched = true;
	take_hand(&foreign);
	ck_assert_uint_eq(w.kernel.forgets, 1);
	ck_assert_uint_eq(w.kernel.writes, writes + 1); /* the base chains, which were sealed */
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(w.kernel.forgets, 1);
	die();
	begin();
	ck_assert_uint_eq(w.kernel.forgets, 2);
	die();
	w.kernel.guarded = true; /* who gave which number may be lost with the registry */
	begin();
	ck_assert_uint_eq(w.kernel.forgets, 3);
	w.kernel.touched = true; /* some other table: nobody else can have been at ours */
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(w.kernel.forgets, 3);
}
END_TEST

/* Behind lost notifications, though all that can be seen is as it was; by no commit, behind which it would be asked
 * for again. */
START_TEST(test_what_packets_taught_is_forgotten_unheard)
{
	unsigned commits;

	begin();
	commits = w.kernel.commits;
	w.kernel.refuse = ENOMEM;
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	ck_assert_uint_eq(w.kernel.forgets, 0);
	w.kernel.refuse = 0;
	pass(2);
	ck_assert_uint_eq(w.kernel.forgets, 1);
	pass(2);
	ck_assert_uint_eq(w.kernel.forgets, 1);
	w.kernel.guarded = true;
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	ck_assert_uint_eq(w.kernel.forgets, 1);
	ck_assert_uint_eq(w.kernel.commits, commits);
	ck_assert_uint_eq(said("tampered"), 0);
}
END_TEST

/* Where an apply comes before whoever tells of it, or nobody does: it is told of, once, and by name if that is known. */
START_TEST(test_mended_by_an_apply)
{
	const struct seg_nft_transaction foreign = {
		.process = "nft", .ours = true, .what = "deleted a rule of chain forward of table inet segd"};
	const struct seg_nft_transaction keeper = {
		.keeper = true, .what = "deleted a rule of chain see of table inet segd_keeper"};

	begin();
	fake_flush_chain(&w.kernel, "forward");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_gt(seg_plan_chain(w.kernel.image, "forward")->rules, 0);
	ck_assert_uint_eq(said("tampered"), 0);
	pass(3);
	ck_assert_uint_eq(said("tampered|found changed"), 1);
	ck_assert_uint_eq(said("restored"), 1);
	fake_flush(&w.kernel);
	json_decref(call(seg_engine_apply, NULL, NULL));
	take_hand(&foreign);
	pass(3);
	ck_assert_uint_eq(said("tampered"), 2);
	ck_assert_uint_eq(said("tampered|process=nft"), 1);
	w.kernel.touched = true; /* elsewhere */
	json_decref(call(seg_engine_apply, NULL, NULL));
	pass(3);
	ck_assert_uint_eq(said("tampered"), 2);
	ck_assert_uint_eq(said("restored"), 2);
	/* That somebody else was at the keeper is no word of it. */
	fake_flush_chain(&w.kernel, "forward");
	json_decref(call(seg_engine_apply, NULL, NULL));
	take_hand(&keeper);
	pass(3);
	ck_assert_uint_eq(said("tampered|deleted a rule of chain see of table inet segd_keeper"), 1);
	ck_assert_uint_eq(said("tampered|found changed"), 2);
}
END_TEST

/* The keeper is looked at where notifications were lost, and by verify. */
START_TEST(test_the_keeper_is_missed)
{
	json_t *out;

	begin();
	w.kernel.touched = w.kernel.keeperless = true;
	out = call(seg_engine_verify, NULL, NULL);
	ck_assert(json_is_false(json_object_get(out, "equal")));
	ck_assert_ptr_nonnull(find(out, "findings", "object", "table inet segd_keeper"));
	json_decref(out);
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	ck_assert(!w.kernel.keeperless);
	ck_assert_uint_eq(w.kernel.seals, 0);
	ck_assert_uint_eq(said("tampered"), 1);
	ck_assert_uint_eq(said("restored"), 1);
	out = call(seg_engine_verify, NULL, NULL);
	ck_assert(json_is_true(json_object_get(out, "equal")));
	json_decref(out);
}
END_TEST

/* Told or found: where notifications were lost, what is wrong is looked for first. */
START_TEST(test_sealed_where_found_changed)
{
	begin();
	w.kernel.touched = true;
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	ck_assert_uint_eq(w.kernel.seals, 0);
	fake_flush_chain(&w.kernel, "forward");
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	ck_assert_uint_eq(w.kernel.seals, 1);
	ck_assert_uint_gt(seg_plan_chain(w.kernel.image, "forward")->rules, 0);
}
END_TEST

/* The keeper lets nothing by, and where nothing is dropped there is nothing to close. */
START_TEST(test_not_sealed_for_others)
{
	const struct seg_nft_transaction foreign = {.keeper = !_i, .ours = _i};

	w.observe = _i;
	begin();
	w.kernel.touched = true;
	take_hand(&foreign);
	ck_assert_uint_eq(said("restored"), 1);
	ck_assert_uint_eq(w.kernel.seals, 0);
}
END_TEST

/* Only what was edited is put right: no set is made anew, and counters stay. */
START_TEST(test_edits_are_mended_in_place)
{
	const struct seg_nft_transaction foreign = {
		.pid = 4711,
		.process = "nft",
		.ours = true,
		.what = "deleted a rule of chain forward of table inet segd"};
	unsigned structure;
	size_t rules;

	begin();
	structure = w.kernel.image->generation;
	rules = seg_plan_chain(w.kernel.image, "forward")->rules;
	fake_flush_chain(&w.kernel, "forward");
	take_hand(&foreign);
	ck_assert_uint_eq(said("restored"), 1);
	ck_assert_uint_eq(seg_plan_chain(w.kernel.image, "forward")->rules, rules);
	ck_assert_uint_eq(w.kernel.image->generation, structure);
	/* Nor does another policy take the same names for what has another structure. */
	fake_flush_chain(&w.kernel, "forward");
	write_policy(web, "", "");
	seg_engine_reload(w.engine, w.kernel.now);
	ck_assert_uint_gt(w.kernel.image->generation, structure);
}
END_TEST

/* Numbers vouch for the comments of our own plans alone. */
START_TEST(test_an_edited_comment_is_mended)
{
	const struct seg_nft_transaction foreign = {
		.pid = 4711,
		.process = "nft",
		.ours = true,
		.what = "changed elements of set open of table inet segd"};
	const struct seg_elem *elem;

	begin();
	elem = seg_plan_set(w.kernel.image, "open")->elem;
	((struct seg_elem *)elem)->comment = "whose";
	w.kernel.touched = true;
	take_hand(&foreign);
	ck_assert_str_ne(seg_plan_set(w.kernel.image, "open")->elem[0].comment, "whose");
}
END_TEST

/* What was to be done in a second is not left for as long as the clock was set back. */
START_TEST(test_repairs_after_the_clock_is_set_back)
{
	const struct seg_nft_transaction foreign = {.ours = true};
	unsigned dumps;

	begin();
	w.kernel.refuse = EBUSY;
	take_hand(&foreign);
	ck_assert_uint_eq(said("restored"), 0);
	w.kernel.refuse = 0;
	seg_engine_dumped(w.engine, -EINTR, w.kernel.now);
	dumps = w.kernel.dumps;
	set_clock(-HOUR);
	ck_assert_uint_eq(said("restored"), 1);
	ck_assert_uint_eq(w.kernel.dumps, dumps + 1);
}
END_TEST

/* A way round us that has come or gone may have given open flows another permit's number: each time
 * conntrack's table is looked at, whoever notices it first; not where rules go that were no such way. */
START_TEST(test_a_bypass_leaves_no_numbers_behind)
{
	json_t *way = seg_sentence_new("an XDP program on %s", "eth1");
	const struct seg_nft_transaction adds = {.bypass = way}, removes = {.removes = true};

	begin();
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	seg_engine_transaction(w.engine, &removes, w.kernel.now);
	ck_assert_uint_eq(w.kernel.dumps, 1);
	w.kernel.bypass = "eth1";
	if (_i)
		json_decref(call(seg_engine_status, NULL, NULL));
	else
		seg_engine_transaction(w.engine, &adds, w.kernel.now);
	ck_assert_uint_eq(w.kernel.dumps, 2);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	seg_engine_transaction(w.engine, &removes, w.kernel.now); /* of others */
	ck_assert_uint_eq(w.kernel.dumps, 2);
	w.kernel.bypass = NULL;
	if (_i)
		json_decref(call(seg_engine_status, NULL, NULL));
	else
		seg_engine_transaction(w.engine, &removes, w.kernel.now);
	ck_assert_uint_eq(w.kernel.dumps, 3);
	ck_assert_uint_eq(said("bypass"), 1);
	json_decref(way);
	/* Of what was not heard one may have been and gone. */
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	ck_assert_uint_eq(w.kernel.dumps, 4);
}
END_TEST

static size_t bypasses(void)
{
	json_t *out = call(seg_engine_status, NULL, NULL);
	size_t n = json_array_size(json_object_get(out, "bypass"));

	json_decref(out);
	return n;
}

/* A search that breaks off does not say of what it has not seen that it is gone. */
START_TEST(test_a_bypass_is_not_gone_unseen)
{
	begin();
	w.kernel.bypass = "eth1";
	ck_assert_uint_eq(bypasses(), 1);
	w.kernel.bypass_fails = -ENOBUFS;
	ck_assert_uint_eq(bypasses(), 1);
	ck_assert_uint_eq(bypasses(), 1);
	w.kernel.bypass_fails = 0;
	ck_assert_uint_eq(bypasses(), 1);
	ck_assert_uint_eq(said("bypass"), 1);
	w.kernel.bypass = NULL;
	ck_assert_uint_eq(bypasses(), 0);
}
END_TEST

/* Whoever asks learns that not all could be looked for, as long as that is so; it is no way round itself. */
START_TEST(test_what_cannot_be_looked_for_is_said)
{
	static const char said_so[] = "ways round could not all be looked for: No buffer space available";

	begin();
	for (unsigned i = 0; i < 2; i++) {
		const bool fails = i == 0;
		json_t *status, *verified;

		w.kernel.bypass_fails = fails ? -ENOBUFS : 0;
		status = call(seg_engine_status, NULL, NULL);
		verified = call(seg_engine_verify, NULL, NULL);
		ck_assert_uint_eq(json_array_size(json_object_get(status, "unlooked")), fails);
		ck_assert_uint_eq(json_array_size(json_object_get(verified, "notes")),
				  json_array_size(json_object_get(status, "forwarding")) + fails);
		ck_assert(can_be_translated(status, said_so) == fails);
		ck_assert(can_be_translated(verified, said_so) == fails);
		ck_assert_uint_eq(json_array_size(json_object_get(status, "bypass")), 0);
		ck_assert_ptr_null(find(verified, "findings", "kind", "bypass"));
		json_decref(status);
		json_decref(verified);
	}
	ck_assert_uint_eq(said("bypass"), 0);
}
END_TEST

/* What no notification tells of is looked at each second; all is, only where that has changed. */
START_TEST(test_a_bypass_is_seen_within_a_second)
{
	unsigned looks;

	begin();
	pass(1);
	looks = w.kernel.looks;
	pass(1);
	pass(1);
	ck_assert_uint_eq(w.kernel.looks, looks);
	for (unsigned i = 1; i < 3; i++) { /* before the next look at all of them in any case */
		w.kernel.bypass = i == 1 ? "eth1" : "eth2";
		pass(1);
		ck_assert_uint_eq(said("bypass|reason=\"an XDP program on eth"), i);
		ck_assert_uint_eq(w.kernel.looks, looks + 1);
		w.kernel.bypass = NULL;
		pass(1);
		ck_assert_uint_eq(w.kernel.looks, looks + 2);
		looks += 2;
	}
	w.kernel.bypass_fails = -ENOBUFS;
	pass(1);
	ck_assert_uint_eq(w.kernel.looks, looks);
}
END_TEST

/* One that flaps, and of which nobody knows who makes it: told once a second. Whoever makes it in nf_tables is named
 * each time, also beside one like it that stands. Each time conntrack's table is read. */
START_TEST(test_a_bypass_that_flaps)
{
	json_t *way = seg_sentence_new("an XDP program on %s", "eth1");
	const struct seg_nft_transaction adds = {.bypass = way, .process = "dockerd"};
	unsigned dumps;

	begin();
	for (unsigned i = 0; i < 4; i++) {
		seg_engine_dumped(w.engine, 0, w.kernel.now);
		seg_engine_dumped(w.engine, 0, w.kernel.now); /* the one behind it, as it went */
		dumps = w.kernel.dumps;
		w.kernel.bypass = "eth1";
		if (_i)
			seg_engine_transaction(w.engine, &adds, w.kernel.now);
		ck_assert_uint_eq(bypasses(), 1);
		ck_assert_uint_eq(w.kernel.dumps, dumps + 1);
		if (i % 2)
			elapse(1);
		w.kernel.bypass = _i ? "eth1" : NULL;
		ck_assert_uint_eq(bypasses(), (unsigned)_i);
		ck_assert_uint_eq(said("bypass"), _i ? i + 1 : 1 + i / 2);
	}
	ck_assert_uint_eq(said("bypass|process=dockerd"), _i ? 4 : 0);
	json_decref(way);
}
END_TEST

/* One that is gone before anybody can look, as traffic control told of it: said, and not kept. */
START_TEST(test_a_bypass_is_heard_of)
{
	begin();
	pass(1);
	for (unsigned i = 1; i < 4; i++) {
		seg_engine_around(w.engine, seg_sentence_new("tc filters on %s", "eth1"), w.kernel.now);
		seg_engine_around(w.engine, seg_sentence_new("tc filters on %s", "eth1"), w.kernel.now);
		ck_assert_uint_eq(said("bypass|reason=\"tc filters on eth1\""), i);
		seg_engine_around(w.engine, NULL, w.kernel.now);
		pass(0);
		ck_assert_uint_eq(bypasses(), 0);
		elapse(60);
	}
}
END_TEST

/* What was heard while no glance succeeds is kept for the next that does, once. */
START_TEST(test_what_is_heard_is_kept_once)
{
	begin();
	pass(1);
	w.kernel.bypass_fails = -ENOBUFS;
	for (unsigned i = 0; i < 9; i++) {
		seg_engine_around(w.engine, seg_sentence_new("tc filters on %s", "eth1"), w.kernel.now);
		pass(1);
	}
	ck_assert_uint_eq(json_array_size(w.engine->glimpsed), 1);
	w.kernel.bypass_fails = 0;
	pass(1);
	ck_assert_uint_eq(json_array_size(w.engine->glimpsed), 0);
	ck_assert_uint_eq(said("bypass"), 1);
}
END_TEST

static void rest(void)
{
	const int64_t us = seg_engine_glance_in(w.engine);

	if (us > 0)
		usleep((useconds_t)us);
	ck_assert_int_eq(seg_engine_glance_in(w.engine), 0);
}

/* A change is looked at at once. Where they come on and on it is not all that is done, and none is forgotten. */
START_TEST(test_glances_are_paced)
{
	begin();
	pass(1);
	w.kernel.looking = 10000;
	w.kernel.glances = 0;
	seg_engine_around(w.engine, NULL, w.kernel.now);
	rest();
	for (unsigned i = 0; i < 5; i++) {
		pass(0);
		ck_assert_uint_eq(w.kernel.glances, 1);
		seg_engine_around(w.engine, NULL, w.kernel.now);
	}
	ck_assert_int_gt(seg_engine_glance_in(w.engine), 0);
	rest();
	pass(0);
	ck_assert_uint_eq(w.kernel.glances, 2);
	ck_assert_int_eq(seg_engine_glance_in(w.engine), -1);
	seg_engine_around(w.engine, NULL, w.kernel.now);
	pass(1); /* as each second */
	ck_assert_uint_eq(w.kernel.glances, 3);
}
END_TEST

/* A repair that the kernel refuses while somebody commits on and on: each attempt asks for another look, and
 * the one that is to come in a second answers them all. */
START_TEST(test_refused_repair)
{
	begin();
	fake_flush_chain(&w.kernel, "forward");
	w.kernel.refuse = EINVAL;
	for (unsigned i = 0; i < 4; i++)
		seg_engine_transaction(w.engine, NULL, w.kernel.now);
	ck_assert_uint_eq(said("tampered"), 1);
	ck_assert_uint_eq(said("restored"), 0);
	w.kernel.refuse = 0;
	pass(1);
	ck_assert_uint_eq(said("restored"), 1);
	ck_assert_uint_gt(seg_plan_chain(w.kernel.image, "forward")->rules, 0);
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	ck_assert_uint_eq(said("tampered"), 1);
}
END_TEST

/* Time alone is no foreign hand: what ends goes on towards it, ends, and opens again only with our help. */
START_TEST(test_time_is_no_foreign_hand)
{
	static const time_t hours[] = {1, 5, 9, 9, 6};

	begin();
	for (size_t i = 0; i < sizeof(hours) / sizeof(hours[0]); i++) {
		elapse(hours[i] * HOUR);
		w.kernel.touched = true; /* by somebody, elsewhere */
		seg_engine_transaction(w.engine, NULL, w.kernel.now);
		ck_assert_msg(!said("tampered"), "turn %zu", i);
		ck_assert_uint_eq(w.kernel.seals, 0);
		pass(0);
	}
}
END_TEST

/* One ends as another begins, and it takes a while to read the table: what ended in between is not missed. */
START_TEST(test_look_beside_an_end)
{
	static const char late[] = "  - {id: LATE, class: operations, from: lg, to: mn, service: [tcp/81],"
				   " hours: [mon-fri 17:00-18:00]}\n";

	static const char longer[] = "  - {id: LONG, class: operations, from: lg, to: mn, service: [tcp/82],"
				     " hours: [mon-fri 08:00-19:00]}\n";

	write_policy(longer, late, office);
	begin();
	elapse(7 * HOUR);
	w.kernel.touched = true;
	seg_engine_transaction(w.engine, NULL, w.kernel.now - _i);
	ck_assert_uint_eq(said("tampered"), 0);
	ck_assert_uint_eq(w.kernel.seals, 0);
	pass(0);
	w.kernel.touched = true;
	fake_flush_chain(&w.kernel, "forward");
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	ck_assert_uint_eq(said("tampered"), 1);
}
END_TEST

/* What was taken out before its time, or stays beyond it, somebody has done. */
START_TEST(test_look_at_what_ends)
{
	struct seg_set *open;
	struct seg_elem *elem;

	write_policy(office, "", "");
	begin();
	elapse(HOUR);
	w.kernel.touched = true;
	open = (struct seg_set *)seg_plan_set(w.kernel.image, "open");
	ck_assert_uint_eq(open->elems, 1);
	if (_i) {
		elem = (struct seg_elem *)open->elem;
		elem->timeout_ms = _i == 1 ? 0 : elem->timeout_ms + 60000;
	} else {
		open->elems = 0;
	}
	if (_i == 2)
		elapse(6 * HOUR);
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	ck_assert_uint_eq(said("tampered"), 1);
	ck_assert_uint_eq(w.kernel.seals, 1);
}
END_TEST

static struct seg_elem *one_that_ends(const struct seg_set *set)
{
	for (size_t i = 0; i < set->elems; i++)
		if (set->elem[i].timeout_ms)
			return (struct seg_elem *)&set->elem[i];
	ck_abort_msg("none");
	return NULL;
}

/* What somebody does between two lives is named, and mended; nobody knows who it was. */
START_TEST(test_tampered_between_lives)
{
	static const char *const what[] = {"chain forward changed",   "table inet segd changed",
					   "set open changed",	      "set mine added|set open removed",
					   "table inet segd removed", "set open changed",
					   "set open changed",	      "set live changed"};
	struct seg_set *open, *live;

	write_policy(web, office, "");
	begin();
	die();
	elapse(HOUR);
	open = (struct seg_set *)seg_plan_set(w.kernel.image, "open");
	live = (struct seg_set *)seg_plan_set(w.kernel.image, "live");
	if (_i == 0)
		fake_flush_chain(&w.kernel, "forward");
	else if (_i == 1)
		w.kernel.image->dormant = true;
	else if (_i == 2)
		open->elems--;
	else if (_i == 3)
		open->name = "mine";
	else if (_i == 4)
		fake_flush(&w.kernel);
	else if (_i == 5)
		one_that_ends(open)->timeout_ms += 60000;
	else if (_i == 6)
		one_that_ends(open)->timeout_ms = 0;
	else
		((struct seg_elem *)live->elem)->comment = "MINE";
	w.kernel.touched = true;
	forget_alerts();
	begin();
	ck_assert_uint_eq(said("tampered"), 1);
	ck_assert_uint_eq(said("while segd was not running: "), 1);
	ck_assert_msg(said(what[_i]), "%s", w.alert[0]);
	ck_assert_uint_eq(said("restored"), 1);
	ck_assert_uint_eq(said("process"), 0);
	ck_assert_uint_ne(mark_of("WEB"), 0);
	die();
	forget_alerts();
	begin();
	ck_assert_uint_eq(said("tampered"), 0); /* said once */
}
END_TEST

/* What no hand has done is not called so. */
static void another_version(void)
{
	char path[128], text[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/imprint", w.state);
	file = fopen(path, "r+");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, file), 0);
	rewind(file);
	fputc('0', file); /* the first line says who has seen it */
	fclose(file);
}

START_TEST(test_no_hand_between_lives)
{
	static const char *const fewer[] = {"lo", "eth1"};
	static const struct seg_gateway nobody = {NULL, 0};
	static const char ppp[] = "  - {id: LATE, class: operations, from: lg, to: mn, service: [tcp/81],"
				  " hours: [mon-fri 17:00-18:00]}\n";
	char path[128];

	if (_i == 1 || _i == 15)
		write_policy(ppp, office, web);
	begin();
	pass(3); /* the imprint is that of a moment later than its plan */
	if (_i == 2)
		json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	if (_i == 3) { /* dies before the new one is written down */
		write_policy(web, "", "");
		json_decref(call(seg_engine_apply, NULL, NULL));
	}
	if (_i == 4)
		set_clock(HOUR);
	if (_i == 13 || _i == 14) { /* written down late, or by another clock */
		write_policy(office, web, "");
		json_decref(call(seg_engine_apply, NULL, NULL));
		if (_i == 13)
			pass(10);
		else
			set_clock(60);
	}
	if (_i == 5) {
		set_clock(-3 * HOUR);
		pass(1);
	}
	if (_i == 6)
		seg_engine_links(w.engine, &nobody, fewer, 2, w.kernel.now);
	die();
	if (_i == 15) /* a large table on a slow machine took so long to be made, committed and read */
		one_that_ends((struct seg_set *)seg_plan_set(w.kernel.image, "open"))->timeout_ms += 5000;
	if (_i == 7)
		write_policy(web, "", "");
	if (_i == 8 || _i == 9) {
		fake_flush_chain(&w.kernel, "forward");
		another_version();
	}
	if (_i == 10) {
		fake_flush(&w.kernel);
		w.kernel.boots++;
	}
	if (_i == 11)
		w.kernel.now += 5 * HOUR; /* set meanwhile */
	if (_i == 12) {
		snprintf(path, sizeof(path), "%s/imprint", w.state);
		ck_assert_int_eq(truncate(path, 400), 0);
		fake_flush_chain(&w.kernel, "forward");
	}
	forget_alerts();
	for (unsigned turn = 0; turn < 12; turn++) { /* windows end and begin, and dates come */
		elapse(turn * HOUR);
		begin();
		ck_assert_msg(!said("tampered"), "%d: %s", _i, w.alert[0]);
		die();
	}
	begin();
}
END_TEST

/* Whose owner outlives us needs none: it costs, and there is nobody to be named. */
START_TEST(test_no_imprint_of_a_guarded_table)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/imprint", w.state);
	w.kernel.guarded = _i;
	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	pass(2);
	ck_assert_int_eq(access(path, F_OK), _i ? -1 : 0);
}
END_TEST

/* An imprint that the disk does not let go of accuses nobody of what segd did since. */
static void hold_imprint(bool hold)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/imprint", w.state);
	if (hold) {
		ck_assert_int_eq(mount(path, path, NULL, MS_BIND, NULL), 0);
		ck_assert_int_eq(mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	} else {
		ck_assert_int_eq(umount(path), 0);
	}
}

START_TEST(test_imprint_that_stays)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	begin();
	pass(3);
	hold_imprint(true);
	if (_i == 2) {
		json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	} else {
		write_policy(office, web, "");
		json_decref(call(seg_engine_apply, NULL, NULL));
	}
	pass(2);
	if (_i > 0) { /* there is room again while segd lives */
		hold_imprint(false);
		pass(2);
	}
	die();
	forget_alerts();
	begin();
	ck_assert_msg(!said("tampered"), "%s", w.alert[0]);
	if (!_i)
		hold_imprint(false);
	pass(2);
	die();
	fake_flush_chain(&w.kernel, "forward");
	begin();
	ck_assert_uint_eq(said("while segd was not running: "), 1); /* the one of now is written down */
}
END_TEST

/* A table that cannot be read is looked at again, and called changed only where it is. */
START_TEST(test_look_again)
{
	begin();
	w.kernel.unreadable = 2;
	w.kernel.touched = true;
	if (_i)
		fake_flush_chain(&w.kernel, "forward");
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	pass(1);
	ck_assert_uint_eq(said("tampered"), 0);
	pass(1);
	ck_assert_uint_eq(w.kernel.unreadable, 0);
	ck_assert_uint_eq(said("tampered"), (unsigned)_i);
	ck_assert_uint_eq(said("restored"), (unsigned)_i);
	ck_assert_uint_gt(seg_plan_chain(w.kernel.image, "forward")->rules, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hands");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_tampered_and_restored);
	tcase_add_test(tcase, test_sealed_before_mended);
	tcase_add_loop_test(tcase, test_sealed_within_an_apply, 1, 3);
	tcase_add_loop_test(tcase, test_sealed_within_a_start, 1, 3);
	tcase_add_test(tcase, test_what_packets_taught_is_forgotten);
	tcase_add_test(tcase, test_what_packets_taught_is_forgotten_unheard);
	tcase_add_test(tcase, test_mended_by_an_apply);
	tcase_add_test(tcase, test_the_keeper_is_missed);
	tcase_add_test(tcase, test_sealed_where_found_changed);
	tcase_add_loop_test(tcase, test_not_sealed_for_others, 0, 2);
	tcase_add_test(tcase, test_edits_are_mended_in_place);
	tcase_add_test(tcase, test_an_edited_comment_is_mended);
	tcase_add_test(tcase, test_repairs_after_the_clock_is_set_back);
	tcase_add_loop_test(tcase, test_a_bypass_leaves_no_numbers_behind, 0, 2);
	tcase_add_test(tcase, test_a_bypass_is_not_gone_unseen);
	tcase_add_test(tcase, test_what_cannot_be_looked_for_is_said);
	tcase_add_test(tcase, test_a_bypass_is_seen_within_a_second);
	tcase_add_loop_test(tcase, test_a_bypass_that_flaps, 0, 2);
	tcase_add_test(tcase, test_a_bypass_is_heard_of);
	tcase_add_test(tcase, test_what_is_heard_is_kept_once);
	tcase_add_test(tcase, test_glances_are_paced);
	tcase_add_test(tcase, test_refused_repair);
	tcase_add_test(tcase, test_time_is_no_foreign_hand);
	tcase_add_loop_test(tcase, test_look_beside_an_end, 0, 3);
	tcase_add_loop_test(tcase, test_look_at_what_ends, 0, 3);
	tcase_add_loop_test(tcase, test_tampered_between_lives, 0, 8);
	tcase_add_loop_test(tcase, test_no_hand_between_lives, 0, 16);
	tcase_add_loop_test(tcase, test_no_imprint_of_a_guarded_table, 0, 2);
	if (geteuid() == 0) /* it mounts */
		tcase_add_loop_test(tcase, test_imprint_that_stays, 0, 3);
	tcase_add_loop_test(tcase, test_look_again, 0, 2);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
