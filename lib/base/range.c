// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/ranges.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/i18n.h"

bool seg_range_overlap(struct seg_range a, struct seg_range b)
{
	return seg_range_family(a) == seg_range_family(b) && a.lo <= b.hi && b.lo <= a.hi;
}

enum seg_family seg_range_family(struct seg_range range)
{
	return seg_addr_family(range.lo);
}

static int address_bits(enum seg_family family)
{
	return 8 * (int)seg_addr_size(family);
}

int seg_range_prefix(struct seg_range range)
{
	seg_addr host = range.lo ^ range.hi;
	int prefix = address_bits(seg_range_family(range));

	if ((host & (host + 1)) != 0 || (range.lo & host) != 0)
		return -1;
	for (; host; host >>= 1)
		prefix--;
	return prefix;
}

const char *seg_range_format(struct seg_range range, char buf[static SEG_RANGE_STRLEN])
{
	char lo[SEG_ADDR_STRLEN], hi[SEG_ADDR_STRLEN];
	int prefix = seg_range_prefix(range);

	seg_addr_format(range.lo, lo);
	if (range.lo == range.hi)
		snprintf(buf, SEG_RANGE_STRLEN, "%s", lo);
	else if (prefix >= 0)
		snprintf(buf, SEG_RANGE_STRLEN, "%s/%d", lo, prefix);
	else
		snprintf(buf, SEG_RANGE_STRLEN, "%s-%s", lo, seg_addr_format(range.hi, hi));
	return buf;
}

/* A number in an IPv4 address such as 010, which some programs read as octal. */
static bool has_leading_zero(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i + 1 < len; i++)
		if (text[i] == '0' && (i == 0 || text[i - 1] == '.') && text[i + 1] >= '0' &&
		    text[i + 1] <= '9')
			return true;
	return false;
}

/* Why the text is no address, in the words that help most. */
static const char *address_reason(const char *text, size_t len)
{
	if (!len)
		return N_("an address is missing here");
	if (memchr(text, '%', len))
		return N_("an address must not carry a zone index such as %eth0 here");
	if (memchr(text, ' ', len))
		return N_("there must be no blank inside an address, prefix or range");
	if (len > 7 && !strncasecmp(text, "::ffff:", 7))
		return N_(
			"this is an IPv4 address written as IPv6; write it as plain IPv4, such as 10.1.2.3");
	if (!memchr(text, ':', len) && has_leading_zero(text, len))
		return N_("the numbers of an IPv4 address are written without leading zeros");
	return N_("this is neither an IPv4 nor an IPv6 address");
}

/* A decimal number without leading zeros, at most max; -1 otherwise. */
static int parse_length(const char *text, size_t len, int max)
{
	int value = 0;
	size_t i;

	if (!len || len > 3 || (len > 1 && text[0] == '0'))
		return -1;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value <= max ? value : -1;
}

static const char *parse_prefix(const char *text, size_t len, const char *slash, bool host_bits,
				struct seg_range *range)
{
	size_t address_len = (size_t)(slash - text);
	enum seg_family family;
	seg_addr addr, host;
	int bits, prefix;

	if (!seg_addr_parse(text, address_len, &addr))
		return address_reason(text, address_len);
	family = seg_addr_family(addr);
	bits = address_bits(family);
	prefix = parse_length(slash + 1, len - address_len - 1, bits);
	if (prefix < 0)
		return family == SEG_IPV4
			       ? N_("the prefix length of an IPv4 address is a number from 0 to 32")
			       : N_("the prefix length of an IPv6 address is a number from 0 to 128");
	host = bits - prefix == 128 ? ~(seg_addr)0 : ((seg_addr)1 << (bits - prefix)) - 1;
	if ((addr & host) && !host_bits)
		return N_("the address has bits set behind the prefix length; write the first address of the "
			  "network, or a longer prefix");
	*range = (struct seg_range){addr & ~host, addr | host};
	return NULL;
}

static const char *parse_span(const char *text, size_t len, const char *dash, struct seg_range *range)
{
	size_t lo_len = (size_t)(dash - text), hi_len = len - lo_len - 1;
	seg_addr lo, hi;

	if (!seg_addr_parse(text, lo_len, &lo))
		return address_reason(text, lo_len);
	if (!seg_addr_parse(dash + 1, hi_len, &hi))
		return address_reason(dash + 1, hi_len);
	if (seg_addr_family(lo) != seg_addr_family(hi))
		return N_("a range begins and ends in the same address family");
	if (lo > hi)
		return N_("the range ends before it begins; write the lower address first");
	*range = (struct seg_range){lo, hi};
	return NULL;
}

bool seg_range_parse(const char *text, size_t len, bool host_bits, struct seg_range *range,
		     const char **reason)
{
	const char *dash = len ? memchr(text, '-', len) : NULL;
	const char *slash = len ? memchr(text, '/', len) : NULL;

	*reason = NULL;
	if (dash && slash)
		*reason = N_("a prefix and a range cannot be mixed; write 10.0.0.0/24 or 10.0.0.1-10.0.0.7");
	else if (dash)
		*reason = parse_span(text, len, dash, range);
	else if (slash)
		*reason = parse_prefix(text, len, slash, host_bits, range);
	else if (seg_addr_parse(text, len, &range->lo))
		range->hi = range->lo;
	else
		*reason = address_reason(text, len);
	return !*reason;
}
