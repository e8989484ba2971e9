/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_PRIVILEGE_H
#define SEGD_PRIVILEGE_H

/*
 * From root to a user with CAP_NET_ADMIN alone, and a filter on system calls.
 *
 * Folders are made and handed to the user while we still may. Where the user does
 * not exist, or cannot reach what it needs (a folder only root may search), the
 * daemon keeps uid 0 without the other capabilities and says so.
 */

#include "base/strbuf.h"
#include "settings.h"

struct seg_identity {
	uid_t uid;
	gid_t gid;    /* of the user */
	gid_t asking; /* who may ask on the socket */
};

/* Makes the state directory and the socket's folder and gives them to the user. *who is what the daemon
 * will become; what a person should know is added to said, one line each. 0 or -errno. */
int seg_privilege_prepare(const struct seg_settings *settings, struct seg_identity *who, struct seg_strbuf *said);
/* Becomes it, for good. */
int seg_privilege_drop(const struct seg_identity *who, struct seg_strbuf *said);
/* From here on only the system calls the daemon lives on; any other answers ENOSYS and is logged by
 * the kernel where it logs such actions. */
int seg_privilege_filter(void);

#endif
