"""The README's first command, with programs that are built already."""

import os
import re
import signal
import subprocess

import pytest

from support.node import ROOT, build_folder, sanitized
from support.wait import eventually

QUICKSTART = str(ROOT / "deploy/quickstart")


@pytest.mark.timeout(240)
def test_quickstart_shows_what_it_promises(tmp_path):
    """A01 A13 F03: --once ends by itself; then one that keeps running, broken in every way and mended."""
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    rate = 20 if sanitized() else 150  # the stand-in signs what it answers, slowly under sanitizers
    command = [QUICKSTART, "--build-dir", str(build_folder()), "--rate", str(rate)]
    once = subprocess.run([*command, "--once"], env=env, capture_output=True, text=True, timeout=120)
    assert once.returncode == 0, once.stdout + once.stderr
    last = once.stdout.rstrip().splitlines()[-1]
    said = re.fullmatch(r"quickstart: (\d+) requests relayed, 0 failed", last)
    assert said and int(said.group(1)) >= rate * 10, last
    for words in ("/_wmcs/certification/servercertification.asmx", "AUTHENTICATION OFF (test switch)", "This was a simulator, not Azure", " 0 wrong",
                  "node1", "node2", "exchange", "sharepoint", "fci", "time added", "time waited", "/stats"):
        assert words in once.stdout, words
    assert not list(tmp_path.glob("rms-quickstart-*")), "it leaves nothing behind"

    nobody = subprocess.run([QUICKSTART, "break", "cloud"], env=env, capture_output=True, text=True, timeout=20)
    assert nobody.returncode == 1 and "no quickstart is running" in nobody.stderr
    out = tmp_path / "out"
    with open(out, "w", encoding="utf-8") as into:
        running = subprocess.Popen(command, env=env, stdout=into, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: "Running until Ctrl-C" in out.read_text() and list(tmp_path.glob("*.json")), 90)
        for what, answer, effect in (("cloud", "500", "deferred"), ("throttle", "Retry-After: 7", "deferred"), ("node1", "refused", "final")):
            broken = subprocess.run([QUICKSTART, "break", what], env=env, capture_output=True, text=True, timeout=60)
            assert broken.returncode == 0, broken.stdout + broken.stderr
            assert answer in broken.stdout and f"effect {effect}" in broken.stdout and "first good answer" in broken.stdout, broken.stdout
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    finally:
        if running.poll() is None:
            running.terminate()
            running.wait(30)
    assert re.search(r"quickstart: \d+ requests relayed, 0 failed$", out.read_text().rstrip())
    assert not list(tmp_path.glob("rms-quickstart-*"))
