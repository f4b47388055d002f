"""The cloud stand-in, rms-cloud-sim, as scenarios use it: started on free ports, scripted and asked through its control port."""

import base64
import http.client
import json
import re
import subprocess
import threading
import urllib.parse

import pytest

from support.caller import RawCaller, client_context
from support.node import SANITIZER_REPORT, program


def base64_of(data):
    """Bytes as scripts write them: raw, body, garbage."""
    return base64.b64encode(data).decode("ascii")


class CloudSim:
    """certificate: a name of support/certs.py; None: plain HTTP. listen: more addresses, as --listen takes them ("127.0.0.1:0,plain").

    sim.script({"match": {"op": "Certify"}, "status": 429, "retry_after": 5}, times=...)   rules, first match wins
    sim.seen()["last"][-1]["sha256"]                                                       what reached the cloud
    """

    def __init__(self, certs=None, certificate="cloud", host="127.0.0.1", listen=(), arguments=(), port=0, folder=None, wrap=()):
        own = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        command = [*wrap, program("rms-cloud-sim"), "--control", "127.0.0.1:0"]
        for address in (own, *listen):
            command += ["--listen", address]
        if certificate is None:
            command += ["--plain"]
        else:
            command += ["--tls-cert", certs.chain(certificate), "--tls-key", certs.key(certificate)]
        if certs and "--slc-key" not in arguments and "--bench-answer" not in arguments:
            command += ["--slc-key", certs.path("tenant.key")]  # one tenant a session: making its keys takes a while
        self.stderr = bytearray()
        self.process = subprocess.Popen([*command, *map(str, arguments)], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._reader.start()
        # The program says nothing before it is ready, and ends by itself when it cannot be.
        line = self.process.stdout.readline().decode("utf-8")
        if not line.startswith("rms-cloud-sim: listening on "):
            self.process.wait(10)
            self._reader.join(5)
            raise AssertionError(f"rms-cloud-sim did not start: {line!r} {self.stderr.decode('utf-8', 'replace')}")
        self.urls = re.findall(r"https?://\S+?:\d+", line.split(", control")[0])
        self.url = self.urls[0]
        self.ports = [urllib.parse.urlsplit(url).port for url in self.urls]
        self.host, self.port = host, self.ports[0]
        self.control_port = int(re.search(r"control http://127\.0\.0\.1:(\d+)", line).group(1))

    def _read_stderr(self):
        for piece in iter(lambda: self.process.stderr.read1(65536), b""):
            self.stderr += piece

    # -- control port --

    def ask(self, method, path, body=None):
        """(status, document) of the control port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=30)
        try:
            connection.request(method, path, body=body, headers={"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def _told(self, method, path, body=None):
        status, document = self.ask(method, path, body)
        assert status == 200, f"{method} {path}: {status} {document}"
        return document

    def script(self, *rules, connections=None, append=False):
        """Replaces the script (append: adds rules to it). No arguments: the service works as it should again."""
        document = {"rules": list(rules)}
        if append:
            document["append"] = True
        elif connections:
            document["connections"] = connections
        return self._told("POST", "/script", json.dumps(document))

    def seen(self, last=1000):
        return self._told("GET", f"/seen?last={last}")

    def requests(self, op=None):
        """What was seen of the last requests, oldest first."""
        return [request for request in self.seen()["last"] if op is None or request["op"] == op]

    def reset(self):
        """Forgets the script and what was seen; open connections stay."""
        return self._told("POST", "/reset")

    def close(self, which="idle"):
        """idle, all: in order; idle-cut, all-cut: without close_notify; idle-rst, all-rst."""
        return self._told("POST", f"/close?{which}")

    def health(self):
        return self._told("GET", "/health")

    # -- end --

    def stop(self, seconds=20):
        """Ends it in order. Fails when it did not end well, or a sanitizer complained."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            status = "no end"
        self._reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()
        said = self.stderr.decode("utf-8", "replace")
        assert status == 0, f"rms-cloud-sim ended with {status}: {said[-4000:]}"
        assert not SANITIZER_REPORT.search(said), said[-8000:]

    def kill(self):
        """As a crash: nothing is said to anybody."""
        self.process.kill()
        self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        try:
            self.stop()
        except AssertionError:
            if kind is None:
                raise


@pytest.fixture
def simulator(certs, tmp_path):
    """Makes cloud stand-ins: simulator(), simulator(certificate="cloud-expired", arguments=["--delay-ms", 50]). Import it where it is used."""
    made = []

    def make(**how):
        made.append(CloudSim(certs, folder=tmp_path, **how))
        return made[-1]
    yield make
    problems = []
    for one in made:
        if one.process.returncode is not None:
            continue
        try:
            one.stop()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


@pytest.fixture
def sim(simulator):  # pylint: disable=redefined-outer-name
    return simulator()


def sim_caller(its, certs, **how):
    """A caller over TLS, or plain when the stand-in is."""
    tls = client_context(certs, **how) if its.url.startswith("https") else None
    return RawCaller(its.host, its.port, tls=tls, server_name="cloud.test")
