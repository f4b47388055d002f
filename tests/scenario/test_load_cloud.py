"""rms-load against the cloud stand-in: both count the same, signatures are really looked at, a server's start is really checked."""

import base64
import re
import urllib.request

import pytest

from support import net, soap
from support.load import load
from support.sim import CloudSim, simulator  # noqa: F401  pylint: disable=unused-import

START = ["GetServerInfo", "GetServerInfo", "FindServiceLocations", "FindServiceLocationsForUser", "GetLicensorCertificate", "Certify",
         "GetClientLicensorCert", "AcquireTemplateInformation", "AcquireTemplates", "AcquireLicense", "AcquirePreLicense"]


@pytest.fixture(scope="module")
def plain():
    """One stand-in without TLS for the whole module: its tenant's keys take a moment to make."""
    with CloudSim(certificate=None) as sim:
        yield sim


@pytest.fixture
def sim(plain):
    plain.reset()
    return plain


def ask(sim, op, body=None):
    """A good answer's body."""
    request = urllib.request.Request(sim.url + op.path, data=body or soap.request_body(op), headers=dict(soap.content_headers(op)))
    with urllib.request.urlopen(request, timeout=30) as got:
        return got.read()


def instead(op, body, **match):
    return {"match": {"op": op, **match}, "body": base64.b64encode(body).decode()}


# ---- counts ----

@pytest.mark.parametrize("profile", ["exchange", "sharepoint", "fci", "mixed"])
def test_the_cloud_saw_what_the_tool_counts(simulator, certs, tmp_path, profile):
    sim = simulator()
    done = load(tmp_path, sim.url, "--ca", certs.ca, "--profile", profile, "--requests", 80, "--connections", 8, "--threads", 2,
                "--verify", "100%", "--check", "wrong=0", "--check", "errors=0")
    seen = sim.seen()
    assert done["completed"] == done["verified.answers"] == seen["whole"] == seen["requests"] == 80
    by_op = {}
    for callers in done["callers"].values():
        for op, row in callers.items():
            by_op[op] = by_op.get(op, 0) + row["requests"]
    assert by_op == {op: row["ok"] for op, row in seen["ops"].items()}
    assert done["connections.opened"] == seen["connections"]["accepted"]
    assert done["connections.handshakes"] == seen["connections"]["handshakes"]
    heads = sum(row["answer_bytes"] for row in seen["ops"].values()) - done["total.bytes_received"]
    assert 80 * 100 < heads < 80 * 300, "the cloud counts the heads too"
    assert done["verified.signatures"] > 80 and seen["malformed"] == 0
    assert seen["connections"]["truncated"] == 0, "connections end with close_notify"
    # what carries application data is never the same twice
    bodies = [r["sha256"] for r in seen["last"] if r["op"] in ("AcquireLicense", "AcquirePreLicense")]
    assert len(bodies) == len(set(bodies))


def test_the_measuring_mode_gets_the_sizes_it_asks_for(certs, tmp_path):
    with CloudSim(certs, arguments=["--bench-answer", 8192]) as sim:
        for request, answer in [(2048, 8192), (16384, 24576), (262144, 262144)]:
            done = load(tmp_path, sim.url, "--ca", certs.ca, "--op", "AcquireLicense", "--request-bytes", request, "--answer-bytes", answer,
                        "--requests", 50, "--connections", 4, "--verify", "100%")
            assert done["total.bytes_received"] == 50 * answer and done["errors"] == 0
            assert done["verified.answers"] == 50 and done["verified.wrong"] == 0


def test_one_operation_at_its_natural_size_is_verified(sim, tmp_path):
    done = load(tmp_path, sim.url, "--op", "AcquirePreLicense", "--requests", 10, "--verify", "100%")
    assert done["verified.answers"] == 10 and done["verified.signatures"] >= 50


# ---- wrong bytes ----

def test_a_changed_byte_under_a_signature_is_wrong(sim, tmp_path):
    good = ask(sim, soap.LICENSOR_CERTIFICATE)
    at = good.index(b"<ISSUEDTIME>") + 14
    changed = good[:at] + (b"3" if good[at:at + 1] != b"3" else b"4") + good[at + 1:]
    sim.script(instead("GetLicensorCertificate", changed, nth=7))
    done = load(tmp_path, sim.url, "--op", "GetLicensorCertificate", "--requests", 20, "--connections", 1, "--verify", "100%", expect=1)
    assert done["verified.wrong"] == done["errors"] == 1 and done["verified.wrong_signatures"] == 1
    assert "signature" in done["verified.first_wrong"]


def test_bytes_that_no_signature_covers_are_still_an_answer_of_the_right_shape(sim, tmp_path):
    good = ask(sim, soap.LICENSOR_CERTIFICATE)
    sim.script(instead("GetLicensorCertificate", good.replace(b"</soap:Body>", b"</soap:Bodi>", 1), nth=3))
    done = load(tmp_path, sim.url, "--op", "GetLicensorCertificate", "--requests", 5, "--connections", 1, "--verify", "100%", expect=1)
    assert done["verified.wrong"] == 1 and "well-formed" in done["verified.first_wrong"]


def test_an_answer_to_somebody_elses_question_is_wrong(sim, tmp_path):
    """Every signature in it is good."""
    sim.script(instead("GetServerInfo", ask(sim, soap.LICENSOR_CERTIFICATE), nth=2))
    done = load(tmp_path, sim.url, "--op", "GetServerInfo", "--requests", 4, "--connections", 1, "--verify", "100%", expect=1)
    assert done["verified.wrong"] == 1 and "another operation" in done["verified.first_wrong"]

    sim.reset()
    licence = ask(sim, soap.ACQUIRE_LICENSE)
    sim.script(instead("AcquireLicense", licence, nth=2))
    done = load(tmp_path, sim.url, "--op", "AcquireLicense", "--requests", 4, "--connections", 1, "--verify", "100%", expect=1)
    assert done["verified.wrong"] == 1


def test_garbage_at_a_byte_is_no_success(sim, tmp_path):
    sim.script({"match": {"nth": 3}, "at": 2000, "do": "garbage"}, {"match": {"nth": 5}, "at": 40, "do": "garbage"})
    done = load(tmp_path, sim.url, "--op", "GetLicensorCertificate", "--requests", 10, "--connections", 1, "--timeout", "1s",
                "--verify", "100%")
    assert done["completed"] == 8 and done["errors"] == 2 and done["verified.wrong"] == 0


def test_items_that_fail_inside_a_200_are_counted_and_not_wrong(sim, tmp_path):
    sim.script({"match": {"op": "AcquirePreLicense"}, "item_error": {"items": [0]}})
    done = load(tmp_path, sim.url, "--profile", "exchange", "--requests", 60, "--connections", 4, "--verify", "100%")
    assert done["errors"] == 0 and done["verified.wrong"] == 0
    assert done["verified.failed_items"] == done["callers.exchange.AcquirePreLicense.requests"] > 0


def test_compressed_answers_are_not_looked_at_and_said_so(sim, tmp_path):
    sim.script({"gzip": True})
    done = load(tmp_path, sim.url, "--op", "GetServerInfo", "--requests", 5, "--verify", "100%")
    assert done["completed"] == done["verified.skipped"] == 5 and done["verified.answers"] == 0


# ---- time ----

def test_latency_holds_the_clouds_delay(sim, tmp_path):
    sim.script({"delay_ms": 200})
    done = load(tmp_path, sim.url, "--op", "GetServerInfo", "--rate", 40, "--duration", 2, "--connections", 40,
                "--check", "min>=195ms", "--check", "unsent=0", "--check", "requests=80")
    assert done["total.latency_us.p50"] >= 195_000


def test_a_throttled_cloud_shows_when_it_hurt(sim, tmp_path):
    sim.script({"match": {"op": "GetServerInfo"}, "times": 30, "status": 429, "retry_after": 5})
    done = load(tmp_path, sim.url, "--op", "GetServerInfo", "--rate", 50, "--duration", 3, "--connections", 8)
    assert done["status"] == {"200": 120, "429": 30} and done["effects"] == {"ok": 120, "deferred": 30, "final": 0}
    assert done["by_second.0.errors"] == sum(second["errors"] for second in done["by_second"]) == 30


# ---- a server's start ----

def test_the_start_of_a_server_in_its_order(sim, tmp_path):
    done = load(tmp_path, sim.url, "--bootstrap")
    assert done["bootstrap.0.good"] and done["bootstrap.0.wrong"] == 0 and done["bootstrap.0.signatures"] > 120
    assert [request["op"] for request in sim.requests()] == START
    paths = [request["path"] for request in sim.requests()]
    assert [path.split("/")[2] for path in paths[:2]] == ["certification", "licensing"]
    assert "11 of 11 calls good" in done.out
    assert sim.seen()["connections"]["accepted"] == 1


def test_the_start_of_a_server_over_tls_and_then_load(simulator, certs, tmp_path):
    sim = simulator()
    done = load(tmp_path, sim.url, "--ca", certs.ca, "--bootstrap", "--profile", "exchange", "--requests", 30, "--verify", "100%",
                "--check", "wrong=0")
    assert done["bootstrap.0.good"] and done["verified.answers"] == 30
    assert sim.seen()["whole"] == 41


def changed(sim, op, pattern, replacement):
    good = ask(sim, op)
    bad = re.sub(pattern, replacement, good, count=1, flags=re.S)
    assert bad != good
    return instead(op.name, bad)


GATES = {
    "a fault": (lambda sim: {"match": {"op": "Certify"}, "fault": "System.UnauthorizedAccessException"}, "Certify", "give up"),
    "throttled": (lambda sim: {"match": {"op": "AcquireTemplates"}, "status": 429}, "AcquireTemplates", "try again"),
    "gone": (lambda sim: {"match": {"op": "AcquireLicense"}, "at": 0, "do": "rst"}, "AcquireLicense", "reset"),
    "features missing": (lambda sim: instead("GetServerInfo", ask(sim, soap.SERVER_INFO).replace(b"6.1.0.0", b"5.2.0.0")),
                         "GetServerInfo", "Exchange would not use"),
    "a template too few": (lambda sim: changed(sim, soap.TEMPLATE_INFORMATION, rb"<GuidHash>.*?</GuidHash>", b""),
                           "AcquireTemplateInformation", "announced"),
    "a location without address": (lambda sim: changed(sim, soap.LOCATIONS, rb"<URL>.*?</URL>", b"<URL></URL>"),
                                   "FindServiceLocations", "no address"),
    "a recipient fails": (lambda sim: {"match": {"op": "AcquirePreLicense"}, "item_error": {"items": [99]}}, "AcquirePreLicense",
                          "exception"),
    "another account's licence": (lambda sim: instead("AcquireLicense", licence_for_another(sim)), "AcquireLicense", "another account"),
}


def licence_for_another(sim):
    """A good licence, of an account that is not the one that Certify gave."""
    body = ask(sim, soap.ACQUIRE_LICENSE)
    assert b"Content-License" in body
    return body


@pytest.mark.parametrize("name", GATES)
def test_a_start_that_goes_wrong_says_where_and_why(sim, tmp_path, name):
    rule, op, words = GATES[name]
    rule = rule(sim)
    sim.reset()
    sim.script(rule)
    done = load(tmp_path, sim.url, "--bootstrap", "--profile", "exchange", expect=1)
    steps = done["bootstrap.0.steps"]
    assert not done["bootstrap.0.good"] and steps[-1]["call"].startswith(op) and words in steps[-1]["problem"]
    assert all(step["problem"] is None for step in steps[:-1])
    assert f"FAILED: {steps[-1]['problem']}" in done.out
    assert sim.seen()["requests"] == len(steps), "no load after a start that failed"


# ---- through nodes ----

@pytest.mark.threaded
def test_through_two_nodes_everything_arrives_as_it_was_sent(simulator, node, tmp_path):
    """F07 A01: signatures and questions fit after the relay; both nodes carry."""
    sim = simulator()
    nodes = [node(sim, settings={"node.workers": 2}) for _ in range(2)]
    urls = [f"http://{net.HOST}:{one.ports[0]}" for one in nodes]
    done = load(tmp_path, *urls, "--bootstrap", "--profile", "mixed", "--requests", 150, "--connections", 12, "--threads", 2,
                "--verify", "100%", "--check", "errors=0", "--check", "wrong=0")
    assert [one["good"] for one in done["bootstrap"]] == [True, True]
    assert done["verified.answers"] == 150 and sim.seen()["whole"] == 150 + 22
    assert all(row["requests"] > 30 for row in done["nodes"])
    assert sum(row["requests_by_caller"]["exchange"] for row in done["nodes"]) >= 75


def test_what_callers_see_when_the_cloud_is_gone(node, tmp_path):
    relay = node("https://127.0.0.1:1")
    done = load(tmp_path, f"http://{net.HOST}:{relay.ports[0]}", "--op", "GetServerInfo", "--requests", 5, "--check", "final=0")
    assert done["status"] == {"500": 5} and done["self_made"] == 5 and done["effects.deferred"] == 5
    assert done["reasons"] == {"no connection to the RMS service": 5}
