# SPDX-License-Identifier: GPL-2.0-or-later
"""A table without an owner, as on kernels before 6.9 (Debian 12): whatever a foreign hand does to it is put right.

Where the kernel would give one, the daemon here is built to ask for an owner that no kernel gives.
"""
import os
import re
import select
import shutil
import socket
import struct

from blast import Blast
from forge import DELRULE, NETLINK_NETFILTER, NEWCHAIN, NEWGEN, NEWRULE, NEWSET, NEWTABLE, restless
from lab import BUILD, PATIENCE, TOP, run, wait_for
from test_hands import AT_OURS, isolates_and_releases
from test_life import closed_and_open
from town import Town, policy

OWNERS = [int(number) for number in re.findall(r"\d+", os.uname().release)[:2]] >= [6, 9]
PLAIN = BUILD / ("plain/segd" if OWNERS else "segd")


def plain_town():
    if OWNERS and shutil.which("make"):
        build = os.path.relpath(BUILD, TOP)
        run("make", "-s", "-C", str(TOP), f"BUILD={build}", f"{build}/plain/segd")
    return Town(hosts=("a", "b", "out"), program=PLAIN)


def restored(segd, times):
    return wait_for(lambda: len(segd.alerts("restored")) >= times, 10)


def memory(lab):
    """What the map is called that packets teach."""
    return re.search(r"map (recent4\.\d+) ", lab.ruleset(what="table inet segd"))[1]


def test_each_hand_is_answered():
    with plain_town() as (lab, segd):
        assert not segd.segctl("status")["table"]["owner"]
        stream = lab.stream("a", "10.2.0.20", "udp/5005")
        for times, command in enumerate(AT_OURS, 1):
            lab.exec("gw", "nft", *command.split())
            assert restored(segd, times), f"after nft {command}"
            assert closed_and_open(lab) == [True, False], f"after nft {command}"
            assert stream.both(), f"after nft {command}"
            answer = segd.segctl("verify", ok=None)
            changes = [f for f in answer["findings"] if f["kind"] != "unowned"]
            assert answer["equal"] and not changes, f"after nft {command}: {changes[:3]}"
        assert len(segd.alerts("tampered", process="nft")) == len(AT_OURS)


def test_a_hand_behind_a_start_is_answered():
    """That changed nothing and had nothing to forget: what it committed is not taken for what a hand commits next."""
    with plain_town() as (lab, segd):
        for times, command in enumerate(AT_OURS, 1):
            segd.stop()
            lab.exec("gw", "nft", "flush", "map", "inet", "segd", memory(lab))
            segd.start()
            assert segd.segctl("verify", ok=None)["equal"]
            lab.exec("gw", "nft", *command.split())
            assert restored(segd, times), f"after nft {command}"
            assert closed_and_open(lab) == [True, False], f"after nft {command}"
            said = segd.alerts("tampered")
            assert len(said) == times, f"after nft {command}: {said}"


def test_what_is_done_unheard_is_told():
    """Also what forgetting packets' memory would have mended by the way."""
    with plain_town() as (lab, segd):
        for times, chain in enumerate(("input", "forward"), 1):
            with segd.deaf():
                lab.exec("gw", "nft", "add", "chain", "inet", "segd", chain, "{ policy accept; }")
            assert restored(segd, times), chain
            assert len(segd.alerts("tampered")) == times, chain
            assert segd.segctl("verify", ok=None)["equal"], chain
            lab.exec("gw", "nft", "delete", "table", "ip", "other")


def test_beside_who_commits_without_rest():
    """To another table: ours is changed, and what is done to it unheard is found, all the same."""
    with plain_town() as (lab, segd):
        with restless(lab):
            isolates_and_releases(lab, segd)
            with segd.deaf():
                lab.exec("gw", "nft", "add", "chain", "inet", "segd", "forward", "{ policy accept; }")
            assert restored(segd, 1)
        assert len(segd.alerts("tampered")) == 1
        assert segd.segctl("verify", ok=None)["equal"]


def told_within_an_apply(permits, pause, command):
    """A hand so many pauses after the beginning of one large apply after another, told once each."""
    zones = {"den": "tier: lgwan, interfaces: [den0, den1], networks: [10.4.0.0/24, 10.4.9.0/24]"}
    with plain_town() as (lab, segd):
        for times in range(1, 13):
            many = {f"P{i}": f"from: a, to: b, destination: ['10.2.0.{i % 250}'], "
                             f"service: [tcp/{9000 + times}-{9010 + times}, udp/{10000 + i}]" for i in range(permits)}
            segd.policy.write_text(policy(zones if times % 2 else None, **many))
            hand = lab.spawn("gw", "sh", "-c", f"sleep {times * pause}; exec nft {command}")
            segd.segctl("apply", ok=None)
            assert hand.wait(timeout=10) == 0
            assert restored(segd, times), f"hand {times}"
            assert len(segd.alerts("tampered")) == times, f"hand {times}"
            assert segd.segctl("verify", ok=None)["equal"], f"hand {times}"
        assert len(segd.alerts("tampered", process="nft")) == times


def test_a_hand_within_a_large_apply_is_told():
    """What the daemon commits itself, however large, does not drown what others commit meanwhile."""
    told_within_an_apply(0, 0.002, "flush table inet segd")


def test_a_hand_within_a_large_apply_is_told_once():
    """Whether it is heard first, or seen behind the commit."""
    told_within_an_apply(300, 0.008, "'add chain inet segd mine'")


CHANGED = {"flush ruleset": "table inet segd removed", "delete table inet segd": "table inet segd removed",
           "flush table inet segd": "chain forward changed", "flush chain inet segd forward": "chain forward changed",
           "add table inet segd { flags dormant; }": "table inet segd changed",
           "insert rule inet segd forward accept": "chain forward changed",
           "add rule inet segd output accept": "chain output changed",
           "flush set inet segd fast": "set fast changed", "flush set inet segd open": "set open changed",
           "add element inet segd live { 0x00000009 }": "set live changed",
           "add set inet segd mine { type ipv4_addr; }": "set mine added",
           "add element inet segd open { 0x00000009 timeout 1h }": "set open changed"}


def test_a_hand_between_two_lives_is_named():
    """By what it did: nobody knows who it was. A life that ends and another that begins are no foreign hand."""
    dated = policy(H="from: a, to: out, service: [udp/80], valid: {from: 2020-04-01, until: 2099-03-31}")
    with plain_town() as (lab, segd):
        segd.apply(dated)
        segd.stop()
        segd.start()
        for times, (command, what) in enumerate(CHANGED.items(), 1):
            segd.kill()
            lab.exec("gw", "nft", *command.split())
            segd.start()
            assert restored(segd, times), f"after nft {command}"
            said = segd.alerts("tampered")
            assert len(said) == times and "while segd was not running: " in said[-1] and what in said[-1], \
                f"after nft {command}: {said[times - 1:]}"
            assert closed_and_open(lab) == [True, False], f"after nft {command}"
        segd.kill()
        segd.start()
        segd.segctl("disarm", "--yes")
        segd.kill()
        segd.start()
        assert segd.segctl("status")["state"] == "enforcing"
        assert len(segd.alerts("tampered")) == len(CHANGED)


def test_a_foreign_hand_opens_nothing():
    """What segd has not let by has no number, and the second table drops it before anybody has noticed anything."""
    hands = [command for command in AT_OURS if command != "flush ruleset" and "segd_keeper" not in command]
    with plain_town() as (lab, segd):
        with Blast(lab, 1000) as blast:
            never = [blast.udp("a", "10.2.0.20", 5999), blast.udp("b", "2001:db8:1::20", 5998),
                     blast.fresh("a", "2001:db8:2::20", 5997, "2001:db8:1::20"), blast.udp("out", "10.1.0.20", 5996)]
            blast.run()
            for times, command in enumerate(hands, 1):
                lab.exec("gw", "nft", *command.split())
                assert restored(segd, times), f"after nft {command}"
        assert closed_and_open(lab) == [True, False]
    for s in never:
        assert len(blast.numbers(s)) > 100 / PATIENCE and not blast.came(s), f"stream {s} leaked {len(blast.came(s))}"


def sealed_first(command):
    """What segd commits first when a hand has been at its rules, but for what goes, and what it commits then."""
    with plain_town() as (lab, segd):
        listening = listen(lab)
        lab.exec("gw", "nft", *command.split())
        assert restored(segd, 1)
        (foreign, _), (who, sealing), *rest = transactions(listening)
        assert (foreign, who) == ("nft", "segd"), (foreign, who)
        return [kind for kind in sealing if kind != DELRULE], [kind for _, kinds in rest for kind in kinds]


# Input, forward, output, and prerouting, which has no say yet: loopback passes, and all else waits.
DROPPING = 2 * ([NEWCHAIN, NEWRULE] + [NEWCHAIN])


def test_a_table_that_is_gone_is_sealed_first():
    """Before anything that takes time: the first that comes back is what drops."""
    for command in ("flush ruleset", "delete table inet segd"):
        sealing, rest = sealed_first(command)
        assert sealing == [NEWTABLE] + DROPPING, f"after nft {command}: {sealing}"
        assert NEWSET in rest, "the policy comes after"


def test_an_edit_is_sealed_first():
    """A rule before ours lets everything by until it is found."""
    for command in ("insert rule inet segd forward accept", "add element inet segd open { 99 }"):
        sealing, rest = sealed_first(command)
        assert sealing == DROPPING, f"after nft {command}: {sealing}"
        assert NEWRULE in rest and NEWSET not in rest, f"after nft {command}: {rest}"


GROUP, ADD_MEMBERSHIP, SOL_NETLINK, PROCESS_NAME, RCVBUFFORCE = 7, 1, 270, 3, 33


def listen(lab):
    s = lab.socket("gw", socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER, (0, 0))
    s.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 8 << 20)
    s.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, GROUP)
    return s


def attributes(body):
    at = 0
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        yield kind & 0x3fff, body[at + 4:at + length]
        at += (length + 3) & ~3


def transactions(s):
    """(process, kinds of its messages) of each that was committed since listen()."""
    done, kinds = [], []
    while select.select([s], [], [], 0)[0]:
        data, at = s.recv(1 << 16), 0
        while at + 20 <= len(data):
            length, kind = struct.unpack_from("=LH", data, at)
            if kind & 0xff == NEWGEN:
                name = dict(attributes(data[at + 20:at + length]))[PROCESS_NAME]
                done.append((name.rstrip(b"\0").decode(), kinds))
                kinds = []
            else:
                kinds.append(kind & 0xff)
            at += (length + 3) & ~3
    return done


def objects(lab):
    """Sets, maps and chains with their handles: one that was made anew has another."""
    listed = lab.exec("gw", "nft", "-a", "list", "table", "inet", "segd").stdout
    return {line.strip() for line in listed.splitlines() if re.match(r"\t(set|map|chain) ", line)}


def test_what_was_edited_is_mended_in_place():
    """No set is made anew, so that counters stay, nor a chain that nobody touched."""
    with plain_town() as (lab, segd):
        before = objects(lab)
        for times, command in enumerate(("flush chain inet segd forward", "flush table inet segd",
                                         "insert rule inet segd forward accept", "flush set inet segd fast",
                                         "add chain inet segd admit.4294967295"), 1):
            lab.exec("gw", "nft", *command.split())
            assert restored(segd, times), f"after nft {command}"
            after = objects(lab)
            assert after == before, f"after nft {command}: {before ^ after}"
            assert closed_and_open(lab) == [True, False], f"after nft {command}"
