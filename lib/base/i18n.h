/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_BASE_I18N_H
#define SEG_BASE_I18N_H

/*
 * Messages for people go through _(). The catalogue is chosen by locale (base/language.h)
 * in segctl's main; with --json none is bound, so that JSON stays English. The daemon
 * binds none, but for its help: its log and alerts are English.
 */

#include <libintl.h>
#define _(text) gettext(text)
#define N_(text) (text) /* marked here, translated where it is shown */

#endif
