"""E16: a decision that was made is explained by its id: who, what, by which entry, on how old data, and what would be decided now."""

import json
import os
import re
import shutil

import jsonschema

from support import soap
from support.ctl import LIST, ctl, put_list, result
from support.directory import AWAY, DOMAIN
from support.fake_authd import DONE, KERBEROS, MUTUAL, Reply, done, kerberos, word_in
from support.node import ROOT
from support.wait import eventually

RIDS = {"FS02$": 1121, "EXCH1$": 1130, "FS01$": 1120}
GROUPS = {"EXCH1$": (1104, 513)}
SCHEMA = json.loads((ROOT / "docs/admin.schema.json").read_text(encoding="utf-8"))


def by_word(request):
    word = word_in(request.token)
    if "@" in word:
        return Reply(DONE, answer=MUTUAL, mechanism=KERBEROS, until=2**33, account=word, principal=word)
    return done(word, RIDS[word], groups=GROUPS.get(word, ()), answer=MUTUAL)


def decided(relay, word, status=None):
    """The id of what is decided about a caller who comes now."""
    before = len(relay.request_log())
    answer = relay.ask(soap.request(soap.CERTIFY, headers=[kerberos(word)]))
    assert status in (None, answer.status), answer.body
    return relay.logged(before + 1)[-1]["decision"]


def told(relay, *words):
    have = result("explain", *words, relay=relay)
    jsonschema.validate(have, {**SCHEMA["definitions"]["explain"], "definitions": SCHEMA["definitions"]})
    return have


def said(relay, *words):
    done_ = ctl("explain", *words, relay=relay)
    assert done_.returncode == 0, done_.stderr
    return done_.stdout


def test_a_refusal_is_explained_by_the_id_that_the_caller_got(directed, place):
    """E08, E16: and over a change of the list and a restart it stays what it was."""
    relay = directed(script=by_word)
    answer = relay.ask(soap.request(soap.CERTIFY, headers=[kerberos("FS02$")]))
    assert answer.status == 403
    made = re.search(r"decision (D[0-9a-f]{16})", answer.body.decode()).group(1)
    have = told(relay, made.lower().replace("d", "D", 1))
    then = have["decision"]
    assert (then["id"], then["account"], then["sid"], then["address"]) == (made, "CORP\\FS02$", f"{DOMAIN}-1121", "127.0.0.1")
    assert (then["verdict"], then["reason"], then["entry"], then["denial"], then["role"]) == ("no", "NOT_LISTED", None, None, None)
    assert then["list_sha256"] == have["list_sha256"] and then["list_age_s"] < 60 and then["sids"] == 1
    assert have["differs"] is False and have["verdict"] == "no" and have["change"] == f"rms-connectorctl servers add {DOMAIN}-1121 ROLE"
    text = said(relay, made)
    assert f"CORP\\FS02$ ({DOMAIN}-1121), from 127.0.0.1, was refused: neither the account nor a group" in text
    assert "Now the same would be decided" in text and "The list of generation 1 had been confirmed" in text

    put_list(place, {**LIST, "entries": LIST["entries"] + [{"sid": f"{DOMAIN}-1121", "kind": "computer", "role": "fci", "added": "2026-11-25T00:00:00Z"}]})
    have = told(relay, made, "--fresh")
    assert have["decision"]["reason"] == "NOT_LISTED" and have["decision"]["list_sha256"] != have["list_sha256"]
    assert (have["differs"], have["verdict"], have["role"]) == (True, "yes", "fci")
    text = said(relay, made)
    assert "Now it would be decided otherwise:" in text and "is let in" in text and f"servers remove {DOMAIN}-1121" in text

    relay.stop()
    relay.start()
    assert told(relay, made)["decision"] == have["decision"]


def test_who_was_let_in_by_a_group_that_it_left_since(directed):
    """E16: group path, then and now; C23"""
    relay = directed(script=by_word)
    made = decided(relay, "EXCH1$")
    have = told(relay, made)
    then = have["decision"]
    assert (then["verdict"], then["reason"], then["role"], then["entry"]) == ("yes", "ALLOWED_GROUP", "exchange", f"{DOMAIN}-1104")
    assert then["path"] == have["path"] == ["CORP\\EXCH1$", "CORP\\Exchange Servers"] and have["differs"] is False
    assert "The entry that counted was S-1-5-21-1-2-3-1104, CORP\\Exchange Servers, with the role exchange." in said(relay, made)
    relay.directory.inside[f"{DOMAIN}-1104"].remove(f"{DOMAIN}-1130")
    have = told(relay, made)
    assert (have["differs"], have["verdict"], have["decision"]["path"], have["decision"]["entry"]) == (True, "no", [], f"{DOMAIN}-1104")
    assert "The directory says that the account is not in it now." in said(relay, made)
    text = said(relay, "CORP\\EXCH1$")
    assert "is refused" in text and f"let it in: rms-connectorctl explain {made} says why" in text


def test_a_denial_is_named_and_the_command_that_lifts_it(directed, place):
    relay = directed(script=by_word)
    made = decided(relay, "FS01$", 403)
    have = told(relay, made)
    assert (have["decision"]["reason"], have["decision"]["denial"]) == ("DENIED_ACCOUNT", f"{DOMAIN}-1120")
    assert have["differs"] is False and have["change"] == f"rms-connectorctl deny lift {DOMAIN}-1120"
    put_list(place, {**LIST, "deny": []})
    have = told(relay, made, "--fresh")
    assert have["differs"] is True and have["verdict"] == "yes" and have["decision"]["denial"] == f"{DOMAIN}-1120"
    assert "The denial that counted was S-1-5-21-1-2-3-1120; it is not on the list any more." in said(relay, made)


def test_without_the_directory_what_was_decided_is_told_and_what_would_be_is_not_guessed(directed):
    relay = directed(script=by_word)
    made = decided(relay, "EXCH1$")
    relay.directory.away = AWAY
    have = told(relay, made)
    assert have["decision"]["verdict"] == "yes" and have["differs"] is None and have["groups_from"] == "none"
    assert have["decision"]["path"] is None and have["change"] == f"rms-connectorctl servers remove {DOMAIN}-1104"
    text = said(relay, made)
    assert "was let in" in text and "What would be decided now cannot be said without its groups." in text
    assert "is refused" not in text and "no controller of CORP.TEST answers" in text and "CORP\\EXCH1$" in text
    have = told(relay, made, "--groups", f"{DOMAIN}-1104")
    assert have["differs"] is False and have["verdict"] == "yes" and have["groups_from"] == "given"


def test_an_account_that_is_gone_is_still_explained(directed):
    relay = directed(script=by_word)
    made = decided(relay, "FS02$", 403)
    del relay.directory.objects[f"{DOMAIN}-1121"]
    have = told(relay, made)
    assert have["gone"] is True and have["differs"] is None and have["decision"]["account"] == have["name"] == "CORP\\FS02$"
    text = said(relay, made)
    assert "was refused" in text and "The directory has it no more" in text and "is refused" not in text


def test_a_principal_of_a_realm_without_directory(directed):
    relay = directed(script=by_word)
    made = decided(relay, "sp@EXAMPLE.ORG")
    have = told(relay, made)
    assert (have["decision"]["reason"], have["decision"]["sid"], have["decision"]["entry"]) == ("ALLOWED_PRINCIPAL", None, "sp@EXAMPLE.ORG")
    assert have["account"] == "sp@EXAMPLE.ORG" and have["differs"] is False
    assert told(relay, "sp@EXAMPLE.ORG")["decision"]["id"] == made


def test_a_decision_without_a_list_is_explained_without_one(directed, place):
    relay = directed(script=by_word)
    relay.stop()
    os.unlink(f"{place}/list.json")
    shutil.rmtree(relay.state)
    os.mkdir(relay.state, mode=0o700)
    relay.knows_callers = False  # it does not get ready
    relay.start()
    eventually(lambda: relay.metric("authd_up") >= 1)
    made = decided(relay, "FS02$", 429)
    have = told(relay, made)
    assert (have["decision"]["reason"], have["decision"]["verdict"], have["decision"]["list_age_s"]) == ("NEVER_LOADED", "later", None)
    assert have["verdict"] == "later" and have["list_sha256"] is None and have["change"] == "rms-connectorctl policy refresh"
    text = said(relay, made)
    assert "was told to try again later" in text and "There was no list then." in text and "list.json" in text


def test_an_id_that_the_node_does_not_know_is_refused_helpfully(directed):
    relay = directed(script=by_word)
    decided(relay, "FS02$", 403)
    have = ctl("explain", "D0123456789abcdef", relay=relay)
    assert have.returncode == 65 and have.stdout == ""
    assert "does not know the decision D0123456789abcdef: it keeps its own last 4096, and has 1" in have.stderr
    assert "request log" in have.stderr and "explain ACCOUNT" in have.stderr
    assert "nothing called D0123" in ctl("explain", "D0123", relay=relay).stderr, "that is a name"
    have = ctl("servers", "test", "D0123456789abcdef", relay=relay)
    assert have.returncode == 65 and "nothing called D0123456789abcdef" in have.stderr
    bare = directed(script=by_word, **{"node.state_directory": "", "admin.socket": relay.socket + "2"})
    bare.socket = relay.socket + "2"
    assert "not over a restart" in ctl("explain", "D0123456789abcdef", relay=bare).stderr
