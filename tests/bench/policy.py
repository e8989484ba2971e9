# SPDX-License-Identifier: GPL-2.0-or-later
"""A large policy and the ruleset an expert would write for the same.

One thousand zones of a network each; of the permits seven in ten are from one host to
one host, two in ten between a range and a host, one in ten between whole zones.
`client` and `server` are real zones of the packet path benchmark and their permit
comes last, where a linear ruleset would be slowest.
"""
import random


def network(zone):
    return f"10.{zone // 250}.{zone % 250}"


def permits(count, zones, seed=7):
    rnd = random.Random(seed)
    for i in range(count - 1):
        a, b = rnd.sample(range(zones), 2)
        port = rnd.randint(1024, 60000)
        kind = rnd.random()
        host = f"{network(a)}.{rnd.randint(1, 250)}"
        to = f"{network(b)}.{rnd.randint(1, 250)}"
        low = rnd.randrange(0, 240, 8)
        if kind < 0.7:
            yield a, b, host, to, f"tcp/{port}"
        elif kind < 0.9:
            yield a, b, f"{network(a)}.{low}-{network(a)}.{low + 5}", to, f"tcp/{port}-{port + 9}"
        else:
            yield a, b, None, None, f"tcp/{port}"


def policy(count, zones=1000):
    lines = ["segd: 1", "guard: none", "zones:"]
    for z in range(zones):
        lines.append(f"  z{z}: {{tier: separate, interfaces: [v{z}], networks: [{network(z)}.0/24]}}")
    lines += ["  client: {tier: separate, interfaces: [lan0], networks: [172.16.1.0/24]}",
              "  server: {tier: separate, interfaces: [wan0], networks: [172.16.2.0/24]}", "permits:"]
    for i, (a, b, source, destination, service) in enumerate(permits(count, zones)):
        sides = f", source: [{source}], destination: [{destination}]" if source else ""
        lines.append(f"  - {{id: P{i}, class: internal, from: z{a}, to: z{b}{sides}, service: [{service}]}}")
    lines.append("  - {id: traffic, class: internal, from: client, to: server, service: [tcp/5001]}")
    return "\n".join(lines) + "\n"


def expert(count, zones=1000):
    """Concatenated interval sets over everything, by hand."""
    elements = []
    for a, b, source, destination, service in permits(count, zones):
        port = service.split("/")[1]
        elements.append(f"{source or network(a) + '.0/24'} . {destination or network(b) + '.0/24'} . tcp . {port}")
    elements.append("172.16.1.0/24 . 172.16.2.0/24 . tcp . 5001")
    return ("table inet expert {\n set permits { type ipv4_addr . ipv4_addr . inet_proto . inet_service; "
            "flags interval; elements = {\n" + ",\n".join(elements) + "\n } }\n"
            " chain forward { type filter hook forward priority 0; policy drop;\n"
            "  ct state established,related accept\n"
            "  ip saddr . ip daddr . meta l4proto . th dport @permits accept\n }\n}\n")
