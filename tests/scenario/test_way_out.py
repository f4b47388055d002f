"""The way out by a web proxy: real ones, ones that misbehave, and hosts that go past them."""

import base64
import os
import shutil
import subprocess
import tempfile

import pytest

from support import net, soap
from support.dns import Dns
from support.login import Login
from support.node import program as program_path
from support.proxy import OPEN, PASSWORD, USER, Proxy, says, squid, tinyproxy, tunnel
from support.wait import eventually

CERTIFY = soap.CERTIFY
TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
PLAIN = "Se8cret-0f-the-pr0xy"  # tinyproxy's configuration takes letters, digits and few signs


@pytest.fixture
def proxy():
    made = []

    def make(act=tunnel):
        made.append(Proxy(act))
        return made[-1]
    yield make
    for one in made:
        one.stop()


@pytest.fixture
def program():
    """program(squid or tinyproxy, ...): in a short folder that other users may enter."""
    made, folders = [], []

    def make(kind, **how):
        folders.append(tempfile.mkdtemp(prefix="rms-proxy-", dir="/var/tmp"))
        os.chmod(folders[-1], 0o755)
        made.append(kind(folders[-1], **how))
        return made[-1]
    yield make
    for one in made:
        one.stop()
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture
def password(tmp_path):
    def write(text):
        file = tmp_path / "proxy.password"
        file.write_text(text)
        os.chmod(file, 0o600)
        return {"proxy.user": USER, "proxy.password_file": str(file)}
    return write


def by(proxy, **more):
    return {"proxy.url": proxy if isinstance(proxy, str) else proxy.url, **more}


def refused(relay, *words, event=4002):
    got = relay.ask(soap.request(CERTIFY))
    assert got.status == 500 and not got.is_fault and got.header("Retry-After")
    text = relay.event(event)["text"]
    for word in words:
        assert word.lower() in text.lower(), text
    return text


# ---- real ones ----

@pytest.mark.parametrize("kind", [squid, tinyproxy])
def test_requests_go_through_a_real_proxy(cloud, node, program, kind):
    """H03: and its connections are kept: one CONNECT for all of them."""
    real, working = program(kind), cloud()
    relay = node(f"https://localhost:{working.port}", settings=by(real))
    for _ in range(5):
        assert relay.ask(soap.request(CERTIFY)).status == 200
    assert len(working.connections) == 1 and len(working.whole) == 5
    assert set(working.names) == {"localhost"}
    relay.stop()
    eventually(lambda: real.connects() >= 1)


@pytest.mark.parametrize("kind", [squid, tinyproxy])
def test_a_real_proxy_that_wants_credentials(cloud, node, program, password, kind):
    """H04: without them, with wrong ones, and with the right ones by Basic."""
    real, working = program(kind, credentials=(USER, PLAIN)), cloud()
    refused(node(working, settings=by(real)), "407", "wants credentials", "Basic", "give proxy.user")
    refused(node(working, settings=by(real, **password("wrong"))), "refused those of proxy.user")
    assert not working.connections
    assert node(working, settings=by(real, **password(PLAIN))).ask(soap.request(CERTIFY)).status == 200


@pytest.mark.parametrize("kind", [squid, tinyproxy])
def test_a_real_proxy_that_forbids_the_way(cloud, node, program, kind):
    """H04"""
    refused(node(cloud(), settings=by(program(kind, deny=True))), "403", "must allow connect")


@pytest.mark.parametrize("kind", [squid, tinyproxy])
def test_a_real_proxy_that_cannot_reach_the_service(node, program, kind):
    """H04: nobody listens there."""
    text = refused(node(f"https://{net.HOST}:{net.free_port()}", settings=by(program(kind))), "by the web proxy")
    assert "CONNECT with 50" in text, text


# ---- what is asked ----

def test_what_a_proxy_is_asked(cloud, node, proxy):
    """H03: the tenant's name is for the proxy to resolve; the proxy's own is resolved by the node. Nothing is sent before the answer."""
    working, way = cloud(), proxy()
    with Dns({"proxy.test": [(net.HOST, 60)]}) as names:
        relay = node(f"https://localhost:{working.port}",
                     settings=by(f"http://proxy.test:{way.port}", **{"upstream.dns_servers": names.address}))
        assert relay.ask(soap.request(CERTIFY)).status == 200
        assert names.asked("proxy.test") and not names.asked("localhost")
    assert way.heads[0].split("\r\n") == [f"CONNECT localhost:{working.port} HTTP/1.1", f"Host: localhost:{working.port}"]
    assert not any(way.more)


def test_the_documented_https_form_is_the_same(cloud, node, proxy):
    """H03: it is said that TLS is not spoken with the proxy itself."""
    working, way = cloud(), proxy()
    relay = node(working, settings=by(way.url.replace("http://", "https://")))
    assert relay.ask(soap.request(CERTIFY)).status == 200
    assert len(way.heads) == 1
    assert "warning: proxy.url begins with https://" in relay.stderr()


def test_an_answer_in_pieces_behind_others(cloud, node, proxy):
    """H03: 1xx heads are passed over; an answer may come byte by byte, with fields, and of HTTP/1.0."""
    working = cloud()

    def act(sock, head):
        for byte in b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\nVia: 1.0 old\r\nContent-Length: 10\r\n\r":
            sock.sendall(bytes([byte]))

        class Last:
            """Sends what is left in place of the usual answer."""
            def sendall(self, data):
                sock.sendall(b"\n" if data == OPEN else data)

            def recv(self, n):
                return sock.recv(n)

            def fileno(self):
                return sock.fileno()
        tunnel(Last(), head)
    assert node(working, settings=by(proxy(act))).ask(soap.request(CERTIFY)).status == 200


def test_any_password_and_nobody_else_sees_it(cloud, node, proxy, password):
    """H04 B05: it goes to the proxy only, in the form of RFC 7617."""
    working, way = cloud(), proxy()
    relay = node(working, settings=by(way, **password(PASSWORD + "\n")))
    assert relay.ask(soap.request(CERTIFY)).status == 200
    both = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert f"Proxy-Authorization: Basic {both}" in way.heads[0].split("\r\n")
    relay.stop()
    seen = [relay.stderr(), relay.requests_file.read_text(), relay.events_file.read_text(), *(request.raw_head.decode() for request in working.requests)]
    assert not any(secret in text for text in seen for secret in (both, PASSWORD))


# ---- proxies that misbehave ----

LONG = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-Filler-%d: %s\r\n" % (i, b"x" * 400) for i in range(60)) + b"\r\n"


@pytest.mark.parametrize("answer, words", [
    (OPEN + b"\x16\x03\x03\x00\x02", "bytes of its own behind"), (OPEN + b"x", "bytes of its own behind"),
    (b"HTTP/1.1 200 OK\nVia: x\n\n", "not valid HTTP"), (b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "not valid HTTP"),
    (b"\x15\x03\x03\x00\x02\x02\x46", "not valid HTTP"), (b"SSH-2.0-OpenSSH_9.2\r\n", "not valid HTTP"), (LONG, "not valid HTTP"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "not valid HTTP"),
    (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/login\r\nContent-Length: 0\r\n\r\n", "302 Found: a redirect, which is never followed"),
    (b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n", "by Negotiate, NTLM: the node can give Basic only"),
    (b"HTTP/1.1 407 No\r\nproxy-authenticate: Digest realm=\"a, b\", nonce=\"x\", Basic realm=\"y\"\r\n\r\n", "by Digest, Basic: give proxy.user"),
    (b"HTTP/1.1 407 No\r\n\r\n", "no scheme that it names"), (b"HTTP/1.1 403 Forbidden\r\n\r\n<html>", "403 Forbidden: its rules must allow CONNECT"),
    (b"HTTP/1.1 504 Gateway Timeout\r\n\r\n", "could not reach this host itself"), (b"HTTP/1.1 429 Slow\xff\r\n\r\n", "429 Slow?: look into the log"),
], ids=["tls behind", "byte behind", "bare lf", "folded", "tls alert", "ssh", "too long", "two lengths", "redirect", "negotiate", "digest and basic",
        "no scheme", "403", "504", "odd reason"])
def test_what_a_proxy_may_not_answer(cloud, node, proxy, answer, words):
    """H03 H04: each is refused in words, and the service hears nothing."""
    working, act = cloud(), says(answer)
    way = proxy(act)
    text = refused(node(working, settings=by(way)), words)
    assert f"127.0.0.1:{working.port} by the web proxy {way.url[7:]}" in text
    assert not working.connections and not act.after


def test_a_proxy_that_hangs_up(cloud, node, proxy):
    """H04"""
    refused(node(cloud(), settings=by(proxy(lambda sock, head: None))), "closed the connection instead of answering")


def test_a_silent_proxy_gets_the_time_of_a_connect(cloud, node, proxy):
    """H03: upstream.connect_timeout_ms, and the request is answered before the caller gives up."""
    def silent(sock, head):
        while sock.recv(65536):
            pass
    refused(node(cloud(), settings=by(proxy(silent), **{"upstream.connect_timeout_ms": 300})), "did not answer CONNECT in time")


def test_a_proxy_that_is_away(cloud, node):
    """H04: it is the proxy that is named, not the service."""
    url = f"http://{net.HOST}:{net.free_port()}"
    refused(node(cloud(), settings=by(url)), f"by the web proxy {url[7:]}", "refused", "it is the web proxy that cannot be reached")


def test_a_proxy_that_answers_as_the_service_itself(cloud, node, proxy):
    """H01 H03: the certificate behind a tunnel is verified for the tenant's name."""
    false = cloud(certificate="cloud-unknown")
    way = proxy(lambda sock, head: tunnel(sock, head, ("127.0.0.1", false.port)))
    refused(node("https://127.0.0.1:9", settings=by(way)), "issued by", event=4003)
    assert not false.requests


def test_another_try_after_a_refusal(cloud, node, proxy):
    """H04: nothing is remembered against a proxy."""
    working, broken = cloud(), [1]

    def act(sock, head):
        return sock.sendall(b"HTTP/1.1 503 No\r\n\r\n") if broken else tunnel(sock, head)
    relay = node(working, settings=by(proxy(act)))
    refused(relay, "503 No")
    broken.clear()
    assert relay.ask(soap.request(CERTIFY)).status == 200
    assert relay.event(4011)


@pytest.mark.parametrize("name, words", [
    ("AzureCloud", "login.microsoftonline.com for https://aadrm.com/.default"), ("AzureChinaCloud", "login.partner.microsoftonline.cn for https://aadrm.cn/"),
    ("azureusgovernment", "login.microsoftonline.us for https://aadrm.us/"), ("AzureUSGovernment2", "not public"), ("AzureUSGovernment3", "not public")])
def test_the_check_of_a_configuration_says_where_it_leads(cloud, node, name, words):
    """B02: each cloud's addresses, and by which proxy."""
    relay = node(cloud(), start=False, settings={"upstream.cloud": name, "proxy.url": "http://proxy.test:3128"})
    done = subprocess.run([program_path("rms-connectord"), "-t", "-c", str(relay.config)], capture_output=True, text=True, timeout=20, check=True)
    assert words in done.stdout and relay.settings["upstream.url"] in done.stdout and "proxy.test" in done.stdout, done.stdout


# ---- tokens, and who goes past it ----

@pytest.fixture
def signed_in(node, cloud, tmp_path):
    def make(way, bypass=""):
        secret = tmp_path / "secret"
        secret.write_text("s3cret")
        os.chmod(secret, 0o600)
        login = Login(TENANT, CLIENT, secret=b"s3cret")
        place, working = cloud(login), cloud()
        url = f"https://localhost:{place.port}"
        login.url = f"{url}/{TENANT}/oauth2/v2.0/token"
        row = {"name": "tenant", "kind": "oauth2-secret", "tenant": TENANT, "client_id": CLIENT, "login_url": url, "secret_file": str(secret)}
        return place, working, node(working, credentials=[row], settings=by(way, **{"proxy.bypass": bypass}))
    return make


def asked(way):
    return {head.split(" ")[1] for head in way.heads}


def ready(relay):
    eventually(lambda: relay.ask(soap.request(CERTIFY)).status == 200, 10)


def test_tokens_come_by_the_proxy_too(signed_in, proxy):
    """H03"""
    way = proxy()
    place, working, relay = signed_in(way)
    ready(relay)
    assert asked(way) == {f"localhost:{place.port}", f"127.0.0.1:{working.port}"}


@pytest.mark.parametrize("answer, words", [
    (b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n", "give proxy.user"), (OPEN + b"x", "bytes of its own behind"),
    (b"", "closed the connection instead of answering")])
def test_a_token_that_the_proxy_is_in_the_way_of(signed_in, proxy, answer, words):
    """H04: the event about the token says it."""
    way = proxy(lambda sock, head: sock.sendall(answer))
    place, _, relay = signed_in(way)
    text = relay.event(4062)["text"]
    assert words in text and f"localhost:{place.port} by the web proxy" in text, text


@pytest.mark.parametrize("bypass, past", [
    ("localhost", {"login"}), ("127.0.0.0/8", {"tenant"}), ("127.0.0.1, LOCALHOST", {"login", "tenant"}), ("*.localhost, .host, 127.0.0.2", set())])
def test_hosts_that_go_past_the_proxy(signed_in, proxy, bypass, past):
    """H05: by name, by suffix and by address, for the tenant and the login service each."""
    way = proxy()
    place, working, relay = signed_in(way, bypass)
    ready(relay)
    both = {"login": f"localhost:{place.port}", "tenant": f"127.0.0.1:{working.port}"}
    assert asked(way) == {target for name, target in both.items() if name not in past}
