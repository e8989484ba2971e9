/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BUFFER (4 << 20) /* a refusal for each of many elements */
#define PROBE_TABLE "segd_probe"

/* -- sockets ----------------------------------------------------------- */

static bool is_netfilter_socket(int fd)
{
	int domain = 0, protocol = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == NETLINK_NETFILTER;
}

static int open_commits(struct seg_nft *nft, int fd)
{
	const int on = 1, size = RECEIVE_BUFFER;
	uint8_t leftover[1024];

	if (fd >= 0 && !is_netfilter_socket(fd))
		return -ENOTSOCK;
	nft->socket = fd >= 0 ? mnl_socket_fdopen(fd) : mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!nft->socket)
		return -errno;
	if (mnl_socket_get_portid(nft->socket) == 0 &&
	    mnl_socket_bind(nft->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	fd = mnl_socket_get_fd(nft->socket);
	/* Without any of these a refusal is only less well explained. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	while (recv(fd, leftover, sizeof(leftover), MSG_DONTWAIT) > 0)
		;
	return 0;
}

/* A table with an owner that stays, and the deletion of one that is not there: the first is refused
 * where the kernel is too old, the second always, so that nothing comes of it. */
static int probe(struct seg_nft *nft)
{
	const struct seg_nft_span both[2] = {{1, 3}, {0, 0}};
	struct seg_nft_batch batch;
	int ret;

	seg_nft_batch_init(&batch, nft->seq + 1, 0);
	seg_nft_put_table(&batch, PROBE_TABLE, NFT_TABLE_F_KEPT);
	seg_nft_put_del_table(&batch, PROBE_TABLE "_none");
	ret = seg_nft_batch_send(nft, &batch, both, false, NULL);
	nft->seq += (uint32_t)batch.origins;
	seg_nft_batch_fini(&batch);
	nft->persist = ret == -ENOENT;
	return ret == -EPERM ? -EPERM : 0;
}

static int note_ownership(struct seg_nft *nft)
{
	struct seg_nft_table table;
	int ret = seg_nft_read_table(nft, SEG_TABLE, &table);

	if (ret < 0)
		return ret;
	nft->ownership = SEG_UNOWNED;
	if (table.exists && table.owner == mnl_socket_get_portid(nft->socket))
		nft->ownership = table.flags & NFT_TABLE_F_PERSIST ? SEG_OWNED_PERSIST : SEG_OWNED;
	return 0;
}

int seg_nft_open(struct seg_nft **out, int fd)
{
	struct seg_nft *nft = seg_nft_must(calloc(1, sizeof(*nft)));
	int ret = open_commits(nft, fd);

	if (ret == 0)
		ret = seg_netlink_open(&nft->dump, NETLINK_NETFILTER, 0, RECEIVE_BUFFER);
	if (ret == 0)
		ret = probe(nft);
	if (ret == 0)
		ret = note_ownership(nft);
	if (ret < 0) {
		seg_nft_close(nft);
		return ret;
	}
	*out = nft;
	return 0;
}

void seg_nft_close(struct seg_nft *nft)
{
	if (!nft)
		return;
	if (nft->socket)
		mnl_socket_close(nft->socket);
	if (nft->dump)
		mnl_socket_close(nft->dump);
	free(nft);
}

int seg_nft_fd(const struct seg_nft *nft)
{
	return mnl_socket_get_fd(nft->socket);
}

enum seg_ownership seg_nft_ownership(const struct seg_nft *nft)
{
	return nft->ownership;
}

/* -- the table --------------------------------------------------------- */

int seg_nft_claim_table(struct seg_nft *nft, struct seg_nft_claim *claim, struct seg_diags *diags)
{
	const struct seg_place nowhere = {0};
	struct seg_nft_table table;
	struct seg_diag *diag;
	int ret = seg_nft_read_table(nft, SEG_TABLE, &table);

	if (ret < 0)
		return ret;
	if (table.owner && table.owner != mnl_socket_get_portid(nft->socket)) {
		diag = seg_error(diags, SEG_KERNEL, nowhere,
				 "table inet " SEG_TABLE " belongs to another process (netlink port %u)",
				 table.owner);
		seg_diag_hint(diags, diag, "stop the other segd of this network namespace");
		return -EPERM;
	}
	claim->flags = table.flags;
	/* An orphan can be adopted; a plain table stays what it is. */
	claim->orphan = table.exists && nft->persist && !table.owner && (table.flags & NFT_TABLE_F_PERSIST);
	claim->dormant = table.exists && (table.flags & NFT_TABLE_F_DORMANT);
	claim->needed = !table.exists || claim->orphan || claim->dormant;
	if (!table.exists || claim->orphan)
		claim->flags = nft->persist ? NFT_TABLE_F_KEPT : 0;
	claim->flags &= ~(uint32_t)NFT_TABLE_F_DORMANT;
	return 0;
}

void seg_nft_claimed(struct seg_nft *nft, const struct seg_nft_claim *claim)
{
	nft->ownership =
		(claim->flags & NFT_TABLE_F_KEPT) == NFT_TABLE_F_KEPT ? SEG_OWNED_PERSIST : SEG_UNOWNED;
}

/* The kernel makes no base chain in the same transaction that changes its table, and somebody may have deleted one. */
int seg_nft_take_up(struct seg_nft *nft, struct seg_nft_claim *claim, struct seg_diags *diags)
{
	const struct seg_nft_mark known = nft->known;
	struct seg_nft_batch batch;
	int ret;

	seg_nft_batch_init(&batch, nft->seq + 1, 0);
	seg_nft_put_table(&batch, SEG_TABLE, claim->flags);
	ret = seg_nft_batch_commit(nft, &batch, diags);
	seg_nft_batch_fini(&batch);
	/* Whoever woke it meanwhile left nothing to do, which is no transaction: it is looked at once more. */
	if (claim->dormant)
		nft->known = known;
	if (ret == 0) {
		seg_nft_claimed(nft, claim);
		claim->needed = false;
	}
	return ret;
}

int seg_nft_remove(struct seg_nft *nft)
{
	static const char *const names[] = {SEG_TABLE, SEG_KEEPER_TABLE};
	struct seg_nft_batch batch;
	int ret = 0;

	seg_nft_batch_init(&batch, nft->seq + 1, 0);
	for (size_t i = 0; i < 2 && ret == 0; i++) {
		struct seg_nft_table table;

		ret = seg_nft_read_table(nft, names[i], &table);
		/* An orphan and a plain table alike: what nobody owns anybody deletes. */
		if (ret == 0 && table.exists)
			seg_nft_put_del_table(&batch, names[i]);
	}
	if (ret == 0)
		ret = seg_nft_batch_commit(nft, &batch, NULL);
	if (ret == 0) {
		nft->ownership = SEG_UNOWNED;
		nft->generation = 0;
	}
	seg_nft_batch_fini(&batch);
	return ret;
}
