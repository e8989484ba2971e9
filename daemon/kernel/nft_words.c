/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <stddef.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	unsigned type;
	uint32_t byteorder;
} types[] = {
	[SEG_F_IPV4_ADDR] = {7, 2},	[SEG_F_IPV6_ADDR] = {8, 2},  [SEG_F_INET_PROTO] = {12, 2},
	[SEG_F_INET_SERVICE] = {13, 2}, [SEG_F_ICMP_TYPE] = {14, 2}, [SEG_F_ICMPV6_TYPE] = {29, 2},
	[SEG_F_ETHER_ADDR] = {9, 2},	[SEG_F_IFNAME] = {41, 1},    [SEG_F_MARK] = {19, 1},
	[SEG_F_CT_DIR] = {27, 1},	[SEG_F_NFPROTO] = {2, 1},    [SEG_F_FIB_TYPE] = {38, 1},
};

unsigned seg_nft_type_of(enum seg_field field)
{
	return types[field].type;
}

int seg_nft_field_of(unsigned type)
{
	for (size_t i = 0; i < COUNT(types); i++)
		if (types[i].type == type)
			return (int)i;
	return -1;
}

uint32_t seg_nft_byteorder_of(enum seg_field field)
{
	return types[field].byteorder;
}

unsigned seg_nft_key_len(const struct seg_set *set)
{
	return set->fields == 1 ? seg_field_len(set->field[0]) : set->key_len;
}

static const struct seg_nft_source sources[] = {
	[SEG_L_IP_SADDR] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, saddr)},
	[SEG_L_IP_DADDR] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, daddr)},
	[SEG_L_IP6_SADDR] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct ip6_hdr, ip6_src)},
	[SEG_L_IP6_DADDR] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct ip6_hdr, ip6_dst)},
	[SEG_L_IP_TTL] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, ttl)},
	[SEG_L_IP6_HOPLIMIT] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_NETWORK_HEADER,
				offsetof(struct ip6_hdr, ip6_hlim)},
	[SEG_L_TH_SPORT] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 0},
	[SEG_L_TH_DPORT] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 2},
	[SEG_L_TCP_FLAGS] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 13},
	[SEG_L_ICMP_TYPE] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 0},
	[SEG_L_ICMPV6_TYPE] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_TRANSPORT_HEADER, 0},
	[SEG_L_ETHER_SADDR] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_LL_HEADER,
			       offsetof(struct ether_header, ether_shost)},
	[SEG_L_ETHER_TYPE] = {SEG_FROM_PAYLOAD, NFT_PAYLOAD_LL_HEADER,
			      offsetof(struct ether_header, ether_type)},
	[SEG_L_L4PROTO] = {SEG_FROM_META, NFT_META_L4PROTO, 0},
	[SEG_L_NFPROTO] = {SEG_FROM_META, NFT_META_NFPROTO, 0},
	[SEG_L_IIFNAME] = {SEG_FROM_META, NFT_META_IIFNAME, 0},
	[SEG_L_OIFNAME] = {SEG_FROM_META, NFT_META_OIFNAME, 0},
	[SEG_L_IIFTYPE] = {SEG_FROM_META, NFT_META_IIFTYPE, 0},
	[SEG_L_OIFTYPE] = {SEG_FROM_META, NFT_META_OIFTYPE, 0},
	[SEG_L_LENGTH] = {SEG_FROM_META, NFT_META_LEN, 0},
	[SEG_L_CT_MARK] = {SEG_FROM_CT, NFT_CT_MARK, 0},
	[SEG_L_CT_DIRECTION] = {SEG_FROM_CT, NFT_CT_DIRECTION, 0},
	[SEG_L_CT_STATE] = {SEG_FROM_CT, NFT_CT_STATE, 0},
	[SEG_L_CT_STATUS] = {SEG_FROM_CT, NFT_CT_STATUS, 0},
	[SEG_L_FIB_SADDR_TYPE] = {SEG_FROM_FIB, NFTA_FIB_F_SADDR, 0},
	[SEG_L_FIB_DADDR_TYPE] = {SEG_FROM_FIB, NFTA_FIB_F_DADDR, 0},
	[SEG_L_FIB_DADDR_IIF_TYPE] = {SEG_FROM_FIB, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF, 0},
};

const struct seg_nft_source *seg_nft_source_of(enum seg_load load)
{
	return &sources[load];
}

/* ICMP and ICMPv6 types lie where a source port begins; the caller tells them apart by the protocol. */
int seg_nft_load_of(const struct seg_nft_source *source, unsigned len)
{
	for (size_t i = 0; i < COUNT(sources); i++) {
		if (sources[i].from != source->from || sources[i].key != source->key)
			continue;
		if (source->from == SEG_FROM_PAYLOAD &&
		    (sources[i].offset != source->offset ||
		     seg_field_len(seg_load_field((enum seg_load)i)) != len))
			continue;
		return (int)i;
	}
	return -1;
}

uint32_t seg_nft_register_at(unsigned word)
{
	return word % 4 == 0 ? NFT_REG_1 + word / 4 : NFT_REG32_00 + word;
}

static const int verdicts[] = {
	[SEG_V_ACCEPT] = NF_ACCEPT, [SEG_V_DROP] = NF_DROP,  [SEG_V_RETURN] = NFT_RETURN,
	[SEG_V_JUMP] = NFT_JUMP,    [SEG_V_GOTO] = NFT_GOTO,
};

int seg_nft_verdict_of(enum seg_verdict_code code)
{
	return verdicts[code];
}

int seg_nft_code_of(int verdict)
{
	for (size_t i = 0; i < COUNT(verdicts); i++)
		if (verdicts[i] == verdict)
			return (int)i;
	return -1;
}

static const unsigned hooks[] = {
	[SEG_HOOK_INPUT] = NF_INET_LOCAL_IN,
	[SEG_HOOK_FORWARD] = NF_INET_FORWARD,
	[SEG_HOOK_OUTPUT] = NF_INET_LOCAL_OUT,
	[SEG_HOOK_PREROUTING] = NF_INET_PRE_ROUTING,
};

unsigned seg_nft_hooknum_of(enum seg_hook hook)
{
	return hooks[hook];
}

enum seg_hook seg_nft_hook_of(unsigned hooknum)
{
	for (size_t i = SEG_HOOK_INPUT; i < COUNT(hooks); i++)
		if (hooks[i] == hooknum)
			return (enum seg_hook)i;
	return SEG_HOOK_NONE;
}
