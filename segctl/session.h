/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_SESSION_H
#define SEGCTL_SESSION_H

#include <jansson.h>
#include <stdbool.h>

/*
 * The SSH connection this command was typed over, as SSH_CONNECTION says it ("client port
 * server port"), so that the daemon can refuse to cut it. sudo takes the variable out of
 * the environment; then the nearest parent process that still has it is asked.
 */
#define SEGCTL_SESSION_STRLEN 128
bool segctl_session(char session[static SEGCTL_SESSION_STRLEN]);
/* "session", where there is one, and "force". */
void segctl_session_put(json_t *parameters, bool force);

#endif
