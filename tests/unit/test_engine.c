/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The engine against a simulated kernel and clock: its whole life without a packet. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/sentence.h"
#include "fake_kernel.h"
#include "store/store.h"
#include "runner.h"

/* 2026-11-24T10:00:00+09:00, a Tuesday */
#define MORNING 1795482000
#define HOUR 3600

static const char zones[] =
	"segd: 1\n"
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

#define ALERTS 256
static struct world {
	char dir[64], policy[96], state[96];
	struct fake_kernel kernel;
	struct seg_store *store;
	struct seg_engine *engine;
	char *alert[ALERTS];
	size_t alerts;
	char status[512];
	bool observe;
} w;

static void take_alert(void *context, const struct seg_alert *alert)
{
	struct seg_strbuf text = {0};

	(void)context;
	seg_alert_format(alert, &text);
	ck_assert_uint_lt(w.alerts, ALERTS);
	w.alert[w.alerts++] = seg_strbuf_take(&text);
}

static void take_status(void *context, const char *status)
{
	(void)context;
	snprintf(w.status, sizeof(w.status), "%s", status);
}

/* How many alerts hold all of the words, separated by '|'. */
static unsigned said(const char *words)
{
	unsigned n = 0;

	for (size_t i = 0; i < w.alerts; i++) {
		char *copy = strdup(words), *rest = copy, *word;
		bool all = true;

		while ((word = strsep(&rest, "|")))
			all = all && strstr(w.alert[i], word);
		n += all;
		free(copy);
	}
	return n;
}

static void forget_alerts(void)
{
	for (size_t i = 0; i < w.alerts; i++)
		free(w.alert[i]);
	w.alerts = 0;
}

static void write_policy(const char *a, const char *b, const char *c)
{
	FILE *file = fopen(w.policy, "w");

	ck_assert_ptr_nonnull(file);
	fprintf(file, "%s%s%s%s", zones, a, b, c);
	fclose(file);
}

static void begin(void)
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

/* As a crash: nothing is said or saved. */
static void die(void)
{
	seg_engine_free(w.engine);
	fake_count_stop(&w.kernel);
	seg_store_close(w.store);
	w.engine = NULL;
	w.store = NULL;
}

static void setup(void)
{
	memset(&w, 0, sizeof(w));
	snprintf(w.dir, sizeof(w.dir), "/tmp/segd-engine-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w.dir));
	snprintf(w.policy, sizeof(w.policy), "%s/policy.yaml", w.dir);
	snprintf(w.state, sizeof(w.state), "%s/state", w.dir);
	ck_assert_int_eq(mkdir(w.state, 0700), 0);
	w.kernel.now = MORNING;
	write_policy(web, dns, office);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static void teardown(void)
{
	die();
	fake_flush(&w.kernel);
	forget_alerts();
	nftw(w.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void elapse(time_t seconds)
{
	w.kernel.now += seconds;
	w.kernel.mono += seconds;
}

static void pass(time_t seconds)
{
	elapse(seconds);
	seg_engine_tick(w.engine, w.kernel.now, 0);
	fake_run(&w.kernel);
}

/* No time passes. */
static void set_clock(time_t step)
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

static void take_lines(struct late *late, const json_t *out)
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

static void take_late(void *context, int result, json_t *out)
{
	struct late *late = context;

	ck_assert(!late->over);
	late->over = true;
	late->result = result;
	late->out = out;
}

static bool take_piece(void *context, json_t *out)
{
	struct late *late = context;

	ck_assert(!late->over);
	late->pieces++;
	take_lines(late, out);
	json_decref(out);
	return late->pieces % late->room != 0;
}

/* The client asks; nothing is read yet. params are taken over. */
static void ask(struct late *answer, seg_command_fn command, json_t *params)
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

static int ask_pieces(struct late *late, seg_command_fn command, json_t *params)
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
static json_t *call(seg_command_fn command, json_t *params, const char **code)
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

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const json_t *find(const json_t *document, const char *list, const char *key, const char *value)
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
static uint32_t mark_of(const char *permit)
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

static seg_addr addr(const char *text)
{
	seg_addr out;

	ck_assert(seg_addr_parse(text, strlen(text), &out));
	return out;
}

static struct seg_flow flow(const char *src, const char *dst, uint8_t proto, uint16_t dport, const char *permit)
{
	static uint32_t id;

	return (struct seg_flow){.src = addr(src), .dst = addr(dst), .orig_dst = addr(dst), .reply_dst = addr(src),
				 .proto = proto, .sport = 40000, .dport = dport, .id = ++id,
				 .mark = permit ? mark_of(permit) : 0,
				 .tcp_state = proto == 6 ? TCP_CONNTRACK_SYN_SENT : 0};
}

/* The flow begins: in conntrack's table and as an event. */
static void event_of(struct seg_flow one)
{
	w.kernel.flow[w.kernel.flows++] = one;
	seg_engine_flow(w.engine, SEG_FLOW_NEW, &one, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
}

/* Start. */

START_TEST(test_seals_then_loads)
{
	begin();
	ck_assert_uint_eq(w.kernel.writes, 2); /* sealed, then the policy */
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert_uint_eq(said("started|state=enforcing"), 1);
	ck_assert_uint_eq(said("applied|policy=1"), 1);
	ck_assert_uint_eq(w.kernel.dumps, 1);
}
END_TEST

START_TEST(test_stays_sealed_and_says_why)
{
	write_policy("  - {id: BAD, class: operations, from: nowhere, to: net, service: [tcp/443]}\n", "", "");
	begin();
	ck_assert_str_eq(seg_engine_state(w.engine), "sealed");
	ck_assert_uint_eq(said("sealed"), 2); /* the alert, and `started` with the state */
	ck_assert_msg(strstr(w.status, "nowhere"), "%s", w.status);
	ck_assert_uint_eq(w.kernel.writes, 1);
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
}
END_TEST

START_TEST(test_bad_file_falls_back)
{
	begin();
	die();
	write_policy("  - {id: BAD}\n", "", "");
	forget_alerts();
	begin();
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert_uint_eq(said("refused"), 1);
	ck_assert_uint_ne(mark_of("WEB"), 0);
	ck_assert_ptr_nonnull(strstr(w.status, "version 1"));
}
END_TEST

START_TEST(test_adopts_without_writing)
{
	uint32_t mark;

	begin();
	mark = mark_of("WEB");
	die();
	w.kernel.writes = 0;
	elapse(300);
	begin();
	ck_assert_uint_eq(w.kernel.writes, 0);
	ck_assert_uint_eq(mark_of("WEB"), mark);
	ck_assert_uint_eq(said("applied"), 1); /* the first time */
}
END_TEST

START_TEST(test_lost_state_gives_no_number_twice)
{
	char path[128];
	uint32_t mark;

	begin();
	mark = mark_of("OFFICE");
	die();
	snprintf(path, sizeof(path), "%s/registry", w.state);
	ck_assert_int_eq(truncate(path, 20), 0); /* torn */
	begin();
	ck_assert_uint_eq(said("store-failed|registry"), 1);
	ck_assert_uint_gt(mark_of("WEB"), mark);
}
END_TEST

/* Somebody else's mark on an open flow, or that of a permit long gone, must not come to mean a permit. */
START_TEST(test_first_numbers_keep_off_marks)
{
	w.kernel.flow[0] = (struct seg_flow){.id = 1, .mark = 2};
	w.kernel.flow[1] = (struct seg_flow){.id = 2, .mark = 0x40000007};
	w.kernel.flow[2] = (struct seg_flow){.id = 3, .mark = 0xfffffffe};
	w.kernel.flows = 3;
	begin();
	ck_assert_uint_eq(mark_of("WEB"), 8);
}
END_TEST

/* Apply. */

START_TEST(test_unchanged_writes_nothing)
{
	json_t *out;

	begin();
	w.kernel.writes = 0;
	out = call(seg_engine_apply, NULL, NULL);
	ck_assert(json_is_true(json_object_get(out, "unchanged")));
	ck_assert_int_eq(number(out, "version"), 1);
	json_decref(out);
	ck_assert_uint_eq(w.kernel.writes, 0);
}
END_TEST

START_TEST(test_refused_names_everything)
{
	const char *code;

	begin();
	write_policy("  - {id: A, from: x, to: net, service: [tcp/1]}\n",
		     "  - {id: B, from: y, to: net, service: [tcp/1]}\n", "");
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;
	ck_assert_int_lt(seg_engine_apply(w.engine, &request, &out), 0);
	code = json_string_value(json_object_get(out, "code"));
	ck_assert_str_eq(code, "refused");
	ck_assert_uint_ge(json_array_size(json_object_get(out, "errors")), 2);
	json_decref(out);
	ck_assert_uint_eq(said("refused"), 1);
	ck_assert_uint_ne(mark_of("WEB"), 0);
	out = call(seg_engine_history, NULL, NULL);
	ck_assert_ptr_nonnull(find(out, "history", "result", "refused"));
	json_decref(out);
}
END_TEST

START_TEST(test_kernel_refusal_changes_nothing)
{
	const char *code;
	uint32_t mark;

	begin();
	mark = mark_of("WEB");
	write_policy(dns, "  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", "");
	w.kernel.refuse = ENOMEM;
	ck_assert_ptr_null(call(seg_engine_apply, NULL, &code));
	ck_assert_str_eq(code, "kernel");
	w.kernel.refuse = 0;
	w.kernel.writes = 0;
	pass(HOUR);
	ck_assert_uint_eq(mark_of("WEB"), mark); /* the numbers of the running policy came back */
	die();
	write_policy(web, dns, office);
	begin();
	ck_assert_uint_eq(mark_of("WEB"), mark);
	ck_assert_uint_eq(w.kernel.writes, 0);
}
END_TEST

/* What is written meanwhile finds the disk full; check writes files, too, so that nothing is checked in
 * between. */
static struct rlimit room;

static void fill_disk(void)
{
	const struct rlimit none = {0, RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &room);
	setrlimit(RLIMIT_FSIZE, &none);
}

static void empty_disk(void)
{
	setrlimit(RLIMIT_FSIZE, &room);
}

/* A start that gives no number needs no disk to write to: what was appended stands there in another order. */
START_TEST(test_starts_on_a_full_disk)
{
	uint32_t mark;

	begin();
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", dns, office);
	json_decref(call(seg_engine_apply, NULL, NULL));
	mark = mark_of("WEB");
	die();
	fake_flush(&w.kernel); /* a reboot */
	fill_disk();
	begin();
	empty_disk();
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert_uint_eq(mark_of("WEB"), mark);
}
END_TEST

static bool can_be_translated(const json_t *document, const char *text)
{
	char *said = seg_sentences_find(json_object_get(document, "sentences"), text);
	bool found = said != NULL;

	free(said);
	return found;
}

/* How many things status says are not stored, each in words that can be translated. */
static size_t unsaved(void)
{
	json_t *out = call(seg_engine_status, NULL, NULL), *list = json_object_get(out, "unsaved");
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n; i++)
		ck_assert(can_be_translated(out, json_string_value(json_array_get(list, i))));
	json_decref(out);
	return n;
}

static json_int_t version_in_force(void)
{
	json_t *out = call(seg_engine_status, NULL, NULL);
	json_int_t version = number(json_object_get(out, "policy"), "version");

	json_decref(out);
	return version;
}

static bool history_has(json_int_t version, const char *result)
{
	json_t *out = call(seg_engine_history, NULL, NULL), *list = json_object_get(out, "history");
	bool found = false;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		found |= number(one, "version") == version &&
			 !strcmp(json_string_value(json_object_get(one, "result")), result);
	}
	json_decref(out);
	return found;
}

static bool status_says(const char *text)
{
	json_t *out = call(seg_engine_status, NULL, NULL);
	const char *reason = json_string_value(json_object_get(out, "reason"));
	bool says = reason ? text && strstr(reason, text) : !text;

	json_decref(out);
	return says;
}

/* The number is the same, the policy another. */
static const char earlier_office[] =
	"  - {id: OFFICE, class: operations, from: lg, to: mn, service: [tcp/80],"
	" hours: [mon-fri 07:00-09:00]}\n";

/* A file that needs no new number comes into force, though the disk has no room for it. */
static void start_unstored(void)
{
	begin();
	die();
	fake_flush(&w.kernel);
	write_policy(web, dns, earlier_office);
	forget_alerts();
	fill_disk();
	begin();
	for (int i = 0; i < 90; i++)
		pass(1);
	empty_disk();
	ck_assert_uint_eq(mark_of("OFFICE"), 0);
	ck_assert_int_eq(version_in_force(), 0);
}

START_TEST(test_unstored_is_said)
{
	start_unstored();
	ck_assert_uint_eq(unsaved(), 2);
	ck_assert_uint_eq(said("store-failed|versions"), 1);
	ck_assert_uint_le(said("store-failed|audit.db"), 2); /* that it could not be opened; or written */
	pass(1);
	ck_assert_uint_eq(unsaved(), 0);
}
END_TEST

/* As soon as there is room it has a version, a place in the history, and boots: by itself, by an apply, at
 * the end. */
START_TEST(test_unstored_is_stored_later)
{
	json_t *out;

	start_unstored();
	if (_i == 0) {
		pass(1);
	} else if (_i == 1) {
		out = call(seg_engine_apply, json_pack("{s:s}", "comment", "mine"), NULL);
		ck_assert_int_eq(number(out, "version"), 2);
		json_decref(out);
		ck_assert_uint_eq(said("applied|policy=2|comment=mine"), 1);
		pass(1);
	} else {
		seg_engine_stop(w.engine, w.kernel.now);
	}
	ck_assert_int_eq(version_in_force(), 2);
	ck_assert(history_has(2, "confirmed"));
	ck_assert_uint_eq(said("applied|policy=2"), 1);
	die();
	fake_flush(&w.kernel);
	unlink(w.policy);
	begin();
	ck_assert_int_eq(version_in_force(), 2);
	ck_assert_uint_eq(mark_of("OFFICE"), 0);
	out = call(seg_engine_rollback, NULL, NULL);
	ck_assert_int_eq(number(out, "version"), 1);
	json_decref(out);
}
END_TEST

/* That something else could be stored does not store it. */
START_TEST(test_unstored_alone)
{
	char path[128];
	FILE *file;

	begin();
	die();
	write_policy(web, dns, earlier_office);
	snprintf(path, sizeof(path), "%s/versions/.new", w.state);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fclose(file);
	begin();
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 NULL));
	pass(1);
	ck_assert_uint_eq(unsaved(), 1);
	unlink(path);
	pass(1);
	ck_assert_uint_eq(unsaved(), 0);
	ck_assert_int_eq(version_in_force(), 2);
}
END_TEST

START_TEST(test_apply_of_unstored_without_room)
{
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;
	int r;

	start_unstored();
	fill_disk();
	r = seg_engine_apply(w.engine, &request, &out);
	empty_disk();
	ck_assert_int_lt(r, 0);
	ck_assert_str_eq(json_string_value(json_object_get(out, "code")), "store");
	json_decref(out);
}
END_TEST

/* What never had a version goes back to the last confirmed one, and stays away. */
START_TEST(test_rollback_of_unstored)
{
	start_unstored();
	json_decref(call(seg_engine_rollback, NULL, NULL));
	ck_assert_int_eq(version_in_force(), 1);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
	ck_assert(status_says(" was rolled back or never confirmed"));
	die();
	begin();
	ck_assert_int_eq(version_in_force(), 1);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
}
END_TEST

/* Deeds are in the history and the evidence, though the disk was full when they were done. */
START_TEST(test_history_of_a_full_disk)
{
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;
	const char *code;

	begin();
	write_policy("nonsense\n", "", "");
	fill_disk();
	seg_engine_apply(w.engine, &request, &out);
	json_decref(out);
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 &code));
	pass(1);
	empty_disk();
	ck_assert_uint_eq(unsaved(), 2);
	pass(1);
	ck_assert_uint_eq(unsaved(), 0);
	ck_assert(history_has(0, "refused"));
	out = call(seg_engine_history, NULL, NULL);
	ck_assert_ptr_nonnull(find(out, "actions", "event", "isolated"));
	json_decref(out);
}
END_TEST

START_TEST(test_apply_revokes)
{
	struct seg_flow cut, stays;
	json_t *out;

	begin();
	cut = flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB");
	stays = flow("10.2.0.5", "198.51.100.1", 17, 53, "DNS");
	event_of(cut);
	event_of(stays);
	write_policy(dns, "", "");
	out = call(seg_engine_apply, json_pack("{s:s}", "comment", "less"), NULL);
	ck_assert_int_eq(number(json_object_get(out, "revoked"), "flows"), 1);
	ck_assert_int_eq(number(json_object_get(out, "revoked"), "permits"), 1);
	json_decref(out);
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(w.kernel.flow[0].id, stays.id);
	ck_assert_uint_eq(said("revoked|permit=WEB|count=1"), 1);
	ck_assert_uint_eq(said("applied|uid=1000|comment=less"), 1);
	ck_assert_uint_eq(said("violation"), 0);
}
END_TEST

START_TEST(test_revoked_by_permit_not_by_number)
{
	static const char both[] =
		"  - {id: BOTH, class: operations, from: [mn, lg], to: net, service: [tcp/443]}\n";
	struct seg_flow one, two;
	json_t *out;

	write_policy(both, dns, "");
	begin();
	two = flow("10.2.0.5", "198.51.100.1", 6, 443, "BOTH");
	one = flow("10.1.0.5", "198.51.100.1", 6, 443, "BOTH");
	one.mark = two.mark - 1; /* each pair of zones has its number */
	event_of(two);
	event_of(one);
	write_policy(dns, "", "");
	out = call(seg_engine_apply, NULL, NULL);
	ck_assert_int_eq(number(json_object_get(out, "revoked"), "flows"), 2);
	ck_assert_int_eq(number(json_object_get(out, "revoked"), "permits"), 1);
	json_decref(out);
	ck_assert_uint_eq(said("revoked|permit=BOTH|count=2"), 1);
}
END_TEST

START_TEST(test_covered_flow_lives_on)
{
	begin();
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	write_policy("  - {id: ALL, class: operations, from: lg, to: net, service: [tcp/1-1000]}\n", "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(said("revoked"), 0);
}
END_TEST

START_TEST(test_own_session_is_kept)
{
	const char *ssh = "  - {id: SSH, class: operations, from: lg, to: gateway, service: [tcp/22]}\n";
	const char *session = "10.2.0.5 50000 10.2.0.1 22", *code;

	write_policy(ssh, web, "");
	begin();
	write_policy(web, "", "");
	ck_assert_ptr_null(call(seg_engine_apply, json_pack("{s:s}", "session", session), &code));
	ck_assert_str_eq(code, "would-cut-session");
	ck_assert_uint_ne(mark_of("SSH"), 0);
	json_decref(call(seg_engine_apply, json_pack("{s:s, s:b}", "session", session, "force", 1), NULL));
	ck_assert_uint_eq(mark_of("SSH"), 0);
}
END_TEST

/* Confirm and rollback. */

static sqlite3 *open_audit(const char *sql)
{
	char path[256];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/audit.db", w.state);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void rewrite_audit(const char *sql)
{
	sqlite3_close(open_audit(sql));
}

/* What is over the bound and cannot be deleted yet makes nothing twice of what came. */
START_TEST(test_evidence_that_makes_no_room)
{
	json_t *out, *one;
	size_t n = 0, i;

	begin();
	rewrite_audit("INSERT INTO events VALUES (300000, 1, 'stopped', '{}');"
		      "CREATE TRIGGER full DELETE ON events BEGIN SELECT RAISE(FAIL, 'full'); END;");
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 NULL));
	pass(3);
	pass(3);
	out = call(seg_engine_history, NULL, NULL);
	json_array_foreach(json_object_get(out, "actions"), i, one)
	{
		n += strcmp(json_string_value(json_object_get(one, "event")), "isolated") == 0;
	}
	ck_assert_uint_eq(n, 1);
	json_decref(out);
}
END_TEST

static void apply_pending(void)
{
	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	ck_assert_uint_eq(mark_of("DNS"), 0);
	forget_alerts();
}

START_TEST(test_goes_back_by_itself)
{
	json_t *out;

	apply_pending();
	pass(119);
	ck_assert_uint_eq(mark_of("DNS"), 0);
	pass(1);
	ck_assert_uint_ne(mark_of("DNS"), 0);
	ck_assert_uint_eq(said("rolled-back"), 1);
	out = call(seg_engine_history, NULL, NULL);
	ck_assert_int_eq(number(find(out, "history", "result", "rolled-back"), "version"), 2);
	json_decref(out);
	pass(HOUR);
	ck_assert_uint_eq(said("rolled-back"), 1);
}
END_TEST

/* A deadline is one of time, not of the clock, and outlives a daemon that has the new one. */
START_TEST(test_goes_back_in_time_whatever_the_clock_says)
{
	static const time_t step[] = {-HOUR, HOUR, -30 * HOUR};

	apply_pending();
	pass(60);
	set_clock(step[_i]);
	die();
	begin();
	pass(58);
	ck_assert_uint_eq(mark_of("DNS"), 0);
	pass(3);
	ck_assert_uint_ne(mark_of("DNS"), 0);
}
END_TEST

/* What was never confirmed does not boot, though the history be lost; what was confirmed later does. */
START_TEST(test_went_back_and_history_lost)
{
	apply_pending();
	pass(121);
	if (_i)
		json_decref(call(seg_engine_apply, NULL, NULL));
	die();
	rewrite_audit("DELETE FROM history;");
	begin();
	ck_assert_int_eq(mark_of("DNS") == 0, _i);
	ck_assert(status_says(_i ? NULL : " was rolled back or never confirmed"));
}
END_TEST

/* Nor what was rolled back while the history could not be written. */
START_TEST(test_rolled_back_and_not_written)
{
	sqlite3 *lock;

	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	lock = open_audit("BEGIN IMMEDIATE");
	json_decref(call(seg_engine_rollback, NULL, NULL));
	die();
	sqlite3_close(lock);
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
}
END_TEST

/* Who confirms too late is told what became of it. */
START_TEST(test_confirmed_too_late)
{
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;

	apply_pending();
	pass(121);
	if (_i) { /* what was refused since, or a new life, changes nothing of it */
		write_policy("nonsense\n", "", "");
		seg_engine_apply(w.engine, &request, &out);
		json_decref(out);
		die();
		begin();
	}
	ck_assert_int_lt(seg_engine_confirm(w.engine, &request, &out), 0);
	ck_assert_str_eq(json_string_value(json_object_get(out, "code")), "nothing-pending");
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(out, "message")),
				     "version 2 was not confirmed in time: version 1 came back at "));
	json_decref(out);
	if (_i)
		return;
	json_decref(call(seg_engine_rollback, json_pack("{s:i}", "version", 1), NULL));
	ck_assert_int_lt(seg_engine_confirm(w.engine, &request, &out), 0);
	ck_assert_str_eq(json_string_value(json_object_get(out, "message")), "no policy waits for a confirmation");
	json_decref(out);
}
END_TEST

/* What the file says is not what is in force: until it is applied, or what is in force is written there again. */
START_TEST(test_file_of_what_was_rolled_back)
{
	apply_pending();
	ck_assert(status_says(NULL));
	pass(121);
	ck_assert(status_says("version 2 was not confirmed in time and version 1 is in force again: what "));
	if (_i)
		write_policy(web, dns, office);
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert(status_says(NULL));
}
END_TEST

/* So is the file that was not confirmed before a restart, unless it says what came back. */
START_TEST(test_not_confirmed_before_the_restart)
{
	apply_pending();
	die();
	fake_flush(&w.kernel); /* a reboot */
	if (_i)
		write_policy(web, dns, office);
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
	ck_assert(status_says(
		_i ? NULL : "version 2 was not confirmed in time and version 1 is in force again: what "));
	ck_assert(_i || status_says("segctl apply"));
}
END_TEST

/* Of a version that came back and was left again, the first time stays what it was. */
START_TEST(test_history_of_rollbacks)
{
	static const struct {
		json_int_t version;
		const char *result;
	} wanted[] = {{2, "confirmed"}, {1, "rolled-back"}, {2, "rolled-back"}, {1, "confirmed"}};
	json_t *out;

	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	json_decref(call(seg_engine_rollback, NULL, NULL));
	json_decref(call(seg_engine_rollback, json_pack("{s:i}", "version", 2), NULL));
	out = call(seg_engine_history, NULL, NULL);
	for (size_t i = 0; i < 4; i++) {
		const json_t *one = json_array_get(json_object_get(out, "history"), i);

		ck_assert_int_eq(number(one, "version"), wanted[i].version);
		ck_assert_str_eq(json_string_value(json_object_get(one, "result")), wanted[i].result);
	}
	json_decref(out);
	json_decref(call(seg_engine_rollback, NULL, NULL));
	ck_assert_int_eq(version_in_force(), 1);
}
END_TEST

START_TEST(test_rolled_back_by_hand)
{
	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	json_decref(call(seg_engine_rollback, NULL, NULL));
	ck_assert(status_says("version 2 was rolled back and version 1 is in force: what "));
}
END_TEST

/* A reason that is none any more is not said of what stays in force. */
START_TEST(test_nothing_to_go_back_to)
{
	unlink(w.policy);
	begin();
	ck_assert(status_says("segctl check"));
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	w.kernel.refuse = ENOMEM;
	pass(121);
	ck_assert(status_says(NULL));
	w.kernel.refuse = 0;
	pass(5);
	ck_assert_str_eq(seg_engine_state(w.engine), "sealed");
	ck_assert(status_says("version 1 was not confirmed, and there was none before it: `segctl apply`"));
}
END_TEST

/* Where it was written back before, there is nothing to say. */
START_TEST(test_file_of_what_came_back)
{
	apply_pending();
	write_policy(web, dns, office);
	pass(121);
	ck_assert(status_says(NULL));
}
END_TEST

/* The first policy of all has nothing to come back. */
START_TEST(test_first_confirmed_too_late)
{
	struct seg_request request = {.now = w.kernel.now};
	json_t *out = NULL;

	unlink(w.policy);
	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	pass(121);
	ck_assert_int_lt(seg_engine_confirm(w.engine, &request, &out), 0);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(out, "message")),
				     "version 1 was not confirmed in time: the gateway is sealed since "));
	json_decref(out);
}
END_TEST

START_TEST(test_confirmed_stays)
{
	const char *code;

	apply_pending();
	json_decref(call(seg_engine_confirm, NULL, NULL));
	pass(HOUR);
	ck_assert_uint_eq(mark_of("DNS"), 0);
	ck_assert_ptr_null(call(seg_engine_confirm, NULL, &code));
	ck_assert_str_eq(code, "nothing-pending");
	die();
	begin();
	ck_assert_uint_eq(mark_of("DNS"), 0);
}
END_TEST

START_TEST(test_deadline_survives_a_restart)
{
	apply_pending();
	die();
	elapse(60);
	begin();
	ck_assert_uint_eq(mark_of("DNS"), 0); /* still pending */
	pass(60);
	ck_assert_uint_ne(mark_of("DNS"), 0);
}
END_TEST

START_TEST(test_deadline_passes_while_dead)
{
	apply_pending();
	die();
	elapse(300);
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
	ck_assert_uint_eq(said("rolled-back"), 1);
}
END_TEST

START_TEST(test_unconfirmed_never_boots)
{
	json_t *out;

	apply_pending();
	die();
	fake_flush(&w.kernel); /* a reboot, within the deadline */
	elapse(10);
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
	/* The file still holds what was not confirmed: nor does it boot the next time. */
	die();
	fake_flush(&w.kernel);
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
	ck_assert_ptr_nonnull(strstr(w.status, "never confirmed"));
	/* status says so, in words that can be translated. */
	out = call(seg_engine_status, NULL, NULL);
	ck_assert(can_be_translated(out, json_string_value(json_object_get(out, "reason"))));
	json_decref(out);
	/* Until somebody applies it. */
	json_decref(call(seg_engine_apply, NULL, NULL));
	die();
	begin();
	ck_assert_uint_eq(mark_of("DNS"), 0);
}
END_TEST

static void copy_state(const char *from, const char *to)
{
	char command[sizeof(w.dir) * 4];

	snprintf(command, sizeof(command), "cd %s && rm -rf %s && cp -a %s %s", w.dir, to, from, to);
	ck_assert_int_eq(system(command), 0);
}

static void keep_state(void)
{
	copy_state("state", "kept");
}

/* Killed behind the commit, before the change was recorded: not even then, nor after it went back. */
START_TEST(test_unconfirmed_and_unrecorded_never_boots)
{
	json_t *out;

	begin();
	write_policy(web, "", "");
	w.kernel.meanwhile = keep_state;
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	w.kernel.meanwhile = NULL;
	die();
	copy_state("kept", "state");
	begin();
	ck_assert_uint_eq(mark_of("DNS"), 0); /* still pending */
	pass(120);
	ck_assert_uint_ne(mark_of("DNS"), 0);
	die();
	begin();
	ck_assert_uint_ne(mark_of("DNS"), 0);
	ck_assert_ptr_nonnull(strstr(w.status, "never confirmed"));
	out = call(seg_engine_history, NULL, NULL);
	ck_assert_int_eq(number(find(out, "history", "result", "rolled-back"), "version"), 2);
	json_decref(out);
}
END_TEST

START_TEST(test_rollback_by_number)
{
	/* What is no number of a version is not taken for the one before. */
	static const json_int_t none[] = {99, 0, -1, 1 + ((json_int_t)1 << 32), INT64_MAX};
	const char *code;
	json_t *out;

	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	write_policy(dns, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	out = call(seg_engine_rollback, json_pack("{s:i}", "version", 1), NULL);
	ck_assert_int_eq(number(out, "version"), 1);
	json_decref(out);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		ck_assert_ptr_null(call(seg_engine_rollback, json_pack("{s:I}", "version", none[i]), &code));
		ck_assert_str_eq(code, "not-found");
	}
}
END_TEST

START_TEST(test_rollback_to_the_one_before)
{
	json_t *out;

	begin();
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	out = call(seg_engine_rollback, NULL, NULL);
	ck_assert_int_eq(number(out, "version"), 1);
	json_decref(out);
	ck_assert_uint_ne(mark_of("DNS"), 0);
}
END_TEST

/* Windows. */

START_TEST(test_window_closes_and_opens)
{
	begin();
	event_of(flow("10.2.0.5", "10.1.0.7", 6, 80, "OFFICE"));
	pass(7 * HOUR - 1);
	ck_assert_uint_eq(w.kernel.flows, 1);
	pass(1); /* 17:00 */
	ck_assert_uint_eq(w.kernel.flows, 0);
	ck_assert_uint_eq(said("revoked|permit=OFFICE|reason=window"), 1);
	ck_assert_uint_eq(mark_of("OFFICE"), 0);
	pass(15 * HOUR); /* 08:00 the next day */
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
}
END_TEST

START_TEST(test_clock_set_back)
{
	const struct seg_set *set;

	begin();
	set_clock(-30 * HOUR); /* Monday 04:00: closed */
	ck_assert_uint_eq(mark_of("OFFICE"), 0);
	set_clock(5 * HOUR);
	set = seg_plan_set(w.kernel.image, "open");
	for (size_t i = 0; i < set->elems; i++)
		if (!strcmp(set->elem[i].comment, "OFFICE"))
			ck_assert_uint_eq(set->elem[i].timeout_ms, 8u * HOUR * 1000);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
}
END_TEST

/* The kernel's timeouts do not know of it: they must be made anew, or the permit outlives its window by the
 * step where the daemon is dead by then. */
START_TEST(test_clock_set_forward)
{
	const struct seg_set *set;

	begin();
	set_clock(2 * HOUR); /* Tuesday 12:00, and no time has passed */
	set = seg_plan_set(w.kernel.image, "open");
	for (size_t i = 0; i < set->elems; i++)
		if (!strcmp(set->elem[i].comment, "OFFICE"))
			ck_assert_uint_eq(set->elem[i].timeout_ms, 5u * HOUR * 1000);
	ck_assert_uint_ne(mark_of("OFFICE"), 0);
}
END_TEST

/* The flow road. */

START_TEST(test_violation_once)
{
	struct seg_flow breach, back;
	json_t *out;

	begin();
	breach = flow("10.1.0.7", "198.51.100.1", 6, 443, NULL);
	event_of(breach);
	ck_assert_uint_eq(said("violation |from=mn|to=net|src=10.1.0.7|dst=198.51.100.1|dport=443|action=cut"), 1);
	ck_assert_uint_eq(w.kernel.flows, 0);
	/* Picked up again from the other end: cut, not told again. */
	back = flow("198.51.100.1", "10.1.0.7", 6, 40000, NULL);
	back.sport = 443;
	back.tcp_state = TCP_CONNTRACK_ESTABLISHED;
	event_of(back);
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &breach, w.kernel.now);
	ck_assert_uint_eq(said("violation "), 1);
	ck_assert_uint_eq(w.kernel.flows, 0);
	breach.packets = 3;
	breach.bytes = 180;
	seg_engine_flow(w.engine, SEG_FLOW_DESTROY, &breach, w.kernel.now);
	ck_assert_uint_eq(said("violation-ended|packets=3|bytes=180"), 1);
	out = call(seg_engine_violations, NULL, NULL);
	ck_assert_int_eq(number(find(out, "violations", "src", "10.1.0.7"), "count"), 1);
	ck_assert_int_eq(number(find(out, "violations", "src", "10.1.0.7"), "bytes"), 180);
	json_decref(out);
}
END_TEST

START_TEST(test_unheard_violation_ends_too)
{
	struct seg_flow breach;

	begin();
	breach = flow("10.1.0.7", "198.51.100.1", 17, 53, NULL);
	w.kernel.flow[w.kernel.flows++] = breach;
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &breach, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_uint_eq(w.kernel.flows, 0);
	pass(3);
	ck_assert_uint_eq(said("violation-ended"), 1);
}
END_TEST

START_TEST(test_legitimate_is_none)
{
	struct seg_flow reply;

	begin();
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, NULL));  /* by the policy, if not by mark */
	event_of(flow("10.2.0.5", "224.0.0.251", 17, 5353, NULL)); /* of the interface */
	event_of(flow("10.1.0.1", "10.2.0.1", 6, 80, NULL));	   /* the gateway to itself */
	event_of(flow("127.0.0.1", "127.0.0.1", 6, 80, NULL));
	ck_assert_uint_eq(w.kernel.flows, 5);
	/* A server's segment that conntrack took for a beginning. */
	reply = flow("198.51.100.1", "10.2.0.5", 6, 40000, NULL);
	reply.sport = 443;
	reply.tcp_state = TCP_CONNTRACK_ESTABLISHED;
	event_of(reply);
	ck_assert_uint_eq(said("violation"), 0);
	ck_assert_uint_eq(w.kernel.flows, 5);
}
END_TEST

START_TEST(test_mark_that_lies)
{
	begin();
	event_of(flow("10.1.0.7", "198.51.100.1", 6, 443, "WEB")); /* WEB is for lg */
	ck_assert_uint_eq(said("violation |permit=WEB"), 1);
	ck_assert_uint_eq(w.kernel.flows, 0);
}
END_TEST

START_TEST(test_lost_events_are_read_again)
{
	begin();
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	seg_engine_events_lost(w.engine, w.kernel.now);
	ck_assert_uint_eq(w.kernel.dumps, 2);
	ck_assert_uint_eq(said("events-lost"), 1);
	seg_engine_dumped(w.engine, -EINTR, w.kernel.now);
	ck_assert_uint_eq(said("resynced"), 0);
	pass(1);
	ck_assert_uint_eq(w.kernel.dumps, 3);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_uint_eq(said("resynced"), 1);
}
END_TEST

START_TEST(test_losses_without_end)
{
	unsigned dumps;

	begin();
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	dumps = w.kernel.dumps;
	for (int second = 0; second < 30; second++) {
		for (int i = 0; i < 50; i++) {
			seg_engine_events_lost(w.engine, w.kernel.now);
			if (i == 25)
				seg_engine_dumped(w.engine, 0, w.kernel.now);
		}
		pass(1);
	}
	ck_assert_uint_ge(w.kernel.dumps - dumps, 15);
	ck_assert_uint_le(w.kernel.dumps - dumps, 31);
	ck_assert_uint_ge(said("events-lost"), 3);
	ck_assert_uint_le(said("events-lost"), 5);
	ck_assert_uint_eq(said("resynced"), 0);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	pass(2);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert_uint_eq(said("resynced"), 1);
	forget_alerts();
	pass(60);
	ck_assert_uint_eq(said("events-lost"), 0);
	seg_engine_events_lost(w.engine, w.kernel.now);
	ck_assert_uint_eq(said("events-lost"), 1);
}
END_TEST

/* Nothing is cut, and the event of its end is lost: a dump that does not show it any more says so. */
START_TEST(test_observed_violation_ends_unseen)
{
	struct seg_flow breach;
	json_t *out;

	w.observe = true;
	begin();
	breach = flow("10.1.0.7", "198.51.100.1", 6, 443, NULL);
	seg_engine_flow(w.engine, SEG_FLOW_NEW, &breach, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now); /* it may have begun behind where that dump was */
	pass(5);
	ck_assert_uint_eq(said("violation "), 1);
	ck_assert_uint_eq(said("violation-ended"), 0);
	out = call(seg_engine_verify, NULL, NULL);
	ck_assert(json_is_true(json_object_get(out, "observing")));
	json_decref(out);
	seg_engine_events_lost(w.engine, w.kernel.now);
	breach.packets = 7;
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &breach, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	pass(5);
	ck_assert_uint_eq(said("violation-ended"), 0);
	seg_engine_events_lost(w.engine, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	pass(5);
	ck_assert_uint_eq(said("violation-ended|packets=7"), 1);
	ck_assert_uint_eq(said("violation "), 1);
}
END_TEST

/* A foreign hand, as the monitor tells of it. */
static void take_hand(const struct seg_nft_transaction *transaction)
{
	if (transaction->ours)
		seg_engine_touched(w.engine);
	seg_engine_transaction(w.engine, transaction, w.kernel.now);
}

START_TEST(test_tampered_and_restored)
{
	const struct seg_nft_transaction foreign = {.pid = 4711, .process = "nft", .ours = true,
						    .what = "deleted table inet segd"};

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
	const struct seg_nft_transaction foreign = {.ours = true,
						    .what = "added a rule to chain forward of table inet segd"};

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
	const struct seg_nft_transaction foreign = {.pid = 4711, .process = "nft", .ours = true,
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
	const struct seg_nft_transaction foreign = {.pid = 4711, .process = "nft", .ours = true,
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

static char *permits_of_ports(unsigned n, unsigned others, unsigned first)
{
	struct seg_strbuf text = {0};

	for (unsigned i = 0; i < n; i++)
		seg_strbuf_printf(&text,
				  "  - {id: P%u, class: internal, from: lg, to: net, service: [tcp/%u]}\n", i,
				  (i < others ? first : 1000) + i);
	return seg_strbuf_take(&text);
}

static void apply_ports(unsigned n, unsigned others, unsigned first)
{
	char *text = permits_of_ports(n, others, first);

	write_policy(text, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	free(text);
}

/* A few elements are taken out of a set of intervals; for many, new sets come in its place. */
START_TEST(test_many_intervals_leave_with_their_set)
{
	unsigned structure;

	begin();
	apply_ports(300, 0, 0);
	structure = w.kernel.image->generation;
	apply_ports(300, 5, 2000);
	ck_assert_uint_eq(w.kernel.image->generation, structure);
	apply_ports(300, 300, 3000);
	ck_assert_uint_gt(w.kernel.image->generation, structure);
	ck_assert_uint_ne(mark_of("P299"), 0);
	/* Also where nearly all go, and none comes. */
	structure = w.kernel.image->generation;
	apply_ports(2, 2, 3000);
	ck_assert_uint_gt(w.kernel.image->generation, structure);
	ck_assert_uint_eq(mark_of("P299"), 0);
}
END_TEST

/* Everything made anew costs more the more it is. */
START_TEST(test_few_intervals_leave_many_one_by_one)
{
	unsigned structure;

	begin();
	apply_ports(1000, 0, 0);
	structure = w.kernel.image->generation;
	apply_ports(1000, 22, 5000);
	ck_assert_uint_eq(w.kernel.image->generation, structure);
}
END_TEST

START_TEST(test_disarm)
{
	const char *code;
	const struct seg_nft_transaction foreign = {.ours = true};

	begin();
	ck_assert_ptr_null(call(seg_engine_disarm, NULL, &code));
	ck_assert_str_eq(code, "confirmation-missing");
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	ck_assert_str_eq(seg_engine_state(w.engine), "disarmed");
	take_hand(&foreign);
	pass(24 * HOUR);
	ck_assert_ptr_null(w.kernel.image);
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_str_eq(seg_engine_state(w.engine), "enforcing");
	ck_assert_uint_ne(mark_of("WEB"), 0);
}
END_TEST

/* What began while nothing was separated is looked for, whatever policy ends that. */
START_TEST(test_flows_are_looked_at_behind_a_disarm)
{
	unsigned dumps;

	begin();
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	pass(60);
	seg_engine_events_lost(w.engine, w.kernel.now);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	dumps = w.kernel.dumps;
	pass(60);
	write_policy(dns, web, "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	pass(60);
	ck_assert_uint_gt(w.kernel.dumps, dumps);
}
END_TEST

/* The flows that an apply was about to remove may go on, too. */
START_TEST(test_disarmed_under_a_revocation)
{
	struct late late = {.room = 1};
	const struct seg_request request = {.now = w.kernel.now, .done = take_late, .context = &late};
	json_t *out = NULL;

	begin();
	w.kernel.flow[w.kernel.flows++] = flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB");
	write_policy(dns, office, "");
	ck_assert_int_eq(seg_engine_apply(w.engine, &request, &out), SEG_LATER);
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	fake_run(&w.kernel);
	ck_assert(late.over && late.result == 0);
	ck_assert_int_eq(number(json_object_get(late.out, "revoked"), "flows"), 0);
	ck_assert_uint_eq(w.kernel.flows, 1);
	json_decref(late.out);
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

/* Refusals. */

START_TEST(test_denied_and_spoofed)
{
	struct seg_refused refused = {.in = "eth1", .src = addr("10.1.0.7"), .dst = addr("198.51.100.1"), .proto = 6,
				      .sport = 1, .dport = 443, .tcp_flags = 2};
	json_t *out;

	begin();
	for (int i = 0; i < 5; i++)
		seg_engine_refused(w.engine, &refused, w.kernel.now);
	ck_assert_uint_eq(said("denied|from=mn|to=net|dport=443|reason=no-permit"), 1);
	refused.spoofed = true;
	refused.src = addr("10.2.0.5");
	seg_engine_refused(w.engine, &refused, w.kernel.now);
	ck_assert_uint_eq(said("spoofed|src=10.2.0.5"), 1);
	out = call(seg_engine_denials, NULL, NULL);
	ck_assert_int_eq(number(find(out, "denials", "src", "10.1.0.7"), "count"), 5);
	json_decref(out);
	/* The end of a permitted connection that conntrack forgot: no line. */
	forget_alerts();
	refused = (struct seg_refused){.in = "eth3", .src = addr("198.51.100.1"), .dst = addr("10.2.0.5"), .proto = 6,
				       .sport = 443, .dport = 40000, .tcp_flags = 0x11};
	seg_engine_refused(w.engine, &refused, w.kernel.now);
	pass(120);
	ck_assert_uint_eq(said("denied|src=198.51.100.1"), 0);
}
END_TEST

/* Totals are the kernel's: also of an element that ended and was made anew, and of what its tables do not hold. */
START_TEST(test_totals_of_refusals)
{
	struct fake_counted pair = {.set = "denied4", .key = {10, 1, 0, 7, 198, 51, 100, 1}, .packets = 100};
	struct fake_counted ways = {.set = "outgrown", .packets = 7};
	json_t *out;

	strcpy((char *)ways.key, "eth1");
	strcpy((char *)ways.key + 16, "eth3");
	begin();
	w.kernel.counted[0] = pair;
	w.kernel.counteds = 1;
	pass(20);
	w.kernel.counteds = 0;
	pass(20);
	pair.packets = 150;
	w.kernel.counted[0] = pair;
	w.kernel.counted[1] = ways;
	w.kernel.counteds = 2;
	pass(20);
	out = call(seg_engine_denials, NULL, NULL);
	ck_assert_int_eq(number(find(out, "denials", "src", "10.1.0.7"), "count"), 250);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "denials")), 2);
	ck_assert_int_eq(number(json_array_get(json_object_get(out, "denials"), 1), "count"), 7);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(out, "denials"), 1), "from")), "mn");
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(json_object_get(out, "denials"), 1), "to")), "net");
	ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(out, "denials"), 1), "src")));
	for (size_t i = 0; i < 2; i++) /* nobody was shown them */
		ck_assert(json_is_null(json_object_get(json_array_get(json_object_get(out, "denials"), i), "reason")));
	json_decref(out);
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_int_eq(number(out, "denied"), 257);
	json_decref(out);
}
END_TEST

/* Metrics. */

static char *metrics(void)
{
	json_t *out = call(seg_engine_metrics, NULL, NULL);
	char *text = strdup(json_string_value(out));

	json_decref(out);
	return text;
}

/* A line of the metrics now. */
static bool has_line(const char *line)
{
	struct seg_strbuf wanted = {0};
	char *text = metrics();
	bool has;

	seg_strbuf_printf(&wanted, "\n%s\n", line);
	has = strstr(text, seg_strbuf_text(&wanted));
	if (!has)
		fprintf(stderr, "%s\nlacks %s\n", text, line);
	seg_strbuf_fini(&wanted);
	free(text);
	return has;
}

static bool has_word(const char *word)
{
	char *text = metrics();
	bool has = strstr(text, word);

	free(text);
	return has;
}

START_TEST(test_metrics_of_state)
{
	begin();
	ck_assert(has_line("segd_state{state=\"enforcing\"} 1"));
	ck_assert(has_line("segd_state{state=\"sealed\"} 0"));
	ck_assert(has_line("segd_policy_applied_timestamp_seconds 1795482000"));
	ck_assert(has_line("process_start_time_seconds 1795482000"));
	ck_assert(has_line("segd_policy_permits 3"));
	ck_assert(!has_word("confirm_deadline"));
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, json_pack("{s:i}", "confirm-within", 120), NULL));
	ck_assert(has_line("segd_policy_confirm_deadline_timestamp_seconds 1795482120"));
	json_decref(call(seg_engine_confirm, NULL, NULL));
	ck_assert(!has_word("confirm_deadline"));
	pass(8 * HOUR); /* no OFFICE any more; disarmed, nothing is owned */
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	ck_assert(has_line("segd_state{state=\"disarmed\"} 1"));
	ck_assert(has_line("segd_table_owned 0"));
}
END_TEST

/* One dump answers many losses: what is not made good is no difference of two counters. */
START_TEST(test_metrics_of_losses)
{
	begin();
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	for (int i = 0; i < 5; i++)
		seg_engine_events_lost(w.engine, w.kernel.now);
	ck_assert(has_line("segd_events_overflows_total 5"));
	ck_assert(has_line("segd_events_resync_pending 1"));
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	pass(2);
	seg_engine_dumped(w.engine, 0, w.kernel.now);
	ck_assert(has_line("segd_events_resyncs_total 2"));
	ck_assert(has_line("segd_events_resync_pending 0"));
}
END_TEST

START_TEST(test_metrics_while_sealed)
{
	unlink(w.policy);
	begin();
	ck_assert(has_line("segd_state{state=\"sealed\"} 1"));
	ck_assert(!has_word("segd_policy_info"));
	ck_assert(!has_word("segd_permit"));
}
END_TEST

START_TEST(test_metrics_of_permits)
{
	static const char ends[] = "  - {id: ENDS, title: 'a \"b\" \\ c', class: operations, from: lg, to: mn,"
				   " service: [tcp/81], valid: {from: 2026-11-01, until: 2026-11-30}}\n";

	write_policy(web, ends, office);
	begin();
	fake_count(&w.kernel, "admitted", "WEB", 0, 2, 0);
	fake_count(&w.kernel, "slow", "WEB", 0, 5, 500);
	fake_count(&w.kernel, "slow", "WEB", 1, 3, 9000);
	ck_assert(has_line("segd_permit_flows_total{permit=\"WEB\"} 2"));
	ck_assert(has_line("segd_permit_packets_total{permit=\"WEB\",direction=\"original\"} 5"));
	ck_assert(has_line("segd_permit_bytes_total{permit=\"WEB\",direction=\"reply\"} 9000"));
	ck_assert(has_line("segd_permit_last_use_timestamp_seconds{permit=\"WEB\"} 1795482000"));
	ck_assert(!has_word("segd_permit_last_use_timestamp_seconds{permit=\"ENDS\"}"));
	ck_assert(has_line("segd_permit_info{permit=\"ENDS\",class=\"operations\",title=\"a \\\"b\\\" \\\\ c\"} 1"));
	/* The midnight in Tokyo that ends 2026-11-30 */
	ck_assert(has_line("segd_permit_end_timestamp_seconds{permit=\"ENDS\"} 1796050800"));
	ck_assert(has_line("segd_permit_active{permit=\"OFFICE\"} 1"));
	pass(8 * HOUR);
	ck_assert(has_line("segd_permit_active{permit=\"OFFICE\"} 0"));
	/* Taken out and put back: what it counted is its own. */
	write_policy(dns, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert(!has_word("permit=\"WEB\""));
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert(has_line("segd_permit_packets_total{permit=\"WEB\",direction=\"original\"} 5"));
}
END_TEST

START_TEST(test_metrics_of_tampering)
{
	const struct seg_nft_transaction foreign = {.ours = true, .what = "deleted table inet segd"};
	json_t *out;

	begin();
	fake_flush(&w.kernel);
	w.kernel.refuse = EBUSY;
	take_hand(&foreign);
	ck_assert(has_line("segd_table_tampered_total 1"));
	ck_assert(has_line("segd_table_restored_total 0"));
	ck_assert(has_line("segd_table_repair_pending 1"));
	w.kernel.refuse = 0;
	pass(2);
	ck_assert(has_line("segd_table_restored_total 1"));
	ck_assert(has_line("segd_table_repair_pending 0"));
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_int_eq(number(json_object_get(out, "table"), "tampered"), 1);
	ck_assert_int_eq(number(json_object_get(out, "table"), "restored"), 1);
	json_decref(out);
}
END_TEST

/* Refusals keep the zones that they had when they were counted, also where a policy calls them otherwise. */
START_TEST(test_metrics_of_refusals_only_grow)
{
	const struct fake_counted pair = {.set = "denied4", .key = {10, 1, 0, 7, 198, 51, 100, 1}, .packets = 100};
	FILE *file;

	begin();
	w.kernel.counted[w.kernel.counteds++] = pair;
	ck_assert(has_line("segd_denied_packets_total{from=\"mn\",to=\"net\"} 100"));
	file = fopen(w.policy, "w");
	fprintf(file, "segd: 1\nguard: none\ntimezone: Asia/Tokyo\nzones:\n"
		      "  tax: {tier: mynumber, interfaces: [eth1], networks: [10.1.0.0/24]}\n"
		      "  net: {tier: internet, interfaces: [eth3], networks: [any]}\npermits: []\n");
	fclose(file);
	json_decref(call(seg_engine_apply, NULL, NULL));
	w.kernel.counted[0].packets += 11;
	ck_assert(has_line("segd_denied_packets_total{from=\"mn\",to=\"net\"} 100"));
	ck_assert(has_line("segd_denied_packets_total{from=\"tax\",to=\"net\"} 11"));
}
END_TEST

/* One spoofed pair by two interfaces: two counters, each read by its own difference. */
START_TEST(test_spoofed_by_two_interfaces)
{
	struct fake_counted by1 = {.set = "spoofed4", .packets = 50}, by3;
	json_t *out;

	memcpy(by1.key + 16, (const uint8_t[]){10, 2, 0, 5, 198, 51, 100, 1}, 8);
	by3 = by1;
	by3.packets = 7;
	strcpy((char *)by1.key, "eth1");
	strcpy((char *)by3.key, "eth3");
	begin();
	w.kernel.counted[w.kernel.counteds++] = by1;
	w.kernel.counted[w.kernel.counteds++] = by3;
	pass(20);
	pass(20);
	w.kernel.counted[1].packets++;
	pass(20);
	ck_assert(has_line("segd_spoofed_packets_total{from=\"mn\",to=\"net\"} 50"));
	ck_assert(has_line("segd_spoofed_packets_total{from=\"net\",to=\"net\"} 8"));
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_int_eq(number(out, "denied"), 58);
	json_decref(out);
	out = call(seg_engine_denials, NULL, NULL);
	ck_assert_int_eq(number(find(out, "denials", "src", "10.2.0.5"), "count"), 58);
	json_decref(out);
}
END_TEST

/* Flows inside zones are counted since the daemon's start, also where the table is older. */
START_TEST(test_filtered_flows)
{
	const uint32_t intra = SEG_NUMBER_INTRA | 1;
	struct fake_counted inside = {.set = "admitted", .packets = 30};
	json_t *out;

	memcpy(inside.key, &intra, sizeof(intra));
	begin();
	w.kernel.counted[w.kernel.counteds++] = inside;
	pass(20);
	die();
	begin();
	w.kernel.counted[0].packets += 4;
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_int_eq(number(json_object_get(out, "events"), "filtered"), 4);
	json_decref(out);
	ck_assert(has_line("segd_events_filtered_flows_total 4"));
}
END_TEST

/* Use. */

static json_int_t used(const char *permit, const char *key)
{
	json_t *out = call(seg_engine_permits, NULL, NULL);
	json_int_t n = number(find(out, "permits", "id", permit), key);

	json_decref(out);
	return n;
}

/* A start that could not read the totals adds to them as soon as it can, and counts nothing twice. */
START_TEST(test_usage_behind_a_full_disk)
{
	begin();
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	pass(120); /* saved */
	seg_engine_stop(w.engine, w.kernel.now);
	die();
	if (_i)
		fake_flush(&w.kernel); /* a reboot */
	fill_disk();
	begin();
	empty_disk();
	fake_count(&w.kernel, "slow", "WEB", 0, 5, 200);
	pass(61);
	pass(61);
	ck_assert_int_eq(used("WEB", "packets"), 15);
	die();
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 15);
}
END_TEST

START_TEST(test_usage_follows_the_id)
{
	begin();
	fake_count(&w.kernel, "admitted", "WEB", 0, 2, 120);
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	fake_count(&w.kernel, "slow", "WEB", 1, 20, 5000);
	ck_assert_int_eq(used("WEB", "flows"), 2);
	ck_assert_int_eq(used("WEB", "packets"), 10);
	ck_assert_int_eq(used("WEB", "reply-bytes"), 5000);
	ck_assert_int_eq(used("WEB", "packets"), 10); /* asking does not count */
	/* A changed meaning makes new elements; the totals go on. */
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	fake_count(&w.kernel, "slow", "WEB", 0, 1, 40);
	ck_assert_int_eq(used("WEB", "packets"), 11);
	/* Over an orderly restart, a crash and a reboot. */
	seg_engine_stop(w.engine, w.kernel.now);
	die();
	fake_count(&w.kernel, "slow", "WEB", 0, 5, 200);
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 16);
	pass(120); /* saved */
	die();
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 16);
	die();
	fake_flush(&w.kernel);
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 16);
	fake_count(&w.kernel, "slow", "WEB", 0, 4, 160);
	ck_assert_int_eq(used("WEB", "packets"), 20);
	ck_assert_int_eq(used("WEB", "reply-bytes"), 5000);
}
END_TEST

/* Packets of open flows, which are counted at the number's own element. */
static void count_fast(const char *permit, uint64_t packets)
{
	const struct seg_set *fast = seg_plan_set(w.kernel.image, "fast");
	uint32_t number = mark_of(permit);

	for (size_t i = 0; i < fast->elems; i++) {
		struct seg_elem *elem = (struct seg_elem *)&fast->elem[i];

		if (elem->key[0] == 0 && memcmp(elem->key + fast->key_len - sizeof(number), &number, sizeof(number)) == 0)
			elem->packets += packets;
	}
}

/* What a commit takes away and another brings back counts from nothing, however much it counts until it is
 * seen. */
START_TEST(test_usage_of_what_comes_back)
{
	begin();
	count_fast("WEB", 100);
	ck_assert_int_eq(used("WEB", "packets"), 100);
	json_decref(
		call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "lg", "reason", "a test"), NULL));
	ck_assert_uint_eq(mark_of("WEB"), 0);
	json_decref(call(seg_engine_release, json_pack("{s:s}", "target", "lg"), NULL));
	count_fast("WEB", 150);
	ck_assert_int_eq(used("WEB", "packets"), 250);
	pass(60);
	die();
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 250);
}
END_TEST

/* Somebody has committed, so that the kernel is read: an element that only gets another end goes on counting, and the
 * next life from there. */
START_TEST(test_usage_of_what_gets_another_end)
{
	begin();
	count_fast("OFFICE", 100);
	pass(120);
	ck_assert_int_eq(used("OFFICE", "packets"), 100);
	w.kernel.touched = true;
	write_policy(web, dns,
		     "  - {id: OFFICE, class: operations, from: lg, to: mn, service: [tcp/80],"
		     " hours: [mon-fri 08:00-18:00]}\n");
	json_decref(call(seg_engine_apply, NULL, NULL));
	die();
	begin();
	ck_assert_int_eq(used("OFFICE", "packets"), 100);
}
END_TEST

/* A number that is another permit's is taken from the flow; one of a permit with the gateway is not, whose addresses
 * the kernel knows better. Only the permit that covers the flow was used. */
START_TEST(test_numbers_that_are_anothers)
{
	const char *ssh = "  - {id: SSH, class: operations, from: lg, to: gateway, service: [tcp/22]}\n";
	json_t *out;

	write_policy(web, dns, ssh);
	begin();
	event_of(flow("10.2.0.5", "198.51.100.7", 6, 443, "DNS"));
	ck_assert_uint_eq(w.kernel.flow[0].mark, 0);
	out = call(seg_engine_permits, NULL, NULL);
	ck_assert(json_is_string(json_object_get(find(out, "permits", "id", "WEB"), "last")));
	ck_assert(json_is_null(json_object_get(find(out, "permits", "id", "DNS"), "last")));
	json_decref(out);
	event_of(flow("10.2.0.5", "198.51.100.7", 6, 443, "SSH"));
	ck_assert_uint_eq(w.kernel.flow[1].mark, mark_of("SSH"));
	event_of(flow("10.2.0.5", "198.51.100.7", 6, 443, "WEB"));
	ck_assert_uint_eq(w.kernel.flow[2].mark, mark_of("WEB"));
	ck_assert_uint_eq(said("violation"), 0);
}
END_TEST

/* A way round us that has come or gone may have given open flows another permit's number: each time conntrack's
 * table is looked at, whoever notices it first; not where rules go that were no such way. */
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
}
END_TEST

/* What another hand made of an open flow: a right number stands, and nothing is said of it; one of another
 * permit goes, and what nothing covers is cut. */
START_TEST(test_updates_by_others)
{
	struct seg_flow *entry = &w.kernel.flow[0];
	struct seg_flow breach;
	json_t *out;

	begin();
	w.kernel.flow[w.kernel.flows++] = flow("10.2.0.5", "198.51.100.7", 6, 443, "WEB");
	seg_engine_flow(w.engine, SEG_FLOW_UPDATED, entry, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(entry->mark, mark_of("WEB"));
	out = call(seg_engine_permits, NULL, NULL);
	ck_assert(json_is_null(json_object_get(find(out, "permits", "id", "WEB"), "last")));
	json_decref(out);
	entry->mark = mark_of("DNS");
	seg_engine_flow(w.engine, SEG_FLOW_UPDATED, entry, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(entry->mark, 0);
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(said("violation"), 0);
	breach = flow("10.1.0.7", "198.51.100.1", 17, 53, "DNS");
	w.kernel.flow[w.kernel.flows++] = breach;
	seg_engine_flow(w.engine, SEG_FLOW_UPDATED, &breach, w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(said("violation |src=10.1.0.7|action=cut"), 1);
}
END_TEST

/* The table of an older segd has no sets of its own for flows with the gateway. */
START_TEST(test_upgrade_of_a_table_without_roads)
{
	struct seg_plan *image;
	char path[128];
	size_t n = 0;

	begin();
	die();
	snprintf(path, sizeof(path), "%s/imprint", w.state);
	ck_assert_int_eq(unlink(path), 0); /* as old a segd leaves none */
	image = w.kernel.image;
	for (size_t i = 0; i < image->sets; i++) {
		const struct seg_set *set = image->set[i];

		if (strcmp(set->name, "fast-own") && strcmp(set->name, "live-own"))
			((const struct seg_set **)image->set)[n++] = set;
	}
	ck_assert_uint_eq(image->sets, n + 2);
	image->sets = n;
	begin();
	ck_assert_ptr_nonnull(seg_plan_set(w.kernel.image, "fast-own"));
}
END_TEST

/* What leaves with a small change takes its counters along: they are read before, and nothing else is. */
START_TEST(test_usage_of_what_leaves)
{
	const char *code;
	unsigned sweeps;

	begin();
	count_fast("WEB", 100);
	ck_assert_int_eq(used("WEB", "packets"), 100);
	count_fast("WEB", 7);
	fake_count(&w.kernel, "slow", "WEB", 0, 3, 120);
	fake_count(&w.kernel, "admitted", "WEB", 0, 2, 120);
	sweeps = w.kernel.sweeps;
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", dns, office);
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_uint_eq(w.kernel.sweeps, sweeps);
	ck_assert_int_eq(used("WEB", "packets"), 110);
	ck_assert_int_eq(used("WEB", "flows"), 2);
	count_fast("WEB", 5);
	ck_assert_int_eq(used("WEB", "packets"), 115);
	/* A commit that fails has taken nothing away, and nothing counts twice. */
	count_fast("WEB", 1);
	w.kernel.refuse = EINVAL;
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/9443]}\n", dns, office);
	ck_assert_ptr_null(call(seg_engine_apply, NULL, &code));
	ck_assert_str_eq(code, "kernel");
	w.kernel.refuse = 0;
	count_fast("WEB", 1);
	ck_assert_int_eq(used("WEB", "packets"), 117);
}
END_TEST

static void packets_meanwhile(void)
{
	count_fast("WEB", 3);
	fake_count(&w.kernel, "slow", "WEB", 0, 2, 80);
	fake_count(&w.kernel, "admitted", "WEB", 0, 1, 40);
}

static void change_web(const char *rest)
{
	struct seg_strbuf line = {0};

	seg_strbuf_printf(&line, "  - {id: WEB, class: operations, from: lg, to: net, %s}\n", rest);
	write_policy(seg_strbuf_text(&line), dns, office);
	seg_strbuf_fini(&line);
	json_decref(call(seg_engine_apply, NULL, NULL));
}

/* Packets come between the reading and the commit: they are in what the kernel tells of elements that left,
 * and in what packets made, which stays. */
START_TEST(test_usage_until_the_commit)
{
	begin();
	count_fast("WEB", 100);
	w.kernel.meanwhile = packets_meanwhile;
	change_web("service: [tcp/8443]");
	ck_assert_int_eq(used("WEB", "packets"), 105);
	ck_assert_int_eq(used("WEB", "flows"), 1);
	/* Another end: the elements come again under their keys. Read from the plan, or from the kernel. */
	for (unsigned i = 1; i <= 4; i++) {
		w.kernel.touched = i > 2;
		change_web(i % 2 ? "service: [tcp/8443], valid: {from: 2026-01-01, until: 2091-12-31}"
				 : "service: [tcp/8443]");
		ck_assert_int_eq(used("WEB", "packets"), 105 + 5 * i);
	}
	/* Of a commit that fails nothing has left. */
	w.kernel.refuse = EINVAL;
	write_policy("", dns, office);
	json_decref(call(seg_engine_apply, NULL, &(const char *){NULL}));
	w.kernel.refuse = 0;
	ck_assert_int_eq(used("WEB", "packets"), 135); /* tried twice */
	/* A kernel that tells nothing. */
	w.kernel.mute = true;
	change_web("service: [tcp/9443]");
	ck_assert_int_eq(used("WEB", "packets"), 137);
	w.kernel.meanwhile = NULL;
	count_fast("WEB", 10);
	ck_assert_int_eq(used("WEB", "packets"), 147);
}
END_TEST

static int take_number(void *context, int columns, char **value, char **name)
{
	(void)columns;
	(void)name;
	*(int *)context = atoi(value[0]);
	return 0;
}

static int counters_kept(const char *where)
{
	char path[256], sql[256];
	int n = -1;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/audit.db", w.state);
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM counters WHERE %s", where);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, take_number, &n, NULL), SQLITE_OK);
	sqlite3_close(db);
	return n;
}

/* An earlier life took an element away and died before it said so: nothing will ever show it. */
START_TEST(test_usage_of_what_left_unseen)
{
	static const char unseen[] = "packets = 77";

	begin();
	count_fast("WEB", 100);
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	ck_assert_int_eq(used("WEB", "packets"), 110);
	pass(60);
	die();
	rewrite_audit("INSERT INTO counters VALUES (zeroblob(16), 77, 7700, 9223372036854775807);");
	ck_assert_int_eq(counters_kept("1"), 3);
	begin();
	count_fast("WEB", 5);
	ck_assert_int_eq(used("WEB", "packets"), 115);
	pass(60);
	die();
	ck_assert_int_eq(counters_kept(unseen), 0);
	ck_assert_int_eq(counters_kept("1"), 2);
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 115);
}
END_TEST

/* The policy was changed while nobody was there: what the old number counted is still the permit's. */
START_TEST(test_usage_of_a_number_replaced_meanwhile)
{
	begin();
	count_fast("WEB", 100);
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	die();
	write_policy("  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/8443]}\n", dns,
		     office);
	w.kernel.meanwhile = packets_meanwhile;
	begin();
	w.kernel.meanwhile = NULL;
	ck_assert_int_eq(used("WEB", "packets"), 113); /* and 2 that were slow, and as late as the commit */
	count_fast("WEB", 5);
	ck_assert_int_eq(used("WEB", "packets"), 118);
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
	static const char *const what[] = {"chain forward changed",
					   "table inet segd changed",
					   "set open changed",
					   "set mine added|set open removed",
					   "table inet segd removed",
					   "set open changed",
					   "set open changed",
					   "set live changed"};
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

/* An older segd kept totals alone: what the counters of its table stand at is in them already, and is only
 * noted, once. A state directory that is new knows nothing of a table that is in place. */
START_TEST(test_usage_of_an_older_life)
{
	begin();
	count_fast("WEB", 100);
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	ck_assert_int_eq(used("WEB", "packets"), 110);
	seg_engine_stop(w.engine, w.kernel.now);
	die();
	rewrite_audit("DELETE FROM counters; PRAGMA user_version=1;"
		      "CREATE TRIGGER full INSERT ON counters BEGIN SELECT RAISE(FAIL, 'full'); END;");
	begin(); /* what it noted cannot be saved */
	ck_assert_int_eq(used("WEB", "packets"), 110);
	die();
	rewrite_audit("DROP TRIGGER full; DROP TABLE counters;");
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 110);
	count_fast("WEB", 5);
	ck_assert_int_eq(used("WEB", "packets"), 115);
	die();
	count_fast("WEB", 7);
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 122);
	die();
	rewrite_audit("DROP TABLE counters; DROP TABLE usage; PRAGMA user_version=0;");
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 122);
	/* The table went, too: the new one's counters are in no total. */
	seg_engine_stop(w.engine, w.kernel.now);
	die();
	rewrite_audit("DROP TABLE counters; PRAGMA user_version=1;");
	fake_flush(&w.kernel);
	begin();
	count_fast("WEB", 4);
	ck_assert_int_eq(used("WEB", "packets"), 126);
}
END_TEST

/* Readings in slices. */

/* Refused pairs from 10.1.0.7 to 198.51.100.1 and on, each counted `packets` times, with an hour to live. */
static void refuse_pairs(size_t n, uint64_t packets)
{
	for (size_t i = 0; i < n; i++)
		w.kernel.counted[w.kernel.counteds++] =
			(struct fake_counted){.set = "denied4",
					      .key = {10, 1, 0, 7, 198, 51, (uint8_t)(100 + i / 250),
						      (uint8_t)(1 + i % 250)},
					      .packets = packets,
					      .left_ms = HOUR * 1000};
}

/* The slices up to the middle of a set: its first piece was shown. */
static void read_into(const char *set)
{
	while (strcmp(w.kernel.counting, set) != 0 || !w.kernel.shown)
		ck_assert(fake_slice(&w.kernel));
}

static json_int_t denied(struct late *answer)
{
	json_int_t n;

	ck_assert(answer->over);
	ck_assert_int_eq(answer->result, 0);
	n = number(answer->out, "denied");
	json_decref(answer->out);
	return n;
}

/* Who asks has what was counted before, whoever else's reading was under way; one reading serves all. */
START_TEST(test_two_ask_at_once)
{
	struct late first, second, third;
	unsigned before;

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(4, 10);
	before = w.kernel.readings;
	ask(&first, seg_engine_status, NULL);
	read_into("denied4");
	w.kernel.counted[0].packets++; /* shown already */
	ask(&second, seg_engine_status, NULL);
	ask(&third, seg_engine_status, NULL);
	ck_assert(!first.over);
	while (!first.over)
		ck_assert(fake_slice(&w.kernel));
	ck_assert_int_eq(denied(&first), 40);
	ck_assert(!second.over);
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&second), 41);
	ck_assert_int_eq(denied(&third), 41);
	ck_assert_uint_eq(w.kernel.readings, before + 2);
}
END_TEST

/* Asked for permits alone, nobody waits for the refusals. */
START_TEST(test_reads_what_is_wanted)
{
	unsigned before;

	begin();
	fake_slices(&w.kernel);
	before = w.kernel.readings;
	json_decref(call(seg_engine_permits, NULL, NULL));
	ck_assert_uint_eq(w.kernel.readings, before);
	json_decref(call(seg_engine_denials, NULL, NULL));
	ck_assert_uint_eq(w.kernel.readings, before + 1);
}
END_TEST

START_TEST(test_client_gone_while_it_is_read)
{
	struct late gone, stays;

	begin();
	refuse_pairs(4, 10);
	ask(&gone, seg_engine_status, NULL);
	read_into("denied4");
	ask(&stays, seg_engine_status, NULL);
	seg_engine_forget(w.engine, &gone);
	fake_slices(&w.kernel);
	ck_assert(!gone.over);
	ck_assert_int_eq(denied(&stays), 40);
	ask(&gone, seg_engine_status, NULL);
	read_into("denied4");
	die(); /* and with the daemon */
	ck_assert(!gone.over);
	begin();
}
END_TEST

/* A reading that breaks off is done again; what it showed is not counted again. */
START_TEST(test_reading_breaks_off)
{
	struct late answer;

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(4, 10);
	ask(&answer, seg_engine_status, NULL);
	read_into("denied4");
	w.kernel.count_fails = 3;
	w.kernel.counted[3].packets++;
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 41);
	ck_assert_int_eq(w.kernel.count_fails, 0);
	/* For ever: what is known is the answer, and it comes. */
	w.kernel.count_fails = 1000;
	w.kernel.counted[0].packets++;
	ask(&answer, seg_engine_status, NULL);
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 42);
	ck_assert_int_gt(w.kernel.count_fails, 0);
}
END_TEST

/* The reading is over, and nothing of the answer is made. */
static void read_all(void)
{
	while (!w.kernel.coming_round)
		ck_assert(fake_slice(&w.kernel));
}

static void finish_reading_to(struct late *late)
{
	while (!late->over) {
		seg_engine_resume(w.engine, late, w.kernel.now);
		ck_assert(fake_round(&w.kernel));
	}
	take_lines(late, late->out);
	json_decref(late->out);
}

/* A piece of one answer each time the loop comes round, in turn; what is counted meanwhile is not told. */
START_TEST(test_denials_come_in_pieces)
{
	struct late first = {.room = 1000}, second = {.room = 1000};

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(1000, 10);
	ck_assert_int_eq(ask_pieces(&first, seg_engine_denials, NULL), SEG_LATER);
	ck_assert_int_eq(ask_pieces(&second, seg_engine_denials, NULL), SEG_LATER);
	fake_slices(&w.kernel);
	for (size_t turn = 0; turn < 6; turn++) {
		ck_assert_uint_eq(first.pieces, (turn + 1) / 2);
		ck_assert_uint_eq(second.pieces, turn / 2);
		ck_assert(fake_round(&w.kernel));
	}
	w.kernel.counted[999].packets += 5;
	json_decref(call(seg_engine_status, NULL, NULL));
	ck_assert(first.over && second.over && !first.result && !second.result);
	take_lines(&first, first.out);
	take_lines(&second, second.out);
	ck_assert_uint_eq(first.lines, 1000);
	ck_assert_uint_eq(first.count, 10000);
	ck_assert_uint_eq(second.lines, 1000);
	ck_assert_uint_eq(second.count, 10000);
	ck_assert(!fake_round(&w.kernel));
	json_decref(first.out);
	json_decref(second.out);
}
END_TEST

/* Whoever does not read has his pieces wait, and no turns. */
START_TEST(test_denials_for_who_does_not_read)
{
	struct late slow = {.room = 1}, gone = {.room = 1}, idle = {.room = 1}, waits = {.room = 1};

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(1000, 10);
	ck_assert_int_eq(ask_pieces(&slow, seg_engine_denials, NULL), SEG_LATER);
	ck_assert_int_eq(ask_pieces(&gone, seg_engine_denials, NULL), SEG_LATER);
	fake_run(&w.kernel);
	ck_assert_uint_eq(slow.pieces, 1);
	ck_assert_uint_eq(gone.pieces, 1);
	ck_assert(!w.kernel.coming_round);
	seg_engine_resume(w.engine, &gone, w.kernel.now);
	seg_engine_forget(w.engine, &gone); /* its turn is due */
	fake_run(&w.kernel);
	seg_engine_resume(w.engine, &gone, w.kernel.now);
	ck_assert(!w.kernel.coming_round && !gone.over && gone.pieces == 1);
	finish_reading_to(&slow);
	ck_assert_uint_eq(slow.count, 10000);
	ck_assert_int_eq(ask_pieces(&waits, seg_engine_denials, NULL), SEG_LATER);
	seg_engine_forget(w.engine, &waits); /* before anything is read */
	fake_run(&w.kernel);
	ck_assert_uint_eq(waits.pieces, 0);
	ck_assert_int_eq(ask_pieces(&idle, seg_engine_denials, NULL), SEG_LATER);
	fake_run(&w.kernel); /* and the engine ends */
}
END_TEST

/* Another policy, then none, while an answer is given: its lines and sums stay what they were. */
START_TEST(test_the_policy_changes_under_denials)
{
	struct late late = {.room = 1};

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(1000, 10);
	ck_assert_int_eq(ask_pieces(&late, seg_engine_denials, NULL), SEG_LATER);
	read_all();
	ck_assert(fake_round(&w.kernel));
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	seg_engine_resume(w.engine, &late, w.kernel.now);
	ck_assert(fake_round(&w.kernel));
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	ck_assert_uint_eq(late.pieces, 2);
	finish_reading_to(&late);
	ck_assert_uint_eq(late.lines, 1000);
	ck_assert_uint_eq(late.count, 10000);
}
END_TEST

/* Permits are told as they are when their turn comes, also by another policy; never twice. */
START_TEST(test_permits_come_when_the_loop_comes_round)
{
	struct late late = {.room = 1}, gone = {.room = 1}, none = {.room = 1};

	begin();
	ck_assert_int_eq(ask_pieces(&late, seg_engine_permits, NULL), SEG_LATER);
	ck_assert_int_eq(ask_pieces(&gone, seg_engine_permits, NULL), SEG_LATER);
	read_all();
	ck_assert(!late.over);
	seg_engine_forget(w.engine, &gone);
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert(late.over && !late.result && !gone.over);
	ck_assert_uint_eq(json_array_size(json_object_get(late.out, "permits")), 1);
	ck_assert_ptr_nonnull(find(late.out, "permits", "id", "WEB"));
	json_decref(late.out);
	ck_assert_int_eq(ask_pieces(&none, seg_engine_permits, NULL), SEG_LATER);
	read_all();
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	ck_assert(none.over && !none.result);
	json_decref(none.out);
}
END_TEST

/* The ids of those that are told, in the policy's order. */
static void check_permits(json_t *params, const char *wanted)
{
	json_t *out = call(seg_engine_permits, params, NULL), *list = json_object_get(out, "permits"), *one;
	char ids[64] = "";
	size_t i;

	json_array_foreach(list, i, one)
	{
		strcat(ids, json_string_value(json_object_get(one, "id")));
		strcat(ids, " ");
	}
	ck_assert_str_eq(ids, wanted);
	json_decref(out);
}

START_TEST(test_permits_by_their_use)
{
	const char *code;

	begin();
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	check_permits(json_pack("{s:i}", "used-within", 1), "WEB ");
	w.kernel.now += 100;
	fake_count(&w.kernel, "slow", "DNS", 0, 10, 1000);
	check_permits(json_pack("{s:i}", "used-within", 99), "DNS ");
	check_permits(json_pack("{s:i}", "used-within", 100), "WEB DNS ");
	check_permits(json_pack("{s:i}", "used-within", INT_MAX), "WEB DNS ");
	check_permits(json_pack("{s:n}", "used-within"), "WEB DNS OFFICE ");
	w.kernel.now += 86400;
	check_permits(json_pack("{s:i}", "unused", 1), "WEB OFFICE ");
	check_permits(json_pack("{s:i, s:i}", "unused", 1, "used-within", 90000), "WEB ");
	ck_assert_ptr_null(call(seg_engine_permits, json_pack("{s:i}", "used-within", -1), &code));
	ck_assert_str_eq(code, "invalid-parameter");
}
END_TEST

START_TEST(test_denials_at_once_are_bounded)
{
	struct late late;
	const char *code;

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(10000, 1);
	ask(&late, seg_engine_denials, NULL);
	read_all();
	ck_assert(fake_round(&w.kernel));
	ck_assert(!late.over); /* one answer, but not at one stroke */
	fake_run(&w.kernel);
	ck_assert(late.over && !late.result);
	ck_assert_uint_eq(json_array_size(json_object_get(late.out, "denials")), 10000);
	json_decref(late.out);
	w.kernel.counted[w.kernel.counteds] = w.kernel.counted[0];
	w.kernel.counted[w.kernel.counteds++].key[3] = 8;
	ck_assert_ptr_null(call(seg_engine_denials, NULL, &code));
	ck_assert_str_eq(code, "too-many");
}
END_TEST

/* An apply in the middle reads what it takes away at one stroke; the reading goes on behind it. */
START_TEST(test_apply_while_it_is_read)
{
	struct late answer;

	begin();
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	fake_count(&w.kernel, "slow", "WEB", 1, 20, 2000);
	fake_count(&w.kernel, "slow", "DNS", 0, 30, 3000);
	refuse_pairs(4, 10);
	ask(&answer, seg_engine_status, NULL);
	read_into("slow");
	w.kernel.counted[0].packets++;
	w.kernel.counted[2].packets++;
	write_policy(web, "", "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_int_eq(denied(&answer), 40);
	ck_assert_int_eq(used("WEB", "packets"), 11);
	ck_assert_int_eq(used("WEB", "reply-packets"), 20);
	write_policy(web, dns, "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_int_eq(used("DNS", "packets"), 31);
	/* Sealed and disarmed there is less to read, or nothing: whoever waits is answered. */
	ask(&answer, seg_engine_status, NULL);
	read_into("denied4");
	json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", 1), NULL));
	seg_engine_tick(w.engine, w.kernel.now, 0);
	ck_assert_int_eq(denied(&answer), 40);
}
END_TEST

/* Passed over while another element ended, one is still who it was. One whose time is over is another. */
START_TEST(test_elements_end_while_they_are_read)
{
	struct fake_counted passed_over;
	struct late answer;

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(4, 10);
	json_decref(call(seg_engine_status, NULL, NULL));
	ask(&answer, seg_engine_status, NULL);
	read_into("denied4");
	/* The first one ends: the third takes its place, where the reading has been. */
	passed_over = w.kernel.counted[2];
	memmove(&w.kernel.counted[0], &w.kernel.counted[1], 3 * sizeof(w.kernel.counted[0]));
	w.kernel.counteds = 3;
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 40);
	w.kernel.counted[1].packets += 5;
	ask(&answer, seg_engine_status, NULL);
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 45);
	/* Gone for an hour, and made anew. */
	w.kernel.counteds = 0;
	pass(30 * 60);
	pass(HOUR);
	passed_over.packets = 60;
	w.kernel.counted[w.kernel.counteds++] = passed_over;
	ask(&answer, seg_engine_status, NULL);
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 105);
}
END_TEST

/* Rules that somebody flushed take the counters with them: what comes up again counts from nothing. */
START_TEST(test_flushed_while_it_is_read)
{
	const struct seg_nft_transaction foreign = {
		.ours = true, .what = "deleted table inet segd"};
	struct late answer;

	begin();
	fake_slices(&w.kernel);
	refuse_pairs(4, 10);
	json_decref(call(seg_engine_status, NULL, NULL));
	ask(&answer, seg_engine_status, NULL);
	read_into("denied4");
	fake_flush(&w.kernel);
	take_hand(&foreign);
	refuse_pairs(4, 12);
	fake_slices(&w.kernel);
	ck_assert_int_eq(denied(&answer), 88);
}
END_TEST

/* What is kept of the kernel's counters fits the totals also where a reading is under way: a crash then
 * counts nothing twice. */
START_TEST(test_saved_while_it_is_read)
{
	struct late answer;

	begin();
	fake_count(&w.kernel, "slow", "WEB", 0, 10, 1000);
	fake_count(&w.kernel, "slow", "WEB", 1, 20, 2000);
	fake_count(&w.kernel, "slow", "DNS", 0, 30, 3000);
	pass(60);
	w.kernel.counted[0].packets += 5;
	w.kernel.counted[2].packets += 5;
	ask(&answer, seg_engine_permits, NULL);
	read_into("slow"); /* WEB's, and not DNS' */
	elapse(60);
	seg_engine_tick(w.engine, w.kernel.now, 0); /* saved */
	w.kernel.counted[0].packets += 1;
	die();
	begin();
	ck_assert_int_eq(used("WEB", "packets"), 16);
	ck_assert_int_eq(used("WEB", "reply-packets"), 20);
	ck_assert_int_eq(used("DNS", "packets"), 35);
}
END_TEST

/* Emergencies. */

START_TEST(test_isolate)
{
	const char *code;
	json_t *out;

	begin();
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	event_of(flow("10.2.0.9", "198.51.100.1", 6, 443, "WEB"));
	ck_assert_ptr_null(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "nobody", "reason", "x"), &code));
	ck_assert_str_eq(code, "not-found");
	ck_assert_ptr_null(call(seg_engine_isolate, json_pack("{s:s}", "target", "clerk"), &code));
	ck_assert_str_eq(code, "invalid-parameter");
	out = call(seg_engine_isolate,
		   json_pack("{s:s, s:s, s:i}", "target", "clerk", "reason", "malware", "for", HOUR), NULL);
	json_decref(out);
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(w.kernel.flow[0].src == addr("10.2.0.9"), 1);
	ck_assert_uint_eq(said("isolated|target=clerk|reason=malware"), 1);
	out = call(seg_engine_explain,
		   json_pack("{s:s, s:s, s:s}", "src", "10.2.0.5", "dst", "198.51.100.1", "proto", "tcp/443"), NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "reason")), "isolated");
	ck_assert_str_eq(json_string_value(json_object_get(out, "detail")), "10.2.0.5 is isolated");
	json_decref(out);
	die();
	begin();
	out = call(seg_engine_isolated, NULL, NULL);
	ck_assert_ptr_nonnull(find(out, "isolated", "target", "clerk"));
	json_decref(out);
	pass(HOUR);
	ck_assert_uint_eq(said("released|target=clerk"), 1);
	ck_assert_ptr_null(call(seg_engine_release, json_pack("{s:s}", "target", "clerk"), &code));
}
END_TEST

static const char *explained(const char *src, const char *dst, const char *proto)
{
	static char text[32];
	json_t *out = call(seg_engine_explain,
			   json_pack("{s:s, s:s, s:s}", "src", src, "dst", dst, "proto", proto), NULL);

	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(out, "reason")));
	json_decref(out);
	return text;
}

/* Neither by its zone nor by its host, unless that is said; what is not open cannot be cut. */
START_TEST(test_isolation_spares_the_own_session)
{
	static const char ssh[] =
		"  - {id: SSH, class: operations, from: lg, to: gateway, service: [tcp/22]}\n";
	static const char *const target[] = {"lg", "clerk", "10.2.0.0/28"};
	const char *session = "10.2.0.5 50000 10.2.0.1 22", *code;
	json_t *out;

	write_policy(ssh, web, "");
	begin();
	for (size_t i = 0; i < 3; i++) {
		ck_assert_ptr_null(call(
			seg_engine_isolate,
			json_pack("{s:s, s:s, s:s}", "target", target[i], "reason", "x", "session", session),
			&code));
		ck_assert_str_eq(code, "would-cut-session");
	}
	out = call(seg_engine_isolated, NULL, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "isolated")), 0);
	json_decref(out);
	ck_assert_str_eq(explained("10.2.0.5", "10.2.0.1", "tcp/22"), "permit");
	json_decref(call(seg_engine_isolate,
			 json_pack("{s:s, s:s, s:s}", "target", "mn", "reason", "x", "session", session),
			 NULL));
	json_decref(call(seg_engine_isolate,
			 json_pack("{s:s, s:s, s:s, s:b}", "target", "lg", "reason", "x", "session", session,
				   "force", 1),
			 NULL));
	ck_assert_str_eq(explained("10.2.0.5", "10.2.0.1", "tcp/22"), "isolated");
	json_decref(call(seg_engine_isolate,
			 json_pack("{s:s, s:s, s:s}", "target", "clerk", "reason", "x", "session", session),
			 NULL));
}
END_TEST

static const char *state_of(const char *permit)
{
	static char text[16];
	json_t *out = call(seg_engine_permits, NULL, NULL);
	const json_t *one = find(out, "permits", "id", permit);

	ck_assert_ptr_nonnull(one);
	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(one, "state")));
	json_decref(out);
	return text;
}

static void switch_to(const char *stage)
{
	json_decref(call(seg_engine_stage, json_pack("{s:s?, s:s}", "stage", stage, "reason", "drill"), NULL));
}

/* What is in the kernel is what should be. */
static bool is_proven(void)
{
	json_t *out = call(seg_engine_verify, NULL, NULL);
	bool equal = json_is_true(json_object_get(out, "equal"));

	json_decref(out);
	return equal;
}

static const char one_stage[] = "stages: {alone: {title: alone, closes: {permits: [WEB]}}}\n";

START_TEST(test_stage_of_permits)
{
	const char *code;
	unsigned structure;
	json_t *out;

	write_policy(web, dns, one_stage);
	begin();
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	event_of(flow("10.2.0.5", "198.51.100.1", 17, 53, "DNS"));
	ck_assert_ptr_null(call(seg_engine_stage, json_pack("{s:s}", "stage", "nowhere"), &code));
	ck_assert_str_eq(code, "not-found");
	ck_assert_ptr_null(call(seg_engine_stage, json_pack("{s:n}", "stage"), &code));
	ck_assert_str_eq(code, "not-found");
	structure = w.kernel.image->generation;
	switch_to("alone");
	ck_assert_uint_eq(w.kernel.image->generation, structure); /* elements alone */
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert_uint_eq(w.kernel.flow[0].proto, 17);
	ck_assert_uint_eq(said("stage|stage=alone|before=normal|reason=drill"), 1);
	ck_assert_uint_eq(said("revoked|permit=WEB|count=1|reason=stage"), 1);
	ck_assert_str_eq(state_of("WEB"), "stopped");
	ck_assert_str_eq(state_of("DNS"), "active");
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "stage");
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "udp/53"), "permit");
	ck_assert(is_proven());
	die();
	begin();
	ck_assert(is_proven());
	ck_assert_str_eq(state_of("WEB"), "stopped");
	/* A policy that has forgotten the stage opens nothing by that. */
	write_policy(web, dns, "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_str_eq(state_of("WEB"), "stopped");
	die();
	begin();
	ck_assert_str_eq(state_of("WEB"), "stopped");
	out = call(seg_engine_stages, NULL, NULL);
	ck_assert(json_is_true(json_object_get(find(out, "stages", "stage", "alone"), "active")));
	json_decref(out);
	switch_to("normal");
	ck_assert_uint_eq(said("stage|stage=normal|before=alone"), 1);
	ck_assert_str_eq(state_of("WEB"), "active");
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "permit");
	ck_assert(is_proven());
}
END_TEST

/* A zone that permits name beside others: what they open between the others goes on. */
START_TEST(test_stage_of_a_zone)
{
	static const char both[] = "  - {id: BOTH, class: operations, from: [lg, mn], to: [net, gateway],"
				   " service: [tcp/443]}\n";
	static const char stages[] = "stages: {cut: {closes: {zones: [mn]}}}\n";

	write_policy(both, dns, stages);
	begin();
	event_of(flow("10.1.0.7", "198.51.100.1", 6, 443, "BOTH"));
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "BOTH"));
	ck_assert_uint_eq(w.kernel.flows, 2);
	switch_to("cut");
	ck_assert(is_proven());
	ck_assert_uint_eq(w.kernel.flows, 1);
	ck_assert(w.kernel.flow[0].src == addr("10.2.0.5"));
	ck_assert_str_eq(state_of("BOTH"), "active");
	ck_assert_str_eq(explained("10.1.0.7", "198.51.100.1", "tcp/443"), "stage");
	ck_assert_str_eq(explained("10.1.0.7", "10.1.0.1", "tcp/443"), "stage");
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "permit");
	switch_to(NULL);
	ck_assert_str_eq(explained("10.1.0.7", "198.51.100.1", "tcp/443"), "permit");
}
END_TEST

START_TEST(test_isolation_outlives_the_name)
{
	const char *code;

	begin();
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"), NULL));
	ck_assert_ptr_null(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "10.1.0.1", "reason", "x"), &code));
	ck_assert_str_eq(code, "invalid-parameter"); /* the gateway itself */
	const char *text = "segd: 1\nguard: none\nzones:\n"
			   "  lg: {tier: lgwan, interfaces: [eth2], networks: [10.2.0.0/24]}\n"
			   "  net: {tier: internet, interfaces: [eth3], networks: [any]}\n"
			   "permits:\n  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/443]}\n";
	FILE *file = fopen(w.policy, "w");
	fputs(text, file);
	fclose(file);
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
	die();
	begin();
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
	ck_assert_str_eq(explained("10.2.0.6", "198.51.100.1", "tcp/443"), "permit");
	json_decref(call(seg_engine_release, json_pack("{s:s}", "target", "clerk"), NULL));
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "permit");
}
END_TEST

/* Said while the disk was full, it is kept as soon as there is room: in a second, or at the end. */
START_TEST(test_isolation_on_a_full_disk)
{
	const char *code;
	json_t *out;

	begin();
	fill_disk();
	out = call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"), &code);
	empty_disk();
	ck_assert_ptr_null(out);
	ck_assert_str_eq(code, "store"); /* it may not outlive us, and whoever asked is told so */
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
	if (_i)
		pass(1);
	else
		seg_engine_stop(w.engine, w.kernel.now);
	die();
	begin();
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
}
END_TEST

/* Whatever is done and not stored, who asked for it hears of that. */
START_TEST(test_done_and_not_stored)
{
	const char *code;
	char path[128];

	snprintf(path, sizeof(path), "%s/.state.json.new", w.state);
	write_policy(web, dns, one_stage);
	begin();
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"), NULL));
	write_policy(web, dns, office);
	json_decref(call(seg_engine_apply, NULL, NULL));
	write_policy(web, dns, one_stage);
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_int_eq(mkdir(path, 0700), 0); /* a folder, which cannot be written as a file */
	ck_assert_ptr_null(
		call(seg_engine_stage, json_pack("{s:s, s:s}", "stage", "alone", "reason", "x"), &code));
	ck_assert_str_eq(code, "store");
	ck_assert_ptr_null(call(seg_engine_release, json_pack("{s:s}", "target", "clerk"), &code));
	ck_assert_str_eq(code, "store");
	ck_assert_ptr_null(call(seg_engine_rollback, NULL, &code));
	ck_assert_str_eq(code, "store");
	ck_assert_uint_ne(mark_of("OFFICE"), 0); /* all of it is in force */
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "udp/53"), "permit");
	ck_assert_int_eq(rmdir(path), 0);
	pass(1);
	die();
	begin();
	ck_assert_uint_ne(mark_of("OFFICE"), 0); /* and stored once it could be */
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "udp/53"), "permit");
}
END_TEST

/* What ended while nobody was there is over before the gateway says that it is ready. */
START_TEST(test_isolation_over_while_dead)
{
	begin();
	json_decref(call(seg_engine_isolate,
			 json_pack("{s:s, s:s, s:i}", "target", "clerk", "reason", "malware", "for", HOUR), NULL));
	die();
	elapse(HOUR);
	forget_alerts();
	begin();
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "permit");
	ck_assert(is_proven());
	ck_assert_uint_eq(said("released|target=clerk|reason=over"), 1);
	die();
	begin();
	ck_assert_uint_eq(said("released"), 1);
}
END_TEST

START_TEST(test_isolation_lasts_as_long_as_was_said)
{
	static const time_t step[] = {3 * HOUR, -3 * HOUR};

	begin();
	json_decref(call(seg_engine_isolate,
			 json_pack("{s:s, s:s, s:i}", "target", "clerk", "reason", "malware", "for", HOUR), NULL));
	pass(HOUR / 2);
	set_clock(step[_i]);
	pass(HOUR / 2 - 2);
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
	pass(3);
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "permit");
}
END_TEST

/* A machine that booted with a wrong clock: when it is put right, what was said before still ends when it was to. */
START_TEST(test_isolation_of_another_clock)
{
	begin();
	json_decref(call(seg_engine_isolate,
			 json_pack("{s:s, s:s, s:i}", "target", "clerk", "reason", "malware", "for", 48 * HOUR), NULL));
	die();
	w.kernel.now -= 30 * HOUR;
	begin();
	pass(HOUR);
	set_clock(30 * HOUR);
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
	pass(48 * HOUR);
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "permit");
}
END_TEST

/* What is cut off stays cut off, whatever a later word about it comes to. */
START_TEST(test_isolation_outlives_refusals)
{
	const char *code;
	json_t *out;

	begin();
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"), NULL));
	w.kernel.refuse = EIO;
	ck_assert_ptr_null(call(seg_engine_isolate,
				json_pack("{s:s, s:s, s:i}", "target", "clerk", "reason", "again", "for", 60), &code));
	ck_assert_str_eq(code, "kernel");
	w.kernel.refuse = 0;
	out = call(seg_engine_isolated, NULL, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(find(out, "isolated", "target", "clerk"), "reason")),
			 "malware");
	json_decref(out);
	ck_assert_ptr_null(call(seg_engine_isolate,
				json_pack("{s:s, s:s, s:I}", "target", "clerk", "reason", "x", "for",
					  (json_int_t)INT64_MAX), &code));
	ck_assert_str_eq(code, "invalid-parameter");
	pass(HOUR);
	ck_assert_uint_eq(said("released"), 0);
}
END_TEST

START_TEST(test_report)
{
	const char *code;
	json_t *out;

	write_policy(web, dns, one_stage);
	begin();
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	event_of(flow("10.1.0.7", "198.51.100.1", 6, 443, NULL)); /* a violation */
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"), NULL));
	switch_to("alone");
	fake_flush(&w.kernel);
	seg_engine_transaction(w.engine, NULL, w.kernel.now);
	out = call(seg_engine_report, NULL, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "from")), "2026-04-01");
	ck_assert_str_eq(json_string_value(json_object_get(out, "until")), "2026-11-24");
	ck_assert_int_eq(number(out, "violations"), 1);
	ck_assert_ptr_nonnull(find(out, "actions", "event", "isolated"));
	ck_assert_ptr_nonnull(find(out, "actions", "stage", "alone"));
	ck_assert_ptr_nonnull(find(out, "incidents", "event", "tampered"));
	ck_assert_uint_eq(json_array_size(json_object_get(out, "policies")), 1);
	ck_assert(json_is_false(json_object_get(find(out, "permits", "id", "WEB"), "unused")));
	ck_assert(json_is_true(json_object_get(find(out, "permits", "id", "DNS"), "unused")));
	json_decref(out);
	die();
	begin();
	out = call(seg_engine_report, json_pack("{s:s}", "until", "2027-03-31"), NULL);
	ck_assert_int_eq(number(out, "violations"), 1);
	ck_assert_ptr_nonnull(find(out, "actions", "target", "clerk"));
	json_decref(out);
	/* What was before the period is no part of it, but the policy that was in force then. */
	out = call(seg_engine_report, json_pack("{s:s, s:s}", "from", "2026-11-25", "until", "2027-03-31"), NULL);
	ck_assert_int_eq(number(out, "violations"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "actions")), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "policies")), 1);
	json_decref(out);
	ck_assert_ptr_null(call(seg_engine_report, json_pack("{s:s}", "from", "last year"), &code));
	ck_assert_str_eq(code, "invalid-parameter");
	ck_assert_ptr_null(call(seg_engine_report, json_pack("{s:s, s:s}", "from", "2026-05-01", "until", "2026-04-01"),
				&code));
}
END_TEST

/* Streams and status. */

static unsigned heard[16];
static void hear(void *context, enum seg_stream stream, const json_t *event)
{
	(void)context;
	ck_assert_ptr_nonnull(json_object_get(event, "event"));
	ck_assert_ptr_nonnull(json_object_get(event, "at"));
	heard[stream]++;
}

START_TEST(test_streams)
{
	struct seg_subscription *subscription;

	begin();
	memset(heard, 0, sizeof(heard));
	subscription = seg_engine_subscribe(w.engine, SEG_STREAM_VIOLATIONS | SEG_STREAM_FLOWS, hear, NULL);
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	event_of(flow("10.1.0.7", "198.51.100.1", 6, 443, NULL));
	ck_assert_uint_eq(heard[SEG_STREAM_FLOWS], 1);
	ck_assert_uint_eq(heard[SEG_STREAM_VIOLATIONS], 1);
	ck_assert_uint_eq(heard[SEG_STREAM_OTHER], 0);
	seg_engine_unsubscribe(w.engine, subscription);
	event_of(flow("10.1.0.8", "198.51.100.1", 6, 443, NULL));
	ck_assert_uint_eq(heard[SEG_STREAM_VIOLATIONS], 1);
}
END_TEST

START_TEST(test_status_and_verify)
{
	json_t *out;

	begin();
	out = call(seg_engine_status, NULL, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "state")), "enforcing");
	ck_assert_int_eq(number(json_object_get(out, "policy"), "permits"), 3);
	ck_assert(json_is_true(json_object_get(json_object_get(out, "table"), "persist")));
	json_decref(out);
	elapse(300);
	out = call(seg_engine_verify, NULL, NULL);
	ck_assert(json_is_true(json_object_get(out, "equal")));
	json_decref(out);
	fake_flush(&w.kernel);
	out = call(seg_engine_verify, NULL, NULL);
	ck_assert(json_is_false(json_object_get(out, "equal")));
	json_decref(out);
	w.kernel.bypass = "eth1";
	forget_alerts();
	for (int i = 0; i < 3; i++) {
		out = call(seg_engine_status, NULL, NULL);
		ck_assert_uint_eq(json_array_size(json_object_get(out, "bypass")), 1);
		ck_assert(can_be_translated(out, "an XDP program on eth1"));
		json_decref(out);
	}
	out = call(seg_engine_verify, NULL, NULL);
	ck_assert_ptr_nonnull(find(out, "findings", "detail", "an XDP program on eth1"));
	ck_assert(can_be_translated(out, "an XDP program on eth1"));
	json_decref(out);
	ck_assert_uint_eq(said("bypass|reason=\"an XDP program on eth1\""), 1);
}
END_TEST

START_TEST(test_the_busiest_flows)
{
	static const uint64_t bytes[] = {30, 70, 10, 90, 50, 20, 80};
	static const long long wanted[] = {90, 80, 70};
	json_t *out, *flows, *pairs;

	begin();
	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++) {
		struct seg_flow one = flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB");

		one.sport = (uint16_t)(40000 + i);
		one.packets = one.reply_packets = 1;
		one.bytes = bytes[i] - 1;
		one.reply_bytes = 1;
		event_of(one);
	}
	out = call(seg_engine_flows, json_pack("{s:i}", "busiest", 3), NULL);
	flows = json_object_get(out, "flows");
	pairs = json_object_get(out, "pairs");
	ck_assert_uint_eq(json_array_size(flows), 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(number(json_array_get(flows, i), "bytes") + 1, wanted[i]);
	ck_assert_uint_eq(json_array_size(pairs), 1);
	ck_assert_int_eq(number(json_array_get(pairs, 0), "flows"), 7);
	ck_assert_int_eq(number(json_array_get(pairs, 0), "bytes"), 350);
	json_decref(out);
}
END_TEST

/* Flows that WEB admitted, from two clients in turn. */
static void crowd(size_t n)
{
	static uint32_t id = 1u << 20;
	struct seg_flow one = flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB");

	for (size_t i = 0; i < n; i++) {
		one.id = ++id;
		one.sport = (uint16_t)(1024 + i);
		one.packets = 1;
		one.bytes = i;
		w.kernel.flow[w.kernel.flows++] = one;
	}
}

static int ask_flows(struct late *late, json_t *params)
{
	return ask_pieces(late, seg_engine_flows, params);
}

START_TEST(test_flows_come_in_pieces)
{
	struct late late = {.room = 100};

	begin();
	crowd(1000);
	ck_assert_int_eq(ask_flows(&late, NULL), SEG_LATER);
	ck_assert_uint_eq(late.pieces, 0); /* nothing before the loop comes round */
	fake_run(&w.kernel);
	ck_assert(late.over && late.result == 0);
	ck_assert_uint_eq(late.pieces, 3);
	ck_assert_uint_eq(late.lines + json_array_size(json_object_get(late.out, "flows")), 1000);
	json_decref(late.out);
}
END_TEST

START_TEST(test_who_does_not_read_pauses_his_own_walk)
{
	struct late slow = {.room = 1}, quick = {.room = 1000};

	begin();
	crowd(1000);
	ck_assert_int_eq(ask_flows(&slow, NULL), SEG_LATER);
	ck_assert_int_eq(ask_flows(&quick, NULL), SEG_LATER);
	fake_run(&w.kernel);
	ck_assert(!slow.over && slow.pieces == 1);
	ck_assert(quick.over);
	json_decref(quick.out);
	for (size_t pieces = 1; !slow.over; pieces++) {
		ck_assert_uint_eq(slow.pieces, pieces);
		seg_engine_resume(w.engine, &slow, w.kernel.now);
		fake_run(&w.kernel);
	}
	ck_assert_uint_eq(slow.lines + json_array_size(json_object_get(slow.out, "flows")), 1000);
	json_decref(slow.out);
}
END_TEST

START_TEST(test_who_goes_away_ends_his_walk)
{
	struct late gone = {.room = 1}, idle = {.room = 1};

	begin();
	crowd(1000);
	ck_assert_int_eq(ask_flows(&gone, NULL), SEG_LATER);
	fake_run(&w.kernel);
	seg_engine_forget(w.engine, &gone);
	seg_engine_forget(w.engine, &gone);
	seg_engine_resume(w.engine, &gone, w.kernel.now);
	fake_run(&w.kernel);
	ck_assert(!gone.over && gone.pieces == 1);
	for (size_t i = 0; i < FAKE_WALKS; i++)
		ck_assert(!w.kernel.walk[i].running);
	ck_assert_int_eq(ask_flows(&idle, NULL), SEG_LATER); /* the engine ends while it is asked */
}
END_TEST

START_TEST(test_one_answer_is_bounded)
{
	const char *code;
	json_t *out;

	begin();
	crowd(10000);
	out = call(seg_engine_flows, NULL, NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "flows")), 10000);
	json_decref(out);
	crowd(1);
	ck_assert_ptr_null(call(seg_engine_flows, NULL, &code));
	ck_assert_str_eq(code, "too-many");
	out = call(seg_engine_flows, json_pack("{s:s}", "zone", "mn"), NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "flows")), 0);
	json_decref(out);
}
END_TEST

START_TEST(test_diff_of_very_many_flows)
{
	struct late late = {.room = 1};
	const struct seg_request request = {.now = w.kernel.now, .done = take_late, .context = &late};
	json_t *out = NULL;

	begin();
	crowd(10500);
	write_policy(dns, office, "");
	out = call(seg_engine_diff, NULL, NULL);
	ck_assert_int_eq(number(out, "cut"), 10500);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "flows")), 10000);
	ck_assert_uint_eq(json_array_size(json_object_get(out, "closes")), 1);
	json_decref(out);
	ck_assert_int_eq(seg_engine_diff(w.engine, &request, &out), SEG_LATER);
	ck_assert(fake_walk_on(&w.kernel, &w.kernel.walk[0]));
	json_decref(
		call(seg_engine_apply, NULL, NULL)); /* ends the walk too: against what is in force by then */
	ck_assert(late.over && late.result == 0);
	ck_assert_uint_eq(json_array_size(json_object_get(late.out, "closes")), 0);
	json_decref(late.out);
	late = (struct late){.room = 1};
	ck_assert_int_eq(seg_engine_diff(w.engine, &request, &out), SEG_LATER);
	seg_engine_forget(w.engine, &late);
	fake_run(&w.kernel);
	ck_assert(!late.over);
	ck_assert_int_eq(seg_engine_diff(w.engine, &request, &out),
			 SEG_LATER); /* the engine ends while it is asked */
}
END_TEST

/* Very many flows lose their permit: counted once each, whatever finds them, one revocation behind the other.
 */
START_TEST(test_revocations_wait_for_each_other)
{
	struct late first = {.room = 1}, second = {.room = 1}, gone = {.room = 1};
	const struct seg_request request[] = {{.now = w.kernel.now, .done = take_late, .context = &first},
					      {.now = w.kernel.now, .done = take_late, .context = &second},
					      {.now = w.kernel.now, .done = take_late, .context = &gone}};
	struct seg_flow other;
	json_t *out = NULL;

	begin();
	crowd(1000);
	other = flow("10.2.0.5", "198.51.100.1", 17, 53, "DNS");
	w.kernel.flow[w.kernel.flows++] = other;
	write_policy(dns, office, "");
	ck_assert_int_eq(seg_engine_apply(w.engine, &request[0], &out), SEG_LATER);
	ck_assert_uint_eq(said("applied|policy=2"), 1); /* the change is told at once */
	ck_assert_uint_eq(said("revoked"), 0);
	write_policy(office, "", "");
	ck_assert_int_eq(seg_engine_apply(w.engine, &request[1], &out), SEG_LATER);
	seg_engine_flow(w.engine, SEG_FLOW_DUMPED, &w.kernel.flow[500], w.kernel.now);
	seg_engine_settle(w.engine, w.kernel.now);
	ck_assert(fake_walk_on(&w.kernel, &w.kernel.walk[0]));
	ck_assert(!w.kernel.walk[1].running);
	fake_run(&w.kernel);
	ck_assert(first.over && second.over);
	ck_assert_int_eq(number(json_object_get(first.out, "revoked"), "flows"), 1000);
	ck_assert_int_eq(number(json_object_get(first.out, "revoked"), "permits"), 1);
	ck_assert_int_eq(number(first.out, "version"), 2);
	ck_assert_int_eq(number(json_object_get(second.out, "revoked"), "flows"), 1);
	ck_assert_uint_eq(said("revoked|permit=WEB|count=1000|reason=apply"), 1);
	ck_assert_uint_eq(said("revoked|permit=DNS|count=1|reason=apply"), 1);
	ck_assert_uint_eq(w.kernel.flows, 0);
	json_decref(first.out);
	json_decref(second.out);

	write_policy(web, dns, office);
	json_decref(call(seg_engine_apply, NULL, NULL));
	crowd(300);
	write_policy(dns, office, "");
	ck_assert_int_eq(seg_engine_apply(w.engine, &request[2], &out), SEG_LATER);
	seg_engine_forget(w.engine, &gone); /* what was begun is done all the same */
	fake_run(&w.kernel);
	ck_assert(!gone.over);
	ck_assert_uint_eq(said("revoked|permit=WEB|count=300|reason=apply"), 1);
	write_policy(office, "", "");
	crowd(10);
	w.kernel.flow[w.kernel.flows++] = flow("10.2.0.5", "198.51.100.1", 17, 53, "DNS");
	ck_assert_int_eq(seg_engine_apply(w.engine, &request[2], &out), SEG_LATER); /* and the engine ends */
}
END_TEST

START_TEST(test_the_policy_changes_under_a_walk)
{
	struct late all = {.room = 1}, busiest = {.room = 1};

	begin();
	crowd(1000);
	ck_assert_int_eq(ask_flows(&all, NULL), SEG_LATER);
	ck_assert_int_eq(ask_flows(&busiest, json_pack("{s:i}", "busiest", 5)), SEG_LATER);
	ck_assert(fake_walk_on(&w.kernel, &w.kernel.walk[1]));
	ck_assert(fake_walk_on(&w.kernel, &w.kernel.walk[1]));
	write_policy(web, dns, "");
	json_decref(call(seg_engine_apply, NULL, NULL));
	fake_run(&w.kernel);
	ck_assert(busiest.over && busiest.result == 0);
	ck_assert_int_eq(number(json_array_get(json_object_get(busiest.out, "pairs"), 0), "flows"), 1000);
	ck_assert_int_eq(number(json_array_get(json_object_get(busiest.out, "flows"), 0), "bytes"), 999);
	json_decref(busiest.out);
	while (!all.over) {
		seg_engine_resume(w.engine, &all, w.kernel.now);
		fake_run(&w.kernel);
	}
	ck_assert_uint_eq(all.lines + json_array_size(json_object_get(all.out, "flows")), 1000);
	json_decref(all.out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_seals_then_loads);
	tcase_add_test(tcase, test_stays_sealed_and_says_why);
	tcase_add_test(tcase, test_bad_file_falls_back);
	tcase_add_test(tcase, test_adopts_without_writing);
	tcase_add_test(tcase, test_lost_state_gives_no_number_twice);
	tcase_add_test(tcase, test_first_numbers_keep_off_marks);
	tcase_add_test(tcase, test_unchanged_writes_nothing);
	tcase_add_test(tcase, test_refused_names_everything);
	tcase_add_test(tcase, test_kernel_refusal_changes_nothing);
	tcase_add_test(tcase, test_starts_on_a_full_disk);
	tcase_add_test(tcase, test_unstored_is_said);
	tcase_add_loop_test(tcase, test_unstored_is_stored_later, 0, 3);
	tcase_add_test(tcase, test_unstored_alone);
	tcase_add_test(tcase, test_apply_of_unstored_without_room);
	tcase_add_test(tcase, test_rollback_of_unstored);
	tcase_add_test(tcase, test_history_of_a_full_disk);
	tcase_add_test(tcase, test_evidence_that_makes_no_room);
	tcase_add_test(tcase, test_apply_revokes);
	tcase_add_test(tcase, test_revoked_by_permit_not_by_number);
	tcase_add_test(tcase, test_covered_flow_lives_on);
	tcase_add_test(tcase, test_own_session_is_kept);
	tcase_add_test(tcase, test_goes_back_by_itself);
	tcase_add_loop_test(tcase, test_goes_back_in_time_whatever_the_clock_says, 0, 3);
	tcase_add_loop_test(tcase, test_went_back_and_history_lost, 0, 2);
	tcase_add_test(tcase, test_rolled_back_and_not_written);
	tcase_add_loop_test(tcase, test_confirmed_too_late, 0, 2);
	tcase_add_loop_test(tcase, test_file_of_what_was_rolled_back, 0, 2);
	tcase_add_loop_test(tcase, test_not_confirmed_before_the_restart, 0, 2);
	tcase_add_test(tcase, test_rolled_back_by_hand);
	tcase_add_test(tcase, test_history_of_rollbacks);
	tcase_add_test(tcase, test_nothing_to_go_back_to);
	tcase_add_test(tcase, test_file_of_what_came_back);
	tcase_add_test(tcase, test_first_confirmed_too_late);
	tcase_add_test(tcase, test_confirmed_stays);
	tcase_add_test(tcase, test_deadline_survives_a_restart);
	tcase_add_test(tcase, test_deadline_passes_while_dead);
	tcase_add_test(tcase, test_unconfirmed_never_boots);
	tcase_add_test(tcase, test_unconfirmed_and_unrecorded_never_boots);
	tcase_add_test(tcase, test_rollback_by_number);
	tcase_add_test(tcase, test_rollback_to_the_one_before);
	tcase_add_test(tcase, test_window_closes_and_opens);
	tcase_add_test(tcase, test_clock_set_back);
	tcase_add_test(tcase, test_clock_set_forward);
	tcase_add_test(tcase, test_violation_once);
	tcase_add_test(tcase, test_unheard_violation_ends_too);
	tcase_add_test(tcase, test_legitimate_is_none);
	tcase_add_test(tcase, test_mark_that_lies);
	tcase_add_test(tcase, test_the_busiest_flows);
	tcase_add_test(tcase, test_flows_come_in_pieces);
	tcase_add_test(tcase, test_who_does_not_read_pauses_his_own_walk);
	tcase_add_test(tcase, test_who_goes_away_ends_his_walk);
	tcase_add_test(tcase, test_one_answer_is_bounded);
	tcase_add_test(tcase, test_diff_of_very_many_flows);
	tcase_add_test(tcase, test_revocations_wait_for_each_other);
	tcase_add_test(tcase, test_the_policy_changes_under_a_walk);
	tcase_add_test(tcase, test_lost_events_are_read_again);
	tcase_add_test(tcase, test_losses_without_end);
	tcase_add_test(tcase, test_observed_violation_ends_unseen);
	tcase_add_test(tcase, test_tampered_and_restored);
	tcase_add_test(tcase, test_sealed_before_mended);
	tcase_add_test(tcase, test_sealed_where_found_changed);
	tcase_add_loop_test(tcase, test_not_sealed_for_others, 0, 2);
	tcase_add_test(tcase, test_edits_are_mended_in_place);
	tcase_add_test(tcase, test_an_edited_comment_is_mended);
	tcase_add_test(tcase, test_many_intervals_leave_with_their_set);
	tcase_add_test(tcase, test_few_intervals_leave_many_one_by_one);
	tcase_add_test(tcase, test_disarm);
	tcase_add_test(tcase, test_flows_are_looked_at_behind_a_disarm);
	tcase_add_test(tcase, test_disarmed_under_a_revocation);
	tcase_add_test(tcase, test_repairs_after_the_clock_is_set_back);
	tcase_add_test(tcase, test_denied_and_spoofed);
	tcase_add_test(tcase, test_totals_of_refusals);
	tcase_add_test(tcase, test_metrics_of_state);
	tcase_add_test(tcase, test_metrics_of_losses);
	tcase_add_test(tcase, test_metrics_while_sealed);
	tcase_add_test(tcase, test_metrics_of_permits);
	tcase_add_test(tcase, test_metrics_of_refusals_only_grow);
	tcase_add_test(tcase, test_metrics_of_tampering);
	tcase_add_test(tcase, test_spoofed_by_two_interfaces);
	tcase_add_test(tcase, test_filtered_flows);
	tcase_add_test(tcase, test_usage_follows_the_id);
	tcase_add_loop_test(tcase, test_usage_behind_a_full_disk, 0, 2);
	tcase_add_test(tcase, test_two_ask_at_once);
	tcase_add_test(tcase, test_reads_what_is_wanted);
	tcase_add_test(tcase, test_client_gone_while_it_is_read);
	tcase_add_test(tcase, test_reading_breaks_off);
	tcase_add_test(tcase, test_apply_while_it_is_read);
	tcase_add_test(tcase, test_denials_come_in_pieces);
	tcase_add_test(tcase, test_denials_for_who_does_not_read);
	tcase_add_test(tcase, test_the_policy_changes_under_denials);
	tcase_add_test(tcase, test_denials_at_once_are_bounded);
	tcase_add_test(tcase, test_permits_come_when_the_loop_comes_round);
	tcase_add_test(tcase, test_permits_by_their_use);
	tcase_add_test(tcase, test_elements_end_while_they_are_read);
	tcase_add_test(tcase, test_flushed_while_it_is_read);
	tcase_add_test(tcase, test_saved_while_it_is_read);
	tcase_add_test(tcase, test_usage_of_what_gets_another_end);
	tcase_add_test(tcase, test_numbers_that_are_anothers);
	tcase_add_test(tcase, test_updates_by_others);
	tcase_add_loop_test(tcase, test_a_bypass_leaves_no_numbers_behind, 0, 2);
	tcase_add_test(tcase, test_upgrade_of_a_table_without_roads);
	tcase_add_test(tcase, test_usage_of_what_leaves);
	tcase_add_test(tcase, test_usage_until_the_commit);
	tcase_add_test(tcase, test_usage_of_an_older_life);
	tcase_add_test(tcase, test_refused_repair);
	tcase_add_test(tcase, test_time_is_no_foreign_hand);
	tcase_add_loop_test(tcase, test_look_beside_an_end, 0, 3);
	tcase_add_loop_test(tcase, test_look_at_what_ends, 0, 3);
	tcase_add_loop_test(tcase, test_look_again, 0, 2);
	tcase_add_loop_test(tcase, test_tampered_between_lives, 0, 8);
	tcase_add_loop_test(tcase, test_no_hand_between_lives, 0, 16);
	tcase_add_loop_test(tcase, test_imprint_that_stays, 0, 3);
	tcase_add_test(tcase, test_usage_of_a_number_replaced_meanwhile);
	tcase_add_test(tcase, test_usage_of_what_left_unseen);
	tcase_add_test(tcase, test_usage_of_what_comes_back);
	tcase_add_test(tcase, test_isolate);
	tcase_add_test(tcase, test_isolation_spares_the_own_session);
	tcase_add_test(tcase, test_stage_of_permits);
	tcase_add_test(tcase, test_stage_of_a_zone);
	tcase_add_test(tcase, test_isolation_outlives_the_name);
	tcase_add_loop_test(tcase, test_isolation_on_a_full_disk, 0, 2);
	tcase_add_test(tcase, test_done_and_not_stored);
	tcase_add_test(tcase, test_isolation_over_while_dead);
	tcase_add_loop_test(tcase, test_isolation_lasts_as_long_as_was_said, 0, 2);
	tcase_add_test(tcase, test_isolation_of_another_clock);
	tcase_add_test(tcase, test_isolation_outlives_refusals);
	tcase_add_test(tcase, test_report);
	tcase_add_test(tcase, test_streams);
	tcase_add_test(tcase, test_status_and_verify);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
