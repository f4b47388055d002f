"""rms-accept: what a ticket costs who accepts it is only told of tickets that were accepted."""

import json
import subprocess
import sys

import pytest

from support import keytab
from support.authd import Authd
from support.node import ROOT, SANITIZER_REPORT, program

sys.path.insert(0, str(ROOT / "bench"))

from comparison.tickets import SPN, Tickets  # noqa: E402


@pytest.fixture(scope="module")
def tickets(tmp_path_factory):
    return Tickets(tmp_path_factory.mktemp("tickets"))


def accept(tickets, *how, expect=0):
    done = subprocess.run([program("rms-accept"), "--spn", SPN, *map(str, how)], env=tickets.env, capture_output=True, text=True, timeout=60,
                          check=False)
    assert not SANITIZER_REPORT.search(done.stderr), done.stderr
    assert done.returncode == expect, done.stderr
    return json.loads(done.stdout) if expect == 0 else done.stderr


@pytest.mark.parametrize("more", [(), ("--pac",), ("--threads", 3)])
def test_the_bare_call_takes_every_token(tickets, more):
    """E11: and a token is as large as one of an account with many groups."""
    told = accept(tickets, "--count", 20, "--keytab", tickets.keytab, *more)
    assert told["accepted"] == 20 and told["cpu_us_each"] > 0 and 5_500 < told["token_bytes"] < 6_500


def test_authd_takes_every_token(tickets):
    """E11"""
    authd = Authd(tickets.env, {"keytab": str(tickets.keytab), "threads": 2}).start()
    try:
        told = accept(tickets, "--count", 50, "--authd", authd.socket, "--in-flight", 4)
        assert told["accepted"] == 50 and authd.process.poll() is None
    finally:
        authd.finish()


def test_nothing_is_told_of_tokens_that_were_refused(tickets, tmp_path):
    wrong = keytab.write(tmp_path / "wrong.keytab", [key.other_key() for key in keytab.read(tickets.keytab)])
    assert "a token was not accepted" in accept(tickets, "--count", 3, "--keytab", wrong, expect=1)
    authd = Authd(tickets.env, {"keytab": str(wrong), "threads": 1}).start()
    try:
        assert "authd refused token 1: DECRYPT_FAILED" in accept(tickets, "--count", 3, "--authd", authd.socket, expect=1)
    finally:
        authd.finish()
    assert "no-such-socket" in accept(tickets, "--authd", tmp_path / "no-such-socket", expect=1)
    assert "one of --keytab, --authd and --print" in accept(tickets, expect=64)
