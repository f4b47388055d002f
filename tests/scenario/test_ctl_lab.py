"""Administration with a real directory: a Samba domain behind rms-connector-authd, real tickets at the node."""

import json
import os

import pytest

from support import soap
from support.adlab import people
from support.adlab.daemon import Daemon
from support.ctl import ctl, result

NAME = "rmsconnector.corp.test"
PASSWORD = "Temp0rary.Pw"


class Here:
    """A node that owns its list, in the lab."""

    def __init__(self, lab, node, cloud, place, tmp_path):
        lab.ready("partner")
        self.lab, self.folder = lab, tmp_path
        self.authd = Daemon(lab, tmp_path / "authd")
        os.makedirs(f"{place}/state", mode=0o700)
        self.node = node(cloud(), caller=None, start=False, realms=[{"name": "CORP.TEST"}, {"name": "PARTNER.TEST"}], settings={
            "auth.socket": str(self.authd.socket), "list.source": "local", "node.state_directory": f"{place}/state", "admin.socket": f"{place}/a.sock"})
        self.node.socket, self.node.knows_callers = f"{place}/a.sock", False
        self.node.start()

    def ctl(self, *words):
        return ctl(*words, relay=self.node)

    def result(self, *words):
        return result(*words, relay=self.node)

    def post(self, account, password):
        cache = f"FILE:{self.folder}/cc"
        self.lab.must("kinit", "-c", cache, f"{account}@CORP.TEST", stdin=password + "\n")
        body = self.folder / "body.xml"
        body.write_bytes(soap.request_body(soap.CERTIFY))
        headers = [part for pair in soap.content_headers(soap.CERTIFY) for part in ("-H", f"{pair[0]}: {pair[1]}")]
        address, port = self.node.listeners[0]["address"].rsplit(":", 1)
        done = self.lab.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--negotiate", "-u", ":", *headers, "--data-binary", f"@{body}",
                            "--resolve", f"{NAME}:{port}:{address}", f"http://{NAME}:{port}{soap.CERTIFY.path}", KRB5CCNAME=cache)
        return int(done.stdout)


@pytest.fixture
def here(lab, node, cloud, place, tmp_path):
    one = Here(lab, node, cloud, place, tmp_path)
    yield one
    one.authd.finish()


def test_a_renamed_account_stays_and_one_made_anew_does_not(lab, here):
    """C19: entries are kept by SID. C20: the name was resolved when it was added."""
    lab.directory("user", "create", "passing", PASSWORD)
    try:
        here.result("servers", "add", "CORP\\passing", "sharepoint")
        old = here.result("servers", "show", "passing")["id"]
        assert old == lab.sid("passing") and here.post("passing", PASSWORD) == 200
        lab.directory("user", "rename", "passing", "--samaccountname=passed")
        assert here.post("passed", PASSWORD) == 200
        shown = here.result("servers", "show", "CORP\\passed")
        assert shown["id"] == old and shown["renamed_to"] == "CORP\\passed" and shown["name"] == "CORP\\passing"
        lab.directory("user", "delete", "passed")
        assert here.result("servers", "show", old)["gone"] is True
        lab.directory("user", "create", "passing", PASSWORD)
        assert here.post("passing", PASSWORD) == 403
        said = here.ctl("servers", "test", "CORP\\passing")
        assert said.returncode == 65 and lab.sid("passing") in said.stderr and "not on" not in said.stdout
        assert "has it no more" in here.ctl("servers", "test", old).stderr
        assert here.result("explain", old)["gone"] is True
    finally:
        for name in ("passing", "passed"):
            lab.run("samba-tool", "user", "delete", name, "-H", lab.folder / "corp/private/sam.ldb", "-s", lab.folder / "corp/etc/smb.conf")


def test_names_searches_and_super_users_of_a_real_domain(lab, here):
    """C05: C10: C13: C21: members are counted at any depth, without the disabled ones; PARTNER's objects are found, too."""
    assert [row["name"] for row in here.result("servers", "search", "exch*")["objects"]] == ["CORP\\Exchange Servers"]
    assert "CORP\\FS01$, with the dollar" in here.ctl("servers", "add", "FS01", "fci").stderr
    said = here.ctl("servers", "add", "twin", "fci")
    assert said.returncode == 65 and "CORP\\twin" in said.stderr and "PARTNER\\twin" in said.stderr
    said = here.ctl("servers", "add", "RMS Connector Clients", "exchange")
    assert said.returncode == 65 and "3 accounts of CORP\\RMS Connector Clients" in said.stderr and "CORP\\SRV1$" in said.stderr
    assert "1 more are disabled" in said.stderr and "CORP\\carol" not in said.stderr
    assert here.ctl("servers", "add", "RMS Connector Clients", "exchange", "--confirm-members", "3").returncode == 0
    assert "distribution group" in here.ctl("servers", "add", "SharePoint Mail", "exchange", "--force").stderr
    assert here.result("servers", "test", "SRV1$")["role"] == "exchange"
    told = here.result("explain", "CORP\\SRV1$")
    assert told["reason"] == "ALLOWED_GROUP" and told["groups_from"] == "directory" and told["entries"][0]["name"] == "CORP\\RMS Connector Clients"
    assert told["path"] == ["CORP\\SRV1$", "CORP\\Exchange Servers", "CORP\\RMS Connector Clients"]
    assert here.post("alice", people.password("alice")) == 200
    said = here.ctl("servers", "test", "carol")
    assert said.returncode == 65 and "disabled" in said.stderr


def test_auth_status_of_a_real_domain(here):
    told = here.result("auth", "status")
    assert told["keytab_state"] == "good" and people.SERVICE + "@CORP.TEST" in {key["principal"] for key in told["keys"]}
    assert {row["realm"]: row["directory"] for row in told["realms"]} == {"CORP.TEST": "reached", "PARTNER.TEST": "reached"}
