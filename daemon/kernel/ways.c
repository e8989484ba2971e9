// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/ways.h"

#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_connmark.h>
#include <string.h>

#include "base/i18n.h"

const char *seg_way_format(enum seg_way way)
{
	static const char *const format[] = {
		[SEG_WAY_FLOWTABLE] = N_("a rule in chain %s of table %s %s hands flows to a flowtable, and "
					 "their packets pass unjudged"),
		[SEG_WAY_NOTRACK] =
			N_("a rule in chain %s of table %s %s takes packets out of connection tracking"),
		[SEG_WAY_FORWARDS] = N_("a rule in chain %s of table %s %s forwards packets from where they "
					"come in, unjudged"),
		[SEG_WAY_COPIES] =
			N_("a rule in chain %s of table %s %s sends copies of packets elsewhere, unjudged"),
		[SEG_WAY_SENDS_ELSEWHERE] = N_("a rule in chain %s of table %s %s sends flows elsewhere than "
					       "they were for (dnat)"),
		[SEG_WAY_SETS_MARK] = N_("a rule in chain %s of table %s %s sets the conntrack mark, by "
					 "which open flows are judged"),
		[SEG_WAY_REWRITES] = N_("a rule in chain %s of table %s %s rewrites addresses or ports of "
					"packets, by which they are judged"),
		[SEG_WAY_SILENCES] = N_("a rule in chain %s of table %s %s chooses the events of flows, so "
					"that they can begin unseen"),
		/* It may also answer NF_STOP, by which no later rule at the hook is asked. */
		[SEG_WAY_QUEUES] = N_("a rule in chain %s of table %s %s hands packets to a program, which "
				      "can rewrite them or let them pass unjudged"),
	};

	return format[way];
}

/* Where the mark comes from; revision 1 has its mode in another place than 2. */
static enum seg_way connmark(const struct seg_target *target)
{
	struct xt_connmark_tginfo1 first;
	struct xt_connmark_tginfo2 second;
	uint8_t mode = XT_CONNMARK_SET;

	if (target->revision == 1 && target->len >= sizeof(first)) {
		memcpy(&first, target->info, sizeof(first));
		mode = first.mode;
	} else if (target->revision != 1 && target->len >= sizeof(second)) {
		memcpy(&second, target->info, sizeof(second));
		mode = second.mode;
	}
	return mode == XT_CONNMARK_RESTORE ? SEG_NO_WAY : SEG_WAY_SETS_MARK;
}

/* All revisions begin alike. An empty mask of events is no mask. */
static enum seg_way ct(const struct seg_target *target)
{
	struct xt_ct_target_info info;

	if (target->len < sizeof(info))
		return SEG_NO_WAY;
	memcpy(&info, target->info, sizeof(info));
	if (info.flags & XT_CT_NOTRACK)
		return SEG_WAY_NOTRACK;
	return info.ct_events || info.exp_events ? SEG_WAY_SILENCES : SEG_NO_WAY;
}

/* Rewrites the source at the hooks of these two chains, and the destination elsewhere. */
static enum seg_way netmap(const struct seg_target *target)
{
	return strcmp(target->chain, "POSTROUTING") == 0 || strcmp(target->chain, "INPUT") == 0
		       ? SEG_NO_WAY
		       : SEG_WAY_SENDS_ELSEWHERE;
}

enum seg_way seg_way_of_target(const struct seg_target *target)
{
	static const struct {
		const char *name;
		enum seg_way always;
		enum seg_way (*in_some_forms)(const struct seg_target *target);
	} known[] = {
		{"CONNMARK", SEG_NO_WAY, connmark}, {"CT", SEG_NO_WAY, ct},
		{"NETMAP", SEG_NO_WAY, netmap},	    {"DNAT", SEG_WAY_SENDS_ELSEWHERE, NULL},
		{"NOTRACK", SEG_WAY_NOTRACK, NULL}, {"TEE", SEG_WAY_COPIES, NULL},
		{"NFQUEUE", SEG_WAY_QUEUES, NULL},  {"DNPT", SEG_WAY_REWRITES, NULL},
		{"SNPT", SEG_WAY_REWRITES, NULL},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(target->name, known[i].name) == 0)
			return known[i].in_some_forms ? known[i].in_some_forms(target) : known[i].always;
	return SEG_NO_WAY;
}
