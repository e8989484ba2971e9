# SPDX-License-Identifier: GPL-2.0-or-later
"""A sample of the property that tests/unit/test_agree.c tries in the thousands: on random policies, what
explain says of a packet is what the kernel does with it. SEED in the environment chooses another walk."""
import os
import random

from lab import Lab, Segd

ZONES = ("a", "b", "c")
POLICIES = 6
SERVICES = ("tcp/443", "tcp/444", "udp/53", "udp/54", "icmp/8")
ITEMS = ("tcp/443", "tcp/440-443", "udp/53", "udp/53-60", "icmp/8", "icmpv6/128", "tcp/1-65535", "any")


def addresses(zone, family):
    """Of the zone's one host: what it is asked as."""
    n = ZONES.index(zone) + 1
    return [f"10.{n}.0.{h}" if family == 4 else f"2001:db8:{n}::{h:x}" for h in (20, 23, 24, 31, 32)]


def own(zone, family):
    n = ZONES.index(zone) + 1
    return f"10.{n}.0.1" if family == 4 else f"2001:db8:{n}::1"


def entry(rnd, zone):
    n = ZONES.index(zone) + 1
    return rnd.choice([f"10.{n}.0.{rnd.choice((20, 23, 24))}", f"10.{n}.0.24/29", f"10.{n}.0.20-10.{n}.0.24",
                       f'"2001:db8:{n}::20/125"', f'"2001:db8:{n}::17-2001:db8:{n}::18"', f"pc-{zone}"])


def permit(rnd, index):
    source, destination = rnd.choice(ZONES + ("gateway",)), rnd.choice(ZONES + ("gateway",))
    if source == destination == "gateway":
        source = "a"
    text = f"  - {{id: P{index}, class: internal, from: {source}, to: {destination}"
    for key, zone in (("source", source), ("destination", destination)):
        if zone != "gateway" and rnd.random() < 0.5:
            text += f", {key}: [{', '.join(sorted({entry(rnd, zone) for _ in range(rnd.randint(1, 3))}))}]"
    items = ["any"] if rnd.random() < 0.15 else sorted({rnd.choice(ITEMS[:-1]) for _ in range(rnd.randint(1, 3))})
    return f"{text}, service: [{', '.join(items)}]}}"


def policy(rnd):
    lines = ["segd: 1", "guard: none", "zones:"]
    for n, zone in enumerate(ZONES, 1):
        rest = ", any" if zone == "c" and rnd.random() < 0.5 else ""
        intra = ", intra: allow" if rnd.random() < 0.3 else ""
        name = '"b*"' if zone == "b" else f"{zone}0"
        lines.append(f'  {zone}: {{tier: separate, interfaces: [{name}], networks: [10.{n}.0.0/24, '
                     f'"2001:db8:{n}::/64"{rest}]{intra}}}')
    lines.append("hosts:")
    for n, zone in enumerate(ZONES, 1):
        mac = f', mac: "00:00:5e:00:53:{n if rnd.random() < 0.7 else 99:02x}"' if rnd.random() < 0.6 else ""
        lines.append(f'  pc-{zone}: {{address: [10.{n}.0.31, "2001:db8:{n}::1f"]{mac}}}')
    lines += ["permits:", *(permit(rnd, i) for i in range(rnd.randint(6, 16)))]
    return "\n".join(lines) + "\n"


def questions(rnd):
    """(host, source or None, destination, service)"""
    for _ in range(60):
        family = rnd.choice((4, 4, 6))
        zone, other = rnd.sample(ZONES, 2)
        service = rnd.choice(SERVICES)
        if family == 6:
            service = service.replace("icmp/8", "icmpv6/128")
        kind = rnd.random()
        if kind < 0.15:
            yield "gw", own(other, family), rnd.choice(addresses(other, family)), service
        elif kind < 0.3:
            yield zone, rnd.choice(addresses(zone, family)), own(rnd.choice((zone, zone, other)), family), service
        else:
            yield zone, rnd.choice(addresses(zone, family)), rnd.choice(addresses(other, family)), service


def test_explain_is_what_the_kernel_does():
    rnd = random.Random(os.environ.get("SEED", "20261123"))
    with Lab() as lab:
        for n, zone in enumerate(ZONES, 1):
            mask = {4: 24, 6: 64}
            lab.host(zone, f"{zone}0", [f"{own(zone, f)}/{mask[f]}" for f in (4, 6)],
                     [f"{a}/{mask[f]}" for f in (4, 6) for a in addresses(zone, f)], mac=f"00:00:5e:00:53:{n:02x}")
        segd, passing = None, 0
        for _ in range(POLICIES):
            text = policy(rnd)
            if segd is None:
                segd = Segd(lab, text)
            else:
                segd.apply(text)
            asked, expected = list(questions(rnd)), []
            for host, source, destination, service in asked:
                known = [] if host == "gw" else ["--in", f"{host}0", "--mac", lab.mac(host)]
                answer = segd.segctl("explain", *known, source, destination, service, ok=(0, 1))
                expected.append(answer["verdict"] == "permit")
            got = lab.probes([(host, destination, service, source, want)
                              for (host, source, destination, service), want in zip(asked, expected)])
            wrong = [f"{q}: explain {'permits' if e else 'denies'}, it {'passes' if g else 'is refused'}"
                     for q, e, g in zip(asked, expected, got) if e != g]
            assert not wrong, f"{len(wrong)} wrong: {wrong[:3]}\n{text}"
            passing += sum(expected)
        assert passing > POLICIES * 2, f"only {passing} packets were permitted: the sample shows too little"
