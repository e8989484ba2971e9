/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGCTL_CLIENT_H
#define SEGCTL_CLIENT_H

/*
 * The daemon's other end: one connection, calls one after the other, or one stream.
 *
 * Functions that return an exit status have said what went wrong before they
 * return anything but SEGCTL_YES.
 */

#include <jansson.h>
#include "commands.h"

struct segctl_client;
int segctl_client_open(const struct segctl *ctl, struct segctl_client **client);
void segctl_client_close(struct segctl_client *client); /* NULL allowed */
/* `method` without the interface: "Status". Takes parameters over (NULL: none); *out is the caller's. */
int segctl_client_call(struct segctl_client *client, const char *method, json_t *parameters, json_t **out);
/* One call with many answers, each borrowed by fn, until the last or the daemon ends: then SEGCTL_NO_DAEMON.
 * Where fn says false the rest is not read, and the connection good for nothing but to be closed. */
int segctl_client_stream(struct segctl_client *client, const char *method, json_t *parameters,
			 bool (*fn)(void *context, const json_t *answer), void *context);

/* Open, call, close. */
int segctl_call(const struct segctl *ctl, const char *method, json_t *parameters, json_t **out);
int segctl_stream(const struct segctl *ctl, const char *method, json_t *parameters,
		  bool (*fn)(void *context, const json_t *answer), void *context);

/* Calls, prints the document with --json and hands it to `show` for people otherwise. */
int segctl_call_show(const struct segctl *ctl, const char *method, json_t *parameters,
		     void (*show)(const struct segctl *ctl, const json_t *answer));

#endif
