/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_FLAWS_H
#define SEG_POLICY_FLAWS_H

/*
 * What of a zone, a host, a service or a permit could not be read as it was meant: by an error at the key
 * itself, at what it refers to, or at a word that may have been meant to be it. The loader says so, for the
 * guard, which judges the rest of a policy that has errors: all of them are reported in one run, and none
 * that another one brought about. A policy that loaded has no flaws.
 *
 * Only keys that the guard asks about have a flaw. One that is there as a fact (a zone of the permit, a port)
 * needs none: what could not be read is not there.
 */

#define SEG_FLAWED (~0u) /* nothing of it is sure */

enum seg_zone_flaw {
	SEG_ZONE_TIER = 1u << 0,
	SEG_ZONE_LINK = 1u << 1,
	SEG_ZONE_WAN = 1u << 2,
	SEG_ZONE_UPLINK = 1u << 3,
	SEG_ZONE_PUBLIC = 1u << 4,
};
enum seg_host_flaw {
	SEG_HOST_ADDRESS = 1u << 0, /* with what is taken out of it */
	SEG_HOST_MAC = 1u << 1,
	SEG_HOST_ASSURANCE = 1u << 2,
	SEG_HOST_PUBLISHED = 1u << 3,
};
enum seg_permit_flaw {
	SEG_PERMIT_CLASS = 1u << 0,
	SEG_PERMIT_METHOD = 1u << 1,
	SEG_PERMIT_SOURCE = 1u << 2,
	SEG_PERMIT_DESTINATION = 1u << 3,
	SEG_PERMIT_HOURS = 1u << 4,
	SEG_PERMIT_VALID = 1u << 5,
	SEG_PERMIT_OWNER = 1u << 6,
	SEG_PERMIT_APPROVER = 1u << 7,
	SEG_PERMIT_TICKET = 1u << 8,
	SEG_PERMIT_BASIS = 1u << 9,
	SEG_PERMIT_REVIEW = 1u << 10,
	SEG_PERMIT_AUDIT = 1u << 11,
};

#endif
