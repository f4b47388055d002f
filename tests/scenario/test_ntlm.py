"""NTLM through winbind and a real domain controller: curl is the client, this file stands where a node would."""

import base64
import http.server
import subprocess
import threading

import pytest

from support import net
from support.adlab import people
from support.adlab.daemon import CONTINUE, DONE, REFUSED, Daemon
from support.wait import eventually

NTLM_OID = bytes.fromhex("060a2b06010401823702020a")
SPNEGO_OID = bytes.fromhex("06062b0601050502")


def der(tag, body):
    size = len(body)
    length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + body


def wrap(token, first):
    """SPNEGO as Windows does it: the first token offers NTLM alone, the next one carries the answer."""
    field = der(0xa2, der(4, token))
    if first:
        return der(0x60, SPNEGO_OID + der(0xa0, der(0x30, der(0xa0, der(0x30, NTLM_OID)) + field)))
    return der(0xa1, der(0x30, field))


class Front:
    """An HTTP server that lets authd decide about Authorization: NTLM, on one connection after the other."""

    def __init__(self, wire, spnego=False, change=lambda token: token):
        replies = self.replies = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            conversation = 0

            def do_GET(self):
                given = self.headers.get("Authorization", "")
                if not given.startswith("NTLM "):
                    return self.answer(401, "NTLM")
                token = change(base64.b64decode(given[5:]))
                reply = wire.token(wrap(token, not self.conversation) if spnego else token, self.conversation)
                replies.append(reply)
                self.conversation = reply.conversation
                if reply.outcome == CONTINUE:
                    raw = reply.answer[reply.answer.index(b"NTLMSSP\0"):]
                    assert spnego != (raw == reply.answer)
                    return self.answer(401, "NTLM " + base64.b64encode(raw).decode())
                return self.answer(200 if reply.outcome == DONE else 401, None)

            def answer(self, status, offer):
                self.send_response(status)
                if offer:
                    self.send_header("WWW-Authenticate", offer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.HTTPServer((net.HOST, net.free_port()), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def curl(self, lab, account, password, domain="CORP"):
        done = lab.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--ntlm", "-u", f"{domain}\\{account}:{password}",
                       f"http://{net.HOST}:{self.server.server_port}/")
        return done.stdout

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def daemon(lab, tmp_path):
    lab.ready("partner")
    daemon = Daemon(lab, tmp_path / "authd", ntlm="winbind")
    yield daemon
    daemon.finish()


@pytest.fixture
def front(daemon):
    made = []

    def make(**how):
        made.append(Front(daemon.connect(), **how))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("spnego", (False, True), ids=("bare", "spnego"))
def test_users_and_computers_prove_themselves_with_their_groups(lab, front, spnego):
    """E05: two legs, then the account with its SIDs; bare and in SPNEGO."""
    server = front(spnego=spnego)
    for account in ("alice", "SRV1$"):
        assert server.curl(lab, account, people.password(account)) == "200"
        first, last = server.replies[-2:]
        assert first.outcome == CONTINUE and first.conversation
        assert (last.outcome, last.mechanism, last.sid) == (DONE, 2, lab.sid(account))
        assert last.account.lower() == f"corp\\{account}".lower() and lab.sid("RMS Connector Clients") in last.sids
        assert all(one.startswith("S-1-5-21-") for one in last.sids), "E10: BUILTIN groups, which tokenGroups has too, do not count"
        assert bool(last.answer) == spnego


def test_wrong_passwords_and_disabled_accounts_are_refused_each_with_the_domains_word(lab, front):
    """E05: C24"""
    server = front()
    assert server.curl(lab, "alice", "wrong") == "401"
    assert server.replies[-1].reason == "NTLM_REFUSED" and "NT_STATUS_LOGON_FAILURE" in server.replies[-1].detail
    assert server.curl(lab, "carol", people.password("carol")) == "401"
    assert server.replies[-1].reason == "NTLM_REFUSED" and "DISABLED" in server.replies[-1].detail


def test_an_anonymous_answer_is_refused(lab, front):
    """E07"""
    def nobody(token):
        return token if token[8] != 3 else token[:36] + bytes(4) + token[40:]
    server = front(change=nobody)
    assert server.curl(lab, "alice", people.password("alice")) == "401"
    assert server.replies[-1].reason == "ANONYMOUS"


def test_a_conversation_belongs_to_its_connection_and_is_used_once(lab, daemon, front):
    """E06: at authd: another connection of the node, an invented number and a second use are refused."""
    negotiate = b"NTLMSSP\0\1\0\0\0\x05\x82\x08\x00" + bytes(16)
    answer = b"NTLMSSP\0\3\0\0\0" + bytes(52)
    one, other = daemon.connect(), daemon.connect()
    begun = one.token(negotiate)
    assert begun.outcome == CONTINUE and begun.answer.startswith(b"NTLMSSP\0\2")
    for wire, conversation in ((other, begun.conversation), (one, begun.conversation ^ 1)):
        assert wire.token(answer, conversation).reason == "CONVERSATION"
    assert one.token(answer, begun.conversation).reason == "ANONYMOUS"
    assert one.token(answer, begun.conversation).reason == "CONVERSATION"
    assert one.token(answer).reason == "MALFORMED" and one.token(b"NTLMSSP\0\1").reason == "MALFORMED"


def test_a_helper_that_was_killed_is_replaced(lab, daemon, front):
    server = front()
    assert server.curl(lab, "alice", people.password("alice")) == "200"
    children = subprocess.run(["pgrep", "-P", str(daemon.process.pid)], capture_output=True, text=True).stdout.split()
    assert len(children) == 1
    subprocess.run(["kill", "-KILL", children[0]], check=True)
    assert server.curl(lab, "alice", people.password("alice")) == "200"


def test_handshakes_that_nobody_ends_are_bounded_and_freed_with_their_connection(daemon):
    negotiate = b"NTLMSSP\0\1\0\0\0\x05\x82\x08\x00" + bytes(16)
    greedy = daemon.connect()
    begun = [greedy.token(negotiate) for _ in range(17)]
    assert [reply.outcome for reply in begun] == [CONTINUE] * 16 + [REFUSED] and begun[-1].reason == "BUSY"
    greedy.socket.close()
    other = daemon.connect()
    eventually(lambda: other.token(negotiate).outcome == CONTINUE, 5)


def test_the_state_of_ntlm_is_told(lab, daemon, tmp_path):
    """E05: what is missing, and that it is off."""
    assert daemon.connect().ask("ntlm") == {"ok": True, "on": True, "ready": True, "missing": []}
    off = Daemon(lab, tmp_path / "off")
    wire = off.connect()
    assert wire.token(b"NTLMSSP\0\1\0\0\0\x05\x82\x08\x00" + bytes(16)).reason == "NTLM_OFF"
    assert wire.ask("ntlm")["on"] is False and wire.ask("ntlm")["ready"] is False
    off.finish()
