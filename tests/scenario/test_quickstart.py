"""The README's first command, with programs that are built already."""

import os
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from support.node import ROOT, build_folder, program, sanitized
from support.wait import eventually

QUICKSTART = str(ROOT / "deploy/quickstart")
RATE = 20 if sanitized() else 150  # the stand-in signs what it answers, slowly under sanitizers
COMMAND = [QUICKSTART, "--build-dir", str(build_folder()), "--rate", str(RATE)]
NOBODY = 65534


def ordinary_user():
    """subprocess options for somebody who is not root, where somebody else may read this tree."""
    if os.getuid() != 0:
        return {}
    other = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    readable = subprocess.run(["sh", "-c", f"test -x {QUICKSTART} && test -x {program('rms-load')}"], **other)
    return other if readable.returncode == 0 else {}


@pytest.fixture
def place():
    """Short, because of the sockets in it."""
    folder = tempfile.mkdtemp(prefix="rms-q-", dir="/var/tmp")
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def env(place):
    # An ordinary user's PATH has no sbin.
    return {**os.environ, "XDG_RUNTIME_DIR": place, "TMPDIR": place, "PATH": "/usr/bin:/bin"}


def left_behind(place):
    return [name for name in os.listdir(place) if name != "out"]


@pytest.mark.timeout(240)
def test_quickstart_shows_what_it_promises(env, place):
    """A01: A13: E02: E08: F03: ends by itself, without root; callers have real tickets, and who is on no list is refused and told why."""
    once = subprocess.run([*COMMAND, "--once"], env=env, capture_output=True, text=True, timeout=180, **ordinary_user())
    assert once.returncode == 0, once.stdout + once.stderr
    last = once.stdout.rstrip().splitlines()[-1]
    said = re.fullmatch(r"quickstart: (\d+) requests relayed, 0 failed", last)
    assert said and int(said.group(1)) >= RATE * 10, last
    for words in ("This was a simulator, not Azure", " 0 wrong", "time added", "time waited", "HTTP/rmsconnector.corp.test"):
        assert words in once.stdout, words
    for caller in ("EXCH01$@CORP.TEST", "svc-sharepoint@CORP.TEST", "FS01$@CORP.TEST", "node1", "node2"):
        assert re.search(rf"^ +{re.escape(caller)} +[1-9]\d* requests, 0 failed", once.stdout, re.M), caller
    tickets = int(re.search(r"tickets +(\d+) accepted", once.stdout).group(1))
    assert tickets >= RATE * 10 * 0.6, "Exchange shows a ticket on each of its connections"
    assert re.search(r"\(intern@CORP\.TEST, by curl --negotiate\):\n  403 in \d+ ms: ", once.stdout)
    assert "explain intern@CORP.TEST\n    intern@CORP.TEST is refused" in once.stdout and "servers add intern@CORP.TEST ROLE" in once.stdout
    assert "AUTHENTICATION OFF" not in once.stdout and "Look at" not in once.stdout, "what it would point at is gone"
    assert not left_behind(place)


def start(env, place):
    """A quickstart that keeps running; its output is in the file out."""
    with open(f"{place}/out", "w", encoding="utf-8") as into:
        return subprocess.Popen(COMMAND, env=env, stdout=into, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


def shown(place):
    with open(f"{place}/out", encoding="utf-8") as out:
        return out.read()


def authds(place):
    """Those that run for the quickstart in place."""
    listed = subprocess.run(["pgrep", "-f", f"rms-connector-authd -c {place}/"], capture_output=True, text=True)
    return listed.stdout.split()


def broken(env, what):
    done = subprocess.run([QUICKSTART, "break", what], env=env, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(300)
def test_quickstart_is_broken_in_every_way_and_mended(env, place):
    """E02: C23: and one that starts while a killed one is still ending takes away what that one left."""
    nobody = subprocess.run([QUICKSTART, "break", "cloud"], env=env, capture_output=True, text=True, timeout=20)
    assert nobody.returncode == 1 and "no quickstart is running" in nobody.stderr
    running = start(env, place)
    try:
        eventually(lambda: "mixed load" in shown(place), 90)
        running.kill()
        running.wait()
        running = start(env, place)
        eventually(lambda: "Running until Ctrl-C" in shown(place), 120)
        assert len([name for name in left_behind(place) if os.path.isdir(f"{place}/{name}")]) == 1 and len(authds(place)) == 2
        second = subprocess.run(COMMAND, env=env, capture_output=True, text=True, timeout=20)
        assert second.returncode == 1 and "is running already" in second.stderr
        for what, answer, effect in (("cloud", "500", "deferred"), ("throttle", "Retry-After: 7", "deferred"), ("node1", "refused", "final")):
            said = broken(env, what)
            assert answer in said and f"effect {effect}" in said and "first good answer" in said, said
        assert len(authds(place)) == 2, "a killed node takes its authd along"
        said = broken(env, "authd")
        assert "429" in said and "effect deferred" in said, said
        assert re.search(r"let in again \d+ ms after the kill\n.*: \d+ requests, 0 failed, 4 tickets shown", said), said
        said = broken(env, "list")
        assert "svc-sharepoint@CORP.TEST is refused" in said, said
        counts = re.search(r"with 1 ticket: (\d+) requests answered .*, (\d+) refused with 403", said)
        assert counts and all(int(count) > 10 for count in counts.groups()), said
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    finally:
        if running.poll() is None:
            running.terminate()
            running.wait(30)
    assert re.search(r"quickstart: \d+ requests relayed, 0 failed$", shown(place).rstrip())
    assert not authds(place)
    assert not left_behind(place)
