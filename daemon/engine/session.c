/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The SSH session that somebody works in who changes something, and whether it would outlive that. What is told of it
 * are sshd's four words; by which interface its packets come, and with which MAC, the kernel knows. Where it
 * cannot be told what becomes of a session, it counts as one that is cut: to say --force is less than to be locked out.
 */

#include "state.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define WORD_STRLEN 80 /* an address, '%' and an interface */
#define MAPPED "::ffff:"
#define NO_ADDRESS "UNKNOWN " /* sshd's word where its socket has none, as over vsock: no rule touches that */

/* "fe80::20%eth1", "10.0.0.9", "::ffff:10.0.0.9". The interface is set where the word names one. */
static bool read_end(const char *word, seg_addr *addr, char interface[static IFNAMSIZ])
{
	const size_t len = strcspn(word, "%");

	if (word[len] && (size_t)snprintf(interface, IFNAMSIZ, "%s", word + len + 1) >= IFNAMSIZ)
		return false;
	if (seg_addr_parse(word, len, addr))
		return true;
	return !strncasecmp(word, MAPPED, strlen(MAPPED)) &&
	       seg_addr_parse(word + strlen(MAPPED), len - strlen(MAPPED), addr) &&
	       seg_addr_family(*addr) == SEG_IPV4;
}

static bool is_interface(const struct seg_engine *engine, const char *name)
{
	for (size_t i = 0; i < engine->links.interfaces; i++)
		if (!strcmp(engine->links.interface[i], name))
			return true;
	return false;
}

/* A link-local address is nobody's without its interface. */
static bool read_words(const struct seg_engine *engine, struct seg_session *session)
{
	char client[WORD_STRLEN], server[WORD_STRLEN];
	struct seg_packet *packet = &session->packet;
	unsigned sport, dport;

	if (sscanf(session->text, "%79s %u %79s %u", client, &sport, server, &dport) != 4 || sport > 65535 ||
	    dport > 65535 || !read_end(server, &packet->dst, session->interface) ||
	    !read_end(client, &packet->src, session->interface) ||
	    seg_addr_family(packet->src) != seg_addr_family(packet->dst))
		return false;
	packet->proto = IPPROTO_TCP;
	packet->sport = (uint16_t)sport;
	packet->dport = (uint16_t)dport;
	if (session->interface[0]) {
		packet->in = session->interface;
		return is_interface(engine, session->interface);
	}
	return !seg_addr_is_link_local(packet->src) && !seg_addr_is_link_local(packet->dst);
}

/* A permit that drains lets by what began in its time. */
static bool goes_on(const struct seg_verdict *verdict)
{
	const unsigned times = 1u << SEG_REASON_HOURS | 1u << SEG_REASON_DATES;

	return verdict->permit || (verdict->nearest && verdict->nearest->drain &&
				   (verdict->reason == SEG_REASON_HOURS || verdict->reason == SEG_REASON_DATES) &&
				   !(verdict->failed & ~times));
}

static bool is_carried(struct seg_engine *engine, const struct seg_rulebook *book, const struct seg_packet *packet,
		       time_t now)
{
	struct seg_arena *arena = seg_arena_new();
	struct seg_closure closure;
	struct seg_verdict verdict;

	seg_emergency_close(engine, book->policy, arena, &closure);
	verdict = seg_classify_closed(book->policy, book->index, &engine->links.gateway, &closure, packet, now);
	seg_arena_free(arena);
	return goes_on(&verdict);
}

/* What the kernel knows. The way back need not be the way that packets come: it is believed where what is in force lets
 * them by like that. */
static void look_where_it_is(struct seg_engine *engine, struct seg_session *session, time_t now)
{
	struct seg_packet *packet = &session->packet, before = *packet;

	if (engine->ops->neighbour(engine->kernel, packet->src, session->interface, &session->neighbour))
		return;
	packet->in = session->interface[0] ? session->interface : NULL;
	packet->mac = session->neighbour.has_mac ? session->neighbour.mac : NULL;
	if (engine->running && !engine->disarmed && !is_carried(engine, engine->running, packet, now))
		*packet = before;
}

static bool is_judged(const struct seg_engine *engine, const struct seg_session *session)
{
	const seg_addr src = session->packet.src;

	return !seg_addr_is_loopback(src) && !seg_engine_is_gateway(engine, src);
}

void seg_session_read(struct seg_engine *engine, const struct seg_request *request, struct seg_session *session)
{
	*session = (struct seg_session){0};
	if (json_is_true(json_object_get(request->params, "force")))
		return;
	session->text = json_string_value(json_object_get(request->params, "session"));
	if (session->text && !strncmp(session->text, NO_ADDRESS, strlen(NO_ADDRESS)))
		session->text = NULL;
	if (!session->text)
		return;
	session->readable = read_words(engine, session);
	if (session->readable && is_judged(engine, session))
		look_where_it_is(engine, session, request->now);
}

enum seg_session_fate seg_session_fate(struct seg_engine *engine, const struct seg_session *session,
				       const struct seg_rulebook *book, time_t now)
{
	struct seg_packet packet = session->packet;

	if (!book || !session->text)
		return SEG_SESSION_GOES_ON;
	if (!session->readable)
		return SEG_SESSION_UNREADABLE;
	if (!is_judged(engine, session) || is_carried(engine, book, &packet, now))
		return SEG_SESSION_GOES_ON;
	if (packet.mac)
		return SEG_SESSION_CUT;
	packet.no_mac = true;
	return is_carried(engine, book, &packet, now) ? SEG_SESSION_MAC_UNKNOWN : SEG_SESSION_CUT;
}

void seg_session_to_spare(struct seg_engine *engine, const struct seg_request *request, struct seg_session *session)
{
	seg_session_read(engine, request, session);
	if (seg_session_fate(engine, session, engine->running, request->now) != SEG_SESSION_GOES_ON)
		session->text = NULL;
}

int seg_session_answer_unknown(const struct seg_session *session, enum seg_session_fate fate, json_t **out)
{
	if (fate == SEG_SESSION_MAC_UNKNOWN)
		return seg_answer_error(
			out, -EPERM, "would-cut-session",
			"this may cut your own SSH session (%s), which only a permit for one MAC address would carry, and "
			"the kernel does not know that of its host; nothing is changed; if it shall be, say --force",
			session->text);
	return seg_answer_error(
		out, -EPERM, "would-cut-session",
		"this may cut your own SSH session: SSH_CONNECTION is '%s', of which no addresses and "
		"interface can be read; nothing is changed; if it shall be, say --force",
		session->text);
}
