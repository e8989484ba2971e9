# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes that pass packets on by themselves: what is told of them, and at what cost."""
import ctypes
import os
import re
import socket
import struct
import time

from lab import NEVER, SOON, arrived, network, transport, wait_for
from town import Town, policy

FEW = ("a", "b", "out")
TAKES_OUT = "encap seg6local action End.DX2 oif out0 dev a0"


def route(lab, words):
    """Does it stand? Not every kernel has every kind."""
    done = lab.exec("gw", "ip", *words.split(), check=False)
    if done.returncode:
        print(f"     not on this kernel: ip {words}: {done.stderr.strip()}")
    return done.returncode == 0


def told_while_it_stands(lab, segd, words, about):
    before = len(segd.alerts("bypass"))
    if not route(lab, words):
        return
    assert wait_for(lambda: segd.segctl("status")["bypass"], SOON), f"nobody is told of {words}"
    said = segd.segctl("status")["bypass"]
    assert len(said) == 1 and all(word in said[0] for word in about), said
    assert [f["detail"] for f in segd.segctl("verify", ok=(0, 1))["findings"] if f["kind"] == "bypass"] == said
    assert len(segd.alerts("bypass")) == before + 1, segd.alerts("bypass")[before:]
    lab.exec("gw", "ip", *re.split(" nexthop via | encap ", words)[0].replace(" add ", " del ").split())
    assert wait_for(lambda: not segd.segctl("status")["bypass"], SOON), segd.segctl("status")["bypass"]


def leaks(lab):
    """A frame for out within a packet of a's: does it arrive there?"""
    token, wire = os.urandom(12), lab.wire("out")
    body = transport("10.1.0.20", "192.0.2.20", "udp", 41000, 5005, "", token)
    inner = bytes.fromhex((lab.mac("out") + lab.mac("gw", "out0")).replace(":", "")) + b"\x08\x00"
    inner += network("10.1.0.20", "192.0.2.20", 17, len(body), 64) + body
    lab.frame("a", "2001:db8:99::1", source="2001:db8:1::20", proto=143, payload=inner)
    seen = arrived(wire, token, NEVER)
    lab.drop(wire)
    return seen


def test_segment_routing_that_takes_packets_out_is_named():
    with Town(policy(), FEW) as (lab, segd):
        for words, about in (
                (f"-6 route add 2001:db8:99::1/128 {TAKES_OUT}", ("2001:db8:99::1/128 in table 254", "seg6local")),
                (f"-6 route add 2001:db8:98::/48 table 77 {TAKES_OUT}", ("2001:db8:98::/48 in table 77", "seg6local")),
                (f"-6 route add default metric 1 {TAKES_OUT}", ("::/0", "seg6local")),
                (f"-6 route add 2001:db8:96::/48 nexthop via 2001:db8:f::20"
                 f" nexthop {TAKES_OUT.replace('dev', 'via 2001:db8:1::20 dev')}",
                 ("2001:db8:96::/48", "seg6local")),
                (f"-6 nexthop add id 7 {TAKES_OUT}", ("nexthop 7", "seg6local"))):
            told_while_it_stands(lab, segd, words, about)
        if route(lab, f"-6 route add 2001:db8:99::1/128 {TAKES_OUT}"):
            assert leaks(lab), "it is no way round: why is it told?"
            assert segd.alert("bypass", seconds=13), "the look of every ten seconds"


def program():
    """A BPF program for routes that lets everything by: its descriptor."""
    code = struct.pack("<BBhiBBhi", 0xb7, 0, 0, 0, 0x95, 0, 0, 0)  # r0 = BPF_OK; exit
    text, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    wanted = struct.pack("<IIQQ", 12, 2, ctypes.addressof(text), ctypes.addressof(licence)).ljust(128, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall({"x86_64": 321, "aarch64": 280}[os.uname().machine], 5, wanted, len(wanted))  # BPF_PROG_LOAD
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return fd


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def change_route(lab, kind, flags, attributes):
    """Of 198.51.100.0/24; by hand, as ip wants a file for a program."""
    with lab.inside("gw"), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        out = socket.if_nametoindex("out0")
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, 24, 0, 0, 254, 3, 253, 1, 0)
        body += attribute(1, socket.inet_aton("198.51.100.0")) + attribute(4, struct.pack("=I", out)) + attributes
        netlink.send(struct.pack("=IHHII", 16 + len(body), kind, flags | 5, 1, 0) + body)
        error, = struct.unpack_from("=i", netlink.recv(4096), 16)
        if error:
            raise OSError(-error, os.strerror(-error))


def test_a_route_that_runs_a_program_is_named():
    with Town(policy(), FEW) as (lab, segd):
        fd = program()
        run = attribute(3, attribute(1, struct.pack("=I", fd)) + attribute(2, b"x\0"))  # LWT_BPF_XMIT
        change_route(lab, 24, 0x600, attribute(21, struct.pack("=H", 6)) + attribute(22, run))
        os.close(fd)
        assert wait_for(lambda: segd.segctl("status")["bypass"], SOON)
        said = segd.segctl("status")["bypass"]
        assert len(said) == 1 and "198.51.100.0/24 in table 254 runs a BPF program" in said[0], said
        assert segd.alert("bypass")
        change_route(lab, 25, 0, b"")
        assert wait_for(lambda: not segd.segctl("status")["bypass"], SOON)


def test_a_route_may_encapsulate():
    """What goes out of a permitted way in a tunnel was judged; and ordinary routes are many."""
    with Town(policy(), FEW) as (lab, segd):
        route(lab, "-6 route add 2001:db8:97::/48 encap seg6 mode encap segs 2001:db8:f::20 dev out0")
        route(lab, "route add 198.51.100.0/24 nexthop via 192.0.2.20 nexthop via 10.2.0.20")
        route(lab, "nexthop add id 8 via 192.0.2.20 dev out0")
        route(lab, "route add 203.0.113.0/24 nhid 8")
        lab.exec("gw", "ip", "-batch", "-", input="".join(
            f"route add 2001:db8:9{i // 250:03x}:{i % 250:x}::/64 via 2001:db8:f::20\n" for i in range(2000)))
        began = time.monotonic()
        assert segd.segctl("status")["bypass"] == [] and segd.segctl("verify", ok=(0, 1))["equal"]
        print(f"     both in {1000 * (time.monotonic() - began):.0f} ms beside 2,000 routes")
        assert lab.probe("a", "10.2.0.20", "tcp/443") and not segd.alerts("bypass")


def test_interfaces_that_take_labels_are_named():
    with Town(policy(), FEW) as (lab, segd):
        if lab.exec("gw", "sysctl", "-qw", "net.mpls.platform_labels=1000", check=False).returncode:
            print("     this kernel routes no labels")
            return
        assert segd.segctl("status")["bypass"] == []
        lab.sysctl("gw", "net.mpls.conf.a0.input=1")
        said = segd.segctl("status")["bypass"]
        assert len(said) == 1 and "a0 takes packets with labels" in said[0], said
        lab.exec("gw", "ip", "-M", "route", "add", "100", "via", "inet", "192.0.2.20", "dev", "out0")
        token, wire, sender = os.urandom(12), lab.wire("out"), lab.socket("a", socket.AF_PACKET, socket.SOCK_RAW)
        sender.bind(("eth0", 0))
        body = transport("10.1.0.20", "192.0.2.20", "udp", 41000, 5005, "", token)
        sender.send(bytes.fromhex((lab.mac("gw", "a0") + lab.mac("a")).replace(":", "")) + b"\x88\x47"
                    + struct.pack(">L", 100 << 12 | 1 << 8 | 64)
                    + network("10.1.0.20", "192.0.2.20", 17, len(body), 64) + body)
        assert arrived(wire, token, SOON), "it is no way round: why is it told?"
        lab.sysctl("gw", "net.mpls.conf.a0.input=0")
        assert segd.segctl("status")["bypass"] == []
