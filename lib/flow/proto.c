// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/classify.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	uint8_t proto;
	unsigned last; /* port or type */
	uint16_t none; /* stands for none given: no packet has port 0, but type 0 is an echo reply */
} known[] = {
    {"tcp", IPPROTO_TCP, 65535, 0},
    {"udp", IPPROTO_UDP, 65535, 0},
    {"icmp", IPPROTO_ICMP, 255, SEG_NO_TYPE},
    {"icmpv6", IPPROTO_ICMPV6, 255, SEG_NO_TYPE},
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

/* Decimal digits alone. */
static bool parse_number(const char *text, size_t len, unsigned last, unsigned *number)
{
	*number = 0;
	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*number = *number * 10 + (unsigned)(text[i] - '0');
	}
	return *number <= last;
}

/* "tcp", or a number, also as "proto/6"; *rest: what follows its slash, NULL where nothing does. */
static bool parse_proto(const char *text, uint8_t *proto, const char **rest)
{
	size_t len = strcspn(text, "/");
	unsigned number;

	*rest = text[len] ? text + len + 1 : NULL;
	for (size_t i = 0; i < KNOWN; i++) {
		if (strlen(known[i].name) == len && strncmp(text, known[i].name, len) == 0) {
			*proto = known[i].proto;
			return true;
		}
	}
	if (len == 5 && strncmp(text, "proto", len) == 0 && *rest) {
		text = *rest;
		len = strlen(text);
		*rest = NULL;
	}
	if (!parse_number(text, len, 255, &number))
		return false;
	*proto = (uint8_t)number;
	return true;
}

bool seg_proto_parse(const char *text, uint8_t *proto, uint16_t *port)
{
	const char *rest;
	unsigned number;

	*port = 0;
	if (!parse_proto(text, proto, &rest))
		return false;
	for (size_t i = 0; i < KNOWN; i++) {
		if (known[i].proto == *proto && !rest)
			*port = known[i].none;
		else if (known[i].proto == *proto && parse_number(rest, strlen(rest), known[i].last, &number)) {
			*port = (uint16_t)number;
			return true;
		}
	}
	return !rest;
}

const char *seg_proto_format(uint8_t proto, uint16_t port, char buf[static SEG_SERVICE_STRLEN])
{
	for (size_t i = 0; i < KNOWN; i++) {
		if (known[i].proto == proto) {
			if (port == known[i].none)
				return known[i].name;
			snprintf(buf, SEG_SERVICE_STRLEN, "%s/%u", known[i].name, (unsigned)port);
			return buf;
		}
	}
	snprintf(buf, SEG_SERVICE_STRLEN, "proto/%u", (unsigned)proto);
	return buf;
}

const char *seg_proto_name(uint8_t proto, char buf[static SEG_SERVICE_STRLEN])
{
	for (size_t i = 0; i < KNOWN; i++)
		if (known[i].proto == proto)
			return known[i].name;
	snprintf(buf, SEG_SERVICE_STRLEN, "%u", (unsigned)proto);
	return buf;
}
