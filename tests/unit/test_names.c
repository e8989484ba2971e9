// SPDX-License-Identifier: GPL-2.0-or-later
/* The small parts of lib/base: name maps, UTF-8, SHA-256. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "runner.h"

START_TEST(map_finds_what_was_put)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_map map = {0};
	char name[16];
	void *found;

	ck_assert_ptr_null(seg_map_get(&map, "nobody"));
	for (size_t i = 1; i <= 5000; i++) {
		snprintf(name, sizeof(name), "host-%zu", i);
		ck_assert(seg_map_add(&map, arena, seg_arena_strdup(arena, name), (void *)i, NULL));
	}
	for (size_t i = 1; i <= 5000; i++) {
		snprintf(name, sizeof(name), "host-%zu", i);
		ck_assert_uint_eq((size_t)seg_map_get(&map, name), i);
	}
	ck_assert_ptr_null(seg_map_get(&map, "host-5001"));
	ck_assert_ptr_null(seg_map_get(&map, ""));
	ck_assert(!seg_map_add(&map, arena, "host-7", (void *)9, &found));
	ck_assert_uint_eq((size_t)found, 7);
	ck_assert_uint_eq((size_t)seg_map_get(&map, "host-7"), 7);
	seg_arena_free(arena);
}
END_TEST

START_TEST(utf8_is_strict)
{
	static const struct {
		const char *text;
		size_t size;
		uint32_t code;
	} cases[] = {
		{"a", 1, 'a'},
		{"\xc2\x80", 2, 0x80},
		{"\xe9\x9b\xaa", 3, 0x96ea},
		{"\xf0\x9f\x98\x80", 4, 0x1f600},
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
		{"\xc0\x80", 0, 0},
		{"\xe0\x80\x80", 0, 0},
		{"\xed\xa0\x80", 0, 0},
		{"\xf4\x90\x80\x80", 0, 0},
		{"\xe9\x9b", 0, 0},
		{"\x80", 0, 0},
		{"\xff", 0, 0},
		{"\xe9"
		 "abc",
		 0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t code = 0;

		ck_assert_uint_eq(seg_utf8_decode(cases[i].text, strlen(cases[i].text), &code),
				  cases[i].size);
		ck_assert_uint_eq(code, cases[i].code);
	}
	ck_assert_uint_eq(seg_utf8_count("雪a\xff\xe9", 6), 4);
}
END_TEST

/* What an input method writes in full width; what is Japanese stays. */
START_TEST(utf8_narrows)
{
	static const struct {
		const char *text, *narrow;
	} cases[] = {
		{"ｔｃｐ／４４３", "tcp/443"},
		{"\xc2\xa0"
		 "a\xe3\x80\x80",
		 " a "},
		{"08：00〜20：00", "08:00-20:00"},
		{"ＬＧＷＡＮ接続系", "LGWAN接続系"},
		{"２０２７−０３－３１", "2027-03-31"},
		{"a、b", "a,b"},
	};
	static const char *const same[] = {"tcp/443", "ローカルブレイクアウト", "\xff\xe9", ""};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seg_strbuf out = {0};

		ck_assert(seg_utf8_narrow(&out, cases[i].text, strlen(cases[i].text)));
		ck_assert_str_eq(seg_strbuf_text(&out), cases[i].narrow);
		seg_strbuf_fini(&out);
	}
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct seg_strbuf out = {0};

		ck_assert(!seg_utf8_narrow(&out, same[i], strlen(same[i])));
		ck_assert_str_eq(seg_strbuf_text(&out), same[i]);
		seg_strbuf_fini(&out);
	}
}
END_TEST

START_TEST(utf8_controls)
{
	static const uint32_t control[] = {0,	   9,	   0x1b,   0x7f,   0x80,  0x9f,
					   0x200f, 0x2028, 0x202e, 0x2066, 0xfeff};
	static const uint32_t printable[] = {' ', '~', 0xa0, 0x3042, 0x2460, 0x1f600, 0x3000};

	for (size_t i = 0; i < sizeof(control) / sizeof(control[0]); i++)
		ck_assert(seg_utf8_is_control(control[i]));
	for (size_t i = 0; i < sizeof(printable) / sizeof(printable[0]); i++)
		ck_assert(!seg_utf8_is_control(printable[i]));
}
END_TEST

/* Unicode's East Asian Width: W and F take two cells, ambiguous ones (A) one. */
START_TEST(utf8_cells)
{
	static const uint32_t wide[] = {0x1100, 0x231a,	 0x26a1,  0x2b50,  0x3000, 0x3012,
					0x3042, 0x3231,	 0x4e00,  0x9fff,  0xac00, 0xf900,
					0xff21, 0x1f202, 0x1f600, 0x1f6d5, 0x20b9f};
	static const uint32_t narrow[] = {'a',	  0xb1,	  0x2026, 0x2192, 0x2460,  0x2605,
					  0x27a1, 0x303f, 0x3248, 0xff71, 0x1f321, 0x1f6e0};
	static const uint32_t none[] = {0x301, 0x3099, 0xfe0f, 0x200d};

	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
		ck_assert_uint_eq(seg_utf8_cells(wide[i]), 2);
	for (size_t i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++)
		ck_assert_uint_eq(seg_utf8_cells(narrow[i]), 1);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_uint_eq(seg_utf8_cells(none[i]), 0);
}
END_TEST

START_TEST(utf8_cuts)
{
	static const struct {
		const char *text;
		size_t cells, used;
		const char *cut;
	} cases[] = {
		{"eLTAX", 5, 5, "eLTAX"},
		{"eLTAX", 4, 4, "eLT…"},
		{"eLTAX", 1, 1, "…"},
		{"eLTAX", 0, 0, ""},
		{"", 3, 0, ""},
		{"申告データ", 10, 10, "申告データ"},
		{"申告データ", 9, 9, "申告デー…"},
		{"申告データ", 8, 7, "申告デ…"}, /* no half of a character */
		{"申告", 1, 1, "…"},
		{"か\xe3\x82\x99く", 4, 4, "か\xe3\x82\x99く"}, /* with a combining mark */
		{"か\xe3\x82\x99く", 3, 3, "か\xe3\x82\x99…"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seg_strbuf out = {0};

		ck_assert_uint_eq(seg_utf8_cut(&out, cases[i].text, cases[i].cells), cases[i].used);
		ck_assert_str_eq(seg_strbuf_text(&out), cases[i].cut);
		seg_strbuf_fini(&out);
	}
}
END_TEST

/* FIPS 180-4's own examples and the lengths around a block's padding. */
START_TEST(sha256_as_published)
{
	static const struct {
		size_t len;
		const char *hex;
	} a[] = {
		{0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
		{56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
		{64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
		{1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
	};
	struct seg_sha256 sha;
	char hex[65];

	seg_sha256_init(&sha);
	seg_sha256_add(&sha, "abc", 3);
	seg_sha256_hex(&sha, hex);
	ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++) {
		char *text = malloc(a[i].len + 1);

		memset(text, 'a', a[i].len);
		/* In pieces of odd sizes, and at once. */
		seg_sha256_init(&sha);
		for (size_t at = 0, n; at < a[i].len; at += n) {
			n = at % 97 + 1 < a[i].len - at ? at % 97 + 1 : a[i].len - at;
			seg_sha256_add(&sha, text + at, n);
		}
		seg_sha256_hex(&sha, hex);
		ck_assert_str_eq(hex, a[i].hex);
		/* With the processor's instructions for it, where it has them, and without. */
		for (int portable = 0; portable < 2; portable++) {
			seg_sha256_init(&sha);
			sha.portable |= portable;
			seg_sha256_add(&sha, text, a[i].len);
			seg_sha256_hex(&sha, hex);
			ck_assert_str_eq(hex, a[i].hex);
		}
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tcase = tcase_create("names");

	tcase_add_test(tcase, map_finds_what_was_put);
	tcase_add_test(tcase, utf8_is_strict);
	tcase_add_test(tcase, utf8_narrows);
	tcase_add_test(tcase, utf8_controls);
	tcase_add_test(tcase, utf8_cells);
	tcase_add_test(tcase, utf8_cuts);
	tcase_add_test(tcase, sha256_as_published);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
