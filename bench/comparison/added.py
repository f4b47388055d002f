"""How long single requests take through a peer and straight to the cloud, both in the same seconds and timed exactly: the load tool's histogram has
buckets of 1 ms at 50 ms, too wide for a goal of 0.3 ms, and two runs one after the other differ by the machine's mood."""

import selectors
import ssl
import time

from . import soap
from .problem import Problem

PATIENCE_S = 10


class Timed:
    """A kept connection with at most one request in flight."""

    def __init__(self, port, ca_file, answer_bytes):
        self.caller = soap.Connection(port, ca_file)
        self.caller.post(soap.body(2048), answer_bytes)
        self.io = self.caller.io
        self.io.setblocking(False)
        self.answer_bytes, self.sent_at, self.got = answer_bytes, None, b""

    def send(self, wire):
        self.got = b""
        self.sent_at = time.perf_counter()
        if self.io.send(wire) != len(wire):
            raise Problem("a connection of the timed callers took only a part of 2 KiB")

    def read(self):
        """Seconds, once the answer is whole; else None."""
        while True:
            try:
                piece = self.io.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                return None
            if not piece:
                raise Problem("a timed caller's connection was closed")
            self.got += piece
            head, found, body = self.got.partition(b"\r\n\r\n")
            if found and len(body) == self.answer_bytes:
                if not head.startswith(b"HTTP/1.1 200 "):
                    raise Problem(f"a timed caller got {head[:60]!r}")
                took, self.sent_at = time.perf_counter() - self.sent_at, None
                return took


class Side:
    def __init__(self, port, ca_file, answer_bytes, selector):
        self.how = (port, ca_file, answer_bytes)
        self.selector, self.free, self.took = selector, [], []
        self.all = []

    def open(self, count):
        for _ in range(count):
            one = Timed(*self.how)
            self.all.append(one)
            self.free.append(one)
            self.selector.register(one.io, selectors.EVENT_READ, (self, one))

    def close(self):
        for one in self.all:
            one.caller.close()


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def compare(peer, rate, seconds, answer_bytes=8192, connections=64):
    """(seconds through the peer, seconds straight), a list each."""
    wire = soap.head(2048, answer_bytes) + soap.body(2048)
    selector = selectors.DefaultSelector()
    through = Side(peer.port, peer.ca_file, answer_bytes, selector)
    straight = Side(peer.cloud_port, peer.bench.certificates.ca, answer_bytes, selector)
    sides = (through, straight)
    try:
        for side in sides:
            side.open(connections)
        begun, sent, wanted = time.perf_counter(), 0, int(rate * seconds)
        while len(through.took) < wanted or len(straight.took) < wanted:
            now = time.perf_counter()
            if now > begun + seconds + PATIENCE_S:
                raise Problem(f"{peer.title}: {wanted - len(through.took)} of {wanted} timed requests were not answered")
            if sent < wanted and now >= begun + sent / rate and all(side.free for side in sides):
                # In turns first, so that neither side always waits for the other's send.
                for side in sides if sent % 2 else sides[::-1]:
                    side.free.pop().send(wire)
                sent += 1
            for key, _ in selector.select(max(0.0, min(0.01, begun + sent / rate - time.perf_counter()))):
                side, one = key.data
                took = one.read()
                if took is not None:
                    side.took.append(took)
                    side.free.append(one)
    finally:
        for side in sides:
            side.close()
        selector.close()
    return through.took, straight.took
