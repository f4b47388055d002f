"""HTTPS for callers."""

import ssl
import subprocess

import pytest

from support import soap
from support.caller import RawCaller, client_context
from support.wait import eventually

CERTIFY = soap.CERTIFY


@pytest.mark.parametrize("listeners", [["http"], ["https"], ["http", "https"]], ids=" and ".join)
def test_http_https_or_both(cloud, node, listeners):
    """G01"""
    relay = node(cloud(), listeners=listeners)
    for index in range(len(listeners)):
        assert relay.ask(soap.request(CERTIFY), index=index).status == 200


@pytest.mark.parametrize("kind, certificate", [("https-ecdsa", "ECDSA"), ("https-rsa", "RSA")])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_either_kind_of_certificate_in_either_version(certs, cloud, node, kind, certificate, version):
    """G01 G03 G05"""
    relay = node(cloud(), listeners=[kind])
    with relay.caller(tls=client_context(certs, version)) as caller:
        assert caller.sock.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
        if version == ssl.TLSVersion.TLSv1_2:
            assert certificate in caller.sock.cipher()[0]
        assert caller.ask(soap.request(CERTIFY)).status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
def test_older_versions_are_refused(certs, cloud, node, version):
    """G05"""
    working = cloud()
    relay = node(working, listeners=["https"])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        relay.caller(tls=client_context(certs, version))
    eventually(lambda: relay.metric("client_handshakes_failed") == 1)
    assert relay.ask(soap.request(CERTIFY)).status == 200


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256",
                                    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA"])
def test_suites_that_callers_of_that_age_have(certs, cloud, node, cipher):
    """G06: Windows Server 2012 has no GCM with RSA certificates, hence the last two."""
    relay = node(cloud(), listeners=["https"])
    with relay.caller(tls=client_context(certs, ssl.TLSVersion.TLSv1_2, f"{cipher}:@SECLEVEL=0")) as caller:
        assert caller.sock.cipher()[0] == cipher
        assert caller.ask(soap.request(CERTIFY)).status == 200


@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES256-GCM-SHA384", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA384", "NULL-SHA",
                                    "ECDHE-ECDSA-AES128-SHA"])
def test_suites_that_are_not_offered(certs, cloud, node, cipher):
    """G06: no key exchange without forward secrecy, nothing unencrypted."""
    try:
        context = client_context(certs, ssl.TLSVersion.TLSv1_2, f"{cipher}:@SECLEVEL=0")
    except ssl.SSLError:
        pytest.skip(f"this OpenSSL has no {cipher}")
    relay = node(cloud(), listeners=["https"])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        relay.caller(tls=context)


@pytest.mark.parametrize("kind", ["https-ecdsa", "https-rsa"])
def test_the_whole_chain_is_served(certs, cloud, node, kind):
    """G03: a client that knows the root alone verifies; the s_client program is the judge."""
    relay = node(cloud(), listeners=[kind])
    shown = subprocess.run(["openssl", "s_client", "-connect", relay.listeners[0]["address"], "-CAfile", certs.ca, "-verify_return_error",
                            "-verify_hostname", "rmsconnector.corp.test", "-showcerts"], input="", capture_output=True, text=True, timeout=20)
    assert "Verify return code: 0 (ok)" in shown.stdout, shown.stdout + shown.stderr
    assert shown.stdout.count("BEGIN CERTIFICATE") == 2


def test_a_missing_intermediate_is_warned_about(certs, tmp_path, cloud, node):
    """G03"""
    leaf = tmp_path / "leaf.pem"
    leaf.write_text(open(certs.path("connector-ecdsa.crt"), encoding="ascii").read())
    from support import net  # pylint: disable=import-outside-toplevel
    listener = {"address": f"{net.HOST}:{net.free_port()}",
                "tls": {"certificate": str(leaf), "key": certs.key("connector-ecdsa")}}
    relay = node(cloud(), listeners=[listener])
    assert "intermediate" in relay.event(4016)["text"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.threaded
def test_a_caller_resumes_with_any_worker(certs, cloud, node, version):
    """G01: new connections by the dozen, one full handshake."""
    relay = node(cloud(), listeners=["https-ecdsa"], settings={"node.workers": 2})
    context = client_context(certs, version)
    session, resumed = None, 0
    for _ in range(12):
        raw = RawCaller(relay.listeners[0]["address"].split(":")[0], relay.port)
        raw.sock = context.wrap_socket(raw.sock, server_hostname="rmsconnector.corp.test", session=session, suppress_ragged_eofs=False)
        with raw as caller:
            assert caller.ask(soap.request(CERTIFY)).status == 200
            resumed += caller.sock.session_reused
            session = caller.sock.session
    assert resumed == 11
    eventually(lambda: relay.metric("client_handshakes_resumed") == 11)


def test_each_connection_may_go_to_another_node(certs, cloud, node):
    """G08: a server's whole first conversation, each request on a new connection to the other node, with the session of the node before it."""
    working = cloud()
    nodes = [node(working, listeners=["https-ecdsa"]) for _ in range(2)]
    context = client_context(certs)
    session = None
    order = [soap.SERVER_INFO, soap.LOCATIONS, soap.LICENSOR_CERTIFICATE, soap.CERTIFY, soap.GET_CLC, soap.TEMPLATE_INFORMATION, soap.TEMPLATES,
             soap.ACQUIRE_LICENSE, soap.ACQUIRE_PRELICENSE]
    for turn, op in enumerate(order * 2):
        relay = nodes[turn % 2]
        raw = RawCaller(relay.listeners[0]["address"].split(":")[0], relay.port)
        raw.sock = context.wrap_socket(raw.sock, server_hostname="rmsconnector.corp.test", session=session, suppress_ragged_eofs=False)
        with raw as caller:
            got = caller.ask(soap.request(op))
            assert (got.status, got.body) == (200, soap.answer_body(op))
            assert got.header("Set-Cookie") is None
            session = caller.sock.session
    for relay in nodes:
        assert relay.metric("requests", effect="ok") == len(order)
        assert relay.metric("client_handshakes_failed") == 0


def test_plain_http_at_the_https_port_ends_at_once(cloud, node):
    """G01: no answer in clear, no hang."""
    relay = node(cloud(), listeners=["https"])
    with RawCaller(relay.listeners[0]["address"].split(":")[0], relay.port) as caller:
        caller.send(soap.request(CERTIFY))
        got, how = caller.rest(5)
        assert how in ("eof", "rst") and not got.startswith(b"HTTP")


def test_a_handshake_that_never_ends_has_a_limit(cloud, node):
    """F13 G01"""
    relay = node(cloud(), listeners=["https"], settings={"limits.head_timeout_ms": 800})
    with RawCaller(relay.listeners[0]["address"].split(":")[0], relay.port) as caller:
        caller.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        caller.expect_end(8)
    assert relay.ask(soap.request(CERTIFY)).status == 200


def test_a_caller_that_cuts_its_request_is_not_relayed(cloud, node, certs):
    """F16: TCP ended without close_notify inside a body that has no length but chunks."""
    working = cloud()
    relay = node(working, listeners=["https"])
    data = soap.request(CERTIFY, chunks=100)
    for end in (len(data) - 5, len(data) - 3, len(data) - 1, 400):
        caller = relay.caller()
        caller.send(data[:end])
        caller.close()
    assert relay.ask(soap.request(CERTIFY)).status == 200
    assert len(working.whole) == 1


def test_large_bodies_over_https(cloud, node):
    """F07 G01: records of all sizes."""
    relay = node(cloud(), listeners=["https"])
    for padding in (0, 16000, 16384, 100_000, 3_000_000):
        assert relay.ask(soap.request(CERTIFY, padding=padding), timeout=60).status == 200


def test_requests_in_a_row_within_one_record(cloud, node):
    """F16 G01"""
    with node(cloud(), listeners=["https"]).caller() as caller:
        caller.send(soap.request(CERTIFY) * 20)
        for _ in range(20):
            assert caller.answer().status == 200
