// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/unchanged.h"

#include <string.h>

/* Where the two texts differ: one piece of each, all that lies between the first byte and the last. */
struct edit {
	const struct seg_source *old, *new;
	size_t from, line;	 /* in both; its line, which may stand behind the edit as it was */
	size_t old_end, new_end; /* what stands behind is the same again */
};

static size_t same_from_start(const char *a, const char *b, size_t n)
{
	size_t at = 0;

	for (uint64_t x, y; n - at >= sizeof(x); at += sizeof(x)) {
		memcpy(&x, a + at, sizeof(x));
		memcpy(&y, b + at, sizeof(y));
		if (x != y)
			break;
	}
	while (at < n && a[at] == b[at])
		at++;
	return at;
}

/* a and b: behind the last byte of either. */
static size_t same_from_end(const char *a, const char *b, size_t n)
{
	size_t done = 0;

	for (uint64_t x, y; n - done >= sizeof(x); done += sizeof(x)) {
		memcpy(&x, a - done - sizeof(x), sizeof(x));
		memcpy(&y, b - done - sizeof(y), sizeof(y));
		if (x != y)
			break;
	}
	while (done < n && a[-1 - (ptrdiff_t)done] == b[-1 - (ptrdiff_t)done])
		done++;
	return done;
}

static size_t line_of(const struct seg_source *source, size_t at)
{
	while (at > 0 && source->text[at - 1] != '\n')
		at--;
	return at;
}

static struct edit compare(const struct seg_source *old, const struct seg_source *new)
{
	size_t shorter = old->len < new->len ? old->len : new->len, behind;
	struct edit edit = {.old = old, .new = new};

	edit.from = same_from_start(old->text, new->text, shorter);
	edit.line = line_of(old, edit.from);
	behind = same_from_end(old->text + old->len, new->text + new->len, shorter - edit.line);
	edit.old_end = old->len - behind;
	edit.new_end = new->len - behind;
	return edit;
}

static bool is_nothing(const struct edit *edit)
{
	return edit->from == edit->old->len && edit->from == edit->new->len;
}

static size_t next_line(const struct seg_source *source, size_t at)
{
	const char *end = memchr(source->text + at, '\n', source->len - at);

	return end ? (size_t)(end - source->text) + 1 : source->len;
}

/* Does the line at `at` leave a list whose hyphens stand at this column? Blank lines and comments do not. */
static bool leaves_list(const struct seg_source *source, size_t at, size_t column)
{
	const char *text = source->text + at;
	size_t indent = strspn(text, " ");

	if (text[indent] == '\n' || text[indent] == '\0' || text[indent] == '#')
		return false;
	return indent < column || (indent == column && strncmp(text + indent, "- ", 2) != 0);
}

/* The list of permits in the old text, as lines: each permit begins one, with its hyphen. */
struct list_lines {
	const struct seg_policy *policy;
	size_t first, end, column; /* of the first permit, behind the last, of the hyphens */
};

static size_t line_of_permit(const struct seg_policy *policy, size_t index)
{
	return line_of(policy->source[0], policy->permit[index].place.permit.start);
}

static bool begins_item(const struct seg_source *source, size_t line, size_t column)
{
	return strspn(source->text + line, " ") == column &&
	       strncmp(source->text + line + column, "- ", 2) == 0;
}

/* False: written in brackets. */
static bool find_list(const struct seg_policy *policy, struct list_lines *list)
{
	const struct seg_source *source = policy->source[0];

	*list = (struct list_lines){.policy = policy, .first = line_of_permit(policy, 0)};
	list->column = strspn(source->text + list->first, " ");
	if (!begins_item(source, list->first, list->column))
		return false;
	list->end = next_line(source, line_of_permit(policy, policy->permits - 1));
	while (list->end < source->len && !leaves_list(source, list->end, list->column))
		list->end = next_line(source, list->end);
	return true;
}

/* Inside the list in both texts: behind the first hyphen, and nothing new stands beside the list. */
static bool lies_inside(const struct edit *edit, const struct list_lines *list)
{
	size_t end = edit->new_end;

	if (is_nothing(edit))
		return true;
	if (edit->from < list->first + list->column + 2 || edit->old_end > list->end)
		return false;
	/* What is the same behind the edit may begin a line there that it did not begin before. */
	if (line_of(edit->old, edit->old_end) != edit->old_end)
		end = next_line(edit->new, end);
	for (size_t at = edit->line; at < end; at = next_line(edit->new, at))
		if (leaves_list(edit->new, at, list->column))
			return false;
	return true;
}

static struct seg_place moved(struct seg_place place, const struct seg_source *source, int64_t by)
{
	if (!place.source)
		return place;
	return (struct seg_place){source, (uint32_t)(place.start + by), (uint32_t)(place.end + by)};
}

/* Lines wholly before the edit, with the hyphen of the permit behind them, or wholly behind it. */
static void know(struct unchanged *unchanged, const struct edit *edit, const struct list_lines *list,
		 struct yaml_known_item *item)
{
	const struct seg_policy *before = unchanged->before;
	int64_t longer = (int64_t)edit->new_end - (int64_t)edit->old_end;

	for (size_t i = 0, line = list->first, next; i < before->permits; i++, line = next) {
		bool last = i + 1 == before->permits;
		bool behind = line >= edit->old_end || is_nothing(edit);
		int64_t by = behind ? longer : 0;

		next = last ? list->end : line_of_permit(before, i + 1);
		if (!begins_item(edit->old, line, list->column) ||
		    (!behind && (last || next + list->column + 2 > edit->from)) ||
		    (!last && !begins_item(edit->old, next, list->column)))
			continue;
		item[unchanged->known.n++] = (struct yaml_known_item){
			.start = (size_t)((int64_t)line + by),
			.end = (size_t)((int64_t)next + by),
			.place = moved(before->permit[i].place.permit, edit->new, by),
			.which = (uint32_t)i,
		};
	}
}

void unchanged_find(struct unchanged *unchanged, const struct seg_policy *before,
		    const struct seg_source *source, struct seg_arena *arena)
{
	struct yaml_known_item *item;
	struct list_lines list;
	struct edit edit;

	*unchanged = (struct unchanged){.before = before, .known = {.key = "permits"}};
	if (!before || !before->permits || source->len >= YAML_KNOWN_MAX || !find_list(before, &list))
		return;
	edit = compare(before->source[0], source);
	if (!lies_inside(&edit, &list))
		return;
	item = SEG_ROOM(arena, struct yaml_known_item, before->permits);
	unchanged->known.item = item;
	know(unchanged, &edit, &list, item);
}

bool unchanged_surroundings(const struct loader *ld)
{
	const struct seg_policy *policy = ld->policy, *before = ld->unchanged->before;

	if (ld->sources != before->sources || policy->zones != before->zones ||
	    policy->hosts != before->hosts || policy->services != before->services)
		return false;
	for (size_t i = 1; i < ld->sources; i++)
		if (ld->source[i]->len != before->source[i]->len ||
		    memcmp(ld->source[i]->text, before->source[i]->text, ld->source[i]->len) != 0)
			return false;
	return true;
}

/* A copy in progress: the old permit's parts stand at the same index in the new policy. */
struct copy {
	struct loader *ld;
	int64_t by; /* places move by so much */
};

static struct seg_place copy_place(const struct copy *copy, struct seg_place place)
{
	return moved(place, copy->ld->source[0], copy->by);
}

static const void *copy_bytes(const struct copy *copy, const void *bytes, size_t size)
{
	return size ? seg_arena_copy(copy->ld->arena, bytes, size) : NULL;
}

static const struct seg_side *copy_sides(const struct copy *copy, const struct seg_side *old, size_t n)
{
	struct seg_side *side = SEG_ROOM(copy->ld->arena, struct seg_side, n);

	for (size_t i = 0; i < n; i++) {
		side[i] = old[i];
		side[i].zone = &copy->ld->policy->zone[old[i].zone->index];
		side[i].place = copy_place(copy, old[i].place);
		side[i].ranges.range =
			copy_bytes(copy, old[i].ranges.range, old[i].ranges.n * sizeof(*old[i].ranges.range));
		side[i].bound = copy_bytes(copy, old[i].bound, old[i].n_bound * sizeof(*old[i].bound));
	}
	return side;
}

/* What is being loaded may still be written to. */
static const struct seg_host *use_host(const struct copy *copy, const struct seg_host *old)
{
	size_t index = (size_t)(old - copy->ld->unchanged->before->host);
	struct seg_host *host = (struct seg_host *)&copy->ld->policy->host[index];

	host->used = true;
	return host;
}

static const struct seg_service *use_service(const struct copy *copy, const struct seg_service *old)
{
	size_t index = (size_t)(old - copy->ld->unchanged->before->service);
	struct seg_service *service = (struct seg_service *)&copy->ld->policy->service[index];

	service->used = true;
	return service;
}

static const struct seg_operand *copy_operands(const struct copy *copy, const struct seg_operand *old,
					       size_t n)
{
	struct seg_operand *operand = n ? SEG_ROOM(copy->ld->arena, struct seg_operand, n) : NULL;

	for (size_t i = 0; i < n; i++) {
		operand[i] = old[i];
		operand[i].place = copy_place(copy, old[i].place);
		if (old[i].host)
			operand[i].host = use_host(copy, old[i].host);
	}
	return operand;
}

static const struct seg_service_ref *copy_services(const struct copy *copy, const struct seg_service_ref *old,
						   size_t n)
{
	struct seg_service_ref *ref = SEG_ROOM(copy->ld->arena, struct seg_service_ref, n);

	for (size_t i = 0; i < n; i++) {
		ref[i] = old[i];
		ref[i].place = copy_place(copy, old[i].place);
		ref[i].item.place = copy_place(copy, old[i].item.place);
		if (old[i].service)
			ref[i].service = use_service(copy, old[i].service);
	}
	return ref;
}

static void copy_texts(const struct copy *copy, const struct seg_permit *old, struct seg_permit *permit)
{
	struct seg_arena *arena = copy->ld->arena;

	permit->id = seg_arena_strdup(arena, old->id);
	permit->title = old->title == old->id ? permit->id : seg_arena_strdup(arena, old->title);
	permit->owner = seg_arena_strdup(arena, old->owner);
	permit->approver = seg_arena_strdup(arena, old->approver);
	permit->ticket = seg_arena_strdup(arena, old->ticket);
	permit->basis = seg_arena_strdup(arena, old->basis);
	permit->external_audit = seg_arena_strdup(arena, old->external_audit);
}

static void copy_places(const struct copy *copy, struct seg_permit *permit)
{
	struct seg_place *place = (struct seg_place *)&permit->place;

	_Static_assert(sizeof(permit->place) % sizeof(*place) == 0, "nothing but places");
	for (size_t i = 0; i < sizeof(permit->place) / sizeof(*place); i++)
		place[i] = copy_place(copy, place[i]);
}

void unchanged_copy(struct loader *ld, const struct yaml_node *node, unsigned index,
		    struct seg_permit *permit)
{
	const struct seg_permit *old = &ld->unchanged->before->permit[node->n];
	struct copy copy = {ld, (int64_t)node->place.start - (int64_t)old->place.permit.start};

	*permit = *old;
	permit->index = index;
	copy_texts(&copy, old, permit);
	copy_places(&copy, permit);
	permit->from = copy_sides(&copy, old->from, old->n_from);
	permit->to = copy_sides(&copy, old->to, old->n_to);
	permit->source = copy_operands(&copy, old->source, old->n_source);
	permit->destination = copy_operands(&copy, old->destination, old->n_destination);
	permit->service = copy_services(&copy, old->service, old->n_service);
	permit->schedule.hours =
		copy_bytes(&copy, old->schedule.hours, old->schedule.n_hours * sizeof(*old->schedule.hours));
}
