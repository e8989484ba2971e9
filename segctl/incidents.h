/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_INCIDENTS_H
#define SEGCTL_INCIDENTS_H

/* What happened, as history and report show it: emergency actions, tampering, starts. */

#include "table.h"

/* A table of the list under a key of an answer, whole or in what room there is; nothing where it is empty. */
void segctl_incidents(const struct segctl *ctl, const json_t *answer, const char *key, bool whole);

#endif
