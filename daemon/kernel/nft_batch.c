/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_SIZE 65536

/* Out of memory aborts, as everywhere (base/arena.h). */
static void *grown(void *items, size_t *cap, size_t need, size_t size)
{
	if (need <= *cap)
		return items;
	while (*cap < need)
		*cap = *cap ? *cap * 2 : 256;
	items = reallocarray(items, *cap, size);
	if (!items)
		abort();
	return items;
}

static void add_begin(struct seg_nft_batch *batch)
{
	struct seg_nft_origin origin = {.about = SEG_ABOUT_BATCH};
	struct nlmsghdr *nlh = seg_nft_batch_open(batch, NFNL_MSG_BATCH_BEGIN, 0, origin);
	struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);

	nlh->nlmsg_type = NFNL_MSG_BATCH_BEGIN;
	header->nfgen_family = AF_UNSPEC;
	header->res_id = htons(NFNL_SUBSYS_NFTABLES);
	seg_nft_batch_close(batch, nlh);
}

void seg_nft_batch_init(struct seg_nft_batch *batch, uint32_t seq, uint32_t plan_generation)
{
	*batch = (struct seg_nft_batch){.table = SEG_TABLE, .first_seq = seq, .generation = plan_generation};
	add_begin(batch);
}

void seg_nft_batch_fini(struct seg_nft_batch *batch)
{
	free(batch->data);
	free(batch->origin);
	free(batch->elem);
	free(batch->timeout);
}

bool seg_nft_batch_empty(const struct seg_nft_batch *batch)
{
	return batch->origins == 1;
}

struct nlmsghdr *seg_nft_batch_open(struct seg_nft_batch *batch, uint16_t type, uint16_t flags,
				    struct seg_nft_origin origin)
{
	struct nlmsghdr *nlh;
	struct nfgenmsg *header;

	batch->data = grown(batch->data, &batch->cap, batch->len + 2 * SEG_NFT_MESSAGE, 1);
	batch->origin = grown(batch->origin, &batch->origins_cap, batch->origins + 1, sizeof(*batch->origin));
	origin.offset = batch->len;
	origin.elem = batch->elems;
	origin.generation = batch->generation;
	nlh = mnl_nlmsg_put_header(batch->data + batch->len);
	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = batch->first_seq + (uint32_t)batch->origins;
	header = mnl_nlmsg_put_extra_header(nlh, sizeof(*header));
	header->nfgen_family = NFPROTO_INET;
	header->version = NFNETLINK_V0;
	header->res_id = 0;
	batch->origin[batch->origins++] = origin;
	return nlh;
}

void seg_nft_batch_close(struct seg_nft_batch *batch, struct nlmsghdr *nlh)
{
	batch->len += seg_nft_align(nlh->nlmsg_len);
}

void seg_nft_batch_elem(struct seg_nft_batch *batch, const struct seg_elem *elem)
{
	batch->elem = grown(batch->elem, &batch->elems_cap, batch->elems + 1, sizeof(*batch->elem));
	batch->elem[batch->elems++] = elem;
}

void seg_nft_batch_timeout(struct seg_nft_batch *batch, struct nlmsghdr *nlh, uint64_t ms)
{
	const uint8_t *value = (uint8_t *)mnl_nlmsg_get_payload_tail(nlh) + sizeof(struct nlattr);

	batch->timeout = grown(batch->timeout, &batch->timeouts_cap, batch->timeouts + 1, sizeof(*batch->timeout));
	batch->timeout[batch->timeouts++] = (struct seg_nft_timeout){(size_t)(value - batch->data), ms};
	mnl_attr_put_u64(nlh, NFTA_SET_ELEM_TIMEOUT, htobe64(ms));
}

void seg_nft_batch_late(struct seg_nft_batch *batch, uint64_t ms)
{
	for (size_t i = 0; i < batch->timeouts; i++) {
		const struct seg_nft_timeout *timeout = &batch->timeout[i];
		const uint64_t left = htobe64(timeout->ms > ms ? timeout->ms - ms : 1); /* 0 would be for ever */

		memcpy(batch->data + timeout->offset, &left, sizeof(left));
	}
}

/* -- what the kernel says ---------------------------------------------- */

/* The element of the plan at a byte offset of an element message; NULL. */
static const struct seg_elem *elem_at(const struct seg_nft_batch *batch, const struct seg_nft_origin *origin,
				      uint32_t offset)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)(const void *)(batch->data + origin->offset);
	const struct nlattr *attr, *elem;
	size_t at = origin->elem;

	seg_attr_each(attr, nlh, sizeof(struct nfgenmsg)) {
		if (seg_attr_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		seg_attr_each_nested(elem, attr) {
			size_t start = (size_t)((const uint8_t *)elem - (const uint8_t *)nlh);

			if (offset >= start && offset < start + elem->nla_len)
				return at < batch->elems ? batch->elem[at] : NULL;
			at++;
		}
	}
	return NULL;
}

static const char *reason_of(int error, enum seg_nft_about about)
{
	switch (error) {
	case EEXIST:
	case ENOTEMPTY:
		return about == SEG_ABOUT_ELEMS ? "it overlaps another element of the set"
						: "another one of this name exists";
	case EPERM:
		return "not permitted: another process owns the table, or CAP_NET_ADMIN is missing";
	case ENOENT:
		return "it, or something it names, is not in the kernel: the rules were changed by somebody "
		       "else";
	case EBUSY:
		return "it is still in use";
	case EOPNOTSUPP:
		return "this kernel does not support it";
	case ENFILE:
		return "the set is full";
	default:
		return strerror(error);
	}
}

static void describe(const struct seg_nft_origin *origin, const struct seg_elem *elem, struct seg_strbuf *out)
{
	switch (origin->about) {
	case SEG_ABOUT_ELEMS:
		if (elem) {
			seg_strbuf_add(out, "element ");
			seg_elem_print_key(origin->set, elem, out);
			if (elem->comment)
				seg_strbuf_printf(out, " (%s)", elem->comment);
			seg_strbuf_add(out, " of ");
		}
		/* fall through */
	case SEG_ABOUT_SET:
		seg_strbuf_printf(out, "set %s", origin->set->name);
		break;
	case SEG_ABOUT_RULE:
		seg_strbuf_printf(out, "rule %zu of chain %s: ", origin->rule + 1, origin->chain->name);
		seg_rule_print(&origin->chain->rule[origin->rule], origin->generation, out);
		break;
	case SEG_ABOUT_CHAIN:
		seg_strbuf_printf(out, "chain %s", origin->chain->name);
		break;
	case SEG_ABOUT_TABLE:
		seg_strbuf_add(out, "table");
		break;
	case SEG_ABOUT_BATCH:
		seg_strbuf_add(out, "the whole change");
		break;
	}
}

static const struct seg_place *place_of(const struct seg_nft_origin *origin, const struct seg_elem *elem)
{
	if (origin->about == SEG_ABOUT_ELEMS)
		return elem ? elem->place : NULL;
	if (origin->about == SEG_ABOUT_RULE)
		return origin->chain->rule[origin->rule].place;
	return NULL;
}

struct refusal {
	int error;
	uint32_t seq;
	uint32_t offset;     /* of the bad attribute; 0: not told */
	const char *message; /* NULL */
};

static void report(const struct seg_nft_batch *batch, const struct refusal *refusal, struct seg_diags *diags)
{
	static const struct seg_nft_origin unknown = {.about = SEG_ABOUT_BATCH};
	const struct seg_nft_origin *origin = &unknown;
	const struct seg_elem *elem = NULL;
	const struct seg_place *place;
	struct seg_strbuf text = {0};

	if (refusal->seq - batch->first_seq < batch->origins)
		origin = &batch->origin[refusal->seq - batch->first_seq];
	if (origin->about == SEG_ABOUT_ELEMS)
		elem = elem_at(batch, origin, refusal->offset);
	place = place_of(origin, elem);
	describe(origin, elem, &text);
	seg_error(diags, SEG_KERNEL, place ? *place : (struct seg_place){0},
		  "the kernel refused %s: %s%s%s%s", seg_strbuf_text(&text),
		  reason_of(refusal->error, origin->about), refusal->message ? " (" : "",
		  refusal->message ? refusal->message : "", refusal->message ? ")" : "");
	seg_strbuf_fini(&text);
}

static void parse_refusal(const struct nlmsghdr *nlh, struct refusal *refusal)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);
	size_t fixed = sizeof(*error);
	const struct nlattr *attr;

	*refusal = (struct refusal){.error = -error->error, .seq = error->msg.nlmsg_seq};
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		fixed += seg_nft_align(error->msg.nlmsg_len - sizeof(error->msg));
	if (fixed > mnl_nlmsg_get_payload_len(nlh))
		return;
	seg_attr_each(attr, nlh, fixed) {
		if (seg_attr_type(attr) == NLMSGERR_ATTR_OFFS && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			refusal->offset = mnl_attr_get_u32(attr);
		else if (seg_attr_type(attr) == NLMSGERR_ATTR_MSG &&
			 mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
			refusal->message = mnl_attr_get_str(attr);
	}
}

/* One sending, and what became of it. */
struct sending {
	const struct seg_nft_batch *batch;
	struct seg_diags *diags;
	uint32_t last; /* sequence number of the last message: the kernel acknowledges it */
	int error;     /* the first one, negative */
	bool acked;
};

static void read_answer(struct sending *s, const struct nlmsghdr *nlh)
{
	struct refusal refusal;

	if (nlh->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES && s->batch->told)
		s->batch->told(s->batch->context, nlh);
	if (nlh->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nlmsgerr))
		return;
	parse_refusal(nlh, &refusal);
	/* Answers to an earlier life of the socket. */
	if (refusal.seq - s->batch->first_seq >= s->batch->origins)
		return;
	if (refusal.error == 0) {
		s->acked |= refusal.seq == s->last;
		return;
	}
	if (!s->error)
		s->error = -refusal.error;
	if (s->diags)
		report(s->batch, &refusal, s->diags);
}

/* The kernel has dealt with the batch by the time send() returns: what is there is all there will be. */
static int read_answers(struct seg_nft *nft, struct sending *s)
{
	uint8_t *buffer = seg_nft_must(malloc(ANSWER_SIZE));
	const struct nlmsghdr *nlh;
	int left, lost = -EIO;
	ssize_t got;

	while ((got = seg_netlink_receive(nft->socket, buffer, ANSWER_SIZE)) != -EAGAIN) {
		if (got == -ENOBUFS || got == -EMSGSIZE) {
			lost = (int)got;
			continue;
		}
		if (got <= 0)
			break;
		seg_message_each(nlh, left, buffer, got)
			read_answer(s, nlh);
	}
	free(buffer);
	if (s->error)
		return s->error;
	return s->acked ? 0 : lost;
}

/* -- sending ----------------------------------------------------------- */

static int make_room(struct seg_nft *nft, size_t len)
{
	int size = (int)len + ANSWER_SIZE;

	if (len <= nft->sndbuf)
		return 0;
	if (setsockopt(mnl_socket_get_fd(nft->socket), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		return -errno;
	nft->sndbuf = len;
	return 0;
}

static struct nlmsghdr *write_end(void *buffer)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(nlh, sizeof(*header));

	nlh->nlmsg_type = NFNL_MSG_BATCH_END;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	header->nfgen_family = AF_UNSPEC;
	header->version = NFNETLINK_V0;
	header->res_id = htons(NFNL_SUBSYS_NFTABLES);
	return nlh;
}

static size_t offset_of(const struct seg_nft_batch *batch, size_t message)
{
	return message < batch->origins ? batch->origin[message].offset : batch->len;
}

static struct nlmsghdr *message_at(struct seg_nft_batch *batch, size_t message)
{
	return (struct nlmsghdr *)(void *)(batch->data + offset_of(batch, message));
}

static struct iovec part_of(const struct seg_nft_batch *batch, const struct seg_nft_span *span)
{
	size_t start = offset_of(batch, span->first);

	return (struct iovec){batch->data + start, offset_of(batch, span->end) - start};
}

static int send_parts(const struct seg_nft *nft, struct iovec *part, size_t parts)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct msghdr message = {
		.msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = part, .msg_iovlen = parts};
	ssize_t sent;

	do {
		sent = sendmsg(mnl_socket_get_fd(nft->socket), &message, 0);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int seg_nft_batch_send(struct seg_nft *nft, struct seg_nft_batch *batch, const struct seg_nft_span span[2],
		       bool commit, struct seg_diags *diags)
{
	size_t last = (span[1].end > span[1].first ? span[1].end : span[0].end) - 1;
	struct sending sending = {.batch = batch, .diags = diags, .last = batch->first_seq + (uint32_t)last};
	uint8_t end_buffer[sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg)];
	struct nlmsghdr *end = write_end(end_buffer);
	struct iovec part[] = {
		{batch->data, offset_of(batch, 1)},
		part_of(batch, &span[0]),
		part_of(batch, &span[1]),
		{end, end->nlmsg_len},
	};
	int ret;

	message_at(batch, last)->nlmsg_flags |= NLM_F_ACK;
	ret = make_room(nft, part[1].iov_len + part[2].iov_len);
	if (ret == 0)
		ret = send_parts(nft, part, commit ? 4 : 3);
	if (ret == 0)
		ret = read_answers(nft, &sending);
	if (ret == 0 && commit)
		seg_nft_count(&nft->known);
	return ret;
}

int seg_nft_wait(struct seg_nft *nft)
{
	uint8_t end_buffer[sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg)];
	struct nlmsghdr *end = write_end(end_buffer);
	struct seg_nft_batch batch;
	int ret;

	seg_nft_batch_init(&batch, ++nft->seq, 0);
	ret = send_parts(nft, (struct iovec[2]){{batch.data, batch.len}, {end, end->nlmsg_len}}, 2);
	seg_nft_batch_fini(&batch);
	return ret;
}

int seg_nft_batch_commit(struct seg_nft *nft, struct seg_nft_batch *batch, struct seg_diags *diags)
{
	const struct seg_nft_span all[2] = {{1, batch->origins}, {0, 0}};

	nft->seq += (uint32_t)batch->origins;
	return seg_nft_batch_empty(batch) ? 0 : seg_nft_batch_send(nft, batch, all, true, diags);
}
