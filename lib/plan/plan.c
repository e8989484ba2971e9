/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>

struct field_property {
	const char *name;
	unsigned len;
};

static const struct field_property field_table[] = {
	[SEG_F_IPV4_ADDR] = {"ipv4_addr", 4},
	[SEG_F_IPV6_ADDR] = {"ipv6_addr", 16},
	[SEG_F_INET_PROTO] = {"inet_proto", 1},
	[SEG_F_INET_SERVICE] = {"inet_service", 2},
	[SEG_F_ICMP_TYPE] = {"icmp_type", 1},
	[SEG_F_ICMPV6_TYPE] = {"icmpv6_type", 1},
	[SEG_F_ETHER_ADDR] = {"ether_addr", 6},
	[SEG_F_IFNAME] = {"ifname", 16},
	[SEG_F_MARK] = {"mark", 4},
	[SEG_F_CT_DIR] = {"ct_dir", 1},
	[SEG_F_NFPROTO] = {"nf_proto", 1},
	[SEG_F_FIB_TYPE] = {"fib_addrtype", 4},
	[SEG_F_CT_STATE] = {"ct_state", 4},
	[SEG_F_CT_STATUS] = {"ct_status", 4},
	[SEG_F_TCP_FLAGS] = {"tcp_flag", 1},
	[SEG_F_INTEGER] = {"integer", 1},
	[SEG_F_LENGTH] = {"integer", 4},
	[SEG_F_IFACE_TYPE] = {"iface_type", 2},
	[SEG_F_ETHER_TYPE] = {"ether_type", 2},
};

struct load_property {
	const char *text;
	enum seg_field field;
};

static const struct load_property load_table[] = {
	[SEG_L_IP_SADDR] = {"ip saddr", SEG_F_IPV4_ADDR},
	[SEG_L_IP_DADDR] = {"ip daddr", SEG_F_IPV4_ADDR},
	[SEG_L_IP6_SADDR] = {"ip6 saddr", SEG_F_IPV6_ADDR},
	[SEG_L_IP6_DADDR] = {"ip6 daddr", SEG_F_IPV6_ADDR},
	[SEG_L_L4PROTO] = {"meta l4proto", SEG_F_INET_PROTO},
	[SEG_L_TH_SPORT] = {"th sport", SEG_F_INET_SERVICE},
	[SEG_L_TH_DPORT] = {"th dport", SEG_F_INET_SERVICE},
	[SEG_L_ICMP_TYPE] = {"icmp type", SEG_F_ICMP_TYPE},
	[SEG_L_ICMPV6_TYPE] = {"icmpv6 type", SEG_F_ICMPV6_TYPE},
	[SEG_L_ETHER_SADDR] = {"ether saddr", SEG_F_ETHER_ADDR},
	[SEG_L_IIFNAME] = {"iifname", SEG_F_IFNAME},
	[SEG_L_OIFNAME] = {"oifname", SEG_F_IFNAME},
	[SEG_L_CT_MARK] = {"ct mark", SEG_F_MARK},
	[SEG_L_CT_DIRECTION] = {"ct direction", SEG_F_CT_DIR},
	[SEG_L_NFPROTO] = {"meta nfproto", SEG_F_NFPROTO},
	[SEG_L_FIB_SADDR_TYPE] = {"fib saddr type", SEG_F_FIB_TYPE},
	[SEG_L_FIB_DADDR_TYPE] = {"fib daddr type", SEG_F_FIB_TYPE},
	[SEG_L_FIB_DADDR_IIF_TYPE] = {"fib daddr . iif type", SEG_F_FIB_TYPE},
	[SEG_L_CT_STATE] = {"ct state", SEG_F_CT_STATE},
	[SEG_L_CT_STATUS] = {"ct status", SEG_F_CT_STATUS},
	[SEG_L_TCP_FLAGS] = {"tcp flags", SEG_F_TCP_FLAGS},
	[SEG_L_IP_TTL] = {"ip ttl", SEG_F_INTEGER},
	[SEG_L_IP6_HOPLIMIT] = {"ip6 hoplimit", SEG_F_INTEGER},
	[SEG_L_LENGTH] = {"meta length", SEG_F_LENGTH},
	[SEG_L_OIFTYPE] = {"meta oiftype", SEG_F_IFACE_TYPE},
	[SEG_L_IIFTYPE] = {"meta iiftype", SEG_F_IFACE_TYPE},
	[SEG_L_ETHER_TYPE] = {"ether type", SEG_F_ETHER_TYPE},
};

unsigned seg_field_len(enum seg_field field)
{
	return field_table[field].len;
}

unsigned seg_field_padded(enum seg_field field)
{
	return (field_table[field].len + 3) & ~3u;
}

const char *seg_field_name(enum seg_field field)
{
	return field_table[field].name;
}

enum seg_field seg_load_field(enum seg_load load)
{
	return load_table[load].field;
}

const char *seg_load_text(enum seg_load load)
{
	return load_table[load].text;
}

void seg_plan_free(struct seg_plan *plan)
{
	if (plan)
		seg_arena_free(plan->arena);
}

const struct seg_set *seg_plan_set(const struct seg_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->sets; i++)
		if (strcmp(plan->set[i]->name, name) == 0)
			return plan->set[i];
	return NULL;
}

const struct seg_chain *seg_plan_chain(const struct seg_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->chains; i++)
		if (strcmp(plan->chain[i]->name, name) == 0)
			return plan->chain[i];
	return NULL;
}

const struct seg_number *seg_plan_number(const struct seg_plan *plan, uint32_t number)
{
	size_t lo = 0, hi = plan->numbers;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (plan->number[mid].number == number)
			return &plan->number[mid];
		if (plan->number[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static const char *kernel_name(const char *name, bool kept, uint32_t generation, char *buf)
{
	if (kept)
		snprintf(buf, SEG_NAME_MAX, "%s", name);
	else
		snprintf(buf, SEG_NAME_MAX, "%s.%u", name, generation);
	return buf;
}

const char *seg_set_kernel_name(const struct seg_set *set, uint32_t generation, char buf[static SEG_NAME_MAX])
{
	return kernel_name(set->name, set->kept, generation, buf);
}

const char *seg_chain_kernel_name(const struct seg_chain *chain, uint32_t generation,
				  char buf[static SEG_NAME_MAX])
{
	return kernel_name(chain->name, chain->kept, generation, buf);
}
