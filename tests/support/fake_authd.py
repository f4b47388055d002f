"""A stand-in for rms-connector-authd that does what a test's script says: it speaks the wire of proto/authd_msg.h over a Unix socket.

script(request) returns a Reply, None (says nothing, ever) or "die" (ends the connection); answers(question) the same for an ASK: a dict, None or "die".
Tokens are made here too: what is inside a mechanism's token
is a word of the test, by which the script knows its caller.
"""

import base64
import json
import os
import pathlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from support import soap

HELLO, REQUEST, REPLY, CANCEL, ASK, TOLD = 1, 2, 3, 4, 5, 6
DONE, CONTINUE, REFUSED = 1, 2, 3
KERBEROS, NTLM = 1, 2
ROOT = pathlib.Path(__file__).resolve().parents[2]
REASONS = [line.split("(")[1].split(",")[0] for line in (ROOT / "proto/authd_reasons.def").read_text().splitlines()
           if line.startswith("AUTHD_REASON(")]
DOMAIN = "S-1-5-21-1-2-3"
NO_DIRECTORY = {"ok": False, "code": "no-directory", "error": "no realm with a directory is in the settings", "mend": "add one"}


def sid_bytes(text):
    parts = [int(part) for part in text.split("-")[2:]]
    return bytes([1, len(parts) - 1]) + parts[0].to_bytes(6, "big") + b"".join(struct.pack("<I", part) for part in parts[1:])


@dataclass
class Reply:
    outcome: int
    reason: str = "NONE"
    answer: bytes = b""
    detail: str = ""
    conversation: int = 0
    mechanism: int = 0
    until: int = 0
    account: str = ""
    principal: str = ""
    sid: str = ""
    groups: tuple = ()
    delay: float = 0.0

    def encode(self, number):
        sids = sorted({sid_bytes(one) for one in (self.sid, *self.groups) if one})
        own = sid_bytes(self.sid) if self.sid else b""

        def text(value):
            raw = value.encode()
            return struct.pack("<H", len(raw)) + raw
        body = struct.pack("<QBBBQQ", number, self.outcome, REASONS.index(self.reason), self.mechanism, self.conversation, self.until)
        body += struct.pack("<I", len(self.answer)) + self.answer + text(self.detail) + text(self.account) + text(self.principal)
        body += bytes([len(own)]) + own + struct.pack("<HI", len(sids), sum(map(len, sids))) + b"".join(sids)
        return message(REPLY, body)


def message(kind, body):
    return struct.pack("<IHH", 4 + len(body), kind, 0) + body


def done(name, rid, groups=(), answer=b"", seconds=3600, mechanism=KERBEROS, delay=0.0):
    return Reply(DONE, answer=answer, mechanism=mechanism, until=int(time.time() + seconds), account=f"CORP\\{name}",
                 principal=f"{name}@CORP.TEST" if mechanism == KERBEROS else "", sid=f"{DOMAIN}-{rid}",
                 groups=tuple(f"{DOMAIN}-{group}" for group in groups), delay=delay)


def refused(reason, detail=""):
    return Reply(REFUSED, reason=reason, detail=detail)


def go_on(conversation, answer):
    return Reply(CONTINUE, conversation=conversation, answer=answer)


@dataclass
class Request:
    number: int
    conversation: int
    origin: int
    wait_ms: int
    flags: int
    binding: bytes
    token: bytes
    at: float = field(default_factory=time.monotonic)


class FakeAuthd:
    def __init__(self, path, script, answers=lambda question: NO_DIRECTORY):
        self.path, self.script, self.answers = str(path), script, answers
        self.questions, self.features = [], 7
        self.requests, self.cancels, self.problems, self.connections = [], [], [], []
        self.listening = None
        self.lock = threading.Lock()
        self.start()

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path)
        self.listening.listen(64)
        threading.Thread(target=self._accept, args=(self.listening,), daemon=True).start()
        return self

    def die(self):
        """As a process that is killed: every connection ends, and nobody listens."""
        if self.listening:
            self.listening.shutdown(socket.SHUT_RDWR)
            self.listening.close()
            self.listening = None
        for connection in self.connections:
            hang_up(connection)
        self.connections.clear()

    stop = die

    def _accept(self, listening):
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _hello(self):
        return message(HELLO, b"RM" + struct.pack("<HI", 1, self.features))

    def can(self, features):
        """What works has changed: Kerberos 1, NTLM 2, groups 4."""
        self.features = features
        for connection in list(self.connections):
            with self.lock:
                connection.sendall(self._hello())

    def _serve(self, connection):
        try:
            connection.sendall(self._hello())
            while (head := receive(connection, 8)) is not None:
                length, kind, zero = struct.unpack("<IHH", head)
                body = receive(connection, length - 4)
                assert zero == 0 and body is not None
                if kind == CANCEL:
                    self.cancels.append(struct.unpack("<Q", body)[0])
                elif kind == REQUEST:
                    threading.Thread(target=self._answer, args=(connection, read_request(body)), daemon=True).start()
                elif kind == ASK:
                    threading.Thread(target=self._tell, args=(connection, body), daemon=True).start()
                else:
                    assert kind == HELLO and body[:2] == b"RM", (kind, body)
        except OSError:
            pass
        except Exception as problem:  # pylint: disable=broad-except
            self.problems.append(repr(problem))

    def _answer(self, connection, request):
        self.requests.append(request)
        try:
            reply = self.script(request)
            if reply == "die":
                hang_up(connection)
            elif reply is not None:
                time.sleep(reply.delay)
                with self.lock:
                    connection.sendall(reply.encode(request.number))
        except OSError:
            pass
        except Exception as problem:  # pylint: disable=broad-except
            self.problems.append(repr(problem))


    def _tell(self, connection, body):
        number, length = struct.unpack_from("<QI", body)
        assert len(body) == 12 + length
        question = json.loads(body[12:])
        self.questions.append(question)
        try:
            answer = self.answers(question)
            if answer == "die":
                hang_up(connection)
            elif answer is not None:
                text = json.dumps(answer).encode()
                with self.lock:
                    connection.sendall(message(TOLD, struct.pack("<QI", number, len(text)) + text))
        except OSError:
            pass
        except Exception as problem:  # pylint: disable=broad-except
            self.problems.append(repr(problem))


def hang_up(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


def receive(connection, n):
    got = b""
    while len(got) < n:
        piece = connection.recv(n - len(got))
        if not piece:
            return None
        got += piece
    return got


def read_request(body):
    number, conversation, origin, wait_ms, flags = struct.unpack_from("<QQQIB", body)
    at = 29
    binding = body[at + 1:at + 1 + body[at]]
    at += 1 + len(binding)
    length = struct.unpack_from("<I", body, at)[0]
    token = body[at + 4:]
    assert len(token) == length
    return Request(number, conversation, origin, wait_ms, flags, binding, token)


# ---- tokens ----

SPNEGO = bytes.fromhex("2b0601050502")
MECHANISMS = {"kerberos": bytes.fromhex("2a864886f712010202"), "ntlm": bytes.fromhex("2b06010401823702020a")}


def der(tag, contents):
    n = len(contents)
    length = bytes([n]) if n < 128 else bytes([0x80 + (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + contents


def first_token(inside, mechanism="kerberos"):
    """NegTokenInit"""
    fields = der(0xa0, der(0x30, der(6, MECHANISMS[mechanism]))) + der(0xa2, der(4, inside))
    return der(0x60, der(6, SPNEGO) + der(0xa0, der(0x30, fields)))


def next_token(inside):
    """NegTokenResp"""
    return der(0xa1, der(0x30, der(0xa2, der(4, inside))))


def ntlm_token(kind, inside=b""):
    return b"NTLMSSP\0" + struct.pack("<I", kind) + inside


def header(token, scheme="Negotiate"):
    return ("Authorization", f"{scheme} {base64.b64encode(token).decode()}")


def kerberos(word):
    return header(first_token(b"word:" + word.encode()))


def word_in(token):
    """The word of kerberos() in a token."""
    return token.split(b"word:")[1].decode()


# ---- accounts of the tests ----

MUTUAL = b"mutual token"


def post(*headers, **how):
    return soap.request(soap.CERTIFY, headers=list(headers), **how)


def by_name(request):
    """exch, share and guest are accounts; anything else is refused."""
    rids = {"exch": 1001, "share": 1002, "guest": 1003}
    name = word_in(request.token)
    return done(name, rids[name], answer=MUTUAL) if name in rids else refused("DECRYPT_FAILED", "HTTP/rmsconnector.corp.test")


def entries(*rows):
    return json.dumps({"version": 1, "entries": [
        {"sid": f"{DOMAIN}-{rid}", "role": role, "added": "2026-01-01T00:00:00Z"} for rid, role in rows]})
