"""The source of the list of authorized servers fails: what the event says, and what callers are told meanwhile, in force and after a restart."""

import json
import os
import signal

import pytest

from support.fake_authd import DOMAIN, entries, kerberos, post
from support.wait import eventually

WELL = entries((1001, "exchange"), (1002, "sharepoint"))


def replaced(path, text):
    path.unlink()
    path.write_text(text)


def closed(path):
    path.chmod(0)


def linked(path):
    path.unlink()
    path.symlink_to(path)


def piped(path):
    path.unlink()
    os.mkfifo(path)


def directory(path):
    path.unlink()
    path.mkdir()


def large(path):
    with open(path, "r+b") as out:
        out.truncate(9 * 1024 * 1024)


def row(**changed):
    return json.dumps({"version": 1, "entries": [*json.loads(WELL)["entries"], {"sid": f"{DOMAIN}-1", "role": "exchange", "added": "2026-01-01T00:00:00Z",
                                                                               **changed}]})


BROKEN = {  # how the file is broken: what the event says
    "missing": (os.unlink, "cannot be opened: No such file or directory; put it there"),
    "not readable": (closed, "cannot be opened: Permission denied; the node's user must be allowed to read it"),
    "a link to itself": (linked, "its symbolic links lead in a circle"),
    "a directory": (directory, "is a directory"),
    "a pipe": (piped, "is no ordinary file but a pipe"),
    "empty": (lambda path: replaced(path, ""), "is an empty file: it was not written to its end"),
    "too large": (large, "has 9437184 bytes, more than the 8388608"),
    "cut": (lambda path: replaced(path, WELL[:-20]), "line 1, column"),
    "no JSON": (lambda path: replaced(path, "<html>502 Bad Gateway</html>"), "line 1, column"),
    "another version": (lambda path: replaced(path, WELL.replace('"version": 1', '"version": 9')), "the document: "),
    "a wrong role": (lambda path: replaced(path, row(role="superuser")), "entry 3: "),
    "a wrong SID": (lambda path: replaced(path, row(sid="S-1-5-21-x")), "entry 3: "),
    "an unknown key": (lambda path: replaced(path, row(rôle="exchange")), "entry 3: "),
    "the same twice": (lambda path: replaced(path, row(sid=f"{DOMAIN}-1001")), "entry "),
}


def without_rights():
    """What stands before the node so that it is as other users are: bound by the modes of files."""
    return ["setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []


def refused(relay, name):
    """In the end; 429 until it is known whether an entry is a group that no ticket shows."""
    def look():
        status = relay.ask(post(kerberos(name))).status
        assert status in (403, 429), status
        return status == 403
    return eventually(look, 10)


@pytest.mark.parametrize("how", BROKEN)
def test_each_failure_is_named_and_callers_are_served_by_the_last_good_list(known, how):
    """D03 D08 J11"""
    spoil, said = BROKEN[how]
    relay = known(wrap=without_rights())
    with relay.caller() as proven:
        assert proven.ask(post(kerberos("exch"))).status == 200
        spoil(relay.list)
        relay.signal(signal.SIGHUP)
        text = relay.event(3001)["text"]
        assert said in text and str(relay.list)[:90] in text and "stays in force up to an age of 86400 s" in text
        assert relay.event(3001)["level"] == "Error"
        assert proven.ask(post()).status == 200
    assert relay.ask(post(kerberos("share"))).status == 200
    assert refused(relay, "guest")
    seen = relay.stats()["authorized_servers"]
    assert seen["entries"] == 2 and seen["failures"] >= 1 and said in seen["problem"] and relay.get_stats("/readyz")[0] == 200
    if relay.list.is_dir():
        relay.list.rmdir()
    relay.list.unlink(missing_ok=True)
    relay.list.write_text(entries((1003, "fci")))
    relay.signal(signal.SIGHUP)
    eventually(lambda: relay.ask(post(kerberos("guest"))).status == 200)
    assert refused(relay, "exch") and not relay.stats()["authorized_servers"]["problem"]


def deferred(got):
    return got.status == 429 and int(got.header("Retry-After")) > 0


def test_callers_are_served_after_a_restart_without_the_source(known, tmp_path):
    """D04: by the list of before; who is not on it is refused as ever."""
    (tmp_path / "state").mkdir()
    relay = known(settings={"node.state_directory": str(tmp_path / "state")})
    assert relay.ask(post(kerberos("exch"))).status == 200
    relay.stop()
    relay.list.unlink()
    relay.start()
    assert relay.ask(post(kerberos("exch"))).status == 200 and refused(relay, "guest")
    assert "No such file" in relay.event(3001)["text"] and len(relay.cloud.requests) == 2


def test_beyond_its_age_callers_are_deferred_and_nobody_is_relayed(known, tmp_path):
    """D04: also those on connections that were let in before; the source comes back, and all is as it was."""
    (tmp_path / "state").mkdir()
    relay = known(settings={"node.state_directory": str(tmp_path / "state"), "list.refresh_s": 1, "list.max_age_s": 4})
    with relay.caller() as proven:
        assert proven.ask(post(kerberos("exch"))).status == 200
        relay.list.rename(tmp_path / "away.json")
        eventually(lambda: deferred(proven.ask(post())), 20, pause=0.2)
        count = len(relay.cloud.requests)
        assert deferred(proven.ask(post())) and deferred(relay.ask(post(kerberos("share")))) and deferred(relay.ask(post(kerberos("guest"))))
    relay.stop()
    relay.start(ready=False)
    eventually(lambda: relay.get_stats("/livez")[0] == 200, 20)
    eventually(lambda: deferred(relay.ask(post(kerberos("exch")))), 20)
    assert deferred(relay.ask(post(kerberos("guest"))))
    assert len(relay.cloud.requests) == count, "nobody is relayed"
    assert any("more than list.max_age_s: nobody is let in" in event["text"] for event in relay.events(3001))
    assert relay.stats()["authorized_servers"]["too_old"]
    (tmp_path / "away.json").rename(relay.list)
    eventually(lambda: relay.ask(post(kerberos("exch"))).status == 200, 20, pause=0.2)
    assert refused(relay, "guest")


def test_without_any_list_callers_are_deferred(known, tmp_path):
    """D04 J11: a node that never had one."""
    relay = known()
    relay.stop()
    relay.list.unlink()
    relay.events_file.unlink()
    relay.start(ready=False)
    text = relay.event(3001, 20)["text"]
    assert "there was no list yet, so nobody is let in" in text
    eventually(lambda: deferred(relay.ask(post(kerberos("exch")))), 20)
    assert relay.cloud.requests == []


def test_every_entry_is_named_at_each_reading_of_a_long_list(known):
    """D05: in lines of bounded length, at scheduled readings too, with denials."""
    relay = known(settings={"list.refresh_s": 1})
    accounts = [f"{DOMAIN}-{number}" for number in range(2000, 2300)]
    relay.list.write_text(json.dumps({
        "version": 1, "entries": [{"sid": sid, "role": "fci", "added": "2026-01-01T00:00:00Z", "name": "\u00e4" * 128} for sid in accounts],
        "deny": [{"sid": f"{DOMAIN}-9", "why": "left"}]}))
    eventually(lambda: relay.stats()["authorized_servers"]["entries"] == 300, 15)

    def readings():
        """Those of the long list, each with the lines that go on with it."""
        found = []
        for event in relay.events(1004):
            if "300 entries" in event["text"]:
                found.append([event["text"]])
            elif "continued: " in event["text"] and found:
                found[-1].append(event["text"])
        return found
    eventually(lambda: len(readings()) >= 4, 20, pause=0.2)
    for lines in readings()[:3]:
        assert all(sum(f"({sid})" in line for line in lines) == 1 for sid in accounts)
        assert sum(f"denied {DOMAIN}-9" in line for line in lines) == 1
        assert max(len(line.encode()) for line in lines) < 1024
    assert relay.metric("list_entries") == 300
