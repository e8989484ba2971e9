/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_VERSIONS_H
#define SEGCTL_VERSIONS_H

/* The versions of the policy that were put in force, as history and report list them. */

#include "table.h"

/* whole, as evidence has to be, or in what room there is, with the first twelve digits of a hash. */
void segctl_versions(const struct segctl *ctl, const json_t *list, bool whole);

#endif
