"""A cloud that cannot be used: each cause has words of its own that say what to mend, and TLS inspection is named with who does it."""

import re
import socket
import threading

import pytest

from support import net, soap
from support.dns import Dns
from support.node import ROOT
from support.upstream import Upstream, answer
from support.wait import eventually, never

CERTIFY = soap.CERTIFY
ADVICE = dict(re.findall(r'^REACH\((\w+),\s*"(.*)"\)', (ROOT / "core/cloud/reach.def").read_text(), re.M))
TENANT = "5c6bb73b-1038-4eec-863d-49bded473437.rms.eu.aadrm.com"


def told(relay, event, cause, *words):
    got = relay.ask(soap.request(CERTIFY))
    assert got.status == 500 and not got.is_fault and got.header("Retry-After")
    text = relay.event(event)["text"]
    assert ADVICE[cause] in text, text
    for word in words:
        assert word in text, text


class Peer:
    """A TCP port whose every connection is given to act(socket)."""

    def __init__(self, act):
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.url = f"https://127.0.0.1:{self.listening.getsockname()[1]}"
        self.held = []

        def accept():
            while True:
                try:
                    sock, _ = self.listening.accept()
                except OSError:
                    return
                act(sock)
                self.held.append(sock)
        threading.Thread(target=accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for sock in self.held:
            sock.close()


def reset(sock):
    sock.recv(65536)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def test_nobody_listens(node):
    """M03: refused."""
    told(node(f"https://{net.HOST}:{net.free_port()}"), 4002, "REFUSED", "refused")


def test_nobody_answers(node):
    """M03: what a firewall does that drops: the queue of this port is full, so the kernel drops what asks for more."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    asking = [socket.socket() for _ in range(3)]
    for one in asking:
        one.setblocking(False)
        one.connect_ex(full.getsockname())
    told(node(f"https://127.0.0.1:{full.getsockname()[1]}", settings={"upstream.connect_timeout_ms": 300}), 4002, "TIMEOUT", "too long")
    for one in [full, *asking]:
        one.close()


@pytest.mark.parametrize("act, cause", [
    (reset, "TLS_CUT"), (lambda sock: sock.close(), "TLS_CUT"), (lambda sock: None, "TLS_TIMEOUT"),
    (lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "TLS_OTHER"), (lambda sock: sock.sendall(b"\x15\x03\x03\x00\x02\x02\x46"), "TLS_OTHER")],
    ids=["reset", "closed", "silent", "no TLS", "alert"])
def test_tls_that_does_not_come_about(node, act, cause):
    """M03"""
    with Peer(act) as peer:
        told(node(peer.url, settings={"upstream.connect_timeout_ms": 500}), 4002, cause)


@pytest.mark.parametrize("certificate, cause, word", [
    ("cloud-wrong-name", "TLS_NAME", "ostname mismatch"), ("cloud-unknown", "TLS_CHAIN", 'issued by "Unknown Root"'), ("cloud-expired", "TLS_TIME", "expired")])
def test_a_certificate_that_is_not_the_services(cloud, node, certificate, cause, word):
    """H02 M03: name, chain, time."""
    url = cloud(certificate=certificate).url
    told(node(url.replace("127.0.0.1", "localhost")), 4003, cause, word)


@pytest.mark.parametrize("act, words", [("reset", "was reset"), ("finish", "was closed")])
def test_a_service_that_hangs_up(cloud, node, act, words):
    """M03: on a new connection, instead of an answer."""
    told(node(cloud(lambda connection, request: getattr(connection, act)())), 4070, "RESET", words)


def test_a_service_that_fails(cloud, node):
    """M03: 5xx that is no SOAP fault."""
    told(node(cloud(lambda connection, request: connection.send(answer(503, b"<html>", reason="No", content_type="text/html")))), 4070, "FAILING",
         "answered 503 without SOAP")


def test_the_document_has_each_cause():
    """M03"""
    text = (ROOT / "docs/way-out.md").read_text()
    missing = [advice for advice in ADVICE.values() if advice and advice not in text]
    assert len(ADVICE) > 15 and not missing


# ---- inspection ----

@pytest.fixture
def inspected(certs, node):
    """inspected(issuer, trusted): a node whose tenant's name leads to something that shows a certificate of this authority."""
    made = []

    def make(issuer, trusted):
        certs._authority("inspector", issuer)  # pylint: disable=protected-access
        certs.issue("inspected", TENANT, f"DNS:{TENANT}", issuer="inspector")
        made.append(Upstream(certs, certificate="inspected"))
        made.append(Dns({TENANT: [("127.0.0.1", 60)]}))
        settings = {"upstream.dns_servers": made[-1].address, **({"upstream.ca_file": certs.chain("inspector")} if trusted else {})}
        return made[-2], node(f"https://{TENANT}:{made[-2].port}", settings=settings)
    yield make
    for one in made:
        one.stop()


CORP = "Corp Inspection CA/O=Corp IT"


def test_inspection_by_an_authority_that_is_unknown(inspected):
    """H02: refused, and named with its issuer."""
    device, relay = inspected(CORP, trusted=False)
    told(relay, 4003, "INSPECTED", 'issued by "Corp Inspection CA" of "Corp IT"', TENANT)
    assert not device.requests


def test_inspection_by_an_authority_that_is_trusted(inspected):
    """H02: requests go on, and it is told once who reads them."""
    device, relay = inspected(CORP, trusted=True)
    device.script = lambda connection, request: (connection.send(answer(body=soap.answer_body(request.operation), headers=[("Connection", "close")])),
                                                 connection.finish())
    for _ in range(3):
        assert relay.ask(soap.request(CERTIFY)).status == 200
    text = relay.event(4071)["text"]
    assert 'issued by "Corp Inspection CA" of "Corp IT"' in text and ADVICE["INSPECTED"] in text
    assert len(relay.events(4071)) == 1


def test_the_clouds_own_authority_is_no_inspection(inspected):
    """H02"""
    _, relay = inspected("Microsoft Azure RSA TLS Issuing CA 03/O=Microsoft Corporation", trusted=True)
    assert relay.ask(soap.request(CERTIFY)).status == 200
    never(lambda: relay.events(4071), 0.5)


def test_the_clouds_own_authority_that_is_not_in_the_bundle(inspected):
    """H02: that is the bundle's trouble, and nobody's inspection."""
    _, relay = inspected("Microsoft Azure RSA TLS Issuing CA 03/O=Microsoft Corporation", trusted=False)
    told(relay, 4003, "TLS_CHAIN", 'of "Microsoft Corporation"')


def test_what_a_stranger_writes_into_a_certificate_is_printable(inspected):
    """H02"""
    _, relay = inspected("Evil\x1b[2J\\\"CA/O=x", trusted=False)
    told(relay, 4003, "INSPECTED", 'issued by "Evil?[2J?CA" of "x"')
    eventually(lambda: "\x1b" not in relay.stderr())
