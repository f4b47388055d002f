"""rms-connector-authd on the lab's member machine, and its wire (proto/authd_msg.h) as a node would speak it."""

import base64
import collections
import json
import pathlib
import re
import signal
import socket
import struct
import subprocess

from support.adlab import people
from support.node import ROOT, SANITIZER_REPORT, program, to_yaml
from support.wait import eventually

HELLO, REQUEST, REPLY, CANCEL, ASK, TOLD = range(1, 7)
DONE, CONTINUE, REFUSED = range(1, 4)
REASONS = re.findall(r"^AUTHD_REASON\((\w+)", (ROOT / "proto/authd_reasons.def").read_text(), re.M)
MAGIC = b"RM"
Reply = collections.namedtuple("Reply", "outcome reason mechanism conversation until answer detail account principal sid sids")


def sid_text(raw):
    subs = struct.unpack(f"<{raw[1]}I", raw[8:8 + 4 * raw[1]])
    return "-".join(map(str, ("S", raw[0], int.from_bytes(raw[2:8], "big"), *subs)))


class Wire:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.id = 0
        self.send(HELLO, MAGIC + struct.pack("<HI", 1, 0))
        kind, body = self.receive()
        assert kind == HELLO and body.startswith(MAGIC)
        self.features = struct.unpack("<I", body[-4:])[0]

    def send(self, kind, body):
        self.socket.sendall(struct.pack("<IHH", len(body) + 4, kind, 0) + body)

    def exactly(self, count):
        got = b""
        while len(got) < count:
            more = self.socket.recv(count - len(got))
            assert more, "authd closed the connection"
            got += more
        return got

    def receive(self):
        length, kind, zero = struct.unpack("<IHH", self.exactly(8))
        assert zero == 0
        return kind, self.exactly(length - 4)

    def ask(self, name, **more):
        self.id += 1
        text = json.dumps({"ask": name, **more}).encode()
        self.send(ASK, struct.pack("<QI", self.id, len(text)) + text)
        kind, body = self.receive()
        assert kind == TOLD and struct.unpack("<Q", body[:8])[0] == self.id
        return json.loads(body[12:])

    def token(self, token, conversation=0):
        self.id += 1
        self.send(REQUEST, struct.pack("<QQQIBB", self.id, conversation, 1, 20000, 0, 0) + struct.pack("<I", len(token)) + token)
        kind, body = self.receive()
        assert kind == REPLY
        return read_reply(body)


def read_reply(body):
    _, outcome, reason, mechanism, conversation, until = struct.unpack("<QBBBQQ", body[:27])
    at = 27

    def take(size):
        nonlocal at
        length = int.from_bytes(body[at:at + size], "little")
        at += size + length
        return body[at - length:at]
    answer, detail, account, principal, sid = take(4), take(2), take(2), take(2), take(1)
    count = int.from_bytes(body[at:at + 2], "little")
    at += 2
    sids, raw = [], take(4)
    while raw:
        length = 8 + 4 * raw[1]
        sids.append(sid_text(raw[:length]))
        raw = raw[length:]
    assert at == len(body) and len(sids) == count
    return Reply(outcome, REASONS[reason], mechanism, conversation, until, answer, detail.decode(), account.decode(), principal.decode(),
                 sid_text(sid) if sid else None, sids)


class Daemon:
    """auth: settings of that section. realms: rows of the settings. env: more of the environment, or other values."""

    def __init__(self, lab, folder, realms=None, env=None, **auth):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket = self.folder / "authd.socket"
        self.said = self.folder / "authd.stderr"
        settings = {"auth": {"socket": str(self.socket), "keytab": str(lab.keytab), **auth},
                    **({} if realms == [] else {"realms": realms or [{"name": people.CORP.realm}, {"name": people.PARTNER.realm}]}),
                    "upstream": {"url": "https://127.0.0.1:1"}, "listeners": [{"address": "127.0.0.1:1"}]}
        (self.folder / "authd.yaml").write_text(to_yaml(settings))
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen([*lab.wrap(), program("rms-connector-authd"), "-c", self.folder / "authd.yaml"],
                                            env=lab.env(**(env or {})), stdin=subprocess.DEVNULL, stdout=said, stderr=said)

        def up():
            assert self.process.poll() is None, self.said.read_text(errors="replace")
            return self.socket.exists()
        eventually(up, 20)

    def connect(self):
        return eventually(lambda: Wire(self.socket), 10)

    def finish(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        said = self.said.read_text(errors="replace")
        assert code == 0 and not SANITIZER_REPORT.search(said), f"authd ended with {code}\n{said[-6000:]}"


def kerberos_token(lab, cache, service=people.SERVICE):
    """What a caller with these credentials would send under Negotiate: made by MIT's own library."""
    script = ("import gssapi, base64, sys\n"
              "name = gssapi.Name(sys.argv[1], gssapi.NameType.kerberos_principal)\n"
              "spnego = gssapi.OID.from_int_seq('1.3.6.1.5.5.2')\n"
              "context = gssapi.SecurityContext(name=name, usage='initiate', mech=spnego, flags=gssapi.RequirementFlag.mutual_authentication)\n"
              "print(base64.b64encode(context.step()).decode())\n")
    return base64.b64decode(lab.must("/usr/bin/python3", "-c", script, f"{service}@{people.CORP.realm}", KRB5CCNAME=cache))
