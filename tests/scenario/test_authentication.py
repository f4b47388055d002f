"""Windows authentication as a caller sees it, with an authd that is told what to say."""

import base64
import os
import signal
import socket
import threading

import pytest

from support import soap
from support.caller import Gone
from support.fake_authd import (DOMAIN, MUTUAL, NTLM, FakeAuthd, by_name, done, entries, first_token, go_on, header,
                                kerberos, next_token, ntlm_token, post, refused, word_in)
from support.node import ROOT
from support.upstream import answer
from support.wait import eventually, never

CERTIFY = soap.CERTIFY


def offers(got):
    return [value for name, value in got.headers if name.lower() == "www-authenticate"]


def token_of(got):
    (line,) = offers(got)
    scheme, _, text = line.partition(" ")
    return scheme, base64.b64decode(text, validate=True)


# ---- no credentials ----

@pytest.mark.parametrize("ntlm, expected", [("off", ["Negotiate"]), ("winbind", ["Negotiate", "NTLM"])])
def test_without_credentials_the_schemes_are_offered_and_the_connection_is_kept(known, ntlm, expected):
    """E01"""
    relay = known(settings={"auth.ntlm": ntlm})
    with relay.caller() as caller:
        for _ in range(3):
            got = caller.ask(post())
            assert (got.status, offers(got), got.closes) == (401, expected, False)
        assert caller.ask(post(("Authorization", "Negotiate"))).status == 401
        assert caller.ask(post(kerberos("exch"))).status == 200
    assert not relay.authd.cancels and len(relay.cloud.requests) == 1


# ---- Kerberos ----

@pytest.mark.parametrize("kind", ["http", "https"])
def test_one_leg_and_the_identity_is_kept(known, kind):
    """E02 E13: the mutual token is on the cloud's own answer, once; later requests need no header."""
    relay = known(listeners=[kind])
    with relay.caller() as caller:
        got = caller.ask(post(kerberos("exch")))
        assert got.status == 200 and token_of(got) == ("Negotiate", MUTUAL)
        for _ in range(2):
            got = caller.ask(post())
            assert got.status == 200 and not offers(got)
    with relay.caller() as other:
        assert other.ask(post()).status == 401, "an identity belongs to its connection"
    assert len(relay.authd.requests) == 1 and relay.authd.requests[0].flags == (1 if kind == "https" else 0)
    assert all(request.header("Authorization") is None for request in relay.cloud.requests)
    row = relay.logged(4)[0]
    assert (row["account"], row["sid"], row["role"], row["mechanism"]) == ("CORP\\exch", f"{DOMAIN}-1001", "exchange", "kerberos")
    assert relay.metric("authentications", result="accepted") == 1
    assert relay.metric("authenticated", mechanism="kerberos") == 1


def test_the_mutual_token_is_on_answers_of_our_own(known):
    """E02: also where the request then fails."""
    relay = known()
    got = relay.ask(post(kerberos("exch"), body=soap.request_body(soap.ACQUIRE_LICENSE)))
    assert got.status == 500 and token_of(got) == ("Negotiate", MUTUAL)
    got = relay.ask(post(kerberos("guest")))
    assert got.status == 403 and token_of(got) == ("Negotiate", MUTUAL)


def test_a_big_ticket(known):
    """E11: 48,000 bytes, 64,000 in base64; the limit is 431."""
    relay = known(lambda request: done("exch", 1001))
    token = first_token(b"x" * 47_900)
    assert relay.ask(post(header(token))).status == 200
    assert relay.authd.requests[0].token == token
    assert relay.ask(post(("Authorization", "Negotiate " + "A" * 98_304))).status == 431


@pytest.mark.parametrize("value", ["Basic YTpi", "Negotiate ???", "Negotiate YWJjZA=", "Negotiate YWJjZA== YWJjZA==", "NTLM YWJjZGVmZ2hpamts",
                                   "Negotiate YWJjZGVmZ2hpamts", "Bearer x"])
def test_odd_credentials_are_refused_and_authd_never_sees_them(known, value):
    """E04: 401, and after three of them the connection ends."""
    relay = known(settings={"auth.ntlm": "winbind"})
    with relay.caller() as caller:
        for last in (False, False, True):
            got = caller.ask(post(("Authorization", value)))
            assert got.status == 401 and offers(got) == ["Negotiate", "NTLM"]
            assert got.closes == last
        caller.expect_end()
    assert not relay.authd.requests and not relay.cloud.requests
    assert relay.metric("closes", reason="logon") == 1


def test_several_authorization_headers_are_a_malformed_request(known):
    relay = known()
    got = relay.ask(post(kerberos("exch"), kerberos("share")))
    assert got.status == 400 and got.closes
    assert not relay.authd.requests


@pytest.mark.parametrize("reason", ["NO_KEY_FOR_SPN", "WRONG_KVNO", "DECRYPT_FAILED", "EXPIRED", "SKEW", "REPLAY", "NO_PAC", "PAC_BAD"])
def test_a_refused_ticket_says_why_in_the_log(known, reason):
    """E04 E10: 401, each reason with its own text, and the identity of before is forgotten."""
    relay = known(lambda request: refused(reason, "HTTP/a") if word_in(request.token) == "bad" else by_name(request))
    with relay.caller() as caller:
        assert caller.ask(post(kerberos("exch"))).status == 200
        got = caller.ask(post(kerberos("bad")))
        assert got.status == 401 and offers(got) == ["Negotiate"] and not got.closes
        assert caller.ask(post()).status == 401, "a failed one forgets the old identity"
    row = relay.logged(3)[1]
    assert row["error"] == "LOGON_FAILED" and row["authentication"] == "HTTP/a" and len(row["detail"]) > 20 and "account" not in row
    assert row["detail"] in relay.event(2000)["text"]
    assert relay.metric("authentications", result=reason.lower()) == 1
    assert relay.metric("requests", effect="final") == 1


@pytest.mark.parametrize("reason", ["ANONYMOUS", "UNTRUSTED_REALM"])
def test_anonymous_and_strange_principals(known, reason):
    """E07 J06: 401 and event 2000."""
    relay = known(lambda request: refused(reason))
    assert relay.ask(post(kerberos("x"))).status == 401
    assert "127.0.0.1" in relay.event(2000)["text"]
    assert not relay.cloud.requests


@pytest.mark.parametrize("reason", ["KEYTAB_UNUSABLE", "BUSY", "LATE", "INTERNAL"])
def test_what_is_not_the_callers_fault_is_to_be_tried_again(known, reason):
    relay = known(lambda request: refused(reason))
    with relay.caller() as caller:
        for _ in range(4):
            got = caller.ask(post(kerberos("exch")))
            assert got.status == 429 and int(got.header("Retry-After")) > 0 and not got.closes
    assert not relay.cloud.requests


@pytest.mark.parametrize("settings", [{"auth.ntlm": "anonymous"}, {"auth.anonymous": "true"}, {"auth.max_age_s": 3601}, {"auth.socket": "authd.sock"}])
def test_no_configuration_lets_anonymous_callers_in(node, cloud, settings):
    """E09"""
    relay = node(cloud(), start=False, caller=None, settings=settings)
    relay.expected_exit = 78
    relay.start(ready=False)
    assert relay.wait() == 78
    assert "auth" in relay.stderr()


# ---- NTLM ----

def ntlm_authority(request):
    """One conversation for each type 1; type 3 says who."""
    inner = request.token[request.token.index(b"NTLMSSP\0"):]
    if inner[8] == 1:
        number = 100 + int(inner[12:])
        return go_on(number, ntlm_token(2, b"challenge %d" % number))
    name, _, number = inner[12:].decode().partition(":")
    if int(number) != request.conversation:
        return refused("DECRYPT_FAILED")
    rids = {"exch": 1001, "share": 1002}
    return done(name, rids[name], mechanism=NTLM) if name in rids else refused("DECRYPT_FAILED")


def raw(kind, inside):
    return header(ntlm_token(kind, inside), "NTLM")


def under_negotiate(kind, inside):
    return header(ntlm_token(kind, inside))


def in_spnego(kind, inside):
    return header(first_token(ntlm_token(1, inside), "ntlm") if kind == 1 else next_token(ntlm_token(kind, inside)))


@pytest.mark.parametrize("wrap", [raw, under_negotiate, in_spnego])
@pytest.mark.parametrize("length", ["empty first leg", "body on each leg"])
def test_ntlm_in_three_legs(known, wrap, length):
    """E05: and the second request on the connection needs none."""
    relay = known(ntlm_authority, settings={"auth.ntlm": "winbind"})
    body = b"" if length == "empty first leg" else None
    with relay.caller() as caller:
        assert caller.ask(post()).status == 401
        got = caller.ask(post(wrap(1, b"1"), body=body))
        assert got.status == 401 and not got.closes
        scheme, token = token_of(got)
        assert scheme == ("NTLM" if wrap is raw else "Negotiate") and token.endswith(b"challenge 101")
        assert caller.ask(post(wrap(3, b"exch:101"))).status == 200
        assert caller.ask(post()).status == 200
    with relay.caller() as other:
        assert other.ask(post()).status == 401
    assert len(relay.cloud.requests) == 2
    assert relay.logged(5)[2]["mechanism"] == "ntlm"


def test_ntlm_while_it_is_off(known):
    """E05: refused cleanly, authd not asked, the cure named."""
    relay = known(ntlm_authority)
    for wrap in (raw, under_negotiate, in_spnego):
        with relay.caller() as caller:
            got = caller.ask(post(wrap(1, b"1"), body=b""))
            assert got.status == 401 and offers(got) == ["Negotiate"] and got.closes
            caller.expect_end()
    assert not relay.authd.requests
    told = relay.event(4022)["text"]
    assert "127.0.0.1" in told and "setspn -S HTTP/" in told
    assert len(relay.events(4022)) == 1, "the caller is named once"


def test_ntlm_fails_and_the_connection_ends(known):
    """E05"""
    relay = known(ntlm_authority, settings={"auth.ntlm": "winbind"})
    with relay.caller() as caller:
        caller.ask(post(raw(1, b"1"), body=b""))
        got = caller.ask(post(raw(3, b"stranger:101")))
        assert got.status == 401 and got.closes
        caller.expect_end()
    assert not relay.cloud.requests


def test_interleaved_conversations_do_not_mix(known):
    """E06: a third leg on another connection proves nothing, and neither does one out of order."""
    relay = known(ntlm_authority, settings={"auth.ntlm": "winbind"})
    with relay.caller() as one, relay.caller() as two:
        assert token_of(one.ask(post(raw(1, b"1"), body=b"")))[1].endswith(b"101")
        assert token_of(two.ask(post(raw(1, b"2"), body=b"")))[1].endswith(b"102")
        assert one.ask(post(raw(3, b"exch:101"))).status == 200
        assert two.ask(post()).status == 401, "its conversation is over now"
        assert two.ask(post(raw(3, b"share:102"))).status == 401
    with relay.caller() as three:
        assert three.ask(post(raw(3, b"exch:101"))).status == 401
    assert len(relay.cloud.requests) == 1
    eventually(lambda: relay.authd.cancels == [102])


def test_a_scheme_does_not_go_on_with_another_ones_conversation(known):
    """E06"""
    relay = known(ntlm_authority, settings={"auth.ntlm": "winbind"})
    with relay.caller() as caller:
        caller.ask(post(raw(1, b"1"), body=b""))
        assert caller.ask(post(under_negotiate(3, b"exch:101"))).status == 401
    assert not relay.cloud.requests


def test_a_caller_that_leaves_between_two_legs(known):
    """The conversation is taken back at authd."""
    relay = known(ntlm_authority, settings={"auth.ntlm": "winbind"})
    with relay.caller() as caller:
        caller.ask(post(raw(1, b"7"), body=b""))
    eventually(lambda: relay.authd.cancels == [107])


def test_a_caller_that_leaves_while_authd_thinks(known):
    """A late CONTINUE is taken back, a late DONE proves nothing."""
    release = threading.Event()

    def slow(request):
        release.wait(10)
        return ntlm_authority(request)
    relay = known(slow, settings={"auth.ntlm": "winbind"})
    with relay.caller() as caller:
        caller.send(post(raw(1, b"8"), body=b""))
        eventually(lambda: relay.authd.requests)
    eventually(lambda: relay.metric("authd_waiting") == 0)
    release.set()
    eventually(lambda: relay.authd.cancels == [108])


# ---- pipelines ----

def test_pipelined_requests_are_of_the_one_who_was_proven(known):
    """E06: each is judged when its turn comes; a new Authorization in the row changes who speaks."""
    relay = known()
    with relay.caller() as caller:
        caller.send(post(kerberos("exch")) + post() + post(kerberos("nobody")) + post() + post(kerberos("exch")) + post())
        assert [caller.answer().status for _ in range(6)] == [200, 200, 401, 401, 200, 200]
    assert len(relay.cloud.requests) == 4


# ---- bodies of unauthenticated legs ----

def test_bodies_on_unauthenticated_legs(known):
    """E12: none; the whole; announced with Expect; too long to be thrown away."""
    relay = known(settings={"limits.discard_bytes": 100_000})
    with relay.caller() as caller:
        assert caller.ask(post(body=b"")).status == 401
        assert caller.ask(post(padding=90_000)).status == 401
        assert caller.ask(post(padding=90_000, chunks=1000)).status == 401
        got = caller.ask(post(kerberos("exch"), padding=90_000))
        assert got.status == 200 and not got.interim
    with relay.caller() as caller:
        head, body = post(("Expect", "100-continue")).split(b"\r\n\r\n", 1)
        got = caller.ask(head + b"\r\n\r\n")
        assert got.status == 401 and got.interim == [] and got.closes, "never 100 before authentication"
    with relay.caller() as caller:
        head, body = post(kerberos("exch"), ("Expect", "100-continue")).split(b"\r\n\r\n", 1)
        caller.send(head + b"\r\n\r\n")
        assert caller._head().status == 100  # pylint: disable=protected-access
        caller.send(body)
        assert caller.answer().status == 200
    with relay.caller() as caller:
        got = caller.ask(post(padding=200_000), allow_cut=True)
        assert got.status == 401 and got.closes
    assert [len(request.body) > 50_000 for request in relay.cloud.requests] == [True, False]


@pytest.mark.parametrize("size", [200, 60_000, 300_000, 3_000_000])
@pytest.mark.parametrize("pieces", [None, 4000])
def test_a_body_that_comes_while_authd_thinks_arrives_whole(known, cloud, size, pieces):
    """E12: kept within bounds, the rest waits in the kernel."""
    bodies = []
    upstream = cloud(lambda connection, request: (bodies.append(request.body), connection.send(answer(body=b"<x/>"))))
    relay = known(lambda request: done("exch", 1001, delay=0.3), upstream=upstream)
    with relay.caller() as caller:
        for chunks in (None, 5000):
            data = post(kerberos("exch"), padding=size, chunks=chunks)
            if pieces:
                sender = threading.Thread(target=caller.send_pieces, args=(data, pieces))
                sender.start()
            else:
                sender = threading.Thread(target=caller.send, args=(data,))
                sender.start()
            assert caller.answer().status == 200
            sender.join()
    assert bodies == [soap.request_body(CERTIFY, padding=size)] * 2
    assert relay.metric("held_bytes") == 0


# ---- authd goes away ----

def test_while_authd_is_away_only_new_callers_wait(known):
    """G09 E15: those already proven go on, new ones get 429; it is back within a second, and events tell both."""
    relay = known()
    with relay.caller() as old:
        assert old.ask(post(kerberos("exch"))).status == 200
        relay.authd.die()
        eventually(lambda: relay.metric("authd_up") == 0)
        got = relay.ask(post(kerberos("exch")))
        assert got.status == 429 and got.header("Retry-After") and not offers(got)
        assert old.ask(post()).status == 200
        assert relay.get_stats("/readyz")[0] == 503
        assert relay.ask(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", "GET").status == 503
        relay.event(4020)
        relay.authd.start()
        eventually(lambda: relay.ask(post(kerberos("exch"))).status == 200, 1.5)
        assert relay.get_stats("/readyz")[0] == 200
        relay.event(4021)
        assert old.ask(post()).status == 200


def test_authd_dies_with_questions_open(known):
    """429 at once, and the connection is still good."""
    asked = []

    def once(request):
        asked.append(request)
        return "die" if len(asked) == 1 else by_name(request)
    relay = known(once)
    with relay.caller() as caller:
        got = caller.ask(post(kerberos("exch")))
        assert got.status == 429 and got.seconds < 2 and not got.closes
        eventually(lambda: caller.ask(post(kerberos("exch"))).status == 200)
    assert relay.logged(1)[0]["error"] == "AUTH_UNAVAILABLE"


def test_authd_dies_between_two_legs(known):
    """A conversation does not outlive the connection it was held on, though its number comes again."""
    relay = known(ntlm_authority, settings={"auth.ntlm": "winbind"})
    with relay.caller() as caller:
        caller.ask(post(raw(1, b"1"), body=b""))
        relay.authd.die()
        relay.authd.start()
        eventually(lambda: relay.metric("authd_up") == 1)
        assert caller.ask(post(raw(3, b"exch:101"))).status == 401
    assert not relay.cloud.requests


def test_authd_does_not_answer_in_time(known):
    """429 after auth.timeout_ms; a reply that comes later finds nobody."""
    relay = known(lambda request: done("exch", 1001, delay=1.5), settings={"auth.timeout_ms": 400})
    with relay.caller() as caller:
        got = caller.ask(post(kerberos("exch")))
        assert got.status == 429 and 0.3 < got.seconds < 1.4
        never(lambda: relay.cloud.requests, 1.5)
        assert caller.ask(post()).status == 401
    assert relay.authd.requests[0].wait_ms == 400
    assert relay.metric("authd_late") == 1


@pytest.mark.parametrize("noise", [b"\xff\xff\xff\xff", b"\x04\0\0\0\x09\0\0\0", b"\x0c\0\0\0\x01\0\0\0XX\1\0\7\0\0\0", b"\0\0\0\0"])
def test_an_authd_that_speaks_nonsense(known, noise):
    """Its connections (the workers' and the control thread's) are made anew, and callers are told to come again."""
    relay = known()
    first = list(relay.authd.connections)
    for one in first:
        one.sendall(noise)
    eventually(lambda: len(relay.authd.connections) >= 2 * len(first))
    eventually(lambda: relay.ask(post(kerberos("exch"))).status == 200)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_stranger_in_the_place_of_authd_is_not_believed(known):
    """Another user's process that listens at auth.socket is told nothing and asked nothing."""
    relay = known()
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(f"{relay.authd.path}.2")
        os.seteuid(65534)  # the kernel notes who listens
        try:
            stranger.listen(1000)  # who was sent away waits to be taken
        finally:
            os.seteuid(0)
        os.rename(f"{relay.authd.path}.2", relay.authd.path)
        relay.authd.die()
        assert "another user's process listens there" in relay.event(4020, seconds=20)["text"]
        assert relay.ask(post(kerberos("exch"))).status == 429
        stranger.settimeout(5)
        connection, _ = stranger.accept()
        connection.settimeout(5)
        assert connection.recv(100) == b"", "not even a greeting"
    os.unlink(relay.authd.path)
    relay.authd.start()
    eventually(lambda: relay.ask(post(kerberos("exch"))).status == 200, 10)


CHILD = """#!/usr/bin/python3
import os, sys, time
sys.path.insert(0, {tests!r})
from support.fake_authd import FakeAuthd, done
assert sys.argv[1] == "-c" and os.path.exists(sys.argv[2]) and sys.argv[3:] == ["--with-parent"]
with open({pids!r}, "a") as file:
    print(os.getpid(), file=file)
FakeAuthd({socket!r}, lambda request: done("exch", 1001))
time.sleep(120)
"""


def test_the_node_starts_authd_itself(node, cloud, tmp_path):
    """For trials: it is started again when it dies, and ends with the node."""
    program, pids, path = tmp_path / "authd", tmp_path / "pids", tmp_path / "authd.sock"
    program.write_text(CHILD.format(tests=str(ROOT / "tests"), pids=str(pids), socket=str(path)))
    program.chmod(0o755)
    (tmp_path / "list.json").write_text(entries((1001, "fci")))
    relay = node(cloud(), caller=None, settings={"auth.socket": str(path), "auth.authd_program": str(program),
                                                 "list.file": str(tmp_path / "list.json")})
    assert relay.ask(post(kerberos("exch"))).status == 200
    os.kill(int(pids.read_text()), signal.SIGKILL)
    relay.event(4025)
    eventually(lambda: len(pids.read_text().split()) == 2, 5)
    eventually(lambda: relay.ask(post(kerberos("exch"))).status == 200, 5)
    relay.stop()
    for pid in pids.read_text().split():
        assert not os.path.exists(f"/proc/{pid}")


# ---- how long an identity lasts ----

@pytest.mark.parametrize("seconds, settings", [(2, {}), (3600, {"auth.max_age_s": 2})])
def test_an_identity_ends_with_its_ticket_or_its_age(known, seconds, settings):
    """E02"""
    relay = known(lambda request: done("exch", 1001, seconds=seconds), settings=settings)
    with relay.caller() as caller:
        assert caller.ask(post(kerberos("exch"))).status == 200
        eventually(lambda: caller.ask(post()).status == 401, 4, pause=0.1)
        assert caller.ask(post(kerberos("exch"))).status == 200


# ---- things that mix callers ----

@pytest.mark.parametrize("name", ["Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-FORWARDED-PORT",
                                  "x-forwarded-ssl", "X-Real-IP"])
def test_signs_of_a_proxy_make_the_connection_per_request(known, name):
    """E06"""
    relay = known(settings={"auth.ntlm": "winbind"})
    with relay.caller() as caller:
        assert caller.ask(post(kerberos("exch"))).status == 200
        assert caller.ask(post()).status == 200
        assert caller.ask(post((name, "for=10.0.0.1"))).status == 401
        assert caller.ask(post(kerberos("exch"))).status == 200
        got = caller.ask(post())
        assert got.status == 401 and offers(got) == ["Negotiate"]
        got = caller.ask(post(raw(1, b"1"), body=b""))
        assert got.status == 401 and got.closes
    assert name in relay.event(4023)["text"]
    assert relay.metric("per_request_connections") == 1


def test_a_second_account_on_a_connection(known):
    """E06: it was served, and from then on nobody is remembered there."""
    relay = known()
    with relay.caller() as caller:
        assert caller.ask(post(kerberos("exch"))).status == 200
        assert caller.ask(post(kerberos("exch"))).status == 200
        assert caller.ask(post()).status == 200
        assert caller.ask(post(kerberos("share"))).status == 200
        assert caller.ask(post()).status == 401
    assert "second account" in relay.event(4023)["text"]


def test_a_caller_that_never_finishes_its_head_is_nobody(known):
    relay = known()
    with relay.caller() as caller:
        caller.send(post(kerberos("exch"))[:100])
        caller.end()
        with pytest.raises(Gone):
            caller.answer()
    assert not relay.authd.requests
