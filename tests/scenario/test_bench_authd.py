"""bench/authd runs, and only tells of what was accepted. Its timings decide nothing here."""

import json
import subprocess
import sys

import pytest

from support.adlab.daemon import Daemon
from support.node import ROOT, build_folder

sys.path.insert(0, str(ROOT / "bench"))

from comparison import handshakes  # noqa: E402


def bench_authd(*arguments):
    return subprocess.run([ROOT / "bench/authd", "--build-dir", build_folder(), *map(str, arguments)], capture_output=True, text=True, timeout=90,
                          check=False)


def test_tickets_and_decisions_have_figures(tmp_path):
    """E11: authd beside the bare call, with one thread and with two. C18: decisions by a list of full size are those that must be."""
    out = tmp_path / "authd.json"
    done = bench_authd("kerberos", "decisions", "--rounds", 1, "--tickets", 20, "--json", out)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text(encoding="utf-8"))
    rows = {(row["way"], row["threads"]): row for row in document["kerberos"]}
    assert set(rows) == {(way, threads) for way in ("bare", "bare, PAC read", "authd") for threads in (1, 2)}
    assert all(row["cpu_us_each"] > 10 and row["rate"] > 1 for row in rows.values()) and rows["bare", 1]["ratio"] == 1
    (run,) = document["decisions"]
    assert (run["entries"], run["accounts"]) == (1000, 100_000) and [speed["groups"] for speed in run["speeds"]] == [20, 100, 1000]
    for speed in run["speeds"]:
        assert 0.6 < speed["yes"] / speed["asked"] < 0.7 and 0 < speed["still_ns"] < speed["decide_ns"]
    assert "| a ticket " in done.stdout and "decide about a caller of 1000 groups" in done.stdout


def test_what_it_cannot_do_is_said_in_one_message():
    done = bench_authd("cooking")
    assert done.returncode == 2 and "the parts are kerberos, ntlm, decisions" in done.stderr
    done = subprocess.run([ROOT / "bench/authd", "--build-dir", "/nonexistent"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "not in /nonexistent/bin: rms-connector-authd" in done.stderr


@pytest.fixture
def daemon(lab, tmp_path):
    lab.ready("partner")
    made = Daemon(lab, tmp_path / "authd", ntlm="winbind")
    yield made
    made.finish()


def test_handshakes_of_ntlm_are_counted_when_they_succeeded(lab, daemon):
    """E05"""
    class Started:
        child = daemon.process
    daemon.process, started = daemon.process, Started
    with handshakes.BareHelper(lab) as helper:
        assert handshakes.run(helper, 2)["rate"] > 0

    class Alone:
        socket, process = daemon.socket, started
    with handshakes.ThroughAuthd(Alone, lab) as wire:
        told = handshakes.run(wire, 2)
        assert told["rate"] > 0 and told["cpu_us_each"] > 0
        with pytest.raises(AssertionError):
            wire.finish(b"NTLMSSP\0\3\0\0\0" + bytes(52))
