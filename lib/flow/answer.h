/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEG_FLOW_ANSWER_H
#define SEG_FLOW_ANSWER_H

/*
 * What people ask of a policy, as documents: `explain` and `matrix` in the keys
 * of cli.md. The daemon answers with them, and segctl does so alone on a file;
 * one place makes both, so that they never differ. The caller owns the document.
 */

#include <jansson.h>

#include "base/strbuf.h"
#include "flow/classify.h"

/* A question as typed. in, mac and at may be NULL; src and dst are addresses or hosts of the policy. */
struct seg_query {
	const char *in, *mac, *at;
	const char *src, *dst, *proto;
};
/* The same understood. packet.in and packet.mac point into the query and the struct itself. */
struct seg_asked {
	struct seg_packet packet;
	uint8_t mac[SEG_MAC_LEN];
	time_t at;
	const struct seg_host *src, *dst; /* the hosts that were named; NULL: addresses */
};
/*
 * Times without an offset are in the policy's timezone; at NULL: now. A host that is named stands for its first
 * address, as a source with its MAC, where no other is given. False: what is wrong, for people, in `problem`.
 * policy NULL: the words alone are looked at, by somebody who does not have it; names pass then.
 */
bool seg_answer_ask(const struct seg_policy *policy, const struct seg_query *query, time_t now,
		    struct seg_asked *asked, struct seg_strbuf *problem);

/* Why a verdict is what it is, sentence by sentence (control/sentence.h). */
json_t *seg_verdict_sentences(const struct seg_policy *policy, const struct seg_packet *packet,
			      const struct seg_verdict *verdict, time_t at);

/* Beside the keys of cli.md: what a person wants to see of it, "failed" [reason], "next",
 * "opens" and "barred", the rule of the guard by which no permit is possible; and "sentences", which are
 * detail for a reader of another language. */
json_t *seg_answer_explain(const struct seg_policy *policy, const struct seg_packet *packet,
			   const struct seg_verdict *verdict, time_t at);
/* "src-host" and "dst-host", the hosts that were named; that others of their addresses may fare otherwise is said. */
void seg_answer_put_hosts(json_t *doc, const struct seg_asked *asked);
/* For whoever has to guess the gateway's addresses, as the policy does not name them: "gateway-unknown", where the answer
 * may be wrong for it; then it is said as well. */
void seg_answer_put_gateway(json_t *doc, const struct seg_policy *policy, const struct seg_asked *asked,
			    const struct seg_verdict *verdict);
/* One more sentence, in the detail as well. Takes it over. */
void seg_answer_add(json_t *doc, json_t *sentence);
/* The word of the question that looks like a host's id, and is none of the policy's; NULL. */
const char *seg_answer_unknown(const struct seg_policy *policy, const struct seg_query *query);
json_t *seg_answer_matrix(const struct seg_policy *policy);

#endif
