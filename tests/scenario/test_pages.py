"""What a browser, an administrator and a balancer see."""

import socket

import pytest

from support import net, soap
from support.caller import RawCaller

HELP = "/_wmcs/certification/servercertification.asmx"


def get(path, method="GET", host="connector", http="1.1"):
    return f"{method} {path} HTTP/{http}\r\nHost: {host}\r\nAccept: text/html\r\n\r\n".encode()


@pytest.fixture
def lonely(node):
    """A node whose cloud does not exist."""
    return node(f"https://127.0.0.1:{net.free_port('127.0.0.1')}")


@pytest.mark.parametrize("path", [HELP, "/_WMCS/Certification/ServerCertification.ASMX", HELP + "?op=Certify"])
def test_the_page_that_administrators_look_for(lonely, path):
    """F03 F04 F02: with the name they look for, and without a cloud."""
    with lonely.caller() as caller:
        got = caller.ask(get(path), "GET")
        assert got.status == 200
        assert got.header("Content-Type").startswith("text/html")
        assert b"<title>ServerCertificationWebService" in got.body and b"<h1>ServerCertificationWebService" in got.body
        head = caller.ask(get(path, "HEAD"), "HEAD")
        assert head.status == 200 and head.header("Content-Length") == got.header("Content-Length")
        assert caller.ask(get(path), "GET").body == got.body, "the connection is still in step"
    assert lonely.metric("upstream_connects") == 0


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_told_on_the_callers_listeners_without_details(lonely, path):
    """F04: a balancer asks there; the cloud's absence is not this node's fault."""
    with lonely.caller() as caller:
        for method in ("GET", "HEAD"):
            got = caller.ask(get(path, method), method)
            assert got.status == 200 and len(got.body) < 16
        assert caller.ask(get(path, "POST"), "GET").status in (401, 404, 405)
    with lonely.caller() as caller:
        caller.send(get(path, http="1.0"))
        assert caller.answer("GET").status == 200
        caller.expect_end()


@pytest.mark.parametrize("path", ["/stats", "/metrics"])
def test_figures_are_not_told_on_the_callers_listeners(lonely, path):
    """A02"""
    assert lonely.ask(get(path), "GET").status == 404


def test_a_node_listens_where_it_was_told_and_nowhere_else(lonely):
    """A02 A10: its own address only; nothing on others."""
    ports = {lonely.port, lonely.stats_port}
    with open(f"/proc/{lonely.pid}/net/tcp", encoding="ascii") as tcp:
        lines = [line.split() for line in tcp.readlines()[1:]]
    import os  # pylint: disable=import-outside-toplevel
    sockets = {os.readlink(f"/proc/{lonely.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{lonely.pid}/fd")}
    listening = {(socket.inet_ntoa(bytes.fromhex(line[1][:8])[::-1]), int(line[1][9:], 16))
                 for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets}
    assert listening == {(net.HOST, port) for port in ports}
    with open(f"/proc/{lonely.pid}/net/tcp6", encoding="ascii") as tcp6:
        assert not [line for line in tcp6.readlines()[1:] if line.split()[3] == "0A" and f"socket:[{line.split()[9]}]" in sockets]


@pytest.mark.parametrize("host", ["::1", "127.0.0.1"])
def test_addresses_are_configurable(cloud, node, host):
    """A10 F17: IPv6 too."""
    if host == "::1" and not net.has_ipv6():
        pytest.skip("no IPv6 here")
    port = net.free_port(host)
    relay = node(cloud(), listeners=[{"address": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}])
    with RawCaller(host, port) as caller:
        assert caller.ask(soap.request(soap.CERTIFY)).status == 200
    assert relay.port == port


def test_ports_are_free_to_choose(cloud, node):
    """F17 G01: several listeners of one node."""
    relay = node(cloud(), listeners=["http", "http", "https"])
    for index in range(3):
        assert relay.ask(soap.request(soap.CERTIFY), index=index).status == 200


def test_a_probe_that_only_connects_makes_no_noise(lonely):
    """F13: no answer, no line in a log, no event."""
    with lonely.caller():
        pass
    with lonely.caller() as caller:
        caller.reset()
    with lonely.caller() as caller:
        caller.end()
        caller.expect_end()
    assert lonely.get_stats("/livez")[0] == 200
    assert not lonely.request_log()
    assert {event["event"] for event in lonely.events()} <= {1000, 4001, 4009}
    assert lonely.metric("guard_refusals") == 0
    assert lonely.metric("requests") == 0
