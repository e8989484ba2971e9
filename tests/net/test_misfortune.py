# SPDX-License-Identifier: GPL-2.0-or-later
"""Full disks, vanished interfaces, names that change, killed daemons: what was good stays, what was closed too."""
import contextlib
import os
import time

from lab import Segd, run, wait_for
from town import Town, build, policy

FEW = ("a", "b", "out")
NARROW = {"AB": "from: a, to: b, service: [udp/5000-5010]"}


class SmallDisk:
    """A daemon whose state directory is a tmpfs of its own."""

    def __init__(self, size="512k"):
        self.lab = build(FEW)
        try:
            self.segd = Segd(self.lab, policy())
            self.segd.stop()
            run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(self.segd.state))
            self.segd.start()
        except BaseException:
            self.__exit__()
            raise

    def fill(self):
        with contextlib.suppress(OSError), open(self.segd.state / "filler", "wb", buffering=0) as f:
            while True:
                f.write(b"x" * 512)

    def empty(self):
        (self.segd.state / "filler").unlink()

    def __enter__(self):
        return self, self.lab, self.segd

    def __exit__(self, *_):
        if self.segd.process.poll() is None:
            self.segd.kill()
        run("umount", "-l", str(self.segd.state), check=False)
        self.lab.close()


def test_a_full_disk_loses_no_policy():
    with SmallDisk() as (disk, lab, segd):
        stream = lab.stream("a", "10.2.0.20", "udp/5005")
        disk.fill()
        answer = segd.apply(policy(AB=None), ok=None)
        assert "error" in answer and segd.status == 5, (segd.status, answer)
        assert "state directory has room" in answer["error"]["message"], answer
        assert stream.both(), "what is in force stays in force"
        assert segd.segctl("verify")["equal"] is True
        answer = segd.segctl("isolate", "10.1.0.21", "--reason", "full", ok=(5,))
        assert "a restart of segd would undo it" in str(answer), answer
        assert "No space left" in str(segd.segctl("status")["unsaved"])
        assert len(segd.alerts("store-failed")) >= 1
        segd.kill()
        segd.policy.write_text("segd: 1\nnonsense\n")
        segd.start()
        assert segd.segctl("status")["state"] == "enforcing", "the last good policy boots from a full disk"
        assert stream.both() and not lab.probe("a", "192.0.2.20", "udp/53", expect=False)
        disk.empty()
        segd.apply(policy(AB=None))
        assert stream.dead()


def test_what_a_full_disk_had_no_room_for():
    """A file that comes into force with a full disk has a version and a history, and boots, once there is room."""
    with SmallDisk() as (disk, lab, segd):
        segd.kill()
        segd.policy.write_text(policy() + "# edited\n")
        disk.fill()
        segd.start()
        status = segd.segctl("status")
        assert status["state"] == "enforcing" and status["policy"]["version"] is None and status["unsaved"], status
        segd.segctl("apply", ok=(5,))
        disk.empty()
        assert wait_for(lambda: not segd.segctl("status")["unsaved"], 70), segd.segctl("status")["unsaved"]
        assert segd.segctl("status")["policy"]["version"] == 2
        answer = segd.segctl("history")["history"]
        assert [(one["version"], one["result"]) for one in answer] == [(2, "confirmed"), (1, "confirmed")], answer
        segd.kill()
        segd.policy.unlink()
        segd.start()
        assert segd.segctl("status")["policy"]["version"] == 2


def lose(file, how):
    if how == "half":
        os.truncate(file, file.stat().st_size // 2)
    elif how == "empty":
        os.truncate(file, 0)
    else:
        file.unlink()


def test_a_torn_state_lets_nobody_out():
    """What decides a start is kept twice: who is isolated stays so, whatever became of one of the two."""
    with Town(policy(), FEW) as (lab, segd):
        segd.segctl("isolate", "10.1.0.20", "--reason", "incident")
        for how in ("half", "empty", "removed"):
            segd.kill()
            lose(segd.state / "state.json", how)
            segd.start()
            assert not lab.probe("a", "10.2.0.20", "tcp/443", expect=False), how
            assert segd.segctl("isolated")["isolated"][0]["target"] == "10.1.0.20", how
        assert len([line for line in segd.alerts("store-failed") if "its copy was read instead" in line]) == 3
        assert not segd.alerts("state-lost") and not segd.segctl("status")["lost"]
        segd.segctl("release", "10.1.0.20")
        assert lab.probe("a", "10.2.0.20", "tcp/443")


def test_a_lost_state_comes_back_from_the_history():
    """Both copies gone: the last confirmed version boots, not the one that went back; who was isolated stays so."""
    with Town(policy(K="from: a, to: b, service: [udp/7000]"), FEW) as (lab, segd):
        segd.segctl("isolate", "10.1.0.21", "--reason", "incident")
        segd.apply(policy(N="from: a, to: out, service: [udp/7001]"), "--confirm-within", "1s")
        assert wait_for(lambda: segd.segctl("status")["policy"]["version"] == 1, 5)
        for turn, how in enumerate(("half", "empty", "removed")):
            segd.kill()
            for name in ("state.json", "state.json.copy"):
                lose(segd.state / name, how)
            segd.start()
            status = segd.segctl("status")
            assert status["state"] == "enforcing" and status["policy"]["version"] == 1, (how, status)
            assert len(status["lost"]) == 1 and "segctl isolated" in status["lost"][0], (how, status)
            assert lab.probe("a", "10.2.0.20", "udp/7000") and not lab.probe("a", "192.0.2.20", "udp/7001", expect=False), how
            assert not lab.probe("a", "10.2.0.20", "udp/7000", source="10.1.0.21", expect=False), how
            assert len(segd.alerts("state-lost", version="1", isolated="1")) == turn + 1
        segd.apply(policy())
        assert segd.segctl("status")["lost"] == []


def test_kills_around_a_deadline():
    """Unconfirmed, killed at any moment, also twice: the confirmed policy comes back, in the kernel too."""
    with Town(policy(**NARROW), FEW) as (lab, segd):
        for pause in (0, 0.05, 0.3, 1.2):
            stream = lab.stream("a", "10.2.0.20", "udp/5005")
            segd.apply(policy(AB=None, AO="from: a, to: out, service: [udp/53]"), "--confirm-within", "2s")
            time.sleep(pause)
            segd.kill()
            segd.start()
            assert wait_for(lambda: lab.probe("a", "10.2.0.20", "udp/5006", expect=False), 8), f"killed after {pause} s"
            assert not lab.probe("a", "192.0.2.20", "udp/53", expect=False), f"killed after {pause} s"
            assert segd.segctl("status")["policy"]["confirm-until"] is None
            lab.drop(stream.client, stream.peer)
        assert segd.segctl("history")["history"][-1]["result"] in ("rolled-back", "confirmed")


def test_killed_in_the_middle_of_applies():
    """Wherever it dies, the next life has one whole policy in force, and it is the one it says."""
    with Town(policy(**NARROW), FEW) as (lab, segd):
        for turn in range(12):
            wide = turn % 2
            segd.policy.write_text(policy(AB="from: a, to: b, service: [udp/5000-6000]") if wide else policy(**NARROW))
            asking = lab.spawn("gw", str(segd.program.parent / "segctl"), "--socket", str(segd.control), "apply",
                               stdout=-3, stderr=-3)
            time.sleep(0.004 * turn)
            segd.kill()
            asking.wait(10)
            segd.start()
            got = lab.probes([("a", "10.2.0.20", "udp/5005", None, True), ("a", "10.2.0.20", "udp/5999", None, bool(wide)),
                              ("a", "192.0.2.20", "udp/53", None, False)])
            assert got == [True, bool(wide), False], f"turn {turn}: {got}"
            assert segd.segctl("verify", ok=None)["equal"], f"turn {turn}"


def test_names_that_change_under_a_flow():
    """A zone by wildcard: an interface that is renamed inside it keeps its flows, one that leaves it is nobody's."""
    zones = {"b": "tier: lgwan, interfaces: [b*], networks: [10.2.0.0/24, '2001:db8:2::/64']"}
    with Town(policy(zones, **NARROW), FEW) as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "udp/5005")

        def rename(old, new):
            lab.ip("gw", f"link set {old} down", f"link set {old} name {new}", f"link set {new} up")
        rename("b0", "b77")
        assert wait_for(stream.both, 3), "renamed inside the zone"
        rename("b77", "x0")
        assert not stream.back(0.35) and not lab.probe("a", "10.2.0.20", "udp/5006", expect=False), "in by no zone's"
        rename("x0", "b0")
        assert wait_for(stream.both, 3), "and back"
        lab.ip("gw", "link del b0")
        assert wait_for(lambda: segd.segctl("status")["state"] == "enforcing")
        assert segd.segctl("verify")["equal"] is True
        assert lab.probe("a", "10.1.0.1", "udp/123")


def test_numbers_that_cannot_be_stored_are_the_reason():
    """What was good stays in force, and nobody looks for a fault of the kernel's."""
    with Town(policy(), FEW) as (lab, segd):
        segd.kill()
        (segd.state / "registry").unlink()
        (segd.state / "registry").mkdir()
        segd.policy.write_text(policy(AB=None))
        segd.start()
        reason = segd.segctl("status")["reason"]
        assert "cannot be stored" in reason and "kernel" not in reason, reason
        assert not lab.probe("a", "192.0.2.20", "udp/53", expect=False)
