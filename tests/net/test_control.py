# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket of a running segd: what it says of itself is true, and nobody who may only ask
can change or hold it up."""
import contextlib
import os
import pathlib
import socket
import stat
import subprocess
import sys
import time

from lab import TOP, wait_for
from town import Town, policy
from varlink import Client, Interface, Refused

ASKED = {"Status": {}, "Permits": {}, "Flows": {}, "Denials": {}, "Violations": {}, "Matrix": {}, "Verify": {},
         "History": {}, "Report": {}, "Isolated": {}, "Stages": {},
         "Explain": {"src": "10.1.0.20", "dst": "10.2.0.20", "proto": "tcp/443"}}


def interface_of(client):
    text = client.call("org.varlink.service.GetInterfaceDescription", interface="org.segd")["description"]
    assert "[][]" not in text, "varlinkctl knows no list of lists"
    return Interface(text)


def check(interface, method, reply):
    problems = interface.check(interface.methods[method][1], reply, method)
    assert not problems, problems


def test_the_description_is_true():
    """Every method's answer has the types that introspection promises, on a gateway with something to tell."""
    with Town() as (lab, segd), Client(segd.control) as client:
        info = client.call("org.varlink.service.GetInfo")
        assert info["interfaces"] == ["org.varlink.service", "org.segd"], info
        interface = interface_of(client)
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        assert stream.both()
        lab.frame("a", "192.0.2.20", source="10.1.0.20")
        lab.frame("a", "192.0.2.20", source="10.9.9.9")
        assert segd.alert("denied") and segd.alert("spoofed")
        for method, parameters in ASKED.items():
            assert not interface.check(interface.methods[method][0], parameters)
            check(interface, method, client.call("org.segd." + method, **parameters))
        busiest = client.call("org.segd.Flows", busiest=1)
        check(interface, "Flows", busiest)
        assert len(busiest["flows"]) == 1 and busiest["pairs"][0]["flows"] >= 1, busiest
        check(interface, "Isolate", client.call("org.segd.Isolate", target="10.1.0.21", reason="a test", **{"for": 600}))
        for method in ("Isolated", "Status"):
            check(interface, method, client.call("org.segd." + method))
        check(interface, "Release", client.call("org.segd.Release", target="10.1.0.21"))
        segd.policy.write_text(policy(AB=None))
        check(interface, "Diff", client.call("org.segd.Diff"))
        check(interface, "Apply", client.call("org.segd.Apply", confirm_within=60, comment="ein Test", ticket="T-1"))
        check(interface, "Status", client.call("org.segd.Status"))
        check(interface, "Confirm", client.call("org.segd.Confirm"))
        check(interface, "Rollback", client.call("org.segd.Rollback"))
        check(interface, "History", client.call("org.segd.History"))


def test_events_are_as_described():
    with Town() as (lab, segd), Client(segd.control) as asking, Client(segd.control) as watching:
        interface = interface_of(asking)
        watching.send("org.segd.Watch", more=True)
        asking.call("org.segd.Status")
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        assert stream.both()
        lab.frame("a", "192.0.2.20", source="10.1.0.20")
        lab.frame("a", "192.0.2.20", source="10.9.9.9")
        segd.policy.write_text(policy(AB=None))
        asking.call("org.segd.Apply", comment="cut")
        seen = set()
        while not {"flow-begun", "denied", "spoofed", "applied", "revoked"} <= seen:
            event = watching.receive()
            seen.add(event["event"])
            check(interface, "Watch", event)


def test_errors_are_as_described():
    with Town() as (lab, segd), Client(segd.control) as client:
        interface = interface_of(client)
        segd.policy.write_text(policy(AB="from: a, to: nowhere, service: [tcp/1]"))
        for method, parameters in (("Apply", {}), ("Apply", {"confirm_within": -1}), ("Release", {"target": "x"}),
                                   ("Disarm", {"yes": False}), ("Rollback", {"version": 999})):
            try:
                client.call("org.segd." + method, **parameters)
            except Refused as refused:
                name = refused.error.removeprefix("org.segd.")
                assert not (p := interface.check(interface.errors[name], refused.parameters, name)), p
            else:
                raise AssertionError(f"{method} {parameters} was done")
        assert segd.segctl("status")["policy"]["permits"] == 5, "what was in force stays"


AS_SOMEBODY = """
import os, sys
sys.path.insert(0, sys.argv[1]); sys.dont_write_bytecode = True
from varlink import Client, Refused
os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(65534)
with Client(sys.argv[2]) as client:
    client.call("org.segd.Status")
    for method, parameters in (("Apply", {}), ("Disarm", {"yes": True}), ("Rollback", {}), ("Confirm", {}),
                               ("Isolate", {"target": "a", "reason": "x"}), ("Release", {"target": "a"}),
                               ("Stage", {"stage": None})):
        try:
            client.call("org.segd." + method, **parameters)
            sys.exit(method + " was done")
        except Refused as refused:
            if refused.error != "org.segd.NotAllowed":
                sys.exit(str(refused))
"""


def test_members_of_the_group_ask_and_root_changes():
    with Town() as (lab, segd):
        there = os.stat(segd.control)
        assert stat.S_IMODE(there.st_mode) == 0o660, oct(there.st_mode)
        os.chown(segd.control, -1, 64999)
        for directory in segd.control.parents:
            os.chmod(directory, os.stat(directory).st_mode | 0o111)
        words = (sys.executable, "-c", AS_SOMEBODY, str(TOP / "tests/net"), str(segd.control))
        asked = subprocess.run([*words, "64999"], capture_output=True, text=True)
        assert asked.returncode == 0, asked.stderr
        stranger = subprocess.run([*words, "64998"], capture_output=True, text=True)
        assert "PermissionError" in stranger.stderr, "only the group may connect"
        assert segd.segctl("history")["history"][-1]["uid"] == 0
        assert segd.segctl("status")["state"] == "enforcing"


def flows_of(client, **parameters):
    """Of an answer in pieces: each of them."""
    client.send("org.segd.Flows", parameters, more=True)
    while True:
        reply = client.reply()
        yield reply["parameters"]["flows"]
        if not reply.get("continues"):
            return


def crowd(lab, n):
    """So many flows that AB admits, which nobody answers."""
    for first in range(0, n, 11):
        s = lab.socket("a", socket.AF_INET, socket.SOCK_DGRAM, bind=("", 10000 + first // 11))
        for port in range(5000, 5000 + min(11, n - first)):
            s.sendto(b"x", ("10.2.0.20", port))
        lab.drop(s)


def test_many_flows_come_in_pieces():
    """Each once; a reader that stops holds nobody up and costs a bounded piece of memory; one that leaves ends it."""
    with Town(hosts=("a", "b", "out")) as (lab, segd), Client(segd.control) as asking, Client(segd.control) as quick:
        lab.nft("b", "table ip quiet { chain in { type filter hook input priority 0; ip protocol udp drop; }\n}")
        lab.sysctl("gw", "net.netfilter.nf_conntrack_udp_timeout=600")
        crowd(lab, 20000)
        many = sum(line.startswith("udp") for line in lab.conntrack())  # a slow machine's queues drop some
        assert many > 10000, many
        interface = interface_of(asking)
        slow = Client(segd.control)
        pieces = flows_of(slow)
        seen = [next(pieces)]
        sockets = netlink_sockets(segd)
        before = rss(segd)
        for piece in flows_of(quick):
            check(interface, "Flows", {"flows": piece})
            assert asking.call("org.segd.Status")["state"] == "enforcing"
        seen += pieces
        keys = [(f["src"], f["sport"], f["dport"]) for piece in seen for f in piece if f["proto"] == "udp"]
        assert len(keys) == len(set(keys)) == many, (len(keys), len(set(keys)))
        assert len(seen) > many / 1000, "in pieces"
        assert rss(segd) - before < 4096, f"{rss(segd) - before} KiB more"
        next(flows_of(slow))
        slow.socket.close()
        assert wait_for(lambda: netlink_sockets(segd) < sockets, 3), "nobody reads: the walk ends"
        try:
            asking.call("org.segd.Flows")
        except Refused as refused:
            assert refused.parameters["code"] == "too-many", refused
            assert not (p := interface.check(interface.errors["Refused"], refused.parameters, "Refused")), p
        else:
            raise AssertionError("one answer of any length")
        assert len(asking.call("org.segd.Flows", zone="out")["flows"]) == 0
        busiest = asking.call("org.segd.Flows", busiest=3)
        assert len(busiest["flows"]) == 3 and busiest["pairs"][0]["flows"] >= many, busiest["pairs"]
        assert len([f for f in segd.segctl("flows")["flows"] if f["proto"] == "udp"]) == many
        assert len(segd.segctl("flows", "--zone", "b", json_out=False).splitlines()) > many


def netlink_sockets(segd):
    inodes = {line.split()[-1] for line in pathlib.Path(f"/proc/{segd.process.pid}/net/netlink").read_text().splitlines()}
    links = []
    for fd in pathlib.Path(f"/proc/{segd.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # readings of counters open and close theirs meanwhile
            links.append(os.readlink(fd))
    return sum(link[8:-1] in inodes for link in links if link.startswith("socket:["))


def rss(segd):
    for line in pathlib.Path(f"/proc/{segd.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no daemon")


def test_crowds_and_sleepers_do_not_hold_it_up():
    """Clients that are silent, do not read or speak nonsense: status is answered all the same."""
    with Town() as (lab, segd):
        crowd = []
        for number in range(40):
            s = socket.socket(socket.AF_UNIX)
            s.connect(str(segd.control))
            if number % 3 == 1:
                s.send(b'{"method":"org.segd.Watch","more":true}\0')
            elif number % 3 == 2:
                s.send(b'{"method":"org.segd.Matrix"}\0' * 500)
            crowd.append(s)
        for number in range(200):
            lab.frame("a", "192.0.2.20", source="10.1.0.20", dport=number + 1)
        with Client(segd.control) as client:
            for _ in range(20):
                client.call("org.segd.Status")
        for s in crowd:
            s.close()
        assert wait_for(lambda: segd.segctl("status")["state"] == "enforcing")
