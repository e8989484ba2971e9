# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways round the rules that are none of nf_tables': on the interfaces themselves, and on what lies below them."""
import contextlib
import os

import bpf
from lab import SOON, arrived, wait_for
from town import Town, policy

FEW = ("a", "b", "out")
WHILE = 13  # seconds within which it is told of, without anybody's asking


def leaks(lab, at="out", dst="192.0.2.20"):
    """Does a packet of a's that nobody permits come there?"""
    wire, token = lab.wire(at), os.urandom(12)
    lab.frame("a", dst, source="10.1.0.20", payload=token)
    seen = arrived(wire, token, SOON)
    lab.drop(wire)
    return seen


def named(lab, segd, *words):
    """It is told of, once, and stands in status and verify."""
    told = wait_for(lambda: [line for line in segd.alerts("bypass") if all(word in line for word in words)], WHILE)
    assert told, f"no alert with {words}: {segd.alerts('bypass')}"
    status = segd.segctl("status")["bypass"]
    assert any(all(word in one for word in words) for one in status), status
    found = segd.segctl("verify", ok=(0, 1))["findings"]
    assert segd.status == 1 and any(f["kind"] == "bypass" for f in found), found
    assert len(told) == 1, told


def gone(segd):
    assert wait_for(lambda: not segd.segctl("status")["bypass"], SOON), segd.segctl("status")["bypass"]
    segd.segctl("verify")


@contextlib.contextmanager
def program(lab, interface, hook, to="out0"):
    """False within where this kernel has no such programs."""
    try:
        way = bpf.attached(lab, interface, hook, to)
        way.__enter__()
    except OSError as problem:
        print(f"     no program on {interface}: {problem}")
        yield False
        return
    try:
        yield True
    finally:
        way.__exit__(None, None, None)


def test_a_tcx_program_is_named():
    """tc's hooks without a qdisc, and without a word of netlink."""
    with Town(policy(), FEW) as (lab, segd):
        for hook, side in ((bpf.TCX_INGRESS, "ingress"), (bpf.TCX_EGRESS, "egress")):
            with program(lab, "a0", hook) as stands:
                if not stands:
                    return
                if side == "ingress":
                    assert leaks(lab)
                named(lab, segd, "tcx", side, "a0")
            gone(segd)
        assert len(segd.alerts("bypass")) == 2, segd.alerts("bypass")
