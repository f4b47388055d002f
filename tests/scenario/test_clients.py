"""SOAP clients that are not ours, on the whole chain in a real domain: mono's ASMX proxies (what .NET Framework's Exchange code is made of), zeep and
requests, with Kerberos and NTLM. Each gets from the node what the cloud gave to it."""

import base64
import collections
import hashlib
import http.client
import pathlib
import ssl
import subprocess
import xml.etree.ElementTree as ET

import pytest

from support import soap
from support.adlab import people
from support.adlab.site import allow, sites  # noqa: F401  pylint: disable=unused-import
from support.node import ROOT
from support.sim import CloudSim
from support.upstream import answer

CLIENTS = ROOT / "tests/support/clients"
OPERATIONS = ["GetServerInfo", "FindServiceLocations", "FindServiceLocationsForUser", "GetLicensorCertificate", "Certify",
              "GetClientLicensorCert", "AcquireLicense", "AcquireTemplates"]
SENT = 9  # AcquireTemplates asks for the templates' names first
BY_HAND = ["GetServerInfo", "FindServiceLocations", "GetLicensorCertificate", "Certify", "AcquireLicense"]


@pytest.fixture(scope="module")
def asmx(tmp_path_factory):
    program = tmp_path_factory.mktemp("asmx") / "AsmxCaller.exe"
    done = subprocess.run(["mcs", "-nologo", f"-out:{program}", "-r:System.Web.Services", "-r:System.Xml", "-r:Mono.Security",
                           str(CLIENTS / "AsmxCaller.cs")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return program


class Told:
    """The cloud as the node sees it: hands each request to rms-cloud-sim and remembers both sides' bytes."""

    def __init__(self, make_cloud, sim):
        self.sim, self.answers, self.requests = sim, {}, []
        self.cloud = make_cloud(self.script)

    def script(self, connection, request):
        passed = {name: value for name, value in request.headers if name.lower() not in ("host", "connection", "content-length")}
        there = http.client.HTTPConnection(self.sim.host, self.sim.port, timeout=30)
        try:
            there.request("POST", request.target, body=request.body, headers=passed)
            got = there.getresponse()
            body = got.read()
        finally:
            there.close()
        self.requests.append(request)
        self.answers[request.operation.name] = body
        connection.send(answer(got.status, body, content_type=got.getheader("Content-Type")))

    def parsed(self, operation):
        root = ET.fromstring(self.answers[operation])
        result = next(e for e in root.iter() if e.tag.endswith("}" + operation + "Result"))
        return result


@pytest.fixture
def told(lab, cloud):  # pylint: disable=unused-argument  # the lab: all of it is in its network
    with CloudSim(certificate=None) as sim:
        yield Told(cloud, sim)


def read(done):
    """{operation: {field: [texts]}} of what a client printed; it must have failed nowhere."""
    failed = [line for line in done.stdout.splitlines() if line.split(" ")[1] == "failed"]
    assert done.returncode == 0 and not failed, (failed, done.stderr[-3000:])
    out = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in done.stdout.splitlines():
        operation, field, text = line.split(" ")
        out[operation][field].append(base64.b64decode(text).decode())
    return out


def same(one, other):
    """Whether they are the same document, however it was written down again."""
    return ET.canonicalize(one) == ET.canonicalize(other)


def without_tail(element):
    element.tail = None
    return ET.tostring(element, encoding="unicode")


def local(element, name):
    return [e for e in element.iter() if e.tag.rpartition("}")[2] == name]


def compare(got, told):
    """Everything that the client's program holds is what the cloud sent."""
    for operation in ("GetLicensorCertificate", "Certify", "GetClientLicensorCert", "AcquireLicense"):
        sent = [without_tail(e[0]) for e in local(told.parsed(operation), "Certificate")]
        assert len(sent) >= 4 and len(sent) == len(got[operation]["certificate"]), operation
        assert all(same(one, other) for one, other in zip(sent, got[operation]["certificate"])), operation
        assert "<SIGNATURE>" in sent[0] and "<BODY" in got[operation]["certificate"][0]
    assert same(without_tail(told.parsed("GetServerInfo")[0]), got["GetServerInfo"]["results"][0])
    assert "MultiForestAcquirePreLicense" in got["GetServerInfo"]["results"][0]
    for operation in ("FindServiceLocations", "FindServiceLocationsForUser"):
        rows = [(row[1].text, row[0].text or "") for row in local(told.parsed(operation), "ServiceLocationResponse")]
        assert rows[0][1].startswith("https://") and rows == [(kind, got[operation][kind][0]) for kind, _ in rows]
    assert [e.text for e in local(told.parsed("AcquireTemplates"), "Template")] == got["AcquireTemplates"]["template"]
    assert got["AcquireTemplates"]["count"] == ["25 25"]


def secrets_stay_here(told):
    """F10: what proved the caller does not reach the cloud."""
    assert told.requests and all(request.header("Authorization") is None for request in told.requests)


# ---- mono ----

def test_asmx_proxies_with_ntlm(lab, sites, told, asmx):
    """E05: E12: F09: a user and a computer account, with NTLMv2. mono's proxies send Expect: 100-continue, and the first leg without a body; each call is
    a connection of its own with its own handshake, as with Exchange."""
    site = sites(told.cloud, [allow(lab.sid("Exchange Servers"), "exchange"), allow(lab.sid("alice"), "sharepoint", 2)],
                 ntlm="winbind")
    for account in ("SRV1$", "alice"):
        done = site.run("mono", asmx, site.url, "ntlm", f"CORP\\{account}:{people.password(account)}", *OPERATIONS)
        compare(read(done), told)
    rows = site.served(2 * SENT)
    assert [row["role"] for row in rows] == ["exchange"] * SENT + ["sharepoint"] * SENT
    assert {row["mechanism"] for row in rows} == {"ntlm"}
    assert all("MS Web Services Client Protocol" in request.header("User-Agent") for request in told.requests)
    secrets_stay_here(told)


def test_asmx_proxies_over_https(lab, sites, told, asmx, certs):
    """E05: E13: the same over TLS, with mono's own TLS; a server whose certificate it does not know is no server for it."""
    site = sites(told.cloud, [allow(lab.sid("alice"), "sharepoint")], ntlm="winbind", listener="https-ecdsa")
    how = ("mono", asmx, site.url, "ntlm", f"CORP\\alice:{people.password('alice')}")
    strange = site.run(*how, "GetServerInfo")
    assert strange.returncode == 1 and "TrustFailure" in strange.stdout, strange
    der = ssl.PEM_cert_to_DER_cert(pathlib.Path(certs.path("connector-ecdsa.crt")).read_text(encoding="ascii"))
    compare(read(site.run(*how, *OPERATIONS, ASMX_SERVER=hashlib.sha1(der).hexdigest().upper())), told)
    assert {row["mechanism"] for row in site.served(SENT)} == {"ntlm"}
    assert not site.node.events(2002) and "CORP\\alice" in site.node.event(1002)["text"]


def test_asmx_proxies_that_are_refused_say_so(lab, sites, told, asmx):
    """E05: E08: a wrong password is 401, an account on no list 403; neither is tried for ever, and nothing reaches the cloud."""
    site = sites(told.cloud, [allow(lab.sid("alice"), "sharepoint")], ntlm="winbind")
    wrong = site.run("mono", asmx, site.url, "ntlm", "CORP\\alice:wrong", "GetServerInfo")
    assert wrong.returncode == 1 and "WebException: 401" in wrong.stdout, wrong
    bob = site.run("mono", asmx, site.url, "ntlm", f"CORP\\bob:{people.password('bob')}", "GetServerInfo")
    assert bob.returncode == 1 and "403" in bob.stdout, bob
    assert told.requests == [] and "CORP\\bob" in site.node.event(2001)["text"]


def test_asmx_proxies_with_negotiate(lab, sites, told, asmx):
    """E01: a fact about mono 6.8: it has nothing to answer Negotiate with, neither from a ticket nor from a password. It sends the request once, without
    Authorization, and takes the 401 as the end; curl, zeep and requests show Kerberos instead."""
    site = sites(told.cloud, [allow(lab.sid("alice"), "sharepoint")], ntlm="winbind")
    for account in ("-", f"CORP\\alice:{people.password('alice')}"):
        done = site.run("mono", asmx, site.url, "negotiate", account, "GetServerInfo", KRB5CCNAME=lab.ticket("alice", site.folder))
        assert done.returncode == 1 and "failed WebException: 401" in done.stdout, done
    assert [row["status"] for row in site.node.logged(2)] == [401, 401]
    assert not site.node.events(2000) and site.refused() == {} and told.requests == []


def test_asmx_proxies_with_their_own_choice_of_ntlm(lab, sites, told, asmx):
    """E05: J06: a fact about mono 6.8: by default it answers as NTLM version 1 did; the domain refuses that, and the event says what may be wrong."""
    site = sites(told.cloud, [allow(lab.sid("alice"), "sharepoint")], ntlm="winbind")
    done = site.run("mono", asmx, site.url, "ntlm-default", f"CORP\\alice:{people.password('alice')}", "GetServerInfo")
    assert done.returncode == 1 and "failed WebException: 401" in done.stdout, done
    assert "NTLMv1" in site.node.event(2000)["text"] and site.refused() == {"NTLM_REFUSED": 1} and told.requests == []


# ---- zeep and requests ----

def python_caller(lab, site, tool, how, account, *operations, **env):
    """requests_ntlm takes MD4 from OpenSSL, which since its version 3 has it only on demand."""
    conf = site.folder / "openssl.cnf"
    conf.write_text("openssl_conf = init\n[init]\nproviders = both\n[both]\ndefault = on\nlegacy = on\n[on]\nactivate = 1\n")
    return site.run("/usr/bin/python3", CLIENTS / "soap_caller.py", tool, site.url, how, f"CORP\\{account}:{people.password(account)}",
                    *operations, KRB5CCNAME=lab.ticket(account, site.folder), OPENSSL_CONF=conf, **env)


@pytest.mark.parametrize("listener", ("http", "https-rsa"))
@pytest.mark.parametrize("how", ("kerberos", "ntlm"))
def test_zeep(lab, sites, told, certs, how, listener):
    """E02: E05: E13: messages made from a description of the services, with prefixes of zeep's own; with Kerberos it checks the node's proof too."""
    site = sites(told.cloud, [allow(lab.sid("Exchange Servers"), "exchange")], listener=listener,
                 **({"ntlm": "winbind"} if how == "ntlm" else {}))
    compare(read(python_caller(lab, site, "zeep", how, "SRV1$", *OPERATIONS, REQUESTS_CA_BUNDLE=certs.ca)), told)
    assert {row["mechanism"] for row in site.served(SENT)} == {how}
    secrets_stay_here(told)


@pytest.mark.parametrize("how", ("kerberos", "ntlm"))
def test_requests(lab, sites, told, how):
    """A01: E02: E05: the answer's bytes are the cloud's; the node's proof is demanded and checked by the client."""
    site = sites(told.cloud, [allow(lab.sid("alice"), "sharepoint")], **({"ntlm": "winbind"} if how == "ntlm" else {}))
    got = read(python_caller(lab, site, "requests", how, "alice", *BY_HAND))
    assert {operation: fields["answer"][0] for operation, fields in got.items()} == {
        operation: told.answers[operation].decode() for operation in BY_HAND}
    assert [request.body for request in told.requests] == [
        soap.request_body(next(op for op in soap.OPERATIONS if op.name == operation)) for operation in BY_HAND]
    assert {row["mechanism"] for row in site.served(len(BY_HAND))} == {how}
    secrets_stay_here(told)
