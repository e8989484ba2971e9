# SPDX-License-Identifier: GPL-2.0-or-later
"""Metrics, scraped: the same figures as segctl's, over both kinds of sockets; and nobody who scrapes
badly holds the daemon up."""
import grp
import os
import pathlib
import re
import signal
import socket
import stat
import time

import yaml

from exposition import connect_unix, exchange, get, scrape
from lab import TOP, wait_for
from town import Town, policy

UNIX = "metrics: unix:{}/metrics.sock\n"


class Metered(Town):
    """A town whose metrics lie beside its control socket: with Metered() as (lab, segd, connect)."""

    def __init__(self, text=None, **options):
        super().__init__(text, **options)
        path = self.segd.dir / "metrics.sock"
        restart(self.segd, UNIX.format(self.segd.dir))
        self.connect = lambda: connect_unix(path)

    def __enter__(self):
        return (*super().__enter__(), self.connect)


def restart(segd, settings):
    segd.stop()
    segd.settings.write_text(segd.settings.read_text() + settings)
    segd.start()


def connect_tcp(lab, address, port=9530, host="gw"):
    with lab.inside(host):
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    s.settimeout(5)
    s.connect((address, port))
    return s


def listeners(lab):
    return lab.exec("gw", "ss", "-Hltn").stdout


def alive(segd):
    began = time.monotonic()
    assert segd.segctl("status")["state"] == "enforcing"
    return time.monotonic() - began


def agree(segd, connect):
    """Whether what is scraped is what segctl says; both asked twice, so that nothing moved between."""
    before = segd.segctl("permits")["permits"], segd.segctl("status")
    time.sleep(1.1)  # what was rendered before is not served any more
    shown = scrape(connect())
    permits, status = segd.segctl("permits")["permits"], segd.segctl("status")
    # The entries of conntrack and the clients come and go.
    if before[0] != permits or before[1]["denied"] != status["denied"] or before[1]["events"] != status["events"]:
        return None
    for permit in permits:
        name = permit["id"]
        assert shown.get("segd_permit_flows_total", permit=name) == permit["flows"], permit
        for unit in ("packets", "bytes"):
            assert shown.get(f"segd_permit_{unit}_total", permit=name, direction="original") == permit[unit], permit
            assert shown.get(f"segd_permit_{unit}_total", permit=name, direction="reply") == permit["reply-" + unit], permit
        assert shown.get("segd_permit_active", permit=name) == (permit["state"] == "active"), permit
        assert (shown.get("segd_permit_last_use_timestamp_seconds", permit=name) is None) == (permit["last"] is None)
    refused = shown.family("segd_denied_packets_total", "from", "to"), shown.family("segd_spoofed_packets_total", "from", "to")
    assert sum(refused[0].values()) + sum(refused[1].values()) == status["denied"], (refused, status)
    by_zones = {}
    for one in segd.segctl("denials")["denials"]:
        if one["reason"] != "spoofed":
            pair = one["from"] or "", one["to"] or ""
            by_zones[pair] = by_zones.get(pair, 0) + one["count"]
    assert refused[0] == by_zones, (refused, by_zones)
    assert shown.get("segd_violations_total") == status["violations"]
    for name, key in (("received", "received"), ("filtered_flows", "filtered"), ("unreadable", "unreadable"),
                      ("overflows", "lost"), ("resyncs", "resyncs")):
        assert shown.get(f"segd_events_{name}_total") == status["events"][key], key
    assert shown.get("segd_table_tampered_total") == status["table"]["tampered"]
    assert shown.get("segd_state", state=status["state"]) == 1
    for sink in status["sinks"]:
        assert shown.get("segd_sink_lines_total", sink=sink["sink"]) == sink["sent"], sink
        assert shown.get("segd_sink_dropped_lines_total", sink=sink["sink"]) == sink["dropped"], sink
    return shown


def settled(segd, connect):
    shown = wait_for(lambda: agree(segd, connect), 30, 0.1)
    assert shown, "traffic never came to rest"
    return shown


def grew(before, after):
    for key, value in before.counters().items():
        if key in after.samples:
            assert after.samples[key] >= value, f"{key} went back from {value} to {after.samples[key]}"


def test_the_same_as_segctl():
    with Metered() as (lab, segd, connect):
        first = settled(segd, connect)
        assert first.get("segd_permit_flows_total", permit="AB") == 0
        stream, inside = lab.stream("a", "10.2.0.20", "tcp/443"), lab.stream("i0", "10.3.1.20", "tcp/443")
        assert stream.both() and inside.both()
        for number in range(5):
            lab.frame("a", "192.0.2.20", source="10.1.0.20", dport=100 + number)
            lab.frame("b", "10.1.0.20", source="10.2.0.20", dport=100 + number)
            lab.frame("a", "192.0.2.20", source="10.9.9.9", dport=100 + number)
        second = settled(segd, connect)
        grew(first, second)
        assert second.get("segd_denied_packets_total", from_="a", to="out") == 5
        assert second.get("segd_denied_packets_total", from_="b", to="a") == 5
        assert second.get("segd_spoofed_packets_total", from_="a", to="out") == 5
        assert second.get("segd_permit_flows_total", permit="AB") == 1
        assert second.get("segd_events_filtered_flows_total") == 1
        received = second.get("segd_events_received_total")
        assert received == 1, "inside a zone nothing is told"
        # Over an apply that replaces a permit and renames nothing, and one that puts it back.
        segd.apply(policy(AB="from: a, to: b, service: [tcp/444]", NEW="from: b, to: a, service: [tcp/80]"))
        lab.frame("a", "192.0.2.20", source="10.1.0.20", dport=99)
        third = settled(segd, connect)
        grew(second, third)
        assert third.get("segd_permit_packets_total", permit="AB", direction="original") >= 3
        assert third.get("segd_policy_info", version="2", hash=segd.segctl("status")["policy"]["hash"], site="試験町") == 1
        segd.apply(policy(AB=None))
        fourth = settled(segd, connect)
        grew(third, fourth)
        assert fourth.get("segd_permit_flows_total", permit="AB") is None
        # The daemon's own counters begin anew with it, those of permits do not.
        segd.apply(policy())
        fifth = settled(segd, connect)
        segd.stop()
        segd.start()
        assert settled(segd, connect).get("segd_permit_packets_total", permit="AB", direction="original") == \
            fifth.get("segd_permit_packets_total", permit="AB", direction="original") >= 3


def test_a_late_loop_shows():
    with Metered() as (lab, segd, connect):
        assert wait_for(lambda: scrape(connect()).get("segd_loop_lateness_seconds_count"), 10), "the loop runs"
        for sig, pause in ((signal.SIGSTOP, 2.5), (signal.SIGCONT, 1.2)):
            segd.process.send_signal(sig)
            time.sleep(pause)
        shown = scrape(connect())
        late = shown.get("segd_loop_lateness_seconds_count") - shown.get("segd_loop_lateness_seconds_bucket", le="0.5")
        assert late >= 1 and shown.get("segd_loop_lateness_seconds_sum") > 0.5, late


def test_violations_count():
    with Metered() as (lab, segd, connect):
        segd.kill()
        lab.take_rules_away()
        stream = lab.stream("a", "192.0.2.20", "tcp/8443")
        assert stream.both()
        segd.start()
        assert segd.alert("violation", src="10.1.0.20")
        assert settled(segd, connect).get("segd_violations_total") == 1


def test_a_port_of_this_machine():
    for address, text in (("127.0.0.1", "127.0.0.1:9530"), ("::1", "'[::1]:9530'"), ("127.9.9.9", "127.9.9.9:9530")):
        with Town(settings=f"metrics: {text}\n") as (lab, segd):
            assert scrape(connect_tcp(lab, address)).get("segd_state", state="enforcing") == 1
            assert len(listeners(lab).splitlines()) == 1 and f"{text.strip(chr(39))} " in listeners(lab), listeners(lab)
            assert not lab.probe("a", "10.1.0.1", "tcp/9530", expect=False)


STAGED = "stages:\n  amber: {title: 警戒, closes: {permits: [BO]}}\n"
ENDING = "from: a, to: b, service: [tcp/8080], valid: {from: 2020-01-01, until: 2099-12-31}"


def test_the_rules_we_ship_name_what_there_is():
    """conf/prometheus-alerts.yaml: each rule says how bad and what, of metrics that a gateway shows."""
    rules = [rule for group in yaml.safe_load((TOP / "conf/prometheus-alerts.yaml").read_text())["groups"]
             for rule in group["rules"]]
    names = [rule["alert"] for rule in rules]
    assert len(set(names)) == len(names) > 10 and all(re.fullmatch(r"Segd[A-Z]\w+", name) for name in names), names
    with Metered(policy(END=ENDING) + STAGED) as (lab, segd, connect):
        assert lab.probe("a", "10.2.0.20", "tcp/443")
        lab.frame("a", "192.0.2.20", source="10.1.0.20", dport=53)
        lab.frame("a", "192.0.2.20", source="10.9.9.9", dport=53)
        segd.apply(policy(END=ENDING, DD=None) + STAGED, "--confirm-within", "1h")
        shown = scrape(connect())
        there = {name for name, _ in shown.samples}
        assert shown.get("segd_emergency_stage_active", stage="amber") == 0
        assert shown.get("segd_permit_end_timestamp_seconds", permit="END") == 4102412400, "2100-01-01 in Tokyo"
        left = shown.get("segd_policy_confirm_deadline_timestamp_seconds") - time.time()
        assert 3000 < left <= 3600, left
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"], rule
        wanted = set(re.findall(r"\b(?:segd|process)_[a-z_]+", rule["expr"]))
        assert wanted <= there, (rule["alert"], wanted - there)
        assert wanted or rule["expr"].startswith("up{"), rule


def test_off_by_default():
    with Town() as (lab, segd):
        assert listeners(lab) == ""
        assert sorted(p.name for p in segd.dir.iterdir() if stat.S_ISSOCK(p.stat().st_mode)) == ["control.sock", "log", "notify"]


def test_as_another_user_and_for_the_group():
    """Without root, under the filter on system calls: the socket is the group's that may ask."""
    with Town() as (lab, segd):
        segd.stop()
        for directory in segd.control.parents:
            os.chmod(directory, os.stat(directory).st_mode | 0o111)
        os.chown(segd.dir, 65534, -1)
        plain = segd.settings.read_text() + "user: nobody\ngroup: adm\n"
        for settings, connect in (("metrics: 127.0.0.1:953\n", lambda: connect_tcp(lab, "127.0.0.1", 953)),
                                  (UNIX.format(segd.dir), lambda: connect_unix(segd.dir / "metrics.sock"))):
            segd.settings.write_text(plain + settings)
            segd.start()
            status = pathlib.Path(f"/proc/{segd.process.pid}/status").read_text()
            assert re.search(r"^Uid:\t65534\t", status, re.M) and re.search(r"^Seccomp:\t2$", status, re.M), status
            assert scrape(connect()).get("segd_state", state="enforcing") == 1
            if settings.startswith("metrics: unix"):
                there, control = os.stat(segd.dir / "metrics.sock"), os.stat(segd.control)
                assert stat.S_IMODE(there.st_mode) == 0o660 and there.st_uid == 65534, there
                assert there.st_gid == control.st_gid == grp.getgrnam("adm").gr_gid, (there, control)
            segd.stop()
        assert not (segd.dir / "metrics.sock").exists(), "it goes with the daemon"


def test_a_port_that_is_taken():
    """The gateway is separated all the same; the metrics come when the port is free."""
    with Town() as (lab, segd):
        other = lab.socket("gw", socket.AF_INET, socket.SOCK_STREAM, bind=("127.0.0.1", 9530))
        other.listen()
        restart(segd, "metrics: 127.0.0.1:9530\n")
        assert alive(segd) < 5
        assert "metrics are not served: 127.0.0.1:9530: Address already in use" in segd.said(), segd.said()
        lab.drop(other)
        assert wait_for(lambda: "metrics are served: 127.0.0.1:9530" in segd.said(), 20, 0.2), segd.said()
        assert scrape(connect_tcp(lab, "127.0.0.1")).get("segd_state", state="enforcing") == 1
        assert segd.said().count("metrics are not served") == 1
        # What is no socket of ours is left alone.
        (segd.dir / "file").write_text("mine")
        segd.stop()
        segd.settings.write_text(segd.settings.read_text().replace("127.0.0.1:9530", f"unix:{segd.dir}/file"))
        segd.start()
        assert alive(segd) < 5 and (segd.dir / "file").read_text() == "mine"


def test_only_the_page_and_only_read():
    with Metered() as (lab, segd, connect):
        page = get(connect())
        status, headers, body = get(connect(), method="HEAD")
        assert (status, body) == (200, b"") and abs(int(headers["content-length"]) - len(page[2])) < 200, headers
        assert get(connect(), "/metrics?name=x")[0] == 200
        for path in ("/", "/metrics/", "/metrics/../metrics", "//metrics", "/-/reload", "/%6detrics", "*"):
            assert get(connect(), path)[0] == 404, path
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
            status, headers, _ = get(connect(), method=method)
            assert status == 405 and headers["allow"] == "GET, HEAD", (method, status, headers)


GARBAGE = [b"\0" * 100, b"\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n",
           b"GET /metrics HTTP/1.1\r\n: x\r\n\r\n", b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
           b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n\r\n", b"A" * 200000, b"\xff\xfe" * 500 + b"\r\n\r\n",
           b"GET http://a:99999999/metrics HTTP/1.1\r\n\r\n", b"GET /%zz%00 HTTP/1.1\r\n\r\n",
           b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100000,
           b"POST /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
           b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
           b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b'{"method":"org.segd.Status"}\0']


def test_garbage():
    with Metered() as (lab, segd, connect):
        for request in GARBAGE:
            s = connect()
            try:
                s.sendall(request)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass  # it hangs up: that is its right
            s.close()
        assert alive(segd) < 5
        assert scrape(connect()).get("segd_state", state="enforcing") == 1


ENDLESS = [(b"GET /metrics HTTP/1.1\r\nA: ", b"x" * 65536), (b"GET /", b"x" * 65536),
           (b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 65536),
           (b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", b"x" * 65536),
           (b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 10000),
           (b"", b"GET /metrics HTTP/1.1\r\n\r\n" * 2000)]


def memory(segd):
    """The most it ever had, KiB."""
    status = pathlib.Path(f"/proc/{segd.process.pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)[1])


def test_endless_requests_take_no_memory():
    with Metered() as (lab, segd, connect):
        scrape(connect())
        before = memory(segd)
        for head, more in ENDLESS:
            s, end = connect(), time.monotonic() + 30
            try:
                s.sendall(head)
                while time.monotonic() < end:
                    s.sendall(more)
            except OSError:
                pass
            s.close()
            assert time.monotonic() < end, f"{head[:60]} is never hung up on"
        assert memory(segd) - before < 2048, f"grown by {memory(segd) - before} KiB"


def test_the_slow_and_the_many():
    """More clients than there are places, of every bad kind: control answers, and metrics come again by themselves."""
    with Metered() as (lab, segd, connect):
        crowd = []
        for number in range(100):
            s = connect()
            if number % 4 == 1:
                s.sendall(b"GET /metr")
            elif number % 4 == 2:
                s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n" * 50)  # and does not read
            elif number % 4 == 3:
                s.sendall(b"POST /metrics HTTP/1.1\r\nContent-Length: 10\r\n\r\n")
            crowd.append(s)
        open_fds = len(os.listdir(f"/proc/{segd.process.pid}/fd"))
        assert open_fds < 60, f"{open_fds} descriptors"
        for _ in range(10):
            alive(segd)
        began = time.monotonic()
        dripping = connect()
        for s in crowd:
            s.close()
        try:
            while time.monotonic() - began < 60:  # a byte a second, for ever
                dripping.sendall(b"x")
                time.sleep(1)
        except OSError:
            pass
        assert time.monotonic() - began < 50, "whoever only drips is hung up on"
        assert wait_for(lambda: get(connect())[0] == 200, 20)
        assert len(os.listdir(f"/proc/{segd.process.pid}/fd")) < 40
        assert alive(segd) < 5


def test_a_crowd_of_good_scrapers():
    with Metered() as (lab, segd, connect):
        began, many = time.monotonic(), [connect() for _ in range(40)]
        for s in many:
            s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        for s in many:
            status, _, body = exchange(s, b"")
            assert status == 200 and body.endswith(b"\n")
        print(f"  40 at once: {time.monotonic() - began:.1f} s")
