/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_OFFLINE_H
#define SEGCTL_OFFLINE_H

/*
 * Answers without the daemon: a policy from a file and the gateway's own
 * addresses as far as they can be known here.
 */

#include "commands.h"
#include "flow/classify.h"

struct offline {
	struct seg_diags diags;
	struct seg_policy *policy;
	struct seg_arena *arena;
	struct seg_gateway gateway; /* the policy's key, or else the addresses of this machine */
};

/* Returns SEGCTL_YES; or, with everything said already, the exit status: a policy with errors
 * shows them as `check` does. offline_close() is due in both cases. */
int offline_open(const struct segctl *ctl, const char *file, struct offline *offline);
void offline_close(struct offline *offline);

/* Says why a file cannot be read at all, and what helps. Returns the exit status. */
int offline_unreadable(const struct segctl *ctl, const struct seg_diag *diag);

/* The errors of a file that the daemon has refused, in the reader's language. False, and nothing
 * said: from here they cannot be seen. */
bool offline_say_errors(const char *file);

#endif
