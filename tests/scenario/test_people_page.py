"""The page for people (/ of the statistics listener): who came, with which role and how; who was refused and why."""

import re

from support.fake_authd import DOMAIN, entries, kerberos, post
from support.wait import eventually


def page(relay):
    status, text = relay.get_stats("/")
    assert status == 200
    return text


def section(text, title):
    """The rows of the table below that heading, as texts of their cells."""
    found = re.search(rf"<h2>{title}</h2>(.*?)(?=<h2>|<p class=quiet>For programs)", text, re.S)
    if not found:
        return None
    rows = re.findall(r"<tr><td.*", found[1])
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in re.split(r"<td[^>]*>", row)[1:]] for row in rows]


def test_nobody_came_yet(known):
    text = page(known())
    assert "No authorized server has come since the start." in text and "Refused" not in text


def test_callers_are_shown_with_role_how_and_when(known):
    relay = known(listeners=["http", "https"])
    assert relay.ask(post(kerberos("share"))).status == 200
    assert relay.ask(post(kerberos("exch")), index=1).status == 200
    rows = section(page(relay), "Callers")
    assert [row[:4] for row in rows] == [[f"CORP\\exch {DOMAIN}-1001", "exchange", "Kerberos, HTTPS", "127.0.0.1"],
                                         [f"CORP\\share {DOMAIN}-1002", "sharepoint", "Kerberos, HTTP", "127.0.0.1"]], "the latest first"
    assert all(re.fullmatch(r"\d+ s ago", row[4]) for row in rows)


def test_refusals_are_shown_with_their_reason(known):
    relay = known()
    for _ in range(3):
        assert relay.ask(post(kerberos("guest"))).status == 403
    assert relay.ask(post(kerberos("nonsense"))).status == 401
    text = page(relay)
    assert section(text, "Refused callers")[0][:3] == [f"CORP\\guest {DOMAIN}-1003",
                                                       "neither the account nor a group of it is on the list of authorized servers", "3"]
    assert f"rms-connectorctl explain {DOMAIN}-1003" in text and section(text, "Callers") == []
    (times, why, helps), = section(text, "Refused tickets and logons")
    assert times == "1" and why and helps


def test_a_caller_whose_verdict_changes_moves(known):
    relay = known(settings={"list.refresh_s": 1})
    assert relay.ask(post(kerberos("guest"))).status == 403
    relay.list.write_text(entries((1003, "fci")))
    eventually(lambda: relay.ask(post(kerberos("guest"))).status == 200, 10, pause=0.2)
    text = page(relay)
    assert section(text, "Callers")[0][1] == "fci" and section(text, "Refused callers") is None


def test_more_callers_than_are_shown(known):
    def script(request):
        from support.fake_authd import done, word_in
        return done(word_in(request.token), int(word_in(request.token)[1:]))
    relay = known(script, rows=tuple((n, "fci") for n in range(2000, 2055)))
    for n in range(2000, 2055):
        assert relay.ask(post(kerberos(f"a{n}"))).status == 200
    text = page(relay)
    rows = section(text, "Callers")
    assert len(rows) == 50 and rows[0][0].startswith("CORP\\a2054") and "and 5 that came earlier" in text
