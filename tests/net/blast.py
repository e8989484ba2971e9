# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbered packets at a pace, and when each was sent that arrived.

A Blast has a process that sends and one that receives. Every packet says which stream it belongs
to, its number and when it was sent; what arrived is judged afterwards by these, never by a log:

    with Blast(lab) as blast:
        ab = blast.udp("a", "10.2.0.20", 5005)
        ...
        blast.run()                      # from now on packets flow
        ... things happen; t = time.monotonic() ...
    blast.lost(ab, since, until)         # numbers sent in that time that never arrived
    blast.came(ab, since, until)         # numbers sent in that time that did
"""
import multiprocessing
import os
import pickle
import select
import socket
import struct
import time

from lab import SOON, connect, family_of, transport, network

HEAD = struct.Struct("!4sHIdB")  # magic, stream, number, when, back
MAGIC = b"SEGB"
FORCE = 33  # SO_RCVBUFFORCE


class Stream:
    def __init__(self, index, out, into, to=None, make=None, tcp=False):
        self.index, self.out, self.into, self.to, self.make, self.tcp = index, out, into, to, make, tcp


class Blast:
    def __init__(self, lab, pace=2000):
        self.lab, self.pace, self.streams, self.sockets = lab, pace, [], []
        self.stop, self.end = multiprocessing.Event(), multiprocessing.Event()
        self.work = []

    def _add(self, *words, **more):
        self.streams.append(Stream(len(self.streams), *words, **more))
        return self.streams[-1].index

    def _socket(self, *words, **more):
        s = self.lab.socket(*words, **more)
        s.setsockopt(socket.SOL_SOCKET, FORCE, 16 << 20)
        return s

    def udp(self, src, dst, port, source=None, at=None):
        """One flow, opened once; the index of its stream. at: who receives, where it is not the address's owner."""
        server = self._socket(at or self.lab.owner(dst), family_of(dst), socket.SOCK_DGRAM, bind=(dst, port))
        client = self._socket(src, family_of(dst), socket.SOCK_DGRAM, bind=(source, 0) if source else None)
        return self._add(client, server, to=(dst, port))

    def both(self, src, dst, port, open_at=None):
        """A flow in both directions: the streams there and back. open_at: the address its client knows it by."""
        server = self._socket(self.lab.owner(dst), family_of(dst), socket.SOCK_DGRAM, bind=(dst, port))
        client = self._socket(src, family_of(dst), socket.SOCK_DGRAM)
        client.connect(open_at or (dst, port))
        client.send(b"open")
        select.select([server], [], [], SOON)
        server.connect(server.recvfrom(64)[1])
        return self._add(client, server), self._add(server, client)

    def tcp(self, src, dst, port, open_at=None):
        """The same of TCP, a packet a message: what is in a segment counts when it arrives, not as it is sent."""
        server = self._socket(self.lab.owner(dst), family_of(dst), socket.SOCK_STREAM, bind=(dst, port))
        server.listen(1)
        client = self._socket(src, family_of(dst), socket.SOCK_STREAM)
        assert connect(client, open_at or (dst, port), SOON) == "open"
        select.select([server], [], [], SOON)
        peer, _ = server.accept()
        peer.setblocking(False)
        self.lab.sockets.append(peer)
        for s in (client, peer):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._add(client, peer, tcp=True), self._add(peer, client, tcp=True)

    def ping(self, src, dst):
        """Echo requests, heard at the far end; the answers are the kernel's: (there, back)."""
        v6 = ":" in dst
        family, proto = (socket.AF_INET6, 58) if v6 else (socket.AF_INET, 1)
        client = self._socket(src, family, socket.SOCK_RAW, proto)
        far = self._socket(self.lab.owner(dst), family, socket.SOCK_RAW, proto)
        me = self.lab.address(src, 6 if v6 else 4)
        number = len(self.streams)

        def make(body):
            # Neither address is in the checksum of ICMP; the kernel makes that of ICMPv6.
            return (struct.pack(">BBHHH", 128, 0, 0, number, 1) + body if v6 else
                    transport(me, dst, "icmp", number, 8, "", body))
        there = self._add(client, far, to=(dst, 0), make=make)
        self._add(None, client)
        return there, there + 1

    def fresh(self, src, dst, port, source, at=None):
        """Each packet a flow of its own: another source port each time."""
        server = self._socket(at or self.lab.owner(dst), family_of(dst), socket.SOCK_DGRAM, bind=(dst, port))
        wire = self._socket(src, socket.AF_PACKET, socket.SOCK_RAW)
        wire.bind(("eth0", 0))
        link = bytes.fromhex((self.lab.mac("gw", self.lab.hosts[src]["interface"]) +
                              self.lab.mac(src)).replace(":", "")) + (b"\x86\xdd" if ":" in dst else b"\x08\x00")
        count = [0]

        def make(body):
            count[0] += 1
            udp = transport(source, dst, "udp", 1024 + count[0] % 60000, port, "", body)
            return link + network(source, dst, 17, len(udp), 64) + udp
        return self._add(wire, server, make=make)

    # -- the two processes ---------------------------------------------------------------

    def _send(self, path):
        sent = [[] for _ in self.streams]
        began, number = time.monotonic(), 0
        while not self.stop.is_set():
            due = int((time.monotonic() - began) * self.pace)
            while number < due and not self.stop.is_set():  # a slow machine is never done with what is due
                number += 1
                for stream in self.streams:
                    if not stream.out:
                        continue
                    now = time.monotonic()
                    body = HEAD.pack(MAGIC, stream.index, number, now, 0)
                    try:
                        if stream.make:
                            body = stream.make(body)
                        if stream.to:
                            stream.out.sendto(body, stream.to)
                        else:
                            stream.out.send(body)
                        sent[stream.index].append((number, now))
                    except OSError:
                        pass  # a full TCP window, or an error that an earlier packet met
            time.sleep(0.0004)
        with open(path, "wb") as f:
            pickle.dump(sent, f)

    def _receive(self, path):
        got = [[] for _ in self.streams]
        by_fd, poll, rest = {}, select.poll(), {}
        for stream in self.streams:
            if stream.into:
                by_fd[stream.into.fileno()] = stream
                poll.register(stream.into, select.POLLIN)
        while not self.end.is_set():
            for fd, _ in poll.poll(50):
                stream = by_fd[fd]
                while True:
                    try:
                        data = stream.into.recv(65536)
                    except BlockingIOError:
                        break
                    except OSError:
                        continue
                    if not data:
                        poll.unregister(fd)
                        break
                    now = time.monotonic()
                    if stream.tcp:
                        data = rest.get(fd, b"") + data
                    at = data.find(MAGIC)
                    while at >= 0 and at + HEAD.size <= len(data):
                        _, index, number, when, _ = HEAD.unpack_from(data, at)
                        # Echo answers come back with the number of the stream there; errors quote others.
                        if index == (stream.index if stream.out else stream.index - 1):
                            got[stream.index].append((number, when, now))
                        at = data.find(MAGIC, at + HEAD.size)
                    if stream.tcp:
                        rest[fd] = data[len(data) - len(data) % HEAD.size:]
        with open(path, "wb") as f:
            pickle.dump(got, f)

    def run(self):
        self.paths = [str(self.lab.tmp / f"blast-{os.urandom(4).hex()}") for _ in range(2)]
        self.work = [multiprocessing.Process(target=target, args=(path,))
                     for target, path in ((self._receive, self.paths[1]), (self._send, self.paths[0]))]
        for process in self.work:
            process.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop.set()
        if self.work:
            self.work[1].join(20)
            time.sleep(0.3)
            self.end.set()
            self.work[0].join(20)
        for process in self.work:
            if process.is_alive():
                process.kill()
        if self.work and not kind:
            with open(self.paths[0], "rb") as f:
                self.sent = pickle.load(f)
            with open(self.paths[1], "rb") as f:
                self.got = pickle.load(f)

    # -- what became of them ---------------------------------------------------------------

    def numbers(self, stream, since=0, until=float("inf")):
        """What was sent in that time."""
        source = stream if self.streams[stream].out else stream - 1
        return [n for n, when in self.sent[source] if since <= when <= until]

    def came(self, stream, since=0, until=float("inf")):
        return [n for n, when, _ in self.got[stream] if since <= when <= until]

    def heard(self, stream, since=0, until=float("inf")):
        """What arrived in that time, whenever it was sent."""
        return [n for n, _, now in self.got[stream] if since <= now <= until]

    def lost(self, stream, since=0, until=float("inf")):
        return sorted(set(self.numbers(stream, since, until)) - set(n for n, *_ in self.got[stream]))
