/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_HASH_H
#define SEGD_HASH_H

/*
 * A table of records of one size, found by the bytes of the key they begin with.
 * Records move when others come or go: a pointer is good until the next put or
 * remove. Keys must have their padding zeroed. Seeded with an address, so that
 * whoever chooses the keys (packets do) cannot choose the collisions.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seg_hash {
	size_t key, record;     /* sizes */
	unsigned char *slots;   /* records, each behind a marker of 16 bytes */
	size_t n, cap;
	uint64_t seed;
};

void seg_hash_init(struct seg_hash *hash, size_t key, size_t record);
void seg_hash_fini(struct seg_hash *hash);
void *seg_hash_find(const struct seg_hash *hash, const void *key); /* NULL */
/* Finds, or makes a zeroed record with this key. */
void *seg_hash_put(struct seg_hash *hash, const void *key, bool *made);
void seg_hash_remove(struct seg_hash *hash, void *record);
/* Walks all: start with *cursor = 0; NULL at the end. Nothing may be put or removed meanwhile. */
void *seg_hash_next(const struct seg_hash *hash, size_t *cursor);

#endif
