"""Requests and answers that two readers could understand differently. The judge is what reached the other side."""

import pytest

from support import hostile, soap
from support.caller import Gone
from support.node import Node
from support.upstream import Upstream, answer, well
from support.wait import eventually

CERTIFY = soap.CERTIFY


@pytest.fixture(scope="module")
def pair(certs, tmp_path_factory):
    """One cloud and one node for all cases: what one case leaves behind would show in the next."""
    cloud = Upstream(certs)
    node = Node(tmp_path_factory.mktemp("hostile"), certs, cloud.url, settings={"upstream.first_byte_ms": 3000, "upstream.idle_timeout_ms": 3000,
                                                                               "limits.linger_ms": 200}).start()
    yield cloud, node
    cloud.stop()
    node.finish()
    assert not cloud.problems, cloud.problems


def refused(pair, data):
    """400, then the end; whatever reached the cloud is not whole and not the second request."""
    cloud, node = pair
    cloud.script = well
    whole, seen = len(cloud.whole), len(cloud.requests)
    with node.caller() as caller:
        caller.try_send(data)
        got = caller.answer()
        assert got.status == 400 and got.closes, (got.status, got.body)
        caller.expect_end()
    assert node.ask(soap.request(soap.TEMPLATES)).status == 200
    eventually(lambda: len(cloud.whole) == whole + 1)
    assert all(request.operation is not soap.ACQUIRE_LICENSE for request in cloud.requests[seen:])
    assert not any(hostile.MARK in raw for raw in cloud.raw.values())


def test_there_are_enough_of_them():
    """F16"""
    assert len(hostile.REQUEST_HEADS) + len(hostile.REQUEST_BODIES) >= 300
    assert len(hostile.BAD_ANSWERS) + len(hostile.BAD_ANSWER_BODIES) + len(hostile.ODD_ANSWERS) >= 100
    names = [row[0] for row in hostile.REQUEST_HEADS + hostile.REQUEST_BODIES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name, data", hostile.REQUEST_HEADS, ids=[row[0] for row in hostile.REQUEST_HEADS])
def test_a_head_that_could_be_read_in_two_ways_is_refused(pair, name, data):
    """F16"""
    cloud, node = pair
    before, refusals = len(cloud.requests), node.metric("guard_refusals")
    refused(pair, data)
    assert len(cloud.requests) == before + 1, "something of it reached the cloud"
    assert node.metric("guard_refusals") == refusals + 1


@pytest.mark.parametrize("name, data", hostile.REQUEST_BODIES, ids=[row[0] for row in hostile.REQUEST_BODIES])
def test_a_body_that_could_be_read_in_two_ways_is_refused(pair, name, data):
    """F16"""
    refused(pair, data)


@pytest.mark.parametrize("pieces", [1, 7, 100])
@pytest.mark.parametrize("index", range(0, len(hostile.REQUEST_HEADS), 29))
def test_refusals_do_not_depend_on_how_bytes_arrive(pair, index, pieces):
    """F16"""
    cloud, node = pair
    cloud.script = well
    data = hostile.REQUEST_HEADS[index][1]
    with node.caller() as caller:
        try:
            caller.send_pieces(data[:1200], pieces, delay=0.0002)
        except OSError:
            pass
        got = caller.answer()
        assert got.status == 400
    assert not any(hostile.MARK in raw for raw in cloud.raw.values())


@pytest.mark.parametrize("index", range(0, len(hostile.REQUEST_HEADS), 37))
def test_a_good_request_before_a_hostile_one_is_answered_first(pair, index):
    """F16"""
    cloud, node = pair
    cloud.script = well
    with node.caller() as caller:
        caller.send(soap.request(CERTIFY) + hostile.REQUEST_HEADS[index][1])
        assert caller.answer().status == 200
        assert caller.answer().status == 400
        caller.expect_end()


@pytest.mark.parametrize("name, data", [
    ("chunked in capitals", hostile.request(b"Transfer-Encoding: CHUNKED", body=hostile.chunks(hostile.BODY))),
    ("a short extension", hostile.request(hostile.CHUNKED, body=hostile.chunks(hostile.BODY, b"%x;a=b\r\n" % len(hostile.BODY)))),
    ("trailers", hostile.request(hostile.CHUNKED, body=hostile.chunks(hostile.BODY, last=b"0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"))),
    ("one empty line first", b"\r\n" + hostile.request(hostile.LENGTH)),
    ("spaces round a value", hostile.request(hostile.LENGTH, b"X-Any: \t a \t ")),
    ("capital digits", hostile.request(hostile.CHUNKED, body=hostile.chunks(hostile.BODY, b"%X\r\n" % len(hostile.BODY)))),
], ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_strange_but_clear_is_relayed(pair, name, data):
    """F15 F16: both requests arrive, whole and apart; trailers do not travel."""
    cloud, node = pair
    cloud.script = well
    before = len(cloud.requests)
    with node.caller() as caller:
        caller.send(data.replace(hostile.MARK, b"asked-for" * 3))
        assert caller.answer().status == 200 and caller.answer().status == 200
    first, second = cloud.requests[before:]
    assert first.body == hostile.BODY and not first.trailers and first.header("X-Sum") is None
    assert second.operation is soap.ACQUIRE_LICENSE


@pytest.mark.parametrize("method, path", [("GET", "/livez"), ("GET", CERTIFY.path), ("HEAD", "/readyz"), ("PUT", CERTIFY.path), ("POST", "/nothing")])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_where_none_is_wanted_is_not_taken_for_a_request(pair, method, path, framing):
    """F16: it is read and thrown away, or the connection closes."""
    cloud, node = pair
    before = len(cloud.requests)
    inner = hostile.SECOND
    body = inner if framing == "length" else soap.chunked(inner, 50)
    line = b"Content-Length: %d" % len(inner) if framing == "length" else b"Transfer-Encoding: chunked"
    with node.caller() as caller:
        caller.send(hostile.head(hostile.HOST, line, start=f"{method} {path} HTTP/1.1".encode()) + body)
        got = caller.answer(method)
        assert got.status in (200, 400, 404, 405, 415)
        if not got.closes:
            assert caller.ask(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", "GET").status == 200
        else:
            caller.expect_end()
    assert len(cloud.requests) == before


# ---- answers ----

def sends(data, end="stall"):
    """Answers the first request with these bytes and a poisoned second answer; every later one is fine."""
    state = {"used": False}

    def script(connection, request):
        if request.operation is CERTIFY and not state["used"]:
            state["used"] = True
            # In one piece: what comes later, when the connection serves another request, nobody can tell from an answer.
            connection.send(data + hostile.POISON)
            if end == "stall":
                connection.stall(2.5)
            else:
                getattr(connection, end)()
        else:
            well(connection, request)
    return script


def assert_clean(pair, caller, index):
    """The caller's next request, on its own or a new connection, gets its own answer by another upstream connection."""
    cloud, node = pair
    if caller.ended is None:
        assert caller.ask(soap.request(soap.TEMPLATES)).body == soap.answer_body(soap.TEMPLATES)
    assert node.ask(soap.request(soap.TEMPLATES)).body == soap.answer_body(soap.TEMPLATES)
    assert cloud.requests[-1].connection != index
    assert hostile.MARK not in caller.buffer


@pytest.mark.parametrize("name, data", hostile.BAD_ANSWERS, ids=[row[0] for row in hostile.BAD_ANSWERS])
def test_an_answer_that_could_be_read_in_two_ways_is_refused(pair, name, data):
    """F16 F13: the caller hears of a failure to try again, never a byte of it."""
    cloud, node = pair
    cloud.script = sends(data)
    with node.caller() as caller:
        got = caller.ask(soap.request(CERTIFY))
        index = cloud.requests[-1].connection
        assert got.status == 500 and got.header("Retry-After") and hostile.GOOD not in got.body, (got.status, got.body)
        assert_clean(pair, caller, index)
    eventually(lambda: cloud.connections[index].ended, 5)


@pytest.mark.parametrize("name, data", hostile.BAD_ANSWER_BODIES, ids=[row[0] for row in hostile.BAD_ANSWER_BODIES])
def test_an_answer_whose_body_goes_wrong_never_looks_complete(pair, name, data):
    """F16"""
    cloud, node = pair
    cloud.script = sends(data)
    with node.caller() as caller:
        caller.send(soap.request(CERTIFY))
        got = caller.answer(allow_cut=True)
        index = cloud.requests[-1].connection
        assert got.status == 500 or not got.complete, (got.status, got.body)
        assert hostile.MARK not in got.body
        assert_clean(pair, caller, index)


@pytest.mark.parametrize("name, data, status, body, again", hostile.ODD_ANSWERS, ids=[row[0] for row in hostile.ODD_ANSWERS])
def test_a_strange_but_clear_answer_is_relayed(pair, name, data, status, body, again):
    """F15 F16: 1xx forms, no content, extensions."""
    cloud, node = pair
    cloud.script = lambda connection, request: connection.send(data) if request.operation is CERTIFY else well(connection, request)
    with node.caller() as caller:
        got = caller.ask(soap.request(CERTIFY))
        assert (got.status, got.body) == (status, body) and not got.interim and got.header("X-Sum") is None
        index = cloud.requests[-1].connection
        assert caller.ask(soap.request(soap.TEMPLATES)).body == soap.answer_body(soap.TEMPLATES)
        assert (cloud.requests[-1].connection == index) == again


@pytest.mark.parametrize("name, data, status, body, again", [row for row in hostile.ODD_ANSWERS if row[4]], ids=[row[0] for row in hostile.ODD_ANSWERS if row[4]])
def test_bytes_behind_an_answer_end_its_connection(pair, name, data, status, body, again):
    """F16 H07: the answer is good, what follows is nobody's."""
    cloud, node = pair
    cloud.script = sends(data)
    with node.caller() as caller:
        got = caller.ask(soap.request(CERTIFY))
        assert (got.status, got.body) == (status, body)
        assert_clean(pair, caller, cloud.requests[-1].connection)


@pytest.mark.parametrize("data", [
    hostile.reply(b"Content-Length: 5", start=b"HTTP/1.1 204 No Content", body=b"12345"),
    hostile.reply(hostile.CHUNKED, start=b"HTTP/1.1 204 No Content", body=b"5\r\n12345\r\n0\r\n\r\n"),
    hostile.reply(start=b"HTTP/1.1 204 No Content", body=b"12345"),
    b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n12345" + hostile.reply(hostile.SIZE),
    b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hostile.reply(hostile.SIZE),
    hostile.reply(hostile.SIZE, start=b"HTTP/1.1 205 Reset Content"),
], ids=["204 with a length", "204 chunked", "204 and bytes", "100 with a length", "100 chunked", "205 with a body"])
def test_bodies_where_none_can_be_desynchronize_nothing(pair, data):
    """F16: refused or relayed without them; either way the next answer is the right one."""
    cloud, node = pair
    cloud.script = sends(data)
    with node.caller() as caller:
        got = caller.ask(soap.request(CERTIFY))
        assert got.status in (204, 205, 500) and b"12345" not in got.body
        assert_clean(pair, caller, cloud.requests[-1].connection)


FRAMINGS = {"length": [hostile.SIZE], "chunked": [hostile.CHUNKED], "until the end": [b"Connection: close"]}


@pytest.mark.parametrize("end", ["finish", "cut", "reset", "half_close"])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("part", ["half the body", "the head alone", "all but the last byte"])
def test_a_truncated_answer_never_looks_complete(pair, end, framing, part):
    """F16 F13: also without close_notify where only the end of the connection ends the body."""
    cloud, node = pair
    whole = hostile.reply(*FRAMINGS[framing], body=hostile.GOOD if framing != "chunked" else b"%x\r\n%s\r\n0\r\n\r\n" % (len(hostile.GOOD), hostile.GOOD))
    start = whole.index(b"\r\n\r\n") + 4
    data = whole[:{"half the body": start + 20, "the head alone": start, "all but the last byte": len(whole) - 1}[part]]

    def script(connection, request):
        if request.operation is CERTIFY:
            connection.send(data)
            getattr(connection, end)()
            if end == "half_close":
                connection.sock.close()
        else:
            well(connection, request)
    cloud.script = script
    with node.caller() as caller:
        caller.send(soap.request(CERTIFY))
        try:
            got = caller.answer(allow_cut=True)
        except Gone:
            got = None
        if framing == "until the end" and end in ("finish", "half_close"):
            assert got.status == 200 and got.complete and got.body == data[start:], "the connection ended in good order: so did the answer"
        else:
            assert got is None or got.status == 500 or not got.complete
        assert_clean(pair, caller, cloud.requests[-1].connection)


def test_answers_go_to_those_who_asked(pair):
    """F16 H07: many callers, each with its own tag, over few connections, some of them cut."""
    import threading  # pylint: disable=import-outside-toplevel
    cloud, node = pair

    def script(connection, request):
        tag = request.body.split(b"tag-")[1][:6]
        if tag.endswith(b"7"):
            connection.reset()
        else:
            connection.send(answer(body=b"for-" + tag))
    cloud.script = script
    problems = []

    def one(number):
        try:
            for turn in range(40):
                tag = f"{number:02d}{turn:04d}"
                with node.caller() as caller:
                    caller.send(soap.request(CERTIFY, body=soap.request_body(CERTIFY) + f"<!--tag-{tag}-->".encode()))
                    if turn % 5 == 4:
                        continue
                    got = caller.answer()
                    good = got.status == 500 if tag.endswith("7") else got.body == f"for-{tag}".encode()
                    if not good:
                        problems.append((tag, got.status, got.body))
        except Exception as problem:  # pylint: disable=broad-except
            problems.append(repr(problem))
    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[:5]
