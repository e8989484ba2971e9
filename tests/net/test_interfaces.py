# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces that come late, change their name or match a pattern."""
from lab import NEVER, arrived, receive, wait_for
from town import Town, policy

FEW = ("a", "b")
SOME = policy(zones={"wild": "tier: separate, interfaces: ['wl*'], networks: [10.7.0.0/22]"},
              WO="from: wild, to: b, service: [tcp/443]")


def test_late_interface():
    with Town(policy(), FEW) as (lab, _):
        lab.host("late", "den0", ["10.4.0.1/24"], ["10.4.0.20/24"])
        lab.host("late2", "den1", ["10.4.1.1/24"], ["10.4.1.20/24"])
        # The policy knew the names before the interfaces were there; the gateway's new addresses are taken in.
        assert wait_for(lambda: lab.probe("late", "10.4.1.20", "tcp/22"), 3)
        assert not lab.probe("late", "10.4.1.20", "tcp/23", expect=False)
        assert not lab.probe("late", "10.2.0.20", "tcp/443", expect=False)


def test_pattern_and_rename():
    with Town(SOME, FEW) as (lab, segd):
        lab.host("w1", "wl7", ["10.7.0.1/24"], ["10.7.0.20/24"])
        assert wait_for(lambda: lab.probe("w1", "10.2.0.20", "tcp/443"), 3)
        stream = lab.stream("w1", "10.2.0.20", "tcp/443")
        assert stream.both()
        lab.ip("gw", "link set wl7 down", "link set wl7 name stray7", "link set stray7 up")
        assert not lab.probe("w1", "10.2.0.20", "tcp/443", expect=False), "no zone's any more"
        assert not stream.to(0.4), "an open flow keeps to its zone's interfaces"
        lab.ip("gw", "link set stray7 down", "link set stray7 name wlan-long-name", "link set wlan-long-name up")
        assert wait_for(lambda: lab.probe("w1", "10.2.0.20", "tcp/443"), 3), "the zone's again"


def test_gateway_address_that_comes_and_goes():
    with Town(policy(), FEW) as (lab, _):
        assert lab.probe("a", "10.1.0.1", "tcp/22")
        lab.ip("gw", "addr add 10.1.0.9/24 dev a0")
        lab._own("gw", ["10.1.0.9/24"])
        assert wait_for(lambda: lab.probe("a", "10.1.0.9", "tcp/22"), 3)
        assert not lab.probe("b", "10.1.0.9", "tcp/22", expect=False), "not on b's interface"


def test_an_address_that_moves_takes_no_flow_with_it():
    """As VRRP moves one: what was permitted with the gateway is not permitted with the host that has it now, nor the
    other way round, and a flow that is open proves nothing."""
    text = policy(BG="from: b, to: gateway, destination: [10.1.0.9], service: [udp/123]",
                  BA="from: b, to: a, destination: [10.1.0.30], service: [udp/5005]")
    with Town(text, FEW) as (lab, _):
        lab.ip("gw", "addr add 10.1.0.9/24 dev a0")
        lab.ip("a", "addr add 10.1.0.30/24 dev eth0")
        lab._own("gw", ["10.1.0.9/24"])
        lab._own("a", ["10.1.0.30/24"])
        with_gateway, through = lab.stream("b", "10.1.0.9", "udp/123"), lab.stream("b", "10.1.0.30", "udp/5005")
        assert with_gateway.both() and through.both()
        lab.drop(with_gateway.peer)  # an open socket of the gateway's would hold its packets back
        lab.ip("gw", "addr del 10.1.0.9/24 dev a0", "addr add 10.1.0.30/24 dev a0")
        lab.ip("a", "addr del 10.1.0.30/24 dev eth0", "addr add 10.1.0.9/24 dev eth0")
        wire, server = lab.wire("a"), lab.socket("gw", 2, 2, bind=("10.1.0.30", 5005))
        for number in range(3):
            token = b"moved %d" % number
            for stream in (with_gateway, through):
                try:
                    stream.client.send(token)
                except OSError:  # the refusal of the one before
                    stream.client.send(token)
            assert not arrived(wire, token, NEVER), "to the host that has the gateway's address now"
            assert not receive(server, NEVER), "to the gateway, which has the host's address now"
