# SPDX-License-Identifier: GPL-2.0-or-later
"""Every pair of zones, both families; forward, input and output; and explain says the same."""
from town import ALLOWED, HOSTS, SERVICES, Town, word


def ends():
    """(host, zone) of every probe's two ends, the gateway among them."""
    return [*((h, HOSTS[h][0]) for h in HOSTS), ("gw", "gateway")]


def questions(lab, version):
    """Per source: ((src, dst, service), allowed, what it is called)."""
    for src, src_zone in ends():
        asked = []
        for dst, dst_zone in ends():
            if dst == src:
                continue
            subnet = HOSTS[src if dst == "gw" else dst][2 if version == 4 else 3]
            last = {("gw", 4): ".1", ("gw", 6): "::1"}.get((dst, version), ".20" if version == 4 else "::20")
            for service in SERVICES:
                allowed = service in ALLOWED.get((src_zone, dst_zone), ())
                asked.append(((src, subnet + last, word(service, version)), allowed,
                              f"{src_zone} ({src}) -> {dst_zone} ({dst}) {subnet + last} {service}"))
        yield asked


def every_pair(version):
    with Town() as (lab, segd):
        wrong = []
        for asked in questions(lab, version):
            # A protocol without ports has one flow for both ends: the last source's is no reply to this one.
            lab.exec("gw", "conntrack", "-F")
            got = lab.probes([(*probe, None, allowed) for probe, allowed, _ in asked])
            wrong += [f"{what}: {'passes' if g else 'refused'}" for g, (_, allowed, what) in zip(got, asked)
                      if g != allowed]
        assert not wrong, f"{len(wrong)} wrong, first: " + "; ".join(wrong[:8])
        false = segd.alerts("violation")
        assert not false, f"permitted crossings reported as violations: {false[:3]}"


def test_every_pair_ipv4():
    every_pair(4)


def test_every_pair_ipv6():
    every_pair(6)


def test_explain_agrees_with_packets():
    with Town() as (lab, segd):
        wrong = []
        for version in (4, 6):
            for asked in questions(lab, version):
                for (src, dst, service), allowed, what in asked[::5]:
                    source = (HOSTS[src][2] + ".20" if version == 4 else HOSTS[src][3] + "::20") if src != "gw" \
                        else {4: "10.1.0.1", 6: "2001:db8:1::1"}[version]
                    answer = segd.segctl("explain", source, dst, service, ok=(0, 1))
                    if (answer["verdict"] == "permit") != allowed:
                        wrong.append(f"{what}: {answer}")
        assert not wrong, f"{len(wrong)} wrong, first: " + "; ".join(wrong[:4])


def test_gateways_other_addresses_are_closed():
    """With `to: gateway` only the address on the packet's own interface is meant: no way round through it."""
    with Town() as (lab, _):
        asked = [("a", dst, service) for dst in ("10.2.0.1", "10.4.0.1", "192.0.2.1", "2001:db8:2::1")
                 for service in ("tcp/22", "udp/123")]
        got = lab.probes([(*one, None, False) for one in asked])
        assert not any(got), [one for one, g in zip(asked, got) if g]
        assert lab.probe("a", "10.1.0.1", "tcp/22")


def test_edges_of_a_range():
    with Town() as (lab, _):
        asked = {"udp/4999": False, "udp/5000": True, "udp/5010": True, "udp/5011": False, "tcp/442": False,
                 "tcp/444": False, "tcp/5005": False, "udp/443": False, "proto/111": False, "proto/113": False,
                 "proto/132": False}
        got = lab.probes([("a", "10.2.0.20", s, None, e) for s, e in asked.items()])
        assert got == list(asked.values()), dict(zip(asked, got))
        # A ping is type 8 alone; b is told that a tcp port is refused, a is not told.
        assert lab.tcp("b", "10.1.0.20", 80) == "refused"
        assert lab.tcp("a", "10.2.0.20", 80, patience=0.4) == "silent"


def test_permit_any_is_any():
    with Town() as (lab, _):
        asked = [("b", "192.0.2.20", s, None, True) for s in ("tcp/1", "tcp/65535", "udp/65000", "proto/99", "icmp/8")]
        assert all(lab.probes(asked)), lab.attempts([a[:4] for a in asked])
