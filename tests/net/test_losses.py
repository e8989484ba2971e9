# SPDX-License-Identifier: GPL-2.0-or-later
"""Events are lost, and no violation with them: each is said once as it is found and once as it ends.

What got through is counted where it arrived, by the far end's sockets; not by segd."""
import re
import socket
import threading
import time

from blast import Blast
from lab import PATIENCE, SOON, receive, wait_for
from town import Town, policy

TINY = "receive-buffer: 1K\n"  # holds one event
FEW = ("a", "b", "out")
PACE = 1500  # new permitted flows a second, in each family


def load(blast):
    """New permitted flows without end."""
    blast.fresh("a", "10.2.0.20", 5005, "10.1.0.20")
    blast.fresh("a", "2001:db8:2::20", 5006, "2001:db8:1::20")


class Planted:
    """Flows from a to out that no permit explains, in both families, and which of them arrived there: {(src, sport)}."""

    def __init__(self, lab):
        self.lab, self.number, self.arrived = lab, 0, set()
        self.servers = [lab.socket("out", family, socket.SOCK_DGRAM, bind=(at, 4000)) for family, at in
                        ((socket.AF_INET, "192.0.2.20"), (socket.AF_INET6, "2001:db8:f::20"))]
        for server in self.servers:
            server.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE

    def plant(self, n, pause=0.0):
        for _ in range(n):
            v6 = self.number % 2
            src, dst = ("2001:db8:1::20", "2001:db8:f::20") if v6 else ("10.1.0.20", "192.0.2.20")
            s = self.lab.socket("a", socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM,
                                bind=(src, 20000 + self.number))
            s.sendto(b"x", (dst, 4000))
            self.lab.drop(s)
            self.number += 1
            time.sleep(pause)

    def got_through(self):
        for server in self.servers:
            while got := receive(server, 0.2):
                self.arrived.add(got[1][:2])
        return self.arrived


def said(segd, event):
    """Which flow each line of the event is about."""
    return [(re.search(r" src=(\S+)", line)[1], int(re.search(r" sport=(\d+)", line)[1])) for line in segd.alerts(event)]


def tracked(lab):
    """What conntrack(8) sees of the planted flows."""
    lines = [line for family in ("ipv4", "ipv6")
             for line in lab.exec("gw", "conntrack", "-L", "-f", family, check=False).stdout.splitlines()]
    found = (re.search(r" src=(\S+) dst=\S+ sport=(\d+) dport=(\d+) ", line) for line in lines)
    return {(m[1], int(m[2])) for m in found if m and m[3] == "4000"}


def each_once(segd, planted, seconds=15):
    wait_for(lambda: len(said(segd, "violation")) >= len(planted), seconds, 0.1)
    wait_for(lambda: len(said(segd, "violation-ended")) >= len(planted), seconds, 0.1)
    time.sleep(3)  # what would be said once more has had its chance: an unheard end takes two seconds
    for event in ("violation", "violation-ended"):
        lines = said(segd, event)
        assert set(lines) == planted, (event, len(planted), len(set(lines)), sorted(planted ^ set(lines))[:5])
        assert len(lines) == len(planted), f"{event}: {len(lines)} lines for {len(planted)} flows"
    assert segd.segctl("status")["violations"] == len(planted)
    assert sum(v["count"] for v in segd.segctl("violations")["violations"]) == len(planted)


def lost(segd):
    events = segd.segctl("status")["events"]
    assert events["lost"] > 20 and events["resyncs"] > 0, f"the harness: hardly an event was lost: {events}"
    lines = len(segd.alerts("events-lost"))
    assert 0 < lines < 10 * PATIENCE, f"{lines} lines about {events['lost']} losses"


def test_planted_while_the_rules_are_absent():
    """Flows begin before, while and until a start puts the rules back, under load that the buffer has no room for."""
    with Town(policy(), FEW, settings=TINY) as (lab, segd):
        planted = Planted(lab)
        segd.kill()
        lab.take_rules_away()
        with Blast(lab, PACE) as blast:
            load(blast)
            blast.run()
            planted.plant(200)
            assert wait_for(lambda: len(tracked(lab)) == 200, SOON), "the harness: what is planted stands"
            more = threading.Thread(target=planted.plant, args=(300, 0.005))
            more.start()
            time.sleep(0.3)
            segd.start()
            more.join()
            arrived = planted.got_through()
            assert 200 < len(arrived) < 500, "the harness: some came too late"
            each_once(segd, arrived)
            lost(segd)
        assert not tracked(lab), "cut"


def test_entries_of_others_under_loss():
    """conntrackd's, of a peer that had no rules; without a mark, and with a number that is in force here."""
    with Town(policy(), FEW, settings=TINY) as (lab, segd):
        assert lab.probe("a", "10.2.0.20", "tcp/443")
        number = next(line for line in lab.conntrack() if "dport=443 " in line).split("mark=")[1].split()[0]
        with Blast(lab, PACE) as blast:
            load(blast)
            blast.run()
            planted = set()
            for sport in range(40000, 40200):
                lab.exec("gw", "conntrack", "-I", "-s", "10.1.0.20", "-d", "192.0.2.20", "-p", "udp", "--sport",
                         str(sport), "--dport", "4000", "-t", "600", *(["-m", number] if sport % 2 else []))
                planted.add(("10.1.0.20", sport))
            each_once(segd, planted)
            lost(segd)
        assert not tracked(lab), "cut"


def test_observed_flows_are_told_once_too():
    """With --observe nothing is cut: dump after dump sees the same flows, until they end by themselves."""
    with Town(policy(), FEW, "--observe", settings=TINY) as (lab, segd):
        lab.sysctl("gw", "net.netfilter.nf_conntrack_udp_timeout=12")
        planted = Planted(lab)
        with Blast(lab, PACE) as blast:
            load(blast)
            blast.run()
            planted.plant(200)
            arrived = planted.got_through()
            assert len(arrived) == 200, "the harness: nothing is dropped"
            wait_for(lambda: len(said(segd, "violation")) >= 200, 15, 0.1)
            resyncs = segd.segctl("status")["events"]["resyncs"]
            assert wait_for(lambda: segd.segctl("status")["events"]["resyncs"] > resyncs + 1, 10, 0.1)
            assert sorted(said(segd, "violation")) == sorted(arrived)
            lost(segd)
        each_once(segd, arrived, 40)
