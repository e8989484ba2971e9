# SPDX-License-Identifier: GPL-2.0-or-later
"""What is revoked stops with the next packet, whatever it is made of; its neighbours lose nothing.

Judged by numbered packets in both directions: nothing that was sent after the change was acknowledged may
arrive, and of an unchanged permit everything.
"""
import datetime
import socket
import time
import zoneinfo

from blast import Blast
from lab import PATIENCE, receive, wait_for
from test_plain import plain_town
from town import Town, policy

AB = "from: a, to: b, service: [tcp/443, tcp/8080, udp/5005, udp/5006, icmp/8, icmpv6/128]"
AO = "from: a, to: out, service: [tcp/80, udp/80]"
# Of TCP alone: a packet of UDP to a high port is a flow of this permit by its own right, whatever went before.
REVERSE = "from: b, to: a, service: [tcp/1024-65535]"
# Packets without which a stream proves nothing: until its end, and over the whole scene.
RAN, WENT_ON = 50 / PATIENCE, 200 / PATIENCE


class Scene:
    """Flows of permit AB of every kind (doomed) and of others (kept), both families, both directions."""

    def __init__(self, lab, pace=300):
        self.blast = b = Blast(lab, pace)
        self.doomed, self.kept = [], []
        for dst in ("10.2.0.20", "2001:db8:2::20"):
            self.doomed += b.tcp("a", dst, 443) + b.both("a", dst, 5005) + b.ping("a", dst)
        for dst in ("192.0.2.20", "2001:db8:f::20"):
            self.kept += b.tcp("a", dst, 80) + b.both("a", dst, 80)

    def __enter__(self):
        self.blast.__enter__()
        self.blast.run()
        time.sleep(0.6)
        return self

    def __exit__(self, *problem):
        time.sleep(0.6)
        self.blast.__exit__(*problem)

    def judge(self, before, after):
        """Doomed until before, dead from after on; the others never."""
        for s in self.doomed:
            assert len(self.blast.came(s, until=before)) > RAN, f"stream {s} never ran"
            lost = [n for n in self.blast.lost(s, until=before - 0.2)]
            assert not lost, f"stream {s} lost {lost[:5]} before its time"
            late = self.blast.heard(s, since=after + 0.01)
            assert not late, f"stream {s}: {len(late)} packets after the end, number {late[0]} first"
        for s in self.kept:
            lost = self.blast.lost(s)
            assert len(self.blast.numbers(s)) > WENT_ON and not lost, f"kept stream {s} lost {len(lost)}: {lost[:5]}"


def entries_gone(lab, *words):
    return wait_for(lambda: not [line for line in lab.conntrack() if all(w in line for w in words)], 8)


def apply_timed(segd, text):
    segd.policy.write_text(text)
    before = time.monotonic()
    answer = segd.segctl("apply")
    return answer, before, time.monotonic()


def removed(reverse, loose):
    more = {"BA": REVERSE} if reverse else {}
    with Town(policy(AB=AB, AO=AO, **more)) as (lab, segd):
        lab.sysctl("gw", f"net.netfilter.nf_conntrack_tcp_loose={loose}")
        with Scene(lab) as scene:
            answer, before, after = apply_timed(segd, policy(AB=None, AO=AO, **more))
            time.sleep(0.7)
        scene.judge(before, after)
        assert answer["revoked"] == {"flows": 6, "permits": 1}, answer
        assert segd.alert("revoked", permit="AB", count=6)
        assert entries_gone(lab, "src=10.1.0.20", "dport=443 ") and entries_gone(lab, "src=10.1.0.20 dst=10.2.0.20", "dport=5005 ")
        assert not segd.alerts("violation"), segd.alerts("violation")


def test_removed():
    removed(reverse=False, loose=0)


def test_removed_with_a_reverse_permit_and_loose_tracking():
    removed(reverse=True, loose=1)


def test_narrowed_to_another_address():
    with Town(policy(AB=AB, AO=AO)) as (lab, segd):
        with Scene(lab) as scene:
            answer, before, after = apply_timed(segd, policy(
                AB=AB + ", destination: [10.2.0.21, '2001:db8:2::21']", AO=AO))
            time.sleep(0.7)
        scene.judge(before, after)
        assert answer["revoked"]["flows"] == 6, answer


def test_zone_isolated():
    with Town(policy(AB=AB, AO=AO)) as (lab, segd):
        with Scene(lab) as scene:
            before = time.monotonic()
            segd.segctl("isolate", "b", "--reason", "test")
            after = time.monotonic()
            time.sleep(0.7)
        scene.judge(before, after)
        assert entries_gone(lab, "dst=10.2.0.20"), lab.conntrack()
        assert segd.alert("revoked"), segd.lines()[-5:]


def test_zone_loses_the_network():
    """The permit is word for word the same; what its zone means is not."""
    with Town(policy(AB=AB, AO=AO)) as (lab, segd):
        zones = {"b": "tier: lgwan, interfaces: [b0], networks: [10.2.0.64/26, '2001:db8:2:1::/64'], refuse: reject"}
        with Scene(lab) as scene:
            _, before, after = apply_timed(segd, policy(zones, AB=AB, AO=AO))
            time.sleep(0.7)
        # The rest of b belongs to out now: what goes there is nobody's business but AO's.
        scene.kept = []
        scene.judge(before, after)


def window(seconds):
    """Text of hours that end with the minute, at least so many seconds away; and that end."""
    now = time.time()
    end = now + seconds
    end = end + 60 - end % 60
    if end - now > seconds + 8:
        time.sleep(end - now - seconds - 8)
    local = datetime.datetime.fromtimestamp(end, zoneinfo.ZoneInfo("Asia/Tokyo"))
    return f"hours: [daily {local - datetime.timedelta(hours=2):%H:%M}-{local:%H:%M}]", end


def test_window_ends_alive_then_dead():
    """One town whose daemon lives and one whose daemon is dead as the window ends: within a second, both."""
    hours, end = window(10 * PATIENCE)
    drain = f"from: a, to: out, service: [tcp/80, udp/80], {hours}, at-close: drain"
    text = policy(AB=f"{AB}, {hours}", AO=drain, BA=REVERSE)
    with Town(text) as (lab, segd), Town(text) as (lab2, segd2):
        with Scene(lab) as alive, Scene(lab2) as dead:
            segd2.kill()
            time.sleep(max(0, end - time.time() + 1.5 + PATIENCE))
        offset = time.time() - time.monotonic()
        for scene in (alive, dead):
            scene.judge(end - offset - 0.2, end - offset + PATIENCE)
        assert segd.alert("revoked", permit="AB", count=6), segd.lines()[-6:]
        assert entries_gone(lab, "dport=443 ")
        assert not lab.probe("a", "192.0.2.20", "udp/80", source="10.1.0.21", expect=False), "a draining permit admits nobody"
        segd2.start()
        assert entries_gone(lab2, "dport=443 "), "the next daemon removes what was cut"
        for s in (segd, segd2):
            assert not s.alerts("violation"), s.alerts("violation")


def test_through_translation_by_others():
    """DNAT and SNAT in another table: the flow is known by its true ends, and dies as any other."""
    with Town(policy(AB=AB, AO=AO)) as (lab, segd):
        lab.nft("gw", """table ip others {
            chain pre { type nat hook prerouting priority dstnat; ip daddr 203.0.113.9 dnat to 10.2.0.20; }
            chain post { type nat hook postrouting priority srcnat; oifname "b0" masquerade; }
        }""")
        with Blast(lab, 300) as blast:
            doomed = (blast.tcp("a", "10.2.0.20", 443, open_at=("203.0.113.9", 443)) +
                      blast.both("a", "10.2.0.20", 5005, open_at=("203.0.113.9", 5005)))
            kept = blast.both("a", "192.0.2.20", 80)
            blast.run()
            time.sleep(0.5)
            answer, before, after = apply_timed(segd, policy(AB=None, AO=AO))
            time.sleep(0.8)
        for s in doomed:
            assert len(blast.came(s, until=before)) > RAN
            assert not blast.heard(s, since=after + 0.01), f"stream {s} goes on"
        assert not [s for s in kept if blast.lost(s)]
        assert answer["revoked"]["flows"] == 2, answer


def test_replaced_and_covered_lives_on():
    with Town(policy(AB=AB, AO=AO)) as (lab, segd):
        with Scene(lab) as scene:
            answer, *_ = apply_timed(segd, policy(AB=None, NEW=AB, AO=AO))
            time.sleep(0.5)
        for s in scene.doomed + scene.kept:
            assert not scene.blast.lost(s), f"stream {s} lost {scene.blast.lost(s)[:5]}"
        assert answer["revoked"]["flows"] == 0, answer
        flows = [f for f in segd.segctl("flows")["flows"] if f["to"] == "b"]
        assert flows and {f["permit"] for f in flows} == {"NEW"}, flows
        assert not segd.alerts("violation") and not segd.alerts("revoked")


def test_a_foreign_hand_at_the_mark():
    """conntrack -U puts another live permit's number on an open flow: it loses no packet by that, and does not
    outlive its own permit."""
    permits = {"AB": "from: a, to: b, service: [udp/5005]", "KEPT": "from: a, to: b, service: [udp/5007]"}
    with Town(policy(**permits), hosts=("a", "b", "out")) as (lab, segd):
        with Blast(lab, 500) as blast:
            moved, kept = blast.both("a", "10.2.0.20", 5005), blast.both("a", "10.2.0.20", 5007)
            blast.run()
            time.sleep(0.3)

            def mark(port):
                line = next(line for line in lab.conntrack() if f"dport={port} " in line)
                return line.split(" mark=")[1].split()[0]

            def update(*change):
                lab.exec("gw", "conntrack", "-U", "-p", "udp", "-s", "10.1.0.20", "-d", "10.2.0.20",
                         "--orig-port-dst", "5005", *change)

            own, other = mark(5005), mark(5007)
            assert own != other
            for _ in range(3):
                update("-m", other)
                assert wait_for(lambda: mark(5005) == own), "it bears another permit's number"
            update("-t", "100")  # as others may
            time.sleep(0.2)
            stood = time.monotonic()
            time.sleep(0.1)
            update("-m", other)
            segd.apply(policy(**{**permits, "AB": None}))
            gone = time.monotonic()
            time.sleep(0.5)
        for s in moved:
            assert not blast.lost(s, until=stood), f"stream {s} lost {len(blast.lost(s, until=stood))}"
            assert not blast.came(s, gone), f"stream {s} lives on: {len(blast.came(s, gone))}"
            assert len(blast.came(s)) > RAN
        for s in kept:
            assert blast.came(s, gone) and not blast.lost(s)
        assert not segd.alerts("violation"), segd.alerts("violation")


def test_stopped_by_a_start():
    """The policy changes while nobody lives: what a start stops, it tells of."""
    for dies in ("kill", "stop"):
        with Town(hosts=("a", "b", "out")) as (lab, segd):
            streams = [lab.stream("a", "10.2.0.20", "tcp/443"), lab.stream("a", "10.2.0.20", "udp/5005")]
            getattr(segd, dies)()
            segd.policy.write_text(policy(AB=None))
            segd.start()
            assert segd.alert("revoked", permit="AB", count=2, reason="start"), segd.alerts("revoked")
            assert not any(s.both() for s in streams) and not segd.alerts("violation")
            assert entries_gone(lab, "src=10.1.0.20", "dst=10.2.0.20"), lab.conntrack()


def test_what_stays_on_a_link_is_revoked():
    """A group that the gateway hears, and its own link-local address: told, and their entries go."""
    with Town(policy(AG="from: a, to: gateway, service: [udp/5353, udp/123]"), hosts=("a", "b")) as (lab, segd):
        lab.ip("gw", "addr add fe80::1/64 dev a0 nodad")
        lab.ip("a", "addr add fe80::20/64 dev eth0 nodad")
        ear = lab.socket("gw", socket.AF_INET6, socket.SOCK_DGRAM, bind=("::", 123))
        member = lab.socket("gw", socket.AF_INET, socket.SOCK_DGRAM, bind=("", 5353))
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                          socket.inet_aton("224.0.0.251") + socket.inet_aton("10.1.0.1"))
        with lab.inside("a"):
            index = socket.if_nametoindex("eth0")
        client = lab.socket("a", socket.AF_INET6, socket.SOCK_DGRAM)

        def goes_in(seconds):
            client.sendto(b"near", ("fe80::1", 123, 0, index))
            return receive(ear, seconds) is not None

        assert wait_for(lambda: goes_in(0.2), 5)
        lab.frame("a", "224.0.0.251", source="10.1.0.20", sport=5353, dport=5353, payload=b"group",
                  to_mac="01:00:5e:00:00:fb", ttl=255)
        assert receive(member, 2)
        assert segd.apply(policy(AG=None))["revoked"] == {"flows": 2, "permits": 1}
        assert segd.alert("revoked", permit="AG", count=2)
        assert not goes_in(0.3)
        assert entries_gone(lab, "dport=123 ") and entries_gone(lab, "dst=224.0.0.251"), lab.conntrack()
        assert not segd.alerts("violation")


def idle(town):
    """The permit of a flow is narrowed and still covers it, then goes: no packet in between has told the kernel."""
    narrow = "from: a, to: b, service: [tcp/443], destination: [10.2.0.0/25]"
    with town as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        for text in (narrow, narrow + ", source: [10.1.0.0/25]"):
            assert not segd.apply(policy(AB=text))["revoked"]["flows"]
            assert [f["permit"] for f in segd.segctl("flows")["flows"]] == ["AB"]
        assert segd.apply(policy(AB=None))["revoked"] == {"flows": 1, "permits": 1}
        assert segd.alert("revoked", permit="AB", count=1) and not segd.alerts("violation")
        assert entries_gone(lab, "src=10.1.0.20", "dport=443 "), lab.conntrack()
        segd.apply(policy())
        assert stream.dead(), "it lives on where its permit comes back"


def test_idle_while_its_permit_is_narrowed():
    idle(Town(hosts=("a", "b", "out")))


def test_idle_where_nobody_owns_the_table():
    idle(plain_town())
