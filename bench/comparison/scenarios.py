"""The scenarios and what is measured in them. A scenario gives one or several rows; a row is one figure for every peer, smaller is better."""

import dataclasses
import threading
import time

from . import added, soap, syscalls
from .idle import IdleCallers
from .load import Offer
from .peers import MIB, Haproxy64, Shape
from .problem import Problem

WARMUP_S = 0.3
PATIENCE_S = 20              # longest wait for the load to run evenly
TRANSFER_BYTES = 64 * MIB
TRANSFERS = 4
STALL_S = 0.4


@dataclasses.dataclass
class Row:
    key: str
    title: str
    unit: str
    goal_ratio: float = None    # at most so many times the floor
    goal: float = None          # at most so much
    gate: bool = True           # must be better than nginx and HAProxy
    against: str = "floor"      # what stands in the floor's column


class Scenario:
    """measure() is called once a round for each peer, with a peer that runs and was proven to relay; fresh: started anew each time."""
    fresh = False
    most_rounds = 1000
    without = ()                # peers that have nothing to say here
    instead = {}                # {name of a peer: what runs in its column here}

    def __init__(self, key, rows, shape):
        self.key, self.rows, self.shape = key, rows, shape
        self.sizes = (2048, 8192)

    def measure(self, bench, peer, seconds):
        raise NotImplementedError


@dataclasses.dataclass
class Moment:
    """What the peer has used and the cloud has seen so far."""
    cpu_s: float
    requests: int
    handshakes: int
    at: float

    @staticmethod
    def of(peer):
        seen = peer.cloud.seen()
        return Moment(peer.process.cpu_seconds(), seen["fixed"]["requests"], seen["connections"]["handshakes"], time.monotonic())


class Timed(Scenario):
    """CPU time of the peer per completed request under one kind of load: between two moments in the middle of it, so that neither the
    opening of connections nor the end of the load is in it."""

    def __init__(self, key, title, goal_ratio, offer, shape=Shape(), more=(), large=False, lead_s=0.4, against="floor"):
        """more: further rows, of those that measure() knows."""
        super().__init__(key, [Row("cpu", title, "us/request", goal_ratio=goal_ratio, against=against), *more], shape)
        self.offer, self.lead_s = offer, lead_s
        self.sizes = (offer.request_bytes, offer.answer_bytes)
        if not large:
            self.without = (Haproxy64.name,)

    def measure(self, bench, peer, seconds):
        before = peer.cloud.seen()["fixed"]["requests"]
        run = bench.load.start(peer.url, peer.ca_file, self.offer_of(peer), self.lead_s + PATIENCE_S + seconds)
        try:
            time.sleep(self.lead_s)
            begin = self.even(peer, before)
            time.sleep(seconds)
            end = Moment.of(peer)
            result = good(peer, run.finish())
        finally:
            run.stop()
        requests = end.requests - begin.requests
        if requests < 10:
            raise Problem(f"{peer.title} relayed {requests} requests in {seconds:g} s; nothing can be compared")
        values = {"cpu": (end.cpu_s - begin.cpu_s) / requests * 1e6,
                  "handshakes": (end.handshakes - begin.handshakes) / requests * 100_000,
                  "resident": peer.process.peak_bytes() / MIB}
        return {row.key: values[row.key] for row in self.rows}, {
            "requests": requests, "requests_per_s": requests / (end.at - begin.at), **dataclasses.asdict(result)}

    def offer_of(self, _peer):
        return self.offer

    def even(self, peer, before):
        """The first moment at which every connection has been used several times, or the load has had its time."""
        end = time.monotonic() + PATIENCE_S
        while True:
            now = Moment.of(peer)
            if now.requests - before >= 4 * self.offer.connections or time.monotonic() > end:
                return now
            time.sleep(0.05)


def good(peer, result):
    if result.errors or not result.completed:
        raise Problem(f"{peer.title}: {result.errors} requests failed ({result.why}) and {result.completed} were answered; nothing can be "
                      f"compared.\n    it said:\n{peer.process.words()}")
    return result


def run_load(bench, peer, offer, seconds):
    return good(peer, bench.load.start(peer.url, peer.ca_file, offer, seconds).result())


class Transfer(Scenario):
    """One body of 64 MiB in one direction."""

    def __init__(self, key, title, upload):
        super().__init__(key, [Row("cpu", title, "ms", goal_ratio=1.0)], Shape())
        self.upload = upload
        self.request = soap.body(TRANSFER_BYTES if upload else 2048)
        self.answer_bytes = 8192 if upload else TRANSFER_BYTES

    def measure(self, bench, peer, seconds):
        caller = soap.Connection(peer.port)
        caller.post(soap.body(2048), 8192)
        before = peer.process.cpu_seconds()
        begun = time.monotonic()
        caller.post(self.request, self.answer_bytes)
        took = time.monotonic() - begun
        used = peer.process.cpu_seconds() - before
        caller.close()
        return {"cpu": used * 1e3}, {"seconds": took}


class Growth(Scenario):
    """Memory that four bodies of 64 MiB at once cost, each, while the side that takes them stalls: callers that dawdle, or a cloud that stops
    for a moment. A fresh process for each direction: what the other has left behind would hide it."""
    fresh = True
    most_rounds = 3

    def __init__(self, key, upload):
        # No gate: 16 KiB buffers hold less, and cost D its speed.
        super().__init__(key, [Row("each", f"memory for each stalled 64 MiB {'upload' if upload else 'download'}", "MiB", goal=0.5, gate=False)],
                         Shape())
        self.upload = upload

    def measure(self, bench, peer, seconds):
        return {"each": self.grown(peer)}, {}

    def transfer(self, caller):
        def dawdle(done, seen=set()):
            mark = (threading.get_ident(), done // (16 * MIB))
            if mark not in seen:
                seen.add(mark)
                time.sleep(STALL_S / 4)

        if self.upload:
            caller.post(soap.body(TRANSFER_BYTES), 8192)
        else:
            caller.post(soap.body(2048), TRANSFER_BYTES, dawdle)

    def grown(self, peer):
        failures = []

        def one(caller):
            try:
                self.transfer(caller)
            except (Problem, OSError) as error:
                failures.append(error)

        soap.body(TRANSFER_BYTES)  # made before the clock runs
        callers = [soap.Connection(peer.port) for _ in range(TRANSFERS)]
        for caller in callers:
            caller.post(soap.body(2048), 8192)
        peer.process.reset_peak()
        before = peer.process.resident_bytes()
        threads = [threading.Thread(target=one, args=(caller,)) for caller in callers]
        for thread in threads:
            thread.start()
        if self.upload:
            peer.cloud.process.pause(STALL_S)
        for thread in threads:
            thread.join()
        for caller in callers:
            caller.close()
        if failures:
            raise Problem(f"{peer.title}: a transfer failed: {failures[0]}")
        return max(0, peer.process.peak_bytes() - before) / TRANSFERS / MIB


class Calls(Scenario):
    """System calls per request. Two runs of different length are subtracted, which takes out what opening the connections costs."""
    most_rounds = 1
    without = (Haproxy64.name,)

    def __init__(self, key, title, goal, offer):
        super().__init__(key, [Row("calls", title, "calls/request", goal=goal)], Shape())
        self.offer = offer
        self.sizes = (offer.request_bytes, offer.answer_bytes)

    def measure(self, bench, peer, seconds):
        run_load(bench, peer, self.offer, WARMUP_S)
        counts = []
        for length in (seconds / 2, seconds * 1.5):
            with syscalls.Counter(peer.process.tree(), peer.folder) as counter:
                result = run_load(bench, peer, self.offer, length)
            counts.append((counter.calls, result.completed))
        (few, few_requests), (many, many_requests) = counts
        return {"calls": (many - few) / (many_requests - few_requests)}, {"counted_by": counter.tool}


class Idle(Scenario):
    """Memory for one more kept connection that was used once and is quiet now."""
    fresh = True
    most_rounds = 1
    without = (Haproxy64.name,)

    def __init__(self, key, title, goal, tls_in, count):
        super().__init__(key, [Row("each", title, "KiB", goal=goal)], Shape(tls_in=tls_in, connections=count + 200))
        self.count = count

    def measure(self, bench, peer, seconds):
        first = max(1, self.count // 20)
        with IdleCallers(peer) as callers:
            callers.open(first)
            before = peer.process.resident_bytes()
            callers.open(self.count - first)
            after = peer.process.resident_bytes()
        return {"each": (after - before) / (self.count - first) / 1024}, {"connections": self.count}


class Start(Scenario):
    """From the start of the program until it takes a connection; its memory once it has."""
    fresh = True
    without = (Haproxy64.name,)

    def __init__(self, key):
        super().__init__(key, [Row("listening", "start to listening", "ms", goal=30), Row("resident", "idle memory", "MiB", goal=10)], Shape())

    def measure(self, bench, peer, seconds):
        time.sleep(0.3)
        return {"listening": peer.listening_s * 1e3, "resident": peer.process.resident_bytes() / MIB}, {}


class Added(Scenario):
    """Time that the peer adds to a request at 500/s when the cloud takes 50 ms: through it, less straight to the cloud in the same seconds."""
    most_rounds = 3
    without = (Haproxy64.name,)

    def __init__(self, key):
        super().__init__(key, [Row("p50", "time added at 500/s, median", "ms", goal=0.3, gate=False),
                               Row("p99", "time added at 500/s, 99th percentile", "ms", goal=2, gate=False)], Shape(cloud="slow"))

    def measure(self, bench, peer, seconds):
        through, straight = added.compare(peer, 500, seconds)
        figures = {f"p{round(share * 100)}": (added.quantile(through, share), added.quantile(straight, share)) for share in (0.5, 0.99)}
        return ({name: (a - b) * 1e3 for name, (a, b) in figures.items()},
                {name: {"through_ms": a * 1e3, "straight_ms": b * 1e3} for name, (a, b) in figures.items()})


def every(bench):
    """In the order of the table."""
    idle = min(10000, bench.files - 1000)
    many = f"{idle:,}"
    rows = [
        Timed("A", "2 KiB in, 8 KiB out, 64 connections", 1.10, Offer(), more=[
            Row("handshakes", "upstream TLS handshakes per 100,000 requests", "", goal=64, gate=False)]),
        Timed("A-open", "the same at a steady 3,000/s", 1.10, Offer(rate=3000)),
        Timed("A-log", "A with the peers' request log on too", 1.10, Offer(), Shape(log=True)),
        Timed("A-2w", "A with 2 workers", 1.10, Offer(), Shape(workers=2)),
        Timed("B", "16 KiB in, 24 KiB out", 1.10, Offer(16384, 24576), large=True),
        Timed("C", "256 KiB in, 256 KiB out", 1.05, Offer(262144, 262144), large=True),
        Transfer("D-down", "one 64 MiB download", upload=False),
        Transfer("D-up", "one 64 MiB upload", upload=True),
        Growth("D-memory-down", upload=False),
        Growth("D-memory-up", upload=True),
        Timed("E", "A with HTTPS in", 1.10, Offer(), Shape(tls_in=True)),
        Timed("E-hs", "a new HTTPS connection for each request", 1.05, Offer(new_connections=True), Shape(tls_in=True)),
        Timed("G", "2,000 in flight, the cloud takes 50 ms", 1.10, Offer(connections=2000),
              Shape(cloud="slow", connections=4000, upstream=2100), lead_s=1.5, more=[
                  Row("resident", "resident memory in G", "MiB", goal=28)]),
        Calls("calls-A", "system calls in A", 4.2, Offer()),
        Calls("calls-C", "system calls in C", 9, Offer(262144, 262144)),
        Calls("calls-1000", "system calls in A at 1,000/s", 6.5, Offer(rate=1000)),
        Idle("idle-http", f"memory of an idle HTTP connection ({many} of them)", 0.4, False, idle),
        Idle("idle-https", f"memory of an idle HTTPS connection ({many} of them)", 3.2, True, idle),
        Start("start"),
        Added("added"),
    ]
    return {scenario.key: scenario for scenario in rows}
