"""A tenant's limit of requests, as callers and the cloud see it."""

import time

import pytest

from support import soap
from support.fake_authd import kerberos
from support.upstream import answer
from support.wait import eventually

CERTIFY = soap.CERTIFY


def test_beyond_the_limit_callers_are_told_to_come_again(node, cloud):
    """H11: 429 with Retry-After, none of it reaches the service, and what is allowed flows on."""
    working = cloud()
    relay = node(working, settings={"upstream.requests_per_10s": 40})
    begun = time.monotonic()
    with relay.caller() as caller:
        answers = [caller.ask(soap.request(CERTIFY)) for _ in range(100)]
    took = time.monotonic() - begun
    refused = [got for got in answers if got.status == 429]
    assert {got.status for got in answers} == {200, 429} and len(refused) >= 100 - 40 - 4 * took
    assert all(got.header("Retry-After") == "5" for got in refused)
    assert len(working.requests) == 100 - len(refused)
    assert relay.event(4072)
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200, 5)


@pytest.mark.parametrize("nodes, most", [(1, 44), (4, 14)])
def test_nodes_share_the_limit(node, cloud, nodes, most):
    """H11"""
    working = cloud()
    relay = node(working, settings={"upstream.requests_per_10s": 40, "upstream.nodes": nodes})
    begun = time.monotonic()
    with relay.caller() as caller:
        for _ in range(80):
            caller.ask(soap.request(CERTIFY))
    assert 1 <= len(working.requests) <= most * (1 + (time.monotonic() - begun) / 10)


def test_the_service_is_left_alone_while_it_asks_for_it(node, cloud):
    """H11: its Retry-After is passed on and honoured for everybody."""
    said = [answer(429, b"slow down", headers=[("Retry-After", "2")], content_type="text/plain")]
    working = cloud(lambda connection, request: connection.send(said.pop() if said else answer(body=soap.answer_body(request.operation))))
    relay = node(working)
    assert relay.ask(soap.request(CERTIFY)).header("Retry-After") == "2"
    got = relay.ask(soap.request(CERTIFY))
    assert got.status == 429 and got.header("Retry-After") in ("1", "2") and len(working.requests) == 1
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200, 10)
    assert len(working.requests) == 2


def test_a_caller_that_asks_little_is_served_beside_one_that_asks_much(known):
    """H11: fair between callers."""
    relay = known(settings={"upstream.requests_per_10s": 300})
    with relay.caller() as much, relay.caller() as little:
        assert little.ask(soap.request(CERTIFY, headers=[kerberos("share")])).status == 200
        much.ask(soap.request(CERTIFY, headers=[kerberos("exch")]))
        statuses, end = [], time.monotonic() + 4
        refused = 0
        while time.monotonic() < end:
            for _ in range(20):
                refused += much.ask(soap.request(CERTIFY)).status == 429
            statuses.append(little.ask(soap.request(CERTIFY)).status)
            time.sleep(0.1)
    assert refused > 20, "the limit was never met"
    assert statuses.count(429) <= len(statuses) / 4, statuses
