# SPDX-License-Identifier: GPL-2.0-or-later
"""A Varlink client and a reader of interface descriptions, written from the specification alone:
what segd says of itself is held against what it does by somebody who does not share its code.

Keys are those on the wire, with underscores.
"""
import json
import re
import socket


class Refused(Exception):
    def __init__(self, error, parameters):
        super().__init__(f"{error} {parameters}")
        self.error, self.parameters = error, parameters


class Client:
    def __init__(self, path, seconds=5):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(str(path))
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method, parameters=None, **flags):
        self.socket.sendall(json.dumps({"method": method, "parameters": parameters or {}, **flags}).encode() + b"\0")

    def reply(self):
        """A reply whole, "continues" with it."""
        while b"\0" not in self.rest:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("segd closed the connection")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        reply = json.loads(text)
        if "error" in reply:
            raise Refused(reply["error"], reply.get("parameters", {}))
        return reply

    def receive(self):
        return self.reply()["parameters"]

    def call(self, method, **parameters):
        self.send(method, parameters)
        return self.receive()


TOKEN = re.compile(r"#[^\n]*|\s+|(->|\[string\]|\[\]|[?():,])|([A-Za-z][A-Za-z0-9_.-]*)")
FIELD = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*$")


class Interface:
    """Types, methods and errors of a description; check() says what is not true of a value."""

    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text):
            m = TOKEN.match(text, at)
            assert m, f"no Varlink: {text[at:at + 40]!r}"
            at = m.end()
            if m[1] or m[2]:
                self.tokens.append(m[1] or m[2])
        self.types, self.methods, self.errors = {}, {}, {}
        self._expect("interface")
        self.name = self._next()
        while self.tokens:
            kind, name = self._next(), self._next()
            assert re.match(r"[A-Z][A-Za-z0-9]*$", name), name
            assert name not in {**self.types, **self.methods, **self.errors}, f"{name} twice"
            if kind == "method":
                parameters = self._type()
                self._expect("->")
                self.methods[name] = parameters, self._type()
            else:
                {"type": self.types, "error": self.errors}[kind][name] = self._type()

    def _next(self):
        return self.tokens.pop(0)

    def _expect(self, token):
        found = self._next()
        assert found == token, f"{found!r} where {token!r} belongs"

    def _type(self):
        token = self._next()
        if token == "?":
            return "maybe", self._type()
        if token in ("[]", "[string]"):
            return token, self._type()
        if token != "(":
            return "name", token
        fields = {}
        while self.tokens[0] != ")":
            if fields:
                self._expect(",")
            name = self._next()
            assert FIELD.match(name) and name not in fields, name
            fields[name] = None
            if self.tokens[0] == ":":
                self._next()
                fields[name] = self._type()
        self._next()
        return ("enum", fields) if fields and not any(fields.values()) else ("struct", fields)

    def check(self, kind, value, path=""):
        """What is wrong, as a list of sentences."""
        what, of = kind
        if what == "maybe":
            return [] if value is None else self.check(of, value, path)
        if what == "[]":
            if not isinstance(value, list):
                return [f"{path}: no list: {value!r}"]
            return [p for i, v in enumerate(value) for p in self.check(of, v, f"{path}[{i}]")]
        if what == "[string]":
            return [p for k, v in value.items() for p in self.check(of, v, f"{path}.{k}")]
        if what == "struct":
            if not isinstance(value, dict):
                return [f"{path}: no object: {value!r}"]
            unknown = [f"{path}.{k} is not in the description" for k in value if k not in of]
            return unknown + [p for k, t in of.items() for p in self.check(t, value.get(k), f"{path}.{k}")]
        if what == "enum":
            return [] if value in of else [f"{path}: {value!r} is none of {list(of)}"]
        plain = {"bool": bool, "int": int, "float": (int, float), "string": str, "object": dict}
        if of not in plain:
            return self.check(self.types[of], value, path)
        good = isinstance(value, plain[of]) and (of == "bool" or not isinstance(value, bool))
        return [] if good else [f"{path}: {value!r} is no {of}"]
