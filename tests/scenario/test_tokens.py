"""Tokens of a login service: fetched with a secret or a certificate, early, once for all, and what happens when they cannot be had."""

import os
import signal
import threading

import pytest

from support import soap
from support.login import Login, refusal
from support.upstream import answer
from support.wait import eventually, never

TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
CERTIFY, TEMPLATES = soap.CERTIFY, soap.TEMPLATES
ANY_BYTES = "p&a[s]s\"w'o<r>d=%+ é€".encode() + bytes([0xff, 0x01, 0x7f]) + b" "


@pytest.fixture
def signed_in(node, cloud, tmp_path):
    """signed_in(): .relay, .login, .cloud; a node with one credential of the kind oauth2-secret."""
    class Made:
        def __init__(self, script=None, login=None, row=None, start=True, secret=ANY_BYTES, **how):
            self.login = login or Login(TENANT, CLIENT, secret=secret)
            place = cloud(self.login)
            self.login.url = f"{place.url}/{TENANT}/oauth2/v2.0/token"
            self.file = tmp_path / "secret"
            self.file.write_bytes(secret)
            os.chmod(self.file, 0o600)
            self.cloud = cloud(script) if script else cloud()
            rows = [{"name": "tenant", "kind": "oauth2-secret", "tenant": TENANT, "client_id": CLIENT, "login_url": place.url,
                     **({"secret_file": str(self.file)} if not row else {}), **(row or {})}]
            self.relay = node(self.cloud, credentials=rows, start=start, **how)

        def ready(self):
            eventually(lambda: self.relay.ask(soap.request(CERTIFY)).status == 200, 10)
            return self

        def words(self):
            return [request.header("Authorization") for request in self.cloud.requests]
    return Made


def test_a_secret_of_any_bytes_gets_a_token(signed_in):
    """H08 B10 H12 H13: the secret goes to the login service only, the token to the service only, in the scheme that is configured."""
    made = signed_in(row=None).ready()
    assert made.words()[-1] == "Bearer token-1"
    for _ in range(20):
        assert made.relay.ask(soap.request(CERTIFY)).status == 200
    assert len(made.login.asked) == 1 and made.login.asked[0]["client_secret"].encode("latin-1") == ANY_BYTES


def test_a_certificate_signs_for_a_token(signed_in, certs, tmp_path):
    """H08: PS256, checked by openssl; MSOID is a setting (H13)."""
    certs.issue("app", "connector", "DNS:app.test", rsa=True, usage="clientAuth", days=10)
    row = {"kind": "oauth2-certificate", "certificate_file": certs.chain("app"), "key_file": certs.key("app"), "scheme": "MSOID"}
    made = signed_in(login=Login(TENANT, CLIENT, certificate=certs.chain("app")), row=row).ready()
    assert made.words()[-1] == "MSOID token-1"


def test_the_end_of_a_certificate_is_told_in_advance(signed_in, certs):
    """B13"""
    certs.issue("ending", "connector", "DNS:app.test", rsa=True, usage="clientAuth", days=6)
    row = {"kind": "oauth2-certificate", "certificate_file": certs.chain("ending"), "key_file": certs.key("ending")}
    made = signed_in(login=Login(TENANT, CLIENT, certificate=certs.chain("ending")), row=row)
    told = made.relay.event(4065)
    assert "ending.pem ends in 5 days" in told["text"] or "ending.pem ends in 6 days" in told["text"]


def test_a_token_is_fetched_early_and_once_for_all_workers(signed_in):
    """H09: before the one in use ends, without a request that waits for it."""
    made = signed_in(login=Login(TENANT, CLIENT, secret=ANY_BYTES, expires_in=5), settings={"node.workers": 3}).ready()
    eventually(lambda: len(made.login.given) >= 2, 10)

    def renewed():
        assert made.relay.ask(soap.request(CERTIFY)).status == 200
        return made.words()[-1] != "Bearer token-1"
    eventually(renewed)
    assert len(made.login.asked) == len(made.login.given), "each fetch gave a token that is used"


@pytest.mark.parametrize("operation", [CERTIFY, TEMPLATES])
def test_a_token_that_the_service_refuses_is_replaced_once(signed_in, operation):
    """H09: one more token, and the same request with it; a 401 never reaches the caller."""
    def script(connection, request):
        good = request.header("Authorization") == "Bearer token-2"
        connection.send(answer(body=soap.answer_body(request.operation)) if good else answer(401, b"no", headers=[("WWW-Authenticate", "Bearer")]))
    made = signed_in(script)
    eventually(lambda: made.login.given)
    got = None

    def well():
        nonlocal got
        got = made.relay.ask(soap.request(operation))
        return got.status == 200
    eventually(well)
    assert got.body == soap.answer_body(operation)
    assert made.words()[-1] == "Bearer token-2" and made.cloud.requests[-1].body == made.cloud.requests[0].body
    assert len(made.login.given) == 2 and len(made.cloud.requests) == 2


def test_newer_words_are_not_blamed_for_a_refusal_of_older_ones(signed_in):
    """H09: the token was renewed while the request was on its way with the one before: that is what the second try takes, and nobody waits for a third."""
    login = Login(TENANT, CLIENT, secret=ANY_BYTES, expires_in=5)

    def script(connection, request):
        if request.header("Authorization") == "Bearer token-1":
            eventually(lambda: len(login.given) >= 2, 15)
            login.expires_in = 3600
            connection.stall(1)  # until the workers have it
            connection.send(answer(401, b"no"))
        else:
            connection.send(answer(body=soap.answer_body(request.operation)))
    made = signed_in(script, login=login)
    eventually(lambda: login.given)
    eventually(lambda: made.relay.ask(soap.request(CERTIFY)).status == 200, 20)
    assert made.words()[-1] == "Bearer token-2", made.words()


def test_nothing_goes_out_when_the_token_ended_while_a_request_waited(signed_in):
    """H09: for a connection; it is deferred."""
    login = Login(TENANT, CLIENT, secret=ANY_BYTES, expires_in=6)
    ended, answered = threading.Event(), []

    def script(connection, request):
        if answered:
            ended.wait(20)
        answered.append(request)
        connection.send(answer(body=soap.answer_body(request.operation)))
    made = signed_in(script, login=login, settings={"upstream.connections": 1, "upstream.queue_ms": 30000}).ready()
    login.say = [(503, {"error": "down"})] * 50
    with made.relay.caller() as first, made.relay.caller() as second:
        first.send(soap.request(CERTIFY))
        eventually(lambda: len(made.cloud.requests) == 2, 10)
        second.send(soap.request(CERTIFY))
        made.relay.event(4063, 20)
        ended.set()
        assert first.answer().status == 200
        assert second.answer().status == 429
    assert len(made.cloud.requests) == 2


def test_a_service_that_refuses_every_token_is_told_and_not_hammered(signed_in):
    """H09 H10: deferred, a 500 without SOAP; at most one more token in ten seconds."""
    made = signed_in(lambda connection, request: connection.send(answer(401, b"no")))
    eventually(lambda: made.login.given)
    eventually(lambda: made.relay.ask(soap.request(CERTIFY)).status == 500)
    assert {made.relay.ask(soap.request(CERTIFY)).status for _ in range(5)} == {500}
    assert len(made.login.given) <= 2 and made.relay.event(4004)


@pytest.mark.parametrize("code, advice", [(7000215, "secret's id was copied"), (7000222, "has expired"), (53003, "conditional access blocks"),
                                          (700016, "is it the right cloud"), (50076, "second factor"), (50126, "not as a user")])
def test_a_wrong_credential_is_explained_and_not_tried_again(signed_in, code, advice):
    """B11 B12 H10: the code, what it means and how to mend it; callers are deferred."""
    login = Login(TENANT, CLIENT, secret=ANY_BYTES)
    login.say = [refusal(code)] * 50
    made = signed_in(login=login)
    told = made.relay.event(4061)["text"]
    assert f"AADSTS{code}" in told and advice in told
    got = made.relay.ask(soap.request(CERTIFY))
    assert got.status == 429 and got.header("Retry-After")
    never(lambda: len(login.asked) > 1, 2.5)
    login.say = []
    made.relay.signal(signal.SIGHUP)
    made.ready()
    assert made.relay.event(4064)


def test_a_passing_fault_is_tried_again_when_the_service_says(signed_in):
    """H11: Retry-After of the login service is honoured."""
    login = Login(TENANT, CLIENT, secret=ANY_BYTES)
    login.say, login.headers = [(429, {"error": "throttled"})], [("Retry-After", "3")]
    made = signed_in(login=login)
    made.relay.event(4062)
    never(lambda: len(login.asked) > 1, 2)
    made.ready()
    assert len(login.asked) == 2


def test_the_token_in_use_serves_on_while_no_new_one_can_be_had(signed_in):
    """H09: and when it has ended, requests are deferred and nothing reaches the service."""
    login = Login(TENANT, CLIENT, secret=ANY_BYTES, expires_in=8)
    made = signed_in(login=login).ready()
    login.say = [(503, {"error": "down"})] * 50
    made.relay.event(4062, 15)
    assert made.relay.ask(soap.request(CERTIFY)).status == 200
    made.relay.event(4063, 15)
    eventually(lambda: made.relay.ask(soap.request(CERTIFY)).status == 429)


@pytest.mark.parametrize("said", [b"", b"<html>proxy</html>", b'{"access_token": "a b", "token_type": "Bearer", "expires_in": 60}',
                                  b'{"access_token": "ab", "token_type": "mac", "expires_in": 60}', b"[" * 5000])
def test_what_is_no_token_is_never_sent(signed_in, said):
    """H10"""
    class Odd(Login):
        def __call__(self, connection, request):
            connection.send(answer(200, said, content_type="application/json"))
    made = signed_in(login=Odd(TENANT, CLIENT, secret=ANY_BYTES))
    assert "login_url" in made.relay.event(4062)["text"]
    assert made.relay.ask(soap.request(CERTIFY)).status == 429 and not made.cloud.requests


def test_secrets_and_tokens_are_in_no_output(signed_in):
    """B05"""
    secret = b"PLANTED-secret-0123456789"
    made = signed_in(login=Login(TENANT, CLIENT, secret=secret), secret=secret).ready()
    made.relay.logged()
    texts = [made.relay.stderr(), made.relay.requests_file.read_text(), made.relay.events_file.read_text(),
             *(made.relay.get_stats(path)[1] for path in ("/", "/stats", "/metrics"))]
    for text in texts:
        assert "PLANTED" not in text and "token-1" not in text


def test_a_secret_is_not_sent_over_plain_http(signed_in, tmp_path):
    """B05: to another machine."""
    made = signed_in(start=False, row={"secret_file": str(tmp_path / "secret"), "login_url": "http://login.example"})
    made.relay.expected_exit = 78
    made.relay.start(ready=False)
    made.relay.wait()
    assert "login_url must begin with https://" in made.relay.stderr(), made.relay.stderr()


def test_a_secret_that_everybody_may_read_is_refused(signed_in):
    """B04"""
    made = signed_in(start=False)
    os.chmod(made.file, 0o644)
    made.relay.expected_exit = 69
    made.relay.start(ready=False)
    made.relay.wait()
    assert "secret_file" in made.relay.stderr() and "may read" in made.relay.stderr(), made.relay.stderr()
