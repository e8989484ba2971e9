# SPDX-License-Identifier: GPL-2.0-or-later
"""Who works over ssh is asked before a change cuts that: whatever the session's addresses, as sshd writes them."""
import os
import socket
from contextlib import contextmanager
from unittest import mock

from lab import SOON, connect, receive
from town import Town, policy

FEW = ("a", "b")
SCOPED = "fe80::1%a0"


def index_of(lab, name, interface):
    with lab.inside(name):
        return socket.if_nametoindex(interface)


def place(lab, name, address, interface):
    """Where a socket of this host finds the address."""
    return (address.partition("%")[0], 22, 0, index_of(lab, name, interface)) if "%" in address else (address, 22)


@contextmanager
def session(lab, server):
    """A TCP session from host a; yields whether it lives."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    listener = lab.socket("gw", family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(place(lab, "gw", server, "a0"))
    listener.listen(1)
    client = lab.socket("a", family, socket.SOCK_STREAM)
    assert connect(client, place(lab, "a", server, "eth0"), SOON) == "open"
    peer, address = listener.accept()
    peer.setblocking(False)

    def lives():
        token = os.urandom(6)
        client.send(token)
        got = receive(peer, 1)
        return bool(got and token in got[0])

    name = f"{address[0].partition('%')[0]}%a0" if "%" in server else address[0]
    try:
        with mock.patch.dict(os.environ, SSH_CONNECTION=f"{name} {address[1]} {server} 22"):
            assert lives()
            yield lives
    finally:
        peer.close()
        lab.drop(client, listener)


def refused(segd, *words):
    error = segd.segctl(*words, ok=(4,))["error"]
    return error["code"] == "would-cut-session" and "--force" in error["message"]


def test_session_over_a_link_local_address():
    with Town(policy(), FEW) as (lab, segd):
        lab.ip("gw", "addr add fe80::1/64 dev a0 nodad")
        lab.ip("a", "addr add fe80::20/64 dev eth0 nodad")
        with session(lab, SCOPED) as lives:
            assert refused(segd, "isolate", "a", "--reason", "x")
            segd.policy.write_text(policy(AG=None))
            assert refused(segd, "apply") and lives()
            segd.segctl("isolate", "b", "--reason", "x")
            segd.policy.write_text(policy(AB=None))
            segd.segctl("apply")
            assert lives(), "what leaves it alone needs no word"


def test_session_is_of_a_host_with_a_mac():
    """The kernel knows whose it is: the MAC in the new policy decides, and one that is right needs no word."""
    def bound(mac):
        return policy(hosts={"adm": f"address: 10.1.0.20, mac: '{mac}'"},
                      AG="from: a, to: gateway, source: [adm], service: [tcp/22]")

    with Town(policy(), FEW) as (lab, segd):
        with session(lab, "10.1.0.1") as lives:
            segd.policy.write_text(bound("00:00:5e:00:53:99"))
            assert refused(segd, "apply") and lives()
            segd.policy.write_text(bound(lab.mac("a")))
            segd.segctl("apply")
            assert lives()
            segd.policy.write_text(bound(lab.mac("a")) + "# again\n")
            segd.segctl("apply")
            assert lives()


def test_session_comes_by_an_interface():
    with Town(policy(), FEW) as (lab, segd):
        with session(lab, "10.1.0.1") as lives:
            segd.policy.write_text(policy({"a": "tier: lgwan, interfaces: [a9], networks: [10.1.0.0/24]"},
                                          AG="from: a, to: gateway, destination: [10.1.0.1], service: [tcp/22]"))
            assert refused(segd, "apply") and lives()


def test_session_behind_a_router():
    """Its packets bear the router's MAC."""
    with Town(policy(), FEW) as (lab, segd):
        lab.ip("gw", "route add 10.1.0.128/25 via 10.1.0.20")
        lab.ip("a", "addr add 10.1.0.200/32 dev lo", "route replace 10.1.0.0/24 dev eth0 src 10.1.0.200")
        with session(lab, "10.1.0.1") as lives:
            assert os.environ["SSH_CONNECTION"].startswith("10.1.0.200 ")
            for mac, cuts in (("00:00:5e:00:53:99", True), (lab.mac("a"), False)):
                segd.policy.write_text(policy(hosts={"adm": f"address: 10.1.0.200, mac: '{mac}'"},
                                              AG="from: a, to: gateway, source: [adm], service: [tcp/22]"))
                assert refused(segd, "apply") if cuts else segd.segctl("apply")
                assert lives()


def test_session_that_cannot_be_read():
    with Town(policy(), FEW) as (_, segd):
        segd.policy.write_text(policy(AB=None))
        with mock.patch.dict(os.environ, SSH_CONNECTION="somewhere 65535 else 65535"):
            assert refused(segd, "apply")
            segd.segctl("isolate", "b", "--reason", "an emergency does not wait for it")
        with mock.patch.dict(os.environ, SSH_CONNECTION="UNKNOWN 65535 UNKNOWN 65535"):
            segd.segctl("apply")
        with mock.patch.dict(os.environ, SSH_CONNECTION=""):
            segd.segctl("isolate", "a", "--reason", "x")
