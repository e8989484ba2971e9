/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_LOADER_H
#define SEG_POLICY_LOADER_H

/*
 * What the files of the loader share; private to lib/policy/.
 *
 *   yaml.c           text -> nodes: by libfyaml, but for plain lines (yaml_plain.c); yaml_tree.c builds them
 *   read.c           one value of a mapping: text, word, date, list, ...
 *   lists.c          lists of addresses and the files they name
 *   load.c           the top of the file, hosts and services; the order of work
 *   load_zone.c      zones, and that they do not overlap (G10)
 *   load_limit.c     how much of conntrack's table a zone may hold
 *   load_permit.c    permits, and what addresses each means in each of its zones
 *   unchanged.c      permits taken over from an earlier policy
 *   load_stage.c     emergency stages
 *   load_file.c      from disk
 *
 * One mistake gives one error: a part that could not be read stays empty (a zone
 * without networks, a host without ranges, a service without items), and what is
 * empty is not held against those who refer to it. A policy with any error is
 * thrown away as a whole, so that emptiness never reaches anybody else. The guard alone sees it before that, and
 * by its flaws (flaws.h) what it cannot rely on.
 */

#include "policy/parts.h"
#include "policy/load.h"
#include "policy/yaml.h"

#define TITLE_MAX 200     /* characters of any free text */
#define ID_MAX 63         /* bytes of the id of a host, service or permit */
#define MAC_ADDRESSES 64  /* addresses of a host with a mac: each becomes an element in the kernel */

struct loader {
	struct seg_policy *policy;
	struct seg_arena *arena;   /* the policy's */
	struct seg_arena *scratch; /* nodes and the like, gone after loading */
	struct seg_diags *diags;
	const struct seg_reader *reader;
	const struct unchanged *unchanged; /* where permits can be taken over from */
	bool outdated;                     /* it turned out that they cannot: all is read again */
	struct seg_map host_by_id, service_by_id, list_by_path;
	const struct seg_source **source; /* everything read */
	size_t sources, source_cap;
	bool zones_whole; /* every zone's networks could be read, and none overlap */
	bool guard_known; /* which rule book the policy must obey could be read */
	size_t noted;     /* errors that are noted as flaws: note_flaw() */
	/* Names that are not declared are worth a word: not where the declarations could not be read. */
	bool zones_known, hosts_known, services_known, permits_known;
};

/* Whose key a message is about: "zone 'mn'". Made into text only when needed. */
struct subject {
	const char *format; /* N_() with one %s */
	const char *id;
	struct seg_place place;
};
const char *subject_text(struct loader *ld, const struct subject *subject);

/* One key of a mapping. */
struct field {
	const struct subject *of;
	const char *key;
	const struct yaml_node *value; /* NULL: left out */
	bool misspelt;                 /* left out, but an unknown key comes near: said already */
	bool doubtful;                 /* stands twice, or is left out beside an unknown key that comes near none */
};

#define WORDS(table) (table), sizeof(table) / sizeof((table)[0])

/* A word of a fixed vocabulary; several words may mean the same value. */
struct word {
	const char *text;
	int value;
};

/* --- read.c: false after reporting, or silently where the field is left out or already broken --- */

/* Sorts a mapping's values into fields, in the order of names. */
bool read_keys(struct loader *ld, const struct subject *of, const struct yaml_node *mapping,
	       const char *const *names, size_t n, struct field *fields);
/* Reports a field that is not there. hint: N_(), or NULL. */
void require(struct loader *ld, const struct field *field, const char *hint);
/* Where the key gave an error, since the last one noted or before, or is not sure for another reason: the bits
 * among the flaws. */
void note_flaw(struct loader *ld, const struct field *field, unsigned bits, unsigned *flaws);
bool read_text(struct loader *ld, const struct field *field, const char **text);
bool read_bool(struct loader *ld, const struct field *field, bool *value);
bool read_word(struct loader *ld, const struct field *field, const struct word *words, size_t n, int *value);
bool read_date(struct loader *ld, const struct field *field, seg_date *date);
/* A scalar or a list of scalars, none twice. Broken items are left out; whole, where asked: were none? */
size_t read_list(struct loader *ld, const struct field *field, const struct yaml_node ***items, bool *whole);
/* The id of a host, a service or a permit. */
bool check_id(struct loader *ld, const struct subject *of, const struct yaml_node *node);
/* A hint with the nearest of the names, or all of them where none is near and they are few. */
void hint_names(struct loader *ld, struct seg_diag *diag, const char *word, const char *const *names,
		size_t n);
/* The word as a keyboard of half width had written it; NULL where it is written so. */
const char *narrowed(struct loader *ld, const char *text, size_t len);
/* A hint that a number is no service yet, where it is one. */
bool hint_number(struct loader *ld, struct seg_diag *diag, const char *word);
/* A hint with the text in half width, where it has characters in full width. */
bool hint_narrow(struct loader *ld, struct seg_diag *diag, const char *text, size_t len);
/* Where a key stands, for a field that is there. */
struct seg_place field_place(const struct field *field);

/* --- lists.c --- */

enum list_use { LIST_NETWORKS, LIST_HOST, LIST_GATEWAY };

struct list {
	struct seg_entries entries;
	const struct seg_place *written; /* for each entry: its place in the policy, also of a file: entry */
	bool any;                        /* networks: "any" is among them */
	struct seg_place any_place;
};
/* False: something could not be read; entries is empty then. */
bool read_addresses(struct loader *ld, const struct field *field, enum list_use use, struct list *list);
/* One address, prefix or range. */
bool read_range(struct loader *ld, const struct subject *of, const char *key, const struct seg_place *place,
		const char *text, size_t len, bool host_bits, struct seg_range *range);
struct seg_ranges entries_ranges(struct loader *ld, const struct seg_entries *entries);

/* --- load_zone.c --- */

void load_zones(struct loader *ld, const struct field *field);
/* Finds the one zone that a host lies in (G10). */
void place_host(struct loader *ld, struct seg_host *host);
/* Multicast, broadcast, link-local and unspecified addresses: they belong to the interface they
 * are seen on, not to a network. */
bool is_of_interface(struct seg_range range);

/* --- load_limit.c --- */

/* zone->limit, where it is left out too. */
void read_limit(struct loader *ld, const struct field *limit, struct seg_zone *zone);

/* --- load.c --- */

/* The first entry of a mapping of declarations; NULL where there are none. */
const struct yaml_node *declarations(struct loader *ld, const struct field *field);
/* One item of a service: tcp/443. */
bool read_item(struct loader *ld, const struct subject *of, const struct yaml_node *node,
	       struct seg_service_item *item);

/* --- load_permit.c --- */

void load_permits(struct loader *ld, const struct field *field);
bool read_class(struct loader *ld, const struct field *field, enum seg_class *class);
/* The zone that an entry of a list names; NULL after reporting. */
const struct seg_zone *read_zone_name(struct loader *ld, const struct field *field, const struct yaml_node *node);

/* --- load_stage.c --- */

void load_stages(struct loader *ld, const struct field *field);

#endif
