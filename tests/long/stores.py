"""What a node keeps in its state directory, through kills, damage, a full disk and a second process: it opens, is made anew or is refused with one line,
and never is a decision wrong afterwards (D04 D08).

A round: a node whose list changes all the time ends at a random moment, by SIGKILL or in order; its state is left alone, cut or spoiled; it starts again,
at times without the source of its list. On a small file system of its own (as root) lists do not always fit.
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

from support import soap
from support.campaign import Progress, hands, lab, main
from support.fake_authd import DOMAIN, FakeAuthd, done, kerberos, refused, word_in
from support.node import Node
from support.upstream import answer
from support.wait import eventually

FULL = 400
LANES = 3
DISK_BYTES = 400 * 1024
RIDS = {"exch": 1001, "shift": 1002, "guest": 1003}
FILLER = 2000                 # the first rid of entries that only make a list tell its version
VERSIONS = 60
BIG = 900                     # entries of a list that may not fit


def script(request):
    name = word_in(request.token)
    return done(name, RIDS[name]) if name in RIDS else refused("DECRYPT_FAILED", "HTTP/a")


class SmallDisk:
    """A file system of some hundred KiB, in a mount namespace that lives as long as this."""

    def __init__(self, folder):
        self.folder = folder
        self.keeper = subprocess.Popen(["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size={DISK_BYTES} none {folder} && echo there && exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.keeper.stdout.readline() == b"there\n"

    @property
    def wrap(self):
        return ["nsenter", f"--target={self.keeper.pid}", "--mount", f"--wdns={self.folder.parent}", "--"]

    @property
    def inside(self):
        return pathlib.Path(f"/proc/{self.keeper.pid}/root{self.folder}")

    def stop(self):
        self.keeper.stdin.close()
        self.keeper.wait(10)
        self.keeper.stdout.close()


class Lane:
    """One node at a time, with its list and its state."""

    def __init__(self, it, number, cloud):
        self.folder = it.folder / f"lane{number}"
        self.folder.mkdir()
        self.list, self.state = self.folder / "list.json", self.folder / "state"
        self.state.mkdir()
        self.disk = it.also(SmallDisk(self.state)) if os.geteuid() == 0 else None
        self.inside = self.disk.inside if self.disk else self.state
        self.authd = it.also(FakeAuthd(self.folder / "authd.sock", script))
        self.version = 0        # of the last list that was written, from 0
        self.candidates = {0}   # versions that the state may hold
        self.write(0)
        self.it, self.cloud, self.seen = it, cloud, collections.Counter()
        self.node = it.node(cloud, caller=None, wrap=self.disk.wrap if self.disk else (), settings={
            "auth.socket": self.authd.path, "list.file": str(self.list), "node.state_directory": str(self.state), "log.requests_file": "",
            "list.max_age_s": 3600})

    # A list tells its version by how many entries it has; who comes and goes is on the odd ones.

    def rows(self, version):
        rows = [RIDS["exch"], *([RIDS["shift"]] if version % 2 else []), *range(FILLER, FILLER + version - version % 2)]
        return rows + (list(range(100_000, 100_000 + BIG)) if self.is_big(version) else [])

    @staticmethod
    def is_big(version):
        return version % 7 == 3

    def write(self, version):
        entries = [{"sid": f"{DOMAIN}-{rid}", "role": "exchange", "kind": "computer", "name": "n" * 250 if rid >= 100_000 else f"{rid}", "added": "2026-01-01T00:00:00Z"}
                   for rid in self.rows(version)]
        fresh = self.list.with_suffix(".new")
        fresh.write_text(json.dumps({"version": 1, "entries": entries}))
        fresh.rename(self.list)

    def version_of(self, entries):
        return next((version for version in range(VERSIONS) if len(self.rows(version)) == entries), None)

    # -- what it says --

    def servers(self):
        return self.node.stats()["authorized_servers"]

    def ask(self, name):
        with self.node.caller(timeout=20) as caller:
            return caller.ask(soap.request(soap.CERTIFY, headers=[kerberos(name)])).status

    def wrong_decision(self, version):
        """By the list of that version; None: there is none."""
        if version is not None:  # a node that just started may not have reached authd
            eventually(lambda: self.node.get_stats("/readyz")[0] == 200, 20)
        wanted = {"exch": 429, "shift": 429, "guest": 429} if version is None else {"exch": 200, "shift": 200 if version % 2 else 403, "guest": 403}
        got = {name: self.ask(name) for name in wanted}
        return None if got == wanted else f"answers {got}, not {wanted}, by list {version}"

    # -- a round --

    def change_and_end(self, rng):
        """Changes the list a few times and ends at some moment. Returns whether the last one must be kept."""
        in_order = rng.random() < 0.25
        for _ in range(rng.randrange(1, 6)):
            self.version = rng.randrange(VERSIONS)
            self.candidates.add(self.version)
            self.write(self.version)
            self.node.signal(signal.SIGHUP)
            if in_order or rng.random() < 0.5:
                wanted = len(self.rows(self.version))
                eventually(lambda wanted=wanted: self.servers()["entries"] == wanted, 20)
            else:
                time.sleep(rng.random() * 0.03)
        if in_order:
            assert self.node.stop() == 0, self.node.stderr()[-2000:]
            return True
        time.sleep(rng.random() * 0.02)
        self.node.process.kill()
        self.node.wait()
        self.node.exit_code = None
        return False

    def damage(self, rng):
        """What is done to the state; None: nothing."""
        path, kind = self.inside / "state", rng.choice([None, None, "cut", "emptied", "spoiled", "garbage", "deleted"])
        if not path.exists():
            return None
        size = path.stat().st_size
        if kind == "deleted":
            path.unlink()
            return kind
        with open(path, "r+b") as file:
            if kind == "cut":
                file.truncate(rng.randrange(1, max(2, size)))
            elif kind == "emptied":
                file.truncate(0)
            elif kind == "spoiled":
                for _ in range(rng.randrange(1, 40)):
                    file.seek(rng.randrange(size))
                    file.write(rng.randbytes(1))
            elif kind == "garbage":
                file.write(rng.randbytes(min(size, 20_000)))
        return kind

    def second(self):
        """Another node on the same state, while this one runs. Only the directory is shared: nothing else could refuse it."""
        own = ("log.events_file", "stats.address")
        other = Node(self.folder / "second", self.it.certs, self.cloud.url, caller=None, wrap=self.node.wrap,
                     settings={key: value for key, value in self.node.settings.items() if key not in own})
        other.events_file.unlink(missing_ok=True)
        other.start(ready=False)
        try:
            code = other.wait(10)
        except AssertionError as problem:  # it did not end by itself
            code = problem
        told = other.events()
        self.seen["second processes"] += 1
        if code != 69 or len(told) != 1 or "in use by another process" not in told[0]["text"]:
            return f"a second process ended with {code} and said {told}; the first one had said {self.node.events()}"
        return None

    def restart(self, in_order, did_not_fit, damaged, away):
        """Starts it again and looks. What is wrong, or None."""
        self.node.events_file.unlink(missing_ok=True)
        if away:
            self.list.unlink()
        self.node.start(ready=False)
        eventually(lambda: self.node.process.poll() is not None or self.is_up(), 20)
        if self.node.process.poll() is not None:
            return f"it ended with {self.node.process.returncode} after {damaged}: {self.node.stderr()[-1500:]}"
        moved = self.node.events(4050)
        if len(moved) > 1 or (moved and not self.spoiled):
            return f"events about damage after {damaged}: {moved}"
        seen = self.servers()
        self.seen.update({"killed": not in_order, "damaged": bool(damaged), "moved aside": len(moved), "did not fit": did_not_fit,
                          "without its source": away, "from the copy": seen["from_copy"], "without any list": not seen["loaded"]})
        if not away:
            eventually(lambda: self.servers()["entries"] == len(self.rows(self.version)), 20)
            self.candidates = {self.version} if in_order and not self.node.events(4051) else self.candidates
            return self.wrong_decision(self.version)
        if not seen["loaded"]:
            if not damaged and not did_not_fit and self.kept_once:
                return f"no list, although nothing was done to its state: {self.node.events()}"
            return self.wrong_decision(None)
        version = self.version_of(seen["entries"])
        if not seen["from_copy"] or version not in self.candidates:
            return f"list {version} ({seen['entries']} entries), not one of {self.candidates}: {seen}"
        if in_order and not damaged and not did_not_fit and version != self.version:
            return f"list {version} was kept, not the last one, {self.version}"
        return self.wrong_decision(version)

    def is_up(self):
        with contextlib.suppress(OSError):
            return self.node.get_stats("/livez")[0] == 200 and (self.servers()["loaded"] or bool(self.servers()["problem"]))
        return False

    kept_once = False           # a round ended in order, so something is there
    spoiled = False             # damage was done, and no list was surely kept since: it shows when the list is read, not before

    def round(self, number, rng):
        if rng.random() < 0.1 or self.node.events(4050) or self.node.events(4051):  # a store in trouble is when locks get lost
            wrong = self.second()
            if wrong:
                return wrong
        in_order = self.change_and_end(rng)
        did_not_fit = bool(self.node.events(4051))
        self.kept_once = self.kept_once or (in_order and not did_not_fit)
        damaged, away = self.damage(rng), rng.random() < 0.6
        self.spoiled = bool(damaged) or (self.spoiled and not (in_order and not did_not_fit))
        wrong = self.restart(in_order, did_not_fit, damaged, away)
        if damaged or did_not_fit:
            self.kept_once = False
        if away:
            self.write(self.version)
            self.node.signal(signal.SIGHUP)
            eventually(lambda: self.servers()["entries"] == len(self.rows(self.version)), 20)
            wrong = wrong or self.wrong_decision(self.version)
        if in_order and not damaged and not did_not_fit:
            self.candidates = {self.version}
        for old in self.inside.glob("state.damaged-*"):  # an administrator would, too
            old.unlink()
        life = f"{'in order' if in_order else 'killed'}, {damaged or 'left alone'}{', did not fit' if did_not_fit else ''}"
        return wrong and f"round {number} ({life}, list {'away' if away else 'there'}): {wrong}"


def campaign(count):
    with lab() as it:
        cloud = it.cloud(lambda connection, _: connection.send(answer(body=b"x")))
        lanes = [Lane(it, number, cloud) for number in range(LANES if count >= LANES else 1)]
        free, progress, seed = list(lanes), Progress("ends and starts", count), random.randrange(1 << 30)

        def one(number):
            lane = free.pop()
            try:
                return lane.round(number, random.Random(seed * 1_000_003 + number))
            finally:
                free.append(lane)
                cloud.requests, cloud.connections, cloud.raw = [], [], {}
        hands(range(count), one, progress, len(lanes))
        seen = sum((lane.seen for lane in lanes), collections.Counter())
        progress.end(f"({', '.join(f'{n} {what}' for what, n in sorted(seen.items()))})")
        if count >= 100:
            assert seen["from the copy"] > count / 10 and seen["moved aside"] and seen["without any list"] and seen["second processes"], seen


if __name__ == "__main__":
    assert shutil.which("nsenter"), "nsenter is missing (Debian package util-linux)"
    main(campaign, __doc__, FULL)
