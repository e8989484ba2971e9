/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_SHA256_H
#define SEG_BASE_SHA256_H

/* SHA-256 (FIPS 180-4): names the version of a policy. Plain value, nothing allocated. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seg_sha256 {
	uint32_t state[8];
	uint64_t len;
	uint8_t block[64];
	bool portable; /* set by init: without the processor's instructions for it */
};

void seg_sha256_init(struct seg_sha256 *sha);
void seg_sha256_add(struct seg_sha256 *sha, const void *bytes, size_t len);
/* 64 hexadecimal digits and NUL. */
void seg_sha256_hex(struct seg_sha256 *sha, char hex[static 65]);

#endif
