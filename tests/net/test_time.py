# SPDX-License-Identifier: GPL-2.0-or-later
"""Windows close in the kernel, to the second, also when nobody is there to close them."""
import datetime
import mmap
import os
import pathlib
import struct
import tempfile
import time
import zoneinfo

from lab import PATIENCE, run, wait_for
from town import Town, policy


def local(seconds=0):
    return datetime.datetime.fromtimestamp(time.time() + seconds, zoneinfo.ZoneInfo("Asia/Tokyo"))


def test_hours_close_in_the_kernel():
    # The window ends with a minute: wait for one that leaves time to set the scene.
    if local().second > 60 - 15 * PATIENCE:
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
        time.sleep(max(0, end.timestamp() + 0.15 * PATIENCE - time.time()))
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


class Clock:
    """The wall clock of one daemon, which can be set; its timers and the kernel's go on as they were."""

    SOURCE = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>
        static const volatile long *ahead; /* ms */
        __attribute__((constructor)) static void map(void)
        {
            int fd = getenv("SEG_CLOCK") ? open(getenv("SEG_CLOCK"), O_RDONLY) : -1;
            if (fd >= 0)
                ahead = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);
            close(fd);
        }
        int clock_gettime(clockid_t id, struct timespec *now)
        {
            int r = (int)syscall(SYS_clock_gettime, id, now);
            if (!r && id == CLOCK_REALTIME && ahead) {
                long ms = now->tv_nsec / 1000000 + *ahead;
                now->tv_nsec = now->tv_nsec % 1000000 + ((ms % 1000 + 1000) % 1000) * 1000000;
                now->tv_sec += (ms - (ms % 1000 + 1000) % 1000) / 1000;
            }
            return r;
        }
        time_t time(time_t *out)
        {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            return out ? *out = now.tv_sec : now.tv_sec;
        }
    """

    def __init__(self, folder):
        self.offset, self.file, shim = 0, folder / "ahead", folder / "clock.so"
        self.file.write_bytes(bytes(4096))
        self.map = mmap.mmap(os.open(self.file, os.O_RDWR), 4096)
        run("cc", "-shared", "-fPIC", "-x", "c", "-o", str(shim), "-", input=self.SOURCE)
        self.environment = {"LD_PRELOAD": str(shim), "SEG_CLOCK": str(self.file)}

    def step(self, seconds):
        self.offset += seconds
        self.map[:8] = struct.pack("l", int(self.offset * 1000))

    def now(self):
        return time.time() + self.offset


def test_steps_of_the_clock():
    """What the kernel closes by itself, it closes by the clock that was set; several small steps are a large one."""
    at = local().replace(hour=12, minute=30, second=0, microsecond=0)
    text = policy(AB="from: a, to: b, service: [udp/5005], hours: [daily 10:00-14:00]", AO="from: a, to: out, service: [udp/80]")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        clock = Clock(pathlib.Path(folder))
        clock.step(at.timestamp() - time.time())
        os.environ.update(clock.environment)
        try:
            town = Town(text, ("a", "b", "out"))
        finally:
            for name in clock.environment:
                del os.environ[name]
        with town as (lab, segd):
            stream, kept = lab.stream("a", "10.2.0.20", "udp/5005"), lab.stream("a", "192.0.2.20", "udp/80")
            for _ in range(4):
                clock.step(0.8)
                time.sleep(1.1)
            assert wait_for(lambda: segd.segctl("verify", ok=(0, 1))["equal"], 2), segd.segctl("verify", ok=None)["findings"][:2]
            end = at.replace(hour=14, minute=0).timestamp()
            clock.step(end - 4 - clock.now())
            assert wait_for(lambda: segd.segctl("verify", ok=(0, 1))["equal"], 2), segd.segctl("verify", ok=None)["findings"][:2]
            assert stream.both()
            segd.kill()
            time.sleep(max(0, end - clock.now() + 0.1))
            assert stream.dead() and kept.both(), "closed by the kernel, with the daemon dead"
