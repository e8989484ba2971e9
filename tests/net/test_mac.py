# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with a mac is address and MAC together, on real frames."""
import os

from lab import NEVER, SOON, arrived, wait_for
from town import Town, policy

HOST = "00:00:5e:00:53:20"
TEXT = policy(hosts={"pc": f"address: [10.1.0.20, '2001:db8:1::20'], mac: '{HOST}'", "other": "address: 10.1.0.21"},
              AB="from: a, to: b, source: [pc], service: [tcp/443, udp/5005]",
              AG="from: a, to: gateway, source: [pc], service: [udp/123]")


def passes(lab, wire, source, dst, mac, proto="udp", dport=5005, seconds=NEVER):
    token = os.urandom(12)
    lab.frame("a", dst, source=source, mac=mac, proto=proto, dport=dport, payload=token, sport=20000 + token[0])
    return arrived(wire, token, seconds)


def test_mac_on_frames():
    with Town(TEXT) as (lab, segd):
        wire = lab.wire("b")
        for source, dst in (("10.1.0.20", "10.2.0.20"), ("2001:db8:1::20", "2001:db8:2::20")):
            assert passes(lab, wire, source, dst, HOST, seconds=SOON)
            assert not passes(lab, wire, source, dst, "00:00:5e:00:53:99"), f"{source} from another card"
        assert not passes(lab, wire, "10.1.0.21", "10.2.0.20", HOST), "another address from the same card"
        assert not passes(lab, wire, "10.1.0.20", "10.2.0.20", "00:00:5e:00:53:99", "tcp", 443)


def test_another_card_cannot_use_an_open_flow():
    with Town(TEXT) as (lab, _):
        wire = lab.wire("b")
        stream = lab.stream("a", "10.2.0.20", "udp/5005", source="10.1.0.20", sport=20500)
        assert stream.both()
        token = os.urandom(12)
        lab.frame("a", "10.2.0.20", source="10.1.0.20", mac="00:00:5e:00:53:99", sport=20500, dport=5005, payload=token)
        assert not arrived(wire, token, NEVER), "a foreign card in an open flow"
        assert stream.both(), "which goes on for its owner"


def test_explain_says_mac():
    with Town(TEXT) as (_, segd):
        asked = ("explain", "10.1.0.20", "10.2.0.20", "tcp/443")
        assert segd.segctl(*asked, "--mac", HOST)["verdict"] == "permit"
        answer = segd.segctl(*asked, "--mac", "00:00:5e:00:53:99", ok=(1,))
        assert (answer["reason"], answer["nearest"]) == ("mac", "AB"), answer


def test_an_answer_does_not_vouch_for_a_card():
    """The host has another card from now on: what the old one opened ends both ways, also where the server speaks on."""
    with Town(TEXT) as (lab, segd):
        streams = [lab.stream("a", dst, service, source=source)
                   for source, dst in (("10.1.0.20", "10.2.0.20"), ("2001:db8:1::20", "2001:db8:2::20"))
                   for service in ("udp/5005", "tcp/443")]
        assert all(s.both() for s in streams)
        segd.apply(TEXT.replace(HOST, "00:00:5e:00:53:99"))
        assert [s for s in streams if not s.dead()] == []
        segd.apply(TEXT + "# and back\n")
        assert wait_for(streams[0].both, 2), "by the initiator's next packet"
