# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules outlive the daemon; the daemon answers whoever changes them; what happened meanwhile is found."""
import re
import shutil
import socket
import subprocess
import time

from blast import Blast
from lab import SOON, Lab, Segd, wait_for
from town import HOSTS, Town, build, policy


def closed_and_open(lab):
    """One thing that must pass and one that must not."""
    return lab.probes([("a", "10.2.0.20", "tcp/443", None, True), ("a", "192.0.2.20", "tcp/443", None, False)])


def test_rules_survive_sigkill():
    with Town() as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        before = lab.ruleset(what="table inet segd")
        segd.kill()
        assert closed_and_open(lab) == [True, False]
        assert stream.both(), "an open flow goes on without the daemon"
        assert "type filter hook forward" in lab.ruleset(what="table inet segd") and before


def test_rules_survive_a_stop():
    with Town() as (lab, segd):
        assert segd.stop() == 0
        assert closed_and_open(lab) == [True, False]
        assert segd.alert("stopped")


def test_adoption_writes_nothing():
    """What is right is not touched: nft's monitor sees nothing but that packets' memory is lost, since nobody
    knows who else was there, and with it that a base chain is to be what it is."""
    with Town() as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        segd.kill()
        rules = lab.exec("gw", "nft", "-a", "list", "table", "inet", "segd").stdout
        monitor = lab.spawn("gw", "nft", "monitor", stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        generation = lab.generation()
        segd.start()
        assert segd.segctl("status")["state"] == "enforcing"
        assert stream.both()
        adopted = lab.exec("gw", "nft", "-a", "list", "table", "inet", "segd").stdout
        assert handles(rules) == handles(adopted), "objects were made anew"
        time.sleep(0.3)
        monitor.terminate()
        expected = "# new generation", "add table", "delete element inet segd recent4.", "add chain inet segd input {"
        seen = [line for line in monitor.stdout.read().splitlines() if line and not line.startswith(expected)]
        assert not seen, f"written: {seen[:5]}"
        # Taking ownership is what a new socket must write (one transaction, where the kernel has it), and that.
        assert lab.generation() - generation <= 2
        assert closed_and_open(lab) == [True, False]


def handles(text):
    """Which objects are there, by their handles."""
    return sorted(line.split("# handle")[-1].split()[0] + line.split("{")[0].strip()[:30]
                  for line in text.splitlines() if "# handle" in line and "{" in line)


def test_unchanged_policy_writes_nothing():
    with Town() as (lab, segd):
        time.sleep(0.3)
        before = lab.generation()
        answer = segd.apply()
        assert answer["unchanged"] is True, answer
        assert lab.generation() == before
        segd.apply(policy() + "# a comment moves no packet\n")
        assert lab.generation() == before


def test_listing_loads_again():
    with Town() as (lab, segd):
        text = lab.ruleset(what="table inet segd")
        assert "AB" in text, "permit ids are comments"
        text = text.replace("flags owner,persist\n", "").replace("flags owner\n", "").replace("flags persist\n", "")
        text = "\n".join(line for line in text.splitlines() if line.split("#")[0].strip() not in ("flags", "flags owner"))
        with Lab() as other:
            other.exec("gw", "nft", "-c", "-f", "-", input=text)


def foreign_hand(lab, command):
    """Someone else's nft; what it says when the kernel does not let it."""
    return lab.exec("gw", "nft", *command.split(), check=False)


def test_foreign_flush_is_answered():
    with Town() as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        for command in ("flush ruleset", "delete table inet segd", "flush table inet segd",
                        "flush chain inet segd forward"):
            foreign_hand(lab, command)
            assert wait_for(lambda: closed_and_open(lab) == [True, False], 2), f"after nft {command}"
            assert stream.both(), f"the permitted flow lives through nft {command}"
        assert segd.segctl("verify")["equal"] is True


def test_flush_while_the_table_is_an_orphan():
    """Between two lives of the daemon anyone with root can take the table away: the next start mends it."""
    with Town() as (lab, segd):
        segd.kill()
        lab.take_rules_away()
        assert lab.probe("a", "192.0.2.20", "tcp/443"), "without rules all is open"
        segd.start()
        assert closed_and_open(lab) == [True, False]


def test_violation_planted_while_the_table_is_gone():
    with Town() as (lab, segd):
        kept = lab.stream("a", "10.2.0.20", "tcp/443")
        segd.kill()
        lab.take_rules_away()
        planted = [lab.stream("a", "192.0.2.20", "tcp/443"), lab.stream("d0", "10.4.1.20", "udp/4000"),
                   lab.stream("a", "2001:db8:f::20", "udp/53")]
        assert all(s.both() for s in planted)
        segd.start()
        for fields in ({"src": "10.1.0.20", "dst": "192.0.2.20", "dport": 443, "from_": "a", "to": "out"},
                       {"src": "10.4.0.20", "dst": "10.4.1.20", "dport": 4000},
                       {"src": "2001:db8:1::20", "dst": "2001:db8:f::20", "dport": 53}):
            assert segd.alert("violation", **fields), f"not reported: {fields}"
            assert len(segd.alerts("violation", **fields)) == 1, "once"
        assert all(s.dead() for s in planted), "cut in both directions, the server speaking first"
        assert kept.both(), "a permitted flow is none"
        assert not segd.alerts("violation", dst="10.2.0.20")
        gone = wait_for(lambda: not [line for line in lab.conntrack() if "192.0.2.20" in line], 3)
        assert gone, "the entry is removed"
        listed = segd.segctl("violations")["violations"]
        assert {"192.0.2.20", "10.4.1.20", "2001:db8:f::20"} <= {v["dst"] for v in listed}, listed


def test_sealed_without_a_policy():
    with build() as lab:
        segd = Segd(lab, "segd: 1\nzones: nonsense\n")
        assert segd.segctl("status")["state"] == "sealed"
        assert segd.alert("sealed")
        got = lab.probes([(src, dst, service, None, False) for src, dst, service in (
            ("a", "10.2.0.20", "tcp/443"), ("b", "192.0.2.20", "udp/53"), ("a", "10.1.0.1", "tcp/22"),
            ("gw", "10.1.0.20", "tcp/6514"), ("a", "2001:db8:2::20", "tcp/443"))])
        assert not any(got), got
        segd.apply(policy())
        assert closed_and_open(lab) == [True, False]
        assert segd.segctl("status")["state"] == "enforcing"


def test_broken_policy_leaves_the_last_one():
    with Town() as (lab, segd):
        refused = segd.apply("segd: 1\n", ok=None)
        assert "error" in refused and segd.status in (1, 2, 5), refused
        assert closed_and_open(lab) == [True, False]
        segd.stop()
        segd.start()
        assert segd.segctl("status")["state"] == "enforcing", "the last confirmed policy boots"
        assert closed_and_open(lab) == [True, False]


def test_a_start_that_fails_leaves_nothing_open():
    """Without its state directory segd cannot start; a gateway that boots like that forwards nothing."""
    with Town() as (lab, segd):
        segd.stop()
        lab.take_rules_away()
        shutil.rmtree(segd.state)
        segd.state.write_text("no directory")
        segd.start(ready=False)
        assert wait_for(lambda: "sealed" in segd.said(), 5), segd.said()
        assert lab.probe("a", "10.2.0.20", "tcp/443") is False
        segd.state.unlink()
        segd.state.mkdir()
        segd.start()
        assert closed_and_open(lab) == [True, False]


def test_settings_that_cannot_be_read_leave_nothing_open():
    with Town() as (lab, segd):
        segd.stop()
        lab.take_rules_away()
        right = segd.settings.read_text()
        segd.settings.write_text("syslog: [nonsense\n")
        segd.start(ready=False)
        assert wait_for(lambda: "sealed" in segd.said(), 5), segd.said()
        assert segd.process.wait(5) == 2
        assert lab.probe("a", "10.2.0.20", "tcp/443") is False
        segd.settings.write_text(right)
        segd.start()
        assert closed_and_open(lab) == [True, False]


def test_a_table_of_an_earlier_version_is_upgraded_in_place():
    """An image without a base chain that this version has, as before there was prerouting: nothing is made anew."""
    with Town(policy(AB="from: a, to: b, service: [udp/5000-5010]"), ("a", "b", "out")) as (lab, segd):
        with Blast(lab, 1000) as blast:
            always = blast.both("a", "10.2.0.20", 5005)
            never = blast.udp("a", "10.2.0.20", 5999)
            blast.run()
            segd.kill()
            table = lab.ruleset(what="table inet segd")
            late = [re.search(rf"chain ({name}\S*)", table)[1] for name in ("first", "early")]
            lab.nft("gw", "delete chain inet segd prerouting; " + "; ".join(
                f"flush chain inet segd {chain}; delete chain inet segd {chain}" for chain in late))
            segd.start()
            time.sleep(0.3)
        for stream in always:
            assert len(blast.numbers(stream)) > 200 and not blast.lost(stream), len(blast.lost(stream))
        assert not blast.came(never)
        assert segd.segctl("verify")["equal"]
        assert "hook prerouting" in lab.ruleset(what="table inet segd")


def refused(segd, src, dst):
    return sum(one["count"] for one in segd.segctl("denials")["denials"] if (one["src"], one["dst"]) == (src, dst))


def test_observe_drops_nothing_and_says_all():
    with Town(policy(), HOSTS, "--observe") as (lab, segd):
        assert segd.segctl("status")["state"] == "observing"
        assert segd.segctl("verify")["observing"] is True
        assert lab.probe("a", "192.0.2.20", "tcp/443"), "would be refused"
        assert lab.probe("a", "10.2.0.20", "tcp/443")
        assert segd.alert("denied", src="10.1.0.20", dst="192.0.2.20") or segd.alert("violation", dst="192.0.2.20")
        assert wait_for(lambda: refused(segd, "10.1.0.20", "192.0.2.20"), SOON)
        assert not refused(segd, "192.0.2.20", "10.1.0.20"), "there would be no answers"


def test_observe_counts_once():
    """What is long, or at its last hop, is asked for before it is routed, too: it is one packet all the same."""
    with Town(policy(), HOSTS, "--observe") as (lab, segd):
        sender = lab.socket("a", socket.AF_INET, socket.SOCK_DGRAM)
        lab.ip("gw", "link set b0 mtu 1300")
        lab.frame("a", "10.2.0.20", source="10.1.0.20", sport=46000, dport=5005, payload=b"." * 1400)
        for port in range(5000, 5010):
            sender.sendto(bytes(600), ("192.0.2.20", port))
            sender.sendto(bytes(6), ("192.0.2.20", port + 100))
        assert wait_for(lambda: refused(segd, "10.1.0.20", "192.0.2.20") >= 20, SOON), segd.segctl("denials")
        assert refused(segd, "10.1.0.20", "192.0.2.20") == 20, segd.segctl("denials")
        assert not refused(segd, "10.1.0.1", "10.1.0.20"), "the error about a permitted packet would not be refused"


def test_disarm():
    with Town() as (lab, segd):
        assert not lab.probe("a", "192.0.2.20", "tcp/443", expect=False)
        segd.segctl("disarm", ok=(2,))
        segd.segctl("disarm", "--yes")
        assert "table inet segd" not in lab.ruleset()
        assert lab.probe("a", "192.0.2.20", "tcp/443")
        segd.apply()
        assert not lab.probe("a", "192.0.2.20", "tcp/443", expect=False)
