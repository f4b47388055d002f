"""The floor that proxies are measured against must itself relay rightly: every byte, any size, either side slow."""

import hashlib
import subprocess
import time

import pytest

from support import net
from support.caller import Gone, RawCaller, client_context
from support.node import program
from support.upstream import answer
from support.wait import eventually

MIB = 1024 * 1024


def pattern(n):
    return bytes(hashlib.sha256(b"%d" % (n % 97)).digest()) * (n // 32 + 1)


def sized(connection, request):
    """Answers with as many bytes as the request asks for, and what it got of the request."""
    n = int(request.header("User-Agent").split("=")[1])
    connection.send(answer(body=pattern(n)[:n], headers=[("X-Seen", hashlib.sha256(request.body).hexdigest())]))


def post(size, wanted):
    body = pattern(size)[:size]
    head = f"POST /x HTTP/1.1\r\nHost: h\r\nUser-Agent: answer={wanted}\r\ncontent-length: {size}\r\n\r\n"
    return head.encode() + body, body


@pytest.fixture
def floor(certs, tmp_path):
    running = []

    def make(cloud, tls=False, workers=1):
        port = net.free_port()
        front = ["--tls-cert", certs.chain("connector-ecdsa"), "--tls-key", certs.key("connector-ecdsa")] if tls else []
        with open(tmp_path / "floor.txt", "ab") as said:
            running.append(subprocess.Popen(
                [program("rms-floor"), "--listen", f"{net.HOST}:{port}", *front, "--upstream", f"{cloud.host}:{cloud.port}",
                 "--upstream-name", "localhost", "--ca", certs.ca, "--workers", str(workers)], stdout=said, stderr=said))

        def connect(**how):
            return RawCaller(net.HOST, port, tls=client_context(certs) if tls else None, **how)
        eventually(lambda: connect().close() is None)
        return connect
    yield make
    for one in running:
        assert one.poll() is None, (tmp_path / "floor.txt").read_text()
        one.terminate()
        one.wait(10)
    said = (tmp_path / "floor.txt").read_text() if (tmp_path / "floor.txt").exists() else ""
    assert "Sanitizer" not in said and "runtime error" not in said, said


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("size, wanted", [(0, 0), (1, 1), (2048, 8192), (16384, 24576), (262144, 262144), (3 * MIB, 5), (5, 3 * MIB)])
def test_bytes_cross_unchanged_in_both_directions(cloud, floor, tls, size, wanted):
    working = cloud(sized)
    data, body = post(size, wanted)
    with floor(working, tls)() as caller:
        for _ in range(3):
            got = caller.ask(data)
            assert got.header("X-Seen") == hashlib.sha256(body).hexdigest()
            assert got.body == pattern(wanted)[:wanted]
    assert len(working.connections) == 1  # kept
    assert working.names == ["localhost"]


def test_a_head_may_come_byte_by_byte(cloud, floor):
    data, _ = post(10, 10)
    with floor(cloud(sized))() as caller:
        caller.send_pieces(data, [1] * (len(data) - 5))
        assert caller.answer().body == pattern(10)[:10]


def test_a_caller_that_does_not_read_stops_the_cloud(cloud, floor):
    sent = []

    def script(connection, _request):
        connection.send(answer(body=b"")[:-4].replace(b"Content-Length: 0", b"Content-Length: %d" % (32 * MIB)) + b"\r\n\r\n")
        for _ in range(32):
            connection.send(b"x" * MIB)
            sent.append(MIB)
    with floor(cloud(script))(receive_bytes=65536) as caller:
        caller.send(post(10, 10)[0])
        eventually(lambda: sent)
        time.sleep(0.5)
        assert sum(sent) < 16 * MIB  # the kernel's buffers and the floor's one piece, not the body
        assert len(caller.answer().body) == 32 * MIB


@pytest.mark.threaded
def test_workers_share_the_port(cloud, floor):
    connect = floor(cloud(sized), workers=2)
    for _ in range(20):
        with connect() as caller:
            assert caller.ask(post(100, 100)[0]).body == pattern(100)[:100]


@pytest.mark.parametrize("certificate", ["cloud-unknown", "cloud-wrong-name", "cloud-expired"])
def test_a_cloud_that_is_not_the_right_one_gets_nothing(cloud, floor, certificate):
    wrong = cloud(sized, certificate=certificate)
    with floor(wrong)() as caller, pytest.raises(Gone):
        caller.ask(post(10, 10)[0])
    assert not wrong.requests


def test_a_closed_upstream_connection_is_replaced(cloud, floor):
    def script(connection, request):
        sized(connection, request)
        connection.finish()
    working = cloud(script)
    with floor(working)() as caller:
        for number in range(3):
            assert caller.ask(post(10, 10)[0]).status == 200
            eventually(lambda number=number: len(working.connections) == number + 1)
            time.sleep(0.1)
