# SPDX-License-Identifier: GPL-2.0-or-later
"""The town that most tests are played in: five zones of every kind, both address families.

One source of truth for the topology and the policy; what is allowed is written down a second
time by hand (ALLOWED), because a test that asked segd what to expect would prove nothing.
"""
from lab import Lab, Segd

ZONES = {
    "a":   "tier: lgwan, interfaces: [a0], networks: [10.1.0.0/24, '2001:db8:1::/64']",
    "b":   "tier: lgwan, interfaces: [b0], networks: [10.2.0.0/24, '2001:db8:2::/64'], refuse: reject",
    "inn": "tier: lgwan, interfaces: [inn0, inn1], intra: allow,"
           " networks: [10.3.0.0/24, 10.3.1.0/24, '2001:db8:3::/64', '2001:db8:3:1::/64']",
    "den": "tier: lgwan, interfaces: [den0, den1],"
           " networks: [10.4.0.0/24, 10.4.1.0/24, '2001:db8:4::/64', '2001:db8:4:1::/64']",
    "out": "tier: internet, interfaces: [out0], networks: [any], link: routed",
}
PERMITS = {
    "AB": "from: a, to: b, service: [tcp/443, udp/5000-5010, icmp/8, icmpv6/128, proto/112]",
    "BO": "from: b, to: out, service: [any]",
    "AG": "from: [a, b], to: gateway, service: [tcp/22, udp/123, icmp/8, icmpv6/128]",
    "GA": "from: gateway, to: a, service: [tcp/6514, udp/514]",
    "DD": "from: den, to: den, service: [tcp/22]",
}
SERVICES = ("tcp/443", "tcp/22", "tcp/6514", "udp/5005", "udp/123", "udp/514", "ping", "proto/112")
ALLOWED = {
    ("a", "b"): {"tcp/443", "udp/5005", "ping", "proto/112"},
    ("b", "out"): set(SERVICES),
    ("a", "gateway"): {"tcp/22", "udp/123", "ping"},
    ("b", "gateway"): {"tcp/22", "udp/123", "ping"},
    ("gateway", "a"): {"tcp/6514", "udp/514"},
    ("inn", "inn"): set(SERVICES),
    ("den", "den"): {"tcp/22"},
}
# host: (zone, interface, subnet numbers)
HOSTS = {"a": ("a", "a0", "10.1.0", "2001:db8:1"), "b": ("b", "b0", "10.2.0", "2001:db8:2"),
         "i0": ("inn", "inn0", "10.3.0", "2001:db8:3"), "i1": ("inn", "inn1", "10.3.1", "2001:db8:3:1"),
         "d0": ("den", "den0", "10.4.0", "2001:db8:4"), "d1": ("den", "den1", "10.4.1", "2001:db8:4:1"),
         "out": ("out", "out0", "192.0.2", "2001:db8:f")}


def policy(zones=None, hosts=None, gateway=False, **permits):
    """The town's policy; permits by id replace (text) or remove (None) those of PERMITS; zones likewise."""
    lines = ["segd: 1", "site: 試験町", "timezone: Asia/Tokyo", "guard: none"]
    if gateway:
        lines.append("gateway: [" + ", ".join(f"'{a}'" for a in gateway) + "]")
    lines.append("zones:")
    lines += [f"  {z}: {{{text}}}" for z, text in {**ZONES, **(zones or {})}.items() if text]
    if hosts:
        lines += ["hosts:"] + [f"  {h}: {{{text}}}" for h, text in hosts.items()]
    lines.append("permits:")
    lines += [f"  - {{id: {i}, title: {i}, class: internal, owner: test, {text}}}"
              for i, text in {**PERMITS, **permits}.items() if text]
    return "\n".join(lines) + "\n"


def build(hosts=HOSTS):
    lab = Lab()
    for number, name in enumerate(hosts):
        _, interface, v4, v6 = HOSTS[name]
        lab.host(name, interface, [f"{v4}.1/24", f"{v6}::1/64"], [f"{v4}.20/24", f"{v4}.21/24", f"{v6}::20/64"],
                 mac=f"00:00:5e:00:53:{0x20 + number:02x}")
    if "out" in hosts:
        lab.route("out", "0.0.0.0/0")
        lab.route("out", "::/0")
    return lab


class Town:
    """with Town() as (lab, segd): the whole of it, enforcing."""

    def __init__(self, text=None, hosts=HOSTS, *options, settings="", program=None):
        self.lab = build(hosts)
        try:
            self.segd = Segd(self.lab, text or policy(), *options, settings=settings, program=program)
        except BaseException:
            self.lab.close()
            raise

    def __enter__(self):
        return self.lab, self.segd

    def __exit__(self, kind, problem, trace):
        if kind:
            print("  segd said: " + self.segd.said()[-1500:].replace("\n", "\n  "))
            for line in self.segd.lines()[-15:]:
                print("  syslog: " + line)
        self.lab.close()


def word(service, version):
    """"ping" in one family or the other."""
    return {"ping": "icmp/8" if version == 4 else "icmpv6/128"}.get(service, service)
