"""The directory cannot be asked, so groups cannot be expanded: authd's answer names the cause and how to mend it, after a bounded time."""

import contextlib
import socket
import ssl
import threading

import pytest

from support.adlab import people
from support.adlab.daemon import Daemon
from support.keytab import read, write


@pytest.fixture
def refusal(lab, tmp_path):
    """What authd says when it is asked for the members of a group, and how to mend it; the realm's row is changed so."""
    def ask(keytab=None, **changed):
        daemon = Daemon(lab, tmp_path / "authd", realms=[{"name": people.CORP.realm, **changed}], **({"keytab": str(keytab)} if keytab else {}))
        try:
            answer = daemon.connect().ask("members", sid=lab.sid("Exchange Servers"))
        finally:
            daemon.finish()
        assert not answer["ok"] and answer["code"] == "unreachable" and answer["mend"], answer
        head, _, cause = answer["error"].partition("cannot be reached now: ")
        assert lab.sid("Exchange Servers") in head and cause
        return cause, answer["mend"]
    return ask


@pytest.fixture
def ldaps(lab, tmp_path):
    """A row for LDAPS with a password, right but for what is changed."""
    def row(password=people.password(people.CONNECTOR), **changed):
        (tmp_path / "password").write_text(password + "\n")
        return {"bind_dn": "svc-rms@corp.test", "password_file": str(tmp_path / "password"),
                "ca_file": str(lab.folder / "corp/private/tls/ca.pem"), **changed}
    return row


def test_names_that_dns_does_not_have(refusal):
    """J11: DNS: no SRV records of the realm; the controllers are named, but unknown."""
    cause, mend = refusal(name="NOWHERE.TEST")
    assert "DNS has no SRV record _ldap._tcp.dc._msdcs.NOWHERE.TEST" in cause and "domain's DNS" in mend
    cause, mend = refusal(controllers=["dc9.corp.test"])
    assert "dc9.corp.test: DNS has no address of it" in cause and "controllers" in mend


def test_nobody_listens_there(refusal, ldaps):
    """J11: TCP, of either kind."""
    cause, mend = refusal(controllers=["127.0.0.99"])
    assert cause == "127.0.0.99: no TCP connection to port 389: Connection refused" and "firewall" in mend
    cause, _ = refusal(controllers=["127.0.0.99"], **ldaps())
    assert cause == "127.0.0.99: no TCP connection to port 636: Connection refused"


SILENT = {  # when it says nothing any more: its address, the beginning of an answer to the bind
    "before TLS": ("127.0.0.96", None),
    "after TLS": ("127.0.0.97", b""),
    "in the middle of an answer": ("127.0.0.98", bytes.fromhex("300c0201")),
}


@contextlib.contextmanager
def silent_controller(certs, address, answer):
    """A place that takes connections at the port for LDAPS and goes silent; the certificate is right."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs.chain("controller"), certs.key("controller"))
    kept = []

    def serve(listening):
        with contextlib.suppress(OSError):
            while True:
                kept.append(listening.accept()[0])
                if answer is None:
                    continue
                kept.append(context.wrap_socket(kept[-1], server_side=True))
                kept[-1].recv(1000)
                kept[-1].sendall(answer)
    listening = socket.create_server((address, 636))
    thread = threading.Thread(target=serve, args=(listening,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for one in (listening, *kept):
            one.close()


@pytest.mark.parametrize("when", SILENT)
def test_a_controller_that_goes_silent(certs, refusal, ldaps, when):
    """J11: time: libldap alone would wait for ever before TLS and in the middle of an answer."""
    address, answer = SILENT[when]
    certs.issue("controller", "controller", ",".join(f"IP:{one}" for one, _ in SILENT.values()))
    with silent_controller(certs, address, answer):
        cause, mend = refusal(controllers=[address], **ldaps(ca_file=certs.ca))
    assert cause == f"{address}: port 636 takes connections, but no answer came in time" and "overloaded" in mend


def test_a_certificate_of_somebody_else(lab, refusal, ldaps):
    """J11: TLS"""
    cause, mend = refusal(**ldaps(ca_file=str(lab.folder / "partner/private/tls/ca.pem")))
    assert cause == "dc1.corp.test: port 636 takes connections, but TLS with it fails" and "ca_file" in mend


def test_a_bind_that_the_directory_refuses(refusal, ldaps, tmp_path):
    """J11: bind with a password: wrong, and missing."""
    cause, mend = refusal(**ldaps(password="wrong"))
    assert "bind over LDAPS: Invalid credentials" in cause and "name and password" in mend
    cause, mend = refusal(**ldaps(password_file=str(tmp_path / "none")))
    assert f"{tmp_path}/none: no password in it" in cause and "readable for authd" in mend


def test_a_keytab_that_the_directory_does_not_know(lab, refusal, tmp_path):
    """J11: bind with Kerberos: a keytab of the service name alone, and one of before the last change of the password."""
    cause, mend = refusal(keytab=lab.folder / "http.keytab")
    assert "no ticket for HTTP/rmsconnector.corp.test@CORP.TEST" in cause and "not found in Kerberos database" in cause and "keytab" in mend
    cause, mend = refusal(keytab=write(tmp_path / "old.keytab", [key.other_key() for key in read(lab.keytab)]))
    assert "no ticket for svc-rms@CORP.TEST: Preauthentication failed" in cause and "present password" in mend
