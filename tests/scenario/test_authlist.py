"""The list of authorized servers: how it comes from its file into force, and what events and statistics say of it."""

import json
import os
import signal
import subprocess
import time

import pytest

from support import soap
from support.node import ROOT, idle_for
from support.wait import eventually

EXCHANGE = {"sid": "S-1-5-21-1-2-3-1104", "role": "exchange", "name": "CORP\\Exchange Servers", "kind": "group", "added": "2026-11-22T10:00:00Z"}
FILES = {"principal": "files@EXAMPLE.ORG", "role": "fci", "added": "2026-11-22T10:00:00Z"}


def write(path, *entries):
    """As configuration management does it: beside, then renamed."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({"version": 1, "entries": list(entries)}))
    beside.rename(path)


def servers(relay):
    return relay.stats()["authorized_servers"]


def started(node, cloud, path, **settings):
    return node(cloud(), settings={"list.file": str(path), **{f"list.{name}": value for name, value in settings.items()}})


def test_every_entry_is_named_at_the_start(node, cloud, tmp_path):
    """D01 D05 J05"""
    write(tmp_path / "list.json", EXCHANGE, FILES)
    relay = started(node, cloud, tmp_path / "list.json")
    text = relay.event(1004)["text"]
    assert "exchange CORP\\Exchange Servers (S-1-5-21-1-2-3-1104)" in text and "fci files@EXAMPLE.ORG" in text
    seen = servers(relay)
    assert seen["loaded"] and seen["entries"] == 2 and seen["generation"] == 1 and seen["sha256"] in text


def test_long_lists_are_told_in_several_lines(node, cloud, tmp_path):
    """D05: no entry is left out."""
    write(tmp_path / "list.json", *({**EXCHANGE, "sid": f"S-1-5-21-1-2-3-{i}", "name": f"name {i} " + "x" * 60} for i in range(2000, 2500)))
    relay = started(node, cloud, tmp_path / "list.json")
    told = " ".join(event["text"] for event in relay.events(1004))
    assert all(f"S-1-5-21-1-2-3-{i}" in told for i in range(2000, 2500))
    assert relay.metric("events", event="1004") == 1


def test_a_changed_file_comes_into_force(node, cloud, tmp_path):
    """D02: without restart; here by the watch, long before the period ends."""
    write(tmp_path / "list.json", EXCHANGE)
    relay = started(node, cloud, tmp_path / "list.json")
    first = servers(relay)["sha256"]
    write(tmp_path / "list.json", EXCHANGE, FILES)
    eventually(lambda: servers(relay)["entries"] == 2, 15)
    assert servers(relay)["generation"] == 2 and servers(relay)["sha256"] != first
    assert relay.metric("list_entries") == 2


def test_a_broken_file_keeps_the_last_good_list(node, cloud, tmp_path):
    """D03 D08 J11"""
    write(tmp_path / "list.json", EXCHANGE)
    relay = started(node, cloud, tmp_path / "list.json")
    first = servers(relay)["sha256"]
    (tmp_path / "list.json").write_text('{"version": 1,\n "entries": [{"sid"')
    relay.signal(signal.SIGHUP)
    assert "line 2, column" in relay.event(3001)["text"]
    (tmp_path / "list.json").unlink()
    relay.signal(signal.SIGHUP)
    eventually(lambda: any("No such file" in event["text"] for event in relay.events(3001)))
    seen = servers(relay)
    assert seen["sha256"] == first and seen["failures"] >= 2 and "No such file" in seen["problem"]
    assert relay.get_stats("/readyz")[0] == 200


def test_an_empty_list_is_an_event(node, cloud, tmp_path):
    """D06 J09"""
    write(tmp_path / "list.json")
    relay = started(node, cloud, tmp_path / "list.json")
    assert relay.event(2003)["level"] == "Warning" and not relay.events(1004)
    write(tmp_path / "list.json", FILES)
    relay.signal(signal.SIGHUP)
    assert "files@EXAMPLE.ORG" in relay.event(1004)["text"]


def test_the_age_grows_until_the_next_reading(node, cloud, tmp_path):
    """D01 D05 D07: each of the readings names all of it, also when nothing has changed."""
    write(tmp_path / "list.json", EXCHANGE)
    relay = started(node, cloud, tmp_path / "list.json", refresh_s=2)
    ages = []

    def fell():
        ages.append(relay.metric("list_age_seconds"))
        return len(ages) > 1 and ages[-1] < ages[-2]
    eventually(fell, 8, pause=0.2)
    assert max(ages) > 1 and servers(relay)["generation"] == 1
    eventually(lambda: len(relay.events(1004)) >= 3, 10)
    first, *later = [event["text"] for event in relay.events(1004)]
    assert "read again, unchanged" not in first and all("read again, unchanged" in text for text in later)
    assert all(EXCHANGE["sid"] in text for text in (first, *later))


def test_a_signal_reads_it_now_and_tells_all(node, cloud, tmp_path):
    """D09"""
    write(tmp_path / "list.json", EXCHANGE)
    relay = started(node, cloud, tmp_path / "list.json")
    idle_for(0.5)
    before = len(relay.events(1004))
    relay.signal(signal.SIGHUP)
    eventually(lambda: len(relay.events(1004)) == before + 1)
    assert servers(relay)["generation"] == 1 and servers(relay)["age_s"] < 0.5


def test_without_any_list_it_is_not_ready(node, cloud, tmp_path):
    """G09: no list ever loaded."""
    relay = node(cloud(), start=False, settings={"list.file": str(tmp_path / "list.json")})
    relay.start(ready=False)
    assert "No such file" in relay.event(3001, 15)["text"]
    eventually(lambda: relay.get_stats("/readyz")[0] == 503)
    assert "never loaded" in relay.stats()["not_ready_reason"]
    write(tmp_path / "list.json", EXCHANGE)
    eventually(lambda: relay.get_stats("/readyz")[0] == 200, 15)


# ---- a restart while the source of the list is away ----

def restarted(node, cloud, tmp_path, between, ready=True, **settings):
    """A node that had a list, and was started again after `between`, which usually takes the list's file away."""
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    write(tmp_path / "list.json", EXCHANGE, FILES)
    how = {"list.file": str(tmp_path / "list.json"), "node.state_directory": str(state), **{f"list.{name}": value for name, value in settings.items()}}
    relay = node(cloud(), settings=how)
    assert servers(relay)["entries"] == 2 and not servers(relay)["from_copy"]
    relay.stop()
    relay.events_file.unlink()
    between(tmp_path)
    return relay.start(ready=ready)


def list_away(tmp_path):
    (tmp_path / "list.json").unlink()


def test_the_last_good_list_survives_a_restart(node, cloud, tmp_path):
    """D04: its source is away at the start; it is in force, and says where it comes from. When the source is back, it counts again."""
    relay = restarted(node, cloud, tmp_path, list_away)
    seen = servers(relay)
    assert seen["loaded"] and seen["from_copy"] and not seen["too_old"] and seen["entries"] == 2 and "No such file" in seen["problem"]
    assert "kept in node.state_directory" in relay.event(3001)["text"] and not relay.events(1004)
    write(tmp_path / "list.json", EXCHANGE, FILES)
    relay.signal(signal.SIGHUP)
    assert "files@EXAMPLE.ORG" in relay.event(1004)["text"]
    again = servers(relay)
    assert not again["from_copy"] and again["sha256"] == seen["sha256"] and again["generation"] == 1 and again["age_s"] < 5


def test_its_age_goes_on_over_a_restart(node, cloud, tmp_path):
    """D04: beyond list.max_age_s it decides about nobody."""
    def gone_for_a_while(path):
        list_away(path)
        idle_for(6)
    relay = restarted(node, cloud, tmp_path, gone_for_a_while, max_age_s=5, refresh_s=5)
    seen = servers(relay)
    assert seen["from_copy"] and seen["too_old"] and seen["age_s"] >= 5
    assert "nobody is let in" in relay.event(3001)["text"]


def test_a_newer_list_is_what_survives(node, cloud, tmp_path):
    """D04: what was removed from the list stays removed."""
    relay = restarted(node, cloud, tmp_path, lambda path: write(path / "list.json", EXCHANGE))
    assert servers(relay)["entries"] == 1
    relay.stop()
    list_away(tmp_path)
    relay.start()
    assert servers(relay)["from_copy"] and servers(relay)["entries"] == 1


def test_a_damaged_state_is_moved_aside(node, cloud, tmp_path):
    """One clear line, and the node goes on without what was in it; the file is kept for whoever wants to know."""
    def damaged(path):
        list_away(path)
        with open(path / "state" / "state", "r+b") as out:
            out.truncate(5000)
    relay = restarted(node, cloud, tmp_path, damaged, ready=False)
    assert "it was cut" in relay.event(4050, 15)["text"] and len(relay.events(4050)) == 1
    eventually(lambda: relay.get_stats("/readyz")[0] == 503)
    assert list((tmp_path / "state").glob("state.damaged-*"))
    write(tmp_path / "list.json", EXCHANGE)
    eventually(lambda: relay.get_stats("/readyz")[0] == 200, 45)


def put_a_link(state):
    (state / "state").symlink_to("elsewhere")


def delete_all(state):
    for file in state.iterdir():
        file.unlink()


@pytest.mark.parametrize("before, meanwhile", [(None, None), (put_a_link, None), (None, delete_all)],
                         ids=["all is well", "the store cannot be opened", "all files are deleted"])
def test_a_second_node_on_the_same_state_is_refused(node, cloud, tmp_path, before, meanwhile):
    """D04: the directory is the first one's until it ends, whatever becomes of the files in it."""
    state = tmp_path / "state"
    state.mkdir()
    settings = {"node.state_directory": str(state)}
    if before:
        before(state)
    first = node(cloud(), settings=settings)
    assert bool(before) == bool(first.events(4051))
    if meanwhile:
        meanwhile(state)
    second = node(cloud(), start=False, settings=settings)
    second.expected_exit = 69
    second.start(ready=False)
    assert second.wait() == 69
    assert "in use by another process" in second.event(4000)["text"] and len(second.events()) == 1
    first.stop()
    third = node(cloud(), settings=settings)
    assert bool(before) == bool(third.events(4051))


def test_a_directory_that_cannot_be_used_stops_nothing(node, cloud, tmp_path):
    write(tmp_path / "list.json", EXCHANGE)
    relay = node(cloud(), settings={"list.file": str(tmp_path / "list.json"), "node.state_directory": str(tmp_path / "none")})
    assert "No such file" in relay.event(4051)["text"] and servers(relay)["loaded"]


def on_mount(how, directory):
    """Wraps the node so that it sees that directory through a mount of its own."""
    return ["unshare", "-m", "sh", "-c", f'{how} && exec "$@"'.replace("HERE", str(directory)), "sh"]


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
MANY = [{**EXCHANGE, "sid": f"S-1-5-21-1-2-3-{number}", "name": "x" * 200} for number in range(2000, 3000)]


@needs_root
def test_a_full_disk_stops_nothing(node, cloud, tmp_path):
    """The list that no longer fits is in force all the same; one event, and one when it is written again."""
    state = tmp_path / "state"
    state.mkdir()
    write(tmp_path / "list.json", EXCHANGE)
    relay = node(cloud(), settings={"list.file": str(tmp_path / "list.json"), "node.state_directory": str(state)},
                 wrap=on_mount("mount -t tmpfs -o size=128k none HERE", state))
    for count in (1000, 999):
        write(tmp_path / "list.json", *MANY[:count])
        relay.signal(signal.SIGHUP)
        eventually(lambda: servers(relay)["entries"] == count)
    assert "No space left" in relay.event(4051)["text"]
    write(tmp_path / "list.json", EXCHANGE)
    relay.signal(signal.SIGHUP)
    assert relay.event(4052) and len(relay.events(4051)) == 1


@needs_root
def test_a_state_that_can_only_be_read_is_read(node, cloud, tmp_path):
    """D04"""
    relay = restarted(node, cloud, tmp_path, list_away)
    relay.stop()
    relay.events_file.unlink()
    relay.wrap = on_mount("mount --bind HERE HERE && mount -o remount,bind,ro HERE", tmp_path / "state")
    relay.start()
    assert "can be read but not written" in relay.event(4051)["text"] and servers(relay)["from_copy"]
    write(tmp_path / "list.json", EXCHANGE)
    relay.signal(signal.SIGHUP)
    eventually(lambda: servers(relay)["entries"] == 1)
    assert len(relay.events(4051)) == 1


# ---- a slow source ----

def test_a_slow_source_slows_no_request(node, cloud, tmp_path):
    """D10: opening the file takes 4 s; requests and statistics go on as before, then the new list comes into force."""
    seconds = 4
    shim, path = tmp_path / "slow.so", tmp_path / "list.json"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, ROOT / "tests/support/slow_open.c", "-ldl"], check=True)
    write(path, EXCHANGE)
    options = os.environ.get("ASAN_OPTIONS", "")
    relay = node(cloud(), settings={"list.file": str(path)},
                 env={"LD_PRELOAD": str(shim), "SLOW_OPEN_PATH": str(path), "SLOW_OPEN_S": str(seconds),
                      "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0"})
    longest = 0.0
    with relay.caller() as caller:
        assert caller.ask(soap.request(soap.CERTIFY)).status == 200
        write(path, EXCHANGE, FILES)
        relay.signal(signal.SIGHUP)
        begun = time.monotonic()
        while time.monotonic() - begun < seconds - 1:
            at = time.monotonic()
            assert caller.ask(soap.request(soap.CERTIFY)).status == 200
            assert servers(relay)["generation"] == 1
            longest = max(longest, time.monotonic() - at)
    assert longest < 1, f"a request and a look at the statistics took {longest:.2f} s"
    eventually(lambda: servers(relay)["generation"] == 2, 15)
    assert time.monotonic() - begun >= seconds
