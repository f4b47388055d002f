"""One node with its rms-connector-authd on a machine of the lab's network, and callers at it: curl, or any program with a ticket.

    site = sites(cloud, [allow(lab.sid("SRV1$"), "exchange")])
    site.kerberos(soap.LICENSOR_CERTIFICATE, "SRV1$").status
"""

import collections
import json

import pytest

from support import soap
from support.adlab import people
from support.adlab.daemon import Daemon
from support.wait import eventually

NAME = people.SERVICE.partition("/")[2]
Answer = collections.namedtuple("Answer", "status head body")


def allow(who, role, number=1):
    """A row of the list. who: a SID, or a principal's name."""
    return {"sid" if who.startswith("S-1-") else "principal": who, "role": role, "added": f"2026-01-01T00:00:{number:02}Z"}


class Site:
    """realms, auth: authd's settings. env: of authd, instead of the lab's Kerberos configuration. settings, listener: the node's."""

    def __init__(self, lab, make_node, cloud, folder, rows, realms=None, env=None, settings=None, listener="http", name=NAME, **auth):
        folder.mkdir(parents=True)
        self.lab, self.folder, self.name = lab, folder, name
        self.state = folder / "state"
        self.state.mkdir()
        self.list = folder / "list.json"
        self.write_list(*rows)
        self.authd = Daemon(lab, folder / "authd", realms=realms, env=env, **auth)
        self.scheme = listener.partition("-")[0]
        self.node = make_node(cloud, caller=None, listeners=(listener,), settings={
            "auth.socket": str(self.authd.socket), "list.file": str(self.list), "node.state_directory": str(self.state),
            **({"auth.ntlm": auth["ntlm"]} if "ntlm" in auth else {}), **(settings or {})})

    def write_list(self, *rows):
        """In one step, as it should be done."""
        (self.folder / "list.new").write_text(json.dumps({"version": 1, "entries": list(rows)}))
        (self.folder / "list.new").rename(self.list)

    @property
    def url(self):
        return f"{self.scheme}://{self.name}:{self.node.port}"

    @property
    def address(self):
        return self.node.listeners[0]["address"].rsplit(":", 1)[0]

    def curl(self, op, *how, name=None, **env):
        name, body, port = name or self.name, self.folder / "body.xml", self.node.port
        body.write_bytes(soap.request_body(op))
        headers = [part for pair in soap.content_headers(op) for part in ("-H", f"{pair[0]}: {pair[1]}")]
        answer = self.folder / "answer"
        done = self.lab.run("curl", "-s", "-o", answer, "-D", "-", "-w", "%{http_code}", *how, *headers, "--data-binary", f"@{body}",
                            "--resolve", f"{name}:{port}:{self.address}", f"http://{name}:{port}{op.path}", **env)
        assert done.returncode == 0, done
        head, _, status = done.stdout.rpartition("\n\n")
        return Answer(int(status), head, answer.read_bytes() if answer.exists() else b"")

    def kerberos(self, op, account, domain=people.CORP, **how):
        return self.curl(op, "--negotiate", "-u", ":", KRB5CCNAME=self.lab.ticket(account, self.folder, domain), **how)

    def run(self, *command, **env):
        """A program on a machine that finds the connector by its name, at this node."""
        hosts = self.folder / "hosts"
        hosts.write_text(f"{self.address} {self.name}\n{(self.lab.folder / 'hosts').read_text()}")
        there = ["unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
        return self.lab.run(*there, *command, timeout=60, **env)

    def served(self, count):
        """The rows of the request log that ended well, once there are so many."""
        def rows():
            return [row for row in self.node.request_log() if row["status"] == 200]
        eventually(lambda: len(rows()) >= count)
        return rows()

    def refused(self):
        """Why authd refused, counted."""
        return self.authd.connect().ask("status")["refused"]


@pytest.fixture
def sites(lab, node, tmp_path):
    """Makes them: sites(cloud, rows, ...). Import it where it is used."""
    lab.ready("partner")
    made = []

    def make(cloud, rows, **how):
        made.append(Site(lab, node, cloud, tmp_path / f"site{len(made)}", rows, **how))
        return made[-1]
    yield make
    for one in made:
        one.authd.finish()
