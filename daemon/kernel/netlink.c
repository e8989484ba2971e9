// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/netlink.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#define DATAGRAMS 64 /* of notifications, in one go */
#define ANSWER_TIMEOUT_MS 2000 /* the kernel answers within the send; this is for a broken one */

int seg_netlink_open(struct mnl_socket **sock, int bus, uint32_t groups, size_t receive_buffer)
{
	int size = receive_buffer > INT_MAX ? INT_MAX : (int)receive_buffer;
	struct mnl_socket *opened = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int error;

	if (!opened)
		return -errno;
	if (mnl_socket_bind(opened, groups, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	/* Without the privilege the system's limit has to do. */
	if (size &&
	    setsockopt(mnl_socket_get_fd(opened), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 &&
	    setsockopt(mnl_socket_get_fd(opened), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
		goto fail;
	*sock = opened;
	return 0;
fail:
	error = -errno;
	mnl_socket_close(opened);
	return error;
}

ssize_t seg_netlink_receive(const struct mnl_socket *sock, void *buffer, size_t size)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		struct iovec iov = {.iov_base = buffer, .iov_len = size};
		struct msghdr msg = {
			.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
		ssize_t len = recvmsg(mnl_socket_get_fd(sock), &msg, MSG_DONTWAIT);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		if (from.nl_pid != 0)
			continue;
		if (msg.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		return len;
	}
}

/* Nothing more is there: was anything lost? */
static int all_read(struct seg_netlink_listener *listener)
{
	int r = listener->lost ? -ENOBUFS : 0;

	listener->lost = false;
	return r;
}

bool seg_netlink_is_readable(const struct mnl_socket *sock)
{
	struct pollfd fd = {.fd = mnl_socket_get_fd(sock), .events = POLLIN};

	return poll(&fd, 1, 0) != 0;
}

/* The first that ends the reading at once, or what else take said last. */
static int take_all(struct seg_netlink_listener *listener, ssize_t len, seg_netlink_take take, void *context)
{
	const struct nlmsghdr *message;
	int left, ret = 0;

	seg_message_each(message, left, listener->buffer, len) {
		int r = take(context, message);

		if (r < 0)
			return r;
		ret = r ? r : ret;
	}
	return ret;
}

int seg_netlink_listen(struct seg_netlink_listener *listener, seg_netlink_take take, void *context)
{
	for (int i = 0; i < DATAGRAMS; i++) {
		ssize_t len = seg_netlink_receive(listener->sock, listener->buffer, sizeof(listener->buffer));
		int r;

		if (len == -EAGAIN)
			return all_read(listener);
		if (len == -ENOBUFS || len == -EMSGSIZE) {
			listener->lost = true;
			continue;
		}
		if (len < 0)
			return (int)len;
		r = take_all(listener, len, take, context);
		if (r)
			return r;
	}
	/* Nobody would call again for what cannot be read. */
	return seg_netlink_is_readable(listener->sock) ? 0 : all_read(listener);
}

int seg_netlink_error(const struct nlmsghdr *message)
{
	if (mnl_nlmsg_get_payload_len(message) < sizeof(int))
		return 0;
	/* struct nlmsgerr and the end of a dump both begin with it. */
	return *(const int *)mnl_nlmsg_get_payload(message);
}

/* Like seg_netlink_receive(), but waits for the kernel's answer. */
static ssize_t await(const struct mnl_socket *sock, void *buffer, size_t size)
{
	struct pollfd wait = {.fd = mnl_socket_get_fd(sock), .events = POLLIN};

	for (;;) {
		ssize_t len = seg_netlink_receive(sock, buffer, size);
		int ready;

		if (len != -EAGAIN)
			return len;
		ready = poll(&wait, 1, ANSWER_TIMEOUT_MS);
		if (ready == 0)
			return -ETIMEDOUT;
		if (ready < 0 && errno != EINTR)
			return -errno;
	}
}

bool seg_netlink_answer(const void *buffer, ssize_t len, uint32_t seq, seg_netlink_fn each, void *context,
			int *error)
{
	const struct nlmsghdr *message;
	int left;

	seg_message_each(message, left, buffer, len) {
		if (message->nlmsg_seq != seq)
			continue;
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			*error = -EINTR;
		if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
			int said = seg_netlink_error(message);

			*error = said ? said : *error;
			return true;
		}
		if (each)
			each(context, message);
	}
	return false;
}

int seg_netlink_ask(const struct mnl_socket *sock, const struct nlmsghdr *request, seg_netlink_fn each,
		    void *context)
{
	_Alignas(struct nlmsghdr) char buffer[32768];
	int error = 0;

	while (mnl_socket_sendto(sock, request, request->nlmsg_len) < 0)
		if (errno != EINTR)
			return -errno;
	for (;;) {
		ssize_t len = await(sock, buffer, sizeof(buffer));

		if (len < 0)
			return (int)len;
		if (seg_netlink_answer(buffer, len, request->nlmsg_seq, each, context, &error))
			return error;
	}
}

int seg_netlink_request(const struct mnl_socket *sock, struct nlmsghdr *request)
{
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	return seg_netlink_ask(sock, request, NULL, NULL);
}

int seg_netlink_dump(const struct mnl_socket *sock, struct nlmsghdr *request, seg_netlink_fn each,
		     void *context)
{
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
	return seg_netlink_ask(sock, request, each, context);
}
