/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What segctl asks, in exactly the keys of cli.md. */

#include "state.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/sentence.h"
#include "flow/answer.h"
#include "policy/guard.h"
#include "policy/report.h"

/* Pieces. */

json_t *seg_json_time(const struct seg_engine *engine, time_t at)
{
	char text[SEG_TIME_STRLEN];

	return at ? json_string(seg_time_format(at, seg_engine_zone_name(engine), text)) : json_null();
}

json_t *seg_json_addr(seg_addr addr)
{
	char text[SEG_ADDR_STRLEN];

	return json_string(seg_addr_format(addr, text));
}

json_t *seg_json_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

json_t *seg_json_zone(const struct seg_zone *zone)
{
	return seg_json_text(zone ? zone->id : NULL);
}

int seg_answer_error(json_t **out, int result, const char *code, const char *format, ...)
{
	json_t *sentence;
	char *message;
	va_list args;

	va_start(args, format);
	sentence = seg_sentence_vnew(format, args);
	va_end(args);
	message = seg_sentence_text(sentence);
	*out = json_pack("{s:s, s:s, s:o}", "code", code, "message", message, "sentence", sentence);
	free(message);
	return result;
}

/* The policy file that has errors: the first of the sources, the others are lists. */
static const char *file_of(const struct seg_diags *diags)
{
	for (const struct seg_diag *diag = diags->first; diag; diag = diag->next) {
		if (diag->place.source && diag->place.source->order == 0)
			return diag->place.source->name;
	}
	return NULL;
}

int seg_answer_refused(json_t **out, const struct seg_diags *diags)
{
	struct seg_strbuf text = {0};

	seg_diags_render(diags, false, &text);
	seg_answer_error(out, -EBADMSG, "refused", "%s", seg_strbuf_text(&text));
	json_object_del(*out, "sentence"); /* each error has its own words */
	json_object_set_new(*out, "file", seg_json_text(file_of(diags)));
	seg_report_put(diags, *out);
	seg_strbuf_fini(&text);
	return -EBADMSG;
}

json_t *seg_answer_revoked(const struct seg_revoked *revoked)
{
	return json_pack("{s:I, s:I}", "flows", (json_int_t)revoked->flows, "permits",
			 (json_int_t)revoked->permits);
}

void seg_answer_note(json_t *document, json_t *sentence)
{
	char *text = seg_sentence_text(sentence);

	json_array_append_new(json_object_get(document, "notes"), json_string(text));
	json_array_append_new(json_object_get(document, "sentences"), sentence);
	free(text);
}

int seg_answer_no_policy(struct seg_engine *engine, json_t **out)
{
	return seg_answer_error(out, -ENODATA, "no-policy", "no policy is in force: %s",
				engine->why ? engine->why : seg_engine_state(engine));
}

/* status */

static json_t *status_policy(struct seg_engine *engine)
{
	const struct seg_rulebook *book = engine->running;

	if (!book)
		return json_null();
	return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:o}", "version",
			 book->version ? json_integer(book->version) : json_null(), "hash",
			 book->policy->hash, "file", engine->options.policy_file, "since",
			 seg_json_time(engine, engine->state.since), "confirm-until",
			 seg_json_time(engine, engine->state.confirm_until), "back-to",
			 seg_pending_back_to(engine), "zones", (json_int_t)book->policy->zones, "permits",
			 (json_int_t)book->policy->permits, "stage",
			 seg_json_text(engine->state.stage.id[0] ? engine->state.stage.id : NULL));
}

/* The gateway's addresses as the policy has them, and as the kernel does: a sentence for each difference. */
static json_t *gateway_differences(struct seg_engine *engine)
{
	const struct seg_policy *policy = engine->running ? engine->running->policy : NULL;
	json_t *list = json_array();
	char addr[SEG_ADDR_STRLEN];

	if (!policy || !policy->has_gateway)
		return list;
	for (size_t i = 0; i < policy->gateway.n; i++) {
		seg_addr own = policy->gateway.entry[i].range.lo;

		if (seg_engine_is_gateway(engine, own))
			continue;
		json_array_append_new(list, seg_sentence_new("gateway address %s of the policy is on no interface",
							     seg_addr_format(own, addr)));
	}
	for (size_t i = 0; i < engine->links.gateway.n; i++) {
		seg_addr own = engine->links.gateway.addr[i].addr;
		bool named = false;

		if (seg_addr_is_link_local(own) || seg_addr_is_loopback(own) || !seg_policy_zone_of(policy, own))
			continue;
		for (size_t j = 0; j < policy->gateway.n && !named; j++)
			named = policy->gateway.entry[j].range.lo == own;
		if (named)
			continue;
		json_array_append_new(
			list, seg_sentence_new("address %s on %s is not among the policy's gateway addresses",
					       seg_addr_format(own, addr), engine->links.gateway.addr[i].interface));
	}
	return list;
}

/* Does the permit mean an address of the family in a zone that packets are forwarded from, or to? */
static bool side_forwards(const struct seg_side *side, size_t n, enum seg_family family)
{
	for (size_t i = 0; i < n; i++) {
		if (side[i].zone->tier == SEG_TIER_GATEWAY)
			continue;
		if (seg_ranges_only(side[i].whole ? side[i].zone->nets : side[i].ranges, family).n)
			return true;
		for (size_t b = 0; b < side[i].n_bound; b++)
			if (seg_range_family(side[i].bound[b].range) == family)
				return true;
	}
	return false;
}

static bool permits_forwarding(const struct seg_policy *policy, enum seg_family family)
{
	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];

		if (side_forwards(permit->from, permit->n_from, family) &&
		    side_forwards(permit->to, permit->n_to, family))
			return true;
	}
	return false;
}

static json_t *forwarding_sentence(enum seg_family family)
{
	if (family == SEG_IPV4)
		return seg_sentence_new("net.ipv4.ip_forward is 0: the kernel forwards nothing of IPv4, "
					"whatever the policy permits");
	return seg_sentence_new("net.ipv6.conf.all.forwarding is 0: the kernel forwards nothing of IPv6, "
				"whatever the policy permits");
}

/* Where the kernel does not do what the policy permits: a sentence for each family. It opens nothing, and so
 * is no difference of the rules and no way round them; but nobody finds out why permitted flows die. */
static json_t *forwarding_off(struct seg_engine *engine)
{
	static const enum seg_family families[] = {SEG_IPV4, SEG_IPV6};
	const struct seg_policy *policy = engine->running ? engine->running->policy : NULL;
	json_t *list = json_array();

	for (size_t i = 0; policy && i < sizeof(families) / sizeof(*families); i++)
		if (!engine->ops->forwards(engine->kernel, families[i]) && permits_forwarding(policy, families[i]))
			json_array_append_new(list, forwarding_sentence(families[i]));
	return list;
}

static bool has_an_interface(const struct seg_engine *engine, const struct seg_zone *zone)
{
	for (size_t i = 0; i < engine->links.interfaces; i++)
		if (seg_zone_has_interface(zone, engine->links.interface[i]))
			return true;
	return false;
}

static json_t *absent_sentence(const struct seg_zone *zone)
{
	struct seg_strbuf names = {0};
	json_t *sentence;

	for (size_t i = 0; i < zone->interfaces; i++)
		seg_strbuf_printf(&names, "%s%s%s", i ? ", " : "", zone->interface[i].name,
				  zone->interface[i].prefix ? "*" : "");
	sentence = seg_sentence_new("zone %s has no interface here (%s): nothing reaches it, and what comes from "
				    "its addresses by another one is refused",
				    zone->id, seg_strbuf_text(&names));
	seg_strbuf_fini(&names);
	return sentence;
}

/* Zones behind interfaces that do not exist: renamed, or a typing error. They may come yet, so that it is no error. */
static json_t *absent_zones(const struct seg_engine *engine)
{
	const struct seg_policy *policy = engine->running ? engine->running->policy : NULL;
	json_t *list = json_array();

	for (size_t i = 0; policy && i < policy->zones; i++)
		if (policy->zone[i].interfaces && !has_an_interface(engine, &policy->zone[i]))
			json_array_append_new(list, absent_sentence(&policy->zone[i]));
	return list;
}

static json_t *status_ending(struct seg_engine *engine, time_t now)
{
	const struct seg_policy *policy = engine->running ? engine->running->policy : NULL;
	json_t *list = json_array();
	seg_date today;
	char date[11];

	if (!policy)
		return list;
	today = seg_local_time(now, policy->timezone).date;
	for (size_t i = 0; i < policy->permits; i++) {
		const struct seg_permit *permit = &policy->permit[i];

		if (permit->schedule.until >= today && permit->schedule.until && permit->schedule.until - today <= 30)
			json_array_append_new(list,
					      json_pack("{s:s, s:s}", "permit", permit->id, "until",
							seg_date_format(permit->schedule.until, date)));
	}
	return list;
}

static json_t *texts_of(const json_t *sentences)
{
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(sentences); i++) {
		char *text = seg_sentence_text(json_array_get(sentences, i));

		json_array_append_new(list, json_string(text));
		free(text);
	}
	return list;
}

/* What is not on the disk, and what to do. */
static json_t *unsaved_sentences(const struct seg_engine *engine)
{
	const char *evidence = seg_store_evidence_problem(engine->store);
	json_t *list = json_array(), *one;

	if (engine->unsaved) {
		one = seg_sentence_new(
			"what is in force may not outlive a restart, for it cannot be stored (%s): "
			"see that the state directory has room and can be written; "
			"it is stored within a second then",
			engine->unsaved);
		json_array_append_new(list, one);
	}
	if (evidence) {
		one = seg_sentence_new("history, evidence and use of permits cannot be stored (%s): "
				       "see that the state directory has room and can be written; "
				       "they are stored within a minute then",
				       evidence);
		json_array_append_new(list, one);
	}
	return list;
}

static json_t *number_or_null(uint64_t number, bool known)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *status_table(const struct seg_engine *engine, const struct seg_kernel_facts *facts)
{
	bool armed = !engine->disarmed;

	return json_pack("{s:b, s:b, s:b, s:I, s:I}", "owner", armed && facts->ownership != SEG_UNOWNED, "persist",
			 armed && facts->ownership == SEG_OWNED_PERSIST, "descriptor-kept",
			 facts->descriptor_kept, "tampered", (json_int_t)engine->tampered, "restored",
			 (json_int_t)engine->restored);
}

static json_t *status_events(const struct seg_engine *engine, const struct seg_kernel_facts *facts)
{
	const struct seg_watch *watch = &engine->watch;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "received", (json_int_t)watch->received, "filtered",
			 (json_int_t)engine->usage.silent, "lost", (json_int_t)watch->lost, "resyncs",
			 (json_int_t)watch->resyncs, "unreadable", (json_int_t)facts->events_unreadable, "queue",
			 number_or_null(facts->queue, facts->has_queue));
}

static json_t *status_sinks(const struct seg_kernel_facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < facts->sinks; i++) {
		const struct seg_sink_stats *sink = &facts->sink[i];

		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I}", "sink", sink->name, "sent",
						      (json_int_t)sink->sent, "dropped", (json_int_t)sink->dropped,
						      "pending", (json_int_t)sink->pending));
	}
	return list;
}

static int tell_status(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct seg_kernel_facts facts = {0};
	json_t *document = json_object(), *sentences, *unsaved = unsaved_sentences(engine), *forwarding, *absent,
	       *unlooked;
	json_t *lost = seg_recall_sentences(engine);

	seg_engine_look_for_bypass(engine, request->now);
	engine->ops->facts(engine->kernel, &facts);
	json_object_set_new(document, "state", json_string(seg_engine_state(engine)));
	json_object_set_new(document, "reason", seg_json_text(engine->why));
	json_object_set_new(document, "site",
			    seg_json_text(engine->running ? engine->running->policy->site : NULL));
	json_object_set_new(document, "version", json_string(SEG_VERSION));
	json_object_set_new(document, "policy", status_policy(engine));
	json_object_set_new(document, "table", status_table(engine, &facts));
	json_object_set_new(document, "events", status_events(engine, &facts));
	json_object_set_new(document, "conntrack",
			    json_pack("{s:o, s:o}", "count",
				      number_or_null(facts.conntrack, facts.conntrack_max != 0), "max",
				      number_or_null(facts.conntrack_max, facts.conntrack_max != 0)));
	json_object_set_new(document, "denied", json_integer((json_int_t)engine->refusals.total));
	json_object_set_new(document, "denied-unreadable", json_integer((json_int_t)facts.refused_unreadable));
	json_object_set_new(document, "violations", json_integer((json_int_t)engine->watch.violations));
	json_object_set_new(document, "sinks", status_sinks(&facts));
	json_object_set_new(document, "clients",
			    json_pack("{s:i, s:i, s:I, s:I}", "connected", (int)facts.clients, "watching",
				      (int)facts.watchers, "refused", (json_int_t)facts.clients_refused, "dropped",
				      (json_int_t)facts.clients_dropped));
	json_object_set_new(document, "bypass", texts_of(engine->bypass));
	sentences = gateway_differences(engine);
	json_object_set_new(document, "gateway", texts_of(sentences));
	json_object_set_new(document, "unsaved", texts_of(unsaved));
	json_object_set_new(document, "lost", texts_of(lost));
	forwarding = forwarding_off(engine);
	json_object_set_new(document, "forwarding", texts_of(forwarding));
	json_array_extend(sentences, forwarding);
	json_decref(forwarding);
	absent = absent_zones(engine);
	json_object_set_new(document, "absent", texts_of(absent));
	json_array_extend(sentences, absent);
	json_decref(absent);
	unlooked = seg_hands_unlooked(engine);
	json_object_set_new(document, "unlooked", texts_of(unlooked));
	json_array_extend(sentences, unlooked);
	json_decref(unlooked);
	json_array_extend(sentences, unsaved);
	json_array_extend(sentences, lost);
	json_decref(lost);
	json_array_extend(sentences, engine->bypass);
	json_decref(unsaved);
	if (engine->said)
		json_array_append(sentences, engine->said);
	json_object_set_new(document, "sentences", sentences);
	json_object_set_new(document, "isolated", seg_json_isolated(engine));
	json_object_set_new(document, "limits", seg_json_limits(engine));
	json_object_set_new(document, "ending", status_ending(engine, request->now));
	json_object_set_new(document, "started", seg_json_time(engine, engine->started));
	*out = document;
	return 0;
}

int seg_engine_status(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	return seg_readings_answer(engine, request, SEG_READ_ALL, tell_status, out);
}

/* A permit, as permits and report tell it. */

static json_t *side_ids(const struct seg_side *side, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(side[i].zone->id));
	return list;
}

/* Every address that the permit means in this zone; those that have a MAC stand apart. */
static bool is_isolated(const struct seg_closure *closure, const struct seg_side *side)
{
	struct seg_ranges ranges = side->whole ? side->zone->nets : side->ranges;
	bool isolated = seg_ranges_subset(ranges, closure->isolated);

	for (size_t i = 0; isolated && i < side->n_bound; i++)
		isolated =
			seg_ranges_subset((struct seg_ranges){&side->bound[i].range, 1}, closure->isolated);
	return isolated;
}

/* Nobody is left of a side: each zone in which the permit means anybody is closed, or all of them are
 * isolated. */
static bool is_closed(const struct seg_closure *closure, const struct seg_side *side, size_t n)
{
	bool closed = false;

	for (size_t i = 0; i < n; i++) {
		if (seg_side_is_empty(&side[i]))
			continue;
		closed = side[i].zone->tier != SEG_TIER_GATEWAY &&
			 (seg_closure_of_zone(closure, side[i].zone) || is_isolated(closure, &side[i]));
		if (!closed)
			break;
	}
	return closed;
}

static bool is_stopped(const struct seg_engine *engine, const struct seg_permit *permit)
{
	return seg_closure_has_permit(&engine->closure, permit) ||
	       is_closed(&engine->closure, permit->from, permit->n_from) ||
	       is_closed(&engine->closure, permit->to, permit->n_to);
}

const char *seg_permit_state(const struct seg_engine *engine, const struct seg_permit *permit, time_t now)
{
	static const char *const name[] = {
		[SEG_OPEN] = "active", [SEG_CLOSED_HOURS] = "closed", [SEG_EXPIRED] = "expired", [SEG_NOT_YET] = "not-yet"};
	enum seg_schedule_state state =
		seg_schedule_state(&permit->schedule, now, engine->running->policy->timezone);

	if (state == SEG_OPEN && is_stopped(engine, permit))
		return "stopped";
	return name[state];
}

json_t *seg_json_permit(struct seg_engine *engine, const struct seg_permit *permit, time_t now)
{
	const char *zone = engine->running->policy->timezone;
	struct seg_usage_row use = seg_usage_of(engine, permit->id);

	return json_pack("{s:s, s:o, s:s, s:o, s:o, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "id", permit->id,
			 "title", seg_json_text(permit->title), "class", seg_class_name(permit->class), "from",
			 side_ids(permit->from, permit->n_from), "to", side_ids(permit->to, permit->n_to), "state",
			 seg_permit_state(engine, permit, now), "next-change",
			 seg_json_time(engine, seg_schedule_next(&permit->schedule, now, zone)), "flows",
			 (json_int_t)use.total.flows, "packets", (json_int_t)use.total.packets, "bytes",
			 (json_int_t)use.total.bytes, "reply-packets", (json_int_t)use.total.reply_packets,
			 "reply-bytes", (json_int_t)use.total.reply_bytes, "first",
			 seg_json_time(engine, use.first), "last", seg_json_time(engine, use.last));
}

/* A flow, as flows, diff and watch tell it. */

static const char *flow_state(const struct seg_flow *flow)
{
	static const char *const tcp[] = {
		[TCP_CONNTRACK_SYN_SENT] = "syn-sent", [TCP_CONNTRACK_SYN_RECV] = "syn-recv",
		[TCP_CONNTRACK_ESTABLISHED] = "established", [TCP_CONNTRACK_FIN_WAIT] = "fin-wait",
		[TCP_CONNTRACK_CLOSE_WAIT] = "close-wait", [TCP_CONNTRACK_LAST_ACK] = "last-ack",
		[TCP_CONNTRACK_TIME_WAIT] = "time-wait", [TCP_CONNTRACK_CLOSE] = "close"};

	if (flow->proto != IPPROTO_TCP || flow->tcp_state >= sizeof(tcp) / sizeof(*tcp))
		return NULL;
	return tcp[flow->tcp_state];
}

json_t *seg_json_flow(struct seg_engine *engine, const struct seg_flow *flow, const struct seg_judged *judged,
		      time_t now)
{
	bool counted = flow->packets || flow->reply_packets;
	char proto[SEG_SERVICE_STRLEN];

	(void)now;
	return json_pack("{s:o, s:o, s:s, s:o, s:i, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "from",
			 seg_json_zone(judged->verdict.from), "to", seg_json_zone(judged->verdict.to), "proto",
			 seg_proto_name(flow->proto, proto), "src", seg_json_addr(flow->src), "sport",
			 (int)flow->sport, "dst", seg_json_addr(flow->dst), "dport", (int)flow->dport, "permit",
			 seg_json_text(judged->kind == SEG_LEGITIMATE && judged->permit ? judged->permit->id : NULL),
			 "packets", number_or_null(flow->packets, counted), "bytes",
			 number_or_null(flow->bytes, counted), "reply-packets",
			 number_or_null(flow->reply_packets, counted), "reply-bytes",
			 number_or_null(flow->reply_bytes, counted), "since",
			 seg_json_time(engine, (time_t)(flow->start_ns / 1000000000u)), "state",
			 seg_json_text(flow_state(flow)));
}

/* explain, matrix */

static const char *text_of(const struct seg_request *request, const char *key)
{
	return json_string_value(json_object_get(request->params, key));
}

/* The policy's answer stays what it is; that the zone has to wait for a moment is said beside it. */
static void add_held(const struct seg_engine *engine, const struct seg_verdict *verdict, json_t *answer)
{
	bool held = verdict->permit && seg_limits_holds(engine, verdict->from);

	json_object_set_new(answer, "held", json_boolean(held));
	if (held)
		seg_answer_add(
			answer,
			seg_sentence_new(
				"zone %s has reached its limit: new flows of it are refused for the moment",
				verdict->from->id));
}

/* Nor does it change the answer that the kernel does not forward. */
static void add_forwarding(struct seg_engine *engine, const struct seg_packet *packet,
			   const struct seg_verdict *verdict, json_t *answer)
{
	const struct seg_zone *gateway = engine->running->policy->gateway_zone;
	enum seg_family family = seg_addr_family(packet->src);
	bool stays = verdict->permit && verdict->from != gateway && verdict->to != gateway &&
		     verdict->reason != SEG_REASON_GATEWAY_ESSENTIAL &&
		     !engine->ops->forwards(engine->kernel, family);

	json_object_set_new(answer, "forwarding-off", json_boolean(stays));
	if (stays)
		seg_answer_add(answer, forwarding_sentence(family));
}

static int unknown_end(const struct seg_policy *policy, const char *word, json_t **out)
{
	if (seg_policy_zone(policy, word))
		return seg_answer_error(out, -ENOENT, "not-found",
					"%s is a zone; a packet goes from one address or host to another",
					word);
	return seg_answer_error(out, -ENOENT, "not-found", "%s is no address and no host of the policy",
				word);
}

int seg_engine_explain(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct seg_query query = {.in = text_of(request, "in"), .mac = text_of(request, "mac"),
				  .at = text_of(request, "at"), .src = text_of(request, "src"),
				  .dst = text_of(request, "dst"), .proto = text_of(request, "proto")};
	struct seg_strbuf problem = {0};
	struct seg_verdict verdict;
	struct seg_asked asked = {0};
	const char *unknown;
	int r = 0;

	if (!engine->running)
		return seg_answer_no_policy(engine, out);
	if (!query.src || !query.dst || !query.proto)
		return seg_answer_error(out, -EINVAL, "invalid-parameter", "src, dst and proto are needed");
	unknown = seg_answer_unknown(engine->running->policy, &query);
	if (unknown)
		return unknown_end(engine->running->policy, unknown, out);
	if (!seg_answer_ask(engine->running->policy, &query, request->now, &asked, &problem)) {
		r = seg_answer_error(out, -EINVAL, "invalid-parameter", "%s", seg_strbuf_text(&problem));
		goto out;
	}
	verdict = seg_classify_closed(engine->running->policy, engine->running->index, &engine->links.gateway,
				      &engine->closure, &asked.packet, asked.at);
	*out = seg_answer_explain(engine->running->policy, &asked.packet, &verdict, asked.at);
	seg_answer_put_hosts(*out, &asked);
	seg_emergency_explain(engine, &asked.packet, &verdict, *out);
	json_object_set_new(*out, "state", json_string(seg_engine_state(engine)));
	if (!query.at) {
		add_held(engine, &verdict, *out);
		add_forwarding(engine, &asked.packet, &verdict, *out);
	}
out:
	seg_strbuf_fini(&problem);
	return r;
}

int seg_engine_matrix(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	(void)request;
	if (!engine->running)
		return seg_answer_no_policy(engine, out);
	*out = seg_answer_matrix(engine->running->policy);
	return 0;
}

/* verify */

static json_t *finding(const char *kind, const char *object, const char *detail)
{
	return json_pack("{s:s, s:o, s:s}", "kind", kind, "object", seg_json_text(object), "detail", detail);
}

static void add_findings(json_t *list, const char *kind, const json_t *sentences)
{
	for (size_t i = 0; i < json_array_size(sentences); i++) {
		char *detail = seg_sentence_text(json_array_get(sentences, i));

		json_array_append_new(list, finding(kind, NULL, detail));
		free(detail);
	}
}

static json_t *checked_json(const struct seg_plan *image)
{
	json_int_t elements = 0, rules = 0;

	for (size_t i = 0; image && i < image->sets; i++)
		elements += (json_int_t)image->set[i]->elems;
	for (size_t i = 0; image && i < image->chains; i++)
		rules += (json_int_t)image->chain[i]->rules;
	return json_pack("{s:I, s:I, s:I, s:I}", "sets", (json_int_t)(image ? image->sets : 0), "elements", elements,
			 "chains", (json_int_t)(image ? image->chains : 0), "rules", rules);
}

/* Both tables as they should be beside what is there. *image: ours; the caller frees it, also on failure. */
static int compare_tables(struct seg_engine *engine, time_t now, struct seg_plan **image,
			  struct seg_findings *findings)
{
	struct seg_plan *want;
	int r = engine->ops->read(engine->kernel, image);

	if (r)
		return r;
	want = seg_apply_plan(engine, now);
	seg_nft_compare(want, *image, findings);
	r = engine->ops->keeper(engine->kernel, want, findings);
	seg_plan_free(want);
	return r;
}

int seg_engine_verify(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct seg_findings findings = {.arena = seg_arena_new()};
	struct seg_kernel_facts facts = {0};
	struct seg_plan *image = NULL;
	json_t *list, *sentences, *notes, *unlooked;
	bool equal;
	int r = compare_tables(engine, request->now, &image, &findings);

	if (r) {
		seg_plan_free(image);
		seg_arena_free(findings.arena);
		return seg_answer_error(out, r, "kernel", "the rules cannot be read: %s", strerror(-r));
	}
	list = json_array();
	for (size_t i = 0; i < findings.n; i++)
		json_array_append_new(list, finding(findings.finding[i].kind, findings.finding[i].object,
						    findings.finding[i].detail));
	equal = image && !findings.n;
	engine->ops->facts(engine->kernel, &facts);
	if (image && facts.ownership == SEG_UNOWNED)
		json_array_append_new(list, finding("unowned", "table inet segd",
						    "this kernel offers no owner with persist: others can change it, and are answered"));
	seg_engine_look_for_bypass(engine, request->now);
	sentences = gateway_differences(engine);
	add_findings(list, "bypass", engine->bypass);
	add_findings(list, "gateway-address", sentences);
	json_array_extend(sentences, engine->bypass);
	notes = forwarding_off(engine);
	unlooked = seg_hands_unlooked(engine);
	json_array_extend(notes, unlooked);
	json_decref(unlooked);
	json_array_extend(sentences, notes);
	*out = json_pack("{s:b, s:b, s:o, s:o, s:o, s:o}", "equal", equal, "observing",
			 engine->options.observe, "findings", list, "notes", texts_of(notes), "checked",
			 checked_json(image), "sentences", sentences);
	json_decref(notes);
	seg_plan_free(image);
	seg_arena_free(findings.arena);
	return 0;
}

/* history */

struct history_listing {
	struct seg_engine *engine;
	json_t *list;
};

json_t *seg_json_record(const struct seg_engine *engine, const struct seg_record *record)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:s, s:s, s:o}", "version",
			 record->version ? json_integer(record->version) : json_null(), "hash",
			 seg_json_text(record->hash), "at", seg_json_time(engine, record->at), "uid",
			 (json_int_t)record->uid, "user", seg_json_text(record->user), "comment",
			 seg_json_text(record->comment), "ticket", seg_json_text(record->ticket), "result",
			 seg_record_result(record), "outcome", seg_record_outcome(record), "reason",
			 seg_json_text(record->reason));
}

static void list_record(void *context, const struct seg_record *record)
{
	struct history_listing *listing = context;

	json_array_append_new(listing->list, seg_json_record(listing->engine, record));
}

int seg_answer_history_unreadable(struct seg_engine *engine, int r, json_t **out)
{
	char *problem = seg_store_take_problem(engine->store);

	seg_answer_error(out, r, "store", "the history cannot be read: %s", problem ? problem : strerror(-r));
	free(problem);
	return r;
}

int seg_engine_history(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	struct history_listing listing = {engine, json_array()};
	int r = seg_store_each_record(engine->store, list_record, &listing);

	if (r) {
		json_decref(listing.list);
		return seg_answer_history_unreadable(engine, r, out);
	}
	*out = json_pack("{s:o, s:o}", "history", listing.list, "actions",
			 seg_evidence_actions(engine, request->now));
	return 0;
}

/* The table. */

const struct seg_command seg_commands[] = {
	{"status", false, seg_engine_status},
	{"permits", false, seg_engine_permits},
	{"flows", false, seg_engine_flows},
	{"denials", false, seg_engine_denials},
	{"violations", false, seg_engine_violations},
	{"explain", false, seg_engine_explain},
	{"matrix", false, seg_engine_matrix},
	{"diff", false, seg_engine_diff},
	{"verify", false, seg_engine_verify},
	{"history", false, seg_engine_history},
	{"report", false, seg_engine_report},
	{"isolated", false, seg_engine_isolated},
	{"stages", false, seg_engine_stages},
	{"apply", true, seg_engine_apply},
	{"confirm", true, seg_engine_confirm},
	{"rollback", true, seg_engine_rollback},
	{"isolate", true, seg_engine_isolate},
	{"release", true, seg_engine_release},
	{"stage", true, seg_engine_stage},
	{"disarm", true, seg_engine_disarm},
};
const size_t seg_commands_count = sizeof(seg_commands) / sizeof(*seg_commands);
