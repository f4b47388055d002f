"""Callers who do not say who they are: nothing is relayed for them, and one question may be answered by the node itself."""

import json
import subprocess

import pytest

from support import soap
from support.fake_authd import DOMAIN, FakeAuthd, done, kerberos

READ = {"certification": soap.LOCATIONS.path, "licensing": soap.LOCATIONS.paths[0]}


def ask(types=("LicensingService",), op=soap.LOCATIONS, headers=(), **how):
    inside = "".join(f"<ServiceLocationRequest><Type>{one}</Type></ServiceLocationRequest>" for one in types)
    body = soap.request_body(soap.LOCATIONS).replace(soap.LOCATE.encode(), f"<ServiceNames>{inside}</ServiceNames>".encode())
    return soap.request(op, body=body, headers=list(headers), **how)


@pytest.fixture
def known(node, cloud, tmp_path):
    authd = FakeAuthd(tmp_path / "authd.sock", lambda request: done("exch", 1001))
    file = tmp_path / "list.json"
    file.write_text(json.dumps({"version": 1, "entries": [{"sid": f"{DOMAIN}-1001", "role": "exchange", "added": "2026-01-01T00:00:00Z"}]}))

    def make(mode="local"):
        upstream = cloud()
        relay = node(upstream, caller=None, settings={"auth.socket": authd.path, "list.file": str(file), "auth.anonymous_locator": mode})
        relay.cloud = upstream
        return relay
    yield make
    authd.stop()
    assert not authd.problems, authd.problems


@pytest.mark.parametrize("path", READ.values(), ids=READ)
def test_service_locations_are_answered_from_settings(known, path):
    """E09: in the order asked for, with the tenant's address, on a connection that stays; the cloud hears nothing of it."""
    relay = known()
    with relay.caller() as caller:
        for types in (("LicensingService",), ("CertificationService", "ActivationService", "LicensingService")):
            got = caller.ask(ask(types, path=path))
            assert got.status == 200 and got.header("Content-Type") == "text/xml; charset=utf-8" and not got.closes
            text = got.body.decode()
            assert "FindServiceLocationsResponse" in text
            at = [text.index(f"<Type>{one}</Type>") for one in types]
            assert at == sorted(at) and f"<URL>{relay.cloud.url}/_wmcs/licensing</URL><Type>LicensingService</Type>" in text
            assert ("<URL></URL><Type>ActivationService</Type>" in text) == ("ActivationService" in types)
        assert caller.ask(soap.request(soap.CERTIFY)).status == 401
    assert not relay.cloud.requests
    row = relay.logged(3)[0]
    assert row["operation"] == "FindServiceLocations" and row["anonymous"] is True and "account" not in row


def test_known_callers_are_relayed_as_ever(known):
    """E09: only who says nothing is answered here."""
    relay = known()
    with relay.caller() as caller:
        assert caller.ask(ask(headers=[kerberos("exch")])).status == 200
        assert caller.ask(ask()).status == 200
    assert len(relay.cloud.requests) == 2 and not any("anonymous" in row for row in relay.logged(2))


@pytest.mark.parametrize("op", [op for op in soap.OPERATIONS if op.name != "FindServiceLocations"], ids=lambda op: f"{op.name}-{op.namespace}")
def test_no_other_operation(known, op):
    """E09: whatever the message says, its SOAPAction or its first child alone buys nothing."""
    relay = known()
    with relay.caller() as caller:
        assert caller.ask(soap.request(op)).status == 401
        got = caller.ask(ask(op=op, path=op.path))  # that SOAPAction over a harmless question
        assert got.status == 401
        if "server.asmx" in op.path:
            got = caller.ask(soap.request(soap.LOCATIONS, body=soap.request_body(op), path=op.path))
            assert got.status == 500 and got.is_fault and b"ServiceLocationResponse" not in got.body
    assert not relay.cloud.requests


@pytest.mark.parametrize("request_bytes, status", [
    (ask(("Nonsense",)), 500), (ask(()), 500), (ask(("LicensingService",) * 33), 500), (ask(("LicensingService",) * 32), 200),
    (ask(headers=[("Authorization", "Negotiate")]), 401), (ask(headers=[("Authorization", "Basic YTpi")]), 401),
    (soap.request(soap.LOCATIONS, body=b"<!DOCTYPE x>" + soap.request_body(soap.LOCATIONS)), 401),
    (soap.request(soap.LOCATIONS, body=soap.request_body(soap.LOCATIONS) + b" " * 17000), 413)])
def test_odd_questions(known, request_bytes, status):
    """E09"""
    relay = known()
    with relay.caller() as caller:
        got = caller.ask(request_bytes)
        assert got.status == status, got
        if status == 500:
            assert got.is_fault and b"System.InvalidOperationException" in got.body
    assert not relay.cloud.requests


def test_a_question_in_pieces(known):
    relay = known()
    with relay.caller() as caller:
        caller.send_pieces(ask(("LicensingService",) * 20), 97, 0.001)
        assert caller.answer().status == 200


def test_it_is_off_unless_it_is_switched_on(known):
    """E09"""
    relay = known("off")
    got = relay.ask(ask())
    assert got.status == 401 and got.header("WWW-Authenticate") == "Negotiate" and not relay.cloud.requests


@pytest.mark.parametrize("text, words", [
    ("auth:\n  anonymous_locator: relay\n", "must be off or local"), ("auth:\n  anonymous: true\n", "anonymous"),
    ("auth:\n  ntlm: none\n", "must be off or winbind"), ("auth:\n  required: false\n", "required"), ("auth:\n  mode: off\n", "mode"),
    ("auth:\n  socket: \"\"\n", "auth.socket"), ("auth: off\n", "auth is a section"), ("authentication: off\n", "authentication"),
    ("loopback_caller: CORP\\exch$=exchange\n", "loopback_caller"), ("list:\n  source: anybody\n", "list.source")])
def test_settings_that_try_to_let_everybody_in(connectord, tmp_path, text, words):
    """E09: they are rejected at the start, each by its name."""
    file = tmp_path / "wrong.yaml"
    file.write_text("upstream:\n  url: https://a.rms.na.aadrm.com\nlisteners:\n  - address: 127.0.0.1:1\n" + text)
    for how in (["-t"], []):
        got = subprocess.run([connectord, *how, "-c", str(file)], capture_output=True, text=True, timeout=30)
        assert got.returncode == 78 and words in got.stderr, got.stderr
