# SPDX-License-Identifier: GPL-2.0-or-later
"""A permit holds for packets: what an apply takes away stops at once, what it leaves loses nothing."""
import time

from lab import wait_for
from town import Town, policy

WIDE = policy(AB="from: a, to: b, service: [tcp/443, tcp/8080, udp/5005, icmp/8]", AO="from: a, to: out, service: [tcp/80]")


def test_removed_permit_stops_open_flows():
    with Town(WIDE) as (lab, segd):
        doomed = [lab.stream("a", "10.2.0.20", "tcp/443"), lab.stream("a", "10.2.0.20", "udp/5005"),
                  lab.stream("a", "2001:db8:2::20", "tcp/443"), lab.stream("a", "2001:db8:2::20", "udp/5005")]
        kept = lab.stream("a", "192.0.2.20", "tcp/80")
        answer = segd.apply(policy(AB=None, AO="from: a, to: out, service: [tcp/80]"))
        assert all(s.dead() for s in doomed)
        assert kept.both()
        assert answer["revoked"]["flows"] == 4, answer
        assert answer["revoked"]["permits"] == 1, answer
        assert segd.alert("revoked", permit="AB")
        assert wait_for(lambda: not [line for line in lab.conntrack() if "dport=443 " in line], 3)
        segd.apply(WIDE)
        assert lab.probe("a", "10.2.0.20", "tcp/443"), "permitted anew"


def test_narrowed_permit():
    with Town(WIDE) as (lab, segd):
        outside, inside = lab.stream("a", "10.2.0.20", "tcp/8080"), lab.stream("a", "10.2.0.20", "tcp/443")
        before = inside.sent
        segd.apply(policy(AB="from: a, to: b, service: [tcp/443, udp/5005]", AO="from: a, to: out, service: [tcp/80]"))
        assert outside.dead(), "8080 is not permitted any more"
        assert inside.both(), f"443 still is (message {before + 1})"
        assert not segd.alerts("violation", dport=443)


def test_replaced_permit_covers():
    """Another permit that still covers a flow keeps it alive, and names it from then on."""
    with Town(WIDE) as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        segd.apply(policy(AB=None, NEW="from: a, to: b, service: [tcp/440-450]"))
        assert stream.both()
        flow = wait_for(lambda: [f for f in segd.segctl("flows")["flows"] if f["dport"] == 443], 2)
        assert flow and flow[0]["permit"] == "NEW", flow


def test_unchanged_flows_lose_nothing_under_applies():
    """Numbered messages through a flow of an unchanged permit, while the rest of the policy changes."""
    with Town(WIDE) as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "udp/5005")
        for turn in range(20):
            text = policy(AB="from: a, to: b, service: [tcp/443, tcp/8080, udp/5005, icmp/8]",
                          AO=f"from: a, to: out, service: [tcp/{8000 + turn}]")
            segd.policy.write_text(text)
            segd.segctl("apply")
            assert stream.both(), f"lost at apply {turn}"
        assert segd.segctl("verify")["equal"] is True


def test_confirm_within_goes_back():
    with Town(WIDE) as (lab, segd):
        answer = segd.apply(policy(AB=None), "--confirm-within", "3s")
        assert answer["confirm-until"], answer
        assert not lab.probe("a", "10.2.0.20", "tcp/443", expect=False)
        assert wait_for(lambda: lab.probe("a", "10.2.0.20", "tcp/443"), 6), "it goes back by itself"
        assert segd.alert("rolled-back")
        segd.apply(policy(AB=None), "--confirm-within", "60s")
        segd.segctl("confirm")
        assert segd.segctl("status")["policy"]["confirm-until"] is None
        assert not lab.probe("a", "10.2.0.20", "tcp/443", expect=False)
        segd.segctl("rollback")
        assert lab.probe("a", "10.2.0.20", "tcp/443")


def test_confirm_deadline_survives_sigkill():
    with Town(WIDE) as (lab, segd):
        segd.apply(policy(AB=None), "--confirm-within", "4s")
        segd.kill()
        assert not lab.probe("a", "10.2.0.20", "tcp/443", expect=False)
        time.sleep(4)
        segd.start()
        assert wait_for(lambda: lab.probe("a", "10.2.0.20", "tcp/443"), 3), "the unconfirmed policy is never what boots"


def test_deadlines_that_end_otherwise():
    """Replaced by somebody else's apply; given up with the rules; none behind them, where the way back would be open."""
    with Town(WIDE) as (lab, segd):
        segd.apply(policy(AB=None), "--confirm-within", "60s")
        answer = segd.apply(policy(AB="from: a, to: b, service: [tcp/443]"))
        assert answer["replaced"]["version"] == 2 and answer["replaced"]["user"] == "root", answer
        assert segd.alert("applied", replaced=2)
        assert "was replaced by version 3" in segd.segctl("confirm", ok=(1,))["error"]["message"]
        answer = segd.apply(policy(AB=None), "--confirm-within", "9s", "--comment", "変" * 500, "--ticket", "T" * 500)
        assert answer["back-to"] == 3, answer
        assert segd.alert("applied", ticket="T" * 500), "a line of syslog has both"
        assert segd.segctl("disarm", "--yes")["given-up"] == 4
        time.sleep(10)
        assert segd.segctl("status")["state"] == "disarmed"
        assert lab.probe("a", "192.0.2.20", "tcp/443"), "no deadline closes what somebody opened"
        assert [one["outcome"] for one in segd.segctl("history")["history"]] == ["disarmed", "confirmed", "replaced", "confirmed"]
        segd.stop()
        segd.start()
        assert segd.segctl("status")["policy"]["version"] == 3, "and what was not confirmed does not boot"
        segd.segctl("disarm", "--yes")
        segd.apply(policy(AB="from: a, to: b, service: [tcp/443]"), "--confirm-within", "2s")
        time.sleep(3)
        assert not lab.probe("a", "192.0.2.20", "tcp/443", expect=False), "nothing goes back to an open gateway"


def test_isolate_and_release():
    with Town(WIDE) as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        other = lab.stream("a", "10.2.0.20", "tcp/8080", source="10.1.0.21")
        segd.segctl("isolate", "10.1.0.20", "--reason", "test")
        assert stream.dead()
        assert other.both(), "its neighbour goes on"
        assert not lab.probe("a", "10.1.0.1", "tcp/22", source="10.1.0.20", expect=False)
        assert not lab.probe("gw", "10.1.0.20", "tcp/6514", expect=False)
        segd.apply()
        segd.stop()
        segd.start()
        assert not lab.probe("a", "10.2.0.20", "tcp/443", source="10.1.0.20", expect=False), "kept across a restart"
        assert segd.segctl("isolated")["isolated"][0]["target"] == "10.1.0.20"
        segd.segctl("release", "10.1.0.20")
        assert lab.probe("a", "10.2.0.20", "tcp/443", source="10.1.0.20")


def test_diff_names_what_moves():
    with Town(WIDE) as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        assert stream.both()
        new = lab.tmp / "new.yaml"
        new.write_text(policy(AB=None, AO="from: a, to: out, service: [tcp/80]"))
        answer = segd.segctl("diff", str(new), ok=(1,))
        assert {"tcp/443"} <= {str(c["service"]) for c in answer["closes"]} or "443" in str(answer["closes"]), answer
        assert not answer["opens"], answer
        assert any(f["dport"] == 443 for f in answer["flows"]), answer
