# SPDX-License-Identifier: GPL-2.0-or-later
"""What else travels: groups, errors, translated addresses; and the ways round, named."""
import os
import socket
import struct
import time

import time

from lab import NEVER, SOON, receive, wait_for
from town import Town, policy

FEW = ("a", "b", "out")


def group_listener(lab, family, kind, proto, interface, group, port):
    s = lab.socket("gw", family, kind, proto, bind=("", port) if port else None)
    with lab.inside("gw"):
        index = socket.if_nametoindex(interface)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                 struct.pack("4s4si", socket.inet_aton(group), b"\0" * 4, index))
    return s


def heard(s, token, seconds):
    got = receive(s, seconds)
    return bool(got and token in got[0])


def test_groups_belong_to_the_interface():
    text = policy(VR="from: a, to: gateway, service: [proto/112]", DH="from: b, to: gateway, service: [udp/67]")
    with Town(text, FEW) as (lab, segd):
        vrrp = group_listener(lab, socket.AF_INET, socket.SOCK_RAW, 112, "a0", "224.0.0.18", 0)
        vrrp_b = group_listener(lab, socket.AF_INET, socket.SOCK_RAW, 112, "b0", "224.0.0.18", 0)
        token = os.urandom(12)
        lab.frame("a", "224.0.0.18", source="10.1.0.20", proto=112, payload=token, to_mac="01:00:5e:00:00:12", ttl=255)
        assert heard(vrrp, token, SOON)
        receive(vrrp_b, NEVER)
        token = os.urandom(12)
        lab.frame("b", "224.0.0.18", source="10.2.0.20", proto=112, payload=token, to_mac="01:00:5e:00:00:12", ttl=255)
        assert not heard(vrrp_b, token, NEVER), "no permit wants it"
        dhcp = lab.socket("gw", socket.AF_INET, socket.SOCK_DGRAM, bind=("", 67))
        for host, allowed in (("b", True), ("a", False)):
            token = os.urandom(12)
            lab.frame(host, "255.255.255.255", source="0.0.0.0", dport=67, sport=68, payload=token,
                      to_mac="ff:ff:ff:ff:ff:ff")
            assert heard(dhcp, token, SOON if allowed else NEVER) == allowed, f"DHCP from {host}"
        assert not segd.alerts("denied"), "groups that nobody wants are counted, not alerted"
        assert not segd.alerts("spoofed")


def test_errors_of_permitted_flows_come_back():
    with Town(policy(), FEW) as (lab, _):
        for at, dst, port in (("a", "10.2.0.20", 5005), ("a", "2001:db8:2::20", 5005), ("gw", "10.1.0.20", 514),
                              ("gw", "2001:db8:1::20", 514)):
            s = lab.socket(at, socket.AF_INET6 if ":" in dst else socket.AF_INET, socket.SOCK_DGRAM)
            s.connect((dst, port))
            s.send(b"nobody listens")

            def refused(s=s):
                try:
                    s.send(b"?")
                except ConnectionRefusedError:
                    return True
                return False
            assert wait_for(refused, SOON), f"port unreachable of {dst} is lost"


def told(wire, seconds):
    """The first ICMP error that comes in: its type; None."""
    end = time.monotonic() + seconds
    while got := receive(wire, end - time.monotonic()):
        frame = got[0]
        if got[1][2] != 4 and frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] in (3, 11):
            return {3: "too big", 11: "time exceeded"}[frame[34]]
        if got[1][2] != 4 and frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] in (2, 3):
            return {2: "too big", 3: "time exceeded"}[frame[54]]
    return None


def test_the_first_packet_of_a_flow_meets_errors_too():
    """Path MTU discovery and traceroute by packets that open a flow: told where permitted, and to nobody else."""
    with Town(policy(), FEW) as (lab, segd):
        lab.ip("gw", "link set b0 mtu 1300")
        number = 46000
        for me, far in (("10.1.0.20", "10.2.0.20"), ("2001:db8:1::20", "2001:db8:2::20")):
            for error, packet in (("too big", {"payload": b"." * 1400}), ("time exceeded", {"payload": b".", "ttl": 1})):
                wires = {host: lab.wire(host) for host in ("a", "out")}
                for port, permitted in ((5005, True), (5999, False)):
                    number += 1
                    lab.frame("a", far, source=me, sport=number, dport=port, **packet)
                    heard = told(wires["a"], SOON if permitted else NEVER)
                    assert heard == (error if permitted else None), f"{me} to port {port}: {heard}"
                number += 1
                lab.frame("out", far, source=me, sport=number, dport=5005, **packet)
                assert not told(wires["a"], NEVER) and not told(wires["out"], NEVER), f"a liar's packet is answered to {me}"
                lab.drop(*wires.values())
        assert not segd.alerts("denied", from_="gateway"), segd.alerts("denied", from_="gateway")


def test_a_large_first_packet_is_counted_once():
    with Town(policy(), FEW) as (lab, segd):
        lab.frame("a", "10.2.0.20", source="10.1.0.20", sport=46100, dport=5005, payload=b"." * 1200)
        lab.frame("a", "192.0.2.20", source="10.1.0.20", sport=46101, dport=5005, payload=b"." * 1200)

        def counted():
            permit = next(p for p in segd.segctl("permits")["permits"] if p["id"] == "AB")
            return permit["flows"], permit["packets"]
        assert wait_for(lambda: counted() == (1, 1), 3), counted()
        assert wait_for(lambda: sum(d["count"] for d in segd.segctl("denials")["denials"]) == 1, 3)


def test_translation_by_others_is_seen_through():
    """Another table rewrites addresses: verdicts are about the true ends, and revocation reaches them."""
    with Town(policy(), FEW) as (lab, segd):
        lab.nft("gw", """
            table ip others {
                chain pre { type nat hook prerouting priority dstnat;
                    ip daddr 203.0.113.9 tcp dport 80 dnat to 10.2.0.20:443
                    ip daddr 203.0.113.9 tcp dport 81 dnat to 10.2.0.20:444; }
                chain post { type nat hook postrouting priority srcnat; oifname "out0" masquerade; }
            }""")
        server = lab.socket("b", socket.AF_INET, socket.SOCK_STREAM, bind=("10.2.0.20", 443))
        server.listen(4)
        assert lab.tcp("a", "203.0.113.9", 80) == "open", "10.1.0.20 -> 10.2.0.20 tcp/443 is AB's"
        assert lab.tcp("a", "203.0.113.9", 81, patience=NEVER) == "silent", "and 444 nobody's"
        stream = lab.stream("b", "192.0.2.20", "tcp/443")
        assert stream.both()
        flows = [f for f in segd.segctl("flows")["flows"] if f["dst"] == "192.0.2.20"]
        assert flows and flows[0]["src"] == "10.2.0.20" and flows[0]["permit"] == "BO", flows
        segd.apply(policy(BO=None))
        assert stream.dead()
        assert not segd.alerts("violation"), "what was permitted once is revoked, not a violation"


def way_round(lab, segd, text, word, undo):
    lab.nft("gw", text)
    line = segd.alert("bypass")
    assert line, f"no alert for {word}"
    assert wait_for(lambda: word in str(segd.segctl("status")["bypass"]), SOON), segd.segctl("status")["bypass"]
    found = segd.segctl("verify", ok=(0, 1))["findings"]
    assert any(f["kind"] == "bypass" for f in found), found
    lab.nft("gw", undo)
    assert wait_for(lambda: not segd.segctl("status")["bypass"], SOON), segd.segctl("status")["bypass"]


def test_notrack_is_named():
    with Town(policy(), FEW) as (lab, segd):
        way_round(lab, segd, """table ip sly { chain c { type filter hook prerouting priority raw;
                                ip saddr 10.1.0.20 notrack
                                }
                              }""", "sly", "delete table ip sly")


def test_forwarding_at_ingress_is_named():
    with Town(policy(), FEW) as (lab, segd):
        way_round(lab, segd, """table netdev sly { chain c { type filter hook ingress device "a0" priority 0;
                                fwd to "out0"
                                }
                              }""", "sly", "delete table netdev sly")


def test_lines_wait_for_syslog():
    """A syslog that is away loses nothing, and finds each line once, at a new socket too."""
    with Town(policy(), FEW) as (lab, segd):
        segd.lines()
        segd.syslog.close()
        (segd.dir / "log").unlink()
        assert not lab.probe("a", "192.0.2.20", "tcp/443", expect=False)
        segd.syslog = segd._datagram("log")
        assert segd.alert("denied", seconds=10, dst="192.0.2.20")
        assert len(segd.alerts("denied", dst="192.0.2.20")) == 1


def test_a_slow_syslog_gets_every_line_once():
    """It stops reading while hundreds of lines come, and reads on: they follow within ten seconds, in order. Then it
    dies with lines on the way, and another one takes its place."""
    lines = 400
    with Town(policy(), FEW, settings="denied-window: 1h\n") as (lab, segd):
        segd.syslog.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        def refuse(first, n):
            for number in range(first, first + n):
                lab.exec("gw", "conntrack", "-I", "-s", "10.1.0.20", "-d", "192.0.2.20", "-p", "udp", "--sport",
                         str(10000 + number), "--dport", "9", "-t", "60")

        def numbers():
            return [int(line.split(" sport=")[1].split()[0]) - 10000 for line in segd.alerts("violation")]

        refuse(0, lines)
        assert wait_for(lambda: segd.segctl("status")["violations"] == lines, SOON)
        began = time.monotonic()
        assert wait_for(lambda: len(numbers()) == lines, 10, 0.01), f"{len(numbers())} of {lines} within ten seconds"
        print(f"     {lines} lines within {time.monotonic() - began:.2f} s")
        assert numbers() == list(range(lines)), "each once and in order"
        refuse(lines, 100)
        assert wait_for(lambda: segd.segctl("status")["violations"] == lines + 100, SOON)
        taken = []
        while got := receive(segd.syslog, 0):  # what its socket held is its own
            taken.append(got[0].decode())
        segd.log += taken
        segd.syslog.close()
        (segd.dir / "log").unlink()
        refuse(lines + 100, 100)
        segd.syslog = segd._datagram("log")
        assert wait_for(lambda: len(set(numbers())) == lines + 200, 10, 0.01), len(set(numbers()))
        assert numbers() == list(range(lines + 200)), "each once and in order"


def test_a_violation_is_said_as_it_begins_and_ends():
    with Town(policy(), FEW) as (lab, segd):
        segd.kill()
        lab.take_rules_away()
        stream = lab.stream("a", "192.0.2.20", "tcp/443")
        segd.start()
        assert segd.alert("violation", dst="192.0.2.20", action="cut")
        ended = segd.alert("violation-ended", seconds=4, dst="192.0.2.20")
        assert ended and "packets=" in ended and "bytes=" in ended, segd.lines()
        assert stream.dead()
        assert len(segd.alerts("violation", dst="192.0.2.20")) == 1
