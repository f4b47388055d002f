"""Extended Protection over real TLS: what callers prove is bound to the connection it comes over (RFC 5929, RFC 4559)."""

import base64
import hashlib
import json
import ssl
import subprocess

import pytest

from support import keytab, net, soap
from support.adlab import people
from support.adlab.daemon import Daemon
from support.authd import Authd
from support.caller import client_context
from support.fake_authd import DOMAIN, FakeAuthd, done, kerberos
from support.load import load
from support.realm import SPNEGO, Realm
from support.upstream import answer
from support.wait import eventually

SPN = "HTTP/rmsconnector.corp.test"
BODY = bytes(ord("a") + i % 26 for i in range(3000))
MODES = {"off": 0, "accept": 1, "require": 3}


def post(*headers, **how):
    return soap.request(soap.CERTIFY, headers=list(headers), **how)


def end_point(pem, algorithm="sha256"):
    der = ssl.PEM_cert_to_DER_cert(open(pem, encoding="ascii").read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
    return hashlib.new(algorithm, der).digest()


def application_data(*how):
    return b"tls-server-end-point:" + end_point(*how)


def tls_row(certs, *names, **more):
    return {"address": f"{net.HOST}:{net.free_port()}", **more,
            "tls": [{"certificate": certs.chain(name), "key": certs.key(name)} for name in names]}


# ---- what the node sends to authd ----

@pytest.fixture
def told(node, cloud, tmp_path):
    """A node with these listeners, and an authd that lets everybody in and keeps what it was asked."""
    made = []

    def make(*rows, **how):
        made.append(FakeAuthd(tmp_path / f"authd{len(made)}.sock", lambda request: done("exch", 1001)))
        file = tmp_path / "list.json"
        file.write_text(json.dumps({"version": 1, "entries": [{"sid": f"{DOMAIN}-1001", "role": "exchange", "added": "2026-01-01T00:00:00Z"}]}))
        relay = node(cloud(), caller=None, settings={"auth.socket": made[-1].path, "list.file": str(file)}, listeners=rows, **how)
        relay.authd = made[-1]
        return relay
    yield make
    for one in made:
        one.stop()
        assert not one.problems, one.problems


@pytest.mark.parametrize("mode, flags", MODES.items())
def test_each_certificate_has_its_own_hash(told, certs, mode, flags):
    """E14: of the two, the one that this caller was shown; in TLS 1.2 and 1.3 and on resumed sessions."""
    relay = told(tls_row(certs, "connector-rsa", "connector-ecdsa", channel_binding=mode))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for name, ciphers in (("connector-ecdsa", None), ("connector-rsa", "ECDHE-RSA-AES256-GCM-SHA384")):
            if ciphers and version != ssl.TLSVersion.TLSv1_2:
                continue
            context = client_context(certs)
            context.minimum_version = context.maximum_version = version
            if ciphers:
                context.set_ciphers(ciphers)
            with relay.caller(tls=context) as caller:
                assert caller.ask(post(kerberos("exch"))).status == 200
                shown = hashlib.sha256(caller.sock.getpeercert(binary_form=True)).digest()
            assert shown == end_point(certs.chain(name))
            asked = relay.authd.requests[-1]
            assert asked.binding == (b"" if mode == "off" else b"tls-server-end-point:" + shown)
            assert asked.flags == (flags if mode == "require" else 1)


def issue(certs, name, *how):
    """A certificate whose signature has another hash; the key is the RSA connector's."""
    subprocess.run(["openssl", "req", "-x509", "-new", "-key", certs.key("connector-rsa"), "-subj", "/CN=rmsconnector.corp.test", "-days", "5",
                    "-out", certs.chain(name), *how], check=True, capture_output=True, timeout=60)
    return {"certificate": certs.chain(name), "key": certs.key("connector-rsa")}


@pytest.mark.parametrize("hash_name, expected", [("sha384", "sha384"), ("sha512", "sha512"), ("sha1", "sha256")])
def test_the_hash_is_that_of_the_certificates_signature(told, certs, hash_name, expected):
    """E14: RFC 5929 4.1, with SHA-256 in the place of SHA-1."""
    row = {"address": f"{net.HOST}:{net.free_port()}", "tls": issue(certs, f"by-{hash_name}", f"-{hash_name}")}
    relay = told(row)
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    assert relay.ask(post(kerberos("exch")), tls=unchecked).status == 200
    assert relay.authd.requests[-1].binding == application_data(certs.chain(f"by-{hash_name}"), expected)


def test_a_certificate_that_nothing_can_be_bound_to(told, certs):
    """E14: its signature names no hash by its kind: told, and not accepted where a binding is required."""
    tls = issue(certs, "by-pss", "-sigopt", "rsa_padding_mode:pss")
    relay = told({"address": f"{net.HOST}:{net.free_port()}", "tls": tls})
    assert "nothing can be bound" in relay.event(4016)["text"]
    strict = told({"address": f"{net.HOST}:{net.free_port()}", "tls": tls, "channel_binding": "require"}, start=False)
    strict.start(ready=False)
    strict.expected_exit = 78
    assert strict.wait() == 78 and "nothing can be bound" in strict.stderr()


@pytest.mark.parametrize("row, words", [
    ("{address: 127.0.0.1:1, channel_binding: require}", "no TLS"),
    ("{address: 127.0.0.1:1, channel_binding: require, behind: l7, tls: {certificate: /a, key: /b}}", "behind is l7"),
    ("{address: 127.0.0.1:1, channel_binding: accept, behind: l7, tls: {certificate: /a, key: /b}}", "Extended Protection are refused unless"),
    ("{address: 127.0.0.1:1, channel_binding: on}", "must be off, accept or require")])
def test_settings_under_which_nobody_would_be_let_in(connectord, tmp_path, row, words):
    file = tmp_path / "wrong.yaml"
    file.write_text(f"upstream:\n  url: https://a.rms.na.aadrm.com\nlisteners:\n  - {row}\n")
    got = subprocess.run([connectord, "-t", "-c", str(file)], capture_output=True, text=True, timeout=30)
    assert got.returncode == 78 and words in got.stderr


# ---- Kerberos: a realm of MIT's, authd, the node ----

@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    made = Realm(tmp_path_factory.mktemp("realm"))
    try:
        made.start()
        made.add_service(SPN)
        made.add_user("exch01")
        made.cache = made.login("exch01")
        made.keytab = keytab.write(made.folder / "http.keytab", made.keys(SPN))
        yield made
    finally:
        made.stop()


@pytest.fixture
def kerberized(realm, node, cloud, certs, tmp_path):
    """A node with a listener of each mode, and a real authd."""
    authd = Authd(realm.env, {"keytab": str(realm.keytab)}, [{"name": "CORP.TEST", "directory": False}]).start()
    file = tmp_path / "list.json"
    file.write_text(json.dumps({"version": 1, "entries": [
        {"principal": "exch01@CORP.TEST", "role": "exchange", "added": "2026-01-01T00:00:00Z"}]}))
    try:
        yield node(cloud(), caller=None, settings={"auth.socket": str(authd.socket), "list.file": str(file)},
                   listeners=[tls_row(certs, "connector-rsa", channel_binding=mode) for mode in MODES])
    finally:
        authd.finish()


def test_kerberos_that_is_bound_elsewhere_is_refused(realm, kerberized, certs):
    """E14: in both strict modes; bound to nothing it is refused where a binding is required. The reason is told."""
    right, wrong = (application_data(certs.chain(name)) for name in ("connector-rsa", "connector-ecdsa"))
    expected = {"off": (200, 200, 200), "accept": (200, 401, 200), "require": (200, 401, 401)}
    for index, mode in enumerate(MODES):
        for binding, status in zip((right, wrong, None), expected[mode]):
            token = realm.token(realm.cache, SPN, binding=binding, mech=SPNEGO)
            got = kerberized.ask(post(("Authorization", "Negotiate " + base64.b64encode(token).decode())), index=index)
            assert got.status == status, (mode, binding, got)
    assert kerberized.metric("authentications", result="binding_wrong") == 2
    assert kerberized.metric("authentications", result="binding_missing") == 1
    said = " ".join(event["text"] for event in kerberized.events(2000))
    assert "bound to another TLS connection" in said and "bound to no TLS connection" in said


# ---- NTLM: a real domain ----

@pytest.fixture
def domain(lab, node, cloud, certs, tmp_path):
    """The same with NTLM, in the lab's domain."""
    authd = Daemon(lab, tmp_path / "authd", ntlm="winbind")
    file = tmp_path / "list.json"
    file.write_text(json.dumps({"version": 1, "entries": [{"sid": lab.sid("alice"), "role": "sharepoint", "added": "2026-01-01T00:00:00Z"}]}))
    try:
        yield node(cloud(lambda connection, request: connection.send(answer(body=BODY))), caller=None,
                   settings={"auth.socket": str(authd.socket), "list.file": str(file), "auth.ntlm": "winbind"},
                   listeners=[tls_row(certs, "connector-rsa", channel_binding=mode) for mode in MODES])
    finally:
        authd.finish()


def test_ntlm_that_is_bound_elsewhere_is_refused(domain, certs, tmp_path):
    """E14: what the caller's answer says of its connection is part of what the domain checks."""
    (tmp_path / "password").write_text(people.password("alice") + "\n")
    right, wrong = (end_point(certs.chain(name)).hex() for name in ("connector-rsa", "connector-ecdsa"))
    expected = {"off": ("200", "200", "200"), "accept": ("200", "401", "200"), "require": ("200", "401", "401")}
    for index, mode in enumerate(MODES):
        for bound, status in zip((right, wrong, None), expected[mode]):
            got = load(tmp_path, f"https://{domain.listeners[index]['address']}", "--insecure", "--op", "AcquireLicense", "--request-bytes", 2048,
                       "--answer-bytes", len(BODY), "--auth", "ntlm", "--user", r"CORP\alice", "--password-file", tmp_path / "password", "--spn", SPN, "--requests", 1,
                       "--connections", 1, "--verify", "0%", *(("--end-point", bound) if bound else ()))
            assert list(got["status"]) == [status], (mode, bound, got.out)
    eventually(lambda: domain.metric("authentications", result="binding_wrong") == 2)
    assert domain.metric("authentications", result="binding_missing") == 1
