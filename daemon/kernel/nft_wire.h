/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_NFT_WIRE_H
#define SEGD_KERNEL_NFT_WIRE_H

/*
 * What the nft_*.c files share among themselves and nobody else includes.
 *
 *   nft_batch.c   a batch: one buffer of messages, what each is about, send and answers
 *   nft_words.c   the kernel's and nft's numbers for the plan's words
 *   nft_encode.c  tables, sets, elements, chains -> messages of a batch
 *   nft_encode_rule.c  rules
 *   nft_commit.c  plan -> plan: dry run and the three batches
 *   nft_seal.c    base chains that drop, before anything that takes time
 *   nft_decode.c  expressions of a rule -> statements
 *   nft_read.c    dumps -> plan
 *   nft_elems.c   attributes of elements -> elements of a plan
 *   nft_compare.c plan and image -> findings
 *   nft_monitor.c, nft_bypass.c   who changed what, and ways round us
 *   nft_known.c   whether what is known of the table still holds
 *   nft_own.c     the sockets, whose the table is
 *   nft_keep.c    the keeper
 *   nft_request.c questions to the kernel and their answers
 *
 * A batch remembers for every message the object it came from, and for every element
 * in the order of the wire the element of the plan: that is how a refusal finds its
 * way back to a line of the policy.
 */

#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>
#include <netinet/in.h> /* before linux/netfilter.h, or the two define the same things */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <stdlib.h>

#include "base/map.h"
#include "kernel/netlink.h"
#include "kernel/nft.h"

#ifndef NFT_TABLE_F_PERSIST
#define NFT_TABLE_F_PERSIST 0x4 /* Linux 6.9 */
#endif
#ifndef NFT_TABLE_F_KEPT /* a test's build asks for what no kernel gives */
#define NFT_TABLE_F_KEPT (NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST)
#endif

static inline size_t seg_nft_align(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

/* A state of the ruleset: see nft_known.c. */
struct seg_nft_mark {
	uint32_t at;     /* the kernel's generation; 0: none */
	uint32_t passed; /* transactions that had passed by then */
	uint32_t chains; /* of them, those at chains */
};

struct seg_nft {
	struct mnl_socket *socket; /* commits; it owns the table */
	struct mnl_socket *dump;
	uint32_t seq;
	bool persist;              /* the kernel knows OWNER with PERSIST */
	enum seg_ownership ownership;
	size_t sndbuf;             /* as large as the largest batch so far */
	uint32_t generation;       /* of the plan last committed or read; 0: none, or taken out by us */
	struct seg_nft_monitor *monitor; /* NULL: nobody hears what others do */
	struct seg_nft_mark known; /* nobody but us has touched our tables since: we last read ours, or first committed */
	struct seg_nft_mark left;  /* the same behind our last commit; none: there was none, or it is not complete */
	bool incomplete;           /* of our last commit something is missing, and nobody was told */
};

/* -- nft_words.c ------------------------------------------------------- */

/* nft's own numbers of its data types, in a set's key type 6 bits each: they make its listing print names. */
#define SEG_NFT_TYPE_BITS 6
unsigned seg_nft_type_of(enum seg_field field);
int seg_nft_field_of(unsigned type); /* -1: none of ours */
uint32_t seg_nft_byteorder_of(enum seg_field field); /* nft's: 1 host, 2 big endian */
/* The kernel's length of a set's key: a single field is not padded. */
unsigned seg_nft_key_len(const struct seg_set *set);

/* Where the kernel takes a load from. */
enum seg_nft_from { SEG_FROM_PAYLOAD, SEG_FROM_META, SEG_FROM_CT, SEG_FROM_FIB };
struct seg_nft_source {
	enum seg_nft_from from;
	uint32_t key;    /* payload: base; meta, ct: key; fib: flags */
	uint32_t offset; /* payload; the length is the field's */
};
const struct seg_nft_source *seg_nft_source_of(enum seg_load load);
int seg_nft_load_of(const struct seg_nft_source *source, unsigned len); /* -1: none of ours */

/* Registers as nft numbers them: by 16 bytes where a field begins on such a boundary, else by 4. */
uint32_t seg_nft_register_at(unsigned word);

int seg_nft_verdict_of(enum seg_verdict_code code); /* NF_ACCEPT, NFT_JUMP, ... */
int seg_nft_code_of(int verdict);                   /* -1: none of ours */
unsigned seg_nft_hooknum_of(enum seg_hook hook);
enum seg_hook seg_nft_hook_of(unsigned hooknum);    /* SEG_HOOK_NONE: none of ours */

/* -- nft_batch.c ------------------------------------------------------- */

enum seg_nft_about { SEG_ABOUT_BATCH, SEG_ABOUT_TABLE, SEG_ABOUT_SET, SEG_ABOUT_ELEMS, SEG_ABOUT_CHAIN,
		     SEG_ABOUT_RULE };

struct seg_nft_origin {
	enum seg_nft_about about;
	const struct seg_set *set;
	const struct seg_chain *chain;
	uint32_t generation; /* of the plan the object is of: how its name ends */
	size_t rule;   /* its index in the chain */
	size_t elem;   /* index of the message's first element in the batch's list */
	size_t offset; /* of the message in the buffer */
};

struct seg_nft_timeout {
	size_t offset; /* of its value in the buffer */
	uint64_t ms;   /* from when the plan begins */
};

struct seg_nft_batch {
	uint8_t *data;
	size_t len, cap;
	uint32_t first_seq;              /* of the begin message; the others count on */
	const char *table;               /* that its objects are in: SEG_TABLE, unless said otherwise */
	uint32_t generation;             /* of the plan being encoded: how its names end */
	seg_netlink_fn told;             /* hears of elements that leave sets that count; NULL: nobody does */
	void *context;                   /* its own */
	struct seg_nft_origin *origin;   /* by message, the begin message first */
	size_t origins, origins_cap;
	const struct seg_elem **elem;    /* by element on the wire */
	size_t elems, elems_cap;
	struct seg_nft_timeout *timeout; /* of those that end */
	size_t timeouts, timeouts_cap;
};

/* Starts with the begin message. The buffer is the batch's until _fini. */
void seg_nft_batch_init(struct seg_nft_batch *batch, uint32_t seq, uint32_t plan_generation);
void seg_nft_batch_fini(struct seg_nft_batch *batch);
bool seg_nft_batch_empty(const struct seg_nft_batch *batch);
/* Adds a message's header; its attributes go behind it with mnl_attr_put*: there is room for
 * SEG_NFT_MESSAGE bytes. _close says that it is complete. */
#define SEG_NFT_MESSAGE 65536
struct nlmsghdr *seg_nft_batch_open(struct seg_nft_batch *batch, uint16_t type, uint16_t flags,
				    struct seg_nft_origin origin);
void seg_nft_batch_close(struct seg_nft_batch *batch, struct nlmsghdr *nlh);
/* Which element of the plan the next one on the wire is. */
void seg_nft_batch_elem(struct seg_nft_batch *batch, const struct seg_elem *elem);

/* Adds the timeout of an element, ms from when the plan begins. */
void seg_nft_batch_timeout(struct seg_nft_batch *batch, struct nlmsghdr *nlh, uint64_t ms);
/* The plan began so long ago: what is sent from now on ends that much sooner, and what should have ended by now at once. */
void seg_nft_batch_late(struct seg_nft_batch *batch, uint64_t ms);

/* Messages of a batch from first to before end; the begin message is number 0. */
struct seg_nft_span {
	size_t first, end;
};
/* Sends the messages of one or two spans in one piece, between the begin message and, to commit, an end message;
 * without that they are validated and aborted. Reads every answer. It goes through at whatever generation the kernel
 * is: nothing of what others commit elsewhere is a reason to wait, and what they do to our tables shows behind it
 * (seg_nft_disturbed()). Returns the first errno; refusals go to diags (NULL: nowhere). */
int seg_nft_batch_send(struct seg_nft *nft, struct seg_nft_batch *batch, const struct seg_nft_span span[2],
		       bool commit, struct seg_diags *diags);
/* Until whoever is committing is done, notifications included: the kernel counts its generation on before the elements
 * of intervals, a policy or a dormant table show what is new. An empty batch waits for the lock, and is no transaction. */
int seg_nft_wait(struct seg_nft *nft);
/* Commits the whole batch; nothing where it is empty. */
int seg_nft_batch_commit(struct seg_nft *nft, struct seg_nft_batch *batch, struct seg_diags *diags);

/* -- nft_encode.c ------------------------------------------------------ */

void seg_nft_put_table(struct seg_nft_batch *batch, const char *name, uint32_t flags);
void seg_nft_put_del_table(struct seg_nft_batch *batch, const char *name);
void seg_nft_put_set(struct seg_nft_batch *batch, const struct seg_set *set);
void seg_nft_put_elems(struct seg_nft_batch *batch, const struct seg_set *set, const struct seg_elem *const *elem,
		       size_t n, bool add);
void seg_nft_put_chain(struct seg_nft_batch *batch, const struct seg_chain *chain);
/* Deletes. Batches that delete are encoded with the generation of the plan they delete from. */
void seg_nft_put_flush(struct seg_nft_batch *batch, const struct seg_chain *chain); /* its rules */
/* What packets have put into the plan's maps; always a transaction for the kernel. */
void seg_nft_put_forget(struct seg_nft_batch *batch, const struct seg_plan *plan);
void seg_nft_put_del_set(struct seg_nft_batch *batch, const struct seg_set *set);
void seg_nft_put_del_chain(struct seg_nft_batch *batch, const struct seg_chain *chain);

/* -- nft_encode_rule.c ------------------------------------------------- */

void seg_nft_put_rules(struct seg_nft_batch *batch, const struct seg_chain *chain, struct seg_arena *scratch);

/* nft_encode: at most this much of a comment is kept, as nft allows. */
#define SEG_NFT_COMMENT_MAX 127

static inline void *seg_nft_must(void *object) /* out of memory aborts (base/arena.h) */
{
	if (!object)
		abort();
	return object;
}

/* -- nft_known.c ------------------------------------------------------- */

/* The ruleset as it stands now, from when on it will be known whether anybody touches our tables. 0 or -errno: none. */
int seg_nft_mark(struct seg_nft *nft, struct seg_nft_mark *mark);
/* Has nobody touched them since? Also not we, but for what was counted. */
bool seg_nft_holds(struct seg_nft *nft, const struct seg_nft_mark *mark);
/* The same, and nobody's chains have come or gone. */
bool seg_nft_keeps_chains(struct seg_nft *nft, const struct seg_nft_mark *mark);
/* Was the last commit to our tables our own? Waits for nobody: who may be committing now has not been heard. */
bool seg_nft_was_last(struct seg_nft *nft);
/* A transaction of ours behind it. */
void seg_nft_count(struct seg_nft_mark *mark);

/* -- nft_own.c --------------------------------------------------------- */

/* What the next batch must say about the table. */
struct seg_nft_claim {
	bool needed;    /* make or adopt it */
	bool orphan;    /* it is there, and its owner is dead: adopt it */
	bool dormant;   /* it is there, and somebody has put it to sleep: wake it */
	uint32_t flags; /* with these */
};
int seg_nft_claim_table(struct seg_nft *nft, struct seg_nft_claim *claim, struct seg_diags *diags);
void seg_nft_claimed(struct seg_nft *nft, const struct seg_nft_claim *claim);
/* Adopts an orphan, wakes a dormant table: in a batch of its own, and nothing is needed then. */
int seg_nft_take_up(struct seg_nft *nft, struct seg_nft_claim *claim, struct seg_diags *diags);

/* -- nft_compare.c ----------------------------------------------------- */

/* As seg_nft_compare(), of any table. */
void seg_nft_compare_table(const char *table, const struct seg_plan *want, const struct seg_plan *have,
			   struct seg_findings *findings);

/* -- nft_keep.c -------------------------------------------------------- */

/* Makes the keeper that goes with a plan where it is not there, or not as it should be. */
int seg_nft_keep(struct seg_nft *nft, const struct seg_plan *plan, struct seg_diags *diags);

/* -- nft_seal.c -------------------------------------------------------- */

/* seg_nft_seal() of a table that has been looked at; it has what it needed then. */
int seg_nft_seal_claimed(struct seg_nft *nft, const struct seg_plan *plan, struct seg_nft_claim *claim,
			 struct seg_diags *diags);

/* -- nft_request.c ----------------------------------------------------- */

/* One question to nf_tables, about one object or, with dump, all of them. Its attributes go behind. */
struct seg_nft_question {
	_Alignas(struct nlmsghdr) char bytes[1024];
	struct nlmsghdr *nlh;
};
void seg_nft_question_init(struct seg_nft_question *question, uint16_t type, bool dump);
#define SEG_NFT_RETRIES 5 /* of what somebody disturbs */
/* On the dump socket. -EINTR: that was all, but the ruleset changed meanwhile. */
int seg_nft_ask(struct seg_nft *nft, struct seg_nft_question *question, seg_netlink_fn each, void *context);

int seg_nft_read_generation(struct seg_nft *nft, uint32_t *generation);
struct seg_nft_table {
	bool exists;
	uint32_t flags;
	uint32_t owner; /* port id; 0: nobody */
};
int seg_nft_read_table(struct seg_nft *nft, const char *name, struct seg_nft_table *table);

/* -- nft_read.c -------------------------------------------------------- */

/* seg_nft_read() of another table; what is known of ours stays as it is. */
int seg_nft_read_table_image(struct seg_nft *nft, const char *name, struct seg_plan **image);

/* -- nft_decode.c ------------------------------------------------------ */

/* The image's objects by their names in the kernel. */
struct seg_nft_names {
	struct seg_map sets, chains;
};
static inline const struct seg_set *seg_nft_names_set(const struct seg_nft_names *names, const char *name)
{
	return name ? seg_map_get(&names->sets, name) : NULL;
}
static inline const struct seg_chain *seg_nft_names_chain(const struct seg_nft_names *names, const char *name)
{
	return name ? seg_map_get(&names->chains, name) : NULL;
}

/* A complete rule (plan/rule.h). One that holds anything the encoder never writes has no statement, and the
 * kernel's text as its comment. */
struct seg_rule seg_nft_decode_rule(const struct nftnl_rule *from, const struct seg_nft_names *names,
				    struct seg_arena *arena);
bool seg_nft_decode_action(int verdict, const char *chain, const struct seg_nft_names *names,
			   struct seg_action *action);
/* nft's user data of a rule or an element; NULL. */
const char *seg_nft_decode_comment(const void *data, size_t len, struct seg_arena *arena);

/* -- nft_elems.c ------------------------------------------------------- */

/* Elements of a set that a notification is about; in arena. */
void seg_nft_notified_elems(const struct nlmsghdr *nlh, const struct seg_set *set, struct seg_arena *arena,
			    seg_counter_fn each, void *context);

/* The elements of a set by its name in the kernel, in arena; names NULL: verdicts are left out.
 * -EINTR: all are there, but the ruleset changed meanwhile, and they are whole only if that was elsewhere. */
int seg_nft_dump_elems(struct seg_nft *nft, const struct seg_set *set, const char *kernel_name,
		       const struct seg_nft_names *names, struct seg_arena *arena, struct seg_elem **elem, size_t *n);

#endif
