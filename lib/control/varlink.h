/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_CONTROL_VARLINK_H
#define SEG_CONTROL_VARLINK_H

/*
 * The Varlink wire format, as bytes and values: no descriptors, no clock.
 *
 * A message is one JSON object ended by a NUL byte. The same reader cuts a stream
 * into messages for the daemon and for segctl; what comes from the other side is
 * hostile until it has been parsed here: longer than the cap, not JSON, not an
 * object, a duplicate key or a wrong type is refused.
 *
 * Keys: the contract of segd's JSON writes them with hyphens ("confirm-until"), Varlink
 * allows letters, digits and underscores alone. Encoding turns '-' into '_' in the
 * keys of objects, decoding turns it back. On the wire any Varlink client finds
 * the fields its description promises, and on this side of the functions below only hyphens
 * exist. So no key may be made of data (an id, a name).
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SEG_VARLINK_SERVICE "org.varlink.service"

/* Bytes come in pieces, messages come out. A zeroed struct with `max` set is ready. */
struct seg_varlink_reader {
	size_t max;  /* longest message accepted, without its NUL */
	char *bytes; /* owned */
	size_t len, cap;
	size_t start;	/* of the first message not yet taken */
	size_t scanned; /* no NUL between start and here */
};
void seg_varlink_reader_fini(struct seg_varlink_reader *reader);
void seg_varlink_reader_add(struct seg_varlink_reader *reader, const void *bytes, size_t len);
/* 1: a message, NUL-ended, writable, valid until the next call on this reader; 0: more bytes are needed;
 * -EMSGSIZE: the next message is longer than max, nothing further can be read. */
int seg_varlink_reader_next(struct seg_varlink_reader *reader, char **text, size_t *len);

/* A call as it arrived. Everything borrowed from message, which it owns. */
struct seg_varlink_call {
	json_t *message;
	char *interface;    /* "org.segd": the name up to its last dot; owned */
	const char *method; /* "Apply" */
	const char *full;   /* "org.segd.Apply" */
	json_t *parameters; /* an object, never NULL; borrowed */
	bool more, oneway, upgrade;
};
/* -EBADMSG: not a call; the connection cannot be trusted to be in step and has to end. */
int seg_varlink_call_parse(char *text, size_t len, struct seg_varlink_call *call);
void seg_varlink_call_fini(struct seg_varlink_call *call);

/* A reply as it arrived. */
struct seg_varlink_reply {
	json_t *message;    /* owned */
	const char *error;  /* NULL: none. "org.segd.Refused" */
	json_t *parameters; /* an object, never NULL; borrowed */
	bool continues;
};
int seg_varlink_reply_parse(char *text, size_t len, struct seg_varlink_reply *reply);
void seg_varlink_reply_fini(struct seg_varlink_reply *reply);

/* Messages to send. Each takes over `parameters` (NULL: none). */
json_t *seg_varlink_call_new(const char *method, json_t *parameters, bool more);
json_t *seg_varlink_reply_new(json_t *parameters, bool continues);
json_t *seg_varlink_error_new(const char *error, json_t *parameters);

/* The bytes of a message, its NUL included in *len. Takes over the message. The caller frees. */
char *seg_varlink_encode(json_t *message, size_t *len);

#endif
