# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian that boots: systemd in systemd-nspawn, segd installed as `make install` does it.

The container's network namespace is the gateway of a Lab (tests/net/lab.py), so that every probe
of the packet tests works on a machine that boots. Power off and on is a new Lab and a new boot of
the same tree: disks keep what they held, the kernel's tables begin empty.

    with Machine() as gateway:
        gateway.write("/etc/segd/policy.yaml", policy())
        gateway.power_on(build())
        gateway.active("segd")
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests/net"))
from lab import BUILD, run, wait_for  # noqa: E402

SUITE = "bookworm"
TREE = TOP / "build-boot" / SUITE
# What segd links with, and what a test looks with.
PACKAGES = ("systemd,systemd-sysv,nftables,conntrack,iproute2,procps,"
            "libfyaml0,libjansson4,libnftnl11,libmnl0,libnetfilter-conntrack3,libnetfilter-log1,"
            "libevent-core-2.1-7,libevent-extra-2.1-7,libsqlite3-0,libsystemd0,libcap-ng0,libseccomp2")
# The network comes up by systemd-networkd, which as every manager of networks waits for network-pre.target.
NETWORKD = "[Match]\nName={name}\n[Network]\n{addresses}\nIPv6AcceptRA=no\nIPv6DuplicateAddressDetection=0\n"


def tree():
    """The Debian without segd; made once, and anew when the list of packages is another one."""
    made_of = TREE.with_suffix(".packages")
    if not (TREE / "sbin/init").exists() or not made_of.exists() or made_of.read_text() != PACKAGES:
        TREE.parent.mkdir(parents=True, exist_ok=True)
        part = TREE.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        print(f"installing Debian {SUITE} into {TREE} (once)", flush=True)
        run("mmdebstrap", "--variant=minbase", "--quiet", f"--include={PACKAGES}", SUITE, str(part))
        shutil.rmtree(TREE, ignore_errors=True)
        part.rename(TREE)
        made_of.write_text(PACKAGES)
    return TREE


class Machine:
    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="segd-boot-"))
        self.root = self.home / "root"
        self.nspawn = self.lab = None
        try:
            self._install()
        except BaseException:
            shutil.rmtree(self.home, ignore_errors=True)
            raise

    def _install(self):
        run("cp", "-a", "--reflink=auto", str(tree()), str(self.root))
        run("make", "-s", "-C", str(TOP), "install", f"DESTDIR={self.root}", f"BUILD={BUILD}")
        run("systemd-sysusers", f"--root={self.root}")
        run("systemctl", f"--root={self.root}", "enable", "segd.service", "systemd-networkd.service")
        self.write("/etc/systemd/journald.conf", "[Journal]\nStorage=persistent\nRateLimitBurst=0\n")
        self.write("/etc/machine-id", f"{int(time.time() * 1e6):032x}\n")

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        if kind and self.leader():
            print("  " + self.shell("journalctl -b -u segd -n 25 -o short-precise --no-pager || true")
                  .replace("\n", "\n  "))
        self.close()

    def close(self):
        self.power_cut()
        shutil.rmtree(self.home, ignore_errors=True)

    def write(self, path, text):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o644)

    def configure_links(self, lab):
        """What Lab gave the gateway's interfaces becomes configuration of the machine; they are down until it boots."""
        for name in {host["interface"] for host in lab.hosts.values()}:
            link = json.loads(run("ip", "-n", lab.full("gw"), "-j", "addr", "show", name).stdout)[0]
            own = [f"Address={a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] == "global"]
            self.write(f"/etc/systemd/network/{name}.network",
                       NETWORKD.format(name=name, addresses="\n".join(own)))
            lab.ip("gw", f"link set {name} down", f"addr flush dev {name}")

    # -- power --------------------------------------------------------------------------------

    def power_on(self, lab, first=lambda: None):
        """Boots. first() is called when all is laid out and the machine still off: its links are down."""
        self.lab = lab
        self.configure_links(lab)
        first()
        self.output = open(self.home / "console", "ab")
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "-D", str(self.root), "--boot", "--register=no", "--keep-unit",
             f"--machine=segd-boot-{os.getpid()}", f"--network-namespace-path=/run/netns/{lab.full('gw')}",
             "--capability=CAP_NET_ADMIN", "--console=pipe", "--link-journal=no", "--resolv-conf=off", "--timezone=off"],
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"})
        if not wait_for(self.up, 60, 0.1):
            raise AssertionError(f"does not boot: {(self.home / 'console').read_text(errors='replace')[-2000:]}")

    def leader(self):
        """The container's process 1, as the host counts."""
        if not self.nspawn or self.nspawn.poll() is not None:
            return None
        try:
            children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
            return next((int(c) for c in children
                         if pathlib.Path(f"/proc/{c}/comm").read_text().strip() == "systemd"), None)
        except OSError:
            return None

    def up(self):
        return self.leader() and self.run("systemctl", "is-system-running", check=False).stdout.strip() in (
            "running", "degraded")

    def power_cut(self):
        """As when the plug is pulled: no unit is stopped. The gateway's namespace goes with it."""
        if self.nspawn:
            leader = self.leader()
            if leader:
                os.kill(leader, signal.SIGKILL)
            self.nspawn.wait(20)
            self.output.close()
            self.nspawn = None
        if self.lab:
            self.lab.close()
            self.lab = None

    def shutdown(self):
        """An orderly end."""
        self.run("systemctl", "poweroff", check=False)
        self.nspawn.wait(60)
        self.power_cut()

    # -- inside ---------------------------------------------------------------------------------

    def run(self, *words, **options):
        leader = self.leader()
        if not leader:
            raise AssertionError("the machine is off")
        return run("nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-w", "--", "/usr/bin/env", "-i",
                   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", *words,
                   **options)

    def shell(self, text):
        return self.run("sh", "-c", text).stdout

    def show(self, name, unit="segd.service"):
        return self.run("systemctl", "show", "-P", name, *([unit] if unit else [])).stdout.strip()

    def active(self, seconds=15):
        return wait_for(lambda: self.show("ActiveState") == "active", seconds)

    def pid(self):
        return int(self.show("MainPID"))

    def status_of(self, pid):
        """/proc/PID/status as words."""
        text = self.run("cat", f"/proc/{pid}/status").stdout
        return {line.split(":", 1)[0]: line.split(":", 1)[1].split() for line in text.splitlines()}

    def segctl(self, *words, ok=(0,)):
        done = self.run("segctl", *words, "--json", check=False, timeout=60)
        if done.returncode not in ok:
            raise AssertionError(f"segctl {' '.join(words)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def journal(self, **fields):
        """The entries of this boot with these fields, oldest first."""
        words = [f"{key}={value}" for key, value in fields.items()]
        lines = self.run("journalctl", "-b", "-o", "json", "--no-pager", *words).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def crash(self):
        """kill -9, and wait until somebody else runs."""
        pid = self.pid()
        self.run("kill", "-9", str(pid))
        assert wait_for(lambda: self.pid() not in (0, pid) and self.show("ActiveState") == "active", 20, 0.1), \
            "not started again"
        return pid
