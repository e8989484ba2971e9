// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/sha256.h"

#include <stdio.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#include <sys/platform/x86.h>
#endif

static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint32_t word_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A round, without the moves between variables: the caller names them anew. */
static inline void turn(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e, uint32_t f, uint32_t g,
			uint32_t *h, uint32_t word)
{
	uint32_t t1 = *h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + word;

	*d += t1;
	*h = t1 + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));
}

/* FIPS 180-4, 6.2.2. */
static void compress(uint32_t state[static 8], const uint8_t block[static 64])
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t e = state[4], f = state[5], g = state[6], h = state[7], w[64];

	for (int t = 0; t < 16; t++)
		w[t] = word_at(block + 4 * t);
	for (int t = 16; t < 64; t++) {
		uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;

		w[t] = w[t - 16] + s0 + w[t - 7] + s1;
	}
	/* Eight rounds bring every variable back to its place. */
	for (int t = 0; t < 64; t += 8) {
		turn(a, b, c, &d, e, f, g, &h, k[t] + w[t]);
		turn(h, a, b, &c, d, e, f, &g, k[t + 1] + w[t + 1]);
		turn(g, h, a, &b, c, d, e, &f, k[t + 2] + w[t + 2]);
		turn(f, g, h, &a, b, c, d, &e, k[t + 3] + w[t + 3]);
		turn(e, f, g, &h, a, b, c, &d, k[t + 4] + w[t + 4]);
		turn(d, e, f, &g, h, a, b, &c, k[t + 5] + w[t + 5]);
		turn(c, d, e, &f, g, h, a, &b, k[t + 6] + w[t + 6]);
		turn(b, c, d, &e, f, g, h, &a, k[t + 7] + w[t + 7]);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

#ifdef __x86_64__
/* The same with the instructions for it, four rounds at a time: ten times as fast. */
__attribute__((target("sha,sse4.1"))) static void compress_sha_ni(uint32_t state[static 8],
								  const uint8_t block[static 64])
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i_u *)state), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i_u *)(state + 4)), 0x1b);
	/* In the order that the instructions want. */
	__m128i abef = _mm_alignr_epi8(abcd, efgh, 8), cdgh = _mm_blend_epi16(efgh, abcd, 0xf0);
	const __m128i abef_before = abef, cdgh_before = cdgh;
	__m128i w[4];

	for (int i = 0; i < 4; i++)
		w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i_u *)(block + 16 * i)), swap);
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++) {
		__m128i last = w[(i + 3) & 3], four = _mm_alignr_epi8(last, w[(i + 2) & 3], 4);
		__m128i word = _mm_add_epi32(w[i & 3], _mm_loadu_si128((const __m128i_u *)(k + 4 * i)));

		cdgh = _mm_sha256rnds2_epu32(cdgh, abef, word);
		abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(word, 0x0e));
		four = _mm_add_epi32(_mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]), four);
		w[i & 3] = _mm_sha256msg2_epu32(four, last);
	}
	abef = _mm_shuffle_epi32(_mm_add_epi32(abef, abef_before), 0x1b);
	cdgh = _mm_shuffle_epi32(_mm_add_epi32(cdgh, cdgh_before), 0xb1);
	_mm_storeu_si128((__m128i_u *)state, _mm_blend_epi16(abef, cdgh, 0xf0));
	_mm_storeu_si128((__m128i_u *)(state + 4), _mm_alignr_epi8(cdgh, abef, 8));
}

static bool has_sha_ni(void)
{
	return CPU_FEATURE_ACTIVE(SHA) && CPU_FEATURE_ACTIVE(SSE4_1);
}
#else
#define compress_sha_ni compress

static bool has_sha_ni(void)
{
	return false;
}
#endif

void seg_sha256_init(struct seg_sha256 *sha)
{
	*sha = (struct seg_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
					     0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
				   .portable = !has_sha_ni()};
}

void seg_sha256_add(struct seg_sha256 *sha, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len) {
		size_t used = sha->len % 64, n = 64 - used < len ? 64 - used : len;

		if (n < 64)
			memcpy(sha->block + used, p, n);
		sha->len += n;
		if (sha->len % 64 == 0)
			(sha->portable ? compress : compress_sha_ni)(sha->state, n < 64 ? sha->block : p);
		p += n;
		len -= n;
	}
}

void seg_sha256_hex(struct seg_sha256 *sha, char hex[static 65])
{
	uint64_t bits = sha->len * 8;
	uint8_t length[8];

	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)(bits >> (56 - 8 * i));
	seg_sha256_add(sha, "\x80", 1);
	while (sha->len % 64 != 56)
		seg_sha256_add(sha, "", 1);
	seg_sha256_add(sha, length, sizeof(length));
	for (int i = 0; i < 8; i++)
		snprintf(hex + 8 * i, 9, "%08x", sha->state[i]);
}
