# SPDX-License-Identifier: GPL-2.0-or-later
"""Floods out of one zone: the others do not notice, the daemon answers, its memory is bounded, its sums are exact."""
import multiprocessing
import pathlib
import select
import socket
import time

from blast import Blast
from lab import PATIENCE, SOON, network, transport, wait_for
from town import Town, ZONES, policy
from varlink import Client, Refused

PORTS = 65535


def rss(segd):
    """Of the daemon, KiB: ip netns exec becomes the program itself."""
    for line in pathlib.Path(f"/proc/{segd.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no daemon")


def scan(lab, sent):
    """Every port of one host from one address, then SYNs from as many addresses as the zone has."""
    wire = lab.socket("d0", socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("eth0", 0))
    link = bytes.fromhex((lab.mac("gw", "den0") + lab.mac("d0")).replace(":", "")) + b"\x08\x00"
    for port in range(1, PORTS + 1):
        body = transport("10.4.0.20", "10.2.0.20", "tcp", 30000, port, "S", b"")
        wire.send(link + network("10.4.0.20", "10.2.0.20", 6, len(body), 64) + body)
        sent[0] += 1
    for number in range(30000):
        source = f"10.4.0.{21 + number % 200}"
        body = transport(source, "10.2.0.20", "tcp", 1024 + number, 443, "S", b"")
        wire.send(link + network(source, "10.2.0.20", 6, len(body), 64) + body)
        sent[1] += 1


def test_a_scan_and_a_syn_flood():
    text = policy(AB="from: a, to: b, service: [tcp/443, udp/5000-5010]")
    with Town(text, settings="denied-window: 2s\n") as (lab, segd):
        before = rss(segd)
        sent = multiprocessing.Array("Q", 2)
        with Blast(lab, 300) as blast:
            kept = [*blast.both("a", "10.2.0.20", 5005), *blast.tcp("b", "192.0.2.20", 443),
                    blast.fresh("a", "2001:db8:2::20", 5006, "2001:db8:1::20")]
            blast.run()
            flood = multiprocessing.Process(target=scan, args=(lab, sent))
            flood.start()
            slowest = 0.0
            while flood.is_alive():
                began = time.monotonic()
                segd.segctl("status")
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.1)
            flood.join()
        for s in kept:
            assert not blast.lost(s), f"stream {s} lost {len(blast.lost(s))}"
        assert list(sent) == [PORTS, 30000]
        assert slowest < 2 * PATIENCE, f"segctl status took {slowest:.2f} s"

        def total():
            return sum(d["count"] for d in segd.segctl("denials")["denials"] if d["from"] == "den")
        assert wait_for(lambda: total() == sum(sent), 4, 0.2), f"{total()} of {sum(sent)} refused packets are counted"
        exact = sum(d["count"] for d in segd.segctl("denials")["denials"] if d["src"] == "10.4.0.20")
        assert exact == PORTS, exact
        assert segd.segctl("status")["denied"] == sum(sent)
        lines = segd.alerts("denied")
        assert len(lines) < 100, f"{len(lines)} lines"
        grown = rss(segd) - before
        assert grown < 8192, f"the daemon has grown by {grown} KiB"
        print(f"     {sum(sent)} refused, {len(lines)} lines, status within {slowest * 1000:.0f} ms, {grown:+d} KiB")


def sources(lab, many):
    """Refused packets from so many addresses of one network: a single host has as many as it likes."""
    wire = lab.socket("d0", socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("eth0", 0))
    link = bytes.fromhex((lab.mac("gw", "den0") + lab.mac("d0")).replace(":", "")) + b"\x86\xdd"
    for number in range(many):
        source = f"2001:db8:4::1:{number >> 8:x}:{number & 255:x}"
        body = transport(source, "2001:db8:2::20", "udp", 30000, 53, "", b"")
        wire.send(link + network(source, "2001:db8:2::20", 17, len(body), 64) + body)


def test_a_flood_of_sources_hides_nobody():
    """The kernel remembers 65,536 sources to limit what it tells of each; those who filled that table do not silence
    who comes another way. All within one window, however long it takes."""
    with Town(settings="denied-window: 10m\n") as (lab, segd):
        flood = multiprocessing.Process(target=sources, args=(lab, 66000))
        flood.start()
        flood.join()
        lab.frame("a", "2001:db8:2::20", source="2001:db8:1::20", dport=4444)
        assert segd.alert("denied", SOON, src="2001:db8:1::20", dport=4444), segd.lines()[-5:]
        lines = segd.alerts("denied")
        assert len(lines) < 300, f"{len(lines)} lines"
        rest = [line for line in segd.alerts("denied", from_="den", to="b") if "src" not in line]
        assert len(rest) == 1 and "dst" not in rest[0], rest


def fill(lab, sent):
    """Permitted flows of its own, a tenth of what conntrack's table holds."""
    wire = lab.socket("b", socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("eth0", 0))
    link = bytes.fromhex((lab.mac("gw", "b0") + lab.mac("b")).replace(":", "")) + b"\x08\x00"
    while sent[0] < sent[1]:
        number = sent[0]
        dst = f"198.51.{100 + number // 50000}.{number % 199 + 1}"
        body = transport("10.2.0.20", dst, "udp", 1024 + number % 60000, 1024 + number // 199 % 60000, "", b"")
        wire.send(link + network("10.2.0.20", dst, 17, len(body), 64) + body)
        sent[0] += 1


def test_a_share_of_the_table():
    """conntrack is every zone's: one may have its share of it, and the others begin what they like."""
    zones = {"b": ZONES["b"] + ", limit: {flows: 5%}"}
    with Town(policy(zones, AB="from: a, to: b, service: [udp/5000-5010]")) as (lab, segd):
        lab.sysctl("gw", "net.netfilter.nf_conntrack_udp_timeout=600")  # nothing of it ends meanwhile
        most = segd.segctl("status")["conntrack"]["max"]
        sent = multiprocessing.Array("Q", [0, most // 10])
        before = rss(segd)
        with Blast(lab, 300) as blast:
            kept = [*blast.both("a", "10.2.0.20", 5005), *blast.tcp("b", "192.0.2.20", 443),
                    blast.fresh("a", "2001:db8:2::20", 5006, "2001:db8:1::20")]
            blast.run()
            flood = multiprocessing.Process(target=fill, args=(lab, sent))
            flood.start()
            slowest = 0.0
            while flood.is_alive():
                began = time.monotonic()
                segd.segctl("status")
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.2)
            flood.join()
            held = next(one for one in segd.segctl("status")["limits"] if one["zone"] == "b")
        for s in kept:
            assert not blast.lost(s), f"stream {s} lost {len(blast.lost(s))}"
        assert held["held"] is True and most * 0.05 <= held["flows"] < most * 0.08, (held, most)
        assert segd.alert("conntrack-pressure", from_="b", action="held"), segd.lines()[-3:]
        assert slowest < 10, f"segctl status took {slowest:.2f} s"
        print(f"     {held['flows']} of {most} entries, status within {slowest * 1000:.0f} ms,"
              f" {rss(segd) - before:+d} KiB")


def fill_refused(lab, many):
    """So many pairs in the kernel's table of refused packets."""
    with lab.socket("a", socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(many):
            while True:
                try:
                    sender.sendto(b"x", (f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}", 53))
                    break
                except BlockingIOError:
                    time.sleep(0.001)


def beside(segd, method, calls):
    """Asks one client's question, then those of another; and whether all of these were answered first."""
    with Client(segd.control, 60) as slow, Client(segd.control, 60) as quick:
        slow.send("org.segd." + method)
        longest = 0
        for _ in range(calls):
            began = time.monotonic()
            quick.call("org.segd.Violations")
            longest = max(longest, time.monotonic() - began)
        first = not select.select([slow.socket], [], [], 0)[0]
        began = time.monotonic()
        answer = slow.receive()
    return first, longest, time.monotonic() - began, answer


def denials_in_pieces(segd, many):
    """One who does not read on has others answered, and all of his own when he does."""
    with Client(segd.control, 60) as slow, Client(segd.control, 60) as quick:
        slow.send("org.segd.Denials", more=True)
        reply = slow.reply()
        assert reply["continues"] and len(reply["parameters"]["denials"]) == 256, len(reply["parameters"]["denials"])
        for _ in range(10):
            quick.call("org.segd.Violations")
        try:
            assert not quick.call("org.segd.Denials"), "more at once than a client can want"
        except Refused as refused:
            assert refused.parameters["code"] == "too-many", refused
        pieces = [reply["parameters"]["denials"]]
        while reply.get("continues"):
            reply = slow.reply()
            pieces.append(reply["parameters"]["denials"])
    lines = [line for piece in pieces for line in piece]
    assert sum(line["count"] for line in lines) == many, sum(line["count"] for line in lines)
    assert max(len(piece) for piece in pieces) == 256 and len(pieces) == len(lines) // 256 + 1, len(pieces)
    assert len({(line["src"], line["dst"], line["proto"]) for line in lines}) == len(lines)


def test_full_tables_hold_nobody_up():
    """65,536 refused pairs take the kernel a second to show, and the daemon seconds to tell: others are answered
    meanwhile. A daemon that reads or tells them at one stroke answers nobody before, however often it is tried."""
    many = 65536
    with Town() as (lab, segd):
        fill_refused(lab, many)
        assert wait_for(lambda: segd.segctl("status")["denied"] == many, 10, 0.5), segd.segctl("status")["denied"]
        tries = [beside(segd, "Status", 10) for _ in range(10)]
        assert all(t[3]["denied"] == many for t in tries), [t[3]["denied"] for t in tries]
        assert any(t[0] for t in tries), "nobody was answered while status was made"
        denials_in_pieces(segd, many)
        assert sum(d["count"] for d in segd.segctl("denials")["denials"]) == many
        print(f"     status of {many} pairs: {sum(t[0] for t in tries)} of {len(tries)} times 10 others were answered"
              f" first; they took up to {max(t[1] for t in tries) * 1000:.0f} ms, status"
              f" {max(t[2] for t in tries) * 1000:.0f} ms")
