"""Answers of the cloud that are given again: to whom, how long, and what of them survives."""

import concurrent.futures
import datetime
import itertools
import json
import os
import signal
import stat

import pytest

from support import soap
from support.ctl import ctl
from support.fake_authd import done, entries, kerberos, word_in
from support.upstream import answer
from support.wait import eventually

ACCOUNTS = {"exch": 1001, "share": 1002, "files": 1003, "more": 1004}
LIST = ((1001, "exchange"), (1002, "sharepoint"), (1003, "sharepoint"))
ON = {"cache.enabled": True}
REMEMBERED = (soap.LICENSOR_CERTIFICATE, soap.SERVER_INFO, soap.LOCATIONS, soap.LOCATIONS_FOR_USER)
NEVER = (soap.CERTIFY, soap.ACQUIRE_LICENSE, soap.ACQUIRE_PRELICENSE, soap.GET_CLC, soap.ACQUIRE_IL)
TEMPLATES = (soap.TEMPLATE_INFORMATION, soap.TEMPLATES)


def by_account(request):
    return done(word_in(request.token), ACCOUNTS[word_in(request.token)])


def minutes_from_now(minutes):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M")


def certificate(until="2040-01-01T00:00"):
    return ('<XrML xmlns="" version="1.2"><BODY type="LICENSE" version="3.0"><ISSUEDTIME>2020-01-01T00:00</ISSUEDTIME>'
            f"<VALIDITYTIME><FROM>2020-01-01T00:00</FROM><UNTIL>{until}</UNTIL></VALIDITYTIME><DESCRIPTOR>"
            '<OBJECT type="Server-Licensor-Certificate"><ID type="MS-GUID">{aa}</ID></OBJECT></DESCRIPTOR></BODY></XrML>')


class Tenant:
    """A cloud whose answers have a number, so that one given again shows. inside: what its certificate is."""

    def __init__(self, **times):
        self.count, self.xrml, self.spoil = 0, certificate(**times), None

    def __call__(self, connection, request):
        self.count += 1
        op = request.operation
        inside = f"<!--{self.count}-->"
        if op == soap.LICENSOR_CERTIFICATE:
            inside += f"<CertificateChain><Certificate>{self.xrml}</Certificate></CertificateChain>"
        if op == soap.TEMPLATE_INFORMATION:
            inside += "<GuidHash><Guid>{g}</Guid><Hash>h</Hash></GuidHash>"
        version = 12 if "soap+xml" in request.header("Content-Type") else 11
        name = "soap:Fault" if self.spoil == "fault" else f"{op.name}Response"
        body = soap._envelope(version, "", f'<{name} xmlns="{soap.BASE}{op.namespace}">{inside}</{name}>')  # pylint: disable=protected-access
        kind = "text/xml; charset=utf-8" if version == 11 else "application/soap+xml; charset=utf-8"
        connection.send(answer(body=body, content_type=kind, headers=[("X-Powered-By", "ASP.NET"), ("Cache-Control", "private, max-age=0")]))


@pytest.fixture
def caching(known, cloud):
    """caching(...): a node that remembers, whose callers are ACCOUNTS; .tenant counts what reached the cloud."""
    def make(settings=None, tenant=None, rows=LIST, **how):
        tenant = tenant or Tenant()
        relay = known(by_account, rows, upstream=cloud(tenant), settings={**ON, **(settings or {})}, **how)
        relay.tenant = tenant
        return relay
    return make


def ask(relay, op, who="exch", **how):
    headers = [kerberos(who), *how.pop("headers", ())]
    with relay.caller() as caller:
        got = caller.ask(soap.request(op, headers=headers, **how))
    assert got.status == 200, got
    return got


# ---- what is remembered ----

@pytest.mark.parametrize("op", REMEMBERED, ids=soap.op_id)
def test_what_is_the_same_for_all_is_asked_once(caching, op):
    """I01 I02: byte for byte, with the headers that travel, the rest of the head our own."""
    relay = caching()
    first, second = ask(relay, op), ask(relay, op)
    assert relay.tenant.count == 1
    assert second.body == first.body and second.header("X-Powered-By") == "ASP.NET"
    assert second.header("Content-Type") == first.header("Content-Type")
    assert first.header("Age") is None and 0 <= int(second.header("Age")) < 60
    assert relay.metric("cache_hits") == 1 and relay.metric("cache_misses") == 1 and relay.metric("cache_stored") == 1
    rows = relay.logged(2)
    assert "cache" not in rows[0] and rows[1]["cache"] == "hit" and "upstream_status" not in rows[1]


@pytest.mark.parametrize("op", NEVER + TEMPLATES, ids=soap.op_id)
def test_everything_else_reaches_the_cloud(caching, op):
    """I01 I07: certificates and licences of a machine, an account or a document; templates as long as nobody asked for that."""
    relay = caching()
    assert ask(relay, op).body != ask(relay, op).body
    assert relay.tenant.count == 2
    assert relay.metric("cache_hits") == relay.metric("cache_misses") == relay.metric("cache_stored") == 0


def test_two_machines_of_one_entry_both_reach_the_cloud(caching):
    """I07: even where their requests are the same to the last byte."""
    relay = caching()
    asked = [soap.request_body(soap.CERTIFY), soap.request_body(soap.CERTIFY).replace(b"MachineCertificateChain</ID>", b"Another</ID>"),
             soap.request_body(soap.CERTIFY)]
    answers = [ask(relay, soap.CERTIFY, body=body).body for body in asked]
    assert relay.tenant.count == 3 and len(set(answers)) == 3


@pytest.mark.parametrize("spoilt", ["fault", "cut", "exception", "404", "long", "gzip"])
def test_what_is_no_whole_good_answer_is_not_remembered(caching, cloud, spoilt):
    """I01"""
    op, seen = soap.LOCATIONS, []

    def script(connection, request):
        seen.append(request)
        body = soap.answer_body(op, padding=300_000 if spoilt == "long" else 0)
        if spoilt == "fault":
            connection.send(answer(500, soap.fault_body("System.Exception"), reason="Internal Server Error"))
        elif spoilt == "cut":
            connection.send(answer(body=body)[:-10])
            connection.cut()
        elif spoilt == "exception":
            connection.send(answer(body=body.replace(b"<FindServiceLocationsResult/>", b"<SomeException/>")))
        elif spoilt == "404":
            connection.send(answer(404, body))
        else:
            connection.send(answer(body=body, headers=[("Content-Encoding", "gzip")] if spoilt == "gzip" else []))
    relay = caching(tenant=script)
    for _ in range(2):
        with relay.caller() as caller:
            caller.ask(soap.request(op, headers=[kerberos("exch")]), allow_cut=True)
    assert len(seen) == 2
    assert relay.metric("cache_stored") == 0


def test_a_certificate_that_ends_soon_is_remembered_to_its_end(caching, place):
    """I02: and a long one for a day."""
    ends = minutes_from_now(90)
    relay = caching({"admin.socket": f"{place}/a.sock"}, tenant=Tenant(until=ends))
    relay.socket = f"{place}/a.sock"
    ask(relay, soap.LICENSOR_CERTIFICATE)

    def shown():
        told = json.loads(ctl("cache", "show", "--json", relay=relay).stdout)
        return told["result"]["answers"]
    row, = eventually(shown)
    assert row["until"] == row["if_away_until"] == f"{ends}:00Z"
    relay.tenant.xrml = certificate()
    ask(relay, soap.LICENSOR_CERTIFICATE, path=soap.LICENSOR_CERTIFICATE.paths[0])
    other = next(one for one in eventually(lambda: len(shown()) == 2 and shown()) if one["key"] != row["key"])
    lives = datetime.datetime.fromisoformat(other["until"][:-1]) - datetime.datetime.fromisoformat(other["from"][:-1])
    assert lives == datetime.timedelta(days=1)


def test_a_certificate_that_is_over_is_not_remembered(caching):
    """I02"""
    relay = caching(tenant=Tenant(until=minutes_from_now(-1)))
    assert ask(relay, soap.LICENSOR_CERTIFICATE).body != ask(relay, soap.LICENSOR_CERTIFICATE).body


def test_the_answer_has_the_mutual_token_of_this_caller(known, cloud):
    """I02: WWW-Authenticate is of the handshake, and never comes out of the memory."""
    relay = known(lambda request: done(word_in(request.token), 1001, answer=request.token[:3] + b"-mutual"), upstream=cloud(Tenant()), settings=ON)
    got = [ask(relay, soap.LOCATIONS).header("WWW-Authenticate") for _ in range(2)]
    assert got[0] and got[1] == got[0] and len(relay.cloud.requests) == 1


# ---- to whom ----

def test_nobody_gets_a_remembered_answer_without_being_on_the_list(caching):
    """I03: neither who never was, nor who was a moment ago."""
    relay = caching()
    ask(relay, soap.LOCATIONS)
    with relay.caller() as caller:
        assert caller.ask(soap.request(soap.LOCATIONS, headers=[kerberos("more")])).status == 403
    assert relay.ask(soap.request(soap.LOCATIONS)).status == 401
    with relay.caller() as kept:
        assert kept.ask(soap.request(soap.LOCATIONS, headers=[kerberos("exch")])).status == 200
        relay.list.write_text(entries(*LIST[1:]))
        relay.signal(signal.SIGHUP)
        eventually(lambda: kept.ask(soap.request(soap.LOCATIONS)).status == 403)
    assert relay.tenant.count == 1


VARIED = {
    "body": {"body": soap.request_body(soap.LOCATIONS) + b" "},
    "path": {"path": soap.LOCATIONS.paths[0]},
    "content type": {"without": ["Content-Type"], "headers": [("Content-Type", "text/xml;charset=utf-8")]},
    "accept encoding": {"headers": [("Accept-Encoding", "gzip")]},
    "accept language": {"headers": [("Accept-Language", "de")]},
    "soap version": {"version": 12},
    "credential": {"who": "share"},
}


@pytest.mark.parametrize("varied", VARIED)
def test_the_key_covers_whatever_the_answer_may_depend_on(caching, tmp_path, varied):
    """I04"""
    rows = [{"name": name, "kind": "none", "roles": [role]} for name, role in (("a", "exchange"), ("b", "sharepoint"))]
    relay = caching(credentials=rows)
    ask(relay, soap.LOCATIONS)
    ask(relay, soap.LOCATIONS, **VARIED[varied])
    assert relay.tenant.count == 2
    ask(relay, soap.LOCATIONS)
    ask(relay, soap.LOCATIONS, **VARIED[varied])
    assert relay.tenant.count == 2


def test_what_is_everybodys_is_given_to_all_entries_of_a_credential(caching):
    """I04: path in any case, and whoever asks."""
    relay = caching()
    answers = {ask(relay, soap.LICENSOR_CERTIFICATE, who=who, path=path).body for who in ("exch", "share", "files")
               for path in (soap.LICENSOR_CERTIFICATE.path, soap.LICENSOR_CERTIFICATE.path.upper())}
    assert len(answers) == 1 and relay.tenant.count == 1


@pytest.mark.parametrize("op", [soap.LOCATIONS_FOR_USER, *TEMPLATES], ids=soap.op_id)
def test_no_answer_crosses_from_one_entry_to_another(caching, op):
    """C17 I04: the same role and credential, but two entries."""
    relay = caching({"cache.templates": True})
    if op == soap.TEMPLATES: # are remembered as long as what was told about them is
        for who in ("share", "files"):
            ask(relay, soap.TEMPLATE_INFORMATION, who=who)
    before = relay.tenant.count
    a, b = ask(relay, op, who="share"), ask(relay, op, who="files")
    assert a.body != b.body and relay.tenant.count == before + 2
    assert ask(relay, op, who="share").body == a.body and ask(relay, op, who="files").body == b.body
    assert relay.tenant.count == before + 2


def test_answers_of_an_entry_go_with_it(caching):
    """C17: and do not come back with it."""
    relay = caching()
    ask(relay, soap.LOCATIONS_FOR_USER, who="share")
    ask(relay, soap.LOCATIONS)
    eventually(lambda: relay.metric("cache_answers") == 2)
    relay.list.write_text(entries(LIST[0]))
    relay.signal(signal.SIGHUP)
    eventually(lambda: relay.metric("cache_answers") == 1)
    relay.list.write_text(entries(*LIST))
    relay.signal(signal.SIGHUP)
    eventually(lambda: relay.metric("list_entries") == 3)

    def is_asked():
        with relay.caller() as caller:
            return caller.ask(soap.request(soap.LOCATIONS_FOR_USER, headers=[kerberos("share")])).status == 200
    eventually(is_asked)
    assert relay.tenant.count == 3


def test_templates_are_as_old_as_what_was_told_about_them(caching):
    """I01: without template information nothing of them is remembered."""
    relay = caching({"cache.templates": True})
    assert ask(relay, soap.TEMPLATES).body != ask(relay, soap.TEMPLATES).body
    ask(relay, soap.TEMPLATE_INFORMATION)
    assert ask(relay, soap.TEMPLATES).body == ask(relay, soap.TEMPLATES).body


def test_who_asks_for_a_new_answer_gets_one(caching):
    relay = caching()
    ask(relay, soap.LOCATIONS)
    ask(relay, soap.LOCATIONS, headers=[("Cache-Control", "no-cache")])
    assert relay.tenant.count == 2


# ---- at the same time ----

def test_many_who_ask_at_once_are_one_question_for_each_worker(caching, cloud):
    """I01: 30 callers, two workers."""
    tenant = Tenant()
    gate = []

    def slow(connection, request):
        eventually(lambda: gate, 20)
        tenant(connection, request)
    relay = caching({"node.workers": 2}, tenant=slow)
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        asked = [pool.submit(ask, relay, soap.LICENSOR_CERTIFICATE) for _ in range(30)]
        eventually(lambda: relay.metric("cache_misses") == 30)
        gate.append(True)
        bodies = {one.result().body for one in asked}
    assert tenant.count == len(bodies) <= 2
    assert relay.metric("cache_shared") == 30 - tenant.count


def test_the_question_survives_who_asked_it(caching):
    """The first caller leaves; who waited has the answer of the one question."""
    tenant, gate = Tenant(), []

    def slow(connection, request):
        eventually(lambda: gate, 20)
        tenant(connection, request)
    relay = caching(tenant=slow)
    with relay.caller() as first, relay.caller() as second:
        first.send(soap.request(soap.LOCATIONS, headers=[kerberos("exch")]))
        eventually(lambda: relay.cloud.whole)
        second.send(soap.request(soap.LOCATIONS, headers=[kerberos("share")]))
        eventually(lambda: relay.metric("cache_misses") == 2)
        first.close()
        eventually(lambda: relay.metric("client_connections_open") == 1)
        gate.append(True)
        assert second.answer().status == 200
    assert tenant.count == 1 and len(relay.cloud.requests) == 1


@pytest.mark.parametrize("now", ["sharepoint", None], ids=["of another role", "not on the list"])
def test_who_waited_has_an_answer_only_as_whom_it_asked(caching, now):
    """I03 C17: the list changes while the cloud is asked."""
    tenant, gate = Tenant(), []

    def slow(connection, request):
        eventually(lambda: gate, 20)
        tenant(connection, request)
    relay = caching(tenant=slow)
    with relay.caller() as first, relay.caller() as second, relay.caller() as other:
        for one in (first, second):
            one.send(soap.request(soap.LOCATIONS_FOR_USER, headers=[kerberos("exch")]))
        eventually(lambda: relay.metric("cache_misses") == 2)
        relay.list.write_text(entries(*(((1001, now),) if now else ()), LIST[1]))
        relay.signal(signal.SIGHUP)
        no_operation = soap.request(soap.LOCATIONS, body=soap.request_body(soap.CERTIFY), headers=[kerberos("files")])
        eventually(lambda: other.ask(no_operation).status == 403) # who is not on the new list
        gate.append(True)
        assert first.answer().status == 200 # asked for in time
        assert second.answer().status == (200 if now else 403)
    assert tenant.count == (2 if now else 1)


# ---- what survives ----

@pytest.fixture
def kept(caching, place):
    def make(settings=None, **how):
        state = f"{place}/state"
        os.makedirs(state, mode=0o700, exist_ok=True)
        relay = caching({"node.state_directory": state, "admin.socket": f"{place}/a.sock", **(settings or {})}, **how)
        relay.state, relay.socket, relay.file = state, f"{place}/a.sock", f"{state}/cache"
        return relay
    return make


def restart(relay, how=signal.SIGTERM):
    if how == signal.SIGKILL:
        relay.expected_exit = -9
    relay.signal(how)
    relay.wait()
    relay.expected_exit = 0
    relay.start()


def test_remembered_answers_survive_a_restart(kept):
    """I05"""
    relay = kept()
    first = ask(relay, soap.LICENSOR_CERTIFICATE)
    restart(relay)
    assert ask(relay, soap.LICENSOR_CERTIFICATE).body == first.body and relay.tenant.count == 1
    assert stat.S_IMODE(os.stat(relay.file).st_mode) == 0o600


def test_and_the_end_of_a_process_that_is_killed(kept):
    """I05: what is on the disk after a second is."""
    relay = kept()
    first = ask(relay, soap.LICENSOR_CERTIFICATE)
    eventually(lambda: os.path.getsize(relay.file) > 0 and b"RMSC" in open(relay.file, "rb").read())
    restart(relay, signal.SIGKILL)
    assert ask(relay, soap.LICENSOR_CERTIFICATE).body == first.body and relay.tenant.count == 1


def test_a_damaged_file_costs_a_question(kept):
    """I05: cut; and a record that was changed."""
    relay = kept()
    first = ask(relay, soap.LICENSOR_CERTIFICATE)
    relay.stop()
    whole = open(relay.file, "rb").read()
    with open(relay.file, "wb") as out:
        out.write(whole.replace(b"2040-01-01", b"2099-01-01"))
    relay.start()
    assert ask(relay, soap.LICENSOR_CERTIFICATE).body != first.body
    assert "1 records" in relay.event(4080)["text"]
    relay.stop()
    os.truncate(relay.file, 12000)
    relay.start()
    ask(relay, soap.LICENSOR_CERTIFICATE)
    assert relay.tenant.count == 3
    assert any("a new one made" in event["text"] for event in relay.events(4080))


def test_it_is_bounded(kept):
    """I05: the oldest go; whatever callers vary, and what they never ask for again takes only what room is free."""
    relay = kept({"cache.size_bytes": 1 << 20}, tenant=lambda connection, request: connection.send(
        answer(body=soap.answer_body(request.operation, padding=100_000))))
    sizes = itertools.count(100)

    def is_let_be():
        before = relay.metric("cache_stored")
        ask(relay, soap.LOCATIONS, padding=next(sizes))
        return relay.metric("cache_stored") == before
    assert not is_let_be()
    eventually(is_let_be)
    for size in range(1000, 1030):
        ask(relay, soap.LOCATIONS, padding=size)
        ask(relay, soap.LOCATIONS, padding=size)
    eventually(lambda: relay.metric("cache_evicted") >= 20)
    assert relay.metric("cache_bytes") <= 1 << 20
    relay.stop()
    assert os.path.getsize(relay.file) < 8 << 20


# ---- administration ----

def test_it_can_be_looked_at_and_emptied(kept):
    """I05"""
    relay = kept()
    ask(relay, soap.LICENSOR_CERTIFICATE)
    ask(relay, soap.LOCATIONS)
    ask(relay, soap.LOCATIONS)

    def told(*words):
        said = ctl("cache", *words, "--json", relay=relay)
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)["result"]
    eventually(lambda: told("stats")["answers"] == 2)
    stats = told("stats")
    row = next(one for one in stats["operations"] if one["operation"] == "FindServiceLocations")
    assert (row["hits"], row["misses"], row["stored"]) == (1, 1, 1) and stats["on_disk"]
    assert {one["operation"] for one in told("show")["answers"]} == {"FindServiceLocations", "GetLicensorCertificate"}
    assert len(told("show", "--operation", "findservicelocations")["answers"]) == 1
    assert told("invalidate", "--operation", "GetLicensorCertificate") == {"removed": 1}

    def asked_again():
        before = relay.tenant.count
        ask(relay, soap.LICENSOR_CERTIFICATE)
        return relay.tenant.count > before
    eventually(asked_again)
    before = relay.tenant.count
    ask(relay, soap.LOCATIONS)
    assert relay.tenant.count == before
    eventually(lambda: told("stats")["answers"] == 2)
    assert told("invalidate") == {"removed": 2} and told("show") == {"answers": []}
    restart(relay)
    ask(relay, soap.LOCATIONS)
    assert relay.tenant.count == before + 1
    assert ctl("cache", "show", "--operation", "Certify", relay=relay).returncode == 64


def test_switched_off_nothing_is_remembered(known, cloud, place):
    relay = known(by_account, LIST, upstream=cloud(Tenant()), settings={"admin.socket": f"{place}/a.sock"})
    relay.socket = f"{place}/a.sock"
    assert ask(relay, soap.LOCATIONS).body != ask(relay, soap.LOCATIONS).body
    said = ctl("cache", "stats", relay=relay)
    assert said.returncode == 78 and "cache.enabled" in said.stderr
