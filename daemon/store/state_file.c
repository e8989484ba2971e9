// SPDX-License-Identifier: GPL-2.0-or-later
#include "state_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

static unsigned json_unsigned(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 && value <= UINT32_MAX ? (unsigned)value : 0;
}

static void copy_text(char *to, size_t size, const json_t *text)
{
	const char *from = json_string_value(text);

	snprintf(to, size, "%s", from ? from : "");
}

static void state_read_ranges(struct seg_isolation *isolation, const json_t *list)
{
	const char *reason;
	size_t i;
	json_t *one;

	isolation->range = calloc(json_array_size(list) + 1, sizeof(*isolation->range));
	if (!isolation->range)
		abort();
	json_array_foreach(list, i, one)
	{
		if (json_is_string(one) &&
		    seg_range_parse(json_string_value(one), json_string_length(one), true,
				    &isolation->range[isolation->ranges], &reason))
			isolation->ranges++;
	}
}

static json_t *state_ranges(const struct seg_isolation *isolation)
{
	json_t *list = json_array();
	char text[SEG_RANGE_STRLEN];

	for (size_t i = 0; i < isolation->ranges; i++)
		json_array_append_new(list, json_string(seg_range_format(isolation->range[i], text)));
	return list;
}

static void state_read_stage(struct seg_staged *stage, const json_t *from)
{
	copy_text(stage->id, sizeof(stage->id), json_object_get(from, "id"));
	copy_text(stage->reason, sizeof(stage->reason), json_object_get(from, "reason"));
	stage->since = json_integer_value(json_object_get(from, "since"));
	stage->uid = json_unsigned(from, "uid");
	stage->closes = json_incref(json_object_get(from, "closes"));
}

static json_t *state_stage(const struct seg_staged *stage)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:O?}", "id", stage->id, "reason", stage->reason, "since",
			 (json_int_t)stage->since, "uid", (json_int_t)stage->uid, "closes", stage->closes);
}

static void state_read_isolations(struct seg_state *state, const json_t *list)
{
	size_t i;
	json_t *one;

	state->isolation = calloc(json_array_size(list) + 1, sizeof(*state->isolation));
	if (!state->isolation)
		abort();
	json_array_foreach(list, i, one)
	{
		struct seg_isolation *isolation = &state->isolation[state->isolations++];

		copy_text(isolation->target, sizeof(isolation->target), json_object_get(one, "target"));
		copy_text(isolation->reason, sizeof(isolation->reason), json_object_get(one, "reason"));
		isolation->since = json_integer_value(json_object_get(one, "since"));
		isolation->until = json_integer_value(json_object_get(one, "until"));
		isolation->uid = json_unsigned(one, "uid");
		state_read_ranges(isolation, json_object_get(one, "addresses"));
	}
}

static json_t *state_pack(const struct seg_state *state)
{
	json_t *isolated = json_array();

	for (size_t i = 0; i < state->isolations; i++) {
		const struct seg_isolation *one = &state->isolation[i];

		json_array_append_new(isolated,
				      json_pack("{s:s, s:I, s:I, s:I, s:s, s:o}", "target", one->target, "since",
						(json_int_t)one->since, "until", (json_int_t)one->until, "uid",
						(json_int_t)one->uid, "reason", one->reason, "addresses",
						state_ranges(one)));
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:o, s:o}", "current", (json_int_t)state->current, "confirmed",
			 (json_int_t)state->confirmed, "since", (json_int_t)state->since, "confirm-until",
			 (json_int_t)state->confirm_until, "went-back", state->went_back, "told",
			 (json_int_t)state->told, "lost", (json_int_t)state->lost, "stage", state_stage(&state->stage),
			 "isolated", isolated);
}

static void state_unpack(struct seg_state *state, const json_t *root)
{
	state->current = json_unsigned(root, "current");
	state->confirmed = json_unsigned(root, "confirmed");
	state->since = json_integer_value(json_object_get(root, "since"));
	state->confirm_until = json_integer_value(json_object_get(root, "confirm-until"));
	copy_text(state->went_back, sizeof(state->went_back), json_object_get(root, "went-back"));
	state->told = (seg_date)json_integer_value(json_object_get(root, "told"));
	state->lost = json_integer_value(json_object_get(root, "lost"));
	state_read_stage(&state->stage, json_object_get(root, "stage"));
	state_read_isolations(state, json_object_get(root, "isolated"));
}

/* A file that lacks what each has is as good as torn. */
static int state_read(int dir, const char *name, json_t **root)
{
	char *text;
	size_t len;
	int r = seg_file_read(dir, name, &text, &len);

	if (r)
		return r;
	*root = json_loadb(text, len, 0, NULL);
	free(text);
	if (json_is_integer(json_object_get(*root, "confirmed")) && json_is_array(json_object_get(*root, "isolated")))
		return 0;
	json_decref(*root);
	*root = NULL;
	return -EBADMSG;
}

int seg_state_file_load(int dir, struct seg_state *state, int *original, int *copy)
{
	json_t *root = NULL, *second = NULL;

	memset(state, 0, sizeof(*state));
	*original = state_read(dir, SEG_STATE_FILE, &root);
	*copy = state_read(dir, SEG_STATE_COPY, &second);
	if (root || second)
		state_unpack(state, root ? root : second);
	if (root && second && !json_equal(root, second))
		*copy = -ESTALE;
	json_decref(root);
	json_decref(second);
	if (!*original || !*copy)
		return 0; /* one of the two does */
	return *original == -ENOENT ? *copy : *original;
}

int seg_state_file_save(int dir, const struct seg_state *state, int *copy)
{
	json_t *root = state_pack(state);
	char *text = json_dumps(root, JSON_INDENT(1));
	int r = text ? seg_file_replace(dir, SEG_STATE_FILE, text, strlen(text))
		     : -EILSEQ; /* a text that is not UTF-8: never let in */

	json_decref(root);
	*copy = r ? 0 : seg_file_replace(dir, SEG_STATE_COPY, text, strlen(text));
	free(text);
	return r;
}

void seg_state_file_put_aside(int dir)
{
	renameat(dir, SEG_STATE_FILE, dir, SEG_STATE_FILE ".lost");
	renameat(dir, SEG_STATE_COPY, dir, SEG_STATE_COPY ".lost");
}

void seg_state_fini(struct seg_state *state)
{
	for (size_t i = 0; i < state->isolations; i++)
		free(state->isolation[i].range);
	json_decref(state->stage.closes);
	state->stage.closes = NULL;
	free(state->isolation);
	state->isolation = NULL;
	state->isolations = 0;
}
