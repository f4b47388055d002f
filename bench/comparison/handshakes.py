"""NTLM handshakes against a real domain: by Samba's own ntlm_auth, as a proxy would use it, and through rms-connector-authd, which uses the same."""

import base64
import contextlib
import os
import pathlib
import subprocess
import time

ACCOUNT = "alice"
LAB_ENDS_S = 20
PROC = pathlib.Path("/proc")


class Unavailable(Exception):
    """Not on this machine; says why."""


@contextlib.contextmanager
def laboratory(bench):
    """The Active Directory of the tests (tests/support/adlab)."""
    os.environ.setdefault("RMS_BUILD", str(bench.programs.parent))  # where the domains are kept between runs
    from support.adlab import Lab  # pylint: disable=import-outside-toplevel
    try:
        import samba.gensec  # noqa: F401  pylint: disable=import-outside-toplevel,unused-import
        lab = Lab(bench.folder)
    except (ImportError, AssertionError, OSError) as problem:
        raise Unavailable(str(problem)) from problem
    try:
        yield lab
    finally:
        lab.leave()
        end = time.monotonic() + LAB_ENDS_S  # it lives in our folder
        while pathlib.Path(f"/proc/{lab.pid}").exists() and time.monotonic() < end:
            time.sleep(0.1)


class Client:
    """Windows' side of handshakes, by Samba's library; no network."""

    def __init__(self):
        from samba import credentials, gensec, param  # pylint: disable=import-outside-toplevel
        from support.adlab import people  # pylint: disable=import-outside-toplevel
        self.gensec, self.lp = gensec, param.LoadParm()
        self.credentials = credentials.Credentials()
        self.credentials.guess(self.lp)
        self.credentials.set_domain("CORP")
        self.credentials.set_username(ACCOUNT)
        self.credentials.set_password(people.password(ACCOUNT))
        self.credentials.set_kerberos_state(credentials.DONT_USE_KERBEROS)

    def begin(self):
        side = self.gensec.Security.start_client({"lp_ctx": self.lp, "target_hostname": "rms"})
        side.set_credentials(self.credentials)
        side.start_mech_by_name("ntlmssp")
        return side, side.update(b"")[1]


def cpu_seconds(pid):
    """Of a process and what it has started."""
    total = sum(int(account.read_text().split()[0]) for account in PROC.glob(f"{pid}/task/*/schedstat"))
    children = [int(child) for listed in PROC.glob(f"{pid}/task/*/children") for child in listed.read_text().split()]
    return total / 1e9 + sum(map(cpu_seconds, children))


class BareHelper:
    """ntlm_auth over pipes, a line to it, a line back."""

    def __init__(self, lab):
        self.child = subprocess.Popen([*lab.wrap(), "ntlm_auth", "--helper-protocol=squid-2.5-ntlmssp"], env=lab.env(), stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.pid = self.child.pid

    def say(self, word, token):
        self.child.stdin.write(f"{word} {base64.b64encode(token).decode()}\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().split()

    def challenge(self, token):
        answer = self.say("YR", token)
        assert answer[:1] == ["TT"], answer
        return base64.b64decode(answer[1])

    def finish(self, token):
        answer = self.say("KK", token)
        assert answer[:1] == ["AF"], answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(20)
        self.child.stdout.close()


class ThroughAuthd:
    def __init__(self, authd, _lab):
        from support.adlab.daemon import CONTINUE, DONE, Wire  # pylint: disable=import-outside-toplevel
        self.wire, self.go_on, self.done = Wire(authd.socket), CONTINUE, DONE
        self.pid, self.conversation = authd.process.child.pid, 0

    def challenge(self, token):
        reply = self.wire.token(token)
        assert reply.outcome == self.go_on, reply
        self.conversation = reply.conversation
        return reply.answer

    def finish(self, token):
        reply = self.wire.token(token, self.conversation)
        assert reply.outcome == self.done, reply

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.socket.close()


def run(server, count):
    """One handshake after another: {"rate", "cpu_us_each"}; the CPU of what accepts, without winbind and the controller."""
    client = Client()

    def one():
        side, first = client.begin()
        server.finish(side.update(server.challenge(first))[1])
    one()
    before, begun = cpu_seconds(server.pid), time.monotonic()
    for _ in range(count):
        one()
    took = time.monotonic() - begun
    return {"rate": count / took, "cpu_us_each": (cpu_seconds(server.pid) - before) / count * 1e6}
