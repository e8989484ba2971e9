/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What anybody who may connect can send: a stream of bytes in any pieces, cut into
 * messages, parsed as a call and as a reply, held against the description, and what
 * was understood encoded and understood again.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "control/idl.h"
#include "control/interface.h"
#include "control/varlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A key with an escaped underscore is no key of ours and may come back as another's double. */
static bool has_escape(const char *text, size_t len)
{
	return memmem(text, len, "\\u", 2);
}

static void encode_again(json_t *message)
{
	struct seg_varlink_reply reply;
	size_t len;
	char *text = seg_varlink_encode(message, &len);

	if (seg_varlink_reply_parse(text, len - 1, &reply))
		abort();
	seg_varlink_reply_fini(&reply);
	free(text);
}

static void take_message(const struct seg_idl *idl, const char *text, size_t len)
{
	struct seg_strbuf path = {0};
	struct seg_varlink_call call;
	struct seg_varlink_reply reply;
	char *copy = malloc(len + 1);

	memcpy(copy, text, len + 1);
	if (!seg_varlink_call_parse(copy, len, &call)) {
		seg_idl_check(idl, SEG_IDL_PARAMETERS, call.method, call.parameters, &path);
		seg_varlink_call_fini(&call);
	}
	memcpy(copy, text, len + 1);
	if (!seg_varlink_reply_parse(copy, len, &reply)) {
		seg_idl_check(idl, SEG_IDL_REPLY, "Status", reply.parameters, &path);
		if (!has_escape(text, len))
			encode_again(seg_varlink_reply_new(json_incref(reply.parameters), reply.continues));
		seg_varlink_reply_fini(&reply);
	}
	seg_strbuf_fini(&path);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seg_idl *idl;
	struct seg_varlink_reader reader = {.max = 4096};
	size_t step, len;
	char *text;

	if (!idl)
		idl = seg_idl_parse(seg_interface_segd, NULL);
	step = size ? 1 + data[0] : 1;
	for (size_t i = 0; i < size; i += step) {
		seg_varlink_reader_add(&reader, data + i, size - i < step ? size - i : step);
		while (seg_varlink_reader_next(&reader, &text, &len) == 1)
			take_message(idl, text, len);
	}
	seg_varlink_reader_fini(&reader);

	text = strndup((const char *)data, size);
	seg_idl_free(seg_idl_parse(text, NULL));
	free(text);
	return 0;
}
