"""Administration: rms-connectorctl and the socket behind it, on a running node."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import urllib.request

import jsonschema
import pytest

from support import net, soap
from support.ctl import LIST, ask, ctl, examples, matches, put_list, result, rows, run_example, talk
from support.fake_authd import done, kerberos
from support.node import ROOT, program

STRANGER = 65534


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


def test_a_second_node_does_not_steal_the_socket(administered, place):
    first = administered()
    os.mkdir(f"{place}/second", mode=0o700)
    second = administered({"node.state_directory": f"{place}/second"})
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

def test_the_examples_of_the_document_are_true(directed):
    relay = directed(script=lambda request: done("FS02$", 1121))
    refused = relay.ask(soap.request(soap.CERTIFY, headers=[kerberos("FS02$")]))
    decision = re.search("decision (D[0-9a-f]{16})", refused.body.decode()).group(1)
    shown = examples(ROOT / "docs/administration.md")
    assert len(shown) > 5
    for command, lines in shown:
        have = run_example(command.replace("D00c0ffee00c0ffee", decision), relay)
        assert matches(lines, have), f"$ {command}\n" + "\n".join(have)


# The arguments with which each command does what its schema says.
ARGUMENTS = {"explain": ["FS02$"], "servers show": ["CORP\\FS01$"], "servers add": ["FS02$", "fci"], "servers remove": ["sp@EXAMPLE.ORG"],
             "servers search": ["fs*"], "servers test": ["EXCH1$"], "deny add": ["svc-sp@EXAMPLE.ORG", "--why", "trial"],
             "deny lift": ["S-1-5-21-1-2-3-1120"]}


@pytest.mark.parametrize("own", [None, LIST])
def test_answers_have_the_shape_of_the_schema(directed, place, own):
    schema = json.loads((ROOT / "docs/admin.schema.json").read_text(encoding="utf-8"))
    assert set(rows()) <= set(schema["definitions"]), "a command has no definition"
    relay = directed(own=own, **{"cache.enabled": True})
    for command in rows():
        if command.startswith(("auth keytab", "auth ntlm", "upstream")):
            continue  # test_keytab.py and test_secrets.py look at them
        words = [put_list(place, LIST)] if command == "servers import" else ARGUMENTS.get(command, [])
        answer = json.loads(ctl("--json", *command.split(), *words, relay=relay).stdout)
        jsonschema.validate(answer, schema)
        assert answer["ok"], answer
        jsonschema.validate(answer["result"], {**schema["definitions"][command], "definitions": schema["definitions"]})
    refused = json.loads(ctl("--json", "audit", "list", "--last", "x", relay=relay).stdout)
    jsonschema.validate(refused, schema)
    assert refused["ok"] is False


# ---- the list ----

def test_the_list_is_shown_with_who_is_denied(listed):
    relay = listed()
    said = ctl("servers", "list", relay=relay)
    assert said.returncode == 0 and said.stdout.splitlines()[0].split() == ["ROLE", "KIND", "NAME", "ID", "ADDED"]
    assert "CORP\\Exchange Servers" in said.stdout and "sp@EXAMPLE.ORG" in said.stdout
    assert [one["id"] for one in result("servers", "list", "--role", "fci", relay=relay)["entries"]] == \
        ["S-1-5-21-1-2-3-1120", "S-1-5-21-7-8-9-1120"]
    shown = result("servers", "show", "corp\\fs01$", relay=relay)
    assert shown["id"] == "S-1-5-21-1-2-3-1120" and shown["denials"][0]["why"] == "under examination"
    assert result("deny", "list", relay=relay)["denials"][0]["until"] == "2030-12-24T00:00:00Z"
    assert result("status", relay=relay)["list"]["entries"] == 4


@pytest.mark.parametrize("who, says", [
    ("FS01$", "2 objects of the list are called FS01$"), ("CORP\\FS01", "did you mean CORP\\FS01$?"),
])
def test_a_name_that_is_not_one_entry_is_refused_helpfully(listed, who, says):
    said = ctl("servers", "show", who, relay=listed())
    assert said.returncode == 65 and says in said.stderr
    if who == "FS01$":
        assert "S-1-5-21-1-2-3-1120" in said.stderr and "S-1-5-21-7-8-9-1120" in said.stderr


def test_what_is_exported_can_be_the_file(listed, place):
    relay = listed()
    text = ctl("servers", "export", relay=relay).stdout
    before = result("status", relay=relay)["list"]["sha256"]
    put_list(place, text)
    assert result("policy", "refresh", relay=relay)["sha256"] == before
    assert json.loads(text)["entries"][3]["principal"] == "sp@EXAMPLE.ORG"


def test_a_refresh_reads_the_file_now_and_says_what_came_of_it(listed, place):
    """D09: on demand; C01: what add and remove print makes a list that is taken. D08: a broken file changes nothing."""
    relay = listed()
    line = result("servers", "add", "S-1-5-21-1-2-3-1300", "fci", "--kind", "computer", "--name", "CORP\\FS02$", relay=relay)["line"]
    away = json.loads(result("servers", "remove", "sp@EXAMPLE.ORG", relay=relay)["line"])
    entries = [one for one in LIST["entries"] if one != away] + [json.loads(line)]
    assert len(entries) == 4
    put_list(place, {**LIST, "entries": entries})
    said = ctl("policy", "refresh", relay=relay)
    assert said.returncode == 0 and "4 entries" in said.stdout and "generation 2" in said.stdout
    assert result("servers", "show", "FS02$", relay=relay)["kind"] == "computer"
    put_list(place, "{")
    said = ctl("policy", "refresh", relay=relay)
    assert said.returncode == 65 and "list.json" in said.stderr and "stays in force" in said.stderr
    assert result("servers", "show", "FS02$", relay=relay)["role"] == "fci"


def test_a_denial_that_is_printed_is_taken(listed, place):
    relay = listed()
    line = result("deny", "add", "CORP\\Exchange Servers", "--until", "2031-01-01T00:00:00Z", "--why", "incident 7", relay=relay)["line"]
    put_list(place, {**LIST, "deny": LIST["deny"] + [json.loads(line)]})
    assert result("policy", "refresh", relay=relay)["denials"] == 2
    assert {one["why"] for one in result("deny", "list", relay=relay)["denials"]} == {"under examination", "incident 7"}
    lifted = json.loads(result("deny", "lift", "S-1-5-21-1-2-3-1120", relay=relay)["line"])
    assert lifted == LIST["deny"][0] and json.loads(line)["kind"] == "group", "as its entry says"
    assert [one["kind"] for one in result("deny", "list", relay=relay)["denials"]] == ["group", "unknown"]
    assert ctl("deny", "add", "sp@EXAMPLE.ORG", "--until", "2001-01-01T00:00:00Z", relay=relay).returncode == 65


@pytest.mark.parametrize("words, says", [
    (["S-1-5-21-1-2-3-9", "admin"], "exchange, sharepoint or fci"),
    (["S-1-5-21-1-2-3-9", "Exchange"], "exchange, sharepoint or fci"),
    (["S-1-5-32-544", "fci"], "no account or group of a domain"),
    (["S-1-5-21-1-2-3-1104", "fci"], "on the list already, with the role exchange"),
    (["a b", "fci"], "a b cannot be looked up"),
    (["a@b@EXAMPLE.ORG", "fci"], "NAME@REALM"),
    (["S-1-5-21-1-2-3-9", "exchange"], "--kind group"),
    (["S-1-5-21-1-2-3-9", "exchange", "--kind", "user"], "single account"),
    (["S-1-5-21-1-2-3-9", "exchange", "--kind", "distribution", "--force"], "distribution group"),
    (["ex@EXAMPLE.ORG", "exchange"], "--force"),
    (["S-1-5-21-1-2-3-9", "fci", "--kind", "robot"], "a kind is"),
    (["S-1-5-21-1-2-3-9", "fci", "--name", "a\u202eb"], "direction"),
])
def test_what_may_not_be_added_is_refused_with_what_would_help(listed, words, says):
    """C02: there is no other role."""
    said = ctl("servers", "add", *words, relay=listed())
    assert said.returncode in (64, 65, 69) and says in said.stderr, said.stderr


def test_an_exchange_entry_is_added_with_a_warning(listed):
    """C27: by raw SID without a directory."""
    relay = listed()
    words = ["servers", "add", "S-1-5-21-1-2-3-1400", "exchange", "--kind", "group"]
    said = ctl(*words, relay=relay)
    assert said.returncode == 69 and "cannot be counted" in said.stderr and "--force" in said.stderr
    said = ctl(*words, "--force", relay=relay)
    assert said.returncode == 0 and "super-user credential" in said.stdout and "list.json" in said.stdout
    assert '"sid": "S-1-5-21-1-2-3-1400"' in said.stdout and "Nothing is changed yet" in said.stdout
    assert ctl("servers", "add", "ex@EXAMPLE.ORG", "exchange", "--force", relay=relay).returncode == 0


def test_without_a_list_it_is_said_how_to_get_one(administered):
    relay = administered()
    for words in (["servers", "list"], ["policy", "refresh"], ["deny", "list"]):
        said = ctl(*words, relay=relay)
        assert said.returncode == 78 and "list.file" in said.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="becomes other users")
def test_what_lets_in_needs_the_highest_role(listed):
    relay = listed(**{"admin.operators": "50002", "admin.group": "50002"})
    as_operator = {"user": STRANGER, "group": STRANGER, "extra_groups": [50002]}
    assert ctl("policy", "refresh", relay=relay, **as_operator).returncode == 0
    assert ctl("deny", "add", "S-1-5-21-1-2-3-9", "--kind", "user", relay=relay, **as_operator).returncode == 0
    for words in (["servers", "add", "S-1-5-21-1-2-3-9", "fci"], ["deny", "lift", "S-1-5-21-1-2-3-1120"]):
        said = ctl(*words, relay=relay, **as_operator)
        assert said.returncode == 77 and "security-admin" in said.stderr


# ---- explain ----

@pytest.mark.parametrize("words, verdict, reason, says", [
    (["sp@EXAMPLE.ORG"], "yes", "ALLOWED_PRINCIPAL", "servers remove sp@EXAMPLE.ORG"),
    (["other@EXAMPLE.ORG"], "no", "NOT_LISTED", "servers add other@EXAMPLE.ORG ROLE"),
    (["S-1-5-21-1-2-3-1120"], "no", "DENIED_ACCOUNT", "deny lift S-1-5-21-1-2-3-1120"),
    (["S-1-5-21-7-8-9-1120"], "yes", "ALLOWED_ACCOUNT", "SUB\\FS01$, with the role fci"),
    (["S-1-5-21-1-2-3-500"], "no", "NOT_LISTED", "Its groups could not be looked at"),
    (["S-1-5-21-1-2-3-500", "--groups", "S-1-5-21-1-2-3-513,S-1-5-21-1-2-3-1104"], "yes", "ALLOWED_GROUP",
     "CORP\\Exchange Servers, with the role exchange"),
    (["S-1-5-21-1-2-3-500", "--groups", "S-1-5-21-1-2-3-1104, S-1-5-21-1-2-3-1120"], "no", "DENIED_GROUP", "deny lift"),
])
def test_explain_says_who_is_let_in_and_what_would_change_it(listed, words, verdict, reason, says):
    relay = listed()
    told = result("explain", *words, relay=relay)
    assert (told["verdict"], told["reason"]) == (verdict, reason)
    assert told["list_generation"] == 1 and len(told["list_sha256"]) == 64
    said = ctl("explain", *words, relay=relay)
    assert said.returncode == 0 and says in said.stdout and "confirmed" in said.stdout


def test_explain_names_entries_that_disagree(listed, place):
    """The oldest of the groups wins, an entry of the account comes before them."""
    relay = listed()
    groups = ["--groups", "S-1-5-21-1-2-3-1104,S-1-5-21-9-9-9-7"]
    put_list(place, {**LIST, "entries": LIST["entries"] + [
        {"sid": "S-1-5-21-9-9-9-7", "role": "sharepoint", "kind": "group", "added": "2026-11-01T00:00:00Z"}]})
    assert result("policy", "refresh", relay=relay)["entries"] == 5
    told = result("explain", "S-1-5-21-1-2-3-500", *groups, relay=relay)
    assert told["role"] == "sharepoint" and told["conflict"] is True
    assert [one["id"] for one in told["entries"] if one["wins"]] == ["S-1-5-21-9-9-9-7"] and len(told["entries"]) == 2
    assert result("explain", "S-1-5-21-7-8-9-1120", *groups, relay=relay)["role"] == "fci"
    assert "different roles" in ctl("explain", "S-1-5-21-1-2-3-500", *groups, relay=relay).stdout


def test_explain_of_something_that_is_nobody_is_refused(listed):
    relay = listed()
    for words, says in ((["nobody"], "nobody cannot be looked up"), (["S-1-5-18"], "no account or group of a domain"),
                        (["sp@EXAMPLE.ORG", "--groups", "everyone"], "whoami /groups")):
        said = ctl("explain", *words, relay=relay)
        assert said.returncode == (69 if words == ["nobody"] else 65) and says in said.stderr


# ---- the page for people ----

def test_the_page_says_how_the_node_is_in_one_sentence(listed, place):
    relay = listed()
    status, page = relay.get_stats("/")
    assert status == 200 and '<p class="state bad">ready; AUTHENTICATION IS OFF' in page
    assert "CORP\\Exchange Servers" in page and "S-1-5-21-1-2-3-1104" in page and "security group" in page
    assert result("status", relay=relay)["list"]["sha256"] in page
    assert "The node refused nothing" in page and "service started" in page
    put_list(place, "{")
    assert ctl("policy", "refresh", relay=relay).returncode == 65
    page = relay.get_stats("/")[1]
    assert "cannot be read, and the last good one is in force" in page and "The list could not be read" in page
    assert "S-1-5-21-1-2-3-1104" in page


def test_the_page_names_what_was_refused_and_why(listed):
    relay = listed(**{"node.state_directory": ""})
    for _ in range(3):
        assert relay.ask(b"POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").status == 404
    page = relay.get_stats("/")[1]
    assert "<tr><td>3<td>404<td>no such service on this connector<td>gives up" in page
    assert "refused nothing" not in page and "3 refused for good" in page


def test_the_page_shows_hostile_names_as_text_and_runs_nothing(administered, place):
    hostile = "<script>alert('1')</script>&\""
    relay = administered({"list.file": put_list(place, {**LIST, "entries": [{**LIST["entries"][0], "name": hostile}]})}, caller=None)
    with urllib.request.urlopen(f"http://{net.HOST}:{relay.stats_port}/", timeout=10) as got:
        page, policy = got.read().decode(), got.headers["Content-Security-Policy"]
        assert got.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<script" not in page and "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;" in page
    assert "default-src 'none'" in policy and "script-src" not in policy
    assert '<p class="state bad">not ready: rms-connector-authd is away' in page
