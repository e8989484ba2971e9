# SPDX-License-Identifier: GPL-2.0-or-later
"""What was refused, and what passed, is counted exactly and said in few lines."""
import contextlib
import json
import re
import socket
import time

from blast import Blast
from lab import wait_for
from town import Town, policy


def denial(segd, **wanted):
    for d in segd.segctl("denials")["denials"]:
        if all(d.get(k.rstrip("_")) == v for k, v in wanted.items()):
            return d
    return None


def test_denied_totals_are_exact():
    with Town() as (lab, segd):
        for number in range(500):
            lab.frame("a", "192.0.2.20", source="10.1.0.20", dport=53, payload=b"%d" % number)
        assert wait_for(lambda: (d := denial(segd, src="10.1.0.20", dst="192.0.2.20")) and d["count"] == 500, 3), \
            segd.segctl("denials")
        assert len(segd.alerts("denied", src="10.1.0.20")) == 1, "one line a window"


def test_totals_outgrow_no_table():
    """More destinations than the kernel has counters for: the rest is exact by zones; and where there was no memory at
    hand for a counter, as it happens when much else needs some, by the zone it came from."""
    many = 70000
    with Town() as (lab, segd), lab.socket("a", socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(many):
            while True:
                try:
                    sender.sendto(b"x", (f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}", 53))
                    break
                except BlockingIOError:
                    time.sleep(0.001)
        def refused(**of):
            return sum(d["count"] for d in segd.segctl("denials")["denials"]
                       if d["from"] == "a" and d["to"] in ("out", None) and of.items() <= d.items())
        assert wait_for(lambda: refused() == many, 10, 0.5), refused()
        assert refused(src=None) >= many - 65536, "beyond what the table holds"
        assert segd.segctl("status")["denied"] == many


def test_what_no_element_is_made_for_is_counted():
    """segd's rules with tables that hold one element each: what a packet cannot make one for is counted where it came
    from, which needs none to be made. Nobody can order a lack of memory; a full table takes the same way."""
    with Town() as (lab, segd):
        lab.host("stray", "stray0", ["10.77.0.1/24"], ["10.77.0.20/24"])
        text = re.sub(r"^\tflags owner.*$", "", lab.ruleset(what="table inet segd"), count=1, flags=re.M)
        assert text.count("size 65536") >= 8, text
        segd.kill()
        lab.take_rules_away()
        lab.nft("gw", text.replace("size 65536", "size 1"))

        def refuse(times, host, to, source):
            for _ in range(times):
                lab.frame(host, to, source=source, dport=53)

        def counts(name):
            listed = json.loads(lab.exec("gw", "nft", "-j", "list", "set", "inet", "segd", name).stdout)["nftables"]
            elements = [e["elem"] for e in next(row["set"] for row in listed if "set" in row)["elem"]]
            return {e["val"]: e["counter"]["packets"] for e in elements if e["counter"]["packets"]}

        refuse(1, "a", "192.0.2.20", "10.1.0.20")  # fills the table of pairs,
        refuse(1, "a", "192.0.2.21", "10.1.0.20")  # and that of ways
        refuse(3, "a", "10.3.0.20", "10.1.0.20")
        refuse(4, "b", "10.3.0.20", "10.2.0.20")
        with lab.socket("gw", socket.AF_INET, socket.SOCK_DGRAM) as own:
            for _ in range(5):
                with contextlib.suppress(PermissionError):
                    own.sendto(b"x", ("192.0.2.20", 53))
        refuse(1, "a", "192.0.2.20", "10.3.0.20")  # the same with sources of others
        refuse(1, "a", "192.0.2.21", "10.3.0.20")
        refuse(6, "b", "192.0.2.20", "10.3.0.20")
        refuse(7, "stray", "192.0.2.20", "10.77.0.20")
        refuse(1, "a", "2001:db8:f::20", "2001:db8:3::20")
        refuse(2, "b", "2001:db8:f::20", "2001:db8:3::20")
        refuse(8, "stray", "2001:db8:f::20", "2001:db8:77::20")
        want = {"outgrown-at": {"a0": 3, "b0": 4}, "outgrown-rest": {"ipv4": 5}, "outgrown-spoofed-at": {"b0": 8},
                "outgrown-spoofed-rest": {"ipv4": 7, "ipv6": 8}}
        wait_for(lambda: all(counts(name) == want[name] for name in want), 3)
        assert {name: counts(name) for name in want} == want


def test_a_scan_is_one_line():
    with Town() as (lab, segd):
        for port in range(1, 1001):
            lab.frame("a", "192.0.2.20", source="10.1.0.20", proto="tcp", dport=port)
        assert segd.alert("denied", src="10.1.0.20")
        assert len(segd.alerts("denied", src="10.1.0.20")) <= 12, segd.alerts("denied")[:15]


def test_flows_and_permits_count():
    with Town() as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        for _ in range(10):
            assert stream.both()
        flows = [f for f in segd.segctl("flows")["flows"] if f["dport"] == 443]
        assert len(flows) == 1 and flows[0]["permit"] == "AB" and flows[0]["src"] == "10.1.0.20", flows
        ab = next(p for p in segd.segctl("permits")["permits"] if p["id"] == "AB")
        assert ab["flows"] == 1 and ab["packets"] >= 12 and ab["reply-packets"] >= 11, ab
        assert ab["first"] and ab["last"], ab
        segd.stop()
        segd.start()
        again = next(p for p in segd.segctl("permits")["permits"] if p["id"] == "AB")
        assert again["packets"] >= ab["packets"] and again["first"] == ab["first"], "kept across a restart"


def test_a_changed_permit_keeps_what_it_counted():
    """Its elements leave the kernel with the change, and nobody has read their counters since."""
    wider = "from: a, to: b, service: [tcp/443, tcp/444, udp/5000-5010, icmp/8, icmpv6/128, proto/112]"
    with Town() as (lab, segd):
        def count():
            ab = next(p for p in segd.segctl("permits")["permits"] if p["id"] == "AB")
            return ab["flows"], ab["packets"]
        for number in range(25):
            lab.frame("a", "10.2.0.20", source="10.1.0.20", sport=4000, dport=5005, payload=b"%d" % number)
        assert wait_for(lambda: count() == (1, 25), 3), count()
        for number in range(30):
            lab.frame("a", "10.2.0.20", source="10.1.0.20", sport=4000, dport=5005, payload=b"%d" % number)
        time.sleep(0.3)
        segd.apply(policy(AB=wider))
        assert count() == (1, 55), count()


def test_no_packet_is_lost_between_reading_and_commit():
    """Under traffic, permits come in each other's place, and one only gets another end: each packet that arrived is
    counted once, by one of them. One that another processor is just counting while the kernel tells what leaves is
    in no answer: one in a few thousand changes. Between reading and commit there would be some at each."""
    ends = "from: a, to: b, service: [{}], valid: {{from: 2025-01-01, until: {}}}"
    open_by = [("AB", "udp/5000-5010", "2090-12-31"), ("AB", "udp/5000-5010", "2091-12-31"),
               ("A2", "udp/5000-5010", "2091-12-31"), ("AB", "udp/5000-5011", "2090-12-31")]
    def turned(number):
        permit, service, until = open_by[number % len(open_by)]
        return policy(**{"AB": ends.format("tcp/9", "2090-12-31"), "A2": ends.format("tcp/9", "2090-12-31"),
                         permit: ends.format(service, until)})
    with Town(turned(0), hosts=("a", "b")) as (lab, segd):
        with Blast(lab, pace=3000) as blast:
            out, back = blast.both("a", "10.2.0.20", 5005)
            blast.run()
            for turn in range(1, 25):
                time.sleep(0.1)
                segd.apply(turned(turn))
        assert len(blast.sent[out]) > 1000 and len(blast.sent[back]) > 1000
        assert [len(blast.got[i]) for i in (out, back)] == [len(blast.sent[i]) for i in (out, back)]
        used = [p for p in segd.segctl("permits")["permits"] if p["id"] in ("AB", "A2")]
        counted = [sum(p[key] for p in used) for key in ("packets", "reply-packets")]
        arrived = [len(blast.got[out]) + 1, len(blast.got[back])]  # 1: what opened the flow
        assert all(0 <= a - c <= 2 for a, c in zip(arrived, counted)), (arrived, counted, used)


def test_a_crash_behind_a_change_loses_no_count():
    """What went with the change stands in the state directory, and what did not is not counted twice."""
    with Town(hosts=("a", "b")) as (lab, segd):
        def count():
            ab = next(p for p in segd.segctl("permits")["permits"] if p["id"] == "AB")
            return ab["flows"], ab["packets"]
        sent = 0
        for turn in range(4):
            for number in range(10 + turn):
                lab.frame("a", "10.2.0.20", source="10.1.0.20", sport=4000 + number % 2, dport=5005)
            sent += 10 + turn
            time.sleep(0.1)
            if turn % 2 == 0:  # its number, or only another permit's
                segd.apply(policy(AB=f"from: a, to: b, service: [udp/5000-{5010 + turn}]"))
            else:
                segd.apply(policy(AB=f"from: a, to: b, service: [udp/5000-{5009 + turn}]", NO="from: b, to: a, service: [tcp/9]"))
            segd.kill()
            segd.start()
            assert wait_for(lambda: count() == (2, sent), 3), (turn, count(), sent)


def test_counters_end_while_nobody_looks():
    """What packets have made goes an hour after the last of them; here it is taken away, while the daemon is down."""
    with Town(hosts=("a", "b")) as (lab, segd):
        def count():
            ab = next(p for p in segd.segctl("permits")["permits"] if p["id"] == "AB")
            return ab["flows"], ab["packets"], ab["reply-packets"]
        stream = lab.stream("a", "10.2.0.20", "udp/5005")
        assert all(stream.both() for _ in range(20))
        assert count() == (1, 21, 21)
        for stop in (segd.stop, segd.kill):
            counted = count()
            if stop == segd.kill:
                segd.apply(policy(NO="from: b, to: a, service: [tcp/9]"))  # at the latest now they are kept
            stop()
            for name in ("slow", "admitted"):
                lab.exec("gw", "nft", "flush", "set", "inet", "segd", name)
            assert stream.both()
            segd.start()
            assert count() == (1, counted[1] + 1, counted[2] + 1), (count(), counted)


def test_control_survives_nonsense():
    with Town() as (lab, segd):
        import socket
        for words in (b"\0", b"{" * 5000 + b"\0", b'{"method":"no.such"}\0', b'{"method":7}\0', bytes(range(256))):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(1)
            s.connect(str(segd.control))
            s.send(words)
            try:
                s.recv(4096)
            except OSError:
                pass
            s.close()
        assert segd.segctl("status")["state"] == "enforcing"
