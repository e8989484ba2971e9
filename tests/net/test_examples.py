# SPDX-License-Identifier: GPL-2.0-or-later
"""conf/examples as real packets: the rows of each table whose verdict does not hang on the hour.

A host is made for every address that a row sends from or to, on the interface the policy gives it;
the gateway's addresses are the policy's own. Each row is one new flow, with the row's MAC.
"""
import ipaddress

import yaml

from lab import Lab, Segd, TOP

FOLDER = TOP / "conf/examples"


def entries(folder, listed):
    """Prefixes of a zone's networks, lists read."""
    for text in map(str, listed):
        if text.startswith("file:"):
            lines = (folder / text[5:]).read_text().splitlines()
            yield from entries(folder, [w for line in lines if (w := line.split("#")[0].strip())])
        elif "-" in text:
            yield from ipaddress.summarize_address_range(*map(ipaddress.ip_address, text.split("-")))
        elif text != "any":
            yield ipaddress.ip_network(text)


class City:
    """The topology that a policy describes, as far as a table needs it."""

    def __init__(self, lab, policy, folder):
        self.lab, self.policy = lab, policy
        self.networks = {z: list(entries(folder, zone["networks"])) for z, zone in policy["zones"].items()}
        self.hosts = {}

    def zone(self, address):
        address = ipaddress.ip_address(address)
        found = [(n.prefixlen, z) for z, nets in self.networks.items() for n in nets
                 if n.version == address.version and address in n]
        return max(found)[1] if found else next(z for z, zone in self.policy["zones"].items() if "any" in zone["networks"])

    def gateway(self, zone, version):
        """The gateway's own address in a zone, as the policy says, else one of our making."""
        for a in map(ipaddress.ip_address, self.policy["gateway"]):
            if a.version == version and any(n.version == version and a in n for n in self.networks[zone]):
                return a
        return None

    def interface(self, zone, address, wanted):
        """The one the row names, else the zone's; with several, by the host's own half of the zone."""
        names = [i.replace("*", "3") for i in self.policy["zones"][zone]["interfaces"]]
        return wanted if wanted in names else names[0]

    def host(self, address, wanted=None, mac=None):
        """The host of that address, made when first asked for."""
        if address in self.hosts:
            return self.hosts[address]
        zone, ip = self.zone(address), ipaddress.ip_address(address)
        interface = self.interface(zone, address, wanted)
        name = f"h{len(self.hosts)}"
        taken = next((h for h, v in self.lab.hosts.items() if v["interface"] == interface), None)
        if taken is None:
            # The first host of an interface is its far end; others live behind it as further addresses.
            link = f"fe80::{len(self.hosts) + 1:x}"
            own = [str(a) for v in (4, 6) if (a := self.gateway(zone, v))]
            self.lab.host(name, interface, [f"{link}:1/64"] + [f"{a}/{32 if '.' in a else 128}" for a in own],
                          [f"{link}:2/64"], mac=mac)
            for version, a in ((4, next((a for a in own if "." in a), None)), (6, next((a for a in own if ":" in a), None))):
                if a:
                    self.lab.ip(name, f"route replace {a} dev eth0")
                self.lab.ip(name, f"route replace {'0.0.0.0/0' if version == 4 else '::/0'} via inet6 {link}:1 dev eth0")
            self.lab.hosts[name]["link"] = f"{link}:2"
            taken = name
        at = self.lab.hosts[taken]
        self.lab.ip(taken, f"addr add {ip} dev lo" + (" nodad" if ip.version == 6 else ""))
        self.lab._own(taken, [f"{ip}/{ip.max_prefixlen}"])
        via = "via inet6" if ip.version == 4 else "via"
        self.lab.ip("gw", f"route replace {ip} {via} {at['link']} dev {at['interface']}")
        self.hosts[address] = taken
        return taken


def timeless(policy, permit):
    found = next((p for p in policy["permits"] if p["id"] == permit), {})
    return "hours" not in found and "valid" not in found


def replay(name):
    file = FOLDER / f"{name}.yaml"
    policy = yaml.safe_load(file.read_text())
    table = [line.split("\t") for line in (FOLDER / f"{name}.tsv").read_text().splitlines() if line[0] != "#"]
    ours = set(policy["gateway"])
    rows = [row for row in table if row[7] not in ("hours", "dates", "spoofed") and timeless(policy, row[8])
            and not (row[3] in ours and row[4] in ours)]
    with Lab() as lab:
        city = City(lab, policy, file.parent)
        for interface, mac, _, src, dst, *_ in rows:
            for address, wanted, card in ((src, interface, mac), (dst, None, "-")):
                if address not in ours:
                    city.host(address, wanted, None if card == "-" else card)
        segd = Segd(lab, file)
        wrong, tried = [], 0
        for interface, mac, _, src, dst, service, verdict, reason, permit in rows:
            host = "gw" if src in ours else city.hosts[src]
            if mac != "-" and host != "gw":
                lab.ip(host, f"link set eth0 address {mac}")
                lab.ip("gw", f"neigh flush dev {lab.hosts[host]['interface']}")
            if reason == "intra" and host == (lab.owner(dst)):
                continue  # both behind one interface of this lab: nothing to route
            tried += 1
            got = lab.probe(host, dst, service, source=src, expect=verdict == "permit")
            if got != (verdict == "permit"):
                wrong.append(f"{src} -> {dst} {service}: {'passes' if got else 'refused'}, {verdict} {permit} expected")
        assert not wrong, f"{len(wrong)} of {tried} wrong: " + "; ".join(wrong[:6]) + f"; {segd.lines()[-6:]}"
        assert tried > 10, tried


def test_small_city():
    replay("small-city")


def test_mid_city():
    replay("mid-city")
