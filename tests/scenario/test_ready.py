"""/livez and /readyz on the callers' listeners: what a balancer asks. Each cause in turn, and what is none."""

import json
import socket
import threading

import pytest

from support import keytab, net, soap
from support.authd import Authd
from support.fake_authd import DOMAIN, FakeAuthd, done, kerberos, refused
from support.node import Node
from support.realm import Realm
from support.wait import eventually, never

READY, NOT_READY = (200, b"ok\n"), (503, b"not ready\n")
ENTRIES = json.dumps({"version": 1, "entries": [{"sid": f"{DOMAIN}-1001", "role": "exchange", "added": "2026-01-01T00:00:00Z"}]})


def health(relay, path="/readyz", index=0, **how):
    got = relay.ask(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), "GET", index=index, **how)
    return got.status, got.body


def says(relay, expected, words=None, **how):
    """On each listener of callers, and on the statistics address, which alone says why."""
    for index in range(len(relay.listeners)):
        eventually(lambda: health(relay, index=index, **how) == expected, 15, pause=0.05)
        assert health(relay, "/livez", index=index, **how) == READY
    eventually(lambda: relay.get_stats("/readyz")[0] == expected[0], 15, pause=0.05)
    assert words is None or words in relay.stats()["not_ready_reason"]


@pytest.fixture
def authd(tmp_path):
    made = FakeAuthd(tmp_path / "authd.sock", lambda request: done("exch", 1001))
    yield made
    made.stop()
    assert not made.problems, made.problems


@pytest.fixture
def make(node, cloud, authd, tmp_path):
    """A node that is alive, ready or not; .list, .cloud"""
    def make(listeners=("http", "https"), settings=None, upstream=None, with_list=True):
        file = tmp_path / "list.json"
        if with_list:
            file.write_text(ENTRIES)
        upstream = upstream or cloud()
        relay = node(upstream, start=False, caller=None, listeners=listeners,
                     settings={"auth.socket": authd.path, "list.file": str(file), "list.refresh_s": 1, **(settings or {})})
        relay.knows_callers = False  # alive is enough to begin with
        relay.list, relay.cloud = file, upstream
        return relay.start()
    return make


def test_ready_and_revealing_nothing(make):
    """G09: without authentication, over HTTP and HTTPS, the same two words for whoever asks; no line in the request log."""
    relay = make()
    says(relay, READY)
    got = relay.ask(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", "GET")
    assert not {"server", "www-authenticate", "x-correlation-id"} & {name.lower() for name, _ in got.headers}
    assert not relay.request_log()


def test_while_it_starts(node, cloud, authd, tmp_path):
    """G09: from the first answer on it says no until it can serve: authd and the list come last."""
    authd.die()
    relay = node(cloud(), start=False, caller=None, settings={"auth.socket": authd.path, "list.file": str(tmp_path / "list.json"),
                                                              "list.refresh_s": 1})
    seen, ended = [], threading.Event()

    def watch():
        while not ended.is_set():
            try:
                seen.append(health(relay))
            except (OSError, AssertionError):
                pass
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        relay.start(ready=False)
        eventually(lambda: NOT_READY in seen, 20)
        authd.start()
        (tmp_path / "list.json").write_text(ENTRIES)
        eventually(lambda: READY in seen, 20)
    finally:
        ended.set()
        watcher.join()
    first = seen.index(READY)
    assert set(seen[:first]) == {NOT_READY} and set(seen[first:]) == {READY}


def test_authd_is_dead(make, authd):
    """G09"""
    relay = make()
    says(relay, READY)
    authd.die()
    says(relay, NOT_READY, "rms-connector-authd is away")
    authd.start()
    says(relay, READY)


def test_no_usable_keytab(make, authd):
    """G09: authd says so at the beginning and whenever it changes."""
    authd.features = 2
    relay = make()
    says(relay, NOT_READY, "no usable keytab")
    authd.can(3)
    says(relay, READY)
    authd.can(2)
    says(relay, NOT_READY, "no usable keytab")


def test_a_keytab_that_comes_later(node, cloud, tmp_path, tmp_path_factory):
    """G09: the same with a real authd."""
    realm = Realm(tmp_path_factory.mktemp("realm"))
    real, file = None, tmp_path / "http.keytab"
    try:
        realm.start()
        realm.add_service("HTTP/rms.corp.test")
        real = Authd(realm.env, {"keytab": str(file)}, [{"name": "CORP.TEST", "directory": False}]).start()
        (tmp_path / "list.json").write_text(ENTRIES)
        relay = node(cloud(), start=False, caller=None, settings={"auth.socket": str(real.socket), "list.file": str(tmp_path / "list.json")})
        relay.knows_callers = False
        relay.start()
        says(relay, NOT_READY, "no usable keytab")
        keytab.write(tmp_path / "new.keytab", realm.keys("HTTP/rms.corp.test"))
        (tmp_path / "new.keytab").rename(file)
        says(relay, READY)
    finally:
        if real:
            real.finish()
        realm.stop()


@pytest.mark.parametrize("names", [["connector-expired"], ["connector-rsa", "connector-expired"]], ids=["alone", "beside a good one"])
def test_no_usable_certificate(make, certs, names):
    """G09"""
    certs.issue("connector-expired", "rmsconnector.corp.test", "DNS:rmsconnector.corp.test", issuer="issuing", days=-1)
    row = {"address": f"{net.HOST}:{net.free_port()}", "tls": [{"certificate": certs.chain(name), "key": certs.key(name)} for name in names]}
    relay = make(["http", row])
    assert health(relay) == NOT_READY
    assert relay.get_stats("/readyz")[0] == 503 and "certificate of a listener has expired" in relay.stats()["not_ready_reason"]
    assert health(relay, "/livez") == READY


def test_a_certificate_that_cannot_be_used_at_all(certs, tmp_path):
    """G09: then nobody listens."""
    row = {"address": f"{net.HOST}:{net.free_port()}", "tls": {"certificate": certs.chain("connector-rsa"), "key": certs.key("connector-ecdsa")}}
    one = Node(tmp_path / "wrong", certs, "http://127.0.0.1:1", listeners=[row])
    one.start(ready=False)
    one.wait()
    assert one.exit_code != 0 and "connector-ecdsa.key" in one.stderr()
    with socket.socket() as probe:
        assert probe.connect_ex((net.HOST, one.port)) != 0


def test_no_list_was_ever_loaded(make):
    """G09"""
    relay = make(with_list=False)
    says(relay, NOT_READY, "never loaded")
    relay.list.write_text(ENTRIES)
    says(relay, READY)


def test_draining(make):
    """G09: while connections are still taken and requests still served."""
    relay = make(settings={"node.drain_delay_s": 3})
    says(relay, READY)
    with relay.caller() as caller:
        relay.signal(15)
        eventually(lambda: health(relay) == NOT_READY, 3, pause=0.02)
        assert health(relay, "/livez") == READY
        assert caller.ask(soap.request(soap.CERTIFY, headers=[kerberos("exch")])).status == 200
    relay.wait()


def test_what_the_fleet_shares_is_no_cause(make, authd, cloud):
    """G09: a cloud that is gone, a list that is too old, a directory that is away: callers get answers after which they come again."""
    upstream = cloud()
    relay = make(["http"], upstream=upstream, settings={"list.max_age_s": 2, "upstream.connect_timeout_ms": 500})
    says(relay, READY)
    upstream.stop()
    assert relay.ask(soap.request(soap.CERTIFY, headers=[kerberos("exch")])).status == 500
    authd.script = lambda request: refused("NTLM_UNAVAILABLE")
    assert relay.ask(soap.request(soap.CERTIFY, headers=[kerberos("exch")])).status == 429
    authd.script = lambda request: done("exch", 1001)
    relay.list.write_text("{")
    eventually(lambda: relay.ask(soap.request(soap.CERTIFY, headers=[kerberos("exch")])).status == 429, 15, pause=0.1)
    assert relay.stats()["authorized_servers"]["too_old"] is True
    never(lambda: health(relay) != READY or relay.get_stats("/readyz")[0] != 200, 0.5)
