"""The scenarios' own tools: a caller and a cloud of raw bytes, speaking with each other without a node between them."""

import pytest

from support import soap
from support.caller import Gone, RawCaller, client_context
from support.upstream import answer, well
from support.wait import eventually


@pytest.fixture
def direct(certs):
    def connect(cloud):
        return RawCaller(cloud.host, cloud.port, tls=client_context(certs), server_name="localhost")
    return connect


@pytest.mark.parametrize("op", soap.OPERATIONS, ids=soap.op_id)
@pytest.mark.parametrize("version", [11, 12])
def test_every_operation_is_understood_by_the_cloud(cloud, direct, op, version):
    working = cloud()
    with direct(working) as caller:
        for chunks in (None, 7, [1, 2, 300]):
            got = caller.ask(soap.request(op, version, chunks=chunks))
            assert (got.status, got.body) == (200, soap.answer_body(op, version))
    assert [request.body for request in working.whole] == [soap.request_body(op, version)] * 3
    assert working.names == ["localhost"]


@pytest.mark.parametrize("end, seen", [("finish", "eof"), ("cut", "cut"), ("reset", "cut"), ("half_close", "eof")])
def test_every_end_of_a_connection_is_told_apart(cloud, direct, end, seen):
    def script(connection, _request):
        connection.send(answer(body=b"x" * 100)[:-10])
        getattr(connection, end)()
    with direct(cloud(script)) as caller:
        got = caller.ask(soap.request(soap.CERTIFY), allow_cut=True)
        assert not got.complete and got.body == b"x" * 90
        assert caller.ended == seen


def test_an_answer_that_is_cut_fails_unless_it_was_expected(cloud, direct):
    def script(connection, _request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")
        connection.cut()
    with direct(cloud(script)) as caller, pytest.raises(Gone):
        caller.ask(soap.request(soap.CERTIFY))


@pytest.mark.parametrize("hostile", [
    b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxxx\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: x\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\n\r\n",
])
def test_the_caller_takes_no_answer_that_is_not_strict(cloud, direct, hostile):
    with direct(cloud(lambda connection, _request: connection.send(hostile))) as caller, pytest.raises(AssertionError):
        caller.ask(soap.request(soap.CERTIFY))


def test_the_cloud_knows_how_a_caller_left(cloud, direct):
    working = cloud(lambda connection, _request: connection.stall(5))
    caller = direct(working)
    caller.send(soap.request(soap.CERTIFY))
    caller.close()
    assert eventually(lambda: working.connections[0].ended) in ("cut", "rst", "eof")


def test_the_script_of_a_working_cloud_answers_in_the_version_of_the_request(cloud, direct):
    with direct(cloud(well)) as caller:
        assert caller.ask(soap.request(soap.CERTIFY, 12)).header("Content-Type").startswith("application/soap+xml")
