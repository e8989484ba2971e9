# SPDX-License-Identifier: GPL-2.0-or-later
"""Isolation and emergency stages: at once, open flows included, kept until they are ended."""
import os
import socket
import time
from unittest import mock

from lab import PATIENCE, SOON, arrived, wait_for
from town import Town, policy

PERMITS = {
    "AB": "from: [a, b], to: [b, out, gateway], service: [tcp/443, tcp/8080, udp/5005, icmp/8, icmpv6/128]",
    "BA": "from: b, to: a, service: [udp/514]",
    "GB": "from: gateway, to: [a, b], service: [tcp/6514, udp/514]",
    "BO": None, "AG": None, "GA": None,
}
HOSTS = {"pc": "address: 10.1.0.20"}
STAGES = """
stages:
  watch: {title: 警戒, closes: {permits: [AW]}}
  cut: {title: 遮断, closes: {zones: [a, inn]}}
  class: {closes: {classes: [内部]}}
"""


def town(stages=STAGES, **permits):
    watched = "from: a, to: out, service: [tcp/80, udp/53], at-close: drain, hours: [daily 00:00-24:00]"
    return policy(hosts=HOSTS, **{**PERMITS, "AW": watched, **permits}) + stages


def stopped(segd, permit):
    return {p["id"]: p["state"] for p in segd.segctl("permits")["permits"]}[permit] == "stopped"


def test_stage_stops_permits_and_their_flows():
    with Town(town()) as (lab, segd):
        doomed = [lab.stream("a", "192.0.2.20", "tcp/80"), lab.stream("a", "192.0.2.20", "udp/53"),
                  lab.stream("a", "2001:db8:f::20", "tcp/80"), lab.stream("a", "2001:db8:f::20", "udp/53")]
        kept = lab.stream("a", "192.0.2.20", "tcp/443")
        sets = lab.generation()
        answer = segd.segctl("stage", "watch", "--reason", "drill")
        assert all(s.dead() for s in doomed)
        assert kept.both()
        assert answer["revoked"] == {"flows": 4, "permits": 1}, answer
        assert lab.generation() == sets + 1, "one transaction: elements alone"
        assert wait_for(lambda: not [line for line in lab.conntrack() if "dport=80 " in line], 3)
        assert segd.alert("stage", stage="watch", before="normal", uid="0", reason="drill")
        assert segd.alert("revoked", permit="AW", reason="stage", count="4")
        assert segd.segctl("status")["policy"]["stage"] == "watch"
        assert stopped(segd, "AW") and not stopped(segd, "AB")
        explained = segd.segctl("explain", "10.1.0.20", "192.0.2.20", "tcp/80", ok=(1,))
        assert explained["verdict"] == "deny" and explained["reason"] == "stage", explained
        assert not lab.probe("a", "192.0.2.20", "tcp/80", expect=False)
        assert wait_for(lambda: any(d["reason"] == "stage" for d in segd.segctl("denials")["denials"]), 3)
        assert segd.segctl("verify")["equal"]
        assert not segd.alerts("violation")


def test_isolate_again_tells_what_was_replaced():
    with Town(town()) as (_, segd):
        segd.segctl("isolate", "pc", "--for", "4h", "--reason", "malware")
        told = segd.segctl("isolate", "pc", "--for", "1h", "--reason", "looked at", json_out=False)
        assert "pc was isolated already, until " in told and "the reason was: malware" in told, told
        assert "SHORTENED" in told, told
        assert segd.alert("isolated", target="pc", action="shortened", before_reason="malware")
        assert "(shortened: was until " in segd.segctl("history", json_out=False)
        told = segd.segctl("isolate", "pc", "--reason", "for good", json_out=False)
        assert "it lasts until released now" in told and "SHORTENED" not in told, told


def test_stage_outlives_applies_and_restarts():
    with Town(town()) as (lab, segd):
        segd.segctl("stage", "watch")
        open_flow = lab.stream("a", "192.0.2.20", "tcp/443")
        for change in (town(BA=None), town(stages="")):
            segd.apply(change)
            assert not lab.probe("a", "192.0.2.20", "tcp/80", expect=False), "kept across an apply"
        segd.kill()
        assert not lab.probe("a", "192.0.2.20", "tcp/80", expect=False), "no daemon needed"
        segd.start()
        assert segd.segctl("status")["policy"]["stage"] == "watch"
        assert not lab.probe("a", "192.0.2.20", "tcp/80", expect=False), "kept across a restart"
        assert open_flow.both()
        segd.apply(town())
        listed = {s["stage"]: s for s in segd.segctl("stage", "--list")["stages"]}
        assert listed["watch"]["active"] and not listed["cut"]["active"]
        assert listed["cut"]["closes"] == {"permits": [], "classes": [], "zones": ["a", "inn"]}
        segd.segctl("stage", "normal")
        assert segd.alert("stage", stage="normal", before="watch")
        assert segd.segctl("status")["policy"]["stage"] is None
        assert lab.probe("a", "192.0.2.20", "tcp/80")
        assert open_flow.both()


def test_stage_closes_a_zone_whole():
    """Also where a permit of the zone opens other zones, which goes on."""
    with Town(town()) as (lab, segd):
        doomed = [lab.stream("a", "10.2.0.20", "tcp/443"), lab.stream("a", "2001:db8:2::20", "udp/5005"),
                  lab.stream("b", "10.1.0.20", "udp/514"), lab.stream("a", "10.1.0.1", "tcp/443"),
                  lab.stream("gw", "10.1.0.20", "tcp/6514"), lab.stream("gw", "2001:db8:1::20", "udp/514"),
                  lab.stream("i0", "10.3.1.20", "tcp/443"), lab.stream("i0", "2001:db8:3:1::20", "udp/5005")]
        kept = [lab.stream("b", "192.0.2.20", "tcp/443"), lab.stream("b", "10.2.0.1", "tcp/443"),
                lab.stream("gw", "10.2.0.20", "udp/514")]
        segd.segctl("stage", "cut")
        assert [s for s in doomed if not s.dead()] == []
        assert all(s.both() for s in kept)
        assert not lab.probe("a", "10.2.0.20", "icmp/8", expect=False)
        assert not lab.probe("a", "2001:db8:1::1", "icmpv6/128", expect=False), "nor the gateway"
        assert not lab.probe("gw", "10.1.0.20", "udp/514", expect=False)
        assert not lab.probe("i1", "10.3.0.20", "tcp/22", expect=False), "nor inside the zone"
        assert segd.segctl("verify")["equal"]
        segd.segctl("stage", "--off")
        assert lab.probe("a", "10.2.0.20", "tcp/443")
        assert lab.probe("i1", "10.3.0.20", "tcp/22")


def test_stage_of_a_class():
    with Town(town()) as (lab, segd):
        streams = [lab.stream("a", "10.2.0.20", "tcp/443"), lab.stream("a", "10.1.0.1", "udp/5005")]
        segd.segctl("stage", "class")
        assert all(s.dead() for s in streams)
        assert lab.probe("i0", "10.3.1.20", "tcp/443"), "inside a zone is no permit of a class"
        segd.segctl("stage", "watch")
        assert lab.probe("a", "10.2.0.20", "tcp/443"), "one stage at a time"


def test_neither_cuts_the_own_session_unasked():
    """Who works over ssh is asked before an isolation, a stage or the way back takes that away, and keeps the stream
    until then."""
    with Town(town(AB=None, BA=None)) as (lab, segd):
        segd.apply(town(BA=None))
        session = lab.stream("a", "10.1.0.1", "tcp/443")
        port = next(f["sport"] for f in wait_for(lambda: [f for f in segd.segctl("flows")["flows"] if f["permit"] == "AB"], 3))
        with mock.patch.dict(os.environ, SSH_CONNECTION=f"10.1.0.20 {port} 10.1.0.1 443"):
            for words in ["isolate", "pc", "--reason", "x"], ["isolate", "a", "--reason", "x"], ["stage", "cut"], ["stage", "class"], \
                    ["rollback"]:
                error = segd.segctl(*words, ok=(4,))["error"]
                assert error["code"] == "would-cut-session" and "--force" in error["message"], (words, error)
                assert session.both(), words
            assert segd.segctl("isolated") == {"isolated": []}
            assert segd.segctl("status")["policy"]["stage"] is None
            assert not segd.alerts("stage") and not segd.alerts("isolated")
            segd.segctl("stage", "watch")
            assert session.both(), "a stage that leaves it alone needs no word"
            segd.segctl("stage", "cut", "--force")
            assert session.dead()
            segd.segctl("stage", "--off")
            session = lab.stream("a", "10.1.0.1", "tcp/443")
            segd.segctl("rollback", "--force")
            assert session.dead()


def test_unknown_stage_is_refused():
    with Town(town()) as (_, segd):
        answer = segd.segctl("stage", "panic", ok=(1,))
        assert "panic" in answer["error"]["message"], answer
        assert segd.segctl("stage", "normal", ok=(1,))["error"]["code"] == "not-found"


def test_isolate_a_zone():
    with Town(town()) as (lab, segd):
        doomed = [lab.stream("a", "10.2.0.20", "tcp/443"), lab.stream("b", "10.1.0.20", "udp/514"),
                  lab.stream("gw", "2001:db8:1::20", "tcp/6514"), lab.stream("a", "2001:db8:1::1", "tcp/443")]
        kept = lab.stream("b", "192.0.2.20", "udp/5005")
        answer = segd.segctl("isolate", "a", "--reason", "ransomware")
        assert [s for s in doomed if not s.dead()] == []
        assert kept.both()
        assert answer["revoked"]["flows"] == 4, answer
        assert segd.alert("isolated", target="a", reason="ransomware")
        assert segd.segctl("explain", "10.1.0.20", "10.2.0.20", "tcp/443", ok=(1,))["reason"] == "isolated"
        assert stopped(segd, "AW") and stopped(segd, "BA")
        segd.apply(town(BA=None))
        segd.stop()
        segd.start()
        assert not lab.probe("a", "10.2.0.20", "tcp/443", expect=False)
        segd.segctl("release", "a")
        assert lab.probe("a", "10.2.0.20", "tcp/443")
        assert segd.alert("released", target="a")


def test_isolate_a_host_of_the_policy_for_a_while():
    with Town(town()) as (lab, segd):
        stream, server_first = lab.stream("a", "10.2.0.20", "tcp/443"), lab.stream("b", "10.1.0.20", "udp/514")
        neighbour = lab.stream("a", "10.2.0.20", "tcp/443", source="10.1.0.21")
        segd.segctl("isolate", "pc", ok=(2,))
        span = int(4 * PATIENCE)
        segd.segctl("isolate", "pc", "--for", f"{span}s", "--reason", "x")
        began = time.monotonic()
        assert stream.dead() and server_first.dead()
        assert neighbour.both()
        assert not lab.probe("a", "10.1.0.1", "udp/5005", expect=False)
        assert not lab.probe("gw", "10.1.0.20", "udp/514", expect=False)
        listed, = segd.segctl("isolated")["isolated"]
        assert listed["target"] == "pc" and listed["until"] and listed["reason"] == "x", listed
        other_name = segd.segctl("release", "10.1.0.20", ok=(1,))["error"]["message"]
        assert "segctl isolated" in other_name, other_name
        assert segd.alert("released", seconds=6, target="pc", reason="over")
        assert span / 2 < time.monotonic() - began < span * 1.5
        assert lab.probe("a", "10.2.0.20", "tcp/443")
        assert segd.segctl("isolated") == {"isolated": []}


def test_isolated_outlives_the_address():
    """Another machine gets the name: the one that was cut off is not connected again by that."""
    with Town(town()) as (lab, segd):
        segd.segctl("isolate", "pc", "--reason", "x")
        doomed = lab.stream("a", "10.2.0.20", "tcp/443", source="10.1.0.21")
        segd.apply(town().replace(HOSTS["pc"], "address: 10.1.0.21"))
        assert doomed.dead(), "whom the name means now"
        for restart in (False, True):
            if restart:
                segd.kill()
                segd.start()
            for source in ("10.1.0.20", "10.1.0.21"):
                assert not lab.probe("a", "10.2.0.20", "tcp/443", source=source, expect=False), (source, restart)
            listed, = segd.segctl("isolated")["isolated"]
            assert listed["addresses"] == ["10.1.0.20/31"], listed
        segd.segctl("release", "pc")
        assert lab.probe("a", "10.2.0.20", "tcp/443", source="10.1.0.20")


def test_an_isolated_rest_holds_no_groups():
    """A zone `any` is isolated, and gets networks of its own: what it took with the rest is hosts, and nobody's groups."""
    before = policy(AG="from: [a, b], to: gateway, service: [udp/5353, icmpv6/128]", GA="from: gateway, to: a, service: [udp/5353, icmpv6/128]")
    after = before.replace("networks: [any]", "networks: [192.0.2.0/24, '2001:db8:f::/64']")
    assert before != after
    with Town(before, hosts=("a", "b", "out")) as (lab, segd):
        segd.segctl("isolate", "out", "--reason", "x")
        segd.apply(after)
        for name in ("gw", "a"):
            lab.exec(name, "ip", "-6", "neigh", "flush", "all")
        assert lab.probe("gw", "2001:db8:1::20", "icmpv6/128"), "neighbour discovery goes on"
        wire, token = lab.wire("a"), os.urandom(12)
        sender = lab.socket("gw", socket.AF_INET, socket.SOCK_DGRAM, bind=("10.1.0.1", 0))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.1.0.1"))
        sender.sendto(token, ("224.0.0.251", 5353))
        assert arrived(wire, token, SOON)
        assert not lab.probe("a", "192.0.2.20", "udp/53", expect=False) and segd.segctl("verify")["equal"]


def test_isolated_prefix_outlives_the_name():
    with Town(town()) as (lab, segd):
        segd.segctl("isolate", "pc", "--reason", "x")
        segd.segctl("isolate", "2001:db8:1::/64", "--reason", "x")
        segd.apply(policy(**PERMITS))
        assert not lab.probe("a", "10.2.0.20", "tcp/443", source="10.1.0.20", expect=False), "the policy forgot who pc was"
        assert not lab.probe("a", "2001:db8:2::20", "tcp/443", expect=False)
        assert lab.probe("a", "10.2.0.20", "tcp/443", source="10.1.0.21")


def test_the_gateway_cannot_be_isolated_from_itself():
    with Town(town()) as (_, segd):
        assert "gateway itself" in segd.segctl("isolate", "10.1.0.1", "--reason", "x", ok=(2,))["error"]["message"]
        assert segd.segctl("isolated") == {"isolated": []}


def test_report_has_the_evidence():
    with Town(town()) as (lab, segd):
        assert lab.probe("a", "10.2.0.20", "tcp/443")
        assert not lab.probe("b", "10.3.0.20", "tcp/443", expect=False)
        segd.segctl("isolate", "pc", "--reason", "drill")
        segd.segctl("release", "pc")
        segd.segctl("stage", "watch", "--reason", "drill")
        segd.segctl("stage", "normal")
        segd.apply(town(BA=None), "--ticket", "T-7")
        segd.stop()
        segd.start()
        report = segd.segctl("report")
        assert [a["event"] for a in reversed(report["actions"])] == ["isolated", "released", "stage", "stage"], report
        assert report["actions"][-1]["target"] == "pc" and report["actions"][-1]["uid"] == 0
        assert {"started", "stopped"} <= {i["event"] for i in report["incidents"]}
        assert report["denied"] >= 1, report
        assert report["policies"][0]["ticket"] == "T-7" and len(report["policies"][0]["hash"]) == 64
        used = {p["id"]: p for p in report["permits"]}
        assert not used["AB"]["unused"] and used["AB"]["packets"] and used["AB"]["last"]
        assert used["GB"]["unused"] and used["GB"]["owner"] == "test"
        assert [a["event"] for a in segd.segctl("history")["actions"]] == ["stage", "stage", "released", "isolated"]
        past = segd.segctl("report", "--from", "2001-04-01", "--until", "2002-03-31")
        assert past["policies"] == past["actions"] == past["incidents"] == [] and past["denied"] == 0
        assert segd.segctl("report", "--from", "soon", ok=(2,))["error"]["code"] == "invalid-parameter"
        text = segd.segctl("report", json_out=False)
        assert "drill" in text and "T-7" in text, text
