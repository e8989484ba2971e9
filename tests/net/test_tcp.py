# SPDX-License-Identifier: GPL-2.0-or-later
"""New TCP connections begin with a SYN; stray segments open nothing, also with tcp_loose=1."""
import os

from lab import NEVER, arrived
from town import Town, policy


def test_stray_segments_open_nothing():
    with Town() as (lab, segd):
        for loose in ("1", "0"):
            lab.sysctl("gw", f"net.netfilter.nf_conntrack_tcp_loose={loose}")
            for flags in ("A", "SA", "PA", "FA", "R", "F", ""):
                wire, token = lab.wire("b"), os.urandom(12)
                lab.frame("a", "10.2.0.20", source="10.1.0.20", proto="tcp", dport=443, sport=41000, flags=flags,
                          payload=token)
                assert not arrived(wire, token, NEVER), f"flags {flags or 'none'} pass, tcp_loose={loose}"
                lab.drop(wire)
        assert lab.probe("a", "10.2.0.20", "tcp/443")


def test_peer_cannot_turn_the_flow_round():
    """kernel.md, flows 2: after its entry is gone, the server's next segment must not revive a flow."""
    with Town(policy(BA="from: b, to: a, service: [tcp/1024-65535]")) as (lab, segd):
        lab.sysctl("gw", "net.netfilter.nf_conntrack_tcp_loose=1")
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        assert stream.both()
        segd.apply(policy(BA="from: b, to: a, service: [tcp/1024-65535]", AB=None))
        assert stream.dead()
        lab.exec("gw", "conntrack", "-F")
        assert stream.dead(), "revived through the reverse permit"
