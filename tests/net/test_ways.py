# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways round the rules that are none of nf_tables': on the interfaces themselves, and on what lies below them."""
import contextlib
import os
import time

import bpf
from lab import PATIENCE, SOON, Segd, arrived, wait_for
from town import Town, build, policy

FEW = ("a", "b", "out")
WHILE = 3  # seconds within which it is told of, without anybody's asking


def leaks(lab, at="out", dst="192.0.2.20"):
    """Does a packet of a's that nobody permits come there?"""
    wire, token = lab.wire(at), os.urandom(12)
    lab.frame("a", dst, source="10.1.0.20", payload=token)
    seen = arrived(wire, token, SOON)
    lab.drop(wire)
    return seen


def named(lab, segd, *words):
    """It is told of, once, and stands in status and verify."""
    told = wait_for(lambda: [line for line in segd.alerts("bypass") if all(word in line for word in words)], WHILE)
    assert told, f"no alert with {words}: {segd.alerts('bypass')}"
    status = segd.segctl("status")["bypass"]
    assert any(all(word in one for word in words) for one in status), status
    found = segd.segctl("verify", ok=(0, 1))["findings"]
    assert segd.status == 1 and any(f["kind"] == "bypass" for f in found), found
    assert len(told) == 1, told


def gone(segd):
    assert wait_for(lambda: not segd.segctl("status")["bypass"], SOON), segd.segctl("status")["bypass"]
    segd.segctl("verify")


@contextlib.contextmanager
def program(lab, interface, hook, to="out0"):
    """False within where this kernel has no such programs."""
    try:
        way = bpf.attached(lab, interface, hook, to)
        way.__enter__()
    except OSError as problem:
        print(f"     no program on {interface}: {problem}")
        yield False
        return
    try:
        yield True
    finally:
        way.__exit__(None, None, None)


def test_a_tcx_program_is_named():
    """tc's hooks without a qdisc, and without a word of netlink."""
    with Town(policy(), FEW) as (lab, segd):
        for hook, side in ((bpf.TCX_INGRESS, "ingress"), (bpf.TCX_EGRESS, "egress")):
            with program(lab, "a0", hook) as stands:
                if not stands:
                    return
                if side == "ingress":
                    assert leaks(lab)
                named(lab, segd, "tcx", side, "a0")
            gone(segd)
        assert len(segd.alerts("bypass")) == 2, segd.alerts("bypass")


def stacked(kind):
    """A zone's interface that itself stands on a0; None where this kernel has no such devices."""
    lab = build(FEW)
    try:
        lab.ip("gw", "addr flush dev a0", *{
            "bridge": ("link add up0 type bridge", "link set a0 master up0"),
            "vlan": ("link add link a0 name up0 type vlan id 140",),
            "macvlan": ("link add link a0 name up0 type macvlan mode passthru",),
            "macvlan of a bridge": ("link add up1 type bridge", "link set a0 master up1", "link set up1 up",
                                    "link add link up1 name up0 type macvlan mode bridge"),
        }[kind], "link set up0 up", "addr add 10.1.0.1/24 dev up0", "addr add 2001:db8:1::1/64 dev up0 nodad")
    except RuntimeError as problem:
        lab.close()
        if "Unknown device type" not in str(problem):
            raise
        print(f"     no {kind} here")
        return None
    return lab


def redirect(lab, interface, to="out0"):
    lab.exec("gw", "tc", "qdisc", "add", "dev", interface, "clsact")
    lab.exec("gw", "tc", "filter", "add", "dev", interface, "ingress", "u32", "match", "u32", "0", "0",
             "action", "mirred", "egress", "redirect", "dev", to)


def undo(lab, interface, what="clsact"):
    lab.exec("gw", "tc", "qdisc", "del", "dev", interface, what)


def test_what_lies_below_a_zone_is_looked_at():
    """A packet that is taken away there never comes to the zone's interface."""
    zones = {"a": "tier: lgwan, interfaces: [up0], networks: [10.1.0.0/24, '2001:db8:1::/64']"}
    for kind in ("bridge", "vlan", "macvlan", "macvlan of a bridge"):
        lab = stacked(kind)
        if not lab:
            continue
        try:
            segd = Segd(lab, policy(zones))
            redirect(lab, "a0")
            assert leaks(lab)
            named(lab, segd, "tc filters", "a0")
            undo(lab, "a0")
            gone(segd)
            with program(lab, "a0", bpf.ON_XDP):
                named(lab, segd, "XDP", "a0")
            gone(segd)
        finally:
            lab.close()


def test_the_far_end_of_a_zones_line_is_not_below_it():
    """An IFLA_LINK of a veth is its peer, here one of the same namespace, or has in another the number of ours."""
    zones = {"a": "tier: lgwan, interfaces: [a0, near], networks: [10.1.0.0/24, '2001:db8:1::/64']"}
    with Town(policy(zones), FEW) as (lab, segd):
        lab.ip("gw", "link add near type veth peer name far", "link set near up", "link set far up")
        redirect(lab, "far")
        assert not segd.segctl("status")["bypass"]
        redirect(lab, "near")
        named(lab, segd, "tc filters", "near")
        assert len(segd.alerts("bypass")) == 1


SHAPED = """qdisc add dev b0 root handle 1: htb default 20
class add dev b0 parent 1: classid 1:1 htb rate 100mbit
class add dev b0 parent 1:1 classid 1:10 htb rate 40mbit
class add dev b0 parent 1:1 classid 1:20 htb rate 40mbit
qdisc add dev b0 parent 1:10 handle 10: htb
filter add dev b0 parent 1: protocol ip prio 1 u32 match ip dport 443 0xffff flowid 1:10
filter add dev b0 parent 1:1 protocol ip prio 2 u32 match ip dport 22 0xffff flowid 1:10
"""
MIRRED = "u32 match u32 0 0 action mirred egress redirect dev out0"


def tc(lab, text):
    lab.exec("gw", "tc", "-b", "-", input=text)


def test_a_shaped_line_is_no_way_round():
    """What is told of it is what its filters' actions can do, and not that it has filters."""
    with Town(policy(), FEW) as (lab, segd):
        tc(lab, SHAPED)
        assert not segd.segctl("status")["bypass"]
        for parent in ("1:", "1:1", "10:"):
            tc(lab, f"filter add dev b0 parent {parent} protocol all prio 9 {MIRRED}")
            named(lab, segd, "queues of b0", "u32 mirred")
            tc(lab, f"filter del dev b0 parent {parent} protocol all prio 9 u32")
            gone(segd)
        assert len(segd.alerts("bypass")) == 1, segd.alerts("bypass")  # it was not away for long
        undo(lab, "b0", "root")
        try:
            tc(lab, "qdisc add dev b0 root fq_codel\n"
               "filter add dev b0 parent 8001: prio 2 u32 match u32 0 0 police rate 1mbit burst 10k drop")
        except RuntimeError as problem:
            print(f"     no fq_codel or police here: {problem}")
            return
        assert not segd.segctl("status")["bypass"]
        tc(lab, f"filter add dev b0 prio 9 {MIRRED}")
        named(lab, segd, "queues of b0", "u32 mirred")
        undo(lab, "b0", "root")
        gone(segd)


def briefly(lab, segd, word, begin, end, seconds, times=3):
    """It stands for so long, so many times; each time it is told of, though nobody asks."""
    for turn in range(1, times + 1):
        begin()
        time.sleep(seconds)
        end()
        assert wait_for(lambda: len([x for x in segd.alerts("bypass") if word in x]) == turn, WHILE), \
            f"{word}, turn {turn}: {segd.alerts('bypass')}"
        time.sleep(1.2 * PATIENCE)
    gone(segd)


def test_a_way_that_stands_briefly_is_named():
    with Town(policy(), FEW) as (lab, segd):
        briefly(lab, segd, "tc filters (u32) on the ingress of a0",
                lambda: redirect(lab, "a0"), lambda: undo(lab, "a0"), 0)
        tc(lab, SHAPED)
        briefly(lab, segd, "queues of b0", lambda: tc(lab, f"filter add dev b0 parent 1: prio 9 {MIRRED}"),
                lambda: tc(lab, "filter del dev b0 parent 1: prio 9"), 0)
        lab.sysctl("gw", "net.bridge.bridge-nf-call-iptables=0")
        briefly(lab, segd, "ports of the bridge", lambda: lab.ip("gw", "link add br0 type bridge", "link set a0 master br0",
                                                               "link set out0 master br0"),
                lambda: lab.ip("gw", "link del br0"), 0.3)
        ways = contextlib.ExitStack()
        try:  # read once a second, as netlink does not tell of one
            briefly(lab, segd, "XDP", lambda: ways.enter_context(bpf.attached(lab, "a0", bpf.ON_XDP, "out0")),
                    ways.close, 1.5 * PATIENCE)
        except OSError as problem:
            print(f"     no program on a0: {problem}")
        assert not segd.alerts("tampered")


def test_a_policer_is_no_way_round():
    """As whoever limits a guest's line puts it at the hook."""
    with Town(policy(), FEW) as (lab, segd):
        tc(lab, "qdisc add dev a0 ingress")
        try:
            tc(lab, "filter add dev a0 parent ffff: protocol all prio 1 u32 match u32 0 0 police rate 9mbit burst 90k drop")
        except RuntimeError as problem:
            print(f"     no police here: {problem}")
        else:
            assert not segd.segctl("status")["bypass"]
        tc(lab, "filter add dev a0 parent ffff: protocol all prio 2 u32 match u32 0 0 flowid 1:1")
        named(lab, segd, "tc filters (u32) on the ingress of a0")


def test_what_a_gateway_does_every_day_is_no_way_round():
    """Links that come, go and are bridged with others, and queues: nothing of it is told of."""
    with Town(policy(), FEW) as (lab, segd):
        tc(lab, SHAPED)
        for turn in range(3):
            lab.ip("gw", f"link add c{turn} type veth peer name d{turn}", f"link set c{turn} up", "link add br9 type bridge",
                   f"link set c{turn} master br9", "link set br9 up")
            redirect(lab, f"d{turn}", "br9")
            lab.ip("gw", "link set a0 mtu 1400", "link set a0 mtu 1500", "link del br9")
        time.sleep(2 * PATIENCE)
        assert not segd.alerts("bypass") and not segd.segctl("status")["bypass"]
        segd.segctl("verify")
