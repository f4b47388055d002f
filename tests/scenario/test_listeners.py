"""Listeners and what stands before them: balancers that pass bytes on, and proxies that read HTTP."""

import json
import subprocess

import pytest

from support import net, soap
from support.fake_authd import DOMAIN, FakeAuthd, done, header, kerberos, ntlm_token, refused, word_in
from support.node import ROOT

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
