/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_INCIDENTS_H
#define SEGCTL_INCIDENTS_H

/* What happened, as history and report show it: emergency actions, tampering, starts. */

#include "table.h"

/* whole, as evidence has to be, or in what room there is. */
void segctl_incidents(const struct segctl *ctl, const json_t *list, bool whole);

#endif
