"""Administration: rms-connectorctl and the socket behind it, on a running node."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

import jsonschema
import pytest

from support.ctl import ask, ctl, examples, matches, rows, run_example, talk
from support.node import ROOT, program

CLOUD = "http://127.0.0.1:9"  # nobody is asked anything there
STRANGER = 65534


@pytest.fixture
def place():
    """A short path (a socket's has at most 107 bytes) that every user may enter."""
    folder = tempfile.mkdtemp(prefix="rms-ctl-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def administered(node, place):
    def make(settings=None, **how):
        state = f"{place}/state"
        os.makedirs(state, mode=0o700, exist_ok=True)
        one = node(CLOUD, settings={"admin.socket": f"{place}/a.sock", "node.state_directory": state, **(settings or {})}, **how)
        one.socket, one.state = f"{place}/a.sock", state
        return one
    return make


def test_status_is_for_people_and_for_programs(administered):
    relay = administered()
    said = ctl("status", relay=relay)
    assert said.returncode == 0, said.stderr
    assert "node-under-test" in said.stdout and "ready" in said.stdout
    told = ctl("status", "--json", relay=relay)
    answer = json.loads(told.stdout)
    assert told.returncode == 0 and answer["ok"] is True
    assert answer["result"]["state"] == "ready" and answer["result"]["authentication"].startswith("OFF")
    assert answer["result"]["you"]["role"] == "security-admin" and answer["result"]["you"]["uid"] == os.getuid()
    assert ctl("-c", str(relay.config), "status").returncode == 0


def test_the_socket_is_for_its_group_only_and_goes_with_the_node(administered):
    relay = administered()
    assert stat.S_IMODE(os.stat(relay.socket).st_mode) == 0o660
    relay.stop()
    assert not os.path.exists(relay.socket)
    said = ctl("status", relay=relay)
    assert said.returncode == 69 and "no node listens" in said.stderr


def test_a_socket_left_by_a_killed_node_is_taken_over(administered, node):
    relay = administered()
    relay.signal(signal.SIGKILL)
    relay.expected_exit = -9
    relay.wait()
    assert os.path.exists(relay.socket)
    assert ctl("status", relay=relay).returncode == 69
    again = administered()
    assert ctl("status", relay=again).returncode == 0


def test_a_second_node_does_not_steal_the_socket(administered):
    first = administered()
    second = administered()
    assert "another process listens" in second.event(4042)["text"]
    assert json.loads(ctl("status", "--json", relay=first).stdout)["ok"]
    second.stop()
    assert ctl("status", relay=first).returncode == 0


def test_unknown_commands_and_words_are_answered_helpfully(administered):
    said = ctl("statsu")
    assert said.returncode == 64 and "did you mean: status" in said.stderr
    said = ctl("audit")
    assert said.returncode == 64 and "audit verify" in said.stderr
    said = ctl("audit", "list", "--lest", "3")
    assert said.returncode == 64 and "--lest" in said.stderr and "Usage: rms-connectorctl audit list" in said.stderr
    said = ctl("audit", "list", "--last", "none", relay=administered())
    assert said.returncode == 64 and "whole number" in said.stderr
    assert "audit verify" in ctl("help").stdout and ctl("help", "nothing").returncode == 64


@pytest.mark.skipif(os.getuid() != 0, reason="becomes other users")
def test_a_role_comes_from_the_groups_of_who_asks(administered):
    relay = administered({"admin.viewers": "50001", "admin.group": "50001"})
    as_viewer = {"user": STRANGER, "group": STRANGER, "extra_groups": [50001]}
    told = json.loads(ctl("status", "--json", relay=relay, **as_viewer).stdout)
    assert told["result"]["you"] == {"uid": STRANGER, "name": "nobody", "role": "viewer"}
    said = ctl("status", relay=relay, user=STRANGER, group=STRANGER, extra_groups=[])
    assert said.returncode == 77 and "may not talk" in said.stderr
    os.chmod(relay.socket, 0o666)  # somebody opened it to all: the kernel's word still decides
    said = ctl("status", relay=relay, user=STRANGER, group=STRANGER, extra_groups=[])
    assert said.returncode == 77 and "no role" in said.stderr
    assert relay.event(4040)


def test_a_group_that_does_not_exist_ends_the_start(administered):
    relay = administered({"admin.viewers": "no-such-group-here"}, start=False)
    relay.expected_exit = 78
    relay.start(ready=False)
    assert relay.wait() == 78 and "no-such-group-here" in relay.stderr() + str(relay.events(4000))


def test_the_protocol_is_strict_and_answers_in_order(administered):
    relay = administered()
    answers = talk(relay.socket, ask("status"), ask("audit list"), b"half a line")
    assert [list(one["result"])[0] for one in answers] == ["summary", "changes"]
    for line in (b"{}\n", b"not json\n", ask("nothing"), ask("status", extra="x"), b'{"version":2,"command":"status","arguments":{}}\n',
                 b'{"version":1,"command":"status","command":"status","arguments":{}}\n', b"\n"):
        answer = talk(relay.socket, line)
        assert answer and answer[0]["ok"] is False and answer[0]["exit"] == 64, line
    assert talk(relay.socket, b"half a line") == []
    assert ctl("status", relay=relay).returncode == 0


def test_more_connections_than_places_wait_their_turn(administered):
    relay = administered()
    idle = []
    for _ in range(16):
        end = socket.socket(socket.AF_UNIX)
        end.connect(relay.socket)
        idle.append(end)
    waiting = subprocess.Popen([program("rms-connectorctl"), "--socket", relay.socket, "status"], stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1)
    idle.pop().close()
    assert "node-under-test" in waiting.communicate(timeout=20)[0] and waiting.returncode == 0
    for end in idle:
        end.close()


def test_the_record_of_changes_is_verified(administered):
    relay = administered()
    assert "nothing was changed" in ctl("audit", "list", relay=relay).stdout
    said = ctl("audit", "verify", relay=relay)
    assert said.returncode == 0 and "whole: 0 lines" in said.stdout
    with open(f"{relay.state}/audit.jsonl", "a") as record:
        record.write('{"n":1,"what":"made up"}\n')
    said = ctl("audit", "verify", relay=relay)
    assert said.returncode == 65 and "broken at line 1" in said.stderr
    said = ctl("audit", "list", relay=relay)
    assert said.returncode == 0 and "broken at line 1" in said.stdout and "made up" not in said.stdout


def test_without_a_state_directory_there_is_no_record(administered):
    relay = administered({"node.state_directory": ""})
    said = ctl("audit", "verify", relay=relay)
    assert said.returncode == 78 and "node.state_directory" in said.stderr


# ---- what is promised to people and to programs ----

def test_the_examples_of_the_document_are_true(administered):
    relay = administered()
    shown = examples(ROOT / "docs/administration.md")
    assert len(shown) > 5
    for command, lines in shown:
        have = run_example(command, relay)
        assert matches(lines, have), f"$ {command}\n" + "\n".join(have)


def test_answers_have_the_shape_of_the_schema(administered):
    schema = json.loads((ROOT / "docs/admin.schema.json").read_text(encoding="utf-8"))
    assert set(rows()) <= set(schema["definitions"]), "a command has no definition"
    relay = administered()
    for command in rows():
        answer = json.loads(ctl("--json", *command.split(), relay=relay).stdout)
        jsonschema.validate(answer, schema)
        jsonschema.validate(answer["result"], {**schema["definitions"][command], "definitions": schema["definitions"]})
    refused = json.loads(ctl("--json", "audit", "list", "--last", "x", relay=relay).stdout)
    jsonschema.validate(refused, schema)
    assert refused["ok"] is False
