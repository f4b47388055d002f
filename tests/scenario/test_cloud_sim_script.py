"""What scripts make the cloud stand-in do: which requests a rule takes, what is answered, when, and what goes wrong at which byte."""

import gzip
import socket
import ssl
import time

import pytest

from support import soap
from support.caller import client_context
from support.sim import base64_of, sim, sim_caller, simulator  # noqa: F401  (fixtures)
from support.wait import eventually

LICENSE = soap.ACQUIRE_LICENSE
ASK = soap.request(soap.SERVER_INFO, host="cloud.test")


# ---- which requests ----

def test_rules_match_in_order_by_operation_path_agent_and_number(sim, certs):
    sim.script({"match": {"op": "GetServerInfo", "nth": 2}, "status": 404},
               {"match": {"path": soap.SERVER_INFO.path.upper()}, "times": 1, "status": 403},
               {"match": {"user_agent": "MS Web Services"}, "status": 503})
    with sim_caller(sim, certs) as one:
        statuses = [one.ask(ASK).status for _ in range(3)]
        statuses.append(one.ask(ASK.replace(b"MS Web", b"NS Web")).status)
        statuses.append(one.ask(soap.request(LICENSE, host="cloud.test")).status)
    assert statuses == [403, 404, 503, 200, 503]
    assert [rule["used"] for rule in sim.seen()["rules"]] == [1, 1, 2]
    assert sim.seen()["rules"][0]["matched"] == 4


def test_rules_match_by_connection_and_every_nth(sim, certs):
    sim.script({"match": {"connection": 2}, "status": 503}, {"match": {"every": 2}, "status": 404})
    with sim_caller(sim, certs) as one, sim_caller(sim, certs) as two:
        assert [one.ask(ASK).status for _ in range(4)] == [200, 404, 200, 404]
        assert two.ask(ASK).status == 503


def test_appended_rules_come_last_and_an_empty_script_ends_all(sim, certs):
    sim.script({"match": {"nth": 1}, "status": 404})
    sim.script({"status": 503}, append=True)
    with sim_caller(sim, certs) as one:
        assert [one.ask(ASK).status for _ in range(2)] == [404, 503]
        sim.script()
        assert one.ask(ASK).status == 200


@pytest.mark.parametrize("document, where", [
    ("{", "line 1"), ("[]", "object"), ('{"rule":[]}', '"rule"'), ('{"rules":[{}, {"delay":1}]}', 'rule 1: "delay"'),
    ('{"rules":[{"status":"429"}]}', '"status"'), ('{"rules":[{"status":100}]}', '"status"'),
    ('{"rules":[{"match":{"op":"Acquire"}}]}', '"op"'), ('{"rules":[{"at":5}]}', '"do"'), ('{"rules":[{"do":"rst"}]}', '"do"'),
    ('{"rules":[{"at":1,"do":"explode"}]}', '"do"'), ('{"rules":[{"fault":"NoSuchException"}]}', '"fault"'),
    ('{"rules":[{"chunked":[0]}]}', '"chunked"'), ('{"rules":[{"raw":"%%%"}]}', '"raw"'), ('{"rules":[{"times":-1}]}', '"times"'),
    ('{"rules":[{"early_answer":{"then":"x"}}]}', '"then"'), ('{"connections":{"refuse":1}}', 'connections: "refuse"'),
    ('{"rules":[],"rules":[]}', "duplicate"), ('{"append":true,"connections":{}}', '"append"')])
def test_a_script_with_a_slip_is_refused_whole_and_says_where(sim, document, where):
    sim.script({"status": 404})
    status, answer = sim.ask("POST", "/script", document)
    assert status == 400 and where in answer["error"], answer
    assert len(sim.seen()["rules"]) == 1


# ---- the answer ----

def test_statuses_carry_their_headers(sim, certs):
    sim.script({"match": {"nth": 1}, "status": 429, "retry_after": 7}, {"match": {"nth": 1}, "status": 302, "location": "https://elsewhere.test/"},
               {"match": {"nth": 1}, "status": 401, "headers": ["WWW-Authenticate: Bearer", "Set-Cookie: a=b"]})
    with sim_caller(sim, certs) as one:
        answers = [one.ask(ASK) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 302, 401]
    assert answers[0].header("Retry-After") == "7" and answers[0].header("Content-Type").startswith("text/html")
    assert answers[1].header("Location") == "https://elsewhere.test/"
    assert answers[2].header("Set-Cookie") == "a=b"


@pytest.mark.parametrize("version", [11, 12])
def test_faults_have_full_names_in_the_version_of_the_request(sim, certs, version):
    sim.script({"fault": "ClusterDecommissionedException"})
    with sim_caller(sim, certs) as one:
        answer = one.ask(soap.request(LICENSE, version, host="cloud.test"))
    assert answer.status == 500
    assert b"Microsoft.RightsManagementServices.ClusterDecommissionedException" in answer.body
    assert (b"soap:Receiver" if version == 12 else b"<faultcode>soap:Server") in answer.body


def test_items_fail_inside_a_200(sim, certs):
    sim.script({"item_error": {"items": [0], "exception": "DrmacIsExcludedException"}})
    with sim_caller(sim, certs) as one:
        answer = one.ask(soap.request(LICENSE, host="cloud.test"))
    assert answer.status == 200
    assert b"Licensing.DrmacIsExcludedException</ExceptionString><batchindex>0<" in answer.body


@pytest.mark.parametrize("chunked", [True, 100, [1, 2, 3, 4000]])
def test_chunked_and_plain_answers_have_the_same_body(sim, certs, chunked):
    with sim_caller(sim, certs) as one:
        plain = one.ask(soap.request(LICENSE, host="cloud.test"))
        sim.script({"chunked": chunked})
        answer = one.ask(soap.request(LICENSE, host="cloud.test"))
    assert answer.header("Transfer-Encoding") == "chunked" and answer.body == plain.body


def test_gzip_and_until_close_keep_the_body(sim, certs):
    with sim_caller(sim, certs) as one:
        plain = one.ask(soap.request(LICENSE, host="cloud.test"))
        sim.script({"match": {"nth": 1}, "gzip": True}, {"until_close": True})
        squeezed = one.ask(soap.request(LICENSE, host="cloud.test"))
        assert squeezed.header("Content-Encoding") == "gzip" and gzip.decompress(squeezed.body) == plain.body
        one.send(soap.request(LICENSE, host="cloud.test"))
        rest, how = one.rest(5)
    assert how == "eof" and rest.endswith(plain.body) and b"Content-Length" not in rest


def test_interim_answers_come_first(sim, certs):
    sim.script({"interim": {"status": 103, "count": 3}})
    with sim_caller(sim, certs) as one:
        assert one.ask(ASK).interim == [103, 103, 103]
    sim.script({"interim": {"length": 5}})
    with sim_caller(sim, certs) as one:
        one.send(ASK)
        assert one.rest(1)[0].startswith(b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200")


def test_expect_gets_its_100(sim, certs):
    head, body = soap.request(LICENSE, host="cloud.test", headers=[("Expect", "100-continue")]).split(b"\r\n\r\n", 1)
    with sim_caller(sim, certs) as one:
        one.send(head + b"\r\n\r\n")
        eventually(lambda: one._more() and one.buffer == b"HTTP/1.1 100 Continue\r\n\r\n")  # pylint: disable=protected-access
        answer = one.ask(body)
    assert answer.status == 200 and answer.interim == [100]


def test_bodies_and_whole_answers_are_sent_as_given(sim, certs):
    odd = bytes(range(256)) * 3
    raw = b"HTTP/1.1 299 Odd\r\nX: y\r\nContent-Length: 2\r\n\r\nhi"
    sim.script({"match": {"nth": 1}, "body": base64_of(odd), "content_type": "application/octet-stream"}, {"raw": base64_of(raw)})
    with sim_caller(sim, certs) as one:
        answer = one.ask(ASK)
        assert answer.status == 200 and answer.body == odd and answer.header("Content-Type") == "application/octet-stream"
        one.send(ASK)
        assert one.rest(0.5) == (raw, "open")


# ---- time ----

def test_an_answer_waits_or_trickles(sim, certs):
    sim.script({"match": {"nth": 1}, "delay_ms": 300}, {"match": {"nth": 1}, "bytes_per_second": 20000}, {"piece_bytes": 400, "pause_ms": 100})
    with sim_caller(sim, certs) as one:
        for request in (soap.request(LICENSE, host="cloud.test"), soap.request(LICENSE, host="cloud.test"), ASK):
            begun = time.monotonic()
            assert one.ask(request).status == 200
            assert 0.09 < time.monotonic() - begun < 10


def test_a_throttle_lets_some_through(sim, certs):
    sim.script({"throttle": {"per_second": 3}, "retry_after": 1})
    with sim_caller(sim, certs) as one:
        begun = time.monotonic()
        statuses = [one.ask(ASK).status for _ in range(12)]
        took = time.monotonic() - begun
    good = statuses.count(200)
    assert statuses.count(429) == 12 - good and 3 <= good <= 3 * (int(took) + 2), statuses


# ---- misbehaviour ----

@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("do, ends", [("rst", ("rst", "cut")), ("close", ("cut",)), ("truncate", ("eof",)), ("half_close", ("eof",)),
                                      ("stall", ("open",))])
def test_the_answer_ends_at_the_byte(simulator, certs, plain, do, ends):  # noqa: F811
    sim = simulator(certificate=None if plain else "cloud")
    request = soap.request(LICENSE, host="cloud.test")
    with sim_caller(sim, certs) as one:
        one.ask(request)
    whole = sim.requests()[-1]["answer_bytes"]
    for at in (0, 1, 150, 5000, whole - 1, whole, 10**9):
        sim.script({"at": at, "do": do})
        with sim_caller(sim, certs) as one:
            one.send(request)
            got, how = one.rest(0.5 if do == "stall" else 5)
        assert len(got) == min(at, whole), at
        assert how in ends or plain and do == "close" and how == "eof", (at, how)


@pytest.mark.parametrize("do", ["garbage", "tls_garbage"])
def test_garbage_comes_instead_of_the_rest(sim, certs, do):
    sim.script({"at": 100, "do": do, "garbage": base64_of(b"\x99" * 64)})
    with sim_caller(sim, certs) as one:
        one.send(ASK)
        if do == "garbage":
            got, how = one.rest(1)
            assert len(got) == 164 and got.endswith(b"\x99" * 64) and how == "open"
        else:
            with pytest.raises(ssl.SSLError):
                one.rest(2)


@pytest.mark.parametrize("do, ends", [("rst", ("rst", "cut")), ("close", ("cut", "rst")), ("truncate", ("eof", "rst"))])
def test_the_connection_ends_at_a_byte_of_the_request(sim, certs, do, ends):
    sim.script({"at_request_byte": 10000, "do": do})
    request = soap.request(LICENSE, padding=40000, host="cloud.test")
    with sim_caller(sim, certs) as one:
        one.send(request[:9000])
        assert one.rest(0.3) == (b"", "open")
        one.try_send(request[9000:12000])
        got, how = one.rest(5)
    assert got == b"" and how in ends
    record = sim.requests()[0]
    assert not record["whole"] and not record["cut"] and record["status"] == 0
    assert sim.seen()["malformed"] == 0


def test_a_request_can_be_left_unread(sim, certs):
    sim.script({"at_request_byte": 1000, "do": "stall"})
    one = sim_caller(sim, certs)
    one.sock.settimeout(1)
    with pytest.raises((TimeoutError, socket.timeout, ssl.SSLError)):
        one.send(soap.request(LICENSE, padding=30_000_000, host="cloud.test"))
    one.reset()
    eventually(lambda: sim.seen()["cut"] == 1 and sim.seen()["connections"]["open"] == 0)


@pytest.mark.parametrize("then", ["read", "stop", "close"])
def test_an_early_answer_comes_before_the_body_is_whole(sim, certs, then):
    sim.script({"times": 1, "status": 413, "early_answer": {"after": 1000, "then": then}})
    request = soap.request(LICENSE, padding=50000, host="cloud.test")
    with sim_caller(sim, certs) as one:
        one.send(request[:20000])
        assert one.answer().status == 413
        one.try_send(request[20000:])
        if then == "read":
            assert one.ask(ASK).status == 200
        elif then == "stop":
            assert one.rest(0.5) == (b"", "open")
        else:
            one.expect_end()
    eventually(lambda: sim.seen()["connections"]["open"] == 0)
    assert sim.requests()[0]["whole"] == (then == "read")
    assert sim.seen()["malformed"] == 0


@pytest.mark.parametrize("value, least, most", [(True, 0, 0.5), (400, 0.3, 2)])
def test_a_kept_connection_is_closed_after_its_answer(sim, certs, value, least, most):
    sim.script({"close_after_answer": value})
    with sim_caller(sim, certs) as one:
        answer = one.ask(ASK)
        begun = time.monotonic()
        assert not answer.closes and one.expect_end() == "eof"
    assert least <= time.monotonic() - begun < most


def test_idle_connections_are_closed_by_time_or_on_demand(sim, certs):
    sim.script(connections={"idle_ms": 300})
    with sim_caller(sim, certs) as one:
        assert one.ask(ASK).status == 200
        time.sleep(0.1)
        assert one.ask(ASK).status == 200
        assert one.expect_end() == "eof"
    sim.script()
    for which, ends in (("idle", ("eof",)), ("idle-cut", ("cut",)), ("idle-rst", ("rst", "cut"))):
        with sim_caller(sim, certs) as one:
            one.ask(ASK)
            sim.close(which)
            assert one.expect_end() in ends


def test_connections_are_refused_limited_or_closed_at_once(sim, certs):
    sim.script(connections={"accept_then_close": 1, "accept_then_reset": 1})
    for _ in range(2):
        with pytest.raises((ConnectionError, ssl.SSLError)):
            sim_caller(sim, certs)
    with sim_caller(sim, certs) as one:
        assert one.ask(ASK).status == 200
        sim.script(connections={"limit": 1})
        with pytest.raises((ConnectionError, ssl.SSLError)):
            sim_caller(sim, certs)
        sim.script(connections={"refuse": True})
        with pytest.raises(ConnectionRefusedError):
            sim_caller(sim, certs)
        assert one.ask(ASK).status == 200
    sim.script()
    with sim_caller(sim, certs) as one:
        assert one.ask(ASK).status == 200
    assert sim.seen()["connections"]["closed_at_once"] == 3


def test_a_handshake_can_stall(sim, certs):
    sim.script(connections={"stall_handshake": 1})
    raw = socket.create_connection((sim.host, sim.port), timeout=1)
    with pytest.raises((TimeoutError, socket.timeout, ssl.SSLError)):
        client_context(certs).wrap_socket(raw, server_hostname="cloud.test")
    raw.close()
    eventually(lambda: sim.seen()["connections"]["open"] == 0)
    with sim_caller(sim, certs) as one:
        assert one.ask(ASK).status == 200


def test_requests_sent_ahead_are_answered_in_order(sim, certs):
    sim.script({"match": {"nth": 1}, "delay_ms": 200})
    with sim_caller(sim, certs) as one:
        one.send(soap.request(LICENSE, host="cloud.test") + ASK + ASK)
        assert b"AcquireLicenseResponse" in one.answer().body
        assert b"GetServerInfoResponse" in one.answer().body
        assert b"GetServerInfoResponse" in one.answer().body


def test_a_stalled_connection_tells_when_it_is_used_again(sim, certs):
    sim.script({"match": {"nth": 1}, "at": 10**9, "do": "stall"})
    with sim_caller(sim, certs) as one:
        assert one.ask(ASK).status == 200
        assert sim.seen()["connections"]["bytes_after_fault"] == 0
        one.send(ASK)
        eventually(lambda: sim.seen()["connections"]["bytes_after_fault"] > 0)
