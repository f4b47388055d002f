"""A long time of everything at once: kept and new connections, in clear and under TLS, large and small, callers that leave, a cloud that fails.

What was a tenth of the way in is what is there at the end: descriptors as many, memory not more (F22 F13). The first tenth fills pools and tables.
"""

import random

from support import soap
from support.campaign import Progress, hands, lab, main
from support.caller import Gone
from support.node import sanitized
from support.upstream import answer
from support.wait import eventually

TURNS = 20  # requests in a row by one caller
GROWTH_BYTES = 1 << 20
ENDS = ("finish", "cut", "reset")


def script(connection, request):
    fate = random.random()
    if fate < 0.02:
        getattr(connection, random.choice(ENDS))()
    elif fate < 0.04:
        connection.send(answer(503, b"<html>", reason="No", content_type="text/html"))
    elif fate < 0.06:
        connection.send(answer(body=b"x" * 5000)[:random.randrange(4000)])
        connection.reset()
    else:
        connection.send(answer(body=request.body[::-1]))


def one(node, number):
    """What is wrong with one caller's life, or None."""
    rng = random.Random(number)
    with node.caller(rng.randrange(2), timeout=20) as caller:
        for turn in range(TURNS):
            op = rng.choice(soap.OPERATIONS)
            body = soap.request_body(op, padding=rng.choice([0, 0, 0, 3000, 20_000, 200_000]))
            data = soap.request(op, body=body, chunks=rng.choice([None, None, 4096]))
            fate = rng.random()
            if fate < 0.03:  # leaves with half of it said, or without hearing
                caller.try_send(data[:rng.randrange(len(data) + 1)])
                (caller.reset if rng.random() < 0.5 else caller.close)()
                return None
            if fate < 0.05:
                caller.try_send(b"POST / HTTP/1.1\r\nHost : a\r\n\r\n")
                return None if caller.answer().status == 400 else f"{number}.{turn}: not refused"
            if not caller.try_send(data):
                return None
            try:
                got = caller.answer(allow_cut=True)
            except Gone:
                return None
            if got.status == 200 and got.complete and got.body not in (body[::-1], b"x" * 5000):
                return f"{number}.{turn}: another answer"
            if got.status not in (200, 500):
                return f"{number}.{turn}: {got.status}"
            if got.closes or not got.complete:
                return None
    return None


def at_rest(node):
    """Descriptors and memory when nobody asks anything."""
    eventually(lambda: node.metric("client_connections_open") == 0 and node.metric("upstream_connections") == 0, 20)
    assert node.metric("exchanges_open") == 0 == node.metric("held_bytes")
    return node.open_descriptors(), node.resident_bytes()


def campaign(count):
    with lab() as it:
        cloud = it.cloud(script)
        node = it.node(cloud, listeners=("http", "https-ecdsa"), settings={"node.workers": 2, "upstream.keep_idle_ms": 1500, "limits.linger_ms": 200})
        callers = range(max(20, count // TURNS))
        progress = Progress("callers", len(callers))
        first = len(callers) // 10
        hands(callers[:first], lambda number: one(node, number), progress)
        descriptors, memory = at_rest(node)
        for at in range(first, len(callers), 500):  # the cloud forgets what it saw: this is the node's memory, not ours
            hands(callers[at:at + 500], lambda number: one(node, number), progress)
            cloud.requests, cloud.connections, cloud.raw = [], [], {}
            cloud.threads = [thread for thread in cloud.threads if thread.is_alive()]
        after, grown = at_rest(node)
        grown -= memory
        progress.end(f"({descriptors} descriptors, then {after}; memory {memory >> 10} KiB, then {grown >> 10:+} KiB)")
        assert after <= descriptors, "descriptors leak"
        assert sanitized() or grown < GROWTH_BYTES, "memory leaks"
        assert node.metric("unexpected_events") == 0


if __name__ == "__main__":
    main(campaign, __doc__, 200_000)
