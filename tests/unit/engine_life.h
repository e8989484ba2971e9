/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_ENGINE_LIFE_H
#define TEST_ENGINE_LIFE_H

/*
 * The engine's life for tests of it, without a packet, in a town of three zones: its world (engine_world.h),
 * its commands as a client gives them, flows and refusals.
 *
 * setup() makes a world that has not begun; begin() starts the engine in it.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <sqlite3.h>

#include "control/sentence.h"
#include "engine_world.h"

static const char zones[] = "segd: 1\n"
			    "site: town\n"
			    "timezone: Asia/Tokyo\n"
			    "guard: none\n"
			    "zones:\n"
			    "  mn: {tier: mynumber, interfaces: [eth1], networks: [10.1.0.0/24]}\n"
			    "  lg: {tier: lgwan, interfaces: [eth2], networks: [10.2.0.0/24]}\n"
			    "  net: {tier: internet, interfaces: [eth3], networks: [any]}\n"
			    "hosts:\n"
			    "  clerk: {address: 10.2.0.5}\n"
			    "permits:\n";
static const char web[] = "  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/443]}\n";
static const char dns[] = "  - {id: DNS, class: operations, from: lg, to: net, service: [udp/53]}\n";
static const char office[] = "  - {id: OFFICE, class: operations, from: lg, to: mn, service: [tcp/80],"
			     " hours: [mon-fri 08:00-17:00]}\n";

static inline void write_text(const char *text)
{
	FILE *file = fopen(w.policy, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static inline void write_policy(const char *a, const char *b, const char *c)
{
	FILE *file = fopen(w.policy, "w");

	ck_assert_ptr_nonnull(file);
	fprintf(file, "%s%s%s%s", zones, a, b, c);
	fclose(file);
}

static inline void begin(void)
{
	const struct seg_engine_options options = {.policy_file = w.policy,
						   .denied_window = 60,
						   .observe = w.observe,
						   .alert = take_alert,
						   .say = take_status};
	static const struct seg_gateway_addr own[] = {{((seg_addr)0xffff << 32) | 0x0a010001, "eth1"},
						      {((seg_addr)0xffff << 32) | 0x0a020001, "eth2"}};
	static const char *const interface[] = {"lo", "eth1", "eth2", "eth3"};
	const struct seg_gateway gateway = {own, 2};

	ck_assert_int_eq(seg_store_open(&w.store, w.state), 0);
	w.engine = seg_engine_new(&options, &fake_ops, &w.kernel, w.store);
	w.kernel.engine = w.engine;
	seg_engine_links(w.engine, &gateway, interface, 4, w.kernel.now);
	ck_assert_int_eq(seg_engine_start(w.engine, w.kernel.now), 0);
}

static inline void setup(void)
{
	make_world();
	write_policy(web, dns, office);
}

static inline void elapse(time_t seconds)
{
	w.kernel.now += seconds;
	w.kernel.mono += seconds;
}

static inline void pass(time_t seconds)
{
	elapse(seconds);
	seg_engine_tick(w.engine, w.kernel.now, 0);
	fake_run(&w.kernel);
}

/* No time passes. */
static inline void set_clock(time_t step)
{
	w.kernel.now += step;
	seg_engine_tick(w.engine, w.kernel.now, step);
}

/* An answer that comes later, and in pieces. */
struct late {
	bool over;
	int result;
	json_t *out;
	size_t pieces, lines, room; /* room: pieces until it is full */
	uint64_t count;		    /* of all lines together */
};

static inline void take_lines(struct late *late, const json_t *out)
{
	const json_t *list = json_object_get(out, "flows"), *line;
	size_t i;

	if (!list)
		list = json_object_get(out, "denials");
	json_array_foreach(list, i, line)
	{
		late->lines++;
		late->count += (uint64_t)json_integer_value(json_object_get(line, "count"));
	}
}

static inline void take_late(void *context, int result, json_t *out)
{
	struct late *late = context;

	ck_assert(!late->over);
	late->over = true;
	late->result = result;
	late->out = out;
}

static inline bool take_piece(void *context, json_t *out)
{
	struct late *late = context;

	ck_assert(!late->over);
	late->pieces++;
	take_lines(late, out);
	json_decref(out);
	return late->pieces % late->room != 0;
}

/* The client asks; nothing is read yet. params are taken over. */
static inline void ask(struct late *answer, seg_command_fn command, json_t *params)
{
	const struct seg_request request = {
		.uid = 1000, .params = params, .now = w.kernel.now, .done = take_late, .context = answer};
	int r;

	*answer = (struct late){.room = 1};
	r = command(w.engine, &request, &answer->out);
	json_decref(params);
	if (r != SEG_LATER)
		*answer = (struct late){.over = true, .result = r, .out = answer->out};
}

static inline int ask_pieces(struct late *late, seg_command_fn command, json_t *params)
{
	const struct seg_request request = {.params = params,
					    .now = w.kernel.now,
					    .piece = take_piece,
					    .done = take_late,
					    .context = late};
	json_t *out = NULL;
	int r = command(w.engine, &request, &out);

	json_decref(params);
	ck_assert_ptr_null(out);
	return r;
}

/* A command; the document, or NULL and *code the error's. The caller frees. */
static inline json_t *call(seg_command_fn command, json_t *params, const char **code)
{
	static char name[64];
	struct late late;
	json_t *out;
	int r;

	ask(&late, command, params);
	fake_run(&w.kernel);
	ck_assert(late.over);
	out = late.out;
	r = late.result;
	name[0] = '\0';
	if (r)
		snprintf(name, sizeof(name), "%s", json_string_value(json_object_get(out, "code")));
	if (code)
		*code = name;
	else
		ck_assert_msg(!r, "%s", json_string_value(json_object_get(out, "message")));
	if (r) {
		json_decref(out);
		return NULL;
	}
	return out;
}

static inline json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static inline const json_t *find(const json_t *document, const char *list, const char *key, const char *value)
{
	const json_t *array = json_object_get(document, list);

	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = json_string_value(json_object_get(json_array_get(array, i), key));

		if (text && !strcmp(text, value))
			return json_array_get(array, i);
	}
	return NULL;
}

/* The number by which a permit may be used at this moment; 0: it may not. */
static inline uint32_t mark_of(const char *permit)
{
	const struct seg_set *set;
	struct seg_plan *image;
	uint32_t mark = 0;

	fake_read(&w.kernel, &image);
	set = image ? seg_plan_set(image, "open") : NULL;
	for (size_t i = 0; set && i < set->elems; i++)
		if (!strcmp(set->elem[i].comment, permit))
			memcpy(&mark, set->elem[i].key, sizeof(mark));
	seg_plan_free(image);
	return mark;
}

static inline struct seg_flow flow(const char *src, const char *dst, uint8_t proto, uint16_t dport,
				   const char *permit)
{
	static uint32_t id;

	return (struct seg_flow){.src = addr(src),
				 .dst = addr(dst),
				 .orig_dst = addr(dst),
				 .reply_dst = addr(src),
				 .proto = proto,
				 .sport = 40000,
				 .dport = dport,
				 .id = ++id,
				 .mark = permit ? mark_of(permit) : 0,
				 .tcp_state = proto == 6 ? TCP_CONNTRACK_SYN_SENT : 0};
}

/* The flow begins: in conntrack's table and as an event. */
static inline void event_of(struct seg_flow one)
{
	w.kernel.flow[w.kernel.flows++] = one;
	seg_engine_flow(w.engine, SEG_FLOW_NEW, &one, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
}

static inline bool can_be_translated(const json_t *document, const char *text)
{
	return seg_sentences_find(json_object_get(document, "sentences"), text) != NULL;
}

static inline json_int_t version_in_force(void)
{
	json_t *out = call(seg_engine_status, NULL, NULL);
	json_int_t version = number(json_object_get(out, "policy"), "version");

	json_decref(out);
	return version;
}

static inline bool status_says(const char *text)
{
	json_t *out = call(seg_engine_status, NULL, NULL);
	const char *reason = json_string_value(json_object_get(out, "reason"));
	bool says = reason ? text && strstr(reason, text) : !text;

	json_decref(out);
	return says;
}

static inline sqlite3 *open_audit(const char *sql)
{
	char path[256];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/audit.db", w.state);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static inline void rewrite_audit(const char *sql)
{
	sqlite3_close(open_audit(sql));
}

/* A foreign hand, as the monitor tells of it. */
static inline void take_hand(const struct seg_nft_transaction *transaction)
{
	if (transaction->ours)
		seg_engine_touched(w.engine);
	seg_engine_transaction(w.engine, transaction, w.kernel.now);
}

static inline json_int_t used(const char *permit, const char *key)
{
	json_t *out = call(seg_engine_permits, NULL, NULL);
	json_int_t n = number(find(out, "permits", "id", permit), key);

	json_decref(out);
	return n;
}

/* Refused pairs from 10.1.0.7 to 198.51.100.1 and on, each counted `packets` times, with an hour to live. */
static inline void refuse_pairs(size_t n, uint64_t packets)
{
	for (size_t i = 0; i < n; i++)
		w.kernel.counted[w.kernel.counteds++] = (struct fake_counted){
			.set = "denied4",
			.key = {10, 1, 0, 7, 198, 51, (uint8_t)(100 + i / 250), (uint8_t)(1 + i % 250)},
			.packets = packets,
			.left_ms = HOUR * 1000};
}

static inline json_int_t denied(struct late *answer)
{
	json_int_t n;

	ck_assert(answer->over);
	ck_assert_int_eq(answer->result, 0);
	n = number(answer->out, "denied");
	json_decref(answer->out);
	return n;
}

static inline const char *explained(const char *src, const char *dst, const char *proto)
{
	static char text[32];
	json_t *out = call(seg_engine_explain,
			   json_pack("{s:s, s:s, s:s}", "src", src, "dst", dst, "proto", proto), NULL);

	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(out, "reason")));
	json_decref(out);
	return text;
}

static inline void switch_to(const char *stage)
{
	json_decref(
		call(seg_engine_stage, json_pack("{s:s?, s:s}", "stage", stage, "reason", "drill"), NULL));
}

static const char one_stage[] = "stages: {alone: {title: alone, closes: {permits: [WEB]}}}\n";

/* Flows that WEB admitted, from two clients in turn. */
static inline void crowd(size_t n)
{
	static uint32_t id = 1u << 20;
	struct seg_flow one = flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB");

	for (size_t i = 0; i < n; i++) {
		one.id = ++id;
		one.sport = (uint16_t)(1024 + i);
		one.packets = 1;
		one.bytes = i;
		w.kernel.flow[w.kernel.flows++] = one;
		if (i == 0) /* its number carries */
			seg_engine_flow(w.engine, SEG_FLOW_NEW, &one, w.kernel.now);
	}
}

#endif
