# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules change under traffic: a permitted stream loses nothing, a forbidden one leaks nothing."""
import multiprocessing
import socket
import struct
import time

from lab import PATIENCE, SOON, run, wait_for
from town import Town, policy

PACE = 8000  # packets a second of each stream, far below what the veth pairs carry


def send(sockets, stop, sent):
    """A process of its own: numbered packets to each (socket, address), evenly paced."""
    number, began = 0, time.monotonic()
    while not stop.is_set():
        due = int((time.monotonic() - began) * PACE)
        while number < due and not stop.is_set():  # a slow machine is never done with what is due
            number += 1
            for s, to in sockets:
                try:
                    s.sendto(struct.pack("!Q", number), to)
                except OSError:
                    pass  # an ICMP refusal of an earlier one
        time.sleep(0.0005)
    sent.value = number


def receive(sockets, stop, got):
    """Another: which numbers arrived at each socket; the count goes into got[i]."""
    import select
    seen = [bytearray(PACE * 120 // 8) for _ in sockets]
    while not stop.is_set():
        for s in select.select(sockets, [], [], 0.05)[0]:
            try:
                while True:
                    number = struct.unpack("!Q", s.recv(64)[:8])[0]
                    i = sockets.index(s)
                    if not seen[i][number >> 3] >> (number & 7) & 1:
                        seen[i][number >> 3] |= 1 << (number & 7)
                        got[i] += 1
            except BlockingIOError:
                pass


class Streams:
    """Streams by udp, each (from host, address, port); counted at the far end's socket."""

    def __init__(self, lab, streams):
        self.clients, self.servers = [], []
        for src, dst, port in streams:
            family = socket.AF_INET6 if ":" in dst else socket.AF_INET
            server = lab.socket(lab.owner(dst), family, socket.SOCK_DGRAM, bind=(dst, port))
            server.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
            self.servers.append(server)
            self.clients.append((lab.socket(src, family, socket.SOCK_DGRAM), (dst, port)))
        self.sent, self.got = multiprocessing.Value("Q", 0), multiprocessing.Array("Q", len(streams))
        self.stop, self.end = multiprocessing.Event(), multiprocessing.Event()

    def __enter__(self):
        self.work = [multiprocessing.Process(target=receive, args=(self.servers, self.end, self.got)),
                     multiprocessing.Process(target=send, args=(self.clients, self.stop, self.sent))]
        for process in self.work:
            process.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.work[1].join(10)
        wait_for(lambda: all(g in (0, self.sent.value) for g in self.got), SOON)
        self.end.set()
        for process in self.work:
            process.join(5)
            if process.is_alive():
                process.kill()


def test_applies_under_traffic():
    with Town() as (lab, segd):
        with Streams(lab, [("a", "10.2.0.20", 5005), ("a", "2001:db8:2::20", 5006), ("a", "10.2.0.20", 6000),
                           ("d0", "10.2.0.20", 5007), ("a", "192.0.2.20", 53)]) as streams:
            wait_for(lambda: streams.got[0] > 100, 3)
            for turn in range(60):
                # Now an element or two, now a new structure: another zone's permits, ranges, a service of its own.
                extra = {0: {"X": f"from: b, to: a, service: [tcp/{1000 + turn}]"},
                         1: {"X": f"from: [inn, den], to: b, service: [tcp/{2000 + turn}-{2100 + turn}, icmp/8]"},
                         2: {"DD": None, "X": f"from: out, to: b, destination: [10.2.0.{21 + turn}], service: [tcp/25]"},
                         3: {}}[turn % 4]
                assert segd.apply(policy(**extra))["unchanged"] is False
        sent, got = streams.sent.value, list(streams.got)
        assert sent > 5000, sent
        assert got[:2] == [sent, sent], f"of {sent} permitted packets {[sent - g for g in got[:2]]} were lost"
        assert got[2:] == [0, 0, 0], f"leaked: {got[2:]}"
        assert segd.segctl("verify")["equal"] is True


def test_foreign_hands_and_kills_under_traffic():
    """Whatever a foreign root does to our rules while the daemon lives: not one forbidden packet."""
    with Town() as (lab, segd):
        owned = segd.segctl("status")["table"]["owner"]
        with Streams(lab, [("a", "10.2.0.20", 5005), ("a", "10.2.0.20", 6000), ("d0", "10.2.0.20", 5007)]) as streams:
            wait_for(lambda: streams.got[0] > 100, 3)
            for turn in range(30):
                command = ("flush ruleset", "delete table inet segd", "flush chain inet segd forward",
                           "insert rule inet segd forward accept", "flush set inet segd fast")[turn % 5]
                lab.exec("gw", "nft", *command.split(), check=False)
                time.sleep(0.03)
                if turn % 10 == 9:
                    segd.kill()
                    time.sleep(0.2)
                    segd.start()
        sent, got = streams.sent.value, list(streams.got)
        assert sent > 5000, sent
        if owned:
            assert got == [sent, 0, 0], f"of {sent}: {got}"
        assert wait_for(lambda: segd.segctl("verify", ok=(0, 1))["equal"], 3)


def test_a_flood_leaves_the_others_alone():
    """A SYN flood and a scan of all ports from one zone: permitted flows between others, and answers, go on."""
    with Town(settings="denied-window: 2s\n") as (lab, segd):
        stream = lab.stream("b", "192.0.2.20", "tcp/443")
        flood = multiprocessing.Process(target=scan, args=(lab,))
        flood.start()
        try:
            slowest = 0.0
            for _ in range(20):
                assert stream.both(), "a permitted flow stalls"
                assert lab.probe("a", "10.2.0.20", "tcp/443"), "a permitted connection does not open"
                began = time.monotonic()
                segd.segctl("status")
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.05)
        finally:
            flood.join(30 * PATIENCE)
        assert slowest < PATIENCE, f"segctl status took {slowest:.1f} s"
        lines = len(segd.alerts("denied"))
        assert lines < 60 * PATIENCE, f"{lines} lines of denied"
        total = sum(d["count"] for d in segd.segctl("denials")["denials"] if d["from"] == "den")
        assert total == 2 * 20000, total


def scan(lab):
    for number in range(20000):
        lab.frame("d0", "10.2.0.20", source="10.4.0.20", proto="tcp", sport=30000, dport=1 + number)
        lab.frame("d0", "10.2.0.20", source=f"10.4.0.{number % 200 + 21}", proto="tcp", sport=number + 1, dport=443)
