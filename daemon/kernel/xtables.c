// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/xtables.h"

#include <errno.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "control/sentence.h"
#include "kernel/nft_bypass.h"
#include "kernel/ways.h"

#define TRIES 3 /* a table that changes its size under our eyes is asked for again */

struct seg_xtables {
	int fd[2]; /* by place in family[]; -1: the kernel does not have it */
};

static const struct family {
	int family, level;
	const char *names, *module; /* the latter's beginning, before a table's name */
	const char *word, *tool;
	size_t head, target_at, next_at; /* of a rule: its head, and where it says where these are */
} families[] = {
	{AF_INET, IPPROTO_IP, "/proc/net/ip_tables_names", "iptable", "ip", "iptables-legacy",
	 sizeof(struct ipt_entry), offsetof(struct ipt_entry, target_offset),
	 offsetof(struct ipt_entry, next_offset)},
	{AF_INET6, IPPROTO_IPV6, "/proc/net/ip6_tables_names", "ip6table", "ip6", "ip6tables-legacy",
	 sizeof(struct ip6t_entry), offsetof(struct ip6t_entry, target_offset),
	 offsetof(struct ip6t_entry, next_offset)},
};
#define FAMILIES (sizeof(families) / sizeof(families[0]))
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo) &&
		       sizeof(struct ipt_get_entries) == sizeof(struct ip6t_get_entries) &&
		       (int)IPT_SO_GET_INFO == (int)IP6T_SO_GET_INFO &&
		       (int)IPT_SO_GET_ENTRIES == (int)IP6T_SO_GET_ENTRIES,
	       "both families are asked alike");

/* -- the rules of a table ---------------------------------------------- */

struct search {
	const struct family *family;
	const struct ipt_getinfo *info;
	struct seg_strbuf chain; /* that the rules read now belong to */
	unsigned said;		 /* of it, by enum seg_way */
	seg_xtables_fn each;
	void *context;
};

static void begin_chain(struct search *s, const char *name)
{
	seg_strbuf_reset(&s->chain);
	seg_nft_escape(&s->chain, name);
	s->said = 0;
}

/* Those at hooks come first, each at its place. */
static void begin_chain_at(struct search *s, size_t at)
{
	static const char *const name[NF_INET_NUMHOOKS] = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT",
							   "POSTROUTING"};

	for (size_t i = 0; i < NF_INET_NUMHOOKS; i++)
		if (s->info->valid_hooks & 1U << i && s->info->hook_entry[i] == at)
			begin_chain(s, name[i]);
}

static void take_target(struct search *s, const struct seg_target *target)
{
	const enum seg_way way = seg_way_of_target(target);
	struct seg_strbuf table = {0};

	if (way == SEG_NO_WAY || s->said & 1U << way)
		return;
	s->said |= 1U << way;
	seg_nft_escape(&table, s->info->name);
	seg_strbuf_printf(&table, " (%s)", s->family->tool);
	s->each(s->context, seg_sentence_new(seg_way_format(way), target->chain, s->family->word,
					     seg_strbuf_text(&table)));
	seg_strbuf_fini(&table);
}

static bool is_text(const char *bytes, size_t size)
{
	return memchr(bytes, '\0', size) != NULL;
}

/* One of a chain's rules, or the name that stands before a chain of one's own. size: up to the next rule. */
static int take_rule(struct search *s, const char *rule, size_t size)
{
	struct xt_entry_target target;
	uint16_t at;
	size_t len;

	memcpy(&at, rule + s->family->target_at, sizeof(at));
	if (at < s->family->head || at + sizeof(target) > size)
		return -EBADMSG;
	memcpy(&target, rule + at, sizeof(target));
	len = target.u.user.target_size;
	if (len < sizeof(target) || len > size - at ||
	    !is_text(target.u.user.name, sizeof(target.u.user.name)))
		return -EBADMSG;
	len -= sizeof(target);
	rule += at + sizeof(target);
	if (strcmp(target.u.user.name, XT_ERROR_TARGET) == 0) {
		if (!is_text(rule, len))
			return -EBADMSG;
		begin_chain(s, rule);
		return 0;
	}
	take_target(s, &(const struct seg_target){
			       .name = target.u.user.name,
			       .chain = seg_strbuf_text(&s->chain),
			       .info = rule,
			       .len = len,
			       .revision = target.u.user.revision,
		       });
	return 0;
}

static int take_rules(struct search *s, const char *rules)
{
	const size_t size = s->info->size;
	int r = 0;

	for (size_t at = 0; at < size && !r;) {
		uint16_t next;

		if (size - at < s->family->head)
			return -EBADMSG;
		memcpy(&next, rules + at + s->family->next_at, sizeof(next));
		if (next < s->family->head || next > size - at)
			return -EBADMSG;
		begin_chain_at(s, at);
		r = take_rule(s, rules + at, next);
		at += next;
	}
	return r;
}

int seg_xtables_read_rules(int family, const struct ipt_getinfo *info, const void *rules, seg_xtables_fn each,
			   void *context)
{
	struct search s = {.info = info, .each = each, .context = context};
	int r;

	for (size_t i = 0; i < FAMILIES; i++)
		if (families[i].family == family)
			s.family = &families[i];
	if (!s.family || !is_text(info->name, sizeof(info->name)))
		return -EBADMSG;
	r = take_rules(&s, rules);
	seg_strbuf_fini(&s.chain);
	return r;
}

/* -- the tables that are there ----------------------------------------- */

static int ask(int fd, const struct family *family, int what, void *answer, size_t size)
{
	socklen_t len = (socklen_t)size;

	return getsockopt(fd, family->level, what, answer, &len) ? -errno : 0;
}

static int read_table_once(int fd, const struct family *family, const char *name, seg_xtables_fn each,
			   void *context)
{
	struct ipt_getinfo info = {0};
	struct ipt_get_entries *entries;
	int r;

	snprintf(info.name, sizeof(info.name), "%s", name);
	r = ask(fd, family, IPT_SO_GET_INFO, &info, sizeof(info));
	if (r)
		return r;
	entries = calloc(1, sizeof(*entries) + info.size);
	if (!entries)
		return -ENOMEM;
	memcpy(entries->name, info.name, sizeof(entries->name));
	entries->size = info.size;
	r = ask(fd, family, IPT_SO_GET_ENTRIES, entries, sizeof(*entries) + info.size);
	if (!r)
		r = seg_xtables_read_rules(family->family, &info, entries->entrytable, each, context);
	free(entries);
	return r;
}

/* One that is gone meanwhile is no failure. */
static int read_table(int fd, const struct family *family, const char *name, seg_xtables_fn each,
		      void *context)
{
	int r = -EAGAIN;

	for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++)
		r = read_table_once(fd, family, name, each, context);
	return r == -ENOENT || r == -ENOPROTOOPT ? 0 : r;
}

static int read_named(int fd, const struct family *family, FILE *names, seg_xtables_fn each, void *context)
{
	char name[XT_TABLE_MAXNAMELEN + 1];
	int r = 0;

	while (!r && fgets(name, sizeof(name), names)) {
		name[strcspn(name, "\n")] = '\0';
		r = read_table(fd, family, name, each, context);
	}
	return r;
}

static int read_loaded(int fd, const struct family *family, seg_xtables_fn each, void *context)
{
	static const char *const name[] = {"raw", "mangle", "nat", "filter", "security"};
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(name) / sizeof(name[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/module/%s_%s", family->module, name[i]);
		if (access(path, F_OK) == 0)
			r = read_table(fd, family, name[i], each, context);
	}
	return r;
}

static int read_family(int fd, const struct family *family, seg_xtables_fn each, void *context)
{
	FILE *names = fopen(family->names, "re");
	int r;

	if (!names)
		return errno == ENOENT	 ? 0
		       : errno == EACCES ? read_loaded(fd, family, each, context)
					 : -errno;
	r = read_named(fd, family, names, each, context);
	fclose(names);
	return r;
}

int seg_xtables_find_bypass(const struct seg_xtables *xtables, seg_xtables_fn each, void *context)
{
	int r = 0;

	for (size_t i = 0; i < FAMILIES && !r; i++)
		if (xtables->fd[i] >= 0)
			r = read_family(xtables->fd[i], &families[i], each, context);
	return r;
}

/* -- opening ----------------------------------------------------------- */

/* A datagram can name an interface of its own, a connection cannot. *fd: -1 where there is no such family. */
static int open_family(const struct family *family, int *fd)
{
	const int loopback = 1; /* in every namespace, whatever its name */

	*fd = socket(family->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno;
	return setsockopt(*fd, SOL_SOCKET, SO_BINDTOIFINDEX, &loopback, sizeof(loopback)) ? -errno : 0;
}

int seg_xtables_open(struct seg_xtables **out)
{
	struct seg_xtables *xtables = malloc(sizeof(*xtables));
	int r = 0;

	if (!xtables)
		abort();
	for (size_t i = 0; i < FAMILIES; i++)
		xtables->fd[i] = -1;
	for (size_t i = 0; i < FAMILIES && !r; i++)
		r = open_family(&families[i], &xtables->fd[i]);
	if (r) {
		seg_xtables_close(xtables);
		return r;
	}
	*out = xtables;
	return 0;
}

void seg_xtables_close(struct seg_xtables *xtables)
{
	if (!xtables)
		return;
	for (size_t i = 0; i < FAMILIES; i++)
		if (xtables->fd[i] >= 0)
			close(xtables->fd[i]);
	free(xtables);
}
