# SPDX-License-Identifier: GPL-2.0-or-later
"""What a zone may hold of conntrack's table: permitted flows without end out of one zone stop at its limit, its open
flows and everybody else go on."""
import multiprocessing
import socket
import time

from blast import Blast
from lab import PATIENCE, network, transport, wait_for
from town import Town, ZONES, policy

LIMIT = 500
# What nobody answers ends soon, but not while a flood still runs, or the zone would be let go and held again and again.
MANY, UNANSWERED = int(20000 / PATIENCE), int(3 * PATIENCE)
QUICK = (f"net.netfilter.nf_conntrack_udp_timeout={UNANSWERED}",
         f"net.netfilter.nf_conntrack_tcp_timeout_syn_sent={UNANSWERED}")


def limited(zone, limit, **more):
    return policy(zones={zone: f"{ZONES[zone]}, limit: {{{limit}}}"}, **more)


def flood(lab, host, interface, source, dst, proto, sent):
    """Each packet a flow of its own, which nobody answers; sent: how many, how many of them by now."""
    wire = lab.socket(host, socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("eth0", 0))
    link = bytes.fromhex((lab.mac("gw", interface) + lab.mac(host)).replace(":", "")) + b"\x08\x00"
    number = {"tcp": 6, "udp": 17}[proto]
    for i in range(sent[0]):
        body = transport(source, dst, proto, 1024 + i % 60000, 2000 + i // 60000, "S", b"")
        wire.send(link + network(source, dst, number, len(body), 64) + body)
        sent[1] += 1


class Flood:
    """with Flood(...): it runs."""

    def __init__(self, lab, *words, many=MANY):
        self.sent = multiprocessing.Array("Q", [many, 0])
        self.process = multiprocessing.Process(target=flood, args=(lab, *words, self.sent))

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.process.join(60)
        if self.process.is_alive():
            self.process.kill()


def limit_of(segd, zone):
    return next(one for one in segd.segctl("status")["limits"] if one["zone"] == zone)


def admitted(segd, permit):
    return next(one for one in segd.segctl("permits")["permits"] if one["id"] == permit)["flows"]


def refused(segd, zone):
    return sum(d["count"] for d in segd.segctl("denials")["denials"] if d["from"] == zone)


def held_and_let_go(proto):
    text = limited("b", f"flows: {LIMIT}", AB="from: a, to: b, service: [tcp/443, udp/5000-5010]")
    with Town(text, settings="denied-window: 2s\n") as (lab, segd):
        lab.sysctl("gw", *QUICK)
        before = admitted(segd, "BO")
        with Blast(lab, 300) as blast:
            kept = [*blast.both("b", "192.0.2.20", 5005), *blast.tcp("b", "192.0.2.20", 443),
                    *blast.both("a", "10.2.0.20", 5005),
                    blast.fresh("a", "2001:db8:2::20", 5006, "2001:db8:1::20")]
            blast.run()
            with Flood(lab, "b", "b0", "10.2.0.21", "198.51.100.7", proto) as run:
                slowest, most = 0.0, 0
                while run.process.is_alive():
                    began = time.monotonic()
                    most = max(most, limit_of(segd, "b")["flows"])
                    slowest = max(slowest, time.monotonic() - began)
                    time.sleep(0.05)
            assert limit_of(segd, "b")["held"] is True
            explained = segd.segctl("explain", "10.2.0.21", "198.51.100.7", f"{proto}/2000")
            assert explained["held"] is True and explained["verdict"] == "permit", explained
            assert "limit" in explained["detail"], explained
            assert segd.segctl("verify")["equal"] is True
            assert not lab.probe("b", "192.0.2.20", "udp/53", expect=False), "a held zone begins a flow"
            assert lab.probe("a", "10.2.0.20", "tcp/443"), "another zone cannot begin one"
        for s in kept:
            assert not blast.lost(s), f"stream {s} lost {len(blast.lost(s))}"
        assert run.sent[1] == MANY
        sent = run.sent[1] + 2 + 1  # with the streams' own flows, and the probe's
        assert LIMIT <= most < run.sent[1] // 2, f"{most} flows of {LIMIT}"
        assert slowest < 10, f"segctl status took {slowest:.2f} s"

        def total():
            return admitted(segd, "BO") - before + refused(segd, "b")
        assert wait_for(lambda: total() == sent, 4, 0.2), f"{total()} of {sent} are counted"
        print(f"     {proto}: {most} flows of {LIMIT}, {refused(segd, 'b')} refused, {total()} counted,"
              f" status within {slowest * 1000:.0f} ms")
        assert segd.alert("denied", from_="b", reason="limit"), segd.lines()[-3:]
        assert wait_for(lambda: not limit_of(segd, "b")["held"], 30, 0.2), limit_of(segd, "b")
        assert lab.probe("b", "192.0.2.20", "udp/53"), "it does not begin again"
        assert segd.alert("conntrack-pressure", 20, from_="b", action="released"), segd.lines()[-3:]
        lines = segd.alerts("conntrack-pressure")
        assert len(lines) == 2, lines
        assert len(segd.alerts("denied")) < 30, len(segd.alerts("denied"))


def test_a_flood_of_permitted_udp():
    held_and_let_go("udp")


def test_a_flood_of_syns_that_nobody_answers():
    held_and_let_go("tcp")


def test_held_over_an_apply_and_a_crash():
    """What is held stays held, and what is open goes on, also where another permit takes it over."""
    with Town(limited("b", f"flows: {LIMIT}")) as (lab, segd):
        with Blast(lab, 300) as blast:
            kept = [*blast.both("b", "192.0.2.20", 5005), *blast.tcp("b", "192.0.2.20", 443)]
            blast.run()
            with Flood(lab, "b", "b0", "10.2.0.21", "198.51.100.7", "udp", many=2000):
                pass
            assert wait_for(lambda: limit_of(segd, "b")["held"], 5)
            # BO goes and another permit covers what it had begun: a number of its own, and held.
            segd.apply(limited("b", f"flows: {LIMIT}", BO=None, BX="from: b, to: out, service: [tcp/1-65535, udp/1-65535]"))
            assert not lab.probe("b", "192.0.2.20", "udp/53", expect=False)
            segd.kill()
            assert not lab.probe("b", "192.0.2.20", "udp/53", expect=False), "the kernel forgot who is held"
            segd.start()
            assert not lab.probe("b", "192.0.2.20", "udp/53", expect=False)
            assert limit_of(segd, "b")["flows"] >= LIMIT, limit_of(segd, "b")
            assert segd.segctl("verify")["equal"] is True
        for s in kept:
            assert not blast.lost(s), f"stream {s} lost {len(blast.lost(s))}"


def test_flows_inside_a_zone():
    """They send no events, and fill the table all the same."""
    with Town(limited("inn", f"flows: {LIMIT}")) as (lab, segd):
        stream = lab.stream("i0", "10.3.1.20", "tcp/443")
        with Flood(lab, "i0", "inn0", "10.3.0.20", "10.3.1.20", "udp", many=3000):
            pass
        assert wait_for(lambda: limit_of(segd, "inn")["held"], 10), limit_of(segd, "inn")
        assert limit_of(segd, "inn")["flows"] >= LIMIT, limit_of(segd, "inn")
        assert not lab.probe("i0", "10.3.1.20", "udp/53", expect=False), "a held zone begins a flow"
        assert stream.both(), "an open flow of it stalls"
        assert lab.probe("a", "10.2.0.20", "tcp/443"), "another zone cannot begin one"


def test_new_flows_a_second():
    """The kernel keeps to the rate by itself, for that zone alone; the first second's worth may come at once."""
    rate = 50
    with Town(limited("b", f"new: {rate}/s"), settings="denied-window: 2s\n") as (lab, segd):
        stream = lab.stream("b", "192.0.2.20", "tcp/443")
        before = admitted(segd, "BO")
        began = time.monotonic()
        with Flood(lab, "b", "b0", "10.2.0.21", "198.51.100.7", "udp", many=3000):
            pass
        took = time.monotonic() - began
        begun = admitted(segd, "BO") - before
        assert rate - 1 <= begun <= rate * (took + 2) + 1, f"{begun} begun in {took:.1f} s"
        assert wait_for(lambda: begun + refused(segd, "b") == 3000, 3, 0.2), f"{begun} and {refused(segd, 'b')}"
        assert segd.alert("denied", from_="b", reason="limit"), segd.lines()[-3:]
        assert segd.segctl("verify")["equal"] is True
        segd.kill()
        with Flood(lab, "b", "b0", "10.2.0.21", "198.51.100.8", "udp", many=2000):
            assert stream.both(), "an open flow stalls"
            assert lab.probe("a", "10.2.0.20", "tcp/443"), "another zone cannot begin a flow"
        held = sum("dst=198.51.100.8" in line for line in lab.conntrack())
        assert 0 < held < 1000, f"{held} of 2000 begun while the daemon is dead"
        time.sleep(1.1)
        assert lab.probe("b", "192.0.2.20", "udp/53"), "at its rate it may begin"
