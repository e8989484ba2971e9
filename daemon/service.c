/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

int seg_service_kept(const char *name)
{
	char **names = NULL;
	int found = -1, n = sd_listen_fds_with_names(false, &names);

	for (int i = 0; i < n; i++) {
		if (found < 0 && !strcmp(names[i], name))
			found = SD_LISTEN_FDS_START + i;
		free(names[i]);
	}
	free(names);
	return found;
}

bool seg_service_keep(int fd, const char *name)
{
	char state[128];

	if (!getenv("NOTIFY_SOCKET") || !getenv("INVOCATION_ID")) /* not under systemd */
		return false;
	/* One under this name is enough: an old one would come back first. */
	snprintf(state, sizeof(state), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	sd_notify(0, state);
	snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	return sd_pid_notify_with_fds(0, 0, state, &fd, 1) > 0;
}

void seg_service_ready(void)
{
	sd_notify(0, "READY=1");
}

void seg_service_status(const char *status)
{
	sd_notifyf(0, "STATUS=%s", status);
}

void seg_service_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void seg_service_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}
