"""rms-load against servers whose every byte is known: what it sends, what it notices, what it counts, how it ends."""

import re
import signal
import threading
import time

import pytest

from support import net, soap
from support.load import Load, load
from support.node import sanitized
from support.upstream import answer, well
from support.wait import eventually

BYTES = 3000
FIXED = ("--op", "AcquireLicense", "--request-bytes", 2048, "--answer-bytes", BYTES)
BODY = bytes(ord("a") + i % 26 for i in range(BYTES))
FINE = answer(body=BODY)


def fixed(data=FINE):
    """A script that always sends these bytes."""
    return lambda connection, request: connection.send(data)


@pytest.fixture
def run(certs, tmp_path):
    def make(*clouds, expect=0, options=FIXED, more=(), **how):
        return load(tmp_path, *[cloud.url for cloud in clouds], "--ca", certs.ca, *options, *more, expect=expect, **how)
    return make


# ---- what it sends ----

def test_every_request_it_counts_arrived_and_no_other(cloud, run):
    server = cloud(fixed())
    done = run(server, more=("--requests", 200, "--connections", 7))
    assert done["total.requests"] == done["completed"] == done["status.200"] == len(server.whole) == 200
    assert done["errors"] == 0
    assert done["connections.opened"] == len(server.connections) <= 7
    assert {request.operation for request in server.requests} == {soap.ACQUIRE_LICENSE}
    assert {len(request.body) for request in server.requests} == {2048}
    assert {request.header("User-Agent") for request in server.requests} == {f"rms-load answer={BYTES}"}
    assert done["total.bytes_received"] == 200 * BYTES


def test_more_headers_chunks_and_threads(cloud, run):
    server = cloud(fixed())
    token = "Negotiate " + "A" * 1200
    done = run(server, more=("--requests", 60, "--connections", 4, "--threads", 2, "--chunked", "--header", f"Authorization: {token}",
                             "--header", "X-Second: 2", "--request-bytes", 20000))
    assert done["completed"] == len(server.whole) == 60
    assert {request.header("Authorization") for request in server.requests} == {token}
    assert {request.header("X-Second") for request in server.requests} == {"2"}
    assert {(request.framing, len(request.body)) for request in server.requests} == {("chunked", 20000)}


def test_a_large_request_goes_out_whole(cloud, run):
    server = cloud(fixed())
    done = run(server, more=("--requests", 3, "--connections", 1, "--request-bytes", "5M"))
    assert [len(request.body) for request in server.whole] == [5 * 1024 * 1024] * 3
    assert done["completed"] == 3
    pad = re.search(rb"<Padding>(.*)</Padding>", server.whole[0].body).group(1)
    assert pad == bytes(ord("a") + i % 26 for i in range(len(pad)))


def test_connections_alternate_over_the_nodes(cloud, run):
    nodes = [cloud(fixed()), cloud(fixed())]
    done = run(*nodes, more=("--requests", 100, "--connections", 4))
    assert [row["requests"] for row in done["nodes"]] == [len(one.whole) for one in nodes]
    assert all(len(one.connections) == 2 and 20 <= len(one.whole) <= 80 for one in nodes)
    done = run(*nodes, more=("--requests", 40, "--rate", 25, "--connections", 4))
    assert all(14 <= row["requests"] <= 26 for row in done["nodes"])


def test_the_body_waits_for_100_continue(cloud, run):
    bodies_before = []

    def on_head(connection, request):
        assert request.header("Expect") == "100-continue"
        bodies_before.append(len(connection.buffer))
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    done = run(cloud(fixed(), on_head=on_head), more=("--requests", 5, "--connections", 1, "--expect-continue"))
    assert done["completed"] == 5 and bodies_before == [0] * 5
    assert done["total.latency_us.max"] < 350_000


def test_the_body_does_not_wait_for_ever(cloud, run):
    done = run(cloud(fixed()), more=("--requests", 2, "--connections", 1, "--expect-continue"))
    assert done["completed"] == 2 and done["total.latency_us.min"] >= 350_000


def test_new_connections_are_new_and_resume_only_when_asked(cloud, run):
    server = cloud(fixed())
    done = run(server, more=("--requests", 20, "--connections", 2, "--new-connections"))
    assert done["connections.opened"] == len(server.connections) == done["connections.handshakes"] == 20
    assert done["connections.resumed"] == server.resumed == 0
    server = cloud(fixed())
    done = run(server, more=("--requests", 20, "--connections", 1, "--new-connections", "--resume"))
    assert done["connections.resumed"] == server.resumed >= 15


def test_connections_nobody_needs_are_opened_and_kept(cloud, run):
    server = cloud(fixed())
    done = run(server, more=("--duration", 1, "--connections", 30, "--in-flight", 2))
    assert len(server.connections) == done["connections.opened"] == 30


def test_each_profile_calls_as_its_servers_do(cloud, run):
    """A file server's job: opens, protects by itself, ends. A crawl: opens once. Exchange: a connection for each call."""
    server = cloud(well)
    run(server, options=("--profile", "fci", "--requests", 20, "--connections", 2, "--verify", 0))
    jobs = {}
    for request in server.requests:
        jobs.setdefault(request.connection, []).append(request.operation.name)
    start = ["FindServiceLocationsForUser", "Certify", "GetClientLicensorCert", "AcquireTemplateInformation", "AcquireTemplates"]
    assert all(job == start[:len(job)] for job in jobs.values()) and len(jobs) >= 4

    server = cloud(well)
    run(server, options=("--profile", "sharepoint", "--requests", 20, "--connections", 1, "--verify", 0))
    names = [request.operation.name for request in server.requests]
    assert names[:5] == start and names.count("AcquireLicense") >= 13 and len(server.connections) == 1

    server = cloud(well)
    run(server, options=("--profile", "exchange", "--requests", 60, "--connections", 3, "--verify", 0))
    names = [request.operation.name for request in server.requests]
    assert len(server.connections) == 60 and names.count("AcquireLicense") >= 40
    sizes = {len(request.body) for request in server.requests if request.operation.name == "AcquireLicense"}
    assert min(sizes) >= 40000 and max(sizes) <= 66000 and len(sizes) > 1
    bodies = [request.body for request in server.requests if request.operation.name == "AcquireLicense"]
    assert len(set(bodies)) == len(bodies), "each licence request carries its own serial"


# ---- what it notices ----

def in_pieces(size):
    return lambda connection, request: connection.send_pieces(FINE[:400], size) or connection.send(FINE[400:])


GOOD = {
    "head in pieces": in_pieces(7),
    "after interim answers": fixed(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + FINE),
    "chunked": fixed(answer(body=soap.chunked(BODY, 700), headers=[("Transfer-Encoding", "chunked")], length=False)),
    "chunked with trailers": fixed(answer(body=soap.chunked(BODY, 900, trailers=b"X: y\r\n"),
                                          headers=[("Transfer-Encoding", "chunked")], length=False)),
    "that closes": fixed(answer(body=BODY, headers=[("Connection", "close")])),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_answers_of_any_form_are_good(cloud, run, name):
    server = cloud(GOOD[name])
    done = run(server, more=("--requests", 12, "--connections", 2, "--verify", "100%"))
    assert done["completed"] == 12 and done["errors"] == 0
    assert done["verified.answers"] == 12 and done["verified.wrong"] == 0
    assert len(server.connections) == (12 if name == "that closes" else 2)


def test_an_answer_that_ends_with_the_connection_is_whole(cloud, run):
    def script(connection, request):
        connection.send(answer(body=BODY, length=False, headers=[("Connection", "close")]))
        connection.finish()
    assert run(cloud(script), more=("--requests", 4, "--connections", 1, "--verify", "100%"))["completed"] == 4


def stalls(connection, request):
    connection.send(FINE[:200])
    connection.stall(10)


def after(data, how):
    def script(connection, request):
        connection.send(data)
        getattr(connection, how)()
    return script


BAD = {
    "closed": (after(b"", "finish"), "closed"),
    "reset": (after(b"", "reset"), "reset"),
    "cut in the head": (after(FINE[:20], "finish"), "closed"),
    "cut in the body": (after(FINE[:-1], "finish"), "cut"),
    "cut without an end of TLS": (after(FINE[:-1], "cut"), "cut"),
    "until close, without an end of TLS": (after(answer(body=BODY, length=False), "cut"), "cut"),
    "reset in the body": (after(FINE[:-1], "reset"), "cut"),
    "stalled": (stalls, "timeout"),
    "garbage": (fixed(b"\x16\x03\x01 hello\r\n\r\n"), "bad_http"),
    "two lengths": (fixed(FINE.replace(b"Content-Length", b"Content-Length: 5\r\nContent-Length")), "bad_http"),
    "bytes behind the answer": (fixed(FINE + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "bad_http"),
    "bad chunk": (fixed(answer(body=b"5\r\nhello\r\nxyz\r\n", headers=[("Transfer-Encoding", "chunked")], length=False)), "bad_http"),
    "endless interim answers": (fixed(b"HTTP/1.1 102 Processing\r\n\r\n" * 40 + FINE), "bad_http"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_answers_are_named_and_no_success(cloud, run, name):
    script, kind = BAD[name]
    done = run(cloud(script), more=("--requests", 3, "--connections", 1, "--timeout", "500ms"), expect=69)
    assert done["errors_by_kind." + kind] == done["errors"] == 3 and done["completed"] == 0
    assert done["effects.deferred"] == 3


def test_a_server_that_is_not_there(certs, tmp_path):
    url = f"https://localhost:{net.free_port('127.0.0.1')}"
    done = load(tmp_path, url, "--ca", certs.ca, *FIXED, "--requests", 3, "--duration", 5, expect=69)
    assert done["errors_by_kind.refused"] == 3 and done["connections.failed"] == 3
    assert done["effects.final"] == 3 and "no answer at all" in done.err


def test_a_certificate_that_leads_nowhere_is_an_error(certs, cloud, tmp_path):
    server = cloud(fixed(), certificate="cloud-unknown")
    done = load(tmp_path, server.url, "--ca", certs.ca, *FIXED, "--requests", 2, "--connections", 1, expect=69)
    assert done["errors_by_kind.tls"] == 2 and not server.requests
    done = load(tmp_path, server.url, "--insecure", *FIXED, "--requests", 2, "--connections", 1)
    assert done["completed"] == 2


def test_one_changed_byte_is_wrong(cloud, run):
    seen = []

    def script(connection, request):
        seen.append(request)
        connection.send(FINE if len(seen) != 20 else FINE.replace(b"xyz", b"xYz", 1))
    done = run(cloud(script), more=("--requests", 40, "--connections", 1, "--verify", "100%"), expect=1)
    assert done["verified.answers"] == 40 and done["verified.wrong"] == done["errors"] == 1
    assert "WRONG" in done.out


def test_another_length_than_asked_for_is_wrong(cloud, run):
    done = run(cloud(fixed(answer(body=BODY[:-1]))), more=("--requests", 2, "--verify", "0"), expect=1)
    assert done["verified.wrong"] == 2 and str(BYTES - 1) in done["verified.first_wrong"]


def test_refusals_are_counted_by_status_reason_and_effect(cloud, run):
    answers = [
        FINE,
        answer(429, b"the connector is busy\ncorrelation 5\n", [("X-Correlation-Id", "5")], "Too Many Requests", "text/plain"),
        answer(403, soap.fault_body("System.UnauthorizedAccessException: not listed. (connector correlation 7)"),
               [("X-Correlation-Id", "7")], "Forbidden"),
        answer(500, soap.fault_body("NoRightsForRequestedPrincipalException"), (), "Internal Server Error"),
        answer(503, b"", (), "Service Unavailable", "text/plain"),
    ]
    turn = iter(answers * 4)
    done = run(cloud(lambda connection, request: connection.send(next(turn))), more=("--requests", 20, "--connections", 1))
    assert done["status"] == {"200": 4, "403": 4, "429": 4, "500": 4, "503": 4}
    assert done["self_made"] == 8
    assert done["reasons"] == {"the connector is busy": 4, "System.UnauthorizedAccessException: not listed": 4}
    assert done["effects"] == {"ok": 4, "deferred": 4, "final": 12}
    assert done["errors"] == 16 and done["completed"] == 4


# ---- what it counts ----

def test_an_open_loop_counts_from_the_schedule_when_the_server_stalls(cloud, run):
    """A hundred a second on one connection; after 50 answers the server says nothing for a second. About a hundred callers had to wait."""
    seen = []

    def script(connection, request):
        seen.append(request)
        if len(seen) == 50:
            time.sleep(1)
        connection.send(FINE)
    done = run(cloud(script), more=("--rate", 100, "--duration", 3, "--connections", 1))
    assert done["total.requests"] == 300 and done["errors"] == 0
    assert done["late"] >= 80 and done["latest_us"] > 800_000
    waited = sum(count for low, _, count in done["histogram_us"] if low > 100_000)
    assert waited >= 80
    assert done["total.latency_us.max"] >= 900_000 and done["total.latency_us.p75"] > 100_000


def test_what_could_not_be_sent_in_time_is_an_error(cloud, run):
    def slow(connection, request):
        time.sleep(0.2)
        connection.send(FINE)
    done = run(cloud(slow), more=("--rate", 100, "--duration", 1, "--connections", 2, "--check", "unsent==0"), expect=1)
    assert done["total.requests"] == 100
    assert done["errors_by_kind.unsent"] >= 80 and done["completed"] <= 20
    assert done["errors"] == done["errors_by_kind.unsent"] + done["errors_by_kind.unfinished"]


def test_a_rate_is_kept(cloud, run):
    done = run(cloud(fixed()), more=("--rate", 200, "--duration", 2, "--connections", 8, "--check", "rate>=190", "--check", "rate<=210"))
    assert done["total.requests"] == 400
    assert [check["holds"] for check in done["checks"]] == [True, True]


def test_the_warm_up_is_not_counted(cloud, run):
    server = cloud(fixed())
    done = run(server, more=("--rate", 100, "--warmup", 1, "--duration", 1, "--connections", 2))
    assert done["total.requests"] == 100 and len(server.whole) == 200


def test_every_second_is_told(cloud, run):
    done = run(cloud(fixed()), more=("--rate", 100, "--duration", 3, "--connections", 2))
    seconds = done["by_second"]
    assert len(seconds) in (3, 4) and all(80 <= second["good"] <= 120 for second in seconds[:2])
    assert sum(second["good"] for second in seconds) == done["completed"] == 300


@pytest.mark.parametrize("rule, status", [("errors==0", 0), ("p99<10s", 0), ("p99<1us", 1), ("rate>1000000", 1), ("status.200=10", 0),
                                          ("requests>10", 1), ("AcquireLicense.errors<=0%", 0), ("verified>=1", 0)])
def test_checks_decide_the_exit_status(cloud, run, rule, status):
    done = run(cloud(fixed()), more=("--requests", 10, "--verify", "100%", "--check", "requests=10", "--check", rule), expect=status)
    assert [check["holds"] for check in done["checks"]] == [True, status == 0]
    assert (f"--check '{rule}' does not hold" in done.err) == (status == 1)
    assert f"{rule}: {'FAILED' if status else 'holds'}" in done.out


@pytest.mark.parametrize("arguments, word", [((), "say where to send"), (("http://127.0.0.1",), "say what to send"),
                                             (("http://192.0.2.1", "--op", "Certify"), "--i-own-this-server"),
                                             (("http://127.0.0.1", "--op", "AcquireLicense", "--request-bytes", "10"), "at least"),
                                             (("https://127.0.0.1", "--op", "Certify", "--ca", "/no/such/file"), "/no/such/file")])
def test_wrong_usage_ends_with_64_and_words(tmp_path, arguments, word):
    done = load(tmp_path, *arguments, expect=64)
    assert word in done.err and done.report is None


# ---- how it ends ----

@pytest.mark.threaded
def test_a_signal_ends_it_early_with_results(certs, cloud, tmp_path):
    server = cloud(fixed())
    running = Load(tmp_path, server.url, "--ca", certs.ca, *FIXED, "--duration", 60, "--connections", 4, "--threads", 2)
    eventually(lambda: len(server.whole) > 20, 20)
    running.process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    done = running.wait()
    assert time.monotonic() - begun < (10 if sanitized() else 3)
    assert done.status == 0 and done["interrupted"] and done["completed"] > 20
    assert "ended early" in done.out and done["seconds"] < 30


def test_requests_in_flight_at_the_end_are_waited_for_but_not_for_ever(cloud, run):
    ended = threading.Event()

    def slow(connection, request):
        if request.connection == 0:
            ended.wait(20)
        else:
            time.sleep(0.3)
        connection.send(FINE)
    begun = time.monotonic()
    done = run(cloud(slow), more=("--duration", 1, "--connections", 2))
    assert time.monotonic() - begun < 15
    ended.set()
    assert done["errors_by_kind.unfinished"] == 1 and done["completed"] >= 3


def test_it_always_ends_by_itself(cloud, run):
    begun = time.monotonic()
    done = run(cloud(fixed()), more=("--duration", 1, "--connections", 2, "--requests", 100000000))
    assert time.monotonic() - begun < 15 and done["completed"] > 0
