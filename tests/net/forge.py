# SPDX-License-Identifier: GPL-2.0-or-later
"""nf_tables' messages by hand (linux/netfilter/nf_tables.h): what nft does not write, and the kernel takes."""
import contextlib
import socket
import struct
import threading

NEWTABLE, NEWCHAIN, NEWRULE, DELRULE, NEWSET, NEWSETELEM, DELSETELEM, NEWGEN = 0, 3, 6, 8, 9, 12, 14, 15
CREATE, EXCL = 0x400, 0x200
INET, IP = 1, 2  # NFPROTO_*
NFTABLES, BATCH_BEGIN, BATCH_END = 10, 0x10, 0x11
NETLINK_NETFILTER = 12
SO_SNDBUFFORCE = 32


def attr(kind, value):
    size = 4 + len(value)
    return struct.pack("=HH", size, kind) + value + bytes(-size % 4)


def nest(kind, *parts):
    return attr(kind | 0x8000, b"".join(parts))


def text(kind, value):
    return attr(kind, value.encode() + b"\0")


def be32(kind, value):
    return attr(kind, struct.pack(">L", value))


def be64(kind, value):
    return attr(kind, struct.pack(">Q", value))


def element(key, end=None, flags=None, mark=None, more=b""):
    """end: of an interval of concatenated fields; more: attributes as they are."""
    parts = [nest(1, attr(1, key))]
    if mark is not None:
        parts.append(nest(2, attr(1, struct.pack("=L", mark))))
    if flags is not None:
        parts.append(be32(3, flags))
    parts.append(more)
    if end is not None:
        parts.append(nest(10, attr(1, end)))
    return nest(1, *parts)


def elements(table, name, *each):
    return text(1, table) + text(2, name) + nest(3, *each)


def _message(kind, flags, body, family=INET, subsystem=0):
    payload = struct.pack("=BBH", family, 0, socket.htons(subsystem)) + body
    return struct.pack("=LHHLL", 16 + len(payload), kind, 1 | flags, 0, 0) + payload


class Hand:
    """A socket in a namespace of the lab."""

    def __init__(self, lab, name):
        self.socket = lab.socket(name, socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)

    def commit(self, *messages):
        """(kind, flags, body[, family]) each, in one transaction; what the kernel refuses, it answers."""
        out = _message(BATCH_BEGIN, 0, b"", family=0, subsystem=NFTABLES)
        out += b"".join(_message(NFTABLES << 8 | kind, flags, *body) for kind, flags, *body in messages)
        out += _message(BATCH_END, 0, b"", family=0, subsystem=NFTABLES)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 2 * len(out) + 65536)
        self.socket.send(out)
        with contextlib.suppress(BlockingIOError):
            answer = self.socket.recv(65536)
            raise AssertionError(f"the kernel says {struct.unpack_from('=i', answer, 16)[0]}")


@contextlib.contextmanager
def restless(lab):
    """Somebody who commits to a table of his own, one thing behind the other."""
    lab.nft("gw", "table ip restless { set s { type ipv4_addr; }\n }\n")
    hand, over = Hand(lab, "gw"), threading.Event()

    def commit():
        while not over.is_set():
            for kind in (NEWSETELEM, DELSETELEM):
                hand.commit((kind, CREATE, elements("restless", "s", element(bytes([77, 0, 0, 1]))), IP))

    other = threading.Thread(target=commit)
    other.start()
    try:
        yield
    finally:
        over.set()
        other.join()
