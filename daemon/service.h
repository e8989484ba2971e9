/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_SERVICE_H
#define SEGD_SERVICE_H

/*
 * The service manager: READY, STATUS, the watchdog, and the store that keeps our
 * owning socket over a crash. Without one (a shell, an init script) everything here
 * does nothing.
 */

#include <stdbool.h>

/* The descriptor kept under a name from an earlier life; -1. */
int seg_service_kept(const char *name);
/* Puts a descriptor into the store; true where there is one. */
bool seg_service_keep(int fd, const char *name);
void seg_service_ready(void);
void seg_service_status(const char *status);
void seg_service_stopping(void);
void seg_service_alive(void); /* the watchdog's food, wanted every second */

#endif
