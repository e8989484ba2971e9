// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "runner.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static seg_addr addr(const char *text)
{
	seg_addr value;

	ck_assert_msg(seg_addr_parse(text, strlen(text), &value), "%s", text);
	return value;
}

/* As written, as shown. */
static const struct {
	const char *text, *shown;
} good[] = {
	{"0.0.0.0", "0.0.0.0"},
	{"10.1.2.3", "10.1.2.3"},
	{"255.255.255.255", "255.255.255.255"},
	{"::", "::"},
	{"::1", "::1"},
	{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
	{"2001:db8::0:1", "2001:db8::1"},
	{"2001:0db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
	{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
	{"fe80::200:5eff:fe00:5341", "fe80::200:5eff:fe00:5341"},
	{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
	{"::fffe:ffff:ffff", "::fffe:ffff:ffff"},
	{"::1:0:0:0", "::1:0:0:0"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};

START_TEST(parse_and_format)
{
	char buf[SEG_ADDR_STRLEN];

	ck_assert_str_eq(seg_addr_format(addr(good[_i].text), buf), good[_i].shown);
	ck_assert(addr(buf) == addr(good[_i].text));
}
END_TEST

static const char *const bad[] = {
	"",
	".",
	"10",
	"10.1.2",
	"10.1.2.",
	"10.1.2.3.",
	"10.1.2.3.4",
	".1.2.3.4",
	"10..2.3",
	"10.1.2.256",
	"10.1.2.0003",
	"010.1.2.3",
	"10.1.2.03",
	"10.1.2.00",
	"0x0a.1.2.3",
	"10.1.2.3 ",
	" 10.1.2.3",
	"+10.1.2.3",
	"10.1.2.-3",
	"10.1.2.3/32",
	"localhost",
	"１０.1.2.3",
	":",
	":::",
	"1::2::3",
	"2001:db8",
	"2001:db8::1%eth0",
	"fe80::1%1",
	"2001:db8::1/64",
	"[::1]",
	"::g",
	"12345::",
	"1:2:3:4:5:6:7:8:9",
	"1:2:3:4:5:6:7:",
	"::1.2.3",
	"::01.2.3.4",
	"::ffff:10.1.2.3",
	"::ffff:0:0",
	"0:0:0:0:0:ffff:a01:203",
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

START_TEST(refused)
{
	seg_addr value = 42;

	ck_assert_msg(!seg_addr_parse(bad[_i], strlen(bad[_i]), &value), "%s", bad[_i]);
	ck_assert(value == 42);
}
END_TEST

START_TEST(only_len_bytes_are_text)
{
	seg_addr value;

	ck_assert(seg_addr_parse("10.1.2.34", 8, &value));
	ck_assert(value == addr("10.1.2.3"));
	ck_assert(seg_addr_parse("::12", 3, &value));
	ck_assert(value == 1);
	ck_assert(!seg_addr_parse("10.1.2.3", 7 - 1, &value));
	ck_assert(!seg_addr_parse("::1\0", 4, &value));
	ck_assert(!seg_addr_parse("10.1.2.3\0", 9, &value));
}
END_TEST

START_TEST(order_and_families)
{
	ck_assert(addr("10.0.0.9") < addr("10.0.0.10"));
	ck_assert(addr("9.255.255.255") + 1 == addr("10.0.0.0"));
	ck_assert(addr("2001:db8::ffff") + 1 == addr("2001:db8::1:0"));
	ck_assert(addr("::fffe:ffff:ffff") + 1 == addr("0.0.0.0"));
	ck_assert(addr("255.255.255.255") + 1 == addr("::1:0:0:0"));
	ck_assert_int_eq(seg_addr_family(addr("10.0.0.1")), SEG_IPV4);
	ck_assert_int_eq(seg_addr_family(addr("::fffe:ffff:ffff")), SEG_IPV6);
	ck_assert_int_eq(seg_addr_family(addr("::1:0:0:0")), SEG_IPV6);
	ck_assert(seg_addr_first(SEG_IPV4) == addr("0.0.0.0"));
	ck_assert(seg_addr_last(SEG_IPV4) == addr("255.255.255.255"));
	ck_assert(seg_addr_first(SEG_IPV6) == addr("::"));
	ck_assert(seg_addr_last(SEG_IPV6) == addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
	ck_assert(seg_addr_v4(0x0a010203) == addr("10.1.2.3"));
	ck_assert_uint_eq(seg_addr_size(SEG_IPV4), 4);
	ck_assert_uint_eq(seg_addr_size(SEG_IPV6), 16);
}
END_TEST

START_TEST(bytes)
{
	const uint8_t v4[] = {10, 1, 2, 3};
	uint8_t v6[16], out[16];

	ck_assert_int_eq(inet_pton(AF_INET6, "2001:db8::1:2", v6), 1);
	ck_assert(seg_addr_from_bytes(SEG_IPV4, v4) == addr("10.1.2.3"));
	ck_assert(seg_addr_from_bytes(SEG_IPV6, v6) == addr("2001:db8::1:2"));
	seg_addr_to_bytes(addr("10.1.2.3"), out);
	ck_assert_mem_eq(out, v4, sizeof(v4));
	seg_addr_to_bytes(addr("2001:db8::1:2"), out);
	ck_assert_mem_eq(out, v6, sizeof(v6));
}
END_TEST

static const struct {
	const char *text;
	bool link_local, unspecified, group;
} kinds[] = {
	{"fe80::", true, false, false},
	{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true, false, false},
	{"fec0::", false, false, false},
	{"fe7f:ffff::", false, false, false},
	{"169.254.1.1", false, false, false},
	{"::", false, true, false},
	{"0.0.0.0", false, true, false},
	{"::1", false, false, false},
	{"0.0.0.1", false, false, false},
	{"ff02::1", false, false, true},
	{"feff::", false, false, false},
	{"223.255.255.255", false, false, false},
	{"224.0.0.0", false, false, true},
	{"239.255.255.255", false, false, true},
	{"240.0.0.0", false, false, false},
	{"255.255.255.254", false, false, false},
	{"255.255.255.255", false, false, true},
};

START_TEST(kind)
{
	seg_addr value = addr(kinds[_i].text);

	ck_assert_int_eq(seg_addr_is_link_local(value), kinds[_i].link_local);
	ck_assert_int_eq(seg_addr_is_unspecified(value), kinds[_i].unspecified);
	ck_assert_int_eq(seg_addr_is_group(value), kinds[_i].group);
}
END_TEST

START_TEST(mac)
{
	const uint8_t expected[] = {0x00, 0x00, 0x5e, 0x00, 0x53, 0xaf};
	uint8_t value[SEG_MAC_LEN];
	char buf[SEG_MAC_STRLEN];

	ck_assert(seg_mac_parse("00:00:5e:00:53:af", 17, value));
	ck_assert_mem_eq(value, expected, sizeof(expected));
	memset(value, 0, sizeof(value));
	ck_assert(seg_mac_parse("00-00-5E-00-53-AF", 17, value));
	ck_assert_mem_eq(value, expected, sizeof(expected));
	ck_assert_str_eq(seg_mac_format(value, buf), "00:00:5e:00:53:af");
}
END_TEST

static const char *const bad_macs[] = {
	"",
	"00:00:5e:00:53",
	"00:00:5e:00:53:41:00",
	"00:00:5e:00:53:4",
	"00:00:5e:00:53:4g",
	"00:00-5e:00:53:41",
	"00005e005341",
	"0:0:5e:0:53:41:1234",
	"00.00.5e.00.53.41",
	"00:00:5e:00:53: 1",
	"+0:00:5e:00:53:41",
};

START_TEST(mac_refused)
{
	uint8_t value[SEG_MAC_LEN];

	ck_assert_msg(!seg_mac_parse(bad_macs[_i], strlen(bad_macs[_i]), value), "%s", bad_macs[_i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("addr");
	TCase *tcase = tcase_create("addr");

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, parse_and_format, 0, COUNT(good));
	tcase_add_loop_test(tcase, refused, 0, COUNT(bad));
	tcase_add_test(tcase, only_len_bytes_are_text);
	tcase_add_test(tcase, order_and_families);
	tcase_add_test(tcase, bytes);
	tcase_add_loop_test(tcase, kind, 0, COUNT(kinds));
	tcase_add_test(tcase, mac);
	tcase_add_loop_test(tcase, mac_refused, 0, COUNT(bad_macs));
	return run_suite(suite);
}
