# SPDX-License-Identifier: GPL-2.0-or-later
"""Interface and address must agree; whoever lies is dropped and named."""
import os
import socket

from lab import NEVER, SOON, arrived, receive
from town import Town


def passes(lab, wire, src, dst, seconds=NEVER, **frame):
    token = os.urandom(12)
    lab.frame(src, dst, payload=token, **frame)
    return arrived(wire, token, seconds)


def test_address_of_another_zone():
    with Town() as (lab, segd):
        wire = lab.wire("b")
        allowed = {"proto": "udp", "dport": 5005}
        assert passes(lab, wire, "a", "10.2.0.20", SOON, source="10.1.0.77", **allowed), "an honest frame"
        assert passes(lab, wire, "a", "2001:db8:2::20", SOON, source="2001:db8:1::77", **allowed)
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
        assert heard(server, SOON) == b"honest"
        lab.frame("d0", "10.1.0.1", source="10.1.0.20", dport=123, payload=b"liar")
        assert heard(server) is None
        # The gateway's own address as a source from outside.
        lab.frame("a", "10.1.0.1", source="10.1.0.1", dport=123, payload=b"mirror")
        assert heard(server) is None


def test_a_host_behind_an_unnamed_interface():
    """An interface that no zone names belongs to nobody: nothing enters by it."""
    with Town() as (lab, segd):
        lab.host("stray", "stray0", ["10.77.0.1/24"], ["10.77.0.20/24"])
        assert not lab.probe("stray", "192.0.2.20", "tcp/443", expect=False)
        assert not lab.probe("stray", "10.77.0.1", "tcp/22", expect=False)
        wire = lab.wire("out")
        assert not passes(lab, wire, "stray", "192.0.2.20", source="10.2.0.20", dport=443)


def udp():
    return socket.AF_INET, socket.SOCK_DGRAM


def heard(server, seconds=NEVER):
    got = receive(server, seconds)
    return got[0] if got else None
