"""The whole chain as a server in a Windows domain meets it: curl with a real ticket or with NTLM, node, rms-connector-authd, a real domain controller."""

import json
import os

import pytest

from support import soap
from support.adlab import people
from support.adlab.daemon import Daemon
from support.wait import eventually

NAME = "rmsconnector.corp.test"


@pytest.fixture
def chain(lab, node, cloud, tmp_path):
    """chain(rows, ...): authd, cloud and nodes on the member's machine; .post() is curl on it."""
    lab.ready("partner")
    made = []

    class Chain:
        def __init__(self, rows, nodes=1, settings=None, keytab=None, realms=None, **auth):
            self.authd = Daemon(lab, tmp_path / "authd", realms=realms, **({"keytab": str(keytab)} if keytab else {}), **auth)
            made.append(self.authd)
            self.list = tmp_path / "list.json"
            self.allow(*rows)
            self.cloud = cloud()
            self.nodes = [node(self.cloud, caller=None, settings={
                "auth.socket": str(self.authd.socket), "list.file": str(self.list), "node.state_directory": str(tmp_path / f"state{i}"),
                **({"auth.ntlm": auth["ntlm"]} if "ntlm" in auth else {}), **(settings or {})}, start=False) for i in range(nodes)]
            for one in self.nodes:
                one.knows_callers = one.knows_callers and (keytab is None or keytab.exists())  # else it lives and is not ready
                one.start()

        def allow(self, *rows):
            entries = [{"sid": sid, "role": role, "added": f"2026-01-0{i + 1}T00:00:00Z"} for i, (sid, role) in enumerate(rows)]
            (tmp_path / "list.new").write_text(json.dumps({"version": 1, "entries": entries}))
            (tmp_path / "list.new").rename(self.list)

        def post(self, *how, index=0, name=NAME, cache="MEMORY:none"):
            """The status and the headers."""
            body, port = tmp_path / "body.xml", self.nodes[index].port
            body.write_bytes(soap.request_body(soap.CERTIFY))
            headers = [part for pair in soap.content_headers(soap.CERTIFY) for part in ("-H", f"{pair[0]}: {pair[1]}")]
            address = self.nodes[index].listeners[0]["address"].rsplit(":", 1)[0]
            done = lab.run("curl", "-s", "-o", "/dev/null", "-D", "-", "-w", "%{http_code}", *how, *headers, "--data-binary", f"@{body}",
                           "--resolve", f"{name}:{port}:{address}", f"http://{name}:{port}{soap.CERTIFY.path}", KRB5CCNAME=cache)
            assert done.returncode == 0, done
            head, _, status = done.stdout.rpartition("\n\n")
            return int(status), head

        def roles(self):
            return [row["role"] for row in self.nodes[0].request_log() if row["status"] == 200]

        def kerberos(self, account, domain=people.CORP, **how):
            return self.post("--negotiate", "-u", ":", cache=lab.ticket(account, tmp_path, domain), **how)

        def ntlm(self, account, password=None):
            return self.post("--ntlm", "-u", f"CORP\\{account}:{password or people.password(account)}")
    for number in range(4):
        os.makedirs(tmp_path / f"state{number}")
    yield lambda *arguments, **how: Chain(*arguments, **how)
    for one in made:
        one.finish()


def test_members_of_a_nested_group_come_through_with_a_real_ticket(lab, chain):
    """C06: C25: E02: E10: SRV1$ is in Exchange Servers, which is in RMS Connector Clients, which is on the list; its PAC says so."""
    c = chain([(lab.sid("RMS Connector Clients"), "exchange")])
    status, head = c.kerberos("SRV1$")
    assert status == 200 and "WWW-Authenticate: Negotiate " in head, head
    eventually(lambda: c.roles() == ["exchange"])
    row = c.nodes[0].request_log()[-1]
    assert (row["account"], row["sid"], row["role"], row["mechanism"]) == ("CORP\\SRV1$", lab.sid("SRV1$"), "exchange", "kerberos")
    assert len(c.cloud.requests) == 1 and c.cloud.requests[0].header("Authorization") is None


def test_a_keytab_that_comes_after_the_start(lab, chain, tmp_path):
    """Until it is there callers are told to come again; then they are let in, and nothing is started again."""
    c = chain([(lab.sid("SRV1$"), "exchange")], keytab=tmp_path / "later.keytab")
    status, head = c.kerberos("SRV1$")
    assert status == 429 and "Retry-After:" in head, head
    assert c.nodes[0].get_stats("/readyz")[0] == 503
    (tmp_path / "copy.keytab").write_bytes(lab.keytab.read_bytes())
    (tmp_path / "copy.keytab").rename(tmp_path / "later.keytab")
    assert c.kerberos("SRV1$")[0] == 200
    eventually(lambda: c.nodes[0].get_stats("/readyz")[0] == 200)


def test_who_is_on_no_list_is_told_403(lab, chain):
    """E08: C08: exactly that account, not its sibling."""
    c = chain([(lab.sid("svc-sp"), "sharepoint")])
    assert c.kerberos("svc-sp")[0] == 200
    assert c.kerberos("svc-web")[0] == 403 and c.kerberos("bob")[0] == 403
    said = c.nodes[0].event(2001)["text"]
    assert lab.sid("svc-web") in said and "CORP\\svc-web" in said


def test_computers_managed_service_accounts_and_trusted_forests(lab, chain):
    """C09: C11: C14: C15: C22"""
    c = chain([(lab.sid("File Servers Local"), "fci"), (lab.sid(people.GMSA), "sharepoint"), (lab.sid("Partner Servers", "partner"), "exchange")],
              realms=[{"name": "CORP.TEST"}, {"name": "PARTNER.TEST", "domains": [lab.sid("gustav", "partner").rpartition("-")[0]]}])
    assert c.kerberos("FS01$")[0] == 200 and c.kerberos(people.GMSA)[0] == 200
    assert c.kerberos("PSRV1$", people.PARTNER)[0] == 200
    assert c.kerberos("gustav", people.PARTNER)[0] == 403
    eventually(lambda: c.roles() == ["fci", "sharepoint", "exchange"])


def test_two_nodes_share_one_key(lab, chain):
    """E03: the same ticket at both."""
    c = chain([(lab.sid("SRV1$"), "exchange")], nodes=2)
    assert [c.kerberos("SRV1$", index=i)[0] for i in (0, 1)] == [200, 200]


def test_a_service_name_that_nobody_has_and_a_keytab_of_another_account(lab, chain):
    """E04: without a ticket curl has nothing to send; with a wrong keytab the reason is told."""
    c = chain([(lab.sid("SRV1$"), "exchange")], keytab=lab.folder / "corp.keytab")
    assert c.kerberos("SRV1$", name="elsewhere.corp.test")[0] == 401
    assert c.kerberos("SRV1$")[0] == 401
    wire = c.authd.connect()
    assert wire.ask("status")["refused"] == {"NO_KEY_FOR_SPN": 1}


def test_ntlm_through_the_node(lab, chain):
    """E05: users and computers; C06: with the groups that the directory names."""
    c = chain([(lab.sid("RMS Connector Clients"), "exchange")], ntlm="winbind")
    assert c.ntlm("SRV1$")[0] == 200 and c.ntlm("alice")[0] == 200
    assert c.ntlm("bob")[0] == 403 and c.ntlm("alice", "wrong")[0] == 401
    eventually(lambda: c.roles() == ["exchange"] * 2)
    row = next(row for row in c.nodes[0].request_log() if row["status"] == 200)
    assert (row["account"].lower(), row["sid"], row["mechanism"]) == ("corp\\srv1$", lab.sid("SRV1$"), "ntlm")
    c.nodes[0].stop()
    told = c.nodes[0].event(4028)["text"].lower()
    assert "3 accounts: " in told and all(f"corp\\{name}" in told for name in ("srv1$", "alice", "bob")) and "setspn" in told


def test_ntlm_that_is_off_is_refused_cleanly(lab, chain):
    """E05: the offer is Negotiate alone, and nothing reaches the cloud."""
    c = chain([(lab.sid("alice"), "exchange")])
    status, head = c.ntlm("alice")
    assert status == 401 and "WWW-Authenticate: NTLM" not in head and c.cloud.requests == []


def test_a_changed_list_counts_for_the_next_caller(lab, chain):
    """C23: C25"""
    c = chain([(lab.sid("alice"), "sharepoint")])
    assert c.kerberos("SRV1$")[0] == 403
    c.allow((lab.sid("SRV1$"), "exchange"))
    eventually(lambda: c.kerberos("SRV1$")[0] == 200, 20)
    eventually(lambda: c.kerberos("alice")[0] == 403)  # the directory is asked first what the new entry is
