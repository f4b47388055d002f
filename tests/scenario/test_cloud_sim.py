"""The cloud stand-in by itself: what tests of the node build on must do what its script says."""

import hashlib
import json
import socket
import ssl
import subprocess
import time

import pytest

from support import soap
from support.caller import Gone, RawCaller, client_context
from support.node import program
from support.sim import sim, sim_caller, simulator  # noqa: F401  (fixtures)
from support.wait import eventually, never

LICENSE = soap.ACQUIRE_LICENSE
ASK = soap.request(soap.SERVER_INFO, host="cloud.test")


# ---- what the service does ----

@pytest.mark.parametrize("version", [11, 12])
@pytest.mark.parametrize("op", [op for op in soap.OPERATIONS if op is not soap.ACQUIRE_IL], ids=lambda op: op.path.split("/")[-1] + op.name)
def test_every_operation_is_answered_in_its_soap_version(sim, certs, op, version):
    with sim_caller(sim, certs) as one:
        answer = one.ask(soap.request(op, version, host="cloud.test"))
    assert answer.status == 200, answer.body
    assert f"<{op.name}Response xmlns=\"{soap.BASE}{op.namespace}\">".encode() in answer.body
    kind = "application/soap+xml" if version == 12 else "text/xml"
    assert answer.header("Content-Type") == f"{kind}; charset=utf-8"


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/_wmcs/certification/servercertification.asmx", 200), ("GET", "/_WMCS/Licensing/LICENSE.asmx", 200),
    ("GET", "/_wmcs/decommission/decommission.asmx", 404), ("GET", "/", 404), ("PUT", LICENSE.path, 405)])
def test_pages_and_refusals_are_those_of_a_web_server(sim, certs, method, path, status):
    with sim_caller(sim, certs) as one:
        answer = one.ask(f"{method} {path} HTTP/1.1\r\nHost: cloud.test\r\nContent-Length: 0\r\n\r\n".encode())
    assert answer.status == status
    assert b"<html>" in answer.body
    if status == 405:
        assert answer.header("Allow") == "GET, POST"


def test_an_unknown_action_is_a_fault_of_the_client(sim, certs):
    request = soap.request(LICENSE, host="cloud.test").replace(b"AcquireLicense\"\r\n", b"Nonsense\"\r\n")
    with sim_caller(sim, certs) as one:
        answer = one.ask(request)
    assert answer.status == 500 and b"<faultcode>soap:Client</faultcode>" in answer.body
    assert b"VersionData" not in answer.body


def test_a_body_that_is_no_xml_is_a_fault_and_still_counted(sim, certs):
    with sim_caller(sim, certs) as one:
        answer = one.ask(soap.request(LICENSE, body=b"\xef\xbb\xbfjunk", host="cloud.test"))
    assert answer.status == 500 and answer.is_fault
    assert sim.requests()[0]["sha256"] == hashlib.sha256(b"\xef\xbb\xbfjunk").hexdigest()


def test_a_malformed_request_is_refused_and_its_reason_counted(sim, certs):
    with sim_caller(sim, certs) as one:
        assert one.ask(b"POST / HTTP/1.1\nHost: x\n\n").status == 400
        one.expect_end()
    seen = sim.seen()
    assert seen["malformed"] == 1 and sum(seen["refused"].values()) == 1


def test_different_credentials_are_different_accounts(sim, certs):
    names = []
    for token in ("one", "two", "one"):
        with sim_caller(sim, certs) as one:
            body = soap.request(soap.CERTIFY, host="cloud.test", headers=[("Authorization", f"Bearer {token}")])
            names.append(one.ask(body).body.split(b"<ISSUEDPRINCIPALS>")[1].split(b"<NAME>")[1].split(b"<")[0])
    assert names[0] == names[2] != names[1]


# ---- what it has seen ----

def test_seen_tells_what_arrived(sim, certs):
    request = soap.request(LICENSE, padding=5000, host="cloud.test", headers=[("X-Odd", "\xe9"), ("X-Odd", "two")])
    body = request.split(b"\r\n\r\n", 1)[1]
    with sim_caller(sim, certs) as one:
        one.ask(request)
        one.ask(request)
        one.ask(ASK)
    seen = sim.seen()
    first, second, third = seen["last"]
    assert first["sha256"] == hashlib.sha256(body).hexdigest() and first["bytes"] == len(body)
    assert first["op"] == "AcquireLicense" and first["path"] == LICENSE.path and first["method"] == "POST"
    assert [value for name, value in first["headers"] if name == "X-Odd"] == ["\xe9", "two"]
    assert first["whole"] and first["answered"] and not first["cut"] and first["status"] == 200
    assert first["connection"] == second["connection"] == third["connection"]
    assert second["duplicate"] and not first["duplicate"] and not third["duplicate"]
    assert seen["duplicates"] == 1 and seen["requests"] == seen["whole"] == 3
    assert seen["ops"]["AcquireLicense"]["requests"] == 2
    assert seen["ops"]["AcquireLicense"]["request_bytes"] == 2 * len(body)
    assert seen["connections"]["accepted"] == seen["connections"]["handshakes"] == 1
    assert len(sim.seen(last=2)["last"]) == 2
    sim.reset()
    seen = sim.seen()
    assert seen["requests"] == 0 and seen["last"] == []


def test_a_chunked_request_is_the_same_body(sim, certs):
    body = soap.request_body(LICENSE, padding=3000)
    with sim_caller(sim, certs) as one:
        assert one.ask(soap.request(LICENSE, body=body, chunks=[1, 700, 3], host="cloud.test")).status == 200
    assert sim.requests()[0]["sha256"] == hashlib.sha256(body).hexdigest()


def test_resumption_is_seen_by_connection(sim, certs):
    context = client_context(certs)
    with RawCaller(sim.host, sim.port, tls=context, server_name="cloud.test") as one:
        one.ask(ASK)
        session = one.sock.session
    raw = socket.create_connection((sim.host, sim.port))
    with context.wrap_socket(raw, server_hostname="cloud.test", session=session) as again:
        again.sendall(ASK)
        assert again.recv(100).startswith(b"HTTP/1.1 200")
    first, second = sim.requests()
    assert not first["resumed"] and second["resumed"]
    assert sim.seen()["connections"]["resumed"] == 1


def test_a_caller_that_leaves_is_counted_by_where_it_left(sim, certs):
    one = sim_caller(sim, certs)
    one.send(soap.request(LICENSE, padding=20000, host="cloud.test")[:-5000])
    eventually(lambda: sim.seen()["requests"] == 1)
    one.reset()
    eventually(lambda: sim.seen()["cut"] == 1)
    sim.script({"delay_ms": 30000})
    two = sim_caller(sim, certs)
    two.send(ASK)
    eventually(lambda: sim.seen()["whole"] == 1)
    two.reset()
    eventually(lambda: sim.seen()["answers_cut"] == 1)
    seen = sim.seen()
    assert seen["cut"] == 1 and not seen["last"][0]["whole"] and seen["last"][1]["cut"]
    eventually(lambda: sim.seen()["connections"]["open"] == 0)


# ---- listeners ----

def test_each_address_has_its_own_certificate_and_versions(simulator, certs):  # noqa: F811
    rsa = f"cert={certs.chain('connector-rsa')},key={certs.key('connector-rsa')}"
    sim = simulator(listen=[f"127.0.0.1:0,cert={certs.chain('cloud-expired')},key={certs.key('cloud-expired')}",
                            f"127.0.0.1:0,cert={certs.chain('cloud-unknown')},key={certs.key('cloud-unknown')}",
                            f"127.0.0.1:0,{rsa},tls-max=1.1", "127.0.0.1:0,plain"])
    assert sim.urls[4].startswith("http://")
    for port, text in ((sim.ports[1], "expired"), (sim.ports[2], "unable to get local issuer")):
        with pytest.raises(ssl.SSLCertVerificationError, match=text):
            RawCaller("127.0.0.1", port, tls=client_context(certs), server_name="cloud.test")
    with pytest.raises(ssl.SSLError):
        RawCaller("127.0.0.1", sim.ports[3], tls=client_context(certs), server_name="localhost")
    old = client_context(certs, version=ssl.TLSVersion.TLSv1_1)
    with RawCaller("127.0.0.1", sim.ports[3], tls=old, server_name="localhost") as one:
        assert one.sock.version() == "TLSv1.1" and one.ask(ASK).status == 200
    with RawCaller("127.0.0.1", sim.ports[4]) as one:
        assert one.ask(ASK).status == 200
    eventually(lambda: sim.seen()["connections"]["failed_handshakes"] >= 3)


@pytest.mark.parametrize("arguments, text", [
    (["--listen", "0.0.0.0:0", "--plain"], "only loopback"), (["--listen", "[::]:0", "--plain"], "only loopback"),
    (["--listen", "127.0.0.1:0"], "--tls-cert"), ([], "--listen is missing"), (["--listen", "nonsense", "--plain"], "HOST:PORT"),
    (["--listen", "127.0.0.1:0", "--plain", "--workers", "0"], "--workers"), (["--frobnicate"], "--frobnicate"),
    (["--listen", "127.0.0.1:0", "--tls-cert", "/nonexistent.pem", "--tls-key", "/nonexistent.key"], "/nonexistent.pem"),
    (["--listen", "127.0.0.1:0", "--plain", "--control", "192.0.2.1:5"], "only loopback"),
    (["--listen", "127.0.0.1:0", "--plain", "--tenant-url", "ftp://x"], "tenant URL")])
def test_a_wrong_command_line_is_explained(arguments, text):
    done = subprocess.run([program("rms-cloud-sim"), *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode in (1, 2) and text in done.stderr and "Sanitizer" not in done.stderr


def test_help_is_printed_and_seconds_end_it():
    done = subprocess.run([program("rms-cloud-sim"), "--help"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "--bench-answer" in done.stdout
    begun = time.monotonic()
    done = subprocess.run([program("rms-cloud-sim"), "--listen", "127.0.0.1:0", "--plain", "--seconds", "1"], capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 0 and 0.9 < time.monotonic() - begun < 20


def test_a_kept_key_gives_the_same_certificates_again(simulator, certs, tmp_path):  # noqa: F811
    chains = []
    for _ in range(2):
        sim = simulator(arguments=["--slc-key", tmp_path / "slc.pem", "--tenant-url", "https://t.example"])
        with sim_caller(sim, certs) as one:
            chains.append(one.ask(soap.request(soap.LICENSOR_CERTIFICATE, host="cloud.test")).body)
        sim.stop()
    assert chains[0] == chains[1] and b"https://t.example/_wmcs" in chains[0]


def test_the_log_has_a_line_for_each_request(simulator, certs, tmp_path):  # noqa: F811
    sim = simulator(arguments=["--log", tmp_path / "requests.jsonl"])
    with sim_caller(sim, certs) as one:
        one.ask(ASK)
        one.ask(soap.request(LICENSE, host="cloud.test"))
    seen = sim.requests()
    sim.stop()
    lines = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text(encoding="ascii").splitlines()]
    assert lines == seen and [line["op"] for line in lines] == ["GetServerInfo", "AcquireLicense"]


@pytest.mark.threaded
def test_several_workers_share_script_and_memory(simulator, certs):  # noqa: F811
    sim = simulator(arguments=["--workers", 3])
    for _ in range(24):
        with sim_caller(sim, certs) as one:
            assert one.ask(ASK).status == 200
    sim.script({"times": 2, "status": 503})
    statuses = []
    for _ in range(8):
        with sim_caller(sim, certs) as one:
            statuses.append(one.ask(ASK).status)
    assert sorted(statuses) == [200] * 6 + [503] * 2
    sim.script(connections={"refuse": True})
    with pytest.raises(ConnectionRefusedError):
        sim_caller(sim, certs)
    sim.reset()
    with sim_caller(sim, certs) as one:
        assert one.ask(ASK).status == 200


# ---- benchmark mode ----

@pytest.mark.threaded
@pytest.mark.parametrize("plain", [False, True])
def test_fixed_answers_have_the_size_asked_for(simulator, certs, plain):  # noqa: F811
    sim = simulator(certificate=None if plain else "cloud", arguments=["--bench-answer", 8192, "--workers", 2])
    with sim_caller(sim, certs) as one:
        assert len(one.ask(ASK).body) == 8192
        for size in (0, 1, 300, 24576, 300_000, 5_000_000, 8192):
            agent = f"User-Agent: rms-load answer={size}\r\n".encode()
            request = soap.request(LICENSE, padding=size // 2, host="cloud.test", without=["User-Agent"]).replace(b"\r\n", b"\r\n" + agent, 1)
            assert len(one.ask(request).body) == size
    fixed = sim.seen()["fixed"]
    assert fixed["requests"] == 8 and fixed["answer_bytes"] == 2 * 8192 + 1 + 300 + 24576 + 300_000 + 5_000_000
    assert sim.ask("POST", "/script", json.dumps({"rules": []}))[0] == 409


def test_fixed_answers_wait_all_at_once(simulator, certs):  # noqa: F811
    sim = simulator(certificate=None, arguments=["--bench-answer", 100, "--delay-ms", 200])
    callers = [sim_caller(sim, certs) for _ in range(200)]
    begun = time.monotonic()
    for one in callers:
        one.send(ASK + ASK)
    for one in callers:
        assert len(one.answer().body) == 100
    assert 0.19 < time.monotonic() - begun < 5
    for one in callers:
        assert len(one.answer().body) == 100
        one.close()
    assert 0.39 < time.monotonic() - begun < 10
    eventually(lambda: sim.seen()["connections"]["open"] == 0)


# ---- whatever arrives ----

def test_junk_does_not_move_it(simulator, certs):  # noqa: F811
    sim = simulator(listen=["127.0.0.1:0,plain"])
    head = b"POST " + LICENSE.path.encode() + b" HTTP/1.1\r\nHost: x\r\n"
    junk = [b"", b"\0" * 100, b"\x16\x03\x01" + b"\xff" * 300, b"GET", b"GET / HTTP/1.1\r\n" * 3, head + b"Content-Length: 5\r\n\r\nab",
            head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", head + b"Content-Length: 99999999999999999999\r\n\r\n",
            head + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"A" * 300_000, head + b"X: " + b"y" * 300_000 + b"\r\n\r\n"]
    for bytes_ in junk:
        for port in sim.ports:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
                try:
                    s.sendall(bytes_)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        with socket.create_connection(("127.0.0.1", sim.control_port), timeout=5) as s:
            try:
                s.sendall(bytes_)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    with sim_caller(sim, certs) as one:
        assert one.ask(ASK).status == 200
    eventually(lambda: sim.seen()["connections"]["open"] == 0, 10)


def test_the_control_port_refuses_what_it_does_not_know(sim):
    assert sim.ask("GET", "/nothing")[0] == 404
    assert sim.ask("GET", "/script")[0] == 404
    assert sim.ask("POST", "/close?everything")[0] == 400
    assert sim.health()["ok"]
    never(lambda: sim.process.poll() is not None, 0.2)


def test_an_end_in_the_middle_of_everything_is_in_order(simulator, certs):  # noqa: F811
    sim = simulator(arguments=["--workers", 2])
    sim.script({"match": {"nth": 1}, "delay_ms": 60000}, {"match": {"nth": 1}, "at": 10, "do": "stall"})
    callers = [sim_caller(sim, certs) for _ in range(4)]
    for one in callers[:3]:
        one.send(ASK)
    callers[3].send(ASK[:50])
    eventually(lambda: sim.seen()["requests"] == 3)
    sim.stop()
    for one in callers:
        try:
            one.rest(1)
        except (Gone, ssl.SSLError):
            pass
        one.close()
