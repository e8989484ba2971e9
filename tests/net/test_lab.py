# SPDX-License-Identifier: GPL-2.0-or-later
"""The harness itself, on a ruleset written by hand: a probe that cannot fail proves nothing."""
import os

from lab import Lab, arrived, NEVER

RULES = """
table inet filter {
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state established accept
		meta nfproto ipv6 tcp dport 443 accept
		ip saddr 10.1.0.20 tcp dport 443 accept
		ip saddr 10.1.0.20 udp dport 53 accept
		ip protocol icmp accept
		ip protocol 112 accept
	}
	chain input {
		type filter hook input priority 0; policy drop;
		icmpv6 type { 135, 136 } accept
		ct state established accept
		udp dport 123 accept
	}
	chain output {
		type filter hook output priority 0; policy drop;
		icmpv6 type { 135, 136 } accept
		ct state established accept
		tcp dport 6514 accept
	}
}
"""


def make():
    lab = Lab()
    lab.host("pc", "lan0", ["10.1.0.1/24", "2001:db8:1::1/64"], ["10.1.0.20/24", "10.1.0.21/24", "2001:db8:1::20/64"],
             mac="00:00:5e:00:53:20")
    lab.host("web", "wan0", ["192.0.2.1/24", "2001:db8:2::1/64"], ["192.0.2.80/24", "2001:db8:2::80/64"])
    return lab


def test_probe_tells_open_from_closed():
    with make() as lab:
        for service in ("tcp/443", "tcp/80", "udp/53", "icmp/8", "proto/112"):
            assert lab.probe("pc", "192.0.2.80", service), f"{service} without rules"
        assert lab.probe("pc", "2001:db8:2::80", "icmpv6/128")
        lab.nft("gw", RULES)
        expected = {("192.0.2.80", "tcp/443", None): True, ("192.0.2.80", "tcp/80", None): False,
                    ("192.0.2.80", "tcp/443", "10.1.0.21"): False, ("192.0.2.80", "udp/53", None): True,
                    ("192.0.2.80", "udp/54", None): False, ("192.0.2.80", "icmp/8", None): True,
                    ("192.0.2.80", "proto/112", None): True, ("192.0.2.80", "proto/47", None): False,
                    ("2001:db8:2::80", "tcp/443", None): True, ("2001:db8:2::80", "icmpv6/128", None): False,
                    ("10.1.0.1", "udp/123", None): True, ("10.1.0.1", "tcp/22", None): False}
        for (dst, service, source), verdict in expected.items():
            got = lab.probe("pc", dst, service, source=source, expect=verdict)
            assert got == verdict, f"{dst} {service} from {source}: {got}"
        assert lab.probe("gw", "10.1.0.20", "tcp/6514")
        assert not lab.probe("gw", "10.1.0.20", "tcp/6515", expect=False)


def test_frames_and_streams():
    with make() as lab:
        wire = lab.wire("web")
        for proto, source, dst in (("udp", "10.9.9.9", "192.0.2.80"), ("tcp", "10.1.0.77", "192.0.2.80"),
                                   ("udp", "2001:db8:9::9", "2001:db8:2::80")):
            token = os.urandom(12)
            lab.frame("pc", dst, source=source, proto=proto, payload=token, mac="00:00:5e:00:53:99")
            assert arrived(wire, token), f"{proto} from {source} without rules"
        lab.nft("gw", RULES)
        token = os.urandom(12)
        lab.frame("pc", "192.0.2.80", source="10.9.9.9", payload=token)
        assert not arrived(wire, token, NEVER)
        for service in ("tcp/443", "udp/53"):
            stream = lab.stream("pc", "192.0.2.80", service)
            assert stream.both()
            before = lab.generation()
            lab.nft("gw", "insert rule inet filter forward drop")
            assert lab.generation() != before
            assert stream.dead()
            lab.nft("gw", "flush chain inet filter forward\n" + "add rule inet filter forward accept")
            assert stream.both()
            stream.close()
            lab.nft("gw", "delete table inet filter\n" + RULES)


def test_nothing_is_left_behind():
    with make() as lab:
        prefix, tmp = lab.prefix, lab.tmp
    from lab import run
    assert prefix not in run("ip", "netns", "list").stdout
    assert not tmp.exists()
