# SPDX-License-Identifier: GPL-2.0-or-later
"""Interface and address must agree; whoever lies is dropped and named."""
import os

from lab import NEVER, arrived
from town import Town, policy


def passes(lab, wire, src, dst, **frame):
    token = os.urandom(12)
    lab.frame(src, dst, payload=token, **frame)
    return arrived(wire, token, NEVER)


def test_address_of_another_zone():
    with Town() as (lab, segd):
        wire = lab.wire("b")
        allowed = {"proto": "udp", "dport": 5005}
        assert passes(lab, wire, "a", "10.2.0.20", source="10.1.0.77", **allowed), "an honest frame"
        assert passes(lab, wire, "a", "2001:db8:2::20", source="2001:db8:1::77", **allowed)
        for liar, source, dst in (("den", "10.1.0.20", "10.2.0.20"), ("out", "10.1.0.20", "10.2.0.20"),
                                  ("out", "2001:db8:1::20", "2001:db8:2::20"), ("a", "10.3.0.20", "10.2.0.20"),
                                  ("a", "192.0.2.9", "10.2.0.20"), ("a", "10.1.1.20", "10.2.0.20")):
            host = {"den": "d0"}.get(liar, liar)
            assert not passes(lab, wire, host, dst, source=source, **allowed), f"{liar} as {source}"
            assert segd.alert("spoofed", src=source), f"{liar} as {source}: no alert; {segd.lines()[-5:]}"


def test_to_the_gateway_itself():
    with Town() as (lab, segd):
        server = lab.socket("gw", *udp(), bind=("10.1.0.1", 123))
        lab.frame("a", "10.1.0.1", source="10.1.0.20", dport=123, payload=b"honest")
        assert heard(server) == b"honest"
        lab.frame("d0", "10.1.0.1", source="10.1.0.20", dport=123, payload=b"liar")
        assert heard(server) is None
        # The gateway's own address as a source from outside.
        lab.frame("a", "10.1.0.1", source="10.1.0.1", dport=123, payload=b"mirror")
        assert heard(server) is None


def test_a_host_behind_an_unnamed_interface():
    """An interface that no zone names belongs to nobody: nothing enters or leaves by it."""
    with Town() as (lab, segd):
        lab.host("stray", "stray0", ["10.77.0.1/24"], ["10.77.0.20/24"])
        assert not lab.probe("stray", "192.0.2.20", "tcp/443", expect=False)
        assert not lab.probe("stray", "10.77.0.1", "tcp/22", expect=False)
        assert not lab.probe("b", "10.77.0.20", "tcp/443", expect=False), "out of a nameless interface"
        wire = lab.wire("out")
        assert not passes(lab, wire, "stray", "192.0.2.20", source="10.2.0.20", dport=443)


def test_destination_must_leave_by_its_zone():
    """A route that leads an address out of another zone's interface is no way round."""
    with Town(policy(AO="from: a, to: out, service: [udp/5005]")) as (lab, _):
        wire = lab.wire("d0")
        lab.ip("gw", "route add 203.0.113.0/24 via 10.4.0.20 dev den0")
        assert not passes(lab, wire, "a", "203.0.113.5", source="10.1.0.20", dport=5005)


def udp():
    import socket
    return socket.AF_INET, socket.SOCK_DGRAM


def heard(server):
    from lab import receive
    got = receive(server, NEVER)
    return got[0] if got else None
