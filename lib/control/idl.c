/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "control/idl.h"

#define TYPE_DEPTH 16 /* parentheses and brackets in one another */

enum kind { BOOL, INT, FLOAT, STRING, OBJECT, ENUM, STRUCT, ARRAY, DICT, NAMED };

struct field {
	const char *name;
	const struct type *type; /* NULL for the values of an enum */
};
struct type {
	enum kind kind;
	bool maybe;
	const struct type *item;    /* ARRAY, DICT */
	const char *name;	    /* NAMED */
	const struct type *meaning; /* NAMED, once all is read */
	const struct field *field;  /* ENUM, STRUCT */
	size_t fields;
};

enum member_kind { MEMBER_TYPE, MEMBER_METHOD, MEMBER_ERROR };
struct member {
	enum member_kind kind;
	const char *name;
	const struct type *type, *reply; /* reply: methods alone */
};
/* Named types as they are referred to, resolved at the end. */
struct reference {
	struct type *type;
	unsigned line;
};
struct seg_idl {
	struct seg_arena *arena;
	const char *name;
	struct member *member;
	size_t members, members_cap;
};

struct parser {
	struct seg_idl *idl;
	const char *at;
	unsigned line;
	unsigned depth;
	struct reference *reference;
	size_t references, references_cap;
};

static void skip_blank(struct parser *p)
{
	for (; *p->at; p->at++) {
		if (*p->at == '#') {
			while (p->at[1] && p->at[1] != '\n')
				p->at++;
		} else if (*p->at == '\n') {
			p->line++;
		} else if (!isspace((unsigned char)*p->at)) {
			return;
		}
	}
}

static bool accept(struct parser *p, const char *token)
{
	size_t len = strlen(token);

	skip_blank(p);
	if (strncmp(p->at, token, len))
		return false;
	p->at += len;
	return true;
}

static char *take_name(struct parser *p, const char *extra)
{
	const char *start;

	skip_blank(p);
	start = p->at;
	if (!isalpha((unsigned char)*start))
		return NULL;
	while (isalnum((unsigned char)*p->at) || (*p->at && strchr(extra, *p->at)))
		p->at++;
	return seg_arena_strndup(p->idl->arena, start, (size_t)(p->at - start));
}

static void hyphenate(char *name)
{
	for (; *name; name++) {
		if (*name == '_')
			*name = '-';
	}
}

static const struct type *parse_type(struct parser *p);

/* Behind '(': a struct, an enum (names without types), or nothing at all. */
static bool parse_fields(struct parser *p, struct type *type)
{
	struct field *field = NULL;
	size_t n = 0, cap = 0;

	type->kind = STRUCT;
	if (accept(p, ")"))
		return true;
	do {
		char *name = take_name(p, "_");
		struct field one = {.name = name};

		if (!name)
			return false;
		if (accept(p, ":")) {
			hyphenate(name);
			one.type = parse_type(p);
			if (!one.type)
				return false;
		}
		if (n && !one.type != !field[0].type)
			return false;
		SEG_PUSH(p->idl->arena, field, n, cap) = one;
	} while (accept(p, ","));
	type->kind = field[0].type ? STRUCT : ENUM;
	type->field = field;
	type->fields = n;
	return accept(p, ")");
}

static bool parse_plain_type(struct parser *p, struct type *type)
{
	static const struct {
		const char *name;
		enum kind kind;
	} simple[] = {{"bool", BOOL}, {"int", INT}, {"float", FLOAT}, {"string", STRING}, {"object", OBJECT}};
	const char *name;

	if (accept(p, "("))
		return parse_fields(p, type);
	name = take_name(p, "");
	if (!name)
		return false;
	for (size_t i = 0; i < sizeof(simple) / sizeof(*simple); i++) {
		if (!strcmp(name, simple[i].name)) {
			type->kind = simple[i].kind;
			return true;
		}
	}
	type->kind = NAMED;
	type->name = name;
	SEG_PUSH(p->idl->arena, p->reference, p->references, p->references_cap) =
		(struct reference){type, p->line};
	return isupper((unsigned char)*name);
}

static const struct type *parse_type(struct parser *p)
{
	struct type *type = SEG_NEW(p->idl->arena, struct type);
	bool good;

	if (++p->depth > TYPE_DEPTH)
		return NULL;
	type->maybe = accept(p, "?");
	if (accept(p, "[")) {
		type->kind = ARRAY;
		if (accept(p, "string"))
			type->kind = DICT;
		good = accept(p, "]") && (type->item = parse_type(p));
	} else {
		good = parse_plain_type(p, type);
	}
	p->depth--;
	return good ? type : NULL;
}

static const struct member *find(const struct seg_idl *idl, enum member_kind kind, const char *name)
{
	for (size_t i = 0; i < idl->members; i++) {
		if (idl->member[i].kind == kind && !strcmp(idl->member[i].name, name))
			return &idl->member[i];
	}
	return NULL;
}

/* A type of (...), as every member has; only a named type may be an enum. */
static const struct type *parse_members_type(struct parser *p, bool may_enum)
{
	struct type *type = SEG_NEW(p->idl->arena, struct type);

	if (!accept(p, "(") || !parse_fields(p, type) || (type->kind == ENUM && !may_enum))
		return NULL;
	return type;
}

static bool parse_member(struct parser *p)
{
	struct member member = {0};

	if (accept(p, "type "))
		member.kind = MEMBER_TYPE;
	else if (accept(p, "method "))
		member.kind = MEMBER_METHOD;
	else if (accept(p, "error "))
		member.kind = MEMBER_ERROR;
	else
		return false;
	member.name = take_name(p, "");
	if (!member.name || !isupper((unsigned char)*member.name))
		return false;
	for (int kind = MEMBER_TYPE; kind <= MEMBER_ERROR; kind++) {
		if (find(p->idl, (enum member_kind)kind, member.name))
			return false;
	}
	member.type = parse_members_type(p, member.kind == MEMBER_TYPE);
	if (!member.type)
		return false;
	if (member.kind == MEMBER_METHOD &&
	    (!accept(p, "->") || !(member.reply = parse_members_type(p, false))))
		return false;
	SEG_PUSH(p->idl->arena, p->idl->member, p->idl->members, p->idl->members_cap) = member;
	return true;
}

static bool resolve(struct parser *p)
{
	for (size_t i = 0; i < p->references; i++) {
		const struct member *member = find(p->idl, MEMBER_TYPE, p->reference[i].type->name);

		if (!member) {
			p->line = p->reference[i].line;
			return false;
		}
		p->reference[i].type->meaning = member->type;
	}
	return true;
}

struct seg_idl *seg_idl_parse(const char *text, unsigned *line)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_idl *idl = SEG_NEW(arena, struct seg_idl);
	struct parser p = {.idl = idl, .at = text, .line = 1};
	bool good;

	idl->arena = arena;
	good = accept(&p, "interface ") && (idl->name = take_name(&p, ".-"));
	for (skip_blank(&p); good && *p.at; skip_blank(&p))
		good = parse_member(&p);
	if (good && resolve(&p))
		return idl;
	if (line)
		*line = p.line;
	seg_arena_free(arena);
	return NULL;
}

void seg_idl_free(struct seg_idl *idl)
{
	if (idl)
		seg_arena_free(idl->arena);
}

const char *seg_idl_name(const struct seg_idl *idl)
{
	return idl->name;
}

bool seg_idl_has_method(const struct seg_idl *idl, const char *method)
{
	return find(idl, MEMBER_METHOD, method);
}

const char *seg_idl_method(const struct seg_idl *idl, size_t i)
{
	for (size_t k = 0; k < idl->members; k++) {
		if (idl->member[k].kind == MEMBER_METHOD && !i--)
			return idl->member[k].name;
	}
	return NULL;
}

/*
 * The path grows from the inside: each level puts its own step in front when the
 * level below failed. Only the failing path is ever written.
 */
static bool check(const struct type *type, const json_t *value, struct seg_strbuf *path);

static bool fault(struct seg_strbuf *path, const char *step, size_t index)
{
	char *rest = seg_strbuf_take(path);
	bool dot = step && rest && *rest && *rest != '[';

	if (step)
		seg_strbuf_printf(path, "%s%s%s", step, dot ? "." : "", rest ? rest : "");
	else
		seg_strbuf_printf(path, "[%zu]%s%s", index, rest && *rest && *rest != '[' ? "." : "",
				  rest ? rest : "");
	free(rest);
	return false;
}

static const struct field *field_of(const struct type *type, const char *name)
{
	for (size_t i = 0; i < type->fields; i++) {
		if (!strcmp(type->field[i].name, name))
			return &type->field[i];
	}
	return NULL;
}

static bool check_struct(const struct type *type, const json_t *value, struct seg_strbuf *path)
{
	const char *key;
	json_t *member;

	if (!json_is_object(value))
		return false;
	json_object_foreach((json_t *)value, key, member)
	{
		if (!field_of(type, key))
			return fault(path, key, 0);
	}
	for (size_t i = 0; i < type->fields; i++) {
		if (!check(type->field[i].type, json_object_get(value, type->field[i].name), path))
			return fault(path, type->field[i].name, 0);
	}
	return true;
}

static bool check_array(const struct type *type, const json_t *value, struct seg_strbuf *path)
{
	size_t i;
	json_t *item;

	if (!json_is_array(value))
		return false;
	json_array_foreach(value, i, item)
	{
		if (!check(type->item, item, path))
			return fault(path, NULL, i);
	}
	return true;
}

static bool check_dict(const struct type *type, const json_t *value, struct seg_strbuf *path)
{
	const char *key;
	json_t *member;

	if (!json_is_object(value))
		return false;
	json_object_foreach((json_t *)value, key, member)
	{
		if (!check(type->item, member, path))
			return fault(path, key, 0);
	}
	return true;
}

static bool check(const struct type *type, const json_t *value, struct seg_strbuf *path)
{
	if (!value || json_is_null(value))
		return type->maybe;
	switch (type->kind) {
	case BOOL:
		return json_is_boolean(value);
	case INT:
		return json_is_integer(value);
	case FLOAT:
		return json_is_number(value);
	case STRING:
		return json_is_string(value);
	case OBJECT:
		return json_is_object(value);
	case ENUM:
		return json_is_string(value) && field_of(type, json_string_value(value));
	case STRUCT:
		return check_struct(type, value, path);
	case ARRAY:
		return check_array(type, value, path);
	case DICT:
		return check_dict(type, value, path);
	case NAMED:
		return check(type->meaning, value, path);
	}
	return false;
}

bool seg_idl_check(const struct seg_idl *idl, enum seg_idl_side side, const char *name, const json_t *value,
		   struct seg_strbuf *path)
{
	const struct member *member = find(idl, side == SEG_IDL_ERROR ? MEMBER_ERROR : MEMBER_METHOD, name);

	seg_strbuf_reset(path);
	return member && check(side == SEG_IDL_REPLY ? member->reply : member->type, value, path);
}
