// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/utf8.h"

#include <string.h>

size_t seg_utf8_decode(const char *text, size_t len, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)text;
	size_t size;
	uint32_t c;

	if (s[0] < 0x80) {
		*code = s[0];
		return 1;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	size = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (size > len)
		return 0;
	c = s[0] & (0xffu >> (size + 1));
	for (size_t i = 1; i < size; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (c < least[size] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*code = c;
	return size;
}

/* Bytes of ASCII from text on, counted by eights. */
static size_t ascii_run(const char *text, size_t len)
{
	size_t n = 0;
	uint64_t eight;

	for (; len - n >= sizeof(eight); n += sizeof(eight)) {
		memcpy(&eight, text + n, sizeof(eight));
		if (eight & 0x8080808080808080u)
			break;
	}
	while (n < len && (unsigned char)text[n] < 0x80)
		n++;
	return n;
}

size_t seg_utf8_count(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t at = 0; at < len; n++) {
		size_t ascii = ascii_run(text + at, len - at), size;
		uint32_t code;

		at += ascii;
		n += ascii;
		if (at == len)
			break;
		size = seg_utf8_decode(text + at, len - at, &code);
		at += size ? size : 1;
	}
	return n;
}

struct span {
	uint32_t lo, hi;
};

static bool within(const struct span *span, size_t n, uint32_t code)
{
	for (size_t i = 0; i < n; i++)
		if (code >= span[i].lo && code <= span[i].hi)
			return true;
	return false;
}

#define WITHIN(table, code) within(table, sizeof(table) / sizeof(*(table)), code)

unsigned seg_utf8_cells(uint32_t code)
{
	/* Unicode's East Asian Width W and F; what is not assigned between two of them goes along. */
	static const struct span wide[] = {
		{0x1100, 0x115f},   {0x231a, 0x231b},	{0x2329, 0x232a},   {0x23e9, 0x23ec},
		{0x23f0, 0x23f0},   {0x23f3, 0x23f3},	{0x25fd, 0x25fe},   {0x2614, 0x2615},
		{0x2648, 0x2653},   {0x267f, 0x267f},	{0x2693, 0x2693},   {0x26a1, 0x26a1},
		{0x26aa, 0x26ab},   {0x26bd, 0x26be},	{0x26c4, 0x26c5},   {0x26ce, 0x26ce},
		{0x26d4, 0x26d4},   {0x26ea, 0x26ea},	{0x26f2, 0x26f3},   {0x26f5, 0x26f5},
		{0x26fa, 0x26fa},   {0x26fd, 0x26fd},	{0x2705, 0x2705},   {0x270a, 0x270b},
		{0x2728, 0x2728},   {0x274c, 0x274c},	{0x274e, 0x274e},   {0x2753, 0x2755},
		{0x2757, 0x2757},   {0x2795, 0x2797},	{0x27b0, 0x27b0},   {0x27bf, 0x27bf},
		{0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},	{0x2b55, 0x2b55},   {0x2e80, 0x303e},
		{0x3041, 0x3247},   {0x3250, 0xa4cf},	{0xa960, 0xa97f},   {0xac00, 0xd7a3},
		{0xf900, 0xfaff},   {0xfe10, 0xfe19},	{0xfe30, 0xfe6f},   {0xff01, 0xff60},
		{0xffe0, 0xffe6},   {0x16fe0, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf},
		{0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335},
		{0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3},
		{0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440},
		{0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567},
		{0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f},
		{0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6df},
		{0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7f0}, {0x1f90c, 0x1f93a},
		{0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
	};
	static const struct span combining[] = {
		{0x300, 0x36f},	  {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0x302a, 0x302d},
		{0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
	};

	if (code < 0x300)
		return 1;
	if (WITHIN(combining, code))
		return 0;
	return WITHIN(wide, code) ? 2 : 1;
}

bool seg_utf8_is_control(uint32_t code)
{
	static const struct span control[] = {
		{0, 0x1f},	  {0x7f, 0x9f},	    {0x61c, 0x61c},   {0x200e, 0x200f},	  {0x2028, 0x202e},
		{0x2066, 0x2069}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	if (code < 0x80)
		return code < 0x20 || code == 0x7f;
	return WITHIN(control, code);
}

/* The ASCII character that one of another width stands for; 0 where it stands for itself. */
static char ascii_of(uint32_t code)
{
	if (code == 0x3000 || code == 0xa0)
		return ' ';
	if (code == 0x3001)
		return ',';
	if (code == 0x201c || code == 0x201d) /* what word processors make of quotation marks */
		return '"';
	if (code == 0x2018 || code == 0x2019)
		return '\'';
	/* Dashes, the minus sign, and the wave that Japanese writes between two ends. */
	if ((code >= 0x2010 && code <= 0x2015) || code == 0x2212 || code == 0x301c || code == 0xff5e)
		return '-';
	return code >= 0xff01 && code < 0xff5e ? (char)(code - 0xfee0) : 0;
}

bool seg_utf8_narrow(struct seg_strbuf *out, const char *text, size_t len)
{
	bool any = false;

	for (size_t at = 0, size; at < len; at += size) {
		uint32_t code = 0;
		char ascii;

		size = seg_utf8_decode(text + at, len - at, &code);
		ascii = size ? ascii_of(code) : 0;
		size = size ? size : 1;
		if (ascii)
			seg_strbuf_add_n(out, &ascii, 1);
		else
			seg_strbuf_add_n(out, text + at, size);
		any = any || ascii;
	}
	return any;
}

size_t seg_utf8_show(struct seg_strbuf *out, const char *text, size_t len)
{
	size_t cells = 0;

	for (size_t at = 0; at < len;) {
		uint32_t code;
		size_t size = seg_utf8_decode(text + at, len - at, &code);

		if (size && !seg_utf8_is_control(code)) {
			seg_strbuf_add_n(out, text + at, size);
			cells += seg_utf8_cells(code);
			at += size;
			continue;
		}
		for (size_t end = at + (size ? size : 1); at < end; at++, cells += 4)
			seg_strbuf_printf(out, "\\x%02x", (unsigned char)text[at]);
	}
	return cells;
}

/* The bytes of text that so many cells hold; *used: the cells they take. */
static size_t held(const char *text, size_t cells, size_t *used)
{
	size_t len = strlen(text), at = 0;

	for (*used = 0; at < len;) {
		uint32_t code = 0;
		size_t size = seg_utf8_decode(text + at, len - at, &code), wide = seg_utf8_cells(code);

		if (*used + wide > cells)
			break;
		*used += wide;
		at += size ? size : 1;
	}
	return at;
}

size_t seg_utf8_cut(struct seg_strbuf *out, const char *text, size_t cells)
{
	size_t used, len = held(text, cells, &used);

	if (!text[len] || !cells) {
		seg_strbuf_add_n(out, text, len);
		return used;
	}
	len = held(text, cells - 1, &used);
	seg_strbuf_add_n(out, text, len);
	seg_strbuf_add(out, "…");
	return used + 1;
}
