"""Bounds on what a caller may cost: time, bytes, connections. Whoever is over one hears so where he still can, and nobody else notices."""

import socket
import threading
import time

import pytest

from support import net, soap
from support.caller import RawCaller
from support.node import idle_for, sanitized
from support.upstream import answer, well
from support.wait import eventually

CERTIFY = soap.CERTIFY
SLOW = 3 if sanitized() else 1


def test_a_slow_head_is_answered_408(cloud, node):
    """F13: the time counts from its first byte, not from the last."""
    relay = node(cloud(), settings={"limits.head_timeout_ms": 1000})
    with relay.caller() as caller:
        begun = time.monotonic()
        stop = threading.Event()

        def drip():
            for byte in soap.request(CERTIFY)[:200]:
                if stop.is_set() or not caller.try_send(bytes([byte])):
                    return
                time.sleep(0.1)
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            got = caller.answer()
        finally:
            stop.set()
            thread.join()
        assert got.status == 408 and got.closes
        assert 0.9 < time.monotonic() - begun < 2.5 * SLOW
    assert relay.metric("self_made_answers", error="head_slow") == 1


def test_a_slow_body_is_answered_408(cloud, node):
    """F13 F22: and its request at the cloud is given up."""
    working = cloud()
    relay = node(working, settings={"limits.body_timeout_ms": 1000})
    with relay.caller() as caller:
        caller.send(soap.request(CERTIFY, padding=40_000)[:30_000])
        got = caller.answer()
        assert got.status == 408 and got.closes
        caller.expect_end()
    assert not working.whole
    assert relay.metric("self_made_answers", error="body_slow") == 1


def test_a_body_that_trickles_is_answered_408(cloud, node):
    """F13: after its grace a body must have come at the least rate."""
    relay = node(cloud(), settings={"limits.body_grace_ms": 600, "limits.body_min_bytes_s": 10_000})
    with relay.caller() as caller:
        data = soap.request(CERTIFY, padding=50_000)
        caller.send(data[:1000])
        end = time.monotonic() + 8
        while time.monotonic() < end and caller.try_send(data[1000:1010]):
            time.sleep(0.1)
            caller.sock.setblocking(False)
            try:
                if caller.sock.recv(1, socket.MSG_PEEK):
                    break
            except BlockingIOError:
                pass
            finally:
                caller.sock.settimeout(10)
        assert caller.answer().status == 408


def test_a_body_at_a_good_pace_is_not_slow(cloud, node):
    """F13"""
    relay = node(cloud(), settings={"limits.body_grace_ms": 300, "limits.body_min_bytes_s": 1000})
    with relay.caller() as caller:
        caller.send_pieces(soap.request(CERTIFY, padding=20_000), 2000, delay=0.1)
        assert caller.answer().status == 200


@pytest.mark.parametrize("chunks", [None, 4096], ids=["length", "chunked"])
def test_the_largest_body_passes_and_one_byte_more_does_not(cloud, node, chunks):
    """F14: 413, and what was on its way to the cloud never looks complete."""
    working = cloud()
    limit = 100_000
    relay = node(working, settings={"limits.request_body_bytes": limit})
    exact = soap.request_body(CERTIFY, padding=limit - len(soap.request_body(CERTIFY)))
    assert len(exact) == limit
    assert relay.ask(soap.request(CERTIFY, body=exact, chunks=chunks)).status == 200
    with relay.caller() as caller:
        caller.try_send(soap.request(CERTIFY, body=exact + b" ", chunks=chunks))
        got = caller.answer()
        assert got.status == 413 and got.closes
        caller.expect_end()
    assert [len(request.body) for request in working.whole] == [limit]
    assert relay.metric("self_made_answers", error="body_too_large") == 1
    assert relay.event(4006)


def test_a_body_for_nobody_has_no_limit_but_its_own(cloud, node):
    """F14 F05: what is thrown away behind a refusal is not measured against the limit of requests, and is for no service that could be named."""
    relay = node(cloud(), settings={"limits.request_body_bytes": 1024})
    for path, method, status in (("/nothing", "POST", 404), ("/livez", "POST", 405), ("/livez", "GET", 200)):
        with relay.caller() as caller:
            got = caller.ask(soap.request(CERTIFY, path=path, method=method, body=b"x" * 20_000, chunks=4096))
            assert got.status == status
            assert caller.ask(soap.request(CERTIFY)).status == 200, "the connection is still in step"
    assert not relay.events(4006)


def test_413_is_heard_by_a_caller_that_sends_first_and_reads_later(cloud, node):
    """F14: what it still sends is read and thrown away for a while, or a reset would eat the answer."""
    relay = node(cloud(), settings={"limits.request_body_bytes": 10_000})
    with relay.caller() as caller:
        caller.send(soap.request(CERTIFY, padding=500_000))
        idle_for(0.3)
        assert caller.answer().status == 413


def test_the_default_limit_is_16_mib(cloud, node):
    """F14"""
    working = cloud()
    relay = node(working)
    size = (16 << 20) - len(soap.request_body(CERTIFY))
    assert relay.ask(soap.request(CERTIFY, padding=size), timeout=60).status == 200
    with relay.caller() as caller:
        caller.send(soap.request(CERTIFY, body=b"").replace(b"Content-Length: 0", b"Content-Length: 16777217"))
        assert caller.answer().status == 413
    assert len(working.requests) == 1


@pytest.mark.parametrize("headers, status", [
    ([("Authorization", "Negotiate " + "x" * 64_000)], 200),
    ([("Authorization", "Negotiate " + "x" * 64_000), ("X-Rest", "y" * 15_000)], 200),
    ([("X-Rest", "y" * 15_500)], 200),
    ([("X-Rest", "y" * 16_500)], 431),
    ([("Authorization", "Negotiate " + "x" * 98_304)], 431),
    ([(f"X-{i}", "y") for i in range(80)], 200),
    ([(f"X-{i}", "y") for i in range(120)], 431),
], ids=["64 KB of Authorization", "and 15 KB of others", "15.5 KB of others", "16.5 KB of others", "96 KB of Authorization", "80 lines", "120 lines"])
def test_heads_are_bounded_and_authorization_may_be_long(cloud, node, headers, status):
    """F13 F16"""
    relay = node(cloud())
    with relay.caller() as caller:
        caller.try_send(soap.request(CERTIFY, headers=headers))
        got = caller.answer()
        assert got.status == status and got.closes == (status != 200)


def test_an_idle_connection_is_closed_in_silence(cloud, node):
    """F13: between requests there is nothing to answer."""
    relay = node(cloud(), settings={"limits.keep_alive_ms": 700})
    with relay.caller() as caller, relay.caller() as fresh:
        assert caller.ask(soap.request(CERTIFY)).status == 200
        caller.expect_end(4 * SLOW)
        fresh.expect_end(4 * SLOW)
    assert relay.metric("self_made_answers") == 0


def test_a_caller_that_does_not_read_is_let_go(cloud, node):
    """F13 F22: and so is its connection to the cloud."""
    def script(connection, request):
        if request.operation is soap.ACQUIRE_LICENSE:
            connection.send(answer(headers=[("Content-Length", str(200 << 20))], length=False))
            while connection.open:
                connection.send(bytes(65536))
        else:
            well(connection, request)
    relay = node(cloud(script), settings={"limits.client_write_ms": 800})
    with relay.caller(receive_bytes=4096) as caller:
        caller.send(soap.request(soap.ACQUIRE_LICENSE))
        eventually(lambda: relay.metric("failures", error="caller_slow") == 1, 6 * SLOW)
        assert relay.ask(soap.request(CERTIFY)).status == 200
    eventually(lambda: relay.metric("exchanges_open") == 0)
    eventually(lambda: relay.metric("held_bytes") == 0)


@pytest.mark.parametrize("kind", ["http", "https"])
def test_more_connections_than_the_limit(cloud, node, kind):
    """F13: while all are busy a new one is answered 429 and closed; those within the limit keep working, and places become free again."""
    go = threading.Event()
    slow = cloud(lambda c, r: go.wait(10) and well(c, r))
    relay = node(slow, settings={"limits.connections": 20}, listeners=[kind])
    callers = [relay.caller() for _ in range(20)]
    for caller in callers:
        caller.send(soap.request(CERTIFY))
    eventually(lambda: len(slow.requests) == 20)
    with relay.caller() as extra:
        got, how = extra.rest(3)
        assert got.startswith(b"HTTP/1.1 429 ") and how in ("eof", "rst")
    assert relay.metric("client_connections_refused") == 1
    assert relay.event(4007)
    go.set()
    for caller in callers:
        assert caller.answer().status == 200
        caller.close()
    eventually(lambda: relay.metric("client_connections_open") == 0)
    assert relay.ask(soap.request(CERTIFY)).status == 200


@pytest.mark.parametrize("kind", ["http", "https"])
def test_beyond_the_limit_descriptors_are_bounded_too(cloud, node, kind):
    """F13: who is turned away hears why, with an id that the log knows, and does not hold a descriptor for long."""
    go = threading.Event()
    slow = cloud(lambda c, r: go.wait(20) and well(c, r))
    relay = node(slow, settings={"limits.connections": 20, "limits.linger_ms": 30000}, listeners=[kind])
    callers = [relay.caller() for _ in range(20)]
    for caller in callers:
        caller.send(soap.request(CERTIFY))
    eventually(lambda: len(slow.requests) == 20)
    before = relay.open_descriptors()
    extra = [relay.caller() for _ in range(60)]
    told = [caller.answer() for caller in extra]
    assert all(got.status == 429 and got.closes and got.header("Retry-After") for got in told)
    assert relay.open_descriptors() <= before + 10
    assert relay.metric("client_connections_refused") == 60
    assert relay.metric("requests", effect="deferred") == 60 == relay.metric("self_made_answers", error="overload")
    ids = {line["id"] for line in relay.logged(60)}
    assert {got.header("X-Correlation-Id") for got in told} <= ids
    go.set()
    for caller in callers:
        assert caller.answer().status == 200
    idle = [relay.caller() for _ in range(60)]  # each takes the place of one that is idle
    eventually(lambda: relay.metric("client_connections") == 140)
    assert relay.open_descriptors() <= before + 10
    for caller in callers + extra + idle:
        caller.close()


def test_at_the_limit_callers_wait_behind_handshakes_that_do_not_end(cloud, node):
    """F13: those that cannot be told 429 yet are few; who comes behind them is neither refused nor reset, and served when there is room."""
    go = threading.Event()
    slow = cloud(lambda c, r: go.wait(20) and well(c, r))
    relay = node(slow, settings={"limits.connections": 20, "limits.head_timeout_ms": 60000}, listeners=["https"])
    callers = [relay.caller() for _ in range(20)]
    for caller in callers:
        caller.send(soap.request(CERTIFY))
    eventually(lambda: len(slow.requests) == 20)
    before = relay.open_descriptors()
    silent = [socket.create_connection((net.HOST, relay.port)) for _ in range(12)]
    eventually(lambda: relay.metric("client_connections") == 28)
    assert relay.open_descriptors() <= before + 10
    served = []

    def late():
        with relay.caller(timeout=20) as caller:
            served.append(caller.ask(soap.request(CERTIFY)).status)
    thread = threading.Thread(target=late)
    thread.start()
    go.set()
    for caller in callers:
        assert caller.answer().status == 200
    thread.join(20)
    assert served == [200]
    for one in callers + silent:
        one.close()


def test_at_the_limit_an_idle_connection_makes_room(cloud, node):
    """F13: callers that keep connections without using them do not lock others out."""
    relay = node(cloud(), settings={"limits.connections": 20})
    callers = [relay.caller() for _ in range(20)]
    for caller in callers:
        assert caller.ask(soap.request(CERTIFY)).status == 200
    assert relay.ask(soap.request(CERTIFY)).status == 200
    ended = [caller for caller in callers if caller.rest(0.05)[1] != "open"]
    assert len(ended) == 1 and relay.metric("client_connections_refused") == 0
    for caller in callers:
        caller.close()


@pytest.mark.threaded
def test_more_requests_than_the_cloud_takes_are_answered_429(cloud, node):
    """F13: the pool, then its queue, then 429; and it recovers by itself."""
    go = threading.Event()

    def script(connection, request):
        go.wait(20)
        well(connection, request)
    relay = node(cloud(script), settings={"upstream.connections": 2, "upstream.queue": 3, "upstream.queue_ms": 20000})
    callers = [relay.caller() for _ in range(10)]
    for number, caller in enumerate(callers):
        caller.send(soap.request(CERTIFY))
        if number < 5:
            eventually(lambda n=number: relay.metric("exchanges_open") == n + 1)
    for caller in callers[5:]:
        got = caller.answer()
        assert got.status == 429 and got.header("Retry-After") == "5" and not got.closes
    assert relay.metric("self_made_answers", error="upstream_busy") == 5
    eventually(lambda: relay.metric("upstream_waiting") == 3)
    go.set()
    for caller in callers[:5]:
        assert caller.answer().status == 200
    for caller in callers:
        assert caller.ask(soap.request(CERTIFY)).status == 200
        caller.close()


def test_waiting_in_the_queue_has_an_end(cloud, node):
    """F13 F22"""
    slow = cloud(lambda c, r: c.stall(3) or well(c, r))
    relay = node(slow, settings={"upstream.connections": 1, "upstream.queue_ms": 500})
    with relay.caller() as first, relay.caller() as second:
        first.send(soap.request(CERTIFY))
        eventually(lambda: slow.requests)
        got = second.ask(soap.request(CERTIFY))
        assert got.status == 429 and got.header("Retry-After")
        assert got.seconds < 2 * SLOW
        assert first.answer().status == 200


def test_a_caller_that_leaves_the_queue_is_not_sent_to_the_cloud(cloud, node):
    """F22"""
    go = threading.Event()
    slow = cloud(lambda c, r: go.wait(10) and well(c, r))
    relay = node(slow, settings={"upstream.connections": 1})
    with relay.caller() as first:
        first.send(soap.request(CERTIFY))
        eventually(lambda: slow.requests)
        second = relay.caller()
        second.send(soap.request(soap.ACQUIRE_LICENSE))
        eventually(lambda: relay.metric("upstream_waiting") == 1)
        second.close()
        eventually(lambda: relay.metric("upstream_waiting") == 0)
        go.set()
        assert first.answer().status == 200
    assert [request.operation for request in slow.requests] == [CERTIFY]


def test_unfinished_heads_are_shed_oldest_first(cloud, node):
    """F13: memory for heads that never end is bounded."""
    relay = node(cloud(), settings={"limits.unfinished_heads_bytes": 98304, "limits.head_timeout_ms": 60000})
    part = b"POST /x HTTP/1.1\r\nHost: a\r\nAuthorization: Negotiate " + b"x" * 20000
    callers = []
    for _ in range(12):
        callers.append(relay.caller())
        callers[-1].send(part)
        idle_for(0.03)
    eventually(lambda: relay.metric("unfinished_heads_shed") >= 7)
    eventually(lambda: relay.metric("unfinished_head_bytes") <= 98304 + 32768)
    assert relay.ask(soap.request(CERTIFY)).status == 200
    got, how = callers[0].rest(3)
    assert how in ("eof", "rst") and (got == b"" or got.startswith(b"HTTP/1.1 4"))
    callers[-1].send(b"\r\n\r\n")
    assert callers[-1].answer().status in (404, 405), "the newest is still there"
    for caller in callers:
        caller.close()
    eventually(lambda: relay.metric("unfinished_head_bytes") == 0)


def test_half_bodies_are_bounded_in_bytes(cloud, node):
    """F13: when they come and not only when the next request does: the oldest are shed, and a good caller is served."""
    relay = node(cloud(), settings={"limits.held_bytes": 1 << 20})
    data = soap.request(CERTIFY, padding=62_000)[:-100]
    callers = [relay.caller() for _ in range(40)]
    for caller in callers:
        caller.send(data)
    eventually(lambda: relay.metric("closes", reason="full") >= 20)
    assert relay.metric("held_bytes") <= 1 << 20
    callers[-1].send(b"x" * 100)
    assert callers[-1].answer().status == 200, "the newest is still there"
    assert relay.ask(soap.request(CERTIFY)).status == 200
    for caller in callers:
        caller.close()
    eventually(lambda: relay.metric("held_bytes") == 0)


def test_answers_that_nobody_reads_are_bounded_in_bytes(cloud, node):
    """F13: of all callers together: who has read nothing for longest is let go, and a good caller is served."""
    def script(connection, request):
        if request.operation is soap.ACQUIRE_LICENSE:
            connection.send(answer(headers=[("Content-Length", str(200 << 20))], length=False))
            while connection.open:
                connection.send(bytes(65536))
        else:
            well(connection, request)
    relay = node(cloud(script), settings={"limits.held_bytes": 1 << 20})
    callers = []
    for number in range(16):
        callers.append(relay.caller(receive_bytes=4096))
        callers[-1].send(soap.request(soap.ACQUIRE_LICENSE))
        eventually(lambda n=number: relay.metric("upstream_connections", state="leased") + relay.metric("closes", reason="full") == n + 1)
    eventually(lambda: relay.metric("failures", error="caller_slow") >= 4, 10)
    eventually(lambda: 0 < relay.metric("unsent_bytes") <= 1 << 20, 5)
    assert relay.ask(soap.request(CERTIFY)).status == 200
    for caller in callers:
        caller.close()
    eventually(lambda: relay.metric("exchanges_open") == 0)
    eventually(lambda: relay.metric("unsent_bytes") == 0, 5)


@pytest.mark.parametrize("kind", ["silent", "half a head", "half a body"])
def test_a_good_caller_is_served_beside_many_stuck_ones(cloud, node, kind):
    """F13: 5,000 of them on a release build, fewer under sanitizers."""
    count = 600 if sanitized() else 5000
    import resource  # pylint: disable=import-outside-toplevel
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 20000) if hard != resource.RLIM_INFINITY else 20000
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    count = min(count, (max(soft, wanted) - 200) // 2)
    relay = node(cloud(), settings={"upstream.connections": 16, "limits.head_timeout_ms": 60000})
    data = {"silent": b"", "half a head": soap.request(CERTIFY)[:60], "half a body": soap.request(CERTIFY, padding=300)[:-200]}[kind]
    stuck = []
    try:
        for _ in range(count):
            sock = socket.create_connection((relay.listeners[0]["address"].split(":")[0], relay.port))
            if data:
                sock.sendall(data)
            stuck.append(sock)
        times = []
        for _ in range(20):
            begun = time.monotonic()
            assert relay.ask(soap.request(CERTIFY)).status == 200
            times.append(time.monotonic() - begun)
        assert sorted(times)[10] < 0.25 * SLOW, times
    finally:
        for sock in stuck:
            sock.close()
    eventually(lambda: relay.metric("client_connections_open") == 0, 15)
    assert relay.metric("exchanges_open") == 0


# ---- Expect: 100-continue ----

EXPECT = [("Expect", "100-continue")]


def test_a_caller_that_waits_for_100_gets_it_from_us(cloud, node):
    """F13 A01: RFC 9110 10.1.1; the cloud is not asked."""
    working = cloud()
    relay = node(working)
    data = soap.request(CERTIFY, headers=EXPECT)
    head, body = data.split(b"\r\n\r\n", 1)
    with relay.caller() as caller:
        for _ in range(2):
            caller.send(head + b"\r\n\r\n")
            assert caller._line() == b"HTTP/1.1 100 Continue"  # pylint: disable=protected-access
            assert caller._line() == b""  # pylint: disable=protected-access
            caller.send(body)
            got = caller.answer()
            assert got.status == 200 and not got.interim
    assert all(request.header("Expect") is None for request in working.requests)


def test_no_100_for_a_body_that_is_already_coming(cloud, node):
    """A01: RFC 9110 10.1.1: it may be left out then; at most one comes."""
    with node(cloud()).caller() as caller:
        got = caller.ask(soap.request(CERTIFY, headers=EXPECT))
        assert got.status == 200 and len(got.interim) <= 1


@pytest.mark.parametrize("path, length, status", [("/_wmcs/nothing.asmx", 100, 404), (CERTIFY.path, 1 << 30, 413)])
def test_a_refusal_comes_instead_of_100(cloud, node, path, length, status):
    """F13: a body that would only be thrown away is not asked for."""
    working = cloud()
    with node(working).caller() as caller:
        caller.send(soap.request(CERTIFY, path=path, headers=EXPECT, body=b"").replace(b"Content-Length: 0", b"Content-Length: %d" % length))
        got = caller.answer()
        assert got.status == status and not got.interim
        assert got.closes, "its body may come now or not: what comes next could be either"
    assert not working.requests


def test_an_http_1_0_caller_never_gets_100(cloud, node):
    """F13: RFC 9110 10.1.1"""
    with node(cloud()).caller() as caller:
        got = caller.ask(soap.request(CERTIFY, headers=EXPECT, http="1.0"))
        assert got.status in (200, 417) and not got.interim


# ---- callers that leave ----

def test_half_a_request_and_the_end_leaves_nothing_behind(cloud, node):
    """F22 F16: wherever it stops."""
    working = cloud()
    relay = node(working)
    data = soap.request(CERTIFY, chunks=50)
    for cut in [1, 10, 50, data.index(b"\r\n\r\n"), data.index(b"\r\n\r\n") + 4, len(data) - 60, len(data) - 2, len(data) - 1]:
        for leave in ("end", "close", "reset"):
            caller = relay.caller()
            caller.send(data[:cut])
            getattr(caller, leave)()
            if leave == "end":
                got, how = caller.rest(3)
                assert how in ("eof", "rst") and (got == b"" or got.startswith(b"HTTP/1.1 400 "))
                caller.close()
    eventually(lambda: relay.metric("client_connections_open") == 0)
    assert not working.whole, "half a request was completed by us"
    assert relay.metric("exchanges_open") == 0
    assert relay.ask(soap.request(CERTIFY)).status == 200


@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("when", ["before the answer", "within the answer"])
def test_a_caller_that_leaves_ends_its_request_at_the_cloud(cloud, node, leave, when):
    """F22"""
    def script(connection, request):
        if when == "within the answer":
            connection.send(answer(headers=[("Content-Length", "1000")], length=False) + b"x" * 10)
        connection.stall(10)
    slow = cloud(script)
    relay = node(slow)
    caller = relay.caller()
    caller.send(soap.request(CERTIFY))
    eventually(lambda: slow.requests)
    if when == "within the answer":
        eventually(lambda: caller._more())  # pylint: disable=protected-access
    left = time.monotonic()
    getattr(caller, leave)()
    eventually(lambda: slow.connections[0].ended, 5)
    assert slow.connections[0].ended_at - left < 1.0 * SLOW
    eventually(lambda: relay.metric("exchanges_open") == 0)
    assert relay.metric("failures", error="caller_gone") == 1


def test_many_callers_that_leave_leave_no_descriptor(cloud, node):
    """F22"""
    slow = cloud(lambda c, r: c.stall(0.2) or well(c, r))
    relay = node(slow, settings={"upstream.keep_idle_ms": 500})
    relay.ask(soap.request(CERTIFY))
    before = relay.open_descriptors()
    for number in range(60):
        caller = relay.caller()
        caller.send(soap.request(CERTIFY, padding=100 * number)[:200 + 90 * number])
        (caller.reset if number % 2 else caller.close)()
    eventually(lambda: relay.metric("client_connections_open") == 0)
    eventually(lambda: relay.open_descriptors() <= before + 4, 10)


# ---- time at the cloud ----

@pytest.mark.parametrize("setting, script, answered", [
    ("upstream.first_byte_ms", lambda c, r: c.stall(8), True),
    ("upstream.total_timeout_ms", lambda c, r: (c.send(answer(headers=[("Content-Length", "100")], length=False)), c.send_pieces(b"x" * 90, 1, 0.05)), False),
    ("upstream.total_timeout_ms", lambda c, r: c.send_pieces(answer(headers=[("Content-Length", "9")], length=False), 1, 0.05), True),
    ("upstream.idle_timeout_ms", lambda c, r: (c.send(answer(headers=[("Content-Length", "100")], length=False) + b"x"), c.stall(8)), False),
])
def test_every_wait_for_the_cloud_has_its_limit(cloud, node, setting, script, answered):
    """F22"""
    slow = cloud(script)
    relay = node(slow, settings={setting: 1000})
    with relay.caller() as caller:
        begun = time.monotonic()
        caller.send(soap.request(CERTIFY))
        if answered:
            got = caller.answer()
            assert got.status == 500 and got.header("Retry-After")
        else:
            got = caller.answer(allow_cut=True)
            assert not got.complete and set(got.body) <= {ord("x")}
            assert caller.ended in ("eof", "rst")
        assert 0.9 < time.monotonic() - begun < 3 * SLOW
    eventually(lambda: slow.connections[0].ended, 10)  # seen when the script is through


def test_connecting_has_its_limit(node):
    """F22 H06: a listener that never answers the handshake."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        relay = node(f"https://127.0.0.1:{mute.getsockname()[1]}", settings={"upstream.connect_timeout_ms": 800})
        got = relay.ask(soap.request(CERTIFY))
        assert got.status == 500 and got.header("Retry-After") and got.seconds < 3 * SLOW


def test_a_connection_per_request_works_too(cloud, node):
    """A01: the .NET habit: a new connection for each call."""
    relay = node(cloud())
    for _ in range(50):
        with RawCaller(relay.listeners[0]["address"].split(":")[0], relay.port) as caller:
            assert caller.ask(soap.request(CERTIFY, headers=[("Connection", "close")])).status == 200
            caller.expect_end()
    eventually(lambda: relay.metric("upstream_handshakes") == 1)
