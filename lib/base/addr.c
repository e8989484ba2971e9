// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

seg_addr seg_addr_v4(uint32_t host_order)
{
	return SEG_V4_FIRST | host_order;
}

seg_addr seg_addr_from_bytes(enum seg_family family, const void *bytes)
{
	const uint8_t *byte = bytes;
	seg_addr addr = 0;
	size_t i;

	for (i = 0; i < seg_addr_size(family); i++)
		addr = addr << 8 | byte[i];
	return family == SEG_IPV4 ? SEG_V4_FIRST | addr : addr;
}

void seg_addr_to_bytes(seg_addr addr, void *bytes)
{
	uint8_t *byte = bytes;
	size_t i;

	for (i = seg_addr_size(seg_addr_family(addr)); i-- > 0; addr >>= 8)
		byte[i] = (uint8_t)addr;
}

enum seg_family seg_addr_family(seg_addr addr)
{
	return addr >= SEG_V4_FIRST && addr <= SEG_V4_LAST ? SEG_IPV4 : SEG_IPV6;
}

size_t seg_addr_size(enum seg_family family)
{
	return family == SEG_IPV4 ? 4 : 16;
}

seg_addr seg_addr_first(enum seg_family family)
{
	return family == SEG_IPV4 ? SEG_V4_FIRST : 0;
}

seg_addr seg_addr_last(enum seg_family family)
{
	return family == SEG_IPV4 ? SEG_V4_LAST : ~(seg_addr)0;
}

/* One decimal number 0-255 without leading zeros; the text behind it, or NULL. */
static const char *parse_octet(const char *text, const char *end, uint32_t *octet)
{
	const char *start = text;

	*octet = 0;
	while (text < end && text - start < 3 && *text >= '0' && *text <= '9')
		*octet = *octet * 10 + (uint32_t)(*text++ - '0');
	if (text == start || *octet > 255 || (*start == '0' && text - start > 1))
		return NULL;
	return text;
}

static bool parse_v4(const char *text, size_t len, seg_addr *addr)
{
	const char *end = text + len;
	uint32_t value = 0, octet;
	int i;

	for (i = 0; i < 4; i++) {
		if (i > 0 && (text == end || *text++ != '.'))
			return false;
		text = parse_octet(text, end, &octet);
		if (!text)
			return false;
		value = value << 8 | octet;
	}
	if (text != end)
		return false;
	*addr = seg_addr_v4(value);
	return true;
}

static bool parse_v6(const char *text, size_t len, seg_addr *addr)
{
	char copy[SEG_ADDR_STRLEN];
	uint8_t bytes[16];
	seg_addr value;

	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET6, copy, bytes) != 1)
		return false;
	value = seg_addr_from_bytes(SEG_IPV6, bytes);
	if (seg_addr_family(value) != SEG_IPV6)
		return false;
	*addr = value;
	return true;
}

bool seg_addr_parse(const char *text, size_t len, seg_addr *addr)
{
	return len > 0 && (memchr(text, ':', len) ? parse_v6(text, len, addr) : parse_v4(text, len, addr));
}

const char *seg_addr_format(seg_addr addr, char buf[static SEG_ADDR_STRLEN])
{
	uint8_t bytes[16];

	seg_addr_to_bytes(addr, bytes);
	return inet_ntop(seg_addr_family(addr) == SEG_IPV4 ? AF_INET : AF_INET6, bytes, buf, SEG_ADDR_STRLEN);
}

bool seg_addr_is_link_local(seg_addr addr)
{
	return addr >> 118 == 0xfe80 >> 6;
}

bool seg_addr_is_unspecified(seg_addr addr)
{
	return addr == 0 || addr == SEG_V4_FIRST;
}

bool seg_addr_is_loopback(seg_addr addr)
{
	return addr == 1 || (addr >= seg_addr_v4(0x7f000000u) && addr <= seg_addr_v4(0x7fffffffu));
}

bool seg_addr_is_group(seg_addr addr)
{
	if (seg_addr_family(addr) == SEG_IPV6)
		return addr >> 120 == 0xff;
	return ((uint32_t)addr >> 28) == 0xe || addr == SEG_V4_LAST;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool seg_mac_parse(const char *text, size_t len, uint8_t mac[static SEG_MAC_LEN])
{
	uint8_t parsed[SEG_MAC_LEN];
	int high, low, i;

	if (len != SEG_MAC_STRLEN - 1 || (text[2] != ':' && text[2] != '-'))
		return false;
	for (i = 0; i < SEG_MAC_LEN; i++) {
		high = hex_digit(text[3 * i]);
		low = hex_digit(text[3 * i + 1]);
		if (high < 0 || low < 0 || (i > 0 && text[3 * i - 1] != text[2]))
			return false;
		parsed[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(mac, parsed, sizeof(parsed));
	return true;
}

const char *seg_mac_format(const uint8_t mac[static SEG_MAC_LEN], char buf[static SEG_MAC_STRLEN])
{
	snprintf(buf, SEG_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return buf;
}
