"""rms-load proves who calls, against a server with MIT's own GSSAPI and a realm that lives as long as the test."""

import base64
import os
import re
import signal
import threading

import gssapi
import pytest

from support import keytab
from support.load import Load, load
from support.realm import Realm
from support.upstream import answer
from support.wait import eventually

BODY = bytes(ord("a") + i % 26 for i in range(3000))
FIXED = ("--op", "AcquireLicense", "--request-bytes", 2048, "--answer-bytes", len(BODY))
SPN = "HTTP/rms.load.test"


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    """LOAD.TEST: a KDC on loopback, a keytab for the service, a cache of the caller EXCH01$."""
    made = Realm(tmp_path_factory.mktemp("realm"), "LOAD.TEST")
    try:
        made.start()
        made.add_service(SPN)
        made.add_user("EXCH01$")
        keytab.write(made.folder / "http.keytab", made.keys(SPN))
        cache = made.login("EXCH01$")
        with made.here(KRB5CCNAME=f"FILE:{cache}", KRB5_KTNAME=f"FILE:{made.folder}/http.keytab"):
            yield made
    finally:
        made.stop()


class Service:
    """Asks who calls, takes the token, proves itself; keep: the caller stays known on its connection."""

    def __init__(self, keep=True, prove=True):
        self.keep, self.prove = keep, prove
        self.known, self.callers, self.asked, self.tokens, self.lock = set(), [], [], [], threading.Lock()

    def __call__(self, connection, request):
        said = request.header("Authorization")
        if said is None and connection.index in self.known:
            connection.send(answer(body=BODY))
            return
        if said is None:
            with self.lock:
                self.asked.append(len(request.body))
            connection.send(answer(401, b"who calls?\n", [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "NTLM")], "Unauthorized"))
            return
        word, token = said.split(" ")
        assert word == "Negotiate"
        with self.lock:
            context = gssapi.SecurityContext(usage="accept", creds=gssapi.Credentials(usage="accept"))
            mutual = context.step(base64.b64decode(token))
            assert context.complete
            self.callers.append(str(context.initiator_name))
            self.tokens.append(token)
        if self.keep:
            self.known.add(connection.index)
        proof = [("WWW-Authenticate", "Negotiate " + base64.b64encode(mutual).decode())] if self.prove else []
        connection.send(answer(body=BODY, headers=proof))


@pytest.fixture
def run(certs, tmp_path, realm):
    def make(service, *more, cloud, expect=0, spn=SPN):
        server = cloud(service)
        done = load(tmp_path, server.url, "--ca", certs.ca, *FIXED, "--auth", "negotiate", "--spn", spn, *more, expect=expect)
        return done, server
    return make


def test_exchange_proves_itself_on_each_new_connection(cloud, run):
    """A 401 leg without body, then token and body; each token once; the service's own proof is checked."""
    service = Service()
    done, server = run(service, "--pattern", "exchange", "--requests", 40, "--connections", 4, "--verify", "100%", cloud=cloud)
    assert done["completed"] == done["total.requests"] == done["status.200"] == 40 and done["errors"] == 0
    assert "401" not in done["status"], "legs are not answers"
    assert len(server.connections) == 40 and service.asked == [0] * 40
    assert service.callers == ["EXCH01$@LOAD.TEST"] * 40 and len(set(service.tokens)) == 40
    assert {len(r.body) for r in server.requests if r.header("Authorization")} == {2048}
    told = done["authentication"]
    assert (told["asked"], told["accepted"], told["refused"]) == (40, 40, 0)
    assert (told["services_checked"], told["services_wrong"]) == (40, 0)
    assert "Kerberos; asked for: 40, accepted: 40, refused: 0" in done.out


def test_kept_connections_carry_one_token(cloud, run):
    service = Service()
    done, server = run(service, "--pattern", "kept", "--requests", 60, "--connections", 3, "--rate", 200, cloud=cloud)
    assert done["completed"] == 60 and len(server.connections) == len(service.tokens) == done["authentication.asked"] <= 3


def test_the_body_comes_on_each_leg_when_asked_for(cloud, run):
    service = Service()
    done, _ = run(service, "--pattern", "exchange", "--requests", 5, "--connections", 1, "--body-on-each-leg", cloud=cloud)
    assert done["completed"] == 5 and service.asked == [2048] * 5


def test_a_service_that_does_not_prove_itself_is_wrong(cloud, run):
    done, _ = run(Service(prove=False), "--pattern", "exchange", "--requests", 3, "--connections", 1, "--verify", "100%", cloud=cloud, expect=1)
    assert done["authentication.services_wrong"] == 3 and "no proof of the service" in done["authentication.first_wrong"]


def test_refusals_are_counted_and_have_words(cloud, run):
    def never(connection, request):
        connection.send(answer(401, b"no\n", [("WWW-Authenticate", "Negotiate")], "Unauthorized"))
    done, _ = run(never, "--pattern", "exchange", "--requests", 4, "--connections", 1, cloud=cloud)
    assert done["authentication.refused"] == done["status.401"] == done["effects.final"] == 4
    assert "401 to a Kerberos token: it was not accepted" in done["reasons"]


def test_a_service_that_asks_nobody_is_named(cloud, run):
    done, _ = run(lambda connection, request: connection.send(answer(body=BODY)), "--requests", 3, "--connections", 1, cloud=cloud, expect=69)
    assert done["errors_by_kind.unasked"] == 3 and done["completed"] == 0


def test_a_signal_ends_a_run_early_with_its_results(cloud, certs, tmp_path, realm):
    """Whichever thread of the tool the signal finds: the one that makes tokens is older than the rest."""
    server = cloud(Service())
    begun = Load(tmp_path, server.url, "--ca", certs.ca, *FIXED, "--auth", "negotiate", "--spn", SPN, "--pattern", "exchange", "--duration", 60)
    eventually(lambda: server.requests or begun.process.poll() is not None, 20)
    # Not the main thread's: it waits for signals, and so has them open.
    threads = set(os.listdir(f"/proc/{begun.process.pid}/task")) - {str(begun.process.pid)}
    blocked = [re.search(r"^SigBlk:\s*(\w+)", open(f"/proc/{begun.process.pid}/task/{thread}/status", encoding="ascii").read(), re.M)[1]
               for thread in threads]
    assert len(blocked) > 1 and all(int(mask, 16) >> (signal.SIGINT - 1) & 1 for mask in blocked)
    begun.process.send_signal(signal.SIGINT)
    assert begun.wait().status == 0 and begun["completed"] > 0


def test_without_a_ticket_there_is_no_load(cloud, run, tmp_path):
    done, server = run(Service(), "--requests", 1, cloud=cloud, spn="HTTP/nobody.load.test", expect=64)
    assert "no Kerberos token for HTTP/nobody.load.test" in done.err and not server.requests
    done, server = run(Service(), "--requests", 1, "--credentials", f"FILE:{tmp_path}/none", cloud=cloud, expect=64)
    assert "no Kerberos credentials" in done.err and "kinit" in done.err and not server.requests


# ---- NTLM ----

def ntlm_challenge():
    info = "".join(("\x02\0\x08\0C\0O\0R\0P\0", "\x07\0\x08\0\1\2\3\4\5\6\7\1", "\0\0\0\0")).encode("latin-1")
    place = bytes((len(info), 0, len(info), 0, 56, 0, 0, 0))
    return b"NTLMSSP\0\2\0\0\0" + bytes(8) + b"\x33\x82\x8a\xe2" + b"noncenon" + bytes(8) + place + bytes(8) + info


def test_ntlm_takes_three_legs_on_one_connection(cloud, certs, tmp_path):
    """That the last message is right for its password is shown by tests/unit/test_ntlm.c."""
    (tmp_path / "password").write_text("secret\n")
    seen = {}

    def service(connection, request):
        said = request.header("Authorization")
        token = base64.b64decode(said.split(" ")[1]) if said else b""
        kind = token[8] if token else 0
        seen.setdefault(connection.index, []).append((kind, len(request.body)))
        if kind == 3:
            assert "EXCH01$".encode("utf-16-le") in token and "HTTP/rms.corp.test".encode("utf-16-le") in token
            connection.send(answer(body=BODY))
            return
        value = "NTLM " + base64.b64encode(ntlm_challenge()).decode() if kind == 1 else "NTLM"
        connection.send(answer(401, b"", [("WWW-Authenticate", value)], "Unauthorized"))
    command = ("--ca", certs.ca, *FIXED, "--auth", "ntlm", "--user", r"CORP\EXCH01$", "--spn", "HTTP/rms.corp.test")
    done = load(tmp_path, cloud(service).url, *command, "--password-file", tmp_path / "password", "--pattern", "exchange",
                "--requests", 10, "--connections", 2)
    assert done["completed"] == 10 and list(seen.values()) == [[(0, 0), (1, 0), (3, 2048)]] * 10
    told = done["authentication"]
    assert (told["asked"], told["challenges"], told["accepted"], told["refused"]) == (10, 10, 10, 0)

    def broken(connection, request):
        connection.send(answer(401, b"", [("WWW-Authenticate", "NTLM AAAA" if request.header("Authorization") else "NTLM")], "Unauthorized"))
    done = load(tmp_path, cloud(broken).url, *command, "--password-file", tmp_path / "password", "--requests", 2, "--connections", 1, expect=69)
    assert done["errors_by_kind.challenge"] == 2 and "the challenge is no CHALLENGE message of NTLM" in done["reasons"]
