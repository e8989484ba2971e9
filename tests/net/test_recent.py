# SPDX-License-Identifier: GPL-2.0-or-later
"""The short way for what was admitted a moment ago: it leads nowhere that the long way does not."""
import re
import socket
import struct

from lab import NEVER, SOON, arrived, checksum, transport, wait_for
from test_life import closed_and_open
from test_plain import memory, plain_town, restored
from town import Town, policy

AB = "from: a, to: b, service: [tcp/443, udp/5005, icmp/8]"
ELEMENT = re.compile(r"(\S+) \. (\S+) \. (tcp|udp|icmp) \. (\S+) (?:timeout \S+ )?expires \S+ : 0x(\w+)")


def remembered(lab):
    """The map's name, and what it holds: (source, destination, protocol, port) to number."""
    name = memory(lab)
    text = lab.exec("gw", "nft", "-n", "list", "map", "inet", "segd", name).stdout
    text = text.replace(". 6 .", ". tcp .").replace(". 17 .", ". udp .").replace(". 1 .", ". icmp .")
    return name, {found[:4]: int(found[4], 16) for found in ELEMENT.findall(text)}


def flows_of(segd, permit):
    return next(p for p in segd.segctl("permits")["permits"] if p["id"] == permit)["flows"]


def test_what_was_admitted_is_asked_again():
    key = ("10.1.0.20", "10.2.0.20", "tcp", "443")
    with Town(policy(AB=AB)) as (lab, segd):
        assert lab.probes([("a", "10.2.0.20", service, None, True) for service in ("tcp/443", "udp/5005", "icmp/8")]) \
            == [True] * 3
        _, known = remembered(lab)
        assert set(known) == {key, ("10.1.0.20", "10.2.0.20", "udp", "5005")}, known
        before = flows_of(segd, "AB")
        assert all(lab.probe("a", "10.2.0.20", "tcp/443") for _ in range(3))
        assert flows_of(segd, "AB") == before + 3
        wire = lab.wire("b")
        lab.frame("a", "10.2.0.20", source="10.1.0.20", proto="tcp", dport=443, flags="S", payload=b"as before")
        assert arrived(wire, b"as before"), "the harness"
        for what, src, more in (("of another interface", "out", dict(flags="S")), ("no beginning", "a", dict(flags="A"))):
            lab.frame(src, "10.2.0.20", source="10.1.0.20", proto="tcp", sport=40001, dport=443, payload=what.encode(), **more)
            assert not arrived(wire, what.encode(), NEVER), what
        assert segd.alert("spoofed", src="10.1.0.20")
        for close, again in ((lambda: segd.apply(policy(AB=None)), lambda: segd.apply(policy(AB=AB))),
                             (lambda: segd.segctl("isolate", "10.1.0.20", "--reason", "test", "--for", "1h"),
                              lambda: segd.segctl("release", "10.1.0.20"))):
            assert lab.probe("a", "10.2.0.20", "tcp/443")
            close()
            assert not lab.probe("a", "10.2.0.20", "tcp/443", expect=False)
            again()


def test_a_foreign_hand_teaches_nothing():
    """Where the table has no owner. The harness: what is put there while nobody lives does open."""
    with plain_town() as (lab, segd):
        assert closed_and_open(lab) == [True, False]
        name, known = remembered(lab)
        number = known[("10.1.0.20", "10.2.0.20", "tcp", "443")]
        lie = ["nft", "add", "element", "inet", "segd", name,
               "{ 10.1.0.20 . 192.0.2.20 . tcp . 443 timeout 1h : %d }" % number]
        lab.exec("gw", *lie)
        assert restored(segd, 1)
        assert closed_and_open(lab) == [True, False]
        assert ("10.1.0.20", "192.0.2.20", "tcp", "443") not in remembered(lab)[1]
        segd.kill()
        lab.exec("gw", *lie)
        assert lab.probe("a", "192.0.2.20", "tcp/443"), "the harness"
        segd.start()
        assert closed_and_open(lab) == [True, False]


def test_what_was_not_heard_teaches_nothing():
    """What is remembered is in no image of the table."""
    with plain_town() as (lab, segd):
        assert closed_and_open(lab) == [True, False]
        name, known = remembered(lab)
        number = known[("10.1.0.20", "10.2.0.20", "tcp", "443")]
        with segd.deaf():
            lab.exec("gw", "nft", "add", "element", "inet", "segd", name,
                     "{ 10.1.0.20 . 192.0.2.20 . tcp . 443 timeout 1h : %d }" % number)
        assert wait_for(lambda: ("10.1.0.20", "192.0.2.20", "tcp", "443") not in remembered(lab)[1], SOON)
        assert closed_and_open(lab) == [True, False]


def by_way_of(lab, way, dst, sport, payload):
    """A SYN from a to dst, which names the way that it goes on (loose source routing, RFC 791)."""
    tcp = transport("10.1.0.20", dst, "tcp", sport, 443, "S", payload)
    option = bytes([131, 7, 4]) + socket.inet_aton(way) + b"\0"
    head = struct.pack("!BBHHHBBH4s4s", 0x47, 0, 28 + len(tcp), 1, 0, 64, 6, 0, socket.inet_aton("10.1.0.20"),
                       socket.inet_aton(dst)) + option
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    wire = lab.socket("a", socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("eth0", 0))
    wire.send(bytes.fromhex((lab.mac("gw", "a0") + lab.mac("a")).replace(":", "")) + b"\x08\x00" + head + tcp)


def test_an_address_that_becomes_the_gateways_own():
    """No number knows of it, and no daemon need live: the kernel is asked, whatever its settings let in."""
    with Town(policy(AB=AB)) as (lab, segd):
        lab.sysctl("gw", *(f"net.ipv4.conf.{name}.{key}" for name in ("all", "a0")
                           for key in ("accept_source_route=1", "accept_local=1", "rp_filter=0")))
        for host in ("10.1.0.77", "10.2.0.77"):
            lab.ip("gw", f"neigh replace {host} lladdr {lab.mac('b' if host.startswith('10.2') else 'a')} dev "
                         f"{'b0' if host.startswith('10.2') else 'a0'} nud permanent")
        b, out = lab.wire("b"), lab.wire("out")
        lab.frame("a", "10.2.0.20", source="10.1.0.77", proto="tcp", sport=41001, dport=443, payload=b"a host's")
        lab.frame("a", "10.2.0.77", source="10.1.0.20", proto="tcp", sport=41002, dport=443, payload=b"to a host")
        assert arrived(b, b"a host's") and arrived(b, b"to a host"), "the harness"
        assert len(remembered(lab)[1]) == 2
        segd.kill()
        lab.ip("gw", "neigh del 10.1.0.77 dev a0", "neigh del 10.2.0.77 dev b0", "addr add 10.1.0.77/32 dev a0",
               "addr add 10.2.0.77/32 dev b0")
        lab.frame("a", "10.2.0.20", source="10.1.0.77", proto="tcp", sport=41003, dport=443, payload=b"a mirror")
        by_way_of(lab, "192.0.2.20", "10.2.0.77", 41004, b"led on")
        assert not arrived(b, b"a mirror", NEVER)
        assert not arrived(out, b"led on", NEVER)
