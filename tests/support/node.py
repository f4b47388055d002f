"""One rms-connectord under test: its configuration, its process, and what it says about itself."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

from support import net
from support.caller import RawCaller, client_context
from support.wait import eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
SANITIZER_REPORT = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|CHECK failed|Assertion)")
CALLER = r"CORP\exch$=exchange"


def build_folder():
    return pathlib.Path(os.environ.get("RMS_BUILD", ROOT / "build"))


def program(name):
    path = build_folder() / "bin" / name
    assert path.exists(), f"{path} is not built (RMS_BUILD names the build directory)"
    return str(path)


def sanitized():
    """Binaries with sanitizers are several times slower: limits of time are stretched for them."""
    cache = build_folder() / "CMakeCache.txt"
    return cache.exists() and re.search(r"^RMS_SANITIZE:\w+=\S", cache.read_text(), re.M) is not None


def to_yaml(value, indent=0):
    """Mappings, lists and scalars in the plain block form."""
    pad = "  " * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{key}:" + (f"\n{to_yaml(v, indent + 1)}" if isinstance(v, (dict, list)) and v else f" {scalar(v)}\n")
                       for key, v in value.items())
    return "".join(f"{pad}- " + (to_yaml(v, indent + 1).lstrip(" ") if isinstance(v, dict) else f"{scalar(v)}\n") for v in value)


def scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return json.dumps(value)  # a JSON string is a YAML double-quoted scalar


class Node:
    """settings: {"section.name": value}. listeners: "http", "https" (ECDSA and RSA), "https-ecdsa", "https-rsa", or whole mappings.
    credentials: rows of that list; by default every role has the kind none. caller: the argument of --loopback-caller; None leaves authentication on."""

    def __init__(self, folder, certs, upstream_url, settings=None, listeners=("http",), caller=CALLER, arguments=(), env=None,
                 text=None, wrap=(), credentials=None, realms=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certs = certs
        self.stats_port = net.free_port()
        self.ports = []
        self.config = self.folder / "node.yaml"
        self.requests_file = self.folder / "requests.jsonl"
        self.events_file = self.folder / "events.jsonl"
        self.stderr_file = self.folder / "stderr.txt"
        self.text = text
        self.credentials = credentials if credentials is not None else [{"name": "none", "kind": "none"}]
        self.process = None
        self.exit_code = None
        self.expected_exit = 0
        # A node that can authenticate nobody does not get ready.
        self.knows_callers = bool(caller) or "auth.socket" in (settings or {})
        self.arguments = [*(["--loopback-caller", caller] if caller else []), *arguments]
        self.env, self.wrap = env or {}, list(wrap)
        self.settings = {
            "node.name": "node-under-test", "node.workers": 1, "node.drain_delay_s": 0, "node.drain_timeout_s": 5,
            "upstream.url": upstream_url, "upstream.ca_file": certs.ca, "upstream.requests_per_10s": 0,
            "log.requests_file": str(self.requests_file), "log.events_file": str(self.events_file),
            "stats.address": f"{net.HOST}:{self.stats_port}", "admin.socket": "",
            # What tests count at the cloud they want to see there; test_cache.py switches it on.
            "cache.enabled": False, "auth.socket": str(self.folder / "no-authd.sock"), **(settings or {}),
        }
        self.listeners = [self._listener(kind) for kind in listeners]
        self.realms = realms
        self.write_config()

    def _listener(self, kind):
        if not isinstance(kind, str):
            self.ports.append(int(kind["address"].rsplit(":", 1)[1]))
            return kind
        self.ports.append(net.free_port())
        row = {"address": f"{net.HOST}:{self.ports[-1]}"}
        pairs = {"http": [], "https": ["ecdsa", "rsa"], "https-ecdsa": ["ecdsa"], "https-rsa": ["rsa"]}[kind]
        if pairs:
            row["tls"] = [{"certificate": self.certs.chain(f"connector-{pair}"), "key": self.certs.key(f"connector-{pair}")}
                                   for pair in pairs]
        return row

    def write_config(self):
        sections = {}
        for name, value in self.settings.items():
            section, key = name.split(".")
            sections.setdefault(section, {})[key] = value
        whole = {"credentials": self.credentials, **sections, "listeners": self.listeners, **({"realms": self.realms} if self.realms else {})}
        self.config.write_text(self.text or to_yaml(whole), encoding="utf-8")

    # -- process --

    def start(self, ready=True, seconds=20):
        command = [*self.wrap, program("rms-connectord"), "-c", str(self.config), *self.arguments]
        with open(self.stderr_file, "ab") as stderr:
            self.process = subprocess.Popen(command, stdout=stderr, stderr=stderr, stdin=subprocess.DEVNULL, cwd=self.folder,
                                            env={**os.environ, **self.env})
        if ready:
            def is_ready():
                assert self.process.poll() is None, f"the node ended with {self.process.returncode}:\n{self.stderr()}"
                return self.get_stats("/readyz" if self.knows_callers else "/livez")[0] == 200
            try:
                eventually(is_ready, seconds)
            except AssertionError as problem:
                raise AssertionError(f"the node did not get ready: {problem}\n{self.stderr()}\n{self.config.read_text()}") from problem
        return self

    @property
    def port(self):
        return self.ports[0]

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=30):
        try:
            self.exit_code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_code = self.process.wait()
            raise AssertionError(f"the node did not end within {seconds} s:\n{self.stderr()}") from None
        return self.exit_code

    def stop(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait() if self.process else None

    def finish(self):
        """What every test asserts at its end: an orderly exit and no report of a sanitizer."""
        if not self.process:
            return
        code = self.stop()
        said = self.stderr()
        assert not SANITIZER_REPORT.search(said), f"a sanitizer or a check spoke:\n{said[-12000:]}"
        assert code == self.expected_exit, f"the node ended with {code}, not {self.expected_exit}:\n{said[-4000:]}"

    def stderr(self):
        return self.stderr_file.read_text(errors="replace") if self.stderr_file.exists() else ""

    # -- talking to it --

    def caller(self, index=0, tls=None, **how):
        """A connection to the listener of that index; https where it has a certificate."""
        row = self.listeners[index]
        if "tls" in row and tls is None:
            tls = client_context(self.certs)
        return RawCaller(row["address"].rsplit(":", 1)[0].strip("[]"), self.ports[index], tls=tls or None, **how)

    def ask(self, data, method="POST", index=0, **how):
        """One request on a connection of its own."""
        with self.caller(index, **how) as caller:
            return caller.ask(data, method)

    # -- what it says about itself --

    def get_stats(self, path):
        request = urllib.request.Request(f"http://{net.HOST}:{self.stats_port}{path}")
        try:
            with urllib.request.urlopen(request, timeout=10) as got:
                return got.status, got.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.read().decode()

    def stats(self):
        status, text = self.get_stats("/stats")
        assert status == 200, text
        return json.loads(text)

    def metrics(self):
        """{'rms_connector_requests_total{operation="certify",effect="ok"}': 1.0, ...}"""
        status, text = self.get_stats("/metrics")
        assert status == 200, text
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line and line[0] != "#"}

    def metric(self, name, **labels):
        """Sum of the series of that name (with or without prefix and _total) whose labels are as given."""
        total, seen = 0.0, False
        for series, value in self.metrics().items():
            bare, _, rest = series.partition("{")
            if bare.removeprefix("rms_connector_").removesuffix("_total") != name.removesuffix("_total"):
                continue
            have = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            assert set(labels) <= set(have), f"{series} has no label {set(labels) - set(have)}"
            if all(have[key] == want for key, want in labels.items()):
                total, seen = total + value, True
        assert seen, f"no metric {name} {labels}"
        return total

    def events(self, number=None):
        lines = self.events_file.read_text().splitlines() if self.events_file.exists() else []
        rows = [json.loads(line) for line in lines]
        return [row for row in rows if number is None or row["event"] == number]

    def event(self, number, seconds=5):
        """The first event of that number, waited for."""
        return eventually(lambda: self.events(number), seconds)[0]

    def request_log(self):
        lines = self.requests_file.read_text().splitlines() if self.requests_file.exists() else []
        return [json.loads(line) for line in lines]

    def logged(self, count=1, seconds=6):
        """The request log once it has that many lines; the node writes it once a second."""
        eventually(lambda: len(self.request_log()) >= count, seconds, pause=0.1)
        return self.request_log()

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_bytes(self):
        return int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def settle(self, look, seconds=5):
        return eventually(look, seconds)


def idle_for(seconds):
    """Where a test shows that something does not happen within a time: nothing to wait on but the clock."""
    time.sleep(seconds)
