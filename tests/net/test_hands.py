# SPDX-License-Identifier: GPL-2.0-or-later
"""A foreign hand with root's rights, at random moments: what it may do, what it must not open, who is named.

SEG_SOAK makes it longer (make check-soak), SEG_SEED repeats a run.
"""
import os
import random
import socket
import time

from blast import Blast
from forge import restless
from lab import SOON, wait_for
from town import Town, policy

TURNS = int(os.environ.get("SEG_SOAK", 40))

# What others try at our table: the kernel refuses it where the table is owned.
AT_OURS = ["flush ruleset", "delete table inet segd", "flush table inet segd", "flush chain inet segd forward",
           "add table inet segd { flags dormant; }",
           "insert rule inet segd forward accept", "add rule inet segd output accept",
           "flush set inet segd fast", "flush set inet segd open", "delete chain inet segd forward",
           "add element inet segd live { 0x00000009 }", "add set inet segd mine { type ipv4_addr; }",
           "delete table inet segd_keeper", "flush chain inet segd_keeper conntrack"]
# Their own tables: nothing of it may open anything, and what goes round us is named.
THEIRS = ["""table inet mine { chain f { type filter hook forward priority -300; policy accept; accept
          }
          }""",
          """table inet mine { chain f { type filter hook forward priority 300; policy accept; counter accept
          }
          }""",
          """table ip mine { chain p { type nat hook prerouting priority dstnat;
          ip daddr 10.1.0.77 dnat to 10.2.0.20
          }
          }""",
          """table inet mine { chain p { type filter hook prerouting priority raw; udp dport 9999 notrack
          }
          }""",
          """table netdev mine { chain p { type filter hook ingress device "a0" priority 0;
          udp dport 9999 fwd to "b0"
          }
          }""",
          """table inet mine { chain f { type filter hook forward priority 0; udp dport 9999 ct mark set 1
          }
          }"""]


def test_a_foreign_hand():
    seed = int(os.environ.get("SEG_SEED", random.randrange(1 << 30)))
    dice = random.Random(seed)
    with Town(policy(AB="from: a, to: b, service: [udp/5000-5010]", AO="from: a, to: out, service: [udp/80]")) as (lab, segd):
        owned = segd.segctl("status")["table"]["owner"]
        with Blast(lab, 600) as blast:
            always = [blast.udp("a", "10.2.0.20", 5005), *blast.both("a", "2001:db8:2::20", 5006),
                      blast.fresh("a", "10.2.0.20", 5008, "10.1.0.20")]
            never = [blast.udp("a", "10.2.0.20", 5999), blast.fresh("d0", "2001:db8:2::20", 5007, "2001:db8:4::20"),
                     blast.udp("out", "10.2.0.20", 5009),
                     blast.fresh("out", "10.2.0.20", 5010, "10.1.0.20")]
            blast.run()
            time.sleep(0.4)
            for _ in range(TURNS):
                what = dice.randrange(10)
                if what < 6:
                    lab.exec("gw", "nft", *dice.choice(AT_OURS).split(), check=False)
                elif what < 9:
                    lab.nft("gw", dice.choice(THEIRS))
                    time.sleep(dice.random() / 5)
                    lab.exec("gw", "nft", "flush", "ruleset")
                else:
                    segd.kill()
                    time.sleep(dice.random() / 5)
                    segd.start()
                time.sleep(dice.random() / 10)
            time.sleep(0.3)
        if owned:
            for s in always:
                assert not blast.lost(s), f"seed {seed}: stream {s} lost {len(blast.lost(s))}"
            for s in never:
                assert not blast.came(s), f"seed {seed}: stream {s} leaked {len(blast.came(s))}"
        assert len(blast.numbers(always[0])) > 500
        assert wait_for(lambda: segd.segctl("verify", ok=(0, 1))["equal"], 3), segd.segctl("verify", ok=None)["findings"]
        assert lab.probe("a", "192.0.2.20", "udp/80") and not lab.probe("a", "192.0.2.20", "udp/81", expect=False)


def test_an_orphan_is_adopted_and_mended():
    """Between two lives of the daemon anyone may write to its table: the next life finds every such thing."""
    for command in AT_OURS:
        with Town(hosts=("a", "b", "out")) as (lab, segd):
            stream = lab.stream("a", "10.2.0.20", "udp/5005")
            segd.kill()
            lab.exec("gw", "nft", *command.split(), check=False)
            segd.start()
            got = lab.probes([("a", "10.2.0.20", "tcp/443", None, True), ("a", "192.0.2.20", "udp/53", None, False),
                              ("gw", "192.0.2.20", "udp/53", None, False)])
            assert got == [True, False, False], f"after nft {command}: {got}"
            assert stream.both(), f"after nft {command}"
            answer = segd.segctl("verify", ok=None)
            changes = [f for f in answer["findings"] if f["kind"] != "unowned"]
            assert answer["equal"] and not changes, f"after nft {command}: {changes[:3]}"


def test_what_is_done_unheard_is_found():
    """To our table where that can be done at all, and to the keeper."""
    with Town(hosts=("a", "b", "out")) as (lab, segd):
        for times, command in enumerate(("delete table inet segd_keeper", "flush chain inet segd_keeper conntrack"), 1):
            with segd.deaf():
                lab.exec("gw", "nft", *command.split())
            assert wait_for(lambda: len(segd.alerts("restored")) == times, SOON), command
            said = segd.alerts("tampered")
            assert len(said) == times and "found changed" in said[-1], (command, said)
            assert "ct state invalid" in lab.ruleset(what="table inet segd_keeper"), command
            assert segd.segctl("verify", ok=None)["equal"]
            lab.exec("gw", "nft", "delete", "table", "ip", "other")


def isolates_and_releases(lab, segd):
    segd.segctl("isolate", "10.1.0.20", "--reason", "test")
    assert not lab.probe("a", "10.2.0.20", "tcp/443", expect=False)
    segd.segctl("release", "10.1.0.20")
    assert lab.probe("a", "10.2.0.20", "tcp/443")
    assert not segd.alerts("tampered")


def test_beside_who_commits_without_rest():
    """To another table: ours need not be read between two of such commits."""
    with Town(hosts=("a", "b", "out")) as (lab, segd):
        with restless(lab):
            isolates_and_releases(lab, segd)


def test_whoever_does_it_is_named():
    with Town(hosts=("a", "b", "out")) as (lab, segd):
        if segd.segctl("status")["table"]["owner"]:  # ours is safe; what is beside it is seen
            command = "delete table inet segd_keeper"
        else:
            command = "flush chain inet segd forward"
        nft = lab.spawn("gw", "nft", *command.split())
        nft.wait()
        line = segd.alert("tampered")
        assert line and "process=nft" in line and f"pid={nft.pid}" in line, (nft.pid, line, segd.lines()[-4:])
        assert segd.alert("restored")
        assert wait_for(lambda: "segd_keeper" in lab.ruleset(), 1)
        for text, word in ((THEIRS[3], "notrack"), (THEIRS[4], "fwd"), (THEIRS[5], "mark"), (THEIRS[2], "dnat")):
            before = len(segd.alerts("bypass"))
            lab.nft("gw", text)
            assert wait_for(lambda: len(segd.alerts("bypass")) > before, 2), f"{word} is not alerted"
            line = segd.alerts("bypass")[-1]
            assert "process=nft" in line and "mine" in line, line
            assert segd.segctl("status")["bypass"], word
            assert any(f["kind"] == "bypass" for f in segd.segctl("verify", ok=None)["findings"]), word
            assert len(segd.alerts("bypass")) == before + 1, "said once"
            lab.nft("gw", f"delete table {text.split()[1]} mine")
            assert wait_for(lambda: not segd.segctl("status")["bypass"], 2), word


def test_what_packets_do_to_a_flow_is_not_sent():
    """Other hands' changes are heard of, by an event that packets never raise: those send but beginnings and ends."""
    with Town(hosts=("a", "b", "out")) as (lab, segd), open(segd.state / "heard", "w+") as heard:
        lab.spawn("gw", "conntrack", "-E", stdout=heard, stderr=heard)

        def has_heard(text):
            heard.seek(0)
            return text in heard.read()

        assert wait_for(lambda: lab.stream("a", "10.2.0.20", "udp/5005").both() and has_heard("[NEW]"))
        server = lab.socket("gw", socket.AF_INET, socket.SOCK_STREAM, bind=("127.0.0.1", 5353))
        server.listen(1)
        client = lab.socket("gw", socket.AF_INET, socket.SOCK_STREAM)
        client.setblocking(True)
        client.connect(("127.0.0.1", 5353))
        client.close()
        assert lab.probe("a", "10.2.0.20", "tcp/443") and lab.probe("a", "10.1.0.1", "tcp/22")
        assert lab.stream("a", "10.2.0.20", "udp/5006").both()
        assert wait_for(lambda: has_heard("dport=5006 "))
        assert has_heard("dport=5353 ") and has_heard("dport=22 ") and not has_heard("[UPDATE]")
