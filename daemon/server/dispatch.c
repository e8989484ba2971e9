/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "control/idl.h"
#include "control/interface.h"
#include "control/sentence.h"
#include "dispatch.h"

struct seg_dispatch {
	struct seg_backend backend;
	struct seg_idl *segd, *standard;
};

struct seg_dispatch *seg_dispatch_new(const struct seg_backend *backend)
{
	struct seg_dispatch *dispatch = calloc(1, sizeof(*dispatch));

	if (!dispatch)
		abort();
	dispatch->backend = *backend;
	dispatch->segd = seg_idl_parse(seg_interface_segd, NULL);
	dispatch->standard = seg_idl_parse(seg_interface_service, NULL);
	if (!dispatch->segd || !dispatch->standard)
		abort(); /* constants of this program; the unit test reads them too */
	return dispatch;
}

void seg_dispatch_free(struct seg_dispatch *dispatch)
{
	if (!dispatch)
		return;
	seg_idl_free(dispatch->segd);
	seg_idl_free(dispatch->standard);
	free(dispatch);
}

bool seg_session_may_change(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static void send_reply(struct seg_session *session, json_t *parameters)
{
	if (session->oneway)
		json_decref(parameters);
	else
		session->send(session, seg_varlink_reply_new(parameters, false));
}

static void send_error(struct seg_session *session, const char *error, json_t *parameters)
{
	if (session->oneway)
		json_decref(parameters);
	else
		session->send(session, seg_varlink_error_new(error, parameters));
}

/* By the code, not by errno: the kernel's EINVAL or the disk's EACCES is no fault of who asks. */
static const char *error_of(const json_t *out)
{
	static const struct {
		const char *code, *error;
	} faults[] = {{"invalid-parameter", SEG_ERROR_INVALID},
		      {"confirmation-missing", SEG_ERROR_INVALID},
		      {"would-cut-session", SEG_ERROR_NOT_ALLOWED}};
	const char *code = json_string_value(json_object_get(out, "code"));

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		if (code && !strcmp(faults[i].code, code))
			return faults[i].error;
	}
	return SEG_ERROR_REFUSED;
}

static void send_result(struct seg_session *session, int result, json_t *out)
{
	if (result >= 0) {
		send_reply(session, out);
		return;
	}
	if (!out)
		out = json_pack("{s:s, s:s}", "code", "system", "message", strerror(-result));
	send_error(session, error_of(out), out);
}

static void late_answer(void *context, int result, json_t *out)
{
	struct seg_session *session = context;

	session->waiting = false;
	send_result(session, result, out);
	session->answered(session);
}

static bool send_piece(void *context, json_t *out)
{
	struct seg_session *session = context;

	session->send(session, seg_varlink_reply_new(out, true));
	return !session->full(session);
}

static void run_command(struct seg_session *session, const struct seg_command *command,
			const struct seg_varlink_call *call)
{
	const struct seg_request request = {
		.uid = session->uid,
		.gid = session->gid,
		.pid = session->pid,
		.params = call->parameters,
		.now = time(NULL),
		.piece = call->more && !call->oneway ? send_piece : NULL,
		.done = late_answer,
		.context = session,
	};
	json_t *out = NULL;
	int result = command->call(session->dispatch->backend.engine, &request, &out);

	if (result == SEG_LATER)
		session->waiting = true;
	else
		send_result(session, result, out);
}

/* "Apply" is the command "apply". */
static const struct seg_command *find_command(const struct seg_backend *backend, const char *method)
{
	for (size_t i = 0; i < backend->commands; i++) {
		if (!strcasecmp(backend->command[i].name, method))
			return &backend->command[i];
	}
	return NULL;
}

/* The path to a parameter as the caller knows it: on the wire keys have underscores. */
static json_t *wire_path(const struct seg_strbuf *path)
{
	char *text = strdup(seg_strbuf_text(path));
	json_t *result;

	if (!text)
		abort();
	for (char *c = text; *c; c++) {
		if (*c == '-')
			*c = '_';
	}
	result = json_string(text);
	free(text);
	return result;
}

static bool check_parameters(struct seg_session *session, const struct seg_idl *idl,
			     const struct seg_varlink_call *call)
{
	struct seg_strbuf path = {0};
	bool good = seg_idl_check(idl, SEG_IDL_PARAMETERS, call->method, call->parameters, &path);

	if (!good)
		send_error(session, SEG_ERROR_INVALID_PARAMETER,
			   json_pack("{s:o}", "parameter", wire_path(&path)));
	seg_strbuf_fini(&path);
	return good;
}

static void refuse_change(struct seg_session *session, const char *method)
{
	json_t *sentence =
		seg_sentence_new("%s changes the gateway and is for root alone; uid %u may only ask", method,
				 (unsigned)session->uid);
	char *message = seg_sentence_text(sentence);

	send_error(session, SEG_ERROR_NOT_ALLOWED,
		   json_pack("{s:s, s:s, s:o}", "code", "not-allowed", "message", message, "sentence",
			     sentence));
	free(message);
}

static void send_event(void *context, enum seg_stream stream, const json_t *event)
{
	struct seg_session *session = context;

	(void)stream;
	session->send(session, seg_varlink_reply_new(json_incref((json_t *)event), true));
}

static unsigned streams_wanted(const json_t *parameters)
{
	static const struct {
		const char *name;
		unsigned stream;
	} one[] = {{"violations", SEG_STREAM_VIOLATIONS},
		   {"denials", SEG_STREAM_DENIALS},
		   {"flows", SEG_STREAM_FLOWS}};
	unsigned streams = 0;

	for (size_t i = 0; i < sizeof(one) / sizeof(*one); i++) {
		if (json_is_true(json_object_get(parameters, one[i].name)))
			streams |= one[i].stream;
	}
	return streams ? streams
		       : SEG_STREAM_VIOLATIONS | SEG_STREAM_DENIALS | SEG_STREAM_FLOWS | SEG_STREAM_OTHER;
}

static void call_watch(struct seg_session *session, const struct seg_varlink_call *call)
{
	const struct seg_backend *backend = &session->dispatch->backend;

	if (!call->more || call->oneway) {
		send_error(session, SEG_ERROR_EXPECTED_MORE, NULL);
		return;
	}
	session->subscription =
		backend->subscribe(backend->engine, streams_wanted(call->parameters), send_event, session);
	if (!session->subscription)
		send_error(session, SEG_ERROR_BUSY,
			   json_pack("{s:s, s:s}", "code", "busy", "message", "too many watchers"));
}

static void call_segd(struct seg_session *session, const struct seg_varlink_call *call)
{
	struct seg_dispatch *dispatch = session->dispatch;
	const struct seg_command *command = find_command(&dispatch->backend, call->method);
	bool known = seg_idl_has_method(dispatch->segd, call->method);
	bool watch = known && !strcmp(call->method, "Watch");

	if (!known || (!watch && !command)) {
		send_error(session, SEG_ERROR_METHOD_NOT_FOUND, json_pack("{s:s}", "method", call->full));
		return;
	}
	if (command && command->changes && !seg_session_may_change(session->uid)) {
		refuse_change(session, call->method);
		return;
	}
	if (!check_parameters(session, dispatch->segd, call))
		return;
	if (watch)
		call_watch(session, call);
	else
		run_command(session, command, call);
}

static void get_info(struct seg_session *session)
{
	send_reply(session, json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "segd", "product", "segd",
				      "version", SEG_VERSION, "url", "man:segd(8)", "interfaces",
				      SEG_VARLINK_SERVICE, SEG_INTERFACE));
}

static void get_description(struct seg_session *session, const char *interface)
{
	const char *text;

	if (!strcmp(interface, SEG_INTERFACE))
		text = seg_interface_segd;
	else if (!strcmp(interface, SEG_VARLINK_SERVICE))
		text = seg_interface_service;
	else
		text = NULL;
	if (text)
		send_reply(session, json_pack("{s:s}", "description", text));
	else
		send_error(session, SEG_ERROR_INTERFACE_NOT_FOUND,
			   json_pack("{s:s}", "interface", interface));
}

static void call_standard(struct seg_session *session, const struct seg_varlink_call *call)
{
	const struct seg_idl *idl = session->dispatch->standard;

	if (!seg_idl_has_method(idl, call->method))
		send_error(session, SEG_ERROR_METHOD_NOT_FOUND, json_pack("{s:s}", "method", call->full));
	else if (!check_parameters(session, idl, call))
		return;
	else if (!strcmp(call->method, "GetInfo"))
		get_info(session);
	else
		get_description(session, json_string_value(json_object_get(call->parameters, "interface")));
}

void seg_dispatch_call(struct seg_dispatch *dispatch, struct seg_session *session,
		       const struct seg_varlink_call *call)
{
	session->dispatch = dispatch;
	session->oneway = call->oneway;
	if (call->upgrade)
		send_error(session, SEG_ERROR_INVALID_PARAMETER, json_pack("{s:s}", "parameter", "upgrade"));
	else if (!strcmp(call->interface, SEG_INTERFACE))
		call_segd(session, call);
	else if (!strcmp(call->interface, SEG_VARLINK_SERVICE))
		call_standard(session, call);
	else
		send_error(session, SEG_ERROR_INTERFACE_NOT_FOUND,
			   json_pack("{s:s}", "interface", call->interface));
}

void seg_session_drained(struct seg_session *session)
{
	const struct seg_backend *backend;

	if (!session->waiting)
		return;
	backend = &session->dispatch->backend;
	backend->resume(backend->engine, session, time(NULL));
}

void seg_session_end(struct seg_session *session)
{
	const struct seg_backend *backend;

	if (!session->dispatch)
		return;
	backend = &session->dispatch->backend;
	if (session->subscription)
		backend->unsubscribe(backend->engine, session->subscription);
	if (session->waiting)
		backend->forget(backend->engine, session);
	session->subscription = NULL;
	session->waiting = false;
}
