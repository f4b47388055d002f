"""Administration of a list that the node owns (list.source local): changes are made, written down, and told when they cannot be."""

import json
import os
import threading

import pytest

from support.ctl import LIST, ctl, put_list, result
from support.directory import DOMAIN


def changes(relay):
    return [(row["what"], row.get("before"), row.get("after")) for row in result("audit", "list", relay=relay)["changes"]]


def on_disk(relay):
    return json.loads(open(f"{relay.state}/list.json", encoding="utf-8").read())


def test_a_list_begins_empty_and_is_changed_by_command(directed):
    """C01: round trip of list, add and remove on a list that the node owns."""
    relay = directed(own={})
    assert "the list is empty" in ctl("servers", "list", relay=relay).stdout
    assert result("servers", "add", "FS02$", "fci", relay=relay)["changed"] is True
    added = result("servers", "add", "files@EXAMPLE.ORG", "sharepoint", relay=relay)
    assert (added["generation"], len(added["sha256"])) == (2, 64)
    rows = result("servers", "list", relay=relay)["entries"]
    assert {(row["id"], row["role"], row["kind"]) for row in rows} == {(f"{DOMAIN}-1121", "fci", "computer"), ("files@EXAMPLE.ORG", "sharepoint", "unknown")}
    assert len(on_disk(relay)["entries"]) == 2
    assert relay.get_stats("/readyz")[0] == 200
    assert result("servers", "remove", "CORP\\FS02$", relay=relay)["changed"] is True
    assert [row["id"] for row in result("servers", "list", relay=relay)["entries"]] == ["files@EXAMPLE.ORG"]
    said = ctl("servers", "remove", "files@EXAMPLE.ORG", relay=relay)
    assert said.returncode == 0 and "nobody is let in" in said.stdout
    relay.stop()
    relay.start()
    assert result("servers", "list", relay=relay)["entries"] == [] and result("status", relay=relay)["list"]["loaded"]


def test_changes_are_in_force_at_once_and_written_down_with_who_and_what(directed):
    relay = directed(own=LIST)
    before = result("status", relay=relay)["list"]["sha256"]
    after = result("deny", "add", "FS02$", "--why", "incident 7", relay=relay)["sha256"]
    assert before != after and result("explain", "FS02$", relay=relay)["reason"] == "DENIED_ACCOUNT"
    result("deny", "lift", "FS02$", relay=relay)
    assert result("status", relay=relay)["list"]["sha256"] == before
    (what, was, became), (what2, was2, became2) = changes(relay)
    assert (what, what2) == ("deny add", "deny lift") and json.loads(became["deny"])["why"] == "incident 7"
    assert became["list_sha256"] == after and became2["list_sha256"] == before and json.loads(was2["deny"])["sid"] == f"{DOMAIN}-1121"
    row = result("audit", "list", relay=relay)["changes"][0]
    assert row["who"]["uid"] == os.getuid() and row["time"].endswith("Z")
    assert "2 lines" in ctl("audit", "verify", relay=relay).stdout
    assert "denied already" in ctl("deny", "add", f"{DOMAIN}-1120", relay=relay).stderr


def test_a_change_that_cannot_be_written_down_is_not_made(directed):
    relay = directed(own=LIST)
    before = result("status", relay=relay)["list"]["sha256"]
    os.rename(f"{relay.state}/audit.jsonl", f"{relay.state}/elsewhere")
    said = ctl("servers", "add", "FS02$", "fci", relay=relay)
    assert said.returncode == 73 and "cannot be written down, so it is not made" in said.stderr
    assert result("status", relay=relay)["list"]["sha256"] == before and len(on_disk(relay)["entries"]) == 4


def test_a_change_that_fails_is_told_and_written_down_as_not_done(directed):
    relay = directed(own=LIST)
    before = result("status", relay=relay)["list"]["sha256"]
    os.mkdir(f"{relay.state}/list.json.new")  # where the new one would be written
    said = ctl("servers", "add", "FS02$", "fci", relay=relay)
    assert said.returncode == 74 and "nothing was changed" in said.stderr, said
    assert [what for what, _, _ in changes(relay)] == ["servers add", "servers add (not done)"]
    assert result("status", relay=relay)["list"]["sha256"] == before
    os.rmdir(f"{relay.state}/list.json.new")
    assert ctl("servers", "add", "FS02$", "fci", relay=relay).returncode == 0


def test_a_list_that_cannot_be_read_is_not_written_over(directed):
    relay = directed(own={})
    put_list(relay.state, "{")
    assert ctl("policy", "refresh", relay=relay).returncode == 65
    said = ctl("servers", "add", "FS02$", "fci", relay=relay)
    assert said.returncode == 69 and "list.json" in said.stderr
    assert open(f"{relay.state}/list.json", encoding="utf-8").read() == "{"


def test_of_two_changes_at_once_the_later_looks_again(directed):
    """Both looked at one list; the second would undo what it has not seen."""
    relay, go_on, asked = directed(own=LIST), threading.Event(), threading.Event()

    def slow(question):
        asked.set()
        go_on.wait(20)
        return relay.directory(question)
    relay.authd.answers = slow
    said = []
    first = threading.Thread(target=lambda: said.append(ctl("servers", "add", "FS02$", "fci", relay=relay)))
    first.start()
    assert asked.wait(10)
    assert result("servers", "remove", "sp@EXAMPLE.ORG", relay=relay)["changed"]
    go_on.set()
    first.join()
    assert said[0].returncode == 75 and "changed by somebody else meanwhile" in said[0].stderr
    assert len(result("servers", "list", relay=relay)["entries"]) == 3
    assert ctl("servers", "add", "FS02$", "fci", relay=relay).returncode == 0


# ---- import ----

def imported(relay, place, document, *more):
    path = f"{place}/import.json"
    with open(path, "w", encoding="utf-8") as out:
        json.dump(document, out) if isinstance(document, dict) else out.write(document)
    return ctl("--json", "servers", "import", path, *more, relay=relay)


NEW = {"version": 1, "entries": [LIST["entries"][0], {**LIST["entries"][1], "role": "sharepoint"},
                                 {"sid": f"{DOMAIN}-1121", "role": "fci", "added": "2026-11-24T10:00:00Z"}]}


def test_an_import_is_shown_first_and_then_done(directed, place):
    relay = directed(own=LIST)
    told = json.loads(imported(relay, place, NEW).stdout)
    rows = {(row["change"], row["role"], row["id"]) for row in told["result"]["changes"]}
    assert told["result"]["changed"] is False and rows == {
        ("changed", "sharepoint", f"{DOMAIN}-1120"), ("added", "fci", f"{DOMAIN}-1121"), ("removed", "fci", "S-1-5-21-7-8-9-1120"),
        ("removed", "sharepoint", "sp@EXAMPLE.ORG"), ("removed", "denied", f"{DOMAIN}-1120")}
    assert len(result("servers", "list", relay=relay)["entries"]) == 4 and changes(relay) == []
    told = json.loads(imported(relay, place, NEW, "--apply").stdout)
    assert told["ok"] and told["result"]["changed"] is True and len(result("servers", "list", relay=relay)["entries"]) == 3
    assert changes(relay)[0][0] == "servers import" and len(changes(relay)[0][2]["changes"]) == 5
    assert ctl("servers", "export", relay=relay).stdout == open(f"{relay.state}/list.json", encoding="utf-8").read()


@pytest.mark.parametrize("document, says", [("{", "line 1"), ({"version": 2, "entries": []}, "version"),
                                            ({"version": 1, "entries": [NEW["entries"][2], {"sid": "x", "role": "fci"}]}, "entry 2")])
def test_a_file_that_is_not_right_is_refused_whole(directed, place, document, says):
    relay = directed(own=LIST)
    told = json.loads(imported(relay, place, document, "--apply").stdout)
    assert told["exit"] == 65 and says in told["error"], told
    assert len(result("servers", "list", relay=relay)["entries"]) == 4


def test_an_import_cannot_pass_by_the_confirmation_of_super_users(directed, place):
    """C05: C12: what newly gets the role exchange is counted and confirmed, whatever the file says of its kind."""
    relay = directed(own=LIST)
    more = {"role": "exchange", "added": "2026-11-24T10:00:00Z"}
    group = {**LIST, "entries": LIST["entries"] + [{"sid": f"{DOMAIN}-1160", **more}]}
    told = json.loads(imported(relay, place, group, "--apply").stdout)
    assert told["exit"] == 65 and "2 accounts will newly use the super-user credential" in told["error"]
    assert not json.loads(imported(relay, place, group, "--apply", "--confirm-members", "3").stdout)["ok"]
    assert json.loads(imported(relay, place, group, "--apply", "--confirm-members", "2").stdout)["ok"]
    for sid, says in ((f"{DOMAIN}-1140", "distribution group"), (f"{DOMAIN}-1121", "1 entries with the role exchange are no security groups")):
        other = {**group, "entries": group["entries"] + [{"sid": sid, "kind": "group", **more}]}
        told = json.loads(imported(relay, place, other, "--apply").stdout)
        assert told["exit"] == 65 and says in told["error"], told
    assert json.loads(imported(relay, place, other, "--apply", "--force").stdout)["ok"]


def test_a_file_from_elsewhere_is_not_imported_over(directed, place):
    relay = directed()
    told = json.loads(imported(relay, place, NEW).stdout)
    assert told["ok"] and any("list.json" in sentence for sentence in told["says"])
    told = json.loads(imported(relay, place, NEW, "--apply").stdout)
    assert told["exit"] == 78 and "list.source: local" in told["mend"]
