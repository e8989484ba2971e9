# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways round the ruleset: packets made by hand that no honest host sends."""
import contextlib
import ipaddress
import os
import shutil
import socket
import struct

from lab import NEVER, SOON, arrived, checksum, network, receive, transport, wait_for
from town import Town, policy

# One permit, several zones on either side: each pair of zones is a road of its own.
MANY = policy(MM="from: [a, inn], to: [b, den], service: [udp/7000]")


def passes(lab, at, src, dst, seconds=NEVER, **frame):
    wire, token = lab.wire(at), os.urandom(12)
    payload = frame.pop("around", lambda t: t)(token)
    lab.frame(src, dst, payload=payload, **frame)
    seen = arrived(wire, token, seconds)
    lab.drop(wire)
    return seen


def error(src, dst, flow, sport, dport):
    """An ICMP error to flow[0] about its UDP flow to flow[1], around a token."""
    def around(token):
        inner = network(*flow, 17, 8 + len(token), 60) + transport(*flow, "udp", sport, dport, "", token)
        v6 = ":" in src
        body = struct.pack(">BBHL", *((1, 0) if v6 else (3, 1)), 0, 0) + inner
        pseudo = b""
        if v6:
            ends = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
            pseudo = ends + struct.pack(">LL", len(body), 58)
        return body[:2] + struct.pack(">H", checksum(pseudo + body)) + body[4:]
    return {"source": src, "proto": 58 if ":" in src else 1, "around": around}


def test_own_addresses_do_not_come_in_from_outside():
    """The kernel drops them by itself for IPv4 alone."""
    with Town() as (lab, segd):
        for own, to in (("10.1.0.1", "10.2.0.20"), ("2001:db8:1::1", "2001:db8:2::20")):
            assert not passes(lab, "b", "a", to, source=own, dport=5005), f"{own} is forwarded"
        server = lab.socket("gw", 10, 2, bind=("2001:db8:1::1", 123))
        lab.frame("a", "2001:db8:1::1", source="2001:db8:1::20", dport=123, payload=b"honest")
        got = receive(server, SOON)
        assert got and got[0] == b"honest"
        lab.frame("a", "2001:db8:1::1", source="2001:db8:1::1", dport=123, payload=b"mirror")
        assert not receive(server, NEVER), "the gateway's own address as source"
        assert segd.alert("spoofed", src="2001:db8:1::1")
        assert lab.probe("a", "2001:db8:1::1", "icmpv6/128"), "neighbour discovery goes on"


def test_an_open_flow_keeps_to_its_zones():
    """Packets of an open flow by an interface of another zone that the same permit names."""
    with Town(MANY) as (lab, segd):
        for me, far, liar, den in (("10.1.0.20", "10.2.0.20", "i0", "d0"),
                                   ("2001:db8:1::20", "2001:db8:2::20", "i0", "d0")):
            stream = lab.stream("a", far, "udp/7000", sport=45000)
            assert not passes(lab, "a", den, me, source=far, sport=7000, dport=45000), "a reply from another zone"
            assert not passes(lab, "b", liar, far, source=me, sport=45000, dport=7000), "a request from another zone"
            assert stream.both()
        assert lab.stream("i0", "10.4.0.20", "udp/7000").both() and lab.stream("a", "10.4.0.20", "udp/7000").both()
        assert {f["permit"] for f in segd.segctl("flows")["flows"]} == {"MM"}
        answer = segd.apply(policy())
        assert answer["revoked"] == {"flows": 4, "permits": 1}, answer
        assert len(segd.alerts("revoked", permit="MM", count=4)) == 1, segd.alerts("revoked")


def test_errors_come_from_the_flows_own_way():
    """An ICMP error carries whatever its sender likes: it may only come from where the flow's packets do."""
    with Town() as (lab, segd):
        for me, far, router, others in (
                ("10.1.0.20", "10.2.0.20", "10.2.0.99", (("d0", "10.4.0.20"), ("out", "192.0.2.20"), ("a", "10.1.0.99"))),
                ("2001:db8:1::20", "2001:db8:2::20", "2001:db8:2::99",
                 (("d0", "2001:db8:4::20"), ("out", "2001:db8:f::20"), ("a", "2001:db8:1::99")))):
            stream = lab.stream("a", far, "udp/5005", sport=45001)
            assert passes(lab, "a", "b", me, SOON, **error(router, me, (me, far), 45001, 5005)), "a router there may"
            for liar, source in others:
                assert not passes(lab, "a", liar, me, **error(source, me, (me, far), 45001, 5005)), f"{source} tells"
            assert stream.both()


def extension(kind, following):
    if kind == 43:
        return struct.pack(">BBBBL", following, 0, 0, 0, 0)
    return struct.pack(">BB", following, 0) + b"\x01\x04\0\0\0\0"


def test_extension_headers_hide_no_port():
    with Town() as (lab, segd):
        ends = ("2001:db8:1::20", "2001:db8:2::20")
        for kind in (0, 43, 60):
            for port, open_ in ((5005, True), (5999, False)):
                def around(token, port=port, kind=kind):
                    return extension(kind, 17) + transport(*ends, "udp", 44000 + kind, port, "", token)
                assert passes(lab, "b", "a", ends[1], source=ends[0], proto=kind, around=around) is open_, (kind, port)


def test_fragments_are_judged_whole():
    with Town() as (lab, segd):
        ends, mark = ("2001:db8:1::20", "2001:db8:2::20"), b"THE SECOND HALF "

        def fragments(number, port, which):
            whole = transport(*ends, "udp", 44100, port, "", b"." * 24 + mark)
            parts = [(1, whole[:16]), (16, whole[16:])]
            for at in which:
                lab.frame("a", ends[1], source=ends[0], proto=44,
                          payload=struct.pack(">BBHL", 17, 0, parts[at][0], number) + parts[at][1])
        wire = lab.wire("b")
        fragments(1, 5999, (0, 1))
        fragments(2, 5005, (1,))
        assert not arrived(wire, mark, NEVER), "a forbidden port, or a second half alone"
        fragments(3, 5005, (0, 1))
        assert arrived(wire, mark)


def test_sources_that_nobody_has():
    with Town() as (lab, segd):
        for source in ("127.0.0.1", "0.1.2.3", "224.0.0.5", "255.255.255.255", "240.0.0.1"):
            for src in ("a", "out"):
                assert not passes(lab, "b", src, "10.2.0.20", 0.15, source=source, dport=5005), f"{source} from {src}"
        for source in ("::1", "::", "::ffff:10.1.0.20", "ff02::5", "fe80::1"):
            for src in ("a", "out"):
                assert not passes(lab, "b", src, "2001:db8:2::20", 0.15, source=source, dport=5005), f"{source} from {src}"


def test_link_addresses_are_the_links_own():
    """The same two addresses on another link are another flow, though conntrack cannot tell."""
    text = policy(DH="from: b, to: gateway, service: [udp/67, udp/546]", GA="from: gateway, to: a, service: [udp/547]")
    with Town(text) as (lab, segd):
        lab.ip("gw", "addr add fe80::1/64 dev a0 nodad", "addr add fe80::1/64 dev b0 nodad")
        servers = {"0.0.0.0": lab.socket("gw", 2, 2, bind=("", 67)), "fe80::77": lab.socket("gw", 10, 2, bind=("::", 546))}
        for source, dst, port, mac in (("0.0.0.0", "255.255.255.255", 67, "ff:ff:ff:ff:ff:ff"),
                                       ("fe80::77", "fe80::1", 546, None)):
            for turn in range(2):
                for host, allowed in (("b", True), ("a", False)):
                    token = os.urandom(12)
                    lab.frame(host, dst, source=source, sport=68, dport=port, payload=token, to_mac=mac)
                    got = receive(servers[source], SOON if allowed else NEVER)
                    assert bool(got and got[0] == token) is allowed, f"{source} from {host}, turn {turn}"
        s = lab.socket("gw", 10, 2, bind=("::", 5547))
        for host, allowed in (("a", True), ("b", False)):
            with lab.inside("gw"):
                index = socket.if_nametoindex(lab.hosts[host]["interface"])
            wire, token = lab.wire(host), os.urandom(12)
            with contextlib.suppress(PermissionError):
                s.sendto(token, ("ff02::1:2", 547, 0, index))
            assert arrived(wire, token, SOON if allowed else NEVER) is allowed, f"to the group behind {host}"


def test_groups_are_not_routed():
    with Town() as (lab, segd):
        wires = {h: lab.wire(h) for h in ("b", "out", "d0")}
        tokens = []
        for dst in ("10.2.0.255", "10.1.0.255", "255.255.255.255", "224.0.0.1", "239.1.2.3", "ff02::1", "ff05::1:3",
                    "ff0e::101"):
            tokens.append(b"group" + dst.encode())
            lab.frame("a", dst, source="2001:db8:1::20" if ":" in dst else "10.1.0.20", dport=5005, payload=tokens[-1])
        for host, wire in wires.items():
            while got := receive(wire, NEVER):
                assert got[1][2] == 4 or not any(t in got[0] for t in tokens), f"{host} received {got[0]}"


def loosely_routed(source, dst, hop, port, token):
    """An IPv4 packet to dst that asks to be sent on to hop (RFC 791, loose source route)."""
    body = transport(source, dst, "udp", 40000, port, "", token)
    ends = socket.inet_aton(source) + socket.inet_aton(dst)
    head = struct.pack(">BBHHHBBH", 0x47, 0, 28 + len(body), 0, 0, 64, 17, 0) + ends
    head += bytes((131, 7, 4)) + socket.inet_aton(hop) + b"\0"
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def test_an_open_flow_to_the_gateway_leads_nowhere_else():
    """Nor does a source route on an open flow that is permitted: forward lets no such flow by."""
    with Town(hosts=("a", "out")) as (lab, _):
        lab.sysctl("gw", *(f"net.ipv4.conf.{i}.accept_source_route=1" for i in ("all", "a0", "out0")))
        client, server = (lab.socket(at, socket.AF_INET, socket.SOCK_DGRAM) for at in ("a", "gw"))
        client.bind(("10.1.0.20", 40000))
        server.bind(("10.1.0.1", 123))
        for _ in range(2):  # the answer opens it
            client.sendto(b"x", ("10.1.0.1", 123))
            server.sendto(*receive(server, SOON))
            assert receive(client, SOON)
        link = bytes.fromhex((lab.mac("gw", "a0") + lab.mac("a")).replace(":", "")) + b"\x08\x00"
        wire, sender, token = lab.wire("out"), lab.socket("a", socket.AF_PACKET, socket.SOCK_RAW), os.urandom(12)
        sender.bind(("eth0", 0))
        sender.send(link + loosely_routed("10.1.0.20", "10.1.0.1", "192.0.2.20", 123, token))
        assert not arrived(wire, token, NEVER), "by way of the gateway's address to out"


def segments_to(gateway, last, source, port, token):
    """A UDP packet to the gateway that names its own way on to last: types 4 (SRv6) of RFC 8754. Its checksum is
    right for the way to the gateway, or conntrack would not know it."""
    way = struct.pack(">BBBBBBH", 17, 4, 4, 1, 1, 0, 0) + b"".join(ipaddress.ip_address(a).packed for a in (last, gateway))
    return way + transport(source, gateway, "udp", 40000, port, "", token)


def test_segments_lead_no_flow_of_the_gateways_on():
    """A foreign hand has switched segment routing on: what input let by comes to forward with another address."""
    with Town(hosts=("a", "b", "out")) as (lab, _):
        lab.sysctl("gw", *(f"net.ipv6.conf.{i}.seg6_enabled=1" for i in ("all", "a0", "b0", "out0")))
        gateway, me = "2001:db8:1::1", "2001:db8:1::20"
        for host, last in (("out", "2001:db8:f::20"), ("b", "2001:db8:2::20")):
            for port in (123, 123, 5005):
                assert not passes(lab, host, "a", gateway, source=me, proto=43, around=lambda token:
                                  segments_to(gateway, last, me, port, token)), f"udp/{port} by way of the gateway to {last}"
        assert lab.probe("a", gateway, "udp/123") and lab.probe("a", "2001:db8:2::20", "udp/5005")


def test_no_setting_routes_what_is_the_gateways_own():
    """A source route leads past the address that was judged, and a broadcast into every host of a link."""
    with Town(hosts=("a", "b", "out")) as (lab, segd):
        lab.sysctl("gw", *(f"net.ipv4.conf.{i}.{s}=1" for i in ("all", "a0", "b0", "out0")
                           for s in ("accept_source_route", "bc_forwarding")))
        link = bytes.fromhex((lab.mac("gw", "a0") + lab.mac("a")).replace(":", "")) + b"\x08\x00"
        wire, sender = lab.wire("out"), lab.socket("a", socket.AF_PACKET, socket.SOCK_RAW)
        sender.bind(("eth0", 0))
        for own, port in (("10.2.0.1", 5005), ("10.1.0.1", 123)):
            token = os.urandom(12)
            sender.send(link + loosely_routed("10.1.0.20", own, "192.0.2.20", port, token))
            assert not arrived(wire, token, NEVER), f"by way of {own} to out"
        assert not passes(lab, "b", "a", "10.2.0.255", source="10.1.0.20", dport=5005), "a broadcast of b's link"
        assert passes(lab, "b", "a", "10.2.0.20", SOON, source="10.1.0.20", dport=5005)


def test_an_anycast_address_is_not_the_interfaces_own():
    """A router takes the first address of each network of its own for itself, on whichever interface it comes."""
    with Town(policy(AG="from: a, to: gateway, service: [udp/123]"), hosts=("a", "b")) as (lab, segd):
        server = lab.socket("gw", socket.AF_INET6, socket.SOCK_DGRAM, bind=("::", 123))
        for dst, theirs in (("2001:db8:1::1", True), ("2001:db8:1::", False), ("2001:db8:2::", False)):
            lab.frame("a", dst, source="2001:db8:1::20", dport=123, payload=dst.encode())
            got = receive(server, SOON if theirs else NEVER)
            assert (got is not None) == theirs, (dst, got)
        assert not segd.alerts("violation"), segd.alerts("violation")


def sends(lab, src, dst, port, at=None, seconds=NEVER):
    """Does a datagram of the gateway's to that address arrive there, or on another host's line?"""
    family = socket.AF_INET6 if ":" in dst else socket.AF_INET
    server, wire, token = lab.socket("gw", family, socket.SOCK_DGRAM, bind=(dst, port)), at and lab.wire(at), os.urandom(12)
    with contextlib.suppress(PermissionError):
        lab.socket("gw", family, socket.SOCK_DGRAM, bind=(src, 0)).sendto(token, (dst, port))
    seen = arrived(wire, token, seconds) if at else receive(server, seconds) is not None
    lab.drop(server, *([wire] if at else []))
    return seen


def test_loopback_leads_nowhere_else():
    """What another table sends on, addressed to the gateway itself, still has lo as its interface."""
    for sealed in (False, True):
        with Town(hosts=("a", "out")) as (lab, segd):
            if sealed:
                segd.stop()
                segd.policy.write_text("not a policy")
                lab.exec("gw", "nft", "delete", "table", "inet", "segd")
                shutil.rmtree(segd.state)
                segd.start()
                assert segd.segctl("status")["state"] == "sealed"
            for src, dst in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("10.1.0.1", "10.1.0.1"),
                             ("127.0.0.1", "10.1.0.1"), ("2001:db8:1::1", "2001:db8:1::1")):
                assert sends(lab, src, dst, 5999, seconds=SOON), f"{src} to {dst}"
            for family, own, far in (("ip", "10.1.0.1", "192.0.2.20"), ("ip6", "2001:db8:1::1", "2001:db8:f::20")):
                lab.nft("gw", f"table {family} sly {{ chain c {{ type nat hook output priority -100; "
                              f"{family} daddr {own} udp dport 5998 dnat to {far}; }}; }}")
                assert not sends(lab, own, own, 5998, at="out"), f"to {own}, sent on to {far}"
                lab.nft("gw", f"delete table {family} sly")


def mark_of(lab, port):
    """What stands in the mark of the flow to that port."""
    line = next(line for line in lab.conntrack() if f"dport={port} " in line)
    return line.split(" mark=")[1].split()[0]


def test_a_number_that_others_rules_gave_does_not_outlive_them():
    """A flow that bears the number of another permit, in force, would live on by it when its own goes."""
    permits = {"AB": "from: a, to: b, service: [udp/5005]", "KEPT": "from: a, to: b, service: [udp/5007]"}
    with Town(policy(**permits), hosts=("a", "b", "out")) as (lab, segd):
        moved, kept = lab.stream("a", "10.2.0.20", "udp/5005"), lab.stream("a", "10.2.0.20", "udp/5007")
        own, other = mark_of(lab, 5005), mark_of(lab, 5007)
        assert own != other
        lab.nft("gw", "table inet mine { chain p { type filter hook postrouting priority 300;"
                      f" udp dport 5005 ct mark set {other}; }}; }}")
        assert wait_for(lambda: moved.both() and mark_of(lab, 5005) == other)
        lab.nft("gw", "delete table inet mine")
        assert wait_for(lambda: moved.both() and mark_of(lab, 5005) == own), "it bears another permit's number"
        segd.apply(policy(**{**permits, "AB": None}))
        assert moved.dead() and kept.both()
        assert not segd.alerts("violation"), segd.alerts("violation")


def test_a_renumbered_flow_does_not_outlive_its_permit():
    """While such a rule stands, which is told, it gives the flow the other number once more with each packet."""
    permits = {"AB": "from: a, to: b, service: [udp/5005]", "KEPT": "from: a, to: b, service: [udp/5007]"}
    with Town(policy(**permits), hosts=("a", "b", "out")) as (lab, segd):
        moved, kept = lab.stream("a", "10.2.0.20", "udp/5005"), lab.stream("a", "10.2.0.20", "udp/5007")
        other = mark_of(lab, 5007)
        lab.nft("gw", "table inet mine { chain p { type filter hook prerouting priority mangle;"
                      f" udp dport 5005 ct mark set {other}; udp sport 5005 ct mark set {other}; }}; }}")
        assert segd.alert("bypass") and wait_for(lambda: moved.both() and mark_of(lab, 5005) == other)
        segd.apply(policy(**{**permits, "AB": None}))
        assert wait_for(lambda: not any("dport=5005 " in line for line in lab.conntrack()), 3), lab.conntrack()
        assert moved.dead() and kept.both()


def test_a_kernel_that_does_not_forward_is_named():
    """It is no way round and no difference of the rules; but nobody finds out otherwise why permitted flows die."""
    with Town(policy(AB="from: a, to: b, service: [tcp/443]"), hosts=("a", "b")) as (lab, segd):
        assert segd.segctl("status")["forwarding"] == []
        assert segd.segctl("verify")["notes"] == []
        lab.sysctl("gw", "net.ipv4.ip_forward=0")
        status, verified = segd.segctl("status"), segd.segctl("verify")
        assert len(status["forwarding"]) == 1 and "net.ipv4.ip_forward is 0" in status["forwarding"][0], status
        assert verified["notes"] == status["forwarding"] and verified["findings"] == [], verified
        assert "net.ipv4.ip_forward is 0" in segd.segctl("status", json_out=False)
        assert "net.ipv4.ip_forward is 0" in segd.segctl("verify", json_out=False)
        said = segd.segctl("explain", "10.1.0.20", "10.2.0.20", "tcp/443")
        assert said["verdict"] == "permit" and said["forwarding-off"], said
        assert not segd.segctl("explain", "2001:db8:1::20", "2001:db8:2::20", "tcp/443")["forwarding-off"]
        assert not lab.probe("a", "10.2.0.20", "tcp/443", expect=False)
        lab.sysctl("gw", "net.ipv6.conf.all.forwarding=0")
        assert len(segd.segctl("status")["forwarding"]) == 2
        lab.sysctl("gw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        assert segd.segctl("status")["forwarding"] == []
        assert lab.probe("a", "10.2.0.20", "tcp/443")
