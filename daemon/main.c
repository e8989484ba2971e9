/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * segd(8): settings, what needs root, privileges, the loop. Exit status 0 after
 * SIGTERM, 1 where it could not start, 2 for a wrong command line or segd.yaml.
 */

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/nft.h"
#include "loop.h"
#include "plan/build.h"
#include "privilege.h"
#include "service.h"
#include "settings.h"

static void say_lines(const struct seg_strbuf *said)
{
	const char *line = seg_strbuf_text(said);

	while (*line) {
		size_t len = strcspn(line, "\n");

		fprintf(stderr, "segd: %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* In the background: the parent waits until the child is ready or gone. Returns the child's end. */
static int go_to_background(void)
{
	int ends[2];
	pid_t child;
	char byte;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	close(ends[0]);
	setsid();
	return ends[1];
}

static void tell_parent(int end)
{
	int null;

	if (end < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(null);
	}
	if (write(end, "", 1) != 1)
		fprintf(stderr, "segd: the process that started us is gone\n");
	close(end);
}

static int fail(const char *what, int r)
{
	if (r == -EBUSY)
		fprintf(stderr, "segd: %s: another segd uses it\n", what);
	else
		fprintf(stderr, "segd: %s: %s%s\n", what, strerror(-r),
			r == -EPERM && geteuid()
				? "; segd needs CAP_NET_ADMIN: start it as root or by its unit"
				: "");
	return r;
}

static int become(const struct seg_settings *settings, struct seg_loop **loop, struct seg_identity *who)
{
	struct seg_strbuf said = {0};
	const char *what = "privileges";
	int r = seg_privilege_prepare(settings, who, &said);

	if (!r)
		r = seg_loop_new(loop, settings, &what);
	if (!r) {
		what = "privileges";
		r = seg_privilege_drop(who, &said);
	}
	if (!r) {
		what = "seccomp";
		r = seg_privilege_filter();
	}
	say_lines(&said);
	seg_strbuf_fini(&said);
	return r ? fail(what, r) : 0;
}

static int run(const struct seg_settings *settings)
{
	int parent = settings->foreground ? -1 : go_to_background();
	struct seg_loop *loop = NULL;
	struct seg_identity who;
	const char *what;
	int r;

	if (!settings->foreground && parent < 0)
		return fail("fork", parent);
	r = become(settings, &loop, &who);
	if (r)
		goto out;
	r = seg_loop_start(loop, &what);
	if (r) {
		fail(what, r);
		goto out;
	}
	r = seg_loop_listen(loop, &who);
	if (r) {
		fail(settings->socket, r);
		goto out;
	}
	seg_service_ready();
	tell_parent(parent);
	seg_loop_run(loop);
out:
	seg_loop_free(loop);
	return r;
}

/* A service whose settings cannot be read must not leave a gateway open that boots. Rules that stand stay.
 * Started by hand there is a person to read what is wrong, and perhaps no gateway. */
static void seal_without_settings(void)
{
	struct seg_plan *image = NULL, *sealed = seg_plan_sealed(1, false);
	struct seg_change change = seg_plan_diff(NULL, sealed, sealed->arena);
	struct seg_nft *nft = NULL;
	struct seg_diags diags;
	int r;

	seg_diags_init(&diags);
	r = getenv("NOTIFY_SOCKET") ? seg_nft_open(&nft, -1) : -ENOTSUP;
	if (!r)
		r = seg_nft_read(nft, &image);
	if (!r && !image)
		r = seg_nft_commit(nft, &change, NULL, &diags);
	if (!r)
		fprintf(stderr, "segd: the gateway has its rules or is sealed\n");
	if (nft)
		seg_nft_close(nft);
	seg_plan_free(image);
	seg_plan_free(sealed);
	seg_diags_fini(&diags);
}

int main(int argc, char **argv)
{
	struct seg_settings settings;
	int r;

	setlocale(LC_CTYPE, "C.UTF-8");
	signal(SIGPIPE, SIG_IGN);
	umask(027);
	seg_settings_init(&settings);
	r = seg_settings_load(&settings, argc, argv);
	if (r) {
		seg_settings_fini(&settings);
		if (r == -EBADMSG)
			seal_without_settings();
		return r == 1 ? EXIT_SUCCESS : 2;
	}
	r = run(&settings);
	seg_settings_fini(&settings);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
