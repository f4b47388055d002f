"""Memory that runs out at any point of an exchange: the node lives, tells nobody anything wrong, and serves again when there is memory.

Each allocation of an exchange fails once alone, and once with all that follow it (F13 F07 F22). Runs on a release build; sanitizers have their own malloc.
"""

import mmap
import struct
import subprocess
import time

import pytest

from support import soap
from support.campaign import lab, spread
from support.caller import Gone
from support.node import ROOT, sanitized
from support.upstream import answer
from support.wait import eventually

# One that is never sent again, one that is kept to be; in pieces that two turns of the loop see, or whole in one.
KINDS = ((soap.CERTIFY, 1500), (soap.TEMPLATES, 1500), (soap.TEMPLATES, 100_000))
POINTS = 120  # of each kind; more take longer than they tell
OFF = (1 << 64) - 1


class Memory:
    """The control block of tests/support/fail_malloc.c."""

    def __init__(self, folder):
        self.library, self.path = folder / "fail_malloc.so", folder / "control"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", self.library, ROOT / "tests/support/fail_malloc.c"], check=True)
        self.path.write_bytes(struct.pack("=QQQQ", 0, OFF, 0, 0))
        self.file = open(self.path, "r+b")  # pylint: disable=consider-using-with
        self.map = mmap.mmap(self.file.fileno(), 32)

    @property
    def env(self):
        return {"LD_PRELOAD": str(self.library), "RMS_FAIL_MALLOC": str(self.path)}

    @property
    def seen(self):
        return struct.unpack_from("=Q", self.map, 0)[0]

    @property
    def failed(self):
        return struct.unpack_from("=Q", self.map, 24)[0]

    def fail(self, at, count):
        """The allocation number at from now, and count in all."""
        struct.pack_into("=QQ", self.map, 8, self.seen + at, count)

    def work(self):
        struct.pack_into("=QQ", self.map, 8, OFF, 0)

    def close(self):
        self.map.close()
        self.file.close()


def message(op, number):
    return soap.request_body(op, padding=3000) + b"<!--%d-->" % number


def script(connection, request):
    """Every other connection is kept for one more request: new and kept ones take different ways through the node."""
    last = connection.index % 2 or sum(1 for seen in connection.cloud.requests if seen.connection == connection.index) > 1
    connection.send(answer(body=b"for " + request.body, headers=[("Connection", "close")] if last else []))
    if last:
        connection.finish()


def exchange(node, index, number):
    """What a caller is told that is not true, or None."""
    op, piece = KINDS[number % len(KINDS)]
    data = soap.request(op, body=message(op, number), chunks=700)
    try:
        with node.caller(index, timeout=5) as caller:
            caller.try_send(data[:piece])
            if data[piece:]:
                time.sleep(0.002)
                caller.try_send(data[piece:])
            got = caller.answer(allow_cut=True)
    except (Gone, OSError, AssertionError) as problem:
        return None if isinstance(problem, (Gone, OSError)) else f"{number}: {problem}"
    if got.status == 200 and got.complete and got.body != b"for " + message(op, number):
        return f"{number}: another answer: {got.body[:100]!r}"
    if got.status not in (200, 400, 429, 500):
        return f"{number}: {got.status}"
    return None


@pytest.mark.timeout(600)
@pytest.mark.parametrize("index", [0, 1], ids=["http", "https"])
@pytest.mark.parametrize("many", [1, 40, 100_000], ids=["one", "forty", "all"])
def test_memory_may_run_out_anywhere(tmp_path, index, many):
    """F13 F07 F22"""
    if sanitized():
        pytest.skip("sanitizers have a malloc of their own")
    memory = Memory(tmp_path)
    try:
        with lab() as it:
            cloud = it.cloud(script)
            node = it.node(cloud, listeners=("http", "https-ecdsa"), env=memory.env,
                           settings={"limits.head_timeout_ms": 1500, "limits.body_timeout_ms": 1500, "upstream.first_byte_ms": 1500,
                                     "upstream.connect_timeout_ms": 1500, "limits.keep_alive_ms": 1500})
            warm = [node.caller() for _ in range(60)]  # libuv's own tables, whose growth it does not survive without memory
            for caller in warm:
                caller.close()
            assert not any(exchange(node, index, n) for n in range(len(KINDS)))
            before = memory.seen
            assert not any(exchange(node, index, n) for n in range(len(KINDS)))
            per_exchange = (memory.seen - before) // len(KINDS)
            assert per_exchange > 5, "the library is not loaded"
            number, problems = 10, []
            for at in spread(range(per_exchange + 10), POINTS):
                for _ in KINDS:
                    number += 1
                    memory.fail(at, many)
                    problems.append(exchange(node, index, number))
                    memory.work()
                    assert node.process.poll() is None, f"allocation {at}: the node ended with {node.process.returncode}\n{node.stderr()[-2000:]}"
                eventually(lambda: node.ask(soap.request(soap.CERTIFY), index=index, timeout=5).status == 200, 10)
            assert not any(problems), [problem for problem in problems if problem][:10]
            assert memory.failed >= POINTS // 4, "nothing failed"
            sent = {message(KINDS[n % len(KINDS)][0], n) for n in range(number + 1)}
            assert {request.body for request in cloud.whole} <= sent | {soap.request_body(soap.CERTIFY)}, "the cloud got a body that nobody sent"
            eventually(lambda: node.metric("exchanges_open") == 0 and node.metric("client_connections_open") == 0, 10)
            assert node.metric("held_bytes") == 0 and node.metric("unexpected_events") == 0
    finally:
        memory.close()
