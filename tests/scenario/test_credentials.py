"""By whose credential a caller speaks to the cloud, and that no two credentials ever share anything."""

import json
import signal
import ssl

import pytest

from support import soap
from support.fake_authd import DOMAIN, FakeAuthd, done, kerberos, word_in
from support.upstream import answer, server_context
from support.wait import eventually

CERTIFY = soap.CERTIFY
ACCOUNTS = {"exch": 1001, "share": 1002, "files": 1003, "branch": 1004}
ROLES = {"exch": "exchange", "share": "sharepoint", "files": "fci", "branch": "fci"}


def by_name(request):
    return done(word_in(request.token), ACCOUNTS[word_in(request.token)])


def ask(relay, name, operation=CERTIFY):
    with relay.caller() as caller:
        return caller.ask(soap.request(operation, headers=[kerberos(name)]))


@pytest.fixture
def relay_with(node, tmp_path):
    """relay_with(cloud, credentials): a node whose callers are those above, each in the list with its role."""
    made = []

    def make(cloud, credentials, **how):
        made.append(FakeAuthd(tmp_path / "authd.sock", by_name))
        file = tmp_path / "list.json"
        file.write_text(json.dumps({"version": 1, "entries": [
            {"sid": f"{DOMAIN}-{rid}", "role": ROLES[name], "added": "2026-01-01T00:00:00Z"} for name, rid in ACCOUNTS.items()]}))
        settings = {"auth.socket": made[-1].path, "list.file": str(file), **how.pop("settings", {})}
        return node(cloud, caller=None, settings=settings, credentials=credentials, **how)
    yield make
    for one in made:
        one.stop()
        assert not one.problems, one.problems


def static(folder, name, **row):
    file = folder / f"{name}.authorization"
    file.write_text(f"Bearer token-of-{name}\n")
    return {"name": name, "kind": "static", "authorization_file": str(file), **row}


def seen(cloud):
    """Which Authorization came over which connection."""
    return [(request.connection, request.header("Authorization")) for request in cloud.requests]


def test_each_role_speaks_with_its_own_credential(tmp_path, cloud, relay_with):
    """A03 C03 C04 C17: three roles at once, three credentials at the cloud, and no connection has seen two of them."""
    working = cloud()
    relay = relay_with(working, [static(tmp_path, "super", roles=["exchange"]), static(tmp_path, "pages", roles=["sharepoint"]),
                                 static(tmp_path, "shares", roles=["fci"])])
    for name in 3 * ["exch", "share", "files"]:
        assert ask(relay, name).status == 200
    said = [authorization for _, authorization in seen(working)]
    assert said == 3 * ["Bearer token-of-super", "Bearer token-of-pages", "Bearer token-of-shares"]
    by_connection = {}
    for connection, authorization in seen(working):
        by_connection.setdefault(connection, set()).add(authorization)
    assert len(by_connection) == 3 and all(len(words) == 1 for words in by_connection.values())
    assert relay.metric("upstream_connections", state="idle") == 3


def test_an_entry_may_have_a_credential_of_its_own(tmp_path, cloud, relay_with):
    """C16 C17: an entry's own credential comes before that of its role."""
    working = cloud()
    relay = relay_with(working, [static(tmp_path, "branch", entries=[f"{DOMAIN}-1004"]), static(tmp_path, "ordinary", roles=["fci", "sharepoint"])])
    for name in ("files", "branch", "share"):
        assert ask(relay, name).status == 200
    assert [authorization for _, authorization in seen(working)] == [f"Bearer token-of-{name}" for name in ("ordinary", "branch", "ordinary")]


def test_a_role_without_credential_is_deferred_and_never_borrows_another(tmp_path, cloud, relay_with):
    """C03 C04: nothing of it reaches the cloud."""
    working = cloud()
    relay = relay_with(working, [static(tmp_path, "ordinary", roles=["sharepoint", "fci"])])
    got = ask(relay, "exch")
    assert got.status == 500 and got.header("Retry-After") and b"no credential for callers of this role" in got.body
    assert not working.requests
    assert ask(relay, "files").status == 200
    told = [event for event in relay.events() if event["event"] == 4060]
    assert len(told) == 1 and "role exchange" in told[0]["text"]


def test_a_file_that_changed_is_read_at_sighup(tmp_path, cloud, relay_with):
    """H12: static. A file that cannot be used changes nothing."""
    working = cloud()
    row = static(tmp_path, "everybody")
    relay = relay_with(working, [row])
    assert ask(relay, "exch").status == 200
    (tmp_path / "everybody.authorization").write_text("Bearer second\n")
    relay.signal(signal.SIGHUP)

    def said():
        assert ask(relay, "exch").status == 200
        return working.requests[-1].header("Authorization")
    eventually(lambda: said() == "Bearer second")
    (tmp_path / "everybody.authorization").write_text("two\nlines\n")
    relay.signal(signal.SIGHUP)
    eventually(lambda: any("everybody" in event["text"] and event["event"] == 4009 for event in relay.events()))
    assert said() == "Bearer second"


def test_a_client_certificate_proves_the_node(certs, cloud, relay_with):
    """H12: mtls. Only the credential that has the certificate shows it."""
    context = server_context(certs)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(certs.ca)
    names = []

    def script(connection, request):
        names.append(connection.sock.getpeercert() or None)
        connection.send(answer(body=soap.answer_body(request.operation)))
    working = cloud(script, tls=context)
    relay = relay_with(working, [{"name": "proven", "kind": "mtls", "roles": ["exchange"], "certificate_file": certs.chain("client"),
                                  "key_file": certs.key("client")}, {"name": "none", "kind": "none", "roles": ["fci"]}])
    assert ask(relay, "exch").status == 200 and ask(relay, "files").status == 200 and ask(relay, "exch").status == 200
    assert [bool(name) for name in names] == [True, False, True]


def test_the_service_may_live_below_another_path(cloud, node):
    """H13"""
    working = cloud()
    relay = node(working, settings={"upstream.path": "/_wmcs/oauth2"})
    assert relay.ask(soap.request(CERTIFY)).status == 200
    assert working.requests[0].target.startswith("/_wmcs/oauth2/certification/")


@pytest.mark.parametrize("rows, told", [
    ([{"name": "a", "kind": "oauth"}], "credentials[0].kind must be one of none, static"),
    ([{"name": "a", "kind": "static"}], "needs authorization_file"),
    ([{"name": "a", "kind": "none", "key_file": "/x"}], "credentials[0].key_file means nothing for the kind none"),
    ([{"name": "a", "kind": "none"}, {"name": "b", "kind": "none", "roles": ["fci"]}], "the role fci has the credential on line"),
    ([{"name": "a", "kind": "none", "roles": ["fci"]}, {"name": "a", "kind": "none", "roles": ["exchange"]}], "a is the name of the credential on line"),
    ([{"name": "a", "kind": "none", "entries": ["S-1-1-0"]}], "must be the SID of an entry"),
    ([{"name": "a", "kind": "none", "roles": ["admin"]}], "must be exchange, sharepoint or fci"),
    ([{"kind": "none"}], "credentials[0] has no name"),
    ([{"name": "a", "kind": "static", "authorization_file": "/no/such/file"}], "/no/such/file"),
])
def test_a_wrong_row_is_told_with_its_place(node, cloud, rows, told):
    """C03 C04"""
    relay = node(cloud(), credentials=rows, start=False)
    relay.expected_exit = 78
    relay.start(ready=False)
    relay.wait()
    assert told in relay.stderr(), relay.stderr()
