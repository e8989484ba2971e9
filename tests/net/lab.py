# SPDX-License-Identifier: GPL-2.0-or-later
"""A gateway and hosts in network namespaces of their own, and packets between them.

Python's standard library, iproute2 and nft; root. A Lab is a context manager that
leaves nothing behind: namespaces bear the maker's pid, so that two runs do not meet
and what a killed run left is removed by the next.

    with Lab() as lab:
        lab.host("pc", "lan0", ["10.1.0.1/24"], ["10.1.0.20/24"], mac="00:00:5e:00:53:20")
        lab.host("web", "wan0", ["192.0.2.1/24"], ["192.0.2.80/24"])
        lab.probe("pc", "192.0.2.80", "tcp/443")        -> True: it arrived and was answered

Sockets stay in the namespace they were made in, so every probe is plain Python in this
process: lab.inside(name) moves the thread for as long as the socket is made.

A probe trusts no log: it is True when the far end's socket (or, for frames, the far
end's wire) saw the packet.
"""
import atexit
import contextlib
import ctypes
import functools
import ipaddress
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SEG_BUILD", TOP / "build")).resolve()
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PREFIX = "segt"
PATIENCE = float(os.environ.get("SEG_PATIENCE", 1))  # a factor for machines that are slow, as emulated ones are
SOON = 4.0 * PATIENCE   # a packet that is let through arrives well within this, on a busy machine too
NEVER = 0.35 * PATIENCE  # and one that is not has had its chance after this
LIFE = 60.0  # a program that starts or stops is waited for; that it has a deadline at all is for hung ones


def run(*words, check=True, **options):
    done = subprocess.run(words, capture_output=True, text=True, **options)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}: {done.stderr or done.stdout}")
    return done


def wait_for(question, seconds=5.0, step=0.02):
    """Asks until the answer is true; the last answer."""
    end = time.monotonic() + seconds * PATIENCE
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(step)
    return answer


def remove_leftovers():
    """Namespaces of runs that were killed before they could tidy up."""
    for line in run("ip", "netns", "list").stdout.splitlines():
        if (m := re.match(PREFIX + r"(\d+)-\S+", line)) and not pathlib.Path(f"/proc/{m[1]}").exists():
            run("ip", "netns", "delete", m[0], check=False)


class Lab:
    counter = 0

    def __init__(self):
        remove_leftovers()
        Lab.counter += 1
        self.prefix = f"{PREFIX}{os.getpid()}-{Lab.counter}"
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
        self.hosts = {}
        self.processes = []
        self.sockets = []
        self.closed = False
        self._owners = {}
        self._senders = {}  # a packet socket is slow to close: one a host
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._ns = {}
        atexit.register(self.close)
        self._namespace("gw")
        self.sysctl("gw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                    "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.closed:
            return
        self.closed = True
        atexit.unregister(self.close)
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        for s in self.sockets:
            s.close()
        for name, fd in self._ns.items():
            os.close(fd)
            run("ip", "netns", "delete", self.full(name), check=False)
        os.close(self._home)
        shutil.rmtree(self.tmp, ignore_errors=True)

    # -- the topology ---------------------------------------------------------------

    def full(self, name):
        """The namespace's name, as ip netns knows it."""
        return f"{self.prefix}-{name}"

    def _namespace(self, name):
        run("ip", "netns", "add", self.full(name))
        self._ns[name] = os.open(f"/run/netns/{self.full(name)}", os.O_RDONLY)
        self.ip(name, "link set lo up")
        self.sysctl(name, "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
                    "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
                    "net.ipv6.conf.default.router_solicitations=0")

    def host(self, name, interface, gateway, addresses, mac=None, gateway_mac=None):
        """A host of that name behind the gateway's interface of that name. Addresses with their
        prefix; the first of each family is the one the other side routes to."""
        self._namespace(name)
        self.hosts[name] = {"interface": interface, "addresses": [str(a) for a in addresses]}
        run("ip", "link", "add", "name", interface, *(["address", gateway_mac] if gateway_mac else []),
            "netns", self.full("gw"), "type", "veth",
            "peer", "name", "eth0", *(["address", mac] if mac else []), "netns", self.full(name))
        self.ip("gw", *(f"addr add {a} dev {interface} nodad" if ":" in a else f"addr add {a} dev {interface}"
                        for a in gateway), f"link set {interface} up")
        self.ip(name, *(f"addr add {a} dev eth0 nodad" if ":" in a else f"addr add {a} dev eth0"
                        for a in addresses), "link set eth0 up")
        self._own("gw", gateway)
        self._own(name, addresses)
        for version in (4, 6):
            via = next((a.split("/")[0] for a in gateway if ipaddress.ip_interface(a).version == version), None)
            if via and any(ipaddress.ip_interface(a).version == version for a in addresses):
                self.ip(name, f"route add default via {via} dev eth0")

    def _own(self, name, addresses):
        self._owners.update({ipaddress.ip_interface(a).ip: name for a in addresses})

    def also(self, name, *addresses):
        """More addresses of a host, which the gateway reaches through it."""
        interface = self.hosts[name]["interface"]
        for a in addresses:
            ip = ipaddress.ip_interface(a)
            self._own(name, [a])
            self.ip(name, f"addr add {ip} dev lo" + (" nodad" if ip.version == 6 else ""))
            via = self.address(name, ip.version)
            self.ip("gw", f"route replace {ip} via {via} dev {interface}")

    def route(self, name, prefix):
        """The gateway reaches the prefix through that host."""
        version = ipaddress.ip_network(prefix).version
        self.ip("gw", f"route replace {prefix} via {self.address(name, version)}"
                      f" dev {self.hosts[name]['interface']}")

    def address(self, name, version=4):
        """The host's first address of the family."""
        for a in self.hosts[name]["addresses"]:
            if ipaddress.ip_interface(a).version == version:
                return a.split("/")[0]
        raise LookupError(f"{name} has no IPv{version} address")

    @functools.lru_cache(None)
    def mac(self, name, interface="eth0"):
        """The MAC it was made with."""
        return json.loads(run("ip", "-n", self.full(name), "-j", "link", "show", interface).stdout)[0]["address"]

    # -- in a namespace ---------------------------------------------------------------

    def ip(self, name, *commands):
        """ip(8) commands, one after another."""
        run("ip", "-n", self.full(name), "-b", "-", input="\n".join(commands) + "\n")

    def sysctl(self, name, *settings):
        with self.inside(name):
            for setting in settings:
                key, value = setting.split("=")
                path = pathlib.Path("/proc/sys") / key.replace(".", "/")
                if path.exists():
                    path.write_text(value)

    @contextlib.contextmanager
    def inside(self, name):
        """This thread in the namespace; sockets made here stay there."""
        self._setns(self._ns[name])
        try:
            yield
        finally:
            self._setns(self._home)

    @staticmethod
    def _setns(fd):
        if LIBC.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def exec(self, name, *words, **options):
        return run("ip", "netns", "exec", self.full(name), *words, **options)

    def spawn(self, name, *words, **options):
        process = subprocess.Popen(["ip", "netns", "exec", self.full(name), *words], **options)
        self.processes.append(process)
        return process

    def nft(self, name, text):
        return self.exec(name, "nft", "-f", "-", input=text)

    def ruleset(self, name="gw", what="ruleset"):
        return self.exec(name, "nft", "list", *what.split(), check=False).stdout

    def take_rules_away(self):
        """As a foreign hand does while no daemon lives: the table, and where nobody can own one the lock behind it."""
        self.nft("gw", "delete table inet segd")
        if "chain forward" in self.ruleset(what="table inet segd_keeper"):
            self.nft("gw", "flush chain inet segd_keeper forward\ndelete chain inet segd_keeper forward")

    def generation(self, name="gw"):
        """The ruleset's generation id: unchanged means that nobody wrote to nf_tables."""
        with self.inside(name):
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        with s:
            s.bind((0, 0))
            # NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, NLM_F_REQUEST; nfgenmsg: AF_UNSPEC, 0, 0
            s.send(struct.pack("=LHHLLBBH", 20, 10 << 8 | 16, 1, 1, 0, 0, 0, 0))
            reply = s.recv(4096)
            at = 20
            while at < len(reply):
                length, kind = struct.unpack_from("=HH", reply, at)
                if kind & 0x3fff == 1:  # NFTA_GEN_ID
                    return struct.unpack_from(">L", reply, at + 4)[0]
                at += (length + 3) & ~3
        raise RuntimeError("no generation id")

    def conntrack(self, name="gw"):
        """The lines of conntrack -L."""
        return self.exec(name, "conntrack", "-L", check=False).stdout.splitlines()

    def socket(self, name, family, kind, proto=0, bind=None):
        with self.inside(name):
            s = socket.socket(family, kind, proto)
        self.sockets.append(s)
        s.setblocking(False)
        if bind:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and kind != socket.SOCK_RAW:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.bind(bind)
        return s

    def drop(self, *sockets):
        """Closes sockets before the lab ends."""
        for s in sockets:
            if s in self.sockets:
                self.sockets.remove(s)
            s.close()

    # -- packets ------------------------------------------------------------------------

    def owner(self, address):
        """Who has the address: a host's name, or gw."""
        return self._owners.get(ipaddress.ip_address(address))

    def probe(self, src, dst, service, source=None, at=None, expect=None):
        """Does a new flow of this service from host src reach the address dst, and the answer come back?
        service as in a policy: tcp/443, udp/53, icmp/8, icmpv6/128, proto/112 (no answer asked). at: the
        host that listens, where it is not the address's owner. expect: what the caller awaits, to know
        how long to wait."""
        return self.probes([(src, dst, service, source, expect)], at)[0]

    def probes(self, wanted, at=None):
        """Many at once: (src, dst, service, source or None, expect or None) each; a list of truths."""
        patience = SOON if any(expect is not False for *_, expect in wanted) else NEVER
        return [how in ("open", "answered", "there") for how in
                self.attempts([w[:4] for w in wanted], patience, at,
                              [i for i, w in enumerate(wanted) if w[4] is not False])]

    def tcp(self, src, dst, port, patience=SOON, source=None):
        """How a handshake ends: "open", "refused" (RST), "prohibited" (ICMP) or "silent"."""
        return self.attempts([(src, dst, f"tcp/{port}", source)], patience)[0]

    def attempts(self, wanted, patience=SOON, at=None, needed=None):
        """How each of (src, dst, service, source) ends: as tcp() says; "answered" or "silent" (udp, icmp);
        "there" or "silent" (proto). Waits for the needed ones until patience ends, for the others NEVER."""
        servers, poll, attempts = {}, select.poll(), []
        by_fd, tokens = {}, {}
        try:
            for src, dst, service, source in wanted:
                one = Attempt(self, src, dst, service, source)
                where = at or self.owner(dst)
                key = (where, dst if one.proto != "proto" else "", service)
                if where and one.proto in ("tcp", "udp", "proto") and key not in servers:
                    servers[key] = one.server(where)
                    by_fd[servers[key].fileno()] = (one.proto, servers[key])
                    poll.register(servers[key], select.POLLIN)
                attempts.append(one)
            for one in attempts:
                one.start()
                tokens[one.token] = one
                by_fd[one.socket.fileno()] = ("client", one)
                poll.register(one.socket, select.POLLOUT if one.proto == "tcp" else select.POLLIN)
            began = time.monotonic()
            needed = [attempts[i] for i in needed] if needed is not None else attempts
            while (gone := time.monotonic() - began) < patience:
                if gone > NEVER and all(one.over for one in needed) or all(one.over for one in attempts):
                    break
                for fd, _ in poll.poll(20):
                    kind, what = by_fd[fd]
                    if kind == "client":
                        if what.look():
                            poll.unregister(fd)
                    else:
                        serve(kind, what, tokens)
            return [one.how for one in attempts]
        finally:
            self.drop(*servers.values(), *(one.socket for one in attempts))

    def frame(self, src, dst_ip, *, source, proto="udp", sport=40000, dport=53, flags="S", payload=b"",
              mac=None, to_mac=None, ttl=64):
        """Sends one hand-made frame out of src's interface, with any source address and MAC."""
        interface = self.hosts[src]["interface"]
        to = bytes.fromhex((to_mac or self.mac("gw", interface)).replace(":", ""))
        own = bytes.fromhex((mac or self.mac(src)).replace(":", ""))
        v6 = ":" in dst_ip
        body = transport(source, dst_ip, proto, sport, dport, flags, payload)
        head = network(source, dst_ip, PROTOCOLS[proto] if isinstance(proto, str) else proto, len(body), ttl)
        if src not in self._senders:
            self._senders[src] = self.socket(src, socket.AF_PACKET, socket.SOCK_RAW)
            self._senders[src].bind(("eth0", 0))
        self._senders[src].send(to + own + (b"\x86\xdd" if v6 else b"\x08\x00") + head + body)

    def wire(self, name, interface="eth0"):
        """Everything the host's interface receives from now on; see arrived()."""
        s = self.socket(name, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind((interface, 3))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        return s

    def stream(self, src, dst, service, source=None, sport=0):
        """An open flow with numbered messages; raises where it cannot be opened."""
        return Stream(self, src, dst, service, source, sport)


class Attempt:
    """One probe under way: its client socket, and how it stands."""

    def __init__(self, lab, src, dst, service, source):
        self.lab, self.dst = lab, dst
        self.proto, _, number = service.partition("/")
        self.number = int(number)
        self.family = family_of(dst)
        self.token = os.urandom(12)
        self.how, self.over = "silent", False
        v6 = self.family == socket.AF_INET6
        kind, proto = {"tcp": (socket.SOCK_STREAM, 0), "udp": (socket.SOCK_DGRAM, 0),
                       "icmp": (socket.SOCK_RAW, 1), "icmpv6": (socket.SOCK_RAW, 58),
                       "proto": (socket.SOCK_RAW, self.number)}[self.proto]
        if (self.proto == "icmpv6") != v6 and self.proto in ("icmp", "icmpv6"):
            raise ValueError(f"{service} to {dst}")
        self.socket = lab.socket(src, self.family, kind, proto, bind=(source, 0) if source else None)

    def server(self, name):
        if self.proto == "proto":
            return self.lab.socket(name, self.family, socket.SOCK_RAW, self.number)
        kind = socket.SOCK_STREAM if self.proto == "tcp" else socket.SOCK_DGRAM
        s = self.lab.socket(name, self.family, kind, bind=(self.dst, self.number))
        if self.proto == "tcp":
            s.listen(256)
        return s

    def start(self):
        try:
            if self.proto == "tcp":
                self.socket.connect((self.dst, self.number))
            elif self.proto in ("icmp", "icmpv6"):
                body = struct.pack(">BBHHH", self.number, 0, 0, os.getpid() & 0xffff, 1) + self.token
                if self.proto == "icmp":
                    body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
                self.socket.sendto(body, (self.dst, 0))
            else:
                self.socket.sendto(self.token, (self.dst, self.number if self.proto == "udp" else 0))
        except BlockingIOError:
            pass
        except OSError:  # refused on the way out: a gateway's own packet
            self.over = True

    def look(self):
        """The client's socket has something to say; True when all is said."""
        if self.proto == "tcp":
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self.how = {0: "open", 111: "refused", 110: "silent"}.get(error, "prohibited")
            self.over = True
        elif (got := receive(self.socket, 0)) and self.proto != "proto" and got[0].endswith(self.token):
            reply = got[0] if self.proto != "icmp" else got[0][(got[0][0] & 15) * 4:]
            if self.proto == "udp" or reply[0] in (0, 129):
                self.how, self.over = "answered", True
        return self.over


def serve(proto, s, tokens):
    """What a listening socket does: accepts, echoes, notes."""
    if proto == "tcp":
        with contextlib.suppress(OSError):
            s.accept()[0].close()
        return
    got = receive(s, 0)
    one = tokens.get(got[0][-12:]) if got else None
    if one and proto == "udp":
        with contextlib.suppress(OSError):
            s.sendto(got[0], got[1])
    elif one:
        one.how, one.over = "there", True


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def receive(s, seconds):
    """(data, from) or None after that long; errors the network reported count as nothing."""
    ready, _, _ = select.select([s], [], [], max(seconds, 0))
    if not ready:
        return None
    try:
        return s.recvfrom(65536)
    except OSError:
        return None


def connect(client, to, seconds):
    try:
        client.connect(to)
    except BlockingIOError:
        pass
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "prohibited"
    _, ready, _ = select.select([], [client], [], seconds)
    if not ready:
        return "silent"
    error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return {0: "open", 111: "refused", 110: "silent"}.get(error, "prohibited")


def arrived(wire, token, seconds=SOON):
    """Did a frame that holds these bytes come in?"""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        got = receive(wire, left)
        # Frames the host itself sends (packet type 4) are seen too: not those.
        if got and got[1][2] != 4 and token in got[0]:
            return True
    return False


# -- headers by hand ----------------------------------------------------------------------

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16}


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def transport(src, dst, proto, sport, dport, flags, payload):
    """Bytes of the transport header and payload; icmp: sport is the id, dport the type."""
    if not isinstance(proto, str):
        return payload
    if proto == "udp":
        body, at = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload, 6
    elif proto == "tcp":
        bits = sum(FLAGS[f] for f in flags)
        body, at = struct.pack(">HHLLBBHHH", sport, dport, 1000, 1000 if "A" in flags else 0, 5 << 4, bits,
                               65535, 0, 0) + payload, 16
    else:
        body, at = struct.pack(">BBHHH", dport, 0, 0, sport, 1) + payload, 2
    if proto == "icmp":
        total = checksum(body)
    else:
        a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
        number = PROTOCOLS[proto]
        total = checksum(a + b + (struct.pack(">LL", len(body), number) if len(a) == 16 else
                                  struct.pack(">HH", number, len(body))) + body)
    # Of UDP, 0 would say that there is no checksum, and IPv6 takes none of those.
    return body[:at] + struct.pack(">H", total or 0xffff if proto == "udp" else total) + body[at + 2:]


def network(src, dst, proto, length, ttl):
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if len(a) == 16:
        return struct.pack(">LHBB", 6 << 28, length, proto, ttl) + a + b
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, ttl, proto, 0) + a + b
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:]


class Stream:
    """An open flow between a host and an address, each message numbered.

    to() and back() send one message and say whether the other end received it. TCP retransmits, so
    that a message which was lost while forbidden could come later: each call looks for its own number."""

    def __init__(self, lab, src, dst, service, source, sport):
        self.lab, self.dst, self.sent = lab, dst, 0
        self.proto, _, port = service.partition("/")
        self.port = int(port or 0)
        self.at = lab.owner(dst)
        family = family_of(dst)
        any_address = "::" if ":" in dst else "0.0.0.0"
        kind = socket.SOCK_STREAM if self.proto == "tcp" else socket.SOCK_DGRAM
        self.server = lab.socket(self.at, family, kind, bind=(dst, self.port))
        self.client = lab.socket(src, family, kind, bind=(source or any_address, sport) if source or sport else None)
        if self.proto == "tcp":
            self.server.listen(1)
            how = connect(self.client, (dst, self.port), SOON)
            if how != "open":
                raise AssertionError(f"{src} -> {dst} {service} does not open: {how}")
            select.select([self.server], [], [], SOON)
            self.peer, _ = self.server.accept()
            self.peer.setblocking(False)
            lab.sockets.append(self.peer)
            lab.drop(self.server)  # so that a probe may listen there too
        else:
            self.client.connect((dst, self.port))
            self.peer = self.server
        self.seen = {}
        if self.proto == "udp":
            self.client.send(b"0\n")
            got = receive(self.peer, SOON)
            if not got:
                raise AssertionError(f"{src} -> {dst} {service}: the first packet does not arrive")
            self.peer.connect(got[1])
            if not self.back():
                raise AssertionError(f"{src} -> {dst} {service}: no answer")

    def to(self, patience=SOON):
        return self._say(self.client, self.peer, patience)

    def back(self, patience=SOON):
        return self._say(self.peer, self.client, patience)

    def both(self):
        return self.to() and self.back()

    def dead(self):
        """Neither direction, the server speaking first."""
        return not self.back(NEVER) and not self.to(NEVER) and not self.back(NEVER)

    def _say(self, sender, receiver, patience):
        self.sent += 1
        token = b"%d\n" % self.sent
        with contextlib.suppress(OSError):
            sender.send(token)
        end = time.monotonic() + patience
        have = self.seen.setdefault(receiver, bytearray())
        while (left := end - time.monotonic()) > 0:
            got = receive(receiver, left)
            if got and got[0]:
                have += got[0]
                if b"\n" + token in b"\n" + bytes(have):
                    return True
            elif got is None and select.select([receiver], [], [], 0)[0]:
                return False
        return False

    def close(self):
        self.lab.drop(self.client, self.peer, self.server)


# -- segd ----------------------------------------------------------------------------------

class Segd:
    """The daemon in the gateway's namespace, with a syslog and a service manager of its own."""

    def __init__(self, lab, policy, *options, settings="", name="segd", program=None):
        self.lab = lab
        self.dir = lab.tmp / name
        self.dir.mkdir()
        # A file is used where it lies, so that its lists are found; text becomes a file of this daemon.
        self.policy = policy if isinstance(policy, pathlib.Path) else self.dir / "policy.yaml"
        if policy is not self.policy:
            self.policy.write_text(policy)
        self.state = self.dir / "state"
        self.state.mkdir()
        self.control = self.dir / "control.sock"
        self.settings = self.dir / "segd.yaml"
        self.settings.write_text(f"syslog:\n  path: {self.dir}/log\njournal: false\n" + settings)
        self.options, self.program = options, program or BUILD / "segd"
        self.process, self.log = None, []
        self.syslog = self._datagram("log")
        self.notify, self.ready = self._datagram("notify"), threading.Event()
        threading.Thread(target=self._service_manager, daemon=True).start()
        self.start()

    def _datagram(self, name):
        path = self.dir / name
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(str(path))
        path.chmod(0o666)
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.lab.sockets.append(s)
        return s

    def _service_manager(self):
        """Always reads what the daemon notifies, as systemd does: a full socket would hold it up."""
        with contextlib.suppress(ValueError, OSError):  # the lab is closed, and with it the socket
            while self.notify.fileno() >= 0:
                if (got := receive(self.notify, 0.2)) and b"READY=1" in got[0]:
                    self.ready.set()

    def start(self, seconds=LIFE, ready=True):
        self.ready.clear()
        self.output = open(self.dir / "output", "a+b")
        self.process = self.lab.spawn("gw", str(self.program), "--foreground", "--config", str(self.settings),
                                      "--policy", str(self.policy), "--state-dir", str(self.state),
                                      "--socket", str(self.control), *self.options,
                                      stdout=self.output, stderr=self.output,
                                      env={**os.environ, "NOTIFY_SOCKET": str(self.dir / "notify"), "LC_ALL": "C"})
        if ready:
            self.wait_ready(seconds)
        return self

    def wait_ready(self, seconds=LIFE):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if self.ready.wait(0.05):
                return
        raise AssertionError(f"segd does not get ready (exit {self.process.poll()}): {self.said()}")

    def said(self):
        return (self.dir / "output").read_text(errors="replace")[-3000:]

    @contextlib.contextmanager
    def deaf(self):
        """So much of another table changes that the daemon hears nothing of what is done within."""
        self.process.send_signal(signal.SIGSTOP)
        elements = ", ".join(f"77.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(200000))
        self.lab.nft("gw", f"table ip other {{ set s {{ type ipv4_addr; elements = {{ {elements} }}\n }}\n }}\n")
        yield
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """As a crash: nothing is tidied up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(LIFE)

    def segctl(self, *words, json_out=True, ok=(0,)):
        """The answer as JSON; the exit status must be among ok (None: any). .status afterwards."""
        done = self.lab.exec("gw", str(BUILD / "segctl"), "--socket", str(self.control), *words,
                             *(["--json"] if json_out else []), check=False, timeout=LIFE * PATIENCE)
        self.status = done.returncode
        if ok is not None and done.returncode not in ok:
            raise AssertionError(f"segctl {' '.join(words)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        if not json_out:
            return done.stdout
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"segctl {' '.join(words)}: no JSON: {done.stdout}{done.stderr}") from None

    def apply(self, policy=None, *options, ok=(0,)):
        if policy is not None:
            self.policy.write_text(policy)
        return self.segctl("apply", *options, ok=ok)

    def lines(self):
        """All alerts so far."""
        while got := receive(self.syslog, 0):
            self.log.append(got[0].decode(errors="replace").rstrip("\n\0"))
        return self.log

    def alert(self, event, seconds=2.0, **fields):
        """The first line of the event whose fields are these; None after that long. from_: from."""
        wanted = [f"{k.rstrip('_').replace('_', '-')}={v}" for k, v in fields.items()]

        def look():
            for line in self.lines():
                words = line.split(": ", 1)[-1].split()
                if words[:1] == [event] and all(w in words for w in wanted):
                    return line
            return None
        return wait_for(look, seconds)

    def alerts(self, event, **fields):
        """All lines of the event so far with these fields."""
        wanted = [f"{k.rstrip('_').replace('_', '-')}={v}" for k, v in fields.items()]
        return [line for line in self.lines() if (words := line.split(": ", 1)[-1].split())[:1] == [event]
                and all(w in words for w in wanted)]
