/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/report.h"

#include <string.h>

#include "base/utf8.h"

/* Text that may come from a file: what is not UTF-8 is shown, not passed on. */
static json_t *text_json(const char *text)
{
	struct seg_strbuf shown = {0};
	json_t *json = text ? json_string(text) : json_null();

	if (json)
		return json;
	seg_utf8_show(&shown, text, strlen(text));
	json = json_string(seg_strbuf_text(&shown));
	seg_strbuf_fini(&shown);
	return json;
}

static json_t *place_json(const struct seg_place *place)
{
	const struct seg_position at = seg_place_position(place);
	json_t *json = json_object();
	bool known = place->source != NULL;

	json_object_set_new(json, "file", text_json(known ? place->source->name : NULL));
	json_object_set_new(json, "line", known ? json_integer(at.line) : json_null());
	json_object_set_new(json, "column", known ? json_integer(at.column) : json_null());
	json_object_set_new(json, "end-column", known ? json_integer(at.end_column) : json_null());
	return json;
}

static json_t *diag_json(const struct seg_diag *diag)
{
	json_t *json = place_json(&diag->place), *related = json_array();

	json_object_set_new(json, "code", json_string(seg_diag_code_name(diag->code)));
	json_object_set_new(json, "message", text_json(diag->message));
	json_object_set_new(json, "hint", text_json(diag->hint));
	for (const struct seg_diag_related *r = diag->related; r; r = r->next) {
		json_t *one = place_json(&r->place);

		json_object_set_new(one, "message", text_json(r->message));
		json_array_append_new(related, one);
	}
	json_object_set_new(json, "related", related);
	return json;
}

void seg_report_put(const struct seg_diags *diags, json_t *document)
{
	json_t *errors = json_array(), *warnings = json_array();

	for (const struct seg_diag *d = diags->first; d; d = d->next)
		json_array_append_new(d->warning ? warnings : errors, diag_json(d));
	json_object_set_new(document, "errors", errors);
	json_object_set_new(document, "warnings", warnings);
}
