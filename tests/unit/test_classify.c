// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <stdio.h>

#include "fixture.h"
#include "flow/answer.h"
#include "runner.h"

/*
 * Packets one step outside a permit in every dimension, and what the contract
 * says about the gateway, groups and links. Then random policies: a verdict
 * through the index is the verdict without.
 */
static const char policy_text[] =
	"segd: 1\n"
	"timezone: Asia/Tokyo\n"
	"guard: none\n"
	"gateway: [10.1.0.1, 10.2.0.1, 10.9.0.1, \"2001:db8:2::1\", 192.0.2.1]\n"
	"zones:\n"
	"  mn:    {tier: mynumber, interfaces: [mn0], networks: [10.1.0.0/24]}\n"
	"  lg:    {tier: lgwan, interfaces: [lg0, \"lgx*\"], networks: [10.2.0.0/22, \"2001:db8:2::/64\"], intra: allow}\n"
	"  red:   {tier: separate, interfaces: [trunk0], networks: [10.5.0.0/24, \"2001:db8:5::/64\"]}\n"
	"  blue:  {tier: separate, interfaces: [trunk0], networks: [10.6.0.0/24, \"2001:db8:6::/64\"]}\n"
	"  ops:   {tier: management, interfaces: [ops0], networks: [10.9.0.0/24]}\n"
	"  wan:   {tier: lgwan, interfaces: [wan0], networks: [172.30.0.0/16], link: routed}\n"
	"  inet:  {tier: internet, interfaces: [out0], networks: [192.0.2.0/24, any], link: routed}\n"
	"hosts:\n"
	"  batch: {address: 10.1.0.20, mac: \"00:00:5e:00:53:20\"}\n"
	"  pair:  {address: [10.1.0.20, 10.1.0.30]}\n"
	"  asp:   {address: 172.30.5.10}\n"
	"  staff: {address: 10.2.1.0/24, except: 10.2.1.200/29}\n"
	"permits:\n"
	"  - {id: S-1, class: internal, from: mn, to: wan, source: [batch], destination: [asp], service: [tcp/443, tcp/8000-8003],\n"
	"     hours: [mon-fri 08:00-20:00], valid: {from: 2026-04-01, until: 2027-03-31}}\n"
	"  - {id: X-1, class: internal, from: [red, mn], to: [ops, wan], source: [10.5.0.0-10.5.0.9, 10.1.0.40], destination: [10.9.0.0/28, 172.30.9.9], service: [udp/161]}\n"
	"  - {id: W-1, class: internal, from: lg, to: inet, service: [any]}\n"
	"  - {id: W-2, class: internal, from: lg, to: ops, source: [staff], service: [tcp/22]}\n"
	"  - {id: W-3, class: internal, from: lg, to: ops, service: [tcp/22], hours: [sat 22:00-05:00]}\n"
	"  - {id: L-1, class: internal, from: lg, to: lg, destination: [10.2.3.3], service: [tcp/445]}\n"
	"  - {id: N-1, class: internal, from: ops, to: ops, destination: [10.9.0.30], service: [tcp/22]}\n"
	"  - {id: G-1, class: internal, from: [lg, red, blue, inet], to: gateway, service: [udp/123, icmp/8, icmpv6/128, udp/67, udp/546-547, proto/112]}\n"
	"  - {id: G-2, class: internal, from: ops, to: gateway, destination: [10.1.0.1, 10.9.0.1, 224.0.0.18], service: [tcp/22, proto/112]}\n"
	"  - {id: G-3, class: internal, from: gateway, to: [ops, lg], service: [proto/112, udp/514]}\n"
	"  - {id: G-4, class: internal, from: gateway, to: ops, source: [10.9.0.1], destination: [10.9.0.40], service: [tcp/6514]}\n"
	"  - {id: E-1, class: internal, from: blue, to: mn, service: [tcp/22], valid: {until: 2026-12-02}}\n"
	"  - {id: E-2, class: internal, from: blue, to: wan, service: [tcp/22], valid: {from: 2026-12-02}}\n"
	"  - {id: D-1, class: internal, from: ops, to: mn, source: [10.9.0.30], destination: [10.1.0.20], service: [tcp/22], valid: {from: 2026-12-01, until: 2026-12-02}}\n";

#define NOON "2026-11-24T12:00" /* a Tuesday */
#define MAC "00:00:5e:00:53:20"

static const struct packet_case {
	const char *in, *mac, *at, *src, *dst, *proto;
	const char *verdict, *reason, *permit; /* permit: by or nearest; NULL: none */
	const char *detail;                    /* a part of the sentence; NULL: not looked at */
} cases[] = {
	/* S-1, and one step outside in each dimension. */
	{"mn0", MAC, NOON, "10.1.0.20", "172.30.5.10", "tcp/443", "permit", "permit", "S-1", "until 2026-11-24T20:00:00+09:00"},
	{NULL, MAC, NOON, "10.1.0.20", "172.30.5.10", "tcp/8000", "permit", "permit", "S-1", NULL},
	{NULL, MAC, NOON, "10.1.0.20", "172.30.5.10", "tcp/8003", "permit", "permit", "S-1", NULL},
	{NULL, MAC, NOON, "10.1.0.20", "172.30.5.10", "tcp/7999", "deny", "port", "S-1", "port 7999, S-1 permits tcp/443"},
	{NULL, MAC, NOON, "10.1.0.20", "172.30.5.10", "tcp/8004", "deny", "port", "S-1", NULL},
	{NULL, MAC, NOON, "10.1.0.20", "172.30.5.10", "udp/443", "deny", "protocol", "S-1", "protocol udp/443"},
	{NULL, MAC, NOON, "10.1.0.20", "172.30.5.10", "proto/132", "deny", "protocol", "S-1", NULL},
	{NULL, MAC, NOON, "10.1.0.20", "172.30.5.11", "tcp/443", "deny", "address", "S-1", "172.30.5.11, S-1 permits 172.30.5.10"},
	{NULL, MAC, NOON, "10.1.0.21", "172.30.5.10", "tcp/443", "deny", "address", "S-1", "source 10.1.0.21"},
	{NULL, "00:00:5e:00:53:21", NOON, "10.1.0.20", "172.30.5.10", "tcp/443", "deny", "mac", "S-1", "with 00:00:5e:00:53:20"},
	{NULL, NULL, NOON, "10.1.0.20", "172.30.5.10", "tcp/443", "deny", "mac", "S-1", "MAC not known"},
	{NULL, MAC, "2026-11-24T07:59:59", "10.1.0.20", "172.30.5.10", "tcp/443", "deny", "hours", "S-1", "opens 2026-11-24T08:00:00+09:00"},
	{NULL, MAC, "2026-11-24T08:00", "10.1.0.20", "172.30.5.10", "tcp/443", "permit", "permit", "S-1", NULL},
	{NULL, MAC, "2026-11-24T19:59:59", "10.1.0.20", "172.30.5.10", "tcp/443", "permit", "permit", "S-1", NULL},
	{NULL, MAC, "2026-11-24T20:00", "10.1.0.20", "172.30.5.10", "tcp/443", "deny", "hours", "S-1", NULL},
	{NULL, MAC, "2026-11-29T12:00", "10.1.0.20", "172.30.5.10", "tcp/443", "deny", "hours", "S-1", "opens 2026-11-30T08:00:00+09:00"},
	{NULL, MAC, "2026-03-31T12:00", "10.1.0.20", "172.30.5.10", "tcp/443", "deny", "dates", "S-1", "begins 2026-04-01, opens 2026-04-01T08:00:00+09:00"},
	{NULL, MAC, "2026-04-01T12:00", "10.1.0.20", "172.30.5.10", "tcp/443", "permit", "permit", "S-1", NULL},
	{NULL, MAC, "2027-03-31T12:00", "10.1.0.20", "172.30.5.10", "tcp/443", "permit", "permit", "S-1", NULL},
	{NULL, MAC, "2027-04-01T12:00", "10.1.0.20", "172.30.5.10", "tcp/443", "deny", "dates", "S-1", "S-1 expired 2027-03-31"},
	{NULL, MAC, "2027-04-01T00:00+14:00", "10.1.0.20", "172.30.5.10", "tcp/443", "permit", "permit", "S-1", NULL},
	/* Several parts: the order of reasons, and each named. */
	{NULL, NULL, NOON, "10.1.0.20", "172.30.5.10", "tcp/444", "deny", "port", "S-1", "port 444, S-1 permits tcp/443, tcp/8000-8003; MAC not known"},
	{NULL, NULL, "2026-11-24T21:00", "10.1.0.20", "172.30.5.10", "tcp/444", "deny", "address", "X-1", "; protocol tcp/444, X-1 permits udp/161"},
	{NULL, NULL, "2026-11-24T21:00", "10.1.0.20", "172.30.5.10", "tcp/443", "deny", "mac", "S-1", "; outside the hours of S-1, mon-fri 08:00-20:00"},
	{NULL, NULL, NOON, "10.1.0.40", "172.30.9.9", "udp/162", "deny", "port", "X-1", NULL},
	/* The nearest is the one that fails in fewer parts; of equals the one that fails in time; then the first. */
	{NULL, NULL, NOON, "10.1.0.40", "172.30.9.9", "tcp/22", "deny", "protocol", "X-1", NULL},
	{NULL, NULL, NOON, "10.1.0.40", "172.30.9.9", "tcp/443", "deny", "address", "S-1", NULL},
	{NULL, NULL, NOON, "10.2.1.9", "10.9.0.3", "tcp/23", "deny", "port", "W-2", NULL},
	{NULL, NULL, NOON, "10.2.0.9", "10.9.0.3", "tcp/22", "deny", "hours", "W-3", NULL},
	{NULL, NULL, NOON, "10.2.1.200", "10.9.0.3", "tcp/22", "deny", "hours", "W-3", NULL},
	{NULL, NULL, NOON, "10.2.1.199", "10.9.0.3", "tcp/22", "permit", "permit", "W-2", NULL},
	{NULL, NULL, "2026-11-28T23:00", "10.2.1.200", "10.9.0.3", "tcp/22", "permit", "permit", "W-3", "until 2026-11-29T05:00:00+09:00"},
	{NULL, NULL, "2026-11-29T04:59:59", "10.2.1.200", "10.9.0.3", "tcp/22", "permit", "permit", "W-3", NULL},
	{NULL, NULL, "2026-11-29T05:00", "10.2.1.200", "10.9.0.3", "tcp/22", "deny", "hours", "W-3", "opens 2026-12-05T22:00:00+09:00"},
	{NULL, NULL, "2026-11-29T05:00", "10.2.1.200", "10.9.0.3", "tcp/23", "deny", "port", "W-3", NULL},
	/* Several zones: a listed address counts in its own zone. */
	{NULL, NULL, NOON, "10.5.0.9", "10.9.0.15", "udp/161", "permit", "permit", "X-1", NULL},
	{NULL, NULL, NOON, "10.5.0.10", "10.9.0.15", "udp/161", "deny", "address", "X-1", NULL},
	{NULL, NULL, NOON, "10.5.0.9", "10.9.0.16", "udp/161", "deny", "address", "X-1", NULL},
	{NULL, NULL, NOON, "10.1.0.40", "10.9.0.1", "udp/161", "deny", "no-permit", NULL, NULL},
	{NULL, NULL, NOON, "10.5.0.9", "172.30.9.9", "udp/161", "permit", "permit", "X-1", NULL},
	/* Zones. */
	{NULL, NULL, NOON, "10.2.0.9", "198.51.100.7", "proto/47", "permit", "permit", "W-1", NULL},
	{NULL, NULL, NOON, "2001:db8:2::9", "2001:db8:ffff::1", "udp/53", "permit", "permit", "W-1", NULL},
	{NULL, NULL, NOON, "10.6.0.9", "10.9.0.1", "tcp/80", "deny", "address", "G-1", NULL},
	{NULL, NULL, NOON, "10.6.0.9", "192.0.2.9", "tcp/80", "deny", "no-permit", NULL, "from blue to inet"},
	/* Direction: the same port the other way, nothing less. */
	{NULL, NULL, NOON, "172.30.5.10", "10.1.0.20", "tcp/443", "deny", "direction", "S-1", "from mn to wan"},
	{NULL, NULL, "2027-05-01T12:00", "172.30.5.10", "10.1.0.20", "tcp/443", "deny", "direction", "S-1", NULL},
	{NULL, NULL, NOON, "172.30.5.10", "10.1.0.20", "tcp/444", "deny", "no-permit", NULL, NULL},
	{NULL, NULL, NOON, "172.30.5.11", "10.1.0.20", "tcp/443", "deny", "no-permit", NULL, NULL},
	{NULL, NULL, NOON, "192.0.2.7", "10.2.0.9", "tcp/80", "deny", "direction", "W-1", NULL},
	/* Inside a zone. */
	{"lg0", NULL, NOON, "10.2.1.9", "10.2.3.9", "tcp/445", "permit", "intra", NULL, "intra is allow"},
	{"lg0", NULL, NOON, "10.2.1.9", "10.2.3.3", "tcp/445", "permit", "permit", "L-1", NULL},
	{NULL, NULL, NOON, "10.9.0.9", "10.9.0.30", "tcp/22", "permit", "permit", "N-1", NULL},
	{NULL, NULL, NOON, "10.9.0.9", "10.9.0.31", "tcp/22", "deny", "intra", "N-1", "destination 10.9.0.31"},
	{NULL, NULL, NOON, "10.1.0.9", "10.1.0.31", "tcp/22", "deny", "intra", NULL, "no permit"},
	/* Interface and address. */
	{"lgx7", NULL, NOON, "10.2.0.9", "198.51.100.7", "tcp/80", "permit", "permit", "W-1", NULL},
	{"lg1", NULL, NOON, "10.2.0.9", "198.51.100.7", "tcp/80", "deny", "unknown-zone", NULL, "interface lg1"},
	{"mn0", NULL, NOON, "10.2.0.9", "198.51.100.7", "tcp/80", "deny", "spoofed", NULL, "belongs to zone lg"},
	{"out0", NULL, NOON, "10.2.0.9", "10.9.0.3", "tcp/22", "deny", "spoofed", NULL, NULL},
	{"lg0", NULL, NOON, "8.8.8.8", "10.9.0.3", "tcp/22", "deny", "spoofed", NULL, "zone inet"},
	{"trunk0", NULL, NOON, "10.5.0.9", "10.9.0.3", "udp/161", "permit", "permit", "X-1", NULL},
	{"trunk0", NULL, NOON, "10.6.0.9", "10.9.0.3", "udp/161", "deny", "no-permit", NULL, NULL},
	{"out0", NULL, NOON, "224.0.0.9", "10.9.0.3", "udp/161", "deny", "spoofed", NULL, NULL},
	{"out0", NULL, NOON, "127.0.0.1", "10.9.0.3", "udp/161", "deny", "spoofed", NULL, NULL},
	{"out0", NULL, NOON, "::1", "2001:db8:2::9", "udp/161", "deny", "spoofed", NULL, NULL},
	/* To the gateway: without a destination the address on the own side alone. */
	{"lg0", NULL, NOON, "10.2.0.9", "10.2.0.1", "udp/123", "permit", "permit", "G-1", NULL},
	{"lg0", NULL, NOON, "10.2.0.9", "10.9.0.1", "udp/123", "deny", "address", "G-1", "on the side of zone lg"},
	{"lg0", NULL, NOON, "2001:db8:2::9", "2001:db8:2::1", "icmpv6/128", "permit", "permit", "G-1", NULL},
	{"lg0", NULL, NOON, "10.2.0.9", "10.2.0.1", "udp/124", "deny", "port", "G-1", NULL},
	{"out0", NULL, NOON, "192.0.2.9", "192.0.2.1", "icmp/8", "permit", "permit", "G-1", NULL},
	{"out0", NULL, NOON, "198.51.100.9", "192.0.2.1", "icmp/8", "permit", "permit", "G-1", NULL},
	{"out0", NULL, NOON, "192.0.2.9", "192.0.2.1", "icmp/0", "deny", "port", "G-1", "type 0"},
	{"out0", NULL, NOON, "192.0.2.9", "192.0.2.1", "icmp", "deny", "port", "G-1", "no type is given (ping is icmp/8), G-1 permits"},
	{"lg0", NULL, NOON, "2001:db8:2::9", "2001:db8:2::1", "icmpv6", "deny", "port", "G-1", "(ping is icmpv6/128)"},
	{"ops0", NULL, NOON, "10.9.0.9", "10.9.0.1", "tcp/22", "permit", "permit", "G-2", NULL},
	{"ops0", NULL, NOON, "10.9.0.9", "10.1.0.1", "tcp/22", "permit", "permit", "G-2", NULL},
	{"ops0", NULL, NOON, "10.9.0.9", "10.2.0.1", "tcp/22", "deny", "address", "G-2", NULL},
	{"mn0", NULL, NOON, "10.1.0.9", "10.1.0.1", "tcp/22", "deny", "no-permit", NULL, "from mn to gateway"},
	{"mn0", NULL, NOON, "10.1.0.1", "10.2.0.9", "tcp/22", "deny", "spoofed", NULL, "gateway's own address"},
	/* Groups arriving. */
	{"lg0", NULL, NOON, "10.2.0.9", "224.0.0.18", "proto/112", "permit", "permit", "G-1", NULL},
	{"lg0", NULL, NOON, "10.2.0.9", "255.255.255.255", "udp/67", "permit", "permit", "G-1", NULL},
	{"lg0", NULL, NOON, "10.2.0.9", "224.0.0.251", "udp/5353", "deny", "port", "G-1", NULL},
	{"ops0", NULL, NOON, "10.9.0.9", "224.0.0.18", "proto/112", "permit", "permit", "G-2", NULL},
	{"ops0", NULL, NOON, "10.9.0.9", "224.0.0.19", "proto/112", "deny", "address", "G-2", NULL},
	{"mn0", NULL, NOON, "10.1.0.9", "224.0.0.251", "udp/5353", "deny", "no-permit", NULL, NULL},
	/* Link-local and unspecified sources: towards the gateway, by permits without a source. */
	{"lg0", NULL, NOON, "0.0.0.0", "255.255.255.255", "udp/67", "permit", "permit", "G-1", NULL},
	{"trunk0", NULL, NOON, "fe80::9", "ff02::1:2", "udp/547", "permit", "permit", "G-1", NULL},
	{"lg0", NULL, NOON, "fe80::9", "fe80::1", "icmpv6/128", "permit", "permit", "G-1", NULL},
	{"lg0", NULL, NOON, "fe80::9", "2001:db8:2::1", "icmpv6/128", "permit", "permit", "G-1", NULL},
	{"lg0", NULL, NOON, "fe80::9", "2001:db8:6::1", "icmpv6/128", "deny", "spoofed", NULL, "stays on its link"},
	{"mn0", NULL, NOON, "0.0.0.0", "255.255.255.255", "udp/67", "deny", "no-permit", NULL, NULL},
	{"eth9", NULL, NOON, "0.0.0.0", "255.255.255.255", "udp/67", "deny", "unknown-zone", NULL, NULL},
	{NULL, NULL, NOON, "fe80::9", "ff02::1:2", "udp/547", "deny", "unknown-zone", NULL, "which is not known"},
	/* What keeps the gateway on the network. */
	{"lg0", NULL, NOON, "2001:db8:2::9", "2001:db8:2::1", "icmpv6/135", "permit", "gateway-essential", NULL, NULL},
	{"mn0", NULL, NOON, "fe80::9", "ff02::1", "icmpv6/136", "permit", "gateway-essential", NULL, NULL},
	{"mn0", NULL, NOON, "::", "ff02::1:ff00:1", "icmpv6/135", "permit", "gateway-essential", NULL, NULL},
	{"mn0", NULL, NOON, "fe80::9", "ff02::16", "icmpv6/143", "permit", "gateway-essential", NULL, NULL},
	{"mn0", NULL, NOON, "fe80::9", "fe80::1", "icmpv6/137", "deny", "no-permit", NULL, NULL},
	{"mn0", NULL, NOON, "fe80::9", "fe80::1", "icmpv6/129", "deny", "no-permit", NULL, NULL},
	{"lg0", NULL, NOON, "2001:db8:2::9", "2001:db8:6::9", "icmpv6/135", "deny", "no-permit", NULL, NULL},
	{NULL, NULL, NOON, "10.1.0.9", "10.1.0.1", "icmpv6/135", "deny", "no-permit", NULL, NULL},
	{NULL, NULL, NOON, "10.1.0.1", "10.9.0.1", "tcp/80", "permit", "gateway-essential", NULL, NULL},
	{NULL, NULL, NOON, "127.0.0.1", "127.0.0.1", "tcp/80", "permit", "gateway-essential", NULL, NULL},
	/* From the gateway. */
	{NULL, NULL, NOON, "10.9.0.1", "10.9.0.40", "tcp/6514", "permit", "permit", "G-4", NULL},
	{NULL, NULL, NOON, "10.9.0.1", "10.9.0.41", "tcp/6514", "deny", "protocol", "G-3", NULL},
	{NULL, NULL, NOON, "10.1.0.1", "10.9.0.40", "tcp/6514", "deny", "protocol", "G-3", NULL},
	{NULL, NULL, NOON, "10.1.0.1", "10.2.0.40", "udp/514", "permit", "permit", "G-3", NULL},
	{NULL, NULL, NOON, "10.9.0.1", "10.1.0.40", "udp/514", "deny", "no-permit", NULL, "from gateway to mn"},
	{NULL, NULL, NOON, "10.9.0.1", "224.0.0.18", "proto/112", "permit", "permit", "G-3", NULL},
	{NULL, NULL, NOON, "10.9.0.1", "224.0.0.18", "udp/5353", "deny", "port", "G-3", NULL},
	{NULL, NULL, NOON, "10.9.0.1", "127.0.0.5", "udp/5353", "permit", "gateway-essential", NULL, NULL},
	/* Open at one end. */
	{NULL, NULL, NOON, "10.6.0.9", "10.1.0.20", "tcp/22", "permit", "permit", "E-1", "until 2026-12-03T00:00:00+09:00"},
	{NULL, NULL, "2026-12-03T00:00", "10.6.0.9", "10.1.0.20", "tcp/22", "deny", "dates", "E-1", "expired 2026-12-02"},
	{NULL, NULL, "2026-12-01T23:59:59", "10.6.0.9", "172.30.5.10", "tcp/22", "deny", "dates", "E-2", "opens 2026-12-02T00:00:00+09:00"},
	{NULL, NULL, "2036-12-02T00:00", "10.6.0.9", "172.30.5.10", "tcp/22", "permit", "permit", "E-2", NULL},
	/* Not yet. */
	{NULL, NULL, NOON, "10.9.0.30", "10.1.0.20", "tcp/22", "deny", "dates", "D-1", "begins 2026-12-01"},
	{NULL, NULL, "2026-12-01T00:00", "10.9.0.30", "10.1.0.20", "tcp/22", "permit", "permit", "D-1", NULL},
	{NULL, NULL, "2026-12-02T23:59:59", "10.9.0.30", "10.1.0.20", "tcp/22", "permit", "permit", "D-1", NULL},
	{NULL, NULL, "2026-12-03T00:00", "10.9.0.30", "10.1.0.20", "tcp/22", "deny", "dates", "D-1", "expired 2026-12-02"},
};

static struct fixture fixture;
static struct seg_arena *arena;
static struct seg_gateway gateway;

static void setup(void)
{
	fixture_init(&fixture, policy_text);
	arena = seg_arena_new();
	gateway = seg_gateway_from_policy(fixture.policy, arena);
}

static void teardown(void)
{
	seg_arena_free(arena);
	fixture_fini(&fixture);
}

static const char *id_of(const struct seg_permit *permit)
{
	return permit ? permit->id : "-";
}

static void ck_same_verdict(const struct seg_verdict *a, const struct seg_verdict *b)
{
	ck_assert(a->permit == b->permit && a->reason == b->reason && a->by == b->by && a->nearest == b->nearest &&
		  a->failed == b->failed && a->from == b->from && a->to == b->to && a->claimed == b->claimed);
}

START_TEST(test_packet)
{
	const struct packet_case *c = &cases[_i];
	struct seg_query query = {c->in, c->mac, c->at, c->src, c->dst, c->proto};
	struct seg_index *index = seg_index_new(fixture.policy);
	struct seg_strbuf problem = {0};
	struct seg_verdict verdict, indexed;
	struct seg_asked asked;
	char *detail, what[256];

	snprintf(what, sizeof(what), "%s %s -> %s %s at %s", c->in ? c->in : "-", c->src, c->dst, c->proto, c->at);
	ck_assert_msg(seg_answer_ask(fixture.policy, &query, 0, &asked, &problem), "%s: %s", what,
		      seg_strbuf_text(&problem));
	verdict = seg_classify(fixture.policy, &gateway, &asked.packet, asked.at);
	indexed = seg_classify_indexed(fixture.policy, index, &gateway, &asked.packet, asked.at);
	ck_same_verdict(&verdict, &indexed);
	detail = seg_verdict_detail(fixture.policy, &asked.packet, &verdict, asked.at);
	ck_assert_msg(strcmp(verdict.permit ? "permit" : "deny", c->verdict) == 0 &&
			      strcmp(seg_reason_name(verdict.reason), c->reason) == 0 &&
			      strcmp(id_of(verdict.by ? verdict.by : verdict.nearest), c->permit ? c->permit : "-") == 0,
		      "%s: %s %s %s (%s), not %s %s %s", what, verdict.permit ? "permit" : "deny",
		      seg_reason_name(verdict.reason), id_of(verdict.by ? verdict.by : verdict.nearest), detail,
		      c->verdict, c->reason, c->permit);
	ck_assert_msg(!c->detail || strstr(detail, c->detail), "%s: \"%s\" does not say \"%s\"", what, detail,
		      c->detail);
	free(detail);
	seg_strbuf_fini(&problem);
	seg_index_free(index);
}
END_TEST

static struct seg_verdict judge(const struct seg_gateway *own, const struct seg_packet *packet)
{
	time_t at = 1795489200; /* 2026-11-24T12:00+09:00 */

	return seg_classify(fixture.policy, own, packet, at);
}

static seg_addr addr(const char *text)
{
	seg_addr value;

	ck_assert(seg_addr_parse(text, strlen(text), &value));
	return value;
}

/* With the kernel's knowledge of which interface carries which address. */
START_TEST(test_online_gateway)
{
	const struct seg_gateway_addr own[] = {
		{addr("10.2.0.1"), "lg0"}, {addr("10.2.1.1"), "lgx1"}, {addr("fe80::1"), "lg0"}, {addr("fe80::2"), "mn0"},
	};
	const struct seg_gateway online = {own, 4};
	struct seg_packet packet = {.in = "lg0", .src = addr("10.2.0.9"), .dst = addr("10.2.0.1"), .proto = 17, .dport = 123};

	ck_assert(judge(&online, &packet).permit);
	packet.in = "lgx1"; /* the same zone, another interface's address */
	ck_assert_int_eq(judge(&online, &packet).reason, SEG_REASON_ADDRESS);
	packet.dst = addr("10.2.1.1");
	ck_assert(judge(&online, &packet).permit);
	packet.in = NULL;
	ck_assert(judge(&online, &packet).permit);
	/* Another interface's link-local address is not the gateway's here. */
	packet = (struct seg_packet){.in = "lg0", .src = addr("fe80::9"), .dst = addr("fe80::1"), .proto = 58, .dport = 128};
	ck_assert(judge(&online, &packet).permit);
	packet.dst = addr("fe80::2");
	ck_assert(!judge(&online, &packet).permit);
	/* Nor is a neighbour that happens to bear it a forger. */
	packet.dst = addr("fe80::1");
	packet.src = addr("fe80::2");
	ck_assert(judge(&online, &packet).permit);
	packet.src = addr("fe80::1");
	ck_assert_int_eq(judge(&online, &packet).reason, SEG_REASON_SPOOFED);
}
END_TEST

/* What the gateway sends to a group belongs to the zones of the interface it leaves by. */
START_TEST(test_output_group)
{
	struct seg_packet packet = {.out = "lg0", .src = addr("10.2.0.1"), .dst = addr("224.0.0.18"), .proto = 112};
	struct seg_verdict verdict = judge(&gateway, &packet);

	ck_assert(verdict.permit);
	ck_assert_str_eq(verdict.to->id, "lg");
	packet.out = "mn0";
	verdict = judge(&gateway, &packet);
	ck_assert(!verdict.permit && verdict.reason == SEG_REASON_NO_PERMIT);
	ck_assert_str_eq(verdict.to->id, "mn");
	packet.out = "eth9";
	ck_assert_int_eq(judge(&gateway, &packet).reason, SEG_REASON_UNKNOWN_ZONE);
	/* Its own router advertisement needs nothing. */
	packet = (struct seg_packet){.out = "mn0", .src = addr("fe80::1"), .dst = addr("ff02::1"), .proto = 58, .dport = 134};
	ck_assert_int_eq(judge(&gateway, &packet).reason, SEG_REASON_GATEWAY_ESSENTIAL);
}
END_TEST

/* Conntrack knows no MAC; a flow picked up from the wrong side is a reply by its source port. */
START_TEST(test_flows)
{
	struct seg_packet packet = {.src = addr("10.1.0.20"), .dst = addr("172.30.5.10"), .proto = 6, .dport = 443, .no_mac = true};
	struct seg_verdict verdict = judge(&gateway, &packet);

	ck_assert(verdict.permit);
	packet = (struct seg_packet){.src = addr("172.30.5.10"), .dst = addr("10.1.0.20"), .proto = 6, .sport = 443, .dport = 51234, .no_mac = true};
	verdict = judge(&gateway, &packet);
	ck_assert(!verdict.permit && verdict.reason == SEG_REASON_DIRECTION);
	ck_assert_str_eq(verdict.nearest->id, "S-1");
}
END_TEST

START_TEST(test_families_do_not_mix)
{
	struct seg_packet packet = {.src = addr("10.2.0.9"), .dst = addr("2001:db8:ffff::1"), .proto = 6, .dport = 80};

	ck_assert_int_eq(judge(&gateway, &packet).reason, SEG_REASON_UNKNOWN_ZONE);
}
END_TEST

START_TEST(test_proto)
{
	static const struct {
		const char *text, *shown; /* shown NULL: refused */
	} texts[] = {
		{"tcp/443", "tcp/443"},	 {"udp/0", "udp"},	   {"tcp/65535", "tcp/65535"}, {"tcp/65536", NULL},
		{"icmp/8", "icmp/8"},	 {"icmp/256", NULL},	   {"icmpv6/128", "icmpv6/128"}, {"proto/112", "proto/112"},
		{"47", "proto/47"},	 {"6", "tcp"},	   {"6/443", "tcp/443"},	 {"256", NULL},
		{"tcp", "tcp"},	 {"TCP/443", NULL},	   {"tcp/", NULL},	         {"tcp/-1", NULL},
		{"icmp", "icmp"},	 {"1", "icmp"},		   {"icmpv6", "icmpv6"},	 {"icmp/0", "icmp/0"},
		{"tcp/443x", NULL},	 {"", NULL},		   {"/443", NULL},		 {"proto/", NULL},
		{"proto", NULL},	 {"proto/47/1", NULL},	   {"47/1", NULL},		 {"tcp/0443443", NULL},
	};
	char shown[SEG_SERVICE_STRLEN];
	uint16_t port;
	uint8_t proto;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		bool good = seg_proto_parse(texts[i].text, &proto, &port);

		ck_assert_msg(good == (texts[i].shown != NULL), "%s", texts[i].text);
		if (good)
			ck_assert_str_eq(seg_proto_format(proto, port, shown), texts[i].shown);
	}
}
END_TEST

/* A cell stands where something may begin: a listed address counts in its own zone alone. */
START_TEST(test_matrix)
{
	json_t *doc = seg_answer_matrix(fixture.policy), *cells = json_object_get(doc, "cells"), *cell;
	size_t i, seen = 0;

	ck_assert_uint_eq(json_array_size(json_object_get(doc, "zones")), fixture.policy->zones + 1);
	json_array_foreach(cells, i, cell)
	{
		const char *from = json_string_value(json_object_get(cell, "from"));
		const char *to = json_string_value(json_object_get(cell, "to"));
		bool intra = json_is_true(json_object_get(cell, "intra"));

		ck_assert(intra || json_array_size(json_object_get(cell, "permits")) > 0);
		ck_assert(intra == (strcmp(from, "lg") == 0 && strcmp(to, "lg") == 0));
		if (strcmp(from, "mn") == 0 && strcmp(to, "wan") == 0)
			seen = json_array_size(json_object_get(cell, "permits"));
		ck_assert_msg(strcmp(from, "wan") != 0, "%s -> %s", from, to);
	}
	ck_assert_uint_eq(seen, 2);
	json_decref(doc);
}
END_TEST

START_TEST(test_matrix_empty_side)
{
	char *text = fixture_replace(policy_text, "source: [10.5.0.0-10.5.0.9, 10.1.0.40]", "source: [10.5.0.0-10.5.0.9]");
	struct fixture other;
	json_t *cells, *cell, *doc;
	size_t i;

	fixture_init(&other, text);
	doc = seg_answer_matrix(other.policy);
	cells = json_object_get(doc, "cells");
	json_array_foreach(cells, i, cell)
	{
		bool mn = strcmp(json_string_value(json_object_get(cell, "from")), "mn") == 0;

		ck_assert(!mn || json_array_size(json_object_get(cell, "permits")) == 1); /* S-1 to wan alone */
		ck_assert(!mn || strcmp(json_string_value(json_object_get(cell, "to")), "wan") == 0);
	}
	json_decref(doc);
	fixture_fini(&other);
	free(text);
}
END_TEST

/* --- Random policies --- */

#define ZONES 12

static unsigned below(unsigned *seed, unsigned n)
{
	return (unsigned)rand_r(seed) % n;
}

static void add_zone_list(struct seg_strbuf *out, unsigned *seed, const char *key, bool gateway_too)
{
	const unsigned zones = gateway_too ? ZONES + 1 : ZONES;
	bool all = below(seed, 8) == 0; /* a permit between many zones */
	unsigned first = below(seed, zones);

	seg_strbuf_printf(out, ", %s: [", key);
	for (unsigned i = 0; i < (all ? ZONES : 1 + below(seed, 2)); i++) {
		unsigned zone = (first + i) % zones;

		if (zone == ZONES)
			seg_strbuf_printf(out, "%sgateway", i ? ", " : "");
		else
			seg_strbuf_printf(out, "%sz%u", i ? ", " : "", zone);
	}
	seg_strbuf_addc(out, ']');
}

static char *random_policy(unsigned *seed)
{
	struct seg_strbuf out = {0};

	seg_strbuf_add(&out, "segd: 1\nguard: none\ngateway: [10.0.0.1, 10.1.0.1, 10.2.0.1]\nzones:\n");
	for (unsigned i = 0; i < ZONES; i++)
		seg_strbuf_printf(&out, "  z%u: {tier: separate, interfaces: [e%u], networks: [10.%u.0.0/16], intra: %s}\n", i,
				  i, i, below(seed, 2) ? "allow" : "deny");
	seg_strbuf_add(&out, "permits:\n");
	for (unsigned i = 0; i < 40; i++) {
		seg_strbuf_printf(&out, "  - {id: P%u, class: internal", i);
		add_zone_list(&out, seed, "from", i % 2 == 0);
		add_zone_list(&out, seed, "to", i % 2 == 1);
		if (below(seed, 2))
			seg_strbuf_printf(&out, ", source: [10.%u.0.%u]", below(seed, ZONES), below(seed, 3));
		if (below(seed, 2))
			seg_strbuf_printf(&out, ", destination: [10.%u.0.0-10.%u.0.%u]", below(seed, ZONES), ZONES, below(seed, 3));
		seg_strbuf_printf(&out, ", service: [%s/%u]}\n", below(seed, 2) ? "tcp" : "udp", 1 + below(seed, 3));
	}
	return seg_strbuf_take(&out);
}

START_TEST(test_proto_name)
{
	char text[SEG_SERVICE_STRLEN];

	ck_assert_str_eq(seg_proto_name(6, text), "tcp");
	ck_assert_str_eq(seg_proto_name(58, text), "icmpv6");
	ck_assert_str_eq(seg_proto_name(112, text), "112");
}
END_TEST

START_TEST(test_index_changes_nothing)
{
	unsigned seed = (unsigned)_i + 1, permitted = 0;
	char *text = random_policy(&seed);
	struct seg_gateway own;
	struct seg_index *index;
	struct fixture random;

	fixture_init(&random, text);
	own = seg_gateway_from_policy(random.policy, arena);
	index = seg_index_new(random.policy);
	for (int i = 0; i < 20000; i++) {
		struct seg_packet packet = {
			.src = seg_addr_v4(10u << 24 | below(&seed, ZONES) << 16 | below(&seed, 4)),
			.dst = seg_addr_v4(10u << 24 | below(&seed, ZONES) << 16 | below(&seed, 4)),
			.proto = below(&seed, 2) ? 6 : 17,
			.dport = (uint16_t)(1 + below(&seed, 3)),
		};
		struct seg_verdict plain = seg_classify(random.policy, &own, &packet, 0);
		struct seg_verdict indexed = seg_classify_indexed(random.policy, index, &own, &packet, 0);

		ck_same_verdict(&plain, &indexed);
		permitted += plain.permit && plain.reason == SEG_REASON_PERMIT;
	}
	ck_assert_uint_gt(permitted, 100);
	seg_index_free(index);
	fixture_fini(&random);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("classify");
	TCase *verdicts = tcase_create("verdicts");

	tcase_add_checked_fixture(verdicts, setup, teardown);
	tcase_add_loop_test(verdicts, test_packet, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(verdicts, test_online_gateway);
	tcase_add_test(verdicts, test_output_group);
	tcase_add_test(verdicts, test_flows);
	tcase_add_test(verdicts, test_families_do_not_mix);
	tcase_add_test(verdicts, test_proto);
	tcase_add_test(verdicts, test_matrix);
	tcase_add_test(verdicts, test_matrix_empty_side);
	tcase_add_test(verdicts, test_proto_name);
	tcase_add_loop_test(verdicts, test_index_changes_nothing, 0, 12);
	suite_add_tcase(suite, verdicts);
	return run_suite(suite);
}
