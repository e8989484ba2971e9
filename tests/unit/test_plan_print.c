/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>

#include "sample_plan.h"
#include "runner.h"

static struct seg_strbuf text;

static bool printed(const char *line)
{
	return strstr(seg_strbuf_text(&text), line) != NULL;
}

static const char *const lines[] = {
	"table inet segd {\n",
	"\tset fast {\n\t\ttype ct_dir . ifname . mark\n\t\tflags timeout\n\t\tcounter\n",
	"original . \"lg0\" . 0x00000007 counter packets 0 bytes 0 timeout 1h comment \"S-1\",\n",
	"reply . \"mn0.140\" . 0x00000007 counter packets 0 bytes 0 comment \"S-1\" }\n",
	"\tset own-types {\n\t\ttype fib_addrtype\n\t\telements = { local,\n",
	"{ 00:00:5e:00:53:01 . 10.1.0.20 . 0x00000007 comment \"S-1\" }",
	"\tmap exact-ports4 {\n\t\ttype ipv4_addr . ipv4_addr . inet_proto . inet_service : "
	"mark\n\t\telements",
	"{ 10.1.0.20 . 172.30.5.10 . tcp . 443 comment \"S-1\" : 0x00000007 }",
	"{ 2001:db8::1 . 2001:db8:1::1 . udp . 53 : 0x00000008 }",
	"\tmap lg-ports4.3 {\n",
	"10.2.1.0-10.2.1.199 . 10.4.0.4 . tcp . 400-443 comment \"Z-1\" : 0x00000009",
	"0.0.0.0/0 . 10.4.0.5 . 0-255 . 0-65535 : 0x0000000a",
	"\tmap origin4.3 {\n\t\ttype ipv4_addr : verdict\n\t\tflags interval\n",
	"10.1.0.0/24 : jump refused.3",
	"10.1.1.0-10.1.1.9 comment \"next to it\" : goto refused.3",
	"192.0.2.1 : drop }",
	"{ ::/0 }",
	"{ ipv4 . original . tcp : goto refused.3 }",
	"\t\tsize 65536\n\t\tflags dynamic,timeout\n\t\ttimeout 1h\n\t}\n",
	"\tchain refused.3 {\n\t\tadd @denied4 { ip saddr . ip daddr counter }\n",
	"update @logged4 { ip saddr limit rate 10/second burst 5 packets } "
	"log prefix \"segd denied\" group 5350 snaplen 128 queue-threshold 16\n",
	"limit rate 10/second burst 7 packets reject with tcp reset\n",
	"limit rate 10/second burst 7 packets reject with icmpx admin-prohibited\n",
	"counter drop comment \"the rest\"\n",
	"\t\tiifname \"lg0\" return\n",
	"\t\toifname \"wifi*\" return\n",
	"\t\tiifname != \"mn0\" goto refused.3\n",
	"\t\tct state new tcp flags & (fin|syn|rst|ack) != syn goto refused.3\n",
	"\t\tmeta nfproto ipv6 ip6 saddr fe80::/10 drop\n",
	"\t\tct mark & 0x40000000 == 0x40000000 ct event set 0x0\n",
	"\t\tct state established,related ct direction reply accept\n",
	"\t\tct state new ct event set new,destroy,seqadj\n",
	"\t\tct mark set 0x40000001 jump refused.3\n",
	"\t\tmeta nfproto . ct direction . meta l4proto vmap @dispatch.3\n",
	"\t\tip saddr vmap @origin4.3\n",
	"\t\tct mark set ip saddr . ip daddr . meta l4proto . th dport map @exact-ports4\n",
	"\t\tct mark set ip daddr . ip saddr . meta l4proto . th sport map @exact-ports4\n",
	"\t\tfib daddr . iif type @own-types accept\n",
	"\t\tfib daddr type local drop\n",
	"\t\ticmpv6 type @nd ip6 hoplimit 255 accept\n",
	"\t\tether saddr . ip saddr . ct mark @bound4 accept\n",
	"\t\tip daddr != @group4.3 icmp type 8 accept\n",
	"\tchain forward {\n\t\ttype filter hook forward priority -10; policy drop;\n"
	"\t\tct state established ct direction . iifname . ct mark @fast accept\n",
	"\tchain input {\n\t\ttype filter hook input priority -10; policy accept;\n\t}\n",
};

START_TEST(test_lines)
{
	ck_assert_msg(printed(lines[_i]), "not printed: %s\n%s", lines[_i], seg_strbuf_text(&text));
}
END_TEST

static void setup(void)
{
	struct sample *s = sample_new(3);

	seg_plan_print(&s->plan, &text);
	sample_fini(s);
}

static void teardown(void)
{
	seg_strbuf_fini(&text);
}

/* Times of day as nft writes them; what is not a time prints nothing. */
START_TEST(test_timeout)
{
	struct sample *s = sample_new(1);
	struct seg_elem *elem = (struct seg_elem *)&sample_find(s, "fast")->elem[0];

	elem->timeout_ms = 90061001;
	seg_strbuf_reset(&text);
	seg_plan_print(&s->plan, &text);
	ck_assert(printed(" timeout 1d1h1m1s1ms comment"));
	sample_fini(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan_print");
	TCase *tcase = tcase_create("text");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, test_lines, 0, (int)(sizeof(lines) / sizeof(lines[0])));
	tcase_add_test(tcase, test_timeout);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
