# SPDX-License-Identifier: GPL-2.0-or-later
"""Small BPF programs for tests, by bpf(2) itself: there need be no compiler and no bpftool."""
import contextlib
import ctypes
import os
import platform
import socket
import struct

SYS_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine(), 0)
PROG_LOAD, PROG_ATTACH, PROG_DETACH, LINK_CREATE = 5, 8, 9, 28
SCHED_CLS, XDP = 3, 6                  # enum bpf_prog_type
TCX_INGRESS, TCX_EGRESS, ON_XDP = 46, 47, 37  # enum bpf_attach_type
XDP_GENERIC = 2
LIBC = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    buffer = ctypes.create_string_buffer(attr, len(attr))
    result = LIBC.syscall(SYS_BPF, command, buffer, len(attr))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def redirecting(kind, to):
    """A program that sends every packet out of the interface with this index: its descriptor."""
    code = b"".join(struct.pack("<BBhi", *one) for one in (
        (0xb7, 1, 0, to), (0xb7, 2, 0, 0), (0x85, 0, 0, 23), (0x95, 0, 0, 0)))  # return bpf_redirect(to, 0)
    code, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    return bpf(PROG_LOAD, struct.pack("<IIQQ", kind, len(code) // 8, ctypes.addressof(code), ctypes.addressof(licence))
               + bytes(96))


@contextlib.contextmanager
def attached(lab, interface, hook, to):
    """Such a program stands there within; hook: TCX_INGRESS, TCX_EGRESS, or ON_XDP by a bpf link, of which netlink
    tells nobody. OSError where this kernel knows none."""
    with lab.inside("gw"):
        index = socket.if_nametoindex(interface)
        program = redirecting(XDP if hook == ON_XDP else SCHED_CLS, socket.if_nametoindex(to))
        try:
            if hook == ON_XDP:
                link = bpf(LINK_CREATE, struct.pack("<IIII", program, index, hook, XDP_GENERIC) + bytes(48))
            else:
                bpf(PROG_ATTACH, struct.pack("<IIIIII", index, program, hook, 0, 0, 0) + bytes(8))
        except OSError:
            os.close(program)
            raise
    try:
        yield
    finally:
        if hook == ON_XDP:
            os.close(link)
        else:
            with lab.inside("gw"):
                bpf(PROG_DETACH, struct.pack("<IIIIII", index, program, hook, 0, 0, 0) + bytes(8))
        os.close(program)
