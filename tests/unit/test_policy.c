// SPDX-License-Identifier: GPL-2.0-or-later
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "runner.h"

START_TEST(names_of_the_contract)
{
	ck_assert_str_eq(seg_tier_name(SEG_TIER_MYNUMBER), "mynumber");
	ck_assert_str_eq(seg_tier_name(SEG_TIER_SEPARATE), "separate");
	ck_assert_str_eq(seg_tier_name(SEG_TIER_GATEWAY), "gateway");
	ck_assert_str_eq(seg_class_name(SEG_CLASS_SPECIFIC), "specific");
	ck_assert_str_eq(seg_class_name(SEG_CLASS_INTERNAL), "internal");
	ck_assert_str_eq(seg_method_name(SEG_METHOD_FILE), "file");
	ck_assert_str_eq(seg_assurance_name(SEG_ASSURANCE_CERTIFIED), "certified");
}
END_TEST

START_TEST(services_read_and_written)
{
	static const struct {
		const char *text, *canonical;
		uint8_t proto;
		uint16_t lo, hi;
	} cases[] = {
		{"tcp/443", "tcp/443", IPPROTO_TCP, 443, 443},
		{"udp/3478-3481", "udp/3478-3481", IPPROTO_UDP, 3478, 3481},
		{"tcp/7-7", "tcp/7", IPPROTO_TCP, 7, 7},
		{"tcp/0-65535", "tcp/0-65535", IPPROTO_TCP, 0, 65535},
		{"icmp/8", "icmp/8", IPPROTO_ICMP, 8, 8},
		{"icmpv6/128-129", "icmpv6/128-129", IPPROTO_ICMPV6, 128, 129},
		{"proto/112", "proto/112", 112, 0, 65535},
		{"proto/6", "tcp/0-65535", IPPROTO_TCP, 0, 65535},
		{"proto/1", "icmp/0-255", IPPROTO_ICMP, 0, 255},
		{"proto/0", "proto/0", 0, 0, 65535},
	};
	struct seg_service_item item, again;
	char buf[SEG_SERVICE_STRLEN];
	enum seg_diag_code code;
	const char *reason;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert(
			seg_service_item_parse(cases[i].text, strlen(cases[i].text), &item, &code, &reason));
		ck_assert(!item.any);
		ck_assert_uint_eq(item.proto, cases[i].proto);
		ck_assert_uint_eq(item.lo, cases[i].lo);
		ck_assert_uint_eq(item.hi, cases[i].hi);
		ck_assert_str_eq(seg_service_item_format(&item, buf), cases[i].canonical);
		ck_assert(seg_service_item_parse(buf, strlen(buf), &again, &code, &reason));
		ck_assert_uint_eq(again.lo, item.lo);
		ck_assert_uint_eq(again.hi, item.hi);
	}
	ck_assert(seg_service_item_parse("any", 3, &item, &code, &reason));
	ck_assert(item.any);
	ck_assert_str_eq(seg_service_item_format(&item, buf), "any");
}
END_TEST

START_TEST(services_refused)
{
	static const struct {
		const char *text;
		enum seg_diag_code code;
	} cases[] = {
		{"tcp/65536", SEG_RANGE},
		{"tcp/443-65536", SEG_RANGE},
		{"tcp/99999999999999999999", SEG_RANGE},
		{"tcp/443-80", SEG_RANGE},
		{"icmp/256", SEG_RANGE},
		{"icmpv6/0-256", SEG_RANGE},
		{"proto/256", SEG_RANGE},
		{"proto/1-2", SEG_TYPE},
		{"tcp", SEG_TYPE},
		{"tcp/", SEG_TYPE},
		{"tcp/-1", SEG_TYPE},
		{"tcp/1-", SEG_TYPE},
		{"tcp/http", SEG_TYPE},
		{"tcp/0443", SEG_TYPE},
		{"tcp/ 443", SEG_TYPE},
		{"TCP/443", SEG_TYPE},
		{"sctp/1", SEG_TYPE},
		{"/443", SEG_TYPE},
		{"tcp/443/udp", SEG_TYPE},
		{"Any", SEG_TYPE},
		{"", SEG_TYPE},
		{"tcp/1-2-3", SEG_TYPE},
		{"proto/112-112", SEG_TYPE},
		{"tcpx/1", SEG_TYPE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seg_service_item item;
		enum seg_diag_code code = SEG_KERNEL;
		const char *reason = NULL;

		ck_assert_msg(
			!seg_service_item_parse(cases[i].text, strlen(cases[i].text), &item, &code, &reason),
			"%s", cases[i].text);
		ck_assert_msg(code == cases[i].code, "%s", cases[i].text);
		ck_assert_ptr_nonnull(reason);
	}
}
END_TEST

START_TEST(services_cover)
{
	struct seg_service_item tcp = {.proto = IPPROTO_TCP, .lo = 80, .hi = 90}, any = {.any = true};

	ck_assert(seg_service_item_has(&tcp, IPPROTO_TCP, 80));
	ck_assert(seg_service_item_has(&tcp, IPPROTO_TCP, 90));
	ck_assert(!seg_service_item_has(&tcp, IPPROTO_TCP, 79));
	ck_assert(!seg_service_item_has(&tcp, IPPROTO_TCP, 91));
	ck_assert(!seg_service_item_has(&tcp, IPPROTO_UDP, 80));
	ck_assert(seg_service_item_has(&any, 253, 0));
}
END_TEST

START_TEST(interfaces)
{
	static const struct seg_interface names[] = {{.name = "lg0"}, {.name = "vlan", .prefix = true}};
	struct seg_zone zone = {.interface = names, .interfaces = 2};

	ck_assert(seg_zone_has_interface(&zone, "lg0"));
	ck_assert(!seg_zone_has_interface(&zone, "lg01"));
	ck_assert(seg_zone_has_interface(&zone, "vlan20"));
	ck_assert(seg_zone_has_interface(&zone, "vlan"));
	ck_assert(!seg_zone_has_interface(&zone, "vla"));
}
END_TEST

START_TEST(sides)
{
	static const struct seg_range net = {(SEG_V4_FIRST | 0x0a010000), (SEG_V4_FIRST | 0x0a0100ff)};
	static const struct seg_range one = {(SEG_V4_FIRST | 0x0a010005), (SEG_V4_FIRST | 0x0a010005)};
	static const uint8_t right[6] = {0, 0, 0x5e, 0, 0x53, 1}, wrong[6] = {0, 0, 0x5e, 0, 0x53, 2};
	struct seg_zone zone = {.nets = {&net, 1}}, gateway = {.tier = SEG_TIER_GATEWAY};
	struct seg_bound bound = {.range = one, .mac = {0, 0, 0x5e, 0, 0x53, 1}};
	struct seg_side whole = {.zone = &zone, .whole = true}, own = {.zone = &gateway, .whole = true};
	struct seg_side tied = {.zone = &zone, .bound = &bound, .n_bound = 1};

	ck_assert(seg_side_has(&whole, net.hi, NULL));
	ck_assert(!seg_side_has(&whole, net.hi + 1, NULL));
	ck_assert(seg_side_has(&own, net.hi + 1, NULL));
	ck_assert(seg_side_has(&tied, one.lo, NULL));
	ck_assert(seg_side_has(&tied, one.lo, right));
	ck_assert(!seg_side_has(&tied, one.lo, wrong));
	ck_assert(!seg_side_has(&tied, one.lo + 1, right));
	tied.ranges = (struct seg_ranges){&one, 1};
	ck_assert(seg_side_has(&tied, one.lo, wrong));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy");
	TCase *tcase = tcase_create("policy");

	tcase_add_test(tcase, names_of_the_contract);
	tcase_add_test(tcase, services_read_and_written);
	tcase_add_test(tcase, services_refused);
	tcase_add_test(tcase, services_cover);
	tcase_add_test(tcase, interfaces);
	tcase_add_test(tcase, sides);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
