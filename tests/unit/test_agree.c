/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The property that carries the product: what classify says of a packet is what the plan does
 * with it, by the same permit, on random policies and random packets chosen at their edges. And
 * each is counted, once; what is refused, also while packets can make no elements. What was admitted before
 * makes no difference, whoever asks again, and by whichever interface.
 *
 * SEED and POLICIES in the environment choose another walk; a failure prints the policy and the packet.
 */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/rtnetlink.h>

#include "evaluate.h"
#include "flow/classify.h"
#include "plan/build.h"
#include "policy/load.h"
#include "runner.h"

#define ZONES_MAX 6
#define STATE_NEW 8u

static unsigned long long seed_state;

static unsigned pick(unsigned n)
{
	seed_state = seed_state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed_state >> 33) % n;
}

static bool chance(unsigned percent)
{
	return pick(100) < percent;
}

/* The world is small, so that edges meet: 10.0.Z.0/24 and 2001:db8:Z::/64 belong to zone Z. */
struct world {
	unsigned zones;
	int any; /* which zone has the rest; -1: none */
	struct seg_strbuf yaml;
};

/* Adds an item to a list unless it stands there already (an error in a policy). */
static void put_item(struct seg_strbuf *y, size_t list, const char *item)
{
	const char *at = seg_strbuf_text(y) + list;
	size_t len = strlen(item);

	for (const char *found = strstr(at, item); found; found = strstr(found + 1, item))
		if ((found[-1] == '[' || found[-1] == ' ') && (found[len] == ',' || found[len] == '\0'))
			return;
	if (y->text[y->len - 1] != '[')
		seg_strbuf_add(y, ", ");
	seg_strbuf_add(y, item);
}

static void put_service(struct seg_strbuf *y)
{
	static const char *const items[] = {"tcp/443",	   "tcp/440-450", "udp/53",   "udp/50-60",
					    "icmp/8",	   "icmpv6/128",  "proto/47", "proto/112",
					    "tcp/1-65535", "udp/440-450"};
	unsigned n = 1 + pick(3);

	if (chance(12)) {
		seg_strbuf_add(y, "service: [any]");
		return;
	}
	seg_strbuf_add(y, "service: [");
	for (size_t i = 0, list = y->len - 1; i < n; i++)
		put_item(y, list, items[pick(sizeof(items) / sizeof(*items))]);
	seg_strbuf_add(y, "]");
}

static void put_range(char *out, size_t size, unsigned zone)
{
	unsigned lo = pick(14), hi = lo + pick(6);

	if (chance(30))
		snprintf(out, size, "\"2001:db8:%u::%x-2001:db8:%u::%x\"", zone, lo + 1, zone, hi + 1);
	else if (chance(30))
		snprintf(out, size, "10.0.%u.%u/30", zone, lo & ~3u);
	else if (chance(40))
		snprintf(out, size, "10.0.%u.%u", zone, lo);
	else
		snprintf(out, size, "10.0.%u.%u-10.0.%u.%u", zone, lo, zone, hi);
}

static void put_side(struct world *w, const char *key, const unsigned *zone, unsigned zones)
{
	unsigned n = 1 + pick(3);
	size_t list;

	if (chance(40))
		return;
	seg_strbuf_printf(&w->yaml, ", %s: [", key);
	list = w->yaml.len - 1;
	for (unsigned i = 0; i < n; i++) {
		unsigned z = zone[pick(zones)];
		char item[64];

		if (chance(40))
			snprintf(item, sizeof(item), "h%u-%u", z, pick(3));
		else
			put_range(item, sizeof(item), z);
		put_item(&w->yaml, list, item);
	}
	seg_strbuf_add(&w->yaml, "]");
}

static unsigned put_zones_of(struct world *w, const char *key, unsigned *zone, bool gateway_allowed)
{
	unsigned n = 1 + pick(2), listed = 0;

	seg_strbuf_printf(&w->yaml, ", %s: [", key);
	if (gateway_allowed && chance(20)) {
		seg_strbuf_add(&w->yaml, "gateway]");
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned z = pick(w->zones);

		if (i && z == zone[0])
			continue;
		seg_strbuf_printf(&w->yaml, "%sz%u", listed ? ", " : "", z);
		zone[listed++] = z;
	}
	seg_strbuf_add(&w->yaml, "]");
	return listed;
}

static void put_permit(struct world *w, unsigned index)
{
	unsigned from[2], to[2], n_from, n_to;

	seg_strbuf_printf(&w->yaml, "  - {id: P%u, class: internal", index);
	n_from = put_zones_of(w, "from", from, true);
	n_to = put_zones_of(w, "to", to, n_from > 0);
	if (n_from > 0)
		put_side(w, "source", from, n_from);
	if (n_to > 0)
		put_side(w, "destination", to, n_to);
	else if (chance(40))
		seg_strbuf_printf(&w->yaml, ", destination: [10.0.%u.254]", pick(w->zones));
	if (chance(15))
		seg_strbuf_add(&w->yaml, ", hours: [mon-fri 08:00-20:00]");
	seg_strbuf_add(&w->yaml, ", ");
	put_service(&w->yaml);
	seg_strbuf_add(&w->yaml, "}\n");
}

static void make_policy(struct world *w)
{
	struct seg_strbuf *y = &w->yaml;
	unsigned permits = 1 + pick(14);

	seg_strbuf_reset(y);
	w->zones = 2 + pick(ZONES_MAX - 2);
	w->any = chance(50) ? (int)pick(w->zones) : -1;
	seg_strbuf_add(y, "segd: 1\nguard: none\ntimezone: Asia/Tokyo\ngateway: [");
	for (unsigned z = 0; z < w->zones; z++)
		seg_strbuf_printf(y, "%s10.0.%u.254, \"2001:db8:%u::fe\"", z ? ", " : "", z, z);
	seg_strbuf_add(y, "]\nzones:\n");
	for (unsigned z = 0; z < w->zones; z++)
		seg_strbuf_printf(y,
				  "  z%u: {tier: separate, interfaces: [%s], networks: [10.0.%u.0/24, "
				  "\"2001:db8:%u::/64\"%s]%s}\n",
				  z,
				  z == 1   ? "w*"
				  : z == 0 ? "if0, if0b"
				  : z == 3 ? "if2, if3"
					   : "",
				  z, z, w->any == (int)z ? ", any" : "", chance(30) ? ", intra: allow" : "");
	seg_strbuf_add(y, "hosts:\n");
	for (unsigned z = 0; z < w->zones; z++)
		for (unsigned h = 0; h < 3; h++) {
			seg_strbuf_printf(y, "  h%u-%u: {address: ", z, h);
			if (h == 2)
				seg_strbuf_printf(y, "10.0.%u.%u, mac: \"00:00:5e:00:53:%02x\"}\n", z,
						  pick(8), z);
			else
				seg_strbuf_printf(
				    y,
				    "[10.0.%u.%u-10.0.%u.%u, \"2001:db8:%u::%x\"], except: [10.0.%u.%u]}\n",
				    z, h * 4, z, h * 4 + 3 + pick(4), z, 1 + pick(8), z, h * 4 + 1);
		}
	seg_strbuf_add(y, "permits:\n");
	for (unsigned i = 0; i < permits; i++)
		put_permit(w, i);
}

/* z2, z4 and z5 get their interface here: one each, z2's shared with z3. */
static char *finish_policy(const struct world *w)
{
	static const char *const name[ZONES_MAX] = {"", "", "if2", "", "if4", "if5"};
	struct seg_strbuf out = {0};
	const char *at = seg_strbuf_text(&w->yaml);

	for (unsigned z = 0; z < ZONES_MAX; z++) {
		const char *gap = strstr(at, "interfaces: []");

		if (!gap)
			break;
		for (unsigned i = 0; i < ZONES_MAX; i++) {
			char id[8];
			const char *line = gap;

			snprintf(id, sizeof(id), "  z%u:", i);
			while (line > at && line[-1] != '\n')
				line--;
			if (strncmp(line, id, strlen(id)) != 0)
				continue;
			seg_strbuf_add_n(&out, at, (size_t)(gap - at));
			seg_strbuf_printf(&out, "interfaces: [%s]", name[i]);
		}
		at = gap + strlen("interfaces: []");
	}
	seg_strbuf_add(&out, at);
	return seg_strbuf_take(&out);
}

static seg_addr addr(const char *format, unsigned zone, unsigned host)
{
	char text[64];
	seg_addr out;

	snprintf(text, sizeof(text), format, zone, host);
	ck_assert(seg_addr_parse(text, strlen(text), &out));
	return out;
}

static seg_addr random_addr(const struct world *w, bool ipv6)
{
	if (chance(6))
		return ipv6 ? addr("2001:db8:ff:%x::%x", 1 + pick(2), 1) : addr("198.51.%u.%u", 100, pick(3));
	if (chance(8))
		return ipv6 ? addr("2001:db8:%x::%x", pick(w->zones), 0xfe)
			    : addr("10.0.%u.%u", pick(w->zones), 254);
	return ipv6 ? addr("2001:db8:%x::%x", pick(w->zones), 1 + pick(20))
		    : addr("10.0.%u.%u", pick(w->zones), pick(22));
}

static const char *interface_of(unsigned zone)
{
	static const char *const name[ZONES_MAX] = {"if0", "w7", "if2", "if3", "if4", "if5"};

	if (chance(3))
		return "nobody0";
	if (zone == 0 && chance(50))
		return "if0b";
	if (zone == 3 && chance(50))
		return "if2";
	return name[zone];
}

/* The zone number an address was made for; the any zone (or 0) for others. */
static unsigned home(const struct world *w, seg_addr a)
{
	for (unsigned z = 0; z < w->zones; z++)
		if ((a >= addr("10.0.%u.%u", z, 0) && a <= addr("10.0.%u.%u", z, 255)) ||
		    (a >= addr("2001:db8:%x::%x", z, 0) && a <= addr("2001:db8:%x::ffff:%x", z, 0)))
			return z;
	return w->any >= 0 ? (unsigned)w->any : 0;
}

static bool is_gateway(const struct seg_gateway *gateway, seg_addr a)
{
	for (size_t i = 0; i < gateway->n; i++)
		if (gateway->addr[i].addr == a)
			return true;
	return false;
}

static void random_service(bool ipv6, struct seg_packet *p)
{
	static const uint16_t ports[] = {443, 444, 439, 440, 450, 451, 53, 49, 50, 60, 61, 1, 65535};
	static const uint8_t others[] = {47, 112, 50, 132};

	p->sport = 40000;
	switch (pick(5)) {
	case 0:
	case 1:
		p->proto = IPPROTO_TCP;
		p->dport = ports[pick(13)];
		break;
	case 2:
		p->proto = IPPROTO_UDP;
		p->dport = ports[pick(13)];
		break;
	case 3:
		p->proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		p->dport = ipv6 ? 128 : (uint16_t)(chance(80) ? 8 : 13);
		break;
	default:
		p->proto = others[pick(4)];
		p->dport = 0;
	}
}

static struct eval_packet as_kernel(const struct world *w, const struct seg_gateway *gateway,
				    const struct seg_packet *p)
{
	struct eval_packet k = {
	    .iif = p->in ? p->in : "",
	    .oif = "",
	    .mac = p->mac,
	    .src = p->src,
	    .dst = p->dst,
	    .proto = p->proto,
	    .sport = p->sport,
	    .dport = p->dport,
	    .icmp_type = (uint8_t)p->dport,
	    .tcp_flags = 0x02,
	    .hop_limit = 64,
	    .fib_saddr = is_gateway(gateway, p->src) ? RTN_LOCAL : RTN_UNICAST,
	    .fib_daddr = RTN_UNICAST,
	    .fib_daddr_iif = RTN_UNICAST,
	    .ct_state = STATE_NEW,
	};

	k.hook = SEG_HOOK_FORWARD;
	k.oif = "routed0";
	if (is_gateway(gateway, p->dst)) {
		k.hook = SEG_HOOK_INPUT;
		k.fib_daddr = RTN_LOCAL;
		for (size_t i = 0; i < gateway->n; i++)
			if (gateway->addr[i].addr == p->dst && p->in &&
			    strcmp(gateway->addr[i].interface, p->in) == 0)
				k.fib_daddr_iif = RTN_LOCAL;
	} else if (!p->in) {
		k.hook = SEG_HOOK_OUTPUT;
		k.oif = interface_of(home(w, p->dst));
	}
	return k;
}

static char *describe(const struct seg_packet *p)
{
	static char text[256];
	char src[SEG_ADDR_STRLEN], dst[SEG_ADDR_STRLEN];

	snprintf(text, sizeof(text), "in %s %s -> %s proto %u dport %u mac %s", p->in ? p->in : "-",
		 seg_addr_format(p->src, src), seg_addr_format(p->dst, dst), p->proto, p->dport,
		 p->mac ? "yes" : "no");
	return text;
}

/* The kernel's idea of the addresses has changed since, or it is no beginning of a connection. */
static void compare_changed(const struct seg_plan *plan, struct eval_packet k, struct eval_memory *memory,
			    const char *what, const char *yaml)
{
	static const uint32_t type[] = {RTN_UNICAST, RTN_LOCAL, RTN_BROADCAST};
	static const uint8_t flags[] = {0x02, 0x10, 0x12, 0x01};
	struct eval_packet again;
	bool passes;

	k.fib_saddr = type[pick(3)];
	k.fib_daddr = type[pick(3)];
	k.tcp_flags = flags[pick(4)];
	again = k;
	again.memory = memory;
	passes = eval_plan(plan, &k);
	ck_assert_msg(eval_plan(plan, &again) == passes && (!passes || again.ct_mark == k.ct_mark),
		      "%s, saddr type %u, daddr type %u, flags 0x%x: remembered\n%s", what, k.fib_saddr, k.fib_daddr,
		      k.tcp_flags, yaml);
}

static void compare(const struct world *w, const struct seg_policy *policy, const struct seg_plan *plan,
		    const struct seg_gateway *gateway, const struct seg_closure *closure,
		    const struct seg_packet *p, time_t at, struct eval_memory *memory, const char *yaml)
{
	struct eval_packet k = as_kernel(w, gateway, p), again = k, poor = k;
	struct seg_verdict want = seg_classify_closed(policy, NULL, gateway, closure, p, at);
	bool passes = eval_plan(plan, &k);
	const struct seg_number *number = passes ? seg_plan_number(plan, k.ct_mark) : NULL;
	const struct seg_permit *by = number ? number->permit : NULL;

	ck_assert_msg(passes == want.permit, "%s\nclassify: %s by %s, plan: %s by %s\n%s", describe(p),
		      seg_reason_name(want.reason), want.by ? want.by->id : "-",
		      passes ? "passes" : "refuses", by ? by->id : "-", yaml);
	ck_assert_msg(!passes || by == want.by, "%s\nclassify by %s, plan by %s\n%s", describe(p),
		      want.by ? want.by->id : "intra", by ? by->id : "intra", yaml);
	if (by)
		ck_assert_msg(k.counted == 1, "%s\npasses, counted %u times\n%s", describe(p), k.counted, yaml);
	poor.no_memory = true;
	ck_assert_msg(eval_plan(plan, &poor) == passes, "%s\nwithout memory\n%s", describe(p), yaml);
	again.memory = memory;
	ck_assert_msg(eval_plan(plan, &again) == passes && (!passes || again.ct_mark == k.ct_mark) &&
			      again.counted == k.counted,
		      "%s\nremembered as 0x%x, not 0x%x\n%s", describe(p), again.ct_mark, k.ct_mark, yaml);
	compare_changed(plan, as_kernel(w, gateway, p), memory, describe(p), yaml);
	if (!passes)
		ck_assert_msg(k.counted == 1 && poor.counted == 1, "%s\nrefused, counted %u times, without memory %u\n%s",
			      describe(p), k.counted, poor.counted, yaml);
}

static void ask_packets(const struct world *w, const struct seg_policy *policy, const struct seg_plan *plan,
			const struct seg_gateway *gateway, const struct seg_closure *closure, time_t at,
			struct eval_memory *memory, const char *yaml)
{
	for (int i = 0; i < 400; i++) {
		bool ipv6 = chance(30);
		struct seg_packet p = {.src = random_addr(w, ipv6), .dst = random_addr(w, ipv6)};
		uint8_t mac[SEG_MAC_LEN] = {0, 0, 0x5e, 0, 0x53, (uint8_t)home(w, p.src)};

		if (is_gateway(gateway, p.src)) {
			if (is_gateway(gateway, p.dst))
				continue;
			if (chance(30)) /* a liar's: it comes in from outside */
				p.in = interface_of(home(w, p.src));
		} else {
			p.in = interface_of(chance(90) ? home(w, p.src) : pick(w->zones));
		}
		if (chance(15))
			mac[0] = 2;
		p.mac = chance(90) ? mac : NULL;
		random_service(ipv6, &p);
		compare(w, policy, plan, gateway, closure, &p, at, memory, yaml);
		for (unsigned again = pick(3); p.in && again > 0; again--) {
			if (chance(50))
				p.in = interface_of(pick(w->zones));
			if (chance(30))
				p.mac = NULL;
			if ((p.proto == IPPROTO_TCP || p.proto == IPPROTO_UDP) && chance(30))
				p.dport ^= 1;
			compare(w, policy, plan, gateway, closure, &p, at, memory, yaml);
		}
	}
}

/* An emergency: some hosts isolated, some zones and permits closed. */
static void make_closure(const struct world *w, const struct seg_policy *policy, struct seg_arena *arena,
			 struct seg_closure *closure)
{
	seg_closure_init(closure, policy, arena);
	for (unsigned i = pick(3); i > 0; i--) {
		seg_addr one = random_addr(w, chance(30));
		struct seg_range range = {one, one};

		seg_closure_hosts(closure, seg_ranges_from(arena, &range, 1), arena);
	}
	for (size_t z = 0; z < policy->zones; z++)
		if (chance(20))
			seg_closure_zone(closure, &policy->zone[z], SEG_CLOSED_STAGE);
	for (size_t i = 0; i < policy->permits; i++)
		if (chance(20))
			seg_closure_permit(closure, &policy->permit[i], SEG_CLOSED_STAGE);
	seg_closure_finish(closure, policy);
}

/* Returns how many packets were known by an earlier one. */
static unsigned one_policy(struct world *w)
{
	struct eval_memory memory = {.n = 0};
	struct seg_closure closure;
	struct seg_diags diags;
	struct seg_arena *arena = seg_arena_new();
	struct seg_policy *policy;
	struct seg_plan *plan;
	struct seg_registry registry;
	struct seg_gateway gateway;
	struct seg_gateway_addr own[2 * ZONES_MAX];
	struct seg_build_options options = {.generation = 1};
	struct seg_strbuf rendered = {0};
	char *yaml;

	make_policy(w);
	yaml = finish_policy(w);
	seg_diags_init(&diags);
	policy = seg_policy_load("random.yaml", yaml, strlen(yaml), NULL, &diags);
	if (!policy)
		seg_diags_render(&diags, false, &rendered);
	ck_assert_msg(policy != NULL, "%s", seg_strbuf_text(&rendered));
	gateway = (struct seg_gateway){own, 0};
	for (unsigned z = 0; z < w->zones; z++) {
		static const char *const name[ZONES_MAX] = {"if0", "w7", "if2", "if3", "if4", "if5"};

		own[gateway.n++] = (struct seg_gateway_addr){addr("10.0.%u.%u", z, 254), name[z]};
		own[gateway.n++] = (struct seg_gateway_addr){addr("2001:db8:%x::%x", z, 0xfe), name[z]};
	}
	registry = seg_registry_update(NULL, policy, arena);
	options.room_limit = chance(50) ? 2 + pick(6) : 0; /* divided rooms too */
	options.now = 1795478400 + (time_t)pick(7 * 86400);
	for (int emergency = 0; emergency < 2; emergency++) {
		if (emergency) {
			make_closure(w, policy, arena, &closure);
			options.closure = &closure;
		}
		plan = seg_plan_build(policy, &registry, &options);
		ask_packets(w, policy, plan, &gateway, options.closure, options.now, &memory, yaml);
		seg_plan_free(plan);
	}
	seg_policy_free(policy);
	seg_diags_fini(&diags);
	seg_strbuf_fini(&rendered);
	seg_arena_free(arena);
	free(yaml);
	return memory.recalled;
}

START_TEST(plan_and_classify_agree)
{
	const char *seed = getenv("SEED"), *policies = getenv("POLICIES");
	int n = policies ? atoi(policies) : 400;
	struct world w = {0};
	unsigned recalled = 0;

	seed_state = seed ? strtoull(seed, NULL, 0) : 20261123;
	for (int i = 0; i < n; i++)
		recalled += one_policy(&w);
	ck_assert_uint_gt(recalled, 0);
	seg_strbuf_fini(&w.yaml);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("agree");
	TCase *tc = tcase_create("agree");

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, plan_and_classify_agree);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
