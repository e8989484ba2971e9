// SPDX-License-Identifier: GPL-2.0-or-later
#include "offline.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/i18n.h"
#include "policy/guard.h"
#include "policy/load.h"

static bool own_address(const struct ifaddrs *one, seg_addr *addr)
{
	if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET)
		*addr = seg_addr_from_bytes(
			SEG_IPV4, &((const struct sockaddr_in *)(const void *)one->ifa_addr)->sin_addr);
	else if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET6)
		*addr = seg_addr_from_bytes(
			SEG_IPV6, &((const struct sockaddr_in6 *)(const void *)one->ifa_addr)->sin6_addr);
	else
		return false;
	return true;
}

/* A machine whose addresses cannot be read has none to offer: the answer is that of another machine. */
static struct seg_gateway gateway_of_this_machine(struct seg_arena *arena)
{
	struct seg_gateway_addr *addr = NULL;
	struct ifaddrs *list = NULL;
	size_t n = 0, cap = 0;

	if (getifaddrs(&list) != 0)
		return (struct seg_gateway){0};
	for (const struct ifaddrs *one = list; one; one = one->ifa_next) {
		struct seg_gateway_addr own = {.interface = seg_arena_strdup(arena, one->ifa_name)};

		if (own_address(one, &own.addr))
			SEG_PUSH(arena, addr, n, cap) = own;
	}
	freeifaddrs(list);
	return (struct seg_gateway){.addr = addr, .n = n};
}

int offline_unreadable(const struct segctl *ctl, const struct seg_diag *diag)
{
	return segctl_fail(ctl, SEGCTL_REFUSED, "system", "%s%s%s", diag->message, diag->hint ? _("; ") : "",
			   diag->hint ? diag->hint : "");
}

static int refuse(const struct segctl *ctl, const char *file, const struct seg_diags *diags)
{
	const struct seg_diag *first = diags->first;
	const struct seg_position at = seg_place_position(&first->place);
	struct seg_strbuf out = {0};

	if (!first->place.source)
		return offline_unreadable(ctl, first);
	if (ctl->json)
		return segctl_fail(ctl, SEGCTL_NO, seg_diag_code_name(first->code), "%s:%u:%u: %s",
				   first->place.source->name, at.line, at.column, first->message);
	seg_diags_render(diags, false, &out);
	fputs(seg_strbuf_text(&out), stderr);
	seg_strbuf_fini(&out);
	return segctl_fail(ctl, SEGCTL_NO, "policy", _("%s has errors; `segctl check` shows them all"), file);
}

int offline_open(const struct segctl *ctl, const char *file, struct offline *offline)
{
	*offline = (struct offline){.arena = seg_arena_new()};
	seg_diags_init(&offline->diags);
	offline->policy = seg_policy_load_stream(file, &offline->diags);
	if (!offline->policy)
		return refuse(ctl, file, &offline->diags);
	offline->gateway = offline->policy->has_gateway
				   ? seg_gateway_from_policy(offline->policy, offline->arena)
				   : gateway_of_this_machine(offline->arena);
	return SEGCTL_YES;
}

void offline_close(struct offline *offline)
{
	seg_policy_free(offline->policy);
	seg_diags_fini(&offline->diags);
	seg_arena_free(offline->arena);
}

bool offline_say_errors(const char *file)
{
	struct seg_strbuf out = {0};
	struct seg_policy *policy;
	struct seg_diags diags;
	bool found;

	seg_diags_init(&diags);
	policy = seg_policy_load_stream(file, &diags);
	if (policy)
		seg_guard_check(policy, &diags);
	seg_diags_sort(&diags);
	found = diags.first && diags.first->place.source;
	if (found) {
		seg_diags_render(&diags, false, &out);
		fputs(seg_strbuf_text(&out), stderr);
	}
	seg_strbuf_fini(&out);
	seg_policy_free(policy);
	seg_diags_fini(&diags);
	return found;
}
