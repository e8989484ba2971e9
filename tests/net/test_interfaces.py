# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces that come late, change their name or match a pattern."""
from lab import wait_for
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
