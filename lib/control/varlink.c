/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "control/varlink.h"

void seg_varlink_reader_fini(struct seg_varlink_reader *reader)
{
	free(reader->bytes);
	*reader = (struct seg_varlink_reader){.max = reader->max};
}

/* Moves what is left to the front, so that the buffer never grows with what was read already. */
static void reader_compact(struct seg_varlink_reader *reader)
{
	if (!reader->start)
		return;
	memmove(reader->bytes, reader->bytes + reader->start, reader->len - reader->start);
	reader->len -= reader->start;
	reader->scanned -= reader->start;
	reader->start = 0;
}

void seg_varlink_reader_add(struct seg_varlink_reader *reader, const void *bytes, size_t len)
{
	if (!len)
		return;
	reader_compact(reader);
	if (reader->len + len > reader->cap) {
		size_t cap = reader->cap ? reader->cap : 512;

		while (cap < reader->len + len)
			cap *= 2;
		reader->bytes = realloc(reader->bytes, cap);
		if (!reader->bytes)
			abort();
		reader->cap = cap;
	}
	memcpy(reader->bytes + reader->len, bytes, len);
	reader->len += len;
}

int seg_varlink_reader_next(struct seg_varlink_reader *reader, char **text, size_t *len)
{
	const char *end = NULL;

	if (reader->scanned < reader->len)
		end = memchr(reader->bytes + reader->scanned, '\0', reader->len - reader->scanned);
	*len = end ? (size_t)(end - reader->bytes) - reader->start : reader->len - reader->start;
	if (*len > reader->max)
		return -EMSGSIZE;
	if (!end) {
		reader->scanned = reader->len;
		return 0;
	}
	*text = reader->bytes + reader->start;
	reader->start += *len + 1;
	reader->scanned = reader->start;
	return 1;
}

/* Turns one character into another in every key of a JSON text. The length stays, so nothing is copied;
 * a string is a key exactly where a colon follows. Text that is not JSON comes out as some other
 * text that is not JSON. */
static void rename_keys(char *text, size_t len, char from, char to)
{
	for (size_t i = 0; i < len; i++) {
		size_t start, end;

		if (text[i] != '"')
			continue;
		start = ++i;
		while (i < len && text[i] != '"')
			i += text[i] == '\\' ? 2 : 1;
		if (i >= len)
			return;
		end = i;
		while (i + 1 < len && strchr(" \t\r\n", text[i + 1]) && text[i + 1])
			i++;
		if (i + 1 >= len || text[i + 1] != ':')
			continue;
		for (size_t k = start; k < end; k++) {
			if (text[k] == from)
				text[k] = to;
		}
	}
}

static json_t *decode(char *text, size_t len)
{
	json_t *message;

	rename_keys(text, len, '_', '-');
	message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(message))
		return message;
	json_decref(message);
	return NULL;
}

/* A member that may be left out (or null): false where it is there with another type. */
static bool get_bool(json_t *message, const char *key, bool *value)
{
	json_t *member = json_object_get(message, key);

	*value = json_is_true(member);
	return !member || json_is_boolean(member) || json_is_null(member);
}

static bool get_string(json_t *message, const char *key, const char **value)
{
	json_t *member = json_object_get(message, key);

	*value = json_string_value(member);
	return !member || json_is_string(member) || json_is_null(member);
}

static bool get_parameters(json_t *message, json_t **value)
{
	json_t *member = json_object_get(message, "parameters");

	if (!member || json_is_null(member)) {
		member = json_object();
		json_object_set_new(message, "parameters", member);
	}
	*value = member;
	return json_is_object(member);
}

int seg_varlink_call_parse(char *text, size_t len, struct seg_varlink_call *call)
{
	const char *dot;

	*call = (struct seg_varlink_call){.message = decode(text, len)};
	if (!call->message)
		return -EBADMSG;
	if (!get_string(call->message, "method", &call->full) || !call->full ||
	    !get_parameters(call->message, &call->parameters) ||
	    !get_bool(call->message, "more", &call->more) ||
	    !get_bool(call->message, "oneway", &call->oneway) ||
	    !get_bool(call->message, "upgrade", &call->upgrade))
		goto bad;
	dot = strrchr(call->full, '.');
	if (!dot || dot == call->full || !dot[1])
		goto bad;
	call->method = dot + 1;
	call->interface = strndup(call->full, (size_t)(dot - call->full));
	if (!call->interface)
		abort();
	return 0;
bad:
	seg_varlink_call_fini(call);
	return -EBADMSG;
}

void seg_varlink_call_fini(struct seg_varlink_call *call)
{
	free(call->interface);
	json_decref(call->message);
	*call = (struct seg_varlink_call){0};
}

int seg_varlink_reply_parse(char *text, size_t len, struct seg_varlink_reply *reply)
{
	*reply = (struct seg_varlink_reply){.message = decode(text, len)};
	if (!reply->message)
		return -EBADMSG;
	if (get_string(reply->message, "error", &reply->error) &&
	    get_parameters(reply->message, &reply->parameters) &&
	    get_bool(reply->message, "continues", &reply->continues))
		return 0;
	seg_varlink_reply_fini(reply);
	return -EBADMSG;
}

void seg_varlink_reply_fini(struct seg_varlink_reply *reply)
{
	json_decref(reply->message);
	*reply = (struct seg_varlink_reply){0};
}

static json_t *with_parameters(json_t *message, json_t *parameters)
{
	json_object_set_new(message, "parameters", parameters ? parameters : json_object());
	return message;
}

json_t *seg_varlink_call_new(const char *method, json_t *parameters, bool more)
{
	json_t *message = json_pack("{s:s}", "method", method);

	if (more)
		json_object_set_new(message, "more", json_true());
	return with_parameters(message, parameters);
}

json_t *seg_varlink_reply_new(json_t *parameters, bool continues)
{
	json_t *message = json_object();

	if (continues)
		json_object_set_new(message, "continues", json_true());
	return with_parameters(message, parameters);
}

json_t *seg_varlink_error_new(const char *error, json_t *parameters)
{
	return with_parameters(json_pack("{s:s}", "error", error), parameters);
}

char *seg_varlink_encode(json_t *message, size_t *len)
{
	char *text = json_dumps(message, JSON_COMPACT);

	if (!text)
		abort();
	json_decref(message);
	*len = strlen(text);
	rename_keys(text, *len, '-', '_');
	++*len;
	return text;
}
