"""A fault at every byte offset of an exchange: on the caller's wire and on the cloud's, in clear and under TLS, handshakes included.

Whatever breaks, the caller has an answer or an end within the bound; an answer that looks complete is complete; nothing leaks (H07 F16 F22).
"""

import threading
import time

from support import soap
from support.campaign import Progress, hands, lab, main, spread
from support.caller import Gone, RawCaller, client_context
from support.node import sanitized
from support.upstream import answer, server_context
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


def offsets(longest):
    return [(direction, offset, action) for direction in (FORWARD, BACK) for offset in range(longest[direction] + 1) for action in ACTIONS]


def learn(wire, node, prepare):
    """How many bytes of each direction one request takes after that."""
    prepare()
    before, wire.longest = wire.longest, {FORWARD: 0, BACK: 0}
    assert node.ask(request(OPS[0])).status == 200
    return {way: wire.longest[way] - before[way] * (prepare is keep) for way in before}


def keep():
    """The connection to the cloud stays: a request and its answer, without any handshake."""


def well_again(node):
    """Within the bound, not at once: the limits above are short enough for a busy machine to meet one without any fault."""
    until = time.monotonic() + BOUND_S
    while node.ask(request(OPS[0])).status != 200:
        if time.monotonic() > until:
            return False
    return True


def at_the_cloud(it, clouds, count, lanes=24):
    """The wire between node and cloud, each fault in turn, in lanes side by side. Connections are new, so that their handshake is hit (whole where the
    cloud gives no tickets, resumed at the other), or kept, where a request may be sent again."""
    jobs, rows, lock = [], [], threading.Lock()
    for _ in range(lanes):
        rows.append([(wire, it.node(wire, settings=SETTINGS)) for wire in (it.also(Wire(cloud.host, cloud.port)) for cloud in clouds)])
        for wire, node in rows[-1]:
            assert node.ask(request(OPS[0])).status == 200
    for which, prepare in ((0, rows[0][0][0].cut), (1, rows[0][1][0].cut), (0, keep)):
        jobs += [(which, prepare is keep, plan) for plan in offsets(learn(*rows[0][which], prepare))]
    jobs = list(enumerate(spread(jobs, count)))
    progress = Progress("faults at the cloud", len(jobs))

    def one(job):
        number, (which, kept, plan) = job
        with lock:
            row = rows.pop()
        wire, node = row[which]
        op = OPS[number % 2]
        try:
            if kept:
                wire.arm(None)
                if not well_again(node):
                    return f"{plan}: not well again after the fault before"
                wire.arm(plan)
            else:
                wire.cut()
                first = wire.count
                wire.plan = lambda index: plan if index == first else None
            with node.caller(timeout=BOUND_S + 3) as caller:
                problem = ask(caller, op)
            return problem and f"{plan} {'on a kept connection' if kept else 'on a new one'}: {problem}"
        finally:
            wire.arm(None)
            wire.plan = lambda index: None
            with lock:
                rows.append(row)
    hands(jobs, one, progress, lanes)
    wires = [wire for row in rows for wire, _ in row]
    broken = sum(wire.broken for wire in wires)
    progress.end(f"({broken} wires broken)")
    assert broken > 0.8 * len(jobs), "most faults did not happen"
    for cloud in clouds:
        assert all(seen.body == soap.request_body(seen.operation, padding=300) for seen in cloud.whole), "a changed body is whole at the cloud"
    return [node for row in rows for _, node in row]


def at_the_caller(it, node, index, count):
    """The wire between caller and node: a broken one is the caller's trouble; ours are time, memory and the next caller."""
    host, port = node.listeners[index]["address"].split(":")[0], node.ports[index]
    tls = client_context(it.certs) if index else None
    with Wire(host, port) as sound, RawCaller(sound.host, sound.port, tls=tls) as caller:
        assert caller.ask(request(OPS[0])).status == 200
        plans = spread(offsets(sound.longest), count)
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
        forgetful = server_context(it.certs)
        forgetful.num_tickets = 0
        cloud = it.cloud(script)
        nodes = at_the_cloud(it, [it.cloud(script, tls=forgetful), cloud], count // 2)
        nodes.append(it.node(cloud, settings=SETTINGS, listeners=("http", "https-ecdsa")))
        for index in (0, 1):
            at_the_caller(it, nodes[-1], index, count // 4)
        for node in nodes:
            eventually(lambda n=node: n.metric("exchanges_open") == 0 and n.metric("client_connections_open") == 0, 15)
            assert node.metric("unexpected_events") == 0
            assert node.metric("held_bytes") == 0


if __name__ == "__main__":
    main(campaign, __doc__, EVERY)
