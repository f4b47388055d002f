"""Listeners and what stands before them: balancers that pass bytes on, and proxies that read HTTP."""

import json
import socket
import struct
import subprocess

import pytest

from support import net, soap
from support.balancer import Balancer
from support.caller import Gone, RawCaller, client_context
from support.fake_authd import DOMAIN, FakeAuthd, done, header, kerberos, ntlm_token, refused, word_in
from support.wait import eventually

RIDS = {"exch": 1001, "share": 1002}


def post(*headers, **how):
    return soap.request(soap.CERTIFY, headers=list(headers), **how)


def by_name(request):
    name = word_in(request.token)
    return done(name, RIDS[name]) if name in RIDS else refused("DECRYPT_FAILED")


@pytest.fixture
def known(node, cloud, tmp_path):
    """known(listener settings): a node with an authd, which knows exch and share, and a list of both."""
    made = []

    def make(settings=None, tls=False, **listener):
        made.append(FakeAuthd(tmp_path / f"authd{len(made)}.sock", by_name))
        file = tmp_path / "list.json"
        file.write_text(json.dumps({"version": 1, "entries": [
            {"sid": f"{DOMAIN}-{rid}", "role": "exchange", "added": "2026-01-01T00:00:00Z"} for rid in RIDS.values()]}))
        row = {"address": f"{net.HOST}:{net.free_port()}", **listener}
        relay = node(cloud(), start=False, caller=None, settings={"auth.socket": made[-1].path, "list.file": str(file), **(settings or {})},
                     listeners=[row])
        if tls:
            row["tls"] = {"certificate": relay.certs.chain("connector-rsa"), "key": relay.certs.key("connector-rsa")}
            relay.write_config()
        relay.authd = made[-1]
        return relay.start()
    yield make
    for one in made:
        one.stop()
        assert not one.problems, one.problems


def told_of(connectord, tmp_path, text):
    """What -t says of a configuration with these listeners and sections."""
    file = tmp_path / "wrong.yaml"
    file.write_text("upstream:\n  url: https://a.rms.na.aadrm.com\n" + text)
    got = subprocess.run([connectord, "-t", "-c", str(file)], capture_output=True, text=True, timeout=30)
    return got.returncode, got.stderr


# ---- behind: l7 ----

def test_behind_a_proxy_that_reads_http_nobody_is_remembered(known):
    """E06: every request needs its own ticket, whoever's it is; that is how it was set, so no event."""
    relay = known(behind="l7")
    with relay.caller() as caller:
        for name in ("exch", "share", "exch"):
            assert caller.ask(post(kerberos(name), ("X-Forwarded-For", "10.0.0.1"))).status == 200
            got = caller.ask(post(("X-Forwarded-For", "10.0.0.1")))
            assert got.status == 401 and got.header("WWW-Authenticate") == "Negotiate" and not got.closes
        got = caller.ask(post(header(ntlm_token(1, b"1"), "NTLM"), body=b""))
        assert got.status == 401
    assert [row.get("account") for row in relay.logged(7)] == ["CORP\\exch", None, "CORP\\share", None, "CORP\\exch", None, None]
    assert relay.metric("per_request_connections") == 1
    assert not relay.events(4023)


def test_ntlm_behind_a_proxy_that_reads_http_is_a_mistake(connectord, tmp_path):
    """E06"""
    code, said = told_of(connectord, tmp_path, "auth:\n  ntlm: winbind\nlisteners:\n  - {address: 127.0.0.1:1, behind: l7}\n")
    assert code == 78 and "proves a whole connection" in said and ":6:" in said
    code, said = told_of(connectord, tmp_path, "auth:\n  ntlm: winbind\nlisteners:\n  - {address: 127.0.0.1:1, behind: l4}\n")
    assert code == 0, said


# ---- signs of such a proxy elsewhere ----

def test_a_proxy_is_told_of_once(known):
    """Of each peer; its connections come by the thousand."""
    relay = known(behind="l4")
    for _ in range(3):
        assert relay.ask(post(kerberos("exch"), ("Via", "1.1 proxy"))).status == 200
    assert relay.metric("per_request_connections") == 3
    assert len(relay.events(4023)) == 1 and "Via" in relay.events(4023)[0]["text"]
    with relay.caller(source=net.HOST) as caller:
        assert caller.ask(post(kerberos("exch"), ("Forwarded", "for=1"))).status == 200
    assert [event["text"].split(": ")[1] for event in relay.events(4023)] == ["127.0.0.1", net.HOST]


def test_a_balancer_on_the_nodes_own_machine_is_no_reason_to_warn(known):
    """A14: only where nothing should stand in between."""
    relay = known(behind="l4")
    assert relay.ask(post(kerberos("exch"))).status == 200
    direct = known()
    assert direct.ask(post(kerberos("exch"))).status == 200
    assert direct.event(4024) and not relay.events(4024)


# ---- the PROXY protocol ----

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CALLER = "198.51.100.7"


def version_1(source=CALLER):
    return f"PROXY TCP4 {source} 192.0.2.1 40000 443\r\n".encode()


def version_2(source=CALLER, command=1, tail=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    body = socket.inet_pton(family, source) * 2 + struct.pack(">HH", 40000, 443) + tail
    return SIGNATURE + bytes([0x20 | command, 0x21 if ":" in source else 0x11]) + struct.pack(">H", len(body)) + body


class Through(RawCaller):
    """As a balancer passes it on: header first, in pieces if told so, then TLS if the listener has it."""

    def __init__(self, relay, header, pieces=None, timeout=15.0):
        super().__init__(net.HOST, relay.port, timeout=timeout)
        self.send_pieces(header, pieces, 0.002) if pieces else self.send(header)
        if "tls" in relay.listeners[0]:
            self.sock = client_context(relay.certs).wrap_socket(self.sock, server_hostname="rmsconnector.corp.test",
                                                                suppress_ragged_eofs=False)


BALANCED = {"behind": "l4", "proxy_protocol": True, "balancers": ["127.0.0.0/8"]}


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("header", [version_1(), version_2(), version_2("2001:db8::7"), version_2(tail=b"\x02\0\x04host")])
def test_a_callers_address_comes_from_the_header(known, header, tls):
    """In the log, in events, and for authd, which serves addresses in turn."""
    relay = known(tls=tls, **BALANCED)
    for pieces in (None, 1, [12, 4]):
        with Through(relay, header, pieces) as caller:
            assert caller.ask(post(kerberos("exch"))).status == 200
            assert caller.ask(post()).status == 200
            assert caller.ask(post(kerberos("who"))).status == 401
    with Through(relay, version_1("203.0.113.9")) as caller:
        assert caller.ask(post(kerberos("exch"))).status == 200
    want = "2001:db8::7" if b"\x21\x21" in header else CALLER
    assert [row["client"] for row in relay.logged(10)] == 9 * [want] + ["203.0.113.9"]
    assert want in relay.event(2000)["text"] and want in relay.event(1002)["text"]
    origins = [request.origin for request in relay.authd.requests]
    assert len(set(origins[:6])) == 1 and origins[6] != origins[0]
    assert relay.metric("proxy_headers") == 4 and relay.metric("proxy_refusals") == 0


def test_header_and_request_in_one_piece(known):
    relay = known(**BALANCED)
    with RawCaller(net.HOST, relay.port) as caller:
        caller.send(version_2() + post(kerberos("exch")) + post())
        assert caller.answer().status == 200 and caller.answer().status == 200
    assert {row["client"] for row in relay.logged(2)} == {CALLER}


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", version_2(command=0), SIGNATURE + b"\x20\0\0\0"])
def test_the_balancer_asks_for_itself(known, header):
    """G09: its health checks leave its own address."""
    relay = known(**BALANCED)
    with Through(relay, header) as caller:
        assert caller.ask(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "GET").status == 200
        assert caller.ask(post()).status == 401
    assert relay.logged(1)[0]["client"] == "127.0.0.1"


def closed(relay, what, end=False):
    with pytest.raises((Gone, ConnectionResetError)), RawCaller(net.HOST, relay.port) as caller:
        caller.try_send(what)
        if end:
            caller.end()
        caller.answer()


@pytest.mark.parametrize("what, reason", [
    (post(kerberos("exch")), "absent"), (b"\x16\x03\x01\x02\0\x01\0\x01", "absent"), (b"PROXY TCP4 x\r\n", "line_odd"),
    (b"PROXY UNKNOWN " + 200 * b"x", "too_long"), (SIGNATURE + b"\x21\x11\x10\0", "too_long"), (SIGNATURE + b"\x41\x11\0\x0c", "version"),
    (SIGNATURE + b"\x21\x12\0\x0c", "transport"), (version_2(tail=b"\0"), "lengths"), (version_2(tail=b"\3\0\4abcd"), "checksum")])
def test_without_a_right_header_nothing_is_read(known, what, reason):
    relay = known(**BALANCED)
    for _ in range(3):
        closed(relay, what)
    assert relay.metric("proxy_refusals", reason=reason) == relay.metric("proxy_refusals") == 3
    assert relay.metric("closes", reason="proxy") == 3
    assert len(relay.events(4030)) == 1 and "127.0.0.1" in relay.event(4030)["text"]
    assert not relay.request_log() and not relay.authd.requests
    with Through(relay, version_1()) as caller:
        assert caller.ask(post(kerberos("exch"))).status == 200


def test_a_header_that_does_not_come_whole(known):
    relay = known(settings={"limits.head_timeout_ms": 300}, **BALANCED)
    closed(relay, version_2()[:20], end=True)
    eventually(lambda: relay.metric("proxy_refusals", reason="cut") == 1, 5)
    closed(relay, version_1()[:20])
    assert relay.metric("proxy_refusals", reason="slow") == 1
    with RawCaller(net.HOST, relay.port):
        pass  # a probe that sends nothing is no mistake
    eventually(lambda: relay.metric("closes", reason="probe") == 1, 5)
    assert relay.metric("proxy_refusals") == 2


def test_nobody_but_the_balancers(known):
    """A header from anywhere else is not even read."""
    relay = known(behind="l4", proxy_protocol=True, balancers=["192.0.2.1", "127.0.0.2/31"])
    closed(relay, version_1())
    assert relay.metric("proxy_refusals", reason="stranger") == 1 and "127.0.0.1" in relay.event(4030)["text"]
    with RawCaller(net.HOST, relay.port, source="127.0.0.3") as caller:
        assert caller.ask(version_1() + post(kerberos("exch"))).status == 200


@pytest.mark.parametrize("row, words", [
    ("{address: 127.0.0.1:1, proxy_protocol: true, balancers: [127.0.0.1]}", "write behind: l4, too"),
    ("{address: 127.0.0.1:1, behind: l4, proxy_protocol: true}", "balancers is missing"),
    ("{address: 127.0.0.1:1, behind: l4, proxy_protocol: true, balancers: []}", "every connection would be closed"),
    ("{address: 127.0.0.1:1, behind: l4, balancers: [127.0.0.1]}", "write proxy_protocol: true, too"),
    ("{address: 127.0.0.1:1, behind: l4, proxy_protocol: true, balancers: [127.0.0.1, 0.0.0.0/0]}", "everybody"),
    ("{address: 127.0.0.1:1, behind: l4, proxy_protocol: true, balancers: [lb.corp.test]}", "must be an address or a prefix"),
    ("{address: 127.0.0.1:1, behind: l4, proxy_protocol: v2, balancers: [127.0.0.1]}", "must be true or false")])
def test_settings_that_do_not_go_together(connectord, tmp_path, row, words):
    code, said = told_of(connectord, tmp_path, f"listeners:\n  - {row}\n")
    assert code == 78 and words in said and "wrong.yaml:4:" in said, said


# ---- real balancers, as the documentation sets them up ----

def without_header(text):
    return text.replace(" send-proxy-v2", "").replace("        proxy_protocol on;\n", "")


@pytest.mark.parametrize("kind, change, client", [
    ("haproxy", None, "127.0.0.9"), ("haproxy", lambda text: text.replace("send-proxy-v2", "send-proxy"), "127.0.0.9"),
    ("nginx", None, "127.0.0.9"), ("haproxy", without_header, "127.0.0.1"), ("nginx", without_header, "127.0.0.1")])
def test_the_documented_balancers(known, certs, tmp_path, kind, change, client):
    """Over TLS through HAProxy and nginx to two nodes: the caller's own address, an identity for each connection, health checks that count."""
    header = change is not without_header
    nodes = [known(tls=True, **(BALANCED if header else {"behind": "l4"})) for _ in range(2)]
    balancer = Balancer(kind, tmp_path, [one.port for one in nodes], change or (lambda text: text))
    try:
        for _ in range(4):
            with RawCaller(net.HOST, balancer.port, tls=client_context(certs), source="127.0.0.9") as caller:
                assert caller.ask(post(kerberos("exch"))).status == 200
                assert caller.ask(post()).status == 200
        for one in nodes:
            assert {row["client"] for row in one.logged(1)} == {client}
            assert one.metric("proxy_refusals") == 0 and not one.events(4023)
            if kind == "haproxy" and header:  # its checks have a header, too
                eventually(lambda: one.metric("proxy_headers") > 4, 10)
        nodes[0].stop()
        for _ in range(4):
            with RawCaller(net.HOST, balancer.port, tls=client_context(certs), source="127.0.0.9") as caller:
                assert caller.ask(post(kerberos("exch"))).status == 200
    finally:
        balancer.stop()
