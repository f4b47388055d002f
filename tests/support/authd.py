"""One rms-connector-authd under test, and the node's side of its wire (proto/authd_msg.h)."""

import dataclasses
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

from support.node import ROOT, SANITIZER_REPORT, program, to_yaml
from support.wait import eventually

HELLO, REQUEST, REPLY, CANCEL, ASK, TOLD = 1, 2, 3, 4, 5, 6
DONE, CONTINUE, REFUSED = 1, 2, 3
OVER_TLS, BINDING_REQUIRED = 1, 2
CAN_KERBEROS = 1
REASONS = re.findall(r"^AUTHD_REASON\((\w+),", (ROOT / "proto/authd_reasons.def").read_text(), re.M)
GREETING = b"RM" + struct.pack("<HI", 1, 0)


def frame(kind, body):
    return struct.pack("<IHH", len(body) + 4, kind, 0) + body


def request(number, token, origin=1, wait_ms=0, flags=0, binding=b"", conversation=0):
    return frame(REQUEST, struct.pack("<QQQIB", number, conversation, origin, wait_ms, flags) + bytes([len(binding)]) + binding +
                 struct.pack("<I", len(token)) + token)


@dataclasses.dataclass
class Reply:
    id: int
    outcome: int
    reason: str
    mechanism: int
    conversation: int
    until_s: int
    answer: bytes
    detail: str
    account: str
    principal: str
    sid: str  # "S-1-..."; None: an account without a directory
    sids: list


def sid_text(raw):
    subs = struct.unpack(f"<{raw[1]}I", raw[8:])
    return "-".join(map(str, ("S", raw[0], int.from_bytes(raw[2:8], "big"), *subs)))


def read_reply(body):
    at = 27

    def counted(form):
        nonlocal at
        size = struct.calcsize(form)
        n = struct.unpack(form, body[at:at + size])[0]
        at += size + n
        return body[at - n:at]
    number, outcome, reason, mechanism, conversation, until_s = struct.unpack("<QBBBQQ", body[:at])
    answer, detail, account, principal, sid = (counted(form) for form in ("<I", "<H", "<H", "<H", "<B"))
    count = struct.unpack("<H", body[at:at + 2])[0]
    at += 2
    sids, raw = [], counted("<I")
    while raw:
        length = 8 + 4 * raw[1]
        sids.append(sid_text(raw[:length]))
        raw = raw[length:]
    assert at == len(body) and len(sids) == count
    return Reply(number, outcome, REASONS[reason], mechanism, conversation, until_s, answer, detail.decode(), account.decode(),
                 principal.decode(), sid_text(sid) if sid else None, sids)


class Link:
    """A connection as a worker of the node has it. hello: what is said first; empty: nothing."""

    def __init__(self, path, hello=frame(HELLO, GREETING), seconds=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))  # waits while the backlog is full
        self.socket.settimeout(seconds)
        self.numbers, self.kept, self.order = itertools.count(1), {}, []
        self.send(hello)

    def send(self, data):
        self.socket.sendall(data)

    def close(self):
        self.socket.close()

    def exactly(self, n):
        got = b""
        while len(got) < n:
            more = self.socket.recv(n - len(got))
            if not more:
                raise EOFError(f"authd closed the connection after {len(got)} of {n} bytes")
            got += more
        return got

    def receive(self):
        length, kind, zero = struct.unpack("<IHH", self.exactly(8))
        assert zero == 0
        return kind, self.exactly(length - 4)

    def hello(self):
        """Its features."""
        kind, body = self.receive()
        assert kind == HELLO and body[:4] == b"RM\x01\0"
        return struct.unpack("<I", body[4:])[0]

    def is_closed(self):
        """Whether authd ends the connection, whatever it still says before."""
        try:
            while True:
                self.receive()
        except (EOFError, ConnectionError):
            return True
        except TimeoutError:
            return False

    def post(self, token, **how):
        number = next(self.numbers)
        self.send(request(number, token, **how))
        return number

    def reply(self, number):
        while number not in self.kept:
            kind, body = self.receive()
            if kind == HELLO:
                continue
            assert kind in (REPLY, TOLD)
            got = read_reply(body) if kind == REPLY else json.loads(body[12:])
            self.kept[struct.unpack("<Q", body[:8])[0]] = got
            self.order.append(struct.unpack("<Q", body[:8])[0])
        return self.kept.pop(number)

    def prove(self, token, **how):
        return self.reply(self.post(token, **how))

    def ask(self, **question):
        number, text = next(self.numbers), json.dumps(question).encode()
        self.send(frame(ASK, struct.pack("<QI", number, len(text)) + text))
        return self.reply(number)


class Authd:
    """auth: settings of that section; realms: the list. user: whom it runs as."""

    def __init__(self, realm_env, auth=None, realms=None, wrap=(), folder=None):
        # Short, because a socket's path is; and open, because the node may be another user.
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="authd-"))
        self.folder.chmod(0o755)
        self.socket = self.folder / "s"
        self.config, self.stderr_file = self.folder / "authd.yaml", self.folder / "stderr.txt"
        # The file is the node's, so it is a whole one.
        whole = {"listeners": [{"address": "127.0.0.1:1"}], "upstream": {"url": "https://a.rms.na.aadrm.com"},
                 "auth": {"socket": str(self.socket), **(auth or {})}, **({"realms": realms} if realms else {})}
        self.config.write_text(to_yaml(whole))
        self.env, self.wrap, self.process, self.links = realm_env, list(wrap), None, []

    def start(self, *arguments, up=True):
        with open(self.stderr_file, "ab") as err:
            self.process = subprocess.Popen([*self.wrap, program("rms-connector-authd"), "-c", str(self.config), *arguments],
                                            env={**os.environ, **self.env}, stdout=err, stderr=err, stdin=subprocess.DEVNULL)
        if up:
            eventually(lambda: self.process.poll() is not None or "the authentication service started" in self.said(), 20)
            assert self.process.poll() is None, f"authd ended with {self.process.returncode}: {self.said()}"
        return self

    def said(self):
        return self.stderr_file.read_text(errors="replace") if self.stderr_file.exists() else ""

    def says(self, words, seconds=10):
        eventually(lambda: words in self.said(), seconds)

    def link(self, **how):
        self.links.append(Link(self.socket, **how))
        return self.links[-1]

    def end(self, seconds=20):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"authd did not end within {seconds} s: {self.said()}") from None

    def finish(self):
        """Ends it and looks at what it left."""
        for link in self.links:
            link.close()
        try:
            status = self.end()
            assert status in (0, 69, 78), f"authd ended with {status}: {self.said()}"
            assert not SANITIZER_REPORT.search(self.said()), self.said()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
