"""The cloud's side: who it must prove to be, how its name is found, how its connections are kept and used again."""

import signal
import socket
import ssl
import threading
import time

import pytest

from support import net, soap
from support.dns import AAAA, Dns
from support.node import idle_for
from support.upstream import Upstream, answer, server_context, well
from support.wait import eventually

CERTIFY = soap.CERTIFY


def refused(relay, event, *words):
    got = relay.ask(soap.request(CERTIFY))
    assert got.status == 500 and not got.is_fault and got.header("Retry-After")
    text = relay.event(event)["text"]
    for word in words:
        assert word.lower() in text.lower(), text
    return got


# ---- who the cloud is ----

@pytest.mark.parametrize("certificate, word", [
    ("cloud-wrong-name", "mismatch"), ("cloud-unknown", "issuer"), ("cloud-expired", "expired")])
def test_a_cloud_that_cannot_prove_who_it_is_gets_no_request(cloud, node, certificate, word):
    """H01: wrong name, unknown issuer, expired: refused before a byte of a request, and said in words."""
    wrong = cloud(certificate=certificate)
    refused(node(wrong), 4003, word)
    assert not wrong.requests and not any(wrong.raw.values())


def test_the_given_bundle_decides_and_not_the_systems(certs, cloud, node):
    """H01"""
    relay = node(cloud(), settings={"upstream.ca_file": ""})
    refused(relay, 4003)
    assert node(cloud(certificate="cloud-unknown"), settings={"upstream.ca_file": certs.chain("other-ca")}).ask(soap.request(CERTIFY)).status == 200


def test_the_name_is_sent_and_verified(cloud, node):
    """H01: SNI for names, none for addresses (RFC 6066 3)."""
    named, numeric = cloud(), cloud()
    assert node(f"https://localhost:{named.port}").ask(soap.request(CERTIFY)).status == 200
    assert set(named.names) == {"localhost"}
    assert named.requests[0].header("Host") == f"localhost:{named.port}"
    assert node(numeric).ask(soap.request(CERTIFY)).status == 200
    assert set(numeric.names) <= {None}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
def test_a_cloud_with_old_tls_only_is_refused(certs, cloud, node, version):
    """G05"""
    old = cloud(tls=server_context(certs, version=version))
    refused(node(old), 4002)
    assert not old.requests


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_sessions_are_resumed(certs, cloud, node, version):
    """H07: a new connection to the same cloud costs no full handshake."""
    def once(connection, request):
        connection.send(answer(body=b"<x/>", headers=[("Connection", "close")]))
        connection.finish()
    working = cloud(once, tls=server_context(certs, version=version))
    relay = node(working)
    for _ in range(4):
        assert relay.ask(soap.request(CERTIFY)).status == 200
    assert len(working.connections) == 4
    assert working.resumed == 3
    eventually(lambda: relay.metric("upstream_handshakes_resumed") == 3)


# ---- its name ----

@pytest.fixture
def dns():
    servers = []

    def make(*arguments, **how):
        servers.append(Dns(*arguments, **how))
        return servers[-1]
    yield make
    for server in servers:
        server.stop()


def named(node, dns, cloud_port, name="cloud.test", **how):
    settings = {"upstream.dns_servers": dns.address, **how.pop("settings", {})}
    return node(f"https://{name}:{cloud_port}", settings=settings, **how)


def once(connection, request):
    """One answer for each connection."""
    connection.send(answer(body=soap.answer_body(request.operation), headers=[("Connection", "close")]))
    connection.finish()


def test_an_address_is_kept_for_its_time(cloud, node, dns):
    """H06: asked once within the time to live."""
    names = dns({"cloud.test": [("127.0.0.1", 60)]})
    relay = named(node, names, cloud(once).port)
    assert relay.ask(soap.request(CERTIFY)).status == 200
    asked = names.asked("cloud.test")
    for _ in range(5):
        assert relay.ask(soap.request(CERTIFY)).status == 200
    assert names.asked("cloud.test") == asked


def test_an_address_is_asked_again_after_its_time(cloud, node, dns):
    """H06: the least time kept is 5 s."""
    working = cloud(once)
    names = dns({"cloud.test": [("127.0.0.1", 1)]})
    relay = named(node, names, working.port)
    assert relay.ask(soap.request(CERTIFY)).status == 200
    assert relay.ask(soap.request(CERTIFY)).status == 200
    asked = names.asked("cloud.test")
    idle_for(5.5)
    assert relay.ask(soap.request(CERTIFY)).status == 200
    assert names.asked("cloud.test") == asked + 1


def test_the_next_address_is_tried_when_one_is_dead(cloud, node, dns):
    """H06"""
    working = cloud()
    names = dns({"cloud.test": [("127.0.0.2", 60), ("127.0.0.3", 60), ("127.0.0.1", 60)]})
    relay = named(node, names, working.port)
    for _ in range(3):
        assert relay.ask(soap.request(CERTIFY)).status == 200


def test_both_families_are_used(certs, node, dns):
    """H06: an IPv6 cloud, and IPv4 when the IPv6 address is dead."""
    if not net.has_ipv6():
        pytest.skip("no IPv6 here")
    with Upstream(certs, host="::1") as six:
        names = dns({"cloud.test": [("::1", 60)]})
        assert named(node, names, six.port).ask(soap.request(CERTIFY)).status == 200
        assert names.asked("cloud.test", AAAA) >= 1
    with Upstream(certs) as four:
        names = dns({"cloud.test": [("::1", 60), ("127.0.0.1", 60)]})
        assert named(node, names, four.port).ask(soap.request(CERTIFY)).status == 200


@pytest.mark.parametrize("wrong, word", [
    ({"fail": {"cloud.test": 2}}, "check the name servers"), ({"fail": {"cloud.test": 3}}, "know no such name. check upstream.url"),
    ({"silent": ["cloud.test"]}, "in time. check the name servers")])
def test_a_name_that_fails_later_is_named(cloud, node, dns, wrong, word):
    """H06 F13: the node started while the name worked; what fails then is said in words."""
    def once(connection, request):
        well(connection, request)
        connection.finish()
    working = cloud(once)
    names = dns({"cloud.test": [("127.0.0.1", 1)]})
    relay = named(node, names, working.port, settings={"upstream.connect_timeout_ms": 2000})
    assert relay.ask(soap.request(CERTIFY)).status == 200
    names.records.clear()
    names.fail.update(wrong.get("fail", {}))
    names.silent.update(wrong.get("silent", ()))
    idle_for(5.5)
    got = relay.ask(soap.request(CERTIFY))
    assert got.status == 500 and got.header("Retry-After")
    text = relay.event(4002)["text"]
    assert "cloud.test" in text and word in text.lower(), text
    names.fail.clear()
    names.silent.clear()
    names.records["cloud.test"] = [("127.0.0.1", 60)]
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200, 10, pause=0.3)
    assert relay.event(4011)


# ---- connections kept, and requests sent again ----

def test_the_pool_grows_with_what_is_in_flight_and_no_further(cloud, node):
    """H07"""
    gate = threading.Event()

    def script(connection, request):
        gate.wait(10)
        well(connection, request)
    working = cloud(script)
    relay = node(working)
    callers = [relay.caller() for _ in range(8)]
    for caller in callers:
        caller.send(soap.request(CERTIFY))
    eventually(lambda: len(working.requests) == 8)
    gate.set()
    for caller in callers:
        assert caller.answer().status == 200
    for _ in range(10):
        for caller in callers[:3]:
            assert caller.ask(soap.request(CERTIFY)).status == 200
    assert len(working.connections) == 8
    eventually(lambda: relay.metric("upstream_connections", state="idle") == 8)


def test_an_idle_connection_that_the_cloud_closed_is_dropped(cloud, node):
    """H07: noticed when it happens, so the next request does not meet it."""
    working = cloud()
    relay = node(working)
    assert relay.ask(soap.request(CERTIFY)).status == 200
    working.connections[0].sock.shutdown(socket.SHUT_RDWR)
    eventually(lambda: relay.metric("upstream_connections", state="idle") == 0)
    assert relay.ask(soap.request(CERTIFY)).status == 200
    assert len(working.requests) == 2


def test_an_idle_connection_is_retired_after_its_time(cloud, node):
    """H07"""
    working = cloud()
    relay = node(working, settings={"upstream.keep_idle_ms": 700})
    assert relay.ask(soap.request(CERTIFY)).status == 200
    eventually(lambda: working.connections[0].ended, 4)
    assert working.connections[0].ended == "eof", "retired in good order"
    assert relay.ask(soap.request(CERTIFY)).status == 200


def test_bytes_on_an_idle_connection_end_it(cloud, node):
    """H07 F16: an answer nobody asked for must not become somebody's."""
    def script(connection, request):
        well(connection, request)
        if connection.index == 0:
            connection.stall(0.3)
            connection.send(answer(body=b"poison"))
    working = cloud(script)
    relay = node(working)
    assert relay.ask(soap.request(CERTIFY)).status == 200
    eventually(lambda: working.connections[0].ended)
    got = relay.ask(soap.request(CERTIFY))
    assert got.body == soap.answer_body(CERTIFY)


def dies_when_reused(how):
    """Answers the first request of the first connection; its second meets an end instead of an answer."""
    def script(connection, request):
        if connection.index == 0 and sum(1 for r in connection.cloud.requests if r.connection == 0) == 2:
            getattr(connection, how)()
        else:
            well(connection, request)
    return script


@pytest.mark.parametrize("how", ["finish", "cut", "reset"])
@pytest.mark.parametrize("op", soap.RETRY_SAFE, ids=soap.op_id)
def test_what_only_reads_is_sent_once_more(cloud, node, op, how):
    """H07: on a new connection, when a reused one ended before any answer byte."""
    working = cloud(dies_when_reused(how))
    relay = node(working)
    with relay.caller() as caller:
        assert caller.ask(soap.request(op)).status == 200
        got = caller.ask(soap.request(op, padding=1000))
        assert (got.status, got.body) == (200, soap.answer_body(op))
    assert len(working.requests) == 3
    assert working.requests[1].body == working.requests[2].body == soap.request_body(op, padding=1000)
    assert relay.metric("upstream_retries") == 1


@pytest.mark.parametrize("how", ["finish", "cut", "reset"])
@pytest.mark.parametrize("op", soap.RETRY_NEVER, ids=soap.op_id)
def test_what_has_an_effect_is_never_sent_again(cloud, node, op, how):
    """H07 F13: the caller is told and tries again by itself."""
    working = cloud(dies_when_reused(how))
    relay = node(working)
    with relay.caller() as caller:
        assert caller.ask(soap.request(op)).status == 200
        got = caller.ask(soap.request(op))
        assert got.status == 500 and got.header("Retry-After") and not got.is_fault
        assert len(working.requests) == 2
        assert caller.ask(soap.request(op)).status == 200
    assert relay.metric("upstream_retries") == 0


def test_a_body_too_long_to_be_held_is_not_sent_again(cloud, node):
    """H07: 64 KiB at most."""
    working = cloud(dies_when_reused("reset"))
    with node(working).caller() as caller:
        assert caller.ask(soap.request(soap.TEMPLATES)).status == 200
        assert caller.ask(soap.request(soap.TEMPLATES, padding=70_000)).status == 500
    assert len(working.requests) == 2


def test_nothing_is_sent_again_once_an_answer_began(cloud, node):
    """H07"""
    def script(connection, request):
        if len(connection.cloud.requests) == 2:
            connection.send(b"HTTP/1.1 200 OK\r\nCont")
            connection.reset()
        else:
            well(connection, request)
    working = cloud(script)
    with node(working).caller() as caller:
        assert caller.ask(soap.request(soap.TEMPLATES)).status == 200
        assert caller.ask(soap.request(soap.TEMPLATES)).status == 500
    assert len(working.requests) == 2


def test_where_all_kept_connections_are_dead_the_second_try_gets_a_new_one(cloud, node):
    """H07: the front of the cloud was restarted; the pool is full of connections to what was there before."""
    together = threading.Barrier(3)

    def script(connection, request):
        if connection.index >= 3:
            well(connection, request)
        elif sum(1 for seen in connection.cloud.requests if seen.connection == connection.index) > 1:
            connection.reset()
        else:
            together.wait(10)
            well(connection, request)
    working = cloud(script)
    relay = node(working, settings={"upstream.connections": 3})
    callers = [relay.caller() for _ in range(3)]
    for caller in callers:
        caller.send(soap.request(soap.TEMPLATES))
    assert [caller.answer().status for caller in callers] == [200, 200, 200]
    for number, caller in enumerate(callers):
        assert caller.ask(soap.request(soap.TEMPLATES)).status == 200
        assert relay.metric("upstream_retries") == 1, f"request {number} after that is on the new one"
        caller.close()
    assert len(working.connections) == 4


def test_nothing_is_sent_a_third_time(cloud, node):
    """H07"""
    def script(connection, request):
        if len(connection.cloud.requests) > 1:
            connection.reset()
        else:
            well(connection, request)
    working = cloud(script)
    with node(working).caller() as caller:
        assert caller.ask(soap.request(soap.TEMPLATES)).status == 200
        assert caller.ask(soap.request(soap.TEMPLATES)).status == 500
    assert len(working.requests) == 3


def test_a_new_connection_that_dies_is_not_a_stale_one(cloud, node):
    """H07: only a reused connection may have been closed while we sent."""
    working = cloud(lambda c, r: c.reset())
    assert node(working).ask(soap.request(soap.TEMPLATES)).status == 500
    assert len(working.requests) == 1


# ---- early answers ----

@pytest.mark.parametrize("after", ["close", "keep"])
def test_an_early_answer_is_passed_on_while_the_body_still_comes(cloud, node, after):
    """H07 F22: and such a connection is not used again unless the body went up whole."""
    def on_head(connection, request):
        if request.operation is not soap.ACQUIRE_LICENSE:
            return False
        connection.send(answer(500, soap.fault_body("early"), reason="No", headers=[("Connection", "close")] if after == "close" else []))
        if after == "close":
            connection.stall(0.5)
            connection.finish()
        else:
            connection.read_body(request)
        return True
    working = cloud(on_head=on_head)
    relay = node(working)
    with relay.caller() as caller:
        data = soap.request(soap.ACQUIRE_LICENSE, padding=3_000_000)
        caller.send(data[:100_000])
        got = caller.answer()
        assert (got.status, got.body) == (500, soap.fault_body("early"))
        caller.try_send(data[100_000:])
        if not got.closes:
            assert caller.ask(soap.request(CERTIFY)).status == 200
    assert relay.ask(soap.request(CERTIFY)).status == 200
    assert [request.operation.name for request in working.requests].count("AcquireLicense") == 1


def within_one_turn(relay, *acts):
    """The node finds all of it at once, in that order, when it looks."""
    relay.signal(signal.SIGSTOP)
    try:
        for act in acts:
            idle_for(0.1)
            act()
        idle_for(0.1)
    finally:
        relay.signal(signal.SIGCONT)


@pytest.mark.parametrize("size", [1000, 30_000])
def test_an_early_answer_that_meets_more_of_the_body_is_heard(cloud, node, size):
    """H07: bytes of the body wait to be sent when it comes, but others have gone before: it is an answer, not an old one."""
    go, asked = threading.Event(), threading.Event()

    def on_head(connection, request):
        if request.operation is not soap.ACQUIRE_LICENSE:
            return False
        asked.set()
        go.wait(10)
        connection.send(answer(500, soap.fault_body("early"), reason="No"))
        connection.read_body(request)
        return True
    relay = node(cloud(on_head=on_head))
    assert relay.ask(soap.request(CERTIFY)).status == 200
    with relay.caller() as caller:
        data = soap.request(soap.ACQUIRE_LICENSE, padding=1_000_000)
        caller.send(data[:100_000])
        assert asked.wait(10)
        idle_for(0.2)
        within_one_turn(relay, lambda: caller.send(data[100_000:100_000 + size]), go.set)
        got = caller.answer()
        assert (got.status, got.body) == (500, soap.fault_body("early"))


def test_who_waits_is_not_given_a_connection_that_ends_with_the_answer_before(cloud, node):
    """H07: nothing of it was sent there, so it goes on another, whatever the operation."""
    go = threading.Event()

    def script(connection, request):
        if connection.index == 0:
            go.wait(10)
            well(connection, request)
            connection.finish()
        else:
            well(connection, request)
    working = cloud(script)
    relay = node(working, settings={"upstream.connections": 1})
    with relay.caller() as first, relay.caller() as second:
        first.send(soap.request(CERTIFY))
        eventually(lambda: working.requests)
        second.send(soap.request(soap.ACQUIRE_LICENSE))
        eventually(lambda: relay.metric("upstream_waiting") == 1)
        within_one_turn(relay, go.set)
        assert first.answer().status == 200
        assert second.answer().status == 200
    assert [request.connection for request in working.requests] == [0, 1]


def test_a_cloud_that_stops_reading_and_answers_is_heard(cloud, node):
    """H07: an answer that waits behind an unread body must not be lost to the reset that follows."""
    def on_head(connection, request):
        if request.operation is soap.ACQUIRE_LICENSE:
            connection.send(answer(413, b"too much", reason="No", headers=[("Connection", "close")]))
            connection.half_close()
            time.sleep(0.3)
            connection.sock.close()
            return True
        return False
    relay = node(cloud(on_head=on_head))
    with relay.caller() as caller:
        sender = threading.Thread(target=lambda: caller.try_send(soap.request(soap.ACQUIRE_LICENSE, padding=5_000_000)))
        sender.start()
        got = caller.answer()
        assert got.status in (413, 500)
        caller.close()
        sender.join()
    assert relay.ask(soap.request(CERTIFY)).status == 200


# ---- its own credential ----

def test_our_own_authorization_is_sent_and_never_told(tmp_path, cloud, node):
    """F10"""
    secret = tmp_path / "authorization"
    secret.write_text("Bearer c2VjcmV0LXRva2Vu\n")
    working = cloud()
    relay = node(working, credentials=[{"name": "everybody", "kind": "static", "authorization_file": str(secret)}])
    got = relay.ask(soap.request(CERTIFY, headers=[("Authorization", "Negotiate abc")]))
    assert got.status == 200
    assert working.requests[0].header("Authorization") == "Bearer c2VjcmV0LXRva2Vu"
    relay.logged()
    for text in (relay.stderr(), relay.requests_file.read_text(), relay.events_file.read_text(), *(relay.get_stats(p)[1] for p in ("/stats", "/metrics"))):
        assert "c2VjcmV0" not in text
