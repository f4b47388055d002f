"""The process itself: start, signals, drain, logs, events, statistics, and the switch that lets test callers in."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from support import net, soap
from support.caller import RawCaller, client_context
from support.node import CALLER, ROOT, idle_for, program, sanitized
from support.upstream import well
from support.wait import eventually, never

CERTIFY = soap.CERTIFY
SLOW = 3 if sanitized() else 1


# ---- start and stop ----

@pytest.mark.threaded
def test_start_and_stop_are_events(cloud, node):
    """J01 J02"""
    relay = node(cloud())
    assert relay.event(1000)["text"].startswith("service started")
    assert relay.event(1000)["level"] == "Information" and relay.event(1000)["source"] == "rms-connector"
    assert not relay.events(1001)
    assert relay.stop() == 0
    assert [event["event"] for event in relay.events() if event["event"] in (1000, 1001)] == [1000, 1001]


def test_a_killed_node_has_no_stop_event(cloud, node):
    """J02"""
    relay = node(cloud())
    relay.signal(signal.SIGKILL)
    relay.expected_exit = -9
    relay.wait()
    assert relay.events(1000) and not relay.events(1001)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_either_signal_ends_an_idle_node_soon(cloud, node, number):
    """G11: idle connections of callers and to the cloud do not hold it."""
    relay = node(cloud())
    with relay.caller() as caller:
        assert caller.ask(soap.request(CERTIFY)).status == 200
        begun = time.monotonic()
        relay.signal(number)
        assert relay.wait(10) == 0
        assert time.monotonic() - begun < 3 * SLOW


def test_a_port_in_use_is_said_in_words(cloud, node):
    """A10"""
    relay = node(cloud(), start=False)
    with socket.create_server((net.HOST, relay.port)):
        relay.start(ready=False)
        assert relay.wait() != 0
    relay.expected_exit = relay.exit_code
    said = relay.stderr() + "".join(event["text"] for event in relay.events())
    assert f"{net.HOST}:{relay.port}" in said and "use" in said.lower()
    assert not relay.events(1000)


def test_one_interface_is_enough(cloud, node):
    """A10: in a network of its own that has loopback and nothing else, not even a route."""
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("no network of its own can be made here")
    relay = node(cloud(), start=False, wrap=alone)
    relay.start(ready=False)
    assert relay.listeners[0]["address"] in relay.event(1000, 20)["text"]


def test_no_listener_beside_its_own_upstream_only_outbound(cloud, node):
    """A02: every connection to the cloud is opened by the node; none comes from there."""
    working = cloud()
    relay = node(working)
    assert relay.ask(soap.request(CERTIFY)).status == 200
    assert len(working.connections) == 1 == relay.metric("upstream_connects")


# ---- drain ----

@pytest.mark.threaded
def test_a_drain_tells_balancers_first_and_goes_on_serving(cloud, node):
    """G11: /readyz fails at once; requests are served with Connection: close; then listeners close."""
    relay = node(cloud(), settings={"node.drain_delay_s": 2, "node.workers": 2})
    with relay.caller() as kept:
        assert kept.ask(soap.request(CERTIFY)).status == 200
        relay.signal(signal.SIGTERM)
        eventually(lambda: relay.get_stats("/readyz")[0] == 503, 2)
        begun = time.monotonic()
        assert relay.get_stats("/livez")[0] == 200
        ready = relay.ask(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", "GET")
        assert ready.status == 503
        while time.monotonic() - begun < 1.2:
            got = relay.ask(soap.request(CERTIFY))
            assert got.status == 200 and got.closes
        got = kept.ask(soap.request(CERTIFY))
        assert got.status == 200 and got.closes
        kept.expect_end()
    assert relay.wait(15) == 0
    assert relay.event(4008) and relay.event(1001)


@pytest.mark.threaded
def test_what_is_in_flight_is_finished(cloud, node):
    """G11: also a request whose body is still coming, and an answer that takes longer than the delay."""
    slow = cloud(lambda c, r: c.stall(1.5) or well(c, r))
    relay = node(slow, settings={"node.drain_delay_s": 0, "node.drain_timeout_s": 20, "node.workers": 2})
    callers = [relay.caller() for _ in range(6)]
    data = soap.request(CERTIFY, padding=1000)
    for number, caller in enumerate(callers):
        caller.send(data if number % 2 else data[:-500])
    eventually(lambda: relay.metric("exchanges_open") == 6)
    relay.signal(signal.SIGTERM)
    idle_for(0.3)
    for number, caller in enumerate(callers):
        if not number % 2:
            caller.send(data[-500:])
    for caller in callers:
        got = caller.answer()
        assert got.status == 200 and got.closes
        caller.close()
    assert relay.wait(15) == 0


def test_a_drain_has_an_end(cloud, node):
    """G11: what does not finish is cut and counted in an event."""
    stuck = cloud(lambda c, r: c.stall(20))
    relay = node(stuck, settings={"node.drain_timeout_s": 1})
    with relay.caller() as caller:
        caller.send(soap.request(CERTIFY))
        eventually(lambda: stuck.requests)
        begun = time.monotonic()
        relay.signal(signal.SIGTERM)
        assert relay.wait(12) == 0
        assert time.monotonic() - begun < 4 * SLOW
    assert relay.event(4014)


def test_a_handshake_in_the_way_of_the_end_has_the_time_of_a_head(certs, cloud, node):
    """G11: a caller that was still greeting when listeners closed is served, or let go when it asks nothing."""
    relay = node(cloud(), listeners=["https-ecdsa"], settings={"node.drain_timeout_s": 60, "limits.head_timeout_ms": 1500})
    context = client_context(certs)
    asks, idles = (RawCaller(net.HOST, relay.port) for _ in range(2))
    eventually(lambda: relay.metric("client_connections_open") == 2)
    relay.signal(signal.SIGTERM)
    eventually(lambda: relay.get_stats("/readyz")[0] == 503, 2)
    idle_for(0.3)
    begun = time.monotonic()
    for caller in (asks, idles):
        caller.sock = context.wrap_socket(caller.sock, server_hostname="rmsconnector.corp.test", suppress_ragged_eofs=False)
    got = asks.ask(soap.request(CERTIFY))
    assert got.status == 200 and got.closes
    assert relay.wait(20) == 0
    assert time.monotonic() - begun < 5 * SLOW
    assert not relay.events(4014)
    asks.close()
    idles.close()


@pytest.mark.threaded
def test_a_drain_under_load_refuses_and_cuts_nothing(cloud, node):
    """G11: callers that open a new connection for each request, as .NET does, until the listener is gone."""
    working = cloud()
    relay = node(working, settings={"node.drain_delay_s": 2, "node.workers": 2})
    problems, served, stop = [], [0], threading.Event()

    def load():
        while not stop.is_set():
            try:
                with RawCaller(net.HOST, relay.port) as caller:
                    caller.send(soap.request(CERTIFY))
                    got = caller.answer()
                    if got.status != 200:
                        problems.append(got.status)
                    served[0] += 1
                    if got.closes and relay.get_stats("/readyz")[0] == 503 and stop.wait(0.05):
                        return
            except (OSError, AssertionError) as problem:
                if not stop.is_set():
                    problems.append(repr(problem))
                return
    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    idle_for(0.5)
    relay.signal(signal.SIGTERM)
    idle_for(1.2)
    stop.set()  # the balancer has seen /readyz by now and sends nobody any more
    for thread in threads:
        thread.join(20)
    assert relay.wait(15) == 0
    assert not problems, problems[:5]
    assert served[0] > 20


# ---- the request log ----

def test_each_request_has_one_line(cloud, node):
    """F13 A01: with the correlation id that a self-made answer shows."""
    relay = node(cloud())
    relay.ask(soap.request(CERTIFY))
    refused = relay.ask(soap.request(CERTIFY, path="/nothing"))
    lines = relay.logged(2)
    assert len(lines) == 2
    by_status = {line["status"]: line for line in lines}
    assert by_status[200]["operation"] == "Certify"
    assert set(by_status) == {200, 404}
    ids = [str(value) for value in by_status[404].values() if isinstance(value, str) and len(value) >= 8 and value in refused.body.decode()]
    assert ids, (by_status[404], refused.body)
    text = relay.requests_file.read_text()
    assert text.endswith("\n") and all(json.loads(line) for line in text.splitlines())


def test_a_line_tells_a_hostile_address_from_json(cloud, node):
    """F16: quotes, escapes and bytes above ASCII in a path do not break a line."""
    relay = node(cloud())
    for path in ['/"},{"status":200', "/\\u0000\\", "/" + "\u00e9" * 10, "/a\tb"]:
        relay.ask(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode("latin-1"), "GET")
    eventually(lambda: relay.request_log(), 6)
    for line in relay.requests_file.read_bytes().splitlines():
        assert isinstance(json.loads(line.decode("utf-8")), dict)


@pytest.mark.threaded
def test_sigusr1_opens_the_logs_again(cloud, node):
    """F13: no line is lost while logs are moved away under load."""
    relay = node(cloud(), settings={"node.workers": 2})
    count, moved = 0, []
    for turn in range(4):
        for _ in range(25):
            assert relay.ask(soap.request(CERTIFY)).status == 200
            count += 1
        moved.append(relay.folder / f"requests.{turn}")
        os.rename(relay.requests_file, moved[-1])
        relay.signal(signal.SIGUSR1)
        eventually(lambda: relay.requests_file.exists(), 5)
    assert relay.event(4012)
    relay.stop()
    lines = sum(len(path.read_text().splitlines()) for path in [*moved, relay.requests_file])
    assert lines == count


@pytest.mark.threaded
def test_a_full_disk_loses_lines_and_no_requests(cloud, node):
    """F13: counted, and said once."""
    relay = node(cloud(), settings={"log.requests_file": "/dev/full"})
    for _ in range(50):
        assert relay.ask(soap.request(CERTIFY)).status == 200
    eventually(lambda: relay.metric("log_lines_dropped") == 50, 8)
    assert "space" in relay.event(4005)["text"]
    assert len(relay.events(4005)) == 1


def test_a_log_that_nobody_reads_does_not_stop_requests(cloud, node, tmp_path):
    """F13: a FIFO whose reader stands still."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        relay = node(cloud(), settings={"log.requests_file": str(fifo)})
        for _ in range(20):
            assert relay.ask(soap.request(CERTIFY, padding=100)).status == 200
    finally:
        relay.stop()
        os.close(reader)


# ---- statistics ----

def test_metrics_are_clean_for_prometheus(cloud, node, promtool):
    """A01 K04: promtool is the judge; every series is there from the start."""
    relay = node(cloud())
    before = relay.metrics()
    for op in soap.OPERATIONS:
        relay.ask(soap.request(op))
    relay.ask(soap.request(CERTIFY, path="/nothing"))
    after = relay.metrics()
    counters = {name for name in after if "_bucket" not in name}
    assert counters <= set(before) | {name for name in counters if "quantile" in name}
    assert any(value != before.get(name) for name, value in after.items())
    judged = subprocess.run([promtool, "check", "metrics"], input=relay.get_stats("/metrics")[1], capture_output=True, text=True, timeout=30)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert not judged.stdout.strip() and not judged.stderr.strip(), judged.stdout + judged.stderr


def test_stats_are_json_and_say_what_matters(cloud, node):
    """F13: version, node, uptime, recent events, the switch."""
    relay = node(cloud())
    relay.ask(soap.request(CERTIFY))
    stats = relay.stats()
    text = json.dumps(stats)
    assert "node-under-test" in text and "AUTHENTICATION OFF" in text


def test_the_statistics_refuse_other_methods_and_paths(cloud, node):
    """F13"""
    relay = node(cloud())
    with RawCaller(net.HOST, relay.stats_port) as caller:
        assert caller.ask(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", "GET").status == 404
    with RawCaller(net.HOST, relay.stats_port) as caller:
        assert caller.ask(b"POST /stats HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status == 405
    with RawCaller(net.HOST, relay.stats_port) as caller:
        caller.send(b"GET /stats HTTP/1.1\nHost: a\r\n\r\n")
        got, how = caller.rest(3)
        assert got.startswith(b"HTTP/1.1 400 ") and how in ("eof", "rst")


def test_statistics_over_tls_want_a_certificate(certs, cloud, node):
    """G01 A02: off loopback only so, or with a list of addresses."""
    import ssl  # pylint: disable=import-outside-toplevel
    import urllib.request  # pylint: disable=import-outside-toplevel
    relay = node(cloud(), start=False, settings={
        "stats.tls_certificate": certs.chain("connector-ecdsa"), "stats.tls_key": certs.key("connector-ecdsa"), "stats.tls_client_ca": certs.ca})
    relay.start(ready=False)

    def fetch(certificate=None):
        context = client_context(certs)
        context.check_hostname = False
        if certificate:
            context.load_cert_chain(certs.chain(certificate), certs.key(certificate))
        with urllib.request.urlopen(f"https://{net.HOST}:{relay.stats_port}/stats", timeout=5, context=context) as got:
            return json.loads(got.read())
    assert eventually(lambda: fetch("client"), 15)
    for certificate in (None, "client-unknown"):
        with pytest.raises((ssl.SSLError, OSError)):
            fetch(certificate)


# ---- the switch ----

def start_refused(relay, *words):
    relay.start(ready=False)
    assert relay.wait() not in (0, None)
    relay.expected_exit = relay.exit_code
    said = relay.stderr() + "".join(event["text"] for event in relay.events())
    for word in words:
        assert word.lower() in said.lower(), said


def test_the_switch_is_told_on_every_surface(cloud, node):
    """A01: whoever looks anywhere sees that authentication is off."""
    relay = node(cloud())
    assert "AUTHENTICATION OFF" in relay.event(4001)["text"]
    assert "AUTHENTICATION OFF" in relay.stderr()
    assert "AUTHENTICATION OFF" in relay.get_stats("/stats")[1]
    assert "authentication off" in relay.get_stats("/metrics")[1].lower().replace("_", " ")
    page = relay.ask(b"GET /_wmcs/certification/servercertification.asmx HTTP/1.1\r\nHost: a\r\n\r\n", "GET")
    assert b"AUTHENTICATION OFF" in page.body


@pytest.mark.parametrize("listener", ["0.0.0.0:{}", "[::]:{}"])
def test_the_switch_needs_loopback_listeners(cloud, node, listener):
    """A01"""
    if "::" in listener and not net.has_ipv6():
        pytest.skip("no IPv6 here")
    relay = node(cloud(), start=False, listeners=["http", {"address": listener.format(net.free_port())}])
    start_refused(relay, "loopback")


@pytest.mark.parametrize("url, word", [("https://192.0.2.1", "loopback"), ("https://5c6bb73b-1038-4eec-863d-49bded473437.rms.na.aadrm.com", "aadrm.com")])
def test_the_switch_needs_a_loopback_cloud(node, url, word):
    """A01: refused at the start, whether or not the name can be resolved."""
    relay = node(url, start=False)
    start_refused(relay, word)


def test_the_switch_watches_what_the_name_resolves_to(cloud, node):
    """A01: a name that turns away from loopback later is not followed."""
    from support.dns import Dns  # pylint: disable=import-outside-toplevel
    with Dns({"cloud.test": [("192.0.2.1", 60)]}) as names:
        relay = node(f"https://cloud.test:{cloud().port}", start=False, settings={"upstream.dns_servers": names.address})
        relay.start(ready=False)
        try:
            code = relay.wait(8)
            relay.expected_exit = code
            assert code != 0
        except AssertionError:
            relay.expected_exit = relay.exit_code
            raise
        assert "loopback" in (relay.stderr() + str(relay.events())).lower()


@pytest.mark.parametrize("value", ["nobody", "CORP\\a$=", "=exchange", r"CORP\a$=admin", ""])
def test_the_switch_wants_account_and_role(cloud, node, value):
    """A01 C02"""
    relay = node(cloud(), start=False, caller=value or None, arguments=() if value else ("--loopback-caller", ""))
    start_refused(relay, "loopback-caller")


@pytest.mark.parametrize("role", ["exchange", "sharepoint", "fci"])
def test_every_role_is_known(cloud, node, role):
    """A01"""
    assert node(cloud(), caller=rf"CORP\x$={role}").ask(soap.request(CERTIFY)).status == 200


# ---- settings ----

def check(path, *arguments):
    return subprocess.run([program("rms-connectord"), "-t", "-c", str(path), *arguments], capture_output=True, text=True, timeout=30)


def test_a_good_file_passes_the_check_and_starts_nothing(cloud, node):
    """A10: -t"""
    relay = node(cloud(), start=False)
    checked = check(relay.config)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert not relay.events_file.exists() or not relay.events()


@pytest.mark.parametrize("change, line, words", [
    (("workers: 1", "workers: many"), True, ["node.workers", "number"]),
    (("workers: 1", "workers: 65"), True, ["node.workers", "64"]),
    (("workers: 1", "wrokers: 1"), True, ["wrokers", "workers"]),
    (("name: \"node", "\tname: \"node"), True, ["tab"]),
    (("url: ", "url: http://x #"), True, ["https"]),
    (("ca_file: \"", "ca_file: \"/nowhere"), True, ["ca_file"]),
    (("listeners:", "listener:"), True, ["listeners"]),
    (("node:", "node: {"), True, []),
])
def test_what_is_wrong_is_said_with_file_and_line(cloud, node, change, line, words):
    """A10: every error says where, what was meant and how to mend it."""
    relay = node(cloud(), start=False)
    text = relay.config.read_text()
    assert change[0] in text
    relay.config.write_text(text.replace(*change, 1))
    checked = check(relay.config)
    said = checked.stdout + checked.stderr
    assert checked.returncode not in (0, -6, -11), said
    assert str(relay.config) in said or relay.config.name in said
    if line:
        assert re.search(rf"{relay.config.name}:\d+", said), said
    for word in words:
        assert word.lower() in said.lower(), said


def test_a_file_that_is_not_there(tmp_path):
    """A10"""
    checked = check(tmp_path / "none.yaml")
    assert checked.returncode not in (0, -6, -11) and "none.yaml" in checked.stderr + checked.stdout


def test_help_and_version():
    """A10"""
    for option in ("--help", "--version"):
        shown = subprocess.run([program("rms-connectord"), option], capture_output=True, text=True, timeout=20)
        assert shown.returncode == 0 and "rms-connectord" in shown.stdout
    wrong = subprocess.run([program("rms-connectord"), "--no-such-thing"], capture_output=True, text=True, timeout=20)
    assert wrong.returncode not in (0, -6, -11) and "--no-such-thing" in wrong.stderr + wrong.stdout


# ---- workers ----

@pytest.mark.threaded
def test_several_workers_share_the_listener_and_nothing_else(cloud, node):
    """A01 G08: each has its own connections; sums add up."""
    working = cloud()
    relay = node(working, settings={"node.workers": 3}, listeners=["http", "https"])
    problems = []

    def load(index):
        try:
            for _ in range(15):
                with relay.caller(index) as caller:
                    for op in soap.OPERATIONS[:4]:
                        assert caller.ask(soap.request(op)).body == soap.answer_body(op)
        except Exception as problem:  # pylint: disable=broad-except
            problems.append(repr(problem))
    threads = [threading.Thread(target=load, args=(number % 2,)) for number in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        relay.metrics()
        relay.stats()
        relay.signal(signal.SIGUSR1)
        idle_for(0.1)
    assert not problems, problems[:3]
    assert relay.metric("requests", effect="ok") == 6 * 15 * 4 == len(working.whole)
    assert relay.metric("unexpected_events") == 0
    assert relay.threads() >= 4


def test_no_code_path_decrypts_licences():
    """A12: the program asks the crypto library for no decryption with a private key and no making of one, and signs nothing but the assertion by which
    it proves itself to the login service: with a key that the configuration names, never with the tenant's."""
    asked = subprocess.run(["nm", "-D", "--undefined-only", program("rms-connectord")], capture_output=True, text=True, timeout=20, check=True).stdout
    names = {line.split()[-1] for line in asked.splitlines()}
    assert any(name.startswith("SSL_") for name in names)
    forbidden = re.compile(r"(RSA|EVP_PKEY)_(private_)?(de|en)crypt|(RSA|ECDSA|EVP_PKEY|EVP_Digest)_?(private_)?[Ss]ign|EVP_PKEY_derive|RSA_generate")
    own_assertion = {"EVP_DigestSign", "EVP_DigestSignInit"}  # core/crypto/signer.c
    assert not [name for name in names - own_assertion if forbidden.match(name)]
    asks = [str(path.relative_to(ROOT)) for folder in ("core", "proto", "store") for path in (ROOT / folder).rglob("*.[ch]")
            if "crypto_signer_sign" in path.read_text(encoding="utf-8")]
    assert set(asks) == {"core/cloud/token.c", "core/crypto/signer.c", "core/crypto/signer.h"}


def test_nothing_is_said_about_a_node_that_idles(cloud, node):
    """J01: after the start no event comes by itself."""
    relay = node(cloud())
    count = len(relay.events())
    never(lambda: len(relay.events()) > count, 1.5)
    assert CALLER.split("=")[0] in relay.get_stats("/stats")[1].replace("\\\\", "\\")
