/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_SETTINGS_H
#define SEGD_SETTINGS_H

/*
 * segd.yaml and the command line: where things are and how the daemon behaves.
 * What may pass is the policy's, not here. Everything has a default; the file need
 * not exist; the command line wins. An error in the file keeps the daemon from
 * starting: settings half read would be somebody else's.
 */

#include "base/addr.h"
#include "base/diag.h"
#include "sinks/sink.h"

enum seg_switch { SEG_AUTO, SEG_ON, SEG_OFF };

/* Where metrics are served: a UNIX socket, or a port of a loopback address; neither: nowhere. */
struct seg_metrics_at {
	const char *text;            /* as it was written; NULL: off */
	const char *path;
	seg_addr addr;
	uint16_t port;
};

struct seg_settings {
	struct seg_arena *arena;     /* of the strings */
	const char *config;          /* the file read */
	bool config_named;           /* on the command line: it must exist */
	const char *policy, *state_dir, *socket;
	const char *user, *group;    /* group: who may ask on the socket; NULL: the user's own */
	bool foreground, observe;
	enum seg_switch syslog, journal;
	struct seg_sink_options syslog_options;
	struct seg_metrics_at metrics;
	unsigned denied_window;      /* seconds */
	size_t receive_buffer;       /* conntrack events, bytes */
};

void seg_settings_init(struct seg_settings *settings); /* the defaults */
void seg_settings_fini(struct seg_settings *settings);
/* Reads the text of segd.yaml over what is there. */
void seg_settings_read(struct seg_settings *settings, const char *name, const char *text, size_t len,
		       struct seg_diags *diags);
/* The command line, then the file it names, then the command line again on top. 0; 1: help or version
 * was asked for and printed; -EINVAL (the command line), -EBADMSG (the file): said on standard error. */
int seg_settings_load(struct seg_settings *settings, int argc, char **argv);

#endif
