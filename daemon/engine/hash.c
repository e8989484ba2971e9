/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hash.h"

#include <stdlib.h>
#include <string.h>

/* Before each record: is the slot taken, and its hash. 16 bytes keep records aligned for any type. */
struct marker {
	uint64_t taken, hash;
};

static struct marker *slot_at(const struct seg_hash *hash, size_t i)
{
	return (struct marker *)(void *)(hash->slots + i * (sizeof(struct marker) + hash->record));
}

static void *record_of(struct marker *slot)
{
	return slot + 1;
}

void seg_hash_init(struct seg_hash *hash, size_t key, size_t record)
{
	*hash = (struct seg_hash){.key = key, .record = (record + 15) & ~(size_t)15};
}

void seg_hash_fini(struct seg_hash *hash)
{
	free(hash->slots);
	hash->slots = NULL;
	hash->n = hash->cap = 0;
}

static uint64_t key_hash(const struct seg_hash *hash, const void *key)
{
	const unsigned char *byte = key;
	uint64_t h = hash->seed ^ 0xcbf29ce484222325u;

	for (size_t i = 0; i < hash->key; i++)
		h = (h ^ byte[i]) * 0x9e3779b97f4a7c15u, h ^= h >> 29;
	return h ^ (h >> 32);
}

static struct marker *probe(const struct seg_hash *hash, const void *key, uint64_t h)
{
	size_t i = (size_t)h & (hash->cap - 1);

	for (;; i = (i + 1) & (hash->cap - 1)) {
		struct marker *slot = slot_at(hash, i);

		if (!slot->taken || (slot->hash == h && !memcmp(record_of(slot), key, hash->key)))
			return slot;
	}
}

static void grow(struct seg_hash *hash)
{
	struct seg_hash old = *hash;

	hash->cap = old.cap ? old.cap * 2 : 64;
	hash->slots = calloc(hash->cap, sizeof(struct marker) + hash->record);
	if (!hash->slots)
		abort();
	if (!old.cap)
		hash->seed = (uint64_t)(uintptr_t)hash->slots * 0xd6e8feb86659fd93u;
	for (size_t i = 0; i < old.cap; i++) {
		struct marker *from = slot_at(&old, i);

		if (from->taken)
			memcpy(probe(hash, record_of(from), from->hash), from, sizeof(*from) + hash->record);
	}
	free(old.slots);
}

void *seg_hash_find(const struct seg_hash *hash, const void *key)
{
	struct marker *slot;

	if (!hash->n)
		return NULL;
	slot = probe(hash, key, key_hash(hash, key));
	return slot->taken ? record_of(slot) : NULL;
}

void *seg_hash_put(struct seg_hash *hash, const void *key, bool *made)
{
	struct marker *slot;
	uint64_t h;

	if ((hash->n + 1) * 4 > hash->cap * 3)
		grow(hash);
	h = key_hash(hash, key);
	slot = probe(hash, key, h);
	*made = !slot->taken;
	if (*made) {
		slot->taken = 1;
		slot->hash = h;
		memset(record_of(slot), 0, hash->record);
		memcpy(record_of(slot), key, hash->key);
		hash->n++;
	}
	return record_of(slot);
}

/* Closes the gap, so that no probe ends too early. */
void seg_hash_remove(struct seg_hash *hash, void *record)
{
	size_t size = sizeof(struct marker) + hash->record, mask = hash->cap - 1;
	size_t gap = (size_t)((unsigned char *)record - hash->slots) / size;

	for (size_t i = (gap + 1) & mask;; i = (i + 1) & mask) {
		struct marker *slot = slot_at(hash, i);

		if (!slot->taken)
			break;
		if (((i - (size_t)slot->hash) & mask) >= ((i - gap) & mask)) {
			memcpy(slot_at(hash, gap), slot, size);
			gap = i;
		}
	}
	slot_at(hash, gap)->taken = 0;
	hash->n--;
}

void *seg_hash_next(const struct seg_hash *hash, size_t *cursor)
{
	while (*cursor < hash->cap) {
		struct marker *slot = slot_at(hash, (*cursor)++);

		if (slot->taken)
			return record_of(slot);
	}
	return NULL;
}
