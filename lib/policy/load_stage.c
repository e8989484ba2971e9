// SPDX-License-Identifier: GPL-2.0-or-later
/* Emergency stages: what each closes, by permit, by class and by zone. */
#include "policy/loader.h"

#include <string.h>
#include "base/i18n.h"

enum { STAGE_TITLE, STAGE_CLOSES, STAGE_KEYS };
static const char *const stage_key[STAGE_KEYS] = {[STAGE_TITLE] = "title", [STAGE_CLOSES] = "closes"};

enum { CLOSES_PERMITS, CLOSES_CLASSES, CLOSES_ZONES, CLOSES_KEYS };
static const char *const closes_key[CLOSES_KEYS] = {
	[CLOSES_PERMITS] = "permits", [CLOSES_CLASSES] = "classes", [CLOSES_ZONES] = "zones"};

static void hint_permits(struct loader *ld, struct seg_diag *diag, const char *word)
{
	const struct seg_policy *policy = ld->policy;
	const char **names = SEG_NEW_N(ld->scratch, const char *, policy->permits + 1);

	for (size_t i = 0; i < policy->permits; i++)
		names[i] = policy->permit[i].id;
	hint_names(ld, diag, word, names, policy->permits);
}

static void read_permits(struct loader *ld, const struct field *field, struct seg_stage *stage)
{
	const struct yaml_node **items;
	size_t n = field->value ? read_list(ld, field, &items, NULL) : 0;
	const struct seg_permit **permit = SEG_NEW_N(ld->arena, const struct seg_permit *, n);

	for (size_t i = 0; i < n; i++) {
		const struct seg_permit *one = seg_policy_permit(ld->policy, items[i]->text);

		if (one)
			permit[stage->permits++] = one;
		else if (ld->permits_known)
			hint_permits(ld,
				     seg_error(ld->diags, SEG_UNKNOWN_NAME, items[i]->place,
					       _("%s: no permit '%s' is declared"),
					       subject_text(ld, field->of), items[i]->text),
				     items[i]->text);
	}
	stage->permit = permit;
}

static void read_classes(struct loader *ld, const struct field *field, struct seg_stage *stage)
{
	const struct yaml_node **items;
	size_t n = field->value ? read_list(ld, field, &items, NULL) : 0;

	for (size_t i = 0; i < n; i++) {
		struct field item = {.of = field->of, .key = field->key, .value = items[i]};
		enum seg_class class;

		if (read_class(ld, &item, &class))
			stage->classes |= 1u << class;
	}
}

static void read_zones(struct loader *ld, const struct field *field, struct seg_stage *stage)
{
	const struct yaml_node **items;
	size_t n = field->value ? read_list(ld, field, &items, NULL) : 0;
	const struct seg_zone **zone = SEG_NEW_N(ld->arena, const struct seg_zone *, n);

	for (size_t i = 0; i < n; i++) {
		const struct seg_zone *one = read_zone_name(ld, field, items[i]);

		if (one && one == ld->policy->gateway_zone)
			seg_diag_hint(ld->diags,
				      seg_error(ld->diags, SEG_RANGE, items[i]->place,
						_("%s: the gateway itself cannot be closed"),
						subject_text(ld, field->of)),
				      _("name the zones that shall be cut off from it"));
		else if (one)
			zone[stage->zones++] = one;
	}
	stage->zone = zone;
}

static void read_closes(struct loader *ld, const struct field *closes, struct seg_stage *stage)
{
	struct subject of = {
		.format = N_("stage '%s', closes"), .id = stage->id, .place = field_place(closes)};
	struct field field[CLOSES_KEYS];

	if (!closes->value || !read_keys(ld, &of, closes->value, closes_key, CLOSES_KEYS, field))
		return;
	if (!closes->value->n)
		seg_diag_hint(
			ld->diags,
			seg_error(ld->diags, SEG_MISSING, of.place, _("%s: it closes nothing"),
				  subject_text(ld, &of)),
			_("such as closes: {zones: [internet], classes: [breakout], permits: [SC-13]}"));
	read_permits(ld, &field[CLOSES_PERMITS], stage);
	read_classes(ld, &field[CLOSES_CLASSES], stage);
	read_zones(ld, &field[CLOSES_ZONES], stage);
}

static void load_stage(struct loader *ld, const struct yaml_node *node, struct seg_stage *stage)
{
	struct subject of = {.format = N_("stage '%s'"), .id = node->key->text, .place = node->key->place};
	struct field field[STAGE_KEYS];

	stage->place = node->key->place;
	stage->id = stage->title = seg_arena_strndup(ld->arena, node->key->text, node->key->len);
	if (check_id(ld, &of, node->key) && strcmp(stage->id, SEG_STAGE_NONE) == 0)
		seg_diag_hint(ld->diags,
			      seg_error(ld->diags, SEG_TYPE, stage->place,
					_("stage '%s': this id means that no stage is in force"), stage->id),
			      _("choose another id"));
	if (!read_keys(ld, &of, node, stage_key, STAGE_KEYS, field))
		return;
	require(ld, &field[STAGE_CLOSES], N_("closes: what it cuts off, as permits, classes or zones"));
	read_text(ld, &field[STAGE_TITLE], &stage->title);
	read_closes(ld, &field[STAGE_CLOSES], stage);
}

void load_stages(struct loader *ld, const struct field *field)
{
	const struct yaml_node *node = declarations(ld, field);
	struct seg_stage *stage = SEG_NEW_N(ld->arena, struct seg_stage, node ? field->value->n : 0);
	struct seg_map by_id = {0};

	ld->policy->stage = stage;
	for (; node; node = node->next, stage++) {
		void *first = NULL;

		load_stage(ld, node, stage);
		if (!seg_map_add(&by_id, ld->scratch, stage->id, stage, &first))
			seg_diag_relate(ld->diags,
					seg_error(ld->diags, SEG_DUPLICATE, stage->place,
						  _("stage '%s' is declared a second time"), stage->id),
					((const struct seg_stage *)first)->place, _("first here"));
		ld->policy->stages++;
	}
}
