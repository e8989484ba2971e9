# SPDX-License-Identifier: GPL-2.0-or-later
"""The documents of segctl --json: every key of the contract, in every command, from a daemon that has seen something of each."""
import threading

from lab import wait_for
from town import PERMITS, Town, policy

FLOW = {"from", "to", "proto", "src", "sport", "dst", "dport", "permit", "packets", "bytes", "reply-packets", "reply-bytes",
        "since", "state"}
APPLIED = {"version", "hash", "unchanged", "revoked", "confirm-until", "back-to", "replaced", "notes"}
REFUSAL = {"from", "to", "proto", "src", "dst", "dport", "reason", "count", "first", "last"}
PLACE = {"file", "line", "column", "end-column", "code", "message", "related"}
ENDING = "from: a, to: b, service: [tcp/8080], valid: {from: 2020-01-01, until: 2099-12-31}, hours: [mon-fri 08:00-20:00]"


def has(document, *keys):
    missing = {k for group in keys for k in ([group] if isinstance(group, str) else group)} - set(document)
    assert not missing, f"{sorted(missing)} missing in {document}"


def listed(document, name, keys):
    assert set(document) >= {name} and document[name], document
    for one in document[name]:
        has(one, keys)
    return document[name]


def test_status_and_lists():
    with Town(policy(END=ENDING)) as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        assert stream.both()
        lab.frame("a", "192.0.2.20", source="10.1.0.20", dport=53)
        assert wait_for(lambda: segd.segctl("denials")["denials"], 3)
        segd.segctl("isolate", "10.2.0.99", "--reason", "try", "--for", "1h")
        status = segd.segctl("status")
        has(status, "state", "site", "version", "policy", "table", "events", "conntrack", "denied", "denied-unreadable", "violations",
            "sinks", "clients", "bypass", "unsaved", "isolated", "ending", "started")
        assert status["unsaved"] == []
        has(status["policy"], "version", "hash", "file", "since", "confirm-until", "zones", "permits", "stage")
        has(status["table"], "owner", "persist", "descriptor-kept", "tampered", "restored")
        has(status["events"], "received", "filtered", "lost", "resyncs", "unreadable", "queue")
        assert [one["sink"] for one in listed(status, "sinks", {"sink", "sent", "dropped", "pending"})] == ["syslog"]
        assert status["sinks"][0]["sent"] >= 3, status["sinks"]  # applied, started, denied
        has(status["clients"], "connected", "watching", "refused", "dropped")
        assert status["clients"]["connected"] == 1, "who asks is one of them"
        has(status["conntrack"], "count", "max")
        isolation = {"target", "since", "until", "reason", "uid"}
        listed(segd.segctl("isolated"), "isolated", isolation)
        listed(status, "isolated", isolation)
        for permit in listed(segd.segctl("permits"), "permits",
                             {"id", "title", "class", "from", "to", "state", "next-change", "flows", "packets", "bytes",
                              "reply-packets", "reply-bytes", "first", "last"}):
            assert permit["state"] in ("active", "closed", "expired", "not-yet", "stopped"), permit
        listed(segd.segctl("flows"), "flows", FLOW)
        listed(segd.segctl("denials"), "denials", REFUSAL)
        matrix = segd.segctl("matrix")
        has(matrix, "zones", "cells")
        assert all(isinstance(zone, str) for zone in matrix["zones"]), matrix
        listed(matrix, "cells", {"from", "to", "permits", "intra"})
        history = listed(segd.segctl("history"), "history",
                         {"version", "hash", "at", "uid", "user", "comment", "ticket", "result", "outcome"})
        assert history[0]["result"] == "confirmed", history
        answer = segd.segctl("verify", ok=(0, 1))
        has(answer, "equal", "findings", "checked")
        assert answer["equal"] and isinstance(answer["checked"], dict), answer
        answer = segd.segctl("explain", "10.1.0.20", "10.2.0.20", "tcp/444", ok=(1,))
        has(answer, "verdict", "reason", "permit", "nearest", "from", "to", "detail", "at")
        assert (answer["verdict"], answer["reason"], answer["nearest"], answer["permit"]) == ("deny", "port", "AB", None), answer


def test_top_sees_what_is_busy():
    with Town() as (lab, segd):
        stream, over = lab.stream("a", "10.2.0.20", "udp/5005"), threading.Event()

        def talk():
            while not over.is_set():
                assert stream.both()

        talking = threading.Thread(target=talk)
        talking.start()
        answer = segd.segctl("top", "--interval", "1")
        over.set()
        talking.join()
        use = {"flows", "bytes", "bytes-per-second"}
        permits = listed(answer, "permits", {"id", "title"} | use)
        assert permits[0]["id"] == "AB" and permits[0]["bytes-per-second"] > 0, permits
        assert len(permits) == len(PERMITS) and not any(p["bytes-per-second"] for p in permits[1:]), permits
        assert listed(answer, "flows", {"proto", "src", "dst", "permit"} | use)[0]["permit"] == "AB"
        assert listed(answer, "pairs", {"from", "to"} | use)[0]["from"] == "a"


def test_violations():
    with Town() as (lab, segd):
        segd.kill()
        lab.take_rules_away()
        stream = lab.stream("a", "192.0.2.20", "tcp/8443")
        assert stream.both()
        segd.start()
        assert wait_for(lambda: segd.segctl("violations")["violations"], 5)
        one = listed(segd.segctl("violations"), "violations", REFUSAL | {"permit", "packets", "bytes", "action"})[0]
        assert one["permit"] is None and one["from"] == "a" and one["to"] == "out", one


def test_changes():
    with Town() as (lab, segd):
        stream = lab.stream("a", "10.2.0.20", "tcp/443")
        assert stream.both()
        segd.policy.write_text(policy(AB=PERMITS["AB"].replace("tcp/443", "tcp/444")))
        answer = segd.segctl("diff", ok=(1,))
        has(answer, "opens", "closes", "changed", "flows")
        for side in ("opens", "closes"):
            listed(answer, side, {"from", "to", "src", "dst", "service", "when", "permits"})
        listed(answer, "flows", FLOW)
        answer = segd.segctl("apply", "--confirm-within", "60s", "--comment", "x", "--ticket", "T-1")
        has(answer, APPLIED)
        has(answer["revoked"], "flows", "permits")
        assert answer["confirm-until"] and answer["revoked"] == {"flows": 1, "permits": 1}, answer
        assert segd.segctl("history")["history"][0]["result"] == "pending"
        has(segd.segctl("confirm"), APPLIED)
        has(segd.segctl("rollback"), APPLIED)
        for words in ["confirm"], ["rollback", "999"], ["release", "a"], ["isolate", "nobody", "--reason", "x"], ["stage", "--off"]:
            has(segd.segctl(*words, ok=(1,))["error"], "code", "message")
        segd.policy.write_text(policy(AB="from: a, to: nowhere, service: [tcp/1]"))
        has(segd.segctl("apply", ok=(1,))["error"], "code", "message")
        for error in listed(segd.segctl("check", str(segd.policy), ok=(1,)), "errors", PLACE):
            assert error["code"] == "unknown-name", error
        segd.policy.unlink()
        has(segd.segctl("apply", ok=(5,))["error"], "code", "message")
