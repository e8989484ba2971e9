/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_ADDR_H
#define SEG_BASE_ADDR_H

/*
 * IPv4 and IPv6 addresses as one ordered number line.
 *
 * An address is an unsigned 128-bit integer in host order. IPv4 lives at
 * ::ffff:0:0/96 (RFC 4291, 2.5.5.2), so that one comparison, one range type
 * and one sort serve both families. IPv6 packets with such a source or
 * destination never belong to a zone (the loader refuses them in a policy).
 *
 * Plain values: nothing here allocates.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 seg_addr;

/* The block of IPv4 on the number line. */
#define SEG_V4_FIRST ((seg_addr)0xffff << 32)
#define SEG_V4_LAST (SEG_V4_FIRST | UINT32_MAX)

#define SEG_ADDR_STRLEN 46 /* INET6_ADDRSTRLEN */
#define SEG_MAC_LEN 6
#define SEG_MAC_STRLEN 18

enum seg_family { SEG_IPV4 = 4, SEG_IPV6 = 6 };

/* From and to network byte order: 4 bytes (IPv4) or 16 (IPv6). */
seg_addr seg_addr_from_bytes(enum seg_family family, const void *bytes);
void seg_addr_to_bytes(seg_addr addr, void *bytes);
seg_addr seg_addr_v4(uint32_t host_order);
enum seg_family seg_addr_family(seg_addr addr);
size_t seg_addr_size(enum seg_family family); /* 4 or 16 */

/* First and last address of a family. */
seg_addr seg_addr_first(enum seg_family family);
seg_addr seg_addr_last(enum seg_family family);

/* Text of exactly len bytes. False: not an address (a zone index such as %eth0,
 * an IPv4-mapped IPv6 address or leading zeros are refused as well). */
bool seg_addr_parse(const char *text, size_t len, seg_addr *addr);
/* Canonical text (RFC 5952). Returns buf. */
const char *seg_addr_format(seg_addr addr, char buf[static SEG_ADDR_STRLEN]);

bool seg_addr_is_link_local(seg_addr addr);  /* fe80::/10 */
bool seg_addr_is_unspecified(seg_addr addr); /* :: and 0.0.0.0 */
bool seg_addr_is_loopback(seg_addr addr);    /* 127.0.0.0/8 and ::1 */
bool seg_addr_is_group(seg_addr addr);       /* multicast, and 255.255.255.255 */

/* aa:bb:cc:dd:ee:ff or aa-bb-..., either case. */
bool seg_mac_parse(const char *text, size_t len, uint8_t mac[static SEG_MAC_LEN]);
const char *seg_mac_format(const uint8_t mac[static SEG_MAC_LEN], char buf[static SEG_MAC_STRLEN]);

#endif
