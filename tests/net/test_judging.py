# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries that no packet of a plain flow made: expected ones, injected ones, translated ones. Each is judged by what
it is, whatever its mark says."""
import socket
import time

from lab import NEVER, SOON, wait_for
from town import Town, policy

FEW = ("a", "b", "out")
HELPER = """table ip others {
  ct helper ftp {
    type "ftp" protocol tcp;
  }
  chain help {
    type filter hook prerouting priority 0;
    tcp dport 21 ct helper set "ftp"
  }
}
"""


def violations(segd, **fields):
    """How often the beginning and the end of such a violation were said, when all has been said."""
    segd.alert("violation", seconds=SOON, **fields)
    segd.alert("violation-ended", seconds=SOON, **fields)
    time.sleep(1)
    return len(segd.alerts("violation", **fields)), len(segd.alerts("violation-ended", **fields))


def announce(lab, control, port):
    """The server says where it waits for the data connection: conntrack expects it from now on."""
    control.client.send(b"PASV\r\n")
    assert wait_for(lambda: b"PASV" in control.peer.recv(4096), SOON)
    control.peer.send(b"227 Entering Passive Mode (192,0,2,20,%d,%d)\r\n" % divmod(port, 256))
    assert wait_for(lambda: f"dport={port}" in lab.exec("gw", "conntrack", "-L", "expect", check=False).stdout, SOON)


def test_expected_flows_are_judged_by_themselves():
    """An FTP data connection needs a permit of its own; the number that it inherits from its master gives it none."""
    with Town(policy(FT="from: a, to: out, service: [tcp/21, tcp/30000]"), FEW) as (lab, segd):
        lab.nft("gw", HELPER)
        control = lab.stream("a", "192.0.2.20", "tcp/21")
        assert control.both()  # the helper reads from the second line on
        announce(lab, control, 30000)
        data = lab.stream("a", "192.0.2.20", "tcp/30000")
        assert data.both()
        listed = [f for f in segd.segctl("flows")["flows"] if f["dport"] == 30000]
        assert [f["permit"] for f in listed] == ["FT"], listed
        announce(lab, control, 30001)
        assert lab.tcp("a", "192.0.2.20", 30001, patience=NEVER) == "silent"
        assert segd.alert("denied", dst="192.0.2.20", dport=30001)
        segd.kill()
        lab.take_rules_away()
        announce(lab, control, 30002)
        planted = lab.stream("a", "192.0.2.20", "tcp/30002")
        assert planted.both()
        marks = [line for line in lab.conntrack() if "dport=30002" in line]
        assert marks and "mark=0 " not in marks[0], f"the harness: it inherits a mark: {marks}"
        segd.start()
        assert violations(segd, dst="192.0.2.20", dport=30002) == (1, 1), segd.lines()[-8:]
        assert planted.dead()
        assert control.both() and data.both(), "what is permitted goes on"
        assert len(segd.alerts("violation")) == 1


def inject(lab, src, dst, sport, dport, *more):
    lab.exec("gw", "conntrack", "-I", "-s", src, "-d", dst, "-p", "tcp", "--sport", str(sport), "--dport", str(dport),
             "-t", "600", "--state", "ESTABLISHED", "-u", "SEEN_REPLY,ASSURED", *more)


def entries(lab, dport):
    return [line for line in lab.conntrack() if f"dport={dport} " in line.split("src=")[1]]


def test_injected_entries():
    """As conntrackd brings them from a peer: with that peer's marks, without any, the wrong way round."""
    with Town(policy(), FEW) as (lab, segd):
        assert lab.probe("a", "10.2.0.20", "tcp/443")
        number = next(line for line in lab.conntrack() if "dport=443 " in line).split("mark=")[1].split()[0]
        inject(lab, "10.1.0.20", "10.2.0.20", 41000, 443)
        inject(lab, "10.1.0.20", "10.2.0.20", 41001, 443, "-m", number)
        inject(lab, "10.1.0.20", "10.2.0.20", 41002, 444)
        inject(lab, "10.1.0.20", "10.2.0.20", 41003, 445, "-m", number)
        inject(lab, "10.1.0.20", "10.2.0.20", 41004, 446, "-m", "4000000")
        inject(lab, "10.2.0.20", "10.1.0.20", 443, 41005)
        for port, permit in ((444, {}), (445, {"permit": "AB"}), (446, {})):
            assert violations(segd, src="10.1.0.20", dst="10.2.0.20", dport=port, **permit) == (1, 1), port
            assert not entries(lab, port), "removed"
        assert len(segd.alerts("violation")) == 3, segd.alerts("violation")
        assert len([line for line in entries(lab, 443) if "sport=4100" in line]) == 2, "permitted ones stay"
        assert not entries(lab, 41005), "a reply that looks like a beginning is no violation, and no flow"
        assert segd.segctl("status")["violations"] == 3


def test_translated_while_the_rules_were_absent():
    """The violation is about the true ends, and the entry is found by the ones that the kernel knows it by."""
    with Town(policy(), FEW) as (lab, segd):
        lab.nft("gw", """table ip others {
  chain pre {
    type nat hook prerouting priority dstnat;
    ip daddr 203.0.113.9 tcp dport 80 dnat to 192.0.2.20:8080
    ip daddr 203.0.113.9 tcp dport 81 dnat to 10.2.0.20:443
  }
  chain post {
    type nat hook postrouting priority srcnat;
    oifname "out0" masquerade
  }
}
""")
        segd.kill()
        lab.take_rules_away()
        servers = [lab.socket(name, socket.AF_INET, socket.SOCK_STREAM, bind=at)
                   for name, at in (("out", ("192.0.2.20", 8080)), ("b", ("10.2.0.20", 443)))]
        clients = [lab.socket("a", socket.AF_INET, socket.SOCK_STREAM) for _ in servers]
        for server, client, port in zip(servers, clients, (80, 81)):
            server.listen(1)
            client.connect_ex(("203.0.113.9", port))
            assert wait_for(lambda: client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and
                            any("ESTABLISHED" in line for line in lab.conntrack() if f"dport={port} " in line), SOON)
        segd.start()
        fields = {"src": "10.1.0.20", "dst": "192.0.2.20", "dport": 8080, "from_": "a", "to": "out"}
        assert violations(segd, **fields) == (1, 1), segd.lines()[-8:]
        assert not entries(lab, 80)
        assert entries(lab, 81), "what a permit explains stays, behind a translation too"
        assert len(segd.alerts("violation")) == 1


def test_a_number_of_another_permit_is_taken_away():
    """As conntrackd brings it from a peer whose numbers are others: the entry is a permitted one, and by which permit is
    the kernel's to say. Else the end of that permit would not end the flow."""
    text = {"SA": "from: [a, out], to: [b, den], service: [udp/7000]"}
    with Town(policy(**text), FEW) as (lab, segd):
        for name, proto, port, ends in (("another permit's", "tcp", 443, {"AB": None}),
                                        ("the same permit's between other zones", "udp", 7000,
                                         {"SA": "from: out, to: [b, den], service: [udp/7000]"})):
            assert lab.probe("b", "192.0.2.20", "tcp/80") and lab.probe("out", "10.2.0.20", "udp/7000")
            other = next(line for line in lab.conntrack() if f"dport={80 if proto == 'tcp' else 7000}" in line)
            number = other.split("mark=")[1].split()[0]
            stream = lab.stream("a", "10.2.0.20", f"{proto}/{port}", sport=42000)
            assert stream.both()
            lab.exec("gw", "conntrack", "-D", "-p", proto, "--orig-port-src", "42000")
            lab.exec("gw", "conntrack", "-I", "-s", "10.1.0.20", "-d", "10.2.0.20", "-p", proto, "--sport", "42000", "--dport",
                     str(port), "-t", "600", "-u", "SEEN_REPLY,ASSURED", "-m", number,
                     *(("--state", "ESTABLISHED") if proto == "tcp" else ()))

            def its_own():
                line = next(one for one in lab.conntrack() if "sport=42000" in one)
                return stream.both() and f"mark={number} " not in line and "mark=0 " not in line
            assert wait_for(its_own, SOON), f"{name}: {[one for one in lab.conntrack() if 'sport=42000' in one]}"
            segd.apply(policy(**{**text, **ends}))
            assert stream.dead(), f"{name} number carries it on"
            stream.close()
            segd.apply(policy(**text))
        assert not segd.alerts("violation")
