// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for len more bytes and the NUL. */
static void reserve(struct seg_strbuf *buf, size_t len)
{
	size_t need, cap;
	char *text;

	if (__builtin_add_overflow(buf->len, len, &need) || need > SIZE_MAX / 2 - 1)
		abort();
	need++;
	if (need <= buf->cap)
		return;
	cap = buf->cap ? buf->cap : 64;
	while (cap < need)
		cap *= 2;
	text = realloc(buf->text, cap);
	if (!text)
		abort();
	buf->text = text;
	buf->cap = cap;
}

void seg_strbuf_fini(struct seg_strbuf *buf)
{
	free(buf->text);
	*buf = (struct seg_strbuf){0};
}

void seg_strbuf_reset(struct seg_strbuf *buf)
{
	buf->len = 0;
	if (buf->text)
		buf->text[0] = '\0';
}

void seg_strbuf_add(struct seg_strbuf *buf, const char *text)
{
	seg_strbuf_add_n(buf, text, strlen(text));
}

void seg_strbuf_add_n(struct seg_strbuf *buf, const char *text, size_t len)
{
	reserve(buf, len);
	if (len)
		memcpy(buf->text + buf->len, text, len);
	buf->len += len;
	buf->text[buf->len] = '\0';
}

void seg_strbuf_addc(struct seg_strbuf *buf, char c)
{
	seg_strbuf_add_n(buf, &c, 1);
}

void seg_strbuf_addu(struct seg_strbuf *buf, uint64_t number)
{
	char digit[20];
	size_t at = sizeof(digit);

	do
		digit[--at] = (char)('0' + number % 10);
	while (number /= 10);
	seg_strbuf_add_n(buf, digit + at, sizeof(digit) - at);
}

void seg_strbuf_printf(struct seg_strbuf *buf, const char *format, ...)
{
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		abort();
	reserve(buf, (size_t)len);
	vsnprintf(buf->text + buf->len, (size_t)len + 1, format, again);
	buf->len += (size_t)len;
	va_end(again);
}

const char *seg_strbuf_text(const struct seg_strbuf *buf)
{
	return buf->text ? buf->text : "";
}

char *seg_strbuf_take(struct seg_strbuf *buf)
{
	char *text;

	reserve(buf, 0);
	text = buf->text;
	text[buf->len] = '\0';
	*buf = (struct seg_strbuf){0};
	return text;
}
