"""`deploy/quickstart break WHAT`: breaks a part of the quickstart that runs, shows what callers see, mends it. The running one listens at a socket in its
directory, and a file of this user says where."""

import json
import os
import pathlib
import signal
import socket
import stat
import tempfile
import threading
import time

from parts import Trouble
from realm import CALLERS, ask, principal
from show import explain, finish_load, samples, start_load, total
from stage import NODES, wait_for

CONNECTIONS = 4


# ---- the running quickstart ----

def pointer():
    return pathlib.Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"rms-quickstart-{os.getuid()}.json"


def running():
    """What the running quickstart wrote down, or None."""
    try:
        fd = os.open(pointer(), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(fd) as file:
        about = os.fstat(fd)
        if about.st_uid != os.getuid() or not stat.S_ISREG(about.st_mode):
            return None
        try:
            state = json.load(file)
            tell(state, "")  # a killed one left the file, and perhaps its process id belongs to somebody else by now
        except (ValueError, KeyError, OSError):
            return None
    return state


def refuse_second():
    state = running()
    if state:
        raise Trouble(f"a quickstart is running already (process {state['pid']}); end it with Ctrl-C first, or use --once")


def serve(stage):
    """Until Ctrl-C: a line a connection, answered by a line."""
    path = stage.folder / "socket"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(4)
    server.settimeout(0.5)
    pointer().unlink(missing_ok=True)
    fd = os.open(pointer(), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump({"pid": os.getpid(), "socket": str(path), "folder": str(stage.folder), "programs": str(stage.programs), "ports": stage.ports}, file)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print("\nRunning until Ctrl-C.", flush=True)
    try:
        while not ended.is_set():
            try:
                connection, _ = server.accept()
            except (TimeoutError, socket.timeout):
                continue
            with connection:
                connection.settimeout(2)
                try:
                    words = connection.recv(200).decode().split()
                    said = "done" if words == ["look"] else stage.obey(words)
                except Exception as problem:  # pylint: disable=broad-except
                    said = f"failed: {problem}"
                try:
                    connection.sendall(said.encode())
                except OSError:
                    pass
    finally:
        pointer().unlink(missing_ok=True)
        server.close()
        print()


def tell(state, command):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(state["socket"])
        s.sendall((command or "look").encode())
        said = s.recv(1000).decode()
    if said != "done":
        raise Trouble(f"the running quickstart says: {said}")


# ---- what callers see ----

EFFECTS = {200: "ok", 400: "deferred", 408: "deferred", 413: "deferred", 429: "deferred", 500: "deferred"}
MEANING = {"ok": "ok", "deferred": "deferred: the server keeps the message and tries again", "final": "final: the server gives up on this message"}


class Running:
    """The quickstart that runs, as those see it who call its nodes."""

    def __init__(self, state):
        self.state, self.folder, self.programs = state, pathlib.Path(state["folder"]), pathlib.Path(state["programs"])

    def tell(self, command):
        tell(self.state, command)

    def url(self, name):
        return f"http://127.0.0.1:{self.state['ports'][name]['http']}"

    def ask(self, name, role="exchange"):
        return ask(self.folder, self.state["ports"][name]["http"], CALLERS[role])

    def see(self, name):
        status, words = self.ask(name)
        print(f"  {name}: {words}")
        print(f"         effect {MEANING[EFFECTS.get(status, 'final')]}")

    def requests(self, name):
        return total(samples(self.state["ports"][name]["stats"]).items(), "requests")

    def recovery(self, name, command):
        begun = time.monotonic()
        self.tell(command)
        wait_for(f"a good answer through {name}", lambda: self.ask(name)[0] == 200, 60)
        print(f"  first good answer through {name} {1000 * (time.monotonic() - begun):.0f} ms after that began")

    def kept_load(self, role, connections, *more):
        """Callers of that role on connections to node1 that they keep; returns when they have been answered there."""
        out = self.folder / f"break.{os.getpid()}.json"
        before = self.requests("node1")
        load = start_load(self.programs, self.folder, out, self.url("node1"), "--profile", role, "--pattern", "kept", "--connections", connections,
                          "--quiet", *more)
        wait_for("that callers are answered", lambda: load.poll() is not None or self.requests("node1") >= before + 10 * connections)
        return load, out


def break_cloud(it):
    print("The cloud stand-in is killed. What callers see:")
    it.tell("stop cloud")
    try:
        for name in NODES:
            it.see(name)
    finally:
        print("The cloud stand-in is started again.")
        it.recovery("node1", "start cloud")


def break_throttle(it):
    print("The cloud answers 429 and asks to wait 7 s. What callers see:")
    it.tell("throttle 7")
    try:
        for name in NODES:
            it.see(name)
    finally:
        print("The cloud answers again.")
        it.recovery("node1", "mend")


def break_node1(it):
    print("node1 is killed. What callers see:")
    it.tell("stop node1")
    try:
        it.see("node1")
        print("         (a balancer has noticed by /readyz and sends nobody there; those who were in flight are cut, and try again)")
        it.see("node2")
    finally:
        print("node1 is started again.")
        it.recovery("node1", "start node1")


def break_authd(it):
    print(f"{CONNECTIONS} connections of {principal(CALLERS['sharepoint'])} to node1 are proven and busy.")
    load, out = it.kept_load("sharepoint", CONNECTIONS, "--duration", 5)
    print("rms-connector-authd of node1 is killed; the node starts it again. What a new caller sees:")
    it.tell("stop authd node1")
    begun, last = time.monotonic(), None
    while True:
        status, words = it.ask("node1")
        if status == 200:
            break
        if status != last:
            print(f"  node1: {words}\n         effect {MEANING[EFFECTS.get(status, 'final')]}")
            last = status
        if time.monotonic() - begun > 30:
            raise Trouble("authd did not come back within 30 s")
    print(f"  a new caller is let in again {1000 * (time.monotonic() - begun):.0f} ms after the kill")
    result = finish_load(load, out)
    print(f"  meanwhile on the connections that were proven before: {result['total']['requests']} requests, {result['total']['errors']} failed, "
          f"{result['authentication']['asked']} tickets shown")


def break_list(it):
    role = "sharepoint"
    print(f"{principal(CALLERS[role])} keeps one connection to node1, proven, with 50 requests a second on it.")
    load, out = it.kept_load(role, 1, "--rate", 50, "--duration", 8)
    begun = time.monotonic()
    try:
        it.tell(f"unlist {role}")
        print(f"Its line is taken out of the list; both nodes go by the new list {1000 * (time.monotonic() - begun):.0f} ms later.")
        explain(it.programs, it.folder, CALLERS[role])
    finally:
        it.tell(f"relist {role}")
        print("Its line is put back.")
    result = finish_load(load, out)
    status, legs = result["status"], result["authentication"]
    print(f"  on its connection, with {legs['asked']} ticket: {status.get('200', 0)} requests answered while it was on the list, "
          f"{status.get('403', 0)} refused with 403 while it was not")
    print(f"         effect of those {MEANING['final']}")


BREAKS = {"authd": break_authd, "list": break_list, "node1": break_node1, "cloud": break_cloud, "throttle": break_throttle}


def run(what):
    state = running()
    if not state:
        raise Trouble("no quickstart is running: start deploy/quickstart in another terminal, and wait until it says Ctrl-C")
    BREAKS[what](Running(state))
    return 0
