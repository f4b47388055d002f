"""Administration with a directory: names are looked up, super users are counted, and accounts are tested."""

import json
import os
import signal
import subprocess
import threading

import pytest

from support import soap
from support.ctl import LIST, ctl, put_list, result
from support.directory import AWAY, DOMAIN
from support.fake_authd import done, kerberos
from support.node import program
from support.wait import eventually


def refusal(*words, relay, code=65):
    said = ctl(*words, relay=relay)
    assert said.returncode == code, (said.returncode, said.stdout, said.stderr)
    return said.stderr


@pytest.mark.parametrize("who, sid, kind, name", [
    ("FS02$", f"{DOMAIN}-1121", "computer", "CORP\\FS02$"), ("corp\\svc-sp", f"{DOMAIN}-1150", "user", "CORP\\svc-sp"),
    ("New Servers", f"{DOMAIN}-1160", "group", "CORP\\New Servers"), (f"{DOMAIN}-1121", f"{DOMAIN}-1121", "computer", "CORP\\FS02$"),
    ("Mail Team", f"{DOMAIN}-1140", "distribution", "CORP\\Mail Team"),
])
def test_a_name_is_added_as_the_object_that_the_directory_has(directed, who, sid, kind, name):
    """C20: names are resolved when they are added. C19: what is kept is the SID."""
    line = json.loads(result("servers", "add", who, "sharepoint", relay=directed())["line"])
    assert (line["sid"], line["kind"], line["name"], line["role"]) == (sid, kind, name, "sharepoint")


def test_unknown_and_ambiguous_names_and_those_without_dollar_are_refused_with_advice(directed):
    """C20: unknown ones are refused, ambiguous ones listed. C10: a computer without its dollar is shown with it."""
    relay = directed()
    assert "the directory has nothing called nobody-here" in refusal("servers", "add", "nobody-here", "fci", relay=relay)
    said = refusal("servers", "add", "svc-sp", "sharepoint", relay=relay)
    assert "2 objects are called svc-sp" in said and f"{DOMAIN}-1150  user  CORP\\svc-sp" in said and "SUB\\svc-sp" in said
    assert "write CORP\\FS02$, with the dollar" in refusal("servers", "add", "FS02", "fci", relay=relay)
    assert "NOWHERE is none of the domains" in refusal("servers", "add", "NOWHERE\\x", "fci", relay=relay)
    assert "on the list already, with the role fci" in refusal("servers", "add", "CORP\\FS01$", "sharepoint", relay=relay)
    assert "no computer account" in refusal("servers", "add", "New Servers", "fci", "--kind", "computer", relay=relay)
    for words in (["deny", "add", "nobody-here"], ["servers", "show", "nobody-here"], ["servers", "remove", "nobody-here"], ["explain", "nobody-here"],
                  ["servers", "test", "nobody-here"], ["deny", "lift", "nobody-here"]):
        assert "the directory has nothing called nobody-here" in refusal(*words, relay=relay)
    assert "CORP\\svc-sp (S-1-5-21-1-2-3-1150) is not on the list" in refusal("servers", "remove", "corp\\svc-sp", relay=relay)


def test_a_sid_that_the_directory_does_not_have_needs_force(directed):
    relay = directed()
    said = refusal("servers", "add", f"{DOMAIN}-99", "fci", relay=relay)
    assert "no object with this SID is in the directory" in said and "--force" in said
    assert result("servers", "add", f"{DOMAIN}-99", "fci", "--force", relay=relay)["line"]


def test_without_a_directory_there_are_sids_and_principals_of_declared_realms(directed):
    """C20: C27: authd, or the directory behind it, is away."""
    relay = directed()
    assert json.loads(result("servers", "add", "files@EXAMPLE.ORG", "fci", relay=relay)["line"])["principal"] == "files@EXAMPLE.ORG"
    relay.directory.away = AWAY
    said = refusal("servers", "add", "FS02$", "fci", relay=relay, code=69)
    assert "FS02$ cannot be looked up: no controller of CORP.TEST answers" in said and "check DNS" in said
    assert "cannot be looked up" in refusal("servers", "add", "files@CORP.TEST", "fci", relay=relay, code=69)
    said = ctl("servers", "add", f"{DOMAIN}-1121", "fci", "--name", "CORP\\FS02$", relay=relay)
    assert said.returncode == 0 and "it was not looked up: no controller" in said.stdout
    relay.authd.die()
    said = refusal("servers", "add", "FS02$", "fci", relay=relay, code=69)
    assert "rms-connector-authd" in said


# ---- exchange ----

def test_exchange_accounts_are_counted_shown_and_confirmed(directed):
    """C05: the warning and the number of members. C13: the default group by its name."""
    relay = directed(own={**LIST, "entries": LIST["entries"][1:]})
    said = refusal("servers", "add", "Exchange Servers", "exchange", relay=relay)
    assert "2 accounts of CORP\\Exchange Servers" in said and "super-user credential" in said and "--confirm-members" in said
    assert f"{DOMAIN}-1130  CORP\\EXCH1$" in said and "CORP\\EXCH2$" in said and "1 more are disabled" in said
    assert "2 accounts" in refusal("servers", "add", "Exchange Servers", "exchange", "--confirm-members", "3", relay=relay)
    assert result("servers", "list", "--role", "exchange", relay=relay)["entries"] == []
    said = ctl("servers", "add", "Exchange Servers", "exchange", "--confirm-members", "2", relay=relay)
    assert said.returncode == 0 and "2 accounts of CORP\\Exchange Servers" in said.stdout and "CORP\\EXCH1$" in said.stdout, said
    assert result("servers", "list", "--role", "exchange", relay=relay)["entries"][0]["id"] == f"{DOMAIN}-1104"


def test_exchange_wants_a_security_group(directed):
    """C12: an account only with --force, a distribution group never, whatever kind is claimed."""
    relay = directed()
    said = refusal("servers", "add", "FS02$", "exchange", relay=relay)
    assert "single account" in said and "--force" in said
    assert "super-user credential" in ctl("servers", "add", "FS02$", "exchange", "--force", relay=relay).stdout
    for more in ([], ["--force"], ["--kind", "distribution", "--force"]):
        assert "distribution group" in refusal("servers", "add", "Mail Team", "exchange", *more, relay=relay)
    assert "is a distribution group in the directory" in refusal("servers", "add", "Mail Team", "exchange", "--kind", "group", relay=relay)


def test_a_group_that_cannot_be_counted_is_not_added_by_accident(directed):
    """C05"""
    relay = directed()
    ask = relay.authd.answers
    relay.authd.answers = lambda question: AWAY if question["ask"] == "members" else ask(question)
    assert "cannot be counted" in refusal("servers", "add", "New Servers", "exchange", "--confirm-members", "2", relay=relay, code=69)
    relay.authd.answers = lambda question: {**ask(question), **({"truncated": True} if question["ask"] == "members" else {})}
    assert "more members than can be counted" in refusal("servers", "add", "New Servers", "exchange", relay=relay)


def kept(relay):
    path = f"{relay.state}/super-users.json"
    return json.loads(open(path, encoding="utf-8").read()) if os.path.exists(path) else {}


def test_a_group_of_super_users_that_grows_is_told(directed):
    """C05: after it was confirmed: new members are named in an event, also those of the time when the node was down; who leaves is none."""
    relay = directed(**{"list.refresh_s": 1})
    members = relay.directory.inside[f"{DOMAIN}-1104"]
    eventually(lambda: len(kept(relay).get(f"{DOMAIN}-1104", {})) == 2, 15)
    assert relay.events(4045) == []
    members.append(f"{DOMAIN}-1121")
    text = relay.event(4045, 15)["text"]
    assert "CORP\\Exchange Servers S-1-5-21-1-2-3-1104: 1 new among what were 2: CORP\\FS02$ (S-1-5-21-1-2-3-1121)" in text
    members.remove(f"{DOMAIN}-1130")
    eventually(lambda: f"{DOMAIN}-1130" not in kept(relay)[f"{DOMAIN}-1104"], 15)
    relay.directory.away = AWAY
    asked = len(relay.authd.questions)
    eventually(lambda: len(relay.authd.questions) > asked + 2, 15)
    assert len(kept(relay)[f"{DOMAIN}-1104"]) == 2, "an answer that fails to come forgets nobody"
    relay.stop()
    relay.directory.away = None
    members.append(f"{DOMAIN}-1150")
    relay.start()
    eventually(lambda: len(relay.events(4045)) == 2, 15)
    assert "CORP\\svc-sp" in relay.events(4045)[1]["text"]


def test_a_group_of_super_users_that_a_file_brings_is_told_with_its_accounts(directed, place):
    """C05: nobody confirmed how many they are; once, also over a restart; a single account is no group."""
    relay = directed()
    text = relay.event(4046, 15)["text"]
    assert "CORP\\Exchange Servers S-1-5-21-1-2-3-1104: 2 accounts: CORP\\EXCH1$ (S-1-5-21-1-2-3-1130), CORP\\EXCH2$ (S-1-5-21-1-2-3-1131)" in text
    relay.directory.inside[f"{DOMAIN}-1160"] = []
    put_list(place, {**LIST, "entries": LIST["entries"] + [
        {"sid": f"{DOMAIN}-1160", "kind": "group", "role": "exchange", "added": "2026-11-25T00:00:00Z"},
        {"sid": f"{DOMAIN}-1150", "kind": "user", "role": "exchange", "added": "2026-11-25T00:00:00Z"}]})
    result("policy", "refresh", relay=relay)
    eventually(lambda: len(relay.events(4046)) == 2, 15)
    assert " S-1-5-21-1-2-3-1160: 0 accounts" in relay.events(4046)[1]["text"]
    relay.stop()
    relay.directory.inside[f"{DOMAIN}-1160"].append(f"{DOMAIN}-1121")
    relay.start()
    assert "1 new among what were 0: CORP\\FS02$" in relay.event(4045, 15)["text"]
    assert len(relay.events(4046)) == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"S-1-5-21-1-2-3-1104": [1]}', '{"a": {"b": 7}}'])
def test_what_was_kept_of_super_users_and_is_damaged_is_begun_anew(directed, place, text):
    os.makedirs(f"{place}/state", mode=0o700)
    with open(f"{place}/state/super-users.json", "w", encoding="utf-8") as out:
        out.write(text)
    relay = directed(**{"list.refresh_s": 1})
    eventually(lambda: len(kept_or_none(relay).get(f"{DOMAIN}-1104", {})) == 2, 15)
    assert relay.events(4045) == []


def kept_or_none(relay):
    try:
        found = kept(relay)
        return found if isinstance(found, dict) else {}
    except json.JSONDecodeError:
        return {}


# ---- looking ----

def test_the_directory_is_searched(directed):
    """C21: group, kind, SID."""
    relay = directed()
    said = ctl("servers", "search", "exch*", relay=relay)
    assert said.returncode == 0 and said.stdout.splitlines()[0].split() == ["NAME", "KIND", "SID", "DISABLED"]
    assert {row["name"]: row["kind"] for row in result("servers", "search", "exch*", relay=relay)["objects"]} == {
        "CORP\\Exchange Servers": "group", "CORP\\EXCH1$": "computer", "CORP\\EXCH2$": "computer", "CORP\\EXCH3$": "computer"}
    assert "There are more than these" in ctl("servers", "search", "*", "--limit", "3", relay=relay).stdout
    assert "nothing has such a name" in ctl("servers", "search", "zzz*", relay=relay).stdout
    relay.directory.away = AWAY
    assert "cannot be searched: no controller" in refusal("servers", "search", "exch*", relay=relay, code=69)


def test_an_entry_is_shown_with_what_the_directory_says_now(directed):
    """C19: renamed: found by both names; deleted: said."""
    relay = directed()
    relay.directory.objects[f"{DOMAIN}-1104"][0] = "CORP\\Mail Servers"
    for who in ("CORP\\Exchange Servers", "Mail Servers"):
        shown = result("servers", "show", who, relay=relay)
        assert shown["id"] == f"{DOMAIN}-1104" and shown["renamed_to"] == "CORP\\Mail Servers"
    del relay.directory.objects[f"{DOMAIN}-1104"]
    shown = result("servers", "show", "CORP\\Exchange Servers", relay=relay)
    assert shown["gone"] is True and shown["directory"] is None and "no object with this SID" in shown["directory_problem"]
    relay.directory.away = AWAY
    shown = result("servers", "show", "CORP\\Exchange Servers", relay=relay)
    assert "gone" not in shown and "no controller" in shown["directory_problem"]


def test_a_name_that_belongs_to_another_object_by_now_is_that_object(directed):
    """C19: rows keep names of long ago; they decide nothing, not even in explain."""
    relay = directed()
    relay.directory.objects[f"{DOMAIN}-1777"] = relay.directory.objects.pop(f"{DOMAIN}-1104")
    assert result("explain", "CORP\\Exchange Servers", relay=relay)["account"] == f"{DOMAIN}-1777"
    assert json.loads(result("deny", "add", "Exchange Servers", relay=relay)["line"])["sid"] == f"{DOMAIN}-1777"
    assert result("servers", "show", "Exchange Servers", relay=relay)["id"] == f"{DOMAIN}-1104"
    assert "has it no more" in refusal("servers", "test", f"{DOMAIN}-1104", relay=relay)
    relay.directory.away = AWAY
    assert result("explain", "CORP\\Exchange Servers", relay=relay)["account"] == f"{DOMAIN}-1104", "the list has the name, at least"


def test_an_account_is_tested_with_the_groups_it_has_now(directed):
    relay = directed()
    said = ctl("servers", "test", "EXCH1$", relay=relay)
    assert said.returncode == 0 and "let in as exchange, by the entry S-1-5-21-1-2-3-1104, CORP\\Exchange Servers" in said.stdout
    assert "would be refused" in refusal("servers", "test", "FS02$", relay=relay)
    assert "disabled" in refusal("servers", "test", "EXCH3$", relay=relay)
    assert "denied" in refusal("servers", "test", f"{DOMAIN}-1120", relay=relay)
    relay.directory.inside[f"{DOMAIN}-1104"].append(f"{DOMAIN}-1121")
    assert ctl("servers", "test", "FS02$", relay=relay).returncode == 0
    relay.directory.away = AWAY
    assert "cannot be tested without its groups" in refusal("servers", "test", f"{DOMAIN}-1130", relay=relay, code=69)


def test_explain_asks_for_the_groups(directed, place):
    """E16: why an account is accepted or not, with entry and data age; --fresh reads the list anew."""
    relay = directed()
    told = result("explain", "EXCH1$", relay=relay)
    assert (told["verdict"], told["reason"], told["role"], told["groups_from"]) == ("yes", "ALLOWED_GROUP", "exchange", "directory")
    assert told["name"] == "CORP\\EXCH1$" and told["entries"][0]["id"] == f"{DOMAIN}-1104" and told["list_age_s"] < 100
    assert told["path"] == ["CORP\\EXCH1$", "CORP\\Exchange Servers"]
    assert "CORP\\EXCH1$, which is in CORP\\Exchange Servers." in ctl("explain", "EXCH1$", relay=relay).stdout
    said = ctl("explain", "FS02$", relay=relay).stdout
    assert "CORP\\FS02$ (S-1-5-21-1-2-3-1121) is refused" in said and "servers add S-1-5-21-1-2-3-1121 ROLE" in said
    assert "disabled" in ctl("explain", "EXCH3$", relay=relay).stdout
    put_list(place, {**LIST, "entries": LIST["entries"] + [{"sid": f"{DOMAIN}-1121", "role": "fci", "added": "2026-11-25T00:00:00Z"}]})
    assert result("explain", "FS02$", "--fresh", relay=relay)["verdict"] == "yes"
    relay.directory.away = AWAY
    told = result("explain", f"{DOMAIN}-1130", relay=relay)
    assert told["verdict"] == "no" and told["groups_from"] == "none" and "no controller" in told["groups_problem"]


# ---- denials ----

@pytest.mark.parametrize("who, kind", [
    ("FS02$", "computer"), ("svc-sp@EXAMPLE.ORG", None), ("New Servers", "group"), (f"{DOMAIN}-1150", "user"), ("Mail Team", "distribution"),
    (f"{DOMAIN}-99", None)])
def test_a_denial_is_written_with_the_kind_that_the_directory_tells(directed, who, kind):
    """C20: of what the directory does not have, it does not say one."""
    assert json.loads(result("deny", "add", who, relay=directed())["line"]).get("kind") == kind


def test_a_denial_of_an_unknown_sid_wants_its_kind(directed):
    """C20, C27: while the directory is away."""
    relay = directed()
    assert "is a computer account in the directory, and no security group" in refusal("deny", "add", "FS02$", "--kind", "group", relay=relay)
    assert "a kind is group" in refusal("deny", "add", "FS02$", "--kind", "robot", relay=relay)
    relay.directory.away = AWAY
    said = refusal("deny", "add", f"{DOMAIN}-1150", relay=relay, code=69)
    assert "cannot be looked up: no controller" in said and "--kind user" in said and "every caller is told to try again later" in said
    told = result("deny", "add", f"{DOMAIN}-1150", "--kind", "user", relay=relay)
    assert json.loads(told["line"])["kind"] == "user"
    text = ctl("deny", "add", f"{DOMAIN}-1150", "--kind", "user", relay=relay).stdout
    assert "was not looked up" in text and "try again" not in text
    assert "every caller is told to try again later" in ctl("deny", "add", f"{DOMAIN}-1150", "--kind", "distribution", relay=relay).stdout
    assert "kind" not in json.loads(result("deny", "add", f"{DOMAIN}-1150", "--kind", "unknown", relay=relay)["line"])
    assert json.loads(result("deny", "add", f"{DOMAIN}-1104", relay=relay)["line"])["kind"] == "group", "its entry says it"


def test_a_denial_with_its_kind_puts_off_nobody_else(directed):
    """C27: it is in force at once although the directory never said who is in it; without the kind everybody is told to come again."""
    relay = directed(own=LIST, script=lambda request: done("EXCH1$", 1130, groups=(1104,)))

    def status():
        return relay.ask(soap.request(soap.CERTIFY, headers=[kerberos("EXCH1$")])).status
    assert status() == 500, "let in, and there is no cloud"
    relay.directory.away = AWAY
    result("deny", "add", f"{DOMAIN}-1150", "--kind", "user", relay=relay)
    assert status() == 500
    result("deny", "lift", f"{DOMAIN}-1150", relay=relay)
    result("deny", "add", f"{DOMAIN}-1150", "--kind", "unknown", relay=relay)
    assert status() == 429
    result("deny", "lift", f"{DOMAIN}-1150", relay=relay)
    assert status() == 500
    result("deny", "add", f"{DOMAIN}-1130", "--kind", "computer", relay=relay)
    assert status() == 403


def test_auth_status_tells_keys_directories_refusals_and_problems(directed):
    relay = directed()
    told = result("auth", "status", relay=relay)
    assert told["version"] == "0.1" and told["accepted"] == 12 and told["ntlm"] == "off" and told["keytab_state"] == "good"
    assert told["keys"][0]["principal"] == "HTTP/rms.corp.test@CORP.TEST" and told["keys"][0]["kvno"] == 3 and told["keys"][0]["made"].startswith("2026-")
    assert told["refused"][0]["reason"] == "NO_KEY_FOR_SPN" and told["refused"][0]["count"] == 3 and told["refused"][0]["means"]
    assert [(row["realm"], row["directory"]) for row in told["realms"]] == [("CORP.TEST", "reached"), ("EXAMPLE.ORG", "none")]
    assert [row["about"] for row in told["problems"]] == ["keytab"]
    said = ctl("auth", "status", relay=relay)
    assert said.returncode == 0 and "rms-connector-authd answers: version 0.1" in said.stdout and "dc1.corp.test" in said.stdout
    relay.directory.away = AWAY
    told = result("auth", "status", relay=relay)
    assert told["realms"][0]["directory"] == "NOT REACHED" and told["problems"][1]["mend"] == "check DNS and port 389"
    relay.authd.die()
    assert "nobody can be authenticated" in refusal("auth", "status", relay=relay, code=69)


# ---- what goes wrong on the way ----

def test_authd_that_dies_or_says_nonsense_in_the_middle_is_told(directed):
    relay = directed()
    for answer in ("die", {}, {"ok": True}, {"ok": True, "objects": 7}, {"ok": True, "objects": [7]}, {"ok": True, "objects": [{"sid": "x"}]},
                   {"ok": True, "objects": [{"sid": "S-1-5-32-544", "name": "BUILTIN\\Administrators", "kind": "group"}]}):
        relay.authd.answers = lambda question, answer=answer: answer
        said = ctl("servers", "add", "FS02$", "fci", relay=relay)
        assert said.returncode in (65, 69) and said.stderr, (answer, said)
    relay.authd.answers = relay.directory
    assert ctl("servers", "add", "FS02$", "fci", relay=relay).returncode == 0


def test_who_leaves_before_the_answer_changes_nothing(directed):
    """A change that was interrupted is not made afterwards."""
    relay, go_on, asked = directed(own=LIST), threading.Event(), threading.Event()

    def slow(question):
        asked.set()
        go_on.wait(20)
        return relay.directory(question)
    relay.authd.answers = slow
    asking = subprocess.Popen([program("rms-connectorctl"), "--socket", relay.socket, "servers", "add", "FS02$", "fci"])
    assert asked.wait(10)
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    asked.clear()
    status = result("status", relay=relay)  # the node has seen that it left
    go_on.set()
    relay.authd.answers = relay.directory
    eventually(lambda: len(relay.authd.questions) >= 1)
    assert result("servers", "search", "exch*", relay=relay)["objects"]  # asked later, answered after it
    assert result("status", relay=relay)["list"]["sha256"] == status["list"]["sha256"]
    assert result("audit", "list", relay=relay)["changes"] == []


def test_a_node_that_stops_ends_commands_that_wait(directed):
    relay, asked = directed(), threading.Event()
    relay.authd.answers = lambda question: asked.set()  # None: says nothing, ever
    asking = subprocess.Popen([program("rms-connectorctl"), "--socket", relay.socket, "servers", "add", "FS02$", "fci"], stderr=subprocess.PIPE, text=True)
    assert asked.wait(10)
    relay.stop()
    said = asking.communicate(timeout=20)[1]
    assert asking.returncode in (69, 75), said


@pytest.mark.skipif(os.getuid() != 0, reason="becomes other users")
def test_viewers_look_and_no_more(directed):
    relay = directed(**{"admin.viewers": "50001", "admin.group": "50001"})
    viewer = {"user": 65534, "group": 65534, "extra_groups": [50001]}
    for words in (["servers", "search", "exch*"], ["servers", "test", "EXCH1$"], ["explain", "EXCH1$"], ["auth", "status"]):
        assert ctl(*words, relay=relay, **viewer).returncode == 0, words
    for words in (["servers", "add", "FS02$", "fci"], ["servers", "import", "-"], ["deny", "add", "FS02$"]):
        assert ctl(*words, relay=relay, input="{}", **viewer).returncode == 77, words
