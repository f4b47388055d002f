"""Answers the node gives by itself: their status decides whether a caller tries again or gives up, so there is a table of them."""

import re

import pytest

from support import net, soap
from support.upstream import answer
from support.wait import eventually

CERTIFY = soap.CERTIFY


def post(**how):
    return soap.request(CERTIFY, **how)


def other_action(op, action):
    return soap.request(op, without=["SOAPAction"], headers=[("SOAPAction", action)])


#        name                     request                                                     status closes effect      fault  counted as
BY_THE_REQUEST = [
    ("unknown path", post(path="/_wmcs/nothing.asmx"), 404, False, "final", False, "path_unknown"),
    ("decommission", post(path="/_wmcs/decommission/decommission.asmx"), 404, False, "final", False, "path_unknown"),
    ("unknown action", other_action(CERTIFY, '"http://microsoft.com/DRM/CertificationService/Nothing"'), 500, False, "final", True,
     "action_unknown"),
    ("action of another service", other_action(CERTIFY, f'"{soap.ACQUIRE_LICENSE.action}"'), 500, False, "final", True, "action_unknown"),
    ("action and body disagree", soap.request(soap.ACQUIRE_LICENSE, body=soap.request_body(soap.ACQUIRE_PRELICENSE)), 500, False, "final", True,
     "action_mismatch"),
    ("soap 1.2, action and body disagree", soap.request(soap.ACQUIRE_LICENSE, 12, body=soap.request_body(soap.ACQUIRE_PRELICENSE, 12)), 500,
     False, "final", True, "action_mismatch"),
    ("PUT", post(method="PUT"), 405, None, "deferred", False, "method_wrong"),
    ("DELETE", post(method="DELETE"), 405, None, "deferred", False, "method_wrong"),
    ("PROPFIND", post(method="PROPFIND"), 405, None, "deferred", False, "method_wrong"),
    ("wrong type", post(without=["Content-Type"], headers=[("Content-Type", "application/json")]), 415, None, "deferred", False,
     "type_unsupported"),
    ("no type", post(without=["Content-Type"]), 415, None, "deferred", False, "type_unsupported"),
    ("compressed", post(headers=[("Content-Encoding", "gzip")]), 415, None, "deferred", False, "type_unsupported"),
    ("unknown expectation", post(headers=[("Expect", "202-accepted")]), 417, True, "deferred", False, "expect_unknown"),
    ("malformed head", b"POST  /x HTTP/1.1\r\nHost: a\r\n\r\n", 400, True, "deferred", False, "head_malformed"),
    ("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls at a plain port\r\n\r\n", 400, True, "deferred", False, "head_malformed"),
    ("bad chunk", post(without=["Content-Length"], body=b"", headers=[("Transfer-Encoding", "chunked")]) + b"zz\r\n", 400, True, "deferred",
     False, "body_malformed"),
    ("body too large", post(headers=[], without=["Content-Length"], body=b"").replace(
        b"\r\n\r\n", b"\r\nContent-Length: 16777217\r\n\r\n"), 413, True, "deferred", False, "body_too_large"),
    ("head too large", post(headers=[("X-Long", "x" * 17000)]), 431, True, "deferred", False, "head_too_large"),
    ("head far too large", post(headers=[("Authorization", "Negotiate " + "x" * 98304)]), 431, True, "deferred", False, "head_too_large"),
]


def assert_is_ours(got, relay, upstream_names=()):
    """What every self-made answer has: a correlation id that the log knows, no name of the cloud, no cache."""
    text = got.body.decode()
    found = re.search(r"[0-9a-f]{8,32}(-[0-9a-f]{4,12}){0,4}", text)
    assert found, f"no correlation id in {text!r}"
    for name in (*upstream_names, "localhost", "127.0.0.1", "aadrm"):
        assert name not in text, f"{name} is told to the caller: {text!r}"
    eventually(lambda: any(found.group(0) in str(row.values()) for row in relay.request_log()), 6)


@pytest.mark.parametrize("name, data, status, closes, effect, fault, counted", BY_THE_REQUEST, ids=[row[0] for row in BY_THE_REQUEST])
def test_what_a_caller_did_wrong_has_its_answer(cloud, node, name, data, status, closes, effect, fault, counted):
    """F13 F05 F14 F16"""
    working = cloud()
    relay = node(working)
    with relay.caller() as caller:
        caller.send(data)
        got = caller.answer()
        assert got.status == status, got.body
        assert got.is_fault == fault
        if fault:
            assert b"Client" in got.body or b"Sender" in got.body
            assert got.header("Content-Type").startswith("application/soap+xml" if b"soap+xml" in data else "text/xml")
        if status == 405:
            assert "POST" in got.header("Allow")
        if closes is not None:
            assert got.closes == closes
        if got.closes:
            caller.expect_end()
        else:
            assert caller.ask(soap.request(CERTIFY)).status == 200, "the connection is still good"
    assert_is_ours(got, relay)
    assert relay.metric("self_made_answers", error=counted) == 1
    assert relay.metric("requests", effect=effect) == 1
    assert not [request for request in working.requests if request.target != CERTIFY.path]


def silent(connection, _request):
    connection.stall(30)


#        name                   script                                                         status counted as
BY_THE_CLOUD = [
    ("throttled", lambda c, r: c.send(answer(429, b"slow down", [("Retry-After", "17")], "Too Many")), 429, "upstream_throttled", "17"),
    ("throttled without a time", lambda c, r: c.send(answer(429, b"slow down", reason="Too Many")), 429, "upstream_throttled", None),
    ("our credential refused", lambda c, r: c.send(answer(401, b"no", [("WWW-Authenticate", "Bearer")], "Unauthorized")), 500,
     "upstream_refused_us", None),
    ("our identity forbidden", lambda c, r: c.send(answer(403, b"no", reason="Forbidden")), 500, "upstream_refused_us", None),
    ("failure as a page", lambda c, r: c.send(answer(500, b"<html>", reason="x", content_type="text/html")), 500, "upstream_error", None),
    ("failure without a type", lambda c, r: c.send(answer(500, b"oops", reason="x", content_type=None)), 500, "upstream_error", None),
    ("bad gateway", lambda c, r: c.send(answer(502, b"<html>", reason="x", content_type="text/html")), 500, "upstream_error", None),
    ("unavailable", lambda c, r: c.send(answer(503, b"<html>", reason="x", content_type="text/html")), 500, "upstream_error", None),
    ("gateway timeout", lambda c, r: c.send(answer(504, b"", reason="x", content_type="text/html")), 500, "upstream_error", None),
    ("unavailable, in xml", lambda c, r: c.send(answer(503, b"<x/>", reason="x")), 500, "upstream_error", None),
    ("redirect", lambda c, r: c.send(answer(302, b"", [("Location", "/x")], "Found")), 500, "upstream_redirect", None),
    ("closed before an answer", lambda c, r: c.finish(), 500, "upstream_lost", None),
    ("cut before an answer", lambda c, r: c.cut(), 500, "upstream_lost", None),
    ("reset before an answer", lambda c, r: c.reset(), 500, "upstream_lost", None),
    ("half a head, then the end", lambda c, r: (c.send(b"HTTP/1.1 200 OK\r\nContent-"), c.finish()), 500, None, None),
    ("not HTTP", lambda c, r: (c.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), c.stall(2)), 500, "upstream_answer_bad", None),
    ("no answer in time", silent, 500, "upstream_timeout", None),
]


@pytest.mark.parametrize("name, script, status, counted, retry_after", BY_THE_CLOUD, ids=[row[0] for row in BY_THE_CLOUD])
def test_what_the_cloud_does_is_told_as_something_to_try_again(cloud, node, name, script, status, counted, retry_after):
    """F13 H11: never 401, 403, 404 or 502-504, which make mail fail for good; never a SOAP fault."""
    failing = cloud(script)
    relay = node(failing, settings={"upstream.first_byte_ms": 700})
    with relay.caller() as caller:
        got = caller.ask(soap.request(soap.ACQUIRE_LICENSE))
        assert got.status == status and not got.is_fault
        assert got.header("Retry-After") is not None and int(got.header("Retry-After")) > 0
        if retry_after:
            assert got.header("Retry-After") == retry_after
        assert got.header("WWW-Authenticate") is None and got.header("Location") is None
        assert_is_ours(got, relay)
        assert len(failing.requests) == 1, "what is not safe to repeat was sent again"
        failing.script = lambda connection, request: connection.send(answer(body=b"<fine/>"))
        # Where the cloud asked to wait, it is left alone for that time.
        again = 429 if name == "throttled" else 200
        assert caller.ask(soap.request(soap.ACQUIRE_LICENSE)).status == again, "the caller's connection is still good"
    assert relay.metric("requests", effect="deferred") == 1 + (again == 429)
    assert relay.metric("requests", effect="final") == 0
    if counted:
        assert relay.metric("self_made_answers", error=counted) == 1


def test_a_refusal_of_the_cloud_counts_although_its_page_never_ends(cloud, node):
    """F13 H11"""
    def script(connection, _request):
        connection.send(answer(429, b"", [("Retry-After", "17"), ("Content-Length", "100")], "Too Many", length=False) + b"slow down")
        connection.stall(8)
    relay = node(cloud(script), settings={"upstream.idle_timeout_ms": 600})
    got = relay.ask(soap.request(CERTIFY))
    assert (got.status, got.header("Retry-After")) == (429, "17")


def test_a_cloud_that_is_not_there(node):
    """F13 H06: refused connections are answered as something to try again, and named in an event."""
    relay = node(f"https://127.0.0.1:{net.free_port('127.0.0.1')}")
    got = relay.ask(soap.request(CERTIFY))
    assert got.status == 500 and not got.is_fault and got.header("Retry-After")
    assert_is_ours(got, relay)
    assert relay.metric("self_made_answers", error="upstream_connect") == 1
    assert "refused" in relay.event(4002)["text"].lower()


def test_a_name_that_does_not_exist(node):
    """F13 H06"""
    relay = node("https://nowhere.invalid", settings={"upstream.dns_servers": f"127.0.0.1:{net.free_port('127.0.0.1')}",
                                                      "upstream.connect_timeout_ms": 1500}, caller=None)
    assert relay.ask(soap.request(CERTIFY)).status == 401  # the switch for loopback callers needs a loopback cloud, so nobody is let in


@pytest.mark.parametrize("op", soap.OPERATIONS[:4], ids=soap.op_id)
def test_without_the_switch_every_post_is_refused(cloud, node, op):
    """F13 A01: no caller is trusted until it is authenticated."""
    working = cloud()
    relay = node(working, caller=None)
    with relay.caller() as caller:
        for _ in range(3):
            got = caller.ask(soap.request(op))
            assert got.status == 401 and not got.closes
            assert got.header("WWW-Authenticate")
    assert not working.connections
    assert relay.metric("requests", effect="ok") == 3, "a 401 is part of the protocol"


def test_a_body_nobody_can_look_into_is_relayed_by_its_action(cloud, node):
    """F13 F14: DOCTYPE and UTF-16 are the service's business; without SOAPAction there is nothing to go by."""
    working = cloud(lambda c, r: c.send(answer(body=b"<x/>")))
    relay = node(working)
    plain = soap.request_body(CERTIFY)
    bodies = [plain.replace(b"<soap:Envelope", b'<!DOCTYPE x [<!ENTITY a "b">]><soap:Envelope'), plain.decode().encode("utf-16"), b"no xml at all",
              b"<a>" * 2000]
    with relay.caller() as caller:
        for body in bodies:
            assert caller.ask(soap.request(CERTIFY, body=body)).status == 200
            assert working.requests[-1].body == body
            got = caller.ask(soap.request(CERTIFY, body=body, without=["SOAPAction"]))
            assert got.status == 500 and got.is_fault
    assert len(working.requests) == len(bodies)


def test_a_missing_action_is_found_in_the_body(cloud, node):
    """F13: the first child of Body decides where SOAPAction is missing."""
    working = cloud(lambda c, r: c.send(answer(body=b"<x/>")))
    with node(working).caller() as caller:
        for op in soap.OPERATIONS[:8]:
            got = caller.ask(soap.request(op, without=["SOAPAction"]))
            assert got.status == 200, (op.name, got.body)
            assert working.requests[-1].target == op.path


@pytest.mark.parametrize("spelling", ['"{}"', "{}", "  \"{}\"  "])
def test_an_action_is_taken_with_or_without_quotes(cloud, node, spelling):
    """F09"""
    working = cloud(lambda c, r: c.send(answer(body=b"<x/>")))
    got = node(working).ask(soap.request(CERTIFY, without=["SOAPAction"], headers=[("SOAPAction", spelling.format(CERTIFY.action))]))
    assert got.status == 200
    assert working.requests[0].header("SOAPAction") == spelling.format(CERTIFY.action).strip()


def test_the_first_child_is_looked_for_in_16_kib_only(cloud, node):
    """F14: what is held while looking is bounded; beyond it the action alone decides."""
    working = cloud(lambda c, r: c.send(answer(body=b"<x/>")))
    relay = node(working)
    far = soap.request_body(soap.ACQUIRE_PRELICENSE).replace(b"<soap:Header>", b"<soap:Header><!--" + b"x" * 20000 + b"-->")
    with relay.caller() as caller:
        assert caller.ask(soap.request(soap.ACQUIRE_LICENSE, body=far)).status == 200
        near = far.replace(b"x" * 20000, b"x" * 10000)
        got = caller.ask(soap.request(soap.ACQUIRE_LICENSE, body=near))
        assert got.status == 500 and got.is_fault
    assert len(working.requests) == 1
