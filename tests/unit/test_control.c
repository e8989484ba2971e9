/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The control socket in one process: a server on a loop that the test turns, clients on plain sockets. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "server/control.h"
#include "control/interface.h"
#include "runner.h"

#define BIG (1u << 20)

/* An engine that only remembers. */
struct seg_engine {
	unsigned calls, subscribed, unsubscribed, forgotten, streams, resumed;
	struct seg_request waiting;
	seg_watch_fn fn;
	void *context;
};

static int fake_status(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	engine->calls++;
	*out = json_pack("{s:s, s:i}", "state", "sealed", "called-by", (int)request->uid);
	return 0;
}

static int fake_flows(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	char *big = malloc(BIG);

	(void)request;
	engine->calls++;
	memset(big, 'x', BIG);
	*out = json_pack("{s:s#}", "flows", big, BIG);
	free(big);
	return 0;
}

static int fake_apply(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	json_int_t within = json_integer_value(json_object_get(request->params, "confirm-within"));

	engine->calls++;
	if (within == 1) {
		*out = json_pack("{s:s, s:s}", "code", "refused", "message", "two errors");
		return -EBADMSG;
	}
	if (within == 2)
		return -EIO;
	if (within == 3)
		return -EINVAL;
	if (within == 4 || within == 5) {
		*out = json_pack("{s:s, s:s}", "code", within == 4 ? "kernel" : "invalid-parameter",
				 "message", "no");
		return -EINVAL;
	}
	if (within == 6 || within == 7) {
		*out = json_pack("{s:s, s:s}", "code", within == 6 ? "store" : "would-cut-session", "message",
				 "no");
		return -EPERM;
	}
	*out = json_pack("{s:I, s:b}", "version", within, "unchanged", 0);
	return 0;
}

static int fake_verify(struct seg_engine *engine, const struct seg_request *request, json_t **out)
{
	(void)out;
	engine->calls++;
	engine->waiting = *request;
	return SEG_LATER;
}

static const struct seg_command commands[] = {
	{"status", false, fake_status},
	{"flows", false, fake_flows},
	{"apply", true, fake_apply},
	{"verify", false, fake_verify},
};

static struct seg_subscription *fake_subscribe(struct seg_engine *engine, unsigned streams, seg_watch_fn fn,
					       void *context)
{
	engine->subscribed++;
	engine->streams = streams;
	engine->fn = fn;
	engine->context = context;
	return (struct seg_subscription *)engine;
}

static void fake_unsubscribe(struct seg_engine *engine, struct seg_subscription *subscription)
{
	ck_assert_ptr_eq(subscription, engine);
	engine->unsubscribed++;
	engine->fn = NULL;
}

static void fake_resume(struct seg_engine *engine, const void *context, time_t now)
{
	(void)now;
	ck_assert_ptr_eq(engine->waiting.context, context);
	engine->resumed++;
}

static void fake_forget(struct seg_engine *engine, const void *context)
{
	ck_assert_ptr_eq(engine->waiting.context, context);
	engine->forgotten++;
}

static struct seg_engine engine;
static struct event_base *base;
static struct seg_control *control;
static char dir[64], path[96];

static int start(const struct seg_control_options *options)
{
	const struct seg_backend backend = {
		&engine,	commands,	  sizeof(commands) / sizeof(*commands),
		fake_subscribe, fake_unsubscribe, fake_resume,
		fake_forget};

	return seg_control_new(&control, base, options, &backend);
}

static struct seg_control_options defaults(void)
{
	return (struct seg_control_options){.path = path, .fd = -1, .owner = (uid_t)-1, .group = (gid_t)-1};
}

static void setup(void)
{
	struct seg_control_options options = defaults();

	engine = (struct seg_engine){0};
	strcpy(dir, "/tmp/segd-test-control-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	base = event_base_new();
	ck_assert_int_eq(start(&options), 0);
}

static void teardown(void)
{
	seg_control_free(control);
	event_base_free(base);
	ck_assert_msg(!rmdir(dir), "the socket was left behind");
}

/* Restarts the server with other limits. */
static void restart(const struct seg_control_options *options)
{
	seg_control_free(control);
	ck_assert_int_eq(start(options), 0);
}

static void turn(void)
{
	for (int i = 0; i < 40; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static int dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	turn();
	return fd;
}

static void tell_bytes(int fd, const char *bytes, size_t len)
{
	ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT), (ssize_t)len);
	turn();
}

static void tell(int fd, const char *json)
{
	tell_bytes(fd, json, strlen(json) + 1);
}

/* The bytes that have come, with the NULs as newlines; NULL: the connection has ended. */
static const char *hear(int fd)
{
	static char text[4096];
	ssize_t n;

	turn();
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		return NULL;
	n = n < 0 ? 0 : n;
	text[n] = '\0';
	for (ssize_t i = 0; i < n; i++) {
		if (!text[i])
			text[i] = '\n';
	}
	return text;
}

static void ask(const char *json, const char *answer)
{
	int fd = dial();
	const char *heard;

	tell(fd, json);
	heard = hear(fd);
	ck_assert_ptr_nonnull(heard);
	ck_assert_str_eq(heard, answer);
	close(fd);
	turn();
}

START_TEST(service_introduces_itself)
{
	int fd = dial();

	ask("{\"method\":\"org.varlink.service.GetInfo\"}",
	    "{\"parameters\":{\"vendor\":\"segd\",\"product\":\"segd\",\"version\":\"" SEG_VERSION
	    "\",\"url\":\"man:segd(8)\",\"interfaces\":[\"org.varlink.service\",\"org.segd\"]}}\n");
	tell(fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		 "\"parameters\":{\"interface\":\"org.segd\"}}");
	ck_assert_ptr_nonnull(strstr(hear(fd), "interface org.segd\\n"));
	close(fd);
	ask("{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"a."
	    "b\"}}",
	    "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"a.b\"}}\n");
}
END_TEST

START_TEST(command_answers_with_the_callers_uid)
{
	char answer[128];

	snprintf(answer, sizeof(answer), "{\"parameters\":{\"state\":\"sealed\",\"called_by\":%u}}\n",
		 (unsigned)getuid());
	ask("{\"method\":\"org.segd.Status\"}", answer);
	ck_assert_uint_eq(engine.calls, 1);
}
END_TEST

static const struct {
	const char *call, *answer;
} cases[] = {
	{"{\"method\":\"org.segd.Apply\",\"parameters\":{\"confirm_within\":120}}",
	 "{\"parameters\":{\"version\":120,\"unchanged\":false}}\n"},
	{"{\"method\":\"org.segd.Apply\",\"parameters\":{\"confirm_within\":1}}",
	 "{\"error\":\"org.segd.Refused\",\"parameters\":{\"code\":\"refused\",\"message\":\"two "
	 "errors\"}}\n"},
	{"{\"method\":\"org.segd.Apply\",\"parameters\":{\"confirm_within\":2}}",
	 "{\"error\":\"org.segd.Refused\",\"parameters\":{\"code\":\"system\",\"message\":\"Input/output "
	 "error\"}}\n"},
	{"{\"method\":\"org.segd.Apply\",\"parameters\":{\"confirm_within\":3}}",
	 "{\"error\":\"org.segd.Refused\",\"parameters\":{\"code\":\"system\",\"message\":\"Invalid "
	 "argument\"}}\n"},
	{"{\"method\":\"org.segd.Apply\",\"parameters\":{\"confirm_within\":4}}",
	 "{\"error\":\"org.segd.Refused\",\"parameters\":{\"code\":\"kernel\",\"message\":\"no\"}}\n"},
	{"{\"method\":\"org.segd.Apply\",\"parameters\":{\"confirm_within\":5}}",
	 "{\"error\":\"org.segd.Invalid\",\"parameters\":{\"code\":\"invalid-parameter\",\"message\":"
	 "\"no\"}}\n"},
	{"{\"method\":\"org.segd.Apply\",\"parameters\":{\"confirm_within\":6}}",
	 "{\"error\":\"org.segd.Refused\",\"parameters\":{\"code\":\"store\",\"message\":\"no\"}}\n"},
	{"{\"method\":\"org.segd.Apply\",\"parameters\":{\"confirm_within\":7}}",
	 "{\"error\":\"org.segd.NotAllowed\",\"parameters\":{\"code\":\"would-cut-session\",\"message\":"
	 "\"no\"}}\n"},
	{"{\"method\":\"org.segd.Apply\",\"parameters\":{\"confirm_within\":\"2m\"}}",
	 "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"confirm_"
	 "within\"}}"
	 "\n"},
	{"{\"method\":\"org.segd.Status\",\"parameters\":{\"x\":1}}",
	 "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"x\"}}\n"},
	{"{\"method\":\"org.segd.Refused\"}", "{\"error\":\"org.varlink.service.MethodNotFound\","
					      "\"parameters\":{\"method\":\"org.segd.Refused\"}}\n"},
	{"{\"method\":\"org.segd.status\"}", "{\"error\":\"org.varlink.service.MethodNotFound\","
					     "\"parameters\":{\"method\":\"org.segd.status\"}}\n"},
	{"{\"method\":\"org.other.Status\"}", "{\"error\":\"org.varlink.service.InterfaceNotFound\","
					      "\"parameters\":{\"interface\":\"org.other\"}}\n"},
	{"{\"method\":\"org.segd.Watch\"}",
	 "{\"error\":\"org.varlink.service.ExpectedMore\",\"parameters\":{}}\n"},
	{"{\"method\":\"org.segd.Status\",\"oneway\":true}", ""},
	{"{\"method\":\"org.segd.Nothing\",\"oneway\":true}", ""},
	{"{\"method\":\"org.segd.Status\",\"upgrade\":true}",
	 "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"upgrade\"}}\n"},
};

START_TEST(call_has_its_answer)
{
	ask(cases[_i].call, cases[_i].answer);
}
END_TEST

static json_t *sent;
static void keep(struct seg_session *session, json_t *message)
{
	(void)session;
	json_decref(sent);
	sent = message;
}

START_TEST(strangers_may_ask_and_not_change)
{
	const struct seg_backend backend = {
		&engine,	commands,	  sizeof(commands) / sizeof(*commands),
		fake_subscribe, fake_unsubscribe, fake_resume,
		fake_forget};
	struct seg_dispatch *dispatch = seg_dispatch_new(&backend);
	struct seg_session session = {.uid = getuid() + 1000, .send = keep};
	struct seg_varlink_call call;
	char apply[] = "{\"method\":\"org.segd.Apply\",\"parameters\":{\"bad\":1}}";
	char status[] = "{\"method\":\"org.segd.Status\"}";

	ck_assert_int_eq(seg_varlink_call_parse(apply, strlen(apply), &call), 0);
	seg_dispatch_call(dispatch, &session, &call);
	ck_assert_str_eq(json_string_value(json_object_get(sent, "error")), SEG_ERROR_NOT_ALLOWED);
	ck_assert_uint_eq(engine.calls, 0);
	seg_varlink_call_fini(&call);

	ck_assert_int_eq(seg_varlink_call_parse(status, strlen(status), &call), 0);
	seg_dispatch_call(dispatch, &session, &call);
	ck_assert_ptr_null(json_object_get(sent, "error"));
	ck_assert_uint_eq(engine.calls, 1);
	seg_varlink_call_fini(&call);

	ck_assert(seg_session_may_change(0) && seg_session_may_change(geteuid()));
	json_decref(sent);
	sent = NULL;
	seg_dispatch_free(dispatch);
}
END_TEST

START_TEST(many_calls_in_one_write_are_answered_in_order)
{
	static const char one[] = "{\"method\":\"org.segd.Apply\",\"parameters\":{\"confirm_within\":%d}}";
	struct seg_strbuf calls = {0}, answers = {0}, heard = {0};
	int fd = dial();

	for (int i = 10; i < 60; i++) {
		seg_strbuf_printf(&calls, one, i);
		seg_strbuf_add_n(&calls, "", 1);
		seg_strbuf_printf(&answers, "{\"parameters\":{\"version\":%d,\"unchanged\":false}}\n", i);
	}
	tell_bytes(fd, calls.text, calls.len);
	seg_strbuf_add(&heard, hear(fd));
	ck_assert_str_eq(seg_strbuf_text(&heard), seg_strbuf_text(&answers));
	seg_strbuf_fini(&calls);
	seg_strbuf_fini(&answers);
	seg_strbuf_fini(&heard);
	close(fd);
}
END_TEST

START_TEST(half_closed_client_has_its_answer_and_is_let_go)
{
	int fd = dial();

	ck_assert_int_eq(send(fd, "{\"method\":\"org.segd.Status\"}", 29, 0), 29);
	shutdown(fd, SHUT_WR);
	ck_assert_ptr_nonnull(strstr(hear(fd), "sealed"));
	ck_assert_ptr_null(hear(fd));
	ck_assert_uint_eq(seg_control_stats(control).clients, 0);
	close(fd);
}
END_TEST

static const char *const garbage[] = {
	"", "x", "{}", "[1]", "{\"method\":\"Status\"}", "GET / HTTP/1.1\r\n\r\n"};

START_TEST(who_does_not_speak_varlink_is_dropped)
{
	int fd = dial();

	tell(fd, garbage[_i]);
	ck_assert_ptr_null(hear(fd));
	ck_assert_uint_eq(seg_control_stats(control).clients, 0);
	ck_assert_uint_eq(seg_control_stats(control).dropped, 1);
	close(fd);
}
END_TEST

START_TEST(endless_message_is_dropped_at_the_cap)
{
	static char zeros[1 << 16];
	int fd = dial();
	size_t taken = 0;
	ssize_t n;

	memset(zeros, ' ', sizeof(zeros));
	while ((n = send(fd, zeros, sizeof(zeros), MSG_NOSIGNAL | MSG_DONTWAIT)) > 0 || errno == EAGAIN) {
		taken += n > 0 ? (size_t)n : 0;
		ck_assert_uint_lt(taken, 16u << 20);
		turn();
	}
	ck_assert_uint_gt(taken, 4u << 20);
	ck_assert_uint_eq(seg_control_stats(control).clients, 0);
	close(fd);
}
END_TEST

START_TEST(late_answer_comes_before_the_next_call)
{
	int fd = dial();
	const char *heard;

	tell(fd, "{\"method\":\"org.segd.Verify\"}");
	tell(fd, "{\"method\":\"org.segd.Status\"}");
	ck_assert_str_eq(hear(fd), "");
	ck_assert_uint_eq(engine.calls, 1);
	engine.waiting.done(engine.waiting.context, 0, json_pack("{s:b}", "equal", 1));
	heard = hear(fd);
	ck_assert_ptr_eq(strstr(heard, "{\"parameters\":{\"equal\":true}}\n{\"parameters\":{\"state\""),
			 heard);
	close(fd);
	turn();
	ck_assert_uint_eq(engine.forgotten, 0);
}
END_TEST

START_TEST(engine_forgets_who_does_not_wait)
{
	int fd = dial();

	tell(fd, "{\"method\":\"org.segd.Verify\"}");
	seg_control_free(control);
	ck_assert_uint_eq(engine.forgotten, 1);
	close(fd);
	control = NULL;
}
END_TEST

/* Gives pieces until it is told that they are enough. */
static size_t give_pieces(void)
{
	char *big = malloc(BIG / 8);
	size_t n = 0;

	memset(big, 'x', BIG / 8);
	do
		n++;
	while (engine.waiting.piece(engine.waiting.context, json_pack("{s:s#}", "flows", big, BIG / 8)) &&
	       n < 100);
	free(big);
	return n;
}

static size_t drain(int fd)
{
	static char text[1 << 16];
	size_t pieces = 0;
	ssize_t n;

	for (turn(); (n = recv(fd, text, sizeof(text), MSG_DONTWAIT)) > 0; turn()) {
		for (ssize_t i = 0; i < n; i++)
			pieces += !text[i];
	}
	return pieces;
}

START_TEST(an_answer_in_pieces_goes_on_as_it_is_read)
{
	struct seg_control_options options = defaults();
	size_t given;
	int fd;

	options.idle = options.stall = 1;
	restart(&options);
	fd = dial();
	tell(fd, "{\"method\":\"org.segd.Verify\",\"more\":true}");
	given = give_pieces();
	ck_assert_uint_lt(given, 100);
	usleep(1200000); /* whoever pages through it is not dropped */
	turn();
	ck_assert_uint_eq(engine.resumed, 0);
	ck_assert_uint_eq(drain(fd), given);
	ck_assert_uint_eq(engine.resumed, 1);
	given = give_pieces();
	engine.waiting.done(engine.waiting.context, 0, json_pack("{s:b}", "equal", 1));
	ck_assert_uint_eq(drain(fd), given + 1);
	ck_assert_uint_eq(engine.resumed, 1);
	close(fd);
}
END_TEST

START_TEST(one_answer_to_who_wants_no_pieces)
{
	int fd = dial();

	tell(fd, "{\"method\":\"org.segd.Verify\"}");
	ck_assert_ptr_null(engine.waiting.piece);
	engine.waiting.done(engine.waiting.context, 0, json_pack("{s:b}", "equal", 1));
	ck_assert_str_eq(hear(fd), "{\"parameters\":{\"equal\":true}}\n");
	close(fd);
}
END_TEST

START_TEST(who_goes_away_in_the_middle_is_forgotten)
{
	int fd = dial(), half = dial();

	tell(fd, "{\"method\":\"org.segd.Verify\",\"more\":true}");
	close(fd);
	turn();
	ck_assert_uint_eq(engine.forgotten, 1);
	ck_assert_uint_eq(seg_control_stats(control).clients, 1);
	tell(half, "{\"method\":\"org.segd.Verify\",\"more\":true}");
	shutdown(half, SHUT_WR); /* it still wants its answer */
	turn();
	ck_assert_uint_eq(engine.forgotten, 1);
	engine.waiting.done(engine.waiting.context, 0, json_pack("{s:b}", "equal", 1));
	ck_assert_str_eq(hear(half), "{\"parameters\":{\"equal\":true}}\n");
	close(half);
}
END_TEST

START_TEST(watcher_hears_events_until_it_leaves)
{
	json_t *event = json_pack("{s:s, s:s}", "event", "denied", "at", "2026-11-24T10:00:00+09:00");
	int fd = dial();

	tell(fd, "{\"method\":\"org.segd.Watch\",\"more\":true,\"parameters\":{\"denials\":true,"
		 "\"violations\":false}}");
	ck_assert_uint_eq(engine.streams, SEG_STREAM_DENIALS);
	ck_assert_uint_eq(seg_control_stats(control).watchers, 1);
	engine.fn(engine.context, SEG_STREAM_DENIALS, event);
	engine.fn(engine.context, SEG_STREAM_DENIALS, event);
	ck_assert_str_eq(hear(fd), "{\"continues\":true,\"parameters\":{\"event\":\"denied\",\"at\":\"2026-"
				   "11-24T10:00:00+09:00\"}}\n"
				   "{\"continues\":true,\"parameters\":{\"event\":\"denied\",\"at\":\"2026-"
				   "11-24T10:00:00+09:00\"}}\n");
	close(fd);
	turn();
	ck_assert_uint_eq(engine.unsubscribed, 1);
	ck_assert_uint_eq(seg_control_stats(control).clients, 0);
	json_decref(event);
}
END_TEST

START_TEST(watcher_of_everything_has_every_stream)
{
	int fd = dial();

	tell(fd, "{\"method\":\"org.segd.Watch\",\"more\":true}");
	ck_assert_uint_eq(engine.streams,
			  SEG_STREAM_VIOLATIONS | SEG_STREAM_DENIALS | SEG_STREAM_FLOWS | SEG_STREAM_OTHER);
	close(fd);
}
END_TEST

START_TEST(watcher_that_does_not_read_is_dropped_within_the_bound)
{
	json_t *event = json_pack("{s:s, s:s}", "event", "denied", "at", "2026-11-24T10:00:00+09:00");
	int fd = dial();
	unsigned n;

	tell(fd, "{\"method\":\"org.segd.Watch\",\"more\":true}");
	for (n = 0; engine.fn && n < 1000000; n++) {
		engine.fn(engine.context, SEG_STREAM_DENIALS, event);
		if (n % 1000 == 0)
			event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ck_assert_uint_lt(n, 200000);
	turn();
	ck_assert_uint_eq(engine.unsubscribed, 1);
	ck_assert_uint_eq(seg_control_stats(control).clients, 0);
	ck_assert_uint_eq(seg_control_stats(control).dropped, 1);
	close(fd);
	json_decref(event);
}
END_TEST

START_TEST(answers_wait_for_a_client_that_does_not_read)
{
	struct seg_control_options options = defaults();
	int fd;

	options.stall = 1;
	restart(&options);
	fd = dial();
	for (int i = 0; i < 50; i++)
		tell(fd, "{\"method\":\"org.segd.Flows\"}");
	ck_assert_uint_lt(engine.calls, 10); /* not fifty answers of a megabyte each */
	usleep(1200000);
	turn();
	ck_assert_uint_eq(seg_control_stats(control).clients, 0);
	close(fd);
}
END_TEST

START_TEST(silent_and_trickling_clients_are_dropped)
{
	struct seg_control_options options = defaults();
	int silent, trickling, watching;

	options.idle = 1;
	restart(&options);
	silent = dial();
	trickling = dial();
	watching = dial();
	tell(watching, "{\"method\":\"org.segd.Watch\",\"more\":true}");
	for (int i = 0; i < 6; i++) {
		usleep(200000);
		if (seg_control_stats(control).clients == 3)
			tell_bytes(trickling, "{", 1);
		turn();
	}
	ck_assert_ptr_null(hear(silent));
	ck_assert_ptr_null(hear(trickling));
	ck_assert_str_eq(hear(watching), "");
	close(silent);
	close(trickling);
	close(watching);
}
END_TEST

START_TEST(one_client_too_many_is_told_so)
{
	struct seg_control_options options = defaults();
	int fd[17];

	options.clients = 16;
	restart(&options);
	for (int i = 0; i < 17; i++)
		fd[i] = dial();
	ck_assert_str_eq(hear(fd[16]), "{\"error\":\"org.segd.Busy\",\"parameters\":"
				       "{\"code\":\"busy\",\"message\":\"too many clients\"}}\n");
	ck_assert_ptr_null(hear(fd[16]));
	ck_assert_uint_eq(seg_control_stats(control).refused, 1);
	ck_assert_uint_eq(seg_control_stats(control).clients, 16);
	for (int i = 0; i < 17; i++)
		close(fd[i]);
	turn();
	ck_assert_uint_eq(seg_control_stats(control).clients, 0);
}
END_TEST

START_TEST(socket_file_is_closed_to_others_and_stale_ones_are_replaced)
{
	struct seg_control_options options = defaults();
	struct seg_control *first = control;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat there;
	int fd;

	ck_assert_int_eq(stat(path, &there), 0);
	ck_assert_uint_eq(there.st_mode & 07777, 0660);
	ck_assert_int_eq(start(&options), -EADDRINUSE);
	ck_assert_ptr_eq(control, first);
	seg_control_free(control);

	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	ck_assert_int_eq(start(&options), 0);
	seg_control_free(control);

	ck_assert_int_eq(close(creat(path, 0600)), 0);
	ck_assert_int_eq(start(&options), -EEXIST); /* a file is nobody's socket: left alone */
	unlink(path);
	ck_assert_int_eq(start(&options), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tcase = tcase_create("control");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, service_introduces_itself);
	tcase_add_test(tcase, command_answers_with_the_callers_uid);
	tcase_add_loop_test(tcase, call_has_its_answer, 0, (int)(sizeof(cases) / sizeof(*cases)));
	tcase_add_test(tcase, strangers_may_ask_and_not_change);
	tcase_add_test(tcase, many_calls_in_one_write_are_answered_in_order);
	tcase_add_test(tcase, half_closed_client_has_its_answer_and_is_let_go);
	tcase_add_loop_test(tcase, who_does_not_speak_varlink_is_dropped, 0,
			    (int)(sizeof(garbage) / sizeof(*garbage)));
	tcase_add_test(tcase, endless_message_is_dropped_at_the_cap);
	tcase_add_test(tcase, late_answer_comes_before_the_next_call);
	tcase_add_test(tcase, engine_forgets_who_does_not_wait);
	tcase_add_test(tcase, an_answer_in_pieces_goes_on_as_it_is_read);
	tcase_add_test(tcase, one_answer_to_who_wants_no_pieces);
	tcase_add_test(tcase, who_goes_away_in_the_middle_is_forgotten);
	tcase_add_test(tcase, watcher_hears_events_until_it_leaves);
	tcase_add_test(tcase, watcher_of_everything_has_every_stream);
	tcase_add_test(tcase, watcher_that_does_not_read_is_dropped_within_the_bound);
	tcase_add_test(tcase, answers_wait_for_a_client_that_does_not_read);
	tcase_add_test(tcase, silent_and_trickling_clients_are_dropped);
	tcase_add_test(tcase, one_client_too_many_is_told_so);
	tcase_add_test(tcase, socket_file_is_closed_to_others_and_stale_ones_are_replaced);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
