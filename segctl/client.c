/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/i18n.h"
#include "base/utf8.h"
#include "client.h"
#include "control/interface.h"
#include "control/sentence.h"
#include "control/varlink.h"
#include "english.h"
#include "offline.h"
#include "output.h"

#define REPLY_MAX ((size_t)1 << 30) /* a million flows fit; the daemon is trusted, a mistake is not */

struct segctl_client {
	const struct segctl *ctl;
	int fd;
	struct seg_varlink_reader reader;
};

static int connect_failed(const struct segctl *ctl, int error)
{
	if (error == EACCES || error == EPERM)
		return segctl_fail(
			ctl, SEGCTL_DENIED, "not-allowed",
			_("%s: not allowed; root and the members of the socket's group may ask segd"),
			ctl->socket);
	if (ctl->alone)
		return segctl_fail(ctl, SEGCTL_NO_DAEMON, "unreachable",
				   _("segd does not answer at %s (%s); start it with `systemctl start segd`, "
				     "name its socket "
				     "with --socket, or do without: segctl %s"),
				   ctl->socket, strerror(error), ctl->alone);
	return segctl_fail(
		ctl, SEGCTL_NO_DAEMON, "unreachable",
		_("segd does not answer at %s (%s); start it with `systemctl start segd`, or name its socket "
		  "with --socket"),
		ctl->socket, strerror(error));
}

static int lost(const struct segctl *ctl)
{
	return segctl_fail(
		ctl, SEGCTL_NO_DAEMON, "unreachable",
		_("segd at %s closed the connection; `systemctl status segd` says whether it runs"),
		ctl->socket);
}

int segctl_client_open(const struct segctl *ctl, struct segctl_client **result)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct segctl_client *client;
	int fd;

	if (strlen(ctl->socket) >= sizeof(address.sun_path))
		return connect_failed(ctl, ENAMETOOLONG);
	strcpy(address.sun_path, ctl->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return connect_failed(ctl, errno);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int error = errno;

		close(fd);
		return connect_failed(ctl, error);
	}
	client = calloc(1, sizeof(*client));
	if (!client)
		abort();
	client->ctl = ctl;
	client->fd = fd;
	client->reader.max = REPLY_MAX;
	*result = client;
	return SEGCTL_YES;
}

void segctl_client_close(struct segctl_client *client)
{
	if (!client)
		return;
	close(client->fd);
	seg_varlink_reader_fini(&client->reader);
	free(client);
}

/* A daemon that hangs up while we write may have said why: the answer is read all the same. */
static void send_message(const struct segctl_client *client, json_t *message)
{
	size_t len, done = 0;
	char *text = seg_varlink_encode(message, &len);

	while (done < len) {
		ssize_t n = send(client->fd, text + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	free(text);
}

/* False: the connection has ended, or what comes is not Varlink. */
static bool receive(struct segctl_client *client, struct seg_varlink_reply *reply)
{
	static char piece[64 << 10];
	char *text;
	size_t len;
	int result;

	while (!(result = seg_varlink_reader_next(&client->reader, &text, &len))) {
		ssize_t n = recv(client->fd, piece, sizeof(piece), 0);

		if (n > 0)
			seg_varlink_reader_add(&client->reader, piece, (size_t)n);
		else
			return false; /* EINTR too: somebody who catches signals wants to leave */
	}
	return result > 0 && !seg_varlink_reply_parse(text, len, reply);
}

/* A message of several lines, as `check` shows what is wrong in a policy; each without what a
 * terminal would obey. */
static void print_lines(const char *text)
{
	struct seg_strbuf line = {0};

	for (const char *end; *text; text = end + (*end == '\n')) {
		end = strchrnul(text, '\n');
		seg_strbuf_reset(&line);
		seg_utf8_show(&line, text, (size_t)(end - text));
		fprintf(stderr, "%s\n", seg_strbuf_text(&line));
	}
	seg_strbuf_fini(&line);
}

/* A policy that has errors (not one that could not be read) is answered as `check` answers it. And no is the
 * answer where all is well and there is just nothing of the kind: nothing to confirm, no such version. */
static bool is_no(const json_t *parameters)
{
	const json_t *first = json_array_get(json_object_get(parameters, "errors"), 0);
	const char *code = segctl_text_of(parameters, "code");

	return !strcmp(code, "not-found") || !strcmp(code, "nothing-pending") ||
	       (!strcmp(code, "refused") && *segctl_text_of(first, "file"));
}

static enum segctl_exit status_of(const char *error, const json_t *parameters)
{
	if (is_no(parameters))
		return SEGCTL_NO;
	if (!strcmp(error, SEG_ERROR_NOT_ALLOWED))
		return SEGCTL_DENIED;
	if (!strcmp(error, SEG_ERROR_INVALID) || !strcmp(error, SEG_ERROR_INVALID_PARAMETER))
		return SEGCTL_USAGE;
	return SEGCTL_REFUSED;
}

/* Why a policy was refused: read again from here, in the reader's language, or as the daemon showed it. */
static int policy_refused(const struct segctl *ctl, enum segctl_exit status, const char *method,
			  const char *message, const char *file)
{
	bool english = segctl_is_english();
	char *text;

	if (english || !offline_say_errors(file)) {
		text = english ? NULL : segctl_mistakes_from_english(message);
		print_lines(text ? text : message);
		free(text);
	}
	if (!strcmp(method, "Diff"))
		return segctl_fail(ctl, status, "refused",
				   _("segd has nothing to compare with what is in force"));
	return segctl_fail(ctl, status, "refused", _("segd refuses; what is in force stays"));
}

/* Whoever may only ask has typed a command, not the method behind it; every one that changes is named alike. */
static int root_only(const struct segctl *ctl, enum segctl_exit status, const char *method)
{
	char command[32];
	size_t n = 0;

	for (; method[n] && n + 1 < sizeof(command); n++)
		command[n] = (char)tolower((unsigned char)method[n]);
	command[n] = '\0';
	return segctl_fail(ctl, status, "not-allowed",
			   _("%s changes the gateway and is for root alone; use sudo"), command);
}

/* With --json all the daemon said; the standard's errors carry no message of their own. */
static int answer_failed(const struct segctl *ctl, const char *method, const char *error, json_t *parameters)
{
	json_t *sentence = json_object_get(parameters, "sentence");
	const char *message = json_string_value(json_object_get(parameters, "message"));
	enum segctl_exit status = status_of(error, parameters);
	char *text;

	if (!strcmp(error, SEG_ERROR_METHOD_NOT_FOUND))
		return segctl_fail(
			ctl, status, "unknown-method",
			_("segd at %s does not know this command; it is another version than segctl"),
			ctl->socket);
	if (!message)
		return segctl_fail(ctl, status, "invalid-parameter", _("segd refuses the call: %s %s"), error,
				   segctl_text_of(parameters, "parameter"));
	if (ctl->json) {
		json_object_del(parameters, "sentence"); /* the message says the same */
		segctl_json_error(ctl, json_incref(parameters));
		return (int)status;
	}
	if (!strcmp(segctl_text_of(parameters, "code"), "not-allowed"))
		return root_only(ctl, status, method);
	if (strchr(message, '\n'))
		return policy_refused(ctl, status, method, message, segctl_text_of(parameters, "file"));
	segctl_values_from_english(sentence);
	text = seg_sentence_text(sentence);
	segctl_fail(ctl, status, "refused", "%s", text ? text : message);
	free(text);
	return (int)status;
}

static void send_call(const struct segctl_client *client, const char *method, json_t *parameters, bool more)
{
	char full[64];

	snprintf(full, sizeof(full), SEG_INTERFACE ".%s", method);
	send_message(client, seg_varlink_call_new(full, parameters, more));
}

int segctl_client_call(struct segctl_client *client, const char *method, json_t *parameters, json_t **out)
{
	struct seg_varlink_reply reply;
	int status = SEGCTL_YES;

	send_call(client, method, parameters, false);
	if (!receive(client, &reply))
		return lost(client->ctl);
	if (reply.error)
		status = answer_failed(client->ctl, method, reply.error, reply.parameters);
	else
		*out = json_incref(reply.parameters);
	if (client->ctl->json)
		json_object_del(reply.parameters, "sentences"); /* English texts stand beside them */
	seg_varlink_reply_fini(&reply);
	return status;
}

int segctl_call(const struct segctl *ctl, const char *method, json_t *parameters, json_t **out)
{
	struct segctl_client *client;
	int status = segctl_client_open(ctl, &client);

	if (status) {
		json_decref(parameters);
		return status;
	}
	status = segctl_client_call(client, method, parameters, out);
	segctl_client_close(client);
	return status;
}

int segctl_client_stream(struct segctl_client *client, const char *method, json_t *parameters,
			 bool (*fn)(void *context, const json_t *answer), void *context)
{
	struct seg_varlink_reply reply;
	int status = SEGCTL_YES;
	bool more = true;

	send_call(client, method, parameters, true);
	while (more && !status) {
		if (!receive(client, &reply))
			return lost(client->ctl);
		if (reply.error)
			status = answer_failed(client->ctl, method, reply.error, reply.parameters);
		else
			more = fn(context, reply.parameters) && reply.continues;
		seg_varlink_reply_fini(&reply);
	}
	return status;
}

int segctl_stream(const struct segctl *ctl, const char *method, json_t *parameters,
		  bool (*fn)(void *context, const json_t *answer), void *context)
{
	struct segctl_client *client;
	int status = segctl_client_open(ctl, &client);

	if (status) {
		json_decref(parameters);
		return status;
	}
	status = segctl_client_stream(client, method, parameters, fn, context);
	segctl_client_close(client);
	return status;
}

int segctl_call_show(const struct segctl *ctl, const char *method, json_t *parameters,
		     void (*show)(const struct segctl *ctl, const json_t *answer))
{
	json_t *answer = NULL;
	int status = segctl_call(ctl, method, parameters, &answer);

	if (status)
		return status;
	if (ctl->json)
		return segctl_json(answer, status);
	show(ctl, answer);
	json_decref(answer);
	return fflush(stdout) ? SEGCTL_REFUSED : status;
}
