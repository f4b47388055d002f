"""Many callers at once, each request with a tag of its own: every answer belongs to its request and its caller, and nobody unlisted is relayed (E06 E13 C23).

Callers with Kerberos prove themselves, change who they are on one connection, send two requests at once, leave at any moment or reset; the cloud breaks
connections; rms-connector-authd is killed now and then; one account goes on and off the list. The judge is the cloud: a tag says whose request it is, the
credential says whose the node took it for.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import threading
import time
from dataclasses import dataclass

from support import keytab, soap
from support.caller import Gone
from support.campaign import Progress, hands, lab, main
from support.forge import Account, make_cache
from support.node import program, sanitized
from support.realm import SPNEGO, Realm
from support.upstream import answer
from support.wait import eventually

FULL = 60_000
TURNS = 8                     # exchanges of one caller
LATE_S = 3.0                  # so long may a changed list need to be seen by every thread
SPN = "HTTP/rms.corp.test"
KEY = keytab.Key(f"{SPN}@CORP.TEST", 3, keytab.AES256, bytes(range(32)))
DOMAIN = "S-1-5-21-1-2-3"
ENDS = ("finish", "cut", "reset")
TAG = re.compile(rb"tag-(\w+)-(\d+)-(\d+)-end")


@dataclass(frozen=True)
class Who:
    name: str
    rid: int
    role: str = ""            # of the entry that lets it in; empty: none does
    groups: tuple = ()
    comes_and_goes: bool = False

    @property
    def account(self):
        return Account(self.name, rid=self.rid, groups=(513, *self.groups))


PEOPLE = (Who("exch01", 1101, "exchange", (1200, 1300)), Who("exch02", 1102, "exchange", (1300,)), Who("share01", 1103, "sharepoint"),
          Who("files01", 1104, "fci", (1400,)), Who("guest01", 1105, "", (1500, 1301)), Who("guest02", 1106), Who("shift01", 1107, "fci", (), True))
ENTRIES = [(1300, "exchange"), (1103, "sharepoint"), (1400, "fci")]  # groups, and one account
ROLES = ("exchange", "sharepoint", "fci")
BY_NAME = {who.name: who for who in PEOPLE}


class List:
    """The file, and when the one that comes and goes was on it for certain, or for certain not."""

    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()
        self.changes = []       # (when it began, when it was in force everywhere, whether it is on it)
        self.write(False)
        self.changes = [(0.0, 0.0, False)]

    def write(self, on):
        rows = [*ENTRIES, *([(1107, "fci")] if on else [])]
        text = json.dumps({"version": 1, "entries": [{"sid": f"{DOMAIN}-{rid}", "role": role, "kind": "computer" if rid < 1200 else "group",
                                                      "added": f"2026-01-0{i + 1}T00:00:00Z"}
                                                     for i, (rid, role) in enumerate(rows)]})
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.path)

    def change(self, node, on):
        generation = node.stats()["authorized_servers"]["generation"]
        with self.lock:
            self.changes.append((time.monotonic(), float("inf"), on))
        self.write(on)
        node.signal(signal.SIGHUP)
        eventually(lambda: node.stats()["authorized_servers"]["generation"] > generation, 20)
        with self.lock:
            begun = self.changes[-1][0]
            self.changes[-1] = (begun, time.monotonic() + LATE_S, on)

    def possible(self, who, begin, end):
        """The answers that are right for a request that took from begin to end: subset of {True, False}."""
        if not who.comes_and_goes:
            return {bool(who.role)}
        with self.lock:
            changes = self.changes[:]
        right = set()
        for i, (since, _, on) in enumerate(changes):
            until = changes[i + 1][1] if i + 1 < len(changes) else float("inf")
            if since <= end and begin <= until:
                right.add(on)
        return right


class Cloud:
    """The judge. wrong: what should not have happened."""

    def __init__(self, rows):
        self.list, self.wrong, self.lock = rows, [], threading.Lock()
        self.relayed = 0

    def script(self, connection, request):
        now = time.monotonic()
        problem, tag = self.look(request, now)
        with self.lock:
            self.relayed += 1
            if problem:
                self.wrong.append(problem)
        fate = random.random()
        if fate < 0.02:
            getattr(connection, random.choice(ENDS))()
            return
        body = b"for-" + (tag or b"?") + b"-" + hashlib.sha256(request.body).hexdigest().encode()
        whole = answer(body=body + b"." * random.choice([0, 0, 500, 20_000, 90_000]))
        if fate < 0.04:
            connection.send(whole[:random.randrange(1, len(whole))])
            connection.reset()
        else:
            connection.send(whole)

    def look(self, request, now):
        """(what is wrong or None, the tag)"""
        in_head, in_body = TAG.findall(request.raw_head), TAG.findall(request.body)
        if len(in_head) != 1 or set(in_body) != set(in_head) or len(in_body) != 2:
            return f"parts of several requests in one: {in_head} {in_body}", None
        name, number, turn = in_head[0]
        who, tag = BY_NAME[name.decode()], b"-".join((name, number, turn))
        if True not in self.list.possible(who, now - LATE_S, now):
            return f"{tag.decode()} was relayed and is not on the list", tag
        if request.header("Authorization") != f"Test of {who.role}":
            return f"{tag.decode()} came with {request.header('Authorization')!r}", tag
        return None, tag


class Caller:
    """One connection and who is known on it. Raises or returns nothing; problems go to complaints."""

    def __init__(self, campaign, number):
        self.campaign, self.number, self.turn = campaign, number, 0
        self.rng = random.Random(campaign.seed * 1_000_003 + number)
        self.known = None        # whom the node must take us for
        self.proven = None       # the last who was; after a second one nobody is kept on this connection
        self.kept = True
        self.used = ("AAAA", None)  # a token that the node has taken, and how often authd had been killed until then
        self.done, self.problems = [], []

    def request(self, who, more=()):
        self.turn += 1
        tag = f"tag-{who.name}-{self.number}-{self.turn}-end"
        op = self.rng.choice(soap.OPERATIONS)
        chunks = self.rng.choice([None, None, 4096])
        body = soap.request_body(op, padding=self.rng.choice([7, 7, 200, 3000, 30_000, 100_000]))
        body = body.replace(b"<soap:Body>", b"<soap:Body><!--" + tag.encode() + b"-->", 1) + b"<!--" + tag.encode() + b"-->"
        whole = soap.request(op, body=body, chunks=chunks, headers=[*more], without=("User-Agent",))
        self.done.append(f"{op.name} for {who.name}, {len(body)} bytes{' in chunks' if chunks else ''}{' with a token' if more else ''}")
        head, _, rest = whole.partition(b"\r\n\r\n")
        wanted = f"for-{who.name}-{self.number}-{self.turn}-{hashlib.sha256(body).hexdigest()}".encode()
        return head + f"\r\nUser-Agent: {tag}\r\n\r\n".encode() + rest, wanted

    def complain(self, text):
        self.problems.append(f"caller {self.number}, request {self.turn}: {text}")

    def check(self, got, who, wanted, begin):
        """who: whom the request's tag names and the node must know; None: nobody."""
        self.done.append(f"{got.status} {who and who.name}")
        self.campaign.count(got.status)
        end = time.monotonic()
        if got.status == 200:
            if who is None:
                self.complain("relayed for nobody")
            elif not got.complete:
                pass
            elif got.body.rstrip(b".") != wanted:
                self.complain(f"another answer: {got.body[:120]!r}, not {wanted!r}")
            elif True not in self.campaign.list.possible(who, begin, end):
                self.complain(f"{who.name} is not on the list and got 200")
        elif got.status == 403:
            if who is None or False not in self.campaign.list.possible(who, begin, end):
                self.complain(f"403 to {who and who.name}")
        elif got.status == 401:
            if who is not None:
                self.complain(f"401 to {who.name}: {got.body[:200]!r}")
        elif got.status not in (429, 500):
            self.complain(f"{got.status}: {got.body[:200]!r}")

    def run(self):
        index = self.rng.randrange(2)
        with self.campaign.node.caller(index, timeout=30) as caller:
            try:
                while self.turn < TURNS and self.one(caller):
                    pass
            except (Gone, ConnectionError):
                pass
            except TimeoutError:
                self.complain(f"no answer on {'HTTPS' if index else 'HTTP'}; before: {'; '.join(self.done)}")
        return self.problems[0] if self.problems else None

    def one(self, caller):
        """False: the connection is over."""
        fate, begin, token, killed = self.rng.random(), time.monotonic(), "", 0
        if fate < 0.04:  # nobody, or a token that was changed or used before: whoever was known is forgotten
            return self.bad_token(caller, begin)
        if self.known is None and fate < 0.10:  # without any proof
            data, wanted = self.request(self.rng.choice(PEOPLE))
            if not caller.try_send(data):
                return False
            got = caller.answer(allow_cut=True)
            self.check(got, None, wanted, begin)
            return got.complete and not got.closes
        if self.known is None or fate < 0.20:
            who, killed = self.rng.choice(PEOPLE), self.campaign.killed
            token = self.campaign.token(who)
            data, wanted = self.request(who, [("Authorization", "Negotiate " + token)])
        else:
            who = self.known
            data, wanted = self.request(who)
        if self.rng.random() < 0.2:
            return self.leave(caller, data)
        if self.known and who is self.known and self.rng.random() < 0.15:
            return self.two(caller, data, wanted, begin)
        if not caller.try_send(data):
            return False
        got = caller.answer(allow_cut=True)
        self.check(got, who, wanted, begin)
        if got.status == 429:
            return False     # with authd away it says nothing about who is known
        if got.status != 401:
            self.used = (token, killed) if token else self.used
            self.kept = self.kept and self.proven in (None, who)
            self.known, self.proven = who if self.kept else None, who
        return got.complete and not got.closes

    def two(self, caller, data, wanted, begin):
        """A second one behind the first, before any answer."""
        self.done.append("two at once")
        who = self.known
        more, wanted_too = self.request(who)
        if not caller.try_send(data + more):
            return False
        for one in (wanted, wanted_too):
            got = caller.answer(allow_cut=True)
            self.check(got, who, one, begin)
            if got.closes or not got.complete or got.status == 429:
                return False
        return True

    def bad_token(self, caller, begin):
        token, killed = self.rng.choice([("AAAA", None), (self.campaign.spoiled(), None), self.used])
        data, wanted = self.request(self.rng.choice(PEOPLE), [("Authorization", f"Negotiate {token}")])
        self.known = None
        self.done.append("a bad token")
        if not caller.try_send(data):
            return False
        got = caller.answer(allow_cut=True)
        if killed not in (None, self.campaign.killed):
            return False     # an authd that was killed meanwhile knows nothing of the tokens before
        self.check(got, None, wanted, begin)
        return got.complete and not got.closes

    def leave(self, caller, data):
        """At any byte, in order or with a reset; also with all said and nothing heard."""
        cut = self.rng.randrange(1, len(data) + 1) if self.rng.random() < 0.7 else len(data)
        caller.try_send(data[:cut])
        if cut == len(data) and self.rng.random() < 0.5:
            with contextlib.suppress(OSError, AssertionError):
                caller.sock.recv(self.rng.randrange(1, 4000))
        (caller.reset if self.rng.random() < 0.5 else caller.close)()
        self.campaign.count("left")
        return False


class Campaign:
    def __init__(self, it, realm, seed):
        self.realm, self.seed, self.lock = realm, seed, threading.Lock()
        self.statuses, self.killed = {}, 0
        self.list = List(realm.folder / "list.json")
        self.cloud = Cloud(self.list)
        keytab.write(realm.folder / "http.keytab", [KEY])
        self.caches = {who: make_cache(realm.folder / f"{who.name}.cache", KEY, who.account, client=f"{who.name}@CORP.TEST", ends=36000)
                       for who in PEOPLE}
        for role in ROLES:
            (realm.folder / role).write_text(f"Test of {role}\n")
        self.upstream = it.cloud(self.cloud.script)
        self.node = it.node(
            self.upstream, caller=None, listeners=("http", "https-ecdsa"), env=realm.env,
            credentials=[{"name": role, "kind": "static", "roles": [role], "authorization_file": str(realm.folder / role)} for role in ROLES],
            settings={"node.workers": 2, "auth.socket": str(realm.folder / "authd.sock"), "auth.authd_program": program("rms-connector-authd"),
                      "auth.keytab": str(realm.folder / "http.keytab"), "list.file": str(self.list.path), "limits.linger_ms": 200,
                      "log.requests_file": ""})

    def count(self, what):
        with self.lock:
            self.statuses[what] = self.statuses.get(what, 0) + 1

    def token(self, who):
        import base64  # pylint: disable=import-outside-toplevel
        return base64.b64encode(self.realm.plain_context(self.caches[who], SPN).step()).decode()

    def spoiled(self):
        text = self.token(PEOPLE[0])
        at = len(text) // 2
        return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:]

    def authd_pid(self):
        for children in pathlib.Path(f"/proc/{self.node.pid}/task").glob("*/children"):
            for pid in children.read_text().split():
                with contextlib.suppress(OSError):
                    if pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("rms-connector-a"):
                        return int(pid)
        return None

    def disturb(self, over):
        """Until over is set: the list changes all the time, and authd is killed every now and then."""
        rng, on, changed = random.Random(self.seed), False, 0
        while not over.wait(rng.random() * 2):
            if rng.random() < 0.7:
                on, changed = not on, changed + 1
                self.list.change(self.node, on)
            elif (pid := self.authd_pid()):
                self.killed += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.disturbed = f"authd killed {self.killed} times, the list changed {changed} times"

    def forget(self):
        """What the cloud has kept: only what it must judge."""
        for request in self.upstream.requests:
            if not request.complete:  # left in the middle: whoever it was, the head must be one of a listed caller
                tags = TAG.findall(request.raw_head)
                who = BY_NAME[tags[0][0].decode()] if len(tags) == 1 else None
                if who is None or not who.role or request.header("Authorization") != f"Test of {who.role}":
                    self.cloud.wrong.append(f"a part of a request reached the cloud: {request.raw_head[:300]!r}")
        self.upstream.requests, self.upstream.connections, self.upstream.raw = [], [], {}
        self.upstream.threads = [thread for thread in self.upstream.threads if thread.is_alive()]


class Plain(Realm):
    """Its names and files; no KDC is asked. The environment is this process's for the whole run, so that threads may make tokens."""

    def plain_context(self, cache, service):
        import gssapi  # pylint: disable=import-outside-toplevel
        name = gssapi.Name(f"{service}@{self.name}".encode(), gssapi.NameType.kerberos_principal)
        credentials = gssapi.Credentials(usage="initiate", store={"ccache": f"FILE:{cache}"})
        return gssapi.SecurityContext(usage="initiate", name=name, creds=credentials, mech=SPNEGO,
                                      flags=gssapi.RequirementFlag.mutual_authentication)


def campaign(count):
    with lab() as it:
        folder = it.folder / "realm"
        folder.mkdir()
        realm = Plain(folder)
        with realm.here():
            run(Campaign(it, realm, random.randrange(1 << 30)), count)


def run(it, count):
    over, callers = threading.Event(), max(10, count // TURNS * 2)  # many leave early
    disturbing = threading.Thread(target=it.disturb, args=(over,))
    progress = Progress("callers", callers)
    disturbing.start()
    try:
        for at in range(1, callers + 1, 400):
            hands(range(at, min(at + 400, callers + 1)), lambda number: Caller(it, number).run(), progress, 8)
            it.forget()
            if it.cloud.wrong or len(progress.problems) >= 20:
                break
    finally:
        over.set()
        disturbing.join()
    asked = sum(it.statuses.values())
    answered = {status: n for status, n in it.statuses.items() if status != "left"}
    progress.end(f"({asked} exchanges, {it.cloud.relayed} relayed whole, {it.statuses}, {it.disturbed})")
    assert not it.cloud.wrong, "\n".join(it.cloud.wrong[:20])
    assert answered.get(200, 0) > sum(answered.values()) / 4, f"few were served: {answered}"
    assert answered.get(403, 0) and answered.get(401, 0) and it.statuses.get("left", 0)
    eventually(lambda: it.node.metric("exchanges_open") == 0 and it.node.metric("client_connections_open") == 0, 30)
    assert it.node.metric("unexpected_events") == 0 == it.node.metric("held_bytes")
    assert sanitized() or asked >= count / 4


if __name__ == "__main__":
    main(campaign, __doc__, FULL)
