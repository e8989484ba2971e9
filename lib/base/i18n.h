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
/* A word that another language has several of: by what it is said of. */
#define C_(context, text) seg_in_context(context "\004" text, text)

static inline const char *seg_in_context(const char *both, const char *text)
{
	const char *found = gettext(both);

	return found == both ? text : found;
}

#endif
