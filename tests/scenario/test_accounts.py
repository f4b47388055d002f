"""What the node says about accounts whose identity was proven: who is let in by the list, and the events that administrators read."""

import socket

from support.fake_authd import DOMAIN, done, entries, kerberos, post, word_in
from support.wait import eventually


# ---- the list ----

def test_an_account_that_is_not_on_the_list(known):
    """E08 J07: 403 with a fault that Exchange and MSDRM know; event 2001 with account, SID and address."""
    relay = known()
    with relay.caller() as caller:
        got = caller.ask(post(kerberos("guest")))
        assert got.status == 403 and got.is_fault and b"UnauthorizedAccessException" in got.body
        assert caller.ask(post()).status == 403
        assert caller.ask(post(kerberos("exch"))).status == 200
    text = relay.event(2001)["text"]
    assert "CORP\\guest" in text and f"{DOMAIN}-1003" in text and "127.0.0.1" in text
    assert len(relay.cloud.requests) == 1
    assert relay.metric("decisions", decision="not_listed") == 1, "one decision serves many requests"


def test_a_changed_list_decides_anew_at_the_next_request(known):
    """C23 D02: on connections that are open."""
    relay = known(settings={"list.refresh_s": 1})
    with relay.caller() as exch, relay.caller() as guest:
        assert exch.ask(post(kerberos("exch"))).status == 200
        assert guest.ask(post(kerberos("guest"))).status == 403
        relay.list.write_text(entries((1003, "fci")))
        eventually(lambda: guest.ask(post()).status == 200, 10, pause=0.2)
        assert exch.ask(post()).status == 403
    assert len(relay.authd.requests) == 2


def test_groups_of_the_ticket_count(known):
    """C06"""
    relay = known(lambda request: done("member", 1500, groups=[513, 1001]))
    assert relay.ask(post(kerberos("x"))).status == 200
    assert relay.logged(1)[0]["role"] == "exchange"


# ---- events ----

def texts(relay, number):
    return [row["text"] for row in relay.events(number)]


def test_an_account_is_welcomed_once(known):
    """J03 J08 J13: 1002 and 2002 with SID, account and address, however many connections and requests there are."""
    relay = known()
    for _ in range(10):
        with relay.caller() as caller:
            for headers in ([kerberos("exch")], []):
                assert caller.ask(post(*headers)).status == 200
    assert relay.ask(post(kerberos("share"))).status == 200
    eventually(lambda: len(relay.events(1002)) == 2)
    for number in (1002, 2002):
        assert ["exch" in text for text in texts(relay, number)] == [True, False]
        assert f"CORP\\exch {DOMAIN}-1001 from 127.0.0.1" in texts(relay, number)[0]
    assert not relay.events(1003) and len(relay.events(4024)) == 1


def test_from_http_to_https_and_back(known):
    """J04 J08 G10"""
    relay = known(listeners=["http", "https"])
    for index, numbers in ((1, [1002]), (1, [1002]), (0, [1002, 2002]), (1, [1002, 1003, 2002]), (1, [1002, 1003, 2002]),
                           (0, [1002, 1003, 2002, 2002])):
        assert relay.ask(post(kerberos("exch")), index=index).status == 200
        eventually(lambda want=numbers: sorted(row["event"] for row in relay.events() if row["event"] in (1002, 1003, 2002)) == want)


def test_many_refusals_are_few_events_whose_counts_add_up(known):
    """J07: also when callers of several accounts and connections are refused."""
    relay = known()
    for _ in range(3):
        with relay.caller() as caller:
            for _ in range(100):
                assert caller.ask(post(kerberos("guest"))).status == 403
    relay.stop()
    found = texts(relay, 2001)
    assert len(found) == 2 and "299 more times" in found[1] and "CORP\\guest" in found[1]


def test_the_computer_account_of_the_node_itself_is_refused(known):
    """A14: though it is on the list; a computer of another name is not."""
    host = socket.gethostname().split(".")[0][:15]
    relay = known(lambda request: done(word_in(request.token), 1001))
    got = relay.ask(post(kerberos(f"{host.upper()}$")))
    assert got.status == 403 and got.is_fault
    assert "same host" in relay.event(2001)["text"]
    assert relay.ask(post(kerberos(f"x{host}"[:14] + "$"))).status == 200
    assert len(relay.cloud.requests) == 1
