/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <libgen.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders. */

static int make_folder(const char *path, mode_t mode)
{
	char *copy = strdup(path);
	int r = 0;

	if (!copy)
		abort();
	for (char *c = copy + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			r = -errno;
		*c = '/';
	}
	if (!r && mkdir(copy, mode) && errno != EEXIST)
		r = -errno;
	free(copy);
	return r;
}

/* A folder that the daemon cannot be without: says which could not be made, and what helps. */
static int need_folder(const char *path, mode_t mode, struct seg_strbuf *said)
{
	int r = make_folder(path, mode);

	if (r)
		seg_strbuf_printf(said, "%s cannot be made: %s%s\n", path, strerror(-r),
				  r == -EACCES && geteuid() ? "; start segd as root or by its unit" : "");
	return r;
}

static void folder_of(const char *path, struct seg_strbuf *folder)
{
	char *copy = strdup(path);

	if (!copy)
		abort();
	seg_strbuf_add(folder, dirname(copy));
	free(copy);
}

/* Everything below belongs to the user: an earlier life may have been root's. Follows no links. */
static int give(const char *path, uid_t uid, gid_t gid)
{
	char *paths[] = {(char *)path, NULL};
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	FTSENT *entry;
	int r = 0;

	if (!walk)
		return -errno;
	while ((entry = fts_read(walk))) {
		if (entry->fts_info == FTS_DP)
			continue;
		if (lchown(entry->fts_path, uid, gid) && entry->fts_level == 0)
			r = -errno;
	}
	fts_close(walk);
	return r;
}

/* Could the user itself do this? Asked as that user, without capabilities over files. */
static bool may(const struct seg_identity *who, const char *path, int mode)
{
	gid_t groups[64];
	int n = getgroups(64, groups);
	bool able;

	if (n < 0 || setgroups(0, NULL) || setegid(who->gid) || seteuid(who->uid))
		able = false;
	else
		able = !faccessat(AT_FDCWD, path, mode, AT_EACCESS);
	if (seteuid(0) || setegid(0) || setgroups((size_t)n, groups))
		abort(); /* neither here nor there */
	return able;
}

static bool user_fits(const struct seg_settings *settings, const struct seg_identity *who, const char *run,
		      struct seg_strbuf *said)
{
	const struct {
		const char *path;
		int mode;
	} need[] = {{settings->state_dir, R_OK | W_OK | X_OK}, {run, W_OK | X_OK}, {settings->policy, R_OK}};

	for (size_t i = 0; i < sizeof(need) / sizeof(*need); i++) {
		if (access(need[i].path, F_OK) || may(who, need[i].path, need[i].mode))
			continue;
		seg_strbuf_printf(said, "user %s cannot reach %s: staying uid 0, with CAP_NET_ADMIN alone\n",
				  settings->user, need[i].path);
		return false;
	}
	return true;
}

static void find_user(const struct seg_settings *settings, struct seg_identity *who, struct seg_strbuf *said)
{
	const struct passwd *user = getpwnam(settings->user);
	const struct group *group = settings->group ? getgrnam(settings->group) : NULL;

	*who = (struct seg_identity){geteuid(), getegid(), getegid()};
	if (geteuid() == 0 && user)
		*who = (struct seg_identity){user->pw_uid, user->pw_gid, user->pw_gid};
	else if (geteuid() == 0)
		seg_strbuf_printf(said, "there is no user %s: staying uid 0, with CAP_NET_ADMIN alone\n",
				  settings->user);
	if (group)
		who->asking = group->gr_gid;
	else if (settings->group)
		seg_strbuf_printf(said, "there is no group %s for the control socket\n", settings->group);
}

int seg_privilege_prepare(const struct seg_settings *settings, struct seg_identity *who, struct seg_strbuf *said)
{
	struct seg_strbuf run = {0};
	struct stat before;
	bool made;
	int r;

	find_user(settings, who, said);
	folder_of(settings->socket, &run);
	made = stat(seg_strbuf_text(&run), &before) != 0;
	r = need_folder(settings->state_dir, 0750, said);
	if (!r)
		r = need_folder(seg_strbuf_text(&run), 0755, said);
	if (!r && made && chmod(seg_strbuf_text(&run), 0755)) /* whatever the umask: the socket has its own mode */
		r = -errno;
	if (r || geteuid() || !who->uid)
		goto out;
	if (made && chown(seg_strbuf_text(&run), who->uid, who->gid)) {
		r = -errno;
		goto out;
	}
	r = give(settings->state_dir, who->uid, who->gid);
	if (!r && !user_fits(settings, who, seg_strbuf_text(&run), said)) {
		*who = (struct seg_identity){.asking = who->asking};
		r = give(settings->state_dir, 0, 0);
	}
out:
	seg_strbuf_fini(&run);
	return r;
}

/* Capabilities. */

static bool has_net_admin_alone(void)
{
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (capng_have_capability(CAPNG_PERMITTED, (unsigned)cap) != (cap == CAP_NET_ADMIN))
			return false;
	return true;
}

static int lock_down(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return 0;
}

int seg_privilege_drop(const struct seg_identity *who, struct seg_strbuf *said)
{
	bool root = geteuid() == 0;
	int r;

	capng_get_caps_process();
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN)) {
		seg_strbuf_add(said, "CAP_NET_ADMIN is missing: start segd as root or by its unit\n");
		return -EPERM;
	}
	if (!root && has_net_admin_alone()) { /* the service manager gave us no more */
		r = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ? -errno : 0;
		return r ? r : lock_down();
	}
	capng_clear(CAPNG_SELECT_BOTH);
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
	if (root && setgroups(1, &who->asking)) /* to give the socket to that group */
		return -errno;
	if (root && who->uid)
		r = capng_change_id((int)who->uid, (int)who->gid, CAPNG_CLEAR_BOUNDING);
	else
		r = capng_apply(root ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
	if (r) {
		seg_strbuf_printf(said, "cannot give up privileges (%d)\n", r);
		return -EPERM;
	}
	return lock_down();
}

/* System calls. */

static const int allowed[] = {
	/* files: the state directory, the policy, SQLite */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(lseek), SCMP_SYS(fcntl), SCMP_SYS(flock),
	SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(getdents64), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(fchown),
	SCMP_SYS(fchownat), SCMP_SYS(umask),
	SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe2), SCMP_SYS(utimensat),
	/* memory */
	SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(brk),
	SCMP_SYS(memfd_create),
	/* sockets: netlink, syslog, journal, control; socket() itself is below */
	SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(sendto),
	SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
	SCMP_SYS(shutdown), SCMP_SYS(socketpair), SCMP_SYS(ioctl),
	/* waiting and time */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
	SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	/* itself */
	SCMP_SYS(futex), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups),
	SCMP_SYS(getrandom), SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(prlimit64),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(tgkill), SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static int allow_sockets(scmp_filter_ctx filter)
{
	static const int family[] = {AF_UNIX, AF_NETLINK};
	int r = 0;

	for (size_t i = 0; i < sizeof(family) / sizeof(*family) && !r; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family[i], 0));
	return r;
}

/* Which programs sit on an interface; nothing that loads or attaches one. */
static int allow_bpf(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1, SCMP_A0(SCMP_CMP_EQ, BPF_PROG_QUERY, 0));
}

int seg_privilege_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = 0;

	if (!filter)
		return -ENOMEM;
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed) && !r; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (!r)
		r = allow_sockets(filter);
	if (!r)
		r = allow_bpf(filter);
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}
