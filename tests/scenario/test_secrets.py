"""Secrets for the cloud: sealed on the node's disk, set while it runs, repaired on one node, and shown nowhere."""

import base64
import json
import os
import re
import signal
import subprocess

import jsonschema
import pytest

from support import soap
from support.ctl import ctl, result
from support.login import Login, refusal
from support.node import ROOT, program
from support.upstream import answer
from support.wait import eventually

TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
CERTIFY = soap.CERTIFY
SECRET = b"PLANTED-\xff\x00&%+ '\"-secret"
COMMANDS = [row for row in re.findall(r'^ADMIN\("(upstream [^"]+)"', (ROOT / "core/ops/admin.def").read_text(), re.M)]


def jwt(**claims):
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, claims)]
    return ".".join([*parts, "UExBTlRFRA"])


class TokenLogin(Login):
    """Gives this token."""
    token = None

    def reply(self, request):
        status, told = super().reply(request)
        if "access_token" in told and self.token:
            told["access_token"] = self.token
        return status, told


@pytest.fixture
def enrolled(node, cloud, place):
    """enrolled(): a node with the credential "tenant", whose secret is set by administration; .secret is its file."""
    class Made:
        def __init__(self, name="one", script=None, login=None, row=None, set_now=True, **how):
            folder = f"{place}/{name}"
            self.state = f"{folder}/state"
            os.makedirs(self.state, mode=0o700)
            self.login = login or TokenLogin(TENANT, CLIENT, secret=SECRET)
            there = cloud(self.login)
            self.login.url = f"{there.url}/{TENANT}/oauth2/v2.0/token"
            self.cloud = cloud(script) if script else cloud()
            self.secret = f"{self.state}/tenant.secret"
            self.row = row or {"name": "tenant", "kind": "oauth2-secret", "tenant": TENANT, "client_id": CLIENT, "login_url": there.url,
                               "secret_file": self.secret}
            settings = {"admin.socket": f"{folder}/a.sock", "node.state_directory": self.state, **how.pop("settings", {})}
            self.relay = node(self.cloud, credentials=[self.row], settings=settings, start=False, **how)
            self.relay.socket = f"{folder}/a.sock"
            self.relay.start()
            if set_now:
                said = self.set(SECRET)
                assert said.returncode == 0, said.stderr

        def set(self, secret, word="set", file="-"):
            return subprocess.run([program("rms-connectorctl"), "--socket", self.relay.socket, "upstream", "credential", word,
                                   self.row["name"], *([file] if file else [])], input=secret, capture_output=True, timeout=30)

        def ask(self):
            return self.relay.ask(soap.request(CERTIFY))

        def ready(self):
            eventually(lambda: self.ask().status == 200, 10)
            return self

        def show(self):
            return result("upstream", "credential", "show", relay=self.relay)["credentials"][0]
    return Made


def test_a_secret_is_set_while_the_node_runs_and_sealed(enrolled):
    """B04 B06: deferred before, in use at once; no clear secret on the disk, files for the node's user only."""
    made = enrolled(set_now=False)
    assert "upstream credential set tenant" in made.relay.event(4066)["text"]
    assert made.ask().status == 429 and not made.cloud.requests
    assert made.show()["secret"] == "not usable" and "is not there" in made.show()["problem"]
    said = made.set(SECRET, file=None)  # standard input
    assert said.returncode == 0, said.stderr
    assert b"was made" in said.stdout and b"does not protect this machine" in said.stdout
    made.ready()
    assert made.login.asked[-1]["client_secret"].encode("latin-1") == SECRET
    for folder, _, names in os.walk(made.state):
        for name in names:
            with open(f"{folder}/{name}", "rb") as file:
                assert b"PLANTED" not in file.read(), name
    for file in (made.secret, f"{made.state}/secrets.key"):
        assert os.stat(file).st_mode & 0o777 == 0o600
    shown = made.show()
    assert shown["secret"] == "sealed" and shown["ready"] and shown["token_ends"] and shown["problem"] is None
    made.relay.stop()
    made.relay.start()
    made.ready()


def test_a_node_without_its_secret_fails_alone_and_is_repaired_alone(enrolled):
    """B06: two nodes; one loses its secret, the other does not notice; a file of the other node is no help."""
    lost, other = enrolled("lost").ready(), enrolled("other").ready()
    lost.relay.stop()
    os.unlink(lost.secret)
    lost.relay.start()
    eventually(lambda: len(lost.relay.events(4066)) == 2)  # the first is from before it was enrolled
    assert "tenant.secret" in lost.relay.events(4066)[1]["text"]
    assert lost.ask().status == 429 and other.ask().status == 200
    with open(other.secret, "rb") as file, open(lost.secret, "wb") as copy:
        copy.write(file.read())
    lost.relay.signal(signal.SIGHUP)
    eventually(lambda: any("sealed with another key" in event["text"] for event in lost.relay.events(4066)))
    assert lost.ask().status == 429
    assert lost.set(SECRET).returncode == 0
    lost.ready()
    assert other.ask().status == 200 and len(other.login.asked) == 1 and len(other.relay.events(4066)) == 1


@pytest.mark.parametrize("how, told", [("damage", "damaged"), ("cut", "end of this sealed file is missing"), ("key", "key of this node's"),
                                       ("rename", "sealed as credentials.tenant.secret_file")])
def test_what_cannot_be_opened_says_why(enrolled, how, told):
    """B04 B06"""
    made = enrolled().ready()
    made.relay.stop()
    with open(made.secret, "rb") as file:
        sealed = file.read()
    if how == "key":
        os.unlink(f"{made.state}/secrets.key")
    if how == "rename":
        made.relay.credentials[0]["name"] = made.row["name"] = "renamed"
        made.relay.write_config()
    with open(made.secret, "wb") as file:
        file.write(sealed[:30] if how == "cut" else sealed[:-1] + bytes([sealed[-1] ^ 1]) if how == "damage" else sealed)
    made.relay.start()
    eventually(lambda: any(told in event["text"] for event in made.relay.events(4066)))
    assert made.set(SECRET).returncode == 0
    made.ready()


def test_the_key_may_come_from_systemd_or_a_mounted_file(enrolled, tmp_path):
    """B04: then none is made on the disk."""
    for name in ("rms-connector-key", "mounted"):
        (tmp_path / name).write_bytes(os.urandom(32))
        os.chmod(tmp_path / name, 0o400)
    for name, how in (("systemd", {"env": {"CREDENTIALS_DIRECTORY": str(tmp_path)}}),
                      ("mount", {"settings": {"node.secrets_key_file": str(tmp_path / "mounted")}})):
        made = enrolled(name, **how).ready()
        assert made.show()["secret"] == "sealed" and not os.path.exists(f"{made.state}/secrets.key")


def test_rotate_tries_before_it_changes(enrolled):
    """B06: a secret that the login service refuses changes nothing; set is taken without a trial."""
    made = enrolled().ready()
    with open(made.secret, "rb") as file:
        before = file.read()
    said = made.set(b"PLANTED wrong", "rotate")
    assert said.returncode == 65 and b"AADSTS7000215" in said.stderr and b"nothing was changed" in said.stderr
    with open(made.secret, "rb") as file:
        assert file.read() == before
    made.login.secret = b"PLANTED next"
    said = made.set(b"PLANTED next", "rotate")
    assert said.returncode == 0, said.stderr
    made.ready()
    assert made.set(b"PLANTED wrong").returncode == 0
    made.relay.event(4061)
    assert "AADSTS7000215" in made.show()["problem"]


@pytest.mark.parametrize("row, secret, told", [
    ({"name": "line", "kind": "static"}, b"two\nlines", b"one line of printable text"),
    ({"name": "none", "kind": "none"}, b"x", b"has no secret"),
    ({"name": "line", "kind": "static"}, b"", b"1 to 16384 bytes"),
    ({"name": "line", "kind": "static"}, b"x" * 20000, b"1 to 16384 bytes"),
])
def test_what_is_no_secret_is_refused(enrolled, place, row, secret, told):
    """B04"""
    if row["kind"] == "static":
        row = {**row, "authorization_file": f"{place}/line"}
    made = enrolled(row=row, set_now=False)
    said = made.set(secret)
    assert said.returncode in (64, 65) and (told in said.stderr or not secret), said.stderr
    assert not os.path.exists(f"{place}/line")


def test_only_security_administrators_set_secrets(enrolled):
    made = enrolled()
    refused = ctl("upstream", "credential", "set", "nobody", "/dev/null", relay=made.relay)
    assert refused.returncode != 0
    said = ctl("upstream", "credential", "set", "nobody", str(made.relay.config), relay=made.relay)
    assert said.returncode == 65 and "upstream credential show" in said.stderr
    rows = dict(re.findall(r'^ADMIN\("([^"]+)",\s+\w+,\s+(\w+)', (ROOT / "core/ops/admin.def").read_text(), re.M))
    assert rows["upstream credential set"] == rows["upstream credential rotate"] == "SECURITY"


def test_a_sealed_key_signs_for_a_token(enrolled, certs, place):
    """B04 H12: key_file of a certificate."""
    certs.issue("sealed", "connector", "DNS:app.test", rsa=True, usage="clientAuth", days=100)
    with open(certs.key("sealed"), "rb") as file:
        pem = file.read()
    login = TokenLogin(TENANT, CLIENT, certificate=certs.chain("sealed"))
    row = {"name": "tenant", "kind": "oauth2-certificate", "tenant": TENANT, "client_id": CLIENT, "certificate_file": certs.chain("sealed"),
           "key_file": f"{place}/key.sealed"}
    made = enrolled(login=login, row=row, set_now=False)
    made.relay.stop()
    made.row["login_url"] = made.login.url.split(f"/{TENANT}")[0]
    made.relay.write_config()
    made.relay.start()
    assert made.set(b"-----BEGIN nothing").returncode == 65
    said = made.set(pem)
    assert said.returncode == 0, said.stderr
    made.ready()
    assert made.show()["secret"] == "sealed" and b"PRIVATE KEY" not in open(f"{place}/key.sealed", "rb").read()


def test_each_stage_to_the_cloud_is_told(enrolled):
    """B06: secret, token, service."""
    made = enrolled().ready()
    stages = result("upstream", "test", relay=made.relay)["stages"]
    assert [(row["stage"], row["works"]) for row in stages] == [("secret", True), ("token", True), ("service", True)]
    asked = made.cloud.requests[-1]
    assert asked.operation.name == "GetServerInfo" and asked.header("Authorization").startswith("Bearer token-")
    made.login.say = [refusal(7000222)]
    said = ctl("upstream", "test", "tenant", relay=made.relay)
    assert said.returncode == 69 and "AADSTS7000222" in said.stdout + said.stderr and "1 stage does not work" in said.stderr
    made.cloud.stop()
    said = ctl("upstream", "test", relay=made.relay)
    assert said.returncode == 69 and "service: DOES NOT WORK" in said.stdout + said.stderr


def test_a_token_that_may_too_much_is_used_and_told_once(enrolled):
    """B08"""
    login = TokenLogin(TENANT, CLIENT, secret=SECRET, expires_in=5)
    login.token = jwt(roles=["Content.SuperUser", "Content.Writer", "Directory.ReadWrite.All"])
    made = enrolled(login=login).ready()
    eventually(lambda: len(login.given) >= 2, 10)
    told = made.relay.events(4068)
    assert len(told) == 1 and "Content.SuperUser, Directory.ReadWrite.All" in told[0]["text"] and "Content.Writer" not in told[0]["text"]


@pytest.mark.parametrize("pieces", [1, 7])
def test_onboarding_controls_are_recognized_and_the_fault_passes(enrolled, pieces):
    """B09: the answer is byte for byte the service's; its node's administrator hears which account, and what to do."""
    fault = soap.fault_body("The user is not allowed to protect content by the OnBoarding control policy.")

    def script(connection, request):
        whole = answer(500, fault)
        step = len(whole) // pieces + 1
        for at in range(0, len(whole), step):
            connection.send(whole[at:at + step])
    made = enrolled(script=script)
    eventually(lambda: made.ask().status == 500 and made.cloud.requests, 10)
    got = made.ask()
    assert got.status == 500 and got.body == fault
    told = made.relay.event(4069)["text"]
    assert "onboarding controls" in told and "credentials.tenant" in told and len(made.relay.events(4069)) == 1


def test_answers_have_the_shape_of_the_schema(enrolled):
    schema = json.loads((ROOT / "docs/admin.schema.json").read_text(encoding="utf-8"))
    made = enrolled().ready()
    for command in COMMANDS:
        if command == "upstream prove":
            continue
        with open(f"{made.state}/given", "wb") as file:
            file.write(SECRET)
        words = ["tenant", f"{made.state}/given"] if command.endswith(("set", "rotate")) else []
        told = json.loads(ctl("--json", *command.split(), *words, relay=made.relay).stdout)
        jsonschema.validate(told, schema)
        assert told["ok"], told
        jsonschema.validate(told["result"], {**schema["definitions"][command], "definitions": schema["definitions"]})


# ---- nowhere ----

def proc(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read()


def every_output(made):
    """Of commands, pages, logs, state and the process itself, after the node's orderly end; {where: bytes}."""
    outputs = {}
    for words in (["status"], ["upstream", "credential", "show"], ["upstream", "test"], ["audit", "list"], ["auth", "status"], ["help"],
                  ["--json", "upstream", "credential", "show"], ["--json", "upstream", "test"], ["--json", "audit", "list"]):
        said = ctl(*words, relay=made.relay)
        outputs[" ".join(words)] = (said.stdout + said.stderr).encode()
    assert made.ask().status == 200
    outputs["refused"] = made.relay.ask(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic PLANTED\r\n\r\n", "GET").body
    # The service repeats what it was sent, in an answer that the caller does not get.
    made.cloud.script = lambda connection, request: connection.send(answer(401, request.header("Authorization").encode()))
    refused = made.ask()
    outputs["refused by the service"] = refused.body + repr(refused.headers).encode()
    made.relay.logged()
    for path in ("/", "/stats", "/metrics", "/readyz", "/livez"):
        outputs[path] = made.relay.get_stats(path)[1].encode()
    assert re.search(r"Max core file size +0 +0", proc(made.relay.pid, "limits").decode()), "a crash would write them into a file"
    for name in ("cmdline", "environ"):
        outputs[name] = proc(made.relay.pid, name)
    made.relay.stop()
    outputs["stderr"] = made.relay.stderr().encode()
    for file in (made.relay.requests_file, made.relay.events_file, made.relay.config):
        outputs[str(file)] = file.read_bytes()
    for folder, _, names in os.walk(made.state):
        for name in names:
            with open(f"{folder}/{name}", "rb") as file:
                outputs[f"{folder}/{name}"] = file.read()
    assert b"upstream credential set" in outputs[f"{made.state}/audit.jsonl"] and len(outputs["/metrics"]) > 1000
    return outputs


def in_no(outputs, *forms):
    for where, text in outputs.items():
        for form in (b"PLANTED", b"UExBTlRFRA", *forms):
            assert form not in text, f"{form} is in {where}"


def test_planted_secrets_are_in_no_output(enrolled):
    """B05: a secret, a token, another secret that is refused; callers served and refused, every command, every page, the record of changes, the process."""
    login = TokenLogin(TENANT, CLIENT, secret=SECRET)
    login.token = jwt(roles=["Directory.ReadWrite.All"], planted="PLANTED")
    made = enrolled(login=login).ready()
    outputs = {}
    for word, secret in (("set", SECRET), ("rotate", SECRET), ("rotate", b"PLANTED wrong"), ("set", b"")):
        said = made.set(secret, word)
        outputs[f"{word} {len(outputs)}"] = said.stdout + said.stderr
    outputs.update(every_output(made))
    in_no(outputs, base64.b64encode(SECRET)[:16], login.token[20:60].encode(), SECRET.hex()[:20].encode())


def test_a_planted_line_is_in_no_output(enrolled, place):
    """B05 H12: what is sent as Authorization, of the kind static; rotate asks the service itself."""
    line = b"Custom PLANTED-0123456789"

    def script(connection, request):
        good = request.header("Authorization") == line.decode()
        connection.send(answer(body=soap.answer_body(request.operation)) if good else answer(401, request.header("Authorization").encode()))
    made = enrolled(script=script, row={"name": "line", "kind": "static", "authorization_file": f"{place}/one/state/line"}, set_now=False)
    outputs = {}
    for word, secret, code in (("rotate", b"Custom PLANTED wrong", 65), ("rotate", line + b"\n", 0), ("set", line, 0)):
        said = made.set(secret, word)
        assert said.returncode == code, said.stderr
        outputs[f"{word} {len(outputs)}"] = said.stdout + said.stderr
    made.ready()
    outputs.update(every_output(made))
    in_no(outputs, base64.b64encode(line)[:16])
