"""Credentials that a program of the administrator makes, run by the real rms-connector-authd."""

import os
import time

import pytest

from support import soap
from support.authd import Authd
from support.ctl import result
from support.node import to_yaml
from support.upstream import answer
from support.wait import eventually

CERTIFY = soap.CERTIFY
GOOD = """#!/bin/sh
echo run >>{place}/runs
printf '{{"header": "Custom proof-%s", "expires": %s}}\\n' $(wc -l <{place}/runs) $(($(date +%s) + {life}))
"""


@pytest.fixture
def programmed(node, cloud, place):
    """programmed(text): .relay, .authd, .cloud; a node with one credential of the kind exec, and an authd without a keytab."""
    made = []

    def make(text, script=None, mode=0o755, life=3600):
        program = f"{place}/proof"
        with open(program, "w") as file:
            file.write(text.format(place=place, life=life))
        os.chmod(program, mode)
        rows = [{"name": "proof", "kind": "exec", "program": program}]
        authd = Authd({"PLANTED": "in authd's environment"}, auth={"keytab": f"{place}/none.keytab"})
        authd.config.write_text(authd.config.read_text() + to_yaml({"credentials": rows}))
        made.append(authd.start())
        working = cloud(script) if script else cloud()
        os.makedirs(f"{place}/state", mode=0o700)
        relay = node(working, credentials=rows, settings={"auth.socket": str(authd.socket), "admin.socket": f"{place}/a.sock",
                                                          "node.state_directory": f"{place}/state"})
        relay.cloud, relay.authd, relay.socket = working, authd, f"{place}/a.sock"
        return relay
    yield make
    for one in made:
        one.finish()


def runs(place):
    with open(f"{place}/runs") as file:
        return len(file.readlines())


def test_what_a_program_prints_is_sent(programmed, place):
    """H12: exec, run once for many requests."""
    relay = programmed(GOOD)
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200, 15)
    for _ in range(5):
        assert relay.ask(soap.request(CERTIFY)).status == 200
    assert {request.header("Authorization") for request in relay.cloud.requests} == {"Custom proof-1"} and runs(place) == 1
    assert [row["works"] for row in result("upstream", "test", relay=relay)["stages"]] == [True, True, True]
    assert result("upstream", "credential", "show", relay=relay)["credentials"][0]["token_ends"]


def test_it_is_run_again_before_the_end_and_when_the_service_refuses(programmed, place):
    """H12: exec"""
    relay = programmed(GOOD, life=3)
    eventually(lambda: runs(place) >= 2, 15)
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200)
    refusing = relay.cloud.requests[-1].header("Authorization")
    relay.cloud.script = lambda connection, request: connection.send(
        answer(401, b"no") if request.header("Authorization") <= refusing else answer(body=soap.answer_body(request.operation)))
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200, 15)


def test_its_surroundings_are_clean(programmed, place):
    """H12: no environment but PATH and LANG, no input, no open files, in the root directory."""
    relay = programmed("""#!/bin/sh
env >{place}/seen; pwd >>{place}/seen; ls /proc/self/fd >{place}/fds; cat >{place}/input; echo "$#" >{place}/arguments
printf '{{"header": "A b", "expires": %s}}' $(($(date +%s) + 60))
""")
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200, 15)
    seen = {line.split("=")[0] for line in open(f"{place}/seen").read().splitlines()}
    assert seen <= {"PATH", "LANG", "PWD", "_", "/", "SHLVL", "OLDPWD"} and "PLANTED" not in open(f"{place}/seen").read()
    assert set(open(f"{place}/fds").read().split()) <= {"0", "1", "2", "3"}  # 3 is the directory that ls reads
    assert open(f"{place}/input").read() == "" and open(f"{place}/arguments").read() == "0\n"


@pytest.mark.parametrize("text, mode, told", [
    ("#!/bin/sh\necho nothing\n", 0o755, "and nothing else"),
    ("#!/bin/sh\nprintf '{{\"header\": \"a\\\\r\\\\nb\", \"expires\": 9999999999}}'\n", 0o755, "printable ASCII"),
    ("#!/bin/sh\nprintf '{{\"header\": \"A b\", \"expires\": 1000}}'\n", 0o755, "expired already"),
    ("#!/bin/sh\nprintf '{{\"header\": \"A b\", \"expires\": 9999999999, \"more\": 1}}'\n", 0o755, "and nothing else"),
    ("#!/bin/sh\nexit 3\n", 0o755, "it failed"),
    ("#!/bin/sh\nyes\n", 0o755, "more than 32 KiB"),
    ("#!/bin/sh\nexit 0\n", 0o775, "chmod go-w"),
    ("#!/bin/sh\nexit 0\n", 0o757, "chmod go-w"),
    ("no program\n", 0o755, "Exec format error"),
])
def test_what_cannot_be_used_is_told_and_not_sent(programmed, text, mode, told):
    """H12: deferred, with a reason."""
    relay = programmed(text, mode=mode)
    assert told in relay.event(4062, 15)["text"], relay.events()
    assert relay.ask(soap.request(CERTIFY)).status == 429 and not relay.cloud.requests


def test_a_program_that_does_not_end_is_ended_with_all_that_it_started(programmed, place):
    """H12: ten seconds; nothing of it is left."""
    relay = programmed("#!/bin/sh\nsleep 7654321 &\necho $! >{place}/child\nsleep 7654321\n")
    begun = time.monotonic()
    assert "did not end in time" in relay.event(4062, 25)["text"]
    assert time.monotonic() - begun < 20
    child = open(f"{place}/child").read().strip()
    eventually(lambda: not os.path.exists(f"/proc/{child}") or open(f"/proc/{child}/stat").read().split()[2] == "Z")


def test_a_program_of_somebody_else_is_not_run(programmed, place):
    """H12: root must own it."""
    relay = programmed(GOOD)
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200, 15)
    os.chown(f"{place}/proof", 65534, 65534)
    before = runs(place)
    relay.signal(1)
    assert "root must own it" in relay.event(4062, 15)["text"] and runs(place) == before
    assert relay.ask(soap.request(CERTIFY)).status == 200  # the line before is good
