/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_POLICY_REPORT_H
#define SEG_POLICY_REPORT_H

/* Diagnostics as documents, in the keys of `check` (cli.md): segctl check, and the daemon's refusals. */

#include <jansson.h>
#include "base/diag.h"

/* Sets "errors" and "warnings" of an object. */
void seg_report_put(const struct seg_diags *diags, json_t *document);

#endif
