# SPDX-License-Identifier: GPL-2.0-or-later
"""A hand that speaks to the kernel itself, at a table without an owner: what looks like ours is ours, or is mended."""
import re
import signal
import struct
import threading

from forge import CREATE, DELSETELEM, EXCL, IP, NEWSET, NEWSETELEM, Hand, attr, be32, be64, element, elements, nest, text
from lab import SOON, wait_for
from test_life import closed_and_open
from test_plain import plain_town

LIMIT_OVER = nest(7, text(1, "limit"), nest(2, be64(1, 1000000), be64(2, 1), be32(3, 5), be32(4, 0), be32(5, 1)))
A_COMMENT = b"\0\3AB\0"  # "AB", as nft keeps it


def named(lab, pattern):
    return re.search(pattern, lab.ruleset(what="table inet segd"))[1]


def to_b(proto, first, last):
    """A box of the first layer: from any address to all of zone b."""
    return [bytes([*source, 10, 2, 0, host, proto, 0, 0, 0]) + struct.pack(">H", port) + b"\0\0"
            for source, host, port in ((bytes(4), 0, first), (b"\xff" * 4, 255, last))]


def test_an_element_with_a_condition():
    """An expression in it ends the rule that found it: the isolated host would go free, and its element is there."""
    with plain_town() as (lab, segd):
        segd.segctl("isolate", "10.1.0.20", "--reason", "x", json_out=False)
        name, hand = named(lab, r"set (isolated4\.\d+) "), Hand(lab, "gw")
        first, behind = bytes([10, 1, 0, 20]), element(bytes([10, 1, 0, 21]), flags=1)
        hand.commit((DELSETELEM, 0, elements("segd", name, element(first), behind)),
                    (NEWSETELEM, CREATE, elements("segd", name, element(first, more=LIMIT_OVER), behind)))
        assert segd.alert("restored")
        assert not lab.probe("a", "10.2.0.20", "tcp/443", expect=False)
        assert segd.segctl("verify", ok=None)["equal"]


def test_a_map_that_compares_other_fields():
    """The kernel goes by the lengths of fields, not by nft's types: three as one number take nearly any address."""
    with plain_town() as (lab, segd):
        rules = lab.ruleset(what="table inet segd")
        name = named(lab, r"map (from-a-ports4\.layer1\.\d+) ")
        chains = [f"{way}-a-ports4.{name.rsplit('.', 1)[1]}" for way in ("from", "back")]
        asks = [line.strip() for line in rules.splitlines() if f"@{name} " in line]
        lengths = nest(2, *(nest(1, be32(1, length)) for length in (12, 4)))
        hand = Hand(lab, "gw")
        segd.process.send_signal(signal.SIGSTOP)
        lab.nft("gw", "".join(f"flush chain inet segd {c}\n" for c in chains) + f"delete map inet segd {name}\n")
        hand.commit((NEWSET, CREATE | EXCL, text(1, "segd") + text(2, name) + be32(3, 0x8c)
                     + be32(4, 7 << 18 | 7 << 12 | 12 << 6 | 13) + be32(5, 16) + be32(6, 19) + be32(7, 4)
                     + nest(9, lengths) + be32(10, 77) + attr(13, struct.pack("=BBLBBL", 0, 4, 0, 1, 4, 1))),
                    (NEWSETELEM, CREATE, elements("segd", name, *(
                        element(*to_b(*box), mark=1, more=attr(6, A_COMMENT)) for box in ((6, 443, 443), (17, 5000, 5010))))))
        lab.nft("gw", "".join(f"add rule inet segd {c} {ask}\n" for c, ask in zip(chains, asks)))
        segd.process.send_signal(signal.SIGCONT)
        assert segd.alert("restored")
        assert closed_and_open(lab) == [True, False]
        assert segd.segctl("verify", ok=None)["equal"]


def test_a_hand_that_has_not_ended_yet():
    """Its generation counts before its intervals are seen: what is read meanwhile is what was before."""
    with plain_town() as (lab, segd):
        lab.nft("gw", "table ip other { set s { type ipv4_addr; }\n }\n")
        hand = Hand(lab, "gw")
        for turn in range(6):
            name = named(lab, r"map (from-a-ports4\.layer1\.\d+) ")
            many = [(NEWSETELEM, CREATE, elements("other", "s", *(
                element(struct.pack(">L", 0x4d000000 + i)) for i in range(at, at + 1000))), IP)
                for at in range(0, 20000, 1000)]
            open_one = element(*to_b(17, 4000 + turn, 4000 + turn), mark=1)
            before = segd.segctl("status")["table"]["tampered"]
            busy = threading.Thread(target=hand.commit,
                                    args=(*many, (NEWSETELEM, CREATE, elements("segd", name, open_one))))
            busy.start()
            while busy.is_alive():
                segd.segctl("apply", ok=None)
            busy.join()
            assert wait_for(lambda: segd.segctl("status")["table"]["tampered"] > before, SOON), f"turn {turn}: unnoticed"
            assert wait_for(lambda: segd.segctl("verify", ok=None)["equal"], SOON), f"turn {turn}: it stays"
            assert not lab.probe("a", "10.2.0.20", f"udp/{4000 + turn}", expect=False), f"turn {turn}: open"
            lab.nft("gw", "flush set ip other s\n")
