/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lingering.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/sentence.h"

/* Streams and alerts. */

struct seg_subscription {
	unsigned streams;
	seg_watch_fn fn;
	void *context;
	struct seg_subscription *next;
};

struct seg_subscription *seg_engine_subscribe(struct seg_engine *engine, unsigned streams, seg_watch_fn fn,
					      void *context)
{
	struct seg_subscription *one = malloc(sizeof(*one));

	if (!one)
		abort();
	*one = (struct seg_subscription){streams, fn, context, engine->subscriptions};
	engine->subscriptions = one;
	return one;
}

void seg_engine_unsubscribe(struct seg_engine *engine, struct seg_subscription *subscription)
{
	for (struct seg_subscription **at = &engine->subscriptions; *at; at = &(*at)->next) {
		if (*at == subscription) {
			*at = subscription->next;
			free(subscription);
			return;
		}
	}
}

bool seg_engine_watched(const struct seg_engine *engine, enum seg_stream stream)
{
	for (const struct seg_subscription *one = engine->subscriptions; one; one = one->next)
		if (one->streams & stream)
			return true;
	return false;
}

void seg_engine_publish(struct seg_engine *engine, enum seg_stream stream, const json_t *event)
{
	for (struct seg_subscription *one = engine->subscriptions, *next; one; one = next) {
		next = one->next; /* the callback may unsubscribe itself */
		if (one->streams & stream)
			one->fn(one->context, stream, event);
	}
}

static enum seg_stream stream_of(const char *event)
{
	if (!strncmp(event, "violation", strlen("violation")))
		return SEG_STREAM_VIOLATIONS;
	if (!strcmp(event, "denied") || !strcmp(event, "spoofed"))
		return SEG_STREAM_DENIALS;
	return SEG_STREAM_OTHER;
}

static void publish_alert(struct seg_engine *engine, const struct seg_alert *alert)
{
	enum seg_stream stream = stream_of(alert->event);
	json_t *event;

	if (!seg_engine_watched(engine, stream))
		return;
	event = json_object();
	json_object_set_new(event, "event", json_string(alert->event));
	json_object_set_new(event, "at", seg_json_time(engine, alert->at));
	for (size_t i = 0; i < alert->fields; i++) {
		const struct seg_alert_field *field = &alert->field[i];

		json_object_set_new(event, field->key,
				    field->number ? json_integer((json_int_t)strtoull(field->value, NULL, 10))
						  : json_string(field->value));
	}
	seg_engine_publish(engine, stream, event);
	json_decref(event);
}

void seg_say_begin(struct seg_engine *engine, struct seg_alert *alert, const char *event,
		   enum seg_severity severity, time_t now)
{
	seg_alert_init(alert, event, severity, now);
	if (engine->running) {
		seg_alert_text(alert, "site", engine->running->policy->site);
		if (engine->running->version)
			seg_alert_number(alert, "policy", engine->running->version);
	}
}

void seg_say_send(struct seg_engine *engine, struct seg_alert *alert)
{
	if (engine->options.alert)
		engine->options.alert(engine->options.context, alert);
	publish_alert(engine, alert);
	seg_evidence_take(engine, alert);
	seg_alert_fini(alert);
}

void seg_say_store_failed(struct seg_engine *engine, const char *problem, time_t now)
{
	struct seg_alert alert;

	seg_say_begin(engine, &alert, "store-failed", SEG_WARNING, now);
	seg_alert_text(&alert, "reason", problem);
	seg_say_send(engine, &alert);
}

void seg_say_store(struct seg_engine *engine, time_t now)
{
	char *problem = seg_store_take_problem(engine->store);

	if (problem)
		seg_say_store_failed(engine, problem, now);
	free(problem);
}

const char *seg_engine_zone_name(const struct seg_engine *engine)
{
	return engine->running ? engine->running->policy->timezone : NULL;
}

const char *seg_engine_state(const struct seg_engine *engine)
{
	if (engine->disarmed)
		return "disarmed";
	if (!engine->running)
		return "sealed";
	return engine->options.observe ? "observing" : "enforcing";
}

void seg_say_status(struct seg_engine *engine)
{
	struct seg_strbuf text = {0};

	seg_strbuf_add(&text, seg_engine_state(engine));
	if (engine->running)
		seg_strbuf_printf(&text, " version %u of %s (zones: %zu, permits: %zu)",
				  engine->running->version, engine->options.policy_file,
				  engine->running->policy->zones, engine->running->policy->permits);
	if (engine->why)
		seg_strbuf_printf(&text, "%s %s", engine->running ? ";" : ":", engine->why);
	if (engine->options.say)
		engine->options.say(engine->options.context, seg_strbuf_text(&text));
	seg_strbuf_fini(&text);
}

void seg_engine_because(struct seg_engine *engine, json_t *said)
{
	json_decref(engine->said);
	engine->said = said;
	free(engine->why);
	engine->why = said ? seg_sentence_text(said) : NULL;
	for (char *c = engine->why; c && *c; c++) /* STATUS= is one line */
		if (*c == '\n' || *c == '\r')
			*c = ' ';
}

void seg_engine_say_why(struct seg_engine *engine, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	seg_engine_because(engine, seg_sentence_vnew(format, args));
	va_end(args);
}

/* Life. */

struct seg_engine *seg_engine_new(const struct seg_engine_options *options, const struct seg_kernel_ops *ops,
				  void *kernel, struct seg_store *store)
{
	struct seg_engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		abort();
	STAILQ_INIT(&engine->revocations);
	engine->options = *options;
	engine->ops = ops;
	engine->kernel = kernel;
	engine->store = store;
	engine->numbers = seg_arena_new();
	engine->registry.next = 1;
	seg_watch_init(&engine->watch);
	seg_refusals_init(engine);
	seg_readings_init(&engine->readings);
	seg_listing_init(engine);
	seg_lingering_init(engine);
	engine->told = json_object();
	return engine;
}

void seg_engine_free(struct seg_engine *engine)
{
	if (!engine)
		return;
	while (engine->subscriptions)
		seg_engine_unsubscribe(engine, engine->subscriptions);
	seg_listing_fini(engine);
	seg_diff_fini(engine);
	seg_revoke_fini(engine);
	seg_lingering_fini(engine);
	seg_rulebook_free(engine->running);
	seg_plan_free(engine->plan);
	seg_arena_free(engine->numbers);
	seg_arena_free(engine->links.arena);
	seg_arena_free(engine->closure_arena);
	seg_state_fini(&engine->state);
	seg_readings_fini(engine);
	seg_usage_fini(&engine->usage);
	seg_watch_fini(&engine->watch);
	seg_limits_fini(&engine->limits);
	seg_refusals_fini(&engine->refusals);
	json_decref(engine->bypass);
	json_decref(engine->told);
	json_decref(engine->glimpsed);
	json_decref(engine->evidence.pending);
	free(engine->unsaved);
	free(engine->why);
	json_decref(engine->said);
	free(engine);
}

#define NUMBERS_MAX (SEG_NUMBER_INTRA - (1u << 24)) /* a mark above is not ours, and leaves room for ours */

/* The numbers of what is in the kernel must never be given again, even where the registry is lost. */
static void skip_number(struct seg_engine *engine, uint32_t mark)
{
	uint32_t number = mark & ~SEG_NUMBER_INTRA;

	if (number >= engine->registry.next && number < NUMBERS_MAX)
		engine->registry.next = number + 1;
}

/* Open flows bear numbers too: of permits long gone, or marks that somebody else gave. */
static void skip_mark(void *context, enum seg_flow_event event, const struct seg_flow *flow)
{
	(void)event;
	skip_number(context, flow->mark);
}

static void skip_numbers_in_use(struct seg_engine *engine, const struct seg_plan *image)
{
	for (size_t i = 0; i < image->sets; i++) {
		const struct seg_set *set = image->set[i];

		if (set->data != SEG_DATA_MARK)
			continue;
		for (size_t j = 0; j < set->elems; j++)
			skip_number(engine, set->elem[j].mark);
	}
}

/* The first one is saved, too, before anything else is stored: from then on there always is one. */
static void load_state(struct seg_engine *engine, time_t now)
{
	int r = seg_store_load_state(engine->store, &engine->state);

	if (r < 0) {
		seg_recall_state(engine, now);
		return;
	}
	seg_say_store(engine, now);
	if (r)
		(void)seg_change_save(engine, now);
}

static void load_what_was_kept(struct seg_engine *engine, time_t now)
{
	load_state(engine, now);
	seg_store_load_registry(engine->store, engine->numbers, &engine->registry);
	seg_say_store(engine, now);
	seg_usage_init(engine);
	seg_say_store(engine, now);
}

/* Deny everything between zones before anything else is looked at. */
static int seal_an_empty_kernel(struct seg_engine *engine)
{
	struct seg_plan *sealed = seg_plan_sealed(1, engine->options.observe);
	struct seg_change change = seg_plan_diff(NULL, sealed, sealed->arena);
	struct seg_diags diags;
	int r;

	seg_diags_init(&diags);
	r = engine->ops->commit(engine->kernel, &change, NULL, &diags);
	seg_diags_fini(&diags);
	if (r) {
		seg_plan_free(sealed);
		return r;
	}
	engine->plan = sealed;
	return 0;
}

int seg_engine_seal(struct seg_engine *engine)
{
	struct seg_plan *image = NULL;
	int r = engine->ops->read(engine->kernel, &image);

	if (!r && !image)
		r = seal_an_empty_kernel(engine);
	seg_plan_free(image);
	return r;
}

int seg_engine_start(struct seg_engine *engine, time_t now)
{
	struct seg_plan *image = NULL;
	struct seg_alert alert;
	char *changed;
	bool found;
	int r;

	engine->started = now;
	r = engine->ops->read(engine->kernel, &image);
	if (r)
		return r;
	found = image != NULL;
	changed = seg_hands_found(engine, image);
	if (!found) {
		r = seal_an_empty_kernel(engine);
		if (r)
			goto out;
	}
	load_what_was_kept(engine, now);
	if (engine->registry.next == 1)
		engine->ops->flows(engine->kernel, 0, 0, skip_mark, engine);
	if (found)
		skip_numbers_in_use(engine, image);
	if (found)
		seg_limits_adopt(engine, image);
	seg_plan_free(image);
	engine->usage.adopted = found;
	seg_emergency_begin(engine, now);
	r = seg_apply_start(engine, found, now);
	if (r)
		goto out;
	if (changed && !engine->imprint_stale) /* an earlier life could not forget it either, then */
		seg_hands_say_found(engine, changed, now);
	seg_say_begin(engine, &alert, "started", SEG_NOTICE, now);
	seg_alert_text(&alert, "state", seg_engine_state(engine));
	seg_alert_text(&alert, "reason", engine->why);
	seg_say_send(engine, &alert);
	seg_evidence_save(engine);
	if (found)
		seg_refusals_read(engine, now);
	seg_evidence_begin(engine);
	engine->next_usage = now + SEG_USAGE_EVERY;
	engine->next_save = now + SEG_SAVE_EVERY;
	seg_watch_look_again(engine);
	seg_engine_look_for_bypass(engine, now);
	engine->next_glance = now;
	seg_hands_keep(engine, now);
	seg_say_status(engine);
out:
	free(changed);
	return r;
}

void seg_engine_stop(struct seg_engine *engine, time_t now)
{
	struct seg_alert alert;

	seg_change_save_again(engine, now);
	seg_hands_keep(engine, now);
	seg_usage_read(engine, now);
	seg_usage_save(engine);
	seg_refusals_read(engine, now);
	seg_evidence_count(engine, now);
	seg_say_begin(engine, &alert, "stopped", SEG_NOTICE, now);
	seg_alert_text(&alert, "state", seg_engine_state(engine));
	seg_say_send(engine, &alert);
	seg_evidence_save(engine);
}

void seg_engine_reload(struct seg_engine *engine, time_t now)
{
	seg_apply_reload(engine, now);
}

static int by_addr(const void *a, const void *b)
{
	const struct seg_gateway_addr *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Names of interfaces stand in the plan only where a zone has a trailing '*'. */
static bool has_wildcards(const struct seg_policy *policy)
{
	for (size_t i = 0; i < policy->zones; i++)
		for (size_t j = 0; j < policy->zone[i].interfaces; j++)
			if (policy->zone[i].interface[j].prefix)
				return true;
	return false;
}

void seg_engine_links(struct seg_engine *engine, const struct seg_gateway *gateway,
		      const char *const *interface, size_t interfaces, time_t now)
{
	struct seg_own links = {.arena = seg_arena_new(), .interfaces = interfaces};
	struct seg_gateway_addr *addr = SEG_NEW_N(links.arena, struct seg_gateway_addr, gateway->n + 1);
	const char **name = SEG_NEW_N(links.arena, const char *, interfaces + 1);

	for (size_t i = 0; i < gateway->n; i++)
		addr[i] = (struct seg_gateway_addr){
			gateway->addr[i].addr, seg_arena_strdup(links.arena, gateway->addr[i].interface)};
	qsort(addr, gateway->n, sizeof(*addr), by_addr);
	for (size_t i = 0; i < interfaces; i++)
		name[i] = seg_arena_strdup(links.arena, interface[i]);
	links.gateway = (struct seg_gateway){addr, gateway->n};
	links.interface = name;
	seg_arena_free(engine->links.arena);
	engine->links = links;
	engine->glance_wanted = true;
	if (engine->running && has_wildcards(engine->running->policy))
		engine->next_refresh = now; /* at the next tick, once for many changes */
}

bool seg_engine_is_gateway(const struct seg_engine *engine, seg_addr addr)
{
	struct seg_gateway_addr key = {addr, NULL};

	return engine->links.gateway.n &&
	       bsearch(&key, engine->links.gateway.addr, engine->links.gateway.n, sizeof(key), by_addr);
}

/* Time. */

static void earlier(time_t *next, time_t at)
{
	if (at && at < *next)
		*next = at;
}

static bool is_due(time_t *at, time_t now)
{
	if (!*at || *at > now)
		return false;
	*at = 0;
	return true;
}

static void tick_deadline(struct seg_engine *engine, time_t now)
{
	struct seg_gone_back gone = {0};

	if (!engine->state.confirm_until || engine->state.confirm_until > now || engine->next_rollback > now)
		return;
	if (seg_apply_go_back(engine, engine->state.confirmed, NULL, "not confirmed in time", now, &gone))
		engine->next_rollback = now + 5; /* the unconfirmed policy stays meanwhile: said by go_back */
	else
		engine->next_rollback = 0;
	free(gone.problem);
}

static void tick_pressure(struct seg_engine *engine, time_t now)
{
	static const unsigned level[2] = {80, 95};
	struct seg_kernel_facts facts = {0};
	struct seg_alert alert;

	engine->ops->facts(engine->kernel, &facts);
	if (!facts.conntrack_max)
		return;
	for (int i = 0; i < 2; i++) {
		uint64_t percent = (uint64_t)facts.conntrack * 100 / facts.conntrack_max;

		if (percent >= level[i] && !engine->pressed[i]) {
			engine->pressed[i] = true;
			seg_say_begin(engine, &alert, "conntrack-pressure", SEG_WARNING, now);
			seg_alert_number(&alert, "percent", percent);
			seg_alert_number(&alert, "count", facts.conntrack);
			seg_alert_number(&alert, "max", facts.conntrack_max);
			seg_say_send(engine, &alert);
		} else if (percent + 5 < level[i]) {
			engine->pressed[i] = false;
		}
	}
}

/* What ends by itself takes its counter with it: all are read once more right before. */
static time_t next_usage(const struct seg_engine *engine, time_t now)
{
	const time_t next = now + SEG_USAGE_EVERY, last = engine->next_window - 1;

	return last > now && last < next ? last : next;
}

static void tick_counters(struct seg_engine *engine, time_t now)
{
	if (is_due(&engine->next_usage, now)) {
		seg_usage_settle(engine);
		seg_readings_refresh(engine);
		tick_pressure(engine, now);
		seg_engine_look_for_bypass(engine, now);
		engine->next_usage = next_usage(engine, now);
	}
	if (is_due(&engine->next_save, now)) {
		seg_usage_save(engine);
		seg_evidence_count(engine, now);
		engine->next_save = now + SEG_SAVE_EVERY;
	}
}

/* The clock was set: every deadline was reckoned by the old one. */
static void forget_deadlines(struct seg_engine *engine, time_t now)
{
	time_t *const pending[] = {&engine->next_repair, &engine->next_look, &engine->next_mended,
				   &engine->next_refresh, &engine->next_glance, &engine->watch.next_dump};

	engine->next_usage = engine->next_save = now;
	engine->next_rollback = 0;
	engine->stepped = true;
	if (engine->running)
		engine->next_window = now;
	for (size_t i = 0; i < sizeof(pending) / sizeof(*pending); i++)
		if (*pending[i])
			*pending[i] = now;
}

/* What an operator said for how long lasts as long, whatever the clock says meanwhile; not what began by
 * another clock than the one that was set, as before a reboot with a wrong one. */
static void move_ends(struct seg_engine *engine, time_t now, time_t step)
{
	struct seg_state *state = &engine->state;
	const time_t before = now - step;
	bool moved = false;

	if (state->confirm_until && state->since <= before) {
		state->confirm_until += step;
		moved = true;
	}
	for (size_t i = 0; i < state->isolations; i++) {
		struct seg_isolation *isolation = &state->isolation[i];

		if (!isolation->until || isolation->since > before)
			continue;
		isolation->until += step;
		moved = true;
	}
	if (moved)
		seg_change_save(engine, now);
}

time_t seg_engine_tick(struct seg_engine *engine, time_t now, time_t step)
{
	time_t next = now + 3600;

	if (step) {
		forget_deadlines(engine, now);
		move_ends(engine, now, step);
	}
	seg_change_save_again(engine, now);
	tick_deadline(engine, now);
	earlier(&next, seg_emergency_tick(engine, now));
	if (is_due(&engine->next_window, now)) {
		seg_windows_look(engine, now);
		engine->next_refresh = 0;
	}
	if (is_due(&engine->next_refresh, now) && !engine->disarmed &&
	    seg_apply_refresh(engine, now, "links", NULL))
		engine->next_refresh = now + 5;
	seg_hands_tick(engine, now);
	if (is_due(&engine->next_glance, now) || seg_engine_glance_in(engine) == 0) {
		seg_hands_glance(engine, now);
		engine->next_glance = now + 1;
	}
	tick_counters(engine, now);
	seg_readings_tick(engine, now);
	seg_evidence_save(engine);
	seg_say_store(engine, now);
	earlier(&next, seg_watch_tick(engine, now));
	earlier(&next, seg_limits_tick(engine, now));
	earlier(&next, seg_aggregate_tick(engine->refusals.aggregate, now));
	earlier(&next,
		engine->state.confirm_until > now ? engine->state.confirm_until : engine->next_rollback);
	earlier(&next, engine->next_window);
	earlier(&next, engine->next_refresh);
	earlier(&next, engine->next_repair);
	earlier(&next, engine->next_look);
	earlier(&next, engine->next_mended);
	earlier(&next, engine->next_usage);
	earlier(&next, engine->next_save);
	earlier(&next, engine->unsaved ? now + 1 : 0);
	earlier(&next, engine->imprint_owed || engine->imprint_stale ? now + 1 : 0);
	return next;
}
