"""Scenarios in which callers prove who they are: the node with rms-connector-authd, a list, and tickets of 6 KB. nginx and HAProxy have no equal."""

import time
import urllib.error
import urllib.request

from .load import Offer
from .peers import Floor, Haproxy, Haproxy64, Nginx, Node, Shape
from .problem import Problem
from .scenarios import Row, Scenario, Timed, good

RIVALS = (Nginx.name, Haproxy.name, Haproxy64.name)
READY_S = 10
ACCEPTED_EACH_S = 1000       # tickets in a second of the bare call, roughly: it need not be exact
STEADY_RATE, STEADY_SECONDS = 750, 30
CALL = {"request_bytes": 48 * 1024, "answer_bytes": 16 * 1024, "connections": 16}


class KnowingNode(Node):
    """With authd, which it starts itself: so its processes are measured together."""
    title = "node and authd"
    arguments = ()

    @classmethod
    def missing(cls, bench):
        return [name for program in ("rms-connectord", "rms-connector-authd", "rms-accept") for name in bench.missing_program(program)]

    def env(self):
        return self.bench.tickets.env

    def sections(self):
        t = self.bench.tickets
        return f"""\
auth:
  socket: {self.folder}/authd.socket
  authd_program: {self.bench.program("rms-connector-authd")}
  keytab: {t.keytab}
list:
  file: {t.list}
"""

    def credentials(self):
        return self.bench.tickets.line(self.bench)

    def start(self, seconds=10):
        took = super().start(seconds)
        end = time.monotonic() + READY_S
        while not self.is_ready():
            self.process.check_alive()
            if time.monotonic() > end:
                raise Problem(f"{self.title} did not get ready in {READY_S} s. It said:\n{self.process.words()}")
            time.sleep(0.01)
        return took

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.stats_port}/readyz", timeout=10) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False


class TrustingNode(Node):
    """As in the other scenarios, in the floor's column."""
    name, title = Floor.name, "node with --loopback-caller"


class Exchange(Timed):
    """What Exchange does for each call: a new connection, 401, ticket and body, the answer, close. CPU of node and authd, against the floor relaying the
    same bytes on a new connection and one bare gss_accept_sec_context() of the same ticket."""
    instead = {Node.name: KnowingNode}

    def __init__(self, key, title, shape):
        super().__init__(key, title, 1.3, Offer(**CALL, resume=shape.tls_in, pattern="exchange"), shape, against="(floor + bare accept)")
        self.without = RIVALS
        self.straight = Offer(**CALL, resume=shape.tls_in, new_connections=True)

    def offer_of(self, peer):
        return self.offer if isinstance(peer, KnowingNode) else self.straight

    def measure(self, bench, peer, seconds):
        values, told = super().measure(bench, peer, seconds)
        if not isinstance(peer, KnowingNode):
            bare = bench.tickets.bare(bench, max(100, int(seconds * ACCEPTED_EACH_S)))
            told.update(relay_us=values["cpu"], accept_us=bare["cpu_us_each"])
            values["cpu"] += bare["cpu_us_each"]
        return values, told


class Steady(Scenario):
    """The ceiling of a tenant, 750 calls a second, in Exchange's pattern for a minute: what the 99th call in a hundred takes longer than straight to the
    cloud. Callers, cloud, node and authd share the processors."""
    most_rounds = 1
    without = (Floor.name, *RIVALS)
    instead = {Node.name: KnowingNode}

    def __init__(self, key, shape):
        super().__init__(key, [Row("p99", f"time added at {STEADY_RATE}/s, 99th percentile", "ms", goal=10, gate=False)], shape)
        self.sizes = (CALL["request_bytes"], CALL["answer_bytes"])

    def measure(self, bench, peer, seconds):
        long = max(1.0, seconds * STEADY_SECONDS if seconds >= 1 else seconds)
        many = {**CALL, "connections": 256, "rate": STEADY_RATE}
        straight = good(peer, bench.load.start(f"https://127.0.0.1:{peer.cloud_port}", bench.certificates.ca,
                                               Offer(**many, new_connections=True, resume=True), min(long, 10)).result())
        before = peer.process.cpu_seconds()
        through = good(peer, bench.load.start(peer.url, peer.ca_file, Offer(**many, pattern="exchange", resume=peer.shape.tls_in), long).result())
        return {"p99": through.p99_ms - straight.p99_ms}, {
            "seconds": long, "calls_per_s": through.completed / through.seconds, "through_p50_ms": through.p50_ms, "through_p99_ms": through.p99_ms,
            "straight_p50_ms": straight.p50_ms, "straight_p99_ms": straight.p99_ms,
            "cpu_us_each": (peer.process.cpu_seconds() - before) / through.completed * 1e6}


class Kept(Timed):
    """A: callers that proved who they are once, on connections that stay, against a node that believes everybody on loopback."""
    instead = {Node.name: KnowingNode, Floor.name: TrustingNode}

    def __init__(self, key, title):
        super().__init__(key, title, 1.03, Offer(pattern="kept"), against="--loopback-caller")
        self.without = RIVALS

    def offer_of(self, peer):
        return self.offer if isinstance(peer, KnowingNode) else Offer()


def every():
    rows = [
        Exchange("X", "Exchange's calls over HTTP, a 6 KB ticket each; node + authd", Shape()),
        Exchange("X-tls", "the same over HTTPS, sessions resumed", Shape(tls_in=True)),
        Steady("X-750", Shape()),
        Steady("X-750-tls", Shape(tls_in=True)),
        Kept("kept", "A with authenticated callers; first column: --loopback-caller"),
    ]
    return {scenario.key: scenario for scenario in rows}
