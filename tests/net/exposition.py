# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads Prometheus's text format 0.0.4, and believes nothing: what the format or its conventions forbid
is an AssertionError."""
import re
import socket

NAME = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(rf'({NAME})="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
NOT_BASE = re.compile(r"_(milliseconds|ms|minutes|hours|days|kilobytes|kb|kib|mb|bits|percent)(_|$)")


def labels_of(text):
    labels, at = {}, 0
    while at < len(text):
        m = LABEL.match(text, at)
        assert m, f"no label at {text[at:]!r}"
        assert m[1] not in labels and not m[1].startswith("__"), text
        labels[m[1]] = re.sub(r"\\.", lambda e: UNESCAPED[e[0]], m[2])
        at = m.end()
        assert m[3] or at == len(text), text
        assert not m[3] or at < len(text), f"a comma ends {text!r}"
    return labels


def number(text):
    assert re.fullmatch(r"\+Inf|[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?", text), f"no number: {text!r}"
    return float("inf") if text == "+Inf" else float(text) if re.search(r"[.e]", text) else int(text)


class Exposition:
    """.type by family; .samples: {(name, frozenset of label pairs): value}."""

    def __init__(self, text):
        self.type, self.help, self.samples = {}, {}, {}
        assert text.endswith("\n") and "\r" not in text, "every line ends with a line feed"
        family = None
        for line in text[:-1].split("\n"):
            if m := re.fullmatch(rf"# HELP ({NAME}) (.+)", line):
                family = m[1]
                assert family not in self.help, f"{family} comes twice"
                self.help[family] = m[2]
            elif m := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge|histogram)", line):
                assert m[1] == family and family not in self.type, f"TYPE right behind HELP: {line}"
                self.type[family] = m[2]
                self.check_name(family)
            else:
                m = SAMPLE.fullmatch(line)
                assert m, f"neither comment nor sample: {line!r}"
                self.add(family, m[1], labels_of(m[2] or ""), number(m[3]))
        assert set(self.type) == set(self.help)
        for name in (n for n, kind in self.type.items() if kind == "histogram"):
            self.check_histogram(name)

    def check_name(self, name):
        counter = self.type[name] == "counter"
        assert name.startswith(("segd_", "process_")), name
        assert counter == name.endswith("_total"), f"{name} is a {self.type[name]}"
        assert not NOT_BASE.search(name), f"{name}: base units are seconds and bytes"

    def add(self, family, name, labels, value):
        suffixes = ("_bucket", "_sum", "_count") if self.type[family] == "histogram" else ("",)
        assert name in [family + s for s in suffixes], f"{name} among those of {family}"
        key = (name, frozenset(labels.items()))
        assert key not in self.samples, f"{key} comes twice"
        assert (name == family + "_bucket") == ("le" in labels), key
        self.samples[key] = value

    def check_histogram(self, name):
        buckets = [(number(dict(labels)["le"]), value) for (n, labels), value in self.samples.items() if n == name + "_bucket"]
        assert buckets == sorted(buckets) and [v for _, v in buckets] == sorted(v for _, v in buckets), buckets
        assert buckets[-1] == (float("inf"), self.samples[name + "_count", frozenset()]), buckets

    def get(self, name, **labels):
        """The sample with exactly these labels (from_: from); None."""
        return self.samples.get((name, frozenset((k.rstrip("_"), v) for k, v in labels.items())))

    def family(self, name, *by):
        """{the values of the labels by: value} of all samples of the name."""
        return {tuple(dict(labels).get(b) for b in by): v for (n, labels), v in self.samples.items() if n == name}

    def counters(self):
        return {key: value for key, value in self.samples.items()
                if self.type.get(key[0]) == "counter" or key[0].endswith(("_bucket", "_count"))}


def exchange(s, request, limit=16 << 20):
    """Sends, reads to the end: (status, headers, body)."""
    with s:
        s.settimeout(10)
        s.sendall(request)
        got = b""
        while piece := s.recv(65536):
            got += piece
            assert len(got) < limit
    head, _, body = got.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    assert re.fullmatch(r"HTTP/1\.[01] \d{3} .+", status), got[:200]
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
    return int(status.split()[1]), headers, body


def get(s, path="/metrics", method="GET"):
    return exchange(s, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n".encode())


def scrape(s):
    status, headers, body = get(s)
    assert status == 200, (status, body)
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8", headers
    assert int(headers["content-length"]) == len(body), headers
    return Exposition(body.decode("utf-8"))


def connect_unix(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(str(path))
    return s
