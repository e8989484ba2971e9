# SPDX-License-Identifier: GPL-2.0-or-later
"""A change is one moment: what both policies permit loses nothing in it, what neither does never passes.

Some seconds of it in `make check`; `make check-soak` makes 200 changes (SEG_SOAK: how many) under 24,000 packets
a second (SEG_PACE: of each stream).
"""
import os
import time

from blast import Blast
from lab import PATIENCE
from town import Town, policy

CHANGES = int(os.environ.get("SEG_SOAK", 24))
PACE = int(os.environ.get("SEG_PACE", 1000))  # packets a second of each of the twelve streams
ALWAYS = {"AB": "from: a, to: b, service: [udp/5000-5010]", "AO": "from: a, to: out, service: [udp/80]"}


def text(turn):
    """Three things change, each in its own rhythm: a permit, what a host means, a zone's networks."""
    more = {}
    if turn & 1:
        more["X"] = "from: a, to: b, service: [udp/6000]"
    listed = "[10.2.0.20, '2001:db8:2::20']" if turn & 2 else "[10.2.0.21]"
    more["H"] = "from: a, to: b, destination: [listed], service: [udp/7000]"
    zones = {}
    if turn & 4:  # another structure: everything is made anew beside the old
        zones["den"] = ("tier: lgwan, interfaces: [den0, den1], networks: [10.4.0.0/24, 10.4.1.0/24, 10.4.9.0/24,"
                        " '2001:db8:4::/64', '2001:db8:4:1::/64']")
        more["Y"] = f"from: [den, inn], to: b, service: [tcp/{1000 + turn}-{1200 + turn}, icmp/8]"
    return policy(zones, {"listed": f"address: {listed}"}, **ALWAYS, **more)


def test_changes_under_traffic():
    with Town(text(0)) as (lab, segd):
        with Blast(lab, PACE) as blast:
            always = [blast.udp("a", "10.2.0.20", 5005), *blast.both("a", "2001:db8:2::20", 5006),
                      blast.fresh("a", "10.2.0.20", 5008, "10.1.0.20"),
                      blast.udp("a", "192.0.2.20", 80)]
            never = [blast.udp("a", "10.2.0.20", 5999), blast.udp("d0", "2001:db8:2::20", 5007),
                     blast.fresh("d0", "10.2.0.20", 5009, "10.4.0.20"), blast.udp("out", "10.2.0.20", 5010),
                     blast.fresh("out", "2001:db8:2::20", 5008, "2001:db8:1::20")]
            permit, listed = blast.udp("a", "10.2.0.20", 6000), blast.udp("a", "2001:db8:2::20", 7000)
            blast.run()
            time.sleep(0.5)
            changes = [(0, time.monotonic(), time.monotonic())]
            for turn in range(1, CHANGES + 1):
                segd.policy.write_text(text(turn))
                before = time.monotonic()
                assert segd.segctl("apply")["unchanged"] is False
                changes.append((turn, before, time.monotonic()))
            time.sleep(0.3)
            end = time.monotonic()
        assert segd.segctl("verify")["equal"] is True
        assert not segd.alerts("violation"), segd.alerts("violation")[:3]
    sent = sum(len(blast.numbers(s)) for s in always + never + [permit, listed])
    print(f"     {CHANGES} changes, {sent} packets, {sent / (end - changes[0][1]):.0f} a second")
    for s in always:
        lost = blast.lost(s)
        assert len(blast.numbers(s)) > 1000 / PATIENCE, f"stream {s} sent {len(blast.numbers(s))}"
        assert not lost, f"stream {s} lost {len(lost)}: {lost[:5]}"
    for s in never:
        assert len(blast.numbers(s)) > 500 / PATIENCE, f"stream {s} sent {len(blast.numbers(s))}"
        assert not blast.came(s), f"stream {s} leaked {len(blast.came(s))}"
    for (turn, _, since), (_, until, _) in zip(changes, changes[1:] + [(0, end, end)]):
        for name, s, is_open in (("X", permit, turn & 1), ("H", listed, turn & 2)):
            if is_open:
                lost = blast.lost(s, since, until)
                assert not lost, f"{name} is open after change {turn} and lost {len(lost)}"
            else:
                assert not blast.came(s, since, until), f"{name} is closed after change {turn} and leaks"
