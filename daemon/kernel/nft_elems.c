/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nft_wire.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <unistd.h>

#define RESIZE_TRIES 100
#define RESIZE_US 5000

/* -- one element ------------------------------------------------------- */

/* As it stands on the wire: of an interval of a single field one end, or the other. */
struct raw_elem {
	struct seg_elem elem;
	bool end;
};

struct elem_reader {
	const struct seg_set *set;
	const struct seg_nft_names *names; /* NULL: what verdicts name is not asked for */
	struct seg_arena *arena;	   /* of the result */
	struct seg_arena *scratch;
	struct raw_elem *raw; /* in scratch */
	size_t n, cap;
};

/* A key of the kernel's length, padded to the plan's. */
static const uint8_t *read_key(struct elem_reader *r, const struct nlattr *nest)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, nest)
		if (seg_attr_type(attr) == NFTA_DATA_VALUE && seg_attr_len(attr) == seg_nft_key_len(r->set)) {
			uint8_t *key = seg_arena_alloc(r->arena, r->set->key_len);

			memcpy(key, seg_attr_data(attr), seg_attr_len(attr));
			return key;
		}
	return NULL;
}

static void read_verdict(struct elem_reader *r, const struct nlattr *nest, struct seg_elem *elem)
{
	const struct nlattr *attr;
	const char *chain = NULL;
	int verdict = NF_DROP;

	seg_attr_each_nested(attr, nest) {
		if (seg_attr_type(attr) == NFTA_VERDICT_CODE && seg_attr_len(attr) == sizeof(uint32_t))
			verdict = (int)ntohl(mnl_attr_get_u32(attr));
		else if (seg_attr_type(attr) == NFTA_VERDICT_CHAIN)
			chain = mnl_attr_get_str(attr);
	}
	/* A verdict that the encoder never writes has no name in a plan: it differs from all of ours. */
	if (r->names && !seg_nft_decode_action(verdict, chain, r->names, &elem->action))
		elem->comment = "a verdict of nobody";
}

static void read_data(struct elem_reader *r, const struct nlattr *nest, struct seg_elem *elem)
{
	const struct nlattr *attr;

	seg_attr_each_nested(attr, nest) {
		if (seg_attr_type(attr) == NFTA_DATA_VALUE && seg_attr_len(attr) == sizeof(elem->mark))
			memcpy(&elem->mark, seg_attr_data(attr), sizeof(elem->mark));
		else if (seg_attr_type(attr) == NFTA_DATA_VERDICT)
			read_verdict(r, attr, elem);
	}
}

static uint64_t read_u64(const struct nlattr *attr)
{
	return seg_attr_len(attr) == sizeof(uint64_t) ? be64toh(mnl_attr_get_u64(attr)) : 0;
}

/* Any other expression (a limit, a quota) may end the rule that found the element, as if it were not there:
 * such an element differs from all of ours, whatever its comment says, which comes behind. What packets put
 * into a set counts by their rule's word. */
static void read_counter(const struct nlattr *expr, const struct seg_set *set, struct seg_elem *elem)
{
	const struct nlattr *attr, *data;
	bool counter = false;

	seg_attr_each_nested(attr, expr)
		if (seg_attr_type(attr) == NFTA_EXPR_NAME)
			counter = strcmp(mnl_attr_get_str(attr), "counter") == 0;
	if (!counter || (!set->counter && !set->dynamic)) {
		elem->comment = "an expression of nobody";
		return;
	}
	seg_attr_each_nested(attr, expr) {
		if (seg_attr_type(attr) != NFTA_EXPR_DATA)
			continue;
		seg_attr_each_nested(data, attr) {
			if (seg_attr_type(data) == NFTA_COUNTER_PACKETS)
				elem->packets = read_u64(data);
			else if (seg_attr_type(data) == NFTA_COUNTER_BYTES)
				elem->bytes = read_u64(data);
		}
	}
}

static void read_attr(struct elem_reader *r, const struct nlattr *attr, struct raw_elem *raw)
{
	const struct nlattr *expr;

	switch (seg_attr_type(attr)) {
	case NFTA_SET_ELEM_KEY:
		raw->elem.key = read_key(r, attr);
		break;
	case NFTA_SET_ELEM_KEY_END:
		raw->elem.end = read_key(r, attr);
		break;
	case NFTA_SET_ELEM_DATA:
		read_data(r, attr, &raw->elem);
		break;
	case NFTA_SET_ELEM_FLAGS:
		raw->end = ntohl(mnl_attr_get_u32(attr)) & NFT_SET_ELEM_INTERVAL_END;
		raw->elem.catchall = ntohl(mnl_attr_get_u32(attr)) & NFT_SET_ELEM_CATCHALL;
		break;
	case NFTA_SET_ELEM_TIMEOUT:
		if (!raw->elem.timeout_ms)
			raw->elem.timeout_ms = read_u64(attr);
		break;
	case NFTA_SET_ELEM_EXPIRATION: /* what is left; 0 would mean for ever */
		raw->elem.timeout_ms = read_u64(attr) ? read_u64(attr) : 1;
		break;
	case NFTA_SET_ELEM_USERDATA:
		if (!raw->elem.comment)
			raw->elem.comment =
				seg_nft_decode_comment(seg_attr_data(attr), seg_attr_len(attr), r->arena);
		break;
	case NFTA_SET_ELEM_EXPR:
		read_counter(attr, r->set, &raw->elem);
		break;
	case NFTA_SET_ELEM_EXPRESSIONS:
		seg_attr_each_nested(expr, attr)
			read_counter(expr, r->set, &raw->elem);
		break;
	default:
		break;
	}
}

static void take_elems(void *context, const struct nlmsghdr *nlh)
{
	struct elem_reader *r = context;
	const struct nlattr *list, *elem, *attr;

	seg_attr_each(list, nlh, sizeof(struct nfgenmsg)) {
		if (seg_attr_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		seg_attr_each_nested(elem, list) {
			struct raw_elem raw = {0};

			seg_attr_each_nested(attr, elem)
				read_attr(r, attr, &raw);
			if (!raw.elem.key)
				raw.elem.key = seg_arena_alloc(r->arena, r->set->key_len);
			SEG_PUSH(r->scratch, r->raw, r->n, r->cap) = raw;
		}
	}
}

/* -- a set ------------------------------------------------------------- */

static int by_key(const void *a, const void *b, void *context)
{
	const struct raw_elem *x = a, *y = b;
	const struct elem_reader *r = context;
	int order = memcmp(x->elem.key, y->elem.key, r->set->key_len);

	/* A catch-all is on no number line: behind everything. */
	if (x->elem.catchall != y->elem.catchall)
		return (int)x->elem.catchall - (int)y->elem.catchall;
	return order ? order : (int)y->end - (int)x->end;
}

static const uint8_t *predecessor(struct elem_reader *r, const uint8_t *key)
{
	uint8_t *before = seg_arena_copy(r->arena, key, r->set->key_len);
	unsigned at = seg_nft_key_len(r->set);

	while (at > 0)
		if (before[--at]-- != 0)
			break;
	return before;
}

static const uint8_t *last_key(struct elem_reader *r)
{
	uint8_t *last = seg_arena_alloc(r->arena, r->set->key_len);

	memset(last, 0xff, seg_nft_key_len(r->set));
	return last;
}

/* Beginnings and ends in the order of the number line become intervals. */
static size_t join_ends(struct elem_reader *r, struct seg_elem *elem)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (r->raw[i].end)
			continue;
		elem[n] = r->raw[i].elem;
		if (elem[n].catchall) {
			n++;
			continue;
		}
		elem[n++].end = i + 1 < r->n && !r->raw[i + 1].elem.catchall
					? predecessor(r, r->raw[i + 1].elem.key)
					: last_key(r);
	}
	return n;
}

/* A hash set grows and shrinks behind the commit that filled or emptied it (rhashtable), and is walked from
 * its beginning for each message: what has changed places is shown twice, or passed over for what is. Where packets make
 * the elements it is so as long as they come, and whoever counts takes the difference. */
static bool shows_twice(const struct elem_reader *r)
{
	if (r->set->interval || r->set->dynamic)
		return false;
	for (size_t i = 1; i < r->n; i++)
		if (!by_key(&r->raw[i - 1], &r->raw[i], (void *)r))
			return true;
	return false;
}

static size_t copy_plain(struct elem_reader *r, struct seg_elem *elem)
{
	for (size_t i = 0; i < r->n; i++)
		elem[i] = r->raw[i].elem;
	return r->n;
}

/* 1: not whole, a table that changes its size. */
static int dump_elems(struct seg_nft *nft, const char *kernel_name, struct elem_reader *r,
		      struct seg_elem **elem, size_t *n)
{
	const bool ends = r->set->interval && r->set->fields == 1;
	struct seg_nft_question question;
	int ret;

	seg_nft_question_init(&question, NFT_MSG_GETSETELEM, true);
	mnl_attr_put_strz(question.nlh, NFTA_SET_ELEM_LIST_TABLE, SEG_TABLE);
	mnl_attr_put_strz(question.nlh, NFTA_SET_ELEM_LIST_SET, kernel_name);
	ret = seg_nft_ask(nft, &question, take_elems, r);
	if (ret < 0 && ret != -EINTR)
		return ret;
	if (r->n)
		qsort_r(r->raw, r->n, sizeof(*r->raw), by_key, r);
	if (shows_twice(r))
		return 1;
	*elem = SEG_NEW_N(r->arena, struct seg_elem, r->n);
	*n = ends ? join_ends(r, *elem) : copy_plain(r, *elem);
	return ret;
}

int seg_nft_dump_elems(struct seg_nft *nft, const struct seg_set *set, const char *kernel_name,
		       const struct seg_nft_names *names, struct seg_arena *arena, struct seg_elem **elem,
		       size_t *n)
{
	int ret = 1;

	for (unsigned i = 0; i < RESIZE_TRIES && ret > 0; i++) {
		struct seg_arena *scratch = seg_arena_new();
		struct elem_reader r = {.set = set, .names = names, .arena = arena, .scratch = scratch};

		if (i)
			usleep(RESIZE_US);
		ret = dump_elems(nft, kernel_name, &r, elem, n);
		seg_arena_free(scratch);
	}
	return ret > 0 ? -EBUSY : ret;
}

int seg_nft_read_elements(struct seg_nft *nft, const struct seg_set *set, seg_counter_fn each, void *context)
{
	struct seg_arena *arena = NULL;
	struct seg_nft_mark mark;
	struct seg_elem *elem;
	char name[SEG_NAME_MAX];
	size_t n = 0;
	int ret = -EINTR;

	seg_set_kernel_name(set, nft->generation, name);
	for (unsigned i = 0; i < SEG_NFT_RETRIES && ret == -EINTR; i++) {
		seg_arena_free(arena);
		arena = seg_arena_new();
		ret = seg_nft_mark(nft, &mark);
		if (ret == 0)
			ret = seg_nft_dump_elems(nft, set, name, NULL, arena, &elem, &n);
		if (ret == -EINTR && seg_nft_holds(nft, &mark))
			ret = 0;
	}
	for (size_t i = 0; ret == 0 && i < n; i++)
		each(context, &elem[i]);
	seg_arena_free(arena);
	return ret;
}

int seg_nft_read_element(struct seg_nft *nft, const struct seg_set *set, const uint8_t *key,
			 seg_counter_fn each, void *context)
{
	struct seg_arena *arena = seg_arena_new();
	struct elem_reader r = {.set = set, .arena = arena, .scratch = arena};
	struct nlattr *list, *elem, *value;
	struct seg_nft_question question;
	char name[SEG_NAME_MAX];
	int ret;

	seg_nft_question_init(&question, NFT_MSG_GETSETELEM, false);
	mnl_attr_put_strz(question.nlh, NFTA_SET_ELEM_LIST_TABLE, SEG_TABLE);
	mnl_attr_put_strz(question.nlh, NFTA_SET_ELEM_LIST_SET,
			  seg_set_kernel_name(set, nft->generation, name));
	list = mnl_attr_nest_start(question.nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem = mnl_attr_nest_start(question.nlh, NFTA_LIST_ELEM);
	value = mnl_attr_nest_start(question.nlh, NFTA_SET_ELEM_KEY);
	mnl_attr_put(question.nlh, NFTA_DATA_VALUE, seg_nft_key_len(set), key);
	mnl_attr_nest_end(question.nlh, value);
	mnl_attr_nest_end(question.nlh, elem);
	mnl_attr_nest_end(question.nlh, list);
	ret = seg_nft_ask(nft, &question, take_elems, &r);
	for (size_t i = 0; ret == 0 && i < r.n; i++)
		each(context, &r.raw[i].elem);
	seg_arena_free(arena);
	return ret == -ENOENT ? 0 : ret;
}

void seg_nft_notified_elems(const struct nlmsghdr *nlh, const struct seg_set *set, struct seg_arena *arena,
			    seg_counter_fn each, void *context)
{
	struct elem_reader r = {.set = set, .arena = arena, .scratch = arena};

	take_elems(&r, nlh);
	for (size_t i = 0; i < r.n; i++)
		each(context, &r.raw[i].elem);
}

/* -- in slices --------------------------------------------------------- */

struct seg_nft_walk {
	struct mnl_socket *sock;
	struct seg_set set; /* what decoding needs of it; nothing that it points to */
	int error;
};

int seg_nft_walk_start(const struct seg_nft *nft, const struct seg_set *set, struct seg_nft_walk **walk)
{
	struct seg_nft_question question;
	char name[SEG_NAME_MAX];
	struct mnl_socket *sock;
	int r = seg_netlink_open(&sock, NETLINK_NETFILTER, 0, 0);

	if (r)
		return r;
	seg_set_kernel_name(set, nft->generation, name);
	seg_nft_question_init(&question, NFT_MSG_GETSETELEM, true);
	mnl_attr_put_strz(question.nlh, NFTA_SET_ELEM_LIST_TABLE, SEG_TABLE);
	mnl_attr_put_strz(question.nlh, NFTA_SET_ELEM_LIST_SET, name);
	question.nlh->nlmsg_seq = 1;
	if (mnl_socket_sendto(sock, question.nlh, question.nlh->nlmsg_len) < 0) {
		r = -errno;
		mnl_socket_close(sock);
		return r;
	}
	*walk = seg_nft_must(calloc(1, sizeof(**walk)));
	**walk = (struct seg_nft_walk){.sock = sock, .set = *set};
	return 0;
}

int seg_nft_walk_fd(const struct seg_nft_walk *walk)
{
	return mnl_socket_get_fd(walk->sock);
}

int seg_nft_walk_read(struct seg_nft_walk *walk, seg_counter_fn each, void *context)
{
	_Alignas(struct nlmsghdr) char buffer[32768];
	ssize_t len = seg_netlink_receive(walk->sock, buffer, sizeof(buffer));
	struct seg_arena *arena;
	struct elem_reader r;
	bool last;

	if (len < 0)
		return (int)len;
	arena = seg_arena_new();
	r = (struct elem_reader){.set = &walk->set, .arena = arena, .scratch = arena};
	last = seg_netlink_answer(buffer, len, 1, take_elems, &r, &walk->error);
	for (size_t i = 0; i < r.n; i++)
		each(context, &r.raw[i].elem);
	seg_arena_free(arena);
	return !last ? 0 : walk->error ? walk->error : 1;
}

void seg_nft_walk_close(struct seg_nft_walk *walk)
{
	if (!walk)
		return;
	mnl_socket_close(walk->sock);
	free(walk);
}
