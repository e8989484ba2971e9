/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Foreign hands: who changed our rules, which are put back, and who made a way round them, which is told.
 *
 * Where nobody can own a table the base chains close first, before it is known what was done.
 */

#include "state.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "control/sentence.h"
#include "plan/diff.h"
#include "plan/imprint.h"
#include "plan/rule.h"

#define SECONDS_TO_BE_TOLD 2
#define TOLD 1     /* seconds for which a way round that nobody is known to have made need not be told again */
#define REST 20    /* times as long as a glance took, before the next that somebody asks for */
#define READING 2  /* seconds: a large table takes one to be read, and begins to be so within the first */
/* ms: a plan is made, committed and read, each for as long as it takes; whole seconds and kept ends err by more */
#define SLACK 10000

/* Our rules. */

/* Who committed, as far as the kernel tells. */
static void say_who(struct seg_alert *alert, const struct seg_nft_transaction *transaction)
{
	seg_alert_text(alert, "process", transaction->process[0] ? transaction->process : NULL);
	if (transaction->pid)
		seg_alert_number(alert, "pid", transaction->pid);
}

/* transaction NULL: nobody knows who. */
static void say_tampered(struct seg_engine *engine, const struct seg_nft_transaction *transaction,
			 const char *what, time_t now)
{
	struct seg_alert alert;

	engine->tampered++;
	if (!transaction || transaction->ours)
		engine->next_mended = 0; /* it is told of now */
	seg_say_begin(engine, &alert, "tampered", SEG_CRIT, now);
	if (transaction)
		say_who(&alert, transaction);
	seg_alert_text(&alert, "reason", what);
	seg_say_send(engine, &alert);
}

static void say_restored(struct seg_engine *engine, time_t now)
{
	struct seg_alert alert;

	engine->restored++;
	seg_say_begin(engine, &alert, "restored", SEG_NOTICE, now);
	seg_say_send(engine, &alert);
}

/* What was put in front of our rules lets packets by until it is found: they close first. A life that begins has
 * no plan yet, and the base chains are the same in all. */
static void seal_first(struct seg_engine *engine)
{
	struct seg_plan *bare = engine->plan ? NULL : seg_plan_sealed(1, false);

	if (!engine->options.observe) /* the repair says what is wrong */
		(void)engine->ops->seal(engine->kernel, engine->plan ? engine->plan : bare);
	seg_plan_free(bare);
	seg_hands_forget(engine);
}

/* Puts back what somebody changed; tries again every second until it stands. */
static void repair(struct seg_engine *engine, time_t now)
{
	engine->next_repair = now + 1;
	if (seg_apply_refresh(engine, now, "tampered", NULL))
		return;
	engine->next_repair = 0;
	say_restored(engine, now);
	/* Whatever began while the rules were away is looked for. */
	seg_watch_look_again(engine);
}

/* The set without those of its elements that are not there, and whose time was up by then. */
static const struct seg_set *without_ended(const struct seg_set *set, const struct seg_set *there,
					   int64_t later_ms, uint64_t ended_ms, struct seg_arena *arena)
{
	struct seg_set_change change;
	struct seg_set *left;
	struct seg_elem *elem;
	size_t at = 0;

	if (!set->timeout || !there || !seg_set_same_definition(set, there) ||
	    !seg_set_diff(there, set, later_ms, arena, &change))
		return set;
	left = seg_arena_copy(arena, set, sizeof(*set));
	left->elem = elem = SEG_NEW_N(arena, struct seg_elem, set->elems);
	left->elems = 0;
	for (size_t i = 0; i < set->elems; i++) {
		const struct seg_elem *one = &set->elem[i];
		bool missing = at < change.adds && seg_elem_same_key(set, change.add[at], one);

		at += missing;
		if (!missing || !one->timeout_ms || one->timeout_ms > ended_ms)
			elem[left->elems++] = *one;
	}
	return left;
}

/* What stands there now if nobody but us was at it: what we made, and nothing has begun since, but what has
 * ended by itself is gone. It may have done so while the table was read, or be about to. */
static struct seg_plan expected(const struct seg_plan *plan, const struct seg_plan *image,
				struct seg_arena *arena)
{
	const struct seg_set **set = SEG_NEW_N(arena, const struct seg_set *, plan->sets);
	uint64_t ended_ms =
		image->at + READING > plan->at ? (uint64_t)(image->at + READING - plan->at) * 1000 : 0;
	struct seg_plan now = *plan;

	for (size_t i = 0; i < plan->sets; i++)
		set[i] = without_ended(plan->set[i], seg_plan_set(image, plan->set[i]->name),
				       seg_plan_later_ms(image, plan), ended_ms, arena);
	now.set = set;
	return now;
}

static bool is_changed(const struct seg_plan *plan, struct seg_plan *image, time_t now)
{
	const time_t at = image->at;
	struct seg_findings findings = {.arena = seg_arena_new()};
	struct seg_plan wanted;
	bool changed;

	image->at = now + READING / 2;
	wanted = expected(plan, image, findings.arena);
	seg_nft_compare(&wanted, image, &findings);
	changed = findings.n > 0;
	image->at = at;
	seg_arena_free(findings.arena);
	return changed;
}

bool seg_hands_were_at(const struct seg_engine *engine, struct seg_plan *image, time_t now)
{
	return engine->plan && engine->running && !engine->disarmed && !engine->stepped && !engine->next_repair &&
	       !engine->ops->untouched(engine->kernel) && (!image || is_changed(engine->plan, image, now));
}

void seg_hands_mended(struct seg_engine *engine, time_t now)
{
	engine->next_mended = now + SECONDS_TO_BE_TOLD;
}

/* What an apply found and put right by the way, and nobody told of. */
static void tell_mended(struct seg_engine *engine, time_t now)
{
	say_tampered(engine, NULL, N_("found changed"), now);
	say_restored(engine, now);
	seg_watch_look_again(engine);
}

/* Where nobody can have touched it, it need not be read. 0, 1, or -errno. */
static int is_table_changed(struct seg_engine *engine, time_t now)
{
	struct seg_plan *image = NULL;
	int r = 0;

	if (!engine->ops->untouched(engine->kernel)) {
		r = engine->ops->read(engine->kernel, &image);
		r = r ? r : !image || is_changed(engine->plan, image, now);
	}
	seg_plan_free(image);
	return r;
}

/* The keeper alone opens nothing, and nothing needs to close first. 0, 1: it is changed, or -errno. */
static int is_keeper_changed(struct seg_engine *engine)
{
	struct seg_findings findings = {.arena = seg_arena_new()};
	int r = engine->ops->keeper(engine->kernel, engine->plan, &findings);

	if (!r)
		r = findings.n > 0;
	seg_arena_free(findings.arena);
	return r;
}

/* What somebody may have put among what packets teach is in no image. Who does so from now on is heard. */
static bool forgets(struct seg_engine *engine)
{
	return seg_hands_guarded(engine) || !engine->ops->forget(engine->kernel, engine->plan);
}

/* Notifications were lost: is what we hold still there? Tries again every second until it knows. A repair
 * that is to come reads it, too: one that fails while somebody commits asks for a look each time, and must
 * not be begun by that at once. */
static void look_for_changes(struct seg_engine *engine, time_t now)
{
	int r;

	if (engine->next_repair > now || engine->next_look > now)
		return;
	r = is_table_changed(engine, now);
	if (r > 0)
		seal_first(engine);
	else if (!r)
		r = is_keeper_changed(engine);
	if (r > 0) {
		say_tampered(engine, NULL, N_("found changed"), now);
		repair(engine, now);
	}
	engine->next_look = r > 0 || (!r && forgets(engine)) ? 0 : now + 1;
}

void seg_hands_tick(struct seg_engine *engine, time_t now)
{
	const bool ours = !engine->disarmed && engine->plan;

	if (engine->next_mended && engine->next_mended <= now)
		tell_mended(engine, now);
	if (ours && engine->next_repair && engine->next_repair <= now)
		repair(engine, now);
	if (ours && engine->next_look && engine->next_look <= now)
		look_for_changes(engine, now);
	seg_hands_keep(engine, now);
}

/* Between two lives. */

/* A segd that reads or hashes a table otherwise would find it changed by that alone: the first number. */
static bool seen(const struct seg_kernel_facts *facts, char *line, size_t size)
{
	snprintf(line, size, "2 %s %s", SEG_VERSION, facts->whereabouts);
	return facts->whereabouts[0] != '\0';
}

/* One that a disk mounted read-only keeps would accuse somebody of what we did. */
static void forget(struct seg_engine *engine)
{
	engine->imprint_stale = seg_store_forget_imprint(engine->store) != 0;
}

static bool is_guarded(const struct seg_kernel_facts *facts)
{
	return facts->ownership == SEG_OWNED_PERSIST && facts->descriptor_kept;
}

bool seg_hands_guarded(const struct seg_engine *engine)
{
	struct seg_kernel_facts facts = {0};

	engine->ops->facts(engine->kernel, &facts);
	return is_guarded(&facts);
}

/* A clock that is set makes a new plan before this is asked. Not within a commit, which nobody should wait
 * longer for: what is done to the table before that, and before a death, is mended without a word. */
void seg_hands_keep(struct seg_engine *engine, time_t now)
{
	struct seg_kernel_facts facts = {0};
	struct seg_strbuf text = {0};
	struct seg_imprint imprint;
	struct seg_arena *arena;
	char line[256];
	int64_t since;

	if (engine->imprint_stale)
		forget(engine);
	if (engine->imprint_stale || !engine->imprint_owed)
		return;
	engine->imprint_owed = false;
	arena = seg_arena_new();
	engine->ops->facts(engine->kernel, &facts);
	if (!is_guarded(&facts) && seen(&facts, line, sizeof(line))) {
		since = facts.uptime_ms - (int64_t)(now - engine->plan->at) * 1000;
		imprint = seg_imprint_of(engine->plan, engine->plan->at ? since : facts.uptime_ms, arena);
		seg_imprint_write(&imprint, line, &text);
		seg_store_keep_imprint(engine->store, text.text, text.len);
		seg_strbuf_fini(&text);
	}
	seg_arena_free(arena);
}

void seg_hands_forget(struct seg_engine *engine)
{
	forget(engine);
	engine->imprint_owed = false;
}

char *seg_hands_found(const struct seg_engine *engine, const struct seg_plan *image)
{
	struct seg_arena *arena = seg_arena_new();
	char line[256], *text = seg_store_load_imprint(engine->store);
	struct seg_kernel_facts facts = {0};
	struct seg_strbuf found = {0};
	struct seg_imprint was, is;

	engine->ops->facts(engine->kernel, &facts);
	if (text && seen(&facts, line, sizeof(line)) && seg_imprint_read(text, line, arena, &was)) {
		if (image) {
			is = seg_imprint_of(image, facts.uptime_ms, arena);
			seg_imprint_compare(&was, &is, facts.uptime_ms, SLACK, &found);
		} else {
			seg_strbuf_printf(&found, N_("table inet %s removed"), SEG_TABLE);
		}
	}
	free(text);
	seg_arena_free(arena);
	return found.len ? seg_strbuf_take(&found) : NULL;
}

void seg_hands_say_found(struct seg_engine *engine, const char *found, time_t now)
{
	struct seg_strbuf text = {0};

	seg_strbuf_printf(&text, N_("while segd was not running: %s"), found);
	say_tampered(engine, NULL, seg_strbuf_text(&text), now);
	seg_strbuf_fini(&text);
	say_restored(engine, now);
}

/* Ways round them. */

static bool has_sentence(const json_t *list, const json_t *sentence)
{
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one)
	{
		if (json_equal(one, sentence))
			return true;
	}
	return false;
}

/* Of what flaps, and of which nobody knows who makes it: one alert a second. */
static bool was_just_told(const struct seg_engine *engine, const char *text, time_t now)
{
	const json_t *at = json_object_get(engine->told, text);

	return at && now >= json_integer_value(at) && now - json_integer_value(at) < TOLD;
}

static void forget_told(struct seg_engine *engine, time_t now)
{
	const char *text;
	void *next;
	json_t *at;

	json_object_foreach_safe(engine->told, next, text, at)
	{
		if (!was_just_told(engine, text, now))
			json_object_del(engine->told, text);
	}
}

/* transaction: whose doing it is; NULL: not known. */
static void say_bypass(struct seg_engine *engine, const json_t *sentence,
		       const struct seg_nft_transaction *transaction, time_t now)
{
	char *text = seg_sentence_text(sentence);
	struct seg_alert alert;

	if (!transaction && was_just_told(engine, text, now)) {
		free(text);
		return;
	}
	json_object_set_new(engine->told, text, json_integer(now));
	seg_say_begin(engine, &alert, "bypass", SEG_CRIT, now);
	seg_alert_text(&alert, "reason", text);
	if (transaction)
		say_who(&alert, transaction);
	seg_say_send(engine, &alert);
	free(text);
}

bool seg_engine_has_interface(const struct seg_engine *engine, const char *interface)
{
	for (size_t i = 0; engine->running && i < engine->running->policy->zones; i++)
		if (seg_zone_has_interface(&engine->running->policy->zone[i], interface))
			return true;
	return false;
}

/* The existing interfaces of the policy's zones. */
static const char **zone_interfaces(const struct seg_engine *engine, struct seg_arena *arena, size_t *n)
{
	const char **name = SEG_NEW_N(arena, const char *, engine->links.interfaces + 1);

	*n = 0;
	for (size_t i = 0; i < engine->links.interfaces; i++)
		if (seg_engine_has_interface(engine, engine->links.interface[i]))
			name[(*n)++] = engine->links.interface[i];
	return name;
}

static void add_bypass(void *context, json_t *sentence)
{
	json_array_append_new(context, sentence);
}

static bool is_within(const json_t *list, const json_t *other)
{
	size_t i;
	json_t *one;

	json_array_foreach(list, i, one)
	{
		if (!has_sentence(other, one))
			return false;
	}
	return true;
}

static void keep_bypasses(const json_t *known, json_t *found)
{
	size_t i;
	json_t *one;

	json_array_foreach(known, i, one)
	{
		if (!has_sentence(found, one))
			json_array_append(found, one);
	}
}

/* One that came or went may have given open flows another permit's number, by which they would live on when
 * their own permit goes: the table is looked at again. */
void seg_engine_look_for_bypass(struct seg_engine *engine, time_t now)
{
	struct seg_arena *arena = seg_arena_new();
	json_t *found = json_array(), *one;
	bool changed;
	size_t n, i;
	const char **name = zone_interfaces(engine, arena, &n);

	engine->unlooked = engine->ops->bypass(engine->kernel, name, n, true, add_bypass, found);
	/* A search that broke off does not say of any that it is gone. */
	if (engine->unlooked)
		keep_bypasses(engine->bypass, found);
	seg_arena_free(arena);
	changed = !is_within(engine->bypass, found);
	forget_told(engine, now);
	json_array_foreach(found, i, one)
	{
		if (has_sentence(engine->bypass, one))
			continue;
		say_bypass(engine, one, NULL, now);
		changed = true;
	}
	if (changed)
		seg_watch_look_again(engine);
	json_decref(engine->bypass);
	engine->bypass = found;
}

json_t *seg_hands_unlooked(const struct seg_engine *engine)
{
	json_t *list = json_array();

	if (engine->unlooked)
		json_array_append_new(list, seg_sentence_new("ways round could not all be looked for: %s",
							     strerror(-engine->unlooked)));
	return list;
}

/* One that was seen or heard, and may be gone when all is looked at: the next look need not tell it again. Whoever makes
 * another like it is told by name. transaction as above. */
static void take_bypass(struct seg_engine *engine, json_t *way, const struct seg_nft_transaction *transaction,
			time_t now)
{
	const bool known = has_sentence(engine->bypass, way);

	if (known && !transaction)
		return;
	say_bypass(engine, way, transaction, now);
	if (!known)
		json_array_append(engine->bypass, way);
	seg_watch_look_again(engine);
}

/* Every second and with each change of a link: what no notification tells of (settings, programs), beside which the
 * rest of it is cheap. All is looked at only where that has changed: of nft's tables we hear, and what is left (routes,
 * iptables-legacy) takes too long to be read so often. */
static void glance(struct seg_engine *engine, time_t now)
{
	struct seg_arena *arena = seg_arena_new();
	json_t *seen = json_array(), *one;
	bool changed;
	size_t n, i;
	const char **name = zone_interfaces(engine, arena, &n);
	int r = engine->ops->bypass(engine->kernel, name, n, false, add_bypass, seen);

	seg_arena_free(arena);
	json_array_foreach(seen, i, one)
	{
		take_bypass(engine, one, NULL, now);
	}
	/* Of one that broke off it is not known what is gone. */
	changed = !r && !(is_within(engine->glimpsed, seen) && is_within(seen, engine->glimpsed));
	if (!r) {
		json_decref(engine->glimpsed);
		engine->glimpsed = json_incref(seen);
	}
	json_decref(seen);
	if (changed)
		seg_engine_look_for_bypass(engine, now);
}

/* Among many interfaces it takes long: where they change on and on it must not be all that we do. */
void seg_hands_glance(struct seg_engine *engine, time_t now)
{
	const int64_t began = seg_monotonic_us();
	int64_t ended;

	glance(engine, now);
	ended = seg_monotonic_us();
	engine->glance_wanted = false;
	engine->glance_again = ended + (ended - began) * REST;
}

int64_t seg_engine_glance_in(const struct seg_engine *engine)
{
	const int64_t left = engine->glance_again - seg_monotonic_us();

	return !engine->glance_wanted ? -1 : left > 0 ? left : 0;
}

void seg_engine_around(struct seg_engine *engine, json_t *way, time_t now)
{
	engine->glance_wanted = true;
	if (!way)
		return;
	take_bypass(engine, way, NULL, now);
	if (!has_sentence(engine->glimpsed, way)) /* while glances fail nothing leaves it */
		json_array_append(engine->glimpsed, way);
	json_decref(way);
}

/* What the kernel tells. */

void seg_engine_touched(struct seg_engine *engine)
{
	if (!engine->disarmed)
		seal_first(engine);
}

void seg_engine_transaction(struct seg_engine *engine, const struct seg_nft_transaction *transaction,
			    time_t now)
{
	if (engine->disarmed || !engine->plan)
		return;
	if (!transaction) { /* some were lost: also who came and went may have been among them */
		look_for_changes(engine, now);
		seg_watch_look_again(engine);
		return;
	}
	if (transaction->bypass)
		take_bypass(engine, transaction->bypass, transaction, now);
	if (transaction->ours || transaction->keeper) {
		say_tampered(engine, transaction, transaction->what, now);
		repair(engine, now);
	}
	/* What it did before it went is looked for now, not with the next tick: its permit may go first. */
	if (transaction->removes && json_array_size(engine->bypass))
		seg_engine_look_for_bypass(engine, now);
}
