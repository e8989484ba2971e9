# SPDX-License-Identifier: GPL-2.0-or-later
"""Windows close in the kernel, to the second, also when nobody is there to close them."""
import datetime
import time
import zoneinfo

from lab import wait_for
from town import Town, policy


def local(seconds=0):
    return datetime.datetime.fromtimestamp(time.time() + seconds, zoneinfo.ZoneInfo("Asia/Tokyo"))


def test_hours_close_in_the_kernel():
    # The window ends with a minute: wait for one that leaves time to set the scene.
    if local().second > 45:
        time.sleep(61 - local().second)
    end = local(60).replace(second=0, microsecond=0)
    begin = end - datetime.timedelta(hours=2)
    hours = f"hours: [daily {begin:%H:%M}-{end:%H:%M}]"
    far = local(86400 * 3)
    text = policy(AB=f"from: a, to: b, service: [tcp/443, udp/5005], {hours}",
                  DR=f"from: a, to: b, service: [tcp/8443], {hours}, at-close: drain",
                  OK=f"from: a, to: b, service: [tcp/22], valid: {{from: 2020-01-01, until: {far:%Y-%m-%d}}}",
                  OLD="from: a, to: b, service: [tcp/23], valid: {from: 2020-01-01, until: 2020-12-31}",
                  NOT="from: a, to: b, service: [tcp/24], hours: [daily "
                      f"{end + datetime.timedelta(hours=1):%H:%M}-{end + datetime.timedelta(hours=2):%H:%M}]")
    with Town(text, ("a", "b", "out")) as (lab, segd):
        cut = [lab.stream("a", "10.2.0.20", "tcp/443"), lab.stream("a", "2001:db8:2::20", "udp/5005")]
        drain, kept = lab.stream("a", "10.2.0.20", "tcp/8443"), lab.stream("a", "10.2.0.20", "tcp/22")
        got = lab.probes([("a", "10.2.0.20", s, None, e) for s, e in (("tcp/23", False), ("tcp/24", False))])
        assert got == [False, False], "expired, and not yet open"
        states = {p["id"]: p["state"] for p in segd.segctl("permits")["permits"]}
        assert (states["AB"], states["OLD"], states["NOT"], states["OK"]) == ("active", "expired", "closed", "active"), states
        segd.kill()
        assert all(s.both() for s in cut), "open until the minute ends"
        time.sleep(max(0, end.timestamp() - time.time() - 1.5))
        if time.time() < end.timestamp() - 0.6:
            assert cut[0].both(), "still in the window"
        time.sleep(max(0, end.timestamp() + 0.15 - time.time()))
        assert all(s.dead() for s in cut), "closed by the kernel at the end of the minute, with the daemon dead"
        assert not lab.probe("a", "10.2.0.20", "tcp/443", expect=False)
        assert not lab.probe("a", "10.2.0.20", "tcp/8443", expect=False), "drain admits nothing new"
        assert drain.both(), "but lets what is open finish"
        assert kept.both()
        segd.start()
        assert drain.both() and kept.both()
        assert all(s.dead() for s in cut)
        assert not segd.alerts("violation", dport=8443)
        assert wait_for(lambda: {p["id"]: p["state"] for p in segd.segctl("permits")["permits"]}["AB"] == "closed", 2)
