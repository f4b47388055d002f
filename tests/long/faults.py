"""A fault at every byte offset of an exchange: on the caller's wire and on the cloud's, in clear and under TLS, handshakes included.

Whatever breaks, the caller has an answer or an end within the bound; an answer that looks complete is complete; nothing leaks (H07 F16 F22).
"""

import time

from support import soap
from support.campaign import Progress, hands, lab, main, spread
from support.caller import Gone, RawCaller, client_context
from support.node import sanitized
from support.upstream import answer
from support.wait import eventually
from support.wire import ACTIONS, BACK, FORWARD, Wire

EVERY = 1 << 30
OPS = (soap.CERTIFY, soap.TEMPLATES)  # one that is never sent again, one that may be
SETTINGS = {"upstream.first_byte_ms": 300, "upstream.idle_timeout_ms": 300, "upstream.connect_timeout_ms": 600, "upstream.total_timeout_ms": 2000,
            "limits.head_timeout_ms": 400, "limits.body_timeout_ms": 600, "limits.keep_alive_ms": 800, "limits.linger_ms": 100,
            "limits.client_write_ms": 600}
BOUND_S = 12.0 if sanitized() else 4.0


def script(connection, request):
    connection.send(answer(body=soap.answer_body(request.operation, padding=400)))


def request(op):
    return soap.request(op, padding=300, chunks=120)


def ask(caller, op):
    """What is wrong with what the caller sees, or None."""
    begun = time.monotonic()
    caller.try_send(request(op))
    try:
        got = caller.answer(allow_cut=True)
        whole = got.status == 200 and got.body == soap.answer_body(op, padding=400)
        if got.complete and not whole and got.status not in (400, 408, 429, 500):
            return f"{got.status} {got.body[:80]!r} looks complete"
    except Gone:
        pass
    took = time.monotonic() - begun
    return f"took {took:.1f} s" if took > BOUND_S else None


def offsets(wire):
    return [(direction, offset, action) for direction in (FORWARD, BACK) for offset in range(wire.longest[direction] + 1) for action in ACTIONS]


def at_the_cloud(it, cloud, count):
    """The wire between node and cloud. Faults come one after the other, so that each is the plan of the next connection."""
    wire = it.also(Wire(cloud.host, cloud.port))
    node = it.node(wire, settings=SETTINGS)
    assert node.ask(request(OPS[0])).status == 200
    plans = spread(offsets(wire), count)
    progress = Progress("faults at the cloud", len(plans))
    # Connections must be new for their handshake to be hit, and reused for a request to be sent again: both take turns.
    for number, plan in enumerate(plans):
        first = wire.count if number % 2 else None
        wire.plan = lambda index, p=plan, f=first: p if f is None or index == f else None
        with node.caller(timeout=BOUND_S + 3) as caller:
            problem = ask(caller, OPS[number % 2])
            progress.step(problem and f"{plan}: {problem}")
        if len(progress.problems) > 20:
            break
    wire.plan = lambda index: None
    eventually(lambda: node.ask(request(OPS[0])).status == 200, 5)
    progress.end(f"({wire.broken} wires broken)")
    return node


def at_the_caller(it, node, index, count):
    """The wire between caller and node: a broken one is the caller's trouble; ours are time, memory and the next caller."""
    host, port = node.listeners[index]["address"].split(":")[0], node.ports[index]
    tls = client_context(it.certs) if index else None
    with Wire(host, port) as sound, RawCaller(sound.host, sound.port, tls=tls) as caller:
        assert caller.ask(request(OPS[0])).status == 200
        plans = spread(offsets(sound), count)
    progress = Progress(f"faults at the caller, {'https' if index else 'http'}", len(plans))

    def one(plan):
        begun = time.monotonic()
        with Wire(host, port, lambda _index: plan) as wire:
            try:
                with RawCaller(wire.host, wire.port, tls=tls, timeout=BOUND_S + 3) as caller:
                    caller.try_send(request(OPS[0]))
                    caller.answer(allow_cut=True)
            except (AssertionError, OSError):
                pass
        took = time.monotonic() - begun
        return f"{plan}: took {took:.1f} s" if took > BOUND_S else None
    hands(plans, one, progress)
    progress.end()


def campaign(count):
    with lab() as it:
        cloud = it.cloud(script)
        nodes = [at_the_cloud(it, cloud, count // 2)]
        nodes.append(it.node(cloud, settings=SETTINGS, listeners=("http", "https-ecdsa")))
        for index in (0, 1):
            at_the_caller(it, nodes[1], index, count // 4)
        for node in nodes:
            eventually(lambda n=node: n.metric("exchanges_open") == 0 and n.metric("client_connections_open") == 0, 15)
            assert node.metric("unexpected_events") == 0
            assert node.metric("held_bytes") == 0


if __name__ == "__main__":
    main(campaign, __doc__, EVERY)
