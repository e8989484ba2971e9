/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEGD_KERNEL_NETLINK_H
#define SEGD_KERNEL_NETLINK_H

/*
 * What every netlink edge does the same way: sockets that never block, receive
 * buffers beyond the system's limit, and an ear for the kernel alone (any process
 * may send to a netlink socket; what does not come from the kernel is passed over).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <libmnl/libmnl.h>

/* bus: NETLINK_*; groups: bit mask of multicast groups, bit (group - 1); receive_buffer: bytes,
 * 0 for the system's default. 0 or -errno. */
int seg_netlink_open(struct mnl_socket **sock, int bus, uint32_t groups, size_t receive_buffer);
/*
 * Notifications, read by whoever mirrors what they tell. Behind a loss the kernel queues none until all that it has
 * queued are read (NETLINK_S_CONGESTED): what is asked of it before that would miss, without another word, what
 * happens meanwhile. So a loss is told when everything before it has been read.
 */
#define SEG_NETLINK_DATAGRAM 65536
struct seg_netlink_listener {
	struct mnl_socket *sock;
	bool lost; /* and not yet told */
	_Alignas(struct nlmsghdr) char buffer[SEG_NETLINK_DATAGRAM];
};
/* 0; more ends the reading behind the datagram, less at once. */
typedef int (*seg_netlink_take)(void *context, const struct nlmsghdr *message);
/* When readable: bounded work. 0: all that is there, or as much as is read at a time; -ENOBUFS: the same, and
 * notifications were lost (ask for everything anew); what take returned; or another -errno. */
int seg_netlink_listen(struct seg_netlink_listener *listener, seg_netlink_take take, void *context);
bool seg_netlink_is_readable(const struct mnl_socket *sock);
/* One datagram from the kernel: its length, or -EAGAIN, -ENOBUFS (messages were lost), -EMSGSIZE
 * (did not fit), another -errno. */
ssize_t seg_netlink_receive(const struct mnl_socket *sock, void *buffer, size_t size);
/* Sends one request whole and reads up to its acknowledgement (NLM_F_ACK is set here). 0 or -errno. */
int seg_netlink_request(const struct mnl_socket *sock, struct nlmsghdr *request);
/* Sends one request as its flags stand and gives every message of the answer to `each` (NULL: nobody), up to
 * the one that ends it: the request has NLM_F_ACK or NLM_F_DUMP. 0, -EINTR (a dump that changed while it was
 * read: do not trust it), or -errno. */
typedef void (*seg_netlink_fn)(void *context, const struct nlmsghdr *message);
int seg_netlink_ask(const struct mnl_socket *sock, const struct nlmsghdr *request, seg_netlink_fn each,
		    void *context);
/* Gives the messages of one datagram that answer `seq` to each (NULL: nobody), up to the one that ends the
 * answer: then true. *error: 0 before the first datagram of an answer; at its end what seg_netlink_ask()
 * returns. */
bool seg_netlink_answer(const void *buffer, ssize_t len, uint32_t seq, seg_netlink_fn each, void *context,
			int *error);
/* Sends one dump request and gives every message of the answer to `each`, waiting for it: for short
 * answers. 0, -EINTR (changed while it was read: do not trust it), or -errno. */
int seg_netlink_dump(const struct mnl_socket *sock, struct nlmsghdr *request, seg_netlink_fn each,
		     void *context);
/* The errno an NLMSG_ERROR or NLMSG_DONE carries, negative; 0: acknowledged, or too short to say. */
int seg_netlink_error(const struct nlmsghdr *message);

/* Is there a whole message in the `left` bytes? (mnl_nlmsg_ok() believes a length beyond INT_MAX.) */
static inline bool seg_netlink_ok(const struct nlmsghdr *message, int left)
{
	return left >= (int)sizeof(*message) && message->nlmsg_len >= sizeof(*message) &&
	       message->nlmsg_len <= (uint32_t)left;
}
/* Every message of a datagram. left: an int of the caller's. */
#define seg_message_each(message, left, buffer, len)                                               \
	for ((message) = (const void *)(buffer), (left) = (int)(len); seg_netlink_ok((message), (left)); \
	     (message) = mnl_nlmsg_next((message), &(left)))

/* Attributes as inline code: a walk calls some hundred of these a message. They end where the message
 * ends (libmnl rounds up, beyond the memory of one that was cut off). */
static inline uint16_t seg_attr_type(const struct nlattr *attr)
{
	return (uint16_t)(attr->nla_type & (uint16_t)NLA_TYPE_MASK);
}
static inline size_t seg_attr_len(const struct nlattr *attr)
{
	return attr->nla_len - sizeof(*attr);
}
static inline const void *seg_attr_data(const struct nlattr *attr)
{
	return attr + 1;
}
static inline bool seg_attr_ok(const struct nlattr *attr, const char *end)
{
	ptrdiff_t left = end - (const char *)attr;

	return left >= (ptrdiff_t)sizeof(*attr) && attr->nla_len >= sizeof(*attr) && attr->nla_len <= left;
}
static inline const struct nlattr *seg_attr_next(const struct nlattr *attr)
{
	return (const void *)((const char *)attr + MNL_ALIGN(attr->nla_len));
}
#define seg_attr_each(attr, message, header)                                                       \
	for ((attr) = mnl_nlmsg_get_payload_offset((message), (header));                           \
	     seg_attr_ok((attr), (const char *)(message) + (message)->nlmsg_len); (attr) = seg_attr_next(attr))
#define seg_attr_each_nested(attr, nest)                                                           \
	for ((attr) = seg_attr_data(nest);                                                         \
	     seg_attr_ok((attr), (const char *)(nest) + (nest)->nla_len); (attr) = seg_attr_next(attr))

#endif
