// SPDX-License-Identifier: GPL-2.0-or-later
/* limit: {flows: 20000 | 40%, new: 2000/s} of a zone. */
#include "policy/loader.h"

#include <stdlib.h>
#include <string.h>
#include "base/i18n.h"

#define FLOWS_MAX 100000000 /* more than any table has */
#define RATE_MAX 10000000

enum { LIMIT_FLOWS, LIMIT_NEW, LIMIT_KEYS };
static const char *const limit_key[LIMIT_KEYS] = {[LIMIT_FLOWS] = "flows", [LIMIT_NEW] = "new"};

/* Digits and then exactly this unit; a number too long to be read is out of every range. */
static bool parse_number(const struct yaml_node *node, const char *unit, unsigned long *number)
{
	size_t digits = strspn(node->text, "0123456789");

	if (!digits || strlen(node->text) != node->len || strcmp(node->text + digits, unit) != 0)
		return false;
	*number = strtoul(node->text, NULL, 10); /* ULONG_MAX where it is too long */
	return true;
}

static void refuse_form(struct loader *ld, const struct field *field, const char *format, const char *hint)
{
	const struct yaml_node *node = field->value;
	struct seg_diag *diag;

	/* The formats are N_() constants with two %s each. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	diag = seg_error(ld->diags, SEG_TYPE, node->place, _(format), subject_text(ld, field->of),
			 node->text);
#pragma GCC diagnostic pop
	if (!hint_narrow(ld, diag, node->text, node->len))
		seg_diag_hint(ld->diags, diag, "%s", _(hint));
}

static bool check_range(struct loader *ld, const struct field *field, unsigned long number,
			unsigned long most, const char *unit)
{
	if (number >= 1 && number <= most)
		return true;
	seg_error(ld->diags, SEG_RANGE, field->value->place, _("%s: '%s' must lie between 1%s and %lu%s"),
		  subject_text(ld, field->of), field->key, unit, most, unit);
	return false;
}

/* The one value of a field; NULL where it is left out, or after a report. */
static const struct yaml_node *value_of(struct loader *ld, const struct field *field, const char *hint)
{
	const struct yaml_node *node = field->value;

	if (!node || node->kind == YAML_BROKEN)
		return NULL;
	if (node->kind == YAML_SCALAR && node->len)
		return node;
	seg_diag_hint(ld->diags,
		      seg_error(ld->diags, SEG_TYPE, node->place, _("%s: '%s' takes one value"),
				subject_text(ld, field->of), field->key),
		      "%s", _(hint));
	return NULL;
}

static void read_flows(struct loader *ld, const struct field *field, struct seg_limit *limit)
{
	const char *hint =
		N_("write how many, such as flows: 20000, or a share of conntrack's table, such as "
		   "flows: 40%");
	const struct yaml_node *node = value_of(ld, field, hint);
	unsigned long number;

	if (!node)
		return;
	if (parse_number(node, "%", &number)) {
		if (check_range(ld, field, number, 100, "%"))
			limit->share = (unsigned)number;
	} else if (parse_number(node, "", &number)) {
		if (check_range(ld, field, number, FLOWS_MAX, ""))
			limit->flows = (uint32_t)number;
	} else {
		refuse_form(ld, field, N_("%s: '%s' is no number of flows"), hint);
	}
}

static void read_rate(struct loader *ld, const struct field *field, struct seg_limit *limit)
{
	const char *hint = N_("write how many new flows a second may begin, such as new: 2000/s");
	const struct yaml_node *node = value_of(ld, field, hint);
	unsigned long number;

	if (!node)
		return;
	if (!parse_number(node, "/s", &number))
		refuse_form(ld, field, N_("%s: '%s' is no rate"), hint);
	else if (check_range(ld, field, number, RATE_MAX, "/s"))
		limit->rate = (uint32_t)number;
}

void read_limit(struct loader *ld, const struct field *limit, struct seg_zone *zone)
{
	struct subject of = {.format = N_("zone '%s', limit"), .id = zone->id, .place = field_place(limit)};
	struct field field[LIMIT_KEYS];

	zone->limit = (struct seg_limit){.share = SEG_LIMIT_SHARE};
	if (limit->value && limit->value->kind == YAML_SCALAR) {
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_TYPE, of.place, _("%s must be written as keys with values"),
					subject_text(ld, &of)),
			      _("such as limit: {flows: 40%%, new: 2000/s}"));
		return;
	}
	if (!limit->value || !read_keys(ld, &of, limit->value, limit_key, LIMIT_KEYS, field))
		return;
	if (!limit->value->n)
		seg_diag_hint(
			ld->diags,
			seg_error(ld->diags, SEG_MISSING, of.place,
				  _("%s: neither 'flows' nor 'new' is given"), subject_text(ld, &of)),
			_("such as limit: {flows: 40%%, new: 2000/s}"));
	read_flows(ld, &field[LIMIT_FLOWS], &zone->limit);
	read_rate(ld, &field[LIMIT_NEW], &zone->limit);
}
