/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Isolation, stages, disarming, and what of them is kept. */

#include "engine/state.h"
#include "engine_life.h"

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

/* Until the next call. */
static const char *explained_isolation(const char *until)
{
	static char text[128];

	snprintf(text, sizeof(text),
		 "10.2.0.5 is isolated; clerk is isolated until %s, for this reason: malware", until);
	return text;
}

START_TEST(test_isolate)
{
	char until[SEG_TIME_STRLEN];
	const char *code;
	json_t *out;

	begin();
	event_of(flow("10.2.0.5", "198.51.100.1", 6, 443, "WEB"));
	event_of(flow("10.2.0.9", "198.51.100.1", 6, 443, "WEB"));
	ck_assert_ptr_null(
		call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "nobody", "reason", "x"), &code));
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
		   json_pack("{s:s, s:s, s:s}", "src", "10.2.0.5", "dst", "198.51.100.1", "proto", "tcp/443"),
		   NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "reason")), "isolated");
	ck_assert_str_eq(json_string_value(json_object_get(out, "detail")),
			 explained_isolation(seg_time_format(w.kernel.now + HOUR, "Asia/Tokyo", until)));
	ck_assert_ptr_nonnull(find(out, "isolated", "target", "clerk"));
	json_decref(out);
	/* By the host's name, and from the other end. */
	out = call(seg_engine_explain,
		   json_pack("{s:s, s:s, s:s}", "src", "198.51.100.1", "dst", "clerk", "proto", "tcp/443"),
		   NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "dst-host")), "clerk");
	ck_assert_str_eq(json_string_value(json_object_get(out, "detail")), explained_isolation(until));
	json_decref(out);
	ck_assert_ptr_null(call(
		seg_engine_explain,
		json_pack("{s:s, s:s, s:s}", "src", "nobody", "dst", "clerk", "proto", "tcp/443"), &code));
	ck_assert_str_eq(code, "not-found");
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

/* The answer to one more isolation of the clerk. */
static json_t *isolate_again(const char *reason, int seconds)
{
	return call(seg_engine_isolate,
		    json_pack("{s:s, s:s, s:i}", "target", "clerk", "reason", reason, "for", seconds), NULL);
}

static bool is_shorter(const char *reason, int seconds)
{
	json_t *out = isolate_again(reason, seconds);
	bool shortened = json_is_true(json_object_get(out, "shortened"));

	json_decref(out);
	return shortened;
}

/* What an isolation was before somebody isolated the same once more: told, and kept for the audit. */
START_TEST(test_isolate_again)
{
	const time_t first = w.kernel.now;
	char since[SEG_TIME_STRLEN];
	const json_t *action;
	json_t *out;

	begin();
	out = isolate_again("malware", 4 * HOUR);
	ck_assert(json_is_null(json_object_get(out, "before")));
	ck_assert(json_is_false(json_object_get(out, "shortened")));
	json_decref(out);
	pass(60);
	out = isolate_again("looked at", HOUR);
	ck_assert(json_is_true(json_object_get(out, "shortened")));
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(out, "before"), "reason")),
			 "malware");
	ck_assert_str_eq(
		json_string_value(json_object_get(find(out, "isolated", "target", "clerk"), "since")),
		seg_time_format(first, "Asia/Tokyo", since));
	json_decref(out);
	ck_assert_uint_eq(
		said("isolated|reason=\"looked at\"|action=shortened|before-until=|before-reason=malware"),
		1);
	ck_assert(!is_shorter("longer", 2 * HOUR));
	ck_assert_uint_eq(said("isolated|reason=longer|action=changed|before-reason=\"looked at\""), 1);
	ck_assert(!is_shorter("for good", 0));
	ck_assert(is_shorter("an hour will do", HOUR)); /* until released before */
	out = call(seg_engine_history, NULL, NULL);
	action = json_array_get(json_object_get(out, "actions"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(action, "action")), "shortened");
	ck_assert_str_eq(json_string_value(json_object_get(action, "before-reason")), "for good");
	ck_assert(json_is_null(json_object_get(action, "before-until")));
	json_decref(out);
}
END_TEST

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

static const char ssh_from_lg[] =
	"  - {id: SSH, class: operations, from: lg, to: gateway, service: [tcp/22]}\n";

static const char *isolate_by(const char *target, const char *session)
{
	const char *code;
	json_t *out = call(seg_engine_isolate,
			   json_pack("{s:s, s:s, s:s}", "target", target, "reason", "x", "session", session), &code);

	json_decref(out);
	return out ? "isolated" : code;
}

/* Its interface stands behind the address, at either end. */
START_TEST(test_session_over_a_link_local_address)
{
	static const char *const session[] = {"fe80::20%eth2 50000 fe80::1%eth2 22", "fe80::20%eth2 50000 fe80::1 22",
					      "fe80::20 50000 fe80::1%eth2 22"};

	write_policy(ssh_from_lg, web, "");
	begin();
	ck_assert_str_eq(isolate_by("lg", session[_i]), "would-cut-session");
	ck_assert_str_eq(isolate_by("mn", session[_i]), "isolated");
}
END_TEST

START_TEST(test_mapped_address_is_the_session_of_ipv4)
{
	write_policy(ssh_from_lg, web, "");
	begin();
	ck_assert_str_eq(isolate_by("lg", "::ffff:10.2.0.5 50000 ::ffff:10.2.0.1 22"), "would-cut-session");
	ck_assert_str_eq(isolate_by("mn", "::ffff:10.2.0.5 50000 ::ffff:10.2.0.1 22"), "isolated");
}
END_TEST

/* From the gateway to itself nothing is judged. */
START_TEST(test_session_of_the_gateway_itself)
{
	static const char *const session[] = {"127.0.0.1 50000 127.0.0.1 22", "::1 50000 ::1 22",
					      "10.2.0.1 50000 10.2.0.1 22", "UNKNOWN 65535 UNKNOWN 65535"};

	write_policy(ssh_from_lg, web, "");
	begin();
	ck_assert_str_eq(isolate_by("lg", session[_i]), "isolated");
}
END_TEST

/* Whatever it is: an apply may cut it. What is done in an emergency does not wait for it. */
START_TEST(test_session_that_cannot_be_read)
{
	static const char *const session[] = {"UNKNOW 65535 UNKNOWN 65535", "10.2.0.5", "10.2.0.5 50000 fe80::1%eth2 22",
					      "fe80::20 50000 fe80::1 22", "fe80::20%7 50000 fe80::1%7 22",
					      "10.2.0.5 50000 10.2.0.1 222222"};
	const char *code;

	write_policy(ssh_from_lg, web, "");
	begin();
	ck_assert_str_eq(isolate_by("mn", session[_i]), "isolated");
	write_policy(ssh_from_lg, web, dns);
	ck_assert_ptr_null(call(seg_engine_apply, json_pack("{s:s}", "session", session[_i]), &code));
	ck_assert_str_eq(code, "would-cut-session");
	json_decref(call(seg_engine_apply, json_pack("{s:s, s:b}", "session", session[_i], "force", 1), NULL));
}
END_TEST

static const char bound_town[] = "segd: 1\nsite: town\ntimezone: Asia/Tokyo\nguard: none\nzones:\n"
				 "  lg: {tier: lgwan, interfaces: [%s], networks: [10.2.0.0/24]}\n"
				 "  net: {tier: internet, interfaces: [eth3], networks: [any]}\n"
				 "hosts: {clerk: {address: 10.2.0.5, mac: '00:00:5e:00:53:%s'}}\n"
				 "permits:\n"
				 "  - {id: SSH, class: operations, from: lg, to: gateway, source: [clerk],"
				 " destination: [10.2.0.1], service: [tcp/22]}\n";

static const char *apply_bound(const char *interface, const char *mac)
{
	char text[1024];
	const char *code;
	json_t *out;

	snprintf(text, sizeof(text), bound_town, interface, mac);
	write_text(text);
	out = call(seg_engine_apply, json_pack("{s:s}", "session", "10.2.0.5 50000 10.2.0.1 22"), &code);
	json_decref(out);
	return out ? "applied" : code;
}

/* A permit for one MAC: the kernel knows whose the session is. Where it does not, that is asked. */
START_TEST(test_session_has_a_mac)
{
	const struct seg_neighbour clerk = {.has_mac = true, .mac = {0, 0, 0x5e, 0, 0x53, 1}};

	write_policy(ssh_from_lg, web, "");
	w.kernel.neighbour = clerk;
	w.kernel.neighbour_on = "eth2";
	begin();
	ck_assert_str_eq(apply_bound("eth2", "99"), "would-cut-session");
	ck_assert_str_eq(apply_bound("eth2", "01"), "applied");
	ck_assert_str_eq(apply_bound("eth2", "99"), "would-cut-session");
	w.kernel.neighbour = (struct seg_neighbour){0};
	ck_assert_str_eq(apply_bound("eth2", "99"), "would-cut-session");
	ck_assert_str_eq(isolate_by("net", "10.2.0.5 50000 10.2.0.1 22"), "isolated");
}
END_TEST

/* By the interface that its packets come by, not by the one that the new policy gives its zone. */
START_TEST(test_session_has_an_interface)
{
	write_policy(ssh_from_lg, web, "");
	w.kernel.neighbour = (struct seg_neighbour){.has_mac = true, .mac = {0, 0, 0x5e, 0, 0x53, 1}};
	w.kernel.neighbour_on = "eth2";
	begin();
	ck_assert_str_eq(apply_bound("eth1", "01"), "would-cut-session");
	w.kernel.neighbour_on = "eth3"; /* the way back: what is in force shows that they do not come by it */
	ck_assert_str_eq(apply_bound("eth2, eth4", "01"), "would-cut-session"); /* nor is the MAC its own, then */
	write_policy(ssh_from_lg, web, dns);
	json_decref(call(seg_engine_apply, json_pack("{s:s}", "session", "10.2.0.5 50000 10.2.0.1 22"), NULL));
}
END_TEST

/* Behind its hours it lives on: an isolation would be what cuts it. */
START_TEST(test_session_that_drains)
{
	write_policy("  - {id: SSH, class: operations, from: lg, to: gateway, service: [tcp/22],"
		     " hours: [mon-fri 08:00-17:00], at-close: drain}\n",
		     web, "");
	begin();
	pass(10 * HOUR);
	ck_assert_str_eq(isolate_by("mn", "10.2.0.5 50000 10.2.0.1 22"), "isolated");
	ck_assert_str_eq(isolate_by("lg", "10.2.0.5 50000 10.2.0.1 22"), "would-cut-session");
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

/* What is in the kernel is what should be. */
static bool is_proven(void)
{
	json_t *out = call(seg_engine_verify, NULL, NULL);
	bool equal = json_is_true(json_object_get(out, "equal"));

	json_decref(out);
	return equal;
}

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
	out = call(seg_engine_explain,
		   json_pack("{s:s, s:s, s:s}", "src", "clerk", "dst", "198.51.100.1", "proto", "tcp/443"),
		   NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "stage")), "alone");
	ck_assert_ptr_nonnull(
		strstr(json_string_value(json_object_get(out, "detail")), "the stage is alone, since "));
	json_decref(out);
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

/* Closed twice: the permit's own window still comes, but the stage may be in the way then. */
START_TEST(test_stage_beside_hours)
{
	static const char night[] = "  - {id: NIGHT, class: operations, from: lg, to: net, service: [tcp/8080], "
				    "hours: [daily 22:00-05:00]}\n";
	static const char closes_night[] = "stages: {alone: {title: alone, closes: {permits: [NIGHT]}}}\n";
	json_t *out;

	write_policy(night, "", closes_night);
	begin();
	switch_to("alone");
	out = call(seg_engine_explain,
		   json_pack("{s:s, s:s, s:s}", "src", "clerk", "dst", "198.51.100.1", "proto", "tcp/8080"),
		   NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "reason")), "hours");
	ck_assert_str_eq(json_string_value(json_object_get(out, "opens")), "2026-11-24T22:00:00+09:00");
	ck_assert(json_is_null(json_object_get(out, "next")));
	ck_assert_str_eq(json_string_value(json_object_get(out, "stage")), "alone");
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(out, "detail")),
				     "opens 2026-11-24T22:00:00+09:00; the emergency stage in force closes NIGHT; "
				     "the stage is alone, since "));
	json_decref(out);
}
END_TEST

/* Takes params over. */
static bool refused_saying(seg_command_fn command, json_t *params, const char *text)
{
	const char *message;
	struct late late;
	bool says;

	ask(&late, command, params);
	fake_run(&w.kernel);
	message = json_string_value(json_object_get(late.out, "message"));
	says = late.over && late.result && message && strstr(message, text);
	json_decref(late.out);
	return says;
}

/* In an emergency names are typed in haste. */
START_TEST(test_did_you_mean)
{
	write_policy(web, dns, one_stage);
	begin();
	ck_assert(refused_saying(seg_engine_isolate,
				 json_pack("{s:s, s:s}", "target", "clerc", "reason", "x"),
				 "did you mean clerk?"));
	ck_assert(refused_saying(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "mm", "reason", "x"),
				 "did you mean mn?"));
	ck_assert(!refused_saying(seg_engine_isolate,
				  json_pack("{s:s, s:s}", "target", "printers", "reason", "x"),
				  "did you mean"));
	ck_assert(refused_saying(seg_engine_stage, json_pack("{s:s}", "stage", "alnoe"),
				 "did you mean alone?"));
	ck_assert(
		refused_saying(seg_engine_stage, json_pack("{s:s}", "stage", "zzz"), "segctl stage --list"));
	/* Who is not isolated cannot be meant. */
	ck_assert(
		refused_saying(seg_engine_release, json_pack("{s:s}", "target", "clerc"), "segctl isolated"));
	json_decref(
		call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "x"), NULL));
	ck_assert(refused_saying(seg_engine_release, json_pack("{s:s}", "target", "clerc"),
				 "did you mean clerk?"));
}
END_TEST

static void isolate(const char *target)
{
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", target, "reason", "malware"), NULL));
}

/* A permit of which nobody is left on one side is stopped, whatever took them: a host with a MAC or without, in
 * one zone or another, the zone itself. */
START_TEST(test_permits_whose_hosts_are_isolated)
{
	static const char text[] =
		"segd: 1\n"
		"timezone: Asia/Tokyo\n"
		"guard: none\n"
		"zones:\n"
		"  mn: {tier: mynumber, interfaces: [eth1], networks: [10.1.0.0/24]}\n"
		"  lg: {tier: lgwan, interfaces: [eth2], networks: [10.2.0.0/24]}\n"
		"  net: {tier: internet, interfaces: [eth3], networks: [any]}\n"
		"hosts:\n"
		"  clerk: {address: 10.2.0.5, mac: \"00:00:5e:00:53:05\"}\n"
		"  other: {address: 10.2.0.6}\n"
		"  batch: {address: 10.1.0.7}\n"
		"permits:\n"
		"  - {id: ONE, class: operations, from: lg, to: net, source: [clerk], service: [tcp/443]}\n"
		"  - {id: TWO, class: operations, from: lg, to: net, source: [clerk, other], service: [tcp/443]}\n"
		"  - {id: TO, class: operations, from: net, to: lg, destination: [other], service: [tcp/443]}\n"
		"  - {id: MIXED, class: operations, from: [lg, mn], to: net, source: [other, batch], service: [tcp/80]}\n"
		"  - {id: HALF, class: operations, from: [lg, mn], to: net, source: [batch], service: [tcp/80]}\n"
		"  - {id: OWN, class: operations, from: gateway, to: net, source: [10.2.0.6], service: [udp/123]}\n"
		"stages: {shut: {closes: {zones: [mn]}}}\n";

	write_text(text);
	begin();
	isolate("clerk");
	ck_assert_str_eq(state_of("ONE"), "stopped");
	ck_assert_str_eq(state_of("TWO"), "active");
	isolate("other");
	ck_assert_str_eq(state_of("TWO"), "stopped");
	ck_assert_str_eq(state_of("TO"), "stopped");
	ck_assert_str_eq(state_of("MIXED"), "active");
	ck_assert_str_eq(state_of("OWN"), "active");
	isolate("mn");
	ck_assert_str_eq(state_of("MIXED"), "stopped");
	json_decref(call(seg_engine_release, json_pack("{s:s}", "target", "clerk"), NULL));
	ck_assert_str_eq(state_of("ONE"), "active");
	ck_assert_str_eq(state_of("TWO"), "active");
	json_decref(call(seg_engine_release, json_pack("{s:s}", "target", "mn"), NULL));
	json_decref(call(seg_engine_release, json_pack("{s:s}", "target", "other"), NULL));
	ck_assert_str_eq(state_of("HALF"), "active");
	switch_to("shut"); /* a zone of two, but the one with all the hosts */
	ck_assert_str_eq(state_of("HALF"), "stopped");
	ck_assert_str_eq(state_of("MIXED"), "active");
}
END_TEST

/* A stage as an isolation: not by the permit, not by the zone, unless that is said. */
/* Said once more, it has not begun once more. */
START_TEST(test_stage_in_force_already)
{
	const time_t since = w.kernel.now;

	begin();
	write_policy(web, dns, one_stage);
	json_decref(call(seg_engine_apply, NULL, NULL));
	switch_to("alone");
	pass(HOUR);
	json_decref(call(seg_engine_stage, json_pack("{s:s}", "stage", "alone"), NULL));
	ck_assert_int_eq(w.engine->state.stage.since, since);
	ck_assert_str_eq(w.engine->state.stage.reason, "drill");
	json_decref(call(seg_engine_stage, json_pack("{s:s, s:s}", "stage", "alone", "reason", "fire"), NULL));
	ck_assert_int_eq(w.engine->state.stage.since, since);
	ck_assert_str_eq(w.engine->state.stage.reason, "fire");
}
END_TEST

START_TEST(test_stage_spares_the_own_session)
{
	static const char ssh[] =
		"  - {id: SSH, class: operations, from: lg, to: gateway, service: [tcp/22]}\n";
	static const char stages[] =
		"stages:\n  zone: {closes: {zones: [lg]}}\n"
		"  permit: {closes: {permits: [SSH]}}\n  web: {closes: {permits: [WEB]}}\n";
	static const char *const cutting[] = {"zone", "permit"};
	const char *session = "10.2.0.5 50000 10.2.0.1 22", *code;

	write_policy(ssh, web, stages);
	begin();
	switch_to("web");
	for (size_t i = 0; i < 2; i++) {
		ck_assert_ptr_null(call(seg_engine_stage,
					json_pack("{s:s, s:s}", "stage", cutting[i], "session", session),
					&code));
		ck_assert_str_eq(code, "would-cut-session");
		ck_assert_str_eq(explained("10.2.0.5", "10.2.0.1", "tcp/22"), "permit");
		ck_assert_str_eq(state_of("WEB"), "stopped"); /* the stage before goes on */
	}
	ck_assert(is_proven());
	ck_assert_uint_eq(said("stage|"), 1);
	json_decref(call(seg_engine_stage,
			 json_pack("{s:s, s:s, s:b}", "stage", "permit", "session", session, "force", 1),
			 NULL));
	ck_assert_str_eq(explained("10.2.0.5", "10.2.0.1", "tcp/22"), "stage");
	/* What is cut already, this does not cut; and nothing is asked on the way back. */
	json_decref(
		call(seg_engine_stage, json_pack("{s:s, s:s}", "stage", "zone", "session", session), NULL));
	json_decref(call(seg_engine_stage, json_pack("{s:n, s:s}", "stage", "session", session), NULL));
	ck_assert_str_eq(explained("10.2.0.5", "10.2.0.1", "tcp/22"), "permit");
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
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 NULL));
	ck_assert_ptr_null(call(seg_engine_isolate,
				json_pack("{s:s, s:s}", "target", "10.1.0.1", "reason", "x"), &code));
	ck_assert_str_eq(code, "invalid-parameter"); /* the gateway itself */
	const char *text =
		"segd: 1\nguard: none\nzones:\n"
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

static void ck_addresses(const char *expected)
{
	json_t *out = call(seg_engine_isolated, NULL, NULL);
	json_t *list = json_object_get(find(out, "isolated", "target", "clerk"), "addresses");
	char *text = json_dumps(list, JSON_ENCODE_ANY);

	ck_assert_str_eq(text, expected);
	free(text);
	json_decref(out);
}

/* A machine that was cut off is not connected again by a policy that means another one by its name. What was refused
 * has meant nobody, and what has been isolated already keeps all whom it has. */
START_TEST(test_isolation_outlives_the_address)
{
	static const char at[] = "segd: 1\nguard: none\nzones:\n"
				 "  lg: {tier: lgwan, interfaces: [eth2], networks: [10.2.0.0/24]}\n"
				 "  net: {tier: internet, interfaces: [eth3], networks: [any]}\n"
				 "hosts: {clerk: {address: 10.2.0.%d}}\n"
				 "permits:\n  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/443]}\n";
	const char *code;
	char text[512];

	begin();
	isolate("clerk");
	w.kernel.refuse = EBUSY;
	snprintf(text, sizeof(text), at, 66);
	write_text(text);
	ck_assert_ptr_null(call(seg_engine_apply, NULL, &code));
	w.kernel.refuse = 0;
	snprintf(text, sizeof(text), at, 77);
	write_text(text);
	json_decref(call(seg_engine_apply, NULL, NULL));
	for (int again = 0; again < 3; again++) {
		ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
		ck_assert_str_eq(explained("10.2.0.77", "198.51.100.1", "tcp/443"), "isolated");
		ck_assert_str_eq(explained("10.2.0.66", "198.51.100.1", "tcp/443"), "permit");
		ck_addresses("[\"10.2.0.5\", \"10.2.0.77\"]");
		if (again) {
			isolate("clerk");
			continue;
		}
		die();
		begin();
	}
	json_decref(call(seg_engine_release, json_pack("{s:s}", "target", "clerk"), NULL));
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "permit");
	ck_assert_str_eq(explained("10.2.0.77", "198.51.100.1", "tcp/443"), "permit");
}
END_TEST

/* The same of a zone that loses a network to another one. */
START_TEST(test_isolation_outlives_the_network)
{
	begin();
	isolate("lg");
	write_text("segd: 1\nguard: none\nzones:\n"
		   "  lg: {tier: lgwan, interfaces: [eth2], networks: [10.2.0.0/25]}\n"
		   "  mn: {tier: mynumber, interfaces: [eth1], networks: [10.1.0.0/24, 10.2.0.128/25]}\n"
		   "  net: {tier: internet, interfaces: [eth3], networks: [any]}\n"
		   "permits:\n  - {id: WEB, class: operations, from: lg, to: net, service: [tcp/443]}\n"
		   "  - {id: MN, class: operations, from: mn, to: net, service: [tcp/443]}\n");
	json_decref(call(seg_engine_apply, NULL, NULL));
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
	ck_assert_str_eq(explained("10.2.0.205", "198.51.100.1", "tcp/443"), "isolated");
	ck_assert_str_eq(explained("10.1.0.5", "198.51.100.1", "tcp/443"), "permit");
	json_decref(call(seg_engine_release, json_pack("{s:s}", "target", "lg"), NULL));
	ck_assert_str_eq(explained("10.2.0.205", "198.51.100.1", "tcp/443"), "permit");
}
END_TEST

/* What is only noted does not pass for done: while all may pass, the answers say so. */
START_TEST(test_unenforced_is_said)
{
	json_t *out;

	w.observe = _i == 0;
	write_policy(web, dns, one_stage);
	begin();
	if (_i)
		json_decref(call(seg_engine_disarm, json_pack("{s:b}", "yes", true), NULL));
	out = call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "192.0.2.9", "reason", "malware"), NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "state")), _i ? "disarmed" : "observing");
	ck_assert(json_is_false(json_object_get(out, "outside"))); /* the Internet has it */
	json_decref(out);
	out = call(seg_engine_stage, json_pack("{s:s}", "stage", "alone"), NULL);
	ck_assert_str_eq(json_string_value(json_object_get(out, "state")), _i ? "disarmed" : "observing");
	json_decref(out);
	ck_assert_str_eq(explained("10.2.0.5", "192.0.2.9", "tcp/443"), "isolated");
}
END_TEST

/* What no rule would cut off by its address is not said to be. */
START_TEST(test_isolation_of_a_link)
{
	static const char *const target[] = {"fe80::20", "224.0.0.5", "127.0.0.1", "ff02::/16"};
	const char *code;

	begin();
	ck_assert_ptr_null(
		call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", target[_i], "reason", "x"), &code));
	ck_assert_str_eq(code, "invalid-parameter");
	isolate("lg");
	isolate("10.2.0.0/24");
}
END_TEST

START_TEST(test_isolation_outside)
{
	json_t *out;

	begin();
	write_text("segd: 1\nguard: none\nzones:\n"
		   "  lg: {tier: lgwan, interfaces: [eth2], networks: [10.2.0.0/24]}\n"
		   "  mn: {tier: mynumber, interfaces: [eth1], networks: [10.1.0.0/24]}\npermits: []\n");
	json_decref(call(seg_engine_apply, NULL, NULL));
	out = call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "10.22.0.9", "reason", "x"), NULL);
	ck_assert(json_is_true(json_object_get(out, "outside")));
	json_decref(out);
	out = call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "mn", "reason", "x"), NULL);
	ck_assert(json_is_false(json_object_get(out, "outside")));
	json_decref(out);
}
END_TEST

/* What ended while nobody was there is over before the gateway says that it is ready. */
START_TEST(test_isolation_over_while_dead)
{
	begin();
	json_decref(call(seg_engine_isolate,
			 json_pack("{s:s, s:s, s:i}", "target", "clerk", "reason", "malware", "for", HOUR),
			 NULL));
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
			 json_pack("{s:s, s:s, s:i}", "target", "clerk", "reason", "malware", "for", HOUR),
			 NULL));
	pass(HOUR / 2);
	set_clock(step[_i]);
	pass(HOUR / 2 - 2);
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "isolated");
	pass(3);
	ck_assert_str_eq(explained("10.2.0.5", "198.51.100.1", "tcp/443"), "permit");
}
END_TEST

/* A machine that booted with a wrong clock: when it is put right, what was said before still ends when it was
 * to. */
START_TEST(test_isolation_of_another_clock)
{
	begin();
	json_decref(
		call(seg_engine_isolate,
		     json_pack("{s:s, s:s, s:i}", "target", "clerk", "reason", "malware", "for", 48 * HOUR),
		     NULL));
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
	json_decref(call(seg_engine_isolate, json_pack("{s:s, s:s}", "target", "clerk", "reason", "malware"),
			 NULL));
	w.kernel.refuse = EIO;
	ck_assert_ptr_null(call(seg_engine_isolate,
				json_pack("{s:s, s:s, s:i}", "target", "clerk", "reason", "again", "for", 60),
				&code));
	ck_assert_str_eq(code, "kernel");
	w.kernel.refuse = 0;
	out = call(seg_engine_isolated, NULL, NULL);
	ck_assert_str_eq(
		json_string_value(json_object_get(find(out, "isolated", "target", "clerk"), "reason")),
		"malware");
	json_decref(out);
	ck_assert_ptr_null(call(
		seg_engine_isolate,
		json_pack("{s:s, s:s, s:I}", "target", "clerk", "reason", "x", "for", (json_int_t)INT64_MAX),
		&code));
	ck_assert_str_eq(code, "invalid-parameter");
	pass(HOUR);
	ck_assert_uint_eq(said("released"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("emergency");
	TCase *tcase = tcase_create("life");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_disarm);
	tcase_add_test(tcase, test_flows_are_looked_at_behind_a_disarm);
	tcase_add_test(tcase, test_isolate);
	tcase_add_test(tcase, test_isolate_again);
	tcase_add_test(tcase, test_permits_whose_hosts_are_isolated);
	tcase_add_test(tcase, test_did_you_mean);
	tcase_add_test(tcase, test_isolation_spares_the_own_session);
	tcase_add_loop_test(tcase, test_session_over_a_link_local_address, 0, 3);
	tcase_add_test(tcase, test_mapped_address_is_the_session_of_ipv4);
	tcase_add_loop_test(tcase, test_session_of_the_gateway_itself, 0, 4);
	tcase_add_loop_test(tcase, test_session_that_cannot_be_read, 0, 6);
	tcase_add_test(tcase, test_session_has_a_mac);
	tcase_add_test(tcase, test_session_has_an_interface);
	tcase_add_test(tcase, test_session_that_drains);
	tcase_add_test(tcase, test_stage_of_permits);
	tcase_add_test(tcase, test_stage_beside_hours);
	tcase_add_test(tcase, test_stage_of_a_zone);
	tcase_add_test(tcase, test_stage_in_force_already);
	tcase_add_test(tcase, test_stage_spares_the_own_session);
	tcase_add_test(tcase, test_isolation_outlives_the_name);
	tcase_add_test(tcase, test_isolation_outlives_the_address);
	tcase_add_test(tcase, test_isolation_outlives_the_network);
	tcase_add_loop_test(tcase, test_unenforced_is_said, 0, 2);
	tcase_add_loop_test(tcase, test_isolation_of_a_link, 0, 4);
	tcase_add_test(tcase, test_isolation_outside);
	tcase_add_test(tcase, test_isolation_over_while_dead);
	tcase_add_loop_test(tcase, test_isolation_lasts_as_long_as_was_said, 0, 2);
	tcase_add_test(tcase, test_isolation_of_another_clock);
	tcase_add_test(tcase, test_isolation_outlives_refusals);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
